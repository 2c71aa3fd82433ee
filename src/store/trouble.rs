//! What stands between the owner and the bot: a row for each chat while it lasts.

use super::{Conn, StoreError, ms, time};
use chrono::{DateTime, Utc};

/// Trouble with a chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatTrouble {
    /// A platform, or an address of it.
    pub chat: String,
    /// What is wrong and what to do, for the owner.
    pub why: String,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Whether the owner was told of it by an alarm.
    pub alarmed: bool,
}

/// Puts trouble on record. The same again changes nothing; another one takes its place, but an alarm stays one.
pub async fn set(
    conn: &mut Conn,
    chat: &str,
    why: &str,
    since: DateTime<Utc>,
    alarmed: bool,
) -> Result<(), StoreError> {
    let (since, alarmed) = (ms(since), i64::from(alarmed));
    sqlx::query!(
        "INSERT INTO chat_trouble (chat, why, since, alarmed) VALUES (?, ?, ?, ?) ON CONFLICT (chat) DO UPDATE SET \
         since = CASE why WHEN excluded.why THEN since ELSE excluded.since END, why = excluded.why, \
         alarmed = MAX(alarmed, excluded.alarmed)",
        chat,
        why,
        since,
        alarmed
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What is wrong with this chat, if anything.
pub async fn get(conn: &mut Conn, chat: &str) -> Result<Option<ChatTrouble>, StoreError> {
    Ok(all(conn).await?.into_iter().find(|known| known.chat == chat))
}

/// It is over. Returns what it was.
pub async fn clear(conn: &mut Conn, chat: &str) -> Result<Option<ChatTrouble>, StoreError> {
    let known = get(conn, chat).await?;
    if known.is_some() {
        sqlx::query!("DELETE FROM chat_trouble WHERE chat = ?", chat).execute(conn).await?;
    }
    Ok(known)
}

/// All there is, the oldest first.
pub async fn all(conn: &mut Conn) -> Result<Vec<ChatTrouble>, StoreError> {
    let rows = sqlx::query!("SELECT chat, why, since, alarmed FROM chat_trouble ORDER BY since, chat");
    let rows = rows.fetch_all(conn).await?;
    rows.into_iter()
        .map(|row| Ok(ChatTrouble { chat: row.chat, why: row.why, since: time(row.since)?, alarmed: row.alarmed != 0 }))
        .collect()
}
