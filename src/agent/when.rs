//! Times in prose: when a limit ends, as CLIs tell people. What comes out is a claim, to be clamped by the caller.
//!
//! Known forms, as seen: `try again at 10:05 PM`, `resets 9:18pm (UTC)`, `try again at Nov 23rd, 2026 12:30 AM`, `resets
//! Nov 23 at 9pm (Europe/Berlin)`, `try again in 3 hours 5 minutes`, `will reset after 20h33m24s`, `limit reached|1795382295`.

use super::json::epoch;
use super::stream::Reference;
use chrono::{DateTime, Datelike, Duration, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Utc};
use chrono_tz::{TZ_VARIANTS, Tz};

/// What such a time stands after.
const ANCHORS: [&str; 4] = ["try again", "reset", "retry", "available"];
/// How far after it, in words.
const WORDS: usize = 14;
/// A clock time names a minute; what it promises may come at the end of that.
const ITS_MINUTE: Duration = Duration::seconds(59);
/// A clock time that was reached this recently is today's, not tomorrow's: it was said before it was read.
const JUST_NOW: Duration = Duration::minutes(10);
/// Nobody's window is longer.
const LONGEST: Duration = Duration::days(400);

/// The first time `text` gives for a reset. What it gives as a span counts from `said`.
pub(super) fn reset(text: &str, reference: Reference, said: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let text = text.to_ascii_lowercase();
    let mut places: Vec<usize> = ANCHORS
        .iter()
        .flat_map(|anchor| text.match_indices(anchor).take(8).map(|(at, found)| at + found.len()))
        .collect();
    places.sort_unstable();
    let stated = places.into_iter().find_map(|at| after(&words(&text[at..]), reference, said));
    let stamp = || epoch(text.split_once("reached|")?.1.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()?);
    stated.or_else(stamp).filter(|at| (*at - reference.at).abs() <= LONGEST)
}

fn after(words: &[&str], reference: Reference, said: DateTime<Utc>) -> Option<DateTime<Utc>> {
    for (at, word) in words.iter().enumerate() {
        let rest = &words[at..];
        if let Some(span) = (*word == "in" || *word == "after").then(|| span(&rest[1..])).flatten() {
            return said.checked_add_signed(span);
        }
        if is_date(rest) {
            let (date, taken) = date(rest, reference)?;
            let rest = rest[taken..].strip_prefix(&["at"]).unwrap_or(&rest[taken..]);
            let Some((time, taken)) = clock(rest) else {
                return instant(date.and_time(NaiveTime::MIN), zone(rest, reference));
            };
            return instant(date.and_time(time), zone(&rest[taken..], reference)).map(|at| at + ITS_MINUTE);
        }
        if let Some((time, taken)) = clock(rest) {
            let zone = zone(&rest[taken..], reference);
            let from = reference.at - JUST_NOW;
            let today = from.with_timezone(&zone).date_naive();
            let days = [Some(today), today.succ_opt()];
            return days
                .into_iter()
                .flatten()
                .find_map(|day| instant(day.and_time(time), zone).filter(|at| *at >= from))
                .map(|at| at + ITS_MINUTE);
        }
    }
    None
}

