//! The bodies of a value: how it reads once it was encoded, escaped or wrapped, and matching one where a piece of it stands.
//!
//! A body is a row of letters, each with all its spellings: so `a/b` is found as `a\/b`, `a%2Fb` and `a&#47;b`, and in any mixture
//! of them. Letters of base64 and hexadecimal digits may have line breaks between them. Finding the pieces is in
//! [`searcher`](super::searcher), what takes the place of a body in [`redact`](super::redact).

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use zeroize::Zeroizing;

/// How a value is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Encoding {
    /// As it is, or escaped for JSON, YAML, XML, C, a shell or an address.
    Text,
    /// UTF-16, little-endian.
    Utf16Le,
    /// UTF-16, big-endian.
    Utf16Be,
    /// UTF-32, little-endian.
    Utf32Le,
    /// UTF-32, big-endian.
    Utf32Be,
    /// Hexadecimal digits.
    Hex,
    /// base64, in either alphabet.
    Base64,
    /// base64 of base64.
    Base64Twice,
}

/// One body of a value. It is as secret as the value, and printed as little.
pub struct Body {
    /// How the value is written down in it.
    pub encoding: Encoding,
    /// In base64: how many bytes stand before the value in a group of three, for each layer, the innermost first.
    pub alignments: Vec<usize>,
    /// How many bytes were encoded.
    pub encoded_len: usize,
    /// Each different letter.
    letters: Vec<Letter>,
    /// All letters in order, as places in `letters`.
    row: Vec<u32>,
}

/// A piece by which a body is found: its first letter, and how it reads.
pub type Anchor = (usize, Zeroizing<Vec<u8>>);

#[derive(Default)]
struct Letter {
    /// How it is usually written.
    usual: Vec<Zeroizing<Vec<u8>>>,
    /// How it is written where everything is escaped, by [`Escape::ALL`].
    escaped: Vec<Zeroizing<Vec<u8>>>,
    /// A line may break here, and the next one be indented.
    breaks: bool,
}

/// Ways to escape every letter there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Escape {
    Percent(Case),
    /// JSON, YAML, Java: UTF-16 code units.
    Unicode(Case),
    /// C, YAML, shells: bytes.
    Byte(Case),
    Octal,
    /// XML and HTML.
    Entity(Case),
    EntityDecimal,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Case {
    Lower,
    Upper,
}

impl Escape {
    const ALL: [Self; 10] = [
        Self::Percent(Case::Upper),
        Self::Percent(Case::Lower),
        Self::Unicode(Case::Lower),
        Self::Unicode(Case::Upper),
        Self::Byte(Case::Lower),
        Self::Byte(Case::Upper),
        Self::Octal,
        Self::Entity(Case::Lower),
        Self::Entity(Case::Upper),
        Self::EntityDecimal,
    ];

    /// A letter, escaped: a character, or a byte that is part of none.
    fn of(self, raw: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let each = |form: &dyn Fn(u8) -> String| raw.iter().map(|byte| form(*byte)).collect::<String>();
        let char = std::str::from_utf8(raw).ok().and_then(|text| text.chars().next());
        let text = match self {
            Self::Percent(Case::Lower) => each(&|byte| format!("%{byte:02x}")),
            Self::Percent(Case::Upper) => each(&|byte| format!("%{byte:02X}")),
            Self::Byte(Case::Lower) => each(&|byte| format!("\\x{byte:02x}")),
            Self::Byte(Case::Upper) => each(&|byte| format!("\\x{byte:02X}")),
            Self::Octal => each(&|byte| format!("\\{byte:03o}")),
            Self::Unicode(case) => char?
                .encode_utf16(&mut [0; 2])
                .iter()
                .map(|unit| match case {
                    Case::Lower => format!("\\u{unit:04x}"),
                    Case::Upper => format!("\\u{unit:04X}"),
                })
                .collect(),
            Self::Entity(Case::Lower) => format!("&#x{:x};", u32::from(char?)),
            Self::Entity(Case::Upper) => format!("&#x{:X};", u32::from(char?)),
            Self::EntityDecimal => format!("&#{};", u32::from(char?)),
        };
        Some(Zeroizing::new(text.into_bytes()))
    }
}

/// Bodies with fewer letters are not looked for, other than as text: they would be found everywhere.
const MIN_LETTERS: usize = 6;

/// A piece has at most so many bytes.
const MAX_ANCHOR: usize = 16;

