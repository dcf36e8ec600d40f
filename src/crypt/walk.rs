//! The walk over a document's values in sops's order: what is authenticated with each, and whether it is encrypted.
//!
//! The additional data of a value is its map keys from the root, each followed by `:`; list indexes and the
//! document's number are left out. A comment has that of the map or list which holds it. Source: sops, `sops.go`
//! (`walkBranch`, `shouldBeEncrypted`). A comment that sops loses is chosen as what stands at its place would be, and chooses nothing.

use std::fmt;

use super::selection::Selection;
use crate::document::{Branch, Comment, Document, KeyPath, Leaf, Node, Span, Step};

/// One value or comment, at its place.
pub struct Site<'w, 'd> {
    /// What stands there.
    pub what: What<'d>,
    /// The document it stands in, from 0.
    pub root: usize,
    /// The additional data it is encrypted with.
    pub aad: &'w [u8],
    /// Whether the selection encrypts it.
    pub chosen: bool,
    /// The way to it.
    pub path: Path<'w, 'd>,
    /// The outermost alias through which it was reached: its own spans then belong to the anchored node.
    pub alias: Option<Span>,
    /// Whether the map or list that holds it is a list.
    pub in_list: bool,
}

/// A value or a comment.
#[derive(Clone, Copy)]
pub enum What<'d> {
    /// A value.
    Leaf(&'d Leaf),
    /// A comment.
    Comment(&'d Comment),
}

/// The way to a value, cheap while walking; [`Path::to_key_path`] makes it lasting.
#[derive(Clone, Copy)]
pub struct Path<'w, 'd>(&'w [PathStep<'d>]);

#[derive(Clone, Copy)]
enum PathStep<'d> {
    Key(&'d [u8]),
    Index(usize),
}

impl Path<'_, '_> {
    /// The path as a value of its own.
    pub fn to_key_path(self) -> KeyPath {
        let step = |step: &PathStep<'_>| match step {
            PathStep::Key(key) => Step::Key(String::from_utf8_lossy(key).into_owned()),
            PathStep::Index(index) => Step::Index(*index),
        };
        KeyPath(self.0.iter().map(step).collect())
    }
}

impl fmt::Display for Path<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_key_path().fmt(f)
    }
}

/// Visits every value and comment of `document` in order, aliases expanded. Null values are visited too.
///
/// Stops at the first error of `visit`.
pub fn walk<'d, E>(
    document: &'d Document,
    selection: &Selection,
    mut visit: impl FnMut(Site<'_, 'd>) -> Result<(), E>,
) -> Result<(), E> {
    for (root, document_root) in document.roots().iter().enumerate() {
        let mut walker = Walker {
            document,
            selection,
            root,
            aad: Vec::new(),
            steps: Vec::new(),
            key_hits: 0,
            runs: Vec::new(),
            alias: None,
            visit: &mut visit,
        };
        walker.branch(&document_root.branch, false)?;
    }
    Ok(())
}

/// The comments read since the last entry of one level.
#[derive(Default, Clone, Copy)]
struct Run {
    /// How many of them the selection's regex matches.
    hits: usize,
    /// Whether the last one is among those.
    last_hit: bool,
}

struct Walker<'d, 's, F> {
    document: &'d Document,
    selection: &'s Selection,
    root: usize,
    aad: Vec<u8>,
    steps: Vec<PathStep<'d>>,
    /// Keys of the current path that the selection matches.
    key_hits: usize,
    runs: Vec<Run>,
    alias: Option<Span>,
    visit: F,
}

impl<'d, E, F: FnMut(Site<'_, 'd>) -> Result<(), E>> Walker<'d, '_, F> {
    fn branch(&mut self, branch: &'d Branch, is_list: bool) -> Result<(), E> {
        self.runs.push(Run::default());
        let mut index = 0;
        for item in &branch.items {
            if let Node::Comment(comment) = &item.node {
                if self.selection.is_by_comment() && !comment.lost {
                    let hit = self.selection.comment_hit(self.document.text(&comment.text));
                    let run = self.runs.last_mut().expect("pushed above");
                    run.hits += usize::from(hit);
                    run.last_hit = hit;
                }
                self.site(What::Comment(comment), is_list)?;
                continue;
            }
            let aad_len = self.aad.len();
            let key_hits = self.key_hits;
            match &item.key {
                Some(key) => {
                    let key = self.document.text(&key.text);
                    self.aad.extend_from_slice(key);
                    self.aad.push(b':');
                    self.key_hits += usize::from(self.selection.key_hit(key));
                    self.steps.push(PathStep::Key(key));
                }
                None => self.steps.push(PathStep::Index(index)),
            }
            self.node(&item.node, is_list)?;
            self.steps.pop();
            self.aad.truncate(aad_len);
            self.key_hits = key_hits;
            index += 1;
            *self.runs.last_mut().expect("pushed above") = Run::default();
        }
        self.runs.pop();
        Ok(())
    }

    fn node(&mut self, node: &'d Node, in_list: bool) -> Result<(), E> {
        match node {
            Node::Leaf(leaf) => self.site(What::Leaf(leaf), in_list),
            Node::Map(branch) => self.branch(branch, false),
            Node::List(branch) => self.branch(branch, true),
            Node::Comment(_) => Ok(()),
            Node::Alias { span, target } => {
                let outer = self.alias;
                self.alias = outer.or(Some(*span));
                let result = self.node(target, in_list);
                self.alias = outer;
                result
            }
        }
    }

    fn site(&mut self, what: What<'d>, in_list: bool) -> Result<(), E> {
        let hit = if self.selection.is_by_comment() {
            // A marker does not choose itself: the last comment of a run is left out where it is the one that is looked at.
            let own = match (what, self.runs.last()) {
                (What::Comment(comment), Some(run)) if self.selection.encrypts_hits() && !comment.lost => {
                    usize::from(run.last_hit)
                }
                _ => 0,
            };
            self.runs.iter().map(|run| run.hits).sum::<usize>() > own
        } else {
            self.key_hits > 0
        };
        let chosen = hit == self.selection.encrypts_hits();
        // The join of an empty path is empty, so a comment at the top has `:`.
        let aad: &[u8] = if self.aad.is_empty() { b":" } else { &self.aad };
        let path = Path(&self.steps);
        (self.visit)(Site { what, root: self.root, aad, chosen, path, alias: self.alias, in_list })
    }
}
