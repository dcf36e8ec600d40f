//! A rewrite of a repository, up to but without moving its refs: all new objects are in the run's own folder.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;

use gix::ObjectId;
use gix::bstr::{BString, ByteSlice as _};
use gix::hash::oid;
use gix::objs::Kind;

use super::lookup::Lookup;
use super::objects::Stores;
use super::{GitError, NewPack, Quarantine, Refs, Repository, RunFolder};
use crate::scrub::{
    Adjust, BlobFate, Entries, EntryKind, Header, History, Mapped, Notes, ObjectError, Objects as _, RefKind, RefMove,
    Rewritten, Rules, Stashes, Tips, map_stashes, rewrite, rewrite_notes,
};

/// A rewrite of which everything is done but the last step.
pub struct Prepared {
    /// The commits, as they were.
    pub history: History,
    /// What refs and reflogs led to.
    pub tips: Tips,
    /// What became of it.
    pub rewritten: Rewritten,
    /// The refs that are to move, by name.
    pub moves: Vec<RefMove>,
    /// Notes that follow what they are about.
    pub notes: Rekeyed,
    /// How many stashes change.
    pub stashes: usize,
    /// Those of which nothing is left.
    pub dropped_stashes: usize,
    /// The blobs that went with their paths.
    pub removed: BTreeSet<ObjectId>,
    /// The new objects, if there are any.
    pub pack: Option<NewPack>,
    /// What was asked for.
    pub rules: Rules,
}

