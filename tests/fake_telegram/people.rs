//! What people do: write, edit, tap, send files, block the bot; and what happens to their chats.

use super::world::{BOT, Chat, Kept, Sort, Tap, World};
use serde_json::{Map, Value, json};

/// A file that a person sends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Upload<'a> {
    pub(crate) name: &'a str,
    pub(crate) bytes: &'a [u8],
    pub(crate) photo: bool,
}

impl World {
    /// A person, with a private chat of the same number. A stranger has not written to the bot yet.
    pub(crate) fn person(&mut self, id: i64, name: &str, stranger: bool) {
        self.users.insert(id, name.to_owned());
        let mut chat = Chat::new(id, Sort::Private, name);
        chat.started = !stranger;
        chat.members.insert(id);
        self.chats.insert(id, chat);
    }

    /// A chat of several, the bot among them.
    pub(crate) fn room(&mut self, sort: Sort, title: &str, members: &[i64]) -> i64 {
        let number = self.number();
        let id = if sort == Sort::Group { -5_000 - number } else { -1_001_000_000_000 - number };
        let mut chat = Chat::new(id, sort, title);
        chat.members.extend(members);
        self.chats.insert(id, chat);
        id
    }

    /// A topic of a forum.
    pub(crate) fn topic(&mut self, chat: i64, name: &str) -> Result<i64, String> {
        if self.chat(chat)?.sort != Sort::Forum {
            return Err(format!("chat {chat} has no topics"));
        }
        let user = self.chat(chat)?.members.first().copied();
        let created = json!({ "name": name, "icon_color": 7_322_096 });
        let id = self.service(chat, user, "forum_topic_created", created)?;
        let chat = self.chat(chat)?;
        chat.topics.insert(id, name.to_owned());
        if let Some(message) = chat.find(id) {
            message.topic = Some(id);
        }
        Ok(id)
    }

    /// A message without text, about something that happened.
    fn service(&mut self, chat: i64, from: Option<i64>, what: &str, about: Value) -> Result<i64, String> {
        let service = Map::from_iter([(what.to_owned(), about)]);
        let id = self.keep(chat, Kept { from, service, ..Kept::default() })?;
        self.tell(chat, id, "message")?;
        Ok(id)
    }

    fn keep(&mut self, chat: i64, message: Kept) -> Result<i64, String> {
        let date = self.now();
        Ok(self.chat(chat)?.keep(Kept { date, ..message }))
    }

    /// An update about a message.
    fn tell(&mut self, chat: i64, message: i64, kind: &str) -> Result<(), String> {
        let found = &self.chats[&chat];
        let kept = found.messages.iter().find(|kept| kept.id == message).ok_or("the message is gone")?;
        let channel = found.sort == Sort::Channel;
        let kind = match kind {
            "message" if channel => "channel_post",
            "edited_message" if channel => "edited_channel_post",
            kind => kind,
        };
        let body = self.message(found, kept);
        let now = self.now();
        self.queue.push(kind, body, now);
        Ok(())
    }

    /// A person's message: their text, what it answers or forwards, its topic.
    pub(crate) fn write(&mut self, user: i64, chat: i64, mut words: Kept) -> Result<i64, String> {
        if !self.users.contains_key(&user) {
            return Err(format!("there is no person {user}"));
        }
        let found = self.chat(chat)?;
        if found.closed {
            return Err(format!("the bot is not in chat {chat} any more, so nothing reaches it"));
        }
        if !found.members.contains(&user) {
            return Err(format!("person {user} is not in chat {chat}"));
        }
        found.started = true;
        words.from = (found.sort != Sort::Channel).then_some(user);
        if let Some(id) = words.reply_to {
            words.topic = found.find(id).ok_or_else(|| format!("there is no message {id} to reply to"))?.topic;
        }
        if words.topic.is_some_and(|topic| !found.topics.contains_key(&topic)) {
            return Err(format!("chat {chat} has no topic {}", words.topic.unwrap_or_default()));
        }
        words.entities = commands_in(&words.text);
        words.source.clone_from(&words.text);
        let id = self.keep(chat, words)?;
        self.tell(chat, id, "message")?;
        Ok(id)
    }

    /// A person's file, with a caption.
    pub(crate) fn send_file(&mut self, user: i64, chat: i64, file: Upload, caption: &str) -> Result<i64, String> {
        let id = self.store(file.name, file.bytes, file.photo);
        let words = Kept { text: caption.to_owned(), file: Some((id, file.photo)), ..Kept::default() };
        self.write(user, chat, words)
    }

    /// A person's message reads differently now.
    pub(crate) fn rewrite(&mut self, user: i64, chat: i64, message: i64, text: &str) -> Result<(), String> {
        let now = self.now();
        let found = self.chat(chat)?;
        let kept = found.find(message).ok_or_else(|| format!("chat {chat} has no message {message}"))?;
        if kept.from.is_some_and(|from| from != user) {
            return Err(format!("message {message} is not {user}'s"));
        }
        kept.entities = commands_in(text);
        text.clone_into(&mut kept.text);
        kept.source.clone_from(&kept.text);
        kept.edits += 1;
        kept.edited = Some(now);
        self.tell(chat, message, "edited_message")
    }

