//! age's hybrid post-quantum recipients: `age1pq1…`, `AGE-SECRET-KEY-PQ-1…`, stanza `mlkem768x25519`.
//!
//! HPKE (RFC 9180, base mode) with the KEM MLKEM768-X25519, that is X-Wing (draft-connolly-cfrg-xwing-kem, which
//! draft-ietf-hpke-pq takes as KEM 0x647a), HKDF-SHA256 and ChaCha20-Poly1305. An identity is X-Wing's seed of 32 bytes, a
//! recipient its 1184 + 32 bytes of public keys. Source: <https://c2sp.org/age>, "mlkem768x25519 recipient stanza".

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

use age::{DecryptError, EncryptError};
use age_core::format::{FILE_KEY_BYTES, FileKey, Stanza};
use age_core::primitives::{bech32_decode, bech32_encode};
use age_core::secrecy::{ExposeSecret, SecretString};
use base64::prelude::{BASE64_STANDARD_NO_PAD, Engine};
use bech32::Hrp;
use chacha20poly1305::aead::{Aead, KeyInit};
use chacha20poly1305::{ChaCha20Poly1305, Nonce};
use hkdf::Hkdf;
use kem::Decapsulate;
use ml_kem::{B32, EncapsulateDeterministic, EncodedSizeUser, KemCore, MlKem768};
use sha2_10::Sha256;
use sha3::digest::{Digest, ExtendableOutput, Update, XofReader};
use sha3::{Sha3_256, Shake256};
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::{Zeroize, Zeroizing};

const RECIPIENT: Hrp = Hrp::parse_unchecked("age1pq");
const IDENTITY: Hrp = Hrp::parse_unchecked("AGE-SECRET-KEY-PQ-");
pub(super) const TAG: &str = "mlkem768x25519";
const INFO: &[u8] = b"age-encryption.org/mlkem768x25519";
/// "HPKE", then the KEM, the KDF and the AEAD.
const SUITE: &[u8] = b"HPKE\x64\x7a\x00\x01\x00\x03";

/// Bytes of ML-KEM-768's public key, and of its ciphertext.
const ENCAPSULATION_KEY: usize = 1184;
const CIPHERTEXT: usize = 1088;

type EncapsulationKey = <MlKem768 as KemCore>::EncapsulationKey;
type DecapsulationKey = <MlKem768 as KemCore>::DecapsulationKey;

/// `age1pq1…`
#[derive(Clone)]
pub(super) struct Recipient {
    lattice: EncapsulationKey,
    curve: PublicKey,
}

impl FromStr for Recipient {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = decode(text, RECIPIENT)?;
        if bytes.len() != ENCAPSULATION_KEY + 32 {
            return Err("wrong length");
        }
        let (lattice, curve) = bytes.split_at(ENCAPSULATION_KEY);
        let key = EncapsulationKey::from_bytes(&lattice.try_into().map_err(|_| "wrong length")?);
        // FIPS 203, 7.2: a key whose coefficients are not reduced is no key.
        if key.as_bytes()[..] != *lattice {
            return Err("not an ML-KEM key");
        }
        let curve: [u8; 32] = curve.try_into().map_err(|_| "wrong length")?;
        Ok(Self { lattice: key, curve: curve.into() })
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&bech32_encode(RECIPIENT, &[&self.lattice.as_bytes()[..], self.curve.as_bytes()].concat()))
    }
}

impl age::Recipient for Recipient {
    fn wrap_file_key(&self, file_key: &FileKey) -> Result<(Vec<Stanza>, HashSet<String>), EncryptError> {
        let mut random = Zeroizing::new([0; 64]);
        getrandom::fill(&mut random[..]).map_err(|e| EncryptError::Io(std::io::Error::other(e.to_string())))?;
        let stanza = self.wrap(file_key, &random);
        let stanza =
            stanza.ok_or_else(|| EncryptError::Io(std::io::Error::other("the recipient's key is degenerate")))?;
        Ok((vec![stanza], HashSet::from(["postquantum".to_owned()])))
    }
}

impl Recipient {
    /// `None`: the recipient's X25519 key is of small order.
    fn wrap(&self, file_key: &FileKey, random: &[u8; 64]) -> Option<Stanza> {
        let (for_lattice, for_curve) = random.split_at(32);
        let mut seed = B32::try_from(for_lattice).ok()?;
        let encapsulated = self.lattice.encapsulate_deterministic(&seed);
        seed.zeroize();
        let (ciphertext, mut lattice_secret) = encapsulated.ok()?;
        let ephemeral = StaticSecret::from(<[u8; 32]>::try_from(for_curve).ok()?);
        let share = PublicKey::from(&ephemeral);
        let curve_secret = ephemeral.diffie_hellman(&self.curve);
        if !curve_secret.was_contributory() {
            return None;
        }
        let secret = combine(&lattice_secret, curve_secret.as_bytes(), &share, &self.curve);
        lattice_secret.zeroize();

        let (cipher, nonce) = schedule(&secret);
        Some(Stanza {
            tag: TAG.to_owned(),
            args: vec![BASE64_STANDARD_NO_PAD.encode([&ciphertext[..], share.as_bytes()].concat())],
            body: cipher.encrypt(&nonce, &file_key.expose_secret()[..]).ok()?,
        })
    }
}

