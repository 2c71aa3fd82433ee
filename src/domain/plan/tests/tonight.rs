//! Which task tonight's places go to.

use super::*;
use crate::domain::forecast::{Ending, History, Record};
use crate::domain::id::TaskId;
use crate::domain::plan::outlook::{Closure, PATIENCE};
use crate::domain::plan::{expect, likely};
use crate::domain::settings::Planning;

fn wanted(id: i64, priority: Priority, minutes: u32) -> Task {
    let mut task = code(id);
    (task.spec.priority, task.spec.estimate_minutes) = (priority, minutes);
    task
}

/// A night with so many places.
fn night(places: usize, tasks: Vec<Task>, now: &str) -> Snapshot {
    let mut settings = settings();
    settings.limits.max_builds = places;
    Snapshot { settings: Arc::new(settings), tasks, ..building(at(now)) }
}

fn starts(world: &Snapshot, now: &str) -> Vec<i64> {
    let start = |action| if let Action::StartBuild(new) = action { Some(new.task.0) } else { None };
    plan(world, at(now)).actions.into_iter().filter_map(start).collect()
}

#[test]
fn a_place_goes_to_what_will_be_done_tonight_unless_strictness_is_asked_for() {
    let now = "15 05:00";
    let tasks =
        vec![wanted(1, Priority::Critical, 480), wanted(2, Priority::Critical, 60), wanted(3, Priority::Low, 60)];
    let mut world = night(1, tasks, now);
    assert_eq!(starts(&world, now), [2], "eight hours can hardly be done in ninety minutes");
    let why = plan(&world, at(now)).actions.into_iter().find_map(|a| match a {
        Action::StartBuild(new) => Some(new.why),
        _ => None,
    });
    let why = why.unwrap();
    assert!(why.contains("% chance to finish by 06:30, worth") && why.contains("slot time costs"), "{why}");
    let mut strict = settings();
    (strict.limits.max_builds, strict.planning) = (1, Planning::Strict);
    world.settings = Arc::new(strict);
    assert_eq!(starts(&world, now), [1]);
}

#[test]
fn experience_changes_the_choice() {
    let now = "14 23:10";
    let tasks = vec![wanted(1, Priority::High, 300), wanted(2, Priority::Medium, 300)];
    let mut world = night(1, tasks, now);
    world.tasks[1].spec.category = Category::Documentation;
    assert_eq!(starts(&world, now), [1]);
    let record = |task: &Task, minutes: f64, ending| Record {
        traits: expect::traits(&world.settings, task),
        estimate: 300.0,
        minutes,
        ending,
    };
    let mut records = vec![record(&world.tasks[0], 900.0, Ending::Cut); 15];
    records.extend(vec![record(&world.tasks[1], 60.0, Ending::Done); 15]);
    world.outlook.history = Arc::new(History { records, attempts: 3 });
    assert_eq!(starts(&world, now), [2], "such tasks of the first kind take all night and more");
}

#[test]
fn a_place_is_kept_for_what_comes_soon_and_is_worth_more() {
    let now = "14 23:20";
    let soon = Task {
        spec: TaskSpec { not_before: Some(at("14 23:40")), ..wanted(2, Priority::Critical, 300).spec },
        ..wanted(2, Priority::Critical, 300)
    };
    let world = night(1, vec![wanted(1, Priority::Low, 420), soon], now);
    assert_eq!(starts(&world, now), Vec::<i64>::new());
    assert_eq!(starts(&night(1, vec![wanted(1, Priority::Low, 420)], now), now), [1], "nobody else wants it");
    assert_eq!(starts(&night(2, world.tasks, now), now), [1], "there is another place");
}

#[test]
fn what_opens_the_way_for_others_earns_their_worth_too() {
    let now = "14 23:10";
    let mut tasks =
        vec![wanted(1, Priority::Medium, 60), wanted(2, Priority::Low, 60), wanted(3, Priority::Critical, 300)];
    assert_eq!(starts(&night(1, tasks[..2].to_vec(), now), now), [1]);
    tasks[2].spec.depends_on = vec![TaskId(2)];
    assert_eq!(starts(&night(1, tasks, now), now), [2]);
}

