//! Setting and removing values: every change there is to every document of the corpus and to random ones, held against the
//! same change made to the document's values by other code.

use proptest::prelude::*;
use seal::document::{
    Branch, ChangeError, Document, Format, Indent, Item, KeyPath, Node, Numbers, Scalar, Step, Value, emit,
};
use zeroize::Zeroizing;

use crate::support::repository;

fn parse(text: &str, format: Format) -> Document {
    Document::parse(text.as_bytes().to_vec(), format).unwrap()
}

fn value(json: &str) -> Value {
    Value::from_json(json.as_bytes(), Numbers::AsWritten).unwrap()
}

fn values(branch: &Branch) -> impl Iterator<Item = &Item> {
    branch.items.iter().filter(|item| !matches!(item.node, Node::Comment(_)))
}

fn any_alias(branch: &Branch) -> bool {
    branch.items.iter().any(|item| match &item.node {
        Node::Alias { .. } => true,
        Node::Map(inner) | Node::List(inner) => any_alias(inner),
        _ => false,
    })
}

/// A document as JSON, to be changed by other code than that under test; `None` where JSON cannot say it.
fn to_json(source: &[u8], node: &Node) -> Option<serde_json::Value> {
    Some(match node.resolved() {
        Node::Map(branch) => {
            let mut map = serde_json::Map::new();
            for item in values(branch) {
                let key = String::from_utf8(item.key.as_ref()?.text.bytes(source).to_vec()).ok()?;
                if map.insert(key, to_json(source, &item.node)?).is_some() {
                    return None;
                }
            }
            map.into()
        }
        Node::List(branch) => {
            values(branch).map(|item| to_json(source, &item.node)).collect::<Option<Vec<_>>>()?.into()
        }
        Node::Leaf(leaf) => match &leaf.scalar {
            Scalar::Null => serde_json::Value::Null,
            Scalar::Bool(value) => (*value).into(),
            Scalar::Int(value) => (*value).into(),
            Scalar::Float(value) => format!("float {}", value.to_bits()).into(),
            Scalar::Time(value) => format!("time {value}").into(),
            Scalar::Str(text) => String::from_utf8(text.bytes(source).to_vec()).ok()?.into(),
            Scalar::Unsupported => "unsupported".into(),
        },
        _ => return None,
    })
}

fn first_as_json(document: &Document) -> Option<serde_json::Value> {
    to_json(document.source(), &Node::Map(document.roots()[0].branch.clone()))
}

fn set_json(here: &mut serde_json::Value, path: &[Step], value: serde_json::Value) {
    use serde_json::Value::{Array, Object};
    let Some((step, rest)) = path.split_first() else {
        *here = value;
        return;
    };
    match step {
        Step::Key(key) => {
            if !here.is_object() {
                *here = Object(Default::default());
            }
            set_json(here.as_object_mut().unwrap().entry(key.clone()).or_insert(serde_json::Value::Null), rest, value);
        }
        Step::Index(index) => {
            if !here.is_array() {
                *here = Array(Vec::new());
            }
            let list = here.as_array_mut().unwrap();
            if *index >= list.len() {
                list.push(serde_json::Value::Null);
            }
            let index = (*index).min(list.len() - 1);
            set_json(&mut list[index], rest, value);
        }
    }
}

fn unset_json(here: &mut serde_json::Value, path: &[Step]) {
    let (last, parents) = path.split_last().unwrap();
    let parent = parents.iter().fold(here, |here, step| match step {
        Step::Key(key) => here.get_mut(key).unwrap(),
        Step::Index(index) => here.get_mut(*index).unwrap(),
    });
    match last {
        Step::Key(key) => drop(parent.as_object_mut().unwrap().shift_remove(key)),
        Step::Index(index) => drop(parent.as_array_mut().unwrap().remove(*index)),
    }
}

/// All paths of a document, one into nothing for every map, list and value.
fn paths(json: &serde_json::Value, path: &mut Vec<Step>, found: &mut Vec<Vec<Step>>) {
    let mut at = |step: Step, found: &mut Vec<Vec<Step>>, inner: Option<&serde_json::Value>| {
        path.push(step);
        found.push(path.clone());
        if let Some(inner) = inner {
            paths(inner, path, found);
        }
        path.pop();
    };
    match json {
        serde_json::Value::Object(map) => {
            map.iter().for_each(|(key, inner)| at(Step::Key(key.clone()), found, Some(inner)));
            at(Step::Key("new: key".into()), found, None);
        }
        serde_json::Value::Array(list) => {
            list.iter().enumerate().for_each(|(index, inner)| at(Step::Index(index), found, Some(inner)));
            at(Step::Index(list.len() + 3), found, None);
        }
        _ => at(Step::Key("in".into()), found, None),
    }
}

