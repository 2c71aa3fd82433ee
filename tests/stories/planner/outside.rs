//! The outside: effects and runs that take their time, break, or never come back.

use super::world::{World, row, row_mut};
use chrono::{DateTime, TimeDelta, Utc};
use overnight::domain::agent::{AgentOutcome, AgentReport};
use overnight::domain::build::{
    BuildStep, Change, CheckStep, HostFailure, Run, RunEnding, RunOwner, RunStep, StopReason, TestCounts,
};
use overnight::domain::id::{BuildId, CheckId, RunId};
use overnight::domain::plan::Effect;
use overnight::domain::task::TaskKind;

/// The supervisor's own limit is this much later than the bot's.
const MARGIN: TimeDelta = TimeDelta::seconds(120);

impl World {
    /// When something outside is due next.
    pub(super) fn next_outside(&self) -> DateTime<Utc> {
        let outside = &self.outside;
        let effects = outside.effects.iter().map(|(at, _)| *at);
        let runs = outside.runs.iter().map(|(at, ..)| *at);
        effects.chain(runs).fold(outside.strikes_at, DateTime::min)
    }

    /// Records every effect and run that is over by now.
    pub(super) fn observe(&mut self) {
        let real = self.real;
        let (due, later): (Vec<_>, Vec<_>) = self.outside.effects.drain(..).partition(|(at, _)| *at <= real);
        self.outside.effects = later;
        for (_, effect) in due {
            if self.dice.chance(97) {
                self.effect_done(effect);
            }
            self.in_flight.remove(&effect);
        }
        let (due, later): (Vec<_>, Vec<_>) = self.outside.runs.drain(..).partition(|(at, ..)| *at <= real);
        self.outside.runs = later;
        for (_, run, ending) in due {
            self.run_done(run, ending);
        }
    }

    pub(super) fn begin_outside(&mut self, effect: Effect) {
        let slow = self.dice.chance(10);
        let takes = self.dice.minutes(0, if slow { 40 } else { 2 });
        self.outside.effects.push((self.real + takes, effect));
    }

    /// What the effect writes down when it is done.
    pub(super) fn effect_done(&mut self, effect: Effect) {
        self.note("effect", || format!("{effect:?} is done"));
        let now = self.now();
        match effect {
            Effect::Health(id) => row_mut(&mut self.sessions, id.0).session.health_done = true,
            Effect::Patterns(id) => {
                if !self.outside.calm && self.dice.chance(10) {
                    self.queue();
                }
                row_mut(&mut self.sessions, id.0).session.patterns_done = true;
            }
            Effect::Snapshot(id) => {
                let session = &mut row_mut(&mut self.sessions, id.0).session;
                session.snapshot_done = true;
                self.outside.kept.insert(session.date);
            }
            Effect::Drill(id) => self.outside.drilled = Some(row(&self.sessions, id.0).session.date),
            Effect::Report(id) => row_mut(&mut self.sessions, id.0).session.reported_at = Some(now),
            Effect::PrepareBuild(id) => self.prepared(id),
            Effect::Collect(id) => self.collected(id),
            Effect::PrepareCheck(id) => self.check_prepared(id),
            Effect::SeeBranch(_) | Effect::Pick(_) | Effect::Land(_) => panic!("nobody ships in these nights"),
        }
    }

    fn broken(&mut self, percent: usize) -> Option<HostFailure> {
        let breaks = self.dice.chance(percent);
        breaks.then(|| HostFailure { retry: self.dice.chance(60), text: "the vault is locked".into() })
    }

    fn prepared(&mut self, id: BuildId) {
        let failure = self.broken(8);
        let build = row_mut(&mut self.builds, id.0);
        match failure {
            Some(failure) if build.step != BuildStep::Ended => build.host_failure = Some(failure),
            None if build.step == BuildStep::Preparing => build.prepared = true,
            _ => {}
        }
    }

    fn collected(&mut self, id: BuildId) {
        let failure = self.broken(8);
        let files = if self.dice.chance(10) { 0 } else { 3 };
        let code = self.task(row(&self.builds, id.0).task).spec.kind == TaskKind::Code;
        let build = row_mut(&mut self.builds, id.0);
        match failure {
            Some(failure) if build.step != BuildStep::Ended => build.host_failure = Some(failure),
            None if build.step == BuildStep::Collecting => {
                build.change = Some(Change { files, ..Change::default() });
                build.result = (code && files > 0).then(|| format!("commit{id}"));
            }
            _ => {}
        }
    }

    fn check_prepared(&mut self, id: CheckId) {
        let failure = self.broken(5);
        let check = row_mut(&mut self.checks, id.0);
        match failure {
            Some(failure) if check.step != CheckStep::Ended => check.host_failure = Some(failure),
            None if check.step == CheckStep::Preparing => check.prepared = true,
            _ => {}
        }
    }

