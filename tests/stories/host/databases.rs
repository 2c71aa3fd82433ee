//! The owner's databases: bloated ones shrink and keep their rows; locked, damaged and foreign files are left and named.

use overnight::domain::problem::{FixOutcome, Problem, ProblemKind, Severity};
use overnight::host::databases::{DatabaseRules, check_database, optimize_database};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode};
use sqlx::{ConnectOptions, Connection};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

fn rules() -> DatabaseRules {
    DatabaseRules { busy_timeout: Duration::from_millis(20), ..DatabaseRules::default() }
}

async fn open(path: &Path, mode: SqliteJournalMode) -> SqliteConnection {
    SqliteConnectOptions::new().filename(path).create_if_missing(true).journal_mode(mode).connect().await.unwrap()
}

/// A database of about 3 MB with two thirds of its pages empty, and 1000 rows left in an oddly named table.
async fn bloated(folder: &TempDir, mode: SqliteJournalMode) -> PathBuf {
    let path = folder.path().join("fitness.db");
    let mut connection = open(&path, mode).await;
    sqlx::raw_sql(
        "CREATE TABLE \"work\"\"outs\" (id INTEGER PRIMARY KEY, note BLOB);
         CREATE TABLE empty (x);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
         INSERT INTO \"work\"\"outs\" SELECT i, randomblob(1000) FROM n;
         DELETE FROM \"work\"\"outs\" WHERE id > 1000;",
    )
    .execute(&mut connection)
    .await
    .unwrap();
    connection.close().await.unwrap();
    path
}

async fn sum_of_ids(path: &Path) -> i64 {
    let mut connection = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    let sum = sqlx::query_scalar("SELECT sum(id) FROM \"work\"\"outs\"").fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    sum
}

async fn problem(path: &Path, own: &Path) -> Problem {
    check_database(path, own, &rules()).await.problem.expect("a problem")
}

#[tokio::test]
async fn a_bloated_database_shrinks_and_keeps_its_rows() {
    for mode in [SqliteJournalMode::Delete, SqliteJournalMode::Wal] {
        let folder = tempfile::tempdir().unwrap();
        let (path, own, trash) =
            (bloated(&folder, mode).await, folder.path().join("own.db"), folder.path().join("trash"));
        let found = problem(&path, &own).await;
        assert_eq!((found.kind, found.fix.is_some()), (ProblemKind::DatabaseBloat, true));

        let fix = optimize_database(&path, &own, &rules(), &trash).await;
        assert_eq!(fix.done, FixOutcome::Fixed);
        assert!(fix.after_bytes * 2 < fix.before_bytes, "{fix:?}");
        assert_eq!(fix.after_bytes, path.metadata().unwrap().len());
        assert!(fix.text().starts_with("Optimized fitness.db (3"), "{}", fix.text());
        assert_eq!(sum_of_ids(&path).await, 500_500);
        let check = check_database(&path, &own, &rules()).await;
        assert_eq!((check.problem, check.facts.unwrap().free_pages), (None, 0));

        let kept: Vec<_> = fs::read_dir(&trash).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(kept, ["database-1-fitness.db.gz"]);
        let again = optimize_database(&path, &own, &rules(), &trash).await;
        assert!(matches!(again.done, FixOutcome::Skipped { .. }), "{again:?}");
        assert_eq!(fs::read_dir(&trash).unwrap().count(), 1);
    }
}

#[tokio::test]
async fn a_database_in_use_is_left_as_it_is() {
    for (mode, lock) in [(SqliteJournalMode::Delete, "BEGIN EXCLUSIVE"), (SqliteJournalMode::Wal, "BEGIN IMMEDIATE")] {
        let folder = tempfile::tempdir().unwrap();
        let (path, own, trash) =
            (bloated(&folder, mode).await, folder.path().join("own.db"), folder.path().join("trash"));
        let size = path.metadata().unwrap().len();
        let mut user = open(&path, mode).await;
        sqlx::query(lock).execute(&mut user).await.unwrap();
        let expected = if lock == "BEGIN EXCLUSIVE" { ProblemKind::DatabaseLocked } else { ProblemKind::DatabaseBloat };
        assert_eq!(problem(&path, &own).await.kind, expected);

        let fix = optimize_database(&path, &own, &rules(), &trash).await;
        assert!(matches!(&fix.done, FixOutcome::Skipped { why } if why.contains("locked")), "{fix:?}");
        sqlx::raw_sql("DELETE FROM \"work\"\"outs\" WHERE id = 1000; COMMIT").execute(&mut user).await.unwrap();
        user.close().await.unwrap();
        assert_eq!(path.metadata().unwrap().len(), size);
        assert_eq!(sum_of_ids(&path).await, 499_500, "the other process's work went on");
        assert!(fs::read_dir(&trash).map_or(0, Iterator::count) == 0, "no copy is left behind");
    }
}

