//! What places hold: keys at hand, files and keys under a passphrase, plugins' identities; and what came of trying them.
//!
//! In which order they are tried, and for which stanzas, is in [`age`](super::age).

use std::io::Read;
use std::sync::OnceLock;

use age::armor::ArmoredReader;
use age::{DecryptError, Decryptor, scrypt, ssh, x25519};
use age_core::format::{FileKey, Stanza};
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, Engine};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::age::Ask;
use super::age_plugin::PluginKey;
use super::identities::{self, Holds, Identity, Place, PlaceError};
use super::post_quantum;
use crate::crypt::{ServiceError, ServiceErrorKind};

/// What was found in some places.
#[derive(Default)]
pub(super) struct Found {
    pub(super) keys: Vec<Key>,
    pub(super) locked: Vec<LockedFile>,
    pub(super) plugins: Vec<PluginKey>,
    /// How many identities are in which place; a locked file counts as one.
    counts: Vec<(String, usize)>,
    /// Places that hold nothing.
    pub(super) empty: Vec<String>,
    pub(super) problems: Vec<PlaceError>,
}

pub(super) enum Key {
    X25519(x25519::Identity),
    PostQuantum(Box<post_quantum::Identity>),
    Ssh(ssh::Identity),
    LockedSsh(LockedSsh),
}

/// An ssh key under a passphrase.
pub(super) struct LockedSsh {
    place: String,
    key: ssh::EncryptedKey,
    /// How its stanzas name it.
    tag: String,
    opened: OnceLock<Result<ssh::Identity, String>>,
}

/// An identity file under a passphrase.
pub(super) struct LockedFile {
    place: Place,
    bytes: Zeroizing<Vec<u8>>,
    opened: OnceLock<Result<Found, String>>,
}

impl Found {
    pub(super) fn add(&mut self, place: &Place, bytes: Zeroizing<Vec<u8>>) {
        let added = match place.holds {
            Holds::SshKey => SshKey::parse(place, &bytes).map(|key| {
                self.keys.push(key);
                1
            }),
            Holds::Identities if bytes.starts_with(b"age-encryption") || bytes.starts_with(b"-----BEGIN AGE") => {
                self.locked.push(LockedFile { place: place.clone(), bytes, opened: OnceLock::new() });
                Ok(1)
            }
            Holds::Identities => identities::parse(&bytes, place).map(|identities| {
                let count = identities.len();
                for identity in identities {
                    match identity {
                        Identity::X25519(key) => self.keys.push(Key::X25519(key)),
                        Identity::PostQuantum(key) => self.keys.push(Key::PostQuantum(key)),
                        Identity::Plugin(identity) => self.plugins.push(identity),
                    }
                }
                count
            }),
        };
        match added {
            Ok(0) => self.empty.push(place.name.clone()),
            Ok(count) => self.counts.push((place.name.clone(), count)),
            Err(error) => self.problems.push(error),
        }
    }
}

impl Key {
    /// `None`: no stanza is this key's.
    pub(super) fn unwrap(&self, stanzas: &[Stanza], ask: &dyn Ask) -> Option<Result<FileKey, String>> {
        let damaged = |_| "its wrapped key is damaged".to_owned();
        match self {
            Self::X25519(key) => age::Identity::unwrap_stanzas(key, stanzas).map(|key| key.map_err(damaged)),
            Self::PostQuantum(key) => age::Identity::unwrap_stanzas(&**key, stanzas).map(|key| key.map_err(damaged)),
            Self::Ssh(key) => age::Identity::unwrap_stanzas(key, stanzas).map(|key| key.map_err(damaged)),
            Self::LockedSsh(locked) => {
                let mine = |stanza: &Stanza| stanza.tag.starts_with("ssh-") && stanza.args.first() == Some(&locked.tag);
                if !stanzas.iter().any(mine) {
                    return None;
                }
                match locked.opened.get_or_init(|| locked.unlock(ask)) {
                    Ok(key) => age::Identity::unwrap_stanzas(key, stanzas).map(|key| key.map_err(damaged)),
                    Err(problem) => Some(Err(problem.clone())),
                }
            }
        }
    }
}

/// Reading ssh private keys.
struct SshKey;

impl SshKey {
    /// Longest ssh key file, in bytes. A key of 4096 bits has about 3,400.
    const LIMIT: usize = 64 << 10;

    fn parse(place: &Place, bytes: &[u8]) -> Result<Key, PlaceError> {
        let malformed = || place.error("not an ssh private key of type ed25519 or rsa in OpenSSH's or PEM form");
        if bytes.len() > Self::LIMIT {
            return Err(malformed());
        }
        match ssh::Identity::from_buffer(bytes, None).map_err(|_| malformed())? {
            ssh::Identity::Unsupported(ssh::UnsupportedKey::EncryptedPem) => Err(place.error(
                "this form of encrypted ssh key is not supported; `ssh-keygen -p -f FILE` brings it up to date",
            )),
            ssh::Identity::Unsupported(_) => Err(malformed()),
            ssh::Identity::Encrypted(key) => {
                let public =
                    ssh::Recipient::try_from(ssh::Identity::Encrypted(key.clone())).map_err(|_| malformed())?;
                let public = public.to_string();
                let public = public.split(' ').nth(1).and_then(|base64| BASE64_STANDARD.decode(base64).ok());
                let tag = BASE64_STANDARD_NO_PAD.encode(&Sha256::digest(public.ok_or_else(malformed)?)[..4]);
                Ok(Key::LockedSsh(LockedSsh { place: place.name.clone(), key, tag, opened: OnceLock::new() }))
            }
            key => Ok(Key::Ssh(key)),
        }
    }
}

