//! From the source to tokens and the comments between them: go-yaml's scanner, as far as it decides when comments are seen.

use std::collections::VecDeque;

use granit_parser::{ScalarStyle, Scanner, StrInput, TokenType};

use super::Lines;
use crate::document::node::Span;

/// What a token is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    StreamStart,
    StreamEnd,
    Directive,
    DocumentStart,
    DocumentEnd,
    SequenceStart,
    MappingStart,
    BlockEnd,
    FlowSequenceStart,
    FlowSequenceEnd,
    FlowMappingStart,
    FlowMappingEnd,
    BlockEntry,
    FlowEntry,
    Key,
    Value,
    Alias,
    /// A tag or an anchor.
    Property,
    Scalar,
}

impl Kind {
    /// Whether a key or value is missing where this stands.
    pub(super) fn ends_entry(self) -> bool {
        use Kind::*;
        matches!(self, Key | Value | BlockEnd | FlowEntry | FlowMappingEnd | FlowSequenceEnd)
    }
}

/// A token, and the offset that go-yaml sorts it by; -1 is before everything.
#[derive(Clone, Copy)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) at: isize,
}

/// A place in the source: byte, line from 0, column in characters from 0.
#[derive(Clone, Copy, Default)]
pub(super) struct Mark {
    at: usize,
    line: usize,
    column: usize,
}

/// Comments that were found together.
pub(super) struct Group {
    pub(super) role: Role,
    pub(super) lines: Lines,
    /// The first token that does not start before here gathers the group.
    pub(super) belongs_at: isize,
    /// Where the first comment starts; the column is counted from 1.
    start: Mark,
    /// From where to where there is nothing but this group; both 0 behind a value.
    from: usize,
    to: usize,
}

/// What a group is to the node it belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Head,
    Line,
    Foot,
}

/// A scalar, alias or flow branch that may turn out to be a key.
#[derive(Clone, Copy)]
struct Candidate {
    /// Number of its token.
    number: usize,
    mark: Mark,
}

/// go-yaml's scanner, as far as it decides when comments are seen.
pub(super) struct Reader<'s> {
    source: &'s [u8],
    insertions: Vec<Insertion>,
    lexemes: Box<dyn Iterator<Item = Lexeme> + 's>,
    mark: Mark,
    /// Line breaks since the last character that is not blank.
    newlines: usize,
    indent: isize,
    indents: Vec<isize>,
    /// For every flow level.
    candidates: Vec<Option<Candidate>>,
    may_be_key: bool,
    /// Tokens not passed yet.
    pub(super) tokens: VecDeque<Token>,
    /// Number of tokens that were passed.
    passed: usize,
    /// Comments no token has gathered yet.
    pub(super) groups: VecDeque<Group>,
}

/// A token as our own scanner sees it.
struct Lexeme {
    kind: Kind,
    is_plain: bool,
    start: usize,
    end: usize,
}

/// go-yaml looks no further for the `#` of a comment.
const LOOKAHEAD: usize = 512;

/// Characters go-yaml accepts between the start of a key and its `:`.
const KEY_LENGTH: usize = 1024;

impl<'s> Reader<'s> {
    pub(super) fn new(source: &'s str, insertions: Vec<Insertion>) -> Self {
        Self {
            source: source.as_bytes(),
            insertions,
            lexemes: Box::new(lexemes(source)),
            mark: Mark { at: if source.starts_with('\u{feff}') { 3 } else { 0 }, ..Mark::default() },
            newlines: 0,
            indent: -1,
            indents: Vec::new(),
            candidates: vec![None],
            may_be_key: true,
            tokens: VecDeque::from([Token { kind: Kind::StreamStart, at: 0 }]),
            passed: 0,
            groups: VecDeque::new(),
        }
    }

    /// Passes the next token.
    pub(super) fn skip(&mut self) {
        self.tokens.pop_front();
        self.passed += 1;
    }

    /// Reads until the next token is known: two more lie behind it, and it is clear whether a key starts at it.
    pub(super) fn fill(&mut self) {
        while self.tokens.len() <= 2 || self.is_open_candidate() {
            self.fetch();
        }
    }

