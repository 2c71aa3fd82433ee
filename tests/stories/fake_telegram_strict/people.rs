//! What people do and see, and what the bot may do to their messages.

use super::{ANN, BEN, allowed, ask, bot, declined, refused, telegram};
use serde_json::{Value, json};
use teloxide::prelude::*;
use teloxide::types::{InlineKeyboardButton, InlineKeyboardMarkup, MessageId, ReplyParameters, ThreadId};

fn text(chat: i64) -> Value {
    json!({ "chat_id": chat, "text": "hello" })
}

#[tokio::test]
async fn a_conversation_over_teloxide() {
    let telegram = telegram().await;
    let bot = bot(&telegram);
    let asked = telegram.says(ANN, ANN, "ready?");
    let keyboard = InlineKeyboardMarkup::new([[InlineKeyboardButton::callback("Yes", "yes:1")]]);
    let reply = ReplyParameters::new(MessageId(i32::try_from(asked).expect("small")));
    let request = bot.send_message(ChatId(ANN), "<b>Ready</b>").parse_mode(teloxide::types::ParseMode::Html);
    let sent = request.reply_markup(keyboard).reply_parameters(reply).disable_notification(true).await.expect("sent");
    assert_eq!(sent.reply_to_message().and_then(Message::text), Some("ready?"));
    let shown = telegram.bot_messages(ANN).remove(0);
    assert_eq!((&*shown.text, &*shown.source, shown.reply_to), ("Ready", "<b>Ready</b>", Some(asked)));
    assert!(shown.silent && shown.edits == 0);

    let tap = telegram.taps(ANN, ANN, shown.id, &shown.data("Yes"));
    let updates = bot.get_updates().await.expect("updates");
    let Some(teloxide::types::UpdateKind::CallbackQuery(query)) = updates.last().map(|update| &update.kind) else {
        panic!("{updates:?}")
    };
    assert_eq!((&query.id.0, query.data.as_deref()), (&tap, Some("yes:1")));
    bot.answer_callback_query(query.id.clone()).text("Noted").await.expect("answered");
    bot.edit_message_text(ChatId(ANN), sent.id, "✅ Done").await.expect("edited");
    let shown = telegram.bot_messages(ANN).remove(0);
    assert_eq!((&*shown.text, shown.edits, shown.buttons.len()), ("✅ Done", 1, 0));
    assert_eq!((&*telegram.toasts()[0].text, &telegram.toasts()[0].tap), ("Noted", &tap));
    assert!(telegram.transcript().contains("✅ Done"));
    assert_eq!(telegram.violations(), [""; 0]);
}

#[tokio::test]
async fn edits_and_deletions_know_their_messages() {
    let telegram = telegram().await;
    let said = telegram.says(ANN, ANN, "mine");
    let keyboard = json!({ "inline_keyboard": [[{ "text": "Yes", "callback_data": "y" }]] });
    let id = allowed(&telegram, "sendMessage", text(ANN)).await["message_id"].clone();
    let edit = |id: &Value, text: &str, keyboard: &Value| json!({ "chat_id": ANN, "message_id": id, "text": text, "reply_markup": keyboard });
    let none = json!({ "inline_keyboard": [] });
    let same = "Bad Request: message is not modified: specified new message content and reply markup are exactly the same \
                as a current content and reply markup of the message";
    declined(&telegram, "editMessageText", edit(&id, "hello", &none), 400, same).await;
    allowed(&telegram, "editMessageText", edit(&id, "hello", &keyboard)).await;
    declined(&telegram, "editMessageText", edit(&id, "hello", &keyboard), 400, same).await;
    let markup = |keyboard: &Value| json!({ "chat_id": ANN, "message_id": id, "reply_markup": keyboard });
    declined(&telegram, "editMessageReplyMarkup", markup(&keyboard), 400, same).await;
    allowed(&telegram, "editMessageReplyMarkup", markup(&none)).await;
    assert_eq!((telegram.bot_messages(ANN)[0].edits, telegram.bot_messages(ANN)[0].buttons.len()), (2, 0));
    let gone = "Bad Request: message to edit not found";
    declined(&telegram, "editMessageText", edit(&json!(99), "x", &none), 400, gone).await;
    declined(&telegram, "editMessageText", edit(&json!(said), "x", &none), 400, "Bad Request: message can't be edited")
        .await;
    refused(&telegram, "editMessageText", json!({ "text": "x" }), "message identifier is not specified").await;
    refused(&telegram, "editMessageText", json!({ "inline_message_id": "1", "text": "x" }), "inline_message_id").await;
    let chart = super::files::send_picture(&telegram).await;
    let reason = "Bad Request: there is no text in the message to edit";
    declined(&telegram, "editMessageText", edit(&chart, "x", &none), 400, reason).await;

    let delete = |id: &Value| json!({ "chat_id": ANN, "message_id": id });
    allowed(&telegram, "deleteMessage", delete(&id)).await;
    let gone = "Bad Request: message to delete not found";
    declined(&telegram, "deleteMessage", delete(&id), 400, gone).await;
    declined(&telegram, "editMessageText", edit(&id, "x", &none), 400, "Bad Request: message to edit not found").await;
    assert!(telegram.messages(ANN)[1].deleted);
    telegram.passes(48 * 3600);
    let late = "Bad Request: message can't be deleted for everyone";
    declined(&telegram, "deleteMessage", delete(&chart), 400, late).await;
}

