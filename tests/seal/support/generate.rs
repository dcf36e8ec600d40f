//! Random documents, written as text: all the ways in which people and programs write YAML, JSON, dotenv and INI.
//!
//! The same seed gives the same document for ever. Not all of them are accepted by sops, nor need they be: what it
//! refuses, a test skips.

use seal::crypt::SelectionRule;
use seal::document::Format;

/// A small random generator (splitmix64): the same numbers from the same seed.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed ^ 0x5ea1_5ea1_5ea1_5ea1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    pub fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }

    pub fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }

    pub fn fill(&mut self, bytes: &mut [u8]) {
        bytes.fill_with(|| self.next() as u8);
    }
}

/// One random document and how it is to be encrypted.
#[derive(Debug, Clone)]
pub struct Case {
    pub format: Format,
    pub plain: Vec<u8>,
    pub selection: Option<SelectionRule>,
    pub mac_only_encrypted: bool,
}

/// The case of a seed.
pub fn case(seed: u64) -> Case {
    let random = &mut Random::new(seed);
    let (format, plain) = match random.below(20) {
        0..13 => (Format::Yaml, yaml(random)),
        13..16 => (Format::Json, json(random)),
        16..18 => (Format::Dotenv, dotenv(random)),
        18 => (Format::Ini, ini(random)),
        _ => (Format::Binary, binary(random)),
    };
    let selection = if format == Format::Binary { None } else { selection(random) };
    Case { format, plain, selection, mac_only_encrypted: random.percent(20) }
}

/// None, or one of the six.
pub fn selection(random: &mut Random) -> Option<SelectionRule> {
    Some(match random.below(8) {
        0 => SelectionRule::UnencryptedSuffix("_plain".into()),
        1 => SelectionRule::EncryptedSuffix("_enc".into()),
        2 => SelectionRule::UnencryptedRegex("^(kind|metadata|name|b)$".into()),
        3 => SelectionRule::EncryptedRegex("^(data|stringData|password|a)$".into()),
        4 => SelectionRule::UnencryptedCommentRegex("seal:plain".into()),
        5 => SelectionRule::EncryptedCommentRegex("seal:secret".into()),
        _ => return None,
    })
}

const KEYS: [&str; 20] = [
    "a",
    "b",
    "c",
    "data",
    "stringData",
    "metadata",
    "name",
    "kind",
    "password",
    "token_enc",
    "host_plain",
    "port_unencrypted",
    "x y",
    "tls.crt",
    "a/b",
    "ключ",
    "emoji-😀",
    "-dash",
    "under_score",
    "k1",
];
const WORDS: [&str; 22] = [
    "alpha", "beta", "hunter2", "s3cr3t", "größer", "東京", "😀", "a:b", "c#d", "x=y", "-", "--", "it's", "\"q\"",
    "{{x}}", "%d", "@home", "&amp", "*", "\\n", "`tick`", "100%",
];
const COMMENTS: [&str; 14] = [
    "# a note",
    "#tight",
    "#",
    "# seal:plain",
    "# seal:secret",
    "#  two blanks",
    "# key: value",
    "# größer 東京 😀",
    "## double",
    "# trailing  ",
    "# 'quote",
    "# \"quote",
    "#\ttab",
    "# - item",
];
/// Plain scalars that YAML may take for something other than text.
const TYPED: [&str; 88] = [
    "0",
    "1",
    "-1",
    "+1",
    "42",
    "007",
    "017",
    "08",
    "0o17",
    "0x1F",
    "0b101",
    "-0x1f",
    "1_000",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551616",
    "0.0",
    "1.0",
    "1.5",
    "-1.5",
    "+1.5",
    ".5",
    "5.",
    "1e3",
    "1E3",
    "1e-7",
    "1.5e+10",
    "1e21",
    "123456789012345678901234567890",
    "1e400",
    ".inf",
    "-.inf",
    "+.INF",
    ".nan",
    ".NaN",
    "true",
    "True",
    "TRUE",
    "false",
    "False",
    "FALSE",
    "yes",
    "no",
    "on",
    "off",
    "y",
    "n",
    "null",
    "Null",
    "NULL",
    "~",
    "2024-01-02",
    "2024-1-2",
    "2024-01-02T03:04:05Z",
    "2024-01-02T03:04:05.120+02:00",
    "2024-01-02 03:04:05",
    "2024-01-02t03:04:05-07:00",
    "2024-13-45",
    "12:30:45",
    "190:20:30",
    "1.2.3",
    "v1",
    "1.2.3.4",
    "0x1p3",
    "1,000",
    "12e",
    "0xZZ",
    "-",
    ".",
    "..",
    "=",
    "<<",
    "tRue",
    "!!str 5",
    "!!str true",
    "!!int \"5\"",
    "!!float 3",
    "!!bool \"true\"",
    "!custom x",
    "!!null \"\"",
    "!!str",
    "!!binary aGVsbG8=",
    "!!timestamp 2024-01-02",
    "! 12",
    "1e3_0",
    "0.1",
    "3.141592653589793238",
    "1__0",
];

