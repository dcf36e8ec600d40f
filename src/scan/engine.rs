//! From bytes to candidates: keywords first, then the patterns and detectors of those that stand in the text.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use super::decode::{self, Budget};
use super::keywords::{Keyword, Keywords};
use super::pattern::{self, Pattern};
use super::weigh::weigh;
use super::{Candidate, Detector, Hit, Reach, RuleError, RuleIndex, Ruleset, Seen, Text};

/// The rules and detectors in force, ready to look through texts. Shared by all threads.
pub struct Engine {
    rules: Ruleset,
    detectors: Vec<Box<dyn Detector>>,
    keywords: Keywords<Wanted>,
    patterns: Vec<Option<Pattern>>,
    /// How many encodings are undone one upon the other.
    layers: usize,
    /// What threads need to look through a text, kept for the next one.
    idle: Mutex<Vec<Scratch>>,
}

/// What was left out of a scan, and why.
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
    /// An archive in more archives than are followed.
    TooDeep,
    /// An archive of more entries or bytes than are followed.
    TooMuch,
    /// The same files in more places than are followed.
    TooManyPlaces,
    /// The time that was given was over.
    OutOfTime,
    /// More bytes than were to be looked through.
    OverBudget,
}

#[derive(Debug, Clone, Copy)]
enum Wanted {
    Rule { rule: RuleIndex, case_counts: bool, keyword: usize },
    Detector { detector: usize, keyword: usize },
}

#[derive(Default)]
struct Scratch {
    patterns: Vec<Option<pattern::Scratch>>,
    keywords: Vec<Keyword>,
    hits: Vec<Vec<Hit>>,
    /// How many keywords of a rule were tried in the text at hand.
    tried: Vec<u32>,
}

/// A rule is tried at no more places of a text.
const MAX_TRIES: u32 = 100_000;

/// As many encodings are undone one upon the other where nothing else is said.
const LAYERS: usize = 4;

/// A text has no more candidates, those of the texts inside it included.
const MAX_CANDIDATES: usize = 50_000;

impl Engine {
    /// Makes ready to look for rules: patterns are compiled when they are first needed. Fails where the keywords are too many.
    pub fn new(rules: Ruleset, detectors: Vec<Box<dyn Detector>>) -> Result<Self, RuleError> {
        let mut keywords = Keywords::new();
        let mut patterns = Vec::new();
        for (index, rule) in rules.iter() {
            patterns.push(Pattern::of(rule));
            if rule.pattern.is_some() {
                for (keyword, word) in rule.keywords.iter().enumerate() {
                    keywords.want(word, Wanted::Rule { rule: index, case_counts: rule.keyword_case, keyword });
                }
            }
        }
        for (detector, found_by) in detectors.iter().enumerate() {
            for (keyword, word) in found_by.keywords().iter().enumerate() {
                keywords.want(word, Wanted::Detector { detector, keyword });
            }
        }
        keywords.check()?;
        Ok(Self { rules, detectors, keywords, patterns, layers: LAYERS, idle: Mutex::default() })
    }

    /// With another limit on how many encodings are undone one upon the other.
    pub fn with_layers(self, layers: usize) -> Self {
        Self { layers, ..self }
    }

    /// The rules in force.
    pub fn rules(&self) -> &Ruleset {
        &self.rules
    }

    /// What the candidates of a text depend on beside its bytes and this version of seal, to compare: rules, detectors, limits.
    pub fn settings(&self) -> String {
        let rules = self.rules.iter().map(|(_, rule)| format!("{rule:?}\n"));
        let detectors = self.detectors.iter().map(|one| format!("{:?} {}\n", one.keywords(), one.always()));
        rules.chain(detectors).chain([self.layers.to_string()]).collect()
    }

    /// Adds the candidates of a text, by offset, and says what was left out.
    pub fn scan(&self, bytes: &[u8], found: &mut Vec<Candidate>) -> Vec<Unscanned> {
        let mut scratch = self.scratch();
        let mut keywords = std::mem::take(&mut scratch.keywords);
        keywords.clear();
        self.find_keywords(bytes, 0..bytes.len(), &mut keywords);
        let unscanned = self.confirm(bytes, &keywords, found);
        scratch.keywords = keywords;
        self.put_back(scratch);
        unscanned
    }

    /// Adds every keyword within a range of a text, by where it ends: the first step of a scan, and the one that looks at all bytes.
    pub fn find_keywords(&self, bytes: &[u8], range: Range<usize>, keywords: &mut Vec<Keyword>) {
        self.keywords.find(bytes, range, |keyword| keywords.push(keyword));
    }

