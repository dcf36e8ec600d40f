//! What stands in for a credential: words that say so, blanks to fill in, repeats and counts.

use super::check::is_varied;

/// Words in any case that no credential holds by chance.
const WORDS: &[&str] = &[
    "example",
    "changeme",
    "change-me",
    "change_me",
    "placeholder",
    "redacted",
    "replaceme",
    "replace-me",
    "replace_me",
    "dummy-",
    "dummy_",
    "notreal",
    "not-real",
    "not_real",
    "insert-",
    "insert_",
    "your-",
    "your_",
    "yoursecret",
    "yourtoken",
    "yourapi",
    "yourkey",
    "mysecret",
    "xxxxxx",
    "******",
    "......",
];

/// Marks of what is filled in later: shell, make, Helm, Jinja, printf, documentation.
const BLANKS: &[(&str, &str)] =
    &[("${", "}"), ("{{", "}}"), ("$(", ")"), ("<%", "%>"), ("%(", ")s"), ("[[", "]]"), ("{%", "%}")];

/// How it is known that `secret` stands in for a credential, if it does. `shown` is the part of it that is the same in all of its kind.
pub fn placeholder(secret: &[u8], shown: usize) -> Option<&'static str> {
    let text = secret.to_ascii_lowercase();
    let holds = |word: &str| memchr::memmem::find(&text, word.as_bytes()).is_some();
    if let Some(word) = WORDS.iter().find(|word| holds(word)) {
        return Some(word);
    }
    let filled_in = BLANKS.iter().find(|(open, close)| {
        let at = memchr::memmem::find(secret, open.as_bytes());
        at.is_some_and(|at| memchr::memmem::find(&secret[at + open.len()..], close.as_bytes()).is_some())
    });
    if let Some((open, _)) = filled_in {
        return Some(open);
    }
    let in_angles = |from: usize| {
        let inside = secret[from + 1..].split(|byte| *byte == b'>').next().unwrap_or_default();
        let closed = from + 1 + inside.len() < secret.len();
        closed && inside.len() >= 3 && inside.iter().all(|byte| byte.is_ascii_alphabetic() || b" _-".contains(byte))
    };
    if memchr::memchr_iter(b'<', secret).any(in_angles) {
        return Some("<");
    }
    let body = &secret[shown.min(secret.len())..];
    (body.len() >= 12 && !is_varied(body)).then_some("repeated or counted up")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_gives_it_away() {
        let of = |text: &str| placeholder(text.as_bytes(), 4);
        assert_eq!(of("AKIAIOSFODNN7EXAMPLE"), Some("example"));
        assert_eq!(of("tok_your_token_goes_here"), Some("your_"));
        assert_eq!(of("tok_${TOKEN}"), Some("${"));
        assert_eq!(of("<your token here>"), Some("<"));
        assert_eq!(of("tok_aaaaaaaaaaaaaaaaaaaa"), Some("repeated or counted up"));
        assert_eq!(of("tok_1234567890123456"), Some("repeated or counted up"));
        assert_eq!(of("tok_abcabcabcabcabcabc"), Some("repeated or counted up"));
        assert_eq!(of("tok_q7Xw2LmN9dRt4VbKc8Yz"), None);
        assert_eq!(of("tok_"), None);
    }
}
