//! Limits the schema does not hold: lengths, counts, sizes, buttons, names.

use super::answer::Refusal;
use super::html::{self, Parsed, utf16};
use serde_json::{Map, Value};

pub(crate) const TEXT: usize = 4096;
pub(crate) const CAPTION: usize = 1024;
const ENTITIES: usize = 100;
const BUTTONS: usize = 100;
const DATA_BYTES: usize = 64;
const TOAST: usize = 200;
const COMMANDS: usize = 100;
const DESCRIPTION: usize = 256;
/// Telegram's megabytes, read as the smaller kind: who keeps to that is safe with either.
pub(crate) const PHOTO_BYTES: usize = 10_000_000;
pub(crate) const DOCUMENT_BYTES: usize = 50_000_000;
pub(crate) const DOWNLOAD_BYTES: usize = 20_000_000;
const PICTURE_SIDES: u32 = 10_000;
const PICTURE_RATIO: u32 = 20;

/// Parameters whose effect is not simulated: using one is a violation, since nobody would notice that it did nothing.
const NOT_SIMULATED: [&str; 9] = [
    "business_connection_id",
    "inline_message_id",
    "direct_messages_topic_id",
    "ephemeral_message_parameters",
    "rich_message",
    "suggested_post_parameters",
    "message_effect_id",
    "allow_paid_broadcast",
    "thumbnail",
];

const ACTIONS: [&str; 11] = [
    "typing",
    "upload_photo",
    "record_video",
    "upload_video",
    "record_voice",
    "upload_voice",
    "upload_document",
    "choose_sticker",
    "find_location",
    "record_video_note",
    "upload_video_note",
];

/// The emoji a bot can react with.
const REACTIONS: &str = "❤ 👍 👎 🔥 🥰 👏 😁 🤔 🤯 😱 🤬 😢 🎉 🤩 🤮 💩 🙏 👌 🕊 🤡 🥱 🥴 😍 🐳 ❤‍🔥 🌚 🌭 💯 🤣 ⚡ 🍌 🏆 💔 🤨 😐 \
    🍓 🍾 💋 🖕 😈 😴 😭 🤓 👻 👨‍💻 👀 🎃 🙈 😇 😨 🤝 ✍ 🤗 🫡 🎅 🎄 ☃ 💅 🤪 🗿 🆒 💘 🙉 🦄 😘 💊 🙊 😎 👾 🤷‍♂ 🤷 🤷‍♀ 😡";

pub(crate) fn simulated(params: &Map<String, Value>) -> Result<(), Refusal> {
    let used = NOT_SIMULATED.iter().find(|name| params.contains_key(**name));
    used.map_or(Ok(()), |name| Err(Refusal::wrong(format!("this fake does not simulate \"{name}\""))))
}

/// A text or caption with its markup parsed, and what is to be remarked about it.
pub(crate) fn text(params: &Map<String, Value>, key: &str, entities: &str) -> Result<Parsed, Refusal> {
    let raw = params.get(key).and_then(Value::as_str).unwrap_or_default();
    let listed = params.get(entities).and_then(Value::as_array).cloned();
    let mut parsed = match params.get("parse_mode").and_then(Value::as_str) {
        Some(mode) if mode.eq_ignore_ascii_case("html") => {
            html::parse(raw).map_err(|problem| Refusal::wrong(format!("can't parse entities: {problem}")))?
        }
        Some(mode) if !mode.is_empty() => {
            return Err(Refusal::wrong(format!("unsupported parse_mode {mode:?}: this fake parses HTML only")));
        }
        _ => {
            let listed = listed.unwrap_or_default();
            let beyond = |entity: &Value| html::number(entity, "offset") + html::number(entity, "length") > utf16(raw);
            let beyond = listed.iter().any(beyond).then(|| "an entity reaches beyond the end of its text".to_owned());
            let mut parsed = html::plain(raw, listed);
            parsed.remarks.extend(beyond);
            parsed
        }
    };
    let count = parsed.entities.len();
    if count > ENTITIES {
        parsed.remarks.push(format!("{count} entities, of which Telegram shows {ENTITIES}"));
    }
    Ok(parsed)
}

/// What is wrong with a message's buttons.
pub(crate) fn markup(params: &Map<String, Value>) -> Result<(), Refusal> {
    let Some(rows) = params.get("reply_markup").and_then(|markup| markup["inline_keyboard"].as_array()) else {
        return Ok(());
    };
    let buttons: Vec<&Value> = rows.iter().filter_map(Value::as_array).flatten().collect();
    if buttons.len() > BUTTONS {
        return Err(Refusal::wrong("reply markup is too long"));
    }
    buttons.into_iter().try_for_each(button)
}

