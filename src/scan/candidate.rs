//! What a look at bytes gives, before anything is known of where they lie.

use std::ops::Range;

use super::RuleIndex;
use crate::crypt::Plaintext;

/// Bytes that a rule accepts.
#[derive(Debug)]
pub struct Candidate {
    /// The rule.
    pub rule: RuleIndex,
    /// What the rule matched, as byte offsets into the text.
    pub whole: Range<usize>,
    /// The credential itself, as byte offsets into the text; of a decoded one, the encoded run that holds it.
    pub secret: Range<usize>,
    /// The credential where it is not the bytes at `secret`: it was decoded.
    pub decoded: Option<Plaintext>,
    /// What was undone to read it, outermost first.
    pub layers: Vec<Layer>,
    /// How sure it is that this is a credential.
    pub confidence: Confidence,
    /// How bad its leak is, where this differs from what the rule says.
    pub severity: Option<Severity>,
    /// Why it is what it is, in the order found.
    pub notes: Vec<Note>,
    /// The keys that lead to it in a structured text: `stringData.password`.
    pub key_path: Option<String>,
}

/// How sure it is that a finding is a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// Known not to be one: a placeholder, a sample from documentation, expired. Shown when asked for.
    Info,
    /// May be one; a gate lets it pass.
    Low,
    /// Has the shape of one.
    Medium,
    /// Has a shape that nothing else has, or a checksum that fits.
    High,
}

/// How bad the leak of a credential is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing follows from it.
    Info,
    /// A test key, or one that opens nearly nothing.
    Low,
    /// Opens something of limited worth.
    Medium,
    /// Opens a service.
    High,
    /// Opens an account, a cluster, or money.
    Critical,
}

/// An encoding that was undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layer {
    /// Base64, standard or URL-safe.
    Base64,
    /// Hexadecimal.
    Hex,
    /// Percent encoding of URLs.
    Percent,
    /// `\uXXXX`, `\xXX`, HTML entities.
    Escapes,
    /// Quoted-printable, as in mail.
    QuotedPrintable,
    /// Gzip.
    Gzip,
    /// Characters that have no width, taken out.
    Invisible,
    /// A string that is put together of several.
    Joined,
    /// A file of Git LFS, which stands in for its content.
    GitLfs,
    /// UTF-16 with a byte order mark.
    Utf16,
}

/// Why a candidate is what it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Note {
    /// A named check passed: the checksum fits.
    CheckPasses(&'static str),
    /// A named check failed: made up, truncated or mangled.
    CheckFails(&'static str),
    /// Read by a check: the account an access key belongs to, the claims of a JWT.
    Reads(&'static str, String),
    /// A stand-in, and how that is known: `EXAMPLE`, `changeme`, repeated characters.
    Placeholder(&'static str),
    /// No longer valid since this moment, in seconds since 1970; until [`Candidate::as_of`] was asked, it may be one to come.
    Expired(i64),
    /// The value is neither quoted nor in brackets: only a file whose format makes it a value counts.
    Bare,
    /// Lowered because of its place: a test, an example, documentation.
    TestPath,
    /// Belongs together with another find, by that rule's id.
    With(String),
    /// Anything else worth saying, in words.
    Says(&'static str),
}

impl Candidate {
    /// The same once more, for another place where these bytes lie.
    pub fn again(&self) -> Self {
        Self {
            whole: self.whole.clone(),
            secret: self.secret.clone(),
            decoded: self.decoded.as_ref().map(|decoded| Plaintext::from(decoded.expose())),
            layers: self.layers.clone(),
            notes: self.notes.clone(),
            key_path: self.key_path.clone(),
            ..*self
        }
    }

    /// As things are at a moment, in seconds since 1970: what ended before is known to open nothing, what did not is as good as ever.
    pub fn as_of(&mut self, now: i64) {
        self.notes.retain(|note| !matches!(note, Note::Expired(end) if *end >= now));
        if self.notes.iter().any(|note| matches!(note, Note::Expired(_))) {
            self.confidence = Confidence::Info;
            self.severity = Some(Severity::Info);
        }
    }
}

impl Confidence {
    /// One step less sure; never below low, as info means something else.
    pub fn lowered(self) -> Self {
        match self {
            Self::High => Self::Medium,
            Self::Medium | Self::Low => Self::Low,
            Self::Info => Self::Info,
        }
    }

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

impl Severity {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}
