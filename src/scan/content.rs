//! What kind of bytes a text is: what can be read, what is binary, and what is a picture, a sound or a font.

use memchr::memchr;

use super::decode::codec::is_plain_utf16;

/// What kind of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Text, also in UTF-16.
    Text,
    /// A program, an archive, a key store: only what has a shape of its own can be told from chance in it.
    Binary,
    /// A picture, a sound, a film or a font.
    Media,
}

/// As many bytes are looked at.
const START: usize = 8 << 10;

impl Content {
    /// Judges by the first bytes. What only begins like a picture, and goes on as text, is text.
    pub fn of(bytes: &[u8]) -> Self {
        let start = &bytes[..bytes.len().min(START)];
        let is_wide = matches!(start, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]) || is_plain_utf16(start);
        if is_wide && !is_media(start) {
            return Self::Text;
        }
        let is_text = memchr(0, start).is_none() && invalid(start) * 10 <= start.len() * 3;
        match is_text {
            true => Self::Text,
            false if is_media(start) => Self::Media,
            false => Self::Binary,
        }
    }
}

/// How many bytes are not part of UTF-8.
fn invalid(bytes: &[u8]) -> usize {
    bytes.utf8_chunks().map(|chunk| chunk.invalid().len()).sum()
}

fn is_media(start: &[u8]) -> bool {
    let riff = start.starts_with(b"RIFF") && matches!(start.get(8..12), Some(b"WEBP" | b"WAVE" | b"AVI "));
    let known: [&[u8]; 19] = [
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff",
        b"GIF87a",
        b"GIF89a",
        b"II*\0",
        b"MM\0*",
        b"\0\0\x01\0",
        b"8BPS",
        b"wOFF",
        b"wOF2",
        b"OTTO",
        b"\0\x01\0\0",
        b"ttcf",
        b"ID3",
        b"OggS",
        b"fLaC",
        b"\x1a\x45\xdf\xa3",
        b"\xff\xfb",
        b"\0\0\x01\xba",
    ];
    riff || start.get(4..8) == Some(b"ftyp") || known.iter().any(|magic| start.starts_with(magic))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_apart_by_bytes_alone() {
        for text in [&b""[..], b"a = b\n", "größer 東京".as_bytes(), b"caf\xe9 au lait\n", b"\xff\xfea\0=\0b\0"] {
            assert_eq!(Content::of(text), Content::Text, "{text:?}");
        }
        assert_eq!(Content::of(b"\x7fELF\x02\x01\0\0"), Content::Binary);
        assert_eq!(Content::of(b"\x80\x81\x82\x83abc"), Content::Binary);
        assert_eq!(Content::of(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"), Content::Media);
        assert_eq!(Content::of(b"\0\0\0\x18ftypmp42"), Content::Media);
        // A mark in front does not hide a text.
        assert_eq!(Content::of(b"GIF89a\npassword = x\n"), Content::Text);
        assert_eq!(Content::of(b"ID3 token: abc\n"), Content::Text);
    }
}