    fn is_open_candidate(&mut self) -> bool {
        let (number, here) = (self.passed, self.mark);
        let Some(slot) = self.candidates.iter_mut().find(|slot| slot.is_some_and(|c| c.number == number)) else {
            return false;
        };
        *slot = slot.filter(|candidate| candidate.is_open(here));
        slot.is_some()
    }

    fn push(&mut self, kind: Kind, at: usize) {
        self.tokens.push_back(Token { kind, at: at as isize });
    }

    fn fetch(&mut self) {
        let from = self.mark;
        self.pass_comments();
        self.close_blocks(self.mark.column as isize, from.at);
        let mark = self.mark;
        let Some(lexeme) = self.lexemes.find(|lexeme| lexeme.start >= mark.at).filter(|_| mark.at < self.source.len())
        else {
            if mark.column != 0 {
                self.mark = Mark { at: mark.at, line: mark.line + 1, column: 0 };
            }
            self.close_blocks(-1, mark.at);
            self.drop_candidate();
            self.may_be_key = false;
            self.push(Kind::StreamEnd, mark.at);
            return;
        };
        // Dashes are reported behind themselves, so only the texts' ends are taken over.
        let end = match lexeme.kind {
            Kind::Scalar | Kind::Alias | Kind::Property | Kind::Directive => lexeme.end,
            Kind::DocumentStart | Kind::DocumentEnd => mark.at + 3,
            _ => mark.at + 1,
        };

        let is_flow = self.candidates.len() > 1;
        let before = self.tokens.back().map_or(0, |token| token.at);
        let belongs_at = match self.byte(mark.at) {
            b':' if !is_flow => before,
            b',' if is_flow => before,
            _ => mark.at as isize,
        };
        match lexeme.kind {
            Kind::Directive | Kind::DocumentStart | Kind::DocumentEnd => {
                self.close_blocks(-1, mark.at);
                self.drop_candidate();
                self.may_be_key = false;
                self.push(lexeme.kind, mark.at);
                if lexeme.kind == Kind::Directive {
                    // A comment behind a directive is no comment to anyone.
                    let end = self.line_end(end);
                    self.advance(end + self.break_width(end));
                } else {
                    self.advance(end);
                }
                return;
            }
            Kind::FlowSequenceStart | Kind::FlowMappingStart => {
                self.note_candidate();
                self.candidates.push(None);
                self.may_be_key = true;
                self.push(lexeme.kind, mark.at);
            }
            Kind::FlowSequenceEnd | Kind::FlowMappingEnd => {
                self.drop_candidate();
                if is_flow {
                    self.candidates.pop();
                }
                self.may_be_key = false;
                self.push(lexeme.kind, mark.at);
            }
            Kind::FlowEntry | Kind::BlockEntry | Kind::Key => {
                match lexeme.kind {
                    Kind::BlockEntry => self.open_block(mark, None, Kind::SequenceStart),
                    Kind::Key => self.open_block(mark, None, Kind::MappingStart),
                    _ => {}
                }
                self.drop_candidate();
                self.may_be_key = lexeme.kind != Kind::Key || !is_flow;
                self.push(lexeme.kind, mark.at);
            }
            Kind::Value => {
                let candidate = self.candidates.last_mut().and_then(Option::take).filter(|c| c.is_open(mark));
                if let Some(candidate) = candidate {
                    let key = Token { kind: Kind::Key, at: candidate.mark.at as isize };
                    self.tokens.insert(candidate.number.saturating_sub(self.passed), key);
                    self.open_block(candidate.mark, Some(candidate.number), Kind::MappingStart);
                    self.may_be_key = false;
                } else {
                    self.open_block(mark, None, Kind::MappingStart);
                    self.may_be_key = !is_flow;
                }
                self.push(lexeme.kind, mark.at);
            }
            Kind::Scalar if matches!(self.byte(mark.at), b'|' | b'>') && !is_flow => {
                self.drop_candidate();
                self.may_be_key = true;
                let is_behind = |byte: &u8| !matches!(byte, b'|' | b'>' | b'+' | b'-' | b'0'..=b'9' | b' ' | b'\t');
                let header = self.source[mark.at..].iter().position(is_behind).unwrap_or(0);
                self.advance(mark.at + header);
                self.pass_line_comment(belongs_at);
                self.advance(end);
                self.pass_blanks();
                self.push(lexeme.kind, mark.at);
            }
            _ => {
                self.note_candidate();
                self.may_be_key = false;
                self.advance(end);
                if lexeme.is_plain {
                    let line = self.mark.line;
                    self.pass_blanks();
                    self.may_be_key = self.mark.line > line;
                }
                self.push(lexeme.kind, mark.at);
            }
        }
        self.advance(end);
        // What stands behind a dash is above whatever follows.
        if lexeme.kind != Kind::BlockEntry {
            self.pass_line_comment(belongs_at);
        }
    }

