//! Builds; those that wait in `waits`.

pub use waits::{park, parked_before, resume, set_wait, used_in, went_on};

use super::{Conn, StoreError, expect_one, from_json_opt, ms, small, time, time_opt, to_json, word, word_opt};
use crate::domain::build::{Build, BuildStep, Change, HostFailure, Outcome, StopReason, Used};
use crate::domain::id::{BuildId, CheckId, SessionId, TaskId};
use crate::domain::plan::NewBuild;
use chrono::{DateTime, TimeDelta, Utc};

struct Row {
    id: i64,
    task_id: i64,
    session_id: i64,
    attempt: i64,
    step: String,
    started_at: i64,
    step_at: i64,
    on_top_of: Option<String>,
    base: Option<String>,
    prepared: i64,
    host_failure: Option<String>,
    result: Option<String>,
    change: Option<String>,
    check_id: Option<i64>,
    progress: Option<i64>,
    progress_text: Option<String>,
    agent: Option<String>,
    round: i64,
    waits_for: Option<String>,
    spent_tokens: i64,
    spent_usd: f64,
    spent_turns: i64,
    waited_ms: i64,
    loose: Option<String>,
    refused: Option<String>,
    stop_requested: Option<String>,
    outcome: Option<String>,
    reason: String,
    ended_at: Option<i64>,
}

impl TryFrom<Row> for Build {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: BuildId(row.id),
            task: TaskId(row.task_id),
            session: SessionId(row.session_id),
            attempt: small(row.attempt)?,
            step: word(&row.step)?,
            started_at: time(row.started_at)?,
            step_at: time(row.step_at)?,
            on_top_of: row.on_top_of,
            base: row.base,
            prepared: row.prepared != 0,
            host_failure: from_json_opt(row.host_failure.as_deref())?,
            result: row.result,
            change: from_json_opt(row.change.as_deref())?,
            check: row.check_id.map(CheckId),
            progress: row.progress.map(small).transpose()?,
            progress_text: row.progress_text,
            agent: row.agent,
            round: small(row.round)?,
            wait: from_json_opt(row.waits_for.as_deref())?,
            spent: Used { tokens: small(row.spent_tokens)?, usd: row.spent_usd, turns: small(row.spent_turns)? },
            waited: TimeDelta::milliseconds(row.waited_ms),
            loose: row.loose,
            refused: row.refused,
            stop_requested: word_opt(row.stop_requested.as_deref())?,
            outcome: word_opt(row.outcome.as_deref())?,
            reason: row.reason,
            ended_at: time_opt(row.ended_at)?,
        })
    }
}

macro_rules! select {
    ($tail:tt $(, $argument:expr)*) => {
        sqlx::query_as!(
            Row,
            "SELECT id, task_id, session_id, attempt, step, started_at, step_at, on_top_of, base, prepared, host_failure, \
             result, change, check_id, progress, progress_text, agent, round, waits_for, spent_tokens, spent_usd, spent_turns, \
             waited_ms, loose, refused, stop_requested, outcome, reason, ended_at FROM build " + $tail
            $(, $argument)*
        )
    };
}

mod waits;

fn all(rows: Vec<Row>) -> Result<Vec<Build>, StoreError> {
    rows.into_iter().map(Build::try_from).collect()
}

/// Starts a build if the task has no open one (the schema refuses it) and a permit is free.
pub async fn start(conn: &mut Conn, new: &NewBuild, now: DateTime<Utc>) -> Result<BuildId, StoreError> {
    permit(conn, new.permits).await?;
    let (now, attempt, slot) = (ms(now), new.attempts_before + 1, free_slot(conn, new.task).await?);
    let result = sqlx::query!(
        "INSERT INTO build (task_id, session_id, attempt, slot, step, started_at, step_at, on_top_of, agent) \
         VALUES (?1, ?2, ?3, ?4, 'preparing', ?5, ?5, ?6, ?7)",
        new.task.0,
        new.session.0,
        attempt,
        slot,
        now,
        new.on_top_of,
        new.agent
    )
    .execute(conn)
    .await?;
    Ok(BuildId(result.last_insert_rowid()))
}

