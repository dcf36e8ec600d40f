//! Findings as text, JSON, SARIF and what else pipelines read. Values in, bytes out: nothing is printed here.

mod redact;

pub use redact::redacted;
