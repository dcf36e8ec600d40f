//! seal's own side in-process: sealing to the test key and opening with it, and the values of a document in plain form.

use std::sync::{Arc, OnceLock};

use seal::crypt::{
    self, DataKey, Encrypted, Envelope, KeyService, MacCheck, Opened, Plaintext, Recipient, Sealed, Sealing,
    SelectionRule, WrappedKey, walk,
};
use seal::document::{AttachmentStyle, Document, Format, Scalar, float_plain};
use seal::keys::identities::{Holds, Place, Source};
use seal::keys::{AgeService, AskNobody, Keyring};

use super::generate::Case;
use super::repository;

/// The public half of `tests/sops/keys/keys.txt`, a public test key.
pub fn recipient() -> String {
    let keys = std::fs::read_to_string(identity()).unwrap();
    keys.lines().find_map(|line| line.strip_prefix("# public key: ")).expect("the key file names it").to_owned()
}

/// The file of the test key.
pub fn identity() -> std::path::PathBuf {
    repository("tests/sops/keys/keys.txt")
}

/// The identity of the test key, ready to unwrap.
pub fn keyring() -> &'static Keyring {
    static KEYRING: OnceLock<Keyring> = OnceLock::new();
    KEYRING.get_or_init(|| Keyring::new(vec![Box::new(service().clone())]))
}

fn service() -> &'static Arc<AgeService> {
    static SERVICE: OnceLock<Arc<AgeService>> = OnceLock::new();
    SERVICE.get_or_init(|| {
        let place = Place { name: "the test key".into(), holds: Holds::Identities, source: Source::File(identity()) };
        Arc::new(AgeService::new(vec![place], Arc::new(AskNobody)))
    })
}

/// One data key for all, wrapped to the test key: wrapping is not what these tests are about, and takes time.
pub fn data_key() -> (&'static DataKey, WrappedKey) {
    static KEY: OnceLock<(DataKey, WrappedKey)> = OnceLock::new();
    let (key, wrapped) = KEY.get_or_init(|| {
        let key = DataKey::generate(getrandom).unwrap();
        let recipient = Recipient::Age(recipient());
        let enc = service().wrap(&recipient, &Plaintext::from(&key.expose()[..])).expect("age is its kind").unwrap();
        (key, WrappedKey { recipient, enc, created_at: None })
    });
    (key, wrapped.clone())
}

/// Random bytes from the system.
pub fn getrandom(bytes: &mut [u8]) -> Result<(), String> {
    seal::host::random::fill(bytes).map_err(|error| error.to_string())
}

/// The time all these files are made at.
pub const NOW: &str = "2026-11-24T08:38:43Z";

/// Encrypts a document as `selection` says.
pub fn seal(plain: Document, selection: Option<SelectionRule>, mac_only_encrypted: bool) -> Result<Sealed, String> {
    let (key, wrapped) = data_key();
    let selection = (plain.format() != Format::Binary).then(|| selection.unwrap_or_default());
    let envelope = Envelope::new(vec![vec![wrapped]], None, selection, mac_only_encrypted);
    let sealing = Sealing { envelope, key, previous: None, style: AttachmentStyle::default(), now: NOW.into() };
    crypt::encrypt(plain, sealing, &mut getrandom).map_err(|error| error.to_string())
}

/// Encrypts the document of a case.
pub fn seal_case(case: &Case) -> Result<Vec<u8>, String> {
    let plain = Document::parse(case.plain.clone(), case.format).map_err(|error| error.to_string())?;
    Ok(seal(plain, case.selection.clone(), case.mac_only_encrypted)?.bytes)
}

/// Seals a changed plain text again, as an edit does.
pub fn reseal(opened: &Opened<'_>, key: &DataKey, plain: &[u8]) -> Result<Sealed, String> {
    let encrypted = opened.encrypted();
    let plain = Document::parse(plain.to_vec(), encrypted.format()).map_err(|error| error.to_string())?;
    let envelope = encrypted.envelope().clone();
    let sealing = Sealing { envelope, key, previous: Some(opened), style: encrypted.style(), now: NOW.into() };
    crypt::encrypt(plain, sealing, &mut getrandom).map_err(|error| error.to_string())
}

/// The data key of any file that the test key opens.
pub fn data_key_of(encrypted: &Encrypted) -> Result<DataKey, String> {
    let envelope = encrypted.envelope();
    let (key, wrapped) = data_key();
    if envelope.groups == [vec![wrapped]] {
        return Ok(DataKey::from_bytes(key.expose()).expect("it has its length"));
    }
    let (key, _) =
        keyring().unwrap_any(&envelope.groups, envelope.threshold, &[]).map_err(|error| error.to_string())?;
    Ok(key)
}

/// The plain bytes of an encrypted file.
pub fn open(bytes: &[u8], format: Format) -> Result<Vec<u8>, String> {
    let encrypted = Encrypted::parse(bytes.to_vec(), format).map_err(|error| error.to_string())?;
    let key = data_key_of(&encrypted)?;
    let opened = encrypted.open(&key, MacCheck::Require).map_err(|error| error.to_string())?;
    Ok(opened.plain().expose().to_vec())
}

/// Key path, type and bytes of each value, in order, and all comments, sorted.
#[derive(Debug, PartialEq, Eq, Default)]
pub struct Values {
    pub values: Vec<(String, &'static str, Vec<u8>)>,
    pub comments: Vec<Vec<u8>>,
}

/// The values of a plain file.
pub fn values(bytes: &[u8], format: Format) -> Result<Values, String> {
    let document = Document::parse(bytes.to_vec(), format).map_err(|error| error.to_string())?;
    let mut found = Values::default();
    let all: Result<(), ()> = walk(&document, &seal::crypt::Selection::default(), |site| {
        match site.what {
            crypt::What::Comment(comment) => {
                // Standing alone, blanks at the ends are no part of what a comment says.
                found.comments.push(document.text(&comment.text).trim_ascii().to_vec());
            }
            crypt::What::Leaf(leaf) => {
                let (kind, bytes) = match typed(&leaf.scalar, document.source()) {
                    // sops writes 1.0 as 1 and -0.0 as -0, which read as integers.
                    ("float", bytes) if bytes == b"-0" => ("int", b"0".to_vec()),
                    ("float", bytes) if !bytes.contains(&b'.') => ("int", bytes),
                    other => other,
                };
                found.values.push((format!("{}:{}", site.root, site.path), kind, bytes));
            }
        }
        Ok(())
    });
    all.expect("the visit never errs");
    found.comments.sort();
    Ok(found)
}

/// A value's type and bytes, as sops has them.
pub fn typed(scalar: &Scalar, source: &[u8]) -> (&'static str, Vec<u8>) {
    match scalar {
        Scalar::Null => ("null", Vec::new()),
        Scalar::Bool(value) => ("bool", value.to_string().into_bytes()),
        Scalar::Int(value) => ("int", value.to_string().into_bytes()),
        Scalar::Float(value) => ("float", float_plain(*value).into_bytes()),
        Scalar::Time(text) => ("time", text.as_bytes().to_vec()),
        Scalar::Str(text) => ("str", text.bytes(source).to_vec()),
        Scalar::Unsupported => ("unsupported", Vec::new()),
    }
}
