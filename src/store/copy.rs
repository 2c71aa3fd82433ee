//! A copy of the whole database in one file, proven to hold what the original held.
//!
//! The copy is made by SQLite alone (`VACUUM INTO`), while a write lock is held: so the state that is copied is the state
//! a second connection, whose read transaction began under the same lock, goes on seeing. The lock is let go as soon as
//! the copy is written; the counting and hashing of both sides happens while others write on.

use super::{Conn, Store, StoreError};
use futures_util::TryStreamExt;
use sha2::{Digest, Sha256};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, SqliteConnection};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// What a database holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holdings {
    /// Rows of each table.
    pub rows: BTreeMap<String, i64>,
    /// Hash of all rows, in whatever order they lie in the file.
    pub content: String,
}

impl Store {
    /// Copies the database to `target`, which must not exist, and proves the copy. Errs with [`StoreError::BadCopy`] if it
    /// does not hold the same.
    pub async fn copy_to(&self, target: &Path) -> Result<Holdings, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(self.path())
            .create_if_missing(false)
            .busy_timeout(Duration::from_secs(15))
            .disable_statement_logging();
        let (mut lock, mut writer, mut reader) =
            (options.connect().await?, options.connect().await?, options.connect().await?);
        let held = lock.begin_with("BEGIN IMMEDIATE").await?;
        let mut seen = reader.begin().await?;
        // The first read fixes what this transaction sees.
        sqlx::query("SELECT COUNT(*) FROM sqlite_schema").execute(&mut *seen).await?;
        let name = target.to_str().ok_or_else(|| StoreError::BadCopy("its path is not UTF-8".into()))?;
        sqlx::query("VACUUM INTO ?").bind(name).execute(&mut writer).await?;
        held.rollback().await?;
        let original = holdings(&mut seen).await?;
        drop(seen);
        let copied = check_copy(target).await?;
        if copied == original {
            return Ok(copied);
        }
        let differs = original.rows.iter().find(|(table, rows)| copied.rows.get(*table) != Some(*rows));
        Err(StoreError::BadCopy(match differs {
            Some((table, rows)) => format!("{table} has {rows} rows, the copy {:?}", copied.rows.get(table)),
            None => "its rows are not those of the original".into(),
        }))
    }
}

/// Opens a copy, reading only, and tells what it holds. Errs with [`StoreError::BadCopy`] if SQLite finds it damaged.
pub async fn check_copy(path: &Path) -> Result<Holdings, StoreError> {
    let bad = |error: sqlx::Error| StoreError::BadCopy(error.to_string());
    // Immutable: nothing is made beside it.
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(false).read_only(true).immutable(true);
    let mut connection = options.disable_statement_logging().connect().await.map_err(bad)?;
    let whole: Vec<String> =
        sqlx::query_scalar("PRAGMA integrity_check(3)").fetch_all(&mut connection).await.map_err(bad)?;
    if whole != ["ok"] {
        return Err(StoreError::BadCopy(whole.join("; ")));
    }
    let orphans = sqlx::query("PRAGMA foreign_key_check").fetch_all(&mut connection).await.map_err(bad)?;
    if !orphans.is_empty() {
        return Err(StoreError::BadCopy(format!("{} rows refer to rows that are not there", orphans.len())));
    }
    let holdings = holdings(&mut connection).await;
    // Nothing is lost if this fails: it was only read.
    let _ = SqliteConnection::close(connection).await;
    holdings
}

async fn holdings(conn: &mut Conn) -> Result<Holdings, StoreError> {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
    )
    .fetch_all(&mut *conn)
    .await?;
    let (mut rows, mut sum) = (BTreeMap::new(), 0_u128);
    for table in tables {
        let columns: Vec<String> = sqlx::query_scalar("SELECT name FROM pragma_table_info(?) ORDER BY cid")
            .bind(&table)
            .fetch_all(&mut *conn)
            .await?;
        let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
        let values: Vec<String> = columns.iter().map(|column| format!("quote({})", quoted(column))).collect();
        let sql = format!("SELECT {} FROM {}", values.join(" || ',' || "), quoted(&table));
        let mut count = 0;
        let mut stream = sqlx::query_scalar::<_, String>(AssertSqlSafe(sql)).fetch(&mut *conn);
        while let Some(row) = stream.try_next().await? {
            let digest = Sha256::new().chain_update(&table).chain_update([0]).chain_update(row).finalize();
            let half = digest.first_chunk::<16>().copied().unwrap_or_default();
            // A sum does not depend on the order, and counts a row that is there twice twice.
            sum = sum.wrapping_add(u128::from_be_bytes(half));
            count += 1;
        }
        rows.insert(table, count);
    }
    Ok(Holdings { rows, content: format!("{sum:032x}") })
}
