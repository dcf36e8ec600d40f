//! Another envelope on the same encrypted file: other wrapped keys, the same values.
//!
//! Values, their MAC and the layout hang on the data key alone, so that none of them changes. To change the data key is
//! to [`encrypt`](super::encrypt()) anew.

use super::decrypt::{Encrypted, strip_line_break};
use super::envelope::Envelope;
use crate::document::{Branch, Document, Edits, ParseProblem};

/// The file with `envelope` in the place of its own in every document; every other byte stays.
///
/// An envelope that someone moved up in the file goes back to its end.
pub fn with_envelope(encrypted: &Encrypted, envelope: &Envelope) -> Result<Vec<u8>, RekeyError> {
    let document = encrypted.document();
    let mut map = envelope.to_map();
    // The time keeps the spelling it has, where sops would bring it into its own form.
    let found = document.roots().first().and_then(|root| root.attachment.as_ref()?.value.as_ref());
    if let Some(text) = found.and_then(|found| found.get("lastmodified"))
        && envelope.last_modified == encrypted.envelope().last_modified
    {
        map.insert("lastmodified".to_owned(), text.clone());
    }
    let bare = cuts(document).apply(document.source());
    let (before, content) = match Document::parse(bare.clone(), document.format()) {
        Ok(content) => (&bare[..0], content),
        // A file may be nothing but its envelope.
        Err(error) if error.problem == ParseProblem::Empty => {
            (&bare[..], Document::from_branches(document.format(), vec![Branch::default()]))
        }
        Err(error) => return Err(broken(error)),
    };
    let attach = content.attach(&serde_json::Value::Object(map), &encrypted.style());
    let bytes = [before, &attach.apply(content.source())].concat();

    // As with encrypting: what would not read back is never given out.
    let read = Encrypted::parse(bytes.clone(), encrypted.format()).map_err(broken)?;
    let mut again = cuts(read.document()).apply(read.document().source());
    if !bare.ends_with(b"\n") && again.ends_with(b"\n") {
        strip_line_break(&mut again);
    }
    if *again != *bare || read.envelope().groups != envelope.groups || read.envelope().mac != envelope.mac {
        return Err(broken("other bytes"));
    }
    Ok(bytes)
}

/// The edits that take the envelope out.
fn cuts(document: &Document) -> Edits {
    let mut edits = Edits::new();
    for cut in document.roots().iter().filter_map(|root| root.attachment.as_ref()).flat_map(|a| &a.cuts) {
        edits.replace(*cut, b"");
    }
    edits
}

/// The new envelope cannot be written into this file. A defect of seal; nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the new envelope would not read back ({0}); this is a defect of seal")]
pub struct RekeyError(String);

fn broken(cause: impl std::fmt::Display) -> RekeyError {
    RekeyError(cause.to_string())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::crypt::{DataKey, MacCheck, Recipient, Sealing, WrappedKey, encrypt};
    use crate::document::{AttachmentStyle, Format};

    fn wrapped(name: &str) -> WrappedKey {
        WrappedKey { recipient: Recipient::Age(name.into()), enc: "a\nb\n".into(), created_at: None }
    }

    fn sealed(plain: &str, format: Format, key: &DataKey) -> Encrypted {
        let document = Document::parse(plain.as_bytes().to_vec(), format).unwrap();
        let sealing = Sealing {
            envelope: Envelope::new(vec![vec![wrapped("age1a")]], None, None, false),
            key,
            previous: None,
            style: AttachmentStyle::default(),
            now: "2026-11-24T08:38:43Z".into(),
        };
        let mut count = 0;
        let mut random = |bytes: &mut [u8]| {
            count += 1;
            bytes.fill(count);
            Ok(())
        };
        let bytes = encrypt(document, sealing, &mut random).unwrap().bytes;
        Encrypted::parse(bytes, format).unwrap()
    }

    #[test]
    fn time_keeps_its_spelling() {
        let key = DataKey::from_bytes(&[7; 32]).unwrap();
        let text = String::from_utf8(sealed("a: x\n", Format::Yaml, &key).document().source().to_vec()).unwrap();
        let odd = text.replace("08:38:43Z", "08:38:43.5+00:00");
        assert_ne!(odd, text);
        let before = Encrypted::parse(odd.clone().into_bytes(), Format::Yaml).unwrap();
        assert_eq!(with_envelope(&before, before.envelope()).unwrap(), odd.as_bytes());
    }

    #[test]
    fn envelope_elsewhere_goes_to_the_end_and_may_be_all_there_is() {
        let key = DataKey::from_bytes(&[7; 32]).unwrap();
        let text = String::from_utf8(sealed("a: x\n", Format::Yaml, &key).document().source().to_vec()).unwrap();
        let (content, envelope) = text.split_at(text.find("sops:").unwrap());
        for (moved, expected) in [
            (format!("{envelope}{content}"), text.clone()),
            (envelope.to_owned(), envelope.to_owned()),
            (format!("---\n{envelope}"), format!("---\n{envelope}")),
        ] {
            let before = Encrypted::parse(moved.into_bytes(), Format::Yaml).unwrap();
            let bytes = with_envelope(&before, before.envelope()).unwrap();
            assert_eq!(String::from_utf8(bytes).unwrap(), expected);
        }
    }

    #[test]
    fn only_the_envelope_changes_in_any_format() {
        let key = DataKey::from_bytes(&[7; 32]).unwrap();
        for (plain, format) in [
            ("a: 'x' # why\n\nb:\n  - 1\n", Format::Yaml),
            ("a: x", Format::Yaml),
            ("a: x\n---\nb: \"y\"\n", Format::Yaml),
            ("{a: x, b: [1]}\n", Format::Yaml),
            ("{\"a\": \"x\", \"b\": [1]}", Format::Json),
            ("{\n  \"a\": \"x\"\n}\n", Format::Json),
            ("{}\n", Format::Json),
            ("A=x\n# c\nB=y\n", Format::Dotenv),
            ("A=x", Format::Dotenv),
            ("[s]\na = x\n", Format::Ini),
            ("\0\u{1}any bytes", Format::Binary),
        ] {
            let before = sealed(plain, format, &key);
            let mut envelope = before.envelope().clone();
            envelope.groups = vec![vec![wrapped("age1b"), wrapped("age1c")], vec![wrapped("age1d")]];
            envelope.threshold = Some(2);
            let bytes = with_envelope(&before, &envelope).unwrap();
            let after = Encrypted::parse(bytes.clone(), format).unwrap();
            assert_eq!(after.envelope().groups, envelope.groups);
            assert_eq!(after.envelope().last_modified, before.envelope().last_modified);
            assert_eq!(after.open(&key, MacCheck::Require).unwrap().plain().expose(), plain.as_bytes(), "{plain:?}");
            // And back again, to the byte.
            assert_eq!(with_envelope(&after, before.envelope()).unwrap(), before.document().source(), "{plain:?}");
        }
    }
}
