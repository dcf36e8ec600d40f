//! `seal init`: the first identity and the first `.sops.yaml`.

use std::path::{Path, PathBuf};

use clap::Args;

use super::failure::{Failure, Kind};
use super::session::{Session, absolute};
use super::shown;
use crate::config::default_config_text;
use crate::crypt::{Kind as RecipientKind, Recipient};
use crate::host::{clock, files, target};
use crate::keys::generate_identity;
use crate::keys::identities::{self, Environment, Source};

/// Make a first age identity and a .sops.yaml where they are missing
#[derive(Args, Default)]
pub struct InitArgs {
    /// A file that the creation rule must match
    #[arg(skip)]
    pub for_file: Option<PathBuf>,
    /// Make a post-quantum identity (sops 3.13 and age 1.3 read it, older ones do not)
    #[arg(long)]
    pub post_quantum: bool,
}

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
    if let Some(config) = search.found {
        session.say(&format!("config       {} is there already", shown(&config)));
        return Ok(());
    }

    let recipient = match existing_recipient()? {
        Some((recipient, place)) => {
            session.say(&format!("identity     yours is in {}", shown(&place)));
            recipient
        }
        None => make_identity(args.post_quantum, session)?,
    };
    let folder = repository_of(file.as_deref().and_then(Path::parent).unwrap_or(&here)).unwrap_or(here);
    let path = folder.join(".sops.yaml");
    let fits = |file: &PathBuf| {
        let name = file.to_string_lossy();
        regex::Regex::new(SECRET_FILES).is_ok_and(|pattern| pattern.is_match(&name))
    };
    let pattern = match &file {
        Some(file) if !fits(file) => {
            if file.extension().is_some_and(|e| e == "yaml" || e == "yml") {
                YAML_FILES
            } else {
                ""
            }
        }
        _ => SECRET_FILES,
    };
    let recipient = Recipient::parse(RecipientKind::Age, &recipient)?;
    target::create(&path, default_config_text(pattern, &[recipient]).as_bytes(), 0o644)?;
    session.say(&format!("config       made {}: who may read, and which values are encrypted", shown(&path)));
    session.say(&format!(
        "next         seal encrypt -i FILE, for files whose name matches {}",
        if pattern.is_empty() { "." } else { pattern }
    ));
    Ok(())
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
