//! kustomize: what a `secretGenerator` says itself, and the files that it makes Secrets of.

use std::ops::Range;

use gix::bstr::{BStr, BString, ByteSlice as _};

use super::Rules;
use super::object::{self, Literal, Object, Part};
use super::secret::says_where;
use crate::crypt::Plaintext;
use crate::document::{Format, Node, Step};
use crate::scan::structure::stand_in;
use crate::scan::{Candidate, Confidence, Note, Ruleset, Seen, Value};

/// A file that a `secretGenerator` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Its path as it is written, relative to the kustomization.
    pub path: String,
    /// Where that is written.
    pub span: Range<usize>,
    /// The keys that lead there.
    pub key_path: String,
}

/// Looks at the literals of a kustomization.
pub(super) fn look(rules: &Rules, object: &Object<'_>, seen: &mut Seen<'_>) {
    each(object, "literals", |literal, key_path| {
        let Some(equals) = memchr::memchr(b'=', &literal.text) else { return };
        let value = literal.part(equals + 1..literal.text.len());
        let unquoted =
            |quote: u8| value.text.len() >= 2 && value.text[0] == quote && value.text[value.text.len() - 1] == quote;
        let value = if unquoted(b'"') || unquoted(b'\'') { value.part(1..value.text.len() - 1) } else { value };
        if stand_in::is_reference(&value.text) {
            return;
        }
        let sure = match says_where(&literal.text[..equals], &value.text) {
            true => Confidence::Low,
            false => Confidence::High,
        };
        let otherwise = rules.kustomize_literal.find(&value, sure);
        let note = Note::Says("kustomize makes a Secret of it: name a sealed file, or use a generator that opens one");
        seen.values.push(Value { span: value.span, key_path, note: Some(note), otherwise });
    });
}

/// The files that the Secrets of a kustomization are made of; none where the text is no kustomization.
pub fn named_files(text: &[u8]) -> Vec<Named> {
    let mut named = Vec::new();
    if memchr::memmem::find(text, b"secretGenerator").is_none() {
        return named;
    }
    for part in object::read(text) {
        let Part::Read(part) = part else { continue };
        part.objects(|object| {
            for list in ["files", "envs"] {
                each(&object, list, |literal, key_path| {
                    // A file may be given another name: `key=path`.
                    let start = memchr::memchr(b'=', &literal.text).map_or(0, |equals| equals + 1);
                    let path = literal.part(start..literal.text.len());
                    let text = String::from_utf8_lossy(&path.text).into_owned();
                    named.push(Named { path: text, span: path.span, key_path });
                });
            }
        });
    }
    named
}

/// The clear files that the Secrets of a kustomization are made of. `folder` is where the kustomization lies, and `read` gives a
/// file of the same tree by its path from the top, none where it has no such file.
pub fn clear_files(
    rules: &Ruleset,
    folder: &BStr,
    text: &[u8],
    mut read: impl FnMut(&BStr) -> Option<Vec<u8>>,
) -> Vec<Candidate> {
    let Some((rule, _)) = Rules::of(rules).kustomize_file.0 else { return Vec::new() };
    let find = |named: Named| {
        let content = read(joined(folder, &named.path)?.as_bstr())?;
        if content.trim_ascii().is_empty() || is_sealed(&content) {
            return None;
        }
        let mut candidate = Candidate::at(rule, named.span, Confidence::High);
        candidate.decoded = Some(Plaintext::from(content));
        candidate.key_path = Some(named.key_path);
        Some(candidate)
    };
    named_files(text).into_iter().filter_map(find).collect()
}

/// Calls `each` with every value of the lists of that name in `secretGenerator`, and its key path.
fn each<'d>(object: &Object<'d>, list: &str, mut each: impl FnMut(Literal<'d>, String)) {
    for (index, generator) in object.list(object.branch, "secretGenerator").into_iter().enumerate() {
        let Node::Map(generator) = generator.resolved() else { continue };
        for (item_index, item) in object.list(generator, list).into_iter().enumerate() {
            let Some(literal) = object.literal(item) else { continue };
            let path = [
                Step::Key("secretGenerator".into()),
                Step::Index(index),
                Step::Key(list.to_owned()),
                Step::Index(item_index),
            ];
            each(literal, object.path_of(path));
        }
    }
}

/// A path from the top of the tree; none where it leads out of it.
fn joined(folder: &BStr, path: &str) -> Option<BString> {
    if path.starts_with('/') {
        return None;
    }
    let mut steps: Vec<&[u8]> = Vec::new();
    for step in folder.split(|byte| *byte == b'/').chain(path.as_bytes().split(|byte| *byte == b'/')) {
        match step {
            b"" | b"." => {}
            b".." => _ = steps.pop()?,
            step => steps.push(step),
        }
    }
    Some(steps.join(&b'/').into())
}

/// Whether a file is one of sops, of age or of OpenPGP.
fn is_sealed(content: &[u8]) -> bool {
    let starts = content.trim_ascii_start();
    Format::of_encrypted(content) != Format::Binary && memchr::memmem::find(content, b"ENC[AES256_GCM,").is_some()
        || starts.starts_with(b"age-encryption.org/v1")
        || starts.starts_with(b"-----BEGIN AGE ENCRYPTED FILE-----")
        || starts.starts_with(b"-----BEGIN PGP MESSAGE-----")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::scan::Rule;

    #[test]
    fn files_are_looked_up_beside_the_kustomization() {
        let text = "[[rule]]\nid = 'kustomize-envs'\ntitle = 'x'\nseverity = 'high'\ndetector = 'kustomize-literal'\n";
        let rules = Ruleset::new(Rule::parse_all(text, "test").unwrap()).unwrap();
        let kustomization = b"secretGenerator:\n- name: a\n  envs: [db.env, ./sealed.env]\n  files:\n  - tls.key=../tls/key.pem\n  - /etc/x\n  - ../../../out\n";
        let mut asked = Vec::new();
        let found = clear_files(&rules, b"deploy/prod".into(), kustomization, |path| {
            asked.push(path.to_string());
            Some(match path.as_bytes() {
                b"deploy/prod/sealed.env" => b"A=ENC[AES256_GCM,data:x,iv:y,tag:z,type:str]\nsops_mac=x\n".to_vec(),
                b"deploy/prod/db.env" => b"PASSWORD=hunter2\n".to_vec(),
                _ => return None,
            })
        });
        assert_eq!(asked, ["deploy/tls/key.pem", "deploy/prod/db.env", "deploy/prod/sealed.env"]);
        assert_eq!(found.len(), 1);
        assert_eq!(&kustomization[found[0].secret.clone()], b"db.env");
        assert_eq!(found[0].key_path.as_deref(), Some("secretGenerator[0].envs[0]"));
    }
}
