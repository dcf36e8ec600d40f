//! What takes the place of a leaked value, in whatever body it stands, so that what holds it still reads as what it was.
//!
//! In base64 and hexadecimal digits as many letters come as go; binary files keep their length; a YAML or JSON document that could
//! be read before can be read after. Bytes in, bytes out: nothing depends on a path. Finding is in [`searcher`](super::searcher).

use std::collections::BTreeMap;
use std::ops::Range;

use zeroize::Zeroizing;

use super::bodies::{ALPHABET, Core, Encoding, core, wide};
use super::replace::REMOVED;
use super::searcher::{Match, Searcher};
use super::value::LeakedValue;
use crate::document::{Document, Format, ParseError, ParseProblem};

/// Puts something else where leaked values stand.
pub struct Redactor {
    searcher: Searcher,
    placeholder: Placeholder,
}

/// What takes a value's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placeholder {
    /// The same text for all; `{n}` in it is the value's number, from 1.
    Text(String),
    /// As many bytes as went, `*` each.
    ConstantLength,
}

/// A text without the values that stood in it.
#[derive(Debug, PartialEq, Eq)]
pub struct Redacted {
    /// The new text.
    pub bytes: Vec<u8>,
    /// How often each value stood in it, by its number and how it was written down.
    pub found: BTreeMap<(usize, Encoding), usize>,
    /// What it took.
    pub outcome: Outcome,
}

/// Whether a text could be redacted as asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// It was.
    AsAsked,
    /// The document could not have been read with the placeholder: another, or one of the value's length, took its place.
    OtherPlaceholder,
    /// The document can be read no more, whatever takes the value's place.
    NoDocument,
    /// Values are left: what came of taking some out holds others. It is to be removed.
    Left,
}

/// A placeholder that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadPlaceholder {
    /// It would put the value back.
    #[error("the placeholder holds a value that is to be removed")]
    HoldsValue,
    /// It would end a line of a commit's header, or a name.
    #[error("the placeholder must be one line without `<`, `>` and NUL, as names and messages get it as well")]
    NotOneLine,
}

impl Default for Placeholder {
    fn default() -> Self {
        Self::Text(String::from_utf8_lossy(REMOVED).into_owned())
    }
}

/// A document is looked at again only up to this size.
const MAX_DOCUMENT: usize = 4 << 20;

/// How often a text is searched again after values were taken out.
const MAX_ROUNDS: usize = 4;

/// As git: a file with a NUL in so many of its first bytes is binary.
const BINARY_WITHIN: usize = 8192;

impl Redactor {
    /// Puts `placeholder` where any of `values` stands.
    pub fn new(values: &[LeakedValue], placeholder: Placeholder) -> Result<Self, BadPlaceholder> {
        let searcher = Searcher::new(values);
        let all = (0..values.len()).filter_map(|value| placeholder.text(value));
        for text in all {
            if searcher.is_in(text.as_bytes()) {
                return Err(BadPlaceholder::HoldsValue);
            }
            if text.contains(['\n', '\r', '\0', '<', '>']) {
                return Err(BadPlaceholder::NotOneLine);
            }
        }
        Ok(Self { searcher, placeholder })
    }

    /// What looks for the values.
    pub fn searcher(&self) -> &Searcher {
        &self.searcher
    }

    /// A file's bytes without the values; `None` where it has none.
    pub fn file(&self, bytes: &[u8]) -> Option<Redacted> {
        let matches = self.searcher.find(bytes);
        if matches.is_empty() {
            return None;
        }
        if is_binary(bytes) {
            return Some(self.rounds(bytes, matches, Filling::SameLength(b'*')));
        }
        let document = DocumentCheck::of(bytes);
        let ways = match self.placeholder {
            Placeholder::Text(_) => &[
                Filling::Asked,
                Filling::Trimmed,
                Filling::SameLength(b'*'),
                Filling::SameLength(b'x'),
                Filling::SameLength(b'1'),
            ][..],
            Placeholder::ConstantLength => {
                &[Filling::SameLength(b'*'), Filling::SameLength(b'x'), Filling::SameLength(b'1')][..]
            }
        };
        let mut first = None;
        for (number, way) in ways.iter().enumerate() {
            let mut redacted = self.rounds(bytes, matches.clone(), *way);
            let is_read = document.as_ref().is_none_or(|document| document.is_read(&redacted.bytes));
            if redacted.outcome == Outcome::Left || is_read {
                if number > 0 && is_read && redacted.outcome == Outcome::AsAsked {
                    redacted.outcome = Outcome::OtherPlaceholder;
                }
                return Some(redacted);
            }
            first.get_or_insert(redacted);
        }
        first.map(|redacted| Redacted { outcome: Outcome::NoDocument, ..redacted })
    }

