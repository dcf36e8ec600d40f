//! What changed between two documents: by path and kind, without values.
//!
//! Values are compared as sops types them, so quotes, layout, order of keys and comments make no difference. How the
//! values differ is for the caller to look up.

use std::collections::HashMap;

use super::node::{Branch, Item, Node, Scalar};
use super::{Document, KeyPath, Step};

/// One difference between two documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// In which document of the file, from 0.
    pub root: usize,
    /// Where; empty where a document was added or removed as a whole.
    pub path: KeyPath,
    /// What happened there.
    pub kind: ChangeKind,
}

/// What happened to a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChangeKind {
    /// It is there only in the new document.
    Added,
    /// It is there only in the old document.
    Removed,
    /// It has another value or type.
    Changed,
}

/// The differences, in the order of the old document, what was added to a map behind the rest of it.
///
/// A map or list that was added, removed, or replaced by something of another kind is one change. List items are told
/// apart by their index, documents of a file too; keys that occur twice in a map by their order.
pub fn changes(old: &Document, new: &Document) -> Vec<Change> {
    let mut found = Changes { old: old.source(), new: new.source(), root: 0, path: Vec::new(), changes: Vec::new() };
    for root in 0..old.roots().len().max(new.roots().len()) {
        found.root = root;
        match (old.roots().get(root), new.roots().get(root)) {
            (Some(old), Some(new)) => found.maps(&old.branch, &new.branch),
            (Some(_), None) => found.push(ChangeKind::Removed),
            (None, _) => found.push(ChangeKind::Added),
        }
    }
    found.changes
}

struct Changes<'a> {
    old: &'a [u8],
    new: &'a [u8],
    root: usize,
    path: Vec<Step>,
    changes: Vec<Change>,
}

impl Changes<'_> {
    fn push(&mut self, kind: ChangeKind) {
        self.changes.push(Change { root: self.root, path: KeyPath(self.path.clone()), kind });
    }

    fn at(&mut self, step: Step, act: impl FnOnce(&mut Self)) {
        self.path.push(step);
        act(self);
        self.path.pop();
    }

    fn maps(&mut self, old: &Branch, new: &Branch) {
        let mut added = keyed(new, self.new);
        let index: HashMap<_, _> = added.iter().enumerate().map(|(at, (key, _))| (*key, at)).collect();
        let mut taken = vec![false; added.len()];
        for (key, item) in keyed(old, self.old) {
            let there = index.get(&key).copied();
            self.at(name(key.0), |this| match there {
                Some(at) => {
                    taken[at] = true;
                    this.nodes(&item.node, &added[at].1.node);
                }
                None => this.push(ChangeKind::Removed),
            });
        }
        let mut taken = taken.into_iter();
        added.retain(|_| !taken.next().unwrap_or_default());
        for (key, _) in added {
            self.at(name(key.0), |this| this.push(ChangeKind::Added));
        }
    }

    fn lists(&mut self, old: &Branch, new: &Branch) {
        let (mut old, mut new) = (values(old), values(new));
        for index in 0.. {
            let step = Step::Index(index);
            match (old.next(), new.next()) {
                (Some(old), Some(new)) => self.at(step, |this| this.nodes(&old.node, &new.node)),
                (Some(_), None) => self.at(step, |this| this.push(ChangeKind::Removed)),
                (None, Some(_)) => self.at(step, |this| this.push(ChangeKind::Added)),
                (None, None) => return,
            }
        }
    }

    fn nodes(&mut self, old: &Node, new: &Node) {
        match (old.resolved(), new.resolved()) {
            (Node::Map(old), Node::Map(new)) => self.maps(old, new),
            (Node::List(old), Node::List(new)) => self.lists(old, new),
            (Node::Leaf(old), Node::Leaf(new)) if same_scalar(&old.scalar, self.old, &new.scalar, self.new) => {}
            _ => self.push(ChangeKind::Changed),
        }
    }
}

/// Whether two values are the same to sops; each text belongs to the source that follows its scalar.
pub(super) fn same_scalar(a: &Scalar, a_source: &[u8], b: &Scalar, b_source: &[u8]) -> bool {
    match (a, b) {
        (Scalar::Null, Scalar::Null) => true,
        (Scalar::Bool(a), Scalar::Bool(b)) => a == b,
        (Scalar::Int(a), Scalar::Int(b)) => a == b,
        // No number is not even equal to itself, and the two zeros are told apart in a MAC.
        (Scalar::Float(a), Scalar::Float(b)) => a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()),
        (Scalar::Time(a), Scalar::Time(b)) => a == b,
        (Scalar::Str(a), Scalar::Str(b)) => a.bytes(a_source) == b.bytes(b_source),
        _ => false,
    }
}

/// The entries of a map, each with its key and the how-manieth of that key it is.
fn keyed<'a>(branch: &'a Branch, source: &'a [u8]) -> Vec<((&'a [u8], usize), &'a Item)> {
    let mut seen: HashMap<&[u8], usize> = HashMap::new();
    let mut entries = Vec::with_capacity(branch.items.len());
    for item in &branch.items {
        let Some(key) = &item.key else { continue };
        let count = seen.entry(key.text.bytes(source)).or_default();
        entries.push(((key.text.bytes(source), *count), item));
        *count += 1;
    }
    entries
}

/// The items of a list, without comments.
pub(super) fn values(branch: &Branch) -> impl Iterator<Item = &Item> {
    branch.items.iter().filter(|item| !matches!(item.node, Node::Comment(_)))
}

fn name(key: &[u8]) -> Step {
    Step::Key(String::from_utf8_lossy(key).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Format;

    fn diff(old: &str, new: &str) -> Vec<String> {
        let yaml = |text: &str| Document::parse(text.as_bytes().to_vec(), Format::Yaml).expect("it is YAML");
        let show = |change: Change| {
            let sign = match change.kind {
                ChangeKind::Added => '+',
                ChangeKind::Removed => '-',
                ChangeKind::Changed => '~',
            };
            format!("{sign}{}:{}", change.root, change.path)
        };
        changes(&yaml(old), &yaml(new)).into_iter().map(show).collect()
    }

    #[test]
    fn names_what_was_added_removed_and_changed() {
        let old = "a: 1\nb: {c: x, d: y}\nl: [1, 2, 3]\ngone: {x: 1}\n";
        let new = "new: {y: 1}\nl: [1, 5]\nb: {d: z, c: x, e: q}\na: 1\n";
        assert_eq!(diff(old, new), ["~0:b.d", "+0:b.e", "~0:l[1]", "-0:l[2]", "-0:gone", "+0:new"]);
        assert_eq!(diff("a: 1\n", "a: '1'\n"), ["~0:a"]);
        assert_eq!(diff("a: {b: 1}\n", "a: [1]\n"), ["~0:a"]);
        assert_eq!(diff("a: 1\n", "a: 1\n---\nb: 1\n"), ["+1:"]);
        assert_eq!(diff("a: 1\n---\nb: 1\n---\nc: 1\n", "a: 1\n---\nb: 2\n"), ["~1:b", "-2:"]);
    }

    #[test]
    fn layout_order_comments_and_aliases_make_no_difference() {
        let old = "a: &x {k: v, n: .nan}\nb: *x # c\ns: \"t\"\n";
        let new = "# head\ns: t\nb:\n  n: .nan\n  k: 'v'\na: {n: .nan, k: v}\n";
        assert_eq!(diff(old, new), Vec::<String>::new());
    }
}
