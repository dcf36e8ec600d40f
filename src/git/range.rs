//! What a range of commits brings: every commit, tag and version of a file that is not reachable from what is known already.
//!
//! Versions are compared by id, tree against tree, never by lines: nothing hides behind attributes, a rename, a merge that
//! was resolved by hand, or a commit that a later one undoes.

use std::collections::{BinaryHeap, HashMap, HashSet};

use gix::ObjectId;
use gix::bstr::{BString, ByteVec as _};
use gix::objs::Kind;

use super::{Commit, Entry, GitError, ObjectReader, Repository};
use crate::scan::{Source, Unscanned};

/// The commits that are reachable from some objects and not from others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Range {
    /// Where it begins: commits, tags, or what else a ref may name.
    pub tips: Vec<ObjectId>,
    /// What is known; what is not there is passed over.
    pub known: Vec<ObjectId>,
}

/// What a range brings.
#[derive(Debug, Default)]
pub struct Additions {
    /// The commits, the oldest first as far as their dates are right.
    pub commits: Vec<ObjectId>,
    /// The annotated tags.
    pub tags: Vec<ObjectId>,
    /// The versions of files that are in a commit's tree and in none of its parents' at the same path.
    pub blobs: Vec<NewBlob>,
    /// The trees of the known commits that the new ones stand on.
    pub boundary: Vec<ObjectId>,
    /// What could not be looked at.
    pub unscanned: Vec<(Source, Unscanned)>,
}

/// A version of a file, or the target of a symbolic link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewBlob {
    /// Its bytes.
    pub id: ObjectId,
    /// Where it is, with `/`; empty for one that no tree leads to.
    pub path: BString,
    /// The first commit that has it there.
    pub commit: Option<ObjectId>,
    /// What the commit's parents have there.
    pub before: Vec<ObjectId>,
}

/// So many entries of trees are looked at that were seen in another place already: a few trees can stand for billions of paths.
const MAX_REPEATED: usize = 1 << 16;

/// As deep as git itself reads trees.
const MAX_DEPTH: usize = 2048;

impl Repository {
    /// A range as git writes it: `main..topic`, `A...B`, `HEAD^!`, or one revision for all that is reachable from it.
    pub fn range(&self, words: &str) -> Result<Range, GitError> {
        use gix::revision::plumbing::Spec;
        let fail = |error: &dyn std::fmt::Display| GitError::new(format!("find the commits `{words}`"), error);
        let spec = self.inner.rev_parse(words).map_err(|error| fail(&error))?.detach();
        let parents =
            |id| Ok::<_, GitError>(self.reader()?.commit(id)?.map(|commit| commit.parents).unwrap_or_default());
        Ok(match spec {
            Spec::Include(to) => Range { tips: vec![to], known: Vec::new() },
            Spec::Range { from, to } => Range { tips: vec![to], known: vec![from] },
            Spec::Merge { theirs, ours } => {
                let bases = self.inner.merge_bases_many(theirs, &[ours]).map_err(|error| fail(&error))?;
                Range { tips: vec![theirs, ours], known: bases.into_iter().map(|id| id.detach()).collect() }
            }
            Spec::ExcludeParents(id) => Range { tips: vec![id], known: parents(id)? },
            Spec::IncludeOnlyParents(id) => Range { tips: parents(id)?, known: Vec::new() },
            Spec::Exclude(_) => return Err(fail(&"it only says what to leave out")),
        })
    }

    /// What a range brings.
    pub fn additions(&self, objects: &ObjectReader, range: &Range) -> Result<Additions, GitError> {
        let mut walk = Walk { objects, shallow: self.shallow()?, found: Additions::default(), seen: Seen::default() };
        walk.run(range);
        Ok(walk.found)
    }
}

struct Walk<'a> {
    objects: &'a ObjectReader,
    shallow: HashSet<ObjectId>,
    found: Additions,
    seen: Seen,
}

#[derive(Default)]
struct Seen {
    blobs: HashSet<(ObjectId, BString)>,
    /// Trees, each with those it was compared to.
    trees: HashSet<(ObjectId, Vec<ObjectId>)>,
    /// How many entries were looked at of such that were seen before.
    repeated: usize,
    /// Whether it was told that there were more.
    is_cut: bool,
}

