//! What go-yaml, and so sops, reads otherwise than our own parser: refused, as sops could not open what we would seal;
//! or, inside quotes, read as go-yaml does, as sops itself writes it.
//!
//! Differences by which go-yaml alone accepts a file need no check. Tried with sops 3.13.3; see `scannerc.go` and
//! `yamlprivateh.go` of go-yaml v3.

use granit_parser::{Event, Parser};

use super::super::Root;
use super::super::node::{Branch, Node, Span, Style};

/// What is wrong with the name of an anchor or alias: for go-yaml it ends at the first character of another kind, and
/// what follows is content (`&a:b c` is the text `:b c`).
pub(super) fn name(name: &str) -> Option<&'static str> {
    let is_fit = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    (!is_fit).then_some("the name of an anchor or alias may hold letters, digits, `_` and `-` only")
}

/// What is wrong with what stands behind an anchor: its name must end there for both parsers, and go on being an anchor
/// when the value behind it is replaced.
pub(super) fn behind_anchor(rest: &str) -> Option<&'static str> {
    let ends = rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n', ',', ']', '}']);
    (!ends).then_some("put a blank behind the name of the anchor")
}

/// What is wrong with the plain scalar `source[range]` inside a flow collection, key or value.
pub(super) fn flow_scalar(source: &str, range: &std::ops::Range<usize>) -> Option<&'static str> {
    if range.is_empty() {
        return None;
    }
    let (text, behind) = (&source[range.clone()], &source.as_bytes()[range.end..]);
    if text.contains('?') || text.starts_with(':') {
        return Some("put a text with `?`, or `:` at its start, in quotes between brackets");
    }
    // `{k:}` has the key `k:`.
    matches!(behind, [b':', b',' | b']' | b'}', ..]).then_some("put a blank behind the `:`")
}

/// A tab right below the `column` of the block around brackets, before what stands on one of the lines that start `within`
/// them. Our parser takes it behind a plain scalar alone, so not once that is sealed in quotes; go-yaml does the opposite.
pub(super) fn tab(source: &[u8], within: std::ops::Range<usize>, column: usize) -> Option<usize> {
    let starts = memchr::memchr_iter(b'\n', &source[within.clone()]).map(|at| within.start + at + 1);
    let is_indented = |start: &usize| {
        let line = &source[*start..];
        let blanks = line.iter().take_while(|b| **b == b' ').count();
        let content = line.iter().find(|b| !matches!(b, b' ' | b'\t'));
        blanks <= column
            && line.get(blanks) == Some(&b'\t')
            && content.is_some_and(|b| !matches!(b, b'#' | b'\r' | b'\n'))
    };
    starts.into_iter().find(is_indented)
}

/// What is said of it.
pub(super) const TAB: &str = "a line is indented by a tab; put blanks in its place";

/// A carriage return with no line feed behind it. It ends a line, as on the oldest of systems; no file that people edit has
/// one on purpose, and what is added to such a file would not fit it.
pub(super) fn lone_carriage_return(source: &[u8]) -> Option<usize> {
    memchr::memchr_iter(b'\r', source).find(|at| source.get(at + 1) != Some(&b'\n'))
}

/// A byte order mark at the start of a line that is not the first, or a second one there: parsers do not agree on whether it
/// is a column, so nothing can be lined up with what follows it.
pub(super) fn byte_order_mark_inside(source: &str) -> Option<usize> {
    let is_misplaced = |at: &usize| *at > 0 && (source[..*at].ends_with(['\n', '\u{feff}']));
    memchr::memmem::find_iter(source.as_bytes(), "\u{feff}").find(is_misplaced)
}

/// The first of U+0085, U+2028 and U+2029, which end a line for go-yaml and not for us, that is not inside a quoted
/// value, where [`quoted`] takes care of it.
pub(super) fn line_break(source: &str, roots: &[Root]) -> Option<usize> {
    let bytes = source.as_bytes();
    let is_break = |at: &usize| matches!(bytes[*at..], [0xc2, 0x85, ..] | [0xe2, 0x80, 0xa8 | 0xa9, ..]);
    let mut breaks = memchr::memchr2_iter(0xc2, 0xe2, bytes).filter(is_break).peekable();
    breaks.peek()?;
    let mut values = Vec::new();
    roots.iter().for_each(|root| values_below(&root.branch, &mut values));
    breaks.find(|at| {
        let next = values.partition_point(|value| value.end as usize <= *at);
        values.get(next).is_none_or(|value| value.start as usize > *at)
    })
}

