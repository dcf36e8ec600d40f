//! Where the objects of a repository lie: borrowed from others, cut off, or in Git LFS.

use std::os::unix::fs::symlink;

use sha2::{Digest as _, Sha256};

use crate::support::repo::{Repo, places, token};

fn line(number: usize) -> String {
    format!("use {} here\n", token(number))
}

#[test]
fn objects_of_others_are_borrowed_only_where_the_user_says_so() {
    let repo = Repo::new();
    repo.commit_file("a", line(1));
    repo.folder.program("git", ["clone", "--quiet", "--shared", "work", "borrowing"]).ok();
    let lender = repo.path(".git/objects").canonicalize().unwrap();
    let repo = Repo { folder: repo.folder, work: "borrowing".to_owned() };
    repo.name();
    repo.write("b", line(2));
    repo.git(["add", "b"]).exits(0);
    let sources = [&["--commits", "HEAD"][..], &["--staged"], &["--history"], &["--unpushed"]];
    for source in sources {
        let ran = repo.seal(["scan"].into_iter().chain(source.iter().copied()));
        // Of history, what is here is looked through, and what is found wins.
        assert_eq!(ran.code, Some(if source == ["--history"] { 1 } else { 3 }), "{ran}");
        let text = ran.stderr_text() + &ran.stdout_text();
        assert!(text.contains("seal.alternates"), "{source:?} {ran}");
    }
    // Not its own config has a say in it.
    repo.git(["config", "seal.alternates", lender.to_str().unwrap()]).exits(0);
    repo.seal(["scan", "--commits", "HEAD"]).exits(3);
    repo.folder.write("home/.gitconfig", format!("[seal]\n\talternates = {}\n", lender.display()));
    assert_eq!(repo.places(["--commits", "HEAD"]), ["a:1"]);
    assert_eq!(repo.places(["--staged"]), ["b:1"]);
    assert_eq!(repo.places(["--history"]), ["a:1", "b:1"]);
}

#[test]
fn history_that_was_cut_off_is_whole_as_far_as_it_goes() {
    let repo = Repo::new();
    repo.commit_file("a", line(1));
    repo.commit_file("a", line(2));
    let from = format!("file://{}", repo.path("").display());
    repo.folder.program("git", ["clone", "--quiet", "--depth", "1", &from, "shallow"]).ok();
    let repo = Repo { folder: repo.folder, work: "shallow".to_owned() };
    let found = ["a:1"];
    assert_eq!(repo.places(["--history"]), found);
    assert_eq!(repo.places(["--commits", "HEAD"]), found);
    let ran = repo.seal(["scan", "--history", "--fail-on", "critical"]).exits(0);
    assert!(ran.stderr_text().contains("cut off at 1 commit"), "{ran}");
    repo.seal(["scan", "--commits", "HEAD", "--fail-on", "critical"]).exits(0);
    // The commit's own tree is something else.
    let tree = repo.id("HEAD^{tree}");
    let unpack = "mv .git/objects/pack ../pack && mkdir .git/objects/pack && git unpack-objects -q < ../pack/*.pack";
    let _ = repo.at(repo.folder.program("bash", ["-c", unpack])).run().exits(0);
    std::fs::remove_file(repo.path(format!(".git/objects/{}/{}", &tree[..2], &tree[2..]))).unwrap();
    repo.seal(["scan", "--history", "--fail-on", "critical"]).exits(3);
    repo.seal(["scan", "--commits", "HEAD", "--fail-on", "critical"]).exits(3);
}

#[test]
fn content_in_git_lfs_is_looked_through_where_it_is_here() {
    let repo = Repo::new();
    let store = |repo: &Repo, content: &str| {
        let oid: String = Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect();
        repo.write(&format!(".git/lfs/objects/{}/{}/{oid}", &oid[..2], &oid[2..4]), content);
        oid
    };
    let pointer = |oid: &str| format!("version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize 40\n");
    let start = repo.id("HEAD");
    let oid = store(&repo, &line(1));
    repo.write("large", pointer(&oid));
    repo.write("elsewhere", pointer(&"ab".repeat(32)));
    repo.git(["add", "."]).exits(0);
    assert_eq!(repo.places(["--staged"]), ["large:1"]);
    repo.commit("lfs");
    let range = format!("{start}..HEAD");
    assert_eq!(repo.places(["--commits", &range]), ["large:1"]);
    assert_eq!(repo.places(["--history"]), ["large:1"]);
    let ran = repo.seal(["scan", "--commits", &range, "--format", "json"]).exits(1);
    let report: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!((&report["summary"]["in_lfs"], &report["complete"]), (&1.into(), &true.into()));
    assert_eq!(report["findings"][0]["places"][0]["decode"], serde_json::json!(["git-lfs"]));
    // What was not there when history was found clean counts once it is.
    let other = Repo::new();
    let oid = Sha256::digest(line(2)).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    other.commit_file("large", pointer(&oid));
    let ran = other.seal(["scan", "--history"]).exits(0);
    assert!(ran.stdout_text().contains("1 file in Git LFS and not here"), "{ran}");
    store(&other, &line(2));
    assert_eq!(other.places(["--history"]), ["large:1"]);
    // No link leads out of the store.
    std::fs::remove_dir_all(other.path(".git/lfs")).unwrap();
    other.folder.write(format!("out/{}/{}/{oid}", &oid[..2], &oid[2..4]), line(2));
    std::fs::create_dir_all(other.path(".git/lfs/objects")).unwrap();
    symlink(other.folder.path("out").join(&oid[..2]), other.path(format!(".git/lfs/objects/{}", &oid[..2]))).unwrap();
    assert_eq!(other.places(["--history", "--no-cache"]), [""; 0]);
}

#[test]
fn file_that_a_later_layer_deletes_is_found_and_said_to_be_deleted() {
    let repo = Repo::new();
    let tar = |files: &[(&str, &[u8])]| {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, bytes) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            builder.append_data(&mut header, name, *bytes).unwrap();
        }
        builder.into_inner().unwrap()
    };
    let (one, two, three) = (line(1), line(2), line(3));
    let first = tar(&[("etc/a.env", one.as_bytes()), ("opt/x/b.env", two.as_bytes()), ("kept", three.as_bytes())]);
    let second = tar(&[("etc/.wh.a.env", b""), ("opt/x/.wh..wh..opq", b"")]);
    repo.write("image.tar", tar(&[("one/layer.tar", &first), ("two/layer.tar", &second)]));
    let ran = repo.seal(["scan", "--archive", "--format", "json", "image.tar"]).exits(1);
    assert_eq!(places(&ran).len(), 3);
    let report: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
    for finding in report["findings"].as_array().unwrap() {
        let is_noted = finding["notes"].to_string().contains("a layer of the image deletes the file");
        assert_eq!(is_noted, !finding["places"][0]["path"].as_str().unwrap().ends_with("kept"), "{finding}");
    }
}
