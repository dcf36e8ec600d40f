//! Setting and removing values of a plain document, by path, in the first document of a file.
//!
//! A change is made to the bytes, so all that it does not concern keeps its own: what a key, an item or a value is
//! written like follows its siblings. What a change means is decided on the tree ([`Tree`]), as sops' `set` and `unset`
//! do it; how it is written is each format's matter ([`yaml`], [`json`], [`lines`]). The two are held against each other:
//! bytes that do not read back as exactly the changed tree are never given out.
//! Source: sops 3.13.3, `set` and `unset` in sops.go.

mod json;
mod lines;
mod value;
mod yaml;

use zeroize::Zeroizing;

pub use value::{Numbers, Value, ValueError};

use super::diff::{same_scalar, values};
use super::dotenv::text_of;
use super::emit::EmitError;
use super::node::{Branch, Item, Key, Leaf, Node, Scalar, Span, Style, Text};
use super::{Document, Edits, Format, KeyPath, Step};

/// Why a value cannot be set or removed. No variant holds secret bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// The path is empty.
    #[error("the path names the whole file, not a value in it")]
    EmptyPath,
    /// There is nothing to remove.
    #[error("`{0}` was not found: there is nothing of that name")]
    NotFound(KeyPath),
    /// The path has a key where the document has a list, or the other way round.
    #[error("`{path}` leads nowhere: {problem}")]
    WrongStep {
        /// Up to the step that does not fit.
        path: KeyPath,
        /// Why.
        problem: &'static str,
    },
    /// The name is the envelope's.
    #[error("the name `{0}` is reserved for the envelope of an encrypted file")]
    Reserved(String),
    /// The format has no way to say it.
    #[error("{format} cannot hold {what}")]
    CannotHold {
        /// The document's format.
        format: Format,
        /// What it cannot hold.
        what: &'static str,
    },
    /// The value cannot be written.
    #[error(transparent)]
    Emit(#[from] EmitError),
    /// Aliases elsewhere would change with it, or be left without what they name.
    #[error("what stands at `{0}` has an anchor that is used elsewhere in the file, which would change as well")]
    Anchored(KeyPath),
    /// The change cannot be made without touching more than it should.
    #[error("`{0}` cannot be changed in the way that the file is laid out there")]
    Layout(KeyPath),
}

impl Document {
    /// The file's bytes with `value` at `path`; the bytes as they are where it has that value already.
    ///
    /// Parts of the path that are missing are made, an index beyond the end of a list appends to it, and a path that
    /// leads through a single value replaces that. The document must be plain.
    pub fn set(&self, path: &KeyPath, value: &Value) -> Result<Zeroizing<Vec<u8>>, ChangeError> {
        if let Some(Step::Key(name)) = path.0.first()
            && (if self.format() == Format::Dotenv { name.starts_with("sops_") } else { name == "sops" })
        {
            return Err(ChangeError::Reserved(name.clone()));
        }
        if path.0.len() > MAX_DEPTH {
            return Err(EmitError::TooDeep(MAX_DEPTH).into());
        }
        self.check_format(path, &value.0)?;
        let value = self.typed(&value.0);
        let mut tree = Tree::of(self)?;
        tree.set(path, &value)?;
        self.changed(path, &tree, Some(&value))
    }

    /// The file's bytes without what stands at `path`. The last entry of a map leaves `{}`, that of a list `[]`.
    pub fn unset(&self, path: &KeyPath) -> Result<Zeroizing<Vec<u8>>, ChangeError> {
        if self.format() == Format::Binary {
            return Err(ChangeError::CannotHold { format: Format::Binary, what: "anything but one value" });
        }
        let mut tree = Tree::of(self)?;
        tree.unset(path)?;
        self.changed(path, &tree, None)
    }

    fn changed(&self, path: &KeyPath, tree: &Tree, value: Option<&Node>) -> Result<Zeroizing<Vec<u8>>, ChangeError> {
        if tree.is(self) {
            return Ok(Zeroizing::new(self.source().to_vec()));
        }
        let place = Place::find(self, path, value)?;
        // Where lines below would be taken for part of a value of several lines, it can still be on one.
        for lines in [Lines::Several, Lines::One] {
            let mut edits = Edits::new();
            match self.format() {
                Format::Yaml => yaml::write(self, &place, lines, &mut edits)?,
                Format::Json => json::write(self, &place, &mut edits)?,
                Format::Dotenv => lines::write_dotenv(self, &place, &mut edits),
                Format::Ini => lines::write_ini(self, &place, &mut edits),
                Format::Binary => lines::write_binary(self, &place, &mut edits),
            }
            // Where something stands is found by looking for signs, which odd layouts can mislead.
            if edits.fit(self.source().len())
                && let Ok(changed) = Self::parse(edits.apply(self.source()), self.format())
                && tree.is(&changed)
            {
                return Ok(changed.into_source());
            }
        }
        let has_aliases = self.roots().iter().any(|root| any_alias(&root.branch));
        Err(if has_aliases { ChangeError::Anchored(path.clone()) } else { ChangeError::Layout(path.clone()) })
    }

