//! Keys of Google Cloud service accounts, and the credentials that gcloud keeps of a user.

use super::json::string_after;
use super::stand_in;
use crate::scan::{Candidate, Confidence, Detector, Hit, Note, Reach, RuleIndex, Ruleset, Text};

/// Finds Google credentials in JSON.
pub struct ServiceAccount {
    account: Option<RuleIndex>,
    user: Option<RuleIndex>,
}

/// The fields of one file are this close to each other: the longest is a key of 4096 bits.
const NEAR: usize = 6 * 1024;

const ACCOUNT: usize = 0;
const PRIVATE_KEY: usize = 2;
const REFRESH_TOKEN: usize = 3;
const EMAIL: usize = 4;

impl ServiceAccount {
    /// One for the rules in force.
    pub fn new(rules: &Ruleset) -> Self {
        Self { account: rules.index("gcp-service-account"), user: rules.index("gcp-adc-user") }
    }
}

impl Detector for ServiceAccount {
    fn keywords(&self) -> &[&str] {
        &["\"service_account\"", "\"authorized_user\"", "\"private_key\"", "\"refresh_token\"", "\"client_email\""]
    }

    fn reach(&self) -> Reach {
        Reach::Window(2 * NEAR)
    }

    fn find(&self, text: &Text<'_>, hits: &[Hit], found: &mut Vec<Candidate>) {
        // Each type goes with the nearest field of its kind.
        let near = |type_at: &Hit, keyword: usize| {
            let at = hits.partition_point(|hit| hit.start < type_at.start);
            let mut before = hits[..at].iter().rev().take_while(|hit| hit.end + NEAR > type_at.start);
            let mut behind = hits[at..].iter().take_while(|hit| hit.start < type_at.end + NEAR);
            let is = |hit: &&Hit| hit.keyword == keyword;
            behind.find(is).or_else(|| before.find(is))
        };
        for type_at in hits.iter().filter(|hit| hit.keyword < PRIVATE_KEY) {
            let (rule, field) =
                if type_at.keyword == ACCOUNT { (self.account, PRIVATE_KEY) } else { (self.user, REFRESH_TOKEN) };
            let Some((rule, field)) = rule.zip(near(type_at, field)) else { continue };
            let Some(mut value) = string_after(text.bytes, field.end) else { continue };
            while text.bytes[value.clone()].ends_with(b"\\n") {
                value.end -= 2;
            }
            if type_at.keyword == ACCOUNT && !text.bytes[value.clone()].starts_with(b"-----BEGIN") {
                continue;
            }
            let Some(mut candidate) = stand_in::candidate(rule, text.bytes, value, Confidence::High) else { continue };
            let email = near(type_at, EMAIL).and_then(|hit| string_after(text.bytes, hit.end));
            if let Some(email) = email.filter(|_| type_at.keyword == ACCOUNT) {
                let email: String = String::from_utf8_lossy(&text.bytes[email]).chars().take(200).collect();
                candidate.notes.push(Note::Reads("client_email", email));
            }
            candidate.whole.start = candidate.whole.start.min(type_at.start);
            candidate.whole.end = candidate.whole.end.max(type_at.end);
            found.push(candidate);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{candidates, engine, found};
    use super::*;

    #[test]
    fn keys_of_accounts_and_of_users() {
        let engine = engine(&["gcp-service-account", "gcp-adc-user"]);
        let text = r#"{"type": "service_account", "private_key_id": "ab12", "private_key": "-----BEGIN PRIVATE KEY-----\nMIIEcanary\n-----END PRIVATE KEY-----\n", "client_email": "ci@p.iam.gserviceaccount.com"}"#;
        let key = r"-----BEGIN PRIVATE KEY-----\nMIIEcanary\n-----END PRIVATE KEY-----";
        assert_eq!(found(&engine, text), [("gcp-service-account".to_owned(), key, Confidence::High)]);
        let email = Note::Reads("client_email", "ci@p.iam.gserviceaccount.com".to_owned());
        assert!(candidates(&engine, text)[0].notes.contains(&email));
        let text = r#"{"refresh_token": "1//0canary4x9Zq", "type": "authorized_user"}"#;
        assert_eq!(found(&engine, text), [("gcp-adc-user".to_owned(), "1//0canary4x9Zq", Confidence::High)]);
        for text in [
            r#"{"type": "service_account", "private_key": "${GCP_KEY}"}"#,
            r#"{"kind": "service_account"}"#,
            r#"{"private_key": "-----BEGIN"}"#,
        ] {
            assert_eq!(found(&engine, text), [], "{text}");
        }
    }
}
