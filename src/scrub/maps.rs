//! The files that git-filter-repo leaves behind in `.git/filter-repo`, which other tools and people read: which commit and
//! which ref became which, and what a message or a merge lost.
//!
//! A second run composes with the first: what was A and became B, and now C, is listed as A and C. Source: the files that
//! git-filter-repo 2.47 writes.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;

use gix::ObjectId;
use gix::bstr::{BString, ByteSlice as _};

use super::history::History;
use super::rewrite::{CommitFate, Rewritten};

/// What a run made of commits and refs. Nothing as a new id is what is gone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Maps {
    /// Every commit that was looked at, and its new id.
    pub commits: BTreeMap<ObjectId, Option<ObjectId>>,
    /// Every ref that was looked at: what it named and what it names.
    pub refs: BTreeMap<BString, (ObjectId, Option<ObjectId>)>,
    /// Commits that changed although their parents did not, and what stands for them.
    pub first_changed: BTreeMap<ObjectId, Option<ObjectId>>,
    /// Merges that are none any more.
    pub merges_flattened: Vec<ObjectId>,
    /// What messages quote and is gone.
    pub lost: BTreeSet<BString>,
}

/// A file that an earlier run left cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of {file} is not two object ids and what they are for")]
pub struct BadMap {
    /// The file's name.
    pub file: &'static str,
    /// The line, from 1.
    pub line: usize,
}

impl Maps {
    /// Those of a run; `refs` are the refs that it looked at.
    pub fn of(
        history: &History,
        rewritten: &Rewritten,
        refs: BTreeMap<BString, (ObjectId, Option<ObjectId>)>,
        lost: impl IntoIterator<Item = BString>,
    ) -> Self {
        let fate = |at: usize| rewritten.commits[at];
        let commits = history.iter().map(|(index, commit)| {
            let new = match fate(index.get()) {
                CommitFate::Same => Some(commit.id),
                CommitFate::New(id) => Some(id),
                CommitFate::Pruned(_) => None,
            };
            (commit.id, new)
        });
        let commits: BTreeMap<ObjectId, Option<ObjectId>> = commits.collect();
        let first_changed = rewritten.first_changed.iter().map(|index| {
            let id = history.commit(*index).id;
            let new = match rewritten.mapped(history, &id) {
                Some(super::Mapped::New(new)) => Some(new),
                Some(super::Mapped::Same) => Some(id),
                Some(super::Mapped::Gone) | None => None,
            };
            (id, new)
        });
        let first_changed = first_changed.filter(|(old, _)| commits[old] != Some(*old)).collect();
        let merges_flattened = rewritten.merges_flattened.iter().map(|index| history.commit(*index).id).collect();
        Self { first_changed, merges_flattened, refs, lost: lost.into_iter().collect(), commits }
    }

    /// The same with commits called as they are where a stream comes from, as far as it tells.
    pub fn called(self, originals: &HashMap<ObjectId, ObjectId>, history: &History) -> Self {
        let called = |id: &ObjectId| *originals.get(id).unwrap_or(id);
        let changed = |id: &ObjectId| self.commits.get(id).copied().flatten() != Some(called(id));
        let mut first_changed = self.first_changed.clone();
        for (index, commit) in history.iter().filter(|(_, commit)| changed(&commit.id)) {
            if history.parents(index).iter().all(|parent| !changed(&history.commit(*parent).id)) {
                let stands = self.commits.get(&commit.id).copied().flatten();
                first_changed.entry(commit.id).or_insert(stands);
            } else {
                first_changed.remove(&commit.id);
            }
        }
        Self {
            commits: self.commits.iter().map(|(old, new)| (called(old), *new)).collect(),
            first_changed: first_changed.iter().map(|(old, new)| (called(old), *new)).collect(),
            merges_flattened: self.merges_flattened.iter().map(called).collect(),
            ..self
        }
    }

