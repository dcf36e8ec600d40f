//! New objects of a rewrite, in one pack in the run's own folder, beside the objects of the repository, which does not know of them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use gix::ObjectId;
use gix::hash::{Kind as HashKind, oid};
use gix::objs::Kind;

use super::lookup::{AtHand, Chain, Lookup};
use super::pack::Bench;
use super::{GitError, RunFolder};
use crate::scrub::{HEADER_LEN, ObjectError, Objects, PackBuilder};

/// The objects of a repository, and those that are new.
pub struct Quarantine {
    old: Lookup,
    folder: PathBuf,
    path: PathBuf,
    pack: RefCell<PackBuilder<BufWriter<File>>>,
    /// New objects by their place in the pack.
    new: HashMap<ObjectId, u32>,
    at_hand: RefCell<AtHand>,
    bench: RefCell<Bench>,
}

/// The pack that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPack {
    /// Where it is; its index is beside it.
    pub path: PathBuf,
    /// How many objects it has.
    pub objects: usize,
    /// Its size.
    pub bytes: u64,
}

impl Quarantine {
    /// Begins a pack in the folder of a run.
    pub fn begin(old: Lookup, run: &RunFolder) -> Result<Self, GitError> {
        let folder = run.objects().join("pack");
        let path = folder.join("tmp_pack_new");
        let fail = |error| GitError::new(format!("write {}", path.display()), error);
        let mut file = File::options().read(true).write(true).create_new(true).open(&path).map_err(fail)?;
        file.seek(SeekFrom::Start(HEADER_LEN)).map_err(fail)?;
        let pack = RefCell::new(PackBuilder::new(BufWriter::with_capacity(1 << 18, file)));
        let (new, at_hand, bench) = (HashMap::new(), RefCell::default(), RefCell::new(Bench::new()));
        Ok(Self { old, folder, path, pack, new, at_hand, bench })
    }

    /// Ends the pack, and has it and its index on the disk; `None` where there is no new object.
    pub fn finish(self) -> Result<Option<NewPack>, GitError> {
        let fail = |error: std::io::Error| GitError::new(format!("write {}", self.path.display()), error);
        let pack = self.pack.into_inner();
        let objects = pack.len();
        if objects == 0 {
            std::fs::remove_file(&self.path).map_err(fail)?;
            return Ok(None);
        }
        let hash = self.old.hash();
        let (header, mut index, out) = pack.finish().map_err(fail)?;
        let mut file = out.into_inner().map_err(|error| fail(error.into_error()))?;
        file.write_all_at(&header, 0).map_err(fail)?;
        let sum = checksum_of(&mut file, hash).map_err(fail)?;
        file.write_all(sum.as_bytes()).map_err(fail)?;
        file.sync_all().map_err(fail)?;
        let bytes = file.metadata().map_err(fail)?.len();
        index.extend_from_slice(sum.as_bytes());
        let index_sum = crate::scrub::checksum(hash, &index).map_err(fail)?;
        index.extend_from_slice(index_sum.as_bytes());
        let path = self.folder.join(format!("pack-{sum}.pack"));
        write_synced(&path.with_extension("idx"), &index)?;
        // Packs are read only, as git makes them.
        let mut mode = file.metadata().map_err(fail)?.permissions();
        mode.set_readonly(true);
        file.set_permissions(mode).map_err(fail)?;
        std::fs::rename(&self.path, &path).map_err(fail)?;
        File::open(&self.folder).and_then(|folder| folder.sync_all()).map_err(fail)?;
        Ok(Some(NewPack { path, objects, bytes }))
    }
}

impl Objects for Quarantine {
    fn hash_kind(&self) -> HashKind {
        self.old.hash()
    }

