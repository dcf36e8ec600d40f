//! Who can read a file, and how that changes: rotate, updatekeys, keys, groups, filestatus; held against the real sops and age.

use std::time::Instant;

use crate::support::{Folder, Step};

const PLAIN: &str = "# top\napiVersion: v1\nkind: Secret\nmetadata: {name: db}\nstringData:\n  user: 'ada'   # who\n\n  pass: \"hunter2\"\n  list: [1, true, null]\n";

/// Two people with an identity each, in a folder of their own.
struct Two {
    folder: Folder,
    ada: String,
    bob: String,
}

impl Two {
    fn new() -> Self {
        let folder = Folder::new();
        let identity = |name: &str| {
            let ran = folder.seal(["keys", "generate", "-o", name]).run().exits(0);
            let text = ran.stderr_text();
            text.split_once("Public key: ").unwrap().1.lines().next().unwrap().to_owned()
        };
        let (ada, bob) = (identity("ada.key"), identity("bob.key"));
        folder.write("plain.yaml", PLAIN);
        Self { folder, ada, bob }
    }

    /// seal, run by someone who has these identities.
    fn seal<'a>(&self, key: &str, args: impl IntoIterator<Item = &'a str>) -> Step {
        self.folder.seal(args).env("SOPS_AGE_KEY_FILE", self.folder.path(key))
    }

    fn sops<'a>(&self, key: &str, args: impl IntoIterator<Item = &'a str>) -> Option<Step> {
        Some(self.folder.peer("sops", args)?.env("SOPS_AGE_KEY_FILE", self.folder.path(key)))
    }

    /// Encrypts [`PLAIN`] for Ada.
    fn sealed(&self, name: &str) -> Vec<u8> {
        let bytes = self.seal("ada.key", ["encrypt", "--age", &self.ada, "plain.yaml"]).ok();
        self.folder.write(name, &bytes);
        bytes
    }

    fn rule(&self, readers: &str) {
        self.folder.write(".sops.yaml", format!("creation_rules:\n  - age: {readers}\n"));
    }

    /// Who can open a file: seal gives back every byte, and sops the same values.
    fn opens(&self, key: &str, file: &str) -> bool {
        let ran = self.seal(key, ["decrypt", file]).run();
        let opens = ran.code == Some(0);
        if opens {
            assert_eq!(ran.stdout_text(), PLAIN);
        }
        if let Some(step) = self.sops(key, ["decrypt", "--extract", "[\"stringData\"][\"pass\"]", file]) {
            let ran = step.run();
            assert_eq!(ran.code == Some(0), opens, "{ran}");
            assert!(!opens || ran.stdout == b"hunter2", "{ran}");
        }
        opens
    }
}

/// The lines that stand outside the lists of wrapped keys.
fn outside_keys(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let (content, envelope) = text.split_once("\nsops:\n").unwrap();
    let fields = envelope.lines().filter(|line| {
        ["lastmodified:", "mac:", "seal:", "version:", "encrypted_regex:"]
            .iter()
            .any(|field| line.trim().starts_with(field))
    });
    content.lines().chain(fields).map(str::to_owned).collect()
}

fn tokens(bytes: &[u8]) -> Vec<String> {
    String::from_utf8(bytes.to_vec()).unwrap().split("ENC[").skip(1).map(str::to_owned).collect()
}

#[test]
fn rotate_makes_everything_anew_and_keeps_the_layout() {
    let two = Two::new();
    let before = two.sealed("a.yaml");
    two.seal("ada.key", ["rotate", "-i", "a.yaml"]).ok();
    let after = two.folder.read("a.yaml");
    let old = tokens(&before);
    assert!(old.len() > 4);
    assert!(tokens(&after).iter().all(|token| !old.contains(token)));
    assert!(two.opens("ada.key", "a.yaml"));
    assert!(!two.opens("bob.key", "a.yaml"));

    two.seal("ada.key", ["rotate", "--add-age", &two.bob, "--output", "b.yaml", "a.yaml"]).ok();
    assert_eq!(two.folder.read("a.yaml"), after);
    assert!(two.opens("ada.key", "b.yaml") && two.opens("bob.key", "b.yaml"));
    let bytes = two.seal("bob.key", ["rotate", "--rm-age", &two.ada, "b.yaml"]).ok();
    two.folder.write("c.yaml", bytes);
    assert!(!two.opens("ada.key", "c.yaml") && two.opens("bob.key", "c.yaml"));
}

