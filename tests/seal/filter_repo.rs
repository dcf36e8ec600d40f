//! seal as git-filter-repo, held against the real one: the same refs, ids, maps and refusals in clones of one repository.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use crate::support::generate::Random;
use crate::support::{Folder, Ran};

/// Files of the sample: what its options name.
const RULES: [(&str, &str); 4] = [
    ("rules", "literal:hunter2==>XX\nregex:pass(w)ord==>\\1\nglob:bin*2==>G\n"),
    ("people", "Ada Lovelace <ada@new.example> <ada@x.example>\nRob <rob@z> Bob <BOB@y.example>\n"),
    ("paths", "src/\n# a comment\nglob:*.md\nregex:^gui==>\ndocs/==>manual/\nregex:^tools/(.*)$==>t-\\1\n"),
    ("sizes", ""),
];

/// What is asked of both; words that begin with `@` are files beside the clones.
const CASES: [&[&str]; 27] = [
    &["--force"],
    &["--path", "guides/", "--path", "tools/releases"],
    &["--path", "big.bin", "--path", "docs/", "--invert-paths"],
    &["--path", "secret.env", "--invert-paths"],
    &["--path", "src", "--path-rename", "src/lib/:lib/"],
    &["--path", "src/", "--to-subdirectory-filter", "my-module", "--tag-rename", ":my-module-"],
    &["--to-subdirectory-filter", "x/y"],
    &["--subdirectory-filter", "src"],
    &["--subdirectory-filter", "docs", "--prune-empty", "never"],
    &["--path-glob", "*.md"],
    &["--path-glob", "docs", "--invert-paths"],
    &["--path-regex", "^docs/.*\\.md$", "--invert-paths"],
    &["--use-base-name", "--path", "d.md", "--path", "a.c"],
    &["--path-rename", "docs/:manual/", "--path-rename", "conf.env:c.env"],
    &["--paths-from-file", "@paths"],
    &["--replace-text", "@rules"],
    &["--replace-message", "@rules"],
    &["--strip-blobs-bigger-than", "1K"],
    &["--mailmap", "@people"],
    &["--tag-rename", "v:rel-"],
    &["--path", "docs/", "--prune-degenerate", "never"],
    &["--path", "docs/", "--prune-empty", "always"],
    &["--path", "src/", "--no-ff", "--preserve-commit-hashes"],
    &["--path", "src/", "--preserve-commit-encoding", "--replace-refs", "update-and-add"],
    &["--path", "nothing"],
    &["--path", "docs/", "--refs", "main"],
    &["--path", "docs/", "--partial"],
];

pub fn git(folder: &Folder, place: &str, words: &[&str]) -> Ran {
    folder.program("git", words).inside(&folder.path(place)).run()
}

/// A commit of a fast-import stream; `files` with no text are taken away.
pub fn commit(
    stream: &mut Vec<u8>,
    mark: usize,
    branch: &str,
    parents: &[usize],
    message: &[u8],
    files: &[(&str, &[u8])],
) {
    let time = 1_000_000_000 + mark * 60;
    let mut head = format!("commit refs/heads/{branch}\nmark :{mark}\n");
    let person = if mark.is_multiple_of(5) { "Bob <bob@y.example>" } else { "Ada <ada@x.example>" };
    let _ = write!(head, "author {person} {time} +0100\ncommitter Ada <ada@x.example> {time} -0330\n");
    if message.contains(&0xe9) {
        head.push_str("encoding ISO-8859-1\n");
    }
    let _ = writeln!(head, "data {}", message.len());
    stream.extend_from_slice(head.as_bytes());
    stream.extend_from_slice(message);
    stream.push(b'\n');
    for (at, parent) in parents.iter().enumerate() {
        stream.extend_from_slice(format!("{} :{parent}\n", if at == 0 { "from" } else { "merge" }).as_bytes());
    }
    for (path, text) in files {
        if text.is_empty() {
            stream.extend_from_slice(format!("D {path}\n").as_bytes());
        } else {
            stream.extend_from_slice(format!("M 100644 inline {path}\ndata {}\n", text.len()).as_bytes());
            stream.extend_from_slice(text);
            stream.push(b'\n');
        }
    }
    stream.push(b'\n');
}

