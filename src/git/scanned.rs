//! What earlier scans found clean: `.git/seal/scanned`, so that a second scan of history reads no clean blob.
//!
//! The file holds ids and nothing else, sorted, for one version of seal and one set of rules; another's is ignored and replaced.
//! It is written whole to a new file that takes its place: five milliseconds for a quarter of a million ids, so that a journal would
//! save nothing. What has a finding is not in it and is looked through each time: no secret is ever written.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use gix::ObjectId;
use sha2::{Digest as _, Sha256};

use super::ids::Marks;
use super::objects::Objects;
use crate::host::target;
use crate::scan::Scanner;

/// The ids of objects that were found clean.
pub struct Scanned {
    file: Option<Place>,
    /// Sorted, one behind the other.
    ids: Vec<u8>,
    note: Option<String>,
}

struct Place {
    path: PathBuf,
    head: Vec<u8>,
    width: usize,
}

const MAGIC: &[u8] = b"seal scanned 1\n";

/// A file that is larger is not ours.
const MAX_BYTES: u64 = 4 << 30;

impl Scanned {
    /// Remembers nothing.
    pub fn none() -> Self {
        Self { file: None, ids: Vec::new(), note: None }
    }

    /// What was found clean in a repository with these rules.
    pub fn open(git_folder: &Path, scanner: &Scanner, hash: gix::hash::Kind) -> Self {
        let mut head = MAGIC.to_vec();
        head.extend(identity(scanner, hash));
        let place = Place { path: git_folder.join("seal").join("scanned"), head, width: hash.len_in_bytes() };
        let (ids, note) = match place.read() {
            Ok(ids) => (ids, None),
            Err(note) => (Vec::new(), note),
        };
        Self { file: Some(place), ids, note }
    }

    /// Those objects of a repository that were found clean.
    pub fn among(&self, objects: &Objects) -> Marks {
        let mut clean = objects.no_marks();
        let Some(place) = &self.file else { return clean };
        let mut number = 0;
        for id in self.ids.chunks_exact(place.width) {
            while (number as usize) < objects.len() && objects.id_bytes(number) < id {
                number += 1;
            }
            if (number as usize) < objects.len() && objects.id_bytes(number) == id {
                clean.insert(number);
            }
        }
        clean
    }

    /// Adds what was found clean. Says what kept it from being remembered, or why the file that was there was of no use.
    pub fn add(&mut self, ids: impl Iterator<Item = ObjectId>) -> Option<String> {
        let place = self.file.as_ref()?;
        let new: Vec<ObjectId> = ids.collect();
        if new.is_empty() {
            return self.note.take();
        }
        let added = place.add(new).map_err(|error| format!("what was found clean is not remembered: {error}"));
        added.err().or_else(|| self.note.take())
    }
}

impl Place {
    /// The ids in the file; none where it is not there. Fails with what to say where it is of no use, and with nothing where it was
    /// simply written by another version or for other rules.
    fn read(&self) -> Result<Vec<u8>, Option<String>> {
        let useless = |why: &str| Some(format!("{} is ignored: {why}", self.path.display()));
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(useless(&error.to_string())),
        };
        let mut bytes = Vec::new();
        file.take(MAX_BYTES).read_to_end(&mut bytes).map_err(|error| useless(&error.to_string()))?;
        let Some(at) = bytes.len().checked_sub(32) else { return Err(useless("it is cut off")) };
        let sum = bytes.split_off(at);
        if Sha256::digest(&bytes)[..] != sum[..] {
            return Err(useless("its checksum is wrong"));
        }
        if !bytes.starts_with(&self.head) {
            return Err(None);
        }
        bytes.drain(..self.head.len());
        if bytes.len() % self.width != 0 {
            return Err(useless("it is cut off"));
        }
        Ok(bytes)
    }

    /// Adds ids to those that the file has by now: another scan may have ended meanwhile.
    fn add(&self, new: Vec<ObjectId>) -> io::Result<()> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder)?;
        // Held until the file is closed, however this process ends.
        let lock = File::options().create(true).append(true).open(self.path.with_extension("lock"))?;
        lock.lock()?;
        let known = self.read().unwrap_or_default();
        let mut ids: Vec<&[u8]> = known.chunks_exact(self.width).chain(new.iter().map(|id| id.as_slice())).collect();
        ids.sort_unstable();
        ids.dedup();
        let mut bytes = self.head.clone();
        bytes.reserve(ids.len() * self.width + 32);
        ids.iter().for_each(|id| bytes.extend_from_slice(id));
        let sum = Sha256::digest(&bytes);
        bytes.extend_from_slice(&sum);
        target::write(&self.path, &bytes, 0o600).map(|_| ()).map_err(io::Error::other)
    }
}

/// What a scan's result depends on beside the bytes.
fn identity(scanner: &Scanner, hash: gix::hash::Kind) -> [u8; 32] {
    let mut digest = Sha256::new();
    digest.update(env!("CARGO_PKG_VERSION"));
    digest.update([hash.len_in_bytes() as u8]);
    for (_, rule) in scanner.engine.rules().iter() {
        digest.update(format!("{rule:?}\n"));
    }
    digest.finalize().into()
}
