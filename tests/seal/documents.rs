//! The corpus in `tests/documents`: it is what its tables say, and seal keeps every byte of it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::support::{Folder, Step, commands_exist, peer, repository};

/// The words that seal `path` to the test key, of sops and of seal alike.
fn encrypt(path: &Path) -> [OsString; 4] {
    ["encrypt".into(), "--age".into(), recipient().into(), path.into()]
}

/// The same for seal, which refuses to leave a document plain that has nothing to encrypt.
fn seal(folder: &Folder, path: &Path) -> Step {
    folder.seal(encrypt(path).into_iter().chain(["--allow-plain".into()]))
}

/// The public half of `tests/sops/keys/keys.txt`, a public test key.
fn recipient() -> String {
    let keys = std::fs::read_to_string(identity()).unwrap();
    keys.lines().find_map(|line| line.strip_prefix("# public key: ")).expect("the key file names it").to_owned()
}

fn identity() -> PathBuf {
    repository("tests/sops/keys/keys.txt")
}

/// All documents in `folder` and below it, without its READMEs, sorted.
fn documents(folder: &str) -> Vec<PathBuf> {
    let mut folders = vec![repository("tests/documents").join(folder)];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension != "md") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The documents that sops accepts.
fn accepted() -> Vec<PathBuf> {
    let apart = ["refused", "not-read", "bad"].map(|folder| repository("tests/documents").join(folder));
    documents("").into_iter().filter(|path| !apart.iter().any(|folder| path.starts_with(folder))).collect()
}

/// Runs `check` on each document, on all cores, and fails the test with all complaints at once.
fn each(documents: Vec<PathBuf>, check: impl Fn(&Path) -> Result<(), String> + Sync) {
    let complaints = Mutex::new(Vec::new());
    let queue = Mutex::new(documents.into_iter());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(path) = { queue.lock().unwrap().next() } {
                    if let Err(complaint) = check(&path) {
                        complaints.lock().unwrap().push(format!("{}: {complaint}", path.display()));
                    }
                }
            });
        }
    });
    let mut complaints = complaints.into_inner().unwrap();
    complaints.sort();
    assert!(complaints.is_empty(), "{} documents:\n{}", complaints.len(), complaints.join("\n"));
}

fn format(path: &Path) -> &str {
    match path.extension().and_then(|extension| extension.to_str()).expect("documents have extensions") {
        "env" => "dotenv",
        other => other,
    }
}

#[test]
fn corpus_is_as_large_as_it_was() {
    let accepted = accepted();
    let yaml = accepted.iter().filter(|path| format(path) == "yaml").count();
    assert!(yaml >= 150 && accepted.len() - yaml >= 30, "{yaml} YAML documents of {}", accepted.len());
}

#[test]
fn sops_refuses_what_the_table_says() {
    if peer("sops").is_none() {
        return;
    }
    let folder = Folder::new();
    let table = std::fs::read_to_string(repository("tests/documents/refused/README.md")).unwrap();
    let row = |line: &str| {
        let mut cells = line.strip_prefix("| `")?.split(" | ");
        let name = cells.next()?.trim_end_matches('`').to_owned();
        Some((name, cells.next()?.parse::<i32>().ok()?))
    };
    let mut rows: Vec<_> = table.lines().filter_map(row).collect();
    rows.sort();
    let files = documents("refused");
    let names: Vec<_> = files.iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect();
    assert_eq!(rows.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>(), names, "the table names every file");
    each(files, |path| {
        let (_, code) = rows.iter().find(|(name, _)| path.ends_with(name)).expect("compared above");
        let ran = folder.peer("sops", encrypt(path)).expect("asked for above").run();
        if ran.code == Some(*code) { Ok(()) } else { Err(format!("expected exit code {code}\n{ran}")) }
    });
}

#[test]
fn what_seal_does_not_read_is_refused_with_the_place() {
    if !commands_exist() {
        return;
    }
    let folder = Folder::new();
    let table = std::fs::read_to_string(repository("tests/documents/not-read/README.md")).unwrap();
    each(documents("not-read"), |path| {
        let ran = folder.seal(encrypt(path)).run();
        let named = table.contains(&format!("`{}`", path.file_name().unwrap().to_string_lossy()));
        // The place, or what to do with a file that is odd as a whole.
        let says = [" at line ", "iconv"].iter().any(|words| ran.stderr_text().contains(words));
        let good = ran.code == Some(3) && says && named;
        if good { Ok(()) } else { Err(format!("named in the table: {named}\n{ran}")) }
    });
}

