//! What a build is expected to take, as far as the planner knows it.

use super::Snapshot;
use crate::domain::build::Build;
use crate::domain::forecast::{Ending, Forecast, Model, Record, Traits};
use crate::domain::settings::Settings;
use crate::domain::task::{Task, TaskKind};
use chrono::{DateTime, Utc};

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

/// The forecast of a build that runs: given that it has not ended yet, and what its agent says.
pub fn forecast_of(world: &Snapshot, model: &Model, build: &Build, now: DateTime<Utc>) -> Option<Forecast> {
    let task = world.task(build.task)?;
    let tried = build.attempt.saturating_sub(1);
    let forecast = model.forecast(&traits_of(world, task), f64::from(task.spec.estimate_minutes), tried);
    let worked = worked(world, build, now);
    let lasted = world.outlook.lasted.get(&build.task).copied().unwrap_or(0.0);
    Some(forecast.claims(worked, build.progress.unwrap_or(0)).after(worked.max(lasted)))
}
