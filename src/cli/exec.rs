//! `seal exec-env` and `seal exec-file`: a command with the values of an encrypted file in its environment, or in a file that
//! is gone when it ends.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use zeroize::Zeroizing;

use super::args::{FormatArgs, OpenArgs};
use super::failure::{Failure, Kind};
use super::session::Session;
use super::shown;
use crate::crypt::Plaintext;
use crate::document::{Branch, Document, Format, Node, Scalar, emit, untyped};
use crate::host::process::{self, Inherit, Place, User};
use crate::host::{OnDisk, Scratch, Variable};
use crate::manifest::Object;

/// Run a command with a file's values in its environment
///
/// The file holds a flat map; of a Secret, data (decoded) and stringData are taken. The command goes to /bin/sh, and its exit
/// code is passed on.
#[derive(Args, Default)]
#[command(after_help = ENV_EXAMPLES)]
pub struct ExecEnvArgs {
    /// The encrypted file
    pub file: PathBuf,
    /// The command
    pub command: OsString,
    /// Give the command no other variables
    #[arg(long)]
    pub pristine: bool,
    /// Run the command in the place of seal
    #[arg(long)]
    pub same_process: bool,
    /// Run the command as this user
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    #[command(flatten)]
    pub open: OpenArgs,
    #[command(flatten)]
    pub formats: FormatArgs,
}

const ENV_EXAMPLES: &str = "\
Examples:
  seal exec-env secret.yaml 'psql -c \"select 1\"'
  seal exec-env --pristine app.env ./server";

/// Run a command with a file's plain text in a file
///
/// In the command, {} stands for the path. It is a FIFO, which can be read once, unless --no-fifo makes it a file in memory.
/// Either is gone when the command ends; its exit code is passed on.
#[derive(Args, Default)]
#[command(after_help = FILE_EXAMPLES)]
pub struct ExecFileArgs {
    /// The encrypted file
    pub file: PathBuf,
    /// The command; {} is the path of the plain text
    pub command: OsString,
    /// Make it a file that can be read more than once
    #[arg(long)]
    pub no_fifo: bool,
    /// What the FIFO or file is called
    #[arg(long, value_name = "NAME")]
    pub filename: Option<PathBuf>,
    /// Let a file lie on a disk where no folder in memory is to be had
    #[arg(long, requires = "no_fifo")]
    pub allow_disk: bool,
    /// Give the command no variables
    #[arg(long)]
    pub pristine: bool,
    /// Run the command as this user
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    #[command(flatten)]
    pub open: OpenArgs,
    #[command(flatten)]
    pub formats: FormatArgs,
}

const FILE_EXAMPLES: &str = "\
Examples:
  seal exec-file secret.yaml 'kubectl apply -f {}'
  seal exec-file --no-fifo --filename config.json app.json './server --config {}'";

/// Which files have values for an environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Flat maps.
    Flat,
    /// Those, and Secrets.
    FlatOrSecret,
}

/// Runs `seal exec-env`.
pub fn exec_env(args: ExecEnvArgs, session: &Session) -> Result<(), Failure> {
    let document = open(&args.file, &args.open, &args.formats, session)?;
    with_variables(&args, &document, Shape::FlatOrSecret)
}

/// Runs the command with a document's values in its environment.
pub fn with_variables(args: &ExecEnvArgs, document: &Document, shape: Shape) -> Result<(), Failure> {
    let user = args.user.as_deref().map(User::find).transpose()?;
    let variables = variables(&args.file, document, shape)?;
    let inherit = if args.pristine { Inherit::Nothing } else { Inherit::Environment };
    let place = if args.same_process { Place::SameProcess } else { Place::Child };
    let variables = variables.iter().map(|(name, value)| (name.as_str(), value));
    child(process::exec_env(&args.command, variables, inherit, place, user.as_ref())?)
}

/// Runs `seal exec-file`.
pub fn exec_file(args: ExecFileArgs, session: &Session) -> Result<(), Failure> {
    let document = open(&args.file, &args.open, &args.formats, session)?;
    let output = args.formats.output_type.unwrap_or(document.format());
    let bytes = if output == document.format() && args.formats.indent.is_none() {
        document.into_source()
    } else {
        emit(&document, output, args.formats.indentation())?
    };
    with_text(&args, bytes, session)
}

