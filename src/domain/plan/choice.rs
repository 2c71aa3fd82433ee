//! Which task next: what stands in a task's way, and the order of those with nothing in the way.

use super::{Snapshot, resume};
use crate::domain::build::BuildStep;
use crate::domain::id::TaskId;
use crate::domain::provider::Room;
use crate::domain::session::Session;
use crate::domain::task::{Task, TaskKind, TaskState};
use crate::domain::words::{clock, day_clock};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;

/// Where an open task stands: ready, or what it waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Could be started now if a permit is free.
    Ready {
        /// Whether it runs under an approval.
        approved: bool,
    },
    /// Being built.
    Building,
    /// Its build waits for its provider, or for room to go on.
    Parked {
        /// Not before then, and whether that is the reset the provider stated; none: as soon as there is room.
        until: Option<(DateTime<Utc>, bool)>,
        /// What was said.
        why: String,
    },
    /// Its agent asked something and waits for the answer.
    Asks {
        /// What it asks.
        question: String,
    },
    /// No agent that may build it can be used.
    AgentClosed {
        /// Not before then, and whether that is a stated reset.
        until: (DateTime<Utc>, bool),
        /// Which agent, and why.
        why: String,
    },
    /// Something is still being asked about it.
    Draft,
    /// Needs a tap.
    Locked {
        /// Why.
        why: String,
    },
    /// Not before this time.
    NotBefore(DateTime<Utc>),
    /// A retry after a transient failure.
    RetryAt(DateTime<Utc>),
    /// Waits for these tasks.
    DependsOn(Vec<TaskId>),
    /// These tasks ended without completing: it can't be built as things are.
    DependencyFailed(Vec<TaskId>),
    /// Its project or agent is not configured, or can't be used.
    Misconfigured(String),
}

impl Standing {
    /// In words for the owner, in their time zone.
    pub fn words(&self, zone: Tz) -> String {
        let ids = |ids: &[TaskId]| ids.iter().map(|id| format!("#{id}")).collect::<Vec<_>>().join(", ");
        match self {
            Self::Ready { approved: true } => "ready, approved".into(),
            Self::Ready { approved: false } => "ready, auto-approved".into(),
            Self::Building => "being built".into(),
            Self::Parked { until: None, why } => format!("parked: {why}"),
            Self::Parked { until: Some((at, true)), why } => format!("parked until {}: {why}", day_clock(*at, zone)),
            Self::Parked { until: Some((at, false)), why } => {
                format!("parked, looked at again at {}: {why}", day_clock(*at, zone))
            }
            Self::Asks { question } => format!("waits for your answer: {question}"),
            Self::AgentClosed { until: (at, true), why } => format!("not before {}: {why}", day_clock(*at, zone)),
            Self::AgentClosed { until: (at, false), why } => {
                format!("{why}; looked at again at {}", day_clock(*at, zone))
            }
            Self::Draft => "waits for your answer".into(),
            Self::Locked { why } => format!("locked: {why}"),
            Self::NotBefore(at) => format!("not before {}", day_clock(*at, zone)),
            Self::RetryAt(at) => format!("tried again at {}", clock(*at, zone)),
            Self::DependsOn(tasks) => format!("waits for {}", ids(tasks)),
            Self::DependencyFailed(tasks) => {
                format!("can't be built: {} did not complete; /retry or edit it", ids(tasks))
            }
            Self::Misconfigured(trouble) => trouble.clone(),
        }
    }
}

/// What stands in this task's way now.
pub fn standing(world: &Snapshot, task: &Task, now: DateTime<Utc>) -> Standing {
    if task.state == TaskState::Draft {
        return Standing::Draft;
    }
    match world.builds.iter().find(|build| build.task == task.id) {
        Some(build) if build.step == BuildStep::Parked => return resume::standing(world, build, now),
        Some(_) => return Standing::Building,
        None => {}
    }
    if let Some(trouble) = misconfigured(world, task) {
        return Standing::Misconfigured(trouble);
    }
    let lock = lock(world, task);
    let approved = lock.is_some() && is_approved(world, task);
    if let (Some(why), false) = (lock, approved) {
        return Standing::Locked { why };
    }
    let (failed, waiting): (Vec<_>, Vec<_>) = task
        .spec
        .depends_on
        .iter()
        .filter(|id| !world.completed.contains_key(id))
        .partition(|id| world.gone.contains(id));
    if !failed.is_empty() {
        return Standing::DependencyFailed(failed);
    }
    if !waiting.is_empty() {
        return Standing::DependsOn(waiting);
    }
    match (task.spec.not_before, task.retry_at) {
        (Some(at), _) if at > now => Standing::NotBefore(at),
        (_, Some(at)) if at > now => Standing::RetryAt(at),
        _ => match agent_for(world, task, &[], now) {
            Err(closed) => closed,
            Ok(_) => Standing::Ready { approved },
        },
    }
}

