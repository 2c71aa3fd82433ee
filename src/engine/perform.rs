//! One action → one transaction, or one effect begun. Nothing is decided here: what is written was planned, and every
//! write names the state it expects.

use super::{Engine, card, effects, failpoint, garbage, picture, review, runs, say, strangers};
use crate::domain::build::{CheckPurpose, Outcome, RunOwner, StopReason, Wait};
use crate::domain::id::{BuildId, SessionId, TaskId};
use crate::domain::message::Attachment;
use crate::domain::plan::{Action, BuildEnd, NewBuild, NewSession, Resumption, TaskAfter};
use crate::domain::provider::Block;
use crate::domain::session::SessionKind;
use crate::domain::task::TaskState;
use crate::domain::words::day_clock;
use crate::store::{
    Conn, StoreError, approvals, audit, builds, checks, control, health, providers, runs as run_rows, sessions, ships,
    tasks,
};
use chrono::{DateTime, TimeDelta, Utc};

const PLANNER: &str = "planner";

pub(super) async fn perform(engine: &Engine, action: &Action) -> Result<(), StoreError> {
    tracing::debug!(?action, "perform");
    match action {
        Action::Begin(effect) => {
            effects::begin(engine, *effect);
            return Ok(());
        }
        Action::TakeSample => return take_sample(engine).await,
        Action::Launch { owner, step } => return runs::launch(engine, *owner, *step).await,
        Action::StopRun { run, reason } => return runs::stop(engine, *run, *reason).await,
        _ => {}
    }
    // Drawing takes a moment, and nobody else can write while a transaction is open.
    let picture = match action {
        Action::SendBrief { session, .. } => picture::draw(engine, *session).await,
        _ => None,
    };
    let now = engine.now();
    let mut tx = engine.parts.store.begin().await?;
    record(engine, &mut tx, action, picture, now).await?;
    failpoint::pass("before commit");
    tx.commit().await?;
    failpoint::pass("after commit");
    if matches!(action, Action::EndBuild(_) | Action::EndCheck { .. } | Action::OpenSession(_)) {
        garbage::sweep(engine).await?;
    }
    Ok(())
}

async fn record(
    engine: &Engine,
    conn: &mut Conn,
    action: &Action,
    picture: Option<Attachment>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    match action {
        Action::OpenSession(new) => open_session(engine, conn, new, now).await,
        Action::MissNight { date, reason, brief_at } => {
            sessions::miss(conn, *date, reason, *brief_at, now).await?;
            audit::append(conn, now, PLANNER, "missed", None, &format!("the night of {date} did not run: {reason}"))
                .await
        }
        Action::EnterPhase { session, from, to } => {
            sessions::set_phase(conn, *session, *from, *to).await?;
            audit::append(conn, now, PLANNER, "phase", None, &format!("session {session}: {from} → {to}")).await
        }
        Action::ProgressCheck { session, slot } => {
            sessions::progress_told(conn, *session, *slot).await?;
            say::live_status(engine, conn, *session, now).await
        }
        Action::SendBrief { session, from } => {
            say::brief(engine, conn, *session, picture, now).await?;
            sessions::briefed(conn, *session, *from, now).await?;
            audit::append(conn, now, PLANNER, "brief", None, &format!("the brief of session {session} is on its way"))
                .await
        }
        Action::StartBuild(new) => {
            start_build(engine, conn, new, now).await?;
            say::spawned(engine, conn, new.session, now).await
        }
        Action::StartBaseCheck { session, project } => {
            checks::insert(conn, *session, project, "", CheckPurpose::Base, None, now).await?;
            audit::append(
                conn,
                now,
                PLANNER,
                "check",
                None,
                &format!("the base of {project} is verified once this session"),
            )
            .await
        }
        Action::StartResultCheck { build } => {
            let row = builds::get(conn, *build).await?;
            let task = tasks::get(conn, row.task).await?;
            let project = task.spec.project.unwrap_or_default();
            let commit = row.result.unwrap_or_default();
            let check =
                checks::insert(conn, row.session, &project, &commit, CheckPurpose::Result, Some(*build), now).await?;
            builds::set_check(conn, *build, check).await
        }
        Action::AdvanceBuild { build, from, to } => builds::advance(conn, *build, *from, *to, now).await,
        Action::AdvanceCheck { check, from, to } => checks::advance(conn, *check, *from, *to, now).await,
        Action::EndCheck { check, from, verdict } => {
            checks::end(conn, *check, *from, verdict, now).await?;
            let text = format!(
                "check {check}: {:?}{}",
                verdict.tests,
                verdict.trouble.as_ref().map_or(String::new(), |t| format!(", {t}"))
            );
            audit::append(conn, now, "host", "checked", None, &text).await
        }
        Action::EndBuild(end) => end_build(engine, conn, end, now).await,
        Action::ParkBuild { build, wait, block } => park_build(engine, conn, *build, wait, block.as_deref(), now).await,
        Action::ResumeBuild(resumption) => resume_build(engine, conn, resumption, now).await,
        Action::MoveShip { ship, from, step } => {
            ships::advance(conn, *ship, *from, step, now).await?;
            let build = ships::get(conn, *ship).await?.build;
            review::redraw(engine, conn, build, now).await
        }
        Action::StartShipCheck { ship, of_base } => {
            let row = ships::get(conn, *ship).await?;
            let commit = if *of_base { row.onto } else { row.commit }.unwrap_or_default();
            let check = checks::insert(conn, row.session, &row.project, &commit, CheckPurpose::Ship, None, now).await?;
            ships::set_check(conn, *ship, check, *of_base).await
        }
        Action::EndShip { ship, from, outcome, reason } => {
            ships::end(conn, *ship, *from, *outcome, reason, now).await?;
            review::ended(engine, conn, *ship, now).await
        }
        Action::OpenThrottle { kind, detail } => {
            health::open_throttle(conn, *kind, detail, now).await?;
            let text = format!("no new builds: {detail}; running ones go on");
            audit::append(conn, now, PLANNER, "throttled", None, &text).await
        }
        Action::CloseThrottle { kind } => {
            health::close_throttle(conn, *kind, now).await?;
            audit::append(
                conn,
                now,
                PLANNER,
                "resumed",
                None,
                &format!("{} is back; builds may start again", kind.as_str()),
            )
            .await
        }
        Action::Begin(_) | Action::TakeSample | Action::Launch { .. } | Action::StopRun { .. } => Ok(()),
    }
}

