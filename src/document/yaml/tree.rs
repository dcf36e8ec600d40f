//! From parser events to the tree: one pass for the nodes, one for the comments, one for the aliases.
//!
//! Aliases come last so that what they stand for has its comments: sops replaces an alias by a copy of the
//! anchored node, comments included.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, StructureStyle, Tag, options};

use super::{Resolved, comments, envelope, otherwise, resolve};
use crate::document::node::{Branch, Item, Key, Leaf, Node, Scalar, Span, Style, Text};
use crate::document::{Format, ParseError, ParseProblem, Root, line};

/// Maps and lists inside each other, aliases expanded.
const MAX_DEPTH: usize = 128;
/// Entries up to which a map or list is put into as much memory as it needs: copying a larger one takes more than the system has
/// given for what is not used.
const SHRUNK: usize = 1024;
/// Bytes from which on a file is large.
const LARGE: usize = 1 << 18;
/// Values that all aliases of a small file together may stand for; in a larger one as many as it has bytes, which no file that
/// people write comes near.
const MAX_ALIASED: usize = 20_000;

/// Reads all documents of `source`.
pub(super) fn build(source: &str) -> Result<Vec<Root>, ParseError> {
    if source.is_empty() {
        return Err(ParseError::new(Format::Yaml, ParseProblem::Empty));
    }
    let mut builder = Builder::new(source);
    let options = options! {
        emit_anchor_events: true,
        emit_comments: true,
        max_buffered_comment_events: usize::MAX,
        block_scalar_eof_without_line_feed: true,
        bom_inside_document_as_content: true,
        block_nesting_limit: MAX_DEPTH,
        flow_nesting_limit: MAX_DEPTH,
    };
    for next in Parser::new_from_str_with_options(source, options) {
        let (event, span) = next.map_err(|e| {
            let at = e.marker().byte_offset().unwrap_or(0);
            let problem = match e.kind() {
                ErrorKind::TabInBlockIndentation | ErrorKind::TabInIndentation => otherwise::TAB.to_owned(),
                _ => without_quotes(&e.to_string()),
            };
            builder.fail(ParseProblem::Syntax(problem), at)
        })?;
        builder.take(event, &span)?;
    }
    let Builder { mut roots, anchors, anchored_keys, aliases, comments, .. } = builder;
    if roots.is_empty() {
        return Err(ParseError::new(Format::Yaml, ParseProblem::Syntax("there are only comments".into())));
    }
    if let Some(key) = duplicate_key(&roots[0].branch, source.as_bytes()) {
        let name = String::from_utf8_lossy(key.text.bytes(source.as_bytes())).into_owned();
        let problem = ParseProblem::DuplicateKey(name);
        return Err(ParseError::at(Format::Yaml, problem, source.as_bytes(), key.span.start as usize));
    }
    if let Some(at) = otherwise::line_break(source, &roots) {
        let problem = ParseProblem::ReadOtherwise(otherwise::LINE_BREAK);
        return Err(ParseError::at(Format::Yaml, problem, source.as_bytes(), at));
    }
    for root in &mut roots {
        envelope::detach(source, root);
    }
    comments::place(source, &comments, &mut roots);
    if !aliases.is_empty() {
        let targets = anchored_keys.into_iter().map(|(id, leaf)| (id, (Arc::new(Node::Leaf(leaf)), 1, 0))).collect();
        let most = MAX_ALIASED.max(source.len());
        let mut resolver = Resolver { anchors, aliases, targets, total: 0, most };
        for root in &mut roots {
            resolver
                .branch(&mut root.branch, 1)
                .map_err(|(problem, at)| ParseError::at(Format::Yaml, problem, source.as_bytes(), at as usize))?;
        }
    }
    Ok(roots)
}

/// The second of two equal keys in one map, anywhere below `branch`.
pub(crate) fn duplicate_key<'a>(branch: &'a Branch, source: &'a [u8]) -> Option<&'a Key> {
    if has_equal_hashes(branch, source) {
        let mut seen = HashSet::new();
        let mut keys = branch.items.iter().filter_map(|item| item.key.as_ref());
        if let Some(key) = keys.find(|key| !seen.insert((key.text.bytes(source), key.is_string))) {
            return Some(key);
        }
    }
    branch.items.iter().find_map(|item| match &item.node {
        Node::Map(inner) | Node::List(inner) => duplicate_key(inner, source),
        _ => None,
    })
}

