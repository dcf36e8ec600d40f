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
    by_id: HashMap<ObjectId, u32>,
}

impl CommitIndex {
    /// As a number from 0.
    pub fn get(self) -> usize {
        self.0 as usize
    }
}

impl History {
    /// All commits that `tips` lead to. The order depends on the tips' order alone, not on dates.
    ///
    /// What only those of `maybe` lead to is left out where something before it is missing: nothing keeps what, say, `ORIG_HEAD`
    /// names.
    pub fn read(objects: &dyn Objects, tips: &[ObjectId], maybe: &[ObjectId]) -> Result<Self, ObjectError> {
        let found = Found::from(objects, tips.iter().chain(maybe))?;
        // Depth first without recursion: a commit is placed once its parents are, the first of them first.
        let mut history = Self { begins: vec![0], ..Self::default() };
        let mut places = vec![UNSEEN; found.ids.len()];
        let mut stack: Vec<(u32, u32)> = Vec::new();
        for tip in 0..found.tips {
            stack.push((tip, 0));
            while let Some((number, next)) = stack.last_mut() {
                let parents = found.parents(*number);
                if places[*number as usize] < OPEN || places[*number as usize] == GONE {
                    stack.pop();
                    continue;
                }
                places[*number as usize] = OPEN;
                match parents.get(*next as usize) {
                    Some(&parent) => {
                        *next += 1;
                        if places[parent as usize] == OPEN {
                            let id = found.ids[parent as usize];
                            return Err(ObjectError::Damaged { id, problem: "it is its own ancestor" });
                        }
                        stack.push((parent, 0));
                    }
                    None => {
                        let number = *number as usize;
                        stack.pop();
                        if found.is_missing(number) || parents.iter().any(|parent| places[*parent as usize] == GONE) {
                            places[number] = GONE;
                        } else {
                            places[number] = history.commits.len() as u32;
                            history.push(&found, number as u32, &places);
                        }
                    }
                }
            }
        }
        if tips.iter().any(|tip| places[found.numbers[tip] as usize] == GONE) {
            let missing = (0..found.ids.len()).find(|number| found.is_missing(*number));
            return Err(ObjectError::Missing(missing.map_or(tips[0], |number| found.ids[number])));
        }
        let mut by_id = found.numbers;
        by_id.retain(|_, number| places[*number as usize] != GONE);
        by_id.values_mut().for_each(|number| *number = places[*number as usize]);
        history.by_id = by_id;
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
        self.by_id.get(id).copied().map(CommitIndex)
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

    fn push(&mut self, found: &Found, number: u32, places: &[u32]) {
        let mut generation = 0;
        for parent in found.parents(number) {
            let parent = CommitIndex(places[*parent as usize]);
            generation = generation.max(self.commit(parent).generation + 1);
            self.parents.push(parent);
        }
        self.begins.push(self.parents.len() as u32);
        let number = number as usize;
        self.commits.push(Commit { id: found.ids[number], tree: found.trees[number], generation });
    }
}

/// A commit that is not placed yet; one whose parents are being placed.
const UNSEEN: u32 = u32::MAX;
const OPEN: u32 = u32::MAX - 2;
/// One that is missing, or that has an ancestor that is.
const GONE: u32 = u32::MAX - 1;

/// The span of parents of a commit that is missing.
const MISSING: (u32, u32) = (0, u32::MAX);

/// Commits in the order in which they were found: the tips first.
#[derive(Default)]
struct Found {
    ids: Vec<ObjectId>,
    numbers: HashMap<ObjectId, u32>,
    tips: u32,
    trees: Vec<ObjectId>,
    parents: Vec<u32>,
    /// Where the parents of each begin and end, which is read in another order.
    spans: Vec<(u32, u32)>,
}

impl Found {
    fn from<'t>(objects: &dyn Objects, tips: impl Iterator<Item = &'t ObjectId>) -> Result<Self, ObjectError> {
        let mut found = Self::default();
        for tip in tips {
            found.number(*tip)?;
        }
        found.tips = found.ids.len() as u32;
        let mut todo: Vec<u32> = (0..found.tips).rev().collect();
        let mut buffer = Vec::new();
        while let Some(number) = todo.pop() {
            let id = found.ids[number as usize];
            let damaged = |problem| ObjectError::Damaged { id, problem };
            match objects.read(&id, &mut buffer) {
                Ok(gix::objs::Kind::Commit) => {}
                Ok(_) => return Err(damaged("it is not a commit")),
                Err(ObjectError::Missing(_)) => {
                    found.spans[number as usize] = MISSING;
                    continue;
                }
                Err(error) => return Err(error),
            }
            let header = Header::parse(&buffer);
            let tree = header.id("tree").ok_or_else(|| damaged("it names no tree"))?;
            let begin = found.parents.len() as u32;
            for parent in header.parents() {
                let parent = parent.ok_or_else(|| damaged("a parent is not an id"))?;
                let known = found.ids.len();
                let parent = found.number(parent)?;
                found.parents.push(parent);
                if found.ids.len() > known {
                    todo.push(parent);
                }
            }
            found.trees[number as usize] = tree;
            found.spans[number as usize] = (begin, found.parents.len() as u32);
        }
        Ok(found)
    }

    /// The number of a commit, which may be new.
    fn number(&mut self, id: ObjectId) -> Result<u32, ObjectError> {
        let new = u32::try_from(self.ids.len()).ok().filter(|new| *new < OPEN && self.parents.len() < OPEN as usize);
        let new = new.ok_or_else(|| ObjectError::Store("there are more than four billion commits".to_owned()))?;
        let number = *self.numbers.entry(id).or_insert(new);
        if number == new {
            self.ids.push(id);
            self.trees.push(id);
            self.spans.push((0, 0));
        }
        Ok(number)
    }

    fn is_missing(&self, number: usize) -> bool {
        self.spans[number] == MISSING
    }

    fn parents(&self, number: u32) -> &[u32] {
        let (begin, end) = match self.spans[number as usize] {
            MISSING => (0, 0),
            span => span,
        };
        &self.parents[begin as usize..end as usize]
    }
}