    /// Refuses what the format has no place for.
    fn check_format(&self, path: &KeyPath, value: &Node) -> Result<(), ChangeError> {
        let format = self.format();
        let fail = |what| Err(ChangeError::CannotHold { format, what });
        let is_leaf = matches!(value, Node::Leaf(_));
        let is_flat = |node: &Node| match node {
            Node::Map(branch) => branch.items.iter().all(|item| matches!(item.node, Node::Leaf(_))),
            _ => false,
        };
        match (format, path.0.as_slice()) {
            (Format::Yaml | Format::Json, _) | (_, []) => {}
            (Format::Dotenv, [Step::Key(_)]) if is_leaf => {}
            (Format::Dotenv, _) => return fail("values inside of others"),
            (Format::Ini, [Step::Key(_), Step::Key(_)]) if is_leaf => {}
            (Format::Ini, [Step::Key(_)]) if is_flat(value) => {}
            (Format::Ini, _) => return fail("anything but sections with single values in them"),
            (Format::Binary, [Step::Key(name)]) if name == "data" && is_leaf => {}
            (Format::Binary, _) => return fail("anything but one value, named `data`"),
        }
        if format == Format::Json && !all_utf8(value) {
            return fail("bytes that are not UTF-8");
        }
        Ok(())
    }

    /// `value` as the format types it: dotenv, INI and binary files know strings only.
    fn typed(&self, value: &Node) -> Node {
        match (self.format(), value) {
            (Format::Yaml | Format::Json, _) => value.clone(),
            (_, Node::Leaf(leaf)) => made(Scalar::Str(Text::owned(&**text_of(b"", leaf, &leaf.scalar)))),
            (_, Node::Map(branch)) => {
                let entry = |item: &Item| Item { key: item.key.clone(), node: self.typed(&item.node) };
                Node::Map(Branch { items: branch.items.iter().map(entry).collect(), ..Branch::default() })
            }
            (_, other) => other.clone(),
        }
    }
}

/// Steps of a path, as for reading and writing documents.
const MAX_DEPTH: usize = 128;

/// What a file's documents hold, without any source: comments left out, aliases written out.
struct Tree(Vec<Node>);

impl Tree {
    fn of(document: &Document) -> Result<Self, ChangeError> {
        let detach = |root: &super::Root| detached(document.source(), &Node::Map(root.branch.clone()));
        let roots: Vec<_> = document.roots().iter().map(detach).collect();
        if roots.is_empty() {
            return Err(ChangeError::CannotHold { format: document.format(), what: "a value without a document" });
        }
        Ok(Self(roots))
    }

    fn is(&self, document: &Document) -> bool {
        let roots = document.roots();
        let same = |(node, root): (&Node, &super::Root)| match node {
            Node::Map(branch) => root.attachment.is_none() && same_entries(branch, &root.branch, document.source()),
            _ => false,
        };
        self.0.len() == roots.len() && self.0.iter().zip(roots).all(same)
    }

    fn set(&mut self, path: &KeyPath, value: &Node) -> Result<(), ChangeError> {
        let Some(mut here) = self.0.first_mut().filter(|_| !path.0.is_empty()) else {
            return Err(ChangeError::EmptyPath);
        };
        for at in 0..path.0.len() {
            let rest = &path.0[at..];
            match step(here, path, at)? {
                Found::Entry(index) => here = &mut branch_mut(here).items[index].node,
                Found::Missing(key) => {
                    let node = wrapped(&rest[1..], value);
                    branch_mut(here).items.push(Item { key: key.map(|key| Key::made(key.as_bytes())), node });
                    return Ok(());
                }
                Found::Scalar => {
                    *here = wrapped(rest, value);
                    return Ok(());
                }
            }
        }
        *here = value.clone();
        Ok(())
    }

    fn unset(&mut self, path: &KeyPath) -> Result<(), ChangeError> {
        let Some(mut here) = self.0.first_mut().filter(|_| !path.0.is_empty()) else {
            return Err(ChangeError::EmptyPath);
        };
        for at in 0..path.0.len() {
            match step(here, path, at)? {
                Found::Entry(index) if at + 1 == path.0.len() => {
                    branch_mut(here).items.remove(index);
                    return Ok(());
                }
                Found::Entry(index) => here = &mut branch_mut(here).items[index].node,
                Found::Missing(_) | Found::Scalar => {
                    return Err(ChangeError::NotFound(KeyPath(path.0[..=at].to_vec())));
                }
            }
        }
        Ok(())
    }
}

