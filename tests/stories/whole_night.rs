//! One whole night: what it does, what it says, what it leaves in the repositories, and what it tells in the morning.

use crate::harness::{Overnight, Stage, both, git};
use overnight::domain::build::Outcome;
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

both!(the_night_of_the_mission, a_restart_after_every_step_changes_nothing);

/// The night lies far ahead, because a file made today is not old before that: its time of change can't be set back.
///
/// What the owner queues in the evening. The words with underscores are the agent's script.
const EVENING: [&str; 8] = [
    "/queue add Optimize the cache | 4h | perf | app | details: agent_waits",
    "/queue add Document the fitness API | 3h | docs | web | details: agent_waits agent_documents",
    "/queue add Fix the rounding | 1h | bug | api | details: agent_waits",
    "/queue add Fix the labels | 1h | bug | low | app | details: agent_transient_once",
    "/queue add Fix the names | 1h | bug | low | web | details: agent_breaks",
    "/queue add Speed up the list | 1h | perf | low | api | details: agent_no_change",
    "/queue add Speed up the login | 1h | perf | low | api | details: agent_fails",
    "/queue add Build a dashboard | 5h | new features | low | app",
];

async fn the_night_of_the_mission(stage: Stage) {
    let stage = stage.project("web").project("api").set("health", "log_roots = [\"@STAGE@/logs\"]");
    let stage =
        stage.set("health", "log_rotate_bytes = \"64 KiB\"").set("health", "databases = [\"@STAGE@/fitness.db\"]");
    untidy(stage.folder.path()).await;
    let logs = stage.folder.path().join("logs");
    let mut o = stage.start("2037-03-14 21:58").await;
    for line in EVENING {
        o.says(line).await;
    }
    o.reads_all();

    o.advance_to("23:00").await;
    let started = o.expect("🌙 Overnight session started").await;
    assert!(started.text.contains("Context: SLEEPING") && started.text.contains("Max concurrent: 3 builds"));
    assert!(started.text.contains("Resource check: OK") && started.text.contains("1 task waits for your approval"));
    assert!(!logs.join("old.log").exists() && logs.join("fresh.log").exists());
    assert!(fs::metadata(logs.join("large.log")).map_or(0, |found| found.len()) < 64 * 1024, "it was not rotated");
    assert!(o.builds().await.is_empty(), "builds began before 23:10");

    o.advance_to("23:30").await;
    assert_eq!(o.building().await, [1, 2, 3], "three at once, most wanted first");
    assert_eq!(o.journal().len(), 3);
    o.releases(3).await;
    // One slot for four tasks: it is filled again and again, and the transient one waits out its minute.
    o.advance_to("23:40").await;
    assert_eq!(o.building().await, [1, 2]);
    o.advance_to("03:30").await;
    let check = o.expect("⏱️ Progress check 03:30 · 2 building · 2 completed · 3 failed").await;
    assert!(check.edits > 5, "the live status is one message: {check:#?}");
    o.releases(1).await;
    o.releases(2).await;
    o.advance_to("06:59").await;
    assert!(o.sounding().is_empty(), "{:?}", o.sounding());
    o.advance_to("07:00").await;
    the_brief(&mut o).await;
    what_happened(&o).await;
    the_report(&o).await;
    the_repositories(&o).await;
    o.advance_to("22:00").await;
    assert_eq!(o.sounding(), ["brief:2037-03-14"]);
    o.finish().await;
}

async fn the_brief(o: &mut Overnight) {
    let brief = o.expect("🌅 4 ready · 3 failed · 1 needs you").await;
    for words in [
        "Good morning! Four things are ready",
        "Also fixed three system problems",
        "✅ Optimize the cache (Performance)",
        "✅ Document the fitness API (Documentation)",
        "Documentation updated",
        "3 tests pass",
        "❌ Fix the names (Bug fix)",
        "1 test fails: adds up; it passed before this change",
        "The agent ended without changing anything",
        "The agent ended with exit status 3",
        "Cleaned",
        "Optimized fitness.db",
        "Rotated large.log",
        "🔒 #8 Build a dashboard",
        "📊 Total: 9.0 hours of work completed overnight",
        "📎 night-2037-03-14.png",
    ] {
        assert!(brief.text.contains(words), "the brief lacks {words:?}: {}", brief.text);
    }
    let picture = std::fs::read(o.engine().home().root().join("reports/2037-03-14.png")).unwrap();
    assert!(picture.starts_with(b"\x89PNG\r\n"), "{} bytes", picture.len());
    // The agent's words are a quote, never the bot's own.
    assert!(brief.text.contains("agent says: “everything works, all tests pass”"), "{}", brief.text);
    assert!(!brief.text.contains("shipped it!"));
}

async fn what_happened(o: &Overnight) {
    use Outcome::{Failed, NoChange, TestsFailed, Transient, Verified};
    for (task, outcomes) in [
        (1, &[Verified][..]),
        (2, &[Verified]),
        (3, &[Verified]),
        (4, &[Transient, Verified]),
        (5, &[TestsFailed]),
        (6, &[NoChange]),
        (7, &[Failed]),
        (8, &[]),
    ] {
        let expected: Vec<_> = outcomes.iter().copied().map(Some).collect();
        assert_eq!(o.outcomes(task).await, expected, "#{task}");
    }
    let tries: Vec<_> = o.builds().await.into_iter().filter(|build| build.task.0 == 4).collect();
    assert_eq!((tries[0].attempt, tries[1].attempt), (1, 2));
    let pause = tries[1].started_at - tries[0].ended_at.unwrap();
    assert_eq!(pause, chrono::TimeDelta::minutes(1), "the back-off of the first retry");
    let mut most = 0;
    let mut live = 0_i32;
    for line in o.journal() {
        live += if line.starts_with("start") { 1 } else { -1 };
        most = most.max(live);
    }
    assert_eq!((most, live), (3, 0), "{:?}", o.journal());
}

