//! What git does itself in a rewrite that changes a clone in place and cleans up at once: as git-filter-repo asks it to.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::repository::{GitError, Repository};
use super::{Quarantine, RunFolder};
use crate::host::process;

/// git in a folder.
#[derive(Debug, Clone)]
pub struct Git {
    root: PathBuf,
}

impl Git {
    /// git in `root`.
    pub fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// What it prints; an error where it fails.
    pub fn read(&self, args: &[&str]) -> Result<Vec<u8>, GitError> {
        self.answer(args, b"")
    }

    /// Whether it succeeds, which for some commands is the answer.
    pub fn agrees(&self, args: &[&str]) -> Result<bool, GitError> {
        Ok(self.run(args, b"")?.status.success())
    }

    /// Has it read `input`.
    pub fn feed(&self, args: &[&str], input: &[u8]) -> Result<(), GitError> {
        let output = self.run(args, input)?;
        if output.status.success() { Ok(()) } else { Err(failed(args, &output)) }
    }

    /// What it prints about `input`.
    pub fn answer(&self, args: &[&str], input: &[u8]) -> Result<Vec<u8>, GitError> {
        let output = self.run(args, input)?;
        if output.status.success() { Ok(output.stdout) } else { Err(failed(args, &output)) }
    }

    /// Runs it without hooks, and with nobody asked.
    pub(super) fn run(&self, args: &[&str], input: &[u8]) -> Result<Output, GitError> {
        let fail = |error| GitError::new("run git", error);
        let mut git = Command::new("git");
        git.args(["-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false"]).args(args);
        git.current_dir(&self.root).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        git.env("GIT_TERMINAL_PROMPT", "0");
        process::strip_secrets(&mut git);
        let mut child = git.spawn().map_err(fail)?;
        // Few bytes that are read before anything is printed. Where git ends early its status says so.
        if let Some(mut stdin) = child.stdin.take() {
            let _ = stdin.write_all(input);
        }
        child.wait_with_output().map_err(fail)
    }
}

fn failed(args: &[&str], output: &Output) -> GitError {
    let text = String::from_utf8_lossy(&output.stderr);
    let command = args.first().copied().unwrap_or_default();
    GitError::new(format!("run git {command}"), text.lines().next().unwrap_or("it failed"))
}

impl Repository {
    /// A place for new objects of a run, which reads those that are there.
    pub fn quarantine(&self, run: &RunFolder) -> Result<Quarantine, GitError> {
        Quarantine::begin(self.lookup()?, run)
    }

    /// The hash that its ids are.
    pub fn hash_kind(&self) -> gix::hash::Kind {
        self.inner.object_hash()
    }
}
