//! Asking git for objects that a partial clone left out: the only time that a scan talks to anybody.
//!
//! A fetch goes where the repository's own config says. Where that config names programs, or addresses that are programs, nothing
//! is asked: git would run them.

use std::io::Write as _;
use std::process::{Command, Stdio};

use gix::ObjectId;

use super::{GitError, Repository};
use crate::host::process;

/// Parts of the names of settings whose values git runs, or that lead to such: none of them may come from the repository itself.
const PROGRAMS: [&str; 11] = [
    "core.sshcommand",
    "core.gitproxy",
    "core.askpass",
    "core.alternaterefscommand",
    "credential.helper",
    "remote.uploadpack",
    "remote.vcs",
    "protocol.allow",
    "include.path",
    "includeif.path",
    "url.insteadof",
];

/// Asks the remotes that promised them for objects. Whether they came is to be looked up.
pub fn fetch_missing(repository: &Repository, ids: &[ObjectId]) -> Result<(), GitError> {
    let fail = |cause: &dyn std::fmt::Display| GitError::new("fetch what is missing", cause);
    let config = repository.inner.config_snapshot();
    let is_own = |meta: &gix::config::file::Metadata| meta.source.kind() == gix::config::source::Kind::Repository;
    let mut remotes = Vec::new();
    for section in config.plumbing().sections() {
        let header = section.header();
        let name = header.name().to_string().to_lowercase();
        for key in section.value_names() {
            let setting = format!("{name}.{}", key.to_string().to_lowercase());
            if is_own(section.meta()) && PROGRAMS.contains(&setting.as_str()) {
                return Err(fail(&format!(
                    "the repository's own config sets {setting}, which names a program; fetch with git itself"
                )));
            }
            if setting == "remote.promisor" || setting == "remote.partialclonefilter" {
                remotes.extend(header.subsection_name().map(ToString::to_string));
            }
        }
    }
    remotes.sort();
    remotes.dedup();
    remotes.retain(|name| !name.starts_with('-') && !name.is_empty());
    if remotes.is_empty() {
        return Err(fail(&"no remote promised it: this is no partial clone"));
    }
    let mut problem = None;
    for remote in &remotes {
        // As git itself fetches what it finds missing.
        let mut git = Command::new("git");
        git.args(["-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "protocol.ext.allow=never"]);
        git.args(["-c", "fetch.negotiationAlgorithm=noop", "-c", "maintenance.auto=false", "fetch", remote]);
        git.args(["--quiet", "--no-tags", "--no-write-fetch-head", "--recurse-submodules=no", "--filter=blob:none"]);
        git.arg("--stdin").current_dir(repository.root()).env("GIT_TERMINAL_PROMPT", "0");
        git.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        process::strip_secrets(&mut git);
        let mut child = git.spawn().map_err(|error| fail(&error))?;
        let input: String = ids.iter().map(|id| format!("{id}\n")).collect();
        if let Some(mut pipe) = child.stdin.take() {
            // It reads all of it before it says much.
            let _ = pipe.write_all(input.as_bytes());
        }
        let output = child.wait_with_output().map_err(|error| fail(&error))?;
        if output.status.success() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&output.stderr);
        problem = text.lines().next().map(str::to_owned).or(problem);
    }
    Err(fail(&problem.unwrap_or_else(|| "git failed".to_owned())))
}