#[test]
fn last_reader_stays_and_a_changed_file_is_refused() {
    let two = Two::new();
    let before = two.sealed("a.yaml");
    let ran = two.seal("ada.key", ["rotate", "-i", "--rm-age", &two.ada, "a.yaml"]).run().exits(3);
    assert!(ran.stderr_text().contains("empty key group provided"));
    assert_eq!(two.folder.read("a.yaml"), before);

    let changed = String::from_utf8(before).unwrap().replace("kind: Secret", "kind: Other");
    two.folder.write("a.yaml", &changed);
    two.seal("ada.key", ["rotate", "-i", "a.yaml"]).run().exits(5);
    assert_eq!(two.folder.read("a.yaml"), changed.as_bytes());
    two.seal("ada.key", ["rotate", "-i", "--ignore-mac", "a.yaml"]).ok();
    assert_eq!(
        two.seal("ada.key", ["decrypt", "a.yaml"]).ok(),
        PLAIN.replace("kind: Secret", "kind: Other").as_bytes()
    );
}

#[test]
fn nobody_locks_themselves_out_without_a_word() {
    let two = Two::new();
    let before = two.sealed("a.yaml");
    let swap = ["rotate", "-i", "--add-age", &two.bob, "--rm-age", &two.ada];
    let ran = two.seal("ada.key", swap.into_iter().chain(["a.yaml"])).run().exits(7);
    assert!(ran.stderr_text().contains("--yes"), "{ran}");
    assert_eq!(two.folder.read("a.yaml"), before);
    let ran = two.seal("ada.key", swap.into_iter().chain(["--yes", "a.yaml"])).run().exits(0);
    assert!(ran.stderr_text().contains("none of your identities would open"), "{ran}");
    assert!(two.opens("bob.key", "a.yaml") && !two.opens("ada.key", "a.yaml"));
}

#[test]
fn updatekeys_changes_the_wrapped_keys_alone() {
    let two = Two::new();
    let before = two.sealed("a.yaml");
    two.rule(&format!("{},{}", two.ada, two.bob));
    let ran = two.seal("ada.key", ["updatekeys", "a.yaml"]).run().exits(2);
    assert!(ran.stderr_text().contains(&format!("+ {}", two.bob)) && ran.stderr_text().contains("--yes"), "{ran}");
    assert_eq!(two.folder.read("a.yaml"), before);

    two.seal("ada.key", ["updatekeys", "-y", "a.yaml"]).ok();
    let after = two.folder.read("a.yaml");
    assert_ne!(after, before);
    assert_eq!(outside_keys(&after), outside_keys(&before));
    assert!(two.opens("ada.key", "a.yaml") && two.opens("bob.key", "a.yaml"));
    if let Some(step) = two.sops("ada.key", ["updatekeys", "-y", "a.yaml"]) {
        assert!(step.run().exits(0).stderr_text().contains("already up to date"));
    }
    let ran = two.seal("ada.key", ["keys", "sync", "a.yaml"]).run().exits(0);
    assert!(ran.stderr_text().contains("already up to date"), "{ran}");
    assert_eq!(two.folder.read("a.yaml"), after);

    two.rule(&two.ada);
    let ran = two.seal("ada.key", ["updatekeys", "-y", "a.yaml"]).run().exits(0);
    let said = ran.stderr_text();
    assert!(said.contains(&format!("- {}", two.bob)) && said.contains("still knows the data key"), "{ran}");
    assert!(!two.opens("bob.key", "a.yaml"));
}

