//! The key services at hand, and what is asked of them: to wrap a data key for all its recipients, and to unwrap it with any.
//!
//! age is the one service of this build. Others' recipients are parsed, printed and kept; to use one is an error that says so.

mod age;
mod age_file;
mod age_plugin;
pub mod identities;
mod post_quantum;

use std::fmt;
use std::sync::Arc;

pub use self::age::{AgeService, Ask, AskNobody, generate_identity};
use crate::crypt::shamir::{self, ShamirError};
use crate::crypt::{
    Attempt, DataKey, KeyGroup, KeyService, Kind, Plaintext, Recipient, ServiceError, ServiceErrorKind, WrappedKey,
};

/// The order in which kinds of wrapped keys are tried if none is given, as in sops: those that need no network first.
pub const DEFAULT_ORDER: [Kind; 2] = [Kind::Age, Kind::Pgp];

/// The key services at hand; the first that knows a recipient's kind is asked.
#[derive(Default)]
pub struct Keyring {
    services: Vec<Box<dyn KeyService>>,
}

impl Keyring {
    /// A keyring of these services.
    pub fn new(services: Vec<Box<dyn KeyService>>) -> Self {
        Self { services }
    }

    /// Wraps a data key for every recipient of every group; the result has the shape of `groups`.
    ///
    /// With one group each recipient gets the data key; with more each group gets a share of it, and `threshold` groups
    /// (all, if not given or 0) are needed to have it back. `created_at` is the time now, RFC 3339. `fill` fills what it
    /// is given with random bytes.
    pub fn wrap<E: fmt::Display>(
        &self,
        groups: &[KeyGroup],
        threshold: Option<usize>,
        key: &DataKey,
        created_at: &str,
        fill: impl FnMut(&mut [u8]) -> Result<(), E>,
    ) -> Result<Vec<Vec<WrappedKey>>, WrapError> {
        if groups.is_empty() || groups.iter().any(Vec::is_empty) {
            return Err(WrapError::EmptyGroup);
        }
        let key = Plaintext::from(&key.expose()[..]);
        let shares = if groups.len() == 1 {
            vec![key]
        } else {
            let threshold = threshold.filter(|&threshold| threshold != 0).unwrap_or(groups.len());
            shamir::split(&key, groups.len(), threshold, fill)?
        };
        let wrap_group = |(group, share): (&KeyGroup, &Plaintext)| {
            group.iter().map(|recipient| self.wrap_for(recipient, share, created_at)).collect()
        };
        groups.iter().zip(&shares).map(wrap_group).collect()
    }

    fn wrap_for(&self, recipient: &Recipient, share: &Plaintext, created_at: &str) -> Result<WrappedKey, WrapError> {
        let wrapped = self.services.iter().find_map(|service| service.wrap(recipient, share));
        match wrapped.unwrap_or_else(|| Err(no_service(recipient))) {
            Ok(enc) => Ok(WrappedKey {
                recipient: recipient.clone(),
                enc,
                created_at: (recipient.kind() != Kind::Age).then(|| created_at.to_owned()),
            }),
            Err(error) => Err(WrapError::Service { recipient: recipient.clone(), error }),
        }
    }

