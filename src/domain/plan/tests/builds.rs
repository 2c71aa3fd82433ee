//! A build walks from its clone to its outcome.

use super::*;
use crate::domain::agent::{AgentOutcome, AgentReport};
use crate::domain::build::{HostFailure, Outcome, StopReason, TestCounts, TestsVerdict, Verdict, Wait};
use crate::domain::plan::{BuildEnd, TaskAfter};

const NOW: &str = "15 02:00";

fn owner() -> RunOwner {
    RunOwner::Build(BuildId(1))
}

fn world(build: Build, runs: Vec<Run>) -> Snapshot {
    Snapshot { tasks: vec![code(1)], builds: vec![build], runs, ..building(at(NOW)) }
}

fn one(world: &Snapshot) -> Action {
    let mut planned = actions(world, at(NOW));
    planned.retain(|action| !matches!(action, Action::OpenThrottle { .. }));
    assert_eq!(planned.len(), 1, "{planned:?}");
    planned.remove(0)
}

/// How the build ends, what becomes of its task, and why.
fn end(world: &Snapshot) -> (Outcome, TaskAfter, String) {
    match one(world) {
        Action::EndBuild(BuildEnd { outcome, task, reason, .. }) => (outcome, task, reason),
        other => panic!("{other:?}"),
    }
}

fn stopped(reason: &str) -> RunEnding {
    RunEnding::Stopped { reason: reason.into() }
}

#[test]
fn a_build_walks_from_its_clone_to_its_check() {
    let to = |build: Build, runs: Vec<Run>| one(&world(build, runs));
    let step = |to| Action::AdvanceBuild { build: BuildId(1), from: BuildStep::Preparing, to };
    let preparing = build(1, BuildStep::Preparing);
    assert_eq!(to(preparing.clone(), vec![]), Action::Begin(Effect::PrepareBuild(BuildId(1))));
    assert_eq!(to(Build { prepared: true, ..preparing }, vec![]), step(BuildStep::SettingUp));
    let agent = Action::Launch { owner: owner(), step: RunStep::Agent };
    assert_eq!(to(build(1, BuildStep::Working), vec![]), agent);
    let ended = vec![run(owner(), RunStep::Agent, Some(DONE))];
    let collecting = Action::AdvanceBuild { build: BuildId(1), from: BuildStep::Working, to: BuildStep::Collecting };
    assert_eq!(to(build(1, BuildStep::Working), ended.clone()), collecting);
    let collect = Action::Begin(Effect::Collect(BuildId(1)));
    assert_eq!(to(build(1, BuildStep::Collecting), ended.clone()), collect);
    let checking = Action::AdvanceBuild { build: BuildId(1), from: BuildStep::Collecting, to: BuildStep::Checking };
    assert_eq!(to(changed(build(1, BuildStep::Collecting)), ended), checking);
    assert_eq!(to(changed(build(1, BuildStep::Checking)), vec![]), Action::StartResultCheck { build: BuildId(1) });
}

#[test]
fn a_failure_worth_it_is_retried_later_and_later_until_attempts_run_out() {
    let try_again = vec![run(owner(), RunStep::Agent, Some(RunEnding::Exited { code: 75 }))];
    let attempt = |attempt| end(&world(Build { attempt, ..build(1, BuildStep::Working) }, try_again.clone()));
    for (number, minutes) in [(1, 1), (2, 5)] {
        let (outcome, after, _) = attempt(number);
        assert_eq!((outcome, after), (Outcome::Transient, TaskAfter::Retry(at(NOW) + TimeDelta::minutes(minutes))));
    }
    let (outcome, after, reason) = attempt(3);
    assert_eq!((outcome, after), (Outcome::Failed, TaskAfter::Done));
    assert!(reason.ends_with("gave up after 3 attempts"), "{reason}");
}

#[test]
fn each_ending_of_the_agent_has_its_outcome() {
    let error = || "no such file".to_owned();
    for (ending, expected) in [
        (DONE, None),
        (RED, Some(Outcome::Failed)),
        (RunEnding::Signaled { signal: 9 }, Some(Outcome::Failed)),
        (RunEnding::TimedOut, Some(Outcome::TimedOut)),
        (RunEnding::Lost, Some(Outcome::Transient)),
        (RunEnding::NotStarted { error: error() }, Some(Outcome::Failed)),
        (stopped("owner"), Some(Outcome::Stopped)),
        (stopped("time_limit"), Some(Outcome::TimedOut)),
        (stopped("disk"), Some(Outcome::Cancelled)),
        (stopped("a word of a newer version"), Some(Outcome::Stopped)),
    ] {
        let runs = vec![run(owner(), RunStep::Agent, Some(ending.clone()))];
        match one(&world(changed(build(1, BuildStep::Collecting)), runs)) {
            Action::EndBuild(end) => {
                assert_eq!(Some(end.outcome), expected, "{ending:?}");
                let at_once = end.task == TaskAfter::Retry(at(NOW));
                assert_eq!(at_once, end.outcome == Outcome::Cancelled, "{ending:?}");
            }
            other => assert!(expected.is_none(), "{ending:?}: {other:?}"),
        }
    }
}

