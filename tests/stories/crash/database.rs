//! The test's own look into the bot's database, read-only and from another process, and the owner's bloated one.

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{ConnectOptions, Connection, FromRow};
use std::path::{Path, PathBuf};

/// The bot's database, read from outside.
pub(crate) struct Database(pub(crate) PathBuf);

impl Database {
    /// All rows of a query; none as long as there is no database, or no table yet.
    pub(crate) fn rows<T>(&self, sql: &'static str) -> Vec<T>
    where
        T: for<'r> FromRow<'r, SqliteRow> + Send + Unpin,
    {
        if !self.0.exists() {
            return vec![];
        }
        wait(async {
            let options = SqliteConnectOptions::new().filename(&self.0).read_only(true);
            let Ok(mut connection) = options.connect().await else { return vec![] };
            let rows = sqlx::query_as(sql).fetch_all(&mut connection).await;
            drop(connection.close().await);
            match rows {
                Err(sqlx::Error::Database(error)) if error.message().starts_with("no such table") => vec![],
                rows => rows.unwrap(),
            }
        })
    }

    /// The first number of a query's first row; 0 where there is none.
    pub(crate) fn number(&self, sql: &'static str) -> i64 {
        self.rows::<(Option<i64>,)>(sql).first().and_then(|row| row.0).unwrap_or(0)
    }

    /// The texts in a query's first column.
    pub(crate) fn texts(&self, sql: &'static str) -> Vec<String> {
        self.rows::<(String,)>(sql).into_iter().map(|row| row.0).collect()
    }
}

/// Makes a database of some MB of which most pages are free.
pub(crate) fn bloated(path: &Path) {
    wait(async {
        let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
        let mut connection: SqliteConnection = options.connect().await.unwrap();
        sqlx::raw_sql(
            "CREATE TABLE workout (id INTEGER PRIMARY KEY, note TEXT);
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
             INSERT INTO workout SELECT i, hex(randomblob(150)) FROM n;
             DELETE FROM workout WHERE id % 4 <> 0;",
        )
        .execute(&mut connection)
        .await
        .unwrap();
        connection.close().await.unwrap();
    });
}

fn wait<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}
