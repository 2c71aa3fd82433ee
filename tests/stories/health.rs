//! `/health`: what is found and fixed when asked, and that a slow disk keeps nobody else from writing.

use crate::harness::{On, Stage, both};
use overnight::app::LOCAL_OWNER;
use overnight::chat::{Incoming, What};
use overnight::engine::inbound;
use overnight::store::{audit, inbox};
use sqlx::{Connection, SqliteConnection};
use std::path::{Path, PathBuf};

both!(what_is_safe_is_fixed_when_asked_and_found_no_second_time);

async fn what_is_safe_is_fixed_when_asked_and_found_no_second_time(stage: Stage) {
    let stage = stage.set("health", "log_roots = [\"@STAGE@/logs\"]").set("health", "log_rotate_bytes = \"64 KiB\"");
    let mut o = stage.start("2026-03-14 12:00").await;
    let logs = o.stage_folder().join("logs");
    std::fs::create_dir(&logs).unwrap();
    std::fs::write(logs.join("web.log"), "a line of a log\n".repeat(10_000)).unwrap();
    let told = o.asks("/health", "⚠️ Problems found: 1").await;
    assert!(told.text.contains("web.log") && told.text.contains("/health fix does what is safe now"), "{}", told.text);
    assert!(o.audited("fixed").await.is_empty());
    let fixed = o.asks("/health fix", "🔧 Problems found: 1, fixed: 1").await;
    assert!(fixed.text.contains("web.log"), "{}", fixed.text);
    let kinds: Vec<String> = o.audit().await.into_iter().map(|entry| entry.kind).collect();
    let place =
        |kind: &str| kinds.iter().position(|other| other == kind).unwrap_or_else(|| panic!("{kind}: {kinds:?}"));
    assert!(place("health") < place("problem") && place("problem") < place("fixed"), "{kinds:?}");
    o.asks("/health", "💚 Nothing found that needs care").await;
    o.reads_all();
    o.finish().await;
}

/// How often this process has a file open; none where the system does not say.
fn handles(file: &Path) -> Option<usize> {
    let open = std::fs::read_dir("/proc/self/fd").ok()?;
    Some(open.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok()).filter(|path| path == file).count())
}

/// Databases that somebody holds: the check of each waits for two seconds.
async fn held(paths: &[PathBuf]) -> Vec<SqliteConnection> {
    let mut all = Vec::new();
    for path in paths {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).create_if_missing(true);
        let mut conn = SqliteConnection::connect_with(&options).await.unwrap();
        sqlx::raw_sql("CREATE TABLE x (y); BEGIN EXCLUSIVE").execute(&mut conn).await.unwrap();
        all.push(conn);
    }
    all
}

#[tokio::test]
async fn while_health_looks_at_a_slow_disk_others_write() {
    let stage = Stage::new(On::Phone)
        .set("health", "databases = [\"@STAGE@/a.db\", \"@STAGE@/b.db\", \"@STAGE@/c.db\", \"@STAGE@/d.db\"]");
    let mut o = stage.start("2026-03-14 12:00").await;
    let paths = ["a.db", "b.db", "c.db", "d.db"].map(|name| o.stage_folder().canonicalize().unwrap().join(name));
    let holders = held(&paths).await;
    let asked = Incoming::new("asked-1", "phone:1", What::Text("/health".into()), o.now());
    inbound::store(o.engine(), "phone", &asked).await.unwrap();
    let engine = o.engine().clone();
    let step = tokio::spawn(async move { engine.step().await });
    // The look has begun once a database is open here a second time.
    while handles(&paths[0]) == Some(1) {
        tokio::task::yield_now().await;
    }
    let mut tx = o.engine().store().begin().await.unwrap();
    audit::append(&mut tx, o.now(), LOCAL_OWNER, "written", None, "meanwhile").await.unwrap();
    tx.commit().await.unwrap();
    let mut conn = o.engine().store().read().await.unwrap();
    assert!(inbox::next(&mut conn).await.unwrap().is_some(), "it could be written only after the look was over");
    assert!(!step.is_finished());
    drop(conn);
    for holder in holders {
        holder.close().await.unwrap();
    }
    step.await.unwrap().unwrap();
    o.settle().await;
    assert_eq!(o.audited("written").await.len(), 1);
    o.expect("🖥️ This machine").await;
    o.finish().await;
}

#[tokio::test]
async fn an_approver_may_look_and_has_nothing_fixed() {
    use crate::harness::OWNER;
    let (mut o, telegram) = Stage::new(On::Phone)
        .set("telegram", "approvers = [2002]")
        .set("health", "log_roots = [\"@STAGE@/logs\"]")
        .set("health", "log_rotate_bytes = \"64 KiB\"")
        .variable("TELEGRAM_BOT_TOKEN", "1:test")
        .start_on_telegram("2026-03-14 12:00", |options| options.people.push((2002, false)))
        .await;
    let (fake, logs) = (telegram.fake.clone(), o.stage_folder().join("logs"));
    std::fs::create_dir(&logs).unwrap();
    let text = "a line of a log\n".repeat(10_000);
    std::fs::write(logs.join("web.log"), &text).unwrap();
    fake.person(2002, "Kim");
    for (asked, answer) in [("/health fix", "Only the owner can do that"), ("/health", "Problems found: 1")] {
        fake.says(2002, 2002, asked);
        o.hears().await;
        o.settle().await;
        let said = fake.bot_messages(2002).pop().unwrap();
        assert!(said.text.contains(answer), "{}", said.text);
    }
    assert_eq!(std::fs::read_to_string(logs.join("web.log")).unwrap(), text);
    assert!(o.audited("health").await.is_empty() && fake.bot_messages(OWNER).is_empty());
    o.reads_all();
    o.finish().await;
}
