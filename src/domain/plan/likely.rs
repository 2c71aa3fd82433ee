//! What a night will probably look like: the planner is asked again and again in virtual time, where every build takes as
//! long as half of its kind do and ends well. Changes nothing; the night itself will see how long things really take.

use super::expect::{self, Finish, forecast_of};
use super::{Action, Snapshot, choice, spawn};
use crate::domain::build::{Build, BuildStep};
use crate::domain::forecast::{Model, explain};
use crate::domain::id::{BuildId, SessionId, TaskId};
use crate::domain::session::Session;
use crate::domain::throttle::Permits;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use std::collections::BTreeSet;

/// Most builds looked ahead: a night has no more than a few dozen.
const MOST: usize = 60;
/// Most tasks whose waiting is explained.
const EXPLAINED: usize = 50;

/// A build as it will probably be.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LikelyBuild {
    /// Which task.
    pub task: TaskId,
    /// Its title.
    pub title: String,
    /// When it starts, or has started.
    pub start: DateTime<Utc>,
    /// By then it is done in half of such cases.
    pub half: DateTime<Utc>,
    /// By then in 8 of 10.
    pub most: DateTime<Utc>,
    /// Whether it runs already.
    pub running: bool,
    /// Why then; empty for one that runs.
    pub why: String,
}

/// A night as it will probably be.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LikelyNight {
    /// When builds may start.
    pub from: DateTime<Utc>,
    /// When starting ends.
    pub until: DateTime<Utc>,
    /// In the order of their starts.
    pub builds: Vec<LikelyBuild>,
    /// Tasks that will not be started, the most wanted first, each with why not.
    pub left: Vec<(TaskId, String)>,
    /// How many more there are.
    pub left_unsaid: usize,
}

/// Looks ahead from now, or from the beginning of the next night if none builds now.
pub fn likely(world: &Snapshot, now: DateTime<Utc>) -> LikelyNight {
    let mut ahead = world.clone();
    ahead.barred = None;
    ahead.paused = false;
    let (session, from) = match world.spawning_session(now) {
        Some(session) => (session.clone(), now),
        None => next_session(world, now),
    };
    let until = session.keep_until.map_or(session.spawn_until, |keep| keep.max(session.spawn_until));
    ahead.sessions.retain(|other| other.id == session.id);
    if ahead.sessions.is_empty() {
        ahead.sessions.push(session.clone());
    }
    let model = Model::learn(&ahead.outlook.history, &[]);
    let mut night = LikelyNight { from, until, builds: vec![], left: vec![], left_unsaid: 0 };
    running(&ahead, &model, now, &mut night);
    let mut at = from;
    while at < until && night.builds.len() < MOST {
        end_due(&mut ahead, &night, at);
        start(&mut ahead, &model, session.id, at, &mut night);
        let ends =
            night.builds.iter().filter(|build| ahead.builds.iter().any(|b| b.task == build.task)).map(|b| b.half);
        let opens = ahead.tasks.iter().flat_map(|task| [task.spec.not_before, task.retry_at]).flatten();
        let blocks = ahead.providers.iter().filter_map(|provider| provider.block.as_ref().map(|block| block.until));
        let Some(next) = ends.chain(opens).chain(blocks).filter(|moment| *moment > at).min() else { break };
        at = next;
    }
    end_due(&mut ahead, &night, until);
    leave(&ahead, &model, until, &mut night);
    night
}

/// The night to come, as the session it will be.
fn next_session(world: &Snapshot, now: DateTime<Utc>) -> (Session, DateTime<Utc>) {
    let schedule = &world.settings.schedule;
    let mut night = schedule.current_or_next(now);
    while night.report <= now || world.skipped.contains(&night.date) {
        let Some(date) = night.date.succ_opt() else { break };
        night = schedule.night(date);
    }
    let id = SessionId(i64::MAX);
    let session = Session {
        started_at: night.start,
        patterns_at: night.patterns,
        ..Session::building(id, night.date, night.spawn, night.report, night.brief)
    };
    (session, night.spawn.max(now))
}

fn running(ahead: &Snapshot, model: &Model, now: DateTime<Utc>, night: &mut LikelyNight) {
    for build in ahead.running() {
        let (Some(task), Some((half, most))) = (ahead.task(build.task), finish(ahead, model, build, now)) else {
            continue;
        };
        night.builds.push(LikelyBuild {
            task: task.id,
            title: task.spec.title.clone(),
            start: build.started_at,
            half,
            most,
            running: true,
            why: String::new(),
        });
    }
}

/// When a running build will have ended. None where its task is not known.
fn finish(world: &Snapshot, model: &Model, build: &Build, now: DateTime<Utc>) -> Option<Finish> {
    let forecast = forecast_of(world, model, build, now)?;
    Some(expect::finish(&forecast, expect::worked(world, build, now), now))
}

fn end_due(ahead: &mut Snapshot, night: &LikelyNight, at: DateTime<Utc>) {
    let done: BTreeSet<TaskId> = night.builds.iter().filter(|build| build.half <= at).map(|build| build.task).collect();
    ahead.builds.retain(|build| !done.contains(&build.task));
    ahead.tasks.retain(|task| !done.contains(&task.id));
    ahead.completed.extend(done.into_iter().map(|task| (task, None)));
}

fn start(ahead: &mut Snapshot, model: &Model, session: SessionId, at: DateTime<Utc>, night: &mut LikelyNight) {
    let permits = Permits { max: ahead.settings.limits.max_builds, blocked_by: vec![], unknown: vec![] };
    let mut actions = vec![];
    spawn::spawn(ahead, &permits, at, &mut actions);
    for action in actions {
        let Action::StartBuild(new) = action else { continue };
        let begun = Build::begun(BuildId(i64::MAX), new.task, session, new.attempts_before + 1, new.agent, at);
        let build = Build { step: BuildStep::Working, prepared: true, ..begun };
        let (Some(task), Some((half, most))) = (ahead.task(new.task), finish(ahead, model, &build, at)) else {
            continue;
        };
        night.builds.push(LikelyBuild {
            task: new.task,
            title: task.spec.title.clone(),
            start: at,
            // A minute at least, so that time goes on.
            half: half.max(at + TimeDelta::minutes(1)),
            most: most.max(at + TimeDelta::minutes(1)),
            running: false,
            why: new.why.rsplit("; ").next().unwrap_or_default().to_owned(),
        });
        ahead.builds.push(build);
    }
}

/// Says of what is left why it does not come to its turn.
fn leave(ahead: &Snapshot, model: &Model, until: DateTime<Utc>, night: &mut LikelyNight) {
    let zone = ahead.settings.schedule.zone;
    let mut left: Vec<_> =
        ahead.tasks.iter().filter(|task| !ahead.builds.iter().any(|build| build.task == task.id)).collect();
    left.sort_by_key(|task| (std::cmp::Reverse(task.spec.priority), task.id));
    night.left_unsaid = left.len().saturating_sub(EXPLAINED);
    let last = until - TimeDelta::seconds(1);
    for task in left.into_iter().take(EXPLAINED) {
        let why = match choice::standing(ahead, task, last) {
            choice::Standing::Ready { .. } => format!(
                "others are worth more for the time there is; {}",
                explain(model, &expect::traits_of(ahead, task), f64::from(task.spec.estimate_minutes))
            ),
            other => other.words(zone),
        };
        night.left.push((task.id, why));
    }
}
