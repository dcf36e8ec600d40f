//! Index and files of a working tree, when HEAD's tree changes under them: what HEAD had follows it, what the user changed stays.
//!
//! Three ways, as `git read-tree -m` goes: an entry that is HEAD's becomes the new HEAD's. One that is not was staged; it stays, or
//! becomes what the rewrite made of that very blob. A file that HEAD loses stays on the disk, untracked. A file that HEAD has anew is
//! written only where the old one was not edited. git does all of that, so flags, sparse and split indexes and filters are its own.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::Path;

use gix::ObjectId;
use gix::bstr::{BStr, BString, ByteSlice as _};
use gix::hash::oid;

use super::disk::{self, Disk};
use super::journal::CheckoutChange;
use super::program::Git;
use crate::git::GitError;
use crate::git::refs::path_of;
use crate::scrub::Mapped;

/// What becomes of an index.
pub struct Carried {
    /// Files that have other content, are left, or keep a staged version: all but `id` and `heads`.
    pub change: CheckoutChange,
    /// What `git update-index --index-info` is told; empty where nothing changes.
    info: Vec<u8>,
    /// Paths that keep a flag, by the option that sets it.
    flags: BTreeMap<&'static str, Vec<u8>>,
    /// Ids that the index had and HEAD did not: staged, perhaps nowhere else.
    pub lost: BTreeSet<ObjectId>,
}

/// An entry of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    /// As `git ls-files -v` says it: small letters for what is assumed unchanged, S for what is skipped.
    tag: u8,
    mode: BString,
    id: ObjectId,
    stage: u8,
}

/// What a path is in a tree; `None` for nothing.
type InTree = Option<(BString, ObjectId)>;

impl Carried {
    /// Finds what becomes of the index of `git` where HEAD goes from one tree-ish to another; `map` is asked for what is staged.
    pub fn plan(
        git: &Git,
        hash: gix::hash::Kind,
        [from, to]: [Option<ObjectId>; 2],
        map: &dyn Fn(&oid) -> Mapped,
    ) -> Result<Self, GitError> {
        let mut differing = if from == to { HashMap::new() } else { differing(git, hash, from, to)? };
        let mut carried =
            Self { change: CheckoutChange::default(), info: Vec::new(), flags: BTreeMap::new(), lost: BTreeSet::new() };
        for (path, entries) in entries(git)? {
            let difference = differing.remove(&path);
            let new: Vec<Option<Entry>> = entries
                .iter()
                .map(|entry| {
                    let now = (entry.mode.clone(), entry.id);
                    match &difference {
                        Some([old, new]) if *old == Some(now.clone()) && entry.stage == 0 => {
                            new.clone().map(|(mode, id)| Entry { mode, id, ..entry.clone() })
                        }
                        _ if entry.mode == "160000" => Some(entry.clone()),
                        _ => match map(&entry.id) {
                            Mapped::Same => Some(entry.clone()),
                            Mapped::New(id) => Some(Entry { id, ..entry.clone() }),
                            Mapped::Gone => None,
                        },
                    }
                })
                .collect();
            carried.add(&path, &entries, new, difference.as_ref());
        }
        for (path, [old, new]) in differing {
            // Not in the index: what was removed there stays so, what is new comes in.
            if let (None, Some((mode, id))) = (old, new) {
                carried.put(&path, &Entry { tag: b'H', mode, id, stage: 0 });
                carried.change.contents.push(path);
            }
        }
        carried.change.contents.sort();
        Ok(carried)
    }

