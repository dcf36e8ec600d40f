//! Which type a scalar's text stands for.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

/// What a scalar's text stands for.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::document) enum Resolved {
    /// `null`, `~`, nothing.
    Null,
    /// `true`, `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A floating point number.
    Float(f64),
    /// A timestamp in the one form of [`Scalar::Time`].
    Time(Box<str>),
    /// The text itself.
    Str,
    /// What the base64 of a `!!binary` says.
    Bytes(Vec<u8>),
    /// Read by go-yaml, but refused by sops: integers from 2^63 on, times with an offset of a day or more.
    Unsupported,
    /// A plain `<<`: the merge key, elsewhere a string.
    Merge,
}

/// A text that is not what its tag says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a value is not what its tag {0} says")]
pub(in crate::document) struct TagMismatch(&'static str);

/// The type and value of a scalar.
///
/// `text` is the content, unescaped; `tag` is the tag that stands before it, in short or long form; `quoted` says
/// whether it is in any style but plain.
pub(in crate::document) fn resolve(text: &str, tag: Option<&str>, quoted: bool) -> Result<Resolved, TagMismatch> {
    let wanted = match tag {
        None | Some("" | "!") if quoted => return Ok(Resolved::Str),
        None | Some("" | "!") if text == "<<" => return Ok(Resolved::Merge),
        None | Some("" | "!") => return Ok(implicit(text, true)),
        Some(tag) => tag.strip_prefix("tag:yaml.org,2002:").or_else(|| tag.strip_prefix("!!")).unwrap_or(""),
    };
    let mismatch = |tag| Err(TagMismatch(tag));
    match wanted {
        "null" => match implicit(text, false) {
            Resolved::Null => Ok(Resolved::Null),
            _ => mismatch("!!null"),
        },
        "bool" => match implicit(text, false) {
            value @ Resolved::Bool(_) => Ok(value),
            _ => mismatch("!!bool"),
        },
        "int" => match implicit(text, false) {
            value @ (Resolved::Int(_) | Resolved::Unsupported) => Ok(value),
            _ => mismatch("!!int"),
        },
        "float" => match implicit(text, false) {
            Resolved::Int(value) => Ok(Resolved::Float(value as f64)),
            value @ Resolved::Float(_) => Ok(value),
            _ => mismatch("!!float"),
        },
        "timestamp" => timestamp(text).map_or_else(|| mismatch("!!timestamp"), Ok),
        "binary" => {
            let unbroken: Vec<u8> = text.bytes().filter(|b| !matches!(b, b'\r' | b'\n')).collect();
            BASE64.decode(unbroken).map_or_else(|_| mismatch("!!binary"), |bytes| Ok(Resolved::Bytes(bytes)))
        }
        "merge" if text == "<<" => Ok(Resolved::Merge),
        _ => Ok(Resolved::Str),
    }
}

/// The type of a plain scalar that has no tag. The first byte sorts out nearly every string.
pub(super) fn implicit(text: &str, times: bool) -> Resolved {
    match text.as_bytes().first() {
        None => Resolved::Null,
        Some(b'a'..=b'z' | b'A'..=b'Z' | b'~') => match text {
            "true" | "True" | "TRUE" => Resolved::Bool(true),
            "false" | "False" | "FALSE" => Resolved::Bool(false),
            "~" | "null" | "Null" | "NULL" => Resolved::Null,
            _ => Resolved::Str,
        },
        Some(b'.') => match text {
            ".nan" | ".NaN" | ".NAN" => Resolved::Float(f64::NAN),
            ".inf" | ".Inf" | ".INF" => Resolved::Float(f64::INFINITY),
            _ if underscores_between_digits(text) => float(&text.replace('_', "")).unwrap_or(Resolved::Str),
            _ => Resolved::Str,
        },
        Some(b'+' | b'-' | b'0'..=b'9') => match text {
            "+.inf" | "+.Inf" | "+.INF" => Resolved::Float(f64::INFINITY),
            "-.inf" | "-.Inf" | "-.INF" => Resolved::Float(f64::NEG_INFINITY),
            _ => times.then(|| timestamp(text)).flatten().unwrap_or_else(|| number(text)),
        },
        Some(_) => Resolved::Str,
    }
}

/// Go's rule for numbers that start with a dot: `.1_2` is one, `._1`, `.1__2` and `.1_` are none.
fn underscores_between_digits(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_digit = |at: Option<&u8>| at.is_some_and(u8::is_ascii_digit);
    memchr::memchr_iter(b'_', bytes).all(|at| is_digit(bytes[..at].last()) && is_digit(bytes.get(at + 1)))
}

/// A text that starts with a sign or a digit, underscores allowed anywhere.
fn number(text: &str) -> Resolved {
    if !text
        .bytes()
        .all(|b| b.is_ascii_hexdigit() || matches!(b, b'+' | b'-' | b'.' | b'_' | b'x' | b'X' | b'o' | b'O'))
    {
        return Resolved::Str;
    }
    let plain = match text.contains('_') {
        true => &*text.replace('_', ""),
        false => text,
    };
    let (sign, unsigned) = match plain.as_bytes().first() {
        Some(b'+') => (Some(false), &plain[1..]),
        Some(b'-') => (Some(true), &plain[1..]),
        _ => (None, plain),
    };
    let (radix, digits) = match unsigned.as_bytes() {
        [b'0', b'b' | b'B', _, ..] => (2, &unsigned[2..]),
        [b'0', b'o' | b'O', _, ..] => (8, &unsigned[2..]),
        [b'0', b'x' | b'X', _, ..] => (16, &unsigned[2..]),
        [b'0', _, ..] => (8, &unsigned[1..]),
        _ => (10, unsigned),
    };
    if let Some(magnitude) = magnitude(digits, radix) {
        let negative = sign == Some(true);
        match i64::try_from(if negative { -i128::from(magnitude) } else { i128::from(magnitude) }) {
            Ok(value) => return Resolved::Int(value),
            Err(_) if sign.is_none() => return Resolved::Unsupported,
            Err(_) => {}
        }
    }
    // A sign may also stand behind the lower-case prefix when none stands before it.
    if sign.is_none()
        && (unsigned.starts_with("0b") || unsigned.starts_with("0o"))
        && let Some(rest @ (b'+' | b'-')) = digits.bytes().next()
        && let Some(magnitude) = magnitude(&digits[1..], radix)
        && let Ok(value) = i64::try_from(if rest == b'-' { -i128::from(magnitude) } else { i128::from(magnitude) })
    {
        return Resolved::Int(value);
    }
    float(plain).unwrap_or(Resolved::Str)
}

/// Digits alone, up to 2^64-1.
fn magnitude(digits: &str, radix: u32) -> Option<u64> {
    // `from_str_radix` would take a sign.
    digits.bytes().next().filter(u8::is_ascii_alphanumeric)?;
    u64::from_str_radix(digits, radix).ok()
}

/// `[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?` within the range of an f64.
fn float(text: &str) -> Option<Resolved> {
    if !text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E')) {
        return None;
    }
    text.parse::<f64>().ok().filter(|value| value.is_finite()).map(Resolved::Float)
}

