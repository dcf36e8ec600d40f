//! Writing an age file with the stanzas of one recipient and nothing else, armoured, as sops stores it.
//!
//! The age crate adds a random stanza to every file it writes, to keep readers honest. In an envelope that is noise: sops
//! writes one stanza a wrapped key, and so do we. Reading is the age crate's work. Source: <https://c2sp.org/age>.

use age_core::format::{FILE_KEY_BYTES, FileKey, Stanza};
use age_core::primitives::hkdf;
use age_core::secrecy::ExposeSecret;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, Engine};
use chacha20poly1305::aead::{Aead, KeyInit};
use chacha20poly1305::{ChaCha20Poly1305, Nonce};
use hkdf::hmac::{Hmac, Mac};
use sha2_10::Sha256;
use zeroize::Zeroizing;

/// Columns of a line of base64, in the armour as in a stanza.
pub(super) const COLUMNS: usize = 64;

/// Bytes of the longest payload that fits in a single chunk.
pub(super) const PAYLOAD_LIMIT: usize = 64 * 1024;

/// Makes the armoured file. `payload` has at most [`PAYLOAD_LIMIT`] bytes; `wrap` makes the stanzas of a new file key.
pub(super) fn write<E>(
    payload: &[u8],
    wrap: impl FnOnce(&FileKey) -> Result<Vec<Stanza>, E>,
    mut fill: impl FnMut(&mut [u8]) -> Result<(), E>,
) -> Result<String, E> {
    let mut key = Zeroizing::new([0; FILE_KEY_BYTES]);
    fill(&mut key[..])?;
    let file_key = FileKey::init_with_mut(|bytes| bytes.copy_from_slice(&key[..]));
    let mut nonce = [0; 16];
    fill(&mut nonce)?;

    let mut header = "age-encryption.org/v1\n".to_owned();
    for stanza in wrap(&file_key)? {
        push_stanza(&mut header, &stanza);
    }
    header.push_str("---");
    let mac_key = Zeroizing::new(hkdf(&[], b"header", file_key.expose_secret()));
    let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(&mac_key[..]).expect("HMAC takes keys of any length");
    mac.update(header.as_bytes());
    header.push(' ');
    header.push_str(&BASE64_STANDARD_NO_PAD.encode(mac.finalize().into_bytes()));
    header.push('\n');

    let payload_key = Zeroizing::new(hkdf(&nonce, b"payload", file_key.expose_secret()));
    let last_chunk = Nonce::from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    let sealed = ChaCha20Poly1305::new((&*payload_key).into())
        .encrypt(&last_chunk, payload)
        .expect("a payload of one chunk is far below ChaCha20's limit");

    let file = [header.as_bytes(), &nonce, &sealed].concat();
    let mut armoured = "-----BEGIN AGE ENCRYPTED FILE-----\n".to_owned();
    push_lines(&mut armoured, &BASE64_STANDARD.encode(file));
    armoured.push_str("-----END AGE ENCRYPTED FILE-----\n");
    Ok(armoured)
}

/// Writes a stanza, as it stands in a header and as plugins are spoken to.
pub(super) fn push_stanza(out: &mut String, stanza: &Stanza) {
    out.push_str("-> ");
    out.push_str(&stanza.tag);
    for arg in &stanza.args {
        out.push(' ');
        out.push_str(arg);
    }
    out.push('\n');
    // The last line is always a short one, if need be an empty one: it ends the body.
    let body = Zeroizing::new(BASE64_STANDARD_NO_PAD.encode(&stanza.body));
    push_lines(out, &body);
    if body.len().is_multiple_of(COLUMNS) {
        out.push('\n');
    }
}

fn push_lines(out: &mut String, base64: &str) {
    for start in (0..base64.len()).step_by(COLUMNS) {
        out.push_str(&base64[start..base64.len().min(start + COLUMNS)]);
        out.push('\n');
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::convert::Infallible;

    use age_core::format::FileKey;

    use super::*;

    struct Known;

    impl age::Identity for Known {
        fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, age::DecryptError>> {
            let bytes = stanza.body[..FILE_KEY_BYTES].try_into().ok()?;
            Some(Ok(FileKey::new(Box::new(bytes))))
        }
    }

    #[test]
    fn age_crate_reads_it_whatever_the_length_of_the_stanza() {
        for length in [16, 32, 47, 48, 49, 95, 96, 97, 1000] {
            for payload in [&b""[..], &[9; 33], &[1; PAYLOAD_LIMIT]] {
                let wrap = |key: &FileKey| {
                    let mut body = key.expose_secret().to_vec();
                    body.resize(length, 0);
                    Ok::<_, Infallible>(vec![Stanza { tag: "t".into(), args: vec!["a".into(), "b".into()], body }])
                };
                let file = write(payload, wrap, |bytes| {
                    bytes.fill(5);
                    Ok(())
                })
                .unwrap();
                assert!(file.ends_with("-----END AGE ENCRYPTED FILE-----\n"));
                assert_eq!(age::decrypt(&Known, file.as_bytes()).unwrap(), payload);
            }
        }
    }
}