    fn add(&mut self, path: &BString, old: &[Entry], new: Vec<Option<Entry>>, in_trees: Option<&[InTree; 2]>) {
        let is_lost_by_head = in_trees.is_some_and(|[_, new]| new.is_none());
        if old.iter().map(Some).eq(new.iter().map(Option::as_ref)) {
            if is_lost_by_head {
                self.change.staged.push(path.clone());
            }
            return;
        }
        let was_heads =
            |entry: &Entry| in_trees.is_some_and(|[was, _]| was.as_ref().is_some_and(|(_, id)| *id == entry.id));
        self.lost.extend(old.iter().filter(|entry| !was_heads(entry) && entry.mode != "160000").map(|entry| entry.id));
        let left: Vec<Entry> = new.into_iter().flatten().collect();
        if left.is_empty() {
            self.change.untracked.push(path.clone());
        } else {
            if is_lost_by_head {
                self.change.staged.push(path.clone());
            }
            self.change.contents.push(path.clone());
        }
        if left.len() < old.len() || old.len() > 1 {
            let none = ObjectId::null(old[0].id.kind());
            self.info.extend_from_slice(&[format!("0 {none}\t").as_bytes(), path, b"\0"].concat());
        }
        left.iter().for_each(|entry| self.put(path, entry));
    }

    fn put(&mut self, path: &BString, entry: &Entry) {
        let words = format!("{} {} {}\t", entry.mode, entry.id, entry.stage);
        self.info.extend_from_slice(&[words.as_bytes(), path, b"\0"].concat());
        let skipped = entry.tag.eq_ignore_ascii_case(&b'S').then_some("--skip-worktree");
        let assumed = entry.tag.is_ascii_lowercase().then_some("--assume-unchanged");
        for flag in skipped.into_iter().chain(assumed) {
            self.flags.entry(flag).or_default().extend_from_slice(&[path.as_slice(), b"\0"].concat());
        }
    }

    /// Whether the index stays as it is.
    pub fn is_same(&self) -> bool {
        self.info.is_empty()
    }

    /// Changes the index of `git`, which is a copy.
    pub fn apply(&self, git: &Git) -> Result<(), GitError> {
        if self.is_same() {
            return Ok(());
        }
        git.run(&["update-index", "-z", "--index-info"], &self.info)?;
        for (flag, paths) in &self.flags {
            git.run(&["update-index", flag, "-z", "--stdin"], paths)?;
        }
        // What would bring back a conflict names blobs of before.
        git.run(&["update-index", "--clear-resolve-undo"], b"").map(drop)
    }
}

/// Writes the files of `paths` as the index `to` has them, where they are as the index `from` has them, and gives those that are
/// not. Both are copies; `to` learns about the new files. It may be done again.
pub fn write_files(
    git: &Git,
    root: &Path,
    from: &Path,
    to: &Path,
    paths: &[BString],
) -> Result<Vec<BString>, GitError> {
    if paths.is_empty() {
        return Ok(Vec::new());
    }
    // What a git that was killed left: nobody else has these files.
    for copy in [from, to] {
        disk::remove(&copy.with_added_extension("lock"))?;
    }
    let [before, after] = [git.with_index(from), git.with_index(to)];
    before.run_allowing(&["update-index", "-q", "--refresh"], b"", &[0, 1])?;
    let edited = before.run(&DIFF_FILES, b"")?;
    let edited: BTreeSet<&[u8]> = edited.split_str("\0").collect();
    let known: BTreeMap<BString, Vec<Entry>> = entries(&before)?.into_iter().collect();
    let now: BTreeMap<BString, Vec<Entry>> = entries(&after)?.into_iter().collect();
    let mut list = Vec::new();
    for path in paths {
        let is_untouched = match known.get(path) {
            Some(_) => !edited.contains(path.as_slice()),
            None => root.join(path_of(path.as_ref())).symlink_metadata().is_err(),
        };
        let is_file =
            |entry: &Entry| entry.stage == 0 && entry.mode != "160000" && !entry.tag.eq_ignore_ascii_case(&b'S');
        if is_untouched && now.get(path).is_some_and(|entries| entries.iter().all(is_file)) {
            list.extend_from_slice(&[path.as_slice(), b"\0"].concat());
        }
    }
    if !list.is_empty() {
        after.run(&["checkout-index", "--force", "--index", "-z", "--stdin"], &list)?;
    }
    after.run_allowing(&["update-index", "-q", "--refresh"], b"", &[0, 1])?;
    let edited = after.run(&DIFF_FILES, b"")?;
    let edited: BTreeSet<&[u8]> = edited.split_str("\0").collect();
    Ok(paths.iter().filter(|path| edited.contains(path.as_slice())).cloned().collect())
}

