//! Rewriting real repositories: odd ones stay as they are where nothing is meant, and real git-filter-repo comes to the same ids.

use std::collections::BTreeMap;
use std::path::Path;

use seal::git::{Prepared, Refs, Repository, RunFolder, prepare, prove};
use seal::host::Environment;
use seal::scrub::{BlobFate, CommitFate, PathRule, PathSelection, Pruning, Rules, When};

use crate::support::Folder;
use crate::support::generate::Random;

/// A bare repository, and what a rewrite of it came to.
struct Bare(Folder);

struct Done {
    run: RunFolder,
    prepared: Prepared,
}

impl Bare {
    fn new(options: &[&str]) -> Self {
        let bare = Self(Folder::new());
        let words = ["init", "--quiet", "--bare", "--initial-branch=main"].iter().chain(options).chain(&["bare"]);
        bare.0.program("git", words).ok();
        bare
    }

    fn git<'a>(&self, words: impl IntoIterator<Item = &'a str>, input: impl AsRef<[u8]>) -> String {
        let step = self.0.program("git", ["--git-dir=bare"].into_iter().chain(words));
        let step = step.env("GIT_AUTHOR_DATE", "1700000000 +0100").env("GIT_COMMITTER_DATE", "1700000000 +0100");
        let step = ["GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"].iter().fold(step, |step, name| step.env(name, "ada"));
        let step = ["GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"].iter().fold(step, |step, name| step.env(name, "a@b"));
        String::from_utf8_lossy(&step.stdin(input).ok()).trim_end().to_owned()
    }

    /// Writes an object as its bytes are, whatever git thinks of them.
    fn object(&self, kind: &str, bytes: impl AsRef<[u8]>) -> String {
        self.git(["hash-object", "-t", kind, "-w", "--stdin", "--literally"], bytes)
    }

    /// A tree of entries: mode, name, id.
    fn tree(&self, entries: &[(&str, &str, &str)]) -> String {
        let entry = |(mode, name, id): &(&str, &str, &str)| [format!("{mode} {name}\0").into_bytes(), hex(id)].concat();
        self.object("tree", entries.iter().flat_map(entry).collect::<Vec<u8>>())
    }

    fn name(&self, name: &str, id: &str) {
        self.git(["update-ref", name, id], "");
    }

    fn refs(&self) -> BTreeMap<String, String> {
        let listed = self.git(["for-each-ref", "--format=%(refname) %(objectname)"], "");
        let pair = |line: &str| line.split_once(' ').map(|(name, id)| (name.to_owned(), id.to_owned())).unwrap();
        listed.lines().map(pair).collect()
    }

    fn rewritten(&self, rules: Rules) -> Done {
        let repository = Repository::open(&self.0.path("bare"), &Environment::from_lookup(|_| None)).unwrap();
        let refs = Refs::read(&repository).unwrap();
        let run = RunFolder::create(repository.common_dir(), "test").unwrap();
        let prepared = prepare(&repository, &refs, &run, rules, None, &mut (), |_, _| ()).unwrap();
        prove(&repository, &run, &prepared, false).unwrap();
        Done { run, prepared }
    }

    /// The refs as they would be.
    fn refs_after(&self, done: &Done) -> BTreeMap<String, String> {
        let mut refs = self.refs();
        for moved in &done.prepared.moves {
            let name = moved.name.to_string();
            match moved.new {
                Some(new) => refs.insert(name, new.to_string()),
                None => refs.remove(&name),
            };
        }
        refs
    }

    /// git, which sees the new objects too.
    fn after(&self, done: &Done, words: &[&str]) -> crate::support::Ran {
        let step = self.0.program("git", ["--git-dir=bare"].iter().chain(words));
        step.env("GIT_ALTERNATE_OBJECT_DIRECTORIES", done.run.objects()).run()
    }
}

fn hex(id: &str) -> Vec<u8> {
    (0..id.len()).step_by(2).map(|at| u8::from_str_radix(&id[at..at + 2], 16).unwrap()).collect()
}

fn without(paths: &[&str]) -> Rules {
    let rules = paths.iter().map(|path| PathRule::Exact(path.as_bytes().to_vec())).collect();
    Rules { paths: PathSelection { rules, by_base_name: false }, ..Rules::default() }
}

