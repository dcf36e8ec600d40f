//! What sops says: how its messages begin, its log lines, and the completion scripts that seal answers in its place.

use std::ffi::OsString;
use std::process::ExitCode;

use super::sops_args::{Command, Misuse, SOPS};
use crate::cli::failure::{Failure, Kind};
use crate::cli::session::Session;
use crate::cli::shown;
use crate::host::{Host, clock};

/// What failed; sops begins some messages by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doing {
    Encrypt,
    Decrypt,
    Other,
}

/// Prints a failure as sops would begin it, then what seal knows beyond that; `remotes` are the key services that were named.
pub(super) fn report(failure: &Failure, doing: Doing, remotes: &[String], session: &Session) {
    let mut terminal = session.terminal();
    terminal.note(first_line(failure, doing));
    for detail in &failure.details {
        terminal.note(format!("  {detail}"));
    }
    if failure.kind == Kind::NoKey && !remotes.is_empty() {
        terminal.note("  remote key services are not available in this version of seal, and were not asked");
    }
    for hint in &failure.hints {
        terminal.note(format!("hint: {hint}"));
    }
}

/// seal's message behind the phrase by which sops's users and their scripts know the failure.
fn first_line(failure: &Failure, doing: Doing) -> String {
    let message = &failure.message;
    let unwrapped = message.strip_prefix(CANNOT_ENCRYPT).and_then(|rest| rest.split_once(": "));
    let phrase = match failure.kind {
        Kind::Config | Kind::Unreachable if let Some((_, cause)) = unwrapped => {
            return format!("Could not generate data key: [{cause}]");
        }
        Kind::NoKey | Kind::Unreachable => "Failed to get the data key required to decrypt the SOPS file.",
        Kind::Mac if message.contains("MAC cannot be decrypted") => "Cannot decrypt MAC:",
        Kind::Mac if message.contains("has no MAC") => "MAC mismatch. File has no MAC:",
        Kind::Mac => "MAC mismatch.",
        Kind::Value => "Error decrypting tree:",
        Kind::Input if message.starts_with("cannot read") => "Error reading file:",
        Kind::Input => "Error unmarshalling file:",
        Kind::Empty => "File cannot be completely empty, it must contain at least one document:",
        Kind::AlreadyEncrypted => "The file you have provided contains a top-level entry called 'sops':",
        Kind::Unencryptable => "Error encrypting tree:",
        Kind::CannotHold if doing == Doing::Encrypt => "Could not marshal tree:",
        Kind::CannotHold => "Error dumping file:",
        Kind::Output => "Could not open output file for writing:",
        Kind::NotFound if doing == Doing::Decrypt => "error truncating tree:",
        Kind::Unchanged => return "File has not changed, exiting.".into(),
        Kind::Context => "Invalid KMS encryption context format:",
        Kind::Config if message.starts_with("no matching creation rules") => "error loading config:",
        _ => return message.clone(),
    };
    match message.starts_with(phrase) {
        true => message.clone(),
        false => format!("{phrase} {message}"),
    }
}

/// A line as sops's log writes it.
pub(super) fn logged(level: &str, message: &str) -> String {
    format!("[CMD]  time=\"{}\" level={level} msg={message:?}", clock::now())
}

pub(super) fn print(text: &str, mut host: Host) -> ExitCode {
    // A closed pipe: whoever read it has read enough.
    let _ = host.terminal.answer(text.as_bytes());
    ExitCode::SUCCESS
}

pub(super) fn no_topic(name: &OsString, mut host: Host) -> ExitCode {
    host.terminal.note(format!("No help topic for '{}'", shown(name)));
    ExitCode::from(3)
}

pub(super) fn refuse(misuse: &Misuse, command: &Command, line: &str, mut host: Host) -> ExitCode {
    let usage = format!("Incorrect Usage: {}\n\n{}", shown(&misuse.0), command.help(line));
    let _ = host.terminal.answer(usage.as_bytes());
    host.terminal.note(logged("fatal", &misuse.0));
    ExitCode::FAILURE
}

/// Answers the scripts below: the words that can stand where the last one was begun.
pub(super) fn complete(words: &[OsString], host: Host) -> ExitCode {
    let mut command = &SOPS;
    for word in words {
        if let Some(found) = command.commands.iter().find(|command| word == command.name) {
            command = found;
        }
    }
    let begun = words.last().and_then(|word| word.to_str()).filter(|word| word.starts_with('-')).unwrap_or_default();
    let lines: String = command.completions(begun).iter().map(|word| format!("{word}\n")).collect();
    print(&lines, host)
}

/// How a failure to wrap a data key begins.
pub(super) const CANNOT_ENCRYPT: &str = "cannot encrypt ";

pub(super) const BASH: &str = r#"# bash completion of sops, answered by seal
_sops_by_seal() {
    local begun="${COMP_WORDS[COMP_CWORD]}" words=("${COMP_WORDS[@]:0:COMP_CWORD}")
    [[ "$begun" == -* ]] && words+=("$begun")
    COMPREPLY=($(compgen -W "$("${words[@]}" --generate-bash-completion 2>/dev/null)" -- "$begun"))
}
complete -o bashdefault -o default -F _sops_by_seal sops
"#;

pub(super) const ZSH: &str = r#"#compdef sops
# zsh completion of sops, answered by seal
_sops_by_seal() {
    local begun="${words[CURRENT]}"
    local -a found typed=("${words[@]:0:CURRENT-1}")
    [[ "$begun" == -* ]] && typed+=("$begun")
    found=("${(@f)$("${typed[@]}" --generate-bash-completion 2>/dev/null)}")
    if [[ -n "${found[1]}" ]]; then compadd -a found; else _files; fi
}
compdef _sops_by_seal sops
"#;
