//! `seal edit`: the plain text of an encrypted file in an editor, sealed again when it is saved.
//!
//! The text lies in a private folder in memory. Values that stay the same keep their ciphertext, and a file of which nothing
//! was changed is not touched. At a terminal no text that was typed is lost without a question.

use std::path::{Path, PathBuf};

use clap::Args;
use zeroize::Zeroizing;

use super::args::{FormatArgs, OpenArgs, RecipientArgs, SelectionArgs};
use super::change::DataCheck;
use super::encrypt::{self, EncryptArgs, Made};
use super::failure::{Failure, Kind};
use super::session::{self, Input, Session};
use super::{many, shown};
use crate::crypt::{DataKey, Encrypted, Envelope, KeyGroup, Opened, SOPS_VERSION, Sealed};
use crate::document::{ChangeKind, Document, Edits, Format, changes};
use crate::host::process::{Editor, ProcessError};
use crate::host::scratch::ScratchError;
use crate::host::target::{self, Target};
use crate::host::{OnDisk, Scratch, Variable};
use crate::manifest;

/// Edit an encrypted file
///
/// Opens the plain text in SEAL_EDITOR, SOPS_EDITOR, EDITOR, VISUAL, vim, nano or vi, and encrypts what is saved. Values
/// that stay the same keep their ciphertext. A file that does not exist starts as a Secret and is encrypted as
/// `seal encrypt` would.
#[derive(Args, Default)]
#[command(after_help = EXAMPLES)]
pub struct EditArgs {
    /// The file; it need not exist
    pub file: PathBuf,
    /// Show the envelope as well; the recipients can be changed there
    #[arg(long, short)]
    pub show_master_keys: bool,
    /// Let the plain text lie on a disk where no folder in memory is to be had
    #[arg(long)]
    pub allow_disk: bool,
    #[command(flatten)]
    pub open: OpenArgs,
    #[command(flatten)]
    pub recipients: RecipientArgs,
    #[command(flatten)]
    pub selection: SelectionArgs,
    /// How many key groups are needed to decrypt a new file
    #[arg(long, value_name = "N")]
    pub shamir_secret_sharing_threshold: Option<usize>,
    #[command(flatten)]
    pub formats: FormatArgs,
}

const EXAMPLES: &str = "\
Examples:
  seal edit secret.yaml
  EDITOR='code --wait' seal edit secret.yaml";

/// What came of an edit.
pub enum Edited {
    /// The text was left as it was; no file was touched.
    Unchanged,
    /// The file was written; the lines say which keys changed.
    Written(Vec<String>),
}

/// Runs it.
pub fn run(args: EditArgs, session: &Session) -> Result<(), Failure> {
    let encrypting = EncryptArgs {
        recipients: args.recipients.clone(),
        selection: args.selection.clone(),
        shamir_secret_sharing_threshold: args.shamir_secret_sharing_threshold,
        formats: args.formats.clone(),
        ..EncryptArgs::default()
    };
    let ways = Ways {
        data: DataCheck::Base64,
        is_same: &|before, after| before == after,
        check: &|name, plain| encrypt::make_plan(name, plain, &encrypting, session).map(drop),
        encrypt: &|input| encrypt::encrypt(input, &encrypting, session),
    };
    match edit(&args, &ways, session)? {
        Edited::Unchanged => session.say(&format!("{}  nothing changed", many::title(&args.file))),
        Edited::Written(lines) => {
            lines.iter().for_each(|line| session.say(line));
            session.say(&format!("saved {}", many::title(&args.file)));
        }
    }
    session.warn_of_keys();
    Ok(())
}

/// How texts are judged; `seal` and its stand-in for sops differ in it.
pub struct Ways<'a> {
    /// What the values under `data` of a Secret must be.
    pub data: DataCheck,
    /// Whether a text, the second, is the one that the editor was shown.
    pub is_same: &'a dyn Fn(&[u8], &[u8]) -> bool,
    /// Errs where a file that does not exist could not be encrypted, so that nobody types a text in vain.
    pub check: &'a dyn Fn(&Path, &Document) -> Result<(), Failure>,
    /// Encrypts what was typed into such a file.
    pub encrypt: &'a dyn Fn(Input) -> Result<Made, Failure>,
}

