//! How a command fails: what kind of failure (each front maps kinds to its own exit codes), what happened, what to do next.

use std::fmt::{self, Write as _};
use std::path::Path;

use crate::config::{ConfigError, RuleError};
use crate::crypt::{
    Attempt, DecryptError, EncryptError, EnvelopeError, ReadError, Recipient, RecipientError, SelectionError,
    ServiceErrorKind, TooManySelections,
};
use crate::document::{EmitError, KeyPathError, ParseError, ParseProblem};
use crate::host::terminal::shown;
use crate::keys::{UnwrapError, WrapError};

/// A command that did not do what it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What kind of failure.
    pub kind: Kind,
    /// What failed, on which file, and why: one line without a full stop, safe for a terminal.
    pub message: String,
    /// Further lines: what was tried, each in its own row.
    pub details: Vec<String>,
    /// What to do next: each a command or a setting that can be typed as it stands.
    pub hints: Vec<String>,
}

/// What kind of failure; the exit code follows from it, ours by [`Kind::code`] and sops's by [`Kind::sops_code`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The honest answer is no: files differ, a file is not as it should be.
    No,
    /// The honest answer is neither yes nor no.
    Unknown,
    /// Not everything could be looked through.
    Incomplete,
    /// The words typed are wrong, or input is needed and none is possible.
    Usage,
    /// Two of the words typed exclude each other.
    Conflict,
    /// An encryption context is malformed.
    Context,
    /// A kind of recipient is given twice in an order.
    Order,
    /// A key path, or the value for one, is malformed.
    KeyPath,
    /// A key path of `--extract` is malformed.
    ExtractPath,
    /// The key path names nothing.
    NotFound,
    /// The config, a rule or a recipient cannot be used.
    Config,
    /// A file is not of its format.
    Input,
    /// A file to be decrypted is not of its format, or not encrypted, or its envelope is damaged.
    Envelope,
    /// A file holds no document.
    Empty,
    /// A document cannot be written in the format asked for.
    CannotHold,
    /// A document holds what cannot be encrypted.
    Unencryptable,
    /// It is encrypted already.
    AlreadyEncrypted,
    /// No identity opens it.
    NoKey,
    /// A value cannot be decrypted.
    Value,
    /// The MAC is wrong.
    Mac,
    /// A key service failed in a way that may pass.
    Unreachable,
    /// Refused for safety.
    Refused,
    /// Nothing was changed in the editor.
    Unchanged,
    /// The editor failed.
    Editor,
    /// A file is not there.
    Missing,
    /// A file whose recipients are to change is not there.
    MissingKeys,
    /// The output cannot be opened.
    Output,
    /// Reading or writing failed.
    Io,
    /// Some of several files failed.
    Partly,
    /// A child ended with this code.
    Child(u8),
    /// A file could not be merged for git, which takes codes above 128 as an error; the code it would have had.
    Driver(u8),
    /// Interrupted by this signal.
    Signal(u8),
    /// A defect.
    Defect,
}

