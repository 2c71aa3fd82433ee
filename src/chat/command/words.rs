//! The small readings a command is made of: task numbers, times, estimates, argv, the nearest known word.
//!
//! The argv is split by hand because the usual crates read `#` as a comment, which would lose what was typed after it.

use super::{MAX_TASKS_AT_ONCE, ParseError};
use crate::domain::id::TaskId;
use crate::domain::task::limits;
use chrono::{NaiveDate, NaiveDateTime, NaiveTime};

/// Splits off the first word: `("add", " rest as typed")`.
pub(super) fn first_word(text: &str) -> (&str, &str) {
    let text = text.trim_start_matches(|c: char| c.is_whitespace() && c != '\n');
    text.split_at(text.find(char::is_whitespace).unwrap_or(text.len()))
}

/// What was typed, on one line, escaped and cut, for an error message.
pub(super) fn quoted(text: &str) -> String {
    const SHOWN: usize = 60;
    let text = text.trim();
    let cut: String = text.chars().take(SHOWN).collect();
    let dots = if cut.len() < text.len() { "…" } else { "" };
    format!("{:?}", format!("{cut}{dots}"))
}

/// The known word that was probably meant: at most one slip in a short word, two in a longer one.
pub(super) fn nearest(word: &str, known: impl IntoIterator<Item = &'static str>) -> Option<&'static str> {
    // Longer words are nobody's slip, and the distance is quadratic.
    if word.chars().count() > 20 {
        return None;
    }
    let slips = if word.chars().count() <= 4 { 1 } else { 2 };
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, _)| (1..=slips).contains(distance))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Whether the word is written like a task number.
pub(super) fn looks_like_number(word: &str) -> bool {
    let digits = word.trim().trim_start_matches('#');
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}

fn plain_number(word: &str) -> Option<TaskId> {
    looks_like_number(word).then(|| word.trim().trim_start_matches('#').parse().ok().map(TaskId))?.filter(|id| id.0 > 0)
}

/// One task number, `12` or `#12`.
pub(super) fn task_number(text: &str, usage: &str) -> Result<TaskId, ParseError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(ParseError::new(format!("Which task? Its number is missing. Try: {usage}")));
    }
    plain_number(text).ok_or_else(|| {
        ParseError::new(format!("{} is no task number; numbers look like 12 or #12. Try: {usage}", quoted(text)))
    })
}

/// Task numbers separated by spaces, commas or `and`; `None` unless all of it is numbers.
pub(super) fn number_list(text: &str) -> Option<Vec<TaskId>> {
    let mut seen = std::collections::HashSet::new();
    let mut numbers = Vec::new();
    for word in text.split(|c: char| c.is_whitespace() || c == ',' || c == '&') {
        if word.is_empty() || word.eq_ignore_ascii_case("and") {
            continue;
        }
        let id = plain_number(word)?;
        if seen.insert(id) {
            numbers.push(id);
        }
    }
    (!numbers.is_empty()).then_some(numbers)
}

/// One or more task numbers, repeats dropped.
pub(super) fn task_numbers(text: &str, usage: &str) -> Result<Vec<TaskId>, ParseError> {
    if text.trim().is_empty() {
        return Err(ParseError::new(format!("Which task? Its number is missing. Try: {usage}")));
    }
    let numbers = number_list(text).ok_or_else(|| {
        ParseError::new(format!("{} are no task numbers; write them like 3 5. Try: {usage}", quoted(text)))
    })?;
    if numbers.len() > MAX_TASKS_AT_ONCE {
        return Err(ParseError::new(format!(
            "That names {} tasks and one command takes at most {MAX_TASKS_AT_ONCE}: nothing was changed. Try: {usage}",
            numbers.len()
        )));
    }
    Ok(numbers)
}

/// `02:00`, `2:00`, `2am`, `11:30 pm`.
pub(super) fn time_of_day(text: &str) -> Option<NaiveTime> {
    let text = text.trim().to_lowercase();
    let (clock, half) = if let Some(clock) = text.strip_suffix("am") {
        (clock.trim_end(), Some(0))
    } else if let Some(clock) = text.strip_suffix("pm") {
        (clock.trim_end(), Some(12))
    } else {
        (text.as_str(), None)
    };
    let (hour, minute) = match clock.split_once(':') {
        Some((hour, minute)) if minute.len() == 2 => (hour, minute),
        None if half.is_some() => (clock, "00"),
        _ => return None,
    };
    if hour.is_empty() || hour.len() > 2 || !hour.bytes().chain(minute.bytes()).all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (hour, minute): (u32, u32) = (hour.parse().ok()?, minute.parse().ok()?);
    let hour = match half {
        Some(add) if (1..=12).contains(&hour) => hour % 12 + add,
        Some(_) => return None,
        None => hour,
    };
    NaiveTime::from_hms_opt(hour, minute, 0)
}

