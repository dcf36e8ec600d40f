//! Scans of whole histories: every place in which git keeps something, found once, and said to be where it is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use seal::git::{HistoryOptions, HistoryScan, Repository, Scope, scan_history};
use seal::host::Environment;
use seal::scan::{Engine, Finding, History, Rule, Ruleset, Salt, Scanner, Source, Unscanned};

use crate::support::Folder;

const RULES: &str = "
[[rule]]
id = 'token'
title = 'A token of these tests'
severity = 'high'
keywords = ['tok_']
edges = 'none'
pattern = '''tok_[a-z]{4,12}'''
";

struct Repo(Folder);

impl Repo {
    fn new() -> Self {
        Self::with(&[])
    }

    fn with(options: &[&str]) -> Self {
        let repo = Self(Folder::new());
        repo.git(["init", "--quiet", "--initial-branch=main"].iter().chain(options).copied().chain(["."]));
        for (name, value) in
            [("user.name", "ada"), ("user.email", "ada@example.com"), ("commit.gpgsign", "false"), ("gc.auto", "0")]
        {
            repo.git(["config", name, value]);
        }
        repo
    }

    fn git<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> String {
        // Each commit a minute after the one before: their order is what is tested.
        let minute = self.0.path("minute");
        let now =
            std::fs::read_to_string(&minute).ok().and_then(|text| text.parse().ok()).unwrap_or(1_700_000_000) + 60;
        std::fs::write(minute, now.to_string()).unwrap();
        let date = format!("{now} +0000");
        let step = self.0.program("git", args).env("GIT_AUTHOR_DATE", &date).env("GIT_COMMITTER_DATE", &date);
        String::from_utf8(step.ok()).unwrap().trim().to_owned()
    }

    fn commit(&self, file: &str, content: &str, message: &str) -> String {
        self.0.write(file, content);
        self.git(["add", "--", file]);
        self.git(["commit", "--quiet", "-m", message]);
        self.git(["rev-parse", "HEAD"])
    }

    fn scan(&self, change: impl Fn(&mut HistoryOptions)) -> HistoryScan {
        scan(&self.0.path("."), change)
    }
}

fn options() -> HistoryOptions {
    HistoryOptions {
        scope: Scope::Reachable,
        jobs: 2,
        max_blob: 64 << 20,
        delta: true,
        cache: false,
        alternates: Vec::new(),
        salt: Salt::default(),
    }
}

fn scan(folder: &Path, change: impl Fn(&mut HistoryOptions)) -> HistoryScan {
    let repository = Repository::open(folder, &Environment::default()).unwrap();
    let rules = Ruleset::new(Rule::parse_all(RULES, "test").unwrap()).unwrap();
    let scanner = Scanner { engine: Engine::new(rules, Vec::new()).unwrap(), now: 0 };
    let mut options = options();
    change(&mut options);
    scan_history(&repository, &scanner, &options, &()).unwrap()
}

fn secret(finding: &Finding) -> String {
    String::from_utf8(finding.secret.expose().to_vec()).unwrap()
}

/// The history of each secret's first place.
fn found(scan: &HistoryScan) -> BTreeMap<String, (Source, History)> {
    let place = |finding: &Finding| (finding.places[0].source.clone(), finding.places[0].history.clone().unwrap());
    scan.findings.iter().map(|finding| (secret(finding), place(finding))).collect()
}

fn secrets(scan: &HistoryScan) -> Vec<String> {
    found(scan).into_keys().collect()
}

/// All that a scan says, to compare two of them.
fn said(scan: &HistoryScan) -> String {
    let findings: Vec<_> = scan.findings.iter().map(|finding| (secret(finding), format!("{finding:?}"))).collect();
    format!("{findings:#?} {:?} {:?} {}", scan.coverage, scan.notes, scan.is_incomplete)
}

