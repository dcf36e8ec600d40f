//! CSV: a row for each place (RFC 4180).

use std::io::{self, Write};

use super::view::View;

const COLUMNS: [&str; 19] = [
    "fingerprint",
    "rule",
    "title",
    "severity",
    "confidence",
    "stops",
    "path",
    "line",
    "column",
    "key_path",
    "secret",
    "blob",
    "commit",
    "author",
    "date",
    "in_head",
    "suppressed",
    "revoke",
    "fix",
];

pub(super) fn write(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    write_row(&COLUMNS.map(String::from), out)?;
    for finding in view.report.told() {
        let told = view.finding(finding);
        for (place, of) in told.places.iter().zip(&finding.places) {
            let first = place.history.as_ref().and_then(|history| history.first.as_ref());
            let in_head = place.history.as_ref().map(|history| history.in_head.to_string());
            let row = [
                told.fingerprint.clone(),
                told.rule.to_owned(),
                told.title.to_owned(),
                told.severity.to_owned(),
                told.confidence.to_owned(),
                told.stops.to_string(),
                view.path(&of.source),
                place.line.to_string(),
                place.column.to_string(),
                place.key_path.clone().unwrap_or_default(),
                told.secret.clone().unwrap_or_else(|| view.secret(finding)),
                place.blob.clone().unwrap_or_default(),
                place.object.clone().or(first.map(|commit| commit.id.clone())).unwrap_or_default(),
                first.map(|commit| commit.author.clone()).unwrap_or_default(),
                first.map(|commit| commit.time.clone()).unwrap_or_default(),
                in_head.unwrap_or_default(),
                place.suppressed.as_ref().map(|suppression| suppression.words()).unwrap_or_default(),
                told.revoke.to_owned(),
                told.fix.clone().unwrap_or_default(),
            ];
            write_row(&row, out)?;
        }
    }
    Ok(())
}

/// Writes a row. A cell that a spreadsheet would run as a formula begins with an apostrophe.
pub(super) fn write_row(cells: &[String], out: &mut dyn Write) -> io::Result<()> {
    let cell = |cell: &String| {
        let guard = if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
        let text = format!("{guard}{cell}");
        if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
    };
    writeln!(out, "{}", cells.iter().map(cell).collect::<Vec<_>>().join(","))
}
