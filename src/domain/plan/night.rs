//! Sessions: which night is due, and how a session walks through its phases.

use super::{Action, Effect, NewSession, Snapshot};
use crate::domain::build::{Build, BuildStep};
use crate::domain::kept::drill_due;
use crate::domain::schedule::{NIGHTS_BETWEEN_MAX, Night};
use crate::domain::session::{Phase, SKIPPED, Session, SessionKind};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

/// Opens the night that is due, or records that it was missed: exactly one row a scheduled date, whatever the clock,
/// the machine or the bot did meanwhile. `last` is the date of the last night that has started by now.
pub(super) fn due_sessions(world: &Snapshot, last: NaiveDate, now: DateTime<Utc>, actions: &mut Vec<Action>) {
    let Some(installed_at) = world.installed_at else { return };
    let schedule = &world.settings.schedule;
    let mut due = Vec::new();
    for date in last.iter_days().rev().take(NIGHTS_BETWEEN_MAX) {
        if world.nights_seen.contains(&date) {
            continue;
        }
        if schedule.start_of(date) <= installed_at {
            // The night during which the bot was installed is used while it can be, and is nobody's fault after.
            let night = (date == last && !world.skipped.contains(&date)).then(|| schedule.night(date));
            due.extend(night.filter(|night| schedule.late_start_possible(night, now)));
            break;
        }
        due.push(schedule.night(date));
    }
    actions.extend(due.iter().rev().map(|night| due_night(world, night, now)));
}

fn due_night(world: &Snapshot, night: &Night, now: DateTime<Utc>) -> Action {
    let missed =
        |reason: &str| Action::MissNight { date: night.date, reason: reason.to_owned(), brief_at: night.brief };
    if world.skipped.contains(&night.date) {
        return missed(SKIPPED);
    }
    if !world.settings.schedule.late_start_possible(night, now) {
        return missed("this machine or the bot was off or asleep when it should have run");
    }
    Action::OpenSession(NewSession {
        kind: SessionKind::Nightly,
        date: night.date,
        patterns_at: night.patterns,
        spawn_at: night.spawn,
        spawn_until: night.report,
        brief_at: night.brief,
        only_task: None,
        late_minutes: (now - night.start).num_minutes().max(0),
    })
}

/// What a session needs next.
pub(super) fn next(world: &Snapshot, session: &Session, now: DateTime<Utc>, actions: &mut Vec<Action>) {
    let enter = |to| Action::EnterPhase { session: session.id, from: session.phase, to };
    match session.phase {
        Phase::Health if session.kind == SessionKind::Single && !keep(world, session, now, actions) => {
            actions.push(enter(Phase::Building));
        }
        Phase::Health if session.kind == SessionKind::Single => {}
        Phase::Health if !session.health_done => begin(world, Effect::Health(session.id), actions),
        Phase::Health if now >= session.patterns_at || spawning_over(session, now) => {
            actions.push(enter(Phase::Patterns));
        }
        Phase::Patterns if !session.patterns_done => begin(world, Effect::Patterns(session.id), actions),
        Phase::Patterns if keep(world, session, now, actions) => {}
        Phase::Patterns if now >= session.spawn_at || spawning_over(session, now) => {
            actions.push(enter(Phase::Building));
        }
        Phase::Building => building(world, session, now, actions),
        Phase::Report if session.reported_at.is_none() => begin(world, Effect::Report(session.id), actions),
        Phase::Report => actions.push(enter(Phase::Brief)),
        Phase::Brief | Phase::Missed if brief_due(world, session, now) => {
            actions.push(Action::SendBrief { session: session.id, from: session.phase });
        }
        Phase::Health | Phase::Patterns | Phase::Brief | Phase::Closed | Phase::Missed => {}
    }
}

/// Whether something is to be kept, or tried to be restored, before the first build; begins it. A day that was kept is
/// not kept again for a single task. A session that is over waits for neither.
fn keep(world: &Snapshot, session: &Session, now: DateTime<Utc>, actions: &mut Vec<Action>) -> bool {
    let single = session.kind == SessionKind::Single;
    if spawning_over(session, now) {
        return false;
    }
    let kept_already = single && world.kept.contains(&session.date);
    if !session.snapshot_done && !kept_already {
        begin(world, Effect::Snapshot(session.id), actions);
        return true;
    }
    if !single && drill_due(world.drilled, session.date) {
        begin(world, Effect::Drill(session.id), actions);
        return true;
    }
    false
}

