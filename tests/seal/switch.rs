//! Moving all refs at once: all or none, there and back, killed anywhere.
//!
//! The new history is made with plain git, so that what is tested is how it is switched to.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use gix::ObjectId;
use seal::git::{MissingCheckouts, Refs, Repository, RunFolder, SwitchError, SwitchPlan};
use seal::git::{RunState, finish, resume, status, switch, undo};
use seal::scrub::{Mapped, RefMove};

use crate::support::{Folder, note};

const RUN: &str = "20260101T000000-test";

/// All that a repository may have, in the folder `work`, with a second working tree in `other`.
const FIXTURE: &str = r#"
git init -q -b main work && cd work
git config user.name ada && git config user.email ada@example.com && git config gc.auto 0
mkdir deploy && echo one > a && echo 'password: hunter2' > deploy/secret.yaml
printf 'host: x\npassword: hunter2\n' > conf && echo keep > plain
git add . && git commit -qm first && git tag light && git tag -am annotated v1 && git tag -am nested v2 v1
git branch topic && git branch untouched $(git commit-tree -m 'on its own' $(git mktree </dev/null))
echo two >> a && git commit -qam second && git notes add -m 'a note' HEAD
git update-ref refs/pull/7/head HEAD && git update-ref refs/remotes/origin/main HEAD
git symbolic-ref refs/remotes/origin/HEAD refs/remotes/origin/main
git symbolic-ref refs/heads/alias refs/heads/topic && git symbolic-ref refs/heads/nowhere refs/heads/none
git branch only-secret && git pack-refs --all
git worktree add -q ../other topic
(cd ../other && echo three > b && git add b && git commit -qm third && git update-ref refs/worktree/own HEAD \
  && echo staged >> b && git add b)
echo 'stash one' >> a && git stash -q && echo new > u && echo 'x' >> conf && git stash -q -u
git checkout -q only-secret && echo 'password: other' > deploy/more.yaml && git add . && git commit -qm more
git checkout -q main && git update-ref ORIG_HEAD HEAD~1
git commit -q --allow-empty -m third && git update-ref refs/heads/deep/er/ref HEAD
echo edited >> a && echo staged >> plain && git add plain && echo untracked > free
"#;

/// A repository, its new history in the folder of a run, and what became of each object.
pub struct Bed {
    pub folder: Folder,
}

impl Bed {
    fn new(more: &str) -> Self {
        let bed = Self::untouched("sha1", more);
        bed.rewrite();
        bed
    }

    /// One whose new history is not made yet; with ids of that hash.
    pub fn untouched(hash: &str, more: &str) -> Self {
        let bed = Self { folder: Folder::new() };
        let fixture = FIXTURE.replace("git init", &format!("git init --object-format={hash}"));
        bed.sh("", &format!("set -e; {fixture}\n{more}"));
        bed
    }

    pub fn work(&self) -> PathBuf {
        self.folder.path("work")
    }

    fn common(&self) -> PathBuf {
        self.folder.path("work/.git")
    }

    pub fn sh(&self, inside: &str, script: &str) -> String {
        let step = self.folder.program("sh", ["-c", script]).inside(&self.folder.path(inside));
        let step =
            step.env("GIT_AUTHOR_DATE", "2026-01-01T00:00:00Z").env("GIT_COMMITTER_DATE", "2026-01-01T00:00:00Z");
        String::from_utf8_lossy(&step.ok()).into_owned()
    }

    pub fn git(&self, words: &str) -> String {
        self.sh("work", &format!("git {words}")).trim_end().to_owned()
    }

