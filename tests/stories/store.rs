//! What the database itself refuses, whatever the code above it does.

mod kept;

use chrono::{DateTime, TimeDelta, Utc};
use overnight::domain::category::Category;
use overnight::domain::id::TaskId;
use overnight::domain::plan::{NewBuild, NewSession};
use overnight::domain::session::SessionKind;
use overnight::domain::task::{Priority, TaskKind, TaskSpec, TaskState};
use overnight::store::{Store, StoreError, audit, builds, sessions, tasks};

fn now() -> DateTime<Utc> {
    "2026-03-14T23:10:00Z".parse().unwrap()
}

fn spec(title: &str) -> TaskSpec {
    TaskSpec {
        title: title.into(),
        details: String::new(),
        project: None,
        kind: TaskKind::Code,
        category: Category::BugFix,
        priority: Priority::Medium,
        estimate_minutes: 60,
        not_before: None,
        depends_on: vec![],
        agent: None,
        command: vec![],
    }
}

fn night(kind: SessionKind) -> NewSession {
    NewSession {
        kind,
        date: "2026-03-14".parse().unwrap(),
        patterns_at: now(),
        spawn_at: now(),
        spawn_until: now() + TimeDelta::hours(7),
        brief_at: now() + TimeDelta::hours(8),
        only_task: None,
        late_minutes: 0,
    }
}

async fn open() -> (tempfile::TempDir, Store) {
    let home = tempfile::tempdir().unwrap();
    let store = Store::open(home.path()).await.unwrap();
    (home, store)
}

#[tokio::test]
async fn the_audit_takes_rows_and_gives_none_back() {
    let (_home, store) = open().await;
    let mut tx = store.begin().await.unwrap();
    audit::append(&mut tx, now(), "planner", "spawned", None, "build 1").await.unwrap();
    for sql in ["UPDATE audit SET text = 'build 2'", "DELETE FROM audit", "DELETE FROM audit WHERE id = 1"] {
        let refused = sqlx::query(sql).execute(&mut *tx).await.unwrap_err().to_string();
        assert!(refused.contains("append-only"), "{sql}: {refused}");
    }
    assert_eq!(audit::last(&mut tx, 10).await.unwrap()[0].text, "build 1");
}

#[tokio::test]
async fn a_date_has_one_night_and_any_number_of_sessions_by_hand() {
    let (_home, store) = open().await;
    let mut tx = store.begin().await.unwrap();
    sessions::open(&mut tx, &night(SessionKind::Nightly), now()).await.unwrap();
    for _ in 0..2 {
        sessions::open(&mut tx, &night(SessionKind::Manual), now()).await.unwrap();
    }
    let second = sessions::open(&mut tx, &night(SessionKind::Nightly), now()).await;
    assert!(second.unwrap_err().to_string().contains("UNIQUE"));
    let missed = sessions::miss(&mut tx, "2026-03-14".parse().unwrap(), "off", now(), now()).await;
    assert!(missed.unwrap_err().to_string().contains("UNIQUE"));
}

#[tokio::test]
async fn a_task_has_one_open_build_and_permits_are_counted_again() {
    let (_home, store) = open().await;
    let mut tx = store.begin().await.unwrap();
    let session = sessions::open(&mut tx, &night(SessionKind::Nightly), now()).await.unwrap();
    let mut ids = vec![];
    for title in ["a", "b"] {
        ids.push(tasks::insert(&mut tx, &spec(title), TaskState::Open, None, "owner", now()).await.unwrap());
    }
    let new = |task: TaskId, permits| NewBuild {
        session,
        task,
        revision: 1,
        attempts_before: 0,
        needs_approval: false,
        on_top_of: None,
        agent: None,
        permits,
        why: String::new(),
    };
    builds::start(&mut tx, &new(ids[0], 3), now()).await.unwrap();
    assert!(builds::start(&mut tx, &new(ids[0], 3), now()).await.unwrap_err().to_string().contains("UNIQUE"));
    let full = builds::start(&mut tx, &new(ids[1], 1), now()).await;
    assert!(matches!(full, Err(StoreError::Conflict(_))), "{full:?}");
    builds::start(&mut tx, &new(ids[1], 2), now()).await.unwrap();
}

