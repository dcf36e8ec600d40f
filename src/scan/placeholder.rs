//! What stands in for a credential: words that say so, blanks to fill in, repeats and counts, samples that documentation shows.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

/// Words in any case that no credential holds by chance.
const WORDS: &[&str] = &[
    "****",
    "-----",
    "......",
    "_____",
    "change-it",
    "change-me",
    "change-this",
    "change_it",
    "change_me",
    "change_this",
    "changeit",
    "changeme",
    "changethis",
    "deadbeef",
    "dummy-",
    "dummy_",
    "enter-your",
    "enter_your",
    "enteryour",
    "example",
    "fake-",
    "fake_",
    "fakekey",
    "fakepass",
    "fakesecret",
    "faketoken",
    "foobar",
    "goes-here",
    "goes_here",
    "goeshere",
    "insert-",
    "insert_",
    "not-a-",
    "not-real",
    "not_a_",
    "not_real",
    "notasecret",
    "notreal",
    "placeholder",
    "redacted",
    "replace-",
    "replace_",
    "replaceme",
    "replacethis",
    "sample-",
    "sample_",
    "secret-here",
    "secret_here",
    "tobedefined",
    "token-here",
    "token_here",
    "xxxxx",
    "your-",
    "your_",
    "yourapi",
    "yourkey",
    "yourpass",
    "yoursecret",
    "yourtoken",
    "•••",
    "……",
];

/// Marks of what is filled in later: shell, make, Helm, Jinja, printf, documentation.
const BLANKS: &[(&str, &str)] = &[
    ("${", "}"),
    ("{{", "}}"),
    ("$(", ")"),
    ("<%", "%>"),
    ("%(", ")s"),
    ("[[", "]]"),
    ("{%", "%}"),
    ("#{", "}"),
    ("__", "__"),
];

/// What printf fills in.
const CONVERSIONS: &[&str] = &["%s", "%v", "%d", "%q", "{}"];

/// Words of which stand-ins and the passwords that everybody tries first are made.
const FILLERS: &[&str] = &[
    "a",
    "abc",
    "abcd",
    "abcdef",
    "access",
    "admin",
    "administrator",
    "alpha",
    "an",
    "anonymous",
    "any",
    "api",
    "app",
    "asdf",
    "asdfgh",
    "asdfghjkl",
    "auth",
    "bad",
    "bar",
    "baz",
    "beta",
    "clave",
    "client",
    "correct",
    "db",
    "default",
    "demo",
    "dev",
    "dragon",
    "dummy",
    "enter",
    "fake",
    "foo",
    "for",
    "generated",
    "guest",
    "hello",
    "here",
    "hunter",
    "iloveyou",
    "in",
    "insert",
    "invalid",
    "is",
    "it",
    "jwt",
    "keep",
    "key",
    "letmein",
    "local",
    "login",
    "long",
    "master",
    "mock",
    "monkey",
    "my",
    "new",
    "none",
    "not",
    "old",
    "one",
    "only",
    "pass",
    "passwd",
    "passphrase",
    "password",
    "passwort",
    "placeholder",
    "please",
    "postgres",
    "private",
    "prod",
    "production",
    "put",
    "pwd",
    "qazwsx",
    "qwer",
    "qwert",
    "qwerty",
    "qwertyuiop",
    "random",
    "real",
    "replace",
    "root",
    "safe",
    "sample",
    "secret",
    "secrets",
    "secure",
    "security",
    "service",
    "session",
    "set",
    "should",
    "some",
    "something",
    "staging",
    "strong",
    "sunshine",
    "super",
    "temp",
    "test",
    "tester",
    "testing",
    "the",
    "this",
    "to",
    "token",
    "tokens",
    "toor",
    "top",
    "trustno",
    "unsafe",
    "user",
    "username",
    "value",
    "very",
    "weak",
    "welcome",
    "whatever",
    "with",
    "word",
    "wordpress",
    "world",
    "wrong",
    "your",
    "zxcvbn",
];

/// Passwords that everybody tries first and that are no words.
const DEFAULTS: &[&str] =
    &["1q2w3e", "1q2w3e4r", "1q2w3e4r5t", "1qaz2wsx", "zaq12wsx", "q1w2e3r4", "correcthorsebatterystaple"];