/// What stands in commits that no importer would write today, each behind its tree and parents.
fn odd_commits() -> Vec<Vec<u8>> {
    let plain = "author a <a@b> 1 +0000\ncommitter a <a@b> 1 +0000\n";
    let texts = [
        format!("{plain}\nmessage\n"),
        format!("{plain}\nno line break at the end"),
        format!("{plain}\n"),
        plain.to_owned(),
        "committer a <a@b> 1 +0000\n\nwithout author\n".to_owned(),
        "author a <a@b> 1 +0000\nauthor b <b@b> 1 +0000\ncommitter a <a@b> 1 +0000\n\ntwo authors\n".to_owned(),
        "author  <> -1 -0000\ncommitter a  b <a@b 99999999999999999999 +051800\n\ndates\n".to_owned(),
        "author a <a@b> 4102444800 +1\ncommitter a 1 -7530\n\nzones\n".to_owned(),
        "author a <a@b>\ncommitter a <a@b> 1\n\nno zone\n".to_owned(),
        format!("{plain}encoding latin-1\n\ncaf\n"),
        format!("{plain}encoding no-such\nchange-id zzz\nHG:rename x\nunknown\n\nextra\n"),
        format!("{plain}gpgsig -----BEGIN PGP SIGNATURE-----\n \n x\n -----END PGP SIGNATURE-----\nx y\n\nsigned\n"),
        format!("{plain}\nparent {}\nno header\n", "1".repeat(40)),
        format!("{plain}\nline\r\nline\r\n"),
        format!("{plain}\n\n\nempty lines\n\n\n"),
        format!("{plain}\n{}", "long ".repeat(400_000)),
    ];
    let mut commits: Vec<Vec<u8>> = texts.into_iter().map(String::into_bytes).collect();
    commits.push([plain.as_bytes(), b"encoding latin-1\n\ncaf\xe9\0nul\n"].concat());
    commits
}

/// A history of odd things, each commit on the one before; all of them have a file `key`.
fn odd_history(bare: &Bare) -> Vec<String> {
    let blob = bare.object("blob", "text");
    let key = bare.object("blob", "the key");
    let empty = bare.object("tree", "");
    let below = bare.tree(&[("100664", "x", &blob), ("040000", "old", &empty)]);
    let commit = "1".repeat(blob.len());
    let names = ["a\nb", "a\"\\\t ", "..", ".git", "caf\u{e9}", "A", "a"];
    let mut ids = Vec::new();
    for (number, text) in odd_commits().into_iter().enumerate() {
        let name = format!("{}{}", names[number % names.len()], number / names.len());
        // Out of order, twice the same, an odd mode, a submodule, a link, an empty directory.
        let tree = bare.tree(&[
            ("100644", "key", &key),
            ("100644", &name, &blob),
            ("100755", &name, &blob),
            ("40000", "dir", &below),
            ("40000", "none", &empty),
            ("120000", "link", &blob),
            ("160000", "module", &commit),
        ]);
        let parents: Vec<&String> =
            if number % 5 == 4 { ids.iter().rev().take(3).collect() } else { ids.iter().rev().take(1).collect() };
        let parents: String = parents.iter().map(|id| format!("parent {id}\n")).collect();
        let bytes = [format!("tree {tree}\n{parents}").as_bytes(), &text].concat();
        ids.push(bare.object("commit", bytes));
    }
    ids
}

#[test]
fn rewrite_that_means_nothing_leaves_every_ref_of_an_odd_repository() {
    for format in ["sha1", "sha256"] {
        let bare = Bare::new(&[&format!("--object-format={format}")]);
        let ids = odd_history(&bare);
        for (number, id) in ids.iter().enumerate() {
            bare.name(&format!("refs/odd/{number}"), id);
        }
        let last = ids.last().unwrap();
        let root = bare.git(["rev-parse", &format!("{last}^{{tree}}")], "");
        let blob = bare.object("blob", "alone");
        let tag =
            |object: &str, kind: &str| bare.object("tag", format!("object {object}\ntype {kind}\ntag t\n\nno tagger"));
        let inner = tag(last, "commit");
        for (name, id) in [
            ("refs/heads/main", last.clone()),
            ("refs/tags/nested", tag(&inner, "tag")),
            ("refs/tags/tree", tag(&root, "tree")),
            ("refs/tags/blob", tag(&blob, "blob")),
            ("refs/tags/light-tree", root.clone()),
            ("refs/light-blob", blob),
        ] {
            bare.name(name, &id);
        }
        bare.git(["symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/none"], "");
        for rules in [Rules::default(), without(&["nowhere", "dir/nothing", "x", "key/below"])] {
            let done = bare.rewritten(rules);
            assert!(done.prepared.moves.is_empty(), "{format}: {:?}", done.prepared.moves);
            assert_eq!(done.prepared.pack, None);
            assert!(done.prepared.rewritten.commits.iter().all(|fate| *fate == CommitFate::Same));
            done.run.remove().unwrap();
        }
    }
}

