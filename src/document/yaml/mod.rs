//! YAML: the tree, how scalars resolve and are spelled, where comments belong, and the envelope's place.
//!
//! Syntax is granit-parser's business; meaning is sops's, which reads YAML with go-yaml v3: which type a plain
//! scalar has ([`scalar`]), which map a comment belongs to ([`comments`]), what aliases stand for ([`tree`]).

mod comments;
mod envelope;
mod otherwise;
pub(in crate::document) mod scalar;
mod tree;

use super::{Format, ParseError, ParseProblem, Root};

pub(super) use envelope::attach;
pub(super) use scalar::{Resolved, resolve, spell};
pub(crate) use tree::duplicate_key;

pub(super) fn parse(source: &[u8]) -> Result<Vec<Root>, ParseError> {
    if source.starts_with(b"\xff\xfe") || source.starts_with(b"\xfe\xff") {
        let problem = "it is UTF-16; convert it first: iconv -f UTF-16 -t UTF-8".to_owned();
        return Err(ParseError::new(Format::Yaml, ParseProblem::Syntax(problem)));
    }
    let text = std::str::from_utf8(source)
        .map_err(|e| ParseError::at(Format::Yaml, ParseProblem::NotUtf8, source, e.valid_up_to()))?;
    if let Some(at) = otherwise::lone_carriage_return(source) {
        let problem =
            ParseProblem::Syntax("a line ends in a carriage return alone; convert it: tr '\\r' '\\n'".to_owned());
        return Err(ParseError::at(Format::Yaml, problem, source, at));
    }
    if let Some(at) = otherwise::byte_order_mark_inside(text) {
        let problem = ParseProblem::Syntax("there is a byte order mark inside the file; take it out".to_owned());
        return Err(ParseError::at(Format::Yaml, problem, source, at));
    }
    tree::build(text)
}
