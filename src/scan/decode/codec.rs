//! The encodings themselves: bytes in, decoded bytes and their positions out.
//!
//! None of them insists on padding, line lengths or clean ends, as leaked bytes are cut out of anything.

use std::io::Read as _;
use std::ops::Range;

use zeroize::Zeroizing;

use super::inner::Positions;
use super::runs::is_token_byte;

/// Decoded bytes and where they stand.
pub type Decoded = (Zeroizing<Vec<u8>>, Positions);

/// What a digit of base64 stands for, in the standard or the URL-safe alphabet.
pub fn base64_digit(byte: u8) -> Option<u8> {
    Some(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    })
}

fn hex_digit(byte: u8) -> Option<u8> {
    (byte as char).to_digit(16).map(|digit| digit as u8)
}

/// Base64 in `text[span]`, line breaks and blanks passed over, up to the padding. None where anything else stands in it.
pub fn base64(text: &[u8], span: Range<usize>) -> Option<Decoded> {
    digits(text, span, 6, |byte| base64_digit(byte).map(u32::from))
}

/// Hexadecimal in `text[span]`, blanks passed over.
pub fn hex(text: &[u8], span: Range<usize>) -> Option<Decoded> {
    digits(text, span, 4, |byte| hex_digit(byte).map(u32::from))
}

fn digits(text: &[u8], span: Range<usize>, bits: usize, digit: impl Fn(u8) -> Option<u32>) -> Option<Decoded> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(span.len() * bits / 8));
    let mut gaps: Vec<(usize, usize)> = Vec::new();
    let (mut held, mut held_bits, mut count) = (0u32, 0, 0usize);
    let skipped = text[span.clone()].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    let start = span.start + skipped;
    for (offset, byte) in text[start..span.end].iter().enumerate() {
        if byte.is_ascii_whitespace() {
            continue;
        }
        if *byte == b'=' && text[start + offset..span.end].iter().all(|byte| b"= \t\r\n".contains(byte)) {
            break;
        }
        let missing = offset - count;
        if missing > gaps.last().map_or(0, |(_, up_to)| *up_to) {
            gaps.push((count, missing));
        }
        held = held << bits | digit(*byte)?;
        held_bits += bits;
        count += 1;
        if held_bits >= 8 {
            held_bits -= 8;
            bytes.push((held >> held_bits) as u8);
            held &= (1 << held_bits) - 1;
        }
    }
    Some((bytes, Positions::Digits { bits, start, gaps }))
}

/// `%XX` in `text[span]`; other bytes stand for themselves, `+` for a blank.
pub fn percent(text: &[u8], span: Range<usize>) -> Decoded {
    units(text, span, |rest| match rest {
        [b'%', high, low, ..] => match (hex_digit(*high), hex_digit(*low)) {
            (Some(high), Some(low)) => Some((3, char::from(high << 4 | low), true)),
            _ => None,
        },
        [b'+', ..] => Some((1, ' ', true)),
        _ => None,
    })
}

/// Quoted-printable in `text[span]`: `=XX`, and line breaks behind `=`, which stand for nothing.
pub fn quoted_printable(text: &[u8], span: Range<usize>) -> Decoded {
    units(text, span, |rest| match rest {
        [b'=', b'\n', ..] => Some((2, '\0', false)),
        [b'=', b'\r', b'\n', ..] => Some((3, '\0', false)),
        [b'=', high, low, ..] => match (hex_digit(*high), hex_digit(*low)) {
            (Some(high), Some(low)) => Some((3, char::from(high << 4 | low), true)),
            _ => None,
        },
        _ => None,
    })
}

/// The escapes of strings in source code and JSON (`\n`, `\"`, `\/`, `\xXX`, `\uXXXX`) and HTML entities in `text[span]`.
pub fn escapes(text: &[u8], span: Range<usize>) -> Decoded {
    let mut bytes = Zeroizing::new(Vec::with_capacity(span.len()));
    let mut starts = Vec::with_capacity(span.len() + 1);
    let mut at = span.start;
    while at < span.end {
        let rest = &text[at..span.end];
        let (len, value) = escape(rest).unwrap_or((1, None));
        let mut buffer = [0; 4];
        let value: &[u8] = match value {
            Some(value) => value.encode_utf8(&mut buffer).as_bytes(),
            None => &rest[..1],
        };
        for byte in value {
            bytes.push(*byte);
            starts.push(at as u32);
        }
        at += len;
    }
    starts.push(span.end as u32);
    (bytes, Positions::Units(starts))
}

