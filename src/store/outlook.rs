//! What the planner knows beyond the present state: how earlier builds went, and who was passed over.

use super::{Conn, StoreError, from_json_opt, word};
use crate::domain::build::{Change, Outcome};
use crate::domain::forecast::{Ending, History, REMEMBERED, Record, Traits};
use crate::domain::id::TaskId;
use crate::domain::plan::outlook::{Outlook, PATIENCE};
use std::sync::Arc;

const MS_PER_MINUTE: f64 = 60_000.0;
/// Nights looked back on for tasks that are passed over; one passed over longer has had its turn long ago.
const NIGHTS: i64 = 14;
/// Oldest tasks looked at for that.
const OLDEST: i64 = 200;

/// Everything known; `attempts` is what a task is given.
pub async fn load(conn: &mut Conn, attempts: u32) -> Result<Outlook, StoreError> {
    let mut outlook =
        Outlook { history: Arc::new(History { records: records(conn).await?, attempts }), ..Outlook::default() };
    earlier_attempts(conn, &mut outlook).await?;
    passed_over(conn, &mut outlook).await?;
    Ok(outlook)
}

/// How the newest builds went.
pub async fn records(conn: &mut Conn) -> Result<Vec<Record>, StoreError> {
    let most = i64::try_from(REMEMBERED).unwrap_or(i64::MAX);
    let rows = sqlx::query!(
        "SELECT task.source, task.category, task.project, build.agent, task.estimate_minutes, \
         build.ended_at - build.started_at - build.waited_ms AS \"worked!: i64\", build.outcome AS \"outcome!\" \
         FROM build JOIN task ON task.id = build.task_id \
         WHERE build.ended_at IS NOT NULL ORDER BY build.ended_at DESC, build.id DESC LIMIT ?",
        most
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let (ending, whole) = Ending::of(word::<Outcome>(&row.outcome)?);
            Ok(Record {
                traits: Traits {
                    asker: row.source,
                    category: row.category,
                    project: row.project.unwrap_or_default(),
                    agent: row.agent.unwrap_or_default(),
                },
                estimate: row.estimate_minutes as f64,
                minutes: if whole { (row.worked as f64 / MS_PER_MINUTE).max(0.0) } else { 0.0 },
                ending,
            })
        })
        .collect()
}

/// What earlier attempts at tasks that are tried again tell: it takes longer than that, and touches these files.
async fn earlier_attempts(conn: &mut Conn, outlook: &mut Outlook) -> Result<(), StoreError> {
    let rows = sqlx::query!(
        "SELECT build.task_id, build.ended_at - build.started_at - build.waited_ms AS \"worked!: i64\", build.change \
         FROM task JOIN build ON build.task_id = task.id \
         WHERE task.state = 'open' AND task.attempts > 0 AND build.step = 'ended'"
    )
    .fetch_all(conn)
    .await?;
    for row in rows {
        let task = TaskId(row.task_id);
        let lasted = outlook.lasted.entry(task).or_default();
        *lasted = lasted.max(row.worked as f64 / MS_PER_MINUTE);
        if let Some(change) = from_json_opt::<Change>(row.change.as_deref())? {
            outlook.touched.entry(task).or_default().extend(change.paths);
        }
    }
    Ok(())
}

/// Counts the nights in which others were built and a task that stood ready was not.
async fn passed_over(conn: &mut Conn, outlook: &mut Outlook) -> Result<(), StoreError> {
    let nights = sqlx::query_scalar!(
        "SELECT spawn_at FROM session WHERE kind = 'nightly' AND phase = 'closed' \
         AND EXISTS (SELECT 1 FROM build WHERE build.session_id = session.id) ORDER BY id DESC LIMIT ?",
        NIGHTS
    )
    .fetch_all(&mut *conn)
    .await?;
    let enough = usize::try_from(PATIENCE).unwrap_or(usize::MAX);
    let Some(third) = nights.get(enough.saturating_sub(1)).copied() else {
        return Ok(());
    };
    let rows = sqlx::query!(
        "SELECT id, MAX(created_at, COALESCE(not_before, 0), COALESCE((SELECT MAX(decided_at) FROM approval \
         WHERE approval.task_id = task.id AND voided_at IS NULL), 0)) AS \"since!: i64\" \
         FROM task WHERE state = 'open' AND attempts = 0 AND created_at <= ?1 ORDER BY id LIMIT ?2",
        third,
        OLDEST
    )
    .fetch_all(&mut *conn)
    .await?;
    outlook.passed_over = rows
        .into_iter()
        .map(|row| {
            let number = nights.iter().filter(|night| **night >= row.since).count();
            (TaskId(row.id), u32::try_from(number).unwrap_or(u32::MAX))
        })
        .collect();
    let turns = sqlx::query_scalar!(
        "SELECT COUNT(*) FROM build JOIN task ON task.id = build.task_id \
         WHERE build.session_id = (SELECT MAX(id) FROM session WHERE kind = 'nightly' AND phase <> 'closed') \
         AND build.attempt = 1 AND task.created_at <= ?",
        third
    );
    outlook.turn_given = turns.fetch_one(conn).await? > 0;
    Ok(())
}
