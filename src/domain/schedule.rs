//! When things are due: a night is a local date and a zone; its instants follow from those two alone.
//!
//! The key of a night is its *scheduled* date, so a night that starts late, after midnight or after a restart is still
//! that date's. Clock changes are solved here and nowhere else: a local time that does not exist means the first
//! instant after the gap, a local time that comes twice means the first one.
//! Left out on purpose: what has happened (sessions know that) and what to do about it (the planner).

mod local;

use self::local::{first_instant, next_day, previous_day};
use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;
use std::collections::VecDeque;
use std::time::Duration;

/// Most nights [`Schedule::nights_between`] returns: two months switched off are told one by one, more are not.
pub const NIGHTS_BETWEEN_MAX: usize = 60;

/// The owner's schedule. Times are local to `zone`; those not later than `session_start` on the clock belong to the
/// date after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// The owner's time zone.
    pub zone: Tz,
    /// When a night starts, with the health check.
    pub session_start: NaiveTime,
    /// When learned habits are looked at.
    pub patterns_at: NaiveTime,
    /// When the first builds start.
    pub spawn_at: NaiveTime,
    /// When no build starts any more, and the report is made.
    pub report_at: NaiveTime,
    /// When the brief is due.
    pub brief_at: NaiveTime,
    /// How often progress is told.
    pub progress_every: Duration,
    /// How long builds still start after the owner tapped keep building.
    pub keep_building_until: NaiveTime,
    /// A night starts late only with at least this long left before the report.
    pub late_start_needs: Duration,
}

/// One night's instants: `start <= patterns <= spawn < report <= brief`, always.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Night {
    /// The local date on which it is scheduled to start: its key.
    pub date: NaiveDate,
    /// Health check.
    pub start: DateTime<Utc>,
    /// Pattern check.
    pub patterns: DateTime<Utc>,
    /// First builds.
    pub spawn: DateTime<Utc>,
    /// Last moment a build may start; the report is due.
    pub report: DateTime<Utc>,
    /// The brief is due; the night is over.
    pub brief: DateTime<Utc>,
}

impl Default for Schedule {
    /// The mission's times, in UTC; the configuration knows the zone.
    fn default() -> Self {
        Self {
            zone: Tz::UTC,
            session_start: clock(23, 0),
            patterns_at: clock(23, 5),
            spawn_at: clock(23, 10),
            report_at: clock(6, 30),
            brief_at: clock(7, 0),
            progress_every: Duration::from_mins(30),
            keep_building_until: clock(12, 0),
            late_start_needs: Duration::from_mins(30),
        }
    }
}

fn clock(hour: u32, minute: u32) -> NaiveTime {
    NaiveTime::from_hms_opt(hour, minute, 0).unwrap_or(NaiveTime::MIN)
}

impl Schedule {
    /// Whether the times can make nights. The error says which rule is broken, in the configuration's words.
    pub fn validate(&self) -> Result<(), String> {
        let steps = [
            ("patterns", self.patterns_at),
            ("spawn", self.spawn_at),
            ("report", self.report_at),
            ("brief", self.brief_at),
            ("keep_building_until", self.keep_building_until),
        ];
        let mut before = ("start", TimeDelta::zero());
        for (name, time) in steps {
            let after_start = self.after_start(time);
            // Only these two may fall on the step before them: a night needs time to build in, and an end.
            let may_equal = matches!(name, "patterns" | "spawn" | "brief");
            if after_start < before.1 || (after_start == before.1 && !may_equal) {
                return Err(format!(
                    "the times of a night must follow one another: start <= patterns <= spawn < report <= brief < \
                     keep_building_until, all within 24 hours; {name} ({}) does not come after {}",
                    time.format("%H:%M"),
                    before.0
                ));
            }
            before = (name, after_start);
        }
        let window = self.after_start(self.report_at) - self.after_start(self.spawn_at);
        if self.late_start_needs > window.to_std().unwrap_or_default() {
            return Err("late_start_needs is longer than the time from spawn to report: no night could start".into());
        }
        if self.progress_every < Duration::from_mins(1) {
            return Err("progress_every must be at least 1 minute".into());
        }
        Ok(())
    }

    fn after_start(&self, time: NaiveTime) -> TimeDelta {
        let passed = time - self.session_start;
        if passed < TimeDelta::zero() { passed + TimeDelta::days(1) } else { passed }
    }

