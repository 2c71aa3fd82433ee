//! Identifiers. A type each, so that a build's number can't be passed where a task's is meant.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    };
}

number_id! {
    /// A queued task; shown to the owner as `#12`.
    TaskId
}
number_id! {
    /// One attempt at a task by a sub-agent.
    BuildId
}
number_id! {
    /// One verification of a commit (a build's result, or a project's base).
    CheckId
}
number_id! {
    /// One command run for a build or a check.
    RunId
}
number_id! {
    /// One session's row. What the owner and the report see is [`crate::domain::session::Session::name`].
    SessionId
}
number_id! {
    /// One landing on a project's branch: a build's result shipped, or one taken back.
    ShipId
}
