//! Private folders for plaintext, in memory, gone when dropped.
//!
//! Only `edit` and the like need one: an editor wants a file. The folder is 0700 and on a file system that lives in memory; on a
//! disk only where the user allows it. What a killed run left behind is swept by the next one: a folder whose lock nobody holds.

use std::fs::{DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode};
use rustix::process::getuid;
use zeroize::Zeroizing;

use super::files::{FileError, in_words, open_no_follow, read_all};
use super::leftovers::Leftover;

/// A private folder; it and all in it is removed on drop and by the signal handler.
#[derive(Debug)]
pub struct Scratch {
    folder: Leftover,
    /// Held locked, so that nobody sweeps the folder.
    _lock: File,
}

/// Whether plaintext may be written to a disk when no file system in memory is at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDisk {
    /// It may not.
    Refuse,
    /// It may, in the folder for temporary files.
    Allow,
}

impl Scratch {
    /// Makes a folder in `runtime_dir` (of `XDG_RUNTIME_DIR`) or `/dev/shm`, whichever first lives in memory.
    pub fn new(runtime_dir: Option<&Path>, on_disk: OnDisk) -> Result<Self, ScratchError> {
        let in_memory =
            runtime_dir.filter(|dir| dir.is_absolute() && is_ours(dir)).into_iter().chain([Path::new("/dev/shm")]);
        for base in in_memory.filter(|base| lives_in_memory(base)) {
            if let Ok(scratch) = Self::make(base) {
                return Ok(scratch);
            }
        }
        match on_disk {
            OnDisk::Refuse => Err(ScratchError::NoMemory),
            OnDisk::Allow => Self::make(&std::env::temp_dir()).map_err(|error| ScratchError::Io(in_words(&error))),
        }
    }

    fn make(base: &Path) -> io::Result<Self> {
        sweep(base, SETTLED);
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let path = base.join(format!("{}{:016x}", prefix(), u64::from_ne_bytes(random)));
        DirBuilder::new().mode(0o700).create(&path)?;
        let folder = Leftover::new(path);
        let lock = open_no_follow(folder.path())?;
        lock.try_lock().map_err(io::Error::other)?;
        Ok(Self { folder, _lock: lock })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a new file of mode 0600 into it. `name` is one part of a path; what is more is cut off.
    pub fn create(&self, name: &Path, bytes: &[u8]) -> Result<PathBuf, FileError> {
        let path = self.place(name);
        let fail = |error| FileError::new("create", &path, error);
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(&path).map_err(fail)?;
        file.write_all(bytes).map_err(fail)?;
        Ok(path)
    }

    /// Puts other bytes in the place of a file in it.
    pub fn replace(&self, path: &Path, bytes: &[u8]) -> Result<PathBuf, FileError> {
        std::fs::remove_file(path).map_err(|error| FileError::new("write", path, error))?;
        self.create(path, bytes)
    }

    /// Makes a FIFO of mode 0600 in it.
    pub fn create_fifo(&self, name: &Path) -> Result<PathBuf, FileError> {
        let path = self.place(name);
        let made = rustix::fs::mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o600), 0);
        made.map_err(|error| FileError::new("create", &path, error.into()))?;
        Ok(path)
    }

    /// Lets another user at the folder and a file in it.
    pub fn hand_to(&self, file: &Path, uid: u32, gid: u32) -> Result<(), FileError> {
        for path in [file, self.path()] {
            std::os::unix::fs::lchown(path, Some(uid), Some(gid))
                .map_err(|error| FileError::new("write", path, error))?;
        }
        Ok(())
    }

    fn place(&self, name: &Path) -> PathBuf {
        match name.components().next_back() {
            Some(Component::Normal(name)) => self.path().join(name),
            _ => self.path().join("file"),
        }
    }

    /// Reads a file in it again; a link, or what is not a regular file, is refused.
    pub fn read(&self, path: &Path) -> Result<Zeroizing<Vec<u8>>, FileError> {
        let fail = |error| FileError::new("read", path, error);
        let file = open_no_follow(path).map_err(fail)?;
        let metadata = file.metadata().map_err(fail)?;
        if !metadata.is_file() {
            return Err(fail(io::Error::other("it is no regular file")));
        }
        read_all(file, metadata.len()).map_err(fail)
    }
}