#[tokio::test]
async fn a_reader_in_the_middle_of_something_only_delays_the_vacuum() {
    let folder = tempfile::tempdir().unwrap();
    let (path, own, trash) =
        (bloated(&folder, SqliteJournalMode::Delete).await, folder.path().join("own.db"), folder.path().join("trash"));
    let mut reader = open(&path, SqliteJournalMode::Delete).await;
    sqlx::raw_sql("BEGIN; SELECT count(*) FROM empty").execute(&mut reader).await.unwrap();
    let fix = optimize_database(&path, &own, &rules(), &trash).await;
    assert!(matches!(fix.done, FixOutcome::Skipped { .. }), "{fix:?}");
    assert_eq!(fs::read_dir(&trash).unwrap().count(), 0, "the copy made before is removed");
    sqlx::query("COMMIT").execute(&mut reader).await.unwrap();
    reader.close().await.unwrap();
    assert_eq!(optimize_database(&path, &own, &rules(), &trash).await.done, FixOutcome::Fixed);
}

#[tokio::test]
async fn a_damaged_database_is_escalated_and_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let (path, own) = (bloated(&folder, SqliteJournalMode::Delete).await, folder.path().join("own.db"));
    let mut bytes = fs::read(&path).unwrap();
    for page in 1..20 {
        bytes[page * 4096..page * 4096 + 64].fill(0x5a);
    }
    fs::write(&path, &bytes).unwrap();
    let found = problem(&path, &own).await;
    assert_eq!((found.kind, found.severity, found.fix), (ProblemKind::DatabaseCorrupt, Severity::Critical, None));
    assert!(found.escalates());
    let fix = optimize_database(&path, &own, &rules(), &folder.path().join("trash")).await;
    assert!(matches!(fix.done, FixOutcome::Failed { .. }), "{fix:?}");
    assert!(fs::read(&path).unwrap() == bytes);
}

#[tokio::test]
async fn what_is_no_database_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("own.db");
    let text = folder.path().join("notes.db");
    fs::write(&text, "just some notes, long enough to be looked at as a header of a database file ".repeat(20))
        .unwrap();
    assert_eq!(problem(&text, &own).await.kind, ProblemKind::NotADatabase);
    assert_eq!(problem(folder.path(), &own).await.kind, ProblemKind::NotADatabase);
    let missing = folder.path().join("gone.db");
    assert_eq!(problem(&missing, &own).await.kind, ProblemKind::DatabaseMissing);
    assert!(!missing.exists(), "a check makes no file");
    let fix = optimize_database(&text, &own, &rules(), &folder.path().join("trash")).await;
    assert!(matches!(fix.done, FixOutcome::Skipped { .. }), "{fix:?}");
}

#[tokio::test]
async fn the_bots_own_database_is_refused_under_every_name() {
    let folder = tempfile::tempdir().unwrap();
    let own = bloated(&folder, SqliteJournalMode::Wal).await;
    let linked = folder.path().join("linked.db");
    symlink(&own, &linked).unwrap();
    let second = folder.path().join("second.db");
    fs::hard_link(&own, &second).unwrap();
    let log = folder.path().join("fitness.db-wal");
    fs::write(&log, "").unwrap();
    let size = own.metadata().unwrap().len();
    for path in [&own, &linked, &second, &log] {
        let found = problem(path, &own).await;
        assert!(found.detail.contains("overnight's own"), "{path:?}: {found:?}");
        let fix = optimize_database(path, &own, &rules(), &folder.path().join("trash")).await;
        assert!(matches!(fix.done, FixOutcome::Skipped { .. }), "{fix:?}");
    }
    assert_eq!(own.metadata().unwrap().len(), size);
    let other = problem(&second, &folder.path().join("own.db")).await;
    assert!(other.detail.contains("hard links"), "{other:?}");
}

#[tokio::test]
async fn a_check_that_takes_too_long_is_interrupted() {
    let folder = tempfile::tempdir().unwrap();
    let path = bloated(&folder, SqliteJournalMode::Delete).await;
    let hurried = DatabaseRules { longest: Duration::ZERO, ..rules() };
    let found = check_database(&path, &folder.path().join("own.db"), &hurried).await.problem.unwrap();
    assert!(found.detail.contains("too long"), "{found:?}");
}
