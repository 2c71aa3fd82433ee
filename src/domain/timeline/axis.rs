//! The axis: real time from left to right, labelled with the owner's clock.
//!
//! On a night when clocks change, an hour is as long as any other; only the labels jump or come twice.

use super::{Mark, Timeline};
use chrono::{DateTime, DurationRound, Offset, TimeDelta, TimeZone, Timelike, Utc};

/// Minutes between labels, to choose from: each divides a day.
const STEPS: [i64; 12] = [1, 2, 5, 10, 15, 30, 60, 120, 180, 240, 360, 720];

/// From instants to places.
#[derive(Debug, Clone, Copy)]
pub(super) struct Axis {
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    /// Left end.
    pub left: f64,
    /// Right end.
    pub right: f64,
}

/// A label under the axis.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tick {
    /// Its place.
    pub x: f64,
    /// `23:00`.
    pub label: String,
}

/// A label over the lanes with its line.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Flag {
    /// Its line's place.
    pub x: f64,
    /// Which row of labels it is in: 0 is the lowest.
    pub row: usize,
    /// Whether the text stands left of the line.
    pub left: bool,
    /// `06:30 report`.
    pub text: String,
}

impl Axis {
    /// The axis of a timeline between two places.
    pub(super) fn new(timeline: &Timeline, left: f64, right: f64) -> Self {
        Self { from: timeline.from, to: timeline.to, left, right }
    }

    /// Where an instant is; those outside are at the ends.
    pub(super) fn x(&self, at: DateTime<Utc>) -> f64 {
        let whole = (self.to - self.from).num_milliseconds().max(1) as f64;
        let part = (at - self.from).num_milliseconds() as f64 / whole;
        self.left + part.clamp(0.0, 1.0) * (self.right - self.left)
    }

    /// Labels on round local times, none nearer to another than `apart`.
    pub(super) fn ticks(&self, timeline: &Timeline, apart: f64) -> Vec<Tick> {
        let minute = (self.right - self.left) / ((self.to - self.from).num_seconds().max(60) as f64 / 60.0);
        let step = STEPS.into_iter().find(|step| *step as f64 * minute >= apart).unwrap_or(1440);
        let begin = self.from.duration_trunc(TimeDelta::minutes(1)).unwrap_or(self.from);
        let minutes = std::iter::successors(Some(begin), |at| at.checked_add_signed(TimeDelta::minutes(1)));
        let mut ticks: Vec<Tick> = vec![];
        for at in minutes.skip_while(|at| *at < self.from).take_while(|at| *at <= self.to) {
            let local = at.with_timezone(&timeline.zone);
            let round = i64::from(local.hour() * 60 + local.minute()) % step == 0;
            let x = self.x(at);
            // Where clocks are set back or forth by less than a step, two labels can come too near.
            if round && ticks.last().is_none_or(|last| x - last.x >= apart * 0.75) {
                ticks.push(Tick { x, label: local.format("%H:%M").to_string() });
            }
        }
        ticks
    }

    /// Labels of the session's moments in rows, so that no text is crossed by another's line. Left of the middle a text
    /// stands right of its line and earlier ones stand higher; right of it, the other way round.
    pub(super) fn flags(&self, timeline: &Timeline, width: impl Fn(&str) -> f64) -> Vec<Flag> {
        let middle = f64::midpoint(self.left, self.right);
        let flag = |mark: &Mark| {
            let clock = mark.at.with_timezone(&timeline.zone).format("%H:%M");
            let x = self.x(mark.at);
            Flag { x, row: 0, left: x > middle, text: format!("{clock} {}", mark.word) }
        };
        let (mut right, mut left): (Vec<Flag>, Vec<Flag>) = timeline.marks.iter().map(flag).partition(|flag| flag.left);
        left.reverse();
        for side in [&mut left, &mut right] {
            for at in 1..side.len() {
                let before = side[at - 1].clone();
                let flag = &mut side[at];
                let near = (flag.x - before.x).abs() < width(&flag.text) + 16.0;
                flag.row = if near { before.row + 1 } else { before.row };
            }
        }
        left.append(&mut right);
        left
    }
}

/// `America/New_York`, and if clocks change in the night, that they do.
pub(super) fn zone_words(timeline: &Timeline) -> String {
    let offset = |at: DateTime<Utc>| timeline.zone.offset_from_utc_datetime(&at.naive_utc()).fix().local_minus_utc();
    let minutes = (offset(timeline.to) - offset(timeline.from)) / 60;
    let zone = timeline.zone.name();
    match minutes {
        0 => zone.to_owned(),
        1.. => format!("{zone} · clocks went forward {minutes} min"),
        _ => format!("{zone} · clocks went back {} min", -minutes),
    }
}
