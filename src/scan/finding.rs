//! Findings: one for a secret, with every place that holds it, the same in whatever order texts were looked through.

use std::cmp::Ordering;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

use gix::ObjectId;
use gix::bstr::BString;

use super::excerpt::{Excerpt, Secrets};
use super::mark::{Mark, mark_beside};
use super::{Candidate, Confidence, Fingerprint, Layer, Note, RuleIndex, Ruleset, Salt, Severity, Start};
use crate::crypt::Plaintext;

/// A leaked secret.
#[derive(Debug)]
pub struct Finding {
    /// Its name.
    pub fingerprint: Fingerprint,
    /// The rule that found it.
    pub rule: RuleIndex,
    /// The credential.
    pub secret: Plaintext,
    /// How bad its leak is: the worst of its places.
    pub severity: Severity,
    /// How sure it is a credential: the surest of its places.
    pub confidence: Confidence,
    /// Why it is what it is, as its surest places say.
    pub notes: Vec<Note>,
    /// Where it stands, in order: never empty, and at most [`MAX_PLACES`].
    pub places: Vec<Place>,
    /// In how many places it stands; more than `places` has where there are too many to keep.
    pub place_count: usize,
    /// Why it is not counted: all its places are suppressed, and the first says why.
    pub suppressed: Option<Suppression>,
    /// Where it is part of another find (a key of a Secret, the second half of a pair): that one's fingerprint.
    pub part_of: Option<Fingerprint>,
    /// Whether it stood in the same file before the change that was looked at.
    pub preexisting: bool,
}

/// Where a secret stands.
#[derive(Debug, Clone)]
pub struct Place {
    /// The text it stands in.
    pub source: Source,
    /// The secret's bytes in that text.
    pub secret: Range<usize>,
    /// The rule's whole match.
    pub whole: Range<usize>,
    /// The line it starts in, from 1.
    pub line: usize,
    /// The column it starts in, in characters, from 1.
    pub column: usize,
    /// The line it ends in.
    pub end_line: usize,
    /// The column behind its last character.
    pub end_column: usize,
    /// The keys that lead to it.
    pub key_path: Option<String>,
    /// What was undone to read it.
    pub layers: Vec<Layer>,
    /// What stands around it.
    pub excerpt: Arc<Excerpt>,
    /// What the author wrote beside it to have it let through; whether that counts is for the settings to say.
    pub mark: Option<Mark>,
    /// Why it is not counted in this place.
    pub suppressed: Option<Suppression>,
    /// Its place in history, once it was looked up.
    pub history: Option<History>,
}

/// Of one finding, no more places are kept.
pub const MAX_PLACES: usize = 10_000;

/// A text that was looked through.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// A file of the work tree, by its path below the folder that was scanned, with `/`.
    File(BString),
    /// A file as it is in the index.
    Index(BString, ObjectId),
    /// A blob, with a path that it has or had where one is known.
    Blob(ObjectId, Option<BString>),
    /// The message, author or committer of a commit.
    Commit(ObjectId),
    /// An annotated tag.
    Tag(ObjectId),
    /// The name of a file, a ref or a submodule.
    Name(BString),
    /// Standard input, under the name it was given.
    Input(BString),
    /// A file in an archive or an image: the archive, then the names inside it.
    Archived(Vec<BString>),
}

/// A commit as a report names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitRef {
    /// Its id.
    pub id: ObjectId,
    /// The author's name.
    pub author: BString,
    /// The author's address.
    pub email: BString,
    /// When it was committed, in seconds since 1970.
    pub time: i64,
    /// The first line of its message.
    pub summary: BString,
}

/// Where in history a blob is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct History {
    /// The first commit that has it.
    pub first: Option<CommitRef>,
    /// The last commit that has it, where it is not in HEAD.
    pub last: Option<CommitRef>,
    /// Every path it has had.
    pub paths: Vec<BString>,
    /// Whether HEAD's tree has it.
    pub in_head: bool,
    /// The refs whose history has it, by full name.
    pub refs: Vec<BString>,
    /// What else leads to it: a stash, a reflog, a note; empty for what nothing leads to.
    pub held_by: Vec<String>,
}

