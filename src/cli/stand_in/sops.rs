//! sops: its commands, made into seal's plans, with its exit codes and the phrases that scripts look for.
//!
//! How its command line is read is in [`sops_args`](super::sops_args), what it says in [`sops_says`](super::sops_says). What it
//! prints when it decrypts is written anew, as sops writes it, so that scripts that compare see no difference; what it encrypts
//! keeps its bytes, as always with seal.

use std::collections::HashSet;
use std::convert::Infallible;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use zeroize::Zeroizing;

use super::sops_args::{Given, SOPS};
use super::sops_says::{BASH, CANNOT_ENCRYPT, Doing, ZSH, complete, logged, no_topic, print, refuse, report};
use crate::cli::args::{FormatArgs, OpenArgs, RecipientArgs};
use crate::cli::change::{Changing, DataCheck, Outcome, WhenSame};
use crate::cli::decrypt::{self, Plain};
use crate::cli::edit::{self, EditArgs, Edited, Ways};
use crate::cli::encrypt::{self, Made, Plan};
use crate::cli::exec::{self, ExecEnvArgs, ExecFileArgs, Shape};
use crate::cli::failure::{Failure, Kind};
use crate::cli::file_status::{self, FileStatusArgs};
use crate::cli::groups;
use crate::cli::readers::{self, Change, LockedOut};
use crate::cli::session::{ConfigSearch, Input, Session, absolute};
use crate::cli::update_keys::{self, UpdateKeysArgs};
use crate::cli::{Global, shown};
use crate::crypt::{EncryptError, Encrypted, Plaintext, SOPS_VERSION, Sealed, Selection, SelectionRule, What, walk};
use crate::document::{Document, Format, Indent, KeyPath, Numbers, ParseError, ParseProblem, Value, emit};
use crate::host::target::{self, Target};
use crate::host::{Host, files};

/// Runs what was typed behind `sops`.
pub fn run(words: &[OsString]) -> ExitCode {
    let host = Host::open();
    if let [before @ .., last] = words
        && last == "--generate-bash-completion"
    {
        return complete(before, host);
    }
    let globals = match SOPS.read(words, &host.environment) {
        Ok(globals) => globals,
        Err(misuse) => return refuse(&misuse, &SOPS, "sops", host),
    };
    if globals.on("help") {
        return print(&SOPS.help("sops"), host);
    }
    if globals.on("version") {
        return print(&format!("sops {SOPS_VERSION} (seal {})\n", env!("CARGO_PKG_VERSION")), host);
    }
    let (mut line, mut command, mut rest) = ("sops".to_owned(), &SOPS, globals.words.as_slice());
    while let [name, behind @ ..] = rest
        && let Some(found) =
            command.commands.iter().find(|command| name == command.name || command.name == "help" && name == "h")
    {
        line = format!("{line} {}", found.name);
        (command, rest) = (found, behind);
    }
    if command.name == "help" {
        let Some(name) = rest.first() else { return print(&SOPS.help("sops"), host) };
        return match SOPS.commands.iter().find(|command| name == command.name) {
            Some(command) => print(&command.help(&format!("sops {}", command.name)), host),
            None => no_topic(name, host),
        };
    }
    let is_old_way = line == "sops";
    let given = if is_old_way { Ok(globals.clone()) } else { command.read_anywhere(rest, &host.environment) };
    let given = match given {
        Ok(given) => given,
        Err(misuse) => return refuse(&misuse, command, &line, host),
    };
    let is_folder = !is_old_way && !command.commands.is_empty();
    if let Some(name) = given.words.first().filter(|_| is_folder) {
        return no_topic(name, host);
    }
    if given.on("help") || is_folder {
        return print(&command.help(&line), host);
    }
    // Only updatekeys says what it does.
    let quiet = !globals.on("verbose") && command.name != "updatekeys";
    let global = Global { config: globals.path("config"), quiet, ..Global::default() };
    let call = Call { globals, given, session: Session::new(global, host, ConfigSearch::FromHere) };
    if is_old_way || ["decrypt", "encrypt", "rotate", "edit"].contains(&command.name) {
        call.warn_of_words();
    }
    let (doing, result) = match line.strip_prefix("sops ") {
        None => call.old_way(),
        Some("decrypt") => (Doing::Decrypt, call.decrypt()),
        Some("encrypt") => (Doing::Encrypt, call.encrypt()),
        Some("rotate") => (Doing::Other, call.rotate()),
        Some("updatekeys") => (Doing::Other, call.update_keys()),
        Some("groups add") => (Doing::Other, call.groups_add()),
        Some("groups delete") => (Doing::Other, call.groups_delete()),
        Some("filestatus") => (Doing::Other, call.file_status()),
        Some("edit") => (Doing::Other, call.edit()),
        Some("set") => (Doing::Other, call.set()),
        Some("unset") => (Doing::Other, call.unset()),
        Some("exec-env") => (Doing::Other, call.exec_env()),
        Some("exec-file") => (Doing::Other, call.exec_file()),
        Some("completion bash") => (Doing::Other, call.session.answer(BASH.as_bytes())),
        Some("completion zsh") => (Doing::Other, call.session.answer(ZSH.as_bytes())),
        Some(name) => (Doing::Other, Err(not_available(name))),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            report(&failure, doing, &call.given.texts("keyservice"), &call.session);
            // Where the data key could not be wrapped, sops has no code of its own.
            let is_wrapping = failure.kind == Kind::Unreachable && failure.message.starts_with(CANNOT_ENCRYPT);
            ExitCode::from(if is_wrapping { 1 } else { failure.kind.sops_code() })
        }
    }
}

