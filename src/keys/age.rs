//! The key service for age: X25519 and post-quantum keys, ssh keys, plugins.
//!
//! Identities are read when the first wrapped key needs them, once, whatever the number of files: plain identity files
//! first; ssh keys only for a stanza of theirs; then commands, identity files under a passphrase, and plugins, as these
//! take time or disturb someone. Where they are looked for is in [`identities`](super::identities).

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::io::Read;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use age::{DecryptError, Decryptor, ssh, tag, tagpq, x25519};
use age_core::format::{FileKey, Stanza};
use age_core::primitives::bech32_decode;
use age_core::secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::age_plugin::{Plugin, PluginKey};
use super::found::{Found, Outcome, dearmour};
use super::identities::{Holds, Place, Source};
use super::{age_file, post_quantum};
use crate::crypt::{KeyService, Plaintext, Recipient, ServiceError, ServiceErrorKind, WrappedKey};

/// Someone to ask: the terminal, or nobody.
pub trait Ask: Send + Sync {
    /// Asks for the passphrase of `what`; `None` if there is nobody to ask or no answer.
    fn passphrase(&self, what: &str) -> Option<SecretString>;

    /// Asks a plugin's question that is answered by `yes` or `no`.
    fn confirm(&self, message: &str, yes: &str, no: Option<&str>) -> Option<bool>;

    /// Asks a plugin's question whose answer is no secret.
    fn text(&self, message: &str) -> Option<String>;

    /// Shows what a plugin has to say, such as to touch a hardware key.
    fn message(&self, message: &str);
}

/// Nobody: every question goes unanswered.
pub struct AskNobody;

impl Ask for AskNobody {
    fn passphrase(&self, _: &str) -> Option<SecretString> {
        None
    }

    fn confirm(&self, _: &str, _: &str, _: Option<&str>) -> Option<bool> {
        None
    }

    fn text(&self, _: &str) -> Option<String> {
        None
    }

    fn message(&self, _: &str) {}
}

/// age as a key service.
pub struct AgeService {
    places: Vec<Place>,
    ask: Arc<dyn Ask>,
    trusted_plugins: HashSet<String>,
    files: OnceLock<Found>,
    ssh_files: OnceLock<Found>,
    /// What commands printed, by recipient and by what they print.
    commands: Mutex<HashMap<(String, bool), Arc<Found>>>,
    warnings: Mutex<Vec<String>>,
}

/// Wraps a file key for one recipient.
type Wrap = Box<dyn Fn(&FileKey) -> Result<Vec<Stanza>, (ServiceErrorKind, String)>>;

impl AgeService {
    /// A service with the identities of `places`; nothing is read yet.
    pub fn new(places: Vec<Place>, ask: Arc<dyn Ask>) -> Self {
        Self {
            places,
            ask,
            trusted_plugins: HashSet::new(),
            files: OnceLock::new(),
            ssh_files: OnceLock::new(),
            commands: Mutex::default(),
            warnings: Mutex::default(),
        }
    }

