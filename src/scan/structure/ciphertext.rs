//! What is encrypted is no leak, however random it looks: age and OpenPGP messages, Ansible vaults.
//!
//! Values of sops are marked where its files are read, in [`kubernetes::sops`](crate::scan::kubernetes::sops).

use crate::scan::{Detector, Hit, Reach, Seen, Text};

/// Marks ciphertext.
pub struct Ciphertext;

const ENDS: [Option<&[u8]>; 3] = [Some(b"-----END AGE ENCRYPTED FILE-----"), Some(b"-----END PGP MESSAGE-----"), None];

impl Detector for Ciphertext {
    fn keywords(&self) -> &[&str] {
        &["-----begin age encrypted file-----", "-----begin pgp message-----", "$ansible_vault;"]
    }

    fn reach(&self) -> Reach {
        Reach::Document
    }

    fn look(&self, text: &Text<'_>, hits: &[Hit], seen: &mut Seen<'_>) {
        let mut done = 0;
        for hit in hits {
            if hit.start < done {
                continue;
            }
            let rest = &text.bytes[hit.end..];
            let len = match ENDS[hit.keyword] {
                Some(end) => memchr::memmem::find(rest, end).map(|at| at + end.len()),
                // The first line names the cipher; then lines of hex.
                None => memchr::memchr(b'\n', rest).map(|line| {
                    let digit = |byte: &u8| byte.is_ascii_hexdigit() || byte.is_ascii_whitespace();
                    line + rest[line..].iter().take_while(|byte| digit(byte)).count()
                }),
            };
            if let Some(len) = len {
                done = hit.end + len;
                seen.ciphertext.push(hit.start..done);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{engine, found};
    use super::*;

    #[test]
    fn nothing_is_found_in_ciphertext() {
        let engine = engine(&["netrc", "age-key"]);
        let entry = "machine git.corp login ada password hunter2canary";
        for (begin, end) in [
            ("-----BEGIN AGE ENCRYPTED FILE-----", "-----END AGE ENCRYPTED FILE-----"),
            ("-----BEGIN PGP MESSAGE-----", "-----END PGP MESSAGE-----"),
        ] {
            assert_eq!(found(&engine, &format!("{begin}\n{entry}\n{end}\n")), []);
            assert_eq!(found(&engine, &format!("{begin}\n{entry}\n")).len(), 1, "it does not end");
            assert_eq!(found(&engine, &format!("{begin}\n{end}\n{entry}\n")).len(), 1, "behind it");
        }
        assert_eq!(ENDS.len(), Ciphertext.keywords().len());
    }
}