#[test]
fn sealing_and_opening_gives_back_every_byte() {
    if !commands_exist() {
        return;
    }
    let folder = Folder::new();
    each(accepted(), |path| {
        let sealed = seal(&folder, path).run();
        if sealed.code != Some(0) {
            return Err(sealed.to_string());
        }
        let types = ["decrypt", "--input-type", format(path), "--output-type", format(path)];
        let opened = folder.seal(types).env("SOPS_AGE_KEY_FILE", identity()).stdin(&sealed.stdout).run();
        if opened.code != Some(0) {
            return Err(opened.to_string());
        }
        let plain = std::fs::read(path).unwrap();
        if opened.stdout == plain { Ok(()) } else { Err(format!("other bytes:\n{}", opened.stdout_text())) }
    });
}

#[test]
fn sops_reads_the_same_values_from_seal_as_from_itself() {
    if !commands_exist() || peer("sops").is_none() {
        return;
    }
    let folder = Folder::new();
    // sops cannot open its own encryption of this one.
    let known = "anchors/merge-key-quoted-is-a-string.yaml";
    each(accepted().into_iter().filter(|path| !path.ends_with(known)).collect(), |path| {
        let opened = |sealed: Step| {
            let sealed = sealed.ok();
            let read = |output: &str| {
                let words = ["decrypt", "--input-type", format(path), "--output-type", output, "/dev/stdin"];
                let sops = folder.peer("sops", words).expect("asked for above");
                sops.env("SOPS_AGE_KEY_FILE", identity()).stdin(&sealed).run()
            };
            // As JSON only the values are compared, without style and comments; what JSON cannot hold (more than one
            // document, infinity), as sops writes it in its own format.
            let several = std::fs::read_to_string(path).is_ok_and(|text| text.contains("\n---"));
            let mut ran = read(if several { format(path) } else { "json" });
            if ran.code != Some(0) {
                ran = read(format(path));
            }
            if ran.code == Some(0) { Ok(ran.stdout) } else { Err(ran.to_string()) }
        };
        let by_sops = opened(folder.peer("sops", encrypt(path)).expect("asked for above"))?;
        let by_seal = opened(seal(&folder, path))?;
        if by_sops == by_seal { Ok(()) } else { Err(format!("sops reads {}", String::from_utf8_lossy(&by_seal))) }
    });
}

/// Runs `seal WORDS NAME` in place, where the file `name` must stay as it is when that fails.
///
/// Errs when seal panics, is killed, says nothing about why it failed, or leaves the file changed.
fn survives(folder: &Folder, words: &[&str], name: &str) -> Result<(), String> {
    let before = folder.read(name);
    let started = Instant::now();
    let ran = folder.seal(words.iter().chain(&[name])).env("SOPS_AGE_KEY_FILE", identity()).run();
    let took = started.elapsed();
    if ran.code.is_none_or(|code| code == 101) || ran.stderr_text().contains("panicked") {
        return Err(format!("it did not end by itself\n{ran}"));
    }
    if ran.code != Some(0) && ran.stderr.is_empty() {
        return Err(format!("it failed without a word\n{ran}"));
    }
    if ran.code != Some(0) && folder.read(name) != before {
        return Err(format!("it failed and left the file changed\n{ran}"));
    }
    // Far more than a debug build needs: this is to tell linear time from the time of a bomb.
    if took > Duration::from_secs(30) { Err(format!("it took {took:?}")) } else { Ok(()) }
}

#[test]
fn bad_input_ends_in_an_error_and_leaves_the_file() {
    if !commands_exist() {
        return;
    }
    let recipient = recipient();
    each(documents("bad"), |path| {
        let folder = Folder::new();
        let name = path.file_name().unwrap().to_string_lossy();
        folder.write(&*name, std::fs::read(path).unwrap());
        if let Ok(config) = std::fs::read(path.with_file_name(".sops.yaml")) {
            folder.write(".sops.yaml", config);
            return survives(&folder, &["encrypt", "-i"], &name);
        }
        survives(&folder, &["decrypt", "-i"], &name)?;
        survives(&folder, &["encrypt", "-i", "--age", &recipient], &name)
    });
}

#[test]
fn line_of_a_hundred_megabytes_is_survived() {
    if !commands_exist() {
        return;
    }
    let folder = Folder::new();
    for (name, start, end) in
        [("long.yaml", "a: ", "\n"), ("long.json", "{\"a\": \"", "\"}"), ("unclosed.yaml", "a: \"", "")]
    {
        let mut line = start.as_bytes().to_vec();
        line.resize(100 << 20, b'x');
        line.extend_from_slice(end.as_bytes());
        folder.write(name, line);
        survives(&folder, &["encrypt", "-i", "--age", &recipient()], name)
            .unwrap_or_else(|problem| panic!("{name}: {problem}"));
    }
}