/// Whether two keys of a map may be equal: a set of all of a large map's keys would be as large as its tree.
fn has_equal_hashes(branch: &Branch, source: &[u8]) -> bool {
    let state = RandomState::new();
    let keys = branch.items.iter().filter_map(|item| item.key.as_ref());
    let mut hashes: Vec<u64> = keys.map(|key| state.hash_one((key.text.bytes(source), key.is_string))).collect();
    hashes.sort_unstable();
    hashes.windows(2).any(|pair| pair[0] == pair[1])
}

/// The parser's message without what it quotes from the file, which may be a secret.
fn without_quotes(message: &str) -> String {
    let message = [" at byte ", " at char ", " at line "]
        .iter()
        .fold(message, |left, place| left.split(place).next().unwrap_or(left));
    let mut out = String::with_capacity(message.len());
    let mut inside = None;
    for c in message.chars() {
        match inside {
            Some(quote) if c == quote => {
                inside = None;
                out.push('…');
                out.push(c);
            }
            Some(_) => {}
            None => {
                if c == '`' || c == '"' {
                    inside = Some(c);
                }
                out.push(c);
            }
        }
    }
    out
}

/// A map or list that is still open.
struct Frame {
    is_map: bool,
    branch: Branch,
    key: Option<Key>,
    anchor: usize,
}

struct Builder<'s> {
    source: &'s str,
    roots: Vec<Root>,
    frames: Vec<Frame>,
    /// Behind the last token that was read: where a block list's dash is looked for.
    cursor: usize,
    /// Spans of anchored nodes: their start tells which node, as no two nodes of a document start alike and have an anchor.
    anchors: HashMap<(u32, bool), usize>,
    /// Anchored keys, as the values that their aliases stand for.
    anchored_keys: HashMap<usize, Leaf>,
    /// Start of an alias to the anchor it names.
    aliases: HashMap<u32, usize>,
    /// All comments, from their `#` to the end of the line.
    comments: Vec<Span>,
    /// The current document's end is not known yet.
    open_end: bool,
    /// Inside brackets within a block: the column of that block.
    flow_within: Option<usize>,
    /// Up to where the lines between brackets were looked at.
    flow_seen: usize,
}

impl<'s> Builder<'s> {
    fn new(source: &'s str) -> Self {
        Self {
            source,
            roots: Vec::new(),
            frames: Vec::new(),
            cursor: 0,
            anchors: HashMap::new(),
            anchored_keys: HashMap::new(),
            aliases: HashMap::new(),
            comments: Vec::new(),
            open_end: false,
            flow_within: None,
            flow_seen: 0,
        }
    }

    fn fail(&self, problem: ParseProblem, at: usize) -> ParseError {
        ParseError::at(Format::Yaml, problem, self.source.as_bytes(), at)
    }

    /// Errs where sops would read something else.
    fn accept(&self, objection: Option<&'static str>, at: usize) -> Result<(), ParseError> {
        objection.map_or(Ok(()), |what| Err(self.fail(ParseProblem::ReadOtherwise(what), at)))
    }

