//! What the name of a value says: a password, a token or key, or nothing.
//!
//! A name is split at separators and where its case changes, and its *last* words decide: `secret_name` is a name,
//! `token_type` a type, `keyboard` and `monkey` are one word each.

/// What a name says its value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Chosen by people: any literal counts.
    Password,
    /// Made by a machine: what looks drawn at random counts.
    Token,
    /// A key of unknown sort, of a map as well as of a lock.
    Key,
}

/// No longer name is read.
pub const MAX_LEN: usize = 80;

/// Last words that say nothing about what the value is: the word before decides.
const NEUTRAL: &[&[u8]] = &[
    b"a",
    b"admin",
    b"app",
    b"aws",
    b"azure",
    b"b",
    b"b64",
    b"backup",
    b"base",
    b"base64",
    b"bytes",
    b"content",
    b"current",
    b"data",
    b"database",
    b"db",
    b"default",
    b"dev",
    b"development",
    b"encoded",
    b"env",
    b"ftp",
    b"gcp",
    b"github",
    b"gitlab",
    b"here",
    b"hex",
    b"literal",
    b"live",
    b"local",
    b"mail",
    b"main",
    b"mysql",
    b"new",
    b"npm",
    b"old",
    b"pg",
    b"plain",
    b"plaintext",
    b"postgres",
    b"prev",
    b"previous",
    b"primary",
    b"prod",
    b"production",
    b"qa",
    b"raw",
    b"redis",
    b"root",
    b"sandbox",
    b"secondary",
    b"seed",
    b"slack",
    b"smtp",
    b"ssh",
    b"stage",
    b"staging",
    b"stg",
    b"str",
    b"string",
    b"stripe",
    b"test",
    b"testing",
    b"text",
    b"uat",
    b"v1",
    b"v2",
    b"v3",
    b"val",
    b"value",
    b"web",
];

/// Words for what people choose.
const PASSWORDS: &[&[u8]] = &[
    b"contrasena",
    b"kennwort",
    b"mdp",
    b"pass",
    b"passcode",
    b"passe",
    b"passphrase",
    b"passwd",
    b"password",
    b"passwords",
    b"passwort",
    b"psk",
    b"psw",
    b"pswd",
    b"pw",
    b"pwd",
    b"senha",
    b"wachtwoord",
];

/// Words for what machines make.
const TOKENS: &[&[u8]] = &[
    b"auth",
    b"authentication",
    b"authorization",
    b"bearer",
    b"cred",
    b"credential",
    b"credentials",
    b"creds",
    b"pepper",
    b"secret",
    b"secrets",
    b"token",
    b"tokens",
];

/// What a word of several, written as one, may end in.
const PASSWORD_ENDS: &[&[u8]] = &[
    b"adminpass",
    b"dbpass",
    b"ftppass",
    b"mailpass",
    b"masterauth",
    b"keypass",
    b"masterpass",
    b"mypass",
    b"passphrase",
    b"passwd",
    b"password",
    b"pwd",
    b"requirepass",
    b"rootpass",
    b"smtppass",
    b"storepass",
    b"userpass",
];

/// What a word may say before `key`, where both are written as one.
const KEY_ENDS: &[&[u8]] = &[
    b"access",
    b"account",
    b"admin",
    b"aes",
    b"api",
    b"app",
    b"auth",
    b"client",
    b"consumer",
    b"crypt",
    b"encryption",
    b"hmac",
    b"license",
    b"master",
    b"priv",
    b"private",
    b"secret",
    b"server",
    b"service",
    b"session",
    b"shared",
    b"signing",
    b"ssh",
    b"storage",
    b"subscription",
    b"user",
    b"write",
];

/// What a `key` or `salt` is of, where it opens something.
const KEY_OF: &[&[u8]] = &[
    b"access",
    b"account",
    b"admin",
    b"aes",
    b"api",
    b"app",
    b"application",
    b"auth",
    b"cipher",
    b"client",
    b"consumer",
    b"crypt",
    b"crypto",
    b"decryption",
    b"dek",
    b"deploy",
    b"enc",
    b"encrypt",
    b"encryption",
    b"hmac",
    b"in",
    b"ingest",
    b"integration",
    b"jwt",
    b"kek",
    b"license",
    b"master",
    b"nonce",
    b"password",
    b"priv",
    b"private",
    b"psk",
    b"root",
    b"routing",
    b"sas",
    b"secret",
    b"secure",
    b"security",
    b"server",
    b"service",
    b"session",
    b"shared",
    b"sign",
    b"signature",
    b"signing",
    b"ssh",
    b"storage",
    b"subscription",
    b"token",
    b"validation",
    b"vault",
    b"webhook",
    b"write",
];