/// A random YAML file.
pub fn yaml(random: &mut Random) -> Vec<u8> {
    let mut writer = Yaml { random, out: String::new(), anchors: Vec::new(), step: 2, lists_flush: false, left: 0 };
    writer.step = [2, 2, 2, 4, 3, 1][writer.random.below(6)];
    writer.lists_flush = writer.random.percent(40);
    let documents = if writer.random.percent(15) { 2 + writer.random.below(2) } else { 1 };
    for number in 0..documents {
        writer.anchors.clear();
        writer.left = 4 + writer.random.below(20);
        if number > 0 || writer.random.percent(15) {
            if number == 0 && writer.random.percent(10) {
                writer.out.push_str("%YAML 1.1\n");
            }
            writer.out.push_str("---");
            if writer.random.percent(10) {
                writer.out.push_str(" # behind the marker");
            }
            writer.out.push('\n');
        }
        writer.comments(0, 20);
        writer.map(0, 0);
        writer.comments(0, 12);
        if writer.random.percent(5) {
            writer.out.push_str("...\n");
        }
    }
    let mut text = std::mem::take(&mut writer.out);
    match random.below(12) {
        0 => text = text.replace('\n', "\r\n"),
        1 => {
            while text.ends_with('\n') {
                text.pop();
            }
        }
        2 => text.push_str("\n\n"),
        _ => {}
    }
    if random.percent(2) {
        text.insert(0, '\u{feff}');
    }
    text.into_bytes()
}

struct Yaml<'r> {
    random: &'r mut Random,
    out: String,
    /// Anchors set so far, and whether each names a map.
    anchors: Vec<(String, bool)>,
    /// Blanks per level.
    step: usize,
    /// Whether lists stand at the column of their key.
    lists_flush: bool,
    /// Entries still to be written, roughly.
    left: usize,
}

