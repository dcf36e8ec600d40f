//! `seal exec-env` and `seal exec-file`.

use std::path::PathBuf;

use crate::change::{recipient, with_key};
use crate::support::{Folder, Ran, Step};

fn sealed(name: &str, plain: &str) -> Folder {
    let folder = Folder::new();
    folder.write(name, plain);
    folder.seal(["encrypt", "-i", "--age", &recipient(), name]).ok();
    folder
}

fn step(folder: &Folder, args: &[&str]) -> Step {
    with_key(folder.seal(args))
}

fn seal(folder: &Folder, args: &[&str]) -> Ran {
    step(folder, args).run()
}

#[test]
fn values_stand_in_the_environment_and_the_exit_code_comes_back() {
    let folder = sealed("f.yaml", "# c\nA: two words\nB: 5\nC: true\nD: 1.5\nE: \"l1\\nl2\"\nF: ''\n");
    let ran = seal(&folder, &["exec-env", "f.yaml", "printf '%s|' \"$A\" $B $C $D \"$E\" \"$F\"; exit 7"]).exits(7);
    assert_eq!(ran.stdout_text(), "two words|5|true|1.5|l1\nl2||");
    assert!(!ran.stderr_text().contains("error"), "{ran}");
    let env = seal(&folder, &["exec-env", "f.yaml", "env"]).exits(0).stdout_text();
    assert!(env.contains("HOME=") && !env.contains("SOPS_AGE_KEY"));
    let env = seal(&folder, &["exec-env", "--pristine", "f.yaml", "/usr/bin/env"]).exits(0).stdout_text();
    assert!(!env.contains("HOME=") && env.contains("B=5"));
    seal(&folder, &["exec-env", "--same-process", "f.yaml", "test \"$B\" = 5 && exit 9"]).exits(9);
    let input = step(&folder, &["exec-env", "f.yaml", "cat"]).stdin("typed").run().exits(0);
    assert_eq!(input.stdout_text(), "typed");
    seal(&folder, &["exec-env", "f.yaml", "kill -KILL $$"]).exits(137);
}

#[test]
fn the_environment_is_as_sops_makes_it() {
    let folder = sealed("f.yaml", "A: x y\nB: 5\nC: false\nD: 1.5\nE: \"l1\\nl2\"\nN: null\nT: 2024-01-02\n");
    let words = ["exec-env", "f.yaml", "printf '%s|' \"$A\" $B $C $D \"$E\" \"$T\""];
    let Some(sops) = folder.peer("sops", words) else { return };
    assert_eq!(seal(&folder, &words).exits(0).stdout_text(), String::from_utf8(with_key(sops).ok()).unwrap());
}

#[test]
fn a_secret_gives_its_data_decoded() {
    let secret =
        "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata:\n  A: aGk=\n  B: b25l\nstringData:\n  B: two\n";
    let folder = sealed("s.yaml", secret);
    let ran = seal(&folder, &["exec-env", "s.yaml", "printf '%s|' \"$A\" \"$B\" \"$kind\""]).exits(0);
    assert_eq!(ran.stdout_text(), "hi|two||");
}

#[test]
fn what_cannot_be_a_variable_is_refused_without_its_value() {
    for plain in ["a: {b: hunter2}\n", "a: [hunter2]\n", "'a=b': hunter2\n", "a: \"hunter2\\0\"\n"] {
        let folder = sealed("f.yaml", plain);
        let ran = seal(&folder, &["exec-env", "f.yaml", "touch ran"]).exits(3);
        assert!(!ran.stderr_text().contains("hunter2") && !folder.path("ran").exists(), "{ran}");
    }
}

#[test]
fn a_fifo_has_the_plain_text_once_and_is_gone() {
    let folder = sealed("f.yaml", "a: hunter2 # c\n");
    let ran =
        seal(&folder, &["exec-file", "f.yaml", "test -p {} && echo {} > where && stat -c %a {} && cat {}; exit 3"]);
    assert_eq!(ran.exits(3).stdout_text(), "600\na: hunter2 # c\n");
    assert_gone(&folder);
    // A command that never reads must not hang.
    seal(&folder, &["exec-file", "f.yaml", "echo {} > where"]).exits(0);
    assert_gone(&folder);
    let large = format!("a: {}\n", "x".repeat(300_000));
    let folder = sealed("f.yaml", &large);
    assert_eq!(seal(&folder, &["exec-file", "f.yaml", "cat {}"]).exits(0).stdout_text(), large);
    seal(&folder, &["exec-file", "f.yaml", "head -c 5 {} > /dev/null"]).exits(0);
}

