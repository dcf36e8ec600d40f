//! A secret planted in every input shows up nowhere it may not: output, errors, files, git; in no encoding.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use crate::support::sealing::{identity, recipient};
use crate::support::{Folder, Ran};

/// The secret; with characters that encodings write in their own ways.
const CANARY: &str = "canary%Zq7ü9/kingfisher";

/// All forms by which it could leave.
fn forms() -> Vec<Vec<u8>> {
    let bytes = CANARY.as_bytes();
    let mut forms = vec![bytes.to_vec()];
    for before in 0..3 {
        for engine in [&STANDARD, &URL_SAFE] {
            // The characters at both ends depend on the neighbours too.
            let text = engine.encode([&vec![b'x'; before][..], bytes].concat());
            let end = (before + bytes.len()) / 3 * 4;
            forms.push(text.as_bytes()[[0, 2, 3][before]..end].to_vec());
        }
    }
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    forms.push(hex.to_uppercase().into_bytes());
    forms.push(hex.into_bytes());
    forms.push(CANARY.replace('%', "%25").replace('ü', "%C3%BC").replace('/', "%2F").into_bytes());
    forms.push(CANARY.encode_utf16().flat_map(u16::to_le_bytes).collect());
    forms.push(CANARY.encode_utf16().flat_map(u16::to_be_bytes).collect());
    // As a string of JSON, YAML or a debug print.
    forms.push(CANARY.escape_default().to_string().into_bytes());
    forms.push(CANARY.replace('ü', "\\u00fc").into_bytes());
    forms
}

fn leaks(bytes: &[u8]) -> bool {
    forms().iter().any(|form| bytes.windows(form.len()).any(|window| window == form))
}

/// Every file below a folder, but those that hold the secret on purpose.
fn leaking_files(folder: &Path, planted: &[&str], found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            leaking_files(&path, planted, found);
        } else if path.is_file()
            && !planted.iter().any(|name| path.ends_with(name))
            && leaks(&std::fs::read(&path).unwrap())
        {
            found.push(path.display().to_string());
        }
    }
}

/// A folder with the secret in plain, damaged and encrypted files of all formats, and a repository around it.
fn planted() -> (Folder, Vec<&'static str>) {
    let folder = Folder::new();
    let key = folder.write("home/key.txt", std::fs::read(identity()).unwrap());
    std::fs::set_permissions(key, std::fs::Permissions::from_mode(0o600)).unwrap();
    folder.write(".sops.yaml", format!("creation_rules:\n- age: {}\n", recipient()));
    let encoded = STANDARD.encode(CANARY);
    let plain = [
        ("plain.yaml", format!("# {CANARY}\na: {CANARY}\nlist: [x, '{CANARY}']\n")),
        (
            "secret.yaml",
            format!(
                "apiVersion: v1\nkind: Secret\nmetadata: {{name: x}}\ndata:\n  a: {encoded}\nstringData:\n  b: {CANARY}\n"
            ),
        ),
        ("bad-data.yaml", format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: x}}\ndata:\n  a: {CANARY}\n")),
        ("bad-tab.yaml", format!("a: {CANARY}\n\tb: {CANARY}\n")),
        ("bad-quote.yaml", format!("a: \"{CANARY}\n")),
        ("bad-key.yaml", format!("a: {CANARY}\n1: {CANARY}\n")),
        ("bad-tag.yaml", format!("a: !!int {CANARY}\n")),
        ("bad-escape.yaml", format!("a: \"\\q{CANARY}\"\n")),
        ("bad.json", format!("{{\"a\": \"{CANARY}\" \"{CANARY}\"}}")),
        ("bad.env", format!("A=1\n{CANARY}\n")),
        ("bad.ini", format!("[a]\n{CANARY}\n")),
        ("plain.json", format!("{{\"a\": \"{CANARY}\"}}\n")),
        ("plain.env", format!("A={CANARY}\n")),
        ("plain.ini", format!("[a]\nb = {CANARY}\n")),
        ("plain.bin", CANARY.to_owned()),
        ("value.txt", CANARY.to_owned()),
    ];
    for (name, content) in &plain {
        folder.write(name, content);
    }
    for name in ["plain.yaml", "secret.yaml", "plain.json", "plain.env", "plain.ini", "plain.bin"] {
        let sealed = folder.seal(["encrypt", name]).ok();
        folder.write(format!("sealed/{}", name.trim_start_matches("plain.").replace("bin", "x.bin")), sealed);
    }
    // `yaml`, `json` … have no extension by which their format is found.
    for format in ["yaml", "json", "env", "ini"] {
        std::fs::rename(folder.path(format!("sealed/{format}")), folder.path(format!("sealed/x.{format}"))).unwrap();
    }
    let sealed = String::from_utf8(folder.read("sealed/x.yaml")).unwrap();
    folder.write("sealed/tampered.yaml", sealed.replacen("type:str", "type:int", 2));
    folder.write(
        "sealed/no-mac.yaml",
        sealed.lines().filter(|line| !line.contains("mac: ")).collect::<Vec<_>>().join("\n"),
    );
    folder.write("sealed/added.yaml", format!("added: {CANARY}\n{sealed}"));
    let editor = "#!/bin/sh\ntr '\\0' ' ' < /proc/$PPID/cmdline >> seen.txt\necho \"$@\" >> seen.txt\nenv >> seen.txt\nsed -i 's/x/y/' \"$1\"\n";
    let editor = folder.write("editor.sh", editor);
    std::fs::set_permissions(editor, std::fs::Permissions::from_mode(0o755)).unwrap();
    // By this rule everything that is planted is found.
    folder.write("canary.toml", "[[rule]]\nid = \"canary\"\nprovider = \"Test\"\ntitle = \"bird\"\nseverity = \"high\"\nkeywords = [\"kingfisher\"]\npattern = 'canary%.{6,8}/kingfisher'\n");
    folder.program("git", ["init", "-q"]).ok();
    folder.program("git", ["add", "sealed"]).ok();
    folder.program("git", ["-c", "user.name=x", "-c", "user.email=x@x", "commit", "-qm", "x"]).ok();
    let mut names: Vec<&str> = plain.iter().map(|(name, _)| *name).collect();
    names.push("added.yaml");
    (folder, names)
}

