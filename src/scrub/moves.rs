//! What a rewrite means for a ref, and for whatever else names an old object.

use gix::ObjectId;
use gix::bstr::BString;
use gix::hash::oid;

/// A ref that is to move: nothing has moved yet.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RefMove {
    /// Its full name, as `refs/heads/main`; `HEAD` where it is detached.
    pub name: BString,
    /// What it names now.
    pub old: ObjectId,
    /// What it is to name; nothing where it goes.
    pub new: Option<ObjectId>,
}

/// What became of an object that something names by its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mapped {
    /// It stays as it is.
    Same,
    /// Another stands for it.
    New(ObjectId),
    /// It went, and nothing stands for it.
    Gone,
}

impl Mapped {
    /// What `new` means for `old`.
    pub fn of(old: &oid, new: ObjectId) -> Self {
        if *new == *old { Self::Same } else { Self::New(new) }
    }
}
