//! `seal scrub verify`: whether what was to go is gone, everywhere in the repository's folder. Writes nothing.
//!
//! Looking is [`verify_absence`]'s; here it is told, with what keeps an object that is still there.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use gix::ObjectId;
use serde_json::json;

use super::super::failure::{Failure, Kind};
use super::super::session::Session;
use super::super::shown;
use super::args::Format;
use super::git_failure;
use super::leaked::LeakedArgs;
use super::told::{counted, switch_failure};
use super::value;
use crate::git::{self, Absence, Absent, Present, Repository, RunFolder, RunState, Verdict, verify_absence};
use crate::scrub::{Mapped, Placeholder, Redactor};

/// Check that nothing is left of it
///
/// Reads every object, packed or not, reachable or not, every reflog, index and other file of the repository's folder. Without a
/// value, it looks for the old objects of all rewrites that were carried out.
#[derive(Args, Debug, Clone, PartialEq, Eq)]
#[command(after_help = "\
Examples:
  seal scrub verify
  seal scrub verify --value-file leaked.txt

Exit codes: 0 CLEAN, 1 NOT CLEAN, 2 UNKNOWN, as not all could be read.")]
pub struct VerifyArgs {
    #[command(flatten)]
    leaked: LeakedArgs,
    /// Look for the old objects of this rewrite alone
    #[arg(long, value_name = "ID")]
    run: Option<String>,
    /// How to tell it
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

/// More of a kind are counted, not listed.
const MAX_LISTED: usize = 20;

/// Runs it.
pub fn run(args: &VerifyArgs, repository: &Repository, session: &Session) -> Result<(), Failure> {
    let values = args.leaked.values(repository, session)?;
    let objects = old_objects(args, repository)?;
    if values.is_empty() && objects.is_empty() {
        return Err(Failure::new(
            Kind::Usage,
            "there is nothing to look for: no value is named, and no rewrite was carried out",
        )
        .hint("seal scrub verify --value-file FILE"));
    }
    let searcher = value::searched(&values);
    let absent = Absent { values: searcher.as_ref(), objects, jobs: 0 };
    let absence = verify_absence(repository, &absent, &()).map_err(|error| git_failure(&error))?;
    // Names of files and refs may hold a value as well.
    let hider = match values.as_slice() {
        [] => None,
        values => Redactor::new(values, Placeholder::default())
            .or_else(|_| Redactor::new(values, Placeholder::ConstantLength))
            .ok(),
    };
    let hide = |text: &str| {
        let redacted = hider.as_ref().and_then(|hider| hider.words(text.as_bytes()));
        redacted.map_or_else(|| text.to_owned(), |redacted| String::from_utf8_lossy(&redacted.bytes).into_owned())
    };
    let answer = match args.format {
        Format::Human => in_words(&absence, &absent, &hide),
        Format::Json => format!("{:#}\n", as_json(&absence, &absent, &hide)),
    };
    session.answer(answer.as_bytes())?;
    match absence.verdict() {
        Verdict::Clean => Ok(()),
        Verdict::NotClean => Err(Failure::new(Kind::No, "")),
        Verdict::Unknown => Err(Failure::new(Kind::Unknown, "")),
    }
}

/// The objects that should be gone: those that rewrites which were carried out and not undone took away.
fn old_objects(args: &VerifyArgs, repository: &Repository) -> Result<BTreeSet<ObjectId>, Failure> {
    let states = git::status(repository).map_err(|error| switch_failure(&error))?;
    let states: BTreeMap<String, RunState> = states.into_iter().map(|(run, state)| (run.name(), state)).collect();
    let is_back =
        |name: &String| matches!(states.get(name), Some(RunState::Written | RunState::Undoing | RunState::Undone));
    let mut runs = RunFolder::finished(repository.common_dir()).map_err(|error| git_failure(&error))?;
    runs.extend(RunFolder::all(repository.common_dir()).map_err(|error| git_failure(&error))?);
    runs.sort_by_key(RunFolder::name);
    let is_meant = |run: &RunFolder| match &args.run {
        Some(id) => run.name() == *id && !is_back(id),
        None => !is_back(&run.name()),
    };
    let runs: Vec<RunFolder> = runs.into_iter().filter(is_meant).collect();
    if let (Some(id), true) = (&args.run, runs.is_empty()) {
        let failure = format!("there is no rewrite {}, or it was not carried out", shown(id));
        return Err(Failure::new(Kind::NotFound, failure).hint("seal scrub status"));
    }
    let mut old = BTreeSet::new();
    for run in &runs {
        let map = git::read_map(run).map_err(|error| git_failure(&error))?;
        old.extend(git::old_objects(run).map_err(|error| git_failure(&error))?);
        // What a later rewrite makes again is not old any more.
        for new in map.values() {
            if let Mapped::New(new) = new {
                old.remove(new);
            }
        }
    }
    Ok(old)
}

fn why(present: &Present) -> &'static str {
    if present.holds_value { "holds a value" } else { "should be gone" }
}

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Clean => "CLEAN",
        Verdict::NotClean => "NOT CLEAN",
        Verdict::Unknown => "UNKNOWN",
    }
}

