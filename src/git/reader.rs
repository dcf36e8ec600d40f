//! ObjectReader as they are stored: without replacements and grafts, and with those that a push has brought but git has not accepted.

use std::path::PathBuf;
use std::sync::Arc;

use gix::ObjectId;
use gix::bstr::{BString, ByteSlice as _};
use gix::objs::tree::EntryMode;
use gix::objs::{Data, Exists as _, Find as _, FindHeader as _, Kind, TagRef, TreeRefIter};

use super::GitError;

/// The objects of a repository. A clone of it is for another thread.
#[derive(Clone)]
pub struct ObjectReader {
    stores: Vec<gix::odb::HandleArc>,
    hash: gix::hash::Kind,
}

/// A commit, as far as walking needs it.
#[derive(Debug, Clone)]
pub struct Commit {
    /// Its id.
    pub id: ObjectId,
    /// Its tree.
    pub tree: ObjectId,
    /// Its parents, the first one first.
    pub parents: Vec<ObjectId>,
    /// When it was committed, in seconds since 1970; 0 where it does not say.
    pub time: i64,
}

/// An entry of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name, whatever bytes it has.
    pub name: BString,
    /// What it is.
    pub mode: EntryMode,
    /// The object.
    pub id: ObjectId,
}

impl ObjectReader {
    /// Those in folders of objects, the first of which must be there.
    pub(super) fn open(folders: &[PathBuf], hash: gix::hash::Kind) -> Result<Self, GitError> {
        let mut stores = Vec::new();
        for (number, folder) in folders.iter().enumerate() {
            if number > 0 && (!folder.is_dir() || folders[..number].contains(folder)) {
                continue;
            }
            let options = gix::odb::store::init::Options::default();
            let store = gix::odb::Store::at_opts(folder.clone(), hash, &mut std::iter::empty(), options);
            let store = Arc::new(store.map_err(|error| GitError::new("open the objects of the repository", error))?);
            let cache = || Box::new(gix::odb::pack::cache::lru::StaticLinkedList::<64>::default()) as Box<_>;
            stores.push(store.to_cache_arc().with_pack_cache(cache));
        }
        Ok(Self { stores, hash })
    }

    /// The kind of ids.
    pub fn hash(&self) -> gix::hash::Kind {
        self.hash
    }

