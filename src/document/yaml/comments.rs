//! Where sops sees the comments of a YAML file: in which map or list, and before or behind which entry.
//!
//! The key path of the map or list that holds a comment is part of what its ciphertext is bound to, and the
//! comment selections look at what precedes an entry, so comments must stand exactly where sops 3.13 puts them.
//! Its store takes the comments of go-yaml v3.0.4, where a comment's place follows from how far the scanner has
//! looked ahead (`yaml_parser_scan_comments`, `yaml_parser_unroll_indent`, `yaml_parser_unfold_comments`). So
//! this file walks the source in the same steps: [`Reader`] gives tokens and notes the comments between them,
//! [`Placer`] hands these to the nodes that the tokens make up, [`Filler`] enters them into the tree as sops's
//! store does. Values are not looked at; how far one reaches is asked of our own scanner.
//!
//! What may surprise, and is as in sops:
//! - A comment behind a value stands before its entry and is `inline`; one behind `key:` of a block stands before
//!   the key and is not; one behind a `[1, 2]` or `{a: 1}` stands inside, before its first entry, and is not.
//! - Above `- key: 1` it belongs to the list, between `-` and `key:` to the map.
//! - Further out than the entries above it belongs to the map or list of its column, further in to the entry above.
//! - With CRLF line breaks every comment line counts as followed by an empty line; `\r` is no part of a comment,
//!   blanks at its end are.
//! - A comment behind a quoted value and 512 blanks or more is not `inline`, as the scanner looks no further.
//! - The last comments of a document can move once an entry follows, so a document is taken as if its attachment
//!   stood at `attach_at`: that is how sops will read it.
//!
//! Some comments sops loses: those behind `[` or `{`, most in an empty flow collection or at its start in column 0, behind
//! a directive, behind the `...` that ends the file, and all but one where go-yaml wants to put several behind the same
//! entry. They are entered as [`lost`](Comment::lost) into the innermost map or list around them, so that they are
//! encrypted as what they stand beside; so is all that has no place as go-yaml would refuse the file. Sops doubles comments only where an alias stands for a
//! copy of a map or list; such copies are left as they are.
//!
//! What go-yaml reads otherwise than we do is refused before ([`otherwise`](super::otherwise)).

use std::collections::VecDeque;

use granit_parser::{ScalarStyle, Scanner, StrInput, TokenType};
use zeroize::Zeroizing;

use super::super::Root;
use super::super::attachment::NAME;
use super::super::line;
use super::super::node::{Branch, Comment, Item, Node, Span, Text};
use super::envelope;

/// Enters `comments`, all those of `source` in order, into `roots`, the tree that was read from it.
///
/// Each comment becomes one entry. Those inside an attachment are left out, those around it stay; where a document has
/// none, comments are placed as if one stood at `attach_at`. Linear in the length of `source`.
pub(super) fn place(source: &str, comments: &[Span], roots: &mut [Root]) {
    if !comments.is_empty() {
        let (attached, insertions) = attach_all(source, roots);
        // Where go-yaml would refuse the file there is no place to agree on: what has none yet is lost.
        let _ = Placer::new(&attached, insertions).stream(roots);
        enter_lost(comments, roots);
    }
}

/// Enters the comments that were not placed where they stand: into the innermost map or list around them.
fn enter_lost(comments: &[Span], roots: &mut [Root]) {
    let mut placed = vec![false; comments.len()];
    roots.iter_mut().for_each(|root| note_placed(&mut root.branch, comments, &mut placed));
    let cuts: Vec<Span> =
        roots.iter().filter_map(|root| root.attachment.as_ref()).flat_map(|a| a.cuts.clone()).collect();
    let is_in_attachment = |comment: &Span| {
        let next = cuts.partition_point(|cut| cut.end <= comment.start);
        cuts.get(next).is_some_and(|cut| cut.start <= comment.start)
    };
    let lost = comments.iter().zip(placed).filter(|(_, placed)| !placed).map(|(comment, _)| *comment);
    let mut lost = lost.filter(|comment| !is_in_attachment(comment)).peekable();
    let last = roots.len().saturating_sub(1);
    for (index, root) in roots.iter_mut().enumerate() {
        let end = if index == last { u32::MAX } else { root.attach_at };
        enter_lost_below(&mut root.branch, end, &mut lost);
    }
}

/// Notes which comments are in the tree; takes out what is none of them.
fn note_placed(branch: &mut Branch, comments: &[Span], placed: &mut [bool]) {
    branch.items.retain_mut(|item| match &mut item.node {
        Node::Comment(comment) => {
            let found = comments.binary_search_by_key(&comment.span.start, |comment| comment.start + 1);
            found.is_ok_and(|at| comments[at].end == comment.span.end && !std::mem::replace(&mut placed[at], true))
        }
        Node::Map(inner) | Node::List(inner) => {
            note_placed(inner, comments, placed);
            true
        }
        Node::Leaf(_) | Node::Alias { .. } => true,
    });
}