    /// Decides how a run that was just launched goes, if nobody stops it.
    pub(super) fn run_outside(&mut self, id: RunId, step: RunStep) {
        let build = &self.settings.build;
        let (limit, longest) = match step {
            RunStep::Setup => (build.setup_timeout, 35),
            RunStep::Agent => (build.timeout, if self.dice.chance(15) { 600 } else { 90 }),
            RunStep::Verify | RunStep::VerifyAgain => (build.verify_timeout, 66),
            RunStep::Measure => (build.measure_timeout, 11),
        };
        let takes = self.dice.minutes(0, longest);
        let limit = TimeDelta::from_std(limit).unwrap() + MARGIN;
        let (at, ending) = match self.dice.below(100) {
            0..=3 => (TimeDelta::zero(), RunEnding::NotStarted { error: "no such program".into() }),
            _ if takes > limit => (limit, RunEnding::TimedOut),
            4..=11 => (takes, RunEnding::Exited { code: 75 }),
            12..=22 => (takes, RunEnding::Exited { code: 1 }),
            23..=25 => (takes, RunEnding::Signaled { signal: 9 }),
            26..=29 => (takes, RunEnding::Lost),
            30 | 31 if step == RunStep::Agent => (takes, RunEnding::Silent),
            _ => (takes, RunEnding::Exited { code: 0 }),
        };
        self.outside.runs.push((self.real + at, id, ending));
    }

    /// The supervisor was asked to end a run; now and then it was over a moment before.
    pub(super) fn stop_outside(&mut self, id: RunId, reason: StopReason) {
        let soon = self.real + TimeDelta::seconds(self.dice.range(0, 10));
        let late = self.dice.chance(15);
        let pending = self.outside.runs.iter_mut().find(|(_, run, _)| *run == id);
        let Some((at, _, ending)) = pending else { return };
        *at = soon.min(*at);
        if !late {
            *ending = RunEnding::Stopped { reason: reason.as_str().into() };
        }
    }

    fn run_done(&mut self, id: RunId, ending: RunEnding) {
        self.note("run ends", || format!("run {id}: {ending:?}"));
        let failing = self.dice.chance(30);
        let now = self.now();
        let run = row_mut(&mut self.runs, id.0);
        if matches!(run.step, RunStep::Verify | RunStep::VerifyAgain) {
            run.counts = Some(TestCounts { passed: Some(9), failed: Some(u32::from(failing)), failing: vec![] });
        }
        if run.step == RunStep::Measure && ending == (RunEnding::Exited { code: 0 }) && !failing {
            run.measured = Some(1.0);
        }
        run.ended = Some((now, ending));
        let run = run.clone();
        self.report(&run, now);
    }

    /// What an agent's output comes to, and what that says about the account behind it.
    fn report(&mut self, run: &Run, now: DateTime<Utc>) {
        use AgentOutcome::{Account, Budget, Denied, Failed, Hung, Interrupted, Limit, Question, Success, Transient};
        let RunOwner::Build(build) = run.owner else { return };
        let is_action = self.task(row(&self.builds, build.0).task).spec.kind == TaskKind::Action;
        if run.step != RunStep::Agent || is_action || self.dice.chance(5) {
            return;
        }
        let outcome = match run.ending() {
            _ if self.outside.calm => Success,
            Some(RunEnding::Exited { code: 0 }) => {
                self.dice.pick(&[Success, Success, Success, Success, Denied, Question])
            }
            Some(RunEnding::Exited { .. }) => {
                self.dice.pick(&[Limit, Limit, Limit, Transient, Account, Budget, Interrupted, Failed])
            }
            _ => Hung,
        };
        let reset = now + self.dice.minutes(-60, 300);
        let report = AgentReport {
            outcome,
            why: outcome.as_str().into(),
            reset_at: (outcome == Limit && self.dice.chance(60)).then_some(reset),
            question: (outcome == Question).then(|| "which one?".into()),
            ..AgentReport::default()
        };
        row_mut(&mut self.runs, run.id.0).report = Some(report);
        if matches!(outcome, Success | Denied | Question | Budget) {
            self.providers.clear();
        }
    }

    /// The machine itself went away: what ran is lost, and seen so after the restart.
    pub(super) fn lose_runs(&mut self) {
        let real = self.real;
        for (at, _, ending) in &mut self.outside.runs {
            (*at, *ending) = (real, RunEnding::Lost);
        }
    }

    /// This process went away: what it had under way may or may not have been written down.
    pub(super) fn lose_process(&mut self) {
        for (_, effect) in std::mem::take(&mut self.outside.effects) {
            if self.dice.chance(50) {
                self.effect_done(effect);
            }
        }
        self.in_flight.clear();
    }

    /// Whether the task's build or check runs are all over.
    pub(super) fn at_rest(&self) -> bool {
        self.outside.effects.is_empty() && self.outside.runs.is_empty()
    }
}
