//! Files of sops: what in them is ciphertext, what should be and is not, and files that should be encrypted and are not.

use std::ops::Range;
use std::path::Path;

use gix::bstr::{BStr, ByteSlice as _};

use super::Rules;
use super::object::Object;
use crate::crypt::{self, Envelope, Plaintext, Selection, What, is_encrypted};
use crate::document::{Document, Format, Leaf, Scalar};
use crate::manifest;
use crate::scan::structure::stand_in;
use crate::scan::{Candidate, Confidence, Note, Ruleset, Seen};

/// A file that has an envelope.
pub struct Sealed {
    /// Where encrypted values stand, and clear ones that should be encrypted; in order.
    judged: Vec<Range<usize>>,
}

impl Sealed {
    /// Whether nothing of an object is encrypted, nor should be by the envelope's own selection.
    pub(super) fn leaves_open(&self, object: &Object<'_>) -> bool {
        let span = object.span();
        let first = self.judged.partition_point(|range| range.start < span.start);
        self.judged.get(first).is_none_or(|range| range.start >= span.end)
    }
}

/// Marks what is encrypted, and adds every value that should be by the file's own envelope and is not.
pub(super) fn look(rules: &Rules, bytes: &[u8], seen: &mut Seen<'_>) -> Option<Sealed> {
    let mut judged = ciphertext(bytes);
    seen.ciphertext.extend(judged.iter().cloned());
    memchr::memmem::find(bytes, b"sops")?;
    let format = Format::of_encrypted(bytes);
    let document = Document::parse(bytes.to_vec(), format).ok().filter(|_| format != Format::Binary)?;
    let attachment = document.roots().first()?.attachment.as_ref()?;
    let envelope = Envelope::from_map(attachment.value.as_ref()?).ok()?;
    let selection = Selection::compile(envelope.selection.unwrap_or_default()).ok()?;
    for cut in document.roots().iter().filter_map(|root| root.attachment.as_ref()).flat_map(|found| &found.cuts) {
        seen.ciphertext.push(cut.range());
    }
    for (leaf, path) in chosen(&document, &selection) {
        let (span, text) = written(&document, leaf);
        if is_encrypted(text) {
            continue;
        }
        judged.push(span.clone());
        if let Some((rule, _)) = &rules.sops_partial.0 {
            let mut candidate = Candidate::at(*rule, span.clone(), Confidence::High);
            if bytes[span] != *text {
                candidate.decoded = Some(Plaintext::from(text));
            }
            candidate.key_path = Some(path);
            candidate.notes.push(Note::Says("the file's own envelope says that it is encrypted"));
            seen.candidates.push(candidate);
        }
    }
    judged.sort_by_key(|range| range.start);
    Some(Sealed { judged })
}

/// Whether a file should be encrypted and is not, where a creation rule with a `path_regex` covers `path` and says `selection`.
///
/// The find stands at the start of the file; its credential is the content. None for a file that is encrypted, whose chosen values
/// are all empty or filled in elsewhere, that does not parse, or that holds only Kubernetes objects other than Secrets: these
/// lie beside Secrets under one rule, and are applied as they are.
pub fn expected(rules: &Ruleset, selection: &Selection, path: &BStr, bytes: &[u8]) -> Option<Candidate> {
    let rule = Rules::of(rules).sops_expected.0?.0;
    let name = path.to_str_lossy();
    if Path::new(&*name).file_name().is_some_and(|name| name == ".sops.yaml") {
        return None;
    }
    let format = Format::of_path(Path::new(&*name));
    let written_in = if format == Format::Binary { Format::Json } else { format };
    let document = match Document::parse(bytes.to_vec(), written_in) {
        Ok(document) => document,
        Err(_) if format == Format::Binary => Document::parse(bytes.to_vec(), Format::Binary).ok()?,
        Err(_) => return None,
    };
    if document.roots().iter().any(|root| root.attachment.is_some()) {
        return None;
    }
    let objects: Vec<bool> = document
        .roots()
        .iter()
        .filter_map(|root| manifest::Object::of(&document, &root.branch))
        .map(|object| object.is_secret() || object.kind.ends_with("List"))
        .collect();
    if !objects.is_empty() && !objects.contains(&true) {
        return None;
    }
    let is_literal = |(leaf, _): (&Leaf, String)| !stand_in::is_reference(written(&document, leaf).1);
    if !chosen(&document, selection).into_iter().any(is_literal) {
        return None;
    }
    let line = memchr::memchr(b'\n', bytes).unwrap_or(bytes.len());
    let mut candidate = Candidate::at(rule, 0..line, Confidence::High);
    candidate.decoded = Some(Plaintext::from(bytes));
    Some(candidate)
}