    /// The same as seen from before an earlier run. `parents` are those of a commit as it was before this run.
    pub fn after(self, earlier: &Self, parents: impl Fn(&ObjectId) -> Vec<ObjectId>) -> Self {
        let now = |id: &ObjectId| self.commits.get(id).copied().unwrap_or(Some(*id));
        let mut commits: BTreeMap<ObjectId, Option<ObjectId>> =
            earlier.commits.iter().map(|(old, between)| (*old, between.as_ref().and_then(now))).collect();
        let between: BTreeMap<ObjectId, ObjectId> =
            earlier.commits.iter().filter_map(|(old, between)| Some(((*between)?, *old))).collect();
        for (old, new) in &self.commits {
            if !between.contains_key(old) {
                commits.insert(*old, *new);
            }
        }
        let mut refs = BTreeMap::new();
        for (name, (old, new)) in &earlier.refs {
            let new = self.refs.get(name).map_or(*new, |(_, new)| *new);
            refs.insert(name.clone(), (*old, new));
        }
        for (name, (old, new)) in &self.refs {
            let original = between.get(old).unwrap_or(old);
            refs.entry(name.clone()).or_insert((*original, *new));
        }
        let changed = |id: &ObjectId| now(id) != Some(*id) || between.get(id).is_some_and(|old| old != id);
        let mut first_changed: BTreeMap<ObjectId, Option<ObjectId>> = BTreeMap::new();
        for (old, new) in &self.first_changed {
            let was_changed = between.get(old).is_some_and(|original| original != old);
            if !was_changed && !parents(old).iter().any(changed) {
                first_changed.insert(*old, *new);
            }
        }
        for (old, stands) in &earlier.first_changed {
            let Some(stands) = stands else {
                first_changed.insert(*old, None);
                continue;
            };
            let was_pruned = earlier.commits.get(old) == Some(&None);
            let moved_on = now(stands) != Some(*stands);
            // What changed before is the first only as long as nothing before it changes.
            let is_first =
                if was_pruned { !moved_on } else { !parents(stands).iter().any(|parent| now(parent) != Some(*parent)) };
            if is_first {
                first_changed.insert(*old, now(stands));
            }
        }
        Self { commits, refs, first_changed, ..self }
    }

    /// The refs that changed.
    pub fn changed_refs(&self) -> impl Iterator<Item = &BString> {
        self.refs.iter().filter(|(_, (old, new))| *new != Some(*old)).map(|(name, _)| name)
    }

    /// The files, by name.
    pub fn files(&self) -> Vec<(&'static str, Vec<u8>)> {
        let id = |id: Option<ObjectId>, like: &ObjectId| id.unwrap_or(ObjectId::null(like.kind())).to_string();
        let mut commits = format!("{:<40} new\n", "old");
        for (old, new) in &self.commits {
            let _ = writeln!(commits, "{old} {}", id(*new, old));
        }
        let mut refs = format!("{:<40} {:<40} ref\n", "old", "new").into_bytes();
        for (name, (old, new)) in &self.refs {
            refs.extend_from_slice(format!("{old} {} ", id(*new, old)).as_bytes());
            refs.extend_from_slice(name);
            refs.push(b'\n');
        }
        let changed: Vec<u8> = self.changed_refs().flat_map(|name| [name.as_slice(), b"\n"].concat()).collect();
        let mut first = String::new();
        for (old, new) in &self.first_changed {
            let _ = writeln!(first, "{old} {}", id(*new, old));
        }
        vec![
            ("commit-map", commits.into_bytes()),
            ("ref-map", refs),
            ("changed-refs", changed),
            ("first-changed-commits", first.into_bytes()),
            ("suboptimal-issues", self.issues().into_bytes()),
            ("already_ran", ALREADY_RAN.as_bytes().to_vec()),
        ]
    }

    /// Reads what an earlier run left: `read` gives a file's bytes, or nothing where it is not there.
    pub fn read(read: impl Fn(&'static str) -> Option<Vec<u8>>) -> Result<Self, BadMap> {
        let mut maps = Self::default();
        let pairs = |file: &'static str, header: usize| -> Result<Vec<Pair>, BadMap> {
            let bytes = read(file).unwrap_or_default();
            let line = |(at, line): (usize, &[u8])| pair(line).ok_or(BadMap { file, line: at + 1 });
            bytes.lines().enumerate().skip(header).map(line).collect()
        };
        for (old, new, _) in pairs("commit-map", 1)? {
            maps.commits.insert(old, new);
        }
        for (old, new, name) in pairs("ref-map", 1)? {
            maps.refs.insert(name, (old, new));
        }
        for (old, new, _) in pairs("first-changed-commits", 0)? {
            maps.first_changed.insert(old, new);
        }
        Ok(maps)
    }

