//! What is assigned to a name, in whichever language: from the name rightwards to its value.
//!
//! Read are `name = v`, `name: v`, `name => v`, `name := v`, `name -> v`, members of JSON, elements and attributes of XML, flags
//! (`--name v`), `ENV NAME v`, `#define NAME "v"`, calls (`.set("name", "v")`, `setName("v")`), pairs (`name: NAME`, below it
//! `value: v`; `{name, "v"}`), SQL's `password 'v'`, defaults of parameters, lists with all their elements, arrays of bytes, and what
//! stands for a variable that is not set (`process.env.NAME || "v"`). Whether the value is a credential is decided in
//! [`value`](super::value).

use std::ops::Range;

use zeroize::Zeroizing;

/// A value and how it is written.
#[derive(Debug)]
pub struct Assigned {
    /// The value's bytes, without quotes.
    pub span: Range<usize>,
    /// The value where it is not the bytes at `span`: escapes are undone and pieces joined.
    pub joined: Option<Zeroizing<Vec<u8>>>,
    /// How it is written.
    pub style: Style,
    /// Whether it is all there is: nothing is joined to it, and no words follow that belong to it.
    pub whole: bool,
}

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// In quotes.
    Quoted,
    /// Between marks that end it: an XML element, a part of a connection string or of a URL's query.
    Field,
    /// As it is, up to a blank or the end of the line.
    Bare,
    /// As it is, with nothing but a blank before it.
    Word,
    /// Bytes in hex, with commas between them.
    Bytes,
}

/// From a name to its value there are at most this many bytes.
const GAP: usize = 40;

/// No longer value is read.
pub const MAX_VALUE: usize = 256;

/// How many bytes right of a name matter.
pub const REACH: usize = 7 * GAP + 2 * MAX_VALUE;

/// A call of one of these gives its argument, a literal, as it is.
const PASSES_ON: &[&[u8]] = &[
    b"atob",
    b"b64decode",
    b"byte",
    b"bytearray",
    b"bytes",
    b"convertto-securestring",
    b"from",
    b"fromhex",
    b"unhexlify",
    b"fromhex",
    b"fromstring",
    b"just",
    b"literal",
    b"new",
    b"of",
    b"ok",
    b"parse",
    b"ptr",
    b"quote",
    b"ref",
    b"secretstr",
    b"secretstring",
    b"some",
    b"str",
    b"string",
    b"stringptr",
    b"stringvalue",
    b"to_string",
    b"tochararray",
    b"u8",
];

/// A call of one of these gives its last argument where nothing else is set.
const FALLS_BACK: &[&[u8]] =
    &[b"env", b"fetch", b"get", b"getenv", b"getenvdefault", b"getordefault", b"getproperty", b"lookup", b"var"];

/// Whether what follows a name may be an assignment: the quick test.
pub fn may_follow(byte: u8) -> bool {
    byte.is_ascii_whitespace() || b"=:\"'`>][(,\\-<|?+);!}".contains(&byte)
}