#[tokio::test]
async fn an_update_of_something_changed_meanwhile_is_an_error() {
    let (_home, store) = open().await;
    let mut tx = store.begin().await.unwrap();
    let id = tasks::insert(&mut tx, &spec("a"), TaskState::Open, None, "owner", now()).await.unwrap();
    let seen = tasks::get(&mut tx, id).await.unwrap();
    tasks::edit(&mut tx, &seen, &spec("b"), TaskState::Open, None).await.unwrap();
    let late = tasks::edit(&mut tx, &seen, &spec("c"), TaskState::Open, None).await;
    assert!(matches!(late, Err(StoreError::Conflict(_))), "{late:?}");
    assert_eq!(tasks::get(&mut tx, id).await.unwrap().spec.title, "b");
}

#[tokio::test]
async fn dependencies_form_no_circle() {
    let (_home, store) = open().await;
    let mut tx = store.begin().await.unwrap();
    let mut last = None;
    let mut ids = vec![];
    for title in ["a", "b", "c"] {
        let spec = TaskSpec { depends_on: last.into_iter().collect(), ..spec(title) };
        let id = tasks::insert(&mut tx, &spec, TaskState::Open, None, "owner", now()).await.unwrap();
        last = Some(id);
        ids.push(id);
    }
    // c waits for b, b for a: a can't wait for c, but c may wait for a too.
    assert!(tasks::closes_cycle(&mut tx, ids[0], ids[2]).await.unwrap());
    assert!(!tasks::closes_cycle(&mut tx, ids[2], ids[0]).await.unwrap());
}

#[tokio::test]
async fn a_newer_database_is_refused_and_left_alone() {
    let (home, store) = open().await;
    let mut tx = store.begin().await.unwrap();
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (99990101000000, 'from the future', 1, x'00', 0)",
    )
    .execute(&mut *tx)
    .await
    .unwrap();
    tx.commit().await.unwrap();
    store.close().await;
    let refused = Store::open(home.path()).await.unwrap_err().to_string();
    assert!(refused.contains("newer version"), "{refused}");
}

#[tokio::test]
async fn other_writers_are_noticed() {
    let (home, store) = open().await;
    let mut watch = store.watch().await.unwrap();
    assert!(!watch.changed().await.unwrap());
    let other = Store::open(home.path()).await.unwrap();
    let mut tx = other.begin().await.unwrap();
    tasks::insert(&mut tx, &spec("from the command line"), TaskState::Open, None, "owner", now()).await.unwrap();
    tx.commit().await.unwrap();
    assert!(watch.changed().await.unwrap());
    assert!(!watch.changed().await.unwrap());
}

/// Every row of every table, as text.
async fn dump(tx: &mut overnight::store::Tx) -> std::collections::BTreeMap<String, Vec<String>> {
    let tables: Vec<String> =
        sqlx::query_scalar("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT GLOB '_sqlx*'")
            .fetch_all(&mut **tx)
            .await
            .unwrap();
    let mut all = std::collections::BTreeMap::new();
    for table in tables {
        let columns: Vec<String> = sqlx::query_scalar("SELECT name FROM pragma_table_info(?)")
            .bind(&table)
            .fetch_all(&mut **tx)
            .await
            .unwrap();
        let quoted = columns.iter().map(|column| format!("quote({column:?})")).collect::<Vec<_>>().join(" || '|' || ");
        let rows = sqlx::AssertSqlSafe(format!("SELECT {quoted} FROM {table} ORDER BY 1"));
        all.insert(table, sqlx::query_scalar(rows).fetch_all(&mut **tx).await.unwrap());
    }
    all
}

/// A database as version `version` of the schema left it, with these rows.
async fn left_by(home: &std::path::Path, version: usize, rows: &'static str) {
    use sqlx::Connection;
    let options =
        sqlx::sqlite::SqliteConnectOptions::new().filename(home.join(overnight::store::FILE)).create_if_missing(true);
    let mut old = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
    let mut migrations = sqlx::migrate!();
    migrations.migrations = migrations.migrations.iter().take(version).cloned().collect();
    migrations.run(&mut old).await.unwrap();
    sqlx::raw_sql(rows).execute(&mut old).await.unwrap();
    old.close().await.unwrap();
}

