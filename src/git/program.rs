//! git as a program: only to read and write a repository's own config.

use std::path::Path;
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

/// Runs git, which is given no identity and runs no program that the repository names.
fn run(root: &Path, args: &[&str]) -> Result<std::process::Output, GitError> {
    let mut git = Command::new("git");
    git.args(["-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "core.pager=cat"]);
    git.args(args).current_dir(root).stdin(std::process::Stdio::null()).env("GIT_TERMINAL_PROMPT", "0");
    process::strip_secrets(&mut git);
    git.output().map_err(|error| GitError::new("run git", error))
}

fn failed(output: &std::process::Output) -> GitError {
    let text = String::from_utf8_lossy(&output.stderr);
    GitError::new("read or write git's config", text.lines().next().unwrap_or("git failed"))
}
