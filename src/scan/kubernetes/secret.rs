//! Secrets in clear: one find for the object, and one for each of its keys that is part of it.

use std::borrow::Cow;
use std::ops::Range;

use zeroize::Zeroizing;

use super::object::{self, Literal, Object};
use super::{Named, Rules};
use crate::crypt::Plaintext;
use crate::document::Step;
use crate::scan::decode::{Inner, Positions, codec};
use crate::scan::randomness;
use crate::scan::structure::stand_in;
use crate::scan::{Candidate, Confidence, Layer, Note, Seen, Value};

/// Which of the two maps of a Secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Map {
    /// `data`, in base64.
    Data,
    /// `stringData`, as it is.
    StringData,
}

/// A value of a Secret, wherever it was read.
pub struct Entry<'d> {
    pub map: Map,
    pub key: &'d str,
    pub key_path: String,
    pub literal: Literal<'d>,
}

/// What is known of a Secret beside its values.
#[derive(Default)]
pub struct About<'d> {
    /// `type`
    pub secret_type: &'d str,
    /// The label `argocd.argoproj.io/secret-type`.
    pub is_of_argocd: bool,
    /// `Secret prod/db`
    pub name: String,
    pub span: Range<usize>,
}

impl Map {
    /// Both, by name.
    pub const ALL: [(&'static str, Self); 2] = [("data", Self::Data), ("stringData", Self::StringData)];
}

/// Looks at a Secret.
pub fn look(rules: &Rules, object: &Object<'_>, seen: &mut Seen<'_>) {
    let about = About {
        secret_type: object.string(&["type"]).unwrap_or_default(),
        is_of_argocd: object.string(&["metadata", "labels", "argocd.argoproj.io/secret-type"]).is_some(),
        name: object.to_string(),
        span: object.span(),
    };
    let mut maps = Vec::new();
    for (name, map) in Map::ALL {
        let Some(item) = object.entry(object.branch, name) else { continue };
        let (Some(branch), Some(key_at)) = (object.map(object.branch, name), object.key_span(item)) else { continue };
        let entries = object.entries(branch).filter_map(|(key, item)| {
            let path = [Step::Key(name.to_owned()), Step::Key(key.to_owned())];
            Some(Entry { map, key, key_path: object.path_of(path), literal: object.literal(&item.node)? })
        });
        maps.push((key_at, object.path(&[name]), entries.collect::<Vec<_>>()));
    }
    add(rules, &about, maps, seen);
}

/// Adds what the maps of a Secret hold, each with the place and the path of its own key.
pub fn add(rules: &Rules, about: &About<'_>, maps: Vec<(Range<usize>, String, Vec<Entry<'_>>)>, seen: &mut Seen<'_>) {
    let mut parent: Option<(Range<usize>, String, &Named)> = None;
    let mut confidence = Confidence::Info;
    let mut said = Zeroizing::new(Vec::new());
    for (key_at, path, entries) in maps {
        for entry in entries {
            let Some(value) = Found::of(rules, about, &entry, seen) else { continue };
            let of = if entry.map == Map::Data { &rules.data } else { &rules.string_data };
            let first = parent.get_or_insert_with(|| (key_at.clone(), path.clone(), of));
            let note = first.2.0.as_ref().map(|(_, id)| Note::With(id.clone()));
            confidence = confidence.max(value.confidence);
            said.extend_from_slice(entry.key.as_bytes());
            said.push(b'=');
            said.extend_from_slice(&value.text);
            said.push(b'\n');
            seen.values.push(Value {
                span: entry.literal.span,
                key_path: entry.key_path,
                note,
                otherwise: value.candidate,
            });
        }
    }
    let Some((key_at, path, Named(Some((rule, _))))) = parent else { return };
    // All of it are certificates, or stand-ins: nothing to seal.
    let mut candidate = Candidate::at(*rule, key_at, confidence);
    candidate.whole = about.span.start.min(candidate.secret.start)..about.span.end.max(candidate.secret.end);
    candidate.decoded = Some(Plaintext::from(said));
    candidate.key_path = Some(path);
    candidate.notes.push(Note::Reads("object", about.name.clone()));
    seen.candidates.push(candidate);
}

/// A value that is in clear.
struct Found {
    candidate: Option<Candidate>,
    confidence: Confidence,
    text: Zeroizing<Vec<u8>>,
}

impl Found {
    fn of(rules: &Rules, about: &About<'_>, entry: &Entry<'_>, seen: &mut Seen<'_>) -> Option<Self> {
        let literal = &entry.literal;
        if stand_in::is_reference(&literal.text) {
            return None;
        }
        let decoded = if entry.map == Map::Data { decode(literal) } else { None };
        let rule = rule_for(rules, about, entry);
        let text = decoded.as_ref().map_or(&*literal.text, |(bytes, _)| bytes);
        if text.trim_ascii().is_empty() || stand_in::is_reference(text) {
            return None;
        }
        let text = Zeroizing::new(text.to_vec());
        let mut candidate = rule.find(literal, Confidence::High);
        if let Some(candidate) = &mut candidate {
            if decoded.is_some() {
                candidate.decoded = Some(Plaintext::from(text.clone()));
                candidate.layers = vec![Layer::Base64];
            }
            let open = if is_public(&text) {
                Some(Note::Says("a certificate or public key, which all may know"))
            } else {
                None
            };
            let stands_in = || stand_in::placeholder(&text).or_else(|| stand_in::placeholder(password_of_url(&text)?));
            let open = open.or_else(|| stands_in().map(Note::Placeholder));
            if let Some(note) = open {
                candidate.confidence = Confidence::Info;
                candidate.notes = vec![note];
            } else if says_where(entry.key.as_bytes(), &text) {
                candidate.confidence = Confidence::Low;
                candidate.notes = vec![Note::Says("says where or as whom, not with what")];
            }
        }
        let confidence = match &candidate {
            // In a Secret it is as secret as the rest: only alone it says little.
            Some(candidate) if candidate.confidence != Confidence::Low => candidate.confidence,
            _ => Confidence::High,
        };
        match decoded {
            // What rules know is looked for in what it says.
            Some((bytes, positions)) if seen.budget.take(bytes.len()) => {
                let (span, layers) = (literal.span.clone(), vec![Layer::Base64]);
                seen.inner.push(Inner { bytes, span, positions, layers, key_path: Some(entry.key_path.clone()) });
            }
            // The file's own bytes were looked through; not so what is escaped in them, or a manifest in a block.
            None if !literal.is_as_written && seen.budget.take(literal.text.len()) => {
                seen.inner.push(literal.inner(Some(entry.key_path.clone())));
            }
            _ => {}
        }
        Some(Self { candidate, confidence, text })
    }
}

/// The rule for a key of a Secret of a type.
fn rule_for<'r>(rules: &'r Rules, about: &About<'_>, entry: &Entry<'_>) -> &'r Named {
    let plain = if entry.map == Map::Data { &rules.data } else { &rules.string_data };
    let typed = match (about.secret_type, entry.key) {
        ("kubernetes.io/dockerconfigjson" | "kubernetes.io/dockercfg", ".dockerconfigjson" | ".dockercfg") => {
            &rules.docker_config
        }
        ("kubernetes.io/tls", "tls.key") => &rules.tls,
        ("kubernetes.io/basic-auth", "password") | ("kubernetes.io/ssh-auth", "ssh-privatekey") => &rules.basic_auth,
        ("helm.sh/release.v1", "release") => &rules.helm_release,
        (_, "password" | "sshPrivateKey" | "githubAppPrivateKey" | "tlsClientCertKey" | "bearerToken")
            if about.is_of_argocd =>
        {
            &rules.argocd
        }
        _ => plain,
    };
    if typed.0.is_some() { typed } else { plain }
}

