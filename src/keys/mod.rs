//! The key services at hand, and what is asked of them: to wrap a data key for all its recipients, and to unwrap it with any.
//!
//! age is the one service of this build. Others' recipients are parsed, printed and kept; to use one is an error that says so.

mod age;
mod age_file;
mod age_plugin;
mod found;
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
            Err(error) => Err(WrapError::Service { recipient: Box::new(recipient.clone()), error }),
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
        recipient: Box<Recipient>,
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Knows one kind; what it wraps reads `recipient:hex`, and it refuses the recipients of the list.
    struct InMemory(Kind, Vec<&'static str>);

    impl KeyService for InMemory {
        fn wrap(&self, recipient: &Recipient, key: &Plaintext) -> Option<Result<String, ServiceError>> {
            let hex: String = key.expose().iter().map(|byte| format!("{byte:02x}")).collect();
            let refused = self.1.contains(&recipient.to_string().as_str());
            let refused = refused.then(|| Err(ServiceError::new(ServiceErrorKind::Refused, "access denied")));
            (recipient.kind() == self.0).then(|| refused.unwrap_or_else(|| Ok(format!("{recipient}:{hex}"))))
        }

        fn unwrap(&self, wrapped: &WrappedKey) -> Option<Result<Plaintext, ServiceError>> {
            let (recipient, hex) = wrapped.enc.split_once(':')?;
            if wrapped.recipient.kind() != self.0 {
                return None;
            }
            if self.1.contains(&recipient) {
                return Some(Err(ServiceError::new(ServiceErrorKind::NoIdentity, "not mine")));
            }
            let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
            Some(Ok((0..hex.len()).step_by(2).map(byte).collect::<Vec<_>>().into()))
        }
    }

    fn keyring(age_refuses: &[&'static str]) -> Keyring {
        let services: [Box<dyn KeyService>; 2] =
            [Box::new(InMemory(Kind::Pgp, vec![])), Box::new(Arc::new(InMemory(Kind::Age, age_refuses.to_vec())))];
        Keyring::new(services.into())
    }

    fn age(name: &str) -> Recipient {
        Recipient::Age(name.to_owned())
    }

    fn key() -> DataKey {
        DataKey::from_bytes(&[42; 32]).unwrap()
    }

    fn fill(bytes: &mut [u8]) -> Result<(), String> {
        bytes.fill(0x5a);
        Ok(())
    }

    fn wrap(groups: &[KeyGroup], threshold: Option<usize>) -> Result<Vec<Vec<WrappedKey>>, WrapError> {
        keyring(&[]).wrap(groups, threshold, &key(), "2026-01-02T03:04:05Z", fill)
    }

    #[test]
    fn every_recipient_of_one_group_gets_the_data_key() {
        let groups = [vec![age("a"), Recipient::Pgp("P".into())]];
        // A threshold is kept in the envelope, but means nothing for one group.
        let wrapped = wrap(&groups, Some(2)).unwrap();
        assert_eq!(wrapped[0][0].enc, format!("a:{}", "2a".repeat(32)));
        assert_eq!(wrapped[0][0].created_at, None);
        assert_eq!(wrapped[0][1].created_at.as_deref(), Some("2026-01-02T03:04:05Z"));
        let (opened, attempts) = keyring(&[]).unwrap_any(&wrapped, Some(2), &[]).unwrap();
        assert_eq!(opened.expose(), key().expose());
        assert_eq!(attempts, [Attempt { recipient: age("a"), group: 0, error: None }]);
    }

    #[test]
    fn kinds_are_tried_in_the_order_asked_for_and_the_first_success_ends_it() {
        let wrapped = wrap(&[vec![Recipient::Pgp("P".into()), age("a"), age("b")]], None).unwrap();
        let tried = |refused: &[&'static str], order: &[Kind]| {
            let (_, attempts) = keyring(refused).unwrap_any(&wrapped, None, order).unwrap();
            attempts.iter().map(|attempt| attempt.recipient.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(tried(&[], &[]), ["a"]);
        assert_eq!(tried(&["a"], &[]), ["a", "b"]);
        assert_eq!(tried(&["a", "b"], &[]), ["a", "b", "P"]);
        assert_eq!(tried(&[], &[Kind::Pgp]), ["P"]);
        assert_eq!(tried(&[], &[Kind::AwsKms]), ["P"]);
    }

    #[test]
    fn as_many_groups_as_the_threshold_says_are_needed() {
        let groups = ["a", "b", "c"].map(|name| vec![age(name)]);
        for (threshold, needed) in [(Some(2), 2), (None, 3), (Some(0), 3), (Some(3), 3)] {
            let wrapped = wrap(&groups, threshold).unwrap();
            for refused in [&[][..], &["a"], &["b", "c"]] {
                match keyring(refused).unwrap_any(&wrapped, Some(needed), &[]) {
                    Ok((opened, attempts)) => {
                        assert!(3 - refused.len() >= needed && attempts.len() == 3);
                        assert_eq!(opened.expose(), key().expose());
                    }
                    Err(error) => {
                        assert!(3 - refused.len() < needed);
                        assert_eq!((error.opened, error.needed, error.attempts.len()), (3 - refused.len(), needed, 3));
                    }
                }
            }
        }
        assert!(matches!(wrap(&groups, Some(1)), Err(WrapError::Shamir(ShamirError::Threshold { .. }))));
        assert!(matches!(wrap(&groups, Some(4)), Err(WrapError::Shamir(ShamirError::Threshold { .. }))));
    }

    #[test]
    fn what_cannot_be_wrapped_for_is_named() {
        assert_eq!(wrap(&[], None).unwrap_err().to_string(), "empty key group provided");
        assert_eq!(wrap(&[vec![age("a")], vec![]], None).unwrap_err(), WrapError::EmptyGroup);
        let error = wrap(&[vec![Recipient::GcpKms("g".into())]], None).unwrap_err();
        assert_eq!(error.to_string(), "cannot encrypt to g: GCP KMS is not part of this build");
        let error = keyring(&["a"]).wrap(&[vec![age("a")]], None, &key(), "", fill).unwrap_err();
        assert_eq!(error.to_string(), "cannot encrypt to a: access denied");
    }

    #[test]
    fn failure_lists_every_attempt() {
        let mut wrapped = wrap(&[vec![age("a"), age("b")]], None).unwrap();
        wrapped[0][1].enc.truncate(20);
        let elsewhere = WrappedKey { recipient: Recipient::HuaweiKms("r:k".into()), ..wrapped[0][0].clone() };
        wrapped[0].push(elsewhere);
        let error = keyring(&["a"]).unwrap_any(&wrapped, None, &[]).unwrap_err();
        assert_eq!(error.to_string(), "none of its 3 recipients could be used");
        let messages: Vec<_> = error.attempts.into_iter().map(|attempt| attempt.error.unwrap().message).collect();
        assert_eq!(
            messages,
            ["not mine", "it holds 9 bytes where a key of 32 should be", "Huawei Cloud KMS is not part of this build"]
        );
        assert_eq!(keyring(&[]).unwrap_any(&[], None, &[]).unwrap_err().to_string(), "it has no recipients");
    }

    #[test]
    fn shares_of_one_group_do_not_count_twice() {
        let wrapped = wrap(&[vec![age("a")], vec![age("b")]], None).unwrap();
        let twice = [wrapped[0].clone(), wrapped[0].clone()];
        let error = keyring(&[]).unwrap_any(&twice, Some(2), &[]).unwrap_err();
        assert_eq!(error.problem, Some(ShamirError::Duplicate));
    }

    #[test]
    fn keyring_is_shared_by_threads() {
        fn shared<T: Sync>() {}
        shared::<Keyring>();
        shared::<Arc<AgeService>>();
    }
}