    /// A message, a name or a path without the values; `None` where it has none.
    pub fn words(&self, bytes: &[u8]) -> Option<Redacted> {
        let matches = self.searcher.find(bytes);
        let filling = match self.placeholder {
            Placeholder::Text(_) => Filling::Asked,
            Placeholder::ConstantLength => Filling::SameLength(b'*'),
        };
        (!matches.is_empty()).then(|| self.rounds(bytes, matches, filling))
    }

    /// Takes values out until none is left: what stands side by side once one is gone may be another.
    fn rounds(&self, bytes: &[u8], mut matches: Vec<Match>, filling: Filling) -> Redacted {
        let mut redacted = Redacted { bytes: bytes.to_vec(), found: BTreeMap::new(), outcome: Outcome::AsAsked };
        for _ in 0..MAX_ROUNDS {
            matches.iter().for_each(|one| *redacted.found.entry((one.value, one.encoding)).or_default() += 1);
            redacted.bytes = self.replaced(&redacted.bytes, &matches, filling);
            matches = self.searcher.find(&redacted.bytes);
            if matches.is_empty() {
                return redacted;
            }
        }
        redacted.outcome = Outcome::Left;
        redacted
    }

    fn replaced(&self, text: &[u8], matches: &[Match], filling: Filling) -> Vec<u8> {
        let mut new = Vec::with_capacity(text.len());
        let mut done = 0;
        for found in matches {
            let stands = self.standing_in(text, found, filling);
            // A letter that two bodies share was written with the first of them.
            let start = stands.range.start.max(done);
            new.extend_from_slice(&text[done..start]);
            new.extend_from_slice(&stands.bytes[start - stands.range.start.min(start)..]);
            done = stands.range.end;
        }
        new.extend_from_slice(&text[done..]);
        new
    }

    /// What stands in for a match, and for which range: in base64 it may be a letter longer at both ends.
    fn standing_in(&self, text: &[u8], found: &Match, filling: Filling) -> StandIn {
        let body = self.searcher.body(found);
        let range = found.range.clone();
        let filler = |len: usize| self.filler(found.value, len, filling);
        match found.encoding {
            Encoding::Text => {
                let bytes = match (filling, self.text(found.value, filling)) {
                    (Filling::SameLength(with), _) => masked(&text[range.clone()], with),
                    (_, Some(text)) => text.into_bytes(),
                    (_, None) => masked(&text[range.clone()], b'*'),
                };
                StandIn { range, bytes }
            }
            encoding @ (Encoding::Utf16Le | Encoding::Utf16Be | Encoding::Utf32Le | Encoding::Utf32Be) => {
                let unit = if matches!(encoding, Encoding::Utf16Le | Encoding::Utf16Be) { 2 } else { 4 };
                let bytes = match (filling, self.text(found.value, filling)) {
                    (Filling::Asked | Filling::Trimmed, Some(text)) => wide(encoding, &text),
                    _ => wide(encoding, &String::from_utf8_lossy(&filler(range.len() / unit))),
                };
                StandIn { range, bytes }
            }
            Encoding::Hex => {
                let digits = filler(body.encoded_len);
                let is_upper = text[range.clone()].iter().any(u8::is_ascii_uppercase);
                let digits =
                    digits.iter().map(|byte| if is_upper { format!("{byte:02X}") } else { format!("{byte:02x}") });
                spelt(text, range.clone(), body.letters_at(text, range), digits.map(String::into_bytes))
            }
            Encoding::Base64 | Encoding::Base64Twice => {
                let mut layer: Option<Core> = None;
                for alignment in &body.alignments {
                    let plain = layer.map_or_else(|| filler(body.encoded_len), |core| core.letters.to_vec());
                    layer = core(&plain, *alignment);
                }
                let places = body.letters_at(text, range.clone());
                let Some(core) = layer.filter(|core| core.letters.len() == places.len()) else {
                    return StandIn { bytes: masked(&text[range.clone()], b'A'), range };
                };
                let mut stands = spelt(text, range.clone(), places, core.letters.iter().map(|letter| vec![*letter]));
                // The letters at both ends hold some of the value's bits beside those of its neighbours.
                let is_url = text[range.clone()].iter().any(|byte| matches!(byte, b'-' | b'_'));
                if let Some((bits, mask)) = core.before
                    && let Some(at) = range.start.checked_sub(1)
                    && let Some(letter) = merged(text[at], bits, mask, is_url)
                {
                    stands.range.start = at;
                    stands.bytes.insert(0, letter);
                }
                if let Some((bits, mask)) = core.behind
                    && let Some(letter) = text.get(range.end).and_then(|old| merged(*old, bits, mask, is_url))
                {
                    stands.range.end += 1;
                    stands.bytes.push(letter);
                }
                stands
            }
        }
    }

