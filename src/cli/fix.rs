//! `seal fix`: seals in place the file that a finding stands in, and says what that does not change.
//!
//! How a file is encrypted is in [`encrypt`](super::encrypt), where findings come from in [`scan`](super::scan).

use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use clap::Args;

use super::args::RecipientArgs;
use super::encrypt::{self, EncryptArgs, Made};
use super::failure::{Failure, Kind};
use super::scan::{self, RuleArgs, SourceArgs};
use super::session::{Input, Session};
use super::{COMMANDS, many, shown};
use crate::document::{Document, Format};
use crate::git::{Repository, Version};
use crate::host::target::Target;
use crate::manifest::Object;
use crate::scan::{Confidence, Finding, Source, kubernetes};

/// Seal the file that a finding stands in
///
/// Encrypts it in place to the recipients of its creation rule, as `seal encrypt -i` does, and looks whether anything is left. Its
/// history and all who have read it still have the values: they must be changed where they come from.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct FixArgs {
    /// Files, or findings of the work tree as reports name them
    #[arg(value_name = "FINDING|FILE", required = true)]
    pub what: Vec<PathBuf>,
    #[command(flatten)]
    pub recipients: RecipientArgs,
}

const EXAMPLES: &str = "\
Examples:
  seal fix deploy/prod/db.yaml
  seal fix F-7hq2-k3";

/// Runs it.
pub fn run(args: FixArgs, session: &Session) -> Result<(), Failure> {
    let mut files = Vec::new();
    for what in &args.what {
        match what.to_str().filter(|text| !what.exists() && looks_like_fingerprint(text)) {
            Some(fingerprint) => files.extend(files_of(fingerprint, session)?),
            None => files.push(what.clone()),
        }
    }
    let args = EncryptArgs { recipients: args.recipients, ..EncryptArgs::default() };
    let files = many::expand(&files, |file| matches!(session.rule(file), Ok(Some(_))))?;
    many::each(session, &files, |file| seal(file, &args, session))?;
    let left = left(&files, session)?;
    if let [first, ..] = left.as_slice() {
        let counted = if left.len() == 1 { "1 finding is".to_owned() } else { format!("{} findings are", left.len()) };
        return Err(Failure::new(
            Kind::Refused,
            format!("{counted} left in what was sealed: {}", first.fingerprint.short()),
        )
        .hint("the selection leaves them in clear, or they stand in a comment; see which: seal scan FILE"));
    }
    Ok(())
}

fn seal(file: &Path, args: &EncryptArgs, session: &Session) -> Result<Vec<String>, Failure> {
    let format = Format::of_path(file);
    let mut target = Target::open(file)?;
    let bytes = target.take_bytes();
    refuse_what_must_be_read(file, &bytes, format)?;
    let clear = kubernetes::sops::clear_values(&bytes);
    let input = Input { name: file.to_owned(), bytes, format };
    let title = many::title(file);
    match encrypt::encrypt(input, args, session)? {
        Made::Already(_) if clear.is_empty() => Ok(vec![format!("{title}  encrypted already, nothing to do")]),
        Made::Already(_) => {
            let paths = clear.iter().map(|path| shown(path).to_string()).collect::<Vec<_>>().join(", ");
            Err(Failure::new(Kind::Refused, format!("{title} is encrypted, but not {paths}"))
                .hint(format!("take it out, and put it back encrypted: seal set {title} PATH"))
                .hint("then change the value where it comes from: it was in clear"))
        }
        Made::New { sealed, about, readers } => {
            let history = is_in_head(file);
            target.replace(&sealed.bytes)?;
            let about = about.map_or_else(String::new, |object| format!("  {}", shown(&object.to_string())));
            let values =
                if sealed.encrypted == 1 { "1 value".to_owned() } else { format!("{} values", sealed.encrypted) };
            let mut lines = vec![format!("{title}{about}  {values} encrypted for {readers}")];
            lines.push(match history {
                true => {
                    "  its history still has them in clear, and so has every clone: change them where they come from"
                        .to_owned()
                }
                false => "  whoever has read them still has them: change them where they come from".to_owned(),
            });
            if history && COMMANDS.iter().any(|command| command.name == "scrub") {
                lines.push(format!("  then take them out of history: seal scrub --path {title}"));
            }
            Ok(lines)
        }
    }
}

