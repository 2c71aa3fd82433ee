//! The night's report: the JSON file written when spawning ends, with the mission's keys and the detail behind them.
//!
//! Left out: what an agent said about itself. Whoever reads the report reads what the host saw.

use super::build::Outcome;
use super::facts::{BuildFact, NightFacts, ProblemFact, Standing, TaskNight, by_task};
use super::incident::{Incident, IncidentFact};
use super::session::SessionKind;
use super::words::{file_name, hours};
use chrono::{DateTime, SecondsFormat, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

/// What [`Report::schema_version`] is; it grows when a key changes its meaning or goes.
pub const SCHEMA_VERSION: u32 = 1;

/// The report. Times are RFC 3339 in the owner's zone with its offset; hours are decimal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// `overnight_<unix seconds of the start>`.
    pub session_id: String,
    /// When the session really started.
    pub started_at: String,
    /// `SLEEPING` for a scheduled night, `AWAKE` for a session the owner started.
    pub context: String,
    /// Most builds at once.
    pub max_concurrent: u32,
    /// Hours from the start to this report, one decimal; 0 for a missed night.
    pub duration_hours: f64,
    /// Tasks of which a build was started; several attempts are one.
    pub tasks_spawned: u32,
    /// Tasks whose result was verified.
    pub tasks_completed: u32,
    /// Tasks of which a build is running.
    pub tasks_in_progress: u32,
    /// Tasks whose build waits for its provider or for an answer.
    pub tasks_waiting: u32,
    /// Hours the verified builds ran, two decimals.
    pub total_hours_shipped: f64,
    /// Problems fixed by the health check.
    pub problems_fixed: u32,
    /// Local date the night was scheduled to start on, `YYYY-MM-DD`.
    pub date: String,
    /// `nightly`, `manual` or `single`.
    pub kind: String,
    /// The session's phase when this was written; `missed` for a night that never ran.
    pub phase: String,
    /// Whether the owner ended the night.
    pub stopped: bool,
    /// Minutes the session began after its time; null if it was on time.
    pub started_late_minutes: Option<i64>,
    /// One entry a task, in the order they were started.
    pub tasks: Vec<TaskReport>,
    /// Tasks of earlier sessions that ended since the last brief; in none of the numbers above.
    pub finished_since: Vec<TaskReport>,
    /// What the health check saw.
    pub problems: Vec<ProblemReport>,
    /// Habits expected today.
    pub patterns: Vec<PatternReport>,
    /// When no build could be started.
    pub throttle_events: Vec<ThrottleReport>,
    /// When an agent's account could not be used.
    pub usage_limits: Vec<ThrottleReport>,
    /// Tokens agents used, of those that say so.
    pub tokens: u64,
    /// US dollars agents used, of those that say so, four decimals.
    pub cost_usd: f64,
    /// What was ended, refused or cut while commands ran.
    pub incidents: Vec<IncidentReport>,
    /// Locked tasks that wait for a tap.
    pub approvals_waiting: Vec<ApprovalReport>,
    /// Projects whose base was red.
    pub base_red: Vec<BaseRedReport>,
    /// When this machine slept or was off.
    pub slept: Vec<Stretch>,
    /// What the restore drill of this session came to; null: there was none.
    pub restore_drill: Option<String>,
    /// Dates (`YYYY-MM-DD`) of nights before this one that never ran.
    pub missed: Vec<String>,
}

/// One task of the night.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskReport {
    /// Its number.
    pub task: i64,
    /// Its title.
    pub title: String,
    /// Its category's stored word, such as `performance`.
    pub category: String,
    /// The last attempt's outcome, such as `verified`; null while it runs.
    pub outcome: Option<String>,
    /// Attempts of this night.
    pub attempts: u32,
    /// Hours the last attempt ran (so far), two decimals.
    pub runtime_hours: f64,
    /// Hours the owner estimated, two decimals.
    pub estimate_hours: f64,
    /// Percent (0–100) the agent claims; null if it claims none.
    pub progress: Option<u8>,
    /// Whether documentation is among the changed files.
    pub documentation_touched: bool,
    /// What the verify command found; null if it never ran.
    pub tests: Option<TestsReport>,
    /// Files changed.
    pub files: u32,
    /// Lines added.
    pub insertions: u32,
    /// Lines removed.
    pub deletions: u32,
    /// The commit it was built on.
    pub base: Option<String>,
    /// The commit the host made of the result.
    pub commit: Option<String>,
    /// Where the result is kept.
    #[serde(rename = "ref")]
    pub reference: Option<String>,
    /// File name of its log.
    pub log: String,
    /// Why it ended so; empty while it runs.
    pub reason: String,
    /// Its measure against its base's, such as `5.2× faster (210 ms → 40 ms)`.
    pub measured: Option<String>,
    /// When it should end; null for what has ended.
    pub expected_finish: Option<String>,
}

