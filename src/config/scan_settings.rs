//! `.seal/scan.toml`: own rules, changes to the built-in ones, what may stay, and what a gate stops.
//!
//! Another scanner's settings come out as the same [`ScanSettings`] ([`foreign_rules`](super::foreign_rules)). Reading files is the
//! caller's: [`load`](ScanSettings::load) asks for the text of each.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use regex::bytes::Regex;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::foreign_rules::{self, Overlay};
use crate::document::nearest;
use crate::scan::{
    Allow, Confidence, Finding, Paths, Rule, RuleError, Ruleset, Salt, Severity, is_called, is_fingerprint, parse_date,
};

/// What a repository says about scanning it.
#[derive(Debug, Default)]
pub struct ScanSettings {
    /// What fingerprints are keyed with.
    pub salt: Salt,
    /// What stops a hook or a pipeline.
    pub gate: Gate,
    /// Changes to rules, by id.
    pub tunes: BTreeMap<String, Tune>,
    /// What may stay.
    pub allow: Vec<Allow>,
    /// Own rules; one with the id of a built-in rule stands in its place.
    pub rules: Vec<Rule>,
    /// Rules that are off, by id or another tool's name; one that nobody knows is no error.
    pub disabled: Vec<String>,
    /// Rules whose finds only support those of others, by id.
    pub unreported: Vec<String>,
    /// Only these rules, by id or another tool's name; all where empty.
    pub only: Vec<String>,
    /// The built-in rules are off.
    pub without_built_in: bool,
    /// The file of the baseline.
    pub baseline: Option<PathBuf>,
    /// What could not be taken as it was meant, each in a line.
    pub warnings: Vec<String>,
    /// Another scanner's rules: new ones, and changes to those that are there.
    pub(super) overlays: Vec<Overlay>,
}

/// What stops a hook or a pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gate {
    /// The least confidence.
    pub confidence: Confidence,
    /// The least severity.
    pub severity: Severity,
    /// Also what stood there before the change that is looked at.
    pub preexisting: bool,
}

impl Default for Gate {
    fn default() -> Self {
        Self { confidence: Confidence::Medium, severity: Severity::Low, preexisting: false }
    }
}

impl Gate {
    /// Whether a finding stops it.
    pub fn stops(&self, finding: &Finding) -> bool {
        finding.suppressed.is_none()
            && finding.confidence >= self.confidence
            && finding.severity >= self.severity
            && (self.preexisting || !finding.preexisting)
    }
}

/// Changes to a rule.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tune {
    /// How bad its leak is.
    #[serde(default)]
    pub severity: Option<Severity>,
    /// How sure it is before checks, placeholders and place are weighed.
    #[serde(default)]
    pub confidence: Option<Confidence>,
    /// The least entropy of the credential, in bits a byte.
    #[serde(default)]
    pub entropy: Option<f64>,
    /// It is off.
    #[serde(default)]
    pub disabled: bool,
}

/// Why settings cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{}: {problem}", path.display(), line.map(|line| format!(":{line}")).unwrap_or_default())]
pub struct SettingsError {
    /// The file.
    pub path: PathBuf,
    /// The line, from 1, where it is known.
    pub line: Option<usize>,
    /// What is wrong and what would be right, in one line.
    pub problem: String,
}

impl SettingsError {
    pub(super) fn new(path: &Path, problem: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line: None, problem: problem.into() }
    }
}

