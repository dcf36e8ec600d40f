//! Looks for all bodies of all leaked values at once: for a piece of each, and around a piece that stands there for the rest.
//!
//! Text and binary are searched alike. What bodies are is in [`bodies`](super::bodies).

use std::io::{self, Read};
use std::ops::Range;

use aho_corasick::{AhoCorasick, MatchKind, packed};
use memchr::memmem;
use zeroize::Zeroizing;

use super::bodies::{self, Body, Encoding};
use super::value::LeakedValue;
use crate::scan::Part;

/// Looks for leaked values.
pub struct Searcher {
    bodies: Vec<(usize, Body)>,
    /// Every piece, sorted.
    anchors: Vec<Anchored>,
    finder: Finder,
    /// Bytes of the longest piece.
    longest: usize,
    values: usize,
}

/// A body of a value that stands somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// Where.
    pub range: Range<usize>,
    /// Which of the values, from 0.
    pub value: usize,
    /// How it is written down.
    pub encoding: Encoding,
    /// Which body.
    pub(super) body: usize,
}

/// A piece with the bodies that it is of, and which letter of each it begins with.
type Anchored = (Zeroizing<Vec<u8>>, Vec<(u32, u32)>);

/// Finds the first of several pieces.
enum Finder {
    Nothing,
    /// One pass for each, the fastest for few.
    Few(Vec<memmem::Finder<'static>>),
    /// All at once by their first bytes, in vectors of the processor.
    Packed(packed::Searcher),
    /// An automaton.
    Many(AhoCorasick),
}

/// So many pieces are looked for one by one.
const FEW: usize = 3;

/// What does not fit into memory is searched in parts of so many bytes.
const WINDOW: usize = 4 << 20;

/// So many bytes of a part are searched again with the next: no body is longer.
const OVERLAP: usize = 1 << 20;

impl Searcher {
    /// Looks for these values.
    pub fn new(values: &[LeakedValue]) -> Self {
        let each = |(at, value): (usize, &LeakedValue)| {
            bodies::bodies(value.expose()).into_iter().map(move |one| (at, one)).collect::<Vec<_>>()
        };
        let bodies: Vec<(usize, Body)> = values.iter().enumerate().flat_map(each).collect();
        let each = |(number, (_, body)): (usize, &(usize, Body))| {
            let anchors = body.anchors().into_iter();
            anchors.map(move |(letter, piece)| (piece, (number as u32, letter as u32))).collect::<Vec<_>>()
        };
        let mut pieces: Vec<_> = bodies.iter().enumerate().flat_map(each).collect();
        pieces.sort_unstable_by(|one, other| (one.0.as_slice(), one.1).cmp(&(other.0.as_slice(), other.1)));
        pieces.dedup();
        let mut anchors: Vec<Anchored> = Vec::new();
        for (piece, of) in pieces {
            match anchors.last_mut() {
                Some((last, all)) if *last == piece => all.push(of),
                _ => anchors.push((piece, vec![of])),
            }
        }
        let pieces = || anchors.iter().map(|(piece, _)| piece.as_slice());
        let finder = Finder::new(&pieces().collect::<Vec<_>>());
        let longest = pieces().map(<[u8]>::len).max().unwrap_or(0);
        Self { bodies, finder, longest, values: values.len(), anchors }
    }

    /// How many values are looked for.
    pub fn values(&self) -> usize {
        self.values
    }

    /// Whether a value stands in a text, in any body.
    pub fn is_in(&self, text: &[u8]) -> bool {
        let mut found = false;
        self.each_piece(text, 0..text.len(), |anchor, at| {
            found = self.confirm(text, anchor, at).next().is_some();
            !found
        });
        found
    }

    /// All bodies that stand in a text: sorted, of two that overlap the one that begins first, of these the longest.
    pub fn find(&self, text: &[u8]) -> Vec<Match> {
        let mut found: Vec<Match> = Vec::new();
        self.each_piece(text, 0..text.len(), |anchor, at| {
            found.extend(self.confirm(text, anchor, at));
            true
        });
        found.sort_unstable_by_key(|one| {
            (one.range.start, usize::MAX - one.range.end, one.encoding, one.value, one.body)
        });
        let mut end = 0;
        found.retain(|one| {
            let is_free = one.range.start >= end;
            end = if is_free { one.range.end } else { end };
            is_free
        });
        found
    }