async fn open_session(
    engine: &Engine,
    conn: &mut Conn,
    new: &NewSession,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let id = sessions::open(conn, new, now).await?;
    let session = sessions::get(conn, id).await?;
    let late = if new.late_minutes > 0 { format!(", {} minutes late", new.late_minutes) } else { String::new() };
    let text = format!("{} opened for {}{late}; context SLEEPING", session.name(), new.date);
    audit::append(conn, now, PLANNER, "session", None, &text).await?;
    if new.kind == SessionKind::Single { Ok(()) } else { say::started(engine, conn, &session, now).await }
}

async fn start_build(engine: &Engine, conn: &mut Conn, new: &NewBuild, now: DateTime<Utc>) -> Result<(), StoreError> {
    may_begin(conn, new.session, now).await?;
    tasks::count_attempt(conn, new.task, new.revision, new.attempts_before).await?;
    let task = tasks::get(conn, new.task).await?;
    if new.needs_approval {
        approvals::consume(conn, new.task, &task.spec.revision_hash(), now).await?;
    }
    let build = builds::start(conn, new, now).await?;
    let text = format!("build {build} of #{} {:?} started: {}", new.task, task.spec.title, new.why);
    audit::append(conn, now, PLANNER, "spawned", Some(new.task), &text).await?;
    card::redraw(engine, conn, &task, now).await
}

async fn park_build(
    engine: &Engine,
    conn: &mut Conn,
    id: BuildId,
    wait: &Wait,
    block: Option<&(String, Block)>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    builds::park(conn, id, wait, now).await?;
    if let Some((agent, block)) = block {
        providers::set_block(conn, agent, Some(block), now).await?;
    }
    let build = builds::get(conn, id).await?;
    let why = match wait {
        Wait::Provider { why } => why.clone(),
        Wait::Answer { question, .. } => format!("it asks: {question}"),
    };
    let until = block.map_or_else(String::new, |(_, block)| {
        let what = if block.known { "until its reset on" } else { "tried again on" };
        format!("; {what} {}", day_clock(block.until, engine.settings().schedule.zone))
    });
    let text = format!("build {id} of #{} is parked, no attempt counted: {why}{until}", build.task);
    audit::append(conn, now, PLANNER, "parked", Some(build.task), &text).await?;
    let task = tasks::get(conn, build.task).await?;
    if let Wait::Answer { question, .. } = wait {
        say::question(engine, conn, &build, &task, question, now).await?;
    }
    card::redraw(engine, conn, &task, now).await
}