/// Takes a permit: fails if as many builds run as may. A parked one holds none.
async fn permit(conn: &mut Conn, permits: usize) -> Result<(), StoreError> {
    let running = sqlx::query_scalar!("SELECT COUNT(*) FROM build WHERE step NOT IN ('ended', 'parked')");
    let running: usize = small(running.fetch_one(conn).await?)?;
    if running >= permits { Err(StoreError::Conflict("the number of running builds")) } else { Ok(()) }
}

/// The smallest slot no running build of the same project has: a parked one gets a new one when it goes on.
async fn free_slot(conn: &mut Conn, task: TaskId) -> Result<i64, StoreError> {
    let taken = sqlx::query_scalar!(
        "SELECT build.slot FROM build JOIN task ON task.id = build.task_id \
         WHERE build.step NOT IN ('ended', 'parked') AND task.project IS (SELECT project FROM task WHERE id = ?)",
        task.0
    )
    .fetch_all(conn)
    .await?;
    let most = i64::try_from(taken.len()).unwrap_or(i64::MAX);
    Ok((0..=most).find(|slot| !taken.contains(slot)).unwrap_or(most))
}

/// A build's slot among its project's open builds.
pub async fn slot(conn: &mut Conn, id: BuildId) -> Result<usize, StoreError> {
    small(sqlx::query_scalar!("SELECT slot FROM build WHERE id = ?", id.0).fetch_one(conn).await?)
}

/// Whether this build is still open.
pub async fn is_open(conn: &mut Conn, id: BuildId) -> Result<bool, StoreError> {
    let open = sqlx::query_scalar!("SELECT COUNT(*) FROM build WHERE id = ? AND step <> 'ended'", id.0);
    Ok(open.fetch_one(conn).await? > 0)
}

/// The newest build with a result of each task that is over, newest first: what can be reviewed. Bounded.
pub async fn with_results(conn: &mut Conn) -> Result<Vec<BuildId>, StoreError> {
    let ids = sqlx::query_scalar!(
        "SELECT MAX(build.id) AS \"id!: i64\" FROM build JOIN task ON task.id = task_id WHERE result IS NOT NULL \
         AND step = 'ended' AND task.state = 'done' AND build.id NOT IN (SELECT build_id FROM discarded) \
         GROUP BY task_id ORDER BY 1 DESC LIMIT 200"
    );
    Ok(ids.fetch_all(conn).await?.into_iter().map(BuildId).collect())
}

/// The build with this number.
pub async fn get(conn: &mut Conn, id: BuildId) -> Result<Build, StoreError> {
    select!("WHERE id = ?", id.0)
        .fetch_optional(conn)
        .await?
        .ok_or_else(|| StoreError::Missing(format!("build {id}")))?
        .try_into()
}

/// Builds that have not ended.
pub async fn open(conn: &mut Conn) -> Result<Vec<Build>, StoreError> {
    all(select!("WHERE step <> 'ended' ORDER BY id").fetch_all(conn).await?)
}

/// The builds of a session, oldest first.
pub async fn of_session(conn: &mut Conn, session: SessionId) -> Result<Vec<Build>, StoreError> {
    all(select!("WHERE session_id = ? ORDER BY id", session.0).fetch_all(conn).await?)
}

/// The last builds of a task, newest first.
pub async fn of_task(conn: &mut Conn, task: TaskId, limit: i64) -> Result<Vec<Build>, StoreError> {
    all(select!("WHERE task_id = ? ORDER BY id DESC LIMIT ?", task.0, limit).fetch_all(conn).await?)
}

/// Builds that ended after their session's brief was sent and were not told yet.
pub async fn ended_untold(conn: &mut Conn) -> Result<Vec<Build>, StoreError> {
    all(select!(
        "WHERE step = 'ended' AND told_at IS NULL AND outcome <> 'transient' \
         AND session_id IN (SELECT id FROM session WHERE phase = 'closed') ORDER BY id"
    )
    .fetch_all(conn)
    .await?)
}

/// The end of a build was told.
pub async fn told(conn: &mut Conn, id: BuildId, now: DateTime<Utc>) -> Result<(), StoreError> {
    let now = ms(now);
    let result =
        sqlx::query!("UPDATE build SET told_at = ? WHERE id = ? AND told_at IS NULL", now, id.0).execute(conn).await?;
    expect_one(&result, "the build's notice")
}

