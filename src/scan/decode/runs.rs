//! Finds encoded runs in a text.

use std::ops::Range;

use super::codec::{self, base64_digit};
use super::{Budget, Inner, Positions};
use crate::scan::{Detector, Hit, Layer, Reach, Ruleset, Seen, Text};

/// Which encoded runs are decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Decode {
    /// Those that hold the image of a word that matters.
    #[default]
    Promising,
    /// All that give text.
    All,
}

/// Finds encoded runs by the images of words that matter, or all of them.
pub struct Decoder {
    mode: Decode,
    keywords: Vec<&'static str>,
    /// What the keyword of the same place stands for.
    images: Vec<Image>,
}

/// What a word looks like in an encoding.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Image {
    /// In base64: the exact digits, and how many digits of its group stand before them.
    Base64 {
        digits: String,
        before: usize,
    },
    Hex,
    Percent,
    /// In a string inside a string.
    Escapes,
    /// What follows the header of a mail.
    QuotedPrintable,
    /// A character without width, inside a word.
    Invisible,
    /// What stands between two parts of a string.
    Joined,
}

/// Characters without width.
const INVISIBLE: [&str; 5] = ["\u{200b}", "\u{200c}", "\u{200d}", "\u{2060}", "\u{feff}"];

/// What joins the parts of a string.
const JOINTS: [&str; 14] = [
    "\" + \"", "' + '", "\"+\"", "'+'", "\" . \"", "' . '", "\" & \"", "\" +\n", "' +\n", "\" \\\n", "' \\\n", "\\\n ",
    "\\\n\t", "\" +\r\n",
];

/// Words that stand at the start of credentials, or in the structures that hold them.
const WORDS: &[&str] = &[
    "-----BEGIN",
    "AGE-SECRET-KEY-1",
    "AIza",
    "AKIA",
    "ASIA",
    "SG.",
    "\"auth\"",
    "\"auths\"",
    "_authToken",
    "apiVersion",
    "eyJhbGci",
    "eyJ0eXAi",
    "eyJraWQi",
    "ghp_",
    "github_pat_",
    "glpat-",
    "hvs.",
    "mongodb",
    "password",
    "postgres",
    "private_key",
    "rk_live_",
    "sk-ant-",
    "sk_live_",
    "xoxb-",
    "xoxp-",
];

/// Base64 of gzip, and base64 of that: always at the start of a run.
const PACKED: [&str; 2] = ["H4sI", "SDRzS"];

const PERCENT: [&str; 6] = ["%22auth", "%22private_key", "%3a%2f%2f", "%67%68%70%5f", "-----begin%20", "-----begin+"];
const ESCAPES: [&str; 11] = [
    "&#45;&#45;",
    "&quot;auth",
    "&quot;private_key",
    ":\\/\\/",
    "\\\"auth",
    "\\\"private_key",
    "\\u002d\\u002d",
    "\\u0022auth",
    "\\u0067\\u0068\\u0070",
    "\\x2d\\x2d",
    "\\x67\\x68\\x70",
];

/// Base64 that is shorter than this holds no credential.
const LEAST_BASE64: usize = 16;
const LEAST_HEX: usize = 32;
const LEAST_ESCAPES: usize = 3;
/// No credential that a word of its own tells is shorter.
const LEAST_JOINED: usize = 20;

