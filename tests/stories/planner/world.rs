//! Everything the database would hold, as plain rows, and the look the planner gets at it.

use super::dice::Dice;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use overnight::domain::approval::Approval;
use overnight::domain::build::{Build, BuildStep, Check, CheckPurpose, CheckStep, Outcome, Run, RunEnding, RunOwner};
use overnight::domain::forecast::{Ending, History, Record};
use overnight::domain::id::{BuildId, RunId, SessionId, TaskId};
use overnight::domain::plan::outlook::Outlook;
use overnight::domain::plan::{Effect, Gap, Snapshot, expect};
use overnight::domain::provider::Provider;
use overnight::domain::resource::Sample;
use overnight::domain::session::{Phase, Session, SessionKind};
use overnight::domain::settings::Settings;
use overnight::domain::task::{Task, TaskState};
use overnight::domain::throttle::OpenThrottle;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// A session with what the planner never sees of it.
#[derive(Debug, Clone)]
pub(super) struct SessionRow {
    pub(super) session: Session,
    /// How often its owner was told how it went.
    pub(super) told: u32,
}

/// An approval; void once edited, withdrawn or over.
#[derive(Debug, Clone)]
pub(super) struct ApprovalRow {
    pub(super) approval: Approval,
    pub(super) voided: bool,
}

/// What goes on where the planner can't see it. All times are real ones.
#[derive(Debug, Clone)]
pub(super) struct Outside {
    /// Effects under way, and when each is done.
    pub(super) effects: Vec<(DateTime<Utc>, Effect)>,
    /// Runs under way, when each ends and how.
    pub(super) runs: Vec<(DateTime<Utc>, RunId, RunEnding)>,
    /// When chance strikes next.
    pub(super) strikes_at: DateTime<Utc>,
    /// Nothing goes wrong any more.
    pub(super) calm: bool,
    /// Used share of each disk, in percent.
    pub(super) disks: [u64; 2],
    /// Available share of memory, in percent.
    pub(super) memory: u64,
    /// Kernel memory pressure.
    pub(super) psi: Option<f64>,
    /// Days that were kept.
    pub(super) kept: BTreeSet<NaiveDate>,
    /// The night of the last restore that was tried.
    pub(super) drilled: Option<NaiveDate>,
}

impl Outside {
    pub(super) fn calm(real: DateTime<Utc>) -> Self {
        Self {
            effects: vec![],
            runs: vec![],
            strikes_at: real,
            calm: false,
            disks: [40, 50],
            memory: 60,
            psi: Some(0.0),
            kept: BTreeSet::new(),
            drilled: None,
        }
    }
}

/// One world. Row numbers are places in these lists, counted from 1.
#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) dice: Dice,
    /// Time as it really passes.
    pub(super) real: DateTime<Utc>,
    /// How far the machine's clock is ahead of it.
    pub(super) ahead: TimeDelta,
    pub(super) installed_at: DateTime<Utc>,
    pub(super) settings: Arc<Settings>,
    pub(super) paused: bool,
    pub(super) skipped: BTreeSet<chrono::NaiveDate>,
    pub(super) sessions: Vec<SessionRow>,
    pub(super) tasks: Vec<Task>,
    pub(super) approvals: Vec<ApprovalRow>,
    pub(super) builds: Vec<Build>,
    pub(super) checks: Vec<Check>,
    pub(super) runs: Vec<Run>,
    pub(super) samples: Vec<Sample>,
    pub(super) gaps: Vec<Gap>,
    pub(super) throttles: Vec<OpenThrottle>,
    pub(super) providers: Vec<Provider>,
    pub(super) in_flight: BTreeSet<Effect>,
    /// Launches of each action's command since the tap that allowed it.
    pub(super) action_runs: BTreeMap<TaskId, u32>,
    pub(super) outside: Outside,
    /// How often each thing happened, over the whole life.
    pub(super) counts: BTreeMap<&'static str, u64>,
    /// The last events, when somebody wants to read them.
    pub(super) story: Option<VecDeque<String>>,
}

/// A row by its number.
pub(super) fn row<T>(rows: &[T], id: i64) -> &T {
    &rows[usize::try_from(id - 1).unwrap()]
}

/// A row by its number, to change it.
pub(super) fn row_mut<T>(rows: &mut [T], id: i64) -> &mut T {
    &mut rows[usize::try_from(id - 1).unwrap()]
}

impl World {
    /// The machine's clock.
    pub(super) fn now(&self) -> DateTime<Utc> {
        self.real + self.ahead
    }

    /// Notes an event for the story and the statistics.
    pub(super) fn note(&mut self, kind: &'static str, text: impl FnOnce() -> String) {
        *self.counts.entry(kind).or_default() += 1;
        let now = self.now();
        if let Some(story) = &mut self.story {
            let local = self.settings.schedule.local(now);
            story.push_back(format!("{} {kind}: {}", local.format("%m-%d %H:%M:%S"), text()));
            if story.len() > 30 {
                story.pop_front();
            }
        }
    }

    pub(super) fn is_open(&self, build: BuildId) -> bool {
        row(&self.builds, build.0).step != BuildStep::Ended
    }

