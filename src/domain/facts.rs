//! What is known of one night when its report and brief are made, and the few things both derive from it alike.
//!
//! Everything is gathered by the caller; nothing here looks anything up. Several attempts at one task are one task.

use super::build::{Build, Outcome, Used, Verdict, Wait};
use super::id::TaskId;
use super::incident::IncidentFact;
use super::kept::Drill;
use super::session::Session;
use super::task::Task;
use super::test_output::{Judgement, judge};
use super::words::hours;
use chrono::{DateTime, Duration, NaiveDate, Utc};
use chrono_tz::Tz;

/// One night.
#[derive(Debug, Clone, PartialEq)]
pub struct NightFacts {
    /// The session. [`super::session::Phase::Missed`]: the night never ran.
    pub session: Session,
    /// The owner's zone.
    pub zone: Tz,
    /// When the report or brief is made.
    pub now: DateTime<Utc>,
    /// Most builds at once.
    pub max_concurrent: u32,
    /// Every build started in the session, running ones included.
    pub builds: Vec<BuildFact>,
    /// What the health check found.
    pub problems: Vec<ProblemFact>,
    /// Habits expected today.
    pub patterns: Vec<PatternFact>,
    /// When no build could be started, and why.
    pub throttles: Vec<ThrottleFact>,
    /// When an agent's account could not be used, and why.
    pub closures: Vec<ThrottleFact>,
    /// Builds of earlier sessions that still wait for their provider or an answer; in none of the totals.
    pub parked_before: Vec<BuildFact>,
    /// What agents have used, of those that say so.
    pub used: Used,
    /// The cap of the night's budget that they have reached.
    pub capped: Option<String>,
    /// Locked tasks without an approval, in queue order.
    pub waiting_approval: Vec<Task>,
    /// Tasks in the queue, whatever they wait for.
    pub queue_open: u32,
    /// Those of them that can be built tonight.
    pub queue_ready_tonight: u32,
    /// Projects whose base was red before anything was built on it.
    pub base_red: Vec<BaseRedFact>,
    /// Stretches in which this machine slept or was off.
    pub slept: Vec<(DateTime<Utc>, DateTime<Utc>)>,
    /// Nights before this one that never ran and were not told of yet.
    pub missed_dates: Vec<NaiveDate>,
    /// Minutes the session began after its time; none if it was on time.
    pub started_late_minutes: Option<i64>,
    /// Whether the owner ended the night.
    pub stopped_by_owner: bool,
    /// What was ended, refused or cut while commands ran, in their order.
    pub incidents: Vec<IncidentFact>,
    /// The restore that was tried in this session.
    pub drill: Option<Drill>,
    /// Builds of earlier sessions that ended after those sessions' brief: told once, counted in none of the totals.
    pub finished_since: Vec<BuildFact>,
}

/// From when until when; none: still.
pub type Stretch = (DateTime<Utc>, Option<DateTime<Utc>>);

/// One build with what was found of it.
#[derive(Debug, Clone, PartialEq)]
pub struct BuildFact {
    /// The build.
    pub build: Build,
    /// Its task.
    pub task: Task,
    /// What its check found, once it was checked.
    pub verdict: Option<Verdict>,
    /// What the check of its base found.
    pub base_verdict: Option<Verdict>,
    /// Path of its log; only the file's name is shown.
    pub log_path: String,
    /// Where the result is kept: a ref in the vault, or a folder for an artifact.
    pub result_ref: Option<String>,
    /// When it should end, for a running one: half of such builds have by then.
    pub expected_finish: Option<DateTime<Utc>>,
    /// When 8 of 10 such builds have ended.
    pub finish_at_most: Option<DateTime<Utc>>,
    /// The stretches in which it was worked on, in order, the last one open while it runs; empty: all of its time.
    pub stretches: Vec<Stretch>,
    /// Its measure compared with its base's, from [`super::test_output::speed`].
    pub measure_text: Option<String>,
}

/// One problem the health check saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProblemFact {
    /// What kind, such as `disk` or `logs`.
    pub kind: String,
    /// `info`, `warning` or `critical`.
    pub severity: String,
    /// What it is about: a path's last part, a database's name.
    pub subject: String,
    /// What was seen.
    pub detail: String,
    /// What was done about it, in words; none: nothing.
    pub fixed: Option<String>,
    /// Bytes the fix freed.
    pub freed_bytes: u64,
}

impl ProblemFact {
    /// Whether it needs the owner: critical and not fixed.
    pub fn needs_owner(&self) -> bool {
        self.fixed.is_none() && self.severity == "critical"
    }
}

