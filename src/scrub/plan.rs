//! What a rewrite does, in numbers: told before anything moves.

use std::collections::{BTreeMap, HashSet};

use gix::ObjectId;
use gix::bstr::{BString, ByteSlice as _};
use sha2::{Digest as _, Sha256};

use super::history::History;
use super::moves::{Mapped, RefMove};
use super::rewrite::{CommitFate, Rewritten};
use super::tips::Tips;

/// What becomes of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// A name for the plan: the same for the same refs, the same wishes and the same version of seal.
    pub digest: String,
    /// How many versions stood at each path that goes; by name alone, where that is what was asked for.
    pub paths: BTreeMap<BString, usize>,
    /// Files that go with their paths, each version once.
    pub removed: usize,
    /// Their bytes.
    pub removed_bytes: u64,
    /// Those of them that stand at other paths too, and so stay; nothing where that was not looked up.
    pub elsewhere: Vec<(BString, ObjectId)>,
    /// Commits in all.
    pub commits: usize,
    /// Those that get another id.
    pub rewritten: usize,
    /// Those of which nothing is left.
    pub pruned: usize,
    /// Those that become the same as another one.
    pub merged: usize,
    /// Merges of which one parent is left, though something of them is.
    pub merges_flattened: usize,
    /// Commits that change although all before them stay: they name the old history.
    pub first_changed: Vec<ObjectId>,
    /// Signatures that no longer fit and go.
    pub signatures: usize,
    /// Those of tags.
    pub tag_signatures: usize,
    /// Tags that get another id.
    pub tags: usize,
    /// Notes that get a new place, as what they are about has a new id.
    pub notes: usize,
    /// Notes that go, with what they are about.
    pub notes_dropped: usize,
    /// Stashes that change.
    pub stashes: usize,
    /// Stashes of which nothing is left.
    pub stashes_dropped: usize,
    /// The refs that move.
    pub refs: Vec<RefMove>,
}

/// Where a ref belongs, in the words of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RefKind {
    /// A branch.
    Branch,
    /// A tag.
    Tag,
    /// What a remote was seen to have.
    Remote,
    /// The stash.
    Stash,
    /// Notes.
    Notes,
    /// What only the host of a remote can change: pull and merge requests and the like.
    Host,
    /// Any other.
    Other,
}

/// Refs that hosts keep for themselves.
const OF_HOSTS: [&str; 5] =
    ["refs/pull/", "refs/merge-requests/", "refs/changes/", "refs/keep-around/", "refs/pipelines/"];

impl RefKind {
    /// What a ref is, by its name.
    pub fn of(name: &[u8]) -> Self {
        // What a remote was fetched to, as a whole.
        if let Some(fetched) = name.strip_prefix(b"refs/seal/remote/") {
            let own = fetched.split_once_str("/").map(|(_, own)| [b"refs/", own].concat());
            return own.map_or(Self::Remote, |own| match Self::of(&own) {
                Self::Host => Self::Host,
                _ => Self::Remote,
            });
        }
        let starts = |prefix: &str| name.starts_with(prefix.as_bytes());
        match () {
            () if starts("refs/heads/") => Self::Branch,
            () if starts("refs/tags/") => Self::Tag,
            () if starts("refs/remotes/") => Self::Remote,
            () if starts("refs/notes/") => Self::Notes,
            () if name == b"refs/stash" => Self::Stash,
            () if OF_HOSTS.iter().any(|prefix| starts(prefix)) => Self::Host,
            () => Self::Other,
        }
    }
}

impl Plan {
    /// The plan that a rewrite is; files, notes and stashes are counted by whoever moves them.
    pub fn of(digest: String, history: &History, tips: &Tips, rewritten: &Rewritten, refs: &[RefMove]) -> Self {
        let mut new: HashSet<ObjectId> = HashSet::new();
        let (mut changed, mut pruned, mut merged) = (0, 0, 0);
        for fate in &rewritten.commits {
            match fate {
                CommitFate::Same => {}
                CommitFate::Pruned(_) => pruned += 1,
                CommitFate::New(id) => {
                    changed += 1;
                    merged += usize::from(!new.insert(*id));
                }
            }
        }
        let is_changed = |id: &ObjectId| matches!(rewritten.others.get(id), Some(Mapped::New(_)));
        Self {
            digest,
            paths: rewritten.dropped.iter().map(|(path, ids)| (path.as_bstr().to_owned(), ids.len())).collect(),
            commits: history.len(),
            rewritten: changed,
            pruned,
            merged,
            merges_flattened: rewritten.merges_flattened.len(),
            first_changed: rewritten.first_changed.iter().map(|index| history.commit(*index).id).collect(),
            signatures: rewritten.signatures_lost,
            tag_signatures: rewritten.tag_signatures_lost,
            tags: tips.tags.iter().filter(|tag| is_changed(&tag.id)).count(),
            removed: 0,
            removed_bytes: 0,
            elsewhere: Vec::new(),
            notes: 0,
            notes_dropped: 0,
            stashes: 0,
            stashes_dropped: 0,
            refs: refs.to_vec(),
        }
    }

    /// Whether nothing happens at all.
    pub fn is_empty(&self) -> bool {
        self.rewritten == 0 && self.pruned == 0 && self.refs.is_empty() && self.tags == 0
    }

    /// How many refs of each kind move.
    pub fn refs_by_kind(&self) -> BTreeMap<RefKind, usize> {
        let mut count = BTreeMap::new();
        for moved in &self.refs {
            *count.entry(RefKind::of(&moved.name)).or_default() += 1;
        }
        count
    }
}

/// The digest of a plan: of the refs as they are, and of what is asked for in words that are the same in every run.
pub fn digest<'a>(refs: impl Iterator<Item = (&'a [u8], ObjectId)>, wishes: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(format!("seal {}\n{}\n{wishes}\n", env!("CARGO_PKG_VERSION"), wishes.len()));
    for (name, id) in refs {
        hash.update(name);
        hash.update(format!(" {id}\n"));
    }
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
