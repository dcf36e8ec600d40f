//! Laying out a pack and its index (gitformat-pack, version 2 of both).
//!
//! An object that is a new version of one written just before is stored as what differs from it. Nothing is read back: the
//! index is made of what was noted while writing.

use std::collections::HashMap;
use std::io::{self, Write};
use std::ops::Range;

use flate2::{Compress, Compression, FlushCompress, Status};
use gix::ObjectId;
use gix::hash::Kind as HashKind;
use gix::objs::Kind;

/// A pack being written to `W`, from its first entry on; the header, which counts them, is put before it at the end.
pub struct PackBuilder<W> {
    out: W,
    entries: Vec<Entry>,
    offset: u64,
    /// The last version written for each place, to be the base of the next.
    latest: HashMap<u64, Version>,
    /// Bytes of them.
    held: usize,
    deflate: Compress,
    buffer: Vec<u8>,
}

/// An object of a pack.
#[derive(Debug, Clone, Copy)]
struct Entry {
    id: ObjectId,
    crc: u32,
    offset: u64,
    /// The entry that it is a delta of, or [`NO_BASE`].
    base: u32,
}

struct Version {
    kind: Kind,
    bytes: Vec<u8>,
    entry: u32,
    /// How many deltas lead to a whole object.
    depth: u32,
}

/// Bytes of the header: `PACK`, the version, the number of objects.
pub const HEADER_LEN: u64 = 12;

/// No chain of deltas is longer, as git's own default.
const MAX_DEPTH: u32 = 50;

/// Bytes of versions that are held to be bases; beyond that the next ones start anew.
const MAX_HELD: usize = 32 << 20;

const NO_BASE: u32 = u32::MAX;

impl<W: Write> PackBuilder<W> {
    /// An empty pack. `out` stands right behind where the header will be.
    pub fn new(out: W) -> Self {
        Self {
            out,
            entries: Vec::new(),
            offset: HEADER_LEN,
            latest: HashMap::new(),
            held: 0,
            deflate: Compress::new(Compression::fast(), true),
            buffer: Vec::new(),
        }
    }

    /// How many objects it has.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds an object of which the pack must not have one yet. `place`, if any, is where versions follow each other.
    pub fn add(&mut self, id: ObjectId, kind: Kind, bytes: &[u8], place: Option<u64>) -> io::Result<()> {
        let start = self.offset;
        let base = place.and_then(|place| self.latest.get(&place));
        let base = base.filter(|base| base.kind == kind && base.depth < MAX_DEPTH);
        let delta = base.and_then(|base| Some((delta(&base.bytes, bytes)?, base.entry, base.depth + 1)));
        let mut entry = Vec::with_capacity(32);
        let (base, depth) = match &delta {
            Some((delta, base, depth)) => {
                put_size(&mut entry, 6, delta.len());
                put_offset(&mut entry, start - self.offset(*base));
                (*base, *depth)
            }
            None => {
                let code = match kind {
                    Kind::Commit => 1,
                    Kind::Tree => 2,
                    Kind::Blob => 3,
                    Kind::Tag => 4,
                };
                put_size(&mut entry, code, bytes.len());
                (NO_BASE, 0)
            }
        };
        self.compress(delta.as_ref().map_or(bytes, |(delta, ..)| delta))?;
        let mut crc = crc32fast::Hasher::new();
        crc.update(&entry);
        crc.update(&self.buffer);
        self.out.write_all(&entry)?;
        self.out.write_all(&self.buffer)?;
        self.offset += (entry.len() + self.buffer.len()) as u64;
        if let Some(place) = place {
            if self.held > MAX_HELD {
                self.latest.clear();
                self.held = 0;
            }
            self.held += bytes.len();
            let entry = self.entries.len() as u32;
            let before = self.latest.insert(place, Version { kind, bytes: bytes.to_vec(), entry, depth });
            self.held -= before.map_or(0, |before| before.bytes.len());
        }
        self.entries.push(Entry { id, crc: crc.finalize(), offset: start, base });
        Ok(())
    }

    /// Where the entry of an object begins, by its place among those that were added.
    pub fn offset(&self, entry: u32) -> u64 {
        self.entries[entry as usize].offset
    }

    /// Where an entry is, and the entries that it is made from, the nearest first.
    pub fn chain(&self, entry: u32) -> Vec<Range<u64>> {
        let mut chain = Vec::new();
        let mut at = entry;
        while at != NO_BASE {
            let end = self.entries.get(at as usize + 1).map_or(self.offset, |next| next.offset);
            chain.push(self.offset(at)..end);
            at = self.entries[at as usize].base;
        }
        chain
    }

