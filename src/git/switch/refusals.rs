//! Why a repository's refs are not moved: found before anything is written, each with what to do about it.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gix::bstr::BString;
use rustix::fs::Access;

use super::MissingCheckouts;
use crate::git::refs::{Refs, read_optional};
use crate::git::{GitError, Repository, RunFolder};

/// A reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// git is in the middle of something.
    #[error("a {what} is not finished in {}", checkout.display())]
    Unfinished {
        /// What: `rebase`.
        what: &'static str,
        /// The working tree.
        checkout: PathBuf,
    },
    /// A linked working tree is not there.
    #[error("the working tree {} is not there", .0.display())]
    MissingCheckout(PathBuf),
    /// Another program changes the repository, or was killed when it did.
    #[error("{} is there: git is at work, or was killed", .0.display())]
    Locked(PathBuf),
    /// History was cut off when it was fetched.
    #[error(
        "the clone is shallow: the commits at which its history is cut off would get new ids that fit nobody else's"
    )]
    Shallow,
    /// Parents of commits are replaced by a file.
    #[error("info/grafts gives commits other parents")]
    Grafts,
    /// The repository has something that seal does not know.
    #[error("the repository has the extension {0}, which seal does not know")]
    Extension(String),
    /// A part of the repository is a link to elsewhere.
    #[error("{} is a symbolic link: what it leads to belongs to another repository", .0.display())]
    Link(PathBuf),
    /// It may not be written to.
    #[error("{} cannot be written to: {why}", path.display())]
    ReadOnly {
        /// What.
        path: PathBuf,
        /// As the system says it.
        why: String,
    },
    /// The disk is full.
    #[error("{needed} MiB are needed on the disk of {}, and {free} MiB are free", path.display())]
    NoSpace {
        /// How much is needed, in MiB.
        needed: u64,
        /// How much there is, in MiB.
        free: u64,
        /// Where.
        path: PathBuf,
    },
    /// Two refs that are one file where letters' case does not count.
    #[error("{0} and {1} differ in case only, which this file system does not tell apart")]
    CaseTwins(BString, BString),
    /// HEAD names a commit of which nothing is left.
    #[error("{0} is at a commit of which nothing is left")]
    HeadGone(BString),
}

impl Refusal {
    /// What to do.
    pub fn hint(&self) -> String {
        match self {
            Self::Unfinished { what: "bisect", checkout } => format!("git -C {} bisect reset", checkout.display()),
            Self::Unfinished { what, checkout } => {
                format!("finish it, or git -C {} {what} --abort", checkout.display())
            }
            Self::MissingCheckout(_) => {
                "mount its disk, or forget it with `git worktree prune`, or pass --skip-worktree".to_owned()
            }
            Self::Locked(path) => format!("wait until git is done; if none runs, remove {}", path.display()),
            Self::Shallow => "git fetch --unshallow".to_owned(),
            Self::Grafts => "turn them into replacements with `git replace --convert-graft-file`".to_owned(),
            Self::Extension(_) => "work in a clone without it".to_owned(),
            Self::Link(_) => "work in the repository that it leads to".to_owned(),
            Self::ReadOnly { .. } => "run it as the one who owns the repository".to_owned(),
            Self::NoSpace { .. } => "make room, and run it again: nothing was changed".to_owned(),
            Self::CaseTwins(one, _) => format!("git pack-refs --all, or rename {one}"),
            Self::HeadGone(_) => "check out a branch that stays".to_owned(),
        }
    }
}

/// What tells that git is in the middle of something, by the file or folder beside HEAD.
const UNFINISHED: [(&str, &str); 9] = [
    ("rebase-apply/applying", "am"),
    ("rebase-apply", "rebase"),
    ("rebase-merge", "rebase"),
    ("MERGE_HEAD", "merge"),
    ("CHERRY_PICK_HEAD", "cherry-pick"),
    ("REVERT_HEAD", "revert"),
    ("sequencer", "cherry-pick"),
    ("BISECT_LOG", "bisect"),
    ("NOTES_MERGE_PARTIAL", "notes merge"),
];

/// Extensions of a repository that change nothing of what is done here.
const KNOWN_EXTENSIONS: [&str; 7] =
    ["noop", "noop-v1", "objectformat", "partialclone", "preciousobjects", "relativeworktrees", "worktreeconfig"];

/// After so long git itself takes a running gc on another machine for a dead one.
const GC_PATIENCE: Duration = Duration::from_secs(12 * 60 * 60);

