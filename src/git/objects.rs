//! Every object of a repository, each once: packed ones by delta family, each delta undone once; loose ones; those of alternates.
//!
//! An object stored as a delta is handed out with the parts of the object that it was made from, so that what was learnt of the
//! one need not be learnt again of the other. What cannot be read never ends a visit: it is handed out as such.
//! Who leads to an object is in [`graph`](super::graph), and what is looked for in it is the visitor's matter.
//!
//! Packs are read through gix's maps of their files; entries and deltas are parsed here, as gix hands out whole objects only. The
//! format is that of git's gitformat-pack(5).

use std::collections::HashSet;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use flate2::{Decompress, FlushDecompress, Status};
use gix::ObjectId;
use gix::objs::Kind;
use gix::odb::pack;

use super::GitError;
use crate::scan::Part;

/// The objects of a repository, by number: in the order of their ids.
pub struct Objects {
    hash: gix::hash::Kind,
    packs: Vec<Pack>,
    loose: Vec<Loose>,
    ids: Ids,
    kinds: Vec<Option<Kind>>,
    families: Vec<Family>,
    problems: Vec<String>,
}

/// An object's place in the order of all ids.
pub type Number = u32;

/// Looks at objects, one visitor a thread.
pub trait Visitor: Send {
    /// What it keeps of an object for those made from it.
    type Kept;

    /// An object, and what it was made from where that was visited too.
    fn object(&mut self, object: Object, bytes: &[u8], made: Option<Made<'_, Self::Kept>>) -> Self::Kept;

    /// A blob that is larger than the limit, to be read from start to end; `None` where it could not be read so.
    fn large(&mut self, object: Object, stream: Option<&mut dyn Read>);

    /// An object that could not be read.
    fn failed(&mut self, object: Number);
}

/// An object that is visited.
#[derive(Debug, Clone, Copy)]
pub struct Object {
    /// Its number.
    pub number: Number,
    /// Its kind.
    pub kind: Kind,
}

/// What an object was made from.
pub struct Made<'a, K> {
    /// What was kept of that other object.
    pub kept: &'a K,
    /// The object's bytes as parts of the other's.
    pub parts: &'a [Part],
}

/// Which objects to visit, and how.
pub struct Visit<'a> {
    /// The numbers of those wanted.
    pub wanted: &'a Marks,
    /// How many threads.
    pub jobs: usize,
    /// Larger objects are not held in memory.
    pub max_bytes: usize,
    /// Ends the visit early once it is true.
    pub stop: &'a AtomicBool,
}

/// Where objects are.
#[derive(Debug, Clone)]
pub struct Stores {
    /// Folders of objects, the repository's own first.
    pub folders: Vec<PathBuf>,
    /// Alternates that were refused, as they lie outside.
    pub refused: Vec<PathBuf>,
}

/// A set of objects.
#[derive(Debug, Clone)]
pub struct Marks(Vec<u64>);

struct Pack {
    data: pack::data::File,
    /// By offset.
    entries: Vec<Entry>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    offset: u64,
    number: Number,
    /// The entry it is a delta of.
    base: u32,
    first_child: u32,
    next_sibling: u32,
    /// Another entry, before this one, holds the same object.
    is_double: bool,
}

struct Loose {
    number: Number,
    store: usize,
}

/// An entry that is no delta, with all that are made from it.
#[derive(Debug, Clone, Copy)]
struct Family {
    pack: u32,
    root: u32,
    size: u32,
    kind: Kind,
}

/// Sorted ids, one behind the other.
struct Ids {
    width: usize,
    bytes: Vec<u8>,
    /// How many ids start with fewer than these two bytes.
    fanout: Vec<u32>,
}

/// What one thread needs to undo deltas, kept from object to object.
struct Bench {
    inflate: Decompress,
    delta: Vec<u8>,
    parts: Vec<Part>,
    spare: Vec<Vec<u8>>,
}

/// An object on the way from a family's root down.
struct Frame<K> {
    entry: u32,
    /// `None` where it was given up to save memory.
    bytes: Option<Vec<u8>>,
    kept: Option<K>,
    next: u32,
}

/// No entry.
const NONE: u32 = u32::MAX;

/// Bytes of bases that all threads together hold on to, beside the two objects that each is at.
const HELD: usize = 96 << 20;

/// Spare buffers that are larger are not kept.
const SPARE: usize = 4 << 20;

