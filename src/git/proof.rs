//! What must hold before refs may move: the new pack is whole on the disk, all that its objects name is there, and nothing changed but
//! what was meant.
//!
//! This is a second way of looking at it: whole paths are matched here, and old and new objects compared, where the rewrite
//! followed directories and edited. What it was made with is not asked.

use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use gix::ObjectId;
use gix::hash::oid;
use gix::objs::Kind;

use super::ids::Number;
use super::lookup::Lookup;
use super::objects::{Made, Object, Objects as Stored, Stores, Visit, Visitor};
use super::{GitError, Prepared, Repository, RewriteError, RunFolder};
use crate::scrub::{
    BlobFate, CommitFate, Entries, Entry, EntryKind, Header, ObjectError, PathRule, PathSelection, Rules,
};

/// What was compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Proof {
    /// New objects that were read from the disk and hashed.
    pub objects: usize,
    /// Commits that were compared with what they were.
    pub commits: usize,
    /// Pairs of trees that were compared.
    pub trees: usize,
}

/// Proves a rewrite that only takes out and replaces: renames are beyond it. `words` is whether words of commits were to change too.
pub fn prove(
    repository: &Repository,
    run: &RunFolder,
    prepared: &Prepared,
    words: bool,
) -> Result<Proof, RewriteError> {
    let mut proof = Proof { objects: whole(repository, run, prepared)?, ..Proof::default() };
    let anywhere = [Path::new("/").to_owned()];
    let mut stores = Stores::of(&repository.common_dir().join("objects"), &anywhere);
    stores.folders.insert(0, run.objects());
    let lookup = Lookup::open(&stores, repository.inner.object_hash())?;
    let id_len = lookup.hash().len_in_bytes();
    let mut compared =
        Comparison { lookup, rules: &prepared.rules, id_len, seen: HashSet::new(), clean: HashSet::new() };
    let (mut old_bytes, mut new_bytes) = (Vec::new(), Vec::new());
    for (index, commit) in prepared.history.iter() {
        let CommitFate::New(new) = prepared.rewritten.commits[index.get()] else { continue };
        let wrong = |what| not_proven(new, what);
        if compared.lookup.read(&commit.id, &mut old_bytes)? != Kind::Commit
            || compared.lookup.read(&new, &mut new_bytes)? != Kind::Commit
        {
            return Err(wrong("it is no commit"));
        }
        let (before, after) = (Header::parse(&old_bytes), Header::parse(&new_bytes));
        let tree = after.id("tree").ok_or_else(|| wrong("it has no tree"))?;
        for parent in after.parents() {
            let is_there = parent.is_some_and(|parent| compared.lookup.has(&parent));
            if !is_there {
                return Err(wrong("a parent of it is not there"));
            }
        }
        if !words && !same_words(&before, &after) {
            return Err(wrong("more of it changed than was meant"));
        }
        compared.roots(commit.tree, tree)?;
        proof.commits += 1;
    }
    // Commits that stayed must not have had anything to change.
    for (index, commit) in prepared.history.iter() {
        if prepared.rewritten.commits[index.get()] == CommitFate::Same {
            compared.roots(commit.tree, commit.tree)?;
        }
    }
    for moved in &prepared.moves {
        if let Some(new) = moved.new.filter(|new| !compared.lookup.has(new)) {
            return Err(not_proven(new, "a ref is to name it, and it is not there"));
        }
    }
    proof.trees = compared.seen.len();
    Ok(proof)
}

/// Whether all fields of a commit but those that name others by id, and its message, are the same; signatures may be gone.
fn same_words(before: &Header<'_>, after: &Header<'_>) -> bool {
    let may_go = |key: &[u8]| matches!(key, b"gpgsig" | b"gpgsig-sha256" | b"mergetag");
    let mut left = after.fields().skip(1 + after.parents().count()).peekable();
    for field in before.fields().skip(1 + before.parents().count()) {
        if left.peek() == Some(&field) {
            left.next();
        } else if !may_go(field.0) {
            return false;
        }
    }
    left.next().is_none() && before.message() == after.message()
}

