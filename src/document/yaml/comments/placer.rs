//! From tokens and the comments between them to the entries that comments become: go-yaml's parser, as far as it moves
//! comments, and sops's store.

use super::Lines;
use super::reader::{Insertion, Kind, Reader, Role, Token};
use crate::document::Root;
use crate::document::node::{Branch, Comment, Item, Node, Span, Text};

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
pub(super) struct Placer<'s> {
    reader: Reader<'s>,
    /// Comments that wait for the node they belong to.
    waiting: Notes,
    /// What stood above a `-` whose item is a map or list.
    stem: Lines,
}

impl<'s> Placer<'s> {
    pub(super) fn new(source: &'s str, insertions: Vec<Insertion>) -> Self {
        Self { reader: Reader::new(source, insertions), waiting: Notes::default(), stem: Lines::new() }
    }

    pub(super) fn stream(&mut self, roots: &mut [Root]) -> Option<()> {
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
pub(super) fn entry(line: Span, inline: bool, lost: bool) -> Item {
    let span = Span { start: line.start + 1, end: line.end };
    Item { key: None, node: Node::Comment(Comment { text: Text::Source(span), span, inline, lost }) }
}
