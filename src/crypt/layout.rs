//! What decrypting needs to give back the very same bytes: the spelling of values where it is not the canonical one.
//!
//! It travels in the envelope's field `seal`, encrypted with the data key and bound to the MAC, so that a file which
//! another tool rewrote is never laid out by what it no longer is. A layout is a wish, not a truth: it is used only if
//! the bytes it gives read as exactly the values that were decrypted (see [`decrypt`](super::decrypt)).

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::cipher::{Cipher, NONCE_LEN, Type};
use super::secret::Plaintext;

/// How a plain file was written.
#[derive(Debug, Default)]
pub(super) enum Layout {
    /// As the encrypted file shows.
    #[default]
    Canonical,
    /// Some values are spelled in their own way.
    Pieces {
        /// Spellings by the number of the encrypted value, counted from 0 in document order.
        spellings: BTreeMap<usize, Plaintext>,
        /// The file does not end in a line break.
        open_end: bool,
    },
    /// All of the file, where pieces cannot say it: an alias had to be expanded.
    Whole(Plaintext),
}

/// The serialised form; names are short as files hold many.
#[derive(Serialize, Deserialize)]
struct Stored {
    layout: StoredLayout,
}

#[derive(Serialize, Deserialize, Default)]
struct StoredLayout {
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    values: BTreeMap<usize, Zeroizing<String>>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    open_end: bool,
    /// Base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    whole: Option<Zeroizing<String>>,
}

impl Layout {
    /// Whether there is nothing to keep.
    pub(super) fn is_canonical(&self) -> bool {
        match self {
            Self::Canonical => true,
            Self::Pieces { spellings, open_end } => spellings.is_empty() && !open_end,
            Self::Whole(_) => false,
        }
    }

    /// The text for the envelope, bound to `mac`; `None` where a spelling is not UTF-8, which only the whole can keep.
    pub(super) fn seal(&self, cipher: &Cipher, mac: &str, nonce: &[u8; NONCE_LEN]) -> Option<String> {
        let layout = match self {
            Self::Canonical => return None,
            Self::Pieces { spellings, open_end } => {
                let mut values = BTreeMap::new();
                for (number, text) in spellings {
                    values.insert(*number, Zeroizing::new(std::str::from_utf8(text.expose()).ok()?.to_owned()));
                }
                StoredLayout { values, open_end: *open_end, whole: None }
            }
            Self::Whole(bytes) => {
                StoredLayout { whole: Some(Zeroizing::new(STANDARD.encode(bytes.expose()))), ..StoredLayout::default() }
            }
        };
        let text = Zeroizing::new(serde_json::to_vec(&Stored { layout }).expect("texts and numbers serialise"));
        Some(cipher.encrypt(&text, &aad(mac), nonce, Type::Str))
    }

    /// What `text` of the envelope says; canonical if it is damaged, of another file, or from before another tool's change.
    pub(super) fn open(text: &str, cipher: &Cipher, mac: &str) -> Self {
        let Ok((plain, _)) = cipher.decrypt(text.as_bytes(), &aad(mac)) else { return Self::Canonical };
        let Ok(Stored { layout }) = serde_json::from_slice(plain.expose()) else { return Self::Canonical };
        match layout.whole {
            Some(text) => match STANDARD.decode(text.as_bytes()) {
                Ok(bytes) => Self::Whole(Plaintext::from(bytes)),
                Err(_) => Self::Canonical,
            },
            None => Self::Pieces {
                spellings: layout.values.into_iter().map(|(n, text)| (n, Plaintext::from(text.as_bytes()))).collect(),
                open_end: layout.open_end,
            },
        }
    }
}

fn aad(mac: &str) -> Vec<u8> {
    format!("seal:{mac}").into_bytes()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::crypt::DataKey;

    #[test]
    fn is_bound_to_its_mac() {
        let cipher = Cipher::new(&DataKey::from_bytes(&[3; 32]).unwrap());
        let spellings = [(4, Plaintext::from(&b"0x1F"[..]))].into();
        let text = Layout::Pieces { spellings, open_end: true }.seal(&cipher, "AB", &[1; 32]).unwrap();
        let Layout::Pieces { spellings, open_end: true } = Layout::open(&text, &cipher, "AB") else {
            panic!("it comes back")
        };
        assert_eq!(spellings[&4].expose(), b"0x1F");
        assert!(Layout::open(&text, &cipher, "CD").is_canonical());
    }
}
