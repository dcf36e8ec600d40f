//! What is known of a file only from the tree that it lies in: that it should be encrypted, and what the files are that it names.
//!
//! The tree itself is not known here: a work tree, an index, or that of a commit.

use gix::bstr::{BStr, ByteSlice as _};

use super::{kustomize, sops};
use crate::crypt::Selection;
use crate::scan::{Candidate, Ruleset};

/// A file's place in a tree.
pub struct Within<'a> {
    /// Its path from the top, with `/`.
    pub path: &'a BStr,
    /// What is encrypted of it by the tree's `.sops.yaml`, where a creation rule is for files of certain paths, and this is one.
    pub selection: Option<Selection>,
    /// Gives another file of the tree by its path from the top; none where there is no such file.
    pub read: &'a dyn Fn(&BStr) -> Option<Vec<u8>>,
}

/// The rules of what is found here.
pub const RULES: [&str; 2] = ["sops-expected", "kustomize-envs"];

/// What kustomize reads in a folder.
const KUSTOMIZATIONS: [&[u8]; 3] = [b"kustomization.yaml", b"kustomization.yml", b"Kustomization"];

/// Whether a file of this path names others.
pub fn names_files(path: &BStr) -> bool {
    KUSTOMIZATIONS.contains(&split(path).1)
}

/// What the tree says of a file.
pub fn look(rules: &Ruleset, within: &Within<'_>, bytes: &[u8]) -> Vec<Candidate> {
    let expected = within.selection.as_ref().and_then(|selection| sops::expected(rules, selection, within.path, bytes));
    let mut found: Vec<Candidate> = expected.into_iter().collect();
    if names_files(within.path) {
        found.extend(kustomize::clear_files(rules, split(within.path).0.as_bstr(), bytes, within.read));
    }
    found
}

/// Folder and name.
fn split(path: &BStr) -> (&[u8], &[u8]) {
    path.rsplit_once_str("/").unwrap_or((b"", path))
}