    /// Takes the secrets out of all history: files in `deploy` go, the password in `conf` changes. `only-secret` loses all it has.
    fn rewrite(&self) {
        let run = RunFolder::create(&self.common(), RUN).unwrap();
        let objects = run.objects();
        let quarantine = format!(
            "export GIT_OBJECT_DIRECTORY='{}' GIT_ALTERNATE_OBJECT_DIRECTORIES='{}'",
            objects.display(),
            self.common().join("objects").display()
        );
        let sh = |script: &str| self.sh("work", &format!("{quarantine}; {script}")).trim_end().to_owned();
        let conf = sh("printf 'host: x\\npassword: gone\\n' | git hash-object -w --stdin");
        let mut map: BTreeMap<String, String> = BTreeMap::new();
        map.insert(self.git("rev-parse HEAD:conf"), conf.clone());
        map.insert(self.git("rev-parse HEAD:deploy/secret.yaml"), "-".into());
        let commits = sh("git rev-list --topo-order --reverse --all --reflog");
        for commit in commits.lines() {
            let text = sh(&format!("git cat-file commit {commit}; printf x"));
            let text = text.strip_suffix('x').unwrap();
            let tree = sh(&format!("git ls-tree -r {commit}"));
            let kept = |line: &&str| !line.ends_with("\tdeploy/secret.yaml") && !line.ends_with("\tdeploy/more.yaml");
            let mut entries = String::new();
            for line in tree.lines().filter(kept) {
                let is_old = line.ends_with("\tconf") && sh(&format!("git show {commit}:conf")).contains("hunter2");
                let id = line.split_whitespace().nth(2).unwrap();
                if is_old && !map.contains_key(id) {
                    let new =
                        sh(&format!("git show {commit}:conf | sed 's/hunter2/gone/' | git hash-object -w --stdin"));
                    map.insert(id.into(), new);
                }
                writeln!(entries, "{}", if is_old { line.replace(id, &map[id]) } else { line.into() }).unwrap();
            }
            let new_tree = sh(&format!("git mktree <<'.'\n{entries}.\n"));
            let mut new = String::new();
            for line in text.split_inclusive('\n') {
                let mut words = line.split_whitespace();
                match (words.next(), words.next()) {
                    (Some("tree"), Some(_)) => writeln!(new, "tree {new_tree}").unwrap(),
                    (Some("parent"), Some(old)) => {
                        writeln!(new, "parent {}", map.get(old).map_or(old, |new| new)).unwrap();
                    }
                    _ => new.push_str(line),
                }
            }
            self.folder.write("commit", &new);
            let id = sh("git hash-object -t commit -w --stdin < ../commit");
            if new.ends_with("\nmore\n") {
                map.insert(commit.into(), "-".into());
            } else if id != commit {
                map.insert(commit.into(), id);
            }
        }
        for tag in ["v1", "v2"] {
            let old = self.git(&format!("rev-parse {tag}"));
            let object = self.git(&format!("cat-file tag {tag}"));
            let target = object.split_whitespace().nth(1).unwrap().to_owned();
            self.folder.write("commit", object.replace(&target, &map[&target]) + "\n");
            map.insert(old, sh("git hash-object -t tag -w --stdin < ../commit"));
        }
        sh(
            "cd $GIT_OBJECT_DIRECTORY && find . -type f -path './??/*' | tr -d ./ | git --git-dir=../../.. pack-objects -q pack/pack \
            && rm -rf ??/",
        );
        let lines: String = map.iter().map(|(old, new)| format!("{old} {new}\n")).collect();
        self.folder.write("map", lines);
    }

    /// A copy, in which working trees know each other.
    fn copy(&self) -> Self {
        let copy = Self { folder: Folder::new() };
        let target = copy.folder.path("");
        for name in ["work", "other", "map"] {
            let status = Command::new("cp").arg("-a").arg(self.folder.path(name)).arg(&target).status().unwrap();
            assert!(status.success());
        }
        copy.folder.write("other/.git", format!("gitdir: {}\n", copy.common().join("worktrees/other").display()));
        copy.folder
            .write("work/.git/worktrees/other/gitdir", format!("{}\n", copy.folder.path("other/.git").display()));
        copy
    }

    fn do_it(&self, what: &str) -> Result<seal::git::Switched, SwitchError> {
        act(what, self.folder.path("").as_path())
    }

    /// Everything that undo gives back, to the byte.
    pub fn state(&self) -> String {
        let mut state = self.view();
        for root in ["work", "other"] {
            writeln!(
                state,
                "{}",
                self.sh(root, "sha256sum $(git rev-parse --git-path index) < /dev/null | cut -c -64")
            )
            .unwrap();
        }
        state
            + &self.sh(
                "work/.git",
                "find . -path '*logs/*' -type f | sort | xargs sha256sum; sha256sum *_HEAD; cat config",
            )
    }

