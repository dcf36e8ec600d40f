//! The rules in force, by index, by id and by the names that other tools know them by.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::{Rule, RuleError};

/// Which rule of a [`Ruleset`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleIndex(pub u16);

/// The rules in force: the built-in ones, with what the settings add, change and take away.
#[derive(Debug, Default)]
pub struct Ruleset {
    rules: Vec<Rule>,
    by_id: HashMap<String, RuleIndex>,
}

impl Ruleset {
    /// The rules that come with seal.
    pub fn built_in() -> Result<Self, RuleError> {
        let mut rules = Vec::new();
        for (file, text) in BUILT_IN {
            // That they are sound is held by a test: asking again at every start would take longer than reading them.
            rules.extend(Rule::read_all(text, file)?);
        }
        Self::new(rules)
    }

    /// Exactly these rules. Fails where two have one id, or one is known elsewhere by the id of another.
    pub fn new(rules: Vec<Rule>) -> Result<Self, RuleError> {
        let mut by_id = HashMap::with_capacity(rules.len());
        let fail = |rule: &Rule, problem: String| RuleError { file: format!("rule `{}`", rule.id), problem };
        for (index, rule) in rules.iter().enumerate() {
            let index = u16::try_from(index).map_err(|_| fail(rule, "there are more than 65,536 rules".to_owned()))?;
            match by_id.entry(rule.id.clone()) {
                Entry::Occupied(_) => return Err(fail(rule, "another rule has the same id".to_owned())),
                Entry::Vacant(free) => free.insert(RuleIndex(index)),
            };
        }
        for rule in &rules {
            if let Some(alias) = rule.aliases.iter().find(|alias| by_id.contains_key(*alias)) {
                return Err(fail(rule, format!("its alias `{alias}` is the id of a rule")));
            }
        }
        Ok(Self { rules, by_id })
    }

    /// A rule.
    pub fn rule(&self, index: RuleIndex) -> &Rule {
        &self.rules[usize::from(index.0)]
    }

    /// All rules with their index, in order.
    pub fn iter(&self) -> impl Iterator<Item = (RuleIndex, &Rule)> {
        self.rules.iter().enumerate().map(|(index, rule)| (RuleIndex(index as u16), rule))
    }

    /// The rule of an id.
    pub fn index(&self, id: &str) -> Option<RuleIndex> {
        self.by_id.get(id).copied()
    }

    /// The rules that a setting means: the one of this id, else those that another tool has under this name.
    pub fn named(&self, name: &str) -> Vec<RuleIndex> {
        if let Some(index) = self.index(name) {
            return vec![index];
        }
        let known = |rule: &Rule| rule.aliases.iter().any(|alias| alias == name);
        self.iter().filter(|(_, rule)| known(rule)).map(|(index, _)| index).collect()
    }
}

macro_rules! files {
    ($($name:literal),* $(,)?) => { &[$(($name, include_str!(concat!("rules/", $name)))),*] };
}

/// The built-in rules: a file a provider, with its name.
#[rustfmt::skip]
const BUILT_IN: &[(&str, &str)] = files![
    "generic.toml",
    "kubernetes.toml",
    "structure.toml",
];
