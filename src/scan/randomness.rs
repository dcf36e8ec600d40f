//! Whether a value looks drawn at random, as keys and tokens are, or written by people, as words and identifiers are.
//!
//! Two models say how likely a value is: one draws every character alike from the alphabet the value uses, the other spells as
//! source code and English do (`natural.bin`: three symbols in a row, and where capitals stand; made by
//! `tests/scan/natural/make.py`). A value that people wrote is `2^n` times likelier under the first model than under the second
//! with a chance below `2^-n` (Markov's inequality), which is what makes `BITS` a bound and not a matter of taste.
//! What a value means (a path, a UUID, a placeholder) is not known here.

/// The alphabet that a random value was drawn from: the smallest that holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Digits and `a` to `f`, in either case.
    Hex,
    /// Capitals and `2` to `7`.
    Base32,
    /// Digits and small letters, or digits and capitals.
    Base36,
    /// Digits and letters.
    Base62,
    /// Digits, letters and either `+ /` or `- _`; `=` at the end.
    Base64,
    /// Any printable ASCII.
    Printable,
}

/// The least evidence for chance over spelling, in bits: natural text has it less than once in 10,000 values.
const BITS: f64 = 13.3;

/// No shorter value is told from an abbreviation.
const MIN_LEN: usize = 8;

/// The costs of spelling, in sixteenths of a bit: 28³ for a symbol after two others, then 2·5² for small or capital.
static NATURAL: &[u8; 28 * 28 * 28 + 2 * 5 * 5] = include_bytes!("natural.bin");

/// Whether `value` looks drawn at random.
pub fn looks_random(value: &[u8]) -> bool {
    is_random(value).is_some()
}

/// Whether `value` looks drawn at random from an alphabet that is known from elsewhere: by the issuer's name beside it. That name
/// is evidence enough that it is a key where chance is no less likely than spelling.
pub fn is_drawn_from(value: &[u8], alphabet: Class) -> bool {
    let end = value.iter().rposition(|byte| *byte != b'=').map_or(0, |at| at + 1);
    let value = &value[..end];
    Class::of(value)
        .is_some_and(|class| value.len() >= MIN_LEN && varies(value) && evidence(value, class.min(alphabet)) >= 0.0)
}

/// The alphabet that `value` looks drawn from at random, if it does.
pub fn is_random(value: &[u8]) -> Option<Class> {
    let class = Class::of(value)?;
    // A model of spelling is never quite right, and what it is wrong by adds up: so the evidence has to grow with the length.
    let least = BITS.max(value.len() as f64 * class.bits() * 0.15);
    (value.len() >= MIN_LEN && varies(value) && evidence(value, class) >= least).then_some(class)
}

/// How much likelier chance is than spelling, in bits; negative for what people write.
pub fn evidence(value: &[u8], class: Class) -> f64 {
    spelling(value) - value.len() as f64 * class.bits()
}

impl Class {
    /// Those that a rule may name.
    pub const NAMED: [(&str, Self); 5] = [
        ("hex", Self::Hex),
        ("base32", Self::Base32),
        ("base36", Self::Base36),
        ("base62", Self::Base62),
        ("base64", Self::Base64),
    ];

    /// The class of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMED.into_iter().find(|(known, _)| *known == name).map(|(_, class)| class)
    }

    /// The smallest alphabet that holds `value`; none where a byte is in none, or all are digits.
    pub fn of(value: &[u8]) -> Option<Self> {
        let body = value.trim_ascii_end();
        let padded = body.len() != value.len() || value.is_empty();
        let (mut digit, mut octal, mut hex, mut small, mut capital) = (false, true, true, false, false);
        let (mut plus, mut dash, mut other) = (false, false, padded);
        let end = value.iter().rposition(|byte| *byte != b'=').map_or(0, |at| at + 1);
        for byte in &value[..end] {
            hex &= byte.is_ascii_hexdigit();
            match byte {
                b'0'..=b'9' => {
                    digit = true;
                    octal &= (b'2'..=b'7').contains(byte);
                }
                b'a'..=b'z' => small = true,
                b'A'..=b'Z' => capital = true,
                b'+' | b'/' => plus = true,
                b'-' | b'_' => dash = true,
                _ => other = true,
            }
            if !byte.is_ascii_graphic() {
                return None;
            }
        }
        other |= value.len() - end > 2;
        Some(match () {
            () if other || plus && dash => Self::Printable,
            () if plus || dash => Self::Base64,
            () if !small && !capital => return None,
            () if hex && digit => Self::Hex,
            () if octal && !small => Self::Base32,
            () if !(small && capital) && digit => Self::Base36,
            () => Self::Base62,
        })
    }

    /// What one character says.
    fn bits(self) -> f64 {
        match self {
            Self::Hex => 4.0,
            Self::Base32 => 5.0,
            Self::Base36 => 5.17,
            Self::Base62 => 5.954,
            Self::Base64 => 6.0,
            Self::Printable => 6.555,
        }
    }
}

