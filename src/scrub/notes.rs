//! Notes after a rewrite: a note stands under the id of what it is about, so where that has a new id, the note gets a new place.
//!
//! Ids stand in folders by their first digits (`ab/cd…`), as many as git found right; that stays as it is. The history of the notes
//! is rewritten with them, or it would name old ids. What the notes say is a blob as any other, and none of this file's business.

use std::collections::{BTreeMap, HashMap};

use gix::ObjectId;
use gix::hash::oid;
use gix::objs::Kind;

use super::header::{CommitEdit, Header, Words};
use super::tree::{Entries, EntryKind};
use super::{Mapped, ObjectError, Objects};

/// What became of a ref of notes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notes {
    /// Its last commit.
    pub tip: ObjectId,
    /// How many notes of that commit have a new place.
    pub moved: usize,
    /// How many went, with what they were about.
    pub dropped: usize,
    /// How many were added to another one, as two commits became one.
    pub merged: usize,
}

/// Rewrites notes and their history, from `tip` back. `map` says what became of what the notes are about.
///
/// With them comes what each commit of their history is now.
pub fn rewrite_notes(
    objects: &mut impl Objects,
    tip: ObjectId,
    map: &dyn Fn(&oid) -> Mapped,
) -> Result<(Notes, HashMap<ObjectId, ObjectId>), ObjectError> {
    let mut commits: HashMap<ObjectId, ObjectId> = HashMap::new();
    let mut trees: HashMap<ObjectId, Notes> = HashMap::new();
    let mut todo = vec![(tip, false)];
    let mut bytes = Vec::new();
    let mut last = Notes { tip, moved: 0, dropped: 0, merged: 0 };
    while let Some((id, has_parents)) = todo.pop() {
        if commits.contains_key(&id) {
            continue;
        }
        if objects.read(&id, &mut bytes)? != Kind::Commit {
            return Err(ObjectError::Damaged { id, problem: "it is no commit, though notes name it" });
        }
        let header = Header::parse(&bytes);
        let damaged = |problem| ObjectError::Damaged { id, problem };
        let old: Vec<ObjectId> =
            header.parents().collect::<Option<_>>().ok_or(damaged("it names a parent that is no id"))?;
        if !has_parents {
            todo.push((id, true));
            todo.extend(old.iter().map(|parent| (*parent, false)));
            continue;
        }
        let tree = header.id("tree").ok_or(damaged("it names no tree"))?;
        last = match trees.get(&tree) {
            Some(known) => *known,
            None => {
                let new = rewrite_tree(objects, tree, map)?;
                trees.insert(tree, new);
                new
            }
        };
        let new: Option<Vec<ObjectId>> = old.iter().map(|parent| commits.get(parent).copied()).collect();
        let new = new.ok_or(damaged("it is its own ancestor"))?;
        let is_same = last.tip == tree && new == old;
        let edit = CommitEdit {
            tree: last.tip,
            parents: &new,
            words: &Words::new(&header),
            keep_signature: false,
            drops_merge_tag: &|merged| !new.contains(merged),
        };
        last.tip = if is_same { id } else { objects.write(Kind::Commit, &edit.apply())? };
        commits.insert(id, last.tip);
    }
    Ok((last, commits))
}

/// Entries by path: each folder has its own.
#[derive(Default)]
struct Folder {
    files: BTreeMap<Vec<u8>, (Vec<u8>, ObjectId)>,
    folders: BTreeMap<Vec<u8>, Folder>,
}

