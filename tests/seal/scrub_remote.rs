//! A remote and colleagues after history was rewritten: what is pushed, what may not come back, and how a clone follows.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::support::repo::{Repo, token};

/// Two clones of a bare remote whose history has a leak, and what is above it.
struct Team {
    ours: Repo,
    /// The first commit with the leak.
    leak: String,
    /// One that has nothing but the leak, and of which nothing is left.
    pruned: String,
}

impl Team {
    fn new() -> Self {
        let ours = Repo::with_remote();
        ours.commit_file("a", "1\n");
        ours.write("b", "x\n");
        let leak = ours.commit_file("secret", format!("use {}\n", token(1)));
        let pruned = ours.commit_file("secret", format!("really use {}\n", token(1)));
        ours.commit_file("a", "2\n");
        ours.git(["tag", "-a", "-m", "v1", "v1"]).exits(0);
        ours.git(["tag", "light"]).exits(0);
        ours.git(["branch", "side"]).exits(0);
        ours.commit_file("a", "3\n");
        ours.git(["push", "--quiet", "origin", "main", "side", "v1", "light"]).exits(0);
        Self { ours, leak, pruned }
    }

    /// Another clone.
    fn colleague(&self) -> Clone<'_> {
        self.ours.folder.program("git", ["clone", "--quiet", "remote.git", "colleague"]).ok();
        let clone = Clone { team: self, root: self.ours.folder.path("colleague") };
        for (name, value) in [("user.name", "bob"), ("user.email", "bob@example.com"), ("commit.gpgsign", "false")] {
            clone.git(["config", name, value]).exits(0);
        }
        clone
    }

    fn scrub(&self) {
        self.ours.seal(["scrub", "--path", "secret", "--yes"]).exits(0);
    }

    fn remote<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> crate::support::Ran {
        self.ours.at(self.ours.folder.program("git", words)).inside(&self.ours.folder.path("remote.git")).run()
    }

    /// What the remote has, a line each.
    fn refs(&self) -> String {
        self.remote(["for-each-ref", "--format=%(refname) %(objectname)"]).exits(0).stdout_text()
    }

    /// A file of the last run.
    fn file(&self, name: &str) -> PathBuf {
        let told = self.ours.seal(["scrub", "report"]).exits(0).stdout_text();
        let end = format!("/{name}");
        let path = told.lines().find_map(|line| line.ends_with(&end).then(|| line.split_whitespace().last())).flatten();
        PathBuf::from(path.unwrap_or_else(|| panic!("{name}: {told}")))
    }

    /// seal looks at what the remote receives.
    fn guard(&self) {
        let seal = self.ours.at(self.ours.folder.seal(["hook", "install"]));
        let _ = seal.inside(&self.ours.folder.path("remote.git")).run().exits(0);
        let settings = std::fs::read(self.ours.path(".seal/scan.toml")).unwrap();
        std::fs::create_dir_all(self.ours.folder.path("remote.git/seal")).unwrap();
        std::fs::write(self.ours.folder.path("remote.git/seal/scan.toml"), settings).unwrap();
        let list = self.ours.seal(["scrub", "ban", "export"]).exits(0).stdout;
        let import = self.ours.at(self.ours.folder.seal(["scrub", "ban", "import", "-"])).stdin(list);
        let _ = import.inside(&self.ours.folder.path("remote.git")).run().exits(0);
    }
}

struct Clone<'a> {
    team: &'a Team,
    root: PathBuf,
}

impl Clone<'_> {
    fn git<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> crate::support::Ran {
        self.team.ours.at(self.team.ours.folder.program("git", words)).inside(&self.root).run()
    }

    fn seal<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> crate::support::Ran {
        self.team.ours.at(self.team.ours.folder.seal(words)).inside(&self.root).run()
    }

    fn commit(&self, name: &str, text: &str) -> String {
        std::fs::write(self.root.join(name), text).unwrap();
        self.git(["add", "--all"]).exits(0);
        self.git(["commit", "--quiet", "--no-verify", "-m", &format!("{name} of bob")]).exits(0);
        self.id("HEAD")
    }

    fn id(&self, name: &str) -> String {
        self.git(["rev-parse", "--verify", name]).exits(0).stdout_text().trim().to_owned()
    }

    fn has_old(&self, of: &str) -> bool {
        self.git(["rev-list", of]).exits(0).stdout_text().contains(&self.team.leak)
    }
}

