//! Sessions.

use super::{Conn, StoreError, expect_one, ms, time, time_opt, word};
use crate::domain::id::{SessionId, TaskId};
use crate::domain::plan::NewSession;
use crate::domain::session::{Phase, Session};
use chrono::{DateTime, NaiveDate, Utc};
use std::collections::BTreeSet;

struct Row {
    id: i64,
    kind: String,
    date: String,
    phase: String,
    started_at: i64,
    patterns_at: i64,
    spawn_at: i64,
    spawn_until: i64,
    brief_at: i64,
    health_done: i64,
    patterns_done: i64,
    snapshot_done: i64,
    progress_at: Option<i64>,
    only_task: Option<i64>,
    keep_until: Option<i64>,
    reported_at: Option<i64>,
    stopped: i64,
    missed_reason: Option<String>,
}

impl TryFrom<Row> for Session {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: SessionId(row.id),
            kind: word(&row.kind)?,
            date: date(&row.date)?,
            phase: word(&row.phase)?,
            started_at: time(row.started_at)?,
            patterns_at: time(row.patterns_at)?,
            spawn_at: time(row.spawn_at)?,
            spawn_until: time(row.spawn_until)?,
            brief_at: time(row.brief_at)?,
            health_done: row.health_done != 0,
            patterns_done: row.patterns_done != 0,
            snapshot_done: row.snapshot_done != 0,
            progress_at: time_opt(row.progress_at)?,
            only_task: row.only_task.map(TaskId),
            keep_until: time_opt(row.keep_until)?,
            reported_at: time_opt(row.reported_at)?,
            stopped: row.stopped != 0,
            missed_reason: row.missed_reason,
        })
    }
}

fn date(text: &str) -> Result<NaiveDate, StoreError> {
    text.parse().map_err(|_| StoreError::BadRow(format!("date {text:?}")))
}

macro_rules! select {
    ($tail:tt $(, $argument:expr)*) => {
        sqlx::query_as!(
            Row,
            "SELECT id, kind, date, phase, started_at, patterns_at, spawn_at, spawn_until, brief_at, health_done, \
             patterns_done, snapshot_done, progress_at, only_task, keep_until, reported_at, stopped, missed_reason FROM session " + $tail
            $(, $argument)*
        )
    };
}

/// Opens a session. A second nightly one for its date is refused by the schema.
pub async fn open(conn: &mut Conn, new: &NewSession, now: DateTime<Utc>) -> Result<SessionId, StoreError> {
    let (kind, day, phase, started) = (new.kind.as_str(), new.date.to_string(), Phase::Health.as_str(), ms(now));
    let (patterns, spawn, until, brief) =
        (ms(new.patterns_at), ms(new.spawn_at), ms(new.spawn_until), ms(new.brief_at));
    let only = new.only_task.map(|task| task.0);
    let result = sqlx::query!(
        "INSERT INTO session (kind, date, phase, started_at, patterns_at, spawn_at, spawn_until, brief_at, only_task, \
         late_minutes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        kind,
        day,
        phase,
        started,
        patterns,
        spawn,
        until,
        brief,
        only,
        new.late_minutes
    )
    .execute(conn)
    .await?;
    Ok(SessionId(result.last_insert_rowid()))
}

