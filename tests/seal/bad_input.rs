//! Bad input and a bad machine: what is said, the exit code, and that the file stays as it was, bytes and time.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::support::sealing::{identity, recipient};
use crate::support::{Folder, Ran, repository};

/// A file and the command that must fail on it.
struct Bad {
    what: &'static str,
    file: Vec<u8>,
    words: Vec<&'static str>,
    code: i32,
    /// What its message must say.
    says: &'static str,
}

fn bad(what: &'static str, file: impl Into<Vec<u8>>, words: &[&'static str], code: i32, says: &'static str) -> Bad {
    Bad { what, file: file.into(), words: words.to_vec(), code, says }
}

/// The identity, in the folder and for its owner's eyes only.
fn key(folder: &Folder) -> std::path::PathBuf {
    let path = folder.write("key.txt", std::fs::read(identity()).unwrap());
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path
}

fn sealed() -> String {
    let folder = Folder::new();
    folder.write("plain.yaml", "a: one\nb: two\n");
    String::from_utf8(folder.seal(["encrypt", "--age", &recipient(), "plain.yaml"]).ok()).unwrap()
}

/// Fails unless it failed with `code`, said `error:` and what was expected, and did not panic.
fn failed(ran: Ran, code: i32, says: &str) -> Ran {
    let ran = ran.exits(code);
    let text = ran.stderr_text();
    assert!(text.contains("error: ") && text.contains(says) && !text.contains("panicked"), "no `{says}` in\n{ran}");
    ran
}

#[test]
fn bad_files_are_named_with_what_to_do_and_left_alone() {
    let good = sealed();
    let (encrypt, decrypt) = (&["encrypt", "-i"][..], &["decrypt", "-i"][..]);
    let bomb = std::fs::read(repository("tests/documents/bad/alias-bomb.yaml")).unwrap();
    let other_key = good.lines().filter(|line| !line.contains("mac: ")).collect::<Vec<_>>().join("\n");
    let changed = |from: &str, to: &str| {
        assert!(good.contains(from));
        good.replacen(from, to, 1)
    };
    let swapped = {
        let mut lines: Vec<&str> = good.lines().collect();
        lines.remove(0);
        lines.join("\n")
    };
    let cases = [
        bad("not YAML", "a: [\n", encrypt, 3, "line"),
        bad("duplicate keys", "a: 1\na: 2\n", encrypt, 3, "occurs twice"),
        bad("tab indentation", "a:\n\tb: 1\n", encrypt, 3, "line 2, column 2: a line is indented by a tab; put blanks"),
        bad(
            "tab before a bracket",
            "a: [\n  b, c,\n\t]\n",
            encrypt,
            3,
            "line 3, column 1: a line is indented by a tab",
        ),
        bad("alias bomb", bomb, encrypt, 3, "aliases"),
        bad("UTF-16", b"\xff\xfea\0:\0 \x001\0\n\0".to_vec(), encrypt, 3, "iconv"),
        bad("key is no string", "1: a\n", encrypt, 3, "not a string"),
        bad("beyond 64 bits", "a: 18446744073709551615\n", encrypt, 3, "64 bits"),
        bad("nothing", "", encrypt, 3, "no document"),
        bad("value cut short", changed(",type:str]", ""), decrypt, 5, "`a`"),
        bad("value made plain", changed("a: ENC[", "a: enc["), decrypt, 5, "`a`"),
        bad("type changed", changed("type:str", "type:int"), decrypt, 5, "`a`"),
        bad("type unknown", changed("type:str", "type:wat"), decrypt, 5, "`a`"),
        bad("value dropped", swapped, decrypt, 5, "MAC"),
        bad("MAC gone", other_key, decrypt, 5, "MAC"),
        bad("version unknown", changed("version: 3.13.3", "version: seven"), decrypt, 3, "version"),
        bad(
            "regex that does not compile",
            changed("unencrypted_suffix: _unencrypted", "encrypted_regex: '['"),
            decrypt,
            3,
            "encrypted_regex",
        ),
        bad("not encrypted", "a: 1\n", decrypt, 3, "not encrypted"),
        bad("bad regex typed", "a: 1\n", &["encrypt", "-i", "--encrypted-regex", "["], 3, "encrypted_regex"),
        bad("no value chosen", "a: 1\n", &["encrypt", "-i", "--encrypted-regex", "^b$"], 7, "would stay plain"),
    ];
    for Bad { what, file, words, code, says } in cases {
        let folder = Folder::new();
        let path = folder.write("file.yaml", &file);
        let written = std::fs::metadata(&path).unwrap().modified().unwrap();
        let mut all = words.clone();
        let recipient = recipient();
        if words[0] == "encrypt" {
            all.extend(["--age", &recipient]);
        }
        all.push("file.yaml");
        let ran = failed(folder.seal(all).env("SOPS_AGE_KEY_FILE", key(&folder)).run(), code, says);
        let text = ran.stderr_text();
        assert!(text.contains("file.yaml") || what.contains("typed"), "{what}: the file is not named\n{ran}");
        assert!(text.contains("\nhint: "), "{what}: nothing is said of what to do\n{ran}");
        assert_eq!(folder.read("file.yaml"), file, "{what}");
        assert_eq!(std::fs::metadata(&path).unwrap().modified().unwrap(), written, "{what}");
        assert_eq!(std::fs::read_dir(folder.path("")).unwrap().count(), 3, "{what}: something was left behind");
    }
}

