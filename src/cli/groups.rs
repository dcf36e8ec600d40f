//! `seal groups`: key groups of a file added and deleted, as sops has it.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::args::OpenArgs;
use super::failure::{Failure, Kind};
use super::readers::{self, AwsArgs, KindArgs, LockedOut};
use super::session::{self, Session};
use super::{many, shown};
use crate::crypt::KeyGroup;
use crate::document::Format;
use crate::host::target::Target;

/// Add and delete key groups of a file
#[derive(Args)]
pub struct GroupsArgs {
    #[command(subcommand)]
    command: GroupsCommand,
}

#[derive(Subcommand)]
enum GroupsCommand {
    Add(Box<AddArgs>),
    Delete(DeleteArgs),
}

/// The file whose groups change, and what becomes of the result.
#[derive(Args)]
pub struct FileArgs {
    /// The file
    #[arg(long, short, value_name = "FILE", required = true)]
    pub file: PathBuf,
    /// Write the result back to the file
    #[arg(long, short)]
    pub in_place: bool,
    /// How many key groups are needed to decrypt; else as before, or all
    #[arg(long, value_name = "N")]
    pub shamir_secret_sharing_threshold: Option<usize>,
    /// Write it also where none of your identities opens the result
    #[arg(long, short)]
    pub yes: bool,
    /// Read the file as yaml, json, dotenv, ini or binary
    #[arg(long, value_name = "FORMAT")]
    pub input_type: Option<Format>,
    #[command(flatten)]
    pub open: OpenArgs,
}

/// Add a key group to a file
///
/// With several groups the data key is split: readers of several groups have to come together.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  seal groups add -i -f secret.yaml --age age1… --shamir-secret-sharing-threshold 2"
)]
struct AddArgs {
    #[command(flatten)]
    file: FileArgs,
    #[command(flatten)]
    kinds: KindArgs,
    #[command(flatten)]
    aws: AwsArgs,
}

/// Delete a key group from a file
#[derive(Args)]
#[command(after_help = "Examples:\n  seal groups delete -i -f secret.yaml 0")]
struct DeleteArgs {
    #[command(flatten)]
    file: FileArgs,
    /// Which group, from 0
    #[arg(value_name = "INDEX")]
    index: usize,
}

/// Runs it.
pub fn run(args: GroupsArgs, session: &Session) -> Result<(), Failure> {
    match args.command {
        GroupsCommand::Add(args) => add(&args.file, args.kinds.group(&args.aws)?, session),
        GroupsCommand::Delete(args) => delete(&args.file, args.index, session),
    }
}

/// Adds a key group behind the others.
pub fn add(args: &FileArgs, group: KeyGroup, session: &Session) -> Result<(), Failure> {
    session.trust(std::slice::from_ref(&group));
    change(args, session, |groups| {
        groups.push(group);
        Ok(())
    })
}

/// Deletes a key group by its index.
pub fn delete(args: &FileArgs, index: usize, session: &Session) -> Result<(), Failure> {
    change(args, session, |groups| {
        if index >= groups.len() {
            let count = groups.len();
            return Err(Failure::new(Kind::Usage, format!("there is no key group {index}; the file has {count}"))
                .hint("groups are counted from 0: seal keys list FILE"));
        }
        groups.remove(index);
        Ok(())
    })
}

fn change(
    args: &FileArgs,
    session: &Session,
    edit: impl FnOnce(&mut Vec<KeyGroup>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let file = args.file.as_path();
    let format = args.input_type.unwrap_or_else(|| Format::of_path(file));
    let mut target = Target::open(file)?;
    let encrypted = session::read_encrypted(file, target.take_bytes(), format)?;
    let mut groups = readers::groups_of(encrypted.envelope());
    edit(&mut groups)?;
    let threshold = args.shamir_secret_sharing_threshold.filter(|n| *n > 0).or(encrypted.envelope().threshold);
    if let Some(threshold) = threshold.filter(|threshold| *threshold > groups.len()) {
        return Err(Failure::new(
            Kind::Config,
            format!(
                "{threshold} key groups would be needed to decrypt {}, but it would have {}",
                shown(file),
                groups.len()
            ),
        )
        .hint("lower it: --shamir-secret-sharing-threshold N"));
    }
    let threshold = readers::threshold_for(groups.len(), threshold);
    let key = session.data_key(file, encrypted.envelope(), &args.open)?;
    let locked_out = if args.in_place && !args.yes { LockedOut::Ask } else { LockedOut::Warn };
    let bytes = readers::rewrap_all(session, file, &encrypted, &key, &groups, threshold, locked_out)?;
    if !args.in_place {
        return session.answer(&bytes);
    }
    target.replace(&bytes)?;
    let needed = match groups.len() {
        1 => "1 key group".to_owned(),
        n => format!("{n} key groups, of which {} are needed", threshold.unwrap_or(n)),
    };
    session.say(&format!("{}  {needed}, {} in all", many::title(file), readers::count(&groups)));
    if encrypted.envelope().groups.len() > groups.len() {
        session.say("who was removed still knows the data key");
        session.say(&format!("next  seal rotate -i {}", shown(file)));
    }
    Ok(())
}
