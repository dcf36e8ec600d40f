//! The rules in force, by index and by id.

use std::collections::HashMap;

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

/// The built-in rules: a file a provider, with its name.
const BUILT_IN: &[(&str, &str)] = &[];

impl Ruleset {
    /// The rules that come with seal.
    pub fn built_in() -> Result<Self, RuleError> {
        let mut rules = Vec::new();
        for (file, text) in BUILT_IN {
            rules.extend(Rule::parse_all(text, file)?);
        }
        Self::new(rules)
    }

    /// Exactly these rules. Fails where two have one id, or a name is not known.
    pub fn new(rules: Vec<Rule>) -> Result<Self, RuleError> {
        let mut by_id = HashMap::new();
        for (index, rule) in rules.iter().enumerate() {
            let fail = |problem: String| RuleError { file: rule.id.clone(), problem };
            let index = u16::try_from(index).map_err(|_| fail("there are more than 65,536 rules".to_owned()))?;
            if by_id.insert(rule.id.clone(), RuleIndex(index)).is_some() {
                return Err(fail("another rule has the same id".to_owned()));
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
}
