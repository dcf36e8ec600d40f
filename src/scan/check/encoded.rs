//! What tokens hold, once decoded.

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::Value;

use super::{Note, Verdict};

/// The first account that gets a number of its own, and how many numbers there are.
const ACCOUNTS: std::ops::Range<u64> = 1..1_000_000_000_000;

/// Decodes base64 of either alphabet, padded or not.
pub fn base64(text: &str) -> Option<Vec<u8>> {
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let alphabet = if text.contains(['-', '_']) { &URL_SAFE } else { &STANDARD };
    GeneralPurpose::new(alphabet, config).decode(text).ok()
}

/// Whether the base64 in `text` starts with `start` when decoded, and goes on.
pub fn text(text: &str, start: &str) -> bool {
    // The characters that `start` alone decides: all but the last, unless it ends with three whole bytes.
    let image = base64::prelude::BASE64_STANDARD_NO_PAD.encode(start);
    let image = if start.len().is_multiple_of(3) { &image[..] } else { &image[..image.len() - 1] };
    let decoded = text.find(image).and_then(|at| base64(&text[at..]));
    decoded.is_some_and(|bytes| bytes.len() > start.len() && bytes.starts_with(start.as_bytes()))
}

/// Whether from `eyJ` on it is base64 of a JSON object with these fields.
pub fn json(text: &str, fields: &[String]) -> Verdict {
    let Some(run) = text.find("eyJ").map(|at| &text[at..]) else { return Verdict::Fails };
    // A signature may follow behind a `_`, which is in the one alphabet and not in the other.
    let standard = run.split(|c: char| !c.is_ascii_alphanumeric() && !"+/=".contains(c)).next().unwrap_or_default();
    let read = |text: &str| base64(text).and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
    let value = read(standard).or_else(|| read(run));
    super::proves(value.is_some_and(|value| fields.iter().all(|field| value.get(field).is_some())))
}

/// Whether it decodes to `user:password`.
pub fn is_basic_auth(text: &str) -> bool {
    let decoded = base64(text).and_then(|bytes| String::from_utf8(bytes).ok());
    let is_pair = |text: &str| text.split_once(':').is_some_and(|(_, password)| !password.is_empty());
    decoded.is_some_and(|text| is_pair(&text) && !text.chars().any(char::is_control))
}

/// Header and payload of a JWT.
pub fn jwt(text: &str, notes: &mut Vec<Note>) -> Verdict {
    let mut parts =
        text.split('.').map(|part| base64(part).and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok()));
    let (Some(Some(header)), Some(Some(payload))) = (parts.next(), parts.next()) else { return Verdict::Fails };
    let Some(algorithm) = header.get("alg").and_then(Value::as_str) else { return Verdict::Fails };
    notes.push(Note::Reads("alg", algorithm.to_owned()));
    if let Some(issuer) = payload.get("iss").and_then(Value::as_str) {
        notes.push(Note::Reads("iss", issuer.to_owned()));
    }
    if let Some(expiry) = payload.get("exp").and_then(Value::as_i64) {
        notes.push(Note::Expired(expiry));
    }
    Verdict::Fits
}

