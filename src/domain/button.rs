//! What a tap on a button means. A chat carries only an opaque nonce; this stays on the host.

use super::id::{SessionId, TaskId};
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
    /// Take a task out of the queue.
    Drop {
        /// Which task.
        task: TaskId,
    },
}
