//! What a value is by its shape: a reference, a path, a number …, or something that may be a credential.

use super::assignment::Style;
use crate::scan::randomness::{self, Class};

/// What a value that may be a credential is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Make {
    /// Words, as names and messages are.
    Words,
    /// Letters with digits or signs, as passwords are.
    Mixed,
    /// Drawn at random.
    Random(Class),
}

/// What `value` is made of; none for what no credential is.
pub fn make(value: &[u8], style: Style) -> Option<Make> {
    if style == Style::Quoted && has_escaped_bytes(value) {
        return Some(Make::Random(Class::Printable));
    }
    if is_reference(value) || is_plain_data(value) || is_known_form(value) {
        return None;
    }
    let random = randomness::is_random(value);
    if random.is_none() && (is_place(value) || style != Style::Quoted && is_code(value)) {
        return None;
    }
    if random.is_none() && count(value, b'|') > 1 {
        return None;
    }
    if let Some(class) = random {
        // What signs alone make improbable is code, a pattern or a path.
        let signs = value.iter().filter(|byte| byte.is_ascii_punctuation()).count();
        if class == Class::Printable
            && (is_place(value)
                || style != Style::Quoted && (is_code(value) || signs * 3 > value.len())
                || signs * 2 > value.len()
                || signs * 3 > value.len() && is_pattern(value))
        {
            return None;
        }
        return Some(Make::Random(class));
    }
    Some(if is_words(value) { Make::Words } else { Make::Mixed })
}

/// Whether a literal has bytes that are no characters, as what `os.urandom` gives has when it is written down.
fn has_escaped_bytes(value: &[u8]) -> bool {
    let (mut escapes, mut others, mut at) = (0, 0, 0);
    while at < value.len() {
        let is_escape = value[at..].starts_with(b"\\x")
            && value.get(at + 2..at + 4).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let is_high = is_escape && (value[at + 2] > b'7' || value[at + 2..].starts_with(b"1"));
        escapes += usize::from(is_high);
        others += usize::from(!is_high);
        at += if is_escape { 4 } else { 1 };
    }
    escapes >= 3 && escapes + others >= 8 && !value.starts_with(b"\\x1b") && !value.contains(&b' ')
}

/// Whether the bytes of an array, written in hex, are none that are counted up or repeated.
pub fn are_random_bytes(elements: &[u8]) -> bool {
    let mut count = 0;
    let mut seen = [false; 256];
    for element in elements.split(|byte| *byte == b',') {
        let digits = element.trim_ascii().to_ascii_lowercase();
        let parsed =
            std::str::from_utf8(&digits).ok().and_then(|text| u8::from_str_radix(text.strip_prefix("0x")?, 16).ok());
        let Some(byte) = parsed else { return false };
        count += 1;
        seen[usize::from(byte)] = true;
    }
    let distinct = seen.iter().filter(|is_there| **is_there).count();
    // Of counts the digits differ, but seldom the first of each.
    let high: std::collections::BTreeSet<usize> = (0..256).filter(|byte| seen[*byte]).map(|byte| byte >> 4).collect();
    matches!(count, 16 | 20 | 24 | 32 | 48 | 64) && distinct * 4 >= count * 3 && high.len() * 3 >= count.min(24)
}

