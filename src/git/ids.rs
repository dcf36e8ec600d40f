//! Objects by number: sorted ids, and sets of them.

use gix::ObjectId;

/// An object's place in the order of all ids.
pub type Number = u32;

/// A set of objects.
#[derive(Debug, Clone)]
pub struct Marks(Vec<u64>);

/// Sorted ids, one behind the other.
pub struct Ids {
    width: usize,
    bytes: Vec<u8>,
    /// How many ids start with fewer than these two bytes.
    fanout: Vec<u32>,
}

impl Ids {
    /// Sorts ids and takes each once.
    pub fn new<'a>(ids: impl Iterator<Item = &'a ObjectId>, count: usize, width: usize) -> Self {
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

    pub fn len(&self) -> usize {
        self.bytes.len() / self.width
    }

    pub fn get(&self, index: usize) -> &[u8] {
        &self.bytes[index * self.width..][..self.width]
    }

    pub fn find(&self, id: &[u8]) -> Option<Number> {
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

    /// Whether one is there.
    pub fn contains(&self, number: Number) -> bool {
        self.0[number as usize / 64] >> (number % 64) & 1 == 1
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
