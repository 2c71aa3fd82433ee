//! Runs in the plan: how long one may take, when one is stopped, and how its end reads.

use super::{Action, Gap, Snapshot};
use crate::domain::build::{Run, RunEnding, RunOwner, RunStep, StopReason};
use chrono::{DateTime, TimeDelta, Utc};
use std::time::Duration;

/// Exit status by which a command says "try again later" (sysexits.h, EX_TEMPFAIL).
pub const TRY_AGAIN: i32 = 75;

/// When a run reaches its time limit by the bot's clock, while it runs. An agent's limit is its build's: what it worked
/// in earlier rounds counts, what it waited between them does not. Neither does a time without a sign of life, in which
/// this machine slept or its clock was set: supervisors count what really passed, and end a run that nobody stops.
pub(super) fn deadline(world: &Snapshot, run: &Run, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let build = &world.settings.build;
    let limit = match run.step {
        RunStep::Setup => build.setup_timeout,
        RunStep::Agent => build.timeout,
        RunStep::Verify | RunStep::VerifyAgain => build.verify_timeout,
        RunStep::Measure => build.measure_timeout,
    };
    let earlier = world.runs.iter().filter(|other| {
        (run.owner, run.step) == (other.owner, other.step) && run.step == RunStep::Agent && other.round < run.round
    });
    let left = left(limit, earlier, &world.gaps);
    // A clock that was set back leaves gaps in times that are still to come.
    let slept = asleep(&world.gaps, run.started_at, now);
    (run.ended.is_none() && run.stop_requested.is_none()).then_some(run.started_at + left + slept)
}

/// What earlier rounds left of a build's time.
pub fn left<'a>(limit: Duration, earlier: impl Iterator<Item = &'a Run>, gaps: &[Gap]) -> TimeDelta {
    let limit = TimeDelta::from_std(limit).unwrap_or(TimeDelta::hours(8));
    let worked = |run: &Run| {
        let end = run.ended.as_ref().map_or(run.started_at, |(at, _)| *at);
        (end - run.started_at - asleep(gaps, run.started_at, end)).max(TimeDelta::zero())
    };
    (limit - earlier.map(worked).sum::<TimeDelta>()).max(TimeDelta::zero())
}

/// How much of a span was without a sign of life.
fn asleep(gaps: &[Gap], from: DateTime<Utc>, to: DateTime<Utc>) -> TimeDelta {
    let within = |(since, until): &Gap| ((*until).min(to) - (*since).max(from)).max(TimeDelta::zero());
    gaps.iter().map(within).sum()
}

/// Whether an agent has used what it may.
fn over_budget(world: &Snapshot, run: &Run) -> bool {
    let build = world.builds.iter().find(|build| run.step == RunStep::Agent && run.owner == RunOwner::Build(build.id));
    build.is_some_and(|build| super::budget::of_build(world, build).is_some())
}

/// The stop a running run has coming, if any: the owner's first, then the disk's, the budget's, the clock's.
pub(super) fn stop_due(
    world: &Snapshot,
    run: &Run,
    asked: Option<StopReason>,
    stop_for_disk: Option<&str>,
    now: DateTime<Utc>,
) -> Option<Action> {
    // A gap up to now is known once a sample was taken after it.
    let seen = world.sample_due > now;
    let reason = asked
        .or(stop_for_disk.map(|_| StopReason::Disk))
        .or_else(|| over_budget(world, run).then_some(StopReason::Budget))
        .or_else(|| deadline(world, run, now).filter(|at| seen && now >= *at).map(|_| StopReason::TimeLimit))?;
    (run.ended.is_none() && run.stop_requested.is_none()).then_some(Action::StopRun { run: run.id, reason })
}

/// How a run ended, in words that follow its name.
pub fn describe(ending: &RunEnding) -> String {
    match ending {
        RunEnding::Exited { code: TRY_AGAIN } => "asked to be tried again later (exit status 75)".into(),
        RunEnding::Exited { code } => format!("ended with exit status {code}"),
        RunEnding::Signaled { signal } => format!("was ended by signal {signal}"),
        RunEnding::TimedOut => "ran into its time limit".into(),
        RunEnding::Silent => "printed nothing for too long and was ended".into(),
        RunEnding::Stopped { reason } => match reason.parse() {
            Ok(StopReason::Owner) => "was stopped by you".into(),
            Ok(StopReason::TimeLimit) => "ran into its time limit and was stopped".into(),
            Ok(StopReason::Disk) => "was stopped because the disk was filling".into(),
            Ok(StopReason::Budget) => "was stopped: its budget is used up".into(),
            Err(_) => format!("was stopped ({reason})"),
        },
        RunEnding::Lost => "was lost: the machine or its supervisor went away".into(),
        RunEnding::NotStarted { error } => format!("could not be started: {error}"),
    }
}
