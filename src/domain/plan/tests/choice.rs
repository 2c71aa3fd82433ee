//! What stands in a task's way, and who goes first.

use super::*;
use crate::domain::plan::choice::{Standing, is_approved, lock, standing};

fn stands(world: &Snapshot, task: &Task, now: DateTime<Utc>) -> Standing {
    let world = Snapshot { tasks: vec![task.clone()], ..world.clone() };
    standing(&world, task, now)
}

fn with(change: impl FnOnce(&mut Task)) -> Task {
    let mut task = code(1);
    change(&mut task);
    task
}

#[test]
fn a_task_stands_where_the_first_thing_in_its_way_puts_it() {
    let now = at("14 23:10");
    let later = at("15 02:00");
    let mut world = building(now);
    world.completed.insert(TaskId(7), None);
    world.gone.insert(TaskId(8));
    let ready = Standing::Ready { approved: false };
    let cases = [
        ("plain", code(1), ready.clone()),
        ("draft", with(|t| t.state = TaskState::Draft), Standing::Draft),
        ("not before", with(|t| t.spec.not_before = Some(later)), Standing::NotBefore(later)),
        ("not before is over", with(|t| t.spec.not_before = Some(now)), ready.clone()),
        ("retry", with(|t| t.retry_at = Some(later)), Standing::RetryAt(later)),
        ("retry is due", with(|t| t.retry_at = Some(now)), ready.clone()),
        ("needs one that completed", with(|t| t.spec.depends_on = vec![TaskId(7)]), ready),
        (
            "needs one that waits",
            with(|t| t.spec.depends_on = vec![TaskId(7), TaskId(9)]),
            Standing::DependsOn(vec![TaskId(9)]),
        ),
        (
            "needs one that failed, and one that waits",
            with(|t| t.spec.depends_on = vec![TaskId(9), TaskId(8)]),
            Standing::DependencyFailed(vec![TaskId(8)]),
        ),
    ];
    for (name, task, expected) in cases {
        assert_eq!(stands(&world, &task, now), expected, "{name}");
    }
    let world = Snapshot { builds: vec![build(1, BuildStep::Working)], ..world };
    assert_eq!(stands(&world, &code(1), now), Standing::Building);
}

#[test]
fn what_is_not_configured_is_said_before_anything_else() {
    let world = building(at("14 23:10"));
    let action = |command: Vec<String>| {
        let mut task = task(1, TaskKind::Action, Category::ExternalAction);
        task.spec.command = command;
        task
    };
    for (task, word) in [
        (with(|t| t.spec.project = Some("gone".into())), "gone"),
        (with(|t| t.spec.project = None), "needs a project"),
        (with(|t| t.spec.agent = Some("nobody".into())), "nobody"),
        (action(vec![]), "needs its command"),
    ] {
        let found = stands(&world, &task, at("14 23:10"));
        assert!(matches!(&found, Standing::Misconfigured(text) if text.contains(word)), "{found:?}");
    }
    let no_agent = Settings { agents: vec![], ..settings() };
    let world = Snapshot { settings: Arc::new(no_agent), ..world };
    assert!(matches!(stands(&world, &code(1), at("14 23:10")), Standing::Misconfigured(_)));
    // An action runs its own command: no agent is needed for it.
    assert!(matches!(stands(&world, &action(vec!["true".into()]), at("14 23:10")), Standing::Locked { .. }));
}

#[test]
fn category_kind_and_text_each_lock_and_none_unlocks() {
    let world = quiet(at("14 12:00"));
    for category in Category::ALL {
        let free = category.auto_approved_by_default();
        assert_eq!(lock(&world, &task(1, TaskKind::Code, category)).is_none(), free, "{category:?}");
        assert!(lock(&world, &task(1, TaskKind::Action, category)).is_some(), "{category:?}");
        let worded = Task { text_lock: Some("it asks to deploy".into()), ..task(1, TaskKind::Code, category) };
        assert!(lock(&world, &worded).is_some(), "{category:?}");
    }
}

