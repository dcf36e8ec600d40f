//! YAML scalars: which type a text stands for, and which text stands for a value.
//!
//! Both follow go-yaml v3, the library under sops, because the MAC counts typed values: what resolves to another type
//! there does not open there. Where go-yaml itself writes what does not read back (an indentation digit that is wrong
//! in lists, `-0` for a float, raw line separators) what is written here does. How scalars are found in a file is the
//! parser's matter, how whole documents are laid out is [`emit`](crate::document::emit)'s.
//! Source: go.yaml.in/yaml/v3 3.0.4, `resolve.go`, `encode.go`, `emitterc.go`; sops 3.13.3 was run on every rule.

mod block;
mod resolve;
mod spell;

pub(in crate::document) use block::{Below, Block};
pub(in crate::document) use resolve::{Resolved, resolve};
pub(in crate::document) use spell::{Place, plain, plain_text, spell};
