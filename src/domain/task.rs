//! Tasks: what the owner queued.

use super::category::Category;
use super::id::TaskId;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

/// Limits of what is taken into the queue; beyond each the owner is told which.
pub mod limits {
    /// Longest title, in characters.
    pub const TITLE_CHARS: usize = 200;
    /// Longest details, in bytes. Chat messages are shorter; files become details too.
    pub const DETAILS_BYTES: usize = 64 * 1024;
    /// Most tasks waiting at once.
    pub const OPEN_TASKS: usize = 10_000;
    /// Shortest estimate, in minutes (0.1 h).
    pub const ESTIMATE_MIN_MINUTES: u32 = 6;
    /// Longest estimate, in minutes (8 h, one night).
    pub const ESTIMATE_MAX_MINUTES: u32 = 480;
    /// Most tasks one task can wait for.
    pub const DEPENDENCIES: usize = 20;
}

/// A word that names none of the allowed values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{given:?} is no {what}; use one of: {allowed}")]
pub struct UnknownWord {
    /// What was being read, such as `priority`.
    pub what: &'static str,
    /// What stood there.
    pub given: String,
    /// What may stand there.
    pub allowed: &'static str,
}

/// How much the owner wants it. Order: `Low < Medium < High < Critical`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, Default)]
#[serde(rename_all = "UPPERCASE")]
pub enum Priority {
    /// Whenever a slot is free.
    Low,
    /// The usual.
    #[default]
    Medium,
    /// Before the usual.
    High,
    /// Before everything.
    Critical,
}

impl Priority {
    /// The mission's word: `CRITICAL`, `HIGH`, `MEDIUM`, `LOW`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "LOW",
            Self::Medium => "MEDIUM",
            Self::High => "HIGH",
            Self::Critical => "CRITICAL",
        }
    }
}

impl Priority {
    /// As a message says it: `high`.
    pub fn word(self) -> String {
        self.as_str().to_lowercase()
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Priority {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        Ok(match text.trim().to_lowercase().as_str() {
            "critical" | "urgent" => Self::Critical,
            "high" => Self::High,
            "medium" | "med" | "normal" => Self::Medium,
            "low" => Self::Low,
            _ => {
                return Err(UnknownWord {
                    what: "priority",
                    given: text.trim().chars().take(60).collect(),
                    allowed: "critical, high, medium, low",
                });
            }
        })
    }
}

/// What a task ends in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum TaskKind {
    /// A verified commit.
    #[default]
    Code,
    /// Files kept under `OVERNIGHT_HOME`, checked by the task's check command.
    Artifact,
    /// A command run once after approval; at most once, never retried.
    Action,
}

impl TaskKind {
    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Artifact => "artifact",
            Self::Action => "action",
        }
    }
}

impl FromStr for TaskKind {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        Ok(match text.trim().to_lowercase().as_str() {
            "code" => Self::Code,
            "artifact" | "artefact" | "file" | "files" => Self::Artifact,
            "action" | "command" => Self::Action,
            _ => {
                return Err(UnknownWord {
                    what: "kind",
                    given: text.trim().chars().take(60).collect(),
                    allowed: "code, artifact, action",
                });
            }
        })
    }
}

/// Where a task stands in its life. What it waits for is derived, see [`super::plan::choice`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskState {
    /// Something is still being asked about it; it can't be started.
    Draft,
    /// Waiting for its turn, for a tap, or being built.
    Open,
    /// Its last build ended for good; see the build's outcome.
    Done,
    /// Taken out by the owner.
    Dropped,
}

impl TaskState {
    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Open => "open",
            Self::Done => "done",
            Self::Dropped => "dropped",
        }
    }
}

impl FromStr for TaskState {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        Ok(match text {
            "draft" => Self::Draft,
            "open" => Self::Open,
            "done" => Self::Done,
            "dropped" => Self::Dropped,
            _ => {
                return Err(UnknownWord {
                    what: "task state",
                    given: text.into(),
                    allowed: "draft, open, done, dropped",
                });
            }
        })
    }
}

/// What the owner wants built: the part of a task that an approval is bound to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskSpec {
    /// One line, at most [`limits::TITLE_CHARS`].
    pub title: String,
    /// Anything more the agent should know; data, never a command.
    pub details: String,
    /// Name of a configured project; none for an artifact or action that needs no repository.
    pub project: Option<String>,
    /// What it ends in.
    pub kind: TaskKind,
    /// What kind of change it asks for.
    pub category: Category,
    /// How much it is wanted.
    pub priority: Priority,
    /// The owner's estimate, in minutes.
    pub estimate_minutes: u32,
    /// Not to be started before.
    pub not_before: Option<DateTime<Utc>>,
    /// Tasks that must have completed first.
    pub depends_on: Vec<TaskId>,
    /// Name of a configured agent; none takes the project's.
    pub agent: Option<String>,
    /// For an action: the argv to run. For an artifact: the check command. Empty otherwise.
    pub command: Vec<String>,
}

impl TaskSpec {
    /// SHA-256 (hex) of everything an approval covers. Priority, order and time are left out on purpose: moving an
    /// approved task in the queue does not change what is built.
    pub fn revision_hash(&self) -> String {
        let covered = serde_json::json!([
            self.title,
            self.details,
            self.project,
            self.kind.as_str(),
            self.category.as_str(),
            self.agent,
            self.command,
        ]);
        super::format::hex(&Sha256::digest(covered.to_string().as_bytes()))
    }

    /// The owner's estimate as shown: `4h`, `1.5h`, `30 min`.
    pub fn estimate_text(&self) -> String {
        if (1..60).contains(&self.estimate_minutes) {
            return format!("{} min", self.estimate_minutes);
        }
        let hours = f64::from(self.estimate_minutes) / 60.0;
        format!("{}h", (hours * 10.0).round() / 10.0)
    }
}

/// A queued task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Number the owner sees.
    pub id: TaskId,
    /// What is wanted.
    pub spec: TaskSpec,
    /// Where it stands.
    pub state: TaskState,
    /// Counts edits; 1 at first.
    pub revision: u32,
    /// Whether the text itself asks for something locked, whatever its category says.
    pub text_lock: Option<String>,
    /// Why it was queued: `owner`, or `pattern`.
    pub source: String,
    /// When it was queued.
    pub created_at: DateTime<Utc>,
    /// Builds started for this revision.
    pub attempts: u32,
    /// After a transient failure: not again before.
    pub retry_at: Option<DateTime<Utc>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_approval_covers_what_is_built_not_when() {
        let spec = TaskSpec {
            title: "a".into(),
            details: String::new(),
            project: None,
            kind: TaskKind::Code,
            category: Category::BugFix,
            priority: Priority::Low,
            estimate_minutes: 60,
            not_before: None,
            depends_on: vec![],
            agent: None,
            command: vec![],
        };
        let later = TaskSpec { priority: Priority::Critical, estimate_minutes: 90, ..spec.clone() };
        assert_eq!(spec.revision_hash(), later.revision_hash());
        for changed in [
            TaskSpec { title: "b".into(), ..spec.clone() },
            TaskSpec { details: "x".into(), ..spec.clone() },
            TaskSpec { project: Some("p".into()), ..spec.clone() },
            TaskSpec { kind: TaskKind::Action, ..spec.clone() },
            TaskSpec { category: Category::NewFeature, ..spec.clone() },
            TaskSpec { command: vec!["rm".into()], ..spec.clone() },
        ] {
            assert_ne!(spec.revision_hash(), changed.revision_hash(), "{changed:?}");
        }
    }
}
