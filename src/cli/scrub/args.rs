//! The words of `seal scrub`, and the rules that they make.

use std::collections::HashMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use gix::ObjectId;

use super::remote::RemoteStep;
use super::value::ValueArgs;
use super::verify::VerifyArgs;
use crate::cli::failure::{Failure, Kind};
use crate::git::Repository;
use crate::host::files;
use crate::host::terminal::shown;
use crate::scrub::{BlobFate, PathRule, PathSelection, Rules};

/// Take files and leaked values out of history
///
/// Rewrites all commits that have them, on every branch, tag, stash and note, and moves the refs at once. Shows what will happen
/// first. Change the credential where it comes from before anything else: whoever has fetched the repository keeps the old one.
#[derive(Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub struct ScrubArgs {
    #[command(subcommand)]
    pub step: Option<Step>,
    #[command(flatten)]
    pub selection: SelectionArgs,
    #[command(flatten)]
    pub value: ValueArgs,
    /// Take the files out; this is what happens without another action
    #[arg(long, conflicts_with = "remove_to")]
    pub remove: bool,
    /// Put this file's text in the place of each version
    #[arg(long, value_name = "FILE")]
    pub remove_to: Option<PathBuf>,
    /// What becomes of signatures on what changes: they no longer fit
    #[arg(long, value_enum, default_value = "drop")]
    pub signatures: Signatures,
    /// Carry out this plan and no other: stop where refs or words are not those it was told for
    #[arg(long, value_name = "PLAN")]
    pub plan_id: Option<String>,
    /// First fetch all that the remotes have, also refs of their hosts, so that nothing of it is missed
    #[arg(long)]
    pub fetch: bool,
    /// Show what would happen, and stop
    #[arg(long, short = 'n')]
    pub dry_run: bool,
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
    /// Then remove the old objects for good; nothing can be undone after it
    #[arg(long, conflicts_with = "dry_run")]
    pub finish: bool,
    /// How to tell it
    #[arg(long, value_enum, default_value = "human")]
    pub format: Format,
}

/// What can be done with a rewrite that was carried out.
#[derive(Subcommand, Clone, PartialEq, Eq)]
pub enum Step {
    #[command(flatten)]
    Remote(RemoteStep),
    /// Put all refs back to where they were
    #[command(after_help = "Examples:\n  seal scrub undo")]
    Undo,
    /// Go on with a rewrite that was killed
    #[command(after_help = "Examples:\n  seal scrub resume")]
    Resume,
    /// Remove the old objects for good; nothing can be undone after it
    #[command(after_help = "Examples:\n  seal scrub finish\n  seal scrub finish --yes")]
    Finish {
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
    /// Tell which rewrites there are, and how far they are
    #[command(after_help = "Examples:\n  seal scrub status")]
    Status,
    Verify(VerifyArgs),
}

/// What is to go.
#[derive(Args)]
pub struct SelectionArgs {
    /// This file, or all files in this directory, from the top of the repository
    #[arg(long, value_name = "PATH")]
    pub path: Vec<OsString>,
    /// Files whose whole path matches this shell pattern, in which * also stands for /
    #[arg(long, value_name = "GLOB")]
    pub path_glob: Vec<OsString>,
    /// Files in whose path this regular expression is found
    #[arg(long, value_name = "REGEX")]
    pub path_regex: Vec<String>,
    /// Also the names that the files had before and after they were renamed
    #[arg(long, conflicts_with = "use_base_name")]
    pub follow: bool,
    /// Look at the last part of each path alone
    #[arg(long)]
    pub use_base_name: bool,
    /// Read paths from a file: a line each, behind literal:, glob: or regex: or as it is
    #[arg(long, value_name = "FILE")]
    pub paths_from_file: Option<PathBuf>,
    /// This blob wherever it is, by its id or the beginning of it
    #[arg(long, value_name = "ID")]
    pub blob: Vec<String>,
    /// Blobs whose ids stand in a file, a line each
    #[arg(long, value_name = "FILE")]
    pub strip_blobs_with_ids: Option<PathBuf>,
    /// Blobs of more bytes than this: 500, 10K, 5M, 1G
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub strip_blobs_bigger_than: Option<u64>,
}

/// What becomes of signatures on commits and tags that change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Signatures {
    /// They go
    Drop,
    /// They stay, though they are wrong
    KeepBroken,
    /// Nothing changes where one would be lost
    Abort,
}

/// How a plan is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Human,
    /// For programs
    Json,
}

const EXAMPLES: &str = "\
Examples:
  seal scrub --path config/mail.yml --dry-run
  seal scrub --path config/mail.yml
  seal scrub --path-glob '*.pem' --remove-to removed.txt --yes
  seal scrub --value-file leaked.txt --dry-run
  seal scrub --seal --path deploy/db.secret.yaml
  seal scrub finish";

