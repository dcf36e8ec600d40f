//! git-filter-repo: its options made into rules of a rewrite, then what it does behind one: refs, maps, reset and gc.
//!
//! New objects are written beside the repository first; refs move once all of them are there. What cannot be had here says so
//! and changes nothing. Ids are those of the real one: commits are left with what its stream carries.

mod analyze;
mod args;
mod checks;
mod run;

use std::ffi::OsString;
use std::process::ExitCode;

use args::{End, Options, USAGE, help};

use crate::host::Host;

/// What the real one prints for `--version`: the abbreviated id of its own source.
const VERSION: &str = "a40bce548d2c";

/// Runs what was typed behind `git-filter-repo`.
pub fn run(words: &[OsString]) -> ExitCode {
    let mut host = Host::open();
    let end = match Options::read(words) {
        Ok(options) => match run::run(&options, &mut host) {
            Ok(()) => return ExitCode::SUCCESS,
            Err(problem) => End::Stop(problem),
        },
        Err(end) => end,
    };
    let answer = |text: &str, host: &mut Host| {
        // A closed pipe: whoever read it has read enough.
        let _ = host.terminal.answer(text.as_bytes());
        ExitCode::SUCCESS
    };
    match end {
        End::Help => answer(&help(), &mut host),
        End::Version => answer(&format!("{VERSION}\n"), &mut host),
        End::Misuse(problem) => {
            host.terminal.note_text(format!("{USAGE}git-filter-repo: error: {problem}\n").as_bytes());
            ExitCode::from(2)
        }
        End::Cannot(problem) => {
            host.terminal.note_text(format!("git-filter-repo: {problem}\n").as_bytes());
            ExitCode::from(2)
        }
        End::Stop(problem) => {
            host.terminal.note_text(format!("{problem}\n").as_bytes());
            ExitCode::FAILURE
        }
    }
}
