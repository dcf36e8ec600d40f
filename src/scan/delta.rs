//! A text that is a changed version of another: only what changed is looked at.
//!
//! Git stores most versions of a file as pieces copied from another version with some bytes in between. What was found of the other
//! version (which keywords stand where, and of which nothing came) holds wherever a piece was copied with enough around it. The
//! candidates are the very same as those of [`Engine::scan`]: the tests compare the two on random changes.

use super::engine::KeywordHit;
use super::{Candidate, Engine, Unscanned};

/// A part of a text that is a changed version of another; all parts in order make up the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece {
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
    hits: Vec<KeywordHit>,
    len: usize,
}

impl Engine {
    /// [`Engine::scan`], with what is to be known of the text in `known`, whose former content is lost.
    pub fn look(&self, bytes: &[u8], known: &mut Known, found: &mut Vec<Candidate>) -> Vec<Unscanned> {
        known.len = bytes.len();
        known.hits.clear();
        self.keyword_hits(bytes, 0..bytes.len(), &mut known.hits);
        self.confirm(bytes, &mut known.hits, found)
    }

    /// The same, for a text that is `pieces` of another of which `base` is known.
    ///
    /// Copied pieces lie within the other text, and the pieces are as long as `bytes` together.
    pub fn look_again(
        &self,
        base: &Known,
        pieces: &[Piece],
        bytes: &[u8],
        known: &mut Known,
        found: &mut Vec<Candidate>,
    ) -> Vec<Unscanned> {
        known.len = bytes.len();
        known.hits.clear();
        let overlap = self.longest_keyword().saturating_sub(1);
        // Up to here the text was searched for keywords, or carried over.
        let mut done = 0;
        let mut at = 0;
        for piece in pieces {
            let Piece::Copied { from, len } = *piece else {
                let Piece::New { len } = *piece else { continue };
                at += len;
                continue;
            };
            // A short piece is not worth carrying over: searching it is cheaper than the two seams.
            if len > 2 * overlap {
                self.seam(bytes, done, at, overlap, &mut known.hits);
                self.carry(base, from..from + len, at, bytes.len(), &mut known.hits);
                done = at + len;
            }
            at += len;
        }
        self.seam(bytes, done, bytes.len(), overlap, &mut known.hits);
        self.confirm(bytes, &mut known.hits, found)
    }

    /// Adds the keywords that are not wholly before `start` and not wholly behind `end`, where pieces that were carried over end and
    /// start again.
    fn seam(&self, bytes: &[u8], start: usize, end: usize, overlap: usize, hits: &mut Vec<KeywordHit>) {
        let part = start.saturating_sub(overlap)..end.saturating_add(overlap).min(bytes.len());
        let before = hits.len();
        self.keyword_hits(bytes, part, hits);
        // Of what it carries over, each piece is longer than the seams on both of its sides.
        let mut kept = before;
        for index in before..hits.len() {
            let hit = hits[index];
            let is_before = self.extent(hit).0 <= start && start > 0;
            let is_behind = hit.start as usize >= end && end < bytes.len();
            if !is_before && !is_behind {
                hits[kept] = hit;
                kept += 1;
            }
        }
        hits.truncate(kept);
    }