/// Edits a file, or makes a new one.
pub fn edit(args: &EditArgs, ways: &Ways<'_>, session: &Session) -> Result<Edited, Failure> {
    let editor = Editor::choose(&session.environment)?;
    let on_disk = if args.allow_disk { OnDisk::Allow } else { OnDisk::Refuse };
    let scratch = Scratch::new(session.environment.path(Variable::XdgRuntimeDir).as_deref(), on_disk)?;
    let name = args.formats.filename_override.as_deref().unwrap_or(&args.file);
    let format = args.formats.input_type.unwrap_or_else(|| Format::of_path(name));
    let mut desk = Desk { scratch, text: None, editor, session };
    if matches!(args.file.symlink_metadata(), Err(error) if error.kind() == std::io::ErrorKind::NotFound) {
        return make_new(args, name, format, ways, desk);
    }
    loop {
        let mut target = Target::open(&args.file)?;
        let encrypted = session::read_encrypted(name, target.take_bytes(), format)?;
        let key = session.data_key(name, encrypted.envelope(), &args.open)?;
        let opened = session::open(name, &encrypted, &key, args.open.mac_check())?;
        let editing =
            Editing { args, data: ways.data, name, encrypted: &encrypted, opened: &opened, key: &key, session };
        let before = editing.text()?;
        desk.lay(&args.file, &before)?;
        target.unlock();
        // A file whose MAC does not count gets a new one in any case.
        let is_same = |text: &[u8]| !args.open.ignore_mac && (ways.is_same)(&before, text);
        let Some((sealed, lines)) = desk.until_good(&is_same, |text| editing.seal(text))? else {
            return Ok(Edited::Unchanged);
        };
        match target.replace(&sealed.bytes) {
            Ok(written) => {
                session.warn_of_links(&args.file, written);
                return Ok(Edited::Written(lines));
            }
            // Edited again, the text is for the file as it is by then.
            Err(error) => desk.again(Failure::from(error))?,
        }
    }
}

/// Makes a new file from what is typed into a template.
fn make_new(
    args: &EditArgs,
    name: &Path,
    format: Format,
    ways: &Ways<'_>,
    mut desk: Desk<'_>,
) -> Result<Edited, Failure> {
    let before = template(name, format);
    // Nobody should type a text that then cannot be encrypted, or written.
    if let Some(folder) = session::absolute(&args.file)?.parent().filter(|folder| !folder.is_dir()) {
        return Err(Failure::new(Kind::Output, format!("there is no folder {}", shown(folder))));
    }
    let plain = Document::parse(before.clone(), format).map_err(|error| Failure::of_parse(name, &error))?;
    (ways.check)(name, &plain)?;
    desk.lay(&args.file, &before)?;
    loop {
        let made = desk.until_good(&|text| (ways.is_same)(&before, text), |bytes| {
            (ways.encrypt)(Input { name: name.to_owned(), bytes, format })
        })?;
        let failure = match made {
            None => return Ok(Edited::Unchanged),
            Some(Made::Already(_)) => Failure::new(Kind::Editor, "the text has an entry `sops`, which is reserved"),
            Some(Made::New { sealed, readers, .. }) => match target::create(&args.file, &sealed.bytes, 0o644) {
                Ok(()) => {
                    return Ok(Edited::Written(vec![format!("{} encrypted for {readers}", count(sealed.encrypted))]));
                }
                Err(error) => error.into(),
            },
        };
        desk.again(failure)?;
    }
}

/// A plain text in a private folder, and the editor to change it with.
struct Desk<'s> {
    scratch: Scratch,
    text: Option<PathBuf>,
    editor: Editor,
    session: &'s Session,
}

