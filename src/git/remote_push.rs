//! A remote after its history was rewritten here: what it has, what of that is old, and moving exactly that, and nothing else.
//!
//! Only refs that the remote shows are pushed, each from what it is there to what the rewrite made of that, with a lease on what it was:
//! what others pushed since is never overwritten, and what is only here stays here. git itself pushes, with the user's hooks.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use gix::ObjectId;
use gix::bstr::{BString, ByteSlice as _};

use super::{Git, GitError, Repository, RunFolder, RunState};
use crate::host::process;
use crate::scrub::{Mapped, RefKind};

/// The variable that tells seal's own hook that a rewrite is pushed.
pub const PUSHING: &str = "SEAL_SCRUB_PUSH";

/// Refs that belong to one clone: they are not pushed, even where a remote shows such.
const OF_ONE_CLONE: [&str; 3] = ["refs/seal/", "refs/remotes/", "refs/stash"];

/// Where what a remote has is fetched to.
pub const FETCHED: &str = "refs/seal/remote/";

/// What became of objects in one run, or in several one after the other.
pub struct Moved {
    runs: Vec<(RunFolder, HashMap<ObjectId, Mapped>)>,
}

/// A ref of a remote, and what is to be done about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteRef {
    /// Its name there.
    pub name: BString,
    /// What it is there.
    pub old: ObjectId,
    /// What is to be done.
    pub deed: Deed,
}

/// What is to be done about a ref of a remote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// It gets what the rewrite made of it.
    Move(ObjectId),
    /// It goes, as nothing is left of it.
    Delete,
    /// It has old history, and only the host can change it.
    Host,
    /// It has commits on top of old history that the rewrite does not know: somebody pushed.
    Pushed(Box<Tip>),
}

/// A commit as a message names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tip {
    /// Who wrote it.
    pub author: String,
    /// When it was committed.
    pub time: String,
    /// The first line of its message.
    pub subject: String,
}

/// What a remote has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RemoteState {
    /// The refs that have old history, by name.
    pub refs: Vec<RemoteRef>,
    /// Refs of the host of which nothing is known here.
    pub unknown: usize,
    /// All refs that it shows.
    pub shown: usize,
}

/// What became of a push.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PushOutcome {
    /// The refs that moved.
    pub done: Vec<BString>,
    /// Those that did not, each with why.
    pub refused: Vec<(BString, String)>,
    /// Whether the remote takes all refs or none.
    pub is_atomic: bool,
    /// What git and the remote said.
    pub said: String,
}

impl Moved {
    /// That of all runs that moved refs and are not undone.
    pub fn of(repository: &Repository) -> Result<Self, GitError> {
        let states = super::status(repository);
        let states = states.map_err(|error| GitError::new("read what was rewritten", error))?;
        let mut runs = Vec::new();
        let common = repository.common_dir();
        let common = std::fs::canonicalize(common)
            .map_err(|error| GitError::new(format!("find {}", common.display()), error))?;
        for run in RunFolder::with_map(&common)? {
            // One that is finished has no state any more.
            let state = states.iter().find(|(other, _)| other.name() == run.name()).map(|(_, state)| *state);
            if matches!(state, None | Some(RunState::Switched | RunState::Finishing)) {
                let map = super::read_map(&run)?;
                runs.push((run, map));
            }
        }
        Ok(Self { runs })
    }

    /// The last of the runs.
    pub fn last_run(&self) -> Option<&RunFolder> {
        self.runs.last().map(|(run, _)| run)
    }

    /// The runs, the oldest first.
    pub fn runs(&self) -> impl Iterator<Item = &RunFolder> {
        self.runs.iter().map(|(run, _)| run)
    }

    /// What became of an object in the end.
    pub fn get(&self, id: &ObjectId) -> Mapped {
        let mut now = *id;
        for (_, map) in &self.runs {
            match map.get(&now) {
                Some(Mapped::New(new)) => now = *new,
                Some(Mapped::Gone) => return Mapped::Gone,
                _ => {}
            }
        }
        Mapped::of(id, now)
    }
}

/// What a remote shows, by name.
pub fn advertised(repository: &Repository, remote: &str) -> Result<Vec<(BString, ObjectId)>, GitError> {
    let output = talk(repository.root(), &["ls-remote", "--refs", "--", remote], &[])?;
    if !output.status.success() {
        return Err(said(&format!("ask {remote} what it has"), &output));
    }
    let line = |line: &[u8]| {
        let (id, name) = line.split_once_str("\t")?;
        Some((BString::from(name), ObjectId::from_hex(id).ok()?))
    };
    Ok(output.stdout.lines().filter_map(line).collect())
}