/// What is assigned to the name at `name`, if anything is.
pub fn assigned(bytes: &[u8], name: &Range<usize>) -> Option<Assigned> {
    let mut at = Cursor { bytes, at: name.end, limit: (name.end + GAP).min(bytes.len()) };
    at.index();
    let quoted_name = at.closers();
    at.index();
    let before_blanks = at.at;
    at.blanks();
    let blanks = at.at > before_blanks;
    let adjacent = !blanks;
    match at.peek()? {
        b'=' => {
            at.skip_all(b'=');
            at.eat(b'>');
            if at.peek() == Some(b'~') {
                return None;
            }
            let adjacent = adjacent && !at.is_blank();
            let until = match () {
                () if opens_line(bytes, name.start, adjacent) => Until::Line,
                () if adjacent && is_flag(bytes, name.start) => Until::Blank,
                () => Until::Mark,
            };
            value(at, Context { bare: true, until, adjacent, block: false })
        }
        b':' | b'-' if bytes[..name.start].ends_with(b"${") => expanded(at),
        b'!' if at.starts(b"!=") => {
            at.at += 1;
            at.skip_all(b'=');
            value(at, Context::default())
        }
        b':' => {
            at.at += 1;
            if at.peek() == Some(b':') {
                return None;
            }
            at.eat(b'=');
            at.eat(b'=');
            let until = if opens_line(bytes, name.start, false) { Until::Line } else { Until::Mark };
            typed(at)
                .or_else(|| parameter(at))
                .or_else(|| value(at, Context { bare: true, until, block: true, adjacent: false }))
        }
        b'-' if at.starts(b"->") => value(at.forward(2), Context { bare: true, ..Context::default() }),
        b'<' if at.starts(b"<-") => value(at.forward(2), Context::default()),
        b'|' | b'?' | b'+' => {
            let mut set = at.forward(1);
            set.eat(b'|');
            set.eat(b'?');
            if set.eat(b'=') { value(set, Context { bare: true, ..Context::default() }) } else { instead(at) }
        }
        b'>' if !blanks && (quoted_name || opens_element(bytes, name.start)) => element(at.forward(1)),
        b'<' if at.starts(b"</") => sibling(at),
        b'(' if !blanks && !quoted_name => value(at.forward(1), Context::default()),
        b',' if quoted_name => {
            let at = at.forward(1);
            let other = || {
                let of_list = value(at, Context::default())?;
                Some(Assigned { whole: of_list.whole && is_argument(bytes, name.start), ..of_list })
            };
            paired(at).or_else(other)
        }
        b',' if ends_with_any(bytes, name.start, &[b"${env:", b"${opt:", b"${param:"]) => {
            value(at.forward(1), Context::default())
        }
        // Erlang's pairs.
        b',' if ends_with_any(bytes, name.start, &[b"{", b"{ "]) => {
            value(at.forward(1), Context::default()).filter(|found| bytes.get(found.span.end + 1) == Some(&b'}'))
        }
        // Robot Framework's variables.
        b'}' if ends_with_any(bytes, name.start, &[b"${"]) && (at.starts(b"}  ") || at.starts(b"}\t")) => {
            value(at.forward(1), Context { bare: true, adjacent: true, until: Until::Blank, ..Context::default() })
        }
        b',' if is_flag(bytes, name.start) => value(at.forward(1), Context { bare: true, ..Context::default() }),
        b'\n' | b'\r' | b',' | b';' => paired(at.forward(1)),
        b')' => instead(at.forward(1)),
        b'{' if quoted_name && blanks => default_of(at),
        b'"' | b'\''
            if blanks
                && !quoted_name
                && (is_clause(bytes, name.start)
                    || opens_line(bytes, name.start, false)
                    || ends_with_any(bytes, name.start, &[b"#define ", b":"])) =>
        {
            value(at, Context::default())
        }
        _ if !blanks => None,
        _ if quoted_name => paired(at).or_else(|| {
            at.until(b'>')?;
            matches!(bytes[..name.start], [.., b'=', b'"' | b'\'']).then(|| element(at.forward(1)))?
        }),
        _ if is_flag(bytes, name.start) || is_env(bytes, name.start) => {
            value(at, Context { bare: true, adjacent: true, until: Until::Blank, ..Context::default() })
        }
        _ if opens_element(bytes, name.start) => {
            at.until(b'>')?;
            element(at.forward(1))
        }
        _ => declared(at).or_else(|| paired(at)).or_else(|| instead(at)).or_else(|| {
            // `requirepass v`, alone on its line: words would be prose.
            let found = opens_line(bytes, name.start, false)
                .then(|| bare(at, Context { bare: true, until: Until::Line, ..Context::default() }))??;
            let mixed = [u8::is_ascii_digit, u8::is_ascii_alphabetic as fn(&u8) -> bool];
            (found.whole && mixed.iter().all(|kind| bytes[found.span.clone()].iter().any(kind)))
                .then_some(Assigned { style: Style::Word, ..found })
        }),
    }
}

/// What a value may look like where it stands.
#[derive(Debug, Clone, Copy, Default)]
struct Context {
    /// It need not be quoted.
    bare: bool,
    /// Where a value without quotes ends.
    until: Until,
    /// The name, the operator and the value touch: a blank ends the value, whatever follows.
    adjacent: bool,
    /// It may be a YAML block scalar.
    block: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Until {
    /// At a mark that languages end a value with.
    #[default]
    Mark,
    /// At a blank or a quote: the value is a word of a command.
    Blank,
    /// At a blank: the name opens its line, and nothing but the line end closes the value.
    Line,
}

#[derive(Debug, Clone, Copy)]
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    /// No byte from here on is looked at in search of a value.
    limit: usize,
}

impl Cursor<'_> {
    fn peek(&self) -> Option<u8> {
        (self.at < self.limit).then(|| self.bytes[self.at])
    }

    fn eat(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn skip_all(&mut self, byte: u8) {
        while self.eat(byte) {}
    }

    fn starts(&self, with: &[u8]) -> bool {
        self.bytes[self.at..].starts_with(with)
    }

    fn forward(mut self, by: usize) -> Self {
        self.at += by;
        self
    }

    fn is_blank(&self) -> bool {
        matches!(self.peek(), Some(b' ' | b'\t'))
    }

    fn blanks(&mut self) {
        while self.is_blank() {
            self.at += 1;
        }
    }

    /// Blanks and line ends; whether there was a line end.
    fn space(&mut self) -> bool {
        let mut lines = false;
        while let Some(byte) = self.peek().filter(u8::is_ascii_whitespace) {
            lines |= byte == b'\n';
            self.at += 1;
        }
        lines
    }

    /// Goes to the next `byte` of this line.
    fn until(&mut self, byte: u8) -> Option<()> {
        let rest = &self.bytes[self.at..self.limit];
        let there = rest.iter().position(|next| *next == byte || *next == b'\n')?;
        self.at += there;
        (rest[there] == byte).then_some(())
    }

    /// The quotes and brackets that close a name; whether there was a quote.
    fn closers(&mut self) -> bool {
        let mut quoted = false;
        for _ in 0..5 {
            match self.peek() {
                Some(b'"' | b'\'' | b'`') => quoted = true,
                Some(b'\\' | b']') => {}
                _ => break,
            }
            self.at += 1;
        }
        quoted
    }

    /// The index of an array, or a last one that says nothing of what the value is: `[]`, `[16]`, `["prod"]`.
    fn index(&mut self) {
        let rest = &self.bytes[self.at..self.limit];
        let Some(len) = rest.iter().position(|byte| *byte == b']').filter(|_| rest.first() == Some(&b'[')) else {
            return;
        };
        let index = &rest[1..len];
        let word = index.strip_prefix(b"'").and_then(|word| word.strip_suffix(b"'"));
        let word = word.or_else(|| index.strip_prefix(b"\"")?.strip_suffix(b"\""));
        let is_size = index.iter().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase() || *byte == b'_');
        if word.map_or(is_size, super::name::is_neutral) {
            self.at += len + 1;
        }
    }

    /// A word of letters, digits and `_ . :`, with what generics, slices and references add to it.
    fn path(&mut self) -> Range<usize> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_alphanumeric() || b"_.:[]&*!<>?@$-".contains(&byte)) {
            self.at += 1;
        }
        start..self.at
    }
}

