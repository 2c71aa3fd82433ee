//! What came in: stored before it is confirmed to the platform, deduplicated by the platform's exact id.

use super::{Conn, StoreError, expect_one, ms};
use chrono::{DateTime, Utc};

/// One stored update.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Row number, the order of arrival.
    pub id: i64,
    /// Front-end it came from.
    pub chat: String,
    /// JSON of the update.
    pub body: String,
}

/// Stores an update; false if this exact one is already there.
pub async fn insert(
    conn: &mut Conn,
    chat: &str,
    key: &str,
    body: &str,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let now = ms(now);
    let result = sqlx::query!(
        "INSERT OR IGNORE INTO inbox (chat, key, body, received_at) VALUES (?, ?, ?, ?)",
        chat,
        key,
        body,
        now
    )
    .execute(conn)
    .await?;
    Ok(result.rows_affected() == 1)
}

/// The oldest update that was not handled.
pub async fn next(conn: &mut Conn) -> Result<Option<Stored>, StoreError> {
    Ok(sqlx::query_as!(Stored, "SELECT id, chat, body FROM inbox WHERE handled_at IS NULL ORDER BY id LIMIT 1")
        .fetch_optional(conn)
        .await?)
}

/// An update was handled, or given up with `trouble`.
pub async fn handled(conn: &mut Conn, id: i64, trouble: Option<&str>, now: DateTime<Utc>) -> Result<(), StoreError> {
    let now = ms(now);
    let result = sqlx::query!(
        "UPDATE inbox SET handled_at = ?, trouble = ? WHERE id = ? AND handled_at IS NULL",
        now,
        trouble,
        id
    )
    .execute(conn)
    .await?;
    expect_one(&result, "the message")
}
