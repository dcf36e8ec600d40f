//! age identities: `AGE-SECRET-KEY-1…`, the post-quantum ones, those of plugins.

use crate::scan::check::{Check, Verdict};
use crate::scan::{Candidate, Confidence, Detector, Hit, Note, Reach, RuleIndex, Ruleset, Text};

/// Finds age identities.
pub struct Age {
    key: Option<RuleIndex>,
    post_quantum: Option<RuleIndex>,
    plugin: Option<RuleIndex>,
}

/// No identity is longer: one of ML-KEM has some 2,000 characters.
const MAX_LEN: usize = 8192;
/// Shorter ones are talk about identities.
const LEAST: usize = 32;

impl Age {
    /// One for the rules in force.
    pub fn new(rules: &Ruleset) -> Self {
        Self {
            key: rules.index("age-key"),
            post_quantum: rules.index("age-pq-key"),
            plugin: rules.index("age-plugin-key"),
        }
    }
}

impl Detector for Age {
    fn keywords(&self) -> &[&str] {
        &["age-secret-key-", "age-plugin-"]
    }

    fn reach(&self) -> Reach {
        Reach::Window(MAX_LEN)
    }

    fn find(&self, text: &Text<'_>, hits: &[Hit], found: &mut Vec<Candidate>) {
        for hit in hits {
            let rest = &text.bytes[hit.start..(hit.start + MAX_LEN).min(text.bytes.len())];
            let len = rest
                .iter()
                .take_while(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || **byte == b'-')
                .count();
            let token = rest[..len].trim_ascii_end();
            let glued = hit.start.checked_sub(1).is_some_and(|before| text.bytes[before].is_ascii_alphanumeric())
                && !escape_before(text.bytes, hit.start);
            // The separator is the last `1`: bech32 has no other in its data.
            let Some(separator) = token.iter().rposition(|byte| *byte == b'1').filter(|_| !glued) else { continue };
            if len - separator < LEAST {
                continue;
            }
            let rule = match &token[..separator] {
                b"AGE-SECRET-KEY-" => self.key,
                b"AGE-SECRET-KEY-PQ-" => self.post_quantum,
                name if name.starts_with(b"AGE-PLUGIN-") => self.plugin,
                _ => None,
            };
            let Some(rule) = rule else { continue };
            let mut candidate = Candidate::at(rule, hit.start..hit.start + len, Confidence::High);
            match Check::Bech32.run(token, &mut candidate.notes) {
                Verdict::Fails => {
                    candidate.confidence = Confidence::Low;
                    candidate.notes.push(Note::CheckFails("bech32"));
                }
                Verdict::Proves | Verdict::Fits => candidate.notes.push(Note::CheckPasses("bech32")),
            }
            found.push(candidate);
        }
    }
}

/// Whether the letter before is that of an escape, as in `\nAGE-SECRET-KEY-1`.
fn escape_before(bytes: &[u8], at: usize) -> bool {
    at >= 2 && bytes[at - 2] == b'\\' && matches!(bytes[at - 1], b'n' | b't' | b'r')
}

#[cfg(test)]
mod tests {
    use super::super::tests::{engine, found};
    use super::*;

    #[test]
    fn the_checksum_tells_a_key_from_one_that_was_made_up() {
        let engine = engine(&["age-key", "age-plugin-key"]);
        let hrp = bech32::Hrp::parse_unchecked("age-secret-key-");
        let key = bech32::encode_upper::<bech32::Bech32>(hrp, &[7; 32]).expect("short enough");
        for text in [key.clone(), format!("key: '{key}'"), format!("\"a\\n{key}\\n\"")] {
            assert_eq!(found(&engine, &text), [("age-key".to_owned(), key.as_str(), Confidence::High)]);
        }
        let last = if key.ends_with('Q') { 'P' } else { 'Q' };
        let wrong = format!("{}{last}", &key[..key.len() - 1]);
        assert_eq!(found(&engine, &wrong), [("age-key".to_owned(), wrong.as_str(), Confidence::Low)]);
        for text in ["AGE-SECRET-KEY-1", "AGE-SECRET-KEY-1…", "age-plugin-yubikey", "AGE-PLUGIN-YUBIKEY-1X"] {
            assert_eq!(found(&engine, text), [], "{text}");
        }
    }
}