/// The default of a parameter of CloudFormation: `NAME: {Type: String, NoEcho: true, Default: v}`.
fn parameter(at: Cursor<'_>) -> Option<Assigned> {
    let body = &at.bytes[at.at..at.bytes.len().min(at.at + 6 * GAP)];
    let starts = body.iter().position(|byte| byte.is_ascii_alphabetic()).filter(|start| *start <= GAP)?;
    if ![b"Type".as_slice(), b"NoEcho", b"Default", b"Description"].iter().any(|word| body[starts..].starts_with(word))
    {
        return None;
    }
    // Where the next one says its type this one ends.
    let types = memchr::memmem::find_iter(body, b"Type").nth(1).unwrap_or(body.len());
    let body = &body[..types];
    memchr::memmem::find(body, b"NoEcho")?;
    let word = memchr::memmem::find(body, b"Default")? + b"Default".len();
    let mut at = at.forward(word);
    at.limit = (at.at + GAP).min(at.bytes.len());
    at.closers();
    at.blanks();
    at.eat(b':').then(|| value(at, Context { bare: true, until: Until::Mark, block: true, adjacent: true }))?
}

/// `Type = "v"` behind a name and a blank, or Basic's `As Type = "v"`.
fn declared(at: Cursor<'_>) -> Option<Assigned> {
    let mut end = at;
    let word = end.path();
    end.blanks();
    if at.bytes[word].eq_ignore_ascii_case(b"as") {
        end.path();
        end.blanks();
    }
    (at.peek()?.is_ascii_alphabetic() && end.peek() == Some(b'=')).then(|| typed(at))?
}

/// `Type = "v"` behind a colon.
fn typed(mut at: Cursor<'_>) -> Option<Assigned> {
    at.limit = (at.at + GAP).min(at.bytes.len());
    let start = at.at;
    let mut in_array = false;
    while let Some(byte) = at.peek() {
        // Of a type, only that of an array has a semicolon.
        in_array = byte == b'[' || in_array && byte != b']';
        let in_type = byte.is_ascii_alphanumeric() || b"_.:[]&*<>?|' ".contains(&byte) || in_array && byte == b';';
        if !in_type {
            break;
        }
        at.at += 1;
    }
    if at.at == start || at.peek() != Some(b'=') || at.starts(b"==") || at.starts(b"=>") {
        return None;
    }
    value(at.forward(1), Context::default())
}

/// `value: v` behind `name: NAME`.
fn paired(mut at: Cursor<'_>) -> Option<Assigned> {
    at.limit = (at.at + GAP).min(at.bytes.len());
    at.space();
    if at.eat(b',') || at.eat(b';') {
        at.space();
    }
    at.closers();
    let word = [b"value".as_slice(), b"default"]
        .into_iter()
        .find(|word| at.bytes.get(at.at..at.at + word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word)))?;
    at.at += word.len();
    at.closers();
    at.blanks();
    let is_yaml = at.peek() == Some(b':');
    if !at.eat(b':') && !at.eat(b'=') {
        return None;
    }
    at.eat(b'>');
    let until = if is_yaml { Until::Line } else { Until::Mark };
    value(at, Context { bare: true, until, block: is_yaml, adjacent: false })
}

/// The default of a variable that is declared: `variable "NAME" { default = "v" }`.
fn default_of(mut at: Cursor<'_>) -> Option<Assigned> {
    at.limit = (at.at + 2 * GAP).min(at.bytes.len());
    let body = &at.bytes[at.at..at.limit];
    let body = &body[..memchr::memchr(b'}', body).unwrap_or(body.len())];
    let word = memchr::memmem::find(body, b"default")?;
    at.at += word + b"default".len();
    at.blanks();
    at.eat(b'=').then(|| value(at, Context::default()))?
}

