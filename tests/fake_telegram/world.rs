//! What there is: people, chats, messages, files, and what the bot has asked for.

use super::answer::Refusal;
use super::faults::Faults;
use super::seen::{Logged, Toast};
use super::updates::Queue;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// The bot's own user.
pub(crate) const BOT: i64 = 123_456;

/// Seconds a tap can be answered.
const ANSWERABLE: i64 = 150;

pub(crate) struct World {
    clock: (i64, Instant),
    pub(crate) users: BTreeMap<i64, String>,
    pub(crate) chats: BTreeMap<i64, Chat>,
    pub(crate) taps: BTreeMap<String, Tap>,
    /// Seconds after which a tap can't be answered.
    pub(crate) answerable: i64,
    pub(crate) files: BTreeMap<String, Stored>,
    pub(crate) queue: Queue,
    pub(crate) toasts: Vec<Toast>,
    /// By scope (as its JSON) and language.
    pub(crate) commands: BTreeMap<(String, String), Vec<Value>>,
    pub(crate) log: Vec<Logged>,
    pub(crate) violations: Vec<String>,
    pub(crate) faults: Faults,
    /// What a send, and perhaps an edit, has to wait for in one chat.
    pub(crate) pace: Option<Pace>,
    /// Where another program has the updates sent: polls are refused meanwhile.
    pub(crate) webhook: String,
    /// How long the server shall be gone, from about now.
    pub(crate) outage: Option<Duration>,
    next: i64,
}

/// One message a second in a chat.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) every: Duration,
    /// Whether edits count too.
    pub(crate) edits: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sort {
    Private,
    Group,
    Supergroup,
    /// A supergroup with topics.
    Forum,
    Channel,
}

pub(crate) struct Chat {
    pub(crate) id: i64,
    pub(crate) sort: Sort,
    pub(crate) title: String,
    /// Whether a private chat's person ever wrote to the bot.
    pub(crate) started: bool,
    /// Whether the bot was blocked or removed.
    pub(crate) closed: bool,
    pub(crate) migrated_to: Option<i64>,
    pub(crate) members: BTreeSet<i64>,
    pub(crate) topics: BTreeMap<i64, String>,
    pub(crate) messages: Vec<Kept>,
    pub(crate) actions: Vec<String>,
    pub(crate) last: Option<Instant>,
    next: i64,
}

/// A message.
#[derive(Debug, Clone, Default)]
pub(crate) struct Kept {
    pub(crate) id: i64,
    /// Who wrote it; nobody in a channel.
    pub(crate) from: Option<i64>,
    pub(crate) date: i64,
    pub(crate) text: String,
    /// As the bot sent it.
    pub(crate) source: String,
    pub(crate) entities: Vec<Value>,
    pub(crate) markup: Option<Value>,
    pub(crate) preview: Option<Value>,
    pub(crate) silent: bool,
    pub(crate) edits: usize,
    pub(crate) edited: Option<i64>,
    pub(crate) deleted: bool,
    pub(crate) pinned: bool,
    pub(crate) reply_to: Option<i64>,
    pub(crate) topic: Option<i64>,
    pub(crate) file: Option<(String, bool)>,
    pub(crate) forwarded: Option<(i64, i64)>,
    pub(crate) reactions: Vec<Value>,
    /// A service message's fields.
    pub(crate) service: Map<String, Value>,
}

/// A file on the server.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) bytes: Vec<u8>,
    /// Width and height of a picture.
    pub(crate) size: Option<(u32, u32)>,
}

/// A tap on a button that waits for its answer.
#[derive(Debug, Clone)]
pub(crate) struct Tap {
    pub(crate) user: i64,
    pub(crate) at: i64,
    pub(crate) answered: bool,
}

impl World {
    pub(crate) fn new(now: i64) -> Self {
        Self {
            clock: (now, Instant::now()),
            users: BTreeMap::new(),
            chats: BTreeMap::new(),
            taps: BTreeMap::new(),
            answerable: ANSWERABLE,
            files: BTreeMap::new(),
            queue: Queue::new(),
            toasts: Vec::new(),
            commands: BTreeMap::new(),
            log: Vec::new(),
            violations: Vec::new(),
            faults: Faults::default(),
            pace: None,
            webhook: String::new(),
            outage: None,
            next: 0,
        }
    }

    /// The time here, which goes on from what it was set to.
    pub(crate) fn now(&self) -> i64 {
        self.clock.0 + i64::try_from(self.clock.1.elapsed().as_secs()).unwrap_or(i64::MAX)
    }