impl Yaml<'_> {
    fn indent(&mut self, column: usize) {
        self.out.extend(std::iter::repeat_n(' ', column));
    }

    /// With a chance of `chance` percent some comment lines, blank lines among them.
    fn comments(&mut self, column: usize, chance: usize) {
        if self.random.percent(chance / 2) {
            self.out.push('\n');
        }
        if !self.random.percent(chance) {
            return;
        }
        for _ in 0..1 + self.random.below(2) {
            let column = if self.random.percent(8) { self.random.below(column + 3) } else { column };
            self.indent(column);
            let comment = self.random.pick(&COMMENTS);
            self.out.push_str(comment);
            self.out.push('\n');
            if self.random.percent(20) {
                self.out.push('\n');
            }
        }
    }

    fn end_of_line(&mut self) {
        if self.random.percent(8) {
            let comment = self.random.pick(&COMMENTS);
            self.out.push_str(self.random.pick(&[" ", "  ", "\t"]));
            self.out.push_str(comment);
        } else if self.random.percent(2) {
            self.out.push_str("  ");
        }
        self.out.push('\n');
    }

    /// Keys for one map, no two the same.
    fn keys(&mut self) -> Vec<&'static str> {
        let count = 1 + self.random.below(4);
        let mut keys: Vec<&str> = Vec::new();
        for _ in 0..count {
            let key = self.random.pick(&KEYS);
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        keys
    }

    fn key(&mut self, key: &str) {
        let written = match self.random.below(12) {
            0 => format!("\"{key}\""),
            1 => format!("'{key}'"),
            _ => key.to_owned(),
        };
        self.out.push_str(&written);
        if self.random.percent(2) {
            self.out.push(' ');
        }
        self.out.push(':');
    }

    /// Entries at `column`; the cursor stands at the start of a line.
    fn map(&mut self, column: usize, depth: usize) {
        for (number, key) in self.keys().into_iter().enumerate() {
            if number > 0 {
                self.comments(column, 10);
            }
            self.indent(column);
            self.entry(key, column, depth);
        }
        if depth == 0 {
            let merge = self.anchors.iter().find(|(_, map)| *map).map(|(name, _)| name.clone());
            if let Some(name) = merge.filter(|_| self.random.percent(50)) {
                self.out.push_str(&format!("merged:\n  <<: *{name}\n  own: 1\n"));
            }
        }
    }

    /// `key: value` of a map at `column`; the cursor stands where the key begins.
    fn entry(&mut self, key: &str, column: usize, depth: usize) {
        self.left = self.left.saturating_sub(1);
        self.key(key);
        let nested = depth < 4 && self.left > 0 && self.random.percent(30);
        if !nested {
            return self.value(column, false);
        }
        let anchor = self.anchor();
        if let Some(name) = &anchor {
            self.out.push_str(&format!(" &{name}"));
        }
        let is_map = self.random.percent(60);
        if let Some(name) = anchor {
            self.anchors.push((name, is_map));
        }
        self.end_of_line();
        if is_map {
            let inner = column + self.step;
            self.comments(inner, 8);
            self.map(inner, depth + 1);
        } else {
            let inner = if self.lists_flush { column } else { column + self.step };
            self.comments(inner, 8);
            self.list(inner, depth + 1);
        }
    }

    fn anchor(&mut self) -> Option<String> {
        self.random.percent(5).then(|| format!("n{}", self.anchors.len()))
    }

    /// Items at `column`; the cursor stands at the start of a line.
    fn list(&mut self, column: usize, depth: usize) {
        for number in 0..1 + self.random.below(3) {
            if number > 0 {
                self.comments(column, 8);
            }
            self.indent(column);
            self.item(column, depth);
        }
    }

    fn item(&mut self, column: usize, depth: usize) {
        self.left = self.left.saturating_sub(1);
        self.out.push('-');
        if depth < 4 && self.left > 0 && self.random.percent(35) {
            if self.random.percent(70) {
                self.out.push(' ');
                let keys = self.keys();
                for (number, key) in keys.into_iter().enumerate() {
                    if number > 0 {
                        self.comments(column + 2, 8);
                        self.indent(column + 2);
                    }
                    self.entry(key, column + 2, depth + 1);
                }
            } else {
                self.out.push(' ');
                self.item(column + 2, depth + 1);
                if self.random.percent(50) {
                    self.indent(column + 2);
                    self.item(column + 2, depth + 1);
                }
            }
            return;
        }
        self.value(column, true);
    }

    /// A value of one entry, behind `:` or `-`, to the end of its line or lines.
    fn value(&mut self, column: usize, in_list: bool) {
        let column = if in_list { column + 1 } else { column };
        match self.random.below(20) {
            0 => return self.end_of_line(),
            1..4 => return self.block(column),
            4 => {
                self.out.push(' ');
                self.flow(0);
                return self.end_of_line();
            }
            5 if !self.anchors.is_empty() => {
                let (name, _) = self.anchors[self.random.below(self.anchors.len())].clone();
                self.out.push_str(&format!(" *{name}"));
                return self.end_of_line();
            }
            6 if self.random.percent(30) => {
                // The value on a line of its own.
                self.out.push('\n');
                if self.random.percent(30) {
                    self.indent(column + 2);
                    self.out.push_str("# between\n");
                }
                self.indent(column + 1);
            }
            _ => {}
        }
        let blanks = if self.out.ends_with(' ') { "" } else { self.random.pick(&[" ", " ", " ", " ", "   "]) };
        self.out.push_str(blanks);
        if let Some(name) = self.anchor() {
            self.out.push_str(&format!("&{name} "));
            self.anchors.push((name, false));
        }
        self.scalar(column, false);
        self.end_of_line();
    }

    fn words(&mut self, most: usize) -> String {
        let words: Vec<&str> = (0..1 + self.random.below(most)).map(|_| self.random.pick(&WORDS)).collect();
        words.join(" ")
    }

    /// A scalar in any style of one or more lines, lines after the first deeper than `column`.
    fn scalar(&mut self, column: usize, in_flow: bool) {
        let break_here = |this: &mut Self| {
            if !in_flow && this.random.percent(15) {
                let blanks = column + 1 + this.random.below(3);
                let lines = if this.random.percent(20) { "\n\n" } else { "\n" };
                format!("{lines}{}", " ".repeat(blanks))
            } else {
                " ".to_owned()
            }
        };
        match self.random.below(10) {
            0..3 => {
                let typed = self.random.pick(&TYPED);
                let fits = !in_flow || !typed.contains([',', ' ']);
                self.out.push_str(if fits { typed } else { "0x10" });
            }
            3..5 => {
                let mut text = self
                    .random
                    .pick(&["plain", "p@ss", "größer", "x", "a-b", "/path/to", "1a", "tr\u{e4}ger"])
                    .to_owned();
                for _ in 0..self.random.below(3) {
                    text.push_str(&break_here(self));
                    text.push_str(self.random.pick(&["more", "words", "here", "2", "true", "東京"]));
                }
                self.out.push_str(&text);
            }
            5 | 6 => {
                let mut text = self.words(3).replace('\'', "''");
                if self.random.percent(40) {
                    text.push_str(&break_here(self));
                    text.push_str(&self.words(2).replace('\'', "''"));
                }
                if self.random.percent(10) {
                    text.clear();
                }
                if self.random.percent(8) {
                    text = format!(" {text} ");
                }
                self.out.push_str(&format!("'{text}'"));
            }
            _ => {
                let mut text = String::new();
                for _ in 0..self.random.below(4) {
                    match self.random.below(5) {
                        0 => text.push_str(self.random.pick(&[
                            "\\n",
                            "\\t",
                            "\\\"",
                            "\\\\",
                            "\\u00e9",
                            "\\x41",
                            "\\U0001F600",
                            "\\0",
                            "\\e",
                            "\\r",
                            "\\N",
                            "\\_",
                            "\\L",
                            "\\ ",
                            "\\x7f",
                        ])),
                        1 if !in_flow && self.random.percent(40) => {
                            text.push_str(&format!("\\\n{}", " ".repeat(column + 1 + self.random.below(3))));
                        }
                        2 => text.push_str(&break_here(self)),
                        _ => text.push_str(&self.words(2).replace('\\', "\\\\").replace('"', "\\\"")),
                    }
                }
                self.out.push_str(&format!("\"{text}\""));
            }
        }
    }

    /// A block scalar, from its header on.
    fn block(&mut self, column: usize) {
        let folded = self.random.percent(35);
        let chomp = self.random.pick(&["", "", "-", "+"]);
        let deeper = 1 + self.random.below(4);
        let leading = self.random.percent(10);
        let mut header = format!(" {}", if folded { '>' } else { '|' });
        // The digit counts from the parent's column, which for a list item is the dash's.
        let digit = if leading { deeper.to_string() } else { String::new() };
        if self.random.percent(50) {
            header.push_str(&format!("{chomp}{digit}"));
        } else {
            header.push_str(&format!("{digit}{chomp}"));
        }
        if self.random.percent(6) {
            header.push_str(" # behind the header");
        }
        self.out.push_str(&header);
        self.out.push('\n');
        let inner =
            if leading { column.saturating_sub(usize::from(self.in_item(column))) + deeper } else { column + deeper };
        if leading {
            self.out.push_str(&" ".repeat(inner));
            self.out.push_str("  leading blanks\n");
        }
        for _ in 0..self.random.below(5) {
            if self.random.percent(15) {
                self.out.push_str(self.random.pick(&["\n", "\n\n", " \n"]));
                continue;
            }
            self.indent(inner);
            if self.random.percent(10) {
                self.out.push_str(self.random.pick(&[" ", "  ", "\t"]));
            }
            let line = self.random.pick(&[
                "-----BEGIN KEY-----",
                "MIIBVgIBADANBgkq",
                "line",
                "# no comment",
                "key: value",
                "- item",
                "größer 😀",
                "trailing  ",
                "\"quoted\"",
                "x",
            ]);
            self.out.push_str(line);
            self.out.push('\n');
        }
        if self.random.percent(15) {
            self.out.push_str("\n\n");
        }
    }

    /// Whether the line that is being written is one of a list item, whose column was counted one up.
    fn in_item(&self, column: usize) -> bool {
        let lines: Vec<&str> = self.out.trim_end_matches('\n').rsplit('\n').take(1).collect();
        lines.first().is_some_and(|line| {
            column > 0 && line[..].as_bytes().get(column - 1) == Some(&b'-') && !line.contains(": ")
        })
    }

    fn flow(&mut self, depth: usize) {
        let spread = self.random.percent(12);
        let is_map = self.random.percent(50);
        let (open, close) = if is_map { ('{', '}') } else { ('[', ']') };
        self.out.push(open);
        let count = self.random.below(4);
        let keys = self.keys();
        let count = if is_map { count.min(keys.len()) } else { count };
        for (number, key) in keys.iter().cycle().take(count).enumerate() {
            if number > 0 {
                self.out.push_str(self.random.pick(&[", ", ", ", ", ", ",", " , "]));
            }
            if spread {
                if self.random.percent(10) {
                    self.out.push_str(" # inside");
                }
                self.out.push('\n');
                self.indent(14);
            }
            if is_map {
                let quoted = self.random.percent(20);
                let key = if quoted { format!("\"{key}\"") } else { (*key).to_owned() };
                self.out.push_str(&format!("{key}: "));
            }
            if depth < 2 && self.random.percent(15) {
                self.flow(depth + 1);
            } else {
                self.scalar(0, true);
            }
        }
        if count > 0 && self.random.percent(8) {
            self.out.push_str(", ");
        }
        if spread && count > 0 {
            self.out.push('\n');
            self.indent(12);
        }
        self.out.push(close);
    }
}