impl Desk<'_> {
    /// Writes the text that editing starts with, unless it is there already.
    fn lay(&mut self, file: &Path, text: &[u8]) -> Result<(), Failure> {
        if self.text.is_none() {
            self.text = Some(self.scratch.create(file, text)?);
            let copies = if self.editor.keeps_no_copies() { ", which keeps no copies" } else { "" };
            self.session.say(&format!("opened in {}{copies}; Ctrl+C here discards", shown(self.editor.name())));
        }
        Ok(())
    }

    /// Runs the editor until `seal` can make something of the text; `None` when it was left as it was.
    fn until_good<T>(
        &self,
        is_same: &dyn Fn(&[u8]) -> bool,
        seal: impl Fn(Zeroizing<Vec<u8>>) -> Result<T, Failure>,
    ) -> Result<Option<T>, Failure> {
        let Some(path) = &self.text else { return Ok(None) };
        loop {
            self.editor.run(path)?;
            // By its path: editors write another file in its place.
            let text = self.scratch.read(path)?;
            if is_same(&text) {
                return Ok(None);
            }
            match seal(text) {
                Ok(sealed) => return Ok(Some(sealed)),
                Err(mut failure) => {
                    let is_of_text = failure.kind.code() == Kind::Input.code();
                    failure.kind = if is_of_text { Kind::Editor } else { failure.kind };
                    self.again(failure)?;
                }
            }
        }
    }

    /// Says why the text cannot be taken, and asks whether to go on; where nobody can be asked, that is the end.
    fn again(&self, failure: Failure) -> Result<(), Failure> {
        if !self.session.terminal().can_ask() {
            return Err(failure);
        }
        self.session.report(&failure);
        loop {
            let answer = self.session.terminal().ask("[e]dit again or [d]iscard what you typed?", "a terminal")?;
            match answer.trim() {
                "e" | "edit" => return Ok(()),
                "d" | "discard" => return Err(Failure::new(Kind::Editor, "discarded; the file is as it was")),
                _ => {}
            }
        }
    }
}

/// An encrypted file, opened to be edited.
struct Editing<'a> {
    args: &'a EditArgs,
    data: DataCheck,
    name: &'a Path,
    encrypted: &'a Encrypted,
    opened: &'a Opened<'a>,
    key: &'a DataKey,
    session: &'a Session,
}

impl Editing<'_> {
    /// What the editor is shown.
    fn text(&self) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let plain = self.opened.plain().into_zeroizing();
        if !self.args.show_master_keys {
            return Ok(plain);
        }
        if self.encrypted.format() == Format::Binary {
            return Err(Failure::new(Kind::CannotHold, "the plain text of a binary file has no place for an envelope"));
        }
        let plain = self.parse(plain)?;
        let envelope = serde_json::Value::Object(self.encrypted.envelope().to_map());
        Ok(plain.attach(&envelope, &self.encrypted.style()).apply(plain.source()))
    }

    fn parse(&self, bytes: Zeroizing<Vec<u8>>) -> Result<Document, Failure> {
        Document::parse(bytes, self.encrypted.format()).map_err(|error| Failure::of_parse(self.name, &error))
    }

    /// Encrypts what was saved; also gives the lines that say what changed.
    fn seal(&self, text: Zeroizing<Vec<u8>>) -> Result<(Sealed, Vec<String>), Failure> {
        let before = self.parse(self.opened.plain().into_zeroizing())?;
        let (after, mut envelope, mut lines) = if self.args.show_master_keys {
            self.split(text)?
        } else {
            (self.parse(text)?, self.encrypted.envelope().clone(), Vec::new())
        };
        if self.data == DataCheck::Base64 && manifest::check_data(&before).is_ok() {
            manifest::check_data(&after).map_err(|error| {
                Failure::new(Kind::Input, shown(&error.to_string()).to_string())
                    .hint("put plain text under stringData, or encode it: base64 -w0")
            })?;
        }
        if version(&envelope.version) < version(SOPS_VERSION) {
            envelope.version = SOPS_VERSION.to_owned();
        }
        let style = self.encrypted.style();
        let sealed = self.session.seal(self.name, &after, envelope, self.key, Some(self.opened), style)?;
        for change in changes(&before, &after) {
            let word = match change.kind {
                ChangeKind::Added => "added  ",
                ChangeKind::Removed => "removed",
                ChangeKind::Changed => "changed",
            };
            let document = if change.root > 0 { format!("document {}: ", change.root + 1) } else { String::new() };
            lines.push(format!("{word}  {document}{}", shown(&change.path.to_string())));
        }
        lines.push(format!("same     {} with their ciphertext", count(sealed.kept)));
        Ok((sealed, lines))
    }

    /// Takes a text with an envelope apart; where its recipients are others, the data key is wrapped for them.
    fn split(&self, text: Zeroizing<Vec<u8>>) -> Result<(Document, Envelope, Vec<String>), Failure> {
        let whole = self.parse(text)?;
        let no_envelope = || Failure::new(Kind::Envelope, "the text has no envelope, the entry `sops`, any more");
        let roots = || whole.roots().iter().filter_map(|root| root.attachment.as_ref());
        let map = roots().next().and_then(|attachment| attachment.value.as_ref()).ok_or_else(no_envelope)?;
        let mut envelope = Envelope::from_map(map)
            .map_err(|error| Failure::new(Kind::Envelope, shown(&error.to_string()).to_string()))?;
        let mut edits = Edits::new();
        roots().flat_map(|attachment| &attachment.cuts).for_each(|cut| edits.replace(*cut, b""));
        let plain = self.parse(edits.apply(whole.source()))?;

        let readers = |envelope: &Envelope| -> Vec<KeyGroup> {
            envelope.groups.iter().map(|group| group.iter().map(|key| key.recipient.clone()).collect()).collect()
        };
        let (old, new) = (readers(self.encrypted.envelope()), readers(&envelope));
        let mut lines = Vec::new();
        if old != new || envelope.threshold != self.encrypted.envelope().threshold {
            self.session.trust(&new);
            envelope.groups = self.session.wrap(self.name, &new, envelope.threshold, self.key)?;
            lines.push("readers  changed; who was one still knows the data key: seal rotate".to_owned());
        }
        Ok((plain, envelope, lines))
    }
}

