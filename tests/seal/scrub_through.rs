//! `seal scrub` from the plan to the end, on repositories with all that a repository may have, and while git is at work.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use crate::support::{Folder, Ran};
use crate::switch::{Bed, same};

fn seal(bed: &Bed, words: &[&str]) -> Ran {
    bed.folder.seal(["scrub"].iter().chain(words)).inside(&bed.work()).run()
}

/// Commits that have the folder `deploy`, and its files, whatever leads to them.
fn with_secrets(bed: &Bed) -> Vec<String> {
    let script = "for c in $(git rev-list --all --reflog); do test -z \"$(git ls-tree $c deploy)\" || echo $c; done; \
                  git log --all --reflog --format= --raw --no-abbrev -- deploy | cut -d ' ' -f 4 | grep -v '^0*$'";
    let ids: BTreeSet<String> = bed.sh("work", script).lines().map(str::to_owned).collect();
    assert!(ids.len() > 8, "{ids:?}");
    ids.into_iter().collect()
}

#[test]
fn file_goes_comes_back_and_goes_for_good() {
    for hash in ["sha1", "sha256"] {
        let bed = Bed::untouched(hash, "git reflog expire --expire=never --all; git commit-graph write --reachable");
        let before = bed.state();
        let old = with_secrets(&bed);
        let done = seal(&bed, &["--path", "deploy", "--yes"]).exits(0);
        let plan = done.stdout_text();
        assert!(plan.starts_with("rotate "), "{plan}");
        for part in
            ["remove    deploy", "2 stashes change", "1 note follow", "files     2 versions", "pruned    1 commit"]
        {
            assert!(plan.contains(part), "{part}\n{plan}");
        }
        let said = done.stderr_text();
        for part in
            ["proven ", "deploy/secret.yaml stays on the disk, untracked", "seal scrub undo", "seal scrub finish"]
        {
            assert!(said.contains(part), "{part}\n{said}");
        }
        bed.is_sound();
        let view = bed.view();
        assert_eq!(old.iter().find(|id| view.contains(id.as_str())), None, "{view}");
        assert_eq!(bed.git("log --exclude='refs/seal/*' --all --format=%h -- deploy"), "");
        assert_eq!(bed.git("status --porcelain"), " M a\nM  plain\n?? deploy/\n?? free");
        assert_eq!(bed.git("notes show main~1"), "a note");
        assert_eq!(bed.git("rev-parse v2^{commit}"), bed.git("rev-parse light"));
        assert_eq!(bed.git("stash list").lines().count(), 2);
        assert!(seal(&bed, &["status"]).exits(0).stdout_text().contains("moved; old and new are both kept"));
        seal(&bed, &["undo"]).exits(0);
        same(&bed.state(), &before, "after undo");
        bed.is_sound();

        let reflog = |name: &str| bed.git(&format!("reflog --format=%gs {name}"));
        let logs = [reflog("refs/heads/untouched"), reflog("refs/heads/main"), reflog("refs/heads/topic")];
        seal(&bed, &["finish", "--yes"]).exits(1);
        seal(&bed, &["--path", "deploy", "--yes"]).exits(0);
        seal(&bed, &["finish"]).exits(2);
        let finished = seal(&bed, &["finish", "--yes"]).exits(0);
        assert!(finished.stderr_text().contains("gone "), "{finished}");
        bed.is_sound();
        for id in &old {
            let ran = bed.folder.program("git", ["cat-file", "-e", id]).inside(&bed.work()).run();
            assert_ne!(ran.code, Some(0), "{hash}: {id} is still there");
        }
        assert_eq!([reflog("refs/heads/untouched"), reflog("refs/heads/main"), reflog("refs/heads/topic")], logs);
        assert_eq!(bed.view().lines().count(), view.lines().count());
        assert!(seal(&bed, &["status"]).exits(0).stdout_text().contains("finished"));
        seal(&bed, &["undo"]).exits(1);
        // What was cleaned stays as it is.
        assert!(seal(&bed, &["--path", "deploy", "--yes"]).exits(0).stdout_text().contains("nothing will change"));
    }
}

