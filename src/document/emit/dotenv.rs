//! Documents as dotenv files: a line a value.

use zeroize::Zeroizing;

use super::{EmitError, cannot_hold, key, shown, untyped};
use crate::document::Format;
use crate::document::node::{Branch, Node};

/// A flat map; what is nested is refused, and so are names that would read back as something else.
pub(super) fn document(source: &[u8], branch: &Branch) -> Result<Zeroizing<Vec<u8>>, EmitError> {
    let mut out = Zeroizing::new(Vec::new());
    for item in &branch.items {
        let name = key(item, source);
        match item.node.resolved() {
            Node::Comment(comment) => {
                for line in comment.text.bytes(source).split(|b| *b == b'\n') {
                    out.push(b'#');
                    out.extend_from_slice(line);
                    out.push(b'\n');
                }
            }
            Node::Leaf(leaf) => {
                if name.starts_with(b"#") || name.iter().any(|b| matches!(b, b'=' | b'\n')) {
                    return Err(cannot_hold(Format::Dotenv, format!("a value named {}", shown(name))));
                }
                out.extend_from_slice(name);
                out.push(b'=');
                for (at, line) in untyped(&leaf.scalar, source).split(|b| *b == b'\n').enumerate() {
                    if at > 0 {
                        out.extend_from_slice(b"\\n");
                    }
                    out.extend_from_slice(line);
                }
                out.push(b'\n');
            }
            _ => return Err(cannot_hold(Format::Dotenv, format!("the map or list {}", shown(name)))),
        }
    }
    Ok(out)
}
