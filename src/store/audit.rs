//! The audit: every decision, append-only (the schema refuses anything else), and the operation log.

use super::{Conn, StoreError, ms, time, time_opt};
use crate::domain::id::TaskId;
use chrono::{DateTime, Utc};
use serde::Serialize;

/// One decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Order.
    pub id: i64,
    /// When.
    pub at: DateTime<Utc>,
    /// Who decided.
    pub actor: String,
    /// Which kind of decision.
    pub kind: String,
    /// About which task.
    pub task: Option<TaskId>,
    /// What and why.
    pub text: String,
}

/// Appends a decision.
pub async fn append(
    conn: &mut Conn,
    at: DateTime<Utc>,
    actor: &str,
    kind: &str,
    task: Option<TaskId>,
    text: &str,
) -> Result<(), StoreError> {
    let (at, task) = (ms(at), task.map(|task| task.0));
    sqlx::query!(
        "INSERT INTO audit (at, actor, kind, task_id, text) VALUES (?, ?, ?, ?, ?)",
        at,
        actor,
        kind,
        task,
        text
    )
    .execute(conn)
    .await?;
    Ok(())
}

struct Row {
    id: i64,
    at: i64,
    actor: String,
    kind: String,
    task_id: Option<i64>,
    text: String,
}

fn entries(rows: Vec<Row>) -> Result<Vec<Entry>, StoreError> {
    let mut entries = rows
        .into_iter()
        .map(|row| {
            Ok(Entry {
                id: row.id,
                at: time(row.at)?,
                actor: row.actor,
                kind: row.kind,
                task: row.task_id.map(TaskId),
                text: row.text,
            })
        })
        .collect::<Result<Vec<_>, StoreError>>()?;
    entries.reverse();
    Ok(entries)
}

/// The last decisions, oldest first.
pub async fn last(conn: &mut Conn, limit: i64) -> Result<Vec<Entry>, StoreError> {
    let rows =
        sqlx::query_as!(Row, "SELECT id, at, actor, kind, task_id, text FROM audit ORDER BY id DESC LIMIT ?", limit)
            .fetch_all(conn)
            .await?;
    entries(rows)
}

/// The last decisions about one task, oldest first.
pub async fn of_task(conn: &mut Conn, task: TaskId, limit: i64) -> Result<Vec<Entry>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT id, at, actor, kind, task_id, text FROM audit WHERE task_id = ? ORDER BY id DESC LIMIT ?",
        task.0,
        limit
    )
    .fetch_all(conn)
    .await?;
    entries(rows)
}

/// Who last took one of these kinds of decision about a task.
pub async fn last_actor(conn: &mut Conn, task: TaskId, kinds: [&str; 2]) -> Result<Option<String>, StoreError> {
    let [one, other] = kinds;
    Ok(sqlx::query_scalar!(
        "SELECT actor FROM audit WHERE task_id = ? AND kind IN (?, ?) ORDER BY id DESC LIMIT 1",
        task.0,
        one,
        other
    )
    .fetch_optional(conn)
    .await?)
}

/// Writes down a mutation of a repository or of the owner's files before it happens. Returns its row: that of the same
/// mutation, announced before an interruption and not seen to have happened, if there is one.
pub async fn operation(
    conn: &mut Conn,
    at: DateTime<Utc>,
    kind: &str,
    subject: &str,
    before: Option<&str>,
    after: Option<&str>,
    task: Option<TaskId>,
) -> Result<i64, StoreError> {
    let (at, task) = (ms(at), task.map(|task| task.0));
    let announced = sqlx::query_scalar!(
        "SELECT id FROM operation WHERE subject = ? AND kind = ? AND after IS ? AND done_at IS NULL \
         AND dropped_at IS NULL",
        subject,
        kind,
        after
    );
    if let Some(id) = announced.fetch_optional(&mut *conn).await? {
        return Ok(id);
    }
    let result = sqlx::query!(
        "INSERT INTO operation (at, kind, subject, before, after, task_id) VALUES (?, ?, ?, ?, ?, ?)",
        at,
        kind,
        subject,
        before,
        after,
        task
    )
    .execute(conn)
    .await?;
    Ok(result.last_insert_rowid())
}

