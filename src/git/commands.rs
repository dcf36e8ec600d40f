//! What git does itself in a rewrite that changes a clone in place and cleans up at once: as git-filter-repo asks it to.

use std::io::{BufRead, BufReader, Write as _};
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
        self.ask(args, b"")
    }

    /// Whether it succeeds, which for some commands is the answer.
    pub fn agrees(&self, args: &[&str]) -> Result<bool, GitError> {
        Ok(self.run(args, b"")?.status.success())
    }

    /// What it answers to `input`, all of which it reads before it answers more than a pipe holds; an error where it fails.
    pub fn ask(&self, args: &[&str], input: &[u8]) -> Result<Vec<u8>, GitError> {
        let output = self.run(args, input)?;
        if output.status.success() { Ok(output.stdout) } else { Err(failed(args, &output)) }
    }

    /// Has `read` read what it prints, while it runs.
    pub fn pipe<T>(&self, args: &[&str], read: impl FnOnce(&mut dyn BufRead) -> T) -> Result<T, GitError> {
        let fail = |error| GitError::new("run git", error);
        let mut child = self.command(args).stdin(Stdio::null()).stderr(Stdio::inherit()).spawn().map_err(fail)?;
        let stdout = child.stdout.take();
        // Its end closes the pipe: a git that has more to say stops then.
        let read = stdout.map(|stdout| read(&mut BufReader::with_capacity(1 << 16, stdout)));
        let _ = child.wait().map_err(fail)?;
        read.ok_or_else(|| GitError::new("run git", "it has no output"))
    }

    /// Has it read `input`.
    pub fn feed(&self, args: &[&str], input: &[u8]) -> Result<(), GitError> {
        self.ask(args, input).map(drop)
    }

    /// Runs it without hooks, and with nobody asked.
    pub(super) fn run(&self, args: &[&str], input: &[u8]) -> Result<Output, GitError> {
        let fail = |error| GitError::new("run git", error);
        let mut child = self.command(args).spawn().map_err(fail)?;
        // Few bytes that are read before anything is printed. Where git ends early its status says so.
        if let Some(mut stdin) = child.stdin.take() {
            let _ = stdin.write_all(input);
        }
        child.wait_with_output().map_err(fail)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut git = Command::new("git");
        git.args(["-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false"]).args(args);
        git.current_dir(&self.root).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        git.env("GIT_TERMINAL_PROMPT", "0");
        process::strip_secrets(&mut git);
        git
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
