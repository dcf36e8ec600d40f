//! Edits: replacements of spans of a source, applied together.

use zeroize::Zeroizing;

use super::node::Span;
use super::piece::{LARGE, Piece};

/// Replacements of spans, all of which refer to the same source.
///
/// Spans may be given in any order; an empty span inserts. Insertions at one place keep the order in
/// which they were given. An edit inside the span of another goes with it: a comment inside what is
/// replaced or cut, say. Other overlaps are not allowed.
pub struct Edits {
    /// Each edit as a record: its span, the length of the new text, the text. Together they can be larger than all else, and a
    /// piece goes as soon as its texts are where they belong.
    pieces: Vec<Piece>,
    /// Where the next edit begins at the earliest if all are to be in order; none once they are not.
    next: Option<u32>,
}

/// One edit: its span, and where its text is.
#[derive(Clone, Copy)]
struct Edit {
    span: Span,
    piece: u32,
    start: u32,
    end: u32,
}

/// Bytes of a record before its text: three numbers.
const HEADER: usize = 12;

impl Default for Edits {
    fn default() -> Self {
        Self { pieces: Vec::new(), next: Some(0) }
    }
}

impl Edits {
    /// No edits.
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces `span` by `text`.
    pub fn replace(&mut self, span: Span, text: &[u8]) {
        let len = HEADER + text.len();
        match self.pieces.last() {
            Some(piece) if piece.has_room(len) => {}
            // Few edits need little.
            Some(piece) => self.pieces.push(Piece::new(len.max(LARGE.min(2 * piece.capacity())))),
            None => self.pieces.push(Piece::new(len.max(64))),
        }
        if let Some(piece) = self.pieces.last_mut() {
            [span.start, span.end, text.len() as u32].iter().for_each(|number| piece.add(&number.to_le_bytes()));
            piece.add(text);
        }
        self.next = self.next.filter(|next| *next <= span.start).map(|_| span.end);
    }

    /// All edits, as they were given.
    fn given(&self) -> impl Iterator<Item = Edit> {
        self.pieces.iter().enumerate().flat_map(|(number, piece)| edits_of(number, piece))
    }

    fn text(&self, edit: &Edit) -> &[u8] {
        &self.pieces[edit.piece as usize].bytes()[edit.start as usize..edit.end as usize]
    }

    /// Adds all of `other`.
    pub fn extend(&mut self, other: &Edits) {
        for edit in other.given() {
            self.replace(edit.span, other.text(&edit));
        }
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.given().next().is_none()
    }

    /// Whether every span is one of a source of `len` bytes, and no two overlap.
    pub fn fit(&self, len: usize) -> bool {
        let mut spans: Vec<Span> = self.given().map(|edit| edit.span).collect();
        spans.sort_unstable();
        spans.iter().all(|span| span.start <= span.end && span.end as usize <= len)
            && spans.windows(2).all(|pair| pair[0].end <= pair[1].start)
    }

    /// The source with all edits made.
    ///
    /// # Panics
    /// When two edits overlap and neither holds the other, which is a bug of the one who made them.
    pub fn apply(self, source: &[u8]) -> Zeroizing<Vec<u8>> {
        self.apply_before(source, &Self::new()).0
    }

    /// The source with all edits made, then those of `last`; also gives where the texts of `last` went, in their order.
    ///
    /// # Panics
    /// As [`apply`](Self::apply).
    pub fn apply_before(mut self, source: &[u8], last: &Edits) -> (Zeroizing<Vec<u8>>, Vec<Span>) {
        // They have pieces of their own, by which they are known.
        let of_last = self.pieces.len() as u32;
        self.pieces.push(Piece::new(0));
        self.extend(last);
        let grown = |len: usize, edit: &Edit| len + (edit.end - edit.start) as usize - edit.span.len();
        let ordered = self.next.is_none().then(|| self.ordered());
        let len = match &ordered {
            Some(ordered) => ordered.iter().fold(source.len(), grown),
            None => self.given().fold(source.len(), |len, edit| grown(len, &edit)),
        };
        let mut out = Zeroizing::new(Vec::with_capacity(len));
        let mut places = Vec::new();
        let mut at = 0;
        let mut make = |edit: Edit, text: &[u8]| {
            out.extend_from_slice(&source[at..edit.span.start as usize]);
            let start = out.len();
            out.extend_from_slice(text);
            if edit.piece >= of_last {
                places.push(Span { start: start as u32, end: out.len() as u32 });
            }
            at = edit.span.end as usize;
        };
        match ordered {
            Some(ordered) => ordered.iter().for_each(|edit| make(*edit, self.text(edit))),
            None => self.pieces.into_iter().enumerate().for_each(|(number, piece)| {
                edits_of(number, &piece)
                    .for_each(|edit| make(edit, &piece.bytes()[edit.start as usize..edit.end as usize]));
            }),
        }
        out.extend_from_slice(&source[at..]);
        (out, places)
    }

