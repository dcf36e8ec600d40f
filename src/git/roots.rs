//! Where reachability begins: refs, HEAD, what was HEAD, reflogs, stashes, other working trees, the index.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use gix::ObjectId;
use gix::bstr::{BString, ByteSlice as _};

use super::{GitError, Repository};

/// What keeps objects in a repository.
#[derive(Debug, Default)]
pub struct Roots {
    /// The commit that HEAD is at.
    pub head: Option<ObjectId>,
    /// Refs by full name, without stashes and notes.
    pub refs: BTreeMap<BString, ObjectId>,
    /// Everything else, as a report names it.
    pub others: BTreeMap<String, BTreeSet<ObjectId>>,
    /// The files of indices, by blob, each with the first of its paths.
    pub index: BTreeMap<ObjectId, BString>,
    /// Refs and indices that could not be read, in words.
    pub problems: Vec<String>,
}

/// What git calls a commit beside HEAD while it does something.
const PSEUDO_REFS: [&str; 8] = [
    "ORIG_HEAD",
    "MERGE_HEAD",
    "FETCH_HEAD",
    "CHERRY_PICK_HEAD",
    "REVERT_HEAD",
    "REBASE_HEAD",
    "AUTO_MERGE",
    "BISECT_HEAD",
];

/// No file of refs or reflog that is read is larger.
const MAX_BYTES: u64 = 256 << 20;

/// Folders of reflogs are not followed deeper.
const MAX_DEPTH: usize = 64;

impl Roots {
    /// The roots of a repository and of all its working trees.
    pub fn of(repository: &Repository) -> Result<Self, GitError> {
        let inner = &repository.inner;
        let head = inner.head_id().ok().map(|id| id.detach());
        let mut roots = Self { head, ..Self::default() };
        let fail = |error: &dyn std::fmt::Display| GitError::new("read the refs of the repository", error);
        let refs = inner.references().map_err(|error| fail(&error))?;
        for reference in refs.all().map_err(|error| fail(&error))? {
            match reference {
                Ok(reference) => {
                    // A symbolic one leads to another that is listed as well.
                    if let Some(id) = reference.try_id() {
                        roots.add_ref(reference.name().as_bstr().to_owned(), id.detach());
                    }
                }
                Err(error) => roots.problems.push(format!("a ref: {error}")),
            }
        }
        match repository.index() {
            Ok(Some(index)) => roots.add_index(&index),
            Ok(None) => {}
            Err(error) => roots.problems.push(error.to_string()),
        }
        let common = inner.common_dir();
        roots.add_checkout(common, "");
        for folder in folders(&common.join("worktrees")) {
            let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            roots.add_checkout(&folder, &format!(" of the working tree {name}"));
            let options = gix::index::decode::Options::default();
            let path = folder.join("index");
            match path.exists().then(|| gix::index::File::at(&path, inner.object_hash(), true, options)) {
                Some(Ok(index)) => roots.add_index(&index),
                Some(Err(error)) => roots.problems.push(format!("{}: {error}", path.display())),
                None => {}
            }
        }
        Ok(roots)
    }

    fn add_ref(&mut self, name: BString, id: ObjectId) {
        if name == "refs/stash" {
            self.other("a stash".to_owned(), id);
        } else if name.starts_with(b"refs/notes/") {
            self.other(format!("notes ({name})"), id);
        } else {
            self.refs.insert(name, id);
        }
    }

    fn other(&mut self, name: String, id: ObjectId) {
        if !id.is_null() {
            self.others.entry(name).or_default().insert(id);
        }
    }

    /// HEAD, what was HEAD, and the reflogs of one working tree.
    fn add_checkout(&mut self, folder: &Path, of: &str) {
        for name in ["HEAD"].iter().chain(&PSEUDO_REFS) {
            for line in read(&folder.join(name)).lines() {
                let id = line.split(|byte| byte.is_ascii_whitespace()).next().unwrap_or_default();
                if let Ok(id) = ObjectId::from_hex(id) {
                    self.other(format!("{name}{of}"), id);
                }
            }
        }
        let logs = folder.join("logs");
        let mut todo = vec![(logs.clone(), 0)];
        while let Some((path, depth)) = todo.pop() {
            if depth > MAX_DEPTH {
                continue;
            }
            for entry in std::fs::read_dir(&path).into_iter().flatten().flatten() {
                let path = entry.path();
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() => todo.push((path, depth + 1)),
                    Ok(kind) if kind.is_file() => {
                        let name =
                            path.strip_prefix(&logs).unwrap_or(&path).as_os_str().as_bytes().as_bstr().to_string();
                        let name = match name.as_str() {
                            "refs/stash" => "a stash".to_owned(),
                            notes if notes.starts_with("refs/notes/") => format!("notes ({notes})"),
                            name => format!("the reflog of {name}{of}"),
                        };
                        for line in read(&path).lines() {
                            for id in line.splitn(3, |byte| *byte == b' ').take(2) {
                                if let Ok(id) = ObjectId::from_hex(id) {
                                    self.other(name.clone(), id);
                                }
                            }
                        }
                    }
                    _ => {}
                }
            }
        }
    }

    fn add_index(&mut self, index: &gix::index::File) {
        for entry in index.entries().iter().filter(|entry| !entry.mode.is_submodule() && !entry.mode.is_sparse()) {
            self.index.entry(entry.id).or_insert_with(|| entry.path(index).to_owned());
        }
    }
}

fn folders(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

/// A file's bytes; none where it is not there or no regular file of a reasonable size.
fn read(path: &Path) -> Vec<u8> {
    match path.symlink_metadata() {
        Ok(metadata) if metadata.is_file() && metadata.len() <= MAX_BYTES => std::fs::read(path).unwrap_or_default(),
        _ => Vec::new(),
    }
}
