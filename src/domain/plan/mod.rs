//! The heart: one look at the whole state, what to do about it, and when to look again.
//!
//! [`plan`] takes no event. Whatever woke the engine (a timer, a tap, a child's exit, a restart), it looks at the whole
//! state again, so missed, repeated and reordered wake-ups are one case. It is synchronous and deterministic, and every
//! action it returns is complete: whoever performs it has nothing left to decide.
//!
//! What may start is told by [`choice`], what does by [`spawn`]: tonight's places go to the tasks their time is worth most
//! to ([`tonight`], [`price`]), as far as earlier builds tell how long things take ([`outlook`]).

pub mod budget;
pub mod builds;
pub mod checks;
pub mod choice;
pub mod expect;
pub mod likely;
pub mod night;
mod orders;
pub mod outlook;
pub mod overlap;
pub mod pressure;
mod price;
mod resume;
pub mod runs;
pub mod ships;
pub mod spawn;
pub mod tonight;
mod wake;

pub use orders::{BuildEnd, NewBuild, NewSession, Resumption, TaskAfter};

use super::approval::Approval;
use super::build::{Build, BuildStep, Check, CheckStep, Run, RunOwner, RunStep, StopReason, Used, Verdict, Wait};
use super::id::{BuildId, CheckId, RunId, SessionId, ShipId, TaskId};
use super::provider::{Block, Provider};
use super::resource::Sample;
use super::session::{Phase, Session, SessionKind};
use super::settings::Settings;
use super::ship::{Ship, ShipOutcome, ShipStep};
use super::task::Task;
use super::throttle::{OpenThrottle, Permits, PressureKind};
use chrono::{DateTime, NaiveDate, Utc};
use outlook::Outlook;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// From when until when there was no sign of life.
pub type Gap = (DateTime<Utc>, DateTime<Utc>);

/// Everything the planner looks at.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The configuration.
    pub settings: Arc<Settings>,
    /// When this bot first ran with something to look after: nights before it are nobody's fault. None: not yet, and no
    /// night begins.
    pub installed_at: Option<DateTime<Utc>>,
    /// Scheduled dates that have a nightly session row, at least the last 60.
    pub nights_seen: BTreeSet<NaiveDate>,
    /// Scheduled dates the owner asked to skip.
    pub skipped: BTreeSet<NaiveDate>,
    /// The owner paused spawning.
    pub paused: bool,
    /// Sessions that are open, or still may spawn, or whose builds run.
    pub sessions: Vec<Session>,
    /// Open tasks.
    pub tasks: Vec<Task>,
    /// Tasks that completed, as far as open ones depend on them, with project and result commit.
    pub completed: BTreeMap<TaskId, Option<(String, String)>>,
    /// Tasks that are over without having completed, as far as open ones depend on them.
    pub gone: BTreeSet<TaskId>,
    /// Approvals in force for open tasks.
    pub approvals: Vec<Approval>,
    /// Builds that have not ended.
    pub builds: Vec<Build>,
    /// Checks that have not ended, and the base checks of the sessions above.
    pub checks: Vec<Check>,
    /// Runs of the builds and checks above.
    pub runs: Vec<Run>,
    /// Ships that have not ended.
    pub ships: Vec<Ship>,
    /// Resource samples of the last 15 minutes, newest last.
    pub samples: Vec<Sample>,
    /// When the next sample is due.
    pub sample_due: DateTime<Utc>,
    /// Times without a sign of life, as far as runs above were under way.
    pub gaps: Vec<Gap>,
    /// Throttle events that have not ended.
    pub throttles: Vec<OpenThrottle>,
    /// Why no build may begin on this machine: the sandbox its owner insists on does not hold.
    pub barred: Option<String>,
    /// What is known of the accounts behind agents.
    pub providers: Vec<Provider>,
    /// Days that were kept, at least the last 60.
    pub kept: BTreeSet<NaiveDate>,
    /// The date of the session in which a restore was tried last.
    pub drilled: Option<NaiveDate>,
    /// What the builds of the sessions above have used.
    pub spent: BTreeMap<SessionId, Used>,
    /// Effects this process has under way.
    pub in_flight: BTreeSet<Effect>,
    /// How earlier builds went, and times that are not there.
    pub outlook: Outlook,
}