#[test]
fn odd_commits_lose_a_file_and_nothing_else() {
    for format in ["sha1", "sha256"] {
        let bare = Bare::new(&[&format!("--object-format={format}")]);
        let ids = odd_history(&bare);
        for (number, id) in ids.iter().enumerate() {
            bare.name(&format!("refs/odd/{number}"), id);
        }
        let done = bare.rewritten(without(&["key"]));
        let after = bare.refs_after(&done);
        for (number, old) in ids.iter().enumerate() {
            let new = &after[&format!("refs/odd/{number}")];
            assert_ne!(new, old);
            let rest = |bytes: Vec<u8>| {
                let text: Vec<Vec<u8>> = bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
                let names = |line: &&Vec<u8>| line.starts_with(b"tree ") || line.starts_with(b"parent ");
                let begin = text.iter().take_while(names).count();
                (begin, text[begin..].to_vec())
            };
            let old = bare.0.program("git", ["--git-dir=bare", "cat-file", "commit", old]).ok();
            let new = bare.after(&done, &["cat-file", "commit", new]).exits(0).stdout;
            let (old, new) = (rest(old), rest(new));
            assert_eq!(old.0, new.0, "as many parents");
            let unsigned = |lines: Vec<Vec<u8>>| {
                let signs = |line: &&Vec<u8>| !line.starts_with(b"gpgsig") && !line.starts_with(b" ");
                lines.iter().filter(signs).cloned().collect::<Vec<_>>()
            };
            assert_eq!(unsigned(old.1), unsigned(new.1));
        }
        let listed = bare.after(&done, &["ls-tree", "-r", "-z", &after["refs/odd/3"]]).exits(0).stdout_text();
        assert!(!listed.contains("\tkey\0"), "{listed}");
        assert_eq!(
            listed.matches("\ta\nb").count() + listed.matches("\tcaf").count() + listed.matches("\t.git").count(),
            2
        );
        assert_eq!(done.prepared.rewritten.signatures_lost, 1);
    }
}

#[test]
fn tags_of_all_kinds_follow_and_what_went_is_named_no_more() {
    let bare = Bare::new(&[]);
    let [key, kept] = ["the key", "kept"].map(|text| bare.object("blob", text));
    let below = bare.tree(&[("100644", "kept", &kept), ("100644", "key", &key)]);
    let all_key = bare.tree(&[("100644", "key", &key)]);
    let root = bare.tree(&[("40000", "all", &all_key), ("40000", "dir", &below)]);
    let first = bare.git(["commit-tree", "-m", "one", &root], "");
    let alone = bare.git(["commit-tree", "-m", "two", &bare.tree(&[("40000", "all", &all_key)])], "");
    let tag = |object: &str, kind: &str, end: &str| {
        bare.object("tag", format!("object {object}\ntype {kind}\ntag t\ntagger a <a@b> 1 +0000\n\nnote\n{end}"))
    };
    let signed = tag(&first, "commit", "-----BEGIN SSH SIGNATURE-----\nx\n-----END SSH SIGNATURE-----\n");
    for (name, id) in [
        ("refs/heads/main", &first),
        ("refs/heads/alone", &alone),
        ("refs/tags/nested", &tag(&signed, "tag", "")),
        ("refs/tags/dir", &tag(&below, "tree", "")),
        ("refs/tags/key", &tag(&key, "blob", "")),
        ("refs/light/root", &root),
        ("refs/light/key", &key),
        ("refs/light/kept", &kept),
    ] {
        bare.name(name, id);
    }
    let done = bare.rewritten(without(&["all", "dir/key"]));
    let after = bare.refs_after(&done);
    let names: Vec<&str> = after.keys().map(String::as_str).collect();
    let expected = ["refs/heads/main", "refs/light/kept", "refs/light/root", "refs/tags/dir", "refs/tags/nested"];
    assert_eq!(names, expected, "what had only the key goes");
    let shown = |revision: &str| bare.after(&done, &["ls-tree", "-r", "--name-only", revision]).exits(0).stdout_text();
    assert_eq!(shown(&after["refs/tags/nested"]), "dir/kept\n");
    assert_eq!(shown(&after["refs/light/root"]), "dir/kept\n");
    assert_eq!(shown(&after["refs/tags/dir"]), "kept\n");
    assert_eq!(done.prepared.rewritten.tag_signatures_lost, 1);
    let inner = bare.after(&done, &["cat-file", "-p", &format!("{}^{{tag}}", after["refs/tags/nested"])]).stdout_text();
    assert!(!inner.contains("SIGNATURE"), "{inner}");
    for id in after.values() {
        bare.after(&done, &["fsck", "--strict", "--no-dangling", id]).exits(0);
    }
}

