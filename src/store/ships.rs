//! Ships: the queue of landings, and what became of each.

use super::{Conn, StoreError, expect_one, from_json_opt, ms, time, time_opt, to_json, word};
use crate::domain::id::{BuildId, CheckId, SessionId, ShipId, TaskId};
use crate::domain::plan::ships::ShipMove;
use crate::domain::ship::{Found, Ship, ShipKind, ShipOutcome, ShipStep};
use chrono::{DateTime, Utc};

struct Row {
    id: i64,
    kind: String,
    build_id: i64,
    task_id: i64,
    session_id: i64,
    project: String,
    branch: Option<String>,
    step: String,
    step_at: i64,
    asked_by: String,
    asked_at: i64,
    asked_onto: Option<String>,
    from_sha: String,
    to_sha: String,
    verified: i64,
    found: Option<String>,
    onto: Option<String>,
    commit_sha: Option<String>,
    check_id: Option<i64>,
    base_check_id: Option<i64>,
    red: Option<String>,
    waits: Option<String>,
    retry_at: Option<i64>,
    outcome: Option<String>,
    reason: String,
    ended_at: Option<i64>,
}

impl TryFrom<Row> for Ship {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: ShipId(row.id),
            kind: word(&row.kind)?,
            build: BuildId(row.build_id),
            task: TaskId(row.task_id),
            session: SessionId(row.session_id),
            project: row.project,
            branch: row.branch,
            step: word(&row.step)?,
            step_at: time(row.step_at)?,
            asked_by: row.asked_by,
            asked_at: time(row.asked_at)?,
            asked_onto: row.asked_onto,
            from: row.from_sha,
            to: row.to_sha,
            verified: row.verified != 0,
            found: from_json_opt(row.found.as_deref())?,
            onto: row.onto,
            commit: row.commit_sha,
            check: row.check_id.map(CheckId),
            base_check: row.base_check_id.map(CheckId),
            red: row.red,
            waits: row.waits,
            retry_at: time_opt(row.retry_at)?,
            outcome: row.outcome.as_deref().map(word).transpose()?,
            reason: row.reason,
            ended_at: time_opt(row.ended_at)?,
        })
    }
}

macro_rules! select {
    ($tail:tt $(, $argument:expr)*) => {
        sqlx::query_as!(
            Row,
            "SELECT ship.id, ship.kind, build_id, task_id, session_id, project, ship.branch, ship.step, ship.step_at, asked_by, asked_at, \
             asked_onto, from_sha, to_sha, verified, found, onto, commit_sha, ship.check_id, base_check_id, red, waits, \
             retry_at, ship.outcome, ship.reason, ship.ended_at \
             FROM ship JOIN build ON build.id = ship.build_id " + $tail
            $(, $argument)*
        )
    };
}

/// A landing to ask for.
pub struct NewShip<'a> {
    /// Which way.
    pub kind: ShipKind,
    /// Whose result.
    pub build: BuildId,
    /// Of which project.
    pub project: &'a str,
    /// Onto which branch, as far as it is known.
    pub branch: Option<&'a str>,
    /// Who asks.
    pub by: &'a str,
    /// The change begins here.
    pub from: &'a str,
    /// And leads here.
    pub to: &'a str,
    /// Whether `to` was verified as it is.
    pub verified: bool,
}

/// Puts a landing into its project's queue. [`StoreError::Conflict`] if the build has an open one.
pub async fn insert(conn: &mut Conn, new: &NewShip<'_>, now: DateTime<Utc>) -> Result<ShipId, StoreError> {
    let (kind, verified, now) = (new.kind.as_str(), i64::from(new.verified), ms(now));
    let result = sqlx::query!(
        "INSERT INTO ship (kind, build_id, project, branch, step, step_at, asked_by, asked_at, from_sha, to_sha, verified) \
         VALUES (?, ?, ?, ?, 'queued', ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        kind,
        new.build.0,
        new.project,
        new.branch,
        now,
        new.by,
        now,
        new.from,
        new.to,
        verified
    )
    .execute(conn)
    .await?;
    expect_one(&result, "the build's ship")?;
    Ok(ShipId(result.last_insert_rowid()))
}

/// The ship with this number.
pub async fn get(conn: &mut Conn, id: ShipId) -> Result<Ship, StoreError> {
    select!("WHERE ship.id = ?", id.0)
        .fetch_optional(conn)
        .await?
        .ok_or_else(|| StoreError::Missing(format!("ship {id}")))?
        .try_into()
}

/// Ships that have not ended.
pub async fn open(conn: &mut Conn) -> Result<Vec<Ship>, StoreError> {
    all(select!("WHERE ship.step <> 'ended' ORDER BY ship.id").fetch_all(conn).await?)
}

/// All ships of a task's builds, oldest first.
pub async fn of_task(conn: &mut Conn, task: TaskId) -> Result<Vec<Ship>, StoreError> {
    all(select!("WHERE task_id = ? ORDER BY ship.id", task.0).fetch_all(conn).await?)
}

