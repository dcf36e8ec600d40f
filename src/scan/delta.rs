//! A text that is a changed version of another: only what changed is looked at.
//!
//! Git stores most versions of a file as parts copied from another version with some bytes in between. What was found of the other
//! version (which keywords stand where, and of which nothing came) holds wherever a part was copied with enough around it. The
//! candidates are the very same as those of [`Engine::scan`]: the tests compare the two on random changes.

use super::{Candidate, Engine, Keyword, Reach, Unscanned};

/// A part of a text that is a changed version of another; all parts in order make up the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Bytes of the other text.
    Copied {
        /// Where they start in the other text.
        from: usize,
        /// How many.
        len: usize,
    },
    /// Other bytes.
    New {
        /// How many.
        len: usize,
    },
}

/// What is known of a text once it was looked through: enough to look through a changed version of it. It holds no byte of it.
#[derive(Debug, Default)]
pub struct Known {
    hits: Vec<Hit>,
    len: usize,
}

/// Looks through texts and changed versions of them; one a thread.
pub struct Versions<'a> {
    engine: &'a Engine,
    longest_keyword: usize,
    /// How many bytes around a keyword matter, by its number; `None` where it is all of the text. Filled as needed.
    reach: Vec<Option<Option<u32>>>,
    hits: Vec<Hit>,
    keywords: Vec<Keyword>,
}

/// A keyword in a text, and what came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Hit {
    start: u32,
    end: u32,
    number: u32,
    /// Nothing was found around it, and what was around it is still there.
    barren: bool,
}

/// A text with more keywords is always looked through as a whole: a limit may be reached, and what is left out must not depend on
/// how a text is stored.
const MAX_KEYWORDS: usize = 50_000;

impl<'a> Versions<'a> {
    /// Nothing looked through yet.
    pub fn new(engine: &'a Engine) -> Self {
        let longest_keyword = engine.longest_keyword();
        Self { engine, longest_keyword, reach: Vec::new(), hits: Vec::new(), keywords: Vec::new() }
    }

    /// [`Engine::scan`], and what is to be known of the text.
    pub fn look(&mut self, bytes: &[u8], found: &mut Vec<Candidate>) -> (Known, Vec<Unscanned>) {
        self.hits.clear();
        self.search(bytes, 0, bytes.len());
        self.confirm(bytes, found)
    }

    /// The same, for a text that is `parts` of another of which `base` is known.
    ///
    /// Copied parts lie within the other text, and the parts are as long as `bytes` together.
    pub fn look_again(
        &mut self,
        base: &Known,
        parts: &[Part],
        bytes: &[u8],
        found: &mut Vec<Candidate>,
    ) -> (Known, Vec<Unscanned>) {
        self.hits.clear();
        // Up to here the text was searched for keywords, or they were carried over.
        let mut done = 0;
        let mut at = 0;
        for part in parts {
            let (from, len) = match *part {
                Part::Copied { from, len } => (from, len),
                Part::New { len } => {
                    at += len;
                    continue;
                }
            };
            // Searching a short part is cheaper than the two seams. A part that is carried over is longer than both.
            if len > 2 * self.longest_keyword {
                self.search(bytes, done, at);
                self.carry(base, from..from + len, at, bytes.len());
                done = at + len;
            }
            at += len;
        }
        self.search(bytes, done, bytes.len());
        // What stands across a seam may end behind the first that were carried over.
        self.hits.sort_unstable_by_key(|hit| (hit.end, hit.start, hit.number));
        self.confirm(bytes, found)
    }

    /// Adds the keywords that are neither wholly before `start` nor wholly behind `end`: what lies there was, or will be, carried over.
    fn search(&mut self, bytes: &[u8], start: usize, end: usize) {
        let overlap = self.longest_keyword.saturating_sub(1);
        let part = start.saturating_sub(overlap)..end.saturating_add(overlap).min(bytes.len());
        self.keywords.clear();
        self.engine.find_keywords(bytes, part, &mut self.keywords);
        for &Keyword { start: first, end: last, number } in &self.keywords {
            if (last > start || start == 0) && (first < end || end == bytes.len()) {
                // Longer texts are given up in `confirm`.
                self.hits.push(Hit { start: first as u32, end: last as u32, number: number as u32, barren: false });
            }
        }
    }