    pub(super) fn open_builds(&self) -> impl Iterator<Item = &Build> {
        self.builds.iter().filter(|build| build.step != BuildStep::Ended)
    }

    pub(super) fn task(&self, id: TaskId) -> &Task {
        row(&self.tasks, id.0)
    }

    /// `store::snapshot::load`, row by row.
    pub(super) fn snapshot(&self) -> Snapshot {
        let now = self.now();
        let every = TimeDelta::from_std(self.settings.sample_every).unwrap();
        let samples = self.samples.iter().filter(|s| s.at <= now && s.at >= now - TimeDelta::minutes(15));
        let samples: Vec<Sample> = samples.cloned().collect();
        let tasks: Vec<Task> = self.tasks.iter().filter(|task| waits(task)).cloned().collect();
        let (completed, gone) = self.dependencies(&tasks);
        let approvals = self.approvals.iter().filter(|a| !a.voided && waits(self.task(a.approval.task)));
        let nightly = self.sessions.iter().filter(|row| row.session.kind == SessionKind::Nightly);
        Snapshot {
            settings: Arc::clone(&self.settings),
            installed_at: Some(self.installed_at),
            nights_seen: nightly.map(|row| row.session.date).collect(),
            skipped: self.skipped.clone(),
            paused: self.paused,
            sessions: self.current_sessions(now),
            completed,
            gone,
            approvals: approvals.map(|row| row.approval.clone()).collect(),
            builds: self.open_builds().cloned().collect(),
            checks: self.checks.iter().filter(|check| self.check_matters(check)).cloned().collect(),
            runs: self.runs.iter().filter(|run| self.run_matters(run)).cloned().collect(),
            sample_due: samples.last().map_or(now, |last| last.at + every),
            ships: vec![],
            samples,
            gaps: self.gaps.clone(),
            throttles: self.throttles.clone(),
            barred: None,
            providers: self.providers.clone(),
            spent: BTreeMap::new(),
            kept: self.outside.kept.clone(),
            drilled: self.outside.drilled,
            in_flight: self.in_flight.clone(),
            outlook: self.outlook(),
            tasks,
        }
    }

    /// `store::outlook::load`, row by row.
    fn outlook(&self) -> Outlook {
        let ended = self.builds.iter().filter_map(|build| Some((build, build.ended_at?, build.outcome?)));
        let record = |(build, at, outcome): (&Build, DateTime<Utc>, Outcome)| {
            let task = self.task(build.task);
            let (ending, whole) = Ending::of(outcome);
            let minutes = (at - build.started_at - build.waited).as_seconds_f64() / 60.0;
            let minutes = if whole { minutes } else { 0.0 };
            let traits = expect::traits(&self.settings, task);
            Record { traits, estimate: f64::from(task.spec.estimate_minutes), minutes, ending }
        };
        let records = ended.map(record).collect();
        let history = Arc::new(History { records, attempts: self.settings.build.max_attempts });
        Outlook { history, ..Outlook::default() }
    }

    fn has_open_build(&self, session: SessionId) -> bool {
        self.open_builds().any(|build| build.session == session)
    }

    fn current_sessions(&self, now: DateTime<Utc>) -> Vec<Session> {
        let current = self.sessions.iter().map(|row| &row.session).filter(|session| {
            session.is_open()
                || (session.phase == Phase::Missed && session.reported_at.is_none())
                || session.keep_until.is_some_and(|keep| keep > now)
                || self.has_open_build(session.id)
        });
        current.cloned().collect()
    }

    fn check_matters(&self, check: &Check) -> bool {
        let session = &row(&self.sessions, check.session.0).session;
        check.step != CheckStep::Ended
            || check.build.is_some_and(|build| self.is_open(build))
            || (check.purpose == CheckPurpose::Base
                && (session.is_open() || session.keep_until.is_some() || self.has_open_build(session.id)))
    }

    fn run_matters(&self, run: &Run) -> bool {
        match run.owner {
            RunOwner::Build(build) => self.is_open(build),
            RunOwner::Check(check) => row(&self.checks, check.0).step != CheckStep::Ended,
        }
    }

    #[expect(clippy::type_complexity, reason = "two fields of the snapshot")]
    fn dependencies(&self, waiting: &[Task]) -> (BTreeMap<TaskId, Option<(String, String)>>, BTreeSet<TaskId>) {
        let (mut completed, mut gone) = (BTreeMap::new(), BTreeSet::new());
        for id in waiting.iter().flat_map(|task| &task.spec.depends_on) {
            let needs = self.task(*id);
            let last = self.builds.iter().rfind(|build| build.task == *id);
            let verified = last.and_then(|build| build.outcome) == Some(Outcome::Verified);
            match needs.state {
                TaskState::Done if verified => {
                    let result = last.and_then(|build| build.result.clone());
                    completed.insert(*id, needs.spec.project.clone().zip(result));
                }
                TaskState::Done | TaskState::Dropped => {
                    gone.insert(*id);
                }
                TaskState::Open | TaskState::Draft => {}
            }
        }
        (completed, gone)
    }
}

fn waits(task: &Task) -> bool {
    matches!(task.state, TaskState::Open | TaskState::Draft)
}