#[test]
fn every_place_in_which_git_keeps_something_is_looked_through() {
    let repo = Repo::new();
    let first = repo.commit("gone.txt", "a\ntok_deleted\n", "first");
    repo.git(["rm", "-q", "gone.txt"]);
    repo.git(["commit", "-qm", "a message with tok_message in it"]);
    let message = repo.git(["rev-parse", "HEAD"]);
    repo.commit("old name.txt", "tok_renamed\n", "second");
    repo.git(["mv", "old name.txt", "new name.txt"]);
    repo.git(["commit", "-qm", "renamed"]);
    // A merge of which only the resolution holds it.
    repo.git(["checkout", "-qb", "side"]);
    repo.commit("both.txt", "side\n", "side");
    repo.git(["checkout", "-q", "main"]);
    repo.commit("both.txt", "main\n", "main");
    repo.0.program("git", ["merge", "-q", "side"]).run().exits(1);
    repo.0.write("both.txt", "tok_merged\n");
    repo.git(["commit", "-qam", "merged"]);
    repo.commit("both.txt", "resolved\n", "cleaned");
    let merge = repo.git(["rev-parse", "HEAD~1"]);
    // An octopus.
    for name in ["one", "two"] {
        repo.git(["checkout", "-qb", name, "main"]);
        repo.commit(&format!("{name}.txt"), &format!("tok_octo{name}\n"), name);
    }
    repo.git(["checkout", "-q", "main"]);
    repo.git(["merge", "-q", "one", "two", "-m", "octopus"]);
    // Squashed: only the reflog knows the branch that was.
    repo.git(["checkout", "-qb", "squashed"]);
    repo.commit("squash.txt", "tok_squashed\n", "to be squashed");
    repo.commit("squash.txt", "clean\n", "to be squashed, too");
    repo.git(["checkout", "-q", "main"]);
    repo.git(["merge", "-q", "--squash", "squashed"]);
    repo.git(["commit", "-qm", "squash"]);
    repo.git(["branch", "-qD", "squashed"]);
    // Amended away.
    repo.commit("amend.txt", "tok_amended\n", "to amend");
    repo.0.write("amend.txt", "clean\n");
    repo.git(["commit", "-qa", "--amend", "-m", "amended"]);
    repo.git(["tag", "-am", "tok_tagged", "v1"]);
    repo.git(["notes", "add", "-m", "tok_noted"]);
    repo.git(["branch", "tok_branch"]);
    repo.commit("deep/er/tok_filename.txt", "nothing\n", "a name");
    repo.git(["-c", "user.name=tok_author", "commit", "-q", "--allow-empty", "-m", "by"]);
    std::os::unix::fs::symlink("/tok_linked", repo.0.path("link")).unwrap();
    repo.git(["add", "link"]);
    repo.git(["commit", "-qm", "link"]);
    repo.0.write("both.txt", "tok_stashed\n");
    repo.git(["stash", "-q"]);
    repo.git(["worktree", "add", "-q", "--detach", "other"]);
    repo.0.write("other/both.txt", "tok_worktree\n");
    repo.0.program("git", ["-C", "other", "commit", "-qam", "detached"]).ok();
    repo.0.write("staged.txt", "tok_staged\n");
    repo.git(["add", "staged.txt"]);
    repo.0.write("loose", "tok_nothing\n");
    repo.git(["hash-object", "-w", "loose"]);

    let all = [
        "tok_amended",
        "tok_author",
        "tok_branch",
        "tok_deleted",
        "tok_filename",
        "tok_linked",
        "tok_merged",
        "tok_message",
        "tok_noted",
        "tok_octoone",
        "tok_octotwo",
        "tok_renamed",
        "tok_squashed",
        "tok_staged",
        "tok_stashed",
        "tok_tagged",
        "tok_worktree",
    ];
    let loose = repo.scan(|_| {});
    assert_eq!(secrets(&loose), all);
    assert!(!loose.is_incomplete, "{:?} {:?}", loose.coverage.unscanned, loose.notes);
    let with_all = repo.scan(|options| options.scope = Scope::AllObjects);
    assert_eq!(secrets(&with_all).len(), all.len() + 1);
    let (source, history) = &found(&with_all)["tok_nothing"];
    assert!(matches!(source, Source::Blob(_, None)));
    assert_eq!(history, &History::default());

    let by_secret = found(&loose);
    let first_of = |name: &str| by_secret[name].1.first.as_ref().map(|commit| commit.id.to_string());
    let last_of = |name: &str| by_secret[name].1.last.as_ref().map(|commit| commit.id.to_string());
    assert_eq!((first_of("tok_deleted"), last_of("tok_deleted")), (Some(first.clone()), Some(first)));
    assert_eq!(by_secret["tok_deleted"].1.paths, ["gone.txt"]);
    assert!(
        !by_secret["tok_deleted"].1.in_head && by_secret["tok_linked"].1.in_head && by_secret["tok_message"].1.in_head
    );
    assert_eq!(first_of("tok_message"), Some(message.clone()));
    assert_eq!(by_secret["tok_message"].0, Source::Commit(message.parse().unwrap()));
    assert_eq!(by_secret["tok_renamed"].1.paths, ["new name.txt", "old name.txt"]);
    assert_eq!((first_of("tok_merged"), last_of("tok_merged")), (Some(merge.clone()), Some(merge)));
    assert_eq!(
        by_secret["tok_octotwo"].1.refs,
        ["refs/heads/main", "refs/heads/tok_branch", "refs/heads/two", "refs/tags/v1"]
    );
    assert!(by_secret["tok_octotwo"].1.held_by.is_empty());
    assert!(by_secret["tok_stashed"].1.held_by.contains(&"a stash".to_owned()));
    assert!(by_secret["tok_squashed"].1.held_by.contains(&"the reflog of HEAD".to_owned()));
    assert!(by_secret["tok_worktree"].1.held_by.contains(&"HEAD of the working tree other".to_owned()));
    assert_eq!(by_secret["tok_noted"].1.held_by, ["notes (refs/notes/commits)"]);
    assert_eq!(by_secret["tok_staged"].1.held_by, ["the index"]);
    assert_eq!(by_secret["tok_filename"].1.paths, ["deep/er/tok_filename.txt"]);
    assert_eq!(by_secret["tok_tagged"].1.refs, ["refs/tags/v1"]);
    for name in ["tok_amended", "tok_stashed", "tok_squashed", "tok_worktree", "tok_noted", "tok_staged"] {
        assert!(by_secret[name].1.refs.is_empty(), "{name}");
    }

    // However it is stored, by however many threads, and with whatever shortcut: the same.
    let before = said(&loose);
    repo.git(["repack", "-q", "-a", "-d", "-f", "--depth=20"]);
    repo.git(["hash-object", "-w", "both.txt"]);
    let ways: [fn(&mut HistoryOptions); 4] =
        [|_| {}, |options| options.jobs = 1, |options| options.delta = false, |options| options.cache = true];
    for change in ways.iter().chain(&ways) {
        let packed = repo.scan(change);
        if packed.known_clean == 0 {
            assert_eq!(said(&packed), before);
        }
        assert_eq!(format!("{:?}", packed.findings), format!("{:?}", loose.findings));
    }
    assert!(repo.scan(|options| options.cache = true).known_clean > 3);
}

