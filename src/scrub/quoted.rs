//! Paths as git prints them where they would not fit on a line: in quotes, with the escapes of C.

/// The path that is meant.
pub fn unquote(path: &[u8]) -> Vec<u8> {
    let Some(inner) = path.strip_prefix(b"\"").and_then(|path| path.strip_suffix(b"\"")) else {
        return path.to_vec();
    };
    let mut plain = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let Some((&first, behind)) = rest.split_first() {
        let (byte, behind) = match behind {
            _ if first != b'\\' => (first, behind),
            [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', behind @ ..] => {
                ((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'), behind)
            }
            [letter, behind @ ..] => match b"abtnvfr".iter().position(|known| known == letter) {
                // They are one behind the other, from 7 on.
                Some(at) => (7 + at as u8, behind),
                None => (*letter, behind),
            },
            [] => (first, behind),
        };
        plain.push(byte);
        rest = behind;
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone_and_what_is_not_quoted_stays() {
        for (quoted, plain) in [
            (&b"a b"[..], &b"a b"[..]),
            (b"\"a\\\"b\\\\\"", b"a\"b\\"),
            (b"\"\\a\\b\\t\\n\\v\\f\\r\"", b"\x07\x08\t\n\x0b\x0c\r"),
            (b"\"caf\\303\\251\\1\"", b"caf\xc3\xa91"),
            (b"\"", b"\""),
            (b"\"\\\"", b"\\"),
        ] {
            assert_eq!(unquote(quoted), plain, "{quoted:?}");
        }
    }
}
