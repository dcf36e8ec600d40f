//! `seal textconv`: what `git diff` and `git log -p` show of an encrypted file.
//!
//! git runs it on two files for every change it shows, so it asks nothing, reads no config, and never fails because of what a
//! file holds: what cannot be decrypted is shown as it is, with a comment that says why.

use std::path::{Path, PathBuf};

use clap::Args;
use zeroize::Zeroizing;

use super::args::OpenArgs;
use super::failure::{Failure, Kind};
use super::session::{self, Session};
use crate::crypt::{Encrypted, MacCheck};
use crate::document::Format;
use crate::host::files;

/// Print a file as git is to show it (git runs this)
///
/// Set up by seal init --git. Prints the decrypted file; without a key, the encrypted one and a comment. Always ends with 0,
/// so that git log -p goes on.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct TextconvArgs {
    /// The file; git gives a temporary one
    #[arg(value_name = "FILE", allow_hyphen_values = true)]
    pub file: PathBuf,
}

const EXAMPLES: &str = "\
Examples:
  git config diff.seal.textconv 'seal textconv'
  git config diff.seal.cachetextconv false
  seal textconv secret.yaml";

/// Runs it.
pub fn run(args: TextconvArgs, session: &Session) -> Result<(), Failure> {
    session.terminal().set_no_input();
    let bytes = files::read(&args.file)?;
    // git keeps the file's name: `/tmp/git-blob-XXXXXX/secret.yaml`.
    let encrypted =
        memchr::memmem::find(&bytes, b"sops").and_then(|_| Encrypted::parse_named(bytes.clone(), &args.file).ok());
    match encrypted {
        Some(encrypted) => session.answer(&shown(&args.file, &bytes, &encrypted, session)),
        None => session.answer(&bytes),
    }
}

fn shown(file: &Path, bytes: &[u8], encrypted: &Encrypted, session: &Session) -> Zeroizing<Vec<u8>> {
    let sign = match encrypted.format() {
        Format::Json | Format::Binary => "//",
        Format::Yaml | Format::Dotenv | Format::Ini => "#",
    };
    let with = |comment: &str, bytes: &[u8]| {
        let mut all = Zeroizing::new(format!("{sign} seal: {comment}\n").into_bytes());
        all.extend_from_slice(bytes);
        all
    };
    let key = match session.data_key(file, encrypted.envelope(), &OpenArgs::default()) {
        Ok(key) => key,
        Err(failure) if failure.kind == Kind::NoKey => {
            return with("not decrypted: no identity at hand opens it", bytes);
        }
        Err(_) => return with("not decrypted: its key service could not be used", bytes),
    };
    match session::open(file, encrypted, &key, MacCheck::Require) {
        Ok(opened) => opened.plain().into_zeroizing(),
        Err(failure) if failure.kind == Kind::Mac => match encrypted.open(&key, MacCheck::Ignore) {
            Ok(opened) => with("its MAC is wrong: changed after it was encrypted", opened.plain().expose()),
            Err(_) => with("not decrypted: it is damaged", bytes),
        },
        Err(_) => with("not decrypted: a value is damaged, or was put in by hand", bytes),
    }
}