/// Every command with what it is run with; whether it may print the secret is in [`may_print`].
const ROWS: [(&str, &[&[&str]]); 22] = [
    ("init", &[&["init"]]),
    (
        "encrypt",
        &[
            &["encrypt", "plain.yaml"],
            &["encrypt", "secret.yaml"],
            &["encrypt", "bad-data.yaml"],
            &["encrypt", "bad-tab.yaml"],
            &["encrypt", "bad-quote.yaml"],
            &["encrypt", "bad-key.yaml"],
            &["encrypt", "bad-tag.yaml"],
            &["encrypt", "bad-escape.yaml"],
            &["encrypt", "bad.json"],
            &["encrypt", "bad.env"],
            &["encrypt", "bad.ini"],
            &["encrypt", "--output-type", "dotenv", "plain.yaml"],
            &["encrypt", "--encrypted-regex", "nothing", "plain.yaml"],
            &["encrypt", "plain.bin"],
        ],
    ),
    (
        "decrypt",
        &[
            &["decrypt", "sealed/tampered.yaml"],
            &["decrypt", "sealed/no-mac.yaml"],
            &["decrypt", "sealed/added.yaml"],
            &["decrypt", "plain.yaml"],
            &["decrypt", "--extract", "nothing", "sealed/x.yaml"],
            &["decrypt", "--output-type", "dotenv", "sealed/x.yaml"],
            &["decrypt", "sealed/x.json"],
            &["decrypt", "sealed/x.bin"],
        ],
    ),
    ("config", &[&["config", "show"], &["config", "show", "plain.yaml"]]),
    ("doctor", &[&["doctor"]]),
    ("filestatus", &[&["filestatus", "plain.yaml"], &["filestatus", "sealed/x.yaml"], &["filestatus", "bad.json"]]),
    ("fix", &[&["fix", "plain.yaml"], &["fix", "sealed/tampered.yaml"], &["fix", "bad.json"], &["fix", "F-000000"]]),
    ("groups", &[&["groups", "delete", "-i", "sealed/tampered.yaml", "0"]]),
    (
        "keys",
        &[&["keys", "list", "sealed/x.yaml"], &["keys", "list", "plain.yaml"], &["keys", "list", "--json", "sealed"]],
    ),
    ("rotate", &[&["rotate", "sealed/x.yaml"], &["rotate", "sealed/tampered.yaml"], &["rotate", "-i", "sealed/x.env"]]),
    ("updatekeys", &[&["updatekeys", "-y", "sealed/x.yaml"], &["updatekeys", "-y", "plain.yaml"]]),
    (
        "verify",
        &[
            &["verify", "sealed/x.yaml"],
            &["verify", "sealed/tampered.yaml"],
            &["verify", "sealed/added.yaml"],
            &["verify", "plain.yaml"],
        ],
    ),
    ("edit", &[&["edit", "sealed/secret.yaml"], &["edit", "sealed/tampered.yaml"], &["edit", "sealed/x.ini"]]),
    (
        "exec-env",
        &[
            &["exec-env", "sealed/x.env", "true"],
            &["exec-env", "sealed/x.yaml", "true"],
            &["exec-env", "sealed/tampered.yaml", "true"],
        ],
    ),
    ("exec-file", &[&["exec-file", "sealed/x.env", "true"], &["exec-file", "sealed/no-mac.yaml", "true"]]),
    (
        "set",
        &[
            &["set", "--value-file", "value.txt", "sealed/x.yaml", "new"],
            &["set", "--value-file", "value.txt", "sealed/x.yaml", "a.b.c"],
            &["set", "--value-file", "value.txt", "sealed/x.json", "list[7]"],
            &["set", "--value-file", "value.txt", "sealed/tampered.yaml", "new"],
        ],
    ),
    ("unset", &[&["unset", "sealed/x.yaml", "nothing"], &["unset", "sealed/x.yaml", "list[0]"]]),
    ("get", &[&["get", "sealed/x.yaml", "a"], &["get", "sealed/x.yaml", "a.b"], &["get", "sealed/tampered.yaml", "a"]]),
    ("diff", &[&["diff"], &["diff", "sealed/x.yaml"]]),
    (
        "scan",
        &[
            &["scan", "--settings", "canary.toml"],
            &["scan", "--settings", "canary.toml", "--format", "json", "--stats"],
            &["scan", "--settings", "canary.toml", "--format", "sarif"],
            &["scan", "--settings", "canary.toml", "--format", "html", "-o", "csv:report.csv"],
            &["scan", "--settings", "canary.toml", "--redact=50"],
            &["scan", "--settings", "canary.toml", "--show-secrets"],
            &["scan", "--settings", "canary.toml", "--commits", "HEAD"],
            &["scan", "--settings", "canary.toml", "--staged"],
            &["scan", "--settings", "plain.yaml"],
            &["scan", "--rules", "plain.yaml"],
            &["scan", "--baseline", "plain.json"],
            &["scan", "--archive", "plain.bin"],
            &["scan", "baseline", "write", "--settings", "canary.toml", "--file", "known.json"],
        ],
    ),
    (
        "scrub",
        &[
            &["scrub", "-n", "--value-file", "value.txt"],
            &["scrub", "-n", "--value-file", "value.txt", "--format", "json"],
            &["scrub", "-n", "--value-from", "a@plain.yaml"],
            &["scrub", "-n", "--value-from", "a@bad-tab.yaml"],
            &["scrub", "-n", "--value-from", "b@plain.yaml"],
            &["scrub", "-n", "--value-from", "a@sealed/x.yaml"],
            &["scrub", "-n", "--from-scan", "plain.json"],
            &["scrub", "-n", "--replace-text", "value.txt"],
            &["scrub", "-n", "--replace-message", "plain.yaml"],
            &["scrub", "-n", "--seal", "--path", "sealed"],
            &["scrub", "--yes", "--value-file", "value.txt", "--remove"],
            &["scrub", "verify", "--value-file", "value.txt"],
            &["scrub", "verify", "--value-file", "value.txt", "--format", "json"],
            &["scrub", "status"],
        ],
    ),
    ("hook", &[&["hook", "run", "pre-commit"], &["hook", "run", "commit-msg", "plain.yaml"], &["hook", "status"]]),
];

