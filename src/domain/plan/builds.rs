//! How a build walks from its clone to its outcome.

use super::runs::{TRY_AGAIN, describe, stop_due};
use super::{Action, BuildEnd, Effect, Snapshot, TaskAfter, resume};
use crate::domain::agent::{AgentOutcome, AgentReport};
use crate::domain::build::{Build, BuildStep, HostFailure, Outcome, Run, RunEnding, RunOwner, RunStep, StopReason};
use crate::domain::settings::Project;
use crate::domain::task::{Task, TaskKind};
use crate::domain::test_output::judge;
use chrono::{DateTime, TimeDelta, Utc};

/// What a build needs next.
pub(super) fn next(
    world: &Snapshot,
    build: &Build,
    stop_for_disk: Option<&str>,
    now: DateTime<Utc>,
    actions: &mut Vec<Action>,
) {
    let task = world.task(build.task);
    let walk = Walk { world, build, task, project: task.and_then(|task| project(world, task)), stop_for_disk, now };
    actions.extend(walk.next());
}

fn project<'a>(world: &'a Snapshot, task: &Task) -> Option<&'a Project> {
    task.spec.project.as_deref().and_then(|name| world.settings.project(name))
}

/// Why an agent's run came to what it did, in words that stand by themselves.
fn words(report: &AgentReport) -> String {
    report.why.strip_prefix("it ").map_or_else(|| report.why.clone(), |rest| format!("the agent {rest}"))
}

/// How an agent ended whose result is checked.
enum Clean {
    /// All is there, as far as it knows.
    Whole,
    /// Something may be missing: the outcome that says so, and why.
    Short(Outcome, String),
}

/// Whether the agent's own end is to be believed: nobody else ended it.
fn ended_by_itself(ending: &RunEnding) -> bool {
    matches!(ending, RunEnding::Exited { .. } | RunEnding::Signaled { .. })
}

struct Walk<'a> {
    world: &'a Snapshot,
    build: &'a Build,
    task: Option<&'a Task>,
    project: Option<&'a Project>,
    stop_for_disk: Option<&'a str>,
    now: DateTime<Utc>,
}