/// Source code and objects that a cluster reads as they are would be of no use when sealed.
fn refuse_what_must_be_read(file: &Path, bytes: &[u8], format: Format) -> Result<(), Failure> {
    let refuse = |why: String| {
        Failure::new(Kind::Refused, format!("{} {why}", many::title(file)))
            .hint("move the value to a Secret of its own, seal that, and refer to it here")
            .hint("then change the value where it comes from: it was in clear")
    };
    if format == Format::Binary {
        return Err(refuse(
            "is neither YAML, JSON, dotenv nor INI: sealed, it would be one value that programs cannot read".into(),
        )
        .hint(format!("if it is a file of keys: seal encrypt -i {}", many::title(file))));
    }
    let Ok(document) = Document::parse(bytes.to_vec(), format) else { return Ok(()) };
    let objects: Vec<Object> = document.roots().iter().filter_map(|root| Object::of(&document, &root.branch)).collect();
    let is_sealable =
        |object: &Object| object.is_secret() || matches!(object.kind.as_str(), "List" | "SecretList" | "SopsSecret");
    match objects.first() {
        Some(first) if !objects.iter().any(is_sealable) => {
            Err(refuse(format!("is a {}, which the cluster reads as it is", shown(&first.kind))))
        }
        _ => Ok(()),
    }
}

/// The files of the work tree in which a finding stands.
fn files_of(fingerprint: &str, session: &Session) -> Result<Vec<PathBuf>, Failure> {
    let outcome = scan::scan(&SourceArgs::default(), &RuleArgs::default(), session)?;
    let meant: Vec<&Finding> =
        outcome.findings().iter().filter(|finding| finding.fingerprint.is_meant_by(fingerprint)).collect();
    match meant.as_slice() {
        [] => {
            Err(Failure::new(Kind::NotFound, format!("no finding of the work tree is called {}", shown(fingerprint)))
                .hint("see those that are there: seal scan"))
        }
        [finding] => Ok(files(finding)),
        several => Err(several.iter().fold(
            Failure::new(Kind::Usage, format!("several findings are called {}", shown(fingerprint))),
            |failure, finding| failure.detail(finding.fingerprint.to_string()),
        )),
    }
}

fn files(finding: &Finding) -> Vec<PathBuf> {
    let path = |source: &Source| match source {
        Source::File(path) => Some(PathBuf::from(std::ffi::OsStr::from_bytes(path))),
        _ => None,
    };
    finding.places.iter().filter_map(|place| path(&place.source)).collect::<BTreeSet<_>>().into_iter().collect()
}

/// What is still found in files that were sealed.
fn left(files: &[PathBuf], session: &Session) -> Result<Vec<Finding>, Failure> {
    let source = SourceArgs { paths: files.to_vec(), ignored: true, ..SourceArgs::default() };
    let counts = |finding: &Finding| finding.suppressed.is_none() && finding.confidence >= Confidence::Medium;
    Ok(scan::scan(&source, &RuleArgs::default(), session)?.into_findings().into_iter().filter(counts).collect())
}

/// Whether HEAD has the file: in clear, as it is not sealed yet.
fn is_in_head(file: &Path) -> bool {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let read = || {
        let repository = Repository::of(folder).ok()?;
        let path = repository.path_of(file)?;
        let head = repository.head().ok()?;
        repository.read(Version::Tree(head), &path).ok()?
    };
    read().is_some()
}

fn looks_like_fingerprint(text: &str) -> bool {
    text.starts_with("F-") || text.starts_with("f-") || text.starts_with("fp:") || text.len() == 26
}
