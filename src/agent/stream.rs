//! Reads an agent CLI's standard output as it grows, in bounded memory.

use crate::domain::agent::{AgentEvent, AgentReport, Spent, Window};
use crate::domain::settings::AgentKind;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;

/// What times in prose ("try again at 10:05 PM") are relative to.
#[derive(Debug, Clone, Copy)]
pub struct Reference {
    /// About when they were said.
    pub at: DateTime<Utc>,
    /// The machine's zone: CLIs print local times.
    pub zone: Tz,
}

/// How the process ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AgentEnd {
    /// Exit status, if it ended by itself.
    pub status: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// We ended it, for this.
    pub stopped: Option<Stopped>,
}

/// Why we ended a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// Someone asked, or the night is over.
    Asked,
    /// Money, tokens or turns of this run are used up.
    Budget,
    /// Silent, or not ended in time.
    Hung,
}

/// What a CLI wrote elsewhere: for Codex the end of its `rollout-*.jsonl`. See [`Side::read`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Side {
    /// The provider's windows.
    pub windows: Vec<Window>,
    /// Running total of the session.
    pub tokens: Option<u64>,
}

impl Side {
    /// From the end of such a file; the first line may be half.
    pub fn read(kind: AgentKind, tail: &[u8]) -> Self {
        let _ = (kind, tail);
        todo!()
    }
}

/// Reads one run's output.
#[derive(Debug)]
pub struct Stream {}

impl Stream {
    /// For a run of that kind. `before`: what the session had spent when this run began (the sum of its reports), as
    /// some CLIs state running totals; default for a new session.
    pub fn new(kind: AgentKind, reference: Reference, before: Spent) -> Self {
        let _ = (kind, reference, before);
        todo!()
    }

    /// Takes the next bytes; half lines wait for their end.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<AgentEvent> {
        let _ = bytes;
        todo!()
    }

    /// The run has ended. `stderr`: its end, if it was kept apart.
    pub fn finish(self, end: &AgentEnd, stderr: &str, side: Option<&Side>) -> AgentReport {
        let _ = (end, stderr, side);
        todo!()
    }
}
