//! Moving all refs of a repository at once, with what hangs on them: the stash, pseudo refs, indexes and files of working trees.
//!
//! Nothing is changed before all is written down: [`journal`](Journal) and copies of all that will change lie in the run's folder, on
//! the disk. Then new objects get a name in the repository, and one new `packed-refs` moves the refs, with refs below
//! `refs/seal/backup/` that keep what they named. A loose ref hides a packed one, so those go afterwards: until the last is gone, refs
//! are partly old and partly new, and locks keep git away. Whatever ends the process, the journal says how to go on ([`resume`]) or
//! back ([`undo`]), and either may be done again and again. What others changed in the meantime is never overwritten.

mod checkout;
mod disk;
mod journal;
mod locks;
mod program;
mod refusals;
mod step;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use gix::ObjectId;
use gix::bstr::{BStr, BString, ByteSlice as _};
use gix::hash::oid;

use super::reader::ObjectReader;
use super::refs::{BACKUPS, Refs, Target, path_of, read_optional};
use super::{GitError, Repository, RunFolder};
use crate::scrub::{Mapped, RefMove, map_stashes, reflog_ids};
use checkout::Carried;
use journal::{FileChange, Journal, RefChange};
use step::{Direction, Step};

pub(super) use disk::Disk;
pub(super) use journal::Mark;
pub(super) use locks::{Guard, Locks};
pub(super) use program::Git;
pub use refusals::{Refusal, refusals};
pub(super) use step::{git_of, unhide};

/// What is to be switched to.
pub struct SwitchPlan<'a> {
    /// Where.
    pub repository: &'a Repository,
    /// The run, whose folder has the new objects: one pack or some, with their indexes.
    pub run: &'a RunFolder,
    /// The refs as they were when the rewrite began: one that is different now stops the switch.
    pub refs: &'a Refs,
    /// The refs that move, as [`Refs::tips`] names them. The stash and the names of replacements follow `map`.
    pub moves: &'a [RefMove],
    /// What became of any object, also of blobs that are only staged and of commits that only a stash or pseudo ref names.
    pub map: &'a dyn Fn(&oid) -> Mapped,
    /// What to do about linked working trees that are not there.
    pub missing: MissingCheckouts,
}

/// What to do about linked working trees that are not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MissingCheckouts {
    /// Nothing is moved.
    #[default]
    Refuse,
    /// Their HEADs and indexes move; their files are as they are.
    Skip,
}

/// What a switch did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Switched {
    /// How many refs and HEADs have changed.
    pub refs: usize,
    /// The old ids of stashes of which nothing is left.
    pub dropped_stashes: Vec<ObjectId>,
    /// What is to be said of working trees.
    pub checkouts: Vec<CheckoutReport>,
}

/// What is to be said of a working tree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckoutReport {
    /// What git calls it; none is the main one.
    pub id: Option<BString>,
    /// Files that are no longer in HEAD and stay on the disk, untracked.
    pub untracked: Vec<BString>,
    /// Files whose staged version stays though HEAD has lost the file: the next commit would bring it back.
    pub staged: Vec<BString>,
    /// Files that were edited and so keep the text they had, old parts included.
    pub edited: Vec<BString>,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    /// New objects are written at most; no ref has moved. The folder can go.
    Written,
    /// It was killed while it moved refs: resume or undo.
    Switching,
    /// It was killed while it put refs back: undo.
    Undoing,
    /// Refs are moved: undo or finish.
    Switched,
    /// Refs are as they were. The folder can go.
    Undone,
    /// It was killed while it removed old objects: finish again.
    Finishing,
}

