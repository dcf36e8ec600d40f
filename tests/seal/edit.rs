//! `seal edit`, with scripts for editors.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use crate::change::{ciphertexts, recipient, with_key};
use crate::support::{Folder, Ran, Step, repository};

const PLAIN: &str = "a: hunter2 # c\nb: 'same'\nl:\n- x\n- \"y\"\n";

/// A folder with an encrypted `f.yaml`.
fn sealed(plain: &str) -> Folder {
    let folder = Folder::new();
    folder.write("f.yaml", plain);
    folder.seal(["encrypt", "-i", "--age", &recipient(), "f.yaml"]).ok();
    folder
}

/// `seal ARGS` with a shell script for an editor; in it `$1` is the file to edit.
fn with_editor(folder: &Folder, args: &[&str], script: &str) -> Step {
    let path = folder.write("editor", format!("#!/bin/sh\nset -e\n{script}\n"));
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    with_key(folder.seal(args)).env("SEAL_EDITOR", path)
}

fn edit(folder: &Folder, script: &str) -> Ran {
    with_editor(folder, &["edit", "f.yaml"], script).run()
}

fn plain(folder: &Folder, name: &str) -> String {
    String::from_utf8(with_key(folder.seal(["decrypt", name])).ok()).unwrap()
}

/// Where the script noted that its file was; fails where that is still there.
fn assert_gone(folder: &Folder) {
    let path = PathBuf::from(String::from_utf8(folder.read("where")).unwrap().trim());
    assert!(path.is_absolute() && !path.exists() && !path.parent().unwrap().exists(), "{}", path.display());
}

#[test]
fn what_is_saved_is_encrypted_and_the_rest_keeps_its_ciphertext() {
    let folder = sealed(PLAIN);
    let before = folder.read("f.yaml");
    let ran =
        edit(&folder, "echo $1 > where; sed -i -e 's/hunter2/n3w/' -e '/^- x/d' $1; echo 'new: {k: v}' >> $1").exits(0);
    assert_eq!(plain(&folder, "f.yaml"), "a: n3w # c\nb: 'same'\nl:\n- \"y\"\nnew: {k: v}\n");
    let (old, new) = (ciphertexts(&before), ciphertexts(&folder.read("f.yaml")));
    assert!(old[1] == new[1] && old[3] == new[2] && old[0] != new[0]);
    let said = ran.stderr_text();
    for line in ["changed  a", "added    new", "removed  l[1]", "saved f.yaml"] {
        assert!(said.contains(line), "{ran}");
    }
    assert!(!said.contains("n3w") && !said.contains("hunter2") && ran.stdout.is_empty(), "{ran}");
    assert_gone(&folder);
    if let Some(sops) = folder.peer("sops", ["decrypt", "--output-type", "json", "f.yaml"]) {
        let read: serde_json::Value = serde_json::from_slice(&with_key(sops).ok()).unwrap();
        assert_eq!(read, serde_json::json!({"a": "n3w", "b": "same", "l": ["y"], "new": {"k": "v"}}));
    }
}

#[test]
fn a_text_left_as_it_was_leaves_the_file_alone() {
    let folder = sealed(PLAIN);
    let stat = || std::fs::metadata(folder.path("f.yaml")).unwrap().modified().unwrap();
    let before = (folder.read("f.yaml"), stat());
    let ran = edit(&folder, "true").exits(0);
    assert!(ran.stderr_text().contains("nothing changed"), "{ran}");
    assert!((folder.read("f.yaml"), stat()) == before);
}

#[test]
fn an_editor_may_put_another_file_in_its_place() {
    let folder = sealed(PLAIN);
    edit(&folder, "sed 's/hunter2/n3w/' $1 > $1.new; mv $1.new $1").exits(0);
    assert_eq!(plain(&folder, "f.yaml"), PLAIN.replace("hunter2", "n3w"));
}

const DRAFT: &str = "f.yaml.seal-draft";

