//! The walk: from the first commits to the last, each gets the tree that the rules leave it and the parents that are left.
//!
//! What no rule changes, and whose ancestors no rule changes, keeps its id: it is not written again.

use std::collections::{HashMap, HashSet};

use gix::ObjectId;
use gix::hash::oid;
use gix::objs::Kind;

use super::adjust::{Adjust, Worded};
use super::header::{CommitEdit, Header, Words, is_signed_commit, is_signed_tag, retarget_tag};
use super::history::{CommitIndex, History};
use super::moves::Mapped;
use super::new_graph::NewGraph;
use super::objects::{ObjectError, Objects};
use super::paths::PathSelection;
use super::prune::{Pruning, When};
use super::tips::Tips;
use super::trees::{Dropped, TreeFate, TreeWalk};

/// What is to change.
#[derive(Debug, Default)]
pub struct Rules {
    /// The paths that are meant.
    pub paths: PathSelection,
    /// Whether the paths that are meant stay and all others go, instead of the other way round.
    pub keeps_only: bool,
    /// What becomes of blobs, by id, wherever they are.
    pub blobs: HashMap<ObjectId, BlobFate>,
    /// The blob that takes the place of every file that would go; without one their entries go.
    pub stand_in: Option<ObjectId>,
    /// Which commits go because nothing is left of them.
    pub pruning: Pruning,
    /// Commits that never go and keep all their parents: a stash is told by them.
    pub unpruned: HashSet<ObjectId>,
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
    /// What became of tags, and of trees and blobs that names lead to.
    pub others: HashMap<ObjectId, Mapped>,
    /// What stood at paths that went.
    pub dropped: Dropped,
    /// How many commits lost a signature.
    pub signatures_lost: usize,
    /// How many tags did.
    pub tag_signatures_lost: usize,
    /// Commits that changed although all their ancestors stayed: whoever has none of these has nothing of the old history.
    pub first_changed: Vec<CommitIndex>,
    /// Merges of which one parent is left, though something of them is.
    pub merges_flattened: Vec<CommitIndex>,
}

