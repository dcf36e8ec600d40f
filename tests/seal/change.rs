//! `seal set`, `seal unset` and `seal get`, and that real sops reads what they leave.

use crate::support::{Folder, Ran, Step, repository};

const SECRET: &str = "\
apiVersion: v1
kind: Secret
metadata: {name: db}   # the database
stringData:
  # rotated by hand
  user: ada
  pass: 'hunter2' # old

  list-like: \"a, b\"
";

/// A folder with `name` in it, encrypted for the test key.
fn sealed(name: &str, plain: &str) -> Folder {
    let folder = Folder::new();
    let path = folder.write(name, plain);
    let args = ["encrypt", "-i", "--age", &recipient()];
    folder.seal(args.iter().map(AsRef::as_ref).chain([path.as_os_str()])).ok();
    folder
}

pub fn recipient() -> String {
    let keys = std::fs::read_to_string(repository("tests/sops/keys/keys.txt")).unwrap();
    keys.lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap().to_owned()
}

pub fn with_key(step: Step) -> Step {
    step.env("SOPS_AGE_KEY_FILE", repository("tests/sops/keys/keys.txt"))
}

fn seal(folder: &Folder, args: &[&str], stdin: &str) -> Ran {
    with_key(folder.seal(args)).stdin(stdin).run()
}

fn plain(folder: &Folder, name: &str) -> String {
    seal(folder, &["decrypt", name], "").exits(0).stdout_text()
}

/// The encrypted values of a file, by the line they stand on, without its envelope.
pub fn ciphertexts(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let body = text.split("\nsops:").next().unwrap_or_default().to_owned();
    body.lines().filter(|line| line.contains("ENC[")).map(str::to_owned).collect()
}

/// Fails where real sops does not read `name` as `expected`, given as JSON.
fn sops_reads(folder: &Folder, name: &str, expected: serde_json::Value) {
    let Some(sops) = folder.peer("sops", ["decrypt", "--output-type", "json", name]) else { return };
    let read: serde_json::Value = serde_json::from_slice(&with_key(sops).ok()).unwrap();
    assert_eq!(read, expected);
}

#[test]
fn set_changes_one_value_and_keeps_all_other_bytes() {
    let folder = sealed("db.yaml", SECRET);
    let before = folder.read("db.yaml");
    let ran = seal(&folder, &["set", "--value-stdin", "db.yaml", "stringData.pass"], "it's new").exits(0);
    assert!(!ran.stderr_text().contains("new"), "{ran}");
    assert_eq!(plain(&folder, "db.yaml"), SECRET.replace("'hunter2'", "'it''s new'"));
    let (old, new) = (ciphertexts(&before), ciphertexts(&folder.read("db.yaml")));
    let changed: Vec<_> = old.iter().zip(&new).filter(|(old, new)| old != new).collect();
    assert_eq!((old.len(), new.len(), changed.len()), (4, 4, 1));
    assert!(changed[0].0.starts_with("  pass: '"));
    sops_reads(
        &folder,
        "db.yaml",
        serde_json::json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"},
            "stringData": {"user": "ada", "pass": "it's new", "list-like": "a, b"},
        }),
    );
}

#[test]
fn set_makes_what_is_missing_and_unset_takes_it_away() {
    let folder = sealed("v.yaml", "a: 1\nl:\n- x # first\nz: end\n");
    let before = plain(&folder, "v.yaml");
    let json = "{\"k\": [1, 2.5, true], \"s\": \"two\\nlines\\n\"}";
    seal(&folder, &["set", "--json", "--value-stdin", "v.yaml", "l[5]"], json).exits(0);
    seal(&folder, &["set", "--value-stdin", "v.yaml", "m.p[0].o"], "deep").exits(0);
    let expected = "a: 1\nl:\n- x # first\n- k:\n    - 1\n    - 2.5\n    - true\n  s: |\n    two\n    lines\nz: end\nm:\n    p:\n        - o: deep\n";
    assert_eq!(plain(&folder, "v.yaml"), expected);
    sops_reads(
        &folder,
        "v.yaml",
        serde_json::json!({
            "a": 1, "l": ["x", {"k": [1, 2.5, true], "s": "two\nlines\n"}], "z": "end", "m": {"p": [{"o": "deep"}]},
        }),
    );
    seal(&folder, &["unset", "v.yaml", "[\"m\"]"], "").exits(0);
    seal(&folder, &["unset", "v.yaml", "l[1]"], "").exits(0);
    assert_eq!(plain(&folder, "v.yaml"), before);
}

