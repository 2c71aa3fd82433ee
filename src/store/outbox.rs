//! What the owner is shown. A row is one message; saying it again under the same key edits it in place.

use super::{Conn, StoreError, expect_one, from_json, ms, time, to_json};
use crate::domain::message::Message;
use chrono::{DateTime, Utc};

/// A message that has to go out.
#[derive(Debug, Clone)]
pub struct Due {
    /// Row number.
    pub id: i64,
    /// Where it goes: a platform, or `platform:chat[/topic]`.
    pub chat: String,
    /// Unique key within its chat.
    pub key: String,
    /// The platform's id of the tap it answers.
    pub tap: Option<String>,
    /// When it was first said.
    pub said_at: DateTime<Utc>,
    /// What to say.
    pub message: Message,
    /// No sound.
    pub silent: bool,
    /// The revision to show.
    pub revision: i64,
    /// Where the chat keeps an earlier revision.
    pub shown_as: Option<String>,
    /// Tries so far.
    pub attempts: i64,
    /// It was being sent when the bot went away: it may have arrived.
    pub maybe_sent: bool,
    /// Not before.
    pub next_at: DateTime<Utc>,
}

impl Due {
    /// Whether it is a morning brief, which outlasts a chat that can't be reached.
    pub fn is_brief(&self) -> bool {
        self.key.starts_with("brief:")
    }
}

/// Says something, or changes what was said under this key. Saying exactly the same again changes nothing. What is being
/// sent stays so: if that send is cut off, an earlier text may have arrived.
pub async fn say(
    conn: &mut Conn,
    chat: &str,
    key: &str,
    message: &Message,
    silent: bool,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let (message, silent, now) = (to_json(message)?, i64::from(silent), ms(now));
    sqlx::query!(
        "INSERT INTO outbox (chat, key, message, silent, next_at, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?5) \
         ON CONFLICT (chat, key) DO UPDATE SET message = excluded.message, revision = revision + 1, \
         state = CASE state WHEN 'sending' THEN 'sending' ELSE 'pending' END, attempts = 0, \
         next_at = excluded.next_at WHERE message <> excluded.message AND state <> 'gone'",
        chat,
        key,
        message,
        silent,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether something was said under this key, and what.
pub async fn said(conn: &mut Conn, chat: &str, key: &str) -> Result<Option<Message>, StoreError> {
    let row = sqlx::query_scalar!("SELECT message FROM outbox WHERE chat = ? AND key = ?", chat, key)
        .fetch_optional(conn)
        .await?;
    row.map(|message| from_json(&message)).transpose()
}

/// Where messages with this key prefix were said: the chats and keys of a task's cards.
pub async fn keys_like(conn: &mut Conn, prefix: &str) -> Result<Vec<(String, String)>, StoreError> {
    let end = format!("{prefix}\u{10ffff}");
    let rows = sqlx::query!("SELECT chat, key FROM outbox WHERE key >= ? AND key < ? ORDER BY id", prefix, end)
        .fetch_all(conn)
        .await?;
    Ok(rows.into_iter().map(|row| (row.chat, row.key)).collect())
}

/// Says something as the answer to a tap.
pub async fn answer_tap(
    conn: &mut Conn,
    chat: &str,
    key: &str,
    message: &Message,
    tap: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    say(conn, chat, key, message, true, now).await?;
    sqlx::query!("UPDATE outbox SET tap = ? WHERE chat = ? AND key = ?", tap, chat, key).execute(conn).await?;
    Ok(())
}

/// The key of the newest message of a chat one of whose parts the platform knows by this id.
pub async fn key_of_ref(conn: &mut Conn, chat: &str, part: &str) -> Result<Option<String>, StoreError> {
    let part = format!(",{part},");
    Ok(sqlx::query_scalar!(
        "SELECT key FROM outbox WHERE chat = ? AND instr(',' || ref || ',', ?) > 0 ORDER BY id DESC LIMIT 1",
        chat,
        part
    )
    .fetch_optional(conn)
    .await?)
}

/// Which of a platform's messages to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Answers to taps: a person is looking at the button.
    Taps,
    /// Everything else.
    Messages,
}

/// The message of a platform to show next: of each address only its oldest, as order within a chat is kept.
pub async fn next(conn: &mut Conn, platform: &str, lane: Lane) -> Result<Option<Due>, StoreError> {
    let (addresses, taps) = (format!("{platform}:*"), i64::from(lane == Lane::Taps));
    let row = sqlx::query!(
        "SELECT id, chat, key, message, silent, tap, revision, ref AS shown_as, attempts, state, next_at, \
         created_at FROM outbox o WHERE state IN ('pending', 'sending') AND (chat = ?1 OR chat GLOB ?2) \
         AND (tap IS NOT NULL) = ?3 AND NOT EXISTS (SELECT 1 FROM outbox older WHERE older.chat = o.chat \
         AND older.id < o.id AND older.state IN ('pending', 'sending') AND (older.tap IS NOT NULL) = ?3) \
         ORDER BY next_at, id LIMIT 1",
        platform,
        addresses,
        taps
    )
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        Ok(Due {
            id: row.id,
            chat: row.chat,
            key: row.key,
            message: from_json(&row.message)?,
            silent: row.silent != 0,
            tap: row.tap,
            revision: row.revision,
            shown_as: row.shown_as,
            attempts: row.attempts,
            maybe_sent: row.state == "sending",
            next_at: time(row.next_at)?,
            said_at: time(row.created_at)?,
        })
    })
    .transpose()
}

