//! seal in git: what `git diff` and `git log -p` show, and how `git merge` merges.

use std::path::PathBuf;

use seal::crypt::{DataKey, Encrypted, MacCheck, Recipient, Sealing, WrappedKey, encrypt};
use seal::document::{Document, Format};
use seal::host::{clock, random};

use crate::support::{Folder, Ran, peer};

/// A repository with an identity and a config, in which seal is git's driver for `*.secret.*`.
struct Repository(Folder);

const FILE: &str = "db.secret.yaml";

impl Repository {
    fn new() -> Self {
        let folder = Folder::new();
        folder.program("git", ["init", "--quiet", "--initial-branch=main", "."]).ok();
        let repository = Self(folder);
        repository.0.seal(["init"]).ok();
        let rules = format!("creation_rules:\n  - age: {}\n", repository.identity().to_public());
        repository.0.write(".sops.yaml", rules);
        for (name, value) in [("user.name", "ada"), ("user.email", "ada@example.com"), ("commit.gpgsign", "false")] {
            repository.git(["config", name, value]).exits(0);
        }
        repository.drivers();
        repository
    }

    fn drivers(&self) {
        let seal = env!("CARGO_BIN_EXE_seal");
        self.git(["config", "diff.seal.textconv", &format!("{seal} textconv")]).exits(0);
        self.git(["config", "diff.seal.cachetextconv", "false"]).exits(0);
        self.git(["config", "merge.seal.driver", &format!("{seal} merge-driver %O %A %B %L %P")]).exits(0);
        self.0.write(".gitattributes", "*.secret.* diff=seal merge=seal\n");
    }

    fn git<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Ran {
        self.0.program("git", args).run()
    }

    /// Seals `plain` as a new file.
    fn seal(&self, name: &str, plain: &str) {
        self.0.write(name, plain);
        self.0.seal(["encrypt", "-i", name]).ok();
    }

    fn identity(&self) -> age::x25519::Identity {
        let text = String::from_utf8(self.0.read("home/.config/sops/age/keys.txt")).unwrap();
        text.lines().find_map(|line| line.parse().ok()).expect("init made an identity")
    }

    /// Puts `plain` in the place of what the file holds, keeping readers and data key.
    fn change(&self, name: &str, plain: &str) {
        let old = Encrypted::parse(self.0.read(name), Format::of_path(name.as_ref())).unwrap();
        let key = age::decrypt(&self.identity(), old.envelope().groups[0][0].enc.as_bytes()).unwrap();
        let key = DataKey::from_bytes(&key).unwrap();
        let opened = old.open(&key, MacCheck::Require).unwrap();
        let plain = Document::parse(plain.as_bytes().to_vec(), old.format()).unwrap();
        let envelope = old.envelope().clone();
        let sealing = Sealing { envelope, key: &key, previous: Some(&opened), style: old.style(), now: clock::now() };
        self.0.write(
            name,
            encrypt(plain, sealing, &mut |bytes| random::fill(bytes).map_err(|e| e.to_string())).unwrap().bytes,
        );
    }

    fn key(&self, name: &str) -> DataKey {
        let old = Encrypted::parse(self.0.read(name), Format::of_path(name.as_ref())).unwrap();
        let wrapped =
            old.envelope().wrapped_keys().find_map(|key| age::decrypt(&self.identity(), key.enc.as_bytes()).ok());
        DataKey::from_bytes(&wrapped.expect("it is for the identity")).unwrap()
    }