/// How deep alternates may lead, as in git.
const MAX_ALTERNATES: usize = 5;

impl Objects {
    /// Lists the objects of all stores; reads none but the heads of loose ones.
    pub fn open(stores: &Stores, hash: gix::hash::Kind) -> Result<Self, GitError> {
        let mut problems = Vec::new();
        for refused in &stores.refused {
            problems.push(format!("{}: objects outside the repository are not read", refused.display()));
        }
        let mut listed: Vec<(pack::data::File, Vec<(ObjectId, u64)>)> = Vec::new();
        let mut loose_ids: Vec<(ObjectId, usize)> = Vec::new();
        for (index, folder) in stores.folders.iter().enumerate() {
            list_packs(&folder.join("pack"), hash, &mut listed, &mut problems);
            list_loose(folder, hash, |id| loose_ids.push((id, index)));
        }
        let count = listed.iter().map(|(_, entries)| entries.len()).sum::<usize>() + loose_ids.len();
        if count >= NONE as usize {
            return Err(GitError::new(
                "list the objects of the repository",
                "there are more than four thousand million",
            ));
        }
        let all = listed.iter().flat_map(|(_, entries)| entries.iter().map(|(id, _)| id));
        let ids = Ids::new(all.chain(loose_ids.iter().map(|(id, _)| id)), count, hash.len_in_bytes());
        let mut objects = Self {
            hash,
            packs: Vec::new(),
            loose: Vec::new(),
            kinds: vec![None; ids.len()],
            ids,
            families: Vec::new(),
            problems,
        };
        let mut seen = objects.no_marks();
        for (data, entries) in listed {
            objects.add_pack(data, entries, &mut seen);
        }
        for (id, store) in loose_ids {
            let Some(number) = objects.number(&id) else { continue };
            if seen.insert(number) {
                let mut file = open_loose(&stores.folders[store], &id);
                objects.kinds[number as usize] = file.as_mut().ok().and_then(|file| file.head()).map(|(kind, _)| kind);
                objects.loose.push(Loose { number, store });
            }
        }
        // The largest first, as one thread works through a family alone; the others in the order in which they lie.
        objects.families.sort_by_key(|family| if family.size >= 1000 { (0, u32::MAX - family.size) } else { (1, 0) });
        Ok(objects)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// An object's id.
    pub fn id(&self, number: Number) -> ObjectId {
        ObjectId::from_bytes_or_panic(self.ids.get(number as usize))
    }

    /// The object of an id.
    pub fn number(&self, id: &gix::oid) -> Option<Number> {
        self.ids.find(id.as_bytes())
    }

    /// What an object is; `None` where that could not be read.
    pub fn kind(&self, number: Number) -> Option<Kind> {
        self.kinds[number as usize]
    }

    /// Packs and folders that could not be read, in words.
    pub fn problems(&self) -> &[String] {
        &self.problems
    }

    /// The hash that ids are.
    pub fn hash(&self) -> gix::hash::Kind {
        self.hash
    }

    /// No object.
    pub fn no_marks(&self) -> Marks {
        Marks::none(self.len())
    }

    /// Those of these kinds; with `None` also those whose kind could not be read.
    pub fn of_kinds(&self, kinds: &[Option<Kind>]) -> Marks {
        let mut marks = self.no_marks();
        for (number, kind) in self.kinds.iter().enumerate() {
            if kinds.contains(kind) {
                marks.insert(number as Number);
            }
        }
        marks
    }

    /// Hands each wanted object to one of the visitors, of which `make` makes one a thread, and gives them back.
    ///
    /// Which object goes to which visitor differs from run to run.
    pub fn visit<V: Visitor>(&self, stores: &Stores, visit: &Visit<'_>, make: impl Fn() -> V + Sync) -> Vec<V> {
        let needed: Vec<Marks> = self.packs.iter().map(|pack| pack.needed(visit.wanted)).collect();
        let todo: Vec<Family> =
            self.families.iter().filter(|one| needed[one.pack as usize].contains(one.root)).copied().collect();
        let loose: Vec<&Loose> = self.loose.iter().filter(|loose| visit.wanted.contains(loose.number)).collect();
        let unreadable = self.packs.iter().flat_map(|pack| pack.entries.iter()).filter(|entry| !entry.is_double);
        let unreadable: Vec<Number> =
            unreadable.map(|entry| entry.number).filter(|number| self.kind(*number).is_none()).collect();
        let (next_family, next_loose) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let jobs = visit.jobs.clamp(1, (todo.len() + loose.len()).max(1));
        let work = || {
            let mut visitor = make();
            let mut bench = Bench::new();
            while let Some(family) = todo.get(next_family.fetch_add(1, Ordering::Relaxed)) {
                if visit.stop.load(Ordering::Relaxed) {
                    return visitor;
                }
                let pack = &self.packs[family.pack as usize];
                pack.visit(*family, &needed[family.pack as usize], visit, HELD / jobs, &mut bench, &mut visitor);
            }
            while let Some(loose) = loose.get(next_loose.fetch_add(1, Ordering::Relaxed)) {
                if visit.stop.load(Ordering::Relaxed) {
                    return visitor;
                }
                self.visit_loose(&stores.folders[loose.store], loose.number, visit, &mut bench, &mut visitor);
            }
            visitor
        };
        let mut visitors = if jobs == 1 {
            vec![work()]
        } else {
            std::thread::scope(|scope| {
                let threads: Vec<_> = (0..jobs).map(|_| scope.spawn(work)).collect();
                threads.into_iter().map(|thread| thread.join().expect("no visitor panics")).collect()
            })
        };
        for number in unreadable.into_iter().filter(|number| visit.wanted.contains(*number)) {
            visitors[0].failed(number);
        }
        visitors
    }

    fn add_pack(&mut self, data: pack::data::File, listed: Vec<(ObjectId, u64)>, seen: &mut Marks) {
        let pack_index = self.packs.len() as u32;
        let mut entries: Vec<Entry> = listed
            .iter()
            .filter_map(|(id, offset)| Some((self.number(id)?, *offset)))
            .map(|(number, offset)| Entry {
                offset,
                number,
                base: NONE,
                first_child: NONE,
                next_sibling: NONE,
                is_double: false,
            })
            .collect();
        drop(listed);
        entries.sort_unstable_by_key(|entry| entry.offset);
        for entry in &mut entries {
            entry.is_double = !seen.insert(entry.number);
        }
        let mut pack = Pack { data, entries };
        let by_number = pack.by_number();
        let mut roots = Vec::new();
        // Backwards, so that the children of an entry are linked in the order in which they lie.
        for index in (0..pack.entries.len()).rev() {
            let Some((head, _)) = pack.entry(index) else { continue };
            let base = match head.base {
                Base::None(kind) => {
                    roots.push((index as u32, kind));
                    continue;
                }
                Base::Offset(offset) => pack.entries.binary_search_by_key(&offset, |entry| entry.offset).ok(),
                Base::Id(id) => self.ids.find(id.as_bytes()).and_then(|number| {
                    let found = by_number.binary_search_by_key(&number, |one| one.0).ok()?;
                    Some(by_number[found].1 as usize)
                }),
            };
            // Without a base, or in a circle, it is in no family and stays of an unknown kind.
            let Some(base) = base else { continue };
            pack.entries[index].base = base as u32;
            pack.entries[index].next_sibling = pack.entries[base].first_child;
            pack.entries[base].first_child = index as u32;
        }
        let mut below = Vec::new();
        for (root, kind) in roots.into_iter().rev() {
            below.push(root);
            let mut size = 0;
            while let Some(index) = below.pop() {
                let entry = pack.entries[index as usize];
                self.kinds[entry.number as usize].get_or_insert(kind);
                size += 1;
                let mut child = entry.first_child;
                while child != NONE {
                    below.push(child);
                    child = pack.entries[child as usize].next_sibling;
                }
            }
            self.families.push(Family { pack: pack_index, root, size, kind });
        }
        self.packs.push(pack);
    }

    fn visit_loose<V: Visitor>(
        &self,
        folder: &Path,
        number: Number,
        visit: &Visit<'_>,
        bench: &mut Bench,
        visitor: &mut V,
    ) {
        let Ok(mut file) = open_loose(folder, &self.id(number)) else { return visitor.failed(number) };
        let Some((kind, size)) = file.head() else { return visitor.failed(number) };
        let object = Object { number, kind };
        if size > visit.max_bytes as u64 {
            return visitor.large(object, Some(&mut file));
        }
        let mut bytes = bench.buffer();
        let read = file.by_ref().take(size + 1).read_to_end(&mut bytes);
        if read.is_ok_and(|read| read as u64 == size) {
            visitor.object(object, &bytes, None);
        } else {
            visitor.failed(number);
        }
        bench.give_back(bytes);
    }
}

impl Pack {
    /// Which entries lead to a wanted object.
    fn needed(&self, wanted: &Marks) -> Marks {
        let mut needed = Marks::none(self.entries.len());
        for (index, entry) in self.entries.iter().enumerate() {
            if entry.is_double || !wanted.contains(entry.number) {
                continue;
            }
            let mut at = index as u32;
            while at != NONE && needed.insert(at) {
                at = self.entries[at as usize].base;
            }
        }
        needed
    }

