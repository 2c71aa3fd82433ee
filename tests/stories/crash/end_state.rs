//! What a night came to, in a form that must not depend on when the bot was killed, and what must hold besides.

use super::night::Night;
use super::stage::tree;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// What must be the same however often the bot was killed. Left out: row numbers and times; the order of builds; how
/// often a problem was noticed (a health check that was cut off is done again, and says so again).
#[derive(Debug, PartialEq)]
pub(super) struct EndState {
    tasks: Vec<Task>,
    sessions: Vec<(String, String, String)>,
    checks: Vec<(String, String, String)>,
    problems: BTreeSet<(String, String, bool)>,
    agents: BTreeMap<String, usize>,
    posted: usize,
    audit: BTreeMap<(String, i64), i64>,
    said: Vec<String>,
    heard: Vec<String>,
    report: BTreeMap<String, serde_json::Value>,
    logs: BTreeMap<String, u64>,
    workouts: i64,
}

#[derive(Debug, PartialEq)]
struct Task {
    title: String,
    state: String,
    attempts: i64,
    /// Outcome and tree of the result, of each build.
    builds: Vec<(String, String)>,
}

/// Reads it. Row order is made independent of the order in which builds took their turn.
pub(super) fn read(night: &Night) -> EndState {
    let db = &night.database;
    let owner = super::database::Database(night.stage.path("fitness.db"));
    EndState {
        tasks: tasks(night),
        sessions: db.rows("SELECT kind, date, phase FROM session ORDER BY id"),
        checks: db
            .rows("SELECT purpose, project, json_extract(verdict, '$.tests') FROM checks ORDER BY purpose, project, 3"),
        problems: problems(night),
        agents: counted(night.stage.agents()),
        posted: night.stage.posted(),
        audit: audit(night),
        said: db.texts("SELECT key || ' ' || state FROM outbox ORDER BY key"),
        heard: db.texts("SELECT COALESCE(trouble, 'fine') FROM inbox ORDER BY id"),
        report: report(&night.report()),
        logs: night.stage.log_files(),
        workouts: owner.number("SELECT SUM(id) FROM workout"),
    }
}

fn tasks(night: &Night) -> Vec<Task> {
    let db = &night.database;
    let builds: Vec<(i64, String, Option<String>, String)> = db.rows(
        "SELECT task_id, outcome, result, COALESCE(project, '') FROM build JOIN task ON task.id = task_id ORDER BY build.id",
    );
    let of_task = |id: i64| {
        let own = builds.iter().filter(|build| build.0 == id);
        let read = own.map(|(_, outcome, result, project)| {
            let vault = night.stage.path("home").join(format!("vaults/{project}.git"));
            (outcome.clone(), result.as_ref().map_or_else(String::new, |commit| tree(&vault, commit)))
        });
        read.collect()
    };
    db.rows::<(i64, String, String, i64)>("SELECT id, title, state, attempts FROM task ORDER BY id")
        .into_iter()
        .map(|(id, title, state, attempts)| Task { title, state, attempts, builds: of_task(id) })
        .collect()
}

/// A rotation that was cut off before it compressed is finished as that of the log it left: one problem more.
fn problems(night: &Night) -> BTreeSet<(String, String, bool)> {
    let root = night.stage.root().to_str().unwrap().to_owned();
    let rows: Vec<(String, String, bool)> =
        night.database.rows("SELECT kind, subject, fixed IS NOT NULL FROM problem ORDER BY kind, subject");
    rows.into_iter()
        .map(|(kind, subject, fixed)| (kind, subject.replace(&root, "@").replace("worker.log.1", "worker.log"), fixed))
        .collect()
}

/// Decisions by kind and task. Phases count each by itself: every one was entered once.
fn audit(night: &Night) -> BTreeMap<(String, i64), i64> {
    let rows: Vec<(String, i64, i64)> = night.database.rows(
        "SELECT CASE kind WHEN 'phase' THEN text ELSE kind END AS what, COALESCE(task_id, 0), COUNT(*) FROM audit
         WHERE kind NOT IN ('problem', 'fixed', 'not_fixed', 'gap') GROUP BY what, task_id",
    );
    rows.into_iter().map(|(kind, task, count)| ((kind, task), count)).collect()
}