/// `2026-03-15`, `2026-03-15 01:00`, `2026-03-15T01:00`; a date alone means its midnight.
pub(super) fn moment(text: &str) -> Option<NaiveDateTime> {
    let text = text.trim();
    let (date, time) = text.split_once(['T', 't', ' ']).unwrap_or((text, "00:00"));
    if date.len() != 10 {
        return None;
    }
    let date = NaiveDate::parse_from_str(date, "%Y-%m-%d").ok()?;
    Some(date.and_time(time_of_day(time)?))
}

/// An estimate in minutes, unrounded and unchecked: `4h`, `0.5 h`, `90m`, `4 hours`, `1h30`, and bare `4.0` (hours).
pub(super) fn estimate(text: &str) -> Option<f64> {
    let text = text.trim().to_lowercase().replace(',', ".");
    let (first, after) = number_and_rest(&text)?;
    let (unit, rest) = after.split_at(after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len()));
    let rest = rest.trim();
    match unit {
        "m" | "min" | "mins" | "minute" | "minutes" if rest.is_empty() => Some(first),
        "" | "h" | "hr" | "hrs" | "hour" | "hours" if rest.is_empty() => Some(first * 60.0),
        "h" | "hr" | "hrs" | "hour" | "hours" => {
            let (minutes, unit) = number_and_rest(rest)?;
            matches!(unit, "" | "m" | "min" | "mins" | "minute" | "minutes").then_some(first * 60.0 + minutes)
        }
        _ => None,
    }
}

fn number_and_rest(text: &str) -> Option<(f64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let digits = &text[..end];
    if !digits.starts_with(|c: char| c.is_ascii_digit()) || digits.ends_with('.') {
        return None;
    }
    Some((digits.parse().ok()?, text[end..].trim_start()))
}

/// Whole minutes within the limits.
pub(super) fn checked_minutes(minutes: f64, typed: &str) -> Result<u32, ParseError> {
    let (least, most) = (f64::from(limits::ESTIMATE_MIN_MINUTES), f64::from(limits::ESTIMATE_MAX_MINUTES));
    let rounded = minutes.round();
    if rounded > most {
        return Err(ParseError::new(format!(
            "The estimate {} is too long: it must be 0.1–8 h. Please split the task into parts of at most 8 h, and let \
             one wait for the other. Try: /queue add Part two | 6h | after #3",
            quoted(typed)
        )));
    }
    if rounded < least {
        return Err(ParseError::new(format!(
            "The estimate {} is too short: it must be 0.1–8 h. Try: /queue add Fix the typo | 0.1h",
            quoted(typed)
        )));
    }
    // The range was checked above, so the cast is exact; f64 has no checked conversion.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 6 and 480")]
    Ok(rounded as u32)
}

/// Splits a command line as a shell would by its quotes and backslashes. Nothing is expanded: `$HOME`, `*`, `#` and `;` are
/// plain characters.
pub(super) fn argv(text: &str) -> Result<Vec<String>, ParseError> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\'' | '"' => {
                let word = word.get_or_insert_default();
                quoted_part(c, &mut chars, word)
                    .ok_or_else(|| bad_command(text, &format!("the quote {c} is never closed")))?;
            }
            '\\' => match chars.next() {
                Some(next) => word.get_or_insert_default().push(next),
                None => return Err(bad_command(text, "it ends in a backslash")),
            },
            // Phones turn straight quotes into these; taking them as data would run another command than meant.
            '“' | '”' | '‘' | '’' => return Err(bad_command(text, "it has curly quotes; use straight ones")),
            c if c.is_whitespace() => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    if words.first().is_none_or(String::is_empty) {
        return Err(bad_command(text, "it names no program"));
    }
    if words.iter().any(|word| word.contains('\0')) {
        return Err(bad_command(text, "it has a NUL character, which no program can be given"));
    }
    Ok(words)
}

fn quoted_part(quote: char, chars: &mut std::str::Chars<'_>, word: &mut String) -> Option<()> {
    loop {
        match chars.next()? {
            c if c == quote => return Some(()),
            '\\' if quote == '"' => match chars.next()? {
                c @ ('"' | '\\' | '$' | '`') => word.push(c),
                c => word.extend(['\\', c]),
            },
            c => word.push(c),
        }
    }
}

fn bad_command(text: &str, why: &str) -> ParseError {
    ParseError::new(format!(
        "The command {} can't be read: {why}. Nothing was queued. Try: ! ./publish.sh \"spring news\"",
        quoted(text)
    ))
}