    /// A person deletes a message, which bots are never told.
    pub(crate) fn remove(&mut self, chat: i64, message: i64) -> Result<(), String> {
        let found = self.chat(chat)?;
        let kept = found.find(message).ok_or_else(|| format!("chat {chat} has no message {message}"))?;
        kept.deleted = true;
        Ok(())
    }

    /// A person taps a button: one that is there, or, if `stale`, one their screen may still show.
    pub(crate) fn tap(
        &mut self,
        user: i64,
        chat: i64,
        message: i64,
        data: &str,
        stale: bool,
    ) -> Result<String, String> {
        if !self.users.contains_key(&user) {
            return Err(format!("there is no person {user}"));
        }
        let found = self.chats.get(&chat).ok_or_else(|| format!("there is no chat {chat}"))?;
        let kept = found.messages.iter().find(|kept| kept.id == message);
        let kept = kept.ok_or_else(|| format!("chat {chat} has no message {message}"))?;
        let buttons = super::seen::buttons(kept.markup.as_ref());
        let there = buttons.iter().flatten().any(|button| button.data.as_deref() == Some(data));
        if !stale && (kept.deleted || !there) {
            return Err(format!("message {message} has no button with the data {data:?}; it has {buttons:?}"));
        }
        let shown = if kept.deleted {
            json!({ "chat": found.json(), "message_id": message, "date": 0 })
        } else {
            self.message(found, kept)
        };
        let now = self.now();
        let id = format!("{}", 4_000_000_000_000_000_000 + self.number());
        let body = json!({
            "id": id, "from": self.user(user), "message": shown, "chat_instance": format!("{}", chat.unsigned_abs()),
            "data": data,
        });
        self.taps.insert(id.clone(), Tap { user, at: now, answered: false });
        self.queue.push("callback_query", body, now);
        Ok(id)
    }

    /// A person blocks or unblocks the bot, or a group removes it or takes it back.
    pub(crate) fn close(&mut self, user: i64, chat: i64, closed: bool) -> Result<(), String> {
        let now = self.now();
        let found = self.chat(chat)?;
        found.closed = closed;
        let administrator = found.sort == Sort::Channel;
        let about = found.json();
        let member = |world: &Self, is: bool| {
            let bot = world.user(BOT);
            match (is, administrator) {
                (true, true) => administrator_json(&bot),
                (true, false) => json!({ "status": "member", "user": bot }),
                (false, _) => json!({ "status": "kicked", "user": bot, "until_date": 0 }),
            }
        };
        let body = json!({
            "chat": about, "from": self.user(user), "date": now,
            "old_chat_member": member(self, closed), "new_chat_member": member(self, !closed),
        });
        self.queue.push("my_chat_member", body, now);
        Ok(())
    }

    /// A group becomes a supergroup, with another number; its messages stay behind.
    pub(crate) fn migrate(&mut self, chat: i64) -> Result<i64, String> {
        let old = self.chat(chat)?;
        if old.sort != Sort::Group || old.migrated_to.is_some() {
            return Err(format!("chat {chat} is not a group"));
        }
        let (title, members) = (old.title.clone(), old.members.iter().copied().collect::<Vec<_>>());
        let new = self.room(Sort::Supergroup, &title, &members);
        let user = members.first().copied();
        self.service(chat, user, "migrate_to_chat_id", new.into())?;
        self.service(new, user, "migrate_from_chat_id", chat.into())?;
        self.chat(chat)?.migrated_to = Some(new);
        Ok(new)
    }
}

fn administrator_json(bot: &Value) -> Value {
    json!({
        "status": "administrator", "user": bot, "can_be_edited": false, "is_anonymous": false, "can_manage_chat": true,
        "can_delete_messages": true, "can_manage_video_chats": false, "can_restrict_members": false,
        "can_promote_members": false, "can_change_info": false, "can_invite_users": false, "can_post_stories": false,
        "can_edit_stories": false, "can_delete_stories": false, "can_post_messages": true, "can_edit_messages": true,
    })
}

/// The command a person's text begins with, as Telegram marks it.
fn commands_in(text: &str) -> Vec<Value> {
    let first = text.split_whitespace().next().unwrap_or_default();
    let name = first.strip_prefix('/').filter(|_| text.starts_with('/'));
    let ascii = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '@';
    match name {
        Some(name) if name.starts_with(|c: char| c.is_ascii_alphanumeric()) => {
            let length = 1 + name.find(|c| !ascii(c)).unwrap_or(name.len());
            vec![json!({ "type": "bot_command", "offset": 0, "length": length })]
        }
        _ => Vec::new(),
    }
}