/// Why there is no private folder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScratchError {
    /// Neither place lives in memory.
    #[error(
        "no folder in memory for the decrypted text: neither XDG_RUNTIME_DIR nor /dev/shm is a tmpfs that can be written"
    )]
    NoMemory,
    /// It could not be made.
    #[error("cannot make a private folder for the decrypted text: {0}")]
    Io(String),
}

/// Removes the folders that runs of this user left behind in `base`.
///
/// `settled`: a younger folder may belong to a run that has not locked it yet.
fn sweep(base: &Path, settled: Duration) {
    let Ok(entries) = std::fs::read_dir(base) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let is_named_so = entry.file_name().to_str().is_some_and(|name| name.starts_with(&prefix()));
        if !is_named_so || !is_ours(&path) {
            continue;
        }
        let Ok(folder) = open_no_follow(&path) else { continue };
        let is_settled = folder
            .metadata()
            .and_then(|metadata| metadata.modified())
            .is_ok_and(|time| time.elapsed().is_ok_and(|age| age >= settled));
        if is_settled && folder.try_lock().is_ok() {
            let _ = std::fs::remove_dir_all(&path);
        }
    }
}

fn prefix() -> String {
    format!("seal-{}-", getuid().as_raw())
}

fn is_ours(folder: &Path) -> bool {
    folder.symlink_metadata().is_ok_and(|metadata| metadata.is_dir() && metadata.uid() == getuid().as_raw())
}

fn lives_in_memory(folder: &Path) -> bool {
    rustix::fs::statfs(folder).is_ok_and(|stat| [TMPFS, RAMFS].contains(&(stat.f_type as u64 & 0xffff_ffff)))
}

/// Magic numbers of statfs(2).
const TMPFS: u64 = 0x0102_1994;
const RAMFS: u64 = 0x8584_58f6;

const SETTLED: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folder_and_file_are_private_and_gone_on_drop() {
        let base = tempfile::tempdir().expect("folder");
        let scratch = Scratch::make(base.path()).expect("made");
        let file = scratch.create(Path::new("deploy/../db.yaml"), b"secret").expect("created");
        assert_eq!(file, scratch.path().join("db.yaml"));
        let mode = |path: &Path| path.metadata().expect("there").mode() & 0o777;
        assert_eq!((mode(scratch.path()), mode(&file)), (0o700, 0o600));
        assert_eq!(**scratch.read(&file).expect("read"), *b"secret");
        assert!(scratch.create(Path::new("db.yaml"), b"").is_err());

        std::fs::remove_file(&file).expect("removed");
        std::os::unix::fs::symlink("/etc/passwd", &file).expect("link");
        assert!(scratch.read(&file).is_err());
        std::fs::create_dir(scratch.path().join("sub")).expect("folder");
        drop(scratch);
        assert_eq!(std::fs::read_dir(base.path()).expect("readable").count(), 0);
    }

    #[test]
    fn a_name_without_a_last_part_is_still_a_file() {
        let base = tempfile::tempdir().expect("folder");
        let scratch = Scratch::make(base.path()).expect("made");
        assert_eq!(scratch.create(Path::new(".."), b"").expect("created"), scratch.path().join("file"));
    }

    #[test]
    fn dead_sessions_are_swept_and_living_ones_stay() {
        let base = tempfile::tempdir().expect("folder");
        let living = Scratch::make(base.path()).expect("made");
        let dead = base.path().join(format!("{}dead", prefix()));
        std::fs::create_dir(&dead).expect("folder");
        std::fs::write(dead.join("plain"), "secret").expect("written");
        let other = base.path().join("other");
        std::fs::create_dir(&other).expect("folder");
        std::os::unix::fs::symlink(&other, base.path().join(format!("{}link", prefix()))).expect("link");

        sweep(base.path(), Duration::from_secs(60));
        assert!(dead.exists(), "it may be about to be locked");
        sweep(base.path(), Duration::ZERO);
        assert!(!dead.exists() && living.path().exists() && other.exists());
    }

    #[test]
    fn a_disk_is_only_used_when_allowed() {
        let base = tempfile::tempdir().expect("folder");
        match Scratch::new(Some(base.path()), OnDisk::Refuse) {
            Ok(scratch) => assert!(lives_in_memory(scratch.path())),
            Err(error) => assert_eq!(error, ScratchError::NoMemory),
        }
        assert!(Scratch::new(None, OnDisk::Allow).is_ok());
    }
}
