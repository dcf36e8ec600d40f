//! `seal encrypt`: makes a plain document readable to its recipients only.
//!
//! Reads the arguments and finds recipients and selection; how values are encrypted is in [`crypt`](crate::crypt).

use std::path::{Path, PathBuf};

use clap::Args;

use super::args::{FormatArgs, RecipientArgs, SelectionArgs};
use super::failure::{Failure, Kind};
use super::init::{self, InitArgs};
use super::session::{Input, Session};
use super::{many, shown};
use crate::config::{Rule, RuleError};
use crate::crypt::{Envelope, KeyGroup, Sealed, SelectionRule};
use crate::document::{Document, Format, Indent};
use crate::host::target::{self, Target};
use crate::manifest::{self, Fit, Object};

/// Encrypt the values of files
///
/// Prints the result, or writes it in place with -i. Of a Secret the values under data and stringData are encrypted, of
/// other documents all values, unless flags or the creation rule say otherwise. Everything else keeps its bytes.
#[derive(Args, Default)]
#[command(after_help = EXAMPLES)]
pub struct EncryptArgs {
    /// Files to encrypt, or folders whose files the creation rules name; standard input if none
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Write the result back to the file
    #[arg(long, short)]
    pub in_place: bool,
    /// Write the result to this file
    #[arg(long, value_name = "FILE", conflicts_with = "in_place")]
    pub output: Option<PathBuf>,
    /// Make a first age identity and a .sops.yaml where they are missing
    #[arg(long)]
    pub init: bool,
    #[command(flatten)]
    pub recipients: RecipientArgs,
    #[command(flatten)]
    pub selection: SelectionArgs,
    /// How many key groups are needed to decrypt
    #[arg(long, value_name = "N")]
    pub shamir_secret_sharing_threshold: Option<usize>,
    /// Let plain values change without making the file unreadable
    #[arg(long)]
    pub mac_only_encrypted: bool,
    /// Encrypt although no value is chosen, which leaves the file plain
    #[arg(long)]
    pub allow_plain: bool,
    #[command(flatten)]
    pub formats: FormatArgs,
}

