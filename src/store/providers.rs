//! Accounts behind agents: what blocks them, and how much of their windows is used.

use super::{Conn, StoreError, from_json, from_json_opt, ms, time, time_opt, to_json};
use crate::domain::agent::Window;
use crate::domain::provider::{Block, Provider};
use chrono::{DateTime, Utc};

/// Everything known.
pub async fn all(conn: &mut Conn) -> Result<Vec<Provider>, StoreError> {
    let rows = sqlx::query!("SELECT agent, block, windows FROM provider ORDER BY agent").fetch_all(conn).await?;
    rows.into_iter()
        .map(|row| {
            let block = from_json_opt(row.block.as_deref())?;
            Ok(Provider { agent: row.agent, block, windows: from_json(&row.windows)? })
        })
        .collect()
}

/// What is known of one agent's account, if anything.
pub async fn get(conn: &mut Conn, agent: &str) -> Result<Option<Provider>, StoreError> {
    Ok(all(conn).await?.into_iter().find(|provider| provider.agent == agent))
}

/// It can't be used, or (`None`) it can again.
pub async fn set_block(
    conn: &mut Conn,
    agent: &str,
    block: Option<&Block>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let (json, at) = (block.map(to_json).transpose()?, ms(now));
    sqlx::query!(
        "INSERT INTO provider (agent, block, seen_at) VALUES (?, ?, ?) \
         ON CONFLICT (agent) DO UPDATE SET block = excluded.block, seen_at = excluded.seen_at",
        agent,
        json,
        at
    )
    .execute(&mut *conn)
    .await?;
    match block {
        Some(block) => {
            let since = ms(block.since);
            sqlx::query!(
                "INSERT INTO closure (agent, detail, since) VALUES (?, ?, ?) ON CONFLICT (agent) WHERE until IS NULL \
                 DO UPDATE SET detail = excluded.detail",
                agent,
                block.why,
                since
            )
            .execute(conn)
            .await?;
        }
        None => {
            sqlx::query!("UPDATE closure SET until = ? WHERE agent = ? AND until IS NULL", at, agent)
                .execute(conn)
                .await?;
        }
    }
    Ok(())
}

/// A time when an agent's account could not be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closure {
    /// Name of the agent.
    pub agent: String,
    /// What was said.
    pub detail: String,
    /// When it was seen.
    pub since: DateTime<Utc>,
    /// When it was seen to be over.
    pub until: Option<DateTime<Utc>>,
}

/// Those that touch a span, oldest first.
pub async fn closures(conn: &mut Conn, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<Vec<Closure>, StoreError> {
    let (from, to) = (ms(from), ms(to));
    let rows = sqlx::query!(
        "SELECT agent, detail, since, until FROM closure WHERE since <= ? AND (until IS NULL OR until >= ?) ORDER BY since",
        to,
        from
    )
    .fetch_all(conn)
    .await?;
    let one = |since, until| Ok::<_, StoreError>((time(since)?, time_opt(until)?));
    rows.into_iter()
        .map(|row| {
            let (since, until) = one(row.since, row.until)?;
            Ok(Closure { agent: row.agent, detail: row.detail, since, until })
        })
        .collect()
}

/// How much of its windows is used, as it reports now; windows it does not name stay as they were.
pub async fn set_windows(
    conn: &mut Conn,
    agent: &str,
    windows: &[Window],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let mut known = get(conn, agent).await?.map(|provider| provider.windows).unwrap_or_default();
    known.retain(|old| windows.iter().all(|new| new.name != old.name));
    known.extend_from_slice(windows);
    let (known, now) = (to_json(&known)?, ms(now));
    sqlx::query!(
        "INSERT INTO provider (agent, windows, seen_at) VALUES (?, ?, ?) \
         ON CONFLICT (agent) DO UPDATE SET windows = excluded.windows, seen_at = excluded.seen_at",
        agent,
        known,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}
