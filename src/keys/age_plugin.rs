//! age plugins (`age-plugin-*` programs): whether one may be run, and the protocol it is spoken to with.
//!
//! A plugin's name comes out of a recipient or an identity, so a file could name a program: names that are no plain file
//! names are refused (RUSTSEC-2024-0433), and so is a program in a folder that `PATH` gives relative to the current one, likely
//! a repository. The age crate can run plugins, too, but hands all of its environment on to them; here they get none of
//! the variables that lead to identities. Source: <https://c2sp.org/age-plugin>.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use age_core::format::{FileKey, Stanza, is_arbitrary_string};
use age_core::primitives::bech32_decode;
use age_core::secrecy::ExposeSecret;
use base64::prelude::{BASE64_STANDARD_NO_PAD, Engine};
use zeroize::{Zeroize, Zeroizing};

use super::age::Ask;
use super::age_file;
use crate::host::process::strip_secrets;

/// A recipient or an identity of a plugin.
#[derive(Clone)]
pub(super) struct PluginKey {
    /// The plugin's name.
    pub(super) name: String,
    text: Zeroizing<String>,
}

impl PluginKey {
    /// Reads `age1NAME1…`.
    pub(super) fn recipient(text: &str) -> Result<Self, &'static str> {
        Self::parse(text, |prefix| Some(prefix.strip_prefix("age1")?.to_owned()))
    }

    /// Reads `AGE-PLUGIN-NAME-1…`.
    pub(super) fn identity(text: &str) -> Result<Self, &'static str> {
        Self::parse(text, |prefix| {
            let name = prefix.strip_prefix("AGE-PLUGIN-")?.strip_suffix('-')?;
            Some(name.trim_end_matches('-').to_ascii_lowercase())
        })
    }

    fn parse(text: &str, name_in: impl Fn(&str) -> Option<String>) -> Result<Self, &'static str> {
        let name = bech32_decode(
            text,
            |_| "invalid Bech32 encoding",
            |_| Ok(()),
            |prefix, _| name_in(prefix.as_str()).ok_or("it does not name a plugin"),
        )?;
        match is_plain(&name) {
            true => Ok(Self { name, text: Zeroizing::new(text.to_owned()) }),
            false => Err("the name of its plugin is malformed"),
        }
    }
}

/// A plugin that may be run.
pub(super) struct Plugin {
    name: String,
    program: PathBuf,
}

impl Plugin {
    /// Finds it in `PATH`.
    pub(super) fn find(name: &str) -> Result<Self, String> {
        Self::find_in(name, &std::env::var_os("PATH").unwrap_or_default())
    }

    fn find_in(name: &str, path: &std::ffi::OsStr) -> Result<Self, String> {
        if !is_plain(name) {
            return Err("the name of its plugin is malformed".to_owned());
        }
        let program = format!("age-plugin-{name}{}", std::env::consts::EXE_SUFFIX);
        match std::env::split_paths(path).find(|folder| is_program(&folder.join(&program))) {
            Some(folder) if folder.is_absolute() => Ok(Self { name: name.to_owned(), program: folder.join(program) }),
            Some(_) => Err(format!("{program} is in a folder that PATH names relative to the current one")),
            None => Err(format!("{program} is not in PATH")),
        }
    }

    /// Wraps a file key for a recipient of this plugin.
    pub(super) fn wrap(&self, recipient: &PluginKey, key: &FileKey, ask: &Arc<dyn Ask>) -> Result<Vec<Stanza>, String> {
        let said = [
            message("add-recipient", &[recipient.text.as_str()], b""),
            message("extension-labels", &[], b""),
            message("wrap-file-key", &[], key.expose_secret()),
        ];
        let mut stanzas = Vec::new();
        self.talk("recipient-v1", ask, said, |mut stanza| match stanza.tag.as_str() {
            // Labels say which recipients may share a file; here each has its own.
            "labels" => Some(Ok(())),
            "recipient-stanza" => Some(match stanza.args.as_slice() {
                [file, _, ..] if file == "0" => {
                    stanza.tag = stanza.args.drain(..2).next_back().unwrap_or_default();
                    stanzas.push(stanza);
                    Ok(())
                }
                _ => Err("it wrapped the key for another file".to_owned()),
            }),
            _ => None,
        })?;
        if stanzas.is_empty() { Err("it gave no wrapped key".to_owned()) } else { Ok(stanzas) }
    }

