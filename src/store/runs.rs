//! Runs: supervised commands. A row is written before a run is launched and says which folder is its own.

use super::{
    Conn, StoreError, expect_one, from_json, from_json_opt, ms, small, time, time_opt, to_json, word, word_opt,
};
use crate::domain::agent::AgentReport;
use crate::domain::build::{Run, RunEnding, RunOwner, RunStep, StopReason, TestCounts};
use crate::domain::id::{BuildId, CheckId, RunId, SessionId, TaskId};
use crate::domain::incident::{Incident, IncidentFact};
use chrono::{DateTime, Utc};

struct Row {
    id: i64,
    owner_kind: String,
    owner_id: i64,
    step: String,
    started_at: i64,
    stop_requested: Option<String>,
    ended_at: Option<i64>,
    ending: Option<String>,
    counts: Option<String>,
    measured: Option<f64>,
    round: i64,
    report: Option<String>,
}

impl TryFrom<Row> for Run {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let owner = match row.owner_kind.as_str() {
            "build" => RunOwner::Build(BuildId(row.owner_id)),
            "check" => RunOwner::Check(CheckId(row.owner_id)),
            other => return Err(StoreError::BadRow(format!("run owner {other:?}"))),
        };
        Ok(Self {
            id: RunId(row.id),
            owner,
            step: word(&row.step)?,
            started_at: time(row.started_at)?,
            ended: time_opt(row.ended_at)?.zip(from_json_opt(row.ending.as_deref())?),
            stop_requested: word_opt(row.stop_requested.as_deref())?,
            counts: from_json_opt(row.counts.as_deref())?,
            measured: row.measured,
            round: small(row.round)?,
            report: from_json_opt(row.report.as_deref())?,
        })
    }
}

macro_rules! select {
    ($tail:tt $(, $argument:expr)*) => {
        sqlx::query_as!(
            Row,
            "SELECT id, owner_kind, owner_id, step, started_at, stop_requested, ended_at, ending, counts, measured, \
             round, report FROM run " + $tail $(, $argument)*
        )
    };
}

fn owner_words(owner: RunOwner) -> (&'static str, i64) {
    match owner {
        RunOwner::Build(id) => ("build", id.0),
        RunOwner::Check(id) => ("check", id.0),
    }
}

/// Writes down that a run is about to be launched. A second run of the same step and round is refused by the schema.
pub async fn insert(
    conn: &mut Conn,
    owner: RunOwner,
    step: RunStep,
    round: u32,
    log_path: &str,
    now: DateTime<Utc>,
) -> Result<RunId, StoreError> {
    let ((kind, id), step, now) = (owner_words(owner), step.as_str(), ms(now));
    let result = sqlx::query!(
        "INSERT INTO run (owner_kind, owner_id, step, round, started_at, log_path) VALUES (?, ?, ?, ?, ?, ?)",
        kind,
        id,
        step,
        round,
        now,
        log_path
    )
    .execute(conn)
    .await?;
    Ok(RunId(result.last_insert_rowid()))
}

/// Runs that have not ended.
pub async fn open(conn: &mut Conn) -> Result<Vec<Run>, StoreError> {
    select!("WHERE ended_at IS NULL ORDER BY id").fetch_all(conn).await?.into_iter().map(Run::try_from).collect()
}