/// A repository of one file in many versions, with tokens that come and go.
fn versions() -> Repo {
    let repo = Repo::new();
    let mut lines: Vec<String> =
        (0..400).map(|number| format!("line {number} with some words and tok_, tok_a tok_ab")).collect();
    let mut random = 7_u32;
    for version in 0..60 {
        for _ in 0..4 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let at = random as usize >> 8 & 0xffff;
            let length = lines.len();
            match random >> 28 {
                0..4 => lines.insert(at % length, format!("a = tok_{}", "abcdefgh".repeat(1 + at % 2))),
                4..8 => drop(lines.remove(at % length)),
                8..10 => lines[at % length].push_str(" tok_abcd"),
                10..12 => lines[at % length].insert_str(0, "tok_"),
                12..14 => lines.swap(at % length, at / 7 % length),
                _ => lines[at % length].truncate(at % 30),
            }
        }
        repo.commit("file.txt", &lines.join("\n"), &format!("version {version}"));
    }
    repo
}

#[test]
fn versions_stored_as_changes_give_what_they_give_alone() {
    let repo = versions();
    let loose = said(&repo.scan(|_| {}));
    for args in [["--window=50", "--depth=50"], ["--window=3", "--depth=4095"]] {
        repo.git(["repack", "-q", "-a", "-d", "-f"].into_iter().chain(args));
        assert_eq!(said(&repo.scan(|_| {})), loose);
        assert_eq!(said(&repo.scan(|options| options.delta = false)), loose);
    }
    assert!(loose.contains("tok_abcd"));
    // Without its own index, a pack is read through the one of several packs.
    repo.git(["multi-pack-index", "write"]);
    for entry in std::fs::read_dir(repo.0.path(".git/objects/pack")).unwrap().flatten() {
        if entry.path().extension().is_some_and(|ending| ending == "idx") {
            std::fs::remove_file(entry.path()).unwrap();
        }
    }
    assert_eq!(said(&repo.scan(|_| {})), loose);
}

