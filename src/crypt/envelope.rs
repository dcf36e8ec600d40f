//! The envelope: the block `sops` of a file, read from and written to plain data.
//!
//! It holds no secret bytes. Where it stands in a file is the business of [`document`](crate::document); how a data key
//! is wrapped, that of [`KeyService`](super::KeyService). Source: sops, `stores/stores.go`; vectors in `tests/sops`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::key_service::WrappedKey;
use super::recipient::{Kind, Recipient};
use super::selection::{SelectionRule, TooManySelections};

/// The sops version whose format this is; new files name it.
pub const SOPS_VERSION: &str = "3.13.3";
/// The field for what sops has no field for; sops ignores it and drops it when it rewrites.
const SEAL: &str = "seal";

/// Who may read a file, and what its MAC is.
#[derive(Debug, Clone)]
pub struct Envelope {
    /// Wrapped keys by key group. With one group each wraps the data key, with more a share of it.
    pub groups: Vec<Vec<WrappedKey>>,
    /// How many groups are needed; `None` where it is not written.
    pub threshold: Option<usize>,
    /// When it was last encrypted, RFC 3339 in whole seconds: additional data of the MAC.
    pub last_modified: String,
    /// The encrypted MAC; may be empty.
    pub mac: String,
    /// The selection as written; `None` stands for the default.
    pub selection: Option<SelectionRule>,
    /// Whether the MAC is over the encrypted values alone.
    pub mac_only_encrypted: bool,
    /// The version of the sops that wrote it.
    pub version: String,
    /// The encrypted layout, if there is one.
    pub seal: Option<String>,
    /// As it was found: order, unknown fields, and the form of each wrapped key.
    found: Map<String, Value>,
}

/// Why an envelope cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// There is none.
    #[error("sops metadata not found: the file is not encrypted")]
    Missing,
    /// It is not a map.
    #[error("its entry `sops` is not an envelope")]
    NotAnEnvelope,
    /// A field is missing or not of its form.
    #[error("its envelope is damaged: {0}")]
    Field(String),
    /// It has no wrapped key.
    #[error("No keys found in file: its envelope names no recipient")]
    NoKeys,
    /// Several selections.
    #[error("its envelope has several selections: {0}")]
    Selections(#[from] TooManySelections),
    /// The version is not three numbers.
    #[error("its envelope has an unknown version `{0}`; it must be three numbers with dots")]
    Version(String),
}

impl Envelope {
    /// An envelope for a new file; MAC and time are filled in when it is encrypted.
    pub fn new(
        groups: Vec<Vec<WrappedKey>>,
        threshold: Option<usize>,
        selection: Option<SelectionRule>,
        mac_only_encrypted: bool,
    ) -> Self {
        Self {
            groups,
            threshold,
            last_modified: String::new(),
            mac: String::new(),
            selection,
            mac_only_encrypted,
            version: SOPS_VERSION.into(),
            seal: None,
            found: Map::new(),
        }
    }

    /// Reads an envelope as leniently as sops does: any order, numbers and booleans also as text, unknown fields kept.
    pub fn from_map(map: &Map<String, Value>) -> Result<Self, EnvelopeError> {
        let text = |name: &str| -> Result<Option<String>, EnvelopeError> { field_text(map, name) };
        let mut groups = Vec::new();
        let flat = group_from(map)?;
        if !flat.is_empty() {
            groups.push(flat);
        } else if let Some(listed) = map.get("key_groups").filter(|value| !value.is_null()) {
            for group in listed.as_array().ok_or_else(|| damaged("key_groups is not a list"))? {
                groups.push(group_from(group.as_object().ok_or_else(|| damaged("a key group is not a map"))?)?);
            }
        }
        if groups.iter().all(Vec::is_empty) {
            return Err(EnvelopeError::NoKeys);
        }
        let threshold = match map.get("shamir_threshold") {
            None | Some(Value::Null) => None,
            Some(value) => {
                let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
                Some(number.ok_or_else(|| damaged("shamir_threshold is not a number"))? as usize).filter(|n| *n > 0)
            }
        };
        let mac_only_encrypted = match map.get("mac_only_encrypted") {
            None | Some(Value::Null) => false,
            Some(Value::Bool(value)) => *value,
            Some(Value::String(word)) if word == "true" => true,
            Some(Value::String(word)) if word == "false" => false,
            Some(_) => return Err(damaged("mac_only_encrypted is neither true nor false")),
        };
        let mut fields = [const { None }; 6];
        for (field, name) in fields.iter_mut().zip(SelectionRule::FIELDS) {
            *field = text(name)?;
        }
        let version = text("version")?.unwrap_or_default();
        let parts: Vec<_> = version.split('.').collect();
        if parts.len() < 3 || parts[..2].iter().any(|part| part.parse::<u64>().is_err()) || !starts_with_digit(parts[2])
        {
            return Err(EnvelopeError::Version(version));
        }
        let last_modified = text("lastmodified")?.unwrap_or_default();
        Ok(Self {
            groups,
            threshold,
            last_modified: whole_seconds(&last_modified)
                .ok_or_else(|| damaged("lastmodified is not a time in RFC 3339"))?,
            mac: text("mac")?.unwrap_or_default(),
            selection: SelectionRule::from_fields(fields)?,
            mac_only_encrypted,
            version,
            seal: text(SEAL)?.filter(|text| !text.is_empty()),
            found: map.clone(),
        })
    }

