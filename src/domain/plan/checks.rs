//! How a check walks: a fresh clone of the commit, setup, verify, once more after a failure, measure.
//!
//! One check at a time per project, so that two test suites never fight over a port or a processor, and the base of
//! the session first: a result is judged by what it broke or mended.

use super::runs::{describe, stop_due};
use super::{Action, Effect, Snapshot};
use crate::domain::build::{
    Check, CheckPurpose, CheckStep, Run, RunEnding, RunOwner, RunStep, StopReason, TestCounts, TestsVerdict, Verdict,
};
use crate::domain::settings::Project;
use chrono::{DateTime, Utc};

/// What the base of this check's project and session was found to be.
pub(super) fn base_verdict<'a>(world: &'a Snapshot, check: &Check) -> Option<&'a Verdict> {
    base_of(world, check).and_then(|base| base.verdict.as_ref())
}

fn base_of<'a>(world: &'a Snapshot, check: &Check) -> Option<&'a Check> {
    world.checks.iter().find(|other| {
        other.purpose == CheckPurpose::Base && other.session == check.session && other.project == check.project
    })
}

/// What a check needs next.
pub(super) fn next(world: &Snapshot, check: &Check, disk_is_filling: bool, now: DateTime<Utc>) -> Option<Action> {
    let project = world.settings.project(&check.project);
    Walk { world, check, project, disk_is_filling, now }.next()
}

struct Walk<'a> {
    world: &'a Snapshot,
    check: &'a Check,
    project: Option<&'a Project>,
    disk_is_filling: bool,
    now: DateTime<Utc>,
}