/// Why refs were not moved.
#[derive(Debug, thiserror::Error)]
pub enum SwitchError {
    /// The repository is in no state for it. Nothing was changed.
    #[error("{}", .0.first().map(ToString::to_string).unwrap_or_default())]
    Refused(Vec<Refusal>),
    /// Refs are not what they were when the rewrite began. Nothing was changed.
    #[error("{} since the rewrite began", names(.0, "changed"))]
    Moved(Vec<BString>),
    /// Someone changed what this run had changed. That is left alone.
    #[error("{} by others since", names(.0, "changed"))]
    Foreign(Vec<BString>),
    /// Another seal is at work; in words, which.
    #[error("another seal is at work on this repository: {0}")]
    Busy(String),
    /// git holds a lock. Nothing was changed.
    #[error("{} is there: git is at work, or was killed", .0.display())]
    Locked(PathBuf),
    /// An earlier run was killed.
    #[error("the run {0} was killed while it moved refs")]
    Unfinished(String),
    /// There is nothing to undo or resume.
    #[error("the run {0} has moved no ref")]
    NotSwitched(String),
    /// Its old objects are being removed.
    #[error("nothing of the run {0} can be undone: its old objects are being removed")]
    Finishing(String),
    /// It failed half-way: the repository is locked until the run is resumed or undone.
    #[error("refs are moved in part: {0}")]
    Halfway(GitError),
    /// It failed. Nothing was changed.
    #[error(transparent)]
    Git(#[from] GitError),
}

impl SwitchError {
    /// What to do.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::Refused(reasons) => reasons.iter().map(Refusal::hint).collect(),
            Self::Moved(_) => vec!["nothing was changed: run it again".to_owned()],
            Self::Foreign(_) => {
                vec!["they are left alone, and so is all else: move them aside, then try again".to_owned()]
            }
            Self::Busy(_) => vec!["wait until it is done".to_owned()],
            Self::Locked(path) => vec![format!("wait until git is done; if none runs, remove {}", path.display())],
            Self::Unfinished(_) | Self::Halfway(_) => {
                vec!["go on with `seal scrub resume`, or back with `seal scrub undo`".to_owned()]
            }
            Self::Finishing(_) => vec!["go on with `seal scrub finish`".to_owned()],
            Self::NotSwitched(_) | Self::Git(_) => Vec::new(),
        }
    }
}

/// Moves all refs, or none.
pub fn switch(plan: &SwitchPlan<'_>) -> Result<Switched, SwitchError> {
    let guard = Guard::take(&plan.refs.common)?;
    if let Some((run, _)) = status_of(plan.refs)?
        .into_iter()
        .find(|(_, state)| matches!(state, RunState::Switching | RunState::Undoing | RunState::Finishing))
    {
        return Err(SwitchError::Unfinished(run.name()));
    }
    let reasons = refusals(plan.repository, plan.refs, plan.missing, None)?;
    if !reasons.is_empty() {
        return Err(SwitchError::Refused(reasons));
    }
    let disk = disk_of(plan.repository);
    let reader = reader_of(plan.repository, plan.refs, plan.run)?;
    let changes = Changes::of(plan, &reader)?;
    let mut locks = Locks::new(plan.run, &plan.refs.common, disk)?;
    let mut step = Step {
        run: plan.run,
        disk,
        reader: &reader,
        refs: plan.refs.clone(),
        journal: Journal::default(),
        direction: Direction::Forward,
    };
    let result = locks.take_all(plan.refs, changes.lock_names()).and_then(|()| {
        let now = plan.refs.again()?;
        let differing = plan.refs.differing(&now);
        if !differing.is_empty() {
            return Err(SwitchError::Moved(differing));
        }
        step.journal = changes.write(plan, &reader, disk)?;
        step.apply()
    });
    match result {
        Ok(switched) => {
            locks.release()?;
            drop(guard);
            Ok(switched)
        }
        Err(error) => match Mark::read(plan.run) {
            Ok(None) => {
                step.abandon()?;
                locks.release()?;
                Err(error)
            }
            _ => match error {
                SwitchError::Git(cause) => Err(SwitchError::Halfway(cause)),
                other => Err(other),
            },
        },
    }
}