    /// The placeholder of a value where it need not have a certain length.
    fn text(&self, value: usize, filling: Filling) -> Option<String> {
        let text = self.placeholder.text(value)?;
        match filling {
            Filling::Asked => Some(text),
            Filling::Trimmed => Some(text.trim_matches(|char: char| char.is_ascii_punctuation()).to_owned()),
            Filling::SameLength(_) => None,
        }
    }

    /// So many bytes of ASCII in place of a value: the placeholder and `*`, where it fits, else `*` alone.
    fn filler(&self, value: usize, len: usize, filling: Filling) -> Vec<u8> {
        let with = if let Filling::SameLength(with) = filling { with } else { b'*' };
        let text = self.placeholder.text(value).filter(|text| text.is_ascii() && text.len() <= len).unwrap_or_default();
        let mut bytes = text.into_bytes();
        bytes.resize(len, with);
        bytes
    }
}

impl Placeholder {
    fn text(&self, value: usize) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.replace("{n}", &(value + 1).to_string())),
            Self::ConstantLength => None,
        }
    }
}

/// How a placeholder is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Filling {
    /// As asked for.
    Asked,
    /// Its letters and digits: signs at its ends may mean something in YAML.
    Trimmed,
    /// As many bytes as went.
    SameLength(u8),
}

struct StandIn {
    range: Range<usize>,
    bytes: Vec<u8>,
}

/// Whether a file is binary, as git sees it.
pub fn is_binary(bytes: &[u8]) -> bool {
    bytes[..bytes.len().min(BINARY_WITHIN)].contains(&0)
}

/// As many bytes; line breaks stay, and the indentation behind them.
fn masked(text: &[u8], with: u8) -> Vec<u8> {
    let mut starts_line = false;
    let mask = |byte: &u8| {
        starts_line = matches!(byte, b'\n' | b'\r') || starts_line && matches!(byte, b' ' | b'\t');
        if starts_line { *byte } else { with }
    };
    text.iter().map(mask).collect()
}

/// New letters in the places of old ones; what stands between them stays.
fn spelt(
    text: &[u8],
    range: Range<usize>,
    places: Vec<Range<usize>>,
    letters: impl Iterator<Item = Vec<u8>>,
) -> StandIn {
    let mut bytes = Vec::with_capacity(range.len());
    let mut done = range.start;
    for (place, letter) in places.into_iter().zip(letters) {
        bytes.extend_from_slice(&text[done..place.start]);
        bytes.extend_from_slice(&letter);
        done = place.end;
    }
    bytes.extend_from_slice(&text[done..range.end]);
    StandIn { range, bytes }
}

