//! What is found in the manifests of `tests/scan/kubernetes`, and that nothing is in their twins.

#![allow(clippy::unwrap_used)]

use crate::scan::decode::Decode;
use crate::scan::structure::detectors;
use crate::scan::{Candidate, Confidence, Engine, Layer, Note, Rule, Ruleset};

/// The built-in rules that need code, and one of a provider, for what has a shape of its own.
fn engine() -> Engine {
    let provider = "[[rule]]\nid = 'canary-pat'\ntitle = 'x'\nseverity = 'critical'\nkeywords = ['canary_pat_']\n\
        pattern = 'canary_pat_[0-9A-Za-z]{12}'\nprovider = 'Canary'\n";
    let rules = || {
        let built_in = Ruleset::built_in().unwrap();
        let of_code = built_in.iter().map(|(_, rule)| rule.clone()).filter(|rule| rule.detector.is_some());
        Ruleset::new(of_code.chain(Rule::parse_all(provider, "test").unwrap()).collect()).unwrap()
    };
    let detectors = detectors(&rules(), 1_767_225_600, Decode::Promising);
    Engine::new(rules(), detectors).unwrap()
}

/// The credential itself.
fn secret<'t>(candidate: &'t Candidate, text: &'t str) -> &'t [u8] {
    match &candidate.decoded {
        Some(decoded) => decoded.expose(),
        None => &text.as_bytes()[candidate.secret.clone()],
    }
}

/// What is found at low confidence or more: `rule key.path`, in order.
fn found(text: &str) -> Vec<String> {
    let engine = engine();
    let mut found = Vec::new();
    assert_eq!(engine.scan(text.as_bytes(), &mut found), []);
    let shown = |candidate: &Candidate| {
        let rule = &engine.rules().rule(candidate.rule).id;
        format!("{rule} {}", candidate.key_path.as_deref().unwrap_or("-"))
    };
    found.iter().filter(|candidate| candidate.confidence > Confidence::Info).map(shown).collect()
}

macro_rules! manifest {
    ($name:literal) => {
        include_str!(concat!("../../../tests/scan/kubernetes/", $name))
    };
}

/// What is found in a file, and that nothing is in its twin.
macro_rules! cases {
    ($($name:ident: $file:literal finds [$($finding:literal),* $(,)?] $(and nothing in $twin:literal)?;)*) => {$(
        #[test]
        fn $name() {
            let expected: &[&str] = &[$($finding),*];
            assert_eq!(found(manifest!($file)), expected, $file);
            $(assert_eq!(found(manifest!($twin)), [""; 0], $twin);)?
        }
    )*};
}