/// Goes on where a killed run stopped: forward, unless it was going back. Nothing is done to one that is through.
pub fn resume(repository: &Repository, run: &RunFolder) -> Result<Switched, SwitchError> {
    again(repository, run, None)
}

/// Puts everything back as it was before the switch. What others changed since is left alone and named, and then nothing is done.
pub fn undo(repository: &Repository, run: &RunFolder) -> Result<Switched, SwitchError> {
    again(repository, run, Some(Direction::Back))
}

/// What runs there are, oldest first, and how far each is.
pub fn status(repository: &Repository) -> Result<Vec<(RunFolder, RunState)>, SwitchError> {
    Ok(status_of(&Refs::read(repository)?)?)
}

fn status_of(refs: &Refs) -> Result<Vec<(RunFolder, RunState)>, GitError> {
    let runs = RunFolder::all(&refs.common)?.into_iter();
    runs.map(|run| state_of(&run, refs).map(|state| (run, state))).collect()
}

/// How far a run is.
pub(super) fn state_of(run: &RunFolder, refs: &Refs) -> Result<RunState, GitError> {
    let mark = Mark::read(run)?;
    if locks::are_left(run, &refs.common) {
        let is_back = matches!(mark, Some(Mark::Undoing | Mark::Undone));
        return Ok(if is_back { RunState::Undoing } else { RunState::Switching });
    }
    Ok(match mark {
        None if Journal::read(run)?.is_some() => RunState::Switching,
        None => RunState::Written,
        Some(Mark::Switching | Mark::Switched) => RunState::Switching,
        Some(Mark::Undoing) => RunState::Undoing,
        Some(Mark::Done) => RunState::Switched,
        Some(Mark::Undone) => RunState::Undone,
        Some(Mark::Finishing) => RunState::Finishing,
    })
}

fn again(repository: &Repository, run: &RunFolder, direction: Option<Direction>) -> Result<Switched, SwitchError> {
    let refs = Refs::read(repository)?;
    let _guard = Guard::take(&refs.common)?;
    let disk = disk_of(repository);
    let mark = Mark::read(run)?;
    let reader = reader_of(repository, &refs, run)?;
    let direction = direction.unwrap_or(if mark == Some(Mark::Undoing) { Direction::Back } else { Direction::Forward });
    let Some(journal) = Journal::read(run)? else {
        let were_left = locks::are_left(run, &refs.common);
        locks::release_left(run, &refs)?;
        return if were_left { Ok(Switched::default()) } else { Err(SwitchError::NotSwitched(run.name())) };
    };
    let mut step = Step { run, disk, reader: &reader, refs, journal, direction };
    if mark == Some(Mark::Finishing) && direction == Direction::Back {
        return Err(SwitchError::Finishing(run.name()));
    }
    let is_through = match direction {
        Direction::Forward => matches!(mark, Some(Mark::Done | Mark::Undone | Mark::Finishing)),
        Direction::Back => mark == Some(Mark::Undone),
    };
    if is_through {
        step.close()?;
        locks::release_left(run, &step.refs)?;
        return Ok(Switched::default());
    }
    if mark.is_none() && direction == Direction::Back {
        // Nothing was moved.
        step.abandon()?;
        locks::release_left(run, &step.refs)?;
        return Ok(Switched::default());
    }
    let mut locks = Locks::new(run, &step.refs.common, disk)?;
    let names: Vec<BString> = step.lock_names();
    let result = locks.take_all(&step.refs, names.iter().map(|name| name.as_slice())).and_then(|()| {
        step.refs = step.refs.again()?;
        step.apply()
    });
    match result {
        Ok(switched) => {
            locks.release()?;
            Ok(switched)
        }
        Err(error) => {
            // As they were before: only a run that is half-way keeps git away.
            if matches!(Mark::read(run), Ok(Some(Mark::Done))) {
                locks.release()?;
            }
            Err(error)
        }
    }
}