    /// Entries by the number of their object, where some name their base by its id; else nothing.
    fn by_number(&self) -> Vec<(Number, u32)> {
        let names_ids = |index| self.entry(index).is_some_and(|(head, _)| matches!(head.base, Base::Id(_)));
        if !(0..self.entries.len()).any(names_ids) {
            return Vec::new();
        }
        let mut by_number: Vec<_> =
            self.entries.iter().enumerate().map(|(index, entry)| (entry.number, index as u32)).collect();
        by_number.sort_unstable();
        by_number
    }

    /// What an entry says of itself, and its bytes as they are packed.
    fn entry(&self, index: usize) -> Option<(Head, &[u8])> {
        let offset = self.entries[index].offset;
        let end = self.data.pack_end() as u64;
        let behind = match self.entries.get(index + 1) {
            Some(next) if next.offset > offset => Some(next),
            // An index may be wrong.
            Some(_) => self.entries.get(self.entries.partition_point(|entry| entry.offset <= offset)),
            None => None,
        };
        let until = behind.map_or(end, |behind| behind.offset.min(end));
        let bytes = self.data.entry_slice(offset..until.max(offset))?;
        let (head, used) = Head::parse(bytes, offset, self.data.object_hash().len_in_bytes())?;
        Some((head, &bytes[used..]))
    }

