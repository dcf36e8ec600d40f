//! `seal keys`: who can read files, readers added and removed, and new identities.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use clap::{Args, Subcommand};
use serde_json::json;

use super::args::OpenArgs;
use super::decrypt::is_encrypted;
use super::failure::{Failure, Kind, short};
use super::readers::{self, AwsArgs, Change, KindArgs, LockedOut};
use super::session::{self, Session};
use super::update_keys::{self, UpdateKeysArgs};
use super::{many, rotate, shown};
use crate::config;
use crate::crypt::{KeyGroup, Kind as RecipientKind, Recipient};
use crate::document::Format;
use crate::host::target::{self, Target};
use crate::host::terminal::{Line, Role};
use crate::host::{clock, files};
use crate::keys::generate_identity;

/// Say who can read files, and change it
#[derive(Args)]
pub struct KeysArgs {
    #[command(subcommand)]
    command: KeysCommand,
}

#[derive(Subcommand)]
enum KeysCommand {
    List(ListArgs),
    Add(AddArgs),
    Remove(RemoveArgs),
    /// Give files the readers that .sops.yaml names (the same as seal updatekeys)
    Sync(UpdateKeysArgs),
    Generate(GenerateArgs),
}

/// Runs it.
pub fn run(args: KeysArgs, session: &Session) -> Result<(), Failure> {
    match args.command {
        KeysCommand::List(args) => list(args, session),
        KeysCommand::Add(args) => add(args, session),
        KeysCommand::Remove(args) => remove(args, session),
        KeysCommand::Sync(args) => update_keys::run(args, session),
        KeysCommand::Generate(args) => generate(args, session),
    }
}

/// List who can read files
///
/// Needs no key. Which readers are you is told by the public keys of the identities that can be read without asking.
#[derive(Args)]
#[command(after_help = "Examples:\n  seal keys list secret.yaml\n  seal keys list --json deploy")]
struct ListArgs {
    /// Files, or folders whose encrypted files are meant
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Read the files as yaml, json, dotenv, ini or binary
    #[arg(long, value_name = "FORMAT")]
    input_type: Option<Format>,
}

fn list(args: ListArgs, session: &Session) -> Result<(), Failure> {
    let own = session.own_recipients();
    let files = readers::files_in(&args.files, is_encrypted)?;
    let found = Mutex::new(BTreeMap::new());
    let result = many::each(session, &files, |file| {
        let format = args.input_type.unwrap_or_else(|| Format::of_path(file));
        let encrypted = session::read_encrypted(file, files::read(file)?, format)?;
        let envelope = encrypted.envelope();
        let entry = (readers::groups_of(envelope), envelope.threshold);
        found.lock().unwrap_or_else(PoisonError::into_inner).insert(file.to_owned(), entry);
        Ok(Vec::new())
    });
    let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    let in_order = files.iter().filter_map(|file| Some((file, found.get(file)?)));
    if args.json {
        let files: Vec<_> = in_order
            .map(|(file, (groups, threshold))| {
                let readers = groups.iter().enumerate().flat_map(|(index, group)| {
                    group.iter().map(move |recipient| (index, recipient))
                });
                let readers: Vec<_> = readers
                    .map(|(group, recipient)| {
                        json!({
                            "recipient": recipient.to_string(),
                            "kind": recipient.kind().envelope_name(),
                            "group": group,
                            "own": readers::is_own(&own, recipient),
                        })
                    })
                    .collect();
                json!({"file": file.to_string_lossy(), "groups": groups.len(), "threshold": threshold, "readers": readers})
            })
            .collect();
        session.answer_json(&json!({"schema": "seal.keys/1", "files": files}))?;
        return result;
    }
    for (file, (groups, threshold)) in in_order {
        session.answer_line(Line::new().part(Role::Strong, many::title(file)))?;
        if groups.len() > 1 {
            let needed = threshold.unwrap_or(groups.len());
            session.answer_line(format!("  {needed} of {} key groups are needed", groups.len()))?;
        }
        for (index, group) in groups.iter().enumerate() {
            for recipient in group {
                let is_own = readers::is_own(&own, recipient);
                let group = if groups.len() > 1 { format!("group {index}  ") } else { String::new() };
                let line = Line::new().text(format!("  {group}{:9}  {recipient}", recipient.kind().envelope_name()));
                session.answer_line(if is_own { line.part(Role::Good, "  (you)") } else { line })?;
            }
        }
    }
    result
}

/// Let another read files
///
/// The recipient's kind is told from its form. Files get another wrapped key; what is encrypted in them stays as it is. Add the
/// recipient to the creation rule too (--rule), or the next `seal updatekeys` takes it away.
#[derive(Args)]
#[command(after_help = "\
Examples:
  seal keys add age1… secret.yaml
  seal keys add --rule age1… deploy
  seal keys add --pgp FBC7B9E2A4F9289AC0C1D4843D16CEE4A27081B4 secret.yaml")]
