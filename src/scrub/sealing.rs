//! Sealing history: each plain version of a file becomes its encrypted form, in the order in which they followed each other.
//!
//! The same plain blob has one sealed form, and values that did not change from one version of a path to the next keep their
//! ciphertext, so that differences show what was really changed. Keys are the caller's, behind [`Sealer`]. A sealed history is as
//! secret as its recipients' keys, no more, and what leaked must still be rotated.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use gix::ObjectId;
use gix::bstr::{BStr, BString, ByteSlice as _};
use gix::objs::Kind;

use super::history::History;
use super::objects::{ObjectError, Objects};
use super::paths::{Below, PathSelection, PathWalk, State};
use super::rewrite::BlobFate;
use super::tree::{Entries, EntryKind};
use crate::crypt::Plaintext;
use crate::document::{Document, Format};

/// Encrypts, and opens what it has encrypted.
pub trait Sealer {
    /// Encrypts a version of a file. `previous` is what this gave for the version before, of which unchanged values keep their text.
    fn seal(&mut self, path: &BStr, plain: Document, previous: Option<&[u8]>) -> Result<Vec<u8>, String>;

    /// Decrypts what was encrypted.
    fn open(&mut self, path: &BStr, sealed: &[u8]) -> Result<Plaintext, String>;
}

/// A version of a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileVersion {
    /// Where it stands.
    pub path: BString,
    /// What it is.
    pub blob: ObjectId,
}

/// What becomes of a version that cannot be read as a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unparsable {
    /// Nothing is done at all.
    #[default]
    Abort,
    /// It goes.
    Remove,
    /// The values that are known go from it; where none is in it, it goes as a whole.
    Redact,
}

/// What came of the versions.
#[derive(Debug, Default)]
pub struct SealedVersions {
    /// What becomes of blobs, for [`Rules`](super::Rules).
    pub fates: HashMap<ObjectId, BlobFate>,
    /// How many blobs were encrypted.
    pub sealed: usize,
    /// How many were encrypted before, and stay.
    pub already: usize,
    /// Versions that cannot be read as a document.
    pub unparsable: Vec<FileVersion>,
}

/// Why history cannot be sealed. No variant quotes what is in a file.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// Some versions are no documents.
    #[error("{} versions cannot be read as documents, the first is {} of {}", .0.len(), .0[0].blob, .0[0].path)]
    Unparsable(Vec<FileVersion>),
    /// A version cannot be encrypted.
    #[error("cannot encrypt {} of {}: {problem}", .version.blob, .version.path)]
    Failed {
        /// Which.
        version: FileVersion,
        /// Why.
        problem: String,
    },
    /// What was encrypted does not decrypt to what it was.
    #[error("the encrypted form of {} of {} would not decrypt to the same bytes", .0.blob, .0.path)]
    WouldNotComeBack(FileVersion),
    /// The store failed.
    #[error(transparent)]
    Objects(#[from] ObjectError),
}

