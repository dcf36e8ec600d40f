//! All keywords of all rules and detectors, looked for in one pass.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use super::RuleError;

/// The keywords, and who wants them.
pub struct Keywords<T> {
    words: Vec<String>,
    /// By the number of a keyword.
    wanted_by: Vec<Vec<T>>,
    numbers: HashMap<String, usize>,
    /// Ready at once, and slower.
    small: OnceLock<AhoCorasick>,
    /// Three times as fast, and worth building only for much text.
    fast: OnceLock<AhoCorasick>,
    /// Bytes looked through so far.
    looked_through: AtomicUsize,
}

/// A keyword in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Keyword {
    /// Where it starts, as byte offset.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
    /// Its number.
    pub number: usize,
}

/// From this many bytes on the fast automaton has paid for itself.
const WORTH_BUILDING: usize = 4 << 20;

impl<T> Keywords<T> {
    /// No keywords yet.
    pub fn new() -> Self {
        Self {
            words: Vec::new(),
            wanted_by: Vec::new(),
            numbers: HashMap::new(),
            small: OnceLock::new(),
            fast: OnceLock::new(),
            looked_through: AtomicUsize::new(0),
        }
    }

    /// Adds a word that somebody wants to know of. The case of ASCII letters is ignored.
    pub fn want(&mut self, word: &str, wanted_by: T) {
        let word = word.to_ascii_lowercase();
        let number = *self.numbers.entry(word.clone()).or_insert_with(|| {
            self.words.push(word);
            self.wanted_by.push(Vec::new());
            self.words.len() - 1
        });
        self.wanted_by[number].push(wanted_by);
    }

    /// Fails where the words are too many to look for at once.
    pub fn check(&self) -> Result<(), RuleError> {
        let fail =
            |error: aho_corasick::BuildError| RuleError { file: "keywords".to_owned(), problem: error.to_string() };
        let built = self.build(AhoCorasickKind::ContiguousNFA).map_err(fail)?;
        let _ = self.small.set(built);
        Ok(())
    }

    /// Who wants a keyword.
    pub fn wanted_by(&self, number: usize) -> &[T] {
        &self.wanted_by[number]
    }

    /// The length of the longest one, in bytes.
    pub fn longest(&self) -> usize {
        self.words.iter().map(String::len).max().unwrap_or(0)
    }

    /// Calls `each` with every keyword that lies within `range` of a text, by where it ends.
    pub fn find(&self, text: &[u8], range: Range<usize>, mut each: impl FnMut(Keyword)) {
        let offset = range.start;
        let text = &text[range];
        let before = self.looked_through.fetch_add(text.len(), Ordering::Relaxed);
        let automaton = if before.saturating_add(text.len()) < WORTH_BUILDING {
            self.small.get_or_init(|| self.build(AhoCorasickKind::ContiguousNFA).expect(CHECKED))
        } else {
            self.fast.get_or_init(|| self.build(AhoCorasickKind::DFA).expect(CHECKED))
        };
        for found in automaton.find_overlapping_iter(text) {
            let number = found.pattern().as_usize();
            each(Keyword { start: offset + found.start(), end: offset + found.end(), number });
        }
    }

    fn build(&self, kind: AhoCorasickKind) -> Result<AhoCorasick, aho_corasick::BuildError> {
        let mut builder = AhoCorasick::builder();
        builder.ascii_case_insensitive(true).match_kind(MatchKind::Standard).kind(Some(kind)).prefilter(false);
        builder.build(&self.words)
    }
}

const CHECKED: &str = "the words were built into an automaton before";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_words_in_any_case_are_all_found_by_both_automata() {
        let mut keywords = Keywords::new();
        for (word, name) in [("token", 1), ("tok", 2), ("kent", 3), ("TOKEN", 4)] {
            keywords.want(word, name);
        }
        assert!(keywords.check().is_ok());
        let text = b"a ToKeNt";
        let find = || {
            let mut found = Vec::new();
            keywords.find(text, 1..text.len(), |keyword| found.push(keyword));
            found
        };
        let slow = find();
        keywords.looked_through.store(WORTH_BUILDING, Ordering::Relaxed);
        assert_eq!(find(), slow);
        let spans: Vec<_> = slow.iter().map(|keyword| (keyword.start, keyword.end)).collect();
        assert_eq!(spans, [(2, 5), (2, 7), (4, 8)]);
        assert_eq!(keywords.wanted_by(slow[1].number), [1, 4]);
    }
}
