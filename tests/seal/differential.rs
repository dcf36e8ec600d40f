//! seal against the real sops on random documents: what the one encrypts the other opens, with the same values.
//!
//! `SEAL_CASES=2000 cargo test differential` runs that many; `SEAL_SEED=17 cargo test differential` runs one and shows it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use seal::crypt::SelectionRule;
use seal::document::Format;

use crate::support::generate::{self, Case};
use crate::support::sealing::{Values, identity, open, recipient, seal_case, values};
use crate::support::{Folder, Ran, note, peer};

/// How many documents are tried where `SEAL_CASES` does not say it.
const CASES: u64 = 200;

/// What came of one case.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// Both agree, and what sops decrypts is the same to the byte.
    Agree,
    /// Both agree on values and comments; the text that sops makes of them differs.
    AgreeOnValues,
    /// sops refuses to encrypt it, or cannot open what it made.
    Skipped(&'static str),
    /// seal refuses it on purpose.
    Refused,
    /// They do not agree: on what, and how.
    Differ(&'static str, String),
}

/// The real sops in one folder of its own.
struct Sops<'f> {
    folder: &'f Folder,
    /// Tells the files of one thread from those of another.
    name: String,
}

impl Sops<'_> {
    fn run(&self, args: &[&str], format: Format, input: &[u8]) -> (Ran, String) {
        let word = format.to_string();
        let name = format!("{}.{word}", self.name);
        self.folder.write(&name, input);
        let all = args.iter().copied().chain(["--input-type", &word, "--output-type", &word, &name]);
        let sops = self.folder.peer("sops", all).expect("asked for before the first case");
        (sops.env("SOPS_AGE_KEY_FILE", identity()).run(), name)
    }

    /// Encrypts by a config, as not all selections have a flag.
    fn encrypt(&self, case: &Case) -> Ran {
        let mut config = format!("creation_rules:\n- age: {}\n", recipient());
        if let Some(rule) = &case.selection {
            writeln!(config, "  {}: {}", rule.field(), rule.text()).expect("a string takes all");
        }
        if case.mac_only_encrypted {
            config.push_str("  mac_only_encrypted: true\n");
        }
        let name = format!("{}.config", self.name);
        self.folder.write(&name, config);
        self.run(&["--config", &name, "encrypt"], case.format, &case.plain).0
    }

    fn decrypt(&self, format: Format, encrypted: &[u8]) -> Ran {
        self.run(&["decrypt"], format, encrypted).0
    }

    /// What sops makes of an encrypted file when it gives it a new data key.
    fn rotate(&self, format: Format, encrypted: &[u8]) -> Result<Vec<u8>, String> {
        let (ran, name) = self.run(&["rotate", "-i"], format, encrypted);
        if ran.code == Some(0) { Ok(self.folder.read(&name)) } else { Err(ran.to_string()) }
    }
}

/// Runs one case; `also_rotate` has sops rewrite seal's file, too.
fn check(sops: &Sops<'_>, case: &Case, also_rotate: bool) -> Outcome {
    let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| compare(sops, case, also_rotate)));
    checked.unwrap_or_else(|_| Outcome::Differ("seal panics", String::new()))
}

