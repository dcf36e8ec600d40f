//! Splitting a data key over key groups, and putting it together again.
//!
//! Shamir's scheme over GF(2⁸) with AES' polynomial x⁸+x⁴+x³+x+1, each byte by itself. A share is the y-bytes, as many as
//! the secret has, followed by one byte x; share `i` (from 0) has x = `i + 1`. This is the form sops stores
//! (getsops/sops, `shamir/`). A secret hides in the bytes only: neither branches nor table look-ups depend on them.

use std::fmt;

use zeroize::Zeroizing;

use super::secret::Plaintext;

/// Why a secret could not be split or combined.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShamirError {
    /// The threshold is below two or above the number of parts, or there are more than 255 parts.
    #[error("threshold {threshold} does not fit {parts} key groups: it must be from 2 to the number of groups")]
    Threshold {
        /// How many shares were to be enough.
        threshold: usize,
        /// How many shares were to be made.
        parts: usize,
    },
    /// There is nothing to split.
    #[error("cannot split an empty secret")]
    Empty,
    /// No random bytes were to be had.
    #[error("no random bytes: {0}")]
    Random(String),
    /// One share, or none, never makes a secret.
    #[error("fewer than two shares")]
    TooFew,
    /// The shares are not all equally long, or shorter than two bytes, or have x = 0.
    #[error("a share is malformed")]
    Malformed,
    /// Two shares have the same x: they are the same share, or not of the same secret.
    #[error("two shares are for the same key group")]
    Duplicate,
}

/// Splits `secret` into `parts` shares of which any `threshold` give it back; `fill` fills what it is given with random
/// bytes.
pub fn split<E: fmt::Display>(
    secret: &Plaintext,
    parts: usize,
    threshold: usize,
    mut fill: impl FnMut(&mut [u8]) -> Result<(), E>,
) -> Result<Vec<Plaintext>, ShamirError> {
    let fits = (2..=parts).contains(&threshold);
    let parts = u8::try_from(parts).ok().filter(|_| fits).ok_or(ShamirError::Threshold { threshold, parts })?;
    let secret = secret.expose();
    if secret.is_empty() {
        return Err(ShamirError::Empty);
    }

    // One polynomial a byte: the byte itself, then `threshold - 1` random coefficients.
    let mut random = Zeroizing::new(vec![0; secret.len() * (threshold - 1)]);
    fill(&mut random).map_err(|e| ShamirError::Random(e.to_string()))?;
    let share = |x: u8| {
        let mut share = Vec::with_capacity(secret.len() + 1);
        for (byte, coefficients) in secret.iter().zip(random.chunks_exact(threshold - 1)) {
            share.push(coefficients.iter().fold(0, |y, c| multiply(y ^ c, x)) ^ byte);
        }
        share.push(x);
        Plaintext::from(share)
    };
    Ok((1..=parts).map(share).collect())
}

/// Combines shares: the value at 0 of the polynomials through all of them.
///
/// Fewer shares than the threshold give a wrong secret, not an error: only the document's MAC can tell.
pub fn combine(shares: &[Plaintext]) -> Result<Plaintext, ShamirError> {
    if shares.len() < 2 {
        return Err(ShamirError::TooFew);
    }
    let mut points = Vec::with_capacity(shares.len());
    for share in shares {
        match share.expose().split_last() {
            Some((&x, y)) if x != 0 && !y.is_empty() && y.len() + 1 == shares[0].expose().len() => points.push((x, y)),
            _ => return Err(ShamirError::Malformed),
        }
    }

    let mut secret = Zeroizing::new(vec![0; points[0].1.len()]);
    for (i, &(x, y)) in points.iter().enumerate() {
        let mut weight = 1;
        for (j, &(other, _)) in points.iter().enumerate() {
            if i != j {
                if x == other {
                    return Err(ShamirError::Duplicate);
                }
                weight = multiply(weight, multiply(other, invert(other ^ x)));
            }
        }
        for (sum, &y) in secret.iter_mut().zip(y) {
            *sum ^= multiply(weight, y);
        }
    }
    Ok(Plaintext::from(secret))
}

/// The product in the field, in the same time for all operands.
fn multiply(mut a: u8, mut b: u8) -> u8 {
    let mut product = 0;
    for _ in 0..8 {
        product ^= a & 0u8.wrapping_sub(b & 1);
        a = (a << 1) ^ (0x1b & 0u8.wrapping_sub(a >> 7));
        b >>= 1;
    }
    product
}

