//! Data keys, encrypted values, the MAC and the envelope: sops's format, both ways.
//!
//! Pure: bytes and values in, bytes and values out. Wrapping a data key for a recipient needs the world and is
//! the work of [`keys`](crate::keys), behind the trait [`KeyService`].
//!
//! [`encrypt()`] makes an encrypted file of a [`Document`](crate::document::Document); [`Encrypted::parse`] reads one,
//! [`Encrypted::open`] decrypts its values, and [`Opened::plain`] gives the plain file.

mod cipher;
mod decrypt;
mod encrypt;
mod envelope;
mod key_service;
mod layout;
mod mac;
mod merge;
mod pattern;
mod recipient;
mod rekey;
mod secret;
mod selection;
pub mod shamir;
mod value;
mod walk;

pub use cipher::{Cipher, CipherError, NONCE_LEN, Type, is_encrypted, value_len};
pub use decrypt::{DecryptError, Encrypted, MacCheck, Opened, ReadError};
pub use encrypt::{EncryptError, Random, Sealed, Sealing, encrypt};
pub use envelope::{Envelope, EnvelopeError, SOPS_VERSION};
pub use key_service::{Attempt, KeyService, ServiceError, ServiceErrorKind, WrappedKey};
pub use merge::{Newcomers, Terms, merge_terms};
pub use pattern::{Pattern, PatternError, in_rust_syntax};
pub use recipient::{KeyGroup, Kind, Recipient, RecipientError};
pub use rekey::{RekeyError, with_envelope};
pub use secret::{DataKey, Plaintext};
pub use selection::{Selection, SelectionError, SelectionRule, TooManySelections};
pub use walk::{Path, Site, What, walk};