/// A build that worked when the first version was stopped: its run has ended, and nobody wrote a report of it.
#[tokio::test]
async fn a_database_from_before_agents_had_rounds_keeps_its_builds() {
    let home = tempfile::tempdir().unwrap();
    left_by(home.path(), 1,
        "INSERT INTO task (id, title, details, kind, category, priority, estimate_minutes, command, state, revision, source,
             created_at) VALUES (7, 'Build a dashboard', '', 'code', 'bug_fix', 'HIGH', 60, '[]', 'open', 2, 'owner', 5);
         INSERT INTO session (id, kind, date, phase, started_at, patterns_at, spawn_at, spawn_until, brief_at)
             VALUES (1, 'nightly', '2026-03-14', 'building', 1, 2, 3, 4, 5);
         INSERT INTO build (id, task_id, session_id, attempt, slot, step, started_at, step_at, log_offset)
             VALUES (3, 7, 1, 1, 0, 'working', 10, 20, 99);
         INSERT INTO run (id, owner_kind, owner_id, step, started_at, ended_at, ending, log_path)
             VALUES (4, 'build', 3, 'agent', 20, 30, '{\"end\":\"exited\",\"code\":0}', '/l');").await;
    let store = Store::open(home.path()).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    let build = builds::open(&mut tx).await.unwrap().remove(0);
    assert_eq!((build.round, build.wait, build.agent, build.spent.tokens), (0, None, None, 0));
    assert_eq!(build.waited, chrono::TimeDelta::zero());
    let run = overnight::store::runs::current(&mut tx).await.unwrap().remove(0);
    assert_eq!((run.round, run.report), (0, None));
    // The old index knew no rounds; a second run of the same round is refused all the same.
    let owner = overnight::domain::build::RunOwner::Build(build.id);
    let step = overnight::domain::build::RunStep::Agent;
    assert!(overnight::store::runs::insert(&mut tx, owner, step, 0, "/l", build.step_at).await.is_err());
    assert!(overnight::store::runs::insert(&mut tx, owner, step, 1, "/l", build.step_at).await.is_ok());
}