/// One call of sops.
struct Call {
    /// What stands before the subcommand.
    globals: Given,
    /// What stands behind it; without one, the same.
    given: Given,
    session: Session,
}

/// Where a command's result goes.
enum Output {
    Stdout,
    /// Opened before it is read, so that what others do to it meanwhile is noticed.
    InPlace(Box<Target>),
    File(PathBuf),
}

impl Call {
    /// Without a subcommand: a flag says what to do, or the file is edited.
    fn old_way(&self) -> (Doing, Result<(), Failure>) {
        let given = &self.given;
        let modes = [given.text("set").is_some(), given.on("rotate"), given.on("decrypt"), given.on("encrypt")];
        let doing = match modes {
            [false, false, true, _] => Doing::Decrypt,
            [false, false, false, true] => Doing::Encrypt,
            _ => Doing::Other,
        };
        (doing, self.old_way_in(modes))
    }

    fn old_way_in(&self, modes: [bool; 4]) -> Result<(), Failure> {
        let [set, rotate, decrypts, encrypts] = modes;
        let file = self.file().ok_or_else(no_file)?;
        self.check_changes(&file)?;
        if !file.exists() && (rotate || decrypts || encrypts) {
            return Err(missing(&file));
        }
        if modes.iter().filter(|mode| **mode).count() > 1 {
            self.warn(
                "More than one command (--encrypt, --decrypt, --rotate, --set) is given; only one of them is run",
            );
        }
        if set || rotate || encrypts || !decrypts {
            // sops finds the rule even where none is needed, and fails without one.
            self.session.rule(&self.name(Some(&file)))?;
        }
        match modes {
            [true, ..] => self.old_set(&file),
            [_, true, ..] => self.rotate(),
            [_, _, true, _] => self.decrypt(),
            [.., true] => self.encrypt(),
            _ => self.edit(),
        }
    }

    fn encrypt(&self) -> Result<(), Failure> {
        let file = self.file();
        if file.is_none() && !self.given.on("in-place") && self.given.text("filename-override").is_none() {
            return Err(conflict("Error: must specify --filename-override when reading from stdin"));
        }
        let mut output = self.output(file.as_deref())?;
        let name = self.name(file.as_deref());
        let (from, to) = self.types(&name);
        let plan = self.plan(&name, from)?;
        let input = self.read(file.as_deref(), &mut output)?;
        let sealed = self.seal(&name, input, (from, to), &plan)?;
        self.write(output, &sealed.bytes, 0o644)
    }

