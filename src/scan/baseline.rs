//! What was known before: a list of fingerprints, or the report of another scanner.

use std::collections::{BTreeSet, HashMap};

use gix::bstr::BString;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::allow::{hex, is_called};
use super::{Finding, Fingerprint, Place, Rule};

/// What was known before and is not counted again.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Baseline {
    fingerprints: BTreeSet<Fingerprint>,
    /// What other scanners reported, by path.
    foreign: HashMap<BString, Vec<Known>>,
}

/// A find of another scanner.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Known {
    /// Its rule, where findings of others are not meant.
    rule: Option<String>,
    secret: Secret,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Secret {
    Sha256(String),
    Sha1(String),
    /// It was redacted: only its line is known.
    Line(u64),
}

/// Why a text is no baseline.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {problem}")]
pub struct BaselineError {
    /// The file as it was named.
    pub file: String,
    /// What is wrong and what would be right.
    pub problem: String,
}

/// How findings and a baseline differ.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Found, and not in the baseline.
    pub new: Vec<Fingerprint>,
    /// In both.
    pub known: Vec<Fingerprint>,
    /// In the baseline, and no longer found.
    pub gone: Vec<Fingerprint>,
}

const SCHEMA: &str = "seal.baseline/1";

impl Baseline {
    /// Reads a baseline of ours, a JSON report of ours or of gitleaks, or a baseline of detect-secrets.
    pub fn parse(text: &str, file: &str) -> Result<Self, BaselineError> {
        let fail = |problem: String| BaselineError { file: file.to_owned(), problem };
        let value: Value = serde_json::from_str(text).map_err(|error| {
            // The cause is said without the text, which may hold secrets.
            fail(format!("it is not JSON (line {}, column {})", error.line(), error.column()))
        })?;
        let mut baseline = Self::default();
        let bad_fingerprint = || fail("a fingerprint has 26 digits".to_owned());
        let fingerprint = |value: &Value| value.as_str().and_then(Fingerprint::parse).ok_or_else(bad_fingerprint);
        let schema = value.get("schema").and_then(Value::as_str).unwrap_or_default();
        match &value {
            _ if schema == SCHEMA => {
                let listed = value.get("fingerprints").and_then(Value::as_array);
                let listed = listed.ok_or_else(|| fail("it has no list `fingerprints`".to_owned()))?;
                baseline.fingerprints = listed.iter().map(fingerprint).collect::<Result<_, _>>()?;
            }
            _ if schema == "seal.scan/1" => {
                let listed = value.get("findings").and_then(Value::as_array).into_iter().flatten();
                let listed = listed.map(|finding| fingerprint(&finding["fingerprint"]));
                baseline.fingerprints = listed.collect::<Result<_, _>>()?;
            }
            Value::Array(findings) => findings.iter().for_each(|finding| baseline.add_gitleaks(finding)),
            Value::Object(fields) if schema.is_empty() && fields.get("results").is_some_and(Value::is_object) => {
                baseline.add_detect_secrets(&value["results"]);
            }
            _ => {
                return Err(fail(
                    "it is neither a baseline or report of seal, nor a JSON report of gitleaks, nor a baseline of detect-secrets"
                        .to_owned(),
                ));
            }
        }
        Ok(baseline)
    }

    fn add_gitleaks(&mut self, finding: &Value) {
        let text = |name: &str| finding.get(name).and_then(Value::as_str).unwrap_or_default();
        let (secret, file) = (text("Secret"), text("File"));
        let secret = if secret.is_empty() || secret == "REDACTED" || secret.ends_with("...") {
            Secret::Line(finding.get("StartLine").and_then(Value::as_u64).unwrap_or_default())
        } else {
            Secret::Sha256(hex(&Sha256::digest(secret)))
        };
        self.foreign.entry(file.into()).or_default().push(Known { rule: Some(text("RuleID").to_owned()), secret });
    }

    fn add_detect_secrets(&mut self, results: &Value) {
        for (path, found) in results.as_object().into_iter().flatten() {
            let hashes = found.as_array().into_iter().flatten().filter_map(|one| one.get("hashed_secret")?.as_str());
            let known = hashes.map(|hash| Known { rule: None, secret: Secret::Sha1(hash.to_ascii_lowercase()) });
            self.foreign.entry(path.replace('\\', "/").into()).or_default().extend(known);
        }
    }

    /// Of findings that are not suppressed in another way.
    pub fn of(findings: &[Finding]) -> Self {
        use super::Suppression::{Allowed, Inline};
        let is_open = |finding: &&Finding| !matches!(finding.suppressed, Some(Inline { .. } | Allowed { .. }));
        let fingerprints = findings.iter().filter(is_open).map(|finding| finding.fingerprint).collect();
        Self { fingerprints, foreign: HashMap::new() }
    }

    /// Whether it has nothing.
    pub fn is_empty(&self) -> bool {
        self.fingerprints.is_empty() && self.foreign.is_empty()
    }

    /// As a file: sorted, a fingerprint a line, without dates, lines or secrets, so that two of them merge.
    pub fn to_text(&self) -> String {
        let lines: Vec<String> = self.fingerprints.iter().map(|one| format!("\n\"{one}\"")).collect();
        format!("{{\n\"schema\": \"{SCHEMA}\",\n\"fingerprints\": [{}\n]\n}}\n", lines.join(","))
    }

    /// What is new, known and gone.
    pub fn compare(&self, findings: &[Finding]) -> Difference {
        let found = Self::of(findings).fingerprints;
        Difference {
            new: found.difference(&self.fingerprints).copied().collect(),
            known: found.intersection(&self.fingerprints).copied().collect(),
            gone: self.fingerprints.difference(&found).copied().collect(),
        }
    }

    /// Takes away what is no longer found.
    pub fn prune(&mut self, findings: &[Finding]) {
        let found: BTreeSet<Fingerprint> = findings.iter().map(|finding| finding.fingerprint).collect();
        self.fingerprints.retain(|fingerprint| found.contains(fingerprint));
    }

    /// Adds what another one has.
    pub fn extend(&mut self, other: Self) {
        self.fingerprints.extend(other.fingerprints);
        other.foreign.into_iter().for_each(|(path, known)| self.foreign.entry(path).or_default().extend(known));
    }

    /// Whether a secret in this place was known.
    pub(super) fn covers(&self, finding: &Finding, place: &Place, rule: &Rule) -> bool {
        if self.fingerprints.contains(&finding.fingerprint) {
            return true;
        }
        let known = place.source.path().and_then(|path| self.foreign.get(path)).into_iter().flatten();
        known.filter(|known| known.rule.as_ref().is_none_or(|id| is_called(rule, id))).any(|known| {
            match &known.secret {
                Secret::Sha256(digits) => *digits == hex(&Sha256::digest(finding.secret.expose())),
                Secret::Sha1(digits) => sha1(finding.secret.expose()).as_ref() == Some(digits),
                Secret::Line(line) => *line == place.line as u64,
            }
        })
    }
}

/// SHA-1, as detect-secrets keeps secrets; `None` for bytes that are an attempt to find a collision.
fn sha1(bytes: &[u8]) -> Option<String> {
    let mut hasher = gix::hash::hasher(gix::hash::Kind::Sha1);
    hasher.update(bytes);
    hasher.try_finalize().ok().map(|id| id.to_string())
}
