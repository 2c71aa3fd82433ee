//! A full database: what doesn't fit is refused as such, nothing is half there, and the store works on afterwards.
//!
//! SQLite's own page limit stands in for the disk's end: the same error by the same way. Left out on purpose: a file
//! system that is really full, which takes a mount; `tests/live/full_disk` has that.

use overnight::store::{Store, StoreError, Tx, control};
use sqlx::Row;

async fn fill(tx: &mut Tx) -> StoreError {
    // The limit lives in this connection, and ends with it.
    let pages: i64 = sqlx::query("PRAGMA page_count").fetch_one(&mut **tx).await.unwrap().get(0);
    let limit = sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
    sqlx::query(limit).execute(&mut **tx).await.unwrap();
    let mut at = 0;
    loop {
        at += 1;
        let row = sqlx::query("INSERT INTO gap (since, until) VALUES (?, ?)").bind(at).bind(at + 1);
        if let Err(error) = row.execute(&mut **tx).await {
            return error.into();
        }
    }
}

#[tokio::test]
async fn the_store_works_on_after_the_disk_was_full() {
    let home = tempfile::tempdir().unwrap();
    let store = Store::open(home.path()).await.unwrap();
    let now = chrono::DateTime::from_timestamp(1_773_529_200, 0).unwrap();
    // More often than the pool has connections: none may stay behind in a transaction that is over.
    for _ in 0..10 {
        let mut tx = store.begin().await.expect("a transaction after a full disk");
        let error = fill(&mut tx).await;
        assert!(matches!(error, StoreError::DiskFull), "{error:?}");
        assert!(error.to_string().contains("full"), "{error}");
    }
    let mut conn = store.read().await.unwrap();
    let rows: i64 = sqlx::query("SELECT COUNT(*) FROM gap").fetch_one(&mut *conn).await.unwrap().get(0);
    assert_eq!(rows, 0, "nothing of what did not fit is there");
    drop(conn);
    let mut tx = store.begin().await.unwrap();
    assert_eq!(control::installed_at(&mut tx, now).await.unwrap(), now);
    tx.commit().await.unwrap();
    store.close().await;
}
