//! Who leads to whom: commits to trees, trees to what is in them, by number; and what roots reach.
//!
//! Trees and commits are read once, in the order in which they are stored, into a few bytes for each entry of a tree. Everything
//! that asks for paths, reachability or first commits then needs no object at all.

use std::collections::{BTreeSet, HashMap};

use gix::ObjectId;
use gix::bstr::BString;
use gix::objs::Kind;

use super::ids::{Marks, Number};
use super::objects::{Made, Object, Objects};
use crate::scan::Part;

/// Trees, commits and tags of a repository.
pub struct Graph {
    shards: Vec<Shard>,
    nodes: Vec<Node>,
}

/// What an entry of a tree leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// An object that is there.
    Object(Number),
    /// One that is not.
    Missing(ObjectId),
    /// A commit of another repository.
    Submodule,
}

/// What one visitor has read.
#[derive(Default)]
pub struct Shard {
    edges: Vec<Edge>,
    commits: Vec<Commit>,
    parents: Vec<u32>,
    names: Vec<BString>,
    name_numbers: HashMap<BString, u32>,
    missing: Vec<ObjectId>,
    missing_numbers: HashMap<ObjectId, u32>,
    read: Vec<(Number, Span)>,
    /// Objects of which only a part could be understood.
    pub malformed: Vec<Number>,
}

/// What is kept of a tree for those made from it: where its entries start, and their edges.
pub struct TreeStarts {
    starts: Vec<u32>,
    edges: u32,
    len: u32,
}

#[derive(Debug, Clone, Copy)]
struct Edge {
    /// A number, or more than all numbers: a missing object of the shard; or a submodule.
    target: u32,
    name: u32,
}

struct Commit {
    tree: u32,
    parents: (u32, u32),
    time: i64,
}

#[derive(Debug, Clone, Copy)]
enum Span {
    Tree { start: u32, len: u32 },
    Commit { index: u32 },
    Tag { target: u32 },
}

#[derive(Debug, Clone, Copy)]
struct Node {
    shard: u32,
    span: Option<Span>,
}

const SUBMODULE: u32 = u32::MAX;

/// No number of an object.
const NONE: u32 = u32::MAX;

impl Shard {
    /// Reads a tree, a commit or a tag.
    pub fn add(
        &mut self,
        objects: &Objects,
        object: Object,
        bytes: &[u8],
        made: Option<Made<'_, Option<TreeStarts>>>,
    ) -> Option<TreeStarts> {
        match object.kind {
            Kind::Tree => {
                let start = self.edges.len() as u32;
                let made = made.and_then(|made| Some((made.kept.as_ref()?, made.parts)));
                let (starts, is_whole) = self.add_tree(objects, bytes, made);
                let len = self.edges.len() as u32 - start;
                self.read.push((object.number, Span::Tree { start, len }));
                if !is_whole {
                    self.malformed.push(object.number);
                }
                Some(TreeStarts { starts, edges: start, len: bytes.len() as u32 })
            }
            Kind::Commit => {
                let first = self.parents.len() as u32;
                let mut tree = None;
                for (key, id) in leading_ids(bytes) {
                    match key {
                        b"tree" => tree = Some(self.target(objects, &id)),
                        b"parent" => {
                            let parent = self.target(objects, &id);
                            self.parents.push(parent);
                        }
                        _ => {}
                    }
                }
                if tree.is_none() {
                    self.malformed.push(object.number);
                }
                let parents = (first, self.parents.len() as u32);
                let index = self.commits.len() as u32;
                self.commits.push(Commit { tree: tree.unwrap_or(SUBMODULE), parents, time: commit_time(bytes) });
                self.read.push((object.number, Span::Commit { index }));
                None
            }
            Kind::Tag => {
                let target =
                    leading_ids(bytes).find(|(key, _)| key == b"object").map(|(_, id)| self.target(objects, &id));
                if target.is_none() {
                    self.malformed.push(object.number);
                }
                self.read.push((object.number, Span::Tag { target: target.unwrap_or(SUBMODULE) }));
                None
            }
            Kind::Blob => None,
        }
    }