struct Comparison<'a> {
    lookup: Lookup,
    rules: &'a Rules,
    id_len: usize,
    /// Pairs of trees that were compared at a path.
    seen: HashSet<(ObjectId, ObjectId, Vec<u8>)>,
    /// Trees at a path of which all or nothing is meant, as it should be.
    clean: HashSet<(ObjectId, Vec<u8>, bool)>,
}

impl Comparison<'_> {
    fn roots(&mut self, old: ObjectId, new: ObjectId) -> Result<(), RewriteError> {
        // Most roots are the same in two ways; whole directories are compared at the path where they are.
        let mut todo = vec![(old, new, Vec::new())];
        let (mut before, mut after) = (Vec::new(), Vec::new());
        while let Some((old, new, path)) = todo.pop() {
            if old == new && !self.may_have(&path) || !self.seen.insert((old, new, path.clone())) {
                continue;
            }
            self.tree(&old, &mut before)?;
            if old != new {
                self.tree(&new, &mut after)?;
            }
            let after: &[u8] = if old == new { &before } else { &after };
            let mut left = Entries::new(after, self.id_len).peekable();
            for entry in Entries::new(&before, self.id_len) {
                let entry = entry.map_err(|_| not_proven(old, "it is not a tree"))?;
                let full = join(&path, entry.name);
                // An entry that stays has its mode and name still.
                let is_file = entry.kind() != EntryKind::Tree;
                let goes = is_file && self.rules.stand_in.is_none() && self.goes(&entry, &full);
                let stays = |other: &Entry<'_>| !goes && other.mode == entry.mode && other.name == entry.name;
                let kept = match left.peek() {
                    Some(Ok(other)) if stays(other) => Some(other.id.to_owned()),
                    Some(Err(_)) => return Err(not_proven(new, "it is not a tree")),
                    _ => None,
                };
                if kept.is_some() {
                    left.next();
                }
                let old_id = entry.id.to_owned();
                match (entry.kind(), kept) {
                    (EntryKind::Tree, Some(new_id)) => {
                        if new_id != old_id && !self.lookup.has(&new_id) {
                            return Err(not_proven(new_id, "a tree names it, and it is not there"));
                        }
                        todo.push((old_id, new_id, full));
                    }
                    (EntryKind::Tree, None) => self.all_meant(old_id, &full)?,
                    (kind, kept) => self.file(kind, &old_id, kept, &full, new)?,
                }
            }
            if left.next().is_some() {
                return Err(not_proven(new, "it has an entry that was not there before"));
            }
        }
        Ok(())
    }

    fn file(
        &self,
        kind: EntryKind,
        old: &oid,
        new: Option<ObjectId>,
        path: &[u8],
        tree: ObjectId,
    ) -> Result<(), RewriteError> {
        let fate = self.rules.blobs.get(old).filter(|_| kind == EntryKind::Blob);
        let goes = fate == Some(&BlobFate::Drop) || self.is_meant(path);
        let is_right = match (new, fate) {
            (None, _) => goes && (self.rules.stand_in.is_none() || kind == EntryKind::Submodule),
            (Some(new), _) if goes => self.rules.stand_in == Some(new),
            (Some(new), Some(BlobFate::Replace(by))) => new == *by && self.lookup.has(by),
            (Some(new), _) => *new == *old,
        };
        if is_right { Ok(()) } else { Err(not_proven(tree, "a file in it is not what was meant")) }
    }

    /// That all below a tree that went was meant to go.
    fn all_meant(&mut self, tree: ObjectId, path: &[u8]) -> Result<(), RewriteError> {
        let mut todo = vec![(tree, path.to_vec())];
        let mut bytes = Vec::new();
        while let Some((tree, path)) = todo.pop() {
            if !self.clean.insert((tree, path.clone(), true)) {
                continue;
            }
            self.tree(&tree, &mut bytes)?;
            for entry in Entries::new(&bytes, self.id_len) {
                let entry = entry.map_err(|_| not_proven(tree, "it is not a tree"))?;
                let full = join(&path, entry.name);
                match entry.kind() {
                    EntryKind::Tree => todo.push((entry.id.to_owned(), full)),
                    kind => self.file(kind, entry.id, None, &full, tree)?,
                }
            }
        }
        Ok(())
    }

    /// Whether a file is to go.
    fn goes(&self, entry: &Entry<'_>, path: &[u8]) -> bool {
        let is_dropped = self.rules.blobs.get(entry.id) == Some(&BlobFate::Drop);
        entry.kind() == EntryKind::Blob && is_dropped || self.is_meant(path)
    }

    fn is_meant(&self, path: &[u8]) -> bool {
        let rules = self.rules;
        !rules.paths.rules.is_empty() && rules.paths.selects(path) != rules.keeps_only
    }

    /// Whether something that was meant may be below a path.
    fn may_have(&self, path: &[u8]) -> bool {
        let PathSelection { rules, by_base_name } = &self.rules.paths;
        let is_on_the_way = |rule: &PathRule| match rule {
            PathRule::Exact(_) if *by_base_name => true,
            PathRule::Exact(exact) => path.is_empty() || exact.starts_with(path) || path.starts_with(exact),
            PathRule::Glob(_) | PathRule::Regex(_) => true,
        };
        self.rules.keeps_only || !self.rules.blobs.is_empty() || rules.iter().any(is_on_the_way)
    }

    fn tree(&self, id: &oid, into: &mut Vec<u8>) -> Result<(), RewriteError> {
        match self.lookup.read(id, into)? {
            Kind::Tree => Ok(()),
            _ => Err(not_proven(id.to_owned(), "it is not a tree")),
        }
    }
}

