//! Other programs: editors, and commands with secrets in their environment; and the signals that end us.
//!
//! Secrets never stand in a child's arguments, and the variables that lead to identities are taken out of its environment.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::Once;
use std::sync::atomic::{AtomicI32, Ordering};

use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;

use super::environment::{Environment, Variable, is_secret_name};
use super::files::in_words;
use super::{leftovers, terminal};
use crate::crypt::Plaintext;

/// An editor, ready to be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Editor {
    /// The program, and the arguments the user gave it.
    words: Vec<String>,
    kind: Option<EditorKind>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EditorKind {
    Vim,
    Nano,
    Emacs,
    Helix,
    Code,
}

impl Editor {
    /// The editor that the user named (`SEAL_EDITOR`, `SOPS_EDITOR`, `EDITOR`, `VISUAL`), else vim, nano or vi.
    pub fn choose(environment: &Environment) -> Result<Self, ProcessError> {
        let path = environment.value(Variable::Path).unwrap_or_default();
        for variable in [Variable::SealEditor, Variable::SopsEditor, Variable::Editor, Variable::Visual] {
            let Some(value) = environment.value(variable) else { continue };
            let words = value.to_str().and_then(|text| shell_words::split(text).ok()).filter(|words| !words.is_empty());
            let words = words.ok_or(ProcessError::BadEditor(variable.name()))?;
            return Ok(Self::new(words, path));
        }
        let found = ["vim", "nano", "vi"].into_iter().find(|name| find_program(name, path).is_some());
        found.map(|name| Self::new(vec![name.to_owned()], path)).ok_or(ProcessError::NoEditor)
    }

    fn new(words: Vec<String>, path: &OsStr) -> Self {
        let program = find_program(&words[0], path).unwrap_or_else(|| PathBuf::from(&words[0]));
        // `vi` is often a link to vim.
        let behind = program.canonicalize().unwrap_or_else(|_| program.clone());
        let kind = [&program, &behind].into_iter().find_map(|path| EditorKind::of(path));
        Self { words, kind }
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.words[0]
    }

    /// Whether it is told to keep no copies: swap files, backups, undo files, histories. Of an unknown editor nobody knows.
    pub fn keeps_no_copies(&self) -> bool {
        self.kind.is_some()
    }

    /// Opens `file`, which lies in a private folder, and waits until the editor is closed.
    pub fn run(&self, file: &Path) -> Result<(), ProcessError> {
        let mut command = Command::new(&self.words[0]);
        command.args(&self.words[1..]);
        if let Some(kind) = self.kind {
            command.args(kind.arguments(file.parent().unwrap_or(file)));
        }
        strip_secrets(&mut command);
        let status = wait_for(command.arg(file), self.name())?;
        if let Some(signal) = interrupted() {
            return Err(ProcessError::Interrupted(signal));
        }
        match (status.code(), status.signal()) {
            (Some(0), _) => Ok(()),
            (_, Some(signal @ (SIGINT | SIGTERM | SIGHUP))) => Err(ProcessError::Interrupted(signal)),
            _ => Err(ProcessError::EditorFailed { editor: self.name().to_owned(), code: exit_code(status) }),
        }
    }
}

impl EditorKind {
    fn of(program: &Path) -> Option<Self> {
        let name = program.file_name()?.to_str()?;
        Some(match name {
            "nano" | "rnano" => Self::Nano,
            "hx" | "helix" => Self::Helix,
            "code" | "code-insiders" | "codium" | "vscodium" | "cursor" => Self::Code,
            "vim" | "nvim" | "gvim" | "mvim" | "vimx" => Self::Vim,
            name if name.starts_with("vim.") => Self::Vim,
            name if name == "emacs"
                || name.starts_with("emacs-")
                || name.starts_with("emacs2")
                || name.starts_with("emacs3") =>
            {
                Self::Emacs
            }
            _ => return None,
        })
    }

    /// Arguments that keep copies of the text from being made; `folder` is a private one.
    fn arguments(self, folder: &Path) -> Vec<OsString> {
        match self {
            // -n: no swap file; -i NONE: no viminfo or shada. What a vimrc sets is unset by -c, silently where it is not compiled in.
            Self::Vim => ["-n", "-i", "NONE", "-c", VIM_COPIES].map(OsString::from).to_vec(),
            // A nanorc may switch on backups and histories.
            Self::Nano => vec!["--ignorercfiles".into()],
            Self::Emacs => vec![
                "--eval".into(),
                "(setq make-backup-files nil auto-save-default nil auto-save-list-file-prefix nil create-lockfiles nil \
                 recentf-mode nil savehist-mode nil backup-inhibited t)"
                    .into(),
            ],
            // It keeps neither swap files nor histories of texts.
            Self::Helix => Vec::new(),
            Self::Code => {
                let mut profile = OsString::from("--user-data-dir=");
                profile.push(folder.join(".code"));
                vec!["--wait".into(), "--new-window".into(), "--disable-extensions".into(), profile]
            }
        }
    }
}

