//! Merging two plain documents that came from one: the changes of both, in the layout of ours.
//!
//! What counts is the values by key path, compared by [`changes`](super::changes); the text is found in two ways. A merge by
//! lines keeps most of what people write, lists and comments included. Where both sides changed neighbouring lines it
//! gives up, and entries are merged instead: each is a piece of text, with the comments above it, and goes where its key
//! is. Whichever text is found, it is taken only if it reads back as exactly the changes of both sides.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use imara_diff::{Algorithm, Diff, InternedInput};
use zeroize::Zeroizing;

use super::diff::{Change, ChangeKind, changes};
use super::{Branch, Document, Format, KeyPath, Node, Step, line};

/// What came of a merge.
pub struct Merged {
    /// The merged file. Where the sides are in conflict it has ours.
    pub bytes: Zeroizing<Vec<u8>>,
    /// How many changes are ours.
    pub ours: usize,
    /// How many are theirs, those in conflict not counted.
    pub theirs: usize,
    /// Where both sides changed the same in different ways.
    pub conflicts: Vec<Conflict>,
}

/// A place that both sides changed in different ways.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// In which document of the file, from 0.
    pub root: usize,
    /// Where; empty for the document as a whole.
    pub path: KeyPath,
    /// Whether it is the comments there, not the value.
    pub comments: bool,
}

/// Merges what `ours` and `theirs` made of `base`, all three plain and of one format.
pub fn merge(base: &Document, ours: &Document, theirs: &Document) -> Merged {
    let mut sides = Sides {
        base,
        ours,
        theirs,
        by_us: Places::of(changes(base, ours)),
        by_them: Places::of(changes(base, theirs)),
        conflicts: Places::of([]),
    };
    let apart = changes(ours, theirs);
    let both: Vec<_> = apart.iter().filter(|change| sides.in_conflict(change)).collect();
    let in_values: Vec<_> = both.iter().map(|change| Conflict::of_value(change)).collect();
    sides.conflicts = Places::of(both.into_iter().cloned());
    let at = &sides.conflicts.places;
    let free = sides.by_them.places.iter().filter(|place| !at.contains(place)).count();
    let merged = |bytes, theirs, conflicts| Merged { bytes, ours: sides.by_us.places.len(), theirs, conflicts };

    let (lines, clean) = merge_lines(base.source(), ours.source(), theirs.source());
    if clean && (ours.format() == Format::Binary || sides.is_merge(&lines)) {
        let conflicts = if ours.format() == Format::Binary { Vec::new() } else { in_values };
        return merged(lines, free, conflicts);
    }
    if let Some((entries, comments)) = merge_entries(&sides)
        && sides.is_merge(&entries)
    {
        let comments = comments.into_iter().filter(|it| !at.contains(&(it.root, it.path.clone())));
        return merged(entries, free, in_values.into_iter().chain(comments).collect());
    }
    let lost = apart.iter().filter(|change| sides.by_them.cover(change)).map(Conflict::of_value).collect();
    merged(Zeroizing::new(ours.source().to_vec()), 0, lost)
}

impl Conflict {
    fn of_value(change: &Change) -> Self {
        Self { root: change.root, path: change.path.clone(), comments: false }
    }
}

/// The three documents, and what each side changed.
struct Sides<'a> {
    base: &'a Document,
    ours: &'a Document,
    theirs: &'a Document,
    by_us: Places,
    by_them: Places,
    /// Where both changed the same in different ways.
    conflicts: Places,
}

impl Sides<'_> {
    /// Whether a difference between the two sides is one that both have made.
    fn in_conflict(&self, apart: &Change) -> bool {
        self.by_us.touch(apart)
            && self.by_them.touch(apart)
            // Of two maps that both added, each side has its own entries.
            && (apart.kind == ChangeKind::Changed || self.base.at(apart.root, &apart.path).is_some())
    }

    /// Whether a text has the changes of both sides and no others, ours where they are in conflict.
    fn is_merge(&self, text: &[u8]) -> bool {
        let Ok(merged) = Document::parse(text.to_vec(), self.ours.format()) else { return false };
        changes(self.ours, &merged).iter().all(|change| self.by_them.cover(change) && !self.conflicts.cover(change))
            && changes(self.theirs, &merged)
                .iter()
                .all(|change| self.by_us.cover(change) || self.conflicts.cover(change))
    }
}