    /// Says that the user wrote these recipients, on the command line or in a config: their plugins may be run to wrap.
    ///
    /// Others' plugins, of recipients that only a document names, are run only if the user has an identity for them.
    pub fn trusting<'a>(mut self, recipients: impl IntoIterator<Item = &'a Recipient>) -> Self {
        let plugins = recipients.into_iter().filter_map(|recipient| match recipient {
            Recipient::Age(text) => Some(PluginKey::recipient(text).ok()?.name),
            _ => None,
        });
        self.trusted_plugins.extend(plugins);
        self
    }

    /// What the user should know of the places read so far: key files that others can read.
    pub fn warnings(&self) -> Vec<String> {
        self.warnings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn wrap_age(&self, text: &str, key: &[u8]) -> Result<String, ServiceError> {
        if key.len() > age_file::PAYLOAD_LIMIT {
            return Err(ServiceError::new(ServiceErrorKind::Unusable, "too long for a data key"));
        }
        let wrap = self.parse_recipient(text)?;
        let fill = |bytes: &mut [u8]| {
            getrandom::fill(bytes).map_err(|error| (ServiceErrorKind::Unreachable, format!("no random bytes: {error}")))
        };
        age_file::write(key, wrap, fill).map_err(|(kind, message)| ServiceError::new(kind, message))
    }

    /// How file keys are wrapped for a recipient.
    fn parse_recipient(&self, text: &str) -> Result<Wrap, ServiceError> {
        fn native(recipient: impl age::Recipient + 'static) -> Wrap {
            Box::new(move |file_key| match recipient.wrap_file_key(file_key) {
                Ok((stanzas, _)) => Ok(stanzas),
                Err(_) => Err((ServiceErrorKind::Unusable, "the recipient cannot be encrypted to".to_owned())),
            })
        }
        let unusable = |problem: &str| ServiceError::new(ServiceErrorKind::Unusable, problem);
        let malformed = |problem: &str| unusable(&format!("not a valid age recipient: {problem}"));
        if text.starts_with("ssh-") {
            return text.parse::<ssh::Recipient>().map(native).map_err(|error| match error {
                ssh::ParseRecipientKeyError::RsaModulusTooSmall => unusable("its RSA key is shorter than 2048 bits"),
                ssh::ParseRecipientKeyError::RsaModulusTooLarge => unusable("its RSA key is longer than 4096 bits"),
                _ => unusable("not a valid ssh public key of type ed25519 or rsa"),
            });
        }
        // In Bech32 the last 1 ends the prefix.
        match text.rsplit_once('1').map(|(prefix, _)| prefix) {
            Some("age") => {
                let recipient = text.parse::<x25519::Recipient>().map_err(malformed)?;
                if is_of_small_order(text) {
                    return Err(malformed("anyone could decrypt for it"));
                }
                Ok(native(recipient))
            }
            Some("age1pq") => text.parse::<post_quantum::Recipient>().map(native).map_err(malformed),
            Some("age1tag") => text.parse::<tag::Recipient>().map(native).map_err(malformed),
            Some("age1tagpq") => text.parse::<tagpq::Recipient>().map(native).map_err(malformed),
            _ => {
                let recipient = PluginKey::recipient(text).map_err(malformed)?;
                let name = recipient.name.as_str();
                let own = || self.files().plugins.iter().any(|identity| identity.name == name);
                if !self.trusted_plugins.contains(name) && !own() {
                    return Err(unusable(&format!(
                        "age-plugin-{name} is not run for a recipient that only a file names"
                    )));
                }
                let plugin = Plugin::find(name).map_err(|problem| unusable(&problem))?;
                let ask = Arc::clone(&self.ask);
                Ok(Box::new(move |file_key| {
                    plugin.wrap(&recipient, file_key, &ask).map_err(|problem| (ServiceErrorKind::Refused, problem))
                }))
            }
        }
    }

    fn unwrap_age(&self, recipient: &str, enc: &str) -> Result<Plaintext, ServiceError> {
        let damaged = |_| ServiceError::new(ServiceErrorKind::Refused, "its wrapped key is damaged");
        let file = dearmour(enc.trim().as_bytes()).map_err(|error| damaged(error.into()))?;
        let decryptor = Decryptor::new_buffered(&file[..]).map_err(damaged)?;
        let opener = Opener { service: self, recipient, outcome: RefCell::default() };
        match decryptor.decrypt(std::iter::once(&opener as _)) {
            Ok(mut reader) => {
                // As much room as it can need: a buffer that grows leaves copies behind.
                let mut key = Zeroizing::new(Vec::with_capacity(file.len()));
                reader.read_to_end(&mut key).map_err(|error| damaged(error.into()))?;
                Ok(Plaintext::from(key))
            }
            Err(DecryptError::NoMatchingKeys) => Err(opener.outcome.into_inner().into_error()),
            Err(error) => Err(damaged(error)),
        }
    }

    /// Opens one of `stanzas`, which are of one file.
    fn open(&self, stanzas: &[Stanza], recipient: &str, outcome: &mut Outcome) -> Option<FileKey> {
        let for_ssh = stanzas.iter().any(|stanza| stanza.tag.starts_with("ssh-"));
        let files = self.files();
        let mut file_key = self.try_keys(files, stanzas, outcome);
        if file_key.is_none() && for_ssh {
            file_key = self.try_keys(self.ssh_files(), stanzas, outcome);
        }
        if file_key.is_some() {
            return file_key;
        }

        let printed = self.printed(recipient, Holds::Identities);
        file_key = self.try_keys(&printed, stanzas, outcome);
        if file_key.is_none() && for_ssh {
            file_key = self.try_keys(&self.printed(recipient, Holds::SshKey), stanzas, outcome);
        }
        if file_key.is_some() {
            return file_key;
        }

        let locked = |outcome: &mut Outcome| {
            [files, &printed].into_iter().flat_map(|found| &found.locked).find_map(|file| {
                let found = file.unlock(self.ask.as_ref(), outcome)?;
                let file_key = self.try_keys(found, stanzas, outcome);
                file_key.or_else(|| self.ask_plugins(found.plugins.iter(), stanzas, outcome))
            })
        };
        let plugins = |outcome: &mut Outcome| {
            self.ask_plugins([files, &printed].into_iter().flat_map(|found| &found.plugins), stanzas, outcome)
        };
        // A stanza of age's own kinds is hardly for a plugin, any other hardly for a plain identity: the likely comes first.
        let native = |stanza: &Stanza| for_ssh || ["X25519", post_quantum::TAG].contains(&stanza.tag.as_str());
        if stanzas.iter().any(native) {
            locked(outcome).or_else(|| plugins(outcome))
        } else {
            plugins(outcome).or_else(|| locked(outcome))
        }
    }

    /// Tries what needs nobody but, for an ssh key that is known to fit, its passphrase.
    fn try_keys(&self, found: &Found, stanzas: &[Stanza], outcome: &mut Outcome) -> Option<FileKey> {
        outcome.saw(found);
        found.keys.iter().find_map(|key| match key.unwrap(stanzas, self.ask.as_ref())? {
            Ok(file_key) => Some(file_key),
            Err(problem) => {
                outcome.refusals.push(problem);
                None
            }
        })
    }

    fn ask_plugins<'p>(
        &self,
        identities: impl Iterator<Item = &'p PluginKey> + Clone,
        stanzas: &[Stanza],
        outcome: &mut Outcome,
    ) -> Option<FileKey> {
        let mut asked = HashSet::new();
        for name in identities.clone().map(|identity| &identity.name).filter(|name| asked.insert(*name)) {
            let answer = Plugin::find(name).and_then(|plugin| plugin.unwrap(identities.clone(), stanzas, &self.ask));
            match answer {
                Ok(Some(key)) => return Some(key),
                Ok(None) => {}
                Err(problem) => outcome.refusals.push(format!("age-plugin-{name}: {problem}")),
            }
        }
        None
    }

    fn files(&self) -> &Found {
        self.files.get_or_init(|| self.find(Holds::Identities, None))
    }

    fn ssh_files(&self) -> &Found {
        self.ssh_files.get_or_init(|| self.find(Holds::SshKey, None))
    }

    /// What commands print for this recipient; each is run once a recipient.
    fn printed(&self, recipient: &str, holds: Holds) -> Arc<Found> {
        if !self.places.iter().any(|place| place.holds == holds && matches!(place.source, Source::Command(_))) {
            return Arc::default();
        }
        // Held while the command runs, so that no second one is started for the same.
        let mut commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
        let found = commands.entry((recipient.to_owned(), holds == Holds::SshKey));
        Arc::clone(found.or_insert_with(|| Arc::new(self.find(holds, Some(recipient)))))
    }

    /// Reads the places of a kind: those that are commands if there is a recipient to tell them, else all others.
    fn find(&self, holds: Holds, recipient: Option<&str>) -> Found {
        let mut found = Found::default();
        for place in &self.places {
            if place.holds != holds || matches!(place.source, Source::Command(_)) != recipient.is_some() {
                continue;
            }
            match place.read(recipient.unwrap_or_default()) {
                Ok(Some(content)) => {
                    self.warnings.lock().unwrap_or_else(PoisonError::into_inner).extend(content.warning);
                    found.add(place, content.bytes);
                }
                Ok(None) => found.empty.push(place.name.clone()),
                Err(error) => found.problems.push(error),
            }
        }
        found
    }
}

