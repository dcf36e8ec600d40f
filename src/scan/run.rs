//! One text after the other: candidates, judged, into findings. What all sources of texts call.

use std::ops::Range;

use gix::bstr::ByteSlice as _;

use super::decode::{Decode, Inner, Positions};
use super::generic::{Generic, Tables};
use super::judge::{Where, judge};
use super::kubernetes::{self, Within};
use super::structure::detectors;
use super::{Candidate, Content, Engine, Findings, Layer, RuleError, Ruleset, Source, Specificity, Unscanned};

/// What looks through texts, as the settings of this run say. Shared by all threads.
pub struct Scanner {
    /// The rules, compiled.
    pub engine: Engine,
    /// What ended before it is expired; in seconds since 1970.
    pub now: i64,
}

/// What was looked through and what was not, for a report that says so.
#[derive(Debug, Default)]
pub struct Coverage {
    /// Texts looked through.
    pub texts: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Of those, how many are binary, so that only what has a shape of its own was looked for.
    pub binary: usize,
    /// Pictures, sounds, films and fonts, which were not looked through.
    pub skipped: usize,
    /// Files whose content is in Git LFS and not here.
    pub pointers: usize,
    /// What was left out, and why: an incomplete scan.
    pub unscanned: Vec<(Source, Unscanned)>,
}

/// What was found in a whole text, for each place where it lies.
#[derive(Debug)]
pub struct Looked<'a> {
    window: Window<'a>,
    is_read: bool,
    candidates: Vec<Candidate>,
    unscanned: Vec<Unscanned>,
}

/// A part of a text that is too long to be looked through at once, or a whole one.
#[derive(Debug, Clone)]
pub struct Window<'a> {
    /// Its bytes.
    pub bytes: &'a [u8],
    /// What kind of bytes the whole text is.
    pub content: Content,
    /// Where the secrets begin that count: those outside are found in the part before or behind.
    pub own: Range<usize>,
    /// Where it begins in the text.
    pub starts: Start,
}

/// A place in a text: how much of it stands before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Start {
    /// Bytes.
    pub offset: usize,
    /// Ends of lines.
    pub lines: usize,
    /// Characters, since the last end of a line.
    pub columns: usize,
}

impl Scanner {
    /// A scanner by these rules and all that finds by code. `now` is in seconds since 1970: what ended before it is expired.
    pub fn new(rules: Ruleset, now: i64, decode: Decode) -> Result<Self, RuleError> {
        let mut detectors = detectors(&rules, now, decode);
        detectors.push(Box::new(Generic::new(&rules)));
        detectors.push(Box::new(Tables::new(&rules)));
        Ok(Self { engine: Engine::new(rules, detectors)?, now })
    }

    /// Looks through a text and adds what it finds.
    pub fn scan(&self, source: &Source, bytes: &[u8], findings: &mut Findings, coverage: &mut Coverage) {
        self.scan_part(source, &Window::whole(bytes), findings, coverage);
    }

    /// Looks through a text that lies in a tree, and adds what the tree says of it as well.
    pub fn scan_within(
        &self,
        source: &Source,
        bytes: &[u8],
        within: &Within<'_>,
        findings: &mut Findings,
        coverage: &mut Coverage,
    ) {
        self.tell(source, Some(within), &self.look(bytes, coverage), findings, coverage);
    }

