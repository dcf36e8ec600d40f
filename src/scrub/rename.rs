//! Paths that stay, go or move: selections and renames in the order they were given, and trees built again from what is left.
//!
//! A directory of which all paths meet the same end is moved as it is: it is neither read nor written. What selects without
//! moving, by patterns, is better followed by [`PathWalk`](super::paths::PathWalk). Source: git-filter-repo's `--path…` options.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use gix::ObjectId;
use gix::bstr::{BString, ByteSlice as _};
use gix::objs::Kind;
use regex::bytes::Regex;

use super::adjust::Adjust;
use super::objects::{ObjectError, Objects};
use super::paths::PathRule;
use super::replace::Template;
use super::tree::{Entries, EntryKind};

/// What is done to a path, one after the other.
#[derive(Debug, Clone, Default)]
pub struct PathChanges {
    /// Selections and renames; each sees what the ones before made of the path.
    pub changes: Vec<PathChange>,
    /// Whether what is selected stays and all else goes, instead of the other way round.
    pub keeps_only: bool,
    /// Whether selections look at the last component alone.
    pub by_base_name: bool,
}

/// One of them.
#[derive(Debug, Clone)]
pub enum PathChange {
    /// Selects a path. An exact one with `/` at its end is a directory's.
    Select(PathRule),
    /// Moves what lies at or below a path by putting other words in the place of that beginning.
    Move {
        /// The beginning: a path, or a directory with `/` at its end; all paths where it is empty.
        old: Vec<u8>,
        /// What takes its place.
        new: Vec<u8>,
    },
    /// Replaces whatever a pattern finds.
    Replace(Regex, Template),
}

/// What becomes of all that is in a directory.
#[derive(Debug, PartialEq, Eq)]
enum Below {
    /// All of it goes.
    Gone,
    /// All of it gets this in the place of the directory's path, which ends in `/` or is empty.
    Moved(Vec<u8>),
    /// It must be looked into.
    Inside,
}

impl PathChanges {
    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Where a file goes; `None` where it does not stay.
    pub fn new_path(&self, path: &[u8]) -> Option<Vec<u8>> {
        let mut new = path.to_vec();
        let mut is_selected = false;
        for change in &self.changes {
            match change {
                PathChange::Select(rule) => {
                    let base = new.rfind_byte(b'/').filter(|_| self.by_base_name).map_or(0, |at| at + 1);
                    is_selected |= match rule {
                        PathRule::Exact(exact) => is_in(&new[base..], exact),
                        PathRule::Glob(regex) | PathRule::Regex(regex) => regex.is_match(&new[base..]),
                    };
                }
                PathChange::Move { old, new: by } => {
                    if is_in(&new, old) {
                        new.splice(..old.len(), by.iter().copied());
                    }
                }
                PathChange::Replace(regex, by) => new = by.replace_all(regex, &new),
            }
        }
        (is_selected == self.keeps_only && !new.is_empty()).then_some(new)
    }

    /// What becomes of a directory whose path ends in `/`, or is empty.
    fn below(&self, directory: &[u8]) -> Below {
        let mut new = directory.to_vec();
        let mut is_selected = false;
        for change in &self.changes {
            let (exact, by) = match change {
                PathChange::Select(_) if is_selected => continue,
                PathChange::Select(PathRule::Exact(exact)) if !self.by_base_name => (exact, None),
                PathChange::Move { old, new } => (old, Some(new)),
                _ => return Below::Inside,
            };
            // What is meant lies further down: some of it, or it itself, is meant and the rest is not.
            if exact.len() > new.len() && exact.starts_with(&new) {
                return Below::Inside;
            }
            if is_in(&new, exact) {
                match by {
                    None => is_selected = true,
                    Some(by) => _ = new.splice(..exact.len(), by.iter().copied()),
                }
            }
            // Names of files begin with it, not directories.
            if !new.is_empty() && !new.ends_with(b"/") {
                return Below::Inside;
            }
        }
        if is_selected == self.keeps_only { Below::Moved(new) } else { Below::Gone }
    }
}

/// Whether a path is `exact` or below it.
fn is_in(path: &[u8], exact: &[u8]) -> bool {
    let Some(rest) = path.strip_prefix(exact) else { return false };
    exact.is_empty() || exact.ends_with(b"/") || rest.is_empty() || rest.starts_with(b"/")
}

