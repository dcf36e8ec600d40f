//! All that names objects in a repository and in all its working trees, read at one moment: refs, HEADs, the stash, pseudo refs.
//!
//! The files are read as they are: nothing is resolved, so a symbolic ref stays one, broken ones included. What a working tree has for
//! itself is called as git calls it from elsewhere: `worktrees/<id>/HEAD`. Moving refs is in [`switch`](super::switch).

mod packed;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use gix::ObjectId;
use gix::bstr::{BStr, BString, ByteSlice as _};

use super::{GitError, Repository};

pub use packed::{Packed, PackedRef};

/// Refs as they were when they were read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refs {
    /// Refs and HEADs by full name: `refs/tags/v1`, `HEAD`, `worktrees/<id>/HEAD`, `worktrees/<id>/refs/bisect/bad`.
    pub all: BTreeMap<BString, Target>,
    /// Files beside HEAD that hold ids, by name: `ORIG_HEAD`, `worktrees/<id>/FETCH_HEAD`; with their bytes.
    pub pseudo: BTreeMap<BString, Vec<u8>>,
    /// The reflog of `refs/stash`, which is the list of stashes; empty where there are none.
    pub stash: Vec<u8>,
    /// The main working tree, which is there in a bare repository too, and the linked ones.
    pub checkouts: Vec<Checkout>,
    /// Names of what is no ref though it lies where refs do, and of refs that cannot be read: they stay as they are.
    pub broken: Vec<BString>,
    /// The folder that all working trees share, as a rule `.git`.
    pub common: PathBuf,
}

/// What a ref names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// An object.
    Object(ObjectId),
    /// Another ref, which need not be there.
    Symbolic(BString),
}

/// A working tree with what it has for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkout {
    /// What git calls it; none is the main one.
    pub id: Option<BString>,
    /// Where its HEAD and index are.
    pub git_dir: PathBuf,
    /// Its files; none in a bare repository. It need not be there: a disk may be away.
    pub root: Option<PathBuf>,
}

/// Where the refs are that keep what a run replaced.
pub const BACKUPS: &str = "refs/seal/backup/";

/// Folders of refs and reflogs are not followed deeper.
const MAX_DEPTH: usize = 64;

/// No file of refs or reflog that is read is larger.
const MAX_BYTES: u64 = 1 << 30;

/// Pseudo refs besides those that end in `_HEAD`.
const PSEUDO_REFS: [&str; 4] = ["AUTO_MERGE", "BISECT_EXPECTED_REV", "MERGE_AUTOSTASH", "NOTES_MERGE_PARTIAL"];

impl Refs {
    /// Reads all of a repository.
    pub fn read(repository: &Repository) -> Result<Self, GitError> {
        let inner = &repository.inner;
        let common = canonical(inner.common_dir())?;
        let main_root = if inner.git_dir() == inner.common_dir() {
            inner.workdir().map(canonical).transpose()?
        } else {
            let main = inner.main_repo().map_err(|error| GitError::new("open the main working tree", error))?;
            main.workdir().map(canonical).transpose()?
        };
        let mut checkouts = vec![Checkout { id: None, git_dir: common.clone(), root: main_root }];
        checkouts.extend(linked(&common)?);
        Self::of(common, checkouts)
    }

    /// Reads them again.
    pub fn again(&self) -> Result<Self, GitError> {
        let mut checkouts: Vec<Checkout> = self.checkouts.iter().take(1).cloned().collect();
        checkouts.extend(linked(&self.common)?);
        Self::of(self.common.clone(), checkouts)
    }

