//! What `seal diff` says of one file, in lines and as JSON. How versions are compared is in [`diff`](super::diff).

use serde_json::json;

use super::failure::short;
use super::shown;
use crate::crypt::{Plaintext, Recipient};
use crate::document::{Change, ChangeKind};
use crate::host::shown_bytes;

/// What became of one file.
pub(super) struct Diff {
    pub(super) path: String,
    /// Whether the values themselves were compared.
    pub(super) by_value: bool,
    pub(super) fate: Fate,
    pub(super) values: Vec<Value>,
    /// How many values are the same as before, in another ciphertext.
    pub(super) anew: usize,
    /// Whether comments or layout changed, and nothing else.
    pub(super) layout: bool,
    pub(super) readers: (Vec<Recipient>, Vec<Recipient>),
    /// Changes of the envelope that are no readers.
    pub(super) envelope: Vec<&'static str>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Stays,
    New,
    Gone,
    /// It was plain and is encrypted now.
    Sealed,
    /// It was encrypted and is plain now.
    Opened,
    /// It was encrypted, and what it is now cannot be read.
    Unreadable,
}

/// A value that changed.
pub(super) struct Value {
    pub(super) change: Change,
    /// How many bytes it had and has, where it is a single value.
    pub(super) bytes: (Option<usize>, Option<usize>),
    /// Whether it may be the same value in another ciphertext.
    pub(super) perhaps_same: bool,
    /// The values themselves, if asked for.
    pub(super) shown: Option<(Plaintext, Plaintext)>,
    /// In which document, where there are several.
    pub(super) document: Option<usize>,
}

impl Diff {
    pub(super) fn to_text(&self, utf8: bool) -> String {
        let (between, to) = if utf8 { (" · ", "→") } else { (", ", "->") };
        let mut said: Vec<String> = Vec::new();
        said.extend(self.fate.words().map(str::to_owned));
        said.extend(self.values.iter().map(|value| value.words(to)));
        if self.anew > 0 {
            let values = if self.anew == 1 { "1 value".to_owned() } else { format!("{} values", self.anew) };
            said.push(format!("{values} encrypted anew, the same as before"));
        }
        if self.layout {
            said.push("comments or layout changed".to_owned());
        }
        said.extend(self.envelope.iter().map(|what| (*what).to_owned()));
        let (come, gone) = &self.readers;
        let signed = |sign: char, readers: &[Recipient]| -> Vec<String> {
            readers.iter().map(|reader| format!("{sign}{}", short(reader))).collect()
        };
        let readers = [signed('+', come), signed('-', gone)].concat();
        if !readers.is_empty() {
            said.push(format!("readers {}", readers.join(" ")));
        }
        if said.is_empty() {
            said.push(
                if self.by_value { "the same values, sealed again" } else { "only the envelope changed" }.to_owned(),
            );
        }
        let mut text = format!("{}   {}\n", self.path, said.join(between));
        for value in &self.values {
            let Some((old, new)) = &value.shown else { continue };
            text.push_str(&format!("  {}\n", value.place()));
            for (sign, side) in [('-', old), ('+', new)] {
                for line in side.expose().split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
                    text.push_str(&format!("  {sign} {}\n", shown_bytes(line)));
                }
            }
        }
        text
    }

    pub(super) fn to_json(&self, show_values: bool) -> serde_json::Value {
        let values: Vec<_> = self
            .values
            .iter()
            .map(|value| {
                let kind = match value.change.kind {
                    ChangeKind::Added => "added",
                    ChangeKind::Removed => "removed",
                    ChangeKind::Changed if value.perhaps_same => "changed-or-encrypted-anew",
                    ChangeKind::Changed => "changed",
                };
                let mut object = json!({
                    "path": value.change.path.to_string(),
                    "document": value.change.root,
                    "kind": kind,
                    "old_bytes": value.bytes.0,
                    "new_bytes": value.bytes.1,
                });
                if let (true, Some((old, new))) = (show_values, &value.shown) {
                    object["old"] = String::from_utf8_lossy(old.expose()).into();
                    object["new"] = String::from_utf8_lossy(new.expose()).into();
                }
                object
            })
            .collect();
        let names = |readers: &[Recipient]| readers.iter().map(ToString::to_string).collect::<Vec<_>>();
        json!({
            "path": self.path,
            "file": self.fate.name(),
            "compared": if self.by_value { "values" } else { "ciphertext" },
            "changes": values,
            "encrypted_anew": self.anew,
            "layout_changed": self.layout,
            "envelope": self.envelope,
            "readers_added": names(&self.readers.0),
            "readers_removed": names(&self.readers.1),
        })
    }
}

impl Fate {
    fn words(self) -> Option<&'static str> {
        match self {
            Self::Stays => None,
            Self::New => Some("new file"),
            Self::Gone => Some("file removed"),
            Self::Sealed => Some("encrypted now"),
            Self::Opened => Some("NO LONGER ENCRYPTED"),
            Self::Unreadable => Some("CANNOT BE READ"),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Stays => "changed",
            Self::New => "added",
            Self::Gone => "removed",
            Self::Sealed => "encrypted",
            Self::Opened => "decrypted",
            Self::Unreadable => "unreadable",
        }
    }
}

impl Value {
    fn place(&self) -> String {
        let path = match self.change.path.0.is_empty() {
            true => "all".to_owned(),
            false => shown(&self.change.path.to_string()).to_string(),
        };
        match self.document {
            Some(number) => format!("{path} (document {number})"),
            None => path,
        }
    }

    fn words(&self, to: &str) -> String {
        let place = self.place();
        match (self.change.kind, self.bytes) {
            (ChangeKind::Added, _) => format!("{place} added"),
            (ChangeKind::Removed, _) => format!("{place} removed"),
            (ChangeKind::Changed, (Some(_), Some(new))) if self.perhaps_same => {
                format!("{place} changed or encrypted anew ({new} bytes)")
            }
            (ChangeKind::Changed, (Some(old), Some(new))) => format!("{place} changed ({old} {to} {new} bytes)"),
            (ChangeKind::Changed, _) => format!("{place} changed"),
        }
    }
}
