//! dotenv, as sops reads it: `NAME=VALUE` lines and `#` lines, nothing trimmed, nothing quoted.
//!
//! A line ends at `\n` (a `\r` before it is part of the value), the name at the first `=`. The two characters `\n` in a
//! value stand for a line break; a backslash means nothing else, so such a pair cannot be written itself. All values
//! are strings. The attachment is every line whose name starts with `sops_`, wherever it stands.

use zeroize::Zeroizing;

use super::attachment::{self, Attachment, AttachmentStyle};
use super::edit::Edits;
use super::node::{Branch, Comment, Item, Key, Leaf, Node, Scalar, Span, Style, Text};
use super::number::{float_plain, float_shortest};
use super::{Format, ParseError, ParseProblem, Root};

const PREFIX: &[u8] = b"sops_";

/// Reads the lines; empty ones hold nothing and are kept.
pub(super) fn parse(source: &[u8]) -> Result<Vec<Root>, ParseError> {
    let mut items = Vec::new();
    let mut flat = Vec::new();
    let mut cuts: Vec<Span> = Vec::new();
    let mut start = 0;
    for line in source.split_inclusive(|&byte| byte == b'\n') {
        let next = start + line.len();
        let end = next - usize::from(line.ends_with(b"\n"));
        let line = &source[start..end];
        if line.starts_with(b"#") {
            let span = Span::new(start + 1, end);
            items.push(Item {
                key: None,
                node: Node::Comment(Comment { text: Text::Source(span), span, inline: false, lost: false }),
            });
        } else if let Some(sign) = memchr::memchr(b'=', line) {
            let span = Span::new(start + sign + 1, end);
            let text = unescape(source, span);
            if let Some(name) = line[..sign].strip_prefix(PREFIX) {
                let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                flat.push((lossy(name), lossy(text.bytes(source))));
                match cuts.last_mut() {
                    Some(cut) if cut.end as usize == start => cut.end = next as u32,
                    _ => cuts.push(Span::new(start, next)),
                }
            } else {
                let name = Span::new(start, start + sign);
                let key = Key { text: Text::Source(name), span: name, is_string: true };
                let leaf = Leaf { scalar: Scalar::Str(text), span, style: Style::Plain };
                items.push(Item { key: Some(key), node: Node::Leaf(leaf) });
            }
        } else if !line.is_empty() {
            let problem = ParseProblem::Syntax("a line needs a `=` between name and value".into());
            return Err(ParseError::at(Format::Dotenv, problem, source, start));
        }
        start = next;
    }

    let end = Span::new(0, source.len()).end;
    let attach_at = cuts.last().filter(|cut| cut.end == end).map_or(end, |cut| cut.start);
    let branch = Branch { items, span: Span { start: 0, end: attach_at }, flow: false };
    let attachment = (!cuts.is_empty()).then(|| Attachment {
        value: attachment::unflatten(flat).ok(),
        cuts,
        style: AttachmentStyle::default(),
    });
    Ok(vec![Root { branch, attachment, attach_at }])
}

fn unescape(source: &[u8], span: Span) -> Text {
    let mut rest = &source[span.range()];
    if memchr::memmem::find(rest, b"\\n").is_none() {
        return Text::Source(span);
    }
    let mut out = Zeroizing::new(Vec::with_capacity(rest.len()));
    while let Some(at) = memchr::memmem::find(rest, b"\\n") {
        out.extend_from_slice(&rest[..at]);
        out.push(b'\n');
        rest = &rest[at + 2..];
    }
    out.extend_from_slice(rest);
    Text::owned(std::mem::take(&mut *out))
}

/// `text` with its line breaks as `\n`.
pub(super) fn escape_line_breaks(text: &[u8]) -> Zeroizing<Vec<u8>> {
    let breaks = memchr::memchr_iter(b'\n', text).count();
    let mut out = Zeroizing::new(Vec::with_capacity(text.len() + breaks));
    for (at, line) in text.split(|&byte| byte == b'\n').enumerate() {
        out.extend_from_slice(if at > 0 { b"\\n" } else { b"" });
        out.extend_from_slice(line);
    }
    out
}

/// How `value` is written in the place of any leaf.
pub(super) fn spell(source: &[u8], leaf: &Leaf, value: &Scalar) -> Zeroizing<Vec<u8>> {
    escape_line_breaks(&text_of(source, leaf, value))
}

/// A value as the text that sops makes of it in the two formats that know strings only, dotenv and INI.
///
/// A float has an exponent from `1E+06` on and below `1E-04`, else a decimal point (Go's `%G`); a timestamp loses its
/// fraction.
pub(super) fn text_of(source: &[u8], leaf: &Leaf, value: &Scalar) -> Zeroizing<Vec<u8>> {
    let text = match value {
        Scalar::Str(text) => return Zeroizing::new(text.bytes(source).to_vec()),
        Scalar::Unsupported => return Zeroizing::new(source[leaf.span.range()].to_vec()),
        Scalar::Null => "<nil>".into(),
        Scalar::Bool(value) => value.to_string(),
        Scalar::Int(value) => value.to_string(),
        Scalar::Float(value) if !value.is_finite() => float_plain(*value),
        Scalar::Float(value) => {
            let text = float_shortest(*value, -4, 6).replace('e', "E");
            if text.contains(['.', 'E']) { text } else { format!("{value:.1}") }
        }
        Scalar::Time(text) => match text.split_once('.') {
            Some((seconds, rest)) => seconds.to_owned() + rest.trim_start_matches(|c: char| c.is_ascii_digit()),
            None => text.to_string(),
        },
    };
    Zeroizing::new(text.into_bytes())
}