/// Runs the command with a plain text in a FIFO or file.
pub fn with_text(args: &ExecFileArgs, bytes: Zeroizing<Vec<u8>>, session: &Session) -> Result<(), Failure> {
    let user = args.user.as_deref().map(User::find).transpose()?;
    let name = args.filename.as_deref().unwrap_or(Path::new("tmp-file"));
    let mut parts = name.components();
    if !matches!((parts.next(), parts.next()), (Some(Component::Normal(part)), None) if part == name.as_os_str()) {
        return Err(Failure::new(Kind::Usage, format!("{} is not the name of a file alone", shown(name)))
            .hint("leave out folders: --filename config.json"));
    }

    // A FIFO lies nowhere: what goes through it stays in memory.
    let on_disk = if args.allow_disk || !args.no_fifo { OnDisk::Allow } else { OnDisk::Refuse };
    let scratch = Scratch::new(session.environment.path(Variable::XdgRuntimeDir).as_deref(), on_disk)?;
    let path = if args.no_fifo { scratch.create(name, &bytes)? } else { scratch.create_fifo(name)? };
    if let Some(user) = &user {
        scratch.hand_to(&path, user.uid, user.gid)?;
    }
    if !args.no_fifo {
        let fifo = path.clone();
        // It waits for a reader; where none comes, it ends with the process. Whether all was read is the reader's affair.
        std::thread::spawn(move || {
            drop(std::fs::OpenOptions::new().write(true).open(fifo).and_then(|fifo| fill(fifo, &bytes)))
        });
    }
    let command = with_path(&args.command, &path);
    let inherit = if args.pristine { Inherit::Nothing } else { Inherit::Environment };
    child(process::exec_env(&command, [], inherit, Place::Child, user.as_ref())?)
}

fn fill(mut fifo: std::fs::File, bytes: &Zeroizing<Vec<u8>>) -> std::io::Result<()> {
    std::io::Write::write_all(&mut fifo, bytes)
}

/// The command with `path` in the place of every `{}`.
fn with_path(command: &OsStr, path: &Path) -> OsString {
    let mut out = Vec::new();
    let mut rest = command.as_bytes();
    while let Some(at) = memchr::memmem::find(rest, b"{}") {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(path.as_os_str().as_bytes());
        rest = &rest[at + 2..];
    }
    out.extend_from_slice(rest);
    OsString::from_vec(out)
}

fn open(file: &Path, open: &OpenArgs, formats: &FormatArgs, session: &Session) -> Result<Document, Failure> {
    let input = session.read(Some(file), formats)?;
    let plain = session.decrypt(&input.name, input.bytes, input.format, open)?;
    session.warn_of_keys();
    Document::parse(plain.into_zeroizing(), input.format).map_err(|error| Failure::of_parse(&input.name, &error))
}

/// A child's exit code as that of seal.
fn child(code: i32) -> Result<(), Failure> {
    match u8::try_from(code) {
        Ok(0) => Ok(()),
        code => Err(Failure::new(Kind::Child(code.unwrap_or(1)), format!("exit status {}", code.unwrap_or(1)))),
    }
}

/// The variables that a file's first document stands for, in its order.
pub fn variables(file: &Path, document: &Document, shape: Shape) -> Result<Vec<(String, Plaintext)>, Failure> {
    let Some(root) = document.roots().first() else { return Ok(Vec::new()) };
    let is_secret = document.format() != Format::Dotenv
        && shape == Shape::FlatOrSecret
        && Object::of(document, &root.branch).is_some_and(|object| object.is_secret());
    let mut all = Vec::new();
    if !is_secret {
        add(file, document, &root.branch, &mut all)?;
        return Ok(all);
    }
    // As the API server does, stringData goes over data.
    let mut encoded = Vec::new();
    for item in &root.branch.items {
        let Some(key) = &item.key else { continue };
        match (document.text(&key.text), item.node.resolved()) {
            (b"data", Node::Map(data)) => add(file, document, data, &mut encoded)?,
            (b"stringData", Node::Map(data)) => add(file, document, data, &mut all)?,
            _ => {}
        }
    }
    let mut decoded = Vec::with_capacity(encoded.len());
    for (name, value) in encoded.into_iter().filter(|(name, _)| !all.iter().any(|(other, _)| other == name)) {
        let text: Zeroizing<Vec<u8>> =
            Zeroizing::new(value.expose().iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect());
        let bytes = STANDARD.decode(&*text).map_err(|_| {
            Failure::new(Kind::Input, format!("{}: the value of data.{} is not base64", shown(file), shown(&name)))
        })?;
        decoded.push((name, Plaintext::from(bytes)));
    }
    decoded.append(&mut all);
    Ok(decoded)
}

fn add(file: &Path, document: &Document, map: &Branch, all: &mut Vec<(String, Plaintext)>) -> Result<(), Failure> {
    for item in &map.items {
        let Some(key) = &item.key else { continue };
        let fail = |name: &str, why: &str| {
            Err(Failure::new(Kind::CannotHold, format!("{}: {} cannot be a variable: {why}", shown(file), shown(name))))
        };
        let name = match std::str::from_utf8(document.text(&key.text)) {
            Ok(name) => name.to_owned(),
            Err(_) => return fail("a key", "it is not UTF-8"),
        };
        match item.node.resolved() {
            Node::Leaf(leaf) if matches!(leaf.scalar, Scalar::Unsupported) => {
                return fail(&name, "it is an integer of more than 63 bits");
            }
            Node::Leaf(_) if name.contains('=') => return fail(&name, "its name holds a ="),
            Node::Leaf(leaf) => all.push((name, Plaintext::from(&*untyped(&leaf.scalar, document.source())))),
            _ => return fail(&name, "it is a map or a list"),
        }
    }
    Ok(())
}
