//! `seal edit`: the plain text of an encrypted file in an editor, sealed again when it is saved.
//!
//! The text lies in a private folder in memory. Values that stay the same keep their ciphertext, and a file of which nothing
//! was changed is not touched. What others did to the file meanwhile is merged in. No text that was typed is lost without a
//! question: where nobody can be asked, it is kept as a sealed [draft].

use std::path::{Path, PathBuf};

use clap::Args;
use zeroize::Zeroizing;

use super::args::{FormatArgs, OpenArgs, RecipientArgs, SelectionArgs};
use super::change::DataCheck;
use super::draft::{self, Draft};
use super::encrypt::{self, EncryptArgs, Made};
use super::failure::{Failure, Kind};
use super::merge::place;
use super::session::{self, Input, Session};
use super::{many, shown};
use crate::crypt::{DataKey, Encrypted, Envelope, KeyGroup, Opened, SOPS_VERSION, Sealed, WrappedKey};
use crate::document::{self, ChangeKind, Document, Edits, Format, KeyPath, Leaf, Node, Scalar, Step, changes};
use crate::host::files::Problem;
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
    /// Go on with what was typed before and could not be saved
    #[arg(long)]
    pub resume: bool,
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
  EDITOR='code --wait' seal edit secret.yaml
  seal edit --resume secret.yaml";

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
        formats: FormatArgs { output_type: None, ..args.formats.clone() },
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
    let resumed = resumed(args, session)?;
    let editor = Editor::choose(&session.environment)?;
    let on_disk = if args.allow_disk { OnDisk::Allow } else { OnDisk::Refuse };
    let scratch = Scratch::new(session.environment.path(Variable::XdgRuntimeDir).as_deref(), on_disk)?;
    let name = args.formats.filename_override.as_deref().unwrap_or(&args.file);
    let format = args.formats.input_type.unwrap_or_else(|| Format::of_path(name));
    let desk = Desk { scratch, text: None, editor, file: &args.file, session };
    let edited = match args.file.symlink_metadata() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            make_new(args, name, format, ways, desk, resumed)?
        }
        _ => change(args, name, format, ways, desk, resumed)?,
    };
    if args.resume {
        draft::remove(&args.file);
    }
    Ok(edited)
}

/// The draft to go on with. One that would be forgotten, or overwritten by another, is an error.
fn resumed(args: &EditArgs, session: &Session) -> Result<Option<Draft>, Failure> {
    let file = shown(&args.file);
    match (args.resume, draft::exists(&args.file)) {
        (false, false) => Ok(None),
        (true, true) => Draft::read(&args.file, &args.open, session).map(Some),
        (true, false) => Err(Failure::new(Kind::Missing, format!("there is no draft of {file} to go on with"))
            .hint(format!("begin anew: seal edit {file}"))),
        (false, true) => Err(Failure::new(
            Kind::Refused,
            format!("there is a sealed draft of {file}, of an edit that could not be saved"),
        )
        .hint(format!("go on with it: seal edit --resume {file}"))
        .hint(format!("or drop it: rm {}", shown(&draft::path_of(&args.file))))),
    }
}

