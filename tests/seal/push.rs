//! Real pushes to real remotes: what the hooks stop on both sides, and what they let through.

use std::path::Path;

use crate::support::Ran;
use crate::support::repo::{Repo, token};

fn line(number: usize) -> String {
    format!("use {} here\n", token(number))
}

/// With the hooks in place and a remote that has all there is.
fn guarded() -> Repo {
    let repo = Repo::with_remote();
    repo.seal(["hook", "install"]).exits(0);
    repo
}

fn push<'a>(repo: &Repo, args: impl IntoIterator<Item = &'a str>) -> Ran {
    repo.git(["push", "origin"].into_iter().chain(args))
}

/// Whether a push was stopped by us, in a form that helps and hides what it must.
#[track_caller]
fn stopped(ran: Ran) -> String {
    let ran = ran.exits(1);
    let text = ran.stderr_text();
    assert!(text.contains("stopped: ") && text.contains("failed to push"), "{ran}");
    assert!(text.lines().filter(|line| !line.starts_with("error: failed")).count() <= 20, "{ran}");
    assert!(!text.contains("sealtok_") && !text.contains("no-verify"), "{ran}");
    text
}

#[test]
fn push_with_a_secret_is_stopped_and_the_cleaned_one_goes_through() {
    let repo = guarded();
    let start = repo.id("HEAD");
    let bad = repo.commit_file("a", line(1));
    repo.commit_file("a", "clean\n");
    repo.commit_file("b", "more\n");
    let text = stopped(push(&repo, ["main"]));
    assert!(text.contains("a:1") && text.contains(&bad[..7]) && text.contains("3 new commits"), "{text}");
    assert!(text.contains("the files at HEAD are clean"), "{text}");
    assert!(text.contains(&format!("git rebase -i {}^", &bad[..10])), "{text}");
    assert_eq!(
        repo.folder.program("git", ["-C", "remote.git", "rev-parse", "main"]).ok(),
        format!("{start}\n").as_bytes()
    );
    // As it says: mark the commit, take it out, go on.
    let editor = format!("sed -i 's/^pick {}/edit {}/'", &bad[..7], &bad[..7]);
    let _ =
        repo.git_step(["rebase", "-i", &format!("{}^", &bad[..10])]).env("GIT_SEQUENCE_EDITOR", editor).run().exits(0);
    repo.write("a", "nothing\n");
    repo.git(["commit", "--quiet", "-a", "--amend", "--no-edit"]).exits(0);
    let ran = repo.git_step(["rebase", "--continue"]).env("GIT_EDITOR", "true").run();
    if ran.code != Some(0) {
        // The next commit changed the same line.
        repo.write("a", "clean\n");
        repo.git(["add", "a"]).exits(0);
        let _ = repo.git_step(["rebase", "--continue"]).env("GIT_EDITOR", "true").run().exits(0);
    }
    push(&repo, ["main"]).exits(0);
}

#[test]
fn allowed_and_preexisting_secrets_go_through() {
    let repo = Repo::with_remote();
    repo.commit_file("old", format!("{}a\n", line(1)));
    push(&repo, ["main"]).exits(0);
    repo.seal(["hook", "install"]).exits(0);
    repo.commit_file("old", format!("{}b\n", line(1)));
    push(&repo, ["main"]).exits(0);
    repo.commit_file("a", line(2));
    let text = stopped(push(&repo, ["main"]));
    let allow = text.lines().find_map(|line| line.strip_prefix("false alarm:  seal ")).unwrap();
    let words: Vec<&str> = allow.split_whitespace().take(3).chain(["--reason", "sample"]).collect();
    repo.seal(words).exits(0);
    push(&repo, ["main"]).exits(0);
}

