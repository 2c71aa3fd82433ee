//! Telegram, by long polling through teloxide's requests.
//!
//! Its dispatcher is not used: it confirms updates that handlers still hold in memory, and a crash would lose them. Here
//! an update is confirmed by the next poll, which begins only after the last one was stored (see [`Chat::receive`]).
//!
//! - `poll`: polling, and what stands in its way.
//! - `receive`: updates → [`Incoming`].
//! - `render`: [`crate::domain::message::Message`] → HTML parts; pure.
//! - `send`: parts → messages, edits, files, toasts; and what each error means.
//! - `menu`: the command menu, for those who may use it.
//! - `connect`: the way to the server, which setting up and checking use too.
//!
//! Left out on purpose: webhooks (they need an address on the internet), inline mode, and answering strangers.

mod connect;
mod menu;
mod poll;
mod receive;
mod render;
mod send;

pub use connect::bot;
pub use render::{Part, Rendered, render};

use super::{Chat, Incoming, MessageRef, Outgoing, SendError};
use crate::clock::Clock;
use chrono::{DateTime, TimeDelta, Utc};
use poll::Poller;
use send::Sent;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use teloxide::Bot;

/// Its name: addresses are `telegram:chat` or `telegram:chat/topic`.
pub const TELEGRAM: &str = "telegram";

/// How to reach the platform, and where to speak.
pub struct TelegramOptions {
    /// The bot's token.
    pub token: String,
    /// A Bot API server; none: Telegram's own.
    pub api_url: Option<String>,
    /// Groups and channels where the bot speaks.
    pub chats: Vec<i64>,
    /// Who sees the command menu: user id, and whether everything may be done.
    pub people: Vec<(i64, bool)>,
    /// When the bot was last alive: taps made since then and too long ago are lost.
    pub last_alive: Option<DateTime<Utc>>,
    /// After how long without a completed poll taps may have been lost.
    pub taps_live: TimeDelta,
    /// How long one poll waits for an update.
    pub poll: Duration,
    /// How much longer than its own time a poll may take before it is given up.
    pub slack: Duration,
    /// How long one request may take, uploads included.
    pub request: Duration,
    /// What waits after failed polls are counted in: a second.
    pub unit: Duration,
    /// The clock those waits are taken on.
    pub rests: Arc<dyn Clock>,
    /// Whether trouble with the platform is on record that this process did not see.
    pub in_trouble: bool,
    /// The least time between two messages in one chat, after a few in a row.
    pub pace: Duration,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// Taps wait this long on the server; measured.
pub const TAPS_LIVE: TimeDelta = TimeDelta::seconds(150);
/// The server clamps longer polls to 50 s.
pub const POLL: Duration = Duration::from_secs(45);
/// A poll that is not answered this much later than it should be hangs.
pub const SLACK: Duration = Duration::from_secs(20);
/// About a message a second and chat is allowed.
pub const PACE: Duration = Duration::from_millis(1050);

/// An upload of a large log takes its time.
pub const REQUEST: Duration = Duration::from_secs(50);
/// Longer than any request, with the 10 s teloxide waits after a server's error.
const SEND_LIMIT: Duration = Duration::from_secs(75);

/// The front-end.
pub struct Telegram {
    bot: Bot,
    options: TelegramOptions,
    poller: tokio::sync::Mutex<Poller>,
    memory: Mutex<Memory>,
}

/// Messages whose text is remembered; enough for every one that can still change.
const SHOWN: usize = 500;

impl Memory {
    fn shows(&mut self, id: i32, part: Part) {
        self.shown.insert(id, part);
        while self.shown.len() > SHOWN {
            self.shown.pop_first();
        }
    }
}

/// What only this process knows; nothing is lost with it.
#[derive(Default)]
struct Memory {
    /// Parts of a message that were sent before one failed, by outbox key: the next try goes on after them.
    unfinished: BTreeMap<String, Sent>,
    /// Groups that became supergroups.
    moved: BTreeMap<i64, i64>,
    /// When the last messages went to a chat.
    paced: BTreeMap<i64, Vec<tokio::time::Instant>>,
    /// What the parts of an edited message show, so that what is the same is not sent again.
    shown: BTreeMap<i32, Part>,
}

impl Telegram {
    /// Nothing is sent or asked yet.
    ///
    /// # Errors
    /// An address that is none, or no TLS.
    pub fn new(options: TelegramOptions) -> Result<Self, String> {
        let reach = |limit| bot(&options.token, options.api_url.as_deref(), limit);
        let poller = Poller::new(reach(poll::limit(&options))?, &options);
        let bot = reach(options.request)?;
        Ok(Self { bot, poller: tokio::sync::Mutex::new(poller), memory: Mutex::default(), options })
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait::async_trait]
impl Chat for Telegram {
    fn name(&self) -> &'static str {
        TELEGRAM
    }

    async fn receive(&self) -> Option<Incoming> {
        let mut poller = self.poller.lock().await;
        loop {
            if let Some(incoming) = poller.received(&self.options).await {
                return Some(incoming);
            }
            // Whatever was handed over is stored by now: the next poll confirms it.
            poller.poll(&self.options).await;
            if poller.should_announce {
                poller.should_announce = !menu::announce(&self.bot, &self.options.people).await;
            }
        }
    }

    /// The next poll does that.
    async fn confirm(&self, _key: &str) {}

    async fn send(&self, outgoing: &Outgoing) -> Result<MessageRef, SendError> {
        self.deliver(outgoing).await
    }

    async fn edit(&self, message: &MessageRef, outgoing: &Outgoing) -> Result<MessageRef, SendError> {
        self.redraw(message, outgoing).await
    }

    fn send_limit(&self) -> Duration {
        SEND_LIMIT
    }
}
