//! Tasks and what they depend on.

use super::{Conn, StoreError, expect_one, from_json, ms, small, time, time_opt, to_json, word};
use crate::domain::id::TaskId;
use crate::domain::task::{Task, TaskSpec, TaskState};
use chrono::{DateTime, Utc};
use std::collections::BTreeSet;

struct Row {
    id: i64,
    title: String,
    details: String,
    project: Option<String>,
    kind: String,
    category: String,
    priority: String,
    estimate_minutes: i64,
    not_before: Option<i64>,
    agent: Option<String>,
    command: String,
    state: String,
    revision: i64,
    text_lock: Option<String>,
    source: String,
    created_at: i64,
    attempts: i64,
    retry_at: Option<i64>,
    needs: String,
}

impl TryFrom<Row> for Task {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: TaskId(row.id),
            spec: TaskSpec {
                title: row.title,
                details: row.details,
                project: row.project,
                kind: word(&row.kind)?,
                category: word(&row.category)?,
                priority: word(&row.priority)?,
                estimate_minutes: small(row.estimate_minutes)?,
                not_before: time_opt(row.not_before)?,
                depends_on: from_json(&row.needs)?,
                agent: row.agent,
                command: from_json(&row.command)?,
            },
            state: word(&row.state)?,
            revision: small(row.revision)?,
            text_lock: row.text_lock,
            source: row.source,
            created_at: time(row.created_at)?,
            attempts: small(row.attempts)?,
            retry_at: time_opt(row.retry_at)?,
        })
    }
}

macro_rules! select {
    ($tail:tt $(, $argument:expr)*) => {
        sqlx::query_as!(
            Row,
            "SELECT id, title, details, project, kind, category, priority, estimate_minutes, not_before, agent, command, \
             state, revision, text_lock, source, created_at, attempts, retry_at, \
             (SELECT json_group_array(needs_id) FROM task_dependency WHERE task_id = task.id) AS \"needs!: String\" \
             FROM task " + $tail
            $(, $argument)*
        )
    };
}

/// Queues a task and returns its number.
pub async fn insert(
    conn: &mut Conn,
    spec: &TaskSpec,
    state: TaskState,
    text_lock: Option<&str>,
    source: &str,
    now: DateTime<Utc>,
) -> Result<TaskId, StoreError> {
    let (kind, category, priority) = (spec.kind.as_str(), spec.category.as_str(), spec.priority.as_str());
    let (command, not_before, created, state) =
        (to_json(&spec.command)?, spec.not_before.map(ms), ms(now), state.as_str());
    let id = sqlx::query!(
        "INSERT INTO task (title, details, project, kind, category, priority, estimate_minutes, not_before, agent, \
         command, state, revision, text_lock, source, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?, ?)",
        spec.title,
        spec.details,
        spec.project,
        kind,
        category,
        priority,
        spec.estimate_minutes,
        not_before,
        spec.agent,
        command,
        state,
        text_lock,
        source,
        created,
    )
    .execute(&mut *conn)
    .await?
    .last_insert_rowid();
    set_dependencies(conn, TaskId(id), &spec.depends_on).await?;
    Ok(TaskId(id))
}

/// Replaces what a task says: a new revision, with no attempts yet.
pub async fn edit(
    conn: &mut Conn,
    task: &Task,
    spec: &TaskSpec,
    state: TaskState,
    text_lock: Option<&str>,
) -> Result<(), StoreError> {
    let (kind, category, priority) = (spec.kind.as_str(), spec.category.as_str(), spec.priority.as_str());
    let (command, not_before, state) = (to_json(&spec.command)?, spec.not_before.map(ms), state.as_str());
    let result = sqlx::query!(
        "UPDATE task SET title = ?, details = ?, project = ?, kind = ?, category = ?, priority = ?, \
         estimate_minutes = ?, not_before = ?, agent = ?, command = ?, state = ?, text_lock = ?, \
         revision = revision + 1, attempts = 0, retry_at = NULL \
         WHERE id = ? AND revision = ? AND state IN ('draft', 'open')",
        spec.title,
        spec.details,
        spec.project,
        kind,
        category,
        priority,
        spec.estimate_minutes,
        not_before,
        spec.agent,
        command,
        state,
        text_lock,
        task.id.0,
        task.revision,
    )
    .execute(&mut *conn)
    .await?;
    expect_one(&result, "the task")?;
    set_dependencies(conn, task.id, &spec.depends_on).await
}

