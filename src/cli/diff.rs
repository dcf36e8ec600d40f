//! `seal diff`: what changed in encrypted files, by key path, with the values hidden.
//!
//! With a key the values are compared; without one only their ciphertexts, which tell less: the same value may have been
//! encrypted anew. Versions of files come from [`git`](crate::git); what is said of them is in [`diff_report`](super::diff_report).

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::args::OpenArgs;
use super::diff_report::{Diff, Fate, Value};
use super::failure::{Failure, Kind};
use super::session::Session;
use super::shown;
use crate::crypt::{self, Encrypted, Envelope, MacCheck, Plaintext, Recipient};
use crate::document::{Change, ChangeKind, Document, Format, Indent, KeyPath, Node, Scalar, changes, emit_value};
use crate::git::{GitError, Repository, Version};
use crate::host::files;

/// Show what changed in encrypted files, values hidden
///
/// Compares files of the working tree with HEAD, two revisions, or two files. With a key, values are compared; without one,
/// what their ciphertexts tell.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct DiffArgs {
    /// Files, or a revision (REV, REV..REV, REV...REV), or two files to compare with each other
    #[arg(value_name = "WHAT")]
    pub words: Vec<String>,
    /// Only these files and folders
    #[arg(last = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Compare what is staged with HEAD
    #[arg(long, alias = "staged")]
    pub cached: bool,
    /// Use no key: tell what changed from the ciphertexts
    #[arg(long)]
    pub summary: bool,
    /// Show old and new values
    #[arg(long, conflicts_with = "summary")]
    pub show_values: bool,
    /// End with 1 where there are differences
    #[arg(long)]
    pub exit_code: bool,
    /// Answer as JSON (seal.diff/1)
    #[arg(long)]
    pub json: bool,
}

const EXAMPLES: &str = "\
Examples:
  seal diff secret.yaml
  seal diff --summary main..HEAD
  seal diff old.yaml new.yaml";

/// Runs it.
pub fn run(args: DiffArgs, session: &Session) -> Result<(), Failure> {
    let mut found = Vec::new();
    match Plan::make(&args)? {
        Plan::Files(old, new) => {
            let (old_bytes, new_bytes) = (files::read(&old)?, files::read(&new)?);
            found.extend(compare((&old, &new), Some(&old_bytes), Some(&new_bytes), &args, session)?);
        }
        Plan::Versions { repository, old, new, paths, named } => {
            for name in paths {
                let (old, new) = (repository.read(old, &name)?, repository.read(new, &name)?);
                if named && old.is_none() && new.is_none() {
                    return Err(Failure::new(Kind::Missing, format!("{} is in neither version", shown(&name))));
                }
                if old != new {
                    found.extend(compare((&name, &name), old.as_deref(), new.as_deref(), &args, session)?);
                }
            }
        }
    }
    if args.json {
        let files: Vec<_> = found.iter().map(|diff| diff.to_json(args.show_values)).collect();
        let mut text = json!({"schema": "seal.diff/1", "files": files}).to_string();
        text.push('\n');
        session.answer(text.as_bytes())?;
    } else {
        let utf8 = session.terminal().is_utf8();
        let text: String = found.iter().map(|diff| diff.to_text(utf8)).collect();
        session.answer(text.as_bytes())?;
        if found.is_empty() {
            session.say("no differences in encrypted files");
        }
    }
    if args.exit_code && !found.is_empty() { Err(Failure::new(Kind::No, "")) } else { Ok(()) }
}

/// What is compared with what.
enum Plan {
    Files(PathBuf, PathBuf),
    Versions {
        repository: Box<Repository>,
        old: Version,
        new: Version,
        paths: Vec<PathBuf>,
        /// Whether the files were named one by one.
        named: bool,
    },
}

impl Plan {
    fn make(args: &DiffArgs) -> Result<Self, Failure> {
        let mut words = args.words.as_slice();
        let is_file = |word: &String| Path::new(word).is_file();
        if let ([old, new], [], false) = (words, args.files.as_slice(), args.cached)
            && is_file(old)
            && is_file(new)
        {
            return Ok(Self::Files(old.into(), new.into()));
        }
        let repository = Box::new(Repository::of(Path::new("."))?);
        let revision = words.first().filter(|word| !Path::new(word).exists()).cloned();
        if revision.is_some() {
            words = &words[1..];
        }
        let tree = |revision: &str| {
            let tree = if revision.is_empty() { "HEAD" } else { revision };
            repository.tree(tree).map(|tree| Version::Tree(Some(tree)))
        };
        let new = if args.cached { Version::Index } else { Version::Working };
        let (old, new) = match revision.as_deref() {
            None => (Version::Tree(repository.head()?), new),
            Some(range) => match (range.split_once("..."), range.split_once("..")) {
                (Some((one, other)), _) => {
                    let head = |revision: &'_ str| if revision.is_empty() { "HEAD" } else { revision }.to_owned();
                    let base = repository.merge_base(&head(one), &head(other))?;
                    (Version::Tree(Some(base)), tree(other)?)
                }
                (_, Some((old, new))) => (tree(old)?, tree(new)?),
                (None, None) => {
                    let old = tree(range).map_err(|error| {
                        Failure::from(error)
                            .hint(format!("if it is a file that is gone: seal diff -- {}", shown(range)))
                    })?;
                    (old, new)
                }
            },
        };
        let named: Vec<_> = words.iter().map(PathBuf::from).chain(args.files.iter().cloned()).collect();
        let mut wanted = Vec::new();
        for file in &named {
            let path = repository.path_of(file).ok_or_else(|| {
                Failure::new(
                    Kind::Usage,
                    format!("{} is not in the repository {}", shown(file), shown(repository.root())),
                )
            })?;
            wanted.push(path);
        }
        if !named.is_empty() && !named.iter().any(|file| file.is_dir()) {
            return Ok(Self::Versions { repository, old, new, paths: wanted, named: true });
        }
        let mut paths = repository.candidates(old, new)?;
        paths.retain(|path| wanted.is_empty() || wanted.iter().any(|wanted| path.starts_with(wanted)));
        Ok(Self::Versions { repository, old, new, paths, named: false })
    }
}

