//! The walk: from the first commits to the last, each gets the tree that the rules leave it and the parents that are left.
//!
//! What no rule changes, and whose ancestors no rule changes, keeps its id: it is not written again.

use std::collections::{HashMap, HashSet};

use gix::ObjectId;
use gix::hash::oid;
use gix::objs::Kind;

use super::adjust::{Adjust, Worded};
use super::header::{CommitEdit, Header, Words, is_signed_commit};
use super::history::{CommitIndex, History};
use super::moves::Mapped;
use super::objects::{ObjectError, Objects};
use super::paths::{Below, PathSelection, PathWalk, State};
use super::prune::{Pruning, When};
use super::tree::{Entries, EntryKind, TreeEdit};

/// What is to change.
#[derive(Debug, Default)]
pub struct Rules {
    /// The paths that are meant.
    pub paths: PathSelection,
    /// Whether the paths that are meant stay and all others go, instead of the other way round.
    pub keeps_only: bool,
    /// What becomes of blobs, by id, wherever they are.
    pub blobs: HashMap<ObjectId, BlobFate>,
    /// Which commits go because nothing is left of them.
    pub pruning: Pruning,
    /// Whether signatures stay on commits that change, though they no longer fit.
    pub keeps_signatures: bool,
}

/// What becomes of a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlobFate {
    /// It goes, and with it every entry that names it.
    Drop,
    /// Another takes its place.
    Replace(ObjectId),
}

/// What became of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitFate {
    /// It stays as it is.
    Same,
    /// It has another id.
    New(ObjectId),
    /// Nothing was left of it; its place is taken by that commit's new form, or by none.
    Pruned(Option<CommitIndex>),
}

/// What came of a walk. New objects were written; nothing names them yet.
#[derive(Debug, Default)]
pub struct Rewritten {
    /// What became of each commit.
    pub commits: Vec<CommitFate>,
    /// How many commits lost a signature.
    pub signatures_lost: usize,
    /// Commits that changed although all their ancestors stayed: whoever has none of these has nothing of the old history.
    pub first_changed: Vec<CommitIndex>,
    /// Merges of which one parent is left, though something of them is.
    pub merges_flattened: Vec<CommitIndex>,
}

/// No directory is deeper.
const MAX_DEPTH: usize = 4096;

/// Rewrites `history` by `rules`, then by `adjust`. `done` is called after each commit, with how many there were.
pub fn rewrite(
    history: &History,
    objects: &mut impl Objects,
    rules: &Rules,
    adjust: &mut dyn Adjust,
    mut done: impl FnMut(usize),
) -> Result<Rewritten, ObjectError> {
    let mut walk = Walk::new(objects, rules);
    let top = walk.paths.top();
    let empty_tree = walk.objects.hash_kind().empty_tree();
    let mut result = Rewritten { commits: Vec::with_capacity(history.len()), ..Rewritten::default() };
    // What each commit has become: the id that stands for it, the tree, and the parents that are left.
    let mut graph = NewGraph::default();
    let mut buffer = Vec::new();
    for (index, commit) in history.iter() {
        let new_tree = match walk.tree(commit.tree, top, 0)? {
            TreeFate::Same => commit.tree,
            TreeFate::New(id) => id,
            TreeFate::Empty => walk.objects.write(Kind::Tree, b"")?,
        };
        let new_tree = adjust.root(walk.objects, new_tree)?;
        let old_parents = history.parents(index);
        let parents = graph.parents_left(history, old_parents, &rules.pruning);
        let was_empty = match old_parents.first() {
            Some(parent) => history.commit(*parent).tree == commit.tree,
            None => commit.tree == empty_tree,
        };
        let is_empty = match parents.first() {
            Some(parent) => graph.tree(*parent) == new_tree,
            None => new_tree == empty_tree,
        };
        let lost_all_parents = !old_parents.is_empty() && parents.is_empty();
        let goes = parents.len() < 2
            && is_empty
            && match rules.pruning.empty {
                When::Never => false,
                When::Always => true,
                When::Auto => !was_empty || lost_all_parents || old_parents.len() > 1,
            };
        let fate = if goes {
            CommitFate::Pruned(parents.first().copied())
        } else {
            let ids: Vec<ObjectId> = parents.iter().map(|parent| graph.id(*parent)).collect();
            let same_parents = ids.iter().eq(old_parents.iter().map(|parent| &history.commit(*parent).id));
            let changes = new_tree != commit.tree || !same_parents;
            if !changes && !adjust.asks_for_all() {
                CommitFate::Same
            } else {
                walk.objects.read(&commit.id, &mut buffer)?;
                let header = Header::parse(&buffer);
                let mut words = Words::new(&header);
                let known = |id: &oid| graph.known(history, id);
                adjust.words(&Worded { id: commit.id, kind: Kind::Commit, changes, known: &known }, &mut words)?;
                if !changes && !words.change() {
                    CommitFate::Same
                } else {
                    if old_parents.iter().all(|parent| result.commits[parent.get()] == CommitFate::Same) {
                        result.first_changed.push(index);
                    }
                    if old_parents.len() > 1 && parents.len() == 1 {
                        result.merges_flattened.push(index);
                    }
                    result.signatures_lost += usize::from(is_signed_commit(&header) && !rules.keeps_signatures);
                    let edit = CommitEdit {
                        tree: new_tree,
                        parents: &ids,
                        words: &words,
                        keep_signature: rules.keeps_signatures,
                        drops_merge_tag: &|merged| !ids.contains(merged),
                    };
                    CommitFate::New(walk.objects.write(Kind::Commit, &edit.apply())?)
                }
            }
        };
        if matches!(fate, CommitFate::Pruned(_))
            && old_parents.iter().all(|parent| result.commits[parent.get()] == CommitFate::Same)
        {
            result.first_changed.push(index);
        }
        graph.add(index, commit.id, fate, new_tree, parents);
        result.commits.push(fate);
        done(index.get() + 1);
    }
    Ok(result)
}

