//! Who may do what.

use serde::{Deserialize, Serialize};

/// What a known person may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything.
    Owner,
    /// Approve, reject, and read.
    Approver,
}
