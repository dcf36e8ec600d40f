//! Opening a repository, and reading files as they were at a revision or are in the index.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Component, Path, PathBuf};

use gix::ObjectId;
use gix::bstr::{BStr, BString};
use gix::objs::tree::EntryKind;

use super::ObjectReader;
use crate::host::{Environment, Variable};

/// No file that seal reads is larger.
const MAX_BYTES: u64 = 256 << 20;

/// A repository, as a rule with a working tree.
pub struct Repository {
    pub(super) inner: gix::Repository,
    root: PathBuf,
    surroundings: Surroundings,
}

/// What git says to the programs that it calls, in their environment.
#[derive(Debug, Clone, Default)]
struct Surroundings {
    index: Option<PathBuf>,
    objects: Option<PathBuf>,
    alternates: Vec<PathBuf>,
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

/// Nothing of the environment and no programs; of the user's own config, whose repositories are safe to open.
fn options() -> gix::open::Options {
    let mut options = gix::open::Options::isolated().bail_if_untrusted(true);
    options.permissions.config.system = true;
    options.permissions.config.git = true;
    options.permissions.config.user = true;
    options.permissions.env.home = gix::sec::Permission::Allow;
    options.permissions.env.xdg_config_home = gix::sec::Permission::Allow;
    options
}

impl GitError {
    /// `doing` goes behind "cannot".
    pub fn new(doing: impl Into<String>, cause: impl Display) -> Self {
        let cause = cause.to_string();
        Self { doing: doing.into(), cause: cause.lines().next().unwrap_or_default().to_owned() }
    }
}

impl Repository {
    /// The repository that a folder is in, which has a working tree. Of its own config nothing is run.
    pub fn of(folder: &Path) -> Result<Self, GitError> {
        let repository = Self::discover(folder)?;
        if repository.is_bare() {
            return Err(GitError::new(
                format!("open a git repository at {}", folder.display()),
                "it has no working tree",
            ));
        }
        Ok(repository)
    }

    /// The repository that git named in the environment, as it does for hooks, else the one that a folder is in. It may be bare.
    pub fn open(folder: &Path, environment: &Environment) -> Result<Self, GitError> {
        let mut repository = match environment.path(Variable::GitDir) {
            Some(git_dir) => {
                let fail = |cause| GitError::new(format!("open the git repository {}", git_dir.display()), cause);
                // By its full name, as `.` says nothing of what it is.
                let full = git_dir.canonicalize().map_err(|error| fail(error.to_string()))?;
                let opened = gix::ThreadSafeRepository::open_opts(full, options().open_path_as_is(true));
                Self::new(opened.map_err(|error| fail(error.to_string()))?.to_thread_local(), fail)?
            }
            None => Self::discover(folder)?,
        };
        repository.surroundings = Surroundings {
            index: environment.path(Variable::GitIndexFile),
            objects: environment.path(Variable::GitObjectDirectory),
            alternates: environment
                .value(Variable::GitAlternateObjectDirectories)
                .map(|paths| std::env::split_paths(paths).filter(|path| !path.as_os_str().is_empty()).collect())
                .unwrap_or_default(),
        };
        Ok(repository)
    }

    fn discover(folder: &Path) -> Result<Self, GitError> {
        let fail = |cause| GitError::new(format!("open a git repository at {}", folder.display()), cause);
        let trust = gix::sec::trust::Mapping { full: options(), reduced: options() };
        let inner = gix::ThreadSafeRepository::discover_opts(folder, gix::discover::upwards::Options::default(), trust)
            .map_err(|error| fail(error.to_string()))?
            .to_thread_local();
        // As with git, the repository itself has no say in this.
        let is_users = |meta: &gix::config::file::Metadata| meta.source.kind() != gix::config::source::Kind::Repository;
        let explicit = inner.config_snapshot().plumbing().string_filter("safe.bareRepository", is_users);
        let explicit = explicit.is_some_and(|value| value.as_slice() == b"explicit");
        if explicit && inner.workdir().is_none() {
            return Err(fail("it is bare, and your git config says safe.bareRepository = explicit".to_owned()));
        }
        Self::new(inner, fail)
    }

