//! Outbox → chat, in order per chat, for as long as it takes.
//!
//! Policy for a send whose answer was lost (a crash, a cut connection): the message may have arrived. It is sent again,
//! and marked as such: a brief that never comes is worse than one that comes twice and says so. Edits are simply
//! repeated: showing the same text twice is one text.

use super::{Engine, failpoint};
use crate::chat::{Chat, MessageRef, Outgoing, SendError};
use crate::store::outbox::{self, Due};
use crate::store::{StoreError, audit};
use chrono::{DateTime, TimeDelta, Utc};

/// The first retry waits this long, each further one twice as long, up to [`LONGEST_WAIT`].
const FIRST_WAIT: TimeDelta = TimeDelta::seconds(2);
const LONGEST_WAIT: TimeDelta = TimeDelta::minutes(5);

/// Sends what is due to this chat. Returns when to try again, if something is put off.
pub async fn drain(engine: &Engine, chat: &dyn Chat) -> Result<Option<DateTime<Utc>>, StoreError> {
    loop {
        let due = {
            let mut conn = engine.store().read().await?;
            outbox::next(&mut conn, chat.name()).await?
        };
        let Some(due) = due else { return Ok(None) };
        if due.next_at > engine.now() {
            return Ok(Some(due.next_at));
        }
        deliver(engine, chat, due).await?;
    }
}

async fn deliver(engine: &Engine, chat: &dyn Chat, due: Due) -> Result<(), StoreError> {
    let mut tx = engine.store().begin().await?;
    match outbox::sending(&mut tx, &due, engine.now() + wait(due.attempts)).await {
        Ok(()) => {}
        // It changed since it was read: look again.
        Err(StoreError::Conflict(_)) => return Ok(()),
        Err(error) => return Err(error),
    }
    failpoint::pass("before sending commit");
    tx.commit().await?;
    failpoint::pass("before send");
    let mut outgoing = Outgoing { key: due.key.clone(), message: due.message.clone(), silent: due.silent };
    if due.maybe_sent && due.shown_as.is_none() {
        outgoing.message.closing =
            format!("{} (Sent again: whether it arrived before is not known.)", outgoing.message.closing).trim().into();
    }
    // A front-end whose answer never comes must not hold up the rest for ever.
    let sent = tokio::time::timeout(chat.send_limit(), show(chat, due.shown_as.clone(), &outgoing)).await;
    let sent = sent.unwrap_or_else(|_| Err(SendError::MaybeSent("no answer in time".into())));
    failpoint::pass("after send");
    record(engine, chat, &due, sent).await
}

async fn show(chat: &dyn Chat, shown: Option<String>, outgoing: &Outgoing) -> Result<MessageRef, SendError> {
    let Some(shown) = shown.map(MessageRef) else { return chat.send(outgoing).await };
    chat.edit(&shown, outgoing).await.map(|()| shown)
}

async fn record(
    engine: &Engine,
    chat: &dyn Chat,
    due: &Due,
    sent: Result<MessageRef, SendError>,
) -> Result<(), StoreError> {
    let now = engine.now();
    let mut tx = engine.store().begin().await?;
    match sent {
        Ok(shown) => outbox::sent(&mut tx, due, &shown.0, now).await?,
        Err(SendError::Permanent(why)) => {
            let text = format!("{} can't be shown in {}: {why}", due.key, chat.name());
            audit::append(&mut tx, now, "chat", "gone", None, &text).await?;
            outbox::gone(&mut tx, due, &why).await?;
        }
        Err(SendError::Retry { what, after_secs }) => {
            let asked = after_secs.and_then(|secs| TimeDelta::try_seconds(i64::try_from(secs).ok()?));
            let again = now + asked.unwrap_or_else(|| wait(due.attempts));
            outbox::put_off(&mut tx, due, &what, due.maybe_sent, again).await?;
        }
        Err(SendError::MaybeSent(what)) => {
            tracing::warn!(what, key = due.key, "a message may have arrived; sending it again, marked");
            outbox::put_off(&mut tx, due, &what, true, now + wait(due.attempts)).await?;
        }
    }
    tx.commit().await?;
    failpoint::pass("send recorded");
    Ok(())
}

fn wait(attempts: i64) -> TimeDelta {
    let doublings = u32::try_from(attempts.clamp(0, 10)).unwrap_or(10);
    (FIRST_WAIT * 2_i32.saturating_pow(doublings)).min(LONGEST_WAIT)
}

/// Delivers for ever. Ends when `until` does.
pub async fn run(engine: &Engine, chat: &dyn Chat, until: impl Future<Output = ()>) {
    tokio::pin!(until);
    loop {
        let again = match drain(engine, chat).await {
            Ok(again) => again,
            Err(error) => {
                tracing::error!(%error, "can't read or write the outbox; again in ten seconds");
                Some(engine.now() + TimeDelta::seconds(10))
            }
        };
        let clock = &engine.parts.clock;
        let later = again.unwrap_or_else(|| engine.now() + TimeDelta::minutes(1));
        tokio::select! {
            () = &mut until => return,
            () = engine.something_said() => {}
            () = clock.sleep_until(later) => {}
        }
    }
}
