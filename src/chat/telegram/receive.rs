//! Polling, and what an update says.
//!
//! The offset confirms only what was stored: it is sent once, after a batch, and never kept. So an id that jumps, in either
//! direction, hides nothing, and after a restart everything unconfirmed comes again and is recognised by its exact id.

use super::{TELEGRAM, TelegramOptions};
use crate::chat::{Incoming, What};
use crate::domain::task::limits;
use chrono::{DateTime, Utc};
use std::collections::VecDeque;
use std::time::Duration;
use teloxide::net::Download;
use teloxide::payloads::GetUpdatesSetters;
use teloxide::prelude::Requester;
use teloxide::types::{AllowedUpdate, CallbackQuery, ChatKind, ChatMemberUpdated, Message, Update, UpdateKind};
use teloxide::{ApiError, Bot, RequestError};

/// Updates of one poll.
const BATCH: u8 = 100;
/// Waits after failed polls, in units: the last one is repeated.
const WAITS: [u32; 6] = [1, 2, 5, 10, 20, 30];
/// Another process polls with this token: no use in fighting it.
const CONFLICT_WAIT: u32 = 30;
/// The token is refused: only a person can help.
const REFUSED_WAIT: u32 = 300;
/// Larger files are not read.
const FILE_BYTES: u32 = 256 * 1024;
const FILE_LIMIT: Duration = Duration::from_secs(20);

/// What a bot is told of; all others would only be thrown away.
const WANTED: [AllowedUpdate; 4] =
    [AllowedUpdate::Message, AllowedUpdate::EditedMessage, AllowedUpdate::CallbackQuery, AllowedUpdate::MyChatMember];

/// The polling side.
pub(super) struct Poller {
    bot: Bot,
    /// Received and not yet handed over.
    pub(super) waiting: VecDeque<Incoming>,
    /// Confirms the last batch, once.
    offset: Option<i32>,
    last_completed: Option<DateTime<Utc>>,
    /// Ids of the last batch.
    batch: Vec<u32>,
    /// Polls in a row that brought only what was there before.
    stuck: usize,
    failures: usize,
    /// What was last complained about, so that a long trouble is one line in the log.
    complaint: String,
    /// The bot's own name, without `@`, for commands addressed to it.
    name: Option<String>,
    /// Whether the command menu is still to be set.
    pub(super) should_announce: bool,
}

impl Poller {
    pub(super) fn new(bot: Bot, last_alive: Option<DateTime<Utc>>) -> Self {
        Self {
            bot,
            waiting: VecDeque::new(),
            offset: None,
            last_completed: last_alive,
            batch: Vec::new(),
            stuck: 0,
            failures: 0,
            complaint: String::new(),
            name: None,
            should_announce: true,
        }
    }

    /// One poll, or one wait after a failure.
    pub(super) async fn poll(&mut self, options: &TelegramOptions) {
        if self.name.is_none() {
            match self.bot.get_me().await {
                Ok(me) => self.name = Some(me.username().to_lowercase()),
                Err(error) => return self.failed(&error, options).await,
            }
        }
        let seconds = u32::try_from(options.poll.as_secs()).unwrap_or(45);
        let mut request = self.bot.get_updates().limit(BATCH).timeout(seconds).allowed_updates(WANTED);
        request.offset = self.offset;
        // The client has a limit of its own; this one holds even if that one does not.
        let polled = tokio::time::timeout(options.poll + Duration::from_mins(1), request).await;
        match polled {
            Ok(Ok(updates)) => self.polled(updates, options).await,
            Ok(Err(error)) => self.failed(&error, options).await,
            Err(_) => self.wait("no answer to a poll in time", None, options.unit).await,
        }
    }

    async fn polled(&mut self, updates: Vec<Update>, options: &TelegramOptions) {
        let now = options.clock.now();
        if !self.complaint.is_empty() {
            tracing::info!("Telegram answers again");
        }
        (self.failures, self.complaint) = (0, String::new());
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
        let fresh: Vec<Update> = updates.into_iter().filter(|update| !before.contains(&update.id.0)).collect();
        let stuck = fresh.is_empty() && !self.batch.is_empty();
        let confirm = if stuck { self.batch.iter().min() } else { self.batch.last() };
        self.offset = confirm.and_then(|last| i32::try_from(last + 1).ok());
        // A server that forgets nothing must not keep us busy.
        self.stuck = if stuck { self.stuck + 1 } else { 0 };
        tokio::time::sleep(options.unit * u32::try_from(self.stuck.min(30)).unwrap_or(30)).await;
        for update in fresh {
            let incoming = self.incoming(update, options).await;
            self.waiting.push_back(incoming);
        }
    }