    /// Adds the edges of a tree. Entries that were copied from another tree are taken from it, without looking them up again.
    fn add_tree(&mut self, objects: &Objects, bytes: &[u8], made: Option<(&TreeStarts, &[Part])>) -> (Vec<u32>, bool) {
        let hash_len = objects.hash().len_in_bytes();
        let mut starts = Vec::with_capacity(made.as_ref().map_or(16, |(base, _)| base.starts.len() + 2));
        let mut at = 0;
        if let Some((base, parts)) = made {
            let mut part_end = 0;
            for part in parts {
                let (from, len) = match *part {
                    Part::New { len } => {
                        part_end += len;
                        continue;
                    }
                    Part::Copied { from, len } => (from, len),
                };
                let part_start = part_end;
                part_end += len;
                // What lies before the part, and the entry across its beginning.
                while at < part_start
                    && let Some(end) = self.add_entry(objects, bytes, at, hash_len)
                {
                    starts.push(at as u32);
                    at = end;
                }
                if at < part_start {
                    return (starts, false);
                }
                if at >= part_end {
                    continue;
                }
                let in_base = (from + (at - part_start)) as u32;
                let Ok(first) = base.starts.binary_search(&in_base) else { continue };
                // Up to the last entry that ends within the part.
                let until = (from + len) as u32;
                let beyond = base.starts.partition_point(|start| *start <= until);
                let last = if until == base.len { base.starts.len() } else { beyond.saturating_sub(1) };
                if last <= first {
                    continue;
                }
                let end = base.starts.get(last).copied().unwrap_or(base.len);
                starts.extend(base.starts[first..last].iter().map(|start| start - in_base + at as u32));
                let edges = base.edges as usize;
                self.edges.extend_from_within(edges + first..edges + last);
                at += (end - in_base) as usize;
            }
        }
        while at < bytes.len() {
            let Some(end) = self.add_entry(objects, bytes, at, hash_len) else { return (starts, false) };
            starts.push(at as u32);
            at = end;
        }
        (starts, true)
    }

    /// Adds the edge of the entry at `at`, whatever its name; gives where it ends. `None` where there is none.
    fn add_entry(&mut self, objects: &Objects, bytes: &[u8], at: usize, hash_len: usize) -> Option<usize> {
        let rest = bytes.get(at..)?;
        let blank = memchr::memchr(b' ', &rest[..rest.len().min(12)])?;
        let end = blank + 1 + memchr::memchr(0, &rest[blank + 1..])?;
        let id = rest.get(end + 1..end + 1 + hash_len)?;
        let target = if rest[..blank].ends_with(b"160000") {
            SUBMODULE
        } else {
            self.target(objects, &ObjectId::try_from(id).ok()?)
        };
        let name = self.name(&rest[blank + 1..end]);
        self.edges.push(Edge { target, name });
        Some(at + end + 1 + hash_len)
    }

    fn target(&mut self, objects: &Objects, id: &ObjectId) -> u32 {
        if let Some(number) = objects.number(id) {
            return number;
        }
        let missing = &mut self.missing;
        let index = *self.missing_numbers.entry(*id).or_insert_with(|| {
            missing.push(*id);
            missing.len() as u32 - 1
        });
        objects.len() as u32 + index
    }

    fn name(&mut self, name: &[u8]) -> u32 {
        if let Some(number) = self.name_numbers.get(gix::bstr::BStr::new(name)) {
            return *number;
        }
        let number = self.names.len() as u32;
        self.names.push(name.into());
        self.name_numbers.insert(name.into(), number);
        number
    }
}

impl Graph {
    /// Puts together what all visitors have read.
    pub fn new(objects: &Objects, mut shards: Vec<Shard>) -> Self {
        let mut nodes = vec![Node { shard: 0, span: None }; objects.len()];
        for (index, shard) in shards.iter_mut().enumerate() {
            for (number, span) in shard.read.drain(..) {
                nodes[number as usize] = Node { shard: index as u32, span: Some(span) };
            }
            shard.read = Vec::new();
            shard.name_numbers = HashMap::new();
            shard.missing_numbers = HashMap::new();
        }
        Self { shards, nodes }
    }

