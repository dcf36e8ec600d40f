//! Values that are to be set: strings, and all that JSON can say.

use super::{detached, made};
use crate::document::node::{Item, Leaf, Node, Scalar, Text};
use crate::document::{Document, Format};

/// A value of any shape, made of nothing but itself. It is never printed.
#[derive(Clone)]
pub struct Value(pub(super) Node);

/// How the numbers of a JSON value are typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbers {
    /// Whole numbers are integers.
    AsWritten,
    /// As sops types them: a number that is the whole value is a float, inside of a map or list whole numbers are integers.
    AsSops,
}

/// A text that is not one JSON value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the value is not JSON")]
pub struct ValueError;

impl Value {
    /// A string of these bytes.
    pub fn string(bytes: &[u8]) -> Self {
        Self(made(Scalar::Str(Text::owned(bytes))))
    }

    /// What a JSON text says; keys keep their order.
    pub fn from_json(text: &[u8], numbers: Numbers) -> Result<Self, ValueError> {
        // The reader takes whole files, which are objects.
        let wrapped = zeroize::Zeroizing::new([b"{\"\":", text, b"\n}"].concat());
        let end = wrapped.len() - 1;
        std::str::from_utf8(text).map_err(|_| ValueError)?;
        let document = Document::parse(wrapped, Format::Json).map_err(|_| ValueError)?;
        let root = document.roots().first().ok_or(ValueError)?;
        match root.branch.items.as_slice() {
            // Text that closes the object early, or adds to it, is not a value.
            [Item { node, .. }] if root.branch.span.end as usize == end + 1 && root.attachment.is_none() => {
                let mut value = detached(document.source(), node);
                if let (Numbers::AsSops, Node::Leaf(Leaf { scalar, .. })) = (numbers, &mut value)
                    && let Scalar::Int(number) = scalar
                {
                    *scalar = Scalar::Float(*number as f64);
                }
                Ok(Self(value))
            }
            _ => Err(ValueError),
        }
    }

    /// Whether it is a string.
    pub fn is_string(&self) -> bool {
        matches!(&self.0, Node::Leaf(Leaf { scalar: Scalar::Str(_), .. }))
    }
}

impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::node::{Branch, Style};

    #[test]
    fn json_is_one_value_and_nothing_else() {
        let read = |text: &str| Value::from_json(text.as_bytes(), Numbers::AsWritten).map(|value| value.0);
        assert!(matches!(read(" 5 "), Ok(Node::Leaf(Leaf { scalar: Scalar::Int(5), .. }))));
        assert!(matches!(read("{\"b\": [1], \"a\": {}}"), Ok(Node::Map(Branch { items, .. })) if items.len() == 2));
        for text in ["", "x", "1, \"a\": 2", "1} garbage", "1}", "\"a", "[1", "{\"a\" 1}", "1 2"] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sops_makes_floats_of_whole_numbers() {
        let read = |text: &str| Value::from_json(text.as_bytes(), Numbers::AsSops).expect("it is JSON").0;
        assert!(matches!(read("5"), Node::Leaf(Leaf { scalar: Scalar::Float(5.0), .. })));
        let Node::List(list) = read("[5]") else { panic!("it is a list") };
        assert!(matches!(list.items[0].node, Node::Leaf(Leaf { scalar: Scalar::Int(5), style: Style::None, .. })));
    }
}