struct Walk<'a, O> {
    objects: &'a mut O,
    rules: &'a Rules,
    paths: PathWalk,
    /// What became of a tree in a state.
    trees: HashMap<(ObjectId, State), TreeFate>,
    /// Buffers of trees being read, by depth.
    buffers: Vec<Vec<u8>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TreeFate {
    Same,
    New(ObjectId),
    Empty,
}

impl<'a, O: Objects> Walk<'a, O> {
    fn new(objects: &'a mut O, rules: &'a Rules) -> Self {
        let paths = PathWalk::new(rules.paths.clone());
        Self { objects, rules, paths, trees: HashMap::new(), buffers: Vec::new() }
    }

    /// Whether what is below is the same without looking, where no blob has a fate.
    fn stays(&self, state: State) -> Option<TreeFate> {
        let is_meant = match state {
            State::ALL => true,
            State::NOTHING => false,
            _ => return None,
        };
        if is_meant != self.rules.keeps_only {
            return Some(TreeFate::Empty);
        }
        self.rules.blobs.is_empty().then_some(TreeFate::Same)
    }

    fn tree(&mut self, id: ObjectId, state: State, depth: usize) -> Result<TreeFate, ObjectError> {
        // Without paths none is meant to stay or to go.
        let has_paths = !self.rules.paths.rules.is_empty();
        if has_paths && let Some(fate) = self.stays(state) {
            return Ok(fate);
        }
        if !has_paths && self.rules.blobs.is_empty() {
            return Ok(TreeFate::Same);
        }
        if let Some(fate) = self.trees.get(&(id, state)) {
            return Ok(*fate);
        }
        if depth > MAX_DEPTH {
            return Err(ObjectError::Damaged { id, problem: "its directories are too deep" });
        }
        let damaged = |problem| ObjectError::Damaged { id, problem };
        let mut bytes = self.buffers.pop().unwrap_or_default();
        if self.objects.read(&id, &mut bytes)? != Kind::Tree {
            return Err(damaged("it is not a tree"));
        }
        let id_len = self.objects.hash_kind().len_in_bytes();
        let mut edit = TreeEdit::new(&bytes, id_len);
        let mut left = 0;
        let mut had = 0;
        for entry in Entries::new(&bytes, id_len) {
            let entry = entry.map_err(|_| damaged("it is not a tree"))?;
            had += 1;
            let fate = match entry.kind() {
                EntryKind::Tree => {
                    let below = if has_paths { self.paths.directory(state, entry.name) } else { Below::Nothing };
                    let state = match below {
                        Below::Nothing => State::NOTHING,
                        Below::All => State::ALL,
                        Below::Inside(state) => state,
                    };
                    self.tree(entry.id.to_owned(), state, depth + 1)?
                }
                kind => {
                    let is_meant = self.paths.file(state, entry.name);
                    let blob = match kind {
                        EntryKind::Blob => self.rules.blobs.get(entry.id),
                        _ => None,
                    };
                    match blob {
                        _ if has_paths && is_meant != self.rules.keeps_only => TreeFate::Empty,
                        Some(BlobFate::Drop) => TreeFate::Empty,
                        Some(BlobFate::Replace(new)) => TreeFate::New(*new),
                        None => TreeFate::Same,
                    }
                }
            };
            match fate {
                TreeFate::Same => left += 1,
                TreeFate::Empty => edit.drop(&entry),
                TreeFate::New(new) => {
                    edit.replace(&entry, &new);
                    left += 1;
                }
            }
        }
        let fate = match edit.finish() {
            None => TreeFate::Same,
            Some(_) if left == 0 && had > 0 => TreeFate::Empty,
            Some(new) => TreeFate::New(self.objects.write(Kind::Tree, &new)?),
        };
        self.buffers.push(bytes);
        self.trees.insert((id, state), fate);
        Ok(fate)
    }
}

