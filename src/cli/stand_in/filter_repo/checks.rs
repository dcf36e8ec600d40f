//! Whether a repository looks like a fresh clone, and why not: asked in git-filter-repo's order, answered in its words.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use gix::ObjectId;
use gix::bstr::{BString, ByteSlice as _};

use crate::git::{Git, GitError};

/// Refs with the objects that they lead to, as `git show-ref` lists them.
pub type Refs = BTreeMap<BString, ObjectId>;

/// What is to be known of the repository.
pub struct Ground<'a> {
    pub git: &'a Git,
    pub refs: &'a Refs,
    pub config: &'a BTreeMap<String, BString>,
    pub is_bare: bool,
    /// As git says it, seen from the current folder.
    pub git_dir: &'a Path,
}

impl Ground<'_> {
    /// Why it does not look like a fresh clone: the whole message.
    pub fn objection(&self) -> Result<Option<String>, GitError> {
        let expected = if self.is_bare { "." } else { ".git" };
        if self.git_dir != Path::new(expected) {
            return Ok(Some(self.refusal(&format!("GIT_DIR must be {expected}"))));
        }
        if self.is_set("core.ignorecase") {
            let same = self.colliding(|name| name.to_lowercase());
            if !same.is_empty() {
                return Ok(Some(format!(
                    "Aborting: Cannot rewrite history on a case insensitive\nfilesystem since you have refs that differ \
                     in case only:\n{same}"
                )));
            }
        }
        Ok(self.reason()?.map(|reason| self.refusal(&reason)))
    }

    fn reason(&self) -> Result<Option<String>, GitError> {
        let counts = self.git.read(&["count-objects", "-v"])?.to_str_lossy().into_owned();
        let count = |name: &str| {
            let line = counts.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            line.and_then(|number| number.parse::<u64>().ok()).unwrap_or_default()
        };
        let (packs, loose) = (count("packs"), count("count"));
        if packs > 1 || loose >= 100 || (packs == 1 && loose > 0 && !self.loose_are_replacements()) {
            return reason("expected freshly packed repo");
        }
        let remotes = self.git.read(&["remote"])?;
        let remotes = remotes.trim_ascii();
        if remotes != b"origin" && !(packs == 0 && remotes.is_empty()) {
            return reason("expected one remote, origin");
        }
        if let Some(log) = self.long_reflog() {
            return Ok(Some(format!("expected at most one entry in the reflog for {log}")));
        }
        if self.refs.contains_key("refs/stash".as_bytes().as_bstr()) {
            return reason("has stashed changes");
        }
        if self.is_bare {
            return Ok(None);
        }
        if !self.git.agrees(&["diff", "--staged", "--quiet"])? {
            return reason("you have uncommitted changes");
        }
        if !self.git.agrees(&["diff", "--quiet"])? {
            return reason("you have unstaged changes");
        }
        if !self.git.read(&["ls-files", "-o"])?.is_empty() {
            return reason("you have untracked changes");
        }
        for (name, id) in self.refs {
            let Some(branch) = name.strip_prefix(b"refs/heads/") else { continue };
            let remote = BString::from([b"refs/remotes/origin/", branch].concat());
            match self.refs.get(&remote) {
                None => return Ok(Some(format!("{name} exists, but {remote} not found"))),
                Some(other) if other != id => return Ok(Some(format!("{name} does not match {remote}"))),
                Some(_) => {}
            }
        }
        if self.git.read(&["worktree", "list"])?.lines().count() > 1 {
            return reason("you have multiple worktrees");
        }
        Ok(None)
    }

    fn is_set(&self, name: &str) -> bool {
        self.config.get(name).is_some_and(|value| value == "true")
    }

    /// Refs whose names are one name to the file system, a line for each.
    fn colliding(&self, folded: impl Fn(&str) -> String) -> String {
        let mut by_name: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for name in self.refs.keys() {
            by_name.entry(folded(&name.to_str_lossy())).or_default().push(name.to_string());
        }
        let several = by_name.values().filter(|names| names.len() > 1);
        several.map(|names| format!("    {}\n", names.join(", "))).collect()
    }

    fn refusal(&self, reason: &str) -> String {
        let origin = self.config.get("remote.origin.url");
        let is_local = origin.is_some_and(|url| !url.is_empty() && url.to_path().is_ok_and(Path::is_dir));
        let note = if is_local {
            "Note: when cloning local repositories, you need to pass\n      --no-local to git clone to avoid this issue.\n"
        } else {
            ""
        };
        format!(
            "Aborting: Refusing to destructively overwrite repo history since\nthis does not look like a fresh \
             clone.\n  ({reason})\n{note}Please operate on a fresh clone instead.  If you want to proceed\nanyway, use \
             --force."
        )
    }

    /// Whether every loose object is what a replace ref leads to.
    fn loose_are_replacements(&self) -> bool {
        let replacements = self.refs.iter().filter(|(name, _)| name.starts_with(b"refs/replace/"));
        let replacements: BTreeSet<String> = replacements.map(|(_, id)| id.to_string()).collect();
        let names = |folder: &Path| -> Vec<String> {
            let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
            entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
        };
        let objects = self.git_dir.join("objects");
        names(&objects).iter().filter(|folder| folder.len() == 2).all(|folder| {
            let files = names(&objects.join(folder));
            files.iter().filter(|file| file.len() >= 38).all(|file| replacements.contains(&format!("{folder}{file}")))
        })
    }

    /// A reflog with more than one line, by its path below `logs`.
    fn long_reflog(&self) -> Option<String> {
        let logs = self.git_dir.join("logs");
        let mut todo = vec![logs.clone()];
        while let Some(folder) = todo.pop() {
            let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
            let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
            paths.sort();
            // Files of a folder before what lies in its folders.
            for file in paths.iter().filter(|path| path.is_file()) {
                if std::fs::read(file).unwrap_or_default().lines().count() > 1 {
                    return Some(file.strip_prefix(&logs).unwrap_or(file).to_string_lossy().into_owned());
                }
            }
            todo.extend(paths.into_iter().filter(|path| path.is_dir()).rev());
        }
        None
    }
}

fn reason(text: &str) -> Result<Option<String>, GitError> {
    Ok(Some(text.to_owned()))
}
