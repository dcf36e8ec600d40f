//! A clone from before a rewrite, brought to the new history: its own commits are made anew on top of it, by what they change.
//!
//! Each commit that is only here is merged, tree by tree and without a working tree: a parent is the base, what became of that
//! parent is one side, it itself the other. Merges stay merges. All branches are computed before one moves, and what each was is kept.

use std::collections::{BTreeMap, HashMap, HashSet};

use gix::ObjectId;
use gix::bstr::{BString, ByteSlice as _};

use super::reader::ObjectReader;
use super::refs::{Refs, Target};
use super::remote_push::{advertised, fetch};
use super::{Git, GitError, MissingCheckouts, Repository};
use crate::scrub::Header;

/// Old and new ids of commits, as the file `commit-map` has them: only those that changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommitMap(HashMap<ObjectId, Option<ObjectId>>);

/// What was done in a clone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Adopted {
    /// Branches and tags that moved, and how many commits that the remote does not have lead there.
    pub moved: Vec<(BString, usize)>,
    /// Branches that are as they were, as a commit of theirs changes what was taken out.
    pub conflicts: Vec<Conflict>,
    /// Tags that only this clone has and that name old history by an object of their own.
    pub only_here: Vec<BString>,
    /// Stashes, where they name old history.
    pub stashes: usize,
    /// Below which refs is kept what was before.
    pub backup: String,
}

/// A commit that cannot be made anew on the new history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The branch.
    pub name: BString,
    /// The commit.
    pub commit: ObjectId,
    /// The files in question.
    pub files: Vec<BString>,
    /// The last commit of the old history below the branch.
    pub from: ObjectId,
    /// What became of that.
    pub onto: ObjectId,
}

impl CommitMap {
    /// Reads the file; else the number of the first line that is wrong.
    pub fn parse(bytes: &[u8]) -> Result<Self, usize> {
        let mut map = HashMap::new();
        for (at, line) in bytes.lines().enumerate() {
            let mut words = line.fields();
            let pair = (words.next(), words.next(), words.next());
            let (Some(old), Some(new), None) = pair else {
                if line.trim_ascii().is_empty() {
                    continue;
                }
                return Err(at + 1);
            };
            if at == 0 && (old, new) == (b"old".as_slice(), b"new".as_slice()) {
                continue;
            }
            let id = |word: &[u8]| ObjectId::from_hex(word).map_err(|_| at + 1);
            let (old, new) = (id(old)?, id(new)?);
            if old != new {
                map.insert(old, Some(new).filter(|new| !new.is_null()));
            }
        }
        Ok(Self(map))
    }
}

/// What became of a commit.
#[derive(Clone)]
enum Fate {
    Now(Option<ObjectId>),
    Conflict(ObjectId, Vec<BString>),
}

/// A ref of the clone that may have to move.
struct Local {
    name: BString,
    /// What it names.
    id: ObjectId,
    /// The commit that leads to.
    commit: ObjectId,
}