/// Whether a command's stdout is the plain text: that is what it is for.
fn may_print(words: &[&str]) -> bool {
    matches!(words[0], "decrypt" | "get" | "exec-env" | "exec-file" | "edit")
}

#[test]
fn every_command_has_a_row() {
    let folder = Folder::new();
    let help = String::from_utf8(folder.seal(["--help"]).ok()).unwrap();
    let commands = help.split("Commands:").nth(1).unwrap().split("\n\n").next().unwrap();
    let named = |line: &str| {
        line.strip_prefix("  ").filter(|line| !line.starts_with(' '))?.split_whitespace().next().map(str::to_owned)
    };
    let without: Vec<_> =
        commands.lines().filter_map(named).filter(|name| ROWS.iter().all(|(row, _)| row != name)).collect();
    // Those that print what is compiled in.
    let harmless = ["completions", "man", "help"];
    let missing: Vec<_> = without.iter().filter(|name| !harmless.contains(&name.as_str())).collect();
    assert!(missing.is_empty(), "give {missing:?} a row here, with all the ways in which they fail");
}

#[test]
fn secret_shows_up_nowhere_it_may_not() {
    let (folder, planted) = planted();
    // The detector detects.
    for encoded in
        [STANDARD.encode(format!("ab{CANARY}c")), STANDARD.encode(format!("a{CANARY}")), format!("x={CANARY}")]
    {
        assert!(leaks(encoded.as_bytes()), "{encoded}");
    }
    assert!(!leaks(b"canary"));
    let mut problems = Vec::new();
    for words in ROWS.iter().flat_map(|(_, runs)| *runs) {
        let ran: Ran = folder
            .seal(*words)
            .env("EDITOR", folder.path("editor.sh"))
            .env("SOPS_AGE_KEY_FILE", folder.path("home/key.txt"))
            .env("RUST_BACKTRACE", "full")
            .env("TMPDIR", folder.path("home"))
            .run();
        if leaks(&ran.stderr) || (!may_print(words) && leaks(&ran.stdout)) {
            problems.push(format!("leaks: {ran}"));
        }
        if ran.code.is_none() || ran.stderr_text().contains("panicked") {
            problems.push(format!("ended badly: {ran}"));
        }
        if may_print(words) && ran.code != Some(0) && leaks(&ran.stdout) {
            problems.push(format!("prints although it failed: {ran}"));
        }
    }
    let mut files = Vec::new();
    leaking_files(&folder.path(""), &planted, &mut files);
    problems.extend(files.into_iter().map(|file| format!("holds it: {file}")));
    let objects = folder.program("git", ["cat-file", "--batch-all-objects", "--batch", "--buffer"]).ok();
    let added = String::from_utf8_lossy(&objects).matches(CANARY).count();
    // One object holds it on purpose: a value that was added in plain.
    if added > 1 {
        problems.push("git's objects hold it".to_owned());
    }
    assert!(folder.path("seen.txt").is_file(), "the editor was never run");
    assert!(problems.is_empty(), "{}", problems.join("\n\n"));
}

