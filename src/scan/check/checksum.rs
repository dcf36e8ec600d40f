//! Checksums that issuers put into their tokens.

use age_core::primitives::bech32_decode;

use super::Verdict;

/// The digits of base62 and, without the capitals at the end, of base36.
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// GitHub and npm: source: GitHub's post "Behind GitHub's new authentication token formats".
pub fn github(text: &str) -> Verdict {
    let body = text.rsplit('_').next().unwrap_or_default();
    // Longer ones are of a form whose checksum is not published.
    if !matches!(body.len(), 36 | 76) || !body.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Verdict::Fits;
    }
    let (random, sum) = body.split_at(body.len() - 6);
    super::proves(github_sum(random) == sum)
}

/// The six digits that belong behind `random`.
pub fn github_sum(random: &str) -> String {
    digits(crc32fast::hash(random.as_bytes()), 62, 6)
}

/// Grafana's service account tokens; seen on published samples.
pub fn le_hex(text: &str) -> Verdict {
    super::proves(text.rsplit_once('_').is_some_and(|(before, sum)| le_hex_sum(before) == sum))
}

/// The eight digits that belong behind `before` and a `_`.
pub fn le_hex_sum(before: &str) -> String {
    format!("{:08x}", crc32fast::hash(before.as_bytes()).swap_bytes())
}

/// Atlassian's API tokens; seen on published samples.
pub fn hex_upper(text: &str) -> Verdict {
    let split = text.len().checked_sub(8).and_then(|at| text.split_at_checked(at));
    super::proves(split.is_some_and(|(before, sum)| hex_upper_sum(before) == sum))
}

/// The eight digits that belong behind `before`.
pub fn hex_upper_sum(before: &str) -> String {
    format!("{:08X}", crc32fast::hash(before.as_bytes()))
}

/// GitLab's routable tokens, of any prefix. Source: GitLab, lib/authn/token_field/generator/routable_token.rb.
pub fn gitlab_routable(text: &str) -> Verdict {
    let split = text.len().checked_sub(7).and_then(|at| text.split_at_checked(at));
    super::proves(split.is_some_and(|(before, sum)| gitlab_sum(before) == sum))
}

/// The nine digits that belong behind `before`, which ends in the dot: how long the payload is, and the sum.
pub fn gitlab_routable_sum(before: &str) -> Option<String> {
    let payload = before.strip_suffix('.')?.split('.').next()?.split_once('-')?.1;
    let length = digits(u32::try_from(payload.len()).ok()?, 36, 2).to_ascii_lowercase();
    Some(format!("{length}{}", gitlab_sum(&format!("{before}{length}"))))
}

fn gitlab_sum(before: &str) -> String {
    digits(crc32fast::hash(before.as_bytes()), 36, 7).to_ascii_lowercase()
}

/// BIP 173 without its limit of length, as age has it.
pub fn bech32(text: &str) -> Verdict {
    let decoded = bech32_decode(text, |_| (), |_| Ok(()), |_, bytes| Ok(bytes.count()));
    super::proves(decoded.is_ok())
}

/// The check digit of card numbers, ISO/IEC 7812.
pub fn luhn(text: &str) -> bool {
    let split = text.len().checked_sub(1).and_then(|at| text.split_at_checked(at));
    split.is_some_and(|(before, digit)| luhn_digit(before).is_some_and(|sum| sum == digit))
}

/// The digit that belongs behind `before`.
pub fn luhn_digit(before: &str) -> Option<String> {
    let digits: Option<Vec<u32>> = before.chars().map(|c| c.to_digit(10)).collect();
    let doubled = |(place, digit): (usize, u32)| if place % 2 == 0 { digit * 2 / 10 + digit * 2 % 10 } else { digit };
    let sum: u32 = digits.filter(|digits| !digits.is_empty())?.into_iter().rev().enumerate().map(doubled).sum();
    Some(((10 - sum % 10) % 10).to_string())
}

/// A number in a base of up to 62, with zeros in front.
fn digits(mut number: u32, base: u32, width: usize) -> String {
    let mut digits = vec![b'0'; width];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62[(number % base) as usize];
        number /= base;
    }
    digits.into_iter().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Verdict::{Fails, Fits, Proves};
    use super::*;

    #[test]
    fn github_has_six_base62_digits_with_zeros_in_front() {
        // CRC-32 of "123456789" is 0xCBF43926, the test value of every CRC catalogue; of nothing it is 0.
        assert_eq!(github_sum("123456789"), "3jZRME");
        assert_eq!(github_sum(""), "000000");
        let body = "q7Xw2LmN9dRt4VbKc8YzFh1GsJp5Ae";
        let token = format!("ghp_{body}{}", github_sum(body));
        assert_eq!(github(&token), Proves);
        assert_eq!(github(&token.replace("q7X", "q8X")), Fails);
        assert_eq!(github("ghs_short"), Fits);
    }

    #[test]
    fn others_are_hex() {
        assert_eq!(hex_upper_sum("123456789"), "CBF43926");
        assert_eq!(le_hex_sum("123456789"), "2639f4cb");
        assert_eq!(le_hex("123456789_2639f4cb"), Proves);
        assert_eq!(le_hex("123456789_cbf43926"), Fails);
        assert_eq!(hex_upper("123456789CBF43926"), Proves);
        assert_eq!(hex_upper("123456789cbf43926"), Fails);
    }

    #[test]
    fn gitlab_has_two_digits_of_length_and_seven_of_sum() {
        // The shortest token of GitLab's design document "Routable tokens".
        assert_eq!(gitlab_routable("bzoxd_Rb5_cHeWe1JH56wr2FCBA.0r1pum4t4"), Proves);
        assert_eq!(gitlab_routable("bzoxd_Rb5_cHeWe1JH56wr2FCBB.0r1pum4t4"), Fails);
        let before = "glpat-bzoxd_Rb5-cHeWe1JH56wr2FCBA.";
        let token = format!("{before}{}", gitlab_routable_sum(before).unwrap_or_default());
        assert_eq!((gitlab_routable(&token), &token[before.len()..before.len() + 2]), (Proves, "0r"));
    }

    #[test]
    fn luhn_digit_fits() {
        assert_eq!(luhn_digit("7992739871").as_deref(), Some("3"));
        assert!(luhn("79927398713") && !luhn("79927398710") && !luhn("") && !luhn("7"));
    }

    #[test]
    fn bech32_has_no_limit_of_length() {
        // BIP 173, test vectors.
        assert_eq!(bech32("A12UEL5L"), Proves);
        assert_eq!(bech32("abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw"), Proves);
        assert_eq!(bech32("abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxx"), Fails);
        let long = age_core::primitives::bech32_encode(bech32::Hrp::parse_unchecked("age-secret-key-pq-"), &[7; 300]);
        assert_eq!(bech32(&long.to_ascii_uppercase()), Proves);
    }
}
