//! URLs with a password before the host, and database URLs with one among their parameters.

use std::ops::Range;

use super::stand_in;
use crate::scan::{Candidate, Confidence, Detector, Hit, Note, Reach, RuleIndex, Ruleset, Text};

/// Finds passwords in URLs.
pub struct Url {
    any: Option<RuleIndex>,
    postgres: Option<RuleIndex>,
    mysql: Option<RuleIndex>,
    mongodb: Option<RuleIndex>,
    redis: Option<RuleIndex>,
    amqp: Option<RuleIndex>,
    smtp: Option<RuleIndex>,
}

const MAX_LEN: usize = 2048;

impl Url {
    /// One for the rules in force.
    pub fn new(rules: &Ruleset) -> Self {
        Self {
            any: rules.index("oauth-basic-url"),
            postgres: rules.index("db-postgres"),
            mysql: rules.index("db-mysql"),
            mongodb: rules.index("db-mongodb"),
            redis: rules.index("db-redis"),
            amqp: rules.index("db-amqp"),
            smtp: rules.index("smtp-url"),
        }
    }

    /// The rule for a scheme, and whether the scheme is a database's.
    fn rule(&self, scheme: &[u8]) -> (Option<RuleIndex>, bool) {
        let scheme = scheme.to_ascii_lowercase();
        // SQLAlchemy and others name the driver as well: postgresql+psycopg2.
        let base = scheme.split(|byte| *byte == b'+').next().unwrap_or_default();
        match base {
            b"postgres" | b"postgresql" | b"cockroachdb" | b"timescaledb" => (self.postgres, true),
            b"mysql" | b"mysql2" | b"mariadb" => (self.mysql, true),
            b"mongodb" => (self.mongodb, true),
            b"redis" | b"rediss" | b"valkey" => (self.redis, true),
            b"sqlserver" | b"mssql" | b"oracle" | b"clickhouse" | b"db2" | b"jdbc" => (self.any, true),
            b"amqp" | b"amqps" => (self.amqp, false),
            b"smtp" | b"smtps" | b"submission" => (self.smtp, false),
            _ => (self.any, false),
        }
    }
}

impl Detector for Url {
    fn keywords(&self) -> &[&str] {
        &["://"]
    }

    fn reach(&self) -> Reach {
        Reach::Window(MAX_LEN)
    }

    fn find(&self, text: &Text<'_>, hits: &[Hit], found: &mut Vec<Candidate>) {
        for hit in hits {
            let scheme_byte = |byte: &u8| byte.is_ascii_alphanumeric() || b"+.-".contains(byte);
            let before = &text.bytes[hit.start.saturating_sub(40)..hit.start];
            let scheme = &before[before.len() - before.iter().rev().take_while(|byte| scheme_byte(byte)).count()..];
            let (Some(rule), is_database) = self.rule(scheme) else { continue };
            let rest = &text.bytes[hit.end..(hit.end + MAX_LEN).min(text.bytes.len())];
            let Some(parts) = Parts::read(rest, is_database) else { continue };
            let secret = hit.end + parts.password.start..hit.end + parts.password.end;
            let Some(mut candidate) = stand_in::candidate(rule, text.bytes, secret, Confidence::Medium) else {
                continue;
            };
            candidate.whole = hit.start - scheme.len()..candidate.secret.end;
            if candidate.confidence > Confidence::Info && parts.is_usual(rest) {
                candidate.confidence = Confidence::Low;
                candidate.notes.push(Note::Says("a password as in every example of this database"));
            }
            found.push(candidate);
        }
    }
}

/// Where the parts of a URL are, behind `://`.
struct Parts {
    user: Range<usize>,
    password: Range<usize>,
    host: Range<usize>,
}