struct AddArgs {
    /// The recipient, unless one is named by its kind; then files, or folders whose encrypted files are meant
    #[arg(value_name = "RECIPIENT> <FILE", required = true)]
    words: Vec<PathBuf>,
    /// Add it to the creation rules of the files too
    #[arg(long)]
    rule: bool,
    #[command(flatten)]
    kinds: KindArgs,
    #[command(flatten)]
    aws: AwsArgs,
    #[command(flatten)]
    open: OpenArgs,
}

fn add(args: AddArgs, session: &Session) -> Result<(), Failure> {
    let (group, files) = recipients_and_files(&args.words, &args.kinds, &args.aws)?;
    session.trust(std::slice::from_ref(&group));
    let change = Change { add: group, remove: KeyGroup::new() };
    let files = readers::files_in(&files, is_encrypted)?;
    many::each(session, &files, |file| {
        let mut target = Target::open(file)?;
        let encrypted = session::read_encrypted(file, target.take_bytes(), Format::of_path(file))?;
        let old = readers::groups_of(encrypted.envelope());
        let groups = change.apply(&old);
        if groups == old {
            return Ok(vec![format!("{}  reads it already", many::title(file))]);
        }
        let key = session.data_key(file, encrypted.envelope(), &args.open)?;
        let threshold = encrypted.envelope().threshold;
        let bytes = readers::rewrap(session, file, &encrypted, &key, &groups, threshold, LockedOut::Ask)?;
        target.replace(&bytes)?;
        Ok(vec![format!("{}  {} now, {} added", many::title(file), readers::count(&groups), names(&change.add))])
    })?;
    for (path, number, title) in rules_that(session, &files, |groups| {
        change.add.iter().any(|recipient| !groups.iter().any(|group| readers::has(group, recipient)))
    }) {
        if args.rule {
            add_to_rule(session, &path, number, &change.add)?;
            continue;
        }
        session.say(&format!(
            "{title} of {} does not name {}: the next seal updatekeys would take it away; with --rule it is added there, \
             or add this line to the rule's readers:",
            shown(&path),
            names(&change.add)
        ));
        change.add.iter().for_each(|recipient| session.say(&format!("      - {}", shown(&recipient.to_string()))));
    }
    Ok(())
}

fn add_to_rule(session: &Session, path: &Path, number: usize, group: &[Recipient]) -> Result<(), Failure> {
    let fail = |problem: &str| {
        Failure::new(Kind::Config, format!("cannot add to creation rule {number} of {}: {problem}", shown(path)))
            .hint(format!("add {} by hand, so that seal updatekeys keeps it", names(group)))
    };
    let target = Target::open(path)?;
    let mut text = String::from_utf8(target.bytes().to_vec()).map_err(|_| fail("it is not UTF-8"))?;
    let rule = config::Config::parse(&text, path)?.creation_rules()[number - 1].body()?.clone();
    for recipient in group.iter().filter(|recipient| !rule.groups.iter().any(|group| readers::has(group, recipient))) {
        text = config::with_recipient(&text, number, recipient).map_err(|error| fail(&error.to_string()))?;
    }
    target.replace(text.as_bytes())?;
    session.say(&format!("{}  creation rule {number} names {} too", shown(path), names(group)));
    Ok(())
}

/// Take files away from a reader
///
/// Every file gets a new data key, so that the reader cannot open what comes after. What they have read, and versions in git's
/// history, they keep: the values are safe only once they are changed at their source.
#[derive(Args)]
#[command(after_help = "Examples:\n  seal keys remove age1… secret.yaml\n  seal keys remove age1… deploy")]
struct RemoveArgs {
    /// The recipient, unless one is named by its kind; then files, or folders whose encrypted files are meant
    #[arg(value_name = "RECIPIENT> <FILE", required = true)]
    words: Vec<PathBuf>,
    /// Write it also where none of your identities opens the result
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    kinds: KindArgs,
    #[command(flatten)]
    aws: AwsArgs,
    #[command(flatten)]
    open: OpenArgs,
}

