//! Block scalars: their headers, their lines, and where one fits.

use super::spell::{Place, is_quotable};
use crate::document::node::{Leaf, Style};

/// How a block scalar is laid out.
#[derive(Debug, Clone, Copy)]
pub(in crate::document) struct Block {
    /// Columns before the content.
    pub(in crate::document) indent: usize,
    /// Columns before the content, counted from the parent; what an indentation digit says.
    pub(in crate::document) digit: usize,
    /// Whether lines end in `\r\n`.
    pub(in crate::document) crlf: bool,
    /// What comes behind it.
    pub(in crate::document) below: Below,
}

/// What comes behind a block scalar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::document) enum Below {
    /// A line break, then a line with something on it, or nothing more.
    Content,
    /// A line break, then a blank line, which `|+` would swallow.
    BlankLine,
    /// The end of the source, without a line break.
    Nothing,
}

/// What a block scalar's header says of the line breaks at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chomp {
    /// `-`: there are none.
    Strip,
    /// One.
    Clip,
    /// `+`: as many as are written.
    Keep,
}

impl Chomp {
    /// What a new header for `text` has to say.
    pub(super) fn of(text: &str, below: Below) -> Self {
        match text.strip_suffix('\n') {
            None => Self::Strip,
            Some(rest) if rest.is_empty() || rest.ends_with('\n') || below == Below::Nothing => Self::Keep,
            Some(_) => Self::Clip,
        }
    }

    pub(super) fn fits(self, text: &str, below: Below) -> bool {
        if below == Below::Nothing {
            // The break behind the content is missing, so that none can be part of the value.
            return !text.ends_with('\n');
        }
        match self {
            Self::Strip => !text.ends_with('\n'),
            Self::Clip => text.is_empty() || Self::of(text, below) == Self::Clip,
            Self::Keep => (text.is_empty() || text.ends_with('\n')) && below == Below::Content,
        }
    }
}

/// The first line of a block scalar.
pub(super) struct Header<'a> {
    pub(super) folded: bool,
    pub(super) digit: Option<usize>,
    pub(super) chomp: Chomp,
    /// Blanks and a comment behind the indicators.
    pub(super) tail: &'a [u8],
}

impl<'a> Header<'a> {
    /// Reads `|2- # comment`; a tag or anchor may stand before it.
    fn parse(line: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let start = line.iter().position(|b| matches!(b, b'|' | b'>'))?;
        let line = &line[start..];
        let mut header = Header { folded: line[0] == b'>', digit: None, chomp: Chomp::Clip, tail: b"" };
        let mut at = 1;
        while let Some(byte) = line.get(at) {
            match byte {
                b'-' => header.chomp = Chomp::Strip,
                b'+' => header.chomp = Chomp::Keep,
                b'1'..=b'9' => header.digit = Some(usize::from(byte - b'0')),
                _ => break,
            }
            at += 1;
        }
        header.tail = &line[at..];
        Some((header, line))
    }
}

pub(super) fn write_block(out: &mut Vec<u8>, header: Header<'_>, text: &str, block: &Block) {
    out.push(if header.folded { b'>' } else { b'|' });
    if let Some(digit) = header.digit {
        out.extend_from_slice(digit.to_string().as_bytes());
    }
    match header.chomp {
        Chomp::Strip => out.push(b'-'),
        Chomp::Clip => {}
        Chomp::Keep => out.push(b'+'),
    }
    out.extend_from_slice(header.tail);
    write_lines(out, text, block);
}

/// The content, each line behind a line break; the break at its end is that of the source.
fn write_lines(out: &mut Vec<u8>, text: &str, block: &Block) {
    if text.is_empty() {
        return;
    }
    for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
        out.extend_from_slice(if block.crlf { b"\r\n" } else { b"\n" });
        if !line.is_empty() {
            out.resize(out.len() + block.indent, b' ');
            out.extend_from_slice(line.as_bytes());
        }
    }
}

