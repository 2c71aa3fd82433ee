//! Which task next: what stands in a task's way, and the order of those with nothing in the way.

use super::{Action, NewBuild, Resumption, Snapshot, budget, resume};
use crate::domain::build::{Build, BuildStep, Wait};
use crate::domain::id::TaskId;
use crate::domain::provider::Room;
use crate::domain::session::{Session, SessionKind};
use crate::domain::task::{Task, TaskKind, TaskState};
use crate::domain::throttle::Permits;
use crate::domain::words::{clock, day_clock};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use std::collections::BTreeSet;

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
fn agent_for(
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

/// Ready tasks in the order they would be started: priority, then age.
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

/// Starts builds while permits are free; those that have begun and can go on come first.
pub(super) fn spawn(world: &Snapshot, permits: &Permits, now: DateTime<Utc>, actions: &mut Vec<Action>) {
    let mut free = permits.max.saturating_sub(world.running().count());
    if free == 0 || world.barred.is_some() || !world.sessions.iter().any(|session| session.may_spawn(now)) {
        return;
    }
    let mut started = Started::default();
    for build in world.builds.iter().filter(|build| build.step == BuildStep::Parked) {
        if free > 0
            && let Some(task) = world.task(build.task)
            && resume::may_go_on(world, build, started.with(build.agent.as_deref()), now)
            && let Some(session) = open_for(world, &started, task, now)
        {
            base_check(world, session, task, &mut started, actions);
            actions.push(Action::ResumeBuild(resumption(build, session, permits)));
            started.take(task, build.agent.clone());
            free -= 1;
        }
    }
    for (task, approved) in ready(world, now) {
        if free > 0
            && let Ok(agent) = agent_for(world, task, &started.agents, now)
            && let Some(session) = open_for(world, &started, task, now)
        {
            base_check(world, session, task, &mut started, actions);
            actions.push(Action::StartBuild(new_build(world, session, task, approved, agent.clone(), permits)));
            started.take(task, agent);
            free -= 1;
        }
    }
}

/// What one look has already decided to start.
#[derive(Default)]
struct Started<'a> {
    tasks: Vec<&'a Task>,
    agents: Vec<Option<String>>,
    based: BTreeSet<(i64, &'a str)>,
}

impl<'a> Started<'a> {
    fn take(&mut self, task: &'a Task, agent: Option<String>) {
        self.tasks.push(task);
        self.agents.push(agent);
    }

    fn with(&self, agent: Option<&str>) -> usize {
        self.agents.iter().filter(|name| agent.is_some() && name.as_deref() == agent).count()
    }
}

/// The session this task may be built in now, if it has room and money for it.
fn open_for<'a>(world: &'a Snapshot, started: &Started<'_>, task: &Task, now: DateTime<Utc>) -> Option<&'a Session> {
    let session = session_for(world, task, now)?;
    let held = project_is_full(world, &started.tasks, task) || budget::of_night(world, session.id).is_some();
    (!held).then_some(session)
}

fn base_check<'a>(
    world: &Snapshot,
    session: &Session,
    task: &'a Task,
    started: &mut Started<'a>,
    actions: &mut Vec<Action>,
) {
    if let Some(project) = needs_base_check(world, session, task)
        && started.based.insert((session.id.0, project))
    {
        actions.push(Action::StartBaseCheck { session: session.id, project: project.to_owned() });
    }
}

fn resumption(build: &Build, session: &Session, permits: &Permits) -> Resumption {
    let why = match &build.wait {
        Some(Wait::Answer { .. }) => "the owner has answered",
        _ => "its agent can be used again",
    };
    Resumption {
        build: build.id,
        task: build.task,
        session: session.id,
        round_before: build.round,
        permits: permits.max,
        why: why.into(),
    }
}

/// The session that may start this task now: its own single session first, then the one that spawns.
fn session_for<'a>(world: &'a Snapshot, task: &Task, now: DateTime<Utc>) -> Option<&'a Session> {
    let single = world.sessions.iter().find(|session| {
        session.kind == SessionKind::Single && session.only_task == Some(task.id) && session.may_spawn(now)
    });
    if single.is_some() {
        return single;
    }
    if world.paused { None } else { world.spawning_session(now) }
}

fn project_is_full(world: &Snapshot, started: &[&Task], task: &Task) -> bool {
    let Some(project) = task.spec.project.as_deref().and_then(|name| world.settings.project(name)) else {
        return false;
    };
    let of_project = |other: &Task| other.spec.project.as_deref() == Some(project.name.as_str());
    // A dropped task's project is not known any more: until its build has ended it counts everywhere.
    let running = world.running().filter(|b| world.task(b.task).is_none_or(of_project)).count();
    let most = project.max_builds.unwrap_or(usize::MAX);
    running + started.iter().filter(|task| of_project(task)).count() >= most
}

/// The project whose base has not been checked in this session, if the task is going to be judged by it.
fn needs_base_check<'a>(world: &Snapshot, session: &Session, task: &'a Task) -> Option<&'a str> {
    let name = task.spec.project.as_deref().filter(|_| task.spec.kind == TaskKind::Code)?;
    let project = world.settings.project(name)?;
    let wanted = project.verify.is_some() || project.measure.is_some();
    let exists = world.checks.iter().any(|check| {
        check.session == session.id
            && check.project == name
            && check.purpose == crate::domain::build::CheckPurpose::Base
    });
    (wanted && !exists).then_some(name)
}

fn new_build(
    world: &Snapshot,
    session: &Session,
    task: &Task,
    approved: bool,
    agent: Option<String>,
    permits: &Permits,
) -> NewBuild {
    let needs_approval = lock(world, task).is_some();
    let source = match (needs_approval, approved) {
        (true, true) => "approved by the owner",
        _ => "auto-approved",
    };
    NewBuild {
        session: session.id,
        task: task.id,
        revision: task.revision,
        attempts_before: task.attempts,
        needs_approval,
        on_top_of: single_base(world, task),
        agent,
        permits: permits.max,
        why: format!(
            "{} priority, {source}, {} of {} places taken before it",
            task.spec.priority.word(),
            world.running().count(),
            permits.max
        ),
    }
}

/// A task that depends on exactly one other of its project is built on that one's result, which nobody has shipped
/// yet. With several there is no single commit to stand on: it builds on the base.
fn single_base(world: &Snapshot, task: &Task) -> Option<String> {
    let mut results = task
        .spec
        .depends_on
        .iter()
        .filter_map(|id| world.completed.get(id)?.as_ref())
        .filter(|(project, _)| task.spec.project.as_deref() == Some(project));
    match (results.next(), results.next()) {
        (Some((_, commit)), None) => Some(commit.clone()),
        _ => None,
    }
}