/// The chat can be reached again: what waits for it is due now.
pub async fn reachable(conn: &mut Conn, chat: &str, now: DateTime<Utc>) -> Result<(), StoreError> {
    let now = ms(now);
    sqlx::query!("UPDATE outbox SET next_at = ? WHERE chat = ? AND state IN ('pending', 'sending')", now, chat)
        .execute(conn)
        .await?;
    Ok(())
}

/// It is being sent: written down first, so that a crash in between is known as "may have arrived". Should nothing be
/// written after that, it is due again at `again_at`.
pub async fn sending(conn: &mut Conn, due: &Due, again_at: DateTime<Utc>) -> Result<(), StoreError> {
    let again_at = ms(again_at);
    let result = sqlx::query!(
        "UPDATE outbox SET state = 'sending', attempts = attempts + 1, next_at = ?          WHERE id = ? AND revision = ? AND state IN ('pending', 'sending')",
        again_at,
        due.id,
        due.revision
    )
    .execute(conn)
    .await?;
    expect_one(&result, "the message")
}

/// It arrived. If it changed meanwhile it stays due for the newer revision.
pub async fn sent(conn: &mut Conn, due: &Due, shown_as: &str, now: DateTime<Utc>) -> Result<(), StoreError> {
    let now = ms(now);
    let result = sqlx::query!(
        "UPDATE outbox SET ref = ?1, shown_revision = ?2, sent_at = ?3, trouble = NULL, attempts = 0, \
         next_at = ?3, state = CASE revision WHEN ?2 THEN 'sent' ELSE 'pending' END WHERE id = ?4",
        shown_as,
        due.revision,
        now,
        due.id
    )
    .execute(conn)
    .await?;
    expect_one(&result, "the message")
}

/// It did not arrive, or `maybe_sent`: this or an earlier try may have. Again, not before `next_at`.
pub async fn put_off(
    conn: &mut Conn,
    due: &Due,
    trouble: &str,
    maybe_sent: bool,
    next_at: DateTime<Utc>,
) -> Result<(), StoreError> {
    let (state, next_at) = (if maybe_sent { "sending" } else { "pending" }, ms(next_at));
    sqlx::query!(
        "UPDATE outbox SET state = ?, trouble = ?, next_at = ? WHERE id = ? AND state = 'sending'",
        state,
        trouble,
        next_at,
        due.id
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Nothing reaches this chat: what waits for it will never arrive, but its briefs stay due. Returns how many were given
/// up.
pub async fn give_up_all_but_briefs(conn: &mut Conn, chat: &str, trouble: &str) -> Result<u64, StoreError> {
    let result = sqlx::query!(
        "UPDATE outbox SET state = 'gone', trouble = ? \
         WHERE chat = ? AND state IN ('pending', 'sending') AND key NOT GLOB 'brief:*'",
        trouble,
        chat
    )
    .execute(conn)
    .await?;
    Ok(result.rows_affected())
}

/// It will never arrive.
pub async fn gone(conn: &mut Conn, due: &Due, trouble: &str) -> Result<(), StoreError> {
    sqlx::query!("UPDATE outbox SET state = 'gone', trouble = ? WHERE id = ?", trouble, due.id).execute(conn).await?;
    Ok(())
}

/// Messages that are not shown yet, over all chats.
pub async fn count_due(conn: &mut Conn) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar!("SELECT COUNT(*) FROM outbox WHERE state IN ('pending', 'sending')").fetch_one(conn).await?)
}

/// What became of a message in one chat.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Delivery {
    /// Front-end, or its address.
    pub chat: String,
    /// `pending`, `sending`, `sent` or `gone`.
    pub state: String,
    /// The last error.
    pub trouble: Option<String>,
}

/// What became of the message with this key, in every chat it was said in.
pub async fn deliveries(conn: &mut Conn, key: &str) -> Result<Vec<Delivery>, StoreError> {
    Ok(sqlx::query_as("SELECT chat, state, trouble FROM outbox WHERE key = ? ORDER BY id")
        .bind(key)
        .fetch_all(conn)
        .await?)
}
