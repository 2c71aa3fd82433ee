//! What an [`Action`](super::Action) carries: complete, so that whoever performs it has nothing left to decide.

use crate::domain::build::{BuildStep, Outcome};
use crate::domain::id::{BuildId, SessionId, TaskId};
use crate::domain::session::SessionKind;
use chrono::{DateTime, NaiveDate, Utc};

/// A session to open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSession {
    /// What opens it.
    pub kind: SessionKind,
    /// Scheduled local date.
    pub date: NaiveDate,
    /// When phase 2 may begin.
    pub patterns_at: DateTime<Utc>,
    /// When builds may begin.
    pub spawn_at: DateTime<Utc>,
    /// When spawning ends.
    pub spawn_until: DateTime<Utc>,
    /// When the brief is due.
    pub brief_at: DateTime<Utc>,
    /// For a single-task session.
    pub only_task: Option<TaskId>,
    /// Minutes after the scheduled start.
    pub late_minutes: i64,
}

/// A parked build that goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resumption {
    /// Which.
    pub build: BuildId,
    /// Its task.
    pub task: TaskId,
    /// The session that has room for it.
    pub session: SessionId,
    /// The round its agent was in.
    pub round_before: u32,
    /// Permits that were there when this was decided.
    pub permits: usize,
    /// Why it goes on, for the log.
    pub why: String,
}

/// A build to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewBuild {
    /// In which session.
    pub session: SessionId,
    /// Which task.
    pub task: TaskId,
    /// The revision that was decided on; a task edited meanwhile is not started.
    pub revision: u32,
    /// Attempts before this one.
    pub attempts_before: u32,
    /// The approval it needs and uses.
    pub needs_approval: bool,
    /// Build on this commit instead of the base.
    pub on_top_of: Option<String>,
    /// The agent that works on it; none for an action.
    pub agent: Option<String>,
    /// Open builds there may be, this one included; checked again in the transaction.
    pub permits: usize,
    /// Why now, for the audit.
    pub why: String,
}

/// How a build ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildEnd {
    /// Which.
    pub build: BuildId,
    /// The step it is in.
    pub from: BuildStep,
    /// How.
    pub outcome: Outcome,
    /// Why, in words for the owner.
    pub reason: String,
    /// What becomes of the task.
    pub task: TaskAfter,
}

/// What becomes of a task when its build ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskAfter {
    /// Over.
    Done,
    /// Again, not before then.
    Retry(DateTime<Utc>),
}
