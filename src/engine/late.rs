//! What was written long before it is read, because the bot was off or out of reach: it is done all the same, and the answer
//! says that it comes late. What only made sense at that moment is not done, but answered.

use super::reply::Reply;
use crate::chat::command::{Command, NightCommand};
use crate::chat::{Incoming, What};
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

/// From this on it is late.
const LATE: TimeDelta = TimeDelta::minutes(15);

/// When it was written, if that is long ago. A tap does not say when it was made.
pub(super) fn since(incoming: &Incoming, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let written =
        matches!(incoming.what, What::Text(_) | What::Data { .. } | What::Unreadable { .. } | What::Edited(_));
    (written && now - incoming.at > LATE).then_some(incoming.at)
}

/// The refusal of a command that was meant for the moment it was written in: "the coming night" is another one now.
pub(super) fn refuse(command: &Command) -> Option<Reply> {
    let meant_for_then = matches!(
        command,
        Command::Night(NightCommand::Start | NightCommand::Stop | NightCommand::Skip)
            | Command::KeepBuilding { .. }
            | Command::Run(_)
    );
    let text = "That was meant for the moment you wrote it, so it is not done. Write it again if you still want it.";
    meant_for_then.then(|| Reply::refuse(text))
}

/// Says in the answer that what it answers was written long ago.
pub(super) fn note(reply: &mut Reply, written: DateTime<Utc>, zone: Tz) {
    if !reply.message.verdict.is_empty() {
        let said = written.with_timezone(&zone).format("%a %H:%M");
        let late = format!("{}\n(Late: you wrote this {said}, and I read it only now.)", reply.message.closing);
        reply.message.closing = late.trim().into();
    }
}
