//! The joint between the engine and what is found by code instead of by a pattern.

use super::Candidate;

/// Finds credentials that a pattern cannot describe: by grammar, or by the structure of a document.
///
/// The engine looks for all keywords of all rules and detectors in one pass, and asks a detector only where one of its own stands.
pub trait Detector: Send + Sync {
    /// The bytes of which one must be in a text, in lower case, at least three each; case of ASCII letters is ignored.
    fn keywords(&self) -> &[&str];

    /// How far its finds depend on what surrounds a keyword.
    fn reach(&self) -> Reach;

    /// Adds what it finds in `text`. `hits` are the places where its keywords stand, by offset, none twice.
    ///
    /// Takes time linear in the text at worst, and never panics whatever the bytes.
    fn find(&self, text: &Text<'_>, hits: &[Hit], found: &mut Vec<Candidate>);
}

/// How far a find depends on what surrounds its keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Only on this many bytes before and behind it: a text that changed elsewhere need not be looked at again.
    Window(usize),
    /// On the whole text.
    Document,
}

/// A keyword of a detector in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hit {
    /// Which of the detector's keywords.
    pub keyword: usize,
    /// Where it starts, as byte offset.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
}

/// Bytes to look through: a file, a blob, a message, or what was decoded from one.
#[derive(Debug, Clone, Copy)]
pub struct Text<'a> {
    /// The bytes.
    pub bytes: &'a [u8],
    /// How many layers were undone to read them: 0 for what lies in a file.
    pub depth: usize,
}