    /// The instants of the night scheduled to start on `date`. Total: even where a clock change swallows the whole
    /// building window, one second of it is left, so that every date has one night with its steps in order.
    pub fn night(&self, date: NaiveDate) -> Night {
        let start = self.start_of(date);
        let patterns = self.step(date, self.patterns_at).max(start);
        let spawn = self.step(date, self.spawn_at).max(patterns);
        let report = self.ending(date, self.report_at).max(spawn + TimeDelta::seconds(1));
        let brief = self.ending(date, self.brief_at).max(report);
        Night { date, start, patterns, spawn, report, brief }
    }

    /// A step that may fall on the start itself.
    fn step(&self, date: NaiveDate, time: NaiveTime) -> DateTime<Utc> {
        let date = if time < self.session_start { next_day(date) } else { date };
        first_instant(self.zone, date.and_time(time))
    }

    /// A step that can't: the start's own time of day means the next day's.
    fn ending(&self, date: NaiveDate, time: NaiveTime) -> DateTime<Utc> {
        let date = if time <= self.session_start { next_day(date) } else { date };
        first_instant(self.zone, date.and_time(time))
    }

    /// When the night of `date` starts.
    pub fn start_of(&self, date: NaiveDate) -> DateTime<Utc> {
        first_instant(self.zone, date.and_time(self.session_start))
    }

    /// The date of the last night that has started by `now`, whether or not it is over.
    pub fn last_started(&self, now: DateTime<Utc>) -> NaiveDate {
        // A start never comes before that of the date before it, so the first one found going back is the last one.
        // One date ahead, since a clock set back over midnight repeats the end of a date.
        let mut date = next_day(self.local(now).date_naive());
        while self.start_of(date) > now && previous_day(date) != date {
            date = previous_day(date);
        }
        date
    }

    /// The night that is on: `start <= now < brief`.
    pub fn night_containing(&self, now: DateTime<Utc>) -> Option<Night> {
        Some(self.night(self.last_started(now))).filter(|night| night.start <= now && now < night.brief)
    }

    /// The night that is on, else the next one.
    pub fn current_or_next(&self, now: DateTime<Utc>) -> Night {
        let last = self.night(self.last_started(now));
        if now < last.brief { last } else { self.night(next_day(last.date)) }
    }

    /// The nights whose start lies in `(after, now]`, oldest first; the latest [`NIGHTS_BETWEEN_MAX`] of them.
    pub fn nights_between(&self, after: DateTime<Utc>, now: DateTime<Utc>) -> Vec<Night> {
        let mut nights = VecDeque::new();
        let mut date = next_day(self.local(now).date_naive());
        while nights.len() < NIGHTS_BETWEEN_MAX {
            let night = self.night(date);
            if night.start <= after {
                break;
            }
            if night.start <= now {
                nights.push_front(night);
            }
            let earlier = previous_day(date);
            if earlier == date {
                break;
            }
            date = earlier;
        }
        nights.into()
    }

    /// Whether it is between a night's start and its brief: the mission's `is-overnight`.
    pub fn is_overnight(&self, now: DateTime<Utc>) -> bool {
        self.night_containing(now).is_some()
    }

    /// Whether a night that did not start on time is still worth starting.
    pub fn late_start_possible(&self, night: &Night, now: DateTime<Utc>) -> bool {
        (night.report - now).to_std().is_ok_and(|left| left >= self.late_start_needs)
    }

    /// The next instant, later than `now`, at which the local clock stands at `time`.
    pub fn next_local_time(&self, now: DateTime<Utc>, time: NaiveTime) -> DateTime<Utc> {
        let mut date = previous_day(self.local(now).date_naive());
        // Four dates: yesterday's time may have been pushed by a gap, and a zone may skip a whole day.
        for _ in 0..4 {
            let instant = first_instant(self.zone, date.and_time(time));
            if instant > now {
                return instant;
            }
            date = next_day(date);
        }
        now + TimeDelta::days(1)
    }

    /// `now` on the owner's clock.
    pub fn local(&self, now: DateTime<Utc>) -> DateTime<Tz> {
        now.with_timezone(&self.zone)
    }
}

#[cfg(test)]
mod tests;
