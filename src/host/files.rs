//! Files: reading them, finding a config upwards, walking folders, and what can go wrong.
//!
//! Writing is in [`target`](super::target), folders for plaintext are in [`scratch`](super::scratch).

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};

use zeroize::Zeroizing;

/// Reads a file, or a pipe such as `/dev/stdin` or `<(command)`; folders, devices and sockets are refused.
pub fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, FileError> {
    let fail = |error| FileError::new("read", path, error);
    // Before opening, as opening a device may already do something.
    check_readable(path, &std::fs::metadata(path).map_err(fail)?)?;
    let file = OpenOptions::new().read(true).custom_flags(no_controlling_terminal()).open(path).map_err(fail)?;
    let metadata = file.metadata().map_err(fail)?;
    check_readable(path, &metadata)?;
    read_all(file, metadata.len()).map_err(fail)
}

/// Reads standard input to its end.
pub fn read_stdin() -> Result<Zeroizing<Vec<u8>>, FileError> {
    read_all(io::stdin().lock(), 0).map_err(|error| FileError::new("read", Path::new("standard input"), error))
}

/// Reads to the end; `hint` is the size to expect.
pub(super) fn read_all(mut source: impl Read, hint: u64) -> io::Result<Zeroizing<Vec<u8>>> {
    if hint > MAX_BYTES {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let capacity = usize::try_from(hint).map_err(io::Error::other)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(capacity.saturating_add(1)));
    source.by_ref().take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
}

fn check_readable(path: &Path, metadata: &std::fs::Metadata) -> Result<(), FileError> {
    let kind = metadata.file_type();
    let is_stdin = ["/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"].iter().any(|stdin| path == Path::new(stdin));
    if kind.is_file() || kind.is_fifo() || is_stdin && !kind.is_dir() {
        Ok(())
    } else {
        let problem = if kind.is_dir() { Problem::IsFolder } else { Problem::NotRegular };
        Err(FileError { doing: "read", path: path.to_owned(), problem })
    }
}

/// `path` from the root on, without `.` and `..`, which are resolved by their text alone, as sops does before it looks for a rule.
pub fn absolute(path: &Path) -> io::Result<PathBuf> {
    let mut clean = PathBuf::new();
    for part in std::path::absolute(path)?.components() {
        match part {
            // Above the root is the root.
            Component::ParentDir => drop(clean.pop()),
            part => clean.push(part),
        }
    }
    Ok(clean)
}

/// What was found on the way from a folder up to the root.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConfigSearch {
    /// The nearest `.sops.yaml`.
    pub found: Option<PathBuf>,
    /// The nearest `.sops.yml` at or below it, which sops ignores with a warning.
    pub ignored: Option<PathBuf>,
}

/// Looks for `.sops.yaml` in `folder`, which is absolute, and in the folders above it, at most 100.
pub fn find_config(folder: &Path) -> ConfigSearch {
    let mut search = ConfigSearch::default();
    for folder in folder.ancestors().take(MAX_LEVELS) {
        if search.ignored.is_none() {
            search.ignored = Some(folder.join(".sops.yml")).filter(|path| path.is_file());
        }
        let path = folder.join(".sops.yaml");
        if path.is_file() {
            search.found = Some(path);
            break;
        }
    }
    search
}

/// Looks for the config of `file`, which is absolute: from its folder upwards, then from the current folder.
pub fn find_config_for(file: &Path) -> ConfigSearch {
    let beside = find_config(file.parent().unwrap_or(file));
    if beside.found.is_some() {
        return beside;
    }
    let here = std::env::current_dir().map(|folder| find_config(&folder)).unwrap_or_default();
    ConfigSearch { found: here.found, ignored: beside.ignored.or(here.ignored) }
}

/// The regular files below `folder`, sorted by path; hidden ones and those that git ignores too, as encrypted files may be
/// ignored. Symbolic links are not followed, and `.git` is not entered.
pub fn walk(folder: &Path) -> impl Iterator<Item = Result<PathBuf, FileError>> + use<> {
    let walk = ignore::WalkBuilder::new(folder)
        .standard_filters(false)
        .follow_links(false)
        .filter_entry(|entry| entry.file_name() != OsStr::new(".git"))
        .sort_by_file_path(Path::cmp)
        .build();
    let folder = folder.to_owned();
    walk.filter_map(move |entry| match entry {
        Ok(entry) => entry.file_type().is_some_and(|kind| kind.is_file()).then(|| Ok(entry.into_path())),
        Err(error) => Some(Err(super::tree::walk_error(&folder, error))),
    })
}

