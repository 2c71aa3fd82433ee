//! What a measure command's number says when it is compared with the base's.

use crate::domain::settings::Better;
use crate::domain::words::number;

/// Differences up to this share of the larger number are called none: one run each can't tell more.
const NOISE: f64 = 0.05;

/// How the result compares with the base, such as `5.2× faster (210 ms → 40 ms)`, `1.3× slower (…)` or
/// `no difference (40 ms → 41 ms)`. None when a number is not finite or not above zero: there is no ratio then.
pub fn speed(base: f64, result: f64, better: Better, unit: &str) -> Option<String> {
    if !(base.is_finite() && result.is_finite() && base > 0.0 && result > 0.0) {
        return None;
    }
    let unit = unit.trim();
    let shown = |value: f64| if unit.is_empty() { number(value) } else { format!("{} {unit}", number(value)) };
    let both = format!("({} → {})", shown(base), shown(result));
    let (low, high) = if base < result { (base, result) } else { (result, base) };
    if high - low <= NOISE * high {
        return Some(format!("no difference {both}"));
    }
    let improved = (result < base) == (better == Better::Lower);
    let (good, bad) = words(better, unit);
    Some(format!("{}× {} {both}", ratio(high / low), if improved { good } else { bad }))
}

/// One decimal below ten, none above. Never `1×`: what is not noise is at least 1.1×.
fn ratio(ratio: f64) -> String {
    if ratio < 9.95 { format!("{:.1}", ratio.max(1.1)) } else { format!("{ratio:.0}") }
}

/// The words for better and worse: speed for times and rates, size for bytes, plain words for what else is counted.
fn words(better: Better, unit: &str) -> (&'static str, &'static str) {
    let unit = unit.to_lowercase();
    let time = matches!(
        unit.as_str(),
        "" | "ns" | "us" | "µs" | "μs" | "ms" | "s" | "sec" | "secs" | "second" | "seconds" | "min" | "minutes" | "h"
    );
    let rate = unit.ends_with("/s")
        || unit.ends_with("/sec")
        || unit.contains("per second")
        || matches!(unit.as_str(), "fps" | "rps" | "qps" | "ops" | "tps");
    let bytes = matches!(unit.as_str(), "b" | "bytes" | "kb" | "kib" | "mb" | "mib" | "gb" | "gib");
    match better {
        Better::Lower if time => ("faster", "slower"),
        Better::Higher if rate => ("faster", "slower"),
        Better::Lower if bytes => ("smaller", "larger"),
        _ => ("better", "worse"),
    }
}

/// The last number of the last line that has one, such as 40.2 in `median: 40.2ms`. Digits inside a word (`p95`,
/// `v2`), dates, versions and fractions are no numbers; `1,234.5` is 1234.5.
pub fn last_number(output: &str) -> Option<f64> {
    output.lines().rev().take(1000).find_map(|line| {
        let line = super::clean(line);
        line.split(|c: char| c.is_whitespace() || "=(){}[]|;\"'".contains(c)).rev().find_map(token)
    })
}

fn token(token: &str) -> Option<f64> {
    let token = token.trim_matches([',', ':', '.', '~', '≈']);
    let token = match token.split_once(':') {
        Some((key, value)) if !key.ends_with(|c: char| c.is_ascii_digit()) => value,
        _ => token,
    };
    let end = numeric_end(token);
    let (digits, unit) = token.split_at(end);
    if unit.chars().any(|c| c.is_ascii_digit() || matches!(c, '-' | '.' | ':' | ',' | '_')) {
        return None;
    }
    plain_digits(digits)?.parse::<f64>().ok().filter(|n| n.is_finite())
}

/// Where the number at the token's start ends: sign, digits with separators, an exponent.
fn numeric_end(token: &str) -> usize {
    let bytes = token.as_bytes();
    let mut at = usize::from(matches!(bytes.first(), Some(b'-' | b'+')));
    while bytes.get(at).is_some_and(|b| b.is_ascii_digit() || matches!(b, b'.' | b',')) {
        at += 1;
    }
    if at > 0 && matches!(bytes.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'-' | b'+')));
        let mut exponent = at + 1 + sign;
        while bytes.get(exponent).is_some_and(u8::is_ascii_digit) {
            exponent += 1;
        }
        if exponent > at + 1 + sign {
            at = exponent;
        }
    }
    at
}

/// The digits without thousands separators; none where commas are anything else.
fn plain_digits(digits: &str) -> Option<String> {
    if digits.is_empty() || digits.matches('.').count() > 1 {
        return None;
    }
    if digits.contains(',') {
        let whole = digits.split(['.', 'e', 'E']).next()?.trim_start_matches(['-', '+']);
        let mut groups = whole.split(',');
        let first = groups.next()?;
        if first.is_empty() || first.len() > 3 || groups.any(|g| g.len() != 3) {
            return None;
        }
    }
    Some(digits.replace(',', ""))
}