    fn of(common: PathBuf, checkouts: Vec<Checkout>) -> Result<Self, GitError> {
        if common.join("reftable").exists() {
            return Err(GitError::new(
                "read the refs",
                "they are kept as reftable: convert them with `git refs migrate --ref-format=files`",
            ));
        }
        let mut refs = Self {
            all: BTreeMap::new(),
            pseudo: BTreeMap::new(),
            stash: read_optional(&common.join("logs/refs/stash"))?.unwrap_or_default(),
            checkouts,
            broken: Vec::new(),
            common,
        };
        for checkout in refs.checkouts.clone() {
            let prefix = checkout.prefix();
            for file in files_below(&checkout.git_dir, "refs")? {
                if !file.ends_with(b".lock") {
                    refs.add_loose(&prefix, file.as_ref(), &checkout.git_dir)?;
                }
            }
            refs.add_loose(&prefix, "HEAD".into(), &checkout.git_dir)?;
            for name in pseudo_refs(&checkout.git_dir)? {
                if let Some(bytes) = read_optional(&checkout.git_dir.join(path_of(name.as_ref())))? {
                    refs.pseudo.insert(join(&prefix, name.as_ref()), bytes);
                }
            }
        }
        // After the loose ones: whoever packs refs writes the packed ones before it removes those.
        for packed in refs.packed()?.refs {
            if !is_safe(packed.name.as_ref()) {
                refs.broken.push(packed.name);
            } else if !refs.broken.contains(&packed.name) {
                refs.all.entry(packed.name).or_insert(Target::Object(packed.id));
            }
        }
        refs.broken.sort();
        Ok(refs)
    }

    /// What `packed-refs` holds now.
    pub fn packed(&self) -> Result<Packed, GitError> {
        let path = self.common.join("packed-refs");
        let bytes = read_optional(&path)?.unwrap_or_default();
        Packed::parse(&bytes).map_err(|error| GitError::new("read the refs", error))
    }

    /// What the walk over history begins at, by name: all that refs and detached HEADs name, without what earlier runs keep.
    pub fn tips(&self) -> impl Iterator<Item = (&BStr, ObjectId)> {
        self.all.iter().filter_map(|(name, target)| match target {
            Target::Object(id) if !name.starts_with(BACKUPS.as_bytes()) => Some((name.as_ref(), *id)),
            _ => None,
        })
    }

    /// Ids that stashes, pseudo refs and reflogs name. Their objects may be gone: nothing keeps those of pseudo refs.
    pub fn mentioned(&self) -> Result<BTreeSet<ObjectId>, GitError> {
        let mut ids = BTreeSet::new();
        let mut add = |word: Option<&[u8]>| {
            let id = word.and_then(|word| ObjectId::from_hex(word).ok());
            ids.extend(id.filter(|id| !id.is_null()));
        };
        for bytes in self.pseudo.values() {
            bytes.lines().for_each(|line| add(line.fields().next()));
        }
        for log in self.reflogs()? {
            for line in read_optional(&log)?.unwrap_or_default().lines() {
                line.splitn(3, |byte| *byte == b' ').take(2).for_each(|word| add(Some(word)));
            }
        }
        Ok(ids)
    }

    /// The files of all reflogs, also of refs that are gone.
    pub fn reflogs(&self) -> Result<Vec<PathBuf>, GitError> {
        let mut logs = Vec::new();
        for checkout in &self.checkouts {
            let files = files_below(&checkout.git_dir, "logs")?.into_iter().filter(|file| !file.ends_with(b".lock"));
            logs.extend(files.map(|file| checkout.git_dir.join(path_of(file.as_ref()))));
        }
        Ok(logs)
    }

    /// What HEAD of a working tree names in the end; none before the first commit, and where it leads nowhere.
    pub fn head(&self, checkout: &Checkout) -> Option<ObjectId> {
        self.follow(join(&checkout.prefix(), "HEAD".into()).as_ref(), |name| self.all.get(name))
    }

