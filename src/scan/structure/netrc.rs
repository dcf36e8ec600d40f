//! Passwords in `.netrc`.

use std::ops::Range;

use super::stand_in;
use crate::scan::{Candidate, Confidence, Detector, Hit, Reach, RuleIndex, Ruleset, Text};

/// Finds entries of `.netrc`.
pub struct Netrc {
    rule: Option<RuleIndex>,
}

/// An entry is three pairs of words.
const MAX_LEN: usize = 1024;

impl Netrc {
    /// One for the rules in force.
    pub fn new(rules: &Ruleset) -> Self {
        Self { rule: rules.index("netrc") }
    }
}

impl Detector for Netrc {
    fn keywords(&self) -> &[&str] {
        &["machine ", "machine\t", "machine\n"]
    }

    fn reach(&self) -> Reach {
        Reach::Window(MAX_LEN)
    }

    fn find(&self, text: &Text<'_>, hits: &[Hit], found: &mut Vec<Candidate>) {
        let Some(rule) = self.rule else { return };
        for hit in hits {
            let starts = hit.start == 0 || !text.bytes[hit.start - 1].is_ascii_alphanumeric();
            if starts && let Some(password) = password(text.bytes, hit.end) {
                found.extend(stand_in::candidate(rule, text.bytes, password, Confidence::Medium));
            }
        }
    }
}

/// The password of the entry whose word `machine` ends at `at`.
///
/// Source: the manual of ftp(1): a name, then pairs of words, of which the first is `login`, `password` or `account`.
fn password(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let end = (at + MAX_LEN).min(bytes.len());
    let mut at = at;
    let mut word = || {
        let start = at + bytes[at..end].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        // In a string of a program the entry's lines are ended by `\n`.
        let is_end = |at: usize| bytes[at].is_ascii_whitespace() || b"\"'`\\".contains(&bytes[at]);
        let stop = (start..end).find(|at| is_end(*at)).unwrap_or(end);
        at = stop + if bytes[stop..].starts_with(b"\\n") { 2 } else { 0 };
        (stop > start).then_some(start..stop)
    };
    let host = word()?;
    // Sentences have machines as well, but no hosts.
    if !bytes[host.clone()].iter().any(|byte| b".-:0123456789".contains(byte)) && &bytes[host] != b"localhost" {
        return None;
    }
    let mut has_login = false;
    loop {
        let name = word()?;
        let value = word()?;
        match &bytes[name] {
            b"login" => has_login = true,
            b"account" => {}
            b"password" if has_login => return Some(value),
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{engine, found};
    use super::*;

    #[test]
    fn entries_and_sentences() {
        let engine = engine(&["netrc"]);
        let hit = ("netrc".to_owned(), "hunter2canary", Confidence::Medium);
        for text in [
            "machine git.corp login ada password hunter2canary\n",
            "machine git.corp\n  login ada\n  account x\n  password hunter2canary\nmachine b login c",
            "echo \"machine git.corp\\nlogin ada\\npassword hunter2canary\" > ~/.netrc",
        ] {
            assert_eq!(found(&engine, text), [hit.clone()], "{text}");
        }
        for text in [
            "machine git.corp login ada password $TOKEN\n",
            "the machine has login and password prompts",
            "machine learning password hunter2canary",
        ] {
            assert_eq!(found(&engine, text), [], "{text}");
        }
    }
}