/// Puts `value` at the end, a line for each of its flattened names, in its own order.
///
/// A last line without line break gets one first. It is not part of what is cut later, as nothing tells that it was
/// not there before: bringing back a file without a final line break takes a memory of its layout.
pub(super) fn attach(source: &[u8], roots: &[Root], value: &serde_json::Value, _style: &AttachmentStyle) -> Edits {
    let mut edits = Edits::new();
    for root in roots {
        let content = &source[..root.attach_at as usize];
        let mut text = Vec::new();
        if content.last().is_some_and(|&byte| byte != b'\n') {
            text.push(b'\n');
        }
        for (name, value) in value.as_object().map(attachment::flatten).unwrap_or_default() {
            text.extend_from_slice(&[PREFIX, name.as_bytes(), b"="].concat());
            text.extend_from_slice(&escape_line_breaks(value.as_bytes()));
            text.push(b'\n');
        }
        edits.replace(Span { start: root.attach_at, end: root.attach_at }, &text);
    }
    edits
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

    fn shown(source: &str) -> Vec<String> {
        let source = source.as_bytes();
        let text = |text: &Text| String::from_utf8_lossy(text.bytes(source)).into_owned();
        let items = parse_one(source).branch.items;
        let show = |item: &Item| match (&item.key, &item.node) {
            (Some(key), Node::Leaf(Leaf { scalar: Scalar::Str(value), .. })) => {
                format!("{}={}", text(&key.text), text(value))
            }
            (None, Node::Comment(comment)) => format!("#{}", text(&comment.text)),
            _ => panic!(),
        };
        items.iter().map(show).collect()
    }

    fn envelope() -> serde_json::Value {
        json!({"version": "3.13.3", "age": [{"enc": "a\nb\n", "recipient": "age1x"}], "mac": "ENC[x]"})
    }

    fn attached(source: &[u8]) -> Zeroizing<Vec<u8>> {
        attach(source, &parse(source).unwrap(), &envelope(), &AttachmentStyle::default()).apply(source)
    }

    #[test]
    fn lines_are_taken_as_they_are() {
        assert_eq!(
            shown("# c \nA=1\r\n\nexport B = \"x\" # no comment\n =a=b\n=\n#\nC=\\\\n\\t\\n"),
            ["# c ", "A=1\r", "export B = \"x\" # no comment", " =a=b", "=", "#", "C=\\\n\\t\n"]
        );
        assert!(shown("").is_empty());
    }

    #[test]
    fn line_without_a_sign_is_an_error_that_does_not_quote_it() {
        let error = parse(b"A=1\nhunter2\n").unwrap_err();
        assert_eq!(error.line, 2);
        assert!(!error.to_string().contains("hunter2"));
        assert!(parse(b"A=1\r\n\r\n").is_err(), "a line of `\\r` alone is no empty line for sops either");
    }

    #[test]
    fn attachment_stands_flattened_at_the_end() {
        let with = attached(b"A=1\n");
        let want = "A=1\nsops_version=3.13.3\nsops_age__list_0__map_enc=a\\nb\\n\nsops_age__list_0__map_recipient=age1x\nsops_mac=ENC[x]\n";
        assert_eq!(std::str::from_utf8(&with).unwrap(), want);
        assert_eq!(&*attached(b"A=1"), &*with);
    }

    #[test]
    fn names_that_belong_to_sops_are_found_anywhere() {
        let source = b"sops_version=1\nA=1\nsops_mac=x\nsops_l__list_0=y\nB=2";
        let root = parse_one(source);
        let attachment = root.attachment.unwrap();
        assert_eq!(attachment.value, json!({"version": "1", "mac": "x", "l": ["y"]}).as_object().cloned());
        let mut edits = Edits::new();
        attachment.cuts.iter().for_each(|cut| edits.replace(*cut, b""));
        assert_eq!(&*edits.apply(source), b"A=1\nB=2");
        assert!(parse_one(b"sops_l__list_1=y").attachment.unwrap().value.is_none());
    }

    #[test]
    fn other_types_are_spelled_as_sops_does() {
        let leaf = Leaf { scalar: Scalar::Null, span: Span::default(), style: Style::Plain };
        let spell = |value: Scalar| String::from_utf8(spell(b"", &leaf, &value).to_vec()).unwrap();
        assert_eq!(spell(Scalar::Str(Text::owned(*b"a\nb\\"))), "a\\nb\\");
        assert_eq!(spell(Scalar::Float(1e21)), "1E+21");
        assert_eq!(spell(Scalar::Float(5.0)), "5.0");
        assert_eq!(spell(Scalar::Float(1e6)), "1E+06");
        assert_eq!(spell(Scalar::Float(999_999.5)), "999999.5");
        assert_eq!(spell(Scalar::Float(-0.0)), "-0.0");
        assert_eq!(spell(Scalar::Float(0.00001)), "1E-05");
        assert_eq!(spell(Scalar::Float(f64::INFINITY)), "+Inf");
        assert_eq!(spell(Scalar::Time("2024-01-02T03:04:05.12+02:00".into())), "2024-01-02T03:04:05+02:00");
    }

    proptest! {
        #[test]
        fn any_document_comes_back_when_its_attachment_is_cut(source in "(#?[a-z=\\\\n\r ]{0,6}=[ -~]{0,5}\n|\n){0,6}") {
            let with = attached(source.as_bytes());
            let attachment = parse_one(&with).attachment.unwrap();
            prop_assert_eq!(attachment.value, envelope().as_object().cloned());
            let mut edits = Edits::new();
            attachment.cuts.iter().for_each(|cut| edits.replace(*cut, b""));
            prop_assert_eq!(&*edits.apply(&with), source.as_bytes());
        }

        #[test]
        fn any_bytes_are_a_document_or_an_error(source in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = parse(&source);
        }
    }
}
