//! Terraform state: values that Terraform itself calls sensitive, and those whose names do.

use std::collections::HashSet;

use super::stand_in;
use crate::document::{Branch, Document, Format, KeyPath, Leaf, Node, Scalar, Step};
use crate::scan::{Candidate, Confidence, Detector, Hit, Reach, RuleIndex, Ruleset, Text};

/// Finds secrets in Terraform state.
pub struct TerraformState {
    rule: Option<RuleIndex>,
}

impl TerraformState {
    /// One for the rules in force.
    pub fn new(rules: &Ruleset) -> Self {
        Self { rule: rules.index("terraform-state") }
    }
}

impl Detector for TerraformState {
    fn keywords(&self) -> &[&str] {
        &["\"terraform_version\""]
    }

    fn reach(&self) -> Reach {
        Reach::Document
    }

    fn find(&self, text: &Text<'_>, _: &[Hit], found: &mut Vec<Candidate>) {
        let Some(rule) = self.rule.filter(|_| text.bytes.trim_ascii_start().starts_with(b"{")) else { return };
        let Ok(document) = Document::parse(text.bytes.to_vec(), Format::Json) else { return };
        let Some(root) = document.roots().first() else { return };
        let mut state = State { document: &document, rule, path: KeyPath::default(), found };
        for (name, output) in state.maps(&root.branch, "outputs") {
            let is_sensitive = state.entry(output, "sensitive").is_some_and(|node| state.says_true(node));
            if let Some(value) = state.entry(output, "value").filter(|_| is_sensitive) {
                state.path = KeyPath(vec![Step::Key("outputs".into()), Step::Key(name), Step::Key("value".into())]);
                state.all(value, true, &HashSet::new());
            }
        }
        let Some(Node::List(resources)) = state.entry(&root.branch, "resources") else { return };
        for (number, resource) in resources.items.iter().enumerate() {
            let Node::Map(resource) = &resource.node else { continue };
            let Some(Node::List(instances)) = state.entry(resource, "instances") else { continue };
            for (instance_number, instance) in instances.items.iter().enumerate() {
                let Node::Map(instance) = &instance.node else { continue };
                let sensitive = state.sensitive(instance);
                let Some(attributes) = state.entry(instance, "attributes") else { continue };
                state.path = KeyPath(vec![
                    Step::Key("resources".into()),
                    Step::Index(number),
                    Step::Key("instances".into()),
                    Step::Index(instance_number),
                    Step::Key("attributes".into()),
                ]);
                state.all(attributes, false, &sensitive);
            }
        }
    }
}

struct State<'d, 'f> {
    document: &'d Document,
    rule: RuleIndex,
    path: KeyPath,
    found: &'f mut Vec<Candidate>,
}

impl<'d> State<'d, '_> {
    fn entry(&self, map: &'d Branch, name: &str) -> Option<&'d Node> {
        let named = |item: &&crate::document::Item| {
            item.key.as_ref().is_some_and(|key| self.document.text(&key.text) == name.as_bytes())
        };
        map.items.iter().find(named).map(|item| &item.node)
    }

    /// The maps in the map of this name, with their names.
    fn maps(&self, map: &'d Branch, name: &str) -> Vec<(String, &'d Branch)> {
        let Some(Node::Map(map)) = self.entry(map, name) else { return Vec::new() };
        let named = |item: &'d crate::document::Item| match (&item.key, &item.node) {
            (Some(key), Node::Map(map)) => Some((self.name(key), map)),
            _ => None,
        };
        map.items.iter().filter_map(named).collect()
    }

    fn name(&self, key: &crate::document::Key) -> String {
        String::from_utf8_lossy(self.document.text(&key.text)).into_owned()
    }

    fn says_true(&self, node: &Node) -> bool {
        matches!(node, Node::Leaf(Leaf { scalar: Scalar::Bool(true), .. }))
    }

    /// The attributes that are marked: the first step of each of `sensitive_attributes`.
    ///
    /// Written as `[[{"type": "get_attr", "value": "password"}]]`, and as names by older versions.
    fn sensitive(&self, instance: &'d Branch) -> HashSet<Vec<u8>> {
        let Some(Node::List(paths)) = self.entry(instance, "sensitive_attributes") else { return HashSet::new() };
        let text = |node: &'d Node| match node {
            Node::Leaf(Leaf { scalar: Scalar::Str(text), .. }) => Some(self.document.text(text).to_vec()),
            _ => None,
        };
        let first = |item: &'d crate::document::Item| match &item.node {
            Node::List(steps) => match &steps.items.first()?.node {
                Node::Map(step) => text(self.entry(step, "value")?),
                _ => None,
            },
            node => text(node),
        };
        paths.items.iter().filter_map(first).collect()
    }

    /// Adds what is secret in a node: all of it where `is_secret`, else what is named or marked so.
    fn all(&mut self, node: &'d Node, is_secret: bool, marked: &HashSet<Vec<u8>>) {
        match node {
            Node::Leaf(leaf) if is_secret => self.leaf(leaf),
            Node::Map(map) => {
                for item in &map.items {
                    let Some(key) = &item.key else { continue };
                    let name = self.document.text(&key.text);
                    let is_secret = is_secret || marked.contains(name) || stand_in::is_secret_name(name);
                    self.path.0.push(Step::Key(self.name(key)));
                    self.all(&item.node, is_secret, &HashSet::new());
                    self.path.0.pop();
                }
            }
            Node::List(list) => {
                for (index, item) in list.items.iter().enumerate() {
                    self.path.0.push(Step::Index(index));
                    self.all(&item.node, is_secret, marked);
                    self.path.0.pop();
                }
            }
            _ => {}
        }
    }

    fn leaf(&mut self, leaf: &Leaf) {
        if !matches!(leaf.scalar, Scalar::Str(_)) {
            return;
        }
        let quoted = leaf.span.range();
        let span = quoted.start + 1..quoted.end - 1;
        if let Some(mut candidate) = stand_in::candidate(self.rule, self.document.source(), span, Confidence::High) {
            candidate.key_path = Some(self.path.to_string());
            self.found.push(candidate);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{candidates, engine, found};

    #[test]
    fn what_is_marked_or_named_secret() {
        let engine = engine(&["terraform-state"]);
        let text = r#"{"version": 4, "terraform_version": "1.9.0",
          "outputs": {"dsn": {"value": "canary-dsn-7", "type": "string", "sensitive": true}, "url": {"value": "canary-url"}},
          "resources": [{"type": "x", "instances": [{
            "attributes": {"id": "i-1", "password": "hunter2canary", "blob": {"a": ["canary-blob-9"]}, "secret_name": "n", "token": ""},
            "sensitive_attributes": [[{"type": "get_attr", "value": "blob"}]]}]}]}"#;
        let secrets: Vec<_> = found(&engine, text).into_iter().map(|found| found.1).collect();
        assert_eq!(secrets, ["canary-dsn-7", "hunter2canary", "canary-blob-9"]);
        let path = candidates(&engine, text)[2].key_path.clone();
        assert_eq!(path.as_deref(), Some("resources[0].instances[0].attributes.blob.a[0]"));
        assert_eq!(found(&engine, r#"{"terraform_version": "1.9.0", "resources": []}"#), []);
        assert_eq!(found(&engine, r#"see "terraform_version" and "password": "hunter2""#), []);
    }
}
