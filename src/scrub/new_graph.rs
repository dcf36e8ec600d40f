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

    /// What became of a commit that the walk has passed.
    pub fn known(&self, history: &History, old: &oid) -> Option<Mapped> {
        let node = self.nodes.get(history.index(old)?.get())?;
        Some(match node.is {
            None => Mapped::Gone,
            Some(is) if self.id(is) == old => Mapped::Same,
            Some(is) => Mapped::New(self.id(is)),
        })
    }

    /// What became of a commit that a message names: one that was pruned is gone, whatever stands in its place.
    pub fn named(&self, history: &History, old: &oid) -> Option<Mapped> {
        let was_pruned = self.nodes.get(history.index(old)?.get())?.was_pruned;
        if was_pruned { Some(Mapped::Gone) } else { self.known(history, old) }
    }

    /// The tree of a new commit.
    pub fn tree(&self, index: CommitIndex) -> ObjectId {
        self.nodes[index.get()].tree
    }

    /// The parents that a commit is left with: those that stand for its old ones, without those that pruning made superfluous.
    pub fn parents_left(&self, history: &History, old: &[CommitIndex], pruning: &Pruning) -> Vec<CommitIndex> {
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