/// All that will change, as far as it can be known before anything is locked.
struct Changes {
    refs: BTreeMap<BString, [Option<ObjectId>; 2]>,
    files: Vec<(FileChange, Vec<u8>, Vec<u8>)>,
    /// More ids that must be kept for going back, by the end of the name of their backup.
    kept: BTreeMap<BString, ObjectId>,
    dropped_stashes: Vec<ObjectId>,
    /// What HEADs will name, as far as they change.
    heads: BTreeMap<BString, Target>,
}

impl Changes {
    fn of(plan: &SwitchPlan<'_>, reader: &ObjectReader) -> Result<Self, SwitchError> {
        let refs = plan.refs;
        let mut wanted: BTreeMap<BString, [Option<ObjectId>; 2]> = BTreeMap::new();
        for RefMove { name, old, new } in plan.moves {
            if refs.all.get(name) != Some(&Target::Object(*old)) {
                return Err(SwitchError::Moved(vec![name.clone()]));
            }
            if *new != Some(*old) {
                wanted.insert(name.clone(), [Some(*old), *new]);
            }
        }
        move_replacements(refs, plan.map, &mut wanted);
        let mut changes = Self {
            refs: BTreeMap::new(),
            files: Vec::new(),
            kept: BTreeMap::new(),
            dropped_stashes: Vec::new(),
            heads: refs.all.clone(),
        };
        changes.move_stashes(plan, reader, &mut wanted)?;
        for (name, [old, new]) in wanted {
            match new {
                Some(id) => _ = changes.heads.insert(name.clone(), Target::Object(id)),
                None => _ = changes.heads.remove(&name),
            }
            changes.kept.extend(old.map(|old| (name.clone(), old)));
            if is_of_one_checkout(name.as_ref()) {
                if new.is_none() && name.ends_with(b"HEAD") {
                    return Err(SwitchError::Refused(vec![Refusal::HeadGone(name)]));
                }
                let text = new.map(|new| format!("{new}\n").into_bytes());
                changes.change_file(refs, name, text, true)?;
            } else {
                if new.is_none() && name != "refs/stash" {
                    let log = [b"logs/".as_slice(), &name].concat().into();
                    changes.change_file(refs, log, None, false)?;
                }
                changes.refs.insert(name, [old, new]);
            }
        }
        for (name, bytes) in &refs.pseudo {
            let new = map_first_words(bytes, plan.map);
            if new == *bytes {
                continue;
            }
            for (number, line) in bytes.lines().enumerate() {
                let id = line.fields().next().and_then(|word| ObjectId::from_hex(word).ok());
                let id = id.filter(|id| reader.has(*id));
                changes.kept.extend(id.map(|id| (format!("{name}/{number}").into(), id)));
            }
            changes.change_file(refs, name.clone(), Some(new).filter(|new| !new.is_empty()), false)?;
        }
        Ok(changes)
    }

    fn move_stashes(
        &mut self,
        plan: &SwitchPlan<'_>,
        reader: &ObjectReader,
        wanted: &mut BTreeMap<BString, [Option<ObjectId>; 2]>,
    ) -> Result<(), SwitchError> {
        let name = BString::from("refs/stash");
        let Some(Target::Object(old)) = plan.refs.all.get(&name) else { return Ok(()) };
        if plan.refs.stash.is_empty() {
            return Ok(());
        }
        let commit = |id| reader.commit(id).map(|commit| commit.map(|commit| (commit.tree, commit.parents)));
        let stashes = map_stashes(&plan.refs.stash, plan.map, commit)?;
        wanted.remove(&name);
        if stashes.log == plan.refs.stash {
            return Ok(());
        }
        let ids = plan.refs.stash.lines_with_terminator().filter_map(reflog_ids);
        self.kept.extend(ids.enumerate().map(|(number, (_, id, _))| (format!("stash/{number}").into(), id)));
        let log = Some(stashes.log).filter(|log| !log.is_empty());
        self.change_file(plan.refs, "logs/refs/stash".into(), log, true)?;
        self.dropped_stashes = stashes.dropped;
        if stashes.tip != Some(*old) {
            wanted.insert(name, [Some(*old), stashes.tip]);
        }
        Ok(())
    }

