//! Floating point numbers as Go writes them: the two spellings that sops' files hold.

/// The shortest digits that read back the same, never with an exponent: `1.5`, `10`, `0.0000001`, `-0`, `NaN`, `+Inf`.
///
/// This is what sops encrypts and what its MAC counts (Go `FormatFloat(f, 'f', -1, 64)`).
pub fn float_plain(value: f64) -> String {
    if value.is_nan() {
        return "NaN".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf".into() } else { "-Inf".into() };
    }
    let (digits, exponent) = shortest(value);
    let sign = if value.is_sign_negative() { "-" } else { "" };
    match usize::try_from(exponent + 1) {
        Err(_) | Ok(0) => format!("{sign}0.{:0>width$}{digits}", "", width = (-1 - exponent) as usize),
        Ok(whole) if whole >= digits.len() => format!("{sign}{digits:0<whole$}"),
        Ok(whole) => format!("{sign}{}.{}", &digits[..whole], &digits[whole..]),
    }
}

/// The shortest digits, with an exponent from `10^max_exponent` on and below `10^min_exponent`: `1e+21`, `1e-07`.
///
/// Go's `FormatFloat(f, 'g', -1, 64)`, which go-yaml uses, is `float_shortest(f, -4, 6)`; `encoding/json` is `float_shortest(f, -6, 21)` with a one-digit
/// exponent where it is negative. The value must be finite.
pub fn float_shortest(value: f64, min_exponent: i32, max_exponent: i32) -> String {
    let (digits, exponent) = shortest(value);
    if value == 0.0 || (min_exponent..max_exponent).contains(&exponent) {
        return float_plain(value);
    }
    let sign = if value.is_sign_negative() { "-" } else { "" };
    let (first, rest) = digits.split_at(1);
    let point = if rest.is_empty() { "" } else { "." };
    let exponent_sign = if exponent < 0 { '-' } else { '+' };
    format!("{sign}{first}{point}{rest}e{exponent_sign}{:02}", exponent.abs())
}

/// The shortest digits of a finite number, and the power of ten of the first.
///
/// Of two that are equally near it takes the even one, as Go does; Rust's own formatting takes the larger, and a MAC
/// over that does not open.
fn shortest(value: f64) -> (String, i32) {
    let text = serde_json::Number::from_f64(value.abs()).expect("the number is finite").to_string();
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent: i32 = exponent.parse().expect("an exponent is a number");
    let all = [whole, fraction].concat();
    let digits = all.trim_start_matches('0');
    let zeros = all.len() - digits.len();
    let digits = digits.trim_end_matches('0');
    if digits.is_empty() {
        return ("0".into(), 0);
    }
    (digits.to_owned(), exponent + whole.len() as i32 - 1 - zeros as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spells_as_go_does() {
        assert_eq!(float_plain(1e21), "1000000000000000000000");
        assert_eq!(float_plain(1e-7), "0.0000001");
        assert_eq!(float_plain(-0.0), "-0");
        assert_eq!(float_plain(0.0), "0");
        assert_eq!(float_plain(120.0), "120");
        assert_eq!(float_plain(-12.25), "-12.25");
        assert_eq!(float_plain(0.5), "0.5");
        assert_eq!(float_shortest(1e21, -4, 21), "1e+21");
        assert_eq!(float_shortest(-1.25e21, -4, 21), "-1.25e+21");
        assert_eq!(float_shortest(1e6, -4, 6), "1e+06");
        assert_eq!(float_shortest(123456.5, -4, 6), "123456.5");
        assert_eq!(float_shortest(1e-7, -4, 21), "1e-07");
        assert_eq!(float_shortest(1.5, -4, 21), "1.5");
    }

    #[test]
    fn of_two_equally_near_the_even_one_is_taken() {
        let value = 6953129159796149.0 / 4.0; // 1738282289949037.25
        assert_eq!(float_plain(value), "1738282289949037.2");
        assert_eq!(float_shortest(value, -4, 6), "1.7382822899490372e+15");
        assert_eq!(float_plain(5e-324).trim_start_matches("0.").trim_start_matches('0'), "5");
    }
}
