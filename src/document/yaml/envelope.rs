//! The envelope of a YAML document: its entry `sops` at the top, found and written as sops writes it.

use serde_json::{Map, Value};

use super::spell;
use crate::document::Root;
use crate::document::attachment::{self, Attachment, AttachmentStyle};
use crate::document::edit::Edits;
use crate::document::line;
use crate::document::node::{Branch, Item, Leaf, Node, Scalar, Span, Style, Text};
use crate::document::number::float_plain;

/// Blanks per level that sops uses.
const SOPS_INDENT: usize = 4;

/// Splits the entry `sops` off from the top of a document.
pub(super) fn detach(source: &str, root: &mut Root) {
    let bytes = source.as_bytes();
    let is_envelope =
        |item: &Item| item.key.as_ref().is_some_and(|k| k.text.bytes(bytes) == attachment::NAME.as_bytes());
    let Some(index) = root.branch.items.iter().position(is_envelope) else { return };
    let before = index.checked_sub(1).map(|i| root.branch.items[i].node.span().end);
    let after = root.branch.items.get(index + 1).and_then(|next| next.key.as_ref()).map(|key| key.span.start);
    let item = root.branch.items.remove(index);
    let key = item.key.as_ref().expect("it was found by its key");
    let end = item.node.span().end.max(key.span.end);

    let cut = if root.branch.flow {
        match (before, after) {
            (Some(before), _) => {
                let gap = &bytes[before as usize..key.span.start as usize];
                match (is_only_comma(gap), gap.ends_with(b", ")) {
                    (true, _) => Span { start: before, end },
                    (false, true) => Span { start: key.span.start - 2, end },
                    (false, false) => Span { start: key.span.start, end },
                }
            }
            (None, Some(after)) => Span { start: key.span.start, end: after },
            (None, None) => Span { start: key.span.start, end },
        }
    } else {
        Span::new(line::start(bytes, key.span.start as usize), line::end(bytes, end as usize))
    };
    let indent = match &item.node {
        Node::Map(inner) if !inner.flow => {
            let column = line::column(bytes, inner.span.start as usize);
            column.checked_sub(line::column(bytes, key.span.start as usize)).filter(|indent| *indent > 0)
        }
        _ => None,
    };
    let value = match to_json(bytes, &item.node) {
        Value::Object(map) => Some(map),
        _ => None,
    };
    root.attachment = Some(Attachment { value, cuts: vec![cut], style: AttachmentStyle { indent, compact: false } });
    if !root.branch.flow {
        if index == 0 {
            root.branch.span.start = after.unwrap_or(root.branch.span.start);
        }
        let last_end = root.branch.items.last().map_or(root.branch.span.start, |last| last.node.span().end);
        root.branch.span.end = last_end.max(root.branch.span.start);
    }
}

/// Edits that write `value` as entry `sops` at the end of every document.
pub(in crate::document) fn attach(source: &[u8], roots: &[Root], value: &Value, style: &AttachmentStyle) -> Edits {
    let mut edits = Edits::new();
    let line_break = line::break_of(source);
    let Value::Object(map) = value else { return edits };
    for root in roots {
        if root.branch.flow {
            let (at, comma) = place_in_flow(source, &root.branch);
            let text = format!("{comma}\"{}\": {}", attachment::NAME, inline(value));
            edits.replace(Span { start: at, end: at }, text.as_bytes());
            continue;
        }
        let unit = style.indent.or_else(|| indent_of(source, &root.branch)).unwrap_or(SOPS_INDENT);
        let at = root.attach_at as usize;
        let mut text = opening(source, root);
        let writer = Writer { unit, margin: margin(source, &root.branch), line_break };
        writer.map(&mut text, map, writer.next(0), false);
        text.push_str(line_break);
        // A document that says `null` in so many words has an empty map; the word must go.
        if is_empty(&root.branch) && !root.branch.span.is_empty() {
            edits.replace(root.branch.span, b"");
        }
        edits.replace(Span::new(at, at), text.as_bytes());
    }
    edits
}

/// Where an entry is added to a map in flow style, and what goes before it.
///
/// It comes behind all comments, so that each stays where it is, and behind the `:` of a value that is missing.
pub(super) fn place_in_flow(source: &[u8], branch: &Branch) -> (u32, &'static str) {
    let Some(last) = branch.items.iter().rfind(|item| !matches!(item.node, Node::Comment(_))) else {
        return (branch.span.start + 1, "");
    };
    let last = last.node.span().end.max(last.key.as_ref().map_or(0, |key| key.span.end));
    let close = branch.span.end - 1;
    let gap = &source[last as usize..close as usize];
    if is_only_comma(gap) {
        return (last, ", ");
    }
    let (above, behind) = gap.split_at(memchr::memrchr(b'#', gap).map_or(0, |hash| line::end(gap, hash)));
    // A comma and a blank directly before the entry would be taken for its own.
    if let Some(comma) = memchr::memchr(b',', behind) {
        return (last + (above.len() + comma) as u32 + 1, "");
    }
    let has_comma = |line: &[u8]| line.iter().take_while(|b| **b != b'#').any(|b| *b == b',');
    (close, if above.split(|b| *b == b'\n').any(has_comma) { "" } else { ", " })
}

/// Whether there is nothing but blanks and perhaps a comma between an entry and what follows.
fn is_only_comma(gap: &[u8]) -> bool {
    gap.iter().all(|b| b.is_ascii_whitespace() || *b == b',')
}

/// How the entry begins at the end of a block document: a line break where none is there, and its name below the first key.
pub(super) fn opening(source: &[u8], root: &Root) -> String {
    let at = root.attach_at as usize;
    let break_before = if at > 0 && source[at - 1] != b'\n' { line::break_of(source) } else { "" };
    format!("{break_before}{}{}:", " ".repeat(margin(source, &root.branch)), attachment::NAME)
}