#[test]
fn what_would_be_lost_at_the_end_is_not_begun_without_a_chance() {
    let now = "15 06:00";
    let mut world = night(1, vec![wanted(1, Priority::Critical, 480)], now);
    assert_eq!(starts(&world, now), [1], "it goes on after the night");
    world.outlook.lost_at_the_end.insert(TaskId(1));
    assert_eq!(starts(&world, now), Vec::<i64>::new());
}

#[test]
fn who_was_passed_over_goes_first_once_a_night() {
    let now = "14 23:10";
    let tasks = vec![wanted(1, Priority::Low, 60), wanted(2, Priority::Critical, 60), wanted(3, Priority::High, 60)];
    let mut world = night(1, tasks, now);
    for (nights, given, expected) in [(PATIENCE - 1, false, 2), (PATIENCE, false, 1), (PATIENCE, true, 2)] {
        world.outlook.passed_over = [(TaskId(1), nights)].into();
        world.outlook.turn_given = given;
        assert_eq!(starts(&world, now), [expected], "{nights} nights, turn given: {given}");
    }
}

#[test]
fn two_tasks_on_the_same_files_are_not_built_at_once() {
    let now = "14 23:10";
    let mut world = night(3, vec![wanted(1, Priority::High, 60), wanted(2, Priority::Low, 60)], now);
    assert_eq!(starts(&world, now), [1, 2]);
    world.tasks[0].spec.details = "speed up src/report.rs".into();
    world.tasks[1].spec.title = "Document src/report.rs".into();
    assert_eq!(starts(&world, now), [1]);
    world.builds = vec![build(1, BuildStep::Working)];
    assert_eq!(starts(&world, now), Vec::<i64>::new(), "the first one runs");
    world.tasks[0].spec.details.clear();
    assert_eq!(starts(&world, now), [2]);
    world.outlook.touched = [(TaskId(1), vec!["src/report.rs".to_owned()])].into();
    assert_eq!(starts(&world, now), Vec::<i64>::new(), "an earlier attempt has shown it");
}

#[test]
fn nothing_starts_while_all_stands_still() {
    let now = "15 01:00";
    let mut world = night(3, vec![wanted(1, Priority::High, 60)], now);
    let closure = |from: &str, until: &str| Closure { from: at(from), until: at(until), stands_still: true, places: 3 };
    world.outlook.closures = vec![closure("15 00:30", "15 02:00")];
    assert!(starts(&world, now).is_empty());
    world.outlook.closures = vec![closure("15 01:30", "15 02:00")];
    assert_eq!(starts(&world, now), [1]);
    assert!((world.outlook.working_minutes(at(now), at("15 03:00")) - 90.0).abs() < 1e-9);
}

#[test]
fn the_likely_night_says_what_comes_when_and_what_does_not() {
    let evening = at("14 20:00");
    let mut tasks: Vec<Task> = (1..=6).map(|id| wanted(id, Priority::Medium, 240)).collect();
    tasks[5].spec.priority = Priority::Critical;
    tasks.push(task(7, TaskKind::Code, Category::NewFeature));
    let world = Snapshot { sessions: vec![], ..night(1, tasks, "14 20:00") };
    let before = format!("{world:?}");
    let night = likely::likely(&world, evening);
    assert_eq!(format!("{world:?}"), before, "it changes nothing");
    assert_eq!((night.from, night.until), (at("14 23:10"), at("15 06:30")));
    assert_eq!(night.builds[0].task, TaskId(6));
    assert_eq!(night.builds[0].start, at("14 23:10"));
    for pair in night.builds.windows(2) {
        assert!(pair[1].start >= pair[0].half, "one place: {pair:?}");
    }
    let left: Vec<i64> = night.left.iter().map(|(task, _)| task.0).collect();
    assert_eq!(left.len() + night.builds.len(), 7, "{night:?}");
    let locked = night.left.iter().find(|(task, _)| task.0 == 7).unwrap();
    assert!(locked.1.starts_with("locked"), "{}", locked.1);
    assert!(night.left[0].1.contains("worth more"), "{}", night.left[0].1);
}
