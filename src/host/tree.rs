//! The files of a work tree: as git's ignore rules say, hidden ones too, without what other repositories inside it hold.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ignore::{WalkBuilder, WalkState};

use super::files::{FileError, open_no_follow};

/// What of a folder is walked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TreeOptions {
    /// Also what git ignores.
    pub ignored: bool,
    /// Also repositories inside it, submodules among them.
    pub nested: bool,
    /// On so many threads; 0 for as many as there are cores.
    pub jobs: usize,
}

/// What a folder holds, each sorted.
#[derive(Debug, Default)]
pub struct Tree {
    /// Regular files.
    pub files: Vec<PathBuf>,
    /// Symbolic links, which are not followed.
    pub links: Vec<PathBuf>,
    /// What could not be walked.
    pub errors: Vec<FileError>,
}

/// Walks a folder. `.git` is never entered, and no link followed.
pub fn walk_tree(folder: &Path, options: TreeOptions) -> Tree {
    let tree = Mutex::new(Tree::default());
    let mut walk = WalkBuilder::new(folder);
    walk.standard_filters(false).follow_links(false).threads(options.jobs);
    if !options.ignored {
        walk.parents(true).git_ignore(true).git_exclude(true).git_global(true);
    }
    walk.filter_entry(move |entry| {
        let is_repository = || {
            entry.depth() > 0
                && entry.file_type().is_some_and(|kind| kind.is_dir())
                && is_there(&entry.path().join(".git"))
        };
        entry.file_name() != OsStr::new(".git") && (options.nested || !is_repository())
    });
    walk.build_parallel().run(|| {
        Box::new(|entry| {
            let mut tree = tree.lock().unwrap_or_else(PoisonError::into_inner);
            match entry {
                Ok(entry) => match entry.file_type() {
                    Some(kind) if kind.is_file() => tree.files.push(entry.into_path()),
                    Some(kind) if kind.is_symlink() => tree.links.push(entry.into_path()),
                    _ => {}
                },
                Err(error) => tree.errors.push(walk_error(folder, error)),
            }
            WalkState::Continue
        })
    });
    let mut tree = tree.into_inner().unwrap_or_else(PoisonError::into_inner);
    tree.files.sort_unstable();
    tree.links.sort_unstable();
    tree.errors.sort_by(|one, other| one.path.cmp(&other.path));
    tree
}

/// Opens a regular file to read it; `None` for everything else. Neither a link nor a pipe makes it go astray or wait.
pub fn open_regular(path: &Path) -> Result<Option<(File, u64)>, FileError> {
    let fail = |error| FileError::new("read", path, error);
    let file = match open_no_follow(path) {
        Ok(file) => file,
        // It became a link meanwhile.
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => return Ok(None),
        Err(error) => return Err(fail(error)),
    };
    let metadata = file.metadata().map_err(fail)?;
    Ok(metadata.is_file().then(|| (file, metadata.len())))
}

/// What a path below a folder is, where no folder on the way is a link.
pub fn kind_within(folder: &Path, path: &Path) -> Option<std::fs::FileType> {
    let mut at = folder.to_owned();
    let mut kind = None;
    for part in path.components() {
        if kind.is_some_and(|kind: std::fs::FileType| !kind.is_dir())
            || !matches!(part, std::path::Component::Normal(_))
        {
            return None;
        }
        at.push(part);
        kind = Some(at.symlink_metadata().ok()?.file_type());
    }
    kind
}

fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

pub(super) fn walk_error(folder: &Path, error: ignore::Error) -> FileError {
    let path = match &error {
        ignore::Error::WithPath { path, .. } => path.clone(),
        ignore::Error::WithDepth { err, .. } => match err.as_ref() {
            ignore::Error::WithPath { path, .. } => path.clone(),
            _ => folder.to_owned(),
        },
        _ => folder.to_owned(),
    };
    let cause = error.into_io_error().unwrap_or_else(|| io::Error::other("it cannot be walked"));
    FileError::new("read", &path, cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn below(folder: &Path, paths: &[PathBuf]) -> Vec<String> {
        let name = |path: &PathBuf| path.strip_prefix(folder).expect("below").display().to_string();
        paths.iter().map(name).collect()
    }

    #[test]
    fn ignore_rules_count_and_other_repositories_are_left_alone() {
        let root = tempfile::tempdir().expect("folder");
        let folder = root.path();
        for (name, text) in [
            (".git/HEAD", "ref: refs/heads/main\n"),
            (".git/info/exclude", "local\n"),
            (".gitignore", "*.log\nbuild/\n"),
            (".env", ""),
            ("a.log", ""),
            ("local", ""),
            ("build/out", ""),
            ("src/a.rs", ""),
            // Only git's own rules count.
            (".ignore", "src\n"),
            ("inner/.git", "gitdir: elsewhere\n"),
            ("inner/file", ""),
        ] {
            let path = folder.join(name);
            std::fs::create_dir_all(path.parent().expect("folder")).expect("folders");
            std::fs::write(path, text).expect("written");
        }
        std::os::unix::fs::symlink("/etc", folder.join("link")).expect("link");
        let tree = walk_tree(folder, TreeOptions::default());
        assert_eq!(below(folder, &tree.files), [".env", ".gitignore", ".ignore", "src/a.rs"]);
        assert_eq!(below(folder, &tree.links), ["link"]);
        let all = walk_tree(folder, TreeOptions { ignored: true, nested: true, jobs: 1 });
        let expected = [".env", ".gitignore", ".ignore", "a.log", "build/out", "inner/file", "local", "src/a.rs"];
        assert_eq!(below(folder, &all.files), expected);
        assert!(open_regular(&folder.join("link")).expect("no error").is_none());
        assert!(open_regular(folder).expect("no error").is_none());
        assert!(kind_within(folder, Path::new("link/passwd")).is_none());
        assert!(kind_within(folder, Path::new("../x")).is_none());
        assert!(kind_within(folder, Path::new("src/a.rs")).is_some_and(|kind| kind.is_file()));
    }
}
