//! `.gitleaks.toml`, read as ours.
//!
//! Its keys are taken in any case, as gitleaks takes them. What has no equal here is a warning for the one rule that has it, and
//! the run goes on. Source: gitleaks 8.30, config/config.go and its README.

use std::path::{Path, PathBuf};

use regex::bytes::Regex;
use serde::Deserialize;
use toml::Value;

use super::scan_settings::{ScanSettings, SettingsError, parse_toml};
use crate::crypt::in_rust_syntax;
use crate::scan::{Allow, Confidence, Edges, Near, Rule, Severity, is_called};

/// A rule of another scanner: a new one, or a change to one that is there under this name.
#[derive(Debug, Clone, Default)]
pub(super) struct Overlay {
    id: String,
    title: String,
    pattern: Option<String>,
    entropy: Option<f64>,
    keywords: Vec<String>,
    paths: Vec<String>,
    near: Vec<Near>,
}

/// A match of a rule without a bound of its own is looked for within so many bytes around a keyword: a private key fits.
const MAX_LEN: usize = 8 << 10;

/// More lines than a file has.
const WHOLE_FILE: usize = 1 << 32;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Written {
    extend: Extend,
    rules: Vec<WrittenRule>,
    allowlist: Option<Allowlist>,
    allowlists: Vec<Allowlist>,
    title: Option<Value>,
    description: Option<Value>,
    minversion: Option<Value>,
    #[serde(flatten)]
    rest: toml::Table,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Extend {
    usedefault: bool,
    path: Option<PathBuf>,
    url: Option<String>,
    disabledrules: Vec<String>,
    #[serde(flatten)]
    rest: toml::Table,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WrittenRule {
    id: String,
    description: String,
    regex: Option<String>,
    secretgroup: usize,
    entropy: Option<f64>,
    keywords: Vec<String>,
    path: Option<String>,
    tags: Vec<Value>,
    allowlist: Option<Allowlist>,
    allowlists: Vec<Allowlist>,
    required: Vec<Required>,
    skipreport: bool,
    #[serde(flatten)]
    rest: toml::Table,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Required {
    id: String,
    withinlines: Option<usize>,
    withincolumns: Option<usize>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Allowlist {
    description: String,
    condition: String,
    commits: Vec<String>,
    paths: Vec<String>,
    regexes: Vec<String>,
    regextarget: String,
    stopwords: Vec<String>,
    targetrules: Vec<String>,
    #[serde(flatten)]
    rest: toml::Table,
}

/// Whether a file is gitleaks's: by its name, or by the names that only gitleaks has.
pub(super) fn is_of_gitleaks(text: &str, path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let starts = |line: &str| {
        let line: String = line.to_ascii_lowercase().chars().filter(|c| !c.is_whitespace()).collect();
        ["[[rules]]", "[[allowlists]]", "[allowlist]", "[extend]"].iter().any(|start| line.starts_with(start))
    };
    name.contains("gitleaks") || text.lines().any(starts)
}

/// Reads gitleaks's settings; also gives the file that they extend.
pub(super) fn parse_gitleaks(text: &str, path: &Path) -> Result<(ScanSettings, Option<PathBuf>), SettingsError> {
    let written: Value = parse_toml(text, path)?;
    let written: Written = lower_keys(written).try_into().map_err(|error: toml::de::Error| {
        let message = error.message().lines().next().unwrap_or_default().to_owned();
        SettingsError::new(path, message)
    })?;
    let mut settings = ScanSettings { disabled: written.extend.disabledrules, ..ScanSettings::default() };
    settings.without_built_in = !written.extend.usedefault;
    let file = path.display();
    let mut warn = |what: &str, problem: &str| settings.warnings.push(format!("{file}: {what}: {problem}"));
    unknown_keys("the file", &written.rest, &mut warn);
    unknown_keys("extend", &written.extend.rest, &mut warn);
    let _ = (written.title, written.description, written.minversion);
    if written.extend.url.is_some() {
        warn("extend", "url is not followed: seal scans without a network");
    }
    let mut allow = Vec::new();
    for rule in written.rules {
        let what = format!("rule {}", rule.id);
        if rule.id.is_empty() {
            return Err(SettingsError::new(path, "a rule has no id"));
        }
        unknown_keys(&what, &rule.rest, &mut warn);
        let _ = rule.tags;
        let pattern = rule
            .regex
            .as_deref()
            .and_then(|regex| pattern(regex, rule.secretgroup.max(1)).map_err(|problem| warn(&what, &problem)).ok());
        if rule.regex.is_some() && pattern.is_none() {
            continue;
        }
        let paths = rule.path.as_deref().and_then(|path| {
            in_rust_syntax(path, 0).map_err(|problem| warn(&what, &format!("path is left out: {problem}"))).ok()
        });
        let near = rule.required.into_iter().map(|required| {
            if required.withincolumns.is_some() {
                warn(&what, "withinColumns counts as withinLines = 0");
            }
            let lines = required.withinlines.or(required.withincolumns.map(|_| 0)).unwrap_or(WHOLE_FILE);
            Near { rule: required.id, lines, required: true }
        });
        let near = near.collect();
        let mut keywords = rule.keywords;
        if keywords.iter().any(|word| word.len() < 3) {
            warn(&what, "a keyword is shorter than 3 bytes: it is run over whole files, which takes longer");
            keywords.clear();
        }
        for allowlist in rule.allowlist.into_iter().chain(rule.allowlists) {
            let allowlist = Allowlist { targetrules: vec![rule.id.clone()], ..allowlist };
            allow.extend(allowlist.entry(format!("{file}: {what}"), &what, &mut warn));
        }
        if rule.skipreport {
            settings.unreported.push(rule.id.clone());
        }
        let title = rule.description;
        let paths = paths.into_iter().collect();
        settings.overlays.push(Overlay { id: rule.id, title, pattern, entropy: rule.entropy, keywords, paths, near });
    }
    for (index, allowlist) in written.allowlist.into_iter().chain(written.allowlists).enumerate() {
        let what = format!("allowlist {}", index + 1);
        allow.extend(allowlist.entry(format!("{file}: {what}"), &what, &mut warn));
    }
    settings.allow = allow;
    Ok((settings, written.extend.path))
}

impl Allowlist {
    /// As an entry of ours; what it has that cannot be read is warned of and left out.
    fn entry(self, origin: String, what: &str, warn: &mut impl FnMut(&str, &str)) -> Option<Allow> {
        unknown_keys(what, &self.rest, warn);
        let mut entry = Allow {
            origin,
            reason: self.description,
            needs_all: matches!(self.condition.to_ascii_uppercase().as_str(), "AND" | "&&"),
            rules: self.targetrules,
            commits: self.commits.iter().map(|id| id.to_ascii_lowercase()).collect(),
            words: self.stopwords.iter().map(|word| word.to_ascii_lowercase()).collect(),
            ..Allow::default()
        };
        // With one criterion missing, one that needs all of them would cover more than it was meant to.
        let mut is_whole = true;
        let mut compiled = |texts: &[String]| -> Vec<Regex> {
            let compile = |text: &String| {
                let translated = in_rust_syntax(text, 0)?;
                Regex::new(&translated).map_err(|_| format!("`{text}` is too large or has a class that is not known"))
            };
            let mut take =
                |result: Result<Regex, String>| result.map_err(|problem| (is_whole = false, warn(what, &problem))).ok();
            texts.iter().map(compile).filter_map(&mut take).collect()
        };
        let regexes = compiled(&self.regexes);
        compiled(&self.paths).into_iter().for_each(|path| entry.paths.add_regex(path));
        match self.regextarget.to_ascii_lowercase().as_str() {
            "match" => entry.matches = regexes,
            "line" => entry.lines = regexes,
            _ => entry.secrets = regexes,
        }
        (entry.has_criteria() && (is_whole || !entry.needs_all)).then_some(entry)
    }
}

impl Overlay {
    /// Changes the rule of this name, or adds it.
    pub(super) fn apply(&self, rules: &mut Vec<Rule>, warnings: &mut Vec<String>) {
        let Some(rule) = rules.iter_mut().find(|rule| is_called(rule, &self.id)) else {
            match &self.pattern {
                Some(pattern) => rules.push(self.rule(pattern.clone())),
                None => warnings.push(format!("rule {}: without a regex there is nothing to look for", self.id)),
            }
            return;
        };
        if let Some(pattern) = &self.pattern {
            let aliases = std::mem::take(&mut rule.aliases);
            *rule = Rule { id: rule.id.clone(), aliases, severity: rule.severity, ..self.rule(pattern.clone()) };
        } else {
            rule.keywords.extend(self.keywords.iter().cloned());
            rule.entropy = self.entropy.or(rule.entropy);
            rule.paths.extend(self.paths.iter().cloned());
            rule.near.extend(self.near.iter().cloned());
            if !self.title.is_empty() {
                rule.title = self.title.clone();
            }
        }
    }

    fn rule(&self, pattern: String) -> Rule {
        Rule {
            id: self.id.clone(),
            provider: String::new(),
            title: if self.title.is_empty() { self.id.clone() } else { self.title.clone() },
            severity: Severity::High,
            confidence: Confidence::Medium,
            stated_confidence: Some(Confidence::Medium),
            keywords: self.keywords.clone(),
            keyword_case: false,
            max_len: (!is_bounded(&pattern)).then_some(MAX_LEN),
            pattern: Some(pattern),
            detector: None,
            edges: Edges::None,
            stated_edges: Some(Edges::None),
            value: None,
            names: Vec::new(),
            samples: Vec::new(),
            entropy: self.entropy,
            check: None,
            near: self.near.clone(),
            paths: self.paths.clone(),
            not_paths: Vec::new(),
            drop: Default::default(),
            revoke: String::new(),
            docs: String::new(),
            slow: self.keywords.is_empty(),
            positives: Vec::new(),
            negatives: Vec::new(),
            aliases: Vec::new(),
        }
    }
}

/// A regex of gitleaks as the engine takes it: over bytes where that means the same, else over characters.
fn pattern(regex: &str, secret: usize) -> Result<String, String> {
    let pattern = in_rust_syntax(regex, secret)?;
    let over_characters = format!("(?u:{pattern})");
    let is_ascii = regex.is_ascii() && !regex.contains("\\p") && !regex.contains("\\P");
    let forms = if is_ascii { [pattern.as_str(), &over_characters] } else { [&over_characters, pattern.as_str()] };
    let parses = |pattern: &str| parser().parse(pattern).is_ok();
    forms.into_iter().find(|form| parses(form)).map(str::to_owned).ok_or_else(|| {
        let why = parser().parse(&over_characters).err().map(|error| error.to_string()).unwrap_or_default();
        format!("its regex is left out: {}", why.lines().last().unwrap_or_default().trim_start_matches("error: "))
    })
}

fn is_bounded(pattern: &str) -> bool {
    parser().parse(pattern).is_ok_and(|parsed| parsed.properties().maximum_len().is_some())
}

fn parser() -> regex_syntax::Parser {
    regex_syntax::ParserBuilder::new().utf8(false).unicode(false).build()
}

fn unknown_keys(what: &str, rest: &toml::Table, warn: &mut impl FnMut(&str, &str)) {
    rest.keys().for_each(|key| warn(what, &format!("the key `{key}` means nothing here and is ignored")));
}

/// The same with all keys in lower case; TOML's own parser has bounded the depth.
fn lower_keys(value: Value) -> Value {
    match value {
        Value::Table(table) => {
            Value::Table(table.into_iter().map(|(key, value)| (key.to_ascii_lowercase(), lower_keys(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(lower_keys).collect()),
        other => other,
    }
}