impl KeyService for AgeService {
    fn wrap(&self, recipient: &Recipient, key: &Plaintext) -> Option<Result<String, ServiceError>> {
        let Recipient::Age(text) = recipient else { return None };
        Some(self.wrap_age(text, key.expose()))
    }

    fn unwrap(&self, wrapped: &WrappedKey) -> Option<Result<Plaintext, ServiceError>> {
        let Recipient::Age(text) = &wrapped.recipient else { return None };
        Some(self.unwrap_age(text, &wrapped.enc))
    }
}

/// The service in the place where the age crate wants an identity, for one wrapped key.
struct Opener<'a> {
    service: &'a AgeService,
    recipient: &'a str,
    outcome: RefCell<Outcome>,
}

impl age::Identity for Opener<'_> {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, DecryptError>> {
        self.unwrap_stanzas(std::slice::from_ref(stanza))
    }

    fn unwrap_stanzas(&self, stanzas: &[Stanza]) -> Option<Result<FileKey, DecryptError>> {
        self.service.open(stanzas, self.recipient, &mut self.outcome.borrow_mut()).map(Ok)
    }
}

/// Whether an X25519 recipient shares the same secret with everyone; the age crate panics on such a one.
fn is_of_small_order(recipient: &str) -> bool {
    let bytes = bech32_decode(recipient, |_| (), |_| Ok(()), |_, bytes| Ok(bytes.collect::<Vec<_>>()));
    let point = bytes.ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    point.is_none_or(|mut point| {
        // As X25519 reads it.
        point[31] &= 0x7f;
        SMALL_ORDER.contains(&point)
    })
}

