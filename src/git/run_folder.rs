//! Where a rewrite keeps what is its own until it is finished: `seal/<run>` in the folder that all working trees share.

use std::io;
use std::path::{Path, PathBuf};

use super::GitError;

/// The folder of one rewrite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// Makes the folder of a new run of that name in the repository whose shared folder (`.git`) is `common`.
    pub fn create(common: &Path, name: &str) -> Result<Self, GitError> {
        let fail =
            |error: io::Error| GitError::new(format!("make a folder for a rewrite in {}", common.display()), error);
        std::fs::create_dir_all(common.join("seal")).map_err(fail)?;
        // git is run in other folders: a path from here would lead it elsewhere.
        let run = Self { path: common.canonicalize().map_err(fail)?.join("seal").join(name) };
        std::fs::create_dir(&run.path).map_err(fail)?;
        std::fs::create_dir_all(run.objects().join("pack")).map_err(fail)?;
        Ok(run)
    }

    /// The runs of a repository that have a folder, oldest first: names begin with the time.
    pub fn all(common: &Path) -> Result<Vec<Self>, GitError> {
        let folder = common.join("seal");
        let fail = |error: io::Error| GitError::new(format!("read {}", folder.display()), error);
        let entries = match std::fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(fail)?,
        };
        let mut runs = Vec::new();
        for entry in entries {
            let path = entry.map_err(fail)?.path();
            if path.join("objects").is_dir() {
                runs.push(Self { path });
            }
        }
        runs.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(runs)
    }

    /// The runs that are finished, oldest first: their old objects are gone, and maps say what became of them.
    pub fn finished(common: &Path) -> Result<Vec<Self>, GitError> {
        let mut runs = Self::with_map(common)?;
        runs.retain(|run| !run.objects().is_dir());
        Ok(runs)
    }

    /// The runs that wrote down what became of objects, oldest first: also those that are finished.
    pub fn with_map(common: &Path) -> Result<Vec<Self>, GitError> {
        let folder = common.join("seal");
        let fail = |error: io::Error| GitError::new(format!("read {}", folder.display()), error);
        let entries = match std::fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(fail)?,
        };
        let mut runs: Vec<Self> = entries
            .map(|entry| entry.map(|entry| Self { path: entry.path() }))
            .collect::<Result<_, _>>()
            .map_err(fail)?;
        runs.retain(|run| run.path.join(super::rewriting::MAP).is_file());
        runs.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(runs)
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its name: the time it began, and some letters that tell it from another of the same second.
    pub fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// New objects before the switch: an object directory of its own, of which the repository knows nothing.
    pub fn objects(&self) -> PathBuf {
        self.path.join("objects")
    }

    /// Which refs move from where to where, and how far the switch has come.
    pub fn journal(&self) -> PathBuf {
        self.path.join("journal")
    }

    /// Writes down what it does, for programs.
    pub fn write_report(&self, report: &str) -> Result<(), GitError> {
        super::quarantine::write_synced(&self.path.join("report.json"), report.as_bytes())
    }

    /// What was written down of what it does.
    pub fn report(&self) -> Option<Vec<u8>> {
        std::fs::read(self.path.join("report.json")).ok()
    }

    /// Removes it with all that it holds.
    pub fn remove(self) -> Result<(), GitError> {
        let fail = |error| GitError::new(format!("remove {}", self.path.display()), error);
        std::fs::remove_dir_all(&self.path).map_err(fail)
    }
}
