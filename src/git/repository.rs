//! Opening a repository, and reading files as they were at a revision or are in the index.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Component, Path, PathBuf};

use gix::ObjectId;
use gix::bstr::BStr;
use gix::objs::tree::EntryKind;

/// No file that seal reads is larger.
const MAX_BYTES: u64 = 256 << 20;

/// A repository with a working tree.
pub struct Repository {
    inner: gix::Repository,
    root: PathBuf,
}

/// What could not be done with a repository.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot {doing}: {cause}")]
pub struct GitError {
    doing: String,
    cause: String,
}

/// The tree of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tree(ObjectId);

/// A version of the files of a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// As they are in a tree; `None` for the empty one, as before the first commit.
    Tree(Option<Tree>),
    /// As they are in the index.
    Index,
    /// As they lie in the working tree.
    Working,
}

impl GitError {
    /// `doing` goes behind "cannot".
    pub fn new(doing: impl Into<String>, cause: impl Display) -> Self {
        let cause = cause.to_string();
        Self { doing: doing.into(), cause: cause.lines().next().unwrap_or_default().to_owned() }
    }
}

impl Repository {
    /// The repository that a folder is in. Only its own config is read, and nothing of it is run.
    pub fn of(folder: &Path) -> Result<Self, GitError> {
        let fail = |cause: &dyn Display| GitError::new(format!("open a git repository at {}", folder.display()), cause);
        let options = gix::open::Options::isolated();
        let trust = gix::sec::trust::Mapping { full: options.clone(), reduced: options };
        let inner = gix::ThreadSafeRepository::discover_opts(folder, gix::discover::upwards::Options::default(), trust)
            .map_err(|error| fail(&error))?
            .to_thread_local();
        let root = inner.workdir().ok_or_else(|| fail(&"it has no working tree"))?;
        let root = root.canonicalize().map_err(|error| fail(&error))?;
        Ok(Self { inner, root })
    }

    /// Where the working tree is, without links.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A file's path in the repository; `None` for one outside.
    pub fn path_of(&self, file: &Path) -> Option<PathBuf> {
        // The file itself may be gone.
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let full = match file.file_name() {
            Some(name) => folder.canonicalize().ok()?.join(name),
            None => file.canonicalize().ok()?,
        };
        full.strip_prefix(&self.root).ok().map(Path::to_owned)
    }

    /// The tree of a revision: `HEAD`, `main~2`, `v1.0^{tree}`.
    pub fn tree(&self, revision: &str) -> Result<Tree, GitError> {
        let fail = |error: &dyn Display| GitError::new(format!("find the revision `{revision}`"), error);
        let id = self.inner.rev_parse_single(revision).map_err(|error| fail(&error))?;
        let tree = id.object().and_then(|object| object.peel_to_tree()).map_err(|error| fail(&error))?;
        Ok(Tree(tree.id))
    }

    /// Whether a reference is there, by its full name.
    pub fn has_reference(&self, name: &str) -> Result<bool, GitError> {
        let found = self.inner.try_find_reference(name);
        found.map(|found| found.is_some()).map_err(|error| GitError::new(format!("look for {name}"), error))
    }

    /// The tree of HEAD; `None` before the first commit.
    pub fn head(&self) -> Result<Option<Tree>, GitError> {
        let fail = |error: &dyn Display| GitError::new("find HEAD", error);
        if self.inner.head().map_err(|error| fail(&error))?.is_unborn() {
            return Ok(None);
        }
        self.tree("HEAD").map(Some)
    }

    /// The tree of the commit at which two revisions parted.
    pub fn merge_base(&self, one: &str, other: &str) -> Result<Tree, GitError> {
        let commit = |revision: &str| {
            let fail = |error: &dyn Display| GitError::new(format!("find the revision `{revision}`"), error);
            let id = self.inner.rev_parse_single(revision).map_err(|error| fail(&error))?;
            let commit = id.object().and_then(|object| object.peel_to_kind(gix::objs::Kind::Commit));
            commit.map(|commit| commit.id).map_err(|error| fail(&error))
        };
        let doing = format!("find where `{one}` and `{other}` parted");
        let base = self.inner.merge_base(commit(one)?, commit(other)?).map_err(|error| GitError::new(&doing, error))?;
        let base = base.ok_or_else(|| GitError::new(&doing, "they have no commit in common"))?;
        self.tree(&base.to_string())
    }

