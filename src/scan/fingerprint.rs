//! The name of a leak: the same in every place that holds it, and not to be guessed from.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// 128 bits of SHA-256 over version, salt, rule id and secret.
///
/// It has no path, line or commit in it: moves, renames, squashes and rebases leave it as it is, and another secret in the same
/// place has another one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 16]);

/// What a repository's fingerprints are keyed with, so that short passwords cannot be looked up from a list of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Salt(pub Vec<u8>);

/// The digits of a printed fingerprint: no `i`, `l`, `o`, `u`, as Crockford's base32.
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

impl Fingerprint {
    /// The fingerprint of a secret that a rule found.
    pub fn new(salt: &Salt, rule: &str, secret: &[u8]) -> Self {
        let mut hash = Sha256::new();
        for part in [b"seal fingerprint 1".as_slice(), &salt.0, rule.as_bytes(), secret] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let digest = hash.finalize();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        Self(bytes)
    }

    /// The first digits, to say and to type: `F-7hq2-k3`.
    pub fn short(&self) -> String {
        let digits = self.digits();
        format!("F-{}-{}", &digits[..4], &digits[4..6])
    }

    /// Whether typed words mean this one: `F-7hq2-k3`, or any longer part of it, in any case, with or without `F-`.
    pub fn is_meant_by(&self, typed: &str) -> bool {
        let typed = typed.strip_prefix("fp:").unwrap_or(typed).to_ascii_lowercase();
        let typed: String = typed.strip_prefix("f-").unwrap_or(&typed).chars().filter(|c| *c != '-').collect();
        typed.len() >= 6 && self.digits().starts_with(&typed)
    }

    fn digits(&self) -> String {
        let number = u128::from_be_bytes(self.0);
        // The first digit has the three topmost bits, each other one five.
        (0..26).map(|place| DIGITS[(number >> (125 - 5 * place)) as usize & 31] as char).collect()
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.digits())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