/// Work outside the database that takes time. The engine runs each at most once at a time and records what came of
/// it; until then the plan waits. All can be repeated after a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// Phase 1: scan and fix.
    Health(SessionId),
    /// Phase 2: learn from past tasks, queue habits.
    Patterns(SessionId),
    /// Keep the day before the first build: the projects' files, the database, the vaults.
    Snapshot(SessionId),
    /// Try to restore what was kept.
    Drill(SessionId),
    /// Refresh the vault, make the clone, copy what it needs.
    PrepareBuild(BuildId),
    /// Commit what the agent left, take it into the vault.
    Collect(BuildId),
    /// Make a fresh clone of a commit.
    PrepareCheck(CheckId),
    /// Write the report file.
    Report(SessionId),
    /// Look where the branch is as its ship is asked for.
    SeeBranch(ShipId),
    /// Carry the change onto the branch as it is now, in the vault.
    Pick(ShipId),
    /// Move the branch and its checkout.
    Land(ShipId),
}

/// One thing to do. The first group changes the database in one transaction each; the second acts outside first.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Opens a session.
    OpenSession(NewSession),
    /// Records that a night did not run.
    MissNight {
        /// Scheduled date.
        date: NaiveDate,
        /// Why, in words for the owner.
        reason: String,
        /// When the brief saying so is due.
        brief_at: DateTime<Utc>,
    },
    /// Moves a session on.
    EnterPhase {
        /// Which.
        session: SessionId,
        /// The phase it is in.
        from: Phase,
        /// The phase it enters.
        to: Phase,
    },
    /// Tells the live status: the half-hourly progress check.
    ProgressCheck {
        /// Which session.
        session: SessionId,
        /// The scheduled moment this check stands for.
        slot: DateTime<Utc>,
    },
    /// Puts the brief into the outbox and closes the session.
    SendBrief {
        /// Which session.
        session: SessionId,
        /// The phase it is in.
        from: Phase,
    },
    /// Starts a build: takes a permit, and the approval where one is needed.
    StartBuild(NewBuild),
    /// Asks for the check of a project's base.
    StartBaseCheck {
        /// In which session.
        session: SessionId,
        /// Which project.
        project: String,
    },
    /// Asks for the check of a build's result.
    StartResultCheck {
        /// Which build.
        build: BuildId,
    },
    /// Moves a build to its next step.
    AdvanceBuild {
        /// Which.
        build: BuildId,
        /// The step it is in.
        from: BuildStep,
        /// The step it enters.
        to: BuildStep,
    },
    /// Moves a check to its next step.
    AdvanceCheck {
        /// Which.
        check: CheckId,
        /// The step it is in.
        from: CheckStep,
        /// The step it enters.
        to: CheckStep,
    },
    /// Ends a check.
    EndCheck {
        /// Which.
        check: CheckId,
        /// The step it is in.
        from: CheckStep,
        /// What was found.
        verdict: Verdict,
    },
    /// Ends a build and says what becomes of its task.
    EndBuild(BuildEnd),
    /// Lets a build wait for its provider or for an answer, without a permit and without counting an attempt.
    ParkBuild {
        /// Which.
        build: BuildId,
        /// What for.
        wait: Wait,
        /// The agent whose account can't be used, and until when not.
        block: Option<Box<(String, Block)>>,
    },
    /// Lets a parked build go on.
    ResumeBuild(Resumption),
    /// Moves a ship to its next step.
    MoveShip {
        /// Which.
        ship: ShipId,
        /// The step it is in.
        from: ShipStep,
        /// Where it goes.
        step: ships::ShipMove,
    },
    /// Asks for the check of what shall land, or of the branch itself.
    StartShipCheck {
        /// For which ship.
        ship: ShipId,
        /// The branch itself.
        of_base: bool,
    },
    /// Ends a ship.
    EndShip {
        /// Which.
        ship: ShipId,
        /// The step it is in.
        from: ShipStep,
        /// How.
        outcome: ShipOutcome,
        /// Why, in words for the owner.
        reason: String,
    },
    /// A resource ran short.
    OpenThrottle {
        /// Which.
        kind: PressureKind,
        /// What was seen, in words.
        detail: String,
    },
    /// It is back.
    CloseThrottle {
        /// Which.
        kind: PressureKind,
    },
    /// Takes a resource sample.
    TakeSample,
    /// Starts an effect.
    Begin(Effect),
    /// Launches a run.
    Launch {
        /// For what.
        owner: RunOwner,
        /// Which command.
        step: RunStep,
    },
    /// Asks a run to stop.
    StopRun {
        /// Which.
        run: RunId,
        /// Why.
        reason: StopReason,
    },
}

