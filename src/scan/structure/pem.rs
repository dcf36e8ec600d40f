//! Private keys in PEM: of OpenSSL, OpenSSH, cosign; plain or under a passphrase.

use super::armor::Armor;
use crate::crypt::Plaintext;
use crate::scan::{Candidate, Confidence, Detector, Hit, Note, Reach, RuleIndex, Ruleset, Severity, Text};

/// Finds private keys in PEM.
pub struct Pem {
    rsa: Option<RuleIndex>,
    ec: Option<RuleIndex>,
    dsa: Option<RuleIndex>,
    pkcs8: Option<RuleIndex>,
    encrypted: Option<RuleIndex>,
    openssh: Option<RuleIndex>,
    cosign: Option<RuleIndex>,
}

impl Pem {
    /// One for the rules in force.
    pub fn new(rules: &Ruleset) -> Self {
        Self {
            rsa: rules.index("pem-rsa"),
            ec: rules.index("pem-ec"),
            dsa: rules.index("pem-dsa"),
            pkcs8: rules.index("pem-pkcs8"),
            encrypted: rules.index("pem-pkcs8-enc"),
            openssh: rules.index("openssh-key"),
            cosign: rules.index("cosign"),
        }
    }

    /// The rule for a label, and what a good key of that kind says of its protection.
    fn kind(&self, label: &str) -> Option<(RuleIndex, fn(&[u8]) -> Option<Protection>)> {
        let (rule, check): (_, fn(&[u8]) -> Option<Protection>) = match label {
            "RSA PRIVATE KEY" => (self.rsa, |key| numbered(key, &[0, 1])),
            "EC PRIVATE KEY" => (self.ec, |key| numbered(key, &[1])),
            "DSA PRIVATE KEY" => (self.dsa, |key| numbered(key, &[0])),
            "OPENSSH PRIVATE KEY" => (self.openssh, openssh),
            "ENCRYPTED PRIVATE KEY" => (self.encrypted, encrypted),
            "ENCRYPTED COSIGN PRIVATE KEY" | "ENCRYPTED SIGSTORE PRIVATE KEY" => {
                (self.cosign, |key| key.starts_with(b"{").then_some(Protection::Passphrase))
            }
            "PRIVATE KEY" => (self.pkcs8, |key| numbered(key, &[0, 1])),
            _ => (self.pkcs8, |key| sequence(key).map(|_| Protection::None)),
        };
        Some((rule?, check))
    }
}

impl Detector for Pem {
    fn keywords(&self) -> &[&str] {
        &["private key-----"]
    }

    fn reach(&self) -> Reach {
        Reach::Document
    }

    fn find(&self, text: &Text<'_>, hits: &[Hit], found: &mut Vec<Candidate>) {
        let mut done = 0;
        for hit in hits {
            if hit.start < done {
                continue;
            }
            let Some(armor) = Armor::at(text.bytes, hit.end) else { continue };
            let Some((rule, check)) = self.kind(&armor.label) else { continue };
            done = armor.span.end;
            let mut candidate = Candidate::at(rule, armor.span.clone(), Confidence::High);
            if text.bytes[armor.span.clone()] != **armor.text {
                candidate.decoded = Some(Plaintext::from(armor.text));
            }
            let key = armor.bytes.as_ref().map_or(&[][..], |bytes| bytes);
            // The old form: the base64 is ciphertext, of which nothing can be checked.
            let is_old = armor.headers.iter().any(|header| header.contains("ENCRYPTED"));
            let protection = if is_old { Some(Protection::Passphrase) } else { check(key) };
            match protection {
                Some(protection) => {
                    candidate.notes.push(Note::CheckPasses("pem"));
                    if protection == Protection::Passphrase {
                        candidate.severity = Some(Severity::Medium);
                        candidate.notes.push(Note::Says("the key is under a passphrase, which can be guessed offline"));
                    }
                }
                None => {
                    candidate.confidence = Confidence::Low;
                    candidate.notes.push(Note::CheckFails("pem"));
                }
            }
            if !armor.is_closed {
                candidate.confidence = candidate.confidence.min(Confidence::Medium);
                candidate.notes.push(Note::Says("its end line is missing"));
            }
            found.push(candidate);
        }
    }
}

/// What stands between a reader and a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protection {
    None,
    Passphrase,
}

/// The content of a DER SEQUENCE that fills the bytes.
fn sequence(der: &[u8]) -> Option<&[u8]> {
    let (content, rest) = element(der, 0x30)?;
    // A line may be lost at the end of what was cut out; more than the key says is none.
    rest.is_empty().then_some(content)
}

/// A SEQUENCE that starts with one of these versions, and holds more.
fn numbered(der: &[u8], versions: &[u8]) -> Option<Protection> {
    let (version, rest) = element(sequence(der)?, 0x02)?;
    matches!(version, [one] if versions.contains(one) && !rest.is_empty()).then_some(Protection::None)
}