    fn visit<V: Visitor>(
        &self,
        family: Family,
        needed: &Marks,
        visit: &Visit<'_>,
        held: usize,
        bench: &mut Bench,
        visitor: &mut V,
    ) {
        let is_wanted = |entry: &Entry| !entry.is_double && visit.wanted.contains(entry.number);
        let skip = |mut at: u32| {
            while at != NONE && !needed.contains(at) {
                at = self.entries[at as usize].next_sibling;
            }
            at
        };
        let root = &self.entries[family.root as usize];
        let object = Object { number: root.number, kind: family.kind };
        let Some((head, packed)) = self.entry(family.root as usize) else {
            return self.fail(family.root, visit, visitor);
        };
        if head.size > visit.max_bytes as u64 {
            if is_wanted(root) {
                visitor.large(object, Some(&mut flate2::read::ZlibDecoder::new(packed).take(head.size)));
            }
            return self.too_large(root.first_child, family.kind, visit, visitor);
        }
        let mut bytes = bench.buffer();
        if !bench.inflate(packed, head.size as usize, &mut bytes) {
            bench.give_back(bytes);
            return self.fail(family.root, visit, visitor);
        }
        let kept = is_wanted(root).then(|| visitor.object(object, &bytes, None));
        let mut stack: Vec<Frame<V::Kept>> = Vec::new();
        let mut stacked = 0;
        let next = skip(root.first_child);
        if next == NONE {
            return bench.give_back(bytes);
        }
        stacked += bytes.len();
        stack.push(Frame { entry: family.root, bytes: Some(bytes), kept, next });
        while let Some(top) = stack.last_mut() {
            let child = top.next;
            if child == NONE {
                if let Some(bytes) = stack.pop().and_then(|frame| frame.bytes) {
                    stacked -= bytes.len();
                    bench.give_back(bytes);
                }
                continue;
            }
            let entry = &self.entries[child as usize];
            top.next = skip(entry.next_sibling);
            let base = match top.bytes.take() {
                Some(bytes) => bytes,
                None => {
                    let mut bytes = bench.buffer();
                    if !self.rebuild(top.entry, visit.max_bytes, bench, &mut bytes) {
                        bench.give_back(bytes);
                        self.fail(child, visit, visitor);
                        continue;
                    }
                    stacked += bytes.len();
                    bytes
                }
            };
            let mut bytes = bench.buffer();
            let made = self.undo(child as usize, &base, visit.max_bytes, bench, &mut bytes);
            match made {
                Undone::Done => {
                    let object = Object { number: entry.number, kind: family.kind };
                    let kept = is_wanted(entry).then(|| {
                        let made = top.kept.as_ref().map(|kept| Made { kept, parts: &bench.parts });
                        visitor.object(object, &bytes, made)
                    });
                    let first = skip(entry.first_child);
                    if top.next == NONE {
                        stacked -= base.len();
                        bench.give_back(base);
                        stack.pop();
                    } else {
                        top.bytes = Some(base);
                    }
                    if first == NONE {
                        bench.give_back(bytes);
                    } else {
                        stacked += bytes.len();
                        stack.push(Frame { entry: child, bytes: Some(bytes), kept, next: first });
                        let above = stack.len() - 1;
                        for frame in &mut stack[..above] {
                            if stacked <= held {
                                break;
                            }
                            stacked -= frame.bytes.take().map_or(0, |bytes| bytes.len());
                        }
                    }
                }
                Undone::TooLarge => {
                    top.bytes = Some(base);
                    bench.give_back(bytes);
                    if is_wanted(entry) {
                        visitor.large(Object { number: entry.number, kind: family.kind }, None);
                    }
                    self.too_large(entry.first_child, family.kind, visit, visitor);
                }
                Undone::Broken => {
                    top.bytes = Some(base);
                    bench.give_back(bytes);
                    self.fail(child, visit, visitor);
                }
            }
        }
    }

