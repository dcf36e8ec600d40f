//! A typed value as the bytes that are encrypted and counted in the MAC, and back.
//!
//! Source: sops, `aes/cipher.go` and `ToBytes` in `sops.go`.

use std::borrow::Cow;

use super::cipher::Type;
use super::secret::Plaintext;
use crate::document::{Scalar, Text, float_plain};

/// A value's bytes and type; `None` for null, which is neither encrypted nor counted.
pub(super) fn to_bytes<'a>(scalar: &'a Scalar, source: &'a [u8]) -> Option<(Cow<'a, [u8]>, Type)> {
    Some(match scalar {
        Scalar::Null | Scalar::Unsupported => return None,
        Scalar::Bool(true) => (Cow::Borrowed(b"True"), Type::Bool),
        Scalar::Bool(false) => (Cow::Borrowed(b"False"), Type::Bool),
        Scalar::Int(value) => (Cow::Owned(value.to_string().into_bytes()), Type::Int),
        Scalar::Float(value) => (Cow::Owned(float_plain(*value).into_bytes()), Type::Float),
        Scalar::Time(text) => (Cow::Borrowed(text.as_bytes()), Type::Time),
        Scalar::Str(text) => (Cow::Borrowed(text.bytes(source)), Type::Str),
    })
}

/// The value that decrypted bytes stand for. `None` where they do not fit the type word, which nothing authenticates.
pub(super) fn from_bytes(plain: Plaintext, kind: Type) -> Option<Scalar> {
    let as_text = || std::str::from_utf8(plain.expose()).ok();
    Some(match kind {
        Type::Str | Type::Bytes | Type::Comment => {
            let bytes: &[u8] = plain.expose();
            Scalar::Str(Text::owned(bytes))
        }
        Type::Int => Scalar::Int(as_text()?.parse().ok()?),
        Type::Float => Scalar::Float(parse_float(as_text()?)?),
        Type::Bool => Scalar::Bool(match as_text()? {
            "1" | "t" | "T" | "TRUE" | "true" | "True" => true,
            "0" | "f" | "F" | "FALSE" | "false" | "False" => false,
            _ => return None,
        }),
        Type::Time => {
            let text = as_text()?;
            text.parse::<jiff::Timestamp>().ok()?;
            Scalar::Time(text.into())
        }
    })
}

/// Go's `ParseFloat`, as far as files hold its forms: Rust's, and hexadecimal floats.
fn parse_float(text: &str) -> Option<f64> {
    if let Ok(value) = text.parse::<f64>() {
        let says_infinite = text.trim_start_matches(['+', '-']).to_ascii_lowercase().starts_with("inf");
        return (value.is_finite() || value.is_nan() || says_infinite).then_some(value);
    }
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    let rest = rest.strip_prefix("0x").or_else(|| rest.strip_prefix("0X"))?;
    let (mantissa, exponent) = rest.split_once(['p', 'P'])?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = u64::from_str_radix(&format!("{whole}{fraction}"), 16).ok()?;
    let exponent = exponent.parse::<i32>().ok()?.checked_sub(4 * i32::try_from(fraction.len()).ok()?)?;
    let value = digits as f64 * 2f64.powi(exponent);
    value.is_finite().then_some(sign * value)
}

/// Whether two values are the same in type and bytes; NaN equals itself here.
pub(super) fn same(a: (&Scalar, &[u8]), b: (&Scalar, &[u8])) -> bool {
    match (to_bytes(a.0, a.1), to_bytes(b.0, b.1)) {
        (Some((a, ta)), Some((b, tb))) => ta == tb && a == b,
        (None, None) => matches!((a.0, b.0), (Scalar::Null, Scalar::Null)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_type_comes_back() {
        for scalar in [
            Scalar::Bool(true),
            Scalar::Int(-5),
            Scalar::Float(1e21),
            Scalar::Float(f64::NAN),
            Scalar::Float(f64::NEG_INFINITY),
            Scalar::Float(-0.0),
            Scalar::Time("2024-01-02T03:04:05.12+02:00".into()),
            Scalar::Str(Text::owned(*b"x")),
        ] {
            let (bytes, kind) = to_bytes(&scalar, b"").unwrap();
            let back = from_bytes(Plaintext::from(bytes.into_owned()), kind).unwrap();
            assert!(same((&scalar, b""), (&back, b"")), "{kind:?}");
        }
    }

    #[test]
    fn type_word_that_does_not_fit_is_no_value() {
        assert!(from_bytes(Plaintext::from(&b"five"[..]), Type::Int).is_none());
        assert!(from_bytes(Plaintext::from(&b"yes"[..]), Type::Bool).is_none());
        assert_eq!(parse_float("0x1p-2"), Some(0.25));
        assert_eq!(parse_float("1e999"), None);
    }
}