/// How many lines a new value may take.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lines {
    /// As many as the document's layout gives it.
    Several,
    /// One.
    One,
}

/// Where one step of a path leads.
enum Found<'p> {
    /// To this entry.
    Entry(usize),
    /// To nothing yet: the key, none in a list.
    Missing(Option<&'p str>),
    /// Into a single value.
    Scalar,
}

/// Takes step `at` of `path` from a node that has no source.
fn step<'p>(here: &Node, path: &'p KeyPath, at: usize) -> Result<Found<'p>, ChangeError> {
    let wrong = |problem| ChangeError::WrongStep { path: KeyPath(path.0[..=at].to_vec()), problem };
    let (found, key) = match (here, &path.0[at]) {
        (Node::Map(branch), Step::Key(key)) => (position(branch, b"", key), Some(key.as_str())),
        (Node::List(branch), Step::Index(index)) => (Some(*index).filter(|index| *index < branch.items.len()), None),
        (Node::List(_), Step::Key(_)) => return Err(wrong("what it looks into is a list, which has no keys")),
        (Node::Map(_), Step::Index(_)) => return Err(wrong("what it looks into is a map, which has no indexes")),
        _ => return Ok(Found::Scalar),
    };
    Ok(found.map_or(Found::Missing(key), Found::Entry))
}

/// The first entry named `key`.
fn position(branch: &Branch, source: &[u8], key: &str) -> Option<usize> {
    let named = |item: &Item| item.key.as_ref().is_some_and(|other| other.text.bytes(source) == key.as_bytes());
    branch.items.iter().position(named)
}

fn branch_mut(node: &mut Node) -> &mut Branch {
    match node {
        Node::Map(branch) | Node::List(branch) => branch,
        _ => unreachable!("a step found an entry in it"),
    }
}

/// `value` inside of what the rest of a path needs around it.
fn wrapped(rest: &[Step], value: &Node) -> Node {
    rest.iter().rev().fold(value.clone(), |node, step| match step {
        Step::Key(key) => {
            Node::Map(Branch { items: vec![Item { key: Some(Key::made(key.as_bytes())), node }], ..Branch::default() })
        }
        Step::Index(_) => Node::List(Branch { items: vec![Item { key: None, node }], ..Branch::default() }),
    })
}

/// Where in a document's source a change is made, and what it is.
struct Place<'d> {
    /// The entries from the first document's map down to the one that is changed, or to whose map or list one is added.
    entries: Vec<Entry<'d>>,
    what: What,
}

#[derive(Clone, Copy)]
struct Entry<'d> {
    branch: &'d Branch,
    is_map: bool,
    /// Its place among the branch's items, comments counted.
    index: usize,
}

impl<'d> Entry<'d> {
    fn item(&self) -> &'d Item {
        &self.branch.items[self.index]
    }

    fn is_alone(&self) -> bool {
        values(self.branch).nth(1).is_none()
    }
}

enum What {
    /// The last entry gets this node.
    Replace(Node),
    /// An entry is added to what the last entry holds, or to the document itself.
    Append(Item),
    /// The last entry goes.
    Remove,
}

impl<'d> Place<'d> {
    /// The tree has shown that the path can be gone; `value` is set, or the last step is removed.
    fn find(document: &'d Document, path: &KeyPath, value: Option<&Node>) -> Result<Self, ChangeError> {
        let root = &document.roots().first().ok_or(ChangeError::EmptyPath)?.branch;
        let (mut branch, mut is_map) = (root, true);
        let mut entries = Vec::new();
        for (at, step) in path.0.iter().enumerate() {
            let rest = &path.0[at + 1..];
            let found = match step {
                Step::Key(key) => position(branch, document.source(), key),
                Step::Index(index) => {
                    let mut items = branch.items.iter().enumerate();
                    items.by_ref().filter(|(_, item)| !matches!(item.node, Node::Comment(_))).nth(*index).map(|it| it.0)
                }
            };
            let Some(index) = found else {
                let value = value.ok_or_else(|| ChangeError::NotFound(path.clone()))?;
                let key = match step {
                    Step::Key(key) => Some(Key::made(key.as_bytes())),
                    Step::Index(_) => None,
                };
                let item = Item { key, node: wrapped(rest, value) };
                // What has no entries yet has no layout to follow either.
                let what = if values(branch).next().is_none() && !entries.is_empty() {
                    let branch = Branch { items: vec![item], ..Branch::default() };
                    What::Replace(if is_map { Node::Map(branch) } else { Node::List(branch) })
                } else {
                    What::Append(item)
                };
                return Ok(Self { entries, what });
            };
            entries.push(Entry { branch, is_map, index });
            match (&branch.items[index].node, value) {
                (_, None) if rest.is_empty() => break,
                (_, Some(value)) if rest.is_empty() => return Ok(Self { entries, what: What::Replace(value.clone()) }),
                (Node::Map(inner), _) => (branch, is_map) = (inner, true),
                (Node::List(inner), _) => (branch, is_map) = (inner, false),
                (node @ Node::Alias { .. }, value) => {
                    // Only this copy of what the alias stands for is to change.
                    let mut copy = Tree(vec![detached(document.source(), node)]);
                    let rest = KeyPath(rest.to_vec());
                    match value {
                        Some(value) => copy.set(&rest, value)?,
                        None => copy.unset(&rest)?,
                    }
                    return Ok(Self { entries, what: What::Replace(copy.0.swap_remove(0)) });
                }
                (_, Some(value)) => return Ok(Self { entries, what: What::Replace(wrapped(rest, value)) }),
                (_, None) => return Err(ChangeError::NotFound(path.clone())),
            }
        }
        Ok(Self { entries, what: What::Remove })
    }
}