/// Makes every change there is to a document, and holds each against what it should have become.
fn every_change(document: &Document, name: &str) -> Vec<String> {
    let Some(json) = first_as_json(document) else { return Vec::new() };
    let mut all = Vec::new();
    paths(&json, &mut Vec::new(), &mut all);
    let mut complaints = Vec::new();
    let mut check =
        |what: String, path: &KeyPath, result: Result<Zeroizing<Vec<u8>>, ChangeError>, expected: serde_json::Value| {
            let bytes = match result {
                Ok(bytes) => bytes,
                Err(ChangeError::CannotHold { .. } | ChangeError::WrongStep { .. } | ChangeError::Anchored(_)) => {
                    return None;
                }
                // This section is there even when nothing is in it.
                Err(_) if document.format() == Format::Ini && path.0 == [Step::Key("DEFAULT".into())] => return None,
                Err(error) => {
                    complaints.push(format!("{name}: {what} {path}: {error}"));
                    return None;
                }
            };
            let changed = Document::parse(bytes.to_vec(), document.format()).unwrap();
            let others = |document: &Document| {
                let roots = document.roots().iter().skip(1);
                roots.map(|root| document.source()[root.branch.span.range()].to_vec()).collect::<Vec<_>>()
            };
            if first_as_json(&changed) != Some(expected) || others(document) != others(&changed) {
                complaints.push(format!("{name}: {what} {path} gives\n{}", String::from_utf8_lossy(&bytes)));
            }
            Some(bytes)
        };
    for path in all {
        let there = document.find(&KeyPath(path.clone())).ok();
        let path = KeyPath(path);
        for new in [
            "\"x: y\"",
            "\"\"",
            "7",
            "null",
            "\"two\\nlines\\n\"",
            "[]",
            "{}",
            "[1, {\"a\": \"b\"}]",
            "{\"k\": {\"l\": [null]}, \"m\": \"n\"}",
        ] {
            let mut expected = json.clone();
            let is_text = matches!(document.format(), Format::Dotenv | Format::Ini);
            let as_json: serde_json::Value = match (is_text, new) {
                (true, "7") => "7".into(),
                (true, "null") => "<nil>".into(),
                _ => serde_json::from_str(new).unwrap(),
            };
            set_json(&mut expected, &path.0, as_json);
            let bytes = check(format!("set {new} at"), &path, document.set(&path, &value(new)), expected);
            if let (Some(bytes), Some(Node::Leaf(old))) = (bytes, there)
                && !old.span.is_empty()
                && !new.starts_with(['[', '{'])
            {
                let (before, span) = (document.source(), old.span.range());
                assert!(
                    (bytes.starts_with(&before[..span.start]) && bytes.ends_with(&before[span.end..]))
                        || document.roots().iter().any(|root| any_alias(&root.branch)),
                    "{name}: set {new} at {path} changes more than the value"
                );
            }
        }
        if there.is_some() {
            let mut expected = json.clone();
            unset_json(&mut expected, &path.0);
            check("unset".into(), &path, document.unset(&path), expected);
        } else if document.format() != Format::Binary {
            assert!(document.unset(&path).is_err());
        }
    }
    complaints
}

#[test]
fn every_change_to_every_document_of_the_corpus_is_that_change_alone() {
    let mut folders = vec![repository("tests/documents")];
    let (mut complaints, mut documents) = (Vec::new(), 0);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let source = std::fs::read(&path).unwrap();
            let format = Format::of_path(&path);
            if path.extension().is_none_or(|extension| extension == "md") || source.len() > 5000 {
                continue;
            }
            let Ok(document) = Document::parse(source, format) else { continue };
            if document.roots().iter().any(|root| root.attachment.is_some()) {
                continue;
            }
            documents += 1;
            complaints.extend(every_change(&document, &path.file_name().unwrap().to_string_lossy()));
        }
    }
    assert!(documents > 150, "only {documents} documents");
    assert!(complaints.is_empty(), "{} of {documents} documents:\n{}", complaints.len(), complaints.join("\n"));
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        (-5i64..99).prop_map(Into::into),
        "[a-z:#' -]{0,6}".prop_map(Into::into),
        "([a-z#\t ]{0,3}\n){1,3}[a-z]{0,2}".prop_map(Into::into),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            proptest::collection::vec(("[a-z#: -]{0,4}", inner), 0..4)
                .prop_map(|entries| serde_json::Value::Object(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    // The same documents in every run, so that what fails fails again; PROPTEST_CASES makes it more of them.
    #![proptest_config(ProptestConfig { cases: 64, max_global_rejects: 1 << 20, failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(1), ..ProptestConfig::default() })]

    #[test]
    fn every_change_to_a_random_document_is_that_change_alone(
        entries in proptest::collection::vec(("[a-z]{1,3}", any_json()), 0..4),
        indent in 0usize..6,
        comments in proptest::collection::vec((0usize..40, 0usize..6, any::<bool>()), 0..4),
        (yaml, crlf, open_end) in any::<(bool, bool, bool)>(),
    ) {
        let json = serde_json::Value::Object(entries.into_iter().collect()).to_string();
        let made = parse(&json, Format::Json);
        let format = if yaml { Format::Yaml } else { Format::Json };
        // Indented by 1: on one line.
        let bytes = match indent {
            1 => json.into_bytes(),
            _ => emit(&made, format, Indent::Blanks(indent)).unwrap().to_vec(),
        };
        let mut lines: Vec<String> = String::from_utf8(bytes).unwrap().split('\n').map(str::to_owned).collect();
        for (line, column, inline) in comments.into_iter().filter(|_| yaml) {
            let line = line % lines.len();
            match inline {
                true => lines[line].push_str(" # c"),
                false => lines.insert(line, format!("{}# c", " ".repeat(column))),
            }
        }
        let text = lines.join(if crlf { "\r\n" } else { "\n" });
        let text = if open_end { text.trim_end() } else { &text };
        let Ok(document) = Document::parse(text.as_bytes().to_vec(), format) else { return Ok(()) };
        let complaints = every_change(&document, "random");
        prop_assert!(complaints.is_empty(), "{text}\n{}", complaints.join("\n"));
    }
}
