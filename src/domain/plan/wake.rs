//! When to look again at the latest. Ends of runs and effects, taps and other processes wake the engine by themselves.

use super::{Snapshot, night, runs, ships};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

/// The earliest moment after `now` at which the plan can change by itself, with its reason.
pub(super) fn next(world: &Snapshot, last_night: NaiveDate, now: DateTime<Utc>) -> (DateTime<Utc>, &'static str) {
    let mut wakes = vec![(world.sample_due, "a resource sample is due")];
    let tonight = last_night.succ_opt().unwrap_or(last_night);
    wakes.push((world.settings.schedule.start_of(tonight), "the night begins"));
    for session in &world.sessions {
        wakes.extend(night::wakes(world, session, now));
    }
    for task in &world.tasks {
        wakes.extend(task.retry_at.map(|at| (at, "a retry is due")));
        wakes.extend(task.spec.not_before.map(|at| (at, "a task's not-before time has come")));
    }
    for provider in &world.providers {
        wakes.extend(provider.block.iter().map(|block| (block.until, "an agent's limit may have been reset")));
        let resets = provider.windows.iter().filter_map(|window| window.resets_at);
        wakes.extend(resets.map(|at| (at, "an agent's usage window is reset")));
    }
    wakes.extend(ships::wake(world).map(|at| (at, "a ship that waits is tried again")));
    for run in &world.runs {
        wakes.extend(runs::deadline(world, run, now).map(|at| (at, "a run reaches its time limit")));
    }
    wakes
        .into_iter()
        .filter(|(at, _)| *at > now)
        .min_by_key(|(at, _)| *at)
        .unwrap_or((now + TimeDelta::minutes(30), "nothing else is due"))
}