/// Whether `value` is a UUID: 8, 4, 4, 4 and 12 hex digits.
pub fn is_uuid(value: &[u8]) -> bool {
    value.len() == 36
        && value.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Something that stands for a value which is elsewhere.
fn is_reference(value: &[u8]) -> bool {
    const STARTS: &[&[u8]] = &[
        b"$",
        b"%(",
        b"{{",
        b"<%",
        b"<<",
        b"@Microsoft.KeyVault",
        b"@string/",
        b"@{",
        b"@@",
        b"vault:",
        b"vault(",
        b"op://",
        b"ref+",
        b"arn:",
        b"projects/",
        b"!",
        b"env:",
        b"env.",
        b"env(",
        b"ENV[",
        b"ENC[",
        b"file:",
        b"ssm:",
        b"secretsmanager:",
        b"secret://",
        b"awssm",
        b"gcpsm",
        b"keyring:",
        b"<path:",
        b"#{",
        b"[[",
        b"@{{",
        b"*",
        b"akv:",
        b"sm://",
        b"berglas://",
        b"AQICAH",
        b"{cipher}",
        b"process.env",
        b"os.",
        b"var.",
        b"local.",
        b"data.",
        b"module.",
        b"secrets.",
        b"vars.",
        b"config.",
        b"self.",
        b"this.",
        b"{vault}",
        b"bao:",
        b"__",
    ];
    const WITHIN: &[&[u8]] =
        &[b"${", b"#{", b"{{", b"$(", b"<%", b"%{", b"{0}", b"{}", b"\\(", b"$[", b"\\x1b", b"\\033", b"\\e["];
    let converts = |three: &[u8]| three[0] == b'%' && b"svdq".contains(&three[1]) && !three[2].is_ascii_alphanumeric();
    STARTS.iter().any(|start| value.starts_with(start))
        || value.windows(3).any(converts)
        || value.ends_with(b"%s")
        || WITHIN.iter().any(|within| memchr::memmem::find(value, within).is_some())
        || [(b'%', b'%'), (b'{', b'}'), (b'[', b']'), (b'@', b'@')]
            .iter()
            .any(|(open, close)| value.len() > 2 && value.first() == Some(open) && value.last() == Some(close))
}

/// Blanks, numbers, dates, versions, addresses.
fn is_plain_data(value: &[u8]) -> bool {
    const WORDS: &[&[u8]] = &[
        b"true",
        b"false",
        b"null",
        b"none",
        b"undefined",
        b"optional",
        b"required",
        b"string",
        b"nil",
        b"default",
        b"unset",
        b"disabled",
        b"enabled",
        b"boolean",
        b"number",
        b"integer",
        b"unknown",
        b"empty",
    ];
    let letters = value.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
    value.iter().any(|byte| byte.is_ascii_whitespace() || byte.is_ascii_control())
        || WORDS.iter().any(|word| value.eq_ignore_ascii_case(word))
        || letters + digits == 0
        // Numbers in any base, dates, times, versions, network addresses.
        || letters <= 2 && digits + letters + value.iter().filter(|byte| b".-_:/+,".contains(byte)).count() == value.len() && digits < 20
        || value.starts_with(b"0x") && value[2..].iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b'_' || *byte == b',') && value.len() < 34
        || is_uuid(value)
        || is_uuid(value.get(1..value.len().saturating_sub(1)).unwrap_or(b""))
}

/// Forms that say of themselves that they are no credential: hashes, public keys, data.
fn is_known_form(value: &[u8]) -> bool {
    const STARTS: &[&[u8]] = &[
        b"$2a$",
        b"$2b$",
        b"$2y$",
        b"$argon2",
        b"$apr1$",
        b"pbkdf2",
        b"{SSHA",
        b"{SHA",
        b"{CRYPT",
        b"{bcrypt}",
        b"scrypt:",
        b"sha1:",
        b"sha256:",
        b"sha256-",
        b"sha384-",
        b"sha512-",
        b"sha512:",
        b"md5:",
        b"SCRAM-SHA",
        b"h1:",
        b"ssh-rsa",
        b"ssh-ed25519",
        b"ecdsa-sha2",
        b"AAAAB3NzaC1",
        b"AAAAC3NzaC1",
        b"AAAAE2VjZHNh",
        b"MIIBIjANBg",
        b"MIICIjANBg",
        b"MIGfMA0GCS",
        b"MFkwEwYHKoZI",
        b"MCowBQYDK2Vw",
        b"LS0tLS1CRUdJTiBDRVJU",
        b"LS0tLS1CRUdJTiBQVUJM",
        b"-----BEGIN",
        b"data:",
        b"age1",
        b"pk_test_",
        b"pk_live_",
        b"did:key:",
    ];
    STARTS.iter().any(|start| value.starts_with(start))
        || memchr::memmem::find(value, b"://").is_some()
        || is_mail(value)
}

fn is_mail(value: &[u8]) -> bool {
    let Some(at) = memchr::memchr(b'@', value) else { return false };
    let (name, host) = (&value[..at], &value[at + 1..]);
    let in_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-+".contains(byte);
    let end = host.iter().rposition(|byte| *byte == b'.').map_or(0, |dot| host.len() - dot - 1);
    !name.is_empty()
        && name.iter().all(in_name)
        && host.iter().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(byte))
        && (2..=6).contains(&end)
        && host[host.len() - end..].iter().all(u8::is_ascii_alphabetic)
}