    /// Reads an object into a buffer; `None` where it is not there.
    pub fn read<'b>(&self, id: ObjectId, buffer: &'b mut Vec<u8>) -> Result<Option<Data<'b>>, GitError> {
        for (number, store) in self.stores.iter().enumerate() {
            if store.exists(&id) || number + 1 == self.stores.len() {
                return store
                    .try_find(&id, buffer)
                    .map_err(|error| GitError::new(format!("read the object {id}"), error));
            }
        }
        Ok(None)
    }

    /// The size of an object; `None` where it is not there.
    pub fn size(&self, id: ObjectId) -> Result<Option<u64>, GitError> {
        for store in &self.stores {
            let header = store.try_header(&id);
            if let Some(header) = header.map_err(|error| GitError::new(format!("read the object {id}"), error))? {
                return Ok(Some(header.size));
            }
        }
        Ok(None)
    }

    /// Whether an object is there.
    pub fn has(&self, id: ObjectId) -> bool {
        self.stores.iter().any(|store| store.exists(&id))
    }

    /// A commit; `None` where it is not there or the object is something else.
    pub fn commit(&self, id: ObjectId) -> Result<Option<Commit>, GitError> {
        let mut buffer = Vec::new();
        let Some(object) = self.read(id, &mut buffer)?.filter(|object| object.kind == Kind::Commit) else {
            return Ok(None);
        };
        let headers = Headers::of(object.data);
        let tree = headers.first("tree").and_then(|id| ObjectId::from_hex(id).ok());
        let tree = tree.ok_or_else(|| GitError::new(format!("read the commit {id}"), "it names no tree"))?;
        let parents = headers.all("parent").filter_map(|id| ObjectId::from_hex(id).ok()).collect();
        Ok(Some(Commit { id, tree, parents, time: headers.first("committer").map_or(0, |line| person(line).2) }))
    }

    /// The entries of a tree; `None` where it is not there.
    pub fn tree(&self, id: ObjectId) -> Result<Option<Vec<Entry>>, GitError> {
        let mut buffer = Vec::new();
        let Some(object) = self.read(id, &mut buffer)? else { return Ok(None) };
        let fail = |error: &dyn std::fmt::Display| GitError::new(format!("read the tree {id}"), error);
        if object.kind != Kind::Tree {
            return Err(fail(&"it is something else"));
        }
        let entries = TreeRefIter::from_bytes(object.data, self.hash).map(|entry| {
            let entry = entry.map_err(|error| fail(&error))?;
            Ok(Entry { name: entry.filename.to_owned(), mode: entry.mode, id: entry.oid.to_owned() })
        });
        entries.collect::<Result<_, _>>().map(Some)
    }

    /// What stands at a path, with `/`, in a tree; `None` for nothing.
    pub fn at(&self, tree: ObjectId, path: &BString) -> Result<Option<ObjectId>, GitError> {
        let mut id = tree;
        for name in path.split(|byte| *byte == b'/') {
            let Some(entries) = self.tree(id)? else { return Ok(None) };
            let Some(entry) = entries.into_iter().find(|entry| entry.name == name) else { return Ok(None) };
            id = entry.id;
        }
        Ok(Some(id))
    }

    /// Follows tags: the tags on the way, then what they lead to, with its kind. `None` for what is not there.
    pub(super) fn peel(&self, id: ObjectId) -> Result<(Vec<ObjectId>, Option<(ObjectId, Kind)>), GitError> {
        let mut tags = Vec::new();
        let mut id = id;
        loop {
            let mut buffer = Vec::new();
            let Some(object) = self.read(id, &mut buffer)? else { return Ok((tags, None)) };
            if object.kind != Kind::Tag {
                return Ok((tags, Some((id, object.kind))));
            }
            tags.push(id);
            let tag = TagRef::from_bytes(object.data, self.hash);
            id = tag.map_err(|error| GitError::new(format!("read the tag {id}"), error))?.target();
        }
    }

    /// A commit as a report names it; `None` where it cannot be read.
    pub fn describe(&self, id: ObjectId) -> Option<crate::scan::CommitRef> {
        let mut buffer = Vec::new();
        let object = self.read(id, &mut buffer).ok()??;
        let headers = Headers::of(object.data);
        let (author, email, _) = person(headers.first("author").unwrap_or_default());
        let message = object.data.find(b"\n\n").map_or(&b""[..], |at| &object.data[at + 2..]);
        Some(crate::scan::CommitRef {
            id,
            author,
            email,
            time: headers.first("committer").map_or(0, |line| person(line).2),
            summary: message.lines().next().unwrap_or_default().into(),
        })
    }
}

/// The lines of a commit before its message. They are taken as they are: an odd name or date is no reason to look away.
struct Headers<'a>(Vec<(&'a [u8], &'a [u8])>);

impl<'a> Headers<'a> {
    fn of(commit: &'a [u8]) -> Self {
        let lines = commit.lines().take_while(|line| !line.is_empty());
        Self(lines.filter_map(|line| line.split_once_str(" ")).collect())
    }

    fn all(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.0.iter().filter(move |(found, _)| *found == name.as_bytes()).map(|(_, value)| *value)
    }

    fn first(&self, name: &str) -> Option<&'a [u8]> {
        self.all(name).next()
    }
}

/// Name, address and time of `ada <ada@example.com> 1700000000 +0100`; 0 for a time that is none.
fn person(line: &[u8]) -> (BString, BString, i64) {
    let (name, rest) = line.split_once_str(" <").unwrap_or((line, b""));
    let (email, rest) = rest.split_once_str(">").unwrap_or((rest, b""));
    let time = rest.to_str().ok().and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    (name.into(), email.into(), time.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_whatever_they_say() {
        let commit =
            b"tree 12\nparent 34\nparent 56\nauthor \nodd\n goes on\ncommitter a b <x@y> 17 +9999\n\nparent 78\n";
        let headers = Headers::of(commit);
        assert_eq!(headers.all("parent").collect::<Vec<_>>(), [b"34", b"56"]);
        assert_eq!(headers.first("committer").map(person), Some(("a b".into(), "x@y".into(), 17)));
        assert_eq!(person(b"ada"), ("ada".into(), "".into(), 0));
        assert_eq!(person(b"ada <a@b> 999999999999999999999999"), ("ada".into(), "a@b".into(), 0));
        assert!(Headers::of(b"").first("tree").is_none());
    }
}
