//! Chance: crashes, sleep, clock jumps, full disks, and an owner who taps.

use super::world::World;
use chrono::{DateTime, TimeDelta, Utc};
use overnight::domain::plan::Action;

impl World {
    /// Something happens.
    pub(super) fn strike(&mut self) {
        self.outside.strikes_at = self.real + self.dice.minutes(1, 90);
        match self.dice.below(40) {
            0 => self.bot_is_down(false),
            1 => self.bot_is_down(true),
            2 => self.machine_sleeps(),
            3 | 4 => self.clock_jumps(),
            5..=12 => self.resources_change(),
            _ => self.tap(),
        }
    }

    /// From here on nothing goes wrong and nobody asks for anything.
    pub(super) fn calm_down(&mut self) {
        self.note("calm", String::new);
        self.outside.calm = true;
        // What waits for the owner would wait for ever.
        self.paused = false;
        self.answer();
        self.outside.strikes_at = DateTime::<Utc>::MAX_UTC;
        (self.outside.disks, self.outside.memory, self.outside.psi) = ([10, 10], 90, Some(0.0));
    }

    /// The bot dies between two actions of one plan and is started again at once.
    pub(super) fn crash(&mut self) {
        self.note("crash", String::new);
        self.lose_process();
    }

    fn bot_is_down(&mut self, whole_machine: bool) {
        let away = self.away();
        self.note("down", || format!("for {} min, machine: {whole_machine}", away.num_minutes()));
        self.lose_process();
        self.real += away;
        if whole_machine {
            self.lose_runs();
        }
    }

    fn machine_sleeps(&mut self) {
        let away = self.away();
        self.note("sleep", || format!("for {} min", away.num_minutes()));
        self.real += away;
        // What ran stood still meanwhile.
        for (at, _) in &mut self.outside.effects {
            *at += away;
        }
        for (at, ..) in &mut self.outside.runs {
            *at += away;
        }
    }

    fn away(&mut self) -> TimeDelta {
        let long = self.dice.chance(30);
        self.dice.minutes(1, if long { 600 } else { 40 })
    }

    /// The machine's clock is set wrong by up to six hours, or right again.
    fn clock_jumps(&mut self) {
        self.ahead = if self.ahead == TimeDelta::zero() { self.dice.minutes(-360, 360) } else { TimeDelta::zero() };
        let ahead = self.ahead.num_minutes();
        self.note("clock", || format!("is now {ahead} min ahead"));
    }

    fn resources_change(&mut self) {
        let outside = &mut self.outside;
        match self.dice.below(4) {
            0 => outside.disks[self.dice.below(2)] = self.dice.pick(&[50, 79, 80, 85, 99]),
            1 => outside.disks = [90, 90],
            2 => (outside.memory, outside.psi) = self.dice.pick(&[(10, None), (22, Some(50.0)), (60, Some(7.0))]),
            _ => (outside.disks, outside.memory, outside.psi) = ([40, 50], 60, Some(0.0)),
        }
        let now = format!("disks {:?}, memory {}, psi {:?}", outside.disks, outside.memory, outside.psi);
        self.note("resources", || now);
    }

    /// Notes an action by its name, and an outcome by its word.
    pub(super) fn note_action(&mut self, action: &Action) {
        let kind = match action {
            Action::OpenSession(_) => "OpenSession",
            Action::MissNight { .. } => "MissNight",
            Action::EnterPhase { .. } => "EnterPhase",
            Action::ProgressCheck { .. } => "ProgressCheck",
            Action::SendBrief { .. } => "SendBrief",
            Action::StartBuild(_) => "StartBuild",
            Action::MoveShip { .. } => "MoveShip",
            Action::StartShipCheck { .. } => "StartShipCheck",
            Action::EndShip { .. } => "EndShip",
            Action::StartBaseCheck { .. } => "StartBaseCheck",
            Action::StartResultCheck { .. } => "StartResultCheck",
            Action::AdvanceBuild { .. } => "AdvanceBuild",
            Action::AdvanceCheck { .. } => "AdvanceCheck",
            Action::EndCheck { .. } => "EndCheck",
            Action::EndBuild(end) => end.outcome.as_str(),
            Action::ParkBuild { block: Some(_), .. } => "ParkBuild for its provider",
            Action::ParkBuild { block: None, .. } => "ParkBuild for an answer",
            Action::ResumeBuild(_) => "ResumeBuild",
            Action::OpenThrottle { .. } => "OpenThrottle",
            Action::CloseThrottle { .. } => "CloseThrottle",
            Action::TakeSample => "TakeSample",
            Action::Begin(_) => "Begin",
            Action::Launch { .. } => "Launch",
            Action::StopRun { .. } => "StopRun",
        };
        self.note(kind, || format!("{action:?}"));
    }
}
