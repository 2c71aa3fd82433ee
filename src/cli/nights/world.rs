//! A made-up night as the planner's snapshot. A night's owner is who asked for a task, its category a project, and what is
//! not approved is a locked category.

use super::visible::{Decision, Ended, Night, Past, View, Wanted};
use crate::domain::build::{Build, BuildStep};
use crate::domain::category::Category;
use crate::domain::forecast::{Ending, History, Record};
use crate::domain::id::{BuildId, SessionId, TaskId};
use crate::domain::plan::outlook::{Closure, Outlook};
use crate::domain::plan::{Action, Snapshot, expect, plan};
use crate::domain::resource::Sample;
use crate::domain::session::Session;
use crate::domain::settings::{Agent, AgentKind, Argv, BuildSettings, Project, ResourceSettings, Settings};
use crate::domain::task::{Task, TaskKind, TaskSpec, TaskState};
use anyhow::{Context, ensure};
use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// A night under way.
pub(super) struct World {
    snapshot: Snapshot,
    begins: DateTime<Utc>,
    numbers: HashMap<String, TaskId>,
    names: Vec<String>,
    tried: BTreeMap<TaskId, u32>,
}

impl World {
    /// The night as it is seen before anything has begun.
    pub(super) fn new(night: &Night) -> anyhow::Result<Self> {
        let begins = Utc.with_ymd_and_hms(2026, 1, 1, 23, 10, 0).single().context("no such time")?;
        let numbers: HashMap<String, TaskId> =
            (1..).zip(&night.tasks).map(|(number, task)| (task.id.clone(), TaskId(number))).collect();
        ensure!(numbers.len() == night.tasks.len(), "night {}: two tasks have the same id", night.id);
        let tasks: Vec<Task> =
            night.tasks.iter().map(|wanted| task(wanted, &numbers, begins)).collect::<anyhow::Result<_>>()?;
        let settings = Arc::new(settings(night)?);
        let records = night.history.iter().map(|past| records(past, &settings)).collect::<anyhow::Result<Vec<_>>>()?;
        let history = History { records: records.into_iter().flatten().collect(), attempts: night.max_attempts };
        let lost = night.tasks.iter().filter(|task| !task.checkpointable).map(|task| numbers[&task.id]).collect();
        let outlook = Outlook { history: Arc::new(history), lost_at_the_end: lost, ..Outlook::default() };
        let names = night.tasks.iter().map(|task| task.id.clone()).collect();
        let ends = begins + TimeDelta::minutes(night.window_minutes);
        let session = Session::building(SessionId(1), begins.date_naive(), begins, ends, ends);
        let snapshot = snapshot(settings, session, tasks, outlook, begins);
        Ok(Self { snapshot, begins, numbers, names, tried: BTreeMap::new() })
    }

    fn at(&self, minute: i64) -> DateTime<Utc> {
        self.begins + TimeDelta::minutes(minute)
    }

    fn number(&self, task: &str) -> anyhow::Result<TaskId> {
        self.numbers.get(task).copied().with_context(|| format!("there is no task {task:?} in this night"))
    }

    /// What the planner does about a view.
    pub(super) fn decide(&mut self, view: &View) -> anyhow::Result<Decision> {
        for ended in &view.ended {
            self.end(ended)?;
        }
        let now = self.at(view.t);
        self.snapshot.builds =
            view.running.iter().map(|run| self.build(&run.task, run.start)).collect::<Result<_, _>>()?;
        self.snapshot.outlook.free = Some(view.free.len());
        self.snapshot.outlook.closures = view
            .windows
            .iter()
            .filter(|window| window.kind == "limit" || window.to > view.t)
            .map(|window| Closure {
                from: self.at(window.from),
                until: self.at(window.to),
                stands_still: window.kind == "limit",
                places: window.slots,
            })
            .collect();
        self.snapshot.sample_due = now + TimeDelta::minutes(1);
        let started: Vec<TaskId> = plan(&self.snapshot, now)
            .actions
            .into_iter()
            .filter_map(|action| if let Action::StartBuild(new) = action { Some(new.task) } else { None })
            .collect();
        let start = started
            .into_iter()
            .map(|id| {
                *self.tried.entry(id).or_default() += 1;
                (self.names[usize::try_from(id.0 - 1).unwrap_or_default()].clone(), None)
            })
            .collect();
        Ok(Decision { start, kill: vec![] })
    }

