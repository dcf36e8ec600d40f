//! `seal scrub --seal`: each plain version of a file becomes the encrypted form that today's creation rules give it.
//!
//! In which order, and what stays, is in [`seal_versions`]; keys and rules are here. Versions of one path share a data key, so that a
//! value that did not change keeps its ciphertext from one commit to the next.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use gix::bstr::{BStr, BString, ByteSlice as _};

use super::super::args::{OpenArgs, SelectionArgs};
use super::super::encrypt::{self, EncryptArgs};
use super::super::failure::{Failure, Kind};
use super::super::session::{self, Session};
use super::super::shown;
use super::told::counted;
use super::value::Found;
use crate::crypt::{DataKey, Encrypted, Envelope, MacCheck, Plaintext, WrappedKey};
use crate::document::{Document, Format};
use crate::manifest::{self, Fit};
use crate::scrub::{
    FileVersion, History, Objects, PathSelection, Rules, SealError, SealedVersions, Sealer, Unparsable, file_versions,
    seal_versions,
};

/// How history is sealed.
#[derive(Args)]
pub struct SealArgs {
    /// Encrypt each version of the files by today's creation rules
    #[arg(long, conflicts_with_all = ["remove", "remove_to"])]
    pub seal: bool,
    /// What becomes of versions that cannot be read as a document
    #[arg(long, value_enum, default_value = "abort", requires = "seal", value_name = "WHAT")]
    pub on_unparsable: OnUnparsable,
}

/// What becomes of a version that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OnUnparsable {
    /// Nothing is done at all
    Abort,
    /// It goes
    Remove,
    /// The values that are named go from it; without one in it, it goes
    Redact,
}

/// Seals the files of a selection.
pub struct Sealing<'a> {
    session: &'a Session,
    root: PathBuf,
    selection: PathSelection,
    unparsable: Unparsable,
    keys: HashMap<BString, Key>,
    /// Why the first file that no identity at hand opens is not opened.
    unopened: Option<String>,
    done: SealedVersions,
    versions: usize,
}

/// What the versions of one path share.
struct Key {
    key: DataKey,
    wrapped: Vec<Vec<WrappedKey>>,
    threshold: Option<usize>,
}

/// More versions than this are counted, not listed.
const MAX_LISTED: usize = 20;

impl<'a> Sealing<'a> {
    /// Seals what `selection` names, in the working tree at `root`.
    pub fn new(session: &'a Session, root: &Path, selection: PathSelection, args: &SealArgs) -> Result<Self, Failure> {
        if selection.rules.is_empty() {
            return Err(Failure::new(Kind::Usage, "no file is named that is to be sealed")
                .hint("seal scrub --seal --path PATH"));
        }
        let unparsable = match args.on_unparsable {
            OnUnparsable::Abort => Unparsable::Abort,
            OnUnparsable::Remove => Unparsable::Remove,
            OnUnparsable::Redact => Unparsable::Redact,
        };
        let (keys, unopened, done) = (HashMap::new(), None, SealedVersions::default());
        Ok(Self { session, root: root.to_owned(), selection, unparsable, keys, unopened, done, versions: 0 })
    }

    /// Seals the versions in a history, and adds what becomes of them to the rules.
    pub fn begin(
        &mut self,
        objects: &mut dyn Objects,
        history: &History,
        rules: &mut Rules,
        redact: &dyn Fn(&[u8]) -> Option<Vec<u8>>,
    ) -> Result<(), Failure> {
        let versions = file_versions(objects, history, self.selection.clone());
        let versions = versions.map_err(|error| failed(&SealError::Objects(error)))?;
        self.versions = versions.len();
        let unparsable = self.unparsable;
        self.done = seal_versions(versions, objects, self, unparsable, redact).map_err(|error| failed(&error))?;
        rules.blobs.extend(self.done.fates.iter().map(|(id, fate)| (*id, *fate)));
        Ok(())
    }

    /// Tells what was sealed.
    pub fn tell(&self, told: &mut Found) {
        let paths = self.keys.len();
        told.lines.push(format!("seal      {} of {}", counted(self.done.sealed, "version"), counted(paths, "file")));
        if self.done.already > 0 {
            told.lines.push(format!("stays     {}, encrypted before", counted(self.done.already, "version")));
        }
        let what = if self.unparsable == Unparsable::Redact { "redact" } else { "remove" };
        for FileVersion { path, blob } in self.done.unparsable.iter().take(MAX_LISTED) {
            let (path, blob) = (shown(&path.to_string()).to_string(), blob.to_hex_with_len(7));
            told.lines.push(format!("{what}    {path}  {blob}, which is no document"));
        }
        match &self.unopened {
            Some(why) => {
                told.lines.push(format!("unchecked no identity at hand opens what was sealed: {}", shown(why)))
            }
            None if paths > 0 => told.lines.push("opened    every sealed version, by an identity at hand".to_owned()),
            None => {}
        }
        told.hints.push(
            "what is sealed is as secret as its readers' keys, and those who have the old history have it still"
                .to_owned(),
        );
    }

