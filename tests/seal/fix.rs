//! `seal fix`: what it seals, what it refuses, and what it says is still to be done.

use crate::support::Folder;

const SECRET: &str = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: db\nstringData:\n  password: hunter2-canary\n";

/// A folder with a `.sops.yaml`, whose only reader is an identity made for it.
fn folder() -> Folder {
    let folder = Folder::new();
    folder.seal(["init", "--quiet"]).ok();
    folder
}

fn git(folder: &Folder, args: &[&str]) {
    let author = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "init.defaultBranch=main"];
    folder.program("git", author.iter().chain(args)).ok();
}

#[test]
fn seals_a_file_in_place_and_says_what_that_does_not_change() {
    let folder = folder();
    folder.write("db.secret.yaml", SECRET);
    let ran = folder.seal(["fix", "db.secret.yaml"]).run().exits(0);
    let said = ran.stderr_text();
    assert!(said.contains("db.secret.yaml  Secret db  1 value encrypted for"), "{ran}");
    assert!(said.contains("change them where they come from") && !said.contains("history"), "{ran}");
    assert!(!String::from_utf8_lossy(&folder.read("db.secret.yaml")).contains("hunter2"));
    assert_eq!(folder.seal(["decrypt", "db.secret.yaml"]).ok(), SECRET.as_bytes());
    let again = folder.seal(["fix", "db.secret.yaml"]).run().exits(0);
    assert!(again.stderr_text().contains("encrypted already"), "{again}");
}

#[test]
fn history_that_still_has_it_is_named() {
    let folder = folder();
    folder.write("db.secret.yaml", SECRET);
    for args in [&["init", "-q"][..], &["add", "."], &["commit", "-qm", "x"]] {
        git(&folder, args);
    }
    let ran = folder.seal(["fix", "db.secret.yaml"]).run().exits(0);
    assert!(ran.stderr_text().contains("its history still has them in clear"), "{ran}");
    // No step is named that this seal does not have.
    let has_scrub = folder.seal(["scrub", "--help"]).run().code == Some(0);
    assert_eq!(ran.stderr_text().contains("seal scrub"), has_scrub, "{ran}");
}

#[test]
fn a_finding_is_looked_up_in_the_work_tree() {
    let folder = folder();
    folder.write("deploy/db.secret.yaml", SECRET);
    folder.write("deploy/other.secret.yaml", SECRET.replace("hunter2", "other7"));
    let report = folder.seal(["scan", "--format", "json"]).run().exits(1).stdout_text();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let finding = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .find(|finding| finding.to_string().contains("deploy/db.secret.yaml"))
        .unwrap_or_else(|| panic!("{report}"));
    let fingerprint = finding["fingerprint"].as_str().unwrap();
    folder.seal(["fix", fingerprint]).run().exits(0);
    assert!(!String::from_utf8_lossy(&folder.read("deploy/db.secret.yaml")).contains("hunter2"));
    assert!(String::from_utf8_lossy(&folder.read("deploy/other.secret.yaml")).contains("other7"));
    folder.seal(["fix", "F-0000-00"]).run().exits(1);
}

#[test]
fn what_a_cluster_or_a_program_reads_as_it_is_stays() {
    let folder = folder();
    let workload = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {DB_PASSWORD: hunter2-canary}\n";
    for (name, text) in [("cm.yaml", workload), ("export.py", "password = 'hunter2-canary'\n")] {
        folder.write(name, text);
        let ran = folder.seal(["fix", name]).run().exits(7);
        assert!(ran.stderr_text().contains("move the value to a Secret of its own"), "{ran}");
        assert_eq!(folder.read(name), text.as_bytes());
    }
}

#[test]
fn a_file_that_was_edited_by_hand_is_not_taken_for_sealed() {
    let folder = folder();
    folder.write("db.secret.yaml", SECRET);
    folder.seal(["fix", "db.secret.yaml"]).ok();
    let sealed = String::from_utf8(folder.read("db.secret.yaml")).unwrap();
    let edited = sealed.replacen("stringData:\n", "stringData:\n  token: canary-by-hand\n", 1);
    folder.write("db.secret.yaml", &edited);
    let ran = folder.seal(["fix", "db.secret.yaml"]).run().exits(7);
    assert!(ran.stderr_text().contains("is encrypted, but not stringData.token"), "{ran}");
    assert_eq!(folder.read("db.secret.yaml"), edited.as_bytes());
}

#[test]
fn what_the_selection_leaves_in_clear_is_told() {
    let folder = folder();
    let text = format!("# the old one was https://ada:hunter3-canary@git.corp/x\n{SECRET}");
    folder.write("db.secret.yaml", text);
    let ran = folder.seal(["fix", "db.secret.yaml"]).run().exits(7);
    assert!(ran.stderr_text().contains("1 finding is left in what was sealed: F-"), "{ran}");
}
