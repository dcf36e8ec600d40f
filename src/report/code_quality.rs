//! GitLab's code quality report: what a merge request shows beside the lines that it changes.
//!
//! Source: GitLab, "Code Quality", the subset of CodeClimate's format that it reads.

use std::collections::BTreeSet;
use std::io::{self, Write};

use serde_json::json;

use super::view::View;
use crate::scan::Severity;

pub(super) fn write(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let mut comma = "";
    write!(out, "[")?;
    for finding in view.report.told().filter(|finding| finding.suppressed.is_none()) {
        let rule = view.rule(finding);
        let mut places = BTreeSet::new();
        for place in &finding.places {
            let path = view.path(&place.source);
            if !places.insert((path.clone(), place.line)) {
                continue;
            }
            let issue = json!({
                "description": format!("{} {}", rule.title, view.secret(finding)),
                "check_name": rule.id,
                // Of one secret in several places each counts.
                "fingerprint": format!("{}:{path}:{}", finding.fingerprint, places.iter().filter(|(other, _)| *other == path).count()),
                "severity": severity(finding.severity),
                "categories": ["Security"],
                "location": { "path": path, "lines": { "begin": place.line, "end": place.end_line } },
            });
            write!(out, "{comma}\n{issue}")?;
            comma = ",";
        }
    }
    writeln!(out, "\n]")
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "blocker",
        Severity::High => "critical",
        Severity::Medium => "major",
        Severity::Low => "minor",
        Severity::Info => "info",
    }
}