    /// Adds the keywords of a copied piece, which is at `to` now.
    fn carry(&self, base: &Known, from: std::ops::Range<usize>, to: usize, len: usize, hits: &mut Vec<KeywordHit>) {
        // Where a text starts or ends matters as much as a byte before or behind.
        let starts_both = from.start == 0 && to == 0;
        let ends_both = from.end == base.len && to + from.len() == len;
        let first = base.hits.partition_point(|hit| (hit.start as usize) < from.start);
        for hit in base.hits[first..].iter().take_while(|hit| (hit.start as usize) < from.end) {
            let (end, reach) = self.extent(*hit);
            if end > from.end {
                continue;
            }
            let start = hit.start as usize;
            // One byte more than what they look at: the edges of a match, and `\b` in its pattern.
            let before = starts_both || start - from.start > reach;
            let behind = ends_both || from.end - end > reach;
            hits.push(KeywordHit {
                start: (start - from.start + to) as u32,
                keyword: hit.keyword,
                barren: hit.barren && before && behind,
            });
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::scan::{Detector, Hit, Reach, Rule, RuleIndex, Ruleset, Text};

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
                "tok_", "abca", "ab", "c", "abc", "key", "=", ": ", " ", "\n", "end", "KEY=", "=end", "_", "xyz ", ".............",
            ]),
            words,
        );
        words.prop_map(|words| words.concat().into_bytes())
    }

    /// Pieces as numbers: whether copied, where from, how long; resolved against the other text.
    type Plan = Vec<(bool, prop::sample::Index, prop::sample::Index, Vec<u8>)>;

    fn plan() -> impl Strategy<Value = Plan> {
        let piece = (any::<bool>(), any::<prop::sample::Index>(), any::<prop::sample::Index>(), text(0..6));
        proptest::collection::vec(piece, 0..7)
    }

    /// The text that a plan makes of another one. A plan may also say: from where the last copy ended, or to the end.
    fn carried_out(base: &[u8], plan: &Plan) -> (Vec<Piece>, Vec<u8>) {
        let (mut pieces, mut bytes, mut last) = (Vec::new(), Vec::new(), 0);
        for (copies, from, len, new) in plan {
            if *copies {
                let from = if new.len() % 2 == 0 { last + (base.len() - last).min(new.len()) } else { from.index(base.len() + 1) };
                let len = if new.len() % 5 == 0 { base.len() - from } else { len.index(base.len() - from + 1) };
                pieces.push(Piece::Copied { from, len });
                bytes.extend_from_slice(&base[from..from + len]);
                last = from + len;
            } else {
                pieces.push(Piece::New { len: new.len() });
                bytes.extend_from_slice(new);
            }
        }
        (pieces, bytes)
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]
        #[test]
        fn a_changed_text_has_the_candidates_that_it_has_when_looked_at_alone(
            base in text(0..80),
            plans in proptest::collection::vec(plan(), 1..5),
        ) {
            let engine = engine();
            let mut known = Known::default();
            let mut bytes = base;
            engine.look(&bytes, &mut known, &mut Vec::new());
            // Each version is made from the one before: what is carried over is carried on.
            for plan in &plans {
                let (pieces, next) = carried_out(&bytes, plan);
                let (mut again, mut alone, mut next_known) = (Vec::new(), Vec::new(), Known::default());
                engine.look_again(&known, &pieces, &next, &mut next_known, &mut again);
                engine.scan(&next, &mut alone);
                prop_assert_eq!(said(again), said(alone), "{:?} {:?}", String::from_utf8_lossy(&next), pieces);
                (known, bytes) = (next_known, next);
            }
        }
    }

    #[test]
    fn what_nothing_came_of_is_not_looked_at_again() {
        let engine = engine();
        let base = [b"key ..........................".as_slice(), &[b'.'; 400], b"tok_abca key "].concat();
        let mut known = Known::default();
        let mut found = Vec::new();
        engine.look(&base, &mut known, &mut found);
        assert_eq!(found.len(), 1);
        let next = [&base, b"end".as_slice()].concat();
        let pieces = [Piece::Copied { from: 0, len: base.len() }, Piece::New { len: 3 }];
        let mut again = Known::default();
        engine.look_again(&known, &pieces, &next, &mut again, &mut found);
        let barren: Vec<bool> = again.hits.iter().map(|hit| hit.barren).collect();
        // `key`, `tok_`, the `abc` of its token, `key`, and the new `end`.
        assert_eq!(barren, [true, false, true, true, true]);
        assert_eq!(found.len(), 2);
    }
}