#[test]
fn a_text_that_is_broken_is_kept_sealed_and_can_be_gone_on_with() {
    let folder = sealed(PLAIN);
    let before = folder.read("f.yaml");
    let ran = edit(&folder, "echo $1 > where; sed -i 's/hunter2/n3w/' $1; echo 'z: \"hunter3' >> $1").exits(8);
    let said = ran.stderr_text();
    assert!(said.contains("line ") && said.contains("kept, sealed") && !said.contains("hunter3"), "{ran}");
    assert!(said.contains("hint: go on with it: seal edit --resume f.yaml"), "{ran}");
    assert!(folder.read("f.yaml") == before);
    assert_gone(&folder);
    let draft = String::from_utf8(folder.read(DRAFT)).unwrap();
    assert!(draft.contains("ENC[AES256_GCM") && !draft.contains("hunter") && !draft.contains("n3w"), "{draft}");

    // It is not forgotten, and not overwritten by another.
    let ran = edit(&folder, "touch edited").exits(7);
    assert!(ran.stderr_text().contains("--resume") && !folder.path("edited").exists(), "{ran}");
    // Still broken it stays; mended it is saved, and then it is gone.
    let resume = |script: &str| with_editor(&folder, &["edit", "--resume", "f.yaml"], script).run();
    resume("grep -q hunter3 $1 && grep -q n3w $1").exits(8);
    assert!(folder.read("f.yaml") == before && folder.path(DRAFT).exists());
    resume("sed -i '$d' $1").exits(0);
    assert_eq!(plain(&folder, "f.yaml"), PLAIN.replace("hunter2", "n3w"));
    assert!(!folder.path(DRAFT).exists());
    let ran = resume("true").exits(8);
    assert!(ran.stderr_text().contains("no draft"), "{ran}");
}

#[test]
fn a_draft_opens_for_the_files_readers_only_and_in_sops_too() {
    let folder = sealed(PLAIN);
    edit(&folder, "printf 'z: [\\n' > $1").exits(8);
    folder.seal(["edit", "--resume", "f.yaml"]).env("EDITOR", "true").run().exits(4);
    let words = ["decrypt", "--input-type", "binary", "--output-type", "binary", DRAFT];
    if let Some(sops) = folder.peer("sops", words) {
        assert_eq!(with_key(sops).ok(), format!("5\nz: [\n{PLAIN}").as_bytes());
    }
    // Dropped, it is gone.
    std::fs::remove_file(folder.path(DRAFT)).unwrap();
    edit(&folder, "true").exits(0);
}

#[test]
fn an_editor_that_fails_changes_nothing() {
    let folder = sealed(PLAIN);
    let before = folder.read("f.yaml");
    edit(&folder, "echo $1 > where; sed -i 's/hunter2/n3w/' $1; exit 3").exits(8);
    assert!(folder.read("f.yaml") == before && !folder.path(DRAFT).exists());
    assert_gone(&folder);
}

/// A shell line that changes a value of `f.yaml` as another run of seal would.
fn meanwhile(path: &str, value: &str) -> String {
    let key = repository("tests/sops/keys/keys.txt");
    let seal = env!("CARGO_BIN_EXE_seal");
    format!("printf '{value}' | SOPS_AGE_KEY_FILE={} {seal} -q set --value-stdin f.yaml {path}", key.display())
}

#[test]
fn what_was_changed_meanwhile_is_merged_in() {
    let folder = sealed(PLAIN);
    let before = folder.read("f.yaml");
    let script = format!("{}; sed -i 's/hunter2/n3w/' $1", meanwhile("'l[1]'", "theirs"));
    let ran = edit(&folder, &script).exits(0);
    let said = ran.stderr_text();
    assert!(said.contains("changed  a") && said.contains("merged   1 change of another program"), "{ran}");
    let after = plain(&folder, "f.yaml");
    assert_eq!(after, PLAIN.replace("hunter2", "n3w").replace("\"y\"", "\"theirs\""));
    let (old, new) = (ciphertexts(&before), ciphertexts(&folder.read("f.yaml")));
    assert!(old[2] == new[2], "what neither changed keeps its ciphertext");

    // Both did the same: nothing is in conflict.
    let script = format!("{}; sed -i 's/n3w/both/' $1", meanwhile("a", "both"));
    edit(&folder, &script).exits(0);
    assert!(plain(&folder, "f.yaml").starts_with("a: both # c\n"));
}

