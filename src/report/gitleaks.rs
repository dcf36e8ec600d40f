//! The reports of gitleaks 8.30, field by field, for pipelines that read them: an entry for each place.
//!
//! Secrets stand as `REDACTED` unless they are to be shown, as with its `--redact`. A rule is called as gitleaks calls it, where it
//! knows it. Columns are its: it counts the line end before a line into it.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Value, json};

use super::explain::entropy;
use super::view::{As, View, timestamp};
use super::{Report, csv, xml};
use crate::scan::{Finding, Place, Rule, Source};

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Leak {
    #[serde(rename = "RuleID")]
    rule_id: String,
    description: String,
    start_line: usize,
    end_line: usize,
    start_column: usize,
    end_column: usize,
    #[serde(rename = "Match")]
    matched: String,
    secret: String,
    file: String,
    symlink_file: String,
    commit: String,
    entropy: f32,
    author: String,
    email: String,
    date: String,
    message: String,
    tags: Vec<String>,
    fingerprint: String,
}

impl Leak {
    fn of(view: &View<'_>, finding: &Finding, place: &Place) -> Self {
        let rule = view.rule(finding);
        let rule_id = name_of(rule).to_owned();
        let shown = view.report.options.show_secrets;
        let secret = match shown {
            true => view.report.options.redaction_of_gitleaks(finding.secret.expose()),
            false => "REDACTED".to_owned(),
        };
        let (before, behind) = place.around_secret();
        let matched = format!("{}{secret}{}", view.text(before, As::Raw), view.text(behind, As::Raw));
        let file = match place.source {
            Source::Commit(_) | Source::Tag(_) => String::new(),
            _ => view.path(&place.source),
        };
        let first = place.history.as_ref().and_then(|history| history.first.as_ref());
        let commit = match (&place.source, first) {
            (Source::Commit(id), _) => id.to_string(),
            (_, Some(first)) => first.id.to_string(),
            _ => String::new(),
        };
        let prefix = if commit.is_empty() { String::new() } else { format!("{commit}:") };
        let text = |field: fn(&crate::scan::CommitRef) -> &[u8]| {
            first.map(|first| view.text(field(first), As::Raw)).unwrap_or_default()
        };
        let shift = |line: usize| usize::from(line > 1);
        Self {
            fingerprint: format!("{prefix}{file}:{rule_id}:{}", place.line),
            rule_id,
            description: rule.title.clone(),
            start_line: place.line,
            end_line: place.end_line,
            start_column: place.column + shift(place.line),
            end_column: (place.end_column + shift(place.end_line)).saturating_sub(1),
            matched,
            secret,
            file,
            symlink_file: String::new(),
            commit,
            entropy: entropy(finding.secret.expose()) as f32,
            author: text(|first| &first.author),
            email: text(|first| &first.email),
            date: first.map(|first| timestamp(first.time)).unwrap_or_default(),
            message: text(|first| &first.summary),
            tags: Vec::new(),
        }
    }

    /// What is said on the terminal with `--verbose`.
    fn verbose(&self) -> String {
        let mut rows = vec![("Finding", self.matched.as_str()), ("Secret", &self.secret), ("RuleID", &self.rule_id)];
        let (entropy, line) = (self.entropy.to_string(), self.start_line.to_string());
        rows.push(("Entropy", &entropy));
        if !self.file.is_empty() {
            rows.extend([("File", self.file.as_str()), ("Line", &line)]);
        }
        if !self.commit.is_empty() {
            let of_commit =
                [("Commit", &self.commit), ("Author", &self.author), ("Email", &self.email), ("Date", &self.date)];
            rows.extend(of_commit.map(|(name, value)| (name, value.as_str())));
        }
        rows.push(("Fingerprint", &self.fingerprint));
        rows.iter().map(|(name, value)| format!("{:<13}{}\n", format!("{name}:"), super::shown(value))).collect()
    }
}

/// The name gitleaks has for a rule, else ours.
fn name_of(rule: &Rule) -> &str {
    rule.aliases.first().unwrap_or(&rule.id)
}

impl super::Options {
    /// A secret as gitleaks shows it: so much of its beginning, and three dots.
    fn redaction_of_gitleaks(&self, secret: &[u8]) -> String {
        match self.redaction.percent() {
            0 => String::from_utf8_lossy(secret).into_owned(),
            100 => "REDACTED".to_owned(),
            percent => {
                let text = String::from_utf8_lossy(secret);
                let shown = text.chars().count() * usize::from(100 - percent) / 100;
                format!("{}...", text.chars().take(shown).collect::<String>())
            }
        }
    }
}

fn leaks<'a>(view: &'a View<'_>) -> impl Iterator<Item = Leak> + 'a {
    let open = view.report.told().filter(|finding| finding.suppressed.is_none());
    open.flat_map(move |finding| {
        let places = finding.places.iter().filter(|place| place.suppressed.is_none());
        places.map(move |place| Leak::of(view, finding, place))
    })
}