async fn set_dependencies(conn: &mut Conn, task: TaskId, needs: &[TaskId]) -> Result<(), StoreError> {
    sqlx::query!("DELETE FROM task_dependency WHERE task_id = ?", task.0).execute(&mut *conn).await?;
    for need in needs {
        sqlx::query!("INSERT OR IGNORE INTO task_dependency (task_id, needs_id) VALUES (?, ?)", task.0, need.0)
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}

/// The task of this number.
pub async fn get(conn: &mut Conn, id: TaskId) -> Result<Task, StoreError> {
    select!("WHERE id = ?", id.0)
        .fetch_optional(conn)
        .await?
        .ok_or_else(|| StoreError::Missing(format!("task #{id}")))?
        .try_into()
}

/// Open tasks and drafts, oldest first.
pub async fn waiting(conn: &mut Conn) -> Result<Vec<Task>, StoreError> {
    select!("WHERE state IN ('open', 'draft') ORDER BY id")
        .fetch_all(conn)
        .await?
        .into_iter()
        .map(Task::try_from)
        .collect()
}

/// The tasks that ended last, newest first.
pub async fn ended(conn: &mut Conn, limit: i64) -> Result<Vec<Task>, StoreError> {
    select!("WHERE state IN ('done', 'dropped') ORDER BY state, id DESC LIMIT ?", limit)
        .fetch_all(conn)
        .await?
        .into_iter()
        .map(Task::try_from)
        .collect()
}

/// How many tasks are open or drafts.
pub async fn count_waiting(conn: &mut Conn) -> Result<usize, StoreError> {
    let count =
        sqlx::query_scalar!("SELECT COUNT(*) FROM task WHERE state IN ('open', 'draft')").fetch_one(conn).await?;
    small(count)
}

/// Moves a task from one state to another.
pub async fn set_state(
    conn: &mut Conn,
    id: TaskId,
    from: TaskState,
    to: TaskState,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let (from, to) = (from.as_str(), to.as_str());
    let ended = matches!(to, "done" | "dropped").then(|| ms(now));
    let result =
        sqlx::query!("UPDATE task SET state = ?, ended_at = ? WHERE id = ? AND state = ?", to, ended, id.0, from)
            .execute(conn)
            .await?;
    expect_one(&result, "the task's state")
}

/// Opens an ended task again, as if it had never been tried.
pub async fn reopen(conn: &mut Conn, id: TaskId) -> Result<(), StoreError> {
    let result = sqlx::query!(
        "UPDATE task SET state = 'open', attempts = 0, retry_at = NULL, ended_at = NULL \
         WHERE id = ? AND state IN ('done', 'dropped')",
        id.0
    )
    .execute(conn)
    .await?;
    expect_one(&result, "the task's state")
}

/// Counts an attempt of exactly this revision.
pub async fn count_attempt(conn: &mut Conn, id: TaskId, revision: u32, before: u32) -> Result<(), StoreError> {
    let result = sqlx::query!(
        "UPDATE task SET attempts = attempts + 1, retry_at = NULL \
         WHERE id = ? AND revision = ? AND attempts = ? AND state = 'open'",
        id.0,
        revision,
        before
    )
    .execute(conn)
    .await?;
    expect_one(&result, "the task")
}

/// Puts a task back into the queue, not before `at`.
pub async fn requeue(conn: &mut Conn, id: TaskId, at: DateTime<Utc>) -> Result<(), StoreError> {
    let at = ms(at);
    sqlx::query!("UPDATE task SET retry_at = ? WHERE id = ? AND state = 'open'", at, id.0).execute(conn).await?;
    Ok(())
}

/// Lifts a retry's waiting time: the owner wants it now.
pub async fn clear_wait(conn: &mut Conn, id: TaskId) -> Result<(), StoreError> {
    sqlx::query!("UPDATE task SET retry_at = NULL WHERE id = ? AND state = 'open'", id.0).execute(conn).await?;
    Ok(())
}

/// Whether making `task` wait for `needs` would close a circle.
pub async fn closes_cycle(conn: &mut Conn, task: TaskId, needs: TaskId) -> Result<bool, StoreError> {
    let found = sqlx::query_scalar!(
        "WITH RECURSIVE reach (id) AS (SELECT ?1 UNION SELECT needs_id FROM task_dependency, reach WHERE task_id = reach.id) \
         SELECT EXISTS (SELECT 1 FROM reach WHERE id = ?2) AS \"found!: bool\"",
        needs.0, task.0
    )
    .fetch_one(conn)
    .await?;
    Ok(found)
}

/// A past task as the pattern check sees it.
#[derive(Debug, Clone)]
pub struct Past {
    /// Which task.
    pub id: TaskId,
    /// What it said.
    pub title: String,
    /// Its project.
    pub project: Option<String>,
    /// Its category's stored word.
    pub category: String,
    /// When it was queued.
    pub created_at: DateTime<Utc>,
}

/// Tasks the owner queued since `since`, oldest first, at most 100,000.
pub async fn queued_by_owner_since(conn: &mut Conn, since: DateTime<Utc>) -> Result<Vec<Past>, StoreError> {
    let since = ms(since);
    let rows = sqlx::query!(
        "SELECT id, title, project, category, created_at FROM task \
         WHERE created_at >= ? AND source = 'owner' AND state <> 'draft' ORDER BY created_at LIMIT 100000",
        since
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Past {
                id: TaskId(row.id),
                title: row.title,
                project: row.project,
                category: row.category,
                created_at: time(row.created_at)?,
            })
        })
        .collect()
}