    /// Seals a file for its maker and `readers`, and nobody else, under `key`.
    fn share(&self, name: &str, key: &DataKey, readers: &[&age::x25519::Recipient]) {
        let old = Encrypted::parse(self.0.read(name), Format::of_path(name.as_ref())).unwrap();
        let plain = Document::parse(self.decrypt(name).into_bytes(), old.format()).unwrap();
        let mut envelope = old.envelope().clone();
        let own = self.identity().to_public();
        let wrap = |reader: &age::x25519::Recipient| WrappedKey {
            recipient: Recipient::Age(reader.to_string()),
            enc: age::encrypt_and_armor(reader, key.expose()).unwrap(),
            created_at: None,
        };
        envelope.groups = vec![std::iter::once(&own).chain(readers.iter().copied()).map(wrap).collect()];
        let sealing = Sealing { envelope, key, previous: None, style: old.style(), now: clock::now() };
        self.0.write(
            name,
            encrypt(plain, sealing, &mut |bytes| random::fill(bytes).map_err(|e| e.to_string())).unwrap().bytes,
        );
    }

    /// The same under a new data key.
    fn rotate(&self, name: &str, readers: &[&age::x25519::Recipient]) {
        self.share(name, &DataKey::generate(random::fill).unwrap(), readers);
    }

    fn commit(&self, message: &str) {
        self.git(["add", "-A", ":!home"]).exits(0);
        self.git(["commit", "--quiet", "-m", message]).exits(0);
    }

    fn decrypt(&self, name: &str) -> String {
        String::from_utf8(self.0.seal(["decrypt", name]).ok()).unwrap()
    }

    /// Two branches from `base`: `topic` as `theirs` makes it and `main` as `ours` does; then merges.
    fn merge(&self, name: &str, base: &str, ours: impl FnOnce(&Self), theirs: impl FnOnce(&Self)) -> Ran {
        self.seal(name, base);
        self.commit("base");
        self.git(["checkout", "--quiet", "-b", "topic"]).exits(0);
        theirs(self);
        self.commit("theirs");
        self.git(["checkout", "--quiet", "main"]).exits(0);
        ours(self);
        self.commit("ours");
        self.git(["merge", "--no-edit", "topic"])
    }

    /// All objects of the repository and all files of the working tree, unpacked.
    fn everything(&self) -> Vec<u8> {
        let batch = self.git(["cat-file", "--batch-all-objects", "--batch", "--unordered"]).exits(0);
        let mut all = batch.stdout;
        let mut folders = vec![self.0.path(".")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path: PathBuf = entry.unwrap().path();
                if path.is_dir() && !path.ends_with("home") {
                    folders.push(path);
                } else if path.is_file() {
                    all.extend(std::fs::read(path).unwrap());
                }
            }
        }
        all
    }

    fn holds(&self, text: &str) -> bool {
        memchr::memmem::find(&self.everything(), text.as_bytes()).is_some()
    }
}

const BASE: &str = "\
apiVersion: v1
kind: Secret
metadata:
  name: db
stringData:
  # who
  user: ada-canary
  password: hunter-canary
";

/// `BASE` with words replaced.
fn with(changes: &[(&str, &str)]) -> String {
    let mut text = BASE.to_owned();
    for (old, new) in changes {
        assert!(text.contains(old), "{old}");
        text = text.replace(old, new);
    }
    text
}

#[test]
fn git_shows_values_and_stores_none() {
    let repository = Repository::new();
    repository.seal(FILE, BASE);
    repository.commit("one");
    repository.change(FILE, &with(&[("hunter-canary", "hunter-3-canary")]));
    let diff = repository.git(["diff", "--cached", "HEAD"]).exits(0).stdout_text();
    assert_eq!(diff, "");
    let diff = repository.git(["diff"]).exits(0).stdout_text();
    assert!(diff.contains("-  password: hunter-canary\n+  password: hunter-3-canary\n"), "{diff}");
    repository.commit("two");
    let log = repository.git(["log", "-p"]).exits(0).stdout_text();
    assert!(log.contains("+  password: hunter-3-canary") && log.contains("+  user: ada-canary"), "{log}");
    assert!(!repository.holds("canary"), "plaintext was stored");
    assert_eq!(repository.git(["config", "diff.seal.cachetextconv"]).stdout_text(), "false\n");
}