pub fn import(folder: &Folder, stream: &[u8]) {
    let _ = folder.program("git", ["init", "-q", "-b", "main", "source"]).run().exits(0);
    let import = folder.program("git", ["fast-import", "--quiet"]).inside(&folder.path("source"));
    let _ = import.stdin(stream).run().exits(0);
}

/// A history with merges, intended and not, quoted ids, an odd encoding, empty commits, a second root, and tags of tags.
pub fn sample() -> Folder {
    let folder = Folder::new();
    for (name, text) in RULES {
        folder.write(name, text);
    }
    let mut stream = Vec::new();
    let mut add = |mark: usize, branch: &str, parents: &[usize], message: &[u8], files: &[(&str, &[u8])]| {
        commit(&mut stream, mark, branch, parents, message, files);
    };
    let first: [(&str, &[u8]); 7] = [
        ("src/a.c", b"a"),
        ("src/lib/b.c", b"b"),
        ("docs/d.md", b"d"),
        ("guides/g", b"g"),
        ("tools/releases/t", b"t"),
        ("big.bin", &[b'x'; 3000]),
        ("conf.env", b"password=hunter2"),
    ];
    add(1, "main", &[], b"first", &first);
    add(2, "main", &[1], b"add a secret", &[("secret.env", b"s")]);
    add(3, "main", &[2], b"empty from the start, 1234567 deadbeef", &[]);
    add(4, "side", &[3], b"docs only", &[("docs/side.md", b"side")]);
    add(5, "side", &[4], b"docs more", &[("docs/side2.md", b"side")]);
    add(6, "main", &[3], b"src", &[("src/a.c", b"a2"), ("conf.env", b"password=hunter2 again")]);
    add(7, "main", &[6, 5], b"merge side", &[("docs/side.md", b"side"), ("docs/side2.md", b"side")]);
    add(8, "lonely", &[6], b"lonely", &[("docs/lonely.md", b"x")]);
    add(9, "main", &[7, 8], b"merge lonely", &[("docs/lonely.md", b"x")]);
    add(10, "main", &[9], b"work", &[("src/a.c", b"a3")]);
    add(11, "main", &[9, 10], b"intended merge", &[("src/a.c", b"a3")]);
    add(12, "main", &[11], b"remove the secret", &[("secret.env", b"")]);
    add(13, "main", &[12], b"rename", &[("src/lib/b.c", b""), ("src/lib/c.c", b"b")]);
    add(14, "main", &[13], b"caf\xe9 password=hunter2", &[("bin.dat", b"bin\0password=hunter2")]);
    add(15, "other", &[], b"second root", &[("docs-o", b"o"), ("docs/z", b"z")]);
    add(16, "main", &[14, 15], b"join", &[("docs-o", b"o"), ("docs/z", b"z"), ("\"n\\303\\251 \\\"q\\n\"", b"odd")]);
    for (name, from) in [("v1.0", ":13"), ("docs-only", ":5")] {
        let tagger = "tagger Ada <ada@x.example> 1200000000 +0000\ndata 13\npassword=hunt\n";
        stream.extend_from_slice(format!("tag {name}\nfrom {from}\n{tagger}").as_bytes());
    }
    import(&folder, &stream);
    let quoted = git(&folder, "source", &["rev-parse", "main~3"]).stdout_text();
    // A commit that quotes others, and a tag of a tag.
    let tree = git(&folder, "source", &["rev-parse", "main^{tree}"]).stdout_text();
    let message = format!("This reverts commit {}, see {}.", quoted.trim(), &quoted[..9]);
    let commit =
        ["-c", "user.name=Ada", "-c", "user.email=ada@x.example", "commit-tree", tree.trim(), "-p", "main", "-m"];
    let commit = git(&folder, "source", &[&commit[..], &[message.as_str()]].concat()).exits(0).stdout_text();
    let _ = git(&folder, "source", &["update-ref", "refs/heads/main", commit.trim()]).exits(0);
    let _ = git(
        &folder,
        "source",
        &["-c", "user.name=Ada", "-c", "user.email=a@x", "tag", "-a", "nested", "-m", "x", "v1.0"],
    );
    let _ = git(&folder, "source", &["tag", "light", "main~2"]).exits(0);
    folder
}

