//! Progress lines that an agent configured as a plain command may print.
//!
//! Known forms: `PROGRESS 40 text`, `progress: 40% text`, `[40%] text`, `40% text`, and a JSON line
//! `{"progress":0.4,"text":"…"}`. What they say is the agent's claim: it is shown as such and decides nothing.

use super::words::plain;

/// Longest text kept, in characters.
pub const TEXT_CHARS: usize = 120;

/// Longest line looked at, in bytes; a longer one is no progress line.
const LINE_BYTES: usize = 4096;

/// What a line says about progress: percent (0–100, none if it gives only words) and a text of at most
/// [`TEXT_CHARS`] characters, which may be empty. None for every other line, and for numbers above 100.
pub fn read_progress(line: &str) -> Option<(Option<u8>, String)> {
    if line.len() > LINE_BYTES {
        return None;
    }
    let line = line.trim();
    if line.starts_with('{') {
        return json(line);
    }
    if let Some(rest) = line.strip_prefix('[') {
        let (inside, text) = rest.split_once(']')?;
        let (percent, after) = percentage(inside.trim())?;
        return after.is_empty().then(|| (Some(percent), plain(text, TEXT_CHARS)));
    }
    if let Some(rest) = keyword(line) {
        return keyword_line(rest);
    }
    let (percent, text) = percentage(line)?;
    Some((Some(percent), plain(text, TEXT_CHARS)))
}

/// What follows `PROGRESS ` or `progress:`, in any case.
fn keyword(line: &str) -> Option<&str> {
    let word = "progress";
    let (head, rest) = line.split_at_checked(word.len())?;
    if !head.eq_ignore_ascii_case(word) {
        return None;
    }
    // A colon makes any case a keyword; without it only the capitals do, as "progress is slow" is prose.
    rest.strip_prefix(':').or_else(|| rest.strip_prefix(' ').filter(|_| head == "PROGRESS"))
}

/// After the keyword the percent sign may be left out, and the number too.
fn keyword_line(rest: &str) -> Option<(Option<u8>, String)> {
    let rest = rest.trim_start();
    let (number, text) = match rest.find(char::is_whitespace) {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let begins_as_number = number.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '+');
    if begins_as_number {
        let percent = percent_of(number.strip_suffix('%').unwrap_or(number))?;
        return Some((Some(percent), plain(text, TEXT_CHARS)));
    }
    let text = plain(rest, TEXT_CHARS);
    (!text.is_empty()).then_some((None, text))
}

/// `40%` at the start of a text, and the text after it. A letter or digit right after the sign makes it something else
/// (an escaped address, a format string).
fn percentage(text: &str) -> Option<(u8, &str)> {
    let (number, rest) = text.split_once('%')?;
    if rest.starts_with(char::is_alphanumeric) {
        return None;
    }
    Some((percent_of(number.trim_end())?, rest))
}

/// Whole percent of `40` or `40.5`, rounded down: a claim is not made larger.
fn percent_of(number: &str) -> Option<u8> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) {
        return None;
    }
    let above = |percent: u8| percent > 100 || (percent == 100 && fraction.bytes().any(|b| b != b'0'));
    whole.parse().ok().filter(|percent| !above(*percent))
}

/// `progress` as a fraction (0.4, 1.0) or as whole percent (40; 1 is one percent), `text` or `message` beside it.
fn json(line: &str) -> Option<(Option<u8>, String)> {
    let value: serde_json::Value = serde_json::from_str(line).ok()?;
    let progress = value.get("progress")?;
    let percent = if let Some(whole) = progress.as_u64() {
        whole.to_string()
    } else {
        let number = progress.as_f64().filter(|n| *n >= 0.0)?;
        // Six decimals first, so that 0.29 × 100 is 29 and not 28.999….
        format!("{:.6}", if number <= 1.0 { number * 100.0 } else { number })
    };
    let percent = percent_of(&percent)?;
    let text = ["text", "message"].iter().find_map(|key| value.get(*key)?.as_str()).unwrap_or("");
    Some((Some(percent), plain(text, TEXT_CHARS)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_known_forms_are_read() {
        let table = [
            ("PROGRESS 40 writing tests", Some(40), "writing tests"),
            ("PROGRESS 100", Some(100), ""),
            ("PROGRESS compiling", None, "compiling"),
            ("progress: 40% core\u{1b}charts \u{202e}work", Some(40), "core charts work"),
            ("Progress: 7.9", Some(7), ""),
            ("[40%] polishing", Some(40), "polishing"),
            ("[ 40% ] polishing", Some(40), "polishing"),
            ("  75 % nearly", Some(75), "nearly"),
            (r#"{"progress":0.29,"text":"a"}"#, Some(29), "a"),
            (r#"{"progress":1.0}"#, Some(100), ""),
            (r#"{"progress":1,"message":"b"}"#, Some(1), "b"),
            (r#"{"progress":62.5}"#, Some(62), ""),
        ];
        for (line, percent, text) in table {
            assert_eq!(read_progress(line), Some((percent, text.to_string())), "{line}");
        }
    }

    #[test]
    fn everything_else_is_ignored() {
        for line in [
            "",
            "progress",
            "PROGRESS",
            "PROGRESS ",
            "progress is slow",
            "progress: 140% done",
            "PROGRESS -3 x",
            "101%",
            "[x] 40%",
            "[40% of it] x",
            "100.5%",
            "40%s",
            "%",
            "we are 40% there",
            r#"{"progress":"0.4"}"#,
            r#"{"progress":-1}"#,
            r#"{"progress":400}"#,
            r#"{"text":"a"}"#,
            "{",
            "[",
            "99999999999999999999%",
        ] {
            assert_eq!(read_progress(line), None, "{line}");
        }
    }

    proptest! {
        #[test]
        fn nothing_is_above_a_hundred(line in "(PROGRESS |progress: ?|\\[)?-?[0-9]{0,4}(\\.[0-9]+)?%?\\]?\\PC*") {
            if let Some((percent, text)) = read_progress(&line) {
                prop_assert!(percent.is_none_or(|p| p <= 100));
                prop_assert!(text.chars().count() <= TEXT_CHARS && !text.chars().any(char::is_control));
            }
        }
    }
}
