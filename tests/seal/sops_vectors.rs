//! Every row of `tests/sops/manifest.tsv`, through the binary called as `sops`: what real sops did must happen again.
//!
//! The folder's own README says how the rows were made. Where seal differs on purpose, [`DIFFERENT`] says so and why.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::support::{Folder, Ran, Step, repository};

/// The rows in which seal does something else than sops, each with the reason.
const DIFFERENT: &[Different] = &[
    Different {
        row: "enc/sel-badregex.yaml",
        note: "",
        instead: Instead::Exit(1, "is not a regular expression"),
        why: "a pattern that does not compile would leave the whole file plain without a word",
    },
    Different {
        row: "enc/sel-badregex2.yaml",
        note: "",
        instead: Instead::Exit(1, "is not a regular expression"),
        why: "the same",
    },
    Different {
        row: "enc/scalars.yaml",
        note: "how each YAML scalar",
        instead: Instead::Text("negzero: -0\n", "negzero: -0.0\n"),
        why: "`-0` reads back as the integer 0, and then sops's own MAC no longer fits",
    },
    Different {
        row: "enc/dupkey-doc2.yaml",
        note: "",
        instead: Instead::NotEncrypted("occurs twice"),
        why: "sops looks for keys that occur twice in the first document alone",
    },
    Different {
        row: "enc/negzero-plain.yaml",
        note: "",
        instead: Instead::Encrypted("v_unencrypted: -0.0\n"),
        why: "of what seal writes, sops finds the number it hashed; its own file it cannot open",
    },
    Different {
        row: "enc/negzero.json",
        note: "",
        instead: Instead::Encrypted("{\n\t\"a_unencrypted\": -0.0\n}\n"),
        why: "the same",
    },
    Different {
        row: "enc/nested.yaml",
        note: "decrypt --extract [\"a\"][\"0\"]",
        instead: Instead::Exit(1, "error truncating tree"),
        why: "sops crashes on a key in a list",
    },
    Different {
        row: "enc/nested.yaml",
        note: "decrypt --extract [\"a\"][0][\"x\"]",
        instead: Instead::Exit(1, "error truncating tree"),
        why: "the same",
    },
    Different {
        row: "tampered/type-bytes.yaml",
        note: "",
        instead: Instead::Output("out/base.yaml"),
        why: "sops crashes on a type that old Python versions wrote; it is read as a string",
    },
    Different {
        row: "enc/key-pgp.yaml",
        note: "",
        instead: Instead::Exit(128, "PGP is not part of this build"),
        why: "this build has no PGP",
    },
];

/// A row in which seal differs on purpose.
struct Different {
    /// Its file.
    row: &'static str,
    /// How its note begins, where several rows have the file.
    note: &'static str,
    instead: Instead,
    #[expect(dead_code, reason = "for those who read the table")]
    why: &'static str,
}