/// A path of files, a name of a host, a type of media, a name with parts.
fn is_place(value: &[u8]) -> bool {
    let starts =
        [b"/".as_slice(), b"./", b"../", b"~/", b"\\\\", b"@/", b"~\\"].iter().any(|start| value.starts_with(start));
    let drive = value.len() > 2
        && value[0].is_ascii_alphabetic()
        && value[1] == b':'
        && (value[2] == b'\\' || value[2] == b'/');
    let slashes = count(value, b'/');
    let dots = count(value, b'.');
    let digits = value.iter().any(u8::is_ascii_digit);
    let signs = value.iter().any(|byte| byte.is_ascii_punctuation() && !b"/._-:*".contains(byte));
    let lower = |part: &[u8]| part.iter().all(|byte| byte.is_ascii_lowercase() || b"_-".contains(byte));
    let first_is_lower = value.split(|byte| *byte == b'.').next().is_some_and(lower);
    let last_is_lower = value.rsplit(|byte| *byte == b'.').next().is_some_and(lower);
    let joined = slashes > 1 || slashes == 1 && !digits || dots > 0 && last_is_lower || dots > 1 && first_is_lower;
    starts || drive || !signs && joined
}

/// What only source code has: calls, indexes, members, types, patterns.
pub fn is_code(value: &[u8]) -> bool {
    let within = |sign: &[u8]| memchr::memmem::find(value, sign).is_some();
    let ends = [b'(', b'{', b'[', b'='];
    let first = value.split(|byte| *byte == b'.').next().unwrap_or_default();
    let first_is_name =
        first.iter().all(|byte| byte.is_ascii_lowercase() || *byte == b'_') || !value.iter().any(u8::is_ascii_digit);
    let member = first_is_name
        && value
            .windows(3)
            .any(|three| three[1] == b'.' && three[0].is_ascii_alphanumeric() && three[2].is_ascii_alphabetic());
    let call = value.windows(2).any(|two| two[1] == b'(' && (two[0].is_ascii_alphanumeric() || two[0] == b'_'));
    call || within(b")") && count(value, b'(') != count(value, b')')
        || within(b"(") && within(b")")
        || count(value, b'|') > 1
        || within(b"::")
        || within(b"->")
        || within(b"=>")
        || within(b"[")
        || within(b"(\"")
        || member
        || within(b"\\")
        || value.last().is_some_and(|byte| ends.contains(byte))
        || value.first().is_some_and(|byte| b"&*(<[{|`\"'-".contains(byte))
}

/// Whether it is a regular expression, or cut short.
fn is_pattern(value: &[u8]) -> bool {
    [b"]{".as_slice(), b"-z", b"\\w", b"\\d", b".*", b"(?", b"[^", b"..."]
        .iter()
        .any(|sign| memchr::memmem::find(value, sign).is_some())
}

/// Whether digits, small letters and others are mixed as people mix them for a secret, more than in any identifier.
pub fn is_mixed_well(value: &[u8]) -> bool {
    let has = |kind: fn(&u8) -> bool| value.iter().any(kind);
    let evidence = Class::of(value).map_or(f64::MIN, |class| randomness::evidence(value, class));
    has(u8::is_ascii_digit)
        && has(u8::is_ascii_lowercase)
        && (has(u8::is_ascii_uppercase) || has(u8::is_ascii_punctuation))
        && !value.iter().any(|byte| b".:/#,".contains(byte))
        && evidence > -(value.len() as f64)
}

/// Letters of any script, joined by `- _ . : /` and blanks or by nothing, digits behind them aside.
fn is_words(value: &[u8]) -> bool {
    let value = value.trim_ascii();
    let end = value.iter().rposition(|byte| !b"?!.:*,;".contains(byte)).map_or(0, |at| at + 1);
    let value = &value[..end];
    let letter = |byte: &u8| byte.is_ascii_alphabetic() || *byte >= 0x80;
    if value.iter().all(letter) {
        return true;
    }
    // Parts are letters with digits behind them, or digits alone: `sha256`, `v2`, but not `fr0gs`.
    let is_word = |part: &[u8]| {
        let letters = part.iter().take_while(|byte| letter(byte)).count();
        part[letters..].iter().all(u8::is_ascii_digit)
    };
    let joins = |byte: &u8| b"-_.:/".contains(byte);
    let (letters, capitals) = (
        value.iter().filter(|byte| letter(byte)).count(),
        value.iter().filter(|byte| byte.is_ascii_uppercase()).count(),
    );
    let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
    let one_case = capitals == 0 || capitals == letters;
    value.iter().any(joins) && value.split(joins).all(is_word) && (digits == 0 || digits <= 3 && one_case)
}

fn count(value: &[u8], byte: u8) -> usize {
    memchr::memchr_iter(byte, value).count()
}
