//! Locks that git minds, all of one run: each says whose it is, so that what a killed run left can be told from another program's.
//!
//! A lock is a second name of one file, so that it is there with its words at once or not at all. `packed-refs.lock` is taken first
//! and given back last: where it is not ours, no other is.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::SwitchError;
use super::disk::{self, Disk};
use crate::git::refs::{Refs, path_of, read_optional};
use crate::git::{GitError, RunFolder};

/// That this process is the only seal that changes a repository; given back when it ends, however it does.
#[derive(Debug)]
pub struct Guard {
    file: File,
}

impl Guard {
    /// Takes it, or says who has it.
    pub fn take(common: &Path) -> Result<Self, SwitchError> {
        let path = common.join("seal/lock");
        let fail = |error: io::Error| GitError::new(format!("lock {}", path.display()), error);
        fs::create_dir_all(common.join("seal")).map_err(fail)?;
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(fail)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = (&mut file).take(256).read_to_string(&mut holder);
                return Err(SwitchError::Busy(holder.trim().to_owned()));
            }
            Err(TryLockError::Error(error)) => return Err(fail(error).into()),
        }
        let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        file.set_len(0).map_err(fail)?;
        write!(file, "process {} on {}", std::process::id(), host.trim()).map_err(fail)?;
        Ok(Self { file })
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Closing it is not enough: a program that another thread starts just now may still share it.
        let _ = self.file.unlock();
    }
}

/// The locks that a run holds.
#[derive(Debug)]
pub struct Locks {
    disk: Disk,
    /// The file that all are names of.
    token: PathBuf,
    words: Vec<u8>,
    /// In the order in which they were taken.
    held: Vec<PathBuf>,
    common: PathBuf,
}

impl Locks {
    /// None yet.
    pub fn new(run: &RunFolder, common: &Path, disk: Disk) -> Result<Self, GitError> {
        let (token, words) = (run.path().join("token"), words(run));
        if read_optional(&token)?.as_ref() != Some(&words) {
            disk.write(&token, &words)?;
        }
        Ok(Self { disk, token, words, held: Vec::new(), common: common.to_owned() })
    }

    /// Takes the locks of `packed-refs`, of HEAD and index of each working tree, and of refs.
    pub fn take_all<'a>(&mut self, refs: &Refs, names: impl IntoIterator<Item = &'a [u8]>) -> Result<(), SwitchError> {
        self.take(&refs.common.join("packed-refs"))?;
        for checkout in &refs.checkouts {
            self.take(&checkout.git_dir.join("HEAD"))?;
            self.take(&checkout.index())?;
        }
        for name in names {
            self.take(&refs.common.join(path_of(name.into())))?;
        }
        Ok(())
    }

    fn take(&mut self, file: &Path) -> Result<(), SwitchError> {
        let path = lock_of(file);
        self.disk.make_folders(&path).map_err(|error| disk::fail("lock", file, &error))?;
        let made = fs::hard_link(&self.token, &path).or_else(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Err(error),
            // There are file systems without such names, and ones with few for one file.
            _ => OpenOptions::new().write(true).create_new(true).open(&path)?.write_all(&self.words),
        });
        match made {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if !self.held.contains(&path) && !is_ours(&path, &self.words) {
                    return Err(SwitchError::Locked(path));
                }
            }
            made => made.map_err(|error| disk::fail("lock", file, &error))?,
        }
        self.held.push(path);
        Ok(())
    }

    /// Gives them back, and with them the folders that were made for them.
    pub fn release(mut self) -> Result<(), GitError> {
        while let Some(path) = self.held.pop() {
            disk::remove(&path)?;
            remove_empty_folders(&self.common, &path);
        }
        disk::remove(&self.token)
    }
}

/// Whether a run that no longer is has left its locks.
pub fn are_left(run: &RunFolder, common: &Path) -> bool {
    is_of(run, &common.join("packed-refs.lock"))
}

/// Gives back whatever locks a run left.
pub fn release_left(run: &RunFolder, refs: &Refs) -> Result<(), GitError> {
    let words = words(run);
    for checkout in &refs.checkouts {
        let mut todo = vec![checkout.git_dir.join("refs")];
        let mut locks = vec![lock_of(&checkout.git_dir.join("HEAD")), lock_of(&checkout.index())];
        while let Some(folder) = todo.pop() {
            for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() => todo.push(entry.path()),
                    _ => locks.push(entry.path()),
                }
            }
        }
        for lock in locks.iter().filter(|path| path.extension().is_some_and(|end| end == "lock")) {
            if is_ours(lock, &words) {
                disk::remove(lock)?;
                remove_empty_folders(&refs.common, lock);
            }
        }
    }
    if are_left(run, &refs.common) {
        disk::remove(&refs.common.join("packed-refs.lock"))?;
    }
    disk::remove(&run.path().join("token"))
}

/// Removes the folders above a ref that are empty now, but for those that git itself leaves: `refs/heads`.
pub fn remove_empty_folders(common: &Path, file: &Path) {
    let is_deep = |folder: &&Path| {
        let inside = folder.strip_prefix(common).unwrap_or(folder);
        let refs = inside.components().position(|part| part.as_os_str() == "refs");
        refs.is_some_and(|at| inside.components().count() - at > 2)
    };
    for folder in file.ancestors().skip(1).take_while(is_deep) {
        if fs::remove_dir(folder).is_err() {
            break;
        }
    }
}

/// Whether a lock is one of a run's.
pub fn is_of(run: &RunFolder, lock: &Path) -> bool {
    is_ours(lock, &words(run))
}

fn words(run: &RunFolder) -> Vec<u8> {
    format!("seal {}\n", run.name()).into_bytes()
}

fn is_ours(lock: &Path, words: &[u8]) -> bool {
    fs::read(lock).is_ok_and(|found| found == words)
}

fn lock_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}
