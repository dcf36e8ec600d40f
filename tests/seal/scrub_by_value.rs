//! `seal scrub` by value, from the plan to the proof that nothing is left, and history that is sealed instead.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use seal::scrub::{LeakedValue, Searcher};
use zeroize::Zeroizing;

use crate::support::repo::Repo;
use crate::support::sealing::{identity, recipient};
use crate::support::{Ran, peer};

const VALUE: &str = "Corr3ct/Horse+Battery\"7";

fn holds(bytes: &[u8]) -> bool {
    let value = LeakedValue::new(Zeroizing::new(VALUE.as_bytes().to_vec())).unwrap();
    Searcher::new(&[value]).is_in(bytes)
}

/// seal, which must not print the value.
fn seal(repo: &Repo, words: &[&str], code: i32) -> Ran {
    let ran = repo.seal(words.iter().copied()).exits(code);
    assert!(!holds(&ran.stdout) && !holds(&ran.stderr), "{ran}");
    ran
}

/// A repository with the value in a file, a Secret, a message, a name, a tag, a note and a stash.
fn planted() -> Repo {
    let repo = Repo::new();
    repo.folder.write("value.txt", format!("{VALUE}\n"));
    repo.commit_file("app.yml", format!("user: ada\npassword: '{VALUE}'\n"));
    repo.commit_file(
        "secret.yaml",
        format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: x}}\ndata:\n  p: {}\n", STANDARD.encode(VALUE)),
    );
    repo.git(["notes", "add", "-m", &format!("the password is {VALUE}")]).exits(0);
    repo.git(["tag", "-a", "v1", "-m", &format!("with {VALUE}")]).exits(0);
    repo.commit(&format!("set it to {VALUE}"));
    repo.git(["commit", "-q", "--allow-empty", "-m", "m", "--author", &format!("{VALUE} <a@b>")]).exits(0);
    repo.commit_file("app.yml", "user: ada\npassword: from-the-store\n");
    repo.write("app.yml", format!("user: ada\nother: \"{}\"\n", VALUE.replace('"', "\\\"")));
    repo.git(["stash", "-q"]).exits(0);
    repo
}

fn everything(repo: &Repo) -> Vec<u8> {
    // All but what undo needs.
    let mut all = repo.git(["log", "--exclude=refs/seal/*", "--all", "-p", "--format=raw", "--notes"]).exits(0).stdout;
    let kinds = ["refs/heads", "refs/tags", "refs/notes", "refs/stash"];
    all.extend(repo.git(["for-each-ref", "--format=%(refname) %(contents)"].into_iter().chain(kinds)).exits(0).stdout);
    all.extend(repo.git(["reflog", "--all"]).exits(0).stdout);
    all
}

#[test]
fn value_goes_from_everywhere_and_verify_says_so() {
    let repo = planted();
    let verify = ["scrub", "verify", "--value-file", "../value.txt"];
    assert!(seal(&repo, &verify, 1).stdout_text().contains("NOT CLEAN"));
    let refs = || repo.git(["for-each-ref"]).exits(0).stdout_text();
    let before = refs();

    let plan = seal(&repo, &["scrub", "--value-file", "../value.txt", "--dry-run"], 0).stdout_text();
    assert_eq!(refs(), before);
    for line in ["app.yml  2 versions", "secret.yaml  1 version", "words of 2 commits and 1 tag", "1 as base64"] {
        assert!(plan.contains(line), "no {line} in {plan}");
    }
    let json = seal(&repo, &["scrub", "--value-file", "../value.txt", "-n", "--format", "json"], 0);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((&json["found"]["blobs"], &json["found"]["tags"]), (&4.into(), &1.into()), "{json:#}");

    seal(&repo, &["scrub", "--value-file", "../value.txt", "--yes"], 0);
    assert_ne!(refs(), before);
    let all = everything(&repo);
    assert!(!holds(&all), "{}", String::from_utf8_lossy(&all));
    let text = String::from_utf8_lossy(&all).into_owned();
    assert!(text.contains("password: '***REMOVED***'") && text.contains("set it to ***REMOVED***"), "{text}");
    let secret = repo.git(["show", "HEAD:secret.yaml"]).exits(0).stdout_text();
    let data = secret.lines().find_map(|line| line.strip_prefix("  p: ")).unwrap();
    assert_eq!(STANDARD.decode(data).unwrap().len(), VALUE.len(), "{secret}");
    repo.git(["fsck", "--full", "--strict"]).exits(0);
    assert_eq!(repo.git(["status", "--porcelain"]).exits(0).stdout_text(), "");

    let kept = seal(&repo, &verify, 1).stdout_text();
    assert!(kept.contains("kept by") && kept.contains("refs/seal/backup/"), "{kept}");
    seal(&repo, &["scrub", "finish", "--yes"], 0);
    let clean = seal(&repo, &verify, 0).stdout_text();
    assert!(clean.contains("CLEAN") && !clean.contains("NOT CLEAN"), "{clean}");
    // Without the value, the old objects are looked for.
    let clean = seal(&repo, &["scrub", "verify"], 0).stdout_text();
    assert!(clean.contains("0 values") && clean.contains("CLEAN"), "{clean}");
}