/// The brief of a session tells the ends of its builds so far.
pub async fn told_in_brief(conn: &mut Conn, session: SessionId, now: DateTime<Utc>) -> Result<(), StoreError> {
    let now = ms(now);
    sqlx::query!(
        "UPDATE build SET told_at = ? WHERE session_id = ? AND step = 'ended' AND told_at IS NULL",
        now,
        session.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Moves a build from one step to the next.
pub async fn advance(
    conn: &mut Conn,
    id: BuildId,
    from: BuildStep,
    to: BuildStep,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let (from, to, now) = (from.as_str(), to.as_str(), ms(now));
    let result = sqlx::query!(
        "UPDATE build SET waited_ms = waited_ms + CASE step WHEN 'parked' THEN ?2 - step_at ELSE 0 END, \
         step = ?1, step_at = ?2, waits_for = NULL WHERE id = ?3 AND step = ?4",
        to,
        now,
        id.0,
        from
    )
    .execute(conn)
    .await?;
    expect_one(&result, "the build's step")
}

/// Its clone (or folder) is made.
pub async fn prepared(
    conn: &mut Conn,
    id: BuildId,
    base: Option<&str>,
    branch: Option<&str>,
) -> Result<(), StoreError> {
    let result = sqlx::query!(
        "UPDATE build SET prepared = 1, base = ?, branch = ? WHERE id = ? AND step = 'preparing'",
        base,
        branch,
        id.0
    );
    expect_one(&result.execute(conn).await?, "the build")
}

/// The owner's branch a build's base was the tip of, as far as it is on record.
pub async fn branch(conn: &mut Conn, id: BuildId) -> Result<Option<String>, StoreError> {
    Ok(sqlx::query_scalar!("SELECT branch FROM build WHERE id = ?", id.0).fetch_one(conn).await?)
}

/// A host step failed.
pub async fn host_failed(conn: &mut Conn, id: BuildId, failure: &HostFailure) -> Result<(), StoreError> {
    let failure = to_json(failure)?;
    let result = sqlx::query!("UPDATE build SET host_failure = ? WHERE id = ? AND step <> 'ended'", failure, id.0)
        .execute(conn)
        .await?;
    expect_one(&result, "the build")
}

/// What the agent left is in the vault.
pub async fn collected(
    conn: &mut Conn,
    id: BuildId,
    result_commit: Option<&str>,
    change: &Change,
) -> Result<(), StoreError> {
    let change = to_json(change)?;
    let result = sqlx::query!(
        "UPDATE build SET result = ?, change = ? WHERE id = ? AND step = 'collecting'",
        result_commit,
        change,
        id.0
    )
    .execute(conn)
    .await?;
    expect_one(&result, "the build")
}

/// The check of its result was asked for.
pub async fn set_check(conn: &mut Conn, id: BuildId, check: CheckId) -> Result<(), StoreError> {
    let result = sqlx::query!(
        "UPDATE build SET check_id = ? WHERE id = ? AND step = 'checking' AND check_id IS NULL",
        check.0,
        id.0
    )
    .execute(conn)
    .await?;
    expect_one(&result, "the build's check")
}

/// What was last understood of what the agent does: where it says it is, and what it has used so far. What it did not
/// say stays as it was.
pub async fn set_progress(
    conn: &mut Conn,
    id: BuildId,
    progress: Option<u8>,
    text: Option<&str>,
    spent: Used,
) -> Result<(), StoreError> {
    let (progress, tokens) = (progress.map(i64::from), i64::try_from(spent.tokens).unwrap_or(i64::MAX));
    sqlx::query!(
        "UPDATE build SET progress = COALESCE(?, progress), progress_text = COALESCE(?, progress_text), \
         spent_tokens = ?, spent_usd = ?, spent_turns = ? WHERE id = ? AND step <> 'ended'",
        progress,
        text,
        tokens,
        spent.usd,
        spent.turns,
        id.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What isolation did not hold while its agent ran, and which hosts it refused it.
pub async fn set_held(
    conn: &mut Conn,
    id: BuildId,
    loose: Option<&str>,
    refused: Option<&str>,
) -> Result<(), StoreError> {
    sqlx::query!("UPDATE build SET loose = ?, refused = ? WHERE id = ?", loose, refused, id.0).execute(conn).await?;
    Ok(())
}

/// Somebody asked it to stop. Asked twice is asked once.
pub async fn request_stop(conn: &mut Conn, id: BuildId, reason: StopReason) -> Result<bool, StoreError> {
    let reason = reason.as_str();
    let result = sqlx::query!(
        "UPDATE build SET stop_requested = ? WHERE id = ? AND step <> 'ended' AND stop_requested IS NULL",
        reason,
        id.0
    )
    .execute(conn)
    .await?;
    Ok(result.rows_affected() == 1)
}

/// Ends a build.
pub async fn end(
    conn: &mut Conn,
    id: BuildId,
    from: BuildStep,
    outcome: Outcome,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let (from, outcome, now) = (from.as_str(), outcome.as_str(), ms(now));
    let result = sqlx::query!(
        "UPDATE build SET waited_ms = waited_ms + CASE step WHEN 'parked' THEN ?1 - step_at ELSE 0 END, \
         step = 'ended', step_at = ?1, ended_at = ?1, waits_for = NULL, outcome = ?2, reason = ?3 \
         WHERE id = ?4 AND step = ?5",
        now,
        outcome,
        reason,
        id.0,
        from
    )
    .execute(conn)
    .await?;
    expect_one(&result, "the build's step")
}

/// What the tasks that `open` tasks depend on came to: those that completed, with project and commit, and those that
/// are over without.
pub async fn dependencies(conn: &mut Conn) -> Result<Vec<Dependency>, StoreError> {
    let rows = sqlx::query!(
        "SELECT DISTINCT needs.id, needs.state, needs.project, \
         (SELECT outcome FROM build WHERE build.task_id = needs.id ORDER BY build.id DESC LIMIT 1) AS \"outcome?: String\", \
         (SELECT result FROM build WHERE build.task_id = needs.id ORDER BY build.id DESC LIMIT 1) AS \"result?: String\" \
         FROM task_dependency JOIN task AS needs ON needs.id = task_dependency.needs_id \
         JOIN task AS waits ON waits.id = task_dependency.task_id \
         WHERE waits.state IN ('open', 'draft') AND needs.state IN ('done', 'dropped')"
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Dependency {
            task: TaskId(row.id),
            completed: row.state == "done" && row.outcome.as_deref() == Some(Outcome::Verified.as_str()),
            result: row.project.zip(row.result),
        })
        .collect())
}

/// What a task others wait for came to.
#[derive(Debug, Clone)]
pub struct Dependency {
    /// Which task.
    pub task: TaskId,
    /// Whether it completed.
    pub completed: bool,
    /// Project and result commit, where there is one.
    pub result: Option<(String, String)>,
}

/// What a week came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Week {
    /// Tasks whose build was verified.
    pub completed: i64,
    /// Tasks whose build ended for good, stopped ones left out.
    pub ended: i64,
    /// Run time of verified builds, in hours.
    pub hours: f64,
    /// Problems fixed.
    pub fixed: i64,
}

/// The builds and fixes since a moment.
pub async fn week(conn: &mut Conn, since: DateTime<Utc>) -> Result<Week, StoreError> {
    let since = ms(since);
    let row = sqlx::query!(
        "SELECT COUNT(*) FILTER (WHERE outcome = 'verified') AS completed, \
         COUNT(*) FILTER (WHERE outcome NOT IN ('transient', 'stopped', 'cancelled')) AS ended, \
         COALESCE(SUM(ended_at - started_at - waited_ms) FILTER (WHERE outcome = 'verified'), 0) AS \"shipped!: i64\", \
         (SELECT COUNT(*) FROM problem JOIN session ON session.id = problem.session_id \
          WHERE fixed IS NOT NULL AND session.started_at >= ?1) AS fixed \
         FROM build WHERE ended_at >= ?1",
        since
    )
    .fetch_one(conn)
    .await?;
    let hours = row.shipped as f64 / 3_600_000.0;
    Ok(Week { completed: row.completed, ended: row.ended, hours, fixed: row.fixed })
}
