//! Patterns as sops reads them: Go's RE2 syntax, matched with the `regex` crate.
//!
//! Selections and `path_regex` are such patterns. What Go reads in another way than Rust is rewritten ([`translate`]); what
//! Go refuses is refused, as sops would quietly take it for "matches nothing". Source: Go, package regexp/syntax.

use std::collections::HashSet;
use std::fmt;

use regex::bytes::Regex;

/// A compiled pattern, searched unanchored in linear time.
#[derive(Clone)]
pub struct Pattern {
    text: String,
    search: Search,
}

#[derive(Clone)]
enum Search {
    /// It is one of these words, and nothing else: `^(data|stringData)$`.
    Words(Vec<String>),
    Regex(Regex),
}

impl Pattern {
    /// Compiles `text`, which is in Go's syntax.
    pub fn new(text: &str) -> Result<Self, PatternError> {
        let fail = |problem| PatternError { text: text.to_owned(), problem };
        // What nearly every file of a Secret has. To compile an expression takes as long as to parse the file.
        if let Some(words) = words(text) {
            return Ok(Self { text: text.to_owned(), search: Search::Words(words) });
        }
        let regex = Regex::new(&translate(text, None).map_err(fail)?).map_err(|error| {
            fail(match error {
                regex::Error::CompiledTooBig(_) => "it is too large".to_owned(),
                // The crate's message is a drawing of several lines; the last says what is wrong.
                other => {
                    let message = other.to_string();
                    message.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
                }
            })
        })?;
        Ok(Self { text: text.to_owned(), search: Search::Regex(regex) })
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it is found anywhere in `bytes`.
    pub fn is_match(&self, bytes: &[u8]) -> bool {
        match &self.search {
            Search::Words(words) => words.iter().any(|word| word.as_bytes() == bytes),
            Search::Regex(regex) => regex.is_match(bytes),
        }
    }
}

/// The words of a pattern that is `^word$` or `^(word|…)$`.
fn words(text: &str) -> Option<Vec<String>> {
    let inner = text.strip_prefix('^')?.strip_suffix('$')?;
    let words = match inner.strip_prefix('(') {
        Some(rest) => rest.strip_suffix(')')?.split('|').collect(),
        None => vec![inner],
    };
    let is_word = |word: &&str| word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    words.iter().all(is_word).then(|| words.into_iter().map(str::to_owned).collect())
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({:?})", self.text)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a regular expression that sops understands: {problem}")]
pub struct PatternError {
    /// What was written.
    pub text: String,
    /// What is wrong, in one line.
    pub problem: String,
}

/// A pattern in Go's syntax as one in Rust's, whose group `secret` is that of this number, from 1; other groups capture nothing.
///
/// Fails, in one line, where it is none. Rust may still refuse the result, as too large for one.
pub fn in_rust_syntax(text: &str, secret: usize) -> Result<String, String> {
    translate(text, Some(secret))
}

/// Rewrites a pattern from Go's syntax to Rust's, with the same meaning.
///
/// With `secret`, the group of this number is named so, and the others are groups no longer.
///
/// The differences: `\d \w \s \b` are ASCII in Go; `\Q…\E`, octal escapes and `\p{^Greek}` are Go's alone; `[a&&b]`, `[a--b]`, `[[a]`,
/// `\<`, `\b{start}`, `{,3}` and `(?x)` mean something in Rust only; Go refuses stacked repetitions and counts above 1000. Left as
/// it is: `\B` also matches within a character of several bytes.
fn translate(text: &str, secret: Option<usize>) -> Result<String, String> {
    let mut groups = 0;
    let mut group = |unnamed: &'static str| {
        groups += 1;
        match secret {
            Some(secret) if secret == groups => "(?P<secret>",
            Some(_) => "(?:",
            None => unnamed,
        }
    };
    let mut scan = Scan { rest: text, out: String::with_capacity(text.len() + 16) };
    let mut names = HashSet::new();
    let mut repeated = false;
    while let Some(c) = scan.next() {
        let was_repeated = std::mem::take(&mut repeated);
        match c {
            '\\' => scan.escape()?,
            '[' => scan.class()?,
            '(' if scan.eat("?P<") || scan.eat("?<") => {
                let name = scan.until('>').ok_or("a group's name is not closed")?;
                if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                    return Err("look-around and such group names do not exist in Go's syntax".into());
                }
                if !names.insert(name) {
                    return Err(format!("the group name {name} occurs twice"));
                }
                scan.out.push_str(group("(?:"));
            }
            '(' if scan.eat("?") => {
                let end = scan.rest.find(|c: char| !"imsU-".contains(c)).unwrap_or(scan.rest.len());
                let (flags, rest) = scan.rest.split_at(end);
                scan.rest = rest;
                match scan.next() {
                    Some(')') if flags.is_empty() => {}
                    Some(close @ (':' | ')')) => scan.out.push_str(&format!("(?{flags}{close}")),
                    _ => return Err("look-around and flags other than i, m, s, U do not exist in Go's syntax".into()),
                }
            }
            '*' | '+' | '?' => {
                if was_repeated {
                    return Err("a repetition is repeated".into());
                }
                scan.out.push(c);
                scan.lazy();
                repeated = true;
            }
            '{' => match scan.counts()? {
                Some(counts) => {
                    if was_repeated {
                        return Err("a repetition is repeated".into());
                    }
                    scan.out.push_str(&format!("{{{counts}}}"));
                    scan.lazy();
                    repeated = true;
                }
                None => scan.literal('{'),
            },
            '(' => scan.out.push_str(group("(")),
            ')' | '|' | '.' | '^' | '$' => scan.out.push(c),
            _ => scan.literal(c),
        }
    }
    Ok(scan.out)
}

