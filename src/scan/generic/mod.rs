//! Credentials without a shape of their own, found by their name: `password: hunter2`, `API_KEY=…`.
//!
//! A keyword leads to a `name`, the name to an `assignment`, the assignment to a `value`; each step drops most of what reaches it, and
//! only the last looks at how random a value is, or at the `words` that somebody made a password of. Columns that are named for
//! passwords are read in `table`. In which file a value stands is not known here: what counts only where the
//! format makes it a value is marked with [`Note::Bare`].

mod assignment;
mod name;
mod table;
#[cfg(test)]
mod tests;
mod value;
mod words;

use std::ops::Range;

use assignment::{Assigned, Style};
use name::Kind;
pub use table::Tables;
use value::Make;
pub use words::is_chosen;

use super::randomness::{self, Class};
use super::{Candidate, Confidence, Detector, Hit, Note, Reach, RuleIndex, Ruleset, Text};
use crate::crypt::Plaintext;

/// Finds credentials by the name that they are assigned to.
#[derive(Debug)]
pub struct Generic {
    assignment: Option<RuleIndex>,
    password: Option<RuleIndex>,
    loose: Option<RuleIndex>,
}

const KEYWORDS: &[&str] = &[
    "pass",
    "pwd",
    "secret",
    "token",
    "key",
    "auth",
    "cred",
    "bearer",
    "salt",
    "senha",
    "kennwort",
    "_pw",
    " pw",
    "pw=",
    "pw\"",
    "pw'",
    "pw:",
    "psk",
    "pepper",
    "wachtwoord",
    "contrase",
    IDENTIFIED_BY,
];

/// The one name that has a blank in it: SQL's.
const IDENTIFIED_BY: &str = "identified by";

/// How far a line is read back for words that say its values are hashes.
const LINE: usize = 120;

/// A token without an assignment stands within this many bytes of the word for it.
const LOOSE_GAP: usize = 24;

/// And has at least this many bytes.
const LOOSE_LEN: usize = 20;

impl Generic {
    /// The detector, with those of its rules that are in force.
    pub fn new(rules: &Ruleset) -> Self {
        Self {
            assignment: rules.index("generic-assignment"),
            password: rules.index("generic-password"),
            loose: rules.index("generic-loose"),
        }
    }
}

impl Detector for Generic {
    fn keywords(&self) -> &[&str] {
        KEYWORDS
    }

    fn reach(&self) -> Reach {
        Reach::Window(name::MAX_LEN + assignment::REACH)
    }

    fn find(&self, text: &Text<'_>, hits: &[Hit], found: &mut Vec<Candidate>) {
        // What was decoded is only looked through for credentials with a shape.
        if text.depth > 0 {
            return;
        }
        let bytes = text.bytes;
        let mut done = 0;
        for hit in hits.iter().filter(|hit| hit.end <= bytes.len()) {
            if hit.start < done {
                continue;
            }
            let is_clause = KEYWORDS[hit.keyword] == IDENTIFIED_BY;
            if is_inside_a_word(bytes, hit.end) {
                continue;
            }
            // A keyword may end with what stands behind a name.
            let last = bytes[hit.end - 1];
            let end = if in_word(last) || is_clause { name_end(bytes, hit.end) } else { hit.end - 1 };
            done = end;
            let Some(next) = bytes.get(end) else { continue };
            if end.saturating_sub(hit.end) > name::MAX_LEN / 2 || !assignment::may_follow(*next) {
                continue;
            }
            // Or begin with what stands before one.
            let start = hit.start + usize::from(bytes[hit.start] == b' ');
            let name = if is_clause { hit.start..hit.end } else { name_start(bytes, start)..end };
            let Some(kind) = (if is_clause { Some(Kind::Password) } else { name::kind(&bytes[name.clone()]) }) else {
                continue;
            };
            if bytes[name.clone()].to_ascii_lowercase().ends_with(b"auth")
                && let Some(password) = assignment::second_of_two(bytes, end)
            {
                found.extend(self.weigh(bytes, name, Kind::Password, password));
                continue;
            }
            match assignment::assigned(bytes, &name) {
                Some(assigned) if assigned.style != Style::Word || kind == Kind::Password => {
                    let others = assignment::others(bytes, &assigned);
                    found.extend(self.weigh(bytes, name.clone(), kind, assigned));
                    let others = others.into_iter().filter_map(|other| self.weigh(bytes, name.clone(), kind, other));
                    found.extend(others.filter(|found| found.confidence >= Confidence::Medium));
                }
                _ => found.extend(self.loose(bytes, name, kind)),
            }
        }
    }
}

