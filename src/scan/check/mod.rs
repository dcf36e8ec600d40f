//! Named checks of a credential's shape, without asking anyone: what a rule's `check` says.
//!
//! A check never deletes a find. It proves one (a checksum fits: nobody types that by chance), fits, or fails: then the find is made
//! up, truncated or mangled, and stays at low confidence. Where the issuer's algorithm is not public there is no check. What stands
//! in for a credential (`EXAMPLE`, `changeme`) is known in [`placeholder`](super::placeholder), and asked of every find.

mod checksum;
mod encoded;

use super::Note;
use super::generic;
use super::randomness::{self, Class};
use crate::document::nearest;

/// A check, with its arguments.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub enum Check {
    /// `github-crc32`: the last six characters are the CRC-32 of those since the last `_`, in base62.
    GithubCrc32,
    /// `crc32-le-hex8`: eight hex digits behind the last `_` are the CRC-32 of what stands before it, little-endian.
    Crc32LeHex8,
    /// `crc32-hex8-upper`: the last eight characters are the CRC-32 of all before them, in capital hex.
    Crc32Hex8Upper,
    /// `gitlab-routable`: behind the last `.`, two base36 digits of the payload's length and seven of the CRC-32 of all before them.
    GitlabRoutable,
    /// `bech32`: the checksum of BIP 173, of any length, as age has it.
    Bech32,
    /// `base64-len N`: decodes to N bytes, from either alphabet, padded or not.
    Base64Len(usize),
    /// `base64-text TEXT`: the base64 in it decodes to something that starts with this text.
    Base64Text(String),
    /// `base64-json FIELD ..`: from `eyJ` on it is base64 of a JSON object with these fields.
    Base64Json(Vec<String>),
    /// `basic-auth`: decodes to `user:password`, both printable.
    BasicAuth,
    /// `jwt`: header and payload are JSON; tells its algorithm and issuer, and when it expires.
    Jwt,
    /// `uuid`: of a version and variant that exist, and not all of one digit.
    Uuid,
    /// `luhn`: the check digit of card numbers.
    Luhn,
    /// `snowflake`: the part before the first `.` is, in base64, an id that Discord can have given.
    Snowflake,
    /// `aws-account`: the account that the key id holds; fails on one that cannot be.
    AwsAccount,
    /// `azure-marker MARK OFFSET`: the mark that new keys carry there; older keys have none.
    AzureMarker(String, usize),
    /// `macaroon-v2 LOCATION`: behind the first `-`, a binary macaroon of this place.
    MacaroonV2(String),
    /// `kubeadm-token`: six and sixteen characters, of small letters and digits, drawn at random.
    KubeadmToken,
    /// `password`: what people choose for one; no reference to it, no label, no path.
    Password,
    /// `random ALPHABET`: drawn at random from `hex`, `base32`, `base36`, `base62` or `base64`.
    Random(Class),
    /// `signed-url`: a signed URL; tells when it expires: seconds since 1970, a date, or an `X-Amz-Date` and a span.
    SignedUrl,
}

/// What a check says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is one: nothing made up passes.
    Proves,
    /// It may be one.
    Fits,
    /// It is none as it stands.
    Fails,
}

/// The names of all checks, as they are written.
pub const NAMES: &[&str] = &[
    "github-crc32",
    "crc32-le-hex8",
    "crc32-hex8-upper",
    "gitlab-routable",
    "bech32",
    "base64-len",
    "base64-text",
    "base64-json",
    "basic-auth",
    "jwt",
    "uuid",
    "luhn",
    "snowflake",
    "aws-account",
    "azure-marker",
    "macaroon-v2",
    "kubeadm-token",
    "password",
    "random",
    "signed-url",
];