    fn issues(&self) -> String {
        let mut text = String::new();
        if !self.merges_flattened.is_empty() {
            text.push_str(FLATTENED);
            for id in &self.merges_flattened {
                // The peer never knows the new id here, and prints the old one as Python does bytes.
                let _ = writeln!(text, "  b'{id}' None");
            }
            text.push('\n');
        }
        if !self.lost.is_empty() {
            text.push_str(LOST);
            for id in &self.lost {
                let _ = writeln!(text, "  b'{id}'");
            }
            text.push('\n');
        }
        if text.is_empty() { "No filtering problems encountered.\n".to_owned() } else { text }
    }
}

/// Two ids, the second of which may be zeros, and what follows them.
type Pair = (ObjectId, Option<ObjectId>, BString);

fn pair(line: &[u8]) -> Option<Pair> {
    let mut words = line.splitn(3, |byte| *byte == b' ');
    let old = ObjectId::from_hex(words.next()?).ok()?;
    let new = ObjectId::from_hex(words.next()?).ok()?;
    Some((old, Some(new).filter(|id| !id.is_null()), words.next().unwrap_or_default().into()))
}

// What others read, to the byte.
const FLATTENED: &str = "\
The following commits used to be merge commits but due to filtering
are now regular commits; they likely have suboptimal commit messages
(e.g. \"Merge branch next into master\").  Original commit hash on the
left, commit hash after filtering/rewriting on the right:
";
const LOST: &str = "\
The following commits were filtered out, but referenced in another
commit message.  The reference to the now-nonexistent commit hash
(or a substring thereof) was left as-is in any commit messages:
";
const ALREADY_RAN: &str = "\
This file exists to allow you to filter again without --force,
and to specify that metadata files should be updated instead
of rewritten";

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn id(digit: char) -> ObjectId {
        ObjectId::from_hex(digit.to_string().repeat(40).as_bytes()).unwrap()
    }

    fn maps(commits: &[(char, Option<char>)], first: &[(char, Option<char>)], tip: (char, Option<char>)) -> Maps {
        let pairs = |pairs: &[(char, Option<char>)]| pairs.iter().map(|(old, new)| (id(*old), new.map(id))).collect();
        let refs = [("refs/heads/main".into(), (id(tip.0), tip.1.map(id)))].into();
        Maps { commits: pairs(commits), refs, first_changed: pairs(first), ..Maps::default() }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let mut written =
            maps(&[('1', Some('1')), ('2', None), ('3', Some('a'))], &[('2', Some('1'))], ('3', Some('a')));
        let files: BTreeMap<_, _> = written.files().into_iter().collect();
        let text = |name: &str| String::from_utf8(files[name].clone()).unwrap();
        assert!(text("commit-map").starts_with(&format!("old{} new\n{} ", " ".repeat(37), "1".repeat(40))));
        assert!(text("commit-map").contains(&format!("\n{} {}\n", "2".repeat(40), "0".repeat(40))));
        assert_eq!(text("changed-refs"), "refs/heads/main\n");
        assert_eq!(text("suboptimal-issues"), "No filtering problems encountered.\n");
        assert_eq!(Maps::read(|name| files.get(name).cloned()).unwrap(), written);
        written.lost.insert("abcdef01".into());
        assert!(written.issues().ends_with("messages:\n  b'abcdef01'\n\n"));
        let bad = Maps::read(|name| (name == "ref-map").then(|| b"old new ref\nx\n".to_vec()));
        assert_eq!(bad, Err(BadMap { file: "ref-map", line: 2 }));
    }

    #[test]
    fn second_run_is_seen_from_before_the_first() {
        // 1 stayed, 2 became a, 3 went; then a became b, and 4 is new.
        let first = maps(&[('1', Some('1')), ('2', Some('a')), ('3', None)], &[('2', Some('a'))], ('2', Some('a')));
        let second =
            maps(&[('1', Some('1')), ('a', Some('b')), ('4', Some('c'))], &[('a', Some('b'))], ('a', Some('b')));
        let both = second.after(&first, |_| vec![id('1')]);
        let commits: Vec<_> = both.commits.into_iter().collect();
        assert_eq!(
            commits,
            [(id('1'), Some(id('1'))), (id('2'), Some(id('b'))), (id('3'), None), (id('4'), Some(id('c')))]
        );
        assert_eq!(both.refs["refs/heads/main".as_bytes().as_bstr()], (id('2'), Some(id('b'))));
        assert_eq!(both.first_changed.into_iter().collect::<Vec<_>>(), [(id('2'), Some(id('b')))]);
    }
}
