//! Parts → messages, edits, files and toasts; and what each error means for the outbox.
//!
//! A reference to a message is the list of its parts' ids, `12,13,f14`; `f` marks files, which are never edited.

use super::render::{self, Part, Rendered, render};
use super::{TELEGRAM, Telegram};
use crate::chat::terminal::plain_text;
use crate::chat::{MessageRef, Outgoing, SendError};
use crate::domain::message::Message;
use std::path::Path;
use teloxide::payloads::{
    AnswerCallbackQuerySetters, EditMessageTextSetters, SendDocumentSetters, SendMessageSetters, SendPhotoSetters,
};
use teloxide::prelude::Requester;
use teloxide::types::{
    CallbackQueryId, ChatId, InlineKeyboardButton, InlineKeyboardMarkup, InputFile, LinkPreviewOptions, MessageId,
    ParseMode, ThreadId,
};
use teloxide::{ApiError, RequestError};
use tokio::time::Instant;

/// Telegram takes 50 MB; larger files are only named.
const FILE_BYTES: u64 = 49_000_000;
/// And 10 MB as a picture.
const PHOTO_BYTES: u64 = 9_000_000;
/// Messages to one chat in a row before they are paced.
const BURST: usize = 4;

/// What of a message has arrived.
#[derive(Debug, Clone, Default)]
pub(super) struct Sent {
    texts: Vec<i32>,
    files: Vec<i32>,
}

impl Sent {
    fn reference(&self) -> MessageRef {
        let texts = self.texts.iter().map(ToString::to_string);
        MessageRef(texts.chain(self.files.iter().map(|id| format!("f{id}"))).collect::<Vec<_>>().join(","))
    }

    fn parse(reference: &MessageRef) -> Self {
        let mut sent = Self::default();
        for part in reference.0.split(',') {
            match part.strip_prefix('f') {
                Some(file) => sent.files.extend(file.parse::<i32>().ok()),
                None => sent.texts.extend(part.parse::<i32>().ok()),
            }
        }
        sent
    }
}

/// A chat and perhaps a topic in it.
#[derive(Debug, Clone, Copy)]
struct To {
    chat: ChatId,
    topic: Option<ThreadId>,
}

fn parse_address(address: &str) -> Option<To> {
    let place = address.strip_prefix(TELEGRAM)?.strip_prefix(':')?;
    let (chat, topic) = place.split_once('/').map_or((place, None), |(chat, topic)| (chat, Some(topic)));
    let topic = topic.map(str::parse::<i32>).transpose().ok()?;
    Some(To { chat: ChatId(chat.parse().ok()?), topic: topic.map(|id| ThreadId(MessageId(id))) })
}

/// A file on its way.
enum File<'a> {
    OnDisk { path: &'a Path, name: &'a str },
    InMemory { text: String, name: &'static str },
}

impl Telegram {
    fn to(&self, address: &str) -> Result<To, SendError> {
        let mut to = parse_address(address)
            .ok_or_else(|| SendError::Permanent(format!("{address:?} is no address of a Telegram chat")))?;
        if let Some(moved) = self.memory().moved.get(&to.chat.0) {
            to.chat = ChatId(*moved);
        }
        Ok(to)
    }

    pub(super) async fn deliver(&self, outgoing: &Outgoing) -> Result<MessageRef, SendError> {
        if let Some(tap) = &outgoing.tap {
            let noted = self.toast(tap, &outgoing.message).await?;
            let said = outgoing.message.verdict.is_empty() || (noted && render::fits_a_toast(&outgoing.message));
            if said {
                return Ok(MessageRef("toast".into()));
            }
        }
        let rendered = render(&outgoing.message);
        let mut sent = self.memory().unfinished.get(&outgoing.key).cloned().unwrap_or_default();
        let outcome = self.send_rest(outgoing, &rendered, &mut sent).await;
        match outcome {
            Ok(()) => {
                self.memory().unfinished.remove(&outgoing.key);
                Ok(sent.reference())
            }
            Err(error @ (SendError::Permanent(_) | SendError::Unreachable(_))) => {
                self.memory().unfinished.remove(&outgoing.key);
                Err(error)
            }
            Err(error) => {
                self.memory().unfinished.insert(outgoing.key.clone(), sent);
                Err(error)
            }
        }
    }

    /// Shows a note at the button. False: it was too late for that.
    async fn toast(&self, tap: &str, message: &Message) -> Result<bool, SendError> {
        let text = render::toast(message);
        let mut request = self.bot.answer_callback_query(CallbackQueryId(tap.into()));
        if !text.is_empty() {
            request = request.text(text);
        }
        match request.await {
            Ok(_) => Ok(true),
            Err(RequestError::Api(_)) => Ok(false),
            Err(error) => Err(self.meaning(&error, 0)),
        }
    }