#[test]
fn encrypted_twice_stays_as_it_is() {
    let folder = Folder::new();
    let good = sealed();
    folder.write("file.yaml", &good);
    folder.seal(["encrypt", "-i", "--age", &recipient(), "file.yaml"]).ok();
    assert_eq!(folder.read("file.yaml"), good.as_bytes());
}

#[test]
fn missing_and_wrong_keys_are_told_apart_from_damage() {
    let folder = Folder::new();
    let good = sealed();
    folder.write("file.yaml", &good);
    let none = failed(folder.seal(["decrypt", "-i", "file.yaml"]).run(), 4, "cannot decrypt file.yaml");
    assert!(none.stderr_text().contains("hint: "), "{none}");
    let wrong = folder.write("wrong.txt", std::fs::read(repository("tests/sops/keys/key2.txt")).unwrap());
    let wrong = failed(
        folder.seal(["decrypt", "-i", "file.yaml"]).env("SOPS_AGE_KEY_FILE", wrong).run(),
        4,
        "could not be used",
    );
    assert!(wrong.stderr_text().contains("hint: "), "{wrong}");
    assert_eq!(folder.read("file.yaml"), good.as_bytes());
}

/// Runs a shell script as somebody without rights, with seal as `$SEAL`; `None` where this test has none to give up.
fn as_nobody(folder: &Folder, script: &str) -> Option<Ran> {
    let root = folder.program("id", ["-u"]).ok() == b"0\n";
    if !root {
        return Some(folder.program("sh", ["-c", script]).env("SEAL", env!("CARGO_BIN_EXE_seal")).run());
    }
    let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups", "sh", "-c", script];
    // The program must be where nobody can read it.
    let seal = folder.path("bin-seal");
    std::fs::copy(env!("CARGO_BIN_EXE_seal"), &seal).ok()?;
    std::fs::set_permissions(&seal, std::fs::Permissions::from_mode(0o755)).ok()?;
    std::fs::set_permissions(folder.path(""), std::fs::Permissions::from_mode(0o755)).ok()?;
    Path::new("/usr/bin/setpriv").is_file().then(|| folder.program("setpriv", nobody).env("SEAL", &seal).run())
}

