//! Leaked values: bodies that other programs make are found and taken out, and whatever place of a repository still has one is told.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

use gix::ObjectId;
use seal::git::{Absence, Absent, Repository, Verdict, verify_absence};
use seal::scrub::{LeakedValue, Outcome, Placeholder, Redactor};
use zeroize::Zeroizing;

use crate::support::note;
use crate::support::repo::Repo;

const VALUE: &str = "Corr3ct/Horse+Battery\"7";

fn redactor(value: &str) -> Redactor {
    let value = LeakedValue::new(Zeroizing::new(value.as_bytes().to_vec())).unwrap();
    Redactor::new(&[value], Placeholder::default()).unwrap()
}

/// What a program makes of standard input; `None`, said on stderr, where it is not installed.
fn peer(program: &str, args: &[&str], stdin: &[u8]) -> Option<Vec<u8>> {
    use std::io::Write as _;
    let mut command = Command::new(program);
    let child = command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let Ok(mut child) = child else {
        note(&format!("skipped: {program} is not installed"));
        return None;
    };
    child.stdin.take().unwrap().write_all(stdin).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{program} {args:?}");
    Some(output.stdout)
}

/// Each line is an expression of Python that makes bytes of the text `s`.
const PYTHON: &str = r#"
base64.b64encode(s.encode())
base64.urlsafe_b64encode(b'ab' + s.encode())
base64.encodebytes(b'x' * 60 + s.encode() * 3)
base64.b64encode(base64.b64encode(b'user:' + s.encode()))
base64.b64encode((s + '\n').encode()).rstrip(b'=')
binascii.hexlify(s.encode())
urllib.parse.quote(s).encode()
urllib.parse.quote(s, safe='').encode()
urllib.parse.quote_plus(s).encode()
json.dumps(s).encode()
json.dumps(json.dumps({'k': s})).encode()
json.dumps(json.dumps(json.dumps([s]))).encode()
json.dumps(s).replace('/', '\\/').encode()
html.escape(s).encode()
xml.sax.saxutils.quoteattr(s).encode()
shlex.quote(s).encode()
repr(s).encode()
s.encode('utf-16')
s.encode('utf-16-be')
s.encode('utf-32')
s.encode('unicode_escape')
('a: |\n' + ''.join('    ' + l + '\n' for l in s.split('\n'))).encode()
s.replace('\n', '\r\n').encode()
base64.b64encode(s.replace('\n', '\r\n').encode())
base64.b64encode(json.dumps({'password': s}).encode())
"#;

#[test]
fn what_other_programs_make_of_a_value_is_found_and_taken_out() {
    let pem = "-----BEGIN TEST KEY-----\nMC4CAQAwBQYDK2VwBCIEIA7+/x\nzz09ab==\n-----END TEST KEY-----";
    for value in [VALUE, "it's & <b>\\o/ at 100% $HOME", "grüße-aus-日本-99", "smile-😀-twice-😀", pem] {
        let redactor = redactor(value);
        let mut made: Vec<(String, Vec<u8>)> = Vec::new();
        let script = format!(
            "import base64,binascii,html,json,shlex,sys,urllib.parse,xml.sax.saxutils\ns=sys.stdin.buffer.read().decode()\n{}",
            PYTHON.trim().lines().map(|line| format!("print(({line}).hex())\n")).collect::<String>()
        );
        if let Some(output) = peer("python3", &["-c", &script], value.as_bytes()) {
            let unhex = |line: &str| {
                (0..line.len()).step_by(2).map(|at| u8::from_str_radix(&line[at..at + 2], 16).unwrap()).collect()
            };
            let output = String::from_utf8(output).unwrap();
            made.extend(PYTHON.trim().lines().map(str::to_owned).zip(output.lines().map(unhex)));
        }
        for (program, args) in [
            ("xxd", &["-p"][..]),
            ("jq", &["-Rs", "{a: ., b: @base64, c: @uri, d: @html}"]),
            ("jq", &["-Rs", "@json | @json"]),
            ("iconv", &["-f", "utf-8", "-t", "utf-16le"]),
            ("base64", &["-w", "64"]),
            ("openssl", &["base64"]),
        ] {
            made.extend(peer(program, args, value.as_bytes()).map(|output| (format!("{program} {args:?}"), output)));
        }
        for (name, text) in made {
            assert!(
                redactor.searcher().is_in(&text),
                "{name} of {value:?} is not found: {:?}",
                String::from_utf8_lossy(&text)
            );
            let around = [b"before\n", text.as_slice(), b"\nbehind"].concat();
            let redacted = redactor.file(&around).unwrap();
            assert!(!redactor.searcher().is_in(&redacted.bytes), "{name} of {value:?} is left");
            assert_ne!(redacted.outcome, Outcome::Left);
            assert!(redacted.bytes.starts_with(b"before\n") && redacted.bytes.ends_with(b"\nbehind"), "{name}");
        }
    }
}

