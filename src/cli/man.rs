//! `seal man`: manual pages, made of the same words as `--help`.

use std::path::PathBuf;

use clap::{Args, Command};
use clap_mangen::Man;

use super::failure::{Failure, Kind};
use super::session::Session;
use super::{help, shown};
use crate::host::target;

/// Write the manual pages
///
/// Prints that of seal itself, or writes one for every command into a folder.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct ManArgs {
    /// A folder, made if it is missing
    #[arg(value_name = "DIR")]
    pub folder: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  seal man > seal.1
  seal man ~/.local/share/man/man1";

/// Runs it.
pub fn run(args: ManArgs, session: &Session) -> Result<(), Failure> {
    let pages = pages()?;
    let Some(folder) = args.folder else {
        return match pages.first() {
            Some((_, page)) => session.answer(page),
            None => Ok(()),
        };
    };
    std::fs::create_dir_all(&folder)
        .map_err(|error| Failure::new(Kind::Output, format!("cannot make {}: {error}", shown(&folder))))?;
    for (name, page) in &pages {
        target::write(&folder.join(name), page, 0o644)?;
    }
    session.say(&format!(
        "wrote {} pages to {}; read one: man -l {}",
        pages.len(),
        shown(&folder),
        shown(&folder.join("seal-encrypt.1"))
    ));
    Ok(())
}

/// All pages by file name, that of seal itself first.
fn pages() -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let mut seal = super::command();
    let mut more = String::new();
    for name in ["exit-codes", "environment"] {
        more.push_str(&help::topic(name).map(|text| help::plain(&text)).unwrap_or_default());
        more.push('\n');
    }
    let examples = seal.get_after_help().map(ToString::to_string).unwrap_or_default();
    seal = seal.after_long_help(format!("{examples}\n\n{more}"));
    seal.build();
    let mut pages = Vec::new();
    collect(&seal, "seal", &mut pages).map_err(|error| Failure::new(Kind::Io, error.to_string()))?;
    Ok(pages)
}

fn collect(command: &Command, name: &str, pages: &mut Vec<(String, Vec<u8>)>) -> std::io::Result<()> {
    let mut page = Vec::new();
    let named = command.clone().name(name.to_owned()).display_name(name.to_owned());
    Man::new(named).title(name).manual("seal").render(&mut page)?;
    pages.push((format!("{name}.1"), page));
    for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help" || name == "seal") {
        collect(inner, &format!("{name}-{}", inner.get_name()), pages)?;
    }
    Ok(())
}