/// A piece has at most so many spellings.
const MAX_SPELLINGS: usize = 12;

/// Two pieces that lie side by side within so many bytes: a line break is in one of them at most, as no line is shorter.
const UNBROKEN: usize = 48;

/// How many places are followed at once while a body is matched.
const MAX_PLACES: usize = 128;

/// An indentation is no deeper.
const MAX_INDENT: usize = 64;

/// All bodies of a value, each once.
pub fn bodies(value: &[u8]) -> Vec<Body> {
    let mut bodies = vec![Body::text(value)];
    bodies.extend(Body::wide(value));
    // What is encoded may have been changed before it was: its line breaks, or by being put into JSON.
    let mut forms = vec![Zeroizing::new(value.to_vec())];
    if let Some(unix) = unix_breaks(value) {
        forms.push(Zeroizing::new(unix.split(|byte| *byte == b'\n').collect::<Vec<_>>().join(&b"\r\n"[..])));
        forms.push(unix);
    }
    forms.extend(forms.iter().filter_map(|form| in_json(form)).collect::<Vec<_>>());
    let in_ascii = |form: &Zeroizing<Vec<u8>>| [Case::Lower, Case::Upper].map(|case| in_ascii(form, case));
    forms.extend(forms.iter().filter(|form| !form.is_ascii()).flat_map(in_ascii).collect::<Vec<_>>());
    forms.sort_unstable_by(|one, other| one.as_slice().cmp(other));
    forms.dedup();
    for form in &forms {
        bodies.push(Body::hex(form));
        for inner in 0..3 {
            let Some(once) = core(form, inner) else { continue };
            let url: Vec<u8> = once.letters.iter().map(|letter| in_url_alphabet(*letter)).collect();
            let is_url = url != *once.letters;
            for outer in 0..3 {
                let twice =
                    |letters: &[u8]| Body::base64(letters, Encoding::Base64Twice, vec![inner, outer], form.len());
                bodies.extend(twice(&once.letters));
                bodies.extend(is_url.then(|| twice(&url)).flatten());
            }
            bodies.extend(Body::base64(form, Encoding::Base64, vec![inner], form.len()));
        }
    }
    bodies.retain(|body| body.encoding == Encoding::Text || body.row.len() >= MIN_LETTERS);
    bodies
}

/// The letters of base64 that a text alone decides, where `alignment` bytes stand before it in a group of three.
pub struct Core {
    /// These letters, in the standard alphabet.
    pub letters: Zeroizing<Vec<u8>>,
    /// The letter before them, as far as the text decides it, with which of its bits these are.
    pub before: Option<(u8, u8)>,
    /// The letter behind.
    pub behind: Option<(u8, u8)>,
}

/// The alphabet of base64 in its order.
pub const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// A letter of the standard alphabet in that for addresses and file names.
fn in_url_alphabet(letter: u8) -> u8 {
    match letter {
        b'+' => b'-',
        b'/' => b'_',
        letter => letter,
    }
}

/// The base64 of a text at an alignment; `None` where it decides no letter.
pub fn core(text: &[u8], alignment: usize) -> Option<Core> {
    let mut padded = Zeroizing::new(vec![0; alignment]);
    padded.extend_from_slice(text);
    padded.extend_from_slice(&[0; 2]);
    let sextet = |at: usize| {
        let bit = at * 6;
        let pair = u16::from_be_bytes([padded[bit / 8], padded.get(bit / 8 + 1).copied().unwrap_or(0)]);
        (pair >> (10 - bit % 8)) as u8 & 63
    };
    let (start, end) = (alignment * 8, (alignment + text.len()) * 8);
    let letters = start.div_ceil(6)..end / 6;
    if letters.is_empty() {
        return None;
    }
    let before = (start % 6 != 0).then(|| (sextet(start / 6), (1 << (6 - start % 6)) - 1));
    let behind = (end % 6 != 0).then(|| (sextet(end / 6), 63 & !((1 << (6 - end % 6)) - 1)));
    let letters = letters.map(|at| ALPHABET[usize::from(sextet(at))]).collect();
    Some(Core { letters: Zeroizing::new(letters), before, behind })
}

