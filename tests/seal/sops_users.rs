//! The programs that call sops, and how they do it: each must find in seal, called as `sops`, what it finds in sops.
//!
//! Files and messages are compared with those of real sops where it is installed. The vectors are in
//! [`sops_vectors`](super::sops_vectors).

use std::os::unix::fs::PermissionsExt as _;

use crate::support::{Folder, Ran, Step, repository};

const R1: &str = "age1fw2qzy6vaukhtx9yaujh783n43zdq52xmlg3xrpsdfcqlvznr4mqc097an";
const R2: &str = "age1wcyxf5ps32xk707jr5gtcj8x40rjkwgfahx5q07lzqdnta02g3js0vnpew";

const SECRET: &str = "\
apiVersion: v1
kind: Secret
metadata:
    name: db
stringData:
    password: hunter2
    token: \"0123\"
";

/// A folder with a link `sops` to seal, the identity of `R1`, and a config that names it.
fn folder() -> Folder {
    let folder = bare_folder();
    folder.write(
        ".sops.yaml",
        format!("creation_rules:\n  - path_regex: '\\.(yaml|json|env|ini|bin)$'\n    age: {R1}\n    encrypted_regex: ^(data|stringData)$\n"),
    );
    folder
}

/// The same without a config.
fn bare_folder() -> Folder {
    let folder = Folder::new();
    let identity = std::fs::read(repository("tests/sops/keys/keys.txt")).expect("the identity can be read");
    folder.write("home/.config/sops/age/keys.txt", identity);
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_seal"), folder.path("sops")).expect("links can be made");
    folder
}

fn sops(folder: &Folder, words: &[&str]) -> Step {
    folder.program(folder.path("sops"), words)
}

/// A line of shell in which `sops` is seal.
fn shell(folder: &Folder, line: &str) -> Step {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut paths = vec![folder.path("")];
    paths.extend(std::env::split_paths(&path));
    folder.program("sh", ["-c", line]).env("PATH", std::env::join_paths(paths).expect("paths can be joined"))
}

fn script(folder: &Folder, name: &str, text: &str) -> String {
    let path = folder.write(name, format!("#!/bin/sh\n{text}\n"));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("modes can be set");
    path.to_string_lossy().into_owned()
}

#[test]
fn helm_secrets_finds_its_marks_and_a_clean_output() {
    let folder = folder();
    folder.write("secrets.yaml", SECRET);
    let is_encrypted = "grep -q 'mac.*,type:str]' secrets.yaml && grep -qx 'sops:' secrets.yaml";
    shell(&folder, is_encrypted).run().exits(1);
    let encrypt = "sops --encrypt --input-type yaml --output-type yaml --in-place secrets.yaml 2>&1";
    assert_eq!(shell(&folder, encrypt).ok(), b"");
    shell(&folder, is_encrypted).ok();
    for decrypt in [
        "sops --decrypt --input-type yaml --output-type yaml /dev/stdin 2>&1 < secrets.yaml",
        "cat secrets.yaml | sops --decrypt --input-type yaml --output-type yaml /dev/stdin 2>&1",
        "sops --decrypt --input-type yaml --output-type yaml secrets.yaml 2>&1",
        "sops --decrypt --input-type yaml --output-type yaml --output plain.yaml secrets.yaml 2>&1; cat plain.yaml",
    ] {
        assert_eq!(String::from_utf8(shell(&folder, decrypt).ok()).unwrap(), SECRET, "{decrypt}");
    }
    let failed = shell(&folder, "sops --decrypt --input-type yaml --output-type yaml .sops.yaml").run();
    assert!(failed.exits(1).stderr_text().contains("sops metadata not found"));

    folder.write("blob.bin", b"\x00\xff");
    shell(&folder, "sops --encrypt --in-place blob.bin && grep -q '\"data\": \"ENC' blob.bin").ok();
}

