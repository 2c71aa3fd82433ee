//! Problems, patterns, resource samples and throttle events.

use super::{Conn, StoreError, expect_one, from_json, ms, time, time_opt, to_json, word};
use crate::domain::id::{SessionId, TaskId};
use crate::domain::problem::Problem;
use crate::domain::resource::Sample;
use crate::domain::throttle::{OpenThrottle, PressureKind};
use chrono::{DateTime, Utc};

/// One problem of a session's health check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredProblem {
    /// Stored word of its kind.
    pub kind: String,
    /// Stored word of its severity.
    pub severity: String,
    /// Which file or folder.
    pub subject: String,
    /// What is wrong.
    pub detail: String,
    /// What was done about it.
    pub fixed: Option<String>,
    /// Why it was not fixed.
    pub why_not: Option<String>,
    /// Bytes freed on disk.
    pub freed: u64,
    /// Whether there is a safe fix for it.
    pub fixable: bool,
}

/// Records a problem as found, nothing done about it yet. One found before (the check was interrupted) stays.
pub async fn insert_problem(conn: &mut Conn, session: SessionId, problem: &Problem) -> Result<(), StoreError> {
    let (kind, severity, fixable) =
        (problem.kind.as_str(), problem.severity.as_str(), i64::from(problem.fix.is_some()));
    sqlx::query!(
        "INSERT OR IGNORE INTO problem (session_id, kind, severity, subject, detail, fixable) VALUES (?, ?, ?, ?, ?, ?)",
        session.0, kind, severity, problem.subject, problem.detail, fixable
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Records what was done about a problem, or why nothing was.
pub async fn settle_problem(
    conn: &mut Conn,
    session: SessionId,
    (kind, subject): (&str, &str),
    done: Result<&str, &str>,
    freed: u64,
) -> Result<(), StoreError> {
    let freed = i64::try_from(freed).unwrap_or(i64::MAX);
    let (fixed, why_not) = (done.ok(), done.err());
    let result = sqlx::query!(
        "UPDATE problem SET fixed = ?, why_not = ?, freed = ? \
         WHERE session_id = ? AND kind = ? AND subject = ? AND fixed IS NULL",
        fixed,
        why_not,
        freed,
        session.0,
        kind,
        subject
    )
    .execute(conn)
    .await?;
    expect_one(&result, "the problem")
}

/// The problems of a session.
pub async fn problems(conn: &mut Conn, session: SessionId) -> Result<Vec<StoredProblem>, StoreError> {
    let rows = sqlx::query!(
        "SELECT kind, severity, subject, detail, fixed, why_not, freed, fixable FROM problem WHERE session_id = ? ORDER BY id",
        session.0
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(StoredProblem {
                kind: row.kind,
                severity: row.severity,
                subject: row.subject,
                detail: row.detail,
                fixed: row.fixed,
                why_not: row.why_not,
                freed: super::small(row.freed)?,
                fixable: row.fixable != 0,
            })
        })
        .collect()
}

/// One habit of a session's pattern check.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredPattern {
    /// Title of the latest such task.
    pub title: String,
    /// Such as `Thursday`.
    pub when: String,
    /// How many times it happened.
    pub support: u32,
    /// Of how many.
    pub of: u32,
    /// 0–1.
    pub confidence: f64,
    /// What was done about it.
    pub action: String,
    /// The task it queued.
    pub task: Option<TaskId>,
}

