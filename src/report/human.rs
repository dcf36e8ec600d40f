//! For people: each secret once, shown in its line, then what to do; a summary at the end.

use std::io::{self, Write};

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};
use anstyle::{AnsiColor, Style};

use super::shown;
use super::view::{As, SuppressionView, View, count, date, is_there, number, size};
use crate::scan::{Finding, Place, Severity};

const BAD: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const GOOD: Style = AnsiColor::Green.on_default().bold();
const HINT: Style = AnsiColor::Cyan.on_default().bold();

/// So many other places of a secret are named, and so many entries and gaps.
const FEW: usize = 5;

pub(super) fn write(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let alone = |finding: &&Finding| finding.suppressed.is_none() && !view.wholes.have(finding);
    for finding in view.report.told().filter(alone) {
        write_finding(view, finding, out)?;
        line(view, out, "")?;
    }
    write_summary(view, out)
}

/// One secret, as the compilers show a mistake.
pub(super) fn write_finding(view: &View<'_>, finding: &Finding, out: &mut dyn Write) -> io::Result<()> {
    let Some(place) = finding.places.iter().find(|place| is_there(place)).or(finding.places.first()) else {
        return Ok(());
    };
    let options = &view.report.options;
    let rule = view.rule(finding);
    let level = match finding.severity {
        Severity::Critical | Severity::High => Level::ERROR,
        Severity::Medium => Level::WARNING,
        Severity::Low | Severity::Info => Level::NOTE,
    };
    let (text, at) = view.excerpt(finding, place, As::Shown);
    let origin = view.name(&place.source, As::Shown);
    let label = format!("{} confidence", finding.confidence.name());
    let snippet = Snippet::source(text).line_start(place.line);
    let annotation = AnnotationKind::Primary.span(at).label(label);
    let mut group = level
        .with_name(finding.severity.name())
        .primary_title(shown(&rule.title).to_string())
        .id(shown(&rule.id).to_string())
        .element(Origin::path(origin).line(place.line).char_column(place.column))
        .element(snippet.annotation(annotation));
    for (name, words) in facts(view, finding, place) {
        group = group.element(Level::NOTE.with_name(name).message(words));
    }
    let renderer = if options.colour { Renderer::styled() } else { Renderer::plain() };
    let decor = if options.utf8 { DecorStyle::Unicode } else { DecorStyle::Ascii };
    let text = renderer.decor_style(decor).term_width(options.width).render(&[group]);
    // Between the place and the line stands a sign for lines left out, of which there are none.
    let is_gap = |line: &&str| line.contains('⸬') && !line.contains(['│', '├', '╰']) || line.trim() == "...";
    text.lines().filter(|text| !is_gap(text)).try_for_each(|text| line(view, out, text))
}

/// What is said below the line: a name and some words each.
fn facts(view: &View<'_>, finding: &Finding, place: &Place) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    facts.push(("id", finding.fingerprint.short()));
    if let Some(path) = &place.key_path {
        facts.push(("key", view.text(path.as_bytes(), As::Shown)));
    }
    let keys = view.keys(finding);
    if !keys.is_empty() {
        let named: Vec<String> = keys.iter().take(FEW).map(|key| view.text(key.as_bytes(), As::Shown)).collect();
        let more = if keys.len() > FEW { format!(", {} more", keys.len() - FEW) } else { String::new() };
        facts.push(("holds", format!("{}{more}", named.join(", "))));
    }
    if !place.layers.is_empty() {
        let names = place.layers.iter().map(|layer| serde_json::to_value(layer).unwrap_or_default());
        let names: Vec<String> = names.map(|name| name.as_str().unwrap_or_default().to_owned()).collect();
        facts.push(("encoded", names.join(" > ")));
    }
    if let Some(history) = &place.history {
        let mut words = history.first.as_ref().map(|first| view.commit(first)).unwrap_or_default();
        if let Some(presence) = view.presence(place) {
            words += &format!("{}{presence}", if words.is_empty() { "" } else { "  " });
        }
        let refs = view.refs(history);
        if !refs.is_empty() {
            words += &format!(": {refs}");
        }
        facts.push(("first seen", words));
    }
    let others: Vec<&Place> = finding.places.iter().filter(|other| !std::ptr::eq(*other, place)).collect();
    if !others.is_empty() {
        let named: Vec<String> = others.iter().take(FEW).map(|other| view.location(other, As::Shown)).collect();
        let rest = finding.place_count - 1 - named.len();
        let more = if rest > 0 { format!(", {} more", number(rest as u64)) } else { String::new() };
        facts.push(("also in", format!("{}{more}", named.join(", "))));
    }
    facts.extend(view.notes(finding).iter().map(|note| ("why", shown(note).to_string())));
    if finding.preexisting {
        facts.push(("known", "it stood there before this change".to_owned()));
    }
    let rule = view.rule(finding);
    if !rule.revoke.is_empty() {
        facts.push(("revoke", shown(&rule.revoke).to_string()));
    }
    if let Some(fix) = view.fix(finding) {
        facts.push(("fix", fix));
    }
    facts
}

