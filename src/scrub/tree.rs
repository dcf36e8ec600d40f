//! Trees as bytes: entries are dropped and replaced, and all other bytes stay as they are.
//!
//! Trees that git would not write today (wrong order, two entries of one name, odd modes) are neither refused nor repaired.

use std::ops::Range;

use gix::hash::oid;

/// An entry of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Its mode, as octal digits: `100644`, `40000`.
    pub mode: &'a [u8],
    /// Its name, which may be any bytes but NUL.
    pub name: &'a [u8],
    /// What it names.
    pub id: &'a oid,
    /// Where it ends in the tree.
    end: usize,
}

/// What an entry is, by its mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntryKind {
    /// A directory.
    Tree,
    /// A file or a symbolic link.
    Blob,
    /// A commit of another repository.
    Submodule,
}

/// A tree that ends in the middle of an entry, or an entry without mode or name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is not a tree")]
pub struct NotATree;

/// The entries of a tree, in its order.
#[derive(Debug, Clone)]
pub struct Entries<'a> {
    tree: &'a [u8],
    at: usize,
    id_len: usize,
}

impl<'a> Entries<'a> {
    /// The entries of a tree whose ids have `id_len` bytes.
    pub fn new(tree: &'a [u8], id_len: usize) -> Self {
        Self { tree, at: 0, id_len }
    }

    fn read(&mut self) -> Option<Entry<'a>> {
        let rest = &self.tree[self.at..];
        let space = memchr::memchr(b' ', rest)?;
        let nul = space + 1 + memchr::memchr(0, &rest[space + 1..])?;
        let id = rest.get(nul + 1..nul + 1 + self.id_len)?;
        self.at += nul + 1 + self.id_len;
        let id = oid::try_from_bytes(id).ok()?;
        Some(Entry { mode: &rest[..space], name: &rest[space + 1..nul], id, end: self.at })
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<Entry<'a>, NotATree>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at == self.tree.len() {
            return None;
        }
        let entry = self.read();
        if entry.is_none() {
            self.at = self.tree.len();
        }
        Some(entry.ok_or(NotATree))
    }
}

impl Entry<'_> {
    /// What it is.
    pub fn kind(&self) -> EntryKind {
        let mode = self.mode.iter().fold(0u32, |mode, digit| mode << 3 | u32::from(digit.wrapping_sub(b'0') & 7));
        match mode & 0o170_000 {
            0o040_000 => EntryKind::Tree,
            0o160_000 => EntryKind::Submodule,
            _ => EntryKind::Blob,
        }
    }
}

/// A tree being changed: what was not touched is copied.
#[derive(Debug)]
pub struct TreeEdit<'a> {
    old: &'a [u8],
    id_len: usize,
    new: Vec<u8>,
    /// Up to here `old` was copied or left out.
    done: usize,
    is_changed: bool,
}

impl<'a> TreeEdit<'a> {
    /// No change yet.
    pub fn new(old: &'a [u8], id_len: usize) -> Self {
        Self { old, id_len, new: Vec::new(), done: 0, is_changed: false }
    }

    /// Leaves out an entry. Entries are to be given in their order.
    pub fn drop(&mut self, entry: &Entry<'_>) {
        self.copy(self.range(entry).start);
        self.done = entry.end;
        self.is_changed = true;
    }

    /// Lets an entry name something else.
    pub fn replace(&mut self, entry: &Entry<'_>, id: &oid) {
        self.copy(entry.end - self.id_len);
        self.new.extend_from_slice(id.as_bytes());
        self.done = entry.end;
        self.is_changed = true;
    }

    /// The new tree; `None` where nothing changed.
    pub fn finish(mut self) -> Option<Vec<u8>> {
        if !self.is_changed {
            return None;
        }
        self.copy(self.old.len());
        Some(self.new)
    }

    fn copy(&mut self, to: usize) {
        self.new.extend_from_slice(&self.old[self.done..to]);
        self.done = to;
    }

    fn range(&self, entry: &Entry<'_>) -> Range<usize> {
        let length = entry.mode.len() + entry.name.len() + 2 + self.id_len;
        entry.end - length..entry.end
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use gix::ObjectId;

    use super::*;

    fn tree(entries: &[(&str, &str, u8)]) -> Vec<u8> {
        let entry = |(mode, name, id): &(&str, &str, u8)| [format!("{mode} {name}\0").as_bytes(), &[*id; 20]].concat();
        entries.iter().flat_map(entry).collect()
    }

    #[test]
    fn only_what_is_edited_changes() {
        let old = tree(&[("040000", "b", 1), ("100664", "a\n", 2), ("100644", "a\n", 3), ("160000", "", 4)]);
        let entries: Vec<Entry<'_>> = Entries::new(&old, 20).collect::<Result<_, _>>().unwrap();
        let kinds: Vec<EntryKind> = entries.iter().map(Entry::kind).collect();
        assert_eq!(kinds, [EntryKind::Tree, EntryKind::Blob, EntryKind::Blob, EntryKind::Submodule]);
        assert_eq!(TreeEdit::new(&old, 20).finish(), None);
        let mut edit = TreeEdit::new(&old, 20);
        edit.drop(&entries[1]);
        edit.replace(&entries[3], &ObjectId::from_bytes_or_panic(&[9; 20]));
        assert_eq!(edit.finish().unwrap(), tree(&[("040000", "b", 1), ("100644", "a\n", 3), ("160000", "", 9)]));
    }

    #[test]
    fn what_is_no_tree_is_an_error_once() {
        for bad in [&b"100644"[..], b"100644 a", b"100644 a\0short"] {
            assert_eq!(Entries::new(bad, 20).collect::<Vec<_>>(), [Err(NotATree)]);
        }
    }
}