    /// Adds the keywords of a copied part, which is at `to` now.
    fn carry(&mut self, base: &Known, from: std::ops::Range<usize>, to: usize, len: usize) {
        // Where a text starts or ends matters as much as a byte before or behind.
        let starts_both = from.start == 0 && to == 0;
        let ends_both = from.end == base.len && to + from.len() == len;
        let first = base.hits.partition_point(|hit| (hit.end as usize) <= from.start);
        for hit in base.hits[first..].iter().take_while(|hit| (hit.end as usize) <= from.end) {
            let Some(before) = (hit.start as usize).checked_sub(from.start) else { continue };
            let behind = from.end - hit.end as usize;
            let moved = |at: u32| (at as usize - from.start + to) as u32;
            let reach = self.reach(hit.number).map_or(usize::MAX, |reach| reach as usize);
            let is_around = (starts_both || before > reach) && (ends_both || behind > reach);
            self.hits.push(Hit {
                start: moved(hit.start),
                end: moved(hit.end),
                number: hit.number,
                barren: hit.barren && is_around,
            });
        }
    }

    /// Adds the candidates at the hits, and says of each hit whether anything came of it.
    fn confirm(&mut self, bytes: &[u8], found: &mut Vec<Candidate>) -> (Known, Vec<Unscanned>) {
        if u32::try_from(bytes.len()).is_err() {
            return (Known::default(), vec![Unscanned::TooLarge]);
        }
        let all = self.hits.len() > MAX_KEYWORDS;
        self.keywords.clear();
        for at in 0..self.hits.len() {
            let hit = self.hits[at];
            if !hit.barren || all || self.reach(hit.number).is_none() {
                self.keywords.push(Keyword {
                    start: hit.start as usize,
                    end: hit.end as usize,
                    number: hit.number as usize,
                });
            }
        }
        let before = found.len();
        let unscanned = self.engine.confirm(bytes, &self.keywords, found);
        // A candidate lies within reach of the keyword that it was found by, by whichever of those that are: no need to know.
        let mut wholes: Vec<(usize, usize)> =
            found[before..].iter().map(|one| (one.whole.start, one.whole.end)).collect();
        wholes.sort_unstable();
        let longest = wholes.iter().map(|(start, end)| end - start).max().unwrap_or(0);
        for at in 0..self.hits.len() {
            let hit = self.hits[at];
            let Some(reach) = self.reach(hit.number) else { continue };
            let from = (hit.start as usize).saturating_sub(reach as usize + 1);
            let to = hit.end as usize + reach as usize + 1;
            let first = wholes.partition_point(|(start, _)| *start < from.saturating_sub(longest));
            let mut near = wholes[first..].iter().take_while(|(start, _)| *start <= to);
            self.hits[at].barren = unscanned.is_empty() && !near.any(|(_, end)| *end >= from);
        }
        (Known { hits: self.hits.clone(), len: bytes.len() }, unscanned)
    }