/// Fetches all that a remote shows, refs of its host too, to places of its own: no ref of the user's moves.
pub fn fetch_all(repository: &Repository, remote: &str) -> Result<usize, GitError> {
    let all = format!("+refs/*:{FETCHED}{remote}/*");
    fetch(repository, remote, &["--prune"], &[all])?;
    let prefix = format!("{FETCHED}{remote}/");
    let listed = Git::at(repository.root()).read(&["for-each-ref", "--format=%(refname)", &prefix])?;
    Ok(listed.lines().count())
}

/// Has git fetch without tags on the way and without a word of it in FETCH_HEAD.
pub(super) fn fetch(
    repository: &Repository,
    remote: &str,
    options: &[&str],
    refspecs: &[String],
) -> Result<(), GitError> {
    let mut words = vec!["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance"];
    words.extend(options);
    words.extend(["--", remote]);
    words.extend(refspecs.iter().map(String::as_str));
    let output = talk(repository.root(), &words, &[])?;
    if output.status.success() { Ok(()) } else { Err(said(&format!("fetch from {remote}"), &output)) }
}

/// What of a remote has old history. What is not known here is fetched to be looked at.
pub fn remote_state(repository: &Repository, remote: &str, moved: &Moved) -> Result<RemoteState, GitError> {
    let shown = advertised(repository, remote)?;
    let reader = repository.reader()?;
    let mut state = RemoteState { shown: shown.len(), ..RemoteState::default() };
    let mut open: Vec<(BString, ObjectId)> = Vec::new();
    let mut missing = Vec::new();
    for (name, old) in shown {
        let is_private = OF_ONE_CLONE.iter().any(|prefix| name.starts_with(prefix.as_bytes()));
        let is_host = is_private || RefKind::of(&name) == RefKind::Host;
        let deed = match moved.get(&old) {
            Mapped::Same => {
                match reader.has(old) {
                    true if !is_host => open.push((name, old)),
                    false if !is_host => {
                        missing.push(name.clone());
                        open.push((name, old));
                    }
                    is_here => state.unknown += usize::from(!is_here),
                }
                continue;
            }
            _ if is_host => Deed::Host,
            Mapped::New(new) => Deed::Move(new),
            Mapped::Gone => Deed::Delete,
        };
        state.refs.push(RemoteRef { name, old, deed });
    }
    let target = |name: &BString| format!("{FETCHED}{remote}/{}", name.to_string().trim_start_matches("refs/"));
    if !missing.is_empty() {
        let specs: Vec<String> = missing.iter().map(|name| format!("+{name}:{}", target(name))).collect();
        for specs in specs.chunks(BATCH) {
            fetch(repository, remote, &[], specs)?;
        }
    }
    // All at once first: as a rule none has any.
    if brings_old(repository, open.iter().map(|(_, id)| *id), moved)? {
        for (name, old) in open {
            if brings_old(repository, [old].into_iter(), moved)? {
                let deed = Deed::Pushed(Box::new(tip(repository, old)));
                state.refs.push(RemoteRef { name, old, deed });
            }
        }
    } else {
        let git = Git::at(repository.root());
        for name in &missing {
            git.feed(&["update-ref", "-d", &target(name)], b"")?;
        }
    }
    state.refs.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(state)
}

fn brings_old(repository: &Repository, tips: impl Iterator<Item = ObjectId>, moved: &Moved) -> Result<bool, GitError> {
    let tips: BTreeSet<String> = tips.map(|id| format!("{id}\n")).collect();
    if tips.is_empty() {
        return Ok(false);
    }
    let input: String = tips.into_iter().collect();
    let listed = Git::at(repository.root()).ask(&["--no-replace-objects", "rev-list", "--stdin"], input.as_bytes())?;
    let is_old = |line: &[u8]| ObjectId::from_hex(line).is_ok_and(|id| moved.get(&id) != Mapped::Same);
    Ok(listed.lines().any(is_old))
}

fn tip(repository: &Repository, id: ObjectId) -> Tip {
    let words = ["log", "-1", "--no-show-signature", "--format=%an%n%cI%n%s", &id.to_string()];
    let text = Git::at(repository.root()).read(&words).unwrap_or_default();
    let mut lines = text.lines().map(|line| line.to_str_lossy().into_owned());
    let mut next = || lines.next().unwrap_or_default();
    Tip { author: next(), time: next(), subject: next() }
}

/// So many refs go into one push or fetch: they are words of a command.
const BATCH: usize = 2000;