/// Credentials that documentation shows, without the prefix by which services know them, so that this file holds none.
const SAMPLES: &[&str] = &[
    // AWS, the pair of its manuals.
    "IOSFODNN7EXAMPLE",
    "wJalrXUtnFEMI/K7MDENG",
    // Azure: the storage emulator and the Cosmos DB emulator.
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq",
    "C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2nQ9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw",
    // jwt.io: the signatures of its first samples.
    "SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c",
    "TJVA95OrM7E2cBab30RMHrHDcEfxjoYZgeFONFh7HgQ",
    "XbPfbIHMI6arZ3Y922BhjWgQzWXcXNrz0ogtVhfEd2o",
    // kubeadm.
    "0123456789abcdef",
    "bcdef.01234567",
    // Stripe: the keys of its first manuals, behind `sk_test_` and `pk_test_`.
    "4eC39HqLyjWDarjtT1zdp7dc",
    "BQokikJOvBiI2HlWgH4olfQ2",
    "TYooMQauvdEDq54NiTphI7jx",
    "6pRNASCoBOKtIshFeQd4XMUh",
    // Twilio, Slack and Telegram documentation.
    "T00000000/B00000000",
    "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw",
    "123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11",
    // Django's and Laravel's tutorials; the nonce of RFC 6455; HTTP Basic of RFC 7617; OAuth of RFC 6749 and 6750.
    "dGhlIHNhbXBsZSBub25jZQ",
    "QWxhZGRpbjpvcGVu",
    "2YotnFZFEjr1zCsicMWpAA",
    "tGzv3JOkF0XG5Qx2TlKWIA",
    "gX1fBat3bV",
    "mF_9.B5f-4.1JqM",
    "czZCaGRSa3F0MzpnWDFmQmF0M2JW",
    "7Fjfp0ZBr1KtDRbnfVdmIw",
];

/// The lists as one search each, as there is a value to judge for each find.
static KNOWN_SAMPLES: LazyLock<AhoCorasick> = LazyLock::new(|| AhoCorasick::new(SAMPLES).expect("a short list"));
static KNOWN_WORDS: LazyLock<AhoCorasick> =
    LazyLock::new(|| AhoCorasick::builder().ascii_case_insensitive(true).build(WORDS).expect("a short list of words"));

/// How it is known that `secret` stands in for a credential, if it does. `shown` is the length of the part of it that is the same in all of its
/// kind.
pub fn placeholder(secret: &[u8], shown: usize) -> Option<&'static str> {
    let within = |text: &[u8], word: &str| memchr::memmem::find(text, word.as_bytes()).is_some();
    if KNOWN_SAMPLES.is_match(secret) {
        return Some("shown in documentation");
    }
    // In a long random value a short word says nothing. Of several the first of the list is told.
    let words = KNOWN_WORDS.find_overlapping_iter(secret).map(|found| WORDS[found.pattern().as_usize()]);
    let words = words.filter(|word| word.len() >= 6 || secret.len() < 40);
    if let Some(word) = words.min_by_key(|word| WORDS.iter().position(|one| one == word)) {
        return Some(word);
    }
    let filled_in = BLANKS.iter().find(|(open, close)| {
        let at = memchr::memmem::find(secret, open.as_bytes());
        at.is_some_and(|at| within(&secret[at + open.len()..], close))
    });
    if let Some((open, _)) = filled_in {
        return Some(open);
    }
    // In a long random value `%s` stands by chance, in a short one seldom at its end.
    if let Some(conversion) =
        CONVERSIONS.iter().find(|conversion| secret.len() < 40 && secret.ends_with(conversion.as_bytes()))
    {
        return Some(conversion);
    }
    // Words in angle brackets; in a random value these stand by chance, but not around letters alone.
    let in_angles = |from: usize| {
        let rest = &secret[from + 1..secret.len().min(from + 64)];
        let inside = rest.iter().take_while(|byte| byte.is_ascii_alphabetic() || b" _-".contains(byte)).count();
        inside >= 3 && rest.get(inside) == Some(&b'>')
    };
    if memchr::memchr_iter(b'<', secret).any(in_angles) {
        return Some("<");
    }
    let body = &secret[shown.min(secret.len())..];
    (body.len() >= 12 && !is_varied(body) || body.len() >= 6 && is_run(body)).then_some("repeated or counted up")
}

