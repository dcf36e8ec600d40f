//! Memory for texts of edits, which goes back to the system as soon as it is dropped.

use memmap2::MmapMut;
use zeroize::Zeroize as _;

/// The least capacity for which memory is asked of the system itself: what an allocator is given back it may keep.
pub(super) const LARGE: usize = 1 << 18;

/// Bytes that are added one behind the other, in memory that never moves; wiped on drop.
pub(super) struct Piece {
    memory: Memory,
    used: usize,
}

enum Memory {
    Allocated(Box<[u8]>),
    Mapped(MmapMut),
}

impl Piece {
    /// Room for `capacity` bytes.
    pub(super) fn new(capacity: usize) -> Self {
        let mapped = if capacity < LARGE { None } else { MmapMut::map_anon(capacity).ok() };
        let memory = mapped.map_or_else(|| Memory::Allocated(vec![0; capacity].into()), Memory::Mapped);
        Self { memory, used: 0 }
    }

    pub(super) fn capacity(&self) -> usize {
        match &self.memory {
            Memory::Allocated(bytes) => bytes.len(),
            Memory::Mapped(bytes) => bytes.len(),
        }
    }

    /// Whether a text of `len` bytes has room.
    pub(super) fn has_room(&self, len: usize) -> bool {
        len <= self.capacity() - self.used
    }

    /// Adds bytes, for which there must be room.
    pub(super) fn add(&mut self, text: &[u8]) {
        let start = self.used;
        self.used += text.len();
        let bytes = match &mut self.memory {
            Memory::Allocated(bytes) => &mut **bytes,
            Memory::Mapped(bytes) => &mut **bytes,
        };
        bytes[start..self.used].copy_from_slice(text);
    }

    /// All that was added.
    pub(super) fn bytes(&self) -> &[u8] {
        match &self.memory {
            Memory::Allocated(bytes) => &bytes[..self.used],
            Memory::Mapped(bytes) => &bytes[..self.used],
        }
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        match &mut self.memory {
            Memory::Allocated(bytes) => bytes[..self.used].zeroize(),
            Memory::Mapped(bytes) => bytes[..self.used].zeroize(),
        }
    }
}
