//! What is staged: the entries of the index that differ from HEAD's tree.

use std::collections::HashMap;

use gix::ObjectId;
use gix::bstr::{BStr, BString, ByteSlice as _};
use gix::index::entry::{Flags, Stage};
use gix::index::extension::Tree as CachedTree;

use super::{Entry, GitError, NewBlob, ObjectReader, Repository};

/// The versions of files that a commit made now would bring, and all sides of a conflict that is not resolved.
///
/// A file that is only announced (`git add --intent-to-add`) has no content yet and is not among them.
pub fn staged(repository: &Repository, objects: &ObjectReader) -> Result<Vec<NewBlob>, GitError> {
    let Some(index) = repository.index()? else { return Ok(Vec::new()) };
    let head = match repository.head_commit()? {
        Some(commit) => objects.commit(commit)?.map(|commit| commit.tree),
        None => None,
    };
    let mut compare = Compare { objects, index: &index, found: Vec::new() };
    let all = 0..index.entries().len();
    compare.folder(head, index.tree(), all, 0)?;
    Ok(compare.found)
}

/// No path is longer where files can be checked out.
const MAX_PATH: usize = 4096;

struct Compare<'a> {
    objects: &'a ObjectReader,
    index: &'a gix::index::State,
    found: Vec<NewBlob>,
}

impl Compare<'_> {
    /// Compares the entries of a folder, whose path with its last `/` has `prefix` bytes, with the tree that HEAD has there.
    ///
    /// The index remembers the trees of folders in which nothing was staged: where it is that of HEAD, nothing has to be read.
    fn folder(
        &mut self,
        tree: Option<ObjectId>,
        cached: Option<&CachedTree>,
        entries: std::ops::Range<usize>,
        prefix: usize,
    ) -> Result<(), GitError> {
        let is_same =
            |cached: &CachedTree| cached.num_entries == u32::try_from(entries.len()).ok() && Some(cached.id) == tree;
        if cached.is_some_and(is_same) {
            return Ok(());
        }
        if prefix > MAX_PATH {
            return Err(GitError::new("read the index", "a path in it is too deep"));
        }
        let of_head = match tree {
            Some(tree) => self
                .objects
                .tree(tree)?
                .ok_or_else(|| GitError::new("read HEAD", format!("the tree {tree} is missing")))?,
            None => Vec::new(),
        };
        let of_head: HashMap<BString, Entry> = of_head.into_iter().map(|entry| (entry.name.clone(), entry)).collect();
        let all = self.index.entries();
        let mut at = entries.start;
        while at < entries.end {
            let entry = &all[at];
            let path: &BStr = entry.path(self.index);
            let name = path.get(prefix..).unwrap_or_default();
            if let Some(slash) = name.find_byte(b'/') {
                let folder = &path[..prefix + slash + 1];
                let behind =
                    at + all[at..entries.end].partition_point(|entry| entry.path(self.index).starts_with(folder));
                let name = name[..slash].as_bstr();
                let subtree = of_head.get(name).filter(|entry| entry.mode.is_tree()).map(|entry| entry.id);
                let cached =
                    cached.and_then(|cached| cached.children.iter().find(|child| child.name.as_slice() == name));
                self.folder(subtree, cached, at..behind, folder.len())?;
                // Where paths are not in order, the entry itself is passed at least.
                at = behind.max(at + 1);
                continue;
            }
            at += 1;
            if entry.flags.contains(Flags::INTENT_TO_ADD) || entry.mode.is_submodule() || entry.mode.is_sparse() {
                continue;
            }
            let before = of_head.get(name.as_bstr()).filter(|old| !old.mode.is_tree() && !old.mode.is_commit());
            if entry.stage() == Stage::Unconflicted && before.is_some_and(|old| old.id == entry.id) {
                continue;
            }
            let before = before.map(|old| old.id).into_iter().collect();
            self.found.push(NewBlob { id: entry.id, path: path.to_owned(), commit: None, before });
        }
        Ok(())
    }
}

impl Repository {
    /// The commit of HEAD; `None` before the first one.
    pub fn head_commit(&self) -> Result<Option<ObjectId>, GitError> {
        let fail = |error: &dyn std::fmt::Display| GitError::new("find HEAD", error);
        let mut head = self.inner.head().map_err(|error| fail(&error))?;
        if head.is_unborn() {
            return Ok(None);
        }
        head.peel_to_commit().map(|commit| Some(commit.id)).map_err(|error| fail(&error))
    }
}
