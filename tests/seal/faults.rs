//! Killed at any moment, and many at once: a file is its old or its new version, whole.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::generate::Random;
use crate::support::sealing::{identity, open, recipient};
use crate::support::{Folder, Step};
use seal::document::Format;

/// seal as a plain command, which can be killed.
fn seal(folder: &Folder, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_seal"));
    command.args(words).current_dir(folder.path("")).env_clear().env("HOME", folder.path("home"));
    command.env("SOPS_AGE_KEY_FILE", identity());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

#[test]
fn killed_in_a_write_the_file_is_the_old_or_the_new_one() {
    let folder = Folder::new();
    let mut plain = String::from("data:\n");
    for number in 0..400 {
        plain.push_str(&format!("  key{number}: value{number}\n"));
    }
    let words = ["encrypt", "-i", "--age", &recipient(), "file.yaml"];
    // How long one takes when it is left alone.
    folder.write("file.yaml", &plain);
    let start = Instant::now();
    assert!(seal(&folder, &words).status().unwrap().success());
    let whole = start.elapsed();

    let random = &mut Random::new(7);
    let (mut old, mut new) = (0, 0);
    for _ in 0..200 {
        folder.write("file.yaml", &plain);
        let mut child = seal(&folder, &words).spawn().unwrap();
        std::thread::sleep(whole.mul_f64(random.below(1300) as f64 / 1000.0));
        // SIGKILL on Unix; it may have ended by itself.
        drop(child.kill());
        child.wait().unwrap();
        let now = folder.read("file.yaml");
        if now == plain.as_bytes() {
            old += 1;
        } else {
            let opened = open(&now, Format::Yaml)
                .unwrap_or_else(|why| panic!("neither old nor new ({why}):\n{}", String::from_utf8_lossy(&now)));
            assert_eq!(opened, plain.as_bytes());
            new += 1;
        }
    }
    assert!(old > 0 && new > 0, "{old} old and {new} new: it was never killed in the middle");
    // What a killed run left behind holds nothing plain, and the next run is not held up by it.
    for entry in std::fs::read_dir(folder.path("")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() && !path.ends_with("file.yaml") {
            let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
            assert!(!text.contains("value399"), "{} holds plain text", path.display());
        }
    }
    folder.write("file.yaml", &plain);
    assert!(seal(&folder, &words).status().unwrap().success());
    // Decrypting in place, where the new version is the plain one.
    let sealed = folder.read("file.yaml");
    for _ in 0..50 {
        folder.write("file.yaml", &sealed);
        let mut child = seal(&folder, &["decrypt", "-i", "file.yaml"]).spawn().unwrap();
        std::thread::sleep(whole.mul_f64(random.below(1300) as f64 / 1000.0));
        drop(child.kill());
        child.wait().unwrap();
        let now = folder.read("file.yaml");
        assert!(now == sealed || now == plain.as_bytes(), "neither old nor new:\n{}", String::from_utf8_lossy(&now));
    }
}

#[test]
fn many_at_once_lose_no_update() {
    let folder = Folder::new();
    folder.write("file.yaml", "keep: me\n");
    folder.seal(["encrypt", "-i", "--age", &recipient(), "file.yaml"]).ok();
    let step = |number: usize| -> Step {
        let words = ["set".to_owned(), "--value-stdin".to_owned(), "file.yaml".to_owned(), format!("key{number}")];
        folder.seal(words).env("SOPS_AGE_KEY_FILE", identity()).stdin(format!("value{number}"))
    };
    let codes: Vec<i32> = std::thread::scope(|scope| {
        let steps: Vec<_> = (0..64).map(step).collect();
        let runs: Vec<_> = steps.into_iter().map(|step| scope.spawn(move || step.run())).collect();
        let ran: Vec<_> = runs.into_iter().map(|run| run.join().unwrap()).collect();
        for ran in &ran {
            assert!(matches!(ran.code, Some(0 | 7)) && !ran.stderr_text().contains("panicked"), "{ran}");
        }
        ran.into_iter().filter_map(|ran| ran.code).collect()
    });
    let plain = String::from_utf8(open(&folder.read("file.yaml"), Format::Yaml).unwrap()).unwrap();
    assert!(plain.contains("keep: me"));
    for (number, code) in codes.iter().enumerate() {
        let there = plain.lines().any(|line| line == format!("key{number}: value{number}"));
        assert_eq!(there, *code == 0, "key{number} ended with {code}:\n{plain}");
    }
    assert!(codes.contains(&0));
}

#[test]
fn many_encrypt_one_file_once() {
    let folder = Folder::new();
    folder.write("file.yaml", "a: one\n");
    let mut children: Vec<_> = (0..32)
        .map(|_| seal(&folder, &["encrypt", "-i", "--age", &recipient(), "file.yaml"]).spawn().unwrap())
        .collect();
    let deadline = Instant::now() + Duration::from_secs(60);
    for child in &mut children {
        let code = child.wait().unwrap().code();
        assert!(matches!(code, Some(0 | 7)) && Instant::now() < deadline, "{code:?}");
    }
    assert_eq!(open(&folder.read("file.yaml"), Format::Yaml).unwrap(), b"a: one\n");
}
