//! How a plan is told: for people, with what to do first on top, and for programs.

use gix::bstr::ByteSlice as _;
use serde_json::json;

use super::args::{Format, ScrubArgs};
use super::value::{Found, Wanted};
use crate::cli::failure::{Failure, Kind};
use crate::cli::session::Session;
use crate::git::{Kept, Proof, Refusal, RunFolder, RunState, SwitchError, Switched};
use crate::host::terminal::shown;
use crate::scrub::{Plan, RefKind};

/// Said first, always.
const ROTATE: &str =
    "change the credential first, where it comes from: rewriting history cleans up, it does not make it safe";

/// Said where no remote was seen to have what changes.
const STAYED: &str =
    "pushed    no: nothing left this machine, as far as its remote-tracking refs know; --finish ends it at once";

/// The same for programs.
const STAYED_KEY: &str = "nothing_left_this_machine";

/// More paths than this are counted, not listed.
const MAX_PATHS: usize = 20;

/// More objects than this are counted, not listed.
const MAX_KEPT: usize = 10;

/// What is to be done first.
pub fn rotate() -> String {
    format!("rotate    {ROTATE}")
}

/// Tells a plan, with what was found by value; `stayed` is whether nothing of it left this machine.
pub fn plan(
    plan: &Plan,
    found: &Found,
    report: &str,
    stayed: bool,
    wanted: &Wanted,
    args: &ScrubArgs,
    session: &Session,
) -> Result<(), Failure> {
    match args.format {
        Format::Json => session.answer(report.as_bytes()),
        Format::Human => session.answer(wanted.hide(&in_words(plan, found, stayed, args)).as_bytes()),
    }
}

/// A plan for programs, as the folder of its run keeps it.
pub fn report(plan: &Plan, found: &Found, stayed: bool, wanted: &Wanted) -> String {
    let mut json = as_json(plan, stayed);
    json["found"] = found.json.clone();
    wanted.hide_json(&mut json);
    format!("{json:#}\n")
}

/// Whether a report says that nothing left this machine.
pub fn has_stayed(report: Option<&[u8]>) -> bool {
    let report: Option<serde_json::Value> = report.and_then(|bytes| serde_json::from_slice(bytes).ok());
    report.is_some_and(|report| report[STAYED_KEY] == true)
}

/// A name that a file had, or got.
pub fn followed(name: &[u8]) -> String {
    format!("follow    {}, which it was or became by a rename", shown(&*name.to_str_lossy()))
}

/// What was proven before refs move.
pub fn proof(proof: &Proof) -> String {
    format!(
        "proven    {} read back from the disk; {} and {} differ from what they were in nothing else",
        counted(proof.objects, "new object"),
        counted(proof.commits, "commit"),
        counted(proof.trees, "tree")
    )
}

/// A repository that is not rewritten.
pub fn refusals(refusals: &[Refusal]) -> Failure {
    let first = refusals.first().map(ToString::to_string).unwrap_or_default();
    let failure = Failure::new(Kind::Refused, format!("history is as it was: {}", shown(&first)));
    let failure =
        refusals.iter().skip(1).fold(failure, |failure, one| failure.detail(shown(&one.to_string()).to_string()));
    refusals.iter().fold(failure, |failure, one| failure.hint(shown(&one.hint()).to_string()))
}

/// Refs that were not moved.
pub fn switch_failure(error: &SwitchError) -> Failure {
    let failure = Failure::new(Kind::Refused, shown(&error.to_string()).to_string());
    error.hints().iter().fold(failure, |failure, hint| failure.hint(shown(hint).to_string()))
}

/// What runs there are, and how far each is.
pub fn status(runs: &[(RunFolder, RunState)], finished: &[RunFolder]) -> String {
    if runs.is_empty() && finished.is_empty() {
        return "no rewrite has been carried out here\n".to_owned();
    }
    let begun = runs.iter().map(|(run, how_far)| (run.name(), state(*how_far)));
    let mut lines: Vec<(String, &str)> = begun.collect();
    lines.extend(finished.iter().map(|run| (run.name(), "finished; old objects are gone from here")));
    lines.sort();
    let lines: String = lines.iter().map(|(name, state)| format!("{name}  {state}\n")).collect();
    rotate() + "\n" + &lines
}

/// Old objects that are gone.
pub fn finished(objects: usize, has_left: bool) -> [String; 2] {
    let next = if has_left {
        "the remote has them still: seal scrub push"
    } else {
        "see that no value is left: seal scrub verify"
    };
    [format!("gone      {} of before; reflogs are kept, with the new ids", counted(objects, "object")), next_line(next)]
}

