//! A rule as it is written, in TOML, and what is wrong with one.
//!
//! Running rules is the work of the [engine](super::Engine); which rules are in force that of the [`Ruleset`](super::Ruleset).

use std::collections::BTreeSet;

use regex_automata::meta::Regex;
use regex_automata::util::syntax;

use super::check::Check;
use super::{Confidence, Severity};
use crate::document::nearest;

/// How a kind of credential is recognised, what its leak means and what to do about it.
///
/// Written as a `[[rule]]` in `src/scan/rules/PROVIDER.toml`, or in a file of the user's. A rule has a `pattern`, or a `value` that
/// is looked for behind one of its `names`, or a `detector` that finds it by code; the table of the latter still says how bad it is
/// and how to revoke it. `provider`, `revoke` and `docs` may stand once at the top of a file, for all its rules without their own.
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
    /// How sure a match is before checks, placeholders and place are weighed: high for a pattern, as a shape that nothing else has;
    /// medium for a `value` or a detector.
    #[serde(skip, default = "medium")]
    pub confidence: Confidence,
    /// `confidence` as the rule states it.
    #[serde(default, rename = "confidence")]
    pub stated_confidence: Option<Confidence>,
    /// Bytes of which one stands in every match, three or more each.
    #[serde(default)]
    pub keywords: Vec<String>,
    /// Whether the case of the letters of `keywords` counts.
    #[serde(default)]
    pub keyword_case: bool,
    /// A regular expression over bytes, in the syntax of the regex crate, without look-around or back-references. The group
    /// `secret`, else the first group that took part, else the whole match is the credential.
    #[serde(default)]
    pub pattern: Option<String>,
    /// A regular expression of the credential alone, which has no shape of its own: it counts where something is assigned to one of
    /// `names`, or to a name at most 40 bytes behind one. Becomes part of `pattern` when the rule is read.
    #[serde(default)]
    pub value: Option<String>,
    /// Regular expressions of the names for `value`, in any case; the keywords where there are none.
    #[serde(default)]
    pub names: Vec<String>,
    /// The code that finds it, by name, in place of a pattern.
    #[serde(default)]
    pub detector: Option<String>,
    /// The longest match in bytes, where the pattern has no bound of its own.
    #[serde(default)]
    pub max_len: Option<usize>,
    /// What may stand right before and behind the credential: as [`Edges::Token`] for a `value`, else as [`Edges::Word`].
    #[serde(skip)]
    pub edges: Edges,
    /// `edges` as the rule states it.
    #[serde(default, rename = "edges")]
    pub stated_edges: Option<Edges>,
    /// The least Shannon entropy of the credential, in bits a byte.
    #[serde(default)]
    pub entropy: Option<f64>,
    /// The check of its shape, by name.
    #[serde(default)]
    pub check: Option<Check>,
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
    /// Parts of credentials that documentation shows: a find that holds one is a placeholder.
    #[serde(default)]
    pub samples: Vec<String>,
    /// Whether what stands in for a credential (`EXAMPLE`, `abcdef`) counts as one, as it does for tools that look at the pattern alone.
    #[serde(default)]
    pub keeps_stand_ins: bool,
    /// How to revoke it, and what to rotate with it.
    #[serde(default)]
    pub revoke: String,
    /// Where its issuer describes it.
    #[serde(default)]
    pub docs: String,
    /// A rule without a bound or a keyword, run over whole texts: allowed only where this says so.
    #[serde(default)]
    pub slow: bool,
    /// Texts in which exactly one credential is found. `{hex:40}` and the like stand for random characters: see
    /// [`example`](super::example).
    #[serde(default)]
    pub positives: Vec<String>,
    /// Texts in which this rule finds nothing, or nothing that is more than low in confidence.
    #[serde(default)]
    pub negatives: Vec<String>,
    /// Names by which other tools' settings know what this rule finds. Several rules may share one, as some tools have one rule where
    /// we have three.
    #[serde(default)]
    pub aliases: Vec<String>,
}

/// What may stand right before and behind a credential. An escape such as `\n` or `%22` before it is no letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Edges {
    /// No letter, digit or underscore.
    #[default]
    Word,
    /// No character that tokens are made of: those of a word, `-`, `+`, `/`; behind it no `=`, and no `.` with a word after it.
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