/// The file, as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    extends: Option<String>,
    salt: Option<String>,
    baseline: Option<PathBuf>,
    #[serde(default)]
    gate: WrittenGate,
    #[serde(default)]
    tune: BTreeMap<String, Tune>,
    #[serde(default)]
    allow: Vec<WrittenAllow>,
    #[serde(default, rename = "rule")]
    rules: Vec<Rule>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenGate {
    confidence: Option<Confidence>,
    severity: Option<Severity>,
    preexisting: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
struct WrittenAllow {
    reason: String,
    until: Option<String>,
    condition: Option<Condition>,
    rules: Vec<String>,
    fingerprints: Vec<String>,
    values: Vec<String>,
    commits: Vec<String>,
    paths: Vec<String>,
    regexes: Vec<String>,
    matches: Vec<String>,
    lines: Vec<String>,
    words: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Condition {
    All,
    Any,
}

/// Settings that extend others that extend others … end here.
const MAX_DEPTH: usize = 4;

/// No honest settings are larger.
const MAX_BYTES: usize = 4 << 20;

impl ScanSettings {
    /// Reads a file and those that it extends. `read` gives the text of a file, or says why not.
    ///
    /// A file that a repository brings may name any other one as what it extends: what may be read is for `read` to decide.
    pub fn load(path: &Path, read: &mut dyn FnMut(&Path) -> Result<String, String>) -> Result<Self, SettingsError> {
        Self::load_at(path, read, 0)
    }

    fn load_at(
        path: &Path,
        read: &mut dyn FnMut(&Path) -> Result<String, String>,
        depth: usize,
    ) -> Result<Self, SettingsError> {
        let fail = |problem: String| SettingsError::new(path, problem);
        if depth == MAX_DEPTH {
            return Err(fail(format!("more than {MAX_DEPTH} files extend each other")));
        }
        let text = read(path).map_err(fail)?;
        let (settings, extended) = Self::parse(&text, path)?;
        let Some(extended) = extended else { return Ok(settings) };
        let extended = path.parent().unwrap_or(Path::new("")).join(extended);
        Ok(settings.on_top_of(Self::load_at(&extended, read, depth + 1)?))
    }

    /// Reads the text of the file at `path`; also gives the file that it extends, as it is written there.
    ///
    /// A file that has rules as gitleaks writes them, or is named as gitleaks names it, is read as gitleaks does.
    pub fn parse(text: &str, path: &Path) -> Result<(Self, Option<PathBuf>), SettingsError> {
        if text.len() > MAX_BYTES {
            return Err(SettingsError::new(path, format!("it is larger than {} MiB", MAX_BYTES >> 20)));
        }
        if foreign_rules::is_of_gitleaks(text, path) {
            return foreign_rules::parse_gitleaks(text, path);
        }
        let written: Written = parse_toml(text, path)?;
        let mut settings = Self {
            salt: Salt(written.salt.unwrap_or_default().into_bytes()),
            baseline: written.baseline.map(|file| path.parent().unwrap_or(Path::new("")).join(file)),
            tunes: written.tune,
            rules: written.rules,
            ..Self::default()
        };
        let gate = Gate::default();
        settings.gate = Gate {
            confidence: written.gate.confidence.unwrap_or(gate.confidence),
            severity: written.gate.severity.unwrap_or(gate.severity),
            preexisting: written.gate.preexisting.unwrap_or(gate.preexisting),
        };
        for (index, allow) in written.allow.into_iter().enumerate() {
            let origin = format!("{}: allow {}", path.display(), index + 1);
            let problem = |problem: String| SettingsError::new(path, format!("allow {}: {problem}", index + 1));
            settings.allow.push(allow.entry(origin).map_err(problem)?);
        }
        let extended = match written.extends.as_deref() {
            None | Some("default") => None,
            Some("none") => {
                settings.without_built_in = true;
                None
            }
            Some(file) => Some(PathBuf::from(file)),
        };
        Ok((settings, extended))
    }

    /// These settings, and below them those of the file they extend.
    fn on_top_of(self, mut base: Self) -> Self {
        base.tunes.extend(self.tunes);
        base.rules.retain(|rule| !self.rules.iter().any(|own| own.id == rule.id));
        base.rules.extend(self.rules);
        base.allow.extend(self.allow);
        base.disabled.extend(self.disabled);
        base.unreported.extend(self.unreported);
        base.overlays.extend(self.overlays);
        base.warnings.extend(self.warnings);
        Self {
            salt: if self.salt.0.is_empty() { base.salt } else { self.salt },
            gate: if self.gate == Gate::default() { base.gate } else { self.gate },
            only: if self.only.is_empty() { base.only } else { self.only },
            baseline: self.baseline.or(base.baseline),
            without_built_in: base.without_built_in,
            ..base
        }
    }

    /// The rules in force: the built-in ones with own ones, changed as these settings say.
    ///
    /// Adds to the warnings what is meant for a rule that nobody knows.
    pub fn apply_to_rules(&mut self, built_in: Ruleset) -> Result<Ruleset, RuleError> {
        let mut rules: Vec<Rule> = Vec::new();
        if !self.without_built_in {
            rules.extend(built_in.iter().map(|(_, rule)| rule.clone()));
        }
        for own in &self.rules {
            match rules.iter_mut().find(|rule| rule.id == own.id) {
                Some(rule) => *rule = own.clone(),
                None => rules.push(own.clone()),
            }
        }
        for overlay in &self.overlays {
            overlay.apply(&mut rules, &mut self.warnings);
        }
        for (id, tune) in &self.tunes {
            let unknown = |rules: &[Rule]| {
                let near = nearest(id, rules.iter().map(|rule| rule.id.as_str()));
                let meant = near.map(|near| format!(": did you mean {near}?")).unwrap_or_default();
                RuleError { file: format!("[tune.\"{id}\"]"), problem: format!("there is no rule `{id}`{meant}") }
            };
            let Some(rule) = rules.iter_mut().find(|rule| is_called(rule, id)) else { return Err(unknown(&rules)) };
            rule.severity = tune.severity.unwrap_or(rule.severity);
            rule.confidence = tune.confidence.unwrap_or(rule.confidence);
            rule.entropy = tune.entropy.or(rule.entropy);
            if tune.disabled {
                self.disabled.push(id.clone());
            }
        }
        for id in self.only.iter().chain(&self.disabled) {
            if !rules.iter().any(|rule| is_called(rule, id)) {
                self.warnings.push(format!("there is no rule `{id}`"));
            }
        }
        let is_one_of = |rule: &Rule, ids: &[String]| ids.iter().any(|id| is_called(rule, id));
        rules.retain(|rule| !is_one_of(rule, &self.disabled) && (self.only.is_empty() || is_one_of(rule, &self.only)));
        Ruleset::new(rules)
    }

    /// Takes away the findings of rules that only support others.
    pub fn drop_unreported(&self, findings: &mut Vec<Finding>, rules: &Ruleset) {
        findings.retain(|finding| !self.unreported.contains(&rules.rule(finding.rule).id));
    }
}

impl WrittenAllow {
    fn entry(self, origin: String) -> Result<Allow, String> {
        let regex = |text: &String| {
            Regex::new(text).map_err(|error| {
                let message = error.to_string();
                let why = message.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
                format!("`{text}` is not a regular expression: {why}")
            })
        };
        let regexes = |texts: &[String]| texts.iter().map(regex).collect::<Result<Vec<_>, _>>();
        let mut paths = Paths::default();
        paths.add_globs(&self.paths)?;
        let is_hash = |text: &String| (32..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit());
        if let Some(bad) = self.fingerprints.iter().find(|text| !is_fingerprint(text)) {
            return Err(format!("`{bad}` is not a fingerprint: it has 26 digits, of which 6 or more stand here"));
        }
        if !self.values.iter().all(is_hash) {
            return Err("values: 32 or more hexadecimal digits of a SHA-256 were expected".to_owned());
        }
        let entry = Allow {
            origin,
            reason: self.reason,
            until: self.until.as_deref().map(parse_date).transpose()?,
            rules: self.rules,
            needs_all: self.condition != Some(Condition::Any),
            fingerprints: self.fingerprints,
            values: self.values.iter().map(|digits| digits.to_ascii_lowercase()).collect(),
            commits: self.commits.iter().map(|id| id.to_ascii_lowercase()).collect(),
            paths,
            secrets: regexes(&self.regexes)?,
            matches: regexes(&self.matches)?,
            lines: regexes(&self.lines)?,
            words: self.words.iter().map(|word| word.to_ascii_lowercase()).collect(),
            positions: Vec::new(),
        };
        if !entry.has_criteria() && entry.rules.is_empty() {
            return Err(
                "it does not say what may stay: rules, fingerprints, values, commits, paths, regexes, matches, \
                        lines or words"
                    .to_owned(),
            );
        }
        Ok(entry)
    }
}

/// Reads TOML; an unknown key is an error that names the nearest known one, and no error quotes the text.
pub(super) fn parse_toml<T: DeserializeOwned>(text: &str, path: &Path) -> Result<T, SettingsError> {
    toml::from_str(text).map_err(|error| {
        let line = error.span().map(|span| 1 + text[..span.start.min(text.len())].matches('\n').count());
        let message = error.message().lines().next().unwrap_or_default().to_owned();
        let mut words = message.split('`').skip(1).step_by(2);
        let problem = match (message.starts_with("unknown field"), words.next()) {
            (true, Some(unknown)) => match nearest(unknown, words) {
                Some(meant) => format!("unknown key `{unknown}`: did you mean `{meant}`?"),
                None => format!("unknown key `{unknown}`{}", message.split_once(',').map_or("", |(_, rest)| rest)),
            },
            _ => message,
        };
        SettingsError { path: path.to_owned(), line, problem }
    })
}
