//! What must hold whatever happens. Each rule is written from the rows alone, not with the planner's own functions,
//! where that is possible.

use super::world::{World, row};
use chrono::{DateTime, TimeDelta, Utc};
use overnight::domain::build::{Build, BuildStep, CheckStep, Outcome, Run, RunOwner, RunStep, StopReason, Wait};
use overnight::domain::id::TaskId;
use overnight::domain::plan::{Action, NewBuild, Resumption, Snapshot};
use overnight::domain::session::{Phase, Session, SessionKind};
use overnight::domain::task::{Task, TaskKind, TaskState};

type Held = Result<(), String>;

fn holds(it_does: bool, rule: impl FnOnce() -> String) -> Held {
    if it_does { Ok(()) } else { Err(rule()) }
}

/// What holds of an action that is about to succeed even if something was changed after the look.
pub(super) fn always(world: &World, action: &Action) -> Held {
    match action {
        Action::StartBuild(new) => approved(world, world.task(new.task)),
        Action::ResumeBuild(resumption) => approved(world, world.task(resumption.task)),
        Action::Launch { owner: RunOwner::Build(build), step: RunStep::Agent } => {
            let task = row(&world.builds, build.0).task;
            let launched = world.action_runs.get(&task).copied().unwrap_or(0);
            let is_action = world.task(task).spec.kind == TaskKind::Action;
            holds(!is_action || launched == 0, || format!("action #{task} is launched a second time"))
        }
        _ => Ok(()),
    }
}

/// Checks one action before it is performed, on the state it was planned on.
pub(super) fn before(world: &World, looked_at: &Snapshot, action: &Action) -> Held {
    match action {
        Action::StartBuild(new) => start(world, looked_at, new),
        Action::ResumeBuild(resumption) => resume(world, looked_at, resumption),
        Action::EnterPhase { from, to, .. } => {
            let legal = to > from && !matches!(to, Phase::Missed);
            holds(legal, || format!("a session can't go from {from} to {to}"))
        }
        Action::StopRun { run, reason: StopReason::TimeLimit } => {
            let run = row(&world.runs, run.0);
            let (worked, limit) = worked(world, run);
            holds(worked >= limit, || format!("{run:?} is stopped after {worked} of {limit}"))
        }
        Action::AdvanceBuild { from, to, .. } => {
            holds(to > from && *to != BuildStep::Ended, || format!("a build can't go from {from} to {to}"))
        }
        Action::AdvanceCheck { from, to, .. } => {
            holds(to > from && *to != CheckStep::Ended, || format!("a check can't go from {from} to {to}"))
        }
        _ => Ok(()),
    }
}

fn start(world: &World, looked_at: &Snapshot, new: &NewBuild) -> Held {
    let (now, task) = (world.now(), world.task(new.task));
    let open = world.at_work();
    let permits = looked_at.permits();
    holds(permits.blocked_by.is_empty(), || format!("#{} starts while {:?}", task.id, permits.blocked_by))?;
    holds(open < permits.max, || format!("#{} starts as number {} of {}", task.id, open + 1, permits.max))?;
    let every = TimeDelta::from_std(world.settings.sample_every).unwrap();
    let fresh = looked_at.samples.last().is_some_and(|sample| now - sample.at < every);
    holds(fresh, || format!("#{} starts without a fresh look at the machine", task.id))?;
    room_in_project(world, task)?;
    apart(world, task)?;
    in_window(world, task, &row(&world.sessions, new.session.0).session, now)?;
    let attempts = new.attempts_before < world.settings.build.max_attempts;
    holds(attempts, || format!("#{} is tried more often than allowed", task.id))?;
    let waits = task.spec.not_before.into_iter().chain(task.retry_at).any(|at| at > now);
    holds(!waits && task.state == TaskState::Open, || format!("#{} starts before its time", task.id))?;
    let unmet = task.spec.depends_on.iter().find(|id| !completed(world, **id));
    holds(unmet.is_none(), || format!("#{} starts before {unmet:?} has completed", task.id))
}