    /// Unwraps the file key of one of `stanzas`; `None` where none is for these identities.
    pub(super) fn unwrap<'a>(
        &self,
        identities: impl Iterator<Item = &'a PluginKey>,
        stanzas: &[Stanza],
        ask: &Arc<dyn Ask>,
    ) -> Result<Option<FileKey>, String> {
        let identities = identities.filter(|identity| identity.name == self.name);
        let identities = identities.map(|identity| message("add-identity", &[identity.text.as_str()], b""));
        let stanzas = stanzas.iter().map(|stanza| {
            let args: Vec<_> = ["0", &stanza.tag].into_iter().chain(stanza.args.iter().map(String::as_str)).collect();
            message("recipient-stanza", &args, &stanza.body)
        });
        let mut key = None;
        let talked = self.talk("identity-v1", ask, identities.chain(stanzas), |stanza| match stanza.tag.as_str() {
            "file-key" => Some(match (stanza.args.as_slice(), <[u8; 16]>::try_from(stanza.body.as_slice())) {
                ([file], Ok(mut bytes)) if file == "0" && key.is_none() => {
                    key = Some(FileKey::init_with_mut(|key| key.copy_from_slice(&bytes)));
                    bytes.zeroize();
                    Ok(())
                }
                _ => Err("it gave a malformed file key".to_owned()),
            }),
            _ => None,
        });
        // Of several identities some may fail and one fit.
        if key.is_some() { Ok(key) } else { talked.map(|()| None) }
    }

    /// Runs the program, tells it what is `said`, and answers what it says then, until it is done.
    ///
    /// `take` takes the commands that are for one of the protocols only: `None` if it does not know one. What the plugin calls
    /// an error is one.
    fn talk(
        &self,
        protocol: &str,
        ask: &Arc<dyn Ask>,
        said: impl IntoIterator<Item = Stanza>,
        take: impl FnMut(Stanza) -> Option<Result<(), String>>,
    ) -> Result<(), String> {
        let mut command = Command::new(&self.program);
        command.arg(format!("--age-plugin={protocol}")).current_dir(std::env::temp_dir());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        strip_secrets(&mut command);
        let mut child = command.spawn().map_err(|error| format!("it cannot be run: {error}"))?;
        let to = child.stdin.take().expect("it is piped");
        let from = child.stdout.take().expect("it is piped");
        let patience = Patience::new(&self.name, ask);
        let talked = converse(to, BufReader::new(from.take(LIMIT)), ask.as_ref(), said, take);
        drop(patience);
        if talked.is_err() {
            let _ = child.kill();
        }
        // It may take its time to end, and nobody waits for that.
        std::thread::spawn(move || child.wait());
        talked
    }
}

/// Both phases of the protocol: what we have to say, then what the plugin has to say, command by command.
fn converse(
    mut to: impl Write,
    mut from: impl BufRead,
    ask: &dyn Ask,
    said: impl IntoIterator<Item = Stanza>,
    mut take: impl FnMut(Stanza) -> Option<Result<(), String>>,
) -> Result<(), String> {
    let lost = |error: io::Error| match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe => "it ended before it was done".to_owned(),
        io::ErrorKind::InvalidData => "it does not speak the protocol of age plugins".to_owned(),
        _ => error.to_string(),
    };
    let mut send = |stanza: &Stanza| {
        let mut text = Zeroizing::new(String::new());
        age_file::push_stanza(&mut text, stanza);
        to.write_all(text.as_bytes()).and_then(|()| to.flush()).map_err(lost)
    };
    for stanza in said.into_iter().chain([message("done", &[], b"")]) {
        send(&stanza)?;
    }
    let mut errors = Vec::new();
    loop {
        let stanza = receive(&mut from).map_err(lost)?;
        let text = String::from_utf8_lossy(&stanza.body);
        let answer = match stanza.tag.as_str() {
            "done" => break,
            "msg" => {
                ask.message(&one_line(&text));
                Some(message("ok", &[], b""))
            }
            "confirm" => confirm(&stanza, ask).map(|yes| message("ok", &[if yes { "yes" } else { "no" }], b"")),
            "request-public" => ask.text(&one_line(&text)).map(|answer| message("ok", &[], answer.as_bytes())),
            "request-secret" => {
                let answer = ask.passphrase(&one_line(&text));
                answer.map(|answer| message("ok", &[], answer.expose_secret().as_bytes()))
            }
            "error" => {
                errors.push(one_line(&text));
                Some(message("ok", &[], b""))
            }
            _ => match take(stanza) {
                Some(Ok(())) => Some(message("ok", &[], b"")),
                Some(Err(problem)) => return Err(problem),
                None => Some(message("unsupported", &[], b"")),
            },
        };
        send(&answer.unwrap_or_else(|| message("fail", &[], b"")))?;
    }
    if errors.is_empty() { Ok(()) } else { Err(errors.join("; ")) }
}

