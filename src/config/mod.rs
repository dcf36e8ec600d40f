//! `.sops.yaml`, parsed: which files get which recipients, which values are encrypted, how output is indented. And
//! `.seal/scan.toml`, parsed: which leak rules are in force, and what may stay.
//!
//! Text in, values out. Finding the file is the work of [`host`](crate::host). What sops 3.13 reads is read here in the same
//! way; what it ignores without a word is ignored with a [`Warning`]. Source: sops, config/config.go.

mod add_recipient;
mod creation_rule;
mod destination;
mod fields;
mod foreign_rules;
mod scan_settings;
mod store_style;
mod template;

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_yaml::Value;

pub use crate::document::nearest;
pub use add_recipient::{CannotAdd, with_recipient};
pub use creation_rule::{CreationRule, NoRule, Rule, RuleError, Tried};
pub use destination::{Destination, DestinationRule};
pub use scan_settings::{Gate, ScanSettings, SettingsError, Tune};
pub use store_style::StoreStyle;
pub use template::default_config_text;

use fields::Fields;

/// A `.sops.yaml`.
#[derive(Debug, Clone)]
pub struct Config {
    path: PathBuf,
    creation_rules: Option<Vec<CreationRule>>,
    destination_rules: Vec<DestinationRule>,
    style: StoreStyle,
    warnings: Vec<Warning>,
}

impl Config {
    /// Reads the text of the file at `path`, which is absolute: rules see paths from its folder on.
    ///
    /// A rule with a bad pattern, recipient or selection is only an error once a file comes to it, as for sops.
    pub fn parse(text: &str, path: impl Into<PathBuf>) -> Result<Self, ConfigError> {
        let path = path.into();
        let fail = |problem: String| ConfigError { path: path.clone(), line: None, place: String::new(), problem };
        if text.len() > MAX_BYTES {
            return Err(fail(format!("it is larger than {} MiB", MAX_BYTES >> 20)));
        }
        // Of several documents the first counts.
        let mut root = match serde_yaml::Deserializer::from_str(text).next() {
            Some(document) => Value::deserialize(document).map_err(|e| fail(first_line(&e)))?,
            None => Value::Null,
        };
        root.apply_merge().map_err(|e| fail(first_line(&e)))?;

        let mut source = Source { text, path: &path, warnings: Vec::new() };
        let top = Fields::of(&root, "the file", None, &source)?;
        // Top-level keys of any name are where people keep their anchors: only a near miss is worth a word.
        let known = ["creation_rules", "destination_rules", "stores"];
        for key in top.unknown(&known).filter(|key| nearest(key, known).is_some()) {
            source.warn(key, None, "", &known);
        }

        let creation_rules = match top.value("creation_rules") {
            None => None,
            Some(_) => {
                let rules = top.list("creation_rules")?;
                let lines = item_lines(text, "creation_rules", rules.len());
                let rules = rules.iter().zip(lines).enumerate();
                Some(
                    rules
                        .map(|(index, (value, line))| CreationRule::parse(value, index + 1, line, &mut source))
                        .collect::<Result<_, _>>()?,
                )
            }
        };
        let rules = top.list("destination_rules")?;
        let lines = item_lines(text, "destination_rules", rules.len());
        let destination_rules = rules
            .iter()
            .zip(lines)
            .enumerate()
            .map(|(index, (value, line))| DestinationRule::parse(value, index + 1, line, &mut source))
            .collect::<Result<_, _>>()?;
        let style = StoreStyle::parse(top.value("stores").unwrap_or(&Value::Null), &mut source)?;

        let warnings = source.warnings;
        Ok(Self { path, creation_rules, destination_rules, style, warnings })
    }

    /// Where it was read.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The creation rules in order; empty also where the file has no such key.
    pub fn creation_rules(&self) -> &[CreationRule] {
        self.creation_rules.as_deref().unwrap_or_default()
    }

    /// The rules of publishing, in order.
    pub fn destination_rules(&self) -> &[DestinationRule] {
        &self.destination_rules
    }

    /// How output is indented.
    pub fn style(&self) -> &StoreStyle {
        &self.style
    }

    /// What sops would ignore without a word, in the order of the file.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The first rule whose `path_regex` is found in `file`, an absolute path of which the config's folder is cut off first.
    ///
    /// `None`: the file has no creation rules at all, which is as if there were no config. Rules of which none matches are an
    /// error, as they are for sops.
    pub fn rule_for(&self, file: &Path) -> Result<Option<&Rule>, RuleError> {
        let Some(rules) = &self.creation_rules else { return Ok(None) };
        let seen = self.path_seen_by_rules(file);
        for rule in rules {
            if rule.matches(seen)? {
                return Ok(Some(rule.body()?));
            }
        }
        let tried = rules.iter().map(CreationRule::tried).collect();
        Err(RuleError::NoRule(NoRule {
            file: String::from_utf8_lossy(seen).into_owned(),
            config: self.path.clone(),
            tried,
        }))
    }

