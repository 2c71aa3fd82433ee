//! Chat: one outside thing per file. [`command`] turns text into a [`command::Command`] (pure); each front-end sends
//! [`crate::domain::message::Message`]s its own way.
//!
//! A front-end never decides and never answers by itself: what comes in is stored, handled in one transaction and
//! answered through the outbox.

pub mod command;
pub mod terminal;

use crate::domain::message::Message;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// One thing a person did in a chat: wrote a line, or tapped a button.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incoming {
    /// The platform's exact id of this update: the key it is deduplicated by.
    pub key: String,
    /// Who, as `platform:numeric id`; authorised against the configuration.
    pub sender: String,
    /// What they did.
    pub what: What,
    /// When the platform says it happened.
    pub at: DateTime<Utc>,
}

/// What a person did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// Wrote this text.
    Text(String),
    /// Tapped the button with this id; `tap` is what a toast needs to refer to.
    Tap {
        /// The button's nonce.
        button: String,
        /// The platform's id of the tap.
        tap: String,
    },
}

/// Where a sent message can be found again.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MessageRef(pub String);

/// One message on its way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Outbox key, unique for ever; a front-end that can, uses it to send only once.
    pub key: String,
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
    /// It will never arrive: blocked, gone, refused.
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

    /// Sends a message.
    async fn send(&self, outgoing: &Outgoing) -> Result<MessageRef, SendError>;

    /// Replaces a sent message. "Not modified" is success.
    async fn edit(&self, message: &MessageRef, outgoing: &Outgoing) -> Result<(), SendError>;

    /// Answers a tap at once with a short text. Too late is no error.
    async fn toast(&self, tap: &str, text: &str);

    /// How long a send or edit may take; after that its answer counts as lost.
    fn send_limit(&self) -> Duration {
        Duration::from_mins(1)
    }
}