/// Records a habit.
pub async fn insert_pattern(conn: &mut Conn, session: SessionId, pattern: &StoredPattern) -> Result<(), StoreError> {
    let task = pattern.task.map(|task| task.0);
    sqlx::query!(
        "INSERT INTO pattern (session_id, title, said_when, support, chances, confidence, action, task_id) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        session.0,
        pattern.title,
        pattern.when,
        pattern.support,
        pattern.of,
        pattern.confidence,
        pattern.action,
        task
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The habits of a session.
pub async fn patterns(conn: &mut Conn, session: SessionId) -> Result<Vec<StoredPattern>, StoreError> {
    let rows = sqlx::query!(
        "SELECT title, said_when, support, chances, confidence, action, task_id FROM pattern WHERE session_id = ? ORDER BY id",
        session.0
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(StoredPattern {
                title: row.title,
                when: row.said_when,
                support: super::small(row.support)?,
                of: super::small(row.chances)?,
                confidence: row.confidence,
                action: row.action,
                task: row.task_id.map(TaskId),
            })
        })
        .collect()
}

/// Records a sample and forgets those before `keep_since`.
pub async fn insert_sample(conn: &mut Conn, sample: &Sample, keep_since: DateTime<Utc>) -> Result<(), StoreError> {
    let (at, data, keep_since) = (ms(sample.at), to_json(sample)?, ms(keep_since));
    sqlx::query!("INSERT OR REPLACE INTO sample (at, data) VALUES (?, ?)", at, data).execute(&mut *conn).await?;
    sqlx::query!("DELETE FROM sample WHERE at < ?", keep_since).execute(conn).await?;
    Ok(())
}

/// Samples since a moment, oldest first.
pub async fn samples(conn: &mut Conn, since: DateTime<Utc>) -> Result<Vec<Sample>, StoreError> {
    let since = ms(since);
    let rows = sqlx::query_scalar!("SELECT data FROM sample WHERE at >= ? ORDER BY at", since).fetch_all(conn).await?;
    rows.iter().map(|data| from_json(data)).collect()
}

/// The newest sample.
pub async fn last_sample(conn: &mut Conn) -> Result<Option<Sample>, StoreError> {
    let row = sqlx::query_scalar!("SELECT data FROM sample ORDER BY at DESC LIMIT 1").fetch_optional(conn).await?;
    row.map(|data| from_json(&data)).transpose()
}

/// A resource ran short. A second open event of a kind is refused by the schema.
pub async fn open_throttle(
    conn: &mut Conn,
    kind: PressureKind,
    detail: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let (kind, now) = (kind.as_str(), ms(now));
    sqlx::query!("INSERT INTO throttle (kind, detail, since) VALUES (?, ?, ?)", kind, detail, now)
        .execute(conn)
        .await?;
    Ok(())
}

/// The resource is back.
pub async fn close_throttle(conn: &mut Conn, kind: PressureKind, now: DateTime<Utc>) -> Result<(), StoreError> {
    let (kind, now) = (kind.as_str(), ms(now));
    let result =
        sqlx::query!("UPDATE throttle SET until = ? WHERE kind = ? AND until IS NULL", now, kind).execute(conn).await?;
    expect_one(&result, "the throttle event")
}

/// Throttle events that have not ended.
pub async fn open_throttles(conn: &mut Conn) -> Result<Vec<OpenThrottle>, StoreError> {
    let rows = sqlx::query!("SELECT kind, since FROM throttle WHERE until IS NULL ORDER BY id").fetch_all(conn).await?;
    rows.into_iter().map(|row| Ok(OpenThrottle { kind: word(&row.kind)?, since: time(row.since)? })).collect()
}

/// One throttle event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredThrottle {
    /// When it began.
    pub since: DateTime<Utc>,
    /// When it ended.
    pub until: Option<DateTime<Utc>>,
    /// What was seen.
    pub detail: String,
}

/// Throttle events that touch a span, oldest first.
pub async fn throttles(
    conn: &mut Conn,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<Vec<StoredThrottle>, StoreError> {
    let (from, to) = (ms(from), ms(to));
    let rows = sqlx::query!(
        "SELECT since, until, detail FROM throttle WHERE since <= ? AND (until IS NULL OR until >= ?) ORDER BY since",
        to,
        from
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| Ok(StoredThrottle { since: time(row.since)?, until: time_opt(row.until)?, detail: row.detail }))
        .collect()
}
