//! How a ship walks: what would land is made, verified, and only then lands. One of a project at a time.

use super::{Action, Effect, Snapshot};
use crate::domain::build::{Check, TestsVerdict, Verdict};
use crate::domain::id::CheckId;
use crate::domain::ship::{Found, Ship, ShipKind, ShipOutcome, ShipStep};
use chrono::{DateTime, TimeDelta, Utc};

/// How often it is looked whether the owner has cleared the way.
const LOOK_AGAIN: TimeDelta = TimeDelta::seconds(30);
/// Waits before what failed on the host is tried again.
const AFTER_FAILURE: TimeDelta = TimeDelta::minutes(1);
/// Tests named of those that fail.
const SHOWN_TESTS: usize = 3;

/// A ship's next step.
#[derive(Debug, Clone, PartialEq)]
pub struct ShipMove {
    /// Where to.
    pub to: ShipStep,
    /// What it waits for, in words for the owner.
    pub waits: Option<String>,
    /// When it is tried again.
    pub retry_at: Option<DateTime<Utc>>,
    /// The branch's own tests fail at this commit.
    pub red: Option<String>,
}

/// What a ship needs next.
pub(super) fn next(world: &Snapshot, ship: &Ship, now: DateTime<Utc>) -> Option<Action> {
    let walk = Walk { world, ship, now };
    if world.settings.project(&ship.project).is_none() && ship.step != ShipStep::Ended {
        return walk.end(ShipOutcome::Refused, format!("the project {:?} is no longer configured", ship.project));
    }
    match ship.step {
        ShipStep::Queued => walk.queued(),
        ShipStep::Picking => walk.picking(),
        ShipStep::Checking => walk.checking(),
        ShipStep::CheckingBase => walk.checking_base(),
        ShipStep::Landing => walk.landing(),
        ShipStep::Waiting if ship.retry_at.is_none_or(|at| now >= at) => walk.go(ShipStep::Picking),
        ShipStep::Waiting | ShipStep::Ended => None,
    }
}

/// When a ship that waits is tried again.
pub(super) fn wake(world: &Snapshot) -> Option<DateTime<Utc>> {
    world.ships.iter().filter(|ship| ship.step == ShipStep::Waiting).filter_map(|ship| ship.retry_at).min()
}

struct Walk<'a> {
    world: &'a Snapshot,
    ship: &'a Ship,
    now: DateTime<Utc>,
}