/// Fetches, and moves branches and tags that have old history. `time` names what is kept.
pub fn adopt(repository: &Repository, remote: &str, map: &CommitMap, time: &str) -> Result<Adopted, GitError> {
    let refs = Refs::read(repository)?;
    if let Some(reason) = super::refusals(repository, &refs, MissingCheckouts::Skip, None)?.first() {
        return Err(GitError::new("bring this clone to the new history", reason));
    }
    fetch(repository, remote, &["--prune"], &[])?;
    let there: BTreeMap<BString, ObjectId> = advertised(repository, remote)?.into_iter().collect();
    let git = Git::at(repository.root());
    let locals = locals(&git, &refs)?;
    let mut replay = Replay { git: &git, reader: repository.reader()?, map, fates: HashMap::new() };
    replay.run(&locals, remote)?;
    let mut adopted = Adopted { backup: format!("refs/seal/backup/adopt-{time}"), ..Adopted::default() };
    let heads = heads(&refs);
    let (mut lines, mut checked_out, mut tags) = (String::new(), Vec::new(), Vec::new());
    for local in &locals {
        let new = match replay.fates.get(&local.commit) {
            None => continue,
            Some(Fate::Conflict(commit, files)) => {
                let (from, onto) = replay.fork(local.commit)?;
                let (name, files) = (local.name.clone(), files.clone());
                adopted.conflicts.push(Conflict { name, commit: *commit, files, from, onto });
                continue;
            }
            Some(Fate::Now(new)) => *new,
        };
        let is_tag = local.name.starts_with(b"refs/tags/");
        let theirs = there.get(&local.name).filter(|_| is_tag);
        if new == Some(local.commit) || theirs == Some(&local.id) {
            continue;
        }
        let Some(new) = new.filter(|_| !is_tag || theirs.is_some() || local.id == local.commit) else {
            adopted.only_here.push(local.name.clone());
            continue;
        };
        let short = local.name.strip_prefix(b"refs/").unwrap_or(&local.name).to_str_lossy();
        lines.push_str(&format!("create {}/{short} {}\n", adopted.backup, local.id));
        match heads.get(&local.name) {
            _ if theirs.is_some() => tags.push(local.name.to_string()),
            Some(roots) => checked_out.extend(roots.iter().map(|root| (root, new))),
            None => lines.push_str(&format!("update {} {new} {}\n", local.name, local.id)),
        }
        let own = git.read(&["rev-list", "--count", &new.to_string(), "--not", &format!("--remotes={remote}")])?;
        let own = if is_tag { 0 } else { own.trim_ascii().to_str_lossy().parse().unwrap_or(0) };
        adopted.moved.push((local.name.clone(), own));
    }
    git.feed(&["update-ref", "--stdin"], lines.as_bytes())?;
    if !tags.is_empty() {
        let specs: Vec<String> = tags.iter().map(|name| format!("+{name}:{name}")).collect();
        fetch(repository, remote, &[], &specs)?;
    }
    // Files and index go along, and what is not committed stays.
    for (root, new) in checked_out {
        Git::at(root).read(&["reset", "--quiet", "--keep", &new.to_string()])?;
    }
    if refs.all.contains_key(&BString::from("refs/stash")) {
        let listed = git.read(&["rev-list", "-g", "--parents", "refs/stash"])?;
        let ids = listed.lines().flat_map(|line| line.fields().filter_map(|word| ObjectId::from_hex(word).ok()));
        if ids.into_iter().any(|id| map.0.contains_key(&id)) {
            adopted.stashes = listed.lines().count();
        }
    }
    Ok(adopted)
}

/// Removes what [`adopt`] kept, and gives how many old commits are still there.
pub fn finish_adopting(repository: &Repository, map: &CommitMap) -> Result<usize, GitError> {
    let git = Git::at(repository.root());
    let listed = git.read(&["for-each-ref", "--format=delete %(refname)", "refs/seal/backup/"])?;
    let is_ours = |line: &&[u8]| line.starts_with(b"delete refs/seal/backup/adopt-");
    let names: Vec<&[u8]> = listed.lines_with_terminator().filter(is_ours).collect();
    git.feed(&["update-ref", "--stdin"], &names.concat())?;
    for name in ["ORIG_HEAD", "FETCH_HEAD"] {
        let path = repository.common_dir().join(name);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(GitError::new(format!("remove {}", path.display()), error));
            }
            _ => {}
        }
    }
    git.read(&["reflog", "expire", "--expire-unreachable=now", "--all"])?;
    git.read(&["gc", "--quiet", "--prune=now"])?;
    let reader = repository.reader()?;
    Ok(map.0.keys().filter(|id| reader.has(**id)).count())
}

/// Branches and tags that lead to a commit, and HEADs that name one themselves.
fn locals(git: &Git, refs: &Refs) -> Result<Vec<Local>, GitError> {
    let format = "--format=%(refname) %(objectname) %(*objectname)";
    let listed = git.read(&["for-each-ref", format, "refs/heads", "refs/tags"])?;
    let line = |line: &[u8]| {
        let mut words = line.split(|byte| *byte == b' ');
        let name = BString::from(words.next()?);
        let id = ObjectId::from_hex(words.next()?).ok()?;
        let commit = words.next().and_then(|word| ObjectId::from_hex(word).ok()).unwrap_or(id);
        Some(Local { name, id, commit })
    };
    let mut locals: Vec<Local> = listed.lines().filter_map(line).collect();
    for (name, target) in &refs.all {
        if let (true, Target::Object(id)) = (name.ends_with(b"HEAD") && !name.starts_with(b"refs/"), target) {
            locals.push(Local { name: name.clone(), id: *id, commit: *id });
        }
    }
    Ok(locals)
}

