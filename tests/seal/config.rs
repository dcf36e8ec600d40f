//! `seal config show` and `seal doctor`: they say what counts and where it was found, and never a secret.

use crate::support::Folder;

const RULES: &str = "\
creation_rules:
  - path_regex: ^prod/
    key_groups:
      - age: [age1qyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqs3290gq]
      - pgp: [FBC7B9E2A4F9289AC0C1D4843D16CEE4A27081B4]
    shamir_threshold: 2
    encrypted_regex: ^pass
    mac_only_encrypted: true
  - path_regex: ^dev/
    age: age1qyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqs3290gq
stores:
  yaml:
    indent: 2
";

/// A secret that no output may hold.
const CANARY: &str = "AGE-SECRET-KEY-1Z6YD4CYXZ34ZPXMULYKSVLSVEQ4STUYQ237F3CXPJK5K7W8XSVMS7DX6XE";

fn setting<'j>(json: &'j serde_json::Value, name: &str) -> Vec<(&'j serde_json::Value, &'j str)> {
    let settings = json["settings"].as_array().unwrap().iter().filter(|setting| setting["name"] == name);
    settings.map(|setting| (&setting["value"], setting["origin"].as_str().unwrap())).collect()
}

#[test]
fn config_show_says_which_rule_counts_and_where_it_stands() {
    let folder = Folder::new();
    let config = folder.write(".sops.yaml", RULES).canonicalize().unwrap();
    let show = |args: &[&str]| -> serde_json::Value {
        let bytes = folder.seal([&["config", "show", "--json"], args].concat()).ok();
        serde_json::from_slice(&bytes).unwrap()
    };
    let json = show(&["prod/db.yaml"]);
    let rule = format!("{}:2", config.display());
    for (name, value) in [
        ("creation rule", serde_json::json!(1)),
        ("path_regex", "^prod/".into()),
        ("readers of group 1", "FBC7B9E2A4F9289AC0C1D4843D16CEE4A27081B4".into()),
        ("shamir_threshold", serde_json::json!(2)),
        ("selection", "encrypted_regex: ^pass".into()),
        ("mac_only_encrypted", true.into()),
    ] {
        assert_eq!(setting(&json, name), [(&value, rule.as_str())], "{name}");
    }
    let (indent, origin) = setting(&json, "envelope indent")[0];
    assert_eq!((indent, origin), (&serde_json::json!(2), config.to_str().unwrap()));

    folder.write("dev/a.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {}\n");
    let json = show(&["dev/a.yaml"]);
    assert_eq!(setting(&json, "selection")[0].0, "encrypted_regex: ^(data|stringData)$");
    assert!(setting(&json, "selection")[0].1.starts_with("built in"));
    let json = show(&["--age", "age1other", "dev/a.yaml"]);
    assert_eq!(setting(&json, "reader"), [(&"age1other".into(), "flags")]);

    let bytes = folder.seal(["config", "show", "--origin", "dev/a.yaml"]).env("SOPS_AGE_RECIPIENTS", "age1env").ok();
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.contains("age1env  (SOPS_AGE_RECIPIENTS"), "{text}");

    let ran = folder.seal(["config", "show", "other/a.yaml"]).run().exits(3);
    assert!(ran.stderr_text().contains("no matching creation rules found"), "{ran}");
}

#[test]
fn config_show_lists_rules_and_variables_but_no_secret() {
    let folder = Folder::new();
    folder.write(".sops.yaml", RULES);
    let ran = folder.seal(["config", "show"]).env("SOPS_AGE_KEY", CANARY).env("EDITOR", "ed\u{1b}[2J").run().exits(0);
    let text = ran.stdout_text();
    assert!(text.contains("^dev/  1 reader") && text.contains("^prod/  2 readers, encrypted_regex: ^pass"), "{text}");
    let line = |name: &str| text.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap().to_owned();
    assert!(line("SOPS_AGE_KEY").contains("set, not shown") && line("SOPS_CONFIG").contains("not set"), "{text}");
    assert!(line("EDITOR").contains("ed\\x1b[2J"), "{text}");
    assert!(!text.contains(CANARY) && !ran.stderr_text().contains(CANARY));
}

