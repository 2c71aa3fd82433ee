//! Amounts as a person reads them: bytes, shares, spans of minutes.
//!
//! Decimal units only (1 MB = 1,000,000 bytes), because that is what disks, phones and file managers show the owner.
//! Left out on purpose: localisation, times of day (they need the owner's zone) and anything that knows a message format.

/// `bytes` in decimal units with at most three digits: `0 B`, `999 B`, `1.5 MB`, `45 MB`, `2 GB`.
pub fn human_bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KB", "MB", "GB", "TB", "PB", "EB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1000.0;
    let mut unit = 0;
    // 999.5 would print as "1000": the next unit is taken where rounding would need a fourth digit.
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    let text = if value < 9.95 { format!("{value:.1}") } else { format!("{value:.0}") };
    format!("{} {}", text.strip_suffix(".0").unwrap_or(&text), UNITS[unit])
}

/// A number with at most three digits and a letter: `950`, `12 k`, `1.4 M`.
pub fn count(number: u64) -> String {
    let value = number as f64;
    match number {
        0..1_000 => number.to_string(),
        1_000..1_000_000 => format!("{:.0} k", (value / 1e3).min(999.0)),
        _ if value < 9.95e6 => format!("{:.1} M", value / 1e6),
        _ => format!("{:.0} M", value / 1e6),
    }
}

/// A share of one (0.832) as whole percent (`83 %`). Not a number reads `unknown`.
pub fn percent(share: f64) -> String {
    if share.is_finite() { format!("{:.0} %", share * 100.0) } else { "unknown".to_owned() }
}

/// serde for a span as whole milliseconds.
pub mod milliseconds {
    use chrono::TimeDelta;
    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes it.
    pub fn serialize<S: Serializer>(span: &TimeDelta, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(span.num_milliseconds())
    }

    /// Reads it.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TimeDelta, D::Error> {
        i64::deserialize(deserializer).map(TimeDelta::milliseconds)
    }
}

/// Bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bytes_read_as_a_file_manager_shows_them() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1 KB"),
            (1499, "1.5 KB"),
            (9_940, "9.9 KB"),
            (9_960, "10 KB"),
            (999_499, "999 KB"),
            (999_500, "1 MB"),
            (45_300_000, "45 MB"),
            (78_000_000, "78 MB"),
            (5_000_000_000, "5 GB"),
            (u64::MAX, "18 EB"),
        ] {
            assert_eq!(human_bytes(bytes), text, "{bytes}");
        }
    }

    #[test]
    fn shares_read_as_percent() {
        assert_eq!(percent(0.832), "83 %");
        assert_eq!(percent(1.0), "100 %");
        assert_eq!(percent(f64::NAN), "unknown");
    }

    proptest! {
        #[test]
        fn never_more_than_three_digits(bytes in any::<u64>()) {
            let text = human_bytes(bytes);
            prop_assert!(text.chars().filter(char::is_ascii_digit).count() <= 3, "{}", text);
        }
    }
}
