//! From bytes to candidates: keywords first, then the patterns and detectors of those that stand in the text.

use std::ops::Range;
use std::sync::OnceLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, Input, MatchKind};
use regex_automata::meta::Regex;
use regex_automata::util::syntax;

use super::{Candidate, Detector, Edges, Hit, Reach, Rule, RuleError, RuleIndex, Ruleset, Text};

/// The rules and detectors in force, ready to look through texts. Shared by all threads.
pub struct Engine {
    rules: Ruleset,
    detectors: Vec<Box<dyn Detector>>,
    keywords: AhoCorasick,
    /// Who wants a keyword, by the keyword's number.
    wanted_by: Vec<Keyword>,
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

/// A keyword in a text, and what came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct KeywordHit {
    /// Where it starts.
    pub start: u32,
    /// Which keyword of the engine.
    pub keyword: u16,
    /// None of those who want it found anything around it, not even what they then rejected.
    pub barren: bool,
}

#[derive(Debug, Clone, Copy)]
enum Wanted {
    Rule(usize),
    Detector { detector: usize, keyword: usize },
}

/// One that is asked what stands around a keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Asked {
    Rule(usize),
    Detector(usize),
}

/// A keyword and who wants it.
struct Keyword {
    len: usize,
    by: Vec<Wanted>,
    /// The largest reach of those that have one.
    reach: usize,
    /// Whether one of them looks at whole texts.
    by_document: bool,
}

/// The bytes around a hit that matter to one who wants it.
struct Window {
    who: Asked,
    bytes: Range<usize>,
    hit: usize,
    settled: bool,
}

struct Pattern {
    text: String,
    /// The longest match.
    max_len: usize,
    compiled: OnceLock<Regex>,
}

/// The longest match of a pattern without a bound, where its rule states none.
const MAX_LEN: usize = 512;

/// No text has more candidates of one rule.
const MAX_CANDIDATES: usize = 10_000;

