//! `seal completions`: what lets a shell complete seal's commands and flags.

use clap::{Args, ValueEnum};

use super::failure::Failure;
use super::session::Session;

/// Print completions for a shell
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
}

/// A shell that has completions.
#[derive(Debug, Clone, Copy, ValueEnum)]
#[allow(missing_docs)]
pub enum Shell {
    Bash,
    Elvish,
    Fish,
    Nushell,
    Powershell,
    Zsh,
}

const EXAMPLES: &str = "\
Examples:
  source <(seal completions bash)
  seal completions zsh > _seal          # into a folder of $fpath
  seal completions fish > seal.fish     # into ~/.config/fish/completions";

/// Runs it.
pub fn run(args: CompletionsArgs, session: &Session) -> Result<(), Failure> {
    use clap_complete::Shell as Known;
    let mut text = Vec::new();
    let mut command = super::command();
    let known = match args.shell {
        Shell::Bash => Known::Bash,
        Shell::Elvish => Known::Elvish,
        Shell::Fish => Known::Fish,
        Shell::Powershell => Known::PowerShell,
        Shell::Zsh => Known::Zsh,
        Shell::Nushell => {
            clap_complete::generate(clap_complete_nushell::Nushell, &mut command, "seal", &mut text);
            return session.answer(&text);
        }
    };
    clap_complete::generate(known, &mut command, "seal", &mut text);
    session.answer(&text)
}
