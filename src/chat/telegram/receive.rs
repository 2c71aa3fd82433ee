//! What an update says: Telegram's updates → [`Incoming`].
//!
//! Whoever is not known costs no request: no file of theirs is fetched, and what they sent is not kept as it came.

use super::{TELEGRAM, TelegramOptions};
use crate::chat::{Incoming, What};
use crate::domain::task::limits;
use chrono::{DateTime, Utc};
use std::time::Duration;
use teloxide::Bot;
use teloxide::net::Download;
use teloxide::prelude::Requester;
use teloxide::types::{CallbackQuery, ChatKind, ChatMemberUpdated, Message, Update, UpdateKind};

/// Larger files are not read.
const FILE_BYTES: u32 = 256 * 1024;
const FILE_LIMIT: Duration = Duration::from_secs(20);

/// Reads updates.
pub(super) struct Reader {
    pub(super) bot: Bot,
    /// The bot's own name, without `@`, for commands addressed to it.
    pub(super) name: Option<String>,
}

impl Reader {
    pub(super) async fn incoming(&self, update: Update, options: &TelegramOptions) -> Incoming {
        let raw = update.clone();
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
        if knows(&incoming.sender, options) {
            incoming.raw = serde_json::to_string(&raw).ok();
        }
        incoming
    }

    async fn message(&self, key: String, message: &Message, options: &TelegramOptions) -> Incoming {
        let mut incoming = about(key, message, What::Other);
        if speaks_to_us(message, options) {
            let known = knows(&incoming.sender, options);
            incoming.what = self.said(message, known).await;
        }
        incoming
    }

    async fn said(&self, message: &Message, known: bool) -> What {
        let private = message.chat.is_private();
        let text = message.text().or_else(|| message.caption()).unwrap_or_default();
        if message.forward_origin().is_some() {
            let text = cut(text);
            return What::Data { title: String::new(), text, from: "a forwarded message".into() };
        }
        if let Some(document) = message.document() {
            let name = document.file_name.clone().unwrap_or_else(|| "a file".into());
            if !known {
                return What::Text(text.to_owned());
            }
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
pub(super) fn from_platform(what: What, kind: &str, now: DateTime<Utc>, options: &TelegramOptions) -> Incoming {
    let chat = options.people.first().map(|(id, _)| format!("{TELEGRAM}:{id}"));
    Incoming { chat, ..Incoming::new(format!("{kind}:{}", now.timestamp_millis()), TELEGRAM, what, now) }
}

/// Whether this is one of those who may talk to the bot.
fn knows(sender: &str, options: &TelegramOptions) -> bool {
    let id = sender.rsplit(':').next().and_then(|id| id.parse::<i64>().ok());
    options.people.iter().any(|(known, _)| Some(*known) == id)
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
