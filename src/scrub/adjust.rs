//! What a rewrite changes beside what its rules say of paths and blobs: where files stand, and the words of commits and tags.

use gix::ObjectId;
use gix::hash::oid;
use gix::objs::Kind;

use super::header::Words;
use super::history::History;
use super::moves::Mapped;
use super::objects::{ObjectError, Objects};
use super::rewrite::Rules;

/// A change of trees, or of words, that a rewrite asks for at each commit and tag.
pub trait Adjust {
    /// Adds what it asks for to the rules, once, before anything is rewritten; new blobs are written to `objects`.
    fn begin(&mut self, _objects: &mut dyn Objects, _history: &History, _rules: &mut Rules) -> Result<(), ObjectError> {
        Ok(())
    }

    /// The root tree that takes the place of `root`, from which what the rules take was taken already.
    fn root(&mut self, _objects: &mut dyn Objects, root: ObjectId) -> Result<ObjectId, ObjectError> {
        Ok(root)
    }

    /// Whether words of commits and tags are to be shown that nothing else changes.
    fn asks_for_all(&self) -> bool {
        false
    }

    /// Changes the words of a commit or tag. What is left as it is stays byte for byte.
    fn words(&mut self, _of: &Worded<'_>, _words: &mut Words<'_>) -> Result<(), ObjectError> {
        Ok(())
    }
}

/// Whose words they are.
pub struct Worded<'a> {
    /// The commit or tag as it was.
    pub id: ObjectId,
    /// Which of the two.
    pub kind: Kind,
    /// Whether something else of it changes, so that it gets a new id in any case.
    pub changes: bool,
    /// What became of a commit or tag that was rewritten before this one; `None` for what was not, or not yet.
    pub known: &'a dyn Fn(&oid) -> Option<Mapped>,
}

/// No change.
impl Adjust for () {}

/// One change after the other, each seeing what those before it left.
impl Adjust for Vec<Box<dyn Adjust + '_>> {
    fn begin(&mut self, objects: &mut dyn Objects, history: &History, rules: &mut Rules) -> Result<(), ObjectError> {
        self.iter_mut().try_for_each(|one| one.begin(objects, history, rules))
    }

    fn root(&mut self, objects: &mut dyn Objects, root: ObjectId) -> Result<ObjectId, ObjectError> {
        self.iter_mut().try_fold(root, |root, one| one.root(objects, root))
    }

    fn asks_for_all(&self) -> bool {
        self.iter().any(|one| one.asks_for_all())
    }

    fn words(&mut self, of: &Worded<'_>, words: &mut Words<'_>) -> Result<(), ObjectError> {
        self.iter_mut().try_for_each(|one| one.words(of, words))
    }
}