/// Old objects that are still there.
pub fn kept(kept: &[Kept], of: usize) -> Failure {
    let first = format!("NOT CLEAN: {} of {of} that were to go are still there", counted(kept.len(), "object"));
    let mut failure = Failure::new(Kind::No, first);
    for one in kept.iter().take(MAX_KEPT) {
        failure = failure.detail(format!("{} {}", one.id, shown(&one.by)));
    }
    if kept.len() > MAX_KEPT {
        failure = failure.detail(format!("{} more", kept.len() - MAX_KEPT));
    }
    failure
        .hint("take a file out wherever it is: seal scrub --blob ID")
        .hint("once nothing keeps them: seal scrub finish")
}

fn next_line(what: &str) -> String {
    format!("next      {what}")
}

/// How far a run is.
fn state(state: RunState) -> &'static str {
    match state {
        RunState::Written => "written; no ref has moved",
        RunState::Switching => "killed while it moved refs: seal scrub resume, or seal scrub undo",
        RunState::Undoing => "killed while it put refs back: seal scrub undo",
        RunState::Switched => "moved; old and new are both kept: seal scrub finish, or seal scrub undo",
        RunState::Finishing => "not all old objects are gone: seal scrub finish",
        RunState::Undone => "undone; all is as it was",
    }
}

/// How many refs moved.
pub fn refs_moved(done: &Switched) -> String {
    counted(done.refs, "ref")
}

/// What moving refs did.
pub fn switched(done: &Switched, finishes: bool) -> Vec<String> {
    let mut lines = vec![format!("done      {} moved; old and new are both kept", counted(done.refs, "ref"))];
    if !done.dropped_stashes.is_empty() {
        lines.push(format!(
            "dropped   {}, as nothing was left",
            counted_as(done.dropped_stashes.len(), "stash", "stashes")
        ));
    }
    for report in &done.checkouts {
        let mut tell = |files: &[gix::bstr::BString], what: &str| {
            lines.extend(files.iter().map(|file| format!("{:9} {} {what}", "file", shown(&file.to_string()))));
        };
        tell(&report.untracked, "stays on the disk, untracked");
        tell(&report.staged, "stays staged: the next commit would bring it back");
        tell(&report.edited, "was edited, and keeps its text");
    }
    if !finishes {
        lines.push("undo      seal scrub undo".to_owned());
        lines.push(next_line("remove the old objects for good: seal scrub finish"));
    }
    lines
}

fn in_words(plan: &Plan, found: &Found, stayed: bool, args: &ScrubArgs) -> String {
    let mut lines = vec![rotate()];
    lines.extend(found.lines.iter().cloned());
    if plan.is_empty() {
        lines.push("nothing   no commit, tag or ref has what was named; nothing will change".to_owned());
        return lines.join("\n") + "\n";
    }
    let action = if args.remove_to.is_some() { "replace" } else { "remove" };
    for (path, versions) in plan.paths.iter().take(MAX_PATHS) {
        lines.push(format!("{action:9} {}  {}", shown(&path.to_string()), counted(*versions, "version")));
    }
    if plan.paths.len() > MAX_PATHS {
        lines.push(format!("{action:9} {} more", counted(plan.paths.len() - MAX_PATHS, "path")));
    }
    if plan.removed > 0 {
        lines.push(format!("files     {}, {}", counted(plan.removed, "version"), bytes(plan.removed_bytes)));
    }
    for (path, id) in plan.elsewhere.iter().take(MAX_PATHS) {
        lines.push(format!("stays     {} is one of them: --blob {id} takes it too", shown(&path.to_string())));
    }
    if plan.elsewhere.len() > MAX_PATHS {
        lines.push(format!("stays     {} more", counted_as(plan.elsewhere.len() - MAX_PATHS, "copy", "copies")));
    }
    let first = plan.first_changed.first().map(|id| format!("  first changed {}", id.to_hex_with_len(7)));
    lines.push(format!("commits   {} of {} get a new id{}", plan.rewritten, plan.commits, first.unwrap_or_default()));
    if plan.pruned > 0 {
        lines.push(format!("pruned    {}, as nothing is left of them", counted(plan.pruned, "commit")));
    }
    if plan.merged > 0 {
        lines.push(format!("merged    {}, as another becomes the same", counted(plan.merged, "commit")));
    }
    if plan.merges_flattened > 0 {
        lines.push(format!("merges    {} keep one parent", plan.merges_flattened));
    }
    let kinds: Vec<String> = plan.refs_by_kind().iter().map(|(kind, count)| refs(*kind, *count)).collect();
    if !kinds.is_empty() {
        lines.push(format!("refs      {}", kinds.join(", ")));
    }
    let carried = [
        (plan.stashes, plan.stashes_dropped, "stash", "stashes", "change"),
        (plan.notes, plan.notes_dropped, "note", "notes", "follow what they are about"),
    ];
    for (stay, go, one, many, what) in carried.into_iter().filter(|(stay, go, ..)| stay + go > 0) {
        let go = if go > 0 { format!("; {go} go, as nothing is left") } else { String::new() };
        lines.push(format!("{many:9} {} {what}{go}", counted_as(stay, one, many)));
    }
    let gone: Vec<String> = plan
        .refs
        .iter()
        .filter(|moved| moved.new.is_none())
        .map(|moved| shown(&moved.name.to_string()).to_string())
        .collect();
    if !gone.is_empty() {
        lines.push(format!("deleted   {}, as nothing is left of what they name", gone.join(", ")));
    }
    if plan.signatures + plan.tag_signatures > 0 {
        let tags = counted(plan.tag_signatures, "tag signature");
        lines.push(format!("loses     {}, {tags}", counted(plan.signatures, "commit signature")));
    }
    let host = plan.refs_by_kind().get(&RefKind::Host).copied().unwrap_or(0);
    if host > 0 {
        lines.push(format!("cannot    {}: on the remote only its host can change them", refs(RefKind::Host, host)));
    }
    if stayed {
        lines.push(STAYED.to_owned());
    }
    lines.push(format!("plan      {}", spaced(&plan.digest)));
    lines.join("\n") + "\n"
}