    /// A file's bytes in a version; `None` where it is not there, or is no regular file.
    pub fn read(&self, version: Version, path: &Path) -> Result<Option<Vec<u8>>, GitError> {
        let fail = |cause: &dyn Display| GitError::new(format!("read {}", path.display()), cause);
        let id = match version {
            Version::Working => {
                let file = self.root.join(path);
                return match file.symlink_metadata() {
                    Ok(metadata) if !metadata.is_file() => Ok(None),
                    Ok(metadata) if metadata.len() > MAX_BYTES => Err(fail(&"it is too large")),
                    Ok(_) => std::fs::read(&file).map(Some).map_err(|error| fail(&error)),
                    Err(error)
                        if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) =>
                    {
                        Ok(None)
                    }
                    Err(error) => Err(fail(&error)),
                };
            }
            Version::Tree(None) => return Ok(None),
            Version::Tree(Some(Tree(tree))) => {
                let tree = self.inner.find_object(tree).and_then(|object| object.peel_to_tree());
                let entry = tree.and_then(|tree| tree.lookup_entry_by_path(path));
                match entry.map_err(|error| fail(&error))? {
                    Some(entry) if entry.mode().is_blob() => entry.object_id(),
                    _ => return Ok(None),
                }
            }
            Version::Index => {
                let index = self.inner.index_or_empty().map_err(|error| fail(&error))?;
                match index.entry_by_path(BStr::new(path.as_os_str().as_bytes())) {
                    Some(entry) => entry.id,
                    None => return Ok(None),
                }
            }
        };
        let size = self.inner.find_header(id).map_err(|error| fail(&error))?.size();
        if size > MAX_BYTES {
            return Err(fail(&"it is too large"));
        }
        let object = self.inner.find_object(id).map_err(|error| fail(&error))?;
        Ok(Some(object.detach().data))
    }

    /// The files that may differ between two versions, sorted: all that are tracked, where one is the working tree.
    pub fn candidates(&self, old: Version, new: Version) -> Result<Vec<PathBuf>, GitError> {
        let mut old = self.files(old, new)?;
        for (path, id) in self.files(new, new)? {
            if old.get(&path) == Some(&id) && !id.is_null() {
                old.remove(&path);
            } else {
                old.insert(path, id);
            }
        }
        // An index or a tree may name anything.
        let is_inside = |path: &PathBuf| path.components().all(|part| matches!(part, Component::Normal(_)));
        Ok(old.into_keys().filter(is_inside).collect())
    }

    /// The files of a version by path; those of the working tree are those of the index.
    fn files(&self, version: Version, compared_to: Version) -> Result<BTreeMap<PathBuf, ObjectId>, GitError> {
        let fail = |error: &dyn Display| GitError::new("read the files of a version", error);
        let mut files = BTreeMap::new();
        match version {
            Version::Index | Version::Working => {
                let index = self.inner.index_or_empty().map_err(|error| fail(&error))?;
                for entry in index.entries() {
                    if entry.mode.is_submodule() || entry.mode.contains(gix::index::entry::Mode::SYMLINK) {
                        continue;
                    }
                    // What lies in the working tree is not looked at here.
                    let unknown = ObjectId::null(self.inner.object_hash());
                    let id = if compared_to == Version::Working { unknown } else { entry.id };
                    files.insert(PathBuf::from(OsStr::from_bytes(entry.path(&index))), id);
                }
            }
            Version::Tree(tree) => {
                let mut folders: Vec<_> = tree.map(|Tree(id)| (Vec::new(), id)).into_iter().collect();
                while let Some((prefix, id)) = folders.pop() {
                    let tree = self.inner.find_object(id).and_then(|object| object.peel_to_tree());
                    for entry in tree.map_err(|error| fail(&error))?.iter() {
                        let entry = entry.map_err(|error| fail(&error))?;
                        let mut path = prefix.clone();
                        if !path.is_empty() {
                            path.push(b'/');
                        }
                        path.extend_from_slice(entry.filename());
                        match entry.mode().kind() {
                            EntryKind::Tree => folders.push((path, entry.object_id())),
                            EntryKind::Blob | EntryKind::BlobExecutable => {
                                files.insert(PathBuf::from(OsString::from_vec(path)), entry.object_id());
                            }
                            EntryKind::Link | EntryKind::Commit => {}
                        }
                    }
                }
            }
        }
        Ok(files)
    }
}