#[test]
fn an_agent_that_sat_out_its_limit_in_silence_has_met_it_and_one_that_hung_is_tried_again() {
    let silent = |outcome| {
        let report = AgentReport { outcome, reset_at: Some(at("15 04:00")), ..AgentReport::default() };
        let run = Run { report: Some(report), ..run(owner(), RunStep::Agent, Some(RunEnding::Silent)) };
        one(&world(Build { agent: Some("claude".into()), ..build(1, BuildStep::Working) }, vec![run]))
    };
    match silent(AgentOutcome::Limit) {
        Action::ParkBuild { wait: Wait::Provider { .. }, block: Some(block), .. } => {
            assert!(block.1.known && block.1.until >= at("15 04:00"), "{block:?}");
        }
        other => panic!("{other:?}"),
    }
    let again = silent(AgentOutcome::Hung);
    assert!(matches!(again, Action::EndBuild(BuildEnd { outcome: Outcome::Transient, .. })), "{again:?}");
}

#[test]
fn the_owners_stop_outlasts_every_reason_to_try_again() {
    let asked = |step| Build { stop_requested: Some(StopReason::Owner), ..build(1, step) };
    let agent = |ending| vec![run(owner(), RunStep::Agent, Some(ending))];
    for ending in [RunEnding::Lost, RunEnding::Exited { code: 75 }] {
        let (outcome, after, _) = end(&world(asked(BuildStep::Working), agent(ending)));
        assert_eq!((outcome, after), (Outcome::Stopped, TaskAfter::Done));
    }
    let (outcome, ..) = end(&world(changed(asked(BuildStep::Collecting)), agent(stopped("disk"))));
    assert_eq!(outcome, Outcome::Stopped, "the disk was quicker, the owner still wants it stopped");
    let failure = Some(HostFailure { retry: true, text: "the vault is locked".into() });
    let uncollected = Build { host_failure: failure, ..asked(BuildStep::Collecting) };
    let (outcome, _, reason) = end(&world(uncollected, agent(stopped("owner"))));
    assert_eq!(outcome, Outcome::Stopped);
    assert!(reason.contains("could not be collected: the vault is locked"), "{reason}");
    assert_eq!(end(&world(asked(BuildStep::Preparing), vec![])).0, Outcome::Stopped);
    assert_eq!(end(&world(asked(BuildStep::Working), vec![])).0, Outcome::Stopped, "nothing is launched any more");
}

#[test]
fn a_run_is_stopped_once_and_for_the_first_reason() {
    let running = || vec![run(owner(), RunStep::Agent, None)];
    let stop = |world: &Snapshot, now: DateTime<Utc>| {
        actions(world, now)
            .into_iter()
            .find_map(|a| if let Action::StopRun { reason, .. } = a { Some(reason) } else { None })
    };
    let working = world(build(1, BuildStep::Working), running());
    assert_eq!(stop(&working, at(NOW)), None);
    let late = at("15 07:10");
    assert_eq!(
        stop(&Snapshot { samples: vec![sample(late, 50)], sample_due: at("16 00:00"), ..working.clone() }, late),
        Some(StopReason::TimeLimit)
    );
    let full = Snapshot { samples: vec![sample(at(NOW), 99)], ..working.clone() };
    assert_eq!(stop(&full, at(NOW)), Some(StopReason::Disk));
    let mut asked = full;
    asked.builds[0].stop_requested = Some(StopReason::Owner);
    assert_eq!(stop(&asked, at(NOW)), Some(StopReason::Owner));
    asked.runs[0].stop_requested = Some(StopReason::Disk);
    assert_eq!(stop(&asked, at(NOW)), None);
    let dropped = Snapshot { tasks: vec![], ..working };
    assert_eq!(stop(&dropped, at(NOW)), Some(StopReason::Owner));
}

#[test]
fn an_action_runs_once_whatever_becomes_of_it() {
    for (ending, expected) in [
        (DONE, Outcome::Verified),
        (RED, Outcome::Failed),
        (RunEnding::Exited { code: 75 }, Outcome::Failed),
        (RunEnding::Lost, Outcome::Unknown),
        (stopped("disk"), Outcome::Failed),
        (RunEnding::NotStarted { error: "gone".into() }, Outcome::Failed),
    ] {
        let runs = vec![run(owner(), RunStep::Agent, Some(ending.clone()))];
        let mut world = world(build(1, BuildStep::Working), runs);
        world.tasks = vec![task(1, TaskKind::Action, Category::ExternalAction)];
        let (outcome, after, _) = end(&world);
        assert_eq!((outcome, after), (expected, TaskAfter::Done), "{ending:?}");
    }
}