impl Generic {
    /// The candidate that a value is, if it is one.
    fn weigh(&self, bytes: &[u8], name: Range<usize>, kind: Kind, assigned: Assigned) -> Option<Candidate> {
        let mut span = assigned.span;
        let mut joined = assigned.joined;
        if joined.is_none() {
            let scheme = assignment::scheme_len(&bytes[span.clone()]);
            span.start += scheme;
        }
        let value = joined.as_deref().map_or(&bytes[span.clone()], Vec::as_slice);
        if value.len() < 6 || says_itself(&bytes[name.clone()], value) || names_variable(value) {
            return None;
        }
        if assigned.style == Style::Bytes {
            let sure = if kind == Kind::Token { Confidence::Low } else { return None };
            return value::are_random_bytes(value)
                .then(|| self.candidate(self.assignment, name, span, None, sure, Vec::new()))?;
        }
        if value.contains(&b' ') && kind != Kind::Key {
            let sure = words::phrase(value).filter(|_| assigned.whole)?;
            let notes = if assigned.style == Style::Bare { vec![Note::Bare] } else { Vec::new() };
            return self.candidate(self.password, name, span, joined.take().map(Plaintext::from), sure, notes);
        }
        if kind == Kind::Password && value.iter().all(u8::is_ascii_digit) && (6..=16).contains(&value.len()) {
            let sure = if assigned.whole && !ends_in_verb(bytes, &name) { Confidence::Medium } else { return None };
            return self.candidate(self.password, name, span, None, sure, vec![Note::Bare]);
        }
        if value::is_uuid(value) && kind == Kind::Token {
            // Most are the name of a thing; that of an API's key is the key.
            let is_key = memchr::memmem::find(&bytes[name.clone()].to_ascii_lowercase(), b"api").is_some();
            let (rule, sure) =
                if is_key { (self.assignment, Confidence::Medium) } else { (self.loose, Confidence::Low) };
            return self.candidate(rule, name, span, None, sure, Vec::new());
        }
        let made = value::make(value, assigned.style)?;
        if made == Make::Words && words::is_label(value) {
            return None;
        }
        let bare = matches!(assigned.style, Style::Bare | Style::Word);
        let evidence = match made {
            Make::Random(class) => randomness::evidence(value, class),
            _ => 0.0,
        };
        // What is this improbable is no word of a program, in quotes or not.
        let mut notes = Vec::new();
        if bare && (evidence < 25.0 || value.len() < 16) {
            notes.push(Note::Bare);
        }
        let (rule, confidence) = match (kind, made) {
            (_, Make::Words | Make::Mixed) if !assigned.whole => return None,
            (Kind::Password, _) if value.len() > 80 && made < Make::Random(Class::Hex) => return None,
            // `pass` is a verb as well, and prose says what a thing is identified by.
            (Kind::Password, Make::Words) if ends_in_verb(bytes, &name) => return None,
            (Kind::Password, Make::Words) => {
                let is_phrase =
                    words::is_chosen(value) && value.iter().filter(|byte| b"-_".contains(byte)).count() >= 3;
                (self.password, if is_phrase { Confidence::Medium } else { Confidence::Low })
            }
            (Kind::Password, Make::Mixed) => (self.password, Confidence::Medium),
            (Kind::Password, Make::Random(_)) => (self.password, Confidence::Medium),
            (Kind::Token, Make::Random(Class::Hex | Class::Base32 | Class::Base36 | Class::Base62 | Class::Base64))
                if is_hash(&bytes[line_start(bytes, span.start)..span.start]) =>
            {
                return None;
            }
            (Kind::Token, Make::Random(_)) if value.len() >= 10 => (self.assignment, Confidence::Medium),
            (Kind::Token, Make::Random(_)) => (self.assignment, Confidence::Low),
            (Kind::Token, Make::Words | Make::Mixed)
                if (!bare || value.last().is_some_and(u8::is_ascii_digit))
                    && value.iter().any(|byte| b"-_".contains(byte))
                    && words::is_chosen(value)
                    && opens_sessions(&bytes[name.clone()]) =>
            {
                (self.assignment, Confidence::Low)
            }
            (Kind::Token, Make::Mixed) if value.len() >= 8 && !value::is_code(value) => {
                (self.assignment, if value::is_mixed_well(value) { Confidence::Medium } else { Confidence::Low })
            }
            (Kind::Key, Make::Random(class)) if class != Class::Printable && value.len() >= 16 && evidence >= 30.0 => {
                if is_hash(&bytes[line_start(bytes, span.start)..span.start]) {
                    return None;
                }
                let is_hash_like = class == Class::Hex || evidence < 60.0;
                (self.assignment, if is_hash_like { Confidence::Low } else { Confidence::Medium })
            }
            _ => return None,
        };
        let decoded = joined.take().map(Plaintext::from);
        self.candidate(rule, name, span, decoded, confidence, notes)
    }