    async fn send_rest(&self, outgoing: &Outgoing, rendered: &Rendered, sent: &mut Sent) -> Result<(), SendError> {
        let silent = |first: bool| outgoing.silent || !first;
        for part in rendered.parts.iter().skip(sent.texts.len()) {
            let id = self.send_part(&outgoing.chat, part, silent(sent.texts.is_empty())).await?;
            sent.texts.push(id);
        }
        for file in files(&outgoing.message, rendered.cut).iter().skip(sent.files.len()) {
            let id = self.send_file(&outgoing.chat, file).await?;
            sent.files.push(id);
        }
        Ok(())
    }

    async fn send_part(&self, address: &str, part: &Part, silent: bool) -> Result<i32, SendError> {
        let mut to = self.to(address)?;
        let mut formatted = true;
        loop {
            self.pace(to.chat).await;
            let text = if formatted { part.html.clone() } else { without_tags(&part.html) };
            let mut request = self.bot.send_message(to.chat, text).link_preview_options(no_preview());
            request = request.disable_notification(silent);
            request.parse_mode = formatted.then_some(ParseMode::Html);
            request.message_thread_id = to.topic;
            if !part.keyboard.is_empty() {
                request = request.reply_markup(keyboard(part));
            }
            match request.await {
                Ok(message) => {
                    self.memory().shows(message.id.0, part.clone());
                    return Ok(message.id.0);
                }
                Err(RequestError::MigrateToChatId(moved)) => {
                    tracing::warn!(
                        from = to.chat.0,
                        to = moved.0,
                        "the group became a supergroup; put the new id into [telegram]"
                    );
                    self.memory().moved.insert(to.chat.0, moved.0);
                    to.chat = moved;
                }
                // Never silent because of its format.
                Err(RequestError::Api(ApiError::CantParseEntities(why))) if formatted => {
                    tracing::error!(why, html = part.html, "Telegram can't read our HTML; sent as plain text");
                    formatted = false;
                }
                Err(RequestError::Api(error))
                    if to.topic.is_some() && error.to_string().contains("thread not found") =>
                {
                    tracing::warn!(address, "the topic is gone; the message goes to the group itself");
                    to.topic = None;
                }
                Err(error) => return Err(self.meaning(&error, to.chat.0)),
            }
        }
    }

    async fn send_file(&self, address: &str, file: &File<'_>) -> Result<i32, SendError> {
        let to = self.to(address)?;
        let (input, name, bytes) = match file {
            File::InMemory { text, name } => (InputFile::memory(text.clone().into_bytes()), *name, text.len() as u64),
            File::OnDisk { path, name } => match tokio::fs::metadata(path).await {
                Ok(found) => (InputFile::file(path), *name, found.len()),
                Err(error) => return self.name_file(address, name, &format!("can't be read: {error}")).await,
            },
        };
        if bytes == 0 || bytes > FILE_BYTES {
            let why =
                if bytes == 0 { "is empty".into() } else { format!("has {} MB, too much to send", bytes / 1_000_000) };
            return self.name_file(address, name, &why).await;
        }
        self.pace(to.chat).await;
        let input = input.file_name(name.to_owned());
        let picture = Path::new(name).extension().is_some_and(|kind| kind.eq_ignore_ascii_case("png"));
        let sent = if picture && bytes <= PHOTO_BYTES {
            let mut request = self.bot.send_photo(to.chat, input).disable_notification(true);
            request.message_thread_id = to.topic;
            request.await
        } else {
            let mut request = self.bot.send_document(to.chat, input).disable_notification(true);
            request.message_thread_id = to.topic;
            request.await
        };
        match sent {
            Ok(message) => Ok(message.id.0),
            Err(RequestError::Io(error)) => self.name_file(address, name, &format!("can't be read: {error}")).await,
            Err(RequestError::Api(error)) if !is_unreachable(&error) => {
                self.name_file(address, name, &format!("could not be sent: {error}")).await
            }
            Err(error) => Err(self.meaning(&error, to.chat.0)),
        }
    }

    /// A file that can't be sent must not hold up everything behind it.
    async fn name_file(&self, address: &str, name: &str, why: &str) -> Result<i32, SendError> {
        let part = render(&Message::line(format!("📎 {name} {why}"))).parts.remove(0);
        self.send_part(address, &part, true).await
    }

    pub(super) async fn redraw(&self, message: &MessageRef, outgoing: &Outgoing) -> Result<MessageRef, SendError> {
        let mut sent = Sent::parse(message);
        let rendered = render(&outgoing.message);
        for (n, part) in rendered.parts.iter().enumerate() {
            if let Some(id) = sent.texts.get(n).copied() {
                self.edit_part(&outgoing.chat, id, part).await?;
            } else {
                let id = self.send_part(&outgoing.chat, part, true).await?;
                sent.texts.push(id);
            }
        }
        for id in sent.texts.drain(rendered.parts.len().min(sent.texts.len())..) {
            let to = self.to(&outgoing.chat)?;
            // It may be older than can be deleted, or gone: either way there is nothing more to do about it.
            let _ = self.bot.delete_message(to.chat, MessageId(id)).await;
        }
        Ok(sent.reference())
    }

