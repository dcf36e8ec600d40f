//! Edits: replacements of spans of a source, applied together.

use zeroize::Zeroizing;

use super::node::Span;

/// Replacements of spans, all of which refer to the same source.
///
/// Spans may be given in any order; an empty span inserts. Insertions at one place keep the order in
/// which they were given. An edit inside the span of another goes with it: a comment inside what is
/// replaced or cut, say. Other overlaps are not allowed.
#[derive(Default)]
pub struct Edits {
    /// All new texts, one behind the other, in pieces that are given back as soon as they are used.
    pieces: Vec<Zeroizing<Vec<u8>>>,
    edits: Vec<Edit>,
}

/// A span, and where its text is: behind less than [`PIECE`] others in its piece.
struct Edit {
    span: Span,
    piece: u32,
    start: u32,
    end: usize,
}

/// A piece that is as long as this is not added to.
const PIECE: usize = 1 << 16;

impl Edits {
    /// No edits.
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces `span` by `text`.
    pub fn replace(&mut self, span: Span, text: &[u8]) {
        if self.pieces.last().is_none_or(|piece| piece.len() + text.len() > PIECE) {
            self.pieces.push(Zeroizing::default());
        }
        let number = self.pieces.len() - 1;
        let piece = &mut self.pieces[number];
        let start = piece.len();
        piece.extend_from_slice(text);
        self.edits.push(Edit { span, piece: number as u32, start: start as u32, end: piece.len() });
    }

    /// Adds all of `other`.
    pub fn extend(&mut self, other: &Edits) {
        for edit in &other.edits {
            self.replace(edit.span, other.text(edit));
        }
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.edits.is_empty()
    }

    /// Whether every span is one of a source of `len` bytes, and no two overlap.
    pub fn fit(&mut self, len: usize) -> bool {
        self.edits.sort_by_key(|edit| (edit.span.start, edit.span.end));
        self.edits.iter().all(|edit| edit.span.start <= edit.span.end && edit.span.end as usize <= len)
            && self.edits.windows(2).all(|pair| pair[0].span.end <= pair[1].span.start)
    }

    /// The source with all edits made.
    ///
    /// # Panics
    /// When two edits overlap and neither holds the other, which is a bug of the one who made them.
    pub fn apply(self, source: &[u8]) -> Zeroizing<Vec<u8>> {
        self.apply_before(source, Self::new()).0
    }

    /// The source with all edits made, then those of `last`; also gives where the texts of `last` went, in their order.
    ///
    /// # Panics
    /// As [`apply`](Self::apply).
    pub fn apply_before(mut self, source: &[u8], last: Edits) -> (Zeroizing<Vec<u8>>, Vec<Span>) {
        let first_of_last = self.pieces.len() as u32;
        self.edits.extend(last.edits.into_iter().map(|edit| Edit { piece: edit.piece + first_of_last, ..edit }));
        self.pieces.extend(last.pieces);
        self.settle();
        let removed: usize = self.edits.iter().map(|edit| edit.span.len()).sum();
        let added: usize = self.edits.iter().map(|edit| edit.end - edit.start as usize).sum();
        let mut uses = vec![0_u32; self.pieces.len()];
        self.edits.iter().for_each(|edit| uses[edit.piece as usize] += 1);
        let mut out = Zeroizing::new(Vec::with_capacity(source.len() - removed + added));
        let mut places = Vec::new();
        let mut at = 0;
        for edit in &self.edits {
            let piece = edit.piece as usize;
            out.extend_from_slice(&source[at..edit.span.start as usize]);
            let start = out.len();
            out.extend_from_slice(&self.pieces[piece][edit.start as usize..edit.end]);
            if edit.piece >= first_of_last {
                places.push(Span { start: start as u32, end: out.len() as u32 });
            }
            at = edit.span.end as usize;
            uses[piece] -= 1;
            if uses[piece] == 0 {
                self.pieces[piece] = Zeroizing::default();
            }
        }
        out.extend_from_slice(&source[at..]);
        (out, places)
    }

    /// The same texts in other places: one for each edit, in their order.
    pub fn moved(mut self, places: &[Span]) -> Edits {
        self.settle();
        debug_assert_eq!(self.edits.len(), places.len());
        self.edits.iter_mut().zip(places).for_each(|(edit, place)| edit.span = *place);
        self
    }

    /// Brings them in order, and drops those inside another.
    fn settle(&mut self) {
        // Insertions first, then the longest.
        self.edits.sort_by_key(|edit| (edit.span.start, !edit.span.is_empty(), std::cmp::Reverse(edit.span.end)));
        let mut end = 0;
        self.edits.retain(|edit| {
            let is_outside = edit.span.start >= end;
            assert!(is_outside || edit.span.end <= end, "edits overlap");
            end = end.max(edit.span.end);
            is_outside
        });
    }

    fn text(&self, edit: &Edit) -> &[u8] {
        &self.pieces[edit.piece as usize][edit.start as usize..edit.end]
    }
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
        first.replace(Span::new(0, 1), &[b'x'; PIECE]);
        first.replace(Span::new(2, 2), b"-");
        let last = |text: &[u8]| {
            let mut edits = Edits::new();
            edits.replace(Span::new(2, 2), text);
            edits.replace(Span::new(1, 2), b"");
            edits
        };
        let (bytes, places) = first.apply_before(b"abc", last(b"one"));
        assert_eq!(bytes[PIECE..], *b"-onec");
        assert_eq!(last(b"three").moved(&places).apply(&bytes)[PIECE..], *b"-threec");
    }
}
