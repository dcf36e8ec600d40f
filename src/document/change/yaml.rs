//! Changes to YAML in block style; what stands in brackets is as in JSON.

use zeroize::Zeroizing;

use super::{ChangeError, Entry, Lines, Place, What, indented, json};
use crate::document::node::{Branch, Item, Key, Leaf, Node, Style};
use crate::document::yaml::scalar;
use crate::document::{Document, Edits, Root, emit, line};

/// Makes a change to a YAML document.
pub(super) fn write(
    document: &Document,
    place: &Place<'_>,
    lines: Lines,
    edits: &mut Edits,
) -> Result<(), ChangeError> {
    let writer =
        Writer { document, source: document.source(), line_break: line::break_of(document.source()).as_bytes(), lines };
    match (&place.what, place.entries.last()) {
        (What::Replace(node), Some(entry)) if entry.branch.flow => json::replace(document, entry, node, edits),
        (What::Replace(node), Some(entry)) => writer.replace(entry, node, edits),
        (What::Append(item), last) => {
            let root = &document.roots()[0];
            let (branch, is_map) = match last.map(|entry| &entry.item().node) {
                Some(Node::Map(branch)) => (branch, true),
                Some(Node::List(branch)) => (branch, false),
                _ => (&root.branch, true),
            };
            if super::values(branch).next().is_none() {
                writer.fill(root, item, edits)
            } else if branch.flow {
                json::append(document, branch, item, edits)
            } else {
                writer.append(branch, is_map, item, edits)
            }
        }
        (What::Remove, Some(entry)) if entry.branch.flow => {
            json::remove(document.source(), entry, edits);
            Ok(())
        }
        (What::Remove, Some(entry)) => {
            writer.remove(place, entry, edits);
            Ok(())
        }
        (What::Replace(_) | What::Remove, None) => Ok(()),
    }
}

struct Writer<'d> {
    document: &'d Document,
    source: &'d [u8],
    line_break: &'static [u8],
    lines: Lines,
}