impl Kind {
    /// seal's exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::No | Self::NotFound | Self::Defect => 1,
            Self::Unknown
            | Self::Usage
            | Self::Conflict
            | Self::Context
            | Self::Order
            | Self::KeyPath
            | Self::ExtractPath => 2,
            Self::Incomplete
            | Self::Config
            | Self::Input
            | Self::Envelope
            | Self::Empty
            | Self::CannotHold
            | Self::Unencryptable
            | Self::AlreadyEncrypted => 3,
            Self::NoKey => 4,
            Self::Value | Self::Mac => 5,
            Self::Unreachable => 6,
            Self::Refused => 7,
            Self::Editor | Self::Missing | Self::MissingKeys | Self::Output | Self::Io => 8,
            Self::Partly => 9,
            Self::Unchanged => 0,
            Self::Child(code) => code,
            Self::Driver(code) => 128 + code,
            Self::Signal(signal) => 128 + signal,
        }
    }

    /// The exit code that sops has for it (its `cmd/sops/codes`).
    pub fn sops_code(self) -> u8 {
        match self {
            Self::Input => 2,
            Self::Output => 3,
            Self::CannotHold => 4,
            Self::Context => 6,
            Self::KeyPath => 7,
            Self::Conflict => 8,
            Self::Unencryptable => 23,
            Self::Value => 25,
            Self::MissingKeys => 49,
            Self::Mac => 51,
            Self::ExtractPath => 91,
            Self::Empty => 92,
            Self::Missing => 100,
            Self::Order => 112,
            Self::NoKey | Self::Unreachable => 128,
            Self::Unchanged => 200,
            Self::Editor => 201,
            Self::AlreadyEncrypted => 203,
            Self::Child(code) => code,
            Self::Signal(signal) => 128 + signal,
            _ => 1,
        }
    }
}