fn remove(args: RemoveArgs, session: &Session) -> Result<(), Failure> {
    let (group, files) = recipients_and_files(&args.words, &args.kinds, &args.aws)?;
    let change = Change { add: KeyGroup::new(), remove: group };
    let files = readers::files_in(&files, is_encrypted)?;
    let changed = AtomicUsize::new(0);
    many::each(session, &files, |file| {
        let format = Format::of_path(file);
        let encrypted = session::read_encrypted(file, files::read(file)?, format)?;
        let old = readers::groups_of(encrypted.envelope());
        if change.apply(&old) == old {
            return Ok(vec![format!("{}  {} was no reader; nothing to do", many::title(file), names(&change.remove))]);
        }
        let rotated = rotate::rotate_in_place(session, file, file, (format, format), &change, &args.open, args.yes)?;
        changed.fetch_add(1, Ordering::Relaxed);
        let mut lines = vec![format!(
            "{}  new data key; {} cannot open it from now on, {} can",
            many::title(file),
            names(&rotated.removed),
            readers::count(&rotated.groups)
        )];
        lines.push(format!(
            "  still known to who was removed, until changed at the source: {}",
            listed(&rotated.values)
        ));
        Ok(lines)
    })?;
    if changed.into_inner() == 0 {
        let failure = Failure::new(Kind::NotFound, format!("{} reads none of these files", names(&change.remove)));
        return Err(failure.hint("who does: seal keys list FILE…"));
    }
    session.say("old versions in git's history stay readable to who was removed");
    for (path, _, title) in rules_that(session, &files, |groups| {
        change.remove.iter().any(|recipient| groups.iter().any(|group| readers::has(group, recipient)))
    }) {
        session.warn(&format!(
            "{title} of {} still names {}: remove it there, or the next seal updatekeys lets it in again",
            shown(&path),
            names(&change.remove)
        ));
    }
    Ok(())
}

/// The first so many paths, and how many more.
fn listed(paths: &[String]) -> String {
    const SHOWN: usize = 20;
    let mut line = paths.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if paths.len() > SHOWN {
        line.push_str(&format!(" and {} more", paths.len() - SHOWN));
    }
    if line.is_empty() { "nothing, as no value is encrypted".to_owned() } else { line }
}

fn names(group: &[Recipient]) -> String {
    group.iter().map(short).collect::<Vec<_>>().join(", ")
}

/// Tells the words typed apart: recipients by kind are flags, else the first word is one.
fn recipients_and_files(
    words: &[PathBuf],
    kinds: &KindArgs,
    aws: &AwsArgs,
) -> Result<(KeyGroup, Vec<PathBuf>), Failure> {
    let typed = kinds.group(aws)?;
    let (group, files) = if !typed.is_empty() {
        (typed, words)
    } else {
        let (first, files) = words.split_first().expect("clap requires one");
        let text = first.to_string_lossy();
        let kind = RecipientKind::of_text(&text).ok_or_else(|| {
            Failure::new(Kind::Usage, format!("`{}` has the form of no recipient", shown(first))).hint(
                "age keys start with age1 or ssh-; other kinds can be named: --pgp, --kms, --gcp-kms, --azure-kv, …",
            )
        })?;
        let group: Result<KeyGroup, _> = if kind == RecipientKind::Age && !text.starts_with("ssh-")
            || kind == RecipientKind::Pgp
        {
            text.split(',').filter(|text| !text.trim().is_empty()).map(|text| Recipient::parse(kind, text)).collect()
        } else {
            Recipient::parse(kind, &text).map(|recipient| vec![recipient])
        };
        (group?, files)
    };
    if files.is_empty() {
        return Err(Failure::new(Kind::Usage, "no file is named").hint("name files, or folders, behind the recipient"));
    }
    Ok((group, files.to_vec()))
}

/// The creation rules of some files whose key groups are such: config, number, title.
fn rules_that(
    session: &Session,
    files: &[PathBuf],
    wanted: impl Fn(&[KeyGroup]) -> bool,
) -> BTreeSet<(PathBuf, usize, String)> {
    let rule_of = |file: &PathBuf| {
        let config = session.config(file).ok()??;
        let rule = session.rule(file).ok()??;
        wanted(&rule.groups).then(|| (config.path().to_owned(), rule.number, readers::rule_title(&rule).to_string()))
    };
    files.iter().filter_map(rule_of).collect()
}

/// Make a new age identity
///
/// Prints it in the form of age-keygen, or writes it to a new file that only you can read. The public half is printed on standard
/// error; it is what others need, to let you read.
#[derive(Args)]
#[command(after_help = "Examples:\n  seal keys generate -o key.txt\n  seal keys generate --post-quantum > key.txt")]
struct GenerateArgs {
    /// Make a post-quantum identity (sops 3.13 and age 1.3 read it, older ones do not)
    #[arg(long)]
    post_quantum: bool,
    /// Write it to this file, which must not exist
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

fn generate(args: GenerateArgs, session: &Session) -> Result<(), Failure> {
    let (text, recipient) = generate_identity(args.post_quantum, &clock::now())
        .map_err(|error| Failure::new(Kind::Io, error.to_string()))?;
    match &args.output {
        Some(path) => {
            target::create(path, text.expose(), 0o600)?;
            session.say(&format!("Public key: {recipient}"));
            session
                .say(&format!("{} is secret and only you can read it: back it up, nobody can restore it", shown(path)));
            session.say(&format!(
                "next  export SOPS_AGE_KEY_FILE={}, and have a reader run: seal keys add {recipient} FILE…",
                shown(path)
            ));
        }
        None => {
            session.answer(text.expose())?;
            session.say(&format!("Public key: {recipient}"));
        }
    }
    Ok(())
}
