//! `seal scrub`: takes files and leaked values out of history. Tells the plan, asks, and only then moves refs.
//!
//! What the words mean is in [`args`], how the plan is told in [`told`]. The rewrite itself is [`git::prepare`](crate::git::prepare).

mod adopt;
mod args;
mod ban;
mod leaked;
mod notice;
mod push;
mod remote;
mod seal_action;
mod told;
mod value;
mod verify;

use std::path::Path;

use gix::ObjectId;
use gix::hash::oid;

pub use args::ScrubArgs;
use args::{Signatures, Step};
pub use ban::stop as stop_banned;
use seal_action::Sealing;
use value::Scrub;

use super::failure::{Failure, Kind};
use super::session::Session;
use super::shown;
use crate::git::{
    self, GitError, MissingCheckouts, Prepared, Refs, Repository, RewriteError, RunFolder, RunState, SwitchPlan,
};
use crate::host::{clock, files, random};
use crate::scrub::{self, Adjust, Mapped, ObjectError, Plan, Rules};

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
    let mut rules = args.selection.rules(&repository, args.value.any())?;
    let sealing = args.value.seal.seal.then(|| {
        // What is sealed is not taken out.
        let selection = std::mem::take(&mut rules.paths);
        Sealing::new(session, repository.root(), selection, &args.value.seal)
    });
    let sealing = sealing.transpose()?;
    let wanted = args.value.read(&repository, session, args.remove || args.remove_to.is_some())?;
    if args.fetch {
        remote::fetch(&repository, session)?;
    }
    let refs = Refs::read(&repository).map_err(|error| git_failure(&error))?;
    let refusals = git::refusals(&repository, &refs, MissingCheckouts::Refuse, None);
    let refusals = refusals.map_err(|error| git_failure(&error))?;
    if !refusals.is_empty() {
        return Err(told::refusals(&refusals));
    }
    let mut rules = Rules { keeps_signatures: args.signatures == Signatures::KeepBroken, ..rules };
    if args.selection.follow {
        let found = git::follow(&refs, &mut rules.paths).map_err(|error| git_failure(&error))?;
        found.iter().for_each(|name| session.say(&told::followed(name)));
    }
    let run = new_run(&repository)?;
    let scrub = wanted.scrub(&repository, sealing);
    let outcome = rewrite(&args, session, &repository, &refs, &run, rules, scrub);
    let outcome = outcome.map_err(|failure| wanted.hide_failure(failure));
    // From the first step of moving refs on, the folder is what leads on and back.
    if !run.journal().exists() {
        run.remove().map_err(|error| git_failure(&error))?;
    }
    outcome
}