impl From<GitError> for Failure {
    fn from(error: GitError) -> Self {
        Self::new(Kind::Io, shown(&error.to_string()).to_string())
    }
}

/// One version of a file.
struct Side {
    encrypted: Option<Encrypted>,
    /// The plain document, where it is to be had.
    plain: Option<Document>,
    key: Option<crypt::DataKey>,
}

impl Side {
    fn read(name: &Path, bytes: &[u8], args: &DiffArgs, session: &Session) -> Result<Option<Self>, Failure> {
        let is_marked = memchr::memmem::find(bytes, b"sops").is_some();
        let encrypted = Encrypted::parse_named(bytes.to_vec(), name).ok().filter(|_| is_marked);
        let Some(encrypted) = encrypted else {
            let plain = Document::parse(bytes.to_vec(), Format::of_path(name)).ok();
            return Ok(plain.map(|plain| Self { encrypted: None, plain: Some(plain), key: None }));
        };
        if args.summary {
            return Ok(Some(Self { encrypted: Some(encrypted), plain: None, key: None }));
        }
        let key = match session.data_key(name, encrypted.envelope(), &OpenArgs::default()) {
            Ok(key) => key,
            Err(failure) if args.show_values => return Err(failure),
            Err(failure) => {
                session.warn(&format!("{}; what follows is told from the ciphertext alone", failure.message));
                return Ok(Some(Self { encrypted: Some(encrypted), plain: None, key: None }));
            }
        };
        let plain = {
            let opened = super::session::open(name, &encrypted, &key, MacCheck::Require).or_else(|failure| {
                session.warn(&failure.message);
                super::session::open(name, &encrypted, &key, MacCheck::Ignore)
            })?;
            Document::parse(opened.plain().into_zeroizing(), encrypted.format())
                .map_err(|error| Failure::of_parse(name, &error))?
        };
        Ok(Some(Self { encrypted: Some(encrypted), plain: Some(plain), key: Some(key) }))
    }

    fn envelope(&self) -> Option<&Envelope> {
        self.encrypted.as_ref().map(Encrypted::envelope)
    }

    /// The document as it is stored.
    fn stored(&self) -> Option<&Document> {
        self.encrypted.as_ref().map(Encrypted::document).or(self.plain.as_ref())
    }
}