#[test]
fn undo_brings_everything_back() {
    let repo = planted();
    let refs =
        || repo.git(["for-each-ref"]).exits(0).stdout_text() + &repo.git(["stash", "list"]).exits(0).stdout_text();
    let before = refs();
    seal(&repo, &["scrub", "--value-file", "../value.txt", "--yes"], 0);
    seal(&repo, &["scrub", "undo"], 0);
    assert_eq!(refs(), before);
    seal(&repo, &["scrub", "verify"], 2);
}

#[test]
fn files_go_as_a_whole_where_that_is_asked_for() {
    let repo = planted();
    seal(&repo, &["scrub", "--value-file", "../value.txt", "--remove", "--yes"], 0);
    assert!(!holds(&everything(&repo)));
    assert_eq!(repo.git(["log", "--oneline", "--", "secret.yaml"]).exits(0).stdout_text(), "");
}

#[test]
fn value_may_come_from_a_pipe_a_manifest_or_a_report() {
    let repo = planted();
    let plan = |words: &[&str], input: &str| {
        let ran = repo.seal_step(["scrub", "-n"].iter().chain(words).copied()).stdin(input).run().exits(0);
        assert!(!holds(&ran.stdout) && !holds(&ran.stderr), "{ran}");
        ran.stdout_text()
    };
    let expected = plan(&["--value-file", "../value.txt"], "");
    assert_eq!(plan(&["--value-stdin"], &format!("{VALUE}\n")), expected);
    assert_eq!(plan(&["--value-from", "data.p@secret.yaml"], ""), expected);
    let report = serde_json::json!([{"Secret": VALUE}]).to_string();
    repo.folder.write("report.json", report);
    assert_eq!(plan(&["--from-scan", "../report.json"], ""), expected);
    let blob = repo.id("HEAD~4:app.yml");
    let start = "user: ada\npassword: '".len();
    let place = serde_json::json!({"blob": blob, "start": start, "end": start + VALUE.len(), "decode": []});
    let report = serde_json::json!({"schema": "seal.scan/1", "findings": [{"length": VALUE.len(), "places": [place]}]});
    repo.folder.write("report.json", report.to_string());
    assert_eq!(plan(&["--from-scan", "../report.json"], ""), expected);
}

#[test]
fn expressions_replace_in_files_and_messages() {
    let repo = planted();
    repo.folder.write("rules.txt", format!("literal:{VALUE}==>gone-1\nregex:us(e)r==>\\1\n"));
    let words = ["scrub", "--replace-text", "../rules.txt", "--replace-message", "../rules.txt", "--yes"];
    seal(&repo, &words, 0);
    assert_eq!(repo.git(["show", "HEAD~4:app.yml"]).exits(0).stdout_text(), "e: ada\npassword: 'gone-1'\n");
    assert_eq!(repo.git(["log", "-1", "--format=%s", "HEAD~2"]).exits(0).stdout_text(), "set it to gone-1\n");
}

#[test]
fn short_and_common_values_and_what_cannot_be_read_are_refused() {
    let repo = Repo::new();
    repo.commit_file("a", "pin: 4711\n");
    repo.folder.write("pin", "4711\n");
    let ran = repo.seal(["scrub", "--value-file", "../pin", "--yes"]).exits(7);
    assert!(ran.stderr_text().contains("--yes-short-value"), "{ran}");
    repo.seal(["scrub", "--value-file", "../pin", "--yes", "--yes-short-value"]).exits(0);
    assert_eq!(repo.git(["show", "HEAD:a"]).exits(0).stdout_text(), "pin: REMOVED\n");
    repo.seal(["scrub", "--redact", "--path", "a"]).exits(2);
    repo.seal(["scrub", "--seal"]).exits(2);
    // A blob that is missing may hold it.
    let id = repo.id("HEAD:a");
    std::fs::remove_file(repo.path(format!(".git/objects/{}/{}", &id[..2], &id[2..]))).unwrap_or_else(|_| {
        for pack in std::fs::read_dir(repo.path(".git/objects/pack")).unwrap() {
            std::fs::remove_file(pack.unwrap().path()).unwrap();
        }
    });
    repo.folder.write("value.txt", VALUE);
    let ran = repo.seal(["scrub", "--value-file", "../value.txt", "--yes"]);
    assert_ne!(ran.code, Some(0), "{ran}");
}