#[test]
fn git_log_goes_on_without_a_key() {
    let repository = Repository::new();
    repository.seal(FILE, BASE);
    repository.seal("app.secret.env", "A=env-canary\n");
    repository.seal("app.secret.json", "{\"a\": \"json-canary\"}\n");
    repository.0.write("plain.secret.txt", "not sealed\n");
    repository.commit("one");
    std::fs::remove_dir_all(repository.0.path("home/.config")).unwrap();
    let log = repository.git(["log", "-p"]).exits(0);
    let text = log.stdout_text();
    assert!(text.contains("+# seal: not decrypted: no identity at hand opens it\n"), "{log}");
    assert!(text.contains("+// seal: not decrypted") && text.contains("+  password: ENC["), "{log}");
    assert!(text.contains("+not sealed\n"));
    assert_eq!(log.stderr_text(), "");
}

#[test]
fn textconv_tells_the_format_by_content_where_the_name_does_not() {
    let repository = Repository::new();
    for (name, plain) in [
        ("a.secret.yaml", BASE),
        ("a.secret.env", "A=1\nB=two\n"),
        ("a.secret.json", "{\n\t\"data\": \"x\",\n\t\"n\": 1\n}\n"),
        ("a.secret.ini", "[s]\nx = 1\n"),
        ("a.secret.bin", "any\nbytes\n"),
    ] {
        repository.seal(name, plain);
        std::fs::copy(repository.0.path(name), repository.0.path("blob")).unwrap();
        let shown = String::from_utf8(repository.0.seal(["textconv", "blob"]).ok()).unwrap();
        assert_eq!(shown, plain, "{name}");
    }
}

#[test]
fn a_changed_file_is_shown_and_said_to_be() {
    let repository = Repository::new();
    repository.seal(FILE, BASE);
    let text = String::from_utf8(repository.0.read(FILE)).unwrap().replace("name: db", "name: other");
    repository.0.write(FILE, text);
    let shown = String::from_utf8(repository.0.seal(["textconv", FILE]).ok()).unwrap();
    assert_eq!(
        shown,
        format!("# seal: its MAC is wrong: changed after it was encrypted\n{}", with(&[("name: db", "name: other")]))
    );
}

#[test]
fn changes_of_both_sides_are_joined() {
    let repository = Repository::new();
    let ours = with(&[("ada-canary", "eve-canary"), ("  password", "  # ours\n  added: 1-canary\n  password")]);
    let theirs = with(&[("hunter-canary", "other-canary\n  theirs: 2-canary"), ("# who", "# whose")]);
    let merged = repository.merge(FILE, BASE, |r| r.change(FILE, &ours), |r| r.change(FILE, &theirs)).exits(0);
    assert!(merged.stderr_text().contains("merged: 2 changes of ours, 2 of theirs"), "{merged}");
    let expected = with(&[
        ("# who", "# whose"),
        ("ada-canary", "eve-canary\n  # ours\n  added: 1-canary"),
        ("hunter-canary", "other-canary\n  theirs: 2-canary"),
    ]);
    assert_eq!(repository.decrypt(FILE), expected);
    assert!(!repository.holds("canary"), "plaintext was stored");
    if let Some(sops) = repository.0.peer("sops", ["decrypt", FILE]) {
        let keys = repository.0.path("home/.config/sops/age/keys.txt");
        let plain = String::from_utf8(sops.env("SOPS_AGE_KEY_FILE", keys).ok()).unwrap();
        assert!(plain.contains("theirs: 2-canary"), "{plain}");
    }
}