/// The forms of a timestamp that go-yaml reads, as RFC 3339.
fn timestamp(text: &str) -> Option<Resolved> {
    let bytes = text.as_bytes();
    if bytes.len() < 8 || !bytes[..4].iter().all(u8::is_ascii_digit) || bytes[4] != b'-' {
        return None;
    }
    let mut rest = &bytes[5..];
    let year: u32 = text[..4].parse().ok()?;
    let month = short(&mut rest)?;
    literal(&mut rest, b'-')?;
    let day = short(&mut rest)?;
    let (mut hour, mut minute, mut second, mut fraction, mut offset) = (0, 0, 0, String::new(), 0);
    if let Some((&separator, after)) = rest.split_first() {
        rest = after;
        if separator == b' ' {
            let blanks = rest.iter().take_while(|b| **b == b' ').count();
            rest = &rest[blanks..];
        } else if !matches!(separator, b'T' | b't') {
            return None;
        }
        hour = short(&mut rest)?;
        literal(&mut rest, b':')?;
        minute = short(&mut rest)?;
        literal(&mut rest, b':')?;
        second = short(&mut rest)?;
        if let [b'.' | b',', b'0'..=b'9', ..] = rest {
            let digits = rest[1..].iter().take_while(|b| b.is_ascii_digit()).count();
            let kept = String::from_utf8_lossy(&rest[1..1 + digits.min(9)]).trim_end_matches('0').to_owned();
            if !kept.is_empty() {
                fraction = format!(".{kept}");
            }
            rest = &rest[1 + digits..];
        }
        if separator != b' ' {
            offset = zone(&mut rest)?;
        }
        if !rest.is_empty() {
            return None;
        }
    }
    if !(1..=12).contains(&month) || !(1..=days_in(year, month)).contains(&day) {
        return None;
    }
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    if offset.abs() >= 24 * 60 {
        return Some(Resolved::Unsupported);
    }
    let zone = match offset {
        0 => "Z".to_owned(),
        _ => format!("{}{:02}:{:02}", if offset < 0 { '-' } else { '+' }, offset.abs() / 60, offset.abs() % 60),
    };
    let time = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}{zone}");
    Some(Resolved::Time(time.into()))
}