/// Builds trees whose files have moved. What was built once is not built again.
#[derive(Debug)]
pub struct Mover {
    changes: PathChanges,
    /// What each directory leaves, seen from the top: by its tree and its path.
    left: HashMap<(ObjectId, Rc<[u8]>), Option<Node>>,
    roots: HashMap<ObjectId, ObjectId>,
}

/// A file or directory in its new place.
#[derive(Debug, Clone)]
enum Node {
    /// A file, link or submodule.
    File { mode: Rc<[u8]>, id: ObjectId },
    /// A directory as it is.
    Whole(ObjectId),
    /// A directory that is new.
    Built(Rc<Branch>),
}

/// The entries of a directory that is new, and its tree once it is written.
#[derive(Debug, Clone, Default)]
struct Branch {
    entries: BTreeMap<BString, Node>,
    tree: Cell<Option<ObjectId>>,
}

impl Adjust for Mover {
    fn root(&mut self, objects: &mut dyn Objects, root: ObjectId) -> Result<ObjectId, ObjectError> {
        self.tree(objects, root)
    }
}

/// Why two could not lie in one place: the place.
struct Collision(Vec<u8>);

/// No directory is deeper, before or after.
const MAX_DEPTH: usize = 4096;

impl Mover {
    /// One that has built nothing yet.
    pub fn new(changes: PathChanges) -> Self {
        Self { changes, left: HashMap::new(), roots: HashMap::new() }
    }

    /// The tree that a commit's tree becomes.
    pub fn tree(&mut self, objects: &mut dyn Objects, old: ObjectId) -> Result<ObjectId, ObjectError> {
        if let Some(new) = self.roots.get(&old) {
            return Ok(*new);
        }
        let new = match self.directory(objects, old, &Rc::from(&b""[..]), 0) {
            Ok(None) => objects.write(Kind::Tree, b"")?,
            Ok(Some(node)) => write(objects, &node)?,
            Err(Trouble::Object(error)) => return Err(error),
            Err(Trouble::Collision(Collision(place))) => return Err(self.explain(objects, old, place)?),
        };
        self.roots.insert(old, new);
        Ok(new)
    }

    /// What a directory leaves, as seen from the top.
    fn directory(
        &mut self,
        objects: &dyn Objects,
        id: ObjectId,
        path: &Rc<[u8]>,
        depth: usize,
    ) -> Result<Option<Node>, Trouble> {
        let key = (id, path.clone());
        if let Some(left) = self.left.get(&key) {
            return Ok(left.clone());
        }
        if depth > MAX_DEPTH {
            return Err(ObjectError::Damaged { id, problem: "its directories are too deep" }.into());
        }
        let left = match self.changes.below(path) {
            Below::Gone => None,
            Below::Moved(_) if id == objects.hash_kind().empty_tree() => None,
            Below::Moved(new) => Some(placed(&new, Node::Whole(id), path)?),
            Below::Inside => {
                let mut left: Option<Node> = None;
                let mut bytes = Vec::new();
                read_tree(objects, id, &mut bytes)?;
                for entry in Entries::new(&bytes, objects.hash_kind().len_in_bytes()) {
                    let entry = entry.map_err(|_| not_a_tree(id))?;
                    let below: Vec<u8> = [path, entry.name].concat();
                    let node = match entry.kind() {
                        EntryKind::Tree => {
                            let below = Rc::from([&below, &b"/"[..]].concat());
                            self.directory(objects, entry.id.to_owned(), &below, depth + 1)?
                        }
                        EntryKind::Blob | EntryKind::Submodule => {
                            let Some(new) = self.changes.new_path(&below) else { continue };
                            let file = Node::File { mode: Rc::from(entry.mode), id: entry.id.to_owned() };
                            Some(placed(&new, file, &below)?)
                        }
                    };
                    left = match (left, node) {
                        (Some(one), Some(other)) => Some(merge(objects, one, other, b"", 0)?),
                        (one, other) => one.or(other),
                    };
                }
                left
            }
        };
        self.left.insert(key, left.clone());
        Ok(left)
    }

