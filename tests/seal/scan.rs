//! `seal scan`: work trees, standard input, archives, what is staged, ranges of commits; and that nothing in them is run.

use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

use crate::support::Folder;
use crate::support::repo::{Repo, SETTINGS, places, token};

fn line(number: usize) -> String {
    format!("use {} here\n", token(number))
}

#[test]
fn work_tree_is_what_git_tracks_or_does_not_ignore() {
    let repo = Repo::new();
    repo.write(".gitignore", "*.log\nbuild/\n");
    repo.write("tracked.log", line(1));
    repo.git(["add", "--force", "tracked.log"]).exits(0);
    repo.write("other.log", line(2));
    repo.write("build/out", line(3));
    repo.write(".hidden/.env", format!("first\n{}", line(4)));
    repo.write("untracked", line(5));
    // Another repository, and a bare one that looks like a part of the tree.
    repo.write("inner/file", line(6));
    repo.git(["init", "--quiet", "inner"]).exits(0);
    repo.folder.write("outside", line(7));
    symlink("../outside", repo.path("link")).unwrap();
    symlink(format!("/{}", token(8)), repo.path("points")).unwrap();
    std::fs::create_dir(repo.path("sub")).unwrap();

    let found = repo.places([]);
    assert_eq!(found, [".hidden/.env:2", "points:1", "tracked.log:1", "untracked:1"]);
    repo.seal(["scan"]).exits(1);
    let found = repo.places(["--ignored", "--nested"]);
    let all =
        [".hidden/.env:2", "build/out:1", "inner/file:1", "other.log:1", "points:1", "tracked.log:1", "untracked:1"];
    assert_eq!(found, all);
    // A file that is named is looked through whatever git thinks of it, and called by its path in the repository.
    assert_eq!(repo.places(["other.log", "link"]), ["link:1", "other.log:1"]);
    symlink("build", repo.path("to-folder")).unwrap();
    assert_eq!(repo.places(["--ignored", "to-folder"]), ["build/out:1"]);
    let piped = "seal scan --format json --rule test-token <(cat ../outside)";
    assert_eq!(places(&repo.at(repo.folder.program("bash", ["-c", piped])).run()).len(), 1);
    // From elsewhere, the settings of what is looked through count.
    let elsewhere = repo.seal_step(["scan", "--format", "json", "work/untracked"]).inside(&repo.folder.path("")).run();
    assert_eq!(places(&elsewhere), ["untracked:1"]);
    let below = repo.seal_step(["scan", "--format", "json", "../.hidden"]).inside(&repo.path("sub")).run();
    assert_eq!(places(&below), [".hidden/.env:2"]);
}

#[test]
fn order_and_bytes_of_a_report_do_not_depend_on_the_number_of_threads() {
    let repo = Repo::new();
    for number in 0..60 {
        let name = format!("d{}/f{number}", number % 7);
        repo.write(&name, line(number % 20).repeat(3));
    }
    let one = repo.seal(["scan", "--format", "json", "--jobs", "1"]).exits(1);
    for jobs in ["2", "4", "13"] {
        assert_eq!(repo.seal(["scan", "--format", "json", "--jobs", jobs]).exits(1).stdout, one.stdout);
    }
}

#[test]
fn what_cannot_be_looked_through_is_never_hidden() {
    let repo = Repo::new();
    // Reading it at its start fails whoever reads.
    let ran = repo.seal(["scan", "/proc/self/mem"]).exits(3);
    assert!(ran.stdout_text().contains("/proc/self/mem"), "{ran}");
    let json = repo.seal(["scan", "--format", "json", "/proc/self/mem"]).exits(3);
    let report: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(report["complete"], false);
    // Findings win, and the gap is still told.
    repo.write("a", line(1));
    let ran = repo.seal(["scan", "/proc/self/mem", "a"]).exits(1);
    assert!(ran.stdout_text().contains("/proc/self/mem"), "{ran}");
    repo.seal(["scan", ".seal"]).exits(0);
}

