//! `seal scan rules`: which rules there are, what one says, and whether a file of rules is sound and finds its own examples.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::json;

use super::super::failure::{Failure, Kind};
use super::super::session::Session;
use super::super::shown;
use crate::host::files;
use crate::host::terminal::{Line, Role};
use crate::scan::example::{Filled, fill};
use crate::scan::{Confidence, Engine, Rule, RuleIndex, Ruleset, most_specific, pair};

/// List the rules, explain one, check and test rules of your own
#[derive(Args)]
pub struct RulesArgs {
    #[command(subcommand)]
    command: Option<RulesCommand>,
}

#[derive(Subcommand)]
enum RulesCommand {
    /// List all rules: id, severity, what is found
    List(ListArgs),
    /// Say everything about a rule, with an example of what it finds
    Show(ShowArgs),
    /// Check that a file holds rules, and that each of them is sound
    Check(CheckArgs),
    /// Try rules on the examples they carry
    Test(TestArgs),
}

#[derive(Args, Default)]
#[command(after_help = "Examples:\n  seal scan rules\n  seal scan rules list --json")]
struct ListArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
#[command(
    after_help = "Examples:\n  seal scan rules show github-pat\n  seal scan rules show private-key     # a name of gitleaks"
)]
struct ShowArgs {
    /// Its id, or the name that another tool has for it
    #[arg(value_name = "ID")]
    id: String,
}

