//! Writing a file so that it is always whole: the old one or the new one, whatever happens in between.
//!
//! New bytes go to a file without a name in the same folder (one with a name where the file system has no such thing), which is
//! flushed to the disk, given the old one's owner, mode and extended attributes (access lists and labels among them), and put in the old
//! one's place; then the folder is flushed. A symbolic link stays, and what it leads to is replaced. Of a file with several hard
//! links only the name that was given gets the new content: writing into the old file would not be safe. The caller is told ([`Written`]).
//! Two runs of seal take turns by a lock on the file; other programs are noticed by comparing its content.

use std::fs::{File, Metadata};
use std::io::{self, Seek, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, CWD, Gid, Mode, OFlags, Uid, XattrFlags};
use rustix::io::Errno;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::files::{FileError, Problem, in_words, open_no_follow, read_all};
use super::leftovers::Leftover;

/// An existing file that is to get new content: read once, remembered, and locked against other runs of seal.
#[derive(Debug)]
pub struct Target {
    /// As it was named.
    named: PathBuf,
    /// Where it is, links resolved.
    path: PathBuf,
    file: File,
    metadata: Metadata,
    digest: [u8; 32],
    bytes: Zeroizing<Vec<u8>>,
    locked: bool,
}

/// What a write could not keep as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Written {
    /// The file had further hard links: those names still have the old content.
    pub other_links: bool,
    /// The file's owner or group could not be kept; where it is the group, its permissions were dropped.
    pub owner_changed: bool,
}

impl Target {
    /// Opens, locks and reads a regular file; waits up to 10 s for another run of seal.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        Self::open_within(path, LOCK_PATIENCE)
    }

    /// The same, with another patience.
    pub fn open_within(named: &Path, patience: Duration) -> Result<Self, FileError> {
        let fail = |error| FileError::new("read", named, error);
        let path = std::fs::canonicalize(named).map_err(fail)?;
        let (file, metadata) = lock(&path, patience).map_err(|error| match error {
            LockError::Busy => FileError { doing: "write", path: named.to_owned(), problem: Problem::Busy },
            LockError::Io(error) => fail(error),
            LockError::NotRegular(problem) => FileError { doing: "read", path: named.to_owned(), problem },
        })?;
        let bytes = read_all(&file, metadata.len()).map_err(fail)?;
        let digest = Sha256::digest(&*bytes).into();
        Ok(Self { named: named.to_owned(), path, file, metadata, digest, bytes, locked: true })
    }

    /// What it held when it was opened.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Moves the bytes out.
    pub fn take_bytes(&mut self) -> Zeroizing<Vec<u8>> {
        std::mem::take(&mut self.bytes)
    }

    /// Lets other runs of seal at the file, as while an editor is open; [`replace`](Self::replace) then locks it again.
    pub fn unlock(&mut self) {
        self.locked = self.locked && self.file.unlock().is_err();
    }

    /// Gives the file new content, if it is still what was read.
    pub fn replace(mut self, new: &[u8]) -> Result<Written, FileError> {
        let named = self.named.clone();
        let fail = |error| FileError::new("write", &named, error);
        self.check_unchanged()?;
        // A rename would not ask for it, but a file that may not be written is not meant to change.
        rustix::fs::access(&self.path, rustix::fs::Access::WRITE_OK).map_err(|error| fail(error.into()))?;
        let staged =
            Staged::write(&self.path, new, Mode::from_raw_mode(0o600)).map_err(|e| in_folder(&self.path, fail(e)))?;
        // As they are now: both may have changed while an editor was open.
        let metadata = self.file.metadata().map_err(fail)?;
        let owner_changed = !take_over(&self.file, &metadata, &staged.file).map_err(fail)?;
        staged.file.sync_all().map_err(fail)?;
        // Once more, as late as can be.
        self.check_unchanged()?;
        staged.replace(&self.path).map_err(fail)?;
        sync_folder(&self.path).map_err(|error| not_confirmed(&named, &error))?;
        Ok(Written { other_links: metadata.nlink() > 1, owner_changed })
    }

    /// Compares what is on the disk with what was read, holding the lock of the file that is there now.
    fn check_unchanged(&mut self) -> Result<(), FileError> {
        let error = |problem| FileError { doing: "write", path: self.named.clone(), problem };
        let is_same = match std::fs::symlink_metadata(&self.path) {
            Ok(there) => same_file(&there, &self.metadata),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => false,
            // To lock it again would be to wait for our own lock.
            Err(cause) => return Err(FileError::new("write", &self.named, cause)),
        };
        if !self.locked || !is_same {
            (self.file, self.metadata) = lock(&self.path, LOCK_PATIENCE).map_err(|lock_error| match lock_error {
                LockError::Busy => error(Problem::Busy),
                LockError::NotRegular(_) => error(Problem::Changed),
                LockError::Io(cause) => match Errno::from_io_error(&cause) {
                    Some(Errno::NOENT | Errno::LOOP | Errno::NOTDIR) => error(Problem::Changed),
                    _ => FileError::new("write", &self.named, cause),
                },
            })?;
            self.locked = true;
        }
        self.file.rewind().map_err(|cause| FileError::new("write", &self.named, cause))?;
        let bytes =
            read_all(&self.file, self.metadata.len()).map_err(|cause| FileError::new("write", &self.named, cause))?;
        if Sha256::digest(&*bytes)[..] == self.digest { Ok(()) } else { Err(error(Problem::Changed)) }
    }
}

