//! Secrets in what is no YAML, such as templates of Helm: read line by line, by indentation.
//!
//! Lines with `{{ }}` say nothing. Block scalars are understood; quotes only around whole values; anchors, flow maps and what
//! else YAML has are not: a template that uses them in a Secret is read as far as it goes.

use std::borrow::Cow;
use std::ops::Range;

use super::Rules;
use super::object::Literal;
use super::secret::{self, About, Entry, Map};
use crate::document::{KeyPath, Step};
use crate::scan::Seen;
use crate::scan::decode::Positions;

/// A line with something in it.
struct Line<'b> {
    indent: usize,
    text: &'b [u8],
    /// Where `text` starts in the file.
    at: usize,
}

/// Looks at the documents of a part of a file.
pub fn look(rules: &Rules, bytes: &[u8], span: Range<usize>, seen: &mut Seen<'_>) {
    let mut lines: Vec<Line<'_>> = Vec::new();
    let mut at = span.start;
    let mut start = span.start;
    for line in bytes[span.clone()].split_inclusive(|byte| *byte == b'\n') {
        if line.starts_with(b"---") {
            document(rules, bytes, start..at, &lines, seen);
            lines.clear();
            start = at;
        } else {
            let indent = line.iter().take_while(|byte| **byte == b' ').count();
            lines.push(Line { indent, text: line[indent..].trim_ascii_end(), at: at + indent });
        }
        at += line.len();
    }
    document(rules, bytes, start..span.end, &lines, seen);
}

fn document(rules: &Rules, bytes: &[u8], span: Range<usize>, lines: &[Line<'_>], seen: &mut Seen<'_>) {
    let top = |name: &str| {
        let here =
            |line: &&Line<'_>| line.indent == 0 && key_value(line.text).is_some_and(|(key, _)| key == name.as_bytes());
        lines.iter().find(here).and_then(|line| key_value(line.text)).map(|(_, value)| line_text(value))
    };
    let is_secret = top("kind").is_some_and(|kind| kind == b"Secret");
    if !is_secret {
        return;
    }
    let text = |value: Option<&'_ [u8]>| {
        value.and_then(|value| std::str::from_utf8(value).ok()).unwrap_or_default().to_owned()
    };
    let secret_type = text(top("type"));
    let about = About { secret_type: &secret_type, is_of_argocd: false, name: "Secret".to_owned(), span };
    let mut maps = Vec::new();
    for (name, map) in Map::ALL {
        let Some(number) =
            lines.iter().position(|line| line.indent == 0 && key_value(line.text) == Some((name.as_bytes(), b"")))
        else {
            continue;
        };
        let key_at = lines[number].at..lines[number].at + name.len();
        maps.push((key_at, name.to_owned(), entries(bytes, name, map, &lines[number + 1..])));
    }
    secret::add(rules, &about, maps, seen);
}

/// The entries of a map: lines that are indented, up to one that is not.
fn entries<'b>(bytes: &'b [u8], name: &str, map: Map, lines: &[Line<'b>]) -> Vec<Entry<'b>> {
    let mut entries = Vec::new();
    let is_template = |line: &Line<'_>| memchr::memmem::find(line.text, b"{{").is_some();
    let mut rest = lines.iter().peekable();
    let mut indent = None;
    while let Some(line) = rest.next() {
        if line.text.is_empty() || line.text.starts_with(b"#") || is_template(line) {
            continue;
        }
        if line.indent == 0 || line.indent != *indent.get_or_insert(line.indent) {
            if line.indent == 0 {
                break;
            }
            continue;
        }
        let Some((key, value)) = key_value(line.text) else { continue };
        let Ok(key) = std::str::from_utf8(key) else { continue };
        let key_path = KeyPath(vec![Step::Key(name.to_owned()), Step::Key(key.to_owned())]).to_string();
        let value_at = line.at + line.text.len() - value.len();
        let literal = if value.starts_with(b"|") || value.starts_with(b">") {
            let mut block: Option<Range<usize>> = None;
            let mut is_filled_in = false;
            while let Some(next) = rest.next_if(|next| next.text.is_empty() || next.indent > line.indent) {
                is_filled_in |= is_template(next);
                if !next.text.is_empty() {
                    block = Some(block.map_or(next.at, |block| block.start)..next.at + next.text.len());
                }
            }
            let Some(span) = block.filter(|_| !is_filled_in) else { continue };
            Literal {
                text: Cow::Borrowed(&bytes[span.clone()]),
                positions: Positions::same(span.start),
                span,
                is_as_written: true,
            }
        } else {
            let unquoted = line_text(value);
            let start =
                value_at + usize::from(unquoted.len() < value.len() && matches!(value.first(), Some(b'"' | b'\'')));
            let span = start..start + unquoted.len();
            Literal { text: Cow::Borrowed(unquoted), positions: Positions::same(start), span, is_as_written: true }
        };
        entries.push(Entry { map, key, key_path, literal });
    }
    entries
}

/// Key and value of a line.
fn key_value(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr::memchr(b':', line)?;
    let value = &line[colon + 1..];
    if !(value.is_empty() || value.starts_with(b" ")) {
        return None;
    }
    Some((line_text(&line[..colon]), value.trim_ascii()))
}

/// A value without its quotes, or without the comment behind it.
fn line_text(value: &[u8]) -> &[u8] {
    match value {
        [quote @ (b'"' | b'\''), rest @ ..] => {
            let end = memchr::memchr(*quote, rest).unwrap_or(rest.len());
            &rest[..end]
        }
        value => memchr::memmem::find(value, b" #").map_or(value, |comment| value[..comment].trim_ascii_end()),
    }
}
