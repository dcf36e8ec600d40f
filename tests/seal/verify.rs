//! `seal verify`: finds what was done to a file, with a key and without one, and writes nothing.

use crate::support::{Folder, Ran};

const PLAIN: &str = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: db\nstringData:\n  user: ada\n  port: 5\n";

struct Sealed {
    folder: Folder,
    text: String,
}

impl Sealed {
    /// A folder with an identity `key`, a rule for it, and the encrypted file `a.yaml`.
    fn new() -> Self {
        let folder = Folder::new();
        let ran = folder.seal(["keys", "generate", "-o", "key"]).run().exits(0);
        let public = ran.stderr_text().split_once("Public key: ").unwrap().1.lines().next().unwrap().to_owned();
        folder.write(".sops.yaml", format!("creation_rules:\n  - path_regex: \\.yaml$\n    age: {public}\n"));
        folder.write("a.yaml", PLAIN);
        folder.seal(["encrypt", "-i", "a.yaml"]).ok();
        let text = String::from_utf8(folder.read("a.yaml")).unwrap();
        Self { folder, text }
    }

    fn verify(&self, args: &[&str]) -> Ran {
        let key = self.folder.path("key");
        self.folder.seal([&["verify"], args].concat()).env("SOPS_AGE_KEY_FILE", key).run()
    }

    fn without_key(&self, args: &[&str]) -> Ran {
        self.folder.seal([&["verify"], args].concat()).run()
    }
}

#[test]
fn whole_file_is_verified_with_a_key_and_looked_at_without() {
    let sealed = Sealed::new();
    let ran = sealed.verify(&["a.yaml"]).exits(0);
    assert!(ran.stdout_text().contains("a.yaml  MAC, 2 values, readers as creation rule 1"), "{ran}");
    let ran = sealed.without_key(&["a.yaml"]).exits(0);
    assert!(ran.stdout_text().contains("2 values encrypted") && ran.stdout_text().contains("MAC not checked"), "{ran}");
    assert_eq!(sealed.folder.read("a.yaml"), sealed.text.as_bytes());
}

#[test]
fn changes_are_found() {
    let sealed = Sealed::new();
    let value = sealed.text.lines().find(|line| line.contains("user:")).unwrap();
    // What is changed, whether only the key shows it, and what is said.
    for (changed, needs_key, said) in [
        (sealed.text.replace("name: db", "name: web"), true, "MAC mismatch"),
        (sealed.text.replace(value, "  user: eve"), false, "`stringData.user` is plain"),
        (sealed.text.replace("stringData:\n", "stringData:\n  added: 1\n"), false, "`stringData.added` is plain"),
        (sealed.text.replace("  user: ENC", "  other: ENC"), true, "cannot be decrypted"),
        (sealed.text.replace(&format!("{value}\n"), ""), true, "MAC mismatch"),
        (sealed.text.replace("  mac: ", "  not: "), true, "no MAC"),
    ] {
        assert_ne!(changed, sealed.text, "{said}");
        sealed.folder.write("a.yaml", &changed);
        let ran = sealed.verify(&["a.yaml"]).exits(5);
        assert!(ran.stdout_text().contains(said), "{ran}");
        sealed.without_key(&["a.yaml"]).exits(if needs_key { 0 } else { 5 });
        assert_eq!(sealed.folder.read("a.yaml"), changed.as_bytes());
    }
    for (changed, said) in [
        (sealed.text.replace("  version: ", "  version: x"), "version"),
        (sealed.text.replace("encrypted_regex: ^(", "encrypted_regex: ^(("), "encrypted_regex"),
        (PLAIN.to_owned(), "sops metadata not found"),
        ("a: [".to_owned(), "not readable as yaml"),
    ] {
        assert_ne!(changed, sealed.text, "{said}");
        sealed.folder.write("a.yaml", &changed);
        for ran in [sealed.verify(&["a.yaml"]).exits(1), sealed.without_key(&["a.yaml"]).exits(1)] {
            assert!(ran.stdout_text().contains(said), "{ran}");
        }
    }
}

#[test]
fn readers_that_the_rule_does_not_name_are_found() {
    let sealed = Sealed::new();
    let ran = sealed.folder.seal(["keys", "generate"]).run().exits(0);
    let stranger = ran.stderr_text().split_once("Public key: ").unwrap().1.trim().to_owned();
    let key = sealed.folder.path("key");
    sealed.folder.seal(["keys", "add", &stranger, "a.yaml"]).env("SOPS_AGE_KEY_FILE", key).ok();
    for ran in [sealed.verify(&["a.yaml"]).exits(1), sealed.without_key(&["a.yaml"]).exits(1)] {
        let said = ran.stdout_text();
        assert!(said.contains("creation rule 1") && said.contains(&format!("- {stranger}")), "{ran}");
    }
    // A selection that is another than the rule's gets a word.
    let rules = String::from_utf8(sealed.folder.read(".sops.yaml")).unwrap();
    sealed.folder.write("a.yaml", &sealed.text);
    sealed.folder.write(".sops.yaml", format!("{rules}    encrypted_regex: ^pass\n"));
    let ran = sealed.verify(&["a.yaml"]).exits(0);
    assert!(ran.stdout_text().contains("that of creation rule 1 (line 2) encrypted_regex: ^pass"), "{ran}");
    // Where no rule is for a file there is nothing to agree with.
    sealed.folder.write("b.sealed", &sealed.text);
    sealed.verify(&["--input-type", "yaml", "b.sealed"]).exits(0);
}

#[test]
fn folders_are_searched_for_damaged_files_too() {
    let sealed = Sealed::new();
    sealed.folder.write("many/plain.yaml", PLAIN);
    sealed.folder.write("many/good.yaml", &sealed.text);
    sealed.folder.write("many/deep/bad.yaml", sealed.text.replace("  lastmodified: ", "  lastmodified: x"));
    sealed.folder.write("many/deep/changed.yaml", sealed.text.replace("name: db", "name: web"));
    let ran = sealed.verify(&["many"]).exits(5);
    let said = ran.stdout_text();
    assert_eq!(said.lines().filter(|line| line.starts_with(['✓', '✗'])).count(), 3, "{ran}");
    assert!(said.contains("good.yaml  MAC") && !said.contains("plain.yaml"), "{ran}");

    let ran = sealed.verify(&["--json", "many"]).exits(5);
    let json: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(json["schema"], "seal.verify/1");
    let ok: Vec<_> = json["files"].as_array().unwrap().iter().map(|file| file["ok"].as_bool().unwrap()).collect();
    assert_eq!(ok, [false, false, true]);
}