    /// Makes the bytes of an entry from those of its base. The parts that it was made of are left in `bench`.
    fn undo(&self, index: usize, base: &[u8], max_bytes: usize, bench: &mut Bench, into: &mut Vec<u8>) -> Undone {
        let Some((head, packed)) = self.entry(index) else { return Undone::Broken };
        // A delta may be somewhat larger than what it makes, but not twice.
        if head.size > 2 * max_bytes as u64 {
            return Undone::TooLarge;
        }
        let mut delta = std::mem::take(&mut bench.delta);
        let inflated = bench.inflate(packed, head.size as usize, &mut delta);
        let undone = if inflated { apply(&delta, base, max_bytes, &mut bench.parts, into) } else { Undone::Broken };
        delta.clear();
        if delta.capacity() <= SPARE {
            bench.delta = delta;
        }
        undone
    }

    /// Makes the bytes of an entry once more, from the root of its family on.
    fn rebuild(&self, index: u32, max_bytes: usize, bench: &mut Bench, into: &mut Vec<u8>) -> bool {
        let mut chain = vec![index];
        while let Some(last) = chain.last()
            && self.entries[*last as usize].base != NONE
        {
            chain.push(self.entries[*last as usize].base);
        }
        let Some(root) = chain.pop() else { return false };
        let Some((head, packed)) = self.entry(root as usize) else { return false };
        if head.size > max_bytes as u64 || !bench.inflate(packed, head.size as usize, into) {
            return false;
        }
        let mut other = bench.buffer();
        let mut all = true;
        while let Some(entry) = chain.pop()
            && all
        {
            other.clear();
            all = self.undo(entry as usize, into, max_bytes, bench, &mut other) == Undone::Done;
            std::mem::swap(into, &mut other);
        }
        bench.give_back(other);
        all
    }

    /// Says of an entry and all made from it that they cannot be read.
    fn fail<V: Visitor>(&self, index: u32, visit: &Visit<'_>, visitor: &mut V) {
        let entry = &self.entries[index as usize];
        if !entry.is_double && visit.wanted.contains(entry.number) {
            visitor.failed(entry.number);
        }
        self.below(entry.first_child, |entry| {
            if !entry.is_double && visit.wanted.contains(entry.number) {
                visitor.failed(entry.number);
            }
        });
    }

    /// Says of the entries made from one that is too large that they are as well: it would have to be held in memory.
    fn too_large<V: Visitor>(&self, first: u32, kind: Kind, visit: &Visit<'_>, visitor: &mut V) {
        self.below(first, |entry| {
            if !entry.is_double && visit.wanted.contains(entry.number) {
                visitor.large(Object { number: entry.number, kind }, None);
            }
        });
    }

