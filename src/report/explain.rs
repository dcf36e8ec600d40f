//! Why a finding was reported, or was not: the rule, what was checked, how that was weighed, what let it through.

use std::fmt::Write as _;

use super::view::{As, View};
use super::{Report, human, shown};
use crate::scan::{Confidence, Finding, Note};

/// So many places are gone through.
const PLACES: usize = 10;

/// All that led to a finding, as text of some lines.
pub fn explain(report: &Report<'_>, finding: &Finding) -> String {
    let view = View::new(report);
    let rule = view.rule(finding);
    let mut out = String::new();
    // Writing to a String cannot fail.
    let mut row = |name: &str, words: &str| _ = writeln!(out, "{name:<12} {}", shown(words));
    row("finding", &format!("{}  ({})", finding.fingerprint.short(), finding.fingerprint));
    let provider = if rule.provider.is_empty() { String::new() } else { format!(", {}", rule.provider) };
    row("rule", &format!("{}: {}{provider}", rule.id, rule.title));
    if !rule.keywords.is_empty() {
        row("looked for", &rule.keywords.join(", "));
    }
    let how = match (&rule.pattern, &rule.detector) {
        (Some(pattern), _) => format!("pattern {pattern}"),
        (None, Some(detector)) => format!("code: {detector}"),
        (None, None) => "code".to_owned(),
    };
    row("found by", &how);
    let secret = finding.secret.expose();
    row(
        "secret",
        &format!("{}, {} bytes, {:.1} bits of entropy a byte", view.secret(finding), secret.len(), entropy(secret)),
    );
    if let Some(least) = rule.entropy {
        row("entropy", &format!("the rule asks for {least:.1} or more"));
    }
    let checks = finding.notes.iter().any(|note| matches!(note, Note::CheckPasses(_) | Note::CheckFails(_)));
    if !checks {
        let words = match &rule.check {
            Some(check) => format!("{}, which says nothing of it", check.name()),
            None => "there is none for this kind: its shape is all there is".to_owned(),
        };
        row("check", &words);
    }
    for note in view.notes(finding) {
        row("note", &note);
    }
    let confidence = match (rule.confidence, finding.confidence) {
        (one, other) if one == other => format!("{}, as the rule says", other.name()),
        (one, Confidence::Info) => format!("info: it is none; the rule says {}", one.name()),
        (one, other) if other < one => format!("{}: lowered from {} by the notes above", other.name(), one.name()),
        (one, other) => format!("{}: raised from {} by the notes above", other.name(), one.name()),
    };
    row("confidence", &confidence);
    let severity = if finding.severity == rule.severity {
        format!("{}, as the rule says", finding.severity.name())
    } else {
        format!("{}: the rule says {}", finding.severity.name(), rule.severity.name())
    };
    row("severity", &severity);
    if let Some(whole) = finding.part_of {
        row("part of", &whole.short());
    }
    for place in finding.places.iter().take(PLACES) {
        row("place", &view.location(place, As::Raw));
        if let Some(first) = place.history.as_ref().and_then(|history| history.first.as_ref()) {
            row("", &format!("since {} {}", first.id.to_hex_with_len(10), human::on(first.time)));
        }
        match (&place.suppressed, &place.mark) {
            (Some(suppression), _) => row("", &super::view::SuppressionView::of(suppression).words()),
            (None, Some(mark)) => row("", &format!("the mark {} beside it does not count in this scan", mark.mark)),
            (None, None) => {}
        }
    }
    if finding.place_count > PLACES {
        row("", &format!("and {} more places", finding.place_count - PLACES));
    }
    let gate = &report.options.gate;
    let result = match human::suppression(finding) {
        Some(words) => words,
        None if gate.stops(finding) => "it stops a gate".to_owned(),
        None if finding.preexisting && !gate.preexisting => "it stops no gate: it stood there before".to_owned(),
        None => {
            let (confidence, severity) = (gate.confidence.name(), gate.severity.name());
            format!("it stops no gate: that takes {confidence} confidence and {severity} severity")
        }
    };
    row("result", &result);
    if !rule.revoke.is_empty() {
        row("revoke", &rule.revoke);
    }
    if !rule.docs.is_empty() {
        row("see", &rule.docs);
    }
    out
}

/// Shannon's entropy, in bits a byte.
pub(super) fn entropy(bytes: &[u8]) -> f64 {
    let mut counts = [0_usize; 256];
    bytes.iter().for_each(|byte| counts[usize::from(*byte)] += 1);
    let total = bytes.len() as f64;
    counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| *count as f64 / total)
        .map(|share| -share * share.log2())
        .sum()
}