fn all(rows: Vec<Row>) -> Result<Vec<Ship>, StoreError> {
    rows.into_iter().map(Ship::try_from).collect()
}

/// Where our landings moved a project's branch, from and to.
pub async fn moves(conn: &mut Conn, project: &str) -> Result<Vec<(String, String)>, StoreError> {
    let rows =
        sqlx::query!("SELECT onto, commit_sha FROM ship WHERE project = ? AND outcome = 'landed' ORDER BY id", project);
    let rows = rows.fetch_all(conn).await?;
    Ok(rows.into_iter().filter_map(|row| row.onto.zip(row.commit_sha)).collect())
}

/// The branch was there as this was asked for.
pub async fn asked_onto(conn: &mut Conn, id: ShipId, commit: &str) -> Result<(), StoreError> {
    let result = sqlx::query!("UPDATE ship SET asked_onto = ? WHERE id = ? AND asked_onto IS NULL", commit, id.0);
    expect_one(&result.execute(conn).await?, "the ship")
}

/// What the host's step came to.
pub async fn found(conn: &mut Conn, id: ShipId, step: ShipStep, found: &Found) -> Result<(), StoreError> {
    let (step, found) = (step.as_str(), to_json(found)?);
    let result = sqlx::query!("UPDATE ship SET found = ? WHERE id = ? AND step = ?", found, id.0, step);
    expect_one(&result.execute(conn).await?, "the ship's step")
}

/// What shall land, and onto which commit.
pub async fn picked(conn: &mut Conn, id: ShipId, onto: &str, commit: &str) -> Result<(), StoreError> {
    let result = sqlx::query!(
        "UPDATE ship SET onto = ?, commit_sha = ?, check_id = NULL, base_check_id = NULL WHERE id = ? AND step = 'picking'",
        onto,
        commit,
        id.0
    );
    expect_one(&result.execute(conn).await?, "the ship's step")
}

/// The check of what shall land, or of the branch itself.
pub async fn set_check(conn: &mut Conn, id: ShipId, check: CheckId, of_base: bool) -> Result<(), StoreError> {
    let result = if of_base {
        sqlx::query!("UPDATE ship SET base_check_id = ? WHERE id = ? AND step = 'checking_base'", check.0, id.0)
            .execute(conn)
            .await?
    } else {
        sqlx::query!("UPDATE ship SET check_id = ? WHERE id = ? AND step = 'checking'", check.0, id.0)
            .execute(conn)
            .await?
    };
    expect_one(&result, "the ship's step")
}

/// Moves a ship to its next step; what the host found in the last one is cleared.
pub async fn advance(
    conn: &mut Conn,
    id: ShipId,
    from: ShipStep,
    step: &ShipMove,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let (from, to, now) = (from.as_str(), step.to.as_str(), ms(now));
    let retry_at = step.retry_at.map(ms);
    let result = sqlx::query!(
        "UPDATE OR IGNORE ship SET step = ?, step_at = ?, found = NULL, waits = ?, retry_at = ?, red = ? \
         WHERE id = ? AND step = ?",
        to,
        now,
        step.waits,
        retry_at,
        step.red,
        id.0,
        from
    );
    expect_one(&result.execute(conn).await?, "the ship's step")
}

/// Ends a ship. What was announced and did not happen is dropped: only one ship of a project is at work.
pub async fn end(
    conn: &mut Conn,
    id: ShipId,
    from: ShipStep,
    outcome: ShipOutcome,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let ended_at = now;
    let (from, outcome, now) = (from.as_str(), outcome.as_str(), ms(now));
    let result = sqlx::query!(
        "UPDATE ship SET step = 'ended', step_at = ?, outcome = ?, reason = ?, ended_at = ?, found = NULL, waits = NULL, \
         retry_at = NULL WHERE id = ? AND step = ?",
        now,
        outcome,
        reason,
        now,
        id.0,
        from
    );
    expect_one(&result.execute(&mut *conn).await?, "the ship's step")?;
    let ship = get(conn, id).await?;
    super::audit::drop_announced(conn, "land", &ship.project, None, ended_at).await
}

/// The owner does not want a build's result, or (`None`) does again.
pub async fn discard(conn: &mut Conn, build: BuildId, by: Option<&str>, now: DateTime<Utc>) -> Result<(), StoreError> {
    let now = ms(now);
    match by {
        Some(by) => sqlx::query!(
            "INSERT OR IGNORE INTO discarded (build_id, discarded_by, discarded_at) VALUES (?, ?, ?)",
            build.0,
            by,
            now
        ),
        None => sqlx::query!("DELETE FROM discarded WHERE build_id = ?", build.0),
    }
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether the owner does not want a build's result.
pub async fn is_discarded(conn: &mut Conn, build: BuildId) -> Result<bool, StoreError> {
    let found = sqlx::query_scalar!("SELECT COUNT(*) FROM discarded WHERE build_id = ?", build.0);
    Ok(found.fetch_one(conn).await? > 0)
}
