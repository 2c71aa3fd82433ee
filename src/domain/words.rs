//! How numbers, times and other people's texts are put for a reader: hours, clock times, counts, lists.
//!
//! Left out: bytes, and anything a single message alone needs.

use chrono::{DateTime, Duration, Timelike, Utc};
use chrono_tz::Tz;

/// Numbers up to ten as words, as in `two`; digits beyond.
pub fn count_word(n: usize) -> String {
    const WORDS: [&str; 11] = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];
    WORDS.get(n).map_or_else(|| n.to_string(), |word| (*word).to_string())
}

/// `1 test`, `3 tests`.
pub fn counted(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

/// `one build`, `three builds`.
pub fn counted_word(n: usize, noun: &str) -> String {
    format!("{} {noun}{}", count_word(n), if n == 1 { "" } else { "s" })
}

/// The first letter as a capital.
pub fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// `a`, `a and b`, `a, b and c`; beyond `most`: `a, b and 4 more`.
pub fn list<T: AsRef<str>>(items: &[T], most: usize) -> String {
    let items: Vec<&str> = items.iter().map(AsRef::as_ref).collect();
    if items.len() > most {
        let (shown, rest) = items.split_at(most);
        return format!("{} and {} more", shown.join(", "), rest.len());
    }
    match items.split_last() {
        None => String::new(),
        Some((last, [])) => (*last).to_string(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
    }
}

/// A duration in hours; never below zero, as clocks are set back.
pub fn hours(duration: Duration) -> f64 {
    duration.num_seconds().max(0) as f64 / 3600.0
}

/// A number of hours to one decimal, as in `3.8`.
pub fn one_decimal(value: f64) -> String {
    format!("{value:.1}")
}

/// `3.8 h`; below an hour `40 min`, below a minute `under a minute`.
pub fn span(duration: Duration) -> String {
    let minutes = duration.num_minutes();
    match minutes {
        ..1 => "under a minute".into(),
        1..60 => format!("{minutes} min"),
        _ => format!("{} h", one_decimal(hours(duration))),
    }
}

/// A measured number: three significant figures, whole above a thousand, no needless zeros.
pub fn number(value: f64) -> String {
    if value == 0.0 {
        return "0".into();
    }
    let size = value.abs();
    if !(0.001..1e12).contains(&size) {
        return format!("{value:.2e}");
    }
    let decimals = match size {
        100.0.. => 0,
        10.0.. => 1,
        1.0.. => 2,
        0.1.. => 3,
        0.01.. => 4,
        _ => 5,
    };
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_string() } else { text }
}

/// `06:30` in the owner's zone.
pub fn clock(at: DateTime<Utc>, zone: Tz) -> String {
    at.with_timezone(&zone).format("%H:%M").to_string()
}

/// `Thu 03:10`, in the owner's zone: for times that may be another day's.
pub fn day_clock(at: DateTime<Utc>, zone: Tz) -> String {
    at.with_timezone(&zone).format("%a %H:%M").to_string()
}

/// `9:10am`, or `9am` on the hour, in the owner's zone.
pub fn clock_12(at: DateTime<Utc>, zone: Tz) -> String {
    let local = at.with_timezone(&zone);
    let (afternoon, hour) = local.hour12();
    let half = if afternoon { "pm" } else { "am" };
    if local.minute() == 0 { format!("{hour}{half}") } else { format!("{hour}:{:02}{half}", local.minute()) }
}

/// Someone's text on one line: control, format and direction characters gone, runs of blanks made one, cut at `most`
/// characters with `…` as the last.
pub fn plain(text: &str, most: usize) -> String {
    let mut out = String::new();
    let mut length = 0;
    let mut blank = false;
    for c in text.chars() {
        if c.is_whitespace() || c.is_control() {
            blank = true;
            continue;
        }
        if invisible(c) {
            continue;
        }
        let space = blank && length > 0;
        blank = false;
        if length + usize::from(space) >= most {
            if length >= most {
                out.pop();
            }
            out.push('…');
            return out;
        }
        if space {
            out.push(' ');
            length += 1;
        }
        out.push(c);
        length += 1;
    }
    out
}

/// Characters that are not seen but change how the text around them looks: zero-width, direction overrides, tags. The
/// zero-width joiner stays, as emoji are made with it.
fn invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}' | '\u{200c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// A file's name without the folders before it: what is shown of a path on this machine.
pub fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeZone;

    #[test]
    fn numbers_and_lists_read_well() {
        assert_eq!(counted(1, "test"), "1 test");
        assert_eq!(counted_word(2, "build"), "two builds");
        assert_eq!(count_word(11), "11");
        assert_eq!(list(&["a", "b", "c"], 3), "a, b and c");
        assert_eq!(list(&["a", "b", "c", "d"], 2), "a, b and 2 more");
        for (value, text) in
            [(210.0, "210"), (40.26, "40.3"), (5.0, "5"), (0.25, "0.25"), (12345.6, "12346"), (0.0001, "1.00e-4")]
        {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn times_are_the_owners() {
        let zone = chrono_tz::America::New_York;
        let at = Utc.with_ymd_and_hms(2026, 3, 14, 13, 10, 0).unwrap();
        assert_eq!(clock(at, zone), "09:10");
        assert_eq!(clock_12(at, zone), "9:10am");
        assert_eq!(clock_12(at + Duration::minutes(50), zone), "10am");
        assert_eq!(span(Duration::minutes(228)), "3.8 h");
        assert_eq!(span(Duration::minutes(-5)), "under a minute");
    }

    #[test]
    fn foreign_text_is_one_visible_line() {
        assert_eq!(plain("  a\n\tb\u{202e}c\u{1b}[31m ", 80), "a bc [31m");
        assert_eq!(plain("abcdef", 4), "abc…");
        assert_eq!(plain("abcd", 4), "abcd");
        assert_eq!(plain("abc def", 4), "abc…");
        assert_eq!(file_name("/a/b/subagent_3.log"), "subagent_3.log");
    }
}