/// `AGE-SECRET-KEY-PQ-1…`
pub(super) struct Identity {
    seed: Zeroizing<[u8; 32]>,
    lattice: DecapsulationKey,
    curve: StaticSecret,
}

impl Identity {
    /// The identity of a seed; a new one if the seed is random.
    pub(super) fn from_seed(seed: [u8; 32]) -> Self {
        let seed = Zeroizing::new(seed);
        let mut expanded = Zeroizing::new([0; 96]);
        let mut shake = Shake256::default();
        shake.update(&seed[..]);
        shake.finalize_xof().read(&mut expanded[..]);
        let part = |i: usize| <[u8; 32]>::try_from(&expanded[32 * i..32 * (i + 1)]).expect("a third of 96 bytes");
        let (mut d, mut z) = (B32::from(part(0)), B32::from(part(1)));
        let (lattice, _) = MlKem768::generate_deterministic(&d, &z);
        d.zeroize();
        z.zeroize();
        Self { seed, lattice, curve: StaticSecret::from(part(2)) }
    }

    /// Its public half.
    pub(super) fn to_public(&self) -> Recipient {
        Recipient { lattice: self.lattice.encapsulation_key().clone(), curve: PublicKey::from(&self.curve) }
    }

    /// The text that stands in an identity file.
    pub(super) fn to_secret_string(&self) -> SecretString {
        let lower = Zeroizing::new(bech32_encode(IDENTITY, &self.seed[..]));
        SecretString::from(lower.to_ascii_uppercase())
    }

    fn unwrap(&self, stanza: &Stanza) -> Option<FileKey> {
        let [encapsulated] = &stanza.args[..] else { return None };
        let encapsulated = BASE64_STANDARD_NO_PAD.decode(encapsulated).ok()?;
        let (ciphertext, share) = encapsulated.split_at_checked(CIPHERTEXT)?;
        let share = PublicKey::from(<[u8; 32]>::try_from(share).ok()?);
        if stanza.body.len() != FILE_KEY_BYTES + 16 {
            return None;
        }
        let curve_secret = self.curve.diffie_hellman(&share);
        if !curve_secret.was_contributory() {
            return None;
        }
        let mut lattice_secret = self.lattice.decapsulate(ciphertext.try_into().ok()?).ok()?;
        let secret = combine(&lattice_secret, curve_secret.as_bytes(), &share, &PublicKey::from(&self.curve));
        lattice_secret.zeroize();

        let (cipher, nonce) = schedule(&secret);
        let key = Zeroizing::new(cipher.decrypt(&nonce, &stanza.body[..]).ok()?);
        Some(FileKey::init_with_mut(|bytes| bytes.copy_from_slice(&key)))
    }
}

impl FromStr for Identity {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let seed = Zeroizing::new(decode(text, IDENTITY)?);
        Ok(Self::from_seed(seed[..].try_into().map_err(|_| "wrong length")?))
    }
}

impl age::Identity for Identity {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, DecryptError>> {
        // A stanza does not say whose it is: one that cannot be opened is taken for another's.
        (stanza.tag == TAG).then(|| self.unwrap(stanza)).flatten().map(Ok)
    }
}

fn decode(text: &str, prefix: Hrp) -> Result<Vec<u8>, &'static str> {
    bech32_decode(
        text,
        |_| "not valid Bech32",
        |found| (found == prefix).then_some(()).ok_or("wrong prefix"),
        |_, bytes| Ok(bytes.collect()),
    )
}

/// X-Wing's combiner.
fn combine(lattice: &[u8], curve: &[u8; 32], share: &PublicKey, recipient: &PublicKey) -> Zeroizing<[u8; 32]> {
    let mut hash = Sha3_256::new();
    for part in [lattice, curve, share.as_bytes(), recipient.as_bytes(), br"\.//^\"] {
        Digest::update(&mut hash, part);
    }
    Zeroizing::new(hash.finalize().into())
}

/// HPKE's key schedule in base mode, up to the key and the nonce of the first message.
fn schedule(secret: &[u8; 32]) -> (ChaCha20Poly1305, Nonce) {
    let extract = |salt: &[u8], label: &str, ikm: &[u8]| {
        Hkdf::<Sha256>::extract(Some(salt), &[b"HPKE-v1", SUITE, label.as_bytes(), ikm].concat())
    };
    let context = [&[0][..], &extract(b"", "psk_id_hash", b"").0, &extract(b"", "info_hash", INFO).0].concat();
    let (_, keys) = extract(secret, "secret", b"");
    let expand = |label: &str, out: &mut [u8]| {
        let length = u16::try_from(out.len()).expect("a key or a nonce").to_be_bytes();
        keys.expand_multi_info(&[&length, b"HPKE-v1", SUITE, label.as_bytes(), &context], out)
            .expect("shorter than 255 hashes");
    };
    let mut key = Zeroizing::new([0; 32]);
    expand("key", &mut key[..]);
    let mut nonce = [0; 12];
    expand("base_nonce", &mut nonce);
    (ChaCha20Poly1305::new((&*key).into()), nonce.into())
}
