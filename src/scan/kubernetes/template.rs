//! Sealed and external Secrets: what they hold encrypted or by reference is no leak, literals in their templates are.

use super::Rules;
use super::object::Object;
use crate::document::Step;
use crate::scan::structure::stand_in;
use crate::scan::{Confidence, Note, Seen, Value};

/// Looks at a SealedSecret, ExternalSecret or ClusterExternalSecret.
pub fn look(rules: &Rules, object: &Object<'_>, seen: &mut Seen<'_>) {
    let is_sealed = object.kind == "SealedSecret";
    if is_sealed
        && let Some(data) = object.map(object.branch, "spec").and_then(|spec| object.map(spec, "encryptedData"))
    {
        let spans = object.entries(data).filter_map(|(_, item)| object.literal(&item.node)).map(|literal| literal.span);
        seen.ciphertext.extend(spans);
    }
    let way: &[&str] = match object.kind {
        "SealedSecret" => &["spec", "template"],
        "ExternalSecret" => &["spec", "target", "template"],
        _ => &["spec", "externalSecretSpec", "target", "template"],
    };
    let rule = if is_sealed { &rules.sealed_template } else { &rules.external_template };
    let Some(template) = way.iter().try_fold(object.branch, |branch, name| object.map(branch, name)) else { return };
    for name in ["data", "stringData"] {
        let Some(data) = object.map(template, name) else { continue };
        for (key, item) in object.entries(data) {
            let Some(literal) = object.literal(&item.node).filter(|literal| !stand_in::is_reference(&literal.text))
            else {
                continue;
            };
            let confidence =
                if stand_in::is_secret_name(key.as_bytes()) { Confidence::High } else { Confidence::Medium };
            let steps = way.iter().chain([&name, &key]).map(|step| Step::Key((*step).to_owned()));
            let note = Note::Says("a literal of the template, which is not encrypted");
            seen.values.push(Value {
                span: literal.span.clone(),
                key_path: object.path_of(steps),
                note: Some(note),
                otherwise: rule.find(&literal, confidence),
            });
        }
    }
}
