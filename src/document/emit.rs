//! emit

use zeroize::Zeroizing;

use super::node::Node;
use super::{Document, Format};

/// Blanks per level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Indent {
    /// sops's own: 4 in YAML, a tab in JSON.
    #[default]
    Default,
    /// This many blanks; 0 in JSON: line breaks without indentation.
    Blanks(usize),
    /// A tab (JSON only).
    Tab,
}

/// Why a document cannot be written in a format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EmitError {
    /// The format has no way to say it.
    #[error("{format} cannot hold {what}")]
    CannotHold {
        /// The format asked for.
        format: Format,
        /// What it cannot hold.
        what: String,
    },
}

/// Writes all of a document in `format`, as sops would.
pub fn emit(_document: &Document, _format: Format, _indent: Indent) -> Result<Zeroizing<Vec<u8>>, EmitError> {
    unimplemented!()
}

/// Writes one value of a document, as `sops decrypt --extract` would.
pub fn emit_value(
    _document: &Document,
    _node: &Node,
    _format: Format,
    _indent: Indent,
) -> Result<Zeroizing<Vec<u8>>, EmitError> {
    unimplemented!()
}