#[test]
fn what_both_changed_is_not_decided_and_not_lost() {
    let folder = sealed(PLAIN);
    let script = format!("{}; {}; sed -i 's/hunter2/mine/' $1", meanwhile("a", "theirs"), meanwhile("b", "other"));
    let ran = edit(&folder, &script).exits(7);
    let said = ran.stderr_text();
    assert!(said.contains("both changed  a\n") && said.contains("kept, sealed") && !said.contains("mine"), "{ran}");
    assert_eq!(plain(&folder, "f.yaml"), PLAIN.replace("hunter2", "theirs").replace("same", "other"));
    // Gone on with, it is a merge, and theirs is replaced knowingly.
    let resume = |script: &str| with_editor(&folder, &["edit", "--resume", "f.yaml"], script).run();
    resume("grep -q mine $1 && grep -q other $1").exits(0);
    assert_eq!(plain(&folder, "f.yaml"), PLAIN.replace("hunter2", "mine").replace("same", "other"));
}

#[test]
fn a_file_that_no_longer_opens_costs_no_text() {
    for (damage, code) in [("rm f.yaml", 8), ("echo x: > f.yaml", 3), ("sed -i 's/mac: ENC.A/mac: ENC[B/' f.yaml", 5)] {
        let folder = sealed(PLAIN);
        let before = folder.read("f.yaml");
        let ran = edit(&folder, &format!("{damage}; sed -i 's/hunter2/n3w/' $1")).exits(code);
        assert!(ran.stderr_text().contains("kept, sealed"), "{ran}");
        folder.write("f.yaml", before);
        with_editor(&folder, &["edit", "--resume", "f.yaml"], "true").run().exits(0);
        assert_eq!(plain(&folder, "f.yaml"), PLAIN.replace("hunter2", "n3w"));
    }
}

#[test]
fn a_signal_leaves_nothing_behind() {
    let folder = sealed(PLAIN);
    let before = folder.read("f.yaml");
    let ran = edit(&folder, "echo $1 > where; sed -i 's/hunter2/n3w/' $1; sleep 0.2; kill -TERM $PPID; exec sleep 20")
        .exits(143);
    assert!(folder.read("f.yaml") == before, "{ran}");
    assert_gone(&folder);
}

#[test]
fn the_text_is_private_and_in_no_command_line() {
    let folder = sealed(PLAIN);
    let look = "echo $1 > where; stat -c %a $1 $(dirname $1) > modes
for p in /proc/[0-9]*; do tr '\\0' '\\n' < $p/cmdline 2>/dev/null || true; done > lines
tr '\\0' '\\n' < /proc/self/environ > environment";
    edit(&folder, look).exits(0);
    assert_eq!(folder.read("modes"), b"600\n700\n");
    let lines = String::from_utf8_lossy(&folder.read("lines")).into_owned();
    assert!(lines.contains("edit") && !lines.contains("hunter2"));
    let environment = String::from_utf8_lossy(&folder.read("environment")).into_owned();
    assert!(!environment.contains("hunter2") && !environment.contains("SOPS_AGE_KEY"));
}

#[test]
fn a_new_file_starts_as_a_secret_and_follows_its_rule() {
    let folder = Folder::new();
    let rule = format!("creation_rules:\n  - path_regex: new\\.yaml$\n    age: {}\n", recipient());
    folder.write(".sops.yaml", rule);
    let new = |script: &str| with_editor(&folder, &["edit", "db.new.yaml"], script).run();
    new("true").exits(0);
    assert!(!folder.path("db.new.yaml").exists());
    new("sed -i 's/password: \"\"/password: hunter2/' $1").exits(0);
    let text = plain(&folder, "db.new.yaml");
    assert!(
        text.contains("kind: Secret") && text.contains("name: db\n") && text.contains("password: hunter2"),
        "{text}"
    );
    let sealed = String::from_utf8(folder.read("db.new.yaml")).unwrap();
    assert!(sealed.contains("kind: Secret") && !sealed.contains("hunter2"));

    // What cannot be encrypted yet is kept for the readers that the rule names.
    std::fs::remove_file(folder.path("db.new.yaml")).unwrap();
    new("sed -i 's/password: \"\"/password: hunter2/' $1; echo 'x: [' >> $1").exits(8);
    assert!(!folder.path("db.new.yaml").exists());
    assert!(!String::from_utf8(folder.read("db.new.yaml.seal-draft")).unwrap().contains("kind"));
    with_editor(&folder, &["edit", "--resume", "db.new.yaml"], "sed -i '$d' $1; echo 'x: 1' >> $1").run().exits(0);
    assert!(plain(&folder, "db.new.yaml").ends_with("x: 1\n") && !folder.path("db.new.yaml.seal-draft").exists());

    // Without a rule there is no use in typing.
    let ran = with_editor(&folder, &["edit", "other.yaml"], "touch typed").run().exits(3);
    assert!(!folder.path("typed").exists(), "{ran}");
}

