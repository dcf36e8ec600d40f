//! `seal hook`: installing, running and taking out, beside hooks of others; and real commits.

use std::os::unix::fs::PermissionsExt as _;

use crate::support::repo::{Repo, token};
use crate::support::repository;

fn line(number: usize) -> String {
    format!("use {} here\n", token(number))
}

fn hook(repo: &Repo, name: &str, text: &str) -> std::path::PathBuf {
    let path = repo.write(name, text);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn commit_with_a_secret_is_stopped() {
    let repo = Repo::new();
    repo.seal(["hook", "install"]).exits(0);
    repo.write("a", line(1));
    repo.git(["add", "a"]).exits(0);
    let ran = repo.git(["commit", "-m", "x"]).exits(1);
    let text = ran.stderr_text();
    assert!(text.contains("commit stopped: 1 secret in what is staged") && text.contains("a:1"), "{ran}");
    assert!(text.lines().count() <= 20 && !text.contains(&token(1)) && !text.contains("no-verify"), "{ran}");
    repo.write("a", "clean\n");
    repo.git(["commit", "-q", "-a", "-m", "x"]).exits(0);
    // What is committed without being added first is looked through in the index that git makes for it.
    repo.write("a", line(2));
    repo.git(["commit", "-a", "-m", "x"]).exits(1);
    repo.git(["commit", "-m", "x", "--", "a"]).exits(1);
    repo.git(["reset", "--quiet", "--hard"]).exits(0);
    std::fs::create_dir(repo.path("sub")).unwrap();
    repo.write("sub/b", line(3));
    repo.git(["add", "sub"]).exits(0);
    let _ = repo.git_step(["commit", "-m", "x"]).inside(&repo.path("sub")).run().exits(1);
}

#[test]
fn message_with_a_secret_is_stopped() {
    let repo = Repo::new();
    repo.seal(["hook", "install"]).exits(0);
    let ran = repo.git(["commit", "--allow-empty", "-m", &format!("try {}", token(1))]).exits(1);
    assert!(ran.stderr_text().contains("commit stopped: 1 secret in its message"), "{ran}");
    // What is shown below the scissors is no part of it.
    repo.commit_file("a", line(2));
    repo.write("a", "clean\n");
    let editor = "sed -i '1i subject'";
    let _ = repo.git_step(["commit", "--quiet", "-a", "-v"]).env("GIT_EDITOR", editor).run().exits(0);
}

#[test]
fn hook_that_stood_there_is_kept_run_and_put_back() {
    let repo = Repo::with_remote();
    let text = "#!/bin/sh\necho \"$0 $*\" >> ../ran\ncat >> ../ran\nexit ${FAIL:-0}\n";
    let files = ["pre-commit", "pre-push", "commit-msg"].map(|name| hook(&repo, &format!(".git/hooks/{name}"), text));
    std::fs::set_permissions(&files[2], std::fs::Permissions::from_mode(0o700)).unwrap();
    let before: Vec<_> = files
        .iter()
        .map(|file| (std::fs::read(file).unwrap(), file.metadata().unwrap().permissions().mode()))
        .collect();
    repo.seal(["hook", "install"]).exits(0);
    let again = repo.seal(["hook", "install"]).exits(0);
    assert!(again.stderr_text().contains("calls seal already"), "{again}");
    repo.write("a", "clean\n");
    repo.git(["add", "a"]).exits(0);
    repo.git(["commit", "--quiet", "-m", "x"]).exits(0);
    repo.git(["push", "--quiet", "origin", "main"]).exits(0);
    let ran = String::from_utf8(repo.folder.read("ran")).unwrap();
    for words in [
        "pre-commit.before-seal",
        "commit-msg.before-seal .git/COMMIT_EDITMSG",
        "pre-push.before-seal origin ../remote.git",
        "refs/heads/main ",
    ] {
        assert!(ran.contains(words), "{words}: {ran}");
    }
    // Its failure stands.
    repo.write("a", "other\n");
    let _ = repo.git_step(["commit", "-a", "-m", "x"]).env("FAIL", "3").run().exits(1);
    // Ours runs also where it is content.
    repo.write("a", line(1));
    repo.git(["commit", "-a", "-m", "x"]).exits(1);
    repo.seal(["hook", "uninstall"]).exits(0);
    repo.seal(["hook", "uninstall"]).exits(0);
    let after: Vec<_> = files
        .iter()
        .map(|file| (std::fs::read(file).unwrap(), file.metadata().unwrap().permissions().mode()))
        .collect();
    assert_eq!(before, after);
    assert_eq!(
        std::fs::read_dir(repo.path(".git/hooks"))
            .unwrap()
            .filter(|entry| { entry.as_ref().unwrap().file_name().to_string_lossy().contains("seal") })
            .count(),
        0
    );
}

#[test]
fn program_beside_a_hook_runs_only_where_git_runs_the_hook() {
    let repo = Repo::new();
    hook(&repo, ".git/hooks/pre-commit.before-seal", "#!/bin/sh\ntouch ../ran\n");
    repo.seal(["hook", "run", "pre-commit"]).exits(0);
    assert!(!repo.folder.path("ran").exists());
}

#[test]
fn folder_of_hooks_is_the_one_that_git_uses() {
    let repo = Repo::new();
    repo.git(["config", "core.hooksPath", "tools/hooks"]).exits(0);
    repo.seal(["hook", "install", "pre-commit"]).exits(0);
    assert!(repo.path("tools/hooks/pre-commit").is_file() && !repo.path(".git/hooks/pre-commit").exists());
    let status = repo.seal(["hook", "status", "--json"]).exits(0);
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!((&status["hooks"][0]["state"], &status["hooks"][1]["state"]), (&"installed".into(), &"absent".into()));
    repo.write("a", line(1));
    repo.git(["add", "a"]).exits(0);
    repo.git(["commit", "-m", "x"]).exits(1);
    // One that other repositories use too is touched only where that is said.
    let shared = repo.folder.path("shared");
    repo.git(["config", "core.hooksPath", shared.to_str().unwrap()]).exits(0);
    repo.seal(["hook", "install"]).exits(7);
    repo.seal(["hook", "install", "--shared"]).exits(0);
    assert!(shared.join("pre-push").is_file());
    // A second work tree has the hooks of the first.
    repo.git(["config", "--unset", "core.hooksPath"]).exits(0);
    repo.git(["worktree", "add", "--quiet", "../second"]).exits(0);
    let second = Repo { folder: repo.folder, work: "second".to_owned() };
    second.seal(["hook", "install"]).exits(0);
    assert!(second.folder.path("work/.git/hooks/pre-commit").is_file());
    second.write("b", line(2));
    second.git(["add", "b"]).exits(0);
    second.git(["commit", "-m", "x"]).exits(1);
}

#[test]
fn managers_of_hooks_are_left_their_files_and_shown_what_to_write() {
    let repo = Repo::new();
    repo.git(["config", "core.hooksPath", ".husky/_"]).exits(0);
    let ran = repo.seal(["hook", "install"]).exits(7);
    assert!(ran.stderr_text().contains("--print husky"), "{ran}");
    for manager in ["husky", "lefthook", "pre-commit", "plain"] {
        let ran = repo.seal(["hook", "install", "--print", manager]).exits(0);
        assert!(ran.stdout_text().contains("seal hook run pre-commit"), "{ran}");
    }
    let _: serde_json::Value =
        serde_yaml::from_slice(&repo.seal(["hook", "install", "--print", "lefthook"]).stdout).unwrap();
    let hooks: Vec<serde_json::Value> =
        serde_yaml::from_str(&std::fs::read_to_string(repository(".pre-commit-hooks.yaml")).unwrap()).unwrap();
    let ids: Vec<_> = hooks.iter().map(|hook| hook["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["seal-scan", "seal-check-encrypted", "seal-scan-push"]);
    for hook in hooks {
        let words: Vec<&str> = hook["entry"].as_str().unwrap().split_whitespace().skip(1).collect();
        let ran = repo.seal_step(words).stdin("").run();
        assert!(matches!(ran.code, Some(0..=2)) && !ran.stderr_text().contains("Usage:"), "{ran}");
    }
}

#[test]
fn hook_without_seal_in_the_path_stops_rather_than_lets_through() {
    let repo = Repo::new();
    repo.seal(["hook", "install"]).exits(0);
    repo.write("a", line(1));
    repo.git(["add", "a"]).exits(0);
    let path = "/usr/bin:/bin";
    let ran = repo.git_step(["commit", "-m", "x"]).env("PATH", path).run();
    assert!(ran.code != Some(0), "{ran}");
}
