//! Changes to JSON, and to what YAML writes in brackets.

use zeroize::Zeroizing;

use super::{ChangeError, Entry, Place, What, indented};
use crate::document::node::{Branch, Item, Key, Leaf, Node, Scalar, Span, Style};
use crate::document::yaml::scalar;
use crate::document::{Document, Edits, Format, Indent, emit, line};

/// Makes a change to a JSON document.
pub(super) fn write(document: &Document, place: &Place<'_>, edits: &mut Edits) -> Result<(), ChangeError> {
    match (&place.what, place.entries.last()) {
        (What::Replace(node), Some(entry)) => replace(document, entry, node, edits),
        (What::Remove, Some(entry)) => {
            remove(document.source(), entry, edits);
            Ok(())
        }
        (What::Append(item), last) => {
            let branch = match last.map(|entry| &entry.item().node) {
                Some(Node::Map(branch) | Node::List(branch)) => branch,
                _ => &document.roots()[0].branch,
            };
            append(document, branch, item, edits)
        }
        _ => Ok(()),
    }
}

/// Puts `node` in the place of what an entry of a collection in brackets holds.
pub(super) fn replace(
    document: &Document,
    entry: &Entry<'_>,
    node: &Node,
    edits: &mut Edits,
) -> Result<(), ChangeError> {
    let (source, item) = (document.source(), entry.item());
    if let (Node::Leaf(old), Node::Leaf(new)) = (&item.node, node)
        && !old.span.is_empty()
    {
        edits.replace(old.span, &document.spell(old, &new.scalar));
        return Ok(());
    }
    let mut text = Zeroizing::new(Vec::new());
    let mut span = item.node.span();
    if let Some(key) = item.key.as_ref().filter(|_| span.is_empty()) {
        // YAML: `{a}` and `{a: }`.
        let (end, has_colon) = head(source, key);
        span = Span { start: end.max(span.start), end: end.max(span.start) };
        text.extend_from_slice(if has_colon { b" " } else { b": " });
    }
    text.extend_from_slice(&written(document, node, line_indent(source, start_of(item)))?);
    edits.replace(span, &text);
    Ok(())
}

/// Behind a key's colon, or behind the key where it has none.
fn head(source: &[u8], key: &Key) -> (u32, bool) {
    let behind = &source[key.span.end as usize..];
    let blanks = behind.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    match behind.get(blanks) {
        Some(b':') => (key.span.end + blanks as u32 + 1, true),
        _ => (key.span.end, false),
    }
}

/// Adds an entry behind the last one.
pub(super) fn append(document: &Document, branch: &Branch, item: &Item, edits: &mut Edits) -> Result<(), ChangeError> {
    let source = document.source();
    let Some(last) = super::values(branch).last() else {
        // Only the document itself; what else is empty is replaced.
        let node = Node::Map(Branch { items: vec![item.clone()], ..Branch::default() });
        edits.replace(branch.span, &written(document, &node, Some(b""))?);
        return Ok(());
    };
    let indent = line_indent(source, start_of(last));
    // go-yaml takes the colon of `{k:, l: 1}` for a part of the key.
    let is_empty = document.format() == Format::Yaml && last.key.is_some() && last.node.span().is_empty();
    let end = last.node.span().end.max(last.key.as_ref().map_or(0, |key| head(source, key).0));
    // A comment behind the last one stays behind it.
    let line_end = line::content_end(source, end as usize);
    let behind = source[end as usize..line_end].trim_ascii_start();
    let (has_comma, behind) = behind.strip_prefix(b",").map_or((false, behind), |rest| (true, rest.trim_ascii_start()));
    let is_above_comment = document.format() == Format::Yaml && behind.starts_with(b"#");
    let (at, indent) = if is_above_comment { (line_end as u32, indent.or(Some(b""))) } else { (end, indent) };
    let comma: &[u8] = match (is_above_comment && has_comma, is_empty) {
        (true, _) => b"",
        (false, true) => b" ,",
        (false, false) => b",",
    };
    let mut text = Zeroizing::new(Vec::new());
    // YAML: `[a: 1]` holds a map without brackets of its own.
    let is_bare = !matches!(source.get(branch.span.start as usize), Some(b'{' | b'['));
    if is_bare {
        edits.replace(Span { end: branch.span.start, ..branch.span }, b"{");
    }
    match indent {
        Some(indent) => {
            text.extend_from_slice(line::break_of(source).as_bytes());
            text.extend_from_slice(indent);
        }
        None => text.extend_from_slice(if is_dense(source, branch) { b"" } else { b" " }),
    }
    if let Some(key) = &item.key {
        let name =
            Node::Leaf(Leaf { scalar: Scalar::Str(key.text.clone()), span: Span::default(), style: Style::None });
        text.extend_from_slice(&written(document, &name, None)?);
        let sign = last
            .key
            .as_ref()
            .filter(|_| document.format() == Format::Json)
            .map(|key| &source[key.span.end as usize..last.node.span().start as usize]);
        text.extend_from_slice(sign.filter(|sign| !sign.contains(&b'\n')).unwrap_or(b": "));
    }
    text.extend_from_slice(&written(document, &item.node, indent)?);
    text.extend_from_slice(if is_bare { b"}" } else { b"" });
    edits.replace(Span { start: end, end }, comma);
    edits.replace(Span { start: at, end: at }, &text);
    Ok(())
}

