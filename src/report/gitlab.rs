//! GitLab's secret detection report, schema 15.2.1.
//!
//! Each vulnerability is a finding in one path. The format demands the time of the scan; it is the one the caller gave.

use std::collections::BTreeSet;
use std::io::{self, Write};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::view::{As, View, date, timestamp};
use crate::scan::{Finding, Place};

const VERSION: &str = "15.2.1";

/// What a commit is called where none is known, as GitLab's own analyzer calls it.
const NO_COMMIT: &str = "0000000";

pub(super) fn write(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let report = view.report;
    let time = timestamp(report.options.now).trim_end_matches('Z').to_owned();
    let tool = json!({ "id": "seal", "name": "seal", "version": report.options.version, "vendor": { "name": "seal" } });
    let message = |gap: super::view::UnscannedView| json!({ "level": "warn", "value": format!("{} was not looked through: {}", gap.name, gap.reason) });
    let messages: Vec<Value> = view.unscanned().into_iter().map(message).collect();
    let scan = json!({
        "analyzer": tool,
        "scanner": tool,
        "type": "secret_detection",
        "start_time": time,
        "end_time": time,
        "status": if report.is_complete() { "success" } else { "failure" },
        "messages": messages,
    });
    write!(out, "{{\"version\": \"{VERSION}\", \"scan\": {scan}, \"vulnerabilities\": [")?;
    let mut comma = "";
    for finding in report.told().filter(|finding| finding.suppressed.is_none()) {
        let mut paths = BTreeSet::new();
        for place in finding.places.iter().filter(|place| paths.insert(place.source.path())) {
            write!(out, "{comma}\n{}", vulnerability(view, finding, place))?;
            comma = ",";
        }
    }
    writeln!(out, "\n]}}")
}

fn vulnerability(view: &View<'_>, finding: &Finding, place: &Place) -> Value {
    let rule = view.rule(finding);
    let path = view.path(&place.source);
    let first = place.history.as_ref().and_then(|history| history.first.as_ref());
    let mut commit = json!({ "sha": first.map_or(NO_COMMIT.to_owned(), |commit| commit.id.to_string()) });
    if let Some(first) = first {
        commit["author"] = json!(view.text(&first.author, As::Raw));
        commit["date"] = json!(date(first.time));
        commit["message"] = json!(view.text(&first.summary, As::Raw));
    }
    let mut name: String = rule.title.chars().take(255).collect();
    if name.is_empty() {
        name = rule.id.clone();
    }
    let mut solution = rule.revoke.clone();
    if let Some(fix) = view.fix(finding) {
        solution += &format!("{}{fix}", if solution.is_empty() { "" } else { "\n" });
    }
    let mut vulnerability = json!({
        "id": id(&format!("{}:{path}", finding.fingerprint)),
        "name": name,
        "description": format!("{} {} ({} confidence)", rule.title, view.secret(finding), finding.confidence.name()),
        "severity": capital(finding.severity.name()),
        "identifiers": [{ "type": "seal_rule_id", "name": format!("seal rule {}", rule.id), "value": rule.id }],
        "location": {
            "file": path,
            "start_line": place.line,
            "end_line": place.end_line,
            "commit": commit,
        },
        "raw_source_code_extract": view.excerpt(finding, place, As::Raw).0,
    });
    if !solution.is_empty() {
        vulnerability["solution"] = json!(solution.chars().take(7000).collect::<String>());
    }
    if rule.docs.starts_with("https://") {
        vulnerability["links"] = json!([{ "url": rule.docs }]);
    }
    vulnerability
}

/// A UUID that is the same for the same finding in the same path: version 8 (RFC 9562) over SHA-256.
fn id(of: &str) -> String {
    let mut bytes: Vec<u8> = Sha256::digest(of)[..16].to_vec();
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

fn capital(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(chars).collect()
}