#[test]
fn new_branch_brings_only_what_the_remote_does_not_have() {
    let repo = Repo::with_remote();
    repo.commit_file("old", line(1));
    push(&repo, ["main"]).exits(0);
    repo.seal(["hook", "install"]).exits(0);
    repo.git(["checkout", "--quiet", "-b", "topic"]).exits(0);
    repo.commit_file("b", "clean\n");
    let ran = push(&repo, ["topic"]).exits(0);
    assert!(ran.stderr_text().contains("1 new commit, nothing found"), "{ran}");
    repo.git(["checkout", "--quiet", "-b", "bad"]).exits(0);
    repo.commit_file("c", line(2));
    let text = stopped(push(&repo, ["bad"]));
    assert!(text.contains("1 new commit ") && text.contains("git commit -a --amend"), "{text}");
    // To a remote that is named by its URL only, as well.
    let text = stopped(repo.git(["push", "../remote.git", "bad"]));
    assert!(text.contains("1 new commit "), "{text}");
}

#[test]
fn tags_deletions_and_several_refs_are_one_walk() {
    let repo = guarded();
    repo.commit_file("a", "clean\n");
    repo.git(["tag", "light"]).exits(0);
    push(&repo, ["light"]).exits(0);
    repo.git(["tag", "-a", "annotated", "-m", &format!("release {}", token(1))]).exits(0);
    let text = stopped(push(&repo, ["annotated"]));
    assert!(text.contains("tag "), "{text}");
    repo.git(["tag", "-f", "-a", "annotated", "-m", "release"]).exits(0);
    push(&repo, ["annotated"]).exits(0);
    repo.git(["tag", &token(2)]).exits(0);
    stopped(push(&repo, [token(2).as_str()]));
    repo.git(["checkout", "--quiet", "-b", "one"]).exits(0);
    repo.commit_file("x", line(3));
    repo.git(["checkout", "--quiet", "-b", "two"]).exits(0);
    repo.commit_file("y", line(4));
    let text = stopped(push(&repo, ["one", "two", "main"]));
    assert!(text.contains("2 secrets in 3 new commits") || text.contains("2 secrets in 2 new commits"), "{text}");
    // A deletion brings nothing.
    push(&repo, ["--delete", "light"]).exits(0);
    push(&repo, ["main", ":annotated"]).exits(0);
}

#[test]
fn forced_push_over_what_was_never_fetched_is_looked_through() {
    let repo = guarded();
    // Somebody else moves the branch.
    repo.folder.program("git", ["clone", "--quiet", "remote.git", "other"]).ok();
    let other = Repo { folder: repo.folder, work: "other".to_owned() };
    other.name();
    other.commit_file("theirs", "x\n");
    other.git(["push", "--quiet", "origin", "main"]).exits(0);
    let repo = Repo { folder: other.folder, work: "work".to_owned() };
    repo.commit_file("a", line(1));
    stopped(push(&repo, ["--force", "main"]));
    repo.git(["reset", "--quiet", "--hard", "HEAD~"]).exits(0);
    repo.commit_file("a", "clean\n");
    push(&repo, ["--force", "main"]).exits(0);
}

#[test]
fn history_that_the_remote_gave_up_is_new_to_it_again() {
    let repo = Repo::with_remote();
    let start = repo.id("HEAD");
    repo.commit_file("a", line(1));
    push(&repo, ["main"]).exits(0);
    // The remote was cleaned; this clone has not fetched since.
    repo.folder.program("git", ["-C", "remote.git", "update-ref", "refs/heads/main", &start]).ok();
    repo.seal(["hook", "install"]).exits(0);
    repo.commit_file("b", "clean\n");
    stopped(push(&repo, ["main"]));
}