/// Why a finding, or one place of it, is not counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Suppression {
    /// A mark beside it in the file.
    Inline {
        /// The mark, as it is spelled.
        mark: String,
        /// What the author says.
        reason: String,
    },
    /// An entry of an allow list.
    Allowed {
        /// The file and line of the entry.
        entry: String,
        /// What it says.
        reason: String,
        /// When it ends, as a date.
        until: Option<String>,
    },
    /// It is in the baseline.
    Baseline,
}

impl Source {
    /// The path by which rules and settings know it.
    pub fn path(&self) -> Option<&BString> {
        match self {
            Self::File(path) | Self::Index(path, _) | Self::Name(path) | Self::Input(path) => Some(path),
            Self::Blob(_, path) => path.as_ref(),
            Self::Archived(names) => names.last(),
            Self::Commit(_) | Self::Tag(_) => None,
        }
    }

    /// The object that it is, where it is one.
    pub fn object(&self) -> Option<ObjectId> {
        match self {
            Self::Commit(id) | Self::Tag(id) => Some(*id),
            source => source.blob(),
        }
    }

    /// The blob that holds it, where it is one.
    pub fn blob(&self) -> Option<ObjectId> {
        match self {
            Self::Blob(id, _) | Self::Index(_, id) => Some(*id),
            _ => None,
        }
    }
}

/// Findings as they come in, one for a secret.
#[derive(Debug, Default)]
pub struct Findings {
    salt: Salt,
    by_fingerprint: BTreeMap<Fingerprint, Finding>,
}

impl Findings {
    /// None yet. Fingerprints are keyed with `salt`.
    pub fn new(salt: Salt) -> Self {
        Self { salt, by_fingerprint: BTreeMap::new() }
    }

    /// None, for the same salt.
    pub(super) fn none(&self) -> Self {
        Self::new(self.salt.clone())
    }

    /// Of a part of a text, keeps what begins in `own`, and moves it to where it is in the whole text.
    pub(super) fn keep_own(&mut self, own: &Range<usize>, start: Start) {
        self.by_fingerprint.retain(|_, finding| {
            finding.places.retain_mut(|place| {
                let is_own = own.contains(&place.secret.start);
                for range in [&mut place.secret, &mut place.whole] {
                    *range = range.start + start.offset..range.end + start.offset;
                }
                for (line, column) in
                    [(&mut place.line, &mut place.column), (&mut place.end_line, &mut place.end_column)]
                {
                    *column += if *line == 1 { start.columns } else { 0 };
                    *line += start.lines;
                }
                is_own
            });
            finding.place_count = finding.places.len();
            !finding.places.is_empty()
        });
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_fingerprint.is_empty()
    }

    /// Adds what was found in a text and judged.
    pub fn add(&mut self, rules: &Ruleset, source: &Source, text: &[u8], judged: Vec<Candidate>) {
        let ranges: Vec<Range<usize>> = judged.iter().map(|candidate| candidate.secret.clone()).collect();
        let positions = Positions::of(text, &ranges);
        let secrets = Secrets::new(ranges);
        // What parts belong to stands before them, and is part of nothing itself.
        let mut wholes: HashMap<&str, (Range<usize>, Fingerprint)> = HashMap::new();
        for candidate in judged {
            let rule = rules.rule(candidate.rule);
            let (start, end) = (positions.at(candidate.secret.start), positions.at(candidate.secret.end));
            let place = Place {
                source: source.clone(),
                whole: candidate.whole,
                line: start.line,
                column: start.column,
                end_line: end.line,
                end_column: end.column,
                key_path: candidate.key_path,
                layers: candidate.layers,
                excerpt: Arc::new(Excerpt::new(text, &candidate.secret, &secrets)),
                mark: mark_beside(text, &candidate.secret, rule),
                suppressed: None,
                history: None,
                secret: candidate.secret,
            };
            let secret = candidate.decoded.unwrap_or_else(|| Plaintext::from(&text[place.secret.clone()]));
            let fingerprint = Fingerprint::new(&self.salt, &rule.id, secret.expose());
            let with = candidate.notes.iter().find_map(|note| match note {
                Note::With(id) => Some(id.as_str()),
                _ => None,
            });
            let part_of = match with {
                Some(id) => {
                    wholes.get(id).filter(|(span, _)| span.contains(&place.secret.start)).map(|(_, whole)| *whole)
                }
                None => {
                    wholes.insert(&rule.id, (place.whole.clone(), fingerprint));
                    None
                }
            };
            self.include(Finding {
                fingerprint,
                rule: candidate.rule,
                secret,
                severity: candidate.severity.unwrap_or(rule.severity),
                confidence: candidate.confidence,
                notes: candidate.notes,
                places: vec![place],
                place_count: 1,
                suppressed: None,
                part_of,
                preexisting: false,
            });
        }
    }