#[test]
fn names_of_sha256_are_names_as_well() {
    let repo = Repo::with(&["--object-format=sha256"]);
    let commit = repo.commit("file.txt", "tok_sixtyfour\n", "first");
    repo.git(["repack", "-q", "-a", "-d"]);
    let scan = repo.scan(|options| options.cache = true);
    assert_eq!(found(&scan)["tok_sixtyfour"].1.first.as_ref().unwrap().id.to_string(), commit);
    assert_eq!(commit.len(), 64);
    assert!(!scan.is_incomplete);
}

#[test]
fn what_is_not_there_is_named_and_the_rest_is_looked_through() {
    let origin = Repo::new();
    origin.commit("a.txt", "tok_missing\n", "a tok_message");
    origin.commit("a.txt", "tok_other\n", "b");
    origin.git(["config", "uploadpack.allowFilter", "true"]);
    let url = format!("file://{}", origin.0.path(".").canonicalize().unwrap().display());
    let clone = Folder::new();
    clone.program("git", ["clone", "-q", "--bare", "--filter=blob:none", &url, "partial"]).ok();
    let partial = scan(&clone.path("partial"), |_| {});
    assert_eq!(secrets(&partial), ["tok_message"]);
    assert!(partial.is_incomplete);
    let named: Vec<_> =
        partial.coverage.unscanned.iter().map(|(source, why)| (source.path().unwrap().to_string(), *why)).collect();
    assert_eq!(named, [("a.txt".to_owned(), Unscanned::Missing), ("a.txt".to_owned(), Unscanned::Missing)]);

    clone.program("git", ["clone", "-q", "--bare", "--depth=1", &url, "shallow"]).ok();
    let shallow = scan(&clone.path("shallow"), |_| {});
    assert_eq!(secrets(&shallow), ["tok_other"]);
    assert!(!shallow.is_incomplete && shallow.coverage.unscanned.is_empty());
    assert!(shallow.notes.iter().any(|note| note.contains("cut off at 1 commits")), "{:?}", shallow.notes);
}

#[test]
fn what_is_damaged_is_named_and_the_rest_is_looked_through() {
    let repo = Repo::new();
    repo.commit("a.txt", "tok_damaged\n", "a");
    repo.commit("b.txt", "tok_whole\n", "b");
    let id = repo.git(["rev-parse", "HEAD:a.txt"]);
    let file = repo.0.path(format!(".git/objects/{}/{}", &id[..2], &id[2..]));
    let whole = std::fs::read(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    for damage in [b"".to_vec(), whole[..whole.len() / 2].to_vec(), b"x\x9c".to_vec(), vec![0xff; 100]] {
        std::fs::write(&file, &damage).unwrap();
        let scan = repo.scan(|_| {});
        assert_eq!(secrets(&scan), ["tok_whole"]);
        assert_eq!(scan.coverage.unscanned.len(), 1);
        assert_eq!(scan.coverage.unscanned[0].1, Unscanned::Unreadable);
        assert!(scan.is_incomplete);
    }
}

#[test]
fn any_damage_to_a_pack_or_its_index_is_survived() {
    let repo = versions();
    repo.git(["repack", "-q", "-a", "-d", "-f"]);
    let folder = repo.0.path(".git/objects/pack");
    let files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path()).collect();
    let whole = repo.scan(|_| {});
    for file in files.iter().filter(|file| file.extension().is_some_and(|ending| ending == "pack" || ending == "idx")) {
        let bytes = std::fs::read(file).unwrap();
        let damaged = |bytes: &[u8]| {
            std::fs::remove_file(file).unwrap();
            std::fs::write(file, bytes).unwrap();
            let scan = repo.scan(|options| options.scope = Scope::AllObjects);
            assert!(scan.findings.len() <= whole.findings.len() + 1);
            scan.is_incomplete
        };
        let mut noticed = 0;
        let step = bytes.len() / 40;
        for at in (0..40).map(|number| number * step) {
            let mut changed = bytes.clone();
            changed[at] ^= 0x5a;
            noticed += usize::from(damaged(&changed));
        }
        // A checksum or a byte that nobody needs may be wrong unnoticed, but hardly more.
        assert!(noticed > 20, "{noticed} {}", file.display());
        assert!(damaged(&bytes[..bytes.len() / 2]));
        assert!(!damaged(&bytes));
    }
}

