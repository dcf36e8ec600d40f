//! A text inside a text, and which bytes of the outer one stand for its own.

use std::ops::Range;

use zeroize::Zeroizing;

use crate::crypt::Plaintext;
use crate::scan::{Candidate, Layer};

/// A text inside a text: decoded from it, or a value whose spelling was undone.
#[derive(Debug)]
pub struct Inner {
    /// Its bytes.
    pub bytes: Zeroizing<Vec<u8>>,
    /// The bytes of the outer text that hold it.
    pub span: Range<usize>,
    /// Which of these stand for which byte.
    pub positions: Positions,
    /// What was undone, outermost first; nothing where only a value's own spelling was.
    pub layers: Vec<Layer>,
    /// The keys that lead to it.
    pub key_path: Option<String>,
}

/// Which bytes of an outer text stand for those of an inner one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Positions {
    /// All for all: it was compressed, or spelled in a way that is not followed.
    Whole,
    /// Each outer byte for this many bits.
    Digits {
        /// 4 in hexadecimal, 6 in base64, 8 where bytes stand as they are.
        bits: usize,
        /// The first outer byte.
        start: usize,
        /// Outer bytes that stand for nothing, such as line breaks: before which digit, and how many up to there.
        gaps: Vec<(usize, usize)>,
    },
    /// Where the unit starts that each byte came from, and where the last one ends.
    Units(Vec<u32>),
}

impl Positions {
    /// Outer bytes from `start` on, which stand for themselves.
    pub fn same(start: usize) -> Self {
        Self::Digits { bits: 8, start, gaps: Vec::new() }
    }

    /// The outer bytes, within `span`, that stand for a range of inner ones.
    pub fn outer(&self, inner: &Range<usize>, span: &Range<usize>) -> Range<usize> {
        let (start, end) = match self {
            Self::Whole => (span.start, span.end),
            Self::Digits { bits, start, gaps } => {
                let at = |digit: usize| {
                    let passed = gaps.partition_point(|(before, _)| *before <= digit);
                    start + digit + passed.checked_sub(1).map_or(0, |last| gaps[last].1)
                };
                let first = at(inner.start * 8 / bits);
                let last = (inner.end * 8).div_ceil(*bits);
                (first, if inner.is_empty() { first } else { at(last.saturating_sub(1)) + 1 })
            }
            Self::Units(starts) => {
                let at = |index: usize| starts.get(index).or(starts.last()).map_or(span.end, |start| *start as usize);
                let first = at(inner.start);
                // A unit may give several bytes: the end is where the next unit starts.
                let mut end = inner.end;
                while end > inner.start && end + 1 < starts.len() && starts[end] == starts[end - 1] {
                    end += 1;
                }
                (first, if inner.is_empty() { first } else { at(end) })
            }
        };
        let start = start.clamp(span.start, span.end);
        start..end.clamp(start, span.end)
    }

    /// Where the inner text that starts behind the first `count` bytes has its bytes.
    pub fn skip(self, count: usize) -> Self {
        match self {
            Self::Digits { bits: 8, start, gaps } => {
                let passed = gaps.partition_point(|(before, _)| *before <= count);
                let skipped = passed.checked_sub(1).map_or(0, |last| gaps[last].1);
                let gaps = gaps[passed..].iter().map(|(before, up_to)| (before - count, up_to - skipped)).collect();
                Self::Digits { bits: 8, start: start + count + skipped, gaps }
            }
            Self::Units(mut starts) => {
                starts.drain(..count.min(starts.len()));
                Self::Units(starts)
            }
            other => other,
        }
    }
}

impl Inner {
    /// What was found in it, as a find in the outer text.
    pub fn lift(&self, mut candidate: Candidate) -> Candidate {
        if candidate.decoded.is_none() {
            let secret = self.bytes.get(candidate.secret.clone()).unwrap_or_default();
            candidate.decoded = Some(Plaintext::from(secret));
        }
        candidate.secret = self.positions.outer(&candidate.secret, &self.span);
        candidate.whole = self.positions.outer(&candidate.whole, &self.span);
        candidate.layers.splice(0..0, self.layers.iter().copied());
        if self.key_path.is_some() {
            candidate.key_path.clone_from(&self.key_path);
        }
        candidate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_passed_over() {
        // ab\n  cd
        let positions = Positions::Digits { bits: 8, start: 10, gaps: vec![(2, 3)] };
        let span = 10..17;
        assert_eq!(positions.outer(&(0..2), &span), 10..12);
        assert_eq!(positions.outer(&(1..3), &span), 11..16);
        assert_eq!(positions.outer(&(2..4), &span), 15..17);
        assert_eq!(positions.clone().skip(1).outer(&(1..2), &span), 15..16);
        assert_eq!(positions.skip(3).outer(&(0..1), &span), 16..17);
    }

    #[test]
    fn a_unit_of_several_bytes_is_taken_as_a_whole() {
        // x \u00e9 y: the escape stands for two bytes.
        let positions = Positions::Units(vec![0, 1, 1, 7, 8]);
        let span = 0..8;
        assert_eq!(positions.outer(&(0..2), &span), 0..7);
        assert_eq!(positions.outer(&(2..4), &span), 1..8);
        assert_eq!(positions.outer(&(1..3), &span), 1..7);
    }
}