    /// The envelope as data, fields in the order they were found in; new envelopes are sorted by name, as sops sorts them.
    pub fn to_map(&self) -> Map<String, Value> {
        let sorted = self.found.keys().is_sorted();
        let mut map = self.found.clone();
        let mut set = |name: &str, value: Option<Value>| match value {
            Some(value) => {
                map.insert(name.to_owned(), value);
            }
            None => {
                map.shift_remove(name);
            }
        };
        if let [group] = self.groups.as_slice() {
            set("key_groups", None);
            for kind in Kind::ALL {
                let name = kind.envelope_name();
                let list = self.wrapped_list(group, kind, self.found.get(name), sorted);
                // Old writers name empty lists, too; they stay as they are.
                let keep = !list.is_empty() || self.found.get(name).is_some_and(is_empty_list);
                set(name, keep.then_some(Value::Array(list)));
            }
        } else {
            for kind in Kind::ALL {
                set(kind.envelope_name(), None);
            }
            let found = self.found.get("key_groups").and_then(Value::as_array);
            let groups = self.groups.iter().enumerate().map(|(index, group)| {
                let found = found.and_then(|groups| groups.get(index)).and_then(Value::as_object);
                let mut map = Map::new();
                for kind in [
                    Kind::Pgp,
                    Kind::AwsKms,
                    Kind::GcpKms,
                    Kind::HuaweiKms,
                    Kind::AzureKeyVault,
                    Kind::VaultTransit,
                    Kind::Age,
                ] {
                    let name = kind.envelope_name();
                    let list = self.wrapped_list(group, kind, found.and_then(|map| map.get(name)), sorted);
                    // sops writes these two even when they are empty.
                    if !list.is_empty() || matches!(kind, Kind::VaultTransit | Kind::Age) {
                        map.insert(name.to_owned(), Value::Array(list));
                    }
                }
                if sorted {
                    map.sort_keys();
                }
                Value::Object(map)
            });
            set("key_groups", Some(Value::Array(groups.collect())));
        }
        let as_found = |name: &str, value: Value| match self.found.get(name) {
            Some(Value::String(_)) if !value.is_string() => Value::String(value.to_string()),
            _ => value,
        };
        set("shamir_threshold", self.threshold.map(|n| as_found("shamir_threshold", Value::from(n))));
        set("lastmodified", Some(Value::String(self.last_modified.clone())));
        set("mac", Some(Value::String(self.mac.clone())));
        for name in SelectionRule::FIELDS {
            let here = self.selection.as_ref().filter(|rule| rule.field() == name);
            set(name, here.map(|rule| Value::String(rule.text().to_owned())));
        }
        let only = self.mac_only_encrypted.then(|| as_found("mac_only_encrypted", Value::Bool(true)));
        set("mac_only_encrypted", only);
        set("version", Some(Value::String(self.version.clone())));
        set(SEAL, self.seal.clone().map(Value::String));
        if sorted {
            map.sort_keys();
        }
        map
    }

    /// All wrapped keys, group by group.
    pub fn wrapped_keys(&self) -> impl Iterator<Item = &WrappedKey> {
        self.groups.iter().flatten()
    }