/// What is taken where a variable is not set: `|| "v"`, `?? "v"`, `or "v"`.
fn instead(mut at: Cursor<'_>) -> Option<Assigned> {
    at.limit = (at.at + GAP).min(at.bytes.len());
    at.blanks();
    let operator = [b"||".as_slice(), b"??", b"or "].into_iter().find(|operator| at.starts(operator))?;
    at.at += operator.len();
    at.blanks();
    let quote = at.peek().filter(|byte| matches!(byte, b'"' | b'\''))?;
    quoted(at, quote, None)
}

/// What a variable expands to where it is not set: `${NAME:-v}`, `${NAME:v}`.
fn expanded(mut at: Cursor<'_>) -> Option<Assigned> {
    at.eat(b':');
    if matches!(at.peek()?, b'+' | b'?') {
        return None;
    }
    if !at.eat(b'-') {
        at.eat(b'=');
    }
    let text = &at.bytes[at.at..at.bytes.len().min(at.at + MAX_VALUE)];
    let len = text.iter().position(|byte| matches!(byte, b'}' | b'\n'))?;
    let assigned = Assigned { span: at.at..at.at + len, joined: None, style: Style::Field, whole: true };
    (len > 0 && text[len] == b'}').then_some(assigned)
}

/// The value beside a name in XML: `<key>NAME</key><string>v</string>`.
fn sibling(mut at: Cursor<'_>) -> Option<Assigned> {
    at.limit = (at.at + GAP).min(at.bytes.len());
    at.until(b'>')?;
    at.at += 1;
    at.space();
    (opens_value(at) > 0).then(|| element(at))?
}

/// The length of the tag that opens an element which holds a value whose name stands elsewhere: `<value>`, `<stringProp name="x">`.
fn opens_value(at: Cursor<'_>) -> usize {
    let rest = &at.bytes[at.at.min(at.limit)..at.limit.min(at.at + GAP)];
    let is_one = |word: &&[u8]| rest.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    let opens = [b"<value".as_slice(), b"<string", b"<val>"].iter().any(is_one);
    rest.iter().position(|byte| *byte == b'>').filter(|end| opens && rest[end - 1] != b'/').map_or(0, |end| end + 1)
}

/// The other elements of the list that a literal is the first of, or what it is changed to: `["v", "w"]`, `"v" -> "w"`.
pub fn others(bytes: &[u8], first: &Assigned) -> Vec<Assigned> {
    let mut others = Vec::new();
    if first.style != Style::Quoted || !first.whole {
        return others;
    }
    let start = first.span.start.saturating_sub(1);
    let before = bytes[start.saturating_sub(GAP)..start].trim_ascii_end();
    let in_list = matches!(before.last(), Some(b'[' | b'{'));
    let mut end = first.span.end;
    for _ in 0..MAX_ELEMENTS {
        let Some(quote) = bytes.get(end).copied().filter(|byte| matches!(byte, b'"' | b'\'')) else { break };
        let mut at = Cursor { bytes, at: end + 1, limit: bytes.len().min(end + 1 + GAP) };
        at.space();
        if !(in_list && at.eat(b',') || at.starts(b"-> ") && at.eat(b'-') && at.eat(b'>')) {
            break;
        }
        at.space();
        let Some(next) = quoted(at, quote, None).filter(|_| at.peek() == Some(quote)) else { break };
        let behind = bytes.get(next.span.end + 1..).unwrap_or_default().iter().take(GAP);
        // Keys and values of a map by turns, not a list.
        if matches!(behind.into_iter().find(|byte| !byte.is_ascii_whitespace()), Some(b':' | b'=')) {
            break;
        }
        end = next.span.end;
        others.push(next);
    }
    others
}

/// No more elements of a list are read.
const MAX_ELEMENTS: usize = 4;

/// Two literals in brackets, of which the second is the password: `auth=("ada", "v")`, `BasicAuth("ada", "v")`.
pub fn second_of_two(bytes: &[u8], name_end: usize) -> Option<Assigned> {
    let mut at = Cursor { bytes, at: name_end, limit: (name_end + GAP).min(bytes.len()) };
    at.closers();
    at.blanks();
    if at.eat(b'=') || at.eat(b':') {
        at.eat(b'>');
        at.blanks();
        at.path();
    }
    if !at.eat(b'(') && !at.eat(b'[') {
        return None;
    }
    at.space();
    let quote = at.peek().filter(|byte| matches!(byte, b'"' | b'\''))?;
    let first = quoted(at, quote, None)?;
    at.at = first.span.end + 1;
    at.limit = (at.at + GAP).min(bytes.len());
    at.blanks();
    if !at.eat(b',') {
        return None;
    }
    at.space();
    let quote = at.peek().filter(|byte| matches!(byte, b'"' | b'\''))?;
    let second = quoted(at, quote, None)?;
    matches!(bytes.get(second.span.end + 1), Some(b')' | b']')).then_some(second)
}