#[test]
fn flux_and_the_go_library_find_the_marks_of_each_format() {
    let folder = folder();
    for (name, text, mark) in [
        ("a.yaml", SECRET, "mac: ENC["),
        ("a.json", "{\"data\": {\"a\": \"b\"}}", "\"mac\": \"ENC["),
        ("a.env", "data=b\n", "sops_mac=ENC["),
        ("a.ini", "[data]\na = b\n", "[sops]"),
        ("a.bin", "anything", "\"mac\": \"ENC["),
    ] {
        folder.write(name, text);
        let encrypted = sops(&folder, &["encrypt", name]).run().exits(0);
        assert!(encrypted.stdout_text().contains(mark), "{encrypted}");
        assert!(!encrypted.stdout_text().contains("hunter2"), "{encrypted}");
        folder.write(name, &encrypted.stdout);
        let ours = sops(&folder, &["decrypt", name]).ok();
        if let Some(peer) = folder.peer("sops", ["decrypt", name]) {
            assert_eq!(peer.ok(), ours, "{name}");
        }
    }
}

#[test]
fn terraform_and_vals_read_it_as_every_format() {
    let folder = folder();
    folder.write("flat.yaml", "stringData: one\ndata: 5\ndata_b: true\n");
    sops(&folder, &["encrypt", "-i", "flat.yaml"]).ok();
    for output in ["yaml", "json", "dotenv"] {
        let words = ["decrypt", "--output-type", output, "flat.yaml"];
        let ours = sops(&folder, &words).ok();
        assert!(!ours.is_empty());
        if let Some(peer) = folder.peer("sops", words) {
            assert_eq!(peer.ok(), ours, "{output}");
        }
    }
}

#[test]
fn an_editor_mode_that_copies_a_new_text_over_the_file_works_without_input() {
    let folder = folder();
    folder.write("a.yaml", SECRET);
    sops(&folder, &["encrypt", "-i", "a.yaml"]).ok();
    let before = String::from_utf8(folder.read("a.yaml")).unwrap();
    folder.write("new.yaml", SECRET.replace("hunter2", "changed"));
    let editor = script(&folder, "copy", "cp new.yaml \"$1.tmp\" && mv \"$1.tmp\" \"$1\"");
    let words = ["--input-type", "yaml", "--output-type", "yaml", "a.yaml"];
    let edited = sops(&folder, &words).env("EDITOR", &editor).run().exits(0);
    assert_eq!((edited.stdout_text(), edited.stderr_text()), (String::new(), String::new()));
    let after = String::from_utf8(folder.read("a.yaml")).unwrap();
    assert_eq!(String::from_utf8(sops(&folder, &["-d", "a.yaml"]).ok()).unwrap(), SECRET.replace("hunter2", "changed"));
    let token = |text: &str| text.lines().find(|line| line.contains("token:")).map(str::to_owned);
    assert_eq!(token(&before), token(&after), "an unchanged value keeps its ciphertext");

    let unchanged = sops(&folder, &words).env("EDITOR", &editor).run().exits(200);
    assert_eq!(unchanged.stdout_text(), "");
    assert_eq!(unchanged.stderr_text(), "File has not changed, exiting.\n");
    assert_eq!(String::from_utf8(folder.read("a.yaml")).unwrap(), after);

    // What decrypting prints, laid out anew, is no change either: extensions show that and put it back.
    folder.write("b.yaml", "stringData:\n  a: x # note\n\n  b: 'y'\n");
    sops(&folder, &["encrypt", "-i", "b.yaml"]).ok();
    let before = folder.read("b.yaml");
    folder.write("new.yaml", sops(&folder, &["-d", "b.yaml"]).ok());
    sops(&folder, &["b.yaml"]).env("EDITOR", &editor).run().exits(200);
    assert_eq!(folder.read("b.yaml"), before);

    // A rule is needed only for a file that does not exist; then it is encrypted by it.
    sops(&folder, &["edit", "fresh.yaml"]).env("EDITOR", &editor).run().exits(0);
    assert_eq!(sops(&folder, &["decrypt", "fresh.yaml"]).ok(), folder.read("new.yaml"));
    let no_rule = sops(&folder, &["fresh.txt"]).env("EDITOR", &editor).run().exits(1);
    assert!(no_rule.stderr_text().contains("no matching creation rules found"), "{no_rule}");
}

