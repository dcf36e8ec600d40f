//! The part of a line that shows a secret in its surroundings, without the secret itself.

use std::ops::Range;

use crate::crypt::Plaintext;

/// What stands before and behind a secret on its line, as far as a report shows it.
///
/// The secret's own bytes are not in it, and those of other secrets on the same line are marked: a report can only show what is
/// none.
#[derive(Debug)]
pub struct Excerpt {
    before: Side,
    behind: Side,
}

/// A piece of an excerpt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Text, which may hold any bytes.
    Text(&'a [u8]),
    /// Where the secret stands.
    Secret,
    /// Where another secret stands.
    OtherSecret,
    /// The line goes on.
    Cut,
}

#[derive(Debug, Default)]
struct Side {
    text: Plaintext,
    /// Other secrets in `text`, in order, apart from each other.
    hidden: Vec<Range<usize>>,
    is_cut: bool,
}

/// The secrets of a text as ranges of bytes, in order, apart from each other.
#[derive(Debug)]
pub(super) struct Secrets(Vec<Range<usize>>);

/// How many bytes of the line are kept before a secret, and how many behind it.
const BEFORE: usize = 120;
const BEHIND: usize = 80;

impl Excerpt {
    /// The surroundings of `secret` in `text`, which has these `secrets`.
    pub(super) fn new(text: &[u8], secret: &Range<usize>, secrets: &Secrets) -> Self {
        let earliest = secret.start.saturating_sub(BEFORE);
        let line = memchr::memrchr(b'\n', &text[earliest..secret.start]).map(|at| earliest + at + 1);
        let mut start = line.unwrap_or(earliest);
        let is_cut = line.is_none() && earliest > 0;
        // Not from the middle of a character on.
        while is_cut && start < secret.start && is_continuation(text[start]) {
            start += 1;
        }
        let before = Side::new(text, start..secret.start, is_cut, secrets);

        let runs_over = memchr::memchr(b'\n', &text[secret.clone()]).is_some();
        let latest = if runs_over { secret.end } else { (secret.end + BEHIND).min(text.len()) };
        let line = memchr::memchr(b'\n', &text[secret.end..latest]).map(|at| secret.end + at);
        let mut end = line.unwrap_or(latest);
        let is_cut = runs_over || line.is_none() && latest < text.len();
        while is_cut && end > secret.end && end < text.len() && is_continuation(text[end]) {
            end -= 1;
        }
        if end > secret.end && text[end - 1] == b'\r' {
            end -= 1;
        }
        Self { before, behind: Side::new(text, secret.end..end, is_cut, secrets) }
    }

    /// All of it, from left to right.
    pub fn pieces(&self) -> Vec<Piece<'_>> {
        let mut pieces = Vec::new();
        pieces.extend(self.before.is_cut.then_some(Piece::Cut));
        self.before.add_pieces(&mut pieces);
        pieces.push(Piece::Secret);
        self.behind.add_pieces(&mut pieces);
        pieces.extend(self.behind.is_cut.then_some(Piece::Cut));
        pieces
    }

    /// What stands before the secret, and behind it, with other secrets in it: to search, not to show.
    pub(super) fn sides(&self) -> (&[u8], &[u8]) {
        (self.before.text.expose(), self.behind.text.expose())
    }
}

impl Side {
    fn new(text: &[u8], range: Range<usize>, is_cut: bool, secrets: &Secrets) -> Self {
        let hidden = secrets.within(&range).map(|secret| secret.start - range.start..secret.end - range.start);
        Self { hidden: hidden.collect(), text: Plaintext::from(&text[range.clone()]), is_cut }
    }

    fn add_pieces<'a>(&'a self, pieces: &mut Vec<Piece<'a>>) {
        let text = self.text.expose();
        let mut at = 0;
        for hidden in &self.hidden {
            pieces.extend((at < hidden.start).then(|| Piece::Text(&text[at..hidden.start])));
            pieces.push(Piece::OtherSecret);
            at = hidden.end;
        }
        pieces.extend((at < text.len()).then(|| Piece::Text(&text[at..])));
    }
}