    /// Everything that counts, without what git may write in another way.
    pub fn view(&self) -> String {
        let script = "git for-each-ref --format='%(refname) %(objectname) %(symref) %(*objectname)' | grep -v refs/seal/ ; \
             cat $(git rev-parse --git-path HEAD); git ls-files --stage -v; GIT_OPTIONAL_LOCKS=0 git status --porcelain --ignored; \
             git stash list --format='%H %gs'; sha256sum $(git ls-files -o -c) 2>/dev/null; cat $(git rev-parse --git-path ORIG_HEAD) 2>&1";
        ["work", "other"]
            .map(|root| self.sh(root, &format!("echo {root}; {script}; true")))
            .concat()
            .replace(&self.folder.path("").display().to_string(), "")
    }

    pub fn is_sound(&self) {
        let said = self.sh("work", "git fsck --full --strict --no-dangling 2>&1; find .git -name '*.lock' -not -path '.git/seal/*'; ls .git/objects/pack/*.keep 2>/dev/null; true");
        let odd: Vec<&str> =
            said.lines().filter(|line| !line.contains("refs/heads/nowhere") && !line.starts_with("notice:")).collect();
        assert!(odd.is_empty(), "{said}");
    }
}

/// Does it to the repository in a folder.
fn act(what: &str, folder: &Path) -> Result<seal::git::Switched, SwitchError> {
    let repository = Repository::of(&folder.join("work")).unwrap();
    let run = RunFolder::all(&folder.join("work/.git")).unwrap().into_iter().find(|run| run.name() == RUN).unwrap();
    match what {
        "resume" => return resume(&repository, &run),
        "undo" => return undo(&repository, &run),
        _ => {}
    }
    let map = std::fs::read_to_string(folder.join("map")).unwrap();
    let id = |word: &str| ObjectId::from_hex(word.as_bytes()).ok();
    let map: BTreeMap<ObjectId, Option<ObjectId>> =
        map.lines().filter_map(|line| line.split_once(' ')).map(|(old, new)| (id(old).unwrap(), id(new))).collect();
    let every: Vec<ObjectId> = map.keys().copied().collect();
    let refs = Refs::read(&repository)?;
    let moved = refs
        .tips()
        .filter_map(|(name, old)| map.get(&old).map(|new| RefMove { name: name.to_owned(), old, new: *new }));
    let moves: Vec<RefMove> = moved.collect();
    let map = |old: &gix::hash::oid| match map.get(old) {
        None => Mapped::Same,
        Some(None) => Mapped::Gone,
        Some(Some(new)) => Mapped::New(*new),
    };
    if what == "race" {
        let status =
            Command::new("git").args(["branch", "-f", "topic-2", "HEAD"]).current_dir(folder.join("work")).status();
        assert!(status.unwrap().success());
    }
    if what == "finish" {
        let gone: Vec<ObjectId> = every.to_vec();
        let kept = finish(&repository, &run, &map, &gone)?;
        assert_eq!(kept, [], "old objects are left");
        return Ok(seal::git::Switched::default());
    }
    let plan = SwitchPlan {
        repository: &repository,
        run: &run,
        refs: &refs,
        moves: &moves,
        map: &map,
        missing: MissingCheckouts::Refuse,
    };
    switch(&plan)
}

/// Not a test of its own: what others run in a process of its own, which can be killed.
#[test]
fn as_child() {
    let (Some(what), Some(folder)) = (std::env::var("SEAL_TEST_SWITCH").ok(), std::env::var_os("SEAL_TEST_FOLDER"))
    else {
        return;
    };
    assert!(!Path::new("/seal-test-begins").exists());
    if let Err(error) = act(&what, Path::new(&folder)) {
        note(&format!("{error}: {:?}", error.hints()));
    }
}