/// What to do now, and when to look again.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// In this order. Empty: nothing to do before `next_wake`.
    pub actions: Vec<Action>,
    /// When to look again at the latest, and why; at once, if there is something to do.
    pub next_wake: (DateTime<Utc>, &'static str),
}

/// Looks at the whole state and decides. With nothing to do, `next_wake` lies after `now`.
///
/// A sample that is due comes first and alone: what the machine can bear is decided on a fresh look, not on what was
/// known before it slept or the bot was down.
pub fn plan(world: &Snapshot, now: DateTime<Utc>) -> Plan {
    let at_once = (now, "what was planned changes the state");
    if now >= world.sample_due {
        return Plan { actions: vec![Action::TakeSample], next_wake: at_once };
    }
    let mut actions = Vec::new();
    let last_night = world.settings.schedule.last_started(now);
    night::due_sessions(world, last_night, now, &mut actions);
    let permits = world.permits();
    pressure::events(world, &permits, &mut actions);
    let stop_for_disk = pressure::must_stop(world);
    for build in &world.builds {
        builds::next(world, build, stop_for_disk.as_deref(), now, &mut actions);
    }
    for check in world.checks.iter().filter(|check| check.step != CheckStep::Ended) {
        actions.extend(checks::next(world, check, stop_for_disk.is_some(), now));
    }
    for ship in &world.ships {
        actions.extend(ships::next(world, ship, now));
    }
    for session in &world.sessions {
        night::next(world, session, now, &mut actions);
    }
    if stop_for_disk.is_none() {
        spawn::spawn(world, &permits, now, &mut actions);
    }
    let next_wake = if actions.is_empty() { wake::next(world, last_night, now) } else { at_once };
    Plan { actions, next_wake }
}

impl Snapshot {
    /// A state in which nothing is and nothing was.
    pub fn empty(settings: Arc<Settings>, sample_due: DateTime<Utc>) -> Self {
        Self {
            settings,
            sample_due,
            installed_at: None,
            nights_seen: BTreeSet::new(),
            skipped: BTreeSet::new(),
            paused: false,
            sessions: vec![],
            tasks: vec![],
            completed: BTreeMap::new(),
            gone: BTreeSet::new(),
            approvals: vec![],
            builds: vec![],
            checks: vec![],
            runs: vec![],
            gaps: vec![],
            ships: vec![],
            samples: vec![],
            throttles: vec![],
            barred: None,
            providers: vec![],
            kept: BTreeSet::new(),
            drilled: None,
            spent: BTreeMap::new(),
            in_flight: BTreeSet::new(),
            outlook: Outlook::default(),
        }
    }

    /// How many builds may run now, and what stands in the way.
    pub fn permits(&self) -> Permits {
        super::throttle::permits(&pressure::limits(&self.settings), self.samples.last(), &self.throttles)
    }

    /// The run of a build or check, if it was launched.
    pub fn run(&self, owner: RunOwner, step: RunStep) -> Option<&Run> {
        self.runs.iter().find(|run| run.owner == owner && run.step == step)
    }

    /// The run of a build's agent in the round it is in, if it was launched.
    pub fn agent_run(&self, build: &Build) -> Option<&Run> {
        let owner = RunOwner::Build(build.id);
        self.runs.iter().find(|run| run.owner == owner && run.step == RunStep::Agent && run.round == build.round)
    }

    /// Builds that hold a permit: all that have not ended, but for those that wait.
    pub fn running(&self) -> impl Iterator<Item = &Build> {
        self.builds.iter().filter(|build| build.step != BuildStep::Parked)
    }

    /// What is known of the account behind an agent.
    pub fn provider(&self, agent: &str) -> Option<&Provider> {
        self.providers.iter().find(|provider| provider.agent == agent)
    }

    /// The session of a build, if it is among those looked at.
    pub fn session(&self, id: SessionId) -> Option<&Session> {
        self.sessions.iter().find(|session| session.id == id)
    }

    /// The open task of this number.
    pub fn task(&self, id: TaskId) -> Option<&Task> {
        self.tasks.iter().find(|task| task.id == id)
    }

    /// The session in which a build may be started now, if any: the newest that still spawns.
    pub fn spawning_session(&self, now: DateTime<Utc>) -> Option<&Session> {
        self.sessions.iter().filter(|s| s.kind != SessionKind::Single && s.may_spawn(now)).max_by_key(|s| s.id)
    }

    fn busy(&self, effect: Effect) -> bool {
        self.in_flight.contains(&effect)
    }
}

#[cfg(test)]
mod tests;
