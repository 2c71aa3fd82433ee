//! Whether the owner and the bot can reach each other: what stands in between is kept on record, an alarm is raised once,
//! and its end is told.

use super::Engine;
use crate::chat::{Incoming, What};
use crate::domain::message::Message;
use crate::domain::words::capital;
use crate::store::inbox::Stored;
use crate::store::{Conn, StoreError, audit, outbox, trouble};
use chrono::{DateTime, Utc};

/// What a front-end says of its platform.
pub(super) async fn note(
    engine: &Engine,
    conn: &mut Conn,
    stored: &Stored,
    incoming: &Incoming,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    // Nobody sent it: the sender is the platform.
    let platform = incoming.sender.as_str();
    match &incoming.what {
        What::Alarm(why) => {
            let known = trouble::get(conn, platform).await?;
            trouble::set(conn, platform, why, incoming.at, true).await?;
            // Also a bot that was started again says it only once.
            if known.is_some_and(|known| known.alarmed && known.why == *why) {
                return Ok(());
            }
            audit::append(conn, now, "chat", "alarm", None, why).await?;
            // One of the few things that may wake somebody: until it is mended nothing they say arrives.
            let message = Message::line("🚨 I may not hear you").intro(capital(why));
            outbox::say(conn, &stored.chat, &format!("alarm:{}", stored.id), &message, false, now).await
        }
        What::Trouble { since, why } => {
            trouble::set(conn, platform, why, *since, false).await?;
            audit::append(conn, now, "chat", "trouble", None, why).await
        }
        What::Well => {
            let Some(was) = trouble::clear(conn, platform).await? else { return Ok(()) };
            let local = |at: DateTime<Utc>| at.with_timezone(&engine.settings().schedule.zone).format("%a %H:%M");
            let span = format!("from {} to {}", local(was.since), local(now));
            audit::append(conn, now, "chat", "well", None, &format!("over, {span}: {}", was.why)).await?;
            if !was.alarmed {
                return Ok(());
            }
            let message = Message::line("✅ I hear you again").intro(format!(
                "What you wrote or tapped {span} may have gone elsewhere: say it again if you got no answer."
            ));
            outbox::say(conn, &stored.chat, &format!("well:{}", stored.id), &message, true, now).await
        }
        _ => Ok(()),
    }
}
