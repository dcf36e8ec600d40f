//! One encrypted value: the text `ENC[AES256_GCM,data:…,iv:…,tag:…,type:…]` to bytes and back.
//!
//! What a value's bytes are is in [`value`](super::value); which key path is authenticated with it in
//! [`walk`](super::walk). Source: sops, `aes/cipher.go`; vectors in `tests/sops/enc`.

use aes_gcm::AesGcm;
use aes_gcm::aead::consts::U32;
use aes_gcm::aead::{AeadInOut, KeyInit, Nonce, Tag};
use aes_gcm::aes::Aes256;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::secret::{DataKey, Plaintext};

/// AES-256-GCM with sops's nonce of 32 bytes.
type SopsGcm = AesGcm<Aes256, U32>;
/// Bytes in a nonce that we write.
pub const NONCE_LEN: usize = 32;
const TAG_LEN: usize = 16;
const PREFIX: &[u8] = b"ENC[AES256_GCM,data:";

/// Encrypts and decrypts values with one data key.
pub struct Cipher {
    gcm: SopsGcm,
    key: Zeroizing<[u8; DataKey::LEN]>,
}

/// The word behind `type:`. It is not authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Type {
    /// `str`
    Str,
    /// `int`
    Int,
    /// `float`
    Float,
    /// `bool`
    Bool,
    /// `time`
    Time,
    /// `comment`
    Comment,
    /// `bytes`: never written; found in files of the Python sops. Read as a string.
    Bytes,
}

/// Why an encrypted value could not be decrypted. No variant holds secret bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CipherError {
    /// The text is not `ENC[AES256_GCM,…]`.
    #[error("it is not encrypted")]
    NotEncrypted,
    /// It starts so, but its parts are damaged.
    #[error("its encrypted form is damaged: {0}")]
    Malformed(&'static str),
    /// The tag does not fit: wrong data key, moved to another key path, or changed.
    #[error("it does not authenticate: it was changed, moved from another key, or belongs to another data key")]
    Forged,
    /// The type word is none that sops knows.
    #[error("its type is unknown")]
    UnknownType,
}

impl Cipher {
    /// A cipher for one file.
    pub fn new(key: &DataKey) -> Self {
        let gcm = SopsGcm::new_from_slice(key.expose()).expect("a data key has the cipher's key length");
        Self { gcm, key: Zeroizing::new(*key.expose()) }
    }

    /// The text for `plaintext` under `aad`; `nonce` must never have been used with this data key.
    pub fn encrypt(&self, plaintext: &[u8], aad: &[u8], nonce: &[u8; NONCE_LEN], kind: Type) -> String {
        let mut buffer = Zeroizing::new(plaintext.to_vec());
        let nonce_in: &Nonce<SopsGcm> = nonce.into();
        let tag = self
            .gcm
            .encrypt_inout_detached(nonce_in, aad, buffer.as_mut_slice().into())
            .expect("AES-GCM takes texts of up to 64 GiB, and sources are at most 4 GiB");
        let mut text = String::with_capacity(PREFIX.len() + buffer.len() * 4 / 3 + 96);
        text.push_str("ENC[AES256_GCM,data:");
        STANDARD.encode_string(buffer.as_slice(), &mut text);
        text.push_str(",iv:");
        STANDARD.encode_string(nonce, &mut text);
        text.push_str(",tag:");
        STANDARD.encode_string(tag, &mut text);
        text.push_str(",type:");
        text.push_str(kind.word());
        text.push(']');
        text
    }

    /// What `text` says, with its type.
    ///
    /// As in sops the pattern is anchored at the start only, and a nonce of any length is taken.
    pub fn decrypt(&self, text: &[u8], aad: &[u8]) -> Result<(Plaintext, Type), CipherError> {
        let parts = Parts::parse(text).ok_or(CipherError::NotEncrypted)?;
        let kind = Type::parse(parts.kind).ok_or(CipherError::UnknownType)?;
        let decode = |part: &[u8], what| STANDARD.decode(part).map_err(|_| CipherError::Malformed(what));
        let mut data = Zeroizing::new(decode(parts.data, "its data is not base64")?);
        let nonce = decode(parts.iv, "its nonce is not base64")?;
        let tag = decode(parts.tag, "its tag is not base64")?;
        let tag: [u8; TAG_LEN] = tag.try_into().map_err(|_| CipherError::Malformed("its tag has not 16 bytes"))?;
        match <[u8; NONCE_LEN]>::try_from(nonce.as_slice()) {
            Ok(nonce) => {
                let nonce: &Nonce<SopsGcm> = (&nonce).into();
                let tag: &Tag<SopsGcm> = (&tag).into();
                self.gcm
                    .decrypt_inout_detached(nonce, aad, data.as_mut_slice().into(), tag)
                    .map_err(|_| CipherError::Forged)?;
            }
            Err(_) => odd_nonce::decrypt(&self.key, &nonce, aad, &mut data, &tag)?,
        }
        Ok((Plaintext::from(data), kind))
    }
}

