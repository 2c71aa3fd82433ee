//! Actions as the engine performs them: every change names the state it expects, and the schema refuses doubles.

use super::world::{SessionRow, World, row, row_mut};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use overnight::domain::build::CheckStep;
use overnight::domain::id::SessionId;
use overnight::domain::plan::{Action, NewSession};
use overnight::domain::resource::{Mount, Sample};
use overnight::domain::session::{Phase, Session, SessionKind};
use overnight::domain::throttle::OpenThrottle;

/// Why an action was not performed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// The state was another one.
    Race(&'static str),
    /// The schema does not allow a second one.
    Second(&'static str),
}

pub(super) type Done = Result<(), Refused>;

pub(super) fn expect(holds: bool, what: &'static str) -> Done {
    holds.then_some(()).ok_or(Refused::Race(what))
}

pub(super) fn only(is_first: bool, what: &'static str) -> Done {
    is_first.then_some(()).ok_or(Refused::Second(what))
}

pub(super) fn id<T>(rows: &[T]) -> i64 {
    i64::try_from(rows.len()).unwrap()
}

impl World {
    pub(super) fn apply(&mut self, action: &Action) -> Done {
        match action {
            Action::OpenSession(new) => self.open_session(new).map(|_| ()),
            Action::MissNight { date, reason, brief_at } => self.miss(*date, reason, *brief_at),
            Action::EnterPhase { session, from, to } => self.enter(*session, *from, *to),
            Action::ProgressCheck { session, slot } => self.progress(*session, *slot),
            Action::SendBrief { session, from } => self.brief(*session, *from),
            Action::StartBuild(new) => self.start_build(new),
            Action::StartBaseCheck { session, project } => self.start_base_check(*session, project),
            Action::StartResultCheck { build } => self.start_result_check(*build),
            Action::AdvanceBuild { build, from, to } => self.advance_build(*build, *from, *to),
            Action::AdvanceCheck { check, from, to } => self.advance_check(*check, *from, *to),
            Action::EndCheck { check, from, verdict } => {
                self.advance_check(*check, *from, CheckStep::Ended)?;
                row_mut(&mut self.checks, check.0).verdict = Some(verdict.clone());
                Ok(())
            }
            Action::EndBuild(end) => self.end_build(end),
            Action::ParkBuild { build, wait, block } => self.park(*build, wait, block.as_deref()),
            Action::ResumeBuild(resumption) => self.resume(resumption),
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
            Action::MoveShip { .. } | Action::StartShipCheck { .. } | Action::EndShip { .. } => {
                panic!("nobody ships in these nights")
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

    fn progress(&mut self, session: SessionId, slot: DateTime<Utc>) -> Done {
        let session = &mut row_mut(&mut self.sessions, session.0).session;
        let newer = session.progress_at.is_none_or(|last| last < slot);
        expect(session.phase == Phase::Building && newer, "the progress check")?;
        session.progress_at = Some(slot);
        Ok(())
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
            snapshot_done: false,
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

    fn miss(&mut self, date: NaiveDate, reason: &str, brief_at: DateTime<Utc>) -> Done {
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
        for n in 1..=i64::try_from(self.sessions.len()).unwrap() {
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

    fn take_sample(&mut self) {
        let now = self.now();
        let mount = |(path, used): (&str, u64)| Mount {
            path: path.into(),
            used_bytes: used,
            available_bytes: 100 - used,
            total_bytes: 100,
        };
        let longest = (TimeDelta::from_std(self.settings.sample_every).unwrap() * 4).max(TimeDelta::minutes(5));
        if let Some(last) = self.samples.last().map(|sample| sample.at).filter(|last| now - *last > longest) {
            self.gaps.push((last, now));
        }
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
}