impl Decoder {
    /// One that knows the prefixes of these rules as well.
    pub fn new(rules: &Ruleset, mode: Decode) -> Self {
        let is_prefix = |word: &&str| word.len() >= 5 && word.ends_with(['_', '-', '.']);
        let of_rules = rules.iter().filter(|(_, rule)| rule.pattern.is_some()).flat_map(|(_, rule)| &rule.keywords);
        let mut words: Vec<&str> = WORDS.to_vec();
        words.extend(of_rules.map(String::as_str).filter(is_prefix));
        words.sort_unstable();
        words.dedup();
        let mut keywords = Vec::new();
        let mut images = Vec::new();
        let mut add = |keyword: &str, image: Image| {
            // An engine has one decoder and lives as long as the program.
            keywords.push(&*keyword.to_ascii_lowercase().leak());
            images.push(image);
        };
        for word in &words {
            for before in 0..3 {
                let (digits, before) = base64_image(word.as_bytes(), before);
                // Shorter ones stand in every second file.
                if digits.len() >= 4 {
                    add(&digits.clone(), Image::Base64 { digits, before });
                }
            }
        }
        // What is encoded twice is so from its start.
        for word in WORDS {
            let (once, _) = base64_image(word.as_bytes(), 0);
            let (digits, before) = base64_image(once.as_bytes(), 0);
            add(&digits.clone(), Image::Base64 { digits, before });
        }
        for word in PACKED {
            add(word, Image::Base64 { digits: word.to_owned(), before: 0 });
        }
        for word in WORDS {
            let digits: String = word.bytes().map(|byte| format!("{byte:02x}")).collect();
            add(&digits, Image::Hex);
        }
        PERCENT.iter().for_each(|word| add(word, Image::Percent));
        ESCAPES.iter().for_each(|word| add(word, Image::Escapes));
        add("quoted-printable", Image::QuotedPrintable);
        INVISIBLE.iter().for_each(|word| add(word, Image::Invisible));
        JOINTS.iter().for_each(|word| add(word, Image::Joined));
        Self { mode, keywords, images }
    }

    /// The run that a hit stands in, if it is one.
    fn run_at(&self, bytes: &[u8], hit: &Hit, floor: usize) -> Option<Run> {
        match &self.images[hit.keyword] {
            Image::Base64 { digits, before } => {
                if &bytes[hit.start..hit.end] != digits.as_bytes() {
                    return None;
                }
                let is_digit = |byte: u8| base64_digit(byte).is_some();
                let span = lines_around(bytes, hit.start..hit.end, floor, is_digit);
                // The digits before the image must be whole groups and those of its own: what is over belongs to something else.
                let ahead = bytes[span.start..hit.start].iter().filter(|byte| is_digit(**byte)).count();
                let odd = (ahead + 4 - before) % 4;
                if ahead < *before {
                    return None;
                }
                let mut start = span.start;
                for _ in 0..odd {
                    start += 1 + bytes[start + 1..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
                }
                Some(Run { encoding: Encoding::Base64, span: start..with_padding(bytes, span.end) })
            }
            Image::Hex => {
                let span = around(bytes, hit.start..hit.end, floor, |byte| byte.is_ascii_hexdigit());
                let start = span.start + (hit.start - span.start) % 2;
                Some(Run { encoding: Encoding::Hex, span: start..span.end })
            }
            Image::Percent => {
                let span = around(bytes, hit.start..hit.end, floor, is_url_byte);
                Some(Run { encoding: Encoding::Percent, span })
            }
            Image::Escapes => {
                let span = string_around(bytes, hit.start..hit.end, floor);
                Some(Run { encoding: Encoding::Escapes, span })
            }
            Image::QuotedPrintable => Some(Run { encoding: Encoding::QuotedPrintable, span: hit.end..bytes.len() }),
            // Only what parts a word hides something: an emoji is made with such a character too, and a text may begin with one.
            Image::Invisible => {
                let is_word =
                    |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(|byte| is_token_byte(*byte));
                let parts = is_word(hit.start.checked_sub(1)) && is_word(Some(hit.end));
                let span = || around(bytes, hit.start..hit.end, floor, |byte| is_token_byte(byte) || !byte.is_ascii());
                parts.then(|| Run { encoding: Encoding::Invisible, span: span() })
            }
            Image::Joined => {
                let span = codec::joint_span(bytes, hit.start, floor)?;
                (span.len() >= LEAST_JOINED).then_some(Run { encoding: Encoding::Joined, span })
            }
        }
    }
}

impl Detector for Decoder {
    fn keywords(&self) -> &[&str] {
        &self.keywords
    }

    fn reach(&self) -> Reach {
        Reach::Document
    }

    fn always(&self) -> bool {
        self.mode == Decode::All
    }

