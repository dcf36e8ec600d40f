//! How a plan is told: for people, with what to do first on top, and for programs.

use gix::bstr::ByteSlice as _;
use serde_json::json;

use super::args::{Format, ScrubArgs};
use crate::cli::failure::{Failure, Kind};
use crate::cli::session::Session;
use crate::git::{Proof, Refusal, RunState, SwitchError, Switched};
use crate::host::terminal::shown;
use crate::scrub::{Plan, RefKind};

/// Said first, always.
const ROTATE: &str =
    "change the credential first, where it comes from: rewriting history cleans up, it does not make it safe";

/// More paths than this are counted, not listed.
const MAX_PATHS: usize = 20;

/// Tells a plan.
pub fn plan(plan: &Plan, args: &ScrubArgs, session: &Session) -> Result<(), Failure> {
    match args.format {
        Format::Json => session.answer(format!("{:#}\n", as_json(plan)).as_bytes()),
        Format::Human => session.answer(in_words(plan, args).as_bytes()),
    }
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

/// How far a run is.
pub fn state(state: RunState) -> &'static str {
    match state {
        RunState::Written => "written; no ref has moved",
        RunState::Switching => "killed while it moved refs: seal scrub resume, or seal scrub undo",
        RunState::Undoing => "killed while it put refs back: seal scrub undo",
        RunState::Switched => "done; seal scrub undo puts all back",
        RunState::Finishing => "killed while it removed old objects: seal scrub finish",
        RunState::Undone => "undone",
    }
}

/// How many refs moved.
pub fn refs_moved(done: &Switched) -> String {
    counted(done.refs, "ref")
}

/// What moving refs did.
pub fn switched(done: &Switched) -> Vec<String> {
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
    lines.push("undo      seal scrub undo".to_owned());
    lines
}

fn in_words(plan: &Plan, args: &ScrubArgs) -> String {
    let mut lines = vec![format!("rotate    {ROTATE}")];
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
    lines.push(format!("plan      {}", spaced(&plan.digest)));
    lines.join("\n") + "\n"
}

/// A plan for programs.
pub fn as_json(plan: &Plan) -> serde_json::Value {
    let text = |bytes: &[u8]| bytes.to_str_lossy().into_owned();
    let paths = plan.paths.iter().map(|(path, versions)| json!({"path": text(path), "versions": versions}));
    let refs = plan.refs.iter().map(|moved| {
        json!({"name": text(&moved.name), "old": moved.old.to_string(), "new": moved.new.map(|id| id.to_string())})
    });
    json!({
        "rotate": ROTATE,
        "plan": plan.digest,
        "paths": paths.collect::<Vec<_>>(),
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

fn counted(count: usize, what: &str) -> String {
    counted_as(count, what, &format!("{what}s"))
}

fn counted_as(count: usize, one: &str, many: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {many}") }
}

fn spaced(digest: &str) -> String {
    digest.as_bytes().chunks(4).map(|four| String::from_utf8_lossy(four)).collect::<Vec<_>>().join(" ")
}