#[test]
fn bare_repository_goes_the_same_way_in_one_run() {
    for hash in ["sha1", "sha256"] {
        let bed = Bed::untouched(hash, "git clone -q --mirror . ../bare");
        let old = with_secrets(&bed);
        let bare = |words: &str| bed.sh("bare", &format!("git {words}"));
        let seal =
            |words: &[&str]| bed.folder.seal(["scrub"].iter().chain(words)).inside(&bed.folder.path("bare")).run();
        let refs = bare("for-each-ref");
        seal(&["--path", "deploy", "--yes"]).exits(0);
        assert_ne!(bare("for-each-ref"), refs);
        seal(&["undo"]).exits(0);
        assert_eq!(bare("for-each-ref"), refs);
        let finished = seal(&["--path", "deploy", "--yes", "--finish"]).exits(0);
        assert!(finished.stderr_text().contains("seal scrub push"), "{finished}");
        assert!(!finished.stdout_text().contains("nothing left this machine"), "it is a clone of another");
        bare("fsck --full --strict --no-dangling");
        assert_eq!(bare("log --all --format=%h -- deploy"), "");
        for id in old {
            let ran = bed.folder.program("git", ["cat-file", "-e", &id]).inside(&bed.folder.path("bare")).run();
            assert_ne!(ran.code, Some(0), "{hash}: {id} is still there");
        }
    }
}

#[test]
fn what_keeps_an_old_object_is_said() {
    let bed =
        Bed::untouched("sha1", "git rm -q --cached deploy/secret.yaml && cp deploy/secret.yaml twin && git add twin");
    let blob = bed.git("rev-parse HEAD:deploy/secret.yaml");
    seal(&bed, &["--path", "deploy", "--yes"]).exits(0);
    let ran = seal(&bed, &["finish", "--yes"]).exits(1);
    let said = ran.stderr_text();
    assert!(said.contains("NOT CLEAN") && said.contains(&format!("{blob} an index has it as twin")), "{said}");
    assert!(seal(&bed, &["status"]).stdout_text().contains("not all old objects are gone"));
    seal(&bed, &["undo"]).exits(7);
    bed.git("rm -q --cached twin");
    seal(&bed, &["finish", "--yes"]).exits(0);
    bed.is_sound();
}

/// A small repository with a file that goes and one that stays, and a clone that pushes to it.
const RACE: &str = "
git init -q -b main work && cd work && git config user.name ada && git config user.email a@b && git config gc.auto 0
echo one > a && git add a && git commit -qm first && git branch pushed && git clone -q . ../clone
cd ../clone && git config user.name bob && git config user.email b@b && git checkout -q pushed";

#[test]
fn commits_and_pushes_at_the_same_time_are_kept_or_refused() {
    let folder = Folder::new();
    let sh = |inside: &str, script: &str| {
        let step = folder.program("sh", ["-c", script]).inside(&folder.path(inside));
        String::from_utf8_lossy(&step.ok()).trim_end().to_owned()
    };
    sh("", &format!("set -e; {RACE}"));
    let mut done = 0;
    for round in 0..8 {
        sh(
            "work",
            &format!(
                "echo {round} > key && git add key && git commit -qm 'key {round}' && git rm -qf key && git commit -qm 'no key {round}'"
            ),
        );
        // Each prints a line for every commit that it got in.
        let racer = |inside: &str, act: &str| {
            let script = format!(
                "i=0; while [ $i -lt 6 ]; do i=$((i+1)); sleep 0.1; m={inside}-{round}-$i; {act}; done; exit 0"
            );
            let mut racer = Command::new("sh");
            racer.args(["-c", &script]).current_dir(folder.path(inside)).stderr(Stdio::null()).stdout(Stdio::piped());
            racer.spawn().unwrap()
        };
        let racers = [
            racer("work", "git commit -q --allow-empty -m $m && echo $m"),
            racer(
                "clone",
                "git fetch -q && git reset -q --hard origin/pushed && git commit -q --allow-empty -m $m && git push -q origin HEAD:pushed && echo $m",
            ),
        ];
        std::thread::sleep(std::time::Duration::from_millis(7 * round));
        let ran = folder.seal(["scrub", "--path", "key", "--yes"]).inside(&folder.path("work")).run();
        let outputs = racers.map(|racer| racer.wait_with_output().unwrap());
        let logged = sh("work", "git log --format=%s main pushed");
        for message in outputs.iter().flat_map(|output| {
            String::from_utf8_lossy(&output.stdout).into_owned().lines().map(str::to_owned).collect::<Vec<_>>()
        }) {
            assert!(logged.lines().any(|line| line == message), "round {round}: {message} was lost\n{logged}\n{ran}");
        }
        match ran.code {
            Some(0) => done += 1,
            Some(3 | 7 | 8) => assert!(!folder.path("work/.git/packed-refs.lock").exists(), "{ran}"),
            _ => panic!("{ran}"),
        }
        assert_eq!(sh("work", "git fsck --full --strict --no-dangling 2>&1"), "", "{ran}");
        assert_eq!(sh("work", "git status --porcelain"), "", "{ran}");
        // In peace it goes through.
        folder.seal(["scrub", "--path", "key", "--yes"]).inside(&folder.path("work")).run().exits(0);
        assert_eq!(sh("work", "git log --exclude='refs/seal/*' --all --format=%h -- key"), "");
    }
    crate::support::note(&format!("{done} of 8 went through while others were at work"));
}

