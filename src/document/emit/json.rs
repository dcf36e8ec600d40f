//! Documents as JSON, in the bytes of Go's `encoding/json`.
//!
//! Comments are left out, times are strings; bytes that are no UTF-8 are refused, where Go would replace them.

use zeroize::Zeroizing;

use super::{EmitError, Indent, cannot_hold, key};
use crate::document::Format;
use crate::document::node::{Branch, Node, Scalar};
use crate::document::number::float_shortest;

/// A whole file, with its final line break.
pub(super) fn document(source: &[u8], branch: &Branch, indent: Indent) -> Result<Zeroizing<Vec<u8>>, EmitError> {
    let mut writer = Writer::new(source, Some(indent));
    writer.branch(branch, true, 0)?;
    writer.out.push(b'\n');
    Ok(writer.out)
}

/// One value, without a line break at its end.
pub(super) fn value(source: &[u8], node: &Node, indent: Indent) -> Result<Zeroizing<Vec<u8>>, EmitError> {
    let mut writer = Writer::new(source, Some(indent));
    writer.node(node, 0)?;
    Ok(writer.out)
}

/// One value on one line.
pub(super) fn compact(source: &[u8], node: &Node) -> Result<Zeroizing<Vec<u8>>, EmitError> {
    let mut writer = Writer::new(source, None);
    writer.node(node, 0)?;
    Ok(writer.out)
}

struct Writer<'a> {
    source: &'a [u8],
    out: Zeroizing<Vec<u8>>,
    /// What stands for one level; none for all on one line.
    step: Option<Vec<u8>>,
}

impl<'a> Writer<'a> {
    fn new(source: &'a [u8], indent: Option<Indent>) -> Self {
        let step = indent.map(|indent| match indent {
            Indent::Default | Indent::Tab => b"\t".to_vec(),
            Indent::Blanks(count) => vec![b' '; count],
        });
        Self { source, out: Zeroizing::new(Vec::new()), step }
    }

    fn node(&mut self, node: &Node, level: usize) -> Result<(), EmitError> {
        match node.resolved() {
            Node::Map(branch) => self.branch(branch, true, level),
            Node::List(branch) => self.branch(branch, false, level),
            Node::Leaf(leaf) => self.scalar(&leaf.scalar),
            Node::Comment(_) | Node::Alias { .. } => Ok(()),
        }
    }

    fn branch(&mut self, branch: &Branch, is_map: bool, level: usize) -> Result<(), EmitError> {
        let (open, close) = if is_map { (b'{', b'}') } else { (b'[', b']') };
        self.out.push(open);
        let mut is_empty = true;
        for item in branch.items.iter().filter(|item| !matches!(item.node, Node::Comment(_))) {
            if !is_empty {
                self.out.push(b',');
            }
            is_empty = false;
            self.line(level + 1);
            if is_map {
                self.string(key(item, self.source), "a key that is not UTF-8")?;
                self.out.extend_from_slice(if self.step.is_some() { b": " } else { b":" });
            }
            self.node(&item.node, level + 1)?;
        }
        if !is_empty {
            self.line(level);
        }
        self.out.push(close);
        Ok(())
    }

    fn line(&mut self, level: usize) {
        if let Some(step) = &self.step {
            self.out.push(b'\n');
            for _ in 0..level {
                self.out.extend_from_slice(step);
            }
        }
    }

    fn scalar(&mut self, scalar: &Scalar) -> Result<(), EmitError> {
        match scalar {
            Scalar::Null | Scalar::Unsupported => self.out.extend_from_slice(b"null"),
            Scalar::Bool(value) => self.out.extend_from_slice(if *value { b"true" } else { b"false" }),
            Scalar::Int(value) => self.out.extend_from_slice(value.to_string().as_bytes()),
            Scalar::Float(value) if !value.is_finite() => {
                return Err(cannot_hold(Format::Json, "a number that is infinite or none"));
            }
            Scalar::Float(value) => self.out.extend_from_slice(float(*value).as_bytes()),
            Scalar::Time(value) => self.string(value.as_bytes(), "")?,
            Scalar::Str(text) => self.string(text.bytes(self.source), "bytes that are not UTF-8")?,
        }
        Ok(())
    }

    fn string(&mut self, bytes: &[u8], what: &str) -> Result<(), EmitError> {
        let text = std::str::from_utf8(bytes).map_err(|_| cannot_hold(Format::Json, what))?;
        self.out.push(b'"');
        for c in text.chars() {
            let short = match c {
                '"' | '\\' => c as u8,
                '\u{8}' => b'b',
                '\u{c}' => b'f',
                '\n' => b'n',
                '\r' => b'r',
                '\t' => b't',
                '\0'..='\u{1f}' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                    self.out.extend_from_slice(format!("\\u{:04x}", u32::from(c)).as_bytes());
                    continue;
                }
                _ => {
                    self.out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                    continue;
                }
            };
            self.out.extend_from_slice(&[b'\\', short]);
        }
        self.out.push(b'"');
        Ok(())
    }
}

/// Go's spelling of a finite number; -0.0 keeps its type, which sops's `-0` does not.
fn float(value: f64) -> String {
    if value == 0.0 && value.is_sign_negative() {
        return "-0.0".into();
    }
    // One digit of a negative exponent is enough here: 1e-7, but 1e+21 has two anyway.
    float_shortest(value, -6, 21).replace("e-0", "e-")
}