    /// All that are in the families of an entry and of its siblings behind it.
    fn below(&self, first: u32, mut each: impl FnMut(&Entry)) {
        let mut stack = vec![first];
        while let Some(mut at) = stack.pop() {
            while at != NONE {
                let entry = &self.entries[at as usize];
                each(entry);
                if entry.first_child != NONE {
                    stack.push(entry.first_child);
                }
                at = entry.next_sibling;
            }
        }
    }
}

/// How undoing a delta ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Undone {
    Done,
    TooLarge,
    Broken,
}

/// What an entry of a pack says of itself.
struct Head {
    base: Base,
    /// Of what is packed: for a delta, its instructions.
    size: u64,
}

enum Base {
    None(Kind),
    Offset(u64),
    Id(ObjectId),
}

impl Head {
    /// The head of an entry that is at `offset`, and how many bytes it takes.
    fn parse(bytes: &[u8], offset: u64, hash_len: usize) -> Option<(Self, usize)> {
        let mut at = 0;
        let mut next = || {
            at += 1;
            bytes.get(at - 1).copied()
        };
        let first = next()?;
        let mut size = u64::from(first & 15);
        let (mut byte, mut shift) = (first, 4);
        while byte & 128 != 0 {
            byte = next()?;
            size |= u64::from(byte & 127).checked_shl(shift).filter(|_| shift < 57)?;
            shift += 7;
        }
        let base = match first >> 4 & 7 {
            1 => Base::None(Kind::Commit),
            2 => Base::None(Kind::Tree),
            3 => Base::None(Kind::Blob),
            4 => Base::None(Kind::Tag),
            6 => {
                let mut byte = next()?;
                let mut distance = u64::from(byte & 127);
                while byte & 128 != 0 {
                    byte = next()?;
                    distance = distance.checked_add(1)?.checked_mul(128)? | u64::from(byte & 127);
                }
                Base::Offset(offset.checked_sub(distance).filter(|base| *base < offset)?)
            }
            7 => {
                let id = ObjectId::try_from(bytes.get(at..at + hash_len)?).ok()?;
                at += hash_len;
                Base::Id(id)
            }
            _ => return None,
        };
        Some((Self { base, size }, at))
    }
}

/// Carries out the instructions of a delta, and notes them as parts.
fn apply(delta: &[u8], base: &[u8], max_bytes: usize, parts: &mut Vec<Part>, into: &mut Vec<u8>) -> Undone {
    parts.clear();
    let mut rest = delta;
    let (Some(base_size), Some(size)) = (varint(&mut rest), varint(&mut rest)) else { return Undone::Broken };
    if base_size != base.len() as u64 {
        return Undone::Broken;
    }
    if size > max_bytes as u64 {
        return Undone::TooLarge;
    }
    let size = size as usize;
    into.reserve(size);
    while let Some((&instruction, behind)) = rest.split_first() {
        rest = behind;
        if instruction & 128 == 0 {
            let len = usize::from(instruction);
            // Zero is reserved.
            let Some((new, behind)) = rest.split_at_checked(len).filter(|_| len > 0) else { return Undone::Broken };
            rest = behind;
            into.extend_from_slice(new);
            match parts.last_mut() {
                Some(Part::New { len: before }) => *before += len,
                _ => parts.push(Part::New { len }),
            }
        } else {
            let (mut from, mut len) = (0, 0);
            for bit in 0..7 {
                if instruction >> bit & 1 == 0 {
                    continue;
                }
                let Some((&byte, behind)) = rest.split_first() else { return Undone::Broken };
                rest = behind;
                if bit < 4 {
                    from |= usize::from(byte) << (8 * bit);
                } else {
                    len |= usize::from(byte) << (8 * (bit - 4));
                }
            }
            let len = if len == 0 { 0x10000 } else { len };
            let Some(copied) = base.get(from..from + len) else { return Undone::Broken };
            // Never more than was promised: memory is bounded by it.
            if copied.len() > size - into.len() {
                return Undone::Broken;
            }
            into.extend_from_slice(copied);
            match parts.last_mut() {
                Some(Part::Copied { from: before, len: so_far }) if *before + *so_far == from => *so_far += len,
                _ => parts.push(Part::Copied { from, len }),
            }
        }
        if into.len() > size {
            return Undone::Broken;
        }
    }
    if into.len() == size { Undone::Done } else { Undone::Broken }
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let (mut value, mut shift) = (0, 0);
    loop {
        let (&byte, behind) = rest.split_first()?;
        *rest = behind;
        value |= u64::from(byte & 127).checked_shl(shift).filter(|_| shift < 57)?;
        shift += 7;
        if byte & 128 == 0 {
            return Some(value);
        }
    }
}

