//! Leak rules, matching, findings: bytes in, findings out.
//!
//! A scan has three steps, and only the first looks at all bytes:
//!
//! 1. [`Engine::scan`] turns the bytes of one text into [`Candidate`]s. It knows no path, no time and no settings but the rules,
//!    so that its result can be kept for a blob, or carried over from one version of a file to the next.
//! 2. [`judge`](judge::judge) weighs candidates by where the text lies (a lock file, a test, a config format) and by each other
//!    (overlaps, pairs that belong together).
//! 3. [`Findings`] puts what was judged in order: one finding for a secret, with every place that holds it.
//!
//! Where texts come from is not known here: `git`, `host` and `cli` bring them.

mod allow;
mod archive;
mod baseline;
mod candidate;
pub mod check;
mod content;
pub mod decode;
mod delta;
mod detector;
mod engine;
pub mod example;
mod excerpt;
mod finding;
mod fingerprint;
pub mod generic;
pub mod judge;
mod keywords;
pub mod kubernetes;
mod mark;
mod near;
mod overlap;
mod pattern;
mod placeholder;
pub mod randomness;
mod rule;
mod ruleset;
mod run;
pub mod structure;
mod weigh;

pub use allow::{
    Allow, AllowError, Applied, Paths, Suppressing, Used, is_called, is_fingerprint, migrate_gitleaksignore, parse_date,
};
pub use archive::{ArchiveLimits, Member, is_archive, read_archive};
pub use baseline::{Baseline, BaselineError, Difference};
pub use candidate::{Candidate, Confidence, Layer, Note, Severity};
pub use content::Content;
pub use delta::{Known, Part, Versions};
pub use detector::{Detector, Hit, Reach, Seen, Text, Value};
pub use engine::{Engine, Unscanned};
pub use excerpt::{Excerpt, Piece};
pub use finding::{CommitRef, Finding, Findings, History, MAX_PLACES, Place, Source, Suppression, sort};
pub use fingerprint::{Fingerprint, Salt};
pub use keywords::Keyword;
pub use mark::Mark;
pub use near::pair;
pub use overlap::most_specific;
pub use placeholder::placeholder;
pub use rule::{DETECTORS, Drop, Edges, Near, Rule, RuleError, Specificity};
pub use ruleset::{RuleIndex, Ruleset};
pub use run::{Coverage, Looked, Scanner, Start, Window};
pub use weigh::entropy;