impl Failure {
    /// A failure of this kind.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), details: Vec::new(), hints: Vec::new() }
    }

    /// With a row of what was tried.
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.details.push(detail.into());
        self
    }

    /// With something to do next.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// A file that is not what it should be. `name` is how the file is called in messages.
    pub fn of_parse(name: &Path, error: &ParseError) -> Self {
        let kind = match error.problem {
            ParseProblem::Empty => Kind::Empty,
            _ => Kind::Input,
        };
        let failure = Self::new(kind, format!("{} is {}", shown(name), escaped(error)));
        failure.hint(match &error.problem {
            ParseProblem::DuplicateKey(_) => "rename or remove one of the two keys",
            ParseProblem::AliasKey => "write the key out in place of the alias",
            ParseProblem::TooLarge => "split it into several files",
            ParseProblem::Syntax(_) => {
                "correct it there; if the file is of another format, name that with --input-type"
            }
            ParseProblem::ReadOtherwise(_) => "change it there, so that seal and sops read the same",
            ParseProblem::Empty
            | ParseProblem::NotAMap
            | ParseProblem::TooDeep(_)
            | ParseProblem::AliasBomb(_)
            | ParseProblem::NotUtf8 => "to encrypt the file as a whole: --input-type binary",
        })
    }

    /// A file that cannot be read as an encrypted one.
    pub fn of_read(name: &Path, error: &ReadError) -> Self {
        match error {
            ReadError::Parse(error) if error.problem != ParseProblem::Empty => Self {
                kind: Kind::Envelope,
                hints: vec![format!(
                    "see what changed: git diff -- {}; if it is of another format, name that with --input-type",
                    shown(name)
                )],
                ..Self::of_parse(name, error)
            },
            ReadError::Parse(_) | ReadError::Envelope(EnvelopeError::Missing) => {
                Self::new(Kind::Envelope, format!("{} is not encrypted: sops metadata not found", shown(name)))
                    .hint(format!("to encrypt it: seal encrypt -i {}", shown(name)))
            }
            ReadError::Envelope(error) => {
                Self::new(Kind::Envelope, format!("cannot read {}: {}", shown(name), escaped(error)))
                    .hint(format!("see what changed: git log -p -- {}", shown(name)))
            }
            ReadError::Selection(error) => {
                Self::new(Kind::Envelope, format!("cannot read {}: its envelope's {}", shown(name), escaped(error)))
                    .hint("sops takes such a pattern for one that matches nothing; correct it in the envelope")
            }
        }
    }

    /// A file whose values or MAC are wrong.
    pub fn of_decrypt(name: &Path, error: &DecryptError) -> Self {
        let name_shown = shown(name);
        match error {
            DecryptError::MacMismatch { .. } | DecryptError::MacMissing | DecryptError::MacUnreadable(_) => {
                Self::new(Kind::Mac, format!("{name_shown}: {}", escaped(error)))
                    .hint(format!("see what changed: git diff -- {name_shown}"))
                    .hint(format!("if it is as you want it: seal edit --ignore-mac {name_shown}, and save"))
            }
            DecryptError::Plain { .. } => Self::new(Kind::Value, format!("{name_shown}: {}", escaped(error)))
                .hint("a plain value was added by hand: remove it, and add it with `seal set` or `seal edit`"),
            _ => Self::new(Kind::Value, format!("{name_shown}: {}", escaped(error)))
                .hint(format!("see what changed: git diff -- {name_shown}")),
        }
    }

    /// A document that cannot be encrypted.
    pub fn of_encrypt(name: &Path, error: &EncryptError) -> Self {
        let name_shown = shown(name);
        let failure = |kind| Self::new(kind, format!("cannot encrypt {name_shown}: {}", escaped(error)));
        match error {
            EncryptError::AlreadyEncrypted => {
                Self::new(Kind::AlreadyEncrypted, format!("{name_shown} is encrypted already")).hint(format!(
                    "to change values: seal edit {name_shown}; to change readers: seal updatekeys {name_shown}"
                ))
            }
            EncryptError::ReservedKey(_) => failure(Kind::CannotHold).hint("rename that key"),
            EncryptError::Selection(_) => failure(Kind::Config).hint(PATTERN_HINT),
            EncryptError::DuplicateKey(_) => failure(Kind::Input).hint("rename or remove one of the two keys"),
            EncryptError::Random(_) => failure(Kind::Io).hint("nothing was written; run it again"),
            EncryptError::WouldNotComeBack(_) => {
                failure(Kind::Defect).hint("nothing was written; please report it with a file that shows it")
            }
            EncryptError::KeyIsNoString { .. } => failure(Kind::Unencryptable).hint("put the key in quotes"),
            EncryptError::Unsupported { .. } => failure(Kind::Unencryptable).hint("put the value in quotes"),
            EncryptError::CommentClash(_) => failure(Kind::Unencryptable)
                .hint("choose a pattern that does not match `ENC[`, as with ^ before a word"),
            EncryptError::AliasUnderComments => {
                failure(Kind::Unencryptable).hint("write the values out in place of the alias")
            }
            EncryptError::CommentMoves => failure(Kind::Unencryptable).hint("move the comment to another line"),
        }
    }

    /// A file that none of the identities at hand opens.
    pub fn of_unwrap(name: &Path, error: &UnwrapError) -> Self {
        let recipients = error.attempts.len();
        let kind = if error.attempts.iter().any(|a| has_kind(a, ServiceErrorKind::Unreachable)) {
            Kind::Unreachable
        } else {
            Kind::NoKey
        };
        let what = if error.needed > 1 {
            format!("{} of the {} key groups that are needed could be opened", error.opened, error.needed)
        } else if recipients == 1 {
            "its one recipient could not be used".to_owned()
        } else {
            format!("none of its {recipients} recipients could be used")
        };
        let mut failure = Self::new(kind, format!("cannot decrypt {}: {what}", shown(name)));
        let width = error.attempts.iter().map(|a| short(&a.recipient).chars().count()).max().unwrap_or(0);
        for attempt in &error.attempts {
            if let Some(cause) = &attempt.error {
                failure.details.push(format!("{:width$}  {}", short(&attempt.recipient), escaped(cause)));
            }
        }
        let ages = error.attempts.iter().filter(|a| has_kind(a, ServiceErrorKind::NoIdentity));
        if let Some(Attempt { recipient, .. }) = ages.clone().next() {
            failure.hints.push(format!(
                "set SOPS_AGE_KEY_FILE to the file that holds the identity of {}, or ask one of its readers to add yours: \
                 seal keys add age1… {}",
                short(recipient),
                shown(name)
            ));
        }
        failure
    }

    /// A data key that cannot be wrapped.
    pub fn of_wrap(name: &Path, error: &WrapError) -> Self {
        let kind = match error {
            WrapError::Service { error, .. } if error.kind == ServiceErrorKind::Unreachable => Kind::Unreachable,
            _ => Kind::Config,
        };
        let failure = Self::new(kind, format!("cannot encrypt {}: {}", shown(name), escaped(error)));
        match error {
            WrapError::EmptyGroup => failure.hint("name at least one recipient: --age age1…, or in .sops.yaml"),
            _ => failure,
        }
    }

    /// No rule of the config is for the file.
    pub fn of_rule(name: &Path, error: &RuleError) -> Self {
        match error {
            RuleError::NoRule(no_rule) => Self::new(
                Kind::Config,
                format!("no matching creation rules found for {}", shown(name)),
            )
            .detail(escaped(&no_rule.looked_in()))
            .hint(format!(
                "add a rule whose path_regex matches it to {}, or name the readers: seal encrypt --age age1… {}",
                shown(&no_rule.config),
                shown(name)
            )),
            RuleError::Broken(error) => error.into(),
        }
    }
}

