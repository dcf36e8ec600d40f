//! The words of `seal scrub` that are about remotes and colleagues.

use clap::{Args, Subcommand};

use super::{adopt, ban, notice, push};
use crate::cli::failure::{Failure, Kind};
use crate::cli::session::Session;
use crate::cli::shown;
use crate::git::{self, GitError, Repository};

/// What is done about remotes and colleagues.
#[derive(Subcommand, Clone, PartialEq, Eq)]
pub enum RemoteStep {
    /// Put the new history where the old one is on a remote
    ///
    /// Only refs that the remote has are moved, each only if it still is what the rewrite began with.
    Push(PushArgs),
    /// Bring a clone from before a rewrite to the new history, with the work that was not pushed
    Adopt(AdoptArgs),
    /// What is not to come back
    Ban(BanArgs),
    /// Tell where the files are that a rewrite left for the team and for hosts
    #[command(after_help = "Examples:\n  seal scrub report")]
    Report,
}

/// Where to push.
#[derive(Args, Clone, PartialEq, Eq)]
#[command(
    after_help = "Examples:\n  seal scrub push\n  seal scrub push --dry-run upstream\n  seal scrub push --yes origin"
)]
pub struct PushArgs {
    /// The remote; the only one, or origin, where none is named
    #[arg(value_name = "REMOTE")]
    pub remote: Option<String>,
    /// Show what would be pushed, and stop
    #[arg(long, short = 'n')]
    pub dry_run: bool,
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
}

/// What to bring a clone to.
#[derive(Args, Clone, PartialEq, Eq)]
#[command(after_help = "Examples:\n  seal scrub adopt commit-map\n  seal scrub adopt --finish commit-map")]
pub struct AdoptArgs {
    /// The file commit-map of whoever rewrote the history: old and new id of each commit
    #[arg(value_name = "MAP")]
    pub map: std::path::PathBuf,
    /// The remote; the only one, or origin, where none is named
    #[arg(long, value_name = "REMOTE")]
    pub remote: Option<String>,
    /// Remove what is kept of the old history from this clone, for good
    #[arg(long)]
    pub finish: bool,
}

/// What to do about the list.
#[derive(Args, Clone, PartialEq, Eq)]
pub struct BanArgs {
    #[command(subcommand)]
    pub command: BanCommand,
}

/// What can be done about the list.
#[derive(Subcommand, Clone, PartialEq, Eq)]
pub enum BanCommand {
    /// Show what is banned
    #[command(after_help = "Examples:\n  seal scrub ban list")]
    List,
    /// Ban objects by their whole ids
    #[command(
        after_help = "Examples:\n  seal scrub ban add --blobs --reason 'leaked on Monday' 8b1d0aa3c5e1f0b2d4c6a8e0f1b3d5c7a9e0f2b4"
    )]
    Add {
        /// A commit, tag or content of a file, by all digits of its id
        #[arg(value_name = "ID", required = true)]
        ids: Vec<String>,
        /// The ids are of contents of files that need not be here
        #[arg(long)]
        blobs: bool,
        /// Why
        #[arg(long, value_name = "TEXT", default_value = "added by hand")]
        reason: String,
        /// The last day on which it holds, as 2027-11-24
        #[arg(long, value_name = "DAY")]
        until: Option<String>,
    },
    /// Let objects back in
    #[command(after_help = "Examples:\n  seal scrub ban remove 8b1d0aa3c5e1f0b2d4c6a8e0f1b3d5c7a9e0f2b4")]
    Remove {
        /// All digits of the id
        #[arg(value_name = "ID", required = true)]
        ids: Vec<String>,
    },
    /// Write the list, for a server or a colleague
    #[command(after_help = "Examples:\n  seal scrub ban export > banned")]
    Export,
    /// Add a list that was exported
    #[command(after_help = "Examples:\n  seal scrub ban import banned\n  seal scrub ban import - < banned")]
    Import {
        /// The list; - is standard input
        #[arg(value_name = "FILE")]
        file: std::path::PathBuf,
    },
}

/// Runs it.
pub fn run(step: &RemoteStep, repository: &Repository, session: &Session) -> Result<(), Failure> {
    match step {
        RemoteStep::Push(args) => push::run(args, repository, session),
        RemoteStep::Adopt(args) => adopt::run(args, repository, session),
        RemoteStep::Ban(args) => ban::run(&args.command, repository, session),
        RemoteStep::Report => notice::tell(repository, session),
    }
}

/// Fetches all that all remotes have.
pub fn fetch(repository: &Repository, session: &Session) -> Result<(), Failure> {
    for remote in remotes(repository)? {
        let count = git::fetch_all(repository, &remote)?;
        session.say(&format!("fetched   {count} refs of {}, below {}{0}/", shown(&remote), git::FETCHED));
    }
    Ok(())
}

/// The remotes that are configured.
pub fn remotes(repository: &Repository) -> Result<Vec<String>, GitError> {
    let names = git::Git::at(repository.root()).read(&["remote"])?;
    Ok(String::from_utf8_lossy(&names).lines().map(str::to_owned).collect())
}

/// The remote that is meant.
pub fn remote(named: Option<&str>, repository: &Repository) -> Result<String, Failure> {
    let remotes = remotes(repository)?;
    match (named, remotes.as_slice()) {
        (Some(named), _) if remotes.iter().any(|remote| remote == named) => Ok(named.to_owned()),
        (None, [only]) => Ok(only.clone()),
        (None, _) if remotes.iter().any(|remote| remote == "origin") => Ok("origin".to_owned()),
        (Some(named), _) => Err(Failure::new(Kind::NotFound, format!("there is no remote {}", shown(named)))
            .hint("see which there are: git remote -v")),
        (None, _) => {
            Err(Failure::new(Kind::Usage, "which remote is meant is not clear")
                .hint("see which there are: git remote -v"))
        }
    }
}