    /// The path in the working tree, by which rules are found.
    fn name(&self, path: &BStr) -> PathBuf {
        self.root.join(path.to_path_lossy())
    }
}

impl Sealer for Sealing<'_> {
    fn seal(&mut self, path: &BStr, plain: Document, previous: Option<&[u8]>) -> Result<Vec<u8>, String> {
        let name = self.name(path);
        let mut args = EncryptArgs::default();
        if let Fit::Mixed { .. } = manifest::selection_for(&plain) {
            // Of several documents the Secrets alone, or nobody could read the others any more.
            let has_rule = self.session.rule(&name).map_err(in_words)?.is_some_and(|rule| rule.selection.is_some());
            let secrets = Some("^(data|stringData)$".to_owned()).filter(|_| !has_rule);
            args.selection = SelectionArgs { encrypted_regex: secrets, ..SelectionArgs::default() };
        }
        let (plan, _) = encrypt::make_plan(&name, &plain, &args, self.session).map_err(in_words)?;
        manifest::check_data(&plain).map_err(|error| error.to_string())?;
        if !self.keys.contains_key(path) {
            self.session.trust(&plan.groups);
            let key = self.session.new_data_key().map_err(in_words)?;
            let wrapped = self.session.wrap(&name, &plan.groups, plan.threshold, &key).map_err(in_words)?;
            let threshold = plan.threshold.or((plan.groups.len() > 1).then_some(plan.groups.len()));
            self.keys.insert(path.to_owned(), Key { key, wrapped, threshold });
        }
        let Key { key, wrapped, threshold } = &self.keys[path];
        let selection = (plain.format() != Format::Binary).then(|| plan.selection.clone().unwrap_or_default());
        let envelope = Envelope::new(wrapped.clone(), *threshold, selection, plan.mac_only_encrypted);
        let style = self.session.style(&name, plain.format(), None).map_err(in_words)?;
        let previous = previous.and_then(|bytes| Encrypted::parse(bytes.to_vec(), Format::of_path(&name)).ok());
        let previous = previous.as_ref().and_then(|previous| previous.open(key, MacCheck::Require).ok());
        let sealed = self.session.seal(&name, plain, envelope, key, previous.as_ref(), style).map_err(in_words)?;
        Ok(sealed.bytes)
    }

    fn open(&mut self, path: &BStr, sealed: &[u8]) -> Result<Plaintext, String> {
        let name = self.name(path);
        let encrypted =
            session::read_encrypted(&name, sealed.to_vec().into(), Format::of_path(&name)).map_err(in_words)?;
        let key = &self.keys.get(path).ok_or("its key is not known")?.key;
        if self.unopened.is_none() {
            match self.session.data_key(&name, encrypted.envelope(), &OpenArgs::default()) {
                Ok(own) => {
                    return session::open(&name, &encrypted, &own, MacCheck::Require)
                        .map(|one| one.plain())
                        .map_err(in_words);
                }
                Err(failure) => self.unopened = Some(failure.message),
            }
        }
        session::open(&name, &encrypted, key, MacCheck::Require).map(|opened| opened.plain()).map_err(in_words)
    }
}

fn in_words(failure: Failure) -> String {
    failure.message
}

fn failed(error: &SealError) -> Failure {
    let failure = Failure::new(Kind::Refused, format!("history is as it was: {}", shown(&error.to_string())));
    match error {
        SealError::Unparsable(all) => {
            let line = |one: &FileVersion| format!("{} of {}", one.blob, shown(&one.path.to_string()));
            let failure = all.iter().take(MAX_LISTED).fold(failure, |failure, one| failure.detail(line(one)));
            failure
                .hint("see one: git cat-file -p ID")
                .hint("--on-unparsable remove, or --on-unparsable redact --value-file FILE")
        }
        SealError::Failed { .. } => failure.hint("see which rule and readers it has: seal config show FILE"),
        SealError::WouldNotComeBack(_) | SealError::Objects(_) => failure,
    }
}
