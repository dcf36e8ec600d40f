//! The walk over trees: each is looked at once in each state of the selection, and what no rule can reach is not looked at.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use gix::ObjectId;
use gix::objs::Kind;

use super::objects::{ObjectError, Objects};
use super::paths::{Below, PathWalk, State};
use super::rewrite::{BlobFate, Rules};
use super::tree::{Entries, EntryKind, TreeEdit};

/// A walk over the trees of a history, one root after the other.
pub struct TreeWalk<'a> {
    rules: &'a Rules,
    paths: PathWalk,
    top: State,
    /// What became of a tree in a state.
    fates: HashMap<(ObjectId, State), TreeFate>,
    /// Entries that went: their paths, or names where those are what counts, and what stood there.
    dropped: Dropped,
    /// Buffers of trees being read.
    buffers: Vec<Vec<u8>>,
}

/// What stood at paths that went: files, and whole directories by their trees.
pub type Dropped = BTreeMap<Vec<u8>, BTreeSet<(EntryKind, ObjectId)>>;

/// What became of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TreeFate {
    /// It stays as it is.
    Same,
    /// Another takes its place.
    New(ObjectId),
    /// Nothing is left of it.
    Empty,
}

/// No directory is deeper, as git's own default for `core.maxTreeDepth`.
const MAX_DEPTH: usize = 2048;

/// What tells the versions of the root tree from those of other directories.
const TOP_PLACE: u64 = 0xcbf2_9ce4_8422_2325;

impl<'a> TreeWalk<'a> {
    /// A walk that has not begun.
    pub fn new(rules: &'a Rules) -> Self {
        let mut paths = PathWalk::new(rules.paths.clone());
        let top = paths.top();
        let (fates, dropped, buffers) = Default::default();
        Self { rules, paths, top, fates, dropped, buffers }
    }

    /// What becomes of a root tree.
    pub fn root(&mut self, objects: &mut dyn Objects, id: ObjectId) -> Result<TreeFate, ObjectError> {
        self.tree(objects, id, self.top, TOP_PLACE, 0)
    }

    /// Which of these trees and blobs were met at paths where they changed or went, and how.
    pub fn changed(&self, names: &[(Kind, ObjectId)]) -> HashMap<ObjectId, TreeFate> {
        let named: HashSet<&ObjectId> = names.iter().map(|(_, id)| id).collect();
        let mut changed: Vec<(State, ObjectId, TreeFate)> = Vec::new();
        for ((id, state), fate) in
            self.fates.iter().filter(|((id, _), fate)| **fate != TreeFate::Same && named.contains(id))
        {
            changed.push((*state, *id, *fate));
        }
        // The same one wins in every run.
        changed.sort_unstable_by_key(|(state, id, _)| (*id, std::cmp::Reverse(*state)));
        let dropped = self.dropped.values().flatten().filter(|(_, id)| named.contains(id));
        let dropped = dropped.map(|(_, id)| (*id, TreeFate::Empty));
        dropped.chain(changed.into_iter().map(|(_, id, fate)| (id, fate))).collect()
    }

    /// What went.
    pub fn into_dropped(self) -> Dropped {
        self.dropped
    }

    /// Whether what is below is the same without looking, where no blob has a fate.
    fn stays(&self, state: State) -> Option<TreeFate> {
        // Without paths none is meant to stay or to go.
        if self.rules.paths.rules.is_empty() {
            return self.rules.blobs.is_empty().then_some(TreeFate::Same);
        }
        let is_meant = match state {
            State::ALL => true,
            State::NOTHING => false,
            _ => return None,
        };
        if is_meant != self.rules.keeps_only {
            return Some(TreeFate::Empty);
        }
        self.rules.blobs.is_empty().then_some(TreeFate::Same)
    }

    fn tree(
        &mut self,
        objects: &mut dyn Objects,
        id: ObjectId,
        state: State,
        place: u64,
        depth: usize,
    ) -> Result<TreeFate, ObjectError> {
        if let Some(fate) = self.stays(state) {
            return Ok(fate);
        }
        if let Some(fate) = self.fates.get(&(id, state)) {
            return Ok(*fate);
        }
        let damaged = |problem| ObjectError::Damaged { id, problem };
        if depth > MAX_DEPTH {
            return Err(damaged("its directories are too deep"));
        }
        let mut bytes = self.buffers.pop().unwrap_or_default();
        if objects.read(&id, &mut bytes)? != Kind::Tree {
            return Err(damaged("it is not a tree"));
        }
        let has_paths = !self.rules.paths.rules.is_empty();
        let id_len = objects.hash_kind().len_in_bytes();
        let mut edit = TreeEdit::new(&bytes, id_len);
        let (mut left, mut had) = (0, 0);
        for entry in Entries::new(&bytes, id_len) {
            let entry = entry.map_err(|_| damaged("it is not a tree"))?;
            had += 1;
            let kind = entry.kind();
            let fate = match kind {
                EntryKind::Tree => {
                    let below = if has_paths { self.paths.directory(state, entry.name) } else { Below::Nothing };
                    let state = match below {
                        Below::Nothing => State::NOTHING,
                        Below::All => State::ALL,
                        Below::Inside(state) => state,
                    };
                    match self.stays(state) {
                        Some(fate) => fate,
                        None => {
                            let place = place_below(place, entry.name);
                            self.tree(objects, entry.id.to_owned(), state, place, depth + 1)?
                        }
                    }
                }
                EntryKind::Blob | EntryKind::Submodule
                    if has_paths && self.paths.file(state, entry.name) != self.rules.keeps_only =>
                {
                    TreeFate::Empty
                }
                EntryKind::Blob => match self.rules.blobs.get(entry.id) {
                    Some(BlobFate::Drop) => TreeFate::Empty,
                    Some(BlobFate::Replace(new)) => TreeFate::New(*new),
                    None => TreeFate::Same,
                },
                EntryKind::Submodule => TreeFate::Same,
            };
            match fate {
                TreeFate::Same => left += 1,
                TreeFate::Empty => {
                    let path = self.paths.path(state, entry.name);
                    self.dropped.entry(path).or_default().insert((kind, entry.id.to_owned()));
                    match self.rules.stand_in.filter(|_| kind == EntryKind::Blob) {
                        Some(stand_in) => {
                            left += 1;
                            if stand_in != entry.id {
                                edit.replace(&entry, &stand_in);
                            }
                        }
                        None => edit.drop(&entry),
                    }
                }
                TreeFate::New(new) => {
                    edit.replace(&entry, &new);
                    left += 1;
                }
            }
        }
        let fate = match edit.finish() {
            None => TreeFate::Same,
            Some(_) if left == 0 && had > 0 => TreeFate::Empty,
            Some(new) => TreeFate::New(objects.write_version(Kind::Tree, &new, place)?),
        };
        self.buffers.push(bytes);
        self.fates.insert((id, state), fate);
        Ok(fate)
    }
}

/// A number for a directory, by that of the one it is in: FNV-1a. Where two have the same, only space is lost.
fn place_below(place: u64, name: &[u8]) -> u64 {
    let step = |place: u64, byte: u8| (place ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    name.iter().fold(step(place, b'/'), |place, byte| step(place, *byte))
}