#[test]
fn direnv_gets_variables() {
    let folder = folder();
    folder.write("env.yaml", "stringData_A: hun ter2\ndata: \"# = ' 5\"\nplain: 1\n");
    sops(&folder, &["-e", "-i", "env.yaml"]).ok();
    let words = ["-d", "--output-type", "dotenv", "env.yaml"];
    let ours = sops(&folder, &words).ok();
    assert_eq!(String::from_utf8(ours.clone()).unwrap(), "stringData_A=hun ter2\ndata=# = ' 5\nplain=1\n");
    if let Some(peer) = folder.peer("sops", words) {
        assert_eq!(peer.ok(), ours);
    }
}

#[test]
fn ansible_reads_the_version_and_encrypts_from_standard_input() {
    let folder = bare_folder();
    let version = String::from_utf8(sops(&folder, &["--version"]).ok()).unwrap();
    let first = version.lines().next().unwrap();
    let numbers: Vec<u32> = first
        .strip_prefix("sops ")
        .and_then(|rest| rest.split_whitespace().next())
        .map(|version| version.split('.').filter_map(|number| number.parse().ok()).collect())
        .unwrap();
    assert!(numbers.len() == 3 && numbers >= vec![3, 9, 0], "{version}");

    let words = ["encrypt", "--input-type", "yaml", "--output-type", "yaml", "--filename-override", "x.sops.yaml"];
    let encrypted = sops(&folder, &words).env("SOPS_AGE_RECIPIENTS", R1).stdin("a: b\n").ok();
    folder.write("x.yaml", encrypted);
    folder.write("plain.yaml", "a: b\n");
    for (file, status) in [("x.yaml", "{\"encrypted\":true}\n"), ("plain.yaml", "{\"encrypted\":false}\n")] {
        assert_eq!(String::from_utf8(sops(&folder, &["filestatus", file]).ok()).unwrap(), status);
    }
    assert_eq!(
        sops(&folder, &["decrypt", "--input-type", "yaml", "--output-type", "json", "x.yaml"]).ok(),
        b"{\n\t\"a\": \"b\"\n}\n"
    );
}

#[test]
fn mise_reads_standard_input_by_its_path() {
    let folder = folder();
    folder.write("a.json", "{\"data\": \"x\"}");
    let encrypted = sops(&folder, &["encrypt", "a.json"]).ok();
    let words = ["--input-type", "json", "--output-type", "json", "-d", "/dev/stdin"];
    assert_eq!(sops(&folder, &words).stdin(encrypted).ok(), b"{\n\t\"data\": \"x\"\n}\n");
}

#[test]
fn git_shows_plain_text_in_diffs() {
    let folder = folder();
    let git = |words: &[&str]| folder.program("git", words);
    git(&["init", "-q"]).ok();
    let textconv = format!("{} decrypt", folder.path("sops").display());
    git(&["config", "diff.sopsdiffer.textconv", &textconv]).ok();
    folder.write(".gitattributes", "*.yaml diff=sopsdiffer\n");
    folder.write("a.yaml", SECRET);
    sops(&folder, &["encrypt", "-i", "a.yaml"]).ok();
    git(&["add", "."]).ok();
    sops(&folder, &["set", "a.yaml", "[\"stringData\"][\"password\"]", "\"other\""]).ok();
    let diff = git(&["diff", "--", "a.yaml"]).run().exits(0);
    assert!(diff.stdout_text().contains("-    password: hunter2\n+    password: other\n"), "{diff}");
    assert!(!diff.stdout_text().contains("ENC["), "{diff}");
}