async fn the_report(o: &Overnight) {
    let report = o.report("2037-03-14");
    let session = &o.sessions().await[0];
    let started = session.started_at.timestamp();
    assert_eq!(report["session_id"], format!("overnight_{started}"));
    assert_eq!(report["started_at"], "2037-03-14T23:00:00+01:00");
    assert_eq!(report["context"], "SLEEPING");
    assert_eq!(report["max_concurrent"], 3);
    assert_eq!(report["duration_hours"], 7.5);
    assert_eq!(report["tasks_spawned"], 7);
    assert_eq!(report["tasks_completed"], 4);
    assert_eq!(report["tasks_in_progress"], 0);
    assert_eq!(report["problems_fixed"], 3);
    let ran: i64 = o
        .builds()
        .await
        .iter()
        .filter(|build| build.outcome == Some(Outcome::Verified))
        .map(|build| (build.ended_at.unwrap() - build.started_at).num_minutes())
        .sum();
    let hours = report["total_hours_shipped"].as_f64().unwrap();
    assert!((hours - ran as f64 / 60.0).abs() < 0.006, "{hours} h told, {ran} min ran");
    for task in report["tasks"].as_array().unwrap() {
        let builds = o.builds().await;
        let last = builds.iter().rfind(|build| build.task.0 == task["task"].as_i64().unwrap()).unwrap();
        assert_eq!(task["commit"].as_str(), last.result.as_deref(), "{task:#}");
        assert_eq!(task["outcome"], last.outcome.unwrap().as_str());
    }
}

async fn the_repositories(o: &Overnight) {
    let session = o.sessions().await[0].name();
    for (project, task) in [("app", 1), ("web", 2), ("api", 3)] {
        let build = o.build_of(task).await;
        let (id, result) = (build.id, build.result.clone().unwrap());
        let at = o.vault(project, &["rev-parse", &format!("refs/overnight/{session}/t{task}/b{id}/result")]);
        assert_eq!(at, result);
        let head = git(&o.checkout(project), &["rev-parse", "HEAD"]);
        assert_eq!(o.vault(project, &["rev-parse", &format!("{result}^")]), head, "it stands on the owner's commit");
        let words = o.vault(project, &["log", "-1", "--format=%B", &result]);
        let trailers = format!("Overnight-Task: {task}\nOvernight-Session: {session}\nOvernight-Build: {id}");
        assert!(words.ends_with(&trailers), "{words}");
        assert!(o.files(project, &build).contains(&format!("work-{task}.txt")));
    }
    // What failed is kept as well, under its own ref, for whoever wants to look.
    let broken = o.build_of(5).await;
    assert!(o.files("web", &broken).contains(&"broken".to_owned()));
    let half = o.build_of(7).await;
    assert!(o.files("api", &half).contains(&"half-7.txt".to_owned()), "what a failed agent left is lost");
}

/// A log that is old, one that is large, one to be left alone, and a database that is mostly air.
async fn untidy(folder: &Path) {
    let logs = folder.join("logs");
    fs::create_dir(&logs).unwrap();
    let evening = SystemTime::UNIX_EPOCH + Duration::from_secs(2_120_650_000);
    // The newest three of a folder are never cleaned, however old.
    let made = [("old.log", 50_000, 60), ("large.log", 300_000, 0), ("fresh.log", 100, 0), ("mail.log", 100, 0)];
    for (name, bytes, age) in made {
        fs::write(logs.join(name), "GET /daily 200\n".repeat(bytes / 15)).unwrap();
        let file = fs::File::options().write(true).open(logs.join(name)).unwrap();
        file.set_modified(evening - Duration::from_hours(24 * age)).unwrap();
    }
    let options = SqliteConnectOptions::new().filename(folder.join("fitness.db")).create_if_missing(true);
    let mut database = SqliteConnection::connect_with(&options).await.unwrap();
    for sql in [
        "CREATE TABLE workout (id INTEGER PRIMARY KEY, note TEXT)",
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 6000) \
         INSERT INTO workout SELECT i, hex(randomblob(150)) FROM n",
        "DELETE FROM workout WHERE id % 4 <> 0",
    ] {
        sqlx::query(sql).execute(&mut database).await.unwrap();
    }
    database.close().await.unwrap();
}

async fn a_restart_after_every_step_changes_nothing(stage: Stage) {
    let mut o = stage.project("web").restless().start("2026-03-14 22:50").await;
    for line in [EVENING[0], EVENING[4], EVENING[7]] {
        o.says(line).await;
    }
    o.says("/queue add Fix the labels | 1h | bug | low | app | details: agent_transient_once").await;
    o.reads_all();
    o.advance_to("01:00").await;
    assert_eq!(o.building().await, [1]);
    o.releases(1).await;
    o.advance_to("2026-03-15 12:00").await;
    let sessions = o.sessions().await;
    assert_eq!(sessions.len(), 1, "{sessions:#?}");
    o.expect("🌅 2 ready · 1 failed · 1 needs you").await;
    assert_eq!(o.sounding(), ["brief:2026-03-14"]);
    assert_eq!(o.outcomes(1).await, [Some(Outcome::Verified)]);
    assert_eq!(o.outcomes(2).await, [Some(Outcome::TestsFailed)]);
    assert_eq!(o.outcomes(4).await, [Some(Outcome::Transient), Some(Outcome::Verified)]);
    let agents = o.journal().into_iter().filter(|line| line.starts_with("start")).count();
    assert_eq!(agents, 4, "an agent was started twice: {:?}", o.journal());
    o.finish().await;
}