/// Where one side made changes.
struct Places {
    places: HashSet<(usize, KeyPath)>,
    /// All that is above one of them.
    above: HashSet<(usize, KeyPath)>,
}

impl Places {
    fn of(changes: impl IntoIterator<Item = Change>) -> Self {
        let places: HashSet<_> = changes.into_iter().map(|change| (change.root, change.path)).collect();
        let mut above = HashSet::new();
        for (root, path) in &places {
            let mut path = path.clone();
            while path.0.pop().is_some() && above.insert((*root, path.clone())) {}
        }
        Self { places, above }
    }

    /// Whether one is at the place of `change` or above it.
    fn cover(&self, change: &Change) -> bool {
        let mut place = (change.root, change.path.clone());
        loop {
            if self.places.contains(&place) {
                return true;
            }
            if place.1.0.pop().is_none() {
                return false;
            }
        }
    }

    /// Whether one is at the place of `change`, above it or below.
    fn touch(&self, change: &Change) -> bool {
        self.above.contains(&(change.root, change.path.clone())) || self.cover(change)
    }
}

/// Merges by lines; where both sides changed the same or neighbouring lines in different ways, ours are taken, and the
/// second result is false.
fn merge_lines(base: &[u8], ours: &[u8], theirs: &[u8]) -> (Zeroizing<Vec<u8>>, bool) {
    let [base, ours, theirs] = [base, ours, theirs].map(lines);
    let (by_us, by_them) = (hunks(&base, &ours), hunks(&base, &theirs));
    let (mut us, mut them) = (by_us.iter().peekable(), by_them.iter().peekable());
    let mut merged = Zeroizing::new(Vec::new());
    let mut clean = true;
    // Behind what was merged so far, in each of the three.
    let (mut at, mut at_ours, mut at_theirs) = (0, 0, 0);
    loop {
        let start = match (us.peek(), them.peek()) {
            (None, None) => break,
            (Some(hunk), None) | (None, Some(hunk)) => hunk.0.start,
            (Some(ours), Some(theirs)) => ours.0.start.min(theirs.0.start),
        };
        base[at..start].iter().for_each(|line| merged.extend_from_slice(line));
        at_ours += start - at;
        at_theirs += start - at;
        // Hunks that touch belong together.
        let mut end = start;
        let (mut grown_ours, mut grown_theirs) = (0, 0);
        loop {
            if let Some((old, new)) = us.next_if(|hunk| hunk.0.start <= end) {
                end = end.max(old.end);
                grown_ours += new.len() as isize - old.len() as isize;
            } else if let Some((old, new)) = them.next_if(|hunk| hunk.0.start <= end) {
                end = end.max(old.end);
                grown_theirs += new.len() as isize - old.len() as isize;
            } else {
                break;
            }
        }
        let old = &base[start..end];
        let end_ours = (at_ours + old.len()).saturating_add_signed(grown_ours);
        let end_theirs = (at_theirs + old.len()).saturating_add_signed(grown_theirs);
        let (chunk, agreed) = pick(old, &ours[at_ours..end_ours], &theirs[at_theirs..end_theirs]);
        chunk.iter().for_each(|line| merged.extend_from_slice(line));
        clean &= agreed;
        (at, at_ours, at_theirs) = (end, end_ours, end_theirs);
    }
    base[at..].iter().for_each(|line| merged.extend_from_slice(line));
    (merged, clean)
}

fn lines(text: &[u8]) -> Vec<&[u8]> {
    text.split_inclusive(|&byte| byte == b'\n').collect()
}

/// Which lines of `old` became which of `new`.
fn hunks(old: &[&[u8]], new: &[&[u8]]) -> Vec<(Range<usize>, Range<usize>)> {
    let mut input = InternedInput::default();
    input.update_before(old.iter().copied());
    input.update_after(new.iter().copied());
    let range = |range: Range<u32>| range.start as usize..range.end as usize;
    Diff::compute(Algorithm::Histogram, &input).hunks().map(|hunk| (range(hunk.before), range(hunk.after))).collect()
}