#[test]
fn updatekeys_goes_on_past_a_file_that_fails_and_needs_a_rule() {
    let two = Two::new();
    two.sealed("a.yaml");
    two.seal("ada.key", ["updatekeys", "-y", "a.yaml"]).run().exits(3);
    two.rule(&format!("{},{}", two.ada, two.bob));
    let ran = two.seal("ada.key", ["updatekeys", "-y", "plain.yaml", "a.yaml"]).run().exits(9);
    assert!(ran.stderr_text().contains("plain.yaml is not encrypted"), "{ran}");
    assert!(two.opens("bob.key", "a.yaml"));
}

#[test]
fn folder_without_encrypted_files_is_not_passed_over_in_silence() {
    let two = Two::new();
    two.rule(&two.ada);
    for command in
        [["updatekeys", "-y", "."].as_slice(), &["verify", "."], &["keys", "list", "."], &["rotate", "-i", "."]]
    {
        let ran = two.seal("ada.key", command.iter().copied()).run().exits(1);
        assert!(ran.stderr_text().contains("no encrypted file"), "{ran}");
    }
}

#[test]
fn reader_whom_no_rule_names_is_pointed_out_when_a_file_is_rotated() {
    let two = Two::new();
    two.sealed("a.yaml");
    two.rule(&two.ada);
    let ran = two.seal("ada.key", ["rotate", "-i", "--add-age", &two.bob, "a.yaml"]).run().exits(0);
    assert!(!ran.stderr_text().contains("does not name"), "{ran}");
    let ran = two.seal("ada.key", ["rotate", "-i", "a.yaml"]).run().exits(0);
    assert!(ran.stderr_text().contains(&format!("seal keys remove {} a.yaml", two.bob)), "{ran}");
}

#[test]
fn thousand_files_are_updated_together() {
    let two = Two::new();
    let bytes = two.sealed("a.yaml");
    for number in 0..1000 {
        two.folder.write(format!("many/{:02}/{number}.yaml", number % 50), &bytes);
    }
    // Each look at the identities runs this.
    let counted = two.folder.path("counted");
    let command = format!("sh -c 'echo x >> {}; cat {}'", counted.display(), two.folder.path("ada.key").display());
    two.rule(&format!("{},{}", two.ada, two.bob));
    let start = Instant::now();
    two.folder.seal(["updatekeys", "-y", "many"]).env("SOPS_AGE_KEY_CMD", command).ok();
    let took = start.elapsed();
    // sops starts anew for each; the bound is loose, for slow machines and builds without optimisation.
    assert!(took.as_secs() < 60, "{took:?}");
    assert!(two.folder.read("counted").len() <= 2 * 2, "identities were read for each file");
    for number in [0, 1, 499, 999] {
        assert!(two.opens("bob.key", &format!("many/{:02}/{number}.yaml", number % 50)));
    }
    let left =
        two.folder.seal(["updatekeys", "many"]).env("SOPS_AGE_KEY_FILE", two.folder.path("ada.key")).run().exits(0);
    assert_eq!(left.stderr_text().matches("already up to date").count(), 1000);
}

#[test]
fn keys_add_appends_one_wrapped_key() {
    let two = Two::new();
    let before = two.sealed("a.yaml");
    let ran = two.seal("ada.key", ["keys", "add", &two.bob, "a.yaml"]).run().exits(0);
    let after = String::from_utf8(two.folder.read("a.yaml")).unwrap();
    let kept = String::from_utf8(before).unwrap();
    assert!(kept.lines().all(|line| after.contains(line)), "{ran}");
    assert!(two.opens("ada.key", "a.yaml") && two.opens("bob.key", "a.yaml"));
    let ran = two.seal("ada.key", ["keys", "add", &two.bob, "a.yaml"]).run().exits(0);
    assert!(ran.stderr_text().contains("already"), "{ran}");
    assert_eq!(two.folder.read("a.yaml"), after.as_bytes());

    let list = two.seal("bob.key", ["keys", "list", "a.yaml"]).ok();
    let list = String::from_utf8(list).unwrap();
    assert!(list.contains(&two.ada) && list.contains(&format!("{}  (you)", two.bob)), "{list}");
    let json = two.seal("bob.key", ["keys", "list", "--json", "a.yaml"]).ok();
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    let readers = json["files"][0]["readers"].as_array().unwrap();
    let own: Vec<_> = readers.iter().map(|reader| (reader["recipient"].as_str().unwrap(), &reader["own"])).collect();
    assert_eq!(own, [(two.ada.as_str(), &false.into()), (two.bob.as_str(), &true.into())]);
}

