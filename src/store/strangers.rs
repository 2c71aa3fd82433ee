//! How much people who are not known have written, by the hour. What they wrote is kept only up to limits that the caller
//! names, so that nobody can fill the disk.

use super::{Conn, StoreError, ms, time};
use chrono::{DateTime, TimeDelta, Utc};

/// At most so many messages are kept.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Of one sender in an hour.
    pub sender_hour: i64,
    /// Of all of them together in a day.
    pub all_day: i64,
}

/// Hours for which counts are needed: a day's sum, and the hour that goes on.
const REMEMBERED: TimeDelta = TimeDelta::hours(25);

/// Counts a message; true if it is one of those to be kept.
pub async fn count(conn: &mut Conn, sender: &str, limits: Limits, now: DateTime<Utc>) -> Result<bool, StoreError> {
    let hour = ms(now) / 3_600_000 * 3_600_000;
    let day_ago = hour - 23 * 3_600_000;
    let kept_today =
        sqlx::query_scalar!(r#"SELECT COALESCE(SUM(kept), 0) AS "kept!: i64" FROM stranger WHERE hour >= ?"#, day_ago)
            .fetch_one(&mut *conn)
            .await?;
    let known = sqlx::query_scalar!("SELECT kept FROM stranger WHERE hour = ? AND sender = ?", hour, sender)
        .fetch_optional(&mut *conn)
        .await?;
    let keep = kept_today < limits.all_day && known.unwrap_or(0) < limits.sender_hour;
    // A row of their own only for those of whom something is kept: accounts are made faster than rows are deleted.
    let (sender, kept) = (if keep || known.is_some() { sender } else { "" }, i64::from(keep));
    sqlx::query!(
        "INSERT INTO stranger (hour, sender, seen, kept) VALUES (?, ?, 1, ?) \
         ON CONFLICT (hour, sender) DO UPDATE SET seen = seen + 1, kept = kept + excluded.kept",
        hour,
        sender,
        kept
    )
    .execute(conn)
    .await?;
    Ok(keep)
}

/// Hours that are over in which not all was kept, each with how many messages were not; told only once. Old counts are
/// forgotten.
pub async fn left_out(conn: &mut Conn, now: DateTime<Utc>) -> Result<Vec<(DateTime<Utc>, i64)>, StoreError> {
    let (hour, old) = (ms(now) / 3_600_000 * 3_600_000, ms(now - REMEMBERED));
    let rows = sqlx::query!(
        r#"SELECT hour, SUM(seen - kept) AS "left_out!: i64" FROM stranger WHERE hour < ? AND seen > kept
         GROUP BY hour ORDER BY hour"#,
        hour
    )
    .fetch_all(&mut *conn)
    .await?;
    if !rows.is_empty() {
        sqlx::query!("UPDATE stranger SET seen = kept WHERE hour < ? AND seen > kept", hour)
            .execute(&mut *conn)
            .await?;
    }
    sqlx::query!("DELETE FROM stranger WHERE hour < ?", old).execute(conn).await?;
    rows.into_iter().map(|row| Ok((time(row.hour)?, row.left_out))).collect()
}
