//! Pieces of JSON in any text: what stands behind a key, and what an object holds, without the whole being JSON.

use std::ops::Range;

/// The string that is the value of a key, whose closing quote is at or right behind `key_end`; without its quotes.
pub fn string_after(bytes: &[u8], key_end: usize) -> Option<Range<usize>> {
    let mut at = key_end + usize::from(bytes.get(key_end) == Some(&b'"'));
    let skip =
        |at: usize| at + bytes[at.min(bytes.len())..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    at = skip(at);
    if bytes.get(at) != Some(&b':') {
        return None;
    }
    at = skip(at + 1);
    if bytes.get(at) != Some(&b'"') {
        return None;
    }
    let end = string_end(bytes, at + 1)?;
    Some(at + 1..end)
}

/// Where the string that starts at `start` has its closing quote.
fn string_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    None
}

/// Calls `each` with every key and string value in the object that follows a key, and gives its end.
///
/// Keys and values are without their quotes. Objects inside the object count as well.
pub fn strings_within(bytes: &[u8], key_end: usize, mut each: impl FnMut(Range<usize>, Range<usize>)) -> Option<usize> {
    let rest = bytes.get(key_end..)?;
    let open = rest.iter().position(|byte| !(byte.is_ascii_whitespace() || matches!(byte, b'"' | b':')))?;
    let mut at = key_end + open;
    if bytes[at] != b'{' {
        return None;
    }
    let mut depth = 0usize;
    let mut key = None;
    while at < bytes.len() {
        match bytes[at] {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            b'"' => {
                let end = string_end(bytes, at + 1)?;
                let string = at + 1..end;
                at = end;
                let next = bytes[end + 1..].iter().find(|byte| !byte.is_ascii_whitespace());
                if next == Some(&b':') {
                    key = Some(string);
                } else if let Some(key) = key.take() {
                    each(key, string);
                }
            }
            _ => {}
        }
        at += 1;
    }
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_behind_a_key() {
        let text = br#"x "a" : "b\"c", "d":1, "e":{"f":"g","h":["i"],"j":{"k":"l"}} "m":"n""#;
        let end = |key: &[u8]| text.windows(key.len()).position(|window| window == key).unwrap() + key.len();
        assert_eq!(&text[string_after(text, end(b"\"a\"")).unwrap()], br#"b\"c"#);
        assert_eq!(string_after(text, end(b"\"d\"")), None);
        let mut found = Vec::new();
        let stop = strings_within(text, end(b"\"e\""), |key, value| {
            found.push((
                String::from_utf8_lossy(&text[key]).into_owned(),
                String::from_utf8_lossy(&text[value]).into_owned(),
            ));
        });
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(found, [pair("f", "g"), pair("h", "i"), pair("k", "l")]);
        assert!(text[..stop.unwrap()].ends_with(b"}}"));
        assert_eq!(strings_within(text, end(b"\"a\""), |_, _| ()), None);
    }
}
