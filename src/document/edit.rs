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
    /// All new texts, one behind the other.
    new: Zeroizing<Vec<u8>>,
    /// Each span with the range of its text in `new`.
    spans: Vec<(Span, std::ops::Range<usize>)>,
}

impl Edits {
    /// No edits.
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces `span` by `text`.
    pub fn replace(&mut self, span: Span, text: &[u8]) {
        let start = self.new.len();
        self.new.extend_from_slice(text);
        self.spans.push((span, start..self.new.len()));
    }

    /// Adds all of `other`.
    pub fn extend(&mut self, other: &Edits) {
        for (span, range) in &other.spans {
            self.replace(*span, &other.new[range.clone()]);
        }
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Whether every span is one of a source of `len` bytes, and no two overlap.
    pub fn fit(&mut self, len: usize) -> bool {
        self.spans.sort_by_key(|(span, _)| (span.start, span.end));
        self.spans.iter().all(|(span, _)| span.start <= span.end && span.end as usize <= len)
            && self.spans.windows(2).all(|pair| pair[0].0.end <= pair[1].0.start)
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
        // A byte of no edit, so that an empty text before it does not count as one behind it.
        self.new.push(0);
        let of_last = self.new.len();
        self.extend(last);
        self.settle();
        // Memory that is not used would be wiped all the same once it is given back, when there is most of it.
        self.new.shrink_to_fit();
        let removed: usize = self.spans.iter().map(|(span, _)| span.len()).sum();
        let mut out = Zeroizing::new(Vec::with_capacity(source.len() - removed + self.new.len()));
        let mut places = Vec::new();
        let mut at = 0;
        for (span, range) in &self.spans {
            out.extend_from_slice(&source[at..span.start as usize]);
            let start = out.len();
            out.extend_from_slice(&self.new[range.clone()]);
            if range.start >= of_last {
                places.push(Span { start: start as u32, end: out.len() as u32 });
            }
            at = span.end as usize;
        }
        out.extend_from_slice(&source[at..]);
        (out, places)
    }

    /// The same texts in other places: one for each edit, in their order.
    pub fn moved(mut self, places: &[Span]) -> Edits {
        self.settle();
        debug_assert_eq!(self.spans.len(), places.len());
        self.spans.iter_mut().zip(places).for_each(|((span, _), place)| *span = *place);
        self
    }

    /// Brings them in order, and drops those inside another.
    fn settle(&mut self) {
        // Insertions first, then the longest; else as they were given.
        let order = |(span, new): &(Span, std::ops::Range<usize>)| {
            (span.start, !span.is_empty(), std::cmp::Reverse(span.end), new.start, new.end)
        };
        self.spans.sort_unstable_by_key(order);
        let mut end = 0;
        self.spans.retain(|(span, _)| {
            let is_outside = span.start >= end;
            assert!(is_outside || span.end <= end, "edits overlap");
            end = end.max(span.end);
            is_outside
        });
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