/// Makes a new file, whole or not at all; an existing one, or a link of that name, is an error.
///
/// `mode` is limited by the process's umask, as for any new file.
pub fn create(path: &Path, bytes: &[u8], mode: u32) -> Result<(), FileError> {
    let fail = |error| FileError::new("create", path, error);
    if path.symlink_metadata().is_ok() {
        return Err(fail(io::ErrorKind::AlreadyExists.into()));
    }
    let staged = Staged::write(path, bytes, Mode::from_raw_mode(mode)).map_err(|error| in_folder(path, fail(error)))?;
    staged.file.sync_all().map_err(fail)?;
    staged.create(path).map_err(fail)?;
    sync_folder(path).map_err(|error| not_confirmed(path, &error))
}

/// Writes an output that was named: replaces a file whatever it holds, makes a new one with `mode`, or fills a pipe or device such
/// as `/dev/stdout`.
pub fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<Written, FileError> {
    let fail = |error| FileError::new("write", path, error);
    if path == Path::new("/dev/stdout") {
        // It may be a file that a shell appends to, which must not be replaced.
        let mut stdout = io::stdout().lock();
        return stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(fail).map(|()| Written::default());
    }
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.file_type().is_fifo() || metadata.file_type().is_char_device() => {
            let mut file = File::options().write(true).open(path).map_err(fail)?;
            file.write_all(bytes).map_err(fail).map(|()| Written::default())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => create(path, bytes, mode).map(|()| Written::default()),
        // Errors of the file system come from opening it.
        _ => Target::open(path)?.replace(bytes),
    }
}

/// New content that has no name yet, or only a temporary one.
struct Staged {
    file: File,
    temporary: Option<Leftover>,
}

impl Staged {
    /// Writes `bytes` to a new file in the folder of `path`.
    fn write(path: &Path, bytes: &[u8], mode: Mode) -> io::Result<Self> {
        let flags = OFlags::WRONLY | OFlags::TMPFILE | OFlags::CLOEXEC;
        let mut staged = match rustix::fs::open(folder_of(path), flags, mode) {
            Ok(file) => Self { file: file.into(), temporary: None },
            // The file system, or the kernel, has no files without a name.
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => Self::named(path, mode)?,
            Err(error) => return Err(error.into()),
        };
        staged.file.write_all(bytes)?;
        Ok(staged)
    }

    fn named(path: &Path, mode: Mode) -> io::Result<Self> {
        let temporary = Leftover::new(temporary_name(path)?);
        let file = File::options().write(true).create_new(true).mode(mode.as_raw_mode()).open(temporary.path())?;
        Ok(Self { file, temporary: Some(temporary) })
    }

    /// Gives the file its name, which must be free.
    fn create(self, path: &Path) -> io::Result<()> {
        match &self.temporary {
            None => link(&self.file, path),
            // Like a rename that does not replace, on every file system that has hard links.
            Some(temporary) => match std::fs::hard_link(temporary.path(), path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
                Err(_) => {
                    let flags = rustix::fs::RenameFlags::NOREPLACE;
                    Ok(rustix::fs::renameat_with(CWD, temporary.path(), CWD, path, flags)?)
                }
                Ok(()) => Ok(()),
            },
        }
    }