/// Enters those of `lost` that stand before `end`.
fn enter_lost_below(branch: &mut Branch, end: u32, lost: &mut std::iter::Peekable<impl Iterator<Item = Span>>) {
    if lost.peek().is_none_or(|next| next.start >= end) {
        return;
    }
    let items = std::mem::take(&mut branch.items);
    for mut item in items {
        // What stands inside a value, behind a tag or the header of a block, is before it.
        let before = match &item.node {
            Node::Leaf(leaf) => leaf.span.end,
            Node::Comment(_) => 0,
            other => other.span().start,
        };
        enter_lost_until(&mut branch.items, before.min(end), lost);
        if let Node::Map(inner) | Node::List(inner) = &mut item.node {
            enter_lost_below(inner, inner.span.end.min(end), lost);
        }
        branch.items.push(item);
    }
    enter_lost_until(&mut branch.items, end, lost);
}

fn enter_lost_until(items: &mut Vec<Item>, end: u32, lost: &mut std::iter::Peekable<impl Iterator<Item = Span>>) {
    while let Some(comment) = lost.next_if(|next| next.start < end) {
        items.push(entry(comment, false, true));
    }
}

/// `source` with an attachment in every document, and where these were put.
///
/// A comment at the end of a document can move when an entry follows it, and one does once the document is encrypted.
fn attach_all(source: &str, roots: &[Root]) -> (Zeroizing<String>, Vec<Insertion>) {
    let mut attached = Zeroizing::new(String::with_capacity(source.len() + roots.len() * 16));
    let mut insertions = Vec::new();
    let (mut done, mut inserted) = (0, 0);
    let line_break = line::break_of(source.as_bytes());
    for root in roots {
        let branch = &root.branch;
        let (at, comma) = match branch.flow {
            true => envelope::place_in_flow(source.as_bytes(), branch),
            false => (root.attach_at, ""),
        };
        let is_missing = root.attachment.is_none() && (branch.flow || branch.span.end <= at);
        let Some(before) = source.get(done..at as usize).filter(|_| is_missing) else { continue };
        attached.push_str(before);
        done = at as usize;
        let start = attached.len();
        if branch.flow {
            attached.push_str(&format!("{comma}\"{NAME}\": {{}}"));
        } else {
            attached.push_str(&envelope::opening(source.as_bytes(), root));
            attached.push_str(line_break);
        }
        inserted += attached.len() - start;
        insertions.push(Insertion { end: attached.len(), inserted });
    }
    attached.push_str(&source[done..]);
    (attached, insertions)
}

/// Something that is not in the source the tree is of.
struct Insertion {
    /// Where it ends.
    end: usize,
    /// How long it is, together with those before it.
    inserted: usize,
}

/// Lines of comments, each from its `#` to the end of the line; an empty span is an empty line in between.
type Lines = Vec<Span>;

/// The comments of one node.
#[derive(Default)]
struct Notes {
    head: Lines,
    line: Lines,
    foot: Lines,
}

/// A node that was passed: its comments, whether it is a map or list, where its scalar or alias starts.
#[derive(Default)]
struct Passed {
    notes: Notes,
    is_branch: bool,
    at: Option<usize>,
}

/// go-yaml's parser, as far as it moves comments.
struct Placer<'s> {
    reader: Reader<'s>,
    /// Comments that wait for the node they belong to.
    waiting: Notes,
    /// What stood above a `-` whose item is a map or list.
    stem: Lines,
}

impl<'s> Placer<'s> {
    fn new(source: &'s str, insertions: Vec<Insertion>) -> Self {
        Self { reader: Reader::new(source, insertions), waiting: Notes::default(), stem: Lines::new() }
    }

    fn stream(&mut self, roots: &mut [Root]) -> Option<()> {
        let mut roots = roots.iter_mut();
        self.skip_if(Kind::StreamStart);
        let mut is_first = true;
        loop {
            let mut head = Lines::new();
            if !is_first {
                while self.skip_if(Kind::DocumentEnd) {}
            }
            let is_explicit = match self.peek() {
                Kind::StreamEnd => return Some(()),
                Kind::Directive | Kind::DocumentStart => true,
                _ => false,
            };
            if is_explicit {
                while self.skip_if(Kind::Directive) {}
                self.expect(Kind::DocumentStart)?;
            } else if is_first {
                // What an empty line sets off from the first entry belongs to the document as a whole.
                let above = &mut self.waiting.head;
                if let Some(gap) = above.iter().rposition(|line| line.is_empty()) {
                    head = above.drain(..=gap).collect();
                }
            } else {
                return None;
            }
            is_first = false;

            let is_empty = is_explicit
                && matches!(self.peek(), Kind::Directive | Kind::DocumentStart | Kind::DocumentEnd | Kind::StreamEnd);
            let branch = &mut roots.next()?.branch;
            if !is_empty {
                let mut node = Node::Map(std::mem::take(branch));
                let content = self.content(Some(&mut node), Context::Block);
                if let Node::Map(filled) = node {
                    *branch = filled;
                }
                let Passed { notes: content, is_branch, .. } = content?;
                // Of a document that is `null` sops forgets what stands behind it.
                wrap(branch, content.head, content.line, if is_branch { content.foot } else { Lines::new() });
            }
            self.skip_if(Kind::DocumentEnd);
            let end = self.take_notes();
            wrap(branch, head, Lines::new(), if end.foot.is_empty() { end.head } else { end.foot });
        }
    }

