//! How a world begins: its zone and date, configuration, and queue.

use super::dice::Dice;
use super::world::{Outside, World};
use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use overnight::domain::category::Category;
use overnight::domain::id::TaskId;
use overnight::domain::schedule::Schedule;
use overnight::domain::settings::{
    Agent, AgentKind, Argv, Better, BuildSettings, Measure, Planning, Project, ResourceSettings, Settings,
};
use overnight::domain::task::{Priority, Task, TaskKind, TaskSpec, TaskState};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Zones with a date near which their clocks change, most of them at the very hour a night starts.
const PLACES: [(Tz, i32, u32, u32); 14] = [
    (Tz::UTC, 2026, 3, 14),
    (Tz::America__New_York, 2026, 3, 7),
    (Tz::America__New_York, 2026, 10, 31),
    (Tz::Europe__Berlin, 2026, 3, 28),
    (Tz::Europe__Berlin, 2026, 10, 24),
    (Tz::America__Nuuk, 2026, 3, 28),
    (Tz::America__Nuuk, 2026, 10, 24),
    (Tz::Africa__Cairo, 2026, 4, 23),
    (Tz::Africa__Cairo, 2026, 10, 29),
    (Tz::Asia__Beirut, 2026, 10, 24),
    (Tz::America__Santiago, 2026, 4, 4),
    (Tz::America__Santiago, 2026, 9, 5),
    (Tz::Australia__Lord_Howe, 2026, 4, 4),
    (Tz::Asia__Kathmandu, 2026, 6, 1),
];

/// A world in the evening, or at any other hour, of a day near a clock change.
pub(super) fn world(seed: u64) -> World {
    let mut dice = Dice::new(seed);
    let (zone, year, month, day) = dice.pick(&PLACES);
    let date = NaiveDate::from_ymd_opt(year, month, day).unwrap() - TimeDelta::days(dice.range(0, 2));
    let hour = if dice.chance(70) { dice.range(19, 22) } else { dice.range(0, 23) };
    let time = NaiveTime::from_hms_opt(u32::try_from(hour).unwrap(), 0, 0).unwrap();
    let local = date.and_time(time) + dice.minutes(0, 59);
    let real = zone.from_local_datetime(&local).earliest().map_or(local.and_utc(), |at| at.with_timezone(&Utc));
    let settings = Arc::new(settings(&mut dice, zone));
    let tasks = dice.range(3, 6);
    let mut world = World {
        real,
        ahead: TimeDelta::zero(),
        installed_at: real,
        settings,
        paused: false,
        skipped: BTreeSet::new(),
        sessions: Vec::new(),
        tasks: Vec::new(),
        approvals: Vec::new(),
        builds: Vec::new(),
        checks: Vec::new(),
        runs: Vec::new(),
        samples: Vec::new(),
        gaps: Vec::new(),
        throttles: Vec::new(),
        providers: Vec::new(),
        in_flight: BTreeSet::new(),
        action_runs: BTreeMap::new(),
        counts: BTreeMap::new(),
        story: None,
        outside: Outside::calm(real),
        dice,
    };
    for _ in 0..tasks {
        world.queue();
    }
    world
}

fn argv() -> Argv {
    Argv::new(vec!["true".into()]).unwrap()
}

fn settings(dice: &mut Dice, zone: Tz) -> Settings {
    let mut schedule = Schedule { zone, ..Schedule::default() };
    if dice.chance(10) {
        schedule.session_start = NaiveTime::from_hms_opt(0, 30, 0).unwrap();
        schedule.patterns_at = schedule.session_start;
        schedule.spawn_at = NaiveTime::from_hms_opt(0, 45, 0).unwrap();
    }
    schedule.progress_every = Duration::from_mins(dice.pick(&[30, 45, 120]));
    assert_eq!(schedule.validate(), Ok(()));
    let limits = ResourceSettings {
        max_builds: dice.pick(&[1, 2, 3, 3]),
        disk_stop_after_minutes: dice.pick(&[1, 10, 60]),
        ..ResourceSettings::default()
    };
    let hours = dice.pick(&[1, 4, 8, 8]);
    let build = BuildSettings {
        timeout: Duration::from_hours(hours),
        max_attempts: dice.pick(&[1, 2, 3, 3]),
        retry_backoff: dice.pick(&[&[1, 5][..], &[30], &[]]).iter().map(|m| Duration::from_mins(*m)).collect(),
        ..BuildSettings::default()
    };
    let projects = (0..dice.range(1, 3)).map(|n| project(dice, n)).collect();
    let agent = Agent {
        name: "a".into(),
        kind: AgentKind::Command,
        argv: argv(),
        model: None,
        hosts: Vec::new(),
        fallback: Vec::new(),
        reserve: 0.0,
        env_pass: vec![],
        env: BTreeMap::new(),
    };
    Settings {
        schedule,
        limits,
        build,
        // Seldom, for speed; as far apart as samples are looked back at.
        planning: dice.pick(&[Planning::Value, Planning::Value, Planning::Strict]),
        sample_every: Duration::from_mins(dice.pick(&[5, 15, 15, 15])),
        projects,
        agents: vec![agent],
        ..Settings::default()
    }
}

fn project(dice: &mut Dice, number: i64) -> Project {
    let measure = || Measure { argv: argv(), unit: "ms".into(), better: Better::Lower };
    Project {
        setup: dice.chance(40).then(argv),
        verify: dice.chance(80).then(argv),
        measure: dice.chance(30).then(measure),
        max_builds: dice.pick(&[None, None, Some(1), Some(2)]),
        ..Project::new(format!("p{number}"), "/p")
    }
}

/// The next task of this number: any kind, any category, waiting for others or a time now and then.
pub(super) fn task(dice: &mut Dice, number: i64, settings: &Settings, now: DateTime<Utc>) -> Task {
    let kind = dice.pick(&[TaskKind::Code, TaskKind::Code, TaskKind::Code, TaskKind::Artifact, TaskKind::Action]);
    let project = &settings.projects[dice.below(settings.projects.len())].name;
    let named = kind == TaskKind::Code || dice.chance(40);
    let spec = TaskSpec {
        title: format!("t{number}"),
        details: if dice.chance(20) {
            dice.pick(&["in src/a.rs", "all of src/web/api/"]).into()
        } else {
            String::new()
        },
        project: if dice.chance(3) { Some("gone".into()) } else { named.then(|| project.clone()) },
        kind,
        category: dice.pick(&Category::ALL),
        priority: dice.pick(&[Priority::Low, Priority::Medium, Priority::High, Priority::Critical]),
        estimate_minutes: dice.pick(&[30, 60, 60, 240, 480]),
        not_before: dice.chance(15).then(|| now + dice.minutes(0, 900)),
        depends_on: if number > 1 && dice.chance(25) { vec![TaskId(dice.range(1, number - 1))] } else { vec![] },
        agent: None,
        command: if kind == TaskKind::Code || dice.chance(20) { vec![] } else { vec!["true".into()] },
    };
    Task {
        id: TaskId(number),
        spec,
        state: if dice.chance(5) { TaskState::Draft } else { TaskState::Open },
        revision: 1,
        text_lock: dice.chance(15).then(|| "its text asks for something locked".into()),
        source: "owner".into(),
        created_at: now,
        attempts: 0,
        retry_at: None,
    }
}
