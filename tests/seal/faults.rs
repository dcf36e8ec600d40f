//! Killed at any moment, and many at once: a file is its old or its new version, whole.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::generate::Random;
use crate::support::sealing::{identity, open, recipient};
use crate::support::{Folder, Ran, Step, note, repository};
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

/// A command that changes `file.yaml`, and what that holds before and after it.
struct Change {
    words: Vec<String>,
    stdin: &'static str,
    before: Vec<u8>,
    /// The plain text once it was changed.
    after: &'static str,
}

impl Change {
    fn all() -> [Self; 4] {
        const PLAIN: &str = "a: hunter2\nb: other\n";
        let folder = Folder::new();
        folder.write("file.yaml", PLAIN);
        let sealed = folder.seal(["encrypt", "--age", &recipient(), "file.yaml"]).ok();
        let change = |words: &[&str], stdin, before: &[u8], after| {
            let words = words.iter().chain(&["file.yaml"]).map(|word| (*word).to_owned()).collect();
            Self { words, stdin, before: before.to_vec(), after }
        };
        let mut set = change(&["set", "--value-stdin"], "hunter3", &sealed, "a: hunter3\nb: other\n");
        set.words.push("a".into());
        [
            change(&["encrypt", "-i"], "", PLAIN.as_bytes(), PLAIN),
            set,
            change(&["rotate", "-i"], "", &sealed, PLAIN),
            change(&["updatekeys", "-y"], "", &sealed, PLAIN),
        ]
    }

    /// Runs it under strace with these arguments, in a folder of its own.
    fn run(&self, strace: &[&str]) -> (Folder, Ran) {
        let folder = self.folder();
        let words = strace.iter().copied().map(str::to_owned);
        let words = words.chain([env!("CARGO_BIN_EXE_seal").to_owned()]).chain(self.words.iter().cloned());
        let step = folder.program("strace", ["-f", "-qq", "-o", "log"].map(str::to_owned).into_iter().chain(words));
        let ran = step.env("SOPS_AGE_KEY_FILE", folder.path("key.txt")).stdin(self.stdin).run();
        (folder, ran)
    }

    fn folder(&self) -> Folder {
        let folder = Folder::new();
        let second = std::fs::read_to_string(repository("tests/sops/keys/key2.txt")).unwrap();
        let second = second.lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap();
        folder.write(".sops.yaml", format!("creation_rules:\n  - age: {},{second}\n", recipient()));
        let key = folder.write("key.txt", std::fs::read(identity()).unwrap());
        std::fs::set_permissions(key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        folder.write("file.yaml", &self.before);
        folder
    }

    /// The calls of a run that nothing is done to, each by its name and its number among those of its name.
    fn calls(&self) -> Vec<(String, usize)> {
        let (folder, ran) = self.run(&["-e", &format!("trace=prctl,{CALLS}")]);
        ran.exits(0);
        let log = String::from_utf8_lossy(&folder.read("log")).into_owned();
        let mut counts = std::collections::HashMap::<_, usize>::new();
        let mut found = Vec::new();
        let mut has_begun = false;
        for line in log.lines() {
            // A number of the thread, then the call; a resumed one was counted where it began.
            let Some((thread, call)) = line.split_once(' ') else { continue };
            let Some((name, arguments)) = call.trim_start().split_once('(') else { continue };
            // What the loader does before is none of ours.
            has_begun |= name == "prctl" && arguments.starts_with("PR_SET_DUMPABLE");
            let count = counts.entry((thread.to_owned(), name.to_owned())).or_default();
            *count += 1;
            if has_begun && CALLS.split(',').any(|known| known.trim_start_matches('?') == name) {
                found.push((name.to_owned(), *count));
            }
        }
        assert!(has_begun && found.iter().any(|(name, _)| name.starts_with("rename")), "{found:?}\n{log}");
        found.sort();
        found.dedup();
        found
    }

    /// Does `fault` to one call, and looks at what is left.
    fn suffer(&self, name: &str, number: usize, fault: &str) {
        let start = Instant::now();
        let (folder, ran) =
            self.run(&["-e", &format!("trace={CALLS}"), "-e", &format!("inject={name}:{fault}:when={number}")]);
        assert!(start.elapsed() < Duration::from_secs(8), "{name} {number}: {fault} makes it wait\n{ran}");
        let is_killed = fault.starts_with("signal");
        let what = format!("{} with {fault} in {name} {number}", self.words.join(" "));
        let now = folder.read("file.yaml");
        let said = ran.stderr_text();
        let is_old = now == self.before && ran.code != Some(0);
        if !is_old {
            let opened =
                open(&now, Format::Yaml).unwrap_or_else(|why| panic!("{what}: neither old nor new: {why}\n{ran}"));
            assert_eq!(String::from_utf8_lossy(&opened), self.after, "{what}\n{ran}");
            assert!(now != self.before, "{what}: it is said to be done and is not\n{ran}");
            assert!(is_killed || ran.code == Some(0) || said.contains("it was written, but"), "{what}\n{ran}");
        }
        if !is_killed && ran.code != Some(0) {
            assert!(ran.code.is_some_and(|code| code < 10), "{what}\n{ran}");
            assert!(
                said.contains("error: ") && said.contains("\nhint: "),
                "{what}: nothing is said of what to do\n{ran}"
            );
        }
        for entry in std::fs::read_dir(folder.path("")).unwrap() {
            let path = entry.unwrap().path();
            let is_ours = ["file.yaml", ".sops.yaml", "key.txt", "log"].iter().any(|name| path.ends_with(name));
            if is_ours || path.is_dir() {
                continue;
            }
            assert!(is_killed || name.starts_with("unlink"), "{what}: {} was left behind\n{ran}", path.display());
            let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
            assert!(!text.contains("hunter"), "{what}: {} holds plain text", path.display());
        }
        if is_killed && is_old {
            // Whatever a killed run left, the next one gets through.
            let step = folder.seal(&self.words).env("SOPS_AGE_KEY_FILE", folder.path("key.txt"));
            step.stdin(self.stdin).ok();
        }
    }
}

/// All by which files are opened, written and given their names; `?`: not every machine has it.
const CALLS: &str = "openat,read,write,fsync,fdatasync,ftruncate,flock,linkat,?rename,renameat,renameat2,?unlink,unlinkat,\
                     ?chmod,fchmod,fchown,fsetxattr,flistxattr,statx";

/// Whether strace can be used here; said on stderr where not.
///
/// # Panics
/// Where it cannot and `SEAL_REQUIRE_PEERS` is set.
fn strace_works() -> bool {
    let works = Command::new("strace").args(["-o", "/dev/null", "true"]).stderr(Stdio::null()).status();
    let works = works.is_ok_and(|status| status.success());
    if !works {
        let skipped = "skipped: strace is not installed, or may not trace here";
        assert!(std::env::var_os("SEAL_REQUIRE_PEERS").is_none(), "{skipped}, and SEAL_REQUIRE_PEERS is set");
        note(skipped);
    }
    works
}

#[test]
fn whatever_call_fails_the_file_is_the_old_or_the_new_one() {
    if !strace_works() {
        return;
    }
    let changes = Change::all();
    let mut faults = Vec::new();
    for change in &changes {
        for (name, number) in change.calls() {
            for fault in ["error=EIO", "error=ENOSPC", "signal=KILL"] {
                faults.push((change, name.clone(), number, fault));
            }
        }
    }
    assert!(faults.len() > 100, "only {} faults", faults.len());
    let next = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some((change, name, number, fault)) =
                    faults.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
                {
                    change.suffer(name, *number, fault);
                }
            });
        }
    });
}