    /// Passes a node.
    fn content(&mut self, place: Option<&mut Node>, context: Context) -> Option<Passed> {
        let kind = self.peek();
        if kind == Kind::Alias {
            return Some(self.leaf());
        }
        let has_properties = kind == Kind::Property;
        while self.skip_if(Kind::Property) {}
        let is_block = context != Context::Flow;
        let mut notes = Notes::default();
        match self.peek() {
            Kind::BlockEntry if context == Context::MapValue => self.list(place, false)?,
            Kind::Scalar => return Some(self.leaf()),
            kind @ (Kind::FlowSequenceStart | Kind::FlowMappingStart) => {
                let head = self.take_notes().head;
                self.reader.skip();
                if kind == Kind::FlowMappingStart { self.flow_map(place) } else { self.flow_list(place) }?;
                notes = Notes { head, ..self.take_notes() };
                self.reader.skip();
            }
            Kind::SequenceStart if is_block => {
                notes.head = std::mem::take(&mut self.stem);
                self.reader.skip();
                self.list(place, true)?;
            }
            Kind::MappingStart if is_block => {
                notes.head = std::mem::take(&mut self.stem);
                self.reader.skip();
                self.map(place, &mut notes)?;
            }
            _ if has_properties => return Some(Passed::default()),
            _ => return None,
        }
        Some(Passed { notes, is_branch: true, at: None })
    }

    fn leaf(&mut self) -> Passed {
        let at = self.reader.tokens.front().and_then(|token| usize::try_from(token.at).ok());
        let at = at.map(|at| self.reader.original(at));
        self.reader.skip();
        Passed { notes: self.take_notes(), is_branch: false, at }
    }

    fn take_notes(&mut self) -> Notes {
        self.stem.clear();
        std::mem::take(&mut self.waiting)
    }

    fn list(&mut self, place: Option<&mut Node>, is_indented: bool) -> Option<()> {
        let mut filler = Filler::new(place);
        loop {
            match self.peek() {
                Kind::BlockEntry => {}
                Kind::BlockEnd if is_indented => {
                    self.reader.skip();
                    return filler.list();
                }
                _ if is_indented => return None,
                _ => return filler.list(),
            }
            let above = self.waiting.head.len();
            self.reader.skip();
            if above > 0 && matches!(self.peek(), Kind::SequenceStart | Kind::MappingStart) {
                let behind = self.waiting.head.split_off(above);
                self.stem = std::mem::replace(&mut self.waiting.head, behind);
            }
            let place = filler.next();
            let item = match self.peek() {
                Kind::BlockEntry | Kind::BlockEnd => Passed::default(),
                Kind::Key | Kind::Value if !is_indented => Passed::default(),
                _ => self.content(place, Context::Block)?,
            };
            filler.passed.push((Passed::default(), item));
        }
    }

    fn map(&mut self, place: Option<&mut Node>, notes: &mut Notes) -> Option<()> {
        let mut filler = Filler::new(place);
        loop {
            match self.peek() {
                Kind::Key => self.reader.skip(),
                Kind::BlockEnd => {
                    let end = self.take_notes();
                    self.reader.skip();
                    notes.line = end.line;
                    match filler.passed.last_mut() {
                        Some((key, _)) if !end.foot.is_empty() => key.notes.foot = end.foot,
                        Some(_) => {}
                        None => notes.foot = end.foot,
                    }
                    return filler.map();
                }
                _ => return None,
            }
            self.entry(&mut filler, Context::MapValue)?;
        }
    }

    fn flow_map(&mut self, place: Option<&mut Node>) -> Option<()> {
        let mut filler = Filler::new(place);
        while self.peek() != Kind::FlowMappingEnd {
            if !filler.passed.is_empty() {
                self.expect(Kind::FlowEntry)?;
            }
            if self.peek() == Kind::FlowMappingEnd {
                break;
            }
            self.skip_if(Kind::Key);
            self.entry(&mut filler, Context::Flow)?;
        }
        filler.map()
    }

    fn flow_list(&mut self, place: Option<&mut Node>) -> Option<()> {
        let mut filler = Filler::new(place);
        while self.peek() != Kind::FlowSequenceEnd {
            if !filler.passed.is_empty() {
                self.expect(Kind::FlowEntry)?;
            }
            let item = match self.peek() {
                Kind::FlowSequenceEnd => break,
                Kind::Key => {
                    // A map of one entry that is written without braces: `[key: value]`.
                    self.reader.skip();
                    let mut pair = Filler::new(filler.next());
                    self.entry(&mut pair, Context::Flow)?;
                    pair.map()?;
                    self.peek();
                    Passed { is_branch: true, ..Passed::default() }
                }
                _ => self.content(filler.next(), Context::Flow)?,
            };
            filler.passed.push((Passed::default(), item));
        }
        filler.list()
    }

