//! Whether a repository can be rewritten now: what git has begun in it must be ended first, and all of its history must be there.

use std::path::Path;

use super::Repository;

/// Why a repository is not rewritten, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What is in the way: goes behind "history is as it was: ".
    pub why: String,
    /// What to do.
    pub hint: String,
}

/// What git is in the middle of where there is a file or folder of that name, and how it is ended.
const UNDER_WAY: [(&str, &str, &str); 8] = [
    ("rebase-merge", "a rebase", "git rebase --continue, or git rebase --abort"),
    ("rebase-apply", "a rebase or `git am`", "git rebase --continue or git am --continue, or the same with --abort"),
    ("MERGE_HEAD", "a merge", "git merge --continue, or git merge --abort"),
    ("CHERRY_PICK_HEAD", "a cherry-pick", "git cherry-pick --continue, or git cherry-pick --abort"),
    ("REVERT_HEAD", "a revert", "git revert --continue, or git revert --abort"),
    ("sequencer", "a row of cherry-picks or reverts", "git cherry-pick --continue, or git cherry-pick --abort"),
    ("BISECT_LOG", "a bisect", "git bisect reset"),
    ("NOTES_MERGE_REF", "a merge of notes", "git notes merge --commit, or git notes merge --abort"),
];

/// Extensions whose meaning for a rewrite is known.
const EXTENSIONS: [&str; 7] =
    ["objectformat", "partialclone", "worktreeconfig", "noop", "preciousobjects", "refstorage", "relativeworktrees"];

impl Repository {
    /// Whether it can be rewritten. Changes that are not committed are in nobody's way.
    pub fn ready_to_rewrite(&self) -> Result<(), Refusal> {
        let refuse = |why: String, hint: &str| Err(Refusal { why, hint: hint.to_owned() });
        let common = self.common_dir();
        let linked = std::fs::read_dir(common.join("worktrees")).into_iter().flatten().flatten();
        let linked: Vec<_> = linked.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
        for folder in std::iter::once(common).chain(linked.iter().map(|path| path.as_path())) {
            if let Some((_, what, hint)) = UNDER_WAY.iter().find(|(name, ..)| folder.join(name).exists()) {
                let tree = folder.file_name().filter(|_| folder != common);
                let tree = tree.map(|name| format!(" in the working tree {}", name.to_string_lossy()));
                return refuse(format!("{what} is not ended{}", tree.unwrap_or_default()), &format!("end it: {hint}"));
            }
        }
        if common.join("shallow").exists() {
            return refuse(
                "the clone is shallow: commits at its end would get other ids".into(),
                "git fetch --unshallow",
            );
        }
        if common.join("info/grafts").exists() {
            return refuse(
                "info/grafts says that commits have other parents than they have".into(),
                "make it permanent with git replace --convert-graft-file, or remove the file",
            );
        }
        if let Some(name) = ["gc.pid", "objects/maintenance.lock"].iter().find(|name| is_held(&common.join(name))) {
            return refuse(
                format!("git gc or git maintenance runs: {name} is there"),
                "wait until it has ended; if none runs, remove that file",
            );
        }
        self.known_extensions()
    }

    fn known_extensions(&self) -> Result<(), Refusal> {
        let config = self.inner.config_snapshot();
        let sections = config.plumbing().sections_by_name("extensions").into_iter().flatten();
        for name in
            sections.flat_map(|section| section.body().value_names().map(|name| name.to_string()).collect::<Vec<_>>())
        {
            let name = name.to_ascii_lowercase();
            if name == "compatobjectformat" {
                return Err(Refusal {
                    why: "objects have a second name by another hash (extensions.compatObjectFormat)".into(),
                    hint: "work in a clone without it: git clone --no-local . ../clean".into(),
                });
            }
            if !EXTENSIONS.contains(&name.as_str()) {
                return Err(Refusal {
                    why: format!("its config has the extension {name}, of which this seal does not know what it means"),
                    hint: "update seal, or work in a clone without it: git clone --no-local . ../clean".into(),
                });
            }
        }
        Ok(())
    }
}

/// Whether a lock is held: git takes one older than twelve hours for left behind.
fn is_held(path: &Path) -> bool {
    let modified = path.metadata().and_then(|metadata| metadata.modified());
    modified.is_ok_and(|modified| modified.elapsed().map_or(true, |age| age.as_secs() < 12 * 3600))
}