    /// What a name leads to, where `at` says what each name names.
    pub fn follow<'a>(&self, name: &BStr, at: impl Fn(&BStr) -> Option<&'a Target>) -> Option<ObjectId> {
        let mut name = name.to_owned();
        // As many steps as git takes.
        for _ in 0..5 {
            match at(name.as_ref())? {
                Target::Object(id) => return Some(*id),
                Target::Symbolic(next) => name = next.clone(),
            }
        }
        None
    }

    /// The names whose value is another one in `now`, or that are in only one of both.
    pub fn differing(&self, now: &Self) -> Vec<BString> {
        let mut names = BTreeSet::new();
        compare(&self.all, &now.all, &mut names);
        compare(&self.pseudo, &now.pseudo, &mut names);
        if self.stash != now.stash {
            names.insert("refs/stash".into());
        }
        let ids = |refs: &Self| -> BTreeMap<BString, ()> {
            refs.checkouts.iter().map(|checkout| (join(&checkout.prefix(), "HEAD".into()), ())).collect()
        };
        compare(&ids(self), &ids(now), &mut names);
        names.into_iter().collect()
    }

    fn add_loose(&mut self, prefix: &[u8], name: &BStr, git_dir: &Path) -> Result<(), GitError> {
        let path = git_dir.join(path_of(name));
        let full = join(prefix, name);
        match read_loose(&path)? {
            Some(Some(target)) if name == "HEAD" || is_safe(name) => _ = self.all.insert(full, target),
            None => {}
            // It hides one that is packed.
            Some(_) => self.broken.push(full),
        }
        Ok(())
    }
}

impl Checkout {
    /// What stands before the names of its own refs and HEAD.
    pub fn prefix(&self) -> Vec<u8> {
        self.id.as_ref().map_or_else(Vec::new, |id| [b"worktrees/".as_slice(), id, b"/"].concat())
    }

    /// Its index.
    pub fn index(&self) -> PathBuf {
        self.git_dir.join("index")
    }
}

/// Whether git takes it for a ref's name, so that it leads to no file elsewhere.
pub fn is_safe(name: &BStr) -> bool {
    name.starts_with(b"refs/") && gix::validate::reference::name(name).is_ok()
}

fn compare<V: PartialEq>(one: &BTreeMap<BString, V>, other: &BTreeMap<BString, V>, names: &mut BTreeSet<BString>) {
    names.extend(one.iter().filter(|(name, value)| other.get(*name) != Some(value)).map(|(name, _)| name.clone()));
    names.extend(other.keys().filter(|name| !one.contains_key(*name)).cloned());
}

/// The linked working trees.
fn linked(common: &Path) -> Result<Vec<Checkout>, GitError> {
    let folder = common.join("worktrees");
    let fail = |error: io::Error| GitError::new(format!("read {}", folder.display()), error);
    let entries = match fs::read_dir(&folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(fail)?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let git_dir = entry.map_err(fail)?.path();
        let Some(link) = read_optional(&git_dir.join("gitdir"))? else { continue };
        // It names the file `.git` in the working tree; since git 2.48 perhaps from here.
        let link = git_dir.join(path_of(link.trim_ascii_end().as_bstr()));
        let id = git_dir.file_name().unwrap_or_default().as_bytes().into();
        found.push(Checkout { id: Some(id), root: link.parent().map(Path::to_owned), git_dir });
    }
    found.sort_by(|one, other| one.id.cmp(&other.id));
    Ok(found)
}

/// What a loose ref names; the inner `None` for what is no ref.
fn read_loose(path: &Path) -> Result<Option<Option<Target>>, GitError> {
    // Long ago, symbolic refs were symbolic links.
    if let Ok(target) = fs::read_link(path) {
        let target = target.as_os_str().as_bytes();
        if target.starts_with(b"refs/") {
            return Ok(Some(Some(Target::Symbolic(target.into()))));
        }
    }
    let Some(bytes) = read_optional(path)? else { return Ok(None) };
    if let Some(name) = bytes.strip_prefix(b"ref:") {
        return Ok(Some(Some(Target::Symbolic(name.trim_ascii().into()))));
    }
    let id = bytes.fields().next().and_then(|word| ObjectId::from_hex(word).ok()).filter(|id| !id.is_null());
    Ok(Some(id.map(Target::Object)))
}