#[test]
fn recipients_can_be_changed_in_the_envelope() {
    let folder = sealed(PLAIN);
    let second = std::fs::read_to_string(repository("tests/sops/keys/key2.txt")).unwrap();
    let second = second.lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap().to_owned();
    let add = format!("sed -i 's/^\\( *\\)age:$/&\\n\\1    - recipient: {second}\\n\\1      enc: x/' $1");
    let ran = with_editor(&folder, &["edit", "-s", "f.yaml"], &add).run().exits(0);
    assert!(ran.stderr_text().contains("readers"), "{ran}");
    for key in ["keys.txt", "key2.txt"] {
        let step =
            folder.seal(["decrypt", "f.yaml"]).env("SOPS_AGE_KEY_FILE", repository(&format!("tests/sops/keys/{key}")));
        assert_eq!(step.ok(), PLAIN.as_bytes());
    }
    let before = folder.read("f.yaml");
    with_editor(&folder, &["edit", "-s", "f.yaml"], "sed -i '/^sops:/,$d' $1").run().exits(8);
    assert!(folder.read("f.yaml") == before);
}

#[test]
fn a_binary_file_with_its_envelope_is_edited_as_json() {
    let folder = Folder::new();
    folder.write("f.txt", "two \"words\"\nhunter2\n");
    folder.seal(["encrypt", "-i", "--age", &recipient(), "f.txt"]).ok();
    let show = |script: &str| with_editor(&folder, &["edit", "-s", "f.txt"], script).run();
    show("cp $1 shown").exits(0);
    if let Some(sops) = folder.peer("sops", ["edit", "-s", "f.txt"]) {
        let path = folder.write("sops-editor", "#!/bin/sh\ncp \"$1\" shown-by-sops\n");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        with_key(sops).env("SOPS_EDITOR", path).run().exits(200);
        let read = |name: &str| serde_json::from_slice::<serde_json::Value>(&folder.read(name)).unwrap();
        let (ours, theirs) = (read("shown"), read("shown-by-sops"));
        assert_eq!((&ours["data"], &ours["sops"]["age"]), (&theirs["data"], &theirs["sops"]["age"]));
    }
    show("sed -i 's/hunter2/n3w/' $1").exits(0);
    assert_eq!(plain(&folder, "f.txt"), "two \"words\"\nn3w\n");
    show("sed -i '/\"data\"/d' $1").exits(8);
    std::fs::remove_file(folder.path("f.txt.seal-draft")).unwrap();

    folder.write("g.bin", b"\xff\xfe");
    folder.seal(["encrypt", "-i", "--age", &recipient(), "g.bin"]).ok();
    with_editor(&folder, &["edit", "-s", "g.bin"], "true").run().exits(3);
    with_editor(&folder, &["edit", "g.bin"], "printf x > $1").run().exits(0);
}

#[test]
fn ignoring_the_mac_and_saving_makes_it_right_again() {
    let folder = sealed("a: x\nb_unencrypted: 1\n");
    let changed = String::from_utf8(folder.read("f.yaml")).unwrap().replace("b_unencrypted: 1", "b_unencrypted: 2");
    folder.write("f.yaml", changed);
    edit(&folder, "true").exits(5);
    with_editor(&folder, &["edit", "--ignore-mac", "f.yaml"], "true").run().exits(0);
    assert_eq!(plain(&folder, "f.yaml"), "a: x\nb_unencrypted: 2\n");
}

#[test]
fn standard_input_may_be_closed() {
    let folder = sealed(PLAIN);
    let path = folder.write("editor", "#!/bin/sh\nsed -i 's/hunter2/n3w/' \"$1\"\n");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    let line = format!("exec {} edit f.yaml <&-", env!("CARGO_BIN_EXE_seal"));
    with_key(folder.program("/bin/sh", ["-c", &line])).env("EDITOR", path).ok();
    assert!(plain(&folder, "f.yaml").contains("n3w"));
}