impl Walk<'_> {
    fn run(&mut self, range: &Range) {
        let mut known_tags = HashSet::new();
        let mut known = Vec::new();
        for id in &range.known {
            if let Ok((tags, end)) = self.objects.peel(*id) {
                known_tags.extend(tags);
                known.extend(end.and_then(|(id, kind)| (kind == Kind::Commit).then_some(id)));
            }
        }
        let mut tips = Vec::new();
        for id in &range.tips {
            match self.objects.peel(*id) {
                Ok((tags, end)) => {
                    self.found.tags.extend(tags.into_iter().filter(|tag| !known_tags.contains(tag)));
                    match end {
                        Some((id, Kind::Commit)) => tips.push(id),
                        Some((id, Kind::Tree)) => self.tree(None, id, &[]),
                        Some((id, _)) => {
                            self.blob(NewBlob { id, path: BString::default(), commit: None, before: Vec::new() })
                        }
                        None => self.found.unscanned.push((Source::Commit(*id), Unscanned::Missing)),
                    }
                }
                Err(_) => self.found.unscanned.push((Source::Tag(*id), Unscanned::Unreadable)),
            }
        }
        self.found.tags.sort_unstable();
        self.found.tags.dedup();
        let commits = self.commits(tips, known);
        let new: HashSet<ObjectId> = commits.iter().map(|commit| commit.id).collect();
        let mut boundary = HashSet::new();
        for commit in commits {
            let mut trees = Vec::new();
            for parent in &commit.parents {
                if self.shallow.contains(&commit.id) {
                    break;
                }
                // Of a parent that is missing nothing is known: all is new.
                if let Ok(Some(parent)) = self.objects.commit(*parent) {
                    if !new.contains(&parent.id) && boundary.insert(parent.id) {
                        self.found.boundary.push(parent.tree);
                    }
                    trees.push(parent.tree);
                }
            }
            self.tree(Some(commit.id), commit.tree, &trees);
            self.found.commits.push(commit.id);
        }
    }

    /// The commits reachable from `tips` and not from `known`, the oldest first.
    ///
    /// Newest first from both sides, until all that waits is known. Where dates are wrong a known commit may come out as new, never
    /// the other way round.
    fn commits(&mut self, tips: Vec<ObjectId>, known: Vec<ObjectId>) -> Vec<Commit> {
        let mut states: HashMap<ObjectId, State> = HashMap::new();
        let mut queue: BinaryHeap<(i64, ObjectId)> = BinaryHeap::new();
        let mut commits: HashMap<ObjectId, Commit> = HashMap::new();
        // How many wait that are not known.
        let mut open = 0;
        let mut reached =
            known.into_iter().map(|id| (id, true)).chain(tips.into_iter().map(|id| (id, false))).collect::<Vec<_>>();
        let mut new = Vec::new();
        loop {
            for (id, is_known) in reached.drain(..) {
                match states.get_mut(&id) {
                    Some(state) if state.is_known || !is_known => {}
                    Some(state) => {
                        state.is_known = true;
                        match state.waits {
                            true => open -= 1,
                            // It was taken for new: its parents have to hear of it.
                            false => queue.push((commits.get(&id).map_or(0, |commit| commit.time), id)),
                        }
                    }
                    None => {
                        let commit = match self.objects.commit(id) {
                            Ok(Some(commit)) => commit,
                            missing => {
                                if !is_known {
                                    let why = if missing.is_ok() { Unscanned::Missing } else { Unscanned::Unreadable };
                                    self.found.unscanned.push((Source::Commit(id), why));
                                }
                                states.insert(id, State { is_known, waits: false });
                                continue;
                            }
                        };
                        queue.push((commit.time, id));
                        commits.insert(id, commit);
                        states.insert(id, State { is_known, waits: true });
                        open += usize::from(!is_known);
                    }
                }
            }
            if open == 0 {
                break;
            }
            let Some((_, id)) = queue.pop() else { break };
            let Some(state) = states.get_mut(&id) else { continue };
            if state.waits && !state.is_known {
                open -= 1;
                new.push(id);
            }
            state.waits = false;
            let is_known = state.is_known;
            if !self.shallow.contains(&id) {
                let parents = commits.get(&id).map(|commit| commit.parents.as_slice()).unwrap_or_default();
                reached.extend(parents.iter().map(|parent| (*parent, is_known)));
            }
        }
        new.retain(|id| states.get(id).is_some_and(|state| !state.is_known));
        new.into_iter().rev().filter_map(|id| commits.remove(&id)).collect()
    }

    /// Adds what a commit's tree has and no tree of its parents has at the same path.
    fn tree(&mut self, commit: Option<ObjectId>, tree: ObjectId, parents: &[ObjectId]) {
        let mut waiting = vec![(tree, parents.to_vec(), BString::default(), 0)];
        while let Some((tree, parents, path, depth)) = waiting.pop() {
            if parents.contains(&tree) {
                continue;
            }
            let is_repeated = !self.seen.trees.insert((tree, parents.clone()));
            if is_repeated && self.seen.repeated > MAX_REPEATED {
                if !std::mem::replace(&mut self.seen.is_cut, true) {
                    self.found.unscanned.push((Source::Name(path), Unscanned::TooManyPlaces));
                }
                continue;
            }
            let entries = match self.objects.tree(tree) {
                Ok(Some(entries)) if depth <= MAX_DEPTH => entries,
                failed => {
                    let why = match failed {
                        Ok(None) => Unscanned::Missing,
                        Ok(Some(_)) => Unscanned::TooManyLayers,
                        Err(_) => Unscanned::Unreadable,
                    };
                    self.found.unscanned.push((Source::Blob(tree, Some(path).filter(|path| !path.is_empty())), why));
                    continue;
                }
            };
            self.seen.repeated += if is_repeated { entries.len() } else { 0 };
            let old: Vec<HashMap<BString, Entry>> = parents
                .iter()
                .filter_map(|parent| self.objects.tree(*parent).ok().flatten())
                .map(|entries| entries.into_iter().map(|entry| (entry.name.clone(), entry)).collect())
                .collect();
            for entry in entries {
                let before: Vec<&Entry> = old.iter().filter_map(|old| old.get(&entry.name)).collect();
                if entry.mode.is_commit() || before.iter().any(|old| old.id == entry.id) {
                    continue;
                }
                let mut inner = path.clone();
                if !inner.is_empty() {
                    inner.push_byte(b'/');
                }
                inner.push_str(&entry.name);
                let before = before
                    .into_iter()
                    .filter(|old| old.mode.is_tree() == entry.mode.is_tree() && !old.mode.is_commit());
                let before = before.map(|old| old.id).collect();
                match entry.mode.is_tree() {
                    true => waiting.push((entry.id, before, inner, depth + 1)),
                    false => self.blob(NewBlob { id: entry.id, path: inner, commit, before }),
                }
            }
        }
    }

    /// The same bytes at another path are looked at again, as their place may count.
    fn blob(&mut self, blob: NewBlob) {
        if self.seen.blobs.insert((blob.id, blob.path.clone())) {
            self.found.blobs.push(blob);
        }
    }
}

struct State {
    is_known: bool,
    /// Whether it is in the queue for the first time.
    waits: bool,
}

impl Additions {
    /// Which of some blobs are anywhere in the trees that the range stands on.
    pub fn known_blobs(&self, objects: &ObjectReader, blobs: &HashSet<ObjectId>) -> HashSet<ObjectId> {
        let mut waiting = self.boundary.clone();
        let mut seen = HashSet::new();
        let mut found = HashSet::new();
        while let Some(tree) = waiting.pop() {
            if !seen.insert(tree) || found.len() == blobs.len() {
                continue;
            }
            for entry in objects.tree(tree).ok().flatten().unwrap_or_default() {
                if entry.mode.is_tree() {
                    waiting.push(entry.id);
                } else if blobs.contains(&entry.id) {
                    found.insert(entry.id);
                }
            }
        }
        found
    }
}