    /// Adds what another thread found.
    pub fn merge(&mut self, other: Self) {
        other.by_fingerprint.into_values().for_each(|finding| self.include(finding));
    }

    fn include(&mut self, finding: Finding) {
        match self.by_fingerprint.entry(finding.fingerprint) {
            Entry::Vacant(entry) => _ = entry.insert(finding),
            Entry::Occupied(mut entry) => entry.get_mut().absorb(finding),
        }
    }

    /// All of them, in the order of reports.
    pub fn finish(self, rules: &Ruleset) -> Vec<Finding> {
        let mut all: Vec<Finding> = self.by_fingerprint.into_values().collect();
        all.iter_mut().for_each(Finding::settle);
        sort(&mut all, rules);
        all
    }
}

/// Puts findings in the order of reports: the worst first, then by rule, path, first commit and offset.
///
/// To be called again once their history is known.
pub fn sort(findings: &mut [Finding], rules: &Ruleset) {
    let first_commit = |place: &Place| place.history.as_ref()?.first.as_ref().map(|commit| commit.time);
    findings.sort_by(|one, other| {
        let places = one.places.first().zip(other.places.first());
        other
            .severity
            .cmp(&one.severity)
            .then_with(|| rules.rule(one.rule).id.cmp(&rules.rule(other.rule).id))
            .then_with(|| {
                places.map_or(Ordering::Equal, |(one, other)| {
                    one.source
                        .path()
                        .cmp(&other.source.path())
                        .then_with(|| first_commit(one).cmp(&first_commit(other)))
                        .then_with(|| one.secret.start.cmp(&other.secret.start))
                })
            })
            .then_with(|| one.fingerprint.cmp(&other.fingerprint))
    });
}

impl Finding {
    /// Takes in the places of the same secret found elsewhere.
    fn absorb(&mut self, other: Self) {
        self.severity = self.severity.max(other.severity);
        match self.confidence.cmp(&other.confidence) {
            Ordering::Less => self.notes = other.notes,
            Ordering::Equal => {
                for note in other.notes {
                    if !self.notes.contains(&note) {
                        self.notes.push(note);
                    }
                }
            }
            Ordering::Greater => {}
        }
        self.confidence = self.confidence.max(other.confidence);
        self.part_of = self.part_of.min(other.part_of);
        self.preexisting &= other.preexisting;
        self.place_count += other.place_count;
        self.places.extend(other.places);
        if self.places.len() >= 2 * MAX_PLACES {
            self.keep_first_places();
        }
    }

    /// Brings it into the one form that it has in whatever order its places came.
    fn settle(&mut self) {
        self.notes.sort();
        self.notes.dedup();
        self.keep_first_places();
        if self.places.len() < MAX_PLACES {
            self.place_count = self.places.len();
        }
    }

    fn keep_first_places(&mut self) {
        self.places.sort_by(Place::compare);
        self.places.dedup_by(|one, other| one.compare(other).is_eq());
        self.places.truncate(MAX_PLACES);
    }