    fn end(&mut self, ended: &Ended) -> anyhow::Result<()> {
        let id = self.number(&ended.task)?;
        let tried = self.tried.get(&id).copied().unwrap_or(1);
        let Some(at) = self.snapshot.tasks.iter().position(|task| task.id == id) else { return Ok(()) };
        let ending = match ended.result.as_str() {
            "done" => Some(Ending::Done),
            "failed" => Some(Ending::Failed),
            "transient" => Some(Ending::Transient),
            _ => None,
        };
        if let Some(ending) = ending {
            let task = &self.snapshot.tasks[at];
            let (traits, estimate) = (expect::traits_of(&self.snapshot, task), f64::from(task.spec.estimate_minutes));
            let minutes = ended.worked as f64;
            Arc::make_mut(&mut self.snapshot.outlook.history).records.push(Record {
                traits,
                estimate,
                minutes,
                ending,
            });
        }
        let again = ending == Some(Ending::Transient) && tried < self.snapshot.settings.build.max_attempts;
        if again {
            self.snapshot.tasks[at].attempts = tried;
            let lasted = self.snapshot.outlook.lasted.entry(id).or_default();
            *lasted = lasted.max(ended.worked as f64);
            return Ok(());
        }
        self.snapshot.tasks.remove(at);
        if ending == Some(Ending::Done) {
            self.snapshot.completed.insert(id, None);
        } else {
            self.snapshot.gone.insert(id);
        }
        Ok(())
    }

    fn build(&self, task: &str, start: i64) -> anyhow::Result<Build> {
        let id = self.number(task)?;
        let attempt = self.tried.get(&id).copied().unwrap_or(1);
        let begun = Build::begun(BuildId(id.0), id, SessionId(1), attempt, Some(AGENT.into()), self.at(start));
        Ok(Build { step: BuildStep::Working, prepared: true, ..begun })
    }
}

const AGENT: &str = "agent";
/// Runs without approval, and the one that needs it, by default.
const FREE: Category = Category::Documentation;
const LOCKED: Category = Category::NewFeature;

fn task(wanted: &Wanted, numbers: &HashMap<String, TaskId>, begins: DateTime<Utc>) -> anyhow::Result<Task> {
    let needs = |name: &String| {
        numbers.get(name).copied().with_context(|| format!("{} needs {name}, which is not there", wanted.id))
    };
    let spec = TaskSpec {
        title: wanted.id.clone(),
        details: String::new(),
        project: Some(wanted.category.clone()),
        kind: TaskKind::Code,
        category: if wanted.approved { FREE } else { LOCKED },
        priority: wanted.priority.parse()?,
        estimate_minutes: wanted.estimate_minutes,
        not_before: None,
        depends_on: wanted.depends_on.iter().map(needs).collect::<anyhow::Result<_>>()?,
        agent: None,
        command: vec![],
    };
    Ok(Task {
        id: numbers[&wanted.id],
        spec,
        state: TaskState::Open,
        revision: 1,
        text_lock: None,
        source: wanted.owner.clone(),
        created_at: begins,
        attempts: 0,
        retry_at: None,
    })
}

/// A past task as the attempts it took: those that broke off, of which only the number is known, and the last.
fn records(past: &Past, settings: &Settings) -> anyhow::Result<Vec<Record>> {
    let ending = match past.outcome.as_str() {
        "done" => Ending::Done,
        "failed" => Ending::Failed,
        "cut" => Ending::Cut,
        other => anyhow::bail!("a past task's outcome is {other:?}: done, failed or cut is expected"),
    };
    let agent = settings.agents.first().map(|agent| agent.name.clone()).unwrap_or_default();
    let traits = crate::domain::forecast::Traits {
        asker: past.owner.clone(),
        category: FREE.as_str().into(),
        project: past.category.clone(),
        agent,
    };
    let record = Record { traits, estimate: past.estimate_minutes, minutes: past.actual_minutes, ending };
    let broke_off = Record { minutes: 0.0, ending: Ending::Transient, ..record.clone() };
    let mut records = vec![record];
    records.extend((0..past.transients).map(|_| broke_off.clone()));
    Ok(records)
}

fn settings(night: &Night) -> anyhow::Result<Settings> {
    let agent = Agent {
        name: AGENT.into(),
        kind: AgentKind::Command,
        argv: Argv::new(vec!["true".into()])?,
        model: None,
        hosts: vec![],
        fallback: vec![],
        reserve: 0.0,
        env_pass: vec![],
        env: BTreeMap::new(),
    };
    let kinds: BTreeSet<&str> = night.tasks.iter().map(|task| task.category.as_str()).collect();
    Ok(Settings {
        limits: ResourceSettings { max_builds: night.slots, ..ResourceSettings::default() },
        build: BuildSettings { max_attempts: night.max_attempts, ..BuildSettings::default() },
        projects: kinds.into_iter().map(|kind| Project::new(kind, "/")).collect(),
        agents: vec![agent],
        ..Settings::default()
    })
}

fn snapshot(
    settings: Arc<Settings>,
    session: Session,
    tasks: Vec<Task>,
    outlook: Outlook,
    begins: DateTime<Utc>,
) -> Snapshot {
    let healthy = Sample { memory_total: 100, memory_available: 100, processes: 1, ..Sample::empty(begins) };
    Snapshot {
        sessions: vec![session],
        tasks,
        samples: vec![healthy],
        outlook,
        ..Snapshot::empty(settings, begins + TimeDelta::minutes(1))
    }
}
