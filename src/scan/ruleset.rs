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
    "ai.toml",
    "atlassian.toml",
    "aws.toml",
    "azure.toml",
    "business.toml",
    "calls.toml",
    "chat.toml",
    "ci.toml",
    "clouds.toml",
    "cluster.toml",
    "commands.toml",
    "databases.toml",
    "devtools.toml",
    "docker.toml",
    "email.toml",
    "files.toml",
    "generic.toml",
    "gitea.toml",
    "github.toml",
    "gitlab.toml",
    "google.toml",
    "hashicorp.toml",
    "headers.toml",
    "identity.toml",
    "kubernetes.toml",
    "messaging.toml",
    "network.toml",
    "observability.toml",
    "payments.toml",
    "platforms.toml",
    "registries.toml",
    "secret-managers.toml",
    "slack.toml",
    "social.toml",
    "stored.toml",
    "stripe.toml",
    "structure.toml",
    "twilio.toml",
];

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::PathBuf;

    use regex_automata::util::syntax;

    use super::super::example::{Draw, Filled, fill};
    use super::super::{Candidate, Confidence, Edges, Engine, Specificity, most_specific, pair};
    use super::*;

    /// The rules as they lie in the folder: the compiled-in ones are held to be the same.
    fn in_folder() -> Vec<(String, String)> {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/scan/rules");
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let read = |path: PathBuf| {
            (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(path).unwrap())
        };
        let mut files: Vec<(String, String)> = entries.map(read).collect();
        files.sort();
        files
    }

    fn engine() -> Engine {
        let (mut rules, mut problems) = (Vec::new(), Vec::new());
        for (file, text) in in_folder() {
            match Rule::read_all(&text, &file) {
                Ok(read) => rules.extend(read),
                Err(error) => problems.push(error.to_string()),
            }
        }
        problems.extend(rules.iter().flat_map(Rule::problems));
        assert!(problems.is_empty(), "{}", problems.join("\n"));
        Engine::new(Ruleset::new(rules).unwrap(), Vec::new()).unwrap()
    }

    /// What is found in a text, with pairs and overlaps settled.
    fn found(engine: &Engine, text: &str) -> Vec<Candidate> {
        let mut found = Vec::new();
        assert!(engine.scan(text.as_bytes(), &mut found).is_empty());
        pair(engine.rules(), text.as_bytes(), &mut found);
        most_specific(engine.rules(), &mut found);
        found
    }

    #[test]
    fn list_of_files_is_the_folder() {
        let listed: Vec<(String, String)> =
            BUILT_IN.iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned())).collect();
        assert_eq!(
            listed.iter().map(|(file, _)| file).collect::<Vec<_>>(),
            in_folder().iter().map(|(file, _)| file).collect::<Vec<_>>()
        );
        assert!(Ruleset::built_in().is_ok());
    }

    #[test]
    fn rules_say_what_to_do_and_have_examples() {
        let engine = engine();
        let ids: BTreeSet<&str> = engine.rules().iter().map(|(_, rule)| rule.id.as_str()).collect();
        let mut problems = Vec::new();
        for (_, rule) in engine.rules().iter() {
            let mut say = |problem: &str| problems.push(format!("{}: {problem}", rule.id));
            if rule.revoke.is_empty() {
                say("no revoke");
            }
            if rule.detector.is_none() && rule.positives.is_empty() {
                say("no positives");
            }
            if rule.near.iter().any(|near| !ids.contains(near.rule.as_str())) {
                say("near names no rule");
            }
        }
        assert!(problems.is_empty(), "{}", problems.join("\n"));
    }

    #[test]
    fn every_rule_finds_its_examples_and_nothing_else_does() {
        let engine = engine();
        let mut problems = BTreeSet::new();
        for (index, rule) in engine.rules().iter().filter(|(_, rule)| rule.pattern.is_some()) {
            for seed in 0..20 {
                for positive in &rule.positives {
                    let Filled { text, secret } =
                        fill(positive, rule, seed).unwrap_or_else(|e| panic!("{}: {e}", rule.id));
                    let mut say = |problem: String| problems.insert(format!("{}: {problem}: {positive}", rule.id));
                    let found = found(&engine, &text);
                    let own: Vec<&Candidate> = found.iter().filter(|found| found.rule == index).collect();
                    let [own] = own[..] else {
                        let others: Vec<&str> =
                            found.iter().map(|found| engine.rules().rule(found.rule).id.as_str()).collect();
                        say(format!("found {} times, beside {others:?}", own.len()));
                        continue;
                    };
                    if secret.as_ref().is_none_or(|secret| *secret != own.secret) {
                        say(format!("the secret is {:?}", &text[own.secret.clone()]));
                    }
                    if own.confidence <= Confidence::Low && rule.confidence > Confidence::Low {
                        say(format!("{} by {:?}", own.confidence.name(), own.notes));
                    }
                    let are_near = |one: &Rule, other: &Rule| one.near.iter().any(|near| near.rule == other.id);
                    for other in found.iter().filter(|found| found.rule != index) {
                        let other = engine.rules().rule(other.rule);
                        if !are_near(rule, other) && !are_near(other, rule) {
                            say(format!("{} is found as well", other.id));
                        }
                    }
                }
                for negative in &rule.negatives {
                    let text = fill(negative, rule, seed).unwrap_or_else(|e| panic!("{}: {e}", rule.id)).text;
                    if found(&engine, &text)
                        .iter()
                        .any(|found| found.rule == index && found.confidence > Confidence::Low)
                    {
                        problems.insert(format!("{}: found in its negative {negative}", rule.id));
                    }
                }
            }
        }
        assert!(
            problems.is_empty(),
            "{} problems:\n{}",
            problems.len(),
            problems.into_iter().collect::<Vec<_>>().join("\n")
        );
    }

    /// Every rule against what is nearly one: of another length, with another character, in another case, glued to a word.
    #[test]
    fn near_misses_are_not_found() {
        let engine = engine();
        let mut problems = BTreeSet::new();
        for (index, rule) in engine.rules().iter().filter(|(_, rule)| rule.pattern.is_some()) {
            let shaped = rule.specificity() == Specificity::Shaped;
            let credential = rule.value.as_ref().or(rule.pattern.as_ref()).unwrap();
            let syntax = syntax::Config::new().utf8(false).unicode(false);
            let parsed = syntax::parse_with(credential, &syntax).unwrap();
            let fixed = parsed.properties().minimum_len().is_some()
                && parsed.properties().minimum_len() == parsed.properties().maximum_len();
            for (seed, positive) in (0..4).flat_map(|seed| rule.positives.iter().map(move |positive| (seed, positive)))
            {
                let Filled { text, secret } = fill(positive, rule, seed).unwrap();
                let secret = secret.unwrap_or_else(|| panic!("{}: no ‹ › in {positive}", rule.id));
                let (before, token, behind) = (&text[..secret.start], &text[secret.clone()], &text[secret.end..]);
                let keyword = rule
                    .keywords
                    .iter()
                    .find(|word| token.len() > word.len() && token[..word.len()].eq_ignore_ascii_case(word));
                let mut misses = Vec::new();
                if fixed && rule.edges != Edges::None {
                    misses.push(("one short", format!("{before}{}{behind}", &token[..token.len() - 1])));
                    let last = Draw::new(seed).characters("hex", 1).unwrap();
                    misses.push(("one long", format!("{before}{token}{last}{behind}")));
                    let middle = secret.len() * 2 / 3;
                    misses.push((
                        "a strange character",
                        format!("{before}{}§{}{behind}", &token[..middle], &token[middle + 1..]),
                    ));
                }
                if shaped && keyword.is_some() && rule.edges != Edges::None {
                    misses.push(("glued to a word", format!("{before}x{token}{behind}")));
                }
                let cased = credential.contains("(?i");
                if let Some(keyword) =
                    keyword.filter(|word| word.contains(|c: char| c.is_ascii_alphabetic()) && shaped && !cased)
                {
                    let swap =
                        |c: char| if c.is_ascii_uppercase() { c.to_ascii_lowercase() } else { c.to_ascii_uppercase() };
                    let swapped: String = token[..keyword.len()].chars().map(swap).collect();
                    misses.push(("in the other case", format!("{before}{swapped}{}{behind}", &token[keyword.len()..])));
                }
                for (how, miss) in misses {
                    if found(&engine, &miss).iter().any(|found| found.rule == index) {
                        problems.insert(format!("{}: found {how}: {positive}", rule.id));
                    }
                }
            }
        }
        assert!(
            problems.is_empty(),
            "{} problems:\n{}",
            problems.len(),
            problems.into_iter().collect::<Vec<_>>().join("\n")
        );
    }
}