fn resume(world: &World, looked_at: &Snapshot, resumption: &Resumption) -> Held {
    let (now, task) = (world.now(), world.task(resumption.task));
    let (at_work, permits) = (world.at_work(), looked_at.permits());
    holds(permits.blocked_by.is_empty(), || format!("#{} goes on while {:?}", task.id, permits.blocked_by))?;
    holds(at_work < permits.max, || format!("#{} goes on as number {} of {}", task.id, at_work + 1, permits.max))?;
    room_in_project(world, task)?;
    in_window(world, task, &row(&world.sessions, resumption.session.0).session, now)?;
    let build = row(&world.builds, resumption.build.0);
    let block = world.providers.iter().find(|p| Some(&p.agent) == build.agent.as_ref()).and_then(|p| p.block.as_ref());
    holds(block.is_none_or(|block| block.until <= now), || format!("#{} goes on against {block:?}", task.id))?;
    let others = world.open_builds().filter(|b| b.step != BuildStep::Parked && b.agent == build.agent).count();
    let probes = block.is_some_and(|block| !block.known);
    holds(!probes || others == 0, || format!("#{} is one of several that try an account", task.id))?;
    let answered = !matches!(build.wait, Some(Wait::Answer { answer: None, .. }));
    holds(answered, || format!("#{} goes on without its answer", task.id))
}

/// How long a run has worked, an agent's with the rounds of its build before it, and how long it may.
fn worked(world: &World, run: &Run) -> (TimeDelta, TimeDelta) {
    let build = &world.settings.build;
    let limit = match run.step {
        RunStep::Setup => build.setup_timeout,
        RunStep::Agent => build.timeout,
        RunStep::Verify | RunStep::VerifyAgain => build.verify_timeout,
        RunStep::Measure => build.measure_timeout,
    };
    let rounds = world.runs.iter().filter(|other| {
        other.id == run.id || (run.step == RunStep::Agent && other.owner == run.owner && other.step == run.step)
    });
    let took = |run: &Run| {
        let (from, to) = (run.started_at, run.ended.as_ref().map_or(world.now(), |(at, _)| *at));
        let gaps = world.gaps.iter().map(|gap| (gap.1.min(to) - gap.0.max(from)).max(TimeDelta::zero()));
        // A clock set back makes a round of less than nothing.
        if run.ended.is_some() {
            (to - from - gaps.sum::<TimeDelta>()).max(TimeDelta::zero())
        } else {
            to - from - gaps.sum()
        }
    };
    (rounds.map(took).sum(), TimeDelta::from_std(limit).unwrap())
}

fn completed(world: &World, id: TaskId) -> bool {
    let last = world.builds.iter().rfind(|build| build.task == id);
    world.task(id).state == TaskState::Done && last.and_then(|build| build.outcome) == Some(Outcome::Verified)
}

fn room_in_project(world: &World, task: &Task) -> Held {
    let Some(project) = task.spec.project.as_deref().and_then(|name| world.settings.project(name)) else {
        return Ok(());
    };
    let running = world.open_builds().filter(|b| b.step != BuildStep::Parked);
    let running = running.filter(|b| world.task(b.task).spec.project.as_ref() == Some(&project.name));
    let most = project.max_builds.unwrap_or(usize::MAX);
    holds(running.count() < most, || format!("#{}: more than {most} builds of {}", task.id, project.name))
}

/// Two tasks of one project whose words name the same file are not built at once.
fn apart(world: &World, task: &Task) -> Held {
    let same = |build: &&Build| {
        let other = world.task(build.task);
        build.step != BuildStep::Parked
            && other.state == TaskState::Open
            && task.spec.project.is_some()
            && other.spec.project == task.spec.project
            && !task.spec.details.is_empty()
            && other.spec.details == task.spec.details
    };
    let other = world.open_builds().find(same);
    holds(other.is_none(), || format!("#{} starts beside {other:?} on the same files", task.id))
}

fn approved(world: &World, task: &Task) -> Held {
    let by_category = !world.settings.categories.get(&task.spec.category).copied().unwrap_or(false);
    if !by_category && task.spec.kind != TaskKind::Action && task.text_lock.is_none() {
        return Ok(());
    }
    let hash = task.spec.revision_hash();
    let tapped = world
        .approvals
        .iter()
        .any(|row| !row.voided && row.approval.task == task.id && row.approval.revision_hash == hash);
    holds(tapped, || format!("locked #{} starts without an approval of what it says", task.id))
}