    /// Whether any piece of a body stands in a text that was made of another in which none does.
    pub fn has_pieces(&self, text: &[u8], made: Option<&[Part]>) -> bool {
        let mut found = false;
        let mut look = |range: Range<usize>| {
            let around = self.longest.saturating_sub(1);
            let range = range.start.saturating_sub(around)..(range.end + around).min(text.len());
            self.each_piece(text, range, |_, _| {
                found = true;
                false
            });
            found
        };
        let Some(parts) = made else { return look(0..text.len()) };
        let mut at = 0;
        for part in parts {
            let (length, copied) = match *part {
                Part::Copied { len, .. } => (len, true),
                Part::New { len } => (len, false),
            };
            // Where two copied parts meet, a piece may stand across.
            if look(if copied { at..at } else { at..at + length }) {
                return true;
            }
            at += length;
        }
        false
    }

    /// Whether a value stands in what does not fit into memory.
    pub fn is_in_stream(&self, stream: &mut dyn Read) -> io::Result<bool> {
        let mut bytes = Vec::with_capacity(WINDOW);
        loop {
            stream.take((WINDOW - bytes.len()) as u64).read_to_end(&mut bytes)?;
            if self.is_in(&bytes) {
                return Ok(true);
            }
            if bytes.len() < WINDOW {
                return Ok(false);
            }
            bytes.copy_within(WINDOW - OVERLAP.., 0);
            bytes.truncate(OVERLAP);
        }
    }

    pub(super) fn body(&self, found: &Match) -> &Body {
        &self.bodies[found.body].1
    }

    /// Calls `each` with every piece that stands in a part of a text, and where, until it gives false.
    fn each_piece(&self, text: &[u8], part: Range<usize>, mut each: impl FnMut(usize, usize) -> bool) {
        let text = &text[..part.end];
        match &self.finder {
            Finder::Nothing => {}
            Finder::Few(finders) => {
                for (anchor, finder) in finders.iter().enumerate() {
                    let mut from = part.start;
                    while let Some(at) = finder.find(&text[from..]) {
                        if !each(anchor, from + at) {
                            return;
                        }
                        from += at + 1;
                    }
                }
            }
            Finder::Packed(searcher) => {
                let mut from = part.start;
                while let Some(at) = searcher.find_in(text, (from..text.len()).into()).map(|found| found.start()) {
                    if !self.pieces_at(text, at, &mut each) {
                        return;
                    }
                    from = at + 1;
                }
            }
            Finder::Many(automaton) => {
                let mut from = part.start;
                let next = |from: usize| automaton.find(aho_corasick::Input::new(text).range(from..));
                while let Some(at) = next(from).map(|found| found.start()) {
                    if !self.pieces_at(text, at, &mut each) {
                        return;
                    }
                    from = at + 1;
                }
            }
        }
    }

    /// All pieces that begin at one place: they are sorted, so those that may are between two others.
    fn pieces_at(&self, text: &[u8], at: usize, each: &mut impl FnMut(usize, usize) -> bool) -> bool {
        let here = &text[at..];
        let first = self.anchors.partition_point(|(piece, _)| piece[0] < here[0]);
        let may_be = self.anchors[first..].iter().take_while(|(piece, _)| piece.as_slice() <= here);
        for (offset, (piece, _)) in may_be.enumerate() {
            if here.starts_with(piece) && !each(first + offset, at) {
                return false;
            }
        }
        true
    }

    fn confirm<'a>(&'a self, text: &'a [u8], anchor: usize, at: usize) -> impl Iterator<Item = Match> + 'a {
        self.anchors[anchor].1.iter().filter_map(move |&(number, letter)| {
            let (value, body) = &self.bodies[number as usize];
            let range = body.matches(text, letter as usize, at)?;
            Some(Match { range, value: *value, encoding: body.encoding, body: number as usize })
        })
    }
}

impl Finder {
    fn new(pieces: &[&[u8]]) -> Self {
        if pieces.is_empty() {
            return Self::Nothing;
        }
        if pieces.len() <= FEW {
            return Self::Few(pieces.iter().map(|piece| memmem::Finder::new(piece).into_owned()).collect());
        }
        let config =
            packed::Config::new().match_kind(packed::MatchKind::LeftmostFirst).heuristic_pattern_limits(false).clone();
        if let Some(packed) = config.builder().extend(pieces).build() {
            return Self::Packed(packed);
        }
        let automaton = AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).build(pieces);
        automaton.map_or(Self::Nothing, Self::Many)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
    use proptest::prelude::*;

