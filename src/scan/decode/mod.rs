//! Encoded texts inside texts: found, decoded within limits, looked through, and their finds put back where they stand.
//!
//! [`Decoder`] finds encoded runs: by default only those that hold the image of a word that matters (a strong prefix as it looks
//! in base64), as decoding every run of a history costs more than the scan. Structures bring texts of their own (the values of a
//! Secret). [`settle`] looks through both kinds and makes one list of what was found on all levels. The encodings are in
//! [`codec`], positions in `inner`.

pub mod codec;
mod inner;
mod runs;
#[cfg(test)]
mod tests;

pub use inner::{Inner, Positions};
pub use runs::{Decode, Decoder};

use super::{Candidate, Layer, RuleIndex, Ruleset, Seen, Specificity, Text, Unscanned, Value};

/// What may be decoded of one outermost text, in all its depths.
#[derive(Debug)]
pub struct Budget {
    /// How many layers may be undone one upon the other.
    pub layers: usize,
    bytes: usize,
    runs: usize,
    nesting: usize,
    is_short: bool,
}

impl Budget {
    /// 8 MiB, and 2,000 runs that may be encoded; `layers` of them one upon the other.
    pub fn new(layers: usize) -> Self {
        Self { layers, bytes: MAX_BYTES, runs: MAX_RUNS, nesting: 0, is_short: false }
    }

    /// How many bytes may still be decoded.
    pub fn bytes_left(&self) -> usize {
        self.bytes
    }

    /// Takes a value of so many bytes, which its place in a structure says to decode. False where it does not fit.
    pub fn take(&mut self, bytes: usize) -> bool {
        let fits = bytes <= self.bytes;
        self.bytes -= if fits { bytes } else { 0 };
        self.is_short |= !fits;
        fits
    }

    /// Takes a run of so many bytes that may be encoded. False where it does not fit: there is no end to what may be.
    pub fn take_run(&mut self, bytes: usize) -> bool {
        self.is_short |= self.runs == 0;
        let fits = self.runs > 0 && self.take(bytes);
        self.runs -= usize::from(fits);
        fits
    }

    /// Whether no run fits any more.
    pub fn is_spent(&self) -> bool {
        self.runs == 0 || self.bytes == 0
    }

    /// Says that something was left undecoded.
    pub fn fall_short(&mut self) {
        self.is_short = true;
    }

    /// What is to be said of it in the end.
    pub fn unscanned(&self) -> Option<Unscanned> {
        self.is_short.then_some(Unscanned::TooManyLayers)
    }
}

/// The text of a file in UTF-16.
pub fn utf16(bytes: &[u8]) -> Option<Inner> {
    let (decoded, positions) = codec::utf16(bytes)?;
    Some(Inner { bytes: decoded, span: 0..bytes.len(), positions, layers: vec![Layer::Utf16], key_path: None })
}

/// Looks through the texts inside a text by `scan`, and gives all its finds, those of the text itself included.
pub fn settle(
    rules: &Ruleset,
    text: &Text<'_>,
    mut seen: Seen<'_>,
    mut scan: impl FnMut(&Text<'_>, &mut Budget) -> Vec<Candidate>,
) -> Vec<Candidate> {
    let mut found = seen.candidates;
    for inner in std::mem::take(&mut seen.inner) {
        let depth = text.depth + inner.layers.len();
        let budget = &mut *seen.budget;
        if depth > budget.layers || budget.nesting == MAX_NESTING {
            budget.fall_short();
            continue;
        }
        budget.nesting += 1;
        let within = scan(&Text { bytes: &inner.bytes, depth }, budget);
        budget.nesting -= 1;
        // Of what was decoded a name says nothing: only what has a shape of its own counts.
        let counts = |candidate: &Candidate| inner.layers.is_empty() || !is_generic(rules, candidate.rule);
        found.extend(within.into_iter().filter(counts).map(|candidate| inner.lift(candidate)));
    }
    drop_within(&mut found, seen.ciphertext);
    found.sort_by_key(order);
    give_meaning(rules, &mut found, seen.values);
    found.sort_by_key(order);
    // The same find twice: by its bytes, and by the structure that they stand in; the latter knows the keys.
    found.dedup_by(|next, kept| {
        let same = next.rule == kept.rule && next.secret == kept.secret;
        if same && kept.key_path.is_none() {
            kept.key_path = next.key_path.take();
        }
        same
    });
    found
}

fn order(candidate: &Candidate) -> (usize, usize, RuleIndex, usize) {
    (candidate.secret.start, candidate.secret.end, candidate.rule, candidate.layers.len())
}

/// Takes away what stands in ciphertext.
fn drop_within(found: &mut Vec<Candidate>, mut ciphertext: Vec<std::ops::Range<usize>>) {
    if ciphertext.is_empty() {
        return;
    }
    ciphertext.sort_by_key(|span| span.start);
    // Spans may hold one another; what counts is how far those reach that have started.
    let mut reach = 0;
    let reaches: Vec<(usize, usize)> = ciphertext
        .iter()
        .map(|span| {
            reach = reach.max(span.end);
            (span.start, reach)
        })
        .collect();
    found.retain(|candidate| {
        let started = reaches.partition_point(|(start, _)| *start <= candidate.secret.start);
        started.checked_sub(1).is_none_or(|last| candidate.secret.end > reaches[last].1)
    });
}

/// Says of the finds in a value what the value says of them. `found` is in order; whole values are added at its end.
fn give_meaning(rules: &Ruleset, found: &mut Vec<Candidate>, values: Vec<Value>) {
    let mut replaced = vec![false; found.len()];
    let mut added = Vec::new();
    for value in values {
        let first = found.partition_point(|candidate| candidate.secret.start < value.span.start);
        let inside = found[first..].iter().take_while(|candidate| candidate.secret.start < value.span.end).count();
        let mut is_known = false;
        for (candidate, replaced) in found[first..first + inside].iter_mut().zip(&mut replaced[first..]) {
            if candidate.secret.end > value.span.end {
                continue;
            }
            if value.otherwise.is_some() && is_generic(rules, candidate.rule) {
                *replaced = true;
                continue;
            }
            is_known = true;
            candidate.key_path.get_or_insert_with(|| value.key_path.clone());
            if let Some(note) = &value.note
                && !candidate.notes.contains(note)
            {
                candidate.notes.push(note.clone());
            }
        }
        if let Some(mut otherwise) = value.otherwise.filter(|_| !is_known) {
            otherwise.key_path = Some(value.key_path);
            otherwise.notes.extend(value.note);
            added.push(otherwise);
        }
    }
    let mut replaced = replaced.into_iter();
    found.retain(|_| !replaced.next().unwrap_or(false));
    found.extend(added);
}

/// Whether a rule knows only that something is called a secret, not what it is.
fn is_generic(rules: &Ruleset, rule: RuleIndex) -> bool {
    rules.rule(rule).specificity() == Specificity::Generic
}

/// Bytes decoded of one outermost text.
const MAX_BYTES: usize = 8 << 20;
/// Runs decoded of one outermost text because they may be encoded.
const MAX_RUNS: usize = 2000;
/// Texts inside texts, also where no layer is undone: each is a few frames of the stack.
const MAX_NESTING: usize = 8;