fn pseudo_refs(git_dir: &Path) -> Result<Vec<BString>, GitError> {
    let fail = |error: io::Error| GitError::new(format!("read {}", git_dir.display()), error);
    let mut names = Vec::new();
    for entry in fs::read_dir(git_dir).map_err(fail)? {
        let name = BString::from(entry.map_err(fail)?.file_name().as_bytes());
        let is_upper = name.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'_');
        if is_upper && name.ends_with(b"_HEAD") || PSEUDO_REFS.iter().any(|known| name == *known) {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// The files in a folder below `top`, by their paths from `top`, sorted.
fn files_below(top: &Path, folder: &str) -> Result<Vec<BString>, GitError> {
    let mut files = Vec::new();
    let mut todo = vec![(PathBuf::from(folder), 0)];
    while let Some((folder, depth)) = todo.pop() {
        let fail = |error: io::Error| GitError::new(format!("read {}", top.join(&folder).display()), error);
        let entries = match fs::read_dir(top.join(&folder)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries.map_err(fail)?,
        };
        for entry in entries {
            let entry = entry.map_err(fail)?;
            let path = folder.join(entry.file_name());
            if entry.file_type().map_err(fail)?.is_dir() {
                if depth == MAX_DEPTH {
                    return Err(GitError::new(format!("read {}", top.join(path).display()), "it is too deep"));
                }
                todo.push((path, depth + 1));
            } else {
                files.push(path.as_os_str().as_bytes().into());
            }
        }
    }
    files.sort();
    Ok(files)
}

/// A file's bytes; none where it is not there, is no file, or went while it was opened.
pub fn read_optional(path: &Path) -> Result<Option<Vec<u8>>, GitError> {
    let fail = |error: &dyn std::fmt::Display| GitError::new(format!("read {}", path.display()), error);
    match fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() => return Ok(None),
        Ok(metadata) if metadata.len() > MAX_BYTES => return Err(fail(&"it is too large")),
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(fail(&error)),
        Ok(_) => {}
    }
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(fail(&error)),
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn canonical(path: &Path) -> Result<PathBuf, GitError> {
    path.canonicalize().map_err(|error| GitError::new(format!("find {}", path.display()), error))
}

/// A name as a path.
pub fn path_of(name: &BStr) -> &Path {
    Path::new(std::ffi::OsStr::from_bytes(name))
}

fn join(prefix: &[u8], name: &BStr) -> BString {
    [prefix, name].concat().into()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::process::Command;

    use super::*;

    /// A repository made by the lines of a script, in which `$PWD` is its working tree.
    fn repository(script: &str) -> (tempfile::TempDir, Refs) {
        let folder = tempfile::tempdir().unwrap();
        let mut shell = Command::new("sh");
        shell.args(["-ec", &format!("git init -q -b main work && cd work && {script}")]).current_dir(folder.path());
        shell.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", folder.path());
        for name in ["AUTHOR", "COMMITTER"] {
            shell.env(format!("GIT_{name}_NAME"), "ada").env(format!("GIT_{name}_EMAIL"), "ada@example.com");
        }
        let output = shell.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let refs = Refs::read(&Repository::of(&folder.path().join("work")).unwrap()).unwrap();
        (folder, refs)
    }

    fn names(refs: &Refs) -> Vec<String> {
        refs.all.keys().map(ToString::to_string).collect()
    }

    #[test]
    fn repository_without_commits_has_a_head_that_leads_nowhere() {
        let (_folder, refs) = repository("true");
        assert_eq!(refs.all, [("HEAD".into(), Target::Symbolic("refs/heads/main".into()))].into());
        assert_eq!((refs.head(&refs.checkouts[0]), refs.tips().count()), (None, 0));
        assert!(refs.checkouts[0].root.is_some());
    }

    #[test]
    fn loose_and_packed_refs_of_every_kind_are_read() {
        let (_folder, refs) = repository(
            "git commit -q --allow-empty -m one && git tag -a -m t v1 && git branch both && git pack-refs --all \
             && git commit -q --allow-empty -m two && git branch -f both && git update-ref refs/pull/1/head HEAD \
             && git symbolic-ref refs/heads/broken refs/heads/none && git symbolic-ref refs/heads/alias refs/heads/both \
             && echo junk > .git/refs/heads/junk && echo x > .git/refs/heads/new.lock && git update-ref ORIG_HEAD HEAD \
             && echo a > a && git add a && git stash -q && git checkout -q --detach",
        );
        let expected = [
            "HEAD",
            "refs/heads/alias",
            "refs/heads/both",
            "refs/heads/broken",
            "refs/heads/main",
            "refs/pull/1/head",
            "refs/stash",
            "refs/tags/v1",
        ];
        assert_eq!(names(&refs), expected);
        assert_eq!(refs.broken, ["refs/heads/junk"]);
        let main = refs.all["refs/heads/main".as_bytes().as_bstr()].clone();
        assert_eq!(refs.all["refs/heads/both".as_bytes().as_bstr()], main);
        assert_eq!(refs.all["HEAD".as_bytes().as_bstr()], main);
        assert_eq!(refs.all["refs/heads/alias".as_bytes().as_bstr()], Target::Symbolic("refs/heads/both".into()));
        assert_eq!(refs.pseudo.keys().collect::<Vec<_>>(), ["ORIG_HEAD"]);
        assert_eq!(refs.stash.lines().count(), 1);
        assert!(refs.mentioned().unwrap().len() >= 3);
    }

    #[test]
    fn linked_working_trees_have_refs_of_their_own() {
        let (folder, refs) = repository(
            "git commit -q --allow-empty -m one && git worktree add -q ../other && cd ../other \
             && git update-ref refs/worktree/x HEAD && git update-ref ORIG_HEAD HEAD",
        );
        let expected =
            ["HEAD", "refs/heads/main", "refs/heads/other", "worktrees/other/HEAD", "worktrees/other/refs/worktree/x"];
        assert_eq!(names(&refs), expected);
        assert_eq!(refs.pseudo.keys().collect::<Vec<_>>(), ["worktrees/other/ORIG_HEAD"]);
        assert_eq!(refs.checkouts[1].root.as_deref(), Some(folder.path().join("other").as_path()));
        assert!(refs.head(&refs.checkouts[1]).is_some());
        let same = Refs::read(&Repository::of(&folder.path().join("other")).unwrap()).unwrap();
        assert_eq!(same, refs);
        assert_eq!(refs.again().unwrap(), refs);
    }

    #[test]
    fn names_that_lead_elsewhere_are_no_refs() {
        let (_folder, refs) = repository(
            "git commit -q --allow-empty -m one && printf '%s ../../../x\n%s refs/../../x\n' $(git rev-parse HEAD HEAD) > .git/packed-refs",
        );
        assert_eq!(names(&refs), ["HEAD", "refs/heads/main"]);
        assert_eq!(refs.broken.len(), 2);
    }

    #[test]
    fn what_changed_between_two_readings_is_named() {
        let (folder, refs) = repository("git commit -q --allow-empty -m one && git branch gone");
        let git = |words: &[&str]| {
            let status = Command::new("git").args(words).current_dir(folder.path().join("work")).status().unwrap();
            assert!(status.success());
        };
        git(&["branch", "new"]);
        git(&["branch", "-q", "-D", "gone"]);
        git(&["symbolic-ref", "HEAD", "refs/heads/new"]);
        assert_eq!(refs.differing(&refs.again().unwrap()), ["HEAD", "refs/heads/gone", "refs/heads/new"]);
    }
}
