//! The end of a run, after which nothing can be undone: what kept the old objects goes, and so do they.
//!
//! Reflogs are kept: their ids become those of the new objects, and only entries of what is gone go. Whatever else names an old object
//! goes: backups, lines of pseudo refs, caches. git repacks and prunes. Then it is looked whether the old objects are gone.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use gix::ObjectId;
use gix::bstr::{BString, ByteSlice as _};
use gix::hash::oid;

use super::reader::ObjectReader;
use super::refs::{BACKUPS, Refs, path_of, read_optional};
use super::switch::{Disk, Git, Guard, Locks, Mark, disk_of, drop_lines, git_of, unhide};
use super::{GitError, Repository, RunFolder, RunState, SwitchError};
use crate::scrub::{Mapped, map_reflog};

/// An old object that is still there, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The object.
    pub id: ObjectId,
    /// What keeps it, in words that say it of the object.
    pub by: String,
}

/// Ends a run that has moved its refs. `map` says what became of any object, and `gone` are those that are to be gone: what is given
/// back of them is still there. It may be done again.
pub fn finish(
    repository: &Repository,
    run: &RunFolder,
    map: &dyn Fn(&oid) -> Mapped,
    gone: &[ObjectId],
) -> Result<Vec<Kept>, SwitchError> {
    let refs = Refs::read(repository)?;
    let _guard = Guard::take(&refs.common)?;
    match super::switch::state_of(run, &refs)? {
        RunState::Switched | RunState::Finishing => {}
        RunState::Switching | RunState::Undoing => return Err(SwitchError::Unfinished(run.name())),
        RunState::Written | RunState::Undone => return Err(SwitchError::NotSwitched(run.name())),
    }
    if repository.inner.config_snapshot().boolean("extensions.preciousObjects") == Some(true) {
        let why = "extensions.preciousObjects says that its objects are precious";
        return Err(GitError::new("remove objects from this repository", why).into());
    }
    let disk = disk_of(repository);
    let git = git_of(&refs.checkouts[0]);
    Mark::Finishing.set(run, disk)?;
    drop_backups(&refs, run, &git)?;
    let mut locks = Locks::new(run, &refs.common, disk)?;
    let rewritten = locks.take_all(&refs, []).and_then(|()| rewrite_logs(&refs, run, disk, map).map_err(Into::into));
    locks.release()?;
    rewritten?;
    unhide(run, &refs)?;
    remove_derived(&refs.common)?;
    for name in ["objects", "switch"] {
        match fs::remove_dir_all(run.path().join(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(GitError::new(format!("remove {}", run.path().join(name).display()), error).into());
            }
            // The folder says that it is a run, until it is done.
            _ => {
                fs::create_dir_all(run.objects().join("pack")).map_err(|error| GitError::new("write the run", error))?
            }
        }
    }
    if !repack_promised(repository, &refs.common, &git)? {
        git.run(&["repack", "-a", "-d", "-l", "-q", "--no-write-bitmap-index"], b"")?;
    }
    git.run(&["prune", "--expire=now"], b"")?;
    let kept = kept(repository, &refs, &git, gone)?;
    if kept.is_empty() {
        Mark::clear(run)?;
        let _ = fs::remove_dir_all(run.objects());
        for name in ["journal.new", "mark.new", "packed-refs", "file.new"] {
            let _ = fs::remove_file(run.path().join(name));
        }
    }
    Ok(kept)
}

/// git's word for all that indexes name.
const INDEX: &str = "--indexed-objects";

fn drop_backups(refs: &Refs, run: &RunFolder, git: &Git) -> Result<(), GitError> {
    let prefix = format!("{BACKUPS}{}/", run.name());
    let mut lines = Vec::new();
    for name in refs.all.keys().filter(|name| name.starts_with(prefix.as_bytes())) {
        lines.extend_from_slice(&[b"delete ".as_slice(), name, b"\0\0"].concat());
    }
    if lines.is_empty() { Ok(()) } else { git.run(&["update-ref", "--no-deref", "-z", "--stdin"], &lines).map(drop) }
}

fn rewrite_logs(refs: &Refs, run: &RunFolder, disk: Disk, map: &dyn Fn(&oid) -> Mapped) -> Result<(), GitError> {
    let aside = run.path().join("file.new");
    for log in refs.reflogs()? {
        let old = read_optional(&log)?.unwrap_or_default();
        let new = map_reflog(&old, map);
        if new != old {
            disk.replace(&aside, &log, &new)?;
        }
    }
    for (name, old) in &refs.pseudo {
        let new = drop_lines(old, map);
        let path = refs.common.join(path_of(name.as_ref()));
        if new.is_empty() && !old.is_empty() {
            fs::remove_file(&path).map_err(|error| GitError::new(format!("remove {}", path.display()), error))?;
        } else if new != *old {
            disk.replace(&aside, &path, &new)?;
        }
    }
    Ok(())
}

