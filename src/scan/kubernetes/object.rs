//! Manifests with positions: documents, the objects in them, and their values as bytes that are known to stand somewhere.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use zeroize::Zeroizing;

use crate::document::{Branch, Document, Format, Item, KeyPath, Leaf, Node, Scalar, Step, Style, Text};
use crate::scan::decode::{Inner, Positions, codec};

/// A piece of a file of manifests.
pub enum Part {
    /// One that was read.
    Read(Piece),
    /// One that is neither YAML nor JSON.
    Unread(Range<usize>),
}

/// A piece of a file that was read by itself, at its offset.
pub struct Piece {
    pub document: Document,
    pub offset: usize,
}

/// A Kubernetes object, or the top of a file that is none.
pub struct Object<'d> {
    piece: &'d Piece,
    pub branch: &'d Branch,
    /// Empty for what is no object.
    pub kind: &'d str,
    prefix: Vec<Step>,
}

/// A value.
pub struct Literal<'d> {
    /// What it says.
    pub text: Cow<'d, [u8]>,
    /// Where it stands, without quotes and what introduces a block.
    pub span: Range<usize>,
    pub positions: Positions,
    /// Whether the bytes there are the text.
    pub is_as_written: bool,
}

/// Reads a file: as a whole or, where that fails, document by document.
pub fn read(bytes: &[u8]) -> Vec<Part> {
    let format = if bytes.trim_ascii_start().starts_with(b"{") { Format::Json } else { Format::Yaml };
    if let Ok(document) = Document::parse(bytes.to_vec(), format) {
        return vec![Part::Read(Piece { document, offset: 0 })];
    }
    let parts = documents(bytes).map(|span| match Document::parse(bytes[span.clone()].to_vec(), Format::Yaml) {
        Ok(document) => Part::Read(Piece { document, offset: span.start }),
        Err(_) => Part::Unread(span),
    });
    parts.collect()
}

/// The documents of a YAML file, split at lines that start with `---`.
fn documents(bytes: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    std::iter::from_fn(move || {
        if start >= bytes.len() {
            return None;
        }
        let mark = memchr::memmem::find(&bytes[start..], b"\n---").map(|at| start + at + 1);
        let span = start..mark.unwrap_or(bytes.len());
        start = span.end
            + mark.map_or(0, |at| bytes[at..].iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len() - at));
        Some(span)
    })
}