/// The text of an XML element.
fn element(mut at: Cursor<'_>) -> Option<Assigned> {
    at.limit = at.bytes.len().min(at.at + MAX_VALUE);
    at.space();
    at.at += opens_value(at);
    let rest = &at.bytes[at.at.min(at.limit)..at.limit];
    let rest = rest.strip_prefix(b"<![CDATA[").unwrap_or(rest);
    let start = at.limit - rest.len();
    let len = rest.iter().position(|byte| matches!(byte, b'<' | b'\n' | b']'))?;
    let text = rest[..len].trim_ascii_end();
    let closes = rest[len..].trim_ascii_start().first().is_some_and(|byte| matches!(byte, b'<' | b']'));
    (!text.is_empty() && closes).then(|| Assigned {
        span: start..start + text.len(),
        joined: None,
        style: Style::Field,
        whole: true,
    })
}

/// The value at a place behind an operator.
fn value(mut at: Cursor<'_>, context: Context) -> Option<Assigned> {
    at.limit = (at.at + GAP).min(at.bytes.len());
    at.blanks();
    if context.block && matches!(at.peek(), Some(b'|' | b'>')) {
        return block(at);
    }
    // A tag or an anchor of YAML.
    if context.block && (at.starts(b"!!str ") || at.peek() == Some(b'&')) {
        at.until(b' ')?;
        at.blanks();
    }
    let new_line = at.space();
    if let Some(found) = byte_array(at).or_else(|| raw(at)) {
        return Some(found);
    }
    // Brackets, string prefixes, and calls that give back their argument.
    for _ in 0..4 {
        match at.peek()? {
            b'(' | b'[' | b'{' | b'&' | b'@' | b'$' if !quote_within(&at, 1) => {
                if !matches!(at.peek(), Some(b'(' | b'[' | b'{' | b'&')) {
                    break;
                }
                let mut inner = at.forward(1);
                inner.space();
                if !quote_within(&inner, 3) && !passes_on(inner) {
                    break;
                }
                at = inner;
            }
            b'"' | b'\'' | b'`' | b'\\' => break,
            _ if quote_within(&at, 3) => at.at += quote_at(&at, 3).unwrap_or(0),
            _ if passes_on(at) => {
                at.path();
                at.blanks();
                at.eat(b'(');
                at.space();
            }
            _ => break,
        }
    }
    let escaped = matches!(at.peek(), Some(b'\\'));
    let mut open = at;
    open.skip_all(b'\\');
    match open.peek()? {
        quote @ (b'"' | b'\'' | b'`') => {
            let scheme = escaped.then_some(open.at - at.at);
            quoted(open, quote, scheme)
        }
        _ if context.bare && !new_line => fallback(at).or_else(|| bare(at, context)),
        _ => fallback(at),
    }
}

/// How far away a quote is that only a string prefix (`b`, `rb`, `@`, `$`, `&`, `u8`) stands before.
fn quote_at(at: &Cursor<'_>, within: usize) -> Option<usize> {
    let rest = &at.bytes[at.at..at.limit.min(at.at + within + 1)];
    let quote = rest.iter().position(|byte| matches!(byte, b'"' | b'\'' | b'`'))?;
    rest[..quote].iter().all(|byte| byte.is_ascii_alphanumeric() || b"@$&".contains(byte)).then_some(quote)
}

fn quote_within(at: &Cursor<'_>, within: usize) -> bool {
    quote_at(at, within).is_some()
}

/// Bytes in hex, between brackets: `{ 0x1f, 0x8b, .. }`, `[0x1f, ..]`, `new byte[] { .. }`, `vec![ .. ]`.
fn byte_array(at: Cursor<'_>) -> Option<Assigned> {
    let rest = &at.bytes[at.at..at.bytes.len().min(at.at + MAX_ELEMENT_BYTES)];
    let first = memchr::memmem::find(&rest[..rest.len().min(GAP)], b"0x")?;
    let before = rest[..first].trim_ascii_end();
    let is_type = |byte: &u8| byte.is_ascii_alphanumeric() || b"_![]{}&* ".contains(byte);
    if !matches!(before.last(), Some(b'[' | b'{')) || !before.iter().all(is_type) {
        return None;
    }
    let in_array = |byte: &u8| byte.is_ascii_hexdigit() || byte.is_ascii_whitespace() || matches!(byte, b'x' | b',');
    let len = rest[first..].iter().position(|byte| !in_array(byte))?;
    let mut elements = rest[first..first + len].trim_ascii_end();
    elements = elements.strip_suffix(b",").unwrap_or(elements);
    let span = at.at + first..at.at + first + elements.len();
    matches!(rest[first + len], b']' | b'}').then_some(Assigned {
        span,
        joined: None,
        style: Style::Bytes,
        whole: true,
    })
}

/// No longer array of bytes is read.
const MAX_ELEMENT_BYTES: usize = 440;

