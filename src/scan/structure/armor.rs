//! Text armor, `-----BEGIN …-----`, in all the places people put it: files, indented blocks, strings with `\n`, concatenations.

use std::ops::Range;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

/// A block of armor.
pub struct Armor {
    /// The words behind `BEGIN`.
    pub label: String,
    /// From the first dash to behind the last one; without an end line up to the last line of base64.
    pub span: Range<usize>,
    /// Whether the end line is there.
    pub is_closed: bool,
    /// What the base64 says; none where it is not base64.
    pub bytes: Option<Zeroizing<Vec<u8>>>,
    /// Headers, `name: value`.
    pub headers: Vec<String>,
    /// The digits behind a `=` on a line of their own.
    pub checksum: Option<String>,
    /// The block as a file has it, a line a line.
    pub text: Zeroizing<Vec<u8>>,
}

/// Lenient: what is cut out of a text has lost its padding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// No honest block is longer.
const MAX_LEN: usize = 64 * 1024;
const BEGIN: &[u8] = b"-----BEGIN ";

impl Armor {
    /// The block whose first line ends at `label_end`; none where that is no first line, or no base64 follows.
    pub fn at(bytes: &[u8], label_end: usize) -> Option<Self> {
        let head = &bytes[label_end.saturating_sub(80)..label_end];
        let begin = memchr::memmem::rfind(head, BEGIN)? + label_end - head.len();
        let label = std::str::from_utf8(&bytes[begin + BEGIN.len()..label_end]).ok()?;
        let label = label.trim_end_matches('-');
        if label.is_empty()
            || !label.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b' ')
        {
            return None;
        }
        let rest = &bytes[label_end..(label_end + MAX_LEN).min(bytes.len())];
        let end_line = format!("-----END {label}-----");
        // The next beginning ends what has no end of its own.
        let next = memchr::memmem::find(rest, BEGIN).unwrap_or(rest.len());
        let end = memchr::memmem::find(&rest[..next], end_line.as_bytes());
        let body = &rest[..end.unwrap_or(next)];
        let mut armor = Self {
            label: label.to_owned(),
            span: begin..label_end,
            is_closed: end.is_some(),
            bytes: None,
            headers: Vec::new(),
            checksum: None,
            text: Zeroizing::new([BEGIN, label.as_bytes(), b"-----\n"].concat()),
        };
        let used = armor.read(body);
        if let Some(end) = end {
            armor.span.end = label_end + end + end_line.len();
            armor.text.extend_from_slice(end_line.as_bytes());
        } else {
            armor.span.end = label_end + used;
        }
        armor.bytes.is_some().then_some(armor)
    }

    /// Reads the lines between the first and the last; gives the offset behind the last line of base64.
    fn read(&mut self, body: &[u8]) -> usize {
        let mut digits = Zeroizing::new(Vec::with_capacity(body.len()));
        let mut used = 0;
        for line in lines(body) {
            let stripped = strip(&body[line.clone()]);
            if stripped.is_empty() {
                continue;
            }
            let is_header = memchr::memmem::find(stripped, b": ").is_some();
            let is_base64 = |line: &[u8]| {
                let content = line.strip_suffix(b"==").or_else(|| line.strip_suffix(b"=")).unwrap_or(line);
                content.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
            };
            if is_header && digits.is_empty() {
                self.headers.push(String::from_utf8_lossy(stripped).into_owned());
            } else if let Some(checksum) = stripped.strip_prefix(b"=").filter(|rest| rest.len() == 4) {
                self.checksum = std::str::from_utf8(checksum).ok().map(str::to_owned);
            } else if is_base64(stripped) {
                digits.extend_from_slice(stripped);
            } else if self.is_closed {
                // Between two good lines stands something else: the block is not one.
                digits.clear();
                break;
            } else {
                break;
            }
            self.text.extend_from_slice(stripped);
            self.text.push(b'\n');
            used = line.end;
        }
        if digits.len() >= LEAST_DIGITS {
            self.bytes = LENIENT.decode(digits.as_slice()).ok().map(Zeroizing::new);
        }
        used
    }
}