#[test]
fn the_config_is_that_of_the_current_folder_and_its_rules_must_match() {
    let folder = bare_folder();
    folder.write("sub/.sops.yaml", format!("creation_rules:\n  - age: {R1}\n"));
    folder.write("sub/a.yaml", SECRET);
    let from_above = sops(&folder, &["encrypt", "sub/a.yaml"]).run().exits(1);
    assert!(from_above.stderr_text().contains("config file not found"), "{from_above}");
    let beside = shell(&folder, "cd sub && sops encrypt a.yaml").run().exits(0);
    // What is encrypted is what sops encrypts: all of it.
    assert!(!beside.stdout_text().contains("kind: Secret"), "{beside}");

    folder.write(".sops.yaml", format!("creation_rules:\n  - path_regex: nothing\n    age: {R1}\n"));
    let named = sops(&folder, &["encrypt", "--age", R1, "sub/a.yaml"]).run().exits(1);
    assert!(named.stderr_text().contains("no matching creation rules found"), "{named}");
    sops(&folder, &["--config", "/dev/null", "encrypt", "--age", R1, "sub/a.yaml"]).ok();

    // A key that no rule and no command of sops knows is no reason to say anything.
    folder.write(".sops.yaml", format!("stranger: 1\ncreation_rules:\n  - age: {R1}\n    encrypted-regex: x\n"));
    let encrypted = sops(&folder, &["encrypt", "sub/a.yaml"]).run().exits(0);
    assert_eq!(encrypted.stderr_text(), "");
}

#[test]
fn data_that_is_no_base64_is_encrypted_and_twice_is_refused() {
    let folder = folder();
    folder.write("a.yaml", "kind: Secret\ndata:\n    a: no base64!\n");
    sops(&folder, &["encrypt", "-i", "a.yaml"]).ok();
    let twice = sops(&folder, &["encrypt", "a.yaml"]).run().exits(203);
    assert!(twice.stderr_text().contains("top-level entry called 'sops'"), "{twice}");
    folder.write("none.yaml", "kind: ConfigMap\n");
    sops(&folder, &["encrypt", "none.yaml"]).ok();
}

#[test]
fn readers_change_with_a_piped_answer() {
    let folder = folder();
    folder.write("a.yaml", SECRET);
    sops(&folder, &["encrypt", "-i", "a.yaml"]).ok();
    folder.write(".sops.yaml", format!("creation_rules:\n  - age: {R1},{R2}\n"));
    let before = folder.read("a.yaml");
    let no = sops(&folder, &["updatekeys", "a.yaml"]).stdin("n\n").run().exits(0);
    assert!(no.stderr_text().contains(R2), "{no}");
    assert_eq!(folder.read("a.yaml"), before);
    sops(&folder, &["updatekeys", "a.yaml"]).stdin("y\n").ok();
    assert!(String::from_utf8(folder.read("a.yaml")).unwrap().contains(R2));
    let same = sops(&folder, &["updatekeys", "-y", "a.yaml"]).run().exits(0);
    assert!(same.stderr_text().contains("already up to date"), "{same}");

    let rotated = sops(&folder, &["-r", "--rm-age", R2, "a.yaml"]).run().exits(0);
    assert!(!rotated.stdout_text().contains(R2), "{rotated}");
    let none = sops(&folder, &["rotate", "--rm-age", &format!("{R1},{R2}"), "a.yaml"]).run().exits(1);
    assert!(none.stderr_text().contains("Could not generate data key: [empty key group provided]"), "{none}");
    let grouped = sops(&folder, &["groups", "add", "-f", "a.yaml", "-i", "--age", R1]).run().exits(0);
    assert_eq!(grouped.stderr_text(), "");
    assert!(String::from_utf8(folder.read("a.yaml")).unwrap().contains("key_groups:"));
    sops(&folder, &["groups", "delete", "-f", "a.yaml", "-i", "--shamir-secret-sharing-threshold", "1", "1"]).ok();
    assert_eq!(String::from_utf8(sops(&folder, &["decrypt", "a.yaml"]).ok()).unwrap(), SECRET);
}

