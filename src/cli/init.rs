//! `seal init`: the first identity and the first `.sops.yaml`; with `--git` also git's drivers.

use std::path::{Path, PathBuf};

use clap::Args;

use super::failure::{Failure, Kind};
use super::session::{Session, absolute};
use super::{git_setup, shown};
use crate::config::default_config_text;
use crate::crypt::{Kind as RecipientKind, Recipient};
use crate::host::{clock, files, target};
use crate::keys::generate_identity;
use crate::keys::identities::{self, Environment, Source};

/// Make a first age identity and a .sops.yaml where they are missing
///
/// With --git, git also shows and merges encrypted files by their values. What is there already is left as it is.
#[derive(Args, Default)]
#[command(after_help = EXAMPLES)]
pub struct InitArgs {
    /// A file that the creation rule must match
    #[arg(skip)]
    pub for_file: Option<PathBuf>,
    /// Make a post-quantum identity (sops 3.13 and age 1.3 read it, older ones do not)
    #[arg(long)]
    pub post_quantum: bool,
    /// Have git diff and merge encrypted files by value: .gitattributes, and drivers in the repository's config
    #[arg(long)]
    pub git: bool,
    /// Which files git is to treat so, as in .gitignore; several times for several
    #[arg(long, value_name = "GLOB", requires = "git")]
    pub pattern: Vec<String>,
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
}

const EXAMPLES: &str = "\
Examples:
  seal init
  seal init --git
  seal init --git --pattern '*.enc.yaml' --dry-run";

/// What most names of Secrets hold.
const SECRET_FILES: &str = r"secrets?[^/]*\.ya?ml$";
const YAML_FILES: &str = r"\.ya?ml$";

/// Runs it.
pub fn run(args: InitArgs, session: &Session) -> Result<(), Failure> {
    let here = absolute(Path::new("."))?;
    let file = args.for_file.as_deref().map(absolute).transpose()?;
    let search = match &file {
        Some(file) => files::find_config_for(file),
        None => files::find_config(&here),
    };
    let pattern = match search.found {
        Some(config) => {
            session.say(&format!("config       {} is there already", shown(&config)));
            None
        }
        None => Some(make_config(&args, file.as_deref(), &here, session)?),
    };
    if args.git {
        let patterns = match args.pattern.as_slice() {
            [] => patterns(pattern, &here, session)?,
            named => named.to_vec(),
        };
        git_setup::run(&here, &patterns, args.dry_run, session)?;
    }
    match pattern {
        _ if args.dry_run => session.say("nothing was changed"),
        Some(pattern) => session.say(&format!(
            "next         seal encrypt -i FILE, for files whose name matches {}",
            if pattern.is_empty() { "." } else { pattern }
        )),
        None if args.git => {
            session.say("next         git add .gitattributes; who clones it runs seal init --git as well")
        }
        None => {}
    }
    Ok(())
}

/// Makes an identity, if there is none, and the config; gives the pattern of its rule.
fn make_config(args: &InitArgs, file: Option<&Path>, here: &Path, session: &Session) -> Result<&'static str, Failure> {
    let recipient = match existing_recipient()? {
        Some((recipient, place)) => {
            session.say(&format!("identity     yours is in {}", shown(&place)));
            Some(recipient)
        }
        None if args.dry_run => {
            session.say("identity     would make one");
            None
        }
        None => Some(make_identity(args.post_quantum, session)?),
    };
    let folder = repository_of(file.and_then(Path::parent).unwrap_or(here)).unwrap_or(here.to_owned());
    let path = folder.join(".sops.yaml");
    let fits = |file: &Path| {
        let name = file.to_string_lossy();
        regex::Regex::new(SECRET_FILES).is_ok_and(|pattern| pattern.is_match(&name))
    };
    let pattern = match file {
        Some(file) if !fits(file) => {
            if file.extension().is_some_and(|e| e == "yaml" || e == "yml") {
                YAML_FILES
            } else {
                ""
            }
        }
        _ => SECRET_FILES,
    };
    let Some(recipient) = recipient.filter(|_| !args.dry_run) else {
        session.say(&format!("config       would make {}", shown(&path)));
        return Ok(pattern);
    };
    let recipient = Recipient::parse(RecipientKind::Age, &recipient)?;
    target::create(&path, default_config_text(pattern, &[recipient]).as_bytes(), 0o644)?;
    session.say(&format!("config       made {}: who may read, and which values are encrypted", shown(&path)));
    Ok(pattern)
}