/// The escape that a text starts with: its length and what it stands for.
fn escape(text: &[u8]) -> Option<(usize, Option<char>)> {
    let code = |digits: &[u8], radix| {
        let digits = std::str::from_utf8(digits).ok()?;
        char::from_u32(u32::from_str_radix(digits, radix).ok()?)
    };
    let (len, value) = match text {
        [b'\\', b'x', digits @ ..] => (4, code(digits.get(..2)?, 16)?),
        [b'\\', b'u', b'{', digits @ ..] => {
            let len = digits.iter().take(7).position(|byte| *byte == b'}')?;
            (4 + len, code(&digits[..len], 16)?)
        }
        [b'\\', b'u', digits @ ..] => {
            let first = u32::from_str_radix(std::str::from_utf8(digits.get(..4)?).ok()?, 16).ok()?;
            match char::from_u32(first) {
                Some(value) => (6, value),
                None => match digits.get(4..) {
                    // A surrogate pair.
                    Some([b'\\', b'u', low @ ..]) => {
                        let low = u32::from_str_radix(std::str::from_utf8(low.get(..4)?).ok()?, 16).ok()?;
                        let pair = 0x10000 + ((first & 0x3ff) << 10) + (low & 0x3ff);
                        (12, char::from_u32(pair)?)
                    }
                    _ => return None,
                },
            }
        }
        [b'\\', b'n', ..] => (2, '\n'),
        [b'\\', b'r', ..] => (2, '\r'),
        [b'\\', b't', ..] => (2, '\t'),
        [b'\\', value @ (b'\\' | b'"' | b'\'' | b'/'), ..] => (2, char::from(*value)),
        [b'&', b'#', digits @ ..] => {
            let len = digits.iter().take(8).position(|byte| *byte == b';')?;
            match &digits[..len] {
                [b'x' | b'X', digits @ ..] => (3 + len, code(digits, 16)?),
                digits => (3 + len, code(digits, 10)?),
            }
        }
        [b'&', ..] => {
            let named = [("&quot;", '"'), ("&amp;", '&'), ("&lt;", '<'), ("&gt;", '>'), ("&apos;", '\'')];
            let (name, value) = named.into_iter().find(|(name, _)| text.starts_with(name.as_bytes()))?;
            (name.len(), value)
        }
        _ => return None,
    };
    Some((len, Some(value)))
}

/// Undoes units of several bytes: `unit` gives their length, the byte they stand for and whether they stand for one.
fn units(text: &[u8], span: Range<usize>, unit: impl Fn(&[u8]) -> Option<(usize, char, bool)>) -> Decoded {
    let mut bytes = Zeroizing::new(Vec::with_capacity(span.len()));
    let mut starts = Vec::with_capacity(span.len() + 1);
    let mut at = span.start;
    while at < span.end {
        let (len, value, stands) = unit(&text[at..span.end]).unwrap_or((1, char::from(text[at]), true));
        if stands {
            bytes.push(value as u8);
            starts.push(at as u32);
        }
        at += len;
    }
    starts.push(span.end as u32);
    (bytes, Positions::Units(starts))
}

/// A run without some characters that stand in it.
pub fn without(text: &[u8], span: Range<usize>, characters: &[&str]) -> Decoded {
    let mut bytes = Zeroizing::new(Vec::with_capacity(span.len()));
    let mut starts = Vec::with_capacity(span.len());
    let mut at = span.start;
    while at < span.end {
        if let Some(one) = characters.iter().find(|one| text[at..span.end].starts_with(one.as_bytes())) {
            at += one.len();
            continue;
        }
        bytes.push(text[at]);
        starts.push(at as u32);
        at += 1;
    }
    starts.push(span.end as u32);
    (bytes, Positions::Units(starts))
}

