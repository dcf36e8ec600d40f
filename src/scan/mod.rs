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

mod candidate;
pub mod check;
pub mod decode;
mod detector;
mod engine;
pub mod example;
mod finding;
mod fingerprint;
pub mod judge;
pub mod kubernetes;
mod near;
mod placeholder;
mod rule;
mod ruleset;
mod run;
pub mod structure;
mod weigh;

pub use candidate::{Candidate, Confidence, Layer, Note, Severity};
pub use detector::{Detector, Hit, Reach, Seen, Text, Value};
pub use engine::{Engine, Unscanned};
pub use finding::{CommitRef, Finding, Findings, History, Place, Source, Suppression};
pub use fingerprint::{Fingerprint, Salt};
pub use near::pair;
pub use placeholder::placeholder;
pub use rule::{DETECTORS, Drop, Edges, Near, Rule, RuleError, Specificity};
pub use ruleset::{RuleIndex, Ruleset};
pub use run::{Coverage, Scanner};
pub use weigh::entropy;