    fn note_candidate(&mut self) {
        if self.may_be_key {
            let number = self.passed + self.tokens.len();
            if let Some(slot) = self.candidates.last_mut() {
                *slot = Some(Candidate { number, mark: self.mark });
            }
        }
    }

    fn drop_candidate(&mut self) {
        if let Some(slot) = self.candidates.last_mut() {
            *slot = None;
        }
    }

    /// Starts a block where one is indented further than the one around it; `number` is the token it starts before.
    fn open_block(&mut self, mark: Mark, number: Option<usize>, kind: Kind) {
        let column = mark.column as isize;
        if self.candidates.len() > 1 || self.indent >= column {
            return;
        }
        self.indents.push(self.indent);
        self.indent = column;
        let index = number.map_or(self.tokens.len(), |number| number.saturating_sub(self.passed));
        self.tokens.insert(index, Token { kind, at: mark.at as isize });
    }

    /// Ends the blocks that are indented further than `column`.
    ///
    /// They end before the comments of their own column that the blanks since `from` hold, so that these
    /// count as behind what follows the block.
    fn close_blocks(&mut self, column: isize, from: usize) {
        if self.candidates.len() > 1 {
            return;
        }
        let mut end = from as isize - 1;
        while self.indent > column {
            let mut reach = end;
            for group in self.groups.iter().rev() {
                if (group.to as isize) < reach {
                    break;
                }
                if group.start.column as isize == self.indent + 1 {
                    end = group.start.at as isize;
                }
                reach = group.from as isize;
            }
            self.tokens.push_back(Token { kind: Kind::BlockEnd, at: end });
            self.indent = self.indents.pop().unwrap_or(-1);
        }
    }

    /// Goes to the next token, noting the comments before it.
    fn pass_comments(&mut self) {
        let from = self.mark;
        loop {
            while self.is_blank(self.mark.at) {
                self.advance(self.mark.at + 1);
            }
            self.lower_line_comment();
            if self.byte(self.mark.at) == b'#' {
                self.note_comments(from);
            }
            let width = self.break_width(self.mark.at);
            if width == 0 {
                return;
            }
            self.advance(self.mark.at + width);
            self.may_be_key |= self.candidates.len() == 1;
        }
    }

    /// Makes the comment behind `key:` stand above the first item of the list that follows.
    fn lower_line_comment(&mut self) {
        let is_first = self.tokens.len() > 1
            && self.tokens[self.tokens.len() - 1].kind == Kind::BlockEntry
            && self.tokens[self.tokens.len() - 2].kind == Kind::SequenceStart;
        if !is_first || self.break_width(self.mark.at) > 0 {
            return;
        }
        if let Some(group) = self.groups.back_mut().filter(|group| group.role == Role::Line) {
            group.role = Role::Head;
            if group.start.line + 1 == self.mark.line {
                group.belongs_at = self.mark.at as isize;
            }
        }
    }

