//! A rewrite of a repository, up to but without moving its refs: all new objects are in the run's own folder.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use gix::ObjectId;
use gix::bstr::{BString, ByteSlice as _};
use gix::hash::oid;
use gix::objs::Kind;

use super::lookup::Lookup;
use super::objects::Stores;
use super::{GitError, NewPack, Quarantine, Refs, Repository, RunFolder};
use crate::scrub::{
    Adjust, BlobFate, Header, History, Mapped, ObjectError, Objects as _, RefMove, Rewritten, Rules, Tips, rewrite,
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

impl Prepared {
    /// What became of an object that something names; `None` for one that the rewrite did not meet.
    pub fn mapped(&self, id: &oid) -> Option<Mapped> {
        self.rewritten.mapped(&self.history, id).or_else(|| match self.rules.blobs.get(id)? {
            BlobFate::Drop => Some(Mapped::Gone),
            BlobFate::Replace(new) => Some(Mapped::New(*new)),
        })
    }
}

/// The name of the file in a run's folder that says what became of each object that is another now: `finish` needs it.
pub(super) const MAP: &str = "object-map";

impl Prepared {
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
        super::quarantine::write_synced(&run.path().join(MAP), lines.concat().as_bytes())
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
    let rewritten = rewrite(&history, &tips, &mut store, &rules, adjust, |commits| done(commits, history.len()))?;
    let pack = store.finish()?;
    let moved = |(name, old): (&gix::bstr::BStr, ObjectId)| match rewritten.mapped(&history, &old)? {
        Mapped::Same => None,
        Mapped::New(new) => Some(RefMove { name: name.to_owned(), old, new: Some(new) }),
        Mapped::Gone => Some(RefMove { name: name.to_owned(), old, new: None }),
    };
    let moves: Vec<RefMove> = refs.tips().filter_map(moved).collect();
    Ok(Prepared { history, tips, rewritten, moves, pack, rules })
}

/// The commits that stashes are, with those of their index and of untracked files.
fn stashes(store: &Quarantine, refs: &Refs) -> Result<HashSet<ObjectId>, ObjectError> {
    let mut commits = HashSet::new();
    let mut buffer = Vec::new();
    let listed =
        refs.stash.lines().filter_map(|line| ObjectId::from_hex(line.split(|byte| *byte == b' ').nth(1)?).ok());
    let stash: BString = "refs/stash".into();
    let tip = refs.tips().filter(|(name, _)| *name == stash).map(|(_, id)| id);
    for id in listed.chain(tip) {
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
