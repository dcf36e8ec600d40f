//! Literals of workloads and ConfigMaps: environment, arguments, values whose names say that they are secret.

use super::Rules;
use super::object::{Literal, Object};
use crate::document::{Branch, Node, Step};
use crate::scan::structure::stand_in;
use crate::scan::{Confidence, Note, Seen, Value};

const IN_WORKLOAD: Note =
    Note::Says("a literal of a workload: move it to a Secret, and refer to that with valueFrom.secretKeyRef");
const IN_CONFIG_MAP: Note = Note::Says("a ConfigMap is not secret: move it to a Secret");

/// Looks at the environment and arguments of all containers of an object, wherever they are in it.
pub fn look(rules: &Rules, object: &Object<'_>, seen: &mut Seen<'_>) {
    walk(object, object.branch, &mut Vec::new(), &mut |branch, steps| {
        let variables = object.list(branch, "env");
        for (index, variable) in variables.into_iter().enumerate() {
            let Node::Map(map) = variable.resolved() else { continue };
            let name = object.entry(map, "name").and_then(|item| object.text(&item.node));
            let value = object.entry(map, "value").and_then(|item| object.literal(&item.node));
            let (Some(name), Some(literal)) = (name, value) else { continue };
            let path = [Step::Key("env".into()), Step::Index(index), Step::Key("value".into())];
            let key_path = object.path_of(steps.iter().cloned().chain(path));
            let otherwise =
                if is_credential(name, &literal) { rules.env.find(&literal, Confidence::Medium) } else { None };
            seen.values.push(Value { span: literal.span.clone(), key_path, note: Some(IN_WORKLOAD), otherwise });
        }
        for list in ["command", "args"] {
            let mut flag = None;
            for (index, word) in object.list(branch, list).into_iter().enumerate() {
                let Some(literal) = object.literal(word) else { continue };
                let path = [Step::Key(list.into()), Step::Index(index)];
                let key_path = object.path_of(steps.iter().cloned().chain(path));
                let (name, value) = match (flag.take(), assigned(&literal)) {
                    (_, Some((name, value))) => (name, value),
                    (Some(name), None) => (name, literal.part(0..literal.text.len())),
                    (None, None) => {
                        // The name of a flag, whose value is the next word.
                        flag = literal.text.strip_prefix(b"-").map(|name| name.to_vec());
                        continue;
                    }
                };
                let otherwise =
                    if is_credential(&name, &value) { rules.env.find(&value, Confidence::Medium) } else { None };
                seen.values.push(Value { span: value.span, key_path, note: Some(IN_WORKLOAD), otherwise });
            }
        }
    });
}

/// Looks at a ConfigMap.
pub fn config_map(rules: &Rules, object: &Object<'_>, seen: &mut Seen<'_>) {
    let Some(data) = object.map(object.branch, "data") else { return };
    for (key, item) in object.entries(data) {
        let Some(literal) = object.literal(&item.node) else { continue };
        let key_path = object.path(&["data", key]);
        let rule = &rules.config_map;
        let otherwise =
            if is_credential(key.as_bytes(), &literal) { rule.find(&literal, Confidence::Medium) } else { None };
        if !literal.is_as_written && seen.budget.take(literal.text.len()) {
            seen.inner.push(literal.inner(Some(key_path.clone())));
        }
        seen.values.push(Value { span: literal.span.clone(), key_path, note: Some(IN_CONFIG_MAP), otherwise });
    }
}

/// Whether a name and a value together are a credential in clear.
fn is_credential(name: &[u8], literal: &Literal<'_>) -> bool {
    let value = literal.text.trim_ascii();
    let is_word = |words: &[&str]| words.iter().any(|word| value.eq_ignore_ascii_case(word.as_bytes()));
    stand_in::is_secret_name(name)
        && !stand_in::is_reference(value)
        && value.len() >= 3
        && !value.contains(&b'\n')
        && !value.starts_with(b"/")
        && !value.starts_with(b"./")
        // Those that have a password in them are found as URLs.
        && memchr::memmem::find(value, b"://").is_none()
        && !is_word(&["true", "false", "yes", "no", "none", "null", "enabled", "disabled"])
}

/// `--name=value`: the name, and the value as a literal of its own.
fn assigned<'d>(literal: &Literal<'d>) -> Option<(Vec<u8>, Literal<'d>)> {
    if !literal.text.starts_with(b"-") {
        return None;
    }
    let equals = memchr::memchr(b'=', &literal.text)?;
    Some((literal.text[..equals].to_vec(), literal.part(equals + 1..literal.text.len())))
}

/// Calls `each` with every map of an object and the steps to it.
fn walk<'d>(
    object: &Object<'d>,
    branch: &'d Branch,
    steps: &mut Vec<Step>,
    each: &mut impl FnMut(&'d Branch, &[Step]),
) {
    each(branch, steps);
    for (key, item) in object.entries(branch) {
        steps.push(Step::Key(key.to_owned()));
        match item.node.resolved() {
            Node::Map(map) => walk(object, map, steps, each),
            Node::List(list) => {
                let items = list.items.iter().filter(|item| !matches!(item.node, Node::Comment(_)));
                for (index, item) in items.enumerate() {
                    if let Node::Map(map) = item.node.resolved() {
                        steps.push(Step::Index(index));
                        walk(object, map, steps, each);
                        steps.pop();
                    }
                }
            }
            _ => {}
        }
        steps.pop();
    }
}