/// Changes a file that is there.
fn change(
    args: &EditArgs,
    name: &Path,
    format: Format,
    ways: &Ways<'_>,
    mut desk: Desk<'_>,
    mut resumed: Option<Draft>,
) -> Result<Edited, Failure> {
    let session = desk.session;
    let mut work: Option<Work<'_>> = None;
    // Whether there is a text that was typed for the file as it was before.
    let mut is_typed = false;
    loop {
        let lost = |failure| match &work {
            Some(work) => work.keep(failure),
            None => failure,
        };
        let mut target = Target::open(&args.file).map_err(|error| lost(error.into()))?;
        let encrypted = session::read_encrypted(name, target.take_bytes(), format).map_err(lost)?;
        let key = session.data_key(name, encrypted.envelope(), &args.open).map_err(lost)?;
        let opened = session::open(name, &encrypted, &key, args.open.mac_check()).map_err(lost)?;
        let editing =
            Editing { args, data: ways.data, name, encrypted: &encrypted, opened: &opened, key: &key, session };
        let now = editing.text().map_err(lost)?;
        let work = work.get_or_insert_with(|| Work::begin(args, &encrypted, &key, &now, resumed.take(), session));
        target.unlock();
        let (sealed, lines) = loop {
            if !is_typed {
                work.draft.text = desk.edit(&work.draft.text)?;
                // A file whose MAC does not count gets a new one in any case.
                if !args.open.ignore_mac && (ways.is_same)(&work.draft.base, &work.draft.text) {
                    return Ok(Edited::Unchanged);
                }
            }
            is_typed = false;
            match editing.seal(&mut work.draft, &now) {
                Ok(done) => break done,
                Err(failure) => desk.settle(failure, |failure| work.keep(failure))?,
            }
        };
        match target.replace(&sealed.bytes) {
            Ok(written) => {
                session.warn_of_links(&args.file, written);
                return Ok(Edited::Written(lines));
            }
            // The text is good, and what was done to the file is merged in.
            Err(error) if error.problem == Problem::Changed => is_typed = true,
            Err(error) => desk.settle(error.into(), |failure| work.keep(failure))?,
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
    resumed: Option<Draft>,
) -> Result<Edited, Failure> {
    let before = template(name, format);
    // Nobody should type a text that then cannot be encrypted, or written.
    if let Some(folder) = session::absolute(&args.file)?.parent().filter(|folder| !folder.is_dir()) {
        return Err(Failure::new(Kind::Output, format!("there is no folder {}", shown(folder)))
            .hint(format!("make it: mkdir -p {}", shown(folder))));
    }
    let plain = Document::parse(before.clone(), format).map_err(|error| Failure::of_parse(name, &error))?;
    (ways.check)(name, &plain)?;
    let encrypt = |bytes, format| (ways.encrypt)(Input { name: name.to_owned(), bytes, format });
    let mut draft = resumed.unwrap_or_else(|| Draft { base: before.clone(), text: before.clone() });
    loop {
        draft.text = desk.edit(&draft.text)?;
        if (ways.is_same)(&before, &draft.text) {
            return Ok(Edited::Unchanged);
        }
        let reserved = || Failure::new(Kind::Editor, "the text has an entry `sops`, which is reserved");
        let failure = match encrypt(draft.text.clone(), format) {
            Ok(Made::New { sealed, readers, .. }) => match target::create(&args.file, &sealed.bytes, 0o644) {
                Ok(()) => {
                    return Ok(Edited::Written(vec![format!("{} encrypted for {readers}", count(sealed.encrypted))]));
                }
                Err(error) => error.into(),
            },
            Ok(Made::Already(_)) => reserved().hint("take it out, or rename it"),
            Err(failure) => failure,
        };
        desk.settle(failure, |failure| {
            let sealed = match encrypt(draft.payload(), Format::Binary) {
                Ok(Made::New { sealed, .. }) => Ok(sealed.bytes),
                Ok(Made::Already(_)) => Err(reserved()),
                Err(failure) => Err(failure),
            };
            draft::keep(&args.file, sealed, failure, &resuming(args))
        })?;
    }
}

/// The command that goes on with a draft.
fn resuming(args: &EditArgs) -> String {
    let shows = if args.show_master_keys { "-s " } else { "" };
    let ignores = if args.open.ignore_mac { "--ignore-mac " } else { "" };
    format!("seal edit --resume {shows}{ignores}{}", shown(&args.file))
}

/// A text typed for an encrypted file, and under what it is sealed should it have to wait.
struct Work<'a> {
    draft: Draft,
    args: &'a EditArgs,
    groups: Vec<Vec<WrappedKey>>,
    threshold: Option<usize>,
    key: DataKey,
    session: &'a Session,
}

impl<'a> Work<'a> {
    fn begin(
        args: &'a EditArgs,
        encrypted: &Encrypted,
        key: &DataKey,
        now: &Zeroizing<Vec<u8>>,
        resumed: Option<Draft>,
        session: &'a Session,
    ) -> Self {
        Self {
            draft: resumed.unwrap_or_else(|| Draft { base: now.clone(), text: now.clone() }),
            args,
            groups: encrypted.envelope().groups.clone(),
            threshold: encrypted.envelope().threshold,
            key: DataKey::from_bytes(key.expose()).expect("it is one"),
            session,
        }
    }

    /// Keeps the text as a draft, and says so in the failure.
    fn keep(&self, failure: Failure) -> Failure {
        let file = &self.args.file;
        let sealed = self.draft.seal(file, &self.groups, self.threshold, &self.key, self.session);
        draft::keep(file, sealed, failure, &resuming(self.args))
    }
}

/// A private folder for the text, and the editor to change it with.
struct Desk<'s> {
    scratch: Scratch,
    text: Option<PathBuf>,
    editor: Editor,
    file: &'s Path,
    session: &'s Session,
}