impl Bench {
    fn new() -> Self {
        Self { inflate: Decompress::new(true), delta: Vec::new(), parts: Vec::new(), spare: Vec::new() }
    }

    /// An empty buffer.
    fn buffer(&mut self) -> Vec<u8> {
        self.spare.pop().unwrap_or_default()
    }

    fn give_back(&mut self, mut bytes: Vec<u8>) {
        bytes.clear();
        if bytes.capacity() <= SPARE && self.spare.len() < 8 {
            self.spare.push(bytes);
        }
    }

    /// Inflates what is exactly `size` bytes long.
    fn inflate(&mut self, packed: &[u8], size: usize, into: &mut Vec<u8>) -> bool {
        self.inflate.reset(true);
        into.clear();
        // One more than there should be: a stream that is longer is noticed, and one of no bytes has room to end in.
        into.reserve(size + 1);
        let ended = self.inflate.decompress_vec(packed, into, FlushDecompress::Finish);
        matches!(ended, Ok(Status::StreamEnd)) && into.len() == size
    }
}

/// A loose object: its head first, then its bytes.
struct LooseFile {
    inflated: flate2::read::ZlibDecoder<io::BufReader<std::fs::File>>,
}

impl LooseFile {
    /// Kind and size; to be read once, first.
    fn head(&mut self) -> Option<(Kind, u64)> {
        let mut head = Vec::new();
        let mut byte = [0];
        while head.len() < 32 {
            self.inflated.read_exact(&mut byte).ok()?;
            if byte[0] == 0 {
                let (kind, size) = std::str::from_utf8(&head).ok()?.split_once(' ')?;
                return Some((Kind::from_bytes(kind.as_bytes()).ok()?, size.parse().ok()?));
            }
            head.push(byte[0]);
        }
        None
    }
}

impl Read for LooseFile {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.inflated.read(into)
    }
}

fn open_loose(folder: &Path, id: &gix::oid) -> io::Result<LooseFile> {
    let hex = id.to_hex().to_string();
    let file = std::fs::File::open(folder.join(&hex[..2]).join(&hex[2..]))?;
    Ok(LooseFile { inflated: flate2::read::ZlibDecoder::new(io::BufReader::new(file)) })
}

/// Adds the packs of a folder with what their indices list, sorted by name.
fn list_packs(
    folder: &Path,
    hash: gix::hash::Kind,
    listed: &mut Vec<(pack::data::File, Vec<(ObjectId, u64)>)>,
    problems: &mut Vec<String>,
) {
    let names = std::fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let mut packs: Vec<PathBuf> =
        names.filter(|path| path.extension().is_some_and(|ending| ending == "pack")).collect();
    packs.sort();
    let mut multi = None;
    for path in packs {
        let index_path = path.with_extension("idx");
        let entries = if index_path.is_file() {
            pack::index::File::at(&index_path, hash)
                .map(|index| index.iter().map(|entry| (entry.oid, entry.pack_offset)).collect())
                .map_err(|error| error.to_string())
        } else {
            let multi =
                multi.get_or_insert_with(|| pack::multi_index::File::at(folder.join("multi-pack-index"), None).ok());
            of_multi_index(multi.as_ref(), &index_path).ok_or_else(|| "it has no index".to_owned())
        };
        let opened = entries.and_then(|entries| {
            let data = pack::data::File::at(&path, hash).map_err(|error| error.to_string())?;
            Ok((data, entries))
        });
        match opened {
            Ok(opened) => listed.push(opened),
            Err(cause) => problems.push(format!("{}: {cause}", path.display())),
        }
    }
}

/// What a multi-pack index lists of one pack, of which it knows the name of the index.
fn of_multi_index(multi: Option<&pack::multi_index::File>, index_path: &Path) -> Option<Vec<(ObjectId, u64)>> {
    let multi = multi?;
    let name = index_path.file_name()?;
    let number = multi.index_names().iter().position(|listed| listed.file_name() == Some(name))?;
    let of_pack = multi.iter().filter_map(Result::ok).filter(|entry| entry.pack_index as usize == number);
    Some(of_pack.map(|entry| (entry.oid, entry.pack_offset)).collect())
}

