//! Files that someone changed: seal accepts and refuses exactly what the real sops does, and never reuses a nonce.

use std::collections::HashSet;
use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use seal::crypt::{Encrypted, MacCheck, SelectionRule};
use seal::document::{Document, Format};

use crate::support::generate::Random;
use crate::support::sealing::{data_key, identity, open, reseal, seal};
use crate::support::{Folder, peer};

/// A Secret with values of all kinds, encrypted; every second time with a MAC over the encrypted values only.
fn manifest(random: &mut Random) -> String {
    let word = |random: &mut Random| random.pick(&["hunter2", "s3cr3t", "größer", "x", "5", "true", "a b"]).to_owned();
    let plain = format!(
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: n{}\n  namespace: {}\n  count: {}\n# about the data\nstringData:\n  one: {}\n  \
         # about two\n  two: \"{}\"\n  three: {}\n  list:\n    - {}\n    - {}\n  empty: \"\"\n  none: null\n",
        random.below(9),
        word(random),
        random.below(100),
        word(random),
        word(random),
        random.below(1000),
        word(random),
        word(random),
    );
    let document = Document::parse(plain.into_bytes(), Format::Yaml).unwrap();
    let selection = [Some(SelectionRule::EncryptedRegex("^(data|stringData)$".into())), None][random.below(2)].clone();
    String::from_utf8(seal(document, selection, random.percent(30)).unwrap().bytes).unwrap()
}