/// Whether neither one character nor a short sequence is repeated, and no long run counts up or down.
fn is_varied(value: &[u8]) -> bool {
    let mut distinct = [false; 256];
    value.iter().for_each(|byte| distinct[usize::from(*byte)] = true);
    let distinct = distinct.iter().filter(|is_there| **is_there).count();
    // Hex of 16 has ten distinct digits on average, and fewer than six once in 10,000.
    let wanted = match value.len() {
        ..8 => 2,
        8..16 => 4,
        _ => 6,
    };
    let longest = |same: &dyn Fn(u8, u8) -> bool| {
        let mut run = (1, 1);
        for pair in value.windows(2) {
            run.0 = if same(pair[0], pair[1]) { run.0 + 1 } else { 1 };
            run.1 = run.1.max(run.0);
        }
        run.1
    };
    let repeats = (1..=8).any(|period| {
        value.len() >= 3 * period
            && value.iter().zip(&value[period..]).filter(|(one, next)| one == next).count() * 4
                >= (value.len() - period) * 3
    });
    let longest_run = longest(&|one, next| one == next)
        .max(longest(&|one, next| next == one.wrapping_add(1)))
        .max(longest(&|one, next| one == next.wrapping_add(1)));
    distinct >= wanted && !repeats && longest_run < (value.len() / 4).max(7)
}

/// Whether `secret` is one of the passwords that everybody tries first: of words for passwords and their like, in any case and with the usual
/// signs for letters, and up to six digits and signs behind them.
pub fn is_default(secret: &[u8]) -> bool {
    let mut text = secret.to_ascii_lowercase();
    if DEFAULTS.iter().any(|default| text.starts_with(default.as_bytes()) && text.len() <= default.len() + 4) {
        return true;
    }
    let end = text.iter().rposition(|byte| byte.is_ascii_alphabetic()).map_or(0, |at| at + 1);
    let behind = &text[end..];
    let is_counted = behind.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1) || pair[0] == pair[1]);
    if end == 0 || behind.len() > 6 || behind.len() > 4 && !is_counted || text.len() > 64 {
        return false;
    }
    text.truncate(end);
    text.retain(|byte| !b"-_. ".contains(byte));
    for byte in &mut text {
        *byte = match *byte {
            b'0' => b'o',
            b'1' | b'!' => b'i',
            b'3' => b'e',
            b'4' | b'@' => b'a',
            b'5' | b'$' => b's',
            b'7' => b't',
            other => other,
        };
    }
    // Which beginnings are made of whole words.
    let mut whole = vec![false; text.len() + 1];
    whole[0] = true;
    for at in 0..text.len() {
        if whole[at] {
            let fitting = FILLERS.iter().filter(|word| text[at..].starts_with(word.as_bytes()));
            fitting.for_each(|word| whole[at + word.len()] = true);
        }
    }
    whole[text.len()]
}

/// Whether each character is the one before or a step up or down from it, one odd step aside.
fn is_run(body: &[u8]) -> bool {
    let odd = body.windows(2).filter(|pair| pair[0].abs_diff(pair[1]) > 1).count();
    odd * 5 <= body.len() && body.iter().all(u8::is_ascii_alphanumeric) && body.len() <= 16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_gives_it_away() {
        let of = |text: &str| placeholder(text.as_bytes(), 4);
        assert_eq!(of("AKIAIOSFODNN7EXAMPLE"), Some("shown in documentation"));
        assert_eq!(of("AKIAQ7WMEXAMPLEX2K3R"), Some("example"));
        assert_eq!(of("tok_your_token_goes_here"), Some("goes_here"));
        assert_eq!(of("tok_${TOKEN}"), Some("${"));
        assert_eq!(of("<insert token>"), Some("<"));
        assert_eq!(of("Bearer %s"), Some("%s"));
        assert_eq!(of("abcdef.0123456789abcdef"), Some("shown in documentation"));
        assert_eq!(of("tok_aaaaaaaaaaaaaaaaaaaa"), Some("repeated or counted up"));
        assert_eq!(of("tok_1234567890123456"), Some("repeated or counted up"));
        assert_eq!(of("tok_abcabcabcabcabcabc"), Some("repeated or counted up"));
        assert_eq!(of("tok_q7Xw2LmN9dRt4VbKc8Yz"), None);
        assert_eq!(of("tok_"), None);
    }

    #[test]
    fn default_passwords_are_known_with_what_stands_behind() {
        for password in [
            "password",
            "Password123!",
            "admin",
            "hunter2",
            "P@ssw0rd",
            "qwerty123",
            "toor",
            "my-s3cr3t-token",
            "SuperSecret2024",
        ] {
            assert!(is_default(password.as_bytes()), "{password}");
        }
        for password in ["brontosaurus-7", "Kx9#mPq2", "adminton", "passat2009!x", "secretBanana7", "84629173"] {
            assert!(!is_default(password.as_bytes()), "{password}");
        }
    }
}