#[test]
fn shallow_clone_pushes_what_is_new() {
    let repo = Repo::with_remote();
    for number in 0..4 {
        repo.commit_file("a", format!("{number}\n"));
    }
    push(&repo, ["main"]).exits(0);
    let from = format!("file://{}", repo.folder.path("remote.git").display());
    repo.folder.program("git", ["clone", "--quiet", "--depth", "2", &from, "shallow"]).ok();
    let shallow = Repo { folder: repo.folder, work: "shallow".to_owned() };
    shallow.name();
    shallow.seal(["hook", "install"]).exits(0);
    shallow.commit_file("b", "clean\n");
    let ran = push(&shallow, ["main"]).exits(0);
    assert!(ran.stderr_text().contains("1 new commit, nothing found"), "{ran}");
    shallow.commit_file("c", line(1));
    stopped(push(&shallow, ["main"]));
    // All of it is new to a remote that has nothing, and nothing is missing that the push would bring.
    shallow.git(["reset", "--quiet", "--hard", "HEAD~"]).exits(0);
    shallow.seal(["scan", "--commits", "HEAD"]).exits(0);
}

#[test]
fn lines_of_the_hook_are_obeyed_without_a_push() {
    let repo = Repo::with_remote();
    let start = repo.id("HEAD");
    let head = repo.commit_file("a", line(1));
    let zeros = "0".repeat(40);
    let run = |lines: &str| repo.seal_step(["scan", "--pre-push", "origin", "x"]).stdin(lines).run();
    let _ = run(&format!("refs/heads/main {head} refs/heads/main {start}\n")).exits(1);
    let _ = run(&format!("refs/heads/main {head} refs/heads/new {zeros}\n")).exits(1);
    let _ = run(&format!("(delete) {zeros} refs/heads/main {start}\n")).exits(0);
    let _ = run(&format!("refs/heads/main {head} refs/heads/main {head}\n")).exits(0);
    let _ = run(&format!("HEAD~0 {head} refs/heads/main {}\n", "12".repeat(20))).exits(1);
    let _ = run("").exits(0);
    let _ = run("garbage\n").exits(2);
    let _ = run(&format!("refs/heads/main {} refs/heads/main {zeros}\n", "34".repeat(20))).exits(3);
}

#[test]
fn framework_that_keeps_the_lines_to_itself_is_understood() {
    let repo = Repo::with_remote();
    let (start, head) = (repo.id("HEAD"), repo.commit_file("a", line(1)));
    let run = |from: &str, to: &str| {
        let step =
            repo.seal_step(["hook", "run", "pre-push"]).env("PRE_COMMIT_FROM_REF", from).env("PRE_COMMIT_TO_REF", to);
        step.env("PRE_COMMIT_REMOTE_NAME", "origin").env("PRE_COMMIT_REMOTE_URL", "x").run()
    };
    let _ = run(&start, &head).exits(1);
    let _ = run("origin/main", "HEAD").exits(1);
    let _ = run(&start, &start).exits(0);
}

/// A remote that looks through what is pushed to it.
fn guarded_remote() -> Repo {
    let repo = Repo::with_remote();
    let remote = repo.folder.path("remote.git");
    let _ = repo.seal_step(["hook", "install"]).inside(&remote).run().exits(0);
    assert!(remote.join("hooks/pre-receive").is_file());
    repo
}

#[track_caller]
fn refused(repo: &Repo, ran: Ran) -> String {
    let ran = ran.exits(1);
    let text = ran.stderr_text();
    assert!(text.contains("remote: seal: push refused") && text.contains("pre-receive hook declined"), "{ran}");
    assert!(!text.contains("sealtok") && !text.contains("seal····") && !text.contains("ignore"), "{ran}");
    let quarantine = repo.folder.path("remote.git/objects");
    let left = std::fs::read_dir(quarantine)
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("tmp_objdir"));
    assert_eq!(left.count(), 0, "git has thrown away what was refused");
    text
}

