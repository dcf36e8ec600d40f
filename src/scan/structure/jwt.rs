//! JSON Web Tokens: header and payload are read, and say whose it is and how long it lives.

use base64::Engine as _;
use serde_json::Value;

use crate::scan::decode::codec::base64_digit;
use crate::scan::{Candidate, Confidence, Detector, Hit, Note, Reach, RuleIndex, Ruleset, Severity, Text};

/// Finds tokens. What ended before `now`, in seconds since 1970, is expired.
pub struct Jwt {
    jwt: Option<RuleIndex>,
    service_account: Option<RuleIndex>,
    supabase: Option<RuleIndex>,
    now: i64,
}

/// No token is longer.
const MAX_LEN: usize = 16 * 1024;

impl Jwt {
    /// One for the rules in force.
    pub fn new(rules: &Ruleset, now: i64) -> Self {
        Self {
            jwt: rules.index("jwt"),
            service_account: rules.index("k8s-sa-token"),
            supabase: rules.index("supabase-jwt"),
            now,
        }
    }
}

impl Detector for Jwt {
    fn keywords(&self) -> &[&str] {
        &["eyj"]
    }

    fn reach(&self) -> Reach {
        Reach::Window(MAX_LEN)
    }

    fn find(&self, text: &Text<'_>, hits: &[Hit], found: &mut Vec<Candidate>) {
        let mut done = 0;
        for hit in hits.iter().filter(|hit| text.bytes[hit.start..].starts_with(b"eyJ")) {
            let glued = hit.start.checked_sub(1).is_some_and(|at| base64_digit(text.bytes[at]).is_some());
            let escaped =
                hit.start >= 2 && text.bytes[hit.start - 2] == b'\\' && b"nrt".contains(&text.bytes[hit.start - 1]);
            if hit.start < done || (glued && !escaped && text.bytes[hit.start - 1] != b'/') {
                continue;
            }
            let Some(token) = Token::at(text.bytes, hit.start) else { continue };
            done = hit.start + token.len;
            let Some(mut candidate) = self.candidate(&token) else { continue };
            candidate.secret = hit.start..done;
            candidate.whole = candidate.secret.clone();
            found.push(candidate);
        }
    }
}

impl Jwt {
    fn candidate(&self, token: &Token) -> Option<Candidate> {
        let claim = |name: &str| token.payload.get(name);
        let says = |name: &str, value: &str| claim(name).and_then(Value::as_str) == Some(value);
        let expires = claim("exp").and_then(Value::as_f64).map(|exp| exp as i64);
        let is_account = says("iss", "kubernetes/serviceaccount")
            || claim("kubernetes.io").is_some()
            || claim("kubernetes.io/serviceaccount/namespace").is_some();
        let is_supabase = says("iss", "supabase") || claim("ref").is_some();
        let typed = match () {
            () if is_account => self.service_account,
            () if is_supabase && says("role", "service_role") => self.supabase,
            () => None,
        };
        let mut candidate = Candidate::at(typed.or(self.jwt)?, 0..0, Confidence::High);
        candidate.notes.push(Note::CheckPasses("jwt"));
        if let Some(issuer) = claim("iss").and_then(Value::as_str) {
            candidate.notes.push(Note::Reads("iss", issuer.chars().take(100).collect()));
        }
        let unsigned =
            token.header.get("alg").and_then(Value::as_str).is_some_and(|alg| alg.eq_ignore_ascii_case("none"));
        let info = if let Some(expired) = expires.filter(|exp| *exp < self.now) {
            Some(Note::Expired(expired))
        } else if says("sub", "1234567890") && says("name", "John Doe") {
            Some(Note::Placeholder("the sample of jwt.io"))
        } else if unsigned {
            Some(Note::Says("it is not signed"))
        } else if is_supabase && says("role", "anon") {
            Some(Note::Says("the key of anonymous users, which is public"))
        } else {
            None
        };
        if let Some(note) = info {
            candidate.confidence = Confidence::Info;
            candidate.severity = Some(Severity::Info);
            candidate.notes.push(note);
        } else if is_account && expires.is_some() {
            // Bound to a pod and short-lived; the old kind lives for ever, and has the severity of its rule.
            candidate.severity = Some(Severity::High);
        }
        Some(candidate)
    }
}

struct Token {
    header: Value,
    payload: Value,
    len: usize,
}

impl Token {
    /// The token that starts at `start`: three parts, of which the third may be empty.
    fn at(bytes: &[u8], start: usize) -> Option<Self> {
        let rest = &bytes[start..(start + MAX_LEN).min(bytes.len())];
        let part = |from: usize| {
            let digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
            from + rest[from..].iter().take_while(|byte| digit(byte)).count()
        };
        let header_end = part(0);
        if rest.get(header_end) != Some(&b'.') {
            return None;
        }
        let payload_end = part(header_end + 1);
        if rest.get(payload_end) != Some(&b'.') {
            return None;
        }
        let end = part(payload_end + 1);
        let json = |part: &[u8]| {
            let decoded = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).ok()?;
            serde_json::from_slice::<Value>(&decoded).ok().filter(Value::is_object)
        };
        let header = json(&rest[..header_end])?;
        header.get("alg")?;
        Some(Self { header, payload: json(&rest[header_end + 1..payload_end])?, len: end })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{candidates, engine, found};
    use super::*;

    fn token(header: &str, payload: &str) -> String {
        let encode = |part: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(part);
        format!("{}.{}.{}", encode(header), encode(payload), "c2lnbmVkLWJ5LW5vYm9keQ")
    }

    #[test]
    fn claims_say_what_it_is() {
        let engine = engine(&["jwt", "k8s-sa-token", "supabase-jwt"]);
        let header = r#"{"alg":"RS256"}"#;
        for (payload, rule, confidence, severity) in [
            (r#"{"sub":"ada"}"#, "jwt", Confidence::High, None),
            (r#"{"exp":1000000000}"#, "jwt", Confidence::Info, Some(Severity::Info)),
            (r#"{"exp":4000000000.5}"#, "jwt", Confidence::High, None),
            (r#"{"sub":"1234567890","name":"John Doe"}"#, "jwt", Confidence::Info, Some(Severity::Info)),
            (r#"{"iss":"kubernetes/serviceaccount"}"#, "k8s-sa-token", Confidence::High, None),
            (r#"{"exp":4000000000,"kubernetes.io":{}}"#, "k8s-sa-token", Confidence::High, Some(Severity::High)),
            (r#"{"iss":"supabase","role":"service_role"}"#, "supabase-jwt", Confidence::High, None),
            (r#"{"iss":"supabase","role":"anon"}"#, "jwt", Confidence::Info, Some(Severity::Info)),
        ] {
            let token = token(header, payload);
            let text = format!("a: {token}\n");
            assert_eq!(found(&engine, &text), [(rule.to_owned(), token.as_str(), confidence)], "{payload}");
            assert_eq!(candidates(&engine, &text)[0].severity, severity, "{payload}");
        }
        assert_eq!(found(&engine, &token(r#"{"alg":"none"}"#, "{}"))[0].2, Confidence::Info);
        for text in [
            token(r#"{"typ":"JWT"}"#, "{}"),
            token(header, "[]"),
            "eyJhbGciOiJub25lIn0".to_owned(),
            "eyJ.eyJ.x".to_owned(),
        ] {
            assert_eq!(found(&engine, &text), [], "{text}");
        }
    }
}