/// What the verify command found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestsReport {
    /// Tests that passed; null where the output does not say.
    pub passed: Option<u32>,
    /// Tests that failed; null where the output does not say.
    pub failed: Option<u32>,
    /// Tests that fail and did not on the base.
    pub broke: Vec<String>,
    /// Tests that failed on the base and pass now.
    pub mended: Vec<String>,
}

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProblemReport {
    /// What kind.
    pub kind: String,
    /// `info`, `warning` or `critical`.
    pub severity: String,
    /// What it is about.
    pub subject: String,
    /// What was seen.
    pub detail: String,
    /// What was done about it; null: nothing.
    pub fixed: Option<String>,
    /// Bytes the fix freed.
    pub freed_bytes: u64,
}

/// One habit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PatternReport {
    /// Its title.
    pub title: String,
    /// Its weekday.
    pub when: String,
    /// Weeks it came in.
    pub support: u32,
    /// Weeks it could have come in.
    pub of: u32,
    /// Estimated probability, 0–1, two decimals.
    pub confidence: f64,
    /// What was done about it.
    pub action: String,
}

/// A stretch without new builds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThrottleReport {
    /// From.
    pub from: String,
    /// Until; null: still.
    pub until: Option<String>,
    /// Why.
    pub reason: String,
}

/// Something that was ended, refused or cut.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentReport {
    /// The task whose build or check it was; null: the check of a base.
    pub task: Option<i64>,
    /// The project of a check.
    pub project: Option<String>,
    /// Which command: `setup`, `agent`, `verify`, `verify_again` or `measure`.
    pub step: String,
    /// What was seen, with its figures.
    #[serde(flatten)]
    pub incident: Incident,
    /// The same in words.
    pub text: String,
}

/// A locked task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalReport {
    /// Its number.
    pub task: i64,
    /// Its title.
    pub title: String,
    /// Its category's stored word.
    pub category: String,
}

/// A project whose base was red.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaseRedReport {
    /// Its name.
    pub project: String,
    /// What failed.
    pub detail: String,
}

/// From and until.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stretch {
    /// From.
    pub from: String,
    /// Until.
    pub until: String,
}

/// Makes the report of a night.
pub fn report(facts: &NightFacts) -> Report {
    let tasks = facts.tasks();
    let standing = |wanted: Standing| count(tasks.iter().filter(|task| task.last.standing() == wanted));
    let (session, zone) = (&facts.session, facts.zone);
    let missed = session.phase == super::session::Phase::Missed;
    let duration = if missed { 0.0 } else { hours(facts.now - session.started_at) };
    Report {
        schema_version: SCHEMA_VERSION,
        session_id: session.name(),
        started_at: local(session.started_at, zone),
        context: context(session.kind).into(),
        max_concurrent: facts.max_concurrent,
        duration_hours: rounded(duration, 10.0),
        tasks_spawned: count(tasks.iter()),
        tasks_completed: standing(Standing::Ready),
        tasks_in_progress: standing(Standing::Building),
        tasks_waiting: standing(Standing::Parked) + standing(Standing::Asking),
        total_hours_shipped: rounded(facts.hours_shipped(), 100.0),
        problems_fixed: count(facts.problems_fixed()),
        date: session.date.to_string(),
        kind: session.kind.as_str().into(),
        phase: session.phase.as_str().into(),
        stopped: facts.stopped_by_owner,
        started_late_minutes: facts.started_late_minutes,
        tasks: tasks.iter().map(|task| task_report(task, facts)).collect(),
        finished_since: by_task(&facts.finished_since).iter().map(|task| task_report(task, facts)).collect(),
        problems: facts.problems.iter().map(problem_report).collect(),
        patterns: facts.patterns.iter().map(pattern_report).collect(),
        throttle_events: throttles(&facts.throttles, facts.zone),
        usage_limits: throttles(&facts.closures, facts.zone),
        tokens: facts.used.tokens,
        cost_usd: (facts.used.usd * 10_000.0).round() / 10_000.0,
        incidents: facts.incidents.iter().map(incident_report).collect(),
        approvals_waiting: approvals(facts),
        base_red: base_red(facts),
        slept: facts
            .slept
            .iter()
            .map(|(from, to)| Stretch { from: local(*from, zone), until: local(*to, zone) })
            .collect(),
        restore_drill: facts.drill.as_ref().map(super::kept::Drill::text),
        missed: facts.missed_dates.iter().map(ToString::to_string).collect(),
    }
}