    /// Passes a key and its value.
    fn entry(&mut self, filler: &mut Filler<'_>, context: Context) -> Option<()> {
        let mut key = if self.peek().ends_entry() { Passed::default() } else { self.content(None, context)? };
        let place = filler.value_of(&key);
        let mut value = Passed::default();
        if self.skip_if(Kind::Value) && !self.peek().ends_entry() {
            value = self.content(place, context)?;
        }
        if context != Context::Flow && !key.notes.foot.is_empty() {
            // What is noted behind a key stands behind the entry before it.
            if let Some((before, _)) = filler.passed.last_mut() {
                before.notes.foot = std::mem::take(&mut key.notes.foot);
            }
        }
        if key.notes.foot.is_empty() {
            key.notes.foot = std::mem::take(&mut value.notes.foot);
        }
        filler.passed.push((key, value));
        Some(())
    }

    fn expect(&mut self, kind: Kind) -> Option<()> {
        (self.peek() == kind).then(|| self.reader.skip())
    }

    fn skip_if(&mut self, kind: Kind) -> bool {
        self.expect(kind).is_some()
    }

    /// The next token, after the comments that stand before it have been gathered.
    fn peek(&mut self) -> Kind {
        self.reader.fill();
        let Some(&Token { kind, at }) = self.reader.tokens.front() else { return Kind::StreamEnd };
        while let Some(group) = self.reader.groups.front_mut().filter(|group| at >= group.belongs_at) {
            // What stands above the end of a block belongs to what follows it.
            if kind == Kind::BlockEnd && group.role == Role::Head {
                break;
            }
            let lines = std::mem::take(&mut group.lines);
            let to = match group.role {
                Role::Head => &mut self.waiting.head,
                Role::Line => &mut self.waiting.line,
                Role::Foot => &mut self.waiting.foot,
            };
            if to.is_empty() {
                *to = lines;
            } else {
                to.extend(lines);
            }
            self.reader.groups.pop_front();
        }
        kind
    }
}

/// What may stand where a node is expected.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Context {
    Block,
    /// As `Block`; a list may also start at the column of the map.
    MapValue,
    Flow,
}

/// Collects the comments of a map's or list's entries, and enters them once it has ended.
struct Filler<'t> {
    branch: Option<&'t mut Branch>,
    /// Index of the entry to come.
    next: usize,
    /// Keys (nothing in lists) and values.
    passed: Vec<(Passed, Passed)>,
    /// The entry that is not in the tree: the attachment.
    absent: Option<usize>,
}

impl<'t> Filler<'t> {
    fn new(place: Option<&'t mut Node>) -> Self {
        let branch = match place {
            Some(Node::Map(branch) | Node::List(branch)) => Some(branch),
            _ => None,
        };
        let passed = Vec::with_capacity(branch.as_ref().map_or(0, |branch| branch.items.len() + 1));
        Self { branch, next: 0, passed, absent: None }
    }

    /// The place of the next entry.
    fn next(&mut self) -> Option<&mut Node> {
        self.next += 1;
        Some(&mut self.branch.as_mut()?.items.get_mut(self.next - 1)?.node)
    }

    /// The place of the value of `key`, the next entry; none for the attachment, which is not in the tree.
    fn value_of(&mut self, key: &Passed) -> Option<&mut Node> {
        let expected = self.branch.as_ref()?.items.get(self.next).and_then(|item| item.key.as_ref());
        let is_here = match (expected, key.at) {
            (Some(expected), Some(at)) => expected.span.start as usize <= at && at <= expected.span.end as usize,
            (Some(_), None) => true,
            (None, _) => false,
        };
        if is_here {
            return self.next();
        }
        self.absent = self.absent.or(Some(self.passed.len()));
        None
    }

    /// Enters the comments of a list's items.
    fn list(self) -> Option<()> {
        let Some(branch) = self.branch else { return Some(()) };
        if self.passed.len() != branch.items.len() {
            return None;
        }
        let items = std::mem::take(&mut branch.items);
        for ((_, passed), item) in self.passed.into_iter().zip(items) {
            enter(&mut branch.items, passed.notes.head, false);
            enter(&mut branch.items, passed.notes.line, true);
            branch.items.push(item);
            enter(&mut branch.items, passed.notes.foot, false);
        }
        Some(())
    }