#[test]
fn what_no_remote_has_is_said_to_have_stayed() {
    let folder = Folder::new();
    let sh = |inside: &str, script: &str| {
        let step = folder.program("sh", ["-c", script]).inside(&folder.path(inside));
        String::from_utf8_lossy(&step.ok()).trim_end().to_owned()
    };
    sh("", &format!("set -e; {RACE}"));
    sh(
        "clone",
        "echo k > key && git add key && git commit -qm key && echo 2 > a && git commit -qam two && echo 3 > a && git add a",
    );
    let seal = |words: &[&str]| {
        folder.seal(["scrub", "--path", "key"].iter().chain(words)).inside(&folder.path("clone")).run()
    };
    let local = "nothing left this machine";
    assert!(seal(&["-n"]).exits(0).stdout_text().contains(local));
    let blob = sh("clone", "git rev-parse HEAD:key");
    let ran = seal(&["--yes", "--finish"]).exits(0);
    assert!(!ran.stderr_text().contains("seal scrub push"), "{ran}");
    assert_eq!(sh("clone", "git log --format=%s"), "two\nfirst");
    assert_eq!(sh("clone", "git status --porcelain"), "M  a\n?? key");
    assert_ne!(folder.program("git", ["cat-file", "-e", &blob]).inside(&folder.path("clone")).run().code, Some(0));
    // Pushed once, and pushed over: it has left.
    sh(
        "clone",
        "git add key && git commit -qm again && git push -q origin HEAD:pushed && git reset -q HEAD~1 && git push -q -f origin HEAD:pushed && git commit -qm third -- a && git add key && git commit -qm once",
    );
    assert!(!seal(&["-n"]).exits(0).stdout_text().contains(local));
}

#[test]
fn names_before_and_after_renames_are_followed_when_asked() {
    let folder = Folder::new();
    let script = "set -e; git init -q -b main work && cd work && git config user.name ada && git config user.email a@b
        seq 1 100 > first && echo other > stays && git add . && git commit -qm 1 && git mv first second && git commit -qm 2
        mkdir d && git mv second d/third && echo 101 >> d/third && git add . && git commit -qm 3
        git mv d/third fourth && echo more >> stays && git commit -qam 4";
    folder.program("sh", ["-c", script]).ok();
    let seal = |words: &[&str]| folder.seal(["scrub"].iter().chain(words)).inside(&folder.path("work")).run().exits(0);
    let names = || {
        String::from_utf8_lossy(
            &folder
                .program("git", ["log", "--exclude=refs/seal/*", "--all", "--format=", "--name-only"])
                .inside(&folder.path("work"))
                .ok(),
        )
        .into_owned()
    };
    let plan = seal(&["--path", "second", "-n"]).stdout_text();
    assert!(plan.contains("stays     first is one of them"), "{plan}");
    let followed = seal(&["--path", "second", "--follow", "--yes"]);
    for name in ["first", "d/third", "fourth"] {
        assert!(followed.stdout_text().contains(&format!("remove    {name}  ")), "{followed}");
        assert!(followed.stderr_text().contains(&format!("follow    {name}, ")), "{followed}");
    }
    assert_eq!(names().lines().collect::<BTreeSet<_>>(), ["stays"].into());
}