/// How many leaks gitleaks would count: each place is one.
pub fn gitleaks_count(report: &Report<'_>) -> usize {
    leaks(&View::new(report)).count()
}

/// What gitleaks says of each leak with `--verbose`.
pub fn gitleaks_verbose(report: &Report<'_>) -> String {
    leaks(&View::new(report)).map(|leak| leak.verbose() + "\n").collect()
}

pub(super) fn write_json(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    write!(out, "[")?;
    let mut separator = "\n";
    for leak in leaks(view) {
        let mut text = Vec::new();
        let pretty = serde_json::ser::PrettyFormatter::with_indent(b" ");
        leak.serialize(&mut serde_json::Serializer::with_formatter(&mut text, pretty))?;
        // One level deeper, as an item of the list.
        let text = String::from_utf8_lossy(&text).replace('\n', "\n ");
        write!(out, "{separator} {text}")?;
        separator = ",\n";
    }
    writeln!(out, "{}]", if separator == "\n" { "" } else { "\n" })
}

pub(super) fn write_csv(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let columns = [
        "RuleID",
        "Commit",
        "File",
        "SymlinkFile",
        "Secret",
        "Match",
        "StartLine",
        "EndLine",
        "StartColumn",
        "EndColumn",
        "Author",
        "Message",
        "Date",
        "Email",
        "Fingerprint",
        "Tags",
    ];
    let mut leaks = leaks(view).peekable();
    if leaks.peek().is_some() {
        csv::write_row(&columns.map(String::from), out)?;
    }
    for leak in leaks {
        let row = [
            leak.rule_id,
            leak.commit,
            leak.file,
            leak.symlink_file,
            leak.secret,
            leak.matched,
            leak.start_line.to_string(),
            leak.end_line.to_string(),
            leak.start_column.to_string(),
            leak.end_column.to_string(),
            leak.author,
            leak.message,
            leak.date,
            leak.email,
            leak.fingerprint,
            leak.tags.join(" "),
        ];
        csv::write_row(&row, out)?;
    }
    Ok(())
}

pub(super) fn write_junit(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let leaks: Vec<Leak> = leaks(view).collect();
    let many = leaks.len();
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>")?;
    writeln!(out, "\t<testsuite failures=\"{many}\" name=\"gitleaks\" tests=\"{many}\" time=\"\">")?;
    for leak in leaks {
        let mut message =
            format!("{} has detected a secret in file {}, line {}", leak.rule_id, leak.file, leak.start_line);
        if !leak.commit.is_empty() {
            message += &format!(", at commit {}", leak.commit);
        }
        let (message, kind) = (xml::escaped(&format!("{message}.")), xml::escaped(&leak.description));
        let text = xml::escaped(&serde_json::to_string_pretty(&leak)?);
        let file = xml::escaped(&leak.file);
        writeln!(out, "\t\t<testcase classname=\"{kind}\" file=\"{file}\" name=\"{message}\" time=\"\">")?;
        writeln!(out, "\t\t\t<failure message=\"{message}\" type=\"{kind}\">{text}</failure>\n\t\t</testcase>")?;
    }
    writeln!(out, "\t</testsuite>\n</testsuites>")
}

pub(super) fn write_sarif(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let rule = |rule: &Rule| json!({ "id": name_of(rule), "shortDescription": { "text": rule.title } });
    let rules: Vec<Value> = view.report.rules.iter().map(|(_, of)| rule(of)).collect();
    let result = |leak: Leak| {
        let mut words = format!("{} has detected secret for file {}", leak.rule_id, leak.file);
        if !leak.commit.is_empty() {
            words += &format!(" at commit {}", leak.commit);
        }
        let region = json!({
            "startLine": leak.start_line,
            "startColumn": leak.start_column,
            "endLine": leak.end_line,
            "endColumn": leak.end_column,
            "snippet": { "text": leak.secret },
        });
        json!({
            "message": { "text": format!("{words}.") },
            "ruleId": leak.rule_id,
            "locations": [{ "physicalLocation": { "artifactLocation": { "uri": leak.file }, "region": region } }],
            "partialFingerprints": {
                "commitSha": leak.commit,
                "email": leak.email,
                "author": leak.author,
                "date": leak.date,
                "commitMessage": leak.message,
            },
            "properties": { "tags": leak.tags },
        })
    };
    let results: Vec<Value> = leaks(view).map(result).collect();
    let report = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "gitleaks", "semanticVersion": "v8.0.0", "rules": rules } },
            "results": results,
        }],
    });
    serde_json::to_writer_pretty(&mut *out, &report)?;
    writeln!(out)
}
