//! The words of `seal scan`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::rules::RulesArgs;
use crate::config::Gate;
use crate::report::{Destination, Format, Redaction};
use crate::scan::{Confidence, Severity};

/// Look for leaked secrets
///
/// Looks through the work tree: what git tracks and what it does not ignore. Other sources are chosen by a flag. Ends with 0 where
/// nothing is found that stops a gate, 1 where something is, 2 where the words typed or the settings are wrong, and 3 where not
/// everything could be looked through.
#[derive(Args, Default)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct ScanArgs {
    #[command(subcommand)]
    pub command: Option<ScanCommand>,
    #[command(flatten)]
    pub source: SourceArgs,
    #[command(flatten)]
    pub rules: RuleArgs,
    #[command(flatten)]
    pub tell: TellArgs,
}

const EXAMPLES: &str = "\
Examples:
  seal scan
  seal scan --staged
  seal scan --history
  seal scan --format sarif -o json:report.json
  git diff | seal scan -";

/// What is looked through.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "What is looked through (else the current folder)")]
pub struct SourceArgs {
    /// Files and folders; - for standard input
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// What is staged, as a commit made now would bring it
    #[arg(long, group = "source", conflicts_with = "paths")]
    pub staged: bool,
    /// What these commits bring, each of them: A..B
    #[arg(long, group = "source", conflicts_with = "paths", value_name = "RANGE")]
    pub commits: Option<String>,
    /// All that refs, HEAD, stashes, notes, reflogs and working trees lead to
    #[arg(long, group = "source", conflicts_with = "paths")]
    pub history: bool,
    /// With --history: also what nothing leads to any more
    #[arg(long, requires = "history")]
    pub all_objects: bool,
    /// With --history: look again through what was found clean before
    #[arg(long, requires = "history")]
    pub no_cache: bool,
    /// With --history: look through the whole of each version of a file
    #[arg(long, requires = "history")]
    pub no_delta_scan: bool,
    /// What a push to this remote brings; takes the lines of git's hook on standard input
    #[arg(long, group = "source", conflicts_with = "paths", num_args = 2, value_names = ["REMOTE", "URL"])]
    pub pre_push: Option<Vec<String>>,
    /// What a push brings here; takes the lines of git's hook on standard input
    #[arg(long, group = "source", conflicts_with = "paths")]
    pub pre_receive: bool,
    /// What the commits bring that no remote has
    #[arg(long, group = "source", conflicts_with = "paths")]
    pub unpushed: bool,
    /// Everything that a ref or HEAD leads to.
    #[arg(skip)]
    pub everything: bool,
    /// No more is looked through once so many seconds are over.
    #[arg(skip)]
    pub seconds: Option<u64>,
    /// No more bytes are looked through.
    #[arg(skip)]
    pub bytes: Option<u64>,
    /// Files are called as they were typed, whatever repository they lie in.
    #[arg(skip)]
    pub as_typed: bool,
    /// The lines that git gives to a hook, where they were read already.
    #[arg(skip)]
    pub lines: Option<Vec<u8>>,
    /// With --staged: only what stands on lines that HEAD does not have
    #[arg(long, requires = "staged")]
    pub changed_lines: bool,
    /// What standard input is called, for rules that look at paths
    #[arg(long, value_name = "NAME")]
    pub path: Option<PathBuf>,
    /// Also what git ignores
    #[arg(long)]
    pub ignored: bool,
    /// Also repositories inside this one, submodules among them
    #[arg(long)]
    pub nested: bool,
    /// Also inside archives and container images: tar, zip, gzip, zstd
    #[arg(long)]
    pub archive: bool,
    /// With --archive: how many archives in one another are followed
    #[arg(long, value_name = "N", requires = "archive")]
    pub archive_depth: Option<usize>,
    /// Also git's own files here, which no clone brings: .git/config and those of submodules, hooks
    #[arg(long)]
    pub local: bool,
    /// Ask git to fetch objects that a partial clone left out, and look through them too
    #[arg(long)]
    pub fetch_missing: bool,
    /// Larger files are read in parts: 64M, 1G
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub max_blob: Option<usize>,
    /// How many threads; else one for each core
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub jobs: usize,
    /// Whether work is shown as it goes on: auto, never, or a line of JSON on standard error now and then
    #[arg(long, value_name = "HOW", default_value = "auto", hide_default_value = true)]
    pub progress: Progress,
}

