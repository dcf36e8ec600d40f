//! Marks beside a secret by which an author lets it through: ours, and those of other scanners.
//!
//! Finding them is all that is done here; whether they count is for the settings to say ([`AllowList`](super::AllowList)).

use std::ops::Range;

use super::Rule;

/// A mark beside a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// As it is spelled: `seal:allow`.
    pub mark: String,
    /// What the author says behind it.
    pub reason: String,
}

/// Where a mark has to stand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stands {
    /// On a line of the secret.
    Beside,
    /// On the line above.
    Above,
    /// On either; above only where nothing but the mark is on the line, as it else is meant for that line.
    Either,
}

/// What scanners honour. Sources: the manuals of gitleaks, betterleaks, detect-secrets, trufflehog, ggshield, kingfisher, ripsecrets.
const MARKS: [(&str, Stands); 14] = [
    ("seal:allow", Stands::Either),
    ("gitleaks:allow", Stands::Beside),
    ("betterleaks:allow", Stands::Beside),
    ("pragma: allowlist secret", Stands::Beside),
    ("pragma:allowlist secret", Stands::Beside),
    ("pragma: whitelist secret", Stands::Beside),
    ("pragma: allowlist nextline secret", Stands::Above),
    ("pragma:allowlist nextline secret", Stands::Above),
    ("trufflehog:ignore", Stands::Beside),
    ("ggignore", Stands::Beside),
    ("kingfisher:ignore", Stands::Beside),
    ("noqa: secret", Stands::Beside),
    ("noqa:secret", Stands::Beside),
    ("pragma: allowlist-secret", Stands::Beside),
];

/// A mark farther from the secret, on the same line, is not seen: a line may be a whole file.
const REACH: usize = 2048;

/// A longer reason is cut.
const MAX_REASON: usize = 200;

/// The mark that lets this secret of `text` through, if one stands on its lines or above them and means this rule.
pub(super) fn mark_beside(text: &[u8], secret: &Range<usize>, rule: &Rule) -> Option<Mark> {
    let earliest = secret.start.saturating_sub(REACH);
    let before = memchr::memrchr(b'\n', &text[earliest..secret.start]).map(|at| earliest + at + 1);
    let start = before.unwrap_or(earliest);
    let latest = (secret.end + REACH).min(text.len());
    let end = memchr::memchr(b'\n', &text[secret.end..latest]).map_or(latest, |at| secret.end + at);
    let above = before.map(|start| {
        let earliest = start.saturating_sub(1 + REACH);
        let from = memchr::memrchr(b'\n', &text[earliest..start - 1]).map_or(earliest, |at| earliest + at + 1);
        &text[from..start - 1]
    });
    let beside = [&text[secret.end..end], &text[start..secret.start]];
    let found = beside.iter().find_map(|part| find(part, rule, |stands| stands != Stands::Above));
    found.or_else(|| {
        let above = above?;
        let is_alone = |before: &[u8]| !before.iter().any(u8::is_ascii_alphanumeric);
        let mark = find(above, rule, |stands| stands == Stands::Above);
        mark.or_else(|| {
            let at = memchr::memmem::find(above, b"seal:allow")?;
            find(&above[at..], rule, |stands| stands == Stands::Either).filter(|_| is_alone(&above[..at]))
        })
    })
}

/// The first mark in a part of a line that is for `rule`.
fn find(part: &[u8], rule: &Rule, fits: impl Fn(Stands) -> bool) -> Option<Mark> {
    MARKS.iter().filter(|(_, stands)| fits(*stands)).find_map(|(mark, _)| {
        memchr::memmem::find_iter(part, mark.as_bytes()).find_map(|at| {
            let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
            let rest = &part[at + mark.len()..];
            if part[..at].last().is_some_and(is_word) || rest.first().is_some_and(is_word) {
                return None;
            }
            let (ids, reason) = match rest.strip_prefix(b"=").filter(|_| *mark == "seal:allow") {
                Some(rest) => {
                    let end = rest.iter().position(|byte| !is_id(*byte)).unwrap_or(rest.len());
                    (Some(&rest[..end]), &rest[end..])
                }
                None => (None, rest),
            };
            let means = |id: &[u8]| id == rule.id.as_bytes() || rule.aliases.iter().any(|alias| alias.as_bytes() == id);
            let is_meant = ids.is_none_or(|ids| ids.split(|byte| *byte == b',').any(means));
            is_meant.then(|| Mark { mark: (*mark).to_owned(), reason: reason_of(reason) })
        })
    })
}