impl Body {
    /// The value as text, whatever it is escaped for.
    fn text(value: &[u8]) -> Self {
        let letters = characters(value).map(|raw| (raw.to_vec(), raw));
        Self::of(Encoding::Text, value.len(), letters, |raw| {
            let mut usual: Vec<Vec<u8>> = vec![raw.to_vec()];
            let escaped: Vec<_> = Escape::ALL.iter().filter_map(|escape| escape.of(raw)).collect();
            let is_plain = matches!(raw, [byte] if byte.is_ascii_alphanumeric() || b"-_.".contains(byte));
            if !is_plain {
                usual.extend(escaped.iter().map(|text| text.to_vec()));
                usual.extend(escapes(raw).into_iter().map(String::into_bytes));
            }
            let mut seen = BTreeSet::new();
            usual.retain(|text| seen.insert(text.clone()));
            let breaks = matches!(raw, b"\n" | b" ");
            Letter { usual: usual.into_iter().map(Zeroizing::new).collect(), escaped, breaks }
        })
    }

    /// The value in code units of more than one byte; nothing where it is no text.
    fn wide(value: &[u8]) -> Vec<Self> {
        let Ok(text) = std::str::from_utf8(value) else { return Vec::new() };
        let text = Zeroizing::new(text.replace("\r\n", "\n"));
        let all = [Encoding::Utf16Le, Encoding::Utf16Be, Encoding::Utf32Le, Encoding::Utf32Be];
        let body = |encoding| {
            let letters = text.chars().map(|char| (char, char));
            Self::of(encoding, value.len(), letters, |char| {
                let mut usual = vec![Zeroizing::new(wide(encoding, &char.to_string()))];
                if char == '\n' {
                    usual.push(Zeroizing::new(wide(encoding, "\r\n")));
                }
                Letter { usual, ..Letter::default() }
            })
        };
        all.into_iter().map(body).collect()
    }

    fn hex(value: &[u8]) -> Self {
        let letters = value.iter().map(|byte| (*byte, *byte));
        Self::of(Encoding::Hex, value.len(), letters, |byte| {
            let mut usual = vec![Zeroizing::new(format!("{byte:02x}").into_bytes())];
            usual.push(Zeroizing::new(format!("{byte:02X}").into_bytes()));
            usual.dedup();
            Letter { usual, ..Letter::default() }
        })
    }

    fn base64(text: &[u8], encoding: Encoding, alignments: Vec<usize>, encoded_len: usize) -> Option<Self> {
        let core = core(text, *alignments.last()?)?;
        let letters = core.letters.iter().map(|letter| (*letter, *letter));
        let body = Self::of(encoding, encoded_len, letters, |letter| {
            let usual: &[&[u8]] = match letter {
                b'+' => &[b"+", b"-", b"%2B", b"%2b", b"\\u002b", b"\\u002B"],
                b'/' => &[b"/", b"_", b"\\/", b"%2F", b"%2f"],
                _ => &[],
            };
            let mut usual: Vec<_> = usual.iter().map(|text| Zeroizing::new(text.to_vec())).collect();
            if usual.is_empty() {
                usual.push(Zeroizing::new(vec![letter]));
            }
            Letter { usual, ..Letter::default() }
        });
        Some(Self { alignments, ..body })
    }

    fn of<K: std::hash::Hash + Eq, T>(
        encoding: Encoding,
        encoded_len: usize,
        text: impl Iterator<Item = (K, T)>,
        letter: impl Fn(T) -> Letter,
    ) -> Self {
        let mut numbers: HashMap<K, u32> = HashMap::new();
        let mut letters = Vec::new();
        let row = text.map(|(key, raw)| {
            *numbers.entry(key).or_insert_with(|| {
                letters.push(letter(raw));
                letters.len() as u32 - 1
            })
        });
        let row = row.collect();
        Self { encoding, alignments: Vec::new(), encoded_len, letters, row }
    }

    /// The pieces of which at least one stands, whole, wherever the body does.
    pub fn anchors(&self) -> Vec<Anchor> {
        let length = self.row.len();
        if !self.may_be_wrapped() {
            let mut anchors = self.best_window(0..length);
            if self.encoding == Encoding::Text {
                anchors.extend(self.escaped_windows());
            }
            return anchors;
        }
        let middle = length / 2;
        let half = if self.encoding == Encoding::Hex { UNBROKEN / 4 } else { UNBROKEN / 2 };
        let mut anchors = self.best_window(middle.saturating_sub(half)..middle);
        anchors.extend(self.best_window(middle..(middle + half).min(length)));
        anchors
    }