fn has_kind(attempt: &Attempt, kind: ServiceErrorKind) -> bool {
    attempt.error.as_ref().is_some_and(|error| error.kind == kind)
}

/// A recipient short enough for a table, still recognisable: `age1qx…7hk2`.
pub fn short(recipient: &Recipient) -> String {
    let text = shown(&recipient.to_string()).to_string();
    let chars: Vec<char> = text.chars().collect();
    if chars.len() <= 24 {
        return text;
    }
    let (head, tail): (String, String) = match recipient {
        Recipient::Age(_) => (chars[..10].iter().collect(), chars[chars.len() - 4..].iter().collect()),
        _ => (chars[..chars.len().min(36)].iter().collect(), chars[chars.len() - 6..].iter().collect()),
    };
    if chars.len() <= head.chars().count() + tail.chars().count() + 1 { text } else { format!("{head}…{tail}") }
}

fn escaped(error: &impl fmt::Display) -> String {
    shown(&error.to_string()).to_string()
}

impl From<&ConfigError> for Failure {
    fn from(error: &ConfigError) -> Self {
        Self::new(Kind::Config, escaped(error)).hint("correct it there; what may stand in it: seal help config")
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        (&error).into()
    }
}

impl From<RecipientError> for Failure {
    fn from(error: RecipientError) -> Self {
        Self::new(Kind::Config, escaped(&error)).hint("how each kind of recipient is written: seal help recipients")
    }
}

impl From<TooManySelections> for Failure {
    fn from(error: TooManySelections) -> Self {
        Self::new(Kind::Conflict, escaped(&error)).hint("keep one of them, of the flags and the creation rule")
    }
}

impl From<SelectionError> for Failure {
    fn from(error: SelectionError) -> Self {
        Self::new(Kind::Config, escaped(&error)).hint(PATTERN_HINT)
    }
}

impl From<EmitError> for Failure {
    fn from(error: EmitError) -> Self {
        Self::new(Kind::CannotHold, escaped(&error)).hint("choose another format with --output-type")
    }
}

impl From<KeyPathError> for Failure {
    fn from(error: KeyPathError) -> Self {
        Self::new(Kind::KeyPath, escaped(&error))
            .hint("write data.password, list[0], or sops's form '[\"data\"][\"password\"]'")
    }
}

/// Patterns are those of sops.
const PATTERN_HINT: &str = "correct the pattern; its syntax is that of Go: https://pkg.go.dev/regexp/syntax";

impl fmt::Display for Failure {
    /// All lines: `error: …`, details, `hint: …`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = format!("error: {}", self.message);
        for detail in &self.details {
            let _ = write!(out, "\n  {detail}");
        }
        for hint in &self.hints {
            let _ = write!(out, "\nhint: {hint}");
        }
        f.write_str(&out)
    }
}

impl std::error::Error for Failure {}
