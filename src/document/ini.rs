//! INI in the dialect of Go's ini.v1, which decides what sops sees.
//!
//! Sections in order, also several of one name; keys before the first belong to `DEFAULT`, which is always there.
//! `=` or `:` ends a key, `#` and `;` start a comment anywhere in a value without quotes, a backslash at the end of
//! such a value continues it on the next line, `` `…` `` and `"""…"""` may span lines, `"…"` and `'…'` are taken off.
//! All values are strings.
//!
//! sops has one comment for each section and key: the lines above it and what stands behind it on its line, in one
//! text, without the first marker. That text is what the [`Comment`] over the lines above holds. Where there is a
//! comment both above and behind, the one behind follows as a second [`Comment`] of its own, so that it is encrypted
//! where it stands; sops reads past its ciphertext. A ciphertext has a `]`, which behind a section header would be taken
//! for the end of the name, so there it goes on a line of its own above, and a `^` keeps its place:
//!
//! ```ini
//! ;ENC[…]
//! [section] ; ^
//! ```
//!
//! Comments that belong to nothing (at the end of the file, or above
//! the attachment) sops does not see at all; here they are the last entries of the section before.
//!
//! A key given twice in one section is an error: sops would keep its last value and lose the others.

use std::collections::HashSet;
use std::ops::Range;

use zeroize::Zeroizing;

use super::attachment::{self, Attachment, AttachmentStyle};
use super::dotenv::{escape_line_breaks, text_of};
use super::edit::Edits;
use super::node::{Branch, Comment, Item, Key, Leaf, Node, Scalar, Span, Style, Text};
use super::{Format, ParseError, ParseProblem, Root};

const DEFAULT_SECTION: &[u8] = b"DEFAULT";

/// Reads the sections.
///
/// The attachment is the section `sops`. Its cut starts with the empty line before it, if there is one, and ends with
/// the line of its last key.
pub(super) fn parse(source: &[u8]) -> Result<Vec<Root>, ParseError> {
    let mut reader = Reader { source, at: byte_order_mark(source) };
    let mut sections = vec![Section::new(Key::made(DEFAULT_SECTION), reader.at)];
    // The last one that is not the attachment.
    let mut last_kept = 0;
    let mut above = Vec::new();
    while let Some(line) = reader.next_line() {
        let start = line.start + blanks_before(&source[line.clone()]);
        match source[start..line.end].first() {
            None => {}
            Some(b'#' | b';') => above.push(Span::new(start, line.end)),
            Some(b'[') => {
                let mut section = Section::new(reader.section_name(start..line.end)?, line.start);
                section.end = line.end;
                let close = section.name.span.end as usize + 1;
                let mut behind = comment_in(source, close..line.end).map(|span| header_comment(source, close, span));
                if let Some(moved) = moved_comment(source, &above, line.start, behind.as_ref()) {
                    above.pop();
                    behind = Some(moved);
                }
                if section.is_ours(source) {
                    sections[last_kept].items.extend(comments(source, &mut above, None));
                } else {
                    section.items.extend(comments(source, &mut above, behind));
                    last_kept = sections.len();
                }
                sections.push(section);
            }
            Some(_) => {
                let section = sections.last_mut().expect("there is the default section");
                let (mut key, value_at) = reader.key(start..line.end)?;
                if key.text.bytes(source) == b"-" {
                    section.unnamed += 1;
                    key.text = Text::owned(format!("#{}", section.unnamed).into_bytes());
                }
                if !section.names.insert(key.text.bytes(source).into()) {
                    let name = String::from_utf8_lossy(key.text.bytes(source)).into_owned();
                    return Err(ParseError::at(Format::Ini, ParseProblem::DuplicateKey(name), source, start));
                }
                let value = reader.value(value_at..line.end)?;
                let behind = value.behind.map(|span| Behind { marked: span, span: behind_marker(source, span) });
                section.end = reader.at;
                section.items.push(Item { key: Some(key), node: Node::Leaf(value.leaf) });
                section.items.extend(comments(source, &mut above, behind));
            }
        }
    }
    sections[last_kept].items.extend(comments(source, &mut above, None));
    Ok(vec![root(source, sections)])
}

fn byte_order_mark(source: &[u8]) -> usize {
    match source {
        [0xfe, 0xff, ..] | [0xff, 0xfe, ..] => 2,
        [0xef, 0xbb, 0xbf, ..] => 3,
        _ => 0,
    }
}

struct Section {
    name: Key,
    items: Vec<Item>,
    names: HashSet<Box<[u8]>>,
    /// How many keys are written `-`; they are named `#1`, `#2` …
    unnamed: usize,
    start: usize,
    /// Behind the last line of its header or a key.
    end: usize,
}