const EXAMPLES: &str = "\
Examples:
  seal encrypt secret.yaml > secret.enc.yaml
  seal encrypt -i deploy/prod/*.secret.yaml
  kubectl create secret generic db --from-file=password --dry-run=client -o yaml |
    seal encrypt --filename-override db.yaml > db.yaml";

/// Runs it.
pub fn run(mut args: EncryptArgs, session: &Session) -> Result<(), Failure> {
    if args.init {
        let for_file = args.files.first().filter(|path| path.is_file()).cloned();
        init::run(InitArgs { for_file, ..InitArgs::default() }, session)?;
    }
    if args.files.is_empty() || args.files == [Path::new("-")] {
        if args.in_place {
            return Err(Failure::new(Kind::Conflict, "standard input cannot be encrypted in place"));
        }
        if args.formats.filename_override.is_none() && args.formats.input_type.is_none() {
            return Err(Failure::new(Kind::Conflict, "standard input has no name by which rules and format are found")
                .hint("name it: seal encrypt --filename-override secret.yaml"));
        }
        return encrypt_to_output(None, &args, session);
    }
    if !args.in_place {
        return match args.files.as_slice() {
            [file] if !file.is_dir() => {
                let file = file.clone();
                encrypt_to_output(Some(&file), &args, session)
            }
            _ => {
                Err(Failure::new(Kind::Usage, "several files can only be encrypted in place")
                    .hint("seal encrypt -i FILE…"))
            }
        };
    }
    let wanted = |file: &Path| matches!(session.rule(file), Ok(Some(_))) && !is_config(file);
    let files = many::expand(&args.files, wanted)?;
    args.files.clear();
    many::each(session, &files, |file| encrypt_in_place(file, &args, session))
}

fn is_config(file: &Path) -> bool {
    file.file_name().is_some_and(|name| name == ".sops.yaml")
}

fn encrypt_to_output(file: Option<&Path>, args: &EncryptArgs, session: &Session) -> Result<(), Failure> {
    let input = session.read(file, &args.formats)?;
    let name = input.name.clone();
    let bytes = match encrypt(input, args, session)? {
        Made::New { sealed, .. } => sealed.bytes,
        Made::Already(bytes) => {
            session.say(&format!("{} is encrypted already; nothing to do", shown(&name)));
            bytes
        }
    };
    match &args.output {
        Some(path) => {
            target::write(path, &bytes, 0o644)?;
        }
        None => session.answer(&bytes)?,
    }
    Ok(())
}

fn encrypt_in_place(file: &Path, args: &EncryptArgs, session: &Session) -> Result<Vec<String>, Failure> {
    let mut target = Target::open(file)?;
    let name = args.formats.filename_override.clone().unwrap_or_else(|| file.to_owned());
    let format = args.formats.input_type.unwrap_or_else(|| Format::of_path(&name));
    let bytes = target.take_bytes();
    match encrypt(Input { name, bytes, format }, args, session)? {
        Made::Already(_) => Ok(vec![format!("{}  encrypted already, nothing to do", many::title(file))]),
        Made::New { sealed, about, readers } => {
            target.replace(&sealed.bytes)?;
            let about = about.map_or_else(String::new, |object| format!("  {}", shown(&object.to_string())));
            let values = match sealed.encrypted {
                1 => "1 value".to_owned(),
                n => format!("{n} values"),
            };
            Ok(vec![format!("{}{about}  {values} encrypted for {readers}", many::title(file))])
        }
    }
}

/// What came of a file.
pub enum Made {
    /// It was encrypted.
    New {
        /// The file.
        sealed: Sealed,
        /// The object that it holds first.
        about: Option<Object>,
        /// `3 readers (rule 2 of .sops.yaml)`
        readers: String,
    },
    /// It was encrypted before; its bytes.
    Already(Vec<u8>),
}

/// Encrypts a plain file as its rule and the arguments say.
pub fn encrypt(input: Input, args: &EncryptArgs, session: &Session) -> Result<Made, Failure> {
    let Input { name, bytes, format } = input;
    let plain = Document::parse(bytes, format).map_err(|error| Failure::of_parse(&name, &error))?;
    if plain.roots().first().is_some_and(|root| root.attachment.is_some()) {
        return Ok(Made::Already(plain.source().to_vec()));
    }
    let (plan, readers) = make_plan(&name, &plain, args, session)?;
    let plain = convert(&name, plain, args.formats.output_type.unwrap_or(format), args.formats.indentation())?;
    manifest::check_data(&plain).map_err(|error| {
        Failure::new(Kind::Input, format!("cannot encrypt {}: {}", shown(&name), shown(&error.to_string())))
            .hint("put plain text under stringData, or encode it: base64 -w0")
    })?;
    let about = plain.roots().first().and_then(|root| Object::of(&plain, &root.branch));
    let written_as = plain.format();
    let sealed = plan.carry_out(&name, plain, args.formats.indent, session)?;
    if sealed.encrypted == 0 && !args.allow_plain && written_as != Format::Binary {
        let rule = plan.selection.unwrap_or_default();
        return Err(Failure::new(
            Kind::Refused,
            format!("{} would stay plain: {} chooses none of its values", shown(&name), shown(&rule.to_string())),
        )
        .hint("choose others with --encrypted-regex, or pass --allow-plain"));
    }
    Ok(Made::New { sealed, about, readers })
}

/// Reads a plain document as one of another format.
pub fn convert(name: &Path, plain: Document, format: Format, indent: Indent) -> Result<Document, Failure> {
    if plain.format() == format {
        return Ok(plain);
    }
    let bytes = crate::document::emit(&plain, format, indent)?;
    Document::parse(bytes, format).map_err(|error| Failure::of_parse(name, &error))
}

/// Everything that is decided before a file is encrypted, whoever decided it.
pub struct Plan {
    /// Who may read it.
    pub groups: Vec<KeyGroup>,
    /// How many groups are needed; `None` for all.
    pub threshold: Option<usize>,
    /// Which values; `None` for sops's default. Binary files have none.
    pub selection: Option<SelectionRule>,
    /// Whether plain values may change.
    pub mac_only_encrypted: bool,
}

impl Plan {
    /// Encrypts a document with a new data key.
    pub fn carry_out(
        &self,
        name: &Path,
        plain: Document,
        indent: Option<usize>,
        session: &Session,
    ) -> Result<Sealed, Failure> {
        session.trust(&self.groups);
        let key = session.new_data_key()?;
        let wrapped = session.wrap(name, &self.groups, self.threshold, &key)?;
        let threshold = self.threshold.or((self.groups.len() > 1).then_some(self.groups.len()));
        let selection = (plain.format() != Format::Binary).then(|| self.selection.clone().unwrap_or_default());
        let envelope = Envelope::new(wrapped, threshold, selection, self.mac_only_encrypted);
        let style = session.style(name, plain.format(), indent)?;
        session.seal(name, plain, envelope, &key, None, style)
    }
}

/// What flags, rule and the document's kind make of it, and who the readers are, for people.
pub fn make_plan(
    name: &Path,
    plain: &Document,
    args: &EncryptArgs,
    session: &Session,
) -> Result<(Plan, String), Failure> {
    let typed = args.recipients.group()?;
    let rule = match session.config(name)? {
        None => None,
        Some(config) => match config.rule_for(&super::session::absolute(name)?) {
            Ok(rule) => rule.cloned(),
            // Where the readers are named, no rule is needed.
            Err(RuleError::NoRule(_)) if typed.is_some() => None,
            Err(error) => return Err(Failure::of_rule(name, &error)),
        },
    };
    let count = |groups: &[KeyGroup]| match groups.iter().map(Vec::len).sum() {
        1 => "1 reader".to_owned(),
        n => format!("{n} readers"),
    };
    let (groups, readers) = match (typed, &rule) {
        (Some(group), _) => {
            let readers = count(std::slice::from_ref(&group));
            (vec![group], readers)
        }
        (None, Some(rule)) if rule.groups.iter().any(|group| !group.is_empty()) => {
            (rule.groups.clone(), format!("{} (creation rule {})", count(&rule.groups), rule.number))
        }
        (None, _) => return Err(no_recipients(name, rule.as_ref())),
    };
    let selection = match args.selection.rule()? {
        Some(selection) => Some(selection),
        None => match rule.as_ref().and_then(|rule| rule.selection.clone()) {
            Some(selection) => Some(selection),
            None => default_selection(name, plain, session),
        },
    };
    let plan = Plan {
        groups,
        threshold: args.shamir_secret_sharing_threshold.or(rule.as_ref().and_then(|rule| rule.threshold)),
        selection,
        mac_only_encrypted: args.mac_only_encrypted || rule.is_some_and(|rule| rule.mac_only_encrypted),
    };
    Ok((plan, readers))
}

/// What is encrypted where neither flags nor rule say it.
fn default_selection(name: &Path, plain: &Document, session: &Session) -> Option<SelectionRule> {
    match manifest::selection_for(plain) {
        Fit::Secrets(selection) => Some(selection),
        Fit::Other => None,
        Fit::Mixed { secrets, documents } => {
            session.warn(&format!(
                "{}: {secrets} of {documents} objects are Secrets, so everything is encrypted, kinds and names too; for the \
                 values of the Secrets alone: --encrypted-regex '^(data|stringData)$'",
                shown(name)
            ));
            None
        }
    }
}

fn no_recipients(name: &Path, rule: Option<&Rule>) -> Failure {
    let message = match rule {
        Some(rule) => format!("cannot encrypt {}: creation rule {} names no recipient", shown(name), rule.number),
        None => format!("cannot encrypt {}: config file not found and no recipient is named", shown(name)),
    };
    Failure::new(Kind::Config, message)
        .hint(format!("make a first key and a .sops.yaml: seal encrypt --init {}", shown(name)))
        .hint(format!("or name the readers: seal encrypt --age age1… {}", shown(name)))
}
