//! JSON: one object, its members kept in order, duplicates and all.
//!
//! Read as Go's `encoding/json` reads it, since that decides what sops sees: a byte that is not UTF-8 and half a
//! surrogate pair become U+FFFD in the value, while the bytes of the file stay as they are; what follows the closing
//! brace is kept and ignored. One thing is stricter: a file that breaks off in the middle is an error, where sops
//! takes what it has for the whole. Writing all of a document anew is in [`emit`](super::emit).

use zeroize::Zeroizing;

use super::attachment::{self, Attachment, AttachmentStyle};
use super::edit::Edits;
use super::node::{Branch, Item, Key, Leaf, Node, Scalar, Span, Style, Text};
use super::number::{float_plain, float_shortest};
use super::{Format, ParseError, ParseProblem, Root};

/// Bytes from which on a file is large.
const LARGE: usize = 1 << 18;
/// Objects and lists inside one another, the top level included.
const MAX_DEPTH: usize = 128;

/// Reads the one object of a file.
///
/// The member `sops` is the attachment. Its cut reaches from the end of the member before it to its own end, so the
/// comma goes with it; where it is the first, the comma behind it goes. Its style has `indent` where it is indented
/// by blanks only; with tabs it is `None`, which stands for the document's own.
pub(super) fn parse(source: &[u8]) -> Result<Vec<Root>, ParseError> {
    let mut scanner = Scanner { source, at: 0 };
    let mut branch = match scanner.peek() {
        Some(b'{') => scanner.object(1)?,
        Some(b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => {
            return Err(ParseError::at(Format::Json, ParseProblem::NotAMap, source, scanner.at));
        }
        _ => return Err(scanner.fail("an object was expected")),
    };
    let (attachment, attach_at) = split_off(source, &mut branch);
    Ok(vec![Root { branch, attachment, attach_at }])
}

/// Takes the members named `sops` out of `branch`; also says where an attachment goes.
fn split_off(source: &[u8], branch: &mut Branch) -> (Option<Attachment>, u32) {
    let is_ours =
        |item: &Item| item.key.as_ref().is_some_and(|key| key.text.bytes(source) == attachment::NAME.as_bytes());
    let items = std::mem::take(&mut branch.items);
    let inside = branch.span.start + 1;
    let key_start = |item: &Item| item.key.as_ref().map_or(inside, |key| key.span.start);

    let first_kept = items.iter().position(|item| !is_ours(item));
    let mut cuts = Vec::new();
    match first_kept {
        Some(0) => {}
        Some(kept) => cuts.push(Span { start: key_start(&items[0]), end: key_start(&items[kept]) }),
        None => cuts.extend(items.last().map(|last| Span { start: inside, end: last.node.span().end })),
    }
    for pair in items[first_kept.unwrap_or(items.len())..].windows(2) {
        if is_ours(&pair[1]) {
            cuts.push(Span { start: pair[0].node.span().end, end: pair[1].node.span().end });
        }
    }

    let mut kept = items;
    let ours: Vec<_> = kept.extract_if(.., |item| is_ours(item)).collect();
    let attach_at = kept.last().map_or(inside, |item| item.node.span().end);
    branch.items = kept;
    let attachment = match &ours[..] {
        [] => None,
        // Twice is as unreadable as no object at all: sops refuses both.
        [first, rest @ ..] => Some(Attachment {
            value: match (to_value(source, &first.node), rest) {
                (serde_json::Value::Object(map), []) => Some(map),
                _ => None,
            },
            cuts,
            style: style_of(source, first.node.span()),
        }),
    };
    (attachment, attach_at)
}

/// A node as plain data; of keys that occur twice the last counts, as in Go.
fn to_value(source: &[u8], node: &Node) -> serde_json::Value {
    use serde_json::Value;
    let text = |text: &Text| String::from_utf8_lossy(text.bytes(source)).into_owned();
    match node {
        Node::Map(branch) => Value::Object(
            branch
                .items
                .iter()
                .filter_map(|item| Some((text(&item.key.as_ref()?.text), to_value(source, &item.node))))
                .collect(),
        ),
        Node::List(branch) => Value::Array(branch.items.iter().map(|item| to_value(source, &item.node)).collect()),
        Node::Leaf(leaf) => match &leaf.scalar {
            Scalar::Bool(value) => Value::from(*value),
            Scalar::Int(value) => Value::from(*value),
            Scalar::Float(value) => Value::from(*value),
            Scalar::Str(value) => Value::from(text(value)),
            Scalar::Time(value) => Value::from(&**value),
            Scalar::Null | Scalar::Unsupported => Value::Null,
        },
        Node::Comment(_) | Node::Alias { .. } => Value::Null,
    }
}

fn style_of(source: &[u8], span: Span) -> AttachmentStyle {
    let text = &source[span.range()];
    let (Some(first), Some(last)) = (memchr::memchr(b'\n', text), memchr::memrchr(b'\n', text)) else {
        return AttachmentStyle { indent: None, compact: true };
    };
    let indentation = |line_break: usize| {
        let line = &text[line_break + 1..];
        &line[..line.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count()]
    };
    let unit = indentation(first).strip_prefix(indentation(last));
    let indent = unit.filter(|unit| unit.iter().all(|&byte| byte == b' ')).map(<[u8]>::len);
    AttachmentStyle { indent, compact: false }
}

/// How `value` is written in the place of any leaf: as Go's `encoding/json` does.
///
/// A float that JSON has no number for (`NaN`, infinities) becomes a string, where sops cannot write the file; `-0`
/// becomes `-0.0`, as `-0` would read back as a whole number.
pub(super) fn spell(source: &[u8], leaf: &Leaf, value: &Scalar) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::new());
    match value {
        Scalar::Null => out.extend_from_slice(b"null"),
        Scalar::Bool(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
        Scalar::Int(value) => out.extend_from_slice(value.to_string().as_bytes()),
        Scalar::Float(value) => out.extend_from_slice(float(*value).as_bytes()),
        Scalar::Time(text) => quote(text.as_bytes(), &mut out),
        Scalar::Str(text) => quote(text.bytes(source), &mut out),
        Scalar::Unsupported => out.extend_from_slice(&source[leaf.span.range()]),
    }
    out
}

