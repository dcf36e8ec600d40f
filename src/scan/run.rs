//! One text after the other: candidates, judged, into findings. What all sources of texts call.

use super::judge::{Where, judge};
use super::{Candidate, Content, Engine, Findings, Source, Unscanned};

/// What looks through texts, as the settings of this run say. Shared by all threads.
pub struct Scanner {
    /// The rules, compiled.
    pub engine: Engine,
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
    /// What was left out, and why: an incomplete scan.
    pub unscanned: Vec<(Source, Unscanned)>,
}

impl Scanner {
    /// Looks through a text and adds what it finds.
    pub fn scan(&self, source: &Source, bytes: &[u8], findings: &mut Findings, coverage: &mut Coverage) {
        let Some(content) = coverage.count(bytes) else { return };
        let mut candidates = Vec::new();
        let unscanned = self.engine.scan(bytes, &mut candidates);
        coverage.unscanned.extend(unscanned.into_iter().map(|reason| (source.clone(), reason)));
        self.add(source, bytes, content, candidates, findings);
    }

    /// Adds the candidates of a text that was looked through, where they hold in this place.
    pub fn add(
        &self,
        source: &Source,
        bytes: &[u8],
        content: Content,
        mut candidates: Vec<Candidate>,
        findings: &mut Findings,
    ) {
        if content == Content::Binary {
            candidates.retain(|candidate| !self.engine.rules().rule(candidate.rule).id.starts_with("generic-"));
        }
        if candidates.is_empty() {
            return;
        }
        let place = Where { path: source.path().map(|path| path.as_ref()), bytes };
        let judged = judge(self.engine.rules(), place, candidates);
        findings.add(self.engine.rules(), source, bytes, judged);
    }
}

impl Coverage {
    /// Counts a text by what it is; `None` for one that is not to be looked through.
    pub fn count(&mut self, bytes: &[u8]) -> Option<Content> {
        let content = Content::of(bytes);
        if content == Content::Media {
            self.skipped += 1;
            return None;
        }
        self.texts += 1;
        self.bytes += bytes.len() as u64;
        self.binary += usize::from(content == Content::Binary);
        Some(content)
    }

    /// Adds what another thread looked through.
    pub fn merge(&mut self, other: Self) {
        self.texts += other.texts;
        self.bytes += other.bytes;
        self.binary += other.binary;
        self.skipped += other.skipped;
        self.unscanned.extend(other.unscanned);
    }
}
