//! A file as bytes plus a tree of where its values stand, and edits by span.
//!
//! [`Document::parse`] reads any of the five formats into the same shape: documents that hold maps,
//! lists, leaves and comments, each with the span of bytes it came from. Nothing is ever re-emitted
//! to change a value: a change is an edit to a span, so every other byte stays. What values mean to
//! sops (types, comments as entries of the map that holds them) is decided here, what is encrypted is
//! decided in [`crypt`](crate::crypt).
//!
//! Each format has one file: how it is read, how a value is spelled in the place of another, and how
//! an attachment (sops's envelope) is put at the end of a document and found again.

mod attachment;
mod change;
mod diff;
mod edit;
mod emit;
mod format;
mod key_path;
mod line;
mod merge;
mod nearest;
mod node;
mod number;
mod piece;

mod binary;
mod dotenv;
mod ini;
mod json;
mod yaml;

pub use attachment::{Attachment, AttachmentStyle};
pub use change::{ChangeError, Numbers, Value, ValueError};
pub use diff::{Change, ChangeKind, changes};
pub use edit::Edits;
pub use emit::{EmitError, Indent, emit, emit_value, untyped};
pub use format::{Format, UnknownFormat};
pub use key_path::{KeyPath, KeyPathError, Step};
pub use merge::{Conflict, Merged, merge};
pub use nearest::nearest;
pub use node::{Branch, Comment, Item, Key, Leaf, Node, Scalar, Span, Style, Text};
pub use number::{float_plain, float_shortest};

pub(crate) use yaml::duplicate_key;

use zeroize::Zeroizing;

/// A file's bytes, and where the values in them stand.
///
/// The tree borrows nothing: spans and [`Text`]s point into [`Document::source`] by offset.
pub struct Document {
    source: Zeroizing<Vec<u8>>,
    format: Format,
    roots: Vec<Root>,
}

/// One document of a file: YAML files may have several, all other formats have exactly one.
#[derive(Debug, Clone)]
pub struct Root {
    /// The top-level map, without the attachment.
    pub branch: Branch,
    /// The entry named `sops` at the top, split off from the branch.
    pub attachment: Option<Attachment>,
    /// Offset at which an attachment is inserted: behind the last byte of this document's content.
    pub attach_at: u32,
}

impl Document {
    /// Reads `source` as `format`.
    ///
    /// With no edits applied the bytes stay the same. Errs where the format's own rules are broken,
    /// where the top level is not a map, and where a limit is passed (depth 128, 4 GiB, and a number
    /// of nodes after alias expansion that no honest file needs).
    pub fn parse(source: impl Into<Zeroizing<Vec<u8>>>, format: Format) -> Result<Self, ParseError> {
        let source = source.into();
        if u32::try_from(source.len()).is_err() {
            return Err(ParseError::new(format, ParseProblem::TooLarge));
        }
        let roots = match format {
            Format::Yaml => yaml::parse(&source),
            Format::Json => json::parse(&source),
            Format::Dotenv => dotenv::parse(&source),
            Format::Ini => ini::parse(&source),
            Format::Binary => binary::parse(&source),
        }?;
        Ok(Self { source, format, roots })
    }

    /// A document made from values alone, as when converting; it has no source bytes.
    pub fn from_branches(format: Format, branches: Vec<Branch>) -> Self {
        let roots = branches.into_iter().map(|branch| Root { branch, attachment: None, attach_at: 0 }).collect();
        Self { source: Zeroizing::new(Vec::new()), format, roots }
    }

    /// The bytes the document was read from.
    pub fn source(&self) -> &[u8] {
        &self.source
    }

    /// Gives the bytes back, dropping the tree.
    pub fn into_source(self) -> Zeroizing<Vec<u8>> {
        self.source
    }

    /// The format it was read as.
    pub fn format(&self) -> Format {
        self.format
    }

    /// The documents in the file, in order.
    pub fn roots(&self) -> &[Root] {
        &self.roots
    }

