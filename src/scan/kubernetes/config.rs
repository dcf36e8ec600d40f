//! Configuration of clients and of the API server: kubeconfigs and the keys that encrypt Secrets at rest.

use super::object::{Literal, Object};
use super::{Named, Rules};
use crate::document::{Node, Step};
use crate::scan::structure::stand_in;
use crate::scan::{Note, Seen};

/// Looks at a kubeconfig.
pub fn kubeconfig(rules: &Rules, object: &Object<'_>, seen: &mut Seen<'_>) {
    for (index, user) in object.list(object.branch, "users").into_iter().enumerate() {
        let Node::Map(entry) = user.resolved() else { continue };
        let Some(user) = object.map(entry, "user") else { continue };
        let path = |rest: &[Step]| {
            let start = [Step::Key("users".into()), Step::Index(index), Step::Key("user".into())];
            object.path_of(start.into_iter().chain(rest.iter().cloned()))
        };
        for (name, rule) in [
            ("token", &rules.kubeconfig_token),
            ("client-key-data", &rules.kubeconfig_key),
            ("password", &rules.kubeconfig_password),
        ] {
            let literal = object.entry(user, name).and_then(|item| object.literal(&item.node));
            add(rule, literal, path(&[Step::Key(name.into())]), seen);
        }
        let Some(exec) = object.map(user, "exec") else { continue };
        for (index, variable) in object.list(exec, "env").into_iter().enumerate() {
            let Node::Map(variable) = variable.resolved() else { continue };
            let name = object.entry(variable, "name").and_then(|item| object.text(&item.node)).unwrap_or_default();
            if stand_in::is_secret_name(name) {
                let literal = object.entry(variable, "value").and_then(|item| object.literal(&item.node));
                let rest =
                    [Step::Key("exec".into()), Step::Key("env".into()), Step::Index(index), Step::Key("value".into())];
                add(&rules.kubeconfig_token, literal, path(&rest), seen);
            }
        }
    }
}

/// Looks at the keys of an EncryptionConfiguration.
pub fn encryption(rules: &Rules, object: &Object<'_>, seen: &mut Seen<'_>) {
    for (index, resource) in object.list(object.branch, "resources").into_iter().enumerate() {
        let Node::Map(resource) = resource.resolved() else { continue };
        for (provider_index, provider) in object.list(resource, "providers").into_iter().enumerate() {
            let Node::Map(provider) = provider.resolved() else { continue };
            for kind in ["aescbc", "aesgcm", "secretbox"] {
                let Some(map) = object.map(provider, kind) else { continue };
                for (key_index, key) in object.list(map, "keys").into_iter().enumerate() {
                    let Node::Map(key) = key.resolved() else { continue };
                    let literal = object.entry(key, "secret").and_then(|item| object.literal(&item.node));
                    let path = object.path_of([
                        Step::Key("resources".into()),
                        Step::Index(index),
                        Step::Key("providers".into()),
                        Step::Index(provider_index),
                        Step::Key(kind.into()),
                        Step::Key("keys".into()),
                        Step::Index(key_index),
                        Step::Key("secret".into()),
                    ]);
                    add(&rules.etcd, literal, path, seen);
                }
            }
        }
    }
}

fn add(rule: &Named, literal: Option<Literal<'_>>, key_path: String, seen: &mut Seen<'_>) {
    if let Some(literal) = literal {
        rule.value(&literal, key_path, None::<Note>, seen);
    }
}
