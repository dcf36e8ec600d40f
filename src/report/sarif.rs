//! SARIF 2.1.0, as GitHub code scanning takes it: a result for each finding and path, the worst first.
//!
//! Code scanning takes 25,000 results and 10 MB; what is beyond is left out and said. Sources: OASIS, "Static Analysis Results
//! Interchange Format 2.1.0"; GitHub, "SARIF support for code scanning".

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde_json::{Map, Value, json};

use super::view::{As, SuppressionView, View, count, is_there, number};
use crate::scan::{Confidence, Finding, Place, Rule, Severity, Source};

const MAX_RESULTS: usize = 25_000;
const MAX_BYTES: usize = 10_000_000;

/// Room for what stands around the results: rules, notes on what was left out.
const FOR_THE_REST: usize = 1_500_000;

/// So many gaps are named.
const MAX_NOTICES: usize = 200;

pub(super) fn write(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let report = view.report;
    let mut rules: BTreeMap<&str, &Rule> = BTreeMap::new();
    report.told().for_each(|finding| _ = rules.insert(&view.rule(finding).id, view.rule(finding)));
    let index: BTreeMap<&str, usize> = rules.keys().enumerate().map(|(index, id)| (*id, index)).collect();

    let mut results: Vec<String> = Vec::new();
    let mut bytes = 0;
    let mut left_out = 0;
    for finding in report.told() {
        for place in first_of_each_path(finding) {
            if left_out > 0 || results.len() == MAX_RESULTS {
                left_out += 1;
                continue;
            }
            let result = result(view, finding, place, index[view.rule(finding).id.as_str()]).to_string();
            if bytes + result.len() > MAX_BYTES - FOR_THE_REST {
                left_out += 1;
                continue;
            }
            bytes += result.len() + 2;
            results.push(result);
        }
    }

    let mut notices: Vec<Value> = Vec::new();
    if left_out > 0 {
        let words = format!(
            "{} left out: code scanning takes {} results and {} MB. The worst are here; other formats have all.",
            count(left_out, "result"),
            number(MAX_RESULTS as u64),
            MAX_BYTES / 1_000_000
        );
        notices.push(json!({ "level": "warning", "message": { "text": words } }));
    }
    let gaps = view.unscanned();
    for gap in gaps.iter().take(MAX_NOTICES) {
        let words = format!("{} was not looked through: {}", gap.name, gap.reason);
        notices.push(json!({ "level": "error", "message": { "text": words } }));
    }
    if gaps.len() > MAX_NOTICES {
        let words = format!("and {} more texts were not looked through", gaps.len() - MAX_NOTICES);
        notices.push(json!({ "level": "error", "message": { "text": words } }));
    }

    let driver = json!({
        "name": "seal",
        "semanticVersion": report.options.version,
        "rules": rules.values().map(|rule| described(rule)).collect::<Vec<_>>(),
    });
    let mut run = Map::new();
    run.insert("tool".to_owned(), json!({ "driver": driver }));
    let invocation = json!({ "executionSuccessful": report.is_complete(), "toolExecutionNotifications": notices });
    run.insert("invocations".to_owned(), json!([invocation]));
    run.insert("columnKind".to_owned(), json!("unicodeCodePoints"));
    if let Some(repository) = &report.options.repository {
        let mut provenance = Map::new();
        provenance.insert("repositoryUri".to_owned(), json!(repository.url));
        let fields = [("revisionId", &repository.revision), ("branch", &repository.branch)];
        for (name, value) in fields.iter().filter_map(|(name, value)| Some((*name, value.as_ref()?))) {
            provenance.insert(name.to_owned(), json!(value));
        }
        run.insert("versionControlProvenance".to_owned(), json!([provenance]));
    }
    // All but the results, which follow as they were made.
    let run = Value::Object(run).to_string();
    writeln!(
        out,
        "{{\"$schema\": \"https://json.schemastore.org/sarif-2.1.0.json\", \"version\": \"2.1.0\", \"runs\": ["
    )?;
    write!(out, "{}, \"results\": [", &run[..run.len() - 1])?;
    for (index, result) in results.iter().enumerate() {
        write!(out, "{}\n{result}", if index == 0 { "" } else { "," })?;
    }
    writeln!(out, "\n]}}]}}")
}

/// The place to show for each path: the one that can be changed now, else the first.
fn first_of_each_path(finding: &Finding) -> Vec<&Place> {
    let mut chosen: BTreeMap<Option<&[u8]>, &Place> = BTreeMap::new();
    for place in &finding.places {
        let path = place.source.path().map(|path| path.as_slice());
        let known = chosen.entry(path).or_insert(place);
        if is_there(place) && !is_there(known) {
            *known = place;
        }
    }
    chosen.into_values().collect()
}