/// Whether what stands before the first `.` is, in base64, an id that Discord can have given.
pub fn is_snowflake(text: &str) -> bool {
    let id = text.split('.').next().unwrap_or_default();
    let decoded = base64(id).and_then(|bytes| String::from_utf8(bytes).ok());
    decoded.is_some_and(|id| (17..=20).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The account that an AWS key id holds, in base32 behind its first four letters.
///
/// Ids from before 2019 hold none; their fifth letter is `I` or `J`. Source: Tal Be'ery, "A short note on AWS KEY ID".
pub fn aws_account(text: &str, notes: &mut Vec<Note>) -> Verdict {
    let Some(digits) = text.as_bytes().get(4..14) else { return Verdict::Fails };
    let value = |byte: &u8| match byte {
        b'A'..=b'Z' => Some(u64::from(byte - b'A')),
        b'2'..=b'7' => Some(u64::from(byte - b'2') + 26),
        _ => None,
    };
    let Some(number) = digits.iter().try_fold(0, |sum: u64, byte| Some(sum << 5 | value(byte)?)) else {
        return Verdict::Fails;
    };
    if matches!(digits[0], b'I' | b'J') {
        return Verdict::Fits;
    }
    // Of the 50 bits, the first 40 are the first five bytes; the account is what is left of them without the first bit and the last 7.
    let account = ((number >> 2) & 0x7fff_ffff_ff80) >> 7;
    if !ACCOUNTS.contains(&account) {
        return Verdict::Fails;
    }
    notes.push(Note::Reads("account", format!("{account:012}")));
    Verdict::Fits
}

/// Whether it is, behind its first `-`, a binary macaroon, version 2, of this location.
///
/// Source: libmacaroons, doc/format.txt: fields of type, length and bytes; 1 location, 2 identifier, 4 verifier, 6 signature, 0 ends a
/// section; after the first section come the caveats, each a section, then an end, then the signature.
pub fn is_macaroon(text: &str, location: &str) -> bool {
    let Some(bytes) = text.split_once('-').and_then(|(_, body)| base64(body)) else { return false };
    let Some((2, mut rest)) = bytes.split_first().map(|(version, rest)| (*version, rest)) else { return false };
    let header = section(&mut rest);
    let named = header.is_some_and(|fields| matches!(fields[..], [(1, place), (2, _)] if place == location.as_bytes()));
    let mut caveats = std::iter::from_fn(|| section(&mut rest)).take_while(|fields| !fields.is_empty());
    let known = caveats.all(|fields| fields.iter().all(|(kind, _)| matches!(kind, 1 | 2 | 4)));
    named && known && matches!(field(&mut rest), Some((6, signature)) if signature.len() == 32) && rest.is_empty()
}

/// The fields of a section, up to its end.
fn section<'a>(rest: &mut &'a [u8]) -> Option<Vec<(u8, &'a [u8])>> {
    let mut fields = Vec::new();
    loop {
        match *rest {
            [0, behind @ ..] => {
                *rest = behind;
                return Some(fields);
            }
            _ => fields.push(field(rest)?),
        }
    }
}

/// One field: type, length in one byte or two of seven bits, bytes.
fn field<'a>(rest: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let (kind, length, behind) = match *rest {
        [kind, low @ 0x80..=0xff, high @ ..0x80, behind @ ..] => {
            (kind, usize::from(low & 0x7f) | usize::from(*high) << 7, behind)
        }
        [kind, length @ ..0x80, behind @ ..] => (kind, usize::from(*length), behind),
        _ => return None,
    };
    let (bytes, behind) = behind.split_at_checked(length)?;
    *rest = behind;
    Some((*kind, bytes))
}

/// When a signed URL expires: `se=` (Azure, a date), `Expires=` (AWS and Google, seconds since 1970), or `X-Amz-Date=` and
/// `X-Amz-Expires=`, likewise `X-Goog-`.
pub fn signed_url(text: &str, notes: &mut Vec<Note>) -> Verdict {
    let parameter = |name: &str| {
        let pairs = text.split(['?', '&', ';', ' ', '"', '\'']);
        pairs.filter_map(|pair| pair.split_once('=')).find(|(key, _)| key.ends_with(name)).map(|(_, value)| value)
    };
    let until = match (parameter("-Date"), parameter("-Expires")) {
        (Some(date), Some(seconds)) => {
            let begun = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", date)
                .ok()
                .and_then(|date| date.to_zoned_datetime(jiff::tz::TimeZone::UTC).ok());
            begun
                .zip(seconds.parse::<i64>().ok())
                .and_then(|(begun, span)| begun.timestamp().as_second().checked_add(span))
        }
        _ => match (parameter("se"), parameter("Expires")) {
            (Some(date), _) => {
                let date = date.replace("%3A", ":").replace("%3a", ":");
                let whole = if date.len() == 10 { format!("{date}T00:00:00Z") } else { date };
                whole.parse::<jiff::Timestamp>().ok().map(|moment| moment.as_second())
            }
            (None, Some(seconds)) => seconds.parse().ok(),
            (None, None) => None,
        },
    };
    notes.extend(until.map(Note::Expired));
    Verdict::Fits
}

#[cfg(test)]
mod tests {
    use super::super::Verdict::{Fails, Fits, Proves};
    use super::super::tests::run;
    use super::Note;

    #[test]
    fn base64_len_takes_either_alphabet_padded_or_not() {
        for text in ["AAECAwQFBgc=", "AAECAwQFBgc", "-_-_-_-_-_8", "+/+/+/+/+/8="] {
            assert_eq!(run("base64-len 8", text).0, Fits, "{text}");
        }
        assert_eq!(run("base64-len 8", "AAECAwQFBgcI").0, Fails);
        assert_eq!(run("base64-len 8", "AAECAwQFBg!=").0, Fails);
    }

    #[test]
    fn base64_text_finds_its_start_anywhere() {
        // dG9rOg is "tok:".
        assert_eq!(run("base64-text tok:", "dG9rOjEyMzQ1Njc4").0, Proves);
        assert_eq!(run("base64-text tok:", "ABC.dG9rOjEyMzQ1Njc4").0, Proves);
        assert_eq!(run("base64-text tok:", "dG9rOg==").0, Fails);
        assert_eq!(run("base64-text tok:", "dG9yOjEyMzQ1Njc4").0, Fails);
    }