fn compare(sops: &Sops<'_>, case: &Case, also_rotate: bool) -> Outcome {
    use Outcome::Differ;
    let by_sops = sops.encrypt(case);
    if by_sops.code != Some(0) {
        return Outcome::Skipped("sops refuses it");
    }
    let own = sops.decrypt(case.format, &by_sops.stdout);
    let sealed = match seal_case(case) {
        Ok(sealed) => sealed,
        Err(why) if refused_on_purpose(&why) => return Outcome::Refused,
        Err(why) if own.code == Some(0) => return Differ("seal refuses", why),
        Err(_) => return Outcome::Skipped("sops cannot open its own"),
    };
    match open(&sealed, case.format) {
        Ok(back) if back == case.plain => {}
        Ok(back) => return Differ("seal gives other bytes", String::from_utf8_lossy(&back).into_owned()),
        Err(why) => return Differ("seal cannot open its own", why),
    }
    if own.code != Some(0) {
        return Outcome::Skipped("sops cannot open its own");
    }
    let by_seal = sops.decrypt(case.format, &sealed);
    if by_seal.code != Some(0) {
        return Differ("sops cannot open seal's", by_seal.stderr_text());
    }
    if by_seal.stderr_text().contains("possibly unencrypted") && !own.stderr_text().contains("possibly unencrypted") {
        return Differ("sops warns of seal's", by_seal.stderr_text());
    }
    // Of what an alias stands for sops encrypts the comments, too, and it keeps one behind a block scalar's header; seal
    // gives both back, but from its own layout.
    let text = String::from_utf8_lossy(&case.plain);
    let comments = if own.stdout_text().contains(",type:comment]") {
        Comments::Any // sops lost one of its own
    } else if text.contains("*n") || text.contains("# behind the header") {
        Comments::Fewer
    } else {
        Comments::Same
    };
    let same_bytes = by_seal.stdout == own.stdout;
    if !same_bytes && let Err(why) = same_values(case.format, &own.stdout, &by_seal.stdout, comments) {
        return Differ(
            "sops reads other values from seal's",
            format!("{why}\nsops's own:\n{}\nseal's:\n{}", own.stdout_text(), by_seal.stdout_text()),
        );
    }
    match open(&by_sops.stdout, case.format) {
        Ok(plain) => {
            // What sops prints does not always read as what it holds, and what it makes does not always hold what it read.
            if let Err(why) = same_values(case.format, &case.plain, &plain, comments)
                && same_values(case.format, &own.stdout, &plain, comments).is_err()
            {
                return Differ(
                    "seal reads other values from sops's",
                    format!("{why}\n{}", String::from_utf8_lossy(&plain)),
                );
            }
        }
        Err(why) => return Differ("seal cannot open sops's", format!("{why}\n{}", by_sops.stdout_text())),
    }
    if also_rotate {
        let rotated = match sops.rotate(case.format, &sealed) {
            Ok(rotated) => rotated,
            Err(_) if sops.rotate(case.format, &by_sops.stdout).is_err() => {
                return Outcome::Skipped("sops cannot rotate its own");
            }
            Err(why) => return Differ("sops cannot rotate seal's", why),
        };
        let after = sops.decrypt(case.format, &rotated);
        if after.code != Some(0) {
            return Outcome::Skipped("sops cannot open what it rotated");
        }
        match open(&rotated, case.format) {
            Ok(plain) => {
                if let Err(why) = same_values(case.format, &case.plain, &plain, Comments::Any)
                    && same_values(case.format, &after.stdout, &plain, Comments::Any).is_err()
                {
                    return Differ(
                        "seal reads other values from what sops rotated",
                        format!("{why}\n{}", String::from_utf8_lossy(&plain)),
                    );
                }
            }
            Err(why) => return Differ("seal cannot open what sops rotated", why),
        }
    }
    if same_bytes { Outcome::Agree } else { Outcome::AgreeOnValues }
}

/// What seal refuses although sops takes it; each is said in the manual.
fn refused_on_purpose(why: &str) -> bool {
    [
        "also matches encrypted comments",
        "comment would belong elsewhere",
        "alias for values that comments choose",
        "plain scalar cannot start with '-' followed by ,[]{}",
    ]
    .iter()
    .any(|known| why.contains(known))
}

/// How comments are compared.
#[derive(Clone, Copy)]
enum Comments {
    /// None may be missing.
    Same,
    /// Those behind the header of a block scalar may be missing.
    Fewer,
    /// They are not looked at.
    Any,
}

fn same_values(format: Format, expected: &[u8], found: &[u8], comments: Comments) -> Result<(), String> {
    if format == Format::Binary {
        return if expected == found { Ok(()) } else { Err("other bytes".into()) };
    }
    let (Values { values: a, comments: ca }, Values { values: b, comments: cb }) =
        (values(expected, format)?, values(found, format)?);
    if let Some((a, b)) = a.iter().zip(&b).find(|(a, b)| a != b) {
        return Err(format!("{a:?} is {b:?}"));
    }
    if a.len() != b.len() {
        return Err(format!("{} values are {}", a.len(), b.len()));
    }
    let lost = |c: &Vec<u8>| !cb.contains(c) && !c.starts_with(b"behind the header");
    let differ = match comments {
        // sops loses some that seal keeps, but none may stay encrypted.
        Comments::Same => {
            ca.iter().any(|c| !cb.contains(c)) || cb.iter().any(|c| !ca.contains(c) && c.starts_with(b"ENC["))
        }
        Comments::Fewer => ca.iter().any(lost) || cb.iter().any(|c| !ca.contains(c) && c.starts_with(b"ENC[")),
        Comments::Any => false,
    };
    if differ {
        let text = |all: &[Vec<u8>]| all.iter().map(|c| String::from_utf8_lossy(c).into_owned()).collect::<Vec<_>>();
        return Err(format!("comments {:?} are {:?}", text(&ca), text(&cb)));
    }
    Ok(())
}

