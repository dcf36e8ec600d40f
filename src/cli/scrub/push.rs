//! `seal scrub push`: shows what of a remote is old, asks, and moves that and nothing else.

use super::remote::{PushArgs, remote};
use super::{ban, notice};
use crate::cli::failure::{Failure, Kind};
use crate::cli::session::Session;
use crate::cli::shown;
use crate::git::{self, Deed, Moved, PushOutcome, RemoteRef, RemoteState, Repository};

/// So many refs are listed.
const MAX_ROWS: usize = 200;

/// Runs it.
pub fn run(args: &PushArgs, repository: &Repository, session: &Session) -> Result<(), Failure> {
    let remote = remote(args.remote.as_deref(), repository)?;
    let moved = Moved::of(repository)?;
    let Some(run) = moved.last_run() else { return Err(notice::nothing_moved()) };
    let state = git::remote_state(repository, &remote, &moved)?;
    session.answer(table(&remote, &state).as_bytes())?;
    if let Some(failure) = pushed_since(&remote, &state.refs) {
        return Err(failure);
    }
    if !state.refs.iter().any(|one| matches!(one.deed, Deed::Move(_) | Deed::Delete)) {
        session.say(&format!("nothing   to push: {} has no old history that a push can change", shown(&remote)));
        return Ok(());
    }
    if args.dry_run || !agreed(args, &remote, session)? {
        session.say("nothing has changed");
        return Ok(());
    }
    // Until the remote has the new history, what comes from there is old; from then on it must not go back.
    ban::contents(repository, &moved)?;
    let outcome = git::push_rewritten(repository, &remote, &state.refs, run)?;
    if outcome.refused.is_empty() {
        if !outcome.is_atomic {
            session.say("one by one: the remote does not take all refs at once");
        }
        session.say(&format!("pushed    {} of {}", refs(outcome.done.len()), shown(&remote)));
        session.say("next      tell the team and the host: seal scrub report");
        return Ok(());
    }
    // Somebody may have pushed between the look and the push.
    let now = git::remote_state(repository, &remote, &moved)?;
    Err(pushed_since(&remote, &now.refs).unwrap_or_else(|| refused(&remote, &outcome)))
}

fn table(remote: &str, state: &RemoteState) -> String {
    let mut text = String::new();
    for one in state.refs.iter().take(MAX_ROWS) {
        let new = match &one.deed {
            Deed::Move(new) => new.to_hex_with_len(10).to_string(),
            Deed::Delete => "deleted".to_owned(),
            Deed::Host => "as it is".to_owned(),
            Deed::Pushed(_) => "?".to_owned(),
        };
        let allowed = match &one.deed {
            Deed::Move(_) | Deed::Delete => "will be pushed",
            Deed::Host => "not by a push: only its host can change it",
            Deed::Pushed(_) => "no: somebody pushed",
        };
        let old = one.old.to_hex_with_len(10).to_string();
        text.push_str(&format!("{old}  {new:10}  {}  {allowed}\n", shown(&one.name.to_string())));
    }
    if state.refs.len() > MAX_ROWS {
        text.push_str(&format!("and {} more\n", state.refs.len() - MAX_ROWS));
    }
    if state.unknown > 0 {
        let unknown = refs(state.unknown);
        text.push_str(&format!("{unknown} of the host of {} were not looked at: seal scrub --fetch\n", shown(remote)));
    }
    text
}

fn agreed(args: &PushArgs, remote: &str, session: &Session) -> Result<bool, Failure> {
    if args.yes {
        return Ok(true);
    }
    if !session.terminal().can_ask() {
        session.say("to carry it out: the same with --yes");
        return Ok(false);
    }
    let question = format!("To put the new history in the place of the old one, type the remote's name ({remote}):");
    let answer = session.terminal().ask(&question, "--yes");
    let answer = answer.map_err(|error| Failure::new(Kind::Usage, error.to_string()))?;
    Ok(answer.trim() == remote)
}

/// What others pushed on top of the old history.
fn pushed_since(remote: &str, refs: &[RemoteRef]) -> Option<Failure> {
    let pushed = refs.iter().filter_map(|one| match &one.deed {
        Deed::Pushed(tip) => Some((one, tip)),
        _ => None,
    });
    let details: Vec<String> = pushed
        .map(|(one, tip)| {
            let (name, author, subject) = (one.name.to_string(), shown(&tip.author), shown(&tip.subject));
            format!("{}  {}  {author}  {}  {subject}", shown(&name), one.old.to_hex_with_len(10), shown(&tip.time))
        })
        .collect();
    if details.is_empty() {
        return None;
    }
    let message = format!("nothing was pushed: others pushed to {} on top of the old history", shown(remote));
    let failure = Failure::new(Kind::Refused, message);
    let failure = details.into_iter().fold(failure, Failure::detail);
    Some(failure.hint("rewrite that too: the same seal scrub again, with --fetch; then seal scrub push"))
}

fn refused(remote: &str, outcome: &PushOutcome) -> Failure {
    let done = if outcome.done.is_empty() {
        "nothing was pushed".to_owned()
    } else {
        format!("only {} pushed", were(outcome.done.len()))
    };
    let mut failure = Failure::new(Kind::Refused, format!("{done}: {} refused", shown(remote)));
    for (name, why) in outcome.refused.iter().take(20) {
        failure = failure.detail(format!("{}  {}", shown(&name.to_string()), shown(why)));
    }
    let said = outcome.said.lines().filter(|line| line.starts_with("remote:") || line.starts_with("fatal:"));
    for line in said.take(20) {
        failure = failure.detail(shown(line).to_string());
    }
    let failure = match outcome.refused.iter().any(|(_, why)| why.contains("declined") || why.contains("remote rejected")) {
        true => failure.hint("let the branch take a forced push for now, as its rule of protection says, and put the rule back afterwards"),
        false => failure,
    };
    failure.hint("then again: seal scrub push; what was pushed stays")
}

fn refs(count: usize) -> String {
    if count == 1 { "1 ref".to_owned() } else { format!("{count} refs") }
}

fn were(count: usize) -> String {
    format!("{} {}", refs(count), if count == 1 { "was" } else { "were" })
}