/// A letter of base64 with some of its bits replaced; `None` for what is none.
fn merged(letter: u8, bits: u8, mask: u8, is_url: bool) -> Option<u8> {
    let old = ALPHABET.iter().position(|one| *one == letter).or(match letter {
        b'-' => Some(62),
        b'_' => Some(63),
        _ => None,
    })?;
    let new = old as u8 & !mask | bits & mask;
    Some(match new {
        62 if is_url || letter == b'-' => b'-',
        63 if is_url || letter == b'_' => b'_',
        new => ALPHABET[usize::from(new)],
    })
}

/// A document that could be read, and is to be readable after.
struct DocumentCheck(Format);

impl DocumentCheck {
    /// What a file is a document of; `None` where it is none, or none that is worth the time.
    fn of(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > MAX_DOCUMENT {
            return None;
        }
        let mut lines = bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        let first = lines.find(|line| !line.is_empty() && !line.starts_with(b"#"))?;
        let formats: &[Format] = match first[0] {
            b'{' | b'[' => &[Format::Json, Format::Yaml],
            _ if first.starts_with(b"---") || first.starts_with(b"%YAML") || first.starts_with(b"- ") => {
                &[Format::Yaml]
            }
            _ if first.windows(2).any(|pair| pair == b": ") || first.ends_with(b":") => &[Format::Yaml],
            _ => return None,
        };
        formats.iter().map(|format| Self(*format)).find(|check| check.is_read(bytes))
    }