impl Section {
    fn new(name: Key, start: usize) -> Self {
        Self { name, items: Vec::new(), names: HashSet::new(), unnamed: 0, start, end: start }
    }

    fn is_ours(&self, source: &[u8]) -> bool {
        self.name.text.bytes(source) == attachment::NAME.as_bytes()
    }
}

/// Splits the sections named `sops` off.
fn root(source: &[u8], sections: Vec<Section>) -> Root {
    let (ours, kept): (Vec<_>, Vec<_>) = sections.into_iter().partition(|section| section.is_ours(source));
    let cuts: Vec<_> = ours.iter().map(|it| Span::new(before_empty_line(source, it.start), it.end)).collect();
    let end = Span::new(0, source.len()).end;
    let attach_at = cuts.iter().rev().fold(end, |at, cut| if cut.end == at { cut.start } else { at });
    let value = match &ours[..] {
        [section] => attachment::unflatten(section.items.iter().filter_map(|item| flattened(source, item))).ok(),
        _ => None,
    };
    let attachment = (!ours.is_empty()).then(|| Attachment { value, cuts, style: AttachmentStyle::default() });
    let items = kept.into_iter().map(|section| {
        let branch = Branch { items: section.items, span: Span::new(section.start, section.end), flow: false };
        Item { key: Some(section.name), node: Node::Map(branch) }
    });
    let branch = Branch { items: items.collect(), span: Span { start: 0, end: attach_at }, flow: false };
    Root { branch, attachment, attach_at }
}

/// The start of the line before the one at `line`, if that is empty, else `line`.
fn before_empty_line(source: &[u8], line: usize) -> usize {
    match &source[..line] {
        [.., b'\n', b'\n'] => line - 1,
        [.., b'\n', b'\r', b'\n'] => line - 2,
        _ => line,
    }
}

/// A key of the attachment with its value. sops 3.13.0 wrote line breaks as they are, others write `\n`.
fn flattened(source: &[u8], item: &Item) -> Option<(String, String)> {
    let lossy = |text: &Text| String::from_utf8_lossy(text.bytes(source)).into_owned();
    match &item.node {
        Node::Leaf(Leaf { scalar: Scalar::Str(value), .. }) => {
            Some((lossy(&item.key.as_ref()?.text), lossy(value).replace("\\n", "\n")))
        }
        _ => None,
    }
}

/// A comment behind a key's value or a section header.
struct Behind {
    /// From its marker on.
    marked: Span,
    /// What [`replace_comment`] is told. Behind a value, its text; behind a header, all that follows the bracket; of
    /// one that was moved above its header, from its text to the `^`.
    span: Span,
}

fn header_comment(source: &[u8], close: usize, marked: Span) -> Behind {
    debug_assert_eq!(source[close - 1], b']');
    Behind { marked, span: Span { start: close as u32, end: marked.end } }
}

/// The ciphertext of a header's comment, if it stands in the line above.
fn moved_comment(source: &[u8], above: &[Span], header: usize, behind: Option<&Behind>) -> Option<Behind> {
    let line = above.last().filter(|line| line.end as usize == header)?;
    let place = behind_marker(source, behind?.marked);
    let is_moved = source[line.range()].starts_with(b";ENC[") && &source[place.range()] == b"^";
    is_moved.then(|| Behind {
        marked: trimmed_end(source, line.range()),
        span: Span { start: line.start + 1, end: place.end },
    })
}

/// Puts `text` in the place of a comment's.
///
/// Each of its lines is a comment, behind a marker of its own where it brings none. A ciphertext behind a header is
/// moved above it, and back when it is decrypted.
pub(super) fn replace_comment(source: &[u8], comment: &Comment, text: &[u8]) -> Edits {
    let mut edits = Edits::new();
    let span = comment.span;
    let mut lines = Zeroizing::new(Vec::with_capacity(text.len()));
    for (at, line) in text.split(|&byte| byte == b'\n').enumerate() {
        let is_marked = at == 0 || matches!(line.first(), Some(b'#' | b';'));
        lines.extend_from_slice(if at > 0 { b"\n" } else { b"" });
        lines.extend_from_slice(if is_marked { b"" } else { b"; " });
        lines.extend_from_slice(line);
    }
    let old = &source[span.range()];
    if let Some(end) = memchr::memchr(b'\n', old).filter(|_| comment.inline) {
        let end = span.start as usize + end;
        if lines.contains(&b']') {
            edits.replace(trimmed_end(source, span.start as usize..end), &lines);
        } else {
            edits.replace(Span::new(span.start as usize - 1, end + 1), b"");
            edits.replace(Span { start: span.end - 1, end: span.end }, &lines);
        }
    } else if comment.inline && source[..span.start as usize].ends_with(b"]") {
        let text_span = comment_in(source, span.range()).map_or(span, |marked| behind_marker(source, marked));
        if lines.contains(&b']') {
            let header = memchr::memrchr(b'\n', &source[..span.start as usize]).map_or(0, |end| end + 1);
            let header = header.max(byte_order_mark(source));
            let rest = &source[span.end as usize..];
            let is_crlf = memchr::memchr(b'\n', rest).is_some_and(|end| rest[..end].ends_with(b"\r"));
            let line_break: &[u8] = if is_crlf { b"\r\n" } else { b"\n" };
            edits.replace(Span::new(header, header), &Zeroizing::new([b";", &lines[..], line_break].concat()));
            edits.replace(text_span, b"^");
        } else {
            edits.replace(text_span, &lines);
        }
    } else {
        edits.replace(span, &lines);
    }
    edits
}

