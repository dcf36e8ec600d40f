//! Other tools' command lines, answered by seal: by the name it is called by, or as `seal compat NAME …`.
//!
//! A stand-in reads its peer's words by its peer's rules and makes of them the same plans as seal's own commands. What it
//! prints and how it exits is its peer's too. Nothing below `cli` knows of them.

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
    match (called.to_str(), rest) {
        (Some("sops" | "sops.exe"), rest) => Some(sops::run(rest)),
        (_, [first, rest @ ..]) if first == "sops" => Some(sops::run(rest)),
        (_, [first, second, rest @ ..]) if first == "compat" && second == "sops" => Some(sops::run(rest)),
        _ => None,
    }
}
