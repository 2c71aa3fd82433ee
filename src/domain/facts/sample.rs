//! A night to test on: 14 March 2026, 23:00 in New York.

use super::*;
use crate::domain::build::{BuildStep, Change, TestCounts, TestsVerdict};
use crate::domain::category::Category;
use crate::domain::id::{BuildId, SessionId};
use crate::domain::message::Message;
use crate::domain::session::Phase;
use crate::domain::task::{Priority, TaskKind, TaskSpec, TaskState};
use chrono::TimeZone;

pub(crate) const ZONE: Tz = chrono_tz::America::New_York;

/// A local time: `14 23:10` is the 14th of March at 23:10.
pub(crate) fn at(text: &str) -> DateTime<Utc> {
    let local = chrono::NaiveDateTime::parse_from_str(&format!("2026-03-{text}"), "%Y-%m-%d %H:%M").unwrap();
    ZONE.from_local_datetime(&local).unwrap().to_utc()
}

pub(crate) fn task(id: i64, title: &str, category: Category, hours: u32) -> Task {
    Task {
        id: TaskId(id),
        spec: TaskSpec {
            title: title.into(),
            details: String::new(),
            project: Some("fitness".into()),
            kind: TaskKind::Code,
            category,
            priority: Priority::Medium,
            estimate_minutes: hours * 60,
            not_before: None,
            depends_on: vec![],
            agent: None,
            command: vec![],
        },
        state: TaskState::Open,
        revision: 1,
        text_lock: None,
        source: "owner".into(),
        created_at: at("14 09:00"),
        attempts: 1,
        retry_at: None,
    }
}

pub(crate) fn fact(id: i64, task: Task, outcome: Option<Outcome>, from: &str, to: Option<&str>) -> BuildFact {
    BuildFact {
        build: Build {
            step: if outcome.is_some() { BuildStep::Ended } else { BuildStep::Working },
            base: Some("1111111111111111111111111111111111111111".into()),
            prepared: true,
            outcome,
            ended_at: to.map(at),
            ..Build::begun(BuildId(id), task.id, SessionId(1), 1, Some("claude".into()), at(from))
        },
        task,
        verdict: None,
        base_verdict: None,
        log_path: format!("/var/lib/overnight/logs/subagent_{id}.log"),
        result_ref: None,
        expected_finish: None,
        finish_at_most: None,
        stretches: vec![],
        measure_text: None,
    }
}

pub(crate) fn verdict(tests: TestsVerdict, passed: u32, failing: &[&str]) -> Verdict {
    let failing: Vec<String> = failing.iter().map(|name| (*name).to_string()).collect();
    let failed = u32::try_from(failing.len()).ok();
    Verdict {
        tests,
        counts: TestCounts { passed: Some(passed), failed, failing },
        measure: None,
        trouble: None,
        cut_short: false,
    }
}

pub(crate) fn session() -> Session {
    let date = NaiveDate::from_ymd_opt(2026, 3, 14).unwrap();
    Session {
        phase: Phase::Brief,
        started_at: at("14 23:00"),
        patterns_at: at("14 23:05"),
        ..Session::building(SessionId(1), date, at("14 23:10"), at("15 06:30"), at("15 07:00"))
    }
}

/// A night on which nothing happened at all.
pub(crate) fn empty_night() -> NightFacts {
    NightFacts {
        session: session(),
        zone: ZONE,
        now: at("15 07:00"),
        max_concurrent: 3,
        builds: vec![],
        problems: vec![],
        patterns: vec![],
        throttles: vec![],
        closures: vec![],
        parked_before: vec![],
        used: Used::default(),
        capped: None,
        waiting_approval: vec![],
        queue_open: 0,
        queue_ready_tonight: 0,
        base_red: vec![],
        slept: vec![],
        missed_dates: vec![],
        started_late_minutes: None,
        stopped_by_owner: false,
        incidents: vec![],
        drill: None,
        finished_since: vec![],
    }
}

/// The mission's night, with everything else that can be said.
pub(crate) fn full_night() -> NightFacts {
    let mut facts = empty_night();
    facts.builds = vec![nutrition(), docs_first_try(), docs(), dashboard(), login(), tidy()];
    facts.problems = problems();
    facts.patterns = vec![PatternFact {
        title: "NBA rankings".into(),
        when: "Sunday".into(),
        support: 6,
        of: 7,
        confidence: 0.8125,
        action: "Queued as #14 for 6:00".into(),
    }];
    facts.throttles =
        vec![ThrottleFact { from: at("15 02:10"), until: Some(at("15 03:40")), reason: "memory above 80 %".into() }];
    let mut locked = task(8, "Post the weekly summary", Category::ExternalAction, 1);
    locked.text_lock = Some("asks for an e-mail".into());
    facts.waiting_approval = vec![locked];
    facts.queue_open = 7;
    facts.queue_ready_tonight = 3;
    facts.base_red = vec![BaseRedFact { project: "blog".into(), detail: "2 tests fail: a and b".into() }];
    facts.started_late_minutes = Some(12);
    facts.missed_dates = vec![NaiveDate::from_ymd_opt(2026, 3, 12).unwrap()];
    facts
}

