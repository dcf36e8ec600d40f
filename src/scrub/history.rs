//! The commits that a rewrite looks at, in an order in which parents come before children.

use std::collections::{HashMap, HashSet};

use gix::ObjectId;
use gix::hash::oid;

use super::header::Header;
use super::objects::{ObjectError, Objects};

/// A commit's place in the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommitIndex(u32);

/// What a rewrite needs to know of a commit before it reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Commit {
    /// Its id.
    pub id: ObjectId,
    /// Its tree.
    pub tree: ObjectId,
    /// One more than that of its parents.
    generation: u32,
}

/// Commits, parents before children.
#[derive(Debug, Default)]
pub struct History {
    commits: Vec<Commit>,
    /// The parents of all commits, one behind the other, and where those of each begin.
    parents: Vec<CommitIndex>,
    begins: Vec<u32>,
    by_id: HashMap<ObjectId, CommitIndex>,
}

impl CommitIndex {
    /// As a number from 0.
    pub fn get(self) -> usize {
        self.0 as usize
    }
}

impl History {
    /// All commits that `tips` lead to. The order depends on the tips' order alone, not on dates.
    pub fn read(objects: &impl Objects, tips: impl IntoIterator<Item = ObjectId>) -> Result<Self, ObjectError> {
        let mut history = Self { begins: vec![0], ..Self::default() };
        let mut buffer = Vec::new();
        // Depth first without recursion: a commit is placed once its parents are.
        let mut open: HashMap<ObjectId, Vec<ObjectId>> = HashMap::new();
        let mut trees: HashMap<ObjectId, ObjectId> = HashMap::new();
        for tip in tips {
            let mut stack = vec![tip];
            while let Some(&id) = stack.last() {
                if history.by_id.contains_key(&id) {
                    stack.pop();
                    continue;
                }
                if let Some(parents) = open.remove(&id) {
                    stack.pop();
                    let tree = trees.remove(&id).ok_or(ObjectError::Missing(id))?;
                    history.push(id, tree, &parents)?;
                    continue;
                }
                if objects.read(&id, &mut buffer)? != gix::objs::Kind::Commit {
                    return Err(ObjectError::Damaged { id, problem: "it is not a commit" });
                }
                let header = Header::parse(&buffer);
                let damaged = |problem| ObjectError::Damaged { id, problem };
                trees.insert(id, header.id("tree").ok_or_else(|| damaged("it names no tree"))?);
                let parents = header.parents().collect::<Option<Vec<_>>>();
                let parents = parents.ok_or_else(|| damaged("a parent is not an id"))?;
                if parents.iter().any(|parent| open.contains_key(parent)) {
                    return Err(damaged("it is its own ancestor"));
                }
                // The first parent is placed first: it is on top of the stack.
                stack.extend(parents.iter().rev().filter(|parent| !history.by_id.contains_key(*parent)));
                open.insert(id, parents);
            }
        }
        Ok(history)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.commits.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.commits.is_empty()
    }

    /// All of them, parents before children.
    pub fn iter(&self) -> impl Iterator<Item = (CommitIndex, &Commit)> {
        self.commits.iter().enumerate().map(|(at, commit)| (CommitIndex(at as u32), commit))
    }

    /// One of them.
    pub fn commit(&self, index: CommitIndex) -> &Commit {
        &self.commits[index.get()]
    }

    /// The parents of one, in order.
    pub fn parents(&self, index: CommitIndex) -> &[CommitIndex] {
        let [begin, end] = [self.begins[index.get()], self.begins[index.get() + 1]];
        &self.parents[begin as usize..end as usize]
    }

    /// The place of a commit.
    pub fn index(&self, id: &oid) -> Option<CommitIndex> {
        self.by_id.get(id).copied()
    }

    /// Whether one is reached from another by its parents; every commit is its own ancestor.
    pub fn is_ancestor(&self, ancestor: CommitIndex, of: CommitIndex) -> bool {
        let least = self.commit(ancestor).generation;
        let mut seen = HashSet::new();
        let mut todo = vec![of];
        while let Some(at) = todo.pop() {
            if at == ancestor {
                return true;
            }
            if self.commit(at).generation > least {
                todo.extend(self.parents(at).iter().copied().filter(|parent| seen.insert(*parent)));
            }
        }
        false
    }

    fn push(&mut self, id: ObjectId, tree: ObjectId, parents: &[ObjectId]) -> Result<(), ObjectError> {
        let too_many = || ObjectError::Store("there are more than four billion commits or parents".to_owned());
        let index = CommitIndex(u32::try_from(self.commits.len()).map_err(|_| too_many())?);
        let mut generation = 0;
        for parent in parents {
            let parent = self.index(parent).ok_or(ObjectError::Damaged { id, problem: "it is its own ancestor" })?;
            generation = generation.max(self.commit(parent).generation + 1);
            self.parents.push(parent);
        }
        self.begins.push(u32::try_from(self.parents.len()).map_err(|_| too_many())?);
        self.commits.push(Commit { id, tree, generation });
        self.by_id.insert(id, index);
        Ok(())
    }
}