/// Takes an entry out, with its comma.
pub(super) fn remove(source: &[u8], entry: &Entry<'_>, edits: &mut Edits) {
    let branch = entry.branch;
    if entry.is_alone() && !source[branch.span.range()].contains(&b'#') {
        edits.replace(branch.span, if entry.is_map { b"{}" } else { b"[]" });
        return;
    }
    let mut items: Vec<Item> = super::values(branch).cloned().collect();
    for item in &mut items {
        if let (Some(key), Node::Leaf(leaf)) = (&item.key, &mut item.node)
            && leaf.span.is_empty()
        {
            let end = head(source, key).0;
            leaf.span = Span { start: end, end };
        }
    }
    let here = start_of(entry.item());
    let gone: Vec<bool> = items.iter().map(|item| start_of(item) == here).collect();
    for mut cut in (Branch { items, ..*branch }).cuts(&gone) {
        // The blank of `{k: , l: 1}`, without which go-yaml would take the colon for a part of the key.
        let is_bare = cut.start > 0 && source[cut.start as usize - 1] == b':';
        if is_bare && source[cut.range()].starts_with(b" ") {
            cut.start += 1;
        }
        edits.replace(cut, b"");
    }
}

/// A node as it stands in brackets: on lines of its own where `indent` is that of its own line.
fn written(document: &Document, node: &Node, indent: Option<&[u8]>) -> Result<Zeroizing<Vec<u8>>, ChangeError> {
    if document.format() == Format::Yaml {
        let mut out = Zeroizing::new(Vec::new());
        flow(node, &mut out);
        return Ok(out);
    }
    let unit = indent.map(|_| unit(document));
    let text = emit::json_text(node, unit)?;
    Ok(indented(&text, line::break_of(document.source()).as_bytes(), indent.unwrap_or_default()))
}

/// What the document indents a level by.
fn unit(document: &Document) -> Indent {
    let first = document.roots().first().and_then(|root| root.branch.items.first());
    match first.and_then(|item| line_indent(document.source(), start_of(item))) {
        Some(indent) if indent.contains(&b'\t') => Indent::Tab,
        Some(indent) if indent.len() <= 16 => Indent::Blanks(indent.len()),
        _ => Indent::Default,
    }
}

/// A node of YAML in brackets, on one line.
pub(super) fn flow(node: &Node, out: &mut Vec<u8>) {
    let (branch, open, close) = match node {
        Node::Map(branch) => (branch, b'{', b'}'),
        Node::List(branch) => (branch, b'[', b']'),
        Node::Leaf(leaf) => return scalar::plain(out, &leaf.scalar, b"", scalar::Place::Line { flow: true }),
        Node::Comment(_) | Node::Alias { .. } => return,
    };
    out.push(open);
    for (at, item) in branch.items.iter().enumerate() {
        out.extend_from_slice(if at > 0 { b", " } else { b"" });
        if let Some(key) = &item.key {
            scalar::plain_text(out, key.text.bytes(b""), scalar::Place::Line { flow: true });
            out.extend_from_slice(b": ");
        }
        flow(&item.node, out);
    }
    out.push(close);
}

fn start_of(item: &Item) -> usize {
    item.key.as_ref().map_or(item.node.span().start, |key| key.span.start) as usize
}

/// The blanks before `at`, if there is nothing else before it on its line, and that is not the first.
fn line_indent(source: &[u8], at: usize) -> Option<&[u8]> {
    let start = line::start(source, at);
    let indent = &source[start..at];
    (start > 0 && indent.iter().all(|byte| matches!(byte, b' ' | b'\t'))).then_some(indent)
}

/// Whether there is no blank behind its commas.
fn is_dense(source: &[u8], branch: &Branch) -> bool {
    let items: Vec<&Item> = super::values(branch).collect();
    match items.as_slice() {
        [.., before, last] => source[before.node.span().end as usize..start_of(last)].ends_with(b","),
        [Item { key: Some(key), node }] => source[key.span.end as usize..node.span().start as usize].ends_with(b":"),
        _ => false,
    }
}
