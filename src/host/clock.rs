//! The time.

use jiff::Timestamp;

/// Now, as envelopes hold it: RFC 3339 in UTC, whole seconds.
pub fn now() -> String {
    rfc3339(Timestamp::now())
}

/// Now, in seconds since 1970.
pub fn seconds() -> i64 {
    Timestamp::now().as_second()
}

/// Whether a time of [`now`] can be right: after this was written, and before certificates and keys of today are long gone.
pub fn is_plausible(now: &str) -> bool {
    ("2026-01-01".."2100-01-01").contains(&now)
}

fn rfc3339(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_seconds_in_utc() {
        let now = now();
        assert!(now.len() == 20 && now.ends_with('Z') && now.parse::<Timestamp>().is_ok(), "{now}");
    }

    #[test]
    fn clock_that_was_never_set_is_not_plausible() {
        assert!(is_plausible(&now()));
        assert!(!is_plausible("1970-01-01T00:00:07Z") && !is_plausible("2106-02-07T06:28:15Z"));
    }
}
