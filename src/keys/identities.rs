//! Where age identities are looked for, in order, and how one place is read.
//!
//! First the places as data ([`places`], from an [`Environment`]), so that a message can name them all; a place is read when
//! a wrapped key needs it, by [`AgeService`](super::AgeService). Order and names are sops's (getsops/sops, `age/keysource.go`), with
//! `SEAL_AGE_KEY`, `SEAL_AGE_KEY_FILE` and `seal/keys.txt` beside them.

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use age::x25519;
use age_core::secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::age_plugin::PluginKey;
use super::post_quantum;
use crate::host::process::strip_secrets;

/// Longest identity file that is read, in bytes; sops has the same limit.
const LIMIT: u64 = 16 << 20;

/// What the process's environment says about identities.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// `SOPS_AGE_SSH_PRIVATE_KEY_FILE`
    pub ssh_key_file: Option<OsString>,
    /// `SOPS_AGE_SSH_PRIVATE_KEY_CMD`
    pub ssh_key_command: Option<OsString>,
    /// `SOPS_AGE_KEY`
    pub sops_key: Option<SecretString>,
    /// `SOPS_AGE_KEY_FILE`
    pub sops_key_file: Option<OsString>,
    /// `SOPS_AGE_KEY_CMD`
    pub sops_key_command: Option<OsString>,
    /// `SEAL_AGE_KEY`
    pub seal_key: Option<SecretString>,
    /// `SEAL_AGE_KEY_FILE`
    pub seal_key_file: Option<OsString>,
    /// The user's home folder.
    pub home: Option<PathBuf>,
    /// The folder of users' settings: `$XDG_CONFIG_HOME`, `~/.config`, `~/Library/Application Support` or `%AppData%`.
    pub config: Option<PathBuf>,
}

impl Environment {
    /// Reads it from this process's environment; a variable that is empty counts as not set.
    pub fn of_process() -> Self {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let secret = |name| Some(SecretString::from(variable(name)?.to_string_lossy().into_owned()));
        let home = variable(if cfg!(windows) { "USERPROFILE" } else { "HOME" }).map(PathBuf::from);
        let config = if cfg!(windows) {
            variable("AppData").map(PathBuf::from)
        } else {
            let below_home = if cfg!(target_os = "macos") { "Library/Application Support" } else { ".config" };
            let xdg = variable("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
            xdg.or_else(|| Some(home.as_ref()?.join(below_home)))
        };
        Self {
            ssh_key_file: variable("SOPS_AGE_SSH_PRIVATE_KEY_FILE"),
            ssh_key_command: variable("SOPS_AGE_SSH_PRIVATE_KEY_CMD"),
            sops_key: secret("SOPS_AGE_KEY"),
            sops_key_file: variable("SOPS_AGE_KEY_FILE"),
            sops_key_command: variable("SOPS_AGE_KEY_CMD"),
            seal_key: secret("SEAL_AGE_KEY"),
            seal_key_file: variable("SEAL_AGE_KEY_FILE"),
            home,
            config,
        }
    }
}

/// One place where identities may be.
#[derive(Debug, Clone)]
pub struct Place {
    /// How messages call it: a variable's name, a path (the home folder as `~`), or both.
    pub name: String,
    /// What is there.
    pub holds: Holds,
    /// Where in it.
    pub source: Source,
}

/// What a place holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// Identities of age, one a line.
    Identities,
    /// An ssh private key.
    SshKey,
}

/// Where a place's content comes from.
#[derive(Debug, Clone)]
pub enum Source {
    /// The variable's value: identities separated by blanks.
    Text(SecretString),
    /// A file that someone named: not to find it is an error.
    File(PathBuf),
    /// A file where one may be.
    DefaultFile(PathBuf),
    /// What a command prints. It is split as a shell would and run without one; `SOPS_AGE_RECIPIENT` tells it for whom.
    Command(String),
}