struct Scan<'a> {
    rest: &'a str,
    out: String,
}

impl<'a> Scan<'a> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(c)
    }

    fn eat(&mut self, prefix: &str) -> bool {
        self.rest.strip_prefix(prefix).map(|rest| self.rest = rest).is_some()
    }

    /// What stands before the next `end`; steps over it.
    fn until(&mut self, end: char) -> Option<&'a str> {
        let (inner, rest) = self.rest.split_once(end)?;
        self.rest = rest;
        Some(inner)
    }

    fn literal(&mut self, c: char) {
        if c.is_ascii_punctuation() {
            self.out.push_str(&format!("\\x{:02x}", u32::from(c)));
        } else {
            self.out.push(c);
        }
    }

    /// The `?` that makes the repetition before it reluctant.
    fn lazy(&mut self) {
        if self.eat("?") {
            self.out.push('?');
        }
    }

    /// `{2}`, `{2,}` or `{2,5}`, of which the brace has been read; `None` when the brace stands for itself.
    fn counts(&mut self) -> Result<Option<&'a str>, String> {
        let Some((inner, rest)) = self.rest.split_once('}') else { return Ok(None) };
        let (low, high) = inner.split_once(',').unwrap_or((inner, inner));
        let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if low.is_empty() || !digits(low) || !digits(high) {
            return Ok(None);
        }
        let over = |s: &str| !s.is_empty() && !s.parse::<u32>().is_ok_and(|n| n <= 1000);
        if over(low) || over(high) {
            return Err("a repetition count is above 1000".into());
        }
        self.rest = rest;
        Ok(Some(inner))
    }

    /// What follows a backslash, outside of a class.
    fn escape(&mut self) -> Result<(), String> {
        match self.peek() {
            Some('Q') => {
                self.next();
                let (quoted, rest) = self.rest.split_once("\\E").unwrap_or((self.rest, ""));
                quoted.chars().for_each(|c| self.literal(c));
                self.rest = rest;
            }
            Some(c @ ('A' | 'z')) => {
                self.next();
                self.out.push('\\');
                self.out.push(c);
            }
            Some(c @ ('b' | 'B')) => {
                self.next();
                self.out.push_str(if c == 'b' { "(?-u:\\b)" } else { "(?-u:\\B)" });
            }
            _ => match self.set_escape()? {
                Some(set) => self.out.push_str(&format!("[{set}]")),
                None => {
                    let c = self.char_escape()?;
                    self.out.push_str(&format!("\\x{{{:x}}}", u32::from(c)));
                }
            },
        }
        Ok(())
    }

    /// A set such as `\d` or `\p{Greek}`, as it is written within brackets; `None` when it is no set.
    fn set_escape(&mut self) -> Result<Option<String>, String> {
        let Some(c) = self.peek() else { return Err("it ends in a backslash".into()) };
        let perl = match c.to_ascii_lowercase() {
            'd' => "0-9",
            'w' => "0-9A-Za-z_",
            's' => "\\t\\n\\f\\r\\x20",
            'p' => {
                self.next();
                let name = if self.eat("{") {
                    self.until('}').ok_or("a Unicode class is not closed")?
                } else {
                    let start = self.rest;
                    let letter = self.next().ok_or("a Unicode class has no name")?;
                    &start[..letter.len_utf8()]
                };
                let (name, inverted) = name.strip_prefix('^').map_or((name, false), |name| (name, true));
                if !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                    return Err(format!("there is no Unicode class {name}"));
                }
                let letter = if (c == 'P') != inverted { 'P' } else { 'p' };
                return Ok(Some(format!("\\{letter}{{{name}}}")));
            }
            _ => return Ok(None),
        };
        self.next();
        Ok(Some(if c.is_ascii_uppercase() { format!("[^{perl}]") } else { perl.to_owned() }))
    }

    /// The one character that an escape stands for.
    fn char_escape(&mut self) -> Result<char, String> {
        let c = self.next().ok_or("it ends in a backslash")?;
        let value = match c {
            'a' => 7,
            'f' => 12,
            't' => 9,
            'n' => 10,
            'r' => 13,
            'v' => 11,
            '0'..='7' => {
                let octal = self.rest.bytes().take(2).take_while(|b| matches!(b, b'0'..=b'7')).count();
                if c != '0' && octal == 0 {
                    return Err("references back to a group do not exist in Go's syntax".into());
                }
                let digits = format!("{c}{}", &self.rest[..octal]);
                self.rest = &self.rest[octal..];
                u32::from_str_radix(&digits, 8).map_err(|_| "a number is too large")?
            }
            'x' => {
                let digits = if self.eat("{") {
                    self.until('}').ok_or("a \\x{…} is not closed")?
                } else {
                    let digits = self.rest.get(..2).ok_or("\\x needs two digits")?;
                    self.rest = &self.rest[2..];
                    digits
                };
                if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
                    return Err("\\x needs hexadecimal digits".into());
                }
                u32::from_str_radix(digits, 16).map_err(|_| "a number is no character")?
            }
            c if c.is_ascii() && !c.is_ascii_alphanumeric() => u32::from(c),
            c => return Err(format!("\\{c} does not exist in Go's syntax")),
        };
        char::from_u32(value).ok_or_else(|| "a number is no character".into())
    }

    /// A class in brackets, of which the opening one has been read.
    fn class(&mut self) -> Result<(), String> {
        let unclosed = || "a class in brackets is not closed".to_owned();
        self.out.push('[');
        if self.eat("^") {
            self.out.push('^');
        }
        let mut first = true;
        loop {
            if !first && self.eat("]") {
                self.out.push(']');
                return Ok(());
            }
            first = false;
            if self.rest.starts_with("[:")
                && let Some(end) = self.rest.find(":]")
            {
                let name = self.rest[2..end].strip_prefix('^').unwrap_or(&self.rest[2..end]);
                if !POSIX_CLASSES.contains(&name) {
                    return Err(format!("there is no class [:{name}:]"));
                }
                self.out.push_str(&self.rest[..end + 2]);
                self.rest = &self.rest[end + 2..];
                continue;
            }
            if self.rest.starts_with('\\') {
                let before = self.rest;
                self.next();
                if let Some(set) = self.set_escape()? {
                    self.out.push_str(&set);
                    continue;
                }
                self.rest = before;
            }
            let low = self.class_char().ok_or_else(unclosed)??;
            self.out.push_str(&format!("\\x{{{:x}}}", u32::from(low)));
            let mut ahead = self.rest.chars();
            if ahead.next() == Some('-') && ahead.next().is_some_and(|c| c != ']') {
                self.next();
                let high = self.class_char().ok_or_else(unclosed)??;
                self.out.push_str(&format!("-\\x{{{:x}}}", u32::from(high)));
            }
        }
    }

    fn class_char(&mut self) -> Option<Result<char, String>> {
        match self.next()? {
            '\\' => Some(self.char_escape()),
            c => Some(Ok(c)),
        }
    }
}