fn verify(repo: &Repo, objects: BTreeSet<ObjectId>) -> Absence {
    let redactor = redactor(VALUE);
    let absent = Absent { values: Some(redactor.searcher()), objects, jobs: 2 };
    verify_absence(&Repository::of(&repo.path("")).unwrap(), &absent, &()).unwrap()
}

/// Leaves the value in one place of a repository: each of these names the place and does it.
type Plant = (&'static str, fn(&Repo));

fn git_file(repo: &Repo, name: &str) {
    repo.write(&format!(".git/{name}"), format!("x {VALUE} y\n"));
}

fn lose(repo: &Repo, content: impl AsRef<[u8]>) -> String {
    repo.write("lost", content);
    let id = repo.git(["hash-object", "-w", "lost"]).exits(0).stdout_text().trim().to_owned();
    std::fs::remove_file(repo.path("lost")).unwrap();
    id
}

/// Packs what is loose and leads nowhere, and gives the pack without its ending.
fn pack(repo: &Repo, ids: &[&str]) -> std::path::PathBuf {
    let list = ids.iter().map(|id| format!("{id}\n")).collect::<String>();
    let name = repo.git_step(["pack-objects", "-q", ".git/objects/pack/pack"]).stdin(list).run().exits(0).stdout_text();
    repo.git(["prune-packed", "-q"]).exits(0);
    repo.path(format!(".git/objects/pack/pack-{}", name.trim()))
}

const OBJECTS: [Plant; 13] = [
    ("a file", |repo| _ = repo.commit_file("a", VALUE)),
    ("an older version", |repo| {
        repo.commit_file("a", VALUE);
        repo.commit_file("a", "none");
    }),
    ("a binary file", |repo| _ = repo.commit_file("a", format!("\0{VALUE}"))),
    ("a message", |repo| _ = repo.commit(VALUE)),
    ("an author", |repo| {
        repo.git(["commit", "-q", "--allow-empty", "-m", "m", "--author", &format!("{VALUE} <a@b>")]).exits(0);
    }),
    ("a tag", |repo| _ = repo.git(["tag", "-a", "v1", "-m", VALUE]).exits(0)),
    ("a note", |repo| _ = repo.git(["notes", "add", "-m", VALUE]).exits(0)),
    ("a name of a file", |repo| {
        // With the slash it would be two names.
        repo.write("Corr3ct%2FHorse%2BBattery%227", "x");
        repo.commit("named");
    }),
    ("a symbolic link", |repo| {
        std::os::unix::fs::symlink(VALUE, repo.path("link")).unwrap();
        repo.commit("link");
    }),
    ("the index", |repo| {
        repo.write("staged", VALUE);
        repo.git(["add", "staged"]).exits(0);
    }),
    ("a stash", |repo| {
        repo.write(".seal/scan.toml", VALUE);
        repo.git(["stash", "-q"]).exits(0);
    }),
    ("a loose object", |repo| _ = lose(repo, VALUE)),
    ("a kept pack", |repo| {
        let pack = pack(repo, &[&lose(repo, VALUE)]);
        std::fs::write(pack.with_extension("keep"), "").unwrap();
    }),
];

const FILES: [Plant; 21] = [
    ("a branch name", |repo| _ = repo.git(["branch", "x/Corr3ct/Horse+Battery\"7"]).exits(0)),
    ("a packed branch name", |repo| {
        repo.git(["branch", "x/Corr3ct/Horse+Battery\"7"]).exits(0);
        repo.git(["pack-refs", "--all"]).exits(0);
    }),
    ("a reflog", |repo| {
        _ = repo.git(["update-ref", "-m", VALUE, "--create-reflog", "refs/heads/other", "HEAD"]).exits(0)
    }),
    ("a reflog of what is deleted", |repo| git_file(repo, "logs/refs/heads/deleted")),
    ("the config", |repo| {
        _ = repo.git(["config", "remote.x.url", &format!("https://u:{VALUE}@example.com/")]).exits(0)
    }),
    ("a hook", |repo| git_file(repo, "hooks/pre-commit")),
    ("COMMIT_EDITMSG", |repo| git_file(repo, "COMMIT_EDITMSG")),
    ("MERGE_MSG", |repo| git_file(repo, "MERGE_MSG")),
    ("FETCH_HEAD", |repo| git_file(repo, "FETCH_HEAD")),
    ("a rebase", |repo| git_file(repo, "rebase-merge/message")),
    ("rerere", |repo| git_file(repo, "rr-cache/0123/preimage")),
    ("info", |repo| git_file(repo, "info/exclude")),
    ("LFS", |repo| git_file(repo, "lfs/objects/ab/cd/abcd")),
    ("filter-repo", |repo| git_file(repo, "filter-repo/x")),
    ("a run of seal", |repo| git_file(repo, "seal/run/journal")),
    ("a left-over of an editor", |repo| git_file(repo, "COMMIT_EDITMSG.swp")),
    ("a submodule's config", |repo| git_file(repo, "modules/m/config")),
    ("a working tree's message", |repo| git_file(repo, "worktrees/w/COMMIT_EDITMSG")),
    ("an unfinished object", |repo| {
        let id = lose(repo, format!("{VALUE}{}", "x".repeat(5000)));
        let path = repo.path(format!(".git/objects/{}/{}", &id[..2], &id[2..]));
        let bytes = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        std::fs::write(path.with_file_name("tmp_obj_abc"), &bytes[..bytes.len() - 6]).unwrap();
    }),
    ("an unfinished pack", |repo| {
        let pack = pack(repo, &[&lose(repo, VALUE)]);
        std::fs::rename(pack.with_extension("pack"), pack.with_file_name("tmp_pack_abc")).unwrap();
        std::fs::remove_file(pack.with_extension("idx")).unwrap();
        let _ = std::fs::remove_file(pack.with_extension("rev"));
    }),
    ("a pack without index", |repo| {
        let pack = pack(repo, &[&lose(repo, VALUE)]);
        std::fs::remove_file(pack.with_extension("idx")).unwrap();
    }),
];

#[test]
fn value_left_in_any_place_is_told() {
    let clean = Repo::new();
    let absence = verify(&clean, BTreeSet::new());
    assert_eq!(absence.verdict(), Verdict::Clean, "{absence:?}");
    assert!(absence.objects_read >= 4 && absence.files_read > 5);
    for (place, plant) in OBJECTS {
        let repo = Repo::new();
        plant(&repo);
        let absence = verify(&repo, BTreeSet::new());
        assert!(!absence.objects.is_empty() && absence.verdict() == Verdict::NotClean, "{place}: {absence:?}");
    }
    for (place, plant) in FILES {
        let repo = Repo::new();
        plant(&repo);
        let absence = verify(&repo, BTreeSet::new());
        assert!(!absence.files.is_empty() && absence.verdict() == Verdict::NotClean, "{place}: {absence:?}");
    }
}

#[test]
fn what_keeps_an_object_is_told() {
    let repo = Repo::new();
    repo.commit_file("a", VALUE);
    repo.git(["branch", "other"]).exits(0);
    repo.git(["reset", "-q", "--hard", "HEAD~1"]).exits(0);
    let absence = verify(&repo, BTreeSet::new());
    let present = absence.objects.values().next().unwrap();
    assert!(present.kept_by.contains(&"refs/heads/other".to_owned()), "{present:?}");
    assert!(present.kept_by.contains(&"the reflog of HEAD".to_owned()), "{present:?}");
    assert!(!present.kept_by.contains(&"refs/heads/main".to_owned()), "{present:?}");
    assert!(present.stored[0].ends_with(Path::new(&format!("{}", absence.objects.keys().next().unwrap())[2..])));
    assert!(absence.working.is_empty());
    repo.write("mine", VALUE);
    assert_eq!(verify(&repo, BTreeSet::new()).working, BTreeSet::from(["mine".into()]));
}

#[test]
fn objects_that_should_be_gone_and_who_names_them_are_told() {
    let repo = Repo::new();
    let old = ObjectId::from_hex(repo.commit_file("a", "x").as_bytes()).unwrap();
    repo.git(["commit-graph", "write", "--reachable"]).exits(0);
    let absence = verify(&repo, BTreeSet::from([old]));
    assert_eq!((absence.objects.len(), absence.verdict()), (1, Verdict::NotClean));
    assert!(absence.mentions.iter().any(|path| path.ends_with("commit-graph")), "{absence:?}");
    assert!(absence.mentions.contains(Path::new("logs/HEAD")), "{absence:?}");
    let never = ObjectId::from_hex("0123456789abcdef0123456789abcdef01234567".as_bytes()).unwrap();
    let absence = verify(&repo, BTreeSet::from([never]));
    assert_eq!((absence.verdict(), absence.mentions.len()), (Verdict::Clean, 0));
}

#[test]
fn nothing_that_was_not_read_counts_as_clean() {
    let repo = Repo::new();
    let id = repo.id("HEAD:.seal/scan.toml");
    let path = repo.path(format!(".git/objects/{}/{}", &id[..2], &id[2..]));
    let bytes = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let missing = verify(&repo, BTreeSet::new());
    assert_eq!(missing.verdict(), Verdict::Unknown, "{missing:?}");
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let broken = verify(&repo, BTreeSet::new());
    assert_eq!(broken.verdict(), Verdict::Unknown, "{broken:?}");
}

#[test]
fn another_with_the_same_history_gets_the_same_digest() {
    let repo = Repo::with_remote();
    repo.commit_file("a", "x");
    repo.git(["push", "-q", "origin", "main"]).exits(0);
    let ours = verify(&repo, BTreeSet::new());
    repo.folder.program("git", ["clone", "-q", "remote.git", "theirs"]).ok();
    let theirs = Repo { folder: repo.folder, work: "theirs".to_owned() };
    assert_eq!(verify(&theirs, BTreeSet::new()).digest(), ours.digest());
    theirs.name();
    theirs.commit_file("a", "y");
    assert_ne!(verify(&theirs, BTreeSet::new()).digest(), ours.digest());
}

#[test]
fn value_in_what_is_borrowed_is_told() {
    let repo = Repo::new();
    repo.commit_file("a", VALUE);
    repo.folder.program("git", ["clone", "-q", "--shared", "work", "borrower"]).ok();
    let borrower = Repo { folder: repo.folder, work: "borrower".to_owned() };
    let absence = verify(&borrower, BTreeSet::new());
    assert_eq!(absence.verdict(), Verdict::NotClean);
    let present = absence.objects.values().next().unwrap();
    assert!(present.stored.iter().all(|path| path.components().any(|part| part.as_os_str() == "work")), "{present:?}");
}
