//! git as a program on one working tree: for what only git does right, as are indexes, filters of files, and repacking.
//!
//! It runs no hook and no file system monitor, fetches nothing, asks nothing, and sees objects as they are, without replacements. Of the
//! environment it gets no variable that would lead it elsewhere, and none with secrets.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::git::GitError;
use crate::git::refs::Checkout;
use crate::host::process;

/// A working tree on which git is run.
#[derive(Debug, Clone)]
pub struct Git {
    git_dir: PathBuf,
    root: Option<PathBuf>,
    index: Option<PathBuf>,
    objects: Option<PathBuf>,
}

/// Settings that hold in each call.
const SETTINGS: [&str; 7] = [
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.pager=cat",
    "core.quotePath=true",
    "gc.auto=0",
    "maintenance.auto=false",
    "protocol.ext.allow=never",
];

/// What of git's variables may stay: they say where the user's own settings are, and which repositories are safe.
const KEPT: &str = "GIT_CONFIG_";

impl Git {
    /// git on a working tree.
    pub fn at(checkout: &Checkout) -> Self {
        Self { git_dir: checkout.git_dir.clone(), root: checkout.root.clone(), index: None, objects: None }
    }

    /// With another file as the index.
    pub fn with_index(&self, index: &Path) -> Self {
        Self { index: Some(index.to_owned()), ..self.clone() }
    }

    /// With the objects of another folder too.
    pub fn with_objects(&self, objects: &Path) -> Self {
        Self { objects: Some(objects.to_owned()), ..self.clone() }
    }

    /// Where no files are.
    pub fn without_root(&self) -> Self {
        Self { root: None, ..self.clone() }
    }

    /// What it prints, where it ends well.
    pub fn run(&self, words: &[&str], input: &[u8]) -> Result<Vec<u8>, GitError> {
        self.run_allowing(words, input, &[0])
    }

    /// What it prints, where it ends with one of `codes`.
    pub fn run_allowing(&self, words: &[&str], input: &[u8], codes: &[i32]) -> Result<Vec<u8>, GitError> {
        let fail = |error: &dyn std::fmt::Display| GitError::new(format!("run git {}", words[0]), error);
        let mut git = Command::new("git");
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("GIT_") && !text.starts_with(KEPT) {
                git.env_remove(&name);
            }
        }
        process::strip_secrets(&mut git);
        for setting in SETTINGS {
            git.args(["-c", setting]);
        }
        git.args(words).current_dir(self.root.as_ref().unwrap_or(&self.git_dir)).env("GIT_DIR", &self.git_dir);
        for (name, path) in [("GIT_WORK_TREE", &self.root), ("GIT_INDEX_FILE", &self.index)] {
            git.envs(path.as_ref().map(|path| (name, path)));
        }
        if let Some(objects) = &self.objects {
            git.env("GIT_ALTERNATE_OBJECT_DIRECTORIES", quoted(objects));
        }
        for name in ["GIT_NO_LAZY_FETCH", "GIT_NO_REPLACE_OBJECTS"] {
            git.env(name, "1");
        }
        git.env("GIT_TERMINAL_PROMPT", "0").env("GIT_OPTIONAL_LOCKS", "0").env("LC_ALL", "C");
        git.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = git.spawn().map_err(|error| fail(&error))?;
        let pipe = child.stdin.take();
        // From a thread of its own, as it may print before it has read all; it may also end before.
        let output = std::thread::scope(|scope| {
            scope.spawn(move || pipe.map(|mut pipe| pipe.write_all(input)));
            child.wait_with_output()
        });
        let output = output.map_err(|error| fail(&error))?;
        if output.status.code().is_some_and(|code| codes.contains(&code)) {
            return Ok(output.stdout);
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let line = said.lines().find(|line| !line.starts_with("warning:") && !line.starts_with("hint:"));
        Err(fail(&line.unwrap_or("it failed")))
    }
}

/// A path as a list of paths has it: one with a colon stands in quotes.
fn quoted(path: &Path) -> std::ffi::OsString {
    match path.to_str() {
        Some(text) if text.contains([':', '"']) => {
            format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")).into()
        }
        _ => path.into(),
    }
}
