//! json

pub(in crate::document) mod scalar;

use zeroize::Zeroizing;

use super::attachment::AttachmentStyle;
use super::edit::Edits;
use super::node::{Leaf, Scalar};
use super::{ParseError, Root};

pub(super) fn parse(_source: &[u8]) -> Result<Vec<Root>, ParseError> {
    unimplemented!()
}

pub(super) fn spell(_source: &[u8], _leaf: &Leaf, _value: &Scalar) -> Zeroizing<Vec<u8>> {
    unimplemented!()
}

pub(super) fn attach(_source: &[u8], _roots: &[Root], _value: &serde_json::Value, _style: &AttachmentStyle) -> Edits {
    unimplemented!()
}