/// All places, in the order in which they are looked at.
pub fn places(environment: &Environment) -> Vec<Place> {
    let mut places = Vec::new();
    let home = environment.home.as_deref();
    let shown = |path: &Path| match home.and_then(|home| path.strip_prefix(home).ok()) {
        Some(below) => Path::new("~").join(below).display().to_string(),
        None => path.display().to_string(),
    };
    let mut add = |name: String, holds, source| places.push(Place { name, holds, source });
    let named = |variable: &str, file: &OsString| {
        let path = PathBuf::from(file);
        (format!("{} ({variable})", shown(&path)), Source::File(path))
    };
    let command = |text: &OsString| Source::Command(text.to_string_lossy().into_owned());

    if let Some(file) = &environment.ssh_key_file {
        let (name, source) = named("SOPS_AGE_SSH_PRIVATE_KEY_FILE", file);
        add(name, Holds::SshKey, source);
    }
    if let Some(text) = &environment.ssh_key_command {
        add("SOPS_AGE_SSH_PRIVATE_KEY_CMD".to_owned(), Holds::SshKey, command(text));
    }
    for file in ["id_ed25519", "id_rsa"] {
        if let Some(home) = home {
            let path = home.join(".ssh").join(file);
            add(shown(&path), Holds::SshKey, Source::DefaultFile(path));
        }
    }
    if let Some(text) = &environment.sops_key {
        add("SOPS_AGE_KEY".to_owned(), Holds::Identities, Source::Text(text.clone()));
    }
    if let Some(file) = &environment.sops_key_file {
        let (name, source) = named("SOPS_AGE_KEY_FILE", file);
        add(name, Holds::Identities, source);
    }
    if let Some(text) = &environment.sops_key_command {
        add("SOPS_AGE_KEY_CMD".to_owned(), Holds::Identities, command(text));
    }
    if let Some(text) = &environment.seal_key {
        add("SEAL_AGE_KEY".to_owned(), Holds::Identities, Source::Text(text.clone()));
    }
    if let Some(file) = &environment.seal_key_file {
        let (name, source) = named("SEAL_AGE_KEY_FILE", file);
        add(name, Holds::Identities, source);
    }
    for file in ["sops/age/keys.txt", "seal/keys.txt"] {
        if let Some(config) = &environment.config {
            let path = config.join(file);
            add(shown(&path), Holds::Identities, Source::DefaultFile(path));
        }
    }
    places
}

/// What was found in a place.
pub(super) struct Content {
    pub(super) bytes: Zeroizing<Vec<u8>>,
    /// A key file that others on this machine can read.
    pub(super) warning: Option<String>,
}

/// Why a place could not be used: one line that names it, and never what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceError(pub(super) String);

impl fmt::Display for PlaceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for PlaceError {}

impl Place {
    pub(super) fn error(&self, problem: impl fmt::Display) -> PlaceError {
        PlaceError(format!("{}: {problem}", self.name))
    }

    /// Reads what is there; `None` if nothing is and nothing need be. A command is told `recipient`.
    pub(super) fn read(&self, recipient: &str) -> Result<Option<Content>, PlaceError> {
        match &self.source {
            Source::Text(text) => {
                let bytes = Zeroizing::new(text.expose_secret().as_bytes().to_vec());
                Ok(Some(Content { bytes, warning: None }))
            }
            Source::File(path) => self.read_file(path).map(Some).map_err(|e| self.error(e)),
            Source::DefaultFile(path) => match self.read_file(path) {
                Ok(content) => Ok(Some(content)),
                Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
                Err(e) => Err(self.error(e)),
            },
            Source::Command(text) => {
                let bytes = run(text, recipient).map_err(|e| self.error(e))?;
                Ok(Some(Content { bytes, warning: None }))
            }
        }
    }

    fn read_file(&self, path: &Path) -> io::Result<Content> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        let size = usize::try_from(metadata.len().min(LIMIT)).unwrap_or_default();
        let bytes = read_limited(file, size)?;
        let warning = readable_by_others(&metadata)
            .then(|| format!("{} can be read by others; set its permissions with chmod 600", self.name));
        Ok(Content { bytes, warning })
    }
}