/// Two fresh clones of the source, `theirs` and `ours`.
pub fn clones(folder: &Folder) {
    for name in ["theirs", "ours"] {
        let _ = std::fs::remove_dir_all(folder.path(name));
        let _ = folder.program("git", ["clone", "-q", "--no-local", "source", name]).run().exits(0);
    }
}

/// Runs both in their clones; nothing where the real one is not installed.
fn both(folder: &Folder, words: &[&str]) -> Option<(Ran, Ran)> {
    let word = |word: &&str| match word.strip_prefix('@') {
        Some(name) => folder.path(name).into_os_string(),
        None => (*word).into(),
    };
    let words: Vec<_> = words.iter().map(word).collect();
    let theirs = folder.peer("git-filter-repo", &words)?.inside(&folder.path("theirs")).run();
    let ours = folder.seal([&["compat".into(), "git-filter-repo".into()], &words[..]].concat());
    Some((theirs, ours.inside(&folder.path("ours")).run()))
}

/// Everything that must be the same in both clones.
pub fn state(folder: &Folder, place: &str) -> String {
    let mut state = String::new();
    for words in [&["for-each-ref"][..], &["symbolic-ref", "HEAD"], &["status", "--short"], &["remote"]] {
        state.push_str(&git(folder, place, words).stdout_text());
    }
    for file in ["commit-map", "ref-map", "changed-refs", "first-changed-commits", "already_ran"] {
        let path = folder.path(Path::new(place).join(".git/filter-repo").join(file));
        let _ = write!(state, "--- {file}\n{}", String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()));
    }
    state
}

/// What `suboptimal-issues` lists.
fn issues(folder: &Folder, place: &str) -> Vec<String> {
    let path = folder.path(Path::new(place).join(".git/filter-repo/suboptimal-issues"));
    let text = String::from_utf8(std::fs::read(path).unwrap_or_default()).unwrap();
    text.lines().filter(|line| line.starts_with("  ")).map(str::to_owned).collect()
}

pub fn agree(folder: &Folder, words: &[&str]) -> bool {
    let Some((theirs, ours)) = both(folder, words) else { return false };
    assert_eq!(ours.code, theirs.code, "{words:?}\n{ours}\n{theirs}");
    let [theirs, ours] = ["theirs", "ours"].map(|place| state(folder, place));
    assert_eq!(ours, theirs, "{words:?}");
    // The real one also lists what pruned commits quote, and numbers.
    let known = issues(folder, "theirs");
    let more: Vec<String> = issues(folder, "ours").into_iter().filter(|line| !known.contains(line)).collect();
    assert!(more.is_empty(), "{words:?}: {more:?}");
    let _ = git(folder, "ours", &["fsck", "--full", "--strict"]).exits(0);
    true
}

#[test]
fn refs_ids_and_maps_are_those_of_the_real_one() {
    let folder = sample();
    for words in CASES {
        clones(&folder);
        if !agree(&folder, words) {
            return;
        }
    }
}