impl Walk<'_> {
    fn next(&self) -> Option<Action> {
        let Some(task) = self.task else {
            // Its task was dropped: stop what runs, then end.
            return self.stop_or(|walk| walk.end(Outcome::Stopped, "its task was dropped"));
        };
        match self.build.step {
            BuildStep::Preparing => self.preparing(task),
            BuildStep::SettingUp => self.setting_up(),
            BuildStep::Working => self.working(task),
            BuildStep::Parked => self.parked(),
            BuildStep::Collecting => self.collecting(task),
            BuildStep::Checking => self.checking(task),
            BuildStep::Ended => None,
        }
    }

    fn owner(&self) -> RunOwner {
        RunOwner::Build(self.build.id)
    }

    fn asked_to_stop(&self) -> Option<StopReason> {
        self.build.stop_requested.or(self.task.is_none().then_some(StopReason::Owner))
    }

    /// Stops this build's live run if there is one; otherwise does `or`.
    fn stop_or(&self, or: impl FnOnce(&Self) -> Option<Action>) -> Option<Action> {
        let live = self.world.runs.iter().find(|run| run.owner == self.owner() && run.ended.is_none());
        match live {
            Some(run) => stop_due(self.world, run, self.asked_to_stop(), self.stop_for_disk, self.now),
            None => or(self),
        }
    }

    fn preparing(&self, task: &Task) -> Option<Action> {
        if let Some(stopped) = self.stopped_before_work() {
            return Some(stopped);
        }
        if task.spec.kind == TaskKind::Action {
            return self.advance(BuildStep::Working);
        }
        if let Some(failure) = &self.build.host_failure {
            return self.end_host_failure(failure);
        }
        if self.build.prepared {
            return self.advance(BuildStep::SettingUp);
        }
        self.begin(Effect::PrepareBuild(self.build.id))
    }

    fn stopped_before_work(&self) -> Option<Action> {
        match (self.build.stop_requested, self.stop_for_disk) {
            (Some(_), _) => self.end(Outcome::Stopped, "stopped by the owner"),
            (None, Some(disk)) => self.end_cancelled(disk),
            (None, None) => None,
        }
    }

    fn setting_up(&self) -> Option<Action> {
        if self.project.and_then(|project| project.setup.as_ref()).is_none() {
            return self.stopped_before_work().or_else(|| self.advance(BuildStep::Working));
        }
        match self.run_to_end(RunStep::Setup) {
            Err(action) => action,
            Ok(RunEnding::Exited { code: 0 }) => self.advance(BuildStep::Working),
            Ok(ending) => self.end_badly(&format!("the setup command {}", describe(ending)), ending),
        }
    }

    fn working(&self, task: &Task) -> Option<Action> {
        let ending = match self.run_to_end(RunStep::Agent) {
            Err(action) => return action,
            Ok(ending) => ending,
        };
        if task.spec.kind == TaskKind::Action {
            return self.end_action(ending);
        }
        let run = self.world.agent_run(self.build)?;
        let report = run.report.as_ref().filter(|_| ended_by_itself(ending));
        // One that was silent because it waited for its provider, as what it said before shows, has to wait here.
        let waited = run.report.as_ref().filter(|_| ended_by_itself(ending) || *ending == RunEnding::Silent);
        if let Some(report) = waited
            && self.asked_to_stop().is_none()
            && let Some(parked) = resume::park(self.world, self.build, run, report, self.now)
        {
            return Some(parked);
        }
        match (ending, report.map(|report| report.outcome)) {
            (RunEnding::Exited { code: TRY_AGAIN }, None)
            | (RunEnding::Lost | RunEnding::NotStarted { .. } | RunEnding::Silent, _) => {
                self.end_badly(&format!("the agent {}", describe(ending)), ending)
            }
            (_, Some(AgentOutcome::Transient | AgentOutcome::Interrupted | AgentOutcome::Hung)) => {
                self.end_transient(&report.map(words).unwrap_or_default())
            }
            // However it ended, what it left is collected: nothing is lost, even of a build that was stopped.
            _ => self.advance(BuildStep::Collecting),
        }
    }

    /// A build that waits holds no permit; only a stop moves it from here, and what it has done so far is collected. It
    /// goes on where new builds are chosen.
    fn parked(&self) -> Option<Action> {
        self.asked_to_stop().and_then(|_| self.advance(BuildStep::Collecting))
    }

    fn collecting(&self, task: &Task) -> Option<Action> {
        let failure = self.build.host_failure.as_ref();
        if self.build.change.is_none() && failure.is_none() {
            return self.begin(Effect::Collect(self.build.id));
        }
        let Some((run, ending)) = self.world.agent_run(self.build).and_then(|run| Some((run, run.ending()?))) else {
            return self.end(Outcome::Failed, "the agent's end was never seen");
        };
        let clean = match self.agent_end(run, ending) {
            Ok(clean) => clean,
            // What could not be collected of a build that was stopped or failed is no reason to try it again.
            Err(text) => {
                let lost = failure.map(|failure| format!("; what it left could not be collected: {}", failure.text));
                let text = format!("{text}{}", lost.unwrap_or_default());
                // It may have waited, or ended by itself in the same moment: the owner wanted it stopped.
                return match self.build.stop_requested {
                    Some(_) if ended_by_itself(ending) => self.end(Outcome::Stopped, &text),
                    _ => self.end_badly(&text, ending),
                };
            }
        };
        if let Some(failure) = failure {
            return self.end_host_failure(failure);
        }
        let change = self.build.change.as_ref()?;
        if self.build.result.is_none() && (task.spec.kind == TaskKind::Code || change.files == 0) {
            return match clean {
                Clean::Whole => self.end(Outcome::NoChange, "the agent ended without changing anything"),
                Clean::Short(outcome, why) => self.end(outcome, &format!("{why}; nothing was changed")),
            };
        }
        self.advance(BuildStep::Checking)
    }

    /// Whether the agent ended in a way whose result is worth a check; if not, how it ended, in words.
    fn agent_end(&self, run: &Run, ending: &RunEnding) -> Result<Clean, String> {
        let stopped_for_budget =
            matches!(ending, RunEnding::Stopped { reason } if reason.parse() == Ok(StopReason::Budget));
        let report = run.report.as_ref().filter(|_| ended_by_itself(ending));
        if self.build.stop_requested.is_some() && ended_by_itself(ending) {
            return Err("stopped by the owner".into());
        }
        match report.map(|report| report.outcome) {
            _ if stopped_for_budget => {
                let cap = super::budget::of_build(self.world, self.build);
                Ok(Clean::Short(Outcome::OverBudget, cap.unwrap_or_else(|| "its budget was used up".into())))
            }
            Some(AgentOutcome::Success) => Ok(Clean::Whole),
            Some(AgentOutcome::Denied) => Ok(Clean::Short(Outcome::Denied, report.map(words).unwrap_or_default())),
            Some(AgentOutcome::Budget) => Ok(Clean::Short(Outcome::OverBudget, report.map(words).unwrap_or_default())),
            Some(_) => Err(report.map(words).unwrap_or_default()),
            // Written down by a version that read no reports.
            None if matches!(ending, RunEnding::Exited { code: 0 }) => Ok(Clean::Whole),
            None => Err(format!("the agent {}", describe(ending))),
        }
    }

    /// Ends a build whose result was checked: a result that may be short of something is never counted as verified.
    fn end_checked(&self, outcome: Outcome, text: &str) -> Option<Action> {
        let clean = self.world.agent_run(self.build).and_then(|run| self.agent_end(run, run.ending()?).ok());
        match clean {
            Some(Clean::Short(short, why)) if outcome != Outcome::Failed => {
                self.end(short, &format!("{why}; what it left: {text}"))
            }
            _ => self.end(outcome, text),
        }
    }

    fn checking(&self, task: &Task) -> Option<Action> {
        if task.spec.kind == TaskKind::Artifact {
            return self.check_artifact(task);
        }
        let Some(check) = self.build.check.and_then(|id| self.world.checks.iter().find(|check| check.id == id)) else {
            return self.build.check.is_none().then_some(Action::StartResultCheck { build: self.build.id });
        };
        let verdict = check.verdict.as_ref()?;
        if self.build.stop_requested.is_some() {
            return self.end(Outcome::Stopped, "stopped by the owner while its result was being checked");
        }
        if verdict.cut_short {
            return self.end_cancelled("the disk was filling while its result was being checked");
        }
        let base = super::checks::base_verdict(self.world, check);
        let judgement = judge(base, verdict);
        self.end_checked(judgement.outcome, &judgement.text)
    }

    fn check_artifact(&self, task: &Task) -> Option<Action> {
        if task.spec.command.is_empty() {
            return self
                .end_checked(Outcome::Unverified, "the files are kept; the task has no check command to prove them");
        }
        match self.run_to_end(RunStep::Verify) {
            Err(action) => action,
            Ok(RunEnding::Exited { code: 0 }) => self.end_checked(Outcome::Verified, "its check command passed"),
            Ok(ending) => {
                let text = format!("its check command {}", describe(ending));
                match ending {
                    // These say nothing about the files.
                    RunEnding::Stopped { .. } | RunEnding::Lost | RunEnding::NotStarted { .. } => {
                        self.end_badly(&text, ending)
                    }
                    _ => self.end_checked(Outcome::TestsFailed, &text),
                }
            }
        }
    }

    /// The ending of this step's run; until there is one, what to do about it.
    fn run_to_end(&self, step: RunStep) -> Result<&RunEnding, Option<Action>> {
        let run =
            if step == RunStep::Agent { self.world.agent_run(self.build) } else { self.world.run(self.owner(), step) };
        match run {
            None => Err(self.stopped_before_work().or(Some(Action::Launch { owner: self.owner(), step }))),
            Some(run) => run
                .ending()
                .ok_or_else(|| stop_due(self.world, run, self.build.stop_requested, self.stop_for_disk, self.now)),
        }
    }

    fn end_action(&self, ending: &RunEnding) -> Option<Action> {
        match ending {
            RunEnding::Exited { code: 0 } => self.end(Outcome::Verified, "the command ran once and exited with 0"),
            RunEnding::NotStarted { error } => self.end(Outcome::Failed, &format!("the command was not run: {error}")),
            RunEnding::Lost => self.end(
                Outcome::Unknown,
                "the command was started and its end was not seen: look whether it happened; it is never repeated",
            ),
            ending => self.end(Outcome::Failed, &format!("the command {}; it is never repeated", describe(ending))),
        }
    }

    fn end_badly(&self, text: &str, ending: &RunEnding) -> Option<Action> {
        match ending {
            RunEnding::Exited { code: TRY_AGAIN } | RunEnding::Lost | RunEnding::Silent => self.end_transient(text),
            RunEnding::TimedOut => self.end(Outcome::TimedOut, text),
            RunEnding::Stopped { reason } => match reason.parse() {
                Ok(StopReason::Disk) if self.asked_to_stop().is_none() => self.end_cancelled(text),
                Ok(StopReason::TimeLimit) => self.end(Outcome::TimedOut, text),
                Ok(StopReason::Budget) => self.end(Outcome::OverBudget, text),
                Ok(StopReason::Disk | StopReason::Owner) | Err(_) => self.end(Outcome::Stopped, text),
            },
            _ => self.end(Outcome::Failed, text),
        }
    }

    fn end_host_failure(&self, failure: &HostFailure) -> Option<Action> {
        if failure.retry { self.end_transient(&failure.text) } else { self.end(Outcome::Failed, &failure.text) }
    }

    /// Ends with a retry while attempts are left, unless its owner wants it stopped.
    fn end_transient(&self, text: &str) -> Option<Action> {
        if self.asked_to_stop().is_some() {
            return self.end(Outcome::Stopped, &format!("{text}; it was to be stopped anyway"));
        }
        let attempt = self.build.attempt;
        let Some(pause) = self.world.settings.build.retry_after(attempt) else {
            return self.end(Outcome::Failed, &format!("{text}; gave up after {attempt} attempts"));
        };
        let at = self.now + TimeDelta::from_std(pause).unwrap_or(TimeDelta::minutes(5));
        self.end_and(Outcome::Transient, text, TaskAfter::Retry(at))
    }

    /// Ends for the disk's sake. The task waits for space like any other, but not for ever: it may be what fills the
    /// disk.
    fn end_cancelled(&self, text: &str) -> Option<Action> {
        let attempt = self.build.attempt;
        if self.world.settings.build.retry_after(attempt).is_none() {
            return self.end(Outcome::Cancelled, &format!("{text}; gave up after {attempt} attempts"));
        }
        self.end_and(Outcome::Cancelled, text, TaskAfter::Retry(self.now))
    }

    fn end(&self, outcome: Outcome, reason: &str) -> Option<Action> {
        self.end_and(outcome, reason, TaskAfter::Done)
    }

    #[expect(clippy::unnecessary_wraps, reason = "every step of the walk answers with an optional action")]
    fn end_and(&self, outcome: Outcome, reason: &str, task: TaskAfter) -> Option<Action> {
        let reason = reason.to_owned();
        Some(Action::EndBuild(BuildEnd { build: self.build.id, from: self.build.step, outcome, reason, task }))
    }

    #[expect(clippy::unnecessary_wraps, reason = "every step of the walk answers with an optional action")]
    fn advance(&self, to: BuildStep) -> Option<Action> {
        Some(Action::AdvanceBuild { build: self.build.id, from: self.build.step, to })
    }

    fn begin(&self, effect: Effect) -> Option<Action> {
        (!self.world.busy(effect)).then_some(Action::Begin(effect))
    }
}