    #[test]
    fn base64_json_has_its_fields() {
        // {"n":"a","k":"b"}
        assert_eq!(run("base64-json n k", "glc_eyJuIjoiYSIsImsiOiJiIn0=").0, Proves);
        assert_eq!(run("base64-json n k", "sntrys_eyJuIjoiYSIsImsiOiJiIn0=_c2lnbmF0dXJl").0, Proves);
        assert_eq!(run("base64-json n q", "glc_eyJuIjoiYSIsImsiOiJiIn0=").0, Fails);
        assert_eq!(run("base64-json n", "glc_eyJuIjoiYSIsImsiOi").0, Fails);
    }

    #[test]
    fn basic_auth_is_a_pair() {
        assert_eq!(run("basic-auth", "YWRhOnNlY3JldA==").0, Fits);
        assert_eq!(run("basic-auth", "YWRhOg==").0, Fails);
        assert_eq!(run("basic-auth", "c2VjcmV0").0, Fails);
    }

    #[test]
    fn jwt_tells_issuer_and_expiry() {
        // {"alg":"HS256"} and {"iss":"seal","exp":1700000000}
        let (verdict, notes) = run("jwt", "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJzZWFsIiwiZXhwIjoxNzAwMDAwMDAwfQ.c2ln");
        assert_eq!(verdict, Fits);
        let read = |name, value: &str| Note::Reads(name, value.to_owned());
        assert_eq!(notes, [read("alg", "HS256"), read("iss", "seal"), Note::Expired(1_700_000_000)]);
        assert_eq!(run("jwt", "eyJhbGciOiJIUzI1NiJ9.c2ln.c2ln").0, Fails);
        assert_eq!(run("jwt", "e30.e30.c2ln").0, Fails);
    }

    #[test]
    fn snowflake_is_decimal() {
        // 123456789012345678
        assert_eq!(run("snowflake", "MTIzNDU2Nzg5MDEyMzQ1Njc4.a.b").0, Proves);
        assert_eq!(run("snowflake", "bm90IGEgc25vd2ZsYWtlIGlk.a.b").0, Fails);
    }

    #[test]
    fn aws_account_is_read_from_newer_ids() {
        let account = |text| run("aws-account", text);
        // The id and its account are those of the post that described the encoding.
        assert_eq!(account("ASIAQNZGKIQY56JQ7WML"), (Fits, vec![Note::Reads("account", "029608264753".to_owned())]));
        assert_eq!(account("AKIAIOSFODNN7EXAMPLE"), (Fits, vec![]));
        assert_eq!(account("AKIA7777777777777777").0, Fails);
        assert_eq!(account("AKIAaaaaaaaaaaaaaaaa").0, Fails);
    }

    #[test]
    fn macaroon_is_whole_and_of_its_place() {
        let made = |location: &str, signature: usize| {
            let mut bytes = vec![2, 1, location.len() as u8];
            bytes.extend(location.as_bytes());
            bytes.extend([2, 3, b'i', b'd', b'1', 0, 2, 4, b'[', b'1', b',', b']', 0, 0, 6, signature as u8]);
            bytes.extend(vec![9; signature]);
            format!("pypi-{}", base64::Engine::encode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, bytes))
        };
        assert!(made("pypi.org", 32).starts_with("pypi-AgEIcHlwaS5vcmc"));
        assert_eq!(run("macaroon-v2 pypi.org", &made("pypi.org", 32)).0, Proves);
        assert_eq!(run("macaroon-v2 pypi.org", &made("test.pypi.org", 32)).0, Fails);
        assert_eq!(run("macaroon-v2 pypi.org", &made("pypi.org", 31)).0, Fails);
        assert_eq!(run("macaroon-v2 pypi.org", "pypi-AgEIcHlwaS5vcmcxyz").0, Fails);
    }

    #[test]
    fn signed_urls_tell_when_they_expire() {
        let until = |text| run("signed-url", text).1;
        assert_eq!(
            until("?X-Amz-Date=20240102T030405Z&X-Amz-Expires=60&X-Amz-Signature=00"),
            [Note::Expired(1_704_164_705)]
        );
        assert_eq!(until("?sv=2022-11-02&se=2024-01-02T03%3A04%3A05Z&sig=x"), [Note::Expired(1_704_164_645)]);
        assert_eq!(until("?sv=2022-11-02&se=2024-01-02&sig=x"), [Note::Expired(1_704_153_600)]);
        assert_eq!(until("?Expires=1704164645&Signature=x"), [Note::Expired(1_704_164_645)]);
        assert_eq!(until("?se=never"), []);
    }
}
