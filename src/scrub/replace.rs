//! Replacing bytes: the expression files of `--replace-text`, as git-filter-repo reads them.
//!
//! One rule a line: `literal:`, `regex:` or `glob:` (a literal where none is said), then what is looked for, then `==>` and what
//! takes its place. All literals are replaced first, in their order, each in what the one before left; then all patterns.

use regex::bytes::{Captures, Regex, RegexBuilder};
use zeroize::Zeroizing;

/// What is replaced by what.
#[derive(Default, Clone)]
pub struct Replacements {
    literals: Vec<(Zeroizing<Vec<u8>>, Vec<u8>)>,
    patterns: Vec<(Regex, Vec<Piece>)>,
}

/// A rule that cannot be read. It never quotes the rule, which is a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct BadExpression {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong, and what would be right.
    pub problem: String,
}

/// What takes the place of a match, with the groups of the pattern in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

impl Template {
    /// Reads one: `\1` and `\g<name>` are groups, as in Python.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        template(text).map(Self)
    }

    /// The text with all that the pattern finds replaced.
    pub fn replace_all(&self, pattern: &Regex, text: &[u8]) -> Vec<u8> {
        pattern.replace_all(text, |found: &Captures<'_>| fill(&self.0, found)).into_owned()
    }
}

/// A part of what takes a match's place.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(Vec<u8>),
    Group(usize),
    Named(String),
}

/// What takes the place of a match where a rule does not say.
pub const REMOVED: &[u8] = b"***REMOVED***";

impl Replacements {
    /// The rules of an expression file.
    pub fn parse(file: &[u8]) -> Result<Self, BadExpression> {
        let mut all = Self::default();
        for (at, line) in file.split(|byte| *byte == b'\n').enumerate() {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.is_empty() {
                continue;
            }
            all.add(line).map_err(|problem| BadExpression { line: at + 1, problem })?;
        }
        Ok(all)
    }

    /// Replaces a value wherever it stands.
    pub fn literal(&mut self, value: &[u8], by: &[u8]) {
        self.literals.push((Zeroizing::new(value.to_vec()), by.to_vec()));
    }

    /// Whether there are no rules.
    pub fn is_empty(&self) -> bool {
        self.literals.is_empty() && self.patterns.is_empty()
    }

    /// The text with everything replaced; `None` where nothing was found.
    pub fn apply(&self, text: &[u8]) -> Option<Vec<u8>> {
        let mut new: Option<Vec<u8>> = None;
        for (value, by) in &self.literals {
            let now = new.as_deref().unwrap_or(text);
            if let Some(replaced) = replace_all(now, value, by) {
                new = Some(replaced);
            }
        }
        for (regex, by) in &self.patterns {
            let now = new.as_deref().unwrap_or(text);
            if regex.is_match(now) {
                new = Some(regex.replace_all(now, |found: &Captures<'_>| fill(by, found)).into_owned());
            }
        }
        new
    }

    fn add(&mut self, line: &[u8]) -> Result<(), String> {
        // The last arrow divides: what is looked for may have one in it.
        let arrow = memchr::memmem::rfind(line, b"==>");
        let (rule, by) = match arrow {
            Some(at) => (&line[..at], &line[at + 3..]),
            None => (line, REMOVED),
        };
        if let Some(pattern) = rule.strip_prefix(b"regex:") {
            let pattern = std::str::from_utf8(pattern)
                .map_err(|_| "a regular expression must be UTF-8: write \\xNN for a byte")?;
            self.patterns.push((compile(pattern)?, template(by)?));
        } else if let Some(glob) = rule.strip_prefix(b"glob:") {
            let part = |byte: &u8| match byte {
                b'*' => ".*".to_owned(),
                b'?' => ".".to_owned(),
                byte => format!("\\x{byte:02x}"),
            };
            let pattern: String = glob.iter().map(part).collect();
            self.patterns.push((compile(&pattern)?, template(by)?));
        } else {
            let value = rule.strip_prefix(b"literal:").unwrap_or(rule);
            if value.is_empty() {
                return Err("it looks for nothing: put what is to be replaced before `==>`".to_owned());
            }
            self.literal(value, by);
        }
        Ok(())
    }
}

/// A regular expression over bytes, in which `.`, `\w` and the like are ASCII, as in Python's over bytes.
fn compile(pattern: &str) -> Result<Regex, String> {
    let built = RegexBuilder::new(pattern).unicode(false).build();
    let regex = built.map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => "the regular expression is too large".to_owned(),
        _ => "it is not a regular expression that can be run in linear time: no look-around, no references back"
            .to_owned(),
    })?;
    if regex.is_match(b"") {
        return Err(
            "the regular expression matches nothing at all, which is everywhere: ask for at least one byte".to_owned()
        );
    }
    Ok(regex)
}