/// Names the loose objects of a folder, in order.
fn list_loose(folder: &Path, hash: gix::hash::Kind, mut each: impl FnMut(ObjectId)) {
    for first in 0..=255_u8 {
        let prefix = format!("{first:02x}");
        let names = std::fs::read_dir(folder.join(&prefix)).into_iter().flatten().flatten();
        let mut ids: Vec<ObjectId> = names
            .filter_map(|entry| {
                let name = entry.file_name();
                ObjectId::from_hex(format!("{prefix}{}", name.to_str()?).as_bytes()).ok()
            })
            .filter(|id| id.kind() == hash)
            .collect();
        ids.sort_unstable();
        ids.into_iter().for_each(&mut each);
    }
}

impl Stores {
    /// The stores that a folder of objects leads to through `info/alternates`. Those that are not below one of `allowed` are refused.
    pub fn of(objects: &Path, allowed: &[PathBuf]) -> Self {
        let mut stores = Self { folders: Vec::new(), refused: Vec::new() };
        let mut seen = HashSet::new();
        let mut todo = vec![(objects.to_owned(), 0)];
        while let Some((folder, depth)) = todo.pop() {
            let real = folder.canonicalize().unwrap_or_else(|_| folder.clone());
            if !seen.insert(real.clone()) {
                continue;
            }
            let is_allowed = depth == 0 || allowed.iter().any(|inside| real.starts_with(inside));
            if !is_allowed || depth > MAX_ALTERNATES {
                stores.refused.push(folder);
                continue;
            }
            let listed = std::fs::read(folder.join("info/alternates")).unwrap_or_default();
            let lines = listed.split(|byte| *byte == b'\n').filter(|line| !line.is_empty() && line[0] != b'#');
            for line in lines {
                use std::os::unix::ffi::OsStrExt as _;
                // Relative ones are relative to the folder of objects that names them.
                todo.push((folder.join(Path::new(std::ffi::OsStr::from_bytes(line))), depth + 1));
            }
            stores.folders.push(folder);
        }
        stores
    }
}

impl Ids {
    /// Sorts ids and takes each once.
    fn new<'a>(ids: impl Iterator<Item = &'a ObjectId>, count: usize, width: usize) -> Self {
        let mut sorted = Vec::with_capacity(count);
        sorted.extend(ids.copied());
        sorted.sort_unstable();
        sorted.dedup();
        let mut bytes = Vec::with_capacity(sorted.len() * width);
        let mut fanout = vec![0; 65537];
        for id in &sorted {
            let id = id.as_slice();
            bytes.extend_from_slice(id);
            fanout[usize::from(u16::from_be_bytes([id[0], id[1]])) + 1] += 1;
        }
        for at in 1..fanout.len() {
            fanout[at] += fanout[at - 1];
        }
        Self { width, bytes, fanout }
    }

    fn len(&self) -> usize {
        self.bytes.len() / self.width
    }

    fn get(&self, index: usize) -> &[u8] {
        &self.bytes[index * self.width..][..self.width]
    }

    fn find(&self, id: &[u8]) -> Option<Number> {
        if id.len() != self.width {
            return None;
        }
        let bucket = usize::from(u16::from_be_bytes([id[0], id[1]]));
        let (mut low, mut high) = (self.fanout[bucket], self.fanout[bucket + 1]);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.get(middle as usize).cmp(id) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => return Some(middle),
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }
}

impl Marks {
    /// None of so many.
    pub fn none(len: usize) -> Self {
        Self(vec![0; len.div_ceil(64)])
    }

    /// Adds one; whether it was not there.
    pub fn insert(&mut self, number: Number) -> bool {
        let (word, bit) = (&mut self.0[number as usize / 64], 1 << (number % 64));
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }

    /// Takes one out.
    pub fn remove(&mut self, number: Number) {
        self.0[number as usize / 64] &= !(1 << (number % 64));
    }

    /// Whether one is there.
    pub fn contains(&self, number: Number) -> bool {
        self.0[number as usize / 64] >> (number % 64) & 1 == 1
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// All that are there, in order.
    pub fn iter(&self) -> impl Iterator<Item = Number> + '_ {
        self.0.iter().enumerate().flat_map(|(index, word)| {
            let mut rest = *word;
            std::iter::from_fn(move || {
                let bit = rest.checked_ilog2().map(|_| rest.trailing_zeros())?;
                rest &= rest - 1;
                Some(index as u32 * 64 + bit)
            })
        })
    }
}