#[test]
fn names_that_hold_a_value_are_told_without_it() {
    let repo = Repo::new();
    repo.folder.write("value.txt", "correct-horse-7");
    repo.commit_file("correct-horse-7.txt", "x\n");
    repo.git(["branch", "correct-horse-7"]).exits(0);
    let ran = repo.seal(["scrub", "--value-file", "../value.txt", "--yes"]).exits(0);
    let text = ran.stdout_text() + &ran.stderr_text();
    assert!(
        text.contains("git branch -m") && text.contains("--path-glob") && !text.contains("correct-horse"),
        "{text}"
    );
}

fn secret(user: &str, password: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: db}}\nstringData:\n  user: {user}   # who\n  password: '{password}'\n"
    )
}

#[test]
fn history_is_sealed_and_sops_opens_it() {
    let repo = Repo::new();
    repo.commit_file(".sops.yaml", format!("creation_rules:\n- path_regex: deploy/.*\n  age: {}\n", recipient()));
    let versions = [secret("ada", "first-one-11"), secret("ada", "second-one-22"), secret("rob", "second-one-22")];
    for version in &versions {
        repo.commit_file("deploy/db.yaml", version);
    }
    repo.commit_file("other", "x\n");
    repo.write("deploy/db.yaml", "a: [\n");
    repo.commit("broken");
    let seal = |words: &[&str]| {
        let words = ["scrub", "--seal", "--path", "deploy", "--yes"].iter().chain(words).copied();
        repo.seal_step(words).env("SOPS_AGE_KEY_FILE", identity()).run()
    };
    let refused = seal(&[]).exits(7);
    assert!(refused.stderr_text().contains("deploy/db.yaml"), "{refused}");
    let done = seal(&["--on-unparsable", "remove"]).exits(0);
    assert!(
        done.stdout_text().contains("3 versions of 1 file") && done.stdout_text().contains("every sealed"),
        "{done}"
    );
    let old = |commit: &str| repo.git(["show", &format!("{commit}:deploy/db.yaml")]).exits(0).stdout_text();
    let sealed: Vec<String> = ["HEAD~4", "HEAD~3", "HEAD~2"].map(old).to_vec();
    assert_eq!(old("HEAD~1"), sealed[2], "what did not change stays the same");
    let line = |text: &str, key: &str| text.lines().find(|line| line.contains(key)).unwrap().to_owned();
    assert_eq!(line(&sealed[0], "user:"), line(&sealed[1], "user:"));
    assert_ne!(line(&sealed[0], "password:"), line(&sealed[1], "password:"));
    assert_eq!(line(&sealed[1], "password:"), line(&sealed[2], "password:"));
    assert!(!sealed.concat().contains("-one-"));
    for (sealed, plain) in sealed.iter().zip(&versions) {
        repo.folder.write("one.yaml", sealed);
        let open = repo.folder.seal(["decrypt", "one.yaml"]).env("SOPS_AGE_KEY_FILE", identity()).ok();
        assert_eq!(String::from_utf8(open).unwrap(), *plain);
        if peer("sops").is_some() {
            let sops = repo.folder.peer("sops", ["decrypt", "--output-type", "json", "one.yaml"]).unwrap();
            let value: serde_json::Value =
                serde_json::from_slice(&sops.env("SOPS_AGE_KEY_FILE", identity()).ok()).unwrap();
            assert!(plain.contains(value["stringData"]["password"].as_str().unwrap()), "{value}");
            assert!(plain.contains(value["stringData"]["user"].as_str().unwrap()), "{value}");
        }
    }
    // Nobody at hand can open it: said, not refused.
    let again = repo.seal(["scrub", "undo"]).exits(0);
    let unopened = repo.seal(["scrub", "--seal", "--path", "deploy", "-n", "--on-unparsable", "remove"]).exits(0);
    assert!(unopened.stdout_text().contains("unchecked"), "{again}\n{unopened}");
}