/// The comments of one key or section: of the lines above it, which are taken, and of what stands behind it.
///
/// Spans of lines above start with the marker and go to the line's end, line break included.
fn comments(source: &[u8], above: &mut Vec<Span>, behind: Option<Behind>) -> Vec<Item> {
    let lines = std::mem::take(above);
    let comment = |text: Text, span: Span, inline: bool| Item {
        key: None,
        node: Node::Comment(Comment { text, span, inline, lost: false }),
    };
    let block = lines.first().zip(lines.last()).map(|(first, last)| {
        let whole = trimmed_end(source, first.start as usize..last.end as usize);
        let span = behind_marker(source, whole);
        if lines.len() == 1 && behind.is_none() {
            return comment(Text::Source(span), span, false);
        }
        // Indentation and empty lines between the lines are not part of the text.
        let mut text = Zeroizing::new(Vec::new());
        let pieces = lines.iter().chain(behind.iter().map(|behind| &behind.marked));
        pieces.for_each(|line| text.extend_from_slice(&source[line.range()]));
        let len = trimmed_end(&text, 0..text.len()).len();
        text.truncate(len);
        let marked = behind_marker(&text, Span::new(0, text.len()));
        // sops crashes when it is to write a comment whose first line is empty; with the marker it is not.
        if text.get(marked.start as usize) == Some(&b'\n') {
            let span = Span { start: whole.start + 1, end: span.end };
            return comment(Text::owned(&text[..]), span, false);
        }
        comment(Text::owned(&text[marked.range()]), span, false)
    });
    let behind = behind.map(|it| comment(Text::Source(behind_marker(source, it.marked)), it.span, true));
    block.into_iter().chain(behind).collect()
}

/// What of a comment is text: without the marker, its repetitions and blanks.
fn behind_marker(source: &[u8], span: Span) -> Span {
    let text = &source[span.range()];
    let marker = text.iter().take_while(|&&byte| byte == text[0] || byte == b' ').count();
    Span { start: span.start + marker as u32, end: span.end }
}

/// The comment that starts at the first marker in `range`.
fn comment_in(source: &[u8], range: Range<usize>) -> Option<Span> {
    let start = range.start + memchr::memchr2(b'#', b';', &source[range.clone()])?;
    Some(trimmed_end(source, start..range.end))
}

/// Without the blanks at its end, as Unicode counts blanks.
fn trimmed_end(source: &[u8], range: Range<usize>) -> Span {
    let mut text = &source[range.clone()];
    while let Some(shorter) = (1..=text.len().min(4)).find_map(|len| {
        let (before, last) = text.split_at(text.len() - len);
        let is_blank = std::str::from_utf8(last).is_ok_and(|last| last.trim_end().is_empty());
        is_blank.then_some(before)
    }) {
        text = shorter;
    }
    Span::new(range.start, range.start + text.len())
}

/// How many bytes of blanks `text` starts with.
fn blanks_before(text: &[u8]) -> usize {
    let valid = text.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    valid.len() - valid.trim_start().len()
}

struct Reader<'a> {
    source: &'a [u8],
    /// Start of the next line.
    at: usize,
}

struct Value {
    leaf: Leaf,
    /// The comment on its last line, marker included.
    behind: Option<Span>,
}

