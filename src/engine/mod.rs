//! The engine: look at everything, ask the planner, do what it says, record what happened.
//!
//! [`Engine::step`] is the whole of it: stored messages are handled, ended runs recorded, then the plan is made and
//! performed until there is nothing left to do before its `next_wake`. Stories call `step`, the bot loops over it.
//!
//! - [`inbound`]: one stored message → one transaction; `taps`: what a tap on a button does.
//! - `perform`: one [`Action`](crate::domain::plan::Action) → one transaction; no decisions.
//! - `effects`: work that takes time, in the background, each ending in a recorded fact.
//! - `runs`: launching and watching supervised commands; `spec`: what exactly they execute; `rounds`: what an agent's
//!   output means.
//! - `strangers`: who is not known; `late`: what was written long ago; `reach`: trouble with a platform.
//! - [`deliver`]: outbox → chat; [`say`]: what is said unasked; `card`: a task's card.
//! - `picture`: the night as PNG, for the brief.
//! - `fence`: what the commands of builds may reach; `room`: the home folder they have.
//! - `garbage`: folders nobody needs any more. `restore`: what was kept of a day, back into folders.

mod card;
pub mod commands;
pub mod deliver;
mod effects;
pub mod facts;
pub mod failpoint;
mod fence;
mod garbage;
pub mod home;
pub mod inbound;
mod late;
mod perform;
mod picture;
mod reach;
pub mod reply;
pub mod restore;
mod review;
mod room;
mod rounds;
mod runs;
pub mod say;
mod spec;
mod strangers;
mod taps;

pub use crate::host::chart::draw_main;

use crate::clock::Clock;
use crate::domain::build::{Build, BuildStep};
use crate::domain::id::BuildId;
use crate::domain::plan::{Effect, Snapshot, plan};
use crate::domain::role::Role;
use crate::domain::settings::Settings;
use crate::git::{Git, Vault};
use crate::host::awake::KeepAwake;
use crate::host::probe::Probe;
use crate::runner::LocalRunner;
use crate::runner::leash::{Detected, Mechanisms};
use crate::store::{Store, StoreError, outlook, snapshot};
use chrono::{DateTime, TimeDelta, Utc};
use home::Home;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, OnceCell, watch};
use tokio_util::task::TaskTracker;

/// Everything the engine works with; made once, in the composition root.
pub struct Parts {
    /// The database.
    pub store: Store,
    /// The configuration.
    pub settings: Arc<Settings>,
    /// The data folder.
    pub home: Home,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The machine.
    pub probe: Arc<dyn Probe>,
    /// Where commands run.
    pub runner: LocalRunner,
    /// What may hold them, of what this machine has.
    pub mechanisms: Mechanisms,
    /// Git on the host.
    pub git: Git,
    /// What every child's environment starts from; projects and agents add to it.
    pub child_env: BTreeMap<String, String>,
    /// Values of variables that projects or agents may name in `env_pass`.
    pub passable_env: BTreeMap<String, String>,
    /// Where programs are looked for.
    pub search_path: OsString,
    /// Chat that gets what nobody asked for: the brief, the live status.
    pub home_chat: String,
    /// Who may talk to the bot, as `platform:id`, and what they may do.
    pub people: BTreeMap<String, Role>,
}

/// The engine. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Engine {
    parts: Arc<Parts>,
    live: Arc<Live>,
}

