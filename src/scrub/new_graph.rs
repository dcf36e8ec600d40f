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
    ///
    /// A merge of which one parent would be left keeps all; that one is given beside them, as what stands for the merge
    /// where nothing is left of it.
    pub fn parents_left(
        &self,
        history: &History,
        old: &[CommitIndex],
        pruning: &Pruning,
    ) -> (Vec<CommitIndex>, Option<CommitIndex>) {
        let standing = |was: &CommitIndex| Some((*was, self.nodes[was.get()].is?));
        let all: Vec<(CommitIndex, CommitIndex)> = old.iter().filter_map(standing).collect();
        let news = |parents: &[(CommitIndex, CommitIndex)]| parents.iter().map(|(_, new)| *new).collect();
        if all.len() < 2 || pruning.degenerate == When::Never {
            return (news(&all), None);
        }
        let always = pruning.degenerate == When::Always;
        let may_go = |was: CommitIndex| always || self.nodes[was.get()].was_pruned;
        // Two that became one; two that always were one stay.
        let mut seen: HashSet<CommitIndex> = HashSet::new();
        let mut left = all.clone();
        left.retain(|(was, new)| seen.insert(*new) || !may_go(*was));
        // One that became an ancestor of another; the first stays where merges are to stay merges.
        let is_superfluous = |at: usize| {
            let (was, new) = left[at];
            let covers = |(other, (other_was, other_new)): (usize, &(CommitIndex, CommitIndex))| {
                other != at && self.is_ancestor(new, *other_new) && (always || !history.is_ancestor(was, *other_was))
            };
            may_go(was) && !(pruning.no_ff && at == 0) && left.iter().enumerate().any(covers)
        };
        if left.len() > 1 {
            let gone: Vec<bool> = (0..left.len()).map(is_superfluous).collect();
            let mut gone = gone.into_iter();
            left.retain(|_| gone.next() == Some(false));
        }
        if left.len() < 2 { (news(&all), left.first().map(|(_, new)| *new)) } else { (news(&left), None) }
    }

    /// Whether a commit went.
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