    /// The entries of a tree: what they lead to, and their names. Nothing for what is no tree.
    pub fn entries(&self, tree: Number) -> impl Iterator<Item = (Target, &BString)> {
        let node = self.nodes[tree as usize];
        let shard = &self.shards.get(node.shard as usize);
        let edges = match (shard, node.span) {
            (Some(shard), Some(Span::Tree { start, len })) => &shard.edges[start as usize..][..len as usize],
            _ => &[],
        };
        edges.iter().map(move |edge| {
            (self.target(node.shard, edge.target), &self.shards[node.shard as usize].names[edge.name as usize])
        })
    }

    /// The tree of a commit.
    pub fn tree(&self, commit: Number) -> Option<Target> {
        self.commit(commit).map(|(shard, commit)| self.target(shard, commit.tree))
    }

    /// The parents of a commit, the first one first; nothing for what is no commit.
    pub fn parents(&self, commit: Number) -> impl DoubleEndedIterator<Item = Target> {
        let (shard, parents) = match self.commit(commit) {
            Some((shard, commit)) => {
                let (start, end) = commit.parents;
                (shard, &self.shards[shard as usize].parents[start as usize..end as usize])
            }
            None => (0, &[][..]),
        };
        parents.iter().map(move |parent| self.target(shard, *parent))
    }

    /// When a commit was made, in seconds since 1970.
    pub fn time(&self, commit: Number) -> i64 {
        self.commit(commit).map_or(0, |(_, commit)| commit.time)
    }

    /// What a tag leads to.
    pub fn tagged(&self, tag: Number) -> Option<Target> {
        let node = self.nodes[tag as usize];
        match node.span {
            Some(Span::Tag { target }) => Some(self.target(node.shard, target)),
            _ => None,
        }
    }

    /// The names in some trees, sorted.
    pub fn names(&self, trees: &Marks) -> BTreeSet<&BString> {
        let mut used: Vec<Marks> = self.shards.iter().map(|shard| Marks::none(shard.names.len())).collect();
        for (number, node) in self.nodes.iter().enumerate() {
            if let Some(Span::Tree { start, len }) = node.span
                && trees.contains(number as Number)
            {
                for edge in &self.shards[node.shard as usize].edges[start as usize..][..len as usize] {
                    used[node.shard as usize].insert(edge.name);
                }
            }
        }
        let by_shard = self.shards.iter().zip(&used);
        by_shard.flat_map(|(shard, used)| used.iter().map(|name| &shard.names[name as usize])).collect()
    }

    /// Whether it is a tree.
    pub fn is_tree(&self, number: Number) -> bool {
        matches!(self.nodes[number as usize].span, Some(Span::Tree { .. }))
    }

    /// Whether it is a commit or a tag.
    pub fn leads_on(&self, number: Number) -> bool {
        matches!(self.nodes[number as usize].span, Some(Span::Commit { .. } | Span::Tag { .. }))
    }

    fn commit(&self, commit: Number) -> Option<(u32, &Commit)> {
        let node = self.nodes[commit as usize];
        match node.span {
            Some(Span::Commit { index }) => {
                Some((node.shard, &self.shards[node.shard as usize].commits[index as usize]))
            }
            _ => None,
        }
    }

    fn target(&self, shard: u32, target: u32) -> Target {
        match target {
            SUBMODULE => Target::Submodule,
            number if (number as usize) < self.nodes.len() => Target::Object(number),
            missing => Target::Missing(self.shards[shard as usize].missing[missing as usize - self.nodes.len()]),
        }
    }
}

/// What roots lead to, and by which way it was reached first.
pub struct Reached {
    /// All that was reached.
    pub marks: Marks,
    /// What is not there, with who leads to it: a tree and the name in it, or a commit or tag.
    pub missing: Vec<(ObjectId, Number, Option<BString>)>,
    /// The tree, and the entry of it, by which a tree or blob was reached.
    via: Vec<(Number, u32)>,
}

