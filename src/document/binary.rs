//! Binary files: the whole file is one value named `data`.
//!
//! Encrypted, such a file is JSON, so this format is only ever read here in its plain form.

use zeroize::Zeroizing;

use super::node::{Branch, Item, Key, Leaf, Node, Scalar, Span, Style, Text};
use super::{ParseError, Root};

pub(super) fn parse(source: &[u8]) -> Result<Vec<Root>, ParseError> {
    let span = Span::new(0, source.len());
    let leaf = Leaf { scalar: Scalar::Str(Text::Source(span)), span, style: Style::Plain };
    let item = Item { key: Some(Key::made(*b"data")), node: Node::Leaf(leaf) };
    let branch = Branch { items: vec![item], span, flow: false };
    Ok(vec![Root { branch, attachment: None, attach_at: span.end }])
}

pub(super) fn spell(_source: &[u8], _leaf: &Leaf, value: &Scalar) -> Zeroizing<Vec<u8>> {
    match value {
        Scalar::Str(Text::Owned(bytes)) => Zeroizing::new(bytes.to_vec()),
        _ => Zeroizing::new(Vec::new()),
    }
}
