//! One way through a journal, forward or back. Whatever is done already is not done again, so it may be cut off anywhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use gix::ObjectId;
use gix::bstr::BString;

use super::checkout::{self, Carried, write_files};
use super::disk::{self, Disk};
use super::journal::{CheckoutChange, FileChange, Journal, Mark};
use super::program::Git;
use super::{CheckoutReport, SwitchError, Switched};
use crate::git::reader::ObjectReader;
use crate::git::refs::{BACKUPS, Checkout, Packed, PackedRef, Refs, Target, is_safe, path_of, read_optional};
use crate::git::{GitError, RunFolder};
use crate::scrub::Mapped;

/// From old to new, or from new to old.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// As planned.
    Forward,
    /// As it was.
    Back,
}

/// A way through a journal.
pub struct Step<'a> {
    pub run: &'a RunFolder,
    pub disk: Disk,
    pub reader: &'a ObjectReader,
    /// As they are now, under the run's locks.
    pub refs: Refs,
    pub journal: Journal,
    pub direction: Direction,
}

/// The setting that keeps backups from being offered to others.
const HIDE: [&str; 2] = ["transfer.hideRefs", "refs/seal"];

impl Step<'_> {
    /// Goes all the way.
    pub fn apply(&self) -> Result<Switched, SwitchError> {
        let foreign = self.foreign()?;
        if !foreign.is_empty() {
            return Err(SwitchError::Foreign(foreign));
        }
        if self.direction == Direction::Forward {
            self.check_objects()?;
            if self.journal.hides && must_hide(&self.refs)? {
                self.main_git().run(&["config", "--local", "--add", HIDE[0], HIDE[1]], b"")?;
            }
        }
        self.link_packs()?;
        // Prepared before the first mark, as this is what needs room on the disk.
        let packed = self.packed()?.to_bytes();
        let aside = self.run.path().join("packed-refs");
        self.disk.write(&aside, &packed)?;
        let is_forward = self.direction == Direction::Forward;
        (if is_forward { Mark::Switching } else { Mark::Undoing }).set(self.run, self.disk)?;
        self.disk.place(&aside, &self.refs.common.join("packed-refs"))?;
        self.remove_loose()?;
        for number in 0..self.journal.files.len() {
            self.change_file(number)?;
        }
        if is_forward {
            Mark::Switched.set(self.run, self.disk)?;
        }
        let mut checkouts = Vec::new();
        for (number, change) in self.journal.checkouts.iter().enumerate() {
            checkouts.push(self.change_checkout(number, change)?);
        }
        self.close()?;
        (if is_forward { Mark::Done } else { Mark::Undone }).set(self.run, self.disk)?;
        let refs = self.journal.refs.iter().filter(|change| !change.name.starts_with(BACKUPS.as_bytes())).count();
        let files = self.journal.files.iter().filter(|file| super::is_of_one_checkout(file.path.as_ref())).count();
        Ok(Switched { refs: refs + files, dropped_stashes: self.journal.dropped_stashes.clone(), checkouts })
    }

    /// Forgets a switch that has moved nothing yet.
    pub fn abandon(&self) -> Result<(), GitError> {
        for pack in self.packs()? {
            // Only those that this run gave a name.
            let keep = pack.with_extension("keep");
            if self.is_kept_by_run(&keep)? {
                for end in ["idx", "rev", "pack", "keep"] {
                    disk::remove(&pack.with_extension(end))?;
                }
            }
        }
        unhide(self.run, &self.refs)?;
        Mark::clear(self.run)?;
        // Copies of indexes: those of a run that moved nothing are of no use.
        let _ = fs::remove_dir_all(self.run.path().join("switch"));
        Ok(())
    }

    /// What is left to do when all is moved: packs need not be kept by a file, and after going back nothing is hidden.
    pub fn close(&self) -> Result<(), GitError> {
        for pack in self.packs()? {
            let keep = pack.with_extension("keep");
            if self.is_kept_by_run(&keep)? {
                disk::remove(&keep)?;
            }
        }
        if self.direction == Direction::Back { unhide(self.run, &self.refs) } else { Ok(()) }
    }

    /// The refs that are to be locked, each once.
    pub fn lock_names(&self) -> Vec<BString> {
        let is_backup = |name: &&BString| name.starts_with(BACKUPS.as_bytes());
        let refs = self.journal.refs.iter().map(|change| &change.name).filter(|name| !is_backup(name));
        let own = self.journal.files.iter().map(|file| &file.path);
        let own = own.filter(|path| super::is_of_one_checkout((*path).as_ref()) && !path.ends_with(b"HEAD"));
        refs.chain(own).cloned().collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Which way a pair of old and new goes.
    fn way<T>(&self, old: T, new: T) -> [T; 2] {
        match self.direction {
            Direction::Forward => [old, new],
            Direction::Back => [new, old],
        }
    }

    /// What is neither as it was nor as it is to be: someone else changed it.
    fn foreign(&self) -> Result<Vec<BString>, GitError> {
        let mut foreign = Vec::new();
        for change in &self.journal.refs {
            let now = match self.refs.all.get(&change.name) {
                None if self.refs.broken.contains(&change.name) => None,
                None => Some(None),
                Some(Target::Object(id)) => Some(Some(*id)),
                Some(Target::Symbolic(_)) => None,
            };
            if now != Some(change.old) && now != Some(change.new) {
                foreign.push(change.name.clone());
            }
        }
        for (name, target) in &self.journal.heads {
            if self.refs.all.get(name) != Some(&Target::Symbolic(target.clone())) {
                foreign.push(name.clone());
            }
        }
        for (number, file) in self.journal.files.iter().enumerate().filter(|(_, file)| file.matters) {
            let now = self.file_now(file)?;
            if now != self.file_bytes(number, false)? && now != self.file_bytes(number, true)? {
                foreign.push(file.path.clone());
            }
        }
        Ok(foreign)
    }

    /// No ref may name what is not there.
    fn check_objects(&self) -> Result<(), GitError> {
        match self.journal.refs.iter().find(|change| change.new.is_some_and(|id| !self.reader.has(id))) {
            Some(change) => {
                let doing = format!("move {}", crate::host::shown_bytes(&change.name));
                Err(GitError::new(doing, "the object it is to name is not there"))
            }
            None => Ok(()),
        }
    }

    fn objects(&self) -> PathBuf {
        self.refs.common.join("objects/pack")
    }

    /// Where the run's packs have their names in the repository.
    fn packs(&self) -> Result<Vec<PathBuf>, GitError> {
        let folder = self.run.objects().join("pack");
        let entries = fs::read_dir(&folder).map_err(|error| disk::fail("read", &folder, &error))?;
        let mut packs = Vec::new();
        for entry in entries {
            let name = PathBuf::from(entry.map_err(|error| disk::fail("read", &folder, &error))?.file_name());
            if name.extension().is_some_and(|end| end == "pack") {
                packs.push(self.objects().join(name));
            }
        }
        packs.sort();
        Ok(packs)
    }

    /// Gives the new objects their names in the repository: the pack before its index, and before both what keeps a gc off it.
    fn link_packs(&self) -> Result<(), GitError> {
        let from = self.run.objects().join("pack");
        for pack in self.packs()? {
            if pack.with_extension("idx").exists() {
                continue;
            }
            let keep = pack.with_extension("keep");
            self.disk.make_folders(&keep).map_err(|error| disk::fail("write", &keep, &error))?;
            // Whole or not there, as it is told by its words whose it is.
            let words = self.run.path().join("keep");
            disk::remove(&words)?;
            self.disk.write(&words, &self.keep_words())?;
            self.disk.link(&words, &keep)?;
            disk::remove(&words)?;
            for end in ["pack", "rev", "idx"] {
                let to = pack.with_extension(end);
                let source = from.join(to.file_name().unwrap_or_default());
                if end != "rev" || source.exists() {
                    self.disk.link(&source, &to)?;
                }
            }
        }
        disk::sync_folder(&self.objects())
    }

    fn keep_words(&self) -> Vec<u8> {
        format!("seal {}\n", self.run.name()).into_bytes()
    }

    fn is_kept_by_run(&self, keep: &std::path::Path) -> Result<bool, GitError> {
        Ok(read_optional(keep)? == Some(self.keep_words()))
    }

    /// The new `packed-refs`: all that is packed, and all that moves.
    fn packed(&self) -> Result<Packed, GitError> {
        let old = self.refs.packed()?;
        let mut new: BTreeMap<BString, PackedRef> = BTreeMap::new();
        for mut packed in old.refs {
            match self.refs.all.get(&packed.name) {
                // A loose one hides it, and what it names may be an old object.
                Some(Target::Object(id)) if *id != packed.id => {
                    packed.id = *id;
                    packed.peeled = self.peeled(*id)?;
                }
                Some(Target::Symbolic(_)) => continue,
                _ if !old.is_fully_peeled && packed.peeled.is_none() => packed.peeled = self.peeled(packed.id)?,
                _ => {}
            }
            new.insert(packed.name.clone(), packed);
        }
        for change in &self.journal.refs {
            let [_, to] = self.way(change.old, change.new);
            match to {
                Some(id) if is_safe(change.name.as_ref()) => {
                    let peeled = self.peeled(id)?;
                    new.insert(change.name.clone(), PackedRef { name: change.name.clone(), id, peeled });
                }
                _ => _ = new.remove(&change.name),
            }
        }
        Ok(Packed { refs: new.into_values().collect(), is_fully_peeled: true })
    }

    /// What a tag leads to; `None` for what is no tag, and for what is not there.
    fn peeled(&self, id: ObjectId) -> Result<Option<ObjectId>, GitError> {
        let (tags, object) = self.reader.peel(id)?;
        Ok(object.filter(|_| !tags.is_empty()).map(|(id, _)| id))
    }

    /// Removes the loose forms of what is packed now.
    fn remove_loose(&self) -> Result<(), GitError> {
        let mut folders = BTreeSet::new();
        for change in self.journal.refs.iter().filter(|change| is_safe(change.name.as_ref())) {
            let path = self.refs.common.join(path_of(change.name.as_ref()));
            // A folder of that name is empty, or git would not have had the ref.
            if fs::symlink_metadata(&path).is_ok_and(|metadata| !metadata.is_dir()) {
                disk::remove(&path)?;
                folders.extend(path.parent().map(ToOwned::to_owned));
            }
        }
        folders.iter().try_for_each(|folder| disk::sync_folder(folder))
    }

    fn file_bytes(&self, number: usize, is_new: bool) -> Result<Option<Vec<u8>>, GitError> {
        let file = &self.journal.files[number];
        let (is_there, end) = if is_new { (file.has, "new") } else { (file.had, "old") };
        if !is_there {
            return Ok(None);
        }
        let path = self.run.path().join(format!("switch/{number}.{end}"));
        let bytes = read_optional(&path)?;
        bytes.map(Some).ok_or_else(|| GitError::new(format!("read {}", path.display()), "it is gone"))
    }

    fn file_now(&self, file: &FileChange) -> Result<Option<Vec<u8>>, GitError> {
        read_optional(&self.refs.common.join(path_of(file.path.as_ref())))
    }

    fn change_file(&self, number: usize) -> Result<(), GitError> {
        let file = &self.journal.files[number];
        let [from, to] = self.way(self.file_bytes(number, false)?, self.file_bytes(number, true)?);
        let now = self.file_now(file)?;
        // Where it does not matter, what others wrote since stays.
        if now == to || now != from {
            return Ok(());
        }
        let path = self.refs.common.join(path_of(file.path.as_ref()));
        match to {
            Some(bytes) => self.disk.replace(&self.run.path().join("file.new"), &path, &bytes),
            None => {
                disk::remove(&path)?;
                disk::sync_folder(path.parent().unwrap_or(&path))
            }
        }
    }

    fn change_checkout(&self, number: usize, change: &CheckoutChange) -> Result<CheckoutReport, GitError> {
        let mut report = CheckoutReport { id: change.id.clone(), ..CheckoutReport::default() };
        let Some(checkout) = self.refs.checkouts.iter().find(|checkout| checkout.id == change.id) else {
            // Someone has removed it since.
            return Ok(report);
        };
        let file = |end: &str| self.run.path().join(format!("switch/{number}.index.{end}"));
        let [old, new, placed, one, other] = ["old", "new", "placed", "one", "other"].map(file);
        let root = checkout.root.as_ref().filter(|root| root.is_dir());
        let git = git_of(checkout).with_objects(&self.run.objects());
        let write = |to: &std::path::Path, paths: &[BString]| match root {
            Some(root) => write_files(&git, root, &one, to, paths),
            None => Ok(Vec::new()),
        };
        match self.direction {
            Direction::Forward => {
                report.untracked.clone_from(&change.untracked);
                report.staged.clone_from(&change.staged);
                // Once it is in its place, the files are written too.
                if new.exists() {
                    checkout::copy(self.disk, &old, &one)?;
                    report.edited = write(&new, &change.contents)?;
                    checkout::copy(self.disk, &new, &placed)?;
                    disk::sync_folder(&self.run.path().join("switch"))?;
                    self.sync(&new)?;
                    self.disk.place(&new, &checkout.index())?;
                }
            }
            Direction::Back => {
                let index = checkout.index();
                let is_placed = !new.exists();
                checkout::copy(self.disk, if is_placed { &index } else { &new }, &one)?;
                checkout::copy(self.disk, &old, &other)?;
                if is_placed && read_optional(&index)? == read_optional(&old)? {
                    // Back already.
                } else if !is_placed || checkout::are_alike(&git, &one, &placed)? {
                    report.edited = write(&other, &change.contents)?;
                    if is_placed {
                        checkout::copy(self.disk, &old, &other)?;
                        self.disk.place(&other, &index)?;
                    }
                } else {
                    // What was staged since stays staged.
                    checkout::copy(self.disk, &index, &other)?;
                    let [from, to] = change.heads;
                    let back = git.with_index(&other);
                    let carried = Carried::plan(&back, self.reader.hash(), [to, from], &|_| Mapped::Same)?;
                    carried.apply(&back)?;
                    report.edited = write(&other, &carried.change.contents)?;
                    report.untracked = carried.change.untracked;
                    report.staged = carried.change.staged;
                    self.sync(&other)?;
                    self.disk.place(&other, &index)?;
                }
            }
        }
        Ok(report)
    }

    /// Flushes what git wrote.
    fn sync(&self, path: &std::path::Path) -> Result<(), GitError> {
        let synced = fs::File::open(path).and_then(|file| file.sync_all());
        synced.map_err(|error| disk::fail("write", path, &error))
    }

    fn main_git(&self) -> Git {
        git_of(&self.refs.checkouts[0])
    }
}

