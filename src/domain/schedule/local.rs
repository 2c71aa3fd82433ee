//! From a local date and time to one instant, whatever the zone does on that day.

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta, Utc};
use chrono::{MappedLocalTime, TimeZone};
use chrono_tz::Tz;

/// Longest gap looked over: a zone that crosses the date line skips a day (Apia did on 2011-12-30).
const LONGEST_GAP_MINUTES: usize = 2 * 24 * 60;

/// The instant of `local` in `zone`: the first of two in a fold, the first valid instant after a gap.
pub(super) fn first_instant(zone: Tz, local: NaiveDateTime) -> DateTime<Utc> {
    if let Some(instant) = earliest(zone, local) {
        return instant;
    }
    let after_gap = steps(local, TimeDelta::minutes(1), LONGEST_GAP_MINUTES).find(|t| earliest(zone, *t).is_some());
    let Some(after_gap) = after_gap else {
        // No zone has such a gap; were one to appear, UTC is at least an instant near it.
        return local.and_utc();
    };
    // Gaps of the past ended on odd seconds (local mean time), so the last minute is looked at closely.
    let minute_before = after_gap - TimeDelta::minutes(1);
    steps(minute_before, TimeDelta::seconds(1), 60)
        .find_map(|t| earliest(zone, t))
        .unwrap_or_else(|| after_gap.and_utc())
}

fn earliest(zone: Tz, local: NaiveDateTime) -> Option<DateTime<Utc>> {
    match zone.from_local_datetime(&local) {
        MappedLocalTime::Single(instant) | MappedLocalTime::Ambiguous(instant, _) => Some(instant.with_timezone(&Utc)),
        MappedLocalTime::None => None,
    }
}

fn steps(from: NaiveDateTime, step: TimeDelta, count: usize) -> impl Iterator<Item = NaiveDateTime> {
    std::iter::successors(from.checked_add_signed(step), move |t| t.checked_add_signed(step)).take(count)
}

/// The date after, or the last of the calendar.
pub(super) fn next_day(date: NaiveDate) -> NaiveDate {
    date.succ_opt().unwrap_or(date)
}

/// The date before, or the first of the calendar.
pub(super) fn previous_day(date: NaiveDate) -> NaiveDate {
    date.pred_opt().unwrap_or(date)
}
