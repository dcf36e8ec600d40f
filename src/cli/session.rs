//! What the commands of one run share: the identities at hand, the configs found, and the steps that more than one command
//! takes with a file.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use secrecy::SecretString;
use zeroize::Zeroizing;

use super::args::OpenArgs;
use super::failure::{Failure, Kind};
use super::{Global, shown};
use crate::config::{Config, Rule};
use crate::crypt::{
    self, DataKey, Encrypted, Envelope, KeyGroup, MacCheck, Opened, Plaintext, Recipient, Sealed, Sealing, WrappedKey,
};
use crate::document::{AttachmentStyle, Document, Format};
use crate::host::files::{self, FileError};
use crate::host::terminal::{Line, Role};
use crate::host::{Environment, Host, Terminal, Written, clock, random};
use crate::keys::{AgeService, Ask, Keyring, identities};

/// One run of seal.
pub struct Session {
    /// The flags that every command takes.
    pub global: Global,
    /// What the environment says.
    pub environment: Environment,
    terminal: Arc<Mutex<Terminal>>,
    configs: Mutex<HashMap<PathBuf, Arc<Config>>>,
    keyring: OnceLock<(Keyring, Arc<AgeService>)>,
    trusted: Mutex<Vec<Recipient>>,
    /// Where `.sops.yaml` is looked for first.
    search: ConfigSearch,
}

/// Where the search for a config begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfigSearch {
    /// In the file's folder, then in the current one.
    FromFile,
    /// In the current folder, as sops does.
    FromHere,
}

/// A file as a command was given it.
pub struct Input {
    /// How messages call it, and by what its format and rule are found.
    pub name: PathBuf,
    /// Its content.
    pub bytes: Zeroizing<Vec<u8>>,
    /// Its format.
    pub format: Format,
}

impl Session {
    /// A run with these flags.
    pub fn new(global: Global, host: Host, search: ConfigSearch) -> Self {
        let Host { environment, mut terminal } = host;
        terminal.set_colour(global.color, &environment);
        if global.quiet {
            terminal.set_quiet();
        }
        if global.no_input {
            terminal.set_no_input();
        }
        Self {
            global,
            environment,
            terminal: Arc::new(Mutex::new(terminal)),
            configs: Mutex::default(),
            keyring: OnceLock::new(),
            trusted: Mutex::default(),
            search,
        }
    }

    /// Reads a file, or standard input where `path` is absent or `-`.
    pub fn read(&self, path: Option<&Path>, formats: &super::args::FormatArgs) -> Result<Input, Failure> {
        let name = formats.filename_override.as_deref().or(path);
        let (bytes, name) = match path.filter(|path| *path != Path::new("-")) {
            Some(path) => (files::read(path)?, name.unwrap_or(path).to_owned()),
            None => (files::read_stdin()?, name.map_or_else(|| PathBuf::from("-"), Path::to_owned)),
        };
        let format = formats.input_type.unwrap_or_else(|| Format::of_path(&name));
        Ok(Input { name, bytes, format })
    }

    /// The config for a file, or for what `name` stands for; `None` where there is none.
    pub fn config(&self, name: &Path) -> Result<Option<Arc<Config>>, Failure> {
        let path = match &self.global.config {
            // How sops's users say "none".
            Some(path) if path == Path::new("/dev/null") => return Ok(None),
            Some(path) => Some(absolute(path)?),
            None => {
                let file = absolute(name)?;
                let search = match self.search {
                    ConfigSearch::FromFile => files::find_config_for(&file),
                    ConfigSearch::FromHere => files::find_config(&absolute(Path::new("."))?),
                };
                if let (None, Some(ignored)) = (&search.found, &search.ignored) {
                    self.warn(&format!("{} is not read; rename it to .sops.yaml", shown(ignored)));
                }
                search.found
            }
        };
        let Some(path) = path else { return Ok(None) };
        let mut configs = self.configs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(config) = configs.get(&path) {
            return Ok(Some(config.clone()));
        }
        let text = files::read(&path).map_err(|error| {
            let failure = Failure::from(error);
            Failure {
                kind: Kind::Config,
                message: format!("could not read config file: {}", failure.message),
                ..failure
            }
        })?;
        let text = std::str::from_utf8(&text)
            .map_err(|_| Failure::new(Kind::Config, format!("{} is not UTF-8", shown(&path))))?;
        let config = Arc::new(Config::parse(text, &path)?);
        // sops says nothing of keys it does not know, and those who call it by that name may read standard error too.
        for warning in config.warnings().iter().filter(|_| self.search == ConfigSearch::FromFile) {
            self.warn(&shown(&warning.to_string()).to_string());
        }
        configs.insert(path, config.clone());
        Ok(Some(config))
    }

