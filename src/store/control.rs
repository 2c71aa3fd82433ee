//! Single values: when the bot was installed, whether it is paused, which nights are skipped, when it was not awake.

use super::{Conn, StoreError, ms, time};
use chrono::{DateTime, NaiveDate, Utc};
use std::collections::BTreeSet;

/// When this bot first ran; written on the first call.
pub async fn installed_at(conn: &mut Conn, now: DateTime<Utc>) -> Result<DateTime<Utc>, StoreError> {
    let value = ms(now).to_string();
    sqlx::query!("INSERT OR IGNORE INTO meta (key, value) VALUES ('installed_at', ?)", value)
        .execute(&mut *conn)
        .await?;
    read_installed_at(conn).await?.ok_or_else(|| StoreError::BadRow("installed_at".into()))
}

/// When this bot first ran, if it has.
pub async fn read_installed_at(conn: &mut Conn) -> Result<Option<DateTime<Utc>>, StoreError> {
    get(conn, "installed_at").await?.map(|value| millis(&value)).transpose()
}

fn millis(value: &str) -> Result<DateTime<Utc>, StoreError> {
    time(value.parse().map_err(|_| StoreError::BadRow(format!("time {value:?}")))?)
}

async fn get(conn: &mut Conn, key: &str) -> Result<Option<String>, StoreError> {
    Ok(sqlx::query_scalar!("SELECT value FROM meta WHERE key = ?", key).fetch_optional(conn).await?)
}

async fn set(conn: &mut Conn, key: &str, value: &str) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        key,
        value
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether spawning is paused.
pub async fn paused(conn: &mut Conn) -> Result<bool, StoreError> {
    Ok(get(conn, "paused").await?.is_some())
}

/// Pauses or resumes spawning. Returns whether that changed anything.
pub async fn set_paused(conn: &mut Conn, pause: bool, by: &str) -> Result<bool, StoreError> {
    let was = paused(conn).await?;
    if pause {
        set(conn, "paused", by).await?;
    } else {
        sqlx::query!("DELETE FROM meta WHERE key = 'paused'").execute(conn).await?;
    }
    Ok(was != pause)
}

/// The last sign of life, and the moment of this one is written down. `None` at first.
pub async fn sign_of_life(conn: &mut Conn, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, StoreError> {
    let last = last_sign_of_life(conn).await?;
    set(conn, "alive_at", &ms(now).to_string()).await?;
    Ok(last)
}

/// The last sign of life.
pub async fn last_sign_of_life(conn: &mut Conn) -> Result<Option<DateTime<Utc>>, StoreError> {
    get(conn, "alive_at").await?.map(|value| millis(&value)).transpose()
}

/// Writes down a time without a sign of life.
pub async fn add_gap(conn: &mut Conn, since: DateTime<Utc>, until: DateTime<Utc>) -> Result<(), StoreError> {
    let (since, until) = (ms(since), ms(until));
    sqlx::query!("INSERT OR REPLACE INTO gap (since, until) VALUES (?, ?)", since, until).execute(conn).await?;
    Ok(())
}

/// Times without a sign of life that touch a span.
pub async fn gaps(
    conn: &mut Conn,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<Vec<(DateTime<Utc>, DateTime<Utc>)>, StoreError> {
    let (from, to) = (ms(from), ms(to));
    let rows = sqlx::query!("SELECT since, until FROM gap WHERE until > ? AND since < ? ORDER BY since", from, to)
        .fetch_all(conn)
        .await?;
    rows.into_iter().map(|row| Ok((time(row.since)?, time(row.until)?))).collect()
}

/// Asks to skip the night of this scheduled date. Returns false if that was asked before.
pub async fn skip(conn: &mut Conn, date: NaiveDate, now: DateTime<Utc>) -> Result<bool, StoreError> {
    let (date, now) = (date.to_string(), ms(now));
    let result = sqlx::query!("INSERT OR IGNORE INTO skipped_night (date, asked_at) VALUES (?, ?)", date, now)
        .execute(conn)
        .await?;
    Ok(result.rows_affected() == 1)
}

/// Skipped dates from `from` on.
pub async fn skipped(conn: &mut Conn, from: NaiveDate) -> Result<BTreeSet<NaiveDate>, StoreError> {
    let from = from.to_string();
    sqlx::query_scalar!("SELECT date FROM skipped_night WHERE date >= ?", from)
        .fetch_all(conn)
        .await?
        .iter()
        .map(|date| date.parse().map_err(|_| StoreError::BadRow(format!("date {date:?}"))))
        .collect()
}
