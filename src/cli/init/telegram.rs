//! The few calls to Telegram that setting up and checking need, with every trouble in plain words.
//!
//! Left out on purpose: the bot's normal running, which has its own front-end.

use chrono::{DateTime, Utc};
use std::time::Duration;
use teloxide::prelude::*;
use teloxide::types::{UpdateId, UpdateKind};
use teloxide::{ApiError, RequestError};

/// How long one request may take, a long poll included.
const LONGEST: Duration = Duration::from_secs(15);
/// How long Telegram may hold a poll that has nothing to tell.
const POLL_SECONDS: u32 = 5;

/// A bot at a Bot API server.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Api {
    bot: Bot,
}

/// What went wrong; `Display` is for a person and never holds the token.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum Trouble {
    /// 401 and 404.
    #[error("Telegram does not know this token")]
    Token,
    /// No answer.
    #[error("Telegram can't be reached at {0}: {1}")]
    Network(String, String),
    /// Somebody else polls.
    #[error("another program polls this bot; end it first: only one may")]
    OtherPoller,
    /// Updates go to an address.
    #[error("a webhook is set for this bot, so its messages go there and can't be fetched")]
    Webhook,
    /// The person can't be written to.
    #[error("the bot may not write there: open the bot in Telegram and press Start (a blocked bot: unblock it)")]
    NoChat,
    /// Anything else it says.
    #[error("Telegram says: {0}")]
    Says(String),
}

/// A message that came in.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Message {
    /// Its place in the queue.
    pub(in crate::cli) update: u32,
    /// Who sent it.
    pub(in crate::cli) sender: i64,
    /// Their name, as they call themselves.
    pub(in crate::cli) name: String,
    /// A chat of the sender and the bot alone.
    pub(in crate::cli) private: bool,
    /// What it says.
    pub(in crate::cli) text: String,
}

/// A batch of what waits for the bot.
#[derive(Debug, Default)]
pub(in crate::cli) struct Batch {
    /// All of it, whatever kind.
    pub(in crate::cli) count: usize,
    /// The last one's place.
    pub(in crate::cli) last: Option<u32>,
    /// Those that are messages of people.
    pub(in crate::cli) messages: Vec<Message>,
}

impl Api {
    /// The bot of this token.
    pub(in crate::cli) fn new(token: &str, url: Option<&str>) -> anyhow::Result<Self> {
        let bot = crate::chat::telegram::bot(token, url, LONGEST).map_err(anyhow::Error::msg)?;
        Ok(Self { bot })
    }

    /// The bot's user name: the token is good.
    pub(in crate::cli) async fn name(&self) -> Result<String, Trouble> {
        let me = self.bot.get_me().await.map_err(|error| self.trouble(&error))?;
        Ok(me.username().to_owned())
    }

    /// Where its updates go, if a webhook is set.
    pub(in crate::cli) async fn webhook(&self) -> Result<Option<String>, Trouble> {
        let info = self.bot.get_webhook_info().await.map_err(|error| self.trouble(&error))?;
        Ok(info.url.map(|url| url.host_str().unwrap_or("somewhere").to_owned()))
    }

    /// Takes the webhook away; what waits is kept.
    pub(in crate::cli) async fn remove_webhook(&self) -> Result<(), Trouble> {
        self.bot.delete_webhook().await.map_err(|error| self.trouble(&error))?;
        Ok(())
    }

    /// Whether the bot may write to this person or group.
    pub(in crate::cli) async fn reaches(&self, chat: i64) -> Result<(), Trouble> {
        self.bot.get_chat(ChatId(chat)).await.map_err(|error| self.trouble(&error))?;
        Ok(())
    }

    /// Says something.
    pub(in crate::cli) async fn say(&self, chat: i64, text: &str) -> Result<(), Trouble> {
        self.bot.send_message(ChatId(chat), text).await.map_err(|error| self.trouble(&error))?;
        Ok(())
    }

    /// What waits for the bot, at once, or with `wait` when something comes. Without `after` nothing is confirmed: all of
    /// it comes again, here and to the bot. With it everything up to that one is gone from Telegram's queue.
    pub(in crate::cli) async fn waiting(&self, after: Option<u32>, wait: bool) -> Result<Batch, Trouble> {
        let mut ask = self.bot.get_updates().timeout(if wait { POLL_SECONDS } else { 0 }).limit(100);
        if let Some(after) = after {
            ask = ask.offset(i32::try_from(after.saturating_add(1)).unwrap_or(i32::MAX));
        }
        let updates = ask.await.map_err(|error| self.trouble(&error))?;
        let mut batch =
            Batch { count: updates.len(), last: updates.last().map(|u| number(u.id)), messages: Vec::new() };
        for update in updates {
            let UpdateKind::Message(message) = &update.kind else { continue };
            let Some(from) = message.from.as_ref().filter(|from| !from.is_bot) else { continue };
            batch.messages.push(Message {
                update: number(update.id),
                sender: i64::try_from(from.id.0).unwrap_or_default(),
                name: from.full_name(),
                private: message.chat.is_private(),
                text: message.text().unwrap_or_default().to_owned(),
            });
        }
        Ok(batch)
    }

    /// What the server's clock says, by the header every answer has.
    pub(in crate::cli) async fn time(&self) -> Result<Option<DateTime<Utc>>, Trouble> {
        let asked = self.bot.client().get(self.bot.api_url()).send().await;
        let answer = asked.map_err(|error| Trouble::Network(self.host(), why(&error)))?;
        let date = answer.headers().get(reqwest::header::DATE).and_then(|date| date.to_str().ok());
        Ok(date.and_then(|date| DateTime::parse_from_rfc2822(date).ok()).map(|date| date.to_utc()))
    }

    fn host(&self) -> String {
        let url = self.bot.api_url();
        let port = url.port().map_or(String::new(), |port| format!(":{port}"));
        format!("{}{port}", url.host_str().unwrap_or("?"))
    }

    fn trouble(&self, error: &RequestError) -> Trouble {
        match error {
            RequestError::Api(ApiError::InvalidToken) => Trouble::Token,
            RequestError::Api(ApiError::TerminatedByOtherGetUpdates) => Trouble::OtherPoller,
            RequestError::Api(ApiError::CantGetUpdates) => Trouble::Webhook,
            RequestError::Api(
                ApiError::BotBlocked
                | ApiError::ChatNotFound
                | ApiError::UserDeactivated
                | ApiError::CantInitiateConversation,
            ) => Trouble::NoChat,
            RequestError::Api(ApiError::Unknown(words)) if words.contains("webhook is active") => Trouble::Webhook,
            RequestError::Api(error) => Trouble::Says(error.to_string()),
            RequestError::Network(error) => Trouble::Network(self.host(), why(error)),
            RequestError::RetryAfter(wait) => Trouble::Says(format!("too many requests; wait {} s", wait.seconds())),
            // The whole of these may hold the token or private text.
            _ => Trouble::Says("something this version can't read".into()),
        }
    }
}

fn number(id: UpdateId) -> u32 {
    id.0
}

/// The innermost cause: the outer ones hold the address, and so the token.
fn why(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".into();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    if std::ptr::eq(cause, error as &dyn std::error::Error) { "no connection".into() } else { cause.to_string() }
}