    /// Enters the comments of a map's entries.
    fn map(self) -> Option<()> {
        let Some(branch) = self.branch else { return Some(()) };
        if self.passed.len() != branch.items.len() + usize::from(self.absent.is_some()) {
            return None;
        }
        let mut items = std::mem::take(&mut branch.items).into_iter();
        for (index, (key, value)) in self.passed.into_iter().enumerate() {
            enter(&mut branch.items, key.notes.head, false);
            enter(&mut branch.items, key.notes.line, false);
            let item = if self.absent == Some(index) { None } else { items.next() };
            let mut behind = Lines::new();
            if !value.is_branch {
                enter(&mut branch.items, value.notes.head, false);
                enter(&mut branch.items, value.notes.line, true);
                behind = value.notes.foot;
                branch.items.extend(item);
            } else if let Some(mut item) = item {
                if let Node::Map(inner) | Node::List(inner) = &mut item.node {
                    wrap(inner, value.notes.head, value.notes.line, value.notes.foot);
                }
                branch.items.push(item);
            }
            enter(&mut branch.items, behind, false);
            enter(&mut branch.items, key.notes.foot, false);
        }
        Some(())
    }
}

/// Enters comments at the start and at the end of a branch.
fn wrap(branch: &mut Branch, head: Lines, line: Lines, foot: Lines) {
    let mut first = Vec::new();
    enter(&mut first, head, false);
    enter(&mut first, line, false);
    branch.items.splice(..0, first);
    enter(&mut branch.items, foot, false);
}

fn enter(items: &mut Vec<Item>, lines: Lines, inline: bool) {
    items.extend(lines.into_iter().filter(|line| !line.is_empty()).map(|line| entry(line, inline, false)));
}

/// The entry for a comment that stands at `line`, from its `#` on.
fn entry(line: Span, inline: bool, lost: bool) -> Item {
    let span = Span { start: line.start + 1, end: line.end };
    Item { key: None, node: Node::Comment(Comment { text: Text::Source(span), span, inline, lost }) }
}

/// What a token is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
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
    fn ends_entry(self) -> bool {
        use Kind::*;
        matches!(self, Key | Value | BlockEnd | FlowEntry | FlowMappingEnd | FlowSequenceEnd)
    }
}

/// A token, and the offset that go-yaml sorts it by; -1 is before everything.
#[derive(Clone, Copy)]
struct Token {
    kind: Kind,
    at: isize,
}

/// A place in the source: byte, line from 0, column in characters from 0.
#[derive(Clone, Copy, Default)]
struct Mark {
    at: usize,
    line: usize,
    column: usize,
}

/// Comments that were found together.
struct Group {
    role: Role,
    lines: Lines,
    /// The first token that does not start before here gathers the group.
    belongs_at: isize,
    /// Where the first comment starts; the column is counted from 1.
    start: Mark,
    /// From where to where there is nothing but this group; both 0 behind a value.
    from: usize,
    to: usize,
}