    /// Puts the file in the place of another.
    fn replace(self, path: &Path) -> io::Result<()> {
        let temporary = match self.temporary {
            Some(temporary) => temporary,
            None => {
                let temporary = Leftover::new(temporary_name(path)?);
                link(&self.file, temporary.path())?;
                temporary
            }
        };
        std::fs::rename(temporary.path(), path)
    }
}

/// Names a file that has no name.
fn link(file: &File, path: &Path) -> io::Result<()> {
    let nameless = format!("/proc/self/fd/{}", file.as_raw_fd());
    Ok(rustix::fs::linkat(CWD, nameless, CWD, path, AtFlags::SYMLINK_FOLLOW)?)
}

fn temporary_name(path: &Path) -> io::Result<PathBuf> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    Ok(folder_of(path).join(format!(".seal-{:016x}.tmp", u64::from_ne_bytes(random))))
}

pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Gives `new` the owner, mode and extended attributes of `old`; false when the owner or group could not be kept.
fn take_over(old: &File, metadata: &Metadata, new: &File) -> io::Result<bool> {
    let made = new.metadata()?;
    let owner_kept =
        made.uid() == metadata.uid() || rustix::fs::fchown(new, Some(Uid::from_raw(metadata.uid())), None).is_ok();
    let group_kept =
        made.gid() == metadata.gid() || rustix::fs::fchown(new, None, Some(Gid::from_raw(metadata.gid()))).is_ok();
    // A list inherited from the folder would give more than the old file gave.
    let _ = rustix::fs::fremovexattr(new, ACCESS_LIST);
    // What the old group was allowed is no business of the new one.
    let lost = if group_kept { 0 } else { 0o2070 } | if owner_kept { 0 } else { 0o4000 };
    rustix::fs::fchmod(new, Mode::from_raw_mode(metadata.mode() & 0o7777 & !lost))?;
    copy_attributes(old, new, |name| group_kept || name != ACCESS_LIST.as_bytes());
    Ok(owner_kept && group_kept)
}

/// Copies the extended attributes that can be copied; not all file systems and users may.
fn copy_attributes(old: &File, new: &File, wanted: impl Fn(&[u8]) -> bool) {
    let mut names = vec![0; rustix::fs::flistxattr(old, &mut [0u8; 0][..]).map_or(0, |_| MAX_ATTRIBUTES)];
    let Ok(length) = rustix::fs::flistxattr(old, &mut names[..]) else { return };
    let mut value = vec![0; MAX_ATTRIBUTES];
    for name in names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty() && wanted(name)) {
        if let Ok(length) = rustix::fs::fgetxattr(old, name, &mut value[..]) {
            let _ = rustix::fs::fsetxattr(new, name, &value[..length], XattrFlags::empty());
        }
    }
}

enum LockError {
    Busy,
    NotRegular(Problem),
    Io(io::Error),
}

/// Opens and locks the file that is at `path` once the lock is held.
fn lock(path: &Path, patience: Duration) -> Result<(File, Metadata), LockError> {
    let deadline = Instant::now() + patience;
    loop {
        let file = open_no_follow(path).map_err(LockError::Io)?;
        let metadata = file.metadata().map_err(LockError::Io)?;
        if !metadata.is_file() {
            return Err(LockError::NotRegular(if metadata.is_dir() { Problem::IsFolder } else { Problem::NotRegular }));
        }
        match file.try_lock() {
            Err(std::fs::TryLockError::WouldBlock) => {}
            // Locked; or the file system knows no locks, and comparing the content must do.
            Ok(()) | Err(std::fs::TryLockError::Error(_)) => {
                // The run before us may have put another file in its place.
                let there = std::fs::symlink_metadata(path).map_err(LockError::Io)?;
                if same_file(&there, &metadata) {
                    return Ok((file, there));
                }
                continue;
            }
        }
        if Instant::now() >= deadline {
            return Err(LockError::Busy);
        }
        std::thread::sleep(LOCK_PAUSE);
    }
}