    /// Adds the candidates at the keywords of a text and in the texts inside it, by offset: the second step of a scan.
    pub fn confirm(&self, bytes: &[u8], keywords: &[Keyword], found: &mut Vec<Candidate>) -> Vec<Unscanned> {
        self.confirm_noting(bytes, keywords, found, &mut false)
    }

    /// The same; says in `is_structured` whether the whole of the text had a say in what is found in a part of it: where it is not
    /// found in this text, it may be in another one that has that part.
    pub(super) fn confirm_noting(
        &self,
        bytes: &[u8],
        keywords: &[Keyword],
        found: &mut Vec<Candidate>,
        is_structured: &mut bool,
    ) -> Vec<Unscanned> {
        let mut unscanned = Vec::new();
        let mut budget = Budget::new(self.layers);
        match decode::utf16(bytes) {
            // No keyword stands in it as it is.
            Some(inner) => {
                *is_structured = true;
                let text = Text { bytes: &inner.bytes, depth: 0 };
                let within = self.look_through(&text, &mut budget, &mut unscanned);
                found.extend(within.into_iter().map(|candidate| inner.lift(candidate)));
            }
            None => {
                let text = Text { bytes, depth: 0 };
                found.extend(self.look_at(&text, keywords, &mut budget, &mut unscanned, is_structured));
            }
        }
        unscanned.extend(budget.unscanned());
        unscanned.sort();
        unscanned.dedup();
        unscanned
    }

    /// How far a keyword's candidates depend on what surrounds it: the widest window of those who want it.
    pub fn reach(&self, keyword: Keyword) -> Reach {
        let reach = |wanted: &Wanted| match wanted {
            Wanted::Rule { rule, .. } => Reach::Window(self.pattern(*rule).map_or(0, Pattern::reach)),
            Wanted::Detector { detector, .. } => self.detectors[*detector].reach(),
        };
        let widest = |one: Reach, other: Reach| match (one, other) {
            (Reach::Window(one), Reach::Window(other)) => Reach::Window(one.max(other)),
            _ => Reach::Document,
        };
        self.keywords.wanted_by(keyword.number).iter().map(reach).fold(Reach::Window(0), widest)
    }

    /// The widest window around any keyword, of those that have one.
    pub fn widest(&self) -> usize {
        let of_rules = self.rules.iter().filter_map(|(rule, _)| self.pattern(rule)).map(Pattern::reach);
        let of_detectors = self.detectors.iter().filter_map(|detector| match detector.reach() {
            Reach::Window(bytes) => Some(bytes),
            Reach::Document => None,
        });
        of_rules.chain(of_detectors).max().unwrap_or(0)
    }

    /// The length of the longest keyword, in bytes.
    pub fn longest_keyword(&self) -> usize {
        self.keywords.longest()
    }

    /// The candidates of a text and of the texts inside it.
    fn look_through(&self, text: &Text<'_>, budget: &mut Budget, unscanned: &mut Vec<Unscanned>) -> Vec<Candidate> {
        let mut keywords = Vec::new();
        self.find_keywords(text.bytes, 0..text.bytes.len(), &mut keywords);
        self.look_at(text, &keywords, budget, unscanned, &mut false)
    }

    /// The candidates at the keywords of a text and in the texts inside it.
    fn look_at(
        &self,
        text: &Text<'_>,
        keywords: &[Keyword],
        budget: &mut Budget,
        unscanned: &mut Vec<Unscanned>,
        is_structured: &mut bool,
    ) -> Vec<Candidate> {
        let always = self.detectors.iter().any(|detector| detector.always());
        if keywords.is_empty() && !always {
            return Vec::new();
        }
        let mut scratch = self.scratch();
        scratch.hits.resize_with(self.detectors.len(), Vec::new);
        let mut candidates = Vec::new();
        if !self.match_patterns(&mut scratch, text.bytes, keywords, &mut candidates) {
            unscanned.push(Unscanned::TooManyMatches);
        }
        let mut seen = Seen { candidates, inner: Vec::new(), values: Vec::new(), ciphertext: Vec::new(), budget };
        for (detector, hits) in self.detectors.iter().zip(&mut scratch.hits) {
            if !hits.is_empty() || detector.always() {
                hits.sort_unstable_by_key(|hit| (hit.start, hit.end));
                detector.look(text, hits, &mut seen);
                hits.clear();
                cap(&mut seen.candidates, unscanned);
            }
        }
        self.put_back(scratch);
        *is_structured = !seen.ciphertext.is_empty() || !seen.values.is_empty();
        let mut count = 0;
        let mut candidates = decode::settle(&self.rules, text, seen, |inner, budget| {
            if count >= MAX_CANDIDATES {
                unscanned.push(Unscanned::TooManyMatches);
                return Vec::new();
            }
            let within = self.look_through(inner, budget, unscanned);
            count += within.len();
            within
        });
        cap(&mut candidates, unscanned);
        candidates
    }