/// The run of words that is one string, put together at the joint at `at`, which is the end of one of them. Not below `floor`.
pub fn joint_span(text: &[u8], at: usize, floor: usize) -> Option<Range<usize>> {
    let word =
        |bytes: &mut dyn Iterator<Item = &u8>| bytes.take(MAX_WORD).take_while(|byte| is_token_byte(**byte)).count();
    let start = at - word(&mut text[floor.min(at)..at].iter().rev());
    let mut end = at;
    while let Some(next) = behind_joint(text, end) {
        match word(&mut text[next..].iter()) {
            0 => break,
            len => end = next + len,
        }
    }
    (start < at && end > at).then_some(start..end)
}

/// Such a run without its joints.
pub fn joined(text: &[u8], span: Range<usize>) -> Decoded {
    let mut bytes = Zeroizing::new(Vec::with_capacity(span.len()));
    let mut starts = Vec::with_capacity(span.len());
    let mut at = span.start;
    while at < span.end {
        match behind_joint(text, at).filter(|_| !is_token_byte(text[at])) {
            Some(next) => at = next,
            None => {
                bytes.push(text[at]);
                starts.push(at as u32);
                at += 1;
            }
        }
    }
    starts.push(span.end as u32);
    (bytes, Positions::Units(starts))
}

/// Where a string goes on behind the end of one of its parts: `" + "`, or a line that ends with a backslash.
fn behind_joint(text: &[u8], at: usize) -> Option<usize> {
    let gap = |from: usize, of: &[u8]| text[from..].iter().take(MAX_GAP).take_while(|byte| of.contains(byte)).count();
    match *text.get(at)? {
        quote @ (b'"' | b'\'') => {
            let len = gap(at + 1, b" \t\r\n+.&\\");
            (len > 0 && text.get(at + 1 + len) == Some(&quote)).then_some(at + len + 2)
        }
        b'\\' => {
            let line_break = usize::from(text.get(at + 1) == Some(&b'\r')) + 1;
            let next = at + line_break + 1;
            (text.get(at + line_break) == Some(&b'\n')).then(|| next + gap(next, b" \t"))
        }
        _ => None,
    }
}

/// A part of a string that is put together is no longer.
const MAX_WORD: usize = 4096;

/// What stands between two of them is no longer.
const MAX_GAP: usize = 128;

/// UTF-16 as UTF-8: with a byte order mark, or where it begins with letters that are not beyond ASCII. None where the bytes are
/// something else.
pub fn utf16(text: &[u8]) -> Option<Decoded> {
    let (unit, start): (fn([u8; 2]) -> u16, usize) = match text {
        [0xff, 0xfe, ..] => (u16::from_le_bytes, 2),
        [0xfe, 0xff, ..] => (u16::from_be_bytes, 2),
        [_, 0, ..] if is_plain_utf16(text) => (u16::from_le_bytes, 0),
        [0, _, ..] if is_plain_utf16(text) => (u16::from_be_bytes, 0),
        _ => return None,
    };
    let units = text[start..].chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len() / 2));
    let mut starts = Vec::with_capacity(text.len() / 2);
    let mut at = start;
    for decoded in char::decode_utf16(units) {
        let len = decoded.as_ref().map_or(1, |value| value.len_utf16());
        let value = decoded.unwrap_or(char::REPLACEMENT_CHARACTER);
        let mut buffer = [0; 4];
        for byte in value.encode_utf8(&mut buffer).bytes() {
            bytes.push(byte);
            starts.push(at as u32);
        }
        at += 2 * len;
    }
    starts.push(at as u32);
    Some((bytes, Positions::Units(starts)))
}

/// Whether a text begins as UTF-16 without a byte order mark does: each of the first pairs is a letter of ASCII and a zero.
pub fn is_plain_utf16(text: &[u8]) -> bool {
    let pairs = || text.chunks_exact(2).take(16);
    let all = |letter: usize| {
        let is_letter = |byte: u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
        pairs().all(|pair| pair[1 - letter] == 0 && is_letter(pair[letter]))
    };
    pairs().count() >= 8 && (all(0) || all(1))
}