/// Asks a question whose possible answers are the command's arguments.
fn confirm(stanza: &Stanza, ask: &dyn Ask) -> Option<bool> {
    let word = |base64: &String| {
        let bytes = BASE64_STANDARD_NO_PAD.decode(base64).ok()?;
        Some(one_line(&String::from_utf8_lossy(&bytes)))
    };
    let question = one_line(&String::from_utf8_lossy(&stanza.body));
    match stanza.args.as_slice() {
        [yes] => ask.confirm(&question, &word(yes)?, None),
        [yes, no, ..] => ask.confirm(&question, &word(yes)?, Some(&word(no)?)),
        [] => None,
    }
}

/// Reads one command: a line of words, then base64 up to a line that is not full.
fn receive(from: &mut impl BufRead) -> io::Result<Stanza> {
    let malformed = || io::Error::from(io::ErrorKind::InvalidData);
    let mut line = || {
        let mut line = Zeroizing::new(String::new());
        match from.read_line(&mut line)? {
            0 => Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
            _ => line.pop().filter(|end| *end == '\n').map(|_| line).ok_or_else(malformed),
        }
    };
    let first = line()?;
    let mut words: Vec<_> = first.strip_prefix("-> ").ok_or_else(malformed)?.split(' ').map(str::to_owned).collect();
    // What a plugin says may go into the header of a file.
    if !words.iter().all(is_arbitrary_string) {
        return Err(malformed());
    }
    let (tag, args) = (words.remove(0), words);
    let mut body = Vec::new();
    loop {
        let base64 = line()?;
        BASE64_STANDARD_NO_PAD.decode_vec(base64.as_bytes(), &mut body).map_err(|_| malformed())?;
        if base64.len() != age_file::COLUMNS {
            return Ok(Stanza { tag, args, body });
        }
    }
}

fn message(tag: &str, args: &[&str], body: &[u8]) -> Stanza {
    Stanza { tag: tag.to_owned(), args: args.iter().map(|arg| (*arg).to_owned()).collect(), body: body.to_vec() }
}

/// Says that a plugin takes long, as it may wait for a hardware key to be touched; not once it is dropped.
struct Patience {
    _ended: mpsc::Sender<()>,
}

impl Patience {
    fn new(name: &str, ask: &Arc<dyn Ask>) -> Self {
        let (ended, waiting) = mpsc::channel::<()>();
        let (line, ask) = (format!("waiting for age-plugin-{name}"), Arc::clone(ask));
        std::thread::spawn(move || {
            if waiting.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
                ask.message(&line);
            }
        });
        Self { _ended: ended }
    }
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-._".contains(&b))
}

#[cfg(unix)]
fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(path: &Path) -> bool {
    path.is_file()
}

