//! One project, one agent, one night, and a task, to change one thing at a time.

mod builds;
mod checks;
mod choice;
mod night;
mod pressure;
mod tonight;

use super::{Action, Effect, Snapshot, plan};
use crate::domain::approval::Approval;
use crate::domain::build::{
    Build, BuildStep, Change, Check, CheckPurpose, CheckStep, Run, RunEnding, RunOwner, RunStep,
};
use crate::domain::category::Category;
use crate::domain::id::{BuildId, CheckId, RunId, SessionId, TaskId};
use crate::domain::resource::{Mount, Sample};
use crate::domain::session::{Phase, Session, SessionKind};
use crate::domain::settings::{Agent, AgentKind, Argv, Project, Settings};
use crate::domain::task::{Priority, Task, TaskKind, TaskSpec, TaskState};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A moment of the night of 14 March 2026 or of a day near it, `14 23:10`.
fn at(text: &str) -> DateTime<Utc> {
    format!("2026-03-{}:00Z", text.replace(' ', "T")).parse().unwrap()
}

fn argv() -> Argv {
    Argv::new(vec!["true".into()]).unwrap()
}

fn settings() -> Settings {
    let agent = Agent {
        name: "agent".into(),
        kind: AgentKind::Command,
        argv: argv(),
        model: None,
        hosts: Vec::new(),
        fallback: Vec::new(),
        reserve: 0.0,
        env_pass: Vec::new(),
        env: BTreeMap::new(),
    };
    let app = Project { verify: Some(argv()), ..Project::new("app", "/srv/app") };
    Settings { projects: vec![app], agents: vec![agent], ..Settings::default() }
}

/// Nothing to do: the machine was just measured, no session, no task.
fn quiet(now: DateTime<Utc>) -> Snapshot {
    Snapshot {
        installed_at: Some(at("10 12:00")),
        nights_seen: ["2026-03-10", "2026-03-11", "2026-03-12", "2026-03-13", "2026-03-14"]
            .map(|date| date.parse().unwrap())
            .into(),
        samples: vec![sample(now, 50)],
        drilled: Some("2026-03-14".parse().unwrap()),
        ..Snapshot::empty(Arc::new(settings()), now + TimeDelta::seconds(30))
    }
}

/// A night that builds.
fn building(now: DateTime<Utc>) -> Snapshot {
    Snapshot { sessions: vec![session(1, Phase::Building)], ..quiet(now) }
}

fn sample(at: DateTime<Utc>, used: u64) -> Sample {
    let mount =
        |path: &str| Mount { path: path.into(), used_bytes: used, available_bytes: 100 - used, total_bytes: 100 };
    Sample {
        mounts: vec![mount("/"), mount("/data")],
        memory_total: 100,
        memory_available: 60,
        processes: 1,
        ..Sample::empty(at)
    }
}

/// The night of the 14th, which started late enough to have progress told.
fn session(id: i64, phase: Phase) -> Session {
    let date = "2026-03-14".parse().unwrap();
    Session {
        phase,
        started_at: at("14 23:00"),
        patterns_at: at("14 23:05"),
        health_done: false,
        patterns_done: false,
        snapshot_done: false,
        progress_at: Some(at("16 00:00")),
        ..Session::building(SessionId(id), date, at("14 23:10"), at("15 06:30"), at("15 07:00"))
    }
}

fn task(id: i64, kind: TaskKind, category: Category) -> Task {
    let spec = TaskSpec {
        title: format!("task {id}"),
        details: String::new(),
        project: (kind == TaskKind::Code).then(|| "app".into()),
        kind,
        category,
        priority: Priority::Medium,
        estimate_minutes: 60,
        not_before: None,
        depends_on: Vec::new(),
        agent: None,
        command: if kind == TaskKind::Code { Vec::new() } else { vec!["true".into()] },
    };
    Task {
        id: TaskId(id),
        spec,
        state: TaskState::Open,
        revision: 1,
        text_lock: None,
        source: "owner".into(),
        created_at: at("14 12:00"),
        attempts: 0,
        retry_at: None,
    }
}

fn code(id: i64) -> Task {
    task(id, TaskKind::Code, Category::BugFix)
}

fn approval(task: &Task) -> Approval {
    Approval {
        task: task.id,
        revision_hash: task.spec.revision_hash(),
        approver: "terminal:owner".into(),
        decided_at: at("14 20:00"),
        used_at: None,
    }
}

fn build(id: i64, step: BuildStep) -> Build {
    let begun = Build::begun(BuildId(id), TaskId(id), SessionId(1), 1, Some("agent".into()), at("14 23:10"));
    Build { step, ..begun }
}

/// What a build left once collected.
fn changed(build: Build) -> Build {
    let change = Change { files: 1, ..Change::default() };
    Build { change: Some(change), result: Some("c1".into()), prepared: true, ..build }
}

fn check(id: i64, purpose: CheckPurpose, step: CheckStep) -> Check {
    Check {
        id: CheckId(id),
        session: SessionId(1),
        project: "app".into(),
        commit: "c1".into(),
        purpose,
        build: (purpose == CheckPurpose::Result).then_some(BuildId(id)),
        step,
        step_at: at("14 23:10"),
        prepared: false,
        host_failure: None,
        verdict: None,
    }
}

fn run(owner: RunOwner, step: RunStep, ending: Option<RunEnding>) -> Run {
    Run {
        id: RunId(1),
        owner,
        step,
        started_at: at("14 23:10"),
        ended: ending.map(|ending| (at("15 01:00"), ending)),
        stop_requested: None,
        counts: None,
        measured: None,
        round: 0,
        report: None,
    }
}

const DONE: RunEnding = RunEnding::Exited { code: 0 };
const RED: RunEnding = RunEnding::Exited { code: 1 };

fn actions(world: &Snapshot, now: DateTime<Utc>) -> Vec<Action> {
    let plan = plan(world, now);
    assert!(plan.actions.is_empty() == (plan.next_wake.0 > now), "{plan:?}");
    plan.actions
}

/// The tasks that are started.
fn started(world: &Snapshot, now: DateTime<Utc>) -> Vec<i64> {
    let starts = actions(world, now).into_iter();
    starts.filter_map(|action| if let Action::StartBuild(new) = action { Some(new.task.0) } else { None }).collect()
}
