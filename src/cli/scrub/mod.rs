//! `seal scrub`: takes files out of history. Tells the plan, asks, and only then moves refs.
//!
//! What the words mean is in [`args`], how the plan is told in [`told`]. The rewrite itself is [`git::prepare`](crate::git::prepare).

mod adopt;
mod args;
mod ban;
mod notice;
mod push;
mod remote;
mod told;

use std::path::Path;

use gix::hash::oid;

pub use args::ScrubArgs;
use args::Step;
pub use ban::stop as stop_banned;

use super::failure::{Failure, Kind};
use super::session::Session;
use super::shown;
use crate::git::{
    self, GitError, MissingCheckouts, Prepared, Refs, Repository, RewriteError, RunFolder, RunState, SwitchPlan,
};
use crate::host::{clock, files, random};
use crate::scrub::{self, Mapped, ObjectError, Plan, Rules};

/// Runs it.
pub fn run(args: ScrubArgs, session: &Session) -> Result<(), Failure> {
    let repository = Repository::open(Path::new("."), &session.environment)
        .map_err(|error| git_failure(&error).hint("run it in the repository whose history is to change"))?;
    if let Some(Step::Remote(step)) = &args.step {
        return remote::run(step, &repository, session);
    }
    if let Some(step) = args.step {
        return after(step, &repository, session);
    }
    let rules = args.selection.rules(&repository)?;
    if args.fetch {
        remote::fetch(&repository, session)?;
    }
    let refs = Refs::read(&repository).map_err(|error| git_failure(&error))?;
    let refusals = git::refusals(&repository, &refs, MissingCheckouts::Refuse, None);
    let refusals = refusals.map_err(|error| git_failure(&error))?;
    if !refusals.is_empty() {
        return Err(told::refusals(&refusals));
    }
    let wishes = args.selection.in_words(&rules);
    let digest = scrub::digest(refs.tips().map(|(name, id)| (name.as_ref(), id)), &wishes);
    let run = new_run(&repository)?;
    let outcome = rewrite(&args, session, &repository, &refs, &run, rules, digest);
    // From the first step of moving refs on, the folder is what leads on and back.
    if !run.journal().exists() {
        run.remove().map_err(|error| git_failure(&error))?;
    }
    outcome
}

/// Goes on with, or back from, the last run that has something to go on with.
fn after(step: Step, repository: &Repository, session: &Session) -> Result<(), Failure> {
    let runs = git::status(repository).map_err(|error| told::switch_failure(&error))?;
    if step == Step::Status {
        let line = |(run, state): &(RunFolder, RunState)| format!("{}  {}\n", run.name(), told::state(*state));
        return session.answer(runs.iter().map(line).collect::<String>().as_bytes());
    }
    let is_meant = |state: &RunState| match step {
        Step::Resume => *state == RunState::Switching,
        _ => matches!(state, RunState::Switching | RunState::Undoing | RunState::Switched),
    };
    let Some((run, _)) = runs.iter().rev().find(|(_, state)| is_meant(state)) else {
        return Err(
            Failure::new(Kind::NotFound, "there is no rewrite to go on with or back from").hint("seal scrub status")
        );
    };
    let done = match step {
        Step::Resume => git::resume(repository, run),
        _ => git::undo(repository, run),
    };
    let done = done.map_err(|error| told::switch_failure(&error))?;
    if step == Step::Undo {
        ban::lift(repository, run)?;
    }
    session.say(&format!("{} {}", if step == Step::Resume { "moved" } else { "put back" }, told::refs_moved(&done)));
    Ok(())
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
    prepared.write_map(run).map_err(|error| git_failure(&error))?;
    let record = notice::write(repository, run, refs, &plan, &prepared)?;
    let map = |id: &oid| prepared.mapped(id).unwrap_or(Mapped::Same);
    let missing = MissingCheckouts::Refuse;
    let switch = SwitchPlan { repository, run, refs, moves: &prepared.moves, map: &map, missing };
    let done = git::switch(&switch).map_err(|error| told::switch_failure(&error))?;
    ban::after_switch(repository, run, &record)?;
    told::switched(&done).iter().for_each(|line| session.say(line));
    Ok(())
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
