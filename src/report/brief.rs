//! What a hook says when it stops: at most 20 lines, each of them safe for a terminal and for git's sideband.

use std::collections::BTreeSet;
use std::io::{self, Write};

use super::view::{As, View, count, is_there};

/// So many lines at most.
const LINES: usize = 20;

pub(super) fn write(heading: &str, advice: &[String], view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let stopping: Vec<_> = view.report.stopping().collect();
    let fixes: BTreeSet<String> = stopping.iter().filter_map(|finding| view.fix(finding)).collect();
    let mut tail: Vec<String> = fixes.iter().take(3).map(|fix| format!("fix:          {fix}")).collect();
    if stopping.iter().any(|finding| !view.rule(finding).revoke.is_empty()) {
        tail.insert(0, "first:        revoke what is real; whoever has seen it keeps it".to_owned());
    }
    tail.extend(advice.iter().cloned());
    if let Some(first) = stopping.first() {
        tail.push(format!("false alarm:  seal scan ignore {} --reason \"…\"", first.fingerprint.short()));
    }
    let gaps = view.report.coverage.unscanned.len();
    if gaps > 0 {
        tail.push(format!("incomplete:   {} could not be looked through", count(gaps, "text")));
        let some = view.unscanned();
        tail.extend(some.iter().take(3).map(|gap| format!("  {}: {}", super::shown(&gap.name), gap.reason)));
    }
    writeln!(out, "{heading}")?;
    let room = LINES.saturating_sub(2 + tail.len());
    for finding in stopping.iter().take(room) {
        let Some(place) = finding.places.iter().find(|place| is_there(place)).or(finding.places.first()) else {
            continue;
        };
        let history = place.history.as_ref().and_then(|history| history.first.as_ref());
        let commit = history.map(|commit| format!("  in commit {}", view.commit(commit))).unwrap_or_default();
        let title = super::shown(&view.rule(finding).title).to_string();
        let (location, secret) = (view.location(place, As::Shown), view.secret(finding));
        writeln!(out, "  {location}  {title}  {}  {}{commit}", super::shown(&secret), finding.fingerprint.short())?;
    }
    if stopping.len() > room {
        writeln!(out, "  and {} more: seal scan shows all", stopping.len() - room)?;
    }
    tail.iter().try_for_each(|line| writeln!(out, "{line}"))
}
