//! Other tools' command lines, answered by seal: by the name it is called by, or as `seal compat NAME …`.
//!
//! A stand-in reads its peer's words by its peer's rules and makes of them the same plans as seal's own commands. What it
//! prints and how it exits is its peer's too. Nothing below `cli` knows of them.

mod filter_repo;
mod gitleaks;
mod gitleaks_args;
mod sops;
mod sops_args;
mod sops_says;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

/// Answers as another tool if `words`, the whole command line, calls for it.
pub fn run(words: &[OsString]) -> Option<ExitCode> {
    let (name, rest) = words.split_first()?;
    let called = Path::new(name).file_name()?;
    // A word behind the name stands for it too: links cannot always be made.
    let (called, rest) = match (called.to_str()?, rest) {
        (_, [first, second, rest @ ..]) if first == "compat" => (second.to_str()?, rest),
        (_, [first, rest @ ..]) if first == "sops" => ("sops", rest),
        (called, rest) => (called, rest),
    };
    match called.strip_suffix(".exe").unwrap_or(called) {
        "sops" => Some(sops::run(rest)),
        "gitleaks" => Some(gitleaks::run(rest)),
        "git-filter-repo" => Some(filter_repo::run(rest)),
        _ => None,
    }
}
