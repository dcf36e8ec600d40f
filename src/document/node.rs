//! The tree of a document: branches, leaves, comments, and the texts and spans they point to.
//!
//! The shape is sops's: a comment is an entry of the map or list that holds it, and stands before the
//! entry it belongs to, also when it was written behind it on the same line.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

/// A range of bytes of the source, end excluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// Behind the last byte.
    pub end: u32,
}

impl Span {
    /// From `start` to `end`; sources are at most 4 GiB, so offsets fit.
    pub fn new(start: usize, end: usize) -> Self {
        debug_assert!(start <= end && end <= u32::MAX as usize);
        Self { start: start as u32, end: end as u32 }
    }

    /// As a range to index the source with.
    pub fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }

    /// Number of bytes.
    pub fn len(self) -> usize {
        (self.end - self.start) as usize
    }

    /// Whether `other` holds all of it and begins before it.
    pub fn is_within(self, other: Self) -> bool {
        other.start < self.start && self.end <= other.end
    }

    /// Whether it covers no byte.
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }
}

/// Bytes of a key, value or comment: a piece of the source where they stand there as they are, else owned.
///
/// Owned bytes are wiped on drop; neither kind is printed.
#[derive(Clone)]
pub enum Text {
    /// These bytes of the source.
    Source(Span),
    /// Bytes that were unescaped, folded, or made.
    Owned(Zeroizing<Box<[u8]>>),
}

impl Text {
    /// A text of its own.
    pub fn owned(bytes: impl Into<Box<[u8]>>) -> Self {
        Self::Owned(Zeroizing::new(bytes.into()))
    }

    /// The bytes, given the source of the document that the text belongs to.
    pub fn bytes<'a>(&'a self, source: &'a [u8]) -> &'a [u8] {
        match self {
            Self::Source(span) => &source[span.range()],
            Self::Owned(bytes) => bytes,
        }
    }