/// What one side has changed, or both alike; else ours, and false.
fn pick<'a, T: PartialEq + ?Sized>(base: &T, ours: &'a T, theirs: &'a T) -> (&'a T, bool) {
    if base == ours { (theirs, true) } else { (ours, base == theirs || ours == theirs) }
}

/// Merges entry by entry; also gives the places where comments are in conflict. `None` where a document's entries cannot
/// be told apart.
fn merge_entries(sides: &Sides<'_>) -> Option<(Zeroizing<Vec<u8>>, Vec<Conflict>)> {
    let of = |document| Cutter { document, at: 0 }.cut();
    let (base, ours, theirs) = (of(sides.base)?, of(sides.ours)?, of(sides.theirs)?);
    let mut merger = Merger {
        json: sides.ours.format() == Format::Json,
        merged: Zeroizing::default(),
        place: Vec::new(),
        found: Vec::new(),
    };
    merger.children(Some(&base), &ours, &theirs);
    Some((merger.merged, merger.found))
}

/// A piece of a document's text: an entry with the comments above it.
struct Entry<'a> {
    name: Name<'a>,
    /// All of it.
    whole: &'a [u8],
    /// Blank lines and comments above.
    above: &'a [u8],
    /// Its first line up to the value; of a map or list all of the line.
    head: &'a [u8],
    body: Body<'a>,
    /// What stands behind the value or behind the last entry.
    tail: &'a [u8],
}

enum Body<'a> {
    Value(&'a [u8]),
    Entries(Vec<Entry<'a>>),
}

/// What an entry is told apart by, among those of one map or list.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Name<'a> {
    /// A key, and the how-manieth of that key.
    Key(&'a [u8], usize),
    Index(usize),
    /// A document of the file.
    Root(usize),
}

/// Cuts a document into entries. In JSON they end where their value does; in the other formats they are whole lines.
struct Cutter<'a> {
    document: &'a Document,
    /// Behind all that was cut so far.
    at: usize,
}

