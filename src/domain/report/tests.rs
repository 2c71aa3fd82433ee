use super::*;
use crate::domain::build::Outcome;
use crate::domain::category::Category;
use crate::domain::facts::sample::{at, empty_night, fact, full_night, task};
use crate::domain::session::Phase;
use serde_json::{Value, json};

fn value(facts: &NightFacts) -> Value {
    serde_json::to_value(report(facts)).unwrap()
}

#[test]
fn the_missions_keys_hold_the_missions_numbers() {
    let mut facts = full_night();
    facts.now = at("15 06:30");
    let value = value(&facts);
    for (key, expected) in [
        ("schema_version", json!(1)),
        ("session_id", json!("overnight_1773543600")),
        ("started_at", json!("2026-03-14T23:00:00-04:00")),
        ("context", json!("SLEEPING")),
        ("max_concurrent", json!(3)),
        ("duration_hours", json!(7.5)),
        ("tasks_spawned", json!(5)),
        ("tasks_completed", json!(2)),
        ("tasks_in_progress", json!(1)),
        ("total_hours_shipped", json!(6.3)),
        ("problems_fixed", json!(2)),
        ("missed", json!(["2026-03-12"])),
    ] {
        assert_eq!(value[key], expected, "{key}");
    }
}

#[test]
fn a_task_tried_twice_is_one_task_with_its_last_outcome() {
    let mut facts = full_night();
    facts.builds.reverse();
    let report = report(&facts);
    let docs: Vec<&TaskReport> = report.tasks.iter().filter(|t| t.task == 2).collect();
    assert_eq!(docs.len(), 1);
    assert_eq!((docs[0].attempts, docs[0].outcome.as_deref()), (2, Some("verified")));
    assert_eq!(docs[0].log, "subagent_5.log");
}

#[test]
fn tests_are_given_against_the_base() {
    let value = value(&full_night());
    let tests = |task: i64| {
        let all = value["tasks"].as_array().unwrap();
        all.iter().find(|t| t["task"] == task).unwrap()["tests"].clone()
    };
    assert_eq!(tests(1), json!({"passed": 48, "failed": 0, "broke": [], "mended": ["t::a", "t::b"]}));
    assert_eq!(tests(4)["broke"], json!(["auth::login", "auth::logout"]));
    assert_eq!(tests(6), Value::Null, "nothing was checked");
}

#[test]
fn only_verified_work_counts_and_no_agent_is_quoted() {
    for outcome in [Outcome::Unverified, Outcome::Flaky, Outcome::NoChange, Outcome::Unknown] {
        let mut facts = empty_night();
        facts.builds = vec![fact(1, task(1, "x", Category::BugFix, 1), Some(outcome), "14 23:12", Some("15 01:12"))];
        let report = report(&facts);
        assert_eq!((report.tasks_spawned, report.tasks_completed, report.total_hours_shipped), (1, 0, 0.0));
    }
    assert!(!value(&full_night()).to_string().contains("CLAIM"));
}

#[test]
fn a_missed_night_has_no_duration() {
    let mut facts = empty_night();
    facts.session.phase = Phase::Missed;
    facts.session.started_at = at("15 06:40");
    let report = report(&facts);
    assert_eq!((report.duration_hours, report.phase.as_str()), (0.0, "missed"));
}

#[test]
fn a_clock_set_back_gives_no_negative_hours() {
    let mut facts = full_night();
    facts.now = at("14 22:00");
    assert!(report(&facts).duration_hours >= 0.0);
    assert!(report(&facts).tasks.iter().all(|task| task.runtime_hours >= 0.0));
}

#[test]
fn a_report_reads_back() {
    let report = report(&full_night());
    let text = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
}
