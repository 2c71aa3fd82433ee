//! One connection to an owner's database, and the statements used on it.
//!
//! Every statement runs under one deadline; past it `SQLite` is interrupted, which rolls back. Left out on purpose: deciding
//! what to do, and holding a lock longer than one statement.

use super::{DatabaseFacts, DatabaseRules};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

/// Why a database can't be worked with; `Display` is for a person.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error("the database does not exist")]
    Missing,
    #[error("the file is not a SQLite database")]
    NotADatabase,
    #[error("the database is damaged: {0}")]
    Corrupt(String),
    #[error("another process keeps it locked")]
    Locked,
    #[error("{0}")]
    Refused(&'static str),
    #[error("it took too long and was interrupted; nothing was changed")]
    TooSlow,
    #[error("{0}")]
    Other(String),
}

impl From<sqlx::Error> for Trouble {
    /// By `SQLite`'s primary result code, the low byte of the extended one (sqlite.org, "Result and Error Codes").
    fn from(error: sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(|error| error.code()?.parse::<u32>().ok());
        match code.map(|code| code & 0xff) {
            Some(5 | 6) => Self::Locked,
            Some(9) => Self::TooSlow,
            Some(11) => Self::Corrupt(error.to_string()),
            Some(26) => Self::NotADatabase,
            _ => Self::Other(error.to_string()),
        }
    }
}

/// Rows of each table.
pub(super) type Rows = BTreeMap<String, i64>;

/// An open database.
pub(super) struct Session {
    connection: SqliteConnection,
}

impl Session {
    pub(super) async fn open(path: &Path, read_only: bool, rules: &DatabaseRules) -> Result<Self, Trouble> {
        let mut connection = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(false)
            .read_only(read_only)
            .busy_timeout(rules.busy_timeout)
            .disable_statement_logging()
            .connect()
            .await?;
        let (started, longest) = (Instant::now(), rules.longest);
        connection.lock_handle().await?.set_progress_handler(1_000, move || started.elapsed() < longest);
        Ok(Self { connection })
    }

    /// A failed close changes nothing: the file stays as the last statement left it.
    pub(super) async fn close(self) {
        let _ = self.connection.close().await;
    }

    async fn number(&mut self, sql: String) -> Result<i64, Trouble> {
        Ok(sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut self.connection).await?)
    }

    async fn run(&mut self, sql: String) -> Result<(), Trouble> {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut self.connection).await?;
        Ok(())
    }

    pub(super) async fn quick_check(&mut self) -> Result<(), Trouble> {
        let answer: String = sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(&mut self.connection).await?;
        if answer == "ok" { Ok(()) } else { Err(Trouble::Corrupt(answer.chars().take(300).collect())) }
    }

    pub(super) async fn facts(&mut self) -> Result<DatabaseFacts, Trouble> {
        let mut pragma = async |name: &str| -> Result<u64, Trouble> {
            Ok(u64::try_from(self.number(format!("PRAGMA {name}")).await?).unwrap_or(0))
        };
        let (page_size, pages) = (pragma("page_size").await?, pragma("page_count").await?);
        let free_pages = pragma("freelist_count").await?;
        let journal_mode = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut self.connection).await?;
        Ok(DatabaseFacts { page_size, pages, free_pages, journal_mode })
    }

    /// Rows of every table that `VACUUM` and `optimize` should leave alone: not virtual ones (their modules may not be
    /// here; the tables behind them count) and not the statistics.
    pub(super) async fn row_counts(&mut self) -> Result<Rows, Trouble> {
        let tables = sqlx::query(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_stat%' \
             AND sql NOT LIKE 'CREATE VIRTUAL%'",
        )
        .fetch_all(&mut self.connection)
        .await?;
        let mut rows = Rows::new();
        for table in tables {
            let name: String = table.try_get(0)?;
            let count = self.number(format!("SELECT count(*) FROM \"{}\"", name.replace('"', "\"\""))).await?;
            rows.insert(name, count);
        }
        Ok(rows)
    }

    /// Changes when another connection has committed.
    pub(super) async fn data_version(&mut self) -> Result<i64, Trouble> {
        self.number("PRAGMA data_version".to_owned()).await
    }

    /// Takes the write lock and gives it back: whether anybody is in the middle of something.
    pub(super) async fn try_write_lock(&mut self) -> Result<(), Trouble> {
        self.run("BEGIN IMMEDIATE".to_owned()).await?;
        self.run("ROLLBACK".to_owned()).await
    }

    /// Writes a compact copy to a new file.
    pub(super) async fn vacuum_into(&mut self, copy: &Path) -> Result<(), Trouble> {
        let Some(target) = copy.to_str() else {
            return Err(Trouble::Refused("the trash folder's name is not UTF-8"));
        };
        sqlx::query("VACUUM INTO ?").bind(target).execute(&mut self.connection).await?;
        Ok(())
    }

    /// Refreshes the planner's statistics, moves the log into the file, and rewrites it without empty pages.
    pub(super) async fn shrink(&mut self) -> Result<(), Trouble> {
        self.run("PRAGMA optimize".to_owned()).await?;
        self.run("PRAGMA wal_checkpoint(TRUNCATE)".to_owned()).await?;
        self.run("VACUUM".to_owned()).await?;
        self.run("PRAGMA wal_checkpoint(TRUNCATE)".to_owned()).await
    }
}
