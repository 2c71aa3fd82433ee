//! Outbox → chat, in order per chat, for as long as it takes.
//!
//! Policy for a send whose answer was lost (a crash, a cut connection): the message may have arrived. It is sent again,
//! and marked as such: a brief that never comes is worse than one that comes twice and says so. Edits are simply
//! repeated: showing the same text twice is one text. What arrives long after it was said says so.
//!
//! A chat that can't be reached (the bot was blocked) gets nothing more but its briefs, which stay due; the terminal is
//! told.

use super::{Engine, failpoint};
use crate::chat::terminal::TERMINAL;
use crate::chat::{Chat, MessageRef, Outgoing, SendError};
use crate::domain::message::Message;
use crate::domain::words::clock;
use crate::store::outbox::{self, Due, Lane};
use crate::store::{Conn, StoreError, audit, trouble};
use chrono::{DateTime, TimeDelta, Utc};

/// The first retry waits this long, each further one twice as long, up to [`LONGEST_WAIT`].
const FIRST_WAIT: TimeDelta = TimeDelta::seconds(2);
const LONGEST_WAIT: TimeDelta = TimeDelta::minutes(5);
/// How often a brief knocks at a chat that can't be reached.
const KNOCK: TimeDelta = TimeDelta::hours(1);
/// A message that arrives later than this after it was said tells when that was.
const LATE: TimeDelta = TimeDelta::minutes(15);

/// Sends what is due to this platform. Returns when to try again, if something is put off.
pub async fn drain(engine: &Engine, chat: &dyn Chat, lane: Lane) -> Result<Option<DateTime<Utc>>, StoreError> {
    loop {
        let due = {
            let mut conn = engine.store().read().await?;
            outbox::next(&mut conn, chat.name(), lane).await?
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
    let outgoing = Outgoing {
        key: due.key.clone(),
        chat: due.chat.clone(),
        tap: due.tap.clone(),
        message: noted(engine, &due),
        silent: due.silent,
    };
    // A front-end whose answer never comes must not hold up the rest for ever.
    let sent = tokio::time::timeout(chat.send_limit(), show(chat, due.shown_as.clone(), &outgoing)).await;
    let sent = sent.unwrap_or_else(|_| Err(SendError::MaybeSent("no answer in time".into())));
    failpoint::pass("after send");
    record(engine, &due, sent).await
}

/// The message with what its way to the phone adds to it.
fn noted(engine: &Engine, due: &Due) -> Message {
    let mut message = due.message.clone();
    if due.shown_as.is_some() {
        return message;
    }
    let mut add = |text: String| message.closing = format!("{}\n({text})", message.closing).trim().into();
    if due.revision == 1 && engine.now() - due.said_at > LATE {
        let said = clock(due.said_at, engine.settings().schedule.zone);
        add(format!("Late: written at {said}, this chat could not be reached before."));
    }
    if due.maybe_sent {
        add("Sent again: whether it arrived before is not known.".into());
    }
    message
}

async fn show(chat: &dyn Chat, shown: Option<String>, outgoing: &Outgoing) -> Result<MessageRef, SendError> {
    match shown.map(MessageRef) {
        None => chat.send(outgoing).await,
        Some(shown) => chat.edit(&shown, outgoing).await,
    }
}

async fn record(engine: &Engine, due: &Due, sent: Result<MessageRef, SendError>) -> Result<(), StoreError> {
    let now = engine.now();
    let mut tx = engine.store().begin().await?;
    match sent {
        Ok(shown) => {
            outbox::sent(&mut tx, due, &shown.0, now).await?;
            trouble::clear(&mut tx, &due.chat).await?;
        }
        Err(SendError::Permanent(why)) => {
            let text = format!("{} can't be shown in {}: {why}", due.key, due.chat);
            audit::append(&mut tx, now, "chat", "gone", None, &text).await?;
            outbox::gone(&mut tx, due, &why).await?;
        }
        Err(SendError::Unreachable(why)) => unreachable(engine, &mut tx, due, &why, now).await?,
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

async fn unreachable(
    engine: &Engine,
    conn: &mut Conn,
    due: &Due,
    why: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let text = format!("{} can't be reached: {why}", due.chat);
    trouble::set(conn, &due.chat, &format!("nothing can be sent there: {why}"), now, false).await?;
    let lost = outbox::give_up_all_but_briefs(conn, &due.chat, why).await?;
    if due.is_brief() {
        outbox::put_off(conn, due, why, due.maybe_sent, now + KNOCK).await?;
    }
    if lost > 0 {
        audit::append(conn, now, "chat", "unreachable", None, &text).await?;
    }
    if due.chat != TERMINAL && due.chat == engine.parts.home_chat {
        let message = Message::line(format!("📵 {text}"))
            .intro("The brief stays due and is tried every hour. Unblock the bot, or look at TELEGRAM_OWNER_ID.");
        outbox::say(conn, TERMINAL, &format!("unreachable:{}", due.chat), &message, true, now).await?;
        engine.said();
    }
    Ok(())
}

fn wait(attempts: i64) -> TimeDelta {
    let doublings = u32::try_from(attempts.clamp(0, 10)).unwrap_or(10);
    (FIRST_WAIT * 2_i32.saturating_pow(doublings)).min(LONGEST_WAIT)
}

/// Delivers one lane for ever. Ends when `until` does.
pub async fn run(engine: &Engine, chat: &dyn Chat, lane: Lane, until: impl Future<Output = ()>) {
    tokio::pin!(until);
    let mut said = engine.outbox_changes();
    loop {
        said.mark_unchanged();
        let again = match drain(engine, chat, lane).await {
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
            changed = said.changed() => if changed.is_err() { return },
            () = clock.sleep_until(later) => {}
        }
    }
}
