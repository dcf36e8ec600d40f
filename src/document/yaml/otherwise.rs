//! What go-yaml, and so sops, reads otherwise than our own parser: refused, as sops could not open what we would seal.
//!
//! Differences by which go-yaml alone accepts a file need no check. Tried with sops 3.13.3; see `scannerc.go` and
//! `yamlprivateh.go` of go-yaml v3.

use super::super::Root;
use super::super::node::{Branch, Node, Span, Style};

/// What is wrong with the name of an anchor or alias: for go-yaml it ends at the first character of another kind, and
/// what follows is content (`&a:b c` is the text `:b c`).
pub(super) fn name(name: &str) -> Option<&'static str> {
    let is_fit = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    (!is_fit).then_some("the name of an anchor or alias may hold letters, digits, `_` and `-` only")
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

/// The first of U+0085, U+2028 and U+2029, which end a line for go-yaml and not for us, that is not inside a plain or
/// quoted value.
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

/// The plain and quoted values, in order.
fn values_below(branch: &Branch, found: &mut Vec<Span>) {
    for item in &branch.items {
        match &item.node {
            Node::Leaf(leaf) if !matches!(leaf.style, Style::Literal { .. } | Style::Folded { .. }) => {
                // At the start of a plain one it is space before the value.
                let start = leaf.span.start + u32::from(matches!(leaf.style, Style::Plain | Style::PlainFlow));
                found.push(Span { start, end: leaf.span.end.max(start) });
            }
            Node::Map(inner) | Node::List(inner) => values_below(inner, found),
            _ => {}
        }
    }
}