/// Seals versions of files: those of each path in the order in which they followed each other, oldest first.
///
/// Every sealed form was opened and compared before this returns. `redact` takes known values out of a file that is no document.
pub fn seal_versions(
    versions: impl IntoIterator<Item = FileVersion>,
    objects: &mut dyn Objects,
    sealer: &mut dyn Sealer,
    unparsable: Unparsable,
    redact: &dyn Fn(&[u8]) -> Option<Vec<u8>>,
) -> Result<SealedVersions, SealError> {
    let mut result = SealedVersions::default();
    let mut previous: HashMap<BString, ObjectId> = HashMap::new();
    let (mut buffer, mut before) = (Vec::new(), Vec::new());
    let mut known: HashMap<ObjectId, bool> = HashMap::new();
    for version in versions {
        let FileVersion { path, blob } = &version;
        if known.contains_key(blob) {
            if let Some(BlobFate::Replace(sealed)) = result.fates.get(blob).filter(|_| known[blob]) {
                previous.insert(path.clone(), *sealed);
            }
            continue;
        }
        known.insert(*blob, false);
        if objects.read(blob, &mut buffer)? != Kind::Blob {
            continue;
        }
        let Ok(plain) = Document::parse(buffer.clone(), Format::of_path(Path::new(&*path.to_str_lossy()))) else {
            let new = match unparsable {
                Unparsable::Abort => None,
                Unparsable::Remove => Some(BlobFate::Drop),
                Unparsable::Redact => Some(match redact(&buffer) {
                    Some(new) => BlobFate::Replace(objects.write(Kind::Blob, &new)?),
                    None => BlobFate::Drop,
                }),
            };
            result.fates.extend(new.map(|fate| (*blob, fate)));
            result.unparsable.push(version);
            continue;
        };
        if plain.roots().first().is_some_and(|root| root.attachment.is_some()) {
            result.already += 1;
            continue;
        }
        let last = previous.get(path).map(|id| objects.read(id, &mut before)).transpose()?.map(|_| before.as_slice());
        let failed = |problem| SealError::Failed { version: version.clone(), problem };
        let sealed = sealer.seal(path.as_bstr(), plain, last).map_err(failed)?;
        let opened = sealer.open(path.as_bstr(), &sealed).map_err(failed)?;
        if opened.expose() != buffer {
            return Err(SealError::WouldNotComeBack(version));
        }
        let new = objects.write(Kind::Blob, &sealed)?;
        result.fates.insert(*blob, BlobFate::Replace(new));
        known.insert(*blob, true);
        previous.insert(path.clone(), new);
        result.sealed += 1;
    }
    match unparsable {
        Unparsable::Abort if !result.unparsable.is_empty() => Err(SealError::Unparsable(result.unparsable)),
        _ => Ok(result),
    }
}