#[test]
fn second_run_goes_on_from_the_first() {
    let folder = sample();
    clones(&folder);
    // Where the tip of a branch went in one run, the real one lists the branch as gone after the next, though it is there.
    let runs: [&[&str]; 3] =
        [&["--path", "secret.env", "--invert-paths"], &["--path-rename", "docs/:d/"], &["--path-rename", "src/:s/"]];
    for words in runs {
        if !agree(&folder, words) {
            return;
        }
    }
}

/// Random histories, with merges of all kinds, of which paths are kept or taken away.
#[test]
fn random_histories_are_pruned_as_the_real_one_prunes_them() {
    const PATHS: [&str; 10] = ["x", "y", "z", "a/x", "a/y", "a/b/x", "a/b/z", "c/x", "c/y", "keep"];
    let asked: [&[&str]; 6] = [
        &["--path", "a/"],
        &["--path", "x", "--path", "a/b", "--invert-paths"],
        &["--path", "a/", "--path-rename", "a/:"],
        &["--path-glob", "*y"],
        &["--path", "a/", "--no-ff", "--prune-empty", "always"],
        &["--use-base-name", "--path", "z", "--invert-paths"],
    ];
    for seed in 0..12 {
        let random = &mut Random::new(seed);
        let folder = Folder::new();
        let mut stream = Vec::new();
        let count = 8 + random.below(30);
        for mark in 1..=count {
            let mut parents: Vec<usize> = Vec::new();
            let wanted = if mark == 1 || random.percent(4) { 0 } else { 1 + usize::from(random.percent(35)) };
            while parents.len() < wanted.min(mark - 1) {
                let parent = mark - 1 - random.below((mark - 1).min(8));
                if !parents.contains(&parent) {
                    parents.push(parent);
                }
            }
            let text = format!("{}", random.below(4));
            let mut files: Vec<(&str, &[u8])> = Vec::new();
            if random.percent(if parents.len() > 1 { 40 } else { 85 }) || parents.is_empty() {
                let text = if random.percent(25) && !parents.is_empty() { "" } else { &text };
                files.push((random.pick(&PATHS), text.as_bytes()));
            }
            commit(&mut stream, mark, &format!("b{mark}"), &parents, format!("c{mark}").as_bytes(), &files);
        }
        stream.extend_from_slice(format!("reset refs/heads/main\nfrom :{count}\n\n").as_bytes());
        import(&folder, &stream);
        clones(&folder);
        if !agree(&folder, asked[seed as usize % asked.len()]) {
            return;
        }
    }
}

/// A random history in which files are renamed, merged, and go; two of its commits have other parents by replace refs.
pub fn renaming(seed: u64) -> Folder {
    const PATHS: [&str; 11] = [
        "x.c",
        "y.md",
        "z",
        "a/x.c",
        "a/y.md",
        "a/b/x",
        "a/b/z",
        ".hid",
        "c/x.tar.gz",
        "c/y",
        "\"caf\\303\\251 \\\"q\"",
    ];
    let random = &mut Random::new(seed);
    let folder = Folder::new();
    let mut stream = Vec::new();
    let mut trees: Vec<BTreeMap<&str, Vec<u8>>> = vec![BTreeMap::new()];
    for mark in 1..=30 {
        let wanted = if mark == 1 || random.percent(4) { 0 } else { 1 + usize::from(random.percent(30)) };
        let mut parents: Vec<usize> = Vec::new();
        while parents.len() < wanted.min(mark - 1) {
            let parent = mark - 1 - random.below((mark - 1).min(6));
            if !parents.contains(&parent) {
                parents.push(parent);
            }
        }
        let mut tree = trees[parents.first().copied().unwrap_or(0)].clone();
        let mut touched: Vec<&str> = Vec::new();
        for _ in 0..1 + random.below(3) {
            let path = random.pick(&PATHS);
            touched.push(path);
            let have: Vec<&str> = tree.keys().copied().collect();
            if random.percent(40) && !have.is_empty() {
                let old = random.pick(&have);
                touched.push(old);
                let text = tree.remove(old).unwrap();
                if random.percent(70) {
                    tree.insert(path, text);
                }
            } else {
                let line = |_| format!("line {}\n", random.below(3));
                tree.insert(path, (0..1 + mark % 12).map(line).collect::<String>().into_bytes());
            }
        }
        touched.sort_unstable();
        touched.dedup();
        let text = |path: &&'static str| (*path, tree.get(path).map_or(&b""[..], Vec::as_slice));
        let touched: Vec<&'static str> = PATHS.into_iter().filter(|path| touched.contains(path)).collect();
        let files: Vec<(&str, &[u8])> = touched.iter().map(text).collect();
        commit(&mut stream, mark, &format!("b{mark}"), &parents, format!("c{mark}").as_bytes(), &files);
        trees.push(tree);
    }
    stream.extend_from_slice(b"reset refs/heads/main\nfrom :30\n\n");
    import(&folder, &stream);
    for graft in [&["--graft", "b29"][..], &["--graft", "b25", "b3"]] {
        let person = ["-c", "user.name=A", "-c", "user.email=a@x", "replace"];
        let _ = git(&folder, "source", &[&person[..], graft].concat()).exits(0);
    }
    folder
}

