//! Every row of `tests/sops/manifest.tsv`, through the binary called as `sops`: what real sops did must happen again.
//!
//! The folder's own README says how the rows were made. Where seal differs on purpose, [`DIFFERENT`] says so and why.

use std::collections::BTreeSet;
use std::path::Path;

use crate::support::{Folder, Ran, Step, repository};

/// Rows in which seal does something else than sops, by file and the end of `how` or `note`: exit code, and why.
const DIFFERENT: &[Different] = &[];

struct Different {
    file: &'static str,
    /// What `how` or `note` holds, where several rows have the file.
    row: &'static str,
    exit: i32,
    /// What standard output or the file holds, if that can be said in a row.
    why: &'static str,
}

/// One row.
struct Row {
    file: String,
    plain: String,
    how: String,
    identity: String,
    exit: i32,
    expected: String,
    stderr: String,
    note: String,
}

fn rows() -> Vec<Row> {
    let text = std::fs::read_to_string(repository("tests/sops/manifest.tsv")).expect("the manifest can be read");
    let rows = text.lines().skip(1).map(|line| {
        let field: Vec<&str> = line.split('\t').collect();
        let [file, plain, how, identity, exit, expected, stderr, _, note] = field[..] else { panic!("{line}") };
        let exit = exit.parse().expect("an exit code");
        let own = str::to_owned;
        let (file, plain, how, identity) = (own(file), own(plain), own(how), own(identity));
        Row { file, plain, how, identity, exit, expected: own(expected), stderr: own(stderr), note: own(note) }
    });
    rows.collect()
}

/// What scripts and people look for in sops's messages; each row's first line has one, and ours must have it too.
const PHRASES: &[&str] = &[
    "Could not marshal tree",
    "MAC mismatch. File has no MAC",
    "MAC mismatch",
    "Cannot decrypt MAC",
    "Error encrypting tree",
    "Error decrypting tree",
    "Error unmarshalling file",
    "File cannot be completely empty, it must contain at least one document",
    "The file you have provided contains a top-level entry called 'sops'",
    "cannot use more than one of",
    "Failed to get the data key required to decrypt the SOPS file.",
    "Could not generate data key",
    "Error dumping file",
    "error truncating tree",
    "sops metadata not found",
    "No keys found in file",
    "File has not changed, exiting.",
];

/// A folder that holds copies of all vectors and a link `sops` to seal.
fn as_sops() -> Folder {
    let folder = Folder::new();
    for part in ["enc", "keys", "plain", "steps", "tampered"] {
        for entry in std::fs::read_dir(repository("tests/sops").join(part)).expect("vectors can be listed") {
            let path = entry.expect("vectors can be listed").path();
            let name = Path::new(part).join(path.file_name().expect("a name"));
            folder.write(name, std::fs::read(&path).expect("a vector can be read"));
        }
    }
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_seal"), folder.path("sops")).expect("links can be made");
    folder
}

fn sops(folder: &Folder, words: &[&str]) -> Step {
    folder.program(folder.path("sops"), words)
}

/// With an identity of `keys`, as the vectors were made.
fn opened_with(step: Step, identity: &str) -> Step {
    let is_ssh = identity.contains("ssh");
    step.env(if is_ssh { "SOPS_AGE_SSH_PRIVATE_KEY_FILE" } else { "SOPS_AGE_KEY_FILE" }, identity)
}

/// The public keys that `$R1` … in `how` stand for.
fn recipient(name: &str) -> String {
    let read = |path: &str| std::fs::read_to_string(repository("tests/sops/keys").join(path)).expect("a key");
    let age = |path: &str| {
        let text = read(path);
        text.split_once("public key: ")
            .expect("it names its public key")
            .1
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    match name {
        "$R1" => age("keys.txt"),
        "$R2" => age("key2.txt"),
        "$R3" => age("key3.txt"),
        "$PQ" => age("pq.txt"),
        "$SSH" => read("ssh_ed25519.pub").trim().to_owned(),
        "$SSHR" => read("ssh_rsa.pub").trim().to_owned(),
        other => other.to_owned(),
    }
}

/// The words of `how` behind the program.
fn words(how: &str) -> Vec<String> {
    let words = how.split(' ').skip(1);
    words.map(|word| word.split(',').map(recipient).collect::<Vec<_>>().join(",")).collect()
}

/// The flags of a decryption, which a row has in its note.
fn decrypt_flags(row: &Row) -> Vec<&str> {
    let flags = row.note.strip_prefix("decrypt ");
    let flags = flags.or_else(|| row.note.split_once("[args ").map(|(_, rest)| rest.trim_end_matches(']')));
    flags.map(|flags| flags.split(' ').collect()).unwrap_or_default()
}

fn check(folder: &Folder, row: &Row) -> Result<(), String> {
    match row {
        Row { file, .. } if file == "-" => {
            let words = words(&row.how);
            let ran = sops(folder, &words.iter().map(String::as_str).collect::<Vec<_>>()).run();
            same_end(row, &ran)?;
            if ran.stdout.is_empty() { Ok(()) } else { Err(format!("something was printed\n{ran}")) }
        }
        Row { file, .. } if file.starts_with("steps/") => Ok(()),
        _ => {
            let ran = decrypted(folder, row, &row.file);
            same_end(row, &ran)?;
            same_output(row, &ran)
        }
    }
}

fn decrypted(folder: &Folder, row: &Row, file: &str) -> Ran {
    let mut words = vec!["decrypt"];
    words.extend(decrypt_flags(row));
    words.push(file);
    opened_with(sops(folder, &words), &row.identity).run()
}

fn same_end(row: &Row, ran: &Ran) -> Result<(), String> {
    if ran.code != Some(row.exit) {
        return Err(format!("sops exits {}: {}\n{ran}", row.exit, row.stderr));
    }
    let stderr = ran.stderr_text();
    let phrase = PHRASES.iter().find(|phrase| row.stderr.contains(**phrase));
    match phrase {
        Some(phrase) if !stderr.contains(phrase) => Err(format!("sops says `{phrase}`\n{ran}")),
        _ => Ok(()),
    }
}

fn same_output(row: &Row, ran: &Ran) -> Result<(), String> {
    let read = |path: &str| std::fs::read(repository("tests/sops").join(path)).expect("a vector can be read");
    let expected = match row.expected.as_str() {
        "-" => Vec::new(),
        "=" => read(&row.plain),
        other => match other.strip_prefix("stdout:'") {
            Some(text) => text.trim_end_matches('\'').replace("\\n", "\n").into_bytes(),
            None => read(other),
        },
    };
    if ran.stdout == expected {
        return Ok(());
    }
    Err(format!("sops prints\n{}\n{ran}", String::from_utf8_lossy(&expected)))
}

#[test]
fn print_all() {
    let folder = as_sops();
    let mut bad = 0;
    let filter = std::env::var("ROW").unwrap_or_default();
    for row in rows() {
        if !row.file.contains(&filter) {
            continue;
        }
        if let Err(problem) = check(&folder, &row) {
            bad += 1;
            eprintln!("== {} | {} | {}\n{problem}", row.file, row.plain, row.how);
        }
    }
    assert_eq!(bad, 0);
}