impl Check {
    /// Reads `name` or `name argument ..`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut words = text.split_ascii_whitespace();
        let name = words.next().unwrap_or_default();
        let arguments: Vec<&str> = words.collect();
        let number =
            |word: &str| word.parse::<usize>().map_err(|_| format!("the check `{text}` wants a number, not `{word}`"));
        let check = match (name, arguments.as_slice()) {
            ("github-crc32", []) => Self::GithubCrc32,
            ("crc32-le-hex8", []) => Self::Crc32LeHex8,
            ("crc32-hex8-upper", []) => Self::Crc32Hex8Upper,
            ("gitlab-routable", []) => Self::GitlabRoutable,
            ("bech32", []) => Self::Bech32,
            ("base64-len", [length]) => Self::Base64Len(number(length)?),
            ("base64-text", [start]) if start.len() >= 3 => Self::Base64Text((*start).to_owned()),
            ("base64-json", [_, ..]) => Self::Base64Json(arguments.iter().map(|&field| field.to_owned()).collect()),
            ("basic-auth", []) => Self::BasicAuth,
            ("jwt", []) => Self::Jwt,
            ("uuid", []) => Self::Uuid,
            ("luhn", []) => Self::Luhn,
            ("snowflake", []) => Self::Snowflake,
            ("aws-account", []) => Self::AwsAccount,
            ("azure-marker", [mark, offset]) => Self::AzureMarker((*mark).to_owned(), number(offset)?),
            ("macaroon-v2", [location]) => Self::MacaroonV2((*location).to_owned()),
            ("kubeadm-token", []) => Self::KubeadmToken,
            ("password", []) => Self::Password,
            ("random", [alphabet]) => Self::Random(Class::named(alphabet).ok_or_else(|| {
                let known = Class::NAMED.map(|(name, _)| name).join(", ");
                format!("the check `random` knows no alphabet `{alphabet}`; it knows {known}")
            })?),
            ("signed-url", []) => Self::SignedUrl,
            _ if NAMES.contains(&name) => {
                return Err(format!("the check `{name}` does not take `{}`", arguments.join(" ")));
            }
            _ => {
                let meant = nearest(name, NAMES.iter().copied());
                let hint = meant.map_or_else(
                    || format!("there are {}", NAMES.join(", ")),
                    |name| format!("did you mean `{name}`?"),
                );
                return Err(format!("there is no check `{name}`; {hint}"));
            }
        };
        Ok(check)
    }

    /// Its name, without arguments.
    pub fn name(&self) -> &'static str {
        match self {
            Self::GithubCrc32 => "github-crc32",
            Self::Crc32LeHex8 => "crc32-le-hex8",
            Self::Crc32Hex8Upper => "crc32-hex8-upper",
            Self::GitlabRoutable => "gitlab-routable",
            Self::Bech32 => "bech32",
            Self::Base64Len(_) => "base64-len",
            Self::Base64Text(_) => "base64-text",
            Self::Base64Json(_) => "base64-json",
            Self::BasicAuth => "basic-auth",
            Self::Jwt => "jwt",
            Self::Uuid => "uuid",
            Self::Luhn => "luhn",
            Self::Snowflake => "snowflake",
            Self::AwsAccount => "aws-account",
            Self::AzureMarker(..) => "azure-marker",
            Self::MacaroonV2(_) => "macaroon-v2",
            Self::KubeadmToken => "kubeadm-token",
            Self::Password => "password",
            Self::Random(_) => "random",
            Self::SignedUrl => "signed-url",
        }
    }

    /// What it says of a credential, and in `notes` what it read on the way.
    pub fn run(&self, secret: &[u8], notes: &mut Vec<Note>) -> Verdict {
        let Ok(text) = std::str::from_utf8(secret) else { return Verdict::Fails };
        match self {
            Self::GithubCrc32 => checksum::github(text),
            Self::Crc32LeHex8 => checksum::le_hex(text),
            Self::Crc32Hex8Upper => checksum::hex_upper(text),
            Self::GitlabRoutable => checksum::gitlab_routable(text),
            Self::Bech32 => checksum::bech32(text),
            Self::Base64Len(length) => fits(encoded::base64(text).is_some_and(|bytes| bytes.len() == *length)),
            Self::Base64Text(start) => proves(encoded::text(text, start)),
            Self::Base64Json(fields) => encoded::json(text, fields),
            Self::BasicAuth => fits(encoded::is_basic_auth(text)),
            Self::Jwt => encoded::jwt(text, notes),
            Self::Uuid => fits(is_uuid(text)),
            Self::Luhn => fits(checksum::luhn(text)),
            Self::Snowflake => proves(encoded::is_snowflake(text)),
            Self::AwsAccount => encoded::aws_account(text, notes),
            Self::AzureMarker(mark, offset) => match text.get(*offset..*offset + mark.len()) == Some(mark.as_str()) {
                true => Verdict::Proves,
                false => Verdict::Fits,
            },
            Self::MacaroonV2(location) => proves(encoded::is_macaroon(text, location)),
            Self::KubeadmToken => fits(
                text.split_once('.')
                    .is_some_and(|(_, secret)| randomness::is_drawn_from(secret.as_bytes(), Class::Base36)),
            ),
            Self::Password => fits(generic::password(secret).is_some()),
            Self::Random(alphabet) => fits(randomness::is_drawn_from(secret, *alphabet)),
            Self::SignedUrl => encoded::signed_url(text, notes),
        }
    }

    /// What has to follow `before` for the check to pass: what `{sum}` stands for in an example. None where it adds nothing.
    pub fn sum(&self, before: &str) -> Option<String> {
        let token = before.rsplit(|c: char| c.is_whitespace() || "\"'`:".contains(c)).next().unwrap_or_default();
        match self {
            Self::GithubCrc32 => Some(checksum::github_sum(token.rsplit('_').next().unwrap_or_default())),
            Self::Crc32LeHex8 => Some(checksum::le_hex_sum(token.rsplit('=').next()?.strip_suffix('_')?)),
            Self::Crc32Hex8Upper => Some(checksum::hex_upper_sum(token)),
            Self::GitlabRoutable => checksum::gitlab_routable_sum(token),
            Self::Luhn => checksum::luhn_digit(token),
            _ => None,
        }
    }
}