#[test]
fn files_and_folders_without_permission_are_left_alone() {
    let folder = Folder::new();
    let file = folder.write("folder/file.yaml", "a: 1\n");
    let unreadable = folder.write("unreadable.yaml", "a: 1\n");
    std::fs::set_permissions(&unreadable, std::fs::Permissions::from_mode(0o000)).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    std::fs::set_permissions(folder.path("folder"), std::fs::Permissions::from_mode(0o555)).unwrap();
    for (file, says) in [("folder/file.yaml", "ermission"), ("unreadable.yaml", "ermission")] {
        let script = format!("\"$SEAL\" encrypt -i --age {} {file}", recipient());
        let Some(ran) = as_nobody(&folder, &script) else { return };
        failed(ran, 8, says);
    }
    std::fs::set_permissions(folder.path("folder"), std::fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(folder.read("folder/file.yaml"), b"a: 1\n");
    assert_eq!(std::fs::read_dir(folder.path("folder")).unwrap().count(), 1);
}

#[test]
fn full_disk_is_said_and_loses_nothing() {
    let folder = Folder::new();
    folder.write("file.yaml", "a: 1\n");
    let script = format!("{} encrypt --age {} file.yaml > /dev/full", env!("CARGO_BIN_EXE_seal"), recipient());
    failed(folder.program("sh", ["-c", &script]).run(), 8, "standard output");
    // A disk of our own that is full; only where this test may mount one.
    let script = format!(
        "mkdir -p disk && mount -t tmpfs -o size=16k tmpfs disk || exit 99\nprintf 'a: 1\\n' > disk/file.yaml\n\
         dd if=/dev/zero of=disk/filler bs=1k count=12 2>/dev/null\ncp disk/file.yaml before\n\
         {} encrypt -i --age {} disk/file.yaml\ncode=$?\ncmp disk/file.yaml before || exit 98\nls -A disk | grep -v -e file.yaml -e filler && exit 97\nexit $code",
        env!("CARGO_BIN_EXE_seal"),
        recipient()
    );
    let ran = folder.program("unshare", ["-m", "sh", "-c", &script]).run();
    if !matches!(ran.code, Some(99 | 1)) {
        failed(ran, 8, "the disk is full");
    }
}

#[test]
fn file_that_changes_meanwhile_is_not_overwritten() {
    let folder = Folder::new();
    folder.write("file.yaml", sealed());
    let editor = folder.write("editor.sh", "#!/bin/sh\nsed -i s/one/edited/ \"$1\"\necho 'c: plain' >> file.yaml\n");
    std::fs::set_permissions(&editor, std::fs::Permissions::from_mode(0o755)).unwrap();
    let ran = folder.seal(["edit", "file.yaml"]).env("EDITOR", &editor).env("SOPS_AGE_KEY_FILE", key(&folder)).run();
    // What another program put there is no sealed file any more, so that nothing can be merged.
    let ran = failed(ran, 5, "file.yaml");
    assert!(ran.stderr_text().contains("file.yaml.seal-draft"), "{ran}");
    assert!(String::from_utf8(folder.read("file.yaml")).unwrap().ends_with("c: plain\n"));
}

#[test]
fn called_as_sops_a_file_that_changes_meanwhile_is_not_overwritten_either() {
    for words in [&["decrypt", "-i"][..], &["rotate", "-i"], &["--decrypt", "--in-place"]] {
        let folder = Folder::new();
        folder.write("file.yaml", sealed());
        let key = key(&folder);
        // The command that gives the identity runs after the file was read, and before it is written.
        let command = folder.write("keys.sh", format!("echo 'c: d' >> file.yaml\ncat {}\n", key.display()));
        let all = ["compat", "sops"].into_iter().chain(words.iter().copied()).chain(["file.yaml"]);
        let ran = folder.seal(all).env("SOPS_AGE_KEY_CMD", format!("sh {}", command.display())).run().exits(1);
        assert!(ran.stderr_text().contains("changed by another program"), "{ran}");
        assert!(String::from_utf8(folder.read("file.yaml")).unwrap().ends_with("c: d\n"), "{words:?}");
    }
}

#[test]
fn an_encrypted_file_that_is_broken_is_not_said_to_be_plain() {
    let folder = Folder::new();
    let good = sealed();
    folder.write("old.yaml", &good);
    folder.write("new.yaml", format!("<<<<<<< ours\n{good}"));
    let ran = folder.seal(["diff", "--summary", "old.yaml", "new.yaml"]).run().exits(0);
    assert!(ran.stdout_text().contains("CANNOT BE READ") && !ran.stdout_text().contains("NO LONGER"), "{ran}");
    folder.write("new.yaml", "a: one\nb: two\n");
    let ran = folder.seal(["diff", "--summary", "old.yaml", "new.yaml"]).run().exits(0);
    assert!(ran.stdout_text().contains("NO LONGER ENCRYPTED"), "{ran}");
}

#[test]
fn variables_that_contradict_each_other_are_named_but_not_shown() {
    let folder = Folder::new();
    folder.write("file.yaml", sealed());
    let decrypt = |words: &[&str]| {
        let step = folder.seal(words).env("SOPS_AGE_KEY_FILE", key(&folder));
        step.env("SEAL_EDITOR", "one-editor").env("SOPS_EDITOR", "another").run().exits(0).stderr_text()
    };
    let said = decrypt(&["decrypt", "file.yaml"]);
    assert!(
        said.contains("warning: SEAL_EDITOR and SOPS_EDITOR are both set and differ; SEAL_EDITOR is used"),
        "{said}"
    );
    assert!(!said.contains("another"), "{said}");
    // Who calls sops may read this, too.
    assert_eq!(decrypt(&["compat", "sops", "decrypt", "file.yaml"]), "");
    assert_eq!(decrypt(&["textconv", "file.yaml"]), "");
}