/// What is looked for, and what may stay.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "What is looked for")]
pub struct RuleArgs {
    /// Only this rule; may be given again
    #[arg(long = "rule", value_name = "ID")]
    pub only: Vec<String>,
    /// Not this rule; may be given again
    #[arg(long, value_name = "ID")]
    pub skip_rule: Vec<String>,
    /// Also the rules of this file; may be given again
    #[arg(long = "rules", value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Read these settings instead of .seal/scan.toml
    #[arg(long, value_name = "FILE")]
    pub settings: Option<PathBuf>,
    /// Let through what this baseline knows
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// Which encoded texts are decoded: those that hold the image of a word that matters, or all
    #[arg(long, value_name = "WHICH", default_value = "promising", hide_default_value = true)]
    pub decode: DecodeWord,
    /// How many encodings are undone one upon the other; else 4
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(..=16))]
    pub decode_depth: Option<u8>,
    /// The day, or the moment, by which it is judged what has expired: 2027-02-01, 2027-02-01T12:00:00Z
    #[arg(long, value_name = "DATE", value_parser = moment)]
    pub now: Option<i64>,
    /// Marks in files let nothing through
    #[arg(long)]
    pub no_inline: bool,
    /// Neither marks, nor entries of allow lists, nor a baseline let anything through
    #[arg(long)]
    pub no_allow: bool,
    /// What stops: SEVERITY, or SEVERITY/CONFIDENCE; else low/medium
    #[arg(long, value_name = "LEVEL", value_parser = gate)]
    pub fail_on: Option<(Severity, Option<Confidence>)>,
    /// Also what stood there before the change stops
    #[arg(long)]
    pub fail_on_preexisting: bool,
    /// No baseline is read.
    #[arg(skip)]
    pub ignores_baseline: bool,
    /// Settings as a text, where no file is named.
    #[arg(skip)]
    pub settings_text: Option<String>,
    /// Further files of what may stay, as gitleaks writes them.
    #[arg(skip)]
    pub gitleaksignores: Vec<PathBuf>,
    /// Say which entries let nothing through any more, and what a baseline knows that is gone
    #[arg(long)]
    pub report_unused: bool,
    /// The same, and they are an error
    #[arg(long)]
    pub fail_on_unused: bool,
}

/// How it is told.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "How it is told")]
pub struct TellArgs {
    /// human, json, jsonl, sarif, junit, csv, html, github, gitlab, code-quality, markdown, gitleaks or template
    #[arg(long, value_name = "FORMAT", default_value = "human", hide_default_value = true)]
    pub format: Format,
    /// Also write it there, as FORMAT:FILE; may be given again
    #[arg(long, short, value_name = "FORMAT:FILE")]
    pub output: Vec<Destination>,
    /// The file of the template
    #[arg(long, value_name = "FILE")]
    pub template: Option<PathBuf>,
    /// How much of a secret is hidden, in percent; else all but what is needed to recognise it
    #[arg(long, value_name = "PERCENT", num_args = 0..=1, default_missing_value = "100", require_equals = true)]
    pub redact: Option<Redaction>,
    /// Show secrets: at a terminal, and in machine-readable formats
    #[arg(long)]
    pub show_secrets: bool,
    /// Tell only what is at least as sure: high, medium, low, info; else low
    #[arg(long, value_name = "LEVEL", value_parser = confidence)]
    pub confidence: Option<Confidence>,
    /// Tell only what is at least as bad: critical, high, medium, low, info
    #[arg(long, value_name = "LEVEL", value_parser = severity)]
    pub severity: Option<Severity>,
    /// Also say how much was looked through in how long
    #[arg(long)]
    pub stats: bool,
}

/// Whether work is shown as it goes on.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Progress {
    /// On a terminal.
    #[default]
    Auto,
    /// No.
    Never,
    /// By lines of JSON.
    Json,
}

/// Which encoded texts are decoded.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum DecodeWord {
    /// Those that hold the image of a word that matters.
    #[default]
    Promising,
    /// All.
    All,
}

/// What else there is to do with findings.
#[derive(Subcommand)]
pub enum ScanCommand {
    Rules(RulesArgs),
    Baseline(Box<BaselineArgs>),
    Ignore(IgnoreArgs),
    Explain(ExplainArgs),
}

/// Keep a list of findings that are known
#[derive(Args)]
pub struct BaselineArgs {
    #[command(subcommand)]
    pub command: BaselineCommand,
}

/// What to do with a baseline.
#[derive(Subcommand)]
pub enum BaselineCommand {
    /// Know from now on all that is found
    #[command(after_help = "Examples:\n  seal scan baseline write")]
    Write(BaselineFileArgs),
    /// Say what is found that a baseline does not know, and the other way round
    #[command(after_help = "Examples:\n  seal scan baseline diff")]
    Diff(BaselineFileArgs),
    /// Take out what is no longer found
    #[command(after_help = "Examples:\n  seal scan baseline prune")]
    Prune(BaselineFileArgs),
}

/// A baseline, and what it is held against.
#[derive(Args)]
pub struct BaselineFileArgs {
    /// Its file; else that of the settings, else .seal/baseline.json
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    #[command(flatten)]
    pub source: SourceArgs,
    #[command(flatten)]
    pub rules: RuleArgs,
}

