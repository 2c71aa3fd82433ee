//! Steering the session: start, stop, pause, skip, one task now, keep building.

use super::task_or_answer;
use crate::domain::id::TaskId;
use crate::domain::plan::NewSession;
use crate::domain::plan::choice::{self, Standing};
use crate::domain::session::{Phase, Session, SessionKind};
use crate::domain::words::clock;
use crate::engine::reply::{Asker, Reply};
use crate::engine::{Engine, card, facts, say};
use crate::store::{Conn, StoreError, audit, control, sessions, tasks};
use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use serde_json::json;

/// A session started by hand spawns at most this long.
const BY_HAND: TimeDelta = TimeDelta::hours(8);

fn by_hand(engine: &Engine, kind: SessionKind, only_task: Option<TaskId>, now: DateTime<Utc>) -> NewSession {
    NewSession {
        kind,
        date: engine.settings().schedule.local(now).date_naive(),
        patterns_at: now,
        spawn_at: now,
        spawn_until: now + BY_HAND,
        brief_at: now,
        only_task,
        late_minutes: 0,
    }
}

async fn open_session(conn: &mut Conn, now: DateTime<Utc>) -> Result<Option<Session>, StoreError> {
    let current = sessions::current(conn, now).await?;
    Ok(current.into_iter().rfind(|session| session.is_open() && session.kind != SessionKind::Single))
}

/// Ends what keep building has prolonged.
pub(super) async fn end_kept(conn: &mut Conn, asker: Asker<'_>, now: DateTime<Utc>) -> Result<(), StoreError> {
    for session in sessions::current(conn, now).await? {
        let over = session.phase > Phase::Building;
        if over && session.keep_until.is_some_and(|keep| keep > now) && !session.stopped {
            sessions::stop(conn, session.id).await?;
            let text = format!("{} builds no longer than the night", session.name());
            audit::append(conn, now, asker.who, "keep", None, &text).await?;
        }
    }
    Ok(())
}

pub(super) async fn start(
    engine: &Engine,
    conn: &mut Conn,
    asker: Asker<'_>,
    now: DateTime<Utc>,
) -> Result<Reply, StoreError> {
    if let Some(open) = open_session(conn, now).await? {
        return Ok(Reply::refuse(format!("A session is open already: {}, in phase {}.", open.name(), open.phase)));
    }
    let id = sessions::open(conn, &by_hand(engine, SessionKind::Manual, None, now), now).await?;
    let session = sessions::get(conn, id).await?;
    let text = format!("{} started by hand; it replaces no night", session.name());
    audit::append(conn, now, asker.who, "session", None, &text).await?;
    say::started(engine, conn, &session, now).await?;
    Ok(Reply::line("🌙 A session starts now; its brief comes when the queue has run dry.")
        .with(json!({"session_id": session.name()})))
}

pub(super) async fn stop(
    engine: &Engine,
    conn: &mut Conn,
    asker: Asker<'_>,
    now: DateTime<Utc>,
) -> Result<Reply, StoreError> {
    let current = sessions::current(conn, now).await?.into_iter();
    let goes_on = |session: &Session| session.is_open() || session.may_spawn(now);
    let mut open = current.filter(|session| session.kind != SessionKind::Single && goes_on(session));
    let Some(session) = open.rfind(|session| !session.stopped) else {
        return Ok(Reply::refuse("No session is open. /night skip leaves out the coming one."));
    };
    sessions::stop(conn, session.id).await?;
    let stopped = super::request_stop(conn, None, asker.who, now).await?;
    audit::append(conn, now, asker.who, "session", None, &format!("{} ended by the owner", session.name())).await?;
    let brief = clock(session.brief_at, engine.settings().schedule.zone);
    let stopping = match stopped.len() {
        0 => "nothing was being built".into(),
        1 => "one build is being stopped".into(),
        n => format!("{n} builds are being stopped"),
    };
    let mut reply = Reply::line(format!("⏹ The session ends: nothing new starts, {stopping}"));
    reply.message.closing = if session.phase < Phase::Closed {
        format!("What was done is kept; the brief comes at {brief}.")
    } else {
        "What was done is kept.".into()
    };
    Ok(reply.with(json!({"stopping": stopped})))
}

pub(super) async fn pause(
    conn: &mut Conn,
    asker: Asker<'_>,
    pause: bool,
    now: DateTime<Utc>,
) -> Result<Reply, StoreError> {
    let changed = control::set_paused(conn, pause, asker.who).await?;
    if changed {
        let (kind, text) =
            if pause { ("paused", "no new builds until resumed") } else { ("resumed", "builds may start") };
        audit::append(conn, now, asker.who, kind, None, text).await?;
    }
    Ok(Reply::line(match (pause, changed) {
        (true, true) => "⏸ Paused: nothing new starts, running builds go on. /night resume goes on.",
        (true, false) => "⏸ It is paused already. /night resume goes on.",
        (false, true) => "▶️ Resumed: builds start again as the schedule allows.",
        (false, false) => "▶️ It is not paused.",
    })
    .with(json!({"paused": pause})))
}