/// The commits as they are after the walk so far.
#[derive(Default)]
struct NewGraph {
    nodes: Vec<NewCommit>,
    /// The first commit of each new id: two old commits can become one.
    by_id: HashMap<ObjectId, CommitIndex>,
}

struct NewCommit {
    /// The commit that stands for it; none where nothing is left of it and its ancestors.
    is: Option<CommitIndex>,
    id: ObjectId,
    tree: ObjectId,
    parents: Vec<CommitIndex>,
    /// One more than that of its parents.
    generation: u32,
    was_pruned: bool,
}

impl NewGraph {
    fn add(&mut self, index: CommitIndex, old: ObjectId, fate: CommitFate, tree: ObjectId, parents: Vec<CommitIndex>) {
        let (is, id) = match fate {
            CommitFate::Pruned(by) => (by, old),
            CommitFate::Same => (Some(*self.by_id.entry(old).or_insert(index)), old),
            CommitFate::New(id) => (Some(*self.by_id.entry(id).or_insert(index)), id),
        };
        let generation = parents.iter().map(|parent| self.nodes[parent.get()].generation + 1).max().unwrap_or(0);
        let was_pruned = matches!(fate, CommitFate::Pruned(_));
        self.nodes.push(NewCommit { is, id, tree, parents, generation, was_pruned });
    }

    fn id(&self, index: CommitIndex) -> ObjectId {
        self.nodes[index.get()].id
    }

    /// What became of a commit that the walk has passed.
    fn known(&self, history: &History, old: &oid) -> Option<Mapped> {
        let node = self.nodes.get(history.index(old)?.get())?;
        Some(match node.is {
            // Another stands in its place, but that is not what its name was said for.
            _ if node.was_pruned => Mapped::Gone,
            None => Mapped::Gone,
            Some(is) if self.id(is) == old => Mapped::Same,
            Some(is) => Mapped::New(self.id(is)),
        })
    }

    fn tree(&self, index: CommitIndex) -> ObjectId {
        self.nodes[index.get()].tree
    }

    /// The parents that a commit is left with: those that stand for its old ones, without those that pruning made superfluous.
    fn parents_left(&self, history: &History, old: &[CommitIndex], pruning: &Pruning) -> Vec<CommitIndex> {
        let mut left: Vec<(CommitIndex, CommitIndex)> = Vec::with_capacity(old.len());
        for &parent in old {
            if let Some(new) = self.nodes[parent.get()].is {
                left.push((parent, new));
            }
        }
        if left.len() < 2 || pruning.degenerate == When::Never {
            return left.into_iter().map(|(_, new)| new).collect();
        }
        let always = pruning.degenerate == When::Always;
        // Two that became one; two that always were one stay.
        let mut seen: HashSet<CommitIndex> = HashSet::new();
        let mut originals: HashSet<CommitIndex> = HashSet::new();
        left.retain(|(was, new)| {
            let is_new = seen.insert(*new);
            let was_double = !originals.insert(*was);
            is_new || (was_double && !always)
        });
        // One that became an ancestor of another; the first stays where merges are to stay merges.
        let superfluous: Vec<bool> = (0..left.len())
            .map(|at| {
                let (was, new) = left[at];
                if pruning.no_ff && at == 0 {
                    return false;
                }
                let may_go = always || self.nodes[was.get()].was_pruned || was != new;
                left.iter().enumerate().any(|(other, &(other_was, other_new))| {
                    other != at
                        && new != other_new
                        && (may_go || self.nodes[other_was.get()].was_pruned)
                        && self.is_ancestor(new, other_new)
                        && (always || !history.is_ancestor(was, other_was))
                })
            })
            .collect();
        left.into_iter().zip(superfluous).filter(|(_, gone)| !gone).map(|((_, new), _)| new).collect()
    }