/// A copy that needs no source.
fn detached(source: &[u8], node: &Node) -> Node {
    let entries = |branch: &Branch| {
        let items = values(branch).map(|item| Item {
            key: item.key.as_ref().map(|key| Key {
                text: key.text.detach(source),
                span: Span::default(),
                ..key.clone()
            }),
            node: detached(source, &item.node),
        });
        Branch { items: items.collect(), ..Branch::default() }
    };
    match node.resolved() {
        Node::Map(branch) => Node::Map(entries(branch)),
        Node::List(branch) => Node::List(entries(branch)),
        Node::Leaf(leaf) => made(match &leaf.scalar {
            Scalar::Str(text) => Scalar::Str(text.detach(source)),
            other => other.clone(),
        }),
        other => other.clone(),
    }
}

/// A value that was not read from anywhere.
fn made(scalar: Scalar) -> Node {
    Node::Leaf(Leaf { scalar, span: Span::default(), style: Style::None })
}

/// Whether two nodes hold the same; the first has no source.
fn same(made: &Node, node: &Node, source: &[u8]) -> bool {
    match (made, node.resolved()) {
        (Node::Map(a), Node::Map(b)) | (Node::List(a), Node::List(b)) => same_entries(a, b, source),
        (Node::Leaf(a), Node::Leaf(b)) => {
            same_scalar(&a.scalar, b"", &b.scalar, source)
                || matches!((&a.scalar, &b.scalar), (Scalar::Unsupported, Scalar::Unsupported))
        }
        _ => false,
    }
}

fn same_entries(made: &Branch, branch: &Branch, source: &[u8]) -> bool {
    let mut others = values(branch);
    let same_key = |a: &Option<Key>, b: &Option<Key>| match (a, b) {
        (Some(a), Some(b)) => a.text.bytes(b"") == b.text.bytes(source) && a.is_string == b.is_string,
        (None, None) => true,
        _ => false,
    };
    made.items.iter().all(|a| others.next().is_some_and(|b| same_key(&a.key, &b.key) && same(&a.node, &b.node, source)))
        && others.next().is_none()
}

fn any_alias(branch: &Branch) -> bool {
    branch.items.iter().any(|item| match &item.node {
        Node::Alias { .. } => true,
        Node::Map(inner) | Node::List(inner) => any_alias(inner),
        _ => false,
    })
}

fn all_utf8(node: &Node) -> bool {
    match node {
        Node::Map(branch) | Node::List(branch) => branch.items.iter().all(|item| all_utf8(&item.node)),
        Node::Leaf(Leaf { scalar: Scalar::Str(text), .. }) => std::str::from_utf8(text.bytes(b"")).is_ok(),
        _ => true,
    }
}

/// A span that may be nonsense; [`Edits::fit`] finds out.
fn span(start: usize, end: usize) -> Span {
    Span { start: start as u32, end: end as u32 }
}

/// `text` with the given line break, and `indent` before every line that is not empty but the first.
fn indented(text: &[u8], line_break: &[u8], indent: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::with_capacity(text.len()));
    for (at, line) in text.split(|byte| *byte == b'\n').enumerate() {
        if at > 0 {
            out.extend_from_slice(line_break);
            out.extend_from_slice(if line.is_empty() { b"" } else { indent });
        }
        out.extend_from_slice(line);
    }
    out
}

#[cfg(test)]
mod tests;