    /// The same texts in other places: one for each edit, in their order.
    pub fn moved(self, places: &[Span]) -> Edits {
        let ordered = self.ordered();
        debug_assert_eq!(ordered.len(), places.len());
        let mut moved = Edits::new();
        for (edit, place) in ordered.iter().zip(places) {
            moved.replace(*place, self.text(edit));
        }
        moved
    }

    /// All edits in order, without those inside another.
    fn ordered(&self) -> Vec<Edit> {
        // Insertions first, then the longest; else as they were given.
        let order = |edit: &Edit| {
            let Edit { span, piece, start, .. } = *edit;
            (span.start, !span.is_empty(), std::cmp::Reverse(span.end), piece, start)
        };
        let mut edits: Vec<Edit> = self.given().collect();
        edits.sort_unstable_by_key(order);
        let mut end = 0;
        edits.retain(|Edit { span, .. }| {
            let is_outside = span.start >= end;
            assert!(is_outside || span.end <= end, "edits overlap");
            end = end.max(span.end);
            is_outside
        });
        edits
    }
}

/// The edits of one piece.
fn edits_of(number: usize, piece: &Piece) -> impl Iterator<Item = Edit> {
    let bytes = piece.bytes();
    let number_at = |at: usize| {
        let bytes = bytes.get(at..at + 4)?;
        Some(bytes.iter().rfold(0, |number, byte| number << 8 | u32::from(*byte)))
    };
    let mut at = 0;
    std::iter::from_fn(move || {
        let span = Span { start: number_at(at)?, end: number_at(at + 4)? };
        let start = at + HEADER;
        at = start + number_at(at + 8)? as usize;
        Some(Edit { span, piece: number as u32, start: start as u32, end: at as u32 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_every_byte_outside_the_spans() {
        let mut edits = Edits::new();
        edits.replace(Span::new(6, 11), b"there");
        edits.replace(Span::new(0, 0), b">");
        edits.replace(Span::new(11, 11), b"!");
        assert_eq!(&*edits.apply(b"hello world\n"), b">hello there!\n");
    }

    #[test]
    fn edits_inside_another_go_with_it() {
        let mut edits = Edits::new();
        edits.replace(Span::new(3, 4), b"x");
        edits.replace(Span::new(2, 8), b"-");
        edits.replace(Span::new(2, 3), b"y");
        edits.replace(Span::new(7, 8), b"");
        edits.replace(Span::new(8, 9), b"!");
        assert_eq!(&*edits.apply(b"0123456789"), b"01-!9");
    }

    #[test]
    fn insertions_at_one_place_keep_their_order() {
        let mut edits = Edits::new();
        edits.replace(Span::new(1, 1), b"1");
        edits.replace(Span::new(1, 1), b"2");
        assert_eq!(&*edits.apply(b"ab"), b"a12b");
    }

    #[test]
    fn what_is_applied_last_can_be_replaced_in_its_place() {
        let mut first = Edits::new();
        first.replace(Span::new(0, 1), b"xyz");
        first.replace(Span::new(2, 2), b"-");
        first.replace(Span::new(3, 4), b"");
        let last = |text: &[u8]| {
            let mut edits = Edits::new();
            edits.replace(Span::new(2, 2), text);
            edits.replace(Span::new(1, 2), b"");
            edits
        };
        let (bytes, places) = first.apply_before(b"abcd", &last(b"one"));
        assert_eq!(*bytes, b"xyz-onec");
        assert_eq!(*last(b"three").moved(&places).apply(&bytes), b"xyz-threec");
    }
}