/// `size` is what to expect: a buffer that grows leaves copies behind.
fn read_limited(from: impl Read, size: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(size.max(4096) + 1));
    from.take(LIMIT + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LIMIT {
        return Err(io::Error::other("larger than 16 MiB"));
    }
    Ok(bytes)
}

#[cfg(unix)]
fn readable_by_others(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.is_file() && metadata.permissions().mode() & 0o044 != 0
}

#[cfg(not(unix))]
fn readable_by_others(_: &std::fs::Metadata) -> bool {
    false
}

fn run(command: &str, recipient: &str) -> io::Result<Zeroizing<Vec<u8>>> {
    let words = shell_words::split(command).map_err(|_| io::Error::other("the command has an open quote"))?;
    let (program, arguments) = words.split_first().ok_or_else(|| io::Error::other("the command is empty"))?;
    let mut command = Command::new(program);
    // Other identities are no business of it; a seal that it runs would run it again.
    strip_secrets(&mut command);
    command.args(arguments).env("SOPS_AGE_RECIPIENT", recipient).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(|e| io::Error::other(format!("cannot run `{program}`: {e}")))?;
    let stdout = child.stdout.take().expect("it is piped");
    // Whatever comes of reading, the child is waited for; a full pipe that is closed ends it.
    let output = read_limited(stdout, 0);
    let status = child.wait()?;
    if !status.success() {
        return Err(io::Error::other(format!("`{program}` failed: {status}")));
    }
    output
}

/// The public keys of the identities in a place that can be read without asking or running anything.
pub fn public_keys(place: &Place) -> Result<Vec<String>, PlaceError> {
    if place.holds != Holds::Identities || matches!(place.source, Source::Command(_)) {
        return Ok(Vec::new());
    }
    let Some(content) = place.read("")? else { return Ok(Vec::new()) };
    let public = |identity| match identity {
        Identity::X25519(identity) => Some(identity.to_public().to_string()),
        Identity::PostQuantum(identity) => Some(identity.to_public().to_string()),
        Identity::Plugin(_) => None,
    };
    Ok(parse(&content.bytes, place)?.into_iter().filter_map(public).collect())
}

/// An identity as it stands in a file.
pub(super) enum Identity {
    X25519(x25519::Identity),
    PostQuantum(Box<post_quantum::Identity>),
    Plugin(PluginKey),
}

/// Reads identities, one a line or (`Source::Text`) separated by any blanks. `#` starts a comment line.
pub(super) fn parse(text: &[u8], place: &Place) -> Result<Vec<Identity>, PlaceError> {
    let text = std::str::from_utf8(text).map_err(|_| place.error("not text"))?;
    let many_a_line = matches!(place.source, Source::Text(_));
    let mut identities = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.starts_with('#') {
            continue;
        }
        let words = line.split_whitespace().filter(|_| many_a_line);
        for word in words.chain(Some(line).filter(|line| !many_a_line && !line.is_empty())) {
            let identity = parse_one(word).map_err(|problem| place.error(format_args!("line {number}: {problem}")))?;
            identities.push(identity);
        }
    }
    Ok(identities)
}