    /// Adds the matches of patterns at keywords, and sorts the keywords of detectors by who wants them. False where some were left
    /// out, as there are too many.
    fn match_patterns(
        &self,
        scratch: &mut Scratch,
        bytes: &[u8],
        keywords: &[Keyword],
        found: &mut Vec<Candidate>,
    ) -> bool {
        let mut is_whole = true;
        scratch.patterns.resize_with(self.patterns.len(), || None);
        scratch.tried.clear();
        scratch.tried.resize(self.patterns.len(), 0);
        for &Keyword { start, end, number } in keywords {
            for wanted in self.keywords.wanted_by(number) {
                match *wanted {
                    Wanted::Detector { detector, keyword } => scratch.hits[detector].push(Hit { keyword, start, end }),
                    Wanted::Rule { rule, case_counts, keyword } => {
                        let at = usize::from(rule.0);
                        if case_counts && self.rules.rule(rule).keywords[keyword].as_bytes() != &bytes[start..end] {
                            continue;
                        }
                        scratch.tried[at] += 1;
                        if scratch.tried[at] > MAX_TRIES || found.len() >= MAX_CANDIDATES {
                            is_whole = false;
                            continue;
                        }
                        let Some(pattern) = self.pattern(rule) else { continue };
                        if let Some(matched) = pattern.find(bytes, start..end, &mut scratch.patterns[at]) {
                            self.accept(rule, pattern, bytes, matched, found);
                        }
                    }
                }
            }
        }
        // A match that holds two keywords was found at each.
        let place = |one: &Candidate| (one.secret.start, one.secret.end, one.rule, one.whole.start, one.whole.end);
        found.sort_by_key(place);
        found.dedup_by_key(|one| place(one));
        is_whole
    }

    /// Adds a match, if what the rule asks beyond its pattern holds.
    fn accept(
        &self,
        rule: RuleIndex,
        pattern: &Pattern,
        bytes: &[u8],
        matched: pattern::Found,
        found: &mut Vec<Candidate>,
    ) {
        let written = self.rules.rule(rule);
        let mut candidate = Candidate {
            rule,
            whole: matched.whole,
            secret: matched.secret,
            decoded: None,
            layers: Vec::new(),
            confidence: written.confidence,
            severity: None,
            notes: Vec::new(),
            key_path: None,
        };
        if weigh(written, pattern.dropped(), bytes, &mut candidate) {
            found.push(candidate);
        }
    }

    fn scratch(&self) -> Scratch {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    fn put_back(&self, scratch: Scratch) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(scratch);
    }

    fn pattern(&self, rule: RuleIndex) -> Option<&Pattern> {
        self.patterns[usize::from(rule.0)].as_ref()
    }
}

/// Leaves out what is too much, and says so.
fn cap(candidates: &mut Vec<Candidate>, unscanned: &mut Vec<Unscanned>) {
    if candidates.len() > MAX_CANDIDATES {
        candidates.truncate(MAX_CANDIDATES);
        unscanned.push(Unscanned::TooManyMatches);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::Rule;
    use super::*;

    fn engine(rules: &str) -> Engine {
        Engine::new(Ruleset::new(Rule::parse_all(rules, "test").unwrap()).unwrap(), Vec::new()).unwrap()
    }

    /// Finds something at every place.
    struct Everywhere;

    impl Detector for Everywhere {
        fn keywords(&self) -> &[&str] {
            &["tok"]
        }

        fn reach(&self) -> Reach {
            Reach::Document
        }

        fn find(&self, text: &Text<'_>, _: &[Hit], found: &mut Vec<Candidate>) {
            let one = |at| Candidate::at(RuleIndex(0), at..at + 1, crate::scan::Confidence::High);
            found.extend((0..text.bytes.len()).map(one));
        }
    }

    #[test]
    fn what_is_too_much_is_left_out_and_told() {
        let rules = "[[rule]]\nid = 'a'\ntitle = 'A'\nseverity = 'high'\ndetector = 'pem'\n";
        let rules = Ruleset::new(Rule::parse_all(rules, "test").unwrap()).unwrap();
        let engine = Engine::new(rules, vec![Box::new(Everywhere)]).unwrap();
        for (length, unscanned) in [(MAX_CANDIDATES, vec![]), (MAX_CANDIDATES + 1, vec![Unscanned::TooManyMatches])] {
            let mut found = Vec::new();
            let mut text = vec![b'.'; length];
            text[..3].copy_from_slice(b"tok");
            assert_eq!(engine.scan(&text, &mut found), unscanned);
            assert_eq!(found.len(), MAX_CANDIDATES);
        }
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
