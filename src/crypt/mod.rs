//! Data keys, encrypted values, the MAC and the envelope: sops's format, both ways.
//!
//! Pure: bytes and values in, bytes and values out. Wrapping a data key for a recipient needs the world and is
//! the work of [`keys`](crate::keys), behind the trait [`KeyService`].

mod key_service;
mod recipient;
mod secret;
pub mod shamir;

pub use key_service::{Attempt, KeyService, ServiceError, ServiceErrorKind, WrappedKey};
pub use recipient::{KeyGroup, Kind, Recipient, RecipientError};
pub use secret::{DataKey, Plaintext};
