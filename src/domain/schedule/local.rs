//! From a local date and time to one instant, whatever the zone does on that day.

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta, Utc};
use chrono::{MappedLocalTime, TimeZone};
use chrono_tz::Tz;

/// Longest gap looked over: a zone that crosses the date line skips a day (Apia did on 2011-12-30).
const LONGEST_GAP_HOURS: usize = 2 * 24;

/// The instant of `local` in `zone`: the first of two in a fold, the first valid instant after a gap.
pub(super) fn first_instant(zone: Tz, local: NaiveDateTime) -> DateTime<Utc> {
    if let Some(instant) = earliest(zone, local) {
        return instant;
    }
    let hours = std::iter::successors(Some(local), |t| t.checked_add_signed(TimeDelta::hours(1)));
    let Some(after_gap) = hours.take(LONGEST_GAP_HOURS).find(|t| earliest(zone, *t).is_some()) else {
        // No zone has such a gap; were one to appear, UTC is at least an instant near it.
        return local.and_utc();
    };
    // To the second, since gaps of the past ended on odd ones (local mean time).
    let (mut missing, mut exists) = (after_gap - TimeDelta::hours(1), after_gap);
    while exists - missing > TimeDelta::seconds(1) {
        let middle = missing + TimeDelta::seconds((exists - missing).num_seconds() / 2);
        if earliest(zone, middle).is_some() { exists = middle } else { missing = middle }
    }
    earliest(zone, exists).unwrap_or_else(|| exists.and_utc())
}

fn earliest(zone: Tz, local: NaiveDateTime) -> Option<DateTime<Utc>> {
    match zone.from_local_datetime(&local) {
        MappedLocalTime::Single(instant) | MappedLocalTime::Ambiguous(instant, _) => Some(instant.with_timezone(&Utc)),
        MappedLocalTime::None => None,
    }
}

/// The date after, or the last of the calendar.
pub(super) fn next_day(date: NaiveDate) -> NaiveDate {
    date.succ_opt().unwrap_or(date)
}

/// The date before, or the first of the calendar.
pub(super) fn previous_day(date: NaiveDate) -> NaiveDate {
    date.pred_opt().unwrap_or(date)
}