#[test]
fn there_and_back_is_the_same_to_the_byte() {
    let bed = Bed::new("");
    let before = bed.state();
    let switched = bed.do_it("switch").unwrap();
    assert!(switched.refs > 10, "{switched:?}");
    bed.is_sound();
    let after = bed.view();
    let old = std::fs::read_to_string(bed.folder.path("map")).unwrap();
    for id in old.lines().map(|line| line.split_once(' ').unwrap().0) {
        assert!(!after.contains(id), "{id} is still named:\n{after}");
    }
    assert!(!after.contains("refs/heads/only-secret"), "{after}");
    // Files: what the scrub took stays untracked, what it changed is new, what was edited or staged stays.
    let read = |name: &str| String::from_utf8(bed.folder.read(name)).unwrap();
    assert_eq!(read("work/conf"), "host: x\npassword: gone\n");
    assert_eq!(read("other/conf"), "host: x\npassword: gone\n");
    assert_eq!(read("work/deploy/secret.yaml"), "password: hunter2\n");
    let status = bed.git("status --porcelain");
    assert_eq!(status, " M a\nM  plain\n?? deploy/\n?? free");
    assert_eq!(switched.checkouts[0].untracked, ["deploy/secret.yaml"]);
    assert!(
        switched.checkouts.iter().all(|checkout| checkout.edited.is_empty() && checkout.staged.is_empty()),
        "{switched:?}"
    );
    assert_eq!(bed.git("stash list").lines().count(), 2);
    assert_eq!(bed.git("log --format=%s main"), "third\nsecond\nfirst");
    assert_eq!(bed.git("ls-remote . 'refs/seal/*'"), "", "backups are offered to others");
    // Nothing of before is lost to a collection.
    bed.sh("work", "git gc -q --prune=now && git reflog expire --expire=now --all 2>&1 && git gc -q --prune=now");
    bed.sh("work", "git symbolic-ref -d refs/heads/nowhere && git fsck --full --no-dangling");
    let bed = Bed::new("");
    let before_again = bed.state();
    bed.do_it("switch").unwrap();
    bed.do_it("undo").unwrap();
    same(&bed.state(), &before_again, "after undo");
    bed.is_sound();
    bed.do_it("undo").unwrap();
    bed.do_it("resume").unwrap();
    same(&bed.state(), &before_again, "after undo and resume");
    assert_eq!(before.lines().count(), before_again.lines().count());
}

#[test]
fn after_the_end_old_objects_are_gone_and_reflogs_are_kept() {
    let bed =
        Bed::new("git reflog expire --expire=never --all; git commit-graph write --reachable; git fetch -q . main");
    let lines = |bed: &Bed| bed.sh("work", "cat .git/logs/HEAD | wc -l").trim().parse::<usize>().unwrap();
    let before = lines(&bed);
    bed.do_it("switch").unwrap();
    let view = bed.view();
    bed.do_it("finish").unwrap();
    let names =
        |view: &str| view.lines().filter(|line| !line.contains("ORIG_HEAD")).map(str::to_owned).collect::<Vec<_>>();
    assert!(names(&bed.view()).len() + 4 > names(&view).len());
    bed.is_sound();
    // Only those entries go whose commit went: one of the branch that lost all.
    assert!(lines(&bed) + 2 >= before && lines(&bed) > 3, "{} of {before}", lines(&bed));
    assert!(!bed.common().join("objects/info/commit-graph").exists());
    assert_eq!(bed.sh("work", "git for-each-ref refs/seal; git config transfer.hideRefs || true"), "");
    assert!(!bed.common().join("seal").join(RUN).join("journal").exists());
    assert_eq!(bed.runs(), []);
}

#[test]
fn what_others_changed_stops_it_and_is_left_alone() {
    let bed = Bed::new("");
    let error = bed.do_it("race").unwrap_err();
    assert!(matches!(&error, SwitchError::Moved(names) if names == &["refs/heads/topic-2"]), "{error}");
    assert!(error.to_string().contains("refs/heads/topic-2"));
    assert_eq!(bed.runs(), [RunState::Written]);
    bed.is_sound();
    bed.do_it("switch").unwrap();
    // A commit after the switch is work that undo would lose.
    bed.sh("work", "git commit -qm later");
    let before = bed.state();
    let error = bed.do_it("undo").unwrap_err();
    assert!(matches!(&error, SwitchError::Foreign(names) if names == &["refs/heads/main"]), "{error}");
    assert_eq!(bed.state(), before);
    bed.is_sound();
    // Without it, what was staged since stays staged.
    bed.sh("work", "git reset -q --soft HEAD~1 && echo more > more && git add more");
    bed.do_it("undo").unwrap();
    assert_eq!(bed.git("status --porcelain"), " M a\nA  more\nM  plain\n?? free");
    bed.is_sound();
}