fn begin(world: &Snapshot, effect: Effect, actions: &mut Vec<Action>) {
    if !world.busy(effect) {
        actions.push(Action::Begin(effect));
    }
}

/// A missed night's row leaves [`Phase::Missed`] never; its brief is out once `reported_at` is set. One that is followed
/// by another night with a brief to come is told in that one: a bot that was off for weeks sends one brief, not sixty.
fn brief_due(world: &Snapshot, session: &Session, now: DateTime<Utc>) -> bool {
    let untold = |other: &Session| other.is_open() || (other.phase == Phase::Missed && other.reported_at.is_none());
    let follows = |other: &&Session| other.kind == SessionKind::Nightly && other.date > session.date && untold(other);
    let told_later = session.phase == Phase::Missed && world.sessions.iter().any(|other| follows(&other));
    now >= session.brief_at && !told_later && (session.phase != Phase::Missed || session.reported_at.is_none())
}

fn spawning_over(session: &Session, now: DateTime<Utc>) -> bool {
    session.stopped || now >= session.spawn_until
}

fn building(world: &Snapshot, session: &Session, now: DateTime<Utc>, actions: &mut Vec<Action>) {
    // A build that waits keeps only its own task's session: a night must not wait for an answer.
    let counts = |build: &&Build| build.step != BuildStep::Parked || session.kind == SessionKind::Single;
    let own_builds = world.builds.iter().filter(counts).any(|build| build.session == session.id);
    let to = if session.kind == SessionKind::Single { Phase::Closed } else { Phase::Report };
    let idle =
        session.kind != SessionKind::Nightly && now >= session.spawn_at && !own_builds && !has_work(world, session);
    // A single task's session lives until the task has ended; a started night reports when it runs dry.
    let over = if session.kind == SessionKind::Single {
        !own_builds && spawning_over(session, now)
    } else {
        spawning_over(session, now)
    };
    if over || idle {
        actions.push(Action::EnterPhase { session: session.id, from: Phase::Building, to });
    } else if let Some(slot) = progress_slot(world, session, now) {
        actions.push(Action::ProgressCheck { session: session.id, slot });
    }
}

/// Whether a session started by hand can expect to start anything more.
fn has_work(world: &Snapshot, session: &Session) -> bool {
    match session.only_task {
        Some(task) => world.task(task).is_some(),
        None => world.tasks.iter().any(|task| super::choice::may_still_run(world, task, session)),
    }
}

/// The latest progress check that is due and was not told; those slept through are not made up for.
fn progress_slot(world: &Snapshot, session: &Session, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    if session.kind == SessionKind::Single {
        return None;
    }
    let slot = slot_before(world, session, now);
    (slot > session.spawn_at && session.progress_at.is_none_or(|last| last < slot)).then_some(slot)
}

/// The latest slot at or before `at`. Slots are counted back from the end of spawning, so that half-hourly ones of the
/// usual night fall on the hour and the half.
fn slot_before(world: &Snapshot, session: &Session, at: DateTime<Utc>) -> DateTime<Utc> {
    let every = progress_every(world);
    let left = (session.spawn_until - at).num_milliseconds();
    let slots = -(-left).div_euclid(every.num_milliseconds());
    session.spawn_until - every * i32::try_from(slots).unwrap_or(0)
}

/// When this session wants to be looked at again.
pub(super) fn wakes(world: &Snapshot, session: &Session, now: DateTime<Utc>) -> Vec<(DateTime<Utc>, &'static str)> {
    let mut wakes = match session.phase {
        Phase::Health => vec![(session.patterns_at, "the pattern check is due")],
        Phase::Patterns => vec![(session.spawn_at, "builds may begin")],
        Phase::Building => vec![(session.spawn_at, "builds may begin"), (session.spawn_until, "spawning ends")],
        Phase::Report | Phase::Closed => vec![],
        Phase::Brief | Phase::Missed => vec![(session.brief_at, "the brief is due")],
    };
    if let Some(keep) = session.keep_until {
        wakes.push((keep, "keep building ends"));
    }
    if session.phase == Phase::Building && session.kind != SessionKind::Single {
        wakes.push((slot_before(world, session, now) + progress_every(world), "a progress check is due"));
    }
    wakes
}

fn progress_every(world: &Snapshot) -> TimeDelta {
    TimeDelta::from_std(world.settings.schedule.progress_every)
        .unwrap_or(TimeDelta::minutes(30))
        .max(TimeDelta::minutes(1))
}