impl Secrets {
    /// Of ranges in any order.
    pub(super) fn new(mut ranges: Vec<Range<usize>>) -> Self {
        ranges.sort_by_key(|range| range.start);
        let mut apart: Vec<Range<usize>> = Vec::with_capacity(ranges.len());
        for range in ranges {
            match apart.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => apart.push(range),
            }
        }
        Self(apart)
    }

    /// Those that reach into `window`, cut to it.
    fn within(&self, window: &Range<usize>) -> impl Iterator<Item = Range<usize>> {
        let first = self.0.partition_point(|range| range.end <= window.start);
        let cut = |range: &Range<usize>| range.start.max(window.start)..range.end.min(window.end);
        let reaching = self.0[first..].iter().take_while(|range| range.start < window.end);
        reaching.map(cut).filter(|range| !range.is_empty())
    }
}

fn is_continuation(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn excerpt(text: &str, secret: &str, others: &[&str]) -> String {
        let find = |word: &str| {
            let start = text.find(word).expect("it is in the text");
            start..start + word.len()
        };
        let secrets = Secrets::new(others.iter().chain([&secret]).map(|word| find(word)).collect());
        let excerpt = Excerpt::new(text.as_bytes(), &find(secret), &secrets);
        let show = |piece: Piece<'_>| match piece {
            Piece::Text(text) => String::from_utf8(text.to_vec()).expect("it is cut between characters"),
            Piece::Secret => "<S>".to_owned(),
            Piece::OtherSecret => "<O>".to_owned(),
            Piece::Cut => "…".to_owned(),
        };
        excerpt.pieces().into_iter().map(show).collect()
    }

    #[test]
    fn the_line_is_shown_without_any_secret() {
        assert_eq!(excerpt("a\nkey = \"hunter2\"; # x\r\nb\n", "hunter2", &[]), "key = \"<S>\"; # x");
        assert_eq!(excerpt("hunter2", "hunter2", &[]), "<S>");
        assert_eq!(excerpt("u=abc p=def q=ghi", "def", &["abc", "ghi"]), "u=<O> p=<S> q=<O>");
        assert_eq!(excerpt("x abcdef y", "cd", &["abcdef"]), "x <O><S><O> y");
        assert_eq!(excerpt("k: -----BEGIN\nMII\n----- tail\n", "-----BEGIN\nMII\n-----", &[]), "k: <S>…");
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        let text = format!("{}hunter2{}", "ä".repeat(500), "ö".repeat(500));
        assert_eq!(excerpt(&text, "hunter2", &[]), format!("…{}<S>{}…", "ä".repeat(60), "ö".repeat(40)));
    }

    proptest! {
        #[test]
        fn no_byte_of_a_secret_is_in_a_piece(
            text in proptest::collection::vec(prop_oneof![Just(b'.'), Just(b'\n'), Just(0xc3), Just(0xa4)], 1..600),
            ranges in proptest::collection::vec((0_usize..600, 1_usize..40), 1..8),
        ) {
            let mut text = text;
            let ranges: Vec<Range<usize>> = ranges
                .into_iter()
                .map(|(start, len)| start.min(text.len() - 1)..(start.min(text.len() - 1) + len).min(text.len()))
                .collect();
            for range in &ranges {
                text[range.clone()].fill(b'#');
            }
            let secrets = Secrets::new(ranges.clone());
            for range in &ranges {
                let excerpt = Excerpt::new(&text, range, &secrets);
                for piece in excerpt.pieces() {
                    if let Piece::Text(text) = piece {
                        prop_assert!(!text.contains(&b'#') && !text.contains(&b'\n') && text.len() <= BEFORE);
                    }
                }
            }
        }
    }
}