    /// Notes a comment behind a token on the same line.
    fn pass_line_comment(&mut self, belongs_at: isize) {
        if self.newlines > 0 {
            return;
        }
        let Some(hash) = (self.mark.at..self.mark.at + LOOKAHEAD).find(|&at| !self.is_blank(at)) else { return };
        if self.byte(hash) == b'#' {
            self.advance(hash);
            let start = self.mark;
            let line = self.pass_line();
            self.groups.push_back(Group { role: Role::Line, lines: vec![line], belongs_at, start, from: 0, to: 0 });
        }
    }

    /// Notes the comments from here on, up to the next token.
    fn note_comments(&mut self, from: Mark) {
        let mut before = self.tokens[self.tokens.len() - 1];
        if before.kind == Kind::FlowEntry && self.tokens.len() > 1 {
            before = self.tokens[self.tokens.len() - 2];
        }
        let is_flow = self.candidates.len() > 1;
        let indent = self.indent.max(0);
        // The line in which a comment must stand to be behind the content above.
        let foot_line = if from.line == 0 {
            -1
        } else {
            let is_behind = self.newlines == 0 && self.mark.column > 1;
            self.mark.line as isize - self.newlines as isize + 1 + isize::from(is_behind)
        };
        let mut is_unbroken = self.newlines <= 1;
        let mut after_blank = false;
        let (mut line, mut column) = (self.mark.line, self.mark.column);
        let mut from = from.at;
        let mut belongs_at = before.at;
        let mut start = Mark::default();
        let mut lines = Lines::new();
        let mut peek = 0;
        while peek < LOOKAHEAD {
            let at = self.mark.at + peek;
            column += 1;
            peek += 1;
            if self.is_blank(at) {
                continue;
            }
            let byte = self.byte(at);
            let closes = is_flow && matches!(byte, b']' | b'}');
            let is_break = self.break_width(at) > 0;
            let is_dedented = start.column as isize - 1 < indent;
            let is_line_end = closes || is_break || byte == 0;
            let ends = if is_line_end {
                let is_foot = start.line as isize == foot_line && before.kind != Kind::Value;
                closes || !after_blank && is_unbroken && (is_foot || is_dedented)
            } else {
                (column as isize - 1) < indent && column != start.column
            };
            if ends && !lines.is_empty() {
                if is_line_end && is_dedented {
                    belongs_at = start.at as isize;
                }
                let lines = std::mem::take(&mut lines);
                self.groups.push_back(Group { role: Role::Foot, lines, belongs_at, start, from, to: at });
                from = at;
                belongs_at = at as isize;
            } else if is_line_end && !after_blank && !lines.is_empty() && byte != 0 {
                lines.push(Span::default());
            }
            if is_break {
                is_unbroken = false;
                after_blank = true;
                column = 0;
                line += 1;
                continue;
            }
            if byte != b'#' {
                break;
            }
            if lines.is_empty() {
                start = Mark { at, line, column };
            }
            after_blank = false;
            self.advance(at);
            lines.push(self.pass_line());
            // The line break is taken as read, but not counted.
            peek = 1;
            column = 0;
            line = self.mark.line;
        }
        if !lines.is_empty() {
            let to = (self.mark.at + peek).saturating_sub(2);
            self.groups.push_back(Group { role: Role::Head, lines, belongs_at: start.at as isize, start, from, to });
        }
    }

    /// Goes to the end of the line; gives what was passed.
    fn pass_line(&mut self) -> Span {
        let start = self.mark.at;
        self.advance(self.line_end(start));
        Span::new(self.original(start), self.original(self.mark.at))
    }

    /// Where `at` is in the source without insertions.
    pub(super) fn original(&self, at: usize) -> usize {
        let passed = self.insertions.partition_point(|insertion| insertion.end <= at);
        at - passed.checked_sub(1).map_or(0, |last| self.insertions[last].inserted)
    }

    fn pass_blanks(&mut self) {
        loop {
            let width = if self.is_blank(self.mark.at) { 1 } else { self.break_width(self.mark.at) };
            if width == 0 {
                return;
            }
            self.advance(self.mark.at + width);
        }
    }

