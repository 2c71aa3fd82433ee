//! Builds, checks and runs, as their actions change them.

use super::apply::{Done, Refused, expect, id, only};
use super::world::{World, row, row_mut};
use overnight::domain::build::{
    Build, BuildStep, Check, CheckPurpose, CheckStep, Run, RunOwner, RunStep, StopReason, Wait,
};
use overnight::domain::id::{BuildId, CheckId, RunId, SessionId};
use overnight::domain::plan::{BuildEnd, NewBuild, Resumption, TaskAfter};
use overnight::domain::provider::{Block, Provider};
use overnight::domain::task::{TaskKind, TaskState};

impl World {
    pub(super) fn start_build(&mut self, new: &NewBuild) -> Done {
        let now = self.now();
        let task = row_mut(&mut self.tasks, new.task.0);
        let same = task.revision == new.revision && task.attempts == new.attempts_before;
        expect(same && task.state == TaskState::Open, "the task")?;
        let hash = task.spec.revision_hash();
        if new.needs_approval {
            let usable = self.approvals.iter_mut().find(|row| {
                let approval = &row.approval;
                approval.task == new.task && approval.revision_hash == hash && !row.voided
            });
            usable.ok_or(Refused::Race("the approval"))?.approval.used_at.get_or_insert(now);
        }
        expect(self.at_work() < new.permits, "the number of running builds")?;
        only(!self.open_builds().any(|build| build.task == new.task), "open build of a task")?;
        let task = row_mut(&mut self.tasks, new.task.0);
        (task.attempts, task.retry_at) = (task.attempts + 1, None);
        self.add_build(new);
        Ok(())
    }

    fn add_build(&mut self, new: &NewBuild) {
        let now = self.now();
        let id = BuildId(id(&self.builds) + 1);
        let begun = Build::begun(id, new.task, new.session, new.attempts_before + 1, new.agent.clone(), now);
        self.builds.push(Build { on_top_of: new.on_top_of.clone(), ..begun });
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

    pub(super) fn start_base_check(&mut self, session: SessionId, project: &str) -> Done {
        let base = |c: &&Check| c.purpose == CheckPurpose::Base && c.session == session;
        let double = self.checks.iter().filter(base).any(|check| check.project == project);
        only(!double, "base check of a session")?;
        self.add_check(session, project.into(), String::new(), None);
        Ok(())
    }

    pub(super) fn advance_build(&mut self, build: BuildId, from: BuildStep, to: BuildStep) -> Done {
        let now = self.now();
        let build = row_mut(&mut self.builds, build.0);
        expect(build.step == from, "the build's step")?;
        if build.step == BuildStep::Parked {
            build.waited += now - build.step_at;
        }
        (build.step, build.step_at, build.wait) = (to, now, None);
        Ok(())
    }

    pub(super) fn advance_check(&mut self, check: CheckId, from: CheckStep, to: CheckStep) -> Done {
        let now = self.now();
        let check = row_mut(&mut self.checks, check.0);
        expect(check.step == from, "the check's step")?;
        (check.step, check.step_at) = (to, now);
        Ok(())
    }

    pub(super) fn start_result_check(&mut self, id: BuildId) -> Done {
        let build = row(&self.builds, id.0).clone();
        only(!self.checks.iter().any(|check| check.build == Some(id)), "check of a build")?;
        expect(build.step == BuildStep::Checking && build.check.is_none(), "the build's check")?;
        let project = self.task(build.task).spec.project.clone().unwrap_or_default();
        let check = self.add_check(build.session, project, build.result.unwrap_or_default(), Some(id));
        row_mut(&mut self.builds, id.0).check = Some(check);
        Ok(())
    }

    pub(super) fn end_build(&mut self, end: &BuildEnd) -> Done {
        let now = self.now();
        let build = row_mut(&mut self.builds, end.build.0);
        expect(build.step == end.from, "the build's step")?;
        (build.step, build.outcome, build.ended_at) = (BuildStep::Ended, Some(end.outcome), Some(now));
        build.reason.clone_from(&end.reason);
        build.wait = None;
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
        }
        Ok(())
    }

    pub(super) fn park(&mut self, build: BuildId, wait: &Wait, block: Option<&(String, Block)>) -> Done {
        let now = self.now();
        let row = row_mut(&mut self.builds, build.0);
        expect(row.step == BuildStep::Working, "the build's step")?;
        (row.step, row.step_at, row.wait) = (BuildStep::Parked, now, Some(wait.clone()));
        if let Some((agent, block)) = block {
            self.providers.retain(|known| known.agent != *agent);
            self.providers.push(Provider { agent: agent.clone(), block: Some(block.clone()), windows: vec![] });
        }
        Ok(())
    }

    pub(super) fn resume(&mut self, resumption: &Resumption) -> Done {
        expect(self.at_work() < resumption.permits, "the number of running builds")?;
        let now = self.now();
        let row = row_mut(&mut self.builds, resumption.build.0);
        expect(row.step == BuildStep::Parked && row.round == resumption.round_before, "the parked build")?;
        row.waited += now - row.step_at;
        (row.step, row.step_at, row.wait) = (BuildStep::Working, now, None);
        (row.round, row.session) = (row.round + 1, resumption.session);
        Ok(())
    }

    /// Builds that hold a permit.
    pub(super) fn at_work(&self) -> usize {
        self.open_builds().filter(|build| build.step != BuildStep::Parked).count()
    }

    pub(super) fn launch(&mut self, owner: RunOwner, step: RunStep) -> Done {
        let round = match (owner, step) {
            (RunOwner::Build(build), RunStep::Agent) => row(&self.builds, build.0).round,
            _ => 0,
        };
        let same = |run: &Run| run.owner == owner && run.step == step && run.round == round;
        only(!self.runs.iter().any(same), "run of a step")?;
        if let (RunOwner::Build(build), RunStep::Agent) = (owner, step) {
            let task = row(&self.builds, build.0).task;
            if self.task(task).spec.kind == TaskKind::Action {
                *self.action_runs.entry(task).or_default() += 1;
            }
        }
        let id = RunId(id(&self.runs) + 1);
        let started_at = self.now();
        let (ended, stop_requested, counts, measured, report) = (None, None, None, None, None);
        self.runs.push(Run { id, owner, step, started_at, ended, stop_requested, counts, measured, round, report });
        self.run_outside(id, step);
        Ok(())
    }

    pub(super) fn stop_run(&mut self, id: RunId, reason: StopReason) -> Done {
        let run = row_mut(&mut self.runs, id.0);
        expect(run.ended.is_none() && run.stop_requested.is_none(), "the run")?;
        run.stop_requested = Some(reason);
        self.stop_outside(id, reason);
        Ok(())
    }
}