/// Words and numbers; a number and the letters after it are two.
fn words(text: &str) -> Vec<&str> {
    let kind = |c: char| match c {
        '0'..='9' | ':' => 1,
        'a'..='z' | '_' | '/' => 2,
        _ => 0,
    };
    let mut found = Vec::new();
    let mut rest = text;
    while found.len() < WORDS {
        rest = rest.trim_start_matches(|c| kind(c) == 0);
        let Some(first) = rest.chars().next() else { break };
        let end = rest.find(|c| kind(c) != kind(first)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        // `24.5s`: the fraction of a second is nothing to us, and no word of its own.
        rest = match after.strip_prefix('.') {
            Some(fraction) if kind(first) == 1 && fraction.starts_with(|c: char| c.is_ascii_digit()) => {
                fraction.trim_start_matches(|c: char| c.is_ascii_digit())
            }
            _ => after,
        };
        found.push(word);
    }
    found
}

/// `3 hours 5 minutes`, `1 h and 2 m`.
fn span(words: &[&str]) -> Option<Duration> {
    let mut seconds: i64 = 0;
    let mut words = words.iter().filter(|word| **word != "and").peekable();
    let mut any = false;
    while let Some(number) = words.peek().and_then(|word| word.parse::<i64>().ok()) {
        words.next();
        let unit = match *words.next()? {
            "s" | "sec" | "secs" | "second" | "seconds" => 1,
            "m" | "min" | "mins" | "minute" | "minutes" => 60,
            "h" | "hr" | "hrs" | "hour" | "hours" => 3600,
            "d" | "day" | "days" => 86_400,
            "w" | "week" | "weeks" => 604_800,
            "ms" => 0,
            _ => return None,
        };
        seconds = seconds.checked_add(number.checked_mul(unit)?)?;
        any = true;
    }
    Duration::try_seconds(seconds).filter(|_| any)
}

/// A month's name and a number.
fn is_date(words: &[&str]) -> bool {
    let number = words.get(1).is_some_and(|word| word.bytes().all(|b| b.is_ascii_digit()));
    number && words.first().and_then(|word| month(word)).is_some()
}

fn month(word: &str) -> Option<u32> {
    const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let at = MONTHS.iter().position(|month| word.get(..3) == Some(month))?;
    u32::try_from(at + 1).ok()
}

/// `nov 23 rd 2026`, the year left out or not; and how many words it took.
fn date(words: &[&str], reference: Reference) -> Option<(NaiveDate, usize)> {
    let month = month(words.first()?)?;
    let day = words.get(1)?.parse().ok()?;
    let mut taken = 2;
    if words.get(taken).is_some_and(|word| ["st", "nd", "rd", "th"].contains(word)) {
        taken += 1;
    }
    if let Some(year) = words.get(taken).filter(|word| word.len() == 4).and_then(|word| word.parse().ok()) {
        return Some((NaiveDate::from_ymd_opt(year, month, day)?, taken + 1));
    }
    // Without a year it is the next one of that name.
    let yesterday = reference.at.with_timezone(&reference.zone).date_naive().pred_opt()?;
    let years = [yesterday.year(), yesterday.year() + 1];
    let found = years.into_iter().filter_map(|year| NaiveDate::from_ymd_opt(year, month, day));
    found.into_iter().find(|date| *date >= yesterday).map(|date| (date, taken))
}

/// `10:05 pm`, `9 pm`, `21:05`; and how many words it took.
fn clock(words: &[&str]) -> Option<(NaiveTime, usize)> {
    let (hour, minute) = words.first()?.split_once(':').map_or((*words.first()?, None), |(h, m)| (h, Some(m)));
    let half = words.get(1).filter(|word| ["am", "pm"].contains(word));
    if half.is_none() && minute.is_none() {
        return None;
    }
    let hour: u32 = hour.parse().ok()?;
    let minute: u32 = minute.unwrap_or("0").split(':').next()?.parse().ok()?;
    let hour = match half {
        Some(_) if !(1..=12).contains(&hour) => return None,
        Some(&"pm") => hour % 12 + 12,
        Some(_) => hour % 12,
        None => hour,
    };
    Some((NaiveTime::from_hms_opt(hour, minute, 0)?, 1 + usize::from(half.is_some())))
}

/// The zone named right after a time.
fn zone(words: &[&str], reference: Reference) -> Tz {
    let named = |zone: &&Tz| words.first().is_some_and(|word| zone.name().eq_ignore_ascii_case(word));
    TZ_VARIANTS.iter().find(named).copied().unwrap_or(reference.zone)
}

/// A local time that the clocks skip is the one an hour later; of two equal ones the later is meant: waiting too long
/// costs less than hitting the limit again.
fn instant(local: NaiveDateTime, zone: Tz) -> Option<DateTime<Utc>> {
    let found = zone.from_local_datetime(&local).latest();
    found.or_else(|| zone.from_local_datetime(&(local + Duration::hours(1))).latest()).map(|at| at.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn reset(text: &str, reference: Reference) -> Option<DateTime<Utc>> {
        super::reset(text, reference, reference.at)
    }

    fn reference(zone: Tz) -> Reference {
        Reference { at: at("2026-11-22T19:25:00Z"), zone }
    }

    #[test]
    fn times_as_clis_tell_them() {
        let (utc, york, berlin) = (Tz::UTC, chrono_tz::America::New_York, chrono_tz::Europe::Berlin);
        for (text, zone, expected) in [
            (
                "You’ve hit your usage limit. Upgrade to Pro (https://x.y/z) or try again at 10:05 PM.",
                utc,
                "2026-11-22T22:05:59Z",
            ),
            ("try again at 10:05 PM.", york, "2026-11-23T03:05:59Z"),
            // It is 20:25 in Berlin: eight is tomorrow's, and what was reached minutes ago is not.
            ("try again at 8:00 PM.", berlin, "2026-11-23T19:00:59Z"),
            ("try again at 8:20 PM.", berlin, "2026-11-22T19:20:59Z"),
            ("You've hit your 5-hour limit · resets 9:18pm (UTC)", berlin, "2026-11-22T21:18:59Z"),
            ("limit reached ∙ resets 12am (America/New_York)", utc, "2026-11-23T05:00:59Z"),
            ("Your limit will reset at 3pm (Europe/Berlin).", utc, "2026-11-23T14:00:59Z"),
            ("resets Nov 25 at 9pm (UTC)", york, "2026-11-25T21:00:59Z"),
            ("resets Jan 2, 12:30am (UTC)", utc, "2027-01-02T00:30:59Z"),
            ("try again at Nov 23rd, 2026 12:30 AM.", utc, "2026-11-23T00:30:59Z"),
            ("try again at Nov 23rd, 2026 12:30 AM.", york, "2026-11-23T05:30:59Z"),
            ("try again in 3 hours 5 minutes.", york, "2026-11-22T22:30:00Z"),
            ("Try again in 4 days 1 hour 1 minute.", utc, "2026-11-26T20:26:00Z"),
            ("Your quota will reset after 20h33m24s.", utc, "2026-11-23T15:58:24Z"),
            ("Please retry in 35.61s.", utc, "2026-11-22T19:25:35Z"),
            ("Claude AI usage limit reached|1795382295", utc, "2026-11-22T21:18:15Z"),
            ("resets 21:40", utc, "2026-11-22T21:40:59Z"),
            ("You can retry. The limit resets in 1 hour and 2 minutes", utc, "2026-11-22T20:27:00Z"),
        ] {
            assert_eq!(reset(text, reference(zone)), Some(at(expected)), "{text} in {zone}");
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "try again later",
            "try again in a moment",
            "try again in 3 turns",
            "10:05 PM",
            "resets 25:00",
            "resets 13pm",
            "resets Feb 30 at 9pm",
            "resets Nov 23rd, 2999 9pm",
            "try again in 99999999999999999999 hours",
            "try again in 9999999999999999 weeks",
            "limit reached|99",
            "your usage was reset",
        ] {
            assert_eq!(reset(text, reference(Tz::UTC)), None, "{text}");
        }
    }

    #[test]
    fn a_span_counts_from_when_it_was_said_and_a_clock_from_the_start() {
        let said = at("2026-11-22T23:25:00Z");
        let reset = |text| super::reset(text, reference(Tz::UTC), said);
        assert_eq!(reset("try again in 3 hours"), Some(at("2026-11-23T02:25:00Z")));
        assert_eq!(reset("try again at 11:00 PM"), Some(at("2026-11-22T23:00:59Z")));
    }

    #[test]
    fn clocks_that_are_set_are_survived() {
        let berlin = chrono_tz::Europe::Berlin;
        let spring = Reference { at: at("2026-03-28T20:00:00Z"), zone: berlin };
        assert_eq!(reset("resets 2:30am", spring), Some(at("2026-03-29T01:30:59Z")));
        let autumn = Reference { at: at("2026-10-24T20:00:00Z"), zone: berlin };
        assert_eq!(reset("resets 2:30am", autumn), Some(at("2026-10-25T01:30:59Z")));
    }

    proptest! {
        #[test]
        fn any_text_gives_a_time_in_reach_or_none(text in "(try again|resets) ?(at|in|after)? ?[a-zA-Z0-9: ,.()/]{0,40}", tail in "\\PC*") {
            let reference = reference(chrono_tz::Asia::Kolkata);
            if let Some(found) = reset(&format!("{text}{tail}"), reference) {
                prop_assert!((found - reference.at).abs() <= LONGEST);
            }
        }
    }
}