    /// A lone token behind a word for one, with no assignment between.
    fn loose(&self, bytes: &[u8], name: Range<usize>, kind: Kind) -> Option<Candidate> {
        if kind == Kind::Password {
            return None;
        }
        let limit = bytes.len().min(name.end + LOOSE_GAP + assignment::MAX_VALUE);
        let in_token = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-' || *byte == b'_';
        let mut start = name.end;
        while start < limit.min(name.end + LOOSE_GAP) {
            let len = bytes[start..limit].iter().take_while(|byte| in_token(byte)).count();
            let token = &bytes[start..start + len];
            let lone = [start.checked_sub(1).and_then(|at| bytes.get(at)), bytes.get(start + len)];
            let lone =
                lone.into_iter().flatten().all(|byte| byte.is_ascii_whitespace() || b"\"'`<>,;:|()[]".contains(byte));
            if len >= LOOSE_LEN && lone && token.iter().any(u8::is_ascii_digit) && start + len < limit.max(bytes.len())
            {
                let random = value::is_uuid(token)
                    || randomness::is_random(token).is_some_and(|class| randomness::evidence(token, class) >= 30.0);
                if random && !is_hash(&bytes[line_start(bytes, start)..start]) {
                    return self.candidate(self.loose, name, start..start + len, None, Confidence::Low, Vec::new());
                }
            }
            // Signs of an assignment, which would have been read if it were one of a value; or the end of the line.
            if bytes.get(start + len).is_none_or(|byte| b"\n=:({[<>!".contains(byte)) {
                return None;
            }
            start += len + 1;
        }
        None
    }

    fn candidate(
        &self,
        rule: Option<RuleIndex>,
        name: Range<usize>,
        secret: Range<usize>,
        decoded: Option<Plaintext>,
        confidence: Confidence,
        notes: Vec<Note>,
    ) -> Option<Candidate> {
        Some(Candidate {
            rule: rule?,
            whole: name.start.min(secret.start)..secret.end,
            secret,
            decoded,
            layers: Vec::new(),
            confidence,
            severity: None,
            notes,
            key_path: None,
        })
    }
}

/// Whether the word that a keyword begins goes on as none that matters does: `keyboard`, `author`, `passing`. Most keywords end here.
fn is_inside_a_word(bytes: &[u8], end: usize) -> bool {
    const ENDINGS: &[&[u8]] = &[
        b"s",
        b"word",
        b"words",
        b"wd",
        b"wort",
        b"phrase",
        b"code",
        b"ential",
        b"entials",
        b"entication",
        b"orization",
        b"key",
        b"keys",
        b"pass",
        b"token",
        b"secret",
        b"pwd",
        b"auth",
        b"cred",
        b"salt",
        b"e",
        b"na",
    ];
    let (last, next) = (bytes[end - 1], bytes.get(end).copied().unwrap_or_default());
    if !(last.is_ascii_lowercase() && next.is_ascii_lowercase()
        || last.is_ascii_uppercase() && next.is_ascii_uppercase())
    {
        return false;
    }
    let rest = &bytes[end..bytes.len().min(end + 12)];
    let len = rest
        .iter()
        .take_while(|byte| byte.is_ascii_alphabetic() && byte.is_ascii_lowercase() == next.is_ascii_lowercase())
        .count();
    !ENDINGS.iter().any(|ending| ending.eq_ignore_ascii_case(&rest[..len]))
}

