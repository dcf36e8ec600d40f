//! How much of a secret is shown, in one place for all formats.

use std::str::FromStr;

/// How much of a secret is hidden where one is shown, in percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Redaction(u8);

impl Default for Redaction {
    /// All but what is needed to recognise it.
    fn default() -> Self {
        Self(100)
    }
}

impl FromStr for Redaction {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let percent = text.parse().ok().filter(|percent| *percent <= 100);
        percent.map(Self).ok_or_else(|| "a number from 0 to 100 was expected".to_owned())
    }
}

impl Redaction {
    /// How much is hidden.
    pub(super) fn percent(self) -> u8 {
        self.0
    }

    /// A secret with so much of it hidden; what is no text is shown as dots.
    pub fn of(self, secret: &[u8]) -> String {
        if self.0 == 100 {
            return redacted(secret);
        }
        let text = String::from_utf8_lossy(secret);
        let shown = text.chars().count() * usize::from(100 - self.0) / 100;
        let visible: String = text.chars().take(shown).collect();
        if self.0 == 0 { visible } else { format!("{visible}{}", "·".repeat(8)) }
    }
}

/// A secret with its middle hidden: at most four characters at its start and two at its end, and never more than a quarter of it.
///
/// Bytes that are no printable ASCII are shown as dots.
pub fn redacted(secret: &[u8]) -> String {
    let shown = secret.len() / 4;
    let (start, end) = if secret.len() >= 16 { (shown.min(4), (shown.saturating_sub(4)).min(2)) } else { (0, 0) };
    let visible = |bytes: &[u8]| -> String {
        bytes.iter().map(|byte| if byte.is_ascii_graphic() { *byte as char } else { '·' }).collect()
    };
    let hidden = "·".repeat((secret.len() - start - end).clamp(8, 16));
    format!("{}{hidden}{}", visible(&secret[..start]), visible(&secret[secret.len() - end..]))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn never_more_than_a_quarter_is_shown() {
        assert_eq!(redacted(b"AKIAABCDEFGHIJKLMNQ7XXQ7"), "AKIA················Q7");
        assert_eq!(redacted(b"short"), "········");
        for length in 0..100 {
            let secret = "x".repeat(length);
            assert!(redacted(secret.as_bytes()).matches('x').count() * 4 <= length);
        }
    }

    #[test]
    fn a_percentage_hides_the_end() {
        let of = |percent: &str| percent.parse::<Redaction>().unwrap().of("0123456789".as_bytes());
        assert_eq!((of("0"), of("80"), of("100")), ("0123456789".into(), "01········".into(), "········".into()));
        assert!("101".parse::<Redaction>().is_err() && "-1".parse::<Redaction>().is_err());
    }
}