    /// Where the body stands, if its letter `at` stands at `place`: the longest of the possible ranges.
    pub fn matches(&self, text: &[u8], at: usize, place: usize) -> Option<Range<usize>> {
        let end = self.follow(at..self.row.len(), place, |letter, from, to| {
            for from in self.across(from, |from| gap_behind(text, from)) {
                let spellings = letter.usual.iter().chain(&letter.escaped);
                to.extend(spellings.filter(|one| text[from..].starts_with(one)).map(|one| from + one.len()));
                if letter.breaks {
                    breaks_behind(text, from, to);
                }
            }
        })?;
        let start = self.follow((0..at).rev(), place, |letter, from, to| {
            for from in self.across(from, |from| gap_before(text, from)) {
                let spellings = letter.usual.iter().chain(&letter.escaped);
                to.extend(spellings.filter(|one| text[..from].ends_with(one)).map(|one| from - one.len()));
                if letter.breaks {
                    breaks_before(text, from, to);
                }
            }
        })?;
        Some(start.0..end.1)
    }

    /// The ranges of the single letters of a body that stands at `range`; it is none that lines may break in.
    pub fn letters_at(&self, text: &[u8], range: Range<usize>) -> Vec<Range<usize>> {
        let mut places = Vec::with_capacity(self.row.len());
        let mut at = range.start;
        for number in &self.row {
            let usual = &self.letters[*number as usize].usual;
            let spelt = |at: usize| usual.iter().find(|one| text[at..range.end].starts_with(one));
            let Some((from, one)) =
                [Some(at), gap_behind(text, at)].into_iter().flatten().find_map(|at| Some((at, spelt(at)?)))
            else {
                break;
            };
            at = from + one.len();
            places.push(from..at);
        }
        places
    }

    fn may_be_wrapped(&self) -> bool {
        matches!(self.encoding, Encoding::Hex | Encoding::Base64 | Encoding::Base64Twice)
    }

    /// A place, and the one across a line break if lines may break here.
    fn across(&self, from: usize, gap: impl Fn(usize) -> Option<usize>) -> impl Iterator<Item = usize> {
        let across = if self.may_be_wrapped() { gap(from) } else { None };
        std::iter::once(from).chain(across)
    }

    /// Follows letters from a place on, by all ways at once; the least and the greatest place that is reached.
    fn follow(
        &self,
        letters: impl Iterator<Item = usize>,
        place: usize,
        step: impl Fn(&Letter, usize, &mut Vec<usize>),
    ) -> Option<(usize, usize)> {
        let mut places = vec![place];
        let mut next = Vec::new();
        for at in letters {
            let letter = &self.letters[self.row[at] as usize];
            places.iter().for_each(|from| step(letter, *from, &mut next));
            next.sort_unstable();
            next.dedup();
            next.truncate(MAX_PLACES);
            std::mem::swap(&mut places, &mut next);
            next.clear();
            if places.is_empty() {
                return None;
            }
        }
        Some((*places.first()?, *places.last()?))
    }

    /// The row of letters within `range` that tells most, in all its spellings.
    fn best_window(&self, range: Range<usize>) -> Vec<Anchor> {
        let mut best: Option<(usize, Range<usize>)> = None;
        for start in range.clone() {
            let (mut bytes, mut spellings) = (0, 1);
            for end in start..range.end {
                let letter = &self.letters[self.row[end] as usize];
                spellings *= letter.usual.len();
                let shortest = letter.usual.iter().map(|text| text.len()).min().unwrap_or(0);
                // A letter at which lines break has no end of spellings; alone it is better than nothing.
                if spellings > MAX_SPELLINGS && end > start || letter.breaks && range.len() > 1 {
                    break;
                }
                bytes += shortest;
                let score = bytes.min(MAX_ANCHOR) * 4 + MAX_SPELLINGS.saturating_sub(spellings);
                if best.as_ref().is_none_or(|(most, _)| score > *most) {
                    best = Some((score, start..end + 1));
                }
                if bytes >= MAX_ANCHOR {
                    break;
                }
            }
        }
        let Some((_, window)) = best else { return Vec::new() };
        let mut spelt = vec![Zeroizing::new(Vec::new())];
        for at in window.clone() {
            let usual = &self.letters[self.row[at] as usize].usual;
            let longer =
                |text: &Zeroizing<Vec<u8>>, one: &Zeroizing<Vec<u8>>| Zeroizing::new([&***text, &***one].concat());
            spelt = spelt.iter().flat_map(|text| usual.iter().map(move |one| longer(text, one))).collect();
        }
        spelt.into_iter().map(|text| (window.start, text)).collect()
    }

