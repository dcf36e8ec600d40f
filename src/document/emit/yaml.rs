//! Documents as YAML, in the bytes of go-yaml v3 as sops uses it.
//!
//! Block style throughout, lists indented under their key. Where comments stand: those before an entry above it, an
//! inline comment behind its value, those at the end of a map or list below its last entry. How a scalar is spelled is
//! in [`scalar`](crate::document::yaml::scalar).
//! Source: go.yaml.in/yaml/v3 `emitterc.go`; sops `stores/yaml/store.go`. Unlike these, comments at the start of both a
//! list and its first item are all kept, and comments of empty or of whole collections stay at their place.

use zeroize::Zeroizing;

use super::{Indent, key};
use crate::document::node::{Branch, Comment, Item, Node, Scalar};
use crate::document::yaml::scalar::{self, Below, Block, Place};

/// A whole file: documents with `---` between them.
pub(super) fn documents(source: &[u8], branches: &[&Branch], indent: Indent) -> Zeroizing<Vec<u8>> {
    let mut writer = Writer::new(source, indent);
    for (at, branch) in branches.iter().enumerate() {
        if at > 0 {
            writer.end();
            writer.indicator(b"---", false);
            writer.line(0);
        }
        if has_entries(branch) {
            writer.entries(branch, Kind::Map, 0, false);
        } else {
            let comments = comments_of(branch).flat_map(|comment| writer.lines_of(comment)).collect::<Vec<_>>();
            writer.comments(&comments, 0);
            writer.line(0);
            writer.indicator(b"{}", false);
        }
    }
    writer.end();
    writer.out
}

/// One value, with a line break at its end.
pub(super) fn value(source: &[u8], node: &Node, indent: Indent) -> Zeroizing<Vec<u8>> {
    let mut writer = Writer::new(source, indent);
    match node.resolved() {
        Node::List(branch) if has_entries(branch) => writer.entries(branch, Kind::List, 0, false),
        Node::List(_) => writer.indicator(b"[]", false),
        Node::Leaf(leaf) => {
            writer.scalar(&leaf.scalar, Place::Line { flow: false }, None);
        }
        Node::Map(_) | Node::Comment(_) | Node::Alias { .. } => {}
    }
    writer.end();
    writer.out
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Map,
    List,
}

/// Keys up to this many bytes stand on one line with their value.
const SIMPLE_KEY: usize = 128;

struct Writer<'a> {
    source: &'a [u8],
    out: Zeroizing<Vec<u8>>,
    /// Blanks per level.
    step: usize,
    /// Where the current line starts in `out`.
    line_start: usize,
    /// Whether the current line has nothing but blanks and indicators of block collections, so that another can follow.
    fresh: bool,
    /// Whether a blank, or the start of a line, was written last.
    blank: bool,
    /// The indentation of a comment at the end of a collection: what follows at the same one needs a blank line between.
    foot: Option<usize>,
}

impl<'a> Writer<'a> {
    fn new(source: &'a [u8], indent: Indent) -> Self {
        let step = match indent {
            Indent::Default | Indent::Tab | Indent::Blanks(0) => 4,
            Indent::Blanks(count @ 2..=9) => count,
            // go-yaml takes no others.
            Indent::Blanks(_) => 2,
        };
        Self { source, out: Zeroizing::new(Vec::new()), step, line_start: 0, fresh: true, blank: true, foot: None }
    }