#[test]
fn stash_keeps_the_parents_by_which_it_is_told() {
    let bare = Bare::new(&[]);
    let [key, one] = ["the key", "1"].map(|text| bare.object("blob", text));
    let base = bare.git(["commit-tree", "-m", "base", &bare.tree(&[("100644", "one", &one)])], "");
    let with_key = bare.tree(&[("100644", "key", &key), ("100644", "one", &one)]);
    let index = bare.git(["commit-tree", "-m", "index", "-p", &base, &with_key], "");
    let stash = bare.git(["commit-tree", "-m", "stash", "-p", &base, "-p", &index, &with_key], "");
    bare.name("refs/heads/main", &base);
    bare.name("refs/stash", &stash);
    let done = bare.rewritten(without(&["key"]));
    let after = bare.refs_after(&done);
    assert_eq!(after["refs/heads/main"], base);
    let text = bare.after(&done, &["cat-file", "commit", &after["refs/stash"]]).exits(0).stdout_text();
    assert_eq!(text.matches("parent ").count(), 2, "{text}");
}

#[test]
fn blobs_go_and_are_replaced_wherever_they_are() {
    let bare = Bare::new(&[]);
    let [key, clean] = ["the key", "***"].map(|text| bare.object("blob", text));
    let tree = bare.tree(&[("100644", "a", &key), ("100644", "b", &clean), ("100755", "c", &key)]);
    bare.name("refs/heads/main", &bare.git(["commit-tree", "-m", "one", &tree], ""));
    let fate = |fate: BlobFate| Rules { blobs: [(key.parse().unwrap(), fate)].into(), ..Rules::default() };
    for (rules, left) in
        [(fate(BlobFate::Drop), vec!["b"]), (fate(BlobFate::Replace(clean.parse().unwrap())), vec!["a", "b", "c"])]
    {
        let done = bare.rewritten(rules);
        let listed = bare.after(&done, &["ls-tree", &bare.refs_after(&done)["refs/heads/main"]]).exits(0).stdout_text();
        let names: Vec<&str> = listed.lines().map(|line| line.split_once('\t').unwrap().1).collect();
        assert_eq!(names, left);
        assert!(!listed.contains(&key));
        done.run.remove().unwrap();
    }
}

#[test]
fn objects_of_alternates_are_read_and_not_written_again() {
    let bare = Bare::new(&[]);
    let key = bare.object("blob", "the key");
    let tree = bare.tree(&[("100644", "key", &key), ("100644", "other", &key)]);
    let clean = bare.tree(&[("100644", "other", &key)]);
    let commit = bare.git(["commit-tree", "-m", "one", &tree], "");
    bare.name("refs/heads/main", &commit);
    let folder = &bare.0;
    folder.program("git", ["clone", "--quiet", "--bare", "--shared", "bare", "second"]).ok();
    let repository = Repository::open(&folder.path("second"), &Environment::from_lookup(|_| None)).unwrap();
    let refs = Refs::read(&repository).unwrap();
    let run = RunFolder::create(repository.common_dir(), "test").unwrap();
    let prepared = prepare(&repository, &refs, &run, without(&["key"]), None, &mut (), |_, _| ()).unwrap();
    prove(&repository, &run, &prepared, false).unwrap();
    assert_eq!(prepared.pack.unwrap().objects, 1, "the commit: the tree {clean} is there");
}

