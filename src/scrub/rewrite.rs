//! The walk: from the first commits to the last, each gets the tree that the rules leave it and the parents that are left.
//!
//! What no rule changes, and whose ancestors no rule changes, keeps its id: it is not written again.

use std::collections::{HashMap, HashSet};

use gix::ObjectId;
use gix::objs::Kind;

use super::header::{CommitEdit, Header, is_signed};
use super::history::{CommitIndex, History};
use super::objects::{ObjectError, Objects};
use super::paths::{Below, PathSelection, PathWalk, State};
use super::prune::{Pruning, When};
use super::tree::{Entries, EntryKind, TreeEdit};

/// What is to change.
#[derive(Debug, Default)]
pub struct Rules {
    /// The paths that are meant.
    pub paths: PathSelection,
    /// Whether the paths that are meant stay and all others go, instead of the other way round.
    pub keeps_only: bool,
    /// What becomes of blobs, by id, wherever they are.
    pub blobs: HashMap<ObjectId, BlobFate>,
    /// Which commits go because nothing is left of them.
    pub pruning: Pruning,
    /// Whether signatures stay on commits that change, though they no longer fit.
    pub keeps_signatures: bool,
}

/// What becomes of a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlobFate {
    /// It goes, and with it every entry that names it.
    Drop,
    /// Another takes its place.
    Replace(ObjectId),
}

/// What became of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitFate {
    /// It stays as it is.
    Same,
    /// It has another id.
    New(ObjectId),
    /// Nothing was left of it; its place is taken by that commit's new form, or by none.
    Pruned(Option<CommitIndex>),
}

/// What came of a walk. New objects were written; nothing names them yet.
#[derive(Debug, Default)]
pub struct Rewritten {
    /// What became of each commit.
    pub commits: Vec<CommitFate>,
    /// How many commits lost a signature.
    pub signatures_lost: usize,
    /// Commits that changed although all their ancestors stayed: whoever has none of these has nothing of the old history.
    pub first_changed: Vec<CommitIndex>,
    /// Merges of which one parent is left, though something of them is.
    pub merges_flattened: Vec<CommitIndex>,
}

/// No directory is deeper.
const MAX_DEPTH: usize = 4096;

/// Rewrites `history` by `rules`. `done` is called after each commit, with how many there were.
pub fn rewrite(
    history: &History,
    objects: &mut impl Objects,
    rules: &Rules,
    mut done: impl FnMut(usize),
) -> Result<Rewritten, ObjectError> {
    let mut walk = Walk::new(objects, rules);
    let top = walk.paths.top();
    let empty_tree = walk.objects.hash_kind().empty_tree();
    let mut result = Rewritten { commits: Vec::with_capacity(history.len()), ..Rewritten::default() };
    // What each commit has become: the id that stands for it, the tree, and the parents that are left.
    let mut graph = NewGraph::default();
    let mut buffer = Vec::new();
    for (index, commit) in history.iter() {
        let new_tree = match walk.tree(commit.tree, top, 0)? {
            TreeFate::Same => commit.tree,
            TreeFate::New(id) => id,
            TreeFate::Empty => walk.objects.write(Kind::Tree, b"")?,
        };
        let old_parents = history.parents(index);
        let parents = graph.parents_left(history, old_parents, &rules.pruning);
        let was_empty = match old_parents.first() {
            Some(parent) => history.commit(*parent).tree == commit.tree,
            None => commit.tree == empty_tree,
        };
        let is_empty = match parents.first() {
            Some(parent) => graph.tree(*parent) == new_tree,
            None => new_tree == empty_tree,
        };
        let lost_all_parents = !old_parents.is_empty() && parents.is_empty();
        let goes = parents.len() < 2
            && is_empty
            && match rules.pruning.empty {
                When::Never => false,
                When::Always => true,
                When::Auto => !was_empty || lost_all_parents || old_parents.len() > 1,
            };
        let fate = if goes {
            CommitFate::Pruned(parents.first().copied())
        } else {
            let ids: Vec<ObjectId> = parents.iter().map(|parent| graph.id(*parent)).collect();
            let same_parents = ids.iter().eq(old_parents.iter().map(|parent| &history.commit(*parent).id));
            if new_tree == commit.tree && same_parents {
                CommitFate::Same
            } else {
                if old_parents.iter().all(|parent| result.commits[parent.get()] == CommitFate::Same) {
                    result.first_changed.push(index);
                }
                if old_parents.len() > 1 && parents.len() == 1 {
                    result.merges_flattened.push(index);
                }
                walk.objects.read(&commit.id, &mut buffer)?;
                let header = Header::parse(&buffer);
                result.signatures_lost += usize::from(is_signed(&header) && !rules.keeps_signatures);
                let edit = CommitEdit {
                    tree: new_tree,
                    parents: &ids,
                    message: None,
                    keep_signature: rules.keeps_signatures,
                    drops_merge_tag: &|merged| !ids.contains(merged),
                };
                CommitFate::New(walk.objects.write(Kind::Commit, &edit.apply(&header))?)
            }
        };
        if matches!(fate, CommitFate::Pruned(_))
            && old_parents.iter().all(|parent| result.commits[parent.get()] == CommitFate::Same)
        {
            result.first_changed.push(index);
        }
        graph.add(index, commit.id, fate, new_tree, parents);
        result.commits.push(fate);
        done(index.get() + 1);
    }
    Ok(result)
}