/// What takes a match's place, with `\1` and `\g<name>` for groups, as in Python.
fn template(by: &[u8]) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut text = Vec::new();
    let mut at = 0;
    while at < by.len() {
        let byte = by[at];
        at += 1;
        if byte != b'\\' {
            text.push(byte);
            continue;
        }
        let Some(&escaped) = by.get(at) else { return Err("the replacement ends in a lone `\\`".to_owned()) };
        at += 1;
        match escaped {
            b'\\' => text.push(b'\\'),
            b'n' => text.push(b'\n'),
            b'r' => text.push(b'\r'),
            b't' => text.push(b'\t'),
            b'1'..=b'9' => {
                let mut group = usize::from(escaped - b'0');
                if let Some(digit) = by.get(at).filter(|byte| byte.is_ascii_digit()) {
                    group = group * 10 + usize::from(digit - b'0');
                    at += 1;
                }
                pieces.push(Piece::Text(std::mem::take(&mut text)));
                pieces.push(Piece::Group(group));
            }
            b'g' => {
                let named = by[at..].strip_prefix(b"<").and_then(|rest| {
                    let length = memchr::memchr(b'>', rest)?;
                    std::str::from_utf8(&rest[..length]).ok()
                });
                let name = named.ok_or("`\\g` in a replacement is followed by `<group>`")?;
                at += name.len() + 2;
                pieces.push(Piece::Text(std::mem::take(&mut text)));
                pieces.push(name.parse().map_or_else(|_| Piece::Named(name.to_owned()), Piece::Group));
            }
            other if other.is_ascii_alphanumeric() => {
                return Err(format!(
                    "`\\{}` in a replacement means nothing: write `\\\\` for a backslash",
                    other as char
                ));
            }
            other => text.extend([b'\\', other]),
        }
    }
    pieces.push(Piece::Text(text));
    Ok(pieces)
}

fn fill(pieces: &[Piece], found: &Captures<'_>) -> Vec<u8> {
    let mut text = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Text(piece) => text.extend_from_slice(piece),
            Piece::Group(group) => text.extend_from_slice(found.get(*group).map_or(b"", |group| group.as_bytes())),
            Piece::Named(name) => text.extend_from_slice(found.name(name).map_or(b"", |group| group.as_bytes())),
        }
    }
    text
}

fn replace_all(text: &[u8], value: &[u8], by: &[u8]) -> Option<Vec<u8>> {
    let finder = memchr::memmem::Finder::new(value);
    let mut found = finder.find_iter(text).peekable();
    found.peek()?;
    let mut new = Vec::with_capacity(text.len());
    let mut done = 0;
    for at in found {
        new.extend_from_slice(&text[done..at]);
        new.extend_from_slice(by);
        done = at + value.len();
    }
    new.extend_from_slice(&text[done..]);
    Some(new)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn applied(file: &str, text: &str) -> String {
        let new = Replacements::parse(file.as_bytes()).unwrap().apply(text.as_bytes());
        new.map_or("unchanged".to_owned(), |new| String::from_utf8(new).unwrap())
    }

    #[test]
    fn literals_come_first_each_in_what_the_one_before_left() {
        assert_eq!(applied("regex:b+==>r\nabb==>x\nliteral:x==>y\n", "abbb"), "yr");
        assert_eq!(applied("a==>b==>c\r\n\n", "a==>b"), "c");
        assert_eq!(applied("secret", "my secret"), "my ***REMOVED***");
        assert_eq!(applied("#x", "a #x"), "a ***REMOVED***");
        assert_eq!(applied("secret==>", "my secret."), "my .");
        assert_eq!(applied("x", "y"), "unchanged");
    }

    #[test]
    fn patterns_and_globs_are_over_bytes() {
        assert_eq!(applied("regex:(?P<k>k\\w+)=(\\d+)==>\\g<k>=<\\2>\\n\\\\", "key=12"), "key=<12>\n\\");
        assert_eq!(applied("glob:a*c==>x", "abc\nac"), "x\nx");
        let latin = Replacements::parse(b"regex:\\xe9.==>!").unwrap();
        assert_eq!(latin.apply(b"\xe9\xff."), Some(b"!.".to_vec()));
    }

    #[test]
    fn what_cannot_be_read_is_said_by_its_line_and_not_quoted() {
        for (file, line) in [
            ("a\nregex:(?=s3cret)==>b", 2),
            ("==>b", 1),
            ("regex:s3cret*?|==>", 1),
            ("regex:s3cret==>\\", 1),
            ("regex:a==>\\g<s3cret", 1),
        ] {
            let error = Replacements::parse(file.as_bytes()).err().unwrap();
            assert_eq!(error.line, line, "{file}: {error}");
            assert!(!error.to_string().contains("s3cret"), "{error}");
        }
    }
}