/// Fewer digits of base64 are a stand-in for a key.
const LEAST_DIGITS: usize = 40;

/// The lines of a block: ended by a line break, or by `\n` as strings have it, however often escaped.
fn lines(body: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at;
        if start >= body.len() {
            return None;
        }
        while at < body.len() {
            match body[at] {
                b'\n' => break,
                b'\\' if matches!(body.get(at + 1), Some(b'n' | b'r' | b'\\')) => break,
                _ => at += 1,
            }
        }
        let end = at;
        while body.get(at) == Some(&b'\\') {
            at += 1;
        }
        at += 1;
        Some(start..end)
    })
}

/// A line without what is around it: indentation, quotes, marks of comments, and what concatenates strings.
fn strip(line: &[u8]) -> &[u8] {
    let line = line.trim_ascii();
    let quoted = line.iter().any(|byte| matches!(byte, b'"' | b'\'' | b'`'));
    let around = |byte: u8| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'`' | b',' | b';' | b'\\');
    let joins = |byte: u8| quoted && matches!(byte, b'+' | b'.' | b'(' | b')');
    let marks = |byte: u8| matches!(byte, b'#' | b'*' | b'>' | b'|');
    let start = line.iter().position(|byte| !(around(*byte) || joins(*byte) || marks(*byte))).unwrap_or(line.len());
    // `//` marks a comment; base64 may start with one of them.
    let start = if line[start..].starts_with(b"// ") { start + 3 } else { start };
    let mut end = line.len();
    let mut outside = quoted;
    while end > start {
        let byte = line[end - 1];
        if around(byte) {
            outside &= !matches!(byte, b'"' | b'\'' | b'`');
        } else if !(outside && joins(byte)) {
            break;
        }
        end -= 1;
    }
    &line[start..end]
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const BODY: [&str; 2] = ["MC4CAQAwBQYDK2VwBCIEIC+canarycanarycanarycanaryA", "canarycanary+w=="];

    fn read(text: &str) -> Option<Armor> {
        let end = text.find("KEY-----").unwrap() + "KEY-----".len();
        Armor::at(text.as_bytes(), end)
    }

    #[test]
    fn one_block_in_every_spelling() {
        let [one, two] = BODY;
        let (begin, end) = ("-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----");
        let plain = format!("{begin}\n{one}\n{two}\n{end}");
        for text in [
            format!("{plain}\n"),
            format!("{begin}\r\n{one}\r\n{two}\r\n{end}"),
            format!("key: |\n  {begin}\n  {one}\n  {two}\n  {end}\n"),
            format!("{{\"k\": \"{begin}\\n{one}\\n{two}\\n{end}\\n\"}}"),
            format!("\"{{\\\"k\\\": \\\"{begin}\\\\n{one}\\\\n{two}\\\\n{end}\\\\n\\\"}}\""),
            format!("k = \"{begin}\\n\" +\n    \"{one}\\n\" +\n    \"{two}\\n\" +\n    \"{end}\\n\";"),
            format!("# {begin}\n# {one}\n# {two}\n# {end}\n"),
            format!("k = ['{begin}',\n '{one}',\n '{two}',\n '{end}']"),
        ] {
            let armor = read(&text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(std::str::from_utf8(&armor.text).unwrap(), plain, "{text}");
            assert!(armor.is_closed && text[armor.span].ends_with(end));
        }
        let cut = format!("{begin}\n{one}\n{two}\nand so on\n");
        let armor = read(&cut).unwrap();
        assert!(!armor.is_closed && cut[armor.span].ends_with(two));
    }

    #[test]
    fn lines_about_armor_are_none() {
        for text in [
            "if line == \"-----BEGIN PRIVATE KEY-----\" { \"-----END PRIVATE KEY-----\" }",
            "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----",
            "-----BEGIN PRIVATE KEY-----",
            "PRIVATE KEY-----",
        ] {
            assert!(read(text).is_none(), "{text}");
        }
    }
}