fn in_window(world: &World, task: &Task, session: &Session, now: DateTime<Utc>) -> Held {
    let mine = session.only_task.is_none_or(|only| only == task.id);
    let single = session.kind == SessionKind::Single;
    holds(mine && (single || !world.paused), || format!("#{} starts while paused", task.id))?;
    let regular = session.phase == Phase::Building && session.spawn_at <= now && now < session.spawn_until;
    let begun = session.phase >= Phase::Building && session.phase != Phase::Missed;
    let kept = begun && session.keep_until.is_some_and(|keep| session.spawn_at <= now && now < keep);
    holds((regular || kept) && !session.stopped, || {
        format!("#{} starts outside the window of session {} ({})", task.id, session.id, session.phase)
    })
}

/// Checks the whole state after a step.
pub(super) fn after(world: &World) -> Held {
    let open: Vec<_> = world.open_builds().collect();
    let most = world.settings.limits.max_builds;
    // A build stopped while it waited is collected without a permit: nothing of it runs.
    let stopped = |build: &&&Build| build.stop_requested.is_some() && build.step == BuildStep::Collecting;
    let at_work = world.at_work() - open.iter().filter(stopped).count();
    holds(at_work <= most, || format!("{at_work} builds run, {most} may"))?;
    let twice = open.iter().find(|a| open.iter().any(|b| a.task == b.task && a.id != b.id));
    holds(twice.is_none(), || format!("two open builds of {twice:?}"))?;
    for project in &world.settings.projects {
        let active = world.checks.iter().filter(|check| {
            check.project == project.name && !matches!(check.step, CheckStep::Waiting | CheckStep::Ended)
        });
        let active = active.count();
        holds(active <= 1, || format!("{active} checks of {} at once", project.name))?;
    }
    let over = world.tasks.iter().find(|task| task.attempts > world.settings.build.max_attempts);
    holds(over.is_none(), || format!("too many attempts: {over:?}"))
}

/// Checks that nothing runs on over its time, once there is nothing left to do.
pub(super) fn in_time(world: &World) -> Held {
    let open = |run: &&Run| match run.owner {
        RunOwner::Build(build) => world.is_open(build),
        RunOwner::Check(check) => row(&world.checks, check.0).step != CheckStep::Ended,
    };
    let live = world.runs.iter().filter(|run| run.ended.is_none() && run.stop_requested.is_none());
    let late = live.filter(open).find(|run| {
        let (worked, limit) = worked(world, run);
        worked >= limit
    });
    holds(late.is_none(), || format!("{late:?} runs on over its time"))
}

/// Whether nothing is left to do before the next night.
pub(super) fn settled(world: &World) -> bool {
    let waiting = world.sessions.iter().any(|row| {
        let session = &row.session;
        session.is_open() || (session.phase == Phase::Missed && row.told == 0)
    });
    !waiting
        && world.at_rest()
        && world.open_builds().next().is_none()
        && world.checks.iter().all(|check| check.step == CheckStep::Ended)
}

/// Checks what a settled world leaves behind.
pub(super) fn at_the_end(world: &World) -> Held {
    let schedule = &world.settings.schedule;
    let nightly = |row: &&super::world::SessionRow| row.session.kind == SessionKind::Nightly;
    let mut date = schedule.local(world.installed_at).date_naive().pred_opt().unwrap();
    while schedule.night(date).start <= world.now() {
        let rows = world.sessions.iter().filter(nightly).filter(|row| row.session.date == date).count();
        let due = schedule.night(date).start > world.installed_at;
        holds(rows == 1 || (rows == 0 && !due), || format!("{rows} rows for the night of {date}"))?;
        date = date.succ_opt().unwrap();
    }
    for row in world.sessions.iter().filter(|row| row.session.kind != SessionKind::Single) {
        holds(row.told == 1, || format!("session {} was told {} times", row.session.id, row.told))?;
    }
    let unended = world.builds.iter().find(|build| build.outcome.is_none());
    holds(unended.is_none(), || format!("still open: {unended:?}"))
}