/// What is said behind a mark, without the end of the comment.
fn reason_of(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(&text[..text.len().min(MAX_REASON)]);
    let end = ["*/", "-->", "--}}", "}}"].iter().filter_map(|end| text.find(end)).min().unwrap_or(text.len());
    text[..end].trim_matches(|c: char| c.is_whitespace() || "-–—:,;#".contains(c)).to_owned()
}

fn is_id(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.,".contains(&byte)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn rule() -> Rule {
        let text = "[[rule]]\nid = 'aws-key'\ntitle = 'A'\nseverity = 'high'\naliases = ['aws-access-token']\n";
        Rule::parse_all(text, "test").unwrap().remove(0)
    }

    fn mark(text: &str) -> Option<(String, String)> {
        let start = text.find("SECRET").unwrap();
        mark_beside(text.as_bytes(), &(start..start + 6), &rule()).map(|mark| (mark.mark, mark.reason))
    }

    fn spelled(text: &str) -> Option<String> {
        mark(text).map(|(mark, _)| mark)
    }

    #[test]
    fn our_mark_stands_on_the_line_or_alone_above_it() {
        let ours = |reason: &str| Some(("seal:allow".to_owned(), reason.to_owned()));
        assert_eq!(mark("k = SECRET # seal:allow a sample key"), ours("a sample key"));
        assert_eq!(mark("/* seal:allow: a sample */ k = SECRET"), ours("a sample"));
        assert_eq!(mark("x\n  // seal:allow=aws-key revoked\nk = SECRET\n"), ours("revoked"));
        assert_eq!(mark("<!-- seal:allow=other,aws-access-token gone -->\nk = SECRET"), ours("gone"));
        assert_eq!(mark("{{/* seal:allow */}}\r\nk = SECRET"), ours(""));
        assert_eq!(mark("k = SECRET # seal:allow=aws-key"), ours(""));
    }

    #[test]
    fn a_mark_for_something_else_does_not_count() {
        assert_eq!(mark("k = SECRET # seal:allow=other"), None);
        assert_eq!(mark("k = SECRET # seal:allowed"), None);
        assert_eq!(mark("k = SECRET # unseal:allow, x"), None);
        assert_eq!(mark("a = 'other' # seal:allow\nk = SECRET"), None);
        assert_eq!(mark("# seal:allow\n\nk = SECRET"), None);
        assert_eq!(mark("k = SECRET\n# seal:allow"), None);
        assert_eq!(mark("# gitleaks:allow\nk = SECRET"), None);
        assert_eq!(mark("k = SECRET # pragma: allowlist nextline secret"), None);
        assert_eq!(mark(&format!("k = SECRET {} seal:allow", " ".repeat(3000))), None);
    }

    #[test]
    fn other_tools_marks_count_where_those_tools_look() {
        for tail in [
            "gitleaks:allow",
            "betterleaks:allow",
            "pragma: allowlist secret",
            "trufflehog:ignore",
            "ggignore",
            "kingfisher:ignore",
            "noqa: secret",
        ] {
            assert_eq!(spelled(&format!("k = SECRET # {tail}\n")).as_deref(), Some(tail));
            assert_eq!(spelled(&format!("k = SECRET\n# {tail}\n")), None);
        }
        let above = "pragma: allowlist nextline secret";
        assert_eq!(spelled(&format!("# {above}\nk = SECRET\n")).as_deref(), Some(above));
    }

    #[test]
    fn any_bytes_around_are_fine() {
        for text in [&b"\nSECRET"[..], b"SECRET", b"\n\nSECRET\n", b"\xff\xfeseal:allow\xff SECRET\xff"] {
            let start = memchr::memmem::find(text, b"SECRET").unwrap();
            let _ = mark_beside(text, &(start..start + 6), &rule());
        }
    }
}