    /// `path` is from the shared folder.
    fn change_file(&mut self, refs: &Refs, path: BString, new: Option<Vec<u8>>, matters: bool) -> Result<(), GitError> {
        let old = read_optional(&refs.common.join(path_of(path.as_ref())))?;
        if old != new {
            let change = FileChange { path, matters, had: old.is_some(), has: new.is_some() };
            self.files.push((change, old.unwrap_or_default(), new.unwrap_or_default()));
        }
        Ok(())
    }

    fn lock_names(&self) -> impl Iterator<Item = &[u8]> {
        let files =
            self.files.iter().map(|(file, _, _)| &file.path).filter(|path| is_of_one_checkout((*path).as_ref()));
        let stash = self.dropped_stashes.first().map(|_| &b"refs/stash"[..]);
        let names = self.refs.keys().map(|name| name.as_slice());
        names.chain(files.map(|path| path.as_slice()).filter(|path| !path.ends_with(b"HEAD"))).chain(stash)
    }

    /// Writes the journal, and all that it refers to, under the run's locks.
    fn write(self, plan: &SwitchPlan<'_>, reader: &ObjectReader, disk: Disk) -> Result<Journal, SwitchError> {
        let folder = plan.run.path().join("switch");
        let fail = |error: std::io::Error| disk::fail("write", &folder, &error);
        match std::fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(fail(error).into()),
            _ => std::fs::create_dir(&folder).map_err(fail)?,
        }
        let mut journal = Journal { dropped_stashes: self.dropped_stashes, ..Journal::default() };
        for (number, (change, old, new)) in self.files.into_iter().enumerate() {
            for (is_there, end, bytes) in [(change.had, "old", old), (change.has, "new", new)] {
                if is_there {
                    disk.write(&folder.join(format!("{number}.{end}")), &bytes)?;
                }
            }
            journal.files.push(change);
        }
        let mut kept = self.kept;
        for (checkout_number, checkout) in plan.refs.checkouts.iter().enumerate() {
            let head: BString = [&checkout.prefix(), b"HEAD".as_slice()].concat().into();
            if let Some(Target::Symbolic(target)) = plan.refs.all.get(&head) {
                journal.heads.push((head.clone(), target.clone()));
            }
            if checkout.root.is_none() || !checkout.index().exists() {
                continue;
            }
            let old = folder.join(format!("{}.index.old", journal.checkouts.len()));
            let new = folder.join(format!("{}.index.new", journal.checkouts.len()));
            checkout::copy(disk, &checkout.index(), &old)?;
            checkout::copy(disk, &old, &new)?;
            let heads = [plan.refs.head(checkout), plan.refs.follow(head.as_ref(), |name| self.heads.get(name))];
            let git = step::git_of(checkout).with_objects(&plan.run.objects()).with_index(&new);
            let carried = Carried::plan(&git, reader.hash(), heads, plan.map)?;
            if carried.is_same() && carried.change.staged.is_empty() {
                continue;
            }
            carried.apply(&git)?;
            for id in &carried.lost {
                kept.insert(format!("index/{checkout_number}/{id}").into(), *id);
            }
            journal.checkouts.push(journal::CheckoutChange { id: checkout.id.clone(), heads, ..carried.change });
        }
        disk::sync_folder(&folder)?;
        journal.refs = self.refs.into_iter().map(|(name, [old, new])| RefChange { name, old, new }).collect();
        for (name, id) in kept.into_iter().filter(|(_, id)| reader.has(*id)) {
            let name = format!("{BACKUPS}{}/{name}", plan.run.name()).into();
            journal.refs.push(RefChange { name, old: None, new: Some(id) });
        }
        journal.hides = step::must_hide(plan.refs)?;
        journal.write(plan.run, disk)?;
        Ok(journal)
    }
}

