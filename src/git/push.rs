//! What a push brings: the lines that git gives to the hooks pre-push and pre-receive, and what the other side has already.

use gix::ObjectId;
use gix::bstr::{BString, ByteSlice as _};

use super::{GitError, Range, Repository};

/// A ref that a push moves, as a line of a hook says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefUpdate {
    /// The ref as it is called on the receiving side.
    pub name: BString,
    /// What it is there; `None` where there is none.
    pub old: Option<ObjectId>,
    /// What it becomes; `None` where it is deleted.
    pub new: Option<ObjectId>,
}

impl RefUpdate {
    /// Reads the lines of pre-push: `local-ref local-id remote-ref remote-id`.
    pub fn parse_pushed(lines: &[u8]) -> Result<Vec<Self>, GitError> {
        Self::parse(lines, "pre-push", |words| match words {
            // A ref given as `HEAD~` or the like may have blanks in its name; the other words have none.
            [.., new, name, old] if words.len() >= 4 => Some((*old, *new, *name)),
            _ => None,
        })
    }

    /// Reads the lines of pre-receive: `old-id new-id ref`.
    pub fn parse_received(lines: &[u8]) -> Result<Vec<Self>, GitError> {
        Self::parse(lines, "pre-receive", |words| match words {
            [old, new, name] => Some((*old, *new, *name)),
            _ => None,
        })
    }

    fn parse<'l>(
        lines: &'l [u8],
        hook: &str,
        pick: impl Fn(&[&'l [u8]]) -> Option<(&'l [u8], &'l [u8], &'l [u8])>,
    ) -> Result<Vec<Self>, GitError> {
        let id = |word: &[u8]| ObjectId::from_hex(word).ok().map(|id| (!id.is_null()).then_some(id));
        let line = |line: &'l [u8]| {
            let words: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
            let (old, new, name) = pick(&words)?;
            Some(Self { name: name.into(), old: id(old)?, new: id(new)? })
        };
        let lines = lines.lines().enumerate().filter(|(_, line)| !line.is_empty());
        let parsed = lines.map(|(number, text)| {
            let fail = || {
                GitError::new(
                    format!("read what git gives to {hook}"),
                    format!("line {} is none of its lines", number + 1),
                )
            };
            line(text).ok_or_else(fail)
        });
        parsed.collect()
    }
}

/// The commits that a push to `remote`, its name or its URL, would bring there.
///
/// The remote has what the updated refs are there now, and what its other branches were when they were last fetched.
pub fn pushed(repository: &Repository, remote: &str, url: &str, updates: &[RefUpdate]) -> Result<Range, GitError> {
    let tips = updates.iter().filter_map(|update| update.new).collect();
    let mut known: Vec<ObjectId> = updates.iter().filter_map(|update| update.old).collect();
    for name in repository.remotes_at(remote, url) {
        let prefix = format!("refs/remotes/{name}/");
        for (full, id) in repository.refs(&prefix)? {
            // Of a branch that is pushed now git has just told what it is there.
            let is_stale = updates.iter().any(|update| {
                update
                    .name
                    .strip_prefix(b"refs/heads/")
                    .is_some_and(|branch| full.strip_prefix(prefix.as_bytes()) == Some(branch))
            });
            if !is_stale {
                known.push(id);
            }
        }
    }
    Ok(Range { tips, known })
}

/// The commits that a push brings here: those that no ref leads to.
pub fn received(repository: &Repository, updates: &[RefUpdate]) -> Result<Range, GitError> {
    let tips = updates.iter().filter_map(|update| update.new).collect();
    let known = repository.refs("refs/")?.into_iter().map(|(_, id)| id).collect();
    Ok(Range { tips, known })
}

/// The commits of HEAD that no remote had when it was last fetched.
pub fn unpushed(repository: &Repository) -> Result<Range, GitError> {
    let known = repository.refs("refs/remotes/")?.into_iter().map(|(_, id)| id).collect();
    Ok(Range { tips: repository.head_commit()?.into_iter().collect(), known })
}

impl Repository {
    /// All refs below a prefix, by full name, and the object each names.
    fn refs(&self, prefix: &str) -> Result<Vec<(BString, ObjectId)>, GitError> {
        let fail = |error: &dyn std::fmt::Display| GitError::new("read the refs", error);
        let platform = self.inner.references().map_err(|error| fail(&error))?;
        let refs = platform.prefixed(prefix).map_err(|error| fail(&error))?;
        let mut found = Vec::new();
        for reference in refs {
            let reference = reference.map_err(|error| fail(&error))?;
            // A symbolic one, as `origin/HEAD`, names another that is there too.
            if let Some(id) = reference.try_id() {
                found.push((reference.name().as_bstr().to_owned(), id.detach()));
            }
        }
        Ok(found)
    }

    /// The names by which a remote is configured: its own, or those of the remotes with its URL.
    fn remotes_at(&self, remote: &str, url: &str) -> Vec<String> {
        let config = self.inner.config_snapshot();
        let names = self.inner.remote_names();
        let has_url = |name: &str| {
            let is_url = |key: &str| config.string(&format!("remote.{name}.{key}")).is_some_and(|value| value == url);
            is_url("url") || is_url("pushurl")
        };
        let names = names.iter().map(|name| name.to_string());
        names.filter(|name| name == remote || remote == url && has_url(name)).collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_both_hooks_are_read() {
        let (one, zero) = ("1".repeat(40), "0".repeat(40));
        let pushed = format!("refs/heads/a {one} refs/heads/b {zero}\n(delete) {zero} refs/tags/c {one}\n");
        let id = ObjectId::from_hex(one.as_bytes()).unwrap();
        let expected = [
            RefUpdate { name: "refs/heads/b".into(), old: None, new: Some(id) },
            RefUpdate { name: "refs/tags/c".into(), old: Some(id), new: None },
        ];
        assert_eq!(RefUpdate::parse_pushed(pushed.as_bytes()).unwrap(), expected);
        let received = format!("{zero} {one} refs/heads/b\n{one} {zero} refs/tags/c\n");
        assert_eq!(RefUpdate::parse_received(received.as_bytes()).unwrap(), expected);
        assert!(RefUpdate::parse_pushed(b"").unwrap().is_empty());
        for odd in ["x\n".to_owned(), format!("refs/heads/a {one} refs/heads/b\n"), format!("a {one}0 b {zero}\n")] {
            assert!(RefUpdate::parse_pushed(odd.as_bytes()).is_err(), "{odd}");
        }
    }
}
