//! The examples that a rule carries, with random characters in the places of those that would make them look live.
//!
//! `{hex:40}` stands for forty random hex digits, `{base62:20-40}` for twenty to forty characters; `{sum}` for what makes the rule's
//! check pass, worked out over what stands before it; `{{` for a brace, `{nl}` for a new
//! line. `‹` and `›` enclose the credential and are no part of the
//! text. The same seed gives the same text.

use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use base64::{Engine as _, prelude::BASE64_STANDARD};

use std::ops::Range;

use super::Rule;

/// Characters by chance, from a seed.
pub struct Draw(u64);

/// The kinds of characters that examples may ask for, with the characters themselves.
const CLASSES: &[(&str, &str)] = &[
    ("hex", "0123456789abcdef"),
    ("HEX", "0123456789ABCDEF"),
    ("digit", "0123456789"),
    ("lower", "abcdefghijklmnopqrstuvwxyz"),
    ("upper", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    ("letter", "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    ("base32", "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"),
    ("base32lower", "abcdefghijklmnopqrstuvwxyz234567"),
    ("base36", "0123456789abcdefghijklmnopqrstuvwxyz"),
    ("BASE36", "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    // Without what is taken for something else.
    ("code", "ABCDEFGHJKLMNPQRSTVWXYZ23456789"),
    ("base58", "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"),
    ("base62", "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"),
    ("base64", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"),
    ("base64url", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
    ("word", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"),
    ("printable", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#%&()*+-;<>?@^_|~"),
];

/// What encloses the credential in an example.
const OPEN: char = '‹';
const CLOSE: char = '›';

/// No example is longer.
const MAX_LEN: usize = 1 << 20;

/// An example with its places filled.
pub struct Filled {
    /// The text.
    pub text: String,
    /// Where the credential stands in it, in bytes, where the example says so.
    pub secret: Option<Range<usize>>,
}

/// Fills the places of an example of `rule`. Fails, in words, where it is not well formed.
pub fn fill(example: &str, rule: &Rule, seed: u64) -> Result<Filled, String> {
    let mut draw = Draw::new(seed);
    let mut text = String::new();
    let (mut start, mut secret) = (None, None);
    let mut rest = example;
    while let Some(at) = rest.find(['{', OPEN, CLOSE]) {
        text.push_str(&rest[..at]);
        let mark = rest[at..].chars().next().unwrap_or_default();
        rest = &rest[at + mark.len_utf8()..];
        if mark == OPEN {
            start = Some(text.len());
            continue;
        }
        if mark == CLOSE {
            let start = start.ok_or("a `›` has no `‹` before it")?;
            secret = Some(start..text.len());
            continue;
        }
        if let Some(behind) = rest.strip_prefix('{') {
            text.push('{');
            rest = behind;
            continue;
        }
        let (inside, behind) = rest.split_once('}').ok_or("a `{` has no `}`; a brace itself is `{{`")?;
        let made = match inside {
            "sum" => {
                let sum = rule.check.as_ref().and_then(|check| check.sum(&text));
                sum.ok_or("`{sum}` needs a check that adds a checksum")?
            }
            "uuid" => draw.uuid(),
            "nl" => "\n".to_owned(),
            _ => draw.placed(inside)?,
        };
        text.push_str(&made);
        if text.len() > MAX_LEN {
            return Err("the example is too long".to_owned());
        }
        rest = behind;
    }
    text.push_str(rest);
    Ok(Filled { text, secret })
}

impl Draw {
    /// The characters of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0x5ea1))
    }

    /// So many characters of a class; none where it is not known.
    pub fn characters(&mut self, class: &str, count: usize) -> Option<String> {
        let (_, characters) = CLASSES.iter().find(|(name, _)| *name == class)?;
        let characters = characters.as_bytes();
        Some((0..count).map(|_| char::from(characters[self.below(characters.len())])).collect())
    }

    /// What `class:count`, `class:least-most`, `b64:text` and the like stand for.
    fn placed(&mut self, inside: &str) -> Result<String, String> {
        let (class, of) = inside.split_once(':').unwrap_or((inside, "1"));
        // What is encoded may ask for random characters itself, between [ and ]; ~ is its closing brace.
        if let "b64" | "b64pad" | "b64url" = class {
            let mut plain = String::new();
            for (place, part) in of.split(['[', ']']).enumerate() {
                plain.push_str(&if place % 2 == 1 { self.placed(part)? } else { part.replace('~', "}") });
            }
            return Ok(match class {
                "b64" => BASE64_STANDARD_NO_PAD.encode(plain),
                "b64pad" => BASE64_STANDARD.encode(plain),
                _ => BASE64_URL_SAFE_NO_PAD.encode(plain),
            });
        }
        if let "bytes" | "bytespad" = class {
            let count = of.parse().map_err(|_| format!("`{{{inside}}}` wants a number of bytes"))?;
            let bytes = self.bytes(count);
            return Ok(if class == "bytes" {
                BASE64_STANDARD_NO_PAD.encode(bytes)
            } else {
                BASE64_STANDARD.encode(bytes)
            });
        }
        if class == "macaroon" {
            return Ok(self.macaroon(of));
        }
        let (least, most) = of.split_once('-').unwrap_or((of, of));
        let number = |text: &str| text.parse::<usize>().ok().filter(|count| *count <= MAX_LEN);
        let (Some(least), Some(most)) = (number(least), number(most)) else {
            return Err(format!("`{{{inside}}}` wants a count or a range, as in `{{hex:40}}` or `{{hex:20-40}}`"));
        };
        let count = least + self.below(most.saturating_sub(least) + 1);
        self.characters(class, count).ok_or_else(|| {
            let names: Vec<&str> = CLASSES.iter().map(|(name, _)| *name).collect();
            format!(
                "`{{{inside}}}`: there is no class `{class}`; there are {}, uuid, bytes, b64, macaroon, sum",
                names.join(", ")
            )
        })
    }

    fn uuid(&mut self) -> String {
        let mut bytes = self.bytes(16);
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
    }

    /// A macaroon as a package index gives them, in base64 without padding.
    fn macaroon(&mut self, location: &str) -> String {
        let mut bytes = vec![2];
        let mut field = |kind: u8, content: &[u8]| {
            bytes.extend([kind, content.len() as u8]);
            bytes.extend(content);
        };
        field(1, location.as_bytes());
        field(2, self.uuid().as_bytes());
        bytes.push(0);
        bytes.extend([2, 8]);
        bytes.extend(b"[3,\"ab\"]");
        bytes.extend([0, 0, 6, 32]);
        bytes.extend(self.bytes(32));
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| (self.next() >> 32) as u8).collect()
    }

    fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }

    /// SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators".
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn rule(check: &str) -> Rule {
        let text = format!("[[rule]]\nid='a'\ntitle='A'\nseverity='low'\nkeywords=['tok_']\npattern='tok_'\n{check}");
        Rule::parse_all(&text, "test").unwrap().remove(0)
    }

    #[test]
    fn braces_are_filled_by_class_and_seed() {
        let fill = |seed| fill("a={hex:40} {{b} ‹{base62:3-5}{uuid}›.", &rule(""), seed).unwrap();
        let Filled { text, secret } = fill(1);
        assert_eq!(text, fill(1).text);
        assert_ne!(text, fill(2).text);
        assert!(text[2..42].bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert_eq!(&text[42..47], " {b} ");
        assert_eq!(secret, Some(47..text.len() - 1));
        assert!((39..=41).contains(&text[47..].len().checked_sub(1).unwrap()));
    }

    #[test]
    fn sum_makes_the_check_pass() {
        let rule = rule("check='github-crc32'");
        let text = fill("x \"tok_{base62:30}{sum}", &rule, 3).unwrap().text;
        let check = rule.check.as_ref().unwrap();
        assert_eq!(check.run(text[3..].as_bytes(), &mut Vec::new()), super::super::check::Verdict::Proves);
    }

    #[test]
    fn what_is_not_known_is_told() {
        let rule = rule("");
        for example in ["{hex", "{hexx:3}", "{hex:x}", "{sum}", "{hex:99999999}", "a›"] {
            assert!(fill(example, &rule, 0).is_err(), "{example}");
        }
    }
}