    /// Goes to byte `to`, counting lines and columns.
    fn advance(&mut self, to: usize) {
        while self.mark.at < to.min(self.source.len()) {
            let width = self.break_width(self.mark.at);
            if width > 0 {
                self.newlines += 1;
                self.mark = Mark { at: self.mark.at + width, line: self.mark.line + 1, column: 0 };
                continue;
            }
            let byte = self.byte(self.mark.at);
            if !matches!(byte, b' ' | b'\t') {
                self.newlines = 0;
            }
            self.mark.at += 1;
            self.mark.column += usize::from(byte & 0xc0 != 0x80);
        }
    }

    fn line_end(&self, mut at: usize) -> usize {
        while self.byte(at) != 0 && self.break_width(at) == 0 {
            at += 1;
        }
        at
    }

    /// The byte at `at`; behind the end 0, which counts as the end also where it stands.
    fn byte(&self, at: usize) -> u8 {
        self.source.get(at).copied().unwrap_or(0)
    }

    fn is_blank(&self, at: usize) -> bool {
        matches!(self.byte(at), b' ' | b'\t')
    }

    /// How many bytes the line break at `at` has, 0 for none.
    fn break_width(&self, at: usize) -> usize {
        match self.byte(at) {
            b'\n' => 1,
            b'\r' => 1 + usize::from(self.byte(at + 1) == b'\n'),
            0xc2 if self.byte(at + 1) == 0x85 => 2,
            0xe2 if self.byte(at + 1) == 0x80 && matches!(self.byte(at + 2), 0xa8 | 0xa9) => 3,
            _ => 0,
        }
    }
}

impl Candidate {
    /// Whether a `:` at `here` would still make it a key.
    fn is_open(&self, here: Mark) -> bool {
        self.mark.line >= here.line && self.mark.at + KEY_LENGTH >= here.at
    }
}

/// The tokens that stand in the source, in order.
fn lexemes(source: &str) -> impl Iterator<Item = Lexeme> + '_ {
    let mut tokens = Scanner::new(StrInput::new(source)).map_while(Result::ok).peekable();
    std::iter::from_fn(move || {
        loop {
            let (span, token) = tokens.next()?.into_parts();
            let (start, end) = (span.start.byte_offset()?, span.end.byte_offset()?);
            let mut is_plain = false;
            let kind = match token {
                TokenType::VersionDirective(..) | TokenType::TagDirective(..) | TokenType::ReservedDirective(..) => {
                    Kind::Directive
                }
                TokenType::DocumentStart => Kind::DocumentStart,
                TokenType::DocumentEnd => Kind::DocumentEnd,
                TokenType::FlowSequenceStart => Kind::FlowSequenceStart,
                TokenType::FlowSequenceEnd => Kind::FlowSequenceEnd,
                // Empty ones stand for `[key: value]`.
                TokenType::FlowMappingStart if start < end => Kind::FlowMappingStart,
                TokenType::FlowMappingEnd if start < end => Kind::FlowMappingEnd,
                TokenType::BlockEntry => Kind::BlockEntry,
                TokenType::FlowEntry => Kind::FlowEntry,
                TokenType::Key => {
                    // Keys without a `?` are found by their `:`.
                    let is_implicit = tokens.peek().is_some_and(|next| next.span().start.byte_offset() == Some(start));
                    if is_implicit || source.as_bytes().get(start) != Some(&b'?') {
                        continue;
                    }
                    Kind::Key
                }
                TokenType::Value if source.as_bytes().get(start) == Some(&b':') => Kind::Value,
                TokenType::Alias(_) => Kind::Alias,
                TokenType::Anchor(_) | TokenType::Tag(..) => Kind::Property,
                TokenType::Scalar(style, _) => {
                    is_plain = style == ScalarStyle::Plain;
                    Kind::Scalar
                }
                _ => continue,
            };
            return Some(Lexeme { kind, is_plain, start, end });
        }
    })
}

/// Something that is not in the source the tree is of.
pub(super) struct Insertion {
    /// Where it ends.
    pub(super) end: usize,
    /// How long it is, together with those before it.
    pub(super) inserted: usize,
}
