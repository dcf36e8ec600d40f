//! The MAC that ties a document's values together.
//!
//! SHA-512 over every value in document order, as sops computes it; comments and null do not count. Which values
//! are encrypted is decided by [`Selection`](super::Selection); the MAC itself is encrypted in
//! [`encrypt`](super::encrypt). Source: sops, `Tree.Encrypt` in `sops.go`; vectors in `tests/sops`.

use sha2::{Digest, Sha512};

/// What a hash over encrypted values alone starts with: SHA-256 of `sops`.
const ONLY_ENCRYPTED: [u8; 32] = [
    0x8a, 0x3f, 0xd2, 0xad, 0x54, 0xce, 0x66, 0x52, 0x7b, 0x10, 0x34, 0xf3, 0xd1, 0x47, 0xbe, 0x0b, 0x0b, 0x97, 0x5b,
    0x3b, 0xf4, 0x4f, 0x72, 0xc6, 0xfd, 0xad, 0xec, 0x81, 0x76, 0xf2, 0x7d, 0x69,
];

/// A MAC in the making.
pub(super) struct Mac {
    hash: Sha512,
    only_encrypted: bool,
}

impl Mac {
    /// Over all values, or over the encrypted ones alone (`mac_only_encrypted`).
    pub(super) fn new(only_encrypted: bool) -> Self {
        let mut hash = Sha512::new();
        if only_encrypted {
            hash.update(ONLY_ENCRYPTED);
        }
        Self { hash, only_encrypted }
    }

    /// Counts one value's plain bytes.
    pub(super) fn add(&mut self, bytes: &[u8], encrypted: bool) {
        if encrypted || !self.only_encrypted {
            self.hash.update(bytes);
        }
    }

    /// 128 upper-case hexadecimal digits.
    pub(super) fn finish(self) -> String {
        use std::fmt::Write as _;
        self.hash.finalize().iter().fold(String::with_capacity(128), |mut out, byte| {
            let _ = write!(out, "{byte:02X}");
            out
        })
    }
}