/// PKCS#8 under a passphrase: SEQUENCE of an algorithm and an OCTET STRING.
fn encrypted(der: &[u8]) -> Option<Protection> {
    let (algorithm, rest) = element(sequence(der)?, 0x30)?;
    element(algorithm, 0x06)?;
    element(rest, 0x04)?;
    Some(Protection::Passphrase)
}

/// A DER element with this tag at the start: its content, and what follows.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let [found, first, rest @ ..] = der else { return None };
    if *found != tag {
        return None;
    }
    let (len, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81..=0x84 => {
            let (len, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (len.iter().fold(0, |len, byte| len << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(len)
}

/// Source: OpenSSH, PROTOCOL.key: a magic, then the name of the cipher.
fn openssh(key: &[u8]) -> Option<Protection> {
    let rest = key.strip_prefix(b"openssh-key-v1\0")?;
    let (len, rest) = rest.split_first_chunk::<4>()?;
    let cipher = rest.get(..u32::from_be_bytes(*len) as usize)?;
    Some(if cipher == b"none" { Protection::None } else { Protection::Passphrase })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::super::tests::{candidates, engine, found};
    use super::*;

    fn pem(label: &str, key: &[u8]) -> String {
        format!("-----BEGIN {label}-----\n{}\n-----END {label}-----", STANDARD.encode(key))
    }

    fn der(tag: u8, content: &[u8]) -> Vec<u8> {
        let len: Vec<u8> = match content.len() {
            len @ 0..=0x7f => vec![len as u8],
            len @ 0x80..=0xff => vec![0x81, len as u8],
            len => vec![0x82, (len >> 8) as u8, len as u8],
        };
        [&[tag][..], &len, content].concat()
    }

    #[test]
    fn kinds_are_told_by_label_and_checked_by_content() {
        let engine = engine(&["pem-rsa", "pem-ec", "pem-dsa", "pem-pkcs8", "pem-pkcs8-enc", "openssh-key", "cosign"]);
        let filler = [7; 60];
        let versioned = |version: u8| der(0x30, &[&der(0x02, &[version])[..], &der(0x04, &filler)].concat());
        let enc = der(0x30, &[der(0x30, &der(0x06, b"oid")), der(0x04, &filler)].concat());
        let ssh =
            |cipher: &str| [b"openssh-key-v1\0\0\0\0", &[cipher.len() as u8][..], cipher.as_bytes(), &filler].concat();
        for (label, key, rule, confidence, severity) in [
            ("RSA PRIVATE KEY", versioned(0), "pem-rsa", Confidence::High, None),
            ("RSA PRIVATE KEY", filler.to_vec(), "pem-rsa", Confidence::Low, None),
            ("EC PRIVATE KEY", versioned(1), "pem-ec", Confidence::High, None),
            ("DSA PRIVATE KEY", versioned(0), "pem-dsa", Confidence::High, None),
            ("PRIVATE KEY", versioned(0), "pem-pkcs8", Confidence::High, None),
            ("ENCRYPTED PRIVATE KEY", enc, "pem-pkcs8-enc", Confidence::High, Some(Severity::Medium)),
            ("OPENSSH PRIVATE KEY", ssh("none"), "openssh-key", Confidence::High, None),
            ("OPENSSH PRIVATE KEY", ssh("aes256-ctr"), "openssh-key", Confidence::High, Some(Severity::Medium)),
        ] {
            let text = pem(label, &key);
            assert_eq!(found(&engine, &text), [(rule.to_owned(), text.as_str(), confidence)]);
            assert_eq!(candidates(&engine, &text)[0].severity, severity, "{label}");
        }
        assert_eq!(found(&engine, &pem("PUBLIC KEY", &filler)), []);
        assert_eq!(found(&engine, &pem("CERTIFICATE", &filler)), []);
    }

    #[test]
    fn the_old_way_of_passphrases() {
        let engine = engine(&["pem-rsa"]);
        let text = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n\
            canarycanarycanarycanarycanarycanarycanarycanary\n-----END RSA PRIVATE KEY-----";
        assert_eq!(candidates(&engine, text)[0].severity, Some(Severity::Medium));
    }

    #[test]
    fn a_key_has_one_name_in_all_its_spellings() {
        let engine = engine(&["pem-pkcs8"]);
        let key = pem("PRIVATE KEY", &der(0x30, &[&der(0x02, &[0])[..], &der(0x04, &[9; 60])].concat()));
        let in_json = format!("{{\"k\":\"{}\\n\"}}", key.replace('\n', "\\n"));
        let found = candidates(&engine, &in_json);
        assert_eq!(found[0].decoded.as_ref().unwrap().expose(), key.as_bytes());
    }
}