impl Walk<'_> {
    fn next(&self) -> Option<Action> {
        if let Some(reason) = self.stop_wanted() {
            return self.stop(reason);
        }
        let Some(project) = self.project else {
            return self.impossible(&format!("project {:?} is no longer configured", self.check.project));
        };
        match self.check.step {
            CheckStep::Waiting => self.waiting(),
            CheckStep::Preparing => self.preparing(),
            CheckStep::SettingUp if project.setup.is_none() => self.advance(CheckStep::Verifying),
            CheckStep::SettingUp => match self.run_to_end(RunStep::Setup) {
                Err(action) => action,
                Ok(RunEnding::Exited { code: 0 }) => self.advance(CheckStep::Verifying),
                Ok(ending) => self.impossible(&format!("the setup command {}", describe(ending))),
            },
            CheckStep::Verifying if project.verify.is_none() => self.verified(TestsVerdict::NoCommand),
            CheckStep::Verifying => match self.run_to_end(RunStep::Verify) {
                Err(action) => action,
                Ok(RunEnding::Exited { code: 0 }) => self.verified(TestsVerdict::Passed),
                Ok(ending @ RunEnding::NotStarted { .. }) => {
                    self.impossible(&format!("the verify command {}", describe(ending)))
                }
                Ok(_) => self.advance(CheckStep::VerifyingAgain),
            },
            CheckStep::VerifyingAgain => match self.run_to_end(RunStep::VerifyAgain) {
                Err(action) => action,
                Ok(ending @ (RunEnding::Lost | RunEnding::NotStarted { .. })) => {
                    self.impossible(&format!("the second run of the verify command {}", describe(ending)))
                }
                Ok(_) => self.verified(self.tests_verdict()),
            },
            CheckStep::Measuring => self.measuring(),
            CheckStep::Ended => None,
        }
    }

    /// Its build was stopped, has ended, or its task is gone; or the disk is filling, or was when a run was stopped.
    fn stop_wanted(&self) -> Option<StopReason> {
        let builds = &self.world.builds;
        let unwanted = self.check.build.is_some_and(|id| {
            builds
                .iter()
                .find(|build| build.id == id)
                .is_none_or(|build| build.stop_requested.is_some() || self.world.task(build.task).is_none())
        });
        let for_ship = self.check.purpose == CheckPurpose::Ship;
        let id = Some(self.check.id);
        let given_up = for_ship && !self.world.ships.iter().any(|ship| ship.check == id || ship.base_check == id);
        if unwanted || given_up {
            return Some(StopReason::Owner);
        }
        let stopped = self.runs().any(|run| run.stop_requested == Some(StopReason::Disk));
        (self.disk_is_filling || stopped).then_some(StopReason::Disk)
    }

    /// Ends the check as soon as nothing of it runs.
    fn stop(&self, reason: StopReason) -> Option<Action> {
        if let Some(run) = self.runs().find(|run| run.ended.is_none()) {
            return stop_due(self.world, run, Some(reason), None, self.now);
        }
        if self.check.step == CheckStep::Ended || self.world.busy(Effect::PrepareCheck(self.check.id)) {
            return None;
        }
        let (cut_short, why) = match reason {
            StopReason::Disk => (true, "the disk was filling"),
            StopReason::Owner | StopReason::TimeLimit | StopReason::Budget => (false, "the build was stopped"),
        };
        self.end(Verdict { cut_short, ..self.verdict(TestsVerdict::Impossible, None, Some(why.to_owned())) })
    }

    fn runs(&self) -> impl Iterator<Item = &Run> {
        self.world.runs.iter().filter(|run| run.owner == self.owner())
    }

    fn waiting(&self) -> Option<Action> {
        let others = || self.world.checks.iter().filter(|c| c.project == self.check.project && c.id != self.check.id);
        let one_is_active = others().any(|c| !matches!(c.step, CheckStep::Waiting | CheckStep::Ended));
        let base_open = self.check.purpose == CheckPurpose::Result
            && base_of(self.world, self.check).is_some_and(|base| base.step != CheckStep::Ended);
        // A base goes before results, then the oldest: exactly one of those that wait can be the next.
        let place = |c: &Check| (c.purpose != CheckPurpose::Base, c.id);
        let is_next = !others().any(|c| c.step == CheckStep::Waiting && place(c) < place(self.check));
        (!one_is_active && !base_open && is_next).then(|| self.advance(CheckStep::Preparing)).flatten()
    }

    fn preparing(&self) -> Option<Action> {
        if let Some(failure) = &self.check.host_failure {
            return self.impossible(&failure.text);
        }
        if self.check.prepared {
            return self.advance(CheckStep::SettingUp);
        }
        let effect = Effect::PrepareCheck(self.check.id);
        (!self.world.busy(effect)).then_some(Action::Begin(effect))
    }

    /// Tests are settled; a number is worth taking of a base, and of a result that works.
    fn verified(&self, tests: TestsVerdict) -> Option<Action> {
        let works = matches!(tests, TestsVerdict::Passed | TestsVerdict::NoCommand);
        let measures = self.project.is_some_and(|project| project.measure.is_some());
        let wanted = match self.check.purpose {
            CheckPurpose::Base => true,
            CheckPurpose::Result => works,
            CheckPurpose::Ship => false,
        };
        if measures && wanted {
            return self.advance(CheckStep::Measuring);
        }
        self.end(self.verdict(tests, None, None))
    }

    fn measuring(&self) -> Option<Action> {
        let ending = match self.run_to_end(RunStep::Measure) {
            Err(action) => return action,
            Ok(ending) => ending,
        };
        let number = self.world.run(self.owner(), RunStep::Measure).and_then(|run| run.measured);
        let trouble = match (ending, number) {
            (RunEnding::Exited { code: 0 }, Some(_)) => None,
            (RunEnding::Exited { code: 0 }, None) => Some("the measure command printed no number".to_owned()),
            (ending, _) => Some(format!("the measure command {}", describe(ending))),
        };
        let number = if trouble.is_none() { number } else { None };
        self.end(self.verdict(self.tests_verdict(), number, trouble))
    }

    /// What the verify runs said, read again from their endings.
    fn tests_verdict(&self) -> TestsVerdict {
        let passed = |run: &Run| run.ending() == Some(&RunEnding::Exited { code: 0 });
        let run = |step| self.world.run(self.owner(), step);
        let lost = |run: &Run| run.ending() == Some(&RunEnding::Lost);
        match (run(RunStep::Verify), run(RunStep::VerifyAgain)) {
            (None, _) => TestsVerdict::NoCommand,
            (Some(first), _) if passed(first) => TestsVerdict::Passed,
            // A run that was lost said nothing: the other one alone decides.
            (Some(first), Some(second)) if passed(second) && lost(first) => TestsVerdict::Passed,
            (Some(_), Some(second)) if passed(second) => TestsVerdict::Flaky,
            (Some(_), _) => TestsVerdict::Failed,
        }
    }

    fn counts(&self) -> TestCounts {
        let of = |step| self.world.run(self.owner(), step).and_then(|run| run.counts.clone());
        of(RunStep::VerifyAgain).or_else(|| of(RunStep::Verify)).unwrap_or_default()
    }

    fn run_to_end(&self, step: RunStep) -> Result<&RunEnding, Option<Action>> {
        match self.world.run(self.owner(), step) {
            None => Err(Some(Action::Launch { owner: self.owner(), step })),
            Some(run) => run.ending().ok_or_else(|| stop_due(self.world, run, None, None, self.now)),
        }
    }

    fn owner(&self) -> RunOwner {
        RunOwner::Check(self.check.id)
    }

    fn impossible(&self, trouble: &str) -> Option<Action> {
        self.end(self.verdict(TestsVerdict::Impossible, None, Some(trouble.to_owned())))
    }

    fn verdict(&self, tests: TestsVerdict, measure: Option<f64>, trouble: Option<String>) -> Verdict {
        Verdict { tests, counts: self.counts(), measure, trouble, cut_short: false }
    }

    #[expect(clippy::unnecessary_wraps, reason = "every step of the walk answers with an optional action")]
    fn end(&self, verdict: Verdict) -> Option<Action> {
        Some(Action::EndCheck { check: self.check.id, from: self.check.step, verdict })
    }

    #[expect(clippy::unnecessary_wraps, reason = "every step of the walk answers with an optional action")]
    fn advance(&self, to: CheckStep) -> Option<Action> {
        Some(Action::AdvanceCheck { check: self.check.id, from: self.check.step, to })
    }
}