    /// Encrypts a plain file of one format as one of another.
    fn seal(
        &self,
        name: &Path,
        bytes: Zeroizing<Vec<u8>>,
        (from, to): (Format, Format),
        plan: &Plan,
    ) -> Result<Sealed, Failure> {
        let plain = Document::parse(bytes, from).map_err(|error| Failure::of_parse(name, &error))?;
        if plain.roots().first().is_some_and(|root| root.attachment.is_some()) {
            return Err(Failure::of_encrypt(name, &EncryptError::AlreadyEncrypted));
        }
        // An encrypted binary file is JSON.
        let to = if to == Format::Binary && from != to { Format::Json } else { to };
        let indent = self.indent(to, name)?;
        let plain = encrypt::convert(name, plain, to, indent)?;
        let blanks = match indent {
            Indent::Blanks(blanks) => Some(blanks),
            _ => None,
        };
        plan.carry_out(name, plain, blanks, &self.session)
    }

    /// Who may read it and which values are encrypted, by flags and creation rule.
    fn plan(&self, name: &Path, format: Format) -> Result<Plan, Failure> {
        let given = &self.given;
        let rule = self.session.rule(name)?;
        let mut fields = SelectionRule::FIELDS.map(|field| given.text(&field.replace('_', "-")).map(str::to_owned));
        if let Some(selection) = rule.as_ref().and_then(|rule| rule.selection.as_ref()) {
            let at = SelectionRule::FIELDS.iter().position(|field| *field == selection.field());
            if let Some(field) = at.and_then(|at| fields.get_mut(at)) {
                field.get_or_insert_with(|| selection.text().to_owned());
            }
        }
        let is_binary = format == Format::Binary;
        if is_binary && fields.iter().any(Option::is_some) {
            self.warn("a binary file is one value, so the selection is ignored");
            fields = Default::default();
        }
        let selection = SelectionRule::from_fields(fields).map_err(|_| {
            conflict(
                "Error: cannot use more than one of encrypted_suffix, unencrypted_suffix, encrypted_regex, \
                 unencrypted_regex, encrypted_comment_regex, or unencrypted_comment_regex in the same file",
            )
        })?;
        // A pattern that does not compile matches nothing for sops; here it is an error.
        selection.clone().map(Selection::compile).transpose()?;
        let groups = match (recipients(given, "").group()?, &rule) {
            (Some(group), _) => vec![group],
            (None, Some(rule)) => rule.groups.clone(),
            (None, None) => {
                return Err(Failure::new(
                    Kind::Config,
                    "config file not found, or has no creation rules, and no keys provided through command line options",
                ));
            }
        };
        let threshold = match given.number("shamir-secret-sharing-threshold").filter(|number| *number != 0) {
            // One that does not fit is refused when the data key is split, and means nothing where it is not.
            Some(number) => Some(usize::try_from(number).unwrap_or(if groups.len() > 1 { usize::MAX } else { 0 })),
            None => rule.as_ref().and_then(|rule| rule.threshold),
        };
        let mac_only_encrypted =
            self.globals.on("mac-only-encrypted") || rule.is_some_and(|rule| rule.mac_only_encrypted);
        Ok(Plan { groups, threshold, selection, mac_only_encrypted: mac_only_encrypted && !is_binary })
    }

    fn decrypt(&self) -> Result<(), Failure> {
        let file = self.file();
        let mut output = self.output(file.as_deref())?;
        let name = self.name(file.as_deref());
        let (from, to) = self.types(&name);
        let indent = self.indent(to, &name)?;
        let open = self.open_args()?;
        let path = KeyPath::parse_sops(self.given.text("extract").unwrap_or_default()).map_err(|error| {
            Failure::new(Kind::ExtractPath, format!("error parsing --extract path: {}", shown(&error.to_string())))
        })?;
        let bytes = self.read(file.as_deref(), &mut output)?;
        let document = self.opened(Input { name: name.clone(), bytes, format: from }, &open)?;
        let bytes = match path.0.is_empty() {
            true => emit(&document, to, indent)?,
            false => decrypt::part(&name, &document, &path, to, indent)?,
        };
        self.write(output, &bytes, 0o600)
    }