/// A random JSON file.
pub fn json(random: &mut Random) -> Vec<u8> {
    let style = random.below(4);
    let mut out = String::new();
    json_value(random, &mut out, style, 0, true);
    if random.percent(80) {
        out.push('\n');
    }
    if random.percent(8) {
        out = out.replace('\n', "\r\n");
    }
    out.into_bytes()
}

fn json_value(random: &mut Random, out: &mut String, style: usize, depth: usize, object: bool) {
    const STRINGS: [&str; 12] = [
        "",
        "plain",
        "größer 東京 😀",
        "\\u00e9\\ud83d\\ude00",
        "a\\nb\\tc",
        "\\\"q\\\"",
        "\\\\",
        "\\/",
        "<>&",
        "5",
        "true",
        "\\u2028",
    ];
    const NUMBERS: [&str; 16] = [
        "0",
        "1",
        "-1",
        "-0",
        "-0.0",
        "1.0",
        "1.5",
        "1e3",
        "1E-7",
        "1e21",
        "9007199254740993",
        "9223372036854775807",
        "9223372036854775808",
        "123456789012345678901234567890",
        "0.1",
        "1.7976931348623157e308",
    ];
    let nested = object || (depth < 4 && random.percent(30));
    if !nested {
        match random.below(6) {
            0 => out.push_str(random.pick(&["true", "false", "null"])),
            1 | 2 => out.push_str(random.pick(&NUMBERS)),
            _ => out.push_str(&format!("\"{}\"", random.pick(&STRINGS))),
        }
        return;
    }
    let is_map = object || random.percent(60);
    let mut keys: Vec<&str> = (0..random.below(5)).map(|_| random.pick(&KEYS)).collect();
    if is_map && !random.percent(3) {
        keys.sort_unstable();
        keys.dedup();
    }
    out.push(if is_map { '{' } else { '[' });
    let new_line = |out: &mut String, depth: usize| match style {
        0 => {}
        1 => out.push_str(&format!("\n{}", "  ".repeat(depth))),
        2 => out.push_str(&format!("\n{}", "\t".repeat(depth))),
        _ => out.push(' '),
    };
    for (number, key) in keys.iter().enumerate() {
        if number > 0 {
            out.push(',');
        }
        new_line(out, depth + 1);
        if is_map {
            out.push_str(&format!("\"{key}\"{}", if style == 0 { ":" } else { ": " }));
        }
        json_value(random, out, style, depth + 1, false);
    }
    if !keys.is_empty() {
        new_line(out, depth);
    }
    out.push(if is_map { '}' } else { ']' });
}

