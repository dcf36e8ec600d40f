//! `seal filestatus`: whether a file is encrypted, as programs ask it.

use std::path::PathBuf;

use clap::Args;
use zeroize::Zeroizing;

use super::failure::{Failure, Kind};
use super::session::Session;
use crate::crypt::{Envelope, EnvelopeError, ReadError, SOPS_VERSION};
use crate::document::{Document, Format};
use crate::host::files;

/// Say whether a file is encrypted
///
/// Prints {"encrypted":true} or {"encrypted":false}; needs no key. A damaged envelope is an error.
#[derive(Args)]
#[command(name = "filestatus", after_help = "Examples:\n  seal filestatus secret.yaml")]
pub struct FileStatusArgs {
    /// The file
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Read the file as yaml, json, dotenv, ini or binary
    #[arg(long, value_name = "FORMAT")]
    pub input_type: Option<Format>,
}

/// Runs it.
pub fn run(args: FileStatusArgs, session: &Session) -> Result<(), Failure> {
    let format = args.input_type.unwrap_or_else(|| Format::of_path(&args.file));
    let bytes = files::read(&args.file).map_err(|error| {
        let mut failure = Failure::from(error);
        // sops has 100 for other commands, and 1 here.
        if failure.kind == Kind::Missing {
            failure.kind = Kind::Io;
        }
        failure
    })?;
    let is_encrypted = status(bytes, format).map_err(|error| Failure::of_read(&args.file, &error))?;
    session.answer(format!("{{\"encrypted\":{is_encrypted}}}\n").as_bytes())
}

/// As sops answers: an envelope without version or MAC counts as none; which version it is does not matter here.
fn status(bytes: Zeroizing<Vec<u8>>, format: Format) -> Result<bool, ReadError> {
    let syntax = if format == Format::Binary { Format::Json } else { format };
    let document = Document::parse(bytes, syntax)?;
    let attachment = document.roots().first().and_then(|root| root.attachment.as_ref());
    let Some(attachment) = attachment else { return Ok(false) };
    let mut map = attachment.value.clone().ok_or(EnvelopeError::NotAnEnvelope)?;
    let version = map.insert("version".to_owned(), SOPS_VERSION.into());
    let envelope = Envelope::from_map(&map)?;
    let has_version = version.is_some_and(|version| !version.is_null() && version != "");
    Ok(has_version && !envelope.mac.is_empty())
}