/// A plugin may say anything at any length.
fn one_line(message: &str) -> String {
    message.trim_end().chars().take(300).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Most bytes that a plugin may say.
const LIMIT: u64 = 1 << 20;

const PATIENCE: Duration = Duration::from_secs(10);

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn only_a_plain_name_in_an_absolute_folder_is_run() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("age-plugin-x");
        std::fs::write(&program, "").unwrap();
        let check = |name, path: &str| Plugin::find_in(name, path.as_ref()).map(|plugin| plugin.program);
        let absolute = folder.path().to_str().unwrap();

        assert!(check("x", absolute).unwrap_err().ends_with("not in PATH"), "it is not executable yet");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(check("x", absolute), Ok(program.clone()));
        for name in ["", "../x", "/x", "a b", "x\0", "é"] {
            assert!(check(name, absolute).unwrap_err().ends_with("malformed"));
        }

        let up = "../".repeat(std::env::current_dir().unwrap().components().count());
        let relative = format!("{up}{}", &absolute[1..]);
        assert!(check("x", &format!("{relative}:{absolute}")).unwrap_err().contains("relative"));
        assert_eq!(check("x", &format!("{absolute}:{relative}")), Ok(program));
    }

    #[test]
    fn what_a_plugin_says_is_one_line() {
        assert_eq!(one_line("a\n\x1b[2Jb\n"), "a  [2Jb");
        assert_eq!(one_line(&"é".repeat(1000)).chars().count(), 300);
    }

    #[test]
    fn keys_name_their_plugin_and_nothing_else_does() {
        let name = |key: Result<PluginKey, _>| key.map(|key| key.name);
        let of = |prefix: &str| age_core::primitives::bech32_encode(bech32::Hrp::parse_unchecked(prefix), b"opaque");
        assert_eq!(name(PluginKey::recipient(&of("age1x-y"))), Ok("x-y".to_owned()));
        assert_eq!(name(PluginKey::identity(&of("AGE-PLUGIN-X-Y-").to_uppercase())), Ok("x-y".to_owned()));
        for prefix in ["age1", "age1../x", "agex", "age1a/b"] {
            assert!(PluginKey::recipient(&of(prefix)).is_err(), "{prefix}");
        }
        for prefix in ["AGE-PLUGIN-", "AGE-PLUGIN--", "AGE-PLUGIN-../X-", "AGE-PLUGIN-X", "AGE-SECRET-KEY-"] {
            assert!(PluginKey::identity(&of(prefix).to_uppercase()).is_err(), "{prefix}");
        }
    }

    /// Notes what it is asked, and has an answer for everything.
    #[derive(Default)]
    struct Noted(std::sync::Mutex<Vec<String>>);

    impl Noted {
        fn note<T>(&self, line: String, answer: T) -> Option<T> {
            self.0.lock().unwrap().push(line);
            Some(answer)
        }
    }

    impl Ask for Noted {
        fn passphrase(&self, what: &str) -> Option<age_core::secrecy::SecretString> {
            self.note(format!("secret {what}"), "pin".into())
        }

        fn confirm(&self, message: &str, yes: &str, no: Option<&str>) -> Option<bool> {
            self.note(format!("confirm {message}: {yes}/{}", no.unwrap_or("-")), true)
        }

        fn text(&self, message: &str) -> Option<String> {
            self.note(format!("text {message}"), "slot".to_owned())
        }

        fn message(&self, message: &str) {
            self.note(format!("message {message}"), ());
        }
    }

    /// What we answer to what a plugin says, without the first phase.
    fn answers(said: &str) -> (Result<(), String>, String, Vec<String>) {
        let (mut sent, noted) = (Vec::new(), Noted::default());
        let take = |stanza: Stanza| (stanza.tag == "known").then_some(Ok(()));
        let result = converse(&mut sent, said.as_bytes(), &noted, [], take);
        let sent = String::from_utf8(sent).unwrap();
        let sent = sent.strip_prefix("-> done\n\n").unwrap().to_owned();
        (result, sent, noted.0.into_inner().unwrap())
    }

    #[test]
    fn every_command_of_a_plugin_is_answered() {
        let base64 = |text: &str| BASE64_STANDARD_NO_PAD.encode(text);
        let said = format!(
            "-> msg\n{}\n-> confirm {} {}\n{}\n-> request-public\n{}\n-> request-secret\n{}\n-> known a\n\n-> odd\n\n\
             -> confirm\n\n-> done\n\n",
            base64("touch\nit"),
            base64("go"),
            base64("stop"),
            base64("really?"),
            base64("which"),
            base64("PIN")
        );
        let (result, sent, noted) = answers(&said);
        assert_eq!(result, Ok(()));
        let ok = |text: &str| format!("-> ok\n{}\n", base64(text));
        let all = ["-> ok\n\n-> ok yes\n\n", &ok("slot"), &ok("pin"), "-> ok\n\n-> unsupported\n\n-> fail\n\n"];
        assert_eq!(sent, all.concat());
        assert_eq!(noted, ["message touch it", "confirm really?: go/stop", "text which", "secret PIN"]);
    }

    #[test]
    fn a_plugin_that_errs_or_talks_nonsense_is_an_error() {
        let error = |said: &str| answers(said).0.unwrap_err();
        assert_eq!(error("-> error internal\naGVscA\n-> done\n\n"), "help");
        for nonsense in
            ["hello\n", "->\n\n", "-> msg\n!\n", "-> msg\n\u{fffd}\n", "-> a  b\n\n", "-> a\u{1b}b\n\n", "-> \n\n"]
        {
            assert_eq!(error(nonsense), "it does not speak the protocol of age plugins", "{nonsense}");
        }
        assert_eq!(error("-> msg\n"), "it ended before it was done");
        assert_eq!(error(""), "it ended before it was done");
    }
}
