//! Telegram: the token and the owner from the environment, everything else from `[telegram]`.

use super::environment::{Environment, TELEGRAM_API, TELEGRAM_OWNER, TELEGRAM_TOKEN};
use super::error::ConfigError;
use super::missing::Missing;
use super::section::{Field, Section};
use super::values::list;
use std::fmt;

/// A value that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps `value`.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// How to reach Telegram, and who may talk to the bot there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Telegram {
    /// From BotFather.
    pub token: Secret,
    /// The Bot API server; none: Telegram's own.
    pub api_url: Option<String>,
    /// Numeric id of the owner; none: nobody has claimed the bot yet.
    pub owner: Option<i64>,
    /// The rest, from the file.
    pub places: Places,
}

/// `[telegram]` of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    /// Who may approve, reject and read besides the owner, by numeric id.
    pub approvers: Vec<i64>,
    /// Groups and channels where the bot may speak, by numeric id.
    pub chats: Vec<i64>,
    /// Where the brief and the live status go, as `chat` or `chat/topic`; none: to the owner.
    pub home: Option<String>,
}

impl Telegram {
    /// The address of the chat that gets what nobody asked for; none while nobody owns the bot.
    pub fn home_address(&self) -> Option<String> {
        let place = self.places.home.clone().or_else(|| self.owner.map(|id| id.to_string()))?;
        Some(format!("telegram:{place}"))
    }
}

pub(super) fn places(section: &mut Section<'_>) -> Result<Places, ConfigError> {
    let mut places = Places::default();
    section.read("approvers", &mut places.approvers, |f| list(f, person))?;
    section.read("chats", &mut places.chats, |f| list(f, group))?;
    section.read("home", &mut places.home, |f| home(f).map(Some))?;
    section.finish()?;
    Ok(places)
}

fn person(field: &Field<'_>) -> Result<i64, ConfigError> {
    field.integer(
        1..=MOST,
        "a numeric Telegram user id, such as 123456789; an id, never an @name, since names change hands",
    )
}

fn group(field: &Field<'_>) -> Result<i64, ConfigError> {
    field.integer(-MOST..=-1, "the numeric id of a group or channel, such as -1001234567890: it is below zero")
}

fn home(field: &Field<'_>) -> Result<String, ConfigError> {
    let allowed = "a chat's numeric id, or with a topic chat/topic, such as \"-1001234567890/7\"";
    let text = field.text(allowed)?;
    let (chat, topic) = text.split_once('/').map_or((text, None), |(chat, topic)| (chat, Some(topic)));
    let chat_is_id = chat.parse::<i64>().is_ok_and(|id| id != 0 && (-MOST..=MOST).contains(&id));
    let topic_is_id = topic.is_none_or(|topic| topic.parse::<i32>().is_ok_and(|id| id > 0));
    if chat_is_id && topic_is_id { Ok(text.to_owned()) } else { Err(field.bad(allowed)) }
}

/// Telegram's ids have at most 52 bits.
const MOST: i64 = (1 << 52) - 1;

/// None without a token.
pub(super) fn find(environment: &Environment, places: Places) -> Result<Option<Telegram>, ConfigError> {
    let api_url = environment.get(TELEGRAM_API).map(str::to_owned);
    if api_url.as_ref().is_some_and(|url| !is_http(url)) {
        return Err(environment.bad(TELEGRAM_API, "an http:// or https:// address of a Bot API server"));
    }
    let owner = match environment.get(TELEGRAM_OWNER) {
        None => None,
        Some(text) => match text.parse::<i64>() {
            Ok(id) if (1..=MOST).contains(&id) => Some(id),
            _ => {
                let allowed = "your numeric Telegram user id, such as 123456789; `overnight init` finds it";
                return Err(environment.bad(TELEGRAM_OWNER, allowed));
            }
        },
    };
    let Some(token) = environment.get(TELEGRAM_TOKEN) else { return Ok(None) };
    if !is_token(token) {
        // The value is not shown: it may be a token with a slip in it.
        return Err(environment.bad_secret(TELEGRAM_TOKEN, "a token from @BotFather, such as 123456789:AA…"));
    }
    Ok(Some(Telegram { token: Secret::new(token), api_url, owner, places }))
}

/// Whether a text has the form of a bot token.
pub fn is_token(text: &str) -> bool {
    text.split_once(':').is_some_and(|(id, secret)| {
        !id.is_empty()
            && id.chars().all(|c| c.is_ascii_digit())
            && secret.len() >= 4
            && secret.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    })
}

fn is_http(url: &str) -> bool {
    reqwest::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

pub(super) fn missing(telegram: Option<&Telegram>) -> Option<Missing> {
    let what = match telegram {
        None => format!("{TELEGRAM_TOKEN} is not set: `overnight init` leads through it"),
        Some(telegram) if telegram.owner.is_none() => {
            format!("{TELEGRAM_OWNER} is not set, so nobody may talk to the bot: `overnight init` finds your id")
        }
        Some(_) => return None,
    };
    Some(Missing { feature: "Telegram".into(), what })
}
