//! Files of a repository: written aside, flushed to the disk, and put in their place whole, with the permissions that git would give.

use std::fs::{self, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use crate::git::GitError;

/// How files of a repository are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Disk {
    sharing: Sharing,
}

/// Who may read and write a repository: `core.sharedRepository`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Sharing {
    /// Whoever the umask lets.
    #[default]
    Umask,
    /// These too.
    Also(u32),
    /// Exactly these.
    Exactly(u32),
}

impl Disk {
    /// As `core.sharedRepository` says.
    pub fn new(shared_repository: Option<&str>) -> Self {
        let sharing = match shared_repository.unwrap_or_default().to_ascii_lowercase().as_str() {
            "group" | "true" | "yes" | "on" | "1" => Sharing::Also(0o660),
            "all" | "world" | "everybody" | "2" => Sharing::Also(0o664),
            octal => match u32::from_str_radix(octal, 8) {
                Ok(mode) if mode & 0o600 == 0o600 => Sharing::Exactly(mode & 0o666),
                _ => Sharing::Umask,
            },
        };
        Self { sharing }
    }

    /// Writes a file, in place of one of that name, and flushes it.
    pub fn write(self, path: &Path, bytes: &[u8]) -> Result<(), GitError> {
        let write = || -> io::Result<()> {
            let mut file = File::create(path)?;
            file.write_all(bytes)?;
            file.sync_all()
        };
        write().map_err(|error| fail("write", path, &error))
    }

    /// Moves a flushed file to its place, in which it gets the permissions of the one there. The name is flushed too.
    pub fn place(self, staged: &Path, target: &Path) -> Result<(), GitError> {
        let place = || -> io::Result<()> {
            match fs::symlink_metadata(target) {
                Ok(there) => {
                    let made = fs::metadata(staged)?;
                    if (made.uid(), made.gid()) != (there.uid(), there.gid()) {
                        // Only root may give it away; then it is ours, as if git had written it.
                        let _ = std::os::unix::fs::chown(staged, Some(there.uid()), Some(there.gid()));
                    }
                    fs::set_permissions(staged, Permissions::from_mode(there.mode() & 0o7777))?;
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    self.make_folders(target)?;
                    self.share(staged, fs::metadata(staged)?.mode())?;
                }
                Err(error) => return Err(error),
            }
            fs::rename(staged, target)?;
            sync_folder_of(target)
        };
        place().map_err(|error| fail("write", target, &error))
    }

    /// Writes a file aside and puts it in place.
    pub fn replace(self, aside: &Path, target: &Path, bytes: &[u8]) -> Result<(), GitError> {
        self.write(aside, bytes)?;
        self.place(aside, target)
    }

    /// Gives a file that git never writes to again a second name; copies it where the file system has no such thing.
    pub fn link(self, from: &Path, to: &Path) -> Result<(), GitError> {
        let link = || -> io::Result<()> {
            if to.exists() {
                return Ok(());
            }
            self.share(from, 0o444)?;
            match fs::hard_link(from, to) {
                Ok(()) => Ok(()),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
                Err(_) => {
                    // git takes a file of such a name for a leftover.
                    let aside = to.with_file_name(format!("tmp_pack_seal_{}", std::process::id()));
                    let copy = fs::copy(from, &aside).and_then(|_| File::open(&aside)?.sync_all());
                    let put = copy.and_then(|()| self.share(&aside, 0o444)).and_then(|()| fs::rename(&aside, to));
                    put.inspect_err(|_| drop(fs::remove_file(&aside)))
                }
            }
        };
        link().map_err(|error| fail("write", to, &error))
    }

    /// Makes the folders above a file.
    pub fn make_folders(self, file: &Path) -> io::Result<()> {
        let missing: Vec<&Path> = file.ancestors().skip(1).take_while(|folder| !folder.exists()).collect();
        for folder in missing.into_iter().rev() {
            match fs::create_dir(folder) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => self.share(folder, fs::metadata(folder)?.mode())?,
            }
        }
        Ok(())
    }

    /// Gives the permissions that git gives to a file or folder of mode `mode`.
    fn share(self, path: &Path, mode: u32) -> io::Result<()> {
        let metadata = fs::metadata(path)?;
        let wanted = self.mode(mode & 0o7777, metadata.is_dir());
        if metadata.mode() & 0o7777 == wanted {
            Ok(())
        } else {
            fs::set_permissions(path, Permissions::from_mode(wanted))
        }
    }

    fn mode(self, mode: u32, is_folder: bool) -> u32 {
        let (mut tweak, kept) = match self.sharing {
            Sharing::Umask => return mode,
            Sharing::Also(bits) => (bits, mode),
            Sharing::Exactly(bits) => (bits, mode & !0o777),
        };
        if mode & 0o200 == 0 {
            tweak &= !0o222;
        }
        if mode & 0o100 != 0 {
            tweak |= (tweak & 0o444) >> 2;
        }
        let new = kept | tweak;
        if is_folder && new & 0o060 != 0 { new | 0o2000 } else { new }
    }
}

/// Removes a file, if it is there.
pub fn remove(path: &Path) -> Result<(), GitError> {
    match fs::remove_file(path) {
        Err(error) if !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Err(fail("remove", path, &error))
        }
        _ => Ok(()),
    }
}

/// Flushes the names in a folder.
pub fn sync_folder(folder: &Path) -> Result<(), GitError> {
    match File::open(folder) {
        // It went with the last file in it.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        opened => opened.and_then(|folder| folder.sync_all()).map_err(|error| fail("write", folder, &error)),
    }
}

fn sync_folder_of(file: &Path) -> io::Result<()> {
    file.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

/// An error of the file system, with the file it is about.
pub fn fail(doing: &str, path: &Path, error: &io::Error) -> GitError {
    GitError::new(format!("{doing} {}", path.display()), error)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn permissions_are_those_that_git_gives() {
        let mode = |shared: &str, mode, is_folder| Disk::new(Some(shared)).mode(mode, is_folder);
        assert_eq!(mode("umask", 0o640, false), 0o640);
        assert_eq!(mode("group", 0o644, false), 0o664);
        assert_eq!(mode("true", 0o444, false), 0o444);
        assert_eq!(mode("group", 0o700, true), 0o2770);
        assert_eq!(mode("world", 0o640, false), 0o664);
        assert_eq!(mode("world", 0o755, true), 0o2775);
        assert_eq!(mode("0640", 0o666, false), 0o640);
        assert_eq!(mode("0640", 0o777, true), 0o2750);
        assert_eq!(mode("false", 0o600, false), 0o600);
    }

    #[test]
    fn file_that_takes_anothers_place_has_its_permissions() {
        let folder = tempfile::tempdir().unwrap();
        let (aside, target) = (folder.path().join("aside"), folder.path().join("a/b/target"));
        Disk::default().replace(&aside, &target, b"1").unwrap();
        fs::set_permissions(&target, Permissions::from_mode(0o604)).unwrap();
        Disk::new(Some("group")).replace(&aside, &target, b"2").unwrap();
        assert_eq!(
            (fs::read(&target).unwrap(), fs::metadata(&target).unwrap().mode() & 0o7777),
            (b"2".to_vec(), 0o604)
        );
        assert!(!aside.exists());
    }
}