/// The values that a selection chooses and sops would encrypt, with their key paths; it leaves null and empty strings as they are.
fn chosen<'d>(document: &'d Document, selection: &Selection) -> Vec<(&'d Leaf, String)> {
    let mut chosen = Vec::new();
    let walked: Result<(), std::convert::Infallible> = crypt::walk(document, selection, |site| {
        if let (What::Leaf(leaf), true) = (site.what, site.chosen) {
            let is_empty = match &leaf.scalar {
                Scalar::Null => true,
                Scalar::Str(text) => document.text(text).is_empty(),
                _ => false,
            };
            if !is_empty {
                chosen.push((leaf, site.path.to_string()));
            }
        }
        Ok(())
    });
    walked.map_or_else(|never| match never {}, |()| chosen)
}

/// Where a value stands, and what it says.
fn written<'d>(document: &'d Document, leaf: &'d Leaf) -> (Range<usize>, &'d [u8]) {
    match &leaf.scalar {
        Scalar::Str(text @ crate::document::Text::Source(span)) => (span.range(), document.text(text)),
        Scalar::Str(text) => (leaf.span.range(), document.text(text)),
        _ => (leaf.span.range(), &document.source()[leaf.span.range()]),
    }
}

/// Every `ENC[…]` of a text.
fn ciphertext(bytes: &[u8]) -> Vec<Range<usize>> {
    let ends = |at: usize| memchr::memchr(b']', &bytes[at..]).map(|len| at..at + len + 1);
    let mut spans: Vec<Range<usize>> = Vec::new();
    for at in memchr::memmem::find_iter(bytes, b"ENC[AES256_GCM,") {
        if spans.last().is_none_or(|last| last.end <= at) {
            let Some(span) = ends(at) else { break };
            spans.push(span);
        }
    }
    spans
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::crypt::SelectionRule;
    use crate::scan::Rule;

    #[test]
    fn a_file_that_a_rule_covers_and_that_is_plain() {
        let text = "[[rule]]\nid = 'sops-expected'\ntitle = 'x'\nseverity = 'high'\ndetector = 'sops-expected'\n";
        let rules = Ruleset::new(Rule::parse_all(text, "test").unwrap()).unwrap();
        let all = Selection::default();
        let data = Selection::compile(SelectionRule::EncryptedRegex("^(data|stringData)$".into())).unwrap();
        let is_expected = |selection: &Selection, path: &str, text: &str| {
            expected(&rules, selection, path.into(), text.as_bytes()).is_some()
        };
        let secret = "apiVersion: v1\nkind: Secret\nstringData: {a: b}\n";
        let config_map = "apiVersion: v1\nkind: ConfigMap\ndata: {a: b}\n";
        assert!(is_expected(&data, "prod/db.yaml", secret) && is_expected(&all, "prod/db.yaml", "a: b\n"));
        assert!(is_expected(&all, "prod/.env", "A=b\n") && is_expected(&all, "prod/key.bin", "\0\u{1}"));
        assert!(is_expected(&data, "x.yaml", &format!("{config_map}---\n{secret}")));
        for (path, text) in [
            ("prod/cm.yaml", config_map),
            ("prod/db.yaml", "apiVersion: v1\nkind: Secret\nstringData: {a: '', b: '${B}'}\n"),
            ("prod/db.yaml", "a: ENC[AES256_GCM,data:x,iv:y,tag:z,type:str]\nsops: {mac: x}\n"),
            ("prod/key.bin", "{\"data\": \"ENC[]\", \"sops\": {}}"),
            ("prod/.sops.yaml", "creation_rules: []\n"),
            ("prod/t.yaml", "{{ if x }}\na: b\n"),
            ("prod/empty.yaml", ""),
        ] {
            assert!(!is_expected(&data, path, text), "{path}: {text}");
        }
    }
}