impl Reader<'_> {
    fn fail(&self, problem: &str, at: usize) -> ParseError {
        ParseError::at(Format::Ini, ParseProblem::Syntax(problem.into()), self.source, at)
    }

    /// The next line with its line break.
    fn next_line(&mut self) -> Option<Range<usize>> {
        let start = self.at;
        let rest = &self.source[start..];
        self.at += memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
        (start < self.at).then_some(start..self.at)
    }

    /// The name in a header: up to the last bracket of the line, untrimmed.
    fn section_name(&self, line: Range<usize>) -> Result<Key, ParseError> {
        let close = memchr::memrchr(b']', &self.source[line.clone()]);
        let close =
            line.start + close.ok_or_else(|| self.fail("a section header needs a closing bracket", line.start))?;
        let span = Span::new(line.start + 1, close);
        if span.is_empty() {
            return Err(self.fail("a section needs a name", line.start));
        }
        Ok(Key { text: Text::Source(span), span, is_string: true })
    }

    /// The key at the start of `line`, and where its value starts.
    fn key(&self, line: Range<usize>) -> Result<(Key, usize), ParseError> {
        let text = &self.source[line.clone()];
        let quote: &[u8] = match text {
            [b'"', b'"', b'"', _, _, _, _, ..] => b"\"\"\"",
            [b'"', ..] => b"\"",
            [b'`', ..] => b"`",
            _ => b"",
        };
        let end = match quote {
            b"" => 0,
            _ => {
                let inner = memchr::memmem::find(&text[quote.len()..], quote);
                inner.ok_or_else(|| self.fail("a quoted key needs a closing quote", line.start))? + 2 * quote.len()
            }
        };
        let sign = memchr::memchr2(b'=', b':', &text[end..]);
        let sign = end + sign.ok_or_else(|| self.fail("a line needs a `=` or `:` behind its key", line.start))?;
        let span = match quote {
            b"" => trimmed_end(self.source, line.start..line.start + sign),
            _ => Span::new(line.start, line.start + end),
        };
        let inner = span.start as usize + quote.len()..span.end as usize - quote.len();
        let inner = inner.start + blanks_before(&self.source[inner.clone()])..inner.end;
        let name = trimmed_end(self.source, inner);
        if name.is_empty() {
            return Err(self.fail("a key needs a name", line.start));
        }
        Ok((Key { text: Text::Source(name), span, is_string: true }, line.start + sign + 1))
    }

    /// The value that starts in `line`, the rest of a line; goes on over further lines where it has to.
    fn value(&mut self, line: Range<usize>) -> Result<Value, ParseError> {
        let source = self.source;
        let start = line.start + blanks_before(&source[line.clone()]);
        let text = &source[start..line.end];
        let (quote, style): (&[u8], _) = match text {
            [] => {
                let blanks = source[line.clone()].iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
                let at = line.start + blanks;
                return Ok(Value::of(Text::Source(Span::new(at, at)), Span::new(at, at), Style::Plain, None));
            }
            [b'"', b'"', b'"', _, ..] => (b"\"\"\"", Style::TripleQuoted),
            [b'`', ..] => (b"`", Style::Backtick),
            _ => return Ok(self.unquoted(start..line.end)),
        };

        let inner = start + quote.len();
        let mut close = memchr::memmem::rfind(&source[inner..line.end], quote).map(|at| inner + at);
        let mut end = line.end;
        while close.is_none() {
            let next = self.next_line().ok_or_else(|| self.fail("a quoted value needs a closing quote", start))?;
            end = next.end;
            // A backslash behind the quote makes it part of the value.
            close = memchr::memmem::rfind(&source[next.clone()], quote).map(|at| next.start + at).filter(|at| {
                let behind = trimmed_end(source, at + quote.len()..end);
                !source[behind.range()].ends_with(b"\\")
            });
        }
        let close = close.unwrap_or(end);
        let behind = comment_in(source, close + quote.len()..end);
        // Whatever else stands behind the quote is ignored, and goes when the value goes.
        let span = trimmed_end(source, start..behind.map_or(end, |span| span.start as usize));
        Ok(Value::of(Text::Source(Span::new(inner, close)), span, style, behind))
    }

    /// `line` starts with a byte that is no blank.
    fn unquoted(&mut self, line: Range<usize>) -> Value {
        let source = self.source;
        let whole = trimmed_end(source, line.clone());
        if source[whole.range()].ends_with(b"\\") {
            return self.continued(whole);
        }
        let behind = comment_in(source, whole.range());
        let span = trimmed_end(source, line.start..behind.map_or(whole.end, |span| span.start) as usize);
        let style = match &source[span.range()] {
            [b'"', inner @ .., b'"'] if !inner.contains(&b'"') => Style::Double,
            [b'\'', inner @ .., b'\''] if !inner.contains(&b'\'') => Style::Single,
            _ => Style::Plain,
        };
        let quotes = u32::from(style != Style::Plain);
        let inner = Span { start: span.start + quotes, end: span.end - quotes };
        Value::of(Text::Source(inner), span, style, behind)
    }

    /// A value whose first line ends in a backslash. Nothing in it is a comment or a quote.
    fn continued(&mut self, first: Span) -> Value {
        let mut text = Zeroizing::new(self.source[first.range()].to_vec());
        let mut end = first.end;
        while text.last() == Some(&b'\\') {
            text.pop();
            let Some(line) = self.next_line() else { break };
            let start = line.start + blanks_before(&self.source[line.clone()]);
            let line = trimmed_end(self.source, start..line.end);
            if line.is_empty() {
                break;
            }
            text.extend_from_slice(&self.source[line.range()]);
            end = line.end;
        }
        Value::of(Text::owned(std::mem::take(&mut *text)), Span { start: first.start, end }, Style::Plain, None)
    }
}