    /// What is written to.
    pub fn out(&mut self) -> &mut W {
        &mut self.out
    }

    /// The header that belongs before what was written, the index but for its two checksums, and `out`.
    ///
    /// Fails where there are more objects than a pack can have.
    pub fn finish(mut self) -> io::Result<(Vec<u8>, Vec<u8>, W)> {
        self.out.flush()?;
        let count =
            u32::try_from(self.entries.len()).map_err(|_| io::Error::other("more objects than a pack can have"))?;
        let header = [b"PACK".as_slice(), &2u32.to_be_bytes(), &count.to_be_bytes()].concat();
        Ok((header, index(self.entries), self.out))
    }

    fn compress(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.deflate.reset();
        self.buffer.clear();
        self.buffer.reserve(bytes.len() / 2 + 64);
        loop {
            let read = self.deflate.total_in() as usize;
            let status = self.deflate.compress_vec(&bytes[read..], &mut self.buffer, FlushCompress::Finish);
            match status.map_err(io::Error::other)? {
                Status::StreamEnd => return Ok(()),
                Status::Ok | Status::BufError => self.buffer.reserve(self.buffer.capacity().max(64)),
            }
        }
    }
}

/// The index of a pack, without the checksum of the pack and its own.
fn index(mut entries: Vec<Entry>) -> Vec<u8> {
    entries.sort_unstable_by_key(|entry| entry.id);
    let mut index = [b"\xfftOc".as_slice(), &2u32.to_be_bytes()].concat();
    let mut at = 0;
    for byte in 0..=255u8 {
        while at < entries.len() && entries[at].id.as_bytes()[0] <= byte {
            at += 1;
        }
        index.extend_from_slice(&(at as u32).to_be_bytes());
    }
    for entry in &entries {
        index.extend_from_slice(entry.id.as_bytes());
    }
    for entry in &entries {
        index.extend_from_slice(&entry.crc.to_be_bytes());
    }
    // Offsets of 31 bits and more stand in a table of their own.
    let mut large = Vec::new();
    for entry in &entries {
        let short = u32::try_from(entry.offset).ok().filter(|offset| offset >> 31 == 0);
        let short = short.unwrap_or_else(|| {
            large.push(entry.offset);
            1 << 31 | (large.len() - 1) as u32
        });
        index.extend_from_slice(&short.to_be_bytes());
    }
    large.iter().for_each(|offset| index.extend_from_slice(&offset.to_be_bytes()));
    index
}

/// The checksum that ends a pack or an index.
pub fn checksum(hash: HashKind, bytes: &[u8]) -> io::Result<ObjectId> {
    let mut hasher = gix::hash::hasher(hash);
    hasher.update(bytes);
    hasher.try_finalize().map_err(io::Error::other)
}

/// What makes `new` of `old`, where that is much shorter than `new`: what both begin and end with is copied.
fn delta(old: &[u8], new: &[u8]) -> Option<Vec<u8>> {
    let start = old.iter().zip(new).take_while(|(one, other)| one == other).count();
    let most = old.len().min(new.len()) - start;
    let end = old.iter().rev().zip(new.iter().rev()).take(most).take_while(|(one, other)| one == other).count();
    let inserted = &new[start..new.len() - end];
    if inserted.len() * 2 > new.len() {
        return None;
    }
    let mut delta = Vec::with_capacity(inserted.len() + 32);
    put_varint(&mut delta, old.len());
    put_varint(&mut delta, new.len());
    put_copies(&mut delta, 0, start);
    for piece in inserted.chunks(127) {
        delta.push(piece.len() as u8);
        delta.extend_from_slice(piece);
    }
    put_copies(&mut delta, old.len() - end, end);
    Some(delta)
}

/// Instructions to copy `length` bytes at `offset` of the base.
fn put_copies(delta: &mut Vec<u8>, mut offset: usize, mut length: usize) {
    // The size of one copy has three bytes, but git itself writes and reads at most 64 KiB.
    while length > 0 {
        let size = length.min(0x1_0000);
        let at = delta.len();
        delta.push(0x80);
        for byte in 0..4 {
            let part = (offset >> (8 * byte)) as u8;
            if part != 0 {
                delta.push(part);
                delta[at] |= 1 << byte;
            }
        }
        // A size of 64 KiB is written as none.
        for byte in 0..2 {
            let part = (size >> (8 * byte)) as u8;
            if size != 0x1_0000 && part != 0 {
                delta.push(part);
                delta[at] |= 1 << (4 + byte);
            }
        }
        offset += size;
        length -= size;
    }
}