async fn resume_build(
    engine: &Engine,
    conn: &mut Conn,
    resumption: &Resumption,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    may_begin(conn, resumption.session, now).await?;
    builds::resume(conn, resumption, now).await?;
    let text = format!("build {} of #{} goes on: {}", resumption.build, resumption.task, resumption.why);
    audit::append(conn, now, PLANNER, "resumed", Some(resumption.task), &text).await?;
    let task = tasks::get(conn, resumption.task).await?;
    card::redraw(engine, conn, &task, now).await
}

/// The owner may have paused or stopped the session since the plan was made.
async fn may_begin(conn: &mut Conn, session: SessionId, now: DateTime<Utc>) -> Result<(), StoreError> {
    let session = sessions::get(conn, session).await?;
    let paused = session.kind != SessionKind::Single && control::paused(conn).await?;
    if paused || !session.may_spawn(now) { Err(StoreError::Conflict("the session")) } else { Ok(()) }
}

async fn end_build(engine: &Engine, conn: &mut Conn, end: &BuildEnd, now: DateTime<Utc>) -> Result<(), StoreError> {
    let build = builds::get(conn, end.build).await?;
    builds::end(conn, end.build, end.from, end.outcome, &end.reason, now).await?;
    // An unreachable task row would leave the build open for ever: a dropped one is simply left as it is.
    let task = tasks::get(conn, build.task).await?;
    match (task.state, end.task) {
        (TaskState::Open, TaskAfter::Done) => {
            tasks::set_state(conn, build.task, TaskState::Open, TaskState::Done, now).await?;
            approvals::void(conn, build.task, "its build has ended", now).await?;
        }
        (TaskState::Open, TaskAfter::Retry(at)) => tasks::requeue(conn, build.task, at).await?,
        _ => {}
    }
    let text = format!("build {} of #{} ended {}: {}", end.build, build.task, words(end.outcome), end.reason);
    audit::append(conn, now, "host", "ended", Some(build.task), &text).await?;
    let task = tasks::get(conn, build.task).await?;
    card::redraw(engine, conn, &task, now).await
}

fn words(outcome: Outcome) -> String {
    outcome.as_str().replace('_', " ")
}

async fn take_sample(engine: &Engine) -> Result<(), StoreError> {
    let now = engine.now();
    let probe = std::sync::Arc::clone(&engine.parts.probe);
    let sample = tokio::task::spawn_blocking(move || probe.sample(now))
        .await
        .map_err(|error| StoreError::BadRow(format!("the resource probe broke: {error}")))?;
    let mut tx = engine.parts.store.begin().await?;
    health::insert_sample(&mut tx, &sample, now - TimeDelta::days(2)).await?;
    let last = control::sign_of_life(&mut tx, now).await?;
    let every = TimeDelta::from_std(engine.parts.settings.sample_every).unwrap_or(TimeDelta::seconds(30));
    let longest = (every * 4).max(TimeDelta::minutes(5));
    if let Some(last) = last.filter(|last| now - *last > longest) {
        control::add_gap(&mut tx, last, now).await?;
        audit::append(
            &mut tx,
            now,
            "host",
            "gap",
            None,
            &format!("no sign of life since {last}: asleep, off or stopped"),
        )
        .await?;
    }
    strangers::tell_left_out(engine, &mut tx, now).await?;
    failpoint::pass("before sample commit");
    tx.commit().await?;
    Ok(())
}

/// Asks the builds of a task, or all, to stop; the planner does the rest.
pub(super) async fn request_stop(
    conn: &mut Conn,
    task: Option<TaskId>,
    by: &str,
    now: DateTime<Utc>,
) -> Result<Vec<TaskId>, StoreError> {
    let mut stopped = Vec::new();
    for build in builds::open(conn).await? {
        if task.is_none_or(|task| task == build.task) && builds::request_stop(conn, build.id, StopReason::Owner).await?
        {
            audit::append(conn, now, by, "stop", Some(build.task), &format!("asked to stop build {}", build.id))
                .await?;
            stopped.push(build.task);
        }
    }
    Ok(stopped)
}

/// The log a build's owner should look at.
pub(super) async fn log_of(conn: &mut Conn, owner: RunOwner) -> Result<Option<String>, StoreError> {
    run_rows::newest_log(conn, owner).await
}
