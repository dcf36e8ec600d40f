//! One pack: its entries, who is a delta of whom, and going through a family of them from its root down.
//!
//! Packs are read through gix's maps of their files; entries and deltas are parsed here, as gix hands out whole objects only. The
//! format is that of git's gitformat-pack(5).

use std::io::Read as _;

use flate2::{Decompress, FlushDecompress, Status};
use gix::ObjectId;
use gix::objs::Kind;
use gix::odb::pack;

use super::ids::{Marks, Number};
use super::objects::{Made, Object, Visit, Visitor};
use crate::scan::Part;

pub struct Pack {
    pub data: pack::data::File,
    /// By offset.
    pub entries: Vec<Entry>,
}

#[derive(Debug, Clone, Copy)]
pub struct Entry {
    pub offset: u64,
    pub number: Number,
    /// The entry it is a delta of.
    pub base: u32,
    pub first_child: u32,
    pub next_sibling: u32,
    /// Another entry, before this one, holds the same object.
    pub is_double: bool,
}

/// An entry that is no delta, with all that are made from it.
#[derive(Debug, Clone, Copy)]
pub struct Family {
    pub pack: u32,
    pub root: u32,
    pub size: u32,
    pub kind: Kind,
}

/// What one thread needs to undo deltas, kept from object to object.
pub struct Bench {
    pub inflate: Decompress,
    pub delta: Vec<u8>,
    pub parts: Vec<Part>,
    pub spare: Vec<Vec<u8>>,
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
pub const NONE: u32 = u32::MAX;

/// Bytes of bases that all threads together hold on to, beside the two objects that each is at.
pub const HELD: usize = 96 << 20;

/// Spare buffers that are larger are not kept.
const SPARE: usize = 4 << 20;

impl Pack {
    /// Which entries lead to a wanted object.
    pub fn needed(&self, wanted: &Marks) -> Marks {
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
    pub fn by_number(&self) -> Vec<(Number, u32)> {
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
    pub fn entry(&self, index: usize) -> Option<(Head, &[u8])> {
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

    pub fn visit<V: Visitor>(
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
pub enum Undone {
    Done,
    TooLarge,
    Broken,
}

/// What an entry of a pack says of itself.
pub struct Head {
    pub base: Base,
    /// Of what is packed: for a delta, its instructions.
    pub size: u64,
}

pub enum Base {
    None(Kind),
    Offset(u64),
    Id(ObjectId),
}

impl Head {
    /// The head of an entry that is at `offset`, and how many bytes it takes.
    pub fn parse(bytes: &[u8], offset: u64, hash_len: usize) -> Option<(Self, usize)> {
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
pub fn apply(delta: &[u8], base: &[u8], max_bytes: usize, parts: &mut Vec<Part>, into: &mut Vec<u8>) -> Undone {
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
    pub fn new() -> Self {
        Self { inflate: Decompress::new(true), delta: Vec::new(), parts: Vec::new(), spare: Vec::new() }
    }

    /// An empty buffer.
    pub fn buffer(&mut self) -> Vec<u8> {
        self.spare.pop().unwrap_or_default()
    }

    pub fn give_back(&mut self, mut bytes: Vec<u8>) {
        bytes.clear();
        if bytes.capacity() <= SPARE && self.spare.len() < 8 {
            self.spare.push(bytes);
        }
    }

    /// Inflates what is exactly `size` bytes long.
    pub fn inflate(&mut self, packed: &[u8], size: usize, into: &mut Vec<u8>) -> bool {
        self.inflate.reset(true);
        into.clear();
        // One more than there should be: a stream that is longer is noticed, and one of no bytes has room to end in.
        into.reserve(size + 1);
        let ended = self.inflate.decompress_vec(packed, into, FlushDecompress::Finish);
        matches!(ended, Ok(Status::StreamEnd)) && into.len() == size
    }
}