impl Writer<'_> {
    /// Puts `node` behind an entry's colon or dash.
    fn replace(&self, entry: &Entry<'_>, node: &Node, edits: &mut Edits) -> Result<(), ChangeError> {
        let item = entry.item();
        if let (Node::Leaf(old), Node::Leaf(new)) = (&item.node, node)
            && !old.span.is_empty()
            // A block without content does not say where its content would start.
            && !matches!(old.style, Style::Literal { indent: 0 } | Style::Folded { indent: 0 })
        {
            let style = if self.lines == Lines::One { Style::Double } else { old.style };
            edits.replace(old.span, &self.document.spell(&Leaf { style, ..old.clone() }, &new.scalar));
            return Ok(());
        }
        let head = self.head(entry);
        let end = self.end(entry);
        let key = item.key.as_ref().map(|_| Key::made(*b"k"));
        let column = line::column(self.source, self.start(entry));
        let whole = self.entry(&Item { key: key.clone(), node: node.clone() }, column)?;
        let text = whole.strip_prefix(if key.is_some() { &b"k:"[..] } else { b"-" }).unwrap_or(&whole);

        // A comment on the line of the key stays there.
        let (first, rest) = text.split_at(memchr::memchr(b'\n', text).unwrap_or(text.len()));
        let (first, rest) = match first.strip_suffix(b"\r") {
            Some(first) => (first, &text[first.len()..]),
            None => (first, rest),
        };
        let mut out = Zeroizing::new(self.missing_colon(entry));
        out.extend_from_slice(first);
        let head_line = head..line::content_end(self.source, head);
        let tail = end..line::content_end(self.source, end);
        if end > head_line.end {
            out.extend_from_slice(self.comment(head_line).unwrap_or_default());
        }
        let is_moved = !rest.is_empty() && self.comment(tail.clone()).is_some();
        if is_moved {
            out.extend_from_slice(&self.source[tail.clone()]);
        }
        out.extend_from_slice(rest);
        if !rest.is_empty() && tail.end == self.source.len() {
            out.extend_from_slice(self.line_break);
        }
        edits.replace(super::span(head, if is_moved { tail.end } else { end }), &out);
        Ok(())
    }

    /// Adds an entry behind the last one of a block map or list, on lines of its own.
    fn append(&self, branch: &Branch, is_map: bool, item: &Item, edits: &mut Edits) -> Result<(), ChangeError> {
        let index = |from_end: bool| {
            let mut indexes = (0..branch.items.len()).filter(|at| !matches!(branch.items[*at].node, Node::Comment(_)));
            if from_end { indexes.next_back() } else { indexes.next() }.unwrap_or_default()
        };
        let first = Entry { branch, is_map, index: index(false) };
        let last = Entry { branch, is_map, index: index(true) };
        let column = line::column(self.source, self.start(&first));
        let end = self.end(&last);
        let at = line::end(self.source, end);
        if at == self.source.len()
            && !self.source.ends_with(b"\n")
            && let Some(leaf) = last_block(self.source, &last.item().node)
        {
            // The line break that comes behind it must not become part of it.
            edits
                .replace(leaf.span, &self.document.spell(&Leaf { style: Style::Double, ..leaf.clone() }, &leaf.scalar));
        }
        self.insert(at, &self.entry(item, column)?, column, edits);
        Ok(())
    }

    /// Adds an entry to a document that has none: an empty one, `{}` or `null`.
    fn fill(&self, root: &Root, item: &Item, edits: &mut Edits) -> Result<(), ChangeError> {
        let text = self.entry(item, 0)?;
        let span = root.branch.span;
        if span.is_empty() {
            self.insert(root.attach_at as usize, &text, 0, edits);
        } else if line::start(self.source, span.start as usize) == span.start as usize {
            edits.replace(span, &text);
        } else {
            // `--- {}`
            edits.replace(span, &[self.line_break, &text].concat());
        }
        Ok(())
    }

    /// Takes an entry out with its lines; comments above it stay.
    fn remove(&self, place: &Place<'_>, entry: &Entry<'_>, edits: &mut Edits) {
        let start = self.start(entry);
        let node_end = self.end(entry);
        let end = line::end(self.source, node_end);
        let line = line::start(self.source, start);
        let stands_first = self.source[line..start].iter().all(|byte| *byte == b' ');
        let empty: &[u8] = if entry.is_map { b"{}" } else { b"[]" };
        match (entry.is_alone(), stands_first) {
            (false, true) => {
                edits.replace(super::span(start - line::column(self.source, start), end), b"");
                if self.lines == Lines::One {
                    self.end_block(end, line::column(self.source, start), edits);
                }
            }
            // `- a: 1` loses `a`: what follows takes its place.
            (false, false) => {
                let blanks = self.source[end..].iter().take_while(|byte| matches!(byte, b' ' | b'\r' | b'\n')).count();
                edits.replace(super::span(start, end + blanks), b"");
            }
            (true, false) => edits.replace(super::span(start, node_end), empty),
            (true, true) => {
                let cut = super::span(start - line::column(self.source, start), end);
                match place.entries.iter().rev().nth(1) {
                    Some(parent) => {
                        let at = self.behind_properties(self.head(parent), start);
                        edits.replace(super::span(at, at), &[b" ", empty].concat());
                        edits.replace(cut, b"");
                    }
                    None => edits.replace(cut, &[empty, self.line_break].concat()),
                }
            }
        }
    }

    /// Keeps comments and empty lines at `at` out of a block scalar that now ends before them.
    fn end_block(&self, mut at: usize, column: usize, edits: &mut Edits) {
        while at < self.source.len() {
            let end = line::end(self.source, at);
            let text = self.source[at..end].trim_ascii_start();
            match text.first() {
                None => edits.replace(super::span(at, end), b""),
                Some(b'#') => edits.replace(super::span(at, end - text.len()), &vec![b' '; column]),
                Some(_) => return,
            }
            at = end;
        }
    }

    /// An entry's lines, without the last line break; all but the first are indented.
    fn entry(&self, item: &Item, column: usize) -> Result<Zeroizing<Vec<u8>>, ChangeError> {
        if self.lines == Lines::One {
            let mut text = Zeroizing::new(Vec::new());
            match &item.key {
                Some(key) => {
                    scalar::plain_text(&mut text, key.text.bytes(b""), scalar::Place::Line { flow: false });
                    text.extend_from_slice(b": ");
                }
                None => text.extend_from_slice(b"- "),
            }
            json::flow(&item.node, &mut text);
            return Ok(text);
        }
        let text = emit::yaml_entry(item, unit(self.document))?;
        let text = text.strip_suffix(b"\n").unwrap_or(&text);
        Ok(indented(text, self.line_break, &vec![b' '; column]))
    }

    /// Puts an entry on lines of its own.
    fn insert(&self, at: usize, entry: &[u8], column: usize, edits: &mut Edits) {
        let mut text = Zeroizing::new(Vec::with_capacity(entry.len() + column + 4));
        if at > 0 && self.source[at - 1] != b'\n' {
            text.extend_from_slice(self.line_break);
        }
        text.extend(std::iter::repeat_n(b' ', column));
        text.extend_from_slice(entry);
        text.extend_from_slice(self.line_break);
        edits.replace(super::span(at, at), &text);
    }

    /// Where an entry starts: its dash, or its key with what belongs to that (`? &anchor !tag key`).
    fn start(&self, entry: &Entry<'_>) -> usize {
        let Some(key) = &entry.item().key else { return self.dash(entry) };
        let mut start = key.span.start as usize;
        let line = line::start(self.source, start);
        loop {
            let before = self.source[line..start].trim_ascii_end();
            let word = before.iter().rposition(u8::is_ascii_whitespace).map_or(0, |at| at + 1);
            match before.get(word) {
                Some(b'?') if before.len() == word + 1 => start = line + word,
                Some(b'&' | b'!') => start = line + word,
                _ => return start,
            }
        }
    }

    /// The dash of a list's item: between the item before it and itself.
    fn dash(&self, entry: &Entry<'_>) -> usize {
        let before = &entry.branch.items[..entry.index];
        let previous = before.iter().rposition(|item| !matches!(item.node, Node::Comment(_)));
        let mut at = match previous {
            Some(index) => {
                let previous = Entry { index, ..*entry };
                (previous.item().node.span().end as usize).max(self.dash_end_of_empty(&previous))
            }
            None => entry.branch.span.start as usize,
        };
        while at < self.source.len() {
            match self.source[at] {
                b'-' => return at,
                b'#' => at = line::end(self.source, at),
                _ => at += 1,
            }
        }
        at
    }

    /// Behind the dash of an item that holds nothing, else nowhere.
    fn dash_end_of_empty(&self, entry: &Entry<'_>) -> usize {
        if entry.item().node.span().is_empty() { self.dash(entry) + 1 } else { 0 }
    }

    /// Behind an entry's colon or dash; where there is no colon (`? key`), behind the key.
    fn head(&self, entry: &Entry<'_>) -> usize {
        match &entry.item().key {
            None => self.dash(entry) + 1,
            Some(key) => self.colon(key).map_or(key.span.end as usize, |colon| colon + 1),
        }
    }

    /// Behind what an entry holds. Where that is nothing, its span may be anywhere before the next entry.
    fn end(&self, entry: &Entry<'_>) -> usize {
        let (span, head) = (entry.item().node.span(), self.head(entry));
        if span.is_empty() { head } else { head.max(span.end as usize) }
    }

    fn colon(&self, key: &Key) -> Option<usize> {
        let mut at = key.span.end as usize;
        loop {
            match self.source.get(at)? {
                b':' => return Some(at),
                b'#' => at = line::end(self.source, at),
                byte if byte.is_ascii_whitespace() => at += 1,
                _ => return None,
            }
        }
    }

    /// The colon that a `? key` without a value lacks.
    fn missing_colon(&self, entry: &Entry<'_>) -> Vec<u8> {
        match &entry.item().key {
            Some(key) if self.colon(key).is_none() => {
                [self.line_break, &vec![b' '; line::column(self.source, self.start(entry))], b":"].concat()
            }
            _ => Vec::new(),
        }
    }

    /// Behind the anchors and tags that follow `at`.
    fn behind_properties(&self, mut at: usize, limit: usize) -> usize {
        while at < limit {
            let blanks = self.source[at..limit].iter().take_while(|byte| **byte == b' ').count();
            match self.source[at + blanks..limit].first() {
                Some(b'&' | b'!') => {
                    let word = &self.source[at + blanks..limit];
                    at += blanks + word.iter().take_while(|byte| !byte.is_ascii_whitespace()).count();
                }
                _ => break,
            }
        }
        at
    }

    /// The comment in a range within a line, from the blank before its sign on, if nothing but anchors and tags is before it.
    fn comment(&self, range: std::ops::Range<usize>) -> Option<&[u8]> {
        let at = self.behind_properties(range.start, range.end);
        let rest = &self.source[at..range.end];
        rest.trim_ascii_start().starts_with(b"#").then_some(rest)
    }
}