    /// Says of the whole what its places say: it is suppressed if each of them is, and none was left out.
    pub fn settle_suppression(&mut self) {
        let all = self.place_count == self.places.len() && self.places.iter().all(|place| place.suppressed.is_some());
        self.suppressed = self.places.first().filter(|_| all).and_then(|place| place.suppressed.clone());
    }
}

impl Place {
    /// What the rule's match has before the secret and behind it, as far as the excerpt goes.
    pub fn around_secret(&self) -> (&[u8], &[u8]) {
        let (before, behind) = self.excerpt.sides();
        let start = before.len().saturating_sub(self.secret.start.saturating_sub(self.whole.start));
        let end = behind.len().min(self.whole.end.saturating_sub(self.secret.end));
        (&before[start..], &behind[..end])
    }

    /// Before or behind another one of the same secret; equal where it is the same place.
    fn compare(&self, other: &Self) -> Ordering {
        self.source
            .path()
            .cmp(&other.source.path())
            .then_with(|| self.source.cmp(&other.source))
            .then_with(|| self.secret.start.cmp(&other.secret.start))
            .then_with(|| self.secret.end.cmp(&other.secret.end))
            .then_with(|| self.whole.start.cmp(&other.whole.start))
            .then_with(|| self.whole.end.cmp(&other.whole.end))
            .then_with(|| self.layers.cmp(&other.layers))
            .then_with(|| self.key_path.cmp(&other.key_path))
    }
}

