//! Registry logins: `auths` of Docker's config.json, of image pull Secrets, and the older `.dockercfg`.

use std::ops::Range;

use super::json::{string_after, strings_within};
use super::stand_in;
use crate::scan::decode::codec;
use crate::scan::{Candidate, Confidence, Detector, Hit, Note, Reach, RuleIndex, Ruleset, Text};

/// Finds logins of registries.
pub struct DockerConfig {
    auths: Option<RuleIndex>,
    token: Option<RuleIndex>,
}

const AUTHS: usize = 0;

impl DockerConfig {
    /// One for the rules in force.
    pub fn new(rules: &Ruleset) -> Self {
        Self { auths: rules.index("docker-auths"), token: rules.index("docker-identitytoken") }
    }
}

impl Detector for DockerConfig {
    fn keywords(&self) -> &[&str] {
        &["\"auths\"", "\"auth\""]
    }

    fn reach(&self) -> Reach {
        Reach::Document
    }

    fn find(&self, text: &Text<'_>, hits: &[Hit], found: &mut Vec<Candidate>) {
        let bytes = text.bytes;
        let mut done = 0;
        for hit in hits {
            if hit.start < done {
                continue;
            }
            if hit.keyword == AUTHS {
                let mut add = |key: Range<usize>, value: Range<usize>| match &bytes[key] {
                    b"auth" => found.extend(self.login(bytes, value)),
                    // With `auth` beside it, it is the same login twice, and the user must change both.
                    b"password" => found.extend(literal(self.auths, bytes, value)),
                    b"identitytoken" | b"registrytoken" => found.extend(literal(self.token, bytes, value)),
                    _ => {}
                };
                // An object without an end was looked through as far as it goes.
                done = strings_within(bytes, hit.end, &mut add).unwrap_or(bytes.len());
            } else if let Some(value) = string_after(bytes, hit.end) {
                found.extend(self.login(bytes, value));
            }
        }
    }
}

impl DockerConfig {
    /// `user:password` in base64.
    fn login(&self, bytes: &[u8], value: Range<usize>) -> Option<Candidate> {
        let rule = self.auths?;
        let (decoded, _) = codec::base64(bytes, value.clone())?;
        let colon = memchr::memchr(b':', &decoded)?;
        // Some registries' tools end the pair with a zero byte.
        let password = decoded[colon + 1..].strip_suffix(b"\0").unwrap_or(&decoded[colon + 1..]);
        let is_text =
            std::str::from_utf8(&decoded).is_ok_and(|text| !text.trim_end_matches('\0').chars().any(char::is_control));
        if colon == 0 || password.is_empty() || !is_text {
            return None;
        }
        let mut candidate = Candidate::at(rule, value, Confidence::High);
        match stand_in::placeholder(password) {
            _ if stand_in::is_reference(password) => return None,
            Some(how) => {
                candidate.confidence = Confidence::Info;
                candidate.notes.push(Note::Placeholder(how));
            }
            None => candidate.notes.push(Note::CheckPasses("docker-auth")),
        }
        Some(candidate)
    }
}

/// A value that is the credential as it stands.
fn literal(rule: Option<RuleIndex>, bytes: &[u8], value: Range<usize>) -> Option<Candidate> {
    stand_in::candidate(rule?, bytes, value, Confidence::High)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{engine, found};
    use super::*;

    #[test]
    fn logins_of_either_form_and_none_of_others() {
        let engine = engine(&["docker-auths", "docker-identitytoken"]);
        // ada:hunter2canary
        let auth = "YWRhOmh1bnRlcjJjYW5hcnk=";
        let login = ("docker-auths".to_owned(), auth, Confidence::High);
        for text in [
            format!(r#"{{"auths":{{"ghcr.io":{{"auth":"{auth}"}}}}}}"#),
            format!(
                "{{\n  \"https://index.docker.io/v1/\": {{\n    \"auth\": \"{auth}\",\n    \"email\": \"a@b.c\" }} }}"
            ),
            format!("cat <<EOF\n{{\"auths\": {{\"r\": {{\"auth\": \"{auth}\"}}\nEOF\n"),
        ] {
            assert_eq!(found(&engine, &text), [login.clone()], "{text}");
        }
        let text = r#"{"auths":{"r":{"username":"ada","password":"hunter2canary","identitytoken":"a0b1canary2c3"}}}"#;
        let both = [
            ("docker-auths".to_owned(), "hunter2canary", Confidence::High),
            ("docker-identitytoken".to_owned(), "a0b1canary2c3", Confidence::High),
        ];
        assert_eq!(found(&engine, text), both);
        for text in [
            r#"{"auths":{"ghcr.io":{}},"credsStore":"pass"}"#,
            r#"{"auth":"bearer"}"#,
            r#"{"auth":"YWRhOg=="}"#,
            r#"{"auths":{"r":{"auth":"${AUTH}","password":"{{ .Values.password }}"}}}"#,
        ] {
            assert_eq!(found(&engine, text), [], "{text}");
        }
        // ada:changeme
        assert_eq!(found(&engine, r#"{"auths":{"r":{"auth":"YWRhOmNoYW5nZW1l"}}}"#)[0].2, Confidence::Info);
    }
}
