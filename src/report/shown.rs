//! What came from outside, made safe to print: the one escaping for terminals and line-based reports.

use std::ffi::OsStr;
use std::fmt::{self, Display, Write as _};

/// Text or a path from outside, with control and bidirectional characters made visible: `\x1b`, `\n`, `\u202e`.
pub fn shown<T: AsRef<OsStr> + ?Sized>(text: &T) -> Shown<'_> {
    Shown(text.as_ref().as_encoded_bytes())
}

/// The same of bytes; what is not UTF-8 is shown as `\xff`.
pub fn shown_bytes(bytes: &[u8]) -> Shown<'_> {
    Shown(bytes)
}

/// See [`shown`].
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a>(&'a [u8]);

impl Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for c in chunk.valid().chars() {
                match c {
                    '\n' => f.write_str("\\n")?,
                    '\t' => f.write_str("\\t")?,
                    '\r' => f.write_str("\\r")?,
                    c if c.is_ascii_control() => write!(f, "\\x{:02x}", u32::from(c))?,
                    c if c.is_control() || is_treacherous(c) => write!(f, "\\u{:04x}", u32::from(c))?,
                    c => f.write_char(c)?,
                }
            }
            chunk.invalid().iter().try_for_each(|byte| write!(f, "\\x{byte:02x}"))?;
        }
        Ok(())
    }
}

/// Characters that turn text around, break a line, or are not seen at all.
pub(super) fn is_treacherous(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
        || matches!(c, '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_trick_a_terminal_is_shown() {
        assert_eq!(shown("a\x1b]8;;x\x07b\x7f").to_string(), "a\\x1b]8;;x\\x07b\\x7f");
        assert_eq!(shown("\u{9b}31m \u{202e}txt.exe\u{2066}").to_string(), "\\u009b31m \\u202etxt.exe\\u2066");
        assert_eq!(shown("line\nover\rwrite\ttab").to_string(), "line\\nover\\rwrite\\ttab");
        assert_eq!(shown_bytes(b"caf\xc3\xa9 \xff\x9b").to_string(), "café \\xff\\x9b");
        assert_eq!(shown(std::path::Path::new("ä/✓")).to_string(), "ä/✓");
    }
}