cases! {
    a_secret_is_one_find_with_a_part_for_each_key: "secret.yaml" finds [
        "k8s-secret-data data",
        "k8s-secret-data data.password",
        "k8s-secret-stringdata stringData.user",
        "k8s-secret-stringdata stringData.pin",
        "db-postgres stringData.dsn",
        "canary-pat stringData.token",
    ] and nothing in "secret-sealed.yaml";
    stand_ins_are_nothing_to_seal: "stand-ins.yaml" finds [];
    documents_are_looked_at_one_by_one: "several.yaml" finds [
        "k8s-secret-stringdata stringData",
        "k8s-secret-stringdata stringData.password",
        "k8s-secret-stringdata stringData",
        "k8s-secret-stringdata stringData.password",
    ];
    items_of_lists_are_objects: "list.json" finds [
        "k8s-secret-data items[1].data",
        "k8s-secret-data items[1].data.token",
    ] and nothing in "list-sealed.json";
    types_say_what_keys_are: "typed.yaml" finds [
        "k8s-secret-data data",
        "docker-auths data.\".dockerconfigjson\"",
        "k8s-secret-stringdata stringData",
        "pem-ec stringData.\"tls.key\"",
        "k8s-secret-stringdata stringData",
        "k8s-secret-stringdata stringData.username",
        "k8s-basic-auth stringData.password",
        "k8s-secret-stringdata stringData",
        "k8s-secret-stringdata stringData.url",
        "argocd-repo stringData.password",
    ] and nothing in "certificates.yaml";
    a_sealed_file_is_judged_by_its_own_envelope: "sops-partial.yaml" finds [
        "sops-partial stringData.password",
        "sops-partial stringData.port",
    ] and nothing in "sops-whole.yaml";
    sealed_files_of_other_formats: "sops-partial.env" finds ["sops-partial PASSWORD"] and nothing in "sops-suffix.yaml";
    literals_of_sealed_secrets: "sealed-secret.yaml" finds [
        "sealed-template-leak spec.template.data.token",
    ] and nothing in "sealed-secret-clean.yaml";
    literals_of_external_secrets: "external-secret.yaml" finds [
        "externalsecret-literal spec.target.template.data.password",
    ] and nothing in "external-secret-clean.yaml";
    literals_of_kustomize: "kustomization.yaml" finds [
        "kustomize-literals secretGenerator[0].literals[0]",
        "kustomize-literals secretGenerator[0].literals[1]",
    ] and nothing in "kustomization-clean.yaml";
    literals_of_workloads: "workload.yaml" finds [
        "k8s-env-literal spec.template.spec.containers[0].args[1]",
        "k8s-env-literal spec.template.spec.containers[0].args[3]",
        "k8s-env-literal spec.template.spec.containers[0].env[0].value",
        "canary-pat spec.template.spec.containers[0].env[1].value",
    ] and nothing in "workload-clean.yaml";
    values_of_config_maps: "config-map.yaml" finds [
        "k8s-configmap-cred data.DB_PASSWORD",
        "canary-pat data.\"app.ini\"",
    ] and nothing in "config-map-clean.yaml";
    what_kubectl_kept: "last-applied.yaml" finds [
        "k8s-last-applied metadata.annotations.\"kubectl.kubernetes.io/last-applied-configuration\"",
        "k8s-secret-data metadata.annotations.\"kubectl.kubernetes.io/last-applied-configuration\"",
        "k8s-secret-data metadata.annotations.\"kubectl.kubernetes.io/last-applied-configuration\"",
    ] and nothing in "last-applied-clean.yaml";
    users_of_kubeconfigs: "kubeconfig.yaml" finds [
        "kubeconfig-token users[0].user.token",
        "kubeconfig-password users[1].user.password",
        "kubeconfig-token users[2].user.exec.env[1].value",
        "kubeconfig-key users[3].user.client-key-data",
    ] and nothing in "kubeconfig-clean.yaml";
    keys_of_the_api_server: "encryption.yaml" finds [
        "k8s-etcd-enc resources[0].providers[0].aescbc.keys[0].secret",
    ] and nothing in "encryption-clean.yaml";
    templates_of_helm_are_read_line_by_line: "helm-template.yaml" finds [
        "k8s-secret-stringdata stringData",
        "k8s-secret-stringdata stringData.password",
        "k8s-secret-stringdata stringData.\"key.txt\"",
        "k8s-secret-data data",
        "k8s-secret-data data.token",
    ] and nothing in "helm-template-clean.yaml";
}

#[test]
fn what_says_where_or_as_whom_is_low() {
    let text = manifest!("where.yaml");
    let mut found = Vec::new();
    engine().scan(text.as_bytes(), &mut found);
    let sure = |candidate: &&Candidate| candidate.confidence > Confidence::Low;
    let paths: Vec<_> = found.iter().filter(sure).filter_map(|candidate| candidate.key_path.as_deref()).collect();
    assert_eq!(paths, ["stringData", "stringData.url", "stringData.password"]);
    assert_eq!(found.iter().filter(|candidate| candidate.confidence == Confidence::Low).count(), 3);
}