impl Reached {
    /// Nothing yet.
    pub fn new(objects: &Objects) -> Self {
        Self { marks: objects.no_marks(), missing: Vec::new(), via: vec![(NONE, 0); objects.len()] }
    }

    /// Follows a root: a commit and its parents, the newest first, with all that is in their trees.
    pub fn follow(&mut self, graph: &Graph, root: Number) {
        let mut todo = vec![root];
        let mut trees = Vec::new();
        while let Some(number) = todo.pop() {
            if !self.marks.insert(number) {
                continue;
            }
            let missing = &mut self.missing;
            let mut there = |target: Target| match target {
                Target::Object(number) => Some(number),
                Target::Missing(id) => {
                    missing.push((id, number, None));
                    None
                }
                Target::Submodule => None,
            };
            if let Some(target) = graph.tagged(number) {
                todo.extend(there(target));
            } else if let Some(tree) = graph.tree(number) {
                let before = todo.len();
                todo.extend(graph.parents(number).filter_map(&mut there));
                todo[before..].reverse();
                if let Some(tree) = there(tree)
                    && self.marks.insert(tree)
                {
                    trees.push(tree);
                }
            } else {
                trees.push(number);
            }
            while let Some(tree) = trees.pop() {
                for (index, (target, name)) in graph.entries(tree).enumerate() {
                    match target {
                        // A tree may name a commit without being a submodule; it must not hide the commit's own history.
                        Target::Object(child) if graph.leads_on(child) => todo.push(child),
                        Target::Object(child) => {
                            if self.marks.insert(child) {
                                self.via[child as usize] = (tree, index as u32);
                                trees.push(child);
                            }
                        }
                        Target::Missing(id) => self.missing.push((id, tree, Some(name.clone()))),
                        Target::Submodule => {}
                    }
                }
            }
        }
    }

    /// The path by which a tree or blob was reached; `None` where no tree leads to it.
    pub fn path(&self, graph: &Graph, number: Number) -> Option<BString> {
        let mut names: Vec<&BString> = Vec::new();
        let mut at = number;
        while let (tree, index) = self.via[at as usize]
            && tree != NONE
        {
            names.push(graph.entries(tree).nth(index as usize)?.1);
            at = tree;
        }
        names.reverse();
        (!names.is_empty()).then(|| joined(names.into_iter()))
    }

    /// The path of an entry of a tree that was reached.
    pub fn path_below(&self, graph: &Graph, tree: Number, name: &BString) -> BString {
        joined(self.path(graph, tree).iter().chain([name]))
    }
}

/// Names with `/` between them.
pub fn joined<'a>(names: impl Iterator<Item = &'a BString>) -> BString {
    let names: Vec<&[u8]> = names.map(|name| name.as_slice()).collect();
    names.join(&b'/').into()
}

/// The lines at the beginning of a commit or tag that hold an id, with their first word.
fn leading_ids(bytes: &[u8]) -> impl Iterator<Item = (&[u8], ObjectId)> {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    std::iter::from_fn(move || {
        let line = lines.next()?;
        let blank = memchr::memchr(b' ', line)?;
        Some((&line[..blank], ObjectId::from_hex(&line[blank + 1..]).ok()?))
    })
}

/// Where the lines end that hold ids: what follows was written by people.
pub fn written_by_people(bytes: &[u8]) -> usize {
    leading_ids(bytes).map(|(key, id)| key.len() + 1 + id.kind().len_in_hex() + 1).sum::<usize>().min(bytes.len())
}

/// When a commit was made, as far as that can be read.
fn commit_time(bytes: &[u8]) -> i64 {
    let head = memchr::memmem::find(bytes, b"\n\n").map_or(bytes, |end| &bytes[..end]);
    let line = head.split(|byte| *byte == b'\n').find(|line| line.starts_with(b"committer "));
    let line =
        line.and_then(|line| std::str::from_utf8(&line[memchr::memrchr(b'>', line).map_or(0, |at| at + 1)..]).ok());
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