fn float(value: f64) -> String {
    if !value.is_finite() {
        format!("\"{}\"", float_plain(value))
    } else if value == 0.0 && value.is_sign_negative() {
        "-0.0".into()
    } else {
        float_shortest(value, -6, 21).replace("e-0", "e-")
    }
}

/// Appends `text` in quotes.
fn quote(text: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.reserve(text.len() + 2);
    out.push(b'"');
    for chunk in text.utf8_chunks() {
        let valid = chunk.valid().as_bytes();
        let mut done = 0;
        for (at, &byte) in valid.iter().enumerate() {
            let escape: &[u8] = match byte {
                b'"' => b"\\\"",
                b'\\' => b"\\\\",
                b'\n' => b"\\n",
                b'\r' => b"\\r",
                b'\t' => b"\\t",
                0x08 => b"\\b",
                0x0c => b"\\f",
                0..0x20 | b'<' | b'>' | b'&' => {
                    &[b'\\', b'u', b'0', b'0', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]
                }
                0xe2 if valid[at..].starts_with("\u{2028}".as_bytes()) => b"\\u2028",
                0xe2 if valid[at..].starts_with("\u{2029}".as_bytes()) => b"\\u2029",
                _ => continue,
            };
            out.extend_from_slice(&valid[done..at]);
            out.extend_from_slice(escape);
            done = at + if byte == 0xe2 { 3 } else { 1 };
        }
        out.extend_from_slice(&valid[done..]);
        for _ in chunk.invalid() {
            out.extend_from_slice(b"\\ufffd");
        }
    }
    out.push(b'"');
}

