//! Passwords in `.pypirc`.

use super::stand_in;
use crate::scan::{Candidate, Confidence, Detector, Hit, Reach, RuleIndex, Ruleset, Text};

/// Finds passwords of package indexes.
pub struct Pypirc {
    rule: Option<RuleIndex>,
}

impl Pypirc {
    /// One for the rules in force.
    pub fn new(rules: &Ruleset) -> Self {
        Self { rule: rules.index("pypirc") }
    }
}

impl Detector for Pypirc {
    fn keywords(&self) -> &[&str] {
        &["[pypi]", "[testpypi]", "[distutils]", "[server-login]"]
    }

    fn reach(&self) -> Reach {
        Reach::Document
    }

    fn find(&self, text: &Text<'_>, hits: &[Hit], found: &mut Vec<Candidate>) {
        let (Some(rule), Some(first)) = (self.rule, hits.first()) else { return };
        let lists_servers = hits.iter().any(|hit| hit.keyword == 2);
        let mut at = first.start;
        let mut section: &[u8] = b"";
        for line in text.bytes[first.start..].split_inclusive(|byte| *byte == b'\n') {
            let start = at;
            at += line.len();
            let trimmed = line.trim_ascii();
            if trimmed.starts_with(b"[") && trimmed.ends_with(b"]") {
                section = trimmed;
            }
            // Beside `[distutils]` every section is a server.
            let is_server = lists_servers || matches!(section, b"[pypi]" | b"[testpypi]" | b"[server-login]");
            let Some(equals) = memchr::memchr2(b'=', b':', line).filter(|_| is_server) else { continue };
            if !line[..equals].trim_ascii().eq_ignore_ascii_case(b"password") {
                continue;
            }
            let value = line[equals + 1..].trim_ascii();
            let blanks = line[equals + 1..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            let value_at = start + equals + 1 + blanks;
            found.extend(stand_in::candidate(rule, text.bytes, value_at..value_at + value.len(), Confidence::High));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{engine, found};
    use super::*;

    #[test]
    fn passwords_of_servers() {
        let engine = engine(&["pypirc"]);
        let text = "[distutils]\nindex-servers =\n    corp\n\n[corp]\nrepository = https://pypi.corp\nusername = ada\n\
            password =  hunter2canary \n[pypi]\npassword: ${TOKEN}\n";
        assert_eq!(found(&engine, text), [("pypirc".to_owned(), "hunter2canary", Confidence::High)]);
        assert_eq!(found(&engine, "[pypi]\nusername = x\n[mysql]\npassword = hunter2canary\n"), []);
    }
}