impl SelectionArgs {
    /// The rules that the words make.
    /// Having none is an error where nothing else is named.
    pub fn rules(&self, repository: &Repository, else_named: bool) -> Result<Rules, Failure> {
        let mut rules: Vec<PathRule> = Vec::new();
        for path in &self.path {
            rules.push(PathRule::Exact(exact(path.as_bytes())?));
        }
        for glob in &self.path_glob {
            rules.push(glob_rule(glob.as_bytes())?);
        }
        for regex in &self.path_regex {
            rules.push(regex_rule(regex.as_bytes())?);
        }
        if let Some(file) = &self.paths_from_file {
            for line in files::read(file)?.split(|byte| *byte == b'\n') {
                let line = line.strip_suffix(b"\r").unwrap_or(line);
                rules.extend(line_rule(line)?);
            }
        }
        let mut blobs: HashMap<ObjectId, BlobFate> = HashMap::new();
        for name in &self.blob {
            let id = repository.blob(name).map_err(|error| {
                Failure::new(Kind::NotFound, shown(&error.to_string()).to_string())
                    .hint("see a file's blobs: git log --raw --no-abbrev --all -- PATH")
            })?;
            blobs.insert(id, BlobFate::Drop);
        }
        if let Some(file) = &self.strip_blobs_with_ids {
            for line in files::read(file)?.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii) {
                if !line.is_empty() {
                    let id = ObjectId::from_hex(line).map_err(|_| {
                        Failure::new(Kind::Input, format!("{} has a line that is no whole id", shown(file)))
                            .hint("write one id a line, all of its digits")
                    })?;
                    blobs.insert(id, BlobFate::Drop);
                }
            }
        }
        if let Some(limit) = self.strip_blobs_bigger_than {
            let large = repository.blobs_larger_than(limit).map_err(|error| super::git_failure(&error))?;
            blobs.extend(large.into_iter().map(|id| (id, BlobFate::Drop)));
        }
        if !else_named && rules.is_empty() && blobs.is_empty() && self.strip_blobs_bigger_than.is_none() {
            return Err(Failure::new(Kind::Usage, "nothing was said to take out of history")
                .hint("name a file: seal scrub --path PATH")
                .hint("or a value: seal scrub --value-file FILE"));
        }
        let paths = PathSelection { rules, by_base_name: self.use_base_name };
        Ok(Rules { paths, blobs, ..Rules::default() })
    }

    /// The same in words that are the same in every run.
    pub fn in_words(&self, rules: &Rules) -> String {
        // New forms of blobs are not told: those that are sealed differ from run to run.
        let mut blobs: Vec<String> = rules.blobs.keys().map(ToString::to_string).collect();
        blobs.sort();
        format!("{:?} {} {blobs:?}", rules.paths.rules, rules.paths.by_base_name)
    }
}

fn exact(path: &[u8]) -> Result<Vec<u8>, Failure> {
    let refuse = |what: &str| {
        let path = shown(&*String::from_utf8_lossy(path)).to_string();
        Err(Failure::new(Kind::Usage, format!("--path {path} {what}"))
            .hint("paths are those of git, from the top of the repository: git ls-files --full-name"))
    };
    if path.starts_with(b"/") {
        return refuse("begins at the root of the file system");
    }
    if path.split(|byte| *byte == b'/').any(|part| part == b"." || part == b"..") {
        return refuse("has a part that is . or ..");
    }
    if path.is_empty() {
        return refuse("is empty, which would mean all files");
    }
    Ok(path.to_vec())
}

fn glob_rule(glob: &[u8]) -> Result<PathRule, Failure> {
    PathSelection::glob(glob).map_err(|_| bad_pattern(glob, "shell pattern"))
}

fn regex_rule(pattern: &[u8]) -> Result<PathRule, Failure> {
    let text = std::str::from_utf8(pattern).ok();
    let regex = text.and_then(|text| regex::bytes::RegexBuilder::new(text).unicode(false).build().ok());
    regex.map(PathRule::Regex).ok_or_else(|| bad_pattern(pattern, "regular expression"))
}

fn bad_pattern(pattern: &[u8], what: &str) -> Failure {
    Failure::new(Kind::Usage, format!("{} is no {what}", shown(&*String::from_utf8_lossy(pattern))))
        .hint("the syntax of regular expressions: https://docs.rs/regex/latest/regex/#syntax")
}

fn line_rule(line: &[u8]) -> Result<Option<PathRule>, Failure> {
    if line.is_empty() || line.starts_with(b"#") {
        return Ok(None);
    }
    if memchr::memmem::find(line, b"==>").is_some() {
        return Err(Failure::new(Kind::Input, "the file of paths has a line with ==>, which renames")
            .hint("to rename paths: seal filter-repo --paths-from-file FILE"));
    }
    let rule = match line {
        _ if line.starts_with(b"glob:") => glob_rule(&line[5..])?,
        _ if line.starts_with(b"regex:") => regex_rule(&line[6..])?,
        _ => PathRule::Exact(exact(line.strip_prefix(b"literal:").unwrap_or(line))?),
    };
    Ok(Some(rule))
}

fn size(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit: u64 = match &text[digits.len()..] {
        "" => 1,
        "K" | "k" => 1 << 10,
        "M" | "m" => 1 << 20,
        "G" | "g" => 1 << 30,
        _ => return Err("a number was expected, perhaps with K, M or G".to_owned()),
    };
    let number: u64 = digits.parse().map_err(|_| "a number was expected, perhaps with K, M or G".to_owned())?;
    number.checked_mul(unit).ok_or_else(|| "it is too large".to_owned())
}
