//! Changes to dotenv and INI, where a value is a line, and to binary files, where it is the file.

use super::{Entry, Place, What};
use crate::document::node::{Branch, Item, Leaf, Node, Span, Style};
use crate::document::{Document, Edits, Format, emit, line};

/// dotenv: a map of values.
pub(super) fn write_dotenv(document: &Document, place: &Place<'_>, edits: &mut Edits) {
    let source = document.source();
    match (&place.what, place.entries.last()) {
        (What::Replace(Node::Leaf(value)), Some(entry)) => replace(document, entry, value, edits),
        (What::Append(item), _) => {
            let at = document.roots().first().map_or(source.len(), |root| root.attach_at as usize);
            insert(source, at, &entry(document, item), edits);
        }
        (What::Remove, Some(entry)) => edits.replace(lines_of(source, entry.item()), b""),
        _ => {}
    }
}

/// INI: a map of sections.
pub(super) fn write_ini(document: &Document, place: &Place<'_>, edits: &mut Edits) {
    let source = document.source();
    match (&place.what, place.entries.as_slice()) {
        (What::Replace(Node::Leaf(value)), [_, entry]) => replace(document, entry, value, edits),
        (What::Replace(Node::Map(new)), [section]) => {
            let old = section_of(section);
            for item in super::values(old) {
                edits.replace(lines_of(source, item), b"");
            }
            insert(source, old.span.end as usize, &lines(document, new), edits);
        }
        (What::Append(item), [section]) => {
            insert(source, section_of(section).span.end as usize, &entry(document, item), edits);
        }
        (What::Append(Item { key: Some(key), node: Node::Map(section) }), []) => {
            let at = document.roots().first().map_or(source.len(), |root| root.attach_at as usize);
            let line_break = line::break_of(source).as_bytes();
            let empty_line = if at > 0 { line_break } else { b"" };
            let header = [empty_line, b"[", key.text.bytes(b""), b"]", line_break].concat();
            insert(source, at, &[&header[..], &lines(document, section)].concat(), edits);
        }
        (What::Remove, [_, entry]) => edits.replace(lines_of(source, entry.item()), b""),
        (What::Remove, [section]) => edits.replace(section_of(section).span, b""),
        _ => {}
    }
}

/// Binary: the one value is the file.
pub(super) fn write_binary(document: &Document, place: &Place<'_>, edits: &mut Edits) {
    if let (What::Replace(Node::Leaf(value)), Some(entry)) = (&place.what, place.entries.last()) {
        replace(document, entry, value, edits);
    }
}

fn replace(document: &Document, entry: &Entry<'_>, value: &Leaf, edits: &mut Edits) {
    if let Node::Leaf(old) = &entry.item().node {
        edits.replace(old.span, &document.spell(old, &value.scalar));
    }
}

fn section_of<'d>(entry: &Entry<'d>) -> &'d Branch {
    match &entry.item().node {
        Node::Map(section) => section,
        _ => entry.branch,
    }
}

/// A line for each entry.
fn lines(document: &Document, branch: &Branch) -> Vec<u8> {
    branch.items.iter().flat_map(|item| entry(document, item)).collect()
}

/// `name=value` with its line break.
fn entry(document: &Document, item: &Item) -> Vec<u8> {
    let (Some(key), Node::Leaf(value)) = (&item.key, &item.node) else { return Vec::new() };
    let nowhere = Document::from_branches(document.format(), Vec::new());
    let place = Leaf { scalar: value.scalar.clone(), span: Span::default(), style: Style::Plain };
    let (name, value) = (key.text.bytes(b""), nowhere.spell(&place, &value.scalar));
    match document.format() {
        Format::Ini => {
            [&emit::ini_name(name), &b" = "[..], &value, line::break_of(document.source()).as_bytes()].concat()
        }
        _ => [name, b"=", &value, b"\n"].concat(),
    }
}

/// Puts whole lines in, behind a line break where the line before has none.
fn insert(source: &[u8], at: usize, lines: &[u8], edits: &mut Edits) {
    if at > 0 && source[at - 1] != b'\n' && !lines.is_empty() {
        edits.replace(super::span(at, at), b"\n");
    }
    edits.replace(super::span(at, at), lines);
}

/// The lines that an entry stands on.
fn lines_of(source: &[u8], item: &Item) -> Span {
    let start = item.key.as_ref().map_or(item.node.span().start, |key| key.span.start);
    super::span(line::start(source, start as usize), line::end(source, item.node.span().end as usize))
}