    async fn failed(&mut self, error: &RequestError, options: &TelegramOptions) {
        let unit = options.unit;
        match error {
            RequestError::RetryAfter(wait) => self.wait("too many requests", Some(wait.seconds()), unit).await,
            RequestError::Api(ApiError::TerminatedByOtherGetUpdates | ApiError::CantGetUpdates) => {
                let text = "another program reads this bot's messages (a second overnight with the same token, or a webhook): \
                            end it, or make a new token with @BotFather";
                // Sending still works, so the owner can be told: what they write or tap goes to somebody else.
                if self.complaint != text {
                    self.waiting.push_back(from_platform(
                        What::Alarm(text.into()),
                        "alarm",
                        options.clock.now(),
                        options,
                    ));
                }
                self.wait(text, Some(CONFLICT_WAIT), unit).await;
            }
            RequestError::Api(ApiError::InvalidToken) => {
                self.wait("Telegram refuses the token: check TELEGRAM_BOT_TOKEN", Some(REFUSED_WAIT), unit).await;
            }
            error => {
                let text = format!("Telegram can't be reached: {error}");
                self.wait(&text, None, unit).await;
            }
        }
    }

    async fn wait(&mut self, why: &str, asked: Option<u32>, unit: Duration) {
        if self.complaint != why {
            tracing::error!(why, "no messages come in from Telegram; it is tried again and again");
            why.clone_into(&mut self.complaint);
        }
        let step = WAITS[self.failures.min(WAITS.len() - 1)];
        self.failures += 1;
        tokio::time::sleep(unit * asked.unwrap_or(step)).await;
    }

    async fn incoming(&self, update: Update, options: &TelegramOptions) -> Incoming {
        let raw = serde_json::to_string(&update).ok();
        let key = update.id.0.to_string();
        let now = options.clock.now();
        let mut incoming = match update.kind {
            UpdateKind::Message(message) => self.message(key, &message, options).await,
            UpdateKind::EditedMessage(message) => {
                let what = match message.text().or_else(|| message.caption()) {
                    Some(text) if speaks_to_us(&message, options) => What::Edited(text.to_owned()),
                    _ => What::Other,
                };
                about(key, &message, what)
            }
            UpdateKind::CallbackQuery(query) => tap(key, query, now),
            UpdateKind::MyChatMember(change) => membership(key, &change),
            _ => Incoming::new(key, format!("{TELEGRAM}:0"), What::Other, now),
        };
        incoming.raw = raw;
        incoming
    }

    async fn message(&self, key: String, message: &Message, options: &TelegramOptions) -> Incoming {
        let what = if speaks_to_us(message, options) { self.said(message).await } else { What::Other };
        about(key, message, what)
    }

    async fn said(&self, message: &Message) -> What {
        let private = message.chat.is_private();
        let text = message.text().or_else(|| message.caption()).unwrap_or_default();
        if message.forward_origin().is_some() {
            let text = cut(text);
            return What::Data { title: String::new(), text, from: "a forwarded message".into() };
        }
        if let Some(document) = message.document() {
            let name = document.file_name.clone().unwrap_or_else(|| "a file".into());
            return match self.file(document).await {
                Ok(content) => What::Data { title: text.to_owned(), text: cut(&content), from: name },
                Err(why) => What::Unreadable { what: name, why, text: text.to_owned() },
            };
        }
        if message.text().is_none() {
            // Somebody joined, a title changed: nobody said anything.
            let kinds = [message.photo().is_some(), message.voice().is_some(), message.video().is_some()];
            if !text.is_empty() || kinds.contains(&true) || message.sticker().is_some() || message.audio().is_some() {
                let why = "only text and text files are read".to_owned();
                return What::Unreadable { what: "that".into(), why, text: text.to_owned() };
            }
            return What::Other;
        }
        if private {
            return What::Text(text.to_owned());
        }
        let ours = message.reply_to_message().and_then(|replied| replied.from.as_ref());
        let replies_to_us =
            ours.is_some_and(|user| user.is_bot && user.username.as_deref().map(str::to_lowercase) == self.name);
        let word = text.split_whitespace().next().unwrap_or_default();
        let (command, addressee) = word.split_once('@').unwrap_or((word, ""));
        let to_us = addressee.is_empty() || self.name.as_deref() == Some(&addressee.to_lowercase());
        if (command.starts_with('/') && to_us) || replies_to_us { What::Text(text.to_owned()) } else { What::Other }
    }

