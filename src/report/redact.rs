//! How much of a secret is shown, in one place for all formats.

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
mod tests {
    use super::redacted;

    #[test]
    fn never_more_than_a_quarter_is_shown() {
        assert_eq!(redacted(b"AKIAABCDEFGHIJKLMNQ7XXQ7"), "AKIA················Q7");
        assert_eq!(redacted(b"short"), "········");
        for length in 0..100 {
            let secret = "x".repeat(length);
            assert!(redacted(secret.as_bytes()).matches('x').count() * 4 <= length);
        }
    }
}