/// What seal does instead.
enum Instead {
    /// Fails with this code, saying this.
    Exit(i32, &'static str),
    /// Prints the content of this file of the vectors.
    Output(&'static str),
    /// Prints the second text where sops prints the first.
    Text(&'static str, &'static str),
    /// Refuses to encrypt it, saying this; sops's file it opens.
    NotEncrypted(&'static str),
    /// What it encrypts opens to this; sops's file it refuses as sops does.
    Encrypted(&'static str),
}

/// One row.
#[derive(Clone)]
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
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder.path("steps/ed.sh"), executable).expect("modes can be set");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_seal"), folder.path("sops")).expect("links can be made");
    folder
}

fn sops(folder: &Folder, words: &[impl AsRef<std::ffi::OsStr>]) -> Step {
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

fn decrypted(folder: &Folder, row: &Row, file: &str) -> Ran {
    let mut words = vec!["decrypt"];
    words.extend(decrypt_flags(row));
    words.push(file);
    opened_with(sops(folder, &words), &row.identity).run()
}

/// What is wrong with the end of a command; nothing where it is that of the row.
fn wrong_end(row: &Row, ran: &Ran) -> Option<String> {
    let stderr = ran.stderr_text();
    match row.different().map(|different| &different.instead) {
        Some(Instead::Exit(code, says)) => {
            let right = ran.code == Some(*code) && stderr.contains(says) && ran.stdout.is_empty();
            return (!right).then(|| format!("seal should exit {code} and say `{says}`"));
        }
        Some(Instead::Output(_)) => return (ran.code != Some(0)).then(|| "seal should open it".into()),
        _ => {}
    }
    if ran.code != Some(row.exit) {
        return Some(format!("sops exits {}: {}", row.exit, row.stderr));
    }
    if row.exit != 0 {
        let phrase = PHRASES.iter().find(|phrase| row.stderr.contains(**phrase));
        // Only texts that come from inside Go have none of them.
        let is_own =
            ["parsing time", "Version string", "No Major.Minor.Patch", "yaml: ", "Found sops entry", "Cannot use"];
        match phrase {
            Some(phrase) if stderr.contains(phrase) => {}
            None if is_own.iter().any(|text| row.stderr.starts_with(text)) && !stderr.is_empty() => {}
            _ => return Some(format!("sops says `{}`", row.stderr)),
        }
    } else if row.stderr.is_empty() && !stderr.is_empty() {
        return Some("sops says nothing".into());
    }
    None
}

/// What is wrong with an output; nothing where it is the one of the row.
fn wrong_output(row: &Row, ran: &Ran) -> Option<String> {
    let read = |path: &str| std::fs::read(repository("tests/sops").join(path)).expect("a vector can be read");
    let mut expected = match row.expected.as_str() {
        "-" => Vec::new(),
        "=" => read(&row.plain),
        other => match other.strip_prefix("stdout:'") {
            Some(text) => text.trim_end_matches('\'').replace("\\n", "\n").into_bytes(),
            None => read(other),
        },
    };
    match row.different().map(|different| &different.instead) {
        Some(Instead::Exit(..)) => expected.clear(),
        Some(Instead::Output(path)) => expected = read(path),
        Some(Instead::Text(from, to)) => {
            expected = String::from_utf8(expected).expect("a text").replace(from, to).into_bytes();
        }
        _ => {}
    }
    (ran.stdout != expected).then(|| format!("sops prints\n{}", String::from_utf8_lossy(&expected)))
}

impl Row {
    fn different(&self) -> Option<&'static Different> {
        let is_it = |different: &&Different| different.row == self.file && self.note.starts_with(different.note);
        DIFFERENT.iter().find(is_it)
    }

    /// Whether it is about decrypting, rather than about what is refused or changed.
    fn decrypts(&self) -> bool {
        self.file != "-" && !self.file.starts_with("steps/")
    }

    fn title(&self) -> String {
        format!("{} {} ({}; {})", self.file, self.plain, self.how, self.note)
    }
}

/// Fails the test with all that is wrong.
#[track_caller]
fn assert_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} of the vectors differ:\n\n{}", wrong.len(), wrong.join("\n\n"));
}

#[test]
fn every_file_decrypts_as_sops_decrypts_it() {
    let folder = as_sops();
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for row in rows().iter().filter(|row| row.decrypts()) {
        seen.extend(row.different().map(std::ptr::from_ref));
        let ran = decrypted(&folder, row, &row.file);
        if let Some(problem) = wrong_end(row, &ran).or_else(|| wrong_output(row, &ran)) {
            wrong.push(format!("{}: {problem}\n{ran}", row.title()));
        }
    }
    assert_none(&wrong);
    assert_eq!(seen.len(), DIFFERENT.len(), "a difference is of no row");
}

#[test]
fn what_sops_refuses_to_encrypt_is_refused_with_its_code() {
    let folder = as_sops();
    let mut wrong = Vec::new();
    for row in rows().iter().filter(|row| row.file == "-") {
        let ran = sops(&folder, &words(&row.how)).run();
        let printed = (!ran.stdout.is_empty()).then(|| "something was printed".to_owned());
        if let Some(problem) = wrong_end(row, &ran).or(printed) {
            wrong.push(format!("{}: {problem}\n{ran}", row.title()));
        }
    }
    assert_none(&wrong);
}

/// Whether a row says how a file is encrypted that this build can encrypt.
fn can_be_encrypted(row: &Row) -> bool {
    let is_refused = ["--encrypted-regex ( ", "--unencrypted-regex ( "].iter().any(|flag| row.how.contains(flag));
    row.file.starts_with("enc/") && row.how.starts_with("sops ") && !row.how.contains("$PGP") && !is_refused
}

#[test]
fn what_seal_encrypts_by_each_row_opens_as_sops_printed_it() {
    let folder = as_sops();
    let mut wrong = Vec::new();
    for row in rows().iter().filter(|row| can_be_encrypted(row)) {
        let made = sops(&folder, &words(&row.how)).run();
        let different = row.different().map(|different| &different.instead);
        if let Some(Instead::NotEncrypted(says)) = different {
            if made.code == Some(0) || !made.stderr_text().contains(says) {
                wrong.push(format!("{}: it should be refused\n{made}", row.title()));
            }
            continue;
        }
        if made.code != Some(0) || !made.stderr.is_empty() {
            wrong.push(format!("{}: it should be encrypted\n{made}", row.title()));
            continue;
        }
        let name = row.file.replace("enc/", "ours/");
        folder.write(&name, &made.stdout);
        let ran = decrypted(&folder, row, &name);
        let problem = match different {
            Some(Instead::Encrypted(text)) => (ran.stdout_text() != *text).then(|| format!("it should print\n{text}")),
            _ => wrong_end(row, &ran).or_else(|| wrong_output(row, &ran)),
        };
        if let Some(problem) = problem {
            wrong.push(format!("{}: {problem}\n{ran}", row.title()));
        }
        let flags = decrypt_flags(row);
        let Some(peer) = folder.peer("sops", [&["decrypt"], &flags[..], &[&name]].concat()) else { continue };
        let peer = opened_with(peer, &row.identity).run();
        let is_written_otherwise = matches!(different, Some(Instead::Text(..) | Instead::Encrypted(_)));
        if peer.code != Some(0) || peer.stdout != ran.stdout && !is_written_otherwise {
            wrong.push(format!("{}: sops opens it otherwise\n{peer}\n{ran}", row.title()));
        }
    }
    assert_none(&wrong);
}