/// What a value of `data` says; none where it is not base64, as a value that was put there by mistake.
fn decode(literal: &Literal<'_>) -> Option<(Zeroizing<Vec<u8>>, Positions)> {
    let text: Cow<'_, [u8]> = Cow::Borrowed(&literal.text);
    let (bytes, positions) = codec::base64(&text, 0..text.len())?;
    // Digits stand in the text, which stands in the file: both as they are, or with gaps only in one of the two.
    let positions = match (positions, &literal.positions) {
        (Positions::Digits { bits, start, gaps }, Positions::Digits { bits: 8, start: outer, gaps: outer_gaps }) => {
            if outer_gaps.is_empty() {
                Positions::Digits { bits, start: start + outer, gaps }
            } else {
                // In a block, line breaks are gaps of the one and indents of the other.
                let mut starts = Vec::with_capacity(bytes.len() + 1);
                let inner = Positions::Digits { bits, start, gaps };
                let whole = 0..text.len();
                for at in 0..bytes.len() {
                    let digit = inner.outer(&(at..at + 1), &whole);
                    starts.push(literal.positions.outer(&digit, &literal.span).start as u32);
                }
                starts.push(literal.span.end as u32);
                Positions::Units(starts)
            }
        }
        _ => Positions::Whole,
    };
    Some((bytes, positions))
}