impl<'a> Cutter<'a> {
    fn cut(mut self) -> Option<Vec<Entry<'a>>> {
        let source = self.document.source();
        // A document without text is none.
        let roots = if source.is_empty() { &[] } else { self.document.roots() };
        let mut entries = Vec::with_capacity(roots.len());
        for (number, root) in roots.iter().enumerate() {
            let start = self.at;
            let head = if self.is_json() {
                start..root.branch.span.start as usize + 1
            } else {
                let first = root.branch.items.iter().find(|item| !matches!(item.node, Node::Comment(_)));
                let first = first.map_or(start, |item| self.line_start(start_of(item)));
                let text = start.max(line::first(source));
                let above = lines(source.get(text..first.max(text))?);
                let separator = above.iter().fold((text, text), |(at, end), line| {
                    let next = at + line.len();
                    (next, if line.starts_with(b"---") { next } else { end })
                });
                start..separator.1
            };
            self.at = head.end;
            let children = self.branch(&root.branch)?;
            let tail =
                if self.is_json() || number + 1 == roots.len() { self.at..source.len() } else { self.at..self.at };
            self.at = tail.end;
            entries.push(Entry {
                name: Name::Root(number),
                whole: &source[start..self.at],
                above: b"",
                head: source.get(head)?,
                body: Body::Entries(children),
                tail: &source[tail],
            });
        }
        Some(entries)
    }

    fn branch(&mut self, branch: &'a Branch) -> Option<Vec<Entry<'a>>> {
        let source = self.document.source();
        let mut seen: HashMap<&[u8], usize> = HashMap::new();
        let mut entries = Vec::new();
        for item in branch.items.iter().filter(|item| !matches!(item.node, Node::Comment(_))) {
            let name = match &item.key {
                Some(key) => {
                    let count = seen.entry(self.document.text(&key.text)).or_default();
                    *count += 1;
                    Name::Key(self.document.text(&key.text), *count)
                }
                None => Name::Index(entries.len()),
            };
            let made = item.key.as_ref().is_some_and(|key| key.span.is_empty());
            let start = match (made, self.is_json()) {
                // The section DEFAULT of INI has no line of its own.
                (true, _) => self.at,
                (_, true) => start_of(item),
                (_, false) => self.line_start(start_of(item)),
            };
            let mut above = source.get(self.at..start)?;
            if self.is_json() {
                above = &above[memchr::memchr(b',', above).map_or(0, |comma| comma + 1)..];
            }
            let inner = match &item.node {
                Node::Map(inner) | Node::List(inner) if !inner.flow || self.is_json() => Some(inner),
                _ => None,
            };
            let back = self.at;
            if let Some(inner) = inner
                && let Some((head, children, tail)) = self.inside(item.key.as_ref().map(|_| made), start, inner)
            {
                let whole = &source[start - above.len()..self.at];
                entries.push(Entry { name, whole, above, head, body: Body::Entries(children), tail });
                continue;
            }
            self.at = back;
            let span = item.node.span().range();
            let (first, last) = (span.start.max(start), span.end.max(start));
            let end = if self.is_json() { last } else { self.line_end(last) };
            self.at = end;
            entries.push(Entry {
                name,
                whole: &source[start - above.len()..end],
                above,
                head: source.get(start..first)?,
                body: Body::Value(source.get(first..last)?),
                tail: source.get(last..end)?,
            });
        }
        Some(entries)
    }

    /// What is inside a map or list, if its entries stand on lines of their own: head, entries, tail. `made` is `None` in
    /// lists, and says for a key whether it has no line.
    fn inside(
        &mut self,
        made: Option<bool>,
        start: usize,
        inner: &'a Branch,
    ) -> Option<(&'a [u8], Vec<Entry<'a>>, &'a [u8])> {
        let source = self.document.source();
        let first = inner.items.iter().find(|item| !matches!(item.node, Node::Comment(_)));
        self.at = match (self.is_json(), made, first) {
            (true, ..) => inner.span.start as usize + 1,
            (false, Some(false), _) => self.line_end(start),
            // A map in a list begins on the line of its dash.
            (false, ..) => start,
        };
        let head = source.get(start..self.at)?;
        let children = self.branch(inner)?;
        let tail_start = self.at;
        if self.is_json() {
            self.at = inner.span.end as usize;
        }
        Some((head, children, source.get(tail_start..self.at)?))
    }

    fn is_json(&self) -> bool {
        self.document.format() == Format::Json
    }

    fn line_start(&self, at: usize) -> usize {
        line::start(self.document.source(), at)
    }

    /// Behind the line that the byte before `at` is on.
    fn line_end(&self, at: usize) -> usize {
        let source = self.document.source();
        if at > 0 && at > self.at && source[at - 1] == b'\n' {
            return at;
        }
        line::end(source, at)
    }
}

fn start_of(item: &super::Item) -> usize {
    let key = item.key.as_ref().filter(|key| !key.span.is_empty());
    key.map_or(item.node.span().start, |key| key.span.start) as usize
}

/// Writes the merged text.
struct Merger<'a> {
    json: bool,
    merged: Zeroizing<Vec<u8>>,
    /// Where it is.
    place: Vec<Name<'a>>,
    /// Where comments are in conflict.
    found: Vec<Conflict>,
}

