//! The composition root: what is wired to what, which tasks run, and how they end. Nothing is decided here.

use crate::agent::env_names;
use crate::chat::Chat;
use crate::chat::telegram::{self, TelegramOptions};
use crate::chat::terminal::TERMINAL;
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, TERMINAL_OWNER, Telegram};
use crate::domain::role::Role;
use crate::domain::settings::Settings;
use crate::engine::home::Home;
use crate::engine::{Engine, Parts, deliver, failpoint, inbound};
use crate::git::Git;
use crate::host::probe::{Probe, SystemProbe};
use crate::runner::LocalRunner;
use crate::runner::leash::Mechanisms;
use crate::store::outbox::Lane;
use crate::store::{Store, StoreError, control, trouble};
use anyhow::{Context, bail};
use chrono::TimeDelta;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long running tasks may take to end after a signal. Builds are not among them: they live on under their
/// supervisors and are found again.
const SHUTDOWN: Duration = Duration::from_secs(5);

/// What differs between the real bot, the demo and the stories.
pub struct Outside {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The machine; none measures the real one.
    pub probe: Option<Arc<dyn Probe>>,
    /// Our own program, started again as supervisor of each run.
    pub exe: PathBuf,
    /// The chat that gets what nobody asked for.
    pub home_chat: String,
    /// What may hold builds, of what this machine has.
    pub mechanisms: Mechanisms,
}

impl Outside {
    /// The real world: Telegram where it is configured, else the terminal.
    pub fn real(config: &Config) -> anyhow::Result<Self> {
        let telegram = config.telegram.as_ref().and_then(Telegram::home_address);
        Ok(Self {
            clock: Arc::new(SystemClock),
            probe: None,
            exe: std::env::current_exe().context("can't find the path of this program")?,
            home_chat: telegram.unwrap_or_else(|| TERMINAL.into()),
            mechanisms: Mechanisms::ALL,
        })
    }
}

/// Puts an engine together from a configuration: opens the data folder and the database.
pub async fn engine(config: &Config, outside: Outside) -> anyhow::Result<Engine> {
    config.ensure_home()?;
    let home = Home::open(&config.home)
        .with_context(|| format!("the data folder {} can't be used; set OVERNIGHT_HOME", config.home.display()))?;
    let store = Store::open(home.root()).await?;
    let settings = Arc::new(config.settings.clone());
    let child_env = config.child_env(&[]);
    let path = child_env.get("PATH").cloned().unwrap_or_default();
    let probe = outside.probe.unwrap_or_else(|| Arc::new(SystemProbe::new(watched(&home, &settings))));
    Ok(Engine::new(Parts {
        git: Git::new("git".into(), path.clone().into(), home.empty()),
        passable_env: config.child_env(&passable(&settings)),
        people: config.people(),
        runner: LocalRunner::new(outside.exe),
        search_path: path.into(),
        clock: outside.clock,
        home_chat: outside.home_chat,
        mechanisms: outside.mechanisms,
        child_env,
        store,
        settings,
        home,
        probe,
    }))
}

fn watched(home: &Home, settings: &Settings) -> Vec<PathBuf> {
    std::iter::once(home.root().to_path_buf()).chain(settings.projects.iter().map(|p| p.path.clone())).collect()
}

fn passable(settings: &Settings) -> Vec<String> {
    let projects = settings.projects.iter().flat_map(|project| &project.env_pass);
    let named = projects.chain(settings.agents.iter().flat_map(|agent| &agent.env_pass)).cloned();
    // A known CLI gets its usual login without being told.
    named.chain(settings.agents.iter().flat_map(|agent| env_names(agent.kind)).map(str::to_owned)).collect()
}

/// Held while this process is the one that plans and talks to the chat. Freed when dropped, or by the system when the
/// process dies.
pub struct OnlyOne {
    _lock: std::fs::File,
}