fn in_words(absence: &Absence, absent: &Absent<'_>, hide: &dyn Fn(&str) -> String) -> String {
    let mut lines = Vec::new();
    let mebibytes = |bytes: u64| bytes.div_ceil(1 << 20);
    lines.push(format!(
        "looked    at {} ({} MiB) and {} ({} MiB)",
        counted(absence.objects_read, "object"),
        mebibytes(absence.object_bytes),
        counted(absence.files_read, "other file"),
        mebibytes(absence.file_bytes)
    ));
    let values = absent.values.map_or(0, crate::scrub::Searcher::values);
    lines.push(format!(
        "for       {} in every encoding, {}",
        counted(values, "value"),
        counted(absent.objects.len(), "old object")
    ));
    for (id, present) in absence.objects.iter().take(MAX_LISTED) {
        let kind = present.kind.map_or_else(|| "object".to_owned(), |kind| kind.to_string());
        lines.push(format!("{kind:9} {id} {}", why(present)));
        let stored: Vec<String> = present.stored.iter().map(|path| shown(path).to_string()).collect();
        lines.push(format!("          in {}", stored.join(", ")));
        let kept: Vec<String> = present.kept_by.iter().map(|by| shown(by).to_string()).collect();
        lines.push(match kept.as_slice() {
            [] => "          nothing leads to it: git prune --expire=now".to_owned(),
            kept => format!("          kept by {}", kept.join(", ")),
        });
    }
    if absence.objects.len() > MAX_LISTED {
        lines.push(format!("objects   {} more", absence.objects.len() - MAX_LISTED));
    }
    let mut list = |what: &str, texts: Vec<String>, behind: &str| {
        lines.extend(texts.iter().take(MAX_LISTED).map(|text| format!("{what:9} {}{behind}", shown(text))));
        if texts.len() > MAX_LISTED {
            lines.push(format!("{what:9} {} more", texts.len() - MAX_LISTED));
        }
    };
    let paths = |paths: &BTreeSet<std::path::PathBuf>| paths.iter().map(|path| path.display().to_string()).collect();
    list("file", paths(&absence.files), " in the repository's folder holds a value");
    list("names", paths(&absence.mentions), " names an old object");
    list("yours", paths(&absence.working), " in the working tree holds a value, and does not count");
    list("unread", absence.unread.iter().cloned().collect(), "");
    lines.push(format!("{:9} digest {}", verdict(absence.verdict()), absence.digest()));
    hide(&(lines.join("\n") + "\n"))
}

fn as_json(absence: &Absence, absent: &Absent<'_>, hide: &dyn Fn(&str) -> String) -> serde_json::Value {
    let paths = |paths: &BTreeSet<std::path::PathBuf>| {
        paths.iter().map(|path| hide(&path.to_string_lossy())).collect::<Vec<_>>()
    };
    let objects = absence.objects.iter().map(|(id, present)| {
        json!({
            "id": id.to_string(),
            "kind": present.kind.map(|kind| kind.to_string()),
            "holds_value": present.holds_value,
            "stored": present.stored.iter().map(|path| hide(&path.to_string_lossy())).collect::<Vec<_>>(),
            "kept_by": present.kept_by.iter().map(|by| hide(by)).collect::<Vec<_>>(),
        })
    });
    json!({
        "verdict": verdict(absence.verdict()),
        "digest": absence.digest(),
        "values": absent.values.map_or(0, crate::scrub::Searcher::values),
        "old_objects": absent.objects.len(),
        "looked_at": {
            "objects": absence.objects_read,
            "object_bytes": absence.object_bytes,
            "files": absence.files_read,
            "file_bytes": absence.file_bytes,
        },
        "objects": objects.collect::<Vec<_>>(),
        "files": paths(&absence.files),
        "mentions": paths(&absence.mentions),
        "working": paths(&absence.working),
        "unread": absence.unread.iter().map(|one| hide(one)).collect::<Vec<_>>(),
    })
}
