//! The git part of `seal init --git`: attributes that say which files are sealed, and the drivers they name.
//!
//! The attributes are committed and so for everybody; the drivers are in the repository's own config, as git takes no programs
//! from what was committed. Each step is said; what is as it should be is left alone.

use std::path::Path;

use super::failure::{Failure, Kind};
use super::session::Session;
use super::shown;
use crate::git::{self, Repository};
use crate::host::target::{self, Target};

/// What git is told. `cachetextconv` would have git store plaintext in the repository.
const CONFIG: [(&str, &str); 4] = [
    ("diff.seal.textconv", "seal textconv"),
    ("diff.seal.cachetextconv", "false"),
    ("merge.seal.name", "seal: encrypted files, merged by value"),
    ("merge.seal.driver", "seal merge-driver %O %A %B %L %P"),
];
/// Where git would have cached what textconv printed.
const CACHE: &str = "refs/notes/textconv/seal";

/// Sets git up for files that match `patterns`, or with `dry_run` says what would be done.
pub fn run(folder: &Path, patterns: &[String], dry_run: bool, session: &Session) -> Result<(), Failure> {
    for pattern in patterns {
        check(pattern)?;
    }
    let repository = Repository::of(folder).map_err(|error| Failure::from(error).hint("make one: git init"))?;
    let root = repository.root();
    attributes(&root.join(".gitattributes"), patterns, dry_run, session)?;
    for (name, value) in CONFIG {
        if git::configured(root, name)?.as_deref() == Some(value) {
            session.say(&format!("git config   {name} is set already"));
            continue;
        }
        if !dry_run {
            git::set_config(root, name, value)?;
        }
        session.say(&format!("git config   {} {name} = {value}", if dry_run { "would set" } else { "set" }));
    }
    if repository.has_reference(CACHE)? {
        session.warn(&format!(
            "git has cached decrypted files; remove them: git update-ref -d {CACHE} && git gc --prune=now"
        ));
    }
    Ok(())
}

/// Adds a line for each pattern that has none.
fn attributes(path: &Path, patterns: &[String], dry_run: bool, session: &Session) -> Result<(), Failure> {
    let mut target = match path.exists() {
        true => Some(Target::open(path)?),
        false => None,
    };
    let mut text = target.as_mut().map(Target::take_bytes).unwrap_or_default();
    let mut added = false;
    for pattern in patterns {
        let line = format!("{pattern} diff=seal merge=seal");
        let is_there = text.split(|&byte| byte == b'\n').any(|old| {
            let mut words = old.split(|byte| byte.is_ascii_whitespace()).filter(|word| !word.is_empty());
            words.next() == Some(pattern.as_bytes()) && {
                let words: Vec<_> = words.collect();
                ["diff=seal", "merge=seal"].iter().all(|word| words.contains(&word.as_bytes()))
            }
        });
        if is_there {
            session.say(&format!("attributes   {} is in {} already", shown(pattern), shown(path)));
            continue;
        }
        if !text.is_empty() && !text.ends_with(b"\n") {
            text.push(b'\n');
        }
        text.extend_from_slice(line.as_bytes());
        text.push(b'\n');
        added = true;
        session.say(&format!(
            "attributes   {} to {}: {line}",
            if dry_run { "would add" } else { "added" },
            shown(path)
        ));
    }
    match target {
        _ if dry_run || !added => {}
        Some(target) => drop(target.replace(&text)?),
        None => target::create(path, &text, 0o644)?,
    }
    Ok(())
}

/// A pattern must be one word that git does not read as something else.
fn check(pattern: &str) -> Result<(), Failure> {
    let is_word = !pattern.is_empty() && !pattern.contains(|c: char| c.is_whitespace() || c.is_control() || c == '"');
    if is_word && !pattern.starts_with(['!', '#']) && !pattern.starts_with("[attr]") {
        return Ok(());
    }
    Err(Failure::new(Kind::Usage, format!("`{}` cannot be a pattern of .gitattributes", shown(pattern)))
        .hint("write it as in .gitignore, without blanks: --pattern '*.secret.yaml'"))
}