    use super::*;

    fn searcher(values: &[&str]) -> Searcher {
        let value = |text: &&str| LeakedValue::even_if_weak(Zeroizing::new(text.as_bytes().to_vec())).unwrap();
        Searcher::new(&values.iter().map(value).collect::<Vec<_>>())
    }

    fn wrapped(text: &str, width: usize, by: &str) -> String {
        text.as_bytes().chunks(width).map(|line| std::str::from_utf8(line).unwrap()).collect::<Vec<_>>().join(by)
    }

    /// The encodings of a value, made by other code than that which finds them, each with the value's surroundings.
    fn encoded(value: &str, before: &str, behind: &str) -> Vec<(String, Vec<u8>)> {
        let mut all: Vec<(String, Vec<u8>)> = Vec::new();
        let mut add = |name: &str, bytes: Vec<u8>| all.push((name.to_owned(), bytes));
        let whole = format!("{before}{value}{behind}");
        add("raw", whole.clone().into_bytes());
        for (name, engine) in [
            ("standard", &STANDARD),
            ("unpadded", &STANDARD_NO_PAD),
            ("url", &URL_SAFE),
            ("url unpadded", &URL_SAFE_NO_PAD),
        ] {
            let once = engine.encode(&whole);
            for (width, by) in [(64, "\n"), (76, "\r\n"), (60, "\n    "), (64, "\\n")] {
                add(&format!("base64 {name} {width}"), wrapped(&once, width, by).into_bytes());
            }
            add(&format!("base64 {name} with line break"), engine.encode(format!("{value}\n")).into_bytes());
            add(&format!("base64 twice {name}"), engine.encode(STANDARD.encode(&whole)).into_bytes());
            add(&format!("base64 twice url {name}"), engine.encode(URL_SAFE.encode(&whole)).into_bytes());
            add(&format!("base64 {name}"), once.into_bytes());
        }
        let hex: String = whole.bytes().map(|byte| format!("{byte:02x}")).collect();
        add("hex wrapped", wrapped(&hex, 60, "\n").into_bytes());
        add("HEX", hex.to_uppercase().into_bytes());
        let percent = |keep: &dyn Fn(u8) -> bool| -> String {
            whole
                .bytes()
                .map(|byte| if keep(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
                .collect()
        };
        add("percent all", percent(&|_| false).into_bytes());
        let some = percent(&|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte));
        add("percent", some.clone().into_bytes());
        add("form", some.replace("%20", "+").into_bytes());
        let json = serde_json::to_string(&whole).unwrap();
        add("json", json.clone().into_bytes());
        add("json with slashes", json.replace('/', "\\/").into_bytes());
        let units = |form: &dyn Fn(u16) -> String| whole.encode_utf16().map(form).collect::<String>();
        let is_plain =
            |unit: u16| unit < 128 && ((unit as u8).is_ascii_alphanumeric() || b"-_.".contains(&(unit as u8)));
        add(
            "json ascii",
            units(&|unit| match is_plain(unit) {
                true => char::from(unit as u8).to_string(),
                false => format!("\\u{unit:04x}"),
            })
            .into_bytes(),
        );
        add("json all escaped", units(&|unit| format!("\\u{unit:04X}")).into_bytes());
        let escaped = |char: char| match char.is_ascii() {
            true => char.to_string(),
            false => char.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect(),
        };
        add("base64 json ascii", STANDARD.encode(json.chars().map(escaped).collect::<String>()).into_bytes());
        let nested = serde_json::to_string(&json).unwrap();
        add("json in json in json", serde_json::to_string(&nested).unwrap().into_bytes());
        add("json in json", nested.into_bytes());
        add("yaml single", format!("'{}'", whole.replace('\'', "''")).into_bytes());
        add("shell", format!("'{}'", whole.replace('\'', "'\\''")).into_bytes());
        add("shell double", format!("'{}'", whole.replace('\'', "'\"'\"'")).into_bytes());
        let xml = whole.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        add("xml", xml.replace('"', "&quot;").replace('\'', "&#39;").into_bytes());
        add("xml all", whole.chars().map(|char| format!("&#{};", u32::from(char))).collect::<String>().into_bytes());
        add("c", whole.bytes().map(|byte| format!("\\x{byte:02x}")).collect::<String>().into_bytes());
        add("octal", whole.bytes().map(|byte| format!("\\{byte:03o}")).collect::<String>().into_bytes());
        add("utf-16le", whole.encode_utf16().flat_map(u16::to_le_bytes).collect());
        add("utf-16be", [0xfe, 0xff].into_iter().chain(whole.encode_utf16().flat_map(u16::to_be_bytes)).collect());
        add("utf-32le", whole.chars().flat_map(|char| u32::from(char).to_le_bytes()).collect());
        add("utf-32be", whole.chars().flat_map(|char| u32::from(char).to_be_bytes()).collect());
        add("binary", [b"\0\x01", whole.as_bytes(), b"\0"].concat());
        if value.contains('\n') {
            add("crlf", whole.replace('\n', "\r\n").into_bytes());
            add("indented", whole.replace('\n', "\n      ").into_bytes());
            add("literal", whole.replace('\n', "\\n").into_bytes());
            add("base64 crlf", STANDARD.encode(whole.replace('\n', "\r\n")).into_bytes());
            add("base64 literal", STANDARD.encode(whole.replace('\n', "\\n")).into_bytes());
        }
        all
    }

    fn check(value: &str, before: &str, behind: &str) {
        let searcher = searcher(&[value]);
        for (name, text) in encoded(value, before, behind) {
            assert!(searcher.is_in(&text), "{name} of {value:?} between {before:?} and {behind:?}");
        }
    }

    #[test]
    fn every_body_is_found() {
        for value in [
            "correct-horse-7",
            "p@$$w0rd/+&<>\"'\\%",
            "!@#$%^&*()",
            "käse-größe-日本",
            "-----BEGIN X-----\nMIIabc/+def012\nghiJKL345=\n-----END X-----",
            "with some blanks in it",
        ] {
            for (before, behind) in [("", ""), ("a", "z"), ("ab:", "; x"), ("user=ada ", "\n")] {
                check(value, before, behind);
            }
        }
    }

    proptest! {
        #[test]
        fn every_body_of_random_values_is_found(value in "[ -~]{8,80}", before in "[ -~]{0,5}", behind in "[ -~]{0,5}") {
            // Blanks at the ends are folded away with the lines.
            prop_assume!(value.trim() == value);
            check(&value, &before, &behind);
        }

        #[test]
        fn what_was_made_of_a_text_without_pieces_is_searched_where_it_is_new(
            base in "[ab]{0,40}", cut in 0..40_usize, new in "[ab1]{0,6}", resume in 0..40_usize,
        ) {
            let searcher = searcher(&["ab1ab1ab1b"]);
            let (cut, resume) = (cut.min(base.len()), resume.min(base.len()));
            let text = format!("{}{new}{}", &base[..cut], &base[resume..]);
            let parts = [
                Part::Copied { from: 0, len: cut },
                Part::New { len: new.len() },
                Part::Copied { from: resume, len: base.len() - resume },
            ];
            prop_assert!(!searcher.has_pieces(base.as_bytes(), None));
            let all = searcher.has_pieces(text.as_bytes(), None);
            prop_assert_eq!(searcher.has_pieces(text.as_bytes(), Some(&parts)), all);
        }
    }

    #[test]
    fn seams_of_a_stream_hide_nothing() {
        let value = "correct-horse-7";
        let searcher = searcher(&[value]);
        for at in [WINDOW - 20, WINDOW - 7, WINDOW, 2 * WINDOW - OVERLAP - 3, 3 * WINDOW] {
            let mut text = vec![b'.'; 3 * WINDOW + 100];
            assert!(!searcher.is_in_stream(&mut text.as_slice()).unwrap());
            text[at..at + value.len()].copy_from_slice(value.as_bytes());
            assert!(searcher.is_in_stream(&mut text.as_slice()).unwrap(), "{at}");
        }
    }

    #[test]
    fn what_is_not_there_is_not_found_and_many_values_are_found_as_one() {
        let values: Vec<String> = (0..40).map(|number| format!("value-{number:02}-{}", number * 7919)).collect();
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        let searcher = searcher(&values);
        assert!(!searcher.is_in(b"value-00-1 correct-horse-8 Y29ycmVjdC"));
        for (number, value) in values.iter().enumerate() {
            let text = format!("a {value} {}", STANDARD.encode(value));
            let found = searcher.find(text.as_bytes());
            let found: Vec<_> = found.iter().map(|one| (one.value, one.encoding)).collect();
            assert_eq!(found, [(number, Encoding::Text), (number, Encoding::Base64)], "{value}");
        }
    }
}
