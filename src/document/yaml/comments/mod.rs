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

mod placer;
mod reader;
#[cfg(test)]
mod tests;

use zeroize::Zeroizing;

use super::envelope;
use crate::document::attachment::NAME;
use crate::document::node::{Branch, Item, Node, Span};
use crate::document::{Root, line};
use placer::{Placer, entry};
use reader::Insertion;

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

/// Lines of comments, each from its `#` to the end of the line; an empty span is an empty line in between.
type Lines = Vec<Span>;