#[test]
fn remote_refuses_what_is_pushed_and_takes_the_cleaned_one() {
    let repo = guarded_remote();
    let bad = repo.commit_file("a", line(1));
    repo.commit_file("a", "clean\n");
    let text = refused(&repo, push(&repo, ["main"]));
    assert!(text.contains("a:1") && text.contains(&bad[..10]), "{text}");
    refused(&repo, push(&repo, ["main:refs/heads/other"]));
    repo.git(["reset", "--quiet", "--soft", "HEAD~2"]).exits(0);
    repo.commit("once more");
    push(&repo, ["main"]).exits(0);
    // What is there already stops nothing: new branches of it, deletions.
    push(&repo, ["main:other"]).exits(0);
    push(&repo, [":other"]).exits(0);
    repo.git(["tag", "-a", "v", "-m", &token(4)]).exits(0);
    refused(&repo, push(&repo, ["v"]));
    // git itself names the ref; what the receiving side says must not.
    repo.git(["tag", &token(5)]).exits(0);
    let text = push(&repo, [token(5).as_str()]).exits(1).stderr_text();
    let said: Vec<&str> = text.lines().filter(|line| line.starts_with("remote:")).collect();
    assert!(said.iter().any(|line| line.contains("a name")), "{text}");
    assert!(!said.concat().contains(&token(5)), "{text}");
}

#[test]
fn what_is_pushed_has_no_say_in_what_may_stay() {
    let repo = guarded_remote();
    repo.write("a", line(1));
    let json = repo.seal(["scan", "--format", "json", "a"]).exits(1);
    let report: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    let fingerprint = report["findings"][0]["fingerprint"].as_str().unwrap().to_owned();
    let allow = format!("fp:{fingerprint} # mine\n");
    for (name, content) in [
        (".sealignore-secrets", allow.clone()),
        (".gitleaksignore", "a:test-token:1\n".to_owned()),
        (".seal/scan.toml", "[tune.\"test-token\"]\ndisabled = true\n".to_owned()),
        ("a", format!("use {} here # seal:allow gitleaks:allow\n", token(1))),
    ] {
        repo.write("a", line(1));
        repo.write(name, content);
        repo.commit("opens the door");
        refused(&repo, push(&repo, ["main"]));
        repo.git(["reset", "--quiet", "--hard", "origin/main"]).exits(0);
    }
    // Nor has another branch on which only the entry was pushed before.
    repo.git(["checkout", "--quiet", "-b", "side"]).exits(0);
    repo.commit_file(".sealignore-secrets", &allow);
    push(&repo, ["side"]).exits(0);
    repo.commit_file("a", line(1));
    refused(&repo, push(&repo, ["side"]));
    // On the default branch, whoever may write there has decided.
    repo.git(["checkout", "--quiet", "main"]).exits(0);
    repo.commit_file(".sealignore-secrets", &allow);
    push(&repo, ["main"]).exits(0);
    repo.commit_file("a", line(1));
    push(&repo, ["main"]).exits(0);
}

#[test]
fn quarantine_is_where_the_new_objects_are() {
    let repo = guarded_remote();
    let head = repo.commit_file("a", line(1));
    // Packed and loose alike: git unpacks small pushes.
    for limit in ["1", "1000"] {
        repo.folder.program("git", ["-C", "remote.git", "config", "receive.unpackLimit", limit]).ok();
        refused(&repo, push(&repo, ["main"]));
    }
    let remote = repo.folder.path("remote.git");
    let zeros = "0".repeat(40);
    let lines = format!("{zeros} {head} refs/heads/x\n");
    let run = |objects: &Path| {
        let step = repo.seal_step(["scan", "--pre-receive"]).inside(&remote).stdin(&lines).env("GIT_DIR", ".");
        step.env("GIT_OBJECT_DIRECTORY", objects).env("GIT_ALTERNATE_OBJECT_DIRECTORIES", remote.join("objects")).run()
    };
    let _ = run(&repo.path(".git/objects")).exits(1);
    let _ = run(&repo.folder.path("nowhere")).exits(3);
}