/// Puts `value` as member `sops` behind the last member, on a line of its own where the document has such lines.
pub(super) fn attach(source: &[u8], roots: &[Root], value: &serde_json::Value, style: &AttachmentStyle) -> Edits {
    let mut edits = Edits::new();
    for root in roots {
        let layout = Layout::of(source, root);
        let mut text = Vec::new();
        if !root.branch.items.is_empty() {
            text.push(b',');
        }
        text.extend_from_slice(layout.line_break);
        text.extend_from_slice(layout.indent);
        text.extend_from_slice(b"\"sops\": ");
        let unit = match style.indent {
            Some(blanks) => vec![b' '; blanks],
            None if layout.line_break.is_empty() || layout.indent.len() > MAX_UNIT => vec![b'\t'],
            None => layout.indent.to_vec(),
        };
        if style.compact || (layout.line_break.is_empty() && style.indent.is_none()) {
            write_line(value, &mut text);
        } else {
            let line_break = if layout.line_break.is_empty() { b"\n" } else { layout.line_break };
            let base = if layout.line_break.is_empty() { b"" } else { layout.indent };
            write_lines(value, &[line_break, base].concat(), &unit, &mut text);
        }
        edits.replace(Span { start: root.attach_at, end: root.attach_at }, &text);
    }
    edits
}

/// Indentation longer than this is not taken as what the document indents a level by.
const MAX_UNIT: usize = 16;

/// What stands before a top-level member.
struct Layout<'a> {
    /// Empty in a document written on one line.
    line_break: &'a [u8],
    indent: &'a [u8],
}

impl<'a> Layout<'a> {
    fn of(source: &'a [u8], root: &Root) -> Self {
        let one_line = Layout { line_break: b"", indent: b"" };
        let mut keys = root.branch.items.iter().filter_map(|item| item.key.as_ref());
        let Some(first) = keys.next() else {
            // `{}` and `{⏎}` stay apart when the attachment is cut out of them again.
            let from = root.attachment.iter().flat_map(|it| &it.cuts).map(|cut| cut.end).max();
            let rest = from.unwrap_or(root.attach_at) as usize..root.branch.span.end as usize;
            return Self::before(source, rest.end - 1)
                .filter(|_| source[rest].contains(&b'\n'))
                .map_or(one_line, |layout| Layout { indent: b"\t", ..layout });
        };
        let last = keys.next_back().unwrap_or(first);
        [first, last].into_iter().find_map(|key| Self::before(source, key.span.start as usize)).unwrap_or(one_line)
    }

    /// The line break and the indentation before `end`, if there is nothing else on the line.
    fn before(source: &'a [u8], end: usize) -> Option<Self> {
        let start = memchr::memrchr(b'\n', &source[..end])? + 1;
        let indent = &source[start..end];
        if !indent.iter().all(|byte| matches!(byte, b' ' | b'\t')) {
            return None;
        }
        let line_break = if source[..start].ends_with(b"\r\n") { &b"\r\n"[..] } else { b"\n" };
        // Each line of the attachment repeats it, so a hostile one would be multiplied.
        Some(Self { line_break, indent: if indent.len() > 4 * MAX_UNIT { b"\t" } else { indent } })
    }
}

/// Writes on one line, with a blank behind colons and commas.
fn write_line(value: &serde_json::Value, out: &mut Vec<u8>) {
    use serde_json::Value;
    match value {
        Value::Object(map) => {
            out.push(b'{');
            for (at, (key, value)) in map.iter().enumerate() {
                out.extend_from_slice(if at > 0 { b", " } else { b"" });
                quote(key.as_bytes(), out);
                out.extend_from_slice(b": ");
                write_line(value, out);
            }
            out.push(b'}');
        }
        Value::Array(list) => {
            out.push(b'[');
            for (at, value) in list.iter().enumerate() {
                out.extend_from_slice(if at > 0 { b", " } else { b"" });
                write_line(value, out);
            }
            out.push(b']');
        }
        Value::String(text) => quote(text.as_bytes(), out),
        Value::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
            Some(value) => out.extend_from_slice(float(value).as_bytes()),
            None => out.extend_from_slice(number.to_string().as_bytes()),
        },
        Value::Bool(_) | Value::Null => out.extend_from_slice(value.to_string().as_bytes()),
    }
}