/// Rewrites `history`, and what else `tips` are, by `rules`, then by `adjust`. `done` is called after each commit, with how many
/// there were.
pub fn rewrite(
    history: &History,
    tips: &Tips,
    objects: &mut dyn Objects,
    rules: &Rules,
    adjust: &mut dyn Adjust,
    mut done: impl FnMut(usize),
) -> Result<Rewritten, ObjectError> {
    let mut walk = TreeWalk::new(rules);
    let empty_tree = objects.hash_kind().empty_tree();
    let mut result = Rewritten { commits: Vec::with_capacity(history.len()), ..Rewritten::default() };
    // What each commit has become: the id that stands for it, the tree, and the parents that are left.
    let mut graph = NewGraph::default();
    let mut buffer = Vec::new();
    for (index, commit) in history.iter() {
        let new_tree = match walk.root(objects, commit.tree)? {
            TreeFate::Same => commit.tree,
            TreeFate::New(id) => id,
            TreeFate::Empty => objects.write(Kind::Tree, b"")?,
        };
        let new_tree = adjust.root(objects, new_tree)?;
        let old_parents = history.parents(index);
        let stays = rules.unpruned.contains(&commit.id);
        let degenerate = if stays { When::Never } else { rules.pruning.degenerate };
        let (parents, sole) = graph.parents_left(history, old_parents, &Pruning { degenerate, ..rules.pruning });
        let was_empty = match old_parents.first() {
            Some(parent) => history.commit(*parent).tree == commit.tree,
            None => commit.tree == empty_tree,
        };
        let base = sole.or(parents.first().copied());
        let is_empty = match base {
            Some(parent) => graph.tree(parent) == new_tree,
            None => new_tree == empty_tree,
        };
        // A merge stays while it has two parents; what always was empty goes only with what it was on top of.
        let is_merge = parents.len() > 1 && sole.is_none();
        let lost_parents = parents.len() < old_parents.len() || matches!(old_parents, [one] if graph.was_pruned(*one));
        let may_go = match rules.pruning.empty {
            When::Never => false,
            When::Always => true,
            When::Auto => !was_empty || parents.len() > 1 || lost_parents,
        };
        let goes = !stays && !is_merge && is_empty && may_go;
        let fate = if goes {
            CommitFate::Pruned(base)
        } else {
            let ids: Vec<ObjectId> = parents.iter().map(|parent| graph.id(*parent)).collect();
            let same_parents = ids.iter().eq(old_parents.iter().map(|parent| &history.commit(*parent).id));
            let changes = new_tree != commit.tree || !same_parents;
            if !changes && !adjust.asks_for_all() {
                CommitFate::Same
            } else {
                objects.read(&commit.id, &mut buffer)?;
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
                    CommitFate::New(objects.write(Kind::Commit, &edit.apply())?)
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
    let elsewhere = walk.changed(&tips.others);
    for &(kind, id) in &tips.others {
        let blob = rules.blobs.get(&id);
        let fate = match (kind, elsewhere.get(&id)) {
            (Kind::Tree, None) => {
                let new = match walk.root(objects, id)? {
                    TreeFate::Same => id,
                    TreeFate::New(new) => new,
                    TreeFate::Empty => objects.write(Kind::Tree, b"")?,
                };
                Mapped::of(&id, adjust.root(objects, new)?)
            }
            (_, Some(TreeFate::Empty)) => Mapped::Gone,
            (_, Some(TreeFate::New(new))) => Mapped::New(*new),
            (_, _) => match blob {
                None => Mapped::Same,
                Some(BlobFate::Drop) => Mapped::Gone,
                Some(BlobFate::Replace(new)) => Mapped::New(*new),
            },
        };
        result.others.insert(id, fate);
    }
    result.dropped = walk.into_dropped();
    for tag in &tips.tags {
        let known = |id: &oid| result.others.get(id).copied().or_else(|| graph.known(history, id));
        let target = match result.mapped(history, &tag.target) {
            Some(Mapped::Gone) => None,
            Some(Mapped::New(new)) => Some(new),
            Some(Mapped::Same) | None => Some(tag.target),
        };
        let Some(target) = target else {
            result.others.insert(tag.id, Mapped::Gone);
            continue;
        };
        let changes = target != tag.target;
        let mut fate = Mapped::Same;
        if changes || adjust.asks_for_all() {
            objects.read(&tag.id, &mut buffer)?;
            let header = Header::parse(&buffer);
            let mut words = Words::new(&header);
            adjust.words(&Worded { id: tag.id, kind: Kind::Tag, changes, known: &known }, &mut words)?;
            if changes || words.change() {
                result.tag_signatures_lost += usize::from(is_signed_tag(&header) && !rules.keeps_signatures);
                let new = objects.write(Kind::Tag, &retarget_tag(&words, &target, rules.keeps_signatures))?;
                fate = Mapped::of(&tag.id, new);
            }
        }
        result.others.insert(tag.id, fate);
    }
    Ok(result)
}

impl Rewritten {
    /// What became of a commit, or of what a name leads to; `None` for what the walk did not meet.
    ///
    /// For a commit that was pruned it is what became of the nearest of its first ancestors that is left.
    pub fn mapped(&self, history: &History, id: &oid) -> Option<Mapped> {
        if let Some(other) = self.others.get(id) {
            return Some(*other);
        }
        let index = history.index(id)?;
        let mut at = index;
        Some(loop {
            match self.commits[at.get()] {
                CommitFate::Pruned(None) => break Mapped::Gone,
                CommitFate::Pruned(Some(by)) => at = by,
                CommitFate::New(new) => break Mapped::New(new),
                CommitFate::Same => break Mapped::of(id, history.commit(at).id),
            }
        })
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
            let tips = Tips::read(&self.objects, tips, []).unwrap();
            let history = History::read(&self.objects, &tips.commits, &[]).unwrap();
            let result = rewrite(&history, &tips, &mut self.objects, rules, &mut (), |_| ()).unwrap();
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