/// A person's message became this task, the one at `place` among those of the message.
pub async fn came_from(conn: &mut Conn, chat: &str, message: &str, place: usize, id: TaskId) -> Result<(), StoreError> {
    let place = i64::try_from(place).unwrap_or(i64::MAX);
    sqlx::query!(
        "INSERT INTO task_message (chat, message, place, task_id) VALUES (?, ?, ?, ?)",
        chat,
        message,
        place,
        id.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The tasks a person's message became, in the order of its lines.
pub async fn of_message(conn: &mut Conn, chat: &str, message: &str) -> Result<Vec<TaskId>, StoreError> {
    let ids = sqlx::query_scalar!(
        "SELECT task_id FROM task_message WHERE chat = ? AND message = ? ORDER BY place",
        chat,
        message
    )
    .fetch_all(conn)
    .await?;
    Ok(ids.into_iter().map(TaskId).collect())
}

/// The owner does not want to be asked about a task before `until`.
pub async fn snooze(conn: &mut Conn, id: TaskId, until: DateTime<Utc>) -> Result<(), StoreError> {
    let until = ms(until);
    sqlx::query!(
        "INSERT INTO snooze (task_id, until) VALUES (?, ?) ON CONFLICT (task_id) DO UPDATE SET until = excluded.until",
        id.0,
        until
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Tasks the owner does not want to be asked about now.
pub async fn snoozed(conn: &mut Conn, now: DateTime<Utc>) -> Result<BTreeSet<TaskId>, StoreError> {
    let now = ms(now);
    let ids = sqlx::query_scalar!("SELECT task_id FROM snooze WHERE until > ?", now).fetch_all(conn).await?;
    Ok(ids.into_iter().map(TaskId).collect())
}