    async fn edit_part(&self, address: &str, id: i32, part: &Part) -> Result<(), SendError> {
        if self.memory().shown.get(&id) == Some(part) {
            return Ok(());
        }
        let to = self.to(address)?;
        self.pace(to.chat).await;
        let mut request = self.bot.edit_message_text(to.chat, MessageId(id), part.html.clone());
        request = request.parse_mode(ParseMode::Html).link_preview_options(no_preview());
        request = request.reply_markup(keyboard(part));
        match request.await {
            Ok(_) | Err(RequestError::Api(ApiError::MessageNotModified)) => {
                self.memory().shows(id, part.clone());
                Ok(())
            }
            // The owner deleted it. A new one for each change would be what they did not want.
            Err(RequestError::Api(
                ApiError::MessageToEditNotFound | ApiError::MessageCantBeEdited | ApiError::MessageIdInvalid,
            )) => Ok(()),
            // A lost answer to an edit is no trouble: the same edit again is the same message.
            Err(error) => Err(match self.meaning(&error, to.chat.0) {
                SendError::MaybeSent(what) => SendError::Retry { what, after_secs: None },
                other => other,
            }),
        }
    }

    /// Waits until another message may go to this chat.
    async fn pace(&self, chat: ChatId) {
        let pace = self.options.pace;
        if pace.is_zero() {
            return;
        }
        let until = {
            let mut memory = self.memory();
            let sent = memory.paced.entry(chat.0).or_default();
            let now = Instant::now();
            sent.retain(|at| *at + pace * u32::try_from(BURST).unwrap_or(1) > now);
            let until = if sent.len() < BURST {
                now
            } else {
                sent[sent.len() - BURST] + pace * u32::try_from(BURST).unwrap_or(1)
            };
            sent.push(until);
            until
        };
        tokio::time::sleep_until(until).await;
    }

    /// What an error means for the message it befell.
    fn meaning(&self, error: &RequestError, chat: i64) -> SendError {
        let retry = |what: String, after_secs| SendError::Retry { what, after_secs };
        match error {
            RequestError::RetryAfter(wait) => retry("too many messages".into(), Some(u64::from(wait.seconds()))),
            RequestError::MigrateToChatId(moved) => {
                self.memory().moved.insert(chat, moved.0);
                retry("the group became a supergroup".into(), Some(0))
            }
            // No connection: nothing was sent. Any later break leaves that open.
            RequestError::Network(cause) if cause.is_connect() => retry(error.to_string(), None),
            RequestError::Network(_) => SendError::MaybeSent(error.to_string()),
            RequestError::InvalidJson { raw, .. } if raw.contains("\"ok\":true") => {
                SendError::MaybeSent("the answer was cut off".into())
            }
            // A gateway's page instead of an answer: the request did not get through.
            RequestError::InvalidJson { .. } => retry("Telegram's server is in trouble".into(), None),
            RequestError::Io(cause) => SendError::Permanent(format!("a file can't be read: {cause}")),
            RequestError::Api(error) if is_unreachable(error) => SendError::Unreachable(error.to_string()),
            RequestError::Api(ApiError::InvalidToken) => {
                retry("Telegram refuses the token: check TELEGRAM_BOT_TOKEN".into(), Some(300))
            }
            RequestError::Api(ApiError::Unknown(text)) if is_server_trouble(text) => retry(text.clone(), None),
            RequestError::Api(error) => SendError::Permanent(error.to_string()),
        }
    }
}

fn is_unreachable(error: &ApiError) -> bool {
    match error {
        ApiError::BotBlocked
        | ApiError::UserDeactivated
        | ApiError::ChatNotFound
        | ApiError::BotKicked
        | ApiError::BotKickedFromSupergroup
        | ApiError::BotKickedFromChannel
        | ApiError::CantInitiateConversation => true,
        ApiError::Unknown(text) => text.starts_with("Forbidden"),
        _ => false,
    }
}

fn is_server_trouble(text: &str) -> bool {
    ["Internal Server Error", "Bad Gateway", "Service Unavailable", "Gateway Timeout", "Gateway Time-out", "restart"]
        .iter()
        .any(|sign| text.contains(sign))
}

fn files(message: &Message, whole_too: bool) -> Vec<File<'_>> {
    let whole = whole_too.then(|| File::InMemory { text: plain_text(message), name: "whole-message.txt" });
    let attached =
        message.attachments.iter().map(|file| File::OnDisk { path: Path::new(&file.path), name: &file.name });
    whole.into_iter().chain(attached).collect()
}

fn no_preview() -> LinkPreviewOptions {
    LinkPreviewOptions {
        is_disabled: true,
        url: None,
        prefer_small_media: false,
        prefer_large_media: false,
        show_above_text: false,
    }
}

fn keyboard(part: &Part) -> InlineKeyboardMarkup {
    InlineKeyboardMarkup::new(
        part.keyboard.iter().map(|row| row.iter().map(|(label, id)| InlineKeyboardButton::callback(label, id))),
    )
}

/// Our own HTML back to text.
fn without_tags(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let mut inside = false;
    for c in html.chars() {
        match c {
            '<' => inside = true,
            '>' if inside => inside = false,
            c if !inside => text.push(c),
            _ => {}
        }
    }
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}
