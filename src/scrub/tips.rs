//! What refs and reflogs lead to: commits, and tags, trees and blobs, which a ref may name as well.

use std::collections::HashMap;

use gix::ObjectId;
use gix::objs::Kind;

use super::header::Header;
use super::objects::{ObjectError, Objects};

/// What names lead to, each once, in the order of the names.
#[derive(Debug, Default)]
pub struct Tips {
    /// Commits, also those that tags lead to.
    pub commits: Vec<ObjectId>,
    /// Tags, each behind the one that it names.
    pub tags: Vec<Tag>,
    /// Trees and blobs that no commit need have.
    pub others: Vec<(Kind, ObjectId)>,
    /// Commits that only names lead to which need not lead anywhere.
    pub maybe: Vec<ObjectId>,
    kinds: HashMap<ObjectId, Kind>,
}

/// An annotated tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tag {
    /// Its id.
    pub id: ObjectId,
    /// What it names.
    pub target: ObjectId,
}

impl Tips {
    /// Follows what names name.
    ///
    /// Those of `maybe`, say of reflogs, are left out where what they name is missing.
    pub fn read(
        objects: &dyn Objects,
        names: impl IntoIterator<Item = ObjectId>,
        maybe: impl IntoIterator<Item = ObjectId>,
    ) -> Result<Self, ObjectError> {
        let mut tips = Self::default();
        for id in names {
            tips.add(objects, id, false)?;
        }
        for id in maybe {
            match tips.add(objects, id, true) {
                Ok(()) | Err(ObjectError::Missing(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(tips)
    }

    fn add(&mut self, objects: &dyn Objects, id: ObjectId, is_maybe: bool) -> Result<(), ObjectError> {
        let mut buffer = Vec::new();
        let mut tags: Vec<Tag> = Vec::new();
        let mut at = id;
        while !self.kinds.contains_key(&at) {
            let kind = objects.read(&at, &mut buffer)?;
            if kind != Kind::Tag {
                match kind {
                    Kind::Commit if is_maybe => self.maybe.push(at),
                    Kind::Commit => self.commits.push(at),
                    kind => self.others.push((kind, at)),
                }
                self.kinds.insert(at, kind);
                break;
            }
            let target = Header::parse(&buffer).id("object");
            let target = target.ok_or(ObjectError::Damaged { id: at, problem: "it is a tag that names nothing" })?;
            tags.push(Tag { id: at, target });
            at = target;
        }
        for tag in tags.into_iter().rev() {
            self.kinds.insert(tag.id, Kind::Tag);
            self.tags.push(tag);
        }
        Ok(())
    }
}