/// Moves refs of a remote, all or none where it can do that. What was done is written into the run's folder.
pub fn push_rewritten(
    repository: &Repository,
    remote: &str,
    refs: &[RemoteRef],
    run: &RunFolder,
) -> Result<PushOutcome, GitError> {
    let mut outcome = PushOutcome { is_atomic: true, ..PushOutcome::default() };
    let refs: Vec<&RemoteRef> = refs.iter().filter(|one| matches!(one.deed, Deed::Move(_) | Deed::Delete)).collect();
    for batch in refs.chunks(BATCH) {
        let mut output = push(repository, remote, batch, outcome.is_atomic)?;
        if outcome.is_atomic && !output.status.success() && output.stderr.contains_str("does not support --atomic") {
            outcome.is_atomic = false;
            output = push(repository, remote, batch, false)?;
        }
        let results = results(&output.stdout);
        outcome.said.push_str(&String::from_utf8_lossy(&output.stderr));
        for one in batch {
            match results.get(&one.name) {
                Some(None) => outcome.done.push(one.name.clone()),
                Some(Some(why)) => outcome.refused.push((one.name.clone(), why.clone())),
                None => outcome.refused.push((one.name.clone(), "it was not pushed".to_owned())),
            }
        }
        note_down(run, remote, batch, &outcome.done)?;
        if !outcome.refused.is_empty() {
            break;
        }
    }
    Ok(outcome)
}

fn push(repository: &Repository, remote: &str, refs: &[&RemoteRef], is_atomic: bool) -> Result<Output, GitError> {
    let mut words = vec!["push".to_owned(), "--porcelain".to_owned(), "--no-follow-tags".to_owned()];
    words.push("--recurse-submodules=no".to_owned());
    words.extend(is_atomic.then(|| "--atomic".to_owned()));
    words.extend(refs.iter().map(|one| format!("--force-with-lease={}:{}", one.name, one.old)));
    words.extend(["--".to_owned(), remote.to_owned()]);
    words.extend(refs.iter().map(|one| match one.deed {
        Deed::Move(new) => format!("{new}:{}", one.name),
        _ => format!(":{}", one.name),
    }));
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    talk(repository.root(), &words, &[(PUSHING, "1")])
}

/// What `git push --porcelain` says of each ref: nothing for one that is as it was meant to be, else why not.
fn results(lines: &[u8]) -> HashMap<BString, Option<String>> {
    let line = |line: &[u8]| {
        let mut words = line.split(|byte| *byte == b'\t');
        let (flag, pair, what) = (words.next()?, words.next()?, words.next()?);
        let name = pair.rsplit(|byte| *byte == b':').next()?;
        Some((BString::from(name), (flag == b"!").then(|| what.to_str_lossy().into_owned())))
    };
    lines.lines().filter_map(line).collect()
}

/// What was pushed, a line each: where, which ref, from what, to what.
fn note_down(run: &RunFolder, remote: &str, refs: &[&RemoteRef], done: &[BString]) -> Result<(), GitError> {
    let done: HashSet<&BString> = done.iter().collect();
    let mut text = String::new();
    for one in refs.iter().filter(|one| done.contains(&one.name)) {
        let new = if let Deed::Move(new) = one.deed { new } else { ObjectId::null(one.old.kind()) };
        text.push_str(&format!("{remote} {} {} {new}\n", one.name, one.old));
    }
    let path = run.path().join("pushed");
    let file = std::fs::OpenOptions::new().append(true).create(true).open(&path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()));
    written.map_err(|error| GitError::new(format!("write {}", path.display()), error))
}

/// Runs git as the user would: with hooks, and with what helps to log in.
fn talk(root: &Path, words: &[&str], variables: &[(&str, &str)]) -> Result<Output, GitError> {
    let mut git = Command::new("git");
    git.args(words).current_dir(root).envs(variables.iter().copied()).env("LC_ALL", "C");
    git.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    process::strip_secrets(&mut git);
    git.output().map_err(|error| GitError::new("run git", error))
}

fn said(doing: &str, output: &Output) -> GitError {
    let text = String::from_utf8_lossy(&output.stderr);
    GitError::new(doing, text.lines().find(|line| !line.starts_with("warning:")).unwrap_or("git failed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_a_push_are_read() {
        let text = b"To ../remote.git\n+\tab:refs/heads/main\tab...cd (forced update)\n!\tab:refs/tags/v1\t[rejected] (stale info)\n-\t:refs/heads/x\t[deleted]\nDone\n";
        let results = results(text);
        assert_eq!(results.len(), 3);
        assert_eq!(results[&BString::from("refs/heads/main")], None);
        assert_eq!(results[&BString::from("refs/tags/v1")].as_deref(), Some("[rejected] (stale info)"));
    }
}
