//! Key stores that are files of bytes: PKCS#12 (`.p12`, `.pfx`) and Java's JKS and JCEKS. What is in them is under a passphrase.

use crate::scan::{Candidate, Confidence, Detector, Hit, Note, Reach, RuleIndex, Ruleset, Text};

/// Finds key stores by what they begin with.
pub struct Keystore {
    pkcs12: Option<RuleIndex>,
    java: Option<RuleIndex>,
}

/// Those bytes of what is looked for that are ASCII: the end of the name of "data" of PKCS#7, 1.2.840.113549.1.7.1, behind the
/// version of a PKCS#12; the names by which JKS and JCEKS say how a private key is protected, 1.3.6.1.4.1.42.2.17.1.1 and
/// 1.3.6.1.4.1.42.2.19.1.
///
/// Source: RFC 7292, section 4; OpenJDK, `KeyProtector`.
const NAMES: [&str; 3] =
    ["\r\u{1}\u{7}\u{1}", "+\u{6}\u{1}\u{4}\u{1}*\u{2}\u{11}\u{1}\u{1}", "+\u{6}\u{1}\u{4}\u{1}*\u{2}\u{13}\u{1}"];

/// The name of what it holds stands this near to the beginning of a PKCS#12.
const HEAD: usize = 40;

/// Of a larger store so much is its name.
const MAX_LEN: usize = 1 << 20;

impl Keystore {
    /// One for the rules in force.
    pub fn new(rules: &Ruleset) -> Self {
        Self { pkcs12: rules.index("pkcs12"), java: rules.index("java-keystore") }
    }
}

impl Detector for Keystore {
    fn keywords(&self) -> &[&str] {
        &NAMES
    }

    fn reach(&self) -> Reach {
        Reach::Document
    }

    fn find(&self, text: &Text<'_>, hits: &[Hit], found: &mut Vec<Candidate>) {
        let is_one = |hit: &Hit| match hit.keyword {
            0 => hit.start < HEAD && is_pfx(text.bytes),
            1 => text.bytes.starts_with(&[0xfe, 0xed, 0xfe, 0xed]),
            _ => text.bytes.starts_with(&[0xce, 0xce, 0xce, 0xce]),
        };
        let Some(hit) = hits.iter().find(|hit| is_one(hit)) else { return };
        let Some(rule) = (if hit.keyword == 0 { self.pkcs12 } else { self.java }) else { return };
        let mut candidate = Candidate::at(rule, 0..text.bytes.len().min(MAX_LEN), Confidence::High);
        candidate.notes.push(Note::Says("what it holds is under a passphrase, which can be guessed offline"));
        found.push(candidate);
    }
}

/// Whether bytes begin as a PFX: a SEQUENCE, in it the version 3, then the SEQUENCE of what it holds.
fn is_pfx(bytes: &[u8]) -> bool {
    let [0x30, len, rest @ ..] = bytes else { return false };
    let more = if *len > 0x80 { usize::from(len - 0x80) } else { 0 };
    more <= 4 && rest.get(more..).is_some_and(|inner| inner.starts_with(&[2, 1, 3, 0x30]))
}

#[cfg(test)]
mod tests {
    use super::super::tests::engine;

    /// The ids of what is found in bytes.
    fn found(bytes: &[u8]) -> Vec<String> {
        let engine = engine(&["pkcs12", "java-keystore"]);
        let mut found = Vec::new();
        assert!(engine.scan(bytes, &mut found).is_empty());
        found.iter().map(|candidate| engine.rules().rule(candidate.rule).id.clone()).collect()
    }

    #[test]
    fn stores_are_told_from_what_only_names_the_same_things() {
        let data = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1, 0xa0, 0x82, 1, 2, 4];
        let pfx = [&[0x30, 0x82, 9, 0xcf, 2, 1, 3, 0x30, 0x82, 9, 0x85][..], &data, &[0; 80]].concat();
        assert_eq!(found(&pfx), ["pkcs12"]);
        let indefinite = [&[0x30, 0x80, 2, 1, 3, 0x30, 0x80][..], &data, &[7; 80]].concat();
        assert_eq!(found(&indefinite), ["pkcs12"]);
        // A signed message: the same name, and no version of a store.
        assert_eq!(found(&[&[0x30, 0x82, 9, 0xcf][..], &data, &[0; 80]].concat()), [""; 0]);
        assert_eq!(found(&[&[0x30, 0x82, 9, 0xcf, 2, 1, 3, 0x30, 0x82][..], &[0; 60], &data].concat()), [""; 0]);

        let key = b"+\x06\x01\x04\x01*\x02\x11\x01\x01\x05\0";
        let store = |magic: &[u8], name: &[u8]| [magic, &[0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1], name].concat();
        assert_eq!(found(&store(&[0xfe, 0xed, 0xfe, 0xed], key)), ["java-keystore"]);
        assert_eq!(found(&store(&[0xce; 4], b"+\x06\x01\x04\x01*\x02\x13\x010")), ["java-keystore"]);
        // Certificates only, and a program that knows the name.
        assert_eq!(found(&store(&[0xfe, 0xed, 0xfe, 0xed], b"X.509")), [""; 0]);
        assert_eq!(found(&store(b"\x7fELF", key)), [""; 0]);
    }
}