    fn look(&self, text: &Text<'_>, hits: &[Hit], seen: &mut Seen<'_>) {
        // What the text's structure says to decode.
        let mut taken = Taken::new(seen.inner.iter().filter(|inner| !inner.layers.is_empty()).map(|inner| &inner.span));
        if self.mode == Decode::All {
            let mut more = Vec::new();
            for run in all_runs(text.bytes).into_iter().filter(|run| !taken.holds(&run.span)) {
                if seen.budget.is_spent() {
                    seen.budget.fall_short();
                    return;
                }
                if let Some(inner) = run.decode(text, seen.budget).filter(|inner| is_text(&inner.bytes)) {
                    more.push(inner);
                }
            }
            taken = Taken::new(taken.0.iter().chain(more.iter().map(|inner| &inner.span)));
            seen.inner.extend(more);
        }
        // Each byte is looked at once for each encoding, whatever the number of hits in a run.
        let mut done = [0; 7];
        for hit in hits {
            let encoding = match &self.images[hit.keyword] {
                Image::Base64 { .. } => Encoding::Base64,
                Image::Hex => Encoding::Hex,
                Image::Percent => Encoding::Percent,
                Image::Escapes => Encoding::Escapes,
                Image::QuotedPrintable => Encoding::QuotedPrintable,
                Image::Invisible => Encoding::Invisible,
                Image::Joined => Encoding::Joined,
            };
            let done = &mut done[encoding as usize];
            if hit.start < *done {
                continue;
            }
            let Some(run) = self.run_at(text.bytes, hit, *done) else { continue };
            *done = run.span.end;
            if !taken.holds(&run.span) {
                seen.inner.extend(run.decode(text, seen.budget));
            }
        }
    }
}

/// What is decoded already, by where it starts.
struct Taken(Vec<Range<usize>>);

impl Taken {
    fn new<'s>(spans: impl Iterator<Item = &'s Range<usize>>) -> Self {
        let mut spans: Vec<Range<usize>> = spans.cloned().collect();
        spans.sort_unstable_by_key(|span| span.start);
        Self(spans)
    }