    /// `file` as patterns see it: from the config's folder on where it lies below, else as it is.
    fn path_seen_by_rules<'a>(&self, file: &'a Path) -> &'a [u8] {
        let bytes = file.as_os_str().as_encoded_bytes();
        let folder = self.path.parent().unwrap_or(Path::new("")).as_os_str().as_encoded_bytes();
        // sops joins folder and slash as texts, so that a config in `/` sees absolute paths.
        bytes.strip_prefix(folder).and_then(|rest| rest.strip_prefix(b"/")).filter(|_| folder != b"/").unwrap_or(bytes)
    }
}

/// Why a config cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The config.
    pub path: PathBuf,
    /// The line, from 1, where it is known.
    pub line: Option<usize>,
    /// Which part of the file: `creation rule 2`; empty for the whole.
    pub place: String,
    /// What is wrong.
    pub problem: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot use {}", self.path.display())?;
        write_place(f, self.line, &self.place)?;
        write!(f, ": {}", self.problem)
    }
}

impl std::error::Error for ConfigError {}

/// A key of a config that means nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The config.
    pub path: PathBuf,
    /// The line, from 1, where it is known.
    pub line: Option<usize>,
    /// Which part of the file; empty at the top level.
    pub place: String,
    /// The key.
    pub key: String,
    /// The key that may have been meant.
    pub meant: Option<&'static str>,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        write_place(f, self.line, &self.place)?;
        match self.meant {
            Some(meant) => write!(f, ": {}: did you mean {meant}?", self.key),
            None => write!(f, ": {} means nothing here and is ignored", self.key),
        }
    }
}

fn write_place(f: &mut fmt::Formatter<'_>, line: Option<usize>, place: &str) -> fmt::Result {
    if let Some(line) = line {
        write!(f, ":{line}")?;
    }
    if place.is_empty() { Ok(()) } else { write!(f, ": {place}") }
}

/// What is being read, and what was found odd in it so far.
struct Source<'a> {
    text: &'a str,
    path: &'a Path,
    warnings: Vec<Warning>,
}

impl Source<'_> {
    fn error(&self, line: Option<usize>, place: &str, problem: impl Into<String>) -> ConfigError {
        ConfigError { path: self.path.to_owned(), line, place: place.to_owned(), problem: problem.into() }
    }

    /// Notes an unknown key; `after` is the line at which its part of the file begins.
    fn warn(&mut self, key: &str, after: Option<usize>, place: &str, known: &[&'static str]) {
        let line = line_of_key(self.text, key, after.unwrap_or(1));
        let meant = nearest(key, known.iter().copied());
        let (path, place, key) = (self.path.to_owned(), place.to_owned(), key.to_owned());
        self.warnings.push(Warning { path, line, place, key, meant });
    }
}

/// The first line from `from` on, counted from 1, that begins with `key:` (behind blanks and a dash).
fn line_of_key(text: &str, key: &str, from: usize) -> Option<usize> {
    let begins_with_key = |line: &str| {
        let line = line.trim_start_matches([' ', '-']);
        line.strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with(':'))
    };
    text.lines().enumerate().skip(from - 1).find(|(_, line)| begins_with_key(line)).map(|(index, _)| index + 1)
}

/// The lines at which the items of the top-level list `key` begin; all `None` when they cannot be told from the text alone.
fn item_lines(text: &str, key: &str, count: usize) -> Vec<Option<usize>> {
    let mut dash_column = None;
    let mut found = Vec::new();
    let mut lines = text
        .lines()
        .enumerate()
        .skip_while(|(_, l)| l.strip_prefix(key).is_none_or(|rest| !rest.trim_start().starts_with(':')));
    lines.next();
    for (index, line) in lines {
        let content = line.trim_start();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        let column = line.len() - content.len();
        let is_item = content == "-" || content.starts_with("- ");
        match dash_column {
            None if is_item => dash_column = Some(column),
            None => break,
            Some(dash) if column < dash || column == dash && !is_item => break,
            Some(dash) if column > dash => continue,
            Some(_) => {}
        }
        found.push(Some(index + 1));
    }
    if found.len() == count { found } else { vec![None; count] }
}