#[test]
fn nothing_from_outside_reaches_the_terminal_raw() {
    let folder = Folder::new();
    let evil = "e\u{1b}[31m\u{202e}\u{9b}evil";
    let name = format!("{evil}.yaml");
    folder.write(&name, format!("\"{}\": 1\n\"{}\": 2\n", "k\\e[31m\\u202e", "k\\e[31m\\u202e"));
    folder.write("key.yaml", format!("? \"k\\e[31m\\u202e\"\n: 18446744073709551615\n{}", ""));
    let missing = format!("{evil}-missing.yaml");
    for words in [
        vec!["encrypt", "--age", "age1x", &name],
        vec!["encrypt", "--age", evil, "key.yaml"],
        vec!["encrypt", &name],
        vec!["encrypt", &missing],
        vec!["decrypt", &name],
        vec!["decrypt", "--extract", evil, &name],
        vec!["get", &name, evil],
        vec!["verify", &name],
        vec!["keys", "list", &name],
        vec!["config", "show", &name],
        vec!["filestatus", &name],
        vec!["diff", &name],
        vec!["encrypt", "--encrypted-regex", evil, &name],
        vec!["encrypt", "--input-type", evil, &name],
        vec![evil],
    ] {
        let ran = folder.seal(&words).run();
        let text = ran.stderr_text() + &ran.stdout_text();
        let raw = |c: char| c == '\u{1b}' || ('\u{80}'..'\u{a0}').contains(&c) || ('\u{202a}'..'\u{202f}').contains(&c);
        assert!(!text.contains(raw), "{words:?}: {text:?}");
    }
    // Keys come from outside as well.
    let recipient = recipient();
    for file in [name.as_str(), "key.yaml"] {
        let ran = folder.seal(["encrypt", "--age", &recipient, file]).run();
        assert!(ran.code != Some(0) && !ran.stderr_text().contains(['\u{1b}', '\u{202e}']), "{:?}", ran.stderr_text());
    }
}