    /// Which two files of a tree would lie in one place.
    fn explain(&self, objects: &dyn Objects, root: ObjectId, place: Vec<u8>) -> Result<ObjectError, ObjectError> {
        let mut found: Vec<BString> = Vec::new();
        let mut bytes = Vec::new();
        let mut todo = vec![(root, Vec::new())];
        while let Some((id, path)) = todo.pop() {
            read_tree(objects, id, &mut bytes)?;
            for entry in Entries::new(&bytes, objects.hash_kind().len_in_bytes()) {
                let entry = entry.map_err(|_| not_a_tree(id))?;
                let below = [&path, entry.name].concat();
                if entry.kind() == EntryKind::Tree {
                    todo.push((entry.id.to_owned(), [&below, &b"/"[..]].concat()));
                } else if self.changes.new_path(&below).is_some_and(|new| is_in(&new, &place) || is_in(&place, &new)) {
                    found.push(below.into());
                }
            }
        }
        found.sort();
        let new = |path: &BString| self.changes.new_path(path).unwrap_or_default();
        let first = found.first().map(new).unwrap_or_default();
        let meets = |path: &&BString| is_in(&new(path), &first) || is_in(&first, &new(path));
        let names: Vec<String> = found.iter().filter(meets).take(2).map(|path| format!("{path:?}")).collect();
        let place = BString::from(place);
        Ok(ObjectError::Store(format!(
            "{} would both become {place:?}: rename one of them to something else, or select only one",
            names.join(" and ")
        )))
    }
}

enum Trouble {
    Object(ObjectError),
    Collision(Collision),
}

impl From<ObjectError> for Trouble {
    fn from(error: ObjectError) -> Self {
        Self::Object(error)
    }
}

impl From<Collision> for Trouble {
    fn from(collision: Collision) -> Self {
        Self::Collision(collision)
    }
}

/// A node at its new path, as seen from the top. A directory's path ends in `/`.
fn placed(path: &[u8], node: Node, old: &[u8]) -> Result<Node, ObjectError> {
    if path.is_empty() {
        return Ok(node);
    }
    let names: Vec<&[u8]> = path.strip_suffix(b"/").unwrap_or(path).split(|byte| *byte == b'/').collect();
    if names.len() > MAX_DEPTH || names.iter().any(|name| name.is_empty() || *name == b"." || *name == b"..") {
        let [old, new] = [old.as_bstr(), path.as_bstr()];
        return Err(ObjectError::Store(format!("{old:?} would become {new:?}, which is no path that git can have")));
    }
    let inside = |node, name: &&[u8]| built([(BString::from(*name), node)].into());
    Ok(names.iter().rev().fold(node, inside))
}

fn built(entries: BTreeMap<BString, Node>) -> Node {
    Node::Built(Rc::new(Branch { entries, tree: Cell::new(None) }))
}

/// Two that lie in one place, as one: directories, or twice the same file.
fn merge(objects: &dyn Objects, one: Node, other: Node, path: &[u8], depth: usize) -> Result<Node, Trouble> {
    match (&one, &other) {
        (Node::File { mode, id }, Node::File { mode: other_mode, id: other_id }) => {
            return if mode == other_mode && id == other_id { Ok(one) } else { Err(Collision(path.to_vec()).into()) };
        }
        (Node::File { .. }, _) | (_, Node::File { .. }) => return Err(Collision(path.to_vec()).into()),
        (Node::Whole(id), Node::Whole(other_id)) if id == other_id => return Ok(one),
        _ => {}
    }
    let (mut into, from) = (open(objects, one)?, open(objects, other)?);
    // Mostly names that were not there: what is shared is copied once, by `make_mut`.
    let branch = Rc::make_mut(&mut into);
    branch.tree.set(None);
    let entries = &mut branch.entries;
    for (name, node) in &from.entries {
        match entries.remove(name) {
            None => _ = entries.insert(name.clone(), node.clone()),
            Some(there) => {
                let below = if path.is_empty() { name.to_vec() } else { [path, b"/", name].concat() };
                if depth > MAX_DEPTH {
                    return Err(ObjectError::Store("directories are too deep".to_owned()).into());
                }
                let merged = merge(objects, there, node.clone(), &below, depth + 1)?;
                entries.insert(name.clone(), merged);
            }
        }
    }
    Ok(Node::Built(into))
}