/// Records a night that did not run.
pub async fn miss(
    conn: &mut Conn,
    day: NaiveDate,
    reason: &str,
    brief_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<SessionId, StoreError> {
    let (day, now, brief_at) = (day.to_string(), ms(now), ms(brief_at));
    let result = sqlx::query!(
        "INSERT INTO session (kind, date, phase, started_at, patterns_at, spawn_at, spawn_until, brief_at, missed_reason) \
         VALUES ('nightly', ?1, 'missed', ?2, ?2, ?2, ?2, ?3, ?4)",
        day, now, brief_at, reason
    )
    .execute(conn)
    .await?;
    Ok(SessionId(result.last_insert_rowid()))
}

/// The session with this row number.
pub async fn get(conn: &mut Conn, id: SessionId) -> Result<Session, StoreError> {
    select!("WHERE id = ?", id.0)
        .fetch_optional(conn)
        .await?
        .ok_or_else(|| StoreError::Missing(format!("session {id}")))?
        .try_into()
}

/// Sessions that are open, have a brief to send, may still spawn, or have open builds.
pub async fn current(conn: &mut Conn, now: DateTime<Utc>) -> Result<Vec<Session>, StoreError> {
    let now = ms(now);
    select!(
        "WHERE phase IN ('health', 'patterns', 'building', 'report', 'brief') \
         OR (phase = 'missed' AND reported_at IS NULL) OR keep_until > ?1 \
         OR id IN (SELECT session_id FROM build WHERE step <> 'ended') ORDER BY id",
        now
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(Session::try_from)
    .collect()
}

/// The newest session that ran or was missed, single-task ones left out.
pub async fn latest(conn: &mut Conn) -> Result<Option<Session>, StoreError> {
    select!("WHERE kind <> 'single' ORDER BY id DESC LIMIT 1")
        .fetch_optional(conn)
        .await?
        .map(Session::try_from)
        .transpose()
}

/// The nightly session of a scheduled date.
pub async fn of_date(conn: &mut Conn, day: NaiveDate) -> Result<Option<Session>, StoreError> {
    let day = day.to_string();
    select!("WHERE kind = 'nightly' AND date = ?", day).fetch_optional(conn).await?.map(Session::try_from).transpose()
}

/// The last 100 scheduled dates that have a nightly row.
pub async fn dates_seen(conn: &mut Conn) -> Result<BTreeSet<NaiveDate>, StoreError> {
    sqlx::query_scalar!("SELECT date FROM session WHERE kind = 'nightly' ORDER BY date DESC LIMIT 100")
        .fetch_all(conn)
        .await?
        .iter()
        .map(|day| date(day))
        .collect()
}

/// Nights missed right before this session: those after the previous one that ran, oldest first.
pub async fn missed_before(conn: &mut Conn, day: NaiveDate) -> Result<Vec<NaiveDate>, StoreError> {
    let day = day.to_string();
    sqlx::query_scalar!(
        "SELECT date FROM session WHERE kind = 'nightly' AND phase = 'missed' AND date < ?1 AND reported_at IS NULL \
         ORDER BY date",
        day
    )
    .fetch_all(conn)
    .await?
    .iter()
    .map(|day| date(day))
    .collect()
}

/// Moves a session from one phase to another.
pub async fn set_phase(conn: &mut Conn, id: SessionId, from: Phase, to: Phase) -> Result<(), StoreError> {
    let (from, to) = (from.as_str(), to.as_str());
    let result =
        sqlx::query!("UPDATE session SET phase = ? WHERE id = ? AND phase = ?", to, id.0, from).execute(conn).await?;
    expect_one(&result, "the session's phase")
}

/// Phase 1 is recorded.
pub async fn health_done(conn: &mut Conn, id: SessionId) -> Result<(), StoreError> {
    let result =
        sqlx::query!("UPDATE session SET health_done = 1 WHERE id = ? AND health_done = 0", id.0).execute(conn).await?;
    expect_one(&result, "the health check")
}

/// Phase 2 is recorded.
pub async fn patterns_done(conn: &mut Conn, id: SessionId) -> Result<(), StoreError> {
    let result = sqlx::query!("UPDATE session SET patterns_done = 1 WHERE id = ? AND patterns_done = 0", id.0)
        .execute(conn)
        .await?;
    expect_one(&result, "the pattern check")
}

/// What was kept of the day is recorded.
pub async fn snapshot_done(conn: &mut Conn, id: SessionId) -> Result<(), StoreError> {
    let result = sqlx::query!("UPDATE session SET snapshot_done = 1 WHERE id = ? AND snapshot_done = 0", id.0)
        .execute(conn)
        .await?;
    expect_one(&result, "the snapshot")
}

/// A progress check was told.
pub async fn progress_told(conn: &mut Conn, id: SessionId, slot: DateTime<Utc>) -> Result<(), StoreError> {
    let slot = ms(slot);
    let result = sqlx::query!(
        "UPDATE session SET progress_at = ?1 WHERE id = ?2 AND phase = 'building' AND (progress_at IS NULL OR progress_at < ?1)",
        slot, id.0
    )
    .execute(conn)
    .await?;
    expect_one(&result, "the progress check")
}

/// The report is written.
pub async fn reported(conn: &mut Conn, id: SessionId, path: &str, now: DateTime<Utc>) -> Result<(), StoreError> {
    let now = ms(now);
    let result = sqlx::query!("UPDATE session SET reported_at = ?, report_path = ? WHERE id = ?", now, path, id.0)
        .execute(conn)
        .await?;
    expect_one(&result, "the report")
}

/// The brief is in the outbox; a missed night counts as reported with it.
pub async fn briefed(conn: &mut Conn, id: SessionId, from: Phase, now: DateTime<Utc>) -> Result<(), StoreError> {
    let (now, from) = (ms(now), from.as_str());
    let result = sqlx::query!(
        "UPDATE session SET briefed_at = ?1, phase = CASE phase WHEN 'missed' THEN 'missed' ELSE 'closed' END, \
         reported_at = COALESCE(reported_at, ?1) WHERE id = ?2 AND phase = ?3 AND briefed_at IS NULL",
        now,
        id.0,
        from
    )
    .execute(conn)
    .await?;
    expect_one(&result, "the brief")
}

/// When the brief of a session went into the outbox, and where its report is.
pub async fn outputs(
    conn: &mut Conn,
    id: SessionId,
) -> Result<(Option<DateTime<Utc>>, Option<String>, i64), StoreError> {
    let row = sqlx::query!("SELECT briefed_at, report_path, late_minutes FROM session WHERE id = ?", id.0)
        .fetch_one(conn)
        .await?;
    Ok((time_opt(row.briefed_at)?, row.report_path, row.late_minutes))
}

/// The newest report that was written.
pub async fn latest_report(conn: &mut Conn) -> Result<Option<String>, StoreError> {
    let path = sqlx::query_scalar!(
        "SELECT report_path AS \"path!\" FROM session WHERE report_path IS NOT NULL ORDER BY reported_at DESC LIMIT 1"
    )
    .fetch_optional(conn)
    .await?;
    Ok(path)
}

/// Spawning goes on until then.
pub async fn keep_building(conn: &mut Conn, id: SessionId, until: DateTime<Utc>) -> Result<(), StoreError> {
    let until = ms(until);
    let result = sqlx::query!(
        "UPDATE session SET keep_until = ?, stopped = 0 WHERE id = ? AND phase IN ('building', 'report', 'brief', 'closed')",
        until, id.0
    )
    .execute(conn)
    .await?;
    expect_one(&result, "the session")
}

/// The owner ends spawning early.
pub async fn stop(conn: &mut Conn, id: SessionId) -> Result<(), StoreError> {
    let result = sqlx::query!("UPDATE session SET stopped = 1, keep_until = NULL WHERE id = ? AND stopped = 0", id.0)
        .execute(conn)
        .await?;
    expect_one(&result, "the session")
}
