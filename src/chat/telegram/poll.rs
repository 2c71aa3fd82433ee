//! Polling: what comes in, what stands in its way, and when the next try may be made.
//!
//! The offset confirms only what was stored: it is sent once, after a batch, and never kept. So an id that jumps, in either
//! direction, hides nothing, and after a restart everything unconfirmed comes again and is recognised by its exact id.

use super::TelegramOptions;
use super::receive::{Reader, from_platform};
use crate::chat::{Incoming, What};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::VecDeque;
use std::time::Duration;
use teloxide::payloads::GetUpdatesSetters;
use teloxide::prelude::Requester;
use teloxide::types::{AllowedUpdate, Update};
use teloxide::{ApiError, Bot, RequestError};

/// Updates of one poll.
const BATCH: u8 = 100;
/// Waits after failed polls, in units: the last one is repeated.
const WAITS: [u32; 6] = [1, 2, 5, 10, 20, 30];
/// Another process polls with this token: no use in fighting it.
const CONFLICT_WAIT: u32 = 30;
/// The token is refused: only a person can help.
const REFUSED_WAIT: u32 = 300;
/// Failed polls in a row after which an unreachable server is on record: a hiccup is not worth a word.
const HICCUPS: usize = 3;
/// A poll that another one ends is normal while the bot is restarted; twice in a row it is another program.
const ACCIDENTS: usize = 2;
/// Two programs that poll by turns each get through now and then: it is over once nothing was heard of the other so long.
const CALM: TimeDelta = TimeDelta::minutes(3);

/// What a bot is told of; all others would only be thrown away.
const WANTED: [AllowedUpdate; 4] =
    [AllowedUpdate::Message, AllowedUpdate::EditedMessage, AllowedUpdate::CallbackQuery, AllowedUpdate::MyChatMember];

const OTHER_PROGRAM: &str = "another program reads this bot's messages (a second overnight with the same token): end it, \
                             or make a new token with @BotFather";
const WEBHOOK: &str = "a webhook is set for this bot, so its messages go there: overnight init takes it away, or make a \
                       new token with @BotFather";
const REFUSED: &str = "Telegram refuses the token: ask @BotFather for it (/mybots), then run overnight init";
const UNREACHABLE: &str = "Telegram can't be reached; it is tried again and again, and what is said waits";

/// What stands in the way of a poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Obstacle {
    /// It asks for patience.
    Busy,
    /// Somebody else gets the updates.
    Taken(&'static str),
    Refused,
    Unreachable,
}

/// Polls that fail, from the first one on.
struct Trouble {
    obstacle: Obstacle,
    since: DateTime<Utc>,
    last: DateTime<Utc>,
    /// Failures in a row.
    count: usize,
}

/// The polling side.
pub(super) struct Poller {
    pub(super) reader: Reader,
    /// What nobody wrote, to be handed over first.
    waiting: VecDeque<Incoming>,
    /// Received and not yet handed over.
    fresh: VecDeque<Update>,
    /// Confirms the last batch, once.
    offset: Option<i32>,
    last_completed: Option<DateTime<Utc>>,
    /// Ids of the last batch.
    batch: Vec<u32>,
    /// Polls in a row that brought only what was there before.
    stuck: usize,
    trouble: Option<Trouble>,
    /// Whether trouble is on record that nobody has taken back.
    told: bool,
    /// No poll before this moment, and how far away that was: a clock that is set back must not make it further.
    rest: Option<(DateTime<Utc>, TimeDelta)>,
    /// Whether the command menu is still to be set.
    pub(super) should_announce: bool,
}

impl Poller {
    pub(super) fn new(bot: Bot, options: &TelegramOptions) -> Self {
        Self {
            reader: Reader { bot, name: None },
            waiting: VecDeque::new(),
            fresh: VecDeque::new(),
            offset: None,
            last_completed: options.last_alive,
            batch: Vec::new(),
            stuck: 0,
            trouble: None,
            told: options.in_trouble,
            rest: None,
            should_announce: true,
        }
    }

    /// What was received and not handed over yet. Nothing is lost should the caller stop waiting.
    pub(super) async fn received(&mut self, options: &TelegramOptions) -> Option<Incoming> {
        if let Some(own) = self.waiting.pop_front() {
            return Some(own);
        }
        let update = self.fresh.front()?.clone();
        let incoming = self.reader.incoming(update, options).await;
        self.fresh.pop_front();
        Some(incoming)
    }

    /// One poll, after the rest that the last failure asks for.
    pub(super) async fn poll(&mut self, options: &TelegramOptions) {
        self.rest(options).await;
        if self.reader.name.is_none() {
            match self.reader.bot.get_me().await {
                Ok(me) => self.reader.name = Some(me.username().to_lowercase()),
                Err(error) => return self.failed(&error, options),
            }
        }
        let seconds = u32::try_from(options.poll.as_secs()).unwrap_or(45);
        let mut request = self.reader.bot.get_updates().limit(BATCH).timeout(seconds).allowed_updates(WANTED);
        request.offset = self.offset;
        // The client has a limit of its own; this one holds even if that one does not.
        match tokio::time::timeout(options.poll + options.slack * 3, request).await {
            Ok(Ok(updates)) => self.polled(updates, options).await,
            Ok(Err(error)) => self.failed(&error, options),
            Err(_) => self.fails(Obstacle::Unreachable, "no answer to a poll in time", None, options),
        }
    }

