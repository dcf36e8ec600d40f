//! The names that files had before and after they were renamed, as git sees it: the same blob, or nearly the same text.

use gix::bstr::{BString, ByteSlice as _};

use super::switch::git_of;
use super::{GitError, Refs};
use crate::scrub::{PathRule, PathSelection};

/// Takes in the names that the files of a selection had and got by renames, further and further, and gives those that are new.
///
/// Two files are the same for git where nine tenths of their text are.
pub fn follow(refs: &Refs, paths: &mut PathSelection) -> Result<Vec<BString>, GitError> {
    let words = [
        "log",
        "--all",
        "--format=",
        "--name-status",
        "-z",
        "--diff-filter=R",
        "--find-renames=90%",
        "-l0",
        "--no-ext-diff",
    ];
    let listed = git_of(&refs.checkouts[0]).without_root().run(&words, b"")?;
    let mut parts = listed.split_str("\0").filter(|part| !part.is_empty());
    let mut pairs: Vec<[&[u8]; 2]> = Vec::new();
    while let (Some(_), Some(old), Some(new)) = (parts.next(), parts.next(), parts.next()) {
        pairs.push([old, new]);
    }
    pairs.sort_unstable();
    pairs.dedup();
    let mut found = Vec::new();
    loop {
        let before = found.len();
        for [old, new] in &pairs {
            let name = match (paths.selects(old), paths.selects(new)) {
                (true, false) => new,
                (false, true) => old,
                _ => continue,
            };
            paths.rules.push(PathRule::Exact(name.to_vec()));
            found.push(BString::from(*name));
        }
        if found.len() == before {
            return Ok(found);
        }
    }
}
