//! seal as git-filter-repo with history that is not read from the repository itself, held against the real one; and encodings.

use crate::filter_repo::{agree, clones, commit, git, import, renaming, sample, state};
use crate::support::{Folder, Ran};

/// What is asked of both; words that begin with `@` are files beside the clones.
const CASES: [&[&str]; 7] = [
    &["--path", "a/", "--path", "src/"],
    &["--path", "x.c", "--path", "secret.env", "--invert-paths"],
    &["--replace-text", "@rules"],
    &["--tag-rename", "v:w", "--mailmap", "@people"],
    &["--replace-message", "@rules", "--path-rename", "a/:q/"],
    &["--strip-blobs-bigger-than", "1K"],
    &["--subdirectory-filter", "src"],
];

/// Words with files of the folder in the place of names with `@`.
fn words(folder: &Folder, words: &[&str]) -> Vec<std::ffi::OsString> {
    let word = |word: &&str| match word.strip_prefix('@') {
        Some(name) => folder.path(name).into_os_string(),
        None => (*word).into(),
    };
    words.iter().map(word).collect()
}

/// Runs both, each in its place, with `stream` as input; nothing where the real one is not installed.
fn both(folder: &Folder, asked: &[&str], stream: &[u8]) -> Option<(Ran, Ran)> {
    let asked = words(folder, asked);
    let theirs = folder.peer("git-filter-repo", &asked)?.stdin(stream).inside(&folder.path("theirs")).run();
    let ours = folder.seal([&["compat".into(), "git-filter-repo".into()], &asked[..]].concat());
    Some((theirs, ours.stdin(stream).inside(&folder.path("ours")).run()))
}

fn empty(folder: &Folder) {
    for name in ["theirs", "ours"] {
        let _ = std::fs::remove_dir_all(folder.path(name));
        let _ = git(folder, ".", &["init", "-q", "-b", "main", name]).exits(0);
    }
}

#[test]
fn streams_are_rewritten_as_the_real_one_rewrites_them() {
    // Where pruning takes the first parent of a merge, the real one cannot see, of a stream, what the merge was against the other:
    // its trees are then not those that it makes of the repository itself. Random histories have such merges.
    const PRUNING: [&str; 3] = ["--path", "--strip-blobs-bigger-than", "--subdirectory-filter"];
    let rest = (60..62).map(|seed| {
        let folder = renaming(seed);
        folder.write("rules", "literal:line 1==>LINE\nregex:c(.)==>C\\1\n");
        folder.write("people", "Ada Lovelace <ada@new.example> <ada@x.example>\n");
        folder
    });
    for (number, folder) in std::iter::once(sample()).chain(rest).enumerate() {
        let person = ["-c", "user.name=A", "-c", "user.email=a@x", "notes", "add", "-m", "note", "main"];
        let _ = git(&folder, "source", &person).exits(0);
        let export = [
            "fast-export",
            "--show-original-ids",
            "--use-done-feature",
            "--mark-tags",
            "--reencode=yes",
            "--branches",
            "--tags",
        ];
        let stream = git(&folder, "source", &[&export[..], &["--glob=refs/notes/*"]].concat()).exits(0).stdout;
        // What another program has changed on the way.
        let edited = String::from_utf8_lossy(&stream).replace("\ncommitter Ada ", "\ncommitter Eda ").into_bytes();
        let fits = |asked: &&&[&str]| number == 0 || !asked.iter().any(|word| PRUNING.contains(word));
        for asked in CASES.iter().filter(fits) {
            let asked = [&["--stdin", "--force"], *asked].concat();
            for (stream, prepare) in [(&stream, clones as fn(&Folder)), (&stream, empty), (&edited, empty)] {
                prepare(&folder);
                let Some((theirs, ours)) = both(&folder, &asked, stream) else { return };
                assert_eq!(ours.code, theirs.code, "{asked:?}\n{ours}\n{theirs}");
                assert_eq!(state(&folder, "ours"), state(&folder, "theirs"), "{asked:?}");
            }
        }
    }
}

