//! Buttons: what a nonce means, until when, and what was answered.

use super::{Conn, StoreError, expect_one, from_json, ms, time, time_opt, to_json};
use crate::domain::button::Meaning;
use chrono::{DateTime, Utc};

/// One button as stored.
#[derive(Debug, Clone)]
pub struct Stored {
    /// What it means.
    pub meaning: Meaning,
    /// Not obeyed after.
    pub expires_at: DateTime<Utc>,
    /// When it was obeyed.
    pub used_at: Option<DateTime<Utc>>,
    /// What was answered then.
    pub answer: Option<String>,
}

/// Makes a button. The nonce must be fresh: 128 random bits in hex.
pub async fn insert(
    conn: &mut Conn,
    nonce: &str,
    meaning: &Meaning,
    now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> Result<(), StoreError> {
    let (meaning, now, expires_at) = (to_json(meaning)?, ms(now), ms(expires_at));
    sqlx::query!(
        "INSERT INTO button (nonce, meaning, created_at, expires_at) VALUES (?, ?, ?, ?)",
        nonce,
        meaning,
        now,
        expires_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A button with this meaning that can still be tapped and lives at least until `alive_at`.
pub async fn same(conn: &mut Conn, meaning: &Meaning, alive_at: DateTime<Utc>) -> Result<Option<String>, StoreError> {
    let (meaning, alive_at) = (to_json(meaning)?, ms(alive_at));
    Ok(sqlx::query_scalar!(
        "SELECT nonce FROM button WHERE meaning = ? AND used_at IS NULL AND expires_at > ? \
         ORDER BY expires_at DESC, nonce LIMIT 1",
        meaning,
        alive_at
    )
    .fetch_optional(conn)
    .await?)
}

/// What a nonce means; `None` for one never given out.
pub async fn get(conn: &mut Conn, nonce: &str) -> Result<Option<Stored>, StoreError> {
    let row = sqlx::query!("SELECT meaning, expires_at, used_at, answer FROM button WHERE nonce = ?", nonce)
        .fetch_optional(conn)
        .await?;
    row.map(|row| {
        Ok(Stored {
            meaning: from_json(&row.meaning)?,
            expires_at: time(row.expires_at)?,
            used_at: time_opt(row.used_at)?,
            answer: row.answer,
        })
    })
    .transpose()
}

/// Marks a button as obeyed, once.
pub async fn mark_used(conn: &mut Conn, nonce: &str, answer: &str, now: DateTime<Utc>) -> Result<(), StoreError> {
    let at = ms(now);
    let result = sqlx::query!(
        "UPDATE button SET used_at = ?, answer = ? WHERE nonce = ? AND used_at IS NULL",
        at,
        answer,
        nonce
    )
    .execute(conn)
    .await?;
    expect_one(&result, "the button")
}

/// Forgets buttons that expired before `before`.
pub async fn forget(conn: &mut Conn, before: DateTime<Utc>) -> Result<(), StoreError> {
    let before = ms(before);
    sqlx::query!("DELETE FROM button WHERE expires_at < ?", before).execute(conn).await?;
    Ok(())
}
