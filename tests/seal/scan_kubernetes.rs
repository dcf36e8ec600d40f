//! `seal scan` of what is known only from the tree that a file lies in: files that should be encrypted, files of a kustomization.

use crate::support::repo::{Repo, places};

const CONFIG: &str = "\
creation_rules:
- path_regex: ^sealed/.*\\.yaml$
  encrypted_regex: ^(data|stringData)$
  age: READER
- age: READER
";
const SECRET: &str = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: db\nstringData:\n  password: canary-Mq71x\n";
const KUSTOMIZATION: &str =
    "secretGenerator:\n- name: app\n  envs:\n  - db.env\n  - sealed.env\n  - local.env\n  - gone.env\n";
const RULES: [&str; 8] =
    ["scan", "--format", "json", "--rule", "sops-expected", "--rule", "kustomize-envs", "--no-allow"];

/// The places where a scan finds what only a tree can tell.
fn found<'a>(repo: &Repo, args: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    places(&repo.seal(RULES.into_iter().chain(args)))
}

/// A repository with a `.sops.yaml` of a reader made for it, not committed yet.
fn repo(repo: Repo) -> Repo {
    repo.seal(["init", "--quiet"]).exits(0);
    let config = std::fs::read_to_string(repo.path(".sops.yaml")).unwrap();
    let at = config.find("age1").unwrap();
    let reader: String = config[at..].chars().take_while(char::is_ascii_alphanumeric).collect();
    repo.write(".sops.yaml", CONFIG.replace("READER", &reader));
    repo
}

#[test]
fn clear_files_of_a_work_tree_that_rules_or_kustomizations_name() {
    let repo = repo(Repo::new());
    repo.write("sealed/clear.yaml", SECRET);
    repo.write("sealed/done.yaml", SECRET);
    repo.write("sealed/config.yaml", SECRET.replace("Secret", "ConfigMap"));
    repo.write("other/clear.yaml", SECRET);
    repo.write("deploy/kustomization.yaml", KUSTOMIZATION);
    repo.write("deploy/db.env", "PASSWORD=canary-Mq71x\n");
    repo.write("deploy/sealed.env", "PASSWORD=canary-Mq71x\n");
    repo.write("deploy/local.env", "PASSWORD=canary-Zq82y\n");
    repo.write(".gitignore", "local.env\n");
    repo.seal(["encrypt", "-i", "sealed/done.yaml", "deploy/sealed.env"]).exits(0);
    repo.git(["add", "--all"]).exits(0);
    let both = ["deploy/kustomization.yaml:4", "sealed/clear.yaml:1"];
    assert_eq!(found(&repo, []), both);
    assert_eq!(found(&repo, ["sealed/clear.yaml"]), both[1..]);
    assert_eq!(found(&repo, ["--staged"]), both);
    repo.commit("all");
    assert_eq!(found(&repo, ["--commits", "HEAD"]), both);
    assert_eq!(found(&repo, ["--history"]), both);
    let human = repo.seal(["scan", "--rule", "sops-expected"]).exits(1);
    assert!(human.stdout_text().contains("seal fix sealed/clear.yaml"), "{human}");
    assert!(!human.stdout_text().contains("canary-Mq71x"), "{human}");

    repo.seal(["fix", "sealed/clear.yaml"]).exits(0);
    repo.seal(["encrypt", "-i", "deploy/db.env"]).exits(0);
    assert_eq!(found(&repo, []), [""; 0]);
    // What is staged is as it was.
    repo.write("deploy/kustomization.yaml", format!("# again\n{KUSTOMIZATION}"));
    repo.git(["add", "deploy/kustomization.yaml"]).exits(0);
    assert_eq!(found(&repo, ["--staged", "--fail-on-preexisting"]), [""; 0]);
    repo.write("deploy/other.env", "TOKEN=canary-Lp93z\n");
    repo.write("deploy/kustomization.yaml", KUSTOMIZATION.replace("gone", "other"));
    repo.git(["add", "--all"]).exits(0);
    assert_eq!(found(&repo, ["--staged"]), ["deploy/kustomization.yaml:7"]);
}

#[test]
fn the_sops_yaml_of_the_same_tree_counts() {
    let repo = repo(Repo::new());
    // It is not staged, so a commit would not have it.
    repo.write("sealed/clear.yaml", SECRET);
    repo.git(["add", "sealed"]).exits(0);
    assert_eq!(found(&repo, ["--staged"]), [""; 0]);
    repo.git(["commit", "--quiet", "--no-verify", "-m", "before the rule"]).exits(0);
    repo.commit("the rule");
    assert_eq!(found(&repo, ["--commits", "HEAD"]), [""; 0]);
    assert_eq!(found(&repo, []), ["sealed/clear.yaml:1"]);
    // The nearest counts, and sees paths from its own folder on.
    repo.write("team/.sops.yaml", std::fs::read_to_string(repo.path(".sops.yaml")).unwrap());
    repo.commit_file("team/sealed/x.yaml", SECRET.replace("Mq71", "Wr64"));
    assert_eq!(found(&repo, ["--commits", "HEAD~1..HEAD"]), ["team/sealed/x.yaml:1"]);
    // One that cannot be read covers nothing.
    repo.write("team/.sops.yaml", "creation_rules: [");
    assert_eq!(found(&repo, ["team"]), [""; 0]);
}

#[test]
fn what_is_pushed_has_no_say_in_what_should_be_encrypted() {
    let repo = repo(Repo::with_remote());
    repo.commit("the rule");
    repo.git(["push", "--quiet", "origin", "main"]).exits(0);
    let old = repo.id("HEAD");
    std::fs::remove_file(repo.path(".sops.yaml")).unwrap();
    let new = repo.commit_file("sealed/clear.yaml", SECRET);
    let remote = repo.folder.path("remote.git");
    repo.git(["push", "--quiet", "origin", "main:refs/heads/other"]).exits(0);
    repo.folder.program("git", ["-C", "remote.git", "update-ref", "-d", "refs/heads/other"]).ok();
    let lines = format!("{old} {new} refs/heads/main\n");
    let step = repo.seal_step(RULES.into_iter().chain(["--pre-receive"])).inside(&remote);
    assert_eq!(places(&step.stdin(&lines).env("GIT_DIR", ".").run()), ["sealed/clear.yaml:1"]);
    assert_eq!(found(&repo, ["--commits", &format!("{old}..{new}")]), [""; 0]);
}

#[test]
fn what_lets_an_object_through_lets_its_keys_through_in_that_place_only() {
    let repo = Repo::new();
    repo.write("a.yaml", SECRET);
    repo.seal(["scan"]).exits(1);
    let ran = repo.seal(["scan", "--format", "json"]);
    let report: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
    let findings = report["findings"].as_array().unwrap();
    let whole = findings.iter().find(|finding| finding["part_of"].is_null()).unwrap();
    assert!(findings.len() > 1, "the object and its key: {ran}");
    repo.seal(["scan", "ignore", whole["fingerprint"].as_str().unwrap(), "--reason", "a sample"]).exits(0);
    repo.seal(["scan"]).exits(0);
    // The same password in another object is another matter.
    repo.write("b.yaml", SECRET.replace("password", "token"));
    repo.seal(["scan"]).exits(1);
}