/// The versions of the files that are selected, in the order in which they came to be: each blob at each path once.
pub fn file_versions(
    objects: &dyn Objects,
    history: &History,
    selection: PathSelection,
) -> Result<Vec<FileVersion>, ObjectError> {
    let mut walk = PathWalk::new(selection);
    let mut versions = Vec::new();
    let mut seen: HashSet<(ObjectId, Vec<u8>)> = HashSet::new();
    let mut bytes = Vec::new();
    let id_len = objects.hash_kind().len_in_bytes();
    for (_, commit) in history.iter() {
        let mut todo = vec![(commit.tree, Vec::new(), walk.top())];
        while let Some((tree, path, state)) = todo.pop() {
            if state == State::NOTHING || !seen.insert((tree, path.clone())) {
                continue;
            }
            objects.read(&tree, &mut bytes)?;
            for entry in Entries::new(&bytes, id_len) {
                let entry = entry.map_err(|_| ObjectError::Damaged { id: tree, problem: "it is not a tree" })?;
                let full =
                    if path.is_empty() { entry.name.to_vec() } else { [&path, b"/".as_slice(), entry.name].concat() };
                match entry.kind() {
                    EntryKind::Tree => match walk.directory(state, entry.name) {
                        Below::Nothing => {}
                        Below::All => todo.push((entry.id.to_owned(), full, State::ALL)),
                        Below::Inside(state) => todo.push((entry.id.to_owned(), full, state)),
                    },
                    // What a symbolic link says is no document.
                    EntryKind::Blob if entry.mode != b"120000" && walk.file(state, entry.name) => {
                        if seen.insert((entry.id.to_owned(), full.clone())) {
                            versions.push(FileVersion { path: full.into(), blob: entry.id.to_owned() });
                        }
                    }
                    EntryKind::Blob | EntryKind::Submodule => {}
                }
            }
        }
    }
    Ok(versions)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use gix::hash::Kind as HashKind;

    use super::super::objects::memory::Memory;
    use super::*;
    use crate::crypt::{
        DataKey, Encrypted, Envelope, MacCheck, Recipient, Sealing, SelectionRule, WrappedKey, encrypt,
    };
    use crate::document::AttachmentStyle;

    /// Encrypts with one data key.
    struct OneKey(DataKey, u8);

    impl Sealer for OneKey {
        fn seal(&mut self, _: &BStr, plain: Document, previous: Option<&[u8]>) -> Result<Vec<u8>, String> {
            let previous = previous.map(|bytes| Encrypted::parse(bytes.to_vec(), Format::Yaml).unwrap());
            let previous = previous.as_ref().map(|previous| previous.open(&self.0, MacCheck::Require).unwrap());
            let wrapped = WrappedKey { recipient: Recipient::Age("age1a".into()), enc: "e\n".into(), created_at: None };
            let rule = SelectionRule::EncryptedRegex("^(data|stringData)$".into());
            let sealing = Sealing {
                envelope: Envelope::new(vec![vec![wrapped]], None, Some(rule), false),
                key: &self.0,
                previous: previous.as_ref(),
                style: AttachmentStyle::default(),
                now: "2026-11-24T08:38:43Z".into(),
            };
            let mut random = |bytes: &mut [u8]| {
                self.1 += 1;
                bytes.iter_mut().enumerate().for_each(|(at, byte)| *byte = self.1.wrapping_add(at as u8));
                Ok(())
            };
            encrypt(plain, sealing, &mut random).map(|sealed| sealed.bytes).map_err(|error| error.to_string())
        }

        fn open(&mut self, _: &BStr, sealed: &[u8]) -> Result<Plaintext, String> {
            let sealed = Encrypted::parse(sealed.to_vec(), Format::Yaml).map_err(|error| error.to_string())?;
            sealed.open(&self.0, MacCheck::Require).map(|opened| opened.plain()).map_err(|error| error.to_string())
        }
    }

    fn secret(user: &str, password: &str) -> String {
        format!("apiVersion: v1\nkind: Secret\nstringData:\n  user: {user} # odd   blanks\n  password: '{password}'\n")
    }

    fn sealed(texts: &[&str], unparsable: Unparsable) -> (Memory, Vec<ObjectId>, Result<SealedVersions, SealError>) {
        let mut objects = Memory::new(HashKind::Sha1);
        let ids: Vec<ObjectId> = texts.iter().map(|text| objects.write(Kind::Blob, text.as_bytes()).unwrap()).collect();
        let versions = ids.iter().map(|blob| FileVersion { path: "a.yaml".into(), blob: *blob });
        let mut sealer = OneKey(DataKey::from_bytes(&[7; 32]).unwrap(), 0);
        let redact = |bytes: &[u8]| bytes.starts_with(b"known").then(|| b"gone".to_vec());
        let result = seal_versions(versions.collect::<Vec<_>>(), &mut objects, &mut sealer, unparsable, &redact);
        (objects, ids, result)
    }

    fn new_text(objects: &Memory, result: &SealedVersions, id: &ObjectId) -> String {
        let BlobFate::Replace(new) = result.fates[id] else { panic!("it stays") };
        let mut bytes = Vec::new();
        objects.read(&new, &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn values_that_do_not_change_keep_their_ciphertext() {
        let (one, two) = (secret("ada", "first-one"), secret("ada", "second-one"));
        let (objects, ids, result) = sealed(&[&one, &two, &one], Unparsable::Abort);
        let result = result.unwrap();
        assert_eq!((result.sealed, result.fates.len()), (2, 2));
        let texts = [new_text(&objects, &result, &ids[0]), new_text(&objects, &result, &ids[1])];
        let line = |text: &String, key: &str| text.lines().find(|line| line.contains(key)).unwrap().to_owned();
        assert_eq!(line(&texts[0], "user:"), line(&texts[1], "user:"));
        assert_ne!(line(&texts[0], "password:"), line(&texts[1], "password:"));
        assert!(texts.iter().all(|text| text.contains("ENC[") && !text.contains("-one") && !text.contains("ada")));
    }

    #[test]
    fn what_is_sealed_stays_and_what_is_no_document_is_as_asked() {
        let (objects, ids, result) = sealed(&[&secret("ada", "first-one")], Unparsable::Abort);
        let done = new_text(&objects, &result.unwrap(), &ids[0]);
        let result = sealed(&[&done], Unparsable::Abort).2.unwrap();
        assert_eq!((result.already, result.fates.len()), (1, 0));
        let texts = ["known: [", "other: ["];
        let error = sealed(&texts, Unparsable::Abort).2.unwrap_err();
        assert!(matches!(&error, SealError::Unparsable(all) if all.len() == 2), "{error}");
        let result = sealed(&texts, Unparsable::Remove).2.unwrap();
        assert!(result.fates.len() == 2 && result.fates.values().all(|fate| *fate == BlobFate::Drop));
        let (objects, ids, result) = sealed(&texts, Unparsable::Redact);
        let result = result.unwrap();
        assert_eq!(new_text(&objects, &result, &ids[0]), "gone");
        assert_eq!(result.fates[&ids[1]], BlobFate::Drop);
    }
}