/// Compares two versions of a file, or two files of these names; `None` where neither is encrypted, or nothing differs.
fn compare(
    (old_name, name): (&Path, &Path),
    old: Option<&[u8]>,
    new: Option<&[u8]>,
    args: &DiffArgs,
    session: &Session,
) -> Result<Option<Diff>, Failure> {
    let is_marked = |bytes: Option<&[u8]>| bytes.is_some_and(|bytes| memchr::memmem::find(bytes, b"ENC[").is_some());
    if old == new || !is_marked(old) && !is_marked(new) {
        return Ok(None);
    }
    let side = |name: &Path, bytes: Option<&[u8]>| -> Result<Option<Side>, Failure> {
        bytes.map(|bytes| Side::read(name, bytes, args, session)).transpose().map(Option::flatten)
    };
    let (old_side, new_side) = (side(old_name, old)?, side(name, new)?);
    let sealed = |side: &Option<Side>| side.as_ref().is_some_and(|side| side.encrypted.is_some());
    let fate = match (old.is_some(), new.is_some()) {
        (false, _) => Fate::New,
        (_, false) => Fate::Gone,
        _ => match (sealed(&old_side), sealed(&new_side)) {
            (false, false) => return Ok(None),
            (false, true) => Fate::Sealed,
            (true, false) if new_side.is_none() => Fate::Unreadable,
            (true, false) => Fate::Opened,
            (true, true) => Fate::Stays,
        },
    };
    if !sealed(&old_side) && !sealed(&new_side) {
        return Ok(None);
    }
    let mut diff = Diff {
        path: shown(name).to_string(),
        by_value: false,
        fate,
        values: Vec::new(),
        anew: 0,
        layout: false,
        readers: if fate == Fate::Unreadable { Default::default() } else { readers(&old_side, &new_side) },
        envelope: Vec::new(),
    };
    let (Some(old), Some(new)) = (old_side, new_side) else { return Ok(Some(diff)) };
    if let (Some(before), Some(after)) = (old.envelope(), new.envelope()) {
        diff.envelope = envelope_changes(before, after);
    }
    let several = old.stored().into_iter().chain(new.stored()).any(|document| document.roots().len() > 1);
    if let (Some(before), Some(after)) = (&old.plain, &new.plain) {
        diff.by_value = true;
        let found = changes(before, after);
        diff.anew = anew(&old, &new, &found);
        diff.layout = found.is_empty() && before.source() != after.source();
        let value = |change: Change| -> Result<Value, Failure> {
            let nodes = (before.at(change.root, &change.path), after.at(change.root, &change.path));
            let size = |document: &Document, node: Option<&Node>| match node {
                Some(Node::Leaf(leaf)) => Some(match &leaf.scalar {
                    Scalar::Str(text) => document.text(text).len(),
                    _ => leaf.span.len(),
                }),
                _ => None,
            };
            let text = |document: &Document, node: Option<&Node>| -> Result<Plaintext, Failure> {
                Ok(match node {
                    Some(node) => emit_value(document, node, Format::Yaml, Indent::Default)?.into(),
                    None => Plaintext::default(),
                })
            };
            let shown = match args.show_values {
                true => Some((text(before, nodes.0)?, text(after, nodes.1)?)),
                false => None,
            };
            let bytes = (size(before, nodes.0), size(after, nodes.1));
            let document = several.then_some(change.root + 1);
            Ok(Value { change, bytes, perhaps_same: false, shown, document })
        };
        diff.values = found.into_iter().map(value).collect::<Result<_, _>>()?;
        if let (Some(old), Some(new)) = (&old.key, &new.key)
            && old.expose() != new.expose()
        {
            diff.envelope.push("new data key");
        }
    } else if let (Some(before), Some(after), Fate::Stays) = (old.stored(), new.stored(), fate) {
        diff.values = changes(before, after)
            .into_iter()
            .map(|change| {
                let size = |document: &Document| match document.at(change.root, &change.path) {
                    Some(Node::Leaf(leaf)) => match &leaf.scalar {
                        Scalar::Str(text) => crypt::value_len(document.text(text)),
                        _ => None,
                    },
                    _ => None,
                };
                let bytes = (size(before), size(after));
                let perhaps_same = change.kind == ChangeKind::Changed && bytes.0.is_some() && bytes.0 == bytes.1;
                let document = several.then_some(change.root + 1);
                Value { change, bytes, perhaps_same, shown: None, document }
            })
            .collect();
    }
    Ok(Some(diff))
}

/// How many values have another ciphertext and are the same.
fn anew(old: &Side, new: &Side, changed: &[Change]) -> usize {
    let (Some(old), Some(new)) = (&old.encrypted, &new.encrypted) else { return 0 };
    let places: std::collections::HashSet<(usize, &KeyPath)> =
        changed.iter().map(|change| (change.root, &change.path)).collect();
    let stored = changes(old.document(), new.document());
    stored.iter().filter(|it| it.kind == ChangeKind::Changed && !places.contains(&(it.root, &it.path))).count()
}

/// Who can read it that could not, and the reverse.
fn readers(old: &Option<Side>, new: &Option<Side>) -> (Vec<Recipient>, Vec<Recipient>) {
    let of = |side: &Option<Side>| -> Vec<Recipient> {
        let envelope = side.as_ref().and_then(Side::envelope);
        envelope.into_iter().flat_map(Envelope::wrapped_keys).map(|key| key.recipient.clone()).collect()
    };
    let (old, new) = (of(old), of(new));
    let only = |here: &[Recipient], there: &[Recipient]| {
        here.iter().filter(|reader| !there.contains(reader)).cloned().collect()
    };
    (only(&new, &old), only(&old, &new))
}

fn envelope_changes(old: &Envelope, new: &Envelope) -> Vec<&'static str> {
    let mut found = Vec::new();
    let mut note = |what, differs: bool| {
        if differs {
            found.push(what);
        }
    };
    note("selection changed", old.selection.clone().unwrap_or_default() != new.selection.clone().unwrap_or_default());
    note("threshold changed", old.threshold != new.threshold);
    note("key groups changed", grouping(old) != grouping(new));
    note("mac_only_encrypted changed", old.mac_only_encrypted != new.mac_only_encrypted);
    found
}

/// Who stands in which of several key groups.
fn grouping(envelope: &Envelope) -> Vec<Vec<String>> {
    let names = |group: &Vec<crypt::WrappedKey>| {
        let mut names: Vec<_> = group.iter().map(|key| key.recipient.to_string()).collect();
        names.sort_unstable();
        names
    };
    // Of one group all is said by its readers.
    if envelope.groups.len() > 1 { envelope.groups.iter().map(names).collect() } else { Vec::new() }
}