/// The inverse: a²⁵⁴, as a²⁵⁵ is 1 for all but 0.
fn invert(a: u8) -> u8 {
    // 254 is seven binary ones followed by a zero.
    let power = (0..6).fold(a, |power, _| multiply(multiply(power, power), a));
    multiply(power, power)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn counting() -> impl FnMut(&mut [u8]) -> Result<(), String> {
        let mut state = 7u8;
        move |bytes| {
            for byte in bytes {
                state = state.wrapping_mul(181).wrapping_add(91);
                *byte = state;
            }
            Ok(())
        }
    }

    fn copy(share: &Plaintext) -> Plaintext {
        Plaintext::from(share.expose())
    }

    #[test]
    fn field_is_that_of_aes() {
        // FIPS 197, section 4.2: {57} · {83} = {c1}, {57} · {13} = {fe}.
        assert_eq!((multiply(0x57, 0x83), multiply(0x57, 0x13)), (0xc1, 0xfe));
        assert!((1..=255).all(|a| multiply(a, invert(a)) == 1));
    }

    #[test]
    fn any_threshold_of_shares_gives_the_secret_and_fewer_do_not() {
        let secret: Vec<u8> = (0..32).map(|i| i * 7 + 1).collect();
        for parts in 2..=6 {
            for threshold in 2..=parts {
                let shares = split(&Plaintext::from(secret.clone()), parts, threshold, counting()).unwrap();
                for chosen in 0u32..1 << parts {
                    let picked: Vec<_> =
                        (0..parts).filter(|i| chosen >> i & 1 == 1).map(|i| copy(&shares[i])).collect();
                    match combine(&picked) {
                        Ok(got) => assert_eq!(got.expose() == secret, picked.len() >= threshold),
                        Err(error) => assert!(picked.len() < 2 && error == ShamirError::TooFew),
                    }
                }
            }
        }
    }

    #[test]
    fn shares_of_sops_give_the_key_that_opens_its_document() {
        use aes_gcm::aead::{Aead, KeyInit, Payload, consts::U32};
        use aes_gcm::{AesGcm, aes::Aes256};
        use base64::prelude::{BASE64_STANDARD, Engine};

        // From a document that sops 3.13.3 encrypted with three groups and threshold 2; its value `a: secret`.
        let shares = [
            "7158a196b3f70206bff6d2971b572f0dfe45bd92e4e8c11f5aa8bc36435bbcfd01",
            "1403137afb922023cc8769fdc7743556d1fad81417c283eeb67f79c51992cb6202",
            "37c37dd7c3b13ec914a800db7a9cca963d66fb9f462dbd481b323a942fd5e61703",
        ];
        let [nonce, sealed, tag] =
            ["Yglq/Mxq6zHXK6PHYCi38whKi+pzkjLSEeUXLWDwnEQ=", "evaWe4j/", "a8CicK+7bhgJzaXuWe198g=="]
                .map(|text| BASE64_STANDARD.decode(text).unwrap());
        let share = |i: usize| {
            let byte = |at| u8::from_str_radix(&shares[i][at..at + 2], 16).unwrap();
            Plaintext::from((0..66).step_by(2).map(byte).collect::<Vec<_>>())
        };
        for chosen in [&[0, 1][..], &[0, 2], &[1, 2], &[2, 0], &[0, 1, 2]] {
            let key = combine(&chosen.iter().map(|&i| share(i)).collect::<Vec<_>>()).unwrap();
            let cipher = AesGcm::<Aes256, U32>::new_from_slice(key.expose()).unwrap();
            let message = Payload { msg: &[&sealed[..], &tag].concat(), aad: b"a:" };
            assert_eq!(cipher.decrypt(nonce[..].try_into().unwrap(), message).unwrap(), b"secret");
        }
    }

    #[test]
    fn share_is_y_bytes_then_x() {
        let shares = split(&Plaintext::from(vec![1; 32]), 3, 2, counting()).unwrap();
        assert_eq!(
            shares.iter().map(|s| (s.expose().len(), s.expose()[32])).collect::<Vec<_>>(),
            [(33, 1), (33, 2), (33, 3)]
        );
    }

    #[test]
    fn threshold_must_fit() {
        for (parts, threshold) in [(2, 1), (2, 0), (2, 3), (1, 1), (256, 2)] {
            let error = split(&Plaintext::from(vec![1]), parts, threshold, counting()).unwrap_err();
            assert_eq!(error, ShamirError::Threshold { threshold, parts });
        }
    }

    #[test]
    fn bad_shares_are_refused() {
        let share = |bytes: &[u8]| Plaintext::from(bytes);
        assert_eq!(combine(&[share(&[1, 1]), share(&[2, 1])]).unwrap_err(), ShamirError::Duplicate);
        for bad in [&[][..], &[1], &[1, 0], &[1, 2, 3]] {
            assert_eq!(combine(&[share(&[9, 1]), share(bad)]).unwrap_err(), ShamirError::Malformed);
        }
    }
}
