//! `seal set`, `seal unset` and `seal get`: one value of an encrypted file.
//!
//! What a change means and how it is written into the plain file is in [`document`](crate::document).

use std::path::{Path, PathBuf};

use clap::Args;
use zeroize::Zeroizing;

use super::args::{FormatArgs, OpenArgs};
use super::failure::{Failure, Kind};
use super::session::{self, Session};
use super::{many, shown};
use crate::crypt::{Plaintext, Sealed};
use crate::document::{ChangeError, Document, Format, Indent, KeyPath, Leaf, Node, Numbers, Scalar, Value, emit_value};
use crate::host::target::Target;
use crate::host::terminal::AskError;
use crate::host::{Written, files};
use crate::manifest;

/// Set one value of an encrypted file
///
/// Asks for the value without showing it, unless --value-stdin or --value-file says where it is. Missing parts of the path
/// are made; an index beyond the end of a list appends to it. All other values keep their ciphertext.
#[derive(Args)]
#[command(after_help = SET_EXAMPLES)]
pub struct SetArgs {
    /// The encrypted file
    pub file: PathBuf,
    /// Where: data.password, list[0] or sops's '["data"]["password"]'
    pub path: String,
    /// The value as JSON, as sops takes it; others can see it in `ps` and in the shell's history
    #[arg(allow_negative_numbers = true, conflicts_with_all = ["value_stdin", "value_file", "trim"])]
    pub value: Option<String>,
    /// Read the value from standard input
    #[arg(long, conflicts_with = "value_file")]
    pub value_stdin: bool,
    /// Read the value from this file
    #[arg(long, value_name = "FILE")]
    pub value_file: Option<PathBuf>,
    /// Take the value as JSON: a number, a list, a map; else it is a string
    #[arg(long)]
    pub json: bool,
    /// Drop line breaks at the end of the value
    #[arg(long, conflicts_with = "json")]
    pub trim: bool,
    /// Accepted for sops: a file that has the value already is never written
    #[arg(long)]
    pub idempotent: bool,
    #[command(flatten)]
    pub open: OpenArgs,
    #[command(flatten)]
    pub formats: FormatArgs,
}

const SET_EXAMPLES: &str = "\
Examples:
  seal set secret.yaml stringData.password
  openssl rand -hex 32 | seal set --trim --value-stdin secret.yaml stringData.token
  seal set --value-file tls.key secret.yaml 'stringData.\"tls.key\"'
  echo '[\"a\", 5]' | seal set --json --value-stdin values.yaml list";

/// Remove one value, map or list from an encrypted file
///
/// All other values keep their ciphertext.
#[derive(Args)]
pub struct UnsetArgs {
    /// The encrypted file
    pub file: PathBuf,
    /// What: data.password, list[0] or sops's '["data"]["password"]'
    pub path: String,
    /// Succeed when there is nothing to remove
    #[arg(long)]
    pub idempotent: bool,
    #[command(flatten)]
    pub open: OpenArgs,
    #[command(flatten)]
    pub formats: FormatArgs,
}

/// Print one value of an encrypted file
///
/// A string is printed as its bytes alone, without a line break at the end.
#[derive(Args)]
pub struct GetArgs {
    /// The encrypted file; - for standard input
    pub file: PathBuf,
    /// Which: data.password, list[0] or sops's '["data"]["password"]'
    pub path: String,
    /// Print it as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub open: OpenArgs,
    #[command(flatten)]
    pub formats: FormatArgs,
}

/// Runs `seal set`.
pub fn set(args: SetArgs, session: &Session) -> Result<(), Failure> {
    let path: KeyPath = args.path.parse()?;
    if !args.file.exists() {
        Target::open(&args.file)?;
    }
    let value = read_value(&args, session)?;
    let changing =
        Changing { formats: &args.formats, open: &args.open, same: WhenSame::Leave, data: DataCheck::Base64 };
    let outcome = changing.set(&args.file, &path, &value, session)?;
    report(&args.file, &path, "set", outcome, session);
    Ok(())
}

/// Runs `seal unset`.
pub fn unset(args: UnsetArgs, session: &Session) -> Result<(), Failure> {
    let path: KeyPath = args.path.parse()?;
    let changing =
        Changing { formats: &args.formats, open: &args.open, same: when_same(&args.open), data: DataCheck::Any };
    let outcome = match changing.unset(&args.file, &path, session) {
        Err(failure) if failure.kind == Kind::NotFound && args.idempotent => Outcome::Same,
        other => other?,
    };
    report(&args.file, &path, "removed", outcome, session);
    Ok(())
}