    fn take(&mut self, event: Event<'_>, span: &granit_parser::Span) -> Result<(), ParseError> {
        let range = span.byte_range().expect("a parser over a string knows byte offsets");
        self.look_between_brackets(&range)?;
        match event {
            Event::DocumentStart(explicit, _) => {
                if self.open_end && explicit {
                    self.end_document(range.start);
                }
                let end = range.end as u32;
                let branch = Branch { span: Span { start: end, end }, ..Branch::default() };
                self.roots.push(Root { branch, attachment: None, attach_at: end });
                self.cursor = range.end;
            }
            Event::DocumentEnd => {
                self.open_end = true;
                if !range.is_empty() {
                    self.end_document(range.start);
                }
            }
            Event::StreamEnd if self.open_end => self.end_document(self.source.len()),
            Event::Comment(..) => self.comments.push(Span::new(range.start, range.end)),
            Event::Anchor(_, name) => {
                self.accept(otherwise::name(&name), range.start)?;
                self.accept(otherwise::behind_anchor(&self.source[range.end..]), range.end)?;
            }
            Event::Scalar(value, style, anchor, tag) => {
                let value = match style {
                    ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => {
                        otherwise::quoted(&self.source[range.clone()]).map_or(value, Cow::Owned)
                    }
                    _ => value,
                };
                if style == ScalarStyle::Plain && self.frames.last().is_some_and(|frame| frame.branch.flow) {
                    self.accept(otherwise::flow_scalar(self.source, &range), range.start)?;
                }
                let in_key = self.frames.last().is_some_and(|f| f.is_map && f.key.is_none());
                if in_key {
                    let key = self.key(value, style, tag.as_deref(), range);
                    self.cursor = key.span.end as usize;
                    if anchor != 0 {
                        let scalar = Scalar::Str(key.text.clone());
                        let leaf = Leaf { scalar, span: key.span, style: Style::Plain };
                        self.anchored_keys.insert(anchor, leaf);
                    }
                    self.frames.last_mut().expect("a key is inside a map").key = Some(key);
                } else {
                    let tag = tag.as_deref().map(|tag| (tag, span.tag_start().and_then(|mark| mark.byte_offset())));
                    let leaf = self.leaf(value, style, tag, range)?;
                    self.note_anchor(anchor, leaf.span, false);
                    self.cursor = self.cursor.max(leaf.span.end as usize);
                    self.put(Node::Leaf(leaf))?;
                }
            }
            Event::Alias(id) => {
                if self.frames.last().is_some_and(|f| f.is_map && f.key.is_none()) {
                    return Err(self.fail(ParseProblem::AliasKey, range.start));
                }
                let name = self.source[range.clone()].trim_start_matches('*');
                self.accept(otherwise::name(name), range.start)?;
                let span = Span::new(range.start, range.end);
                self.cursor = range.end;
                self.aliases.insert(span.start, id);
                let placeholder = Leaf { scalar: Scalar::Null, span, style: Style::Plain };
                self.put(Node::Alias { span, target: Arc::new(Node::Leaf(placeholder)) })?;
            }
            Event::SequenceStart(style, anchor, _) => self.open(false, style, anchor, range)?,
            Event::MappingStart(style, anchor, _) => self.open(true, style, anchor, range)?,
            Event::SequenceEnd | Event::MappingEnd => {
                let mut frame = self.frames.pop().expect("every end has a start");
                if frame.branch.items.len() <= SHRUNK {
                    frame.branch.items.shrink_to_fit();
                }
                if frame.branch.flow {
                    frame.branch.span.end = range.end.max(frame.branch.span.start as usize) as u32;
                    self.cursor = self.cursor.max(range.end);
                } else if let Some(last) = frame.branch.items.last() {
                    let key_end = last.key.as_ref().map_or(0, |key| key.span.end);
                    frame.branch.span.end = last.node.span().end.max(key_end);
                }
                self.note_anchor(frame.anchor, frame.branch.span, true);
                let node = if frame.is_map { Node::Map(frame.branch) } else { Node::List(frame.branch) };
                self.put(node)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Errs where a line that `range` is the next token behind the start of is indented as [`otherwise::tab`] says.
    fn look_between_brackets(&mut self, range: &std::ops::Range<usize>) -> Result<(), ParseError> {
        let Some(column) = self.flow_within.filter(|_| self.frames.last().is_some_and(|frame| frame.branch.flow))
        else {
            return Ok(());
        };
        let between = self.flow_seen..range.start.max(self.flow_seen);
        self.flow_seen = range.end.max(self.flow_seen);
        match otherwise::tab(self.source.as_bytes(), between, column) {
            Some(at) => Err(self.fail(ParseProblem::Syntax(otherwise::TAB.to_owned()), at)),
            None => Ok(()),
        }
    }

    fn end_document(&mut self, at: usize) {
        self.open_end = false;
        if let Some(root) = self.roots.last_mut() {
            root.attach_at = at as u32;
        }
    }

    fn note_anchor(&mut self, anchor: usize, span: Span, branch: bool) {
        if anchor != 0 {
            self.anchors.insert((span.start, branch), anchor);
        }
    }

    fn open(
        &mut self,
        is_map: bool,
        style: StructureStyle,
        anchor: usize,
        range: std::ops::Range<usize>,
    ) -> Result<(), ParseError> {
        if self.frames.len() >= MAX_DEPTH {
            return Err(self.fail(ParseProblem::TooDeep(MAX_DEPTH), range.start));
        }
        if self.frames.last().is_some_and(|f| f.is_map && f.key.is_none()) {
            return Err(self.fail(ParseProblem::Syntax("a map or a list is used as a key".into()), range.start));
        }
        let flow = style == StructureStyle::Flow;
        // The first dash from here on may be that of the list around it.
        if self.frames.last().is_some_and(|f| !f.is_map && !f.branch.flow && !f.branch.items.is_empty()) {
            self.cursor = range.start.min(self.dash(range.start) + 1);
        }
        let start = if is_map || flow { range.start } else { self.dash(range.start) };
        if flow && self.frames.last().is_none_or(|around| !around.branch.flow) {
            let column = |around: &Frame| line::column(self.source.as_bytes(), around.branch.span.start as usize);
            self.flow_within = self.frames.last().map(column);
            self.flow_seen = range.end;
        }
        if flow {
            self.cursor = range.end;
        } else if !is_map {
            self.cursor = start + 1;
        }
        let items =
            Vec::with_capacity(if self.frames.is_empty() && !flow { self.entries_at_the_margin(start) } else { 0 });
        let branch = Branch { items, span: Span::new(start, range.end.max(start)), flow };
        self.frames.push(Frame { is_map, branch, key: None, anchor });
        Ok(())
    }

    /// About how many entries the outermost map of a large file has: growing a large map as it is read would hold it twice.
    fn entries_at_the_margin(&self, start: usize) -> usize {
        let bytes = &self.source.as_bytes()[start..];
        if bytes.len() < LARGE || start > LARGE {
            return 0;
        }
        let lines = memchr::memchr_iter(b'\n', bytes).filter_map(|at| bytes.get(at + 1));
        lines.filter(|first| !matches!(first, b' ' | b'-' | b'\n' | b'\r')).count() + 1
    }

    /// Where the first `-` of a block list stands, between the cursor and its first item.
    fn dash(&self, before: usize) -> usize {
        let bytes = self.source.as_bytes();
        let is_dash = |at: usize| bytes[at] == b'-' && bytes.get(at + 1).is_none_or(u8::is_ascii_whitespace);
        self.mark(before, is_dash).unwrap_or(before)
    }

    /// Where the `|` or `>` of a block scalar stands, behind the cursor.
    fn header(&self, before: usize) -> Option<usize> {
        self.mark(before, |at| matches!(self.source.as_bytes()[at], b'|' | b'>'))
    }

    /// The first place from the cursor on that `is_mark`, outside comments, anchors and tags.
    fn mark(&self, before: usize, is_mark: impl Fn(usize) -> bool) -> Option<usize> {
        let bytes = self.source.as_bytes();
        let mut at = self.cursor;
        while at < before {
            match bytes[at] {
                b'#' if at == 0 || bytes[at - 1].is_ascii_whitespace() => {
                    at += memchr::memchr(b'\n', &bytes[at..before]).unwrap_or(before - at);
                }
                b'&' | b'!' => {
                    at += bytes[at..before].iter().position(u8::is_ascii_whitespace).unwrap_or(before - at);
                }
                _ if is_mark(at) => return Some(at),
                _ => at += 1,
            }
        }
        None
    }

    /// Puts a finished node where it belongs.
    fn put(&mut self, node: Node) -> Result<(), ParseError> {
        if let Some(frame) = self.frames.last_mut() {
            let key = frame.key.take();
            frame.branch.items.push(Item { key, node });
            return Ok(());
        }
        let root = self.roots.last_mut().expect("nodes stand in documents");
        match node {
            Node::Map(branch) => root.branch = branch,
            Node::Leaf(Leaf { scalar: Scalar::Null, span, .. }) => root.branch.span = span,
            other => {
                let at = other.span().start as usize;
                return Err(self.fail(ParseProblem::NotAMap, at));
            }
        }
        Ok(())
    }

    fn key(&self, value: Cow<'_, str>, style: ScalarStyle, tag: Option<&Tag>, range: std::ops::Range<usize>) -> Key {
        let tag = tag.map(full_tag);
        let quoted = style != ScalarStyle::Plain;
        let is_string =
            matches!(resolve(&value, tag.as_deref(), quoted), Ok(Resolved::Str | Resolved::Merge | Resolved::Bytes(_)))
                && !(range.is_empty() && !quoted && tag.is_none());
        let text = self.text(value, style, &range);
        Key { text, span: Span::new(range.start, range.end), is_string }
    }

    fn leaf(
        &self,
        value: Cow<'_, str>,
        style: ScalarStyle,
        tag: Option<(&Tag, Option<usize>)>,
        range: std::ops::Range<usize>,
    ) -> Result<Leaf, ParseError> {
        let plain = style == ScalarStyle::Plain;
        if plain && range.is_empty() && tag.is_none() {
            return Ok(Leaf { scalar: Scalar::Null, span: Span::new(range.start, range.end), style: Style::Plain });
        }
        let in_flow = self.frames.last().is_some_and(|f| f.branch.flow);
        let (mut span, mut style_here) = match style {
            ScalarStyle::Plain => (range.clone(), if in_flow { Style::PlainFlow } else { Style::Plain }),
            ScalarStyle::SingleQuoted => (range.clone(), if in_flow { Style::SingleFlow } else { Style::Single }),
            ScalarStyle::DoubleQuoted => (range.clone(), if in_flow { Style::DoubleFlow } else { Style::Double }),
            ScalarStyle::Literal | ScalarStyle::Folded => self.block(style == ScalarStyle::Literal, &value, &range),
        };
        let mut tag_text = None;
        if let Some((tag, start)) = tag {
            tag_text = Some(full_tag(tag));
            // A tag may contradict what will stand here (`!!int ENC[…]`), so it goes with the value.
            span.start = start.unwrap_or(span.start).min(span.start);
            if matches!(style_here, Style::Literal { .. } | Style::Folded { .. }) {
                style_here = Style::Plain;
            }
        }
        let empty_value = plain && range.is_empty();
        let text = if empty_value { "" } else { value.as_ref() };
        let resolved = resolve(text, tag_text.as_deref(), !plain)
            .map_err(|e| self.fail(ParseProblem::Syntax(e.to_string()), range.start))?;
        let scalar = match resolved {
            Resolved::Null => Scalar::Null,
            Resolved::Bool(value) => Scalar::Bool(value),
            Resolved::Int(value) => Scalar::Int(value),
            Resolved::Float(value) => Scalar::Float(value),
            Resolved::Time(value) => Scalar::Time(value),
            Resolved::Bytes(bytes) => Scalar::Str(Text::owned(bytes)),
            Resolved::Unsupported => Scalar::Unsupported,
            Resolved::Str | Resolved::Merge => {
                Scalar::Str(if empty_value { Text::owned(*b"") } else { self.text(value, style, &range) })
            }
        };
        Ok(Leaf { scalar, span: Span::new(span.start, span.end), style: style_here })
    }

    /// A block scalar's whole token: from its `|` or `>` to its last byte, without the final line break.
    fn block(&self, literal: bool, value: &str, range: &std::ops::Range<usize>) -> (std::ops::Range<usize>, Style) {
        let bytes = self.source.as_bytes();
        let line_start = |at: usize| line::start(bytes, at);
        let no_content = value.bytes().all(|b| b == b'\n');
        let start = self.header(range.end).unwrap_or(range.start);
        let line_end = line::content_end(bytes, start);
        // What follows the last line of content belongs to the value only where the header says so (`+`).
        let indicators = bytes[start..line_end].iter().take_while(|b| !b.is_ascii_whitespace());
        let header_end = start + indicators.count();
        let keeps = bytes[start..header_end].contains(&b'+');
        let indent = if no_content {
            self.block_indent(line_start(start), start..header_end)
        } else {
            range.start - line_start(range.start)
        };
        let indent = u16::try_from(indent).unwrap_or(u16::MAX);
        let mut end = range.end.max(line_end);
        // A line of blanks that is longer than the indentation has content: the blanks behind that.
        let is_blank = |line: &[u8]| {
            line.iter().all(|b| matches!(b, b' ' | b'\t'))
                && (no_content || (line.len() <= usize::from(indent) && !line.contains(&b'\t')))
        };
        let tail = line_start(end);
        if tail > line_end && is_blank(&bytes[tail..end]) {
            end = tail;
        }
        loop {
            let without_break = match &bytes[..end] {
                [.., b'\r', b'\n'] => end - 2,
                [.., b'\n'] => end - 1,
                _ => break,
            };
            let line = line_start(without_break);
            let blank = line > line_end && is_blank(&bytes[line..without_break]);
            end = without_break;
            if keeps || !blank {
                break;
            }
            end = line;
        }
        (start..end.max(header_end), if literal { Style::Literal { indent } } else { Style::Folded { indent } })
    }

    /// Columns by which content of a block scalar that has none yet would be indented: as the header's digit says, else two
    /// more than the key or the dash that it stands behind.
    fn block_indent(&self, line: usize, header: std::ops::Range<usize>) -> usize {
        let bytes = self.source.as_bytes();
        let before = &bytes[line..header.start];
        let mut parent = 0;
        for (column, byte) in before.iter().enumerate() {
            let is_dash = *byte == b'-' && before.get(column + 1).is_none_or(u8::is_ascii_whitespace);
            if is_dash || *byte != b' ' {
                parent = column;
            }
            if !is_dash && *byte != b' ' {
                break;
            }
        }
        let digit = bytes[header].iter().find(|b| b.is_ascii_digit());
        parent + digit.map_or(2, |digit| usize::from(digit - b'0'))
    }

    /// A text that points into the source where it stands there as it is.
    fn text(&self, value: Cow<'_, str>, style: ScalarStyle, range: &std::ops::Range<usize>) -> Text {
        let inner = match style {
            ScalarStyle::Plain => range.clone(),
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted if range.len() >= 2 => range.start + 1..range.end - 1,
            _ => return Text::owned(value.into_owned().into_bytes()),
        };
        if self.source.as_bytes().get(inner.clone()) == Some(value.as_bytes()) {
            Text::Source(Span::new(inner.start, inner.end))
        } else {
            Text::owned(value.into_owned().into_bytes())
        }
    }
}

fn full_tag(tag: &Tag) -> String {
    format!("{}{}", tag.handle(), tag.suffix())
}

/// Gives every alias the node that its anchor names.
struct Resolver {
    anchors: HashMap<(u32, bool), usize>,
    aliases: HashMap<u32, usize>,
    /// Finished anchored nodes, with how many values they stand for and how deep they are.
    targets: HashMap<usize, (Arc<Node>, usize, usize)>,
    total: usize,
    /// The most they may stand for together.
    most: usize,
}

impl Resolver {
    /// Resolves below `branch`; gives the number of values it stands for and its depth.
    fn branch(&mut self, branch: &mut Branch, depth: usize) -> Result<(usize, usize), (ParseProblem, u32)> {
        let (mut size, mut deepest) = (1, 0);
        for item in &mut branch.items {
            let at = item.node.span().start;
            let (inner_size, inner_depth, anchor) = match &mut item.node {
                Node::Comment(_) => (1, 0, None),
                Node::Leaf(leaf) => (1, 0, self.anchors.get(&(leaf.span.start, false)).copied()),
                Node::Map(inner) | Node::List(inner) => {
                    let (size, deep) = self.branch(inner, depth + 1)?;
                    (size, deep, self.anchors.get(&(inner.span.start, true)).copied())
                }
                Node::Alias { span, target } => {
                    let id = self.aliases[&span.start];
                    // An alias inside its own anchor (`&a [*a]`) names a node that is not finished.
                    let (node, size, deep) = self
                        .targets
                        .get(&id)
                        .cloned()
                        .ok_or_else(|| (ParseProblem::Syntax("an alias stands inside what it names".into()), at))?;
                    *target = node;
                    self.total = self.total.saturating_add(size);
                    if self.total > self.most {
                        return Err((ParseProblem::AliasBomb(self.most), at));
                    }
                    (size, deep, None)
                }
            };
            if depth + inner_depth > MAX_DEPTH {
                return Err((ParseProblem::TooDeep(MAX_DEPTH), at));
            }
            if let Some(id) = anchor {
                self.targets.insert(id, (Arc::new(item.node.clone()), inner_size, inner_depth));
            }
            size += inner_size;
            deepest = deepest.max(inner_depth);
        }
        Ok((size, deepest + 1))
    }
}
