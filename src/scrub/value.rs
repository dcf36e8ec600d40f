//! A value that leaked: what is looked for, and which values are too common to be looked for without being asked twice.
//!
//! The forms in which it may be written down are in [`bodies`](super::bodies).

use zeroize::Zeroizing;

use crate::crypt::Plaintext;
use crate::scan::entropy;

/// A value that leaked. It is never printed.
#[derive(Debug)]
pub struct LeakedValue(Plaintext);

/// Why a value is not looked for. No variant says anything of its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WeakValue {
    /// There is nothing to look for.
    #[error("the value is empty")]
    Empty,
    /// It is a file and no value.
    #[error("the value is longer than {MAX_LEN} bytes: name the file that it is by its path or blob")]
    Long,
    /// It would be found in words that have nothing to do with it.
    #[error("the value is shorter than {MIN_LEN} bytes, so it may stand in texts that have nothing to do with it")]
    Short,
    /// A word or a pattern of few different letters.
    #[error("the value is a word or repeats itself, so it may stand in texts that have nothing to do with it")]
    Common,
}

/// Shorter values are not looked for without being asked twice.
pub const MIN_LEN: usize = 8;

/// Values with less entropy neither, in bits a byte.
const MIN_ENTROPY: f64 = 2.5;

/// No value is longer: a key or a certificate, not a whole file.
const MAX_LEN: usize = 64 << 10;

impl LeakedValue {
    /// A value as it is to be found. Use [`even_if_weak`](Self::even_if_weak) where the user insists.
    pub fn new(bytes: Zeroizing<Vec<u8>>) -> Result<Self, WeakValue> {
        let value = Self::even_if_weak(bytes)?;
        match value.expose() {
            short if short.len() < MIN_LEN => Err(WeakValue::Short),
            common if entropy(common) < MIN_ENTROPY => Err(WeakValue::Common),
            _ => Ok(value),
        }
    }

    /// A value that may stand in texts that have nothing to do with it; the user has seen where.
    pub fn even_if_weak(bytes: Zeroizing<Vec<u8>>) -> Result<Self, WeakValue> {
        match bytes.len() {
            0 => Err(WeakValue::Empty),
            1..=MAX_LEN => Ok(Self(Plaintext::from(bytes))),
            _ => Err(WeakValue::Long),
        }
    }

    /// What was typed or read from a file: the line break at its end is not part of it.
    pub fn without_line_break(mut bytes: Zeroizing<Vec<u8>>) -> Zeroizing<Vec<u8>> {
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
            if bytes.last() == Some(&b'\r') {
                bytes.pop();
            }
        }
        bytes
    }

    /// The bytes themselves.
    pub fn expose(&self) -> &[u8] {
        self.0.expose()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn new(value: &str) -> Result<LeakedValue, WeakValue> {
        LeakedValue::new(Zeroizing::new(value.as_bytes().to_vec()))
    }

    #[test]
    fn weak_values_are_refused_and_none_is_printed() {
        assert_eq!(new("").err(), Some(WeakValue::Empty));
        assert_eq!(new("hunter2").err(), Some(WeakValue::Short));
        assert_eq!(new("aaaaaaaaaaab").err(), Some(WeakValue::Common));
        let value = new("correct-horse").unwrap();
        assert_eq!(value.expose(), b"correct-horse");
        assert!(!format!("{value:?}").contains("horse"));
    }

    #[test]
    fn one_line_break_at_the_end_is_no_part_of_it() {
        for (typed, value) in [("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), ("a\nb", "a\nb"), ("\r", "\r")] {
            let bytes = LeakedValue::without_line_break(Zeroizing::new(typed.as_bytes().to_vec()));
            assert_eq!(&**bytes, value.as_bytes());
        }
    }
}