/// Let findings through, with a reason
///
/// Adds a line to .sealignore-secrets for each. It covers that secret wherever it stands, and no other one in its place.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  seal scan ignore F-7hq2-k3 --reason 'sample of the documentation' --until 2027-02-01\n  seal scan ignore --migrate           # what .gitleaksignore names, by fingerprints"
)]
pub struct IgnoreArgs {
    /// Fingerprints, as reports name them
    #[arg(value_name = "FINGERPRINT", required_unless_present = "migrate", conflicts_with = "migrate")]
    pub fingerprints: Vec<String>,
    /// Those that this file names by their place, in the work tree and in history; else .gitleaksignore
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = ".gitleaksignore", conflicts_with_all = ["reason", "until", "path"])]
    pub migrate: Option<PathBuf>,
    /// Why
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub reason: String,
    /// The last day on which it counts, as 2027-02-01
    #[arg(long, value_name = "DATE")]
    pub until: Option<String>,
    /// Only in files whose path matches
    #[arg(long, value_name = "GLOB")]
    pub path: Option<String>,
}

/// Say why something was reported, or was not
#[derive(Args)]
#[command(after_help = "Examples:\n  seal scan explain F-7hq2-k3\n  seal scan explain 'password = \"hunter2\"'")]
pub struct ExplainArgs {
    /// A fingerprint, or a line of text
    #[arg(value_name = "FINGERPRINT|LINE")]
    pub what: String,
}

impl RuleArgs {
    /// The same, whatever is known or may stay.
    pub fn without_baseline(&self) -> Self {
        Self { ignores_baseline: true, ..self.clone() }
    }

    /// What stops, as the settings say or as was typed.
    pub fn gate(&self, settings: Gate) -> Gate {
        let mut gate = settings;
        if let Some((severity, confidence)) = self.fail_on {
            gate.severity = severity;
            gate.confidence = confidence.unwrap_or(gate.confidence);
        }
        gate.preexisting |= self.fail_on_preexisting;
        gate
    }
}

const SEVERITIES: [Severity; 5] = [Severity::Info, Severity::Low, Severity::Medium, Severity::High, Severity::Critical];
const CONFIDENCES: [Confidence; 4] = [Confidence::Info, Confidence::Low, Confidence::Medium, Confidence::High];

fn severity(word: &str) -> Result<Severity, String> {
    let found = SEVERITIES.into_iter().find(|severity| severity.name() == word);
    found.ok_or_else(|| "one of critical, high, medium, low, info was expected".to_owned())
}

fn confidence(word: &str) -> Result<Confidence, String> {
    let found = CONFIDENCES.into_iter().find(|confidence| confidence.name() == word);
    found.ok_or_else(|| "one of high, medium, low, info was expected".to_owned())
}

fn gate(text: &str) -> Result<(Severity, Option<Confidence>), String> {
    match text.split_once('/') {
        Some((bad, sure)) => Ok((severity(bad)?, Some(confidence(sure)?))),
        None => Ok((severity(text)?, None)),
    }
}

fn moment(text: &str) -> Result<i64, String> {
    let wrong = |_| "a date such as 2027-02-01 was expected, or a moment such as 2027-02-01T12:00:00Z".to_owned();
    match text.parse::<jiff::civil::Date>() {
        Ok(date) if !text.contains(['T', ' ']) => {
            let midnight = date.to_datetime(jiff::civil::Time::midnight());
            jiff::tz::TimeZone::UTC.to_timestamp(midnight).map(|moment| moment.as_second()).map_err(wrong)
        }
        _ => text.parse::<jiff::Timestamp>().map(|moment| moment.as_second()).map_err(wrong),
    }
}

fn size(text: &str) -> Result<usize, String> {
    let (number, unit) = match text.find(|c: char| !c.is_ascii_digit()) {
        Some(at) => text.split_at(at),
        None => (text, ""),
    };
    let shift = match unit.trim_end_matches(['B', 'b', 'i']).to_ascii_uppercase().as_str() {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        _ => return Err("a size such as 64M or 1G was expected".to_owned()),
    };
    let number: usize = number.parse().map_err(|_| "a size such as 64M or 1G was expected".to_owned())?;
    number.checked_shl(shift).filter(|size| size >> shift == number).ok_or_else(|| "that is too large".to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_sizes_are_read() {
        assert_eq!(gate("high"), Ok((Severity::High, None)));
        assert_eq!(gate("critical/low"), Ok((Severity::Critical, Some(Confidence::Low))));
        assert!(gate("high/critical").is_err() && gate("").is_err() && gate("/").is_err());
        assert_eq!(
            (size("7"), size("64M"), size("1GiB"), size("2kb")),
            (Ok(7), Ok(64 << 20), Ok(1 << 30), Ok(2 << 10))
        );
        assert!(size("M").is_err() && size("1T").is_err() && size("99999999999999999999").is_err());
        assert!(size("18446744073709551615G").is_err());
        assert_eq!((moment("1970-01-02"), moment("1970-01-01T01:00:00Z")), (Ok(86_400), Ok(3600)));
        assert!(moment("tomorrow").is_err() && moment("2027-02-30").is_err() && moment("").is_err());
    }
}
