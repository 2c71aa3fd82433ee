//! What the owner taps, as the commands carry it out.

use super::made;
use super::world::{ApprovalRow, World, row_mut};
use chrono::TimeDelta;
use overnight::domain::approval::Approval;
use overnight::domain::build::{Build, StopReason, Wait};
use overnight::domain::id::TaskId;
use overnight::domain::plan::NewSession;
use overnight::domain::plan::choice::{self, Standing};
use overnight::domain::session::{Phase, Session, SessionKind};
use overnight::domain::task::{Priority, TaskState};

/// Most tasks of a world: enough to queue, small enough to be fast.
const MOST_TASKS: usize = 8;

impl World {
    /// One tap or command, whatever comes to mind.
    pub(super) fn tap(&mut self) {
        let id = TaskId(self.dice.range(1, i64::try_from(self.tasks.len()).unwrap()));
        match self.dice.below(30) {
            0 | 1 => self.queue(),
            2..=9 => self.approve(id),
            10..=12 => self.edit(id),
            13 | 14 => self.drop_task(id),
            15 | 16 => self.stop(Some(id)),
            17 => self.stop(None),
            18 | 19 => self.retry(id),
            20 | 21 => self.run(id),
            22 => self.night_start(),
            23 => self.night_stop(),
            24 | 25 => {
                self.paused = !self.paused && self.dice.chance(60);
                let paused = self.paused;
                self.note("pause", || format!("paused: {paused}"));
            }
            26 => self.skip(),
            27 => self.answer(),
            _ => self.keep_building(),
        }
    }

    /// Answers whatever agents ask.
    pub(super) fn answer(&mut self) {
        for build in &mut self.builds {
            if let Some(Wait::Answer { answer, .. }) = &mut build.wait {
                *answer = Some("the second".into());
            }
        }
    }

    pub(super) fn queue(&mut self) {
        if self.tasks.len() < MOST_TASKS {
            let number = i64::try_from(self.tasks.len()).unwrap() + 1;
            let now = self.now();
            let task = made::task(&mut self.dice, number, &self.settings, now);
            self.note("queue", || format!("{:?} {:?} {:?} #{number}", task.spec.kind, task.spec.category, task.state));
            self.tasks.push(task);
        }
    }

    pub(super) fn void(&mut self, task: TaskId) {
        for row in self.approvals.iter_mut().filter(|row| row.approval.task == task) {
            row.voided = true;
        }
    }

    fn approve(&mut self, id: TaskId) {
        let (task, world) = (self.task(id).clone(), self.snapshot());
        let wanted = task.state == TaskState::Open && choice::lock(&world, &task).is_some();
        if !wanted || choice::is_approved(&world, &task) {
            return;
        }
        self.note("approve", || format!("#{id}"));
        self.void(id);
        let (revision_hash, decided_at) = (task.spec.revision_hash(), self.now());
        let approval = Approval { task: id, revision_hash, approver: "x:1".into(), decided_at, used_at: None };
        self.approvals.push(ApprovalRow { approval, voided: false });
        self.action_runs.remove(&id);
    }

    fn edit(&mut self, id: TaskId) {
        let building = self.open_builds().any(|build| build.task == id);
        let rewrite = self.dice.chance(60);
        let draft = self.dice.chance(10);
        let now = self.now();
        let later = now + self.dice.minutes(1, 300);
        let task = row_mut(&mut self.tasks, id.0);
        if building || !matches!(task.state, TaskState::Open | TaskState::Draft) {
            return;
        }
        if rewrite {
            task.spec.title.push('\'');
        } else {
            (task.spec.priority, task.spec.not_before) = (Priority::High, Some(later));
        }
        task.state = if draft { TaskState::Draft } else { TaskState::Open };
        (task.revision, task.attempts, task.retry_at) = (task.revision + 1, 0, None);
        if rewrite {
            self.void(id);
        }
        self.note("edit", || format!("#{id}, rewritten: {rewrite}"));
    }