impl Walk<'_> {
    fn queued(&self) -> Option<Action> {
        if let Some(Found::Refused { text }) = &self.ship.found {
            return self.end(ShipOutcome::Refused, text.clone());
        }
        // Before anything else: what the owner asked for is bound to the branch as it was in that moment.
        if self.ship.asked_onto.is_none() {
            return self.begin(Effect::SeeBranch(self.ship.id));
        }
        let others = || self.world.ships.iter().filter(|other| other.project == self.ship.project);
        let first = others().filter(|other| other.step == ShipStep::Queued).map(|other| other.id).min();
        let turn = !others().any(Ship::is_at_work) && first == Some(self.ship.id);
        turn.then(|| self.go(ShipStep::Picking)).flatten()
    }

    fn picking(&self) -> Option<Action> {
        match &self.ship.found {
            None => self.begin(Effect::Pick(self.ship.id)),
            Some(Found::Picked { check: false }) => self.go(ShipStep::Landing),
            Some(Found::Picked { check: true }) => self.go(ShipStep::Checking),
            Some(Found::StillRed) => {
                self.wait(self.ship.waits.clone().unwrap_or_default(), LOOK_AGAIN, self.ship.red.clone())
            }
            Some(Found::Conflict { paths }) => {
                let text = format!("it conflicts with what is on the branch now, in {}", paths.join(", "));
                self.end(ShipOutcome::Conflict, text)
            }
            Some(Found::Nothing) => self.end(ShipOutcome::Nothing, "the branch has all of it already".into()),
            Some(Found::Moved { text }) => self.end(ShipOutcome::Moved, text.clone()),
            Some(found) => self.troubled(found),
        }
    }

    fn checking(&self) -> Option<Action> {
        let Some(check) = self.ship.check else { return self.start_check(false) };
        let verdict = self.verdict(check)?;
        if verdict.cut_short {
            return self.wait("the disk was filling while it was verified".into(), AFTER_FAILURE, None);
        }
        match verdict.tests {
            TestsVerdict::Passed | TestsVerdict::Flaky | TestsVerdict::NoCommand => self.go(ShipStep::Landing),
            TestsVerdict::Failed => self.go(ShipStep::CheckingBase),
            TestsVerdict::Impossible => {
                let why = verdict.trouble.clone().unwrap_or_default();
                self.end(ShipOutcome::Failed, format!("it could not be verified: {why}"))
            }
        }
    }

    fn checking_base(&self) -> Option<Action> {
        let Some(check) = self.ship.base_check else { return self.start_check(true) };
        let verdict = self.verdict(check)?;
        if verdict.cut_short {
            return self.wait("the disk was filling while the branch was verified".into(), AFTER_FAILURE, None);
        }
        if verdict.tests == TestsVerdict::Failed {
            let text = format!("the branch's own tests fail{}; nothing lands before they pass", names(verdict));
            return self.wait(text, LOOK_AGAIN, self.ship.onto.clone());
        }
        let failed = self.ship.check.and_then(|check| self.verdict(check));
        let text = format!("it does not pass on the branch as it is now{}", failed.map(names).unwrap_or_default());
        self.end(ShipOutcome::Failed, text)
    }

    fn landing(&self) -> Option<Action> {
        match &self.ship.found {
            None => self.begin(Effect::Land(self.ship.id)),
            Some(Found::Landed) => {
                let text = match self.ship.kind {
                    ShipKind::Ship => "it is on the branch",
                    ShipKind::Revert => "it is off the branch",
                };
                self.end(ShipOutcome::Landed, text.into())
            }
            Some(Found::Overtaken) => self.go(ShipStep::Picking),
            Some(found) => self.troubled(found),
        }
    }

    fn troubled(&self, found: &Found) -> Option<Action> {
        match found {
            Found::Waits { text } => self.wait(text.clone(), LOOK_AGAIN, None),
            Found::Failed { text } => self.wait(text.clone(), AFTER_FAILURE, None),
            Found::Refused { text } => self.end(ShipOutcome::Refused, text.clone()),
            // Not said in these steps: a row of an older version is looked at again.
            _ => self.go(ShipStep::Picking),
        }
    }

    /// None while it goes on.
    fn verdict(&self, check: CheckId) -> Option<&Verdict> {
        self.world.checks.iter().find(|row: &&Check| row.id == check)?.verdict.as_ref()
    }

    fn begin(&self, effect: Effect) -> Option<Action> {
        (!self.world.busy(effect)).then_some(Action::Begin(effect))
    }

    #[expect(clippy::unnecessary_wraps, reason = "every step of the walk answers with an optional action")]
    fn start_check(&self, of_base: bool) -> Option<Action> {
        Some(Action::StartShipCheck { ship: self.ship.id, of_base })
    }

    fn go(&self, to: ShipStep) -> Option<Action> {
        // What the branch's own tests said holds until it moves.
        self.step(ShipMove { to, waits: self.ship.waits.clone(), retry_at: None, red: self.ship.red.clone() })
    }

    fn wait(&self, text: String, pause: TimeDelta, red: Option<String>) -> Option<Action> {
        self.step(ShipMove { to: ShipStep::Waiting, waits: Some(text), retry_at: Some(self.now + pause), red })
    }

    #[expect(clippy::unnecessary_wraps, reason = "every step of the walk answers with an optional action")]
    fn step(&self, step: ShipMove) -> Option<Action> {
        Some(Action::MoveShip { ship: self.ship.id, from: self.ship.step, step })
    }

    #[expect(clippy::unnecessary_wraps, reason = "every step of the walk answers with an optional action")]
    fn end(&self, outcome: ShipOutcome, reason: String) -> Option<Action> {
        Some(Action::EndShip { ship: self.ship.id, from: self.ship.step, outcome, reason })
    }
}

/// The tests that fail, in brackets; empty if none is named.
fn names(verdict: &Verdict) -> String {
    let failing = &verdict.counts.failing;
    let more = failing.len().saturating_sub(SHOWN_TESTS);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    if failing.is_empty() {
        return String::new();
    }
    format!(" ({}{more})", failing[..failing.len().min(SHOWN_TESTS)].join(", "))
}