#[test]
fn keys_add_says_what_the_rule_lacks_and_adds_it_on_demand() {
    let two = Two::new();
    two.sealed("a.yaml");
    two.folder.write(".sops.yaml", format!("# who\ncreation_rules:\n  - age:\n      - {} # ada\n", two.ada));
    let ran = two.seal("ada.key", ["keys", "add", &two.bob, "a.yaml"]).run().exits(0);
    assert!(ran.stderr_text().contains(&format!("- {}", two.bob)) && ran.stderr_text().contains("--rule"), "{ran}");
    two.seal("ada.key", ["keys", "add", "--rule", &two.bob, "a.yaml"]).ok();
    assert_eq!(
        String::from_utf8(two.folder.read(".sops.yaml")).unwrap(),
        format!("# who\ncreation_rules:\n  - age:\n      - {} # ada\n      - {}\n", two.ada, two.bob)
    );
    let ran = two.seal("ada.key", ["updatekeys", "a.yaml"]).run().exits(0);
    assert!(ran.stderr_text().contains("already up to date"), "{ran}");
}

#[test]
fn keys_remove_makes_a_new_data_key() {
    let two = Two::new();
    two.sealed("a.yaml");
    two.seal("ada.key", ["keys", "add", &two.bob, "a.yaml"]).ok();
    let before = two.folder.read("a.yaml");
    two.rule(&format!("{},{}", two.ada, two.bob));
    let ran = two.seal("ada.key", ["keys", "remove", &two.bob, "a.yaml"]).run().exits(0);
    let said = ran.stderr_text();
    assert!(said.contains("stringData.pass") && said.contains("history"), "{ran}");
    assert!(said.contains("still names"), "{ran}");
    assert!(!said.contains("hunter2"), "{ran}");
    let old = tokens(&before);
    assert!(tokens(&two.folder.read("a.yaml")).iter().all(|token| !old.contains(token)));
    assert!(two.opens("ada.key", "a.yaml") && !two.opens("bob.key", "a.yaml"));

    // With the old wrapped key put back, the old data key opens nothing of the new version.
    let text = String::from_utf8(two.folder.read("a.yaml")).unwrap();
    let envelope = |text: &str| {
        let start = text.find("  age:\n").unwrap();
        (start, text.find("  lastmodified:").unwrap())
    };
    let old = String::from_utf8(before).unwrap();
    let ((from, to), (old_from, old_to)) = (envelope(&text), envelope(&old));
    two.folder.write("mixed.yaml", format!("{}{}{}", &text[..from], &old[old_from..old_to], &text[to..]));
    two.seal("bob.key", ["decrypt", "mixed.yaml"]).run().exits(5);

    two.seal("ada.key", ["keys", "remove", &two.bob, "a.yaml"]).run().exits(1);
}

#[test]
fn word_that_is_no_recipient_is_refused() {
    let two = Two::new();
    let before = two.sealed("a.yaml");
    two.seal("ada.key", ["keys", "add", "a.yaml"]).run().exits(2);
    two.seal("ada.key", ["keys", "add", &two.bob]).run().exits(2);
    let secret = String::from_utf8(two.folder.read("bob.key")).unwrap();
    let secret = secret.lines().find(|line| line.starts_with("AGE-SECRET-KEY-")).unwrap();
    let ran = two.seal("ada.key", ["keys", "add", secret, "a.yaml"]).run().exits(3);
    assert!(ran.stderr_text().contains("secret identity") && !ran.stderr_text().contains(secret), "{ran}");
    assert_eq!(two.folder.read("a.yaml"), before);
}