fn put_varint(out: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// The type and size that an entry begins with: four bits of the size, then seven a byte.
fn put_size(out: &mut Vec<u8>, kind: u8, size: usize) {
    let first = kind << 4 | (size & 15) as u8;
    let rest = size >> 4;
    if rest == 0 {
        out.push(first);
    } else {
        out.push(first | 0x80);
        put_varint(out, rest);
    }
}

/// How far back the base of a delta is: seven bits a byte, most significant first, each further byte adding one.
fn put_offset(out: &mut Vec<u8>, mut distance: u64) {
    let mut bytes = [0; 10];
    let mut at = bytes.len() - 1;
    bytes[at] = (distance & 0x7f) as u8;
    distance >>= 7;
    while distance > 0 {
        distance -= 1;
        at -= 1;
        bytes[at] = 0x80 | (distance & 0x7f) as u8;
        distance >>= 7;
    }
    out.extend_from_slice(&bytes[at..]);
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// What a delta makes of its base, by the format's own rules.
    fn patched(base: &[u8], delta: &[u8]) -> Vec<u8> {
        let mut at = 0;
        let mut varint = || {
            let mut number = 0;
            let mut shift = 0;
            loop {
                let byte = delta[at];
                at += 1;
                number |= usize::from(byte & 0x7f) << shift;
                shift += 7;
                if byte < 0x80 {
                    return number;
                }
            }
        };
        assert_eq!(varint(), base.len());
        let length = varint();
        let mut new = Vec::new();
        while at < delta.len() {
            let code = delta[at];
            at += 1;
            if code < 0x80 {
                new.extend_from_slice(&delta[at..at + usize::from(code)]);
                at += usize::from(code);
                continue;
            }
            let mut parts = [0usize; 7];
            for (bit, part) in parts.iter_mut().enumerate() {
                if code >> bit & 1 == 1 {
                    *part = delta[at].into();
                    at += 1;
                }
            }
            let offset = parts[0] | parts[1] << 8 | parts[2] << 16 | parts[3] << 24;
            let size = parts[4] | parts[5] << 8 | parts[6] << 16;
            let size = if size == 0 { 0x1_0000 } else { size };
            new.extend_from_slice(&base[offset..offset + size]);
        }
        assert_eq!(new.len(), length);
        new
    }

    #[test]
    fn deltas_make_the_new_version_of_the_old() {
        let long: Vec<u8> = (0..300_000u32).map(|number| (number.wrapping_mul(number) >> 3) as u8).collect();
        let middle = [&long[..100_000], b"inserted", &long[100_500..]].concat();
        for (old, new) in [
            (long.as_slice(), middle.as_slice()),
            (&middle, &long),
            (&long, &long),
            (b"abcabc", b"abc"),
            (b"aaaa", b"aaaaaa"),
            (&long[..0x1_0000], &long[..0x1_0001]),
        ] {
            assert_eq!(patched(old, &delta(old, new).unwrap()), new);
        }
        assert_eq!(delta(b"one", b"something else"), None);
    }

    #[test]
    fn pack_is_read_by_gix() {
        let folder = tempfile::tempdir().unwrap();
        let hash = HashKind::Sha1;
        let mut pack = PackBuilder::new(Vec::new());
        let versions: Vec<Vec<u8>> =
            (0..120).map(|number| format!("{}{number}{}", "a".repeat(3000), "b".repeat(300)).into_bytes()).collect();
        let ids: Vec<ObjectId> = versions
            .iter()
            .map(|bytes| {
                let id = gix::objs::compute_hash(hash, Kind::Blob, bytes).unwrap();
                pack.add(id, Kind::Blob, bytes, Some(7)).unwrap();
                id
            })
            .collect();
        let (header, mut index, body) = pack.finish().unwrap();
        let mut bytes = [header, body].concat();
        let sum = checksum(hash, &bytes).unwrap();
        bytes.extend_from_slice(sum.as_bytes());
        assert!(bytes.len() < 6000, "they are stored as deltas: {}", bytes.len());
        index.extend_from_slice(sum.as_bytes());
        let own = checksum(hash, &index).unwrap();
        index.extend_from_slice(own.as_bytes());
        let path = folder.path().join(format!("pack-{sum}.idx"));
        std::fs::write(path.with_extension("pack"), &bytes).unwrap();
        std::fs::write(&path, &index).unwrap();
        let bundle = gix::odb::pack::Bundle::at(&path, hash).unwrap();
        let mut buffer = Vec::new();
        let mut inflate = Default::default();
        for (id, bytes) in ids.iter().zip(&versions) {
            let found = bundle.find(id, &mut buffer, &mut inflate, &mut gix::odb::pack::cache::Never).unwrap().unwrap();
            assert_eq!(found.0.data, bytes);
        }
    }
}