#[test]
fn doctor_finds_what_is_broken() {
    let folder = Folder::new();
    let doctor = || folder.seal(["doctor"]);
    let ran = doctor().run().exits(1);
    assert!(ran.stdout_text().contains("✗ identity   there is none"), "{ran}");

    let ran = doctor().env("SOPS_AGE_KEY", CANARY).run().exits(0);
    assert!(ran.stdout_text().contains("✓ identity   SOPS_AGE_KEY: 1 identity"), "{ran}");
    assert!(ran.stdout_text().contains("public: age1"), "{ran}");
    assert!(!ran.stdout_text().contains(CANARY));

    // Permissions, a broken line, and a file that is not there.
    folder.write("key", CANARY);
    let ran = doctor().env("SOPS_AGE_KEY_FILE", folder.path("key")).run().exits(0);
    assert!(ran.stdout_text().contains("others on this machine may use it"), "{ran}");
    let ran = doctor().env("SOPS_AGE_KEY_FILE", folder.write("key", format!("{CANARY}X"))).run().exits(1);
    assert!(ran.stdout_text().contains("malformed identity") && !ran.stdout_text().contains(CANARY), "{ran}");
    doctor().env("SOPS_AGE_KEY_FILE", folder.path("none")).run().exits(1);

    folder.write(".sops.yaml", "creation_rules:\n  - encrypted-regex: a\n    age: AGE-SECRET-KEY-1X\n");
    let ran = doctor().env("SOPS_AGE_KEY", CANARY).run().exits(1);
    let said = ran.stdout_text();
    assert!(said.contains("did you mean encrypted_regex?") && said.contains("secret identity"), "{ran}");
}

#[test]
fn doctor_sees_gits_settings_and_the_programs_in_the_path() {
    let folder = Folder::new();
    let git = |args: &[&str]| folder.program("git", args).ok();
    git(&["init", "-q"]);
    let plugin = folder.write("bin/age-plugin-x", "#!/bin/sh\n");
    let sops = folder.write("bin/sops", "#!/bin/sh\ntest -n \"$SOPS_DISABLE_VERSION_CHECK\" && echo sops 9.9.9\n");
    for program in [&plugin, &sops] {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(program, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = format!("{}:{}", folder.path("bin").display(), std::env::var("PATH").unwrap());
    let doctor = || {
        let ran = folder.seal(["doctor", "--json"]).env("SOPS_AGE_KEY", CANARY).env("PATH", &path).run();
        let json: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap_or_else(|_| panic!("{ran}"));
        let checks: Vec<(String, String)> = json["checks"]
            .as_array()
            .unwrap()
            .iter()
            .map(|c| (c["result"].as_str().unwrap().to_owned(), c["text"].as_str().unwrap().to_owned()))
            .collect();
        (ran.code, checks)
    };
    let has = |checks: &[(String, String)], result: &str, text: &str| {
        checks.iter().any(|(r, t)| r == result && t.contains(text))
    };
    let (code, checks) = doctor();
    assert_eq!(code, Some(0));
    assert!(has(&checks, "ok", "age-plugin-x") && has(&checks, "ok", "sops 9.9.9"), "{checks:?}");
    assert!(has(&checks, "warning", "diff.seal.textconv is not set"), "{checks:?}");

    git(&["config", "diff.seal.textconv", "seal textconv"]);
    git(&["config", "diff.seal.cachetextconv", "true"]);
    folder.write(".git/hooks/pre-commit", "#!/bin/sh\nexec seal hook run pre-commit\n");
    let before = folder.read(".git/config");
    let (code, checks) = doctor();
    assert_eq!(code, Some(1));
    assert!(has(&checks, "ok", "diff.seal.textconv is `seal textconv`"), "{checks:?}");
    assert!(
        has(&checks, "failed", "cachetextconv") && has(&checks, "ok", "hooks that call seal: pre-commit"),
        "{checks:?}"
    );
    assert_eq!(folder.read(".git/config"), before);
}