/// All points whose order divides 8, on the curve and its twist: 0, 1, the two of order 8, and p - 1; then p and p + 1, which are
/// read as 0 and 1.
const SMALL_ORDER: [[u8; 32]; 7] = [
    [0; 32],
    ends(1, 0, 0),
    [
        0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09,
        0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00,
    ],
    [
        0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b, 0x04, 0x44,
        0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57,
    ],
    ends(0xec, 0xff, 0x7f),
    ends(0xed, 0xff, 0x7f),
    ends(0xee, 0xff, 0x7f),
];

const fn ends(first: u8, between: u8, last: u8) -> [u8; 32] {
    let mut bytes = [between; 32];
    bytes[0] = first;
    bytes[31] = last;
    bytes
}

/// Makes a new identity: the text of an identity file in age-keygen's form, and its recipient.
///
/// `created` is the time now, RFC 3339.
pub fn generate_identity(post_quantum: bool, created: &str) -> Result<(Plaintext, String), getrandom::Error> {
    let (secret, recipient) = if post_quantum {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(&mut seed[..])?;
        let identity = post_quantum::Identity::from_seed(*seed);
        (identity.to_secret_string(), identity.to_public().to_string())
    } else {
        let identity = x25519::Identity::generate();
        (identity.to_string(), identity.to_public().to_string())
    };
    let public = format!("# created: {created}\n# public key: {recipient}\n");
    let text = [public.as_bytes(), secret.expose_secret().as_bytes(), b"\n"].concat();
    Ok((Plaintext::from(text), recipient))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Write;
    use std::path::Path;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use age::scrypt;

    use super::*;
    use crate::crypt::Kind;
    use crate::keys::identities::{Environment, places};

    /// The passphrase of this name, counting how often it is asked for.
    struct AskOnce(&'static str, AtomicUsize);

    impl Ask for AskOnce {
        fn passphrase(&self, _: &str) -> Option<SecretString> {
            self.1.fetch_add(1, Ordering::Relaxed);
            Some(self.0.into())
        }

        fn confirm(&self, _: &str, _: &str, _: Option<&str>) -> Option<bool> {
            None
        }

        fn text(&self, _: &str) -> Option<String> {
            None
        }

        fn message(&self, _: &str) {}
    }

    fn service(environment: &Environment) -> AgeService {
        AgeService::new(places(environment), Arc::new(AskNobody))
    }

    fn with_key(text: &Plaintext) -> AgeService {
        let text = std::str::from_utf8(text.expose()).unwrap();
        let key = text.lines().last().unwrap();
        service(&Environment { sops_key: Some(key.into()), ..Environment::default() })
    }

    fn wrapped(recipient: &str) -> WrappedKey {
        let recipient = Recipient::parse(Kind::Age, recipient).unwrap();
        let key = Plaintext::from(vec![7; 32]);
        let enc = service(&Environment::default()).wrap(&recipient, &key).unwrap().unwrap();
        WrappedKey { recipient, enc, created_at: None }
    }

    fn write(folder: &Path, name: &str, bytes: &[u8]) -> std::ffi::OsString {
        let path = folder.join(name);
        std::fs::write(&path, bytes).unwrap();
        path.into()
    }

    /// A public test key.
    const SSH_KEY: &str = "-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW
QyNTUxOQAAACAaT11fhem1XjiT6MpJanIuFDCN1TfImy9E+ENBTf+qTgAAAJi+/UCqvv1A
qgAAAAtzc2gtZWQyNTUxOQAAACAaT11fhem1XjiT6MpJanIuFDCN1TfImy9E+ENBTf+qTg
AAAEDGfMcBYxUU2tw+CF2wu/Mk3aMWVE0+fp3awxyCzIQO8hpPXV+F6bVeOJPoyklqci4U
MI3VN8ibL0T4Q0FN/6pOAAAAFHNlYWwtcHVibGljLXRlc3Qta2V5AQ==
-----END OPENSSH PRIVATE KEY-----
";

    const SSH_RECIPIENT: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBpPXV+F6bVeOJPoyklqci4UMI3VN8ibL0T4Q0FN/6pO a comment";

    const PLUGIN_RECIPIENT: &str = "age1rot1pzry9x8g3rhw9j";

    #[test]
    fn generated_identity_opens_what_its_recipient_was_sent() {
        for post_quantum in [false, true] {
            let (text, recipient) = generate_identity(post_quantum, "2026-01-02T03:04:05Z").unwrap();
            let lines: Vec<_> = std::str::from_utf8(text.expose()).unwrap().lines().collect();
            assert_eq!(lines[..2], ["# created: 2026-01-02T03:04:05Z", &format!("# public key: {recipient}")]);
            let wrapped = wrapped(&recipient);
            assert_eq!(with_key(&text).unwrap(&wrapped).unwrap().unwrap().expose(), [7; 32]);

            let (other, _) = generate_identity(post_quantum, "").unwrap();
            let error = with_key(&other).unwrap(&wrapped).unwrap().unwrap_err();
            assert_eq!(error.kind, ServiceErrorKind::NoIdentity);
            assert_eq!(error.message, "no matching identity among the 1 in SOPS_AGE_KEY");
        }
    }

    #[test]
    fn wrapped_key_has_one_stanza_and_ends_with_a_newline() {
        let (_, recipient) = generate_identity(false, "").unwrap();
        let enc = wrapped(&recipient).enc;
        assert!(enc.ends_with("-----END AGE ENCRYPTED FILE-----\n"));
        let file = dearmour(enc.as_bytes()).unwrap();
        let header = String::from_utf8_lossy(&file);
        assert_eq!(header.matches("\n-> ").count(), 1);
    }

    #[test]
    fn place_with_a_bad_line_is_named_and_the_others_still_count() {
        let folder = tempfile::tempdir().unwrap();
        let (text, recipient) = generate_identity(false, "").unwrap();
        let key = SecretString::from(std::str::from_utf8(text.expose()).unwrap().lines().last().unwrap());
        let bad = write(folder.path(), "bad", b"# keys\nAGE-SECRET-KEY-1BAD\n");
        let environment =
            Environment { sops_key_file: Some(bad.clone()), seal_key: Some(key.clone()), ..Environment::default() };
        assert!(service(&environment).unwrap(&wrapped(&recipient)).unwrap().is_ok());

        let (_, other) = generate_identity(false, "").unwrap();
        let error = service(&environment).unwrap(&wrapped(&other)).unwrap().unwrap_err();
        let bad = Path::new(&bad).display();
        assert_eq!(
            error.message,
            format!(
                "no matching identity among the 1 in SEAL_AGE_KEY; {bad} (SOPS_AGE_KEY_FILE): line 2: malformed identity"
            )
        );
    }

    #[test]
    fn ssh_keys_are_read_only_for_a_stanza_of_theirs() {
        let folder = tempfile::tempdir().unwrap();
        let (_, recipient) = generate_identity(false, "").unwrap();
        let not_ssh = write(folder.path(), "not-ssh", b"nothing");
        let broken = service(&Environment { ssh_key_file: Some(not_ssh), ..Environment::default() });
        let error = broken.unwrap(&wrapped(&recipient)).unwrap().unwrap_err();
        assert_eq!(error.message, "no identity at hand");
        let error = broken.unwrap(&wrapped(SSH_RECIPIENT)).unwrap().unwrap_err();
        assert!(error.message.contains("not an ssh private key"));

        let key = write(folder.path(), "id_ed25519", SSH_KEY.as_bytes());
        let service = service(&Environment { ssh_key_file: Some(key), ..Environment::default() });
        assert_eq!(service.unwrap(&wrapped(SSH_RECIPIENT)).unwrap().unwrap().expose(), [7; 32]);
    }

    #[test]
    fn passphrase_is_asked_once_for_all_threads_and_not_for_what_opens_without() {
        let folder = tempfile::tempdir().unwrap();
        let (text, recipient) = generate_identity(false, "").unwrap();
        let (plain, plain_recipient) = generate_identity(false, "").unwrap();
        let lock = |passphrase: &str| {
            let mut recipient = scrypt::Recipient::new(passphrase.into());
            recipient.set_work_factor(4);
            let encryptor = age::Encryptor::with_recipients(std::iter::once(&recipient as _)).unwrap();
            let mut bytes = Vec::new();
            let mut writer = encryptor.wrap_output(&mut bytes).unwrap();
            writer.write_all(text.expose()).unwrap();
            writer.finish().unwrap();
            bytes
        };
        let environment = Environment {
            sops_key_file: Some(write(folder.path(), "locked", &lock("right"))),
            seal_key_file: Some(write(folder.path(), "plain", plain.expose())),
            ..Environment::default()
        };
        for (passphrase, opens) in [("right", true), ("wrong", false)] {
            let ask = Arc::new(AskOnce(passphrase, AtomicUsize::new(0)));
            let service = AgeService::new(places(&environment), Arc::clone(&ask) as Arc<dyn Ask>);
            service.unwrap(&wrapped(&plain_recipient)).unwrap().unwrap();
            assert_eq!(ask.1.load(Ordering::Relaxed), 0);
            let wrapped = wrapped(&recipient);
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| match service.unwrap(&wrapped).unwrap() {
                        Ok(key) => assert!(opens && key.expose() == [7; 32]),
                        Err(error) => assert!(!opens && error.message.starts_with("wrong passphrase for ")),
                    });
                }
            });
            assert_eq!(ask.1.load(Ordering::Relaxed), 1);
        }
    }

    #[cfg(unix)]
    #[test]
    fn command_runs_once_a_recipient_and_only_when_files_do_not_help() {
        let folder = tempfile::tempdir().unwrap();
        let (text, recipient) = generate_identity(false, "").unwrap();
        let (plain, plain_recipient) = generate_identity(false, "").unwrap();
        let keys = write(folder.path(), "keys", text.expose()).into_string().unwrap();
        let log = folder.path().join("log");
        let command = format!("sh -c 'echo $SOPS_AGE_RECIPIENT >> {}; cat {keys}'", log.display());
        let service = service(&Environment {
            sops_key_command: Some(command.into()),
            seal_key_file: Some(write(folder.path(), "plain", plain.expose())),
            ..Environment::default()
        });
        service.unwrap(&wrapped(&plain_recipient)).unwrap().unwrap();
        assert!(!log.exists());
        for _ in 0..3 {
            service.unwrap(&wrapped(&recipient)).unwrap().unwrap();
        }
        assert_eq!(std::fs::read_to_string(&log).unwrap(), format!("{recipient}\n"));
    }

    #[test]
    fn plugin_of_a_recipient_that_only_a_file_names_is_not_run() {
        let recipient = Recipient::Age(PLUGIN_RECIPIENT.to_owned());
        let key = Plaintext::from(vec![7; 32]);
        let error = service(&Environment::default()).wrap(&recipient, &key).unwrap().unwrap_err();
        assert_eq!(error.message, "age-plugin-rot is not run for a recipient that only a file names");
        let trusting = service(&Environment::default()).trusting([&recipient]);
        assert_eq!(trusting.wrap(&recipient, &key).unwrap().unwrap_err().message, "age-plugin-rot is not in PATH");
    }

    #[test]
    fn malformed_recipients_are_unusable() {
        for text in ["age1", "age1x", "age1pq1x", "ssh-rsa AAAA", "ssh-ed25519 x", "age1../x1qyyyyyy", "AGE1X"] {
            let key = Plaintext::from(vec![7; 32]);
            let error =
                service(&Environment::default()).wrap(&Recipient::Age(text.to_owned()), &key).unwrap().unwrap_err();
            assert_eq!(error.kind, ServiceErrorKind::Unusable, "{text}: {error}");
        }
    }

    #[test]
    fn recipient_that_shares_its_secret_with_everyone_is_refused() {
        let is_shared = |point: [u8; 32]| {
            // Every scalar of X25519 is a multiple of 8, so that any one will do.
            !x25519_dalek::StaticSecret::from([1; 32]).diffie_hellman(&point.into()).was_contributory()
        };
        // No others are near the ends of the range, where those that are read in two ways are.
        for near in 0..=255 {
            for point in [ends(near, 0, 0), ends(near, 0xff, 0x7f)] {
                assert_eq!(is_shared(point), SMALL_ORDER.contains(&point), "{point:?}");
            }
        }
        for mut point in SMALL_ORDER {
            assert!(is_shared(point));
            point[31] |= 0x80;
            let text = age_core::primitives::bech32_encode(bech32::Hrp::parse("age").unwrap(), &point);
            let key = Plaintext::from(vec![7; 32]);
            let error = service(&Environment::default()).wrap(&Recipient::Age(text), &key).unwrap().unwrap_err();
            assert_eq!(error.message, "not a valid age recipient: anyone could decrypt for it");
        }
    }

    #[test]
    fn damaged_wrapped_key_is_an_error_and_takes_no_time() {
        let (text, recipient) = generate_identity(false, "").unwrap();
        let service = with_key(&text);
        let good = wrapped(&recipient);
        let mut damaged: Vec<_> = [0, 1, 60, 200, good.enc.len() - 40].map(|end| good.enc[..end].to_owned()).into();
        damaged.push(good.enc.replacen("\nYWdl", "\nYWdm", 1));
        damaged.push(format!("age-encryption.org/v1\n{}--- x\n", "-> X25519 a\n\n".repeat(300_000)));
        let stanzas = |count| {
            format!("age-encryption.org/v1\n{}--- {}\n{}", "-> a\n\n".repeat(count), "A".repeat(43), "A".repeat(32))
        };
        damaged.push(stanzas(300_000));
        for enc in damaged {
            let error = service.unwrap(&WrappedKey { enc, ..good.clone() }).unwrap().unwrap_err();
            assert_eq!(error.message, "its wrapped key is damaged");
        }
    }
}