impl TryFrom<String> for Check {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

fn proves(is_so: bool) -> Verdict {
    if is_so { Verdict::Proves } else { Verdict::Fails }
}

fn fits(may_be: bool) -> Verdict {
    if may_be { Verdict::Fits } else { Verdict::Fails }
}

/// Whether it is a UUID that a generator makes (RFC 9562), in either case.
fn is_uuid(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    let digits: Vec<u8> = parts.concat().to_ascii_lowercase().into_bytes();
    lengths == [8, 4, 4, 4, 12]
        && digits.iter().all(u8::is_ascii_hexdigit)
        && (b'1'..=b'8').contains(&digits[12])
        && b"89ab".contains(&digits[16])
        && randomness::varies(&digits)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    pub(super) fn run(check: &str, secret: &str) -> (Verdict, Vec<Note>) {
        let mut notes = Vec::new();
        (Check::parse(check).unwrap().run(secret.as_bytes(), &mut notes), notes)
    }

    #[test]
    fn every_name_is_that_of_a_check_and_back() {
        for name in NAMES {
            let arguments = ["", " 32", " abc", " +ASt 76", " base62"];
            let read: Vec<Check> =
                arguments.iter().filter_map(|rest| Check::parse(&format!("{name}{rest}")).ok()).collect();
            assert!(!read.is_empty(), "{name}");
            assert!(read.iter().all(|check| check.name() == *name), "{name}");
        }
    }

    #[test]
    fn a_name_that_is_not_known_is_told_with_the_nearest() {
        assert_eq!(
            Check::parse("github-crc").unwrap_err(),
            "there is no check `github-crc`; did you mean `github-crc32`?"
        );
        assert_eq!(
            Check::parse("random words").unwrap_err().split(';').next().unwrap(),
            "the check `random` knows no alphabet `words`"
        );
        assert!(
            Check::parse("base64-len").is_err()
                && Check::parse("base64-len x").is_err()
                && Check::parse("uuid 4").is_err()
        );
    }

    #[test]
    fn uuid_has_a_version_and_a_variant() {
        assert_eq!(run("uuid", "7f3b9d1c-52ae-4c0e-9b61-d4e8a2c7f015").0, Verdict::Fits);
        assert_eq!(run("uuid", "7F3B9D1C-52AE-4C0E-9B61-D4E8A2C7F015").0, Verdict::Fits);
        for bad in [
            "7f3b9d1c-52ae-0c0e-9b61-d4e8a2c7f015",
            "7f3b9d1c-52ae-4c0e-7b61-d4e8a2c7f015",
            "7f3b9d1c52ae4c0e9b61d4e8a2c7f015",
            "00000000-0000-4000-8000-000000000000",
            "7f3b9d1c-52ae-4c0e-9b61-d4e8a2c7f01g",
        ] {
            assert_eq!(run("uuid", bad).0, Verdict::Fails, "{bad}");
        }
    }

    #[test]
    fn azure_marker_proves_where_it_stands_and_its_absence_says_nothing() {
        let key = "a".repeat(76);
        assert_eq!(run("azure-marker +ASt 76", &format!("{key}+AStabcdefgh==")).0, Verdict::Proves);
        assert_eq!(run("azure-marker +ASt 76", &format!("{key}abcdefghijkl==")).0, Verdict::Fits);
    }

    #[test]
    fn hostile_bytes_are_no_panic() {
        for check in [
            "github-crc32",
            "crc32-le-hex8",
            "crc32-hex8-upper",
            "gitlab-routable",
            "bech32",
            "base64-len 32",
            "jwt",
            "uuid",
        ]
        .into_iter()
        .chain([
            "luhn",
            "snowflake",
            "aws-account",
            "azure-marker +ASt 76",
            "macaroon-v2 pypi.org",
            "kubeadm-token",
            "signed-url",
        ])
        .chain(["random hex", "base64-json a", "base64-text tok:", "basic-auth"])
        {
            let check = Check::parse(check).unwrap();
            for bytes in
                ["", "_", "a", ".", "..", "é", "eyJ", "ghp_", "\u{1F511}_\u{1F511}", "AKIA", "-", "?se=&X-Amz-Date=é"]
            {
                check.run(bytes.as_bytes(), &mut Vec::new());
                check.sum(bytes);
            }
            assert_eq!(check.run(b"\xFF\xFE", &mut Vec::new()), Verdict::Fails);
        }
    }
}