    pub(crate) fn set_time(&mut self, now: i64) {
        self.clock = (now, Instant::now());
    }

    /// A number nobody had.
    pub(crate) fn number(&mut self) -> i64 {
        self.next += 1;
        self.next
    }

    /// The chat a request names, if the bot may use it.
    pub(crate) fn open_chat(&mut self, params: &Map<String, Value>) -> Result<&mut Chat, Refusal> {
        let chat = self.known_chat(params)?;
        if let Some(to) = chat.migrated_to {
            return Err(Refusal::migrated(to));
        }
        match chat.sort {
            Sort::Private if chat.closed => Err(Refusal::forbidden("bot was blocked by the user")),
            Sort::Private if !chat.started => Err(Refusal::forbidden("bot can't initiate conversation with a user")),
            Sort::Group if chat.closed => Err(Refusal::forbidden("bot was kicked from the group chat")),
            Sort::Channel if chat.closed => Err(Refusal::forbidden("bot was kicked from the channel chat")),
            _ if chat.closed => Err(Refusal::forbidden("bot was kicked from the supergroup chat")),
            _ => Ok(chat),
        }
    }

    /// The chat a request names.
    pub(crate) fn known_chat(&mut self, params: &Map<String, Value>) -> Result<&mut Chat, Refusal> {
        let id = match params.get("chat_id").unwrap_or(&Value::Null) {
            Value::String(text) => text.parse().ok(),
            id => id.as_i64(),
        };
        id.and_then(|id| self.chats.get_mut(&id)).ok_or_else(|| Refusal::state("chat not found"))
    }

    /// A chat by its id, for whoever is not the bot.
    pub(crate) fn chat(&mut self, id: i64) -> Result<&mut Chat, String> {
        self.chats.get_mut(&id).ok_or_else(|| format!("there is no chat {id}"))
    }

    pub(crate) fn store(&mut self, name: &str, bytes: &[u8], photo: bool) -> String {
        let number = self.number();
        let folder = if photo { "photos" } else { "documents" };
        let extension = name.rsplit_once('.').map_or("bin", |(_, extension)| extension);
        let plain = !extension.is_empty() && extension.chars().all(|c| c.is_ascii_alphanumeric());
        let extension = if plain { extension } else { "bin" };
        let path = format!("{folder}/file_{number}.{extension}");
        let size = photo.then(|| super::limits::picture_size(bytes).unwrap_or((640, 480)));
        let id = format!("FILE{number:020}");
        self.files.insert(id.clone(), Stored { name: name.to_owned(), path, bytes: bytes.to_vec(), size });
        id
    }

    pub(crate) fn user(&self, id: i64) -> Value {
        let bot = id == BOT;
        let name = if bot { "Fake bot" } else { self.users.get(&id).map_or("Nobody", String::as_str) };
        let mut user = json!({ "id": id, "is_bot": bot, "first_name": name });
        if bot {
            user["username"] = "fake_bot".into();
        } else {
            user["language_code"] = "en".into();
        }
        user
    }
}

impl Chat {
    pub(crate) fn new(id: i64, sort: Sort, title: &str) -> Self {
        Self {
            id,
            sort,
            title: title.to_owned(),
            started: true,
            closed: false,
            migrated_to: None,
            members: BTreeSet::new(),
            topics: BTreeMap::new(),
            messages: Vec::new(),
            actions: Vec::new(),
            last: None,
            next: 0,
        }
    }

    /// Keeps a message, under the chat's next number.
    pub(crate) fn keep(&mut self, mut message: Kept) -> i64 {
        self.next += 1;
        message.id = self.next;
        self.messages.push(message);
        self.next
    }

    /// A message that is still there.
    pub(crate) fn find(&mut self, id: i64) -> Option<&mut Kept> {
        self.messages.iter_mut().find(|message| message.id == id && !message.deleted)
    }

    pub(crate) fn json(&self) -> Value {
        let kind = match self.sort {
            Sort::Private => "private",
            Sort::Group => "group",
            Sort::Supergroup | Sort::Forum => "supergroup",
            Sort::Channel => "channel",
        };
        let mut chat = json!({ "id": self.id, "type": kind });
        chat[if self.sort == Sort::Private { "first_name" } else { "title" }] = self.title.clone().into();
        if self.sort == Sort::Forum {
            chat["is_forum"] = true.into();
        }
        chat
    }
}
