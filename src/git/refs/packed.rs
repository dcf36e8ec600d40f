//! The file `packed-refs`: many refs, sorted, each with what its tag leads to.
//!
//! Source: git, Documentation/gitrepository-layout and `refs/packed-backend.c` for the traits in the first line.

use gix::ObjectId;
use gix::bstr::{BString, ByteSlice as _};

/// What a `packed-refs` holds, in its order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Packed {
    /// The refs.
    pub refs: Vec<PackedRef>,
    /// Whether a ref without a peeled id is known to be no tag, in all of it.
    pub is_fully_peeled: bool,
}

/// A ref in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackedRef {
    /// Its full name.
    pub name: BString,
    /// What it names.
    pub id: ObjectId,
    /// What that leads to, where it is a tag.
    pub peeled: Option<ObjectId>,
}

/// A line that is neither a ref nor a peeled id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of packed-refs is damaged")]
pub struct BadLine {
    line: usize,
}

impl Packed {
    /// Reads the file's bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadLine> {
        let mut packed = Self::default();
        for (at, line) in bytes.lines().enumerate() {
            let bad = BadLine { line: at + 1 };
            if let Some(traits) = line.strip_prefix(b"# pack-refs with:") {
                packed.is_fully_peeled = traits.fields().any(|word| word == b"fully-peeled");
            } else if let Some(peeled) = line.strip_prefix(b"^") {
                let last = packed.refs.last_mut().ok_or(bad.clone())?;
                last.peeled = Some(ObjectId::from_hex(peeled.trim_ascii_end()).map_err(|_| bad)?);
            } else if !line.starts_with(b"#") {
                let (id, name) = line.split_once_str(b" ").ok_or(bad.clone())?;
                let id = ObjectId::from_hex(id).map_err(|_| bad)?;
                packed.refs.push(PackedRef { name: name.into(), id, peeled: None });
            }
        }
        Ok(packed)
    }

    /// The file's bytes; the refs are sorted, and every peeled id must be there.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = b"# pack-refs with: peeled fully-peeled sorted \n".to_vec();
        for PackedRef { name, id, peeled } in &self.refs {
            bytes.extend_from_slice(format!("{id} ").as_bytes());
            bytes.extend_from_slice(name);
            bytes.push(b'\n');
            if let Some(peeled) = peeled {
                bytes.extend_from_slice(format!("^{peeled}\n").as_bytes());
            }
        }
        bytes
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_was_read() {
        let text = format!(
            "# pack-refs with: peeled fully-peeled sorted \n{a} refs/heads/main\n{b} refs/tags/v1\n^{a}\n",
            a = "1".repeat(40),
            b = "2".repeat(40)
        );
        let packed = Packed::parse(text.as_bytes()).unwrap();
        assert!(packed.is_fully_peeled && packed.refs.len() == 2 && packed.refs[1].peeled.is_some());
        assert_eq!(String::from_utf8(packed.to_bytes()).unwrap(), text);
    }

    #[test]
    fn odd_lines_are_errors_and_comments_are_not() {
        let id = "1".repeat(64);
        assert_eq!(Packed::parse(b"# old\n").unwrap(), Packed::default());
        assert_eq!(Packed::parse(format!("{id} refs/heads/x y").as_bytes()).unwrap().refs[0].name, "refs/heads/x y");
        for bad in ["^11\n", "x\n", "11 refs/heads/x\n", "\n", &format!("^{id}\n")] {
            assert!(Packed::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
