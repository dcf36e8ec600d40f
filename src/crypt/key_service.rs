//! The one joint for key services: how a data key is wrapped for a recipient and unwrapped again.

use std::fmt;

use super::recipient::Recipient;
use super::secret::Plaintext;

/// A data key (or a share of it) as encrypted to one recipient, as it stands in an envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedKey {
    /// For whom.
    pub recipient: Recipient,
    /// The text sops calls `enc`; its form is the service's own.
    pub enc: String,
    /// When it was made, RFC 3339; age keys have none.
    pub created_at: Option<String>,
}

/// A key service.
///
/// What is wrapped is the data key of 32 bytes or, with several key groups, a share of 33.
pub trait KeyService: Send + Sync {
    /// Wraps `key` for `recipient`: the text to stand as `enc`. `None`: not a kind of this service, ask the next.
    fn wrap(&self, recipient: &Recipient, key: &Plaintext) -> Option<Result<String, ServiceError>>;

    /// Unwraps what was wrapped. `None`: not a kind of this service, ask the next.
    fn unwrap(&self, wrapped: &WrappedKey) -> Option<Result<Plaintext, ServiceError>>;
}

/// Why a key service could not be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceError {
    /// What kind of failure it is.
    pub kind: ServiceErrorKind,
    /// One line, lower case, that says what failed; never holds secret bytes.
    pub message: String,
}

/// How a key service failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceErrorKind {
    /// No identity or credential at hand that fits.
    NoIdentity,
    /// An identity or credential is at hand and was refused, or the wrapped key is damaged.
    Refused,
    /// The service could not be reached or asked to wait; trying again may help.
    Unreachable,
    /// The recipient is not well formed, or its service is not part of this build.
    Unusable,
}

impl ServiceError {
    /// An error of this kind.
    pub fn new(kind: ServiceErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ServiceError {}

/// What came of asking for one wrapped key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The recipient it is wrapped for.
    pub recipient: Recipient,
    /// The group it stands in, from 0.
    pub group: usize,
    /// Why it failed; `None` when it was unwrapped.
    pub error: Option<ServiceError>,
}