/// Writes a string in the place of a block scalar, keeping its header where that can hold it. False where no block can.
pub(super) fn in_block(out: &mut Vec<u8>, source: &[u8], leaf: &Leaf, text: &str, indent: usize) -> bool {
    let old = &source[leaf.span.range()];
    let line = old.split(|b| matches!(b, b'\n' | b'\r')).next().unwrap_or_default();
    let Some((mut header, line)) = Header::parse(line) else { return false };
    let Some(below) = below(source, leaf) else { return false };
    let mut block = Block { indent, digit: header.digit.unwrap_or(0), crlf: uses_crlf(source, leaf), below };
    if text.starts_with("ENC[AES256_GCM,") && !text.contains('\n') {
        out.extend_from_slice(line);
        write_lines(out, text, &block);
        return true;
    }
    let needs_digit = text.trim_start_matches('\n').starts_with([' ', '\t']);
    if !text.chars().all(|c| is_quotable(c) || c == '\n') {
        return false;
    }
    if needs_digit && header.digit.is_none() {
        let Some((parent, _)) = parent(source, leaf) else { return false };
        block.digit = indent.saturating_sub(parent);
        if !(1..=9).contains(&block.digit) {
            return false;
        }
    }
    let body = text.trim_end_matches('\n');
    let can_fold = !body.contains('\n') && (!body.is_empty() || text.is_empty());
    let keeps_header =
        header.chomp.fits(text, below) && (!needs_digit || header.digit.is_some()) && (!header.folded || can_fold);
    if keeps_header {
        out.extend_from_slice(line);
        write_lines(out, text, &block);
        return true;
    }
    if needs_digit {
        header.digit = Some(block.digit);
    }
    header.folded &= can_fold;
    if !header.chomp.fits(text, below) {
        header.chomp = Chomp::of(text, below);
    }
    if !header.chomp.fits(text, below) {
        return false;
    }
    write_block(out, header, text, &block);
    true
}

/// The place of a leaf that is written plain.
pub(super) fn place(source: &[u8], leaf: &Leaf) -> Place {
    if matches!(leaf.style, Style::PlainFlow | Style::SingleFlow | Style::DoubleFlow) {
        return Place::Line { flow: true };
    }
    match (below(source, leaf), parent(source, leaf)) {
        (Some(below), Some((column, kind))) => {
            // go-yaml's layout with sops's indentation: two columns in lists, else the next multiple of four.
            let digit = match kind {
                Parent::List => 2,
                Parent::Map => 4 - column % 4,
            };
            Place::Block(Block { indent: column + digit, digit, crlf: uses_crlf(source, leaf), below })
        }
        _ => Place::Line { flow: false },
    }
}

/// What comes behind a leaf, if nothing else is on its line.
fn below(source: &[u8], leaf: &Leaf) -> Option<Below> {
    let line = |from: usize| {
        let rest = &source[from..];
        let line = &rest[..memchr::memchr(b'\n', rest).unwrap_or(rest.len())];
        (line.strip_suffix(b"\r").unwrap_or(line), line.len())
    };
    let end = leaf.span.end as usize;
    match line(end) {
        (b"", length) if end + length >= source.len() => Some(Below::Nothing),
        (b"", length) => {
            let next = end + length + 1;
            let is_blank = next < source.len() && line(next).0.iter().all(|b| matches!(b, b' ' | b'\t'));
            Some(if is_blank { Below::BlankLine } else { Below::Content })
        }
        _ => None,
    }
}

/// Whether the line that a leaf starts on ends in `\r\n`; the line before it counts where it has no end.
fn uses_crlf(source: &[u8], leaf: &Leaf) -> bool {
    let start = leaf.span.start as usize;
    let line_break = match memchr::memchr(b'\n', &source[start..]) {
        Some(at) => Some(start + at),
        None => memchr::memrchr(b'\n', &source[..start]),
    };
    line_break.is_some_and(|at| source[..at].ends_with(b"\r"))
}

/// What holds a leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Parent {
    List,
    Map,
}

/// The column of the block collection that holds a leaf, found in the text before it.
fn parent(source: &[u8], leaf: &Leaf) -> Option<(usize, Parent)> {
    let mut end = leaf.span.start as usize;
    loop {
        let start = memchr::memrchr(b'\n', &source[..end]).map_or(0, |at| at + 1);
        if let Some(parent) = parent_on_line(&source[start..end]) {
            return Some(parent);
        }
        end = start.checked_sub(1)?;
    }
}

/// The innermost collection that a line opens or continues; none on blank lines and comments.
fn parent_on_line(line: &[u8]) -> Option<(usize, Parent)> {
    let blanks = |from: usize| line[from..].iter().take_while(|b| matches!(b, b' ' | b'\t' | b'\r')).count();
    let mut innermost = None;
    let mut at = blanks(0);
    while let Some(indicator @ (b'-' | b'?' | b':')) = line.get(at) {
        if blanks(at + 1) == 0 && at + 1 < line.len() {
            break;
        }
        innermost = Some((at, if *indicator == b'-' { Parent::List } else { Parent::Map }));
        at += 1;
        at += blanks(at);
    }
    let column = at;
    while let Some(b'&' | b'!') = line.get(at) {
        at += line[at..].iter().take_while(|b| !matches!(b, b' ' | b'\t' | b'\r')).count();
        at += blanks(at);
    }
    match line.get(at) {
        None | Some(b'#') => innermost,
        Some(_) => Some((column, Parent::Map)),
    }
}