/// Columns before the top-level keys. The span begins where the first entry does, also where that is a `?`, an anchor or a tag.
fn margin(source: &[u8], branch: &Branch) -> usize {
    if is_empty(branch) { 0 } else { line::column(source, branch.span.start as usize) }
}

fn is_empty(branch: &Branch) -> bool {
    branch.items.iter().all(|item| matches!(item.node, Node::Comment(_)))
}

/// Columns by which the first nested block map of a document is indented.
fn indent_of(source: &[u8], branch: &Branch) -> Option<usize> {
    branch.items.iter().find_map(|item| match (&item.key, &item.node) {
        (Some(key), Node::Map(inner)) if !inner.flow && !inner.items.is_empty() => {
            let first = inner.items.iter().find_map(|item| item.key.as_ref())?;
            line::column(source, first.span.start as usize)
                .checked_sub(line::column(source, key.span.start as usize))
                .filter(|indent| (2..=9).contains(indent))
        }
        _ => None,
    })
}

struct Writer<'a> {
    unit: usize,
    /// Columns before the document's top-level keys.
    margin: usize,
    line_break: &'a str,
}

impl Writer<'_> {
    /// The next multiple of the unit behind `column`: go-yaml's indentation.
    fn next(&self, column: usize) -> usize {
        self.unit * ((column + self.unit) / self.unit)
    }

    fn line(&self, out: &mut String, column: usize) {
        out.push_str(self.line_break);
        out.extend(std::iter::repeat_n(' ', self.margin + column));
    }

    /// `key: value` lines at `column`; the first goes on the current line where `inline_first`.
    fn map(&self, out: &mut String, map: &Map<String, Value>, column: usize, inline_first: bool) {
        if map.is_empty() {
            out.push_str(" {}");
        }
        for (index, (key, value)) in map.iter().enumerate() {
            if index > 0 || !inline_first {
                self.line(out, column);
            }
            out.push_str(&scalar(key));
            out.push(':');
            self.value(out, value, column);
        }
    }

    /// What stands behind `key:` at `column`.
    fn value(&self, out: &mut String, value: &Value, column: usize) {
        match value {
            Value::Object(map) => self.map(out, map, self.next(column), false),
            Value::Array(list) if list.is_empty() => out.push_str(" []"),
            Value::Array(list) => {
                let dash = self.next(column);
                for item in list {
                    self.line(out, dash);
                    out.push_str("- ");
                    match item {
                        Value::Object(map) if !map.is_empty() => self.map(out, map, dash + 2, true),
                        other => out.push_str(&inline(other)),
                    }
                }
            }
            Value::String(text) if text.contains('\n') && literal_holds(text) => {
                out.push_str(if text.ends_with('\n') { " |" } else { " |-" });
                for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
                    if line.is_empty() {
                        out.push_str(self.line_break);
                    } else {
                        self.line(out, self.next(column));
                        out.push_str(line);
                    }
                }
            }
            Value::String(text) => {
                out.push(' ');
                out.push_str(&scalar(text));
            }
            other => {
                out.push(' ');
                out.push_str(&other.to_string());
            }
        }
    }
}

/// Whether `|` or `|-` can hold a text of several lines as it is.
fn literal_holds(text: &str) -> bool {
    !text.starts_with(char::is_whitespace)
        && !text.ends_with("\n\n")
        && text.chars().all(|c| c == '\n' || (!c.is_control() && c != '\u{feff}'))
}

/// A string on one line, quoted where go-yaml quotes.
fn scalar(text: &str) -> String {
    if text.contains('\n') {
        return inline(&Value::String(text.to_owned()));
    }
    let leaf = Leaf { scalar: Scalar::Null, span: Span::default(), style: Style::None };
    let spelled = spell(b"", &leaf, &Scalar::Str(Text::owned(text.as_bytes())));
    String::from_utf8_lossy(&spelled).into_owned()
}

/// A value in flow style on one line; JSON with a blank after each colon and comma.
fn inline(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let members: Vec<_> =
                map.iter().map(|(key, value)| format!("{}: {}", Value::String(key.clone()), inline(value))).collect();
            format!("{{{}}}", members.join(", "))
        }
        Value::Array(list) => format!("[{}]", list.iter().map(inline).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

/// A node as JSON; timestamps and what JSON cannot hold become text.
fn to_json(source: &[u8], node: &Node) -> Value {
    match node.resolved() {
        Node::Leaf(leaf) => match &leaf.scalar {
            Scalar::Null | Scalar::Unsupported => Value::Null,
            Scalar::Bool(value) => Value::Bool(*value),
            Scalar::Int(value) => Value::from(*value),
            Scalar::Float(value) => {
                serde_json::Number::from_f64(*value).map_or_else(|| Value::String(float_plain(*value)), Value::Number)
            }
            Scalar::Time(text) => Value::String(text.to_string()),
            Scalar::Str(text) => Value::String(String::from_utf8_lossy(text.bytes(source)).into_owned()),
        },
        Node::Map(branch) => Value::Object(
            branch
                .items
                .iter()
                .filter_map(|item| {
                    let key = String::from_utf8_lossy(item.key.as_ref()?.text.bytes(source)).into_owned();
                    Some((key, to_json(source, &item.node)))
                })
                .collect(),
        ),
        Node::List(branch) => Value::Array(branch.items.iter().map(|item| to_json(source, &item.node)).collect()),
        Node::Comment(_) | Node::Alias { .. } => Value::Null,
    }
}
