//! Findings: one for a secret, with every place that holds it.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Range;

use gix::ObjectId;
use gix::bstr::{BString, ByteSlice as _};

use super::{Candidate, Confidence, Fingerprint, Layer, Note, RuleIndex, Ruleset, Salt, Severity};
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
    /// How bad its leak is.
    pub severity: Severity,
    /// How sure it is a credential: the surest of its places.
    pub confidence: Confidence,
    /// Why it is what it is.
    pub notes: Vec<Note>,
    /// Where it stands, in order: never empty.
    pub places: Vec<Place>,
    /// Why it is not counted.
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
    /// Its place in history, once it was looked up.
    pub history: Option<History>,
}

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

/// Why a finding is not counted.
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

    /// Adds what was found in a text and judged.
    pub fn add(&mut self, rules: &Ruleset, source: &Source, text: &[u8], judged: Vec<Candidate>) {
        for candidate in judged {
            let rule = rules.rule(candidate.rule);
            let secret = match candidate.decoded {
                Some(decoded) => decoded,
                None => Plaintext::from(&text[candidate.secret.clone()]),
            };
            let fingerprint = Fingerprint::new(&self.salt, &rule.id, secret.expose());
            let start = position(text, candidate.secret.start);
            let end = position(text, candidate.secret.end);
            let place = Place {
                source: source.clone(),
                secret: candidate.secret,
                whole: candidate.whole,
                line: start.0,
                column: start.1,
                end_line: end.0,
                end_column: end.1,
                key_path: candidate.key_path,
                layers: candidate.layers,
                history: None,
            };
            let finding = self.by_fingerprint.entry(fingerprint).or_insert_with(|| Finding {
                fingerprint,
                rule: candidate.rule,
                secret,
                severity: candidate.severity.unwrap_or(rule.severity),
                confidence: candidate.confidence,
                notes: candidate.notes,
                places: Vec::new(),
                suppressed: None,
                part_of: None,
                preexisting: false,
            });
            finding.confidence = finding.confidence.max(candidate.confidence);
            finding.places.push(place);
        }
    }

    /// Adds what another thread found.
    pub fn merge(&mut self, other: Self) {
        for (fingerprint, finding) in other.by_fingerprint {
            match self.by_fingerprint.entry(fingerprint) {
                Entry::Vacant(entry) => _ = entry.insert(finding),
                Entry::Occupied(mut entry) => {
                    let known = entry.get_mut();
                    known.confidence = known.confidence.max(finding.confidence);
                    known.places.extend(finding.places);
                }
            }
        }
    }

    /// All of them: by severity, worst first, then rule, path and place.
    pub fn finish(self, rules: &Ruleset) -> Vec<Finding> {
        let mut all: Vec<Finding> = self.by_fingerprint.into_values().collect();
        for finding in &mut all {
            finding.places.sort_by(|one, other| {
                let key = |place: &Place| (place.source.path().cloned(), place.source.clone(), place.secret.start);
                key(one).cmp(&key(other))
            });
        }
        all.sort_by(|one, other| {
            let key = |finding: &Finding| {
                let first = finding.places.first();
                let path = first.and_then(|place| place.source.path().cloned());
                let rule = rules.rule(finding.rule).id.clone();
                (Reverse(finding.severity), rule, path, first.map(|place| place.secret.start), finding.fingerprint)
            };
            key(one).cmp(&key(other))
        });
        all
    }
}

/// Line and column, both from 1; a column counts characters, and a byte that is in none counts as one.
fn position(text: &[u8], offset: usize) -> (usize, usize) {
    let before = &text[..offset.min(text.len())];
    let line = 1 + memchr::memchr_iter(b'\n', before).count();
    let start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
    (line, 1 + before[start..].chars().count())
}
