//! Tests of changes by example; those on the corpus and on random documents are in `tests/seal/changes.rs`.

#![allow(clippy::unwrap_used)]

use super::*;

fn parse(text: &str, format: Format) -> Document {
    Document::parse(text.as_bytes().to_vec(), format).unwrap()
}

fn value(json: &str) -> Value {
    Value::from_json(json.as_bytes(), Numbers::AsWritten).unwrap()
}

fn text(bytes: Result<Zeroizing<Vec<u8>>, ChangeError>) -> String {
    match bytes {
        Ok(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
        Err(error) => format!("error: {error}"),
    }
}

#[track_caller]
fn set(format: Format, before: &str, path: &str, json: &str, after: &str) {
    assert_eq!(text(parse(before, format).set(&path.parse().unwrap(), &value(json))), after);
}

#[track_caller]
fn unset(format: Format, before: &str, path: &str, after: &str) {
    assert_eq!(text(parse(before, format).unset(&path.parse().unwrap())), after);
}

#[test]
fn yaml_values_keep_their_style() {
    let y = Format::Yaml;
    set(y, "a: 'x' # c\nb: \"y\"\n", "a", "\"it's\"", "a: 'it''s' # c\nb: \"y\"\n");
    set(y, "a: x\n", "a", "\"5\"", "a: \"5\"\n");
    set(y, "a: x\n", "a", "5", "a: 5\n");
    set(y, "a:   x   # c\nb: 1\n", "a", "\"one\\ntwo\\n\"", "a:   \"one\\ntwo\\n\"   # c\nb: 1\n");
    set(y, "a: x\nb: 1\n", "a", "\"one\\ntwo\\n\"", "a: |\n    one\n    two\nb: 1\n");
    set(y, "a: {b: x}\n", "a.b", "\"z\"", "a: {b: z}\n");
    set(y, "a: 1\n", "a", "1", "a: 1\n");
}

#[test]
fn yaml_new_keys_follow_their_siblings() {
    let y = Format::Yaml;
    set(y, "m:\n  a: 1 # c\n\nz: 1\n", "m.b", "\"x\"", "m:\n  a: 1 # c\n  b: x\n\nz: 1\n");
    set(y, "m:\r\n  a: 1\r\n", "m.b.c", "[1]", "m:\r\n  a: 1\r\n  b:\r\n    c:\r\n      - 1\r\n");
    set(y, "a: 1", "b", "\"x\\ny\\n\"", "a: 1\nb: |\n    x\n    y\n");
    set(y, "l:\n- a\n- b # c\nz: 1\n", "l[9]", "{\"k\": 1, \"l\": 2}", "l:\n- a\n- b # c\n- k: 1\n  l: 2\nz: 1\n");
    set(y, "l:\n- a: 1\n", "l[0].b", "2", "l:\n- a: 1\n  b: 2\n");
    set(
        y,
        "m: {a: 1}\nl: [\n  1,\n  2 ]\n",
        "m.b",
        "{\"c\": [1, \"x, y\"]}",
        "m: {a: 1, b: {c: [1, \"x, y\"]}}\nl: [\n  1,\n  2 ]\n",
    );
    set(y, "l: [\n  1,\n  2 ]\n", "l[2]", "3", "l: [\n  1,\n  2,\n  3 ]\n");
    set(y, "l: [\n  1,\n  2 # two\n]\n", "l[2]", "3", "l: [\n  1,\n  2, # two\n  3\n]\n");
    set(y, "l: {\n  a: 1, # one\n  # end\n}\n", "l.b", "2", "l: {\n  a: 1, # one\n  b: 2\n  # end\n}\n");
    set(y, "l: [1, # one\n]\n", "l[1]", "3", "l: [1, # one\n3\n]\n");
    set(y, "m: {} # c\n", "m.a", "1", "m: # c\n    a: 1\n");
    set(y, "m: # c\nz: 1\n", "m.a", "1", "m: # c\n    a: 1\nz: 1\n");
    set(y, "m:\nz: 1\n", "m", "1", "m: 1\nz: 1\n");
    set(y, "{}\n", "a", "1", "a: 1\n");
    set(y, "# only\n---\n", "a", "1", "# only\n---\na: 1\n");
    set(y, "a: 1\n---\nb: 1\n", "c", "1", "a: 1\nc: 1\n---\nb: 1\n");
    set(y, "a: |\n  x\n\nb: 1\n", "c", "1", "a: |\n  x\n\nb: 1\nc: 1\n");
}

#[test]
fn yaml_maps_become_values_and_values_maps() {
    let y = Format::Yaml;
    set(y, "m: # c\n  a: 1\n  b: 2\nz: 1\n", "m", "5", "m: 5 # c\nz: 1\n");
    set(y, "m: x # c\nz: 1\n", "m.a", "5", "m: # c\n    a: 5\nz: 1\n");
    set(y, "l:\n- a\n-\n- c\n", "l[1]", "{\"k\": \"v\"}", "l:\n- a\n- k: v\n- c\n");
    set(y, "m:\n  a: 1\n", "m", "{}", "m: {}\n");
    set(y, "a: &x {k: 1}\nb: *x\n", "b.k", "2", "a: &x {k: 1}\nb:\n    k: 2\n");
    set(
        y,
        "a: &x 1\nb: *x\n",
        "a",
        "2",
        "error: what stands at `a` has an anchor that is used elsewhere in the file, which would change as well",
    );
}

#[test]
fn yaml_keys_go_with_their_lines() {
    let y = Format::Yaml;
    unset(y, "# head\na: 1 # c\n# b\nb: 2\n", "a", "# head\n# b\nb: 2\n");
    unset(y, "a: 1\nb: |\n  x\n  y\nc: 2\n", "b", "a: 1\nc: 2\n");
    unset(y, "a: |\n  x\nb: 1\n  # c\nc: 2\n", "b", "a: |\n  x\n# c\nc: 2\n");
    unset(y, "m: # c\n  # k\n  a: 1\nz: 1\n", "m.a", "m: {} # c\n  # k\nz: 1\n");
    unset(y, "l:\n- a: 1\n  # b\n  b: 2\n- c\n", "l[0].a", "l:\n- # b\n  b: 2\n- c\n");
    unset(y, "l:\n- a: 1\n- c\n", "l[0].a", "l:\n- {}\n- c\n");
    unset(y, "l:\n- - a\n  - b\n", "l[0][0]", "l:\n- - b\n");
    unset(y, "l:\n- a\n", "l[0]", "l: []\n");
    unset(y, "a: 1\n", "a", "{}\n");
    unset(y, "m: {a: 1, b: 2}\n", "m.a", "m: {b: 2}\n");
    unset(y, "m: {a: 1}\n", "m.a", "m: {}\n");
    unset(
        y,
        "a: &x 1\nb: *x\n",
        "a",
        "error: what stands at `a` has an anchor that is used elsewhere in the file, which would change as well",
    );
    unset(y, "a: 1\n", "a.b", "error: `a.b` was not found: there is nothing of that name");
    unset(y, "a: [1]\n", "a[1]", "error: `a[1]` was not found: there is nothing of that name");
}

#[test]
fn a_path_without_end_is_an_error() {
    let path = KeyPath(vec![Step::Index(0); 1_000_000]);
    assert!(parse("a: 1\n", Format::Yaml).set(&path, &value("1")).is_err());
    assert!(parse("a: 1\n", Format::Yaml).unset(&path).is_err());
    let path = KeyPath(vec![Step::Key("a".into()); 128]);
    assert!(parse("a: 1\n", Format::Yaml).set(&path, &value("1")).is_ok());
}

#[test]
fn json_keeps_its_layout() {
    let j = Format::Json;
    set(
        j,
        "{\n  \"a\": 1\n}\n",
        "b.c",
        "[1, {\"x\": \"y\"}]",
        "{\n  \"a\": 1,\n  \"b\": {\n    \"c\": [\n      1,\n      {\n        \"x\": \"y\"\n      }\n    ]\n  }\n}\n",
    );
    set(j, "{\"a\":1,\"b\":2}", "c", "{\"d\": 1}", "{\"a\":1,\"b\":2,\"c\":{\"d\":1}}");
    set(j, "{\"a\": [1, 2]}", "a[5]", "null", "{\"a\": [1, 2, null]}");
    set(j, "{}", "a", "1", "{\n\t\"a\": 1\n}");
    set(j, "{\n\t\"m\": {}\n}\n", "m.a", "true", "{\n\t\"m\": {\n\t\t\"a\": true\n\t}\n}\n");
    unset(j, "{\n\t\"a\": 1,\n\t\"b\": 2\n}\n", "b", "{\n\t\"a\": 1\n}\n");
    unset(j, "{\n\t\"a\": 1\n}\n", "a", "{}\n");
}

#[test]
fn dotenv_and_ini_have_a_line_for_a_value() {
    let d = Format::Dotenv;
    set(d, "# c\nA=1\nB=2", "A", "\"x\\ny\"", "# c\nA=x\\ny\nB=2");
    set(d, "A=1", "B", "5", "A=1\nB=5\n");
    unset(d, "A=1\nB=2\n", "A", "B=2\n");
    set(d, "A=1\n", "A.b", "5", "error: dotenv cannot hold values inside of others");
    set(d, "A=1\n", "sops_x", "5", "error: the name `sops_x` is reserved for the envelope of an encrypted file");
    let i = Format::Ini;
    set(i, "[a]\nx = 1 ; c\n\n[b]\ny=2\n", "a.x", "\"z\"", "[a]\nx = z ; c\n\n[b]\ny=2\n");
    set(i, "[a]\nx = 1\n\n[b]\ny=2\n", "a.z", "\" v;\"", "[a]\nx = 1\nz = ` v;`\n\n[b]\ny=2\n");
    set(i, "[a]\nx = 1\n", "c.z", "true", "[a]\nx = 1\n\n[c]\nz = true\n");
    unset(i, "[a]\nx = 1\n; about y\ny = 2\n[b]\nz = 1\n", "a.y", "[a]\nx = 1\n; about y\n[b]\nz = 1\n");
    unset(i, "[a]\nx = 1\n\n[b]\nz = 1\n", "b", "[a]\nx = 1\n\n");
}