impl Parts {
    fn read(rest: &[u8], is_database: bool) -> Option<Self> {
        let is_end =
            |byte: u8| byte.is_ascii_whitespace() || byte.is_ascii_control() || b"\"'`<>\\^|,;".contains(&byte);
        let end = rest.iter().position(|byte| is_end(*byte)).unwrap_or(rest.len());
        let url = &rest[..end];
        // The userinfo ends at the last `@` before the path; raw passwords hold further ones.
        let authority = url.iter().position(|byte| b"/?#".contains(byte)).unwrap_or(url.len());
        if let Some(at) = memchr::memrchr(b'@', &url[..authority])
            && let Some(colon) = memchr::memchr(b':', &url[..at])
            && colon + 1 < at
            && at + 1 < authority
        {
            return Some(Self { user: 0..colon, password: colon + 1..at, host: at + 1..authority });
        }
        // jdbc:postgresql://host/db?user=ada&password=…
        let query = memchr::memchr(b'?', url).filter(|_| is_database)?;
        let mut at = query + 1;
        for pair in url[at..].split(|byte| *byte == b'&') {
            let name = pair.split(|byte| *byte == b'=').next().unwrap_or_default();
            if matches!(name, b"password" | b"pwd") && pair.len() > name.len() + 1 {
                return Some(Self { user: 0..0, password: at + name.len() + 1..at + pair.len(), host: 0..authority });
            }
            at += pair.len() + 1;
        }
        None
    }

    /// A password that is the user's name, or one of a database on one's own machine that all know.
    fn is_usual(&self, rest: &[u8]) -> bool {
        let (user, password, host) = (&rest[self.user.clone()], &rest[self.password.clone()], &rest[self.host.clone()]);
        let is_local = host.starts_with(b"localhost") || host.starts_with(b"127.") || host.starts_with(b"[::1]");
        user == password
            || (is_local && password.len() < 10 && password.iter().all(u8::is_ascii_lowercase))
            || matches!(password, b"postgres" | b"mysql" | b"redis" | b"guest" | b"minioadmin")
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{engine, found};
    use super::*;

    #[test]
    fn passwords_of_urls_by_scheme() {
        let engine =
            engine(&["oauth-basic-url", "db-postgres", "db-mysql", "db-mongodb", "db-redis", "db-amqp", "smtp-url"]);
        for (text, rule, secret, confidence) in [
            ("postgres://ada:hunter2canary@db/app", "db-postgres", "hunter2canary", Confidence::Medium),
            ("'postgresql+psycopg2://ada:p@ss:7canary@db:5432/app'", "db-postgres", "p@ss:7canary", Confidence::Medium),
            (
                "jdbc:mysql://db/app?user=ada&password=hunter2canary&x=1",
                "db-mysql",
                "hunter2canary",
                Confidence::Medium,
            ),
            ("mongodb+srv://ada:hunter2canary@c.example.net/", "db-mongodb", "hunter2canary", Confidence::Medium),
            ("redis://:hunter2canary@cache:6379/0", "db-redis", "hunter2canary", Confidence::Medium),
            ("amqps://ada:hunter2canary@mq", "db-amqp", "hunter2canary", Confidence::Medium),
            ("smtp://ada%40b:hunter2canary@mail:587", "smtp-url", "hunter2canary", Confidence::Medium),
            (
                "git clone https://ada:hunter2canary@git.corp/x.git",
                "oauth-basic-url",
                "hunter2canary",
                Confidence::Medium,
            ),
            ("postgres://postgres:postgres@localhost/x", "db-postgres", "postgres", Confidence::Low),
            ("postgres://u:password@host/x", "db-postgres", "password", Confidence::Info),
        ] {
            assert_eq!(found(&engine, text), [(rule.to_owned(), secret, confidence)], "{text}");
        }
        for text in [
            "https://ada@git.corp/x",
            "https://host:8080/a@b",
            "postgres://$USER:$PASSWORD@db",
            "https://a:${X}@h",
            "https://a:{{ .p }}@h",
            "http://x?password=hunter2canary",
            "https://:@h",
            "https://user:@h",
            "see ://a:b",
        ] {
            assert_eq!(found(&engine, text), [], "{text}");
        }
    }
}
