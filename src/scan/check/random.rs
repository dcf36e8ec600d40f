//! Whether a value can have been drawn at random from an alphabet: repeats, runs and the mix of classes are as chance makes them.
//!
//! Asked of values that stand beside a vendor's name and have no shape of their own. What chance makes less than once in some
//! 10,000 values is refused: a word, an identifier, a filler, a count.

/// What the characters of a value are drawn from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alphabet {
    /// Digits and `a` to `f`, of one case.
    Hex,
    /// Letters of one case and `2` to `7`.
    Base32,
    /// Letters of one case and digits.
    Base36,
    /// Letters and digits.
    Base62,
    /// Letters, digits, and either `+ /` or `- _`.
    Base64,
}

/// How many standard deviations from what chance makes most of the time are allowed.
const DEVIATIONS: f64 = 4.2;

impl Alphabet {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Hex, Self::Base32, Self::Base36, Self::Base62, Self::Base64];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hex => "hex",
            Self::Base32 => "base32",
            Self::Base36 => "base36",
            Self::Base62 => "base62",
            Self::Base64 => "base64",
        }
    }

    /// The alphabet of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|alphabet| alphabet.name() == name)
    }

    /// How many digits, letters of one case, letters of the other, and other characters it has.
    fn classes(self) -> [f64; 4] {
        match self {
            Self::Hex => [10.0, 6.0, 0.0, 0.0],
            Self::Base32 => [6.0, 26.0, 0.0, 0.0],
            Self::Base36 => [10.0, 26.0, 0.0, 0.0],
            Self::Base62 => [10.0, 26.0, 26.0, 0.0],
            Self::Base64 => [10.0, 26.0, 26.0, 2.0],
        }
    }
}

/// Whether `value` can have been drawn at random from `alphabet`.
pub fn is_random(value: &[u8], alphabet: Alphabet) -> bool {
    let is_hex = |letters: &[u8]| value.iter().all(|byte| byte.is_ascii_digit() || letters.contains(byte));
    // Some issuers of longer alphabets give hex as well.
    let alphabet = if is_hex(b"abcdef") || is_hex(b"ABCDEF") { Alphabet::Hex } else { alphabet };
    let classes = alphabet.classes();
    let size: f64 = classes.iter().sum();
    let one_case = classes[2] == 0.0;
    let class = |byte: &u8| match byte {
        b'0'..=b'9' => 0,
        b'a'..=b'z' => 1,
        b'A'..=b'Z' => 1 + usize::from(!one_case),
        _ => 3,
    };
    let body: Vec<u8> = value.iter().copied().filter(|byte| *byte != b'=').collect();
    let length = body.len() as f64;
    let as_chance = |seen: usize, chance: f64| (seen as f64 - length * chance).abs() <= allowed(length, chance);
    let shares = (0..3).all(|of| as_chance(body.iter().filter(|byte| class(byte) == of).count(), classes[of] / size));
    // Classes take turns: words and identifiers stay in one for long.
    let stays: f64 = classes.iter().map(|share| (share / size).powi(2)).sum();
    let turns = body.windows(2).filter(|pair| class(&pair[0]) != class(&pair[1])).count();
    shares && turns as f64 >= length * (1.0 - stays) - allowed(length, stays) - 1.0 && is_varied(&body)
}

/// Whether neither one character nor a short sequence is repeated, and no long run counts up or down.
pub fn is_varied(value: &[u8]) -> bool {
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

/// How far a count out of `length` may be from what a chance of `share` makes of it.
fn allowed(length: f64, share: f64) -> f64 {
    DEVIATIONS * (length * share * (1.0 - share)).sqrt() + 0.5
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::super::example::Draw;
    use super::*;

    #[test]
    fn what_chance_makes_passes() {
        for (alphabet, class) in
            [("hex", "hex"), ("base36", "base36"), ("base62", "base62"), ("base64", "base64"), ("base32", "base32")]
        {
            for length in [16, 20, 32, 40, 64] {
                let values = (0..2_000).map(|seed| Draw::new(seed).characters(class, length).unwrap());
                let refused =
                    values.filter(|value| !is_random(value.as_bytes(), Alphabet::named(alphabet).unwrap())).count();
                assert!(refused <= 2, "{refused} of 2,000 {class} of {length}");
            }
        }
    }

    #[test]
    fn what_people_write_does_not() {
        let hex = [
            "00000000000000000000000000000000",
            "0123456789abcdef0123456789abcdef",
            "deadbeefdeadbeefdeadbeefdeadbeef",
        ];
        for value in hex.into_iter().chain(["12345678901234567890123456789012", "ffffffffffffffffffffffffffffffff"]) {
            assert!(!is_random(value.as_bytes(), Alphabet::Hex), "{value}");
        }
        for value in [
            "refreshTokenServiceProviderFactoryBean",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        ] {
            assert!(!is_random(value.as_bytes(), Alphabet::Base62), "{value}");
        }
        assert!(!is_random(b"this-is-not-really-a-fastly-key-but", Alphabet::Base64));
    }
}