#[test]
fn a_file_can_be_named_and_converted_and_is_gone() {
    let folder = sealed("f.yaml", "a: hunter2\n");
    let words = ["exec-file", "--no-fifo", "--filename", "c.json", "--output-type", "json", "f.yaml"];
    let command = "echo {} > where; stat -c %a {}; cat {} {}; basename {}";
    let ran = seal(&folder, &[&words[..], &[command]].concat()).exits(0);
    let json = "{\n\t\"a\": \"hunter2\"\n}\n";
    assert_eq!(ran.stdout_text(), format!("600\n{json}{json}c.json\n"));
    assert_gone(&folder);
    for name in ["/tmp/x", "../x", "a/b", "a/", "", ".", ".."] {
        seal(&folder, &["exec-file", "--filename", name, "f.yaml", "touch ran"]).exits(2);
    }
    assert!(!folder.path("ran").exists());
    let ran = seal(
        &folder,
        &["exec-file", "--no-fifo", "f.yaml", "echo {} > where; sleep 0.2; kill -TERM $PPID; exec sleep 20"],
    );
    ran.exits(143);
    assert_gone(&folder);
}

#[test]
fn another_user_is_only_for_root() {
    let folder = sealed("f.yaml", "A: x\n");
    seal(&folder, &["exec-env", "--user", "no-such-user", "f.yaml", "true"]).exits(2);
    if rustix::process::getuid().is_root() {
        std::fs::set_permissions(folder.path("."), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let ran = seal(&folder, &["exec-env", "--user", "nobody", "f.yaml", "id -un; echo $A $USER"]).exits(0);
        assert_eq!(ran.stdout_text(), "nobody\nx nobody\n");
        let ran = seal(&folder, &["exec-file", "--user", "nobody", "f.yaml", "cat {}"]).exits(0);
        assert_eq!(ran.stdout_text(), "A: x\n");
    }
}

/// Where the command noted that its file was; fails where that is still there.
fn assert_gone(folder: &Folder) {
    let path = PathBuf::from(String::from_utf8(folder.read("where")).unwrap().trim());
    assert!(path.is_absolute() && !path.exists() && !path.parent().unwrap().exists(), "{}", path.display());
}

/// A plugin that "wraps" by handing the file key back, and notes its environment and folder beside itself.
const PLUGIN: &str = r#"#!/bin/sh
(pwd; env) > "${0%/*}/saw$1"
while read -r line; do
  case "$line" in
    "-> wrap-file-key" | "-> recipient-stanza 0 rot x") read -r key ;;
    "-> done") read -r _; break ;;
  esac
done
case "$1" in
  *recipient-v1) printf -- '-> recipient-stanza 0 rot x\n%s\n' "$key" ;;
  *identity-v1) printf -- '-> file-key 0\n%s\n' "$key" ;;
esac
read -r _; read -r _
printf -- '-> done\n\n'
"#;

#[test]
fn plugins_and_key_commands_see_no_identities() {
    let folder = Folder::new();
    let plugin = folder.write("bin/age-plugin-rot", PLUGIN);
    let command = folder.write("bin/keys", "#!/bin/sh\nenv > \"${0%/*}/saw-command\"\ncat \"${0%/*}/identity\"\n");
    for program in [&plugin, &command] {
        std::fs::set_permissions(program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    let key = |prefix: &str| {
        age_core::primitives::bech32_encode(bech32::Hrp::parse(prefix).expect("plain letters"), b"handle")
    };
    let identity = key("AGE-PLUGIN-ROT-").to_uppercase();
    folder.write("bin/identity", &identity);
    folder.write("f.yaml", "a: hunter2\n");
    let path = format!("{}:{}", folder.path("bin").display(), std::env::var("PATH").unwrap());
    let canary = "AGE-SECRET-KEY-1CANARY";
    let seal = |words: &[&str]| {
        let step = folder.seal(words).env("PATH", &path).env("HARMLESS", "kept").env("SEAL_AGE_KEY", canary);
        step.env("SOPS_AGE_KEY_FILE", "canary-path").env("SOPS_AGE_KEY_CMD", &command)
    };
    seal(&["encrypt", "-i", "--age", &key("age1rot"), "f.yaml"]).ok();
    let sealed = folder.read("f.yaml");
    assert_eq!(seal(&["decrypt", "f.yaml"]).ok(), b"a: hunter2\n", "{}", String::from_utf8_lossy(&sealed));
    for saw in ["saw--age-plugin=recipient-v1", "saw--age-plugin=identity-v1", "saw-command"] {
        let saw = String::from_utf8(folder.read(format!("bin/{saw}"))).unwrap();
        assert!(saw.contains("HARMLESS=kept"), "{saw}");
        for name in ["SEAL_AGE_KEY", "SOPS_AGE_KEY", "CANARY", "canary-path"] {
            assert!(!saw.contains(name), "{name} is in\n{saw}");
        }
    }
    assert!(String::from_utf8(folder.read("bin/saw-command")).unwrap().contains("SOPS_AGE_RECIPIENT=age1rot1"));
}
