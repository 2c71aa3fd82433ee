//! When running builds must be stopped for the disk's sake.
//!
//! Stopping throws work away, so every rule is gated by level: growth on a nearly empty disk never alarms.
//! Left out on purpose: which builds to stop and in what order; that is the planner's.

use super::{Limits, OpenThrottle, PressureKind, presses};
use crate::domain::format::percent;
use crate::domain::resource::{Mount, Sample};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// A disk this full stops builds at once: databases and logs are about to fail.
const DISK_FULL: f64 = 0.98;
/// The growth rule also looks at disks with less than this share left, whatever the limit in the configuration.
const DISK_SCARCE: f64 = 0.05;
/// Fewer samples than this, or a shorter span, give no slope worth stopping a build for.
const SLOPE_SAMPLES: usize = 5;
const SLOPE_SPAN: TimeDelta = TimeDelta::seconds(60);
/// The slope is a median over all pairs; more samples than this would cost more than they add.
const SLOPE_MOST: usize = 80;

/// Why running builds are stopped. `Display` is a sentence part for a person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum StopReason {
    /// At or above 98 %.
    DiskFull {
        /// The mount's path.
        path: String,
        /// Used share.
        used: f64,
    },
    /// Above its limit all the while.
    DiskStaysHigh {
        /// The mount's path.
        path: String,
        /// Used share.
        used: f64,
        /// For how many minutes.
        minutes: i64,
    },
    /// Growing so fast that it would be full soon.
    DiskFills {
        /// The mount's path.
        path: String,
        /// Used share.
        used: f64,
        /// Seconds until it is full at the present rate.
        seconds_left: u64,
    },
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DiskFull { path, used } => write!(f, "disk {path} is {} full", percent(*used)),
            Self::DiskStaysHigh { path, used, minutes } => {
                write!(f, "disk {path} has been above its limit for {minutes} min ({} full)", percent(*used))
            }
            Self::DiskFills { path, used, seconds_left } => {
                let minutes = seconds_left.div_ceil(60);
                write!(f, "disk {path} is {} full and would be full in {minutes} min", percent(*used))
            }
        }
    }
}

/// Decides whether running builds must be stopped (cleanly) for the disk's sake. `recent` in any order; the newest sample
/// decides, so with none there is no reason. After a restart, when `recent` does not reach back far enough, an open
/// disk throttle counts for the time before.
pub fn must_stop_builds(limits: &Limits, recent: &[Sample], open: &[OpenThrottle]) -> Option<StopReason> {
    let mut samples: Vec<&Sample> = recent.iter().collect();
    samples.sort_by_key(|sample| sample.at);
    let newest = *samples.last()?;
    let mut mounts: Vec<&Mount> = newest.mounts.iter().collect();
    mounts.sort_by(|a, b| b.used_fraction().total_cmp(&a.used_fraction()));
    mounts.into_iter().find_map(|mount| {
        let history: Vec<(DateTime<Utc>, &Mount)> = samples
            .iter()
            .filter_map(|sample| Some((sample.at, sample.mounts.iter().find(|other| other.path == mount.path)?)))
            .collect();
        stop_for(limits, mount, &history, open)
    })
}

fn stop_for(
    limits: &Limits,
    mount: &Mount,
    history: &[(DateTime<Utc>, &Mount)],
    open: &[OpenThrottle],
) -> Option<StopReason> {
    let used = mount.used_fraction();
    let path = mount.path.clone();
    if used >= DISK_FULL {
        return Some(StopReason::DiskFull { path, used });
    }
    let above = presses(limits, mount, false);
    if above {
        let held = held_above(limits, history, open);
        if held >= limits.disk_stop_after {
            return Some(StopReason::DiskStaysHigh { path, used, minutes: held.num_minutes() });
        }
    }
    if above || mount.available_fraction() < DISK_SCARCE {
        let rate = growth(history)?;
        let left = mount.available_bytes as f64 / rate;
        if rate > 0.0 && left <= limits.disk_stop_after.as_seconds_f64() {
            let seconds_left = Duration::try_from_secs_f64(left).unwrap_or_default().as_secs();
            return Some(StopReason::DiskFills { path, used, seconds_left });
        }
    }
    None
}

/// How long the disk has been above its limit without a break, up to the newest sample.
fn held_above(limits: &Limits, history: &[(DateTime<Utc>, &Mount)], open: &[OpenThrottle]) -> TimeDelta {
    let Some(&(newest, _)) = history.last() else {
        return TimeDelta::zero();
    };
    let above: Vec<_> = history.iter().rev().take_while(|(_, mount)| presses(limits, mount, false)).collect();
    let mut since = above.last().map_or(newest, |(at, _)| *at);
    if above.len() == history.len() {
        let throttled =
            open.iter().filter(|throttle| throttle.kind == PressureKind::Disk).map(|throttle| throttle.since);
        since = throttled.chain([since]).min().unwrap_or(since);
    }
    newest - since
}