    fn read(&self, id: &oid, buffer: &mut Vec<u8>) -> Result<Kind, ObjectError> {
        let Some(&number) = self.new.get(id) else { return self.old.read(id, buffer) };
        let mut pack = self.pack.borrow_mut();
        let fail = |error: std::io::Error| ObjectError::Store(format!("cannot read {}: {error}", self.path.display()));
        pack.out().flush().map_err(fail)?;
        // The entries that it is made from, each by its offset, down to one that is at hand; all are in this pack.
        let mut at_hand = self.at_hand.borrow_mut();
        let mut pieces: HashMap<u64, Vec<u8>> = HashMap::new();
        for range in pack.chain(number) {
            if at_hand.has(0, range.start) {
                break;
            }
            let mut bytes = vec![0; (range.end - range.start) as usize];
            pack.out().get_ref().read_exact_at(&mut bytes, range.start).map_err(fail)?;
            pieces.insert(range.start, bytes);
        }
        let chain = Chain {
            pack: 0,
            hash: self.old.hash(),
            find: &|_| None,
            slice: &|offset| pieces.get(&offset).map(Vec::as_slice),
        };
        let made = chain.make(pack.offset(number), &mut at_hand, &mut self.bench.borrow_mut(), buffer);
        made.ok_or_else(|| ObjectError::Damaged { id: id.to_owned(), problem: "what was written does not come back" })
    }

    fn write(&mut self, kind: Kind, bytes: &[u8]) -> Result<ObjectId, ObjectError> {
        self.put(kind, bytes, None)
    }

    fn write_version(&mut self, kind: Kind, bytes: &[u8], place: u64) -> Result<ObjectId, ObjectError> {
        self.put(kind, bytes, Some(place))
    }
}

impl Quarantine {
    fn put(&mut self, kind: Kind, bytes: &[u8], place: Option<u64>) -> Result<ObjectId, ObjectError> {
        // With detection of collisions: what is hashed came from outside.
        let id = gix::objs::compute_hash(self.old.hash(), kind, bytes);
        let id = id.map_err(|error| ObjectError::Store(error.to_string()))?;
        if self.new.contains_key(&id) || self.old.has(&id) {
            return Ok(id);
        }
        let pack = self.pack.get_mut();
        let number = u32::try_from(pack.len()).map_err(|_| ObjectError::Store("too many new objects".to_owned()))?;
        pack.add(id, kind, bytes, place)
            .map_err(|error| ObjectError::Store(format!("cannot write {}: {error}", self.path.display())))?;
        self.new.insert(id, number);
        Ok(id)
    }
}

/// The checksum of a file, which is read from its start to its end.
fn checksum_of(file: &mut File, hash: HashKind) -> std::io::Result<ObjectId> {
    let mut hasher = gix::hash::hasher(hash);
    let mut buffer = vec![0; 1 << 18];
    file.rewind()?;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return hasher.try_finalize().map_err(std::io::Error::other);
        }
        hasher.update(&buffer[..read]);
    }
}

/// The checksum that the bytes of a pack have, and the one that stands at its end.
pub fn sums(file: &mut File, hash: HashKind) -> std::io::Result<(ObjectId, ObjectId)> {
    let length = file.metadata()?.len().saturating_sub(hash.len_in_bytes() as u64);
    let mut hasher = gix::hash::hasher(hash);
    let mut buffer = vec![0; 1 << 18];
    let mut packed = std::io::Read::by_ref(file).take(length);
    while let read @ 1.. = packed.read(&mut buffer)? {
        hasher.update(&buffer[..read]);
    }
    let mut said = vec![0; hash.len_in_bytes()];
    file.read_exact(&mut said)?;
    let said = ObjectId::try_from(said.as_slice()).map_err(std::io::Error::other)?;
    Ok((hasher.try_finalize().map_err(std::io::Error::other)?, said))
}

/// Makes a file that is read only, and has it on the disk.
pub fn write_synced(path: &Path, bytes: &[u8]) -> Result<(), GitError> {
    let write = || {
        let mut file = File::options().write(true).create_new(true).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        let mut mode = file.metadata()?.permissions();
        mode.set_readonly(true);
        file.set_permissions(mode)
    };
    write().map_err(|error| GitError::new(format!("write {}", path.display()), error))
}