/// A literal in which quotes may stand: `r#"v"#` of Rust, `%q(v)` of Ruby.
fn raw(at: Cursor<'_>) -> Option<Assigned> {
    if let [b'%', b'q' | b'Q', open @ (b'(' | b'[' | b'{' | b'|'), rest @ ..] = &at.bytes[at.at..] {
        let close = match open {
            b'(' => b')',
            b'[' => b']',
            b'{' => b'}',
            _ => b'|',
        };
        let rest = &rest[..rest.len().min(MAX_VALUE)];
        let len = rest.iter().position(|byte| *byte == close || *byte == b'\n').filter(|len| rest[*len] == close)?;
        let span = at.at + 3..at.at + 3 + len;
        return Some(Assigned { span, joined: None, style: Style::Quoted, whole: true });
    }
    let hashes = at.bytes[at.at..].strip_prefix(b"r")?.iter().take(3).take_while(|byte| **byte == b'#').count();
    let start = at.at + 1 + hashes + 1;
    if hashes == 0 || at.bytes.get(start - 1) != Some(&b'"') {
        return None;
    }
    let rest = &at.bytes[start..at.bytes.len().min(start + MAX_VALUE)];
    let len = memchr::memmem::find(rest, &b"\"###"[..=hashes])?;
    (!rest[..len].contains(&b'\n')).then(|| Assigned {
        span: start..start + len,
        joined: None,
        style: Style::Quoted,
        whole: true,
    })
}

/// Whether a call follows that gives back the literal it is given.
fn passes_on(mut at: Cursor<'_>) -> bool {
    let path = at.path();
    at.blanks();
    let called = at.eat(b'(');
    at.space();
    (called || path.len() > 20) && quote_within(&at, 2) && ends_in(&at.bytes[path], PASSES_ON)
}

/// Whether the last name of a path is one of `words`, in any case.
fn ends_in(path: &[u8], words: &[&[u8]]) -> bool {
    let start = path.iter().rposition(|byte| b".:]&>".contains(byte)).map_or(0, |at| at + 1);
    let last = &path[start..];
    words.iter().any(|word| last.eq_ignore_ascii_case(word))
}

/// A literal in quotes, with the pieces that are joined to it. `escaped`: the quotes themselves stand behind this many backslashes, as
/// in JSON within a string.
fn quoted(at: Cursor<'_>, quote: u8, escaped: Option<usize>) -> Option<Assigned> {
    let bytes = at.bytes;
    if escaped.is_none() && bytes.get(at.at + 1) == Some(&b'\\') && bytes.get(at.at + 2) == Some(&quote) {
        return quoted(at.forward(2), quote, Some(1));
    }
    let triple = bytes[at.at..].starts_with(&[quote; 3]);
    let start = at.at + if triple { 3 } else { 1 };
    let mut joined = Zeroizing::new(Vec::new());
    let first = literal(bytes, start, quote, triple, escaped, &mut joined)?;
    let mut end = first;
    let mut behind = end + if triple { 3 } else { 1 } + escaped.unwrap_or(0);
    let mut pieces = 1;
    let mut same = joined.as_slice() == &bytes[start..end];
    while !triple && escaped.is_none() && pieces < 4 && joined.len() <= MAX_VALUE {
        let Some(next) = next_piece(bytes, behind, quote) else { break };
        let Some(until) = literal(bytes, next, quote, false, None, &mut joined) else { break };
        (end, behind, same) = (until, until + 1, false);
        pieces += 1;
    }
    if joined.len() > MAX_VALUE {
        return None;
    }
    let rest = &bytes[behind.min(bytes.len())..bytes.len().min(behind + 8)];
    let rest = rest.trim_ascii_start();
    // It is the first key of what the name holds.
    let before = bytes[at.at.saturating_sub(GAP)..at.at].trim_ascii_end();
    if before.ends_with(b"{") && (rest.first() == Some(&b':') || rest.starts_with(b"=>")) {
        return None;
    }
    // What is joined to something unknown is not a whole credential.
    let open = rest.first() == Some(&b'+')
        || rest.starts_with(b". $")
        || rest.starts_with(b".format")
        || rest.first() == Some(&b'%');
    Some(Assigned { span: start..end, joined: (!same).then_some(joined), style: Style::Quoted, whole: !open })
}

/// Adds the literal from `start` on, without its escapes, and says where it ends.
fn literal(
    bytes: &[u8],
    start: usize,
    quote: u8,
    triple: bool,
    escaped: Option<usize>,
    joined: &mut Vec<u8>,
) -> Option<usize> {
    let mut at = start;
    let limit = bytes.len().min(start + MAX_VALUE + 1);
    loop {
        let byte = *bytes[..limit].get(at)?;
        match byte {
            // A quote written twice is one, in YAML and SQL; one that only ends what begins a list does not.
            b'\''
                if quote == b'\''
                    && escaped.is_none()
                    && at > start
                    && bytes.get(at + 1) == Some(&quote)
                    && bytes.get(at + 2).is_some_and(u8::is_ascii_alphanumeric) =>
            {
                joined.push(quote);
                at += 2;
            }
            _ if byte == quote && escaped.is_none() && (!triple || bytes[at..].starts_with(&[quote; 3])) => {
                return Some(at);
            }
            b'\\'
                if escaped.is_some_and(|count| {
                    bytes[at..].iter().take_while(|byte| **byte == b'\\').count() == count
                        && bytes.get(at + count) == Some(&quote)
                }) =>
            {
                return Some(at);
            }
            b'\n' if !triple => return None,
            b'\\' if !triple && quote != b'`' => {
                let next = *bytes[..limit].get(at + 1)?;
                match next {
                    b'\\' | b'"' | b'\'' | b'/' | b'`' | b'$' => joined.push(next),
                    b'n' | b't' | b'r' => joined.push(b' '),
                    _ => joined.extend([byte, next]),
                }
                at += 2;
            }
            _ if escaped.is_some() && byte == quote => return None,
            _ => {
                joined.push(byte);
                at += 1;
            }
        }
    }
}