    /// Puts comments that stand behind a value on lines of their own, where the document is written anew ([`emit`]).
    ///
    /// `moved` are the spans of those comments. The bytes stay as they are.
    pub fn lift_comments(&mut self, moved: &std::collections::HashSet<Span>) {
        fn lift(branch: &mut Branch, moved: &std::collections::HashSet<Span>) {
            for item in &mut branch.items {
                let mut node = &mut item.node;
                while let Node::Alias { target, .. } = node {
                    node = std::sync::Arc::make_mut(target);
                }
                match node {
                    Node::Comment(comment) => comment.inline &= !moved.contains(&comment.span),
                    Node::Map(branch) | Node::List(branch) => lift(branch, moved),
                    Node::Leaf(_) | Node::Alias { .. } => {}
                }
            }
        }
        if !moved.is_empty() {
            self.roots.iter_mut().for_each(|root| lift(&mut root.branch, moved));
        }
    }

    /// The bytes of a text of this document.
    pub fn text<'a>(&'a self, text: &'a Text) -> &'a [u8] {
        text.bytes(&self.source)
    }

    /// What stands at `path` in the first document, as sops looks values up; aliases are followed, comments not counted.
    pub fn find(&self, path: &KeyPath) -> Result<&Node, NotThere> {
        let fail = |at: usize, problem| NotThere { path: KeyPath(path.0[..=at].to_vec()), problem };
        let mut here: Option<&Node> = None;
        for (at, step) in path.0.iter().enumerate() {
            let (branch, is_map) = match here.map(Node::resolved) {
                None => (&self.roots.first().ok_or_else(|| fail(at, "the file holds no document"))?.branch, true),
                Some(Node::Map(branch)) => (branch, true),
                Some(Node::List(branch)) => (branch, false),
                Some(_) => return Err(fail(at, "what it looks into is a single value")),
            };
            let found = match (step, is_map) {
                (Step::Key(key), true) => branch
                    .items
                    .iter()
                    .find(|item| item.key.as_ref().is_some_and(|other| self.text(&other.text) == key.as_bytes())),
                (Step::Index(index), false) => {
                    branch.items.iter().filter(|item| !matches!(item.node, Node::Comment(_))).nth(*index)
                }
                (Step::Key(_), false) => return Err(fail(at, "what it looks into is a list, which has no keys")),
                (Step::Index(_), true) => return Err(fail(at, "what it looks into is a map, which has no indexes")),
            };
            here = Some(&found.ok_or_else(|| fail(at, "there is nothing of that name"))?.node);
        }
        here.map(Node::resolved).ok_or(NotThere { path: path.clone(), problem: "it names the whole file" })
    }

    /// What stands at `path` in document `root` of the file, keys compared as bytes; aliases are followed.
    pub fn at(&self, root: usize, path: &KeyPath) -> Option<&Node> {
        let mut branch = Some(&self.roots.get(root)?.branch);
        let mut here = None;
        for step in &path.0 {
            let mut items = branch?.items.iter().filter(|item| !matches!(item.node, Node::Comment(_)));
            let item = match step {
                Step::Key(key) => {
                    items.find(|item| item.key.as_ref().is_some_and(|other| self.text(&other.text) == key.as_bytes()))
                }
                Step::Index(index) => items.nth(*index),
            };
            let node = item?.node.resolved();
            here = Some(node);
            branch = match node {
                Node::Map(inner) | Node::List(inner) => Some(inner),
                _ => None,
            };
        }
        here
    }

    /// How `value` is written in the place of `leaf`, in that leaf's own style where it can be.
    ///
    /// The result replaces exactly `leaf.span`, and reads back as `value`. Without a layout to say
    /// otherwise this is how a decrypted value comes back, so it follows what sops itself would write:
    /// spelling the same value into a place written by sops gives sops's bytes.
    pub fn spell(&self, leaf: &Leaf, value: &Scalar) -> Zeroizing<Vec<u8>> {
        match self.format {
            Format::Yaml => yaml::spell(&self.source, leaf, value),
            Format::Json => json::spell(&self.source, leaf, value),
            Format::Dotenv => dotenv::spell(&self.source, leaf, value),
            Format::Ini => ini::spell(&self.source, leaf, value),
            Format::Binary => binary::spell(&self.source, leaf, value),
        }
    }

