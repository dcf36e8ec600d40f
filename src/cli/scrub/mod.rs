//! `seal scrub`: takes files out of history. Tells the plan, asks, and only then moves refs.
//!
//! What the words mean is in [`args`], how the plan is told in [`told`]. The rewrite itself is [`git::prepare`](crate::git::prepare).

mod args;
mod told;

use std::path::Path;

pub use args::ScrubArgs;

use super::failure::{Failure, Kind};
use super::session::Session;
use super::shown;
use crate::git::{self, GitError, Prepared, Refs, Repository, RewriteError, RunFolder};
use crate::host::{clock, files, random};
use crate::scrub::{self, ObjectError, Plan, Rules};

/// Runs it.
pub fn run(args: ScrubArgs, session: &Session) -> Result<(), Failure> {
    let repository = Repository::open(Path::new("."), &session.environment)
        .map_err(|error| git_failure(&error).hint("run it in the repository whose history is to change"))?;
    repository.ready_to_rewrite().map_err(|refusal| told::refusal(&refusal))?;
    let rules = args.selection.rules(&repository)?;
    let refs = Refs::read(&repository).map_err(|error| git_failure(&error))?;
    let wishes = args.selection.in_words(&rules);
    let digest = scrub::digest(refs.tips().map(|(name, id)| (name.as_ref(), id)), &wishes);
    let run = new_run(&repository)?;
    let outcome = rewrite(&args, session, &repository, &refs, &run, rules, digest);
    run.remove().map_err(|error| git_failure(&error))?;
    outcome
}

fn rewrite(
    args: &ScrubArgs,
    session: &Session,
    repository: &Repository,
    refs: &Refs,
    run: &RunFolder,
    rules: Rules,
    digest: String,
) -> Result<(), Failure> {
    let prepared = prepare(args, session, repository, refs, run, rules)?;
    let plan = Plan::of(digest, &prepared.history, &prepared.tips, &prepared.rewritten, &prepared.moves);
    told::plan(&plan, args, session)?;
    if plan.is_empty() || args.dry_run || !agreed(args, session)? {
        return Ok(());
    }
    let proof = git::prove(repository, run, &prepared, false).map_err(|error| rewrite_failure(&error))?;
    session.say(&told::proof(&proof));
    // Moving the refs is the next step, and not there yet.
    Err(Failure::new(Kind::Refused, "history is as it was: this seal does not move refs yet"))
}

/// Whether the plan is to be carried out: on a terminal that is asked, elsewhere it must have been said.
fn agreed(args: &ScrubArgs, session: &Session) -> Result<bool, Failure> {
    if args.yes {
        return Ok(true);
    }
    if !session.terminal().can_ask() {
        session.say("nothing has changed; to carry it out: the same with --yes");
        return Ok(false);
    }
    let agreed = session.terminal().confirm("Rewrite history like this?", "--yes");
    let agreed = agreed.map_err(|error| Failure::new(Kind::Usage, error.to_string()))?;
    if !agreed {
        session.say("nothing has changed");
    }
    Ok(agreed)
}

fn prepare(
    args: &ScrubArgs,
    session: &Session,
    repository: &Repository,
    refs: &Refs,
    run: &RunFolder,
    rules: Rules,
) -> Result<Prepared, Failure> {
    let stand_in = args.remove_to.as_deref().map(files::read).transpose()?;
    let mut progress = None;
    let mut shown = 0;
    let prepared = git::prepare(
        repository,
        refs,
        run,
        rules,
        stand_in.as_deref().map(|bytes| bytes.as_slice()),
        &mut (),
        |commits, of| {
            let progress =
                progress.get_or_insert_with(|| session.terminal().progress("rewriting commits", Some(of as u64)));
            if commits - shown >= 256 {
                progress.advance((commits - shown) as u64);
                shown = commits;
            }
        },
    );
    prepared.map_err(|error| rewrite_failure(&error))
}

fn new_run(repository: &Repository) -> Result<RunFolder, Failure> {
    let mut bytes = [0; 4];
    random::fill(&mut bytes).map_err(|error| Failure::new(Kind::Io, error.to_string()))?;
    let letters: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let time = clock::now().replace([':', '-'], "");
    RunFolder::create(repository.common_dir(), &format!("{time}-{letters}")).map_err(|error| git_failure(&error))
}

fn git_failure(error: &GitError) -> Failure {
    Failure::new(Kind::Io, shown(&error.to_string()).to_string())
}

fn rewrite_failure(error: &RewriteError) -> Failure {
    let failure = Failure::new(Kind::Incomplete, format!("history is as it was: {}", shown(&error.to_string())));
    match error {
        RewriteError::Object(ObjectError::Missing(_)) => {
            failure.hint("fetch what is missing: git fetch --refetch; then see what is damaged: git fsck")
        }
        RewriteError::Object(ObjectError::Damaged { .. }) => failure.hint("see what is damaged: git fsck --full"),
        _ => failure,
    }
}