#[test]
fn a_command_gets_the_values_and_gives_its_code() {
    let folder = folder();
    folder.write("env.yaml", "# note\ndata: hun ter2\ndata_n: 5\n");
    folder.write("nested.yaml", SECRET);
    for file in ["env.yaml", "nested.yaml"] {
        sops(&folder, &["encrypt", "-i", file]).ok();
    }
    for (words, code) in [
        (vec!["exec-env", "env.yaml", "printf '%s|%s' \"$data\" \"$data_n\""], 0),
        (vec!["exec-env", "--pristine", "env.yaml", "printf '%s' \"${HOME-none}$data\""], 0),
        (vec!["exec-env", "env.yaml", "exit 3"], 3),
        (vec!["exec-env", "nested.yaml", "true"], 1),
        (vec!["exec-env", "env.yaml"], 1),
        (vec!["exec-env", "missing.yaml", "true"], 2),
        (vec!["exec-file", "nested.yaml", "cat {}"], 0),
        (vec!["exec-file", "--no-fifo", "nested.yaml", "cat {} {}"], 0),
        (vec!["exec-file", "--no-fifo", "--filename", "x.conf", "nested.yaml", "basename {}"], 0),
        (vec!["exec-file", "--output-type", "json", "env.yaml", "cat {}"], 0),
        (vec!["exec-file", "nested.yaml", "exit 7"], 7),
    ] {
        let ours = sops(&folder, &words).run().exits(code);
        if let Some(peer) = folder.peer("sops", &words) {
            let theirs = peer.run().exits(code);
            assert_eq!(ours.stdout_text(), theirs.stdout_text(), "{words:?}");
        }
    }
}