/// Makes a folder that only its owner can enter, and those above it, where they are missing.
pub fn create_private_folder(folder: &Path) -> Result<(), FileError> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(|error| FileError::new("create", folder, error))
}

/// A file that could not be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot {doing} {}: {problem}", .path.display())]
pub struct FileError {
    /// `read`, `write` or `create`.
    pub doing: &'static str,
    /// Which one.
    pub path: PathBuf,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// There is none.
    #[error("there is no such file")]
    NotFound,
    /// Its folder does not exist.
    #[error("its folder does not exist")]
    NoFolder,
    /// It is a folder.
    #[error("it is a folder")]
    IsFolder,
    /// It is a device, a socket or, where it is to be written, a pipe.
    #[error("it is no regular file")]
    NotRegular,
    /// It exists already.
    #[error("it exists already")]
    Exists,
    /// It is not what was read any more.
    #[error("it was changed by another program since it was read; nothing was written")]
    Changed,
    /// Another run of seal works on it.
    #[error("another run of seal is working on it")]
    Busy,
    /// Permission is missing.
    #[error("permission denied")]
    Permission,
    /// A new file could not be made beside it.
    #[error("its folder {} lets no new file be made in it, which a safe write needs", .0.display())]
    FolderPermission(PathBuf),
    /// The file system is read-only.
    #[error("the file system is read-only")]
    ReadOnly,
    /// The disk is full.
    #[error("the disk is full; nothing was changed")]
    DiskFull,
    /// The quota is used up.
    #[error("the disk quota is used up; nothing was changed")]
    Quota,
    /// It is mounted by itself, as containers do, so that no other file can take its place.
    #[error("it is a mount point, so no new file can take its place")]
    MountPoint,
    /// More than 4 GiB.
    #[error("it is larger than 4 GiB")]
    TooLarge,
    /// It has its new content, but may lose it in a power failure.
    #[error("it was written, but the disk does not confirm it: {0}")]
    NotConfirmed(String),
    /// What else the system says.
    #[error("{0}")]
    Other(String),
}

impl FileError {
    /// What the system says of a file.
    pub fn new(doing: &'static str, path: &Path, error: io::Error) -> Self {
        use io::ErrorKind as Kind;
        let problem = match error.kind() {
            Kind::NotFound if doing == "create" => Problem::NoFolder,
            Kind::NotFound => Problem::NotFound,
            Kind::IsADirectory => Problem::IsFolder,
            Kind::AlreadyExists => Problem::Exists,
            Kind::PermissionDenied => Problem::Permission,
            Kind::ReadOnlyFilesystem => Problem::ReadOnly,
            Kind::StorageFull => Problem::DiskFull,
            Kind::QuotaExceeded => Problem::Quota,
            Kind::ResourceBusy => Problem::MountPoint,
            Kind::FileTooLarge => Problem::TooLarge,
            _ => Problem::Other(in_words(&error)),
        };
        Self { doing, path: path.to_owned(), problem }
    }

    /// What to do about it, as a line that can be followed as it stands.
    pub fn hint(&self) -> String {
        let path = self.path.display();
        match &self.problem {
            Problem::NotFound => format!("see what there is: ls {}", super::target::folder_of(&self.path).display()),
            Problem::NoFolder => format!("make it: mkdir -p {}", super::target::folder_of(&self.path).display()),
            Problem::NotRegular => "name a regular file".into(),
            Problem::Exists => "remove it, or name another".into(),
            Problem::Permission => format!("see who may: ls -l {path}"),
            Problem::TooLarge => "split it into several files".into(),
            Problem::NotConfirmed(_) => format!("see to the disk, and that all is well: seal verify {path}"),
            Problem::Other(_) => format!("see to the disk that holds {path}, and run the command again"),
            Problem::IsFolder => format!("name the files in it, for example {path}/*.yaml"),
            Problem::Changed => format!("look at what is in {path} now, and run the command again"),
            Problem::Busy => "wait until the other run has ended, and run the command again".into(),
            Problem::FolderPermission(folder) => {
                format!("make {} writable, or write elsewhere with --output", folder.display())
            }
            Problem::DiskFull | Problem::Quota => {
                format!("make room on the disk that holds {path}, and run the command again")
            }
            Problem::MountPoint => "mount its folder instead, or write elsewhere with --output".into(),
            Problem::ReadOnly => "write elsewhere with --output".into(),
        }
    }
}