#[tokio::test]
async fn a_database_from_before_strangers_were_counted_keeps_every_row() {
    let home = tempfile::tempdir().unwrap();
    left_by(home.path(), 2,
        "INSERT INTO meta VALUES ('installed_at', '1');
         INSERT INTO task (id, title, details, kind, category, priority, estimate_minutes, command, state, revision, source,
             created_at) VALUES (7, 'Build a dashboard', 'With \"charts\"', 'code', 'new_feature', 'HIGH', 60, '[]', 'open',
             2, 'owner', 5);
         INSERT INTO approval (task_id, revision_hash, approver, decided_at) VALUES (7, 'abc', 'telegram:1', 6);
         INSERT INTO inbox (chat, key, body, received_at) VALUES ('telegram:1', '70',
             '{\"key\":\"70\",\"sender\":\"telegram\",\"what\":{\"alarm\":\"another program\"},\"at\":\"2026-03-14T21:00:00Z\"}', 8);
         INSERT INTO outbox (chat, key, message, silent, next_at, created_at) VALUES ('telegram:1', 'card:7:2', '{}', 1, 9, 9);
         INSERT INTO audit (at, actor, kind, task_id, text) VALUES (6, 'telegram:1', 'approved', 7, 'yes');
         INSERT INTO sample VALUES (4, '{}');").await;

    let before = {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(home.path().join(overnight::store::FILE));
        let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
        let mut tx = pool.begin().await.unwrap();
        dump(&mut tx).await
    };
    let store = Store::open(home.path()).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    let mut after = dump(&mut tx).await;
    for new in ["chat_trouble", "stranger", "ship", "discarded", "snapshot", "snapshot_project", "restore_drill"] {
        assert_eq!(after.remove(new), Some(vec![]), "{new}");
    }
    assert_eq!(before, after);
    assert_eq!(before["task"].len(), 1);
    assert_eq!(tasks::get(&mut tx, TaskId(7)).await.unwrap().spec.title, "Build a dashboard");
    let waiting = overnight::store::inbox::next(&mut tx).await.unwrap().unwrap();
    let kept: overnight::chat::Incoming = serde_json::from_str(&waiting.body).unwrap();
    assert_eq!(
        kept.what,
        overnight::chat::What::Alarm("another program".into()),
        "what the old version stored is read"
    );
    drop(tx);
    store.close().await;
    let again = Store::open(home.path()).await.unwrap();
    assert!(again.quick_check().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_database_from_before_results_were_shipped_keeps_builds_and_operations() {
    let home = tempfile::tempdir().unwrap();
    left_by(home.path(), 3,
        "INSERT INTO task (id, title, details, project, kind, category, priority, estimate_minutes, command, state, revision,
             source, created_at) VALUES (7, 'Fix', '', 'app', 'code', 'bug_fix', 'HIGH', 60, '[]', 'done', 1, 'owner', 5);
         INSERT INTO session (id, kind, date, phase, started_at, patterns_at, spawn_at, spawn_until, brief_at)
             VALUES (1, 'nightly', '2026-03-14', 'closed', 1, 2, 3, 4, 5);
         INSERT INTO build (id, task_id, session_id, attempt, slot, step, started_at, step_at, base, result, outcome)
             VALUES (3, 7, 1, 1, 0, 'ended', 10, 20, 'aa', 'bb', 'verified');
         INSERT INTO operation (at, kind, subject, after, task_id, done_at) VALUES (4, 'set_ref', 'app.git r', 'bb', 7, 5);
         INSERT INTO operation (at, kind, subject, after, task_id) VALUES (6, 'set_ref', 'app.git s', 'bb', 7);").await;
    let store = Store::open(home.path()).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    let build = overnight::domain::id::BuildId(3);
    assert_eq!(builds::with_results(&mut tx).await.unwrap(), [build]);
    assert_eq!(builds::branch(&mut tx, build).await.unwrap(), None, "that was not kept then");
    let operations = overnight::store::audit::operations(&mut tx, 9).await.unwrap();
    assert_eq!(operations.iter().map(overnight::store::audit::Operation::icon).collect::<Vec<_>>(), ["✅", "⏳"]);
    // The schema holds what the queue promises: one open ship a build, one at work a project.
    let ship = "INSERT INTO ship (kind, build_id, project, step, step_at, asked_by, asked_at, from_sha, to_sha, verified) \
                VALUES ('ship', 3, 'app', 'landing', 1, 'x', 1, 'aa', 'bb', 1)";
    sqlx::raw_sql(ship).execute(&mut *tx).await.unwrap();
    assert!(sqlx::raw_sql(ship).execute(&mut *tx).await.is_err());
}

/// A run that had ended before anything but its end was told of it.
#[tokio::test]
async fn a_database_from_before_incidents_were_told_keeps_its_runs() {
    use overnight::store::runs;
    let home = tempfile::tempdir().unwrap();
    left_by(home.path(), 3,
        "INSERT INTO task (id, title, details, kind, category, priority, estimate_minutes, command, state, revision, source,
             created_at) VALUES (7, 'Build a dashboard', '', 'code', 'bug_fix', 'HIGH', 60, '[]', 'open', 2, 'owner', 5);
         INSERT INTO session (id, kind, date, phase, started_at, patterns_at, spawn_at, spawn_until, brief_at)
             VALUES (1, 'nightly', '2026-03-14', 'building', 1, 2, 3, 4, 5);
         INSERT INTO build (id, task_id, session_id, attempt, slot, step, started_at, step_at)
             VALUES (3, 7, 1, 1, 0, 'checking', 10, 20);
         INSERT INTO checks (id, session_id, project, commit_sha, purpose, build_id, step, step_at)
             VALUES (5, 1, 'app', 'abc', 'result', 3, 'verifying', 30);
         INSERT INTO run (id, owner_kind, owner_id, step, started_at, ended_at, ending, leftovers, log_path) VALUES
             (4, 'build', 3, 'agent', 20, 30, '{\"end\":\"exited\",\"code\":0}', 2, '/l');
         INSERT INTO run (id, owner_kind, owner_id, step, started_at, log_path) VALUES (6, 'check', 5, 'verify', 40, '/m');").await;
    let store = Store::open(home.path()).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    let session = overnight::domain::id::SessionId(1);
    assert_eq!(runs::incidents(&mut tx, session).await.unwrap(), [], "nobody knows more of it");
    let kept = runs::current(&mut tx).await.unwrap();
    assert_eq!((kept.len(), kept[0].ending().is_some(), kept[1].ending().is_some()), (2, true, false));
    // The one that runs on is told of like any other.
    let incident = overnight::domain::incident::Incident::Forced;
    let seen = runs::Ended {
        ending: overnight::domain::build::RunEnding::TimedOut,
        elapsed_ms: 5,
        leftovers: 0,
        counts: None,
        measured: None,
        report: None,
        incidents: vec![incident.clone()],
    };
    runs::end(&mut tx, kept[1].id, &seen, kept[1].started_at).await.unwrap();
    let told = runs::incidents(&mut tx, session).await.unwrap();
    assert_eq!((told.len(), told[0].task, told[0].project.as_deref()), (1, Some(TaskId(7)), Some("app")));
    assert_eq!((told[0].whose(), &told[0].incident), ("#7".to_owned(), &incident));
}