/// A directory's entries.
fn open(objects: &dyn Objects, node: Node) -> Result<Rc<Branch>, ObjectError> {
    let id = match node {
        Node::Built(branch) => return Ok(branch),
        Node::Whole(id) | Node::File { id, .. } => id,
    };
    let mut bytes = Vec::new();
    read_tree(objects, id, &mut bytes)?;
    let mut entries = BTreeMap::new();
    for entry in Entries::new(&bytes, objects.hash_kind().len_in_bytes()) {
        let entry = entry.map_err(|_| not_a_tree(id))?;
        let id = entry.id.to_owned();
        let node = match entry.kind() {
            EntryKind::Tree => Node::Whole(id),
            _ => Node::File { mode: Rc::from(entry.mode), id },
        };
        entries.insert(entry.name.into(), node);
    }
    Ok(Rc::new(Branch { entries, tree: Cell::new(None) }))
}

/// The tree of a directory.
fn write(objects: &mut dyn Objects, node: &Node) -> Result<ObjectId, ObjectError> {
    let branch = match node {
        Node::File { id, .. } | Node::Whole(id) => return Ok(*id),
        Node::Built(branch) => branch,
    };
    if let Some(id) = branch.tree.get() {
        return Ok(id);
    }
    let mut sorted: Vec<(Vec<u8>, Vec<u8>)> = Vec::with_capacity(branch.entries.len());
    for (name, node) in &branch.entries {
        let (mode, key) = match node {
            Node::File { mode, .. } => (&mode[..], name.to_vec()),
            // A directory has its place as if its name ended in `/`.
            _ => (&b"40000"[..], [name, &b"/"[..]].concat()),
        };
        let id = write(objects, node)?;
        sorted.push((key, [mode, b" ", name, b"\0", id.as_bytes()].concat()));
    }
    sorted.sort_by(|(one, _), (other, _)| one.cmp(other));
    let id = objects.write(Kind::Tree, &sorted.into_iter().flat_map(|(_, entry)| entry).collect::<Vec<u8>>())?;
    branch.tree.set(Some(id));
    Ok(id)
}

fn read_tree(objects: &dyn Objects, id: ObjectId, bytes: &mut Vec<u8>) -> Result<(), ObjectError> {
    if objects.read(&id, bytes)? == Kind::Tree { Ok(()) } else { Err(not_a_tree(id)) }
}