fn nutrition() -> BuildFact {
    let spec = task(1, "Optimize nutrition calculations", Category::Performance, 4);
    let mut fact = fact(1, spec, Some(Outcome::Verified), "14 23:12", Some("15 03:00"));
    fact.measure_text = Some("5.2× faster (210 ms → 40 ms)".into());
    fact.verdict = Some(verdict(TestsVerdict::Passed, 48, &[]));
    fact.base_verdict = Some(verdict(TestsVerdict::Failed, 46, &["t::a", "t::b"]));
    fact.result_ref = Some("overnight/1".into());
    fact.build.result = Some("2222222222222222222222222222222222222222".into());
    fact.build.progress_text = Some("CLAIM: a 50x speedup, all done".into());
    fact.build.change = Some(Change {
        files: 4,
        insertions: 120,
        deletions: 33,
        docs_touched: true,
        paths: vec!["src/a.rs".into()],
        flags: vec![],
    });
    fact
}

fn docs_first_try() -> BuildFact {
    let spec = task(2, "Document fitness API endpoints", Category::Documentation, 3);
    fact(2, spec, Some(Outcome::Transient), "14 23:12", Some("14 23:20"))
}

fn docs() -> BuildFact {
    let mut fact = fact(5, docs_first_try().task, Some(Outcome::Verified), "14 23:30", Some("15 02:00"));
    fact.build.attempt = 2;
    fact.verdict = Some(verdict(TestsVerdict::Passed, 48, &[]));
    fact.base_verdict = Some(verdict(TestsVerdict::Passed, 48, &[]));
    fact.result_ref = Some("overnight/2".into());
    fact
}

pub(crate) fn dashboard() -> BuildFact {
    let spec = task(3, "Workout analytics dashboard", Category::NewFeature, 5);
    let mut fact = fact(3, spec, None, "15 02:48", None);
    fact.build.progress = Some(75);
    fact.build.progress_text = Some("CLAIM: core charts working, adding final polish".into());
    fact.expected_finish = Some(at("15 09:10"));
    fact
}

fn login() -> BuildFact {
    let spec = task(4, "Fix login crash", Category::BugFix, 2);
    let mut fact = fact(4, spec, Some(Outcome::TestsFailed), "14 23:12", Some("15 01:00"));
    fact.verdict = Some(verdict(TestsVerdict::Failed, 45, &["auth::login", "auth::logout"]));
    fact.base_verdict = Some(verdict(TestsVerdict::Passed, 47, &[]));
    fact.build.reason = "the verify command failed twice".into();
    fact
}

fn tidy() -> BuildFact {
    let spec = task(6, "Refresh cache", Category::Infrastructure, 1);
    let mut fact = fact(6, spec, Some(Outcome::Unverified), "15 01:00", Some("15 01:30"));
    fact.verdict = Some(verdict(TestsVerdict::NoCommand, 0, &[]));
    fact.build.progress_text = Some("CLAIM: everything works".into());
    fact
}

fn problems() -> Vec<ProblemFact> {
    let problem = |severity: &str, subject: &str, detail: &str, fixed: Option<&str>, freed_bytes| ProblemFact {
        kind: "logs".into(),
        severity: severity.into(),
        subject: subject.into(),
        detail: detail.into(),
        fixed: fixed.map(Into::into),
        freed_bytes,
    };
    vec![
        problem("warning", "logs", "125 MB", Some("Cleaned 45 MB of old logs"), 45_000_000),
        problem("warning", "fitness.db", "78 MB", Some("Optimized fitness.db (20% smaller)"), 16_000_000),
        problem("critical", "disk", "about 2 nights left", None, 0),
        problem("info", "backup", "3 days old", None, 0),
    ]
}

/// A message as plain text: what a front-end without markup would show.
pub(crate) fn text(message: &Message) -> String {
    let mut lines = vec![message.verdict.clone()];
    lines.extend(Some(message.intro.clone()).filter(|intro| !intro.is_empty()));
    for section in &message.sections {
        lines.push(format!("\n{}", section.title));
        for item in &section.items {
            lines.push(format!("{} {}", item.icon, item.text).trim().to_string());
            lines.extend(item.evidence.iter().map(|line| format!("   - {line}")));
            lines.extend(Some(format!("   > {}", item.quote)).filter(|_| !item.quote.is_empty()));
            lines.extend(Some(labels(&item.buttons)).filter(|_| !item.buttons.is_empty()));
        }
    }
    lines.extend(Some(format!("\n{}", message.closing)).filter(|_| !message.closing.is_empty()));
    lines.extend(message.buttons.iter().map(|row| labels(row)));
    lines.join("\n")
}

fn labels(buttons: &[crate::domain::message::Button]) -> String {
    buttons.iter().map(|button| format!("[{}]", button.label)).collect::<Vec<_>>().join(" ")
}