    fn holds(&self, span: &Range<usize>) -> bool {
        let before = self.0.partition_point(|taken| taken.start <= span.start);
        before.checked_sub(1).is_some_and(|last| span.end <= self.0[last].end)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Base64,
    Hex,
    Percent,
    Escapes,
    QuotedPrintable,
    Invisible,
    Joined,
}

/// An encoded run.
#[derive(Debug)]
struct Run {
    encoding: Encoding,
    span: Range<usize>,
}

impl Run {
    /// The text that it holds, unpacked where that is gzip.
    fn decode(self, text: &Text<'_>, budget: &mut Budget) -> Option<Inner> {
        let Self { encoding, span } = self;
        if text.depth >= budget.layers {
            budget.fall_short();
            return None;
        }
        let (layer, least) = match encoding {
            Encoding::Base64 => (Layer::Base64, LEAST_BASE64),
            Encoding::Hex => (Layer::Hex, LEAST_HEX),
            Encoding::Percent => (Layer::Percent, LEAST_ESCAPES),
            Encoding::Escapes => (Layer::Escapes, LEAST_ESCAPES),
            Encoding::QuotedPrintable => (Layer::QuotedPrintable, 1),
            Encoding::Invisible => (Layer::Invisible, LEAST_JOINED),
            Encoding::Joined => (Layer::Joined, LEAST_JOINED),
        };
        if span.len() < least {
            return None;
        }
        // What comes out is never longer than what goes in.
        if !budget.take_run(span.len()) {
            return None;
        }
        let (bytes, positions) = match encoding {
            Encoding::Base64 => codec::base64(text.bytes, span.clone())?,
            Encoding::Hex => codec::hex(text.bytes, span.clone())?,
            Encoding::Percent => codec::percent(text.bytes, span.clone()),
            Encoding::Escapes => codec::escapes(text.bytes, span.clone()),
            Encoding::QuotedPrintable => codec::quoted_printable(text.bytes, span.clone()),
            Encoding::Invisible => codec::without(text.bytes, span.clone(), &INVISIBLE),
            Encoding::Joined => codec::joined(text.bytes, span.clone()),
        };
        let inner = Inner { bytes, span, positions, layers: vec![layer], key_path: None };
        Some(unpacked(inner, text.depth, budget))
    }
}

/// What a text holds where it is gzip; else the text itself.
pub fn unpacked(inner: Inner, depth: usize, budget: &mut Budget) -> Inner {
    if !inner.bytes.starts_with(&[0x1f, 0x8b, 8]) || depth + inner.layers.len() >= budget.layers {
        return inner;
    }
    let Some((bytes, all)) = codec::gunzip(&inner.bytes, budget.bytes_left()) else { return inner };
    if !all || !budget.take(bytes.len()) {
        budget.fall_short();
    }
    let mut layers = inner.layers;
    layers.push(Layer::Gzip);
    Inner { bytes, positions: Positions::Whole, layers, ..inner }
}

/// The digits of base64 that a word always has when `before` bytes of its group stand ahead of it, and how many digits of the
/// group then stand ahead of these.
fn base64_image(word: &[u8], before: usize) -> (String, usize) {
    use base64::Engine as _;
    let padded: Vec<u8> = std::iter::repeat_n(0, before).chain(word.iter().copied()).collect();
    let digits = base64::engine::general_purpose::STANDARD_NO_PAD.encode(&padded);
    let first = (before * 8).div_ceil(6);
    let last = padded.len() * 8 / 6;
    (digits[first..last].to_owned(), first)
}

/// As far around `hit` as bytes are of a class, not below `floor`.
fn around(bytes: &[u8], hit: Range<usize>, floor: usize, of_class: impl Fn(u8) -> bool) -> Range<usize> {
    let ahead = bytes[floor.min(hit.start)..hit.start].iter().rev().take_while(|byte| of_class(**byte)).count();
    let behind = bytes[hit.end..].iter().take_while(|byte| of_class(**byte)).count();
    hit.start - ahead..hit.end + behind
}

/// As [`around`], also over line breaks where whole lines are of the class, as they are where base64 is wrapped.
fn lines_around(bytes: &[u8], hit: Range<usize>, floor: usize, of_class: impl Fn(u8) -> bool + Copy) -> Range<usize> {
    let mut span = around(bytes, hit, floor, of_class);
    loop {
        let rest = &bytes[span.end..];
        let line_break = usize::from(rest.first() == Some(&b'\r')) + 1;
        if rest.get(line_break - 1) != Some(&b'\n') {
            break;
        }
        let blanks = rest[line_break..].iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let next = span.end + line_break + blanks;
        let end = next + bytes[next..].iter().take_while(|byte| of_class(**byte)).count();
        let padding = bytes[end..].iter().take(2).take_while(|byte| **byte == b'=').count();
        // A line that goes on behind the digits is text: its first word is none of ours.
        let is_whole = end > next && bytes.get(end + padding).is_none_or(|byte| b"\r\n\"'".contains(byte));
        if !is_whole {
            break;
        }
        span.end = end;
        if padding > 0 {
            break;
        }
    }
    loop {
        let head = &bytes[floor.min(span.start)..span.start];
        let blanks = head.iter().rev().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let head = &head[..head.len() - blanks];
        let Some(head) = head.strip_suffix(b"\r\n").or_else(|| head.strip_suffix(b"\n")) else { break };
        let digits = head.iter().rev().take_while(|byte| of_class(**byte)).count();
        let rest = &head[..head.len() - digits];
        let indent = rest.iter().rev().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let is_whole = rest.len() == indent || rest[rest.len() - indent - 1] == b'\n';
        // The line of a key, or a short word, is not one of a wrapped text.
        if !is_whole || digits < LEAST_BASE64 {
            break;
        }
        span.start = floor.min(span.start) + head.len() - digits;
    }
    span
}

/// Where the padding behind base64 ends.
fn with_padding(bytes: &[u8], end: usize) -> usize {
    end + bytes[end..].iter().take(2).take_while(|byte| **byte == b'=').count()
}

/// The quoted string around `hit`, or its line where it is in none; not below `floor`.
fn string_around(bytes: &[u8], hit: Range<usize>, floor: usize) -> Range<usize> {
    let is_end = |at: usize| match bytes[at] {
        b'\n' => true,
        b'"' => {
            let slashes = bytes[..at].iter().rev().take(64).take_while(|byte| **byte == b'\\').count();
            slashes % 2 == 0
        }
        _ => false,
    };
    let floor = floor.min(hit.start);
    let start = (floor..hit.start).rev().find(|at| is_end(*at)).map_or(floor, |at| at + 1);
    let end = (hit.end..bytes.len()).find(|at| is_end(*at)).unwrap_or(bytes.len());
    start..end
}

/// Whether a byte may be one of a credential.
pub fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-+/=.".contains(&byte)
}

