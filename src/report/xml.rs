//! Text in XML and HTML.

/// Escaped for content and for attributes in double quotes; characters that XML has no place for are made visible.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\'' => out += "&#39;",
            '\n' => out.push('\n'),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out += &format!("\\u{:04x}", u32::from(c)),
            c if super::shown::is_treacherous(c) => out += &format!("\\u{:04x}", u32::from(c)),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn nothing_leaves_its_place() {
        let text = "<script>\"a\" & 'b'\u{1b}[2J\u{0}\n\u{202e}x\u{fffe}é";
        assert_eq!(escaped(text), "&lt;script&gt;&quot;a&quot; &amp; &#39;b&#39;\\u001b[2J\\u0000\n\\u202ex\\ufffeé");
    }
}
