//! Which commands a role may give.

use crate::chat::command::Command;
use crate::domain::role::Role;
use crate::engine::reply::{Asker, Reply};

/// The refusal, if this person may not do that.
pub(super) fn refuse(asker: Asker<'_>, command: &Command) -> Option<Reply> {
    let text = "Only the owner can do that. You can read, /approve, /reject, and /undo what you decided; /help lists all commands.";
    (!may(asker.role, command)).then(|| Reply::refuse(text))
}

/// Refuses everything but the owner.
pub(super) fn owner_only(asker: Asker<'_>) -> Option<Reply> {
    refuse(asker, &Command::Plain(String::new()))
}

fn may(role: Role, command: &Command) -> bool {
    match role {
        Role::Owner => true,
        Role::Approver => match command {
            Command::Start
            | Command::Help { .. }
            | Command::QueueList { .. }
            | Command::QueueShow(_)
            | Command::Approve(_)
            | Command::Reject { .. }
            // Of their own decisions; `decide::undo` looks whose it was.
            | Command::Undo(_)
            | Command::Status
            | Command::Brief
            | Command::Report
            | Command::Log { .. }
            | Command::Why(_)
            | Command::Plan
            | Command::Metrics
            | Command::Audit { .. }
            | Command::Review
            | Command::Snapshots
            | Command::Diff(_)
            | Command::Oplog { .. }
            | Command::Health { fix: false } => true,
            Command::QueueAdd(_)
            | Command::QueueEdit { .. }
            | Command::QueueDrop(_)
            | Command::Stop(_)
            | Command::Retry(_)
            | Command::Run(_)
            | Command::Night(_)
            | Command::Health { fix: true }
            | Command::KeepBuilding { .. }
            | Command::Answer { .. }
            | Command::Snooze(_)
            | Command::Ship { .. }
            | Command::Revert(_)
            | Command::Discard(_)
            | Command::Plain(_) => false,
        },
    }
}