#[test]
fn files_are_judged_by_a_check_command_that_ran() {
    let checked = |ending: RunEnding| {
        let runs = vec![run(owner(), RunStep::Verify, Some(ending))];
        let mut world = world(build(1, BuildStep::Checking), runs);
        world.tasks = vec![task(1, TaskKind::Artifact, Category::Documentation)];
        end(&world).0
    };
    assert_eq!(checked(DONE), Outcome::Verified);
    assert_eq!(checked(RED), Outcome::TestsFailed);
    assert_eq!(checked(RunEnding::TimedOut), Outcome::TestsFailed);
    assert_eq!(checked(RunEnding::Lost), Outcome::Transient);
    assert_eq!(checked(stopped("owner")), Outcome::Stopped);
    assert_eq!(checked(stopped("disk")), Outcome::Cancelled);
    assert_eq!(checked(RunEnding::NotStarted { error: "gone".into() }), Outcome::Failed);
}

#[test]
fn a_host_step_that_failed_is_retried_if_that_can_help() {
    let failed = |retry| Build {
        host_failure: Some(HostFailure { retry, text: "the vault is locked".into() }),
        ..build(1, BuildStep::Preparing)
    };
    assert_eq!(end(&world(failed(true), vec![])).0, Outcome::Transient);
    assert_eq!(end(&world(failed(false), vec![])).0, Outcome::Failed);
}

#[test]
fn nothing_changed_and_nothing_checked_are_said_as_they_are() {
    let agent = vec![run(owner(), RunStep::Agent, Some(DONE))];
    let empty = Build { change: Some(Change::default()), ..build(1, BuildStep::Collecting) };
    assert_eq!(end(&world(empty, agent)).0, Outcome::NoChange);
    let judged = |tests| end(&checked(1, tests, false)).0;
    assert_eq!(judged(TestsVerdict::Passed), Outcome::Verified);
    assert_eq!(judged(TestsVerdict::NoCommand), Outcome::Unverified);
    assert_eq!(judged(TestsVerdict::Failed), Outcome::TestsFailed);
    assert_eq!(judged(TestsVerdict::Flaky), Outcome::Flaky);
}

/// A build whose result was checked.
fn checked(attempt: u32, tests: TestsVerdict, cut_short: bool) -> Snapshot {
    let checking = Build { attempt, check: Some(CheckId(1)), ..changed(build(1, BuildStep::Checking)) };
    let verdict = Verdict { tests, counts: TestCounts::default(), measure: None, trouble: None, cut_short };
    let result = Check { verdict: Some(verdict), ..check(1, CheckPurpose::Result, CheckStep::Ended) };
    Snapshot { checks: vec![result], ..world(checking, vec![]) }
}

#[test]
fn what_the_disk_ended_is_tried_again_but_not_for_ever() {
    let agent = |attempt| {
        let build = Build { attempt, ..changed(build(1, BuildStep::Collecting)) };
        world(build, vec![run(owner(), RunStep::Agent, Some(stopped("disk")))])
    };
    for (attempt, after) in [(1, TaskAfter::Retry(at(NOW))), (2, TaskAfter::Retry(at(NOW))), (3, TaskAfter::Done)] {
        for world in [agent(attempt), checked(attempt, TestsVerdict::Impossible, true)] {
            let (outcome, then, reason) = end(&world);
            assert_eq!((outcome, then), (Outcome::Cancelled, after), "attempt {attempt}");
            assert_eq!(reason.contains("gave up after 3 attempts"), after == TaskAfter::Done, "{reason}");
        }
    }
}

#[test]
fn an_agents_time_is_its_builds_over_all_rounds_and_neither_waits_nor_sleep_count() {
    let hours = TimeDelta::hours;
    let round = |number: u32, from: DateTime<Utc>, worked: Option<TimeDelta>| Run {
        round: number,
        started_at: from,
        ended: worked.map(|worked| (from + worked, RunEnding::Exited { code: 1 })),
        ..run(owner(), RunStep::Agent, None)
    };
    let begun = at(NOW);
    let parked = begun + hours(3);
    let resumed = parked + hours(20);
    let runs = vec![round(0, begun, Some(hours(3))), round(1, resumed, None)];
    let mut again = build(1, BuildStep::Working);
    again.round = 1;
    let working = world(again, runs);
    let late = |world: &Snapshot, now: DateTime<Utc>| {
        let world = Snapshot { sample_due: now + hours(1), samples: vec![sample(now, 50)], ..world.clone() };
        let limit = |a: &Action| matches!(a, Action::StopRun { reason: StopReason::TimeLimit, .. });
        actions(&world, now).iter().any(limit)
    };
    let minute = TimeDelta::minutes(1);
    assert!(!late(&working, resumed + hours(5) - minute) && late(&working, resumed + hours(5)));
    let slept = Snapshot { gaps: vec![(resumed + hours(1), resumed + hours(3))], ..working.clone() };
    assert!(!late(&slept, resumed + hours(7) - minute) && late(&slept, resumed + hours(7)));
    // Right after it woke up nobody has looked yet how long it slept.
    let woken = Snapshot { sample_due: begun, ..working };
    let now = resumed + hours(9);
    assert!(!actions(&woken, now).iter().any(|a| matches!(a, Action::StopRun { .. })));
}
