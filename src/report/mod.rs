//! Findings as text, JSON, SARIF and what else pipelines read. Values in, bytes out: nothing is printed here.
//!
//! Every format takes what it says from one place (`view`), where secrets are hidden in whatever they stand in: an excerpt, a
//! path, the first line of a commit's message. A format is a file here and a variant of [`Format`].

mod brief;
mod code_quality;
mod csv;
mod explain;
mod github;
mod gitlab;
mod gitleaks;
mod html;
mod human;
mod json;
mod junit;
mod markdown;
mod redact;
mod sarif;
mod shown;
mod template;
mod view;
mod xml;

use std::collections::HashSet;
use std::io::{self, Write};
use std::path::PathBuf;
use std::str::FromStr;

use crate::config::{Gate, nearest};
use crate::scan::{Applied, Confidence, Coverage, Finding, Fingerprint, RuleIndex, Ruleset, Salt, Severity};

pub use explain::explain;
pub use gitleaks::{gitleaks_count, gitleaks_verbose};
pub use redact::{Redaction, redacted};
pub use shown::{Shown, shown, shown_bytes};

use view::View;

/// What a scan found, and how it is to be told.
#[derive(Debug)]
pub struct Report<'a> {
    /// The rules that were in force.
    pub rules: &'a Ruleset,
    /// The findings, in the order of [`scan::sort`](crate::scan::sort); suppressed ones too.
    pub findings: &'a [Finding],
    /// What was looked through.
    pub coverage: &'a Coverage,
    /// What became of the entries that let findings through.
    pub applied: &'a Applied,
    /// How it is to be told.
    pub options: Options,
}

/// How a report is told. Nothing in it is asked of the world: the caller has done so.
#[derive(Debug, Clone)]
pub struct Options {
    /// seal's version.
    pub version: String,
    /// How much of a secret is hidden where one is shown.
    pub redaction: Redaction,
    /// Whether machine-readable formats hold the secrets themselves.
    pub show_secrets: bool,
    /// Findings that are less sure are left out.
    pub least_confidence: Confidence,
    /// Findings that are less bad are left out.
    pub least_severity: Severity,
    /// What stops a gate.
    pub gate: Gate,
    /// What the hashes of secrets are keyed with.
    pub salt: Salt,
    /// The time of the scan in seconds since 1970, for formats that demand one.
    pub now: i64,
    /// How many commits were looked through, where commits were.
    pub commits: Option<u64>,
    /// How long it took, where that is asked for.
    pub seconds: Option<f64>,
    /// The repository, where it is known.
    pub repository: Option<Repository>,
    /// Whether text is coloured.
    pub colour: bool,
    /// Whether signs beyond ASCII can be shown.
    pub utf8: bool,
    /// How many characters a line has.
    pub width: usize,
    /// The text of the template.
    pub template: Option<String>,
}

/// Which repository, and where in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// Its URL, without credentials.
    pub url: String,
    /// The commit.
    pub revision: Option<String>,
    /// The branch.
    pub branch: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            redaction: Redaction::default(),
            show_secrets: false,
            least_confidence: Confidence::Low,
            least_severity: Severity::Info,
            gate: Gate::default(),
            salt: Salt::default(),
            now: 0,
            commits: None,
            seconds: None,
            repository: None,
            colour: false,
            utf8: true,
            width: 100,
            template: None,
        }
    }
}

/// What a report is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// For people, at a terminal.
    #[default]
    Human,
    /// One document, `seal.scan/1`.
    Json,
    /// A line for each finding.
    Jsonl,
    /// SARIF 2.1.0, as GitHub code scanning takes it.
    Sarif,
    /// JUnit: a test for each finding, failed.
    Junit,
    /// A row for each place.
    Csv,
    /// One page that needs nothing else.
    Html,
    /// Commands that a GitHub workflow understands.
    Github,
    /// GitLab's secret detection report.
    Gitlab,
    /// GitLab's code quality report.
    CodeQuality,
    /// The summary of a job, in Markdown.
    Markdown,
    /// gitleaks's JSON.
    GitleaksJson,
    /// gitleaks's CSV.
    GitleaksCsv,
    /// gitleaks's JUnit.
    GitleaksJunit,
    /// gitleaks's SARIF.
    GitleaksSarif,
    /// As [`Options::template`] says.
    Template,
}

/// A format, and the file it is written to; to standard output where none is named.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Destination {
    /// The format.
    pub format: Format,
    /// The file.
    pub file: Option<PathBuf>,
}