    /// Decrypts a file to the document that sops would write.
    fn opened(&self, input: Input, open: &OpenArgs) -> Result<Document, Failure> {
        let (name, format) = (input.name.clone(), input.format);
        let plain = decrypt::open(input, open, &self.session)?;
        as_sops_writes(plain, format).map_err(|error| Failure::of_parse(&name, &error))
    }

    fn edit(&self) -> Result<(), Failure> {
        let file = self.file().ok_or_else(no_file)?;
        let name = self.name(Some(&file));
        let types = self.types_kept(&name)?;
        let args = EditArgs {
            formats: FormatArgs { input_type: Some(types.0), ..self.formats() },
            show_master_keys: self.given.on("show-master-keys"),
            // As sops, which never asks where the text lies.
            allow_disk: true,
            open: self.open_args()?,
            file,
            ..EditArgs::default()
        };
        // Only a file that does not exist has a rule.
        let plan = (!args.file.exists()).then(|| self.plan(&name, types.0)).transpose()?;
        let no_plan = || Failure::new(Kind::Refused, format!("{} is gone", shown(&name)));
        let ways = Ways {
            data: DataCheck::Any,
            // Extensions of editors put in what `sops --decrypt` printed.
            is_same: &|before, after| {
                before == after || self.printed(&args.file, &name, before).is_some_and(|printed| *printed == *after)
            },
            check: &|_, _| Ok(()),
            encrypt: &|input| {
                // A draft is binary, whatever the file is.
                let types = if input.format == Format::Binary { (input.format, input.format) } else { types };
                let sealed = self.seal(&input.name, input.bytes, types, plan.as_ref().ok_or_else(no_plan)?)?;
                Ok(Made::New { sealed, about: None, readers: String::new() })
            },
        };
        match edit::edit(&args, &ways, &self.session)? {
            Edited::Unchanged => Err(Failure::new(Kind::Unchanged, "File has not changed, exiting.")),
            Edited::Written(_) => Ok(()),
        }
    }

    /// The plain text of an encrypted file as decrypting it prints it; `None` where it cannot be told.
    fn printed(&self, file: &Path, name: &Path, plain: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (format, _) = self.types(name);
        let selection = Encrypted::parse(files::read(file).ok()?, format).ok()?.selection().clone();
        let document = as_sops_writes(Plain { bytes: Plaintext::from(plain), selection }, format).ok()?;
        emit(&document, format, self.indent(format, name).ok()?).ok()
    }

    /// `--set '["path"] JSON'`
    fn old_set(&self, file: &Path) -> Result<(), Failure> {
        let text = self.given.text("set").unwrap_or_default();
        let invalid = || Failure::new(Kind::KeyPath, "Invalid --set format");
        let (path, value) = text.split_once("] ").ok_or_else(invalid)?;
        let path = KeyPath::parse_sops(&format!("{path}]")).map_err(|_| invalid())?;
        self.set_value(file, &path, value.as_bytes())
    }

    fn set(&self) -> Result<(), Failure> {
        let given = &self.given;
        if given.on("value-file") && given.on("value-stdin") {
            return Err(Failure::new(Kind::Usage, "Error: cannot use both --value-file and --value-stdin"));
        }
        let missing = |message: &str| Err(Failure::new(Kind::Missing, message));
        let (file, path, value) = match (given.words.as_slice(), given.on("value-stdin")) {
            ([file, path], true) => (file, path, None),
            ([file, path, value], false) => (file, path, Some(value)),
            (_, true) => return missing("Error: no file specified, or index is missing: exactly 2 words are needed"),
            (_, false) => {
                return missing("Error: no file specified, or index and value are missing: exactly 3 words are needed");
            }
        };
        let path = path_of(path, "Invalid set index format")?;
        let value = match value {
            None => files::read_stdin()?,
            Some(file) if given.on("value-file") => {
                files::read(Path::new(file)).map_err(|error| Failure { kind: Kind::Io, ..Failure::from(error) })?
            }
            Some(value) => Zeroizing::new(value.as_encoded_bytes().to_vec()),
        };
        self.set_value(Path::new(file), &path, &value)
    }