impl OnlyOne {
    /// Takes the place, or says who has it.
    pub fn take(home: &Home) -> anyhow::Result<Self> {
        let path = home.root().join("bot.lock");
        let file = std::fs::File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .with_context(|| format!("can't open {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _lock: file }),
            Err(std::fs::TryLockError::WouldBlock) => {
                bail!(
                    "another overnight is running with {}; only one talks to the chat at a time",
                    home.root().display()
                )
            }
            Err(std::fs::TryLockError::Error(error)) => Err(error).context(format!("can't lock {}", path.display())),
        }
    }

    /// Whether another process has the place now.
    pub fn is_taken(home: &Home) -> bool {
        Self::take(home).is_err()
    }
}

/// The Telegram front-end, if there is a token and an owner. `rehearses`: the clock runs fast, so nothing can be said about
/// how long the platform was away.
pub async fn telegram(
    config: &Config,
    engine: &Engine,
    clock: Arc<dyn Clock>,
    rehearses: bool,
) -> anyhow::Result<Option<Arc<dyn Chat>>> {
    let Some((telegram, owner)) = config.telegram.as_ref().and_then(|telegram| Some((telegram, telegram.owner?)))
    else {
        return Ok(None);
    };
    let (last_alive, in_trouble) = {
        let mut conn = engine.store().read().await?;
        let troubles = trouble::all(&mut conn).await?;
        (control::last_sign_of_life(&mut conn).await?, troubles.iter().any(|known| known.chat == telegram::TELEGRAM))
    };
    let known = config.people().into_iter().filter_map(|(who, role)| {
        let id = who.strip_prefix(telegram::TELEGRAM)?.strip_prefix(':')?.parse().ok()?;
        (id != owner).then_some((id, role == Role::Owner))
    });
    let options = TelegramOptions {
        token: telegram.token.expose().to_owned(),
        api_url: telegram.api_url.clone(),
        chats: telegram.places.chats.clone(),
        people: std::iter::once((owner, true)).chain(known).collect(),
        last_alive: last_alive.filter(|_| !rehearses),
        taps_live: if rehearses { TimeDelta::days(36_500) } else { telegram::TAPS_LIVE },
        poll: telegram::POLL,
        slack: telegram::SLACK,
        request: telegram::REQUEST,
        unit: Duration::from_secs(1),
        rests: Arc::new(SystemClock),
        in_trouble,
        pace: telegram::PACE,
        clock,
    };
    let chat = telegram::Telegram::new(options).map_err(|why| anyhow::anyhow!("Telegram can't be used: {why}"))?;
    Ok(Some(Arc::new(chat)))
}

/// Runs the bot, whose place the caller has taken, with these chats until `stop` is cancelled or, with `until_idle`,
/// until its session has ended and no build runs. Returns after a clean end; builds that still run live on.
pub async fn run(
    engine: &Engine,
    _only_one: OnlyOne,
    chats: Vec<Arc<dyn Chat>>,
    stop: CancellationToken,
    until_idle: bool,
) -> anyhow::Result<()> {
    note_start(engine).await?;
    let tasks = TaskTracker::new();
    for chat in chats {
        let (one, front, until) = (engine.clone(), Arc::clone(&chat), stop.clone());
        tasks.spawn(kept_alive(stop.clone(), move || receive(one.clone(), Arc::clone(&front), until.clone())));
        for lane in [Lane::Taps, Lane::Messages] {
            let (engine, chat, until) = (engine.clone(), Arc::clone(&chat), stop.clone());
            tasks.spawn(kept_alive(stop.clone(), move || {
                let (engine, chat, until) = (engine.clone(), Arc::clone(&chat), until.clone());
                async move { deliver::run(&engine, chat.as_ref(), lane, until.cancelled()).await }
            }));
        }
    }
    if until_idle {
        let (engine, stop) = (engine.clone(), stop.clone());
        tasks.spawn(async move { stop_when_idle(&engine, stop).await });
    }
    let outcome = engine.run(stop.cancelled()).await;
    stop.cancel();
    tasks.close();
    if tokio::time::timeout(SHUTDOWN, tasks.wait()).await.is_err() {
        tracing::warn!("a task did not end in time");
    }
    engine.store().close().await;
    Ok(outcome?)
}

/// Whether there is anything a night could be about. Without, the bot waits quietly.
fn is_set_up(settings: &Settings) -> bool {
    let health = &settings.health;
    !(settings.projects.is_empty()
        && settings.agents.is_empty()
        && health.log_roots.is_empty()
        && health.databases.is_empty())
}

/// Writes down that this bot exists, at its first start with something to look after.
pub async fn note_start(engine: &Engine) -> Result<(), StoreError> {
    let mut tx = engine.store().begin().await?;
    if is_set_up(engine.settings()) {
        control::installed_at(&mut tx, engine.now()).await?;
    }
    failpoint::pass("before start commit");
    tx.commit().await?;
    Ok(())
}

/// Runs a task that is begun again when it panics: a fault in one part must not silence the bot for the rest of the night.
async fn kept_alive<F>(stop: CancellationToken, begin: impl Fn() -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    loop {
        match tokio::spawn(begin()).await {
            Err(ended) if ended.is_panic() && !stop.is_cancelled() => {
                tracing::error!("a part of the bot panicked and is begun again");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            _ => return,
        }
    }
}

/// Keeps what comes in, then confirms it. A front-end that ends (a closed terminal) ends only itself.
async fn receive(engine: Engine, chat: Arc<dyn Chat>, stop: CancellationToken) {
    loop {
        let incoming = tokio::select! {
            () = stop.cancelled() => return,
            incoming = chat.receive() => incoming,
        };
        let Some(incoming) = incoming else { return };
        while let Err(error) = inbound::store(&engine, chat.name(), &incoming).await {
            tracing::error!(%error, "a message can't be kept; trying again");
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(Duration::from_secs(2)) => {}
            }
        }
        chat.confirm(&incoming.key).await;
    }
}

/// Cancels `stop` once there is no open session, no build, and nothing left to say. Used by `start` under cron.
async fn stop_when_idle(engine: &Engine, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(Duration::from_millis(200)) => {}
        }
        match is_idle(engine).await {
            Ok(true) => return stop.cancel(),
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "can't tell whether the session has ended"),
        }
    }
}

/// Whether there is no open session, no build, nothing to handle and nothing to say.
pub async fn is_idle(engine: &Engine) -> Result<bool, StoreError> {
    use crate::store::{builds, inbox, outbox, sessions};
    let mut conn = engine.store().read().await?;
    let sessions = sessions::current(&mut conn, engine.now()).await?;
    Ok(sessions.is_empty()
        && builds::open(&mut conn).await?.is_empty()
        && inbox::next(&mut conn).await?.is_none()
        && outbox::count_due(&mut conn).await? == 0
        && !engine.is_busy())
}

/// The sender of the command line and the terminal: whoever can run this program on this machine.
pub const LOCAL_OWNER: &str = TERMINAL_OWNER;

/// Cancelled by SIGTERM, SIGINT or SIGHUP.
pub fn stop_on_signals() -> anyhow::Result<CancellationToken> {
    use tokio::signal::unix::{SignalKind, signal};
    let token = CancellationToken::new();
    for kind in [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()] {
        let mut signal = signal(kind).context("can't listen for signals")?;
        let token = token.clone();
        tokio::spawn(async move {
            if signal.recv().await.is_some() {
                token.cancel();
            }
        });
    }
    Ok(token)
}
