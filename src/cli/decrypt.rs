//! `seal decrypt`: gives back the plain file, to the byte.

use std::path::{Path, PathBuf};

use clap::Args;
use zeroize::Zeroizing;

use super::args::{FormatArgs, OpenArgs};
use super::failure::{Failure, Kind};
use super::session::{self, Input, Session};
use super::{many, shown};
use crate::crypt::{Plaintext, Selection};
use crate::document::{Document, Format, Indent, KeyPath, emit, emit_value};
use crate::host::target::{self, Target};

/// Decrypt files
///
/// Prints the plain file to the byte, or writes it in place with -i. Several YAML files are printed as one stream, ready
/// for kubectl apply -f -.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct DecryptArgs {
    /// Files to decrypt, or with -i folders; standard input if none
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Write the plain text back to the file
    #[arg(long, short)]
    pub in_place: bool,
    /// Write the plain text to this file
    #[arg(long, value_name = "FILE", conflicts_with = "in_place")]
    pub output: Option<PathBuf>,
    /// Print only what stands at this path: data.password or '["data"]["password"]'
    #[arg(long, value_name = "PATH")]
    pub extract: Option<String>,
    #[command(flatten)]
    pub open: OpenArgs,
    #[command(flatten)]
    pub formats: FormatArgs,
}

const EXAMPLES: &str = "\
Examples:
  seal decrypt secret.yaml | kubectl apply -f -
  seal decrypt --extract data.password secret.yaml
  seal decrypt --output-type json secret.yaml";

/// Runs it.
pub fn run(args: DecryptArgs, session: &Session) -> Result<(), Failure> {
    let from_stdin = args.files.is_empty() || args.files == [Path::new("-")];
    if args.in_place {
        if from_stdin {
            return Err(Failure::new(Kind::Conflict, "standard input cannot be decrypted in place"));
        }
        let files = many::expand(&args.files, is_encrypted)?;
        return many::each(session, &files, |file| decrypt_in_place(file, &args, session));
    }
    let files: Vec<_> = if from_stdin { vec![None] } else { args.files.iter().map(|f| Some(f.as_path())).collect() };
    let mut all = Zeroizing::new(Vec::new());
    let several = files.len() > 1;
    for file in files {
        let input = session.read(file, &args.formats)?;
        let format = args.formats.output_type.unwrap_or(input.format);
        if several && format != Format::Yaml {
            return Err(Failure::new(Kind::Usage, "only YAML files can be printed one behind the other")
                .hint("decrypt them one by one, or with --output-type yaml"));
        }
        let bytes = decrypt(input, &args, session)?;
        if !all.is_empty() && !bytes.starts_with(b"---") {
            if !all.ends_with(b"\n") {
                all.push(b'\n');
            }
            all.extend_from_slice(b"---\n");
        }
        if all.is_empty() {
            all = bytes;
        } else {
            all.extend_from_slice(&bytes);
        }
    }
    for warning in session.key_warnings() {
        session.warn(&shown(&warning).to_string());
    }
    match &args.output {
        // What was secret is for its owner's eyes.
        Some(path) => target::write(path, &all, 0o600).map(|_| ()).map_err(Failure::from),
        None => session.answer(&all),
    }
}

/// Whether a file below a folder is to be decrypted: it has an envelope.
pub fn is_encrypted(file: &Path) -> bool {
    let Ok(bytes) = crate::host::files::read(file) else { return false };
    memchr::memmem::find(&bytes, b"sops").is_some()
        && crate::crypt::Encrypted::parse(bytes, Format::of_path(file)).is_ok()
}

fn decrypt_in_place(file: &Path, args: &DecryptArgs, session: &Session) -> Result<Vec<String>, Failure> {
    let mut target = Target::open(file)?;
    let name = args.formats.filename_override.clone().unwrap_or_else(|| file.to_owned());
    let format = args.formats.input_type.unwrap_or_else(|| Format::of_path(&name));
    let bytes = target.take_bytes();
    let plain = decrypt(Input { name, bytes, format }, args, session)?;
    target.replace(&plain)?;
    Ok(vec![format!("{}  is plain text now; do not commit it", many::title(file))])
}

fn decrypt(input: Input, args: &DecryptArgs, session: &Session) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let (name, format) = (input.name.clone(), input.format);
    let Plain { bytes: plain, .. } = open(input, &args.open, session)?;
    let output = args.formats.output_type.unwrap_or(format);
    let indent = args.formats.indentation();
    match &args.extract {
        Some(path) => extract(&name, plain, format, output, path, indent),
        None if output != format || args.formats.indent.is_some() => {
            let document =
                Document::parse(plain.into_zeroizing(), format).map_err(|error| Failure::of_parse(&name, &error))?;
            Ok(emit(&document, output, indent)?)
        }
        None => Ok(plain.into_zeroizing()),
    }
}

/// A file, decrypted.
pub struct Plain {
    /// As it was before it was encrypted.
    pub bytes: Plaintext,
    /// Which of its values were encrypted.
    pub selection: Selection,
}

/// Decrypts a file, and warns of comments that are not encrypted.
pub fn open(input: Input, args: &OpenArgs, session: &Session) -> Result<Plain, Failure> {
    let Input { name, bytes, format } = input;
    let encrypted = session::read_encrypted(&name, bytes, format)?;
    let key = session.data_key(&name, encrypted.envelope(), args)?;
    let opened = session::open(&name, &encrypted, &key, args.mac_check())?;
    for path in &opened.plain_comments {
        session.warn(&format!(
            "{}: a comment near {} is not encrypted, though the file's selection says so",
            shown(&name),
            shown(&path.to_string())
        ));
    }
    Ok(Plain { bytes: opened.plain(), selection: encrypted.selection().clone() })
}

fn extract(
    name: &Path,
    plain: Plaintext,
    format: Format,
    output: Format,
    path: &str,
    indent: Indent,
) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let path: KeyPath = path.parse().map_err(|error| {
        let mut failure = Failure::from(error);
        failure.kind = Kind::ExtractPath;
        failure
    })?;
    let document = Document::parse(plain.into_zeroizing(), format).map_err(|error| Failure::of_parse(name, &error))?;
    part(name, &document, &path, output, indent)
}

/// What stands at a path, or all of it at the empty one.
pub fn part(
    name: &Path,
    document: &Document,
    path: &KeyPath,
    output: Format,
    indent: Indent,
) -> Result<Zeroizing<Vec<u8>>, Failure> {
    if path.0.is_empty() {
        return Ok(emit(document, output, indent)?);
    }
    let node = document
        .find(path)
        .map_err(|error| Failure::new(Kind::NotFound, format!("{} in {}", shown(&error.to_string()), shown(name))))?;
    Ok(emit_value(document, node, output, indent)?)
}
