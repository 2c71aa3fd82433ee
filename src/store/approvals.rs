//! Approvals: bound to task and revision, consumed in the transaction that starts the build.

use super::{Conn, StoreError, expect_one, ms, time, time_opt};
use crate::domain::approval::Approval;
use crate::domain::id::TaskId;
use chrono::{DateTime, Utc};

struct Row {
    task_id: i64,
    revision_hash: String,
    approver: String,
    decided_at: i64,
    used_at: Option<i64>,
}

impl TryFrom<Row> for Approval {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            task: TaskId(row.task_id),
            revision_hash: row.revision_hash,
            approver: row.approver,
            decided_at: time(row.decided_at)?,
            used_at: time_opt(row.used_at)?,
        })
    }
}

/// Records an approval; the task's earlier ones are void from now on.
pub async fn insert(
    conn: &mut Conn,
    task: TaskId,
    revision_hash: &str,
    approver: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    void(conn, task, "approved anew", now).await?;
    let at = ms(now);
    sqlx::query!(
        "INSERT INTO approval (task_id, revision_hash, approver, decided_at) VALUES (?, ?, ?, ?)",
        task.0,
        revision_hash,
        approver,
        at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Voids what is in force for a task. Returns how many that were.
pub async fn void(conn: &mut Conn, task: TaskId, reason: &str, now: DateTime<Utc>) -> Result<u64, StoreError> {
    let at = ms(now);
    let result = sqlx::query!(
        "UPDATE approval SET voided_at = ?, void_reason = ? WHERE task_id = ? AND voided_at IS NULL",
        at,
        reason,
        task.0
    )
    .execute(conn)
    .await?;
    Ok(result.rows_affected())
}

/// Approvals in force for tasks that wait.
pub async fn in_force(conn: &mut Conn) -> Result<Vec<Approval>, StoreError> {
    sqlx::query_as!(
        Row,
        "SELECT task_id, revision_hash, approver, decided_at, used_at FROM approval \
         WHERE voided_at IS NULL AND task_id IN (SELECT id FROM task WHERE state IN ('open', 'draft')) ORDER BY id"
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(Approval::try_from)
    .collect()
}

/// Uses the approval of exactly this revision: fails unless one is in force. The retries of a build use the same one.
pub async fn consume(conn: &mut Conn, task: TaskId, revision_hash: &str, now: DateTime<Utc>) -> Result<(), StoreError> {
    let at = ms(now);
    let result = sqlx::query!(
        "UPDATE approval SET used_at = COALESCE(used_at, ?) \
         WHERE task_id = ? AND revision_hash = ? AND voided_at IS NULL",
        at,
        task.0,
        revision_hash
    )
    .execute(conn)
    .await?;
    expect_one(&result, "the approval")
}
