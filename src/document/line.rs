//! Lines of a source: where one begins and ends, and what ends those that are added.
//!
//! A byte order mark at the start of the file is before its first line. A carriage return counts as part of a line break
//! only before a line feed; YAML with any other is not read.

/// Where the line that holds `at` begins.
pub(super) fn start(source: &[u8], at: usize) -> usize {
    memchr::memrchr(b'\n', &source[..at]).map_or(first(source).min(at), |end| end + 1)
}

/// Where the first line begins.
pub(super) fn first(source: &[u8]) -> usize {
    if source.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 }
}

/// Behind the line that holds `at`, its line break included.
pub(super) fn end(source: &[u8], at: usize) -> usize {
    memchr::memchr(b'\n', &source[at..]).map_or(source.len(), |end| at + end + 1)
}

/// Behind the content of the line that holds `at`: before its line break.
pub(super) fn content_end(source: &[u8], at: usize) -> usize {
    let line = &source[at..end(source, at)];
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    at + line.strip_suffix(b"\r").unwrap_or(line).len()
}

/// Bytes between the start of a line and `at`.
pub(super) fn column(source: &[u8], at: usize) -> usize {
    at - start(source, at)
}

/// How the lines of a file end: as its first one does.
pub(super) fn break_of(source: &[u8]) -> &'static str {
    match memchr::memchr(b'\n', source) {
        Some(end) if source[..end].ends_with(b"\r") => "\r\n",
        _ => "\n",
    }
}

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_begin_behind_a_byte_order_mark_and_end_with_their_break() {
        let source = "\u{feff}ab\r\ncd".as_bytes();
        assert_eq!([start(source, 0), start(source, 4), start(source, 7)], [0, 3, 7]);
        assert_eq!([end(source, 3), end(source, 8)], [7, 9]);
        assert_eq!([content_end(source, 3), content_end(source, 8)], [5, 9]);
        assert_eq!(column(source, 4), 1);
        assert_eq!([break_of(source), break_of(b"a\nb\r\n"), break_of(b"a")], ["\r\n", "\n", "\n"]);
    }
}