#[test]
fn trees_that_git_would_not_make_are_read_as_they_are() {
    let repo = Repo::new();
    let commit = repo.commit("a.txt", "tok_plain\n", "a");
    let blob = repo.git(["rev-parse", "HEAD:a.txt"]);
    let raw: Vec<u8> = (0..20).map(|at| u8::from_str_radix(&blob[2 * at..2 * at + 2], 16).unwrap()).collect();
    let commit_raw: Vec<u8> = (0..20).map(|at| u8::from_str_radix(&commit[2 * at..2 * at + 2], 16).unwrap()).collect();
    let mut tree = Vec::new();
    for (mode, name, id) in [
        ("100644", "..", &raw),
        ("100644", "..", &raw),
        ("40000", "zz", &commit_raw),
        ("7", "a/b", &raw),
        ("100644", "tok_dotted\n\x1b", &raw),
    ] {
        tree.extend_from_slice(format!("{mode} {name}\0").as_bytes());
        tree.extend_from_slice(id);
    }
    let hash = |kind: &str, bytes: &[u8]| {
        let step = repo.0.program("git", ["hash-object", "-w", "-t", kind, "--literally", "--stdin"]).stdin(bytes);
        String::from_utf8(step.ok()).unwrap().trim().to_owned()
    };
    let odd = hash("tree", &tree);
    let cut = hash("tree", &tree[..tree.len() - 3]);
    let person = "ada <ada@example.com> 99999999999999999999 +9999";
    let text = format!("tree {odd}\nparent {odd}\nauthor {person}\ncommitter {person}\nodd header\n\ntok_oddcommit");
    let child = hash("commit", text.as_bytes());
    let text = format!("tree {cut}\nparent {child}\nparent {child}\n\n");
    let tip = hash("commit", text.as_bytes());
    repo.0.write(".git/refs/heads/odd", format!("{tip}\n"));
    repo.git(["update-ref", "-d", "refs/heads/main"]);
    // Nothing but the odd tree leads to the first commit now.
    std::fs::remove_dir_all(repo.0.path(".git/logs")).unwrap();
    std::fs::remove_file(repo.0.path(".git/index")).unwrap();
    let scan = repo.scan(|_| {});
    assert_eq!(secrets(&scan), ["tok_dotted", "tok_oddcommit", "tok_plain"]);
    // Two trees claim what is none, and one is cut off.
    assert!(scan.coverage.unscanned.iter().any(|(_, why)| *why == Unscanned::Unreadable));
}

#[test]
fn objects_outside_the_repository_are_read_only_where_that_is_allowed() {
    let origin = Repo::new();
    origin.commit("a.txt", "tok_outside\n", "a");
    let folder = Folder::new();
    let path = origin.0.path(".").canonicalize().unwrap();
    folder.program("git", ["clone", "-q", "--bare", "--shared", path.to_str().unwrap(), "shared"]).ok();
    let refused = scan(&folder.path("shared"), |_| {});
    assert!(secrets(&refused).is_empty() && refused.is_incomplete);
    assert!(refused.notes.iter().any(|note| note.contains("outside the repository")), "{:?}", refused.notes);
    let allowed = scan(&folder.path("shared"), |options| options.alternates = vec![path.clone()]);
    assert_eq!(secrets(&allowed), ["tok_outside"]);
    assert!(!allowed.is_incomplete, "{:?}", allowed.notes);
}