#[test]
fn reports_of_what_takes_space_are_those_of_the_real_one() {
    let folders = std::iter::once(sample()).chain((20..26).map(renaming));
    for folder in folders {
        // A copy, not another clone: sizes are those of one packing.
        let _ = git(&folder, ".", &["clone", "-q", "--no-local", "source", "theirs"]).exits(0);
        let _ = folder.program("cp", ["-r", "theirs", "ours"]).run().exits(0);
        let again: [&[&str]; 3] = [&["--analyze"], &["--analyze", "--force"], &["--analyze"]];
        for words in again {
            let Some((theirs, ours)) = both(&folder, words) else { return };
            assert_eq!(ours.code, theirs.code, "{ours}");
        }
        let reports = |place: &str| {
            let entries = std::fs::read_dir(folder.path(place).join(".git/filter-repo/analysis")).unwrap();
            let file = |entry: std::io::Result<std::fs::DirEntry>| {
                let path = entry.unwrap().path();
                let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
                // What the figures do not tell is said in other words.
                let text = text.split("== Caveats").next().unwrap().to_owned();
                (path.file_name().unwrap().to_owned(), text)
            };
            entries.map(file).collect::<BTreeMap<_, _>>()
        };
        assert_eq!(reports("ours"), reports("theirs"));
        assert_eq!(reports("ours").len(), 9);
        let before = git(&folder, "source", &["for-each-ref", "refs/heads/main"]).stdout_text();
        assert_eq!(git(&folder, "ours", &["for-each-ref", "refs/heads/main"]).stdout_text(), before);
    }
}

/// Clones that have all refs, also those that replace commits.
#[test]
fn replace_refs_of_a_mirror_become_what_the_real_one_makes_of_them() {
    const MODES: [&str; 6] =
        ["update-no-add", "update-or-add", "update-and-add", "delete-no-add", "delete-and-add", "old-default"];
    for (seed, mode) in (40..).zip(MODES) {
        let folder = renaming(seed);
        for paths in [&["--path", "a/"][..], &["--path", "x.c", "--invert-paths"], &["--path", "c/"]] {
            let words = [&["--force", "--replace-refs", mode], paths].concat();
            for name in ["theirs", "ours"] {
                let _ = std::fs::remove_dir_all(folder.path(name));
                let clone = ["clone", "-q", "--mirror", "--no-local", "source"];
                let _ = git(&folder, ".", &[&clone[..], &[&format!("{name}/.git")]].concat()).exits(0);
                let _ = git(&folder, &format!("{name}/.git"), &["config", "core.bare", "false"]).exits(0);
            }
            if !agree(&folder, &words) {
                return;
            }
        }
    }
}