/// The agent a new build of this task is given: the one it asks for, or the first of those named to step in that can be
/// used. None for an action. `started` are the agents of builds planned in the same look.
pub(super) fn agent_for(
    world: &Snapshot,
    task: &Task,
    started: &[Option<String>],
    now: DateTime<Utc>,
) -> Result<Option<String>, Standing> {
    if task.spec.kind == TaskKind::Action {
        return Ok(None);
    }
    let settings = &world.settings;
    let Some(first) = settings.agent_for(task.spec.project.as_deref(), task.spec.agent.as_deref()) else {
        return Ok(None);
    };
    let mut soonest: Option<((DateTime<Utc>, bool), String)> = None;
    for agent in std::iter::once(first.name.as_str()).chain(first.fallback.iter().map(String::as_str)) {
        let begun = started.iter().filter(|name| name.as_deref() == Some(agent)).count();
        match resume::room(world, agent, begun, now) {
            Room::Free | Room::Probe => return Ok(Some(agent.to_owned())),
            Room::Closed { until, known, why } => {
                if soonest.as_ref().is_none_or(|(known, _)| until < known.0) {
                    soonest = Some(((until, known), format!("{agent}: {why}")));
                }
            }
        }
    }
    let (until, why) = soonest.unwrap_or(((now, false), "no agent".into()));
    Err(Standing::AgentClosed { until, why })
}

/// Why a task needs an approval, whether or not it has one. Actions always do; what the text asks for can add a lock,
/// never lift one.
pub fn lock(world: &Snapshot, task: &Task) -> Option<String> {
    if task.spec.kind == TaskKind::Action {
        return Some("an action runs a command once, outside the usual rules".into());
    }
    if !world.settings.auto_approved(task.spec.category) {
        return Some(format!("{} need your approval", task.spec.category.title().to_lowercase()));
    }
    task.text_lock.clone()
}

/// Whether the owner's approval covers the task as it reads now.
pub fn is_approved(world: &Snapshot, task: &Task) -> bool {
    let mut own = world.approvals.iter().filter(|approval| approval.task == task.id).peekable();
    // The hash is the dear part, and most tasks have no approval at all.
    own.peek().is_some() && {
        let hash = task.spec.revision_hash();
        own.any(|approval| approval.covers(&hash))
    }
}

fn misconfigured(world: &Snapshot, task: &Task) -> Option<String> {
    let settings = &world.settings;
    if let Some(name) = &task.spec.project
        && settings.project(name).is_none()
    {
        return Some(format!("project {name:?} is not configured; add it to overnight.toml or edit the task"));
    }
    if task.spec.kind == TaskKind::Action {
        return task
            .spec
            .command
            .is_empty()
            .then(|| "an action needs its command: /queue edit N ! program argument".into());
    }
    if task.spec.kind == TaskKind::Code && task.spec.project.is_none() {
        return Some("a code task needs a project: /queue edit N project: NAME".into());
    }
    settings.agent_for(task.spec.project.as_deref(), task.spec.agent.as_deref()).is_none().then(|| {
        match &task.spec.agent {
            Some(agent) => format!("agent {agent:?} is not configured; add it to overnight.toml or edit the task"),
            None => "no agent is configured; add one under [[agents]] in overnight.toml".into(),
        }
    })
}

/// Ready tasks, most wanted first, then oldest.
pub fn ready(world: &Snapshot, now: DateTime<Utc>) -> Vec<(&Task, bool)> {
    let mut ready: Vec<_> = world
        .tasks
        .iter()
        .filter_map(|task| match standing(world, task, now) {
            Standing::Ready { approved } => Some((task, approved)),
            _ => None,
        })
        .collect();
    ready.sort_by_key(|(task, _)| (std::cmp::Reverse(task.spec.priority), task.id));
    ready
}

/// Whether a session started by hand should still wait for this task: it is ready, or will be without the owner.
pub(super) fn may_still_run(world: &Snapshot, task: &Task, session: &Session) -> bool {
    match standing(world, task, session.spawn_until) {
        Standing::Ready { .. } | Standing::Building => true,
        Standing::Parked { until, .. } => until.is_none(),
        Standing::DependsOn(ids) => ids.iter().all(|id| world.builds.iter().any(|build| build.task == *id)),
        _ => false,
    }
}
