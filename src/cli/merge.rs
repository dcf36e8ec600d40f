//! `seal merge-driver`: how git merges encrypted files.
//!
//! Values are merged in [`document`](crate::document::merge), readers in [`crypt`]. git's contract: the result goes into the
//! file of ours, and the exit code is 0 for merged, 1 for conflicts, above 128 for an error. That file never holds
//! plaintext unless both sides are plain.

use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;

use super::args::OpenArgs;
use super::failure::{Failure, Kind, short};
use super::session::{self, Session};
use super::shown;
use crate::crypt::{
    self, DataKey, Encrypted, Envelope, EnvelopeError, MacCheck, Newcomers, Opened, Plaintext, ReadError, Recipient,
    Terms, WrappedKey,
};
use crate::document::{self, Branch, Conflict, Document, Format};
use crate::host::{files, process, target};

/// Merge encrypted files (git runs this)
///
/// Set up by seal init --git. Changes of both sides to different values are joined and sealed again; where both changed the
/// same value, ours is kept and the command ends with 1. Ends above 128, with nothing changed, where a side cannot be opened.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct MergeDriverArgs {
    /// %O: the version that both sides come from
    #[arg(value_name = "BASE")]
    pub base: PathBuf,
    /// %A: our version; the result is written here
    #[arg(value_name = "OURS")]
    pub ours: PathBuf,
    /// %B: their version
    #[arg(value_name = "THEIRS")]
    pub theirs: PathBuf,
    /// %L: how long conflict markers are
    #[arg(value_name = "LENGTH", default_value = "7")]
    pub marker_size: String,
    /// %P: the file's path in the repository
    #[arg(value_name = "PATH", allow_hyphen_values = true)]
    pub path: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  git config merge.seal.driver 'seal merge-driver %O %A %B %L %P'
  echo '*.secret.yaml diff=seal merge=seal' >> .gitattributes";

/// Runs it.
pub fn run(args: MergeDriverArgs, session: &Session) -> Result<(), Failure> {
    session.terminal().set_no_input();
    let name = args.path.clone().unwrap_or_else(|| args.ours.clone());
    let conflicts = merge(&args, &name, session).map_err(|mut failure| {
        failure.kind = Kind::Driver(failure.kind.code());
        failure
    })?;
    if conflicts.is_empty() {
        return Ok(());
    }
    let name = shown(&name);
    let mut failure = Failure::new(Kind::No, format!("{name}: both sides changed the same; ours is kept, encrypted"))
        .hint(format!("see theirs: git show MERGE_HEAD:{name} | seal decrypt --filename-override {name}"))
        .hint(format!("set what is right: seal edit {name}; then: git add {name}"));
    failure.details = conflicts;
    Err(failure)
}

/// One of the three versions.
enum Version {
    Sealed(Box<Encrypted>, DataKey),
    Plain(Vec<u8>),
}

impl Version {
    fn read(file: &Path, name: &Path, session: &Session) -> Result<Self, Failure> {
        let bytes = files::read(file)?;
        match Encrypted::parse_named(bytes.clone(), name) {
            Ok(encrypted) => {
                let key = session.data_key(name, encrypted.envelope(), &OpenArgs::default())?;
                Ok(Self::Sealed(Box::new(encrypted), key))
            }
            Err(ReadError::Envelope(EnvelopeError::Missing)) => Ok(Self::Plain(bytes.to_vec())),
            // A file that git merges as text; nothing says that it should be sealed.
            Err(ReadError::Parse(_)) if memchr::memmem::find(&bytes, b"ENC[AES256_GCM,").is_none() => {
                Ok(Self::Plain(bytes.to_vec()))
            }
            Err(error) => Err(Failure::of_read(name, &error)),
        }
    }

