//! `seal config show`: which settings count for a file, and where each was found.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::args::RecipientArgs;
use super::failure::Failure;
use super::readers;
use super::session::{self, Session};
use super::shown;
use crate::config::{Config, RuleError};
use crate::crypt::{Encrypted, KeyGroup, SelectionRule};
use crate::document::{Document, Format};
use crate::host::terminal::{Line, Role};
use crate::host::{Variable, files};
use crate::manifest::{self, Fit};

/// Show the settings that count
#[derive(Args)]
pub struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Subcommand)]
enum ConfigCommand {
    Show(ShowArgs),
}

/// Show which settings count for a file, or all there are
///
/// For a file: the creation rule that matches, and what follows from it when the file is encrypted. Without one: all rules of the
/// nearest .sops.yaml, and the environment variables that seal knows.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  seal config show secret.yaml\n  seal config show --origin secret.yaml\n  seal config show"
)]
struct ShowArgs {
    /// The file; it need not exist
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Say where each setting was found
    #[arg(long)]
    origin: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    recipients: RecipientArgs,
}

/// A setting, what it is, and where that was found.
struct Setting {
    name: String,
    value: Value,
    origin: String,
}

/// Runs it.
pub fn run(args: ConfigArgs, session: &Session) -> Result<(), Failure> {
    let ConfigCommand::Show(args) = args.command;
    let settings = match &args.file {
        Some(file) => of_file(file, &args, session)?,
        None => all(session)?,
    };
    if args.json {
        let settings: Vec<_> = settings
            .into_iter()
            .map(|setting| json!({"name": setting.name, "value": setting.value, "origin": setting.origin}))
            .collect();
        return session.answer_json(&json!({"schema": "seal.config/1", "settings": settings}));
    }
    let width = settings.iter().map(|setting| setting.name.chars().count()).max().unwrap_or_default();
    for setting in &settings {
        let value = match &setting.value {
            Value::Null => "not set".to_owned(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let line = Line::new().part(Role::Strong, format!("{:width$}", setting.name)).text(format!("  {value}"));
        session.answer_line(match args.origin {
            true => line.part(Role::Faint, format!("  ({})", setting.origin)),
            false => line,
        })?;
    }
    Ok(())
}

const BUILT_IN: &str = "built in";

fn of_file(file: &Path, args: &ShowArgs, session: &Session) -> Result<Vec<Setting>, Failure> {
    let mut settings = Vec::new();
    let mut add = |name: &str, value: Value, origin: &str| {
        settings.push(Setting { name: name.to_owned(), value, origin: origin.to_owned() });
    };
    let config = session.config(file)?;
    add("config", config.as_ref().map_or(Value::Null, |c| path_value(c.path())), &config_origin(session));
    let typed = args.recipients.group()?;
    let rule = match &config {
        None => None,
        Some(config) => match config.rule_for(&session::absolute(file)?) {
            Ok(rule) => rule.map(|rule| (config, rule)),
            Err(RuleError::NoRule(_)) if typed.is_some() => None,
            Err(error) => return Err(Failure::of_rule(file, &error)),
        },
    };
    let place = rule.map_or_else(|| BUILT_IN.to_owned(), |(config, rule)| place(config, rule.line));
    if let Some((config, rule)) = rule {
        let regex = &config.creation_rules()[rule.number - 1].path_regex;
        add("creation rule", json!(rule.number), &place);
        add("path_regex", if regex.is_empty() { "(every file)".into() } else { json!(regex) }, &place);
    } else {
        add("creation rule", Value::Null, BUILT_IN);
    }
    match (&typed, rule) {
        (Some(group), _) => add_groups(&mut add, std::slice::from_ref(group), &typed_origin(session)),
        (None, Some((_, rule))) => add_groups(&mut add, &rule.groups, &place),
        (None, None) => add("readers", Value::Null, BUILT_IN),
    }
    let threshold = rule.and_then(|(_, rule)| rule.threshold);
    add(
        "shamir_threshold",
        threshold.map_or("all groups".into(), |n| json!(n)),
        if threshold.is_some() { &place } else { BUILT_IN },
    );

    let format = Format::of_path(file);
    let plain = files::read(file).ok();
    let sealed = plain.as_ref().and_then(|bytes| Encrypted::parse(bytes.clone(), format).ok());
    match rule.and_then(|(_, rule)| rule.selection.clone()) {
        Some(selection) => add("selection", json!(selection.to_string()), &place),
        None => {
            let fit = plain.and_then(|bytes| Document::parse(bytes, format).ok()).map(|d| manifest::selection_for(&d));
            match fit {
                Some(Fit::Secrets(selection)) if sealed.is_none() => {
                    add("selection", json!(selection.to_string()), "built in, for a file of Secrets");
                }
                _ => add("selection", json!(SelectionRule::default().to_string()), BUILT_IN),
            }
        }
    }
    let only = rule.is_some_and(|(_, rule)| rule.mac_only_encrypted);
    add("mac_only_encrypted", json!(only), if only { &place } else { BUILT_IN });
    add("format", json!(format.to_string()), "the file's name");
    let style = session.style(file, format, None)?;
    let origin = match (&config, style.indent) {
        (Some(config), Some(_)) => shown(config.path()).to_string(),
        _ => BUILT_IN.to_owned(),
    };
    add("envelope indent", style.indent.map_or("as the file's own".into(), |n| json!(n)), &origin);
    if let Some(sealed) = sealed {
        let envelope = sealed.envelope();
        let origin = "the file's envelope; it is what counts when the file is changed";
        add("encrypted for", json!(readers::count(&readers::groups_of(envelope))), origin);
        add("encrypted selection", json!(sealed.selection().rule().to_string()), origin);
    }
    Ok(settings)
}

fn add_groups(add: &mut impl FnMut(&str, Value, &str), groups: &[KeyGroup], origin: &str) {
    for (index, group) in groups.iter().enumerate() {
        let name = if groups.len() > 1 { format!("readers of group {index}") } else { "reader".to_owned() };
        for recipient in group {
            add(&name, json!(recipient.to_string()), origin);
        }
        if group.is_empty() {
            add(&name, Value::Null, origin);
        }
    }
}

fn all(session: &Session) -> Result<Vec<Setting>, Failure> {
    let mut settings = Vec::new();
    let mut add = |name: &str, value: Value, origin: &str| {
        settings.push(Setting { name: name.to_owned(), value, origin: origin.to_owned() });
    };
    let config = session.config(Path::new("file"))?;
    add("config", config.as_ref().map_or(Value::Null, |c| path_value(c.path())), &config_origin(session));
    if let Some(config) = &config {
        for rule in config.creation_rules() {
            let what = match rule.body() {
                Ok(body) => {
                    let selection = body.selection.clone().map_or_else(String::new, |s| format!(", {s}"));
                    format!("{}{selection}", readers::count(&body.groups))
                }
                Err(error) => format!("cannot be used: {}", error.problem),
            };
            let regex = if rule.path_regex.is_empty() { "(every file)" } else { &rule.path_regex };
            add(
                &format!("creation rule {}", rule.number),
                json!(format!("{regex}  {what}")),
                &place(config, rule.line),
            );
        }
        let style = config.style();
        for (name, indent) in [
            ("stores.yaml.indent", style.yaml_indent),
            ("stores.json.indent", style.json_indent),
            ("stores.json_binary.indent", style.json_binary_indent),
        ] {
            if let Some(indent) = indent {
                add(name, json!(indent), &shown(config.path()).to_string());
            }
        }
    }
    for variable in Variable::ALL {
        let value = match session.environment.value(*variable) {
            None => Value::Null,
            // What opens files is never printed, and neither is where it comes from.
            Some(_) if variable.is_secret() => "set, not shown".into(),
            Some(value) => json!(value.to_string_lossy()),
        };
        add(variable.name(), value, &format!("environment: {}", variable.about()));
    }
    Ok(settings)
}

fn path_value(path: &Path) -> Value {
    json!(path.to_string_lossy())
}

fn place(config: &Config, line: Option<usize>) -> String {
    let path = shown(config.path());
    line.map_or_else(|| path.to_string(), |line| format!("{path}:{line}"))
}

fn config_origin(session: &Session) -> String {
    match (&session.global.config, session.environment.path(Variable::SopsConfig)) {
        (None, _) => "looked for from the file's folder up, then from the current one".to_owned(),
        (Some(given), Some(variable)) if *given == variable => Variable::SopsConfig.name().to_owned(),
        (Some(_), _) => "--config".to_owned(),
    }
}

/// Flags and these variables count the same; a variable that is set is the likelier surprise.
fn typed_origin(session: &Session) -> String {
    let variables = [
        Variable::SopsAgeRecipients,
        Variable::SopsPgpFp,
        Variable::SopsKmsArn,
        Variable::SopsGcpKmsIds,
        Variable::SopsHuaweicloudKmsIds,
        Variable::SopsAzureKeyvaultUrls,
        Variable::SopsVaultUris,
    ];
    let set: Vec<_> =
        variables.into_iter().filter(|v| session.environment.value(*v).is_some()).map(Variable::name).collect();
    if set.is_empty() { "flags".to_owned() } else { format!("{}, in place of .sops.yaml", set.join(", ")) }
}