    /// The first letters, where everything is escaped in one way.
    fn escaped_windows(&self) -> Vec<Anchor> {
        let first: Vec<&Letter> = self.row.iter().take(3).map(|number| &self.letters[*number as usize]).collect();
        let window = |way: usize| {
            let texts = first.iter().map(|letter| letter.escaped.get(way).map(|text| text.as_slice()));
            let text = texts.collect::<Option<Vec<&[u8]>>>()?.concat();
            Some((0, Zeroizing::new(text)))
        };
        (0..Escape::ALL.len()).filter_map(window).collect()
    }
}

/// The characters of a text, and the bytes that are part of none.
fn characters(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.utf8_chunks().flat_map(|chunk| {
        let valid = chunk.valid();
        // Either way a line breaks, it is one letter.
        let mut rest = valid;
        let chars = std::iter::from_fn(move || {
            let length = if rest.starts_with("\r\n") { 2 } else { rest.chars().next()?.len_utf8() };
            let (first, behind) = rest.split_at(length);
            rest = behind;
            Some(if first == "\r\n" { &b"\n"[..] } else { first.as_bytes() })
        });
        chars.chain(chunk.invalid().chunks(1))
    })
}

/// How a letter is escaped in languages that escape only some.
fn escapes(raw: &[u8]) -> Vec<String> {
    let Ok(text) = std::str::from_utf8(raw) else { return Vec::new() };
    let Some(char) = text.chars().next() else { return Vec::new() };
    let mut all = Vec::new();
    // JSON in YAML in JSON: each layer doubles the backslashes, and puts one before what must have one.
    let nested = |what: &str, extra: usize| {
        (0..3)
            .map(move |depth| format!("{}{what}", "\\".repeat((1 << depth) * (1 + extra) - extra)))
            .collect::<Vec<_>>()
    };
    match char {
        '\n' => {
            all.extend(nested("n", 0));
            all.extend(["\\r\\n", "\\\\r\\\\n", "%0D%0A", "%0d%0a", "&#13;&#10;", "&#xD;&#xA;"].map(str::to_owned));
        }
        '\t' => all.extend(nested("t", 0)),
        '\r' => all.extend(nested("r", 0)),
        '\u{8}' => all.extend(nested("b", 0)),
        '\u{c}' => all.extend(nested("f", 0)),
        '"' => all.extend(nested("\"", 1)),
        '/' => all.extend(nested("/", 1)),
        '\\' => all.extend((1..4).map(|depth| "\\".repeat(1 << depth))),
        _ => {}
    }
    if !char.is_ascii_alphanumeric() {
        let escaped =
            [Escape::Unicode(Case::Lower), Escape::Unicode(Case::Upper)].into_iter().filter_map(|one| one.of(raw));
        let escaped: BTreeSet<String> = escaped.map(|one| String::from_utf8_lossy(&one).into_owned()).collect();
        all.extend(escaped.iter().flat_map(|one| (1..3).map(|depth| one.replace('\\', &"\\".repeat(1 << depth)))));
    }
    // Python and JavaScript escape characters by their number, not byte by byte.
    let number = u32::from(char);
    all.extend(match number {
        0x80..=0xff => vec![format!("\\x{number:02x}"), format!("\\x{number:02X}")],
        0x1_0000.. => vec![format!("\\U{number:08x}"), format!("\\U{number:08X}"), format!("\\u{{{number:x}}}")],
        _ => Vec::new(),
    });
    match char {
        '\'' => all.extend(["''", "'\\''", "'\"'\"'", "&apos;", "&#039;", "\\'"].map(str::to_owned)),
        '"' => all.extend(["&quot;", "\"\""].map(str::to_owned)),
        '&' => all.push("&amp;".to_owned()),
        '<' => all.push("&lt;".to_owned()),
        '>' => all.push("&gt;".to_owned()),
        ' ' => all.extend(["+", "\\ "].map(str::to_owned)),
        // Templates and Compose files double it; make doubles it as well.
        '$' => all.extend(["$$", "\\$", "\\\\$"].map(str::to_owned)),
        '%' => all.push("%%".to_owned()),
        _ if char.is_ascii_punctuation() && char != '\\' => all.push(format!("\\{char}")),
        _ => {}
    }
    all
}