/// The runs the planner looks at: those of open builds and checks.
pub async fn current(conn: &mut Conn) -> Result<Vec<Run>, StoreError> {
    select!(
        "WHERE (owner_kind = 'build' AND owner_id IN (SELECT id FROM build WHERE step <> 'ended')) \
         OR (owner_kind = 'check' AND owner_id IN (SELECT id FROM checks WHERE step <> 'ended')) ORDER BY id"
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(Run::try_from)
    .collect()
}

/// The agent's runs of a build that have ended, oldest first.
pub async fn rounds(conn: &mut Conn, build: BuildId) -> Result<Vec<Run>, StoreError> {
    select!(
        "WHERE owner_kind = 'build' AND owner_id = ? AND step = 'agent' AND ended_at IS NOT NULL ORDER BY round",
        build.0
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(Run::try_from)
    .collect()
}

/// The log of a build's or check's newest run.
pub async fn newest_log(conn: &mut Conn, owner: RunOwner) -> Result<Option<String>, StoreError> {
    let (kind, id) = owner_words(owner);
    let log = sqlx::query_scalar!(
        "SELECT log_path FROM run WHERE owner_kind = ? AND owner_id = ? ORDER BY id DESC LIMIT 1",
        kind,
        id
    )
    .fetch_optional(conn)
    .await?;
    Ok(log)
}

/// Whether this run's build or check is still open.
pub async fn is_needed(conn: &mut Conn, id: RunId) -> Result<bool, StoreError> {
    let needed = sqlx::query_scalar!(
        "SELECT COUNT(*) FROM run WHERE id = ?1 AND (ended_at IS NULL \
         OR (owner_kind = 'build' AND owner_id IN (SELECT id FROM build WHERE step <> 'ended')) \
         OR (owner_kind = 'check' AND owner_id IN (SELECT id FROM checks WHERE step <> 'ended')))",
        id.0
    );
    Ok(needed.fetch_one(conn).await? > 0)
}

/// The log of one run.
pub async fn log_path(conn: &mut Conn, id: RunId) -> Result<String, StoreError> {
    Ok(sqlx::query_scalar!("SELECT log_path FROM run WHERE id = ?", id.0).fetch_one(conn).await?)
}

/// The run was asked to stop.
pub async fn request_stop(conn: &mut Conn, id: RunId, reason: StopReason) -> Result<(), StoreError> {
    let reason = reason.as_str();
    let result = sqlx::query!(
        "UPDATE run SET stop_requested = ? WHERE id = ? AND ended_at IS NULL AND stop_requested IS NULL",
        reason,
        id.0
    )
    .execute(conn)
    .await?;
    expect_one(&result, "the run")
}

/// What was seen of a run's end.
#[derive(Debug, Clone)]
pub struct Ended {
    /// How it ended.
    pub ending: RunEnding,
    /// Run time in milliseconds, by the supervisor's monotonic clock.
    pub elapsed_ms: u64,
    /// Stray processes that had to be ended.
    pub leftovers: u32,
    /// What a verify run's output says.
    pub counts: Option<TestCounts>,
    /// What a measure run printed.
    pub measured: Option<f64>,
    /// What was understood of an agent's output.
    pub report: Option<AgentReport>,
    /// What was ended, refused or cut.
    pub incidents: Vec<Incident>,
}

/// Records a run's end, once.
pub async fn end(conn: &mut Conn, id: RunId, seen: &Ended, now: DateTime<Utc>) -> Result<(), StoreError> {
    let (ending, counts, now) = (to_json(&seen.ending)?, seen.counts.as_ref().map(to_json).transpose()?, ms(now));
    let report = seen.report.as_ref().map(to_json).transpose()?;
    let incidents = to_json(&seen.incidents)?;
    let elapsed = i64::try_from(seen.elapsed_ms).unwrap_or(i64::MAX);
    let result = sqlx::query!(
        "UPDATE run SET ended_at = ?, ending = ?, elapsed_ms = ?, leftovers = ?, counts = ?, measured = ?, report = ?, \
         incidents = ? WHERE id = ? AND ended_at IS NULL",
        now,
        ending,
        elapsed,
        seen.leftovers,
        counts,
        seen.measured,
        report,
        incidents,
        id.0
    )
    .execute(conn)
    .await?;
    expect_one(&result, "the run")
}

/// What was ended, refused or cut in a session's runs, in their order.
pub async fn incidents(conn: &mut Conn, session: SessionId) -> Result<Vec<IncidentFact>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT run.step, run.incidents, COALESCE(build.task_id, judged.task_id) AS "task: i64", NULLIF(checks.project, '') AS "project: String"
           FROM run
           LEFT JOIN build ON run.owner_kind = 'build' AND build.id = run.owner_id
           LEFT JOIN checks ON run.owner_kind = 'check' AND checks.id = run.owner_id
           LEFT JOIN build AS judged ON judged.id = checks.build_id
           WHERE run.incidents <> '[]' AND ?1 IN (build.session_id, checks.session_id) ORDER BY run.id"#,
        session.0
    )
    .fetch_all(conn)
    .await?;
    let mut all = Vec::new();
    for row in rows {
        let step = word(&row.step)?;
        for incident in from_json::<Vec<Incident>>(&row.incidents)? {
            all.push(IncidentFact { task: row.task.map(TaskId), project: row.project.clone(), step, incident });
        }
    }
    Ok(all)
}