    /// Whether a file can be read as that.
    fn is_read(&self, bytes: &[u8]) -> bool {
        let copy = Zeroizing::new(bytes.to_vec());
        // A list at the top is a document as well, though not one that could be encrypted.
        match Document::parse(copy.to_vec(), self.0) {
            Ok(_) | Err(ParseError { problem: ParseProblem::NotAMap | ParseProblem::Empty, .. }) => true,
            Err(_) => false,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    use super::*;

    fn redactor(values: &[&str], placeholder: Placeholder) -> Redactor {
        let value = |text: &&str| LeakedValue::even_if_weak(Zeroizing::new(text.as_bytes().to_vec())).unwrap();
        Redactor::new(&values.iter().map(value).collect::<Vec<_>>(), placeholder).unwrap()
    }

    fn file(redactor: &Redactor, text: &str) -> (String, Outcome) {
        let redacted = redactor.file(text.as_bytes()).unwrap();
        (String::from_utf8(redacted.bytes).unwrap(), redacted.outcome)
    }

    const VALUE: &str = "correct-horse-7";

    #[test]
    fn text_gets_the_placeholder() {
        let fixed = redactor(&[VALUE], Placeholder::default());
        assert_eq!(file(&fixed, "x \"correct-horse-7\" y"), ("x \"***REMOVED***\" y".into(), Outcome::AsAsked));
        assert_eq!(fixed.file(b"correct-horse-8"), None);
        let constant = redactor(&[VALUE], Placeholder::ConstantLength);
        assert_eq!(file(&constant, "x correct-horse-7 y").0, "x *************** y");
        let numbered = redactor(&["other-value-1", VALUE], Placeholder::Text("REMOVED-{n}".into()));
        assert_eq!(file(&numbered, "correct-horse-7,other-value-1").0, "REMOVED-2,REMOVED-1");
    }

    #[test]
    fn base64_stays_base64_and_keeps_its_neighbours() {
        let redactor = redactor(&[VALUE], Placeholder::Text("GONE".into()));
        for (before, behind) in [("", ""), ("a", "b"), ("ab", "cd"), ("abc:", ""), ("\"", "\"\n")] {
            let encoded = STANDARD.encode(format!("{before}{VALUE}{behind}"));
            let (new, outcome) = file(&redactor, &format!("k: {encoded}\n"));
            let decoded = STANDARD.decode(&new[3..new.len() - 1]).unwrap();
            assert_eq!(String::from_utf8(decoded).unwrap(), format!("{before}GONE***********{behind}"));
            assert_eq!(outcome, Outcome::AsAsked);
            let twice = STANDARD.encode(&encoded);
            let (new, _) = file(&redactor, &twice);
            let decoded = STANDARD.decode(STANDARD.decode(&new).unwrap()).unwrap();
            assert!(decoded.starts_with(before.as_bytes()) && decoded.ends_with(behind.as_bytes()));
            assert!(!redactor.searcher().is_in(&decoded) && new.len() == twice.len());
        }
        let hex: String = VALUE.bytes().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(file(&redactor, &hex).0, "474f4e452a2a2a2a2a2a2a2a2a2a2a");
    }

    #[test]
    fn documents_that_could_be_read_can_be_read() {
        let fixed = redactor(&[VALUE, "12345678"], Placeholder::default());
        // A `*` would begin an alias.
        assert_eq!(
            file(&fixed, "a: correct-horse-7\nb: 1\n"),
            ("a: REMOVED\nb: 1\n".into(), Outcome::OtherPlaceholder)
        );
        assert_eq!(file(&fixed, "{\"pin\": 12345678}"), ("{\"pin\": 11111111}".into(), Outcome::OtherPlaceholder));
        assert_eq!(file(&fixed, "a: [correct-horse-7\n"), ("a: [***REMOVED***\n".into(), Outcome::AsAsked));
        let pem = redactor(&["-----BEGIN K-----\nabcd0123\n-----END K-----"], Placeholder::default());
        let yaml = "a:\n  k: |\n    -----BEGIN K-----\n    abcd0123\n    -----END K-----\n  b: 1\n";
        assert_eq!(file(&pem, yaml), ("a:\n  k: |\n    ***REMOVED***\n  b: 1\n".into(), Outcome::AsAsked));
    }

    #[test]
    fn binary_files_keep_their_length() {
        let redactor = redactor(&[VALUE], Placeholder::default());
        let text = [b"\0\x01", VALUE.as_bytes(), b"\0"].concat();
        assert_eq!(redactor.file(&text).unwrap().bytes, b"\0\x01***************\0");
        let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
        assert_eq!(
            redactor.file(&wide("k=correct-horse-7\r\n")).unwrap().bytes,
            wide("k=***REMOVED***\u{2a}\u{2a}\r\n")
        );
    }

    #[test]
    fn what_is_put_together_by_taking_out_is_taken_out() {
        let redactor = redactor(&["abcd1234", "wxyz-abcd1234"], Placeholder::Text(String::new()));
        assert_eq!(file(&redactor, "abcdabcd12341234").0, "");
        assert_eq!(file(&redactor, ".wxyz-abcd1234.").0, "..");
    }

    #[test]
    fn placeholders_that_would_do_harm_are_refused() {
        let value = || LeakedValue::even_if_weak(Zeroizing::new(b"REMOVED".to_vec())).unwrap();
        let new = |text: &str| Redactor::new(&[value()], Placeholder::Text(text.into())).err();
        assert_eq!(new("***REMOVED***"), Some(BadPlaceholder::HoldsValue));
        assert_eq!(new("a\nb"), Some(BadPlaceholder::NotOneLine));
        assert_eq!(new("GONE-{n}"), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn nothing_is_left_and_nothing_else_is_lost(
            value in "[!-~]{8,40}", before in "[A-Za-z ]{0,9}", behind in "[A-Za-z ]{0,9}", constant in any::<bool>(),
        ) {
            let placeholder = if constant { Placeholder::ConstantLength } else { Placeholder::Text("GONE".into()) };
            let redactor = redactor(&[&value], placeholder);
            let plain = format!("{before}{value}{behind}");
            for text in [plain.clone(), STANDARD.encode(&plain), STANDARD.encode(STANDARD.encode(&plain)), serde_json::to_string(&plain).unwrap()] {
                let redacted = redactor.file(text.as_bytes()).unwrap();
                prop_assert!(!redactor.searcher().is_in(&redacted.bytes));
                prop_assert_eq!(redactor.file(&redacted.bytes), None);
                if constant {
                    prop_assert_eq!(redacted.bytes.len(), text.len());
                }
            }
            let new = redactor.file(plain.as_bytes()).unwrap().bytes;
            prop_assert!(new.starts_with(before.as_bytes()) && new.ends_with(behind.as_bytes()));
        }
    }
}