/// Whether a command runs beside us or takes our place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// As a child, for whose end we wait.
    Child,
    /// In this very process.
    SameProcess,
}

/// What a command finds in its environment besides the variables it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inherit {
    /// Ours, without what leads to identities.
    Environment,
    /// Nothing (`--pristine`).
    Nothing,
}

/// A user of this machine, as `/etc/passwd` has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The name.
    pub name: String,
    /// The user id.
    pub uid: u32,
    /// The id of the user's own group.
    pub gid: u32,
    home: String,
}

impl User {
    /// Finds a user by name.
    pub fn find(name: &str) -> Result<Self, ProcessError> {
        let table = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        let find = |line: &str| match line.split(':').collect::<Vec<_>>().as_slice() {
            [found, _, uid, gid, _, home, ..] if *found == name => Some(Self {
                name: name.to_owned(),
                uid: uid.parse().ok()?,
                gid: gid.parse().ok()?,
                home: (*home).to_owned(),
            }),
            _ => None,
        };
        table.lines().find_map(find).ok_or_else(|| ProcessError::NoUser(name.to_owned()))
    }
}

/// Runs `/bin/sh -c command` with `variables` in its environment, and gives its exit code.
///
/// As another `user` it has that user's own group and no further ones; only root may do that.
pub fn exec_env<'a>(
    command: &OsStr,
    variables: impl IntoIterator<Item = (&'a str, &'a Plaintext)>,
    inherit: Inherit,
    place: Place,
    user: Option<&User>,
) -> Result<i32, ProcessError> {
    let mut shell = Command::new("/bin/sh");
    shell.arg("-c").arg(command);
    match inherit {
        Inherit::Environment => strip_secrets(&mut shell),
        Inherit::Nothing => drop(shell.env_clear()),
    }
    if let Some(user) = user {
        shell.uid(user.uid).gid(user.gid);
        shell.env("HOME", &user.home).env("USER", &user.name).env("LOGNAME", &user.name);
    }
    for (name, value) in variables {
        let problem = match name {
            "" => Some("its name is empty"),
            name if name.contains(['=', '\0']) => Some("its name holds a sign that no variable's name may hold"),
            _ if value.expose().contains(&0) => Some("its value holds a zero byte"),
            _ => None,
        };
        if let Some(problem) = problem {
            return Err(ProcessError::BadVariable { name: name.to_owned(), problem });
        }
        shell.env(name, OsStr::from_bytes(value.expose()));
    }
    match place {
        Place::Child => wait_for(&mut shell, "/bin/sh").map(exit_code),
        Place::SameProcess => {
            leftovers::remove_all();
            Err(ProcessError::NotRun { program: "/bin/sh".into(), why: in_words(&shell.exec()) })
        }
    }
}

/// Runs a program with `input` as its standard input, in our own environment, and gives its exit code.
pub fn run_with_input(program: &Path, args: &[OsString], input: &[u8]) -> Result<i32, ProcessError> {
    let fail =
        |error: io::Error| ProcessError::NotRun { program: program.display().to_string(), why: in_words(&error) };
    let mut child = Command::new(program).args(args).stdin(std::process::Stdio::piped()).spawn().map_err(fail)?;
    if let Some(mut pipe) = child.stdin.take() {
        // It may end without having read all.
        std::thread::scope(|scope| _ = scope.spawn(move || io::Write::write_all(&mut pipe, input)).join());
    }
    child.wait().map(exit_code).map_err(fail)
}

/// Why another program did not do its work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProcessError {
    /// None is named, and none found.
    #[error(
        "no editor found: none of SEAL_EDITOR, SOPS_EDITOR, EDITOR and VISUAL is set, and there is no vim, nano or vi"
    )]
    NoEditor,
    /// The variable does not hold a command.
    #[error("{0} does not hold a command")]
    BadEditor(&'static str),
    /// It ended with an error.
    #[error("the editor {editor} failed with code {code}")]
    EditorFailed {
        /// Its name.
        editor: String,
        /// Its code; 128 and more for a signal.
        code: i32,
    },
    /// A signal ended it or us; what was edited is discarded, and the exit code is 128 and the signal.
    #[error("interrupted")]
    Interrupted(i32),
    /// It could not be started.
    #[error("cannot run {program}: {why}")]
    NotRun {
        /// Its name.
        program: String,
        /// What the system says.
        why: String,
    },
    /// There is no such user.
    #[error("there is no user {0} in /etc/passwd")]
    NoUser(String),
    /// A value cannot stand in an environment.
    #[error("the variable `{name}` cannot be set: {problem}")]
    BadVariable {
        /// Its name.
        name: String,
        /// Why.
        problem: &'static str,
    },
}