#[tokio::test]
async fn replies_need_their_original() {
    let telegram = telegram().await;
    let said = telegram.says(ANN, ANN, "original");
    let reply = |optional: bool| {
        let to = json!({ "message_id": said, "allow_sending_without_reply": optional });
        json!({ "chat_id": ANN, "text": "reply", "reply_parameters": to })
    };
    assert_eq!(allowed(&telegram, "sendMessage", reply(false)).await["reply_to_message"]["text"], "original");
    telegram.removes(ANN, said);
    declined(&telegram, "sendMessage", reply(false), 400, "Bad Request: message to be replied not found").await;
    assert_eq!(allowed(&telegram, "sendMessage", reply(true)).await["reply_to_message"], Value::Null);
}

#[tokio::test]
async fn the_bot_is_blocked_removed_or_unknown() {
    let telegram = telegram().await;
    declined(&telegram, "sendMessage", text(99), 400, "Bad Request: chat not found").await;
    telegram.stranger(9, "Zoe");
    let reason = "Forbidden: bot can't initiate conversation with a user";
    declined(&telegram, "sendMessage", text(9), 403, reason).await;
    telegram.says(9, 9, "/start");
    allowed(&telegram, "sendMessage", text(9)).await;

    telegram.blocks(ANN, ANN);
    let reason = "Forbidden: bot was blocked by the user";
    declined(&telegram, "sendMessage", text(ANN), 403, reason).await;
    declined(&telegram, "sendChatAction", json!({ "chat_id": ANN, "action": "typing" }), 403, reason).await;
    let updates = allowed(&telegram, "getUpdates", json!({ "offset": -1 })).await;
    let member = &updates[0]["my_chat_member"];
    assert_eq!(
        (&member["old_chat_member"]["status"], &member["new_chat_member"]["status"]),
        (&json!("member"), &json!("kicked"))
    );
    telegram.unblocks(ANN, ANN);
    allowed(&telegram, "sendMessage", text(ANN)).await;

    for (chat, kind) in [
        (telegram.group("G", &[ANN]), "group"),
        (telegram.supergroup("S", &[ANN]), "supergroup"),
        (telegram.channel("C", &[ANN]), "channel"),
    ] {
        allowed(&telegram, "sendMessage", text(chat)).await;
        telegram.blocks(ANN, chat);
        let reason = format!("Forbidden: bot was kicked from the {kind} chat");
        declined(&telegram, "sendMessage", text(chat), 403, &reason).await;
    }
}