    /// The entries of a map or list at `indent`. `hoisted`: its first comments already stand above it.
    fn entries(&mut self, branch: &Branch, kind: Kind, indent: usize, hoisted: bool) {
        let child = match kind {
            Kind::Map => self.step * (indent / self.step + 1),
            Kind::List => indent + 2,
        };
        let (mut above, mut inline) = (Vec::new(), Vec::new());
        let mut is_start = true;
        for item in &branch.items {
            if let Node::Comment(comment) = &item.node {
                match comment.inline {
                    true => inline.extend(self.lines_of(comment)),
                    false if hoisted && is_start => {}
                    false => above.extend(self.lines_of(comment)),
                }
                continue;
            }
            is_start = false;
            let node = item.node.resolved();
            let keep_inline = match node {
                Node::Leaf(leaf) if self.has_lines(&leaf.scalar) => 1,
                Node::Map(branch) | Node::List(branch) if has_entries(branch) => 0,
                _ => usize::MAX,
            };
            above.extend(inline.drain(keep_inline.min(inline.len())..));
            if let Node::Map(branch) | Node::List(branch) = node {
                match has_entries(branch) {
                    true if kind == Kind::List => above.extend(leading(branch).flat_map(|c| self.lines_of(c))),
                    true => {}
                    false => above.extend(comments_of(branch).flat_map(|c| self.lines_of(c))),
                }
            }

            self.comments(&above, indent);
            above.clear();
            self.line(indent);
            match kind {
                Kind::Map => self.key(item, indent, child),
                Kind::List => self.indicator(b"-", true),
            }
            match node {
                Node::Map(branch) if has_entries(branch) => {
                    self.entries(branch, Kind::Map, child, kind == Kind::List);
                }
                Node::List(branch) if has_entries(branch) => {
                    self.entries(branch, Kind::List, child, kind == Kind::List);
                }
                Node::Map(_) => self.indicator(b"{}", false),
                Node::List(_) => self.indicator(b"[]", false),
                Node::Leaf(leaf) => {
                    let place = self.block(indent, child);
                    let in_header = inline.first().filter(|_| keep_inline == 1).cloned();
                    if self.scalar(&leaf.scalar, place, in_header.as_deref()) {
                        inline.clear();
                    }
                }
                Node::Comment(_) | Node::Alias { .. } => {}
            }
            self.inline(&inline, indent);
            inline.clear();
        }
        above.append(&mut inline);
        if !above.is_empty() {
            self.comments(&above, indent);
            self.foot = Some(indent);
        }
    }

    fn key(&mut self, item: &Item, indent: usize, child: usize) {
        let name = key(item, self.source);
        let is_string = item.key.as_ref().is_none_or(|key| key.is_string);
        let is_simple =
            name.len() <= SIMPLE_KEY && std::str::from_utf8(name).is_ok_and(|name| !name.contains(is_break));
        if !is_simple {
            self.indicator(b"?", true);
            let place = self.block(indent, child);
            self.text(name, place, None);
            self.line(indent);
            self.indicator(b":", true);
            return;
        }
        match name {
            b"<<" => self.out.extend_from_slice(b"!!merge <<"),
            _ if !is_string => self.out.extend_from_slice(name),
            _ => scalar::plain_text(&mut self.out, name, Place::Key),
        }
        self.out.push(b':');
        (self.fresh, self.blank) = (false, false);
    }

    fn block(&self, indent: usize, child: usize) -> Place {
        Place::Block(Block { indent: child, digit: child - indent, crlf: false, below: Below::Content })
    }

    /// Whether a value takes more than one line.
    fn has_lines(&self, scalar: &Scalar) -> bool {
        matches!(scalar, Scalar::Str(text) if text.bytes(self.source).contains(&b'\n'))
    }

    /// Writes a value; true if the comment was put into the header of a block.
    fn scalar(&mut self, scalar: &Scalar, place: Place, inline: Option<&str>) -> bool {
        if let Scalar::Str(text) = scalar {
            return self.text(text.bytes(self.source), place, inline);
        }
        self.space();
        scalar::plain(&mut self.out, scalar, self.source, place);
        (self.fresh, self.blank) = (false, false);
        false
    }

