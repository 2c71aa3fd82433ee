//! Starting builds: what goes on, what the owner wants now, and what tonight's places take.

use super::choice::{Standing, agent_for, lock, ready, standing};
use super::tonight::{self, Tonight};
use super::{Action, NewBuild, Resumption, Snapshot, budget, resume};
use crate::domain::build::{Build, BuildStep, Wait};
use crate::domain::id::TaskId;
use crate::domain::session::{Session, SessionKind};
use crate::domain::settings::Planning;
use crate::domain::task::{Task, TaskKind};
use crate::domain::throttle::Permits;
use chrono::{DateTime, Utc};
use std::collections::BTreeSet;

/// Starts builds while permits are free; those that have begun and can go on come first.
pub(super) fn spawn(world: &Snapshot, permits: &Permits, now: DateTime<Utc>, actions: &mut Vec<Action>) {
    // One that is stopped while it waits is collected, and at work again from this plan on.
    let collected = |action: &&Action| matches!(action, Action::AdvanceBuild { from: BuildStep::Parked, .. });
    let at_work = world.running().count() + actions.iter().filter(collected).count();
    let mut free = permits.max.saturating_sub(at_work);
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
    let mut look = Look { world, permits, now, started, free, actions };
    look.singles();
    if look.free == 0 || world.paused {
        return;
    }
    let Some(session) = world.spawning_session(now) else { return };
    match world.settings.planning {
        Planning::Strict => look.strictly(),
        Planning::Value => look.by_value(session),
    }
}

/// One look at what may start.
struct Look<'a, 'b> {
    world: &'a Snapshot,
    permits: &'b Permits,
    now: DateTime<Utc>,
    started: Started<'a>,
    free: usize,
    actions: &'b mut Vec<Action>,
}

impl<'a> Look<'a, '_> {
    /// Starts a task if it may still be; says whether it did.
    fn start(&mut self, task: &'a Task, approved: bool, why: &str) -> bool {
        let (world, now) = (self.world, self.now);
        let Ok(agent) = agent_for(world, task, &self.started.agents, now) else { return false };
        let Some(session) = open_for(world, &self.started, task, now) else { return false };
        if tonight::shares_files(world, task, &self.started.tasks).is_some() {
            return false;
        }
        base_check(world, session, task, &mut self.started, self.actions);
        let new = new_build(world, session, task, approved, agent.clone(), self.permits, why);
        self.actions.push(Action::StartBuild(new));
        self.started.take(task, agent);
        self.free -= 1;
        true
    }

    /// What the owner wants built now, whatever the night does.
    fn singles(&mut self) {
        let wanted = self.world.sessions.iter().filter(|session| session.kind == SessionKind::Single);
        let mut wanted: Vec<TaskId> = wanted.filter(|s| s.may_spawn(self.now)).filter_map(|s| s.only_task).collect();
        wanted.sort_unstable();
        for id in wanted {
            if self.free > 0
                && let Some(task) = self.world.task(id)
                && let Standing::Ready { approved } = standing(self.world, task, self.now)
            {
                self.start(task, approved, "you asked for it");
            }
        }
    }

    /// Priority, then age.
    fn strictly(&mut self) {
        for (task, approved) in ready(self.world, self.now) {
            if self.free > 0 && !self.started.tasks.iter().any(|other| other.id == task.id) {
                self.start(task, approved, "strictly by priority");
            }
        }
    }

    /// What a place's time is worth most to.
    fn by_value(&mut self, session: &'a Session) {
        let (world, now) = (self.world, self.now);
        if tonight::standing_still(&world.outlook.closures, now) {
            return;
        }
        let free = world.outlook.free.map_or(self.free, |free| free.min(self.free));
        let end = session.keep_until.map_or(session.spawn_until, |keep| keep.max(session.spawn_until));
        let mut left = free;
        let started = &self.started;
        let may_start = |task: &Task| {
            open_for(world, started, task, now).is_some() && !started.tasks.iter().any(|other| other.id == task.id)
        };
        // Mostly nothing is ready, or all of it fits: then nothing has to be weighed.
        if let Some(all) = tonight::without_choice(world, end, now, left, may_start) {
            for (task, approved) in all {
                self.start(task, approved, "there is room for all that is ready");
            }
            return;
        }
        let mut night = Tonight::new(world, end, now, may_start);
        if let Some((task, approved, nights)) = night.passed_over().filter(|_| left > 0 && !world.outlook.turn_given) {
            let why = format!("passed over {nights} nights, so it goes first");
            let begun = self.start(task, approved, &why);
            night.take(task.id, begun);
            left -= usize::from(begun);
        }
        while left > 0
            && let Some((task, approved, odds)) = night.best()
        {
            let begun = self.start(task, approved, &odds.words(end, world.settings.schedule.zone));
            night.take(task.id, begun);
            left -= usize::from(begun);
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
    chosen: &str,
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
            "{} priority, {source}, {} of {} places taken before it; {chosen}",
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