fn is_url_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"%-._~+!*'():@/=&;,$?".contains(&byte)
}

/// Every run of a text that may be encoded.
fn all_runs(bytes: &[u8]) -> Vec<Run> {
    let mut runs = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if base64_digit(bytes[at]).is_none() {
            at += 1;
            continue;
        }
        let span = lines_around(bytes, at..at + 1, at, |byte| base64_digit(byte).is_some());
        at = span.end;
        let is_hex = span.len() % 2 == 0 && bytes[span.clone()].iter().all(u8::is_ascii_hexdigit);
        if is_hex && span.len() >= LEAST_HEX {
            runs.push(Run { encoding: Encoding::Hex, span });
        } else if span.len() >= LEAST_BASE64 {
            at = with_padding(bytes, span.end);
            runs.push(Run { encoding: Encoding::Base64, span: span.start..at });
        }
    }
    for (mark, encoding) in [(b'%', Encoding::Percent), (b'\\', Encoding::Escapes), (b'&', Encoding::Escapes)] {
        let mut done = 0;
        for hit in memchr::memchr_iter(mark, bytes) {
            if hit < done {
                continue;
            }
            let span = match encoding {
                Encoding::Percent => around(bytes, hit..hit + 1, done, is_url_byte),
                _ => string_around(bytes, hit..hit + 1, done),
            };
            done = span.end;
            if memchr::memchr_iter(mark, &bytes[span.clone()]).count() >= LEAST_ESCAPES {
                runs.push(Run { encoding, span });
            }
        }
    }
    runs.sort_by_key(|run| run.span.start);
    runs
}

/// Whether bytes are text for the most part, or start as something that holds keys.
fn is_text(bytes: &[u8]) -> bool {
    if bytes.starts_with(b"openssh-key-v1") || bytes.starts_with(&[0x30, 0x82]) {
        return true;
    }
    let odd = bytes.iter().filter(|byte| !(byte.is_ascii_graphic() || byte.is_ascii_whitespace())).count();
    odd * 10 <= bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_images_of_a_word() {
        use base64::Engine as _;
        for word in WORDS {
            for before in 0..3 {
                let (digits, ahead) = base64_image(word.as_bytes(), before);
                for filler in [b'a', 0, 0xff] {
                    let text: Vec<u8> =
                        std::iter::repeat_n(filler, before).chain(word.bytes()).chain([filler, filler]).collect();
                    let encoded = base64::engine::general_purpose::STANDARD.encode(text);
                    assert_eq!(encoded[ahead..ahead + digits.len()], digits, "{word} behind {before}");
                }
            }
        }
        assert_eq!(base64_image(b"ghp_", 0), ("Z2hwX".to_owned(), 0));
    }

    #[test]
    fn wrapped_lines_are_one_run_and_words_are_not() {
        let digit = |byte: u8| base64_digit(byte).is_some();
        let text = b"key: |\n  QUJDREVGR0hJSktMTU5P\n  UFFSU1RVVldYWVo=\nnext: word\n";
        for hit in [20, 35] {
            let span = lines_around(text, hit..hit + 1, 0, digit);
            assert_eq!(&text[span], b"QUJDREVGR0hJSktMTU5P\n  UFFSU1RVVldYWVo");
        }
        let text = b"data: QUJDREVGR0hJSktMTU5P\nother: x\n";
        assert_eq!(&text[lines_around(text, 10..11, 0, digit)], b"QUJDREVGR0hJSktMTU5P");
    }

    #[test]
    fn a_string_ends_at_its_own_quotes() {
        let text = br#"{"a": "{\"auths\":{\"x\":1}}", "b": 2}"#;
        let at = text.windows(4).position(|window| window == b"auth").unwrap_or_default();
        assert_eq!(&text[string_around(text, at..at + 4, 0)], br#"{\"auths\":{\"x\":1}}"#);
    }
}