#[tokio::test]
async fn a_group_that_moved_says_where_to() {
    let telegram = telegram().await;
    let group = telegram.group("Friends", &[ANN]);
    let bot = bot(&telegram);
    bot.send_message(ChatId(group), "before").await.expect("sent");
    let new = telegram.migrates(group);
    let (status, answer) = ask(&telegram, "sendMessage", text(group)).await;
    assert_eq!((status, &answer["parameters"]), (400, &json!({ "migrate_to_chat_id": new })));
    let error = bot.send_message(ChatId(group), "after").await.expect_err("the group moved");
    assert!(matches!(error, teloxide::RequestError::MigrateToChatId(ChatId(chat)) if chat == new), "{error}");
    bot.send_message(ChatId(new), "after").await.expect("sent");
    let after: Vec<String> = telegram.bot_messages(new).into_iter().map(|seen| seen.text).collect();
    assert_eq!(after, ["after"]);
    assert_eq!(telegram.violations(), [""; 0]);
}

#[tokio::test]
async fn topics_have_threads() {
    let telegram = telegram().await;
    let forum = telegram.forum("Team", &[ANN, BEN]);
    let topic = telegram.topic(forum, "Nights");
    let bot = bot(&telegram);
    let thread = ThreadId(MessageId(i32::try_from(topic).expect("small")));
    let sent = bot.send_message(ChatId(forum), "in it").message_thread_id(thread).await.expect("sent");
    assert_eq!((sent.thread_id, sent.is_topic_message), (Some(thread), true));
    let in_topic = telegram.bot_messages(forum).remove(0);
    assert_eq!(in_topic.topic, Some(topic));
    let answer = telegram.replies(BEN, forum, in_topic.id, "me too");
    assert_eq!(telegram.messages(forum).iter().find(|seen| seen.id == answer).expect("it").topic, Some(topic));
    let reason = "Bad Request: message thread not found";
    for chat in [forum, ANN] {
        let elsewhere = json!({ "chat_id": chat, "text": "x", "message_thread_id": 77 });
        declined(&telegram, "sendMessage", elsewhere, 400, reason).await;
    }
}

#[tokio::test]
async fn people_can_only_do_what_people_can() {
    let telegram = telegram().await;
    let group = telegram.group("G", &[ANN]);
    let said = telegram.says(ANN, ANN, "x");
    let cannot = |what: &dyn Fn()| std::panic::catch_unwind(std::panic::AssertUnwindSafe(what)).is_err();
    assert!(cannot(&|| _ = telegram.says(BEN, group, "not a member")));
    assert!(cannot(&|| _ = telegram.says(99, ANN, "nobody")));
    assert!(cannot(&|| _ = telegram.taps(ANN, ANN, said, "no button")));
    assert!(cannot(&|| _ = telegram.replies(ANN, ANN, 99, "to nothing")));
    assert!(cannot(&|| telegram.edits(BEN, ANN, said, "not his")));
    assert!(cannot(&|| _ = telegram.topic(group, "no forum")));
    assert!(cannot(&|| _ = telegram.migrates(ANN)));
    telegram.blocks(ANN, ANN);
    assert!(cannot(&|| _ = telegram.says(ANN, ANN, "to nobody")));
}

#[tokio::test]
async fn messages_may_have_to_keep_a_pace() {
    let telegram = telegram().await;
    let hour = std::time::Duration::from_hours(1);
    telegram.set_pace(Some(hour), false);
    let id = allowed(&telegram, "sendMessage", text(ANN)).await["message_id"].clone();
    let answer = declined(&telegram, "sendMessage", text(ANN), 429, "Too Many Requests: retry after 3600").await;
    assert_eq!(answer["parameters"], json!({ "retry_after": 3600 }));
    allowed(&telegram, "sendMessage", text(BEN)).await;
    let edit = |text: &str| json!({ "chat_id": ANN, "message_id": id, "text": text });
    allowed(&telegram, "editMessageText", edit("edits do not count")).await;
    telegram.set_pace(Some(hour), true);
    declined(&telegram, "editMessageText", edit("now they do"), 429, "Too Many Requests: retry after 3600").await;
    telegram.set_pace(None, true);
    allowed(&telegram, "sendMessage", text(ANN)).await;
}