/// What a group is to the node it belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
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
struct Reader<'s> {
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
    tokens: VecDeque<Token>,
    /// Number of tokens that were passed.
    passed: usize,
    /// Comments no token has gathered yet.
    groups: VecDeque<Group>,
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
    fn new(source: &'s str, insertions: Vec<Insertion>) -> Self {
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
    fn skip(&mut self) {
        self.tokens.pop_front();
        self.passed += 1;
    }

    /// Reads until the next token is known: two more lie behind it, and it is clear whether a key starts at it.
    fn fill(&mut self) {
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
    fn original(&self, at: usize) -> usize {
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::tree::build;
    use super::*;

    fn parse(source: &str) -> Option<Vec<Root>> {
        build(source).ok()
    }

    fn show(source: &str, items: &[Item], out: &mut Vec<String>) {
        for item in items {
            let key = item.key.as_ref().map_or_else(String::new, |key| format!("{}:", &source[key.span.range()]));
            let nested = |items: &[Item]| {
                let mut out = Vec::new();
                show(source, items, &mut out);
                out.join(" ")
            };
            out.push(match &item.node {
                Node::Comment(comment) => {
                    assert_eq!(comment.text.bytes(source.as_bytes()), &source.as_bytes()[comment.span.range()]);
                    let mark = if comment.inline { '!' } else { '#' };
                    format!("{}{mark}{}", if comment.lost { "~" } else { "" }, &source[comment.span.range()])
                }
                Node::Map(branch) => format!("{key}{{{}}}", nested(&branch.items)),
                Node::List(branch) => format!("{key}[{}]", nested(&branch.items)),
                _ => format!("{key}."),
            });
        }
    }

    fn placed(source: &str) -> String {
        let Some(roots) = parse(source) else { return "ERR".into() };
        let shown = roots.iter().map(|root| {
            let mut out = Vec::new();
            show(source, &root.branch.items, &mut out);
            format!("{{{}}}", out.join(" "))
        });
        shown.collect::<Vec<_>>().join(" --- ")
    }

    fn comments(source: &str) -> Vec<Span> {
        let tokens = Scanner::new(StrInput::new(source)).map_while(Result::ok).map(|token| token.into_parts());
        let comments = tokens.filter(|(_, token)| matches!(token, TokenType::Comment(_)));
        comments.map(|(at, _)| Span::new(at.start.byte_offset().unwrap(), at.end.byte_offset().unwrap())).collect()
    }

    /// Sources, and what sops 3.13.3 makes of them once they have an attachment: `#` is a comment, `!` an inline one, `~`
    /// precedes one that it loses.
    fn check(cases: &[(&str, &str)]) {
        for (source, expected) in cases {
            assert_eq!(placed(source), *expected, "{source:?}");
            let (attached, _) = attach_all(source, &parse(source).unwrap());
            assert_eq!(placed(&attached), *expected, "{source:?} with an attachment");
        }
    }

    #[test]
    fn comments_of_maps_stand_where_sops_has_them() {
        check(&[
            ("a: 1 #x\nb: 2\n", "{!x a:. b:.}"),
            ("#x\na: 1\n#y\nb: 2\n", "{#x a:. #y b:.}"),
            ("#x\n\n#y\na: 1\n\n#z\n", "{#x #y a:. #z}"),
            ("a: 1\n#x\n\nb: 2\n", "{a:. #x b:.}"),
            ("a: 1\n\n#x\nb: 2\n", "{a:. #x b:.}"),
            ("a: \"b #c\" #x\n", "{!x a:.}"),
            ("a: b#c\n", "{a:.}"),
            ("a:\n #x\n 1\n", "{#x a:.}"),
            ("a: b\n  c #x\n", "{!x a:.}"),
            ("a: #x\n  b: 1\n", "{#x a:{b:.}}"),
            ("a: #x\n- 1\n", "{#x a:[.]}"),
            ("a:\n  #x\n  b: 1\n", "{a:{#x b:.}}"),
            ("a: #x\n\n  #y\n  b: 1\n", "{#x a:{#y b:.}}"),
            ("a: !!str 1 #x\n", "{!x a:.}"),
            ("a: &b 1 #x\nc: *b #y\n", "{!x a:. !y c:.}"),
            ("a: &b #x\n  c: 1\n", "{a:{#x c:.}}"),
            ("? a #x\n: 1 #y\n", "{#x !y a:.}"),
        ]);
    }

    #[test]
    fn comments_of_lists() {
        check(&[
            ("a:\n  #x\n  - 1 #y\n  #z\n  - 2\n", "{a:[#x !y . #z .]}"),
            ("a:\n- 1 #x\n- 2\n#y\nb: 1\n", "{a:[!x . .] #y b:.}"),
            ("a:\n- 1\n#x\n\nb: 1\n", "{a:[. #x] b:.}"),
            ("a:\n  #x\n  - b: 1\n  #y\n  - b: 2 #z\n", "{a:[#x {b:.} #y {!z b:.}]}"),
            ("a:\n  - #x\n    b: 1\n", "{a:[{#x b:.}]}"),
            ("a:\n  - b: 1\n    #x\n    c: 1\n  #y\n  - 2\n", "{a:[{b:. #x c:.} #y .]}"),
            ("a:\n  - b: 1\n    #x\n  #y\n#z\n", "{a:[{b:. #x}] #y #z}"),
            ("a:\n  - - 1 #x\n    #y\n    - 2\n  #z\n", "{a:[[!x . #y . #z]]}"),
            ("a:\n  #x\n  - [1]\n", "{a:[#x [.]]}"),
            ("a:\n  #x\n  - &b\n    c: 1\n", "{a:[{#x c:.}]}"),
        ]);
    }

    #[test]
    fn comments_behind_the_last_entry_go_by_their_column() {
        check(&[
            ("a:\n  b: 1\n  #x\n#y\n", "{a:{b:. #x} #y}"),
            ("a:\n  b: 1\n  #x\n#y\nc: 1\n", "{a:{b:. #x} #y c:.}"),
            ("a:\n  b: 1\n\n  #x\n\n#y\nc: 1\n", "{a:{b:. #x} #y c:.}"),
            ("a:\n  b: 1\n#x\n\n#y\nc: 1\n", "{a:{b:.} #x #y c:.}"),
            ("a:\n  b:\n    c: 1\n  #x\n  d: 1\n", "{a:{b:{c:.} #x d:.}}"),
            ("a:\n  b:\n    c: 1\n   #x\n  d: 1\n", "{a:{b:{c:. #x} d:.}}"),
            ("a:\n  b:\n    c: 1\n    #x\n  #y\n#z\n", "{a:{b:{c:. #x} #y} #z}"),
            ("a:\n  b: 1\n      #x\n#y\n", "{a:{b:. #x} #y}"),
            ("a: 1\n  #x\nb: 2\n", "{a:. #x b:.}"),
            ("a:\n  b: 1\n #x\nc: 1\n", "{a:{b:. #x} c:.}"),
            ("a:\n  b: 1\n#x", "{a:{b:.} #x}"),
            ("a:\n- 1\n#x", "{a:[.] #x}"),
            ("a:\n- 1\n#x\n\n", "{a:[. #x]}"),
            ("a: [1]\n  #x\n", "{a:[.] #x}"),
            ("a:\n  - b: 1\n   #x\n", "{a:[{b:. #x}]}"),
            (" a:\n   b: 1\n #x\n", "{a:{b:.} #x}"),
        ]);
    }

    #[test]
    fn comments_around_block_scalars() {
        check(&[
            ("a: | #x\n  #text\n#y\nb: 1\n", "{!x a:. #y b:.}"),
            ("a:\n  b: >-\n    text\n  #x\n#y\nc: 1\n", "{a:{b:. #x} #y c:.}"),
            ("a:\n  - |\n    text\n  #x\n  - 1\n", "{a:[. #x .]}"),
            ("a: |\n  text\n\n#x\n\n#y\nb: 1\n", "{a:. #x #y b:.}"),
        ]);
    }

    #[test]
    fn comments_in_flow_collections() {
        check(&[
            ("a: [1, #x\n  2, #y\n  #z\n] #e\n", "{a:[#e !x . !y . #z]}"),
            ("a: {b: 1, #x\n  c: 2} #y\n", "{a:{#y !x b:. c:.}}"),
            ("a: {\n  #x\n  b: 1,\n  #y\n  c: 2\n  #z\n}\n", "{a:{#x b:. #y c:. #z}}"),
            ("a: [b: 1, #x\n  2]\n", "{a:[{!x b:.} .]}"),
            ("{a: 1, #x\n b: 2}\n#y\n", "{!x a:. b:. #y}"),
        ]);
    }

    #[test]
    fn comments_around_document_markers() {
        check(&[
            ("#x\n---\n#y\na: 1\n#z\n---\n#v\nb: 1\n", "{#x #y a:. #z} --- {#v b:.}"),
            ("--- #x\na: 1\n--- #y\nb: 1\n", "{#x a:.} --- {#y b:.}"),
            ("a: 1\n#x\n---\nb: 1\n", "{a:. #x} --- {b:.}"),
            ("a: 1\n...\n#x\n---\nb: 1\n", "{a:.} --- {#x b:.}"),
            ("#x\n---\n---\n#y\na: 1\n", "{#x} --- {#y a:.}"),
            ("%YAML 1.1\n---\n#x\na: 1\n", "{#x a:.}"),
        ]);
    }

    #[test]
    fn comments_around_the_attachment_stay_those_inside_go() {
        check(&[
            ("a: 1\n#x\nsops: #y\n  #z\n  mac: m #v\n  #w\n", "{a:. #x #y ~#w}"),
            ("sops:\n  mac: m\n#x\na: 1 #y\n", "{#x !y a:.}"),
            ("a: 1 #x\nsops:\n  mac: m\n#y\n", "{!x a:. #y}"),
            ("#x\nsops:\n  age:\n  - enc: |\n      #t\n    #v\n\n#y\na: 1\n", "{#x #y ~#v a:.}"),
        ]);
    }

    #[test]
    fn blanks_belong_to_comments_and_line_breaks_do_not() {
        check(&[
            ("a: 1 #x \r\n#y\t\r\nb: 2\r\n", "{!x  a:. #y\t b:.}"),
            ("a:\r\n  b: 1\r\n  #x\r\n#y\r\nc: 1\r\n", "{a:{b:. #x} #y c:.}"),
            ("a: 1\r\n#x\r\n#y\r\nb: 2\r\n", "{a:. #x #y b:.}"),
            ("a:\r\n  - 1\r\n  #x\r\n  - b: 1\r\n", "{a:[. #x {b:.}]}"),
            ("a:\n  - 1\n  #x\n  - b: 1\n", "{a:[. #x {b:.}]}"),
            ("a: 1 #x", "{!x a:.}"),
            ("\u{feff}#x\na: 1 #y\n", "{#x !y a:.}"),
            ("é: ü #x\n", "{!x é:.}"),
            ("a:\n- 1\n#x\nb: 1\n", "{a:[.] #x b:.}"),
            ("a:\r\n- 1\r\n#x\r\nb: 1\r\n", "{a:[. #x] b:.}"),
        ]);
    }

    #[test]
    fn what_sops_loses_goes_into_what_is_around_it() {
        check(&[
            ("a: [ #x\n  1]\n", "{a:[~#x .]}"),
            ("a: [\n  #x\n]\n", "{a:[~#x]}"),
            ("a: {b: [1, { #x\n  c: 1}]} #y\n", "{a:{#y b:[. {~#x c:.}]}}"),
            ("a: { #x\n  b: [ #y\n    1, 2]}\n", "{a:{~#x b:[~#y . .]}}"),
            ("%YAML 1.1 #x\n---\na: 1\n", "{~#x a:.}"),
            ("a: 1\n... #x\n", "{a:. ~#x}"),
            ("a: 1\n... #x\n---\nb: 1\n... #y\n#z\n", "{a:.} --- {#x b:. ~#y ~#z}"),
            ("a: 1\n#x\n...\n#y\n", "{a:. #x #y}"),
            ("a:\n  - 1\n  #x\n  -\n  - 2\n", "{a:[. . #x .]}"),
            ("a: [ #ä\n  é, #ö\n  ü]\n", "{a:[!ö ~#ä . .]}"),
        ]);
        // Here sops sees the comment once an attachment follows.
        assert_eq!(placed("a:\n  - 1\n  #x\n  -\n"), "{a:[. .] #x}");
    }

    /// The spans of all comments of a tree, from their `#` on.
    fn found(branch: &Branch, out: &mut Vec<Span>) {
        for item in &branch.items {
            match &item.node {
                Node::Comment(comment) => out.push(Span { start: comment.span.start - 1, end: comment.span.end }),
                Node::Map(inner) | Node::List(inner) => found(inner, out),
                Node::Leaf(_) | Node::Alias { .. } => {}
            }
        }
    }

    /// Whether each comment is in the tree exactly once; of no effect where the source is not accepted.
    fn holds_every_comment(source: &str) -> bool {
        let Some(roots) = parse(source) else { return false };
        let cuts: Vec<_> =
            roots.iter().filter_map(|root| root.attachment.as_ref()).flat_map(|a| a.cuts.clone()).collect();
        let outside = |span: &Span| !cuts.iter().any(|cut| cut.start <= span.start && span.end <= cut.end);
        let mut all = Vec::new();
        roots.iter().for_each(|root| found(&root.branch, &mut all));
        all.sort_unstable();
        all.retain(outside);
        let expected: Vec<_> = comments(source).into_iter().filter(outside).collect();
        assert_eq!(all, expected, "{source:?}");
        !expected.is_empty()
    }

    #[test]
    fn every_comment_of_the_corpus_is_in_the_tree_once() {
        let mut folders = vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/documents"))];
        let mut with_comments = 0;
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "yaml")
                    && let Ok(source) = std::fs::read_to_string(&path)
                {
                    with_comments += usize::from(holds_every_comment(&source));
                }
            }
        }
        assert!(with_comments >= 40, "only {with_comments}");
    }

    /// Pieces that make up many valid and many odd documents.
    const PIECES: [&str; 40] = [
        "\n",
        "\n",
        "\n",
        "\n  ",
        "\n  ",
        "\n    ",
        "\r\n",
        " #c\n",
        " #c\n",
        " #d\n  ",
        "#e\n",
        "\n#f",
        "\n  #g",
        "a: ",
        "b: ",
        "c:",
        "k: v",
        "k: v\n",
        "- ",
        "- ",
        "\n- ",
        "\n  - ",
        "[",
        "]",
        "{",
        "}",
        ", ",
        ", ",
        "1",
        "'q #no'",
        "\"r\n  #no\"",
        "? ",
        ": ",
        "&x ",
        "*x",
        "!!str ",
        "|\n",
        ">-\n",
        "\n---\n",
        "\n...",
    ];

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config { failure_persistence: None, ..Default::default() })]
        #[test]
        fn every_comment_is_in_the_tree_once(picks in proptest::collection::vec(0..PIECES.len(), 1..24)) {
            let mut source: String = picks.into_iter().map(|pick| PIECES[pick]).collect();
            // Most do not start with a map, and would not be accepted.
            holds_every_comment(&source);
            source.insert_str(0, "a: ");
            holds_every_comment(&source);
            for closing in ["]", "}", "\nz: 1\nsops: #s\n  mac: m #t\n#u\n"] {
                holds_every_comment(&format!("{source}{closing}"));
            }
        }
    }

    #[test]
    fn comment_far_behind_a_quoted_value_is_not_inline() {
        let far = |blanks| placed(&format!("a: '1'{}#x\nb: 2\n", " ".repeat(blanks)));
        assert_eq!(far(511), "{!x a:. b:.}");
        assert_eq!(far(512), "{a:. #x b:.}");
    }

    #[test]
    fn nothing_breaks_where_tree_and_source_do_not_fit() {
        for source in ["#", "[#", "a: [#x", "- #x\n-", "? #x", "a: |#x", "\"#", "}#x", "a: b: #x", "--- #x\n%#"] {
            let mut roots = [Root { branch: Branch::default(), attachment: None, attach_at: 0 }];
            place(source, &comments(source), &mut roots);
            assert_eq!(roots[0].branch.items.len(), comments(source).len(), "{source}");
            place(source, &comments(source), &mut []);
        }
    }

    #[test]
    fn time_grows_with_length_only() {
        // Depth times length would be two thousand million steps here.
        let nested: String = (0..60).map(|depth| format!("{}k:\n", " ".repeat(depth))).collect();
        let comments: String = (0..20_000).map(|i| format!("{}#x\n", " ".repeat(i % 60))).collect();
        let source = format!("{nested}{}v\n{comments}", " ".repeat(60));
        assert_eq!(placed(&source).matches('x').count(), 20_000);
    }
}
