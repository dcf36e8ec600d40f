//! Values that stand for a credential instead of being one.

use std::ops::Range;

use crate::scan::{Candidate, Confidence, Note, RuleIndex};

/// The credential at `secret`; none where it is a reference, of no more than info where it is made up.
pub fn candidate(rule: RuleIndex, bytes: &[u8], secret: Range<usize>, confidence: Confidence) -> Option<Candidate> {
    let value = &bytes[secret.clone()];
    if is_reference(value) {
        return None;
    }
    let mut candidate = Candidate::at(rule, secret, confidence);
    if let Some(how) = placeholder(value) {
        candidate.confidence = Confidence::Info;
        candidate.notes.push(Note::Placeholder(how));
    }
    Some(candidate)
}

/// Whether a value is filled in elsewhere: a template, a variable, a reference to a store, a value that is encrypted.
pub fn is_reference(value: &[u8]) -> bool {
    let value = value.trim_ascii();
    let has = |part: &[u8]| memchr::memmem::find(value, part).is_some();
    let begins = |starts: &[&[u8]]| starts.iter().any(|start| value.starts_with(start));
    let is_between = |open: u8, close: u8| value.first() == Some(&open) && value.last() == Some(&close);
    let is_name = |name: &[u8]| {
        name.first().is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_')
            && name.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
    };
    value.is_empty()
        || has(b"{{")
        || has(b"${")
        || has(b"$(")
        || has(b"<path:")
        || has(b"<%")
        || has(b"#{")
        || value.strip_prefix(b"$").is_some_and(is_name)
        || value == b"%s"
        || (is_between(b'%', b'%') && value.len() > 2 && is_name(&value[1..value.len() - 1]))
        || (is_between(b'{', b'}') && is_name(&value[1..value.len() - 1]))
        || (begins(&[b"__", b"@@"]) && value.len() > 4 && value.ends_with(&value[..2]))
        || begins(&[b"ref+", b"vault:", b"op://", b"ENC[", b"!vault", b"awssm://", b"sm://", b"keyvault:"])
}

/// Why a value is known to be made up, where it is.
pub fn placeholder(value: &[u8]) -> Option<&'static str> {
    let value = value.trim_ascii().to_ascii_lowercase();
    let has = |part: &[u8]| memchr::memmem::find(&value, part).is_some();
    // A text is more than what one of its words says, and hosts of documentation have real passwords in tests.
    let is_text = value.len() > 100 || value.contains(&b'\n') || has(b".example") || has(b"example.");
    if let Some(how) = crate::scan::placeholder(&value, 0).filter(|_| !is_text) {
        return Some(how);
    }
    let defaults = [
        "password",
        "passwd",
        "pass",
        "pwd",
        "secret",
        "token",
        "admin",
        "root",
        "test",
        "guest",
        "user",
        "username",
        "none",
        "null",
        "todo",
        "tbd",
        "empty",
        "default",
        "foo",
        "bar",
        "baz",
        "foobar",
        "mypassword",
        "mysecret",
    ];
    if let Some(word) = defaults.into_iter().find(|word| value == word.as_bytes()) {
        return Some(word);
    }
    match value.as_slice() {
        [b'<', .., b'>'] => Some("<…>"),
        [b'[', .., b']'] if value.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'"' && *byte != b',') => {
            Some("[…]")
        }
        [first, rest @ ..] if !rest.is_empty() && rest.iter().all(|byte| byte == first) => {
            Some("one character repeated")
        }
        [_, _, _, ..] if value.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1)) => {
            Some("characters in sequence")
        }
        _ => None,
    }
}

/// Whether the words of a name say that its value is secret: the last words decide. No more than a list, for places where the
/// structure says what is name and what is value.
pub fn is_secret_name(name: &[u8]) -> bool {
    let words = words(name);
    let Some(last) = words.last() else { return false };
    let last_two = words.iter().rev().take(2).rev().map(String::as_str).collect::<String>();
    if words.iter().any(|word| matches!(word.as_str(), "public" | "pub")) {
        return false;
    }
    let alone = [
        "password",
        "passwd",
        "passphrase",
        "pwd",
        "pass",
        "secret",
        "secrets",
        "token",
        "apikey",
        "credential",
        "credentials",
        "accesskey",
        "secretkey",
        "privatekey",
        "apitoken",
        "authtoken",
        "accesstoken",
        "clientsecret",
        "pw",
        "psk",
    ];
    let pairs = [
        "apikey",
        "accesskey",
        "secretkey",
        "privatekey",
        "signingkey",
        "encryptionkey",
        "masterkey",
        "authkey",
        "authtoken",
        "sharedkey",
        "storagekey",
        "accountkey",
        "licensekey",
        "secretid",
        "servicekey",
        "hmackey",
    ];
    alone.contains(&last.as_str()) || pairs.contains(&last_two.as_str())
}

/// A name's words in lower case: `dbPassword`, `DB_PASSWORD` and `db.password` are the same two.
fn words(name: &[u8]) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut before = b'_';
    for (at, byte) in name.iter().enumerate() {
        if !byte.is_ascii_alphanumeric() {
            before = b'_';
            continue;
        }
        let next_is_lower = name.get(at + 1).is_some_and(u8::is_ascii_lowercase);
        let starts = before == b'_'
            || (byte.is_ascii_uppercase() && (before.is_ascii_lowercase() || before.is_ascii_digit() || next_is_lower));
        if starts {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.push(char::from(byte.to_ascii_lowercase()));
        }
        before = *byte;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_told_from_values() {
        for value in [
            "",
            "  ",
            "{{ .Values.x }}",
            "a-${VAR}-b",
            "$(VAR)",
            "<path:kv/data/x#y>",
            "ref+vault://x",
            "vault:kv/x",
            "$PASSWORD",
            "%PASSWORD%",
            "{password}",
            "__TOKEN__",
            "@@TOKEN@@",
            "ENC[AES256_GCM,data:x]",
            "op://a/b",
        ] {
            assert!(is_reference(value.as_bytes()), "{value}");
        }
        for value in ["hunter2", "$1$salt$hash", "a%sb", "{\"a\":1}", "p@$$word", "%", "__"] {
            assert!(!is_reference(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn made_up_values_are_known() {
        for value in
            ["changeme", "<password>", "XXXXXXXX", "AKIAIOSFODNN7EXAMPLE", "aaaa", "abcdef", "1234567", "Password"]
        {
            assert!(placeholder(value.as_bytes()).is_some(), "{value}");
        }
        for value in ["hunter2", "correct horse", "x", "a8f5f167f44f4964", "[1, 2]"] {
            assert_eq!(placeholder(value.as_bytes()), None, "{value}");
        }
    }

    #[test]
    fn the_last_words_of_a_name_decide() {
        for name in
            ["password", "DB_PASSWORD", "dbPassword", "api-key", "AWS_SECRET_ACCESS_KEY", "client_secret", "authToken"]
        {
            assert!(is_secret_name(name.as_bytes()), "{name}");
        }
        for name in [
            "secretName",
            "PASSWORD_FILE",
            "tokenUrl",
            "publicKey",
            "monkey",
            "key",
            "SSH_PUBLIC_KEY",
            "passwordPolicy",
        ] {
            assert!(!is_secret_name(name.as_bytes()), "{name}");
        }
    }
}
