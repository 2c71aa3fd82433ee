//! How requests are written: addresses, bodies, and the schema's fields and types.

use super::{ANN, allowed, ask, declined, method_url, post, refused, telegram};
use serde_json::json;

#[tokio::test]
async fn an_unknown_token_or_method_gets_nowhere() {
    let telegram = telegram().await;
    let (status, answer) = post(format!("{}/bot1:OTHER/getMe", telegram.url()), "application/json", vec![]).await;
    assert_eq!((status, &answer["description"]), (401, &json!("Unauthorized")));
    let (status, _) = post(format!("{}/nowhere", telegram.url()), "application/json", vec![]).await;
    assert_eq!(status, 404);
    assert_eq!(telegram.take_violations(), [""; 0]);

    for method in ["getNothing", "sendPoll"] {
        let (status, answer) = ask(&telegram, method, json!({})).await;
        assert_eq!((status, &answer["error_code"]), (404, &json!(404)));
        assert_eq!(telegram.take_violations(), [format!("unknown method {method:?}")]);
    }
    for method in ["getMe", "GetMe", "getme"] {
        assert_eq!(allowed(&telegram, method, json!({})).await["is_bot"], true);
    }
    assert_eq!(telegram.requests("getMe"), 3);
}

#[tokio::test]
async fn parameters_come_in_four_ways() {
    let telegram = telegram().await;
    let url = method_url(&telegram, "sendMessage");
    let silent = "disable_notification=true";
    let (status, _) = post(format!("{url}?chat_id={ANN}&text=a+query&{silent}"), "text/plain", vec![]).await;
    assert_eq!(status, 200);
    let form = format!("chat_id={ANN}&text=a%20form&{silent}");
    let (status, _) = post(url.clone(), "application/x-www-form-urlencoded", form.into_bytes()).await;
    assert_eq!(status, 200);
    let keyboard = json!({ "inline_keyboard": [[{ "text": "Yes", "callback_data": "y" }]] });
    let parts = [("chat_id", ANN.to_string()), ("text", "parts".into()), ("reply_markup", keyboard.to_string())];
    let parts = parts
        .iter()
        .map(|(name, value)| format!("--xx\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"));
    let body = parts.collect::<String>() + "--xx--\r\n";
    let (status, _) = post(url, "multipart/form-data; boundary=xx", body.into_bytes()).await;
    assert_eq!(status, 200);
    // JSON, with what is an object as a string, and the chat too: the Bot API takes both.
    let params = json!({ "chat_id": ANN.to_string(), "text": "json", "reply_markup": keyboard.to_string() });
    allowed(&telegram, "sendMessage", params).await;

    let seen = telegram.bot_messages(ANN);
    let texts: Vec<&str> = seen.iter().map(|seen| &*seen.text).collect();
    assert_eq!(texts, ["a query", "a form", "parts", "json"]);
    assert!(seen[0].silent && seen[1].silent && !seen[2].silent);
    assert_eq!((seen[2].data("Yes"), seen[3].data("Yes")), ("y".into(), "y".into()));
    assert_eq!(telegram.violations(), [""; 0]);
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_refused() {
    let telegram = telegram().await;
    let whole = json!({ "chat_id": ANN, "text": "x" }).to_string();
    let half = whole[..whole.len() / 2].to_owned();
    for (kind, body, reason) in [
        ("application/json", half, "can't parse the body as JSON"),
        ("application/json", "[1]".into(), "can't parse the body as JSON"),
        ("text/plain", whole, "no content type"),
        ("multipart/form-data; boundary=xx", "--xx\r\nnonsense".into(), "can't read the parts"),
    ] {
        let (status, answer) = post(method_url(&telegram, "sendMessage"), kind, body.into_bytes()).await;
        assert_eq!(status, 400, "{kind}: {answer}");
        let violations = telegram.take_violations();
        assert!(matches!(&violations[..], [one] if one.contains(reason)), "{kind}: {violations:?}");
    }
}

#[tokio::test]
async fn fields_are_the_schemas() {
    let telegram = telegram().await;
    let message = |extra: serde_json::Value| {
        let mut params = json!({ "chat_id": ANN, "text": "x" });
        params.as_object_mut().expect("an object").extend(extra.as_object().expect("an object").clone());
        params
    };
    let button = json!({ "text": "a", "callback_data": "b" });
    for (extra, reason) in [
        (json!({ "disable_web_page_preview": true }), "unknown field \"disable_web_page_preview\""),
        (json!({ "text": 5 }), "\"text\" must be of type String, got 5"),
        (json!({ "text": null }), "\"text\" must be of type String, got null"),
        (json!({ "chat_id": true }), "chat_id must be of type Integer or String"),
        (json!({ "message_thread_id": "1" }), "\"message_thread_id\" must be of type Integer"),
        (json!({ "disable_notification": "yes" }), "\"disable_notification\" must be of type Boolean"),
        (json!({ "entities": { "type": "bold" } }), "\"entities\" must be of type Array of MessageEntity"),
        (json!({ "entities": [{ "type": "bold", "offset": 0 }] }), "\"entities[0].length\" is required"),
        (json!({ "link_preview_options": { "disabled": true } }), "unknown field \"link_preview_options.disabled\""),
        (json!({ "link_preview_options": true }), "\"link_preview_options\" must be of type LinkPreviewOptions"),
        (json!({ "reply_parameters": { "id": 1 } }), "unknown field \"reply_parameters.id\""),
        (json!({ "reply_parameters": { "quote": "q" , "message_id": "1" } }), "\"reply_parameters.message_id\""),
        (json!({ "reply_markup": { "inline_keyboard": button } }), "Array of Array of InlineKeyboardButton"),
        (json!({ "reply_markup": { "inline_keyboard": [button] } }), "\"reply_markup.inline_keyboard[0]\""),
        (json!({ "reply_markup": { "inline_keyboard": [[{ "label": "a" }]] } }), "inline_keyboard[0][0].label"),
        (json!({ "reply_markup": { "inline_keyboard": [[{ "callback_data": "a" }]] } }), "[0][0].text\" is required"),
        (json!({ "business_connection_id": "1" }), "does not simulate \"business_connection_id\""),
    ] {
        refused(&telegram, "sendMessage", message(extra), reason).await;
    }
    refused(&telegram, "sendMessage", json!({ "text": "x" }), "\"chat_id\" is required").await;
    refused(&telegram, "getMe", json!({ "fast": true }), "unknown field \"fast\"").await;
    assert!(telegram.bot_messages(ANN).is_empty());

    for extra in [
        json!({ "link_preview_options": { "is_disabled": true } }),
        json!({ "reply_parameters": { "message_id": 99, "allow_sending_without_reply": true } }),
        json!({ "reply_markup": { "inline_keyboard": [[button]] } }),
        json!({ "reply_markup": { "remove_keyboard": true } }),
        json!({ "reply_markup": { "force_reply": true } }),
        json!({ "entities": [{ "type": "bold", "offset": 0, "length": 1 }] }),
    ] {
        allowed(&telegram, "sendMessage", message(extra)).await;
    }
}

#[tokio::test]
async fn commands_are_checked_and_belong_to_scopes() {
    let telegram = telegram().await;
    let list = |names: &[&str]| names.iter().map(|n| json!({ "command": n, "description": "d" })).collect::<Vec<_>>();
    let long = "a".repeat(33);
    for (commands, reason) in [
        (json!([]), "no commands"),
        (json!(list(&["Start"])), "BOT_COMMAND_INVALID"),
        (json!(list(&["to-do"])), "BOT_COMMAND_INVALID"),
        (json!(list(&["/"])), "BOT_COMMAND_INVALID"),
        (json!(list(&[&long])), "BOT_COMMAND_INVALID"),
        (json!(list(&vec!["a"; 101])), "BOT_COMMANDS_TOO_MUCH"),
        (json!([{ "command": "a", "description": "" }]), "BOT_COMMAND_DESCRIPTION_INVALID"),
        (json!([{ "command": "a", "description": "d".repeat(257) }]), "BOT_COMMAND_DESCRIPTION_INVALID"),
        (json!([{ "command": "a" }]), "\"commands[0].description\" is required"),
        (json!([{ "command": "a", "description": "d", "help": "h" }]), "unknown field \"commands[0].help\""),
    ] {
        refused(&telegram, "setMyCommands", json!({ "commands": commands }), reason).await;
    }
    for (scope, reason) in [
        (json!({ "type": "owner" }), "scope must be of type BotCommandScope"),
        (json!({ "type": "chat" }), "\"scope.chat_id\" is required"),
        (json!({ "type": "default", "chat_id": ANN }), "unknown field \"scope.chat_id\""),
        (json!("default"), "scope must be of type BotCommandScope"),
    ] {
        refused(&telegram, "setMyCommands", json!({ "commands": list(&["a"]), "scope": scope }), reason).await;
    }
    let language = json!({ "commands": list(&["a"]), "language_code": "english" });
    refused(&telegram, "setMyCommands", language, "LANG_CODE_INVALID").await;
    let elsewhere = json!({ "commands": list(&["a"]), "scope": { "type": "chat", "chat_id": 99 } });
    declined(&telegram, "setMyCommands", elsewhere, 400, "Bad Request: chat not found").await;

    let many: Vec<String> = (0..100).map(|n| format!("command_{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    allowed(&telegram, "setMyCommands", json!({ "commands": list(&many) })).await;
    assert_eq!(telegram.commands(ANN, ANN).len(), 100);
    let full = json!([{ "command": "a".repeat(32), "description": "d".repeat(256) }]);
    let scope = json!({ "type": "all_private_chats" });
    allowed(&telegram, "setMyCommands", json!({ "commands": full, "scope": scope })).await;
    assert_eq!(telegram.commands(ANN, ANN)[0].0, "a".repeat(32));
    let scope = json!({ "type": "chat", "chat_id": ANN });
    allowed(&telegram, "setMyCommands", json!({ "commands": list(&["/queue"]), "scope": scope })).await;
    assert_eq!(telegram.commands(ANN, ANN), [("queue".to_owned(), "d".to_owned())]);
    assert_eq!(telegram.commands(super::BEN, super::BEN)[0].0, "a".repeat(32));
    assert_eq!(allowed(&telegram, "getMyCommands", json!({ "scope": scope })).await, json!(list(&["queue"])));
    allowed(&telegram, "deleteMyCommands", json!({ "scope": scope })).await;
    assert_eq!(allowed(&telegram, "getMyCommands", json!({ "scope": scope })).await, json!([]));
    assert_eq!(telegram.commands(ANN, ANN)[0].0, "a".repeat(32));
}

#[tokio::test]
async fn small_methods_are_checked_too() {
    let telegram = telegram().await;
    let said = telegram.says(ANN, ANN, "look");
    let about = |more: serde_json::Value| {
        let mut params = json!({ "chat_id": ANN, "message_id": said });
        params.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        params
    };
    refused(&telegram, "sendChatAction", json!({ "chat_id": ANN, "action": "sleeping" }), "wrong parameter action")
        .await;
    allowed(&telegram, "sendChatAction", json!({ "chat_id": ANN, "action": "typing" })).await;
    assert_eq!(telegram.actions(ANN), ["typing"]);

    let emoji = |emoji: &str| json!({ "type": "emoji", "emoji": emoji });
    let several = about(json!({ "reaction": [emoji("👍"), emoji("🔥")] }));
    refused(&telegram, "setMessageReaction", several, "REACTIONS_TOO_MANY").await;
    let unknown = about(json!({ "reaction": [emoji("🚂")] }));
    refused(&telegram, "setMessageReaction", unknown, "REACTION_INVALID").await;
    let shapeless = about(json!({ "reaction": ["👍"] }));
    refused(&telegram, "setMessageReaction", shapeless, "must be of type ReactionType").await;
    allowed(&telegram, "setMessageReaction", about(json!({ "reaction": [emoji("👍")] }))).await;
    assert_eq!(telegram.messages(ANN)[0].reactions, ["👍"]);

    refused(&telegram, "pinChatMessage", json!({ "chat_id": ANN }), "\"message_id\" is required").await;
    let gone = json!({ "chat_id": ANN, "message_id": 99 });
    declined(&telegram, "pinChatMessage", gone, 400, "Bad Request: message to pin not found").await;
    allowed(&telegram, "pinChatMessage", about(json!({}))).await;
    assert!(telegram.messages(ANN)[0].pinned);

    declined(&telegram, "getChat", json!({ "chat_id": 99 }), 400, "Bad Request: chat not found").await;
    assert_eq!(allowed(&telegram, "getChat", json!({ "chat_id": ANN })).await["first_name"], "Ann");
    assert_eq!(allowed(&telegram, "getWebhookInfo", json!({})).await["pending_update_count"], 1);
    refused(&telegram, "deleteWebhook", json!({ "drop_pending_updates": 1 }), "must be of type Boolean").await;
    allowed(&telegram, "deleteWebhook", json!({ "drop_pending_updates": true })).await;
    assert!(telegram.unconfirmed().is_empty());
}