    async fn rest(&mut self, options: &TelegramOptions) {
        while let Some((until, wait)) = self.rest {
            let now = options.rests.now();
            if now >= until {
                break;
            }
            let until = until.min(now + wait);
            self.rest = Some((until, wait));
            options.rests.sleep_until(until).await;
        }
        self.rest = None;
    }

    async fn polled(&mut self, updates: Vec<Update>, options: &TelegramOptions) {
        let now = options.clock.now();
        self.works(now, options);
        let since = self.last_completed.replace(now);
        if let Some(since) = since.filter(|since| now - *since > options.taps_live) {
            let mut incoming = from_platform(What::Outage { since }, "outage", now, options);
            // The same outage is told once, also by a bot that is started again.
            incoming.key = format!("outage:{}", since.timestamp_millis());
            self.waiting.push_back(incoming);
        }
        // The last one, not the highest: after a jump down the highest is one the server would not take. What that leaves
        // unconfirmed comes again; what was in the last batch is stored already.
        let ids: Vec<u32> = updates.iter().map(|update| update.id.0).collect();
        let before = std::mem::replace(&mut self.batch, ids);
        self.fresh.extend(updates.into_iter().filter(|update| !before.contains(&update.id.0)));
        let stuck = self.fresh.is_empty() && !self.batch.is_empty();
        let confirm = if stuck { self.batch.iter().min() } else { self.batch.last() };
        self.offset = confirm.and_then(|last| i32::try_from(last + 1).ok());
        // A server that forgets nothing must not keep us busy.
        self.stuck = if stuck { self.stuck + 1 } else { 0 };
        tokio::time::sleep(options.unit * u32::try_from(self.stuck.min(30)).unwrap_or(30)).await;
    }

    /// A poll came through.
    fn works(&mut self, now: DateTime<Utc>, options: &TelegramOptions) {
        if let Some(trouble) = &mut self.trouble {
            trouble.count = 0;
            if matches!(trouble.obstacle, Obstacle::Taken(_)) && now - trouble.last < CALM {
                return;
            }
            tracing::info!("Telegram answers again");
            self.trouble = None;
        }
        if std::mem::take(&mut self.told) {
            self.waiting.push_back(from_platform(What::Well, "well", now, options));
        }
    }

    fn failed(&mut self, error: &RequestError, options: &TelegramOptions) {
        match error {
            RequestError::RetryAfter(wait) => {
                self.fails(Obstacle::Busy, "too many requests", Some(wait.seconds()), options);
            }
            RequestError::Api(ApiError::TerminatedByOtherGetUpdates) => {
                self.fails(Obstacle::Taken(OTHER_PROGRAM), "another poll", Some(CONFLICT_WAIT), options);
            }
            RequestError::Api(ApiError::CantGetUpdates) => {
                self.fails(Obstacle::Taken(WEBHOOK), "a webhook", Some(CONFLICT_WAIT), options);
            }
            // The words differ with the server's version.
            RequestError::Api(ApiError::Unknown(text)) if text.starts_with("Conflict") => {
                let by = if text.contains("webhook") { WEBHOOK } else { OTHER_PROGRAM };
                self.fails(Obstacle::Taken(by), text, Some(CONFLICT_WAIT), options);
            }
            RequestError::Api(ApiError::InvalidToken) => {
                self.fails(Obstacle::Refused, "the token is refused", Some(REFUSED_WAIT), options);
            }
            error => self.fails(Obstacle::Unreachable, &error.to_string(), None, options),
        }
    }

    fn fails(&mut self, obstacle: Obstacle, why: &str, asked: Option<u32>, options: &TelegramOptions) {
        let now = options.clock.now();
        let trouble = match self.trouble.take() {
            Some(same) if same.obstacle == obstacle => Trouble { last: now, count: same.count + 1, ..same },
            _ => {
                tracing::error!(why, "no messages come in from Telegram; it is tried again and again");
                Trouble { obstacle, since: now, last: now, count: 1 }
            }
        };
        let (since, steps) = (trouble.since, trouble.count);
        let news = match obstacle {
            // Sending still works, so the owner can be told: what they write or tap goes to somebody else.
            Obstacle::Taken(by) if steps == ACCIDENTS => Some(("alarm", What::Alarm(by.into()))),
            Obstacle::Refused if steps == 1 => Some(("refused", What::Trouble { since, why: REFUSED.into() })),
            Obstacle::Unreachable if steps == HICCUPS => {
                Some(("unreachable", What::Trouble { since, why: UNREACHABLE.into() }))
            }
            _ => None,
        };
        self.trouble = Some(trouble);
        if let Some((kind, news)) = news {
            self.told = true;
            self.waiting.push_back(from_platform(news, kind, now, options));
        }
        let step = WAITS[(steps - 1).min(WAITS.len() - 1)];
        let wait = TimeDelta::from_std(options.unit * asked.unwrap_or(step)).unwrap_or_default();
        self.rest = Some((options.rests.now() + wait, wait));
    }
}

/// How long the client of the polls waits: longer than any poll, or every quiet one would end as an error.
pub(super) fn limit(options: &TelegramOptions) -> Duration {
    options.poll + options.slack
}