/// One habit and what was done about it.
#[derive(Debug, Clone, PartialEq)]
pub struct PatternFact {
    /// Its title.
    pub title: String,
    /// Its weekday, such as `Thursday`.
    pub when: String,
    /// Weeks it came in.
    pub support: u32,
    /// Weeks it could have come in.
    pub of: u32,
    /// Estimated probability, 0–1.
    pub confidence: f64,
    /// What was done, such as `queued as #14`.
    pub action: String,
}

/// A stretch in which no build could be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThrottleFact {
    /// From.
    pub from: DateTime<Utc>,
    /// Until; none: still.
    pub until: Option<DateTime<Utc>>,
    /// Why, such as `disk above 80 %`.
    pub reason: String,
}

/// A project whose base was red.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseRedFact {
    /// Its name.
    pub project: String,
    /// What failed.
    pub detail: String,
}

/// Where a task stands after a night, for the owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Standing {
    /// Verified: counted as completed.
    Ready,
    /// A build of it is running.
    Building,
    /// Its build waits for its provider, or for room to go on.
    Parked,
    /// Its agent asked the owner something and waits for the answer.
    Asking,
    /// A passing failure; it will be tried again by itself.
    Again,
    /// Something its agent asked for was denied: what it left may be short of something.
    Denied,
    /// It may have worked, but nothing proved it.
    Unproven,
    /// It did not work.
    Failed,
    /// The owner or the disk guard ended it.
    Stopped,
    /// An action of which it can't be known whether it happened.
    Unclear,
}

impl BuildFact {
    /// Where it leaves its task.
    pub fn standing(&self) -> Standing {
        use super::task::TaskState::Open;
        match self.build.outcome {
            None => match self.build.wait {
                None => Standing::Building,
                Some(Wait::Answer { answer: None, .. }) => Standing::Asking,
                Some(_) => Standing::Parked,
            },
            Some(Outcome::Denied) => Standing::Denied,
            Some(Outcome::Verified) => Standing::Ready,
            Some(Outcome::Unverified | Outcome::Flaky | Outcome::OverBudget) => Standing::Unproven,
            Some(Outcome::Transient) if self.task.state == Open => Standing::Again,
            Some(Outcome::Stopped | Outcome::Cancelled) => Standing::Stopped,
            Some(Outcome::Unknown) => Standing::Unclear,
            Some(
                Outcome::TestsFailed | Outcome::NoChange | Outcome::Failed | Outcome::Transient | Outcome::TimedOut,
            ) => Standing::Failed,
        }
    }

    /// How long it was worked on so far; waits are not counted.
    pub fn runtime(&self, now: DateTime<Utc>) -> Duration {
        self.build.worked(now)
    }

    /// What its check says; none before there is one.
    pub fn judgement(&self) -> Option<Judgement> {
        self.verdict.as_ref().map(|verdict| judge(self.base_verdict.as_ref(), verdict))
    }
}

/// A task with its attempts of the night.
#[derive(Debug, Clone, Copy)]
pub struct TaskNight<'a> {
    /// The attempt that decides where the task stands: the last one.
    pub last: &'a BuildFact,
    /// How many there were.
    pub attempts: u32,
}

impl NightFacts {
    /// The night's tasks in the order of their first build.
    pub fn tasks(&self) -> Vec<TaskNight<'_>> {
        by_task(&self.builds)
    }

    /// Hours of verified builds: what was shipped, in the mission's word.
    pub fn hours_shipped(&self) -> f64 {
        self.tasks()
            .iter()
            .filter(|task| task.last.standing() == Standing::Ready)
            .map(|task| hours(task.last.runtime(self.now)))
            .sum()
    }

    /// Problems that were fixed.
    pub fn problems_fixed(&self) -> impl Iterator<Item = &ProblemFact> {
        self.problems.iter().filter(|problem| problem.fixed.is_some())
    }
}

/// Builds gathered by task, in the order of their first build.
pub fn by_task(builds: &[BuildFact]) -> Vec<TaskNight<'_>> {
    let mut order: Vec<&BuildFact> = builds.iter().collect();
    order.sort_by_key(|fact| (fact.build.started_at, fact.build.id));
    let mut place: std::collections::BTreeMap<TaskId, usize> = std::collections::BTreeMap::new();
    let mut tasks: Vec<TaskNight<'_>> = vec![];
    for fact in order {
        if let Some(known) = place.get(&fact.task.id).and_then(|at| tasks.get_mut(*at)) {
            known.attempts += 1;
            known.last = later(known.last, fact);
        } else {
            place.insert(fact.task.id, tasks.len());
            tasks.push(TaskNight { last: fact, attempts: 1 });
        }
    }
    tasks
}

fn later<'a>(a: &'a BuildFact, b: &'a BuildFact) -> &'a BuildFact {
    if (b.build.attempt, b.build.id) > (a.build.attempt, a.build.id) { b } else { a }
}

#[cfg(test)]
pub(crate) mod sample;