/// How much a rule says of what it finds. Where finds overlap, the one that says most stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Specificity {
    /// Only that something is secret: a password, a random value.
    Generic,
    /// Of what type it is, whoever issued it: a JWT, a URL with a password.
    Typed,
    /// Who issued it, by what stands around it.
    Named,
    /// Who issued it, by its own shape.
    Shaped,
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
    #[serde(default)]
    provider: String,
    #[serde(default)]
    revoke: String,
    #[serde(default)]
    docs: String,
    #[serde(default, rename = "rule")]
    rules: Vec<Rule>,
}

/// The detectors that rules may name.
pub const DETECTORS: &[&str] = &[
    "age",
    "docker-config",
    "encryption-config",
    "generic-assignment",
    "generic-loose",
    "generic-password",
    "helm-release",
    "jwt",
    "kubeconfig",
    "kubernetes-literal",
    "kubernetes-secret",
    "kustomize-literal",
    "keystore",
    "netrc",
    "npmrc",
    "pem",
    "pgp",
    "putty",
    "pypirc",
    "service-account",
    "sops-expected",
    "sops-partial",
    "terraform-state",
    "url",
];

/// The providers of rules for what anyone may issue.
const NO_PROVIDER: &[&str] = &["", "generic"];

/// The longest match that a pattern may have: the engine looks this far around every keyword.
const MAX_BOUND: usize = 8192;

impl Rule {
    /// The rules of a file, in its order, each of them sound. `file` is its name for messages.
    pub fn parse_all(text: &str, file: &str) -> Result<Vec<Self>, RuleError> {
        let rules = Self::read_all(text, file)?;
        for rule in &rules {
            if let Some(problem) = rule.problems().into_iter().next() {
                return Err(RuleError { file: rule.place(text, file), problem });
            }
        }
        Ok(rules)
    }

    /// The rules of a file as they are written, in its order: what [`Rule::problems`] would say of them is not asked.
    pub fn read_all(text: &str, file: &str) -> Result<Vec<Self>, RuleError> {
        let parsed: RuleFile = toml::from_str(text).map_err(|error| told(&error, text, file))?;
        let mut rules = parsed.rules;
        for rule in &mut rules {
            let inherit = |own: &mut String, given: &str| {
                if own.is_empty() {
                    given.clone_into(own);
                }
            };
            inherit(&mut rule.provider, &parsed.provider);
            inherit(&mut rule.revoke, &parsed.revoke);
            inherit(&mut rule.docs, &parsed.docs);
            rule.settle();
        }
        Ok(rules)
    }

    /// Fills in what follows from what is written.
    fn settle(&mut self) {
        let by_shape = self.pattern.is_some() && self.value.is_none();
        let usual = if by_shape { Confidence::High } else { Confidence::Medium };
        self.confidence = self.stated_confidence.unwrap_or(usual);
        self.edges = self.stated_edges.unwrap_or(if by_shape { Edges::Word } else { Edges::Token });
        if self.pattern.is_none()
            && let Some(value) = &self.value
        {
            let names = if self.names.is_empty() {
                self.keywords.iter().map(|word| regex_syntax::escape(word)).collect::<Vec<_>>().join("|")
            } else {
                self.names.join("|")
            };
            self.pattern = Some(format!("(?is:{names}){ASSIGNED}(?P<secret>{value})"));
        }
    }