    /// Unwraps the data key of `groups` with whatever is at hand, and says what was tried.
    ///
    /// In each group the kinds of `order` (or [`DEFAULT_ORDER`], if it is empty) are tried first, then the others as they
    /// stand; the first success ends a group. With several groups all are tried and all shares used, as in sops;
    /// `threshold` of them are needed.
    pub fn unwrap_any(
        &self,
        groups: &[Vec<WrappedKey>],
        threshold: Option<usize>,
        order: &[Kind],
    ) -> Result<(DataKey, Vec<Attempt>), UnwrapError> {
        let order = if order.is_empty() { &DEFAULT_ORDER } else { order };
        let needed = if groups.len() > 1 { threshold.unwrap_or_default().max(2) } else { 1 };
        let mut attempts = Vec::new();
        let mut shares = Vec::new();
        for (group, wrapped_keys) in groups.iter().enumerate() {
            let mut wrapped_keys: Vec<_> = wrapped_keys.iter().collect();
            wrapped_keys.sort_by_key(|wrapped| {
                let kind = wrapped.recipient.kind();
                order.iter().position(|&first| first == kind).unwrap_or(order.len())
            });
            let share_len = if groups.len() > 1 { DataKey::LEN + 1 } else { DataKey::LEN };
            for wrapped in wrapped_keys {
                let share = self.unwrap_one(wrapped, share_len);
                let recipient = wrapped.recipient.clone();
                let is_open = share.is_ok();
                attempts.push(Attempt { recipient, group, error: share.map(|share| shares.push(share)).err() });
                if is_open {
                    break;
                }
            }
        }

        let failed = |problem, attempts| UnwrapError { attempts, opened: shares.len(), needed, problem };
        if shares.len() < needed {
            return Err(failed(None, attempts));
        }
        let key = if groups.len() > 1 {
            match shamir::combine(&shares) {
                Ok(key) => key,
                Err(error) => return Err(failed(Some(error), attempts)),
            }
        } else {
            shares.swap_remove(0)
        };
        let key = DataKey::from_bytes(key.expose()).expect("the lengths of data key and shares were checked");
        Ok((key, attempts))
    }

    fn unwrap_one(&self, wrapped: &WrappedKey, len: usize) -> Result<Plaintext, ServiceError> {
        let unwrapped = self.services.iter().find_map(|service| service.unwrap(wrapped));
        let share = unwrapped.unwrap_or_else(|| Err(no_service(&wrapped.recipient)))?;
        if share.expose().len() == len {
            Ok(share)
        } else {
            let message = format!("it holds {} bytes where a key of {len} should be", share.expose().len());
            Err(ServiceError::new(ServiceErrorKind::Refused, message))
        }
    }
}

fn no_service(recipient: &Recipient) -> ServiceError {
    let message = format!("{} is not part of this build", recipient.kind().title());
    ServiceError::new(ServiceErrorKind::Unusable, message)
}

/// A service can be kept beside the keyring that asks it.
impl<S: KeyService + Send + ?Sized> KeyService for Arc<S> {
    fn wrap(&self, recipient: &Recipient, key: &Plaintext) -> Option<Result<String, ServiceError>> {
        (**self).wrap(recipient, key)
    }

    fn unwrap(&self, wrapped: &WrappedKey) -> Option<Result<Plaintext, ServiceError>> {
        (**self).unwrap(wrapped)
    }
}

/// Why a data key could not be wrapped for all its recipients.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WrapError {
    /// There is no group, or one without recipients.
    #[error("empty key group provided")]
    EmptyGroup,
    /// The data key could not be split over the groups.
    #[error(transparent)]
    Shamir(#[from] ShamirError),
    /// A recipient could not be wrapped for.
    #[error("cannot encrypt to {recipient}: {error}")]
    Service {
        /// For whom.
        recipient: Recipient,
        /// What failed.
        error: ServiceError,
    },
}

/// Why a data key could not be unwrapped: the attempts are the message, this says only what was missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnwrapError {
    /// What was tried, in that order.
    pub attempts: Vec<Attempt>,
    /// How many groups could be opened.
    pub opened: usize,
    /// How many are needed.
    pub needed: usize,
    /// Why the shares do not fit together, if enough were opened.
    pub problem: Option<ShamirError>,
}

impl fmt::Display for UnwrapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.problem, self.attempts.len()) {
            (Some(problem), _) => write!(f, "the shares of its data key do not fit together: {problem}"),
            (None, 0) => f.write_str("it has no recipients"),
            (None, _) if self.needed > 1 => {
                write!(f, "{} key groups are needed and {} could be opened", self.needed, self.opened)
            }
            (None, 1) => f.write_str("its only recipient could not be used"),
            (None, count) => write!(f, "none of its {count} recipients could be used"),
        }
    }
}

impl std::error::Error for UnwrapError {}