/// Rewrites the tree of one commit; `tip` is the new tree.
fn rewrite_tree(
    objects: &mut impl Objects,
    tree: ObjectId,
    map: &dyn Fn(&oid) -> Mapped,
) -> Result<Notes, ObjectError> {
    let hash = objects.hash_kind();
    let mut notes = Notes { tip: tree, moved: 0, dropped: 0, merged: 0 };
    let mut top = Folder::default();
    // The folders of digits above, and the tree.
    let mut todo: Vec<(Vec<Vec<u8>>, ObjectId)> = vec![(Vec::new(), tree)];
    let mut bytes = Vec::new();
    while let Some((above, id)) = todo.pop() {
        let damaged = |problem| ObjectError::Damaged { id, problem };
        if objects.read(&id, &mut bytes)? != Kind::Tree {
            return Err(damaged("it is not a tree"));
        }
        let digits = above.concat();
        for entry in Entries::new(&bytes, hash.len_in_bytes()) {
            let entry = entry.map_err(|_| damaged("it is not a tree"))?;
            let is_hex = entry.name.iter().all(u8::is_ascii_hexdigit);
            let length = digits.len() + entry.name.len();
            if is_hex && entry.kind() == EntryKind::Tree && entry.name.len() == 2 && length < hash.len_in_hex() {
                let mut path = above.clone();
                path.push(entry.name.to_vec());
                todo.push((path, entry.id.to_owned()));
                continue;
            }
            let key = [&digits, entry.name].concat();
            let about = (is_hex && length == hash.len_in_hex()).then(|| ObjectId::from_hex(&key));
            let key = match about {
                Some(Ok(about)) => match map(&about) {
                    Mapped::Same => key,
                    Mapped::New(new) => {
                        notes.moved += 1;
                        new.to_string().into_bytes()
                    }
                    Mapped::Gone => {
                        notes.dropped += 1;
                        continue;
                    }
                },
                // No note; git leaves it alone.
                _ => key,
            };
            let folder = above.iter().enumerate().fold(&mut top, |folder, (depth, old)| {
                let name = if about.is_some() { &key[2 * depth..2 * depth + 2] } else { old.as_slice() };
                folder.folders.entry(name.to_vec()).or_default()
            });
            let name = key[2 * above.len()..].to_vec();
            let id = match folder.files.get(&name) {
                Some((_, there)) => {
                    notes.merged += 1;
                    concatenate(objects, *there, entry.id.to_owned())?
                }
                None => entry.id.to_owned(),
            };
            folder.files.insert(name, (entry.mode.to_vec(), id));
        }
    }
    if notes.moved + notes.dropped > 0 {
        notes.tip = write_tree(objects, &top)?;
    }
    Ok(notes)
}

/// Two notes as one, in the order of their ids, so that it does not matter which was met first; an empty line between them, as git does.
fn concatenate(objects: &mut impl Objects, one: ObjectId, other: ObjectId) -> Result<ObjectId, ObjectError> {
    let (one, other) = (one.min(other), one.max(other));
    let (mut text, mut more) = (Vec::new(), Vec::new());
    let kinds = (objects.read(&one, &mut text)?, objects.read(&other, &mut more)?);
    if one == other || kinds != (Kind::Blob, Kind::Blob) {
        return Ok(one);
    }
    if text.last() == Some(&b'\n') {
        text.pop();
    }
    text.extend_from_slice(b"\n\n");
    text.extend_from_slice(&more);
    objects.write(Kind::Blob, &text)
}

