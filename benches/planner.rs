//! How fast the planner decides: `cargo bench --bench planner`. Prints figures and asserts nothing about time.
//!
//! - decision: one look at a night with 100,000 queued tasks and three free places;
//! - nights: 1,600 made-up nights, lived in virtual time (the public ones, over and over).

use chrono::{DateTime, TimeDelta, Utc};
use overnight::domain::category::Category;
use overnight::domain::forecast::{Ending, History, Record};
use overnight::domain::id::{SessionId, TaskId};
use overnight::domain::plan::outlook::Outlook;
use overnight::domain::plan::{Snapshot, expect, plan};
use overnight::domain::resource::Sample;
use overnight::domain::session::Session;
use overnight::domain::settings::{Agent, AgentKind, Argv, Project, Settings};
use overnight::domain::task::{Priority, Task, TaskKind, TaskSpec, TaskState};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

const QUEUED: usize = 100_000;
const NIGHTS: usize = 1_600;

fn main() -> anyhow::Result<()> {
    let now = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
    let world = world(now)?;
    let mut times: Vec<f64> = (0..20)
        .map(|_| {
            let since = Instant::now();
            let planned = plan(&world, now);
            assert_eq!(planned.actions.len(), 3, "{planned:?}");
            since.elapsed().as_secs_f64() * 1000.0
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!("decision: {QUEUED} queued tasks, {:.1} ms (median), {:.1} ms (worst of 20)", times[10], times[19]);
    nights()
}

fn nights() -> anyhow::Result<()> {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/nightbench/nights-public.jsonl.gz");
    let folder = tempfile::tempdir()?;
    let mut text = String::new();
    let mut packed = flate2::read::MultiGzDecoder::new(std::fs::File::open(fixture)?);
    std::io::Read::read_to_string(&mut packed, &mut text)?;
    let lines: Vec<&str> = text.lines().cycle().take(NIGHTS).collect();
    let (file, out) = (folder.path().join("nights.jsonl"), folder.path().join("out.jsonl"));
    std::fs::write(&file, lines.join("\n"))?;
    let since = Instant::now();
    let mut simulate = Command::new(env!("CARGO_BIN_EXE_overnight"));
    let ended = simulate.arg("simulate").arg("--nights").arg(&file).arg("--out").arg(&out).status()?;
    anyhow::ensure!(ended.success(), "simulate ended with {ended}");
    println!("nights: {NIGHTS} nights planned in {:.1} s", since.elapsed().as_secs_f64());
    Ok(())
}

fn world(now: DateTime<Utc>) -> anyhow::Result<Snapshot> {
    let agent = Agent {
        name: "a".into(),
        kind: AgentKind::Command,
        argv: Argv::new(vec!["true".into()])?,
        model: None,
        hosts: vec![],
        fallback: vec![],
        reserve: 0.0,
        env_pass: vec![],
        env: BTreeMap::new(),
    };
    let projects = (0..5).map(|n| Project::new(format!("p{n}"), "/p")).collect();
    let settings = Arc::new(Settings { agents: vec![agent], projects, ..Settings::default() });
    let tasks: Vec<Task> = (0..QUEUED).map(|n| task(n, now)).collect();
    let record = |n: usize| Record {
        traits: expect::traits(&settings, &tasks[n * 17]),
        estimate: f64::from(tasks[n * 17].spec.estimate_minutes),
        minutes: 20.0 + (n * 37 % 200) as f64,
        ending: Ending::Done,
    };
    let history = Arc::new(History { records: (0..400).map(record).collect(), attempts: 3 });
    let until = now + TimeDelta::minutes(440);
    let sample = Sample { memory_total: 100, memory_available: 100, processes: 1, ..Sample::empty(now) };
    Ok(Snapshot {
        sessions: vec![Session::building(SessionId(1), now.date_naive(), now, until, until)],
        tasks,
        samples: vec![sample],
        outlook: Outlook { history, ..Outlook::default() },
        ..Snapshot::empty(Arc::clone(&settings), now + TimeDelta::minutes(1))
    })
}

fn task(n: usize, now: DateTime<Utc>) -> Task {
    const MINUTES: [u32; 10] = [30, 60, 90, 120, 180, 240, 300, 360, 420, 480];
    const PRIORITIES: [Priority; 4] = [Priority::Low, Priority::Medium, Priority::High, Priority::Critical];
    let spec = TaskSpec {
        title: format!("t{n}"),
        details: "Make the report faster, as measured, and say how.".into(),
        project: Some(format!("p{}", n % 5)),
        kind: TaskKind::Code,
        category: Category::ALL[n / 5 % 4],
        priority: PRIORITIES[n / 7 % 4],
        estimate_minutes: MINUTES[n / 3 % 10],
        not_before: None,
        depends_on: vec![],
        agent: None,
        command: vec![],
    };
    let id = TaskId(i64::try_from(n).unwrap_or(0) + 1);
    let (source, text_lock) = ("owner".into(), None);
    let state = TaskState::Open;
    Task { id, spec, state, revision: 1, text_lock, source, created_at: now, attempts: 0, retry_at: None }
}
