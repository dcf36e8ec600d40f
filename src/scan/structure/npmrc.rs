//! Credentials in `.npmrc`: `//host/:_authToken=…`, `_password`, `_auth`.

use super::stand_in;
use crate::scan::check::Check;
use crate::scan::{Candidate, Confidence, Detector, Hit, Note, Reach, RuleIndex, Ruleset, Text};

/// Finds credentials of npm and of those who read its settings.
pub struct Npmrc {
    token: Option<RuleIndex>,
    basic: Option<RuleIndex>,
}

const MAX_LEN: usize = 2048;
const AUTH: usize = 2;

impl Npmrc {
    /// One for the rules in force.
    pub fn new(rules: &Ruleset) -> Self {
        Self { token: rules.index("npm-legacy"), basic: rules.index("npm-basic") }
    }
}

impl Detector for Npmrc {
    fn keywords(&self) -> &[&str] {
        &["_authtoken", "_password", "_auth"]
    }

    fn reach(&self) -> Reach {
        Reach::Window(MAX_LEN)
    }

    fn find(&self, text: &Text<'_>, hits: &[Hit], found: &mut Vec<Candidate>) {
        let bytes = text.bytes;
        for hit in hits {
            let name = &bytes[hit.start..hit.end];
            // At the start of a line, or behind the registry it is for.
            let of_registry = hit.start > 0 && bytes[hit.start - 1] == b':';
            let at_start = hit.start == 0 || matches!(bytes[hit.start - 1], b'\n' | b' ' | b'"' | b'\'');
            if !matches!(name, b"_authToken" | b"_password" | b"_auth") || !(of_registry || at_start) {
                continue;
            }
            let rest = &bytes[hit.end..(hit.end + MAX_LEN).min(bytes.len())];
            let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
            let skipped = match rest.get(blanks) {
                Some(b'=') => {
                    blanks
                        + 1
                        + rest[blanks + 1..].iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'"')).count()
                }
                // npm config set //host/:_authToken VALUE
                Some(_) if of_registry && blanks > 0 => blanks,
                _ => continue,
            };
            let len = rest[skipped..]
                .iter()
                .take_while(|byte| !(byte.is_ascii_whitespace() || b"\"'`\\;,".contains(byte)))
                .count();
            let value = hit.end + skipped..hit.end + skipped + len;
            let is_token = name == b"_authToken";
            let Some(rule) = (if is_token { self.token } else { self.basic }) else { continue };
            let Some(mut candidate) = stand_in::candidate(rule, bytes, value.clone(), Confidence::High) else {
                continue;
            };
            if hit.keyword == AUTH && !matches!(candidate.confidence, Confidence::Info) {
                let fits =
                    Check::BasicAuth.run(&bytes[value], &mut candidate.notes) != crate::scan::check::Verdict::Fails;
                if fits {
                    candidate.notes.push(Note::CheckPasses("basic-auth"));
                } else {
                    candidate.confidence = Confidence::Low;
                    candidate.notes.push(Note::CheckFails("basic-auth"));
                }
            }
            found.push(candidate);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{engine, found};
    use super::*;

    #[test]
    fn lines_of_npmrc() {
        let engine = engine(&["npm-legacy", "npm-basic"]);
        for (text, rule, secret, confidence) in [
            ("//npm.corp/:_authToken=0a1b2c3dcanary\n", "npm-legacy", "0a1b2c3dcanary", Confidence::High),
            (
                "npm config set //npm.corp/:_authToken 0a1b2c3dcanary\n",
                "npm-legacy",
                "0a1b2c3dcanary",
                Confidence::High,
            ),
            ("//npm.corp/:_password = \"aHVudGVyMg==\"\n", "npm-basic", "aHVudGVyMg==", Confidence::High),
            ("x=1\n_auth=YWRhOmh1bnRlcjJjYW5hcnk=\n", "npm-basic", "YWRhOmh1bnRlcjJjYW5hcnk=", Confidence::High),
            ("_auth=canarycanary\n", "npm-basic", "canarycanary", Confidence::Low),
        ] {
            assert_eq!(found(&engine, text), [(rule.to_owned(), secret, confidence)], "{text}");
        }
        for text in [
            "//npm.corp/:_authToken=${NPM_TOKEN}\n",
            "my_auth=YWRhOmh1bnRlcjI=",
            "db_password = hunter2",
            "_auth: true",
        ] {
            assert_eq!(found(&engine, text), [], "{text}");
        }
    }
}
