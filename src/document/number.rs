//! Floating point numbers as Go writes them: the two spellings that sops' files hold.

/// The shortest digits that read back the same, never with an exponent: `1.5`, `10`, `0.0000001`, `-0`, `NaN`, `+Inf`.
///
/// This is what sops encrypts and what its MAC counts (Go `FormatFloat(f, 'f', -1, 64)`).
pub fn float_plain(value: f64) -> String {
    if value.is_nan() {
        "NaN".into()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf".into() } else { "-Inf".into() }
    } else {
        format!("{value}")
    }
}

/// The shortest digits, with an exponent from `10^max_exponent` on and below `10^min_exponent`: `1e+21`, `1e-07`.
///
/// Go's `%g` is `float_shortest(f, -4, 21)`; `encoding/json` is `float_shortest(f, -6, 21)` with a one-digit exponent.
/// The value must be finite.
pub fn float_shortest(value: f64, min_exponent: i32, max_exponent: i32) -> String {
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').expect("Rust writes an exponent with {:e}");
    let exponent: i32 = exponent.parse().expect("the exponent is a number");
    if value == 0.0 || (min_exponent..max_exponent).contains(&exponent) {
        return float_plain(value);
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spells_as_go_does() {
        assert_eq!(float_plain(1e21), "1000000000000000000000");
        assert_eq!(float_plain(1e-7), "0.0000001");
        assert_eq!(float_plain(-0.0), "-0");
        assert_eq!(float_shortest(1e21, -4, 21), "1e+21");
        assert_eq!(float_shortest(1e-7, -4, 21), "1e-07");
        assert_eq!(float_shortest(1.5, -4, 21), "1.5");
    }
}
