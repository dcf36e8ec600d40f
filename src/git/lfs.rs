//! Git LFS: what a small text in a tree points at, where that lies in this clone.
//!
//! Source: git-lfs, "Git LFS Specification": the pointer file, and `lfs/objects` below the repository's own folder.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::Repository;
use crate::host::tree::open_regular;
use crate::scan::Unscanned;

/// Where a clone keeps the contents that pointers stand for.
#[derive(Debug, Clone)]
pub struct Lfs(PathBuf);

/// What a text that may be a pointer leads to.
#[derive(Debug)]
pub enum Pointed {
    /// It is no pointer.
    Nothing,
    /// The content is not in this clone.
    Elsewhere,
    /// The content.
    Content(Vec<u8>),
    /// The content is here and was not read.
    Unread(Unscanned),
}

/// A pointer is no longer.
const MAX_POINTER: usize = 1024;

impl Lfs {
    /// That of a repository.
    pub fn of(repository: &Repository) -> Self {
        Self(repository.inner.common_dir().join("lfs/objects"))
    }

    /// What a text points at. Contents of more than `max` bytes are not read.
    pub fn follow(&self, text: &[u8], max: usize) -> Pointed {
        let Some(oid) = pointer(text) else { return Pointed::Nothing };
        let file = self.0.join(&oid[..2]).join(&oid[2..4]).join(oid);
        if !self.is_inside(&file) {
            return Pointed::Elsewhere;
        }
        match open_regular(&file) {
            Ok(Some((_, size))) if size > max as u64 => Pointed::Unread(Unscanned::TooLarge),
            Ok(Some((file, size))) => {
                let mut content = Vec::with_capacity(size as usize);
                match file.take(max as u64).read_to_end(&mut content) {
                    Ok(_) => Pointed::Content(content),
                    Err(_) => Pointed::Unread(Unscanned::Unreadable),
                }
            }
            Ok(None) | Err(_) => Pointed::Unread(Unscanned::Unreadable),
        }
    }

    /// Whether a file is there, and no link on the way leads elsewhere.
    fn is_inside(&self, file: &Path) -> bool {
        let folder = |path: &Path| path.canonicalize().ok();
        let inside = folder(file).zip(folder(&self.0));
        inside.is_some_and(|(file, store)| file.starts_with(store))
    }
}

/// The SHA-256 that a pointer names.
fn pointer(text: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(text.get(..text.len().min(MAX_POINTER + 1))?).ok()?;
    if text.len() > MAX_POINTER || !text.starts_with("version https://git-lfs.github.com/spec/v1\n") {
        return None;
    }
    let oid = text.lines().find_map(|line| line.strip_prefix("oid sha256:"))?;
    let is_hash = oid.len() == 64 && oid.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    is_hash.then_some(oid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_are_told_from_other_texts() {
        let oid = "0f".repeat(32);
        let text = format!("version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize 12\n");
        assert_eq!(pointer(text.as_bytes()), Some(oid.as_str()));
        for other in [
            text.replace("v1", "v9"),
            text.replace("0f", "../"),
            text.replace("sha256", "sha1"),
            text.to_uppercase(),
            text + &"x".repeat(1024),
        ] {
            assert_eq!(pointer(other.as_bytes()), None, "{other}");
        }
    }
}