#[test]
fn commits_that_only_a_reflog_names_may_be_missing_and_those_of_refs_may_not() {
    let bare = Bare::new(&[]);
    let tree = bare.tree(&[("100644", "a", &bare.object("blob", "1"))]);
    let lost = bare.object(
        "commit",
        format!("tree {tree}\nparent {}\nauthor a <a@b> 1 +0000\ncommitter a <a@b> 1 +0000\n\n", "2".repeat(40)),
    );
    let commit = bare.git(["commit-tree", "-m", "one", &tree], "");
    bare.name("refs/heads/main", &commit);
    bare.0.write("bare/ORIG_HEAD", format!("{lost}\n"));
    let done = bare.rewritten(without(&["a"]));
    assert_eq!(done.prepared.history.len(), 1);
    let lost: gix::ObjectId = lost.parse().unwrap();
    assert_eq!(done.prepared.mapped(&lost), None);
}

/// A history as a stream for `git fast-import`: branches that part and meet, files and directories that come and go.
fn random_history(random: &mut Random) -> String {
    let names = ["a", "key", "dir/key", "dir/b", "dir/sub/key", "other/key", "key.d/x"];
    let mut stream = String::new();
    let commits = 3 + random.below(25);
    for mark in 1..=commits {
        let branch = format!("refs/heads/b{}", random.below(3));
        stream += &format!("commit {branch}\nmark :{mark}\ncommitter a <a@b> {} +0000\ndata 2\nc\n\n", 1000 + mark);
        if mark > 1 && random.percent(95) {
            stream += &format!("from :{}\n", 1 + random.below(mark - 1));
            for _ in 0..if random.percent(35) { 1 + random.below(2) } else { 0 } {
                stream += &format!("merge :{}\n", 1 + random.below(mark - 1));
            }
        }
        for _ in 0..random.below(4) {
            let name = random.pick(&names);
            match random.below(5) {
                0 => stream += &format!("D {name}\n"),
                1 => stream += &format!("D {}\n", name.split('/').next().unwrap()),
                _ => {
                    let mode = random.pick(&["100644", "100755"]);
                    stream += &format!("M {mode} inline {name}\ndata 2\n{}\n\n", random.below(4));
                }
            }
        }
        stream += "\n";
        if random.percent(20) {
            stream += &format!("tag t{mark}\nfrom :{mark}\ntagger a <a@b> {mark} +0000\ndata 2\nt\n\n");
        }
    }
    stream + "done\n"
}

#[test]
fn random_histories_come_to_the_same_ids_as_with_filter_repo() {
    let prunings = [
        (Pruning::default(), vec![]),
        (
            Pruning { empty: When::Never, degenerate: When::Never, no_ff: false },
            vec!["--prune-empty=never", "--prune-degenerate=never"],
        ),
        (Pruning { no_ff: true, ..Pruning::default() }, vec!["--no-ff"]),
    ];
    for seed in 0..60 {
        let mut random = Random::new(seed);
        let bare = Bare::new(&[]);
        let stream = random_history(&mut random);
        bare.git(["fast-import", "--quiet", "--done"], &stream);
        let paths = random.pick(&["key", "dir", "dir/key", "key.d/x"]).to_owned();
        let keeps_only = random.percent(25);
        let (pruning, words) = &prunings[random.below(prunings.len())];
        let done = bare.rewritten(Rules { keeps_only, pruning: *pruning, ..without(&[&paths]) });
        let ours = bare.refs_after(&done);
        for id in ours.values() {
            bare.after(&done, &["fsck", "--strict", "--no-dangling", id]).exits(0);
        }
        done.run.remove().unwrap();
        let mut args = vec!["--force", "--quiet", "--path", &paths];
        if !keeps_only {
            args.push("--invert-paths");
        }
        args.extend(words);
        let Some(step) = bare.0.peer("git-filter-repo", args) else { return };
        let _ = step.inside(&bare.0.path("bare")).ok();
        assert_eq!(ours, bare.refs(), "seed {seed}, {paths}, only {keeps_only}, {words:?}\n{stream}");
    }
}