/// The words of a step, with `FILE` filled in: a path and a JSON value may hold blanks.
fn step_words(how: &str, file: &str) -> Vec<String> {
    let (flags, rest) = how.split_once("FILE").expect("a step names its file");
    let rest = rest.trim_start();
    let values = rest.split_once("] ").map(|(path, value)| vec![format!("{path}]"), value.to_owned()]);
    let values = values.unwrap_or_else(|| (!rest.is_empty()).then(|| rest.to_owned()).into_iter().collect());
    let mut words = words(flags.trim_end());
    words.push(file.to_owned());
    words.extend(values);
    words
}

/// The `ENC[…]` of a file's values, by line; those of the envelope left out.
fn ciphertexts(text: &[u8]) -> BTreeSet<String> {
    let text = String::from_utf8_lossy(text).into_owned();
    let values = text.split_once("\nsops:").map_or(text.as_str(), |(values, _)| values);
    values.lines().filter(|line| line.contains("ENC[")).map(|line| line.trim().to_owned()).collect()
}

fn field(text: &[u8], name: &str) -> Vec<String> {
    let start = format!("{name}: ");
    let text = String::from_utf8_lossy(text).into_owned();
    let lines = text.lines().map(|line| line.trim_start().trim_start_matches("- "));
    lines.filter_map(|line| line.strip_prefix(&start)).map(str::to_owned).collect()
}

#[test]
fn every_step_leaves_what_sops_left() {
    let folder = as_sops();
    let mut steps = 0;
    for row in rows().iter().filter(|row| row.file.starts_with("steps/")) {
        let name = row.file.strip_suffix(".after.yaml").expect("named after the step");
        let file = format!("{name}.yaml");
        let before = folder.read(&row.plain);
        folder.write(&file, &before);
        let editor = if name.ends_with("nochange") { "true" } else { "steps/ed.sh" };
        let step = opened_with(sops(&folder, &step_words(&row.how, &file)), &row.identity).env("SOPS_EDITOR", editor);
        let ran = step.run().exits(row.exit);
        let (after, theirs) = (folder.read(&file), folder.read(&row.file));
        steps += 1;

        assert_eq!(after == before, row.expected == "unchanged", "{}\n{ran}", row.title());
        if row.exit == 200 {
            assert_eq!(ran.stderr_text(), "File has not changed, exiting.\n");
        }
        let plain = |file: &str| opened_with(sops(&folder, &["decrypt", file]), "keys/key12.txt").ok();
        assert_eq!(plain(&file), plain(&row.file), "{}", row.title());
        if let Some(peer) = folder.peer("sops", ["decrypt", &file]) {
            assert_eq!(opened_with(peer, "keys/key12.txt").ok(), plain(&row.file), "{}", row.title());
        }
        for same in ["version", "recipient", "shamir_threshold"] {
            assert_eq!(field(&after, same), field(&theirs, same), "{same} of {}", row.title());
        }
        let kept = |file: &[u8]| ciphertexts(&before).intersection(&ciphertexts(file)).count();
        if name.contains("rotate") {
            // sops draws no new nonces for the new data key; seal does.
            assert_eq!(kept(&after), 0, "{}", row.title());
            let nonces = |file: &[u8]| -> BTreeSet<String> {
                let texts = ciphertexts(file).into_iter();
                texts.filter_map(|text| Some(text.split_once("iv:")?.1.split_once(',')?.0.to_owned())).collect()
            };
            assert!(nonces(&before).is_disjoint(&nonces(&after)), "{}", row.title());
        } else {
            // Of equal values in a list sops keeps one ciphertext, seal all.
            assert!(kept(&after) >= kept(&theirs), "{}", row.title());
        }
        let stays = name.ends_with("updatekeys") || row.expected == "unchanged";
        assert_eq!(field(&after, "mac") == field(&before, "mac"), stays, "{}", row.title());
    }
    assert_eq!(steps, 12);
}