    fn open(&self, name: &Path) -> Result<Option<Opened<'_>>, Failure> {
        match self {
            Self::Sealed(encrypted, key) => session::open(name, encrypted, key, MacCheck::Require).map(Some),
            Self::Plain(_) => Ok(None),
        }
    }

    fn plain(&self, opened: Option<&Opened<'_>>, format: Format, name: &Path) -> Result<Document, Failure> {
        let bytes = match (self, opened) {
            (_, Some(opened)) => opened.plain(),
            (Self::Plain(bytes), None) => Plaintext::from(bytes.clone()),
            (Self::Sealed(..), None) => Plaintext::default(),
        };
        if bytes.expose().trim_ascii().is_empty() {
            // git's base of a file that both sides added.
            return Ok(Document::from_branches(format, vec![Branch::default()]));
        }
        Document::parse(bytes.into_zeroizing(), format).map_err(|error| Failure::of_parse(name, &error))
    }

    fn sealed(&self) -> Option<(&Encrypted, &DataKey)> {
        match self {
            Self::Sealed(encrypted, key) => Some((encrypted, key)),
            Self::Plain(_) => None,
        }
    }
}

/// Merges into the file of ours; gives what is in conflict.
fn merge(args: &MergeDriverArgs, name: &Path, session: &Session) -> Result<Vec<String>, Failure> {
    let read = |file: &Path| Version::read(file, name, session);
    let (ours, theirs) = (read(&args.ours)?, read(&args.theirs)?);
    if ours.sealed().is_none() && theirs.sealed().is_none() {
        return merge_plain(args);
    }
    let base = read(&args.base)?;
    let opened = [&base, &ours, &theirs].map(|version| version.open(name));
    let [opened_base, opened_ours, opened_theirs] = opened;
    let (opened_base, opened_ours, opened_theirs) = (opened_base?, opened_ours?, opened_theirs?);

    let sealed = [&ours, &theirs].into_iter().find_map(Version::sealed);
    let format = sealed.map_or(Format::Binary, |(encrypted, _)| encrypted.format());
    let plain_ours = ours.plain(opened_ours.as_ref(), format, name)?;
    let plain_theirs = theirs.plain(opened_theirs.as_ref(), format, name)?;
    let merged = document::merge(&base.plain(opened_base.as_ref(), format, name)?, &plain_ours, &plain_theirs);

    let (kept, other) = if ours.sealed().is_some() { (&ours, &theirs) } else { (&theirs, &ours) };
    let Some((encrypted, key)) = kept.sealed() else { return Ok(Vec::new()) };
    let envelope = encrypted.envelope();
    let one_key = same_key(kept, other);
    let terms = match other.sealed() {
        Some((other, _)) => {
            let newcomers = if one_key { Newcomers::Adopt } else { Newcomers::Refuse };
            crypt::merge_terms(base.sealed().map(|(it, _)| it.envelope()), envelope, other.envelope(), newcomers)
        }
        None => crypt::merge_terms(None, envelope, envelope, Newcomers::Adopt),
    };
    // They changed the data key: who knew the old one may not read on, and only they know who knows theirs.
    let fresh = match other.sealed().is_some() && !one_key && !same_key(&base, other) {
        true => Some(session.new_data_key()?),
        false => None,
    };
    let (come, gone) = difference(&envelope.groups, &terms);
    let mut new = envelope.clone();
    new.groups = match &fresh {
        Some(key) => session.wrap(name, &terms.groups, terms.threshold, key)?,
        None => wrapped(&terms, envelope, other.sealed().filter(|_| one_key).map(|(other, _)| other.envelope())),
    };
    new.threshold = terms.threshold;
    new.selection = terms.selection.clone();
    new.mac_only_encrypted = terms.mac_only_encrypted;
    let as_it_was = fresh.is_none()
        && *merged.bytes == kept_plain(kept, &ours, &plain_ours, &plain_theirs).source()
        && new.to_map() == envelope.to_map();
    let bytes = match as_it_was {
        true => encrypted.document().source().to_vec(),
        false => {
            let document = Document::parse(merged.bytes, format).map_err(|error| Failure::of_parse(name, &error))?;
            let previous = if std::ptr::eq(kept, &ours) { &opened_ours } else { &opened_theirs };
            let previous = previous.as_ref().filter(|_| fresh.is_none());
            session.seal(name, document, new, fresh.as_ref().unwrap_or(key), previous, encrypted.style())?.bytes
        }
    };
    target::write(&args.ours, &bytes, 0o644)?;

    let mut said = format!("{}  merged: {} of ours, {} of theirs", shown(name), changes(merged.ours), merged.theirs);
    for (sign, readers) in [('+', &come), ('-', &gone)] {
        for reader in readers {
            said.push_str(&format!(", reader {sign}{}", short(reader)));
        }
    }
    if terms.selection != envelope.selection {
        said.push_str(", selection changed");
    }
    if fresh.is_some() {
        said.push_str(", new data key as they changed theirs");
    }
    session.say(&said);
    let several = document_count(&plain_ours) > 1;
    let values = merged.conflicts.iter().map(|conflict| place(conflict, several));
    let refused = terms.refused.iter().map(|reader| {
        let reader = shown(&reader.to_string()).to_string();
        format!("reader {reader} of theirs is not let in; to do so: seal keys add '{reader}' {}", shown(name))
    });
    let of_envelope = terms.conflicts.iter().map(|what| format!("{what} (of the envelope)"));
    Ok(values.chain(refused).chain(of_envelope).collect())
}

