//! Blobs by their size or by the beginning of their id: their heads are read, and none of their content.

use gix::ObjectId;
use gix::objs::Kind;

use super::objects::{Objects, Stores};
use super::{GitError, Repository};

impl Repository {
    /// The blob of an id, or of the beginning of one.
    pub fn blob(&self, name: &str) -> Result<ObjectId, GitError> {
        let fail = |cause: &str| GitError::new(format!("find the blob `{name}`"), cause);
        let is_hex = name.len() >= 4 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_hex {
            return Err(fail("it is no id, and no beginning of one"));
        }
        let id = self.inner.rev_parse_single(format!("{name}^{{blob}}").as_str());
        id.map(|id| id.detach()).map_err(|error| fail(&error.to_string()))
    }

    /// All blobs of more bytes, sorted.
    pub fn blobs_larger_than(&self, bytes: u64) -> Result<Vec<ObjectId>, GitError> {
        let stores = Stores::of(&self.common_dir().join("objects"), &[std::path::PathBuf::from("/")]);
        let objects = Objects::open(&stores, self.inner.object_hash())?;
        let reader = self.reader()?;
        let mut large = Vec::new();
        for number in objects.of_kinds(&[Some(Kind::Blob)]).iter() {
            let id = objects.id(number);
            if reader.size(id)?.is_some_and(|size| size > bytes) {
                large.push(id);
            }
        }
        Ok(large)
    }
}
