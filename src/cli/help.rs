//! `seal help`: the help of a command, or one of the explanations in `src/manual`.

use std::fmt::Write as _;

use clap::Args;

use super::failure::{Failure, Kind};
use super::session::Session;
use super::{command, shown};
use crate::host::Variable;

/// Explain a command or a topic
///
/// Topics are exit-codes, environment, config, keys, recipients and layout.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct HelpArgs {
    /// A command, or a topic
    #[arg(value_name = "COMMAND|TOPIC")]
    pub words: Vec<String>,
}

const EXAMPLES: &str = "\
Examples:
  seal help encrypt
  seal help exit-codes";

/// Runs it.
pub fn run(args: HelpArgs, session: &Session) -> Result<(), Failure> {
    if let [word] = args.words.as_slice()
        && let Some(text) = topic(word)
    {
        return session.answer(plain(&text).as_bytes());
    }
    let words = std::iter::once("seal").chain(args.words.iter().map(String::as_str)).chain(["--help"]);
    match command().try_get_matches_from(words) {
        Err(error) if !error.use_stderr() => session.answer(error.to_string().as_bytes()),
        _ => {
            let word = args.words.join(" ");
            let names: Vec<_> = topics().map(|(name, _)| name).collect();
            let command = command();
            let commands = command.get_subcommands().map(clap::Command::get_name);
            let failure = Failure::new(Kind::Usage, format!("there is no command or topic `{}`", shown(&word)));
            let meant = crate::document::nearest(&word, commands.chain(names.iter().copied()));
            let failure = match meant {
                Some(meant) => failure.hint(format!("did you mean: seal help {meant}")),
                None => failure,
            };
            Err(failure.hint(format!("topics are {}; commands are listed by: seal --help", names.join(", "))))
        }
    }
}

/// The explanations, by name.
pub fn topics() -> impl Iterator<Item = (&'static str, &'static str)> {
    [
        ("exit-codes", include_str!("../manual/exit-codes.md")),
        ("environment", include_str!("../manual/environment.md")),
        ("config", include_str!("../manual/config.md")),
        ("keys", include_str!("../manual/keys.md")),
        ("recipients", include_str!("../manual/recipients.md")),
        ("layout", include_str!("../manual/layout.md")),
    ]
    .into_iter()
}

/// One of them, in Markdown.
pub fn topic(name: &str) -> Option<String> {
    let (name, text) = topics().find(|(topic, _)| *topic == name)?;
    let mut text = text.to_owned();
    if name == "environment" {
        text.push_str("\n| variable | |\n|---|---|\n");
        for variable in Variable::ALL {
            let _ = writeln!(text, "| {} | {} |", variable.name(), variable.about());
        }
    }
    Some(text)
}

/// Markdown as it reads best on a terminal: tables in columns, no marks of headings and of code.
pub fn plain(markdown: &str) -> String {
    let mut out = String::new();
    let mut lines = markdown.lines().peekable();
    let mut is_code = false;
    while let Some(line) = lines.next() {
        if line.starts_with("```") {
            is_code = !is_code;
        } else if is_code {
            let _ = writeln!(out, "    {line}");
        } else if line.starts_with('|') {
            let mut rows = vec![cells(line)];
            while let Some(row) = lines.next_if(|line| line.starts_with('|')) {
                rows.push(cells(row));
            }
            // The second row is only a line.
            rows.remove(1.min(rows.len() - 1));
            table(&rows, &mut out);
        } else if let Some(heading) = line.strip_prefix("# ") {
            let _ = writeln!(out, "{heading}");
        } else {
            let _ = writeln!(out, "{}", line.replace('`', ""));
        }
    }
    out
}

fn cells(row: &str) -> Vec<String> {
    row.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect()
}

fn table(rows: &[Vec<String>], out: &mut String) {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|it| it.chars().count()).max().unwrap_or(0);
    let widths: Vec<_> = (0..columns).map(width).collect();
    for row in rows {
        let mut line = String::from(" ");
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(line, " {cell:width$} ");
        }
        let _ = writeln!(out, "{}", line.trim_end());
    }
}

/// The explanations as documentation of the library.
pub mod manual {
    #[doc = include_str!("../manual/config.md")]
    pub mod config {}
    #[doc = include_str!("../manual/exit-codes.md")]
    pub mod exit_codes {}
    #[doc = include_str!("../manual/keys.md")]
    pub mod keys {}
    #[doc = include_str!("../manual/layout.md")]
    pub mod layout {}
    #[doc = include_str!("../manual/recipients.md")]
    pub mod recipients {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_shown_without_marks() {
        let text = plain("# A\n\nsay `x`\n\n| k | v |\n|---|---|\n| long | `1` |\n\n```sh\na `b`\n```\n");
        assert_eq!(text, "A\n\nsay x\n\n  k     v\n  long  1\n\n    a `b`\n");
    }

    #[test]
    fn every_code_that_a_failure_has_is_explained() {
        let text = topic("exit-codes").expect("it is a topic");
        for kind in [
            Kind::No,
            Kind::Usage,
            Kind::Config,
            Kind::NoKey,
            Kind::Mac,
            Kind::Unreachable,
            Kind::Refused,
            Kind::Io,
            Kind::Partly,
        ] {
            assert!(text.contains(&format!("\n| {} |", kind.code())), "{kind:?}");
        }
        for kind in [Kind::Mac, Kind::NoKey, Kind::Unchanged, Kind::AlreadyEncrypted] {
            assert!(text.contains(&kind.sops_code().to_string()), "{kind:?}");
        }
    }
}