/// Line and column of some offsets of a text.
struct Positions(Vec<Position>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Position {
    offset: usize,
    /// From 1.
    line: usize,
    /// From 1, in characters; bytes that are no text count as they would in UTF-8.
    column: usize,
}

impl Positions {
    /// Those of all ends of `ranges`, in one pass over the text.
    fn of(text: &[u8], ranges: &[Range<usize>]) -> Self {
        let mut offsets: Vec<usize> = ranges.iter().flat_map(|range| [range.start, range.end]).collect();
        offsets.sort_unstable();
        offsets.dedup();
        let mut at = Position { offset: 0, line: 1, column: 1 };
        let step = |offset: usize| {
            let passed = &text[at.offset..offset];
            let characters = |bytes: &[u8]| bytes.iter().filter(|byte| **byte & 0xc0 != 0x80).count();
            at = match memchr::memrchr(b'\n', passed) {
                Some(end) => Position {
                    offset,
                    line: at.line + memchr::memchr_iter(b'\n', passed).count(),
                    column: 1 + characters(&passed[end + 1..]),
                },
                None => Position { offset, column: at.column + characters(passed), ..at },
            };
            at
        };
        Self(offsets.into_iter().map(step).collect())
    }

    fn at(&self, offset: usize) -> Position {
        let index = self.0.partition_point(|position| position.offset < offset);
        self.0[index]
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::scan::Rule;

    fn rules() -> Ruleset {
        let text = "[[rule]]\nid = 'a'\ntitle = 'A'\nseverity = 'high'\nkeywords = ['aaa']\npattern = 'a'\n\
                    [[rule]]\nid = 'b'\ntitle = 'B'\nseverity = 'low'\nkeywords = ['bbb']\npattern = 'b'\n";
        Ruleset::new(Rule::parse_all(text, "test").unwrap()).unwrap()
    }

    fn candidate(rule: u16, range: Range<usize>) -> Candidate {
        Candidate {
            rule: RuleIndex(rule),
            whole: range.clone(),
            secret: range,
            decoded: None,
            layers: Vec::new(),
            confidence: Confidence::Medium,
            severity: None,
            notes: Vec::new(),
            key_path: None,
        }
    }

    #[test]
    fn lines_and_columns_count_from_one_in_characters() {
        let text = "ä = x\r\nöö = yy".as_bytes();
        let at = |offset| {
            let found = Positions::of(text, std::slice::from_ref(&(offset..offset))).at(offset);
            (found.line, found.column)
        };
        assert_eq!((at(0), at(2), at(8), at(10), at(text.len())), ((1, 1), (1, 2), (2, 1), (2, 2), (2, 8)));
        let all = Positions::of(text, &[2..10, 8..15]);
        assert_eq!([2, 8, 10, 15].map(|offset| all.at(offset).column), [2, 1, 2, 6]);
    }

    #[test]
    fn places_beyond_the_limit_are_counted() {
        let rules = rules();
        let mut findings = Findings::default();
        for number in 0..MAX_PLACES * 2 + 5 {
            let source = Source::File(format!("{:06}", (number * 7919) % (MAX_PLACES * 2 + 5)).into());
            findings.add(&rules, &source, b"secret", vec![candidate(0, 0..6)]);
        }
        let all = findings.finish(&rules);
        assert_eq!((all.len(), all[0].places.len(), all[0].place_count), (1, MAX_PLACES, MAX_PLACES * 2 + 5));
        assert_eq!(all[0].places[MAX_PLACES - 1].source, Source::File("009999".into()));
    }

    #[test]
    fn suppressed_is_only_what_is_suppressed_everywhere() {
        let rules = rules();
        let mut findings = Findings::default();
        for name in ["x", "y"] {
            findings.add(&rules, &Source::File(name.into()), b"secret", vec![candidate(0, 0..6)]);
        }
        let mut finding = findings.finish(&rules).remove(0);
        finding.places[0].suppressed = Some(Suppression::Baseline);
        finding.settle_suppression();
        assert_eq!(finding.suppressed, None);
        finding.places[1].suppressed = Some(Suppression::Baseline);
        finding.settle_suppression();
        assert_eq!(finding.suppressed, Some(Suppression::Baseline));
        finding.place_count = 3;
        finding.settle_suppression();
        assert_eq!(finding.suppressed, None);
    }

    /// What is added: which text, which rule, where, how sure, with which note.
    type Added = (usize, u16, usize, Confidence, usize);

    fn findings_of(rules: &Ruleset, added: &[Added]) -> Findings {
        let texts = ["k = alpha, k = alpha", "alpha beta alpha beta\n", "beta\nalpha, alpha beta"];
        let notes = [Note::TestPath, Note::Bare, Note::CheckPasses("crc"), Note::Says("odd")];
        let mut findings = Findings::default();
        for (text, rule, at, confidence, note) in added {
            let bytes = texts[*text].as_bytes();
            let source = Source::File(format!("file{text}").into());
            let word = if *rule == 0 { "alpha" } else { "beta" };
            let starts: Vec<usize> = texts[*text].match_indices(word).map(|(start, _)| start).collect();
            let Some(start) = starts.get(at % starts.len().max(1)) else { continue };
            let mut candidate = candidate(*rule, *start..start + word.len());
            candidate.confidence = *confidence;
            candidate.severity = (*at == 3).then_some(Severity::Critical);
            candidate.notes = vec![notes[*note].clone()];
            findings.add(rules, &source, bytes, vec![candidate]);
        }
        findings
    }

    fn confidence() -> impl Strategy<Value = Confidence> {
        prop_oneof![Just(Confidence::Low), Just(Confidence::Medium), Just(Confidence::High)]
    }

    proptest! {
        #[test]
        fn order_of_adding_and_merging_does_not_show(
            added in proptest::collection::vec((0_usize..3, 0_u16..2, 0_usize..4, confidence(), 0_usize..4), 1..12),
            split in 0_usize..12,
            seed in any::<u64>(),
        ) {
            let rules = rules();
            let mut shuffled = added.clone();
            let mut random = seed;
            for at in (1..shuffled.len()).rev() {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                shuffled.swap(at, (random >> 33) as usize % (at + 1));
            }
            let (one, other) = shuffled.split_at(split.min(shuffled.len()));
            let mut merged = findings_of(&rules, one);
            merged.merge(findings_of(&rules, other));
            let show = |findings: Findings| format!("{:?}", findings.finish(&rules));
            prop_assert_eq!(show(merged), show(findings_of(&rules, &added)));
        }
    }
}
