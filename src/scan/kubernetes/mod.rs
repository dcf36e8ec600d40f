//! What Kubernetes manifests, and the files of the tools around them, hold in clear.
//!
//! [`Manifests`] reads a text once, as YAML (of several documents) or JSON with positions, and asks each part of this folder about
//! every object: Secrets, templates of sealed and external ones, workloads and ConfigMaps, kustomize, kubeconfigs, the keys of
//! the API server. What does not parse, as Helm templates do not, is read line by line. How sops files are judged is in [`sops`],
//! Secrets in `secret`, and what is known only from the tree that a file lies in, in [`tree`].

mod config;
pub mod kustomize;
mod lines;
mod object;
mod secret;
pub mod sops;
mod template;
pub mod tree;
#[cfg(test)]
mod tests;
mod workload;

use super::decode::{Inner, codec};
use super::structure::json;
use super::{Candidate, Confidence, Detector, Hit, Note, Reach, RuleIndex, Ruleset, Seen, Text, Value};
use crate::crypt::Plaintext;
use object::{Literal, Object};
pub use tree::Within;

/// Finds what manifests hold in clear.
pub struct Manifests {
    rules: Rules,
}

/// The rules in force, by what they are for.
#[derive(Debug, Default)]
struct Rules {
    data: Named,
    string_data: Named,
    docker_config: Named,
    tls: Named,
    basic_auth: Named,
    argocd: Named,
    last_applied: Named,
    sealed_template: Named,
    external_template: Named,
    config_map: Named,
    env: Named,
    etcd: Named,
    kubeconfig_token: Named,
    kubeconfig_key: Named,
    kubeconfig_password: Named,
    kustomize_literal: Named,
    kustomize_file: Named,
    helm_release: Named,
    sops_partial: Named,
    sops_expected: Named,
}

/// A rule and its id, if it is in force.
#[derive(Debug, Clone, Default)]
struct Named(Option<(RuleIndex, String)>);

/// What stands in the texts that are read; the first is a name that every object has.
const KEYWORDS: [&str; 7] =
    ["kind", "secretgenerator", "sops", "enc[aes256_gcm,", "last-applied-configuration", "\"manifest\"", "sops_mac"];
const KIND: usize = 0;
const SOPS: usize = 2;
const MANIFEST: usize = 5;

/// The kinds that are looked into: a text without any of them is not read.
const KINDS: &[&str] = &[
    "CronJob",
    "ClusterExternalSecret",
    "Component",
    "Config",
    "ConfigMap",
    "ConfigMapList",
    "DaemonSet",
    "Deployment",
    "EncryptionConfiguration",
    "ExternalSecret",
    "Job",
    "Kustomization",
    "List",
    "Pod",
    "ReplicaSet",
    "Rollout",
    "SealedSecret",
    "Secret",
    "SecretList",
    "Service",
    "StatefulSet",
];

impl Manifests {
    /// One for the rules in force.
    pub fn new(rules: &Ruleset) -> Self {
        Self { rules: Rules::of(rules) }
    }

    /// Whether the text holds a kind that is looked into, or a file of kustomize or sops.
    fn is_worth_reading(&self, bytes: &[u8], hits: &[Hit]) -> bool {
        hits.iter().any(|hit| match hit.keyword {
            KIND => kind_behind(bytes, hit).is_some_and(|kind| KINDS.iter().any(|known| known.as_bytes() == kind)),
            SOPS => hit.start == 0 || b"\n\"[".contains(&bytes[hit.start - 1]),
            MANIFEST => false,
            _ => true,
        })
    }
}

impl Detector for Manifests {
    fn keywords(&self) -> &[&str] {
        &KEYWORDS
    }

    fn reach(&self) -> Reach {
        Reach::Document
    }

