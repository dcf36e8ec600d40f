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

mod archive;
mod allow;
mod baseline;
mod candidate;
mod content;
mod detector;
mod engine;
mod excerpt;
mod finding;
mod fingerprint;
pub mod judge;
mod keywords;
mod pattern;
mod mark;
mod rule;
mod ruleset;
mod run;

pub use allow::{
    Allow, AllowError, Applied, Paths, Suppressing, Used, is_called, is_fingerprint, migrate_gitleaksignore, parse_date,
};
pub use archive::{ArchiveLimits, Member, is_archive, read_archive};
pub use baseline::{Baseline, BaselineError, Difference};
pub use candidate::{Candidate, Confidence, Layer, Note, Severity};
pub use content::Content;
pub use detector::{Detector, Hit, Reach, Text};
pub use engine::{Engine, Unscanned};
pub use excerpt::{Excerpt, Piece};
pub use finding::{CommitRef, Finding, Findings, History, MAX_PLACES, Place, Source, Suppression, sort};
pub use fingerprint::{Fingerprint, Salt};
pub use keywords::Keyword;
pub use mark::Mark;
pub use rule::{Edges, Near, Rule, RuleError};
pub use ruleset::{RuleIndex, Ruleset};
pub use run::{Coverage, Part, Scanner, Start};