/// Where the text of the next piece starts: behind `+`, `.`, `..`, `&`, `\` or a line end, and a quote.
fn next_piece(bytes: &[u8], from: usize, quote: u8) -> Option<usize> {
    let mut at = Cursor { bytes, at: from.min(bytes.len()), limit: bytes.len().min(from + GAP) };
    let mut lines = at.space();
    let operator = at.peek().filter(|byte| b"+.&\\".contains(byte));
    if operator.is_some() {
        at.at += 1;
        at.eat(b'.');
        lines |= at.space();
    }
    (at.peek() == Some(quote) && (operator.is_some() || lines)).then_some(at.at + 1)
}

/// A value without quotes.
fn bare(mut at: Cursor<'_>, context: Context) -> Option<Assigned> {
    at.at += scheme_len(&at.bytes[at.at..at.limit]);
    let limit = at.bytes.len().min(at.at + MAX_VALUE + 1);
    let rest = &at.bytes[at.at..limit];
    let marks: &[u8] = match context.until {
        Until::Mark => b"\"'`<>;,&|",
        Until::Blank => b"\"'`",
        Until::Line => b"",
    };
    let ends = |byte: &u8| byte.is_ascii_whitespace() || marks.contains(byte);
    let len = rest.iter().position(ends).or_else(|| (limit == at.bytes.len()).then_some(rest.len()))?;
    let mut text = &rest[..len];
    let end = rest.get(len).copied().unwrap_or(b'\n');
    if context.until == Until::Line && end == b' ' {
        let line = &rest[..memchr::memchr(b'\n', rest).unwrap_or(rest.len())];
        let line = line.trim_ascii_end();
        if super::words::phrase(line).is_some() {
            let span = at.at..at.at + line.len();
            return Some(Assigned { span, joined: None, style: Style::Bare, whole: true });
        }
    }
    while let [shorter @ .., b',' | b';' | b'\\'] = text {
        text = shorter;
    }
    // What closes a bracket that was opened before is not the value's.
    for (open, close) in [(b'(', b')'), (b'[', b']'), (b'{', b'}')] {
        while text.last() == Some(&close) && count(text, open) < count(text, close) {
            text = &text[..text.len() - 1];
        }
    }
    if text.is_empty() {
        return None;
    }
    let behind = at.bytes[at.at + len..].iter().take(MAX_VALUE).take_while(|byte| **byte != b'\n');
    let mut behind = behind.skip_while(|byte| matches!(byte, b' ' | b'\t' | b'\r'));
    let ends_line = match behind.next() {
        None | Some(b'#') => true,
        Some(b'/') => behind.next() == Some(&b'/'),
        Some(b'}' | b']') if context.block => true,
        Some(_) => context.adjacent,
    };
    let field =
        context.until == Until::Mark && matches!(end, b';' | b'&' | b'"' | b'\'' | b' ') && is_part(at.bytes, at.at);
    Some(Assigned {
        span: at.at..at.at + text.len(),
        joined: None,
        style: if field { Style::Field } else { Style::Bare },
        whole: ends_line || field,
    })
}

fn count(text: &[u8], byte: u8) -> usize {
    memchr::memchr_iter(byte, text).count()
}

/// Whether a value is a part of a list of parts: `;`, `?` or `&` stands before its name, or another such part and a blank.
fn is_part(bytes: &[u8], value: usize) -> bool {
    let before = &bytes[value.saturating_sub(2 * GAP)..value];
    let Some(stop) = before.iter().rposition(|byte| b";?&\"'\n({ ,".contains(byte)) else { return false };
    let part_before = before[..stop].rsplit(|byte| b" \"'\n".contains(byte)).next().unwrap_or_default();
    match before[stop] {
        b';' | b'?' | b'&' => true,
        b' ' => {
            part_before.iter().position(|byte| *byte == b'=').is_some_and(|at| at > 0 && at + 1 < part_before.len())
        }
        _ => false,
    }
}

/// The length of the scheme before a credential: `Bearer `, `token `.
pub fn scheme_len(value: &[u8]) -> usize {
    [b"Bearer ".as_slice(), b"Token ", b"Basic ", b"ApiKey ", b"Key ", b"Bot ", b"base64:"]
        .into_iter()
        .find(|scheme| value.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)))
        .map_or(0, |scheme| scheme.len())
}

/// The first line of a YAML block scalar.
fn block(mut at: Cursor<'_>) -> Option<Assigned> {
    at.at += 1;
    while matches!(at.peek(), Some(b'-' | b'+' | b'0'..=b'9' | b' ')) {
        at.at += 1;
    }
    if !at.space() {
        return None;
    }
    bare(at, Context { bare: true, until: Until::Line, ..Context::default() })
}