/// Takes the setting away that hides backups, where the run made it and no other run has any.
pub fn unhide(run: &RunFolder, refs: &Refs) -> Result<(), GitError> {
    let mut needed = false;
    for other in RunFolder::all(&refs.common)?.iter().filter(|other| *other != run) {
        needed |= matches!(
            Mark::read(other)?,
            Some(Mark::Switching | Mark::Switched | Mark::Done | Mark::Undoing | Mark::Finishing)
        );
    }
    if !needed && Journal::read(run)?.is_some_and(|journal| journal.hides) && !must_hide(refs)? {
        let words = ["config", "--local", "--unset", HIDE[0], "^refs/seal$"];
        git_of(&refs.checkouts[0]).run_allowing(&words, b"", &[0, 5])?;
    }
    Ok(())
}

/// git on a working tree, also on one that is not there.
pub fn git_of(checkout: &Checkout) -> Git {
    let git = Git::at(checkout);
    if checkout.root.as_ref().is_some_and(|root| root.is_dir()) { git } else { git.without_root() }
}

/// Whether the setting is missing that hides backups from others.
pub fn must_hide(refs: &Refs) -> Result<bool, GitError> {
    let git = git_of(&refs.checkouts[0]);
    let values = git.run_allowing(&["config", "--local", "--get-all", HIDE[0]], b"", &[0, 1])?;
    Ok(!values.split(|byte| *byte == b'\n').any(|value| value == HIDE[1].as_bytes()))
}
