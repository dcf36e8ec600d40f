//! The joint between the engine and what is found by code instead of by a pattern.

use std::ops::Range;

use super::decode::{Budget, Inner};
use super::{Candidate, Note, RuleIndex};

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
    fn find(&self, text: &Text<'_>, hits: &[Hit], found: &mut Vec<Candidate>) {
        let _ = (text, hits, found);
    }

    /// As [`find`](Self::find), for detectors that see more in a text than candidates: one of the two is written.
    fn look(&self, text: &Text<'_>, hits: &[Hit], seen: &mut Seen<'_>) {
        self.find(text, hits, &mut seen.candidates);
    }

    /// Whether it is asked about every text, also one without any of its keywords.
    fn always(&self) -> bool {
        false
    }
}

/// What is seen in one text.
#[derive(Debug)]
pub struct Seen<'b> {
    /// What looks like a credential.
    pub candidates: Vec<Candidate>,
    /// The texts inside it, to be looked through in turn.
    pub inner: Vec<Inner>,
    /// The values that a structure gives a meaning.
    pub values: Vec<Value>,
    /// What is encrypted: nothing that stands in it is a find.
    pub ciphertext: Vec<Range<usize>>,
    /// What may still be decoded of the outermost text.
    pub budget: &'b mut Budget,
}

/// A value of a structured text, and what its place there says of the credentials in it.
#[derive(Debug)]
pub struct Value {
    /// Where it stands.
    pub span: Range<usize>,
    /// The keys that lead to it.
    pub key_path: String,
    /// What is noted on every credential in it.
    pub note: Option<Note>,
    /// What it is as a whole where no rule but a generic one finds a credential in it.
    pub otherwise: Option<Candidate>,
}

impl Candidate {
    /// A credential that is the bytes at `secret`, as sure as its rule says.
    pub(super) fn at(rule: RuleIndex, secret: Range<usize>, confidence: super::Confidence) -> Self {
        Self {
            rule,
            whole: secret.clone(),
            secret,
            decoded: None,
            layers: Vec::new(),
            confidence,
            severity: None,
            notes: Vec::new(),
            key_path: None,
        }
    }
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