/// The literal that stands in for what is not set: `process.env.X || "v"`, `getenv("X", "v")`.
fn fallback(mut at: Cursor<'_>) -> Option<Assigned> {
    at.limit = (at.at + 2 * GAP).min(at.bytes.len());
    let path = at.path();
    if path.is_empty() {
        return None;
    }
    let line = &at.bytes[at.at..at.limit];
    let line = &line[..memchr::memchr(b'\n', line).unwrap_or(line.len())];
    let operator = |sign: &[u8]| {
        line.windows(sign.len()).position(|window| window == sign).map(|there| at.at + there + sign.len())
    };
    let from = if line.first() == Some(&b'(') && ends_in(&at.bytes[path], FALLS_BACK) {
        operator(b", ").or_else(|| operator(b","))
    } else {
        operator(b"||").or_else(|| operator(b"??")).or_else(|| operator(b" or "))
    };
    let mut at = at.forward(from? - at.at);
    at.blanks();
    let quote = at.peek().filter(|byte| matches!(byte, b'"' | b'\''))?;
    quoted(at, quote, None)
}

/// Whether a name opens its line, but for indentation, dashes, `export` and the like. `adjacent`: an operator without blanks.
fn opens_line(bytes: &[u8], name: usize, adjacent: bool) -> bool {
    let before = line_before(bytes, name);
    let before = before.trim_ascii();
    let declares = [
        b"export".as_slice(),
        b"-",
        b"set",
        b"ENV",
        b"ARG",
        b"#",
        b"//",
        b"- export",
        b"local",
        b"declare",
        b"Environment=",
    ];
    before.iter().all(|byte| b"-\"'$".contains(byte)) || declares.contains(&before) && adjacent || before == b"#"
}

/// What stands before a name in its line, as far as it matters.
fn line_before(bytes: &[u8], name: usize) -> &[u8] {
    let before = &bytes[name.saturating_sub(GAP)..name];
    let start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
    &before[start..]
}

/// Whether a quoted name is the first argument of a call, or a flag in a list of them; in other lists what follows is not its value.
fn is_argument(bytes: &[u8], name: usize) -> bool {
    let before = line_before(bytes, name);
    let is_quoted = |before: &[u8]| matches!(before.last(), Some(b'"' | b'\'' | b'`'));
    let dashes = before.iter().rev().take_while(|byte| **byte == b'-').count();
    match before.len() - dashes {
        0 => false,
        quote if dashes > 0 => is_quoted(&before[..quote]),
        quote => is_quoted(before) && matches!(before[..quote - 1].trim_ascii_end().last(), Some(b'(')),
    }
}

fn opens_element(bytes: &[u8], name: usize) -> bool {
    let before = line_before(bytes, name);
    let before = match before {
        [start @ .., b':'] => {
            &start[..start.iter().rposition(|byte| !byte.is_ascii_alphanumeric()).map_or(0, |at| at + 1)]
        }
        _ => before,
    };
    before.last() == Some(&b'<')
}

/// Whether one of these stands right before a place.
fn ends_with_any(bytes: &[u8], at: usize, ends: &[&[u8]]) -> bool {
    ends.iter().any(|end| bytes[..at].ends_with(end))
}

fn is_flag(bytes: &[u8], name: usize) -> bool {
    let before = line_before(bytes, name);
    let dashed =
        before.len() - before.iter().rev().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'-').count();
    let flag = &before[dashed..];
    flag.starts_with(b"--") || flag == b"-" && (dashed == 0 || before[dashed - 1] == b' ')
}

/// Whether a declaration follows that has a blank for an operator: `ENV NAME v`, `set -x NAME v`, `setenv NAME v`.
fn is_env(bytes: &[u8], name: usize) -> bool {
    let before = line_before(bytes, name).trim_ascii_start();
    const DECLARES: &[&[u8]] = &[
        b"ENV ",
        b"setenv ",
        b"setx ",
        b"set -x ",
        b"set -gx ",
        b"set -Ux ",
        b"configure set ",
        b"proxy_set_header ",
        b"add_header ",
        b"Header set ",
        b"set-header ",
    ];
    ends_with_any(before, before.len(), DECLARES)
}

/// Whether a quoted password follows its word in SQL: `WITH PASSWORD 'v'`, `IDENTIFIED BY 'v'`.
fn is_clause(bytes: &[u8], name: usize) -> bool {
    let before = line_before(bytes, name).trim_ascii_end();
    let word = before.iter().rposition(|byte| !byte.is_ascii_alphabetic()).map_or(before, |at| &before[at + 1..]);
    [b"with".as_slice(), b"encrypted", b"login", b"superuser", b"createdb", b"set", b"user", b"by"]
        .iter()
        .any(|clause| word.eq_ignore_ascii_case(clause))
        || bytes[name..].starts_with(b"PASSWORD ")
            && [b" USER ".as_slice(), b" ROLE "].iter().any(|of| memchr::memmem::find(before, of).is_some())
        || matches!(before.last(), Some(b'(' | b',')) && memchr::memmem::find(before, b"OPTIONS (").is_some()
        || bytes[name..].get(..13).is_some_and(|start| start.eq_ignore_ascii_case(b"identified by"))
}