#[test]
fn git_that_is_at_work_stops_it_before_anything_is_changed() {
    let bed = Bed::new("");
    for lock in ["packed-refs.lock", "HEAD.lock", "index.lock", "worktrees/other/HEAD.lock", "refs/heads/main.lock"] {
        let path = bed.folder.write(Path::new("work/.git").join(lock), "");
        let before = bed.state();
        let error = bed.do_it("switch").unwrap_err();
        assert!(matches!(error, SwitchError::Locked(_) | SwitchError::Refused(_)), "{lock}: {error}");
        assert_eq!(bed.state(), before, "{lock}");
        std::fs::remove_file(path).unwrap();
    }
    for (make, clear, said) in [
        ("git rev-parse HEAD > .git/MERGE_HEAD", "rm .git/MERGE_HEAD", "merge"),
        ("mkdir .git/worktrees/other/rebase-merge", "rmdir .git/worktrees/other/rebase-merge", "rebase"),
        ("git rev-parse HEAD > .git/shallow", "rm .git/shallow", "shallow"),
        ("git rev-parse HEAD > .git/info/grafts", "rm .git/info/grafts", "grafts"),
        ("mv ../other ../away", "mv ../away ../other", "other is not there"),
    ] {
        bed.sh("work", make);
        let error = bed.do_it("switch").unwrap_err();
        assert!(matches!(&error, SwitchError::Refused(_)) && error.to_string().contains(said), "{said}: {error}");
        assert!(error.hints().iter().all(|hint| !hint.is_empty()));
        bed.sh("work", clear);
    }
    bed.do_it("switch").unwrap();
    bed.is_sound();
}

/// The calls that change something, as strace names them; `?`: not every machine has it.
const CALLS: &str =
    "linkat,?link,?rename,renameat,renameat2,?unlink,unlinkat,?mkdir,mkdirat,?rmdir,fsync,fchmod,?chmod,write";

impl Bed {
    fn runs(&self) -> Vec<RunState> {
        let repository = Repository::of(&self.work()).unwrap();
        status(&repository).unwrap().into_iter().map(|(_, state)| state).collect()
    }

    /// Does it in a process of its own, under strace with these words.
    fn child(&self, what: &str, strace: &[&str]) {
        let mut command = Command::new("strace");
        command.args(["-f", "-qq", "-o"]).arg(self.folder.path("log")).args(strace);
        command.arg(std::env::current_exe().unwrap()).args(["--exact", "switch::as_child", "--nocapture"]);
        command.env("SEAL_TEST_SWITCH", what).env("SEAL_TEST_FOLDER", self.folder.path(""));
        command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    }

    /// The calls of the thread that does it, each by its name and its number among those of its name.
    fn calls(&self, what: &str) -> Vec<(String, usize)> {
        let copy = self.copy();
        if what == "undo" {
            copy.do_it("switch").unwrap();
        }
        copy.child(what, &["-e", &format!("trace=newfstatat,statx,{CALLS}")]);
        let log = String::from_utf8_lossy(&copy.folder.read("log")).into_owned();
        let thread =
            log.lines().find(|line| line.contains("/seal-test-begins")).and_then(|line| line.split(' ').next());
        let thread = format!("{} ", thread.expect("the child has begun"));
        let mut counts = BTreeMap::<String, usize>::new();
        let mut found = Vec::new();
        let mut has_begun = false;
        for line in log.lines().filter_map(|line| line.strip_prefix(&thread)) {
            has_begun |= line.contains("/seal-test-begins");
            let Some((name, _)) = line.trim_start().split_once('(') else { continue };
            let count = counts.entry(name.to_owned()).or_default();
            *count += 1;
            if has_begun && CALLS.split(',').any(|known| known.trim_start_matches('?') == name) {
                found.push((name.to_owned(), *count));
            }
        }
        assert!(found.len() > 30, "{found:?}");
        found
    }
}

/// Fails with the lines that only one of both has.
#[track_caller]
pub fn same(now: &str, wanted: &str, at: &str) {
    let only = |one: &str, other: &str| -> Vec<String> {
        one.lines().filter(|line| !other.lines().any(|other| other == *line)).map(str::to_owned).collect()
    };
    assert!(now == wanted, "{at}: is\n{:#?}\nand should be\n{:#?}", only(now, wanted), only(wanted, now));
}

