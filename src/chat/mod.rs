//! Chat: one outside thing per file. [`command`] turns text into a [`command::Command`] (pure); each front-end sends
//! [`crate::domain::message::Message`]s its own way.
//!
//! A front-end never decides and never answers by itself: what comes in is stored, handled in one transaction and
//! answered through the outbox.

pub mod command;
pub mod telegram;
pub mod terminal;

use crate::domain::message::Message;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// One thing that happened in a chat: mostly a person wrote or tapped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incoming {
    /// The platform's exact id of this update: the key it is deduplicated by.
    pub key: String,
    /// Address to answer to, as `platform:chat[/topic]`; none: the platform has only one chat.
    #[serde(default)]
    pub chat: Option<String>,
    /// Who, as `platform:numeric id`; authorised against the configuration.
    pub sender: String,
    /// What they did.
    pub what: What,
    /// The platform's id of the message they wrote.
    #[serde(default)]
    pub message: Option<String>,
    /// The platform's id of the message of ours that theirs replies to.
    #[serde(default)]
    pub reply_to: Option<String>,
    /// When the platform says it happened.
    pub at: DateTime<Utc>,
    /// The update as the platform gave it, where that is more than the above.
    #[serde(default)]
    pub raw: Option<String>,
}

impl Incoming {
    /// What a sender did in the platform's only chat.
    pub fn new(key: impl Into<String>, sender: impl Into<String>, what: What, at: DateTime<Utc>) -> Self {
        let (chat, message, reply_to, raw) = (None, None, None, None);
        Self { key: key.into(), chat, sender: sender.into(), what, message, reply_to, at, raw }
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// Wrote this text.
    Text(String),
    /// Sent something that is data, whatever it says: a file, a forwarded message. Becomes a task's details.
    Data {
        /// What was written with it; may be empty.
        title: String,
        /// Its text, cut to what a task may hold.
        text: String,
        /// Where it is from, such as `notes.txt`.
        from: String,
    },
    /// Sent something that can't be read.
    Unreadable {
        /// What it was: a file's name, or `that`.
        what: String,
        /// Why not.
        why: String,
        /// What was written with it; may be empty.
        text: String,
    },
    /// Changed the message with the id in [`Incoming::message`] to this.
    Edited(String),
    /// Tapped the button with this id.
    Tap {
        /// The button's nonce.
        button: String,
        /// The platform's id of the tap, where it can show a note at the button.
        tap: Option<String>,
    },
    /// Nobody did anything: the platform could not be reached for longer than it keeps taps.
    Outage {
        /// Since when.
        since: DateTime<Utc>,
    },
    /// Nobody did anything: something is wrong that only the owner can mend, said in whole sentences. They are told.
    Alarm(String),
    /// Nobody did anything: nothing comes in from the platform. That is kept on record for whoever asks.
    Trouble {
        /// Since when.
        since: DateTime<Utc>,
        /// Why, and what to do, for the owner.
        why: String,
    },
    /// Nobody did anything: what was wrong with the platform is over.
    Well,
    /// The chat can be reached again after it could not.
    Reachable,
    /// Something this front-end makes nothing of.
    Other,
}

/// Where a sent message can be found again.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MessageRef(pub String);

/// One message on its way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Outbox key, unique for ever; a front-end that can, uses it to send only once.
    pub key: String,
    /// Address: the platform's name, or `platform:chat[/topic]`.
    pub chat: String,
    /// The tap this answers: where a short note at the button is enough, no message is needed.
    pub tap: Option<String>,
    /// What to say.
    pub message: Message,
    /// Whether the phone stays silent. Two messages a day sound: the brief and a real emergency.
    pub silent: bool,
}

/// Why a message did not go out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Worth another try, not before this many seconds where the platform said so.
    #[error("the chat did not take the message: {what}")]
    Retry {
        /// What happened.
        what: String,
        /// Seconds the platform asked to wait.
        after_secs: Option<u64>,
    },
    /// Nothing arrives in this chat until somebody does something about it: blocked, removed, no longer there.
    #[error("the chat can't be reached: {0}")]
    Unreachable(String),
    /// This message will never arrive: the platform refuses it.
    #[error("the chat refuses the message for good: {0}")]
    Permanent(String),
    /// The answer was lost: it may have arrived.
    #[error("the chat's answer was lost, the message may have arrived: {0}")]
    MaybeSent(String),
}

/// A chat front-end. A second one exists in the stories, and each platform is one.
#[async_trait::async_trait]
pub trait Chat: Send + Sync {
    /// Stable name, such as `terminal`: the outbox addresses it.
    fn name(&self) -> &str;

    /// The next thing a person did; `None` when the front-end has closed for good. Cancel safe.
    async fn receive(&self) -> Option<Incoming>;

    /// Called once an update is stored, so that the platform may forget it.
    async fn confirm(&self, key: &str);

    /// Sends a message, or answers a tap.
    async fn send(&self, outgoing: &Outgoing) -> Result<MessageRef, SendError>;

    /// Replaces a sent message. "Not modified" is success. Returns where it can be found from now on.
    async fn edit(&self, message: &MessageRef, outgoing: &Outgoing) -> Result<MessageRef, SendError>;

    /// How long a send or edit may take; after that its answer counts as lost.
    fn send_limit(&self) -> Duration {
        Duration::from_mins(1)
    }
}