/// Runs `seal get`.
pub fn get(args: GetArgs, session: &Session) -> Result<(), Failure> {
    let path: KeyPath = args.path.parse()?;
    let input = session.read(Some(&args.file), &args.formats)?;
    let (name, format) = (input.name, input.format);
    let plain = session.decrypt(&name, input.bytes, format, &args.open)?;
    let document = Document::parse(plain.into_zeroizing(), format).map_err(|error| Failure::of_parse(&name, &error))?;
    let node = document
        .find(&path)
        .map_err(|error| Failure::new(Kind::NotFound, format!("{} in {}", shown(&error.to_string()), shown(&name))))?;
    session.warn_of_keys();
    session.answer(&printed(&document, node, &args)?)
}

fn printed(document: &Document, node: &Node, args: &GetArgs) -> Result<Zeroizing<Vec<u8>>, Failure> {
    if !args.json {
        let format = args.formats.output_type.unwrap_or(document.format());
        return Ok(emit_value(document, node, format, args.formats.indentation())?);
    }
    let mut bytes = match node {
        Node::Leaf(Leaf { scalar: Scalar::Str(text), .. }) => {
            let text = std::str::from_utf8(document.text(text))
                .map_err(|_| Failure::new(Kind::CannotHold, "JSON cannot hold bytes that are not UTF-8"))?;
            Zeroizing::new(serde_json::Value::from(text).to_string().into_bytes())
        }
        _ => emit_value(document, node, Format::Json, Indent::Blanks(args.formats.indent.unwrap_or(2)))?,
    };
    if !bytes.ends_with(b"\n") {
        bytes.push(b'\n');
    }
    Ok(bytes)
}

/// A file whose MAC does not count gets a new one in any case.
fn when_same(open: &OpenArgs) -> WhenSame {
    if open.ignore_mac { WhenSame::SealAgain } else { WhenSame::Leave }
}

fn report(file: &Path, path: &KeyPath, done: &str, outcome: Outcome, session: &Session) {
    session.warn_of_keys();
    let title = many::title(file);
    match outcome {
        Outcome::Same => session.say(&format!("{title}  nothing changed")),
        Outcome::Written { sealed, written } => {
            let kept = match sealed.kept {
                0 => String::new(),
                1 => "; 1 other value keeps its ciphertext".to_owned(),
                n => format!("; {n} other values keep their ciphertext"),
            };
            session.say(&format!("{title}  {done} {}{kept}", shown(&path.to_string())));
            session.warn_of_links(file, written);
        }
    }
}

/// Finds the value to set, from wherever the flags say.
fn read_value(args: &SetArgs, session: &Session) -> Result<Value, Failure> {
    if let Some(json) = &args.value {
        session.warn(
            "the value stands in the command line: others can see it in `ps`, and it stays in the shell's history",
        );
        return Value::from_json(json.as_bytes(), Numbers::AsWritten).map_err(|_| not_json());
    }
    let mut bytes = match &args.value_file {
        Some(file) if file != Path::new("-") => files::read(file)?,
        None if !args.value_stdin && (!args.json || session.terminal().can_ask()) => {
            let question = format!("Value of {} in {}:", shown(&args.path), shown(&args.file));
            let answer = session.terminal().ask_secret(&question, "--value-stdin or --value-file FILE")?;
            Zeroizing::new(answer.as_bytes().to_vec())
        }
        _ => files::read_stdin()?,
    };
    if args.json {
        return Value::from_json(&bytes, Numbers::AsWritten).map_err(|_| not_json());
    }
    if args.trim {
        let end = bytes.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n')).map_or(0, |at| at + 1);
        bytes.truncate(end);
    } else if bytes.ends_with(b"\n") && memchr::memchr_iter(b'\n', &bytes).count() == 1 {
        session.warn("the value ends with a line break, which is kept; to drop it: --trim");
    }
    Ok(Value::string(&bytes))
}

fn not_json() -> Failure {
    Failure::new(Kind::KeyPath, "the value is not JSON")
        .hint("a string stands in quotes: seal set FILE PATH '\"…\"'")
        .hint("better keep it out of the command line: seal set FILE PATH asks for it, --value-stdin reads it")
}