/// Bytes per second by which the disk fills: the Theil–Sen estimator (median slope over all pairs of samples; Sen 1968),
/// which one odd sample can't bend. A drop of more than 5 % of what was used means something was cleaned; the fit starts
/// again there, or the fall would hide the growth after it. `None` when there is too little to go by.
fn growth(history: &[(DateTime<Utc>, &Mount)]) -> Option<f64> {
    let restart = (1..history.len())
        .rev()
        .find(|&i| (history[i].1.used_bytes as f64) < history[i - 1].1.used_bytes as f64 * 0.95)
        .unwrap_or(0);
    let fit = &history[restart.max(history.len().saturating_sub(SLOPE_MOST))..];
    if fit.len() < SLOPE_SAMPLES || fit.last()?.0 - fit.first()?.0 < SLOPE_SPAN {
        return None;
    }
    let mut slopes = Vec::with_capacity(fit.len() * fit.len() / 2);
    for (i, (early, before)) in fit.iter().enumerate() {
        for (late, after) in &fit[i + 1..] {
            let seconds = (*late - *early).as_seconds_f64();
            if seconds > 0.0 {
                slopes.push((after.used_bytes as f64 - before.used_bytes as f64) / seconds);
            }
        }
    }
    slopes.sort_by(f64::total_cmp);
    slopes.get(slopes.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GB: u64 = 1_000_000_000;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + seconds, 0).unwrap()
    }

    /// A 100 GB disk with `used` bytes taken.
    fn sample(seconds: i64, used: u64) -> Sample {
        let mount =
            Mount { path: "/data".into(), used_bytes: used, available_bytes: 100 * GB - used, total_bytes: 100 * GB };
        Sample { mounts: vec![mount], ..Sample::empty(at(seconds)) }
    }

    /// A sample every 20 s for `span` seconds, the disk's use given by the second.
    fn series(span: i64, used: impl Fn(i64) -> u64) -> Vec<Sample> {
        (0..=span / 20).map(|i| sample(i * 20, used(i * 20))).collect()
    }

    fn stop(recent: &[Sample]) -> Option<StopReason> {
        must_stop_builds(&Limits::default(), recent, &[])
    }

    #[test]
    fn a_disk_that_stays_high_stops_builds_after_ten_minutes() {
        assert_eq!(stop(&series(580, |_| 85 * GB)), None);
        let path = "/data".to_owned();
        let reason = StopReason::DiskStaysHigh { path, used: 0.85, minutes: 10 };
        assert_eq!(stop(&series(600, |_| 85 * GB)), Some(reason.clone()));
        assert_eq!(reason.to_string(), "disk /data has been above its limit for 10 min (85 % full)");
    }

    #[test]
    fn a_dip_below_the_limit_starts_the_time_again() {
        assert_eq!(stop(&series(900, |s| if s == 400 { 79 * GB } else { 85 * GB })), None);
    }

    #[test]
    fn after_a_restart_the_open_throttle_counts() {
        let open = [OpenThrottle { kind: PressureKind::Disk, since: at(-700) }];
        let limits = Limits::default();
        assert!(must_stop_builds(&limits, &[sample(0, 85 * GB)], &open).is_some());
        let dipped = [sample(-20, 79 * GB), sample(0, 85 * GB)];
        assert_eq!(must_stop_builds(&limits, &dipped, &open), None);
        let memory = [OpenThrottle { kind: PressureKind::Memory, since: at(-700) }];
        assert_eq!(must_stop_builds(&limits, &[sample(0, 85 * GB)], &memory), None);
    }

    #[test]
    fn a_full_disk_stops_at_once() {
        assert!(matches!(stop(&[sample(0, 98 * GB)]), Some(StopReason::DiskFull { .. })));
        assert_eq!(stop(&[sample(0, 97 * GB)]), None);
        assert_eq!(stop(&[]), None);
    }

    #[test]
    fn fast_growth_counts_only_on_a_disk_already_high() {
        let per_second = GB / 20;
        let high = stop(&series(120, |s| 81 * GB + per_second * s.unsigned_abs()));
        assert!(matches!(high, Some(StopReason::DiskFills { seconds_left: 255..=265, .. })), "{high:?}");
        // The same growth on a nearly empty disk, and a slow one on a high disk: no alarm.
        assert_eq!(stop(&series(120, |s| 5 * GB + per_second * s.unsigned_abs())), None);
        assert_eq!(stop(&series(120, |s| 81 * GB + 1_000_000 * s.unsigned_abs())), None);
    }

    #[test]
    fn one_odd_sample_does_not_bend_the_slope() {
        assert_eq!(stop(&series(120, |s| if s == 120 { 86 * GB } else { 82 * GB })), None);
    }

    #[test]
    fn growth_after_a_cleaning_is_seen() {
        let reason =
            stop(&series(500, |s| if s < 300 { 97 * GB } else { 82 * GB + GB / 20 * (s - 300).unsigned_abs() }));
        assert!(matches!(reason, Some(StopReason::DiskFills { .. })), "{reason:?}");
    }

    #[test]
    fn too_few_samples_give_no_slope() {
        assert_eq!(stop(&[sample(0, 81 * GB), sample(30, 90 * GB)]), None);
    }
}