/// Goes on with, or back from, the last run that has something to go on with.
fn after(step: Step, repository: &Repository, session: &Session) -> Result<(), Failure> {
    if let Step::Verify(args) = &step {
        return verify::run(args, repository, session);
    }
    let runs = git::status(repository).map_err(|error| told::switch_failure(&error))?;
    if step == Step::Status {
        let finished = RunFolder::finished(repository.common_dir()).map_err(|error| git_failure(&error))?;
        return session.answer(told::status(&runs, &finished).as_bytes());
    }
    session.say(&told::rotate());
    if let Step::Finish { yes } = step {
        return finish_all(yes, repository, &runs, session);
    }
    let is_meant = |state: &RunState| match step {
        Step::Resume => *state == RunState::Switching,
        // One that is being finished says that it is too late.
        _ => !matches!(state, RunState::Written | RunState::Undone),
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

/// Ends all runs that have moved refs, oldest first: what one made may be what the next took away.
fn finish_all(
    yes: bool,
    repository: &Repository,
    runs: &[(RunFolder, RunState)],
    session: &Session,
) -> Result<(), Failure> {
    let is_meant = |state: &RunState| matches!(state, RunState::Switched | RunState::Finishing);
    let mut meant = runs.iter().filter(|(_, state)| is_meant(state)).peekable();
    if meant.peek().is_none() {
        return Err(Failure::new(Kind::NotFound, "there is no rewrite to finish").hint("seal scrub status"));
    }
    if !yes {
        const ASKED: &str = "Remove the old objects for good? Nothing can be undone after it.";
        if !session.terminal().can_ask() {
            return Err(Failure::new(Kind::Usage, "old objects would be removed for good, and nobody can be asked")
                .hint("seal scrub finish --yes"));
        }
        let agreed = session.terminal().confirm(ASKED, "--yes");
        if !agreed.map_err(|error| Failure::new(Kind::Usage, error.to_string()))? {
            session.say("nothing has changed");
            return Ok(());
        }
    }
    meant.try_for_each(|(run, _)| finish(repository, run, session))
}

/// Removes what a run has replaced.
fn finish(repository: &Repository, run: &RunFolder, session: &Session) -> Result<(), Failure> {
    let map = git::read_map(run).map_err(|error| git_failure(&error))?;
    let old: Vec<ObjectId> = git::old_objects(run).map_err(|error| git_failure(&error))?.into_iter().collect();
    let mapped = |id: &oid| map.get(id).copied().unwrap_or(Mapped::Same);
    let kept = git::finish(repository, run, &mapped, &old).map_err(|error| told::switch_failure(&error))?;
    if !kept.is_empty() {
        return Err(told::kept(&kept, old.len()));
    }
    let has_left = repository.has_remotes() && !told::has_stayed(run.report().as_deref());
    told::finished(old.len(), has_left).iter().for_each(|line| session.say(line));
    Ok(())
}

fn rewrite(
    args: &ScrubArgs,
    session: &Session,
    repository: &Repository,
    refs: &Refs,
    run: &RunFolder,
    rules: Rules,
    mut scrub: Scrub<'_>,
) -> Result<(), Failure> {
    let stand_in = args.remove_to.as_deref().map(files::read).transpose()?;
    let stand_in = stand_in.as_deref().map(|bytes| bytes.as_slice());
    let prepared = prepare(session, repository, refs, run, rules, stand_in, &mut scrub);
    let prepared = prepared.map_err(|failure| scrub.failure.take().unwrap_or(failure))?;
    let wanted = scrub.wanted();
    let selection = args.selection.in_words(&prepared.rules);
    let wishes = format!("{selection} {} {:?} {stand_in:?}", args.value.in_words(), args.signatures);
    let digest = scrub::digest(refs.tips().map(|(name, id)| (name.as_ref(), id)), &wishes);
    if args.plan_id.as_ref().is_some_and(|wanted| wanted.split_whitespace().collect::<String>() != digest) {
        return Err(Failure::new(Kind::Refused, "history is as it was: the plan is another one now")
            .hint("see it: the same with --dry-run and without --plan-id"));
    }
    let found = scrub.found();
    // Reads all trees: not where nobody would see it before it happens. The end says what stayed.
    let elsewhere = if args.yes { Ok(Vec::new()) } else { git::elsewhere(repository, refs, run, &prepared) };
    let plan = Plan {
        removed: prepared.removed.len(),
        removed_bytes: prepared.removed_bytes(repository).map_err(|error| git_failure(&error))?,
        elsewhere: elsewhere.map_err(|error| git_failure(&error))?,
        notes: prepared.notes.moved,
        notes_dropped: prepared.notes.dropped,
        stashes: prepared.stashes,
        stashes_dropped: prepared.dropped_stashes,
        ..Plan::of(digest, &prepared.history, &prepared.tips, &prepared.rewritten, &prepared.moves)
    };
    let map = |id: &oid| prepared.mapped(id).unwrap_or(Mapped::Same);
    let stayed = !plan.is_empty() && repository.nothing_left(refs, &map).map_err(|error| git_failure(&error))?;
    let report = told::report(&plan, &found, stayed, wanted);
    told::plan(&plan, &found, &report, stayed, wanted, args, session)?;
    found.hints.iter().for_each(|hint| session.say(&wanted.hide(hint)));
    if args.signatures == Signatures::Abort && plan.signatures + plan.tag_signatures > 0 {
        return Err(Failure::new(Kind::Refused, "history is as it was: signatures would be lost")
            .hint("let them go: --signatures drop"));
    }
    if plan.is_empty() || args.dry_run || !agreed(args, session)? {
        return Ok(());
    }
    wanted.check(repository, run)?;
    let proof = git::prove(repository, run, &prepared, wanted.rewords()).map_err(|error| rewrite_failure(&error))?;
    session.say(&told::proof(&proof));
    prepared.write_map(run).map_err(|error| git_failure(&error))?;
    let record = notice::write(repository, run, refs, &plan, &prepared, &report)?;
    let missing = MissingCheckouts::Refuse;
    let switch = SwitchPlan { repository, run, refs, moves: &prepared.moves, map: &map, missing };
    let done = git::switch(&switch).map_err(|error| told::switch_failure(&error))?;
    ban::after_switch(repository, run, &record)?;
    told::switched(&done, args.finish).iter().for_each(|line| session.say(&wanted.hide(line)));
    wanted.clean(repository, session)?;
    if args.finish { finish(repository, run, session) } else { Ok(()) }
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
    session: &Session,
    repository: &Repository,
    refs: &Refs,
    run: &RunFolder,
    rules: Rules,
    stand_in: Option<&[u8]>,
    adjust: &mut dyn Adjust,
) -> Result<Prepared, Failure> {
    let mut progress = None;
    let mut shown = 0;
    let prepared = git::prepare(repository, refs, run, rules, stand_in, adjust, |commits, of| {
        let progress =
            progress.get_or_insert_with(|| session.terminal().progress("rewriting commits", Some(of as u64)));
        if commits - shown >= 256 {
            progress.advance((commits - shown) as u64);
            shown = commits;
        }
    });
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