/// Folders are at most as deep as an id has bytes.
fn write_tree(objects: &mut impl Objects, folder: &Folder) -> Result<ObjectId, ObjectError> {
    // A folder is sorted as if a slash stood behind its name.
    let mut entries: BTreeMap<Vec<u8>, (Vec<u8>, ObjectId)> = BTreeMap::new();
    for (name, below) in &folder.folders {
        let id = write_tree(objects, below)?;
        entries.insert([name.as_slice(), b"/"].concat(), (b"40000".to_vec(), id));
    }
    entries.extend(folder.files.iter().map(|(name, (mode, id))| {
        let is_folder = matches!(mode.as_slice(), b"40000" | b"040000");
        (if is_folder { [name.as_slice(), b"/"].concat() } else { name.clone() }, (mode.clone(), *id))
    }));
    let mut bytes = Vec::new();
    for (name, (mode, id)) in entries {
        let name = name.strip_suffix(b"/").unwrap_or(&name);
        bytes.extend_from_slice(&[mode.as_slice(), b" ", name, b"\0", id.as_slice()].concat());
    }
    objects.write(Kind::Tree, &bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use gix::hash::Kind as HashKind;

    use super::super::objects::memory::Memory;
    use super::*;

    fn id(digit: char) -> ObjectId {
        ObjectId::from_hex(digit.to_string().repeat(40).as_bytes()).unwrap()
    }

    fn map(old: &oid) -> Mapped {
        match old.to_hex_with_len(1).to_string().as_str() {
            "2" | "3" => Mapped::New(id('a')),
            "4" => Mapped::Gone,
            _ => Mapped::Same,
        }
    }

    fn tree(objects: &mut Memory, entries: &[(&str, &str, ObjectId)]) -> ObjectId {
        let entry =
            |(mode, name, id): &(&str, &str, ObjectId)| [format!("{mode} {name}\0").as_bytes(), id.as_slice()].concat();
        objects.write(Kind::Tree, &entries.iter().flat_map(entry).collect::<Vec<u8>>()).unwrap()
    }

    fn blob(objects: &mut Memory, text: &str) -> ObjectId {
        objects.write(Kind::Blob, text.as_bytes()).unwrap()
    }

    fn commit(objects: &mut Memory, tree: ObjectId, parent: Option<ObjectId>) -> ObjectId {
        let parent = parent.map(|parent| format!("parent {parent}\n")).unwrap_or_default();
        objects.write(Kind::Commit, format!("tree {tree}\n{parent}author a\n\nnotes").as_bytes()).unwrap()
    }

    fn tree_of(objects: &Memory, commit: ObjectId) -> ObjectId {
        let mut bytes = Vec::new();
        objects.read(&commit, &mut bytes).unwrap();
        Header::parse(&bytes).id("tree").unwrap()
    }

    #[test]
    fn notes_get_new_places_at_the_depth_they_had() {
        let mut objects = Memory::new(HashKind::Sha1);
        let (one, two) = (blob(&mut objects, "one\n"), blob(&mut objects, "two\n"));
        let rest = |digit: char| digit.to_string().repeat(38);
        let inner = |objects: &mut Memory, digit, note| tree(objects, &[("100644", &rest(digit), note)]);
        let (in_1, in_2, in_4) =
            (inner(&mut objects, '1', one), inner(&mut objects, '2', two), inner(&mut objects, '4', one));
        let entries = [("40000", "11", in_1), ("40000", "22", in_2), ("40000", "44", in_4), ("100644", "README", two)];
        let before = tree(&mut objects, &entries);
        let first = commit(&mut objects, before, None);
        let second = commit(&mut objects, before, Some(first));
        let (notes, commits) = rewrite_notes(&mut objects, second, &map).unwrap();
        assert_eq!((commits.len(), commits[&second]), (2, notes.tip));
        let in_a = inner(&mut objects, 'a', two);
        let after = tree(&mut objects, &[("40000", "11", in_1), ("100644", "README", two), ("40000", "aa", in_a)]);
        assert_eq!(tree_of(&objects, notes.tip), after);
        assert_eq!((notes.moved, notes.dropped, notes.merged), (1, 1, 0));
        let mut bytes = Vec::new();
        objects.read(&notes.tip, &mut bytes).unwrap();
        let parent = Header::parse(&bytes).parents().next().unwrap().unwrap();
        assert_eq!(tree_of(&objects, parent), after, "its history names old ids");
    }

    #[test]
    fn notes_of_commits_that_became_one_are_joined() {
        let mut objects = Memory::new(HashKind::Sha1);
        let (one, two) = (blob(&mut objects, "one\n"), blob(&mut objects, "two\n"));
        let key = |digit: char| digit.to_string().repeat(40);
        for pair in [[one, two], [two, one], [one, one]] {
            let before = tree(&mut objects, &[("100644", &key('2'), pair[0]), ("100644", &key('3'), pair[1])]);
            let tip = commit(&mut objects, before, None);
            let (notes, _) = rewrite_notes(&mut objects, tip, &map).unwrap();
            let texts = if one < two { "one\n\ntwo\n" } else { "two\n\none\n" };
            let joined = if pair[0] == pair[1] { one } else { blob(&mut objects, texts) };
            assert_eq!(tree_of(&objects, notes.tip), tree(&mut objects, &[("100644", &key('a'), joined)]));
            assert_eq!((notes.moved, notes.merged), (2, 1));
        }
    }

    #[test]
    fn notes_about_what_stayed_keep_their_ids() {
        let mut objects = Memory::new(HashKind::Sha1);
        let one = blob(&mut objects, "one\n");
        let before = tree(&mut objects, &[("100644", &"1".repeat(40), one), ("100664", "x", one)]);
        let tip = commit(&mut objects, before, None);
        let count = objects.len();
        assert_eq!(rewrite_notes(&mut objects, tip, &map).unwrap().0.tip, tip);
        assert_eq!(objects.len(), count);
    }
}
