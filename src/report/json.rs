//! `seal.scan/1`: everything that is known, as one document or as a line for each finding.
//!
//! Fields may be added; one that is changed or taken away makes it `seal.scan/2`. A finding is written as soon as it is made.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::json;

use super::view::{EntryView, View};

pub(super) const SCHEMA: &str = "seal.scan/1";

pub(super) fn write(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let report = view.report;
    let field = |name: &str, value: serde_json::Value, out: &mut dyn Write| -> io::Result<()> {
        write!(out, "  \"{name}\": ")?;
        serde_json::to_writer(&mut *out, &value)?;
        writeln!(out, ",")
    };
    writeln!(out, "{{")?;
    field("schema", SCHEMA.into(), out)?;
    field("tool", json!({ "name": "seal", "version": report.options.version }), out)?;
    field("complete", report.is_complete().into(), out)?;
    field("summary", serde_json::to_value(view.summary())?, out)?;
    field("not_scanned", serde_json::to_value(view.unscanned())?, out)?;
    let entries: Vec<EntryView<'_>> = report.applied.entries.iter().map(EntryView::of).collect();
    field("allow", serde_json::to_value(entries)?, out)?;
    write!(out, "  \"findings\": [")?;
    for (index, finding) in report.told().enumerate() {
        write!(out, "{}", if index == 0 { "\n" } else { ",\n" })?;
        let pretty = serde_json::ser::PrettyFormatter::with_indent(b"  ");
        view.finding(finding).serialize(&mut serde_json::Serializer::with_formatter(&mut *out, pretty))?;
    }
    writeln!(out, "\n  ]\n}}")
}

/// A line for each finding, and one at the end that sums up.
pub(super) fn write_lines(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    for finding in view.report.told() {
        serde_json::to_writer(&mut *out, &view.finding(finding))?;
        writeln!(out)?;
    }
    let end = json!({ "schema": SCHEMA, "complete": view.report.is_complete(), "summary": view.summary(),
        "not_scanned": view.unscanned() });
    serde_json::to_writer(&mut *out, &end)?;
    writeln!(out)
}