/// A text in code units of more than one byte.
pub fn wide(encoding: Encoding, text: &str) -> Vec<u8> {
    match encoding {
        Encoding::Utf16Le => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        Encoding::Utf16Be => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        Encoding::Utf32Le => text.chars().flat_map(|char| u32::from(char).to_le_bytes()).collect(),
        Encoding::Utf32Be => text.chars().flat_map(|char| u32::from(char).to_be_bytes()).collect(),
        _ => text.as_bytes().to_vec(),
    }
}

/// The value with line feeds alone; `None` where it has one line.
fn unix_breaks(value: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    value.contains(&b'\n').then(|| {
        let mut unix = Zeroizing::new(Vec::with_capacity(value.len()));
        let before_break = |at: usize| value[at] == b'\r' && value.get(at + 1) == Some(&b'\n');
        unix.extend((0..value.len()).filter(|at| !before_break(*at)).map(|at| value[at]));
        unix
    })
}

/// The value as it stands in a string of JSON, where that differs.
fn in_json(value: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let text = std::str::from_utf8(value).ok()?;
    let quoted = Zeroizing::new(serde_json::to_vec(text).ok()?);
    let inside = &quoted[1..quoted.len() - 1];
    (inside != value).then(|| Zeroizing::new(inside.to_vec()))
}

/// A string of JSON in ASCII alone, as many programs write it.
fn in_ascii(text: &[u8], case: Case) -> Zeroizing<Vec<u8>> {
    let mut ascii = Zeroizing::new(Vec::with_capacity(text.len() * 6));
    for raw in characters(text) {
        match Escape::Unicode(case).of(raw).filter(|_| !raw.is_ascii()) {
            Some(escaped) => ascii.extend_from_slice(&escaped),
            None => ascii.extend_from_slice(raw),
        }
    }
    ascii
}

/// Behind the line break and indentation at `at`, between two letters of base64; `None` where there is none.
fn gap_behind(text: &[u8], at: usize) -> Option<usize> {
    let mut end = at;
    let mut breaks = 0;
    loop {
        let rest = &text[end..];
        let length = match rest {
            [b'\n', ..] => 1,
            [b'\r', b'\n', ..] => 2,
            [b'\\', b'r', b'\\', b'n', ..] => 4,
            [b'\\', b'n' | b'\n', ..] => 2,
            [b'%', b'0', b'A' | b'a', ..] => 3,
            [b' ' | b'\t', ..] if breaks > 0 => 1,
            _ => break,
        };
        breaks += 1;
        end += length;
        if end - at > 2 * MAX_INDENT {
            return None;
        }
    }
    (end > at).then_some(end)
}

/// Before the line break and indentation that end at `at`.
fn gap_before(text: &[u8], at: usize) -> Option<usize> {
    let indented = text[..at].iter().rev().take(2 * MAX_INDENT).take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let end = at - indented;
    let length = match &text[..end] {
        [.., b'\\', b'r', b'\\', b'n'] => 4,
        [.., b'\r', b'\n'] | [.., b'\\', b'\n' | b'n'] => 2,
        [.., b'\n'] => 1,
        [.., b'%', b'0', b'A' | b'a'] => 3,
        _ => return None,
    };
    Some(end - length)
}

/// Where the next letter may stand if a line breaks at `at`: in a folded text one break is written as two.
fn breaks_behind(text: &[u8], at: usize, to: &mut Vec<usize>) {
    let mut at = at;
    for _ in 0..2 {
        // In double quotes YAML takes a backslash for "no blank here".
        let start = at + usize::from(text[at..].starts_with(b"\\"));
        let Some(length) =
            [&b"\r\n"[..], b"\n", b"\r"].iter().find(|one| text[start..].starts_with(one)).map(|one| one.len())
        else {
            return;
        };
        let line = start + length;
        let indented = text[line..].iter().take(MAX_INDENT).take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        to.extend(line..=line + indented);
        at = line + indented;
        if text[at..].starts_with(b"\\ ") {
            to.extend([at + 1, at + 2]);
        }
    }
}

/// Where the letter before may end if a line breaks right before `at`.
fn breaks_before(text: &[u8], at: usize, to: &mut Vec<usize>) {
    let mut at = at;
    for _ in 0..2 {
        let end = at - text[..at].iter().rev().take(MAX_INDENT).take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let Some(length) =
            [&b"\r\n"[..], b"\n", b"\r"].iter().find(|one| text[..end].ends_with(one)).map(|one| one.len())
        else {
            return;
        };
        at = end - length;
        to.push(at);
        if text[..at].ends_with(b"\\") {
            to.push(at - 1);
        }
    }
}