#[test]
fn an_approval_covers_exactly_what_was_shown_and_the_retries_of_its_build() {
    let now = at("14 23:10");
    let locked = task(1, TaskKind::Code, Category::NewFeature);
    let given = approval(&locked);
    let used = Approval { used_at: Some(now), ..given.clone() };
    let mut edited = locked.clone();
    edited.spec.details = "and more".into();
    let retried = Task { attempts: 1, ..locked.clone() };
    let other = Approval { task: TaskId(2), ..given.clone() };
    for (name, task, approvals, approved) in [
        ("none", &locked, vec![], false),
        ("given", &locked, vec![given.clone()], true),
        ("of another task", &locked, vec![other], false),
        ("edited since", &edited, vec![given], false),
        ("used by the attempt that is retried", &retried, vec![used.clone()], true),
        ("used by a build that was put back for the disk", &locked, vec![used], true),
    ] {
        let world = Snapshot { approvals, tasks: vec![task.clone()], ..building(now) };
        assert_eq!(is_approved(&world, task), approved, "{name}");
        assert_eq!(started(&world, now).len(), usize::from(approved), "{name}");
    }
}

#[test]
fn the_most_wanted_then_the_oldest_go_first_while_there_is_room() {
    let now = at("14 23:10");
    let mut tasks: Vec<Task> = (1..=5).map(code).collect();
    tasks[3].spec.priority = Priority::Critical;
    tasks[4].spec.priority = Priority::High;
    let world = Snapshot { tasks, ..building(now) };
    assert_eq!(started(&world, now), [4, 5, 1]);
    let two_run = vec![build(4, BuildStep::Working), build(5, BuildStep::Working)];
    assert_eq!(started(&Snapshot { builds: two_run, ..world.clone() }, now), [1]);
    let mut one_each = settings();
    one_each.projects[0].max_builds = Some(1);
    let one_each = Snapshot { settings: Arc::new(one_each), ..world };
    assert_eq!(started(&one_each, now), [4]);
    // The build of a task that was dropped still holds its project's place.
    let leaving = Snapshot { builds: vec![build(99, BuildStep::Working)], ..one_each };
    assert!(started(&leaving, now).is_empty());
}

#[test]
fn builds_start_in_the_window_only() {
    let inside = |change: fn(&mut Session), now: &str| {
        let mut world = Snapshot { tasks: vec![code(1)], ..building(at(now)) };
        change(&mut world.sessions[0]);
        started(&world, at(now)).len() == 1
    };
    let noon = |s: &mut Session| s.keep_until = Some(at("15 12:00"));
    assert!(!inside(|_| (), "14 23:09"));
    assert!(inside(|_| (), "14 23:10") && inside(|_| (), "15 06:29"));
    assert!(!inside(|_| (), "15 06:30"));
    assert!(inside(noon, "15 06:30") && !inside(noon, "15 12:00"));
    let closed = |s: &mut Session| (s.phase, s.keep_until) = (Phase::Closed, Some(at("15 12:00")));
    assert!(inside(closed, "15 11:59") && !inside(closed, "15 12:00"));
    // The clock was set back after the report: the night does not begin again.
    assert!(!inside(|s| s.phase = Phase::Brief, "15 02:00"));
    assert!(!inside(|s| s.phase = Phase::Missed, "15 02:00"));
    assert!(!inside(|s| s.phase = Phase::Patterns, "15 02:00"));
    assert!(!inside(|s| s.stopped = true, "15 02:00"));
}

#[test]
fn a_pause_holds_the_night_but_not_what_the_owner_runs_now() {
    let now = at("15 02:00");
    let single = Session { kind: SessionKind::Single, only_task: Some(TaskId(2)), ..session(2, Phase::Building) };
    let mut world = Snapshot { tasks: vec![code(1), code(2)], paused: true, ..building(now) };
    assert!(started(&world, now).is_empty());
    world.sessions.push(single);
    assert_eq!(started(&world, now), [2]);
    world.sessions[1].spawn_until = now;
    assert!(started(&world, now).is_empty(), "its eight hours are over");
}

#[test]
fn a_task_that_needs_one_other_is_built_on_its_result() {
    let now = at("15 02:00");
    let mut task = code(3);
    task.spec.depends_on = vec![TaskId(1), TaskId(2)];
    let mut world = Snapshot { tasks: vec![task], ..building(now) };
    let base = |world: &Snapshot| {
        actions(world, now)
            .into_iter()
            .find_map(|a| if let Action::StartBuild(new) = a { Some(new.on_top_of) } else { None })
    };
    world.completed = [(TaskId(1), Some(("app".into(), "c1".into()))), (TaskId(2), None)].into();
    assert_eq!(base(&world), Some(Some("c1".into())));
    world.completed.insert(TaskId(2), Some(("app".into(), "c2".into())));
    assert_eq!(base(&world), Some(None), "two results are no single commit");
    world.completed.insert(TaskId(2), Some(("other".into(), "c2".into())));
    assert_eq!(base(&world), Some(Some("c1".into())), "another project's commit is nothing to build on");
}