/// What a new file starts with.
fn template(name: &Path, format: Format) -> Zeroizing<Vec<u8>> {
    let stem = name.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let stem = stem.split('.').next().unwrap_or_default().replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    let stem = Some(stem.trim_matches('-')).filter(|stem| !stem.is_empty()).unwrap_or("example");
    let text = match format {
        Format::Yaml => format!(
            "apiVersion: v1\nkind: Secret\nmetadata:\n  name: {stem}\ntype: Opaque\nstringData:\n  username: \"\"\n  password: \"\"\n"
        ),
        Format::Json => format!(
            "{{\n  \"apiVersion\": \"v1\",\n  \"kind\": \"Secret\",\n  \"metadata\": {{\n    \"name\": \"{stem}\"\n  }},\n               \"stringData\": {{\n    \"password\": \"\"\n  }}\n}}\n"
        ),
        Format::Dotenv => "# NAME=value\nPASSWORD=\n".to_owned(),
        Format::Ini => "[section]\npassword = \n".to_owned(),
        Format::Binary => String::new(),
    };
    Zeroizing::new(text.into_bytes())
}

fn count(values: usize) -> String {
    if values == 1 { "1 value".to_owned() } else { format!("{values} values") }
}

/// The numbers of a version; what is none counts as 0.
fn version(text: &str) -> [u64; 3] {
    let mut numbers = text.splitn(3, '.').map(|part| {
        let digits = part.len() - part.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        part[..digits].parse().unwrap_or(0)
    });
    std::array::from_fn(|_| numbers.next().unwrap_or(0))
}

impl From<ProcessError> for Failure {
    fn from(error: ProcessError) -> Self {
        let kind = match &error {
            ProcessError::NoEditor | ProcessError::BadEditor(_) | ProcessError::EditorFailed { .. } => Kind::Editor,
            ProcessError::Interrupted(signal) => Kind::Signal(u8::try_from(*signal).unwrap_or(0)),
            ProcessError::NotRun { .. } => Kind::Io,
            ProcessError::NoUser(_) => Kind::Usage,
            ProcessError::BadVariable { .. } => Kind::CannotHold,
        };
        let failure = Self::new(kind, shown(&error.to_string()).to_string());
        match error {
            ProcessError::NoEditor => failure.hint("name one: EDITOR=nano seal edit FILE"),
            ProcessError::Interrupted(_) => failure.detail("what was typed is discarded; the file is as it was"),
            _ => failure,
        }
    }
}

impl From<ScratchError> for Failure {
    fn from(error: ScratchError) -> Self {
        let failure = Self::new(Kind::Refused, shown(&error.to_string()).to_string());
        match error {
            ScratchError::NoMemory => failure.hint("to let it lie on a disk while it is edited: --allow-disk"),
            ScratchError::Io(_) => Failure { kind: Kind::Io, ..failure },
        }
    }
}
