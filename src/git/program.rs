//! git as a program: only to read and write a repository's own config, and to ask where its hooks are.

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::repository::GitError;
use crate::host::process;

/// The value that the repository's own config has for `name`.
pub fn configured(root: &Path, name: &str) -> Result<Option<String>, GitError> {
    let output = run(root, &["config", "--local", "--get", name])?;
    match output.status.code() {
        Some(0) => Ok(Some(String::from_utf8_lossy(&output.stdout).trim_end_matches('\n').to_owned())),
        // Not set.
        Some(1) => Ok(None),
        _ => Err(failed(&output)),
    }
}

/// Sets `name` in the repository's own config, in place of all values it has.
pub fn set_config(root: &Path, name: &str, value: &str) -> Result<(), GitError> {
    let output = run(root, &["config", "--local", "--replace-all", name, value])?;
    if output.status.success() { Ok(()) } else { Err(failed(&output)) }
}

/// The folder in which git looks for hooks, as all of its configs say.
pub fn hooks_folder(root: &Path) -> Result<PathBuf, GitError> {
    // It runs none when asked for this.
    let output = run_with(root, &[], &["rev-parse", "--git-path", "hooks"])?;
    if !output.status.success() {
        return Err(failed(&output));
    }
    let path = output.stdout.strip_suffix(b"\n").unwrap_or(&output.stdout);
    Ok(root.join(std::ffi::OsStr::from_bytes(path)))
}

/// Runs git, which is given no identity and runs no program that the repository names.
fn run(root: &Path, args: &[&str]) -> Result<std::process::Output, GitError> {
    run_with(root, &["-c", "core.hooksPath=/dev/null"], args)
}

fn run_with(root: &Path, more: &[&str], args: &[&str]) -> Result<std::process::Output, GitError> {
    let mut git = Command::new("git");
    git.args(more).args(["-c", "core.fsmonitor=false", "-c", "core.pager=cat"]);
    git.args(args).current_dir(root).stdin(std::process::Stdio::null()).env("GIT_TERMINAL_PROMPT", "0");
    process::strip_secrets(&mut git);
    git.output().map_err(|error| GitError::new("run git", error))
}

fn failed(output: &std::process::Output) -> GitError {
    let text = String::from_utf8_lossy(&output.stderr);
    GitError::new("read or write git's config", text.lines().next().unwrap_or("git failed"))
}