fn program(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn push_moves_what_the_remote_has_and_nothing_else() {
    let team = Team::new();
    team.remote(["update-ref", "refs/pull/1/head", "refs/heads/main"]).exits(0);
    team.ours.git(["branch", "private"]).exits(0);
    team.ours.commit_file("mine", "not pushed\n");
    team.scrub();
    let ran = team.ours.seal(["scrub", "push"]).exits(0);
    let before = team.refs();
    assert!(ran.stderr_text().contains("nothing has changed"), "{ran}");
    // Its hooks run; ours is one of them.
    team.ours.seal(["hook", "install"]).exits(0);
    let ran = team.ours.seal(["scrub", "push", "--yes"]).exits(0);
    let (table, after) = (ran.stdout_text(), team.refs());
    assert!(
        table.contains("refs/heads/side  will be pushed") && table.contains("refs/pull/1/head  not by a push"),
        "{ran}"
    );
    assert!(!table.contains("private") && !after.contains("private") && !after.contains("refs/seal"), "{ran}\n{after}");
    let id = |name: &str| team.ours.id(name);
    let expected = [
        format!("refs/heads/main {}", id("main~1")),
        format!("refs/heads/side {}", id("side")),
        format!("refs/tags/light {}", id("light")),
        format!("refs/tags/v1 {}", id("v1")),
    ];
    let others =
        |refs: &str| refs.lines().filter(|line| !line.contains("/pull/")).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(others(&after), expected);
    assert!(others(&before).iter().zip(&expected).all(|(old, new)| old != new));
    let pull = before.lines().find(|line| line.contains("/pull/")).unwrap();
    assert!(after.contains(pull));
    let again = team.ours.seal(["scrub", "push", "--yes"]).exits(0);
    assert!(again.stderr_text().contains("nothing   to push"), "{again}");
    // After the end of the run it is known as well what is old.
    team.remote(["update-ref", "refs/heads/side", &format!("{}~1", team.leak)]).exits(0);
    team.remote(["update-ref", "refs/heads/back", &team.leak]).exits(0);
    team.ours.seal(["scrub", "push", "--yes"]).exits(0);
    assert!(!team.remote(["rev-list", "--branches"]).stdout_text().contains(&team.leak));
}

#[test]
fn push_overwrites_nothing_that_others_pushed() {
    let team = Team::new();
    let colleague = team.colleague();
    team.scrub();
    colleague.commit("c", "work\n");
    colleague.git(["push", "--quiet", "origin", "main"]).exits(0);
    let before = team.refs();
    let ran = team.ours.seal(["scrub", "push", "--yes"]).exits(7);
    let text = ran.stderr_text();
    assert!(text.contains("refs/heads/main") && text.contains("bob") && text.contains("c of bob"), "{ran}");
    assert!(text.contains("--fetch") && !text.contains(&token(1)), "{ran}");
    assert_eq!(team.refs(), before);
    // The same once more with what is there now.
    team.ours.seal(["scrub", "--path", "secret", "--yes", "--fetch"]).exits(0);
    team.ours.seal(["scrub", "push", "--yes"]).exits(0);
    let log = team.remote(["log", "--format=%s", "main"]).exits(0).stdout_text();
    assert!(log.starts_with("c of bob\n"), "{log}");
    assert!(!team.remote(["rev-list", "--all"]).stdout_text().contains(&team.leak));
}

#[test]
fn ref_that_moves_during_the_push_stops_all_of_it() {
    let team = Team::new();
    team.scrub();
    let colleague = team.colleague();
    let work = colleague.commit("c", "work\n");
    // Between the look and the push.
    let hook = team.ours.path(".git/hooks/pre-push");
    program(&hook, &format!("#!/bin/sh\ngit --git-dir=../remote.git fetch -q ../colleague +{work}:refs/heads/main\n"));
    let side = team.remote(["rev-parse", "side"]).stdout_text();
    let ran = team.ours.seal(["scrub", "push", "--yes"]).exits(7);
    assert!(ran.stderr_text().contains("c of bob"), "{ran}");
    assert_eq!(team.remote(["rev-parse", "main"]).stdout_text().trim(), work);
    assert_eq!(team.remote(["rev-parse", "side"]).stdout_text(), side);
}

#[test]
fn remote_that_cannot_do_all_at_once_gets_ref_by_ref() {
    let team = Team::new();
    team.remote(["config", "receive.advertiseAtomic", "false"]).exits(0);
    program(
        &team.ours.folder.path("remote.git/hooks/update"),
        "#!/bin/sh\ntest \"$1\" != refs/heads/side || test -e open || { echo protected >&2; exit 1; }\n",
    );
    team.scrub();
    let ran = team.ours.seal(["scrub", "push", "--yes"]).exits(7);
    let text = ran.stderr_text();
    assert!(
        text.contains("only 3 refs were pushed") && text.contains("refs/heads/side") && text.contains("protected"),
        "{ran}"
    );
    std::fs::write(team.ours.folder.path("remote.git/open"), "").unwrap();
    let ran = team.ours.seal(["scrub", "push", "--yes"]).exits(0);
    assert!(ran.stderr_text().contains("pushed    1 ref of origin"), "{ran}");
    let journal = std::fs::read_to_string(team.file("report.md").with_file_name("pushed")).unwrap();
    assert_eq!(journal.lines().count(), 4, "{journal}");
    assert!(!team.remote(["rev-list", "--all"]).stdout_text().contains(&team.leak));
}

#[test]
fn refs_of_the_host_are_fetched_rewritten_and_told() {
    let team = Team::new();
    let colleague = team.colleague();
    colleague.commit("c", "proposal\n");
    colleague.git(["push", "--quiet", "origin", "HEAD:refs/pull/7/head"]).exits(0);
    let ran = team.ours.seal(["scrub", "--path", "secret", "--yes", "--fetch"]).exits(0);
    assert!(ran.stdout_text().contains("cannot    1 ref of the host"), "{ran}");
    let ran = team.ours.seal(["scrub", "push", "--yes"]).exits(0);
    assert!(ran.stdout_text().contains("refs/pull/7/head  not by a push"), "{ran}");
    let request = std::fs::read_to_string(team.file("support-request-github.md")).unwrap();
    assert!(request.contains("Pull requests affected: 1") && request.contains(&team.leak), "{request}");
    // All of a request's files can be read by their owner alone.
    assert_eq!(team.file("commit-map").metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let map = std::fs::read_to_string(team.file("commit-map")).unwrap();
    assert!(map.starts_with("old  ") && map.lines().all(|line| line.len() == 81 || line.ends_with("new")), "{map}");
}

#[test]
fn undo_lifts_the_bans() {
    let team = Team::new();
    team.scrub();
    let list = team.ours.seal(["scrub", "ban", "list"]).exits(0).stdout_text();
    assert!(list.contains(&team.leak), "{list}");
    team.ours.seal(["scrub", "undo"]).exits(0);
    assert_eq!(team.ours.seal(["scrub", "ban", "list"]).exits(0).stdout_text(), "");
    team.ours.seal(["scrub", "report"]).exits(1);
    team.ours.seal(["scrub", "push"]).exits(1);
}

#[test]
fn list_of_bans_is_kept_by_hand_too() {
    let team = Team::new();
    let blob = team.ours.id("HEAD:secret");
    team.ours.seal(["scrub", "ban", "add", &blob, "--reason", "it is live", "--until", "2020-01-01"]).exits(0);
    let list = team.ours.seal(["scrub", "ban", "list"]).exits(0).stdout_text();
    assert!(list.contains(&format!("{blob}  blob    2020-01-01  it is live  (over)")), "{list}");
    team.ours.seal(["scrub", "ban", "add", "abc"]).exits(2);
    team.ours.seal(["scrub", "ban", "add", &blob, "--until", "soon"]).exits(2);
    team.ours.seal(["scrub", "ban", "remove", &blob]).exits(0);
    team.ours.seal(["scrub", "ban", "remove", &blob]).exits(1);
    let _ = team.ours.seal_step(["scrub", "ban", "import", "-"]).stdin("x\n").run().exits(3);
    // A list that the config names holds too.
    team.ours.commit_file("again", "what is not to come\n");
    let again = team.ours.id("HEAD:again");
    team.ours.write("bans", format!("{again} blob - it is live\n"));
    team.ours.git(["config", "seal.ban", "../bans"]).exits(0);
    team.ours.seal(["hook", "install", "pre-push"]).exits(0);
    let ran = team.ours.git(["push", "origin", "main:refs/heads/new"]).exits(1);
    assert!(ran.stderr_text().contains("content that was taken out"), "{ran}");
}

#[test]
fn old_history_does_not_come_back_and_a_clone_follows() {
    let team = Team::new();
    // The scan finds it, and it goes.
    assert!(team.ours.places(["--history"]).contains(&"secret:1".to_owned()));
    let colleague = team.colleague();
    let old_tip = colleague.id("main");
    colleague.commit("c", "work\n");
    colleague.git(["checkout", "--quiet", "-b", "topic", &team.leak]).exits(0);
    colleague.commit("d", "work\n");
    colleague.git(["merge", "--quiet", "--no-edit", "main"]).exits(0);
    let (topic, topic_tree) = (colleague.id("topic"), colleague.id("topic:c"));
    colleague.git(["tag", "mine", "topic~1"]).exits(0);
    colleague.git(["branch", "pruned", &team.pruned]).exits(0);
    std::fs::write(colleague.root.join("a"), "not committed\n").unwrap();
    team.scrub();
    team.ours.seal(["scrub", "push", "--yes"]).exits(0);
    team.guard();
    // From the old clone it does not come back: not as it is, not merged, not forced.
    for what in ["topic", "topic:refs/heads/x", "+main"] {
        let ran = colleague.git(["push", "origin", what]).exits(1);
        assert!(ran.stderr_text().contains("seal scrub adopt"), "{ran}");
        assert!(!ran.stderr_text().contains(&token(1)), "{ran}");
    }
    colleague.git(["fetch", "--quiet", "origin"]).exits(0);
    colleague.git(["stash", "--quiet"]).exits(0);
    colleague.git(["checkout", "--quiet", "-b", "merged", "main"]).exits(0);
    colleague
        .git(["merge", "--quiet", "--no-edit", "-X", "ours", "--allow-unrelated-histories", "origin/main"])
        .exits(0);
    colleague.git(["push", "origin", "merged"]).exits(1);
    colleague.git(["checkout", "--quiet", "topic"]).exits(0);
    colleague.git(["branch", "--quiet", "-D", "merged"]).exits(0);
    colleague.git(["stash", "pop", "--quiet"]).exits(0);
    // Its own hook knows as well once it has the list.
    let list = team.ours.seal(["scrub", "ban", "export"]).exits(0).stdout;
    std::fs::write(colleague.root.join("../list"), list).unwrap();
    colleague.seal(["scrub", "ban", "import", "../list"]).exits(0);
    colleague.seal(["hook", "install", "pre-push"]).exits(0);
    let ran = colleague.git(["push", "origin", "topic"]).exits(1);
    assert!(ran.stderr_text().contains("push to origin stopped: it brings back"), "{ran}");
    // The clone follows, with all that is its own.
    let map = team.file("commit-map");
    let ran = colleague.seal(["scrub", "adopt", map.to_str().unwrap()]).exits(0);
    for name in ["main", "topic", "pruned", "mine", "v1", "light"] {
        assert!(!colleague.has_old(name), "{name}: {ran}");
    }
    assert_eq!(colleague.git(["log", "--format=%s", "main"]).stdout_text().lines().next(), Some("c of bob"));
    let parents = colleague.git(["log", "-1", "--format=%P", "topic"]).stdout_text();
    assert_eq!(parents.split_whitespace().count(), 2, "{ran}");
    assert_eq!(colleague.id("topic:c"), topic_tree);
    assert_eq!(std::fs::read_to_string(colleague.root.join("a")).unwrap(), "not committed\n");
    assert_eq!(colleague.id("v1"), team.ours.id("v1"));
    let kept = colleague.git(["for-each-ref", "--format=%(objectname)", "refs/seal/backup"]).stdout_text();
    assert!(kept.contains(&topic), "{kept}");
    colleague.git(["push", "--quiet", "origin", "main", "topic"]).exits(0);
    let again = colleague.seal(["scrub", "adopt", map.to_str().unwrap()]).exits(0);
    assert!(again.stderr_text().contains("no branch or tag"), "{again}");
    colleague.seal(["scrub", "adopt", "--finish", map.to_str().unwrap()]).exits(0);
    colleague.git(["cat-file", "-e", &old_tip]).exits(1);
    assert!(!team.remote(["rev-list", "--all"]).stdout_text().contains(&team.leak));
}

#[test]
fn commit_that_changes_what_was_taken_out_stops_its_branch_alone() {
    let team = Team::new();
    let colleague = team.colleague();
    let mine = colleague.commit("c", "work\n");
    colleague.git(["checkout", "--quiet", "-b", "bad"]).exits(0);
    let bad = colleague.commit("secret", "other\n");
    team.scrub();
    let early = colleague.seal(["scrub", "adopt", team.file("commit-map").to_str().unwrap()]).exits(7);
    assert!(early.stderr_text().contains("has not the new history yet"), "{early}");
    assert_eq!((colleague.id("main"), colleague.id("bad")), (mine, bad.clone()));
    team.ours.seal(["scrub", "push", "--yes"]).exits(0);
    let ran = colleague.seal(["scrub", "adopt", team.file("commit-map").to_str().unwrap()]).exits(1);
    let text = ran.stderr_text();
    assert!(text.contains("secret") && text.contains("git rebase --rebase-merges --onto"), "{ran}");
    assert_eq!(colleague.id("bad"), bad);
    assert!(!colleague.has_old("main"));
}

#[test]
fn script_for_the_team_needs_git_alone() {
    let team = Team::new();
    let colleague = team.colleague();
    colleague.commit("c", "work\n");
    colleague.git(["branch", "--quiet", "old", &team.leak]).exits(0);
    colleague.git(["branch", "--quiet", "pruned", &team.pruned]).exits(0);
    team.scrub();
    team.ours.seal(["scrub", "push", "--yes"]).exits(0);
    let script = team.file("rebase-local.sh");
    let run = || team.ours.folder.program("sh", [script.to_str().unwrap()]).inside(&colleague.root).run();
    std::fs::write(colleague.root.join("a"), "not committed\n").unwrap();
    assert!(run().exits(1).stderr_text().contains("commit or stash"));
    colleague.git(["checkout", "--quiet", "a"]).exits(0);
    let ran = run().exits(0);
    for name in ["main", "old", "pruned", "v1", "light"] {
        assert!(!colleague.has_old(name), "{name}: {ran}");
    }
    assert_eq!(colleague.git(["symbolic-ref", "HEAD"]).stdout_text().trim(), "refs/heads/main");
    assert_eq!(std::fs::read_to_string(colleague.root.join("c")).unwrap(), "work\n");
    let again = run().exits(0);
    assert!(!again.stdout_text().contains("moved"), "{again}");
}