/// A random dotenv file.
pub fn dotenv(random: &mut Random) -> Vec<u8> {
    let mut out = String::new();
    for number in 0..1 + random.below(7) {
        match random.below(8) {
            0 => out.push('\n'),
            1 => out.push_str(&format!("{}\n", random.pick(&COMMENTS))),
            _ => {
                let key = random.pick(&[
                    "A",
                    "B_plain",
                    "PASSWORD",
                    "password",
                    "data",
                    "TOKEN_enc",
                    "export X",
                    "k.e-y",
                    "größe",
                    "a",
                ]);
                let value = random.pick(&[
                    "",
                    "x",
                    "\"quoted\"",
                    "'single'",
                    "a=b=c",
                    " blanks around ",
                    "# no comment",
                    "a # b",
                    "a\\nb",
                    "größer 😀",
                    "5",
                    "true",
                    "\\\\n",
                ]);
                out.push_str(&format!("{key}{number}={value}\n"));
            }
        }
    }
    match random.below(10) {
        0 => out = out.replace('\n', "\r\n"),
        1 => out.truncate(out.trim_end_matches('\n').len()),
        _ => {}
    }
    out.into_bytes()
}

/// A random INI file.
pub fn ini(random: &mut Random) -> Vec<u8> {
    let mut out = String::new();
    if random.percent(20) {
        out.push_str("top = 1\n");
    }
    for section in 0..1 + random.below(3) {
        if random.percent(20) {
            out.push_str(random.pick(&["; about the section\n", "# about it\n", "\n"]));
        }
        out.push_str(&format!("[{}{section}]\n", random.pick(&["data", "s.t", "größe", "a b", "x_plain"])));
        for key in 0..random.below(5) {
            if random.percent(15) {
                out.push_str(random.pick(&["; about the key\n", "# seal:secret\n", "; seal:plain\n", "\n"]));
            }
            let name = random.pick(&["user", "password", "token_enc", "host_plain", "a", "k.e-y", "größe"]);
            let delimiter = random.pick(&[" = ", "=", ": ", "  =  "]);
            let value = random.pick(&[
                "",
                "x",
                "two words",
                "\"quoted\"",
                "\"\"\"triple\"\"\"",
                "`tick`",
                "größer 😀",
                "5",
                "true",
                "%(user)s",
                "a=b",
                "x ; about x",
                "a\\nb",
                "'s'",
            ]);
            out.push_str(&format!("{name}{key}{delimiter}{value}\n"));
        }
    }
    match random.below(10) {
        0 => out = out.replace('\n', "\r\n"),
        1 => out.truncate(out.trim_end_matches('\n').len()),
        _ => {}
    }
    out.into_bytes()
}

fn binary(random: &mut Random) -> Vec<u8> {
    let mut bytes = vec![0; [0, 1, 7, 300, 5000][random.below(5)]];
    random.fill(&mut bytes);
    if random.percent(40) {
        bytes.iter_mut().for_each(|byte| *byte = b' ' + *byte % 90);
    }
    bytes
}