/// The exit code as a shell gives it: 128 and the signal for a child that a signal ended.
fn exit_code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default())
}

/// Takes what leads to identities out of a command's environment.
pub fn strip_secrets(command: &mut Command) {
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_secret_name(name)) {
        command.env_remove(name);
    }
}

/// Runs a child in the foreground: while it runs, signals are its own affair.
fn wait_for(command: &mut Command, program: &str) -> Result<ExitStatus, ProcessError> {
    let fail = |error: io::Error| ProcessError::NotRun { program: program.to_owned(), why: in_words(&error) };
    watch_signals();
    let mut child = command.spawn().map_err(fail)?;
    CHILD.store(i32::try_from(child.id()).unwrap_or_default(), Ordering::SeqCst);
    let status = child.wait();
    CHILD.store(0, Ordering::SeqCst);
    status.map_err(fail)
}

/// The signal that came while a child ran, if one did.
pub fn interrupted() -> Option<i32> {
    Some(PASSED_ON.load(Ordering::SeqCst)).filter(|signal| *signal != 0)
}

/// From now on a signal that ends the process first removes what must not stay: temporary files and folders, hidden input.
///
/// Called where there first is such a thing, as the thread that it needs is a good part of the time of a short run. Without
/// the thread a signal still ends the process. While a child runs in the foreground, INT and QUIT are left to it (the terminal
/// sends them to both), TERM and HUP are passed on, and we end when it has ended; a second one ends us at once.
pub fn watch_signals() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if let Ok(mut signals) = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGQUIT]) {
            let watch = move || signals.forever().for_each(act_on);
            let _ = std::thread::Builder::new().name("signals".into()).spawn(watch);
        }
    });
}

fn act_on(signal: i32) {
    let child = Pid::from_raw(CHILD.load(Ordering::SeqCst));
    match (signal, child) {
        (SIGINT | SIGQUIT, Some(_)) => return,
        (_, Some(child)) if PASSED_ON.swap(signal, Ordering::SeqCst) == 0 => {
            let _ = kill_process(child, if signal == SIGHUP { Signal::HUP } else { Signal::TERM });
            return;
        }
        _ => {}
    }
    leftovers::remove_all();
    terminal::show_input();
    std::process::exit(128 + signal);
}

fn find_program(name: &str, path: &OsStr) -> Option<PathBuf> {
    let is_program = |path: &PathBuf| rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok() && path.is_file();
    if name.contains('/') {
        return Some(PathBuf::from(name)).filter(is_program);
    }
    std::env::split_paths(path).filter(|folder| folder.is_absolute()).map(|folder| folder.join(name)).find(is_program)
}

const VIM_COPIES: &str =
    "silent! set nobackup | silent! set nowritebackup | silent! set noswapfile | silent! set noundofile";

/// The child in the foreground; 0 for none.
static CHILD: AtomicI32 = AtomicI32::new(0);