/// All reasons that there are; none where refs can be moved. Locks that `run` left are none of them.
pub fn refusals(
    repository: &Repository,
    refs: &Refs,
    missing: MissingCheckouts,
    run: Option<&RunFolder>,
) -> Result<Vec<Refusal>, GitError> {
    let mut found = Vec::new();
    let common = &refs.common;
    for checkout in &refs.checkouts {
        let root = checkout.root.clone().unwrap_or_else(|| checkout.git_dir.clone());
        let unfinished = UNFINISHED.iter().find(|(name, _)| checkout.git_dir.join(name).exists());
        found.extend(unfinished.map(|(_, what)| Refusal::Unfinished { what, checkout: root.clone() }));
        if checkout.id.is_some() && !root.join(".git").exists() && missing == MissingCheckouts::Refuse {
            found.push(Refusal::MissingCheckout(root));
        }
        for name in ["HEAD.lock", "index.lock"] {
            found.extend(lock(checkout.git_dir.join(name), run));
        }
    }
    found.extend(lock(common.join("packed-refs.lock"), run));
    found.extend(lock(common.join("objects/maintenance.lock"), run));
    if gc_runs(common)? {
        found.push(Refusal::Locked(common.join("gc.pid")));
    }
    if read_optional(&common.join("shallow"))?.is_some_and(|bytes| !bytes.is_empty()) {
        found.push(Refusal::Shallow);
    }
    let is_graft = |line: &[u8]| !line.is_empty() && !line.starts_with(b"#");
    let grafts = read_optional(&common.join("info/grafts"))?.unwrap_or_default();
    if grafts.split(|byte| *byte == b'\n').any(|line| is_graft(line.trim_ascii())) {
        found.push(Refusal::Grafts);
    }
    let config = repository.inner.config_snapshot();
    for section in config.sections_by_name("extensions").into_iter().flatten() {
        for name in section.value_names() {
            let name = name.to_string().to_ascii_lowercase();
            let is_files =
                name == "refstorage" && section.value("refstorage").is_some_and(|value| value.as_slice() == b"files");
            if !is_files && !KNOWN_EXTENSIONS.contains(&name.as_str()) {
                found.push(Refusal::Extension(name));
            }
        }
    }
    let links = ["refs", "packed-refs", "objects", "objects/pack", "logs", "logs/refs", "seal"];
    let links = links.iter().map(|name| common.join(name)).filter(|path| path.is_symlink());
    found.extend(links.map(Refusal::Link));
    for folder in [common.clone(), common.join("refs"), common.join("objects/pack")] {
        if let Err(error) = rustix::fs::access(&folder, Access::WRITE_OK)
            && error != rustix::io::Errno::NOENT
        {
            found.push(Refusal::ReadOnly { path: folder, why: std::io::Error::from(error).to_string() });
        }
    }
    found.extend(no_space(refs, run));
    found.extend(case_twins(refs));
    Ok(found)
}

fn lock(path: PathBuf, run: Option<&RunFolder>) -> Option<Refusal> {
    let is_ours = run.is_some_and(|run| super::locks::is_of(run, &path));
    (path.exists() && !is_ours).then_some(Refusal::Locked(path))
}

/// Whether git's garbage collection is at work, as git itself decides it.
fn gc_runs(common: &Path) -> Result<bool, GitError> {
    let path = common.join("gc.pid");
    let Some(bytes) = read_optional(&path)? else { return Ok(false) };
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let mut words = text.split_whitespace();
    let pid = words.next().and_then(|word| word.parse().ok()).and_then(rustix::process::Pid::from_raw);
    let here = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let is_here = words.next() == Some(here.trim());
    let is_dead = pid.is_some_and(|pid| rustix::process::test_kill_process(pid) == Err(rustix::io::Errno::SRCH));
    let age = fs::metadata(&path).and_then(|metadata| metadata.modified()).ok().and_then(|time| time.elapsed().ok());
    Ok(!(is_here && is_dead) && age.is_none_or(|age| age < GC_PATIENCE))
}

/// Indexes are copied several times, packed refs once; the new objects are there already and only get a second name.
fn no_space(refs: &Refs, run: Option<&RunFolder>) -> Option<Refusal> {
    let size = |path: PathBuf| fs::metadata(path).map_or(0, |metadata| metadata.len());
    let indexes: u64 = refs.checkouts.iter().map(|checkout| size(checkout.index())).sum();
    let backups: u64 = refs.all.keys().map(|name| name.len() as u64 + 180).sum();
    let needed = (5 * indexes + 2 * size(refs.common.join("packed-refs")) + 2 * backups + (4 << 20)) >> 20;
    let path = run.map_or(&*refs.common, RunFolder::path);
    let disk = rustix::fs::statvfs(path).ok()?;
    let free = (disk.f_bavail * disk.f_frsize) >> 20;
    (free < needed).then(|| Refusal::NoSpace { needed, free, path: path.to_owned() })
}

fn case_twins(refs: &Refs) -> Option<Refusal> {
    if !refs.common.join("hEAD").exists() {
        return None;
    }
    let mut seen: HashMap<Vec<u8>, &BString> = HashMap::new();
    for name in refs.all.keys() {
        if let Some(other) = seen.insert(name.to_ascii_lowercase(), name) {
            return Some(Refusal::CaseTwins(other.clone(), name.clone()));
        }
    }
    None
}