/// Reads the new pack from the disk: its checksum, and each object's id. Gives how many there are.
fn whole(repository: &Repository, run: &RunFolder, prepared: &Prepared) -> Result<usize, RewriteError> {
    let Some(pack) = &prepared.pack else { return Ok(0) };
    let hash = repository.inner.object_hash();
    let fail = |cause: &dyn std::fmt::Display| GitError::new(format!("read {} again", pack.path.display()), cause);
    let mut file = std::fs::File::open(&pack.path).map_err(|error| fail(&error))?;
    let (sum, said) = super::quarantine::sums(&mut file, hash).map_err(|error| fail(&error))?;
    if sum != said {
        return Err(fail(&"its checksum is wrong").into());
    }
    let stores = Stores { folders: vec![run.objects()], refused: Vec::new() };
    let stored = Stored::open(&stores, hash)?;
    let wanted = stored.of_kinds(&[Some(Kind::Commit), Some(Kind::Tree), Some(Kind::Blob), Some(Kind::Tag), None]);
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    let visit = Visit { wanted: &wanted, jobs, max_bytes: super::lookup::MAX_BYTES, stop: &AtomicBool::new(false) };
    let found = stored.visit(&stores, &visit, || Hashed { stored: &stored, right: 0, wrong: None });
    if let Some(number) = found.iter().find_map(|one| one.wrong) {
        return Err(not_proven(stored.id(number), "it did not come back as it was written"));
    }
    let right = found.iter().map(|one| one.right).sum();
    if right != pack.objects {
        return Err(fail(&"it does not have all that was written").into());
    }
    Ok(right)
}

struct Hashed<'a> {
    stored: &'a Stored,
    right: usize,
    wrong: Option<Number>,
}

impl Visitor for Hashed<'_> {
    type Kept = ();

    fn object(&mut self, object: Object, bytes: &[u8], _: Option<Made<'_, ()>>) {
        let id = gix::objs::compute_hash(self.stored.hash(), object.kind, bytes);
        match id {
            Ok(id) if id == self.stored.id(object.number) => self.right += 1,
            _ => self.wrong = Some(object.number),
        }
    }

    fn large(&mut self, object: Object, _: Option<&mut dyn std::io::Read>) {
        self.wrong = Some(object.number);
    }

    fn failed(&mut self, object: Number) {
        self.wrong = Some(object);
    }
}

fn join(folder: &[u8], name: &[u8]) -> Vec<u8> {
    if folder.is_empty() { name.to_vec() } else { [folder, b"/", name].concat() }
}

fn not_proven(id: ObjectId, problem: &'static str) -> RewriteError {
    RewriteError::Object(ObjectError::Damaged { id, problem })
}
