//! What whoever keeps a repository for others says of pushes to it, in the config of git there: `seal.maySkip`, `seal.receiveSeconds`,
//! `seal.receiveBytes`, `seal.receiveIncomplete`, `seal.receiveLog`. A push has no say in any of them.

use std::path::PathBuf;

use gix::bstr::ByteSlice as _;

use super::{GitError, Repository};

/// How pushes are received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receiving {
    /// Who may push what is not looked through, by name; `*` for all.
    pub may_skip: Vec<String>,
    /// How long a push may be looked through.
    pub seconds: u64,
    /// How many bytes of a push are looked through.
    pub bytes: u64,
    /// A push that could not be looked through in whole is let in.
    pub takes_incomplete: bool,
    /// The file that gets a line for each push.
    pub log: PathBuf,
}

/// So long a push may take where nothing is said.
const SECONDS: u64 = 60;

/// So much of a push is looked through where nothing is said.
const BYTES: u64 = 4 << 30;

impl Receiving {
    /// Reads it.
    pub fn of(repository: &Repository) -> Result<Self, GitError> {
        let config = repository.inner.config_snapshot();
        let number = |name: &str, otherwise: u64| match config.try_integer(name) {
            Ok(None) => Ok(otherwise),
            Ok(Some(number)) if number > 0 => Ok(number.unsigned_abs()),
            _ => Err(GitError::new("read git's config", format!("{name} is no number above 0"))),
        };
        let text = |name: &str| config.string(name).map(|value| value.to_string());
        let takes_incomplete = match text("seal.receiveIncomplete").as_deref() {
            None | Some("refuse") => false,
            Some("accept") => true,
            Some(_) => {
                return Err(GitError::new("read git's config", "seal.receiveIncomplete is neither refuse nor accept"));
            }
        };
        let may_skip = config.plumbing().strings("seal.maySkip").unwrap_or_default();
        let log = config.string("seal.receiveLog").and_then(|path| path.to_path().ok().map(PathBuf::from));
        Ok(Self {
            may_skip: may_skip.iter().map(|name| name.to_string()).collect(),
            seconds: number("seal.receiveSeconds", SECONDS)?,
            bytes: number("seal.receiveBytes", BYTES)?,
            takes_incomplete,
            log: repository.inner.common_dir().join(log.unwrap_or_else(|| PathBuf::from("seal/receive.jsonl"))),
        })
    }

    /// Whether somebody may push what is not looked through.
    pub fn lets_skip(&self, name: Option<&str>) -> bool {
        self.may_skip.iter().any(|one| one == "*" || Some(one.as_str()) == name)
    }
}