/// What it costs to say `value` to one who expects words and identifiers, in bits.
fn spelling(value: &[u8]) -> f64 {
    let (symbols, cases) = NATURAL.split_at(28 * 28 * 28);
    let mut sixteenths = 0_u32;
    let (mut before, mut last) = (27, 27);
    let (mut case_before, mut case_last) = (4, 4);
    for byte in value {
        let (now, case, which) = match byte {
            b'a'..=b'z' => (usize::from(byte - b'a'), 2, 0),
            b'A'..=b'Z' => (usize::from(byte - b'A'), 3, 0),
            b'0'..=b'9' => (26, 1, 53),
            b'-' | b'_' | b'.' | b'/' | b' ' => (27, 0, 32),
            _ => (27, 0, 80),
        };
        sixteenths += u32::from(symbols[(before * 28 + last) * 28 + now]) + which;
        if now < 26 {
            sixteenths += u32::from(cases[usize::from(case == 3) * 25 + case_before * 5 + case_last]);
        }
        (before, last) = (last, now);
        (case_before, case_last) = (case_last, case);
    }
    f64::from(sixteenths) / 16.0
}

/// Whether characters neither repeat nor count up more than chance makes them.
pub fn varies(value: &[u8]) -> bool {
    let mut seen = [false; 256];
    value.iter().for_each(|byte| seen[usize::from(*byte)] = true);
    let distinct = seen.iter().filter(|seen| **seen).count();
    let steps = value.windows(2).filter(|pair| pair[0].abs_diff(pair[1]) <= 1).count();
    distinct * 10 >= value.len().min(24) * 4 && steps * 2 < value.len()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::example::Draw;
    use super::*;

    #[test]
    fn what_chance_makes_of_a_known_alphabet_passes() {
        for (name, alphabet) in Class::NAMED {
            for length in [16, 20, 32, 40, 64] {
                let values = (0..2_000).map(|seed| Draw::new(seed * 1_000).characters(name, length).unwrap());
                let refused: Vec<String> = values.filter(|value| !is_drawn_from(value.as_bytes(), alphabet)).collect();
                assert!(refused.len() <= 10, "{} of 2,000 {name} of {length}: {refused:?}", refused.len());
            }
        }
    }

    #[test]
    fn what_people_write_where_a_key_may_stand_does_not() {
        for value in [
            "00000000000000000000000000000000",
            "0123456789abcdef0123456789abcdef",
            "deadbeefdeadbeefdeadbeefdeadbeef",
            "12345678901234567890123456789012",
            "ffffffffffffffffffffffffffffffff",
        ] {
            assert!(!is_drawn_from(value.as_bytes(), Class::Hex), "{value}");
        }
        for value in ["refreshTokenServiceProviderFactoryBean", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"] {
            assert!(!is_drawn_from(value.as_bytes(), Class::Base62), "{value}");
        }
        assert!(!is_drawn_from(b"this-is-not-really-a-fastly-key-but", Class::Base64));
    }

    #[test]
    fn words_are_not_random() {
        for value in [
            "generateRandomPassword",
            "refreshTokenService",
            "kubernetes_service_account",
            "ECDHE-RSA-AES128-GCM-SHA256",
            "x86_64-unknown-linux-gnu",
            "AbstractSingletonProxyFactoryBean",
            "correcthorsebatterystaple",
            "00000000000000000000",
            "1234567890123456",
            "0123456789abcdef",
            "abcdefghijklmnopqrstuvwxyz",
            "aaaaaaaaaaaaaaaaaaaaaaaa",
            "2024-01-31T12:00:00",
            "X-Amz-Security-Token",
            "application/vnd.docker.distribution.manifest.v2+json",
        ] {
            assert_eq!(
                is_random(value.as_bytes()),
                None,
                "{value} {:?}",
                Class::of(value.as_bytes()).map(|c| evidence(value.as_bytes(), c))
            );
        }
    }

    #[test]
    fn keys_are_random() {
        for (value, class) in [
            ("9f86d081884c7d65", Class::Hex),
            ("5E884898DA28047151D0E56F8DC62927", Class::Hex),
            ("q7x2m9k4v8z1p3w6", Class::Base36),
            ("MFRGGZDFMZTWQ2LK", Class::Base32),
            ("aG7kQ2xV9mP4tR8w", Class::Base62),
            ("Zm9/+bK3q9Lx0PwV==", Class::Base64),
            ("hT7-_kQ2xV9mP4tR8w", Class::Base64),
            ("k8#Qz!m2$Vp9&x", Class::Printable),
        ] {
            assert_eq!(
                is_random(value.as_bytes()),
                Some(class),
                "{value} {:?}",
                Class::of(value.as_bytes()).map(|c| evidence(value.as_bytes(), c))
            );
        }
    }
}