/// What gzip holds, up to `limit` bytes and a hundred times its own size; the second is whether that was all.
///
/// A stream that breaks off, as one that was cut out of a log, gives what there is.
pub fn gunzip(bytes: &[u8], limit: usize) -> Option<(Zeroizing<Vec<u8>>, bool)> {
    let limit = limit.min(bytes.len().saturating_mul(MAX_RATIO));
    let mut out = Zeroizing::new(Vec::new());
    let mut from = flate2::read::GzDecoder::new(bytes).take(limit as u64 + 1);
    let mut buffer = Zeroizing::new([0; 8192]);
    loop {
        match from.read(buffer.as_mut_slice()) {
            Ok(0) | Err(_) => break,
            Ok(read) => out.extend_from_slice(&buffer[..read]),
        }
    }
    let all = out.len() <= limit;
    out.truncate(limit);
    (!out.is_empty()).then_some((out, all))
}

/// Larger than this many times its compressed size no honest text is.
const MAX_RATIO: usize = 100;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// The outer bytes that stand for the inner text `part`.
    fn outer<'t>(text: &'t [u8], (bytes, positions): &Decoded, part: &[u8]) -> &'t [u8] {
        let at = bytes.windows(part.len()).position(|window| window == part).unwrap();
        &text[positions.outer(&(at..at + part.len()), &(0..text.len()))]
    }

    #[test]
    fn base64_of_either_alphabet_padded_or_not_over_lines() {
        for (text, expected) in [
            (&b"aGVsbG8="[..], &b"hello"[..]),
            (b"aGVsbG8", b"hello"),
            (b"-_-_", &[0xfb, 0xff, 0xbf]),
            (b"+/+/", &[0xfb, 0xff, 0xbf]),
            (b" aGVs\n  bG8=\n", b"hello"),
        ] {
            assert_eq!(&**base64(text, 0..text.len()).unwrap().0, expected);
        }
        assert!(base64(b"aGV*", 0..4).is_none() && base64(b"aG=V", 0..4).is_none());
        let text = b"aGVs\n  bG8=";
        let decoded = base64(text, 0..text.len()).unwrap();
        assert_eq!(outer(text, &decoded, b"ello"), b"GVs\n  bG8");
        assert_eq!(outer(text, &decoded, b"hel"), b"aGVs");
    }

    #[test]
    fn units_map_back_to_what_they_were() {
        let text = b"a%3Db%20c%zz+d";
        let decoded = percent(text, 0..text.len());
        assert_eq!(&**decoded.0, b"a=b c%zz d");
        assert_eq!(outer(text, &decoded, b"=b "), b"%3Db%20");
        let text = b"x=3Dy=\nz=\r\n!";
        let decoded = quoted_printable(text, 0..text.len());
        assert_eq!(&**decoded.0, b"x=yz!");
        assert_eq!(outer(text, &decoded, b"=y"), b"=3Dy=\n");
        let text = br#"\u0061\x62\"\/\n&quot;&#99;&#x64;\ud83d\ude00\u{65}&nbsp;\q"#;
        let decoded = escapes(text, 0..text.len());
        assert_eq!(&**decoded.0, "ab\"/\n\"cd\u{1f600}e&nbsp;\\q".as_bytes());
        assert_eq!(outer(text, &decoded, "\u{1f600}".as_bytes()), br"\ud83d\ude00");
    }

    #[test]
    fn utf_16_of_either_order() {
        let text: Vec<u8> = [0xff, 0xfe].into_iter().chain("aé€".encode_utf16().flat_map(u16::to_le_bytes)).collect();
        let decoded = utf16(&text).unwrap();
        assert_eq!(&**decoded.0, "aé€".as_bytes());
        assert_eq!(outer(&text, &decoded, "é".as_bytes()), &text[4..6]);
        assert!(utf16(b"plain").is_none());
        assert_eq!(&**utf16(&[0xfe, 0xff, 0, b'z']).unwrap().0, b"z");
    }

    #[test]
    fn a_bomb_ends_at_its_limit() {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        std::io::Write::write_all(&mut packed, &vec![0; 1 << 22]).unwrap();
        let packed = packed.finish().unwrap();
        let (out, all) = gunzip(&packed, 1 << 20).unwrap();
        assert!(!all && out.len() <= packed.len() * MAX_RATIO);
        assert!(gunzip(b"no gzip", 100).is_none());
    }
}
