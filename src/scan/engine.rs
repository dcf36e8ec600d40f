//! From bytes to candidates: keywords first, then the patterns and detectors of those that stand in the text.

use std::ops::Range;
use std::sync::OnceLock;

use aho_corasick::{AhoCorasick, MatchKind};
use regex_automata::Input;
use regex_automata::meta::Regex;
use regex_automata::util::syntax;

use super::weigh::{Dropped, weigh};
use super::{Candidate, Detector, Hit, Reach, Rule, RuleError, RuleIndex, Ruleset, Text};

/// The rules and detectors in force, ready to look through texts. Shared by all threads.
pub struct Engine {
    rules: Ruleset,
    detectors: Vec<Box<dyn Detector>>,
    keywords: AhoCorasick,
    /// Who wants a keyword, by the keyword's number.
    wanted_by: Vec<Vec<Wanted>>,
    patterns: Vec<Option<Pattern>>,
}

/// What a scan left out, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unscanned {
    /// More matches than a text may have.
    TooManyMatches,
    /// It is larger than the limit.
    TooLarge,
    /// It is not there: a partial or shallow clone, or a damaged repository.
    Missing,
    /// It could not be read.
    Unreadable,
    /// More or deeper encodings than are followed.
    TooManyLayers,
}

#[derive(Debug, Clone, Copy)]
enum Wanted {
    Rule(usize),
    Detector { detector: usize, keyword: usize },
}

struct Pattern {
    text: String,
    /// The longest match.
    max_len: usize,
    compiled: OnceLock<Regex>,
    dropped: Dropped,
}

/// The longest match of a pattern without a bound, where its rule states none.
const MAX_LEN: usize = 512;

/// No text has more candidates of one rule.
const MAX_CANDIDATES: usize = 10_000;

impl Engine {
    /// Compiles rules. Fails where a pattern is not one.
    pub fn new(rules: Ruleset, detectors: Vec<Box<dyn Detector>>) -> Result<Self, RuleError> {
        let mut words: Vec<String> = Vec::new();
        let mut wanted_by: Vec<Vec<Wanted>> = Vec::new();
        let mut numbers = std::collections::HashMap::new();
        let mut want = |word: &str, wanted: Wanted| {
            let word = word.to_ascii_lowercase();
            let number = *numbers.entry(word.clone()).or_insert_with(|| {
                words.push(word);
                wanted_by.push(Vec::new());
                wanted_by.len() - 1
            });
            wanted_by[number].push(wanted);
        };
        let mut patterns = Vec::new();
        for (index, rule) in rules.iter() {
            patterns.push(Pattern::of(rule)?);
            if rule.pattern.is_some() {
                rule.keywords.iter().for_each(|word| want(word, Wanted::Rule(usize::from(index.0))));
            }
        }
        for (detector, found_by) in detectors.iter().enumerate() {
            for (keyword, word) in found_by.keywords().iter().enumerate() {
                want(word, Wanted::Detector { detector, keyword });
            }
        }
        let keywords = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .build(&words)
            .map_err(|error| RuleError { file: "keywords".to_owned(), problem: error.to_string() })?;
        Ok(Self { rules, detectors, keywords, wanted_by, patterns })
    }

    /// The rules in force.
    pub fn rules(&self) -> &Ruleset {
        &self.rules
    }

    /// Adds the candidates of a text, by offset, and says what was left out.
    pub fn scan(&self, bytes: &[u8], found: &mut Vec<Candidate>) -> Vec<Unscanned> {
        let text = Text { bytes, depth: 0 };
        let before = found.len();
        let mut windows: Vec<(usize, Range<usize>)> = Vec::new();
        let mut hits: Vec<(usize, Hit)> = Vec::new();
        for hit in self.keywords.find_overlapping_iter(bytes) {
            for wanted in &self.wanted_by[hit.pattern().as_usize()] {
                match *wanted {
                    Wanted::Rule(rule) => {
                        let reach = self.patterns[rule].as_ref().map_or(0, |pattern| pattern.max_len);
                        let window = hit.start().saturating_sub(reach)..(hit.end() + reach).min(bytes.len());
                        windows.push((rule, window));
                    }
                    Wanted::Detector { detector, keyword } => {
                        hits.push((detector, Hit { keyword, start: hit.start(), end: hit.end() }));
                    }
                }
            }
        }
        windows.sort_by_key(|(rule, window)| (*rule, window.start));
        let mut unscanned = Vec::new();
        let mut at = 0;
        while at < windows.len() {
            let (rule, mut window) = windows[at].clone();
            at += 1;
            while at < windows.len() && windows[at].0 == rule && windows[at].1.start <= window.end {
                window.end = window.end.max(windows[at].1.end);
                at += 1;
            }
            self.confirm(rule, bytes, window, found);
            if found.len() - before > MAX_CANDIDATES {
                unscanned.push(Unscanned::TooManyMatches);
                break;
            }
        }
        hits.sort_by_key(|(detector, hit)| (*detector, hit.start, hit.end));
        for of_one in hits.chunk_by(|one, other| one.0 == other.0) {
            let hits: Vec<Hit> = of_one.iter().map(|(_, hit)| *hit).collect();
            self.detectors[of_one[0].0].find(&text, &hits, found);
        }
        found[before..].sort_by_key(|candidate| (candidate.secret.start, candidate.secret.end, candidate.rule));
        unscanned
    }