/// `refs/replace/<id>`: the name is an id too.
fn move_replacements(refs: &Refs, map: &dyn Fn(&oid) -> Mapped, wanted: &mut BTreeMap<BString, [Option<ObjectId>; 2]>) {
    const REPLACE: &str = "refs/replace/";
    let named = |name: &BString| ObjectId::from_hex(name.strip_prefix(REPLACE.as_bytes())?).ok();
    let mut taken: BTreeSet<BString> = BTreeSet::new();
    for (name, target) in &refs.all {
        let (Some(replaced), Target::Object(by)) = (named(name), target) else { continue };
        let by_now = wanted.get(name).map_or(Some(*by), |[_, new]| *new);
        let replaced_now = match map(&replaced) {
            Mapped::Same => Some(replaced),
            Mapped::New(id) => Some(id),
            Mapped::Gone => None,
        };
        // One that would replace itself is no replacement any more.
        let place = replaced_now.filter(|id| by_now.is_some_and(|by| by != *id));
        let new_name = place.map(|id| BString::from(format!("{REPLACE}{id}")));
        if new_name.as_ref() != Some(name) {
            wanted.insert(name.clone(), [Some(*by), None]);
            if let Some(new_name) = new_name.filter(|new_name| taken.insert(new_name.clone())) {
                let old = match refs.all.get(&new_name) {
                    Some(Target::Object(id)) => Some(*id),
                    _ => None,
                };
                wanted.insert(new_name, [old, by_now]);
            }
        }
    }
}

/// Whether only one working tree has it: it lies in a file of its own, and never in `packed-refs`.
fn is_of_one_checkout(name: &BStr) -> bool {
    const OWN: [&str; 3] = ["refs/bisect/", "refs/worktree/", "refs/rewritten/"];
    name == "HEAD" || name.starts_with(b"worktrees/") || OWN.iter().any(|own| name.starts_with(own.as_bytes()))
}

/// A pseudo ref whose lines name the new ids; lines of what is gone go.
fn map_first_words(bytes: &[u8], map: &dyn Fn(&oid) -> Mapped) -> Vec<u8> {
    let mut new = Vec::with_capacity(bytes.len());
    for line in bytes.lines_with_terminator() {
        let word = line.fields().next().unwrap_or_default();
        match ObjectId::from_hex(word).map(|id| map(&id)) {
            Ok(Mapped::New(id)) => {
                new.extend_from_slice(id.to_string().as_bytes());
                new.extend_from_slice(line.strip_prefix(word).unwrap_or_default());
            }
            Ok(Mapped::Gone) => {}
            _ => new.extend_from_slice(line),
        }
    }
    new
}

/// A pseudo ref without the lines that name what is no longer.
pub(super) fn drop_lines(bytes: &[u8], map: &dyn Fn(&oid) -> Mapped) -> Vec<u8> {
    let is_old = |line: &&[u8]| {
        let id = line.fields().next().and_then(|word| ObjectId::from_hex(word).ok());
        id.is_some_and(|id| map(&id) != Mapped::Same)
    };
    bytes.lines_with_terminator().filter(|line| !is_old(line)).flatten().copied().collect()
}

/// How files of a repository are written.
pub(super) fn disk_of(repository: &Repository) -> Disk {
    let config = repository.inner.config_snapshot();
    Disk::new(config.string("core.sharedRepository").map(|value| value.to_string()).as_deref())
}

/// The repository's objects, and the run's.
fn reader_of(repository: &Repository, refs: &Refs, run: &RunFolder) -> Result<ObjectReader, GitError> {
    ObjectReader::open(&[refs.common.join("objects"), run.objects()], repository.inner.object_hash())
}

/// `refs/heads/main and 3 more were changed`.
fn names(names: &[BString], what: &str) -> String {
    let first = names.first().map(|name| crate::host::shown_bytes(name).to_string()).unwrap_or_default();
    match names.len() {
        0 | 1 => format!("{first} was {what}"),
        count => format!("{first} and {} more were {what}", count - 1),
    }
}
