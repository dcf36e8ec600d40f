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

    /// The fingerprint of all its 26 digits, as it is printed; in any case.
    pub fn parse(text: &str) -> Option<Self> {
        let mut number: u128 = 0;
        for byte in text.bytes().map(|byte| byte.to_ascii_lowercase()) {
            let digit = DIGITS.iter().position(|digit| *digit == byte)?;
            number = number.checked_mul(32)?.checked_add(digit as u128)?;
        }
        (text.len() == 26).then(|| Self(number.to_be_bytes()))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn of(salt: &[u8], rule: &str, secret: &str) -> String {
        Fingerprint::new(&Salt(salt.to_vec()), rule, secret.as_bytes()).to_string()
    }

    /// People keep these in files: they may not change within version 1.
    #[test]
    fn fingerprints_are_stable() {
        assert_eq!(of(b"", "generic-password", "hunter2"), "1s3hmh24zqfqjvw2c9269d7tn1");
        assert_eq!(of(b"pepper", "generic-password", "hunter2"), "0tzrydr4c3n3309dx6641kn5nm");
        assert_eq!(of(b"", "", ""), "22b8ae8qk5tmvwyt063ykwj2gs");
    }

    #[test]
    fn every_part_counts_and_none_runs_into_the_next() {
        let all = [of(b"", "ab", "c"), of(b"", "a", "bc"), of(b"a", "b", "c"), of(b"ab", "", "c"), of(b"", "ab", "C")];
        for (at, one) in all.iter().enumerate() {
            assert!(!all[at + 1..].contains(one));
        }
    }

    #[test]
    fn what_is_printed_is_parsed() {
        for number in [0, 1, u128::MAX, 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef] {
            let one = Fingerprint(number.to_be_bytes());
            assert_eq!(Fingerprint::parse(&one.to_string()), Some(one));
            assert_eq!(Fingerprint::parse(&one.to_string().to_uppercase()), Some(one));
        }
        for bad in
            ["", "F-7hq2-k3", "zzzzzzzzzzzzzzzzzzzzzzzzzz", "0000000000000000000000000u", "00000000000000000000000000é"]
        {
            assert_eq!(Fingerprint::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn six_digits_or_more_name_it() {
        let one = Fingerprint::new(&Salt::default(), "r", b"s");
        let (short, long) = (one.short(), one.to_string());
        assert_eq!(short.len(), "F-7hq2-k3".len());
        for typed in
            [&short, &long, &short.to_lowercase(), &long.to_uppercase(), &format!("fp:{long}"), &long[..9].to_owned()]
        {
            assert!(one.is_meant_by(typed), "{typed}");
        }
        let other = Fingerprint::new(&Salt::default(), "r", b"t").to_string();
        for typed in ["", "F-", &long[..5], &other, &format!("{long}0"), "F-ü"] {
            assert!(!one.is_meant_by(typed), "{typed}");
        }
    }
}