/// The signal that was passed on to it; 0 for none.
static PASSED_ON: AtomicI32 = AtomicI32::new(0);

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::process::Stdio;

    use super::*;

    fn environment(set: &[(&str, &str)]) -> Environment {
        let set: Vec<(String, OsString)> = set.iter().map(|(name, value)| (name.to_string(), value.into())).collect();
        Environment::from_lookup(move |name| set.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone()))
    }

    fn script(folder: &Path, name: &str, text: &str) -> String {
        let path = folder.join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{text}")).expect("written");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).expect("mode");
        path.to_str().expect("text").to_owned()
    }

    #[test]
    fn the_users_editor_is_split_like_a_shell_does() {
        let editor =
            Editor::choose(&environment(&[("EDITOR", "no"), ("SOPS_EDITOR", "'my editor' --flag")])).expect("set");
        assert_eq!(editor, Editor { words: vec!["my editor".into(), "--flag".into()], kind: None });
        assert!(!editor.keeps_no_copies());
        assert_eq!(Editor::choose(&environment(&[("EDITOR", "'a")])), Err(ProcessError::BadEditor("EDITOR")));
        assert_eq!(Editor::choose(&environment(&[])), Err(ProcessError::NoEditor));
    }

    #[test]
    fn known_editors_are_told_to_keep_no_copies() {
        let folder = tempfile::tempdir().expect("folder");
        script(folder.path(), "vim.basic", "");
        std::os::unix::fs::symlink("vim.basic", folder.path().join("vi")).expect("link");
        let editor = Editor::choose(&environment(&[("PATH", folder.path().to_str().expect("text"))])).expect("found");
        assert_eq!((editor.name(), editor.kind), ("vi", Some(EditorKind::Vim)));
        let arguments = EditorKind::Vim.arguments(folder.path());
        assert_eq!(arguments, ["-n", "-i", "NONE", "-c", VIM_COPIES]);
        assert!(EditorKind::Code.arguments(folder.path()).contains(&"--wait".into()));
        let kind = |words: &str| Editor::choose(&environment(&[("EDITOR", words)])).expect("set").kind;
        assert_eq!(
            (kind("/usr/bin/nvim -u x"), kind("hx"), kind("emacs -nw")),
            (Some(EditorKind::Vim), Some(EditorKind::Helix), Some(EditorKind::Emacs))
        );
        assert_eq!(kind("emacsclient -t"), None);
    }

    #[test]
    fn an_editor_gets_the_file_last_and_its_failure_is_an_error() {
        let folder = tempfile::tempdir().expect("folder");
        let file = folder.path().join("file");
        std::fs::write(&file, "old").expect("written");
        let good = script(folder.path(), "good", "echo \"$1\" > \"$2\"");
        let bad = script(folder.path(), "bad", "exit 3");
        let run = |words: &str| Editor::choose(&environment(&[("EDITOR", words)])).expect("set").run(&file);
        assert_eq!(run(&format!("{good} new")), Ok(()));
        assert_eq!(std::fs::read(&file).expect("read"), b"new\n");
        assert_eq!(run(&bad), Err(ProcessError::EditorFailed { editor: bad, code: 3 }));
        assert!(matches!(run("/no/such/editor"), Err(ProcessError::NotRun { .. })));
    }

    #[test]
    fn a_command_gets_its_variables_and_gives_its_code() {
        let folder = tempfile::tempdir().expect("folder");
        let out = folder.path().join("out");
        let value = Plaintext::from(b"two\nlines \xff".to_vec());
        let run = |command: &str, inherit| {
            let command = command.replace("OUT", out.to_str().expect("text"));
            exec_env(OsStr::new(&command), [("VALUE", &value)], inherit, Place::Child, None)
        };
        assert_eq!(run("printf %s \"$VALUE$HOME\" > OUT; exit 7", Inherit::Nothing), Ok(7));
        assert_eq!(std::fs::read(&out).expect("read"), value.expose());
        assert_eq!(run("test -n \"$PATH\" && kill -KILL $$", Inherit::Environment), Ok(137));
    }

    #[test]
    fn what_cannot_be_a_variable_is_named_without_its_value() {
        for (name, value) in [("a=b", "CANARY"), ("", "CANARY"), ("a\0", "CANARY"), ("a", "CANARY\0")] {
            let value = Plaintext::from(value.as_bytes());
            let error =
                exec_env(OsStr::new("exit"), [(name, &value)], Inherit::Nothing, Place::Child, None).expect_err(name);
            assert!(matches!(error, ProcessError::BadVariable { .. }) && !error.to_string().contains("CANARY"));
        }
    }

    /// Not a test of its own: what [`signals_leave_nothing_behind`] runs in a process of its own.
    #[test]
    fn as_child() {
        let Some(base) = std::env::var_os("SEAL_TEST_FOLDER") else { return };
        watch_signals();
        let file = leftovers::Leftover::new(Path::new(&base).join("plain"));
        std::fs::write(file.path(), "secret").expect("written");
        if std::env::var_os("SEAL_TEST_EDITOR").is_some() {
            let error = Editor::choose(&Environment::read()).expect("set").run(file.path()).expect_err("interrupted");
            drop(file);
            std::process::exit(if error == ProcessError::Interrupted(SIGTERM) { 42 } else { 1 });
        }
        std::thread::sleep(std::time::Duration::from_secs(60));
    }

    #[test]
    fn signals_leave_nothing_behind() {
        let folder = tempfile::tempdir().expect("folder");
        let file = folder.path().join("plain");
        let ready = folder.path().join("ready");
        let editor = script(folder.path(), "editor", "touch $(dirname $0)/ready; exec sleep 60");
        for (with_editor, signal, code) in
            [(false, Signal::INT, 130), (false, Signal::TERM, 143), (false, Signal::HUP, 129), (true, Signal::TERM, 42)]
        {
            let mut command = Command::new(std::env::current_exe().expect("known"));
            command.args(["--exact", "host::process::tests::as_child"]).stdout(Stdio::null());
            command.env("SEAL_TEST_FOLDER", folder.path()).env("SEAL_EDITOR", &editor);
            if with_editor {
                command.env("SEAL_TEST_EDITOR", "1");
            }
            let mut child = command.spawn().expect("runs");
            let awaited = if with_editor { &ready } else { &file };
            while !std::fs::read(awaited).is_ok_and(|bytes| with_editor || bytes == b"secret") {
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            kill_process(Pid::from_child(&child), signal).expect("sent");
            assert_eq!(exit_code(child.wait().expect("ended")), code);
            assert!(!file.exists());
        }
    }
}
