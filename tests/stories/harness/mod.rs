//! The stories' harness: one bot, its owner, and the night between them.
//!
//! The database, git, the supervisors and every child are real. The clock stands still while a child or an effect works
//! and otherwise visits every moment the planner asks for. An agent that waits for the story (`agent_waits`) is the one
//! exception: the night goes on past it.

mod keyboard;
mod look;
mod owner;
mod phone;
mod screen;
mod stage;
mod telegram;

use chrono::{DateTime, NaiveTime, Utc};
pub(crate) use keyboard::Keyboard;
use overnight::app::{self, Outside};
use overnight::chat::Chat;
use overnight::clock::{Clock, ManualClock};
use overnight::config::Config;
use overnight::domain::build::{Run, RunOwner, RunStep};
use overnight::engine::{Engine, deliver};
use overnight::host::probe::Probe;
use overnight::store::outbox::Lane;
use overnight::store::{builds, runs};
pub(crate) use phone::{FakePhone, Fault};
pub(crate) use screen::{Screen, Shown};
pub(crate) use stage::{On, Stage, bytes_of, git};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, MutexGuard};
use std::time::{Duration, Instant};
pub(crate) use telegram::{OWNER, OnTelegram};

/// Real time after which nothing will happen any more.
const PATIENCE: Duration = Duration::from_mins(1);
/// Steps within one look, and looks on the way to one moment; more go in circles.
const MOST_STEPS: usize = 500;

/// A chat with a person at it.
#[async_trait::async_trait]
pub(crate) trait Front: Chat {
    /// Who the person is to the bot.
    fn sender(&self) -> &'static str;
    /// The address of what nobody asked for.
    fn home(&self) -> String {
        self.name().to_owned()
    }
    /// What the platform's rules say against what was sent.
    fn broken_rules(&self) -> Vec<String> {
        vec![]
    }
    /// The person writes a message.
    async fn types(&self, text: &str, at: DateTime<Utc>);
    /// The person taps.
    async fn presses(&self, button: &str, at: DateTime<Utc>);
    /// What the person sees.
    fn screen(&self) -> MutexGuard<'_, Screen>;
}

/// Plays each story on the fake phone, on Telegram and in the terminal.
macro_rules! both {
    ($($story:ident),+ $(,)?) => {
        $(mod $story {
            #[tokio::test]
            async fn on_the_phone() {
                super::$story($crate::harness::Stage::new($crate::harness::On::Phone)).await;
            }

            #[tokio::test]
            async fn on_telegram() {
                super::$story($crate::harness::Stage::new($crate::harness::On::Telegram)).await;
            }

            #[tokio::test]
            async fn in_the_terminal() {
                super::$story($crate::harness::Stage::new($crate::harness::On::Terminal)).await;
            }
        })+
    };
}
pub(crate) use both;

/// A running bot and its owner.
pub(crate) struct Overnight {
    stage: Stage,
    config: Config,
    clock: Arc<ManualClock>,
    front: Arc<dyn Front>,
    probe: Arc<dyn Probe>,
    /// None while the bot is off.
    engine: Option<Engine>,
    /// Checkouts and what was in them.
    owned: BTreeMap<PathBuf, BTreeMap<PathBuf, Vec<u8>>>,
    /// Updates that did not come from the owner's hands.
    foreign: u64,
    finished: bool,
}