#[test]
fn replacements_and_grafts_hide_nothing_and_no_program_is_run() {
    let repo = Repo::new();
    let first = repo.commit("a.txt", "tok_replaced\n", "a");
    let second = repo.commit("a.txt", "clean\n", "b");
    repo.git(["replace", &first, &second]);
    repo.0.write(".git/info/grafts", format!("{second}\n"));
    let marker = repo.0.path("marker");
    let program = repo.0.write("program", format!("#!/bin/sh\ntouch {}\n", marker.display()));
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let program = program.to_str().unwrap();
    for name in [
        "core.fsmonitor",
        "core.sshCommand",
        "core.pager",
        "core.editor",
        "diff.x.textconv",
        "filter.x.clean",
        "credential.helper",
    ] {
        repo.git(["config", name, program]);
    }
    let scan = repo.scan(|options| options.cache = true);
    assert_eq!(secrets(&scan), ["tok_replaced"]);
    assert!(!marker.exists());
}

#[test]
fn blobs_over_the_limit_are_looked_through_part_by_part() {
    let repo = Repo::new();
    let mut big = "filler line of text\n".repeat(1 << 20);
    let at = (8 << 20) - 4;
    big.replace_range(at..at + 12, "\ntok_seamed\n");
    big.push_str("tok_last");
    repo.commit("big.txt", &big, "big");
    let whole = repo.scan(|_| {});
    let parts = repo.scan(|options| options.max_blob = 1 << 20);
    assert_eq!(secrets(&parts), ["tok_last", "tok_seamed"]);
    assert!(!parts.is_incomplete);
    let places = |scan: &HistoryScan| -> Vec<_> {
        scan.findings.iter().map(|finding| (finding.places[0].secret.clone(), finding.places[0].line)).collect()
    };
    assert_eq!(places(&parts), places(&whole));
    assert_eq!(parts.coverage.bytes, whole.coverage.bytes);
    // Stored as a change to another one, it cannot be read so.
    repo.commit("big.txt", &format!("{big}!"), "bigger");
    repo.git(["-c", "core.bigFileThreshold=1g", "repack", "-q", "-a", "-d", "-f"]);
    let packed = repo.scan(|options| options.max_blob = 1 << 20);
    assert!(packed.coverage.unscanned.iter().all(|(_, why)| *why == Unscanned::TooLarge));
    assert_eq!((packed.coverage.unscanned.len(), packed.is_incomplete), (1, true));
}

#[test]
fn a_cache_that_is_wrong_is_ignored_and_said_to_be() {
    let repo = Repo::new();
    repo.commit("a.txt", "tok_cached\n", "a");
    repo.commit("b.txt", "clean\n", "b");
    let cached = |change: &dyn Fn()| {
        change();
        repo.scan(|options| options.cache = true)
    };
    assert_eq!(cached(&|| {}).known_clean, 0);
    let again = cached(&|| {});
    assert_eq!((again.known_clean, secrets(&again)), (1, vec!["tok_cached".to_owned()]));
    let file = repo.0.path(".git/seal/scanned");
    let good = std::fs::read(&file).unwrap();
    assert!(!good.windows(4).any(|bytes| bytes == b"tok_"));
    for bad in [good[..good.len() - 1].to_vec(), b"".to_vec(), [&good[..], b"x"].concat(), vec![7; 1000]] {
        let scan = cached(&|| std::fs::write(&file, &bad).unwrap());
        assert_eq!((scan.known_clean, scan.notes.len(), scan.is_incomplete), (0, 1, false), "{:?}", scan.notes);
        assert_eq!(std::fs::read(&file).unwrap(), good);
    }
    // It is never in the work tree, and nothing is left beside it.
    assert_eq!(repo.git(["status", "--porcelain", "--", ".git", "seal"]), "");
    assert_eq!(std::fs::read_dir(repo.0.path(".git/seal")).unwrap().count(), 2);
}
