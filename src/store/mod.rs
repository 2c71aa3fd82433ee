//! The database: all SQL lives here and only here, one file an aggregate.
//!
//! SQLite in WAL mode with `synchronous = FULL`: what was acknowledged survives a power cut. The file is never opened,
//! read or copied by plain file calls in this process: that drops SQLite's locks (copy by `VACUUM INTO` only).
//! Writers take the lock at once (`BEGIN IMMEDIATE`), so the CLI and the bot can share the file. Every UPDATE names the
//! state it expects; a lost race is [`StoreError::Conflict`].

pub mod approvals;
pub mod audit;
pub mod builds;
pub mod buttons;
pub mod checks;
pub mod control;
pub mod copy;
pub mod health;
pub mod inbox;
pub mod kept;
pub mod outbox;
pub mod outlook;
pub mod providers;
pub mod runs;
pub mod sessions;
pub mod ships;
pub mod snapshot;
pub mod strangers;
pub mod tasks;
pub mod trouble;

use chrono::{DateTime, Utc};
use sqlx::migrate::MigrateError;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteQueryResult,
    SqliteSynchronous,
};
use sqlx::{Connection, Sqlite, Transaction};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// One connection; every function here takes one, so that any number of them share a transaction.
pub type Conn = SqliteConnection;
/// A write transaction.
pub type Tx = Transaction<'static, Sqlite>;

/// What can go wrong with the database.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Something else changed the row first. Look again.
    #[error("{0} was changed by something else meanwhile")]
    Conflict(&'static str),
    /// No such row.
    #[error("there is no {0}")]
    Missing(String),
    /// A row holds what this version can't read.
    #[error("the database holds something this version can't read: {0}")]
    BadRow(String),
    /// The database was made by a newer version.
    #[error("{0}: this database was made by a newer version of overnight; update the program")]
    Newer(PathBuf),
    /// It can't be written: read-only file system or permissions.
    #[error("the database {0} can't be written: make it and its folder writable for this user, or set OVERNIGHT_HOME")]
    ReadOnly(String),
    /// The disk is full.
    #[error("the disk that holds the database is full: nothing more can be recorded until space is free")]
    DiskFull,
    /// A copy does not hold what the original holds, or is damaged.
    #[error("the copy of the database is not right: {0}")]
    BadCopy(String),
    /// Anything else SQLite says.
    #[error("database: {0}")]
    Sqlite(sqlx::Error),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let code = match &error {
            sqlx::Error::Database(database) => database.code().and_then(|code| code.parse::<i64>().ok()),
            _ => None,
        };
        // Primary result codes are the low byte: 8 READONLY, 13 FULL. 4874 is IOERR_SHMSIZE: no room for the WAL's index.
        match code {
            Some(4874) => Self::DiskFull,
            Some(code) if code & 0xff == 8 => Self::ReadOnly(FILE.to_owned()),
            Some(code) if code & 0xff == 13 => Self::DiskFull,
            _ => Self::Sqlite(error),
        }
    }
}

/// The open database.
#[derive(Debug, Clone)]
pub struct Store {
    pool: SqlitePool,
    path: PathBuf,
}

/// File name inside `OVERNIGHT_HOME`.
pub const FILE: &str = "overnight.sqlite";

