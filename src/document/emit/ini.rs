//! Documents as INI files, in the bytes of ini.v1.
//!
//! A comment belongs to the key before it in the tree, and is written above that key; ini.v1 reads it so.

use zeroize::Zeroizing;

use super::{EmitError, cannot_hold, key, shown, untyped};
use crate::document::Format;
use crate::document::node::{Branch, Node};

/// A map of maps of values; several documents are put together.
pub(super) fn document(source: &[u8], branches: &[&Branch]) -> Result<Zeroizing<Vec<u8>>, EmitError> {
    let mut out = Zeroizing::new(Vec::new());
    let mut is_first = true;
    for item in branches.iter().flat_map(|branch| &branch.items) {
        let name = key(item, source);
        match item.node.resolved() {
            // INI has no place for it; sops drops it as well.
            Node::Comment(_) => {}
            Node::Map(section) => {
                if name.is_empty() || name.iter().any(|b| matches!(b, b'\n' | b'\r' | b']')) {
                    return Err(cannot_hold(Format::Ini, format!("a section named {}", shown(name))));
                }
                // Only the very first section can go without a header.
                let header = !is_first || !name.eq_ignore_ascii_case(b"DEFAULT");
                if !is_first && !out.is_empty() {
                    out.push(b'\n');
                }
                write_section(&mut out, source, name, section, header)?;
                is_first = false;
            }
            _ => return Err(cannot_hold(Format::Ini, format!("the value {} outside of a section", shown(name)))),
        }
    }
    Ok(out)
}

fn write_section(
    out: &mut Vec<u8>,
    source: &[u8],
    name: &[u8],
    section: &Branch,
    header: bool,
) -> Result<(), EmitError> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut about_section = Vec::new();
    for item in &section.items {
        let name = key(item, source);
        match item.node.resolved() {
            Node::Comment(comment) => {
                let comments = entries.last_mut().map_or(&mut about_section, |entry| &mut entry.comments);
                let text = comment.text.bytes(source);
                // One behind a value is also the last line of those above it, where there are any.
                if !(comment.inline && comments.last().is_some_and(|above| is_last_line(above, text))) {
                    comments.push(text);
                }
            }
            Node::Leaf(leaf) => {
                if name.is_empty() || name.iter().any(|b| matches!(b, b'\n' | b'\r')) {
                    return Err(cannot_hold(Format::Ini, format!("a key named {}", shown(name))));
                }
                let value = untyped(&leaf.scalar, source);
                entries.push(Entry { name: quoted_name(name), value, comments: Vec::new() });
            }
            _ => return Err(cannot_hold(Format::Ini, format!("the map or list {} inside of a section", shown(name)))),
        }
    }

    write_comments(out, &about_section, |line| line);
    if header {
        out.push(b'[');
        out.extend_from_slice(name);
        out.extend_from_slice(b"]\n");
    }
    let width = entries.iter().map(|entry| entry.name.len()).max().unwrap_or(0);
    for entry in &entries {
        write_comments(out, &entry.comments, <[u8]>::trim_ascii);
        out.extend_from_slice(&entry.name);
        out.resize(out.len() + width - entry.name.len(), b' ');
        out.extend_from_slice(b" = ");
        let quote = quote_of(&entry.value);
        out.extend_from_slice(quote);
        out.extend_from_slice(&entry.value);
        out.extend_from_slice(quote);
        out.push(b'\n');
    }
    Ok(())
}

/// Whether `text` is the last of several lines, behind its marker.
fn is_last_line(lines: &[u8], text: &[u8]) -> bool {
    let last = memchr::memrchr(b'\n', lines).map(|end| &lines[end + 1..]);
    let behind_marker = |line: &[u8]| {
        let marker = line.iter().take_while(|byte| matches!(byte, b'#' | b';' | b' ' | b'\t')).count();
        line[marker..].trim_ascii() == text.trim_ascii()
    };
    last.is_some_and(behind_marker)
}

struct Entry<'a> {
    name: Vec<u8>,
    value: std::borrow::Cow<'a, [u8]>,
    comments: Vec<&'a [u8]>,
}

pub(super) fn quoted_name(name: &[u8]) -> Vec<u8> {
    let quote: &[u8] = if name.iter().any(|b| matches!(b, b'"' | b'=' | b':')) {
        b"`"
    } else if name.contains(&b'`') {
        b"\"\"\""
    } else {
        b""
    };
    [quote, name, quote].concat()
}

fn quote_of(value: &[u8]) -> &'static [u8] {
    let trimmed = std::str::from_utf8(value).map_or(value.trim_ascii().len(), |text| text.trim().len());
    if value.iter().any(|b| matches!(b, b'\n' | b'`')) {
        b"\"\"\""
    } else if value.iter().any(|b| matches!(b, b'#' | b';')) {
        b"`"
    } else if trimmed != value.len() {
        b"\""
    } else {
        b""
    }
}

fn write_comments(out: &mut Vec<u8>, comments: &[&[u8]], tidy: fn(&[u8]) -> &[u8]) {
    for line in comments.iter().flat_map(|comment| comment.split(|b| *b == b'\n')) {
        match line {
            [marker @ (b'#' | b';'), text @ ..] => {
                out.extend_from_slice(&[*marker, b' ']);
                out.extend_from_slice(text.trim_ascii());
            }
            _ => {
                out.extend_from_slice(b"; ");
                out.extend_from_slice(tidy(line));
            }
        }
        out.push(b'\n');
    }
}