/// The system's own words in lower case, without the number.
pub(super) fn in_words(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut chars = text.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

fn no_controlling_terminal() -> i32 {
    i32::try_from(rustix::fs::OFlags::NOCTTY.bits()).unwrap_or_default()
}

/// Opens a file to work on: neither a link as last part nor a pipe makes it wait or go astray.
pub(super) fn open_no_follow(path: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?.into())
}

/// As for documents.
const MAX_BYTES: u64 = u32::MAX as u64;

/// As sops.
const MAX_LEVELS: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(path: &Path) -> Problem {
        read(path).expect_err("unreadable").problem
    }

    #[test]
    fn reads_files_and_pipes_but_neither_folders_nor_devices() {
        let folder = tempfile::tempdir().expect("folder");
        let file = folder.path().join("a");
        std::fs::write(&file, b"a\xff\0").expect("written");
        assert_eq!(**read(&file).expect("read"), *b"a\xff\0");
        assert_eq!(problem(folder.path()), Problem::IsFolder);
        assert_eq!(problem(Path::new("/dev/zero")), Problem::NotRegular);
        assert_eq!(problem(&folder.path().join("b")), Problem::NotFound);

        let (reader, mut writer) = io::pipe().expect("pipe");
        io::Write::write_all(&mut writer, b"piped").expect("written");
        drop(writer);
        let path = format!("/dev/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&reader));
        assert_eq!(**read(Path::new(&path)).expect("read"), *b"piped");
    }

    #[test]
    fn endless_input_is_cut_off_by_its_size() {
        let error = read_all(io::empty(), MAX_BYTES + 1).expect_err("too large");
        assert_eq!(FileError::new("read", Path::new("x"), error).problem, Problem::TooLarge);
    }

    #[test]
    fn dots_are_resolved_by_text() {
        assert_eq!(absolute(Path::new("/a/./b/../c")).expect("absolute"), Path::new("/a/c"));
        assert_eq!(absolute(Path::new("/../a/")).expect("absolute"), Path::new("/a"));
        assert!(absolute(Path::new("x")).expect("absolute").is_absolute());
    }

    #[test]
    fn config_is_looked_for_upwards_from_the_file() {
        let root = tempfile::tempdir().expect("folder");
        let deep = root.path().join("a/b/c");
        std::fs::create_dir_all(&deep).expect("folders");
        // A folder of that name is no config.
        std::fs::create_dir(deep.join(".sops.yaml")).expect("folder");
        std::fs::write(root.path().join("a/.sops.yaml"), "").expect("written");
        std::fs::write(root.path().join("a/b/.sops.yml"), "").expect("written");
        std::fs::write(root.path().join(".sops.yaml"), "").expect("written");
        let search = find_config_for(&deep.join("secret.yaml"));
        assert_eq!(search.found, Some(root.path().join("a/.sops.yaml")));
        assert_eq!(search.ignored, Some(root.path().join("a/b/.sops.yml")));
    }

    #[test]
    fn walk_is_sorted_and_sees_what_git_ignores() {
        let root = tempfile::tempdir().expect("folder");
        for (name, text) in
            [(".gitignore", "*"), ("b/2", ""), ("b/.hidden", ""), ("a", ""), (".git/config", ""), ("b/.git", "")]
        {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().expect("folder")).expect("folders");
            std::fs::write(path, text).expect("written");
        }
        std::os::unix::fs::symlink("/etc", root.path().join("link")).expect("link");
        let found: Vec<_> = walk(root.path())
            .map(|path| path.expect("readable").strip_prefix(root.path()).expect("below").to_owned())
            .collect();
        assert_eq!(found, [".gitignore", "a", "b/.hidden", "b/2"].map(PathBuf::from));
        let error = walk(&root.path().join("none")).next().expect("one").expect_err("missing");
        assert_eq!((error.problem, error.path), (Problem::NotFound, root.path().join("none")));
    }

    #[test]
    fn errors_are_one_lower_case_line() {
        let error = FileError::new("read", Path::new("x"), io::Error::from_raw_os_error(5));
        assert_eq!(error.to_string(), "cannot read x: input/output error");
    }
}