fn first_line(error: &serde_yaml::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

/// No honest config is larger.
const MAX_BYTES: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    const AGE_1: &str = "age1qyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqs3290gq";

    fn config(text: &str) -> Config {
        Config::parse(text, "/repo/.sops.yaml").expect("parses")
    }

    #[test]
    fn first_match_wins_and_paths_start_at_the_configs_folder() {
        let config = config(&format!(
            "creation_rules:\n  # staging\n  - path_regex: ^staging/\n    pgp: A\n\n  - path_regex: \\.yaml$\n    pgp: B\n  - age: {AGE_1}\n"
        ));
        let number = |file: &str| config.rule_for(Path::new(file)).expect("matches").expect("has rules").number;
        assert_eq!(number("/repo/staging/a.yaml"), 1);
        assert_eq!(number("/repo/prod/staging/a.yaml"), 2);
        assert_eq!(number("/elsewhere/staging/a.yaml"), 2);
        assert_eq!(number("/repo/a.json"), 3);
        assert_eq!(config.creation_rules().iter().map(|r| r.line).collect::<Vec<_>>(), [Some(3), Some(6), Some(8)]);
    }

    #[test]
    fn a_config_at_the_root_sees_absolute_paths() {
        let config = Config::parse("creation_rules:\n- path_regex: ^/a\n", "/.sops.yaml").expect("parses");
        assert!(config.rule_for(Path::new("/a.yaml")).is_ok());
    }

    #[test]
    fn no_rule_names_what_was_tried() {
        let config = config("creation_rules:\n- path_regex: ^staging/\n- path_regex: ^shared/.*\\.yaml$\n");
        let error = config.rule_for(Path::new("/repo/deploy/prod/db.yaml")).expect_err("none matches");
        assert_eq!(error.to_string(), "no creation rule matches deploy/prod/db.yaml");
        let RuleError::NoRule(no_rule) = error else { panic!("{error}") };
        assert_eq!(no_rule.looked_in(), "looked in /repo/.sops.yaml: ^staging/ · ^shared/.*\\.yaml$");
        assert_eq!(no_rule.tried[1], Tried { number: 2, line: Some(3), path_regex: "^shared/.*\\.yaml$".into() });
    }

    #[test]
    fn no_rules_is_as_no_config_but_an_empty_list_matches_nothing() {
        for text in ["", "stores: {}\n", "creation_rules:\n", "# nothing\n"] {
            assert_eq!(config(text).rule_for(Path::new("/repo/a")), Ok(None), "{text:?}");
        }
        assert!(matches!(config("creation_rules: []\n").rule_for(Path::new("/repo/a")), Err(RuleError::NoRule(_))));
    }

    #[test]
    fn a_broken_rule_is_an_error_only_when_reached() {
        let config = config("creation_rules:\n- path_regex: ^a\n  pgp: A\n- path_regex: (\n- age: nonsense\n");
        assert!(config.rule_for(Path::new("/repo/a")).is_ok());
        let error = config.rule_for(Path::new("/repo/b")).expect_err("bad pattern").to_string();
        assert!(error.starts_with("cannot use /repo/.sops.yaml:4: creation rule 2: path_regex: `(` is not"), "{error}");
    }

    #[test]
    fn unknown_keys_are_warned_of_with_the_key_that_was_meant() {
        let config = config(
            "keys:\n  - &ada A\ncreation_rule: 1\ncreation_rules:\n  - pgp: *ada\n    encrypted-regex: ^data$\n    zebra: 1\n    key_groups:\n    - hc_vault_transit_uri: []\n      pgp: [A]\nstores:\n  yaml:\n    ident: 2\n",
        );
        let warnings: Vec<_> = config.warnings().iter().map(ToString::to_string).collect();
        assert_eq!(
            warnings,
            [
                "/repo/.sops.yaml:3: creation_rule: did you mean creation_rules?",
                "/repo/.sops.yaml:6: creation rule 1: encrypted-regex: did you mean encrypted_regex?",
                "/repo/.sops.yaml:7: creation rule 1: zebra means nothing here and is ignored",
                "/repo/.sops.yaml:9: creation rule 1: hc_vault_transit_uri: did you mean hc_vault?",
                "/repo/.sops.yaml:13: stores.yaml: ident: did you mean indent?",
            ]
        );
    }

    #[test]
    fn what_is_no_config_is_an_error_of_one_line() {
        for text in [
            "creation_rules: 5\n",
            "- a\n",
            "creation_rules:\n- 5\n",
            "a: [\n",
            "a: 1\na: 2\n",
            "stores: {yaml: {indent: -1}}\n",
        ] {
            let error = Config::parse(text, "/repo/.sops.yaml").expect_err(text).to_string();
            assert!(error.lines().count() == 1 && error.starts_with("cannot use /repo/.sops.yaml"), "{error}");
        }
        let bomb: String = "a: &a [x,x,x,x,x,x,x,x,x]\n"
            .chars()
            .chain(('b'..='z').zip('a'..).flat_map(|(n, p)| {
                format!("{n}: &{n} [*{p},*{p},*{p},*{p},*{p},*{p},*{p},*{p},*{p}]\n").chars().collect::<Vec<_>>()
            }))
            .collect();
        assert!(Config::parse(&bomb, "/repo/.sops.yaml").is_err());
        assert!(Config::parse(&"[".repeat(100_000), "/repo/.sops.yaml").is_err());
    }
}