fn counted(lines: Vec<String>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for line in lines {
        *counts.entry(line).or_insert(0) += 1;
    }
    counts
}

/// The parts of the report that don't depend on times.
fn report(whole: &serde_json::Value) -> BTreeMap<String, serde_json::Value> {
    let keys = ["schema_version", "context", "kind", "date", "stopped", "tasks_spawned", "tasks_completed"];
    let more = ["tasks_in_progress", "patterns", "approvals_waiting", "base_red", "missed"];
    let mut parts: BTreeMap<_, _> =
        keys.into_iter().chain(more).map(|key| (key.to_owned(), whole[key].clone())).collect();
    for task in whole["tasks"].as_array().unwrap() {
        let facts = ["outcome", "attempts", "files", "insertions", "reason"].map(|key| task[key].clone());
        parts.insert(format!("task {}", task["task"]), facts.to_vec().into());
    }
    parts
}

/// What must hold of any night, after the bot has ended.
pub(super) fn check(night: &Night) {
    let (db, screen) = (&night.database, night.screen());
    let lives = night.lives;
    assert_eq!(db.texts("PRAGMA integrity_check"), ["ok"]);
    assert!(night.stage.owners_untouched(), "the owner's repositories were changed");
    assert!(!night.stage.agents().iter().any(|line| line.starts_with("overlap")), "two agents of one task at once");
    let unknown = db.number("SELECT COUNT(*) FROM build WHERE task_id = 5 AND outcome = 'unknown'");
    let posted = night.stage.posted();
    assert!(posted == 1 || (posted == 0 && unknown == 1), "the action happened {posted} times");
    assert_eq!(db.number("SELECT COUNT(*) FROM session WHERE kind = 'nightly'"), 1);
    assert_eq!(db.texts("SELECT key FROM outbox WHERE key LIKE 'brief:%'"), [format!("brief:{}", night.date())]);
    shown_once_or_marked(&screen);
    let fixed = db.number("SELECT COUNT(*) FROM problem WHERE fixed IS NOT NULL");
    assert_eq!(night.report()["problems_fixed"], fixed);
    // Every build that was decided on has an end that was written down, and each decision stands in one unbroken row.
    let [spawned, ended, builds] = [
        "SELECT COUNT(*) FROM audit WHERE kind = 'spawned'",
        "SELECT COUNT(*) FROM audit WHERE kind = 'ended'",
        "SELECT COUNT(*) FROM build",
    ]
    .map(|sql| db.number(sql));
    assert_eq!((spawned, ended), (builds, builds));
    assert_eq!(db.number("SELECT MAX(id) - COUNT(*) FROM audit"), 0, "rows of the audit are missing");
    // Every change to a repository that was announced was seen to have happened.
    assert_eq!(db.number("SELECT COUNT(*) FROM operation WHERE done_at IS NULL"), 0, "after {lives} lives");
    nothing_lives(night);
}

/// The brief is on the screen once, and every further time it says that it is a repeat; so do the other messages.
fn shown_once_or_marked(screen: &str) {
    let mark = "(Sent again:";
    let flat = screen.split_whitespace().collect::<Vec<_>>().join(" ");
    let briefs: Vec<&str> = flat.split("🌅 ").skip(1).collect();
    assert!(!briefs.is_empty(), "no brief on the screen");
    assert!(briefs[1..].iter().all(|brief| brief.contains(mark)), "a second brief is not marked:\n{screen}");
    let marks = flat.matches(mark).count();
    let first_shown =
        ["🌅 ", "🌙 ", "📝 #1 ", "📝 #2 ", "📝 #3 ", "🔒 #4 ", "🔒 #5 ", "✅ #4 \"", "✅ #5 \"", "🔎 #3 ", "⏱️ "];
    let shown = |start: &&str| screen.lines().filter(|line| line.starts_with(*start)).count();
    let repeats: usize = first_shown.iter().map(|start| shown(start).saturating_sub(1)).sum();
    assert!(repeats <= marks, "{repeats} messages were repeated, {marks} are marked as repeats:\n{screen}");
}

/// A supervisor writes the end of its run a moment before its own.
fn nothing_lives(night: &Night) {
    let since = Instant::now();
    loop {
        let left = night.stage.processes();
        if left.is_empty() {
            return;
        }
        assert!(since.elapsed() < Duration::from_secs(30), "still there: {left:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
