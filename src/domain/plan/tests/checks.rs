//! A check walks through its steps, one at a time a project.

use super::*;
use crate::domain::build::{StopReason, TestsVerdict};

const NOW: &str = "15 02:00";

fn world(checks: Vec<Check>, runs: Vec<Run>) -> Snapshot {
    let builds: Vec<Build> =
        checks.iter().filter_map(|check| check.build).map(|id| build(id.0, BuildStep::Checking)).collect();
    let builds = builds.into_iter().map(|build| Build { check: Some(CheckId(build.id.0)), ..changed(build) }).collect();
    let tasks = (1..=3).map(|id| Task { retry_at: Some(at("15 05:00")), ..code(id) }).collect();
    Snapshot { tasks, builds, checks, runs, ..building(at(NOW)) }
}

fn owner() -> RunOwner {
    RunOwner::Check(CheckId(1))
}

fn verdict(runs: Vec<Run>, step: CheckStep) -> Option<TestsVerdict> {
    let world = world(vec![check(1, CheckPurpose::Result, step)], runs);
    actions(&world, at(NOW))
        .into_iter()
        .find_map(|a| if let Action::EndCheck { verdict, .. } = a { Some(verdict.tests) } else { None })
}

#[test]
fn one_check_at_a_time_a_base_first_then_the_oldest() {
    let begun = |checks: Vec<Check>| -> Vec<i64> {
        let planned = actions(&world(checks, vec![]), at(NOW)).into_iter();
        planned.filter_map(|a| if let Action::AdvanceCheck { check, .. } = a { Some(check.0) } else { None }).collect()
    };
    let waiting = |id, purpose| check(id, purpose, CheckStep::Waiting);
    let (base, result) = (CheckPurpose::Base, CheckPurpose::Result);
    assert_eq!(begun(vec![waiting(1, result), waiting(2, result)]), [1]);
    assert_eq!(begun(vec![waiting(1, result), waiting(2, base)]), [2]);
    // A base of another session and a result that waits for none: still only one.
    let other = Check { session: SessionId(9), ..waiting(2, base) };
    assert_eq!(begun(vec![waiting(1, result), other]), [2]);
    let active = Check { session: SessionId(9), ..check(2, base, CheckStep::Verifying) };
    assert!(begun(vec![waiting(1, result), active]).is_empty());
    let elsewhere = Check { project: "gone".into(), ..check(2, base, CheckStep::Verifying) };
    assert_eq!(begun(vec![waiting(1, result), elsewhere]), [1]);
}

#[test]
fn only_runs_that_came_to_an_end_of_their_own_say_anything_about_the_tests() {
    use RunStep::{Verify, VerifyAgain};
    let runs = |first: RunEnding, second: RunEnding| {
        vec![run(owner(), Verify, Some(first)), run(owner(), VerifyAgain, Some(second))]
    };
    let again = |first, second| verdict(runs(first, second), CheckStep::VerifyingAgain);
    let lost = || RunEnding::Lost;
    assert_eq!(verdict(vec![run(owner(), Verify, Some(DONE))], CheckStep::Verifying), Some(TestsVerdict::Passed));
    assert_eq!(verdict(vec![run(owner(), Verify, Some(RED))], CheckStep::Verifying), None);
    assert_eq!(again(RED, RED), Some(TestsVerdict::Failed));
    assert_eq!(again(RED, DONE), Some(TestsVerdict::Flaky));
    assert_eq!(again(lost(), DONE), Some(TestsVerdict::Passed), "a lost run did not fail");
    assert_eq!(again(lost(), RED), Some(TestsVerdict::Failed));
    assert_eq!(again(RED, lost()), Some(TestsVerdict::Impossible));
    let not_started = RunEnding::NotStarted { error: "gone".into() };
    assert_eq!(again(RED, not_started.clone()), Some(TestsVerdict::Impossible));
    assert_eq!(
        verdict(vec![run(owner(), Verify, Some(not_started))], CheckStep::Verifying),
        Some(TestsVerdict::Impossible)
    );
}

#[test]
fn a_check_nobody_waits_for_is_stopped() {
    let mut world =
        world(vec![check(1, CheckPurpose::Result, CheckStep::Verifying)], vec![run(owner(), RunStep::Verify, None)]);
    world.runs[0].started_at = at(NOW);
    assert!(actions(&world, at(NOW)).is_empty());
    world.builds[0].stop_requested = Some(StopReason::Owner);
    let stop = Action::StopRun { run: RunId(1), reason: StopReason::Owner };
    assert_eq!(actions(&world, at(NOW)), [stop]);
    world.runs.clear();
    let planned = actions(&world, at(NOW));
    assert!(matches!(planned[..], [Action::EndCheck { .. }]), "{planned:?}");
    let mut world = Snapshot { builds: vec![], ..world };
    world.checks[0].step = CheckStep::Preparing;
    world.in_flight.insert(Effect::PrepareCheck(CheckId(1)));
    assert!(actions(&world, at(NOW)).is_empty(), "its clone is just being made");
}

#[test]
fn a_filling_disk_cuts_a_check_short() {
    let full = |runs| Snapshot {
        samples: vec![sample(at(NOW), 99)],
        ..world(vec![check(1, CheckPurpose::Result, CheckStep::Verifying)], runs)
    };
    let running = run(owner(), RunStep::Verify, None);
    let stop = |a: &Action| matches!(a, Action::StopRun { reason: StopReason::Disk, .. });
    assert!(actions(&full(vec![running.clone()]), at(NOW)).iter().any(stop));
    let cut = |world: &Snapshot| {
        actions(world, at(NOW)).into_iter().any(|a| matches!(a, Action::EndCheck { verdict, .. } if verdict.cut_short))
    };
    assert!(!cut(&full(vec![running])), "not while it runs");
    assert!(cut(&full(vec![])), "nothing more is written");
    let ended = Run {
        stop_requested: Some(StopReason::Disk),
        ..run(owner(), RunStep::Verify, Some(RunEnding::Stopped { reason: "disk".into() }))
    };
    let free = world(vec![check(1, CheckPurpose::Result, CheckStep::Verifying)], vec![ended]);
    assert!(cut(&free), "also when the disk is free again before its end is seen");
}