impl<'a> Merger<'a> {
    /// Merges the entries of one map or list: those of ours in their order, those that only they have behind the entry they
    /// follow there.
    fn children(&mut self, base: Option<&[Entry<'a>]>, ours: &[Entry<'a>], theirs: &[Entry<'a>]) {
        let index = |entries: &[Entry<'a>]| -> HashMap<Name<'a>, usize> {
            entries.iter().enumerate().map(|(at, entry)| (entry.name, at)).collect()
        };
        let base = base.unwrap_or_default();
        let (in_base, in_ours, in_theirs) = (index(base), index(ours), index(theirs));
        // Their new entries, by the entry of ours that they follow; 0 for none.
        let mut new: Vec<Vec<&Entry<'a>>> = vec![Vec::new(); ours.len() + 1];
        let mut behind = 0;
        for entry in theirs {
            match in_ours.get(&entry.name) {
                Some(at) => behind = at + 1,
                None if !in_base.contains_key(&entry.name) => new[behind].push(entry),
                // Removed by us.
                None => {}
            }
        }
        let mut first = true;
        for (at, new) in new.iter().enumerate() {
            if let Some(entry) = at.checked_sub(1).map(|at| &ours[at]) {
                let old = in_base.get(&entry.name).map(|at| &base[*at]);
                match in_theirs.get(&entry.name).map(|at| &theirs[*at]) {
                    // Removed by them, and not changed by us.
                    None if old.is_some_and(|old| same(old, entry)) => {}
                    None => self.entry(&mut first, entry.whole),
                    Some(other) => {
                        self.separate(&mut first);
                        self.both(old, entry, other);
                    }
                }
            }
            for entry in new {
                self.entry(&mut first, entry.whole);
            }
        }
    }

    fn separate(&mut self, first: &mut bool) {
        if self.json && !std::mem::take(first) && !self.place.is_empty() {
            self.merged.push(b',');
        }
    }

    fn entry(&mut self, first: &mut bool, text: &[u8]) {
        self.separate(first);
        self.new_line();
        self.write(text);
    }

    fn write(&mut self, text: &[u8]) {
        self.merged.extend_from_slice(text);
    }

    /// Sees to it that what follows stands on a line of its own.
    fn new_line(&mut self) {
        if !self.json && self.merged.len() > line::first(&self.merged) && !self.merged.ends_with(b"\n") {
            let line_break = line::break_of(&self.merged);
            self.merged.extend_from_slice(line_break.as_bytes());
        }
    }

    fn both(&mut self, base: Option<&Entry<'a>>, ours: &Entry<'a>, theirs: &Entry<'a>) {
        self.place.push(ours.name);
        self.new_line();
        let none: &[u8] = b"";
        match (&ours.body, &theirs.body, base.map(|base| &base.body)) {
            (Body::Entries(our), Body::Entries(their), old @ (None | Some(Body::Entries(_)))) => {
                self.comments(base.map_or(none, |base| base.above), ours.above, theirs.above);
                self.comments(base.map_or(none, |base| base.head), ours.head, theirs.head);
                let old = match old {
                    Some(Body::Entries(old)) => Some(old.as_slice()),
                    _ => None,
                };
                self.children(old, our, their);
                if !ours.tail.is_empty() || !theirs.tail.is_empty() {
                    self.new_line();
                }
                self.comments(base.map_or(none, |base| base.tail), ours.tail, theirs.tail);
            }
            (Body::Value(our), Body::Value(their), old @ (None | Some(Body::Value(_)))) => {
                self.comments(base.map_or(none, |base| base.above), ours.above, theirs.above);
                let old = match old {
                    Some(Body::Value(old)) => *old,
                    _ => none,
                };
                self.write(pick(base.map_or(none, |base| base.head), ours.head, theirs.head).0);
                self.write(pick(old, our, their).0);
                self.comments(base.map_or(none, |base| base.tail), ours.tail, theirs.tail);
            }
            _ => self.write(pick(base.map_or(none, |base| base.whole), ours.whole, theirs.whole).0),
        }
        self.place.pop();
    }

    /// Merges the lines above an entry or behind it, or that a map or list begins with.
    fn comments(&mut self, base: &[u8], ours: &[u8], theirs: &[u8]) {
        let (chosen, agreed) = pick(base, ours, theirs);
        if agreed {
            return self.write(chosen);
        }
        let (lines, clean) = merge_lines(base, ours, theirs);
        self.write(&lines);
        // JSON has none: that is how it is laid out.
        if clean || self.json {
            return;
        }
        let mut conflict = Conflict { root: 0, path: KeyPath::default(), comments: true };
        for name in &self.place {
            match name {
                Name::Key(key, _) => conflict.path.0.push(Step::Key(String::from_utf8_lossy(key).into_owned())),
                Name::Index(index) => conflict.path.0.push(Step::Index(*index)),
                Name::Root(root) => conflict.root = *root,
            }
        }
        self.found.push(conflict);
    }
}

/// Whether an entry is what it was, apart from the comments above.
fn same(old: &Entry<'_>, new: &Entry<'_>) -> bool {
    old.whole[old.above.len()..] == new.whole[new.above.len()..]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(format: Format, base: &str, ours: &str, theirs: &str) -> (String, Vec<String>) {
        let parse = |text: &str| Document::parse(text.as_bytes().to_vec(), format).expect("the text is of its format");
        let merged = merge(&parse(base), &parse(ours), &parse(theirs));
        let place = |it: &Conflict| format!("{}{}", it.path, if it.comments { " (comments)" } else { "" });
        (String::from_utf8(merged.bytes.to_vec()).expect("UTF-8"), merged.conflicts.iter().map(place).collect())
    }

    #[track_caller]
    fn merges(format: Format, base: &str, ours: &str, theirs: &str, expected: &str) {
        assert_eq!(merged(format, base, ours, theirs), (expected.to_owned(), Vec::new()));
    }

    #[test]
    fn neighbouring_lines_are_told_apart_by_their_keys() {
        merges(
            Format::Yaml,
            "data:\n  a: 1\n  b: 2\n",
            "data:\n  a: 1\n  b: two # ours\n  c: 3\n",
            "data:\n  # theirs\n  a: one\n  b: 2\n  d: |\n    4\nkind: X\n",
            "data:\n  # theirs\n  a: one\n  b: two # ours\n  d: |\n    4\n  c: 3\nkind: X\n",
        );
    }

    #[test]
    fn every_format_merges() {
        merges(Format::Dotenv, "A=1\nB=2\n", "A=1\nB=3\nC=c\n", "# x\nA=0\nB=2\nD=d\n", "# x\nA=0\nB=3\nD=d\nC=c\n");
        merges(
            Format::Ini,
            "x = 1\n[s]\na = 1\nb = 2\n",
            "x = 1\n[s]\na = 2\nb = 2\n",
            "x = 1\n[s]\na = 1\nb = 3\n[t]\nc = 4\n",
            "x = 1\n[s]\na = 2\nb = 3\n[t]\nc = 4\n",
        );
        merges(
            Format::Json,
            "{\n  \"a\": 1,\n  \"m\": {\n    \"x\": 1\n  }\n}\n",
            "{\n  \"a\": 2,\n  \"m\": {\n    \"x\": 1,\n    \"y\": [1, 2]\n  }\n}\n",
            "{\n  \"m\": {\n    \"x\": 1,\n    \"z\": 3\n  },\n  \"a\": 1\n}\n",
            "{\n  \"a\": 2,\n  \"m\": {\n    \"x\": 1,\n    \"z\": 3,\n    \"y\": [1, 2]\n  }\n}\n",
        );
        merges(
            Format::Json,
            r#"{"a":1,"b":2}"#,
            r#"{"a":3,"b":2,"c":1}"#,
            r#"{"a":1,"b":4}"#,
            r#"{"a":3,"b":4,"c":1}"#,
        );
        merges(Format::Binary, "a\nb\nc\n", "x\nb\nc\n", "a\nb\ny\n", "x\nb\ny\n");
    }

    #[test]
    fn what_both_changed_stays_ours_and_is_named() {
        let base = "a: 1\nb: 2\nc: 3\nm:\n  x: 1\n  y: 2\n";
        let ours = "a: ours\nb: 2\nc: 3\nd: ours\nm:\n  x: 5\n  y: 2\n";
        let theirs = "a: theirs\nb: two\nc: 3\nd: theirs\n";
        let (text, conflicts) = merged(Format::Yaml, base, ours, theirs);
        assert_eq!(text, "a: ours\nb: two\nc: 3\nd: ours\nm:\n  x: 5\n  y: 2\n");
        assert_eq!(conflicts, ["a", "d", "m"]);
    }

    #[test]
    fn removed_entries_go_with_their_comments_and_a_removed_and_changed_one_is_a_conflict() {
        let base = "# a\na: 1\n# b\nb: 2\nc: 3\n";
        merges(Format::Yaml, base, "# b\nb: 2\nc: 3\n", "# a\na: 1\nc: 3\n", "c: 3\n");
        let (text, conflicts) = merged(Format::Yaml, base, "# a\na: 1\nc: 3\n", "# a\na: 1\n# b\nb: 5\nc: 4\n");
        assert_eq!((text.as_str(), conflicts), ("# a\na: 1\nc: 4\n", vec!["b".to_owned()]));
    }

    #[test]
    fn comments_merge_by_lines() {
        merges(
            Format::Yaml,
            "# one\n\n# two\na: 1\n",
            "# 1\n\n# two\na: 2\n",
            "# one\n\n# 2\na: 1\n",
            "# 1\n\n# 2\na: 2\n",
        );
        let (text, conflicts) = merged(Format::Yaml, "# c\na: 1\n", "# ours\na: 1\n", "# theirs\na: 2\n");
        assert_eq!((text.as_str(), conflicts), ("# ours\na: 2\n", vec!["a (comments)".to_owned()]));
    }

    #[test]
    fn lists_and_documents_merge_where_lines_do() {
        merges(
            Format::Yaml,
            "l:\n- a\n- b\n- c\nx: 1\n",
            "l:\n- new\n- a\n- b\n- c\nx: 1\n",
            "l:\n- a\n- b\n- c\nx: 2\n",
            "l:\n- new\n- a\n- b\n- c\nx: 2\n",
        );
        merges(
            Format::Yaml,
            "a: 1\nb: 1\n---\nc: 1\nd: 1\n",
            "a: 1\nb: 2\n---\nc: 2\nd: 1\n",
            "a: 2\nb: 1\n---\nc: 1\nd: 2\n---\ne: 3\n",
            "a: 2\nb: 2\n---\nc: 2\nd: 2\n---\ne: 3\n",
        );
        // Which item is which cannot be told: nothing is guessed.
        let (text, conflicts) = merged(Format::Yaml, "l: [a, b]\n", "l: [n, a, b]\n", "l: [a, b, z]\n");
        assert_eq!(text, "l: [n, a, b]\n");
        assert_eq!(conflicts, ["l[2]"]);
    }

    #[test]
    fn comments_behind_the_key_of_a_map_are_not_lost_without_a_word() {
        let base = "m:\n  x: 1\n  y: 1\nz: 1\n";
        let (ours, theirs) = ("m: # ours\n  x: 2\n  y: 1\nz: 1\n", "m: # theirs\n  x: 1\n  y: 2\nz: 1\n");
        let (text, conflicts) = merged(Format::Yaml, base, ours, theirs);
        assert_eq!(text, "m: # ours\n  x: 2\n  y: 2\nz: 1\n");
        assert_eq!(conflicts, ["m (comments)"]);
    }

    #[test]
    fn lines_that_are_added_end_as_the_others_do() {
        merges(Format::Yaml, "a: 1\r\n", "a: 1\r\nb: 1", "a: 1\r\nc: 1", "a: 1\r\nc: 1\r\nb: 1");
    }

    #[test]
    fn byte_order_mark_stays_first() {
        let (base, theirs) = ("\u{feff}b: 1\nc: 1\n", "\u{feff}a: 1\nb: 1\nc: 2\n");
        merges(Format::Yaml, base, "\u{feff}b: 2\nc: 1\n", theirs, "\u{feff}a: 1\nb: 2\nc: 2\n");
    }

    #[test]
    fn files_without_a_base_or_a_last_line_break_merge() {
        let nothing = Document::from_branches(Format::Yaml, vec![Branch::default()]);
        let parse = |text: &str| Document::parse(text.as_bytes().to_vec(), Format::Yaml).expect("YAML");
        let merged = merge(&nothing, &parse("a: 1\nb: 2"), &parse("a: 1\nc: 3"));
        assert_eq!(&*merged.bytes, b"a: 1\nc: 3\nb: 2");
        assert_eq!(merged.conflicts, []);
    }

    proptest::proptest! {
        #[test]
        fn any_text_merges_into_one_that_reads_back(texts in proptest::array::uniform3("([abc]: [12]\n|m:\n  [xy]: [12]\n|# [cd]\n|- \\[1\\]\n|l: \\{q: [12], r: [12]\\}\n){1,8}")) {
            let parsed: Vec<_> = texts.iter().filter_map(|text| Document::parse(text.as_bytes().to_vec(), Format::Yaml).ok()).collect();
            if let [base, ours, theirs] = &parsed[..] {
                let merged = merge(base, ours, theirs);
                let back = Document::parse(merged.bytes, Format::Yaml).expect("it reads back");
                if merged.conflicts.is_empty() {
                    let (us, them) = (Places::of(changes(base, ours)), Places::of(changes(base, theirs)));
                    proptest::prop_assert!(changes(ours, &back).iter().all(|change| them.cover(change)));
                    proptest::prop_assert!(changes(theirs, &back).iter().all(|change| us.cover(change)));
                }
            }
        }
    }
}