    fn set_value(&self, file: &Path, path: &KeyPath, json: &[u8]) -> Result<(), Failure> {
        let value = Value::from_json(json, Numbers::AsSops)
            .map_err(|_| Failure::new(Kind::KeyPath, "Value for --set is not valid JSON"))?;
        self.change(file, |changing| changing.set(file, path, &value, &self.session))
    }

    fn unset(&self) -> Result<(), Failure> {
        let [file, path] = self.given.words.as_slice() else {
            return Err(Failure::new(Kind::Missing, "Error: no file specified, or index is missing"));
        };
        let (file, path) = (Path::new(file), path_of(path, "Invalid unset index format")?);
        match self.change(file, |changing| changing.unset(file, &path, &self.session)) {
            Err(failure) if failure.kind == Kind::NotFound && self.given.on("idempotent") => Ok(()),
            other => other,
        }
    }

    fn change(&self, file: &Path, make: impl FnOnce(&Changing<'_>) -> Result<Outcome, Failure>) -> Result<(), Failure> {
        let name = self.name(Some(file));
        let (format, _) = self.types_kept(&name)?;
        let changing = Changing {
            formats: &FormatArgs { input_type: Some(format), ..self.formats() },
            open: &self.open_args()?,
            same: if self.given.on("idempotent") { WhenSame::Leave } else { WhenSame::SealAgain },
            data: DataCheck::Any,
        };
        make(&changing).map(drop).map_err(unreadable)
    }

    fn exec_env(&self) -> Result<(), Failure> {
        let [file, command] = self.child_words()?;
        let name = PathBuf::from(file);
        let (format, _) = self.types(&name);
        let input = Input { bytes: files::read(&name).map_err(|error| unreadable(error.into()))?, format, name };
        let args = ExecEnvArgs {
            pristine: self.given.on("pristine"),
            same_process: self.given.on("same-process"),
            user: self.given.text("user").map(str::to_owned),
            file: input.name.clone(),
            command: command.clone(),
            ..ExecEnvArgs::default()
        };
        let document = self.opened(input, &self.open_args()?)?;
        exec::with_variables(&args, &document, Shape::Flat).map_err(|failure| match failure.kind {
            Kind::CannotHold => Failure { kind: Kind::No, ..failure },
            _ => failure,
        })
    }

    fn exec_file(&self) -> Result<(), Failure> {
        let [file, command] = self.child_words()?;
        let name = PathBuf::from(file);
        let (format, to) = self.types(&name);
        let indent = self.indent(to, &name)?;
        let input = Input { bytes: files::read(&name).map_err(|error| unreadable(error.into()))?, format, name };
        let args = ExecFileArgs {
            no_fifo: self.given.on("no-fifo"),
            filename: self.given.path("filename"),
            allow_disk: true,
            user: self.given.text("user").map(str::to_owned),
            file: input.name.clone(),
            command: command.clone(),
            ..ExecFileArgs::default()
        };
        let document = self.opened(input, &self.open_args()?)?;
        exec::with_text(&args, emit(&document, to, indent)?, &self.session)
    }

    /// The file and the command of `exec-env` and `exec-file`.
    fn child_words(&self) -> Result<&[OsString; 2], Failure> {
        if self.given.on("background") {
            return Err(not_available("--background"));
        }
        let words = self.given.words.as_slice().try_into();
        words.map_err(|_| Failure::new(Kind::Usage, "error: missing file to decrypt"))
    }

    /// Recipients cannot come and go where there is no file.
    fn check_changes(&self, file: &Path) -> Result<(), Failure> {
        let kinds = ["kms", "pgp", "gcp-kms", "hckms", "hc-vault-transit", "azure-kv", "age"];
        let is_given = |prefix: &str| kinds.iter().any(|kind| self.given.text(&format!("{prefix}{kind}")).is_some());
        if file.exists() || !(is_given("add-") || is_given("rm-")) {
            return Ok(());
        }
        let path = absolute(file)?;
        let message = format!("Error: cannot add or remove keys on non-existent file \"{}\"", shown(&path));
        Err(Failure::new(Kind::MissingKeys, message))
    }

    fn rotate(&self) -> Result<(), Failure> {
        let file = self.file().ok_or_else(no_file)?;
        self.check_changes(&file)?;
        let mut output = self.output(Some(&file)).map_err(|failure| match files::read(&file) {
            Err(error) if failure.kind == Kind::Missing => unreadable(error.into()),
            _ => failure,
        })?;
        let name = self.name(Some(&file));
        let (format, to) = self.types(&name);
        let group = |prefix: &str| recipients(&self.given, prefix).group().map(Option::unwrap_or_default);
        let change = Change { add: group("add-")?, remove: group("rm-")? };
        self.session.trust(std::slice::from_ref(&change.add));
        let open = self.open_args()?;
        let bytes = self.read(Some(&file), &mut output)?;
        let input = Input { name, bytes, format };
        let rotated = readers::rotate(&self.session, input, &change, &open, to, LockedOut::Warn)?;
        self.write(output, &rotated.sealed.bytes, 0o644)
    }

    fn update_keys(&self) -> Result<(), Failure> {
        let files: Vec<PathBuf> = self.given.words.iter().map(PathBuf::from).collect();
        if self.session.config(Path::new("."))?.is_none() {
            return Err(Failure::new(Kind::Config, "config file not found"));
        }
        if files.is_empty() {
            return Err(no_file());
        }
        self.session.terminal().set_piped_answers();
        let args = UpdateKeysArgs {
            files,
            yes: self.given.on("yes"),
            input_type: self.given.text("input-type").and_then(|word| word.parse().ok()),
            open: self.open_args()?,
            ..UpdateKeysArgs::default()
        };
        update_keys::run(args, &self.session).map_err(|mut failure| {
            // Only encrypting and decrypting have codes of their own for it.
            if matches!(failure.kind, Kind::Missing | Kind::Input) {
                failure.kind = Kind::Io;
            }
            failure
        })
    }

    fn groups_add(&self) -> Result<(), Failure> {
        if !self.given.words.is_empty() {
            return Err(Failure::new(Kind::Usage, "error: no positional arguments allowed"));
        }
        let given = &self.given;
        let args = RecipientArgs {
            age: given.texts("age"),
            pgp: given.texts("pgp"),
            kms: given.texts("kms"),
            gcp_kms: given.texts("gcp-kms"),
            hckms: given.texts("hckms"),
            azure_kv: given.texts("azure-kv"),
            hc_vault_transit: given.texts("hc-vault-transit"),
            ..recipients(given, "")
        };
        groups::add(&self.group_file()?, args.group()?.unwrap_or_default(), &self.session)
    }

    fn groups_delete(&self) -> Result<(), Failure> {
        let index = match self.given.words.as_slice() {
            [index] => index.to_str().and_then(|index| index.parse().ok()),
            _ => return Err(Failure::new(Kind::Usage, "error: exactly one positional argument (index) required")),
        };
        let index = index.ok_or_else(|| Failure::new(Kind::Usage, "failed to parse [index] argument"))?;
        groups::delete(&self.group_file()?, index, &self.session)
    }

    fn group_file(&self) -> Result<groups::FileArgs, Failure> {
        let threshold = self.given.number("shamir-secret-sharing-threshold").filter(|number| *number != 0);
        Ok(groups::FileArgs {
            file: self.given.path("file").ok_or_else(no_file)?,
            in_place: self.given.on("in-place"),
            shamir_secret_sharing_threshold: threshold.map(|number| usize::try_from(number).unwrap_or(usize::MAX)),
            yes: true,
            input_type: None,
            open: self.open_args()?,
        })
    }

    fn file_status(&self) -> Result<(), Failure> {
        let file = self.file().ok_or_else(no_file)?;
        let input_type = self.given.text("input-type").and_then(|word| word.parse().ok());
        file_status::run(FileStatusArgs { file, input_type }, &self.session)
    }

    /// The file named; `None` for standard input.
    fn file(&self) -> Option<PathBuf> {
        self.given.words.first().map(PathBuf::from)
    }

    /// Warns of words behind the file, which are not looked at.
    fn warn_of_words(&self) {
        let [_, others @ ..] = self.given.words.as_slice() else { return };
        if others.is_empty() {
            return;
        }
        self.warn("More than one positional argument provided. Only the first one will be used!");
        if let Some(flag) = others.iter().rev().find(|word| word.as_encoded_bytes().starts_with(b"-")) {
            self.warn(&format!("{} looks like a flag; flags must stand before the first file", shown(flag)));
        }
    }

    fn output(&self, file: Option<&Path>) -> Result<Output, Failure> {
        let output = self.given.path("output");
        match (self.given.on("in-place"), file, output) {
            (true, None, _) => Err(conflict("Error: cannot use --in-place when reading from stdin")),
            (true, _, Some(_)) => Err(conflict("Error: cannot operate on both --output and --in-place")),
            (_, Some(file), _) if !file.exists() => Err(missing(file)),
            (true, Some(file), None) => Ok(Output::InPlace(Box::new(Target::open(file)?))),
            (false, _, Some(output)) => Ok(Output::File(output)),
            (false, _, None) => Ok(Output::Stdout),
        }
    }

    fn write(&self, output: Output, bytes: &[u8], mode: u32) -> Result<(), Failure> {
        match output {
            Output::Stdout => self.session.answer(bytes),
            Output::InPlace(target) => Ok(target.replace(bytes).map(drop)?),
            Output::File(file) => Ok(target::write(&file, bytes, mode).map(drop)?),
        }
    }

    fn read(&self, file: Option<&Path>, output: &mut Output) -> Result<Zeroizing<Vec<u8>>, Failure> {
        match output {
            Output::InPlace(target) => Ok(target.take_bytes()),
            Output::Stdout | Output::File(_) => Ok(self.session.read(file, &self.formats())?.bytes),
        }
    }

    /// What messages call the file, and by what its type and rule are found.
    fn name(&self, file: Option<&Path>) -> PathBuf {
        let named = self.given.path("filename-override");
        named.or_else(|| file.map(Path::to_owned)).unwrap_or_else(|| PathBuf::from("-"))
    }

    /// The formats of input and output. A word that names none is ignored.
    fn types(&self, name: &Path) -> (Format, Format) {
        let of =
            |flag| self.given.text(flag).and_then(|word| word.parse().ok()).unwrap_or_else(|| Format::of_path(name));
        (of("input-type"), of("output-type"))
    }

    /// The same for commands that change a file, which stays in its format.
    fn types_kept(&self, name: &Path) -> Result<(Format, Format), Failure> {
        let (from, to) = self.types(name);
        match from == to {
            true => Ok((from, to)),
            false => Err(Failure::new(Kind::Usage, format!("a file of {from} that is changed cannot become {to}"))),
        }
    }

    fn formats(&self) -> FormatArgs {
        FormatArgs { filename_override: self.given.path("filename-override"), ..FormatArgs::default() }
    }

    /// How output is indented, by `--indent` or the config.
    fn indent(&self, format: Format, name: &Path) -> Result<Indent, Failure> {
        let stores = self.session.config(name)?.map(|config| *config.style()).unwrap_or_default();
        let blanks = |blanks: Option<usize>| blanks.map_or(Indent::Default, Indent::Blanks);
        let refused = |what: &str| Err(Failure::new(Kind::CannotHold, format!("Error dumping file: {what}")));
        match (format, self.globals.number("indent")) {
            (Format::Yaml, None) => Ok(blanks(stores.yaml_indent)),
            (Format::Json, None) => Ok(blanks(stores.json_indent)),
            (Format::Binary, None) => Ok(blanks(stores.json_binary_indent)),
            (Format::Dotenv | Format::Ini, _) | (Format::Yaml, Some(0)) | (Format::Json | Format::Binary, Some(-1)) => {
                Ok(Indent::Default)
            }
            (Format::Yaml, Some(..0)) => refused("YAML Negative indentation not accepted"),
            (_, Some(..-1)) => refused("JSON Indentation parameter smaller than -1 is not accepted"),
            (_, Some(number)) => match usize::try_from(number) {
                Ok(number) if number <= MAX_INDENT => Ok(Indent::Blanks(number)),
                _ => refused("an indentation of more than 64 blanks"),
            },
        }
    }

    /// How files are opened.
    fn open_args(&self) -> Result<OpenArgs, Failure> {
        if self.given.off("enable-local-keyservice") {
            return Err(Failure::new(
                Kind::NoKey,
                "the identities of this machine may not be used, and remote key services are not available in this version",
            ));
        }
        let order: Vec<_> = self.given.text("decryption-order").into_iter().flat_map(|list| list.split(',')).collect();
        for (at, kind) in order.iter().enumerate() {
            if order[..at].contains(kind) {
                return Err(Failure::new(Kind::Order, format!("Duplicate decryption key type: {}", shown(*kind))));
            }
        }
        // A kind that sops does not know is one that no file has.
        let known = crate::crypt::Kind::ALL.map(crate::crypt::Kind::envelope_name);
        let decryption_order = order.into_iter().filter(|kind| known.contains(kind)).map(str::to_owned).collect();
        Ok(OpenArgs { ignore_mac: self.given.on("ignore-mac"), decryption_order })
    }

    fn warn(&self, message: &str) {
        self.session.terminal().note(logged("warning", message));
    }
}

/// A decrypted document as sops has it: comments that were encrypted have lost that they stood behind a value, and of a
/// document that said nothing there is an empty map.
fn as_sops_writes(plain: Plain, format: Format) -> Result<Document, ParseError> {
    let mut document = match Document::parse(plain.bytes.into_zeroizing(), format) {
        Err(error) if error.problem == ParseProblem::Empty => return Document::parse(b"{}".to_vec(), format),
        parsed => parsed?,
    };
    if format != Format::Yaml {
        return Ok(document);
    }
    let mut moved = HashSet::new();
    let visited: Result<(), Infallible> = walk(&document, &plain.selection, |site| {
        if let What::Comment(comment) = site.what
            && comment.inline
            && site.chosen
        {
            moved.insert(comment.span);
        }
        Ok(())
    });
    let Ok(()) = visited;
    document.lift_comments(&moved);
    Ok(document)
}

/// The recipients that flags and variables name: `--age`, or with a prefix `--add-age`.
fn recipients(given: &Given, prefix: &str) -> RecipientArgs {
    let list = |kind: &str| given.list(&format!("{prefix}{kind}"));
    RecipientArgs {
        age: list("age"),
        pgp: list("pgp"),
        kms: list("kms"),
        aws_profile: given.text("aws-profile").map(str::to_owned),
        encryption_context: given.text("encryption-context").map(str::to_owned),
        gcp_kms: list("gcp-kms"),
        hckms: list("hckms"),
        azure_kv: list("azure-kv"),
        hc_vault_transit: list("hc-vault-transit"),
    }
}

/// A key path as sops reads it.
fn path_of(word: &std::ffi::OsStr, invalid: &str) -> Result<KeyPath, Failure> {
    let fail = |why: String| Failure::new(Kind::KeyPath, format!("{invalid}: {why}"));
    let word = word.to_str().ok_or_else(|| fail("it is not UTF-8".into()))?;
    KeyPath::parse_sops(word).map_err(|error| fail(shown(&error.to_string()).to_string()))
}

/// For commands that have no code of their own for a file that is not there.
fn unreadable(failure: Failure) -> Failure {
    match failure.kind {
        Kind::Missing => Failure { kind: Kind::Input, ..failure },
        _ => failure,
    }
}

fn conflict(message: &str) -> Failure {
    Failure::new(Kind::Conflict, message)
}

fn missing(file: &Path) -> Failure {
    let path = absolute(file).unwrap_or_else(|_| file.to_owned());
    Failure::new(Kind::Missing, format!("Error: cannot operate on non-existent file \"{}\"", shown(&path)))
}

fn no_file() -> Failure {
    Failure::new(Kind::Missing, "Error: no file specified")
}

fn not_available(command: &str) -> Failure {
    Failure::new(Kind::Refused, format!("{command} is not available in this version of seal; use sops for it"))
}

/// As for a config's `stores`.
const MAX_INDENT: usize = 64;