struct Walk<'a, O> {
    objects: &'a mut O,
    rules: &'a Rules,
    paths: PathWalk,
    /// What became of a tree in a state.
    trees: HashMap<(ObjectId, State), TreeFate>,
    /// Buffers of trees being read, by depth.
    buffers: Vec<Vec<u8>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TreeFate {
    Same,
    New(ObjectId),
    Empty,
}

impl<'a, O: Objects> Walk<'a, O> {
    fn new(objects: &'a mut O, rules: &'a Rules) -> Self {
        let paths = PathWalk::new(rules.paths.clone());
        Self { objects, rules, paths, trees: HashMap::new(), buffers: Vec::new() }
    }

    /// Whether what is below is the same without looking, where no blob has a fate.
    fn stays(&self, state: State) -> Option<TreeFate> {
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

    fn tree(&mut self, id: ObjectId, state: State, depth: usize) -> Result<TreeFate, ObjectError> {
        // Without paths none is meant to stay or to go.
        let has_paths = !self.rules.paths.rules.is_empty();
        if has_paths && let Some(fate) = self.stays(state) {
            return Ok(fate);
        }
        if !has_paths && self.rules.blobs.is_empty() {
            return Ok(TreeFate::Same);
        }
        if let Some(fate) = self.trees.get(&(id, state)) {
            return Ok(*fate);
        }
        if depth > MAX_DEPTH {
            return Err(ObjectError::Damaged { id, problem: "its directories are too deep" });
        }
        let damaged = |problem| ObjectError::Damaged { id, problem };
        let mut bytes = self.buffers.pop().unwrap_or_default();
        if self.objects.read(&id, &mut bytes)? != Kind::Tree {
            return Err(damaged("it is not a tree"));
        }
        let id_len = self.objects.hash_kind().len_in_bytes();
        let mut edit = TreeEdit::new(&bytes, id_len);
        let mut left = 0;
        let mut had = 0;
        for entry in Entries::new(&bytes, id_len) {
            let entry = entry.map_err(|_| damaged("it is not a tree"))?;
            had += 1;
            let fate = match entry.kind() {
                EntryKind::Tree => {
                    let below = if has_paths { self.paths.directory(state, entry.name) } else { Below::Nothing };
                    let state = match below {
                        Below::Nothing => State::NOTHING,
                        Below::All => State::ALL,
                        Below::Inside(state) => state,
                    };
                    self.tree(entry.id.to_owned(), state, depth + 1)?
                }
                kind => {
                    let is_meant = self.paths.file(state, entry.name);
                    let blob = match kind {
                        EntryKind::Blob => self.rules.blobs.get(entry.id),
                        _ => None,
                    };
                    match blob {
                        _ if has_paths && is_meant != self.rules.keeps_only => TreeFate::Empty,
                        Some(BlobFate::Drop) => TreeFate::Empty,
                        Some(BlobFate::Replace(new)) => TreeFate::New(*new),
                        None => TreeFate::Same,
                    }
                }
            };
            match fate {
                TreeFate::Same => left += 1,
                TreeFate::Empty => edit.drop(&entry),
                TreeFate::New(new) => {
                    edit.replace(&entry, &new);
                    left += 1;
                }
            }
        }
        let fate = match edit.finish() {
            None => TreeFate::Same,
            Some(_) if left == 0 && had > 0 => TreeFate::Empty,
            Some(new) => TreeFate::New(self.objects.write(Kind::Tree, &new)?),
        };
        self.buffers.push(bytes);
        self.trees.insert((id, state), fate);
        Ok(fate)
    }
}

/// The commits as they are after the walk so far.
#[derive(Default)]
struct NewGraph {
    nodes: Vec<NewCommit>,
    /// The first commit of each new id: two old commits can become one.
    by_id: HashMap<ObjectId, CommitIndex>,
}

struct NewCommit {
    /// The commit that stands for it; none where nothing is left of it and its ancestors.
    is: Option<CommitIndex>,
    id: ObjectId,
    tree: ObjectId,
    parents: Vec<CommitIndex>,
    /// One more than that of its parents.
    generation: u32,
    was_pruned: bool,
}

impl NewGraph {
    fn add(&mut self, index: CommitIndex, old: ObjectId, fate: CommitFate, tree: ObjectId, parents: Vec<CommitIndex>) {
        let (is, id) = match fate {
            CommitFate::Pruned(by) => (by, old),
            CommitFate::Same => (Some(*self.by_id.entry(old).or_insert(index)), old),
            CommitFate::New(id) => (Some(*self.by_id.entry(id).or_insert(index)), id),
        };
        let generation = parents.iter().map(|parent| self.nodes[parent.get()].generation + 1).max().unwrap_or(0);
        let was_pruned = matches!(fate, CommitFate::Pruned(_));
        self.nodes.push(NewCommit { is, id, tree, parents, generation, was_pruned });
    }

