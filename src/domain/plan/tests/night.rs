//! Sessions: which night is due, how it walks, when to look again.

use super::*;
use crate::domain::plan::NewSession;

/// The phase a session enters, or what else is done about it, as words.
fn next(session: Session, now: &str) -> Vec<String> {
    let now = at(now);
    next_of(&Snapshot { sessions: vec![session], ..quiet(now) }, now)
}

fn next_of(world: &Snapshot, now: DateTime<Utc>) -> Vec<String> {
    let words = |action: Action| match action {
        Action::EnterPhase { to, .. } => to.to_string(),
        Action::SendBrief { session, .. } => format!("brief of {session}"),
        Action::Begin(effect) => format!("{effect:?}"),
        Action::ProgressCheck { slot, .. } => format!("progress {}", slot.format("%H:%M")),
        Action::OpenSession(NewSession { date, late_minutes, .. }) => format!("open {date} {late_minutes} late"),
        Action::MissNight { date, reason, .. } => format!("miss {date}: {reason}"),
        other => format!("{other:?}"),
    };
    actions(world, now).into_iter().map(words).collect()
}

#[test]
fn a_night_walks_through_its_phases_at_their_times() {
    let s = |phase| session(1, phase);
    let health = |done| Session { health_done: done, ..s(Phase::Health) };
    let patterns = |done| Session { patterns_done: done, snapshot_done: done, ..s(Phase::Patterns) };
    let unkept = Session { snapshot_done: false, ..patterns(true) };
    let reported = Session { reported_at: Some(at("15 06:31")), ..s(Phase::Report) };
    let cases: [(&str, Session, &str, &[&str]); 14] = [
        ("scan", health(false), "14 23:00", &["Health(SessionId(1))"]),
        ("scanned early", health(true), "14 23:04", &[]),
        ("scanned", health(true), "14 23:05", &["patterns"]),
        ("learn", patterns(false), "14 23:05", &["Patterns(SessionId(1))"]),
        ("keep", unkept.clone(), "14 23:05", &["Snapshot(SessionId(1))"]),
        ("keep first", unkept, "14 23:10", &["Snapshot(SessionId(1))"]),
        ("learnt early", patterns(true), "14 23:09", &[]),
        ("learnt", patterns(true), "14 23:10", &["building"]),
        ("build", s(Phase::Building), "15 06:29", &[]),
        ("over", s(Phase::Building), "15 06:30", &["report"]),
        ("write", s(Phase::Report), "15 06:30", &["Report(SessionId(1))"]),
        ("written", reported, "15 06:31", &["brief"]),
        ("early", s(Phase::Brief), "15 06:59", &[]),
        ("due", s(Phase::Brief), "15 07:00", &["brief of 1"]),
    ];
    for (name, session, now, expected) in cases {
        assert_eq!(next(session, now), expected, "{name}");
    }
}

#[test]
fn what_is_under_way_is_not_begun_again() {
    let now = at("14 23:01");
    let mut world = Snapshot { sessions: vec![session(1, Phase::Health)], ..quiet(now) };
    assert_eq!(next_of(&world, now).len(), 1);
    world.in_flight.insert(Effect::Health(SessionId(1)));
    assert!(next_of(&world, now).is_empty());
}

#[test]
fn a_stopped_night_skips_the_waiting_but_not_the_brief() {
    let stopped = |phase| Session { stopped: true, health_done: true, patterns_done: true, ..session(1, phase) };
    assert_eq!(next(stopped(Phase::Health), "14 23:01"), ["patterns"]);
    assert_eq!(next(stopped(Phase::Patterns), "14 23:01"), ["building"]);
    assert_eq!(next(stopped(Phase::Building), "14 23:01"), ["report"]);
    assert!(next(stopped(Phase::Brief), "15 06:00").is_empty());
}

#[test]
fn progress_is_told_once_a_slot_and_not_made_up_for() {
    let told = |last: Option<&str>| Session { progress_at: last.map(at), ..session(1, Phase::Building) };
    assert!(next(told(None), "14 23:29").is_empty());
    assert_eq!(next(told(None), "14 23:30"), ["progress 23:30"]);
    assert!(next(told(Some("14 23:30")), "14 23:59").is_empty());
    // Slept through three of them.
    assert_eq!(next(told(Some("14 23:30")), "15 01:50"), ["progress 01:30"]);
    // The clock was set back behind the last one.
    assert!(next(told(Some("15 01:30")), "14 23:50").is_empty());
}

#[test]
fn a_session_by_hand_ends_when_the_queue_has_run_dry() {
    let now = at("15 14:00");
    let by_hand = Session {
        kind: SessionKind::Manual,
        spawn_at: now,
        spawn_until: now + TimeDelta::hours(8),
        ..session(1, Phase::Building)
    };
    let mut world = Snapshot { sessions: vec![by_hand], paused: true, ..quiet(now) };
    assert_eq!(next_of(&world, now), ["report"]);
    let locked = task(1, TaskKind::Code, Category::NewFeature);
    world.tasks = vec![locked];
    assert_eq!(next_of(&world, now), ["report"], "a locked task needs its owner");
    world.tasks = vec![Task { retry_at: Some(now + TimeDelta::hours(1)), ..code(1) }];
    assert!(next_of(&world, now).is_empty(), "it is retried in an hour");
    world.sessions[0].kind = SessionKind::Single;
    world.sessions[0].only_task = Some(TaskId(1));
    assert!(next_of(&world, now).is_empty());
    world.tasks.clear();
    assert_eq!(next_of(&world, now), ["closed"], "a single task's session has no report");
}