const DIFF_FILES: [&str; 5] = ["diff-files", "-z", "--name-only", "--no-ext-diff", "--ignore-submodules=all"];

/// Whether two indexes say the same but for what they remember of the files.
pub fn are_alike(git: &Git, one: &Path, other: &Path) -> Result<bool, GitError> {
    if fs::read(one).ok() == fs::read(other).ok() {
        return Ok(true);
    }
    Ok(entries(&git.with_index(one))? == entries(&git.with_index(other))?)
}

/// Copies an index, so that git can be let loose on the copy.
pub fn copy(disk: Disk, from: &Path, to: &Path) -> Result<(), GitError> {
    let bytes = fs::read(from).map_err(|error| disk::fail("read", from, &error))?;
    disk.write(to, &bytes)
}

/// What differs between two trees: each path with what it is in both.
fn differing(
    git: &Git,
    hash: gix::hash::Kind,
    from: Option<ObjectId>,
    to: Option<ObjectId>,
) -> Result<HashMap<BString, [InTree; 2]>, GitError> {
    let tree = |id: Option<ObjectId>| match id {
        Some(id) => format!("{id}^{{tree}}"),
        None => ObjectId::empty_tree(hash).to_string(),
    };
    let words = ["diff-tree", "-r", "-z", "--raw", "--no-abbrev", "--no-renames", "--no-ext-diff"];
    let (from, to) = (tree(from), tree(to));
    let output = git.run(&[&words[..], &["--ignore-submodules=none", &from, &to]].concat(), b"")?;
    let odd = || GitError::new("read what git diff-tree says", "it is of another form");
    let mut found = HashMap::new();
    let mut parts = output.split_str("\0");
    while let (Some(words), Some(path)) = (parts.next().filter(|words| !words.is_empty()), parts.next()) {
        let words: Vec<&[u8]> = words.strip_prefix(b":").ok_or_else(odd)?.fields().collect();
        let [old_mode, new_mode, old, new, _] = words.as_slice() else { return Err(odd()) };
        let side = |mode: &[u8], id: &[u8]| -> Result<InTree, GitError> {
            let id = ObjectId::from_hex(id).map_err(|_| odd())?;
            Ok((!id.is_null()).then(|| (mode.into(), id)))
        };
        found.insert(path.into(), [side(old_mode, old)?, side(new_mode, new)?]);
    }
    Ok(found)
}

/// The entries of an index, by path, those of one path together.
fn entries(git: &Git) -> Result<Vec<(BString, Vec<Entry>)>, GitError> {
    let output = git.run(&["ls-files", "-z", "--stage", "-v"], b"")?;
    let odd = || GitError::new("read what git ls-files says", "it is of another form");
    let mut found: Vec<(BString, Vec<Entry>)> = Vec::new();
    for line in output.split_str("\0").filter(|line| !line.is_empty()) {
        let (words, path) = line.split_once_str("\t").ok_or_else(odd)?;
        let words: Vec<&[u8]> = words.fields().collect();
        let [tag, mode, id, stage] = words.as_slice() else { return Err(odd()) };
        let id = ObjectId::from_hex(id).map_err(|_| odd())?;
        let stage = stage.first().ok_or_else(odd)? - b'0';
        let entry = Entry { tag: tag[0], mode: mode.as_bstr().to_owned(), id, stage };
        match found.last_mut() {
            Some((last, entries)) if last == BStr::new(path) => entries.push(entry),
            _ => found.push((path.into(), vec![entry])),
        }
    }
    Ok(found)
}
