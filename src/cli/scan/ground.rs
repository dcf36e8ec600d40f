//! The trees that texts lie in: the work tree, the index, those of commits; and which `.sops.yaml` counts for a file of one.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use gix::ObjectId;
use gix::bstr::{BStr, BString, ByteSlice as _};

use super::force::Place;
use crate::config::Config;
use crate::crypt::Selection;
use crate::git::{GitError, ObjectReader, Repository};
use crate::scan::kubernetes::Within;

/// What is known of the trees of a scan. Shared by all threads.
pub struct Ground {
    /// Where creation rules see the top of a tree.
    root: PathBuf,
    kind: Kind,
    configs: Mutex<Configs>,
}

/// The nearest `.sops.yaml` of a folder, by the tree.
type Configs = HashMap<(Option<ObjectId>, BString), Option<Arc<Config>>>;

enum Kind {
    /// Files; those that git knows, where it knows any.
    Folder(Option<HashSet<BString>>),
    /// What is staged.
    Index(HashMap<BString, ObjectId>),
    /// Trees of commits, by the `.sops.yaml` of each.
    Commits,
    /// The same, by the `.sops.yaml` of this tree, or by none.
    RuledBy(Option<ObjectId>),
}

/// Folders above a file that are looked at for a `.sops.yaml`.
const MAX_ABOVE: usize = 100;

/// So many folders are remembered.
const MAX_KNOWN: usize = 1 << 16;

/// A named file that is larger is no part of a Secret, which holds 1 MiB.
const MAX_NAMED: usize = 4 << 20;

impl Ground {
    /// The work tree of a repository, or the current folder.
    pub fn folder(repository: Option<&Repository>) -> Self {
        let root = super::force::folder(repository);
        let tracked = repository.and_then(|repository| repository.tracked().ok());
        Self::new(root.canonicalize().unwrap_or(root), Kind::Folder(tracked.map(HashSet::from_iter)))
    }

    /// What is staged.
    pub fn index(repository: &Repository) -> Result<Self, GitError> {
        Ok(Self::new(repository.root().to_owned(), Kind::Index(repository.indexed()?)))
    }

    /// The trees of commits.
    pub fn commits(repository: &Repository) -> Self {
        Self::new(repository.root().to_owned(), Kind::Commits)
    }

    /// The trees of commits whose own `.sops.yaml` has no say: that of the default branch has, as it is before a push.
    pub fn received(repository: &Repository, reader: &ObjectReader) -> Result<Self, GitError> {
        let head = repository.head_commit()?.map(|commit| reader.commit(commit)).transpose()?.flatten();
        Ok(Self::new(repository.root().to_owned(), Kind::RuledBy(head.map(|commit| commit.tree))))
    }

    fn new(root: PathBuf, kind: Kind) -> Self {
        Self { root, kind, configs: Mutex::default() }
    }

    /// Calls `look` with the place of a file on disk; none where it lies outside.
    pub fn with_file<R>(&self, file: &Path, look: impl FnOnce(Option<&Within<'_>>) -> R) -> R {
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let full = folder.canonicalize().ok().zip(file.file_name()).map(|(folder, name)| folder.join(name));
        let path = full.as_deref().and_then(|full| full.strip_prefix(&self.root).ok());
        let Some(path) = path else { return look(None) };
        let path = path.as_os_str().as_encoded_bytes().as_bstr();
        let place = Place::Folder(&self.root);
        self.with(path, &place, Some((&place, None)), look)
    }

    /// Calls `look` with the place of a blob: at `path` of what is staged, or of a commit.
    pub fn with_blob<R>(
        &self,
        reader: &ObjectReader,
        path: Option<&BStr>,
        commit: Option<ObjectId>,
        look: impl FnOnce(Option<&Within<'_>>) -> R,
    ) -> R {
        let Some(path) = path.filter(|path| !path.is_empty()) else { return look(None) };
        if let Kind::Index(index) = &self.kind {
            let place = Place::Index(reader, index);
            return self.with(path, &place, Some((&place, None)), look);
        }
        let tree = commit.and_then(|commit| reader.commit(commit).ok()?).map(|commit| commit.tree);
        let Some(tree) = tree else { return look(None) };
        let place = Place::Tree(reader, Some(tree));
        match self.kind {
            Kind::RuledBy(ruling) => {
                let ruling = ruling.map(|tree| (Place::Tree(reader, Some(tree)), tree));
                self.with(path, &place, ruling.as_ref().map(|(place, tree)| (place, Some(*tree))), look)
            }
            _ => self.with(path, &place, Some((&place, Some(tree))), look),
        }
    }

    fn with<R>(
        &self,
        path: &BStr,
        place: &Place<'_>,
        ruled_by: Option<(&Place<'_>, Option<ObjectId>)>,
        look: impl FnOnce(Option<&Within<'_>>) -> R,
    ) -> R {
        let read = |path: &BStr| {
            if matches!(&self.kind, Kind::Folder(Some(tracked)) if !tracked.contains(path)) {
                return None;
            }
            let bytes = place.read_bytes(path.to_path().ok()?).ok()??;
            Some(bytes).filter(|bytes| bytes.len() <= MAX_NAMED)
        };
        let selection = ruled_by.and_then(|(place, tree)| self.selection(path, place, tree));
        look(Some(&Within { path, selection, read: &read }))
    }

    /// What is encrypted of a file, where a rule is for files of certain paths. A rule without a pattern is a default for those
    /// that are encrypted, and covers all others too.
    fn selection(&self, path: &BStr, place: &Place<'_>, tree: Option<ObjectId>) -> Option<Selection> {
        let config = self.config(path, place, tree)?;
        let rule = config.rule_for(&self.root.join(path.to_path().ok()?)).ok()??;
        let written = config.creation_rules().iter().find(|written| written.number == rule.number)?;
        if written.path_regex.is_empty() {
            return None;
        }
        Selection::compile(rule.selection.clone().unwrap_or_default()).ok()
    }

    /// The nearest `.sops.yaml` above a file; none where it cannot be read.
    fn config(&self, path: &BStr, place: &Place<'_>, tree: Option<ObjectId>) -> Option<Arc<Config>> {
        let known = || self.configs.lock().unwrap_or_else(PoisonError::into_inner);
        let mut passed = Vec::new();
        let mut found = None;
        for folder in path.to_path().ok()?.ancestors().skip(1).take(MAX_ABOVE) {
            let key = (tree, BString::from(folder.as_os_str().as_encoded_bytes()));
            if let Some(config) = known().get(&key) {
                found = config.clone();
                break;
            }
            passed.push(key);
            let file = folder.join(".sops.yaml");
            match place.read(&file) {
                Ok(None) => {}
                Ok(Some(text)) => {
                    found = Config::parse(&text, self.root.join(file)).ok().map(Arc::new);
                    break;
                }
                Err(_) => break,
            }
        }
        let mut known = known();
        if known.len() > MAX_KNOWN {
            known.clear();
        }
        known.extend(passed.into_iter().map(|key| (key, found.clone())));
        found
    }
}
