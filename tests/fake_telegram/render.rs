//! Messages as the Bot API shows them.

use super::world::{Chat, Kept, World};
use serde_json::{Value, json};

impl World {
    /// A message as the Bot API shows it, with what it replies to.
    pub(crate) fn message(&self, chat: &Chat, kept: &Kept) -> Value {
        let mut message = self.bare(chat, kept);
        let original = kept.reply_to.and_then(|id| chat.messages.iter().find(|other| other.id == id && !other.deleted));
        if let Some(original) = original {
            message["reply_to_message"] = self.bare(chat, original);
        }
        message
    }

    /// Without what it replies to.
    fn bare(&self, chat: &Chat, kept: &Kept) -> Value {
        let mut message = json!({ "message_id": kept.id, "date": kept.date, "chat": chat.json() });
        match kept.from {
            Some(user) => message["from"] = self.user(user),
            None => message["sender_chat"] = chat.json(),
        }
        if let Some(topic) = kept.topic {
            message["message_thread_id"] = topic.into();
            message["is_topic_message"] = true.into();
        }
        if let Some(edited) = kept.edited {
            message["edit_date"] = edited.into();
        }
        if let Some((user, date)) = kept.forwarded {
            message["forward_origin"] = json!({ "type": "user", "sender_user": self.user(user), "date": date });
        }
        let inline = kept.markup.as_ref().filter(|markup| markup.get("inline_keyboard").is_some());
        if let Some(markup) = inline {
            message["reply_markup"] = markup.clone();
        }
        if let Some(preview) = &kept.preview {
            message["link_preview_options"] = preview.clone();
        }
        let (text, entities) = self.attach(&mut message, kept);
        if !kept.text.is_empty() {
            message[text] = kept.text.clone().into();
            if !kept.entities.is_empty() {
                message[entities] = kept.entities.clone().into();
            }
        }
        for (name, value) in &kept.service {
            message[name.as_str()] = value.clone();
        }
        message
    }

    /// Puts a message's file in, and names the fields its text goes into.
    fn attach(&self, message: &mut Value, kept: &Kept) -> (&'static str, &'static str) {
        let Some((id, photo)) = &kept.file else { return ("text", "entities") };
        let Some(stored) = self.files.get(id) else { return ("caption", "caption_entities") };
        let unique = &id[id.len() - 12..];
        if *photo {
            let (width, height) = stored.size.unwrap_or((640, 480));
            message["photo"] = json!([{
                "file_id": id, "file_unique_id": unique, "width": width, "height": height, "file_size": stored.bytes.len(),
            }]);
        } else {
            message["document"] = json!({
                "file_id": id, "file_unique_id": unique, "file_name": stored.name, "file_size": stored.bytes.len(),
                "mime_type": mime(&stored.name),
            });
        }
        ("caption", "caption_entities")
    }
}

fn mime(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("json") => "application/json",
        Some("md" | "txt" | "log" | "diff" | "patch") => "text/plain",
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("html") => "text/html",
        _ => "application/octet-stream",
    }
}