/// Why a rewrite stopped before anything changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RewriteError {
    /// The repository cannot be read or written.
    #[error(transparent)]
    Git(#[from] GitError),
    /// An object cannot.
    #[error(transparent)]
    Object(#[from] ObjectError),
}

/// What became of notes: a note stands under the id of what it is about.
#[derive(Debug, Default)]
pub struct Rekeyed {
    /// How many have a new place.
    pub moved: usize,
    /// How many went, with what they were about.
    pub dropped: usize,
    /// What commits of their history became beyond what became of them by the rules.
    commits: HashMap<ObjectId, ObjectId>,
}

impl Prepared {
    /// What became of an object that something names; `None` for one that the rewrite did not meet.
    pub fn mapped(&self, id: &oid) -> Option<Mapped> {
        let by_rules = mapped(&self.history, &self.rewritten, &self.rules, id);
        let at = match by_rules {
            Some(Mapped::New(new)) => new,
            _ => id.to_owned(),
        };
        self.notes.commits.get(&at).map_or(by_rules, |new| Some(Mapped::New(*new)))
    }
}

fn mapped(history: &History, rewritten: &Rewritten, rules: &Rules, id: &oid) -> Option<Mapped> {
    rewritten.mapped(history, id).or_else(|| match rules.blobs.get(id)? {
        BlobFate::Drop => Some(Mapped::Gone),
        BlobFate::Replace(new) => Some(Mapped::New(*new)),
    })
}

/// The name of the file in a run's folder that says what became of each object that is another now: `finish` needs it.
pub(super) const MAP: &str = "object-map";

/// The name of the file that lists the blobs that went with their paths: they may stand at others still.
const REMOVED: &str = "removed-blobs";

impl Prepared {
    /// How many bytes the blobs have that went with their paths, as far as they are there.
    pub fn removed_bytes(&self, repository: &Repository) -> Result<u64, GitError> {
        let reader = repository.reader()?;
        self.removed.iter().try_fold(0, |sum, id| Ok(sum + reader.size(*id)?.unwrap_or(0)))
    }

    /// Writes down what became of each commit, tag and blob that is another now or gone: a line each, old and new id, sorted.
    pub fn write_map(&self, run: &RunFolder) -> Result<(), GitError> {
        let commits = self.history.iter().map(|(_, commit)| &commit.id);
        let all = commits.chain(self.rewritten.others.keys()).chain(self.rules.blobs.keys());
        let line = |id: &ObjectId| match self.mapped(id)? {
            Mapped::Same => None,
            Mapped::New(new) => Some(format!("{id} {new}\n")),
            Mapped::Gone => Some(format!("{id} {}\n", ObjectId::null(id.kind()))),
        };
        let mut lines: Vec<String> = all.filter_map(line).collect();
        lines.sort_unstable();
        lines.dedup();
        super::quarantine::write_synced(&run.path().join(MAP), lines.concat().as_bytes())?;
        let removed: String = self.removed.iter().map(|id| format!("{id}\n")).collect();
        super::quarantine::write_synced(&run.path().join(REMOVED), removed.as_bytes())
    }
}

/// What [`Prepared::write_map`] wrote.
pub fn read_map(run: &RunFolder) -> Result<HashMap<ObjectId, Mapped>, GitError> {
    let path = run.path().join(MAP);
    let fail = |cause: &dyn std::fmt::Display| GitError::new(format!("read {}", path.display()), cause);
    let bytes = std::fs::read(&path).map_err(|error| fail(&error))?;
    let pair = |line: &[u8]| {
        let (old, new) = line.split_at_checked(line.iter().position(|byte| *byte == b' ')?)?;
        let (old, new) = (ObjectId::from_hex(old).ok()?, ObjectId::from_hex(&new[1..]).ok()?);
        Some((old, if new.is_null() { Mapped::Gone } else { Mapped::New(new) }))
    };
    bytes.lines().map(|line| pair(line).ok_or_else(|| fail(&"it is damaged"))).collect()
}

/// The objects that are to be gone once a run is finished: those that are others now, and blobs that went with their paths.
pub fn old_objects(run: &RunFolder) -> Result<BTreeSet<ObjectId>, GitError> {
    let map = read_map(run)?;
    let mut old: BTreeSet<ObjectId> = map.keys().copied().collect();
    let removed = super::refs::read_optional(&run.path().join(REMOVED))?.unwrap_or_default();
    old.extend(removed.lines().filter_map(|line| ObjectId::from_hex(line).ok()));
    // One may have become what another was.
    for fate in map.values() {
        if let Mapped::New(new) = fate {
            old.remove(new);
        }
    }
    Ok(old)
}

/// Rewrites all that `refs` lead to by `rules` and `adjust`; `done` is told how many commits of how many are.
///
/// `stand_in` is the text that takes the place of files that would go. Stashes are told by their parents, which is why none of theirs is pruned.
pub fn prepare(
    repository: &Repository,
    refs: &Refs,
    run: &RunFolder,
    mut rules: Rules,
    stand_in: Option<&[u8]>,
    adjust: &mut dyn Adjust,
    mut done: impl FnMut(usize, usize),
) -> Result<Prepared, RewriteError> {
    let mut store = Quarantine::begin(repository.lookup()?, run)?;
    let tips = Tips::read(&store, refs.tips().map(|(_, id)| id), refs.mentioned()?)?;
    let history = History::read(&store, &tips.commits, &tips.maybe)?;
    rules.stand_in = stand_in.map(|text| store.write(Kind::Blob, text)).transpose()?;
    rules.unpruned.extend(stashes(&store, refs)?);
    adjust.begin(&mut store, &history, &mut rules)?;
    let rewritten = rewrite(&history, &tips, &mut store, &rules, adjust, |commits| done(commits, history.len()))?;
    let fate = |id: &oid| mapped(&history, &rewritten, &rules, id).unwrap_or(Mapped::Same);
    let notes = rekey(&mut store, refs, &history, &fate)?;
    let stashes = map_stashes(&refs.stash, &fate, |id| tree_and_parents(&store, id))?;
    let changed = |id: &ObjectId| fate(id) != Mapped::Same;
    let listed = stash_ids(refs).filter(changed).count();
    let Stashes { dropped, .. } = stashes;
    let removed = removed(&store, &rewritten)?;
    let pack = store.finish()?;
    let mut prepared = Prepared {
        history,
        tips,
        rewritten,
        moves: Vec::new(),
        notes,
        stashes: listed - dropped.len(),
        dropped_stashes: dropped.len(),
        removed,
        pack,
        rules,
    };
    let moved = |(name, old): (&gix::bstr::BStr, ObjectId)| match prepared.mapped(&old)? {
        Mapped::Same => None,
        Mapped::New(new) => Some(RefMove { name: name.to_owned(), old, new: Some(new) }),
        Mapped::Gone => Some(RefMove { name: name.to_owned(), old, new: None }),
    };
    prepared.moves = refs.tips().filter_map(moved).collect();
    Ok(prepared)
}

/// Gives notes the places of what they are about now.
fn rekey(
    store: &mut Quarantine,
    refs: &Refs,
    history: &History,
    map: &dyn Fn(&oid) -> Mapped,
) -> Result<Rekeyed, ObjectError> {
    let mut rekeyed = Rekeyed::default();
    let tips = refs.tips().filter(|(name, id)| RefKind::of(name) == RefKind::Notes && history.index(id).is_some());
    for (_, old) in tips {
        let tip = match map(&old) {
            Mapped::Same => old,
            Mapped::New(new) => new,
            Mapped::Gone => continue,
        };
        let (Notes { moved, dropped, .. }, commits) = rewrite_notes(store, tip, map)?;
        rekeyed.moved += moved;
        rekeyed.dropped += dropped;
        rekeyed.commits.extend(commits.into_iter().filter(|(old, new)| old != new));
    }
    Ok(rekeyed)
}

/// All blobs that stood at paths that went, and below directories that did.
fn removed(store: &Quarantine, rewritten: &Rewritten) -> Result<BTreeSet<ObjectId>, ObjectError> {
    let mut blobs = BTreeSet::new();
    let mut trees = HashSet::new();
    let mut todo: Vec<(EntryKind, ObjectId)> = rewritten.dropped.values().flatten().copied().collect();
    let mut bytes = Vec::new();
    while let Some((kind, id)) = todo.pop() {
        match kind {
            // Nothing stands in an empty file, and many are.
            EntryKind::Blob if id.is_empty_blob() => {}
            EntryKind::Blob => _ = blobs.insert(id),
            EntryKind::Submodule => {}
            EntryKind::Tree if !trees.insert(id) => {}
            EntryKind::Tree => {
                store.read(&id, &mut bytes)?;
                for entry in Entries::new(&bytes, id.as_slice().len()) {
                    let entry = entry.map_err(|_| ObjectError::Damaged { id, problem: "it is not a tree" })?;
                    todo.push((entry.kind(), entry.id.to_owned()));
                }
            }
        }
    }
    Ok(blobs)
}

/// The stashes, oldest first.
fn stash_ids(refs: &Refs) -> impl Iterator<Item = ObjectId> {
    refs.stash.lines().filter_map(|line| ObjectId::from_hex(line.split(|byte| *byte == b' ').nth(1)?).ok())
}

/// A commit's tree and parents; `None` where it is not there.
fn tree_and_parents(store: &Quarantine, id: ObjectId) -> Result<Option<(ObjectId, Vec<ObjectId>)>, ObjectError> {
    let mut bytes = Vec::new();
    match store.read(&id, &mut bytes) {
        Ok(Kind::Commit) => {
            let header = Header::parse(&bytes);
            Ok(header.id("tree").map(|tree| (tree, header.parents().flatten().collect())))
        }
        Ok(_) | Err(ObjectError::Missing(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The commits that stashes are, with those of their index and of untracked files.
fn stashes(store: &Quarantine, refs: &Refs) -> Result<HashSet<ObjectId>, ObjectError> {
    let mut commits = HashSet::new();
    let mut buffer = Vec::new();
    let stash: BString = "refs/stash".into();
    let tip = refs.tips().filter(|(name, _)| *name == stash).map(|(_, id)| id);
    for id in stash_ids(refs).chain(tip) {
        match store.read(&id, &mut buffer) {
            Ok(Kind::Commit) => {
                commits.extend(Header::parse(&buffer).parents().skip(1).flatten());
                commits.insert(id);
            }
            Ok(_) | Err(ObjectError::Missing(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(commits)
}

impl Repository {
    /// Its objects one by one, with those of alternates wherever they are.
    pub(super) fn lookup(&self) -> Result<Lookup, GitError> {
        let anywhere = [Path::new("/").to_owned()];
        Lookup::open(&Stores::of(&self.inner.common_dir().join("objects"), &anywhere), self.inner.object_hash())
    }
}