/// Calls that fail or are odd, and what of sops's message must be in ours.
const CALLS: &[(&[&str], &str)] = &[
    (&[], "Error: no file specified"),
    (&["-d"], "Error: no file specified"),
    (&["--bogus", "x"], "flag provided but not defined: -bogus"),
    (&["encrypt", "--bogus"], "flag provided but not defined: -bogus"),
    (&["decrypt", "--output"], "flag needs an argument: -output"),
    (&["decrypt", "--in-place=maybe", "enc.yaml"], "invalid boolean value"),
    (&["--indent", "x", "decrypt", "enc.yaml"], "invalid value"),
    (&["-i", "-in-place", "-d", "enc.yaml"], "Cannot use two forms of the same flag"),
    (&["-d", "missing.yaml"], "Error: cannot operate on non-existent file"),
    (&["decrypt", "missing.yaml"], "Error: cannot operate on non-existent file"),
    (&["-r", "--add-age", R1, "missing.yaml"], "Error: cannot add or remove keys on non-existent file"),
    (&["decrypt", "-i"], "Error: cannot use --in-place when reading from stdin"),
    (&["encrypt", "-i"], "Error: cannot use --in-place when reading from stdin"),
    (&["encrypt"], "Error: must specify --filename-override when reading from stdin"),
    (&["decrypt", "-i", "--output", "x", "enc.yaml"], "Error: cannot operate on both --output and --in-place"),
    (&["-d", "-i", "--output", "x", "enc.yaml"], "Error: cannot operate on both --output and --in-place"),
    (&["decrypt", "--output", "no/such/folder", "enc.yaml"], "Could not open output file for writing"),
    (&["decrypt", "folder"], "Error reading file"),
    (&["decrypt", "--decryption-order", "age,age", "enc.yaml"], "Duplicate decryption key type: age"),
    (&["decrypt", "--decryption-order", "strange", "enc.yaml"], ""),
    (&["decrypt", "--extract", "stringData", "enc.yaml"], "error parsing --extract path"),
    (&["decrypt", "--extract", "[\"stringData\"][x]", "enc.yaml"], "error parsing --extract path"),
    (&["decrypt", "--extract", "[\"nothing\"]", "enc.yaml"], "error truncating tree"),
    (&["decrypt", "--extract", "[\"stringData\"]", "enc.yaml"], ""),
    (&["decrypt", "enc.yaml", "--extract", "[\"stringData\"][\"password\"]"], ""),
    (&["-d", "--extract", "[\"stringData\"][\"password\"]", "enc.yaml"], ""),
    (&["-d", "enc.yaml", "--extract", "[\"stringData\"][\"password\"]"], "More than one positional argument provided"),
    (&["decrypt", "-i=false", "--ignore-mac", "enc.yaml"], ""),
    (&["decrypt", "--input-type", "strange", "enc.yaml"], ""),
    (&["decrypt", "--output-type", "json", "enc.yaml"], ""),
    (&["--indent", "2", "decrypt", "enc.yaml"], ""),
    (&["--indent", "0", "decrypt", "--output-type", "json", "enc.yaml"], ""),
    (&["--indent", "-1", "decrypt", "--output-type", "json", "enc.yaml"], ""),
    (&["--indent", "-3", "decrypt", "--output-type", "json", "enc.yaml"], "Error dumping file"),
    (&["--indent", "-3", "decrypt", "enc.yaml"], "Error dumping file"),
    (&["decrypt", "--output-type", "binary", "enc.yaml"], "Error dumping file"),
    (&["decrypt", "plain.yaml"], "sops metadata not found"),
    (&["decrypt", "--input-type", "json", "enc.yaml"], ""),
    (&["decrypt", "empty.yaml"], "sops metadata not found"),
    (&["encrypt", "--age", "x", "plain.yaml"], ""),
    (&["encrypt", "--age", R1, "--encryption-context", "x", "plain.yaml"], "Invalid KMS encryption context format"),
    (
        &["encrypt", "--age", R1, "--encrypted-regex", "a", "--encrypted-suffix", "b", "plain.yaml"],
        "cannot use more than one of",
    ),
    (&["encrypt", "plain.yaml"], "config file not found"),
    (&["plain.yaml"], "sops metadata not found"),
    (&["missing.yaml"], "config file not found"),
    (&["--config", "missing", "encrypt", "plain.yaml"], ""),
    (&["set", "enc.yaml"], "Error: no file specified, or index and value are missing"),
    (&["set", "enc.yaml", "stringData", "1"], "Invalid set index format"),
    (&["set", "enc.yaml", "[\"stringData\"]", "nojson"], "Value for --set is not valid JSON"),
    (
        &["set", "--value-file", "--value-stdin", "enc.yaml", "[\"a\"]"],
        "cannot use both --value-file and --value-stdin",
    ),
    (&["set", "missing.yaml", "[\"a\"]", "1"], ""),
    (&["--set", "nothing", "enc.yaml"], "Invalid --set format"),
    (&["unset", "enc.yaml"], "Error: no file specified, or index is missing"),
    (&["unset", "enc.yaml", "[\"nothing\"]"], ""),
    (&["unset", "--idempotent", "enc.yaml", "[\"nothing\"]"], ""),
    (&["updatekeys", "enc.yaml"], "config file not found"),
    (&["rotate", "missing.yaml"], "Error reading file"),
    (&["-r", "missing.yaml"], "Error: cannot operate on non-existent file"),
    (&["rotate"], "Error: no file specified"),
    (&["filestatus"], "Error: no file specified"),
    (&["filestatus", "missing.yaml"], ""),
    (&["groups", "add", "-f", "enc.yaml", "word"], "error: no positional arguments allowed"),
    (&["groups", "delete", "-f", "enc.yaml"], "error: exactly one positional argument (index) required"),
    (&["groups"], ""),
    (&["completion"], ""),
    (&["help", "strange"], "No help topic for 'strange'"),
    (&["h"], ""),
    (&["groups", "strange"], "No help topic for 'strange'"),
    (&["rotate", "--rm-age", R1, "missing.yaml"], "Error: cannot add or remove keys on non-existent file"),
    (&["filestatus", "enc.yaml", "plain.yaml"], ""),
];