#[test]
fn each_date_gets_its_night_or_the_reason_why_not() {
    let unseen = |now: &str, seen: &[&str]| {
        let mut world = quiet(at(now));
        world.nights_seen = seen.iter().map(|date| date.parse().unwrap()).collect();
        world.installed_at = Some(at("13 12:00"));
        world
    };
    let off = "this machine or the bot was off or asleep when it should have run";
    let now = |world: &Snapshot, now: &str| next_of(world, at(now));
    assert!(now(&unseen("14 22:59", &["2026-03-13"]), "14 22:59").is_empty());
    assert_eq!(now(&unseen("14 23:00", &["2026-03-13"]), "14 23:00"), ["open 2026-03-14 0 late"]);
    assert_eq!(now(&unseen("15 06:00", &["2026-03-13"]), "15 06:00"), ["open 2026-03-14 420 late"]);
    let missed = format!("miss 2026-03-14: {off}");
    assert_eq!(now(&unseen("15 06:01", &["2026-03-13"]), "15 06:01"), std::slice::from_ref(&missed));
    let both = [format!("miss 2026-03-13: {off}"), missed];
    assert_eq!(now(&unseen("15 20:00", &[]), "15 20:00"), both, "oldest first");
    let mut skipped = unseen("14 23:00", &["2026-03-13"]);
    skipped.skipped.insert("2026-03-14".parse().unwrap());
    assert_eq!(now(&skipped, "14 23:00"), ["miss 2026-03-14: you asked to skip it"]);
}

#[test]
fn the_night_of_the_installation_is_used_and_never_missed() {
    let installed = |moment: &str| {
        let now = at(moment);
        let world = Snapshot { installed_at: Some(now), nights_seen: BTreeSet::new(), ..quiet(now) };
        next_of(&world, now)
    };
    assert!(installed("14 20:00").is_empty());
    assert_eq!(installed("15 02:00"), ["open 2026-03-14 180 late"]);
    assert!(installed("15 06:45").is_empty(), "nobody missed a night before there was a bot");
    assert!(installed("15 08:00").is_empty());
}

#[test]
fn nights_missed_in_a_row_are_told_in_one_brief() {
    let missed = |id: i64, date: &str| Session {
        date: date.parse().unwrap(),
        brief_at: at("15 07:00"),
        missed_reason: Some("off".into()),
        ..session(id, Phase::Missed)
    };
    let now = at("15 20:00");
    let mut world = Snapshot { sessions: vec![missed(1, "2026-03-12"), missed(2, "2026-03-13")], ..quiet(now) };
    assert_eq!(next_of(&world, now), ["brief of 2"]);
    world.sessions.push(session(3, Phase::Brief));
    assert_eq!(next_of(&world, now), ["brief of 3"]);
    world.sessions[2] = Session { brief_at: at("16 07:00"), ..session(3, Phase::Brief) };
    assert!(next_of(&world, now).is_empty(), "the next brief tells them");
    world.sessions[2].phase = Phase::Closed;
    world.sessions[1].reported_at = Some(now);
    assert_eq!(next_of(&world, now), ["brief of 1"]);
}

#[test]
fn it_wakes_for_the_first_thing_that_can_change() {
    let wake = |world: &Snapshot, now: DateTime<Utc>| plan(world, now).next_wake;
    let now = at("14 20:00");
    let mut world = Snapshot { sample_due: at("16 00:00"), ..quiet(now) };
    assert_eq!(wake(&world, now), (at("14 23:00"), "the night begins"));
    world.tasks = vec![Task { retry_at: Some(at("14 22:00")), ..code(1) }];
    assert_eq!(wake(&world, now), (at("14 22:00"), "a retry is due"));
    world.tasks[0].spec.not_before = Some(at("14 21:00"));
    assert_eq!(wake(&world, now), (at("14 21:00"), "a task's not-before time has come"));
    world.sample_due = at("14 20:30");
    assert_eq!(wake(&world, now), (at("14 20:30"), "a resource sample is due"));
    let now = at("15 01:00");
    let world = Snapshot { sample_due: at("16 00:00"), ..building(now) };
    assert_eq!(wake(&world, now), (at("15 01:30"), "a progress check is due"));
}

#[test]
fn a_restore_is_tried_once_a_week_and_a_session_that_is_over_waits_for_nothing() {
    let now = at("14 23:10");
    let session = Session { patterns_done: true, snapshot_done: true, ..session(1, Phase::Patterns) };
    let mut world = Snapshot { sessions: vec![session], ..quiet(now) };
    assert_eq!(next_of(&world, now), ["building"]);
    world.drilled = Some("2026-03-08".parse().unwrap());
    assert_eq!(next_of(&world, now), ["Drill(SessionId(1))"]);
    world.in_flight.insert(Effect::Drill(SessionId(1)));
    assert!(next_of(&world, now).is_empty(), "builds wait for it");
    world.sessions[0].stopped = true;
    world.sessions[0].snapshot_done = false;
    assert_eq!(next_of(&world, now), ["building"]);
}

#[test]
fn a_single_task_keeps_a_day_that_was_not_kept_and_tries_no_restore() {
    let now = at("14 23:10");
    let single = Session { kind: SessionKind::Single, only_task: Some(TaskId(2)), ..session(1, Phase::Health) };
    let mut world = Snapshot { sessions: vec![single], drilled: None, ..quiet(now) };
    assert_eq!(next_of(&world, now), ["Snapshot(SessionId(1))"]);
    world.kept.insert("2026-03-14".parse().unwrap());
    assert_eq!(next_of(&world, now), ["building"]);
    world.kept.clear();
    world.sessions[0].snapshot_done = true;
    assert_eq!(next_of(&world, now), ["building"]);
}
