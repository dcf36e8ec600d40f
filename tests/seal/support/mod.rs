//! What tests share: a folder of their own, the seal command in a clean environment, and the real peers.

pub mod generate;
pub mod repo;
pub mod sealing;

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A temporary folder: the working directory and the home of the commands run in it. Removed on drop.
pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::Builder::new().prefix("seal-test-").tempdir().expect("a temporary folder can be made"))
    }

    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file, making the folders it stands in.
    pub fn write(&self, name: impl AsRef<Path>, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a file stands in a folder")).expect("folders can be made");
        std::fs::write(&path, content).expect("the file can be written");
        path
    }

    pub fn read(&self, name: impl AsRef<Path>) -> Vec<u8> {
        let path = self.path(name);
        std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// seal, ready to run in this folder.
    pub fn seal<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Step {
        self.program(env!("CARGO_BIN_EXE_seal"), args)
    }

    /// A real peer, ready to run in this folder; `None`, said on stderr, where it is not installed.
    ///
    /// # Panics
    /// Where it is not installed and `SEAL_REQUIRE_PEERS` is set.
    pub fn peer<A: AsRef<OsStr>>(&self, name: &str, args: impl IntoIterator<Item = A>) -> Option<Step> {
        Some(self.program(peer(name)?, args))
    }

    /// Any program, in this folder and in an environment that has only a search path, this folder as
    /// home, and English messages: what the developer's own machine is set up for must not count.
    pub fn program<A: AsRef<OsStr>>(&self, program: impl AsRef<OsStr>, args: impl IntoIterator<Item = A>) -> Step {
        let mut command = Command::new(program);
        command.args(args).current_dir(self.0.path()).env_clear();
        for kept in ["PATH", "TMPDIR", "SYSTEMROOT", "LLVM_PROFILE_FILE"] {
            command.envs(std::env::var_os(kept).map(|value| (kept, value)));
        }
        for (name, folder) in [
            ("HOME", "home"),
            ("XDG_CONFIG_HOME", "home/.config"),
            ("XDG_STATE_HOME", "home/.local/state"),
            ("XDG_CACHE_HOME", "home/.cache"),
            ("XDG_RUNTIME_DIR", "home/.run"),
        ] {
            command.env(name, self.path(folder));
        }
        std::fs::create_dir_all(self.path("home")).expect("the home folder can be made");
        // The version look-up of sops would reach for the network.
        command.env("LC_ALL", "C.UTF-8").env("SOPS_DISABLE_VERSION_CHECK", "1").env("GIT_CONFIG_NOSYSTEM", "1");
        Step { command, stdin: Vec::new() }
    }
}

/// A command about to be run.
pub struct Step {
    command: Command,
    stdin: Vec<u8>,
}

impl Step {
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub fn stdin(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.stdin = bytes.as_ref().to_vec();
        self
    }

    /// In another folder.
    pub fn inside(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Runs it to its end.
    #[must_use]
    pub fn run(mut self) -> Ran {
        let words: Vec<_> = std::iter::once(self.command.get_program())
            .chain(self.command.get_args())
            .map(|word| word.to_string_lossy().into_owned())
            .collect();
        let line = words.join(" ");
        self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.command.spawn().unwrap_or_else(|error| panic!("{line}: {error}"));
        let mut pipe = child.stdin.take().expect("stdin is piped");
        let bytes = std::mem::take(&mut self.stdin);
        // From a thread of its own, as the child may fill its stdout before it has read all; it may also not read at all.
        let feed = std::thread::spawn(move || drop(pipe.write_all(&bytes)));
        let output = child.wait_with_output().expect("the command ends");
        feed.join().expect("feeding stdin does not panic");
        Ran { line, code: output.status.code(), stdout: output.stdout, stderr: output.stderr }
    }

    /// Runs it and gives its stdout; anything but exit code 0 fails the test.
    pub fn ok(self) -> Vec<u8> {
        self.run().exits(0).stdout
    }
}

/// What a command did.
pub struct Ran {
    line: String,
    /// `None` when a signal ended it.
    pub code: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

impl Ran {
    /// Fails the test, showing all that was printed, unless the exit code is `code`.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert!(self.code == Some(code), "expected exit code {code}\n{self}");
        self
    }

    pub fn stdout_text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    pub fn stderr_text(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let code = self.code.map_or("a signal".into(), |code| code.to_string());
        write!(
            f,
            "$ {}\n--- ended with {code}\n--- stdout\n{}\n--- stderr\n{}",
            self.line,
            self.stdout_text(),
            self.stderr_text()
        )
    }
}

/// Whether seal has commands yet; said on stderr where it has not.
pub fn commands_exist() -> bool {
    let main = std::fs::read_to_string(repository("src/main.rs")).expect("src/main.rs can be read");
    let exist = !main.contains("fn main() {}");
    if !exist {
        note("skipped: seal has no commands yet");
    }
    exist
}

/// Says something past the test harness, which keeps the output of tests that pass to itself.
pub fn note(line: &str) {
    drop(writeln!(std::io::stderr(), "{line}"));
}

/// Where the program of a peer is; `None`, said on stderr, where it is not installed.
///
/// `tests/peers/install` puts them into `$SEAL_PEERS/bin`, by default `~/.cache/seal-peers/bin`.
///
/// # Panics
/// Where it is not installed and `SEAL_REQUIRE_PEERS` is set.
pub fn peer(name: &str) -> Option<PathBuf> {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/seal-peers"));
    let peers = std::env::var_os("SEAL_PEERS").map(PathBuf::from).or_else(home)?;
    let program = peers.join("bin").join(name);
    if program.is_file() {
        return Some(program);
    }
    let installed_by = name.strip_suffix("-keygen").unwrap_or(name);
    let skipped = format!("skipped: {name} is not installed (tests/peers/install {installed_by})");
    assert!(std::env::var_os("SEAL_REQUIRE_PEERS").is_none(), "{skipped}, and SEAL_REQUIRE_PEERS is set");
    note(&skipped);
    None
}

/// A file of the repository, by its path from the top.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