#[test]
fn generated_identity_is_one_of_age() {
    let two = Two::new();
    use std::os::unix::fs::PermissionsExt as _;
    let mode = two.folder.path("ada.key").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let before = two.folder.read("ada.key");
    two.seal("ada.key", ["keys", "generate", "-o", "ada.key"]).run().exits(8);
    assert_eq!(two.folder.read("ada.key"), before);
    for flags in [["keys", "generate"].as_slice(), &["keys", "generate", "--post-quantum"]] {
        let ran = two.folder.seal(flags).run().exits(0);
        two.folder.write("new.key", &ran.stdout);
        if let Some(step) = two.folder.peer("age-keygen", ["-y", "new.key"]) {
            let public = String::from_utf8(step.ok()).unwrap();
            assert!(ran.stderr_text().contains(public.trim()), "{ran}");
        }
    }
}

#[test]
fn shamir_groups_go_both_ways() {
    let two = Two::new();
    let both = [two.folder.read("ada.key"), two.folder.read("bob.key")].concat();
    two.folder.write("both.key", both);
    let before = two.sealed("a.yaml");
    let printed = two
        .seal("ada.key", ["groups", "add", "-f", "a.yaml", "--age", &two.bob, "--shamir-secret-sharing-threshold", "2"])
        .ok();
    assert_eq!(two.folder.read("a.yaml"), before);
    two.folder.write("two.yaml", &printed);
    assert_eq!(outside_keys(&printed), outside_keys(&before));
    assert!(
        two.opens("both.key", "two.yaml") && !two.opens("ada.key", "two.yaml") && !two.opens("bob.key", "two.yaml")
    );

    // Rotated, the split is a new one.
    two.seal("both.key", ["rotate", "-i", "two.yaml"]).ok();
    assert!(two.opens("both.key", "two.yaml") && !two.opens("ada.key", "two.yaml"));

    two.seal("both.key", ["groups", "delete", "-i", "-f", "two.yaml", "0"]).run().exits(3);
    two.seal("both.key", ["groups", "delete", "-i", "-f", "two.yaml", "2"]).run().exits(2);
    two.seal("both.key", ["groups", "delete", "-i", "-f", "two.yaml", "--shamir-secret-sharing-threshold", "1", "0"])
        .ok();
    assert!(two.opens("bob.key", "two.yaml") && !two.opens("ada.key", "two.yaml"));

    let add = ["groups", "add", "-i", "-f", "a.yaml", "--age", &two.bob, "--shamir-secret-sharing-threshold", "2"];
    if let Some(step) = two.sops("ada.key", add) {
        step.ok();
        let ran = two.seal("both.key", ["decrypt", "a.yaml"]).run().exits(0);
        assert!(ran.stdout_text().contains("hunter2"));
        two.seal("ada.key", ["decrypt", "a.yaml"]).run().exits(4);
    }
}

#[test]
fn groups_of_the_rule_are_taken_over() {
    let two = Two::new();
    let before = two.sealed("a.yaml");
    two.folder.write("both.key", [two.folder.read("ada.key"), two.folder.read("bob.key")].concat());
    two.folder.write(
        ".sops.yaml",
        format!("creation_rules:\n  - key_groups:\n      - age: [{}]\n      - age: [{}]\n", two.ada, two.bob),
    );
    two.seal("both.key", ["updatekeys", "-y", "a.yaml"]).ok();
    let after = two.folder.read("a.yaml");
    assert_eq!(outside_keys(&after), outside_keys(&before));
    assert!(String::from_utf8(after).unwrap().contains("shamir_threshold: 2"));
    assert!(two.opens("both.key", "a.yaml") && !two.opens("ada.key", "a.yaml"));
    two.rule(&two.ada);
    two.seal("both.key", ["updatekeys", "-y", "a.yaml"]).ok();
    assert!(two.opens("ada.key", "a.yaml") && !two.opens("bob.key", "a.yaml"));
}

