//! What is kept of a day: a copy of the database that is proven, and rows that say what was kept.

use chrono::{DateTime, NaiveDate};
use overnight::domain::id::SessionId;
use overnight::domain::kept::{Drill, KeptBundle, KeptDatabase, KeptDay, KeptProject, Skipped};
use overnight::store::copy::check_copy;
use overnight::store::{Store, StoreError, audit, kept, sessions};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

#[tokio::test]
async fn a_copy_made_while_others_write_holds_one_state_and_damage_is_seen() {
    let home = tempfile::tempdir().unwrap();
    let store = Store::open(home.path()).await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn({
        let (store, stop) = (store.clone(), Arc::clone(&stop));
        async move {
            let mut written = 0_i64;
            while !stop.load(Ordering::SeqCst) {
                // Always two rows at once: a state in between would have an odd number.
                let mut tx = store.begin().await.unwrap();
                for _ in 0..2 {
                    audit::append(&mut tx, DateTime::UNIX_EPOCH, "x", "y", None, &"z".repeat(500)).await.unwrap();
                }
                tx.commit().await.unwrap();
                written += 2;
            }
            written
        }
    });
    let mut copies = vec![];
    for n in 0..10 {
        let target = home.path().join(format!("copy{n}.sqlite"));
        let held = store.copy_to(&target).await.unwrap();
        assert_eq!(held.rows["audit"] % 2, 0);
        assert_eq!(check_copy(&target).await.unwrap(), held);
        copies.push((target, held));
    }
    stop.store(true, Ordering::SeqCst);
    let written = writer.await.unwrap();
    let last = &copies.last().unwrap().1;
    assert!(last.rows["audit"] <= written && copies[0].1.rows["audit"] < last.rows["audit"], "nobody wrote meanwhile");
    assert!(store.quick_check().await.unwrap().is_empty());
    let beside: Vec<_> = std::fs::read_dir(home.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(!beside.iter().any(|name| name.to_string_lossy().starts_with("copy9.sqlite-")), "{beside:?}");

    // An existing file is not written over; a row that differs and a damaged page are seen.
    assert!(store.copy_to(&copies[0].0).await.is_err());
    let (target, held) = copies.pop().unwrap();
    let mut edit = {
        use sqlx::ConnectOptions;
        sqlx::sqlite::SqliteConnectOptions::new().filename(&target).connect().await.unwrap()
    };
    sqlx::raw_sql("DROP TRIGGER audit_is_append_only_update; UPDATE audit SET text = 'other' WHERE id = 1")
        .execute(&mut edit)
        .await
        .unwrap();
    sqlx::Connection::close(edit).await.unwrap();
    let changed = check_copy(&target).await.unwrap();
    assert!(changed.rows == held.rows && changed.content != held.content);
    let (target, _) = copies.pop().unwrap();
    let mut bytes = std::fs::read(&target).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 4096].fill(0x5a);
    std::fs::write(&target, bytes).unwrap();
    let damaged = check_copy(&target).await.unwrap_err();
    assert!(matches!(damaged, StoreError::BadCopy(_)), "{damaged}");
}

#[tokio::test]
async fn a_database_from_before_days_were_kept_keeps_its_sessions_and_takes_what_is_kept() {
    let home = tempfile::tempdir().unwrap();
    super::left_by(
        home.path(),
        4,
        "INSERT INTO session (id, kind, date, phase, started_at, patterns_at, spawn_at, spawn_until, brief_at)
             VALUES (1, 'nightly', '2026-03-14', 'building', 1, 2, 3, 4, 5), (2, 'manual', '2026-03-15', 'closed', 1, 2, 3, 4, 5);",
    )
    .await;
    let store = Store::open(home.path()).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    let (night, day) = (SessionId(1), SessionId(2));
    let session = sessions::get(&mut tx, night).await.unwrap();
    assert_eq!((session.snapshot_done, session.date.to_string()), (false, "2026-03-14".into()));
    assert_eq!((kept::newest(&mut tx).await.unwrap(), kept::last_drill(&mut tx).await.unwrap()), (None, None));
    sessions::snapshot_done(&mut tx, night).await.unwrap();
    assert!(matches!(sessions::snapshot_done(&mut tx, night).await, Err(StoreError::Conflict(_))));

    let bundle = KeptBundle { path: "/k/app.bundle".into(), bytes: 9, sha256: "aa".into(), tips: "bb".into() };
    let project = KeptProject {
        name: "app".into(),
        commit: Some("c0".into()),
        files: 3,
        skipped: vec![Skipped { path: "huge".into(), why: "too large".into() }],
        bundle: Some(bundle),
        bundle_trouble: None,
    };
    let empty = KeptProject {
        name: "lib".into(),
        commit: None,
        files: 0,
        skipped: vec![],
        bundle: None,
        bundle_trouble: Some("no room".into()),
    };
    let database = KeptDatabase {
        path: "/k/overnight.sqlite".into(),
        bytes: 7,
        sha256: "dd".into(),
        rows: [("task".to_owned(), 4)].into(),
        content: "ee".into(),
    };
    let first = KeptDay {
        date: session.date,
        taken_at: DateTime::UNIX_EPOCH,
        database: Some(database),
        projects: vec![project, empty],
    };
    kept::insert(&mut tx, night, &first).await.unwrap();
    assert_eq!(kept::newest(&mut tx).await.unwrap(), Some(first.clone()), "all of it comes back");
    // The clock was set back: what was kept last has the older date.
    let second = KeptDay {
        date: NaiveDate::from_ymd_opt(2026, 3, 10).unwrap(),
        taken_at: DateTime::UNIX_EPOCH,
        database: None,
        projects: vec![],
    };
    kept::insert(&mut tx, day, &second).await.unwrap();
    assert_eq!(kept::newest(&mut tx).await.unwrap(), Some(second.clone()));
    assert_eq!(kept::all(&mut tx).await.unwrap(), [first.clone(), second.clone()]);
    assert_eq!(kept::dates(&mut tx).await.unwrap(), [first.date, second.date].into());
    kept::removed(&mut tx, first.date, DateTime::UNIX_EPOCH).await.unwrap();
    assert_eq!(kept::all(&mut tx).await.unwrap(), [second]);
    let drill = Drill { date: first.date, at: DateTime::UNIX_EPOCH, vaults: 2, bytes: 16, trouble: Some("no".into()) };
    kept::insert_drill(&mut tx, night, &drill).await.unwrap();
    assert_eq!(kept::last_drill(&mut tx).await.unwrap(), Some((night, drill.clone())));
    assert!(kept::insert_drill(&mut tx, night, &drill).await.is_err(), "one a session");
    tx.commit().await.unwrap();
}