#[test]
fn every_format_can_be_changed() {
    for (name, before, path, after) in [
        ("a.json", "{\n  \"a\": \"x\"\n}\n", "b.c", "{\n  \"a\": \"x\",\n  \"b\": {\n    \"c\": \"v\"\n  }\n}\n"),
        ("a.env", "# c\nA=x\n", "B", "# c\nA=x\nB=v\n"),
        ("a.ini", "[s]\na = x\n", "s.b", "[s]\na = x\nb = v\n"),
        ("a.bin", "old\n", "data", "v"),
    ] {
        let folder = sealed(name, before);
        seal(&folder, &["set", "--value-stdin", name, path], "v").exits(0);
        assert_eq!(plain(&folder, name), after);
        if let Some(sops) = folder.peer("sops", ["decrypt", name]) {
            with_key(sops).ok();
        }
    }
}

#[test]
fn nothing_changed_leaves_the_file_alone() {
    let folder = sealed("db.yaml", SECRET);
    let before = (folder.read("db.yaml"), std::fs::metadata(folder.path("db.yaml")).unwrap().modified().unwrap());
    let ran = seal(&folder, &["set", "--value-stdin", "db.yaml", "stringData.user"], "ada").exits(0);
    assert!(ran.stderr_text().contains("nothing changed"), "{ran}");
    seal(&folder, &["unset", "db.yaml", "stringData.none"], "").exits(1);
    seal(&folder, &["unset", "--idempotent", "db.yaml", "stringData.none"], "").exits(0);
    let after = (folder.read("db.yaml"), std::fs::metadata(folder.path("db.yaml")).unwrap().modified().unwrap());
    assert!(before == after);
}

#[test]
fn a_value_in_the_command_line_is_json_warned_of_and_never_repeated() {
    let folder = sealed("db.yaml", SECRET);
    let ran = seal(&folder, &["set", "db.yaml", "[\"stringData\"][\"pass\"]", "\"n3w\""], "").exits(0);
    assert!(ran.stderr_text().contains("warning:") && !ran.stderr_text().contains("n3w"), "{ran}");
    seal(&folder, &["set", "db.yaml", "stringData.number", "-5"], "").exits(0);
    assert!(plain(&folder, "db.yaml").ends_with("\n  number: -5\n"));
    let ran = seal(&folder, &["set", "db.yaml", "stringData.pass", "n3w"], "").exits(2);
    assert!(ran.stderr_text().contains("--value-stdin") && !ran.stderr_text().contains("n3w"), "{ran}");
    let ran = seal(&folder, &["set", "db.yaml", "stringData.pass"], "").exits(2);
    assert!(ran.stderr_text().contains("--value-stdin"), "{ran}");
}

#[test]
fn values_come_with_all_their_bytes_or_trimmed() {
    let folder = sealed("v.yaml", "a: 1\n");
    folder.write("value", "x\n");
    let ran = seal(&folder, &["set", "--value-file", "value", "v.yaml", "b"], "").exits(0);
    assert!(ran.stderr_text().contains("--trim"), "{ran}");
    assert_eq!(seal(&folder, &["get", "v.yaml", "b"], "").exits(0).stdout, b"x\n");
    seal(&folder, &["set", "--trim", "--value-file", "value", "v.yaml", "b"], "").exits(0);
    assert_eq!(seal(&folder, &["get", "v.yaml", "b"], "").exits(0).stdout, b"x");
    assert_eq!(seal(&folder, &["get", "--json", "v.yaml", "b"], "").exits(0).stdout, b"\"x\"\n");
    assert_eq!(seal(&folder, &["get", "--json", "v.yaml", "a"], "").exits(0).stdout, b"1\n");
    seal(&folder, &["get", "v.yaml", "none"], "").exits(1);
}