    /// The creation rule for a file: `None` where there is no config, or one without creation rules.
    pub fn rule(&self, name: &Path) -> Result<Option<Rule>, Failure> {
        let Some(config) = self.config(name)? else { return Ok(None) };
        let rule = config.rule_for(&absolute(name)?).map_err(|error| Failure::of_rule(name, &error))?;
        Ok(rule.cloned())
    }

    /// Says that the user named these recipients, so that their plugins may be run.
    ///
    /// To be called before the first use of the keyring.
    pub fn trust(&self, groups: &[KeyGroup]) {
        self.trusted.lock().unwrap_or_else(PoisonError::into_inner).extend(groups.iter().flatten().cloned());
    }

    /// The key services at hand; identities are read when first needed, once for all files.
    pub fn keyring(&self) -> &Keyring {
        let (keyring, _) = self.keyring.get_or_init(|| {
            let places = identities::places(&identities::Environment::of_process());
            let trusted = self.trusted.lock().unwrap_or_else(PoisonError::into_inner);
            let age =
                Arc::new(AgeService::new(places, Arc::new(AtTerminal(self.terminal.clone()))).trusting(trusted.iter()));
            (Keyring::new(vec![Box::new(age.clone())]), age)
        });
        keyring
    }

    /// Decrypts a file that was read, and checks its MAC as `open` says.
    pub fn decrypt(
        &self,
        name: &Path,
        bytes: Zeroizing<Vec<u8>>,
        format: Format,
        open: &OpenArgs,
    ) -> Result<Plaintext, Failure> {
        let encrypted = read_encrypted(name, bytes, format)?;
        let key = self.data_key(name, encrypted.envelope(), open)?;
        Ok(self::open(name, &encrypted, &key, open.mac_check())?.plain())
    }

    /// Says which variables contradict each other.
    pub fn warn_of_twins(&self) {
        for (own, other) in self.environment.differing_twins() {
            let which = if own.is_secret() { "both are used".to_owned() } else { format!("{} is used", own.name()) };
            self.warn(&format!("{} and {} are both set and differ; {which}", own.name(), other.name()));
        }
    }

    /// Says what is odd about identity files that were read.
    pub fn warn_of_keys(&self) {
        for warning in self.key_warnings() {
            self.warn(&shown(&warning).to_string());
        }
    }

    /// Says what a write could not keep.
    pub fn warn_of_links(&self, file: &Path, written: Written) {
        if written.other_links {
            self.warn(&format!("{} has other hard links, which still have the old content", shown(file)));
        }
        if written.owner_changed {
            self.warn(&format!("the owner or group of {} could not be kept", shown(file)));
        }
    }

    /// Warnings about identity files that were read.
    pub fn key_warnings(&self) -> Vec<String> {
        self.keyring.get().map(|(_, age)| age.warnings()).unwrap_or_default()
    }

    /// The data key of an encrypted file.
    pub fn data_key(&self, name: &Path, envelope: &Envelope, open: &OpenArgs) -> Result<DataKey, Failure> {
        let (key, _) = self
            .keyring()
            .unwrap_any(&envelope.groups, envelope.threshold, &open.order()?)
            .map_err(|error| Failure::of_unwrap(name, &error))?;
        Ok(key)
    }

    /// Wraps a data key for all recipients.
    pub fn wrap(
        &self,
        name: &Path,
        groups: &[KeyGroup],
        threshold: Option<usize>,
        key: &DataKey,
    ) -> Result<Vec<Vec<WrappedKey>>, Failure> {
        self.keyring()
            .wrap(groups, threshold, key, &clock::now(), random::fill)
            .map_err(|error| Failure::of_wrap(name, &error))
    }

    /// A new data key.
    pub fn new_data_key(&self) -> Result<DataKey, Failure> {
        DataKey::generate(random::fill)
            .map_err(|error| Failure::new(Kind::Io, error.to_string()).hint("nothing was written; run it again"))
    }

    /// Encrypts a document under an envelope.
    pub fn seal(
        &self,
        name: &Path,
        plain: Document,
        envelope: Envelope,
        key: &DataKey,
        previous: Option<&Opened<'_>>,
        style: AttachmentStyle,
    ) -> Result<Sealed, Failure> {
        let sealing = Sealing { envelope, key, previous, style, now: clock::now() };
        crypt::encrypt(plain, sealing, &mut |bytes| random::fill(bytes).map_err(|error| error.to_string()))
            .map_err(|error| Failure::of_encrypt(name, &error))
    }

    /// Seals a changed plain text again under the file's own envelope and data key: unchanged values keep their text.
    pub fn reseal(&self, name: &Path, opened: &Opened<'_>, key: &DataKey, plain: Plaintext) -> Result<Sealed, Failure> {
        let encrypted = opened.encrypted();
        let document = Document::parse(plain.into_zeroizing(), encrypted.format())
            .map_err(|error| Failure::of_parse(name, &error))?;
        self.seal(name, document, encrypted.envelope().clone(), key, Some(opened), encrypted.style())
    }

