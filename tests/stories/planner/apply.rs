//! Actions as the engine performs them: every change names the state it expects, and the schema refuses doubles.

use super::world::{SessionRow, World, row, row_mut};
use chrono::{NaiveDate, TimeDelta};
use overnight::domain::build::{Build, BuildStep, Check, CheckPurpose, CheckStep, Run, RunOwner, RunStep, StopReason};
use overnight::domain::id::{BuildId, CheckId, RunId, SessionId};
use overnight::domain::plan::{Action, BuildEnd, NewBuild, NewSession, TaskAfter};
use overnight::domain::resource::{Mount, Sample};
use overnight::domain::session::{Phase, Session, SessionKind};
use overnight::domain::task::{TaskKind, TaskState};
use overnight::domain::throttle::OpenThrottle;

/// Why an action was not performed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// The state was another one.
    Race(&'static str),
    /// The schema does not allow a second one.
    Second(&'static str),
}

type Done = Result<(), Refused>;

fn expect(holds: bool, what: &'static str) -> Done {
    holds.then_some(()).ok_or(Refused::Race(what))
}

fn only(is_first: bool, what: &'static str) -> Done {
    is_first.then_some(()).ok_or(Refused::Second(what))
}

fn id<T>(rows: &[T]) -> i64 {
    i64::try_from(rows.len()).unwrap()
}

impl World {
    pub(super) fn apply(&mut self, action: &Action) -> Done {
        match action {
            Action::OpenSession(new) => self.open_session(new).map(|_| ()),
            Action::MissNight { date, reason, brief_at } => self.miss(*date, reason, *brief_at),
            Action::EnterPhase { session, from, to } => self.enter(*session, *from, *to),
            Action::ProgressCheck { session, slot } => {
                let session = &mut row_mut(&mut self.sessions, session.0).session;
                let newer = session.progress_at.is_none_or(|last| last < *slot);
                expect(session.phase == Phase::Building && newer, "the progress check")?;
                session.progress_at = Some(*slot);
                Ok(())
            }
            Action::SendBrief { session, from } => self.brief(*session, *from),
            Action::StartBuild(new) => self.start_build(new),
            Action::StartBaseCheck { session, project } => {
                let double =
                    |c: &Check| c.purpose == CheckPurpose::Base && c.session == *session && c.project == *project;
                only(!self.checks.iter().any(double), "base check of a session")?;
                self.add_check(*session, project.clone(), String::new(), None);
                Ok(())
            }
            Action::StartResultCheck { build } => self.start_result_check(*build),
            Action::AdvanceBuild { build, from, to } => {
                let now = self.now();
                let build = row_mut(&mut self.builds, build.0);
                expect(build.step == *from, "the build's step")?;
                (build.step, build.step_at) = (*to, now);
                Ok(())
            }
            Action::AdvanceCheck { check, from, to } => {
                let now = self.now();
                let check = row_mut(&mut self.checks, check.0);
                expect(check.step == *from, "the check's step")?;
                (check.step, check.step_at) = (*to, now);
                Ok(())
            }
            Action::EndCheck { check, from, verdict } => {
                let check = row_mut(&mut self.checks, check.0);
                expect(check.step == *from, "the check's step")?;
                (check.step, check.verdict) = (CheckStep::Ended, Some(verdict.clone()));
                Ok(())
            }
            Action::EndBuild(end) => self.end_build(end),
            Action::OpenThrottle { kind, .. } => {
                only(!self.throttles.iter().any(|open| open.kind == *kind), "open throttle of a kind")?;
                self.throttles.push(OpenThrottle { kind: *kind, since: self.now() });
                Ok(())
            }
            Action::CloseThrottle { kind } => {
                let before = self.throttles.len();
                self.throttles.retain(|open| open.kind != *kind);
                expect(self.throttles.len() < before, "the throttle event")
            }
            Action::TakeSample => {
                self.take_sample();
                Ok(())
            }
            Action::Begin(effect) => {
                if self.in_flight.insert(*effect) {
                    self.begin_outside(*effect);
                }
                Ok(())
            }
            Action::Launch { owner, step } => self.launch(*owner, *step),
            Action::StopRun { run, reason } => self.stop_run(*run, *reason),
        }
    }

    pub(super) fn open_session(&mut self, new: &NewSession) -> Result<SessionId, Refused> {
        self.only_night(new.kind, new.date)?;
        let id = SessionId(id(&self.sessions) + 1);
        let session = Session {
            id,
            kind: new.kind,
            date: new.date,
            phase: Phase::Health,
            started_at: self.now(),
            patterns_at: new.patterns_at,
            spawn_at: new.spawn_at,
            health_done: false,
            patterns_done: false,
            progress_at: None,
            spawn_until: new.spawn_until,
            brief_at: new.brief_at,
            only_task: new.only_task,
            keep_until: None,
            reported_at: None,
            stopped: false,
            missed_reason: None,
        };
        self.sessions.push(SessionRow { session, told: 0 });
        Ok(id)
    }

    fn only_night(&self, kind: SessionKind, date: NaiveDate) -> Done {
        let taken = |row: &SessionRow| row.session.kind == SessionKind::Nightly && row.session.date == date;
        only(kind != SessionKind::Nightly || !self.sessions.iter().any(taken), "nightly session of a date")
    }

    fn miss(&mut self, date: NaiveDate, reason: &str, brief_at: chrono::DateTime<chrono::Utc>) -> Done {
        let now = self.now();
        let kind = SessionKind::Nightly;
        let (patterns_at, spawn_at, spawn_until) = (now, now, now);
        let (only_task, late_minutes) = (None, 0);
        let id = self.open_session(&NewSession {
            kind,
            date,
            patterns_at,
            spawn_at,
            spawn_until,
            brief_at,
            only_task,
            late_minutes,
        })?;
        let session = &mut row_mut(&mut self.sessions, id.0).session;
        (session.phase, session.missed_reason) = (Phase::Missed, Some(reason.into()));
        Ok(())
    }

    fn enter(&mut self, session: SessionId, from: Phase, to: Phase) -> Done {
        let session = &mut row_mut(&mut self.sessions, session.0).session;
        expect(session.phase == from, "the session's phase")?;
        session.phase = to;
        Ok(())
    }

    /// A brief tells the nights missed before it too.
    fn brief(&mut self, id: SessionId, from: Phase) -> Done {
        let date = row(&self.sessions, id.0).session.date;
        self.told(id, from)?;
        for n in 1..=super::apply::id(&self.sessions) {
            let session = &row(&self.sessions, n).session;
            let missed = session.phase == Phase::Missed && session.reported_at.is_none();
            if session.kind == SessionKind::Nightly && missed && session.date < date {
                self.told(SessionId(n), Phase::Missed)?;
            }
        }
        Ok(())
    }

    fn told(&mut self, id: SessionId, from: Phase) -> Done {
        let now = self.now();
        let row = row_mut(&mut self.sessions, id.0);
        expect(row.session.phase == from && row.told == 0, "the brief")?;
        row.told += 1;
        if row.session.phase != Phase::Missed {
            row.session.phase = Phase::Closed;
        }
        row.session.reported_at.get_or_insert(now);
        Ok(())
    }

    fn start_build(&mut self, new: &NewBuild) -> Done {
        let now = self.now();
        let task = row_mut(&mut self.tasks, new.task.0);
        let same = task.revision == new.revision && task.attempts == new.attempts_before;
        expect(same && task.state == TaskState::Open, "the task")?;
        let hash = task.spec.revision_hash();
        if new.needs_approval {
            let usable = self.approvals.iter_mut().find(|row| {
                let approval = &row.approval;
                let fits = approval.task == new.task && approval.revision_hash == hash && !row.voided;
                fits && (approval.used_at.is_none() || new.attempts_before > 0)
            });
            usable.ok_or(Refused::Race("the approval"))?.approval.used_at.get_or_insert(now);
        }
        expect(self.open_builds().count() < new.permits, "the number of running builds")?;
        only(!self.open_builds().any(|build| build.task == new.task), "open build of a task")?;
        let task = row_mut(&mut self.tasks, new.task.0);
        (task.attempts, task.retry_at) = (task.attempts + 1, None);
        self.add_build(new);
        Ok(())
    }

    fn add_build(&mut self, new: &NewBuild) {
        let now = self.now();
        self.builds.push(Build {
            id: BuildId(id(&self.builds) + 1),
            task: new.task,
            session: new.session,
            attempt: new.attempts_before + 1,
            step: BuildStep::Preparing,
            started_at: now,
            step_at: now,
            on_top_of: new.on_top_of.clone(),
            base: None,
            prepared: false,
            host_failure: None,
            result: None,
            check: None,
            progress: None,
            progress_text: None,
            stop_requested: None,
            outcome: None,
            reason: String::new(),
            ended_at: None,
            change: None,
        });
    }

    fn add_check(&mut self, session: SessionId, project: String, commit: String, build: Option<BuildId>) -> CheckId {
        let id = CheckId(id(&self.checks) + 1);
        let purpose = if build.is_some() { CheckPurpose::Result } else { CheckPurpose::Base };
        self.checks.push(Check {
            id,
            session,
            project,
            commit,
            purpose,
            build,
            step: CheckStep::Waiting,
            step_at: self.now(),
            prepared: false,
            host_failure: None,
            verdict: None,
        });
        id
    }

    fn start_result_check(&mut self, id: BuildId) -> Done {
        let build = row(&self.builds, id.0).clone();
        only(!self.checks.iter().any(|check| check.build == Some(id)), "check of a build")?;
        expect(build.step == BuildStep::Checking && build.check.is_none(), "the build's check")?;
        let project = self.task(build.task).spec.project.clone().unwrap_or_default();
        let check = self.add_check(build.session, project, build.result.unwrap_or_default(), Some(id));
        row_mut(&mut self.builds, id.0).check = Some(check);
        Ok(())
    }

    fn end_build(&mut self, end: &BuildEnd) -> Done {
        let now = self.now();
        let build = row_mut(&mut self.builds, end.build.0);
        expect(build.step == end.from, "the build's step")?;
        (build.step, build.outcome, build.ended_at) = (BuildStep::Ended, Some(end.outcome), Some(now));
        build.reason.clone_from(&end.reason);
        let task = row_mut(&mut self.tasks, build.task.0);
        if task.state != TaskState::Open {
            return Ok(());
        }
        match end.task {
            TaskAfter::Done => {
                task.state = TaskState::Done;
                let id = task.id;
                self.void(id);
            }
            TaskAfter::Retry(at) => task.retry_at = Some(at),
            TaskAfter::Requeue => (task.retry_at, task.attempts) = (None, task.attempts.saturating_sub(1)),
        }
        Ok(())
    }

    fn take_sample(&mut self) {
        let now = self.now();
        let mount = |(path, used): (&str, u64)| Mount {
            path: path.into(),
            used_bytes: used,
            available_bytes: 100 - used,
            total_bytes: 100,
        };
        self.samples.retain(|sample| sample.at != now && sample.at > now - TimeDelta::hours(1));
        self.samples.push(Sample {
            at: now,
            mounts: ["/", "/data"].into_iter().zip(self.outside.disks).map(mount).collect(),
            memory_total: 100,
            memory_available: self.outside.memory,
            psi_memory_some_avg60: self.outside.psi,
            psi_cpu_some_avg60: None,
            psi_io_some_avg60: None,
            load_one: 0.0,
            processes: 1,
            uptime_seconds: None,
            boot_id: None,
            unmeasured: vec![],
        });
        self.samples.sort_by_key(|sample| sample.at);
    }

    fn launch(&mut self, owner: RunOwner, step: RunStep) -> Done {
        only(!self.runs.iter().any(|run| run.owner == owner && run.step == step), "run of a step")?;
        if let (RunOwner::Build(build), RunStep::Agent) = (owner, step) {
            let task = row(&self.builds, build.0).task;
            if self.task(task).spec.kind == TaskKind::Action {
                *self.action_runs.entry(task).or_default() += 1;
            }
        }
        let id = RunId(id(&self.runs) + 1);
        let started_at = self.now();
        let (ended, stop_requested, counts, measured) = (None, None, None, None);
        self.runs.push(Run { id, owner, step, started_at, ended, stop_requested, counts, measured });
        self.run_outside(id, step);
        Ok(())
    }

    fn stop_run(&mut self, id: RunId, reason: StopReason) -> Done {
        let run = row_mut(&mut self.runs, id.0);
        expect(run.ended.is_none() && run.stop_requested.is_none(), "the run")?;
        run.stop_requested = Some(reason);
        self.stop_outside(id, reason);
        Ok(())
    }
}