impl Store {
    /// Opens the database in `home`, makes it if it is not there, and brings its schema up to date.
    pub async fn open(home: &Path) -> Result<Self, StoreError> {
        let path = home.join(FILE);
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .pragma("fullfsync", "1")
            // In KiB, for each connection: the database is small, and this process stays so.
            .pragma("cache_size", "-512")
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(15))
            .optimize_on_close(true, None);
        let pool = SqlitePoolOptions::new()
            .max_connections(4)
            .min_connections(1)
            // SQLite itself rolls back when the disk is full; sqlx does not notice, takes the connection for one inside
            // a transaction and begins none on it ever again. Such a connection is closed.
            .before_acquire(|conn, _| Box::pin(async move { Ok(!conn.is_in_transaction()) }));
        let pool = pool.connect_with(options).await;
        let named = |error: StoreError| match error {
            StoreError::ReadOnly(_) => StoreError::ReadOnly(path.display().to_string()),
            StoreError::Sqlite(error) if cannot_open(&error) => StoreError::ReadOnly(path.display().to_string()),
            other => other,
        };
        let pool = pool.map_err(|error| named(error.into()))?;
        sqlx::migrate!().run(&pool).await.map_err(|error| match error {
            MigrateError::VersionMissing(_) | MigrateError::VersionTooNew(..) => StoreError::Newer(path.clone()),
            MigrateError::Execute(error) => named(error.into()),
            other => StoreError::Sqlite(sqlx::Error::Migrate(Box::new(other))),
        })?;
        Ok(Self { pool, path })
    }

    /// Where the database is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Begins a write transaction; waits for other writers.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(|error| match error.into() {
            StoreError::ReadOnly(_) => StoreError::ReadOnly(self.path.display().to_string()),
            other => other,
        })
    }

    /// Begins a transaction that only reads: all of it sees one state.
    pub async fn read(&self) -> Result<Tx, StoreError> {
        Ok(self.pool.begin_with("BEGIN").await?)
    }

    /// What SQLite finds wrong with the file, at most a few lines; none: it is whole. Reads only.
    pub async fn quick_check(&self) -> Result<Vec<String>, StoreError> {
        let mut tx = self.read().await?;
        let said: Vec<String> = sqlx::query_scalar("PRAGMA quick_check(3)").fetch_all(&mut *tx).await?;
        Ok(said.into_iter().filter(|line| line != "ok").collect())
    }

    /// A connection of its own on which [`Watch::changed`] notices what other processes wrote.
    pub async fn watch(&self) -> Result<Watch, StoreError> {
        let options = SqliteConnectOptions::new().filename(&self.path).create_if_missing(false);
        let mut connection = SqliteConnection::connect_with(&options).await?;
        let seen = data_version(&mut connection).await?;
        Ok(Watch { connection, seen })
    }

    /// Closes all connections, so that the WAL is folded into the file.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

fn cannot_open(error: &sqlx::Error) -> bool {
    // 14 CANTOPEN: a read-only folder, a missing one, or one of another user.
    matches!(error, sqlx::Error::Database(e) if e.code().and_then(|c| c.parse::<i64>().ok()).is_some_and(|c| c & 0xff == 14))
}

/// Notices commits of other connections by SQLite's `data_version`.
#[derive(Debug)]
pub struct Watch {
    connection: SqliteConnection,
    seen: i64,
}

impl Watch {
    /// Whether anything was committed by another connection since the last call.
    pub async fn changed(&mut self) -> Result<bool, StoreError> {
        let now = data_version(&mut self.connection).await?;
        Ok(std::mem::replace(&mut self.seen, now) != now)
    }
}

async fn data_version(connection: &mut SqliteConnection) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar("PRAGMA data_version").fetch_one(connection).await?)
}

/// Milliseconds since 1970 UTC, as stored.
fn ms(at: DateTime<Utc>) -> i64 {
    at.timestamp_millis()
}

fn time(ms: i64) -> Result<DateTime<Utc>, StoreError> {
    DateTime::from_timestamp_millis(ms).ok_or_else(|| StoreError::BadRow(format!("time {ms}")))
}

fn time_opt(ms: Option<i64>) -> Result<Option<DateTime<Utc>>, StoreError> {
    ms.map(time).transpose()
}

fn word<T>(text: &str) -> Result<T, StoreError>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error: T::Err| StoreError::BadRow(error.to_string()))
}

fn word_opt<T>(text: Option<&str>) -> Result<Option<T>, StoreError>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    text.map(word).transpose()
}

fn to_json<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::BadRow(error.to_string()))
}

fn from_json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::BadRow(error.to_string()))
}

fn from_json_opt<T: serde::de::DeserializeOwned>(text: Option<&str>) -> Result<Option<T>, StoreError> {
    text.map(from_json).transpose()
}

fn small<T: TryFrom<i64>>(number: i64) -> Result<T, StoreError> {
    T::try_from(number).map_err(|_| StoreError::BadRow(format!("number {number}")))
}

/// A lost race is an error, not a surprise.
fn expect_one(result: &SqliteQueryResult, what: &'static str) -> Result<(), StoreError> {
    if result.rows_affected() == 1 { Ok(()) } else { Err(StoreError::Conflict(what)) }
}