fn same_key(a: &Version, b: &Version) -> bool {
    match (a.sealed(), b.sealed()) {
        (Some((_, a)), Some((_, b))) => a.expose() == b.expose(),
        _ => false,
    }
}

fn kept_plain<'a>(
    kept: &Version,
    ours: &Version,
    plain_ours: &'a Document,
    plain_theirs: &'a Document,
) -> &'a Document {
    if std::ptr::eq(kept, ours) { plain_ours } else { plain_theirs }
}

fn changes(number: usize) -> String {
    if number == 1 { "1 change".to_owned() } else { format!("{number} changes") }
}

fn document_count(document: &Document) -> usize {
    document.roots().len()
}

/// A conflict for messages.
pub(super) fn place(conflict: &Conflict, several: bool) -> String {
    let mut text =
        if conflict.path.0.is_empty() { "the whole".to_owned() } else { shown(&conflict.path.to_string()).to_string() };
    if several {
        text.push_str(&format!(" in document {}", conflict.root + 1));
    }
    if conflict.comments {
        text.push_str(" (comments)");
    }
    text
}

/// Who may read that could not, and the reverse.
fn difference(old: &[Vec<WrappedKey>], terms: &Terms) -> (Vec<Recipient>, Vec<Recipient>) {
    let before: Vec<_> = old.iter().flatten().map(|key| &key.recipient).collect();
    let after: Vec<_> = terms.groups.iter().flatten().collect();
    let come = after.iter().filter(|reader| !before.contains(reader)).map(|reader| (*reader).clone()).collect();
    let gone = before.iter().filter(|reader| !after.contains(reader)).map(|reader| (*reader).clone()).collect();
    (come, gone)
}

/// The data key as it was wrapped: by us, or by either side where `other` has the same one. Nothing is wrapped for anybody here.
fn wrapped(terms: &Terms, kept: &Envelope, other: Option<&Envelope>) -> Vec<Vec<WrappedKey>> {
    let is_whole = |envelope: &&Envelope| {
        let groups = envelope.groups.iter().map(|group| group.iter().map(|key| &key.recipient).collect::<Vec<_>>());
        envelope.threshold == terms.threshold
            && groups.eq(terms.groups.iter().map(|group| group.iter().collect::<Vec<_>>()))
    };
    // The shares of several groups belong together.
    if let Some(whole) = std::iter::once(kept).chain(other).find(is_whole) {
        return whole.groups.clone();
    }
    let at_hand: Vec<_> = kept.wrapped_keys().chain(other.into_iter().flat_map(Envelope::wrapped_keys)).collect();
    let found = |reader: &Recipient| at_hand.iter().find(|key| key.recipient == *reader).map(|key| (*key).clone());
    terms.groups.iter().map(|group| group.iter().filter_map(found).collect()).collect()
}

/// Two plain files merge as git itself merges them.
fn merge_plain(args: &MergeDriverArgs) -> Result<Vec<String>, Failure> {
    let mut git = Command::new("git");
    git.args(["merge-file", "-L", "ours", "-L", "base", "-L", "theirs", "--marker-size"]).arg(&args.marker_size);
    git.arg("--").args([&args.ours, &args.base, &args.theirs]);
    process::strip_secrets(&mut git);
    let status = git.status().map_err(|error| Failure::new(Kind::Io, format!("cannot run git: {error}")))?;
    match status.code() {
        Some(0) => Ok(Vec::new()),
        // The number of conflicts.
        Some(1..=127) => Ok(vec!["marked in the file, which is not encrypted".to_owned()]),
        _ => Err(Failure::new(Kind::Input, "git cannot merge it as text")),
    }
}
