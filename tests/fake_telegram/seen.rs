//! What can be seen: messages as a person sees them, toasts, and what the bot asked for.

use super::world::{BOT, Chat, Kept, World};
use serde::Serialize;
use serde_json::Value;

/// A message as a person sees it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Seen {
    pub(crate) id: i64,
    pub(crate) from_bot: bool,
    /// What is read, without markup.
    pub(crate) text: String,
    /// As it was sent.
    pub(crate) source: String,
    pub(crate) entities: Vec<Value>,
    /// Row by row.
    pub(crate) buttons: Vec<Vec<Button>>,
    /// Whether it came without a sound.
    pub(crate) silent: bool,
    pub(crate) edits: usize,
    pub(crate) deleted: bool,
    pub(crate) pinned: bool,
    pub(crate) reply_to: Option<i64>,
    pub(crate) topic: Option<i64>,
    pub(crate) files: Vec<Attached>,
    /// The bot's reactions.
    pub(crate) reactions: Vec<String>,
    /// `link_preview_options`, as sent.
    pub(crate) preview: Option<Value>,
    pub(crate) date: i64,
}

/// A button under a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Button {
    pub(crate) label: String,
    pub(crate) data: Option<String>,
    pub(crate) url: Option<String>,
}

/// A file that came with a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Attached {
    pub(crate) name: String,
    pub(crate) photo: bool,
    pub(crate) bytes: Vec<u8>,
}

/// The answer to a tap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Toast {
    pub(crate) tap: String,
    pub(crate) user: i64,
    /// Empty if the tap was only acknowledged.
    pub(crate) text: String,
    pub(crate) alert: bool,
}

/// A request of the bot.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Logged {
    pub(crate) method: String,
    pub(crate) params: Value,
}

impl World {
    /// A chat's messages, oldest first, deleted ones too.
    pub(crate) fn seen(&self, chat: i64) -> Result<Vec<Seen>, String> {
        let chat = self.chats.get(&chat).ok_or_else(|| format!("there is no chat {chat}"))?;
        Ok(chat.messages.iter().map(|kept| self.see(kept)).collect())
    }

    fn see(&self, kept: &Kept) -> Seen {
        let files = kept.file.iter().filter_map(|(id, photo)| {
            let stored = self.files.get(id)?;
            Some(Attached { name: stored.name.clone(), photo: *photo, bytes: stored.bytes.clone() })
        });
        let reaction = |reaction: &Value| reaction["emoji"].as_str().unwrap_or_default().to_owned();
        Seen {
            id: kept.id,
            from_bot: kept.from == Some(BOT) || kept.from.is_none(),
            text: kept.text.clone(),
            source: kept.source.clone(),
            entities: kept.entities.clone(),
            buttons: buttons(kept.markup.as_ref()),
            silent: kept.silent,
            edits: kept.edits,
            deleted: kept.deleted,
            pinned: kept.pinned,
            reply_to: kept.reply_to,
            topic: kept.topic,
            files: files.collect(),
            reactions: kept.reactions.iter().map(reaction).collect(),
            preview: kept.preview.clone(),
            date: kept.date,
        }
    }

    /// The commands a person is offered in a chat: of the narrowest scope that has any, as Telegram chooses.
    pub(crate) fn menu(&self, user: i64, chat: &Chat, language: &str) -> Vec<Value> {
        let group = chat.id < 0;
        let id = chat.id;
        let scopes = [
            group.then(|| format!(r#"{{"chat_id":{id},"type":"chat_member","user_id":{user}}}"#)),
            Some(format!(r#"{{"chat_id":{id},"type":"chat"}}"#)),
            Some(format!(r#"{{"type":"{}"}}"#, if group { "all_group_chats" } else { "all_private_chats" })),
            Some(r#"{"type":"default"}"#.to_owned()),
        ];
        let mut tried = scopes.iter().flatten().flat_map(|scope| [(scope, language), (scope, "")]);
        let found = tried.find_map(|(scope, language)| self.commands.get(&(scope.clone(), language.to_owned())));
        found.cloned().unwrap_or_default()
    }
}

pub(crate) fn buttons(markup: Option<&Value>) -> Vec<Vec<Button>> {
    let text = |button: &Value, key: &str| button[key].as_str().map(str::to_owned);
    let button = |button: &Value| Button {
        label: text(button, "text").unwrap_or_default(),
        data: text(button, "callback_data"),
        url: text(button, "url"),
    };
    let rows = markup.and_then(|markup| markup["inline_keyboard"].as_array()).into_iter().flatten();
    rows.map(|row| row.as_array().into_iter().flatten().map(button).collect()).collect()
}