impl Engine {
    /// Compiles rules. Fails where a pattern is not one.
    pub fn new(rules: Ruleset, detectors: Vec<Box<dyn Detector>>) -> Result<Self, RuleError> {
        let mut words: Vec<String> = Vec::new();
        let mut wanted_by: Vec<Keyword> = Vec::new();
        let mut numbers = std::collections::HashMap::new();
        let mut want = |word: &str, wanted: Wanted| {
            let word = word.to_ascii_lowercase();
            let number = *numbers.entry(word.clone()).or_insert_with(|| {
                wanted_by.push(Keyword { len: word.len(), by: Vec::new(), reach: 0, by_document: false });
                words.push(word);
                wanted_by.len() - 1
            });
            wanted_by[number].by.push(wanted);
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
        let fail = |problem: String| RuleError { file: "keywords".to_owned(), problem };
        if words.len() > usize::from(u16::MAX) {
            return Err(fail("there are more than 65,535 keywords".to_owned()));
        }
        let keywords = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            // Left to itself the crate takes an automaton a third as fast for this many words.
            .kind(Some(AhoCorasickKind::DFA))
            .build(&words)
            .map_err(|error| fail(error.to_string()))?;
        let mut engine = Self { rules, detectors, keywords, wanted_by: Vec::new(), patterns };
        for keyword in &mut wanted_by {
            for wanted in &keyword.by {
                match engine.reach_of(wanted.who()) {
                    usize::MAX => keyword.by_document = true,
                    reach => keyword.reach = keyword.reach.max(reach),
                }
            }
        }
        engine.wanted_by = wanted_by;
        Ok(engine)
    }

    /// The rules in force.
    pub fn rules(&self) -> &Ruleset {
        &self.rules
    }

    /// Adds the candidates of a text, by offset, and says what was left out.
    pub fn scan(&self, bytes: &[u8], found: &mut Vec<Candidate>) -> Vec<Unscanned> {
        let mut hits = Vec::new();
        self.keyword_hits(bytes, 0..bytes.len(), &mut hits);
        self.confirm(bytes, &mut hits, found)
    }

    /// Adds the keywords that stand wholly in a part of a text, by start and keyword.
    pub(super) fn keyword_hits(&self, bytes: &[u8], part: Range<usize>, hits: &mut Vec<KeywordHit>) {
        let before = hits.len();
        for hit in self.keywords.find_overlapping_iter(Input::new(bytes).span(part)) {
            // No text is larger than 4 GiB: see `confirm`.
            let (start, keyword) = (hit.start() as u32, hit.pattern().as_u32() as u16);
            hits.push(KeywordHit { start, keyword, barren: false });
        }
        hits[before..].sort_unstable_by_key(|hit| (hit.start, hit.keyword));
    }

    /// Adds the candidates of a text whose keywords are `hits`, and says of each hit whether anything came of it.
    ///
    /// A hit that comes in as barren, and all whose windows touch its own as well, is not looked at.
    pub(super) fn confirm(&self, bytes: &[u8], hits: &mut [KeywordHit], found: &mut Vec<Candidate>) -> Vec<Unscanned> {
        if u32::try_from(bytes.len()).is_err() {
            return vec![Unscanned::TooLarge];
        }
        // Who has a hit that must be looked at; the others' windows are not even computed.
        let mut asked: Vec<Asked> = Vec::new();
        for hit in hits.iter_mut() {
            let keyword = &self.wanted_by[usize::from(hit.keyword)];
            if !hit.barren || keyword.by_document {
                asked.extend(keyword.by.iter().map(|wanted| wanted.who()));
            }
        }
        if asked.is_empty() {
            return Vec::new();
        }
        asked.sort_unstable();
        asked.dedup();
        let mut windows: Vec<Window> = Vec::new();
        for (index, hit) in hits.iter_mut().enumerate() {
            let keyword = &self.wanted_by[usize::from(hit.keyword)];
            let (start, end) = (hit.start as usize, hit.start as usize + keyword.len);
            for wanted in &keyword.by {
                let who = wanted.who();
                if asked.binary_search(&who).is_err() {
                    continue;
                }
                let reach = self.reach_of(who);
                let bytes = start.saturating_sub(reach)..end.saturating_add(reach).min(bytes.len());
                windows.push(Window { who, bytes, hit: index, settled: hit.barren && reach != usize::MAX });
            }
            hit.barren = true;
        }
        windows.sort_unstable_by_key(|window| (window.who, window.bytes.start, window.hit));
        let before = found.len();
        let mut unscanned = Vec::new();
        let mut detector_hits: Vec<Hit> = Vec::new();
        for of_one in windows.chunk_by(|one, other| one.who == other.who) {
            let who = of_one[0].who;
            let mut looked_at: Vec<&[Window]> = Vec::new();
            let mut rest = of_one;
            while let Some(first) = rest.first() {
                let mut end = first.bytes.end;
                let touching = rest.iter().take_while(|window| {
                    let touches = window.bytes.start <= end;
                    end = if touches { end.max(window.bytes.end) } else { end };
                    touches
                });
                let (cluster, others) = rest.split_at(touching.count());
                rest = others;
                if cluster.iter().all(|window| window.settled) {
                    continue;
                }
                match who {
                    Asked::Rule(rule) => {
                        if self.search(rule, bytes, first.bytes.start..end, found) {
                            cluster.iter().for_each(|window| hits[window.hit].barren = false);
                        }
                        if found.len() - before > MAX_CANDIDATES {
                            unscanned.push(Unscanned::TooManyMatches);
                            hits.iter_mut().for_each(|hit| hit.barren = false);
                            return unscanned;
                        }
                    }
                    Asked::Detector(_) => looked_at.push(cluster),
                }
            }
            if let Asked::Detector(detector) = who {
                detector_hits.clear();
                for window in looked_at.iter().copied().flatten() {
                    let hit = hits[window.hit];
                    let keyword = &self.wanted_by[usize::from(hit.keyword)];
                    let start = hit.start as usize;
                    for wanted in &keyword.by {
                        if let Wanted::Detector { detector: by, keyword: number } = *wanted
                            && by == detector
                        {
                            detector_hits.push(Hit { keyword: number, start, end: start + keyword.len });
                        }
                    }
                }
                if detector_hits.is_empty() {
                    continue;
                }
                detector_hits.sort_unstable_by_key(|hit| (hit.start, hit.end, hit.keyword));
                detector_hits.dedup();
                let so_far = found.len();
                self.detectors[detector].find(&Text { bytes, depth: 0 }, &detector_hits, found);
                for candidate in &found[so_far..] {
                    for window in looked_at.iter().copied().flatten() {
                        if window.bytes.start <= candidate.whole.end && candidate.whole.start <= window.bytes.end {
                            hits[window.hit].barren = false;
                        }
                    }
                }
            }
        }
        found[before..].sort_by_key(|candidate| (candidate.secret.start, candidate.secret.end, candidate.rule));
        unscanned
    }

    /// Adds the matches of a rule in a window. Whether its pattern matches anywhere, whatever stands around it.
    fn search(&self, rule: usize, bytes: &[u8], window: Range<usize>, found: &mut Vec<Candidate>) -> bool {
        let Some(pattern) = &self.patterns[rule] else { return false };
        let written = self.rules.rule(RuleIndex(rule as u16));
        let regex = pattern.compiled();
        let mut matches = false;
        for captures in regex.captures_iter(regex_automata::Input::new(bytes).span(window)) {
            let Some(whole) = captures.get_match().map(|found| found.range()) else { continue };
            matches = true;
            let group = captures.get_group_by_name("secret").or_else(|| captures.get_group(1));
            let secret = group.map_or(whole.clone(), |group| group.start..group.end);
            if !edges_allow(written.edges, bytes, &secret) {
                continue;
            }
            found.push(Candidate {
                rule: RuleIndex(rule as u16),
                whole,
                secret,
                decoded: None,
                layers: Vec::new(),
                confidence: written.confidence,
                severity: None,
                notes: Vec::new(),
                key_path: None,
            });
        }
        matches
    }

    /// How far the finds of one depend on what surrounds a keyword; without bound for those that look at a whole text.
    fn reach_of(&self, who: Asked) -> usize {
        match who {
            Asked::Rule(rule) => self.patterns[rule].as_ref().map_or(0, |pattern| pattern.max_len),
            Asked::Detector(detector) => match self.detectors[detector].reach() {
                Reach::Window(bytes) => bytes,
                Reach::Document => usize::MAX,
            },
        }
    }

    /// Where a hit's keyword ends, and how many bytes around the keyword matter to those who want it.
    pub(super) fn extent(&self, hit: KeywordHit) -> (usize, usize) {
        let keyword = &self.wanted_by[usize::from(hit.keyword)];
        (hit.start as usize + keyword.len, keyword.reach)
    }

    /// The bytes of the longest keyword.
    pub(super) fn longest_keyword(&self) -> usize {
        self.wanted_by.iter().map(|keyword| keyword.len).max().unwrap_or(0)
    }

}

impl Wanted {
    fn who(&self) -> Asked {
        match *self {
            Self::Rule(rule) => Asked::Rule(rule),
            Self::Detector { detector, .. } => Asked::Detector(detector),
        }
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
        Ok(Some(Self { text: text.clone(), max_len, compiled: OnceLock::new() }))
    }

    fn compiled(&self) -> &Regex {
        self.compiled.get_or_init(|| {
            let syntax = syntax::Config::new().utf8(false).unicode(false);
            let built = Regex::builder().syntax(syntax).configure(Regex::config().utf8_empty(false)).build(&self.text);
            built.expect("the pattern was parsed when the rule was")
        })
    }
}

fn edges_allow(edges: Edges, bytes: &[u8], secret: &Range<usize>) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let token = |byte: u8| word(byte) || b"-+/=.".contains(&byte);
    let before = secret.start.checked_sub(1).map(|at| bytes[at]);
    let behind = bytes.get(secret.end).copied();
    let mut around = before.into_iter().chain(behind);
    match edges {
        Edges::Word => !around.any(word),
        Edges::Token => !around.any(token),
        Edges::None => true,
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