#[test]
fn parts_say_whose_they_are_and_what_was_undone() {
    let text = manifest!("secret.yaml");
    let mut found = Vec::new();
    let engine = engine();
    engine.scan(text.as_bytes(), &mut found);
    let [whole, password, user, ..] = found.as_slice() else { panic!("{found:?}") };
    assert!(whole.notes.contains(&Note::Reads("object", "Secret prod/db".to_owned())));
    assert_eq!(&text[whole.secret.clone()], "data");
    assert_eq!((secret(password, text), password.layers.as_slice()), (&b"hunter2-canary"[..], &[Layer::Base64][..]));
    assert_eq!(&text[password.secret.clone()], "aHVudGVyMi1jYW5hcnk=");
    assert_eq!(&text[user.secret.clone()], "ada-canary");
    let is_part = |candidate: &Candidate| candidate.notes.contains(&Note::With("k8s-secret-data".to_owned()));
    assert!(found[1..].iter().all(is_part) && !is_part(whole));
}

#[test]
fn stand_ins_are_no_more_than_info() {
    let text = "apiVersion: v1\nkind: Secret\nstringData: {a: changeme, b: <your password>}\n";
    let mut all = Vec::new();
    engine().scan(text.as_bytes(), &mut all);
    assert_eq!(found(text), [""; 0]);
    assert_eq!(all.len(), 3);
}

#[test]
fn a_helm_release_is_unpacked_down_to_its_secrets() {
    use base64::Engine as _;
    let manifest =
        "---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: x\ndata:\n  token: Y2FuYXJ5X3BhdF9BMWIyQzNkNEU1ZjY=\n";
    let release = serde_json::json!({"name": "x", "config": {}, "manifest": manifest}).to_string();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut packed, release.as_bytes()).unwrap();
    let encode = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    let data = encode(encode(&packed.finish().unwrap()).as_bytes());
    let text = format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: sh.helm.release.v1.x.v1}}\ntype: helm.sh/release.v1\ndata:\n  release: {data}\n"
    );
    assert_eq!(found(&text), ["k8s-secret-data data", "k8s-secret-data data.release", "canary-pat data.release"]);
    let mut all = Vec::new();
    engine().scan(text.as_bytes(), &mut all);
    let pat = all.last().unwrap();
    assert_eq!(secret(pat, &text), b"canary_pat_A1b2C3d4E5f6");
    assert_eq!(pat.layers, [Layer::Base64, Layer::Base64, Layer::Gzip, Layer::Base64]);
    assert_eq!(&text[pat.secret.clone()], data);
    // Nothing known inside: the release is the find.
    let data = encode(encode(b"\x1f\x8b\x08 nothing of gzip").as_bytes());
    let text = format!("apiVersion: v1\nkind: Secret\ntype: helm.sh/release.v1\ndata:\n  release: {data}\n");
    assert_eq!(found(&text), ["k8s-secret-data data", "helm-release data.release"]);
}

#[test]
fn bytes_of_any_kind_are_read_to_their_end() {
    let text = manifest!("typed.yaml");
    let engine = engine();
    for cut in 0..text.len() {
        if text.is_char_boundary(cut) {
            engine.scan(&text.as_bytes()[..cut], &mut Vec::new());
            engine.scan(&text.as_bytes()[cut..], &mut Vec::new());
        }
    }
    for text in [
        "kind: Secret\ndata: [\n",
        "kind: Secret\r\ndata:\r\n  a: |\r\n    x\r\n",
        "{\"kind\":\"Secret\",\"data\":",
        "kind: Secret\nstringData:\n  a: \"\n",
    ] {
        engine.scan(text.as_bytes(), &mut Vec::new());
    }
}

#[test]
fn many_secrets_are_all_looked_through() {
    use base64::Engine as _;
    let mut text = String::new();
    for number in 0..3_000 {
        // Each says on its own that it is encoded.
        let value = format!("postgres://canary:Kq7vX2mW9z{number:04}@db/app");
        let value = base64::engine::general_purpose::STANDARD.encode(value);
        text += &format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: s{number}}}\ndata: {{url: {value}}}\n---\n");
    }
    assert!(found(&text).len() >= 3_000);
}