#[test]
fn what_is_no_fresh_clone_is_refused_for_the_same_reason() {
    type Spoil = fn(&Folder, &str);
    let spoils: [Spoil; 8] = [
        |folder, place| drop(git(folder, place, &["remote", "rename", "origin", "upstream"])),
        |folder, place| _ = folder.write(format!("{place}/new"), "x"),
        |folder, place| _ = folder.write(format!("{place}/src/a.c"), "x"),
        |folder, place| {
            folder.write(format!("{place}/new"), "x");
            drop(git(folder, place, &["add", "new"]));
        },
        |folder, place| drop(git(folder, place, &["branch", "mine"])),
        |folder, place| drop(git(folder, place, &["update-ref", "-m", "x", "refs/heads/main", "main~1"])),
        |folder, place| drop(git(folder, place, &["worktree", "add", "-q", "../extra", "--detach"])),
        |folder, place| {
            folder.write(format!("{place}/src/a.c"), "x");
            let stash = ["-c", "user.name=A", "-c", "user.email=a@x", "stash", "-q"];
            drop(git(folder, place, &stash));
        },
    ];
    let folder = sample();
    for (number, spoil) in spoils.iter().enumerate() {
        clones(&folder);
        for place in ["theirs", "ours"] {
            spoil(&folder, place);
            let _ = std::fs::remove_dir_all(folder.path("extra"));
        }
        let before = state(&folder, "ours");
        let Some((theirs, ours)) = both(&folder, &["--path", "src/"]) else { return };
        assert_eq!(ours.code, Some(1), "{number}: {ours}");
        assert_eq!(ours.stderr_text(), theirs.stderr_text(), "{number}");
        assert_eq!(state(&folder, "ours"), before, "{number}: nothing changed");
    }
}

#[test]
fn mistakes_are_answered_as_the_real_one_answers_them() {
    let folder = sample();
    clones(&folder);
    let mistakes: [&[&str]; 12] = [
        &[],
        &["--bogus"],
        &["--prune-empty", "x"],
        &["--path"],
        &["word"],
        &["--pa"],
        &["--path", "/x"],
        &["--path", "a/../b"],
        &["--path-rename", "a"],
        &["--path-rename", "a/:b"],
        &["--use-base-name", "--path-rename", "a:b"],
        &["--strip-blobs-bigger-than", "5T"],
    ];
    for words in mistakes {
        let Some((theirs, ours)) = both(&folder, words) else { return };
        assert_eq!(ours.code, theirs.code, "{words:?}\n{ours}");
        let last = |ran: &Ran| ran.stderr_text().lines().last().unwrap_or_default().to_owned();
        assert_eq!(last(&ours), last(&theirs), "{words:?}");
    }
    let ran = folder.seal(["compat", "git-filter-repo", "--blob-callback", "pass"]).inside(&folder.path("ours")).run();
    let ran = ran.exits(2);
    assert!(ran.stderr_text().contains("Python"), "{ran}");
}

#[test]
fn two_files_in_one_place_are_refused_and_nothing_changes() {
    let folder = sample();
    clones(&folder);
    let before = git(&folder, "ours", &["for-each-ref"]).stdout_text();
    let words = ["compat", "git-filter-repo", "--path-rename", "conf.env:big.bin"];
    let ran = folder.seal(words).inside(&folder.path("ours")).run().exits(1);
    assert!(ran.stderr_text().contains("\"big.bin\" and \"conf.env\" would both become \"big.bin\""), "{ran}");
    assert_eq!(git(&folder, "ours", &["for-each-ref"]).stdout_text(), before);
    let ran =
        folder.seal(["compat", "git-filter-repo", "--path", "src/", "--dry-run"]).inside(&folder.path("ours")).run();
    let _ = ran.exits(0);
    assert_eq!(git(&folder, "ours", &["for-each-ref"]).stdout_text(), before);
}