    fn drop_task(&mut self, id: TaskId) {
        let task = row_mut(&mut self.tasks, id.0);
        if matches!(task.state, TaskState::Open | TaskState::Draft) {
            task.state = TaskState::Dropped;
            self.note("drop", || format!("#{id}"));
            self.void(id);
            self.stop(Some(id));
        }
    }

    fn stop(&mut self, task: Option<TaskId>) {
        self.note("stop", || format!("{task:?}"));
        let open: Vec<_> = self.open_builds().map(|build| build.id).collect();
        for id in open {
            let build: &mut Build = row_mut(&mut self.builds, id.0);
            if task.is_none_or(|task| task == build.task) {
                build.stop_requested.get_or_insert(StopReason::Owner);
            }
        }
    }

    fn retry(&mut self, id: TaskId) {
        if self.open_builds().any(|build| build.task == id) {
            return;
        }
        self.note("retry", || format!("#{id}"));
        let task = row_mut(&mut self.tasks, id.0);
        match task.state {
            TaskState::Draft => {}
            TaskState::Open => task.retry_at = None,
            TaskState::Done | TaskState::Dropped => {
                (task.state, task.attempts, task.retry_at) = (TaskState::Open, 0, None);
            }
        }
    }

    fn run(&mut self, id: TaskId) {
        let (world, now) = (self.snapshot(), self.now());
        let Some(task) = world.task(id) else { return };
        match choice::standing(&world, task, now) {
            Standing::Ready { .. } => {}
            Standing::RetryAt(_) => row_mut(&mut self.tasks, id.0).retry_at = None,
            _ => return,
        }
        if !world.sessions.iter().any(|s| s.is_open() && s.only_task == Some(id)) {
            self.note("run one", || format!("#{id}"));
            self.by_hand(SessionKind::Single, Some(id));
        }
    }

    fn by_hand(&mut self, kind: SessionKind, only_task: Option<TaskId>) {
        let now = self.now();
        let opened = self.open_session(&NewSession {
            kind,
            date: self.settings.schedule.local(now).date_naive(),
            patterns_at: now,
            spawn_at: now,
            spawn_until: now + TimeDelta::hours(8),
            brief_at: now,
            only_task,
            late_minutes: 0,
        });
        assert!(opened.is_ok(), "a session by hand is no night");
    }

    fn open_night(&mut self) -> Option<&mut Session> {
        let sessions = self.sessions.iter_mut().map(|row| &mut row.session);
        sessions.rev().find(|session| session.is_open() && session.kind != SessionKind::Single)
    }

    fn night_start(&mut self) {
        if self.open_night().is_none() {
            self.note("night start", String::new);
            self.by_hand(SessionKind::Manual, None);
        }
    }

    fn night_stop(&mut self) {
        if let Some(session) = self.open_night().filter(|session| !session.stopped) {
            (session.stopped, session.keep_until) = (true, None);
            let id = session.id;
            self.note("night stop", || format!("session {id}"));
            self.stop(None);
        }
    }

    fn skip(&mut self) {
        let schedule = &self.settings.schedule;
        let mut night = schedule.current_or_next(self.now());
        let begun =
            |row: &super::world::SessionRow| row.session.kind == SessionKind::Nightly && row.session.date == night.date;
        if self.sessions.iter().any(begun) {
            night = schedule.night(night.date.succ_opt().unwrap());
        }
        self.skipped.insert(night.date);
        self.note("skip", || night.date.to_string());
    }

    fn keep_building(&mut self) {
        let now = self.now();
        let settings = std::sync::Arc::clone(&self.settings);
        let latest = self.sessions.iter_mut().map(|row| &mut row.session).rfind(|s| s.kind != SessionKind::Single);
        let Some(session) = latest.filter(|s| s.missed_reason.is_none()) else { return };
        let begun = matches!(session.phase, Phase::Building | Phase::Report | Phase::Brief | Phase::Closed);
        if now - session.started_at < TimeDelta::hours(24) && begun {
            let from = now.max(session.spawn_until);
            let until = settings.schedule.next_local_time(from, settings.schedule.keep_building_until);
            (session.keep_until, session.stopped) = (Some(until), false);
            let id = session.id;
            self.note("keep building", || format!("session {id} until {until}"));
        }
    }
}
