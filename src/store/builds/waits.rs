//! Builds that wait for their provider or an answer, and what builds have used.

use super::{Row, all, free_slot, permit};
use crate::domain::build::{Build, Used, Wait};
use crate::domain::id::{BuildId, SessionId};
use crate::domain::plan::Resumption;
use crate::store::{Conn, StoreError, expect_one, from_json_opt, ms, small, to_json};
use chrono::{DateTime, Utc};

/// Parks a build: its agent has to wait, and its permit is free.
pub async fn park(conn: &mut Conn, id: BuildId, wait: &Wait, now: DateTime<Utc>) -> Result<(), StoreError> {
    let (wait, now) = (to_json(wait)?, ms(now));
    let result = sqlx::query!(
        "UPDATE build SET step = 'parked', step_at = ?, waits_for = ? WHERE id = ? AND step = 'working'",
        now,
        wait,
        id.0
    )
    .execute(conn)
    .await?;
    expect_one(&result, "the build's step")
}

/// Lets a parked build's agent go on, in the session that has room for it.
pub async fn resume(conn: &mut Conn, resumption: &Resumption, now: DateTime<Utc>) -> Result<(), StoreError> {
    permit(conn, resumption.permits).await?;
    let slot = free_slot(conn, resumption.task).await?;
    let (now, round) = (ms(now), resumption.round_before + 1);
    let result = sqlx::query!(
        "UPDATE build SET waited_ms = waited_ms + ?1 - step_at, step = 'working', step_at = ?1, \
         went_on = waits_for, waits_for = NULL, \
         round = ?2, slot = ?3, session_id = ?4 WHERE id = ?5 AND step = 'parked' AND round = ?6",
        now,
        round,
        slot,
        resumption.session.0,
        resumption.build.0,
        resumption.round_before
    )
    .execute(conn)
    .await?;
    expect_one(&result, "the parked build")
}

/// What a build had waited for when the round it is in began.
pub async fn went_on(conn: &mut Conn, id: BuildId) -> Result<Option<Wait>, StoreError> {
    let wait = sqlx::query_scalar!("SELECT went_on FROM build WHERE id = ?", id.0).fetch_one(conn).await?;
    from_json_opt(wait.as_deref())
}

/// What the parked build waits for has changed: the owner has answered.
pub async fn set_wait(conn: &mut Conn, id: BuildId, wait: &Wait) -> Result<(), StoreError> {
    let wait = to_json(wait)?;
    let result = sqlx::query!("UPDATE build SET waits_for = ? WHERE id = ? AND step = 'parked'", wait, id.0)
        .execute(conn)
        .await?;
    expect_one(&result, "the parked build")
}

/// What the builds of a session have used together.
pub async fn used_in(conn: &mut Conn, session: SessionId) -> Result<Used, StoreError> {
    let row = sqlx::query!(
        "SELECT COALESCE(SUM(spent_tokens), 0) AS \"tokens!: i64\", COALESCE(SUM(spent_usd), 0.0) AS \"usd!: f64\", \
         COALESCE(SUM(spent_turns), 0) AS \"turns!: i64\" FROM build WHERE session_id = ?",
        session.0
    )
    .fetch_one(conn)
    .await?;
    Ok(Used { tokens: small(row.tokens)?, usd: row.usd, turns: small(row.turns)? })
}

/// Builds that wait and were started in an earlier session, oldest first.
pub async fn parked_before(conn: &mut Conn, session: SessionId) -> Result<Vec<Build>, StoreError> {
    all(select!("WHERE step = 'parked' AND session_id < ? ORDER BY id", session.0).fetch_all(conn).await?)
}