fn parse_one(word: &str) -> Result<Identity, &'static str> {
    if word.starts_with("AGE-PLUGIN-") {
        PluginKey::identity(word).map(Identity::Plugin).map_err(|_| "malformed plugin identity")
    } else if word.starts_with("AGE-SECRET-KEY-PQ-1") {
        word.parse().map(|id| Identity::PostQuantum(Box::new(id))).map_err(|_| "malformed post-quantum identity")
    } else if word.starts_with("AGE-SECRET-KEY-1") {
        word.parse().map(Identity::X25519).map_err(|_| "malformed identity")
    } else if word.starts_with("age1") {
        Err("a recipient, where an identity should be")
    } else {
        Err("not an age identity")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const KEY: &str = "AGE-SECRET-KEY-1Z6YD4CYXZ34ZPXMULYKSVLSVEQ4STUYQ237F3CXPJK5K7W8XSVMS7DX6XE";

    fn place(source: Source) -> Place {
        Place { name: "here".to_owned(), holds: Holds::Identities, source }
    }

    #[test]
    fn places_stand_in_the_order_of_sops() {
        let environment = Environment {
            ssh_key_file: Some("/k/ssh".into()),
            ssh_key_command: Some("a".into()),
            sops_key: Some(KEY.into()),
            sops_key_file: Some("/home/u/k".into()),
            sops_key_command: Some("b".into()),
            seal_key: Some(KEY.into()),
            seal_key_file: Some("k".into()),
            home: Some("/home/u".into()),
            config: Some("/home/u/.config".into()),
        };
        let names: Vec<_> = places(&environment).into_iter().map(|place| place.name).collect();
        assert_eq!(
            names,
            [
                "/k/ssh (SOPS_AGE_SSH_PRIVATE_KEY_FILE)",
                "SOPS_AGE_SSH_PRIVATE_KEY_CMD",
                "~/.ssh/id_ed25519",
                "~/.ssh/id_rsa",
                "SOPS_AGE_KEY",
                "~/k (SOPS_AGE_KEY_FILE)",
                "SOPS_AGE_KEY_CMD",
                "SEAL_AGE_KEY",
                "k (SEAL_AGE_KEY_FILE)",
                "~/.config/sops/age/keys.txt",
                "~/.config/seal/keys.txt",
            ]
        );
        assert!(!format!("{environment:?}").contains(KEY));
        assert!(places(&Environment::default()).is_empty());
    }

    #[test]
    fn comments_and_blank_lines_are_no_identities() {
        let text = format!("# comment\r\n\r\n{KEY}\r\n  {KEY}  \n# {KEY}");
        assert_eq!(parse(text.as_bytes(), &place(Source::File("x".into()))).unwrap().len(), 2);
    }

    #[test]
    fn variable_may_hold_several_identities_in_a_line() {
        let text = format!("{KEY} {KEY}\t{KEY}");
        assert_eq!(parse(text.as_bytes(), &place(Source::Text("".into()))).unwrap().len(), 3);
        assert!(parse(text.as_bytes(), &place(Source::File("x".into()))).is_err());
    }

    #[test]
    fn bad_line_is_named_and_not_shown() {
        for bad in ["AGE-SECRET-KEY-1ZZZ", "AGE-SECRET-KEY-PQ-1ZZZ", "AGE-PLUGIN-X/Y-1ZZZ", "ZZZ", "age1ZZZ"] {
            let error = parse(format!("{KEY}\n{bad}\n").as_bytes(), &place(Source::File("x".into()))).err().unwrap();
            assert!(error.0.starts_with("here: line 2: ") && !error.0.contains("ZZZ"), "{error}");
        }
    }

    #[test]
    fn missing_file_is_an_error_only_where_someone_named_it() {
        let missing = PathBuf::from("/nowhere/at/all");
        assert!(place(Source::DefaultFile(missing.clone())).read("").unwrap().is_none());
        assert!(place(Source::File(missing)).read("").is_err());
    }

    #[cfg(unix)]
    #[test]
    fn key_file_that_others_can_read_is_warned_of() {
        use std::os::unix::fs::PermissionsExt;
        let file = tempfile::NamedTempFile::new().unwrap();
        let place = place(Source::File(file.path().to_owned()));
        for (mode, warned) in [(0o600, false), (0o640, true), (0o604, true)] {
            file.as_file().set_permissions(std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(place.read("").unwrap().unwrap().warning.is_some(), warned);
        }
    }

    #[cfg(unix)]
    #[test]
    fn command_is_split_like_a_shell_and_told_the_recipient() {
        let output = |text: &str| place(Source::Command(text.to_owned())).read("age1x").map(|c| c.unwrap().bytes);
        assert_eq!(*output(r#"sh -c 'printf "%s" "$SOPS_AGE_RECIPIENT $1"' sh "a b""#).unwrap(), b"age1x a b");
        for failing in ["false", "", "'", "/nowhere/at/all"] {
            assert!(output(failing).unwrap_err().0.starts_with("here: "));
        }
    }
}