#[test]
fn sops_own_step_leads_to_the_same_values_and_version() {
    let folder = Folder::new();
    let step = |name: &str| std::fs::read(repository(&format!("tests/sops/steps/{name}"))).unwrap();
    folder.write("f.yaml", step("edit.before.yaml"));
    folder.write("sops.yaml", step("edit.after.yaml"));
    let script = format!("sh {} $1", repository("tests/sops/steps/ed.sh").display());
    edit(&folder, &script).exits(0);
    let read = |name: &str| with_key(folder.seal(["decrypt", "--output-type", "json", name])).ok();
    assert_eq!(read("f.yaml"), read("sops.yaml"));

    folder.write("f.yaml", String::from_utf8(step("edit.before.yaml")).unwrap().replace("version: 3.", "version: 2."));
    edit(&folder, &script).exits(0);
    assert!(String::from_utf8(folder.read("f.yaml")).unwrap().contains("version: 3.13.3"));
}

/// Runs seal at a terminal of its own, where `typed` is typed; what it printed is in `stdout`. `None` without `script(1)`.
pub fn at_terminal(folder: &Folder, args: &str, script: &str, typed: &str) -> Option<Ran> {
    let script_1 = ["/usr/bin/script", "/bin/script"].into_iter().find(|path| std::path::Path::new(path).is_file())?;
    let line = format!("exec {} {args}", env!("CARGO_BIN_EXE_seal"));
    let path = folder.write("editor", format!("#!/bin/sh\n{script}\n"));
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    // What is typed too early would be shown, and thrown away when the terminal stops showing it.
    let wait =
        "n=0; until grep -q '[?:]' screen 2>/dev/null || test $n = 200; do sleep 0.05; n=$((n+1)); done; sleep 0.3";
    let whole = format!("rm -f screen; ({wait}; printf '%s' \"$TYPED\") | {script_1} -qefc '{line}' screen");
    let step = folder.program("/bin/sh", ["-c", &whole]).env("SEAL_EDITOR", path).env("SHELL", "/bin/sh");
    Some(with_key(step).env("TYPED", typed).run())
}

#[test]
fn at_a_terminal_a_broken_text_can_be_mended_or_kept_or_discarded() {
    let folder = sealed(PLAIN);
    let before = folder.read("f.yaml");
    let script = "if test -e broken; then grep -q hunter3 $1 && sed -i '$d' $1; else touch broken; sed -i 's/hunter2/n3w/' $1; echo 'z: \"hunter3' >> $1; fi";
    let Some(ran) = at_terminal(&folder, "edit f.yaml", script, "d\n") else { return };
    ran.exits(8);
    assert!(folder.read("f.yaml") == before);
    assert!(!folder.path(DRAFT).exists());
    std::fs::remove_file(folder.path("broken")).unwrap();
    at_terminal(&folder, "edit f.yaml", script, "s\n").unwrap().exits(8);
    assert!(folder.read("f.yaml") == before && folder.path(DRAFT).exists());
    std::fs::remove_file(folder.path(DRAFT)).unwrap();
    std::fs::remove_file(folder.path("broken")).unwrap();
    let ran = at_terminal(&folder, "edit f.yaml", script, "what\ne\n").unwrap().exits(0);
    assert!(ran.stdout_text().contains("line 6"), "{ran}");
    assert_eq!(plain(&folder, "f.yaml"), PLAIN.replace("hunter2", "n3w"));
}

#[test]
fn at_a_terminal_a_conflict_is_edited_again_as_a_merge() {
    let folder = sealed(PLAIN);
    let script = format!(
        "if test -e again; then cp $1 merged; exit; fi; touch again; sed -i 's/hunter2/ours/' $1; {}; {}",
        meanwhile("a", "theirs"),
        meanwhile("b", "other")
    );
    let Some(ran) = at_terminal(&folder, "edit f.yaml", &script, "e\n") else { return };
    let ran = ran.exits(0);
    assert!(ran.stdout_text().contains("both changed  a"), "{ran}");
    let merged = PLAIN.replace("hunter2", "ours").replace("same", "other");
    assert_eq!(String::from_utf8(folder.read("merged")).unwrap(), merged);
    assert_eq!(plain(&folder, "f.yaml"), merged);
}

#[test]
fn at_a_terminal_set_asks_for_the_value_and_does_not_show_it() {
    let folder = sealed(PLAIN);
    let Some(ran) = at_terminal(&folder, "set f.yaml a", "", "n3w value\n") else { return };
    let ran = ran.exits(0);
    assert!(ran.stdout_text().contains("Value of a in f.yaml:") && !ran.stdout_text().contains("n3w"), "{ran}");
    assert_eq!(plain(&folder, "f.yaml"), PLAIN.replace("hunter2", "n3w value"));
}
