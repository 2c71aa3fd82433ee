//! "About last night": each way a night can end, put on record, and what doctor makes of it.

use super::{HOME, set_up};
use crate::desk::Desk;
use overnight::clock::{Clock, SystemClock};
use overnight::config::{Config, Overrides};
use overnight::domain::build::{BuildStep, Outcome};
use overnight::domain::message::Message;
use overnight::domain::plan::{NewBuild, NewSession};
use overnight::domain::schedule::Night;
use overnight::domain::session::{Phase, SessionKind};
use overnight::store::{Conn, Store, builds, control, outbox, sessions};
use std::collections::BTreeMap;

/// The last night that has begun, and the database it is written into.
async fn last_night(desk: &Desk) -> (Night, Store) {
    let variables = BTreeMap::from([("HOME".to_owned(), desk.path("user").display().to_string())]);
    let config = Config::load_from(&Overrides::default(), variables, &desk.path("user")).expect("a configuration");
    let schedule = &config.settings.schedule;
    let night = schedule.night(schedule.last_started(SystemClock.now()));
    (night, Store::open(&desk.path(HOME)).await.expect("a database"))
}

fn session(night: &Night) -> NewSession {
    NewSession {
        kind: SessionKind::Nightly,
        date: night.date,
        patterns_at: night.patterns,
        spawn_at: night.spawn,
        spawn_until: night.report,
        brief_at: night.brief,
        only_task: None,
        late_minutes: 45,
    }
}

/// The session's row as it is after its brief.
async fn closed(conn: &mut Conn, night: &Night) -> overnight::domain::id::SessionId {
    let id = sessions::open(conn, &session(night), night.start).await.expect("a session");
    let phases = [Phase::Health, Phase::Patterns, Phase::Building, Phase::Report, Phase::Brief];
    for pair in phases.windows(2) {
        sessions::set_phase(conn, id, pair[0], pair[1]).await.expect("a phase");
    }
    id
}

#[tokio::test]
async fn a_night_nobody_noticed() {
    let desk = set_up();
    let (night, store) = last_night(&desk).await;
    let mut tx = store.begin().await.expect("a transaction");
    control::installed_at(&mut tx, night.start - chrono::TimeDelta::days(3)).await.expect("a date");
    tx.commit().await.expect("a commit");
    store.close().await;
    desk.doctor().await.has("warning", "is not on record: no bot has run", "start the bot");
}

#[tokio::test]
async fn a_night_that_was_missed() {
    let desk = set_up();
    let (night, store) = last_night(&desk).await;
    let mut tx = store.begin().await.expect("a transaction");
    sessions::miss(&mut tx, night.date, "the machine slept", night.brief, night.report).await.expect("a night");
    tx.commit().await.expect("a commit");
    store.close().await;
    desk.doctor().await.has("warning", "did not run: the machine slept", "keep the bot running");
}

#[tokio::test]
async fn a_night_with_a_failed_build_and_a_brief_that_never_arrived() {
    let desk = set_up();
    let add = ["queue", "add", "Fix the report", "--in", "bug fixes", "--estimate", "1", "--project", "app"];
    desk.overnight(&add).await.ended(0);
    let (night, store) = last_night(&desk).await;
    let mut tx = store.begin().await.expect("a transaction");
    let id = closed(&mut tx, &night).await;
    let new = NewBuild {
        session: id,
        task: overnight::domain::id::TaskId(1),
        revision: 1,
        attempts_before: 0,
        needs_approval: false,
        on_top_of: None,
        agent: None,
        permits: 3,
        why: "it is its turn".into(),
    };
    let build = builds::start(&mut tx, &new, night.spawn).await.expect("a build");
    let step = builds::get(&mut tx, build).await.expect("a build").step;
    assert_eq!(step, BuildStep::Preparing);
    builds::end(&mut tx, build, step, Outcome::TestsFailed, "2 tests fail", night.report).await.expect("its end");
    sessions::briefed(&mut tx, id, Phase::Brief, night.brief).await.expect("a brief");
    let key = format!("brief:{}", night.date);
    outbox::say(&mut tx, "terminal", &key, &Message::line("A brief"), false, night.brief).await.expect("words");
    let due = outbox::next(&mut tx, "terminal", outbox::Lane::Messages).await.expect("a message").expect("a message");
    outbox::gone(&mut tx, &due, "the bot was blocked").await.expect("its end");
    tx.commit().await.expect("a commit");
    store.close().await;
    let found = desk.doctor().await;
    found.has("fine", "1 builds, 0 verified, 1 with trouble", "");
    found.has("warning", "it began 45 minutes late", "slept");
    found.has("warning", "#1 Fix the report (tests failed): 2 tests fail", "overnight log 1");
    found.has("bad", "could not be delivered (terminal): the bot was blocked", "overnight brief");
}

#[tokio::test]
async fn a_night_that_built_nothing_says_why() {
    let desk = set_up();
    let (night, store) = last_night(&desk).await;
    let mut tx = store.begin().await.expect("a transaction");
    let id = closed(&mut tx, &night).await;
    sessions::briefed(&mut tx, id, Phase::Brief, night.brief).await.expect("a brief");
    let key = format!("brief:{}", night.date);
    outbox::say(&mut tx, "terminal", &key, &Message::line("A brief"), false, night.brief).await.expect("words");
    let due = outbox::next(&mut tx, "terminal", outbox::Lane::Messages).await.expect("a message").expect("a message");
    outbox::sent(&mut tx, &due, "1", night.brief).await.expect("its arrival");
    tx.commit().await.expect("a commit");
    store.close().await;
    let spawned = night.spawn <= SystemClock.now();
    let found = desk.doctor().await;
    if spawned {
        found.has("warning", "nothing was built: the queue is empty", "queue add");
    } else {
        found.has("fine", "builds start at", "");
    }
    found.has("fine", "its brief was sent (terminal)", "");
    let add = ["queue", "add", "New one", "--in", "bug fixes", "--estimate", "1", "--project", "app"];
    desk.overnight(&add).await.ended(0);
    if night.report <= SystemClock.now() {
        desk.doctor().await.has("warning", "all queued tasks are newer than that night", "tonight");
    }
}