    /// Adds the matches of a rule in a window.
    fn confirm(&self, rule: usize, bytes: &[u8], window: Range<usize>, found: &mut Vec<Candidate>) {
        let Some(pattern) = &self.patterns[rule] else { return };
        let written = self.rules.rule(RuleIndex(rule as u16));
        let regex = pattern.compiled();
        for captures in regex.captures_iter(Input::new(bytes).span(window)) {
            let Some(whole) = captures.get_match().map(|found| found.range()) else { continue };
            let group = captures
                .get_group_by_name("secret")
                .or_else(|| (1..captures.group_len()).find_map(|group| captures.get_group(group)));
            let secret = group.map_or(whole.clone(), |group| group.start..group.end);
            let mut candidate = Candidate {
                rule: RuleIndex(rule as u16),
                whole,
                secret,
                decoded: None,
                layers: Vec::new(),
                confidence: written.confidence,
                severity: None,
                notes: Vec::new(),
                key_path: None,
            };
            if weigh(written, &pattern.dropped, bytes, &mut candidate) {
                found.push(candidate);
            }
        }
    }

    /// The largest distance from a keyword that matters to rules and detectors with a window.
    pub fn reach(&self) -> usize {
        let patterns = self.patterns.iter().flatten().map(|pattern| pattern.max_len);
        let detectors = self.detectors.iter().filter_map(|detector| match detector.reach() {
            Reach::Window(bytes) => Some(bytes),
            Reach::Document => None,
        });
        patterns.chain(detectors).max().unwrap_or(0)
    }
}

impl Pattern {
    fn of(rule: &Rule) -> Result<Option<Self>, RuleError> {
        let Some(text) = &rule.pattern else { return Ok(None) };
        let fail = |problem: String| RuleError { file: rule.id.clone(), problem };
        let parsed = regex_syntax::ParserBuilder::new()
            .utf8(false)
            .unicode(false)
            .build()
            .parse(text)
            .map_err(|error| fail(error.to_string()))?;
        let bound = parsed.properties().maximum_len();
        let max_len = rule.max_len.or(bound).unwrap_or(MAX_LEN);
        Ok(Some(Self { text: text.clone(), max_len, compiled: OnceLock::new(), dropped: Dropped::default() }))
    }

    fn compiled(&self) -> &Regex {
        self.compiled.get_or_init(|| {
            let syntax = syntax::Config::new().utf8(false).unicode(false);
            let built = Regex::builder().syntax(syntax).configure(Regex::config().utf8_empty(false)).build(&self.text);
            built.expect("the pattern was parsed when the rule was")
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn engine(rules: &str) -> Engine {
        Engine::new(Ruleset::new(Rule::parse_all(rules, "test").unwrap()).unwrap(), Vec::new()).unwrap()
    }

    #[test]
    fn secret_is_the_group_and_edges_count() {
        let engine = engine(
            "[[rule]]\nid = 'a'\ntitle = 'A'\nseverity = 'high'\nkeywords = ['tok_']\npattern = '''x=(tok_[a-z]{4})'''\n",
        );
        let mut found = Vec::new();
        let text = b"x=tok_abcd, x=tok_abcde, TOK_, y=tok_abcd x=tok_wxyz";
        assert!(engine.scan(text, &mut found).is_empty());
        let secrets: Vec<&[u8]> = found.iter().map(|candidate| &text[candidate.secret.clone()]).collect();
        assert_eq!(secrets, [b"tok_abcd", b"tok_wxyz"]);
    }
}
