//! Whether what a rewrite changes has left this machine, as far as can be known from here: by what remotes were seen to have.

use gix::ObjectId;
use gix::bstr::ByteSlice as _;
use gix::hash::oid;
use gix::remote::Direction;

use super::refs::read_optional;
use super::{GitError, Refs, Repository};
use crate::scrub::{Mapped, RefKind, reflog_ids};

/// Where refs are that say what a remote has.
const REMOTES: &str = "refs/remotes/";

impl Repository {
    /// Whether it knows any other repository.
    pub fn has_remotes(&self) -> bool {
        !self.inner.remote_names().is_empty()
    }

    /// Whether nothing that `map` changes was pushed from here or fetched: no remote-tracking ref leads to it, and none ever did.
    ///
    /// A repository without a working tree is one that others push to, and one whose remotes are not tracked cannot tell.
    pub fn nothing_left(&self, refs: &Refs, map: &dyn Fn(&oid) -> Mapped) -> Result<bool, GitError> {
        if self.is_bare() || !self.tracks_all_remotes() {
            return Ok(false);
        }
        let changes = |id: &ObjectId| map(id) != Mapped::Same;
        let is_seen = |name: &[u8]| matches!(RefKind::of(name), RefKind::Remote | RefKind::Host);
        if refs.tips().any(|(name, id)| is_seen(name) && changes(&id)) {
            return Ok(false);
        }
        for log in refs.reflogs()?.iter().filter(|log| log.starts_with(refs.common.join("logs").join(REMOTES))) {
            let bytes = read_optional(log)?.unwrap_or_default();
            let mut ids = bytes.lines().filter_map(reflog_ids).flat_map(|(old, new, _)| [old, new]);
            if ids.any(|id| changes(&id)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn tracks_all_remotes(&self) -> bool {
        self.inner.remote_names().iter().all(|name| {
            let Ok(remote) = self.inner.find_remote(name.as_bstr()) else { return false };
            let specs = remote.refspecs(Direction::Fetch);
            let is_tracked = |spec: &gix::refspec::RefSpec| {
                spec.to_ref().local().is_some_and(|local| local.starts_with(REMOTES.as_bytes()))
            };
            !specs.is_empty() && specs.iter().all(is_tracked)
        })
    }
}
