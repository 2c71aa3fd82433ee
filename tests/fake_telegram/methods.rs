//! The methods: each takes checked parameters and answers as Telegram does.

use super::answer::{Answer, Refusal};
use super::limits;
use super::schema::Schema;
use super::seen::Toast;
use super::world::{BOT, Sort, World};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// A request, with its files.
#[derive(Debug, Default)]
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) params: Map<String, Value>,
    /// By the name of their part.
    pub(crate) files: BTreeMap<String, Part>,
}

/// A file of a request.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

/// Seconds after which a bot can't delete a message.
const DELETABLE: i64 = 48 * 3600;

impl Call {
    pub(crate) fn text(&self, name: &str) -> &str {
        self.params.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    pub(crate) fn number(&self, name: &str) -> Option<i64> {
        self.params.get(name).and_then(Value::as_i64)
    }

    pub(crate) fn is(&self, name: &str) -> bool {
        self.params.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    pub(crate) fn list(&self, name: &str) -> &[Value] {
        self.params.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }
}

/// Whether a request keeps to the schema.
pub(crate) fn check(call: &Call) -> Result<(), Refusal> {
    let schema = Schema::get();
    let (_, fields) = schema.method(&call.method).ok_or_else(|| Refusal::new(404, "Not Found: method not found"))?;
    schema.check_params(fields, &call.params).map_err(Refusal::wrong)?;
    limits::simulated(&call.params)
}

/// Whether a result is of the type the Bot API gives it.
pub(crate) fn check_result(method: &str, result: &Value) -> Result<(), String> {
    let kind = match method {
        "getMe" => "User",
        "getWebhookInfo" => "WebhookInfo",
        "sendMessage" | "sendDocument" | "sendPhoto" | "editMessageText" | "editMessageReplyMarkup" => "Message",
        "getMyCommands" => "Array of BotCommand",
        "getFile" => "File",
        "getChat" => "ChatFullInfo",
        _ => "True",
    };
    Schema::get().check(kind, result, method)
}

impl World {
    /// Does what a request asks; all but `getUpdates`, which has to wait.
    pub(crate) fn call(&mut self, call: &Call) -> Answer {
        match call.method.as_str() {
            "getMe" => Ok(self.me()),
            "getWebhookInfo" => Ok(json!({
                "url": self.webhook, "has_custom_certificate": false, "pending_update_count": self.queue.unconfirmed().len(),
            })),
            "deleteWebhook" => {
                self.webhook.clear();
                if call.is("drop_pending_updates") {
                    self.queue.clear();
                }
                Ok(true.into())
            }
            "sendMessage" => self.send_message(call),
            "sendDocument" => self.send_attached(call, "document"),
            "sendPhoto" => self.send_attached(call, "photo"),
            "editMessageText" => self.edit_text(call),
            "editMessageReplyMarkup" => self.edit_markup(call),
            "deleteMessage" => self.delete(call),
            "answerCallbackQuery" => self.answer_tap(call),
            "setMyCommands" => self.set_commands(call),
            "getMyCommands" => {
                let key = self.command_key(call)?;
                Ok(self.commands.get(&key).cloned().unwrap_or_default().into())
            }
            "deleteMyCommands" => {
                let key = self.command_key(call)?;
                self.commands.remove(&key);
                Ok(true.into())
            }
            "getFile" => self.file(call),
            "getChat" => self.full_chat(call),
            "sendChatAction" => {
                limits::action(call.text("action"))?;
                let action = call.text("action").to_owned();
                self.open_chat(&call.params)?.actions.push(action);
                Ok(true.into())
            }
            "pinChatMessage" => self.pin(call),
            "setMessageReaction" => self.react(call),
            other => Err(Refusal::wrong(format!("this fake does not simulate {other}"))),
        }
    }

    fn me(&self) -> Value {
        let mut me = self.user(BOT);
        for (flag, is) in [
            ("can_join_groups", true),
            ("can_read_all_group_messages", true),
            ("supports_inline_queries", false),
            ("can_connect_to_business", false),
            ("has_main_web_app", false),
            ("has_topics_enabled", false),
            ("allows_users_to_create_topics", false),
        ] {
            me[flag] = is.into();
        }
        me
    }

    fn delete(&mut self, call: &Call) -> Answer {
        let now = self.now();
        let chat = self.open_chat(&call.params)?;
        let private = chat.sort == Sort::Private;
        let id = call.number("message_id").unwrap_or_default();
        let Some(message) = chat.find(id) else { return Err(Refusal::state("message to delete not found")) };
        let own = message.from == Some(BOT) || message.from.is_none();
        if now - message.date >= DELETABLE || !(own || private) {
            return Err(Refusal::state("message can't be deleted for everyone"));
        }
        message.deleted = true;
        Ok(true.into())
    }

    fn answer_tap(&mut self, call: &Call) -> Answer {
        limits::toast(call.text("text"))?;
        let (now, answerable) = (self.now(), self.answerable);
        let id = call.text("callback_query_id");
        let tap = self.taps.get_mut(id).filter(|tap| now - tap.at < answerable && !tap.answered);
        let Some(tap) = tap else {
            let reason = "query is too old and response timeout expired or query ID is invalid";
            return Err(Refusal::state(reason));
        };
        tap.answered = true;
        let (user, text, alert) = (tap.user, call.text("text").to_owned(), call.is("show_alert"));
        self.toasts.push(Toast { tap: id.to_owned(), user, text, alert });
        Ok(true.into())
    }

    fn set_commands(&mut self, call: &Call) -> Answer {
        let key = self.command_key(call)?;
        let commands = limits::commands(call.list("commands"))?;
        self.commands.insert(key, commands);
        Ok(true.into())
    }

    /// What a list of commands is kept under: its scope and language.
    fn command_key(&mut self, call: &Call) -> Result<(String, String), Refusal> {
        let mut scope = call.params.get("scope").cloned().unwrap_or_else(|| json!({ "type": "default" }));
        if let Some(object) = scope.as_object().filter(|object| object.contains_key("chat_id")).cloned() {
            scope["chat_id"] = self.known_chat(&object)?.id.into();
        }
        let language = call.text("language_code");
        if !language.is_empty() && (language.len() != 2 || !language.chars().all(|c| c.is_ascii_lowercase())) {
            return Err(Refusal::wrong("LANG_CODE_INVALID"));
        }
        Ok((scope.to_string(), language.to_owned()))
    }

    fn file(&mut self, call: &Call) -> Answer {
        let id = call.text("file_id");
        let Some(stored) = self.files.get(id) else { return Err(Refusal::state("invalid file_id")) };
        if stored.bytes.len() > limits::DOWNLOAD_BYTES {
            return Err(Refusal::state("file is too big"));
        }
        let (size, path) = (stored.bytes.len(), &stored.path);
        Ok(json!({ "file_id": id, "file_unique_id": &id[id.len() - 12..], "file_size": size, "file_path": path }))
    }

    fn full_chat(&mut self, call: &Call) -> Answer {
        // A person who blocked the bot can still be looked at.
        let private = self.known_chat(&call.params)?.sort == Sort::Private;
        let chat = if private { self.known_chat(&call.params)? } else { self.open_chat(&call.params)? };
        let mut full = chat.json();
        let gifts = ["unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription", "gifts_from_channels"];
        full["accepted_gift_types"] = gifts.iter().map(|gift| ((*gift).to_owned(), Value::Bool(false))).collect();
        full["accent_color_id"] = 0.into();
        full["max_reaction_count"] = 11.into();
        Ok(full)
    }

    fn pin(&mut self, call: &Call) -> Answer {
        let chat = self.open_chat(&call.params)?;
        let id = call.number("message_id").unwrap_or_default();
        let Some(message) = chat.find(id) else { return Err(Refusal::state("message to pin not found")) };
        message.pinned = true;
        Ok(true.into())
    }

    fn react(&mut self, call: &Call) -> Answer {
        limits::reactions(call.list("reaction"))?;
        let chat = self.open_chat(&call.params)?;
        let id = call.number("message_id").unwrap_or_default();
        let Some(message) = chat.find(id) else { return Err(Refusal::state("message to react not found")) };
        message.reactions = call.list("reaction").to_vec();
        Ok(true.into())
    }
}
