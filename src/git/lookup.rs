//! Objects one by one, in an order that history gives: from packs, with what deltas were made from kept at hand; from elsewhere by gix.
//!
//! gix keeps the object that was asked for, and not those that it was made from. A walk from the first commit on asks for the far
//! ends of long chains first, and for what lies before them next: here each delta is undone about once.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::path::PathBuf;
use std::rc::Rc;

use gix::hash::{Kind as HashKind, oid};
use gix::objs::{Exists as _, Find as _, Kind};
use gix::odb::pack;

use super::GitError;
use super::objects::Stores;
use super::pack::{Base, Bench, Head, Undone, apply};
use crate::scrub::ObjectError;

/// The objects of some stores.
pub struct Lookup {
    hash: HashKind,
    packs: Vec<(pack::index::File, pack::data::File)>,
    /// The pack in which the last object was.
    last: Cell<usize>,
    at_hand: RefCell<AtHand>,
    bench: RefCell<Bench>,
    others: Vec<gix::odb::HandleArc>,
}

/// Objects that were made on the way, by pack and offset: two generations, of which the older one goes as a whole.
#[derive(Default)]
pub struct AtHand {
    young: HashMap<(usize, u64), Made>,
    old: HashMap<(usize, u64), Made>,
    /// Bytes of the young.
    held: usize,
}

/// An object's kind and bytes.
pub type Made = (Kind, Rc<Vec<u8>>);

/// Bytes of a generation.
const GENERATION: usize = 24 << 20;

/// Larger objects are read anew each time.
const MAX_HELD: usize = 1 << 20;

/// No object that is held in memory is larger.
pub const MAX_BYTES: usize = 1 << 30;

/// A chain of deltas that is longer is a circle; git makes none above 4095.
const MAX_CHAIN: usize = 1 << 14;

impl Lookup {
    /// Opens the packs of stores, and gix for all that is in none.
    pub fn open(stores: &Stores, hash: HashKind) -> Result<Self, GitError> {
        let mut packs = Vec::new();
        let mut others = Vec::new();
        for folder in &stores.folders {
            let names =
                std::fs::read_dir(folder.join("pack")).into_iter().flatten().flatten().map(|entry| entry.path());
            let mut indices: Vec<PathBuf> =
                names.filter(|path| path.extension().is_some_and(|end| end == "idx")).collect();
            indices.sort();
            for path in indices {
                // What cannot be read here gix reads, or says why not.
                let index = pack::index::File::at(&path, hash);
                let data = pack::data::File::at(path.with_extension("pack"), hash);
                if let (Ok(index), Ok(data)) = (index, data) {
                    packs.push((index, data));
                }
            }
            let options = gix::odb::store::init::Options::default();
            let store = gix::odb::Store::at_opts(folder.clone(), hash, &mut std::iter::empty(), options);
            let store =
                store.map_err(|error| GitError::new(format!("open the objects in {}", folder.display()), error))?;
            let mut store = std::sync::Arc::new(store).to_cache_arc();
            store.refresh_never();
            others.push(store);
        }
        let (last, at_hand, bench) = (Cell::new(0), RefCell::default(), RefCell::new(Bench::new()));
        Ok(Self { hash, packs, last, at_hand, bench, others })
    }

    /// The hash that ids are.
    pub fn hash(&self) -> HashKind {
        self.hash
    }

    /// Whether an object is there.
    pub fn has(&self, id: &oid) -> bool {
        self.packs.iter().any(|(index, _)| index.lookup(id).is_some())
            || self.others.iter().any(|store| store.exists(id))
    }

    /// Reads an object into `buffer`.
    pub fn read(&self, id: &oid, buffer: &mut Vec<u8>) -> Result<Kind, ObjectError> {
        let last = self.last.get();
        for number in std::iter::once(last).chain((0..self.packs.len()).filter(|number| *number != last)) {
            let Some((index, data)) = self.packs.get(number) else { continue };
            let Some(entry) = index.lookup(id) else { continue };
            self.last.set(number);
            let find = |base: &oid| Some(index.pack_offset_at_index(index.lookup(base)?));
            let slice = |offset: u64| data.entry_slice(offset..data.pack_end() as u64);
            let offset = index.pack_offset_at_index(entry);
            let chain = Chain { pack: number, hash: self.hash, find: &find, slice: &slice };
            let made = chain.make(offset, &mut self.at_hand.borrow_mut(), &mut self.bench.borrow_mut(), buffer);
            if let Some(kind) = made {
                return Ok(kind);
            }
            // Another store may have it whole.
        }
        let mut damaged = None;
        for store in &self.others {
            match store.try_find(id, buffer) {
                Ok(Some(object)) => {
                    let kind = object.kind;
                    return Ok(kind);
                }
                Ok(None) => {}
                Err(_) => damaged = Some(ObjectError::Damaged { id: id.to_owned(), problem: "it cannot be unpacked" }),
            }
        }
        Err(damaged.unwrap_or(ObjectError::Missing(id.to_owned())))
    }
}