#[test]
fn odd_calls_end_as_those_of_sops() {
    let folder = bare_folder();
    folder.write("plain.yaml", SECRET);
    folder.write("empty.yaml", "");
    folder.write("folder/x", "");
    let encrypt = ["encrypt", "--age", R1, "--encrypted-regex", "^stringData$", "plain.yaml"];
    folder.write("enc.yaml", sops(&folder, &encrypt).ok());
    let mut wrong = Vec::new();
    for (words, phrase) in CALLS {
        let run = |step: Step| step.env("EDITOR", "true").run();
        let ours = run(sops(&folder, words));
        if !ours.stderr_text().contains(phrase) {
            wrong.push(format!("sops says `{phrase}`\n{ours}"));
        }
        let Some(peer) = folder.peer("sops", *words) else { continue };
        let theirs = run(peer);
        assert!(theirs.stderr_text().contains(phrase), "the table is wrong\n{theirs}");
        let is_same = |ours: &Ran, theirs: &Ran| {
            ours.code == theirs.code
                && (theirs.code != Some(0) || ours.stdout == theirs.stdout || words.len() == 1)
                && (!theirs.stderr.is_empty() || ours.stderr.is_empty())
        };
        if !is_same(&ours, &theirs) {
            wrong.push(format!("{ours}\n=== sops\n{theirs}"));
        }
    }
    assert!(wrong.is_empty(), "{} calls end otherwise:\n\n{}", wrong.len(), wrong.join("\n\n"));
}

#[test]
fn help_and_completion_are_printed_and_what_is_missing_says_so() {
    let folder = bare_folder();
    for words in [
        &["--help"][..],
        &["help"],
        &["help", "set"],
        &["decrypt", "-h"],
        &["completion", "bash"],
        &["completion", "zsh"],
    ] {
        let ran = sops(&folder, words).run().exits(0);
        assert!(ran.stdout_text().contains("sops") && ran.stderr.is_empty(), "{ran}");
    }
    let completed = sops(&folder, &["exec", "--generate-bash-completion"]).run().exits(0);
    assert!(completed.stdout_text().lines().any(|line| line == "exec-env"), "{completed}");
    for command in ["publish", "keyservice"] {
        let ran = sops(&folder, &[command, "x"]).run().exits(1);
        assert!(ran.stderr_text().contains("not available in this version"), "{ran}");
    }
    let remote = sops(&folder, &["decrypt", "--enable-local-keyservice=false", "sops"]).run().exits(128);
    assert!(remote.stderr_text().contains("remote key services are not available"), "{remote}");
}

#[test]
fn the_name_can_also_be_a_word() {
    let folder = bare_folder();
    folder.write("a.yaml", "a: b\n");
    let encrypted = folder.seal(["compat", "sops", "encrypt", "--age", R1, "a.yaml"]).ok();
    folder.write("b.yaml", encrypted);
    assert_eq!(folder.seal(["sops", "-d", "b.yaml"]).ok(), b"a: b\n");
}

#[test]
fn an_older_sops_opens_what_seal_wrote() {
    let folder = bare_folder();
    for (name, plain) in [
        ("a.yaml", SECRET),
        ("a.json", "{\n\t\"a\": \"hunter2\",\n\t\"b\": 5\n}\n"),
        ("a.env", "PASSWORD=hunter2\nPORT=5\n"),
        ("a.ini", "[db]\npassword = hunter2\n"),
        ("a.bin", "hunter2\0\n"),
    ] {
        folder.write(name, plain);
        folder.seal(["encrypt", "-i", "--age", R1, name]).ok();
        assert!(!folder.read(name).windows(7).any(|bytes| bytes == b"hunter2"), "{name}");
        let Some(older) = folder.peer("sops-3.11", ["decrypt", name]) else { return };
        let opened = String::from_utf8(older.ok()).unwrap();
        assert_eq!(opened.trim_end(), plain.trim_end(), "{name}");
    }
}
