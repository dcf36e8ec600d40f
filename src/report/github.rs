//! Commands that a GitHub workflow turns into annotations: `::error file=…,line=…::…`.
//!
//! Source: GitHub, "Workflow commands for GitHub Actions"; the escapes are those of actions/toolkit's `command.ts`.

use std::io::{self, Write};

use super::view::{View, count};
use crate::scan::{Place, Source};

pub(super) fn write(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let report = view.report;
    for finding in report.told().filter(|finding| finding.suppressed.is_none()) {
        let Some(place) = finding.places.iter().find(|place| super::view::is_there(place)).or(finding.places.first())
        else {
            continue;
        };
        let command = if report.options.gate.stops(finding) { "error" } else { "warning" };
        let rule = view.rule(finding);
        let others = match finding.place_count {
            1 => String::new(),
            many => format!(", {} in all", count(many, "place")),
        };
        let location = view.location(place, super::view::As::Raw);
        let mut message = format!("{} {} in {location}{others}", view.secret(finding), finding.fingerprint.short());
        for advice in [rule.revoke.as_str(), &view.fix(finding).unwrap_or_default()] {
            if !advice.is_empty() {
                message += &format!("\n{advice}");
            }
        }
        let title = property(&format!("{} ({})", rule.title, finding.severity.name()));
        writeln!(out, "::{command} {}title={title}::{}", position(view, place), data(&message))?;
    }
    let gaps = report.coverage.unscanned.len();
    if gaps > 0 {
        let words = format!("{} could not be looked through: this result is incomplete", count(gaps, "text"));
        writeln!(out, "::warning title=Incomplete scan::{}", data(&words))?;
    }
    Ok(())
}

/// Where an annotation is put: what is in no file has no place in a change.
fn position(view: &View<'_>, place: &Place) -> String {
    if matches!(place.source, Source::Commit(_) | Source::Tag(_) | Source::Name(_)) {
        return String::new();
    }
    let file = property(&view.path(&place.source));
    let (line, end_line, column) = (place.line, place.end_line, place.column);
    // GitHub takes columns only where both are on one line.
    let columns =
        if line == end_line { format!("col={column},endColumn={},", place.end_column) } else { String::new() };
    format!("file={file},line={line},endLine={end_line},{columns}")
}

fn data(text: &str) -> String {
    let text: String = text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    // Other control characters would reach the terminal of who reads the log.
    text.split("%0A").map(|line| super::shown(line).to_string()).collect::<Vec<_>>().join("%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