/// What only this process knows.
#[derive(Default)]
struct Live {
    in_flight: Mutex<BTreeSet<Effect>>,
    watched: Mutex<BTreeSet<i64>>,
    launch_failures: Mutex<BTreeMap<i64, u32>>,
    readings: Mutex<BTreeMap<i64, rounds::Reading>>,
    ground: OnceCell<Detected>,
    memory: OnceCell<Option<u64>>,
    vaults: Mutex<BTreeMap<String, Vault>>,
    awake: Mutex<Option<KeepAwake>>,
    next_wake: Mutex<Option<(DateTime<Utc>, &'static str)>>,
    shown: Mutex<Option<(DateTime<Utc>, LiveState)>>,
    wake: Notify,
    outbox: watch::Sender<()>,
    tasks: TaskTracker,
}

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stepped {
    /// Actions performed.
    pub actions: usize,
    /// When to step again at the latest, and why.
    pub next_wake: (DateTime<Utc>, &'static str),
}

/// What the live status shows of each open build: step, and progress in steps of 5 %.
type LiveState = Vec<(BuildId, BuildStep, Option<u8>)>;

/// The live status is redrawn at most this often.
const REDRAW: TimeDelta = TimeDelta::seconds(10);

/// A step performs at most this many actions; more means that something goes in circles, and it is better to say so
/// and look again a little later.
const MOST_ACTIONS: usize = 2_000;

impl Engine {
    /// Puts the engine together. Nothing runs yet.
    pub fn new(parts: Parts) -> Self {
        Self { parts: Arc::new(parts), live: Arc::default() }
    }

    /// One whole step; see the module's words. An error leaves a state the next step sees.
    pub async fn step(&self) -> Result<Stepped, StoreError> {
        let mut performed = 0;
        loop {
            inbound::handle_all(self).await?;
            runs::observe(self).await?;
            let now = self.now();
            let world = {
                let mut conn = self.parts.store.read().await?;
                let in_flight = self.in_flight().clone();
                let settings = &self.parts.settings;
                let mut world = snapshot::load(&mut conn, settings, in_flight, now).await?;
                if !world.tasks.is_empty() && world.sessions.iter().any(|session| session.may_spawn(now)) {
                    world.outlook = outlook::load(&mut conn, settings.build.max_attempts).await?;
                }
                world
            };
            let world = Snapshot { barred: fence::barred(self).await, ..world };
            let plan = plan(&world, now);
            self.keep_awake(!world.builds.is_empty());
            if plan.actions.is_empty() {
                self.tell_ended().await?;
                let redraw = self.refresh_live(&world.builds).await?.map(|at| (at, "the live status is to be redrawn"));
                let next_wake = redraw.into_iter().chain([plan.next_wake]).min_by_key(|(at, _)| *at);
                let next_wake = next_wake.unwrap_or(plan.next_wake);
                *lock(&self.live.next_wake) = Some(next_wake);
                return Ok(Stepped { actions: performed, next_wake });
            }
            let mut lost = 0;
            for action in &plan.actions {
                performed += 1;
                match perform::perform(self, action).await {
                    Ok(()) => {}
                    // Something else was quicker: look again.
                    Err(StoreError::Conflict(what)) => {
                        lost += 1;
                        tracing::warn!(what, ?action, "lost a race");
                    }
                    Err(error) => return Err(error),
                }
            }
            self.said();
            if lost == plan.actions.len() || performed > MOST_ACTIONS {
                tracing::error!(performed, lost, actions = ?plan.actions, "no way forward now; looking again in a minute");
                let wake = (now + chrono::TimeDelta::minutes(1), "the last plan could not be carried out");
                return Ok(Stepped { actions: performed, next_wake: wake });
            }
        }
    }

    /// Redraws the live status when a build began, moved on or ended, at most every ten seconds. Gives when to look again
    /// if it is too early for that: what has ended must not be shown as building until something else happens.
    async fn refresh_live(&self, builds: &[Build]) -> Result<Option<DateTime<Utc>>, StoreError> {
        let now = self.now();
        let state: LiveState =
            builds.iter().map(|build| (build.id, build.step, build.progress.map(|percent| percent / 5))).collect();
        let last = lock(&self.live.shown).clone();
        if let Some((at, before)) = last {
            if before == state {
                return Ok(None);
            }
            // A clock set back must not hold it up for longer than that.
            if (at..at + REDRAW).contains(&now) {
                return Ok(Some(at + REDRAW));
            }
        }
        let mut tx = self.parts.store.begin().await?;
        say::refresh_live(self, &mut tx, now).await?;
        tx.commit().await?;
        *lock(&self.live.shown) = Some((now, state));
        self.said();
        Ok(None)
    }

    /// Steps for ever: whenever something happens, and at `next_wake`. Ends when `until` does.
    pub async fn run(&self, until: impl Future<Output = ()>) -> Result<(), StoreError> {
        let mut watch = self.parts.store.watch().await?;
        tokio::pin!(until);
        loop {
            let wake = match self.step().await {
                Ok(stepped) => {
                    tracing::debug!(actions = stepped.actions, at = %stepped.next_wake.0, why = stepped.next_wake.1, "next look");
                    stepped.next_wake.0
                }
                Err(error) => {
                    tracing::error!(%error, "a step failed; again in ten seconds");
                    self.now() + chrono::TimeDelta::seconds(10)
                }
            };
            tokio::select! {
                () = &mut until => return Ok(()),
                () = self.live.wake.notified() => {}
                () = self.parts.clock.sleep_until(wake) => {}
                () = other_writer(&mut watch) => {}
            }
        }
    }

    /// Waits until something this engine started has ended or been recorded.
    pub async fn woken(&self) {
        self.live.wake.notified().await;
    }

    /// Changes whenever something may have to be delivered.
    pub fn outbox_changes(&self) -> watch::Receiver<()> {
        self.live.outbox.subscribe()
    }

    fn said(&self) {
        self.live.outbox.send_replace(());
    }

    /// Makes the engine look again.
    pub fn wake(&self) {
        self.live.wake.notify_one();
    }

    /// Whether background work of this process, or a supervised run it watches, is under way.
    pub fn is_busy(&self) -> bool {
        !self.in_flight().is_empty() || !lock(&self.live.watched).is_empty()
    }

    /// Whether background work of this process is under way, runs of children left out.
    pub fn is_working(&self) -> bool {
        !self.in_flight().is_empty()
    }

    /// The database.
    pub fn store(&self) -> &Store {
        &self.parts.store
    }

    /// The configuration.
    pub fn settings(&self) -> &Arc<Settings> {
        &self.parts.settings
    }

    /// The data folder.
    pub fn home(&self) -> &Home {
        &self.parts.home
    }

    /// The time.
    pub fn now(&self) -> DateTime<Utc> {
        self.parts.clock.now()
    }

    /// When the engine will look again at the latest, and why; from the last step.
    pub fn next_wake(&self) -> Option<(DateTime<Utc>, &'static str)> {
        *lock(&self.live.next_wake)
    }

    fn in_flight(&self) -> MutexGuard<'_, BTreeSet<Effect>> {
        lock(&self.live.in_flight)
    }

    /// Keeps the machine awake while builds run, where it has a way.
    fn keep_awake(&self, wanted: bool) {
        let mut held = lock(&self.live.awake);
        match (wanted, held.as_mut()) {
            (false, _) => *held = None,
            (true, None) => match KeepAwake::start("overnight builds are running", &self.parts.search_path) {
                Ok(keep) => *held = Some(keep),
                Err(why) => tracing::debug!(%why, "this machine may fall asleep during builds"),
            },
            (true, Some(keep)) => {
                if !keep.is_held() {
                    tracing::debug!("keeping awake was refused or has ended");
                }
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Resolves when another connection, such as the command line, has committed something. Cancel safe.
async fn other_writer(watch: &mut crate::store::Watch) {
    loop {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        match watch.changed().await {
            Ok(true) => return,
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(%error, "can't watch the database for other writers");
                return;
            }
        }
    }
}