    /// A copy that needs no source.
    pub fn detach(&self, source: &[u8]) -> Self {
        Self::owned(self.bytes(source))
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// A typed value, as sops types it.
#[derive(Debug, Clone)]
pub enum Scalar {
    /// `null`, never encrypted and never part of the MAC.
    Null,
    /// A boolean.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A floating point number.
    Float(f64),
    /// A YAML timestamp, normalised to RFC 3339: `2024-01-02T03:04:05.12+02:00`, `Z` when the offset is zero.
    Time(Box<str>),
    /// A string of any bytes.
    Str(Text),
    /// A value sops cannot hold (an integer from 2^63 to 2^64-1 in YAML); it can be left plain by no selection.
    Unsupported,
}

/// One value in a document.
#[derive(Debug, Clone)]
pub struct Leaf {
    /// The value.
    pub scalar: Scalar,
    /// What [`Document::spell`](super::Document::spell) replaces: the whole token, quotes, block header and any tag included.
    pub span: Span,
    /// How it is written.
    pub style: Style,
}

/// How a value is written; which styles a format uses is the format's own matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// As it is, without quotes.
    Plain,
    /// As it is, inside a flow collection (`[a, b]`), where more characters need quotes.
    PlainFlow,
    /// `'…'`
    Single,
    /// `"…"`
    Double,
    /// `"…"` inside a flow collection, where the value may not be spread over lines.
    DoubleFlow,
    /// `'…'` inside a flow collection.
    SingleFlow,
    /// YAML `|`: content is indented by `indent` columns.
    Literal {
        /// Columns before the content.
        indent: u16,
    },
    /// YAML `>`: content is indented by `indent` columns.
    Folded {
        /// Columns before the content.
        indent: u16,
    },
    /// INI `"""…"""`.
    TripleQuoted,
    /// INI `` `…` ``.
    Backtick,
    /// Made, not read.
    None,
}

/// A comment.
#[derive(Debug, Clone)]
pub struct Comment {
    /// The text behind the marker (`#`, `;`), leading blanks included; in INI without them, and of several lines.
    pub text: Text,
    /// What [`Document::replace_comment`](super::Document::replace_comment) replaces: in all formats but INI the text.
    pub span: Span,
    /// Whether it stands behind a value on the same line.
    pub inline: bool,
    /// Whether sops does not see it, as can be in YAML: a comment selection does not count it among the active comments.
    pub lost: bool,
}

/// A key of a map.
#[derive(Debug, Clone)]
pub struct Key {
    /// Its bytes, unescaped.
    pub text: Text,
    /// The key's token in the source, quotes included.
    pub span: Span,
    /// False where YAML reads it as a number, boolean, null or timestamp: sops encrypts no such map.
    pub is_string: bool,
}

impl Key {
    /// A key that was made.
    pub fn made(text: impl Into<Box<[u8]>>) -> Self {
        Self { text: Text::owned(text), span: Span::default(), is_string: true }
    }
}

/// A map or a list.
#[derive(Debug, Clone, Default)]
pub struct Branch {
    /// Entries and comments in sops's order.
    pub items: Vec<Item>,
    /// From its first to behind its last byte; brackets included when written in flow style.
    pub span: Span,
    /// Whether it is written with brackets.
    pub flow: bool,
}

impl Branch {
    /// What to cut from a flow collection or a JSON value so that the entries marked `gone` are away, commas included.
    pub fn cuts(&self, gone: &[bool]) -> Vec<Span> {
        let start_of = |item: &Item| item.key.as_ref().map_or(item.node.span().start, |key| key.span.start);
        let mut cuts = Vec::new();
        let mut kept_end = None;
        // Where the run of entries that are gone before any kept one begins.
        let mut leading = None;
        for (item, gone) in self.items.iter().zip(gone) {
            let end = item.node.span().end;
            match (gone, kept_end) {
                (true, Some(kept)) => {
                    let start = cuts.last().map_or(kept, |cut: &Span| cut.end.max(kept));
                    cuts.push(Span { start, end });
                }
                (true, None) => {
                    let (start, _) = leading.unwrap_or((start_of(item), end));
                    leading = Some((start, end));
                }
                (false, _) => {
                    if let Some((start, _)) = leading.take() {
                        cuts.push(Span { start, end: start_of(item) });
                    }
                    kept_end = Some(end);
                }
            }
        }
        if let Some((start, end)) = leading {
            cuts.push(Span { start, end });
        }
        cuts
    }
}

/// One entry of a map or a list, or a comment among them.
#[derive(Debug, Clone)]
pub struct Item {
    /// The key; none in lists and for comments.
    pub key: Option<Key>,
    /// What stands there.
    pub node: Node,
}

/// What an entry holds.
#[derive(Debug, Clone)]
pub enum Node {
    /// A value.
    Leaf(Leaf),
    /// A map.
    Map(Branch),
    /// A list.
    List(Branch),
    /// A comment; it has no key.
    Comment(Comment),
    /// A YAML alias: stands for a copy of what its anchor names.
    Alias {
        /// The span of `*name`.
        span: Span,
        /// What the anchor names. Its spans are those of the anchored node, elsewhere in the source.
        target: Arc<Node>,
    },
}

impl Node {
    /// The node that counts: an alias's target (through several aliases), else itself.
    pub fn resolved(&self) -> &Node {
        let mut node = self;
        while let Node::Alias { target, .. } = node {
            node = target;
        }
        node
    }

    /// The bytes it covers.
    pub fn span(&self) -> Span {
        match self {
            Node::Leaf(leaf) => leaf.span,
            Node::Map(branch) | Node::List(branch) => branch.span,
            Node::Comment(comment) => comment.span,
            Node::Alias { span, .. } => *span,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Edits;

    #[test]
    fn cutting_entries_takes_their_commas_along() {
        let source = "[a, b, c, d]";
        let leaf = |start| {
            let span = Span::new(start, start + 1);
            Item { key: None, node: Node::Leaf(Leaf { scalar: Scalar::Null, span, style: Style::PlainFlow }) }
        };
        let branch = Branch { items: [1, 4, 7, 10].map(leaf).to_vec(), span: Span::new(0, 12), flow: true };
        for (gone, left) in [
            ([true, false, false, false], "[b, c, d]"),
            ([false, true, true, false], "[a, d]"),
            ([true, true, false, true], "[c]"),
            ([false, false, false, true], "[a, b, c]"),
            ([true; 4], "[]"),
        ] {
            let mut edits = Edits::new();
            for cut in branch.cuts(&gone) {
                edits.replace(cut, b"");
            }
            assert_eq!(&*edits.apply(source.as_bytes()), left.as_bytes());
        }
    }
}