const POSIX_CLASSES: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "word",
    "xdigit",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn hits(pattern: &str, text: &str) -> bool {
        Pattern::new(pattern).expect(pattern).is_match(text.as_bytes())
    }

    #[test]
    fn what_users_write_means_what_it_says() {
        assert!(hits("^(data|stringData)$", "stringData"));
        assert!(!hits("^(data|stringData)$", "metadata"));
        assert!(hits("(?i)pass(word)?", "dbPASS"));
        assert!(hits(r"secrets/[^/]+\.ya?ml$", "a/secrets/x.yml"));
        assert!(hits(r"prod/.*\.enc\.json\z", "prod/x/y.enc.json"));
        assert!(hits("^[a-z_-]{2,5}$", "a_-b"));
    }

    #[test]
    fn sets_are_ascii_as_in_go() {
        assert!(!hits(r"^\d$", "٣"));
        assert!(!hits(r"^\w$", "é") && hits(r"^\W$", "é"));
        assert!(!hits(r"^[\s]$", "\u{b}") && hits(r"^[^\s]$", "\u{a0}"));
        // For Go é is no word character, so there is a boundary behind the e.
        assert!(hits(r"e\b", "eé"));
        assert!(hits(r"^[\D]$", "x") && !hits(r"^[\D]$", "1"));
    }

    #[test]
    fn rust_only_syntax_is_taken_literally() {
        assert!(hits(r"^[a&&b]$", "&") && hits(r"^[a&&b]$", "a"));
        assert!(hits(r"^[[a]$", "[") && hits(r"^[a~~]$", "~"));
        assert!(hits(r"^[]a]$", "]") && hits(r"^[a-c-e]$", "-") && !hits(r"^[a-c-e]$", "d"));
        assert!(hits(r"^\<a$", "<a") && hits(r"^a{,3}$", "a{,3}") && hits("^a{$", "a{") && hits("^a}$", "a}"));
        assert!(hits(r"^#a b$", "#a b"));
    }

    #[test]
    fn go_only_syntax_is_rewritten() {
        assert!(hits(r"^\Qa.b[\E$", "a.b["));
        assert!(hits(r"^\Qa.b", "a.b") && !hits(r"^\Qa.b", "axb"));
        assert!(hits(r"^\101\x42\x{43}\_\.$", "ABC_."));
        assert!(hits(r"^\p{^Greek}$", "a") && hits(r"^[\P{Greek}]$", "a") && hits(r"^\pL$", "é"));
        assert!(hits("(?U)a+", "aa") && hits("(?P<x>a)(?<y>b)", "ab") && hits("^(?i-s:A)(?)$", "a"));
        assert!(hits("^[[:alpha:][:^ascii:]]+$", "aé"));
    }

    #[test]
    fn what_go_refuses_is_refused_in_one_line() {
        for bad in [
            "(",
            "a)",
            "[a",
            "a**",
            "a*{2}",
            "*a",
            r"\C",
            r"\Z",
            r"\1",
            r"(a)\1",
            "(?=a)",
            "(?<=a)",
            "(?!a)",
            "(?x)a",
            r"\",
            r"[\b]",
            "a{1001}",
            "[z-a]",
            r"\p{Nope}",
            r"\u0041",
            "(?P<a>x)(?P<a>y)",
            "[[:nope:]]",
            r"\E",
            "[a-\\d]",
        ] {
            let error = Pattern::new(bad).expect_err(bad);
            assert_eq!(error.to_string().lines().count(), 1, "{error}");
        }
    }

    #[test]
    fn one_group_is_kept_for_the_secret() {
        assert_eq!(in_rust_syntax("(?i)(a)(?P<x>b)(?:c)", 2).expect("parses"), "(?i)(?:a)(?P<secret>b)(?:c)");
        assert_eq!(in_rust_syntax("(a)(?<x>b)", 1).expect("parses"), "(?P<secret>a)(?:b)");
        assert_eq!(in_rust_syntax("a", 1).expect("parses"), "a");
        assert!(in_rust_syntax("(?=a)", 1).is_err());
    }

    #[test]
    fn a_pattern_cannot_grow_without_bound() {
        let error = Pattern::new("((((a{1000}){1000}){1000}){1000})").expect_err("too large");
        assert_eq!(error.problem, "it is too large");
    }

    #[test]
    fn plain_words_match_as_the_expression_does() {
        for text in ["^data$", "^(data|stringData)$", "^()$", "^(|a)$", "^a_1$"] {
            let quick = Pattern::new(text).expect("compiles");
            assert!(matches!(quick.search, Search::Words(_)), "{text}");
            let regex = Regex::new(text).expect("compiles");
            for bytes in ["", "a", "data", "data\n", "xdata", "datax", "stringData", "DATA", "(data|stringData)", "a_1"]
            {
                assert_eq!(quick.is_match(bytes.as_bytes()), regex.is_match(bytes.as_bytes()), "{text} in {bytes:?}");
            }
        }
        for text in ["^a|b$", "^(a)(b)$", "^(a|b$", "^a.b$", "data$", "^(a|(b))$", "^a\\$"] {
            assert!(words(text).is_none(), "{text}");
        }
    }
}