    async fn file(&self, document: &teloxide::types::Document) -> Result<String, String> {
        if document.file.size > FILE_BYTES {
            return Err(format!("it has {} KiB, at most {} are read", document.file.size / 1024, FILE_BYTES / 1024));
        }
        let fetched = tokio::time::timeout(FILE_LIMIT, async {
            let file = self.bot.get_file(document.file.id.clone()).await.map_err(|error| error.to_string())?;
            let mut bytes = Vec::new();
            self.bot.download_file(&file.path, &mut bytes).await.map_err(|error| error.to_string())?;
            Ok::<_, String>(bytes)
        });
        let bytes = fetched.await.map_err(|_| "it could not be fetched in time".to_owned())??;
        if bytes.len() > FILE_BYTES as usize {
            return Err("it is larger than it said".into());
        }
        String::from_utf8(bytes).map_err(|_| "it is not text".into())
    }
}

/// What a task can hold; the rest is named as missing.
fn cut(text: &str) -> String {
    const ROOM: usize = 200;
    if text.len() <= limits::DETAILS_BYTES - ROOM {
        return text.to_owned();
    }
    let end = (0..=limits::DETAILS_BYTES - ROOM).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{}\n… cut: {} bytes are missing here", &text[..end], text.len() - end)
}

/// What nobody wrote: it goes to the owner.
fn from_platform(what: What, kind: &str, now: DateTime<Utc>, options: &TelegramOptions) -> Incoming {
    let chat = options.people.first().map(|(id, _)| format!("{TELEGRAM}:{id}"));
    Incoming { chat, ..Incoming::new(format!("{kind}:{}", now.timestamp_millis()), TELEGRAM, what, now) }
}

/// Private chats, and those the configuration lists.
fn speaks_to_us(message: &Message, options: &TelegramOptions) -> bool {
    message.chat.is_private() || options.chats.contains(&message.chat.id.0)
}

fn address(message: &Message) -> String {
    match message.thread_id.filter(|_| message.is_topic_message) {
        Some(topic) => format!("{TELEGRAM}:{}/{}", message.chat.id.0, topic.0.0),
        None => format!("{TELEGRAM}:{}", message.chat.id.0),
    }
}

fn about(key: String, message: &Message, what: What) -> Incoming {
    let sender = message.from.as_ref().map_or(0, |user| user.id.0);
    Incoming {
        chat: Some(address(message)),
        message: Some(message.id.0.to_string()),
        reply_to: message.reply_to_message().map(|replied| replied.id.0.to_string()),
        ..Incoming::new(key, format!("{TELEGRAM}:{sender}"), what, message.date)
    }
}

fn tap(key: String, query: CallbackQuery, now: DateTime<Utc>) -> Incoming {
    let chat = match &query.message {
        Some(shown) => shown.regular_message().map_or_else(|| format!("{TELEGRAM}:{}", shown.chat().id.0), address),
        None => format!("{TELEGRAM}:{}", query.from.id.0),
    };
    let what = match query.data {
        Some(button) => What::Tap { button, tap: Some(query.id.0) },
        None => What::Other,
    };
    Incoming { chat: Some(chat), ..Incoming::new(key, format!("{TELEGRAM}:{}", query.from.id.0), what, now) }
}

fn membership(key: String, change: &ChatMemberUpdated) -> Incoming {
    let private = matches!(change.chat.kind, ChatKind::Private(_));
    let back = change.old_chat_member.kind.is_banned() && !change.new_chat_member.kind.is_banned();
    let what = if private && back { What::Reachable } else { What::Other };
    let chat = Some(format!("{TELEGRAM}:{}", change.chat.id.0));
    Incoming { chat, ..Incoming::new(key, format!("{TELEGRAM}:{}", change.from.id.0), what, change.date) }
}