/// The files that the creation rules name, as git writes such; asked for where they are not the ones that init makes.
fn patterns(made: Option<&str>, here: &Path, session: &Session) -> Result<Vec<String>, Failure> {
    let rules: Vec<String> = match made {
        Some(pattern) => vec![pattern.to_owned()],
        None => match session.config(&here.join("secret.yaml"))? {
            Some(config) => config.creation_rules().iter().map(|rule| rule.path_regex.clone()).collect(),
            None => Vec::new(),
        },
    };
    let globs: Option<Vec<&str>> =
        rules.iter().map(|rule| globs(rule)).collect::<Option<Vec<_>>>().map(|it| it.concat());
    match globs.filter(|globs| !globs.is_empty()) {
        Some(globs) => Ok(globs.into_iter().map(str::to_owned).collect()),
        None => {
            let question = "Which files are encrypted, as in .gitignore (such as *.secret.yaml)?";
            let answer = session.terminal().ask(question, "--pattern GLOB");
            let answer = answer.map_err(|_| {
                Failure::new(Kind::Usage, "which files are encrypted cannot be told from the patterns of .sops.yaml")
                    .hint("name them as in .gitignore: seal init --git --pattern '*.secret.yaml'")
            })?;
            Ok(answer.split_whitespace().map(str::to_owned).collect())
        }
    }
}

fn globs(path_regex: &str) -> Option<Vec<&'static str>> {
    match path_regex {
        SECRET_FILES => Some(vec!["*secret*.yaml", "*secret*.yml"]),
        YAML_FILES => Some(vec!["*.yaml", "*.yml"]),
        _ => None,
    }
}

/// The public key of the first identity in the default places, and where it stands.
fn existing_recipient() -> Result<Option<(String, String)>, Failure> {
    for place in identities::places(&Environment::of_process()) {
        let keys = identities::public_keys(&place)
            .map_err(|error| Failure::new(Kind::Config, format!("cannot use the identities there are: {error}")))?;
        if let Some(recipient) = keys.into_iter().next() {
            return Ok(Some((recipient, place.name)));
        }
    }
    Ok(None)
}

/// Writes a new identity where sops and seal look for it.
fn make_identity(post_quantum: bool, session: &Session) -> Result<String, Failure> {
    let environment = Environment::of_process();
    let place = identities::places(&environment).into_iter().rev().find_map(|place| match place.source {
        // The place that sops reads as well.
        Source::DefaultFile(path) if path.ends_with("sops/age/keys.txt") => Some((path, place.name)),
        _ => None,
    });
    let Some((path, name)) = place else {
        return Err(Failure::new(Kind::Io, "there is no home folder to keep an identity in")
            .hint("set HOME, or XDG_CONFIG_HOME"));
    };
    let (text, recipient) =
        generate_identity(post_quantum, &clock::now()).map_err(|error| Failure::new(Kind::Io, error.to_string()))?;
    if let Some(folder) = path.parent() {
        files::create_private_folder(folder)?;
    }
    target::create(&path, text.expose(), 0o600)?;
    session.say(&format!(
        "identity     made {} (only you can read it): back it up now, nobody can restore it",
        shown(&name)
    ));
    session.say(&format!("public key   {recipient} (safe to share)"));
    Ok(recipient)
}

/// The root of the git repository that a folder is in.
fn repository_of(folder: &Path) -> Option<PathBuf> {
    folder.ancestors().find(|folder| folder.join(".git").exists()).map(Path::to_owned)
}
