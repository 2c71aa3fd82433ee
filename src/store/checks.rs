//! Checks.

use super::{Conn, StoreError, expect_one, from_json_opt, ms, time, to_json, word};
use crate::domain::build::{Check, CheckPurpose, CheckStep, HostFailure, Verdict};
use crate::domain::id::{BuildId, CheckId, SessionId};
use chrono::{DateTime, Utc};

struct Row {
    id: i64,
    session_id: i64,
    project: String,
    commit_sha: String,
    purpose: String,
    build_id: Option<i64>,
    step: String,
    step_at: i64,
    prepared: i64,
    host_failure: Option<String>,
    verdict: Option<String>,
}

impl TryFrom<Row> for Check {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: CheckId(row.id),
            session: SessionId(row.session_id),
            project: row.project,
            commit: row.commit_sha,
            purpose: word(&row.purpose)?,
            build: row.build_id.map(BuildId),
            step: word(&row.step)?,
            step_at: time(row.step_at)?,
            prepared: row.prepared != 0,
            host_failure: from_json_opt(row.host_failure.as_deref())?,
            verdict: from_json_opt(row.verdict.as_deref())?,
        })
    }
}

macro_rules! select {
    ($tail:tt $(, $argument:expr)*) => {
        sqlx::query_as!(
            Row,
            "SELECT id, session_id, project, commit_sha, purpose, build_id, step, step_at, prepared, host_failure, verdict \
             FROM checks " + $tail
            $(, $argument)*
        )
    };
}

/// Asks for a check of `commit`; empty for a base that is still to be resolved.
pub async fn insert(
    conn: &mut Conn,
    session: SessionId,
    project: &str,
    commit: &str,
    purpose: CheckPurpose,
    build: Option<BuildId>,
    now: DateTime<Utc>,
) -> Result<CheckId, StoreError> {
    let (purpose, build, now) = (purpose.as_str(), build.map(|build| build.0), ms(now));
    let result = sqlx::query!(
        "INSERT INTO checks (session_id, project, commit_sha, purpose, build_id, step, step_at) \
         VALUES (?, ?, ?, ?, ?, 'waiting', ?)",
        session.0,
        project,
        commit,
        purpose,
        build,
        now
    )
    .execute(conn)
    .await?;
    Ok(CheckId(result.last_insert_rowid()))
}

/// The check with this number.
pub async fn get(conn: &mut Conn, id: CheckId) -> Result<Check, StoreError> {
    select!("WHERE id = ?", id.0)
        .fetch_optional(conn)
        .await?
        .ok_or_else(|| StoreError::Missing(format!("check {id}")))?
        .try_into()
}

/// Checks the planner looks at: open ones, those of open builds and ships, and the base checks of sessions in use.
pub async fn current(conn: &mut Conn) -> Result<Vec<Check>, StoreError> {
    select!(
        "WHERE step <> 'ended' OR build_id IN (SELECT id FROM build WHERE step <> 'ended') \
         OR id IN (SELECT check_id FROM ship WHERE step <> 'ended') \
         OR id IN (SELECT base_check_id FROM ship WHERE step <> 'ended') \
         OR (purpose = 'base' AND session_id IN (SELECT id FROM session WHERE phase IN \
             ('health', 'patterns', 'building', 'report', 'brief') \
             OR keep_until IS NOT NULL OR id IN (SELECT session_id FROM build WHERE step <> 'ended'))) ORDER BY id"
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(Check::try_from)
    .collect()
}

/// All checks of a session.
pub async fn of_session(conn: &mut Conn, session: SessionId) -> Result<Vec<Check>, StoreError> {
    select!("WHERE session_id = ? ORDER BY id", session.0)
        .fetch_all(conn)
        .await?
        .into_iter()
        .map(Check::try_from)
        .collect()
}

/// Whether this check is still open.
pub async fn is_open(conn: &mut Conn, id: CheckId) -> Result<bool, StoreError> {
    let open = sqlx::query_scalar!("SELECT COUNT(*) FROM checks WHERE id = ? AND step <> 'ended'", id.0);
    Ok(open.fetch_one(conn).await? > 0)
}

/// Moves a check from one step to the next.
pub async fn advance(
    conn: &mut Conn,
    id: CheckId,
    from: CheckStep,
    to: CheckStep,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let (from, to, now) = (from.as_str(), to.as_str(), ms(now));
    let result = sqlx::query!("UPDATE checks SET step = ?, step_at = ? WHERE id = ? AND step = ?", to, now, id.0, from)
        .execute(conn)
        .await?;
    expect_one(&result, "the check's step")
}

/// Its clone is made, of this commit.
pub async fn prepared(conn: &mut Conn, id: CheckId, commit: &str) -> Result<(), StoreError> {
    let result = sqlx::query!(
        "UPDATE checks SET prepared = 1, commit_sha = ? WHERE id = ? AND step = 'preparing'",
        commit,
        id.0
    )
    .execute(conn)
    .await?;
    expect_one(&result, "the check")
}

/// Its clone could not be made.
pub async fn host_failed(conn: &mut Conn, id: CheckId, failure: &HostFailure) -> Result<(), StoreError> {
    let failure = to_json(failure)?;
    let result = sqlx::query!("UPDATE checks SET host_failure = ? WHERE id = ? AND step <> 'ended'", failure, id.0)
        .execute(conn)
        .await?;
    expect_one(&result, "the check")
}

/// Ends a check.
pub async fn end(
    conn: &mut Conn,
    id: CheckId,
    from: CheckStep,
    verdict: &Verdict,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let (from, verdict, now) = (from.as_str(), to_json(verdict)?, ms(now));
    let result = sqlx::query!(
        "UPDATE checks SET step = 'ended', step_at = ?, verdict = ? WHERE id = ? AND step = ?",
        now,
        verdict,
        id.0,
        from
    )
    .execute(conn)
    .await?;
    expect_one(&result, "the check's step")
}