fn write_summary(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let report = view.report;
    let summary = view.summary();
    let expired: Vec<_> = report.applied.expired().collect();
    for entry in expired.iter().take(FEW) {
        let origin = shown(&entry.origin);
        let until = entry.until.as_deref().unwrap_or_default();
        let text = format!("{origin} expired on {until}: it covered {}", count(entry.findings, "finding"));
        marked(view, out, WARNING, "warning:", &text)?;
    }
    for entry in report.applied.used().take(FEW) {
        let until = entry.until.as_deref().map(|until| format!(", until {until}")).unwrap_or_default();
        let reason = if entry.reason.is_empty() { "no reason given" } else { &entry.reason };
        let text =
            format!("{} by {}: {}{until}", count(entry.findings, "finding"), shown(&entry.origin), shown(reason));
        line(view, out, &format!("allowed: {text}"))?;
    }
    let unused_names = report.applied.used().count().saturating_sub(FEW);
    if unused_names > 0 {
        line(
            view,
            out,
            &format!("allowed: and by {}", count(unused_names, "further entry").replace("entrys", "entries")),
        )?;
    }
    let mut words = String::from("scanned ");
    if let Some(commits) = summary.commits {
        words += &format!("{} commits, ", number(commits));
    }
    words += &format!("{}, {}", count(summary.texts, "text"), size(summary.bytes));
    if let Some(seconds) = summary.seconds {
        words += &format!(" in {seconds:.1} s");
    }
    let severities = [Severity::Critical, Severity::High, Severity::Medium, Severity::Low, Severity::Info];
    let found = severities.iter().filter_map(|severity| {
        let many = summary.by_severity.get(severity.name())?;
        Some(format!("{} {}", number(*many as u64), severity.name()))
    });
    let found: Vec<String> = found.collect();
    let mut results = vec![match summary.findings {
        0 => "no findings".to_owned(),
        many => format!("{} ({})", count(many, "finding"), found.join(", ")),
    }];
    if summary.suppressed > 0 {
        let soonest = report.applied.used().filter_map(|entry| entry.days_left).min();
        let soonest = soonest.map(|days| format!(" (the first until in {})", count(days.max(0) as usize, "day")));
        results.push(format!("{} allowed{}", number(summary.suppressed as u64), soonest.unwrap_or_default()));
    }
    if summary.in_lfs > 0 {
        results.push(format!("{} in Git LFS and not here", count(summary.in_lfs, "file")));
    }
    if summary.left_out > 0 {
        results.push(format!("{} not shown (--confidence info shows all)", number(summary.left_out as u64)));
    }
    let is_clean = summary.findings == 0 && report.is_complete();
    let style = if is_clean { GOOD } else { BAD };
    let style = if view.report.options.colour { style } else { Style::new() };
    line(view, out, &format!("{words}: {style}{}{style:#}", results.join(", ")))?;
    write_gaps(view, out)?;
    write_next(view, out)
}

/// What was not looked through.
fn write_gaps(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let gaps = view.unscanned();
    if gaps.is_empty() {
        return Ok(());
    }
    let text = format!("{} not looked through: this result is incomplete", count(gaps.len(), "text"));
    marked(view, out, WARNING, "incomplete:", &text)?;
    for gap in gaps.iter().take(FEW) {
        line(view, out, &format!("  {}  {}", shown(&gap.name), gap.reason))?;
    }
    if gaps.len() > FEW {
        line(view, out, &format!("  and {} more", number((gaps.len() - FEW) as u64)))?;
    }
    Ok(())
}

/// What to do next.
fn write_next(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let told = || view.report.told().filter(|finding| finding.suppressed.is_none());
    let Some(first) = told().next() else { return Ok(()) };
    if told().any(|finding| !view.rule(finding).revoke.is_empty()) {
        marked(view, out, HINT, "first:", "revoke what is real: taking it out of the file does not make it safe")?;
    }
    let fixes: std::collections::BTreeSet<String> = told().filter_map(|finding| view.fix(finding)).collect();
    for fix in fixes.iter().take(FEW) {
        marked(view, out, HINT, "fix:", fix)?;
    }
    let id = first.fingerprint.short();
    marked(view, out, HINT, "not a secret?", &format!("seal scan ignore {id} --reason \"…\""))?;
    marked(view, out, HINT, "why?", &format!("seal scan explain {id}"))
}

fn marked(view: &View<'_>, out: &mut dyn Write, style: Style, mark: &str, text: &str) -> io::Result<()> {
    let style = if view.report.options.colour { style } else { Style::new() };
    line(view, out, &format!("{style}{mark}{style:#} {text}"))
}

/// Writes a line, with other signs where the terminal has only ASCII.
fn line(view: &View<'_>, out: &mut dyn Write, text: &str) -> io::Result<()> {
    if view.report.options.utf8 {
        writeln!(out, "{text}")
    } else {
        writeln!(out, "{}", text.replace('·', "*").replace('…', "..."))
    }
}

/// What let a finding through, and until when, in words.
pub(super) fn suppression(finding: &Finding) -> Option<String> {
    let suppression = finding.suppressed.as_ref()?;
    Some(shown(&SuppressionView::of(suppression).words()).to_string())
}

/// A date in words, for who explains.
pub(super) fn on(time: i64) -> String {
    format!("on {}", date(time))
}