    /// What is wrong with it, in words that say what would be right.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut say = |problem: String| problems.push(format!("rule `{}`: {problem}", self.id));
        let kebab = |text: &str| {
            let part =
                |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
            text.split('-').all(part)
        };
        if !kebab(&self.id) {
            say("its id is not in kebab-case, as in `acme-api-key`".to_owned());
        }
        if self.title.is_empty() {
            say("`title` is empty".to_owned());
        }
        if self.value.is_none() && !self.names.is_empty() {
            say("`names` are those that a `value` is assigned to: it has none".to_owned());
        }
        match (&self.pattern, &self.detector) {
            (None, None) => say("it has neither `pattern` nor `value` nor `detector`".to_owned()),
            (Some(_), Some(_)) => say("it has both `pattern` and `detector`: one of them finds it".to_owned()),
            (None, Some(name)) if !DETECTORS.contains(&name.as_str()) => {
                let hint = nearest(name, DETECTORS.iter().copied());
                let hint = hint.map_or_else(|| DETECTORS.join(", "), |name| format!("`{name}`?"));
                say(format!("there is no detector `{name}`: {hint}"));
            }
            (None, Some(_)) => {}
            (Some(pattern), None) => {
                let short = self.keywords.iter().find(|word| word.len() < 3);
                if let Some(short) = short {
                    say(format!("the keyword `{short}` is shorter than three bytes"));
                }
                if self.keywords.is_empty() && !self.slow {
                    say("it has no `keywords`: name bytes that stand in every match, or say `slow = true`".to_owned());
                }
                let syntax = syntax::Config::new().utf8(false).unicode(false);
                match syntax::parse_with(pattern, &syntax) {
                    Err(error) => say(format!("its pattern is not one: {}", last_line(&error.to_string()))),
                    Ok(parsed) => match self.max_len.or(parsed.properties().maximum_len()) {
                        None if !self.slow => say(
                            "its pattern matches without bound: give repeats an end, as in `{20,200}`, or `max_len`, or say `slow = true`"
                                .to_owned(),
                        ),
                        Some(bound) if bound > MAX_BOUND => {
                            say(format!("its pattern matches up to {bound} bytes; the most is {MAX_BOUND}"));
                        }
                        _ => {
                            let built = Regex::builder().syntax(syntax).build(pattern);
                            if let Err(error) = built {
                                say(format!("its pattern is too large: {error}"));
                            }
                        }
                    },
                }
            }
        }
        let regexes = [&self.paths, &self.not_paths, &self.drop.regexes, &self.drop.lines];
        for regex in regexes.into_iter().flatten() {
            let syntax = syntax::Config::new().utf8(false).unicode(false);
            if let Err(error) = Regex::builder().syntax(syntax).build(regex) {
                say(format!("`{regex}` is not a regular expression: {}", last_line(&error.to_string())));
            }
        }
        let mut aliases = BTreeSet::new();
        if let Some(twice) = self.aliases.iter().find(|alias| !aliases.insert(*alias)) {
            say(format!("the alias `{twice}` is there twice"));
        }
        problems
    }

    /// How much it says of what it finds.
    pub fn specificity(&self) -> Specificity {
        match &self.detector {
            Some(name) if name.starts_with("generic-") => Specificity::Generic,
            Some(name) if name == "jwt" && self.id != "jwt" && self.id != "jwt-b64" => Specificity::Shaped,
            Some(_) => Specificity::Typed,
            None if NO_PROVIDER.contains(&self.provider.as_str()) => Specificity::Typed,
            None if self.value.is_some() => Specificity::Named,
            None => Specificity::Shaped,
        }
    }

    /// The file and the line where it says its id.
    fn place(&self, text: &str, file: &str) -> String {
        let says = |line: &str| {
            let value = line.trim_start().strip_prefix("id").and_then(|rest| rest.trim_start().strip_prefix('='));
            value.is_some_and(|value| value.contains(&self.id))
        };
        match text.lines().position(says) {
            Some(line) => format!("{file}:{}", line + 1),
            None => file.to_owned(),
        }
    }
}

/// What stands between a name and the value that is assigned to it: up to 40 bytes, an assignment (or a blank behind a word such as
/// `key`), and quotes.
const ASSIGNED: &str =
    r#"[\s\S]{0,40}?(?:[=:>,(|]|(?i:key|token|secret|passw(?:or)?d|auth|bearer|basic)["'`]?[ \t])[\s"'`\\]{0,16}"#;

/// What toml says of a text, with its line, and with the known key that an unknown one was probably meant to be.
fn told(error: &toml::de::Error, text: &str, file: &str) -> RuleError {
    let line = error.span().map(|span| 1 + text[..span.start.min(text.len())].matches('\n').count());
    let file = line.map_or_else(|| file.to_owned(), |line| format!("{file}:{line}"));
    // serde: unknown field `x`, expected one of `a`, `b`
    let quoted: Vec<&str> = error.message().split('`').skip(1).step_by(2).collect();
    let problem = match quoted.split_first() {
        Some((unknown, known)) if error.message().starts_with("unknown field") => {
            match nearest(unknown, known.iter().copied()) {
                Some(known) => format!("there is no key `{unknown}`; did you mean `{known}`?"),
                None => format!("there is no key `{unknown}`; there are {}", known.join(", ")),
            }
        }
        _ => error.message().to_owned(),
    };
    RuleError { file, problem }
}

/// What a regex error says below its picture of the pattern.
fn last_line(error: &str) -> &str {
    error.lines().last().unwrap_or_default().trim_start_matches("error: ")
}