    /// Edits that put `text` in the place of a comment's. Only in INI may it have line breaks.
    pub fn replace_comment(&self, comment: &Comment, text: &[u8]) -> Edits {
        if self.format == Format::Ini {
            return ini::replace_comment(&self.source, comment, text);
        }
        let mut edits = Edits::new();
        edits.replace(comment.span, text);
        edits
    }

    /// Edits that put `value` (an object) as attachment at the end of every document.
    ///
    /// `value` is written in the order of its keys. In dotenv and INI it is flattened as sops does
    /// (`__list_N`, `__map_`).
    pub fn attach(&self, value: &serde_json::Value, style: &AttachmentStyle) -> Edits {
        match self.format {
            Format::Yaml => yaml::attach(&self.source, &self.roots, value, style),
            Format::Json | Format::Binary => json::attach(&self.source, &self.roots, value, style),
            Format::Dotenv => dotenv::attach(&self.source, &self.roots, value, style),
            Format::Ini => ini::attach(&self.source, &self.roots, value, style),
        }
    }
}

/// A key path that leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` was not found: {problem}")]
pub struct NotThere {
    /// The path up to the step that failed.
    pub path: KeyPath,
    /// Why.
    pub problem: &'static str,
}

impl std::fmt::Debug for Document {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Document")
            .field("format", &self.format)
            .field("bytes", &self.source.len())
            .field("documents", &self.roots.len())
            .finish()
    }
}

/// Why bytes could not be read as a format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not readable as {format}{}: {problem}", position(.line, .column))]
pub struct ParseError {
    /// The format that was tried.
    pub format: Format,
    /// Line, from 1; 0 where no place can be named.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub problem: ParseProblem,
}

fn position(line: &usize, column: &usize) -> String {
    if *line == 0 { String::new() } else { format!(" at line {line}, column {column}") }
}

impl ParseError {
    /// A problem of the file as a whole.
    pub fn new(format: Format, problem: ParseProblem) -> Self {
        Self { format, line: 0, column: 0, problem }
    }

    /// A problem at byte `offset` of `source`.
    pub fn at(format: Format, problem: ParseProblem, source: &[u8], offset: usize) -> Self {
        let before = &source[..offset.min(source.len())];
        Self {
            format,
            line: memchr::memchr_iter(b'\n', before).count() + 1,
            column: String::from_utf8_lossy(&before[line::start(before, before.len())..]).chars().count() + 1,
            problem,
        }
    }
}

/// What is wrong with a file.
///
/// None of the messages quotes a value: the file may hold secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseProblem {
    /// The format's own grammar is broken; the text says how, without quoting the file.
    #[error("{0}")]
    Syntax(String),
    /// The file has no document at all.
    #[error("the file holds no document")]
    Empty,
    /// The top level is a list or a single value.
    #[error("the top level must be a map of keys to values")]
    NotAMap,
    /// A key occurs twice in one map.
    #[error("the key `{0}` occurs twice in the same map")]
    DuplicateKey(String),
    /// Nested deeper than any honest file.
    #[error("nested deeper than {0} levels")]
    TooDeep(usize),
    /// Aliases that expand to more values than any honest file has.
    #[error("its aliases expand to more than {0} values")]
    AliasBomb(usize),
    /// An alias stands where a key should.
    #[error("an alias is used as a key, which is not supported")]
    AliasKey,
    /// sops reads it in another way, so what is encrypted would not open there; the text says what to do.
    #[error("sops reads this otherwise: {0}")]
    ReadOtherwise(&'static str),
    /// The text is not UTF-8.
    #[error("not valid UTF-8")]
    NotUtf8,
    /// Larger than 4 GiB.
    #[error("larger than 4 GiB")]
    TooLarge,
}
