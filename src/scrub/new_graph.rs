//! The commits as a rewrite leaves them, while it goes on: what stands for each, and which parents it is left with.

use std::collections::{HashMap, HashSet};

use gix::ObjectId;
use gix::hash::oid;

use super::history::{CommitIndex, History};
use super::moves::Mapped;
use super::prune::{Pruning, When};
use super::rewrite::CommitFate;

/// The commits as they are after the walk so far.
#[derive(Default)]
pub struct NewGraph {
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
    /// Adds the next commit.
    pub fn add(
        &mut self,
        index: CommitIndex,
        old: ObjectId,
        fate: CommitFate,
        tree: ObjectId,
        parents: Vec<CommitIndex>,
    ) {
        let (is, id) = match fate {
            CommitFate::Pruned(by) => (by, old),
            CommitFate::Same => (Some(*self.by_id.entry(old).or_insert(index)), old),
            CommitFate::New(id) => (Some(*self.by_id.entry(id).or_insert(index)), id),
        };
        let generation = parents.iter().map(|parent| self.nodes[parent.get()].generation + 1).max().unwrap_or(0);
        let was_pruned = matches!(fate, CommitFate::Pruned(_));
        self.nodes.push(NewCommit { is, id, tree, parents, generation, was_pruned });
    }

    /// The id of what stands for a commit that was not pruned.
    pub fn id(&self, index: CommitIndex) -> ObjectId {
        self.nodes[index.get()].id
    }

    /// What became of a commit that the walk has passed; of one that was pruned nothing is left.
    pub fn known(&self, history: &History, old: &oid) -> Option<Mapped> {
        let node = self.nodes.get(history.index(old)?.get())?;
        Some(match node.is {
            // Another stands in its place, but that is not what its name was said for.
            _ if node.was_pruned => Mapped::Gone,
            None => Mapped::Gone,
            Some(is) if self.id(is) == old => Mapped::Same,
            Some(is) => Mapped::New(self.id(is)),
        })
    }

    /// The tree of a new commit.
    pub fn tree(&self, index: CommitIndex) -> ObjectId {
        self.nodes[index.get()].tree
    }

    /// The parents that a commit is left with, of its old ones that something stands for. What git-filter-repo does, and so the ids
    /// that others come to, is this (its `_maybe_trim_extra_parents`): parents that pruning made superfluous go, but never so many
    /// that a merge is none any more. In that case all stay, and the one that would be left is given too: if the merge brings
    /// nothing to it, the merge itself goes.
    pub fn parents_left(
        &self,
        history: &History,
        old: &[CommitIndex],
        pruning: &Pruning,
    ) -> (Vec<CommitIndex>, Option<CommitIndex>) {
        let stands = |was: &CommitIndex| Some((*was, self.nodes[was.get()].is?));
        let left: Vec<(CommitIndex, CommitIndex)> = old.iter().filter_map(stands).collect();
        let all = || left.iter().map(|(_, new)| *new).collect();
        if left.len() < 2 || pruning.degenerate == When::Never {
            return (all(), None);
        }
        let always = pruning.degenerate == When::Always;
        let may_go = |was: CommitIndex| always || self.nodes[was.get()].was_pruned;
        let mut seen: HashSet<CommitIndex> = HashSet::new();
        let unlike: Vec<_> = left.iter().copied().filter(|(was, new)| seen.insert(*new) || !may_go(*was)).collect();
        // What always was an ancestor of another parent was meant to be one.
        let is_superfluous = |at: usize| {
            let (was, new) = unlike[at];
            let goes_into = |(other, (other_was, other_new)): (usize, &(CommitIndex, CommitIndex))| {
                other != at && self.is_ancestor(new, *other_new) && (always || !history.is_ancestor(was, *other_was))
            };
            may_go(was) && !(pruning.no_ff && at == 0) && unlike.iter().enumerate().any(goes_into)
        };
        let trimmed: Vec<CommitIndex> = match unlike.len() {
            2.. => (0..unlike.len()).filter(|at| !is_superfluous(*at)).map(|at| unlike[at].1).collect(),
            _ => unlike.iter().map(|(_, new)| *new).collect(),
        };
        match trimmed.as_slice() {
            [_, _, ..] => (trimmed, None),
            few => (all(), few.first().copied()),
        }
    }

    /// Whether nothing was left of a commit.
    pub fn was_pruned(&self, index: CommitIndex) -> bool {
        self.nodes[index.get()].was_pruned
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