    /// The wrapped keys of one kind as data; those that were found in the same form are taken over with all they say.
    fn wrapped_list(&self, group: &[WrappedKey], kind: Kind, found: Option<&Value>, sorted: bool) -> Vec<Value> {
        let found = found.and_then(Value::as_array);
        let of_kind = group.iter().filter(|key| key.recipient.kind() == kind);
        of_kind
            .map(|key| {
                let same = |value: &&Value| {
                    value.as_object().and_then(|map| wrapped_from(kind, map).ok()).is_some_and(|other| other == *key)
                };
                match found.and_then(|list| list.iter().find(same)) {
                    Some(value) => value.clone(),
                    None => {
                        let mut map = wrapped_to(key);
                        if sorted {
                            map.sort_keys();
                        }
                        Value::Object(map)
                    }
                }
            })
            .collect()
    }
}

fn damaged(what: impl Into<String>) -> EnvelopeError {
    EnvelopeError::Field(what.into())
}

fn starts_with_digit(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
}

fn is_empty_list(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty)
}

/// A field that is text; numbers and booleans are taken as text, too.
fn field_text(map: &Map<String, Value>, name: &str) -> Result<Option<String>, EnvelopeError> {
    match map.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(value @ (Value::Number(_) | Value::Bool(_))) => Ok(Some(value.to_string())),
        Some(_) => Err(damaged(format!("{name} is not a text"))),
    }
}

/// RFC 3339 without fraction, and `Z` for a zero offset: how sops writes the time that the MAC is bound to.
fn whole_seconds(text: &str) -> Option<String> {
    text.parse::<jiff::Timestamp>().ok()?;
    let (date, time) = text.split_at_checked(10)?;
    let zone_at = time.find(['Z', 'z', '+', '-'])?;
    let (clock, zone) = time.split_at(zone_at);
    let clock = clock.split('.').next()?;
    let zone = if matches!(zone, "+00:00" | "-00:00" | "z") { "Z" } else { zone };
    Some(format!("{date}{}{zone}", clock.replace(['t', ' '], "T")))
}

/// The wrapped keys of a group, in the order sops reads them.
fn group_from(map: &Map<String, Value>) -> Result<Vec<WrappedKey>, EnvelopeError> {
    let mut group = Vec::new();
    for kind in Kind::ALL {
        let name = kind.envelope_name();
        match map.get(name) {
            None | Some(Value::Null) => {}
            Some(Value::Array(list)) => {
                for item in list {
                    let item = item.as_object().ok_or_else(|| damaged(format!("an entry of {name} is not a map")))?;
                    group.push(wrapped_from(kind, item)?);
                }
            }
            Some(_) => return Err(damaged(format!("{name} is not a list"))),
        }
    }
    Ok(group)
}

fn wrapped_from(kind: Kind, map: &Map<String, Value>) -> Result<WrappedKey, EnvelopeError> {
    let text = |name: &str| field_text(map, name).map(Option::unwrap_or_default);
    let recipient = match kind {
        Kind::Age => Recipient::Age(text("recipient")?),
        Kind::Pgp => Recipient::Pgp(text("fp")?),
        Kind::AwsKms => {
            let mut context = BTreeMap::new();
            if let Some(Value::Object(entries)) = map.get("context") {
                for name in entries.keys() {
                    context.insert(name.clone(), field_text(entries, name)?.unwrap_or_default());
                }
            }
            let role = Some(text("role")?).filter(|role| !role.is_empty());
            Recipient::AwsKms { arn: text("arn")?, role, context, profile: text("aws_profile")? }
        }
        Kind::GcpKms => Recipient::GcpKms(text("resource_id")?),
        Kind::HuaweiKms => Recipient::HuaweiKms(text("key_id")?),
        Kind::AzureKeyVault => {
            Recipient::AzureKeyVault { vault_url: text("vault_url")?, name: text("name")?, version: text("version")? }
        }
        Kind::VaultTransit => Recipient::VaultTransit {
            address: text("vault_address")?,
            engine_path: text("engine_path")?,
            key_name: text("key_name")?,
        },
    };
    let created_at = field_text(map, "created_at")?.filter(|_| kind != Kind::Age);
    Ok(WrappedKey { recipient, enc: text("enc")?, created_at })
}