/// The value at the end of a node, if it is a block scalar, perhaps behind a tag.
fn last_block<'d>(source: &[u8], node: &'d Node) -> Option<&'d Leaf> {
    match node {
        Node::Map(branch) | Node::List(branch) => last_block(source, &super::values(branch).last()?.node),
        Node::Leaf(leaf) => {
            let text = &source[leaf.span.range()];
            let is_block = matches!(leaf.style, Style::Literal { .. } | Style::Folded { .. });
            (is_block || text.starts_with(b"!") && text.contains(&b'\n')).then_some(leaf)
        }
        _ => None,
    }
}

/// Blanks per level, as the document's first map in a map has them; as sops has them where there is none.
fn unit(document: &Document) -> usize {
    fn find(source: &[u8], branch: &Branch, depth: usize) -> Option<usize> {
        let column = |key: &Key| line::column(source, key.span.start as usize);
        branch.items.iter().find_map(|item| match &item.node {
            Node::Map(inner) if !inner.flow && depth < 8 => {
                let first = inner.items.iter().find_map(|item| item.key.as_ref())?;
                let outer = item.key.as_ref();
                let unit = outer.and_then(|outer| column(first).checked_sub(column(outer)));
                unit.filter(|unit| (2..=9).contains(unit)).or_else(|| find(source, inner, depth + 1))
            }
            Node::List(inner) if depth < 8 => find(source, inner, depth + 1),
            _ => None,
        })
    }
    document.roots().iter().find_map(|root| find(document.source(), &root.branch, 0)).unwrap_or(4)
}