fn button(button: &Value) -> Result<(), Refusal> {
    if button["text"].as_str().is_none_or(|text| text.trim().is_empty()) {
        return Err(Refusal::wrong("BUTTON_TEXT_INVALID"));
    }
    let shape = ["text", "style", "icon_custom_emoji_id"];
    let actions = button.as_object().into_iter().flatten().filter(|(name, _)| !shape.contains(&name.as_str())).count();
    if actions == 0 {
        let reason = "Text buttons are unallowed in the inline keyboard";
        return Err(Refusal::wrong(format!("can't parse inline keyboard button: {reason}")));
    }
    if actions > 1 {
        return Err(Refusal::wrong("can't parse inline keyboard button: exactly one action is allowed"));
    }
    if button["callback_data"].as_str().is_some_and(|data| data.is_empty() || data.len() > DATA_BYTES) {
        return Err(Refusal::wrong("BUTTON_DATA_INVALID"));
    }
    let url = button["url"].as_str();
    if url.is_some_and(|url| !["http://", "https://", "tg://"].iter().any(|scheme| url.starts_with(scheme))) {
        return Err(Refusal::wrong("BUTTON_URL_INVALID"));
    }
    let styles = ["danger", "success", "primary"];
    if button["style"].as_str().is_some_and(|style| !styles.contains(&style)) {
        return Err(Refusal::wrong("BUTTON_STYLE_INVALID"));
    }
    if button["copy_text"]["text"].as_str().is_some_and(|text| text.is_empty() || utf16(text) > 256) {
        return Err(Refusal::wrong("BUTTON_COPY_TEXT_INVALID"));
    }
    Ok(())
}

pub(crate) fn toast(text: &str) -> Result<(), Refusal> {
    if utf16(text) > TOAST { Err(Refusal::wrong("MESSAGE_TOO_LONG")) } else { Ok(()) }
}

/// A list of commands, without the slashes.
pub(crate) fn commands(list: &[Value]) -> Result<Vec<Value>, Refusal> {
    if list.is_empty() {
        return Err(Refusal::wrong("no commands: deleteMyCommands removes them"));
    }
    if list.len() > COMMANDS {
        return Err(Refusal::wrong("BOT_COMMANDS_TOO_MUCH"));
    }
    list.iter().map(command).collect()
}

fn command(command: &Value) -> Result<Value, Refusal> {
    let name = command["command"].as_str().unwrap_or_default();
    let name = name.strip_prefix('/').unwrap_or(name);
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if name.is_empty() || name.len() > 32 || !name.chars().all(allowed) {
        return Err(Refusal::wrong("BOT_COMMAND_INVALID"));
    }
    let length = utf16(command["description"].as_str().unwrap_or_default());
    if length == 0 || length > DESCRIPTION {
        return Err(Refusal::wrong("BOT_COMMAND_DESCRIPTION_INVALID"));
    }
    Ok(serde_json::json!({ "command": name, "description": command["description"] }))
}

/// What is wrong with a file of this size.
pub(crate) fn file(bytes: &[u8], photo: bool) -> Result<(), Refusal> {
    let length = bytes.len();
    if bytes.is_empty() {
        return Err(Refusal::wrong("file must be non-empty"));
    }
    if length > DOCUMENT_BYTES {
        let violation = Some(format!("a file of {length} bytes"));
        return Err(Refusal { violation, ..Refusal::new(413, "Request Entity Too Large") });
    }
    if !photo {
        return Ok(());
    }
    if length > PHOTO_BYTES {
        let reason =
            format!("file of size {length} bytes is too big for a photo; the maximum size is {PHOTO_BYTES} bytes");
        return Err(Refusal::wrong(reason));
    }
    let Some((width, height)) = picture_size(bytes) else { return Err(Refusal::wrong("IMAGE_PROCESS_FAILED")) };
    let (long, short) = (width.max(height), width.min(height));
    if short == 0 || width + height > PICTURE_SIDES || long / short > PICTURE_RATIO {
        return Err(Refusal::wrong("PHOTO_INVALID_DIMENSIONS"));
    }
    Ok(())
}

/// Width and height of a PNG; a JPEG counts as 640 × 480; anything else is no picture.
pub(crate) fn picture_size(bytes: &[u8]) -> Option<(u32, u32)> {
    if bytes.starts_with(&[0xff, 0xd8, 0xff]) {
        return Some((640, 480));
    }
    let number = |at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    bytes.starts_with(b"\x89PNG\r\n\x1a\n").then_some(())?;
    Some((number(16)?, number(20)?))
}

pub(crate) fn action(action: &str) -> Result<(), Refusal> {
    if ACTIONS.contains(&action) { Ok(()) } else { Err(Refusal::wrong("wrong parameter action in request")) }
}

/// A bot reacts with one emoji at most.
pub(crate) fn reactions(list: &[Value]) -> Result<(), Refusal> {
    let known = |reaction: &Value| {
        let emoji = reaction["emoji"].as_str().unwrap_or_default();
        REACTIONS.split_whitespace().any(|known| known == emoji.trim_end_matches('\u{fe0f}'))
    };
    if list.len() > 1 {
        return Err(Refusal::wrong("REACTIONS_TOO_MANY"));
    }
    if list.iter().all(known) { Ok(()) } else { Err(Refusal::wrong("REACTION_INVALID")) }
}