fn wrapped_to(key: &WrappedKey) -> Map<String, Value> {
    let mut map = Map::new();
    let mut set = |name: &str, text: &str| {
        map.insert(name.to_owned(), Value::String(text.to_owned()));
    };
    match &key.recipient {
        Recipient::Age(recipient) => set("recipient", recipient),
        Recipient::Pgp(fingerprint) => set("fp", fingerprint),
        Recipient::AwsKms { arn, role, profile, .. } => {
            set("arn", arn);
            if let Some(role) = role {
                set("role", role);
            }
            set("aws_profile", profile);
        }
        Recipient::GcpKms(id) => set("resource_id", id),
        Recipient::HuaweiKms(id) => set("key_id", id),
        Recipient::AzureKeyVault { vault_url, name, version } => {
            set("vault_url", vault_url);
            set("name", name);
            set("version", version);
        }
        Recipient::VaultTransit { address, engine_path, key_name } => {
            set("vault_address", address);
            set("engine_path", engine_path);
            set("key_name", key_name);
        }
    }
    set("enc", &key.enc);
    if let Some(created_at) = &key.created_at {
        set("created_at", created_at);
    }
    if let Recipient::AwsKms { context, .. } = &key.recipient
        && !context.is_empty()
    {
        let context = context.iter().map(|(name, value)| (name.clone(), Value::String(value.clone()))).collect();
        map.insert("context".to_owned(), Value::Object(context));
    }
    map
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn envelope() -> Value {
        json!({
            "age": [{"enc": "-----BEGIN…\n", "note": "mine", "recipient": "age1x"}],
            "lastmodified": "2026-11-24T08:38:43.5+00:00",
            "mac": "ENC[…]",
            "shamir_threshold": "2",
            "tool": {"of": "others"},
            "version": "3.9.0",
        })
    }

    #[test]
    fn keeps_what_it_does_not_know_and_the_order_it_finds() {
        let found = envelope();
        let read = Envelope::from_map(found.as_object().unwrap()).unwrap();
        assert_eq!(read.last_modified, "2026-11-24T08:38:43Z");
        assert_eq!(read.threshold, Some(2));
        let mut expected = found.clone();
        expected["lastmodified"] = json!("2026-11-24T08:38:43Z");
        assert_eq!(serde_json::to_string(&read.to_map()).unwrap(), expected.to_string());
    }

    #[test]
    fn old_order_stays() {
        let found = json!({
            "kms": [], "age": [{"recipient": "age1x", "enc": "e"}], "lastmodified": "2026-11-24T08:38:43Z",
            "mac": "ENC[…]", "pgp": [], "version": "3.8.0",
        });
        let read = Envelope::from_map(found.as_object().unwrap()).unwrap();
        assert_eq!(serde_json::to_string(&read.to_map()).unwrap(), found.to_string());
    }

    #[test]
    fn damaged_envelopes_are_errors() {
        for (field, value) in [
            ("version", json!("3.9")),
            ("version", json!("")),
            ("lastmodified", json!("yesterday")),
            ("age", json!([])),
            ("age", json!("x")),
            ("shamir_threshold", json!("two")),
            ("mac_only_encrypted", json!("perhaps")),
            ("mac", json!({})),
        ] {
            let mut found = envelope();
            found[field] = value;
            assert!(Envelope::from_map(found.as_object().unwrap()).is_err(), "{field}");
        }
        let mut two = envelope();
        two["encrypted_regex"] = json!("a");
        two["encrypted_suffix"] = json!("b");
        assert!(matches!(Envelope::from_map(two.as_object().unwrap()), Err(EnvelopeError::Selections(_))));
    }

    #[test]
    fn groups_come_back_in_their_own_form() {
        let key = |name: &str| WrappedKey { recipient: Recipient::Age(name.into()), enc: "e".into(), created_at: None };
        let mut envelope = Envelope::new(vec![vec![key("age1a")], vec![key("age1b")]], Some(2), None, false);
        envelope.last_modified = "2026-11-24T08:38:43Z".into();
        let back = Envelope::from_map(&envelope.to_map()).unwrap();
        assert_eq!((back.groups, back.threshold), (envelope.groups, Some(2)));
    }
}