/// Writes one member or item a line; `line` is the line break with the indentation of the value's own line.
fn write_lines(value: &serde_json::Value, line: &[u8], unit: &[u8], out: &mut Vec<u8>) {
    use serde_json::Value;
    let inner = [line, unit].concat();
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (at, (key, value)) in map.iter().enumerate() {
                out.push(if at > 0 { b',' } else { b'{' });
                out.extend_from_slice(&inner);
                quote(key.as_bytes(), out);
                out.extend_from_slice(b": ");
                write_lines(value, &inner, unit, out);
            }
            out.extend_from_slice(line);
            out.push(b'}');
        }
        Value::Array(list) if !list.is_empty() => {
            for (at, value) in list.iter().enumerate() {
                out.push(if at > 0 { b',' } else { b'[' });
                out.extend_from_slice(&inner);
                write_lines(value, &inner, unit, out);
            }
            out.extend_from_slice(line);
            out.push(b']');
        }
        other => write_line(other, out),
    }
}

struct Scanner<'a> {
    source: &'a [u8],
    at: usize,
}

impl Scanner<'_> {
    fn fail(&self, problem: &str) -> ParseError {
        let problem = if self.at >= self.source.len() {
            format!("{problem}, but the file ends here")
        } else {
            problem.to_owned()
        };
        ParseError::at(Format::Json, ParseProblem::Syntax(problem), self.source, self.at)
    }

    /// The next byte that is no blank, which is left in place.
    fn peek(&mut self) -> Option<u8> {
        let blanks = self.source[self.at..].iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'));
        self.at += blanks.count();
        self.source.get(self.at).copied()
    }

    fn value(&mut self, depth: usize) -> Result<Node, ParseError> {
        match self.peek() {
            Some(b'{') => self.object(depth + 1).map(Node::Map),
            Some(b'[') => self.list(depth + 1).map(Node::List),
            Some(b'"') => {
                let (text, span) = self.string()?;
                Ok(Node::Leaf(Leaf { scalar: Scalar::Str(text), span, style: Style::Double }))
            }
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => {
                let words = [("null", Scalar::Null), ("true", Scalar::Bool(true)), ("false", Scalar::Bool(false))];
                let rest = &self.source[self.at..];
                let Some((word, scalar)) = words.into_iter().find(|(word, _)| rest.starts_with(word.as_bytes())) else {
                    return Err(self.fail("a value was expected"));
                };
                Ok(self.plain(word.len(), scalar))
            }
        }
    }

    /// A leaf of the next `len` bytes.
    fn plain(&mut self, len: usize, scalar: Scalar) -> Node {
        let span = Span::new(self.at, self.at + len);
        self.at += len;
        Node::Leaf(Leaf { scalar, span, style: Style::Plain })
    }

    fn object(&mut self, depth: usize) -> Result<Branch, ParseError> {
        self.collection(depth, b'}', |scanner| {
            if scanner.peek() != Some(b'"') {
                return Err(scanner.fail("a key in double quotes was expected"));
            }
            let (text, span) = scanner.string()?;
            if scanner.peek() != Some(b':') {
                return Err(scanner.fail("a colon was expected"));
            }
            scanner.at += 1;
            Ok(Item { key: Some(Key { text, span, is_string: true }), node: scanner.value(depth)? })
        })
    }

    fn list(&mut self, depth: usize) -> Result<Branch, ParseError> {
        self.collection(depth, b']', |scanner| Ok(Item { key: None, node: scanner.value(depth)? }))
    }

    /// Items between the bracket that is next and `close`.
    fn collection(
        &mut self,
        depth: usize,
        close: u8,
        mut item: impl FnMut(&mut Self) -> Result<Item, ParseError>,
    ) -> Result<Branch, ParseError> {
        if depth > MAX_DEPTH {
            return Err(ParseError::at(Format::Json, ParseProblem::TooDeep(MAX_DEPTH), self.source, self.at));
        }
        let start = self.at;
        self.at += 1;
        let mut items = Vec::with_capacity(if depth == 1 { self.lines_like_the_next() } else { 0 });
        if self.peek() != Some(close) {
            loop {
                items.push(item(self)?);
                match self.peek() {
                    Some(b',') => self.at += 1,
                    Some(byte) if byte == close => break,
                    _ => return Err(self.fail("a comma or a closing bracket was expected")),
                }
            }
        }
        self.at += 1;
        Ok(Branch { items, span: Span::new(start, self.at), flow: true })
    }

    /// About how many members an object of a large file has that is written one on a line: growing it would hold it twice.
    fn lines_like_the_next(&self) -> usize {
        let rest = &self.source[self.at..];
        let blanks = rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        if rest.len() < LARGE || !rest.starts_with(b"\n") || blanks == rest.len() {
            return 0;
        }
        memchr::memmem::find_iter(rest, &rest[..=blanks]).count()
    }

    fn number(&mut self) -> Result<Node, ParseError> {
        let start = self.at;
        let rest = &self.source[start..];
        let digits = |from: usize| rest[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let mut len = usize::from(rest[0] == b'-');
        len += if rest.get(len) == Some(&b'0') { 1 } else { digits(len) };
        let mut complete = rest[len - 1].is_ascii_digit();
        if rest.get(len) == Some(&b'.') {
            len += 1 + digits(len + 1);
            complete &= rest[len - 1].is_ascii_digit();
        }
        if matches!(rest.get(len), Some(b'e' | b'E')) {
            len += 1;
            len += usize::from(matches!(rest.get(len), Some(b'+' | b'-')));
            len += digits(len);
            complete &= rest[len - 1].is_ascii_digit();
        }
        if !complete {
            self.at += len;
            return Err(self.fail("a digit was expected"));
        }
        let token = std::str::from_utf8(&rest[..len]).expect("digits, signs, points and letters are ASCII");
        let scalar = match token.parse() {
            Ok(whole) => Scalar::Int(whole),
            Err(_) => match token.parse::<f64>() {
                Ok(value) if value.is_finite() => Scalar::Float(value),
                _ => return Err(self.fail("the number is too large")),
            },
        };
        Ok(self.plain(len, scalar))
    }

    /// The string whose opening quote is next, and the span of all of it.
    fn string(&mut self) -> Result<(Text, Span), ParseError> {
        let start = self.at;
        let mut escaped = false;
        self.at += 1;
        loop {
            match self.source.get(self.at) {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    let rest = &self.source[self.at + 1..];
                    self.at += match rest {
                        [b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => 2,
                        [b'u', hex @ ..] if hex4(hex).is_some() => 6,
                        _ => return Err(self.fail("there is no such escape in a string")),
                    };
                }
                None | Some(0..0x20) => return Err(self.fail("a string must end on the line it starts on")),
                Some(_) => self.at += 1,
            }
        }
        let inner = Span::new(start + 1, self.at);
        self.at += 1;
        let bytes = &self.source[inner.range()];
        let text = if escaped || std::str::from_utf8(bytes).is_err() {
            Text::owned(std::mem::take(&mut *unescape(bytes)))
        } else {
            Text::Source(inner)
        };
        Ok((text, Span::new(start, self.at)))
    }
}

