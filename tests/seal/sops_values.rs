//! The values of `tests/sops/manifest.tsv`, through the library alone: each file opened with the data key that its row names.
//!
//! No identity, no command: what fails here is wrong in `crypt` or `document`. Through the binary it is
//! [`sops_vectors`](super::sops_vectors).

use std::path::Path;

use seal::crypt::{DataKey, DecryptError, Encrypted, MacCheck, ReadError};
use seal::document::{Document, Format, Indent, emit};

use crate::support::repository;

/// What became of a file, by the exit code that sops has for it.
fn outcome(bytes: Vec<u8>, format: Format, key: &DataKey, check: MacCheck) -> Result<Vec<u8>, i32> {
    let encrypted = Encrypted::parse(bytes, format).map_err(|error| match error {
        ReadError::Parse(_) | ReadError::Envelope(_) | ReadError::Selection(_) => 1,
    })?;
    let opened = encrypted.open(key, check).map_err(|error| match error {
        DecryptError::Value { .. } | DecryptError::Plain { .. } | DecryptError::Type { .. } => 25,
        DecryptError::MacMissing | DecryptError::MacUnreadable(_) | DecryptError::MacMismatch { .. } => 51,
    })?;
    Ok(opened.plain().expose().to_vec())
}

fn data_key(hex: &str) -> Option<DataKey> {
    let digits = hex.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
    DataKey::from_bytes(&digits.collect::<Option<Vec<u8>>>()?)
}

#[test]
fn every_data_key_opens_its_file() {
    let manifest = std::fs::read_to_string(repository("tests/sops/manifest.tsv")).unwrap();
    let mut opened = 0;
    for line in manifest.lines().skip(1) {
        let [file, _, how, identity, exit, expected, _, key, note] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        // Without a data key of its own, or about the command line.
        let Some(key) = data_key(key) else { continue };
        if !(file.starts_with("enc/") || file.starts_with("tampered/")) || how == "(same file)" || exit == "128" {
            continue;
        }
        let format = match note.strip_prefix("decrypt --input-type ").and_then(|rest| rest.split(' ').next()) {
            Some(word) => word.parse().unwrap(),
            None => Format::of_path(Path::new(file)),
        };
        let check = if note.contains("--ignore-mac") { MacCheck::Ignore } else { MacCheck::Require };
        let path = repository("tests/sops").join(file);
        let result = outcome(std::fs::read(path).unwrap(), format, &key, check);
        let exit = match file {
            // sops takes a pattern that does not compile for one that matches nothing, and crashes on bytes.
            "enc/sel-badregex.yaml" | "enc/sel-badregex2.yaml" => 1,
            "tampered/type-bytes.yaml" => 0,
            _ => exit.parse().unwrap(),
        };
        match (result, exit) {
            (Err(code), exit) => assert_eq!(code, exit, "{file} with {identity}"),
            (Ok(plain), 0) => {
                opened += 1;
                check_values(file, format, plain, expected);
            }
            (Ok(_), exit) => panic!("{file} opens, but sops exits {exit}"),
        }
    }
    assert_eq!(opened, 90, "as many rows open a file");
}

/// The plain file, written anew, is what sops printed: the typed values are the same.
fn check_values(file: &str, format: Format, plain: Vec<u8>, expected: &str) {
    if !expected.starts_with("out/") || format == Format::Binary {
        return;
    }
    let theirs = std::fs::read(repository("tests/sops").join(expected)).unwrap();
    let anew = |bytes: Vec<u8>| {
        let bytes = if bytes.is_empty() && format == Format::Yaml { b"{}".to_vec() } else { bytes };
        let document = Document::parse(bytes, format).unwrap_or_else(|error| panic!("{file}: {error}"));
        let bytes = emit(&document, format, Indent::Default).unwrap_or_else(|error| panic!("{file}: {error}"));
        let text = String::from_utf8_lossy(&bytes).into_owned();
        // What a comment stands at is no value.
        let lines = text.lines().map(|line| line.split(" #").next().unwrap_or_default().to_owned());
        lines.filter(|line| !line.trim_start().starts_with('#')).collect::<Vec<_>>()
    };
    let (ours, theirs) = (anew(plain), anew(theirs));
    // sops writes -0.0 as -0, which reads back as 0.
    let is_zero = |line: &String| line.ends_with(": -0.0") || line.ends_with(": 0");
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert!(ours == theirs || is_zero(ours) && is_zero(theirs), "{file}: `{ours}` is not `{theirs}`");
    }
    assert_eq!(ours.len(), theirs.len(), "{file}");
}
