//! Words of `seal scan` beside its sources: what is decoded, what time it is, what is unused, progress, git's own files, fetching.

use std::os::unix::fs::{PermissionsExt as _, symlink};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::support::repo::{Repo, places, token};

fn line(number: usize) -> String {
    format!("use {} here\n", token(number))
}

#[test]
fn encodings_are_undone_as_often_as_is_said() {
    let repo = Repo::new();
    let twice = STANDARD.encode(STANDARD.encode(format!("apiVersion: v1\npassword: {}\n", token(1))));
    repo.write("a", format!("blob: {twice}\n"));
    assert_eq!(repo.places(["--decode-depth", "1", "a"]), [""; 0]);
    assert_eq!(repo.places(["--decode-depth", "2", "a"]), ["a:1"]);
    repo.seal(["scan", "--decode-depth", "17"]).exits(2);
    // What holds no image of a word that matters.
    repo.write("b", format!("blob: {}\n", STANDARD.encode(format!("this is just a long text {} x", "q".repeat(9)))));
    repo.write("c", format!("x {}\n", hex(format!("some words before {}", token(2)).as_bytes())));
    assert_eq!(repo.places(["c"]), [""; 0]);
    assert_eq!(repo.places(["--decode", "all", "b", "c"]), ["c:1"]);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn day_of_a_scan_can_be_said() {
    let repo = Repo::new();
    repo.write("a", line(1));
    let json = repo.seal(["scan", "--format", "json", "a"]).exits(1);
    let report: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    let short = report["findings"][0]["short"].as_str().unwrap().to_owned();
    repo.seal(["scan", "ignore", &short, "--reason", "a sample", "--until", "2030-06-01"]).exits(0);
    repo.seal(["scan", "--now", "2030-06-01", "a"]).exits(0);
    repo.seal(["scan", "--now", "2030-06-02T00:00:01Z", "a"]).exits(1);
    repo.seal(["scan", "--now", "soon", "a"]).exits(2);
}

#[test]
fn what_lets_nothing_through_is_told_where_asked_for() {
    let repo = Repo::new();
    repo.write("a", line(1));
    repo.write("b", line(2));
    repo.seal(["scan", "baseline", "write"]).exits(0);
    let with = |more: &[&str]| {
        repo.seal(["scan", "--baseline", ".seal/baseline.json"].into_iter().chain(more.iter().copied()))
    };
    with(&["--fail-on-unused"]).exits(0);
    std::fs::remove_file(repo.path("b")).unwrap();
    repo.write(".sealignore-secrets", "path:gone/** # long gone\n");
    let quiet = with(&[]).exits(0);
    assert!(!quiet.stderr_text().contains("unused"), "{quiet}");
    let told = with(&["--report-unused"]).exits(0).stderr_text();
    assert!(told.contains("unused: .sealignore-secrets:1: long gone"), "{told}");
    assert_eq!(told.matches("of the baseline").count(), 1, "{told}");
    with(&["--fail-on-unused"]).exits(2);
    // Findings come first.
    repo.write("c", line(3));
    with(&["--fail-on-unused"]).exits(1);
}

#[test]
fn progress_is_told_in_lines_of_json() {
    let repo = Repo::new();
    for number in 0..20 {
        repo.write(&format!("f{number}"), "clean\n");
    }
    for words in [&["scan", "--progress", "json"][..], &["scan", "--history", "--progress", "json"]] {
        let text = repo.seal(words.iter().copied()).exits(0).stderr_text();
        let last: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        assert_eq!((&last["ended"], &last["total"]), (&true.into(), &last["done"]), "{text}");
        assert!(last["total"].as_u64().unwrap() > 0, "{text}");
    }
}

#[test]
fn lists_of_gitleaks_become_lists_of_fingerprints() {
    let repo = Repo::new();
    let bad = repo.commit_file("gone", line(1));
    std::fs::remove_file(repo.path("gone")).unwrap();
    repo.commit("gone");
    repo.write("a", format!("first\n{}", line(2)));
    let old = format!("# known\n{bad}:gone:test-token:1\na:test-token:2\nb:test-token:7\n");
    repo.write(".gitleaksignore", old);
    let ran = repo.seal(["scan", "ignore", "--migrate"]).exits(0);
    assert!(ran.stderr_text().contains("2 by fingerprint, 1 not found"), "{ran}");
    std::fs::remove_file(repo.path(".gitleaksignore")).unwrap();
    let new = String::from_utf8(std::fs::read(repo.path(".sealignore-secrets")).unwrap()).unwrap();
    assert!(new.starts_with("# known\nfp:") && new.contains("# not found: b:test-token:7"), "{new}");
    assert_eq!(repo.places([]), [""; 0]);
    assert_eq!(repo.places(["--history"]), [""; 0]);
    // Lines move, and it still counts.
    repo.write("a", format!("one\ntwo\n{}", line(2)));
    assert_eq!(repo.places([]), [""; 0]);
    repo.seal(["scan", "ignore", "--migrate", "missing"]).exits(2);
    repo.seal(["scan", "ignore", "--migrate", "--reason", "x"]).exits(2);
}

#[test]
fn files_of_git_itself_are_looked_through_where_asked() {
    let repo = Repo::new();
    repo.git(["config", "remote.origin.url", &format!("https://ada:{}@example.com/a.git", token(1))]).exits(0);
    repo.write(".git/hooks/post-checkout", format!("#!/bin/sh\ncurl -H {}\n", token(2)));
    repo.write(".git/hooks/x.sample", line(3));
    repo.write(".git/modules/libs/a/config", format!("[remote]\n\turl = https://{}@example.com/\n", token(4)));
    repo.write(".git/modules/libs/a/objects/config", line(5));
    symlink(repo.folder.write("outside", line(6)), repo.path(".git/hooks/linked")).unwrap();
    assert_eq!(repo.places([]), [""; 0]);
    let found = repo.places(["--local"]);
    let line = found.iter().find(|place| place.starts_with(".git/config:")).unwrap().clone();
    assert_eq!(found, [line.as_str(), ".git/hooks/post-checkout:2", ".git/modules/libs/a/config:2"]);
    for source in [&["--history"][..], &["--staged"], &["--commits", "HEAD"]] {
        assert_eq!(repo.places(source.iter().copied().chain(["--local"])), found, "{source:?}");
    }
    // By the rules for URLs as well.
    let ran = repo.seal(["scan", "--local", "--skip-rule", "test-token", "--format", "json"]);
    assert!(places(&ran).iter().any(|place| place.starts_with(".git/config:")), "{ran}");
}

/// A clone whose files were left with the remote, and git told to let it.
fn partial(filter: &str) -> Repo {
    let repo = Repo::new();
    repo.commit_file("deep/er/a", line(1));
    repo.commit_file("deep/er/a", "clean\n");
    repo.git(["config", "uploadpack.allowFilter", "true"]).exits(0);
    repo.git(["config", "uploadpack.allowAnySHA1InWant", "true"]).exits(0);
    let (from, filter) = (format!("file://{}", repo.path("").display()), format!("--filter={filter}"));
    repo.folder.program("git", ["clone", "--quiet", &filter, "--no-checkout", &from, "partial"]).ok();
    Repo { folder: repo.folder, work: "partial".to_owned() }
}

#[test]
fn what_a_partial_clone_left_out_is_fetched_only_where_asked() {
    for filter in ["blob:none", "tree:0"] {
        for source in [&["--history"][..], &["--commits", "HEAD"]] {
            let repo = partial(filter);
            let scan = |more: &[&'static str]| {
                let words = ["scan", "--format", "json", "--settings", "settings.toml"];
                repo.seal(words.into_iter().chain(source.iter().copied()).chain(more.iter().copied()))
            };
            repo.write("settings.toml", crate::support::repo::SETTINGS);
            scan(&[]).exits(3);
            scan(&[]).exits(3);
            let ran = scan(&["--fetch-missing"]).exits(1);
            assert_eq!(places(&ran), ["deep/er/a:1"], "{filter} {source:?} {ran}");
            scan(&[]).exits(1);
        }
    }
    let repo = Repo::new();
    let missing = repo.commit_file("a", line(1));
    let blob = repo.id("HEAD:a");
    std::fs::remove_file(repo.path(format!(".git/objects/{}/{}", &blob[..2], &blob[2..]))).unwrap();
    let ran = repo.seal(["scan", "--commits", &missing, "--fetch-missing"]).exits(3);
    assert!(ran.stderr_text().contains("no partial clone"), "{ran}");
}

#[test]
fn nothing_is_fetched_by_a_program_that_the_repository_names() {
    let repo = partial("blob:none");
    let mark = repo.folder.path("mark");
    let script = repo.folder.write("evil", format!("#!/bin/sh\ntouch {}\nexit 1\n", mark.display()));
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let script = script.display().to_string();
    let scan = || repo.seal(["scan", "--commits", "HEAD", "--fetch-missing"]);
    for (key, value) in [
        ("core.sshCommand", script.clone()),
        ("core.gitProxy", script.clone()),
        ("credential.helper", script.clone()),
        ("credential.https://example.com.helper", script.clone()),
        ("remote.origin.uploadpack", script.clone()),
        ("remote.origin.vcs", "evil".to_owned()),
        ("protocol.ext.allow", "always".to_owned()),
        ("url.ext::evil.insteadOf", "file:".to_owned()),
    ] {
        repo.git(["config", key, &value]).exits(0);
        let ran = scan().exits(3);
        assert!(ran.stderr_text().contains("names a program"), "{key}: {ran}");
        repo.git(["config", "--unset", key]).exits(0);
    }
    repo.write(".git/hooks/reference-transaction", std::fs::read(&script).unwrap());
    std::fs::set_permissions(repo.path(".git/hooks/reference-transaction"), std::fs::Permissions::from_mode(0o755))
        .unwrap();
    repo.git(["config", "remote.origin.url", &format!("ext::{script}")]).exits(0);
    scan().exits(3);
    assert!(!mark.exists());
}

#[test]
fn files_of_well_known_kinds_are_read_as_what_they_are() {
    let repo = Repo::new();
    // What is random in them is of nobody.
    repo.write("prod.tfvars", "db_password = \"kX9#vQ2mLp7w\"\nregion = \"eu-central-1\"\ndb_name = \"orders\"\n");
    repo.write(".env.production", "SECRET_NAME=orders-db\nDB_PASSWORD=kX9vQ2mLp7wZt4\nPUBLIC_KEY=kX9vQ2mLp7wZt5\n");
    let values = "auth:\n  existingSecret: orders-db\n  password: kX9vQ2mLp7wZt6\nredis:\n  password: changeme\n";
    repo.write("chart/values-prod.yaml", values);
    let strings = "Server=db;Database=orders;Integrated Security=SSPI\nServer=db;Password=${DB_PASSWORD};\n\
                   Server=db.internal;Database=orders;User Id=svc;Password=kX9vQ2mLp7wZt7;\n";
    repo.write("app.config", strings);
    let vault =
        "$ANSIBLE_VAULT;1.1;AES256\n".to_owned() + &"62313365396662343061393464336163383764373764613633\n".repeat(4);
    repo.write("group_vars/vault.yml", vault);
    let store = [
        &[0x30, 0x82, 9, 0xcf, 2, 1, 3, 0x30, 0x82, 9, 0x85, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7][..],
        b"\r\x01\x07\x01",
        &[0xa0; 90],
    ]
    .concat();
    repo.write("tls/server.p12", &store);
    repo.write("tls/message.p7m", &store[11..]);
    let ran = repo.seal(["scan", "--format", "json", "--confidence", "low"]).exits(1);
    let expected =
        [".env.production:2", "app.config:3", "chart/values-prod.yaml:3", "prod.tfvars:1", "tls/server.p12:1"];
    assert_eq!(places(&ran), expected);
}
