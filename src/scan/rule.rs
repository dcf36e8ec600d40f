//! A rule as it is written, in TOML.

use std::collections::BTreeMap;

use super::{Confidence, Severity};

/// How a kind of credential is recognised, what its leak means and what to do about it.
///
/// Written as a `[[rule]]` in `src/scan/rules/PROVIDER.toml`, or in a file of the user's. A rule has either a `pattern`, or a
/// `detector` that finds it by code; the table of the latter still says how bad it is and how to revoke it.
#[derive(Debug, Clone, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Stable name, in kebab-case.
    pub id: String,
    /// Who issues the credential.
    #[serde(default)]
    pub provider: String,
    /// What it is, in a few words.
    pub title: String,
    /// How bad its leak is.
    pub severity: Severity,
    /// How sure a match is before checks, placeholders and place are weighed.
    #[serde(default = "medium")]
    pub confidence: Confidence,
    /// Bytes of which one stands in every match, three or more each.
    #[serde(default)]
    pub keywords: Vec<String>,
    /// Whether the case of the letters of `keywords` counts.
    #[serde(default)]
    pub keyword_case: bool,
    /// A regular expression over bytes, in the syntax of the regex crate, without look-around or back-references. The group
    /// `secret`, else the first group, else the whole match is the credential.
    #[serde(default)]
    pub pattern: Option<String>,
    /// The code that finds it, by name, in place of a pattern.
    #[serde(default)]
    pub detector: Option<String>,
    /// The longest match in bytes, where the pattern has no bound of its own.
    #[serde(default)]
    pub max_len: Option<usize>,
    /// What may stand right before and behind the credential.
    #[serde(default)]
    pub edges: Edges,
    /// The least Shannon entropy of the credential, in bits a byte.
    #[serde(default)]
    pub entropy: Option<f64>,
    /// The check of its shape, by name.
    #[serde(default)]
    pub check: Option<String>,
    /// Other finds that must be, or may be, close by.
    #[serde(default)]
    pub near: Vec<Near>,
    /// Only files whose path matches one of these regular expressions.
    #[serde(default)]
    pub paths: Vec<String>,
    /// No files whose path matches one of these.
    #[serde(default)]
    pub not_paths: Vec<String>,
    /// What a match may not be.
    #[serde(default)]
    pub drop: Drop,
    /// How to revoke it, and what to rotate with it.
    #[serde(default)]
    pub revoke: String,
    /// Where its issuer describes it.
    #[serde(default)]
    pub docs: String,
    /// A rule without a bound or a keyword, run over whole texts: allowed only where this says so.
    #[serde(default)]
    pub slow: bool,
    /// Texts in which exactly one credential is found. `{hex:40}` and the like stand for random characters.
    #[serde(default)]
    pub positives: Vec<String>,
    /// Texts in which this rule finds nothing.
    #[serde(default)]
    pub negatives: Vec<String>,
    /// Other names by which other tools' settings know this rule.
    #[serde(default)]
    pub aliases: Vec<String>,
}

/// What may stand right before and behind a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Edges {
    /// No letter, digit or underscore.
    #[default]
    Word,
    /// No character that tokens are made of: those of a word, `-`, `+`, `/`, `=`, `.`.
    Token,
    /// Anything.
    None,
}

/// Another find that must be, or may be, close by.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Near {
    /// The other rule's id.
    pub rule: String,
    /// How many lines away at most.
    pub lines: usize,
    /// Whether there is no find without it; else it raises the confidence.
    #[serde(default)]
    pub required: bool,
}

/// What a match may not be.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drop {
    /// Exact credentials.
    #[serde(default)]
    pub values: Vec<String>,
    /// Regular expressions, searched in the credential.
    #[serde(default)]
    pub regexes: Vec<String>,
    /// Words that stand in the credential, in any case.
    #[serde(default)]
    pub words: Vec<String>,
    /// Regular expressions, searched in the line of the match.
    #[serde(default)]
    pub lines: Vec<String>,
}

/// What is wrong with a rule, without any credential.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {problem}")]
pub struct RuleError {
    /// The file as it was named, and the line where known.
    pub file: String,
    /// What is wrong and what would be right.
    pub problem: String,
}

/// A file of rules.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleFile {
    #[serde(default, rename = "rule")]
    rules: Vec<Rule>,
}

impl Rule {
    /// The rules of a file, in its order. `file` is its name for messages.
    pub fn parse_all(text: &str, file: &str) -> Result<Vec<Self>, RuleError> {
        let fail = |problem: String| RuleError { file: file.to_owned(), problem };
        let parsed: RuleFile = toml::from_str(text).map_err(|error| fail(error.to_string()))?;
        let mut seen = BTreeMap::new();
        for rule in &parsed.rules {
            if seen.insert(rule.id.as_str(), ()).is_some() {
                return Err(fail(format!("the rule `{}` is there twice", rule.id)));
            }
        }
        Ok(parsed.rules)
    }
}

fn medium() -> Confidence {
    Confidence::Medium
}