impl Desk<'_> {
    /// Opens a text in the editor and gives what was saved.
    fn edit(&mut self, text: &[u8]) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let path = match self.text.take() {
            Some(path) if **self.scratch.read(&path)? == *text => path,
            Some(path) => self.scratch.replace(&path, text)?,
            None => {
                let copies = if self.editor.keeps_no_copies() { ", which keeps no copies" } else { "" };
                self.session.say(&format!("opened in {}{copies}; Ctrl+C here discards", shown(self.editor.name())));
                self.scratch.create(self.file, text)?
            }
        };
        self.editor.run(&path)?;
        // By its path: editors write another file in its place.
        let text = self.scratch.read(&path)?;
        self.text = Some(path);
        Ok(text)
    }

    /// Says why the text cannot be taken, and asks what is to become of it: `Ok` to edit it again. Where nobody can be asked, and
    /// where that is the answer, `keep` keeps it, and that is the end.
    fn settle(&self, mut failure: Failure, keep: impl Fn(Failure) -> Failure) -> Result<(), Failure> {
        if failure.kind.code() == Kind::Input.code() {
            failure.kind = Kind::Editor;
        }
        if !self.session.terminal().can_ask() {
            return Err(keep(failure));
        }
        self.session.report(&failure);
        let question = "[e]dit again, [s]ave a sealed draft, or [d]iscard what you typed?";
        loop {
            let Ok(answer) = self.session.terminal().ask(question, "a terminal") else { return Err(keep(failure)) };
            match answer.trim() {
                "e" | "edit" => return Ok(()),
                "s" | "save" => {
                    return Err(keep(Failure::new(failure.kind, format!("{} is as it was", shown(self.file)))));
                }
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
        let plain = match self.encrypted.format() {
            // As it is stored: JSON with a single value.
            Format::Binary => {
                let text = std::str::from_utf8(&plain).map_err(|_| {
                    Failure::new(Kind::CannotHold, format!("{} is not UTF-8, as JSON is", shown(self.name)))
                        .hint(format!("edit it without its envelope: seal edit {}", shown(&self.args.file)))
                })?;
                let text = serde_json::Value::from(text).to_string();
                self.parse_as(Format::Json, Zeroizing::new(format!("{{\n\t\"data\": {text}\n}}\n").into_bytes()))?
            }
            format => self.parse_as(format, plain)?,
        };
        let envelope = serde_json::Value::Object(self.encrypted.envelope().to_map());
        Ok(plain.attach(&envelope, &self.encrypted.style()).apply(plain.source()))
    }

    /// Encrypts what was typed, with what was done to the file meanwhile if `now` is not what editing began with; also gives
    /// the lines that say what changed.
    ///
    /// Where both changed the same, the draft becomes a merge with what was typed in those places, for the file as it is now.
    fn seal(&self, draft: &mut Draft, now: &Zeroizing<Vec<u8>>) -> Result<(Sealed, Vec<String>), Failure> {
        if draft.base == *now {
            return self.seal_text(draft.text.clone());
        }
        let failure = Failure::new(
            Kind::Refused,
            format!("{} was changed by another program since editing began", shown(self.name)),
        );
        if self.args.show_master_keys {
            draft.base = now.clone();
            return Err(
                failure.hint("texts with an envelope are not merged: saved again, yours replaces those changes")
            );
        }
        let ours = self.parse(draft.text.clone())?;
        let merged = document::merge(&self.parse(draft.base.clone())?, &ours, &self.parse(now.clone())?);
        if merged.conflicts.is_empty() {
            let (sealed, mut lines) = self.seal_text(merged.bytes)?;
            lines.push(format!("merged   {} of another program, made since editing began", changes_of(merged.theirs)));
            return Ok((sealed, lines));
        }
        let several = ours.roots().len() > 1;
        *draft = Draft { base: now.clone(), text: merged.bytes };
        Err(Failure {
            details: merged
                .conflicts
                .iter()
                .map(|conflict| format!("both changed  {}", place(conflict, several)))
                .collect(),
            ..failure.hint("all other changes are merged: saved again, yours replaces theirs in these places")
        })
    }

    fn parse(&self, bytes: Zeroizing<Vec<u8>>) -> Result<Document, Failure> {
        self.parse_as(self.encrypted.format(), bytes)
    }

    fn parse_as(&self, format: Format, bytes: Zeroizing<Vec<u8>>) -> Result<Document, Failure> {
        Document::parse(bytes, format).map_err(|error| Failure::of_parse(self.name, &error))
    }

    fn seal_text(&self, text: Zeroizing<Vec<u8>>) -> Result<(Sealed, Vec<String>), Failure> {
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
        let changes = changes(&before, &after);
        let sealed = self.session.seal(self.name, after, envelope, self.key, Some(self.opened), style)?;
        for change in changes {
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
        let is_binary = self.encrypted.format() == Format::Binary;
        let whole = self.parse_as(if is_binary { Format::Json } else { self.encrypted.format() }, text)?;
        let no_envelope = || Failure::new(Kind::Envelope, "the text has no envelope, the entry `sops`, any more");
        let roots = || whole.roots().iter().filter_map(|root| root.attachment.as_ref());
        let map = roots().next().and_then(|attachment| attachment.value.as_ref()).ok_or_else(no_envelope)?;
        let mut envelope = Envelope::from_map(map)
            .map_err(|error| Failure::new(Kind::Envelope, shown(&error.to_string()).to_string()))?;
        let mut edits = Edits::new();
        roots().flat_map(|attachment| &attachment.cuts).for_each(|cut| edits.replace(*cut, b""));
        let mut plain = edits.apply(whole.source());
        if is_binary {
            let json = self.parse_as(Format::Json, plain)?;
            let data = json.at(0, &KeyPath(vec![Step::Key("data".into())]));
            let Some(Node::Leaf(Leaf { scalar: Scalar::Str(text), .. })) = data else {
                return Err(Failure::new(Kind::Editor, "the text has no string `data`, which is the file itself"));
            };
            plain = Zeroizing::new(json.text(text).to_vec());
        }
        let plain = self.parse(plain)?;

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

fn changes_of(number: usize) -> String {
    if number == 1 { "1 change".to_owned() } else { format!("{number} changes") }
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