/// One change of the file, by its name; `None` where it does not apply.
fn tamper(kind: usize, file: &str, random: &mut Random) -> Option<(&'static str, String)> {
    let lines: Vec<&str> = file.lines().collect();
    let envelope = lines.iter().position(|line| *line == "sops:")?;
    let line = |text: &str| lines.iter().position(|line| line.contains(text));
    let set = |at: usize, text: String| {
        let mut lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        lines[at] = text;
        lines.join("\n") + "\n"
    };
    let insert = |at: usize, text: &str| {
        let mut lines = lines.clone();
        lines.insert(at, text);
        lines.join("\n") + "\n"
    };
    let remove = |at: usize| {
        let mut lines = lines.clone();
        lines.remove(at);
        lines.join("\n") + "\n"
    };
    let values: Vec<usize> =
        (0..envelope).filter(|at| lines[*at].contains("ENC[") && !lines[*at].contains('#')).collect();
    let value = values[random.below(values.len())];
    let part = |name: &str| {
        let start = lines[value].find(&format!("{name}:"))? + name.len() + 1;
        Some((start, start + lines[value][start..].find([',', ']'])?))
    };
    let one = line("  one:")?;
    Some(match kind {
        0 => ("a value dropped", remove(value)),
        1 => ("two values swapped", {
            let (a, b) = (line("  one:")?, line("  two:")?);
            let (of_a, of_b) = (lines[a].split_once(": ")?.1, lines[b].split_once(": ")?.1);
            let mut all: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
            all[a] = format!("  one: {of_b}");
            all[b] = format!("  two: {of_a}");
            all.join("\n") + "\n"
        }),
        2 => ("list items swapped", {
            let at = line("    - ")?;
            let mut lines = lines.clone();
            lines.swap(at, at + 1);
            lines.join("\n") + "\n"
        }),
        3..6 => {
            let name = ["data", "iv", "tag"][kind - 3];
            let (start, end) = part(name)?;
            let mut bytes = STANDARD.decode(&lines[value][start..end]).ok()?;
            let at = random.below(bytes.len());
            bytes[at] ^= 1 << random.below(8);
            let text = format!("{}{}{}", &lines[value][..start], STANDARD.encode(bytes), &lines[value][end..]);
            ("a bit flipped", set(value, text))
        }
        6 => ("a value cut short", set(value, lines[value][..lines[value].len() - 1 - random.below(40)].to_owned())),
        7..12 => {
            let (start, end) = part("type")?;
            let word = ["str", "int", "float", "bool", "wat"][kind - 7];
            ("the type word changed", set(value, format!("{}{word}{}", &lines[value][..start], &lines[value][end..])))
        }
        12 => ("text behind the bracket", set(value, format!("{} behind", lines[value].trim_end_matches('"')))),
        13 => ("a null added", insert(one, "  added: null")),
        14 => ("an empty string added", insert(one, "  added: \"\"")),
        15 => ("an empty map added", insert(one, "  added: {}")),
        16 => ("a plain value added", insert(one, "  added: plain")),
        17 => ("a comment added", insert(one, "  # added")),
        18 => ("a key renamed", set(one, lines[one].replacen("one", "eno", 1))),
        19 => ("a plain key renamed", file.replacen("  count:", "  tally:", 1)),
        20 => ("a plain value changed", {
            let at = line("  name:")?;
            set(at, "  name: other".to_owned())
        }),
        21 => ("a plain value added outside", insert(line("metadata:")? + 1, "  added: plain")),
        22 => ("an empty value dropped", remove(line("  empty:")?)),
        23 => ("a null dropped", remove(line("  none:")?)),
        24 => ("the MAC dropped", remove(line("    mac: ").or(line("  mac: "))?)),
        25 => ("the MAC of a value", {
            let at = line(" mac: ")?;
            let margin = lines[at].len() - lines[at].trim_start().len();
            set(
                at,
                format!(
                    "{}mac: {}",
                    " ".repeat(margin),
                    lines[value].split_once("ENC[").map(|(_, rest)| format!("ENC[{rest}"))?
                ),
            )
        }),
        26 => ("the time changed", file.replacen("2026-11-24T08:38:43Z", "2026-11-24T08:38:44Z", 1)),
        27 => ("the time respelled", file.replacen("2026-11-24T08:38:43Z", "2026-11-24T08:38:43+00:00", 1)),
        28 => ("the version dropped", remove(line(" version: ")?)),
        29 => ("a version of the future", file.replacen("version: 3.13.3", "version: 99.0.0", 1)),
        30 => ("a version of two numbers", file.replacen("version: 3.13.3", "version: \"3.9\"", 1)),
        31 => ("the recipient renamed", file.replacen("recipient: age1", "recipient: age2", 1)),
        32 => ("the envelope dropped", lines[..envelope].join("\n") + "\n"),
        33 => ("the envelope twice", format!("{file}{}\n", lines[envelope..].join("\n"))),
        34 => (
            "an unknown field",
            insert(
                envelope + 1,
                &format!(
                    "{}unknown: field",
                    " ".repeat(lines[envelope + 1].len() - lines[envelope + 1].trim_start().len())
                ),
            ),
        ),
        35 => ("the selection changed", {
            let at = line("_regex: ").or(line("_suffix: "))?;
            let margin = lines[at].len() - lines[at].trim_start().len();
            set(at, format!("{}encrypted_regex: ^one$", " ".repeat(margin)))
        }),
        36 => ("the selection dropped", remove(line("_regex: ").or(line("_suffix: "))?)),
        37 => ("the wrapped key damaged", {
            let at = line("BEGIN AGE")? + 1;
            remove(at)
        }),
        38 => ("a value made plain", set(one, "  one: plain".to_owned())),
        39 => ("a value emptied", set(one, "  one: \"\"".to_owned())),
        40 => ("the MAC rule toggled", {
            let at = line("mac_only_encrypted");
            match at {
                Some(at) => remove(at),
                None => {
                    let at = line(" version: ")?;
                    let margin = lines[at].len() - lines[at].trim_start().len();
                    insert(at, &format!("{}mac_only_encrypted: true", " ".repeat(margin)))
                }
            }
        }),
        41 => ("cut off", file[..file.len() * 2 / 3].to_owned()),
        _ => return None,
    })
}

const KINDS: usize = 42;