fn strace_works() -> bool {
    let works = Command::new("strace").args(["-o", "/dev/null", "true"]).stderr(Stdio::null()).status();
    let works = works.is_ok_and(|status| status.success());
    if !works {
        let skipped = "skipped: strace is not installed, or may not trace here";
        assert!(std::env::var_os("SEAL_REQUIRE_PEERS").is_none(), "{skipped}, and SEAL_REQUIRE_PEERS is set");
        note(skipped);
    }
    works
}

#[test]
fn killed_anywhere_it_is_all_new_or_all_old() {
    if !strace_works() {
        return;
    }
    let bed = Bed::new("");
    let (old_state, old_view) = (bed.state(), bed.view());
    let new = bed.copy();
    new.do_it("switch").unwrap();
    let new_view = new.view();
    let mut kills: Vec<(&str, String, usize)> = Vec::new();
    for what in ["switch", "undo"] {
        kills.extend(bed.calls(what).into_iter().map(|(name, number)| (what, name, number)));
    }
    // Every call takes minutes; by default some, spread evenly.
    let stride = if std::env::var_os("SEAL_REQUIRE_PEERS").is_some() { 1 } else { kills.len().div_ceil(24) };
    let next = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while let Some((what, name, number)) =
                    kills.get(stride * next.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
                {
                    let at = format!("{what} killed at {name} {number}");
                    let killed = bed.copy();
                    let is_undo = *what == "undo";
                    if is_undo {
                        killed.do_it("switch").unwrap();
                    }
                    let inject = format!("inject={name}:signal=KILL:when={number}");
                    killed.child(what, &["-e", &format!("trace={CALLS}"), "-e", &inject]);
                    // It may be a git of ours that was killed, when it wrote the config.
                    let _ = std::fs::remove_file(killed.common().join("config.lock"));
                    let other = killed.copy();
                    let state = killed.runs()[0];
                    if state == RunState::Switching || state == RunState::Undoing {
                        killed.do_it("resume").unwrap_or_else(|error| panic!("{at}: {error}"));
                    }
                    killed.is_sound();
                    let view = killed.view();
                    if view != old_view {
                        same(&view, &new_view, &at);
                    }
                    match other.do_it("undo") {
                        Ok(_) | Err(SwitchError::NotSwitched(_)) => {}
                        Err(error) => panic!("{at}: {error}"),
                    }
                    other.is_sound();
                    same(&other.state(), &old_state, &at);
                }
            });
        }
    });
}

#[test]
fn half_way_git_is_kept_away() {
    if !strace_works() {
        return;
    }
    let bed = Bed::new("");
    bed.sh(
        "",
        "git clone -q work clone && cd clone && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m pushed",
    );
    bed.git("config receive.denyCurrentBranch ignore");
    // The last file that is put in place is the mark that all is done; the locks are given back after it.
    let calls = bed.calls("switch");
    let (name, number) = calls.iter().rfind(|(name, _)| name.starts_with("rename")).unwrap();
    bed.child("switch", &["-e", &format!("inject={name}:signal=KILL:when={number}")]);
    let before = bed.sh("work", "git for-each-ref");
    assert_eq!(bed.runs(), [RunState::Switching]);
    for (inside, words) in [
        ("work", "git commit -q --allow-empty -m late"),
        ("other", "git commit -q --allow-empty -m late"),
        ("work", "git update-ref refs/heads/main HEAD~1"),
        ("work", "git checkout -q -f topic-2 || git add free"),
        ("work", "git pack-refs --all"),
        ("clone", "git push -q origin HEAD:main"),
        ("work", "git branch -D only-secret"),
    ] {
        let ran = bed.folder.program("sh", ["-c", words]).inside(&bed.folder.path(inside)).run();
        assert_ne!(ran.code, Some(0), "{ran}");
    }
    let error = bed.do_it("switch").unwrap_err();
    assert!(matches!(error, SwitchError::Unfinished(_)), "{error}");
    assert_eq!(bed.sh("work", "git for-each-ref"), before);
    bed.do_it("resume").unwrap();
    bed.is_sound();
    assert_eq!(bed.runs(), [RunState::Switched]);
    bed.sh("work", "git commit -q --allow-empty -m later");
}