    fn is_ancestor(&self, ancestor: CommitIndex, of: CommitIndex) -> bool {
        let least = self.nodes[ancestor.get()].generation;
        let mut seen = HashSet::new();
        let mut todo = vec![of];
        while let Some(at) = todo.pop() {
            if at == ancestor {
                return true;
            }
            let node = &self.nodes[at.get()];
            if node.generation > least {
                todo.extend(node.parents.iter().copied().filter(|parent| seen.insert(*parent)));
            }
        }
        false
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use gix::hash::Kind as HashKind;

    use super::super::objects::memory::Memory;
    use super::super::paths::PathRule;
    use super::*;

    /// Objects, and commits by the order they were made in.
    struct Repo {
        objects: Memory,
        commits: Vec<ObjectId>,
    }

    impl Repo {
        fn new(hash: HashKind) -> Self {
            Self { objects: Memory::new(hash), commits: Vec::new() }
        }

        /// A tree of files, some of them one directory down.
        fn tree(&mut self, files: &[(&str, &str)]) -> ObjectId {
            let mut entries: Vec<(String, Vec<u8>)> = Vec::new();
            let mut below: Vec<(&str, &str)> = Vec::new();
            for (path, text) in files {
                match path.split_once('/') {
                    Some((_, name)) => below.push((name, text)),
                    None => {
                        let id = self.objects.write(Kind::Blob, text.as_bytes()).unwrap();
                        entries
                            .push(((*path).to_owned(), [b"100644 ", path.as_bytes(), b"\0", id.as_bytes()].concat()));
                    }
                }
            }
            if !below.is_empty() {
                let id = self.tree(&below);
                entries.push(("dir/".to_owned(), [b"40000 dir\0", id.as_bytes()].concat()));
            }
            entries.sort();
            let bytes: Vec<u8> = entries.into_iter().flat_map(|(_, entry)| entry).collect();
            self.objects.write(Kind::Tree, &bytes).unwrap()
        }

        fn commit(&mut self, files: &[(&str, &str)], parents: &[usize]) -> usize {
            let tree = self.tree(files);
            let mut text = format!("tree {tree}\n");
            for parent in parents {
                text += &format!("parent {}\n", self.commits[*parent]);
            }
            text += &format!("author A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\ncommit {}\n", self.commits.len());
            let id = self.objects.write(Kind::Commit, text.as_bytes()).unwrap();
            self.commits.push(id);
            self.commits.len() - 1
        }

        /// What became of each commit, and of the whole.
        fn rewritten(&mut self, rules: &Rules) -> (Vec<CommitFate>, Rewritten, History) {
            let tips: Vec<ObjectId> = self.commits.iter().rev().copied().collect();
            let history = History::read(&self.objects, tips).unwrap();
            let result = rewrite(&history, &mut self.objects, rules, &mut (), |_| ()).unwrap();
            let fate = |id: &ObjectId| result.commits[history.index(id).unwrap().get()];
            (self.commits.iter().map(fate).collect(), result, history)
        }

        fn text(&self, id: ObjectId) -> String {
            let mut buffer = Vec::new();
            self.objects.read(&id, &mut buffer).unwrap();
            String::from_utf8(buffer).unwrap()
        }
    }

    fn without(paths: &[&str]) -> Rules {
        let rules = paths.iter().map(|path| PathRule::Exact(path.as_bytes().to_vec())).collect();
        Rules { paths: PathSelection { rules, by_base_name: false }, ..Rules::default() }
    }

    #[test]
    fn what_no_rule_changes_keeps_its_id_and_nothing_is_written() {
        for hash in [HashKind::Sha1, HashKind::Sha256] {
            let mut repo = Repo::new(hash);
            let one = repo.commit(&[("a", "1"), ("dir/b", "2")], &[]);
            let two = repo.commit(&[("a", "3"), ("dir/b", "2")], &[one]);
            repo.commit(&[("a", "3")], &[two, one]);
            let before = repo.objects.len();
            for rules in [Rules::default(), without(&["nowhere", "dir/nothing", "b"])] {
                let (fates, result, _) = repo.rewritten(&rules);
                assert_eq!(fates, [CommitFate::Same; 3]);
                assert!(result.first_changed.is_empty());
            }
            assert_eq!(repo.objects.len(), before);
        }
    }

    #[test]
    fn path_goes_and_commits_that_are_left_empty_go_with_it() {
        let mut repo = Repo::new(HashKind::Sha1);
        let clean = repo.commit(&[("a", "1")], &[]);
        let added = repo.commit(&[("a", "1"), ("dir/key", "s")], &[clean]);
        let both = repo.commit(&[("a", "2"), ("dir/key", "s")], &[added]);
        let was_empty = repo.commit(&[("a", "2"), ("dir/key", "s")], &[both]);
        let removed = repo.commit(&[("a", "2")], &[was_empty]);
        let (fates, result, history) = repo.rewritten(&without(&["dir/key"]));
        let index = |at: usize| history.index(&repo.commits[at]).unwrap();
        assert_eq!(fates[clean], CommitFate::Same);
        assert_eq!(fates[added], CommitFate::Pruned(Some(index(clean))));
        let CommitFate::New(new) = fates[both] else { panic!("{fates:?}") };
        let text = repo.text(new);
        assert!(text.contains(&format!("parent {}\n", repo.commits[clean])), "{text}");
        assert!(text.ends_with("\n\ncommit 2\n"), "{text}");
        assert!(matches!(fates[was_empty], CommitFate::New(_)), "it always was empty");
        assert!(matches!(fates[removed], CommitFate::Pruned(Some(_))));
        assert_eq!(result.first_changed, [index(added)]);
    }

    #[test]
    fn merge_of_what_pruning_made_one_goes_and_an_intended_one_stays() {
        let mut repo = Repo::new(HashKind::Sha1);
        let base = repo.commit(&[("a", "1")], &[]);
        let key = repo.commit(&[("a", "1"), ("key", "s")], &[base]);
        // The side is nothing but the key: merging it is merging nothing.
        let merge = repo.commit(&[("a", "1"), ("key", "s")], &[base, key]);
        let work = repo.commit(&[("a", "2"), ("key", "s")], &[merge]);
        let intended = repo.commit(&[("a", "2"), ("key", "s")], &[merge, work]);
        let (fates, ..) = repo.rewritten(&without(&["key"]));
        assert!(matches!(fates[merge], CommitFate::Pruned(_)), "{fates:?}");
        let CommitFate::New(new) = fates[intended] else { panic!("{fates:?}") };
        assert_eq!(repo.text(new).matches("parent ").count(), 2, "it was meant to be a merge");
    }

    #[test]
    fn blobs_are_replaced_and_dropped_wherever_they_are() {
        let mut repo = Repo::new(HashKind::Sha1);
        let first = repo.commit(&[("a", "secret"), ("dir/b", "secret"), ("dir/c", "gone"), ("d", "kept")], &[]);
        let clean = repo.objects.write(Kind::Blob, b"***").unwrap();
        let id = |repo: &mut Repo, text: &str| repo.objects.write(Kind::Blob, text.as_bytes()).unwrap();
        let blobs = [(id(&mut repo, "secret"), BlobFate::Replace(clean)), (id(&mut repo, "gone"), BlobFate::Drop)];
        let (fates, ..) = repo.rewritten(&Rules { blobs: blobs.into(), ..Rules::default() });
        let CommitFate::New(new) = fates[first] else { panic!("{fates:?}") };
        let expected = repo.tree(&[("a", "***"), ("dir/b", "***"), ("d", "kept")]);
        assert!(repo.text(new).starts_with(&format!("tree {expected}\n")));
    }
}
