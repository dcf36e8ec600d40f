//! Kind, apiVersion, name and namespace of a Kubernetes object.

use crate::document::{Branch, Document, Node, Scalar};

/// What identifies a Kubernetes object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// `apiVersion`
    pub api_version: String,
    /// `kind`
    pub kind: String,
    /// `metadata.name`; `generateName` counts as well.
    pub name: Option<String>,
    /// `metadata.namespace`
    pub namespace: Option<String>,
}

impl Object {
    /// Reads an object's identity; `None` where the map is no Kubernetes object.
    pub fn of(document: &Document, branch: &Branch) -> Option<Self> {
        let metadata = match entry(document, branch, "metadata") {
            Some(Node::Map(metadata)) => Some(metadata),
            _ => None,
        };
        let in_metadata = |name| metadata.and_then(|metadata| text(document, metadata, name));
        Some(Self {
            api_version: text(document, branch, "apiVersion")?,
            kind: text(document, branch, "kind")?,
            name: in_metadata("name").or_else(|| in_metadata("generateName")),
            namespace: in_metadata("namespace"),
        })
    }

    /// Whether it is a Secret.
    pub fn is_secret(&self) -> bool {
        self.api_version == "v1" && self.kind == "Secret"
    }
}

impl std::fmt::Display for Object {
    /// `Secret prod/db`
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.kind)?;
        match (&self.namespace, &self.name) {
            (Some(namespace), Some(name)) => write!(f, " {namespace}/{name}"),
            (None, Some(name)) => write!(f, " {name}"),
            (_, None) => Ok(()),
        }
    }
}

/// The entry `name` of a map, aliases resolved.
pub(super) fn entry<'d>(document: &'d Document, branch: &'d Branch, name: &str) -> Option<&'d Node> {
    let named = |item: &&crate::document::Item| {
        item.key.as_ref().is_some_and(|key| document.text(&key.text) == name.as_bytes())
    };
    branch.items.iter().find(named).map(|item| item.node.resolved())
}

fn text(document: &Document, branch: &Branch, name: &str) -> Option<String> {
    match entry(document, branch, name)? {
        Node::Leaf(leaf) => match &leaf.scalar {
            Scalar::Str(text) => Some(String::from_utf8_lossy(document.text(text)).into_owned()),
            _ => None,
        },
        _ => None,
    }
}