/// The number that four hexadecimal digits at the start of `bytes` make.
fn hex4(bytes: &[u8]) -> Option<u32> {
    bytes.get(..4)?.iter().try_fold(0, |number, &byte| Some(number * 16 + char::from(byte).to_digit(16)?))
}

/// What the well-formed inside of a string means.
fn unescape(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::with_capacity(bytes.len()));
    let push = |out: &mut Vec<u8>, c: char| out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    for chunk in bytes.utf8_chunks() {
        let mut rest = chunk.valid().as_bytes();
        while let Some(at) = memchr::memchr(b'\\', rest) {
            out.extend_from_slice(&rest[..at]);
            let (escape, after) = (rest[at + 1], &rest[at + 2..]);
            rest = after;
            match escape {
                b'b' => out.push(0x08),
                b'f' => out.push(0x0c),
                b'n' => out.push(b'\n'),
                b'r' => out.push(b'\r'),
                b't' => out.push(b'\t'),
                b'u' => {
                    let unit = hex4(after).unwrap_or(0xfffd);
                    let second = after.get(4..6).filter(|mark| mark == b"\\u").and_then(|_| hex4(&after[6..]));
                    rest = &after[4..];
                    match (unit, second) {
                        (0xd800..0xdc00, Some(low @ 0xdc00..0xe000)) => {
                            rest = &rest[6..];
                            let code = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
                            push(&mut out, char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
                        }
                        _ => push(&mut out, char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER)),
                    }
                }
                other => out.push(other),
            }
        }
        out.extend_from_slice(rest);
        // Go replaces each byte by itself, not each broken sequence.
        for _ in chunk.invalid() {
            push(&mut out, char::REPLACEMENT_CHARACTER);
        }
    }
    out
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

    fn cut(source: &[u8]) -> Zeroizing<Vec<u8>> {
        let mut edits = Edits::new();
        for span in parse_one(source).attachment.unwrap().cuts {
            edits.replace(span, b"");
        }
        edits.apply(source)
    }

    fn envelope() -> serde_json::Value {
        json!({"age": [{"enc": "a\nb<", "recipient": "age1x"}], "mac": "ENC[x]", "list": [], "on": true, "version": "3.13.3"})
    }

    fn attached(source: &[u8], style: AttachmentStyle) -> Zeroizing<Vec<u8>> {
        attach(source, &parse(source).unwrap(), &envelope(), &style).apply(source)
    }

    fn check_round_trip(source: &[u8]) {
        for style in [
            AttachmentStyle::default(),
            AttachmentStyle { indent: Some(3), compact: false },
            AttachmentStyle { indent: Some(0), compact: false },
            AttachmentStyle { indent: None, compact: true },
        ] {
            let with = attached(source, style);
            let root = parse_one(&with);
            let attachment = root.attachment.as_ref().unwrap();
            assert_eq!(attachment.value.as_ref(), envelope().as_object());
            assert!(memchr::memmem::find(&with, b"\"mac\": \"ENC[").is_some());
            assert_eq!(&*cut(&with), source, "{}", String::from_utf8_lossy(&with));
            if style.indent.is_some() {
                assert_eq!(attachment.style, style);
            }
            // Cutting the old and attaching a new one in one go is the same as doing it in turn.
            let mut edits = attach(&with, std::slice::from_ref(&root), &envelope(), &style);
            for span in &attachment.cuts {
                edits.replace(*span, b"");
            }
            assert_eq!(*edits.apply(&with), *with);
        }
    }

    fn strings(source: &[u8]) -> Vec<Vec<u8>> {
        fn walk(source: &[u8], branch: &Branch, out: &mut Vec<Vec<u8>>) {
            for item in &branch.items {
                match &item.node {
                    Node::Leaf(Leaf { scalar: Scalar::Str(text), .. }) => out.push(text.bytes(source).to_vec()),
                    Node::Map(branch) | Node::List(branch) => walk(source, branch, out),
                    _ => {}
                }
            }
        }
        let mut out = Vec::new();
        walk(source, &parse_one(source).branch, &mut out);
        out
    }

    #[test]
    fn attachment_takes_on_the_indentation_of_the_document() {
        let with = attached(b"{\r\n  \"a\": 1\r\n}\r\n", AttachmentStyle::default());
        let want = concat!(
            "{\r\n  \"a\": 1,\r\n  \"sops\": {\r\n    \"age\": [\r\n      {\r\n        \"enc\": \"a\\nb\\u003c\",\r\n",
            "        \"recipient\": \"age1x\"\r\n      }\r\n    ],\r\n    \"mac\": \"ENC[x]\",\r\n    \"list\": [],\r\n",
            "    \"on\": true,\r\n    \"version\": \"3.13.3\"\r\n  }\r\n}\r\n"
        );
        assert_eq!(std::str::from_utf8(&with).unwrap(), want);
    }

    #[test]
    fn attachment_in_a_document_of_one_line_stays_on_that_line() {
        let with = attached(b"{\"a\":1}\n", AttachmentStyle::default());
        let want = "{\"a\":1,\"sops\": {\"age\": [{\"enc\": \"a\\nb\\u003c\", \"recipient\": \"age1x\"}], \
                    \"mac\": \"ENC[x]\", \"list\": [], \"on\": true, \"version\": \"3.13.3\"}}\n";
        assert_eq!(std::str::from_utf8(&with).unwrap(), want);
    }

    #[test]
    fn cutting_what_was_attached_gives_the_same_bytes() {
        for source in [
            "{}",
            "{ }\n",
            "{\n}\n",
            "{\r\n}",
            " {\n  } ",
            "{\"a\":1}",
            "{\"a\": 1, \"b\": [1, {\"sops\": 2}]}\n",
            "{\n\t\"a\": 1\n}\n",
            "{\n  \"a\": {\n    \"b\": null\n  }\n}",
            "{\r\n    \"a\": 1 ,\r\n    \"b\": 2\r\n}\r\n",
            "{\"a\": 1,\n \"b\": 2\n}",
            "{\n\"a\": \"x\"}{} trailing",
            "\n\t{ \"a\":\n1 }",
        ] {
            check_round_trip(source.as_bytes());
        }
    }

    #[test]
    fn attachment_is_cut_wherever_it_stands() {
        assert_eq!(&*cut(b"{\"sops\": {}, \"a\": 1}"), b"{\"a\": 1}");
        assert_eq!(&*cut(b"{\"a\": 1, \"sops\": {}, \"b\": 2}"), b"{\"a\": 1, \"b\": 2}");
        assert_eq!(&*cut(b"{\n\t\"sops\": {}\n}"), b"{\n}");
        let twice = b"{\"sops\": {}, \"sops\": {}, \"a\": 1, \"sops\": {}}";
        assert_eq!(&*cut(twice), b"{\"a\": 1}");
        assert!(parse_one(twice).attachment.unwrap().value.is_none());
        assert!(parse_one(b"{\"sops\": 5}").attachment.unwrap().value.is_none());
        assert!(parse_one(b"{\"a\": {\"sops\": {}}}").attachment.is_none());
    }

    #[test]
    fn strings_mean_what_go_takes_them_for() {
        let source =
            b"{\"a\": \"plain\", \"b\": [\"\\u0041\\n\\/\", \"\\ud83d\\ude00\", \"\\ud800x\\udc00\\ud801\\u0042\"],
            \"c\": \"\xe2\x82\xffq\"}";
        assert_eq!(
            strings(source),
            ["plain", "A\n/", "😀", "\u{fffd}x\u{fffd}\u{fffd}B", "\u{fffd}\u{fffd}\u{fffd}q"]
                .map(|s| s.as_bytes().to_vec())
        );
    }

    #[test]
    fn numbers_are_whole_where_they_can_be() {
        let root = parse_one(b"{\"a\":[1,-0,9223372036854775807,9223372036854775808,1e3,1.0,-0.0,1e-400]}");
        let Node::List(list) = &root.branch.items[0].node else { panic!() };
        let shown: Vec<_> = list
            .items
            .iter()
            .map(|item| match &item.node {
                Node::Leaf(Leaf { scalar: Scalar::Int(value), .. }) => format!("i{value}"),
                Node::Leaf(Leaf { scalar: Scalar::Float(value), .. }) => format!("f{value}"),
                _ => panic!(),
            })
            .collect();
        assert_eq!(shown, ["i1", "i0", "i9223372036854775807", "f9223372036854776000", "f1000", "f1", "f-0", "f0"]);
    }

    #[test]
    fn refuses_what_is_no_object() {
        let problem = |source: &[u8]| parse(source).unwrap_err().problem;
        assert_eq!(problem(b" [1]"), ParseProblem::NotAMap);
        assert_eq!(problem(b"\"x\""), ParseProblem::NotAMap);
        for source in [
            "",
            " \n",
            "\u{feff}{}",
            "{",
            "{\"a\"",
            "{\"a\":",
            "{\"a\":1",
            "{\"a\":[1",
            "{\"a\":1,}",
            "{,}",
            "{\"a\":01}",
            "{\"a\":1.}",
            "{\"a\":.5}",
            "{\"a\":-}",
            "{\"a\":1e}",
            "{\"a\":1e400}",
            "{\"a\":tru}",
            "{\"a\":\"\n\"}",
            "{\"a\":\"\\x\"}",
            "{\"a\":\"\\u12\"}",
            "{\"a\":\"\\u12",
            "{\"a\":\"\\",
            "{'a':1}",
            "{\"a\" 1}",
            "{\"a\":[1 2]}",
            "{\"a\":[1}",
        ] {
            assert!(matches!(problem(source.as_bytes()), ParseProblem::Syntax(_)), "{source}");
        }
        let error = parse(b"{\n  \"pin\": 12x4}").unwrap_err();
        assert_eq!((error.line, error.column), (2, 12));
        assert!(!error.to_string().contains("x4"));
    }

    #[test]
    fn depth_is_limited() {
        let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
        assert!(parse(nested(MAX_DEPTH).as_bytes()).is_ok());
        assert_eq!(parse(nested(MAX_DEPTH + 1).as_bytes()).unwrap_err().problem, ParseProblem::TooDeep(MAX_DEPTH));
        assert!(parse("[".repeat(1_000_000).replacen('[', "{\"a\":[", 1).as_bytes()).is_err());
    }

    #[test]
    fn spells_as_go_does() {
        let leaf = Leaf { scalar: Scalar::Null, span: Span::default(), style: Style::None };
        let spell = |value: Scalar| String::from_utf8(spell(b"", &leaf, &value).to_vec()).unwrap();
        assert_eq!(spell(Scalar::Float(1e21)), "1e+21");
        assert_eq!(spell(Scalar::Float(1e20)), "100000000000000000000");
        assert_eq!(spell(Scalar::Float(1e-7)), "1e-7");
        assert_eq!(spell(Scalar::Float(1.5e-10)), "1.5e-10");
        assert_eq!(spell(Scalar::Float(0.000001)), "0.000001");
        assert_eq!(spell(Scalar::Float(-0.0)), "-0.0");
        assert_eq!(spell(Scalar::Int(-5)), "-5");
        assert_eq!(
            spell(Scalar::Str(Text::owned(*b"<&>\xe2\x80\xa8\xe2\x80\xa9\xe2\x82\xac\"\\\n\r\t\x08\x0c\x01\x7f\xff/"))),
            "\"\\u003c\\u0026\\u003e\\u2028\\u2029€\\\"\\\\\\n\\r\\t\\b\\f\\u0001\x7f\\ufffd/\""
        );
    }

    fn blanks() -> impl Strategy<Value = &'static str> {
        prop_oneof![Just(""), Just(" "), Just("\n"), Just("\n  "), Just("\r\n\t"), Just("\t")]
    }

    fn value() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("null".to_owned()),
            any::<i64>().prop_map(|n| n.to_string()),
            any::<String>().prop_map(|s| json!(s).to_string())
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                object(inner.clone()),
                (proptest::collection::vec((blanks(), inner), 0..4)).prop_map(|items| {
                    let items: Vec<_> =
                        items.into_iter().map(|(blanks, item)| format!("{blanks}{item}{blanks}")).collect();
                    format!("[{}]", items.join(","))
                }),
            ]
        })
    }

    fn object(value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
        (proptest::collection::vec((blanks(), "[a-z]{0,3}", value, blanks()), 0..4), blanks()).prop_map(
            |(members, end)| {
                let members: Vec<_> = members
                    .into_iter()
                    .map(|(before, key, value, after)| format!("{before}\"{key}\":{value}{after}"))
                    .collect();
                format!("{{{}{end}}}", members.join(","))
            },
        )
    }

    proptest! {
        #[test]
        fn any_document_comes_back_when_its_attachment_is_cut(source in object(value()), end in blanks()) {
            check_round_trip((source + end).as_bytes());
        }

        #[test]
        fn any_bytes_are_a_document_or_an_error(source in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = parse(&source);
            let _ = parse(&[b"{\"a\":", &source[..]].concat());
        }

        #[test]
        fn spelled_strings_read_back(text in any::<String>()) {
            let leaf = Leaf { scalar: Scalar::Null, span: Span::default(), style: Style::Double };
            let token = spell(b"", &leaf, &Scalar::Str(Text::owned(text.as_bytes())));
            prop_assert_eq!(strings(&[b"{\"a\":", &token[..], b"}"].concat()), [text.into_bytes()]);
        }
    }
}