/// The mission's word for the owner's state.
pub fn context(kind: SessionKind) -> &'static str {
    match kind {
        SessionKind::Nightly => "SLEEPING",
        SessionKind::Manual | SessionKind::Single => "AWAKE",
    }
}

fn count<T>(items: impl Iterator<Item = T>) -> u32 {
    u32::try_from(items.count()).unwrap_or(u32::MAX)
}

/// A number rounded to tenths (`steps` 10) or hundredths (100).
fn rounded(value: f64, steps: f64) -> f64 {
    (value * steps).round() / steps
}

fn local(at: DateTime<Utc>, zone: Tz) -> String {
    at.with_timezone(&zone).to_rfc3339_opts(SecondsFormat::Secs, false)
}

fn task_report(task: &TaskNight<'_>, facts: &NightFacts) -> TaskReport {
    let fact = task.last;
    let (spec, build) = (&fact.task.spec, &fact.build);
    let change = build.change.clone().unwrap_or_default();
    TaskReport {
        task: fact.task.id.0,
        title: spec.title.clone(),
        category: spec.category.as_str().into(),
        outcome: build.outcome.map(|outcome: Outcome| outcome.as_str().into()),
        attempts: task.attempts,
        runtime_hours: rounded(hours(fact.runtime(facts.now)), 100.0),
        estimate_hours: rounded(f64::from(spec.estimate_minutes) / 60.0, 100.0),
        progress: build.progress,
        documentation_touched: change.docs_touched,
        tests: tests_report(fact),
        files: change.files,
        insertions: change.insertions,
        deletions: change.deletions,
        base: build.base.clone(),
        commit: build.result.clone(),
        reference: fact.result_ref.clone(),
        log: file_name(&fact.log_path).into(),
        reason: build.reason.clone(),
        measured: fact.measure_text.clone(),
        expected_finish: fact.expected_finish.filter(|_| build.outcome.is_none()).map(|at| local(at, facts.zone)),
    }
}

fn tests_report(fact: &BuildFact) -> Option<TestsReport> {
    use super::build::TestsVerdict::{Failed, Flaky, Passed};
    let verdict = fact.verdict.as_ref().filter(|v| matches!(v.tests, Passed | Failed | Flaky))?;
    let judgement = fact.judgement()?;
    Some(TestsReport {
        passed: verdict.counts.passed,
        failed: verdict.counts.failed,
        broke: judgement.broke,
        mended: judgement.mended,
    })
}

fn problem_report(problem: &ProblemFact) -> ProblemReport {
    let ProblemFact { kind, severity, subject, detail, fixed, freed_bytes } = problem.clone();
    ProblemReport { kind, severity, subject, detail, fixed, freed_bytes }
}

fn pattern_report(fact: &super::facts::PatternFact) -> PatternReport {
    PatternReport {
        title: fact.title.clone(),
        when: fact.when.clone(),
        support: fact.support,
        of: fact.of,
        confidence: rounded(fact.confidence, 100.0),
        action: fact.action.clone(),
    }
}

fn incident_report(fact: &IncidentFact) -> IncidentReport {
    IncidentReport {
        task: fact.task.map(|task| task.0),
        project: fact.project.clone(),
        step: fact.step.as_str().into(),
        incident: fact.incident.clone(),
        text: format!("{}: {}", fact.whose(), fact.words()),
    }
}

fn throttles(stretches: &[super::facts::ThrottleFact], zone: Tz) -> Vec<ThrottleReport> {
    let one = |t: &super::facts::ThrottleFact| ThrottleReport {
        from: local(t.from, zone),
        until: t.until.map(|at| local(at, zone)),
        reason: t.reason.clone(),
    };
    stretches.iter().map(one).collect()
}

fn approvals(facts: &NightFacts) -> Vec<ApprovalReport> {
    let one = |task: &super::task::Task| ApprovalReport {
        task: task.id.0,
        title: task.spec.title.clone(),
        category: task.spec.category.as_str().into(),
    };
    facts.waiting_approval.iter().map(one).collect()
}

fn base_red(facts: &NightFacts) -> Vec<BaseRedReport> {
    let one =
        |red: &super::facts::BaseRedFact| BaseRedReport { project: red.project.clone(), detail: red.detail.clone() };
    facts.base_red.iter().map(one).collect()
}

#[cfg(test)]
mod tests;