    fn reach(&mut self, number: u32) -> Option<u32> {
        let at = number as usize;
        if at >= self.reach.len() {
            self.reach.resize(at + 1, None);
        }
        *self.reach[at].get_or_insert_with(|| match self.engine.reach(Keyword { start: 0, end: 0, number: at }) {
            Reach::Window(bytes) => u32::try_from(bytes).ok(),
            Reach::Document => None,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::scan::{Detector, Hit, Rule, RuleIndex, Ruleset, Text};

    const RULES: &str = r#"
[[rule]]
id = "edges"
title = "A"
severity = "high"
keywords = ["tok_"]
pattern = '''tok_[a-c]{4}'''
[[rule]]
id = "anchored"
title = "A"
severity = "high"
keywords = ["key"]
max_len = 15
pattern = '''^key=[a-z]+$|(?m:^)key: ([a-c]{1,9})$'''
[[rule]]
id = "greedy"
title = "A"
severity = "high"
keywords = ["key", "=ab"]
edges = "none"
max_len = 20
pattern = '''\b[a-c]{0,6}key[ =:]*(?:abc?)+'''
[[rule]]
id = "before"
title = "A"
severity = "high"
keywords = ["end"]
edges = "token"
max_len = 12
pattern = '''[a-c]{2,8}=end'''
"#;

    /// Finds `pair` where a `b` is near, and in a whole text the number of `c` before the last `sum`.
    struct Near(Reach);

    impl Detector for Near {
        fn keywords(&self) -> &[&str] {
            &["abc", "=ab", "end"]
        }

        fn reach(&self) -> Reach {
            self.0
        }

        fn find(&self, text: &Text<'_>, hits: &[Hit], found: &mut Vec<Candidate>) {
            for hit in hits {
                let (start, reach) = match self.0 {
                    Reach::Window(bytes) => (hit.start.saturating_sub(bytes), bytes),
                    Reach::Document => (0, usize::MAX),
                };
                let end = hit.end.saturating_add(reach).min(text.bytes.len());
                let (before, behind) = (&text.bytes[start..hit.start], &text.bytes[hit.end..end]);
                if let Some(at) = memchr::memchr(b':', before)
                    && let Some(until) = memchr::memchr(b'\n', behind)
                {
                    let whole = start + at..hit.end + until;
                    found.push(Candidate {
                        rule: RuleIndex(if reach == usize::MAX { 3 } else { 2 }),
                        whole: whole.clone(),
                        secret: whole,
                        decoded: None,
                        layers: Vec::new(),
                        confidence: crate::scan::Confidence::Low,
                        severity: None,
                        notes: Vec::new(),
                        key_path: None,
                    });
                }
            }
        }
    }

    fn engine() -> Engine {
        let rules = Ruleset::new(Rule::parse_all(RULES, "test").unwrap()).unwrap();
        Engine::new(rules, vec![Box::new(Near(Reach::Window(9))), Box::new(Near(Reach::Document))]).unwrap()
    }

    fn said(mut found: Vec<Candidate>) -> Vec<String> {
        found.sort_by_key(|one| (one.secret.start, one.secret.end, one.whole.start, one.rule));
        found.iter().map(|one| format!("{:?} {:?} {:?}", one.rule, one.whole, one.secret)).collect()
    }

    fn text(words: impl Into<proptest::collection::SizeRange>) -> impl Strategy<Value = Vec<u8>> {
        let words = proptest::collection::vec(
            prop::sample::select(vec![
                "tok_",
                "abca",
                "ab",
                "c",
                "abc",
                "key",
                "=",
                ": ",
                " ",
                "\n",
                "end",
                "KEY=",
                "=end",
                "_",
                "xyz ",
                ".............",
            ]),
            words,
        );
        words.prop_map(|words| words.concat().into_bytes())
    }

    /// Pieces as numbers: whether copied, where from, how long; resolved against the other text.
    type Plan = Vec<(bool, prop::sample::Index, prop::sample::Index, Vec<u8>)>;

    fn plan() -> impl Strategy<Value = Plan> {
        let part = (any::<bool>(), any::<prop::sample::Index>(), any::<prop::sample::Index>(), text(0..6));
        proptest::collection::vec(part, 0..7)
    }

    /// The text that a plan makes of another one. A plan may also say: from where the last copy ended, or to the end.
    fn carried_out(base: &[u8], plan: &Plan) -> (Vec<Part>, Vec<u8>) {
        let (mut parts, mut bytes, mut last) = (Vec::new(), Vec::new(), 0);
        for (copies, from, len, new) in plan {
            if *copies {
                let from = if new.len() % 2 == 0 {
                    last + (base.len() - last).min(new.len())
                } else {
                    from.index(base.len() + 1)
                };
                let len = if new.len() % 5 == 0 { base.len() - from } else { len.index(base.len() - from + 1) };
                parts.push(Part::Copied { from, len });
                bytes.extend_from_slice(&base[from..from + len]);
                last = from + len;
            } else {
                parts.push(Part::New { len: new.len() });
                bytes.extend_from_slice(new);
            }
        }
        (parts, bytes)
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]
        #[test]
        fn a_changed_text_has_the_candidates_that_it_has_when_looked_at_alone(
            base in text(0..80),
            plans in proptest::collection::vec(plan(), 1..5),
        ) {
            let engine = engine();
            let mut versions = Versions::new(&engine);
            let mut bytes = base;
            let mut known = versions.look(&bytes, &mut Vec::new()).0;
            // Each version is made from the one before: what is carried over is carried on.
            for plan in &plans {
                let (parts, next) = carried_out(&bytes, plan);
                let (mut again, mut alone) = (Vec::new(), Vec::new());
                let next_known = versions.look_again(&known, &parts, &next, &mut again).0;
                engine.scan(&next, &mut alone);
                prop_assert_eq!(said(again), said(alone), "{:?} {:?}", String::from_utf8_lossy(&next), parts);
                (known, bytes) = (next_known, next);
            }
        }
    }

    #[test]
    fn what_nothing_came_of_is_not_looked_at_again() {
        let engine = engine();
        let mut versions = Versions::new(&engine);
        let base = [&[b'.'; 60], b"key ".as_slice(), &[b'.'; 400], b"tok_abca", &[b'.'; 60], b"key "].concat();
        let mut found = Vec::new();
        let known = versions.look(&base, &mut found).0;
        assert_eq!(found.len(), 1);
        found.clear();
        let next = [&base, b"tok_abcb".as_slice()].concat();
        let parts = [Part::Copied { from: 0, len: base.len() }, Part::New { len: 8 }];
        let again = versions.look_again(&known, &parts, &next, &mut found).0;
        assert_eq!(found.len(), 2);
        // The first `key` was not asked for again; the last one was, as something new stands behind it.
        let asked: Vec<usize> = versions.keywords.iter().map(|keyword| keyword.start).collect();
        assert!(!asked.contains(&60) && asked.contains(&464) && asked.contains(&532), "{asked:?}");
        assert!(again.hits.iter().any(|hit| hit.start == 60 && hit.barren));
    }
}