/// Whether a member of a Secret says where something is or who uses it, and not what opens it: by its name, where the value looks like
/// no credential.
pub(super) fn says_where(key: &[u8], value: &[u8]) -> bool {
    const LAST: &[&[u8]] = &[
        b"address",
        b"bucket",
        b"database",
        b"dbname",
        b"description",
        b"domain",
        b"email",
        b"enabled",
        b"endpoint",
        b"env",
        b"environment",
        b"expiration",
        b"from",
        b"groups",
        b"host",
        b"hosts",
        b"hostname",
        b"id",
        b"level",
        b"login",
        b"mode",
        b"name",
        b"namespace",
        b"path",
        b"port",
        b"project",
        b"protocol",
        b"region",
        b"scheme",
        b"server",
        b"type",
        b"uri",
        b"url",
        b"user",
        b"username",
        b"version",
    ];
    let lower = key.to_ascii_lowercase();
    let start = lower.iter().rposition(|byte| b"-_.".contains(byte)).map_or(0, |at| at + 1);
    let last = &lower[start..];
    let by_name = LAST.iter().any(|word| last == *word || ends_in_word(&key[start..], word));
    let is_flag = [b"true".as_slice(), b"false"].contains(&value.trim_ascii());
    let is_known_host = lower.ends_with(b"known_hosts") || lower.ends_with(b"knownhosts");
    is_flag
        || is_known_host
        || by_name
            && !value.iter().any(|byte| b"\n=?".contains(byte))
            && password_of_url(value).is_none()
            && !randomness::looks_random(value)
}

/// Whether a name in camel case ends in this word: `logLevel`.
fn ends_in_word(name: &[u8], word: &[u8]) -> bool {
    name.len() > word.len() && {
        let (_, end) = name.split_at(name.len() - word.len());
        end[0].is_ascii_uppercase() && end.eq_ignore_ascii_case(word)
    }
}

/// The password in a URL, if there is one: `scheme://user:v@host`.
fn password_of_url(text: &[u8]) -> Option<&[u8]> {
    let rest = &text[memchr::memmem::find(text, b"://")? + 3..];
    let authority = &rest[..rest.iter().position(|byte| b"/?#\n\"' ".contains(byte)).unwrap_or(rest.len())];
    let user = &authority[..memchr::memrchr(b'@', authority)?];
    Some(&user[memchr::memchr(b':', user)? + 1..])
}

/// Whether it is nothing but certificates and public keys.
fn is_public(text: &[u8]) -> bool {
    let mut labels = memchr::memmem::find_iter(text, b"-----BEGIN ").map(|at| &text[at + 11..]).peekable();
    labels.peek().is_some()
        && labels.all(|label| {
            let label = &label[..memchr::memmem::find(label, b"-----").unwrap_or(0)];
            label.ends_with(b"CERTIFICATE") || label.ends_with(b"PUBLIC KEY") || label.ends_with(b"CERTIFICATE REQUEST")
        })
}

/// The clear values of the Secrets in a text of its own, for what names them: empty where there are none.
pub fn clear_values(text: &[u8]) -> Plaintext {
    let mut said = Zeroizing::new(Vec::new());
    for part in object::read(text) {
        let object::Part::Read(part) = part else { continue };
        part.objects(|object| {
            for (name, _) in Map::ALL.iter().filter(|_| object.kind == "Secret") {
                let Some(map) = object.map(object.branch, name) else { continue };
                for (key, item) in object.entries(map) {
                    let Some(literal) = object.literal(&item.node) else { continue };
                    if !stand_in::is_reference(&literal.text) {
                        said.extend_from_slice(key.as_bytes());
                        said.push(b'=');
                        said.extend_from_slice(&literal.text);
                        said.push(b'\n');
                    }
                }
            }
        });
    }
    Plaintext::from(said)
}