#[test]
fn data_of_a_secret_stays_base64() {
    let folder = sealed("s.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata:\n  a: aGk=\n");
    let before = folder.read("s.yaml");
    let ran = seal(&folder, &["set", "--value-stdin", "s.yaml", "data.a"], "hunter2").exits(3);
    assert!(ran.stderr_text().contains("stringData") && !ran.stderr_text().contains("hunter2"), "{ran}");
    assert!(folder.read("s.yaml") == before);
}

#[test]
fn runs_at_the_same_time_lose_no_change() {
    let folder = sealed("v.yaml", "a: 1\n");
    std::thread::scope(|scope| {
        for n in 0..16 {
            let folder = &folder;
            scope.spawn(move || {
                seal(folder, &["set", "--value-stdin", "v.yaml", &format!("k{n}")], "v").exits(0);
            });
        }
    });
    let plain = plain(&folder, "v.yaml");
    assert!((0..16).all(|n| plain.contains(&format!("k{n}: v\n"))), "{plain}");
}

#[test]
fn an_anchor_that_others_use_is_not_changed_behind_their_back() {
    let folder = sealed("a.yaml", "a_unencrypted: &x\n  k: 1\nb_unencrypted: *x\nc: s\n");
    let before = folder.read("a.yaml");
    seal(&folder, &["unset", "a.yaml", "a_unencrypted"], "").exits(7);
    assert!(folder.read("a.yaml") == before);
}

/// The files that sops made in steps: seal makes the same steps and reads the same values.
#[test]
fn sops_steps_lead_to_the_same_values() {
    let step = |name: &str| std::fs::read(repository(&format!("tests/sops/steps/{name}"))).unwrap();
    let manifest = std::fs::read_to_string(repository("tests/sops/manifest.tsv")).unwrap();
    let mut done = 0;
    for row in manifest.lines() {
        let cells: Vec<&str> = row.split('\t').collect();
        let (Some(file), Some(how)) = (cells.first(), cells.get(2)) else { continue };
        let Some(name) = file.strip_prefix("steps/").and_then(|file| file.strip_suffix(".after.yaml")) else {
            continue;
        };
        let words: Vec<&str> = how.split(' ').filter(|word| !word.starts_with("--")).collect();
        let ["sops", verb @ ("set" | "unset"), "FILE", path, value @ ..] = words.as_slice() else { continue };
        let value = Some(value.join(" ")).filter(|value| !value.is_empty());
        let folder = Folder::new();
        folder.write("f.yaml", step(&format!("{name}.before.yaml")));
        folder.write("expected.yaml", step(&format!("{name}.after.yaml")));
        match value {
            Some(value) => seal(&folder, &[verb, "--json", "--value-stdin", "f.yaml", path], &value).exits(0),
            None => seal(&folder, &[verb, "f.yaml", path], "").exits(0),
        };
        let read = |file: &str| {
            let json = seal(&folder, &["decrypt", "--output-type", "json", file], "").exits(0).stdout;
            serde_json::from_slice::<serde_json::Value>(&json).unwrap()
        };
        let (seal, mut sops) = (read("f.yaml"), read("expected.yaml"));
        // sops makes a float of a whole number.
        let same = seal == sops || {
            let text = serde_json::to_string(&sops).unwrap().replace(".0", "");
            sops = serde_json::from_str(&text).unwrap();
            seal == sops
        };
        assert!(same, "{name}: {how}\n{seal}\n{sops}");
        done += 1;
    }
    assert!(done >= 5, "{done} steps");
}
