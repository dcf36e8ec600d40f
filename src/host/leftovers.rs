//! Files and folders that must not outlive the process: removed when dropped, and by the signal handler.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::process;

/// A file or folder that is removed on drop, or when a signal ends the process first.
#[derive(Debug)]
pub(super) struct Leftover(PathBuf);

impl Leftover {
    /// Watches over `path`, which need not exist yet.
    pub(super) fn new(path: PathBuf) -> Self {
        process::watch_signals();
        list(|paths| paths.push(path.clone()));
        Self(path)
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Leftover {
    fn drop(&mut self) {
        remove(&self.0);
        list(|paths| paths.retain(|path| *path != self.0));
    }
}

/// Removes all there are; for the signal handler, which then ends the process.
pub(super) fn remove_all() {
    list(|paths| paths.drain(..).for_each(|path| remove(&path)));
}

fn remove(path: &Path) {
    // Neither follows a symbolic link; there is no one left to tell of a failure.
    if std::fs::remove_file(path).is_err() {
        let _ = std::fs::remove_dir_all(path);
    }
}

fn list<T>(act: impl FnOnce(&mut Vec<PathBuf>) -> T) -> T {
    act(&mut PATHS.lock().unwrap_or_else(PoisonError::into_inner))
}

static PATHS: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());