/// Takes lines away as long as the case still fails in the same way.
fn shrink(sops: &Sops<'_>, case: &Case, also_rotate: bool, kind: &str) -> (Case, String) {
    let mut best = case.clone();
    let mut detail = String::new();
    let mut still = |case: &Case| match check(sops, case, also_rotate) {
        Outcome::Differ(other, why) if other == kind => {
            detail = why;
            true
        }
        _ => false,
    };
    still(&best);
    for simpler in [Case { mac_only_encrypted: false, ..best.clone() }, Case { selection: None, ..best.clone() }] {
        if still(&simpler) {
            best = simpler;
        }
    }
    let mut chunk = (best.plain.iter().filter(|byte| **byte == b'\n').count() / 2).max(1);
    let mut tries = 150;
    loop {
        let mut at = 0;
        let mut smaller = false;
        loop {
            let lines: Vec<&[u8]> = best.plain.split_inclusive(|byte| *byte == b'\n').collect();
            if at >= lines.len() || tries == 0 {
                break;
            }
            tries -= 1;
            let rest = [&lines[..at], &lines[(at + chunk).min(lines.len())..]].concat().concat();
            let candidate = Case { plain: rest, ..best.clone() };
            if still(&candidate) {
                best = candidate;
                smaller = true;
            } else {
                at += chunk;
            }
        }
        if tries == 0 || (chunk == 1 && !smaller) {
            break;
        }
        chunk = (chunk / 2).max(1);
    }
    still(&best);
    (best, detail)
}

fn describe(case: &Case) -> String {
    let selection = case.selection.as_ref().map_or("default".to_owned(), SelectionRule::to_string);
    let mac = if case.mac_only_encrypted { ", mac_only_encrypted" } else { "" };
    format!(
        "{}, {selection}{mac}\n{}\n{:?}",
        case.format,
        String::from_utf8_lossy(&case.plain),
        String::from_utf8_lossy(&case.plain)
    )
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")))
}

#[test]
fn random_documents_mean_the_same_to_sops() {
    if peer("sops").is_none() {
        return;
    }
    let one = number("SEAL_SEED");
    let (first, end) = one.map_or_else(|| (0, number("SEAL_CASES").unwrap_or(CASES)), |seed| (seed, seed + 1));
    let next = AtomicU64::new(first);
    let counts = Mutex::new(BTreeMap::<String, usize>::new());
    let failures = Mutex::new(Vec::new());
    let folder = Folder::new();
    std::thread::scope(|scope| {
        for thread in 0..std::thread::available_parallelism().map_or(1, usize::from) + 1 {
            let (folder, next, counts, failures) = (&folder, &next, &counts, &failures);
            scope.spawn(move || {
                let sops = Sops { folder, name: format!("thread{thread}") };
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        break;
                    }
                    let case = generate::case(seed);
                    let also_rotate = seed % 3 == 0;
                    let outcome = check(&sops, &case, also_rotate);
                    let name = match &outcome {
                        Outcome::Differ(kind, _) => format!("DIFFER: {kind}"),
                        other => format!("{other:?}"),
                    };
                    *counts.lock().unwrap().entry(name).or_default() += 1;
                    if let Outcome::Differ(kind, _) = outcome {
                        let shown = failures.lock().unwrap().len() < 40;
                        let (small, why) = if shown || one.is_some() {
                            shrink(&sops, &case, also_rotate, kind)
                        } else {
                            (case, String::new())
                        };
                        failures.lock().unwrap().push((seed, kind, describe(&small), why));
                    }
                }
            });
        }
    });
    let counts = counts.into_inner().unwrap();
    note(&format!("differential: {} cases: {counts:?}", end - first));
    let mut failures = failures.into_inner().unwrap();
    failures.sort_by_key(|(_, kind, ..)| *kind);
    let mut text = String::new();
    for (seed, kind, case, why) in &failures {
        write!(text, "\nSEAL_SEED={seed}: {kind}: {why}\n{case}\n").unwrap();
    }
    assert!(failures.is_empty(), "{} cases differ: {counts:?}{text}", failures.len());
    let agree = counts.iter().filter(|(name, _)| name.starts_with("Agree")).map(|(_, count)| count).sum::<usize>();
    assert!(
        one.is_some() || agree as u64 * 2 > end - first,
        "most documents were skipped, which proves nothing: {counts:?}"
    );
}

#[test]
fn same_seed_makes_the_same_document() {
    for seed in 0..50 {
        assert_eq!(generate::case(seed).plain, generate::case(seed).plain);
    }
    assert_ne!(generate::case(1).plain, generate::case(2).plain);
}