#[test]
fn wrong_words_and_settings_end_with_2() {
    let repo = Repo::new();
    for words in [
        &["scan", "missing"][..],
        &["scan", "--rule", "test-tokem"],
        &["scan", "--commits", "nothing..main"],
        &["scan", "--format", "jsonn"],
        &["scan", "--fail-on", "terrible"],
        &["scan", "--settings", "missing.toml"],
        &["scan", "--baseline", "missing.json"],
        &["scan", "--staged", "file"],
        &["scan", "--redact=0", ".seal"],
        &["scan", "--show-secrets", ".seal"],
        &["scan", "ignore", "F-000000", "--until", "tomorrow"],
    ] {
        let ran = repo.seal(words.iter().copied()).exits(2);
        assert!(!ran.stderr.is_empty(), "{ran}");
    }
    let ran = repo.seal(["scan", "--rule", "test-tokem"]);
    assert!(ran.stderr_text().contains("did you mean: --rule test-token"), "{ran}");
    let outside = Folder::new();
    let _ = outside.seal(["scan", "--staged"]).run().exits(2);
    repo.write(".seal/scan.toml", "[[rulez]]\n");
    repo.seal(["scan"]).exits(2);
    // A repository has no say in what else of the disk is read.
    repo.folder.write("elsewhere.toml", SETTINGS);
    std::fs::remove_file(repo.path(".seal/scan.toml")).unwrap();
    symlink("../../elsewhere.toml", repo.path(".seal/scan.toml")).unwrap();
    repo.seal(["scan"]).exits(2);
}

#[test]
fn gate_and_filters_decide_what_stops_and_what_is_told() {
    let repo = Repo::new();
    repo.write("a", line(1));
    repo.seal(["scan"]).exits(1);
    repo.seal(["scan", "--fail-on", "critical"]).exits(0);
    repo.seal(["scan", "--fail-on", "high/low"]).exits(1);
    repo.seal(["scan", "--skip-rule", "test-token", "a"]).exits(0);
    let quiet = repo.seal(["scan", "--severity", "critical", "--rule", "test-token", "--format", "json"]).exits(1);
    assert!(places(&quiet).is_empty(), "{quiet}");
    let more = repo.folder.write("more.toml", SETTINGS.replace("test-token", "second").replace("sealtok_", "newtok_"));
    repo.write("b", line(1).replace("sealtok_", "newtok_"));
    let ran = repo.seal(["scan", "--rules", more.to_str().unwrap(), "--rule", "second", "--format", "json"]).exits(1);
    assert_eq!(places(&ran), ["b:1"]);
}

#[test]
fn reports_go_where_they_are_sent_and_hold_no_secret() {
    let repo = Repo::new();
    repo.write("a", line(1));
    let ran = repo.seal(["scan", "-o", "json:out.json", "-o", "sarif:out.sarif", "--stats"]).exits(1);
    let human = ran.stdout_text();
    assert!(human.contains("a:1") && human.contains("token of a test"), "{human}");
    for text in [human, ran.stderr_text()].into_iter().chain(
        ["out.json", "out.sarif"].map(|name| String::from_utf8(std::fs::read(repo.path(name)).unwrap()).unwrap()),
    ) {
        assert!(!text.contains(&token(1)), "{text}");
    }
    let shown = repo.seal(["scan", "--format", "json", "--show-secrets", "a"]).exits(1);
    assert!(shown.stdout_text().contains(&token(1)));
}

#[test]
fn standard_input_has_the_name_it_is_given() {
    let repo = Repo::new();
    let ran = repo.seal_step(["scan", "--format", "json", "--path", "x/y.env", "-"]).stdin(line(1)).run().exits(1);
    assert_eq!(places(&ran), ["x/y.env:1"]);
    let _ = repo.seal_step(["scan", "-"]).stdin("nothing\n").run().exits(0);
}

#[test]
fn large_files_are_looked_through_in_parts_with_the_same_result() {
    let repo = Repo::new();
    let mut text = String::new();
    for number in 0..300 {
        text += &format!("{}{}", "x y\n".repeat(number * 13 % 1000), line(number));
    }
    repo.write("large", &text);
    let whole = repo.seal(["scan", "--format", "json", "large"]).exits(1);
    assert_eq!(places(&whole).len(), 300);
    for size in ["1", "70K", "300000"] {
        assert_eq!(repo.seal(["scan", "--format", "json", "--max-blob", size, "large"]).exits(1).stdout, whole.stdout);
    }
    // One line, longer than what is held in memory at once.
    let mut file = std::fs::File::create(repo.path("line")).unwrap();
    file.write_all(&vec![b' '; 70 << 20]).unwrap();
    file.write_all(line(1).as_bytes()).unwrap();
    assert_eq!(repo.places(["line"]), ["line:1"]);
}