#[derive(Args)]
#[command(after_help = "Examples:\n  seal scan rules check acme.toml\n\nExit codes: 0 every rule is sound, 1 one is not.")]
struct CheckArgs {
    /// The file
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

#[derive(Args)]
#[command(
    after_help = "Examples:\n  seal scan rules test            # the built-in rules\n  seal scan rules test acme.toml\n\nExit codes: 0 every rule finds its positives and none of its negatives, 1 one does not."
)]
struct TestArgs {
    /// A file of rules; the built-in ones without it
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

/// So many times each example is filled with other random characters.
const SEEDS: u64 = 20;

/// Runs it.
pub fn run(args: RulesArgs, session: &Session) -> Result<(), Failure> {
    match args.command.unwrap_or(RulesCommand::List(ListArgs::default())) {
        RulesCommand::List(args) => list(args, session),
        RulesCommand::Show(args) => show(&args.id, session),
        RulesCommand::Check(args) => check(&args.file, session),
        RulesCommand::Test(args) => test(args, session),
    }
}

fn list(args: ListArgs, session: &Session) -> Result<(), Failure> {
    let rules = built_in()?;
    if args.json {
        let described = |rule: &Rule| {
            json!({
                "id": rule.id, "provider": rule.provider, "title": rule.title, "severity": rule.severity,
                "confidence": rule.confidence, "aliases": rule.aliases, "docs": rule.docs,
            })
        };
        let list: Vec<_> = rules.iter().map(|(_, rule)| described(rule)).collect();
        return session.answer_json(&json!({"schema": "seal.rules/1", "rules": list}));
    }
    let mut sorted: Vec<&Rule> = rules.iter().map(|(_, rule)| rule).collect();
    sorted.sort_by_key(|rule| &rule.id);
    let width = sorted.iter().map(|rule| rule.id.len()).max().unwrap_or(0);
    for rule in &sorted {
        let severity = rule.severity.name();
        session.answer_line(format!("{:width$}  {severity:8}  {}", rule.id, rule.title))?;
    }
    session.say(&format!("{} rules", sorted.len()));
    Ok(())
}

fn show(id: &str, session: &Session) -> Result<(), Failure> {
    let rules = built_in()?;
    let meant = rules.named(id);
    if meant.is_empty() {
        let known = rules.iter().flat_map(|(_, rule)| std::iter::once(&rule.id).chain(&rule.aliases));
        let nearest = crate::document::nearest(id, known.map(String::as_str));
        let failure = Failure::new(Kind::Usage, format!("there is no rule {}", shown(id)));
        return Err(match nearest {
            Some(nearest) => failure.hint(format!("did you mean seal scan rules show {nearest}?")),
            None => failure.hint("list them: seal scan rules list"),
        });
    }
    for (place, index) in meant.into_iter().enumerate() {
        if place > 0 {
            session.answer_line("")?;
        }
        explain(rules.rule(index), session)?;
    }
    Ok(())
}

fn explain(rule: &Rule, session: &Session) -> Result<(), Failure> {
    session.answer_line(Line::new().part(Role::Strong, &rule.id).text(format!("  {}", rule.title)))?;
    let field = |name: &str, value: &str| match value {
        "" => Ok(()),
        value => session.answer_line(format!("  {name:10}  {value}")),
    };
    field("provider", &rule.provider)?;
    field("severity", rule.severity.name())?;
    field("confidence", rule.confidence.name())?;
    field("keywords", &rule.keywords.join(" · "))?;
    field("pattern", rule.pattern.as_deref().unwrap_or_default())?;
    field("found by", rule.detector.as_deref().unwrap_or_default())?;
    field("check", rule.check.as_ref().map_or("", |check| check.name()))?;
    let near = rule.near.iter().map(|near| format!("{} within {} lines", near.rule, near.lines));
    field("near", &near.collect::<Vec<_>>().join(" · "))?;
    field("only in", &rule.paths.join(" · "))?;
    field("not in", &rule.not_paths.join(" · "))?;
    field("revoke", &rule.revoke)?;
    field("docs", &rule.docs)?;
    field("also named", &rule.aliases.join(" · "))?;
    match rule.positives.first().and_then(|example| fill(example, rule, 0).ok()) {
        Some(example) => field("example", &shown(&example.text).to_string()),
        None => Ok(()),
    }
}

fn check(file: &Path, session: &Session) -> Result<(), Failure> {
    let rules = read(file)?;
    let mut problems: Vec<String> = rules.iter().flat_map(Rule::problems).collect();
    let count = rules.len();
    if problems.is_empty() {
        problems.extend(Ruleset::new(rules).err().map(|error| error.to_string()));
    }
    for problem in &problems {
        session.answer_line(shown(problem).to_string())?;
    }
    match problems.len() {
        0 => {
            session.say(&format!("{count} rules, each of them sound"));
            Ok(())
        }
        n => {
            Err(Failure::new(Kind::No, format!("{} in {}", counted(n, "problem"), shown(&file.display().to_string()))))
        }
    }
}

fn test(args: TestArgs, session: &Session) -> Result<(), Failure> {
    let rules = match &args.file {
        None => built_in()?,
        Some(file) => {
            let rules = read(file)?;
            if let Some(problem) = rules.iter().flat_map(Rule::problems).next() {
                return Err(Failure::new(Kind::Config, shown(&problem).to_string()));
            }
            Ruleset::new(rules).map_err(|error| Failure::new(Kind::Config, error.to_string()))?
        }
    };
    let engine = Engine::new(rules, Vec::new()).map_err(|error| Failure::new(Kind::Config, error.to_string()))?;
    let (mut problems, mut examples) = (0, 0);
    for (index, rule) in engine.rules().iter().filter(|(_, rule)| rule.pattern.is_some()) {
        let wanted = rule.positives.iter().map(|example| (example, true));
        for (example, is_wanted) in wanted.chain(rule.negatives.iter().map(|example| (example, false))) {
            examples += 1;
            let told = (0..SEEDS).find_map(|seed| try_example(&engine, index, example, is_wanted, seed).err());
            if let Some(problem) = told {
                problems += 1;
                session.answer_line(format!("{}: {problem}: {}", rule.id, shown(example)))?;
            }
        }
    }
    match problems {
        0 => {
            session.say(&format!("{examples} examples, {SEEDS} times each, and each rule finds what it should"));
            Ok(())
        }
        n => Err(Failure::new(Kind::No, format!("{} not as it should be", counted(n, "example")))),
    }
}

/// Whether the rule finds what it should in one filling of an example, and nothing else; else what is wrong.
fn try_example(engine: &Engine, rule: RuleIndex, example: &str, is_wanted: bool, seed: u64) -> Result<(), String> {
    let Filled { text, secret } = fill(example, engine.rules().rule(rule), seed)?;
    let mut found = Vec::new();
    engine.scan(text.as_bytes(), &mut found);
    pair(engine.rules(), text.as_bytes(), &mut found);
    most_specific(engine.rules(), &mut found);
    let own: Vec<_> = found.iter().filter(|found| found.rule == rule).collect();
    match (is_wanted, &own[..]) {
        (true, [one]) if secret.is_none_or(|secret| secret == one.secret) => Ok(()),
        (true, [_]) => Err("it is found, but the credential is not what stands between ‹ and ›".to_owned()),
        (true, []) => Err(match found.first() {
            Some(other) => format!("not found; {} is", engine.rules().rule(other.rule).id),
            None => "not found".to_owned(),
        }),
        (true, more) => Err(format!("found {} times", more.len())),
        (false, own) if own.iter().any(|found| found.confidence > Confidence::Low) => {
            Err("found, and should not be".to_owned())
        }
        (false, _) => Ok(()),
    }
}

fn built_in() -> Result<Ruleset, Failure> {
    Ruleset::built_in().map_err(|error| Failure::new(Kind::Config, error.to_string()))
}

fn read(file: &Path) -> Result<Vec<Rule>, Failure> {
    let name = shown(&file.display().to_string()).to_string();
    let bytes = files::read(file).map_err(|error| Failure::new(Kind::Io, error.to_string()))?;
    let text = std::str::from_utf8(&bytes).map_err(|_| Failure::new(Kind::Config, format!("{name} is not UTF-8")))?;
    Rule::read_all(text, &name).map_err(|error| Failure::new(Kind::Config, shown(&error.to_string()).to_string()))
}

fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("one {noun}") } else { format!("{count} {noun}s") }
}
