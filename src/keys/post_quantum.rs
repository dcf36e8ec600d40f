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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// A public test key, made by age-keygen 1.3.2.
    const IDENTITY: &str = "AGE-SECRET-KEY-PQ-1EX40Y6JMQJSJXHCH6F0DPNP4HLCH7J0R0VJ58DWJTE3E2R4RL2YQJ8F6K8";

    /// A data key that sops 3.13.3 wrapped for it, and its bytes in hexadecimal.
    const WRAPPED: &str = "-----BEGIN AGE ENCRYPTED FILE-----\n\
YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IG1sa2VtNzY4eDI1NTE5IDZNSHlpZ05M\n\
cW1PZVNRM2pNYVlkR0RGK2xHaVlmZGFCQmhYUTRzTG5rdE5iTWhWQjd1N1BXTXZY\n\
UXEyLzFwQ25RcENvcS9QdHBhczZsY0ZqMFRnNndaNnFPeWNCNDdOYmxHSXFXa1pN\n\
QlV2cjF4WXNlQkc1T0RCQVo3VFBzYlh0dUZ6WjNCYUsrNm5DLzRoZTVZaUV3MllN\n\
d3hkNFd3bG1wMVZaWUJKNDJiREN3YTlwazIwSU1pUFdLQUZzQllZcWpTYlAzRlhs\n\
ZENKZmswbUQrZzY5R1VsZllMV0xFNTNIaHgvcmRwVTd3TnNhU3ZtbVMyRUlmWE5x\n\
YUF4ZDNlVVhqaFZkMk1oc2ZOTHhIU3Iydk5vejUxTmJPWXhXMUZUbGdsYW9pYlpV\n\
MUF1SWVpZ2xvd3pabTIzaU9CQmdlZitLVkJFeEluenVnNnBwS0I3dnNxT0RQOTg2\n\
YkFHaDVZNHViYWxUSVZqRFhMd0MvZXoydk0xTS9ibmJMTW0ySkpvUENZVjBVb3JC\n\
Ti9xdU9nWXpjOHJ5bFE2ZkF1VzFFQTd3Y3Avc1A1ckFTc1F2ZTZhT0g4NUpuTW03\n\
eEVHL3ovRTc3dER4NEVLckxsS2ltcHZYU2UreVhHMWZINXZicmZUYWFNanBmL2w5\n\
ODMvbHBJTnErdDNNZ2hSd0ozYzE1VHlTU3UvNFU1QnV2V3lTdDVCNjRITHoza1ow\n\
M1h3c1VLemZkbElHZkdhcy9qaWl2eWkvS0lnUU9Xelh1MXNqZWpycVl5WDZ4bmxh\n\
WEYrN3NiQTkrbTRReWlKUC9mdjh2QllHc050Vnd3OXJjV3NYbHBKMDRSTm5wZ01m\n\
RUlQVStLSFdWbzJGcFZiNWZoSmZKZTJHeWQwMzhlbDNxeUhPekNQREp3dW5OOW1E\n\
RTdIMUFOVHpJZWtrWlk5Si9qOW83TWVsUWttVU55UDIzZ1NVK2E4Q0NRQXVTRnho\n\
cVlTbG4rMmQ1bmprRE5FalN2bWJJT0ZyN0JKYVEzaDNUOXdnR05JcmFqbjFILzJL\n\
OVg1NDFpc0ozWnEwSlAwcGJoUHBUdVc4N2xQRWRkUjRjd0VJNHRiY3UzTXZlSHB0\n\
Nzl0MXNkSWtKV2kvbWN0S3JRTnZXbEVpUWlCM3pTcjdYckFaYjljd0tuZ1BxYTBa\n\
S2Nzd1U1WGxUSGk2aGFiNUdrU3BKcVJoY2FqWlZLL3dNV3ZUUHJxcHo0UktzM2JI\n\
cndCYmt5MWxPVXRlVHljRDdEaVNkU3phN3ZSOWVuZXIrVVVkblRxMEpST29sQTFi\n\
VG5XWW0ycmJxNmpoby9nV0VjOERKM2JPRHBicjlENndPV2c4dWdKdXoxekFZZUdl\n\
MmtaQUpYMG9KbFpwelVxS3huNHZ6b1dSekNtN2ZQYzNMYXJvRlJRN3lKbW1FOVRr\n\
RzNqS2tMYkp4OThmcE9CN3BEbXdzbytDMml3enFiTnZvVllwUUpBZFZQSVhDZ2o0\n\
S3V3Q0VyY2NXYUtwaUM0WkJjK1ZDa1JSa0tMUDBucUZtR3lSTkZScEZMSXBBQUdR\n\
aXdKWWxMbHVrN0haRzNjZk8wSEZ1YTBOZjdEZ0h2ZmVOaWYvdGJHZjVGb2VGKzZZ\n\
WGJ3V254eFFXc0M0L3lpc3RUWDc5dWZFT3JDZG1tbFdlRFUrTWVUbUJnYXpvRkt1\n\
Z0lyMVhtUXF3MHVCUnhERnhyZmYxZ3RaYVI1ZktrcFFISm1qUm9rQStsYlFWWC93\n\
eDJBTERvWlRIVTBVOHlkZXIwdWhRTWFKNlhwSVpQajcxd2ovcG13QkxvN2FvaUFw\n\
bDJGQnF0c0w4dUZpdWRDOEFmOUdZTXJXcWxIZ1o5NVlZcU53V2hPVS9ha2xxSnR6\n\
anovc0lHb1JOdDRWYXlSV2tNZ3kxYmtVYVdrOXZDNGxhNkpJM28raEV0RXN0SUpl\n\
bCtuZTRtSjlzbXljenZuYXNmY3Z5VFF5Q0JIcmRMOHFOd3pTK2hBSnNiVzlHQQpU\n\
aEpvNHVTbGVRM29yZmNUYU5objVwTUtwMEdTUVgvMk8vbnF3VHZmYVJNCi0tLSBZ\n\
MkR4M1JIRkNYeWlNL1VuL01QM3UwQ1pNZ3ZWTFlLSEsvQlc3TEk4RHlFCldJzgbo\n\
TFxzJ7cZmMcCyHcefESTXxdS7vN4fVlZKzr/MTgGX6AApC+FXmREt3SLJ5b8H/79\n\
iU2YAVH282sFX78=\n\
-----END AGE ENCRYPTED FILE-----\n\n";
    const KEY: &str = "26086c743334c07687704bceb03496c55a87d98abe3c03462e0273efdb7a32cb";

    #[test]
    fn opens_what_sops_wrapped() {
        let identity: Identity = IDENTITY.parse().unwrap();
        let key = age::decrypt(&identity, WRAPPED.as_bytes()).unwrap();
        assert_eq!(key.iter().map(|b| format!("{b:02x}")).collect::<String>(), KEY);
        assert_eq!(identity.to_secret_string().expose_secret(), IDENTITY);
    }

    #[test]
    fn recipient_is_that_of_age_keygen() {
        let identity: Identity = IDENTITY.parse().unwrap();
        let recipient = identity.to_public().to_string();
        assert_eq!(recipient.len(), 1959);
        assert!(recipient.starts_with("age1pq1ne7fahrk8fd3x02tz") && recipient.ends_with("hc3n8qs0un2x"));
        assert_eq!(recipient.parse::<Recipient>().unwrap().to_string(), recipient);
    }

    fn stanza_of(encapsulated: &[u8], body: Vec<u8>) -> Stanza {
        Stanza { tag: TAG.to_owned(), args: vec![BASE64_STANDARD_NO_PAD.encode(encapsulated)], body }
    }

    #[test]
    fn stanza_opens_for_its_recipient_only_and_not_when_changed() {
        let file_key = FileKey::new(Box::new([3; FILE_KEY_BYTES]));
        let identity = Identity::from_seed([1; 32]);
        let stanza = identity.to_public().wrap(&file_key, &[9; 64]).unwrap();
        assert_eq!(identity.unwrap(&stanza).unwrap().expose_secret(), file_key.expose_secret());
        assert!(Identity::from_seed([2; 32]).unwrap(&stanza).is_none());

        let encapsulated = BASE64_STANDARD_NO_PAD.decode(&stanza.args[0]).unwrap();
        let with = |bytes: &[u8]| stanza_of(bytes, stanza.body.clone());
        for at in [0, CIPHERTEXT - 1, CIPHERTEXT, CIPHERTEXT + 31] {
            let mut changed = encapsulated.clone();
            changed[at] ^= 1;
            assert!(identity.unwrap(&with(&changed)).is_none());
        }
        let of_small_order = [&encapsulated[..CIPHERTEXT], &[0; 32]].concat();
        for bad in [&[][..], &encapsulated[1..], &encapsulated[..CIPHERTEXT], &of_small_order] {
            assert!(identity.unwrap(&with(bad)).is_none());
        }
        for body in [vec![], vec![0; 31], vec![0; 33]] {
            assert!(identity.unwrap(&stanza_of(&encapsulated, body)).is_none());
        }
    }

    #[test]
    fn malformed_keys_are_refused() {
        let encode = |bytes: &[u8]| bech32_encode(RECIPIENT, bytes);
        let good = [&Identity::from_seed([1; 32]).to_public().lattice.as_bytes()[..], &[5; 32]].concat();
        assert!(encode(&good).parse::<Recipient>().is_ok());
        let mut unreduced = good.clone();
        unreduced[..3].fill(0xff);
        for bad in [&[][..], &good[1..], &unreduced] {
            assert!(encode(bad).parse::<Recipient>().is_err());
        }
        for bad in ["", "AGE-SECRET-KEY-PQ-1", &bech32_encode(super::IDENTITY, &[1; 31])] {
            assert!(bad.parse::<Identity>().is_err());
        }
    }
}