/// Removes what git makes from objects and makes again: it names old ids.
fn remove_derived(common: &Path) -> Result<(), GitError> {
    let objects = common.join("objects");
    let mut found = vec![objects.join("info/commit-graph"), objects.join("info/commit-graphs")];
    for entry in fs::read_dir(objects.join("pack")).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("multi-pack-index") || name.ends_with(".bitmap") {
            found.push(entry.path());
        }
    }
    for path in found {
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        match removed {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(GitError::new(format!("remove {}", path.display()), error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Packs anew what is reachable where packs are marked as promised by a remote: `git repack` takes over all that those have. Gives
/// whether there were any.
fn repack_promised(repository: &Repository, common: &Path, git: &Git) -> Result<bool, GitError> {
    let folder = common.join("objects/pack");
    let paths: Vec<PathBuf> = fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    let ends = |path: &PathBuf, end: &str| path.extension().is_some_and(|one| one == end);
    if !paths.iter().any(|path| ends(path, "promisor")) {
        return Ok(false);
    }
    let fail = |error: std::io::Error| GitError::new(format!("write {}", folder.display()), error);
    let begin = folder.join("pack").display().to_string();
    let mut words = vec!["pack-objects", "--revs", "--all", "--reflog", "--indexed-objects", "--missing=allow-any"];
    words.extend(["--local", "--honor-pack-keep", "--delta-base-offset", "--non-empty", "-q", &begin]);
    let printed = git.run(&words, b"")?;
    // More than one where the user has packs limited in size.
    let sums = printed.lines().filter_map(|line| line.to_str().ok());
    let new: Vec<PathBuf> = sums.map(|sum| folder.join(format!("pack-{sum}.pack"))).collect();
    if !new.iter().all(|pack| pack.is_file()) {
        return Err(GitError::new(format!("pack what is in {}", folder.display()), "the new pack is not there"));
    }
    let config = repository.inner.config_snapshot();
    let is_promised =
        config.sections_by_name("remote").into_iter().flatten().any(|one| one.value("promisor").is_some());
    for pack in new.iter().filter(|_| is_promised) {
        fs::write(pack.with_extension("promisor"), b"").map_err(fail)?;
    }
    for pack in paths.iter().filter(|path| ends(path, "pack") && !new.contains(path)) {
        if pack.with_extension("keep").exists() {
            continue;
        }
        // Without its index, which goes first, git does not see a pack.
        for end in ["idx", "pack", "rev", "mtimes", "promisor"] {
            match fs::remove_file(pack.with_extension(end)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(fail(error)),
                _ => {}
            }
        }
    }
    Ok(true)
}

/// Which of the old objects are still there, and what keeps them.
fn kept(repository: &Repository, refs: &Refs, git: &Git, gone: &[ObjectId]) -> Result<Vec<Kept>, GitError> {
    let hash = repository.inner.object_hash();
    let objects = refs.common.join("objects");
    let reader = ObjectReader::open(std::slice::from_ref(&objects), hash)?;
    let there: BTreeSet<ObjectId> = gone.iter().copied().filter(|id| reader.has(*id)).collect();
    if there.is_empty() {
        return Ok(Vec::new());
    }
    // Whatever is found first is said; the last is for what none of them explains.
    let mut said: BTreeMap<ObjectId, String> = BTreeMap::new();
    let now = refs.again()?;
    let heads = now.tips().map(|(_, id)| format!("{id}\n")).collect::<String>();
    for (what, from) in
        [("history has it", "--stdin"), ("a reflog leads to it", "--reflog"), ("an index has it", INDEX)]
    {
        let input = if from == "--stdin" { heads.as_bytes() } else { b"" };
        for line in git.run(&["rev-list", "--objects", from], input)?.lines() {
            let (id, path) = line.split_at(line.find_byte(b' ').unwrap_or(line.len()));
            let Some(id) = ObjectId::from_hex(id).ok().filter(|id| there.contains(id)) else { continue };
            said.entry(id).or_insert_with(|| match path.trim_ascii_start() {
                b"" => what.to_owned(),
                path => format!("{what} as {}", crate::host::shown_bytes(path)),
            });
        }
    }
    for (name, id) in now.tips().filter(|(_, id)| there.contains(id)) {
        said.insert(id, format!("{} names it", crate::host::shown_bytes(name)));
    }
    let mut reasons: Vec<(String, BTreeSet<ObjectId>)> = Vec::new();
    for entry in fs::read_dir(objects.join("pack")).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|end| end == "keep") {
            let index = read_optional(&path.with_extension("idx"))?.unwrap_or_default();
            let listed = git.run(&["show-index", &format!("--object-format={hash}")], &index)?;
            let listed = listed.lines().filter_map(|line| line.fields().nth(1));
            let listed = listed.filter_map(|word| ObjectId::from_hex(word).ok()).collect();
            reasons.push((format!("{} keeps it", path.display()), listed));
        }
    }
    for folder in alternates(&objects)? {
        if let Ok(reader) = ObjectReader::open(std::slice::from_ref(&folder), hash) {
            let listed = there.iter().copied().filter(|id| reader.has(*id)).collect();
            reasons.push((format!("{}, which is borrowed from, has it", folder.display()), listed));
        }
    }
    let why = |id: &ObjectId| {
        let elsewhere = || reasons.iter().find(|(_, ids)| ids.contains(id)).map(|(what, _)| what.clone());
        said.get(id).cloned().or_else(elsewhere)
    };
    let unknown = || "nothing that was found keeps it: another program may have written it again".to_owned();
    Ok(there.iter().map(|id| Kept { id: *id, by: why(id).unwrap_or_else(unknown) }).collect())
}

/// The folders of objects that a repository borrows from.
fn alternates(objects: &Path) -> Result<Vec<PathBuf>, GitError> {
    let bytes = read_optional(&objects.join("info/alternates"))?.unwrap_or_default();
    let lines = bytes.lines().filter(|line| !line.is_empty() && !line.starts_with(b"#"));
    Ok(lines.map(|line| objects.join(path_of(BString::from(line).as_ref()))).collect())
}
