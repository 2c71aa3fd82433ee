//! What a build is expected to take, as far as the planner knows it.

use super::Snapshot;
use crate::domain::build::Build;
use crate::domain::forecast::{Ending, Forecast, Model, Record, Traits};
use crate::domain::settings::Settings;
use crate::domain::task::{Task, TaskKind};
use chrono::{DateTime, TimeDelta, Utc};

/// What a task's duration depends on.
pub fn traits_of(world: &Snapshot, task: &Task) -> Traits {
    traits(&world.settings, task)
}

/// The same where only the configuration is at hand.
pub fn traits(settings: &Settings, task: &Task) -> Traits {
    let agent = match task.spec.kind {
        TaskKind::Action => None,
        _ => settings.agent_for(task.spec.project.as_deref(), task.spec.agent.as_deref()),
    };
    Traits {
        asker: task.source.clone(),
        category: task.spec.category.as_str().to_owned(),
        project: task.spec.project.clone().unwrap_or_default(),
        agent: agent.map(|agent| agent.name.clone()).unwrap_or_default(),
    }
}

/// Minutes a build has worked: without its waits, and without times in which all builds stand still.
pub fn worked(world: &Snapshot, build: &Build, now: DateTime<Utc>) -> f64 {
    let waited = build.waited.as_seconds_f64() / 60.0;
    (world.outlook.working_minutes(build.started_at, now) - waited).max(0.0)
}

/// A build that runs, as a record: it takes longer than this.
pub(super) fn running_record(world: &Snapshot, build: &Build, now: DateTime<Utc>) -> Option<Record> {
    let task = world.task(build.task)?;
    let (minutes, estimate) = (worked(world, build, now), f64::from(task.spec.estimate_minutes));
    Some(Record { traits: traits_of(world, task), estimate, minutes, ending: Ending::Cut })
}

/// The forecast of a build that runs: given that it has not ended yet, and what its agent says. `worked` are its minutes so
/// far; `lasted` those that an earlier attempt took before it broke off.
fn running(model: &Model, traits: &Traits, task: &Task, build: &Build, worked: f64, lasted: f64) -> Forecast {
    let tried = build.attempt.saturating_sub(1);
    let forecast = model.forecast(traits, f64::from(task.spec.estimate_minutes), tried);
    forecast.claims(worked, build.progress.unwrap_or(0)).after(worked.max(lasted))
}

/// That forecast, by all the planner knows. None where the task is not known.
pub(super) fn forecast_of(world: &Snapshot, model: &Model, build: &Build, now: DateTime<Utc>) -> Option<Forecast> {
    let task = world.task(build.task)?;
    let lasted = world.outlook.lasted.get(&build.task).copied().unwrap_or(0.0);
    Some(running(model, &traits_of(world, task), task, build, worked(world, build, now), lasted))
}

/// When a running build will have ended: in half of such cases, and in 8 of 10.
pub type Finish = (DateTime<Utc>, DateTime<Utc>);

/// The same where only the configuration is at hand.
pub fn finish_of(model: &Model, settings: &Settings, task: &Task, build: &Build, now: DateTime<Utc>) -> Finish {
    let worked = build.worked(now).as_seconds_f64() / 60.0;
    finish(&running(model, &traits(settings, task), task, build, worked, 0.0), worked, now)
}

pub(super) fn finish(forecast: &Forecast, worked: f64, now: DateTime<Utc>) -> Finish {
    let at = |chance: f64| now + minutes((forecast.quantile(chance) - worked).max(0.0));
    (at(0.5), at(0.8))
}

/// So many minutes, to the second.
fn minutes(minutes: f64) -> TimeDelta {
    // A forecast has at most 10^7 minutes.
    #[expect(clippy::cast_possible_truncation, reason = "bounded by the forecast, and a second is exact enough")]
    let seconds = (minutes * 60.0).round() as i64;
    TimeDelta::seconds(seconds)
}