    fn look(&self, text: &Text<'_>, hits: &[Hit], seen: &mut Seen<'_>) {
        if text.depth > 0 {
            seen.inner.extend(hits.iter().filter(|hit| hit.keyword == MANIFEST).filter_map(|hit| {
                // A Helm release says in JSON what it applied.
                let span = json::string_after(text.bytes, hit.end)?;
                let (bytes, positions) = codec::escapes(text.bytes, span.clone());
                Some(Inner { bytes, span, positions, layers: Vec::new(), key_path: None })
            }));
        }
        if !self.is_worth_reading(text.bytes, hits) {
            return;
        }
        let sealed = sops::look(&self.rules, text.bytes, seen);
        for part in object::read(text.bytes) {
            let part = match part {
                object::Part::Read(part) => part,
                object::Part::Unread(span) => {
                    lines::look(&self.rules, text.bytes, span, seen);
                    continue;
                }
            };
            part.objects(|object| {
                self.applied(&object, seen);
                match object.kind {
                    "Secret" if sealed.as_ref().is_none_or(|sealed| sealed.leaves_open(&object)) => {
                        secret::look(&self.rules, &object, seen);
                    }
                    "SealedSecret" | "ExternalSecret" | "ClusterExternalSecret" => {
                        template::look(&self.rules, &object, seen);
                    }
                    "Config" => config::kubeconfig(&self.rules, &object, seen),
                    "EncryptionConfiguration" => config::encryption(&self.rules, &object, seen),
                    "Kustomization" | "Component" | "" => kustomize::look(&self.rules, &object, seen),
                    "ConfigMap" => workload::config_map(&self.rules, &object, seen),
                    _ => {}
                }
                if !matches!(object.kind, "Secret" | "ConfigMap" | "Config" | "EncryptionConfiguration" | "") {
                    workload::look(&self.rules, &object, seen);
                }
            });
        }
    }
}

impl Manifests {
    /// What `kubectl apply` keeps of the manifest it was given, in an annotation.
    fn applied(&self, object: &Object<'_>, seen: &mut Seen<'_>) {
        const NAME: &str = "kubectl.kubernetes.io/last-applied-configuration";
        let Some((key, literal)) = object.at(&["metadata", "annotations", NAME]) else { return };
        let key_path = object.path(&["metadata", "annotations", NAME]);
        if let Some((rule, _)) = &self.rules.last_applied.0 {
            let values = secret::clear_values(&literal.text);
            if !values.expose().is_empty() {
                let mut candidate = Candidate::at(*rule, key, Confidence::High);
                candidate.decoded = Some(values);
                candidate.key_path = Some(key_path.clone());
                candidate.notes.push(Note::Reads("object", object.to_string()));
                seen.candidates.push(candidate);
            }
        }
        seen.inner.push(literal.inner(Some(key_path)));
    }
}

impl Rules {
    fn of(rules: &Ruleset) -> Self {
        let named = |id: &str| Named(rules.index(id).map(|index| (index, id.to_owned())));
        Self {
            data: named("k8s-secret-data"),
            string_data: named("k8s-secret-stringdata"),
            docker_config: named("k8s-dockerconfig"),
            tls: named("k8s-tls"),
            basic_auth: named("k8s-basic-auth"),
            argocd: named("argocd-repo"),
            last_applied: named("k8s-last-applied"),
            sealed_template: named("sealed-template-leak"),
            external_template: named("externalsecret-literal"),
            config_map: named("k8s-configmap-cred"),
            env: named("k8s-env-literal"),
            etcd: named("k8s-etcd-enc"),
            kubeconfig_token: named("kubeconfig-token"),
            kubeconfig_key: named("kubeconfig-key"),
            kubeconfig_password: named("kubeconfig-password"),
            kustomize_literal: named("kustomize-literals"),
            kustomize_file: named("kustomize-envs"),
            helm_release: named("helm-release"),
            sops_partial: named("sops-partial"),
            sops_expected: named("sops-expected"),
        }
    }
}

impl Named {
    /// A find of this rule, which is the value of `literal`.
    fn find(&self, literal: &Literal<'_>, confidence: Confidence) -> Option<Candidate> {
        let (rule, _) = self.0.as_ref()?;
        let mut candidate = Candidate::at(*rule, literal.span.clone(), confidence);
        if !literal.is_as_written {
            candidate.decoded = Some(Plaintext::from(&*literal.text));
        }
        if let Some(how) = super::structure::stand_in::placeholder(&literal.text) {
            candidate.confidence = Confidence::Info;
            candidate.notes.push(Note::Placeholder(how));
        }
        Some(candidate)
    }

    /// A value that is a find of this rule unless another rule finds something in it. Nothing where it is filled in elsewhere.
    fn value(&self, literal: &Literal<'_>, key_path: String, note: Option<Note>, seen: &mut Seen<'_>) {
        if super::structure::stand_in::is_reference(&literal.text) {
            return;
        }
        let otherwise = self.find(literal, Confidence::High);
        seen.values.push(Value { span: literal.span.clone(), key_path, note, otherwise });
    }
}

/// The word that is the value of the key `kind` at a hit.
fn kind_behind<'b>(bytes: &'b [u8], hit: &Hit) -> Option<&'b [u8]> {
    let blanks = |bytes: &'b [u8]| {
        let count = bytes.iter().take_while(|byte| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'')).count();
        &bytes[count..]
    };
    let rest = blanks(&bytes[hit.end..]).strip_prefix(b":")?;
    let rest = blanks(rest);
    Some(&rest[..rest.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count()])
}