/// The lines that a remote has written of pushes.
fn written(repo: &Repo) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(repo.folder.path("remote.git/seal/receive.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn remote_writes_a_line_for_each_push_that_holds_no_secret() {
    let repo = guarded_remote();
    let bad = repo.commit_file("a", line(1));
    push(&repo, [format!("main:refs/heads/{}", token(1)).as_str()]).exits(1);
    repo.git(["reset", "--quiet", "--hard", "HEAD~"]).exits(0);
    let good = repo.commit_file("a", "clean\n");
    push(&repo, ["main"]).exits(0);
    let lines = written(&repo);
    assert_eq!(lines.len(), 2);
    let (first, second) = (&lines[0], &lines[1]);
    assert_eq!((&first["decision"], &second["decision"]), (&"refused".into(), &"accepted".into()));
    assert_eq!((&first["refs"][0]["new"], &second["refs"][0]["new"]), (&bad.into(), &good.into()));
    assert_eq!(first["findings"][0]["rule"], "test-token");
    assert_eq!((&second["commits"], &second["findings"]), (&1.into(), &serde_json::json!([])));
    assert!(second["seconds"].is_number() && second["time"].is_string(), "{second}");
    assert!(!lines.iter().any(|line| line.to_string().contains(&token(1))), "{lines:?}");
}

#[test]
fn only_who_is_named_pushes_what_is_not_looked_through_and_it_is_written_down() {
    let repo = guarded_remote();
    let config = |name: &str, value: &str| {
        repo.folder.program("git", ["-C", "remote.git", "config", name, value]).ok();
    };
    config("receive.advertisePushOptions", "true");
    repo.commit_file("a", line(1));
    let push_as = |name: &str, option: &str| {
        let step = repo.git_step(["push", "-o", option, "origin", "main"]);
        step.env("GL_USERNAME", name).run()
    };
    let text = refused(&repo, push_as("ada", "seal.skip=a sample"));
    assert!(text.contains("not for you to say"), "{text}");
    config("seal.maySkip", "ada");
    refused(&repo, push_as("bob", "seal.skip=a sample"));
    refused(&repo, push_as("ada", "seal.skip= "));
    refused(&repo, push_as("ada", "other=x"));
    let ran = push_as("ada", "seal.skip=a sample").exits(0);
    assert!(ran.stderr_text().contains("that is written down"), "{ran}");
    let last = written(&repo).pop().unwrap();
    assert_eq!((&last["decision"], &last["reason"]), (&"skipped".into(), &"a sample".into()));
    assert_eq!(last["pusher"], "ada");
}

#[test]
fn push_that_is_more_than_the_remote_looks_through_is_refused_unless_it_says_otherwise() {
    let repo = guarded_remote();
    let config = |name: &str, value: &str| {
        repo.folder.program("git", ["-C", "remote.git", "config", name, value]).ok();
    };
    config("seal.receiveBytes", "20k");
    repo.write("a", "clean\n".repeat(10_000));
    repo.commit("large");
    let text = refused(&repo, push(&repo, ["main"]));
    assert!(text.contains("not everything could be looked through"), "{text}");
    config("seal.receiveIncomplete", "accept");
    push(&repo, ["main"]).exits(0);
    let last = written(&repo).pop().unwrap();
    assert_eq!((&last["decision"], &last["not_scanned"]), (&"accepted".into(), &1.into()));
    // What was looked through still counts.
    repo.write("b", line(1));
    repo.write("c", "more\n".repeat(10_000));
    repo.commit("both");
    refused(&repo, push(&repo, ["main"]));
    // A setting that says nothing stops, and so does a log that cannot be written.
    config("seal.receiveSeconds", "soon");
    let _ = push(&repo, ["main"]).exits(1);
    config("seal.receiveSeconds", "9");
    repo.git(["reset", "--quiet", "--hard", "HEAD~"]).exits(0);
    repo.commit_file("d", "clean\n");
    config("seal.receiveLog", "/dev/null/x");
    let _ = push(&repo, ["main"]).exits(1);
}