/// The working trees that stand on a branch, by its name; by the name of its HEAD one that stands on a commit.
fn heads(refs: &Refs) -> BTreeMap<BString, Vec<std::path::PathBuf>> {
    let mut heads: BTreeMap<BString, Vec<std::path::PathBuf>> = BTreeMap::new();
    for checkout in &refs.checkouts {
        let name: BString = [&checkout.prefix(), b"HEAD".as_slice()].concat().into();
        let Some(root) = checkout.root.clone().filter(|root| root.is_dir()) else { continue };
        let branch = match refs.all.get(&name) {
            Some(Target::Symbolic(branch)) => branch.clone(),
            _ => name,
        };
        heads.entry(branch).or_default().push(root);
    }
    heads
}

struct Replay<'a> {
    git: &'a Git,
    reader: ObjectReader,
    map: &'a CommitMap,
    /// Commits that are not what they were.
    fates: HashMap<ObjectId, Fate>,
}

impl Replay<'_> {
    fn run(&mut self, locals: &[Local], remote: &str) -> Result<(), GitError> {
        let tips: HashSet<ObjectId> = locals.iter().map(|local| local.commit).collect();
        let input: String = tips.iter().map(|id| format!("{id}\n")).collect();
        let words = ["--no-replace-objects", "rev-list", "--topo-order", "--reverse", "--parents", "--stdin"];
        let listed = self.git.ask(&words, input.as_bytes())?;
        for line in listed.lines() {
            let mut ids = line.fields().filter_map(|word| ObjectId::from_hex(word).ok());
            let Some(id) = ids.next() else { continue };
            let parents: Vec<ObjectId> = ids.collect();
            if let Some(new) = self.map.0.get(&id) {
                if new.is_some_and(|new| !self.reader.has(new)) {
                    return Err(GitError::new("go on", format!("{remote} has not the new history yet")));
                }
                // What was pruned is what its parent is.
                let fate = match (new, parents.first()) {
                    (Some(new), _) => Fate::Now(Some(*new)),
                    (None, Some(parent)) => self.fate(parent),
                    (None, None) => Fate::Now(None),
                };
                self.fates.insert(id, fate);
            } else if parents.iter().any(|parent| self.fates.contains_key(parent)) {
                let fate = self.commit(id, &parents)?;
                self.fates.insert(id, fate);
            }
        }
        Ok(())
    }

    fn fate(&self, id: &ObjectId) -> Fate {
        self.fates.get(id).cloned().unwrap_or(Fate::Now(Some(*id)))
    }

    /// Makes a commit anew on what became of its parents.
    fn commit(&self, id: ObjectId, parents: &[ObjectId]) -> Result<Fate, GitError> {
        let mut now: Vec<ObjectId> = Vec::new();
        for parent in parents {
            match self.fate(parent) {
                conflict @ Fate::Conflict(..) => return Ok(conflict),
                Fate::Now(Some(new)) if !now.contains(&new) => now.push(new),
                Fate::Now(_) => {}
            }
        }
        // What a merge brings from its other side may be what was taken out: then what it is beside that side counts.
        let mut failed = None;
        let mut made = None;
        for parent in parents {
            match self.carry(id, parent)? {
                Ok(tree) => {
                    made = Some(tree);
                    break;
                }
                Err(files) => failed = failed.or(Some(files)),
            }
        }
        let Some(tree) = made else { return Ok(Fate::Conflict(id, failed.unwrap_or_default())) };
        let mut buffer = Vec::new();
        let object = self.reader.read(id, &mut buffer)?;
        let object = object.ok_or_else(|| GitError::new(format!("read the commit {id}"), "it is not there"))?;
        let header = Header::parse(object.data);
        let mut bytes = format!("tree {tree}\n").into_bytes();
        now.iter().for_each(|parent| bytes.extend_from_slice(format!("parent {parent}\n").as_bytes()));
        // A signature is over what it was.
        let goes: [&[u8]; 5] = [b"tree", b"parent", b"gpgsig", b"gpgsig-sha256", b"mergetag"];
        for (key, value) in header.fields().filter(|(key, _)| !goes.contains(key)) {
            bytes.extend_from_slice(&[key, b" ", value, b"\n"].concat());
        }
        bytes.push(b'\n');
        bytes.extend_from_slice(header.message());
        self.write(&bytes).map(|id| Fate::Now(Some(id)))
    }

    /// The tree of a commit, with what it changes in a parent changed in what became of that parent; or the files in which that fails.
    fn carry(&self, id: ObjectId, parent: &ObjectId) -> Result<Result<ObjectId, Vec<BString>>, GitError> {
        let (theirs, base) = (self.tree(id)?, self.tree(*parent)?);
        let ours = match self.fate(parent) {
            Fate::Now(Some(new)) => self.tree(new)?,
            _ => ObjectId::empty_tree(id.kind()),
        };
        match () {
            () if base == ours => Ok(Ok(theirs)),
            () if base == theirs => Ok(Ok(ours)),
            () => self.merge(base, ours, theirs),
        }
    }

    /// The tree of a merge of trees, or the files in which it fails.
    fn merge(
        &self,
        base: ObjectId,
        ours: ObjectId,
        theirs: ObjectId,
    ) -> Result<Result<ObjectId, Vec<BString>>, GitError> {
        // git merges commits: three that are nobody's, with the trees.
        let commit = |tree: ObjectId, parent: Option<ObjectId>| {
            let parent = parent.map(|id| format!("parent {id}\n")).unwrap_or_default();
            let who = "seal <seal@localhost> 0 +0000";
            self.write(format!("tree {tree}\n{parent}author {who}\ncommitter {who}\n\nmerge\n").as_bytes())
        };
        let base = commit(base, None)?;
        let (ours, theirs) = (commit(ours, Some(base))?.to_string(), commit(theirs, Some(base))?.to_string());
        let words =
            ["-c", "merge.directoryRenames=false", "merge-tree", "--write-tree", "-z", "--name-only", "--no-messages"];
        let words = [words.as_slice(), &[&ours, &theirs]].concat();
        let output = self.git.run(&words, b"")?;
        let mut parts = output.stdout.split(|byte| *byte == 0).filter(|part| !part.is_empty());
        let tree = parts.next().and_then(|word| ObjectId::from_hex(word).ok());
        match (output.status.code(), tree) {
            (Some(0), Some(tree)) => Ok(Ok(tree)),
            (Some(1), Some(_)) => {
                let mut files: Vec<BString> = parts.map(BString::from).collect();
                files.dedup();
                Ok(Err(files))
            }
            _ => Err(GitError::new("merge trees", "git 2.38 or newer is needed; rebase-local.sh does without")),
        }
    }

    fn tree(&self, id: ObjectId) -> Result<ObjectId, GitError> {
        match self.reader.commit(id)? {
            Some(commit) => Ok(commit.tree),
            None => Err(GitError::new(format!("read the commit {id}"), "it is not there")),
        }
    }

    fn write(&self, commit: &[u8]) -> Result<ObjectId, GitError> {
        let id = self.git.ask(&["hash-object", "-t", "commit", "-w", "--stdin", "--literally"], commit)?;
        ObjectId::from_hex(id.trim_ascii()).map_err(|error| GitError::new("write a commit", error))
    }

    /// The last commit of the old history below a commit, and what became of it.
    fn fork(&self, tip: ObjectId) -> Result<(ObjectId, ObjectId), GitError> {
        let listed = self.git.read(&["--no-replace-objects", "rev-list", "--topo-order", &tip.to_string()])?;
        let ids = listed.lines().filter_map(|line| ObjectId::from_hex(line).ok());
        let pair = |id: ObjectId| Some((id, (*self.map.0.get(&id)?)?));
        Ok(ids.into_iter().find_map(pair).unwrap_or((tip, tip)))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn map_is_read_with_and_without_its_head() {
        let (one, two, zero) = ("1".repeat(40), "2".repeat(40), "0".repeat(40));
        let map = CommitMap::parse(format!("{:<40} new\n{one} {two}\n{two} {zero}\n\n", "old").as_bytes()).unwrap();
        assert_eq!(map.0.len(), 2);
        assert_eq!(map.0[&ObjectId::from_hex(two.as_bytes()).unwrap()], None);
        assert!(CommitMap::parse(format!("{one} {one}\n").as_bytes()).unwrap().0.is_empty());
        assert_eq!(CommitMap::parse(format!("{one} {two}\n{one}\n").as_bytes()), Err(2));
        assert_eq!(CommitMap::parse(b"old new\nold new\n"), Err(2));
    }
}
