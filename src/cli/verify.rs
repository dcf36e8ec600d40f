//! `seal verify`: whether encrypted files are whole and as they were sealed. Never writes.

use std::path::{Path, PathBuf};

use clap::Args;
use rayon::prelude::*;
use serde_json::json;

use super::args::OpenArgs;
use super::check::Mark;
use super::failure::{Failure, Kind};
use super::session::{self, Session};
use super::{many, readers, shown};
use crate::config::RuleError;
use crate::crypt::{self, Encrypted, MacCheck, What};
use crate::document::{Document, Format, Scalar};
use crate::host::files;

/// Check that files are whole and as they were sealed
///
/// With an identity that opens them: every value decrypts and fits its type, and the MAC over all is right. Without one: the
/// envelope can be read, and no value that should be encrypted is plain. Both: the readers are those of .sops.yaml. Writes nothing.
#[derive(Args)]
#[command(after_help = "\
Examples:
  seal verify secret.yaml
  seal verify deploy

Exit codes: 0 all as it should be, 1 something is not, 5 values or MAC are wrong.")]
pub struct VerifyArgs {
    /// Files, or folders whose files with an envelope are meant
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Read the files as yaml, json, dotenv, ini or binary
    #[arg(long, value_name = "FORMAT")]
    input_type: Option<Format>,
}

/// What was found out about a file.
#[derive(Default)]
struct Report {
    /// What was looked at and is right.
    checked: Vec<String>,
    /// What could not be looked at, or deserves a word.
    notes: Vec<String>,
    problems: Vec<Failure>,
    /// Whether the MAC was checked.
    opened: bool,
}

/// Runs it.
pub fn run(args: VerifyArgs, session: &Session) -> Result<(), Failure> {
    let files = readers::files_in(&args.files, has_envelope)?;
    let reports: Vec<_> = files
        .par_iter()
        .map(|file| {
            let mut report = Report::default();
            if let Err(failure) = check(file, args.input_type, session, &mut report) {
                report.problems.push(failure);
            }
            report
        })
        .collect();

    if args.json {
        let files: Vec<_> = files
            .iter()
            .zip(&reports)
            .map(|(file, report)| {
                json!({
                    "file": file.to_string_lossy(),
                    "ok": report.problems.is_empty(),
                    "opened": report.opened,
                    "checked": report.checked,
                    "notes": report.notes,
                    "problems": report.problems.iter().map(|problem| &problem.message).collect::<Vec<_>>(),
                })
            })
            .collect();
        session.answer_json(&json!({"schema": "seal.verify/1", "files": files}))?;
    } else {
        for (file, report) in files.iter().zip(&reports) {
            let title = many::title(file);
            if report.problems.is_empty() {
                let notes: String = report.notes.iter().map(|note| format!("; {note}")).collect();
                let text = format!("{title}  {}{notes}", report.checked.join(", "));
                session.answer_line(Mark::Good.line(session, &text))?;
            }
            for problem in &report.problems {
                session.answer_line(Mark::Bad.line(session, &problem.message))?;
                problem.hints.iter().try_for_each(|hint| session.answer_line(format!("    {hint}")))?;
            }
        }
    }
    let failed = reports.iter().filter(|report| !report.problems.is_empty()).count();
    if failed == 0 {
        let unopened = reports.iter().filter(|report| !report.opened).count();
        if unopened > 0 {
            session.say(&format!(
                "{unopened} of {} files could be looked at from outside only: no identity at hand opens them",
                files.len()
            ));
        }
        return Ok(());
    }
    let mut problems = reports.iter().flat_map(|report| &report.problems);
    let kind = match problems.any(|problem| matches!(problem.kind, Kind::Mac | Kind::Value)) {
        true => Kind::Mac,
        false => Kind::No,
    };
    Err(Failure::new(kind, format!("{failed} of {} files are not as they should be", files.len())))
}

