//! Approvals: the owner's tap that unlocks one task, bound to what the task said when it was tapped.

use super::id::TaskId;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// One decision about a locked task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Which task.
    pub task: TaskId,
    /// [`super::task::TaskSpec::revision_hash`] of what was shown when the owner decided.
    pub revision_hash: String,
    /// Who decided: the platform and numeric id, such as `terminal:owner`.
    pub approver: String,
    /// When.
    pub decided_at: DateTime<Utc>,
    /// When a build used it; automatic retries of that build run under the same approval.
    pub used_at: Option<DateTime<Utc>>,
}

impl Approval {
    /// Whether it covers a task of this revision. One that was used still does while it is in force: for the retries of
    /// the same build. The end of the task voids it.
    pub fn covers(&self, revision_hash: &str) -> bool {
        self.revision_hash == revision_hash
    }
}