#[test]
fn a_value_that_both_changed_stays_ours_and_encrypted() {
    let repository = Repository::new();
    let ours = with(&[("hunter-canary", "ours-canary")]);
    let theirs = with(&[("hunter-canary", "theirs-canary"), ("ada-canary", "eve-canary")]);
    let merged = repository.merge(FILE, BASE, |r| r.change(FILE, &ours), |r| r.change(FILE, &theirs)).exits(1);
    assert!(merged.stderr_text().contains("both sides changed the same"), "{merged}");
    assert!(merged.stderr_text().contains("  stringData.password\n"), "{merged}");
    assert!(merged.stdout_text().contains("CONFLICT"), "{merged}");
    assert!(!merged.stderr_text().contains("canary"), "{merged}");
    assert_eq!(repository.decrypt(FILE), with(&[("hunter-canary", "ours-canary"), ("ada-canary", "eve-canary")]));
    assert!(!repository.holds("canary"), "plaintext was stored");
    // The hint works as it stands.
    let theirs = repository.git(["show", &format!("MERGE_HEAD:{FILE}")]).exits(0).stdout;
    let shown = repository.0.seal(["decrypt", "--filename-override", FILE]).stdin(theirs).ok();
    assert!(String::from_utf8(shown).unwrap().contains("theirs-canary"));
}

#[test]
fn unchanged_values_keep_their_ciphertext() {
    let repository = Repository::new();
    let ours = with(&[("ada-canary", "eve-canary")]);
    let theirs = with(&[("  password", "  more: canary\n  password")]);
    repository.merge(FILE, BASE, |r| r.change(FILE, &ours), |r| r.change(FILE, &theirs)).exits(0);
    let diff = repository.git(["diff", "--no-textconv", "--unified=0", "HEAD^", FILE]).exits(0).stdout_text();
    let added: Vec<_> = diff.lines().filter(|line| line.starts_with('+') && !line.starts_with("+++")).collect();
    let kinds = ["more:", "lastmodified:", "mac:"];
    assert!(added.len() >= 2 && added.iter().all(|line| kinds.iter().any(|kind| line.contains(kind))), "{diff}");
}

/// A new reader: the file of its identity, and its public key.
fn reader(repository: &Repository, name: &str) -> (PathBuf, age::x25519::Recipient) {
    use age::secrecy::ExposeSecret as _;
    let identity = age::x25519::Identity::generate();
    let file = repository.0.write(format!("home/{name}.txt"), identity.to_string().expose_secret());
    (file, identity.to_public())
}

#[test]
fn a_reader_that_they_added_under_the_same_key_may_read_the_merged_file() {
    let repository = Repository::new();
    let ((bob, bob_public), (_, carol)) = (reader(&repository, "bob"), reader(&repository, "carol"));
    let ours = with(&[("ada-canary", "eve-canary")]);
    let merged = repository.merge(
        FILE,
        BASE,
        |r| {
            r.change(FILE, &ours);
            r.share(FILE, &r.key(FILE), &[&carol]);
        },
        |r| r.share(FILE, &r.key(FILE), &[&bob_public]),
    );
    let merged = merged.exits(0);
    assert!(merged.stderr_text().contains("1 change of ours, 0 of theirs, reader +age1"), "{merged}");
    let plain = repository.0.seal(["decrypt", FILE]).env("SOPS_AGE_KEY_FILE", bob).ok();
    assert_eq!(String::from_utf8(plain).unwrap(), ours);
    assert!(String::from_utf8(repository.0.read(FILE)).unwrap().contains(&carol.to_string()));
}

