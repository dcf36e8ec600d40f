//! Where objects come from and go to: a repository, or memory in tests.

use gix::ObjectId;
use gix::hash::{Kind as HashKind, oid};
use gix::objs::Kind;

/// A store of git objects.
pub trait Objects {
    /// The hash that names its objects.
    fn hash_kind(&self) -> HashKind;

    /// Reads an object into `buffer`, which is cleared first.
    fn read(&self, id: &oid, buffer: &mut Vec<u8>) -> Result<Kind, ObjectError>;

    /// Adds an object, if it is not there yet, and gives its id.
    fn write(&mut self, kind: Kind, bytes: &[u8]) -> Result<ObjectId, ObjectError>;

    /// The same for an object that is likely to resemble the one that was written last with the same `place`.
    fn write_version(&mut self, kind: Kind, bytes: &[u8], _place: u64) -> Result<ObjectId, ObjectError> {
        self.write(kind, bytes)
    }
}

/// An object that cannot be read or written, and why; it names no content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ObjectError {
    /// It is named but not there: a shallow or partial clone, or a damaged repository.
    #[error("object {0} is missing")]
    Missing(ObjectId),
    /// Its bytes are not what its kind asks for.
    #[error("object {id} is damaged: {problem}")]
    Damaged {
        /// The object.
        id: ObjectId,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The store failed.
    #[error("{0}")]
    Store(String),
}

#[cfg(test)]
pub mod memory {
    //! Objects in memory.

    use std::collections::HashMap;

    use super::*;

    /// A store for tests.
    pub struct Memory {
        hash: HashKind,
        objects: HashMap<ObjectId, (Kind, Vec<u8>)>,
    }

    impl Memory {
        /// An empty one.
        pub fn new(hash: HashKind) -> Self {
            Self { hash, objects: HashMap::new() }
        }

        /// How many objects it has.
        pub fn len(&self) -> usize {
            self.objects.len()
        }
    }

    impl Objects for Memory {
        fn hash_kind(&self) -> HashKind {
            self.hash
        }

        fn read(&self, id: &oid, buffer: &mut Vec<u8>) -> Result<Kind, ObjectError> {
            let (kind, bytes) = self.objects.get(id).ok_or(ObjectError::Missing(id.to_owned()))?;
            buffer.clear();
            buffer.extend_from_slice(bytes);
            Ok(*kind)
        }

        fn write(&mut self, kind: Kind, bytes: &[u8]) -> Result<ObjectId, ObjectError> {
            let id = gix::objs::compute_hash(self.hash, kind, bytes)
                .map_err(|error| ObjectError::Store(error.to_string()))?;
            self.objects.entry(id).or_insert_with(|| (kind, bytes.to_vec()));
            Ok(id)
        }
    }
}
