//! PuTTY's private keys, `.ppk`.

use super::stand_in;
use crate::scan::{Candidate, Confidence, Detector, Hit, Note, Reach, RuleIndex, Ruleset, Severity, Text};

/// Finds private keys of PuTTY.
pub struct Putty {
    rule: Option<RuleIndex>,
}

/// Keys have some 60 lines.
const MAX_LEN: usize = 64 * 1024;

impl Putty {
    /// One for the rules in force.
    pub fn new(rules: &Ruleset) -> Self {
        Self { rule: rules.index("putty-key") }
    }
}

impl Detector for Putty {
    fn keywords(&self) -> &[&str] {
        &["putty-user-key-file-"]
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
            let rest = &text.bytes[hit.start..(hit.start + MAX_LEN).min(text.bytes.len())];
            let Some(key) = Key::read(rest) else { continue };
            done = hit.start + key.len;
            let mut candidate = Candidate::at(rule, hit.start..done, Confidence::High);
            if key.is_encrypted {
                candidate.severity = Some(Severity::Medium);
                candidate.notes.push(Note::Says("the key is under a passphrase, which can be guessed offline"));
            }
            found.push(candidate);
        }
    }
}

struct Key {
    is_encrypted: bool,
    len: usize,
}

impl Key {
    /// Source: PuTTY's manual, appendix C: `name: value` lines, and after `Private-Lines: N` as many lines of base64.
    fn read(text: &[u8]) -> Option<Self> {
        let mut is_encrypted = None;
        let mut at = 0;
        let mut left = None;
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            at += line.len();
            let line = line.trim_ascii();
            if let Some(count @ 1..) = left {
                let is_base64 = line.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(byte));
                if line.is_empty() || !is_base64 || stand_in::placeholder(line).is_some() {
                    return None;
                }
                left = Some(count - 1);
                if count == 1 {
                    let trailing = text[..at].iter().rev().take_while(|byte| byte.is_ascii_whitespace()).count();
                    return Some(Self { is_encrypted: is_encrypted?, len: at - trailing });
                }
            } else if let Some(name) = line.strip_prefix(b"Encryption: ") {
                is_encrypted = Some(name != b"none");
            } else if let Some(count) = line.strip_prefix(b"Private-Lines: ") {
                left = Some(std::str::from_utf8(count).ok()?.parse::<usize>().ok().filter(|count| *count > 0)?);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{candidates, engine};
    use super::*;

    #[test]
    fn a_key_and_one_under_a_passphrase() {
        let engine = engine(&["putty-key"]);
        let key = |cipher: &str| {
            format!(
                "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: {cipher}\nComment: ada\nPublic-Lines: 1\nAAAAB3NzaC1\n\
                 Private-Lines: 2\nAAAAIEQ2y4canary/4gT\nq0canary+y8=\nPrivate-MAC: 00\n"
            )
        };
        let found = candidates(&engine, &key("none"));
        assert_eq!((found.len(), found[0].severity), (1, None));
        assert!(key("none")[found[0].secret.clone()].ends_with("y8="));
        assert_eq!(candidates(&engine, &key("aes256-cbc"))[0].severity, Some(Severity::Medium));
        assert!(candidates(&engine, "PuTTY-User-Key-File-2: is how such a file starts\n").is_empty());
    }
}
