//! OpenPGP private keys in ASCII armor.

use base64::Engine as _;

use super::armor::Armor;
use crate::crypt::Plaintext;
use crate::scan::{Candidate, Confidence, Detector, Hit, Note, Reach, RuleIndex, Ruleset, Text};

/// Finds private keys of OpenPGP.
pub struct Pgp {
    rule: Option<RuleIndex>,
}

impl Pgp {
    /// One for the rules in force.
    pub fn new(rules: &Ruleset) -> Self {
        Self { rule: rules.index("pgp-private") }
    }
}

impl Detector for Pgp {
    fn keywords(&self) -> &[&str] {
        &["pgp private key block-----"]
    }

    fn reach(&self) -> Reach {
        Reach::Document
    }

    fn find(&self, text: &Text<'_>, hits: &[Hit], found: &mut Vec<Candidate>) {
        let Some(rule) = self.rule else { return };
        let mut done = 0;
        for hit in hits {
            if hit.start < done {
                continue;
            }
            let Some(armor) = Armor::at(text.bytes, hit.end) else { continue };
            done = armor.span.end;
            let mut candidate = Candidate::at(rule, armor.span.clone(), Confidence::High);
            if text.bytes[armor.span.clone()] != **armor.text {
                candidate.decoded = Some(Plaintext::from(armor.text));
            }
            let key = armor.bytes.as_ref().map_or(&[][..], |bytes| bytes);
            let sum = armor.checksum.and_then(|sum| base64::engine::general_purpose::STANDARD.decode(sum).ok());
            // A secret key packet, tag 5, in the old or the new form.
            let is_key = matches!(key.first(), Some(0x94..=0x97 | 0xc5));
            // Newer programs write no checksum.
            if is_key && sum.is_none_or(|sum| sum == crc24(key).to_be_bytes()[1..]) {
                candidate.notes.push(Note::CheckPasses("pgp-armor-crc24"));
            } else {
                candidate.confidence = Confidence::Low;
                candidate.notes.push(Note::CheckFails("pgp-armor-crc24"));
            }
            found.push(candidate);
        }
    }
}

/// Source: RFC 9580, section 6.1.
fn crc24(bytes: &[u8]) -> u32 {
    let mut sum = 0xb7_04ce_u32;
    for byte in bytes {
        sum ^= u32::from(*byte) << 16;
        for _ in 0..8 {
            sum <<= 1;
            if sum & 0x100_0000 != 0 {
                sum ^= 0x186_4cfb;
            }
        }
    }
    sum & 0xff_ffff
}

#[cfg(test)]
mod tests {
    use super::super::tests::{engine, found};
    use super::*;

    #[test]
    fn the_checksum_counts_where_there_is_one() {
        // Source: the check value of CRC-24/OPENPGP.
        assert_eq!(crc24(b"123456789"), 0x21_cf02);
        let engine = engine(&["pgp-private"]);
        let key = [&[0x95][..], &[7; 50]].concat();
        let encode = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
        let block = |sum: &str| {
            format!(
                "-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: 1\n\n{}\n{sum}-----END PGP PRIVATE KEY BLOCK-----",
                encode(&key)
            )
        };
        let right = format!("={}\n", encode(&crc24(&key).to_be_bytes()[1..]));
        for (sum, confidence) in [("", Confidence::High), (&right, Confidence::High), ("=AAAA\n", Confidence::Low)] {
            let text = block(sum);
            assert_eq!(found(&engine, &text), [("pgp-private".to_owned(), text.as_str(), confidence)]);
        }
    }
}