    fn text(&mut self, bytes: &[u8], place: Place, inline: Option<&str>) -> bool {
        self.space();
        let start = self.out.len();
        scalar::plain_text(&mut self.out, bytes, place);
        (self.fresh, self.blank) = (false, false);
        let is_block = [&b"|"[..], b"!!binary |"].iter().any(|mark| self.out[start..].starts_with(mark));
        if !is_block {
            return false;
        }
        let header = memchr::memchr(b'\n', &self.out[start..]).map_or(self.out.len(), |at| start + at);
        if let Some(comment) = inline {
            self.out.splice(header..header, format!(" {comment}").into_bytes());
        }
        self.line_start = memchr::memrchr(b'\n', &self.out).map_or(0, |at| at + 1);
        if bytes.ends_with(b"\n") || self.out[start..].starts_with(b"!") {
            self.newline();
            self.blank = true;
        }
        inline.is_some()
    }

    /// Comments on lines of their own.
    fn comments(&mut self, comments: &[String], indent: usize) {
        for comment in comments {
            self.line(indent);
            self.out.extend_from_slice(comment.as_bytes());
            self.newline();
        }
    }

    /// Comments behind a value; all but the first on lines of their own.
    fn inline(&mut self, comments: &[String], indent: usize) {
        let Some((first, rest)) = comments.split_first() else { return };
        self.space();
        self.out.extend_from_slice(first.as_bytes());
        self.newline();
        // At the left margin go-yaml leaves a blank line before the rest.
        self.comments(rest, indent);
        self.blank = true;
    }

    /// The lines of a comment, each with its `#`. What would end the comment early becomes a line break, what no YAML
    /// file may hold U+FFFD.
    fn lines_of(&self, comment: &Comment) -> Vec<String> {
        let text = String::from_utf8_lossy(comment.text.bytes(self.source));
        let clean = |line: &str| line.replace(|c: char| c.is_control() && c != '\t', "\u{fffd}");
        let mut lines = text.split(is_break);
        let first = format!("#{}", clean(lines.next().unwrap_or_default()));
        let rest = lines.filter(|line| !line.is_empty()).map(|line| match line.starts_with('#') {
            true => clean(line),
            false => format!("# {}", clean(line)),
        });
        std::iter::once(first).chain(rest).collect()
    }

    /// Goes to column `indent` of a line that has only indicators before it.
    fn line(&mut self, indent: usize) {
        let column = self.out.len() - self.line_start;
        if !self.fresh || column > indent || (column == indent && !self.blank) {
            self.newline();
        }
        if self.foot.take() == Some(indent) {
            self.newline();
        }
        let end = self.out.len().max(self.line_start + indent);
        self.out.resize(end, b' ');
        self.blank = true;
    }

    fn newline(&mut self) {
        self.out.push(b'\n');
        self.line_start = self.out.len();
        self.fresh = true;
    }

    fn space(&mut self) {
        if !self.blank {
            self.out.push(b' ');
        }
    }

    /// Writes an indicator; `opens`: a collection may start behind it on the same line.
    fn indicator(&mut self, text: &[u8], opens: bool) {
        self.space();
        self.out.extend_from_slice(text);
        self.blank = false;
        self.fresh &= opens;
    }

    /// Ends the last line.
    fn end(&mut self) {
        self.foot = None;
        self.line(0);
    }
}

/// What ends a line for readers of any YAML version.
fn is_break(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn has_entries(branch: &Branch) -> bool {
    branch.items.iter().any(|item| !matches!(item.node, Node::Comment(_)))
}

fn comments_of(branch: &Branch) -> impl Iterator<Item = &Comment> {
    branch.items.iter().filter_map(|item| match &item.node {
        Node::Comment(comment) => Some(comment),
        _ => None,
    })
}

/// The comments before the first entry that stand on lines of their own.
fn leading(branch: &Branch) -> impl Iterator<Item = &Comment> {
    let end = branch.items.iter().position(|item| !matches!(item.node, Node::Comment(_))).unwrap_or(branch.items.len());
    branch.items[..end].iter().filter_map(|item| match &item.node {
        Node::Comment(comment) if !comment.inline => Some(comment),
        _ => None,
    })
}