/// A pack in which an entry is made from those that it leads to.
pub struct Chain<'a> {
    /// What tells the pack from others in [`AtHand`].
    pub pack: usize,
    /// The hash that ids are.
    pub hash: HashKind,
    /// Where an object is, by its id.
    pub find: &'a dyn Fn(&oid) -> Option<u64>,
    /// The bytes from an offset on.
    pub slice: &'a dyn Fn(u64) -> Option<&'a [u8]>,
}

impl<'a> Chain<'a> {
    /// Makes the object of an entry; `None` where the pack is damaged or the object too large.
    pub fn make(&self, offset: u64, at_hand: &mut AtHand, bench: &mut Bench, buffer: &mut Vec<u8>) -> Option<Kind> {
        let mut deltas: Vec<(u64, &'a [u8], usize)> = Vec::new();
        let mut at = offset;
        let (kind, mut made) = loop {
            if let Some(made) = at_hand.get(self.pack, at) {
                break made;
            }
            let bytes = (self.slice)(at)?;
            let (head, used) = Head::parse(bytes, at, self.hash.len_in_bytes())?;
            let size = usize::try_from(head.size).ok().filter(|size| *size <= MAX_BYTES)?;
            at = match head.base {
                Base::None(kind) => {
                    let mut whole = Vec::new();
                    if !bench.inflate(&bytes[used..], size, &mut whole) {
                        return None;
                    }
                    // Most commits are no deltas, and no other object is made from them.
                    if deltas.is_empty() && kind == Kind::Commit {
                        std::mem::swap(buffer, &mut whole);
                        return Some(kind);
                    }
                    break (kind, at_hand.put(self.pack, at, kind, whole));
                }
                Base::Offset(base) => {
                    deltas.push((at, &bytes[used..], size));
                    base
                }
                Base::Id(id) => {
                    deltas.push((at, &bytes[used..], size));
                    (self.find)(&id)?
                }
            };
            if deltas.len() > MAX_CHAIN {
                return None;
            }
        };
        while let Some((at, packed, size)) = deltas.pop() {
            let mut delta = std::mem::take(&mut bench.delta);
            let mut whole = Vec::new();
            let is_done = bench.inflate(packed, size, &mut delta)
                && apply(&delta, &made, MAX_BYTES, &mut bench.parts, &mut whole) == Undone::Done;
            bench.delta = delta;
            if !is_done {
                return None;
            }
            made = at_hand.put(self.pack, at, kind, whole);
        }
        buffer.clear();
        buffer.extend_from_slice(&made);
        Some(kind)
    }
}

impl AtHand {
    /// Whether an object is there.
    pub fn has(&self, pack: usize, offset: u64) -> bool {
        self.young.contains_key(&(pack, offset)) || self.old.contains_key(&(pack, offset))
    }

    fn get(&mut self, pack: usize, offset: u64) -> Option<Made> {
        if let Some(made) = self.young.get(&(pack, offset)) {
            return Some(made.clone());
        }
        let (kind, bytes) = self.old.remove(&(pack, offset))?;
        self.put_shared(pack, offset, kind, bytes.clone());
        Some((kind, bytes))
    }

    fn put(&mut self, pack: usize, offset: u64, kind: Kind, bytes: Vec<u8>) -> Rc<Vec<u8>> {
        let bytes = Rc::new(bytes);
        if bytes.len() <= MAX_HELD {
            self.put_shared(pack, offset, kind, bytes.clone());
        }
        bytes
    }

    fn put_shared(&mut self, pack: usize, offset: u64, kind: Kind, bytes: Rc<Vec<u8>>) {
        if self.held > GENERATION {
            self.old = std::mem::take(&mut self.young);
            self.held = 0;
        }
        // What an entry of the map takes counts as well: many objects are small.
        self.held += bytes.capacity() + 96;
        self.young.insert((pack, offset), (kind, bytes));
    }
}