/// What is said of such a line break.
pub(super) const LINE_BREAK: &str =
    "U+0085, U+2028 and U+2029 end a line; write them as \"\\N\", \"\\L\" and \"\\P\" or take them out";

/// The quoted values, in order.
fn values_below(branch: &Branch, found: &mut Vec<Span>) {
    for item in &branch.items {
        match &item.node {
            Node::Leaf(leaf)
                if matches!(leaf.style, Style::Single | Style::Double | Style::SingleFlow | Style::DoubleFlow) =>
            {
                found.push(leaf.span);
            }
            Node::Map(inner) | Node::List(inner) => values_below(inner, found),
            _ => {}
        }
    }
}

/// The value of the quoted scalar `token` where it has one of the three breaks; U+0085 is folded as a line feed is, the
/// other two stay, and the blanks around all of them go.
pub(super) fn quoted(token: &str) -> Option<String> {
    let breaks = ['\u{85}', '\u{2028}', '\u{2029}'];
    if !token.contains(breaks) || token.len() < 2 {
        return None;
    }
    let is_double = token.starts_with('"');
    let mut text = token[1..token.len() - 1].chars().peekable();
    let is_break = |c: &char| matches!(c, '\n' | '\r') || breaks.contains(c);
    // Of a double-quoted one this is the token again, with no line break left in it.
    let mut out = String::new();
    let mut put = |c: char| match c {
        '\n' if is_double => out.push_str("\\n"),
        '\u{2028}' if is_double => out.push_str("\\L"),
        '\u{2029}' if is_double => out.push_str("\\P"),
        c => out.push(c),
    };
    while let Some(c) = text.next() {
        let mut is_escaped = false;
        match c {
            '\'' if !is_double => {
                text.next();
                put(c);
                continue;
            }
            '\\' if is_double && text.peek().is_some_and(is_break) => is_escaped = true,
            '\\' if is_double => {
                put(c);
                text.next().into_iter().for_each(&mut put);
                continue;
            }
            ' ' | '\t' => {}
            c if is_break(&c) => {}
            c => {
                put(c);
                continue;
            }
        }
        // A run of blanks and breaks. After an escaped break only further breaks count.
        let (mut blanks, mut first, mut others) = (String::new(), None, Vec::new());
        let mut next = if is_escaped { text.next() } else { Some(c) };
        let mut is_first = is_escaped;
        while let Some(c) = next {
            if is_break(&c) {
                if c == '\r' && text.peek() == Some(&'\n') {
                    text.next();
                }
                let c = if breaks[1..].contains(&c) { c } else { '\n' };
                match (is_first, is_escaped || first.is_some()) {
                    (true, _) => is_first = false,
                    (false, true) => others.push(c),
                    (false, false) => first = Some(c),
                }
            } else if first.is_none() && !is_escaped {
                blanks.push(c);
            }
            next = text.next_if(|c| matches!(c, ' ' | '\t') || is_break(c));
        }
        match first {
            None if !is_escaped => blanks.chars().for_each(&mut put),
            Some('\n') if others.is_empty() => put(' '),
            Some(c) if c != '\n' => put(c),
            _ => {}
        }
        others.into_iter().for_each(&mut put);
    }
    if !is_double {
        return Some(out);
    }
    Parser::new_from_str(&format!("\"{out}\"")).find_map(|event| match event {
        Ok((Event::Scalar(value, ..), _)) => Some(value.into_owned()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn breaks_inside_quotes_are_folded_as_go_yaml_does() {
        // Values as sops 3.13.3 has them.
        for (token, value) in [
            ("'x\u{2028}    y'", "x\u{2028}y"),
            ("'x \u{2029}\ny'", "x\u{2029}\ny"),
            ("'it''s\u{85}  y'", "it's y"),
            ("\"x\u{85}\u{85}  y\"", "x\ny"),
            ("\"\\tx\\\u{2028}   y\\\"\"", "\txy\""),
            ("\"x  y\u{2028}\"", "x  y\u{2028}"),
        ] {
            assert_eq!(quoted(token).as_deref(), Some(value), "{token:?}");
        }
        assert_eq!(quoted("'plain'"), None);
    }
}