/// A word that names no format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no format `{word}`{}", meant.map_or(String::new(), |meant| format!(": did you mean {meant}?")))]
pub struct UnknownFormat {
    /// What was typed.
    pub word: String,
    /// What was meant.
    pub meant: Option<&'static str>,
}

impl Format {
    /// All of them by the words for them.
    pub const ALL: [(&'static str, Self); 16] = [
        ("human", Self::Human),
        ("json", Self::Json),
        ("jsonl", Self::Jsonl),
        ("sarif", Self::Sarif),
        ("junit", Self::Junit),
        ("csv", Self::Csv),
        ("html", Self::Html),
        ("github", Self::Github),
        ("gitlab", Self::Gitlab),
        ("code-quality", Self::CodeQuality),
        ("markdown", Self::Markdown),
        ("gitleaks", Self::GitleaksJson),
        ("gitleaks-csv", Self::GitleaksCsv),
        ("gitleaks-junit", Self::GitleaksJunit),
        ("gitleaks-sarif", Self::GitleaksSarif),
        ("template", Self::Template),
    ];
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(word: &str) -> Result<Self, UnknownFormat> {
        let known = Self::ALL.iter().find(|(name, _)| *name == word);
        known.map(|(_, format)| *format).ok_or_else(|| UnknownFormat {
            word: word.to_owned(),
            meant: nearest(word, Self::ALL.map(|(name, _)| name)),
        })
    }
}

impl FromStr for Destination {
    type Err = UnknownFormat;

    /// `FORMAT` or `FORMAT:FILE`.
    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        let (format, file) = match text.split_once(':') {
            Some((format, file)) => (format, Some(PathBuf::from(file))),
            None => (text, None),
        };
        Ok(Self { format: format.parse()?, file })
    }
}

/// Writes a report. A template that cannot be used is an error of kind `InvalidInput`.
pub fn write(format: Format, report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    let view = View::new(report);
    match format {
        Format::Human => human::write(&view, out),
        Format::Json => json::write(&view, out),
        Format::Jsonl => json::write_lines(&view, out),
        Format::Sarif => sarif::write(&view, out),
        Format::Junit => junit::write(&view, out),
        Format::Csv => csv::write(&view, out),
        Format::Html => html::write(&view, out),
        Format::Github => github::write(&view, out),
        Format::Gitlab => gitlab::write(&view, out),
        Format::CodeQuality => code_quality::write(&view, out),
        Format::Markdown => markdown::write(&view, out),
        Format::GitleaksJson => gitleaks::write_json(&view, out),
        Format::GitleaksCsv => gitleaks::write_csv(&view, out),
        Format::GitleaksJunit => gitleaks::write_junit(&view, out),
        Format::GitleaksSarif => gitleaks::write_sarif(&view, out),
        Format::Template => template::write(&view, out),
    }
}

/// Writes what stopped a hook, in at most 20 lines: what, where, how to fix it, how to let it through.
///
/// `heading` is the first line: what was stopped. `advice` is said before how to let it through.
pub fn write_brief(heading: &str, advice: &[String], report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    brief::write(heading, advice, &View::new(report), out)
}

/// What may have parts, see [`Report::wholes`].
#[derive(Debug)]
pub struct Wholes(HashSet<(Fingerprint, RuleIndex)>);

impl Wholes {
    /// Whether a finding is one of the parts: it need not be told apart, as it is bad for no other reason.
    pub fn have(&self, finding: &Finding) -> bool {
        finding.part_of.is_some_and(|whole| self.0.contains(&(whole, finding.rule)))
    }
}

impl Report<'_> {
    /// The findings that are told: sure and bad enough.
    pub fn told(&self) -> impl Iterator<Item = &Finding> {
        let options = &self.options;
        self.findings.iter().filter(|finding| {
            finding.confidence >= options.least_confidence && finding.severity >= options.least_severity
        })
    }

    /// Those that stop a gate.
    pub fn stopping(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| self.options.gate.stops(finding))
    }

    /// The findings that have parts which are told with them: an object and the keys of it.
    pub fn wholes(&self) -> Wholes {
        let alone = self.findings.iter().filter(|finding| finding.part_of.is_none() && finding.suppressed.is_none());
        Wholes(alone.map(|finding| (finding.fingerprint, finding.rule)).collect())
    }

    /// Whether everything was looked through.
    pub fn is_complete(&self) -> bool {
        self.coverage.unscanned.is_empty()
    }
}