impl Type {
    /// The word itself.
    pub fn word(self) -> &'static str {
        match self {
            Self::Str => "str",
            Self::Int => "int",
            Self::Float => "float",
            Self::Bool => "bool",
            Self::Time => "time",
            Self::Comment => "comment",
            Self::Bytes => "bytes",
        }
    }

    fn parse(word: &[u8]) -> Option<Self> {
        Some(match word {
            b"str" => Self::Str,
            b"int" => Self::Int,
            b"float" => Self::Float,
            b"bool" => Self::Bool,
            b"time" => Self::Time,
            b"comment" => Self::Comment,
            b"bytes" => Self::Bytes,
            _ => return None,
        })
    }
}

/// Whether a text has the form of an encrypted value.
pub fn is_encrypted(text: &[u8]) -> bool {
    Parts::parse(text).is_some()
}

/// The nonce's length in bytes, if `text` has the form of an encrypted value.
///
/// sops reads any length, but crashes when it next writes a value whose nonce has not 32 bytes.
pub(super) fn nonce_len(text: &[u8]) -> Option<usize> {
    Parts::parse(text).and_then(|parts| STANDARD.decode(parts.iv).ok()).map(|nonce| nonce.len())
}

/// How many bytes an encrypted value has, if `text` has the form of one; no key is needed to tell.
pub fn value_len(text: &[u8]) -> Option<usize> {
    let data = Parts::parse(text)?.data;
    let padding = data.iter().rev().take_while(|&&byte| byte == b'=').count();
    (data.len() / 4 * 3).checked_sub(padding)
}

/// The parts of `ENC[AES256_GCM,data:(.+),iv:(.+),tag:(.+),type:(.+)\]`, on one line, anchored at the start.
struct Parts<'a> {
    data: &'a [u8],
    iv: &'a [u8],
    tag: &'a [u8],
    kind: &'a [u8],
}

impl<'a> Parts<'a> {
    fn parse(text: &'a [u8]) -> Option<Self> {
        let rest = text.strip_prefix(PREFIX)?;
        let line = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let rest = &rest[..line];
        // Base64 has neither comma nor bracket, so the first of each is the end of its part.
        let (data, rest) = split(rest, b",iv:")?;
        let (iv, rest) = split(rest, b",tag:")?;
        let (tag, rest) = split(rest, b",type:")?;
        let kind = &rest[..memchr::memchr(b']', rest)?];
        let parts = Self { data, iv, tag, kind };
        [data, iv, tag, kind].iter().all(|part| !part.is_empty()).then_some(parts)
    }
}

fn split<'a>(text: &'a [u8], at: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let index = memchr::memmem::find(text, at)?;
    Some((&text[..index], &text[index + at.len()..]))
}

/// Nonces of other lengths, as the first sops wrote them (12 bytes) or as anyone may have.
mod odd_nonce {
    use super::{CipherError, DataKey, TAG_LEN};
    use aes_gcm::AesGcm;
    use aes_gcm::aead::consts::{U8, U12, U16, U24};
    use aes_gcm::aead::{AeadInOut, KeyInit};
    use aes_gcm::aes::Aes256;

    pub(super) fn decrypt(
        key: &[u8; DataKey::LEN],
        nonce: &[u8],
        aad: &[u8],
        data: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), CipherError> {
        macro_rules! with {
            ($size:ty) => {{
                let gcm = AesGcm::<Aes256, $size>::new_from_slice(key).expect("a data key has the right length");
                let nonce = nonce.try_into().expect("the arm names the nonce's length");
                gcm.decrypt_inout_detached(nonce, aad, data.into(), tag.into()).map_err(|_| CipherError::Forged)
            }};
        }
        match nonce.len() {
            8 => with!(U8),
            12 => with!(U12),
            16 => with!(U16),
            24 => with!(U24),
            _ => Err(CipherError::Malformed("its nonce has an unusual length")),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn cipher() -> Cipher {
        Cipher::new(&DataKey::from_bytes(&[7; 32]).unwrap())
    }

    #[test]
    fn comes_back_under_the_same_path_only() {
        let text = cipher().encrypt(b"hunter2", b"data:password:", &[9; 32], Type::Str);
        let (plain, kind) = cipher().decrypt(text.as_bytes(), b"data:password:").unwrap();
        assert_eq!((plain.expose(), kind), (&b"hunter2"[..], Type::Str));
        assert_eq!(cipher().decrypt(text.as_bytes(), b"data:user:").unwrap_err(), CipherError::Forged);
    }

    #[test]
    fn text_behind_the_bracket_is_ignored() {
        let text = cipher().encrypt(b"x", b"a:", &[1; 32], Type::Int) + " and more\n";
        assert_eq!(cipher().decrypt(text.as_bytes(), b"a:").unwrap().1, Type::Int);
        assert!(!is_encrypted(format!(" {text}").as_bytes()));
    }

    #[test]
    fn damaged_texts_are_errors() {
        for text in [
            "ENC[AES256_GCM,data:,iv:AA==,tag:AA==,type:str]",
            "ENC[AES256_GCM,data:AA==,iv:AA==,tag:AA==",
            "ENC[AES256_GCM,data:AA==,iv:!,tag:AA==,type:str]",
            "ENC[AES256_GCM,data:AA==,iv:AA==,tag:AA==,type:str]",
            "ENC[",
            "",
        ] {
            assert!(cipher().decrypt(text.as_bytes(), b"").is_err(), "{text}");
        }
    }
}
