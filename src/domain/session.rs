//! Sessions: one night, or one stretch of building the owner started by hand.

use super::build::stored_words;
use super::id::{SessionId, TaskId};
use super::task::UnknownWord;
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What opened a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionKind {
    /// The schedule. Exactly one a scheduled date.
    Nightly,
    /// `/night start`: all phases, now; replaces no night.
    Manual,
    /// `/run 12`: one task, now.
    Single,
}

stored_words!(SessionKind, "session kind", { Nightly => "nightly", Manual => "manual", Single => "single" });

/// The phases of a session, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Phase 1: scan this machine, fix what is safe.
    Health,
    /// Phase 2: learned habits.
    Patterns,
    /// Phases 3 and 4: builds are started and watched.
    Building,
    /// Phase 5: spawning is over, the report is being made.
    Report,
    /// The report is written; the brief waits for its time.
    Brief,
    /// The brief is out. Builds may still be running.
    Closed,
    /// The night never ran; the brief says so.
    Missed,
}

stored_words!(Phase, "phase", {
    Health => "health", Patterns => "patterns", Building => "building", Report => "report",
    Brief => "brief", Closed => "closed", Missed => "missed",
});

/// Why a night is missed that the owner wanted to be left out.
pub const SKIPPED: &str = "you asked to skip it";

/// One session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Row number.
    pub id: SessionId,
    /// What opened it.
    pub kind: SessionKind,
    /// The local date on which the night was scheduled to start; for others the local date they started on.
    pub date: NaiveDate,
    /// Where it stands.
    pub phase: Phase,
    /// When it really started; for a missed night, when that was noticed.
    pub started_at: DateTime<Utc>,
    /// When phase 2 may begin.
    pub patterns_at: DateTime<Utc>,
    /// When builds may begin.
    pub spawn_at: DateTime<Utc>,
    /// When phase 1 was done.
    pub health_done: bool,
    /// When phase 2 was done.
    pub patterns_done: bool,
    /// Whether the day was kept, before the first build.
    pub snapshot_done: bool,
    /// The last progress check that was told, as its scheduled moment.
    pub progress_at: Option<DateTime<Utc>>,
    /// When spawning ends, unless the owner taps keep building.
    pub spawn_until: DateTime<Utc>,
    /// When the brief is due.
    pub brief_at: DateTime<Utc>,
    /// For [`SessionKind::Single`]: the task.
    pub only_task: Option<TaskId>,
    /// Spawning goes on until then: the owner tapped keep building.
    pub keep_until: Option<DateTime<Utc>>,
    /// When the report was written.
    pub reported_at: Option<DateTime<Utc>>,
    /// Whether it was ended early by the owner.
    pub stopped: bool,
    /// For [`Phase::Missed`]: why.
    pub missed_reason: Option<String>,
}

impl Session {
    /// A night that builds: all that comes before the first build is done.
    pub fn building(
        id: SessionId,
        date: NaiveDate,
        spawn_at: DateTime<Utc>,
        spawn_until: DateTime<Utc>,
        brief_at: DateTime<Utc>,
    ) -> Self {
        Self {
            id,
            kind: SessionKind::Nightly,
            date,
            phase: Phase::Building,
            started_at: spawn_at,
            patterns_at: spawn_at,
            spawn_at,
            health_done: true,
            patterns_done: true,
            snapshot_done: true,
            progress_at: None,
            spawn_until,
            brief_at,
            only_task: None,
            keep_until: None,
            reported_at: None,
            stopped: false,
            missed_reason: None,
        }
    }

    /// `overnight_<unix seconds of the start>`, as in the mission.
    pub fn name(&self) -> String {
        format!("overnight_{}", self.started_at.timestamp())
    }

    /// Whether builds may be started for this session now: while it builds and is not over, or while its owner wants it to
    /// keep building. A clock set back does not begin a session again that has reported.
    pub fn may_spawn(&self, now: DateTime<Utc>) -> bool {
        let regular = self.phase == Phase::Building && now < self.spawn_until;
        let begun = self.phase >= Phase::Building && self.phase != Phase::Missed;
        let kept = begun && self.keep_until.is_some_and(|keep| now < keep);
        !self.stopped && now >= self.spawn_at && (regular || kept)
    }

    /// Whether anything is still to be done for it (running builds aside).
    pub fn is_open(&self) -> bool {
        !matches!(self.phase, Phase::Closed | Phase::Missed)
    }
}