    fn new(inner: gix::Repository, fail: impl Fn(String) -> GitError) -> Result<Self, GitError> {
        let root = inner.workdir().unwrap_or_else(|| inner.git_dir());
        let root = root.canonicalize().map_err(|error| fail(error.to_string()))?;
        Ok(Self { inner, root, surroundings: Surroundings::default() })
    }

    /// Where the working tree is, without links; of a bare repository, where it lies itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of git's own that all of its working trees share.
    pub fn common_dir(&self) -> &Path {
        self.inner.common_dir()
    }

    /// Whether it has no working tree.
    pub fn is_bare(&self) -> bool {
        self.inner.workdir().is_none()
    }

    /// Whether a folder lies in its working tree or in its own folder.
    pub fn owns(&self, folder: &Path) -> bool {
        // The folder itself may not be there yet.
        let full = folder.ancestors().find_map(|folder| folder.canonicalize().ok());
        let common = self.inner.common_dir().canonicalize().ok();
        full.is_some_and(|full| full.starts_with(&self.root) || common.is_some_and(|common| full.starts_with(common)))
    }

    /// Its objects, as they are stored. Fails where some are borrowed from outside of it, unless the user's own config lets it.
    pub fn reader(&self) -> Result<ObjectReader, GitError> {
        let folders = self.object_folders();
        if let Some(foreign) = folders.iter().find_map(|folder| self.stores_at(folder, &folders).refused.pop()) {
            let foreign = foreign.display();
            return Err(GitError::new(
                "read the objects of the repository",
                format!(
                    "it borrows some from {foreign}, outside of it; if that is meant: git config --global --add seal.alternates {foreign}"
                ),
            ));
        }
        ObjectReader::open(&folders, self.inner.object_hash())
    }

    /// The same, to read what was found in stores that were judged already.
    pub(super) fn reader_of_found(&self) -> Result<ObjectReader, GitError> {
        ObjectReader::open(&self.object_folders(), self.inner.object_hash())
    }

    fn object_folders(&self) -> Vec<PathBuf> {
        let mut folders = vec![self.inner.common_dir().join("objects")];
        // What a push brings lies in a folder of its own until it is accepted.
        folders.extend(self.surroundings.objects.iter().chain(&self.surroundings.alternates).cloned());
        folders
    }

    /// The index; the one that git is about to commit, where it says so. `None` where there is none.
    pub(super) fn index(&self) -> Result<Option<gix::index::File>, GitError> {
        let path = self.surroundings.index.clone().unwrap_or_else(|| self.inner.index_path());
        if !path.exists() {
            return Ok(None);
        }
        let options = gix::index::decode::Options::default();
        let index = gix::index::File::at(path, self.inner.object_hash(), true, options);
        index.map(Some).map_err(|error| GitError::new("read the index", error))
    }

    /// The commits at which history was cut off when it was fetched: their parents are not there, and nothing is amiss.
    pub(super) fn shallow(&self) -> Result<HashSet<ObjectId>, GitError> {
        let commits =
            self.inner.shallow_commits().map_err(|error| GitError::new("read where history is cut off", error))?;
        Ok(commits.map(|commits| commits.iter().copied().collect()).unwrap_or_default())
    }

    /// The paths that are tracked, with `/`, sorted: of regular files and symbolic links.
    pub fn tracked(&self) -> Result<Vec<BString>, GitError> {
        let Some(index) = self.index()? else { return Ok(Vec::new()) };
        let is_file = |mode: gix::index::entry::Mode| !mode.is_submodule() && !mode.is_sparse();
        let entries = index.entries().iter().filter(|entry| is_file(entry.mode));
        let mut paths: Vec<BString> = entries.map(|entry| entry.path(&index).to_owned()).collect();
        paths.dedup();
        Ok(paths)
    }

    /// What is staged, or would be committed as it was: files and symbolic links by their paths, without the sides of conflicts.
    pub fn indexed(&self) -> Result<HashMap<BString, ObjectId>, GitError> {
        let Some(index) = self.index()? else { return Ok(HashMap::new()) };
        let is_file = |entry: &&gix::index::Entry| {
            !entry.mode.is_submodule()
                && !entry.mode.is_sparse()
                && entry.stage() == gix::index::entry::Stage::Unconflicted
        };
        let entries = index.entries().iter().filter(is_file);
        Ok(entries.map(|entry| (entry.path(&index).to_owned(), entry.id)).collect())
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