impl LockedSsh {
    fn unlock(&self, ask: &dyn Ask) -> Result<ssh::Identity, String> {
        let passphrase =
            ask.passphrase(&self.place).ok_or_else(|| format!("no passphrase given for {}", self.place))?;
        let key = self.key.decrypt(passphrase).map_err(|_| format!("wrong passphrase for {}", self.place))?;
        Ok(ssh::Identity::Unencrypted(key))
    }
}

impl LockedFile {
    /// Asks for the passphrase, the first time; what went wrong then goes into every outcome.
    pub(super) fn unlock(&self, ask: &dyn Ask, outcome: &mut Outcome) -> Option<&Found> {
        let opened = self.opened.get_or_init(|| self.decrypt(ask));
        opened.as_ref().map_err(|problem| outcome.refusals.push(problem.clone())).ok()
    }

    fn decrypt(&self, ask: &dyn Ask) -> Result<Found, String> {
        /// Work factor, as a power of two, beyond which a file is not opened: some gigabytes and many seconds. As age's.
        const WORK_LIMIT: u8 = 22;

        let name = &self.place.name;
        let damaged = |_| format!("{name}: the encrypted identity file is damaged");
        let file = dearmour(&self.bytes).map_err(|error| damaged(error.into()))?;
        let decryptor = Decryptor::new_buffered(&file[..]).map_err(damaged)?;
        if !decryptor.is_scrypt() {
            return Err(format!("{name}: encrypted to a recipient; only a passphrase can be asked for"));
        }
        let passphrase = ask.passphrase(name).ok_or_else(|| format!("no passphrase given for {name}"))?;
        let mut identity = scrypt::Identity::new(passphrase);
        identity.set_max_work_factor(WORK_LIMIT);
        let mut reader = decryptor.decrypt(std::iter::once(&identity as _)).map_err(|error| match error {
            DecryptError::ExcessiveWork { .. } => format!("{name}: its passphrase takes too much work"),
            _ => format!("wrong passphrase for {name}"),
        })?;
        let mut bytes = Zeroizing::new(Vec::with_capacity(self.bytes.len()));
        reader.read_to_end(&mut bytes).map_err(|error| damaged(error.into()))?;
        let mut found = Found::default();
        found.add(&self.place, bytes);
        match found.problems.pop() {
            Some(error) => Err(error.to_string()),
            None => Ok(found),
        }
    }
}

/// What was tried for one wrapped key.
#[derive(Default)]
pub(super) struct Outcome {
    counts: Vec<(String, usize)>,
    empty: Vec<String>,
    problems: Vec<PlaceError>,
    /// Identities that fit, or might have, and could not be used.
    pub(super) refusals: Vec<String>,
}

impl Outcome {
    pub(super) fn saw(&mut self, found: &Found) {
        for (place, count) in &found.counts {
            match self.counts.iter_mut().find(|(seen, _)| seen == place) {
                // A locked file counts for one until it is opened.
                Some((_, seen)) => *seen = *count,
                None => self.counts.push((place.clone(), *count)),
            }
        }
        self.empty.extend_from_slice(&found.empty);
        self.problems.extend_from_slice(&found.problems);
    }

    pub(super) fn into_error(self) -> ServiceError {
        let count: usize = self.counts.iter().map(|(_, count)| count).sum();
        let mut message = if !self.refusals.is_empty() {
            self.refusals.join("; ")
        } else if count > 0 {
            let places: Vec<_> = self.counts.into_iter().map(|(place, _)| place).collect();
            format!("no matching identity among the {count} in {}", places.join(", "))
        } else if self.empty.is_empty() {
            "no identity at hand".to_owned()
        } else {
            format!("no identity found in {}", self.empty.join(", "))
        };
        for problem in &self.problems {
            message.push_str("; ");
            message.push_str(&problem.0);
        }
        let kind = if self.refusals.is_empty() { ServiceErrorKind::NoIdentity } else { ServiceErrorKind::Refused };
        ServiceError::new(kind, message)
    }
}

/// Most lines of an age file's header: 256 recipients. A wrapped key has one, by hand a few.
const HEADER_LINES: usize = 512;

/// The bytes of an age file, armoured or not.
///
/// The age crate parses a header anew with every line, in quadratic time, so that a long one is refused before.
pub(super) fn dearmour(text: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut file = Vec::with_capacity(text.len());
    ArmoredReader::new(text).read_to_end(&mut file)?;
    let header = &file[..memchr::memmem::find(&file, b"\n---").unwrap_or(file.len())];
    if memchr::memchr_iter(b'\n', header).take(HEADER_LINES).count() == HEADER_LINES {
        return Err(std::io::Error::other("its header is too long"));
    }
    Ok(file)
}