#[test]
fn a_reader_whom_they_shut_out_stays_out() {
    let repository = Repository::new();
    let (_, bob) = reader(&repository, "bob");
    repository.seal(FILE, BASE);
    repository.share(FILE, &repository.key(FILE), &[&bob]);
    let known_to_bob = repository.key(FILE);
    repository.commit("for bob");
    repository.git(["checkout", "--quiet", "-b", "topic"]).exits(0);
    repository.rotate(FILE, &[]);
    let theirs = repository.key(FILE);
    repository.commit("not for bob");
    repository.git(["checkout", "--quiet", "main"]).exits(0);
    repository.change(FILE, &with(&[("hunter-canary", "new-canary")]));
    repository.commit("new password");
    let merged = repository.git(["merge", "--no-edit", "topic"]).exits(0);
    assert!(merged.stderr_text().contains("reader -age1") && merged.stderr_text().contains("new data key"), "{merged}");
    assert_eq!(repository.decrypt(FILE), with(&[("hunter-canary", "new-canary")]));
    let now = repository.key(FILE);
    assert!(now.expose() != known_to_bob.expose() && now.expose() != theirs.expose());
    assert!(!String::from_utf8(repository.0.read(FILE)).unwrap().contains(&bob.to_string()));
}

#[test]
fn our_new_key_stays_where_they_only_took_out_a_reader() {
    let repository = Repository::new();
    let (_, bob) = reader(&repository, "bob");
    repository.seal(FILE, BASE);
    repository.share(FILE, &repository.key(FILE), &[&bob]);
    repository.commit("for bob");
    repository.git(["checkout", "--quiet", "-b", "topic"]).exits(0);
    repository.share(FILE, &repository.key(FILE), &[]);
    repository.commit("not for bob");
    repository.git(["checkout", "--quiet", "main"]).exits(0);
    repository.rotate(FILE, &[&bob]);
    let ours = repository.key(FILE);
    repository.commit("new key");
    repository.git(["merge", "--no-edit", "topic"]).exits(0);
    assert_eq!(repository.decrypt(FILE), BASE);
    assert_eq!(repository.key(FILE).expose(), ours.expose());
    assert!(!String::from_utf8(repository.0.read(FILE)).unwrap().contains(&bob.to_string()));
}

#[test]
fn who_writes_themselves_into_a_branch_under_a_key_of_their_own_is_not_let_in() {
    let repository = Repository::new();
    let (_, mallory) = reader(&repository, "mallory");
    let ours = with(&[("hunter-canary", "new-canary")]);
    let merged = repository.merge(FILE, BASE, |r| r.change(FILE, &ours), |r| r.rotate(FILE, &[&mallory])).exits(1);
    let hint = format!("to do so: seal keys add '{mallory}' {FILE}");
    assert!(merged.stderr_text().contains(&hint), "{merged}");
    assert!(!String::from_utf8(repository.0.read(FILE)).unwrap().contains(&mallory.to_string()));
    assert_eq!(repository.decrypt(FILE), ours);
}

#[test]
fn files_that_both_added_and_other_formats_merge() {
    let repository = Repository::new();
    let merged = repository.merge(
        "a.secret.env",
        "A=1\nB=2\n",
        |r| {
            r.change("a.secret.env", "A=3\nB=2\n");
            r.seal("new.secret.json", "{\n\t\"ours\": \"1\"\n}\n");
        },
        |r| {
            r.change("a.secret.env", "A=1\nB=4\n# c\nC=5\n");
            r.seal("new.secret.json", "{\n\t\"theirs\": \"2\"\n}\n");
        },
    );
    let merged = merged.exits(0);
    assert_eq!(repository.decrypt("a.secret.env"), "A=3\nB=4\n# c\nC=5\n", "{merged}");
    assert_eq!(repository.decrypt("new.secret.json"), "{\n\t\"theirs\": \"2\",\n\t\"ours\": \"1\"\n}\n");
}

