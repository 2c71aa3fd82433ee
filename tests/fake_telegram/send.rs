//! Sending and editing messages.

use super::answer::{Answer, Refusal};
use super::html::{Parsed, utf16};
use super::limits;
use super::methods::Call;
use super::world::{BOT, Kept, Sort, World};
use serde_json::{Value, json};
use std::time::Instant;

impl World {
    pub(crate) fn send_message(&mut self, call: &Call) -> Answer {
        let parsed = limits::text(&call.params, "text", "entities")?;
        limits::markup(&call.params)?;
        if parsed.text.is_empty() {
            return Err(Refusal::wrong("message text is empty"));
        }
        if utf16(&parsed.text) > limits::TEXT {
            return Err(Refusal::wrong("message is too long"));
        }
        self.send(call, parsed, "text", None)
    }

    /// A document or a photo: `key` names the parameter.
    pub(crate) fn send_attached(&mut self, call: &Call, key: &str) -> Answer {
        let photo = key == "photo";
        let parsed = limits::text(&call.params, "caption", "caption_entities")?;
        limits::markup(&call.params)?;
        if utf16(&parsed.text) > limits::CAPTION {
            return Err(Refusal::wrong("message caption is too long"));
        }
        let file = call.text(key);
        let id = if let Some(part) = file.strip_prefix("attach://") {
            let Some(part) = call.files.get(part) else {
                return Err(Refusal::wrong(format!("no part {part:?} is attached")));
            };
            limits::file(&part.bytes, photo)?;
            self.store(&part.name, &part.bytes, photo)
        } else if self.files.get(file).is_some_and(|stored| stored.size.is_some() == photo) {
            file.to_owned()
        } else {
            return Err(Refusal::wrong("wrong file identifier/HTTP URL specified"));
        };
        self.send(call, parsed, "caption", Some((id, photo)))
    }

    fn send(&mut self, call: &Call, parsed: Parsed, source: &str, file: Option<(String, bool)>) -> Answer {
        let now = self.now();
        self.keep_pace(call, false)?;
        let chat = self.open_chat(&call.params)?;
        let topic = call.number("message_thread_id");
        if topic.is_some_and(|topic| !chat.topics.contains_key(&topic)) {
            return Err(Refusal::state("message thread not found"));
        }
        let original = call.params.get("reply_parameters");
        let reply_to = original.and_then(|original| original["message_id"].as_i64());
        let found = reply_to.filter(|id| chat.find(*id).is_some());
        let optional = original.is_some_and(|original| original["allow_sending_without_reply"] == true);
        if reply_to.is_some() && found.is_none() && !optional {
            return Err(Refusal::state("message to be replied not found"));
        }
        let kept = Kept {
            from: (chat.sort != Sort::Channel).then_some(BOT),
            date: now,
            source: call.text(source).to_owned(),
            text: parsed.text,
            entities: parsed.entities,
            markup: call.params.get("reply_markup").cloned(),
            preview: call.params.get("link_preview_options").cloned(),
            silent: call.is("disable_notification"),
            reply_to: found,
            topic,
            file,
            ..Kept::default()
        };
        let (chat, id) = (chat.id, chat.keep(kept));
        self.remark(call, parsed.remarks);
        Ok(self.shown(chat, id))
    }

    pub(crate) fn edit_text(&mut self, call: &Call) -> Answer {
        let parsed = limits::text(&call.params, "text", "entities")?;
        limits::markup(&call.params)?;
        if parsed.text.is_empty() {
            return Err(Refusal::wrong("message text is empty"));
        }
        if utf16(&parsed.text) > limits::TEXT {
            return Err(Refusal::wrong("MESSAGE_TOO_LONG"));
        }
        let preview = call.params.get("link_preview_options").cloned();
        let source = call.text("text").to_owned();
        let Parsed { text, entities, remarks } = parsed;
        let answer = self.edit(call, move |kept| {
            if kept.file.is_some() || kept.text.is_empty() {
                return Err(Refusal::state("there is no text in the message to edit"));
            }
            let same = kept.text == text && kept.entities == entities && kept.preview == preview;
            (kept.text, kept.entities, kept.source, kept.preview) = (text, entities, source, preview);
            Ok(same)
        })?;
        self.remark(call, remarks);
        Ok(answer)
    }

    pub(crate) fn edit_markup(&mut self, call: &Call) -> Answer {
        limits::markup(&call.params)?;
        self.edit(call, |_| Ok(true))
    }

    /// Edits a message of the bot; `change` says whether the content stayed the same.
    fn edit(&mut self, call: &Call, change: impl FnOnce(&mut Kept) -> Result<bool, Refusal>) -> Answer {
        let (Some(id), true) = (call.number("message_id"), call.params.contains_key("chat_id")) else {
            return Err(Refusal::wrong("message identifier is not specified"));
        };
        let now = self.now();
        self.keep_pace(call, true)?;
        let chat = self.open_chat(&call.params)?;
        let (number, channel) = (chat.id, chat.sort == Sort::Channel);
        let Some(message) = chat.find(id) else { return Err(Refusal::state("message to edit not found")) };
        if message.from != Some(BOT) && !channel {
            return Err(Refusal::state("message can't be edited"));
        }
        let mut edited = message.clone();
        let markup = call.params.get("reply_markup").cloned();
        let same = change(&mut edited)?;
        if same && shape(markup.as_ref()) == shape(message.markup.as_ref()) {
            return Err(Refusal::state(
                "message is not modified: specified new message content and reply markup are exactly the same as a current \
                 content and reply markup of the message",
            ));
        }
        edited.markup = markup;
        edited.edits += 1;
        edited.edited = Some(now);
        *message = edited;
        Ok(self.shown(number, id))
    }

    fn shown(&self, chat: i64, id: i64) -> Value {
        let chat = &self.chats[&chat];
        chat.messages.iter().find(|kept| kept.id == id).map_or(Value::Null, |kept| self.message(chat, kept))
    }

    fn remark(&mut self, call: &Call, remarks: Vec<String>) {
        self.violations.extend(remarks.into_iter().map(|remark| format!("{}: {remark}", call.method)));
    }

    /// 429, if messages to a chat follow one another too fast.
    fn keep_pace(&mut self, call: &Call, edit: bool) -> Result<(), Refusal> {
        let Some(pace) = self.pace.filter(|pace| pace.edits || !edit) else { return Ok(()) };
        let chat = self.open_chat(&call.params)?;
        let wait = chat.last.map_or(pace.every, |last| last.elapsed());
        if wait < pace.every {
            return Err(Refusal::retry_after((pace.every - wait).as_secs() + 1));
        }
        chat.last = Some(Instant::now());
        Ok(())
    }
}

/// A keyboard as it compares: none and an empty one are the same.
fn shape(markup: Option<&Value>) -> Value {
    let rows = markup.map(|markup| &markup["inline_keyboard"]).and_then(Value::as_array);
    rows.filter(|rows| rows.iter().any(|row| row.as_array().is_some_and(|row| !row.is_empty())))
        .map_or(json!([]), |rows| json!(rows))
}