impl Value {
    fn of(text: Text, span: Span, style: Style, behind: Option<Span>) -> Self {
        Self { leaf: Leaf { scalar: Scalar::Str(text), span, style }, behind }
    }
}

/// How `value` is written in the place of `leaf`: in the leaf's quotes, else as sops writes it, else in any way that
/// reads back.
///
/// There are values that the dialect cannot hold (with a line break, a backtick and `"""`); they come out as sops
/// writes them.
pub(super) fn spell(source: &[u8], leaf: &Leaf, value: &Scalar) -> Zeroizing<Vec<u8>> {
    let text = text_of(source, leaf, value);
    let quoted = |quote: &[u8]| Zeroizing::new([quote, &text, quote].concat());
    let behind = &source[leaf.span.end as usize..];
    let behind = &behind[..memchr::memchr(b'\n', behind).unwrap_or(behind.len())];
    let own: &[u8] = match leaf.style {
        Style::TripleQuoted => b"\"\"\"",
        Style::Backtick => b"`",
        Style::Double => b"\"",
        Style::Single => b"'",
        _ => quote_of_sops(&text),
    };
    [own, quote_of_sops(&text), b"", b"\"", b"'", b"`", b"\"\"\""]
        .into_iter()
        .map(quoted)
        .find(|token| reads_back(token, behind, &text))
        .unwrap_or_else(|| quoted(quote_of_sops(&text)))
}

fn quote_of_sops(text: &[u8]) -> &'static [u8] {
    if memchr::memchr2(b'\n', b'`', text).is_some() {
        b"\"\"\""
    } else if memchr::memchr2(b'#', b';', text).is_some() {
        b"`"
    } else if blanks_before(text) > 0 || trimmed_end(text, 0..text.len()).len() < text.len() {
        b"\""
    } else {
        b""
    }
}

/// Whether `token`, with `behind` after it on its line, means `text`.
fn reads_back(token: &[u8], behind: &[u8], text: &[u8]) -> bool {
    let line = Zeroizing::new([token, behind, b"\n"].concat());
    let mut reader = Reader { source: &line, at: 0 };
    let Some(first) = reader.next_line() else { return false };
    let Ok(Value { leaf: Leaf { scalar: Scalar::Str(read), .. }, behind }) = reader.value(first) else { return false };
    reader.at == line.len()
        && read.bytes(&line) == text
        && behind.is_none_or(|comment| comment.start as usize >= token.len())
}

/// Puts `value` at the end as section `sops`, a line for each of its flattened names, in its own order.
///
/// An empty line goes before it, and is cut with it later. A last line without line break gets one, which stays, as in
/// [`dotenv`](super::dotenv).
pub(super) fn attach(source: &[u8], roots: &[Root], value: &serde_json::Value, _style: &AttachmentStyle) -> Edits {
    let first_line = &source[..memchr::memchr(b'\n', source).unwrap_or(0)];
    let line_break: &[u8] = if first_line.ends_with(b"\r") { b"\r\n" } else { b"\n" };
    let mut edits = Edits::new();
    for root in roots {
        let content = &source[..root.attach_at as usize];
        let mut text = Vec::new();
        if content.last().is_some_and(|&byte| byte != b'\n') {
            text.extend_from_slice(line_break);
        }
        if !content.is_empty() {
            text.extend_from_slice(line_break);
        }
        text.extend_from_slice(b"[sops]");
        text.extend_from_slice(line_break);
        let flat = value.as_object().map(attachment::flatten).unwrap_or_default();
        let flat: Vec<_> = flat.into_iter().map(|(name, value)| (quoted_key(&name), value)).collect();
        let width = flat.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (name, value) in &flat {
            let value = escape_line_breaks(value.as_bytes());
            let quote = quote_of_sops(&value);
            let padding = " ".repeat(width - name.len());
            text.extend_from_slice(&[name.as_bytes(), padding.as_bytes(), b" = ", quote, &value, quote].concat());
            text.extend_from_slice(line_break);
        }
        edits.replace(Span { start: root.attach_at, end: root.attach_at }, &text);
    }
    edits
}