#[test]
fn pictures_are_skipped_and_binaries_are_not() {
    let repo = Repo::new();
    let with = |start: &[u8]| [start, b"\0\0 ", line(1).as_bytes()].concat();
    repo.write("a.png", with(b"\x89PNG\r\n\x1a\n"));
    repo.write("a.bin", with(b"\x7fELF"));
    // A text may begin like a picture, and a picture's name says nothing.
    repo.write("b.gif", format!("GIF89a\n{}", line(1)));
    repo.write("c.jpg", line(1));
    assert_eq!(repo.places([]), ["a.bin:1", "b.gif:2", "c.jpg:1"]);
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        builder.append(&header, *bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

#[test]
fn archives_and_images_are_looked_through_where_asked_and_nothing_is_unpacked() {
    let repo = Repo::new();
    let layer = gzip(&tar(&[("etc/app.env", line(1).as_bytes()), ("../../../escaped", line(2).as_bytes())]));
    let config = format!("{{\"config\":{{\"Env\":[\"A={}\"]}}}}", token(3));
    // As `docker save` writes it; an OCI layout has the same files in a folder.
    let image = tar(&[("blobs/sha256/aa", &layer), ("blobs/sha256/bb", config.as_bytes()), ("manifest.json", b"[]")]);
    repo.write("image.tar", &image);
    repo.write("oci/blobs/sha256/aa", &layer);
    repo.write("oci/oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}");
    repo.seal(["scan", "oci"]).exits(0);
    let found = repo.places(["--archive", "image.tar"]);
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found.contains(&"image.tar!blobs/sha256/aa!etc/app.env:1".to_owned()), "{found:?}");
    assert_eq!(repo.places(["--archive", "oci"]).len(), 2);
    assert!(!repo.folder.path("escaped").exists() && !repo.path("etc").exists());
    repo.seal(["scan", "--archive", "--archive-depth", "1", "image.tar", "--rule", "test-token"]).exits(1);

    repo.write("bomb.gz", gzip(&gzip(&vec![0; 300 << 20])));
    repo.write("cut.tgz", &layer[..layer.len() / 2]);
    for name in ["bomb.gz", "cut.tgz"] {
        let ran = repo.seal(["scan", "--archive", name]);
        assert!(matches!(ran.code, Some(1 | 3)) && ran.stdout_text().contains(name), "{ran}");
    }
}

#[test]
fn staged_is_what_a_commit_would_bring() {
    let repo = Repo::new();
    repo.commit_file("old", format!("{}more\n", line(1)));
    // The index counts, not the work tree.
    repo.write("staged", line(2));
    repo.git(["add", "staged"]).exits(0);
    repo.write("staged", "clean\n");
    repo.write("only-here", line(3));
    repo.write("announced", line(4));
    repo.git(["add", "--intent-to-add", "announced"]).exits(0);
    repo.write("deep/er/file", format!("\n{}", line(5)));
    repo.git(["add", "deep"]).exits(0);
    assert_eq!(repo.places(["--staged"]), ["deep/er/file:2", "staged:1"]);
    repo.commit("all");
    assert_eq!(repo.places(["--staged"]), [""; 0]);

    // What stood there before is told and stops nothing; what moved did too.
    repo.write("old", format!("{}other\n", line(1)));
    repo.git(["add", "old"]).exits(0);
    repo.git(["mv", "staged", "moved"]).exits(0);
    let ran = repo.seal(["scan", "--staged"]).exits(0);
    assert!(ran.stdout_text().contains("old:1"), "{ran}");
    repo.seal(["scan", "--staged", "--fail-on-preexisting"]).exits(1);
    repo.write("old", format!("{}{}", line(1), line(6)));
    repo.git(["add", "old"]).exits(0);
    assert_eq!(repo.places(["--staged"]), ["old:2"]);
    let added =
        repo.seal(["scan", "--staged", "--changed-lines", "--fail-on-preexisting", "--format", "json"]).exits(1);
    assert_eq!(places(&added), ["old:2"]);
}

#[test]
fn all_sides_of_a_conflict_are_looked_through() {
    let repo = Repo::new();
    repo.commit_file("file", "base\n");
    repo.git(["checkout", "--quiet", "-b", "topic"]).exits(0);
    repo.commit_file("file", line(1));
    repo.git(["checkout", "--quiet", "main"]).exits(0);
    repo.commit_file("file", "ours\n");
    repo.git(["merge", "--quiet", "topic"]).exits(1);
    assert_eq!(repo.places(["--staged"]), ["file:1"]);
}

#[test]
fn staged_works_before_the_first_commit_and_in_another_work_tree() {
    let repo = Repo::new();
    repo.git(["checkout", "--quiet", "--orphan", "fresh"]).exits(0);
    repo.write("a", line(1));
    repo.git(["add", "a"]).exits(0);
    assert_eq!(repo.places(["--staged"]), ["a:1"]);
    repo.git(["checkout", "--quiet", "--force", "main"]).exits(0);
    repo.git(["worktree", "add", "--quiet", "../second"]).exits(0);
    let second = Repo { folder: repo.folder, work: "second".to_owned() };
    second.write("b", line(2));
    second.git(["add", "b"]).exits(0);
    assert_eq!(second.places(["--staged"]), ["b:1"]);
}

#[test]
fn range_has_what_any_of_its_commits_brings() {
    let repo = Repo::new();
    let start = repo.commit_file("old", line(0));
    repo.commit_file("gone", line(1));
    std::fs::remove_file(repo.path("gone")).unwrap();
    repo.commit("gone again");
    repo.git(["commit", "--quiet", "--allow-empty", "-m", &format!("subject\n\nbody {}", token(2))]).exits(0);
    repo.git(["-c", &format!("user.name={}", token(3)), "commit", "--quiet", "--allow-empty", "-m", "x"]).exits(0);
    repo.commit_file(&format!("dir/{}", token(4)), "name\n");
    symlink(token(5), repo.path("link")).unwrap();
    repo.commit("link");
    // Neither attributes nor a NUL hide anything.
    repo.write(".gitattributes", "* binary -diff -text\n");
    repo.commit_file("attributes", line(6));
    repo.commit_file("nul", [b"\0".as_slice(), line(7).as_bytes()].concat());
    repo.commit_file("crlf", format!("a\r\nuse {} here\r\n", token(8)));
    let range = format!("{start}..HEAD");
    // The author is the committer too, and the name of a file stands in a message as well.
    let found = repo.places(["--commits", &range]);
    assert_eq!(
        found,
        ["attributes:1", "commit", "commit", "commit", "commit", "crlf:2", "gone:1", "link:1", "name", "nul:1",]
    );
    assert_eq!(repo.places(["--commits", "HEAD^!"]), ["crlf:2"]);
    assert_eq!(repo.places(["--commits", "HEAD~2...HEAD"]), ["crlf:2", "nul:1"]);
    assert_eq!(repo.places(["--commits", "HEAD"]).len(), 11);
    // A clean tip changes nothing of it.
    let ran = repo.seal(["scan", "--commits", &range]).exits(1);
    assert!(ran.stdout_text().contains("gone:1"), "{ran}");
}

#[test]
fn history_has_what_no_branch_leads_to_any_more() {
    let repo = Repo::new();
    repo.commit_file("gone", line(1));
    repo.commit_file("gone", "clean\n");
    repo.write("gone", line(2));
    repo.git(["stash", "--quiet"]).exits(0);
    assert_eq!(repo.places(["--history"]), ["gone:1", "gone:1"]);
    assert_eq!(repo.places([]), [""; 0]);
    repo.git(["stash", "drop", "--quiet"]).exits(0);
    assert_eq!(repo.places(["--history", "--no-cache"]), ["gone:1"]);
    assert_eq!(repo.places(["--history", "--all-objects", "--no-delta-scan"]), ["gone:1", "gone:1"]);
    // A name is found wherever it is.
    let json = repo.seal(["scan", "--history", "--format", "json"]).exits(1);
    let report: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    repo.seal(["scan", "explain", report["findings"][0]["short"].as_str().unwrap()]).exits(0);
    repo.folder.program("git", ["clone", "--quiet", "--bare", "work", "bare.git"]).ok();
    let bare = repo.seal_step(["scan", "--history", "--format", "json"]).inside(&repo.folder.path("bare.git")).run();
    assert_eq!(places(&bare), ["gone:1"]);
}

#[test]
fn merges_are_looked_through_for_what_only_they_bring() {
    let repo = Repo::new();
    repo.commit_file("file", "base\n");
    let start = repo.id("HEAD");
    for branch in ["one", "two", "three"] {
        repo.git(["checkout", "--quiet", "-b", branch, &start]).exits(0);
        repo.commit_file(branch, format!("{branch}\n"));
    }
    repo.git(["checkout", "--quiet", "main"]).exits(0);
    repo.git(["merge", "--quiet", "--no-commit", "--no-ff", "one", "two"]).exits(0);
    repo.write("file", line(1));
    repo.git(["add", "file"]).exits(0);
    repo.git(["commit", "--quiet", "-m", "evil"]).exits(0);
    assert_eq!(repo.places(["--commits", &format!("{start}..HEAD")]), ["file:1"]);
    // Of a merge with what has a secret already, only the other side is new.
    repo.git(["checkout", "--quiet", "three"]).exits(0);
    let before = repo.id("HEAD");
    repo.git(["merge", "--quiet", "--no-ff", "-m", "takes it in", "main"]).exits(0);
    assert_eq!(repo.places(["--commits", &format!("{before}..HEAD")]), ["file:1"]);
    assert_eq!(repo.places(["--commits", "main..HEAD"]), [""; 0]);
}

#[test]
fn secret_that_stood_there_before_the_range_does_not_stop_it() {
    let repo = Repo::new();
    let start = repo.commit_file("file", format!("{}a\n", line(1)));
    repo.commit_file("file", format!("{}b\n", line(1)));
    let range = format!("{start}..HEAD");
    repo.seal(["scan", "--commits", &range]).exits(0);
    repo.seal(["scan", "--commits", &range, "--fail-on-preexisting"]).exits(1);
    repo.git(["mv", "file", "elsewhere"]).exits(0);
    repo.commit("moved");
    repo.seal(["scan", "--commits", &range]).exits(0);
    // The same secret in another file is new.
    repo.commit_file("copy", format!("new\n{}", line(1)));
    repo.seal(["scan", "--commits", &range]).exits(1);
    assert_eq!(repo.places(["--commits", &range]), ["copy:2"]);
}

#[test]
fn repositories_with_long_ids_are_read() {
    let repo = Repo { folder: Folder::new(), work: "work".to_owned() };
    std::fs::create_dir_all(repo.path("")).unwrap();
    repo.git(["init", "--quiet", "--object-format=sha256", "--initial-branch=main", "."]).exits(0);
    repo.name();
    repo.write(".seal/scan.toml", SETTINGS);
    repo.commit("settings");
    let start = repo.id("HEAD");
    repo.commit_file("a", line(1));
    repo.write("b", line(2));
    repo.git(["add", "b"]).exits(0);
    assert_eq!(repo.places(["--commits", &format!("{start}..HEAD")]), ["a:1"]);
    assert_eq!(repo.places(["--staged"]), ["b:1"]);
}

#[test]
fn objects_that_are_not_there_make_a_scan_incomplete() {
    let repo = Repo::new();
    repo.commit_file("a", line(1));
    repo.commit_file("a", "clean\n");
    repo.git(["config", "uploadpack.allowFilter", "true"]).exits(0);
    repo.folder.program("git", ["clone", "--quiet", "--bare", "--filter=blob:none"]).env("GIT_NO_LAZY_FETCH", "1");
    let from = format!("file://{}", repo.path("").display());
    repo.folder.program("git", ["clone", "--quiet", "--filter=blob:none", "--no-checkout", &from, "partial"]).ok();
    let partial = Repo { folder: repo.folder, work: "partial".to_owned() };
    let ran = partial.seal(["scan", "--commits", "HEAD", "--format", "json"]).exits(3);
    let report: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(report["complete"], false);
    assert!(report["not_scanned"].as_array().unwrap().len() >= 3, "{ran}");
}

#[test]
fn replacements_and_grafts_hide_nothing() {
    let repo = Repo::new();
    let start = repo.id("HEAD");
    let secret = repo.commit_file("a", line(1));
    repo.commit_file("a", "clean\n");
    let clean = repo.id("HEAD:a");
    repo.git(["replace", &format!("{secret}:a"), &clean]).exits(0);
    repo.git(["replace", "--graft", "HEAD", &start]).exits(0);
    assert_eq!(repo.places(["--commits", &format!("{start}..HEAD")]), ["a:1"]);
}

#[test]
fn odd_objects_are_reported_and_the_scan_goes_on() {
    let repo = Repo::new();
    let blob = repo.folder.write("blob", line(1));
    let blob = repo.git(["hash-object", "-w", blob.to_str().unwrap()]).exits(0).stdout_text().trim().to_owned();
    let raw: Vec<u8> = (0..20).map(|at| u8::from_str_radix(&blob[at * 2..at * 2 + 2], 16).unwrap()).collect();
    let mut tree = Vec::new();
    // Out of order, twice, and under names that no checkout would make.
    for name in ["zz", "..", ".git", "a/b", "..", "a"] {
        tree.extend_from_slice(format!("100644 {name}\0").as_bytes());
        tree.extend_from_slice(&raw);
    }
    let object = |kind: &str, bytes: &[u8]| {
        let step = repo.git_step(["hash-object", "-w", "--literally", "-t", kind, "--stdin"]).stdin(bytes);
        step.run().exits(0).stdout_text().trim().to_owned()
    };
    let tree_id = object("tree", &tree);
    let start = repo.id("HEAD");
    let commit = |tree: &str, parents: &[&str], author: &str| {
        let parents: String = parents.iter().map(|parent| format!("parent {parent}\n")).collect();
        object("commit", format!("tree {tree}\n{parents}author {author}\ncommitter {author}\n\nodd\n").as_bytes())
    };
    let odd = commit(&tree_id, &[&start], "ada <a@example.com> 99999999999999999 +9999");
    let ran = repo.seal(["scan", "--commits", &format!("{start}..{odd}"), "--format", "json"]).exits(1);
    assert!(!places(&ran).is_empty(), "{ran}");

    let missing = "1234567890".repeat(4);
    let orphan = commit(&tree_id, &[&missing], "ada");
    let ran = repo.seal(["scan", "--commits", &orphan]).exits(1);
    assert!(ran.stdout_text().contains(&missing[..7]), "{ran}");
    let no_tree = commit(&missing, &[&start], "ada <a@example.com> 1 +0000");
    repo.seal(["scan", "--commits", &format!("{start}..{no_tree}")]).exits(3);
    let cut = object("tree", &tree[..tree.len() - 7]);
    let cut = commit(&cut, &[&start], "ada <a@example.com> 1 +0000");
    let ran = repo.seal(["scan", "--commits", &format!("{start}..{cut}")]);
    assert!(matches!(ran.code, Some(1 | 3)), "{ran}");
    // Ten trees that stand for ten billion paths.
    let mut id = object("tree", &[b"100644 leaf\0".as_slice(), &raw].concat());
    for _ in 0..10 {
        let raw: Vec<u8> = (0..20).map(|at| u8::from_str_radix(&id[at * 2..at * 2 + 2], 16).unwrap()).collect();
        let entries: Vec<Vec<u8>> = (0..10).map(|n| [format!("40000 {n}\0").as_bytes(), &raw].concat()).collect();
        id = object("tree", &entries.concat());
    }
    let bomb = commit(&id, &[&start], "ada <a@example.com> 1 +0000");
    let started = std::time::Instant::now();
    let ran = repo.seal(["scan", "--commits", &format!("{start}..{bomb}"), "--rule", "test-token", "--format", "json"]);
    // All bytes were looked at, not all paths: that is said.
    let report: serde_json::Value = serde_json::from_slice(&ran.exits(1).stdout).unwrap();
    assert_eq!(report["complete"], false);
    repo.git(["update-ref", "refs/heads/bomb", &bomb]).exits(0);
    assert!(!repo.places(["--history"]).is_empty());
    repo.git(["symbolic-ref", "HEAD", "refs/heads/bomb"]).exits(0);
    repo.seal(["scan", "--history"]).exits(1);
    repo.seal(["scan", "--staged"]).exits(0);
    assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
}

/// A script that leaves a mark when it is run, and the mark.
fn marker(repo: &Repo) -> (String, std::path::PathBuf) {
    let mark = repo.folder.path("mark");
    let script = repo.folder.write("evil", format!("#!/bin/sh\ntouch {}\nexit 1\n", mark.display()));
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    (script.display().to_string(), mark)
}

#[test]
fn no_program_that_a_repository_names_is_run() {
    let repo = Repo::with_remote();
    repo.commit_file("a", line(1));
    repo.write("b", line(2));
    repo.write(".gitattributes", "* filter=evil diff=evil merge=evil\n");
    let (script, mark) = marker(&repo);
    let included = repo.folder.write("included", format!("[core]\n\tfsmonitor = {script}\n"));
    for key in [
        "core.fsmonitor",
        "core.sshCommand",
        "core.pager",
        "core.editor",
        "core.askPass",
        "core.gitProxy",
        "core.alternateRefsCommand",
        "diff.external",
        "diff.evil.command",
        "diff.evil.textconv",
        "filter.evil.clean",
        "filter.evil.smudge",
        "filter.evil.process",
        "merge.evil.driver",
        "credential.helper",
        "uploadpack.packObjectsHook",
        "gpg.program",
        "sequence.editor",
        "pager.log",
        "alias.config",
        "alias.rev-parse",
        "remote.origin.uploadpack",
        "remote.origin.receivepack",
        "remote.origin.vcs",
        "interactive.diffFilter",
        "trailer.evil.command",
        "browser.evil.cmd",
        "man.evil.cmd",
        "difftool.evil.cmd",
        "mergetool.evil.cmd",
        "init.templateDir",
        "sendemail.smtpServer",
    ] {
        repo.git(["config", key, &script]).exits(0);
    }
    repo.git(["config", "include.path", included.to_str().unwrap()]).exits(0);
    repo.git(["config", "protocol.ext.allow", "always"]).exits(0);
    repo.git(["config", "remote.origin.url", &format!("ext::{script}")]).exits(0);
    for hook in
        ["pre-commit", "pre-push", "commit-msg", "post-index-change", "reference-transaction", "pre-commit.before-seal"]
    {
        let path = repo.write(&format!(".git/hooks/{hook}"), std::fs::read(&script).unwrap());
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let head = repo.id("HEAD");
    let _ = std::fs::remove_file(&mark);
    let zeros = "0".repeat(40);
    let lines = format!("refs/heads/main {head} refs/heads/main {zeros}\n");
    for words in [
        &["scan"][..],
        &["scan", "--nested", "--ignored"],
        &["scan", "--staged"],
        &["scan", "--commits", "HEAD"],
        &["scan", "--unpushed"],
        &["scan", "--pre-push", "origin", "x"],
        &["hook", "run", "pre-commit"],
        &["hook", "run", "pre-push", "origin", "x"],
        &["hook", "status"],
        &["scan", "explain", "F-000000"],
        &["diff"],
        &["doctor"],
    ] {
        let ran = repo.seal_step(words.iter().copied()).stdin(&lines).run();
        assert!(!mark.exists(), "{ran}");
        assert!(ran.code.is_some_and(|code| code <= 9), "{ran}");
    }
    assert_eq!(repo.places(["--commits", "HEAD"]), ["a:1"]);
}

#[test]
fn repositories_of_others_and_planted_bare_ones_are_refused_as_git_does() {
    let repo = Repo::new();
    repo.commit_file("a", line(1));
    repo.folder.program("git", ["init", "--quiet", "--bare", "work/planted"]).ok();
    let planted = repo.path("planted");
    // It is a part of the tree for who looks from above, and its objects are files.
    assert_eq!(repo.places([]), ["a:1"]);
    repo.folder.write("home/.gitconfig", "[safe]\n\tbareRepository = explicit\n");
    let ran = repo.seal_step(["scan", "--commits", "HEAD"]).inside(&planted).run().exits(2);
    assert!(ran.stderr_text().contains("safe.bareRepository"), "{ran}");
    let _ = repo.seal_step(["scan", "--commits", "HEAD"]).inside(&repo.path(".git")).env("GIT_DIR", ".").run().exits(1);

    if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
        return;
    }
    for entry in [repo.path(""), repo.path(".git")] {
        std::os::unix::fs::chown(entry, Some(4711), None).unwrap();
    }
    let git = repo.git(["status"]);
    assert!(git.stderr_text().contains("dubious ownership"), "{git}");
    repo.seal(["scan", "--commits", "HEAD"]).exits(2);
    repo.folder.write(
        "home/.gitconfig",
        format!("[safe]\n\tdirectory = {}\n", repo.path("").canonicalize().unwrap().display()),
    );
    repo.seal(["scan", "--commits", "HEAD"]).exits(1);
}

#[test]
fn submodules_are_not_entered() {
    let repo = Repo::new();
    let other = repo.folder.path("other");
    std::fs::create_dir_all(&other).unwrap();
    let inner = Repo { folder: repo.folder, work: "other".to_owned() };
    inner.git(["init", "--quiet", "--initial-branch=main", "."]).exits(0);
    inner.name();
    inner.commit_file("x", line(1));
    let repo = Repo { folder: inner.folder, work: "work".to_owned() };
    repo.git(["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", "../other", "sub"]).exits(0);
    repo.write(
        ".gitmodules",
        format!("[submodule \"sub\"]\n\tpath = sub\n\turl = https://{}@example.com/\n", token(2)),
    );
    repo.git(["add", ".gitmodules"]).exits(0);
    assert_eq!(repo.places(["--staged"]), [".gitmodules:3"]);
    assert_eq!(repo.places([]), [".gitmodules:3"]);
    assert_eq!(repo.places(["--nested"]), [".gitmodules:3", "sub/x:1"]);
}

#[test]
fn entries_marks_and_baselines_let_through_what_they_name_and_no_more() {
    let repo = Repo::new();
    repo.write("a", line(1));
    repo.write("b", line(2));
    let json = repo.seal(["scan", "--format", "json", "a"]).exits(1);
    let report: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    let short = report["findings"][0]["short"].as_str().unwrap().to_owned();
    let ran = repo.seal(["scan", "ignore", &short, "--reason", "a sample", "--until", "2099-01-01"]).exits(0);
    assert!(ran.stderr_text().contains(".sealignore-secrets"), "{ran}");
    assert_eq!(repo.places([]), ["b:1"]);
    assert_eq!(repo.places(["--no-allow"]), ["a:1", "b:1"]);
    repo.seal(["scan", "--fail-on-unused", "a"]).exits(0);
    std::fs::remove_file(repo.path("a")).unwrap();
    repo.seal(["scan", "--fail-on-unused", ".seal"]).exits(2);
    repo.seal(["scan", "ignore", "F-zzzz-zz"]).exits(1);

    let ran = repo.seal(["scan", "explain", &token(2)]).exits(0);
    assert!(ran.stdout_text().contains("test-token") && !ran.stdout_text().contains(&token(2)), "{ran}");

    repo.seal(["scan", "baseline", "write"]).exits(0);
    let text = String::from_utf8(std::fs::read(repo.path(".seal/baseline.json")).unwrap()).unwrap();
    assert!(!text.contains(&token(2)), "{text}");
    repo.seal(["scan", "--baseline", ".seal/baseline.json"]).exits(0);
    repo.write("c", line(3));
    assert_eq!(repo.places(["--baseline", ".seal/baseline.json"]), ["c:1"]);
    let ran = repo.seal(["scan", "baseline", "diff"]).exits(1);
    assert!(ran.stdout_text().lines().count() == 1 && ran.stdout_text().starts_with('+'), "{ran}");
    std::fs::remove_file(repo.path("b")).unwrap();
    repo.seal(["scan", "baseline", "prune"]).exits(0);
    repo.write("b", line(2));
    assert_eq!(repo.places(["--baseline", ".seal/baseline.json"]), ["b:1", "c:1"]);

    repo.write("b", format!("use {} here # seal:allow=test-token a sample\n", token(2)));
    assert_eq!(repo.places(["b"]), [""; 0]);
    assert_eq!(repo.places(["b", "--no-inline"]), ["b:1"]);
}

#[test]
fn names_of_files_cannot_move_the_cursor() {
    let repo = Repo::new();
    repo.write("a\u{1b}[2Jb\u{202e}c", line(1));
    for words in [&["scan"][..], &["scan", "--format", "github"]] {
        let ran = repo.seal(words.iter().copied()).exits(1);
        let text = ran.stdout_text() + &ran.stderr_text();
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{text:?}");
    }
}
