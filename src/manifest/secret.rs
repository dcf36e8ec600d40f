//! Secrets: the selection that fits them, and data that the API server would refuse.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::object::{Object, entry};
use crate::crypt::SelectionRule;
use crate::document::{Branch, Document, Format, KeyPath, Node, Scalar, Step};

/// How the default selection fits a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fit {
    /// Every document is a Secret: `data` and `stringData` are encrypted.
    Secrets(SelectionRule),
    /// Some documents are Secrets and some are not: everything is encrypted, kinds and names too.
    Mixed {
        /// How many are Secrets.
        secrets: usize,
        /// How many documents there are.
        documents: usize,
    },
    /// No document is a Secret: everything is encrypted.
    Other,
}

/// What is encrypted where nobody said: `data` and `stringData` of Secrets, everything of all else.
///
/// sops has one selection for a file, so in a file that mixes both everything is encrypted.
pub fn selection_for(document: &Document) -> Fit {
    let mut secrets = 0;
    let mut documents = 0;
    for root in document.roots() {
        if root.branch.items.is_empty() {
            continue;
        }
        for object in objects(document, &root.branch) {
            documents += 1;
            secrets += usize::from(Object::of(document, object).is_some_and(|object| object.is_secret()));
        }
    }
    match secrets {
        0 => Fit::Other,
        all if all == documents => Fit::Secrets(SelectionRule::EncryptedRegex("^(data|stringData)$".into())),
        secrets => Fit::Mixed { secrets, documents },
    }
}

/// A value under `data` that is not base64.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` on line {line} is not base64, which the values under data of a Secret must be")]
pub struct BadData {
    /// The value.
    pub path: KeyPath,
    /// Its line, from 1.
    pub line: usize,
}

/// Finds a value under `data` of a Secret that the API server would refuse.
pub fn check_data(document: &Document) -> Result<(), BadData> {
    if !matches!(document.format(), Format::Yaml | Format::Json) {
        return Ok(());
    }
    for root in document.roots() {
        for object in objects(document, &root.branch) {
            if !Object::of(document, object).is_some_and(|object| object.is_secret()) {
                continue;
            }
            let Some(Node::Map(data)) = entry(document, object, "data") else { continue };
            for item in &data.items {
                let (Some(key), Node::Leaf(leaf)) = (&item.key, item.node.resolved()) else { continue };
                let good = match &leaf.scalar {
                    Scalar::Str(text) => {
                        // The API server ignores line breaks inside base64, as Go's decoder does.
                        let text: Vec<u8> =
                            document.text(text).iter().copied().filter(|b| !matches!(b, b'\n' | b'\r')).collect();
                        STANDARD.decode(text).is_ok()
                    }
                    Scalar::Null => true,
                    _ => false,
                };
                if !good {
                    let key_text = String::from_utf8_lossy(document.text(&key.text)).into_owned();
                    let before = &document.source()[..key.span.start as usize];
                    return Err(BadData {
                        path: KeyPath(vec![Step::Key("data".into()), Step::Key(key_text)]),
                        line: memchr::memchr_iter(b'\n', before).count() + 1,
                    });
                }
            }
        }
    }
    Ok(())
}

/// The objects of a document: itself, or the items of a `List`.
fn objects<'d>(document: &'d Document, branch: &'d Branch) -> Vec<&'d Branch> {
    let is_list = Object::of(document, branch)
        .is_some_and(|object| object.api_version == "v1" && matches!(object.kind.as_str(), "List" | "SecretList"));
    match entry(document, branch, "items") {
        Some(Node::List(items)) if is_list => items
            .items
            .iter()
            .filter_map(|item| match item.node.resolved() {
                Node::Map(object) => Some(object),
                _ => None,
            })
            .collect(),
        _ => vec![branch],
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn yaml(text: &str) -> Document {
        Document::parse(text.as_bytes().to_vec(), Format::Yaml).unwrap()
    }

    #[test]
    fn secrets_alone_are_encrypted_below_data() {
        let secret = "apiVersion: v1\nkind: Secret\ndata: {a: aGk=}\n";
        let config = "apiVersion: v1\nkind: ConfigMap\ndata: {a: b}\n";
        let list = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Secret\n";
        assert!(matches!(selection_for(&yaml(secret)), Fit::Secrets(_)));
        assert!(matches!(selection_for(&yaml(list)), Fit::Secrets(_)));
        assert_eq!(selection_for(&yaml(config)), Fit::Other);
        let mixed = format!("{secret}---\n{config}");
        assert_eq!(selection_for(&yaml(&mixed)), Fit::Mixed { secrets: 1, documents: 2 });
    }

    #[test]
    fn data_that_is_not_base64_is_named() {
        let error = check_data(&yaml("apiVersion: v1\nkind: Secret\ndata:\n  a: aGk=\n  b: hunter2\n")).unwrap_err();
        assert_eq!((error.path.to_string(), error.line), ("data.b".into(), 5));
        assert_eq!(check_data(&yaml("apiVersion: v1\nkind: Secret\nstringData:\n  b: hunter2\n")), Ok(()));
    }
}
