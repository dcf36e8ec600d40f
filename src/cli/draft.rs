//! Sealed drafts: what was typed in `seal edit` and could not be saved, kept beside the file for the file's readers alone.
//!
//! A draft is a binary file in sops's form. What is encrypted is one line with the number of bytes of the text, then the
//! text, then the text that editing began with: with that, changes made to the file meanwhile can still be merged in.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::args::OpenArgs;
use super::failure::{Failure, Kind};
use super::session::Session;
use super::shown;
use crate::crypt::{DataKey, Envelope, WrappedKey};
use crate::document::{AttachmentStyle, Document, Format};
use crate::host::{files, target};

/// A text that is being edited.
pub struct Draft {
    /// What the editor was shown first.
    pub base: Zeroizing<Vec<u8>>,
    /// What it is now.
    pub text: Zeroizing<Vec<u8>>,
}

impl Draft {
    /// Opens the draft of `file`.
    pub fn read(file: &Path, open: &OpenArgs, session: &Session) -> Result<Self, Failure> {
        let path = path_of(file);
        let plain = session.decrypt(&path, files::read(&path)?, Format::Binary, open)?;
        let parts = || {
            let plain = plain.expose();
            let (count, behind) = plain.split_at_checked(memchr::memchr(b'\n', plain)?)?;
            behind[1..].split_at_checked(std::str::from_utf8(count).ok()?.parse().ok()?)
        };
        let (text, base) =
            parts().ok_or_else(|| Failure::new(Kind::Input, format!("{} is no draft of seal edit", shown(&path))))?;
        Ok(Self { base: Zeroizing::new(base.to_vec()), text: Zeroizing::new(text.to_vec()) })
    }

    /// What is encrypted of it.
    pub fn payload(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new([format!("{}\n", self.text.len()).as_bytes(), &self.text, &self.base].concat())
    }

    /// Seals it under the data key of a file that is encrypted already.
    pub fn seal(
        &self,
        file: &Path,
        groups: &[Vec<WrappedKey>],
        threshold: Option<usize>,
        key: &DataKey,
        session: &Session,
    ) -> Result<Vec<u8>, Failure> {
        let name = path_of(file);
        let plain =
            Document::parse(self.payload(), Format::Binary).map_err(|error| Failure::of_parse(&name, &error))?;
        let envelope = Envelope::new(groups.to_vec(), threshold, None, false);
        Ok(session.seal(&name, plain, envelope, key, None, AttachmentStyle::default())?.bytes)
    }
}

/// Writes a sealed draft, and says so in the failure that made it necessary; `resume` is the command that goes on with it.
pub fn keep(file: &Path, sealed: Result<Vec<u8>, Failure>, failure: Failure, resume: &str) -> Failure {
    let path = path_of(file);
    let written = sealed.and_then(|bytes| Ok(target::write(&path, &bytes, 0o600)?));
    match written {
        Ok(_) => failure
            .detail(format!("what was typed is kept, sealed for the file's readers, in {}", shown(&path)))
            .hint(format!("go on with it: {resume}")),
        Err(problem) => {
            failure.detail(format!("what was typed is lost, as no draft could be kept: {}", problem.message))
        }
    }
}

/// Whether there is a draft of `file`.
pub fn exists(file: &Path) -> bool {
    path_of(file).symlink_metadata().is_ok()
}

/// Removes the draft of `file`, once it is saved.
pub fn remove(file: &Path) {
    let _ = std::fs::remove_file(path_of(file));
}

/// Where the draft of `file` is kept.
pub fn path_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".seal-draft");
    name.into()
}