    /// How a new envelope is written for a file of this format: as the config's `stores` say.
    pub fn style(&self, name: &Path, format: Format, indent: Option<usize>) -> Result<AttachmentStyle, Failure> {
        let config = self.config(name)?;
        let stores = config.as_ref().map(|config| *config.style()).unwrap_or_default();
        let configured = match format {
            Format::Yaml => stores.yaml_indent,
            Format::Json => stores.json_indent,
            Format::Binary => stores.json_binary_indent,
            Format::Dotenv | Format::Ini => None,
        };
        Ok(AttachmentStyle { indent: indent.or(configured), ..AttachmentStyle::default() })
    }

    /// The terminal, for as long as the guard lives.
    pub fn terminal(&self) -> MutexGuard<'_, Terminal> {
        self.terminal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the answer to standard output, byte for byte.
    pub fn answer(&self, bytes: &[u8]) -> Result<(), Failure> {
        match self.terminal().answer(bytes) {
            // Whoever read it has read enough.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            Err(error) => Err(Failure::new(Kind::Io, format!("cannot write to standard output: {error}"))
                .hint("see to what it leads to; a file is safer written with --output")),
            Ok(()) => Ok(()),
        }
    }

    /// Says what is now true; nothing with `--quiet`.
    pub fn say(&self, line: &str) {
        if !self.global.quiet {
            self.terminal().note(line);
        }
    }

    /// Says what may be wrong.
    pub fn warn(&self, line: &str) {
        self.terminal().note(Line::new().part(Role::Warning, "warning:").text(format!(" {line}")));
    }

    /// Prints a failure: what, where, what was tried, what to do next.
    ///
    /// One without a message has said all in its answer, and of a child's failure the child has spoken: both are only
    /// exit codes.
    pub fn report(&self, failure: &Failure) {
        if failure.message.is_empty() || matches!(failure.kind, Kind::Child(_)) {
            return;
        }
        let mut terminal = self.terminal();
        terminal.note(Line::new().part(Role::Error, "error:").text(format!(" {}", failure.message)));
        for detail in &failure.details {
            terminal.note(format!("  {detail}"));
        }
        for hint in &failure.hints {
            terminal.note(Line::new().part(Role::Hint, "hint:").text(format!(" {hint}")));
        }
    }
}

/// Questions of identities and plugins go to the terminal.
struct AtTerminal(Arc<Mutex<Terminal>>);

impl AtTerminal {
    fn terminal(&self) -> MutexGuard<'_, Terminal> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ask for AtTerminal {
    fn passphrase(&self, what: &str) -> Option<SecretString> {
        let instead = "use an identity without a passphrase, or run it at a terminal";
        let mut answer = self.terminal().ask_secret(&format!("Passphrase of {what}:"), instead).ok()?;
        Some(SecretString::from(std::mem::take(&mut *answer)))
    }

    fn confirm(&self, message: &str, yes: &str, no: Option<&str>) -> Option<bool> {
        let question = match no {
            Some(no) => format!("{message} (y: {yes}, n: {no})"),
            None => format!("{message} (y: {yes})"),
        };
        self.terminal().confirm(&question, "run it at a terminal").ok()
    }

    fn text(&self, message: &str) -> Option<String> {
        let mut answer = self.terminal().ask(message, "run it at a terminal").ok()?;
        Some(std::mem::take(&mut *answer))
    }

    fn message(&self, message: &str) {
        self.terminal().note(message);
    }
}

/// Reads an encrypted file.
pub fn read_encrypted(name: &Path, bytes: Zeroizing<Vec<u8>>, format: Format) -> Result<Encrypted, Failure> {
    Encrypted::parse(bytes, format).map_err(|error| Failure::of_read(name, &error))
}

/// Decrypts all values of a file.
pub fn open<'e>(name: &Path, encrypted: &'e Encrypted, key: &DataKey, check: MacCheck) -> Result<Opened<'e>, Failure> {
    encrypted.open(key, check).map_err(|error| Failure::of_decrypt(name, &error))
}

/// A path from the root on, by its text alone.
pub fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    files::absolute(path)
        .map_err(|error| Failure::new(Kind::Io, format!("cannot find the folder of {}: {error}", shown(path))))
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        let kind = match (&error.problem, error.doing) {
            (files::Problem::NotFound, "read") => Kind::Missing,
            (files::Problem::Changed | files::Problem::Busy, _) => Kind::Refused,
            (files::Problem::IsFolder | files::Problem::NotRegular, "read") => Kind::Input,
            (_, "write" | "create") => Kind::Output,
            _ => Kind::Io,
        };
        Self::new(kind, shown(&error.to_string()).to_string()).hint(shown(&error.hint()).to_string())
    }
}
