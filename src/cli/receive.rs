//! What the hook pre-receive does on the side that receives: looks through a push within limits, and writes a line for each.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;

use serde_json::json;

use super::failure::{Failure, Kind};
use super::scan::{self, Outcome, RuleArgs, SourceArgs};
use super::session::Session;
use super::shown;
use crate::git::{Receiving, RefUpdate, Repository, Side};
use crate::host::{Variable, clock};
use crate::report::shown_bytes;

/// Looks through a push; `tell` says what of it stops. `lines` is what git gives to the hook.
pub fn receive(
    lines: Vec<u8>,
    session: &Session,
    tell: impl FnOnce(&Outcome) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let repository = Repository::open(std::path::Path::new("."), &session.environment)
        .map_err(|error| Failure { kind: Kind::Usage, ..error.into() })?;
    let receiving = Receiving::of(&repository)?;
    let pusher = [Variable::GlUsername, Variable::GiteaPusherName, Variable::RemoteUser]
        .into_iter()
        .find_map(|variable| session.environment.text(variable));
    let updates = RefUpdate::parse_received(&lines).map_err(|error| Failure { kind: Kind::Usage, ..error.into() })?;
    let log_line = |reason: &str| entry(&updates, pusher, "refused", Some(reason), None);
    // Nobody may skip this: it takes no looking through.
    if let Err(failure) = super::scrub::stop_banned(&repository, &updates, Side::Receiving, session) {
        let _ = write(&receiving.log, &log_line("it brings back what was taken out, or that could not be found out"));
        return Err(failure);
    }
    let skip = session.environment.push_options().iter().find_map(|option| option.to_str()?.strip_prefix("seal.skip="));
    let skip = skip.map(str::trim).filter(|reason| !reason.is_empty());
    let log = |decision: &str, reason: Option<&str>, outcome: Option<&Outcome>| {
        let line = entry(&updates, pusher, decision, reason, outcome);
        write(&receiving.log, &line).map_err(|why| {
            let failure = Failure::new(Kind::Output, "the push could not be written to the log of this repository");
            failure.hint(format!("for who keeps it: {}", shown(&why.to_string())))
        })
    };
    if let Some(reason) = skip {
        if receiving.lets_skip(pusher) {
            log("skipped", Some(reason), None)?;
            session.say("seal: not looked through, as the push asks; that is written down");
            return Ok(());
        }
        session.say("seal: seal.skip is not for you to say here");
    }
    let source = SourceArgs {
        pre_receive: true,
        lines: Some(lines),
        seconds: Some(receiving.seconds),
        bytes: Some(receiving.bytes),
        ..SourceArgs::default()
    };
    let outcome = match scan::scan(&source, &RuleArgs::default(), session) {
        Ok(outcome) => outcome,
        Err(failure) => {
            log("refused", Some("it could not be looked through"), None)?;
            return Err(failure);
        }
    };
    let report = outcome.report(&RuleArgs::default());
    let is_clean = report.stopping().next().is_none();
    if is_clean && !report.is_complete() && receiving.takes_incomplete {
        return log("accepted", Some("not everything could be looked through"), Some(&outcome));
    }
    log(if is_clean && report.is_complete() { "accepted" } else { "refused" }, None, Some(&outcome))?;
    tell(&outcome)
}

/// The line of a push: no secret, and no name that holds one.
fn entry(
    updates: &[RefUpdate],
    pusher: Option<&str>,
    decision: &str,
    reason: Option<&str>,
    outcome: Option<&Outcome>,
) -> serde_json::Value {
    use gix::bstr::ByteSlice as _;
    let findings = || outcome.into_iter().flat_map(|outcome| outcome.findings());
    let is_shown = |name: &[u8]| findings().all(|finding| !name.contains_str(finding.secret.expose()));
    let refs = updates.iter().map(|update| {
        let name = if is_shown(&update.name) { shown_bytes(&update.name).to_string() } else { "(hidden)".to_owned() };
        let id = |id: Option<gix::ObjectId>| id.map(|id| id.to_string());
        json!({"name": name, "old": id(update.old), "new": id(update.new)})
    });
    let mut line = json!({
        "schema": "seal.receive/1",
        "time": clock::now(),
        "pusher": pusher,
        "decision": decision,
        "reason": reason,
        "refs": refs.collect::<Vec<_>>(),
    });
    if let Some(outcome) = outcome {
        let report = outcome.report(&RuleArgs::default());
        let stopping = report.stopping().map(|finding| {
            json!({"fingerprint": finding.fingerprint.to_string(), "rule": report.rules.rule(finding.rule).id})
        });
        line["findings"] = stopping.collect();
        line["commits"] = json!(outcome.commits);
        line["texts"] = json!(report.coverage.texts);
        line["bytes"] = json!(report.coverage.bytes);
        line["not_scanned"] = json!(report.coverage.unscanned.len());
        line["seconds"] = json!((outcome.seconds() * 1000.0).round() / 1000.0);
    }
    line
}

fn write(file: &std::path::Path, line: &serde_json::Value) -> std::io::Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut log = std::fs::OpenOptions::new().append(true).create(true).mode(0o640).open(file)?;
    // In one piece, as others may write at the same time.
    log.write_all(format!("{line}\n").as_bytes())
}