#[test]
fn every_format_keeps_its_bytes() {
    let two = Two::new();
    for (name, plain) in [
        ("a.json", "{\"a\": \"x\",\n   \"b\": [1, 2.50]}"),
        ("a.env", "A=x\n# c\nB=\"y\"\n"),
        ("a.ini", "; c\n[s]\na=x\n"),
        ("a.bin", "\0\u{1}any\r\nbytes"),
        ("a.yaml", "a: x\n---\nb: 'y'\n"),
    ] {
        two.folder.write(name, plain);
        two.rule(&two.ada);
        two.seal("ada.key", ["encrypt", "-i", name]).ok();
        two.rule(&format!("{},{}", two.ada, two.bob));
        two.seal("ada.key", ["updatekeys", "-y", name]).ok();
        assert_eq!(two.seal("bob.key", ["decrypt", name]).ok(), plain.as_bytes(), "{name}");
        two.seal("ada.key", ["keys", "remove", &two.bob, name]).ok();
        assert_eq!(two.seal("ada.key", ["decrypt", name]).ok(), plain.as_bytes(), "{name}");
        if let Some(step) = two.sops("ada.key", ["decrypt", name]) {
            step.ok();
        }
        two.seal("bob.key", ["decrypt", name]).run().exits(4);
    }
}

#[test]
fn filestatus_says_what_sops_says() {
    let two = Two::new();
    let sealed = String::from_utf8(two.sealed("a.yaml")).unwrap();
    two.folder.write("nomac.yaml", sealed.replace("  mac: ENC[", "  unknown: ENC["));
    two.folder.write("damaged.yaml", sealed.replace("  lastmodified: ", "  lastmodified: x"));
    two.folder.write("noversion.yaml", sealed.replace("  version: ", "  unknown: "));
    two.folder.write("oddversion.yaml", sealed.replace("  version: ", "  version: x"));
    two.folder.write("blob.bin", "{}");
    two.folder.write("list.yaml", "- a\n");
    two.folder.write("scalar.yaml", "a: b\nsops: 5\n");
    for (name, expected) in [
        ("a.yaml", Some(true)),
        ("plain.yaml", Some(false)),
        ("nomac.yaml", Some(false)),
        ("damaged.yaml", None),
        ("noversion.yaml", Some(false)),
        ("oddversion.yaml", Some(true)),
        ("blob.bin", Some(false)),
        ("list.yaml", None),
        ("scalar.yaml", None),
        ("missing.yaml", None),
    ] {
        let ran = two.folder.seal(["filestatus", name]).run();
        match expected {
            Some(state) => assert_eq!(ran.stdout_text(), format!("{{\"encrypted\":{state}}}\n"), "{ran}"),
            None => assert!(ran.code != Some(0) && ran.stdout.is_empty(), "{ran}"),
        }
        if let Some(step) = two.folder.peer("sops", ["filestatus", name]) {
            let theirs = step.run();
            assert_eq!(
                (theirs.code == Some(0), theirs.stdout_text()),
                (ran.code == Some(0), ran.stdout_text()),
                "{theirs}"
            );
        }
    }
}

#[test]
fn files_of_sops_are_updated_and_rotated() {
    let two = Two::new();
    let Some(step) = two.sops("ada.key", ["encrypt", "--age", &two.ada, "plain.yaml"]) else { return };
    let before = step.ok();
    two.folder.write("a.yaml", &before);
    two.rule(&format!("{},{}", two.ada, two.bob));
    two.seal("ada.key", ["updatekeys", "-y", "a.yaml"]).ok();
    assert_eq!(outside_keys(&two.folder.read("a.yaml")), outside_keys(&before));
    let decrypt = |key: &str| two.sops(key, ["decrypt", "a.yaml"]).unwrap().ok();
    let plain = decrypt("bob.key");
    two.seal("ada.key", ["rotate", "-i", "a.yaml"]).ok();
    assert_eq!(decrypt("bob.key"), plain);
}