/// Where a name ends that goes on from `at`.
fn name_end(bytes: &[u8], mut at: usize) -> usize {
    let limit = bytes.len().min(at + name::MAX_LEN);
    while at < limit {
        let joins = matches!(bytes[at], b'-' | b'.') && bytes.get(at + 1).is_some_and(u8::is_ascii_alphanumeric);
        if !in_word(bytes[at]) && !joins {
            break;
        }
        at += 1;
    }
    at
}

/// Where the name begins that a keyword at `at` stands in.
fn name_start(bytes: &[u8], at: usize) -> usize {
    let limit = at.saturating_sub(name::MAX_LEN / 3);
    let mut start = at;
    while start > limit && (in_word(bytes[start - 1]) || matches!(bytes[start - 1], b'-' | b'.')) {
        start -= 1;
    }
    start + bytes[start..at].iter().take_while(|byte| matches!(byte, b'-' | b'.' | b'_')).count()
}

fn in_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Whether a value only repeats its name: `password: "password"`, `user_password = "userPassword"`.
fn says_itself(name: &[u8], value: &[u8]) -> bool {
    let letters = |text: &[u8]| -> Vec<u8> {
        text.iter().filter(|byte| byte.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase).collect()
    };
    let (name, value) = (letters(name), letters(value));
    !value.is_empty() && (name.ends_with(&value) || value.ends_with(&name) && value.len() <= name.len() + 4)
}

/// Whether a name is that of a secret that people make up as they do passwords: `JWT_SECRET`, `cookie_key`, `shared secret`.
fn opens_sessions(name: &[u8]) -> bool {
    let name = name.to_ascii_lowercase();
    let has = |word: &[u8]| memchr::memmem::find(&name, word).is_some();
    name.ends_with(b"secret")
        || has(b"jwt")
        || [&b"session"[..], b"cookie", b"sign"].iter().any(|of| has(of)) && has(b"key")
}

/// Whether a value is the name of a variable of the environment that holds one: `APP_PASSWORD`.
fn names_variable(value: &[u8]) -> bool {
    value.contains(&b'_')
        && value.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'_' || byte.is_ascii_digit())
        && name::kind(value).is_some()
}

/// How sure it is that a value is a password where its place says that one stands there, as in a command; none where it is none.
pub fn password(value: &[u8]) -> Option<Confidence> {
    if value.len() < 6 || words::is_label(value) || names_variable(value) {
        return None;
    }
    if value.contains(&b' ') {
        return words::phrase(value);
    }
    let is_word = value::make(value, Style::Quoted)? == Make::Words && !words::is_chosen(value);
    Some(if is_word { Confidence::Low } else { Confidence::Medium })
}

fn ends_in_verb(bytes: &[u8], at: &Range<usize>) -> bool {
    let name = &bytes[at.clone()];
    // In the name of a variable of the environment it is none; that of a macro is called.
    let is_called = bytes.get(at.end) == Some(&b'(');
    if !is_called && name.contains(&b'_') && !name.iter().any(u8::is_ascii_lowercase) {
        return false;
    }
    let before = name.len().saturating_sub(4);
    name.eq_ignore_ascii_case(IDENTIFIED_BY.as_bytes())
        || name[before..].eq_ignore_ascii_case(b"pass")
            && (before == 0 || !name[before - 1].is_ascii_alphanumeric() || name[before].is_ascii_uppercase())
}

fn line_start(bytes: &[u8], at: usize) -> usize {
    let from = at.saturating_sub(LINE);
    memchr::memrchr(b'\n', &bytes[from..at]).map_or(from, |line| from + line + 1)
}

/// Whether words before a value say that it is a hash.
fn is_hash(before: &[u8]) -> bool {
    const WORDS: &[&[u8]] = &[
        b"sha1",
        b"sha256",
        b"sha384",
        b"sha512",
        b"sha2",
        b"sha-",
        b"md5",
        b"integrity",
        b"checksum",
        b"digest",
        b"commit",
        b"etag",
        b"hash",
        b"fingerprint",
        b"thumbprint",
        b"public",
        b"revision",
        b"pubkey",
    ];
    let lower = before.to_ascii_lowercase();
    WORDS.iter().any(|word| memchr::memmem::find(&lower, word).is_some())
}