impl Piece {
    /// Calls `each` with every object: of a `List`, its items.
    pub fn objects(&self, mut each: impl FnMut(Object<'_>)) {
        for root in self.document.roots() {
            let top = Object { piece: self, branch: &root.branch, kind: "", prefix: Vec::new() };
            let kind = top.kind_of(&root.branch);
            match top.entry(&root.branch, "items").map(|item| item.node.resolved()) {
                Some(Node::List(items)) if kind.ends_with("List") => {
                    let items = items.items.iter().filter(|item| !matches!(item.node, Node::Comment(_))).enumerate();
                    for (index, item) in items {
                        if let Node::Map(branch) = item.node.resolved() {
                            let prefix = vec![Step::Key("items".into()), Step::Index(index)];
                            each(Object { piece: self, branch, kind: top.kind_of(branch), prefix });
                        }
                    }
                }
                _ => each(Object { kind, ..top }),
            }
        }
    }
}

impl<'d> Object<'d> {
    /// The kind of a map that has an `apiVersion` as well; kubeconfigs and others are often without.
    fn kind_of(&self, branch: &'d Branch) -> &'d str {
        let kind = self.entry(branch, "kind").and_then(|item| self.text(&item.node));
        kind.and_then(|kind| std::str::from_utf8(kind).ok()).unwrap_or_default()
    }

    /// The entry of a map.
    pub fn entry(&self, branch: &'d Branch, name: &str) -> Option<&'d Item> {
        let named =
            |item: &&Item| item.key.as_ref().is_some_and(|key| self.piece.document.text(&key.text) == name.as_bytes());
        branch.items.iter().find(named)
    }

    /// The map of an entry.
    pub fn map(&self, branch: &'d Branch, name: &str) -> Option<&'d Branch> {
        match self.entry(branch, name)?.node.resolved() {
            Node::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The list of an entry: its items without comments.
    pub fn list(&self, branch: &'d Branch, name: &str) -> Vec<&'d Node> {
        match self.entry(branch, name).map(|item| item.node.resolved()) {
            Some(Node::List(list)) => {
                list.items.iter().map(|item| &item.node).filter(|node| !matches!(node, Node::Comment(_))).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The entries of a map with their names.
    pub fn entries(&self, branch: &'d Branch) -> impl Iterator<Item = (&'d str, &'d Item)> {
        branch.items.iter().filter_map(|item| {
            let key = self.piece.document.text(&item.key.as_ref()?.text);
            Some((std::str::from_utf8(key).ok()?, item))
        })
    }

    /// A string.
    pub fn text(&self, node: &'d Node) -> Option<&'d [u8]> {
        match node.resolved() {
            Node::Leaf(Leaf { scalar: Scalar::Str(text), .. }) => Some(self.piece.document.text(text)),
            _ => None,
        }
    }

    /// The string at the end of a way through maps.
    pub fn string(&self, way: &[&str]) -> Option<&'d str> {
        let (last, way) = way.split_last()?;
        let branch = way.iter().try_fold(self.branch, |branch, name| self.map(branch, name))?;
        std::str::from_utf8(self.text(&self.entry(branch, last)?.node)?).ok()
    }

    /// The value at the end of a way through maps, and where its key stands.
    pub fn at(&self, way: &[&str]) -> Option<(Range<usize>, Literal<'d>)> {
        let (last, way) = way.split_last()?;
        let branch = way.iter().try_fold(self.branch, |branch, name| self.map(branch, name))?;
        let item = self.entry(branch, last)?;
        Some((self.key_span(item)?, self.literal(&item.node)?))
    }

    /// Where the key of an entry stands.
    pub fn key_span(&self, item: &Item) -> Option<Range<usize>> {
        let span = item.key.as_ref()?.span.range();
        Some(span.start + self.piece.offset..span.end + self.piece.offset)
    }

    /// Where it stands.
    pub fn span(&self) -> Range<usize> {
        let span = self.branch.span.range();
        span.start + self.piece.offset..span.end + self.piece.offset
    }

    /// A way through its maps as a key path from the top of its document.
    pub fn path(&self, way: &[&str]) -> String {
        self.path_of(way.iter().map(|name| Step::Key((*name).to_owned())))
    }

    /// Steps into it as a key path from the top of its document.
    pub fn path_of(&self, steps: impl IntoIterator<Item = Step>) -> String {
        KeyPath(self.prefix.iter().cloned().chain(steps).collect()).to_string()
    }

    /// A value; none for maps, lists and null.
    pub fn literal(&self, node: &'d Node) -> Option<Literal<'d>> {
        let Node::Leaf(leaf) = node.resolved() else { return None };
        let Piece { document, offset } = self.piece;
        let source = document.source();
        let at = |span: Range<usize>| span.start + offset..span.end + offset;
        let text = match &leaf.scalar {
            Scalar::Null => return None,
            Scalar::Str(Text::Source(span)) => {
                let span = span.range();
                let text = Cow::Borrowed(&source[span.clone()]);
                let positions = Positions::same(span.start + offset);
                return Some(Literal { text, span: at(span), positions, is_as_written: true });
            }
            Scalar::Str(text) => text.bytes(source),
            _ => {
                let span = leaf.span.range();
                let text = Cow::Borrowed(&source[span.clone()]);
                let positions = Positions::same(span.start + offset);
                return Some(Literal { text, span: at(span), positions, is_as_written: true });
            }
        };
        let (span, positions) = spelled(source, leaf, text);
        let positions = moved(positions, *offset);
        Some(Literal { text: Cow::Borrowed(text), span: at(span), positions, is_as_written: false })
    }
}

impl fmt::Display for Object<'_> {
    /// `Secret prod/db`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind)?;
        let name = self.string(&["metadata", "name"]).or_else(|| self.string(&["metadata", "generateName"]));
        match (self.string(&["metadata", "namespace"]), name) {
            (Some(namespace), Some(name)) => write!(f, " {namespace}/{name}"),
            (None, Some(name)) => write!(f, " {name}"),
            (_, None) => Ok(()),
        }
    }
}

impl<'d> Literal<'d> {
    /// A part of it.
    pub fn part(&self, range: Range<usize>) -> Self {
        let span = self.positions.outer(&range, &self.span);
        let positions = self.positions.clone().skip(range.start);
        let text = match &self.text {
            Cow::Borrowed(text) => Cow::Borrowed(&text[range]),
            Cow::Owned(text) => Cow::Owned(text[range].to_vec()),
        };
        Literal { text, span, positions, is_as_written: self.is_as_written }
    }

    /// It as a text inside the text.
    pub fn inner(&self, key_path: Option<String>) -> Inner {
        Inner {
            bytes: Zeroizing::new(self.text.to_vec()),
            span: self.span.clone(),
            positions: self.positions.clone(),
            layers: Vec::new(),
            key_path,
        }
    }
}

/// Where a value that is not spelled as it reads has its content, and which bytes stand for which.
fn spelled(source: &[u8], leaf: &Leaf, text: &[u8]) -> (Range<usize>, Positions) {
    let whole = leaf.span.range();
    let token = &source[whole.clone()];
    match leaf.style {
        Style::Double | Style::DoubleFlow | Style::Single | Style::SingleFlow => {
            let quote = if matches!(leaf.style, Style::Double | Style::DoubleFlow) { b'"' } else { b'\'' };
            // A tag may stand before the quotes.
            let open = memchr::memchr(quote, token).map_or(0, |at| at + 1);
            let close = memchr::memrchr(quote, token).unwrap_or(token.len()).max(open);
            let span = whole.start + open..whole.start + close;
            let (undone, positions) = codec::escapes(source, span.clone());
            (span, if *undone == *text { positions } else { Positions::Whole })
        }
        Style::Literal { indent } => {
            let start = memchr::memchr(b'\n', token).map_or(whole.end, |at| whole.start + at + 1);
            let mut gaps = Vec::new();
            let (mut value_at, mut at) = (0, start);
            for line in source[start..whole.end].split_inclusive(|byte| *byte == b'\n') {
                let blanks = line.iter().take_while(|byte| **byte == b' ').count().min(usize::from(indent));
                let content = &line[blanks..];
                let rest = &text[value_at..];
                let len = content.len().min(rest.len());
                if content[..len] != rest[..len] {
                    return (trimmed(source, start..whole.end), Positions::Whole);
                }
                let gap = at + blanks - start - value_at;
                if gap > gaps.last().map_or(0, |(_, up_to)| *up_to) {
                    gaps.push((value_at, gap));
                }
                value_at += len;
                at += line.len();
            }
            (trimmed(source, start..whole.end), Positions::Digits { bits: 8, start, gaps })
        }
        Style::Folded { .. } => {
            let start = memchr::memchr(b'\n', token).map_or(whole.end, |at| whole.start + at + 1);
            (trimmed(source, start..whole.end), Positions::Whole)
        }
        _ => (trimmed(source, whole), Positions::Whole),
    }
}

fn trimmed(source: &[u8], span: Range<usize>) -> Range<usize> {
    let bytes = &source[span.clone()];
    let start = span.start + (bytes.len() - bytes.trim_ascii_start().len());
    start..start + bytes.trim_ascii().len()
}

fn moved(positions: Positions, offset: usize) -> Positions {
    match positions {
        Positions::Whole => Positions::Whole,
        Positions::Digits { bits, start, gaps } => Positions::Digits { bits, start: start + offset, gaps },
        Positions::Units(starts) => {
            Positions::Units(starts.into_iter().map(|start| start.saturating_add(offset as u32)).collect())
        }
    }
}