fn same_file(a: &Metadata, b: &Metadata) -> bool {
    (a.dev(), a.ino(), a.is_file()) == (b.dev(), b.ino(), b.is_file())
}

fn sync_folder(path: &Path) -> io::Result<()> {
    match File::open(folder_of(path)).and_then(|folder| folder.sync_all()) {
        // Some file systems cannot flush a folder, or do not let it be opened; there is nothing more to be done.
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::PermissionDenied) => Ok(()),
        other => other,
    }
}

fn not_confirmed(path: &Path, error: &io::Error) -> FileError {
    FileError { doing: "write", path: path.to_owned(), problem: Problem::NotConfirmed(in_words(error)) }
}

/// When no new file may be made, it is the folder that says so.
fn in_folder(path: &Path, error: FileError) -> FileError {
    match error.problem {
        Problem::Permission => FileError { problem: Problem::FolderPermission(folder_of(path).to_owned()), ..error },
        _ => error,
    }
}

const LOCK_PATIENCE: Duration = Duration::from_secs(10);
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// Linux allows 64 KiB for all names and for each value.
const MAX_ATTRIBUTES: usize = 1 << 16;

const ACCESS_LIST: &str = "system.posix_acl_access";

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn folder_with(text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("a.yaml");
        std::fs::write(&path, text).expect("written");
        (folder, path)
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).expect("readable");
        let mut names: Vec<_> =
            entries.map(|entry| entry.expect("entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn replaces_content_and_keeps_the_mode() {
        let (folder, path) = folder_with("old");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o4640)).expect("mode");
        let target = Target::open(&path).expect("opens");
        assert_eq!(target.bytes(), b"old");
        assert_eq!(target.replace(b"new"), Ok(Written::default()));
        assert_eq!(std::fs::read(&path).expect("read"), b"new");
        assert_eq!(std::fs::metadata(&path).expect("there").mode() & 0o7777, 0o4640);
        assert_eq!(names(folder.path()), ["a.yaml"]);
    }

    #[test]
    fn keeps_extended_attributes_where_the_file_system_has_them() {
        let (_folder, path) = folder_with("old");
        if rustix::fs::setxattr(&path, "user.seal", b"x", XattrFlags::empty()).is_err() {
            return;
        }
        Target::open(&path).expect("opens").replace(b"new").expect("written");
        let mut value = [0; 8];
        assert_eq!(rustix::fs::getxattr(&path, "user.seal", &mut value), Ok(1));
        assert_eq!(value[0], b'x');
    }

    #[test]
    fn a_symbolic_link_stays_and_its_target_is_replaced() {
        let (folder, path) = folder_with("old");
        let link = folder.path().join("link");
        symlink("a.yaml", &link).expect("link");
        Target::open(&link).expect("opens").replace(b"new").expect("written");
        assert!(link.symlink_metadata().expect("there").is_symlink());
        assert_eq!(std::fs::read(&path).expect("read"), b"new");
    }

    #[test]
    fn further_hard_links_keep_the_old_content_and_are_told_of() {
        let (folder, path) = folder_with("old");
        let other = folder.path().join("b");
        std::fs::hard_link(&path, &other).expect("link");
        assert!(Target::open(&path).expect("opens").replace(b"new").expect("written").other_links);
        assert_eq!(std::fs::read(&other).expect("read"), b"old");
    }

    #[test]
    fn what_changed_since_it_was_read_is_left_alone() {
        type Change = fn(&Path);
        let changes: [Change; 4] = [
            |path| std::fs::write(path, "ODD").expect("written"),
            |path| std::fs::remove_file(path).expect("removed"),
            |path| {
                std::fs::write(path.with_extension("tmp"), "odd").expect("written");
                std::fs::rename(path.with_extension("tmp"), path).expect("renamed");
            },
            |path| {
                std::fs::rename(path, path.with_extension("moved")).expect("renamed");
                symlink(path.with_extension("moved"), path).expect("link");
            },
        ];
        for (change, unlock) in changes.iter().flat_map(|change| [(change, false), (change, true)]) {
            let (folder, path) = folder_with("old");
            let mut target = Target::open(&path).expect("opens");
            if unlock {
                target.unlock();
            }
            change(&path);
            let before = (names(folder.path()), std::fs::read(&path).ok());
            assert_eq!(target.replace(b"new").expect_err("changed").problem, Problem::Changed);
            assert_eq!((names(folder.path()), std::fs::read(&path).ok()), before);
        }
    }

    #[test]
    fn another_file_with_the_same_content_is_no_change() {
        let (_folder, path) = folder_with("old");
        let target = Target::open(&path).expect("opens");
        std::fs::write(path.with_extension("tmp"), "old").expect("written");
        std::fs::rename(path.with_extension("tmp"), &path).expect("renamed");
        target.replace(b"new").expect("written");
        assert_eq!(std::fs::read(&path).expect("read"), b"new");
    }

    #[test]
    fn a_second_run_waits_for_the_first() {
        let (_folder, path) = folder_with("0");
        let first = Target::open(&path).expect("opens");
        let busy = Target::open_within(&path, Duration::ZERO).expect_err("locked");
        assert_eq!(busy.problem, Problem::Busy);
        drop(first);

        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..5 {
                        let target = Target::open(&path).expect("opens");
                        let count: u32 = std::str::from_utf8(target.bytes()).expect("text").parse().expect("number");
                        target.replace((count + 1).to_string().as_bytes()).expect("written");
                    }
                });
            }
        });
        assert_eq!(std::fs::read(&path).expect("read"), b"40");
    }

    #[test]
    fn what_cannot_be_replaced_is_refused() {
        let (folder, path) = folder_with("old");
        let problem = |path: &Path| Target::open(path).expect_err("refused").problem;
        assert_eq!(problem(folder.path()), Problem::IsFolder);
        assert_eq!(problem(Path::new("/dev/null")), Problem::NotRegular);
        assert_eq!(problem(&path.with_extension("none")), Problem::NotFound);
        let fifo = folder.path().join("fifo");
        rustix::fs::mkfifoat(CWD, &fifo, Mode::from_raw_mode(0o600)).expect("fifo");
        assert_eq!(problem(&fifo), Problem::NotRegular);
    }

    #[test]
    fn a_new_file_takes_nobodys_place() {
        let (folder, path) = folder_with("old");
        let new = folder.path().join("new");
        create(&new, b"x", 0o600).expect("created");
        assert_eq!(std::fs::metadata(&new).expect("there").mode() & 0o7777, 0o600);
        assert_eq!(create(&path, b"x", 0o600).expect_err("exists").problem, Problem::Exists);
        symlink("nowhere", folder.path().join("dangling")).expect("link");
        assert_eq!(create(&folder.path().join("dangling"), b"x", 0o600).expect_err("exists").problem, Problem::Exists);
        assert_eq!(create(&folder.path().join("no/where"), b"x", 0o600).expect_err("none").problem, Problem::NoFolder);
        assert_eq!(names(folder.path()), ["a.yaml", "dangling", "new"]);
    }

    #[test]
    fn a_named_temporary_file_serves_as_well() {
        let (folder, path) = folder_with("old");
        let staged = |path: &Path| {
            let mut staged = Staged::named(path, Mode::from_raw_mode(0o600)).expect("made");
            staged.file.write_all(b"new").expect("written");
            staged
        };
        staged(&path).replace(&path).expect("replaced");
        assert_eq!(std::fs::read(&path).expect("read"), b"new");
        let error = staged(&path).create(&path).expect_err("exists");
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        staged(&path).create(&folder.path().join("b")).expect("created");
        drop(staged(&path));
        assert_eq!(names(folder.path()), ["a.yaml", "b"]);
    }

    #[test]
    fn output_goes_to_files_old_and_new_and_to_devices() {
        let (folder, path) = folder_with("old");
        write(&path, b"1", 0o600).expect("written");
        write(&folder.path().join("new"), b"2", 0o600).expect("written");
        write(Path::new("/dev/null"), b"3", 0o600).expect("written");
        assert_eq!(write(Path::new("/dev/full"), b"4", 0o600).expect_err("full").problem, Problem::DiskFull);
        assert_eq!(std::fs::read(path).expect("read"), b"1");
        assert_eq!(std::fs::read(folder.path().join("new")).expect("read"), b"2");
    }
}
