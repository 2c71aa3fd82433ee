//! The orders under `/control/`, by which programs outside do what stories do.

use super::{ask, post};
use crate::fake_telegram::FakeTelegram;
use serde_json::{Value, json};
use std::time::Duration;

async fn order(telegram: &FakeTelegram, order: &str, what: Value) -> Value {
    let (status, answer) =
        post(format!("{}/control/{order}", telegram.url()), "application/json", what.to_string().into()).await;
    assert_eq!(status, 200, "{order} {what}: {answer}");
    answer
}

#[tokio::test]
async fn a_whole_evening_by_orders() {
    let telegram = FakeTelegram::start().await;
    let t = &telegram;
    order(t, "person", json!({ "id": 7, "name": "Ann" })).await;
    let room = json!({ "sort": "forum", "title": "Team", "members": [7] });
    let forum = order(t, "room", room).await["chat"].clone();
    let topic = order(t, "topic", json!({ "chat": forum, "name": "Nights" })).await["topic"].clone();
    order(t, "says", json!({ "user": 7, "chat": forum, "text": "hi", "topic": topic })).await;
    let said = order(t, "says", json!({ "user": 7, "chat": 7, "text": "one" })).await["message"].clone();
    order(t, "edits", json!({ "user": 7, "chat": 7, "message": said, "text": "two" })).await;
    order(t, "says", json!({ "user": 7, "chat": 7, "text": "re", "reply_to": said })).await;
    let file = json!({ "user": 7, "chat": 7, "name": "a.txt", "content": "abc", "caption": "c" });
    order(t, "sends", file).await;
    order(t, "removes", json!({ "chat": 7, "message": said })).await;

    let markup = json!({ "inline_keyboard": [[{ "text": "Yes", "callback_data": "y" }]] });
    let (_, sent) = ask(t, "sendMessage", json!({ "chat_id": 7, "text": "Well?", "reply_markup": markup })).await;
    let id = sent["result"]["message_id"].clone();
    let tap = order(t, "taps", json!({ "user": 7, "chat": 7, "message": id, "data": "y" })).await["tap"].clone();
    ask(t, "answerCallbackQuery", json!({ "callback_query_id": tap, "text": "Noted" })).await;
    ask(t, "sendChatAction", json!({ "chat_id": 7, "action": "typing" })).await;
    let commands = json!([{ "command": "queue", "description": "the queue" }]);
    ask(t, "setMyCommands", json!({ "commands": commands })).await;

    let messages = order(t, "messages", json!({ "chat": 7 })).await;
    let last = messages.as_array().and_then(|list| list.last()).expect("a message");
    assert_eq!((&last["text"], &last["buttons"][0][0]["data"]), (&json!("Well?"), &json!("y")));
    assert_eq!((&messages[0]["text"], &messages[0]["deleted"]), (&json!("two"), &json!(true)));
    assert_eq!(order(t, "toasts", json!({})).await[0]["text"], "Noted");
    assert_eq!(order(t, "actions", json!({ "chat": 7 })).await, json!(["typing"]));
    assert_eq!(order(t, "commands", json!({ "user": 7, "chat": 7 })).await, commands);
    assert_eq!(order(t, "requests", json!({ "method": "sendMessage" })).await[0]["params"]["text"], "Well?");
    assert_eq!(order(t, "unconfirmed", json!({})).await.as_array().map(Vec::len), Some(7));
    assert_eq!(order(t, "violations", json!({})).await, json!([]));

    order(t, "blocks", json!({ "user": 7, "chat": 7 })).await;
    assert_eq!(ask(t, "sendMessage", json!({ "chat_id": 7, "text": "x" })).await.0, 403);
    order(t, "unblocks", json!({ "user": 7, "chat": 7 })).await;
    let group = order(t, "room", json!({ "sort": "group", "title": "G", "members": [7] })).await["chat"].clone();
    assert!(order(t, "migrates", json!({ "chat": group })).await["chat"].is_i64());
}

#[tokio::test]
async fn faults_and_rules_by_orders() {
    let telegram = FakeTelegram::start().await;
    let t = &telegram;
    order(t, "person", json!({ "id": 7, "name": "Ann" })).await;
    order(t, "fault", json!({ "kind": "status", "code": 502, "description": "Bad Gateway", "times": 2 })).await;
    assert_eq!(ask(t, "getMe", json!({})).await.0, 502);
    order(t, "heal", json!({})).await;
    assert_eq!(ask(t, "getMe", json!({})).await.0, 200);
    order(t, "fault", json!({ "kind": "too_many", "method": "getMe", "seconds": 3 })).await;
    assert_eq!(ask(t, "getMe", json!({})).await.1["parameters"]["retry_after"], 3);
    order(t, "next_update", json!({ "id": 55 })).await;
    order(t, "says", json!({ "user": 7, "chat": 7, "text": "x" })).await;
    order(t, "batch", json!({ "kind": "twice" })).await;
    let updates = ask(t, "getUpdates", json!({})).await.1["result"].clone();
    assert_eq!((&updates[0]["update_id"], &updates[1]["update_id"]), (&json!(55), &json!(55)));
    order(t, "ages", json!({ "taps": 10, "others": 10, "answers": 10 })).await;
    order(t, "time", json!({ "forward": 11 })).await;
    assert_eq!(ask(t, "getUpdates", json!({})).await.1["result"], json!([]));
    assert_eq!(order(t, "time", json!({ "now": 1_000 })).await["now"], 1_000);
    order(t, "pace", json!({ "milliseconds": 3_600_000 })).await;
    assert_eq!(ask(t, "sendMessage", json!({ "chat_id": 7, "text": "x" })).await.0, 200);
    assert_eq!(ask(t, "sendMessage", json!({ "chat_id": 7, "text": "x" })).await.0, 429);

    order(t, "heal", json!({})).await;
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let polls = telegram.requests("getUpdates");
    let poll = client.get(format!("{}/bot{}/getUpdates?timeout=50", t.url(), t.token())).send();
    let poll = tokio::spawn(poll);
    telegram.until("a poll", |telegram| (telegram.requests("getUpdates") > polls).then_some(())).await;
    order(t, "outage", json!({ "milliseconds": 200 })).await;
    assert!(poll.await.expect("an end").is_err(), "the poll's connection was cut");
    let back = async {
        while client.get(t.url()).send().await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), back).await.expect("it listens again");
    assert!(order(t, "transcript", json!({})).await.as_str().expect("a text").contains("person: x"));

    for (order, what, reason) in [
        ("dances", json!({}), "unknown variant `dances`"),
        ("says", json!({ "user": 7 }), "missing field `chat`"),
        ("says", json!({ "user": 7, "chat": 99, "text": "x" }), "there is no chat 99"),
        ("person", json!({ "id": 1, "name": "A", "age": 3 }), "unknown field `age`"),
        ("fault", json!({ "kind": "fire" }), "unknown fault \"fire\""),
        ("room", json!({ "sort": "bar", "title": "B" }), "unknown sort of chat \"bar\""),
        ("batch", json!({ "kind": "lost" }), "unknown kind of batch \"lost\""),
    ] {
        let (status, answer) =
            post(format!("{}/control/{order}", t.url()), "application/json", what.to_string().into()).await;
        let error = answer["error"].as_str().unwrap_or_default();
        assert!(status == 400 && error.contains(reason), "{order}: {answer}");
    }
}