#[test]
fn tampered_files_are_refused_where_sops_refuses_them() {
    if peer("sops").is_none() {
        return;
    }
    let folder = Folder::new();
    let next = Mutex::new(0..KINDS * 4);
    let problems = Mutex::new(Vec::new());
    let refused = Mutex::new((0, 0));
    std::thread::scope(|scope| {
        for thread in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            let (folder, next, problems, refused) = (&folder, &next, &problems, &refused);
            scope.spawn(move || {
                while let Some(number) = { next.lock().unwrap().next() } {
                    let random = &mut Random::new(number as u64);
                    let file = manifest(random);
                    let Some((what, tampered)) = tamper(number % KINDS, &file, random).filter(|(_, new)| *new != file)
                    else {
                        continue;
                    };
                    let name = format!("tampered{thread}.yaml");
                    folder.write(&name, &tampered);
                    let sops = folder.peer("sops", ["decrypt", &name]).expect("asked for above");
                    let by_sops = sops.env("SOPS_AGE_KEY_FILE", identity()).run();
                    let by_seal = std::panic::catch_unwind(|| open(tampered.as_bytes(), Format::Yaml));
                    match (by_sops.code == Some(0), by_seal) {
                        (_, Err(_)) => {
                            problems.lock().unwrap().push(format!("{number} {what}: seal panics\n{tampered}"))
                        }
                        (accepted, Ok(result)) if accepted != result.is_ok() => {
                            problems
                                .lock()
                                .unwrap()
                                .push(format!("{number} {what}: seal: {:?}\n{by_sops}\n{tampered}", result.err()));
                        }
                        (true, _) => refused.lock().unwrap().1 += 1,
                        (false, _) => refused.lock().unwrap().0 += 1,
                    }
                }
            });
        }
    });
    let problems = problems.into_inner().unwrap();
    let (refused, accepted) = refused.into_inner().unwrap();
    assert!(
        refused + accepted + problems.len() > KINDS * 3 && refused > KINDS,
        "{refused} refused, {accepted} accepted"
    );
    assert!(problems.is_empty(), "{} differ:\n{}", problems.len(), problems.join("\n"));
}

/// The nonces of all values and of the envelope.
fn nonces(file: &[u8]) -> Vec<Vec<u8>> {
    let text = String::from_utf8_lossy(file);
    let after = |part: &str| STANDARD.decode(part.split(',').next().unwrap_or_default()).unwrap_or_default();
    text.split(",iv:").skip(1).map(after).collect()
}

#[test]
fn nonces_never_repeat() {
    let mut plain = String::from("list:\n");
    for _ in 0..5000 {
        plain.push_str("- same\n");
    }
    let document = || Document::parse(plain.clone().into_bytes(), Format::Yaml).unwrap();
    let mut all = Vec::new();
    for _ in 0..2 {
        all.extend(nonces(&seal(document(), None, false).unwrap().bytes));
    }
    assert!(all.len() > 10_000, "{}", all.len());
    assert!(all.iter().all(|nonce| nonce.len() == 32));
    let count = all.len();
    assert_eq!(all.into_iter().collect::<HashSet<_>>().len(), count);
}

#[test]
fn nonce_is_kept_only_for_the_same_value_at_the_same_path() {
    let plain = "a: \"5\"\nb: x\nc:\n  d: y\ne: z\n";
    let sealed = seal(Document::parse(plain.as_bytes().to_vec(), Format::Yaml).unwrap(), None, false).unwrap();
    let encrypted = Encrypted::parse(sealed.bytes.clone(), Format::Yaml).unwrap();
    let (key, _) = data_key();
    let opened = encrypted.open(key, MacCheck::Require).unwrap();
    // Another type, another value, another path; the last stays.
    let again = reseal(&opened, key, b"a: 5\nb: X\nf:\n  d: y\ne: z\n").unwrap();
    let (before, after) = (nonces(&sealed.bytes), nonces(&again.bytes));
    let kept: Vec<bool> = (0..4).map(|at| before[at] == after[at]).collect();
    assert_eq!(kept, [false, false, false, true]);
    // Those of the MAC and of the layout are drawn anew.
    assert!(after[4..].iter().all(|nonce| !before.contains(nonce)));
}