fn medium() -> Confidence {
    Confidence::Medium
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is wrong with a sound rule to which this is added.
    fn wrong(more: &str) -> String {
        let text = format!("[[rule]]\nid = 'acme-key'\ntitle = 'A'\nseverity = 'high'\nkeywords = ['acme_']\n{more}");
        Rule::parse_all(&text, "acme.toml").err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_key_that_is_not_known_is_told_with_its_line_and_the_nearest() {
        assert_eq!(wrong("patern = 'acme_x'"), "acme.toml:6: there is no key `patern`; did you mean `pattern`?");
        assert!(wrong("zebra = 1").starts_with("acme.toml:6: there is no key `zebra`; there are id, "));
        assert_eq!(wrong("drop.word = ['x']"), "acme.toml:6: there is no key `word`; did you mean `words`?");
        assert!(wrong("pattern = 3").starts_with("acme.toml:6: "));
        assert!(wrong("pattern = 'x'\ncheck = 'githubcrc32'").contains("did you mean `github-crc32`?"));
    }

    #[test]
    fn what_would_be_slow_or_never_found_is_refused() {
        assert_eq!(wrong("pattern = 'acme_[0-9]{4}'"), "");
        assert!(
            wrong("pattern = 'acme_[0-9]+'")
                .starts_with("acme.toml:2: rule `acme-key`: its pattern matches without bound")
        );
        assert_eq!(wrong("pattern = 'acme_[0-9]+'\nmax_len = 40"), "");
        assert_eq!(wrong("pattern = 'acme_[0-9]+'\nslow = true"), "");
        assert!(wrong("pattern = 'acme_[0-9]{9999}'").contains("the most is 8192"));
        assert!(wrong("pattern = 'acme_('").contains("its pattern is not one"));
        assert!(wrong("").contains("neither `pattern`"));
        assert!(wrong("pattern = 'a'\ndetector = 'jwt'").contains("both"));
        assert!(wrong("detector = 'jwtt'").ends_with("there is no detector `jwtt`: `jwt`?"));
        assert!(wrong("pattern = 'a'\ndrop.lines = ['(']").contains("`(` is not a regular expression"));
        assert!(wrong("pattern = 'a'\naliases = ['b', 'b']").contains("the alias `b` is there twice"));
        assert!(wrong("pattern = 'a'\nnames = ['b']").contains("it has none"));
        let no_keyword = "[[rule]]\nid = 'a'\ntitle = 'A'\nseverity = 'low'\npattern = 'abc'\n";
        let told =
            |text: &str| Rule::parse_all(text, "acme.toml").err().map(|error| error.to_string()).unwrap_or_default();
        assert!(told(no_keyword).contains("no `keywords`"));
        assert_eq!(told(&format!("{no_keyword}slow = true")), "");
        assert!(told(&format!("{no_keyword}keywords = ['ab']")).contains("`ab` is shorter than three bytes"));
        assert!(told(&no_keyword.replace("'a'", "'A B'")).contains("kebab-case"));
    }

    #[test]
    fn what_is_not_written_follows_from_what_is() {
        let text = "provider = 'Acme'\nrevoke = 'call them'\n
            [[rule]]\nid = 'shaped'\ntitle = 'A'\nseverity = 'high'\nkeywords = ['acme_']\npattern = 'acme_[0-9]{4}'\n
            [[rule]]\nid = 'named'\ntitle = 'A'\nseverity = 'high'\nkeywords = ['acme']\nvalue = '[0-9]{4}'\nrevoke = 'write'\n";
        let rules = Rule::parse_all(text, "acme.toml").expect("sound");
        let told =
            |rule: &Rule| (rule.confidence, rule.edges, rule.specificity(), rule.provider.clone(), rule.revoke.clone());
        let acme = || "Acme".to_owned();
        assert_eq!(
            told(&rules[0]),
            (Confidence::High, Edges::Word, Specificity::Shaped, acme(), "call them".to_owned())
        );
        assert_eq!(told(&rules[1]), (Confidence::Medium, Edges::Token, Specificity::Named, acme(), "write".to_owned()));
        let pattern = Regex::new(rules[1].pattern.as_deref().unwrap_or_default()).expect("a pattern");
        for text in
            ["ACME_KEY=1234", "acme: { key: '1234' }", "\"acme_key\": \"1234\"", "--acme-key 1234", "acme_key => 1234"]
        {
            assert!(pattern.is_match(text), "{text}");
        }
        for text in ["acme 1234", "acme_key() 1234"] {
            assert!(!pattern.is_match(text), "{text}");
        }
    }
}