fn quoted_key(name: &str) -> String {
    if name.contains(['"', '=', ':']) {
        format!("`{name}`")
    } else if name.contains('`') {
        format!("\"\"\"{name}\"\"\"")
    } else {
        name.to_owned()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn parse_one(source: &[u8]) -> Root {
        parse(source).unwrap().pop().unwrap()
    }

    /// `section/key=value` and `section#comment`, the latter with `#>` where it stands behind something.
    fn shown(source: &str) -> Vec<String> {
        let source = source.as_bytes();
        let text = |text: &Text| String::from_utf8_lossy(text.bytes(source)).into_owned();
        let mut out = Vec::new();
        for section in parse_one(source).branch.items {
            let name = text(&section.key.unwrap().text);
            let Node::Map(branch) = section.node else { panic!() };
            for item in branch.items {
                out.push(match (item.key, item.node) {
                    (Some(key), Node::Leaf(Leaf { scalar: Scalar::Str(value), .. })) => {
                        format!("{name}/{}={}", text(&key.text), text(&value))
                    }
                    (None, Node::Comment(Comment { text: it, inline, .. })) => {
                        format!("{name}#{}{}", if inline { ">" } else { "" }, text(&it))
                    }
                    _ => panic!(),
                });
            }
        }
        out
    }

    fn leaves(source: &[u8]) -> Vec<Leaf> {
        let mut out = Vec::new();
        for section in parse_one(source).branch.items {
            let Node::Map(branch) = section.node else { panic!() };
            out.extend(branch.items.into_iter().filter_map(|item| match item.node {
                Node::Leaf(leaf) => Some(leaf),
                _ => None,
            }));
        }
        out
    }

    fn with_value(source: &[u8], value: &str) -> String {
        let leaf = &leaves(source)[0];
        let mut edits = Edits::new();
        edits.replace(leaf.span, &spell(source, leaf, &Scalar::Str(Text::owned(value.as_bytes()))));
        String::from_utf8(edits.apply(source).to_vec()).unwrap()
    }

    fn envelope() -> serde_json::Value {
        json!({"version": "3.13.3", "kms": [{"context": {"a:b": "x;y"}, "enc": "a\nb\n"}], "mac": "ENC[x]"})
    }

    fn cut(source: &[u8]) -> Zeroizing<Vec<u8>> {
        let mut edits = Edits::new();
        parse_one(source).attachment.unwrap().cuts.iter().for_each(|cut| edits.replace(*cut, b""));
        edits.apply(source)
    }

    fn attached(source: &[u8]) -> Zeroizing<Vec<u8>> {
        attach(source, &parse(source).unwrap(), &envelope(), &AttachmentStyle::default()).apply(source)
    }

    #[test]
    fn keys_and_values_are_what_the_dialect_takes_them_for() {
        let source = "\u{feff}top = 1\n[a]\nx=1\n  y : \"a b\" \n'q' = 'it''s'\nz=\n- = one\n-=two\n\
                      `k=v` = w\n\"\"\"k`2\"\"\" : w\nurl = http://x/#frag\n[a b] x]\nx=%(y)s\n[a]\nx=2\r\n";
        assert_eq!(
            shown(source),
            [
                "DEFAULT/top=1",
                "a/x=1",
                "a/y=a b",
                "a/'q'='it''s'",
                "a/z=",
                "a/#1=one",
                "a/#2=two",
                "a/k=v=w",
                "a/k`2=w",
                "a/url=http://x/",
                "a#>frag",
                "a b] x/x=%(y)s",
                "a/x=2",
            ]
        );
    }

    #[test]
    fn values_may_span_lines() {
        let source = "a = \"\"\"one\n two\"\" \n\"\"\" ; done\nb = `x\ny`\nc = one \\\n  two # three \\\nfour\nd = x\\\n\ne = 1\n\
                      f = \"\"\"a\nb\"\"\" \\\nc\"\"\"\n";
        assert_eq!(
            shown(source),
            [
                "DEFAULT/a=one\n two\"\" \n",
                "DEFAULT#>done",
                "DEFAULT/b=x\ny",
                "DEFAULT/c=one two # three four",
                "DEFAULT/d=x",
                "DEFAULT/e=1",
                "DEFAULT/f=a\nb\"\"\" \\\nc",
            ]
        );
    }

    #[test]
    fn comments_are_one_text_for_each_section_and_key() {
        let source = "; a\n\n  # b  \n[s] ; c\n;; k\nx = 1\n# l\ny = 2;m\nz = \"q#r\" \nw = `q#r` ; n\n; end\n# more\n";
        assert_eq!(
            shown(source),
            [
                "s#a\n# b  \n; c",
                "s#>c",
                "s/x=1",
                "s#k",
                "s/y=2",
                "s#l\n;m",
                "s#>m",
                "s/z=\"q",
                "s#>r\"",
                "s/w=q#r",
                "s#>n",
                "s#end\n# more",
            ]
        );
        assert_eq!(shown("# only"), ["DEFAULT#only"]);
        assert_eq!(shown("[a]\nx=1\n; end\n\n[sops]\n; own\nmac=1\n"), ["a/x=1", "a#end"]);
    }

    #[test]
    fn comment_is_replaced_where_its_text_stands() {
        let source = b"  ;; a\n\n  # b  \n[s] ; c\nx = 1\n";
        let Node::Map(branch) = &parse_one(source).branch.items[1].node else { panic!() };
        let mut edits = Edits::new();
        for item in &branch.items {
            if let Node::Comment(comment) = &item.node {
                edits.extend(&replace_comment(source, comment, b"ENC[]"));
            }
        }
        assert_eq!(&*edits.apply(source), b"  ;; ENC[]  \n;ENC[]\n[s] ; ^\nx = 1\n");
    }

    #[test]
    fn comment_behind_a_header_is_moved_above_it_and_back() {
        let replaced = |source: &[u8], texts: &[&str]| {
            let mut edits = Edits::new();
            let Node::Map(branch) = &parse_one(source).branch.items[1].node else { panic!() };
            let comments = branch.items.iter().filter_map(|item| match &item.node {
                Node::Comment(comment) => Some(comment),
                _ => None,
            });
            for (comment, text) in comments.zip(texts) {
                edits.extend(&replace_comment(source, comment, text.as_bytes()));
            }
            String::from_utf8(edits.apply(source).to_vec()).unwrap()
        };
        for source in ["[s];c", " [s] ;; c  \r\nx = 1\r\n", "\u{feff}[s] # c\n", "; a\n[s] ; c\n"] {
            let is_two = source.starts_with(';');
            let texts: &[_] = if is_two { &["ENC[1]", "ENC[2]"] } else { &["ENC[2]"] };
            let sealed = replaced(source.as_bytes(), texts);
            let line_break = if source.contains('\r') { "\r\n" } else { "\n" };
            assert!(sealed.contains(&format!(";ENC[2]{line_break}")), "{sealed}");
            assert!(shown(&sealed).contains(&"s#>ENC[2]".to_owned()), "{sealed}");
            assert_eq!(
                replaced(sealed.as_bytes(), &["ENC[3]", "ENC[3]"]),
                sealed.replace("1]", "3]").replace("2]", "3]")
            );
            assert_eq!(replaced(sealed.as_bytes(), if is_two { &["a", "c"] } else { &["c"] }), source);
        }
    }

    #[test]
    fn every_line_of_a_comment_is_marked() {
        let source = b"; ENC[]\nx = 1\n";
        let Node::Map(branch) = &parse_one(source).branch.items[0].node else { panic!() };
        let Node::Comment(comment) = &branch.items[1].node else { panic!() };
        let edits = replace_comment(source, comment, b"a\n# b\nx = 2\n");
        assert_eq!(&*edits.apply(source), b"; a\n# b\n; x = 2\n; \nx = 1\n");
    }

    #[test]
    fn first_line_of_a_comment_is_never_empty() {
        assert_eq!(shown("###\n# Title\n###\nx=1\n"), ["DEFAULT/x=1", "DEFAULT####\n# Title\n###"]);
        assert_eq!(shown("#\nx=1\n"), ["DEFAULT/x=1", "DEFAULT#"]);
    }

    #[test]
    fn what_the_dialect_cannot_read_is_an_error_without_the_text() {
        for source in
            ["x", "[a", "[]", "= 1", "`a = 1", "\" \" = 1", "x = `a\nhunter2", "x = \"\"\"\nhunter2", "x=1\nx=2"]
        {
            let error = parse(source.as_bytes()).unwrap_err();
            assert!(error.line > 0 && !error.to_string().contains("hunter2"), "{source}");
        }
    }

    #[test]
    fn value_keeps_the_quotes_of_its_place() {
        assert_eq!(with_value(b"x = \"a b\" ; c\n", "ENC[a=]"), "x = \"ENC[a=]\" ; c\n");
        assert_eq!(with_value(b"x = 'a'\n", "b"), "x = 'b'\n");
        assert_eq!(with_value(b"x = `a` ignored ; c\n", "b"), "x = `b` ; c\n");
        assert_eq!(with_value(b"x = \"\"\"a\nb\"\"\"\n", "ENC[a=]"), "x = \"\"\"ENC[a=]\"\"\"\n");
        assert_eq!(with_value(b"x = a \\\n  b\ny = 1\n", "c"), "x = c\ny = 1\n");
        assert_eq!(with_value(b"x =\n", "c"), "x =c\n");
        assert_eq!(with_value(b"x = ; c\n", "d"), "x = d; c\n");
    }

    #[test]
    fn value_is_quoted_as_sops_does_and_else_so_that_it_reads_back() {
        let spelled = |value| with_value(b"x = a\n", value);
        assert_eq!(spelled("b c"), "x = b c\n");
        assert_eq!(spelled("a\nb"), "x = \"\"\"a\nb\"\"\"\n");
        assert_eq!(spelled("a`b"), "x = \"\"\"a`b\"\"\"\n");
        assert_eq!(spelled("a#b"), "x = `a#b`\n");
        assert_eq!(spelled(" a"), "x = \" a\"\n");
        assert_eq!(spelled("'a'"), "x = \"'a'\"\n");
        assert_eq!(spelled("a\\"), "x = \"a\\\"\n");
        assert_eq!(spelled("a\"\"\"b\nc"), "x = `a\"\"\"b\nc`\n");
        assert_eq!(with_value(b"x = a ; it`s\n", "b#c"), "x = \"\"\"b#c\"\"\" ; it`s\n");
    }

    #[test]
    fn attachment_is_a_section_at_the_end() {
        let want = concat!(
            "[a]\nx=1\n\n[sops]\n",
            "version                             = 3.13.3\n",
            "`kms__list_0__map_context__map_a:b` = `x;y`\n",
            "kms__list_0__map_enc                = a\\nb\\n\n",
            "mac                                 = ENC[x]\n"
        );

        assert_eq!(std::str::from_utf8(&attached(b"[a]\nx=1\n")).unwrap(), want);
        assert!(attached(b"[a]\r\nx=1\r\n").starts_with(b"[a]\r\nx=1\r\n\r\n[sops]\r\nversion"));
    }

    #[test]
    fn attachment_is_read_in_both_spellings_and_cut_anywhere() {
        let source = b"[sops]\nmac = \"\"\"a\nb\"\"\"\nenc = a\\nb\n\n[a]\nx = 1\n";
        let value = parse_one(source).attachment.unwrap().value;
        assert_eq!(value, json!({"mac": "a\nb", "enc": "a\nb"}).as_object().cloned());
        assert_eq!(&*cut(source), b"\n[a]\nx = 1\n");
        assert!(parse_one(b"[sops]\n[sops]\n").attachment.unwrap().value.is_none());
        assert!(parse_one(b"[sops]\na__list_1=x\n").attachment.unwrap().value.is_none());
    }

    fn line() -> impl Strategy<Value = String> {
        prop_oneof![
            Just(String::new()),
            "[ \t]{0,2}[#;]{1,2}[ -~]{0,5}",
            "\\[[a-c .]{1,3}\\]( ;[a-c ]{0,3})?",
            "[a-zA-Z`\"]{1,5} ?[=:] ?[ -~]{0,6}",
            "[a-z]{4}=(`|\"\"\")[a-c \n]{0,4}(`|\"\"\")",
        ]
    }

    proptest! {
        #[test]
        fn any_document_comes_back_when_its_attachment_is_cut(
            lines in proptest::collection::vec(line(), 0..8), crlf in any::<bool>()
        ) {
            let source: String = lines.iter().map(|line| format!("{line}{}", if crlf { "\r\n" } else { "\n" })).collect();
            if parse(source.as_bytes()).is_ok() {
                let with = attached(source.as_bytes());
                prop_assert_eq!(parse_one(&with).attachment.unwrap().value, envelope().as_object().cloned());
                prop_assert_eq!(&*cut(&with), source.as_bytes());
            }
        }

        #[test]
        fn any_bytes_are_a_document_or_an_error(source in "([ -~]|[\\[\\]=;`\"\\\\\n\r]){0,40}", junk in any::<Vec<u8>>()) {
            let _ = parse(source.as_bytes());
            let _ = parse(&[source.as_bytes(), &junk].concat());
        }

        #[test]
        fn spelled_values_read_back(value in "[ -~\n\t\u{a0}]{0,8}", place in 0..5usize) {
            prop_assume!(!value.contains('`') || !value.contains("\"\"\""));
            prop_assume!(!value.ends_with('"') || !value.contains(['\n', '`']));
            let place = ["x = a ; c\n", "x = \"a\"\n", "x = 'a'", "x = `a`\n", "x =\"\"\"a\"\"\"\ny=1\n"][place];
            let spelled = with_value(place.as_bytes(), &value);
            let read = leaves(spelled.as_bytes());
            let Scalar::Str(text) = &read[0].scalar else { panic!() };
            prop_assert_eq!(text.bytes(spelled.as_bytes()), value.as_bytes(), "{}", spelled);
        }
    }
}