#[test]
fn files_that_sops_made_merge() {
    let repository = Repository::new();
    let Some(sops) = peer("sops") else { return };
    let reader = repository.identity().to_public().to_string();
    let keys = repository.0.path("home/.config/sops/age/keys.txt");
    let run = |args: &[&str]| {
        let step = repository.0.program(&sops, args.iter().copied());
        step.env("SOPS_AGE_KEY_FILE", &keys).ok()
    };
    repository.0.write(FILE, "a: one # c\nb: two\nl:\n  - x\n");
    run(&["encrypt", "-i", "--age", &reader, FILE]);
    repository.commit("base");
    repository.git(["checkout", "--quiet", "-b", "topic"]).exits(0);
    run(&["set", FILE, r#"["a"]"#, r#""three""#]);
    repository.commit("theirs");
    repository.git(["checkout", "--quiet", "main"]).exits(0);
    run(&["set", FILE, r#"["b"]"#, r#""four""#]);
    repository.commit("ours");
    repository.git(["merge", "--no-edit", "topic"]).exits(0);
    let plain = String::from_utf8(run(&["decrypt", FILE])).unwrap();
    assert!(plain.contains("a: three") && plain.contains("b: four"), "{plain}");
}

#[test]
fn without_a_key_nothing_is_merged_or_changed() {
    let repository = Repository::new();
    repository.seal("base", BASE);
    let before = repository.0.read("base");
    for copy in ["ours", "theirs"] {
        repository.0.write(copy, &before);
    }
    std::fs::remove_dir_all(repository.0.path("home/.config")).unwrap();
    let args = ["merge-driver", "base", "ours", "theirs", "7", "secret.bin"];
    let ran = repository.0.seal(args).run();
    assert!(ran.code > Some(128), "{ran}");
    assert!(ran.stderr_text().contains("cannot decrypt secret.bin"), "{ran}");
    assert_eq!(repository.0.read("ours"), before);
}

#[test]
fn plain_files_merge_as_git_merges_them() {
    let repository = Repository::new();
    for (name, text) in
        [("o", "a: 1\nb: 1\n\n\n\nc: 1\n"), ("a", "a: 2\nb: 1\n\n\n\nc: 1\n"), ("b", "a: 1\nb: 1\n\n\n\nc: 3\n")]
    {
        repository.0.write(name, text);
    }
    repository.0.seal(["merge-driver", "o", "a", "b", "9", "x.yaml"]).ok();
    assert_eq!(repository.0.read("a"), b"a: 2\nb: 1\n\n\n\nc: 3\n");
    repository.0.write("b", "a: 7\n");
    let _ = repository.0.seal(["merge-driver", "o", "a", "b", "9", "x.yaml"]).run().exits(1);
    assert!(repository.0.read("a").starts_with(b"<<<<<<<<< ours\n"));
}

#[test]
fn diff_names_what_changed_and_hides_values() {
    let repository = Repository::new();
    repository.seal(FILE, BASE);
    repository.commit("one");
    repository.change(FILE, &with(&[("hunter-canary", "hunter-canary-2\n  replica_url: canary")]));
    let diff = repository.0.seal(["diff", FILE]).run().exits(0);
    assert_eq!(
        diff.stdout_text(),
        "db.secret.yaml   stringData.password changed (13 → 15 bytes) · stringData.replica_url added\n"
    );
    let _ = repository.0.seal(["diff", "--exit-code", FILE]).run().exits(1);
    let cached = repository.0.seal(["diff", "--cached"]).run().exits(0);
    assert_eq!(
        (cached.stdout_text(), cached.stderr_text()),
        (String::new(), "no differences in encrypted files\n".into())
    );
    repository.git(["add", FILE]).exits(0);
    assert_eq!(repository.0.seal(["diff", "--cached"]).run().exits(0).stdout_text(), diff.stdout_text());
    let shown = repository.0.seal(["diff", "--show-values", "HEAD"]).run().exits(0).stdout_text();
    assert!(shown.contains("  stringData.password\n  - hunter-canary\n  + hunter-canary-2\n"), "{shown}");
    let json: serde_json::Value = serde_json::from_slice(&repository.0.seal(["diff", "--json"]).ok()).unwrap();
    assert_eq!(json["schema"], "seal.diff/1");
    assert_eq!(json["files"][0]["changes"][0]["path"], "stringData.password");
    assert_eq!(json["files"][0]["changes"][0]["new_bytes"], 15);
    assert!(!json.to_string().contains("canary"));
}

#[test]
fn diff_compares_revisions_with_and_without_a_key() {
    let repository = Repository::new();
    repository.seal(FILE, BASE);
    repository.seal("dev/other.secret.yaml", BASE);
    repository.0.write("notes.txt", "one");
    repository.commit("one");
    let carol = age::x25519::Identity::generate().to_public();
    repository.change(FILE, &with(&[("hunter-canary", "hunter-canary-2"), ("ada-canary", "eve-canary")]));
    repository.rotate("dev/other.secret.yaml", &[&carol]);
    repository.0.write("notes.txt", "two");
    repository.commit("two");
    let short = format!("{}…{}", &carol.to_string()[..10], &carol.to_string()[58..]);
    let other = format!(
        "dev/other.secret.yaml   2 values encrypted anew, the same as before · new data key · readers +{short}\n"
    );
    for range in ["HEAD~1..HEAD", "HEAD~1..", "HEAD~1...HEAD", "HEAD~1"] {
        let diff = repository.0.seal(["diff", range]).run().exits(0).stdout_text();
        let db =
            "db.secret.yaml   stringData.user changed (10 → 10 bytes) · stringData.password changed (13 → 15 bytes)\n";
        assert_eq!(diff, format!("{db}{other}"), "{range}");
    }
    let only = repository.0.seal(["diff", "HEAD~1..HEAD", "--", "dev"]).run().exits(0).stdout_text();
    assert_eq!(only, other);
    let summary = repository.0.seal(["diff", "--summary", "HEAD~1..HEAD", "--", FILE]);
    let summary = summary.run().exits(0);
    let expected = "db.secret.yaml   stringData.user changed or encrypted anew (10 bytes) · stringData.password changed (13 → 15 bytes)\n";
    assert_eq!(summary.stdout_text(), expected);
    std::fs::remove_dir_all(repository.0.path("home/.config")).unwrap();
    let without = repository.0.seal(["diff", "HEAD~1..HEAD", "--", FILE]).run().exits(0);
    assert_eq!(without.stdout_text(), expected);
    assert!(without.stderr_text().contains("told from the ciphertext alone"), "{without}");
    let _ = repository.0.seal(["diff", "--show-values", "HEAD~1..HEAD"]).run().exits(4);
    let missing = repository.0.seal(["diff", "nothing.yaml"]).run().exits(8);
    assert!(missing.stderr_text().contains("cannot find the revision `nothing.yaml`"), "{missing}");
}

#[test]
fn diff_compares_two_files_and_sees_what_is_no_longer_encrypted() {
    let repository = Repository::new();
    repository.seal(FILE, BASE);
    repository.commit("one");
    repository.0.write("other.secret.yaml", with(&[("ada-canary", "x")]));
    let two = repository.0.seal(["diff", FILE, "other.secret.yaml"]).run().exits(0).stdout_text();
    assert!(
        two.starts_with(
            "other.secret.yaml   NO LONGER ENCRYPTED · stringData.user changed (10 → 1 bytes) · readers -age1"
        ),
        "{two}"
    );
    repository.0.write(FILE, BASE);
    let open = repository.0.seal(["diff"]).run().exits(0).stdout_text();
    assert!(open.starts_with("db.secret.yaml   NO LONGER ENCRYPTED"), "{open}");
    std::fs::remove_file(repository.0.path(FILE)).unwrap();
    let gone = repository.0.seal(["diff", "--", FILE]).run().exits(0).stdout_text();
    assert!(gone.starts_with("db.secret.yaml   file removed"), "{gone}");
}

#[test]
fn diff_runs_nothing_that_a_repository_names() {
    let repository = Repository::new();
    repository.seal(FILE, BASE);
    repository.commit("one");
    repository.change(FILE, &with(&[("hunter-canary", "other")]));
    for name in
        ["core.fsmonitor", "core.pager", "core.sshCommand", "diff.external", "diff.seal.textconv", "filter.x.smudge"]
    {
        let program = format!("touch {}", repository.0.path("ran").display());
        repository.git(["config", name, &program]).exits(0);
    }
    let before = repository.everything();
    assert!(repository.0.seal(["diff"]).run().exits(0).stdout_text().contains("password changed"));
    assert!(repository.0.seal(["diff", "HEAD..HEAD"]).run().exits(0).stdout.is_empty());
    assert!(!repository.0.path("ran").exists());
    assert!(before == repository.everything(), "diff wrote something");
}

#[test]
fn init_sets_git_up_once_and_says_so() {
    let folder = Folder::new();
    folder.program("git", ["init", "--quiet", "."]).ok();
    folder.write(".gitattributes", "*.png binary");
    let config = folder.read(".git/config");
    let plan = folder.seal(["init", "--git", "--dry-run"]).run().exits(0);
    assert!(plan.stderr_text().contains("would set diff.seal.cachetextconv = false"), "{plan}");
    assert!(plan.stderr_text().ends_with("nothing was changed\n"), "{plan}");
    assert_eq!(folder.read(".gitattributes"), b"*.png binary");
    assert_eq!(folder.read(".git/config"), config);
    assert!(!folder.path(".sops.yaml").exists() && !folder.path("home/.config").exists());

    let ran = folder.seal(["init", "--git"]).run().exits(0);
    assert!(ran.stderr_text().contains("added to"), "{ran}");
    let attributes = "*.png binary\n*secret*.yaml diff=seal merge=seal\n*secret*.yml diff=seal merge=seal\n";
    assert_eq!(String::from_utf8(folder.read(".gitattributes")).unwrap(), attributes);
    for (name, value) in [
        ("diff.seal.textconv", "seal textconv"),
        ("diff.seal.cachetextconv", "false"),
        ("merge.seal.driver", "seal merge-driver %O %A %B %L %P"),
    ] {
        let set = folder.program("git", ["config", "--local", name]).run().exits(0).stdout_text();
        assert_eq!(set, format!("{value}\n"));
    }
    let config = folder.read(".git/config");
    let again = folder.seal(["init", "--git"]).run().exits(0);
    assert!(!again.stderr_text().contains("added") && again.stderr_text().contains("is set already"), "{again}");
    assert_eq!((folder.read(".git/config"), folder.read(".gitattributes")), (config, attributes.as_bytes().to_vec()));

    folder.seal(["init", "--git", "--pattern", "*.enc.json"]).ok();
    assert!(String::from_utf8(folder.read(".gitattributes")).unwrap().ends_with("*.enc.json diff=seal merge=seal\n"));
    let _ = folder.seal(["init", "--git", "--pattern", "two words"]).run().exits(2);
}

#[test]
fn init_asks_which_files_where_the_rules_do_not_tell() {
    let repository = Repository::new();
    let ran = repository.0.seal(["init", "--git"]).run().exits(2);
    assert!(ran.stderr_text().contains("hint: name them as in .gitignore: seal init --git --pattern"), "{ran}");
}

#[test]
fn drivers_that_init_sets_work_with_seal_in_the_path() {
    let repository = Repository::new();
    repository.0.seal(["init", "--git", "--pattern", "*.secret.*"]).ok();
    repository.seal(FILE, BASE);
    repository.commit("one");
    repository.change(FILE, &with(&[("hunter-canary", "other")]));
    let programs = PathBuf::from(env!("CARGO_BIN_EXE_seal")).parent().unwrap().to_owned();
    let path = std::env::join_paths(
        std::iter::once(programs).chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
    );
    let diff = repository.0.program("git", ["diff"]).env("PATH", path.unwrap()).ok();
    assert!(String::from_utf8(diff).unwrap().contains("+  password: other"));
}
