//! `seal rotate`: a new data key and new nonces for everything in a file, and readers added or removed with it.

use std::path::{Path, PathBuf};

use clap::Args;

use super::args::{FormatArgs, OpenArgs};
use super::decrypt::is_encrypted;
use super::failure::{Failure, Kind, short};
use super::readers::{self, AddArgs, AwsArgs, Change, LockedOut, RemoveArgs, Rotated};
use super::session::{Input, Session};
use super::{many, shown};
use crate::document::Format;
use crate::host::target::{self, Target};

/// Encrypt files anew with a new data key
///
/// Prints the result, or writes it in place with -i. Readers can be added and removed at the same time; who is removed cannot
/// open the new version, but still has what they have read.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct RotateArgs {
    /// Files to rotate, or with -i folders
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Write the result back to the file
    #[arg(long, short)]
    pub in_place: bool,
    /// Write the result to this file
    #[arg(long, value_name = "FILE", conflicts_with = "in_place")]
    pub output: Option<PathBuf>,
    /// Write it also where none of your identities opens the result
    #[arg(long, short)]
    pub yes: bool,
    #[command(flatten)]
    pub add: AddArgs,
    #[command(flatten)]
    pub remove: RemoveArgs,
    #[command(flatten)]
    pub aws: AwsArgs,
    #[command(flatten)]
    pub open: OpenArgs,
    #[command(flatten)]
    pub formats: FormatArgs,
}

const EXAMPLES: &str = "\
Examples:
  seal rotate -i secret.yaml
  seal rotate -i --rm-age age1… deploy/prod
  seal rotate --add-age age1… secret.yaml > new.yaml";

/// Runs it.
pub fn run(args: RotateArgs, session: &Session) -> Result<(), Failure> {
    let change = Change { add: args.add.group(&args.aws)?, remove: args.remove.group(&args.aws)? };
    session.trust(std::slice::from_ref(&change.add));
    if args.in_place {
        let files = readers::files_in(&args.files, is_encrypted)?;
        return many::each(session, &files, |file| {
            let name = args.formats.filename_override.as_deref().unwrap_or(file);
            let format = args.formats.input_type.unwrap_or_else(|| Format::of_path(name));
            let output = args.formats.output_type.unwrap_or(format);
            rotate_in_place(session, file, name, (format, output), &change, &args.open, args.yes)
                .map(|rotated| report(file, &rotated))
        });
    }
    let [file] = args.files.as_slice() else {
        return Err(
            Failure::new(Kind::Usage, "several files can only be rotated in place").hint("seal rotate -i FILE…")
        );
    };
    let input = session.read(Some(file), &args.formats)?;
    let (name, output) = (input.name.clone(), args.formats.output_type.unwrap_or(input.format));
    let rotated = readers::rotate(session, input, &change, &args.open, output, LockedOut::Warn)?;
    warn(session, &name, &change, &rotated);
    match &args.output {
        Some(path) => {
            target::write(path, &rotated.sealed.bytes, 0o644)?;
            report(path, &rotated).iter().for_each(|line| session.say(line));
            Ok(())
        }
        None => session.answer(&rotated.sealed.bytes),
    }
}

/// Rotates a file where it stands. `name` is what its rule is found by; `formats` are those of input and output.
pub fn rotate_in_place(
    session: &Session,
    file: &Path,
    name: &Path,
    (format, output): (Format, Format),
    change: &Change,
    open: &OpenArgs,
    yes: bool,
) -> Result<Rotated, Failure> {
    let mut target = Target::open(file)?;
    let input = Input { name: name.to_owned(), bytes: target.take_bytes(), format };
    let locked_out = if yes { LockedOut::Warn } else { LockedOut::Ask };
    let rotated = readers::rotate(session, input, change, open, output, locked_out)?;
    target.replace(&rotated.sealed.bytes)?;
    warn(session, name, change, &rotated);
    Ok(rotated)
}

fn warn(session: &Session, name: &Path, change: &Change, rotated: &Rotated) {
    for recipient in change.remove.iter().filter(|recipient| !readers::has(&rotated.removed, recipient)) {
        session.warn(&format!("{}: {} was no reader of it", shown(name), short(recipient)));
    }
    session.warn_of_strangers(name, &rotated.groups, &change.add);
}

fn report(file: &Path, rotated: &Rotated) -> Vec<String> {
    let values = match rotated.sealed.encrypted {
        1 => "1 value".to_owned(),
        n => format!("{n} values"),
    };
    let mut lines = vec![format!(
        "{}  new data key, {values} encrypted anew for {}",
        many::title(file),
        readers::count(&rotated.groups)
    )];
    if !rotated.removed.is_empty() {
        lines.push(
            "  who was removed still has what they have read, and opens old versions in git: change the values at their source"
                .to_owned(),
        );
    }
    lines
}
