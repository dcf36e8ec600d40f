//! Markdown: the summary of a job, as `$GITHUB_STEP_SUMMARY` and comments on a merge request take it.
//!
//! Every text from outside goes through `cell`: it stays one cell of one row, and nothing in it is Markdown or HTML.

use std::io::{self, Write};

use super::shown;
use super::view::{As, View, count, is_there, number, size};

/// GitHub cuts a summary off at 1 MiB: so many rows stay below.
const MAX_ROWS: usize = 1000;

pub(super) fn write(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let report = view.report;
    let summary = view.summary();
    let told: Vec<_> =
        report.told().filter(|finding| finding.suppressed.is_none() && !view.wholes.have(finding)).collect();
    let heading = match told.len() {
        0 if report.is_complete() => "no secrets found".to_owned(),
        0 => "no secrets found, but not everything was looked through".to_owned(),
        many => format!("{}, {} of them stopping", count(many, "finding"), number(summary.stopping)),
    };
    writeln!(out, "### seal: {heading}\n")?;
    if !told.is_empty() {
        writeln!(out, "| | what | where | since | secret | name |\n|---|---|---|---|---|---|")?;
        for finding in told.iter().take(MAX_ROWS) {
            let place = finding.places.iter().find(|place| is_there(place)).or(finding.places.first());
            let Some(place) = place else { continue };
            let first = place.history.as_ref().and_then(|history| history.first.as_ref());
            let mut location = view.location(place, As::Shown);
            if finding.place_count > 1 {
                location += &format!(" and {} more", number(finding.place_count - 1));
            }
            let cells = [
                format!("{}, {} sure", finding.severity.name(), finding.confidence.name()),
                view.rule(finding).title.clone(),
                location,
                first.map(|commit| view.commit(commit)).unwrap_or_default(),
                view.secret(finding),
                finding.fingerprint.short(),
            ];
            writeln!(out, "| {} |", cells.map(|text| cell(&text)).join(" | "))?;
        }
        if told.len() > MAX_ROWS {
            writeln!(out, "\nand {} more", number(told.len() - MAX_ROWS))?;
        }
        writeln!(out, "\nRevoke what is real: taking it out of a file does not make it safe.")?;
    }
    let gaps = view.unscanned();
    if !gaps.is_empty() {
        writeln!(out, "\n**Incomplete:** {} not looked through.\n", count(gaps.len(), "text"))?;
        for gap in gaps.iter().take(20) {
            writeln!(out, "- {}: {}", cell(&gap.name), gap.reason)?;
        }
    }
    let allowed =
        if summary.suppressed > 0 { format!(", {} allowed", number(summary.suppressed)) } else { String::new() };
    writeln!(out, "\n{}, {} looked through{allowed}.", count(summary.texts, "text"), size(summary.bytes))
}

/// A text as one cell: what means something to Markdown or HTML is escaped.
fn cell(text: &str) -> String {
    let mut out = String::new();
    for c in shown(text).to_string().chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            // As entities, also for what turns `@name`, `#1` and addresses into links.
            '|' | '`' | '*' | '_' | '[' | ']' | '\\' | '~' | '!' | '@' | '#' | '$' | ':' => {
                out += &format!("&#{};", c as u32);
            }
            '\n' | '\r' => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