fn described(rule: &Rule) -> Value {
    let advice = if rule.revoke.is_empty() { "Revoke it, then take it out.".to_owned() } else { rule.revoke.clone() };
    let markdown = match rule.docs.as_str() {
        "" => advice.clone(),
        docs => format!("{advice}\n\n[{docs}]({docs})"),
    };
    let mut described = json!({
        "id": rule.id,
        "name": rule.id,
        "shortDescription": { "text": rule.title },
        "fullDescription": { "text": full(rule) },
        "help": { "text": advice, "markdown": markdown },
        "defaultConfiguration": { "level": level(rule.severity) },
        "properties": {
            "tags": ["security", "secret"],
            "precision": precision(rule.confidence),
            "security-severity": score(rule.severity),
        },
    });
    if rule.docs.starts_with("https://") {
        described["helpUri"] = json!(rule.docs);
    }
    described
}

fn full(rule: &Rule) -> String {
    let of = if rule.provider.is_empty() { String::new() } else { format!(" of {}", rule.provider) };
    format!("{}{of}: whoever can read the file, or its history, has it.", rule.title)
}

fn result(view: &View<'_>, finding: &Finding, place: &Place, rule_index: usize) -> Value {
    let rule = view.rule(finding);
    let path = view.path(&place.source);
    let mut words = format!("{} {} ({} confidence)", rule.title, view.secret(finding), finding.confidence.name());
    if finding.place_count > 1 {
        words += &format!(", in {}", count(finding.place_count, "place"));
    }
    view.notes(finding).iter().for_each(|note| words += &format!("; {note}"));
    let mut region = json!({
        "startLine": place.line,
        "startColumn": place.column,
        "endLine": place.end_line,
        "endColumn": place.end_column,
        "snippet": { "text": view.excerpt(finding, place, As::Raw).0 },
    });
    if !matches!(place.source, Source::Name(_)) {
        region["byteOffset"] = json!(place.secret.start);
        region["byteLength"] = json!(place.secret.len());
    }
    let mut location = json!({
        "physicalLocation": {
            "artifactLocation": { "uri": uri(&path), "uriBaseId": "%SRCROOT%" },
            "region": region,
        },
    });
    if let Some(key_path) = &place.key_path {
        let name = view.text(key_path.as_bytes(), As::Raw);
        location["logicalLocations"] = json!([{ "fullyQualifiedName": name, "kind": "value" }]);
    }
    let mut result = json!({
        "ruleId": rule.id,
        "ruleIndex": rule_index,
        "level": level(finding.severity),
        "message": { "text": words },
        "locations": [location],
        "partialFingerprints": {
            "sealSecret/v1": finding.fingerprint.to_string(),
            "sealPlace/v1": format!("{}:{path}", finding.fingerprint),
        },
        "properties": { "confidence": finding.confidence.name(), "security-severity": score(finding.severity) },
    });
    if let Some(presence) = view.presence(place) {
        result["properties"]["presence"] = json!(presence);
    }
    if let Some(first) = place.history.as_ref().and_then(|history| history.first.as_ref()) {
        result["partialFingerprints"]["commitSha"] = json!(first.id.to_string());
    }
    // Without this array a viewer cannot tell "not suppressed" from "nobody looked".
    let suppressions: Vec<Value> = finding.suppressed.iter().map(suppressed).collect();
    result["suppressions"] = json!(suppressions);
    result
}

fn suppressed(suppression: &crate::scan::Suppression) -> Value {
    let told = SuppressionView::of(suppression);
    let kind = if told.by == "inline" { "inSource" } else { "external" };
    json!({ "kind": kind, "status": "accepted", "justification": told.words() })
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Info => "note",
    }
}

/// As code scanning takes it: above 9.0 critical, from 7.0 high, from 4.0 medium, below that low.
fn score(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "9.5",
        Severity::High => "8.0",
        Severity::Medium => "5.5",
        Severity::Low => "2.5",
        Severity::Info => "0.5",
    }
}

fn precision(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::High => "very-high",
        Confidence::Medium => "high",
        Confidence::Low => "medium",
        Confidence::Info => "low",
    }
}

/// A path as a relative URI.
fn uri(path: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/!$&'()*+,;=@".contains(&byte);
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        if is_plain(byte) { uri.push(byte as char) } else { uri += &format!("%{byte:02X}") }
    }
    // A path that begins with a slash would be an authority or a root.
    uri.trim_start_matches('/').to_owned()
}