    fn id(&self, index: CommitIndex) -> ObjectId {
        self.nodes[index.get()].id
    }

    fn tree(&self, index: CommitIndex) -> ObjectId {
        self.nodes[index.get()].tree
    }

    /// The parents that a commit is left with: those that stand for its old ones, without those that pruning made superfluous.
    fn parents_left(&self, history: &History, old: &[CommitIndex], pruning: &Pruning) -> Vec<CommitIndex> {
        let mut left: Vec<(CommitIndex, CommitIndex)> = Vec::with_capacity(old.len());
        for &parent in old {
            if let Some(new) = self.nodes[parent.get()].is {
                left.push((parent, new));
            }
        }
        if left.len() < 2 || pruning.degenerate == When::Never {
            return left.into_iter().map(|(_, new)| new).collect();
        }
        let always = pruning.degenerate == When::Always;
        // Two that became one; two that always were one stay.
        let mut seen: HashSet<CommitIndex> = HashSet::new();
        let mut originals: HashSet<CommitIndex> = HashSet::new();
        left.retain(|(was, new)| {
            let is_new = seen.insert(*new);
            let was_double = !originals.insert(*was);
            is_new || (was_double && !always)
        });
        // One that became an ancestor of another; the first stays where merges are to stay merges.
        let superfluous: Vec<bool> = (0..left.len())
            .map(|at| {
                let (was, new) = left[at];
                if pruning.no_ff && at == 0 {
                    return false;
                }
                let may_go = always || self.nodes[was.get()].was_pruned || was != new;
                left.iter().enumerate().any(|(other, &(other_was, other_new))| {
                    other != at
                        && new != other_new
                        && (may_go || self.nodes[other_was.get()].was_pruned)
                        && self.is_ancestor(new, other_new)
                        && (always || !history.is_ancestor(was, other_was))
                })
            })
            .collect();
        left.into_iter().zip(superfluous).filter(|(_, gone)| !gone).map(|((_, new), _)| new).collect()
    }

    fn is_ancestor(&self, ancestor: CommitIndex, of: CommitIndex) -> bool {
        let least = self.nodes[ancestor.get()].generation;
        let mut seen = HashSet::new();
        let mut todo = vec![of];
        while let Some(at) = todo.pop() {
            if at == ancestor {
                return true;
            }
            let node = &self.nodes[at.get()];
            if node.generation > least {
                todo.extend(node.parents.iter().copied().filter(|parent| seen.insert(*parent)));
            }
        }
        false
    }
}
