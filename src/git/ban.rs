//! The lists of what is not to come back: the repository's own, `seal/ban` in its folder, and those that `seal.ban` in git's config
//! names; and whether a push brings any of it. What that costs follows what is pushed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use gix::ObjectId;
use gix::bstr::{BString, ByteSlice as _};

use super::{Git, GitError, RefUpdate, Repository};
use crate::scrub::{BanKind, Bans};

/// A ref whose push brings back what is banned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brought {
    /// The ref as the receiving side calls it.
    pub name: BString,
    /// What comes back.
    pub id: ObjectId,
    /// What that is.
    pub kind: BanKind,
}

/// Which side of a push is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side<'a> {
    /// The one that pushes, to a remote of this name.
    Pushing(&'a str),
    /// The one that receives.
    Receiving,
}

impl Repository {
    /// The repository's own list.
    pub fn own_bans(&self) -> Result<Bans, GitError> {
        read(&self.ban_file())
    }

    /// Its own list and those that its config names.
    pub fn bans(&self) -> Result<Bans, GitError> {
        let mut bans = self.own_bans()?;
        let config = self.inner.config_snapshot();
        for path in config.plumbing().strings("seal.ban").unwrap_or_default() {
            let path = path.to_path().map_err(|error| GitError::new("read seal.ban in git's config", error))?;
            bans.extend(read(&self.common_dir().join(path))?);
        }
        Ok(bans)
    }

    /// Replaces its own list.
    pub fn write_bans(&self, bans: &Bans) -> Result<(), GitError> {
        let path = self.ban_file();
        let fail = |error| GitError::new(format!("write {}", path.display()), error);
        std::fs::create_dir_all(self.common_dir().join("seal")).map_err(fail)?;
        if bans.is_empty() {
            return match std::fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(fail(error)),
                _ => Ok(()),
            };
        }
        let aside = path.with_extension("new");
        super::quarantine::write_synced(&aside, bans.to_text().as_bytes())?;
        std::fs::rename(&aside, &path).map_err(fail)
    }

    fn ban_file(&self) -> PathBuf {
        self.common_dir().join("seal/ban")
    }

    /// What a push brings back of what is banned on a day: a line for each ref that does.
    pub fn brought_back(
        &self,
        bans: &Bans,
        day: &str,
        updates: &[RefUpdate],
        side: Side<'_>,
    ) -> Result<Vec<Brought>, GitError> {
        let held = bans.iter().filter(|(_, ban)| ban.holds(day)).map(|(id, ban)| (*id, ban.kind));
        // Whoever does not have any of it cannot bring it; what is received is read where git keeps it for now.
        let reader = self.reader()?;
        let held: BTreeMap<ObjectId, BanKind> = held.filter(|(id, _)| reader.has(*id)).collect();
        if held.is_empty() {
            return Ok(Vec::new());
        }
        let has = |kind: BanKind| held.values().any(|other| *other == kind);
        let (commits, blobs) = (has(BanKind::Commit), has(BanKind::Blob));
        let mut found = Vec::new();
        for update in updates {
            let Some(new) = update.new else { continue };
            let old = updates.iter().filter_map(|update| update.old).filter(|id| reader.has(*id));
            let known: String = old.map(|id| format!("^{id}\n")).collect();
            let input = format!("{new}\n{known}");
            let id = match side {
                Side::Receiving => {
                    let known = ["--objects", "--no-object-names", "--not", "--exclude=refs/seal/*", "--all"];
                    self.first_of(&held, &known, &input)?
                }
                // What is known of the remote may be from before its history was rewritten: commits are not
                // measured by it.
                Side::Pushing(remote) => {
                    let commit = if commits { self.first_of(&held, &[], &input)? } else { None };
                    let remotes = format!("--remotes={remote}");
                    let known = ["--objects", "--no-object-names", "--not", &remotes];
                    match commit {
                        None if blobs => self.first_of(&held, &known, &input)?,
                        found => found,
                    }
                }
            };
            let brought = |id: ObjectId| Brought { name: update.name.clone(), id, kind: held[&id] };
            found.extend(id.map(brought));
        }
        Ok(found)
    }

    fn first_of(
        &self,
        held: &BTreeMap<ObjectId, BanKind>,
        more: &[&str],
        input: &str,
    ) -> Result<Option<ObjectId>, GitError> {
        let mut words = vec!["--no-replace-objects", "rev-list", "--stdin"];
        words.extend(more);
        let listed = Git::at(self.root()).ask(&words, input.as_bytes())?;
        let ids = listed.lines().filter_map(|line| ObjectId::from_hex(line.trim_ascii()).ok());
        // Commits come first, the newest of them at the top: the first one with what was taken out says most.
        let ids: Vec<ObjectId> = ids.filter(|id| held.contains_key(id)).collect();
        let is_commit = |id: &&ObjectId| held[*id] == BanKind::Commit;
        Ok(ids.iter().rfind(is_commit).or(ids.last()).copied())
    }

    /// Those of some objects that no ref leads to, backups aside.
    pub fn unreached(&self, ids: BTreeSet<ObjectId>) -> Result<BTreeSet<ObjectId>, GitError> {
        if ids.is_empty() {
            return Ok(ids);
        }
        let words = [
            "--no-replace-objects",
            "rev-list",
            "--objects",
            "--no-object-names",
            "--exclude=refs/seal/backup/*",
            "--all",
        ];
        let listed = Git::at(self.root()).read(&words)?;
        let reached: BTreeSet<ObjectId> =
            listed.lines().filter_map(|line| ObjectId::from_hex(line.trim_ascii()).ok()).collect();
        Ok(ids.into_iter().filter(|id| !reached.contains(id)).collect())
    }
}

fn read(path: &std::path::Path) -> Result<Bans, GitError> {
    let fail = |error: &dyn std::fmt::Display| GitError::new(format!("read {}", path.display()), error);
    match std::fs::read(path) {
        Ok(bytes) => Bans::parse(&bytes).map_err(|error| fail(&error)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && path.ends_with("seal/ban") => Ok(Bans::default()),
        Err(error) => Err(fail(&error)),
    }
}