/// Words that make a name one that all may know, or the name of a place in a list.
const OPEN: &[&[u8]] = &[
    b"continuation",
    b"csrf",
    b"cursor",
    b"dedupe",
    b"fingerprint",
    b"foreign",
    b"idempotency",
    b"nextpage",
    b"page",
    b"pagination",
    b"partition",
    b"pub",
    b"public",
    b"publishable",
    b"site",
    b"sort",
    b"thumbprint",
    b"verification",
    b"verifying",
    b"xsrf",
];

/// Whether a word says nothing about what a value is, only where or when it is used.
pub fn is_neutral(word: &[u8]) -> bool {
    is_in(NEUTRAL, &word.to_ascii_lowercase())
}

/// What `name` says, if it says anything.
pub fn kind(name: &[u8]) -> Option<Kind> {
    let mut lower = [0; MAX_LEN];
    let lower = lower.get_mut(..name.len())?;
    lower.copy_from_slice(name);
    lower.make_ascii_lowercase();
    let mut end = name.len();
    let mut last: Option<Kind> = None;
    let mut of_what = 0;
    while let Some((from, to)) = word_before(name, end) {
        end = from;
        let word = &lower[from..to];
        if is_in(OPEN, word) {
            return None;
        }
        match last {
            None => match kind_of(word) {
                Some(kind) => last = Some(kind),
                None if is_in(NEUTRAL, word) || word.is_empty() => {}
                None => return None,
            },
            Some(Kind::Key) if of_what == 0 => {
                of_what = 1;
                if is_in(KEY_OF, word) {
                    last = Some(Kind::Token);
                }
            }
            Some(_) => {}
        }
    }
    last
}

fn kind_of(word: &[u8]) -> Option<Kind> {
    let ends = |word: &[u8], with: &[&[u8]]| with.iter().any(|end| word.ends_with(end));
    match word {
        b"key" | b"keys" | b"salt" => Some(Kind::Key),
        _ if is_in(PASSWORDS, word) => Some(Kind::Password),
        _ if is_in(TOKENS, word) || word.ends_with(b"token") || word.ends_with(b"secret") => Some(Kind::Token),
        [stem @ .., b'k', b'e', b'y'] | [stem @ .., b'k', b'e', b'y', b's'] => {
            ends(stem, KEY_ENDS).then_some(Kind::Token)
        }
        _ => ends(word, PASSWORD_ENDS).then_some(Kind::Password),
    }
}

/// Whether a sorted list holds a word.
fn is_in(words: &[&[u8]], word: &[u8]) -> bool {
    words.binary_search(&word).is_ok()
}

/// The last word of `name[..end]`, without digits at its end; none where there is none.
fn word_before(name: &[u8], end: usize) -> Option<(usize, usize)> {
    let end = 1 + name[..end].iter().rposition(|byte| is_letter(*byte))?;
    let mut from = end - 1;
    while from > 0 {
        let (before, first) = (name[from - 1], name[from]);
        // The acronym in `HTTPToken` ends before the capital that a small letter follows.
        let acronym_ends = before.is_ascii_uppercase()
            && first.is_ascii_uppercase()
            && name.get(from + 1).is_some_and(u8::is_ascii_lowercase)
            && from + 1 < end;
        let case_changes = !before.is_ascii_uppercase() && first.is_ascii_uppercase();
        if !(is_letter(before) || before.is_ascii_digit()) || case_changes || acronym_ends {
            break;
        }
        from -= 1;
    }
    Some((from, end))
}

/// Letters of any script count as letters.
fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_sorted() {
        for words in [NEUTRAL, PASSWORDS, TOKENS, KEY_OF, OPEN] {
            assert!(words.is_sorted());
        }
    }

    #[test]
    fn last_words_decide() {
        for (name, expected) in [
            ("password", Some(Kind::Password)),
            ("DB_PASSWORD_2", Some(Kind::Password)),
            ("spring.datasource.password", Some(Kind::Password)),
            ("mysqlRootPwd", Some(Kind::Password)),
            ("API_KEY_PROD", Some(Kind::Token)),
            ("apiKey", Some(Kind::Token)),
            ("APIKey", Some(Kind::Token)),
            ("HTTPToken", Some(Kind::Token)),
            ("SECRET_KEY_BASE", Some(Kind::Token)),
            ("oauth2AccessToken", Some(Kind::Token)),
            ("X-Auth-Token", Some(Kind::Token)),
            ("key", Some(Kind::Key)),
            ("cacheKey", Some(Kind::Key)),
            ("public_key", None),
            ("publicKeyData", None),
            ("monkey", None),
            ("keyword", None),
            ("keyboard", None),
            ("api_version", None),
            ("author", None),
            ("secret_name", None),
            ("client_id", None),
            ("token_type", None),
            ("passwordHash", None),
            ("nextPageToken", None),
            ("tokenizer", None),
            ("bypass", None),
            ("compass", None),
        ] {
            assert_eq!(kind(name.as_bytes()), expected, "{name}");
        }
    }
}
