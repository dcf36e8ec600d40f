//! What travels with a document without being part of it: sops's envelope, as plain data.

use super::node::Span;

/// The name under which an attachment stands at the top of a document.
pub(super) const NAME: &str = "sops";

/// The entry `sops` of a document.
#[derive(Debug, Clone)]
pub struct Attachment {
    /// What it says, in the order it stands in. `None` where it cannot be read as one object: `sops: 5`, two
    /// entries in one document, flattened names that do not fit together.
    ///
    /// Flattened forms (dotenv, INI) are put together again; their values are all strings.
    pub value: Option<serde_json::Map<String, serde_json::Value>>,
    /// What to cut from the source so that it is gone, without a trace where it was written by
    /// [`Document::attach`](super::Document::attach).
    pub cuts: Vec<Span>,
    /// How it is written.
    pub style: AttachmentStyle,
}

/// How an attachment is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AttachmentStyle {
    /// Blanks per level in YAML and JSON; `None` for the document's own, else sops's default (4; a tab in JSON).
    pub indent: Option<usize>,
    /// JSON without any line break inside.
    pub compact: bool,
}

/// Flattens an object as sops does for dotenv and INI: `age__list_0__map_enc`.
///
/// Values come out as text; line breaks are left to the format.
pub(super) fn flatten(value: &serde_json::Map<String, serde_json::Value>) -> Vec<(String, String)> {
    fn walk(prefix: String, value: &serde_json::Value, out: &mut Vec<(String, String)>) {
        match value {
            serde_json::Value::Object(map) => {
                for (key, value) in map {
                    walk(format!("{prefix}__map_{key}"), value, out);
                }
            }
            serde_json::Value::Array(list) => {
                for (index, value) in list.iter().enumerate() {
                    walk(format!("{prefix}__list_{index}"), value, out);
                }
            }
            serde_json::Value::String(text) => out.push((prefix, text.clone())),
            other => out.push((prefix, other.to_string())),
        }
    }
    let mut out = Vec::new();
    for (key, value) in value {
        walk(key.clone(), value, &mut out);
    }
    out
}

/// Parts of one flattened name; sops's longest have six.
const MAX_PARTS: usize = 16;

/// Puts flattened names together again.
///
/// Errs with a sentence where a list lacks a number, or one name is used twice, or as a value and as a parent.
pub(super) fn unflatten(
    flat: impl IntoIterator<Item = (String, String)>,
) -> Result<serde_json::Map<String, serde_json::Value>, String> {
    use serde_json::Value;

    enum Part<'a> {
        Key(&'a str),
        Index(usize),
    }

    fn parts(name: &str) -> Result<Vec<Part<'_>>, String> {
        let mut rest = name;
        let mut parts = Vec::new();
        let mut is_index = false;
        loop {
            if parts.len() == MAX_PARTS {
                return Err("a name has too many parts".into());
            }
            let (here, next) = match (rest.find("__map_"), rest.find("__list_")) {
                (None, None) => (rest, None),
                (Some(m), l) if l.is_none_or(|l| m < l) => (&rest[..m], Some((false, &rest[m + 6..]))),
                (_, Some(l)) => (&rest[..l], Some((true, &rest[l + 7..]))),
                (Some(_), None) => unreachable!("covered by the second arm"),
            };
            parts.push(if is_index {
                Part::Index(here.parse().map_err(|_| format!("the list number in {name} is not a number"))?)
            } else {
                Part::Key(here)
            });
            let Some((index, after)) = next else { return Ok(parts) };
            (is_index, rest) = (index, after);
        }
    }

    /// `free` is how many places in lists may still be made. Each needs a name of its own in the end, so making
    /// more of them than there are names is damage, and would let a few names fill the memory.
    fn insert(into: &mut Value, parts: &[Part<'_>], leaf: Value, name: &str, free: &mut usize) -> Result<(), String> {
        let Some((part, rest)) = parts.split_first() else {
            if !into.is_null() {
                return Err(format!("{name} occurs twice"));
            }
            *into = leaf;
            return Ok(());
        };
        if into.is_null() {
            *into = match part {
                Part::Key(_) => Value::Object(Default::default()),
                Part::Index(_) => Value::Array(Vec::new()),
            };
        }
        match (part, into) {
            (Part::Key(key), Value::Object(map)) => {
                insert(map.entry(*key).or_insert(Value::Null), rest, leaf, name, free)
            }
            (Part::Index(index), Value::Array(list)) => {
                if *index >= list.len() {
                    *free = free
                        .checked_sub(index - list.len())
                        .and_then(|free| free.checked_sub(1))
                        .ok_or_else(|| format!("the list number in {name} is too large"))?;
                    list.resize(index + 1, Value::Null);
                }
                insert(&mut list[*index], rest, leaf, name, free)
            }
            _ => Err(format!("{name} stands for two things at once")),
        }
    }

    fn complete(value: &Value) -> bool {
        match value {
            Value::Null => false,
            Value::Array(list) => list.iter().all(complete),
            Value::Object(map) => map.values().all(complete),
            _ => true,
        }
    }

    let flat: Vec<_> = flat.into_iter().collect();
    let mut free = flat.len().saturating_mul(MAX_PARTS);
    let mut root = Value::Object(Default::default());
    for (name, text) in flat {
        let parts = parts(&name)?;
        insert(&mut root, &parts, Value::String(text), &name, &mut free)?;
    }
    if !complete(&root) {
        return Err("a list lacks one of its numbers".into());
    }
    match root {
        Value::Object(map) => Ok(map),
        _ => unreachable!("the root starts as an object and stays one"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flattening_comes_back() {
        let value = serde_json::json!({
            "age": [{"enc": "a\nb", "recipient": "age1x"}, {"enc": "c", "recipient": "age1y"}],
            "mac": "ENC[…]",
        });
        let map = value.as_object().expect("an object").clone();
        let flat = flatten(&map);
        assert_eq!(flat[0], ("age__list_0__map_enc".into(), "a\nb".into()));
        assert_eq!(unflatten(flat), Ok(map));
    }

    #[test]
    fn gap_in_a_list_is_an_error() {
        assert!(unflatten([("age__list_1__map_enc".into(), "x".into())]).is_err());
    }

    #[test]
    fn lists_may_come_in_any_order() {
        let flat = [10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0].map(|n| (format!("l__list_{n}"), n.to_string()));
        assert_eq!(unflatten(flat).expect("a whole list")["l"][10], "10");
    }

    #[test]
    fn hostile_names_are_errors() {
        let one = |name: String| unflatten([(name, "x".into())]);
        assert!(one(format!("a{}", "__map_b".repeat(100_000))).is_err());
        assert!(one("a__list_4000000000".into()).is_err());
        assert!(unflatten(["a", "a"].map(|name| (name.to_owned(), "x".to_owned()))).is_err());
        assert!(unflatten(["a", "a__map_b"].map(|name| (name.to_owned(), "x".to_owned()))).is_err());
    }
}
