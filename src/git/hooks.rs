//! Hook files: installing seal's, keeping and running those that stood there before, and putting everything back.
//!
//! A hook that is in the way is renamed, never changed, so that taking ours out gives back the very bytes and mode. The files
//! are those of `hooks/`; what they run is in [`cli`](crate::cli).

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::host::{FileError, target};

/// A moment at which git asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hook {
    /// Before a commit is made.
    PreCommit,
    /// Before a push leaves.
    PrePush,
    /// When the message of a commit is written.
    CommitMsg,
    /// Before a push is accepted, on the receiving side.
    PreReceive,
}

/// The place of a hook in a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookFile {
    /// Which one.
    pub hook: Hook,
    /// Its file, whether it is there or not.
    pub path: PathBuf,
}

/// What stands in the place of a hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookState {
    /// Nothing.
    Absent,
    /// Ours.
    Ours,
    /// Ours, and the one that stood there before beside it.
    OursAndKept,
    /// Ours, changed by hand.
    Edited,
    /// Another one, which does not call seal.
    Other,
}

/// What became of a hook file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookChange {
    /// It was as it should be.
    None,
    /// Ours was written, or removed.
    Done,
    /// Ours was written and the other one kept, or ours was removed and the other one put back.
    WithKept,
}

/// Why a hook file was left alone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HookError {
    /// Two hooks of others, and only room for one.
    #[error("both {} and {} are there", .0.display(), kept(.0).display())]
    Occupied(PathBuf),
    /// It calls seal, but is not the file that was installed.
    #[error("{} was changed by hand", .0.display())]
    Edited(PathBuf),
    /// The file system says no.
    #[error(transparent)]
    File(#[from] FileError),
}

impl Hook {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::PreCommit, Self::PrePush, Self::CommitMsg, Self::PreReceive];

    /// Its name, as git has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::PreCommit => "pre-commit",
            Self::PrePush => "pre-push",
            Self::CommitMsg => "commit-msg",
            Self::PreReceive => "pre-receive",
        }
    }

    /// The file that calls seal.
    pub fn text(self) -> &'static str {
        match self {
            Self::PreCommit => include_str!("../../hooks/pre-commit"),
            Self::PrePush => include_str!("../../hooks/pre-push"),
            Self::CommitMsg => include_str!("../../hooks/commit-msg"),
            Self::PreReceive => include_str!("../../hooks/pre-receive"),
        }
    }
}

impl HookFile {
    /// The place of a hook in a folder of hooks.
    pub fn new(folder: &Path, hook: Hook) -> Self {
        Self { hook, path: folder.join(hook.name()) }
    }

    /// What stands there.
    pub fn state(&self) -> HookState {
        let Ok(text) = std::fs::read(&self.path) else {
            // A link that leads nowhere is something too.
            return if self.path.symlink_metadata().is_ok() { HookState::Other } else { HookState::Absent };
        };
        let call = format!("seal hook run {}", self.hook.name());
        match () {
            () if text == self.hook.text().as_bytes() && is_there(&kept(&self.path)) => HookState::OursAndKept,
            () if text == self.hook.text().as_bytes() => HookState::Ours,
            () if memchr::memmem::find(&text, call.as_bytes()).is_some() => HookState::Edited,
            () => HookState::Other,
        }
    }

    /// Puts ours there; another one is kept beside it.
    pub fn install(&self) -> Result<HookChange, HookError> {
        let state = self.state();
        if matches!(state, HookState::Ours | HookState::OursAndKept | HookState::Edited) {
            return Ok(HookChange::None);
        }
        let kept = kept(&self.path);
        if state == HookState::Other {
            if is_there(&kept) {
                return Err(HookError::Occupied(self.path.clone()));
            }
            std::fs::rename(&self.path, &kept).map_err(|error| FileError::new("write", &self.path, error))?;
        }
        target::create(&self.path, self.hook.text().as_bytes(), 0o755)?;
        Ok(if is_there(&kept) { HookChange::WithKept } else { HookChange::Done })
    }

    /// Takes ours away and puts back what stood there before.
    pub fn uninstall(&self) -> Result<HookChange, HookError> {
        let kept = kept(&self.path);
        let fail = |error| FileError::new("write", &self.path, error);
        match self.state() {
            HookState::Edited => Err(HookError::Edited(self.path.clone())),
            HookState::Other if is_there(&kept) => Err(HookError::Occupied(self.path.clone())),
            HookState::Ours => {
                std::fs::remove_file(&self.path).map_err(fail)?;
                Ok(HookChange::Done)
            }
            // Also where an installation was cut short between its two steps.
            HookState::OursAndKept | HookState::Absent if is_there(&kept) => {
                std::fs::rename(&kept, &self.path).map_err(fail)?;
                Ok(HookChange::WithKept)
            }
            HookState::OursAndKept | HookState::Absent | HookState::Other => Ok(HookChange::None),
        }
    }
}

/// The hook that stood there before ours, whose path is given, where git would have run it.
pub fn kept_program(path: &Path) -> Option<PathBuf> {
    let kept = kept(path);
    let metadata = kept.metadata().ok()?;
    (metadata.is_file() && metadata.permissions().mode() & 0o111 != 0).then_some(kept)
}

/// Where the hook is kept that stood at a path before ours.
fn kept(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".before-seal");
    path.with_file_name(name)
}

fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn files_have_three_lines_and_call_seal_under_their_own_name() {
        for hook in Hook::ALL {
            let lines: Vec<_> = hook.text().lines().collect();
            let call = format!("exec seal hook run {} \"$@\"", hook.name());
            assert_eq!((lines.len(), lines[0], lines[2]), (3, "#!/bin/sh", call.as_str()));
        }
    }

    #[test]
    fn what_stood_there_comes_back_with_its_bytes_and_mode() {
        let folder = tempfile::tempdir().unwrap();
        let file = HookFile::new(folder.path(), Hook::PreCommit);
        assert_eq!((file.install().unwrap(), file.install().unwrap()), (HookChange::Done, HookChange::None));
        assert_eq!((file.uninstall().unwrap(), file.state()), (HookChange::Done, HookState::Absent));
        let other = b"#!/bin/sh\n\xff\r\nexit 3";
        std::fs::write(&file.path, other).unwrap();
        std::fs::set_permissions(&file.path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!((file.install().unwrap(), file.state()), (HookChange::WithKept, HookState::OursAndKept));
        // git does not run a file that is not executable, nor do we.
        assert_eq!(kept_program(&file.path), None);
        assert_eq!((file.uninstall().unwrap(), file.state()), (HookChange::WithKept, HookState::Other));
        assert_eq!(std::fs::read(&file.path).unwrap(), other);
        assert_eq!(file.path.metadata().unwrap().permissions().mode() & 0o777, 0o640);
    }

    #[test]
    fn nothing_of_others_is_lost_where_two_claim_the_place() {
        let folder = tempfile::tempdir().unwrap();
        let file = HookFile::new(folder.path(), Hook::PrePush);
        std::fs::write(&file.path, "one").unwrap();
        file.install().unwrap();
        std::fs::write(&file.path, "two").unwrap();
        assert_eq!(file.install(), Err(HookError::Occupied(file.path.clone())));
        assert_eq!(file.uninstall(), Err(HookError::Occupied(file.path.clone())));
        std::fs::write(&file.path, format!("{}# mine\n", file.hook.text())).unwrap();
        assert_eq!(file.install(), Ok(HookChange::None));
        assert_eq!(file.uninstall(), Err(HookError::Edited(file.path.clone())));
        assert_eq!(std::fs::read(kept(&file.path)).unwrap(), b"one");
    }
}