/// A plan for programs.
fn as_json(plan: &Plan, stayed: bool) -> serde_json::Value {
    let text = |bytes: &[u8]| bytes.to_str_lossy().into_owned();
    let paths = plan.paths.iter().map(|(path, versions)| json!({"path": text(path), "versions": versions}));
    let elsewhere = plan.elsewhere.iter().map(|(path, id)| json!({"path": text(path), "blob": id.to_string()}));
    let refs = plan.refs.iter().map(|moved| {
        json!({"name": text(&moved.name), "old": moved.old.to_string(), "new": moved.new.map(|id| id.to_string())})
    });
    json!({
        "rotate": ROTATE,
        "plan": plan.digest,
        STAYED_KEY: stayed,
        "paths": paths.collect::<Vec<_>>(),
        "removed": {"versions": plan.removed, "bytes": plan.removed_bytes},
        "elsewhere": elsewhere.collect::<Vec<_>>(),
        "commits": {
            "all": plan.commits,
            "rewritten": plan.rewritten,
            "pruned": plan.pruned,
            "merged": plan.merged,
            "merges_flattened": plan.merges_flattened,
            "first_changed": plan.first_changed.iter().map(|id| id.to_string()).collect::<Vec<_>>(),
        },
        "signatures_lost": {"commits": plan.signatures, "tags": plan.tag_signatures},
        "tags": plan.tags,
        "notes": {"moved": plan.notes, "dropped": plan.notes_dropped},
        "stashes": {"rewritten": plan.stashes, "dropped": plan.stashes_dropped},
        "refs": refs.collect::<Vec<_>>(),
    })
}

fn refs(kind: RefKind, count: usize) -> String {
    let what = match kind {
        RefKind::Branch => return counted_as(count, "branch", "branches"),
        RefKind::Tag => "tag",
        RefKind::Remote => "remote-tracking ref",
        RefKind::Stash => return "the stash".to_owned(),
        RefKind::Notes => "notes ref",
        RefKind::Host => "ref of the host",
        RefKind::Other => "other ref",
    };
    match kind {
        RefKind::Host => counted_as(count, what, "refs of the host"),
        _ => counted(count, what),
    }
}

/// `1 blob`, `3 blobs`
pub fn counted(count: usize, what: &str) -> String {
    counted_as(count, what, &format!("{what}s"))
}

/// `1 branch`, `2 branches`
pub fn counted_as(count: usize, one: &str, many: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {many}") }
}

fn bytes(count: u64) -> String {
    match count {
        0..10_000 => format!("{count} bytes"),
        10_000..10_000_000 => format!("{} KB", count / 1000),
        _ => format!("{} MB", count / 1_000_000),
    }
}

fn spaced(digest: &str) -> String {
    digest.as_bytes().chunks(4).map(|four| String::from_utf8_lossy(four)).collect::<Vec<_>>().join(" ")
}
