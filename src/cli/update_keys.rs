//! `seal updatekeys`, also `seal keys sync`: gives files the readers that their creation rules name.
//!
//! The data key stays, and with it every byte outside the lists of wrapped keys.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;
use rayon::prelude::*;

use super::args::OpenArgs;
use super::decrypt::is_encrypted;
use super::failure::{Failure, Kind};
use super::readers::{self, LockedOut};
use super::session::{self, Session};
use super::{many, shown};
use crate::config::Rule;
use crate::crypt::{Encrypted, KeyGroup, MacCheck};
use crate::document::Format;
use crate::host::target::Target;

/// Give files the readers that .sops.yaml names
///
/// Shows who is added and removed, and asks first. Only the wrapped keys change: values, MAC and time stay as they are. Who is
/// removed still knows the data key; `seal keys remove` makes a new one.
#[derive(Args, Default)]
#[command(after_help = EXAMPLES)]
pub struct UpdateKeysArgs {
    /// Files, or folders whose encrypted files are meant
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Do it without asking
    #[arg(long, short)]
    pub yes: bool,
    /// Read the files as yaml, json, dotenv, ini or binary
    #[arg(long, value_name = "FORMAT")]
    pub input_type: Option<Format>,
    /// How many key groups are needed to decrypt; else as before
    #[arg(long, value_name = "N")]
    pub shamir_secret_sharing_threshold: Option<usize>,
    #[command(flatten)]
    pub open: OpenArgs,
}

const EXAMPLES: &str = "\
Examples:
  seal updatekeys secret.yaml
  seal updatekeys -y deploy";

/// Runs it.
pub fn run(args: UpdateKeysArgs, session: &Session) -> Result<(), Failure> {
    let files = readers::files_in(&args.files, is_encrypted)?;
    // Everything is looked at before anything is asked, and asked once.
    let mut plans: BTreeMap<&Path, Result<Plan, Failure>> =
        files.par_iter().map(|file| (file.as_path(), Plan::make(file, &args, session))).collect();
    let changes: Vec<_> =
        files.iter().filter_map(|file| Some((file.as_path(), plans[file.as_path()].as_ref().ok()?))).collect();
    let mut by_change: Vec<(&[String], Vec<&Path>)> = Vec::new();
    for (file, plan) in changes.iter().filter(|(_, plan)| !plan.differences.is_empty()) {
        match by_change.iter_mut().find(|(lines, _)| *lines == plan.differences) {
            Some((_, files)) => files.push(file),
            None => by_change.push((&plan.differences, vec![file])),
        }
        session.trust(&plan.groups);
    }
    let removes = AtomicBool::new(false);
    for (lines, files) in &by_change {
        session.say(&titles(files));
        lines.iter().for_each(|line| session.say(&format!("  {line}")));
    }
    let total = by_change.iter().map(|(_, files)| files.len()).sum::<usize>();
    if total > 0 && !args.yes {
        let question = match total {
            1 => "Change its readers?".to_owned(),
            n => format!("Change the readers of these {n} files?"),
        };
        if !session.confirm(&question, "pass --yes to do it without asking")? {
            session.say("nothing was changed");
            return Ok(());
        }
    }
    let failures: BTreeMap<PathBuf, Failure> = plans
        .iter()
        .filter_map(|(file, plan)| plan.as_ref().err().map(|failure| (file.to_path_buf(), failure.clone())))
        .collect();
    plans.retain(|_, plan| plan.is_ok());
    many::each(session, &files, |file| {
        if let Some(failure) = failures.get(file) {
            return Err(failure.clone());
        }
        let Some(Ok(plan)) = plans.get(file) else { return Ok(Vec::new()) };
        if plan.differences.is_empty() {
            return Ok(vec![format!("{}  already up to date", many::title(file))]);
        }
        update(file, plan, &args, session)?;
        if plan.differences.iter().any(|line| line.starts_with('-')) {
            removes.store(true, Ordering::Relaxed);
        }
        let rule = readers::rule_title(&plan.rule);
        Ok(vec![format!("{}  {} now, as {rule} says", many::title(file), readers::count(&plan.groups))])
    })?;
    if removes.into_inner() {
        session.say("who was removed still knows the data key, and opens these files with a copy of it");
        session.say("next  seal rotate -i FILE… (a new data key), then change the values at their source");
    }
    Ok(())
}

/// `a.yaml, b.yaml and 998 more`
fn titles(files: &[&Path]) -> String {
    const SHOWN: usize = 5;
    let mut line = files.iter().take(SHOWN).map(|file| many::title(file)).collect::<Vec<_>>().join(", ");
    if let Some(more) = files.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        line.push_str(&format!(" and {more} more"));
    }
    line
}

/// What is to become of a file.
struct Plan {
    rule: Rule,
    groups: Vec<KeyGroup>,
    threshold: Option<usize>,
    differences: Vec<String>,
}

impl Plan {
    fn make(file: &Path, args: &UpdateKeysArgs, session: &Session) -> Result<Self, Failure> {
        let format = args.input_type.unwrap_or_else(|| Format::of_path(file));
        let encrypted = session::read_encrypted(file, crate::host::files::read(file)?, format)?;
        let Some(rule) = session.rule(file)? else {
            return Err(Failure::new(
                Kind::Config,
                format!("no .sops.yaml with creation rules says who may read {}", shown(file)),
            )
            .hint(format!("to change its readers alone: seal keys add age1… {}", shown(file))));
        };
        Ok(Self::of(&encrypted, rule, args.shamir_secret_sharing_threshold))
    }

    fn of(encrypted: &Encrypted, rule: Rule, threshold: Option<usize>) -> Self {
        let groups = rule.groups.clone();
        let before = encrypted.envelope().threshold;
        // As sops has it: the rule's own threshold is for new files.
        let threshold = threshold.or(before).map(|threshold| threshold.min(groups.len()));
        let differences = readers::differences(&readers::groups_of(encrypted.envelope()), &groups, (before, threshold));
        Self { threshold: readers::threshold_for(groups.len(), threshold), rule, groups, differences }
    }
}

fn update(file: &Path, plan: &Plan, args: &UpdateKeysArgs, session: &Session) -> Result<(), Failure> {
    let format = args.input_type.unwrap_or_else(|| Format::of_path(file));
    let mut target = Target::open(file)?;
    let encrypted = session::read_encrypted(file, target.take_bytes(), format)?;
    // It may have changed while the question was open.
    if Plan::of(&encrypted, plan.rule.clone(), args.shamir_secret_sharing_threshold).differences != plan.differences {
        return Err(Failure::new(
            Kind::Refused,
            format!("{} was changed meanwhile; run the command again", shown(file)),
        ));
    }
    let key = session.data_key(file, encrypted.envelope(), &args.open)?;
    if let Err(error) = encrypted.open(&key, MacCheck::Require) {
        session.warn(&format!("{}: {}; its new readers will see the same", shown(file), shown(&error.to_string())));
    }
    let locked_out = if args.yes { LockedOut::Warn } else { LockedOut::Ask };
    let bytes = readers::rewrap_all(session, file, &encrypted, &key, &plan.groups, plan.threshold, locked_out)?;
    target.replace(&bytes)?;
    Ok(())
}
