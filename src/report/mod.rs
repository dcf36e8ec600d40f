//! Findings as text, JSON, SARIF and what else pipelines read. Values in, bytes out: nothing is printed here.

mod redact;
mod shown;

pub use redact::redacted;
pub use shown::{Shown, shown, shown_bytes};