/// How a file is changed; `seal` and its stand-in for sops differ in it.
pub struct Changing<'a> {
    /// What format the file has.
    pub formats: &'a FormatArgs,
    /// How it is opened.
    pub open: &'a OpenArgs,
    /// What is done when nothing changes.
    pub same: WhenSame,
    /// What the values under `data` of a Secret must be.
    pub data: DataCheck,
}

/// What is done with a file whose values stay the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenSame {
    /// Nothing.
    Leave,
    /// It is sealed again, with a new time and MAC, as sops does.
    SealAgain,
}

/// What the values under `data` of a Secret must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataCheck {
    /// Base64, if they were before.
    Base64,
    /// Anything.
    Any,
}

/// What came of a change.
pub enum Outcome {
    /// The file has these values already; it was not touched.
    Same,
    /// It was written.
    Written {
        /// What is in it now.
        sealed: Sealed,
        /// What could not be kept of the old file.
        written: Written,
    },
}

impl Changing<'_> {
    /// Sets one value of an encrypted file.
    pub fn set(&self, file: &Path, path: &KeyPath, value: &Value, session: &Session) -> Result<Outcome, Failure> {
        self.change(file, session, |plain| plain.set(path, value))
    }

    /// Removes one value from an encrypted file.
    pub fn unset(&self, file: &Path, path: &KeyPath, session: &Session) -> Result<Outcome, Failure> {
        self.change(file, session, |plain| plain.unset(path))
    }

    fn change(
        &self,
        file: &Path,
        session: &Session,
        make: impl FnOnce(&Document) -> Result<Zeroizing<Vec<u8>>, ChangeError>,
    ) -> Result<Outcome, Failure> {
        let mut target = Target::open(file)?;
        let name = self.formats.filename_override.as_deref().unwrap_or(file);
        let format = self.formats.input_type.unwrap_or_else(|| Format::of_path(name));
        let encrypted = session::read_encrypted(name, target.take_bytes(), format)?;
        let key = session.data_key(name, encrypted.envelope(), self.open)?;
        let opened = session::open(name, &encrypted, &key, self.open.mac_check())?;
        let read = |bytes| Document::parse(bytes, format).map_err(|error| Failure::of_parse(name, &error));
        let before = read(opened.plain().into_zeroizing())?;
        let bytes = make(&before).map_err(|error| of_change(name, &error))?;
        if *bytes == *before.source() && self.same == WhenSame::Leave {
            return Ok(Outcome::Same);
        }
        let after = read(bytes)?;
        if self.data == DataCheck::Base64 && manifest::check_data(&before).is_ok() {
            manifest::check_data(&after).map_err(|error| {
                let name = shown(name);
                Failure::new(Kind::Input, format!("{name} is left as it is: {}", shown(&error.to_string())))
                    .hint("put plain text under stringData, or encode it: base64 -w0")
            })?;
        }
        let sealed = session.reseal(name, &opened, &key, Plaintext::from(after.into_source()))?;
        let written = target.replace(&sealed.bytes)?;
        Ok(Outcome::Written { sealed, written })
    }
}

/// A change that cannot be made.
pub fn of_change(name: &Path, error: &ChangeError) -> Failure {
    let kind = match error {
        ChangeError::EmptyPath | ChangeError::WrongStep { .. } => Kind::KeyPath,
        ChangeError::NotFound(_) => Kind::NotFound,
        ChangeError::Reserved(_) => Kind::AlreadyEncrypted,
        ChangeError::CannotHold { .. } | ChangeError::Emit(_) => Kind::CannotHold,
        ChangeError::Anchored(_) | ChangeError::Layout(_) => Kind::Refused,
    };
    let failure = Failure::new(kind, format!("{}: {}", shown(name), shown(&error.to_string())));
    match error {
        ChangeError::Anchored(_) | ChangeError::Layout(_) => {
            failure.hint(format!("change it by hand: seal edit {}", shown(name)))
        }
        _ => failure,
    }
}

impl From<AskError> for Failure {
    fn from(error: AskError) -> Self {
        let failure = Self::new(Kind::Usage, shown(&error.to_string()).to_string());
        match error {
            AskError::NoTerminal { instead, .. } => failure.hint(format!("answer it with {instead}")),
            _ => failure,
        }
    }
}