/// One or two digits.
fn short(rest: &mut &[u8]) -> Option<u32> {
    let digits = rest.iter().take(2).take_while(|b| b.is_ascii_digit()).count();
    let (number, after) = rest.split_at(digits);
    *rest = after;
    std::str::from_utf8(number).ok()?.parse().ok()
}

fn literal(rest: &mut &[u8], byte: u8) -> Option<()> {
    *rest = rest.strip_prefix(&[byte])?;
    Some(())
}

/// `Z` or `±hh:mm`, in minutes. Go allows 24 hours and 60 minutes here.
fn zone(rest: &mut &[u8]) -> Option<i32> {
    if let [b'Z', after @ ..] = *rest {
        *rest = after;
        return Some(0);
    }
    let [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2, after @ ..] = *rest else { return None };
    let two = |a: &u8, b: &u8| {
        (a.is_ascii_digit() && b.is_ascii_digit()).then(|| i32::from(a - b'0') * 10 + i32::from(b - b'0'))
    };
    let (hours, minutes) = (two(h1, h2)?, two(m1, m2)?);
    *rest = after;
    let offset = hours * 60 + minutes;
    (hours <= 24 && minutes <= 60).then_some(if *sign == b'-' { -offset } else { offset })
}

fn days_in(year: u32, month: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn time(text: &str) -> Resolved {
        Resolved::Time(text.into())
    }

    #[test]
    fn plain_scalars_have_the_types_of_go_yaml() {
        use Resolved::{Bool, Float, Int, Null, Str, Unsupported};
        for (text, expected) in [
            ("", Null),
            ("~", Null),
            ("null", Null),
            ("NULL", Null),
            ("nULL", Str),
            ("true", Bool(true)),
            ("FALSE", Bool(false)),
            ("yes", Str),
            ("off", Str),
            ("y", Str),
            ("a", Str),
            ("0", Int(0)),
            ("-0", Int(0)),
            ("+5", Int(5)),
            ("017", Int(15)),
            ("0o17", Int(15)),
            ("0O17", Int(15)),
            ("-0o17", Int(-15)),
            ("0x1F", Int(31)),
            ("-0Xff", Int(-255)),
            ("0b101", Int(5)),
            ("0b-101", Int(-5)),
            ("0o+7", Int(7)),
            ("0x-7", Str),
            ("-0b-1", Str),
            ("0x", Str),
            ("0b", Str),
            ("1_000", Int(1000)),
            ("1__0_", Int(10)),
            ("_1", Str),
            ("-_1", Int(-1)),
            ("08", Float(8.0)),
            ("9223372036854775807", Int(i64::MAX)),
            ("-9223372036854775808", Int(i64::MIN)),
            ("9223372036854775808", Unsupported),
            ("18446744073709551615", Unsupported),
            ("0xffffffffffffffff", Unsupported),
            ("+9223372036854775808", Float(9223372036854775808.0)),
            ("-9223372036854775809", Float(-9223372036854775809.0)),
            ("18446744073709551616", Float(18446744073709551616.0)),
            ("1.", Float(1.0)),
            ("1.5e3", Float(1500.0)),
            ("1e-7", Float(1e-7)),
            ("1_0.5", Float(10.5)),
            ("1e400", Str),
            ("1e", Str),
            ("1.2.3", Str),
            (".5", Float(0.5)),
            (".1_2", Float(0.12)),
            ("._1", Str),
            (".1_", Str),
            ("-.5", Float(-0.5)),
            (".", Str),
            ("...", Str),
            (".inf", Float(f64::INFINITY)),
            ("+.Inf", Float(f64::INFINITY)),
            ("-.INF", Float(f64::NEG_INFINITY)),
            (".iNF", Str),
            ("inf", Str),
            ("nan", Str),
            ("-", Str),
            ("+", Str),
            ("12:30:45", Str),
            ("0x1p3", Str),
            ("1 2", Str),
            ("\u{e9}", Str),
        ] {
            assert_eq!(resolve(text, None, false), Ok(expected), "{text}");
        }
        assert!(matches!(resolve(".NaN", None, false), Ok(Float(value)) if value.is_nan()));
        assert_eq!(resolve("<<", None, false), Ok(Resolved::Merge));
        assert_eq!(resolve("12", None, true), Ok(Str));
        assert_eq!(resolve("<<", None, true), Ok(Str));
    }

    #[test]
    fn timestamps_are_normalised_to_rfc_3339() {
        for (text, expected) in [
            ("2024-01-02", "2024-01-02T00:00:00Z"),
            ("2024-1-2", "2024-01-02T00:00:00Z"),
            ("2024-1-2T3:4:5Z", "2024-01-02T03:04:05Z"),
            ("2024-01-02t03:04:05+02:00", "2024-01-02T03:04:05+02:00"),
            ("2024-01-02T03:04:05-00:00", "2024-01-02T03:04:05Z"),
            ("2024-01-02T03:04:05.120+02:30", "2024-01-02T03:04:05.12+02:30"),
            ("2024-01-02 03:04:05.000", "2024-01-02T03:04:05Z"),
            ("2024-01-02   3:4:5,123456789123", "2024-01-02T03:04:05.123456789Z"),
            ("2024-02-29", "2024-02-29T00:00:00Z"),
            ("0000-01-01", "0000-01-01T00:00:00Z"),
        ] {
            assert_eq!(resolve(text, None, false), Ok(time(expected)), "{text}");
        }
        for text in [
            "2023-02-29",
            "1900-02-29",
            "2024-04-31",
            "2024-13-01",
            "2024-00-01",
            "2024-01-00",
            "2024-01-02T24:00:00Z",
            "2024-01-02T00:60:00Z",
            "2024-01-02T00:00:60Z",
            "2024-01-02T03:04:05",
            "2024-01-02 03:04:05Z",
            "2024-01-02 03:04:05 +01:30",
            "2024-01-02T03:04:05+0100",
            "2024-01-02T03:04:05z",
            "2024-01-02T03:04:05.Z",
            "2024-01-02x",
            "2024-01-02T",
            "2024-01-",
            "24-01-02",
            "2024-001-02",
        ] {
            assert_eq!(resolve(text, None, false), Ok(Resolved::Str), "{text}");
        }
        assert_eq!(resolve("2024-01-02T03:04:05+24:00", None, false), Ok(Resolved::Unsupported));
    }

    #[test]
    fn tags_decide_in_both_forms() {
        for (text, tag, expected) in [
            ("12", "!!str", Ok(Resolved::Str)),
            ("12", "tag:yaml.org,2002:str", Ok(Resolved::Str)),
            ("12", "!custom", Ok(Resolved::Str)),
            ("12", "!", Ok(Resolved::Int(12))),
            ("12", "!!int", Ok(Resolved::Int(12))),
            ("12", "!!float", Ok(Resolved::Float(12.0))),
            ("12", "tag:yaml.org,2002:bool", Err(TagMismatch("!!bool"))),
            ("1.5", "!!int", Err(TagMismatch("!!int"))),
            ("2024-01-02", "!!timestamp", Ok(time("2024-01-02T00:00:00Z"))),
            ("2024-01-02", "!!int", Err(TagMismatch("!!int"))),
            ("", "!!null", Ok(Resolved::Null)),
            ("gA\nE=", "!!binary", Ok(Resolved::Bytes(vec![0x80, 1]))),
            ("%", "!!binary", Err(TagMismatch("!!binary"))),
            ("<<", "!!merge", Ok(Resolved::Merge)),
        ] {
            assert_eq!(resolve(text, Some(tag), false), expected, "{tag} {text}");
        }
        assert_eq!(resolve("5", Some("!!int"), true), Ok(Resolved::Int(5)));
    }

    proptest! {
        #[test]
        fn resolving_never_panics(text in "\\PC{0,20}|[-+]?[0-9T:.Zz,_ -]{0,30}", quoted: bool) {
            for tag in [None, Some("!!timestamp"), Some("!!int"), Some("!!float"), Some("!!binary")] {
                let _ = resolve(&text, tag, quoted);
            }
        }
    }
}
