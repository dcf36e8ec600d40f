//! `seal filestatus`: whether a file is encrypted, as programs ask it.

use std::path::PathBuf;

use clap::Args;

use super::failure::{Failure, Kind};
use super::session::Session;
use crate::crypt::{Encrypted, EnvelopeError, ReadError};
use crate::document::Format;
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
    let is_encrypted = match Encrypted::parse(bytes, format) {
        Ok(encrypted) => !encrypted.envelope().mac.is_empty(),
        Err(ReadError::Envelope(EnvelopeError::Missing)) => false,
        Err(error) => return Err(Failure::of_read(&args.file, &error)),
    };
    session.answer(format!("{{\"encrypted\":{is_encrypted}}}\n").as_bytes())
}