    /// Looks through a text, wherever it lies.
    pub fn look<'b>(&self, bytes: &'b [u8], coverage: &mut Coverage) -> Looked<'b> {
        let window = Window::whole(bytes);
        let mut candidates = Vec::new();
        let is_read = coverage.count(&window);
        let unscanned = if is_read { self.engine.scan(bytes, &mut candidates) } else { Vec::new() };
        Looked { window, is_read, candidates, unscanned }
    }

    /// The candidates of a text that another one of `len` bytes stands for, as candidates of that one.
    pub fn look_behind(&self, len: usize, content: Vec<u8>) -> (Vec<Candidate>, Vec<Unscanned>) {
        let mut found = Vec::new();
        if Content::of(&content) == Content::Media {
            return (found, Vec::new());
        }
        let unscanned = self.engine.scan(&content, &mut found);
        let (span, positions) = (0..len, Positions::Whole);
        let inner = Inner { bytes: content.into(), span, positions, layers: vec![Layer::GitLfs], key_path: None };
        (found.into_iter().map(|candidate| inner.lift(candidate)).collect(), unscanned)
    }

    /// Adds what was found in a text where it lies in this place, and what its tree says of it.
    pub fn tell(
        &self,
        source: &Source,
        within: Option<&Within<'_>>,
        looked: &Looked<'_>,
        findings: &mut Findings,
        coverage: &mut Coverage,
    ) {
        coverage.unscanned.extend(looked.unscanned.iter().map(|reason| (source.clone(), *reason)));
        let within = within.filter(|_| looked.is_read);
        let beside = within.map(|within| kubernetes::tree::look(self.engine.rules(), within, looked.window.bytes));
        let candidates = looked.candidates.iter().map(Candidate::again).collect();
        self.add_both(source, &looked.window, candidates, beside.unwrap_or_default(), findings);
    }

    /// Looks through a part of a text and adds what it finds there.
    pub fn scan_part(&self, source: &Source, part: &Window<'_>, findings: &mut Findings, coverage: &mut Coverage) {
        if !coverage.count(part) {
            return;
        }
        let mut candidates = Vec::new();
        let unscanned = self.engine.scan(part.bytes, &mut candidates);
        coverage.unscanned.extend(unscanned.into_iter().map(|reason| (source.clone(), reason)));
        self.add(source, part, candidates, findings);
    }

    /// Adds the candidates of a part of a text that was looked through, where they hold in this place.
    pub fn add(&self, source: &Source, part: &Window<'_>, candidates: Vec<Candidate>, findings: &mut Findings) {
        self.add_both(source, part, candidates, Vec::new(), findings);
    }

    /// The same; `beside` are the finds that no other on the same bytes replaces.
    fn add_both(
        &self,
        source: &Source,
        part: &Window<'_>,
        mut candidates: Vec<Candidate>,
        beside: Vec<Candidate>,
        findings: &mut Findings,
    ) {
        let rules = self.engine.rules();
        let is_first = part.starts.offset == 0;
        let is_generic = |rule| rules.rule(rule).specificity() == Specificity::Generic;
        if part.content == Content::Binary {
            candidates.retain(|candidate| !is_generic(candidate.rule));
        }
        if candidates.is_empty() && beside.is_empty() {
            return;
        }
        candidates.iter_mut().for_each(|candidate| candidate.as_of(self.now));
        let place = Where { path: source.path().map(|path| path.as_ref()), bytes: part.bytes };
        let mut judged = judge(rules, place, candidates);
        // Together, as the excerpt of one may show no secret of another.
        judged.extend(judge(rules, place, beside));
        judged.sort_by_key(|candidate| (candidate.secret.start, candidate.secret.end, candidate.rule));
        if is_first && part.own.end >= part.bytes.len() {
            return findings.add(rules, source, part.bytes, judged);
        }
        // Those of other parts are taken out only now, as no excerpt may show them.
        let mut found = findings.none();
        found.add(rules, source, part.bytes, judged);
        found.keep_own(&part.own, part.starts);
        findings.merge(found);
    }
}

impl Looked<'_> {
    /// Adds what was found in another way.
    pub fn add(&mut self, (candidates, unscanned): (Vec<Candidate>, Vec<Unscanned>)) {
        self.candidates.extend(candidates);
        self.unscanned.extend(unscanned);
    }
}

impl Start {
    /// The place behind further bytes of the text.
    pub fn behind(self, bytes: &[u8]) -> Self {
        let last = memchr::memrchr(b'\n', bytes);
        Self {
            offset: self.offset + bytes.len(),
            lines: self.lines + memchr::memchr_iter(b'\n', bytes).count(),
            columns: last.map_or(self.columns, |_| 0) + bytes[last.map_or(0, |at| at + 1)..].chars().count(),
        }
    }
}

impl<'a> Window<'a> {
    /// A whole text.
    pub fn whole(bytes: &'a [u8]) -> Self {
        Self { bytes, content: Content::of(bytes), own: 0..usize::MAX, starts: Start::default() }
    }
}

impl Coverage {
    /// Counts a part of a text; whether it is to be looked through.
    pub fn count(&mut self, part: &Window<'_>) -> bool {
        let is_first = usize::from(part.starts.offset == 0);
        if part.content == Content::Media {
            self.skipped += is_first;
            return false;
        }
        self.texts += is_first;
        self.bytes += part.own.end.min(part.bytes.len()).saturating_sub(part.own.start) as u64;
        if part.content == Content::Binary {
            self.binary += is_first;
        }
        true
    }

    /// Adds what another thread looked through.
    pub fn merge(&mut self, other: Self) {
        self.texts += other.texts;
        self.bytes += other.bytes;
        self.binary += other.binary;
        self.skipped += other.skipped;
        self.pointers += other.pointers;
        self.unscanned.extend(other.unscanned);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::{Confidence, Note, Rule};
    use super::*;

    #[test]
    fn what_ends_later_is_as_good_as_ever() {
        let rules = "[[rule]]\nid = 'signed'\ntitle = 'x'\nseverity = 'high'\nconfidence = 'medium'\nkeywords = ['&sig=']\n\
            pattern = 'https://[^ ]{1,80}&sig=[0-9A-Za-z]{16}'\ncheck = 'signed-url'\n";
        // 2024-01-02 03:04:05
        let url = b"see https://a.blob.core.windows.net/b?se=2024-01-02T03%3A04%3A05Z&sig=q7X2mK9v4Lz8Tp3W there";
        let end = 1_704_164_645;
        for (now, confidence, notes) in [
            (end - 1, Confidence::Medium, vec![]),
            (end, Confidence::Medium, vec![]),
            (end + 1, Confidence::Info, vec![Note::Expired(end)]),
        ] {
            let rules = Ruleset::new(Rule::parse_all(rules, "test").unwrap()).unwrap();
            let scanner = Scanner::new(rules, now, Decode::Promising).unwrap();
            let mut findings = Findings::default();
            scanner.scan(&Source::Input("x".into()), url, &mut findings, &mut Coverage::default());
            let findings = findings.finish(scanner.engine.rules());
            let found: Vec<_> = findings.iter().map(|one| (one.confidence, one.notes.clone())).collect();
            assert_eq!(found, [(confidence, notes)], "{now}");
        }
    }
}