#[test]
fn plan_is_told_and_nothing_moves_without_a_yes() {
    let bare = Bare::new(&[]);
    let [key, one] = ["the key", "1"].map(|text| bare.object("blob", text));
    let first =
        bare.git(["commit-tree", "-m", "one", &bare.tree(&[("100644", "copy", &key), ("100644", "one", &one)])], "");
    let tree = bare.tree(&[("100644", "copy", &key), ("100644", "key", &key), ("100644", "one", &one)]);
    let second = bare.git(["commit-tree", "-m", "two", "-p", &first, &tree], "");
    bare.name("refs/heads/main", &second);
    bare.name("refs/pull/1/head", &second);
    let seal = |words: &[&str]| bare.0.seal(["scrub"].iter().chain(words)).inside(&bare.0.path("bare")).run();
    let plan = seal(&["--path", "key"]).exits(0);
    let text = plan.stdout_text();
    assert!(text.starts_with("rotate "), "{text}");
    for line in [
        "remove    key  1 version",
        "files     1 version, 7 bytes",
        "stays     copy is one of them: --blob ",
        "commits   0 of 2 get a new id",
        "pruned    1 commit",
        "1 branch, 1 ref of the host",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert!(plan.stderr_text().contains("--yes"), "{plan}");
    let json = seal(&["--path", "key", "--dry-run", "--format", "json"]).exits(0);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["refs"][0]["new"], *first);
    assert_eq!(json["commits"]["first_changed"][0], *second);
    let again: serde_json::Value =
        serde_json::from_slice(&seal(&["--path", "key", "-n", "--format", "json"]).stdout).unwrap();
    assert_eq!(json, again, "a plan has one name");
    let digest = json["plan"].as_str().unwrap();
    seal(&["--path", "key", "-n", "--plan-id", digest]).exits(0);
    seal(&["--path", "key", "-n", "--plan-id", digest, "--signatures", "keep-broken"]).exits(7);
    assert!(seal(&["--path", "none", "--yes"]).exits(0).stdout_text().contains("nothing will change"));
    assert_eq!(bare.refs()["refs/heads/main"], second);
    assert_eq!(std::fs::read_dir(bare.0.path("bare/seal")).unwrap().count(), 0, "nothing is left behind");
    for words in [&[][..], &["--path", "../x"], &["--path", ""], &["--path", "/x"], &["--path-regex", "("]] {
        seal(words).exits(2);
    }
}

#[test]
fn repository_in_the_middle_of_something_is_left_alone() {
    let bare = Bare::new(&[]);
    let tree = bare.tree(&[("100644", "key", &bare.object("blob", "the key"))]);
    bare.name("refs/heads/main", &bare.git(["commit-tree", "-m", "one", &tree], ""));
    for (file, hint) in [
        ("MERGE_HEAD", "merge --abort"),
        ("rebase-merge/done", "rebase --abort"),
        ("BISECT_LOG", "bisect reset"),
        ("shallow", "git fetch --unshallow"),
        ("info/grafts", "git replace --convert-graft-file"),
        ("gc.pid", "wait until git is done"),
    ] {
        let path = bare.0.write(Path::new("bare").join(file), "x");
        let ran = bare.0.seal(["scrub", "--path", "key"]).inside(&bare.0.path("bare")).run().exits(7);
        assert!(
            ran.stderr_text().contains(hint) && ran.stderr_text().contains("history is as it was"),
            "{file}\n{ran}"
        );
        std::fs::remove_file(&path).unwrap();
        let _ = std::fs::remove_dir(path.parent().unwrap());
    }
    bare.git(["config", "core.repositoryFormatVersion", "1"], "");
    bare.git(["config", "extensions.compatObjectFormat", "sha256"], "");
    let ran = bare.0.seal(["scrub", "--path", "key"]).inside(&bare.0.path("bare")).run();
    assert!(ran.code == Some(7) && ran.stderr_text().to_lowercase().contains("compatobjectformat"), "{ran}");
}