/// Whether the same mutation was announced before and not seen to have happened.
pub async fn announced(conn: &mut Conn, kind: &str, subject: &str, after: &str) -> Result<bool, StoreError> {
    let rows = sqlx::query_scalar!(
        "SELECT COUNT(*) FROM operation WHERE kind = ? AND subject = ? AND after = ? AND done_at IS NULL \
         AND dropped_at IS NULL",
        kind,
        subject,
        after
    );
    Ok(rows.fetch_one(conn).await? > 0)
}

/// Mutations of one subject that were announced and will not be gone on with; `but` has this state after it.
pub async fn drop_announced(
    conn: &mut Conn,
    kind: &str,
    subject: &str,
    but: Option<&str>,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    let at = ms(at);
    sqlx::query!(
        "UPDATE operation SET dropped_at = ? WHERE kind = ? AND subject = ? AND after IS NOT ? AND done_at IS NULL \
         AND dropped_at IS NULL",
        at,
        kind,
        subject,
        but
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The mutation was seen not to have happened.
pub async fn operation_dropped(conn: &mut Conn, id: i64, at: DateTime<Utc>) -> Result<(), StoreError> {
    let at = ms(at);
    sqlx::query!("UPDATE operation SET dropped_at = ? WHERE id = ? AND done_at IS NULL", at, id).execute(conn).await?;
    Ok(())
}

/// The mutation was seen to have happened.
pub async fn operation_done(conn: &mut Conn, id: i64, at: DateTime<Utc>) -> Result<(), StoreError> {
    let at = ms(at);
    sqlx::query!("UPDATE operation SET done_at = ? WHERE id = ? AND done_at IS NULL", at, id).execute(conn).await?;
    Ok(())
}

/// One mutation of a repository or of the owner's files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Operation {
    /// Order.
    pub id: i64,
    /// When it was about to happen.
    pub at: DateTime<Utc>,
    /// What: `land`, `set_ref`, …
    pub kind: String,
    /// The project, repository or file.
    pub subject: String,
    /// State before.
    pub before: Option<String>,
    /// State after.
    pub after: Option<String>,
    /// For which task.
    pub task: Option<TaskId>,
    /// When it was seen to have happened.
    pub done_at: Option<DateTime<Utc>>,
    /// When it was seen not to have happened.
    pub dropped_at: Option<DateTime<Utc>>,
}

impl Operation {
    /// Whether it happened, as a sign.
    pub fn icon(&self) -> &'static str {
        match (self.done_at, self.dropped_at) {
            (Some(_), _) => "✅",
            (None, Some(_)) => "✖️",
            (None, None) => "⏳",
        }
    }
}

/// The last mutations, oldest first.
pub async fn operations(conn: &mut Conn, limit: i64) -> Result<Vec<Operation>, StoreError> {
    let rows = sqlx::query!(
        "SELECT id, at, kind, subject, before, after, task_id, done_at, dropped_at FROM operation ORDER BY id DESC LIMIT ?",
        limit
    );
    let mut operations = rows
        .fetch_all(conn)
        .await?
        .into_iter()
        .map(|row| {
            Ok(Operation {
                id: row.id,
                at: time(row.at)?,
                kind: row.kind,
                subject: row.subject,
                before: row.before,
                after: row.after,
                task: row.task_id.map(TaskId),
                done_at: time_opt(row.done_at)?,
                dropped_at: time_opt(row.dropped_at)?,
            })
        })
        .collect::<Result<Vec<_>, StoreError>>()?;
    operations.reverse();
    Ok(operations)
}
