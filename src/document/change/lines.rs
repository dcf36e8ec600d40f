//! Changes to dotenv and INI, where a value is a line, and to binary files, where it is the file.

use super::{Entry, Place, What, line_break, line_end, line_start};
use crate::document::node::{Item, Leaf, Node, Span, Style};
use crate::document::{Document, Edits, Format, emit};

/// dotenv: a map of values.
pub(super) fn write_dotenv(document: &Document, place: &Place<'_>, edits: &mut Edits) {
    let source = document.source();
    match (&place.what, place.entries.last()) {
        (What::Replace(Node::Leaf(value)), Some(entry)) => replace(document, entry, value, edits),
        (What::Append(item), _) => {
            let at = document.roots().first().map_or(source.len(), |root| root.attach_at as usize);
            insert(source, at, &line(Format::Dotenv, item, b"="), edits);
        }
        (What::Remove, Some(entry)) => edits.replace(lines_of(source, entry.item()), b""),
        _ => {}
    }
}

/// INI: a map of sections. `None` where a section that is there would be replaced as a whole.
pub(super) fn write_ini(document: &Document, place: &Place<'_>, edits: &mut Edits) -> Option<()> {
    let source = document.source();
    match (&place.what, place.entries.as_slice()) {
        (What::Replace(Node::Leaf(value)), [_, entry]) => replace(document, entry, value, edits),
        (What::Replace(Node::Map(new)), [section]) if section_of(section).items.iter().all(|it| it.key.is_none()) => {
            let text: Vec<u8> = new.items.iter().flat_map(|item| line(Format::Ini, item, b" = ")).collect();
            insert(source, section_of(section).span.end as usize, &text, edits);
        }
        (What::Append(item), [section]) => {
            insert(source, section_of(section).span.end as usize, &line(Format::Ini, item, b" = "), edits);
        }
        (What::Append(Item { key: Some(key), node: Node::Map(section) }), []) => {
            let at = document.roots().first()?.attach_at as usize;
            let mut text = if at > 0 { b"\n".to_vec() } else { Vec::new() };
            text.extend_from_slice(&[b"[", key.text.bytes(b""), b"]\n"].concat());
            text.extend(section.items.iter().flat_map(|item| line(Format::Ini, item, b" = ")));
            insert(source, at, &text, edits);
        }
        (What::Remove, [_, entry]) => edits.replace(lines_of(source, entry.item()), b""),
        (What::Remove, [section]) => edits.replace(section_of(section).span, b""),
        _ => return None,
    }
    Some(())
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

fn section_of<'d>(entry: &Entry<'d>) -> &'d crate::document::Branch {
    match &entry.item().node {
        Node::Map(section) => section,
        _ => entry.branch,
    }
}

/// `name=value` with its line break.
fn line(format: Format, item: &Item, sign: &[u8]) -> Vec<u8> {
    let (Some(key), Node::Leaf(value)) = (&item.key, &item.node) else { return Vec::new() };
    let nowhere = Document::from_branches(format, Vec::new());
    let place = Leaf { scalar: value.scalar.clone(), span: Span::default(), style: Style::Plain };
    let name = key.text.bytes(b"");
    let name = if format == Format::Ini { emit::ini_name(name) } else { name.to_vec() };
    [&name, sign, &nowhere.spell(&place, &value.scalar), b"\n"].concat()
}

/// Puts whole lines in, behind a line break where the line before has none.
fn insert(source: &[u8], at: usize, lines: &[u8], edits: &mut Edits) {
    let line_break = line_break(source);
    let mut text = zeroize::Zeroizing::new(Vec::with_capacity(lines.len() + 2));
    if at > 0 && source[at - 1] != b'\n' {
        text.extend_from_slice(line_break);
    }
    text.extend_from_slice(&super::indented(lines, line_break, b""));
    edits.replace(super::span(at, at), &text);
}

/// The lines that an entry stands on.
fn lines_of(source: &[u8], item: &Item) -> Span {
    let start = item.key.as_ref().map_or(item.node.span().start, |key| key.span.start);
    super::span(line_start(source, start as usize), line_end(source, item.node.span().end as usize))
}