impl Overnight {
    async fn new(
        stage: Stage,
        config: Config,
        clock: Arc<ManualClock>,
        front: Arc<dyn Front>,
        probe: Arc<dyn Probe>,
    ) -> Self {
        let owned = stage.checkouts().into_iter().map(|path| (path.clone(), bytes_of(&path))).collect();
        let mut o = Self { stage, config, clock, front, probe, engine: None, owned, foreign: 0, finished: false };
        o.turns_on().await;
        o
    }

    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock) as Arc<dyn Clock>
    }

    pub(crate) async fn changes_front(&mut self, front: Arc<dyn Front>) {
        self.turns_off().await;
        self.front = front;
        self.turns_on().await;
    }

    // --- The bot itself ---

    pub(crate) fn engine(&self) -> &Engine {
        self.engine.as_ref().expect("the bot is on")
    }

    pub(crate) async fn turns_on(&mut self) {
        self.wakes_up().await;
        self.settle().await;
    }

    async fn wakes_up(&mut self) {
        let outside = Outside {
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            probe: Some(Arc::clone(&self.probe)),
            exe: PathBuf::from(env!("CARGO_BIN_EXE_overnight")),
            home_chat: self.front.home(),
            mechanisms: self.stage.mechanisms,
        };
        let engine = app::engine(&self.config, outside).await.unwrap();
        app::note_start(&engine).await.unwrap();
        self.engine = Some(engine);
    }

    /// The bot's process ends; builds live on. What it had begun by itself is let end first: a real end would cut it.
    pub(crate) async fn turns_off(&mut self) {
        let since = Instant::now();
        while self.engine().is_working() {
            assert!(since.elapsed() < PATIENCE, "an effect never ends");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.engine.take().unwrap().store().close().await;
    }

    pub(crate) async fn restarts(&mut self) {
        self.turns_off().await;
        self.turns_on().await;
    }

    /// The bot is off until this local time.
    pub(crate) async fn is_off_until(&mut self, moment: &str) {
        self.turns_off().await;
        self.clock.set(self.moment(moment));
        self.turns_on().await;
    }

    // --- Time ---

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// `23:10` is the next time the clock shows that; `2026-03-15 07:00` is exactly then.
    pub(crate) fn moment(&self, text: &str) -> DateTime<Utc> {
        match NaiveTime::parse_from_str(text, "%H:%M") {
            Ok(time) => self.config.settings.schedule.next_local_time(self.now(), time),
            Err(_) => stage::moment_in(self.stage.zone, text),
        }
    }

    /// Lives until that moment, looking whenever the planner wants to.
    pub(crate) async fn advance_to(&mut self, moment: &str) {
        let target = self.moment(moment);
        for _ in 0..MOST_STEPS {
            let next = self.settle().await;
            if self.now() >= target {
                return;
            }
            self.clock.set(next.min(target));
        }
        panic!("{MOST_STEPS} looks did not reach {moment}; {}", self.tail().await);
    }

    /// The wall clock is set wrong, or right again.
    pub(crate) async fn clock_is_set_to(&mut self, moment: &str) {
        let to = stage::moment_in(self.stage.zone, moment);
        self.clock.set(to);
        self.settle().await;
    }

    /// The clock goes on to this moment.
    pub(crate) fn clock_is_at(&self, at: DateTime<Utc>) {
        self.clock.set(at);
    }

    /// Steps and delivers until nothing is left to do before the moment returned.
    pub(crate) async fn settle(&mut self) -> DateTime<Utc> {
        for _ in 0..MOST_STEPS {
            let was_quiet = !self.is_waiting().await;
            let stepped = match self.engine().step().await {
                Ok(stepped) => stepped,
                Err(error) => panic!("a step failed: {error}; {}", self.tail().await),
            };
            deliver::drain(self.engine(), self.front.as_ref(), Lane::Taps).await.unwrap();
            let later = deliver::drain(self.engine(), self.front.as_ref(), Lane::Messages).await.unwrap();
            if was_quiet && stepped.actions == 0 && !self.is_waiting().await {
                let next = later.map_or(stepped.next_wake.0, |later| later.min(stepped.next_wake.0));
                assert!(next > self.now(), "nothing to do, and yet to be looked at again at once: {stepped:?}");
                return next;
            }
            self.waits().await;
            if self.stage.restless {
                self.turns_off().await;
                self.wakes_up().await;
            }
        }
        panic!("{MOST_STEPS} steps and still something to do; {}", self.tail().await);
    }

    /// Waits, in real time, until no effect is under way and no child works, those that wait for the story left out.
    async fn waits(&mut self) {
        let since = Instant::now();
        let mut woken = false;
        while !woken && self.is_waiting().await {
            assert!(since.elapsed() < PATIENCE, "nothing has happened for {PATIENCE:?}; {}", self.tail().await);
            let engine = self.engine().clone();
            woken = tokio::time::timeout(Duration::from_millis(20), engine.woken()).await.is_ok();
        }
    }

    /// Whether an effect is under way, or a child works that does not wait for the story.
    async fn is_waiting(&self) -> bool {
        if self.engine().is_working() {
            return true;
        }
        let mut conn = self.engine().store().read().await.unwrap();
        for run in runs::open(&mut conn).await.unwrap() {
            if !self.is_held(&mut conn, &run).await {
                return true;
            }
        }
        false
    }

    async fn is_held(&self, conn: &mut overnight::store::Conn, run: &Run) -> bool {
        let name = match (run.owner, run.step) {
            (RunOwner::Build(build), RunStep::Agent) => builds::get(conn, build).await.unwrap().task.to_string(),
            (RunOwner::Check(_), _) => "check".to_owned(),
            _ => return false,
        };
        let note = self.notes().join("held").join(name);
        if run.stop_requested.is_some() {
            let _ = std::fs::remove_file(&note);
        }
        note.exists()
    }

    fn notes(&self) -> PathBuf {
        self.stage.folder.path().join("notes")
    }

    /// An agent that waits for the story goes on.
    pub(crate) async fn releases(&mut self, task: i64) {
        let name = task.to_string();
        std::fs::remove_file(self.notes().join("held").join(&name))
            .unwrap_or_else(|error| panic!("the agent of #{task} does not wait: {error}"));
        std::fs::write(self.notes().join("released").join(&name), "").unwrap();
        self.settle().await;
    }
}