#[test]
fn history_comes_from_one_repository_and_goes_to_another() {
    let folder = sample();
    for asked in CASES {
        empty(&folder);
        // Where both begin is where they end.
        let asked = [&["--source", "../source", "--target", ".", "--force"], asked].concat();
        let Some((theirs, ours)) = both(&folder, &asked, b"") else { return };
        assert_eq!(ours.code, theirs.code, "{asked:?}\n{ours}\n{theirs}");
        assert_eq!(state(&folder, "ours"), state(&folder, "theirs"), "{asked:?}");
    }
}

#[test]
fn stream_that_is_damaged_or_goes_on_from_elsewhere_changes_nothing() {
    let folder = sample();
    clones(&folder);
    let before = state(&folder, "ours");
    let part =
        git(&folder, "source", &["fast-export", "--reference-excluded-parents", "--reencode=yes", "main~2..main"])
            .exits(0)
            .stdout;
    let whole = git(&folder, "source", &["fast-export", "--mark-tags", "--reencode=yes", "--all"]).exits(0).stdout;
    for (stream, problem) in [(&part[..], "goes on from"), (&whole[..whole.len() - 40], "stream"), (b"x\n", "line 1")] {
        let asked = ["compat", "git-filter-repo", "--stdin", "--path", "src/"];
        let ran = folder.seal(asked).stdin(stream).inside(&folder.path("ours")).run().exits(1);
        assert!(ran.stderr_text().contains(problem), "{ran}");
        assert_eq!(state(&folder, "ours"), before);
    }
}

#[test]
fn run_long_after_another_asks_whether_it_goes_on() {
    let folder = sample();
    for answer in ["y\n", "N\n", ""] {
        clones(&folder);
        let first = ["--path", "secret.env", "--invert-paths"];
        let Some(_) = both(&folder, &first, b"") else { return };
        for place in ["theirs", "ours"] {
            let trace = format!("{place}/.git/filter-repo/already_ran");
            let _ = folder.program("touch", ["-d", "3 days ago", &trace]).run().exits(0);
        }
        let second = ["--path-rename", "docs/:d/", "--force"];
        let Some((theirs, ours)) = both(&folder, &second, answer.as_bytes()) else { return };
        assert_eq!(ours.code, theirs.code, "{answer:?}\n{ours}\n{theirs}");
        assert_eq!(state(&folder, "ours"), state(&folder, "theirs"), "{answer:?}");
    }
}

/// Every byte in every encoding of one byte, and some pairs in those of two.
#[test]
fn messages_become_utf8_as_git_makes_them() {
    const SINGLE: [&str; 25] = [
        "ISO-8859-1",
        "latin1",
        "ISO8859-2",
        "iso-8859-3",
        "iso-8859-4",
        "iso-8859-5",
        "ISO-8859-6",
        "ISO-8859-7",
        "ISO-8859-8",
        "ISO-8859-10",
        "ISO-8859-13",
        "ISO-8859-14",
        "ISO-8859-15",
        "ISO-8859-16",
        "KOI8-R",
        "CP866",
        "windows-1250",
        "CP1251",
        "cp1252",
        "CP1253",
        "CP1254",
        "CP1256",
        "CP1257",
        "US-ASCII",
        "bogus-7",
    ];
    const PAIRS: [&str; 4] = ["GBK", "GB18030", "EUC-JP", "EUC-KR"];
    let mut messages: Vec<(&str, Vec<u8>)> = Vec::new();
    for encoding in SINGLE {
        messages.extend((0x80..=0xff).map(|byte| (encoding, vec![b'x', byte])));
    }
    for encoding in PAIRS {
        // Ideographs and syllables: signs in other rows are not the same everywhere.
        for lead in 0xb0..=0xc8_u8 {
            let trails =
                (0xa1..=0xfe_u8).filter(|trail| (usize::from(lead) * 7 + usize::from(*trail)).is_multiple_of(23));
            messages.extend(trails.map(|trail| (encoding, vec![lead, trail])));
        }
    }
    let folder = Folder::new();
    let mut stream = Vec::new();
    commit(&mut stream, 1, "main", &[], b"first", &[("a", b"a")]);
    for (encoding, message) in messages {
        let person = "A <a@b> 1000000000 +0000\n";
        let head = format!("commit refs/heads/main\ncommitter {person}encoding {encoding}\ndata {}\n", message.len());
        stream.extend_from_slice(&[head.as_bytes(), &message, b"\n"].concat());
    }
    import(&folder, &stream);
    clones(&folder);
    let _ = agree(&folder, &["--force"]);
}