pub(super) async fn skip(
    engine: &Engine,
    conn: &mut Conn,
    asker: Asker<'_>,
    now: DateTime<Utc>,
) -> Result<Reply, StoreError> {
    let schedule = &engine.settings().schedule;
    let mut night = schedule.current_or_next(now);
    // One that has begun can only be stopped; "the coming night" is then the next one.
    if sessions::of_date(conn, night.date).await?.is_some() {
        night = schedule.night(night.date.succ_opt().unwrap_or(night.date));
    }
    let new = control::skip(conn, night.date, now).await?;
    let day = night.date.format("%A, %-d %B");
    if new {
        audit::append(conn, now, asker.who, "skip", None, &format!("the night of {} is left out", night.date)).await?;
    }
    let text = if new { "⏭ The night of" } else { "⏭ Already so: the night of" };
    Ok(Reply::line(format!("{text} {day} is left out.")).with(json!({"skipped": night.date})))
}

pub(super) async fn run_one(
    engine: &Engine,
    conn: &mut Conn,
    asker: Asker<'_>,
    id: TaskId,
    now: DateTime<Utc>,
) -> Result<Reply, StoreError> {
    let task = task_or_answer!(conn, id);
    let world = facts::world(engine, conn, now).await?;
    if world.task(id).is_none() {
        return Ok(Reply::refuse(format!("#{id} is {}; /retry {id} queues it again.", task.state.as_str())));
    }
    match choice::standing(&world, &task, now) {
        Standing::Ready { .. } => {}
        Standing::RetryAt(_) => tasks::clear_wait(conn, id).await?,
        standing => {
            let words = standing.words(engine.settings().schedule.zone);
            return Ok(Reply::refuse(format!("#{id} can't be built now: {words}.")));
        }
    }
    if world.sessions.iter().any(|s| s.is_open() && s.only_task == Some(id)) {
        return Ok(Reply::line(format!("#{id} is about to be built already.")));
    }
    sessions::open(conn, &by_hand(engine, SessionKind::Single, Some(id), now), now).await?;
    audit::append(conn, now, asker.who, "run", Some(id), "to be built now").await?;
    let permits = world.permits();
    let mut reply = Reply::line(format!("🔨 #{id} {:?} is built now", task.spec.title));
    if world.builds.len() >= permits.max {
        let why: Vec<_> = permits.blocked_by.iter().map(ToString::to_string).collect();
        let why = if why.is_empty() { format!("{} builds are running", world.builds.len()) } else { why.join(", ") };
        reply.message.intro = format!("It starts as soon as there is room: {why}.");
    }
    Ok(reply.with(json!({"running": id})))
}

pub(super) async fn keep_building(
    engine: &Engine,
    conn: &mut Conn,
    asker: Asker<'_>,
    until: Option<NaiveTime>,
    now: DateTime<Utc>,
) -> Result<Reply, StoreError> {
    let schedule = &engine.settings().schedule;
    let latest = sessions::latest(conn).await?.filter(|session| session.missed_reason.is_none());
    let Some(session) = latest.filter(|session| now - session.started_at < TimeDelta::hours(24)) else {
        return Ok(Reply::refuse("There is no session of the last day to go on with. /night start begins one."));
    };
    if !matches!(session.phase, Phase::Building | Phase::Report | Phase::Brief | Phase::Closed) {
        return Ok(Reply::refuse("The session has not begun to build yet."));
    }
    // "Until 12:00" tapped in the night means the coming noon after the night, not one before its end.
    let from = now.max(session.spawn_until);
    let until = schedule.next_local_time(from, until.unwrap_or(schedule.keep_building_until));
    sessions::keep_building(conn, session.id, until).await?;
    let said = clock(until, schedule.zone);
    audit::append(conn, now, asker.who, "keep", None, &format!("{} goes on until {said}", session.name())).await?;
    let mut reply = Reply::line(format!("🔨 Building goes on until {said}, under the same limits"));
    reply.message.closing = "/stop all ends it.".into();
    Ok(reply.with(json!({"until": until})))
}

/// The chat could not be reached for longer than it keeps taps: says so and asks again, if anything is being asked.
pub(in crate::engine) async fn after_outage(
    engine: &Engine,
    conn: &mut Conn,
    since: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Reply, StoreError> {
    let zone = engine.settings().schedule.zone;
    let text = format!("the chat could not be reached from {} to {}", clock(since, zone), clock(now, zone));
    audit::append(conn, now, "chat", "outage", None, &text).await?;
    let world = facts::world(engine, conn, now).await?;
    let snoozed = tasks::snoozed(conn, now).await?;
    let mut waiting = facts::locked(&world);
    waiting.retain(|task| !snoozed.contains(&task.id));
    // Nothing is asked: no tap can have been lost, and nobody wants to hear of it.
    if waiting.is_empty() {
        return Ok(Reply::default());
    }
    let mut reply =
        Reply::line(format!("📵 I could not be reached from {} to {}", clock(since, zone), clock(now, zone)));
    reply.message.intro = "Messages are kept, but taps made then may be lost. This waits for you:".into();
    for task in waiting.iter().take(AGAIN) {
        let card = card::draw(engine, conn, task, now).await?;
        reply.more.push((format!("{}:again:{}", card::key(task), now.timestamp_millis()), card));
    }
    if waiting.len() > AGAIN {
        reply.message.closing = format!("And {} more: /queue locked", waiting.len() - AGAIN);
    }
    Ok(reply)
}

/// Cards sent again at once.
const AGAIN: usize = 5;