fn not_a_tree(id: ObjectId) -> ObjectError {
    ObjectError::Damaged { id, problem: "it is not a tree" }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use gix::hash::Kind as HashKind;

    use super::super::objects::memory::Memory;
    use super::super::paths::PathSelection;
    use super::*;

    fn moving(old: &str, new: &str) -> PathChange {
        PathChange::Move { old: old.into(), new: new.into() }
    }

    fn selecting(path: &str) -> PathChange {
        PathChange::Select(PathRule::Exact(path.into()))
    }

    fn changes(changes: Vec<PathChange>) -> PathChanges {
        let keeps_only = changes.iter().any(|change| matches!(change, PathChange::Select(_)));
        PathChanges { changes, keeps_only, by_base_name: false }
    }

    fn regex(pattern: &str, by: &str) -> PathChange {
        PathChange::Replace(Regex::new(pattern).unwrap(), Template::parse(by.as_bytes()).unwrap())
    }

    /// The tree of files whose text is their path.
    fn tree(objects: &mut Memory, paths: &[(&str, &str)]) -> ObjectId {
        let mut all: Option<Node> = None;
        for (path, text) in paths {
            let id = objects.write(Kind::Blob, text.as_bytes()).unwrap();
            let file = Node::File { mode: Rc::from(&b"100644"[..]), id };
            let node = placed(path.as_bytes(), file, b"").unwrap();
            all = Some(match all {
                None => node,
                Some(all) => merge(objects, all, node, b"", 0).ok().unwrap(),
            });
        }
        write(objects, &all.unwrap()).unwrap()
    }

    fn files(objects: &Memory, id: ObjectId, path: &str, found: &mut Vec<String>) {
        let mut bytes = Vec::new();
        read_tree(objects, id, &mut bytes).unwrap();
        for entry in Entries::new(&bytes, 20) {
            let entry = entry.unwrap();
            let below = format!("{path}{}", entry.name.as_bstr());
            match entry.kind() {
                EntryKind::Tree => files(objects, entry.id.to_owned(), &format!("{below}/"), found),
                _ => found.push(below),
            }
        }
    }

    const FILES: [&str; 6] = ["a/b/c", "a/b/d", "a/e", "ab/f", "g", "x.y"];

    #[test]
    fn tree_that_is_built_has_the_files_that_each_path_says() {
        let by_name = |rule: &str| PathChanges { by_base_name: true, ..changes(vec![selecting(rule)]) };
        let glob = |glob: &str| PathChange::Select(PathSelection::glob(glob.as_bytes()).unwrap());
        for changes in [
            changes(vec![moving("a", "z")]),
            changes(vec![moving("a/", "z/"), moving("z/b/", "q/r/")]),
            changes(vec![moving("", "sub/")]),
            changes(vec![moving("", "pre")]),
            changes(vec![selecting("a/"), moving("a/", "")]),
            changes(vec![selecting("a/b"), selecting("g"), moving("a/b/", ""), moving("g", "a/g")]),
            // After a rename the old name selects nothing any more, and the new one does.
            changes(vec![moving("a/", "z/"), selecting("z/b"), selecting("a/e")]),
            changes(vec![regex("^a/(.)/", "\\1-")]),
            changes(vec![glob("a/*"), regex("/", "_")]),
            changes(vec![selecting("nowhere")]),
            changes(vec![selecting("a/b/c/")]),
            PathChanges { keeps_only: false, ..changes(vec![selecting("a/b"), moving("a", "h/i")]) },
            by_name("c"),
            changes(vec![]),
        ] {
            let mut objects = Memory::new(HashKind::Sha1);
            let old = tree(&mut objects, &FILES.map(|path| (path, path)));
            let mut expected: Vec<String> = FILES
                .iter()
                .filter_map(|path| changes.new_path(path.as_bytes()))
                .map(|path| String::from_utf8(path).unwrap())
                .collect();
            let mut mover = Mover::new(changes.clone());
            let new = mover.tree(&mut objects, old).unwrap();
            let mut found = Vec::new();
            files(&objects, new, "", &mut found);
            let written = expected.iter().map(|path| (path.as_str(), path.as_str()));
            if !expected.is_empty() {
                // The same as a tree that was made from these files.
                let texts = FILES.iter().filter(|path| changes.new_path(path.as_bytes()).is_some());
                let pairs: Vec<(&str, &str)> = written.zip(texts).map(|((path, _), text)| (path, *text)).collect();
                assert_eq!(tree(&mut objects, &pairs), new, "{changes:?}");
            }
            expected.sort();
            found.sort();
            assert_eq!(found, expected, "{changes:?}");
        }
    }

    #[test]
    fn directory_that_moves_as_a_whole_is_neither_read_nor_written() {
        let mut objects = Memory::new(HashKind::Sha1);
        let old = tree(&mut objects, &FILES.map(|path| (path, path)));
        let before = objects.len();
        let mut mover = Mover::new(changes(vec![moving("", "sub/dir/")]));
        let new = mover.tree(&mut objects, old).unwrap();
        assert_eq!(objects.len() - before, 2, "one tree a component");
        assert_eq!(mover.tree(&mut objects, old).unwrap(), new);
        let mut mover = Mover::new(changes(vec![selecting("a/b/"), moving("a/b/", "")]));
        let mut found = Vec::new();
        let new = mover.tree(&mut objects, old).unwrap();
        files(&objects, new, "", &mut found);
        assert_eq!((found, objects.len() - before), (vec!["c".to_owned(), "d".to_owned()], 2), "it was there");
    }

    #[test]
    fn two_files_in_one_place_are_an_error_that_names_both_unless_they_are_the_same() {
        let clash = |files: &[(&str, &str)], changes: PathChanges| {
            let mut objects = Memory::new(HashKind::Sha1);
            let old = tree(&mut objects, files);
            Mover::new(changes).tree(&mut objects, old).map_err(|error| error.to_string())
        };
        let renamed = || changes(vec![moving("a/", "b/")]);
        let error = clash(&[("a/x", "1"), ("b/x", "2"), ("b/y", "3")], renamed()).unwrap_err();
        assert!(error.starts_with("\"a/x\" and \"b/x\" would both become \"b/x\""), "{error}");
        let error = clash(&[("a/x/y", "1"), ("b/x", "2")], renamed()).unwrap_err();
        assert!(error.starts_with("\"a/x/y\" and \"b/x\" would both become \"b/x\""), "{error}");
        clash(&[("a/x", "1"), ("b/x", "1"), ("b/y", "3")], renamed()).unwrap();
        let error = clash(&[("a/x", "1")], changes(vec![moving("a", "")])).unwrap_err();
        assert!(error.contains("\"a/x\" would become \"/x\"") || error.contains("no path"), "{error}");
    }
}
