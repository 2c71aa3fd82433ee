//! What a tap on a button means. A chat carries only an opaque nonce; this stays on the host.

use super::id::{BuildId, SessionId, TaskId};
use serde::{Deserialize, Serialize};

/// The meaning of one button.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Meaning {
    /// Approve the task as it read when the button was made.
    Approve {
        /// Which task.
        task: TaskId,
        /// [`super::task::TaskSpec::revision_hash`] of what the card showed.
        revision_hash: String,
    },
    /// Reject the task: it is dropped.
    Reject {
        /// Which task.
        task: TaskId,
    },
    /// Stop the task's build.
    Stop {
        /// Which task.
        task: TaskId,
    },
    /// Try a task again.
    Retry {
        /// Which task.
        task: TaskId,
    },
    /// Build one task now.
    Run {
        /// Which task.
        task: TaskId,
    },
    /// Go on spawning after the night.
    KeepBuilding {
        /// The session whose brief offered it.
        session: SessionId,
    },
    /// List what is ready.
    Review {
        /// The session whose brief offered it.
        session: SessionId,
    },
    /// Answer a question about a draft: the text is parsed like a field of `/queue edit`.
    Answer {
        /// Which task.
        task: TaskId,
        /// Such as `4h` or `perf`.
        field: String,
    },
    /// Queue a draft with what was typed and proposed.
    Accept {
        /// Which task.
        task: TaskId,
    },
    /// Take back the last decision about a task, while that is possible.
    Undo {
        /// Which task.
        task: TaskId,
    },
    /// Do not ask about a locked task before the next brief but one.
    Snooze {
        /// Which task.
        task: TaskId,
    },
    /// Show what a draft's field can be; `back` shows the card again.
    Choose {
        /// Which task.
        task: TaskId,
        /// `category`, `estimate`, `priority`, `project` or `back`.
        field: String,
    },
    /// Show another page of a list, in place.
    Page {
        /// Outbox key of the list.
        list: String,
        /// What the list is narrowed by.
        filter: Option<String>,
        /// From 0.
        page: usize,
    },
    /// Land a build's result on its project's branch.
    Ship {
        /// Which task.
        task: TaskId,
        /// The build whose result the card showed.
        build: BuildId,
        /// The owner was told what to look at twice, and taps again.
        anyway: bool,
    },
    /// Take a landed result off its branch.
    Revert {
        /// Which task.
        task: TaskId,
    },
    /// A result is not wanted.
    Discard {
        /// Which task.
        task: TaskId,
    },
    /// Send the difference a result makes.
    Diff {
        /// Which task.
        task: TaskId,
    },
    /// Take a task out of the queue.
    Drop {
        /// Which task.
        task: TaskId,
    },
}

impl Meaning {
    /// The task it is about, if it is about one.
    pub fn task(&self) -> Option<TaskId> {
        match self {
            Self::Approve { task, .. }
            | Self::Reject { task }
            | Self::Stop { task }
            | Self::Retry { task }
            | Self::Run { task }
            | Self::Answer { task, .. }
            | Self::Accept { task }
            | Self::Undo { task }
            | Self::Snooze { task }
            | Self::Choose { task, .. }
            | Self::Ship { task, .. }
            | Self::Revert { task }
            | Self::Discard { task }
            | Self::Diff { task }
            | Self::Drop { task } => Some(*task),
            Self::KeepBuilding { .. } | Self::Review { .. } | Self::Page { .. } => None,
        }
    }
}