/// Whether a file below a folder says that it is encrypted, even if its envelope is damaged.
fn has_envelope(file: &Path) -> bool {
    let Ok(bytes) = files::read(file) else { return false };
    let syntax = match Format::of_path(file) {
        Format::Binary => Format::Json,
        format => format,
    };
    memchr::memmem::find(&bytes, b"sops").is_some()
        && Document::parse(bytes, syntax).is_ok_and(|document| document.roots().iter().any(|r| r.attachment.is_some()))
}

fn check(file: &Path, format: Option<Format>, session: &Session, report: &mut Report) -> Result<(), Failure> {
    let format = format.unwrap_or_else(|| Format::of_path(file));
    let encrypted = session::read_encrypted(file, files::read(file)?, format)?;
    let values = match from_outside(&encrypted) {
        Ok(1) => "1 value".to_owned(),
        Ok(n) => format!("{n} values"),
        Err(path) => {
            report.problems.push(
                Failure::new(
                    Kind::Value,
                    format!("{}: the value of `{path}` is plain, but should be encrypted", shown(file)),
                )
                .hint("it was added by hand: remove it, and add it with `seal set` or `seal edit`"),
            );
            String::new()
        }
    };
    if report.problems.is_empty() {
        match session.data_key(file, encrypted.envelope(), &OpenArgs::default()) {
            Ok(key) => {
                let opened = session::open(file, &encrypted, &key, MacCheck::Require)?;
                report.opened = true;
                report.checked.push(format!("MAC, {values}"));
                for path in &opened.plain_comments {
                    report.notes.push(format!("a comment near {} is plain", shown(&path.to_string())));
                }
            }
            Err(failure) if matches!(failure.kind, Kind::NoKey | Kind::Unreachable) => {
                report.checked.push(format!("envelope, {values} encrypted"));
                report.notes.push("MAC not checked, as no identity at hand opens it".to_owned());
            }
            Err(failure) => return Err(failure),
        }
    }
    agrees_with_rule(file, &encrypted, session, report)
}

/// How many values are encrypted, or the key path of the first that is plain and should not be.
fn from_outside(encrypted: &Encrypted) -> Result<usize, String> {
    let document = encrypted.document();
    let mut count = 0;
    crypt::walk(document, encrypted.selection(), |site| {
        let What::Leaf(leaf) = site.what else { return Ok(()) };
        let is_plain = match &leaf.scalar {
            _ if !site.chosen => return Ok(()),
            Scalar::Null => return Ok(()),
            Scalar::Str(text) if document.text(text).is_empty() => return Ok(()),
            Scalar::Str(text) => !crypt::is_encrypted(document.text(text)),
            _ => true,
        };
        if is_plain {
            return Err(shown(&site.path.to_string()).to_string());
        }
        count += 1;
        Ok(())
    })?;
    Ok(count)
}

fn agrees_with_rule(file: &Path, encrypted: &Encrypted, session: &Session, report: &mut Report) -> Result<(), Failure> {
    let Some(config) = session.config(file)? else { return Ok(()) };
    let rule = match config.rule_for(&session::absolute(file)?) {
        Ok(Some(rule)) => rule,
        Ok(None) => return Ok(()),
        Err(RuleError::NoRule(_)) => {
            report.notes.push(format!("no creation rule of {} is for it", shown(config.path())));
            return Ok(());
        }
        Err(error) => return Err(Failure::of_rule(file, &error)),
    };
    let differences = readers::differences(&readers::groups_of(encrypted.envelope()), &rule.groups, (None, None));
    let title = readers::rule_title(rule);
    if let Some(selection) = rule.selection.as_ref().filter(|selection| *selection != encrypted.selection().rule()) {
        let own = encrypted.selection().rule();
        report.notes.push(format!(
            "its selection is {}, that of {title} {}",
            shown(&own.to_string()),
            shown(&selection.to_string())
        ));
    }
    if differences.is_empty() {
        report.checked.push(format!("readers as {title} says"));
    } else {
        let message = format!("{}: its readers are not those of {title}: {}", shown(file), differences.join(", "));
        report
            .problems
            .push(Failure::new(Kind::No, message).hint(format!("to follow the rule: seal updatekeys {}", shown(file))));
    }
    Ok(())
}
