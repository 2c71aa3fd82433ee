//! `getUpdates`: what it confirms, how it waits, and how updates come late, twice, or not at all.

use super::{ANN, BEN, allowed, ask, bot, refused, telegram};
use crate::fake_telegram::FakeTelegram;
use crate::fake_telegram::faults::Batch;
use serde_json::{Value, json};
use std::time::Duration;
use teloxide::prelude::*;
use tokio::task::JoinHandle;

/// The texts of the updates a poll gets.
async fn texts(telegram: &FakeTelegram, params: Value) -> Vec<String> {
    let updates = allowed(telegram, "getUpdates", params).await;
    let text = |update: &Value| update["message"]["text"].as_str().unwrap_or("?").to_owned();
    updates.as_array().expect("a list").iter().map(text).collect()
}

#[tokio::test]
async fn an_offset_confirms_what_is_below_it() {
    let telegram = telegram().await;
    telegram.set_next_update(100);
    for text in ["a", "b", "c"] {
        telegram.says(ANN, ANN, text);
    }
    assert_eq!(texts(&telegram, json!({})).await, ["a", "b", "c"]);
    assert_eq!(texts(&telegram, json!({})).await, ["a", "b", "c"], "nothing was confirmed");
    assert_eq!(texts(&telegram, json!({ "limit": 2 })).await, ["a", "b"]);
    assert_eq!(texts(&telegram, json!({ "offset": 101, "limit": 1 })).await, ["b"]);
    assert_eq!(telegram.unconfirmed(), [101, 102]);
    assert_eq!(texts(&telegram, json!({ "offset": 0 })).await, ["b", "c"], "a is gone for good");
    assert_eq!(texts(&telegram, json!({ "offset": -1 })).await, ["c"]);
    assert_eq!(telegram.unconfirmed(), [102]);
    assert_eq!(texts(&telegram, json!({ "offset": 103 })).await, [""; 0]);
    assert_eq!((telegram.unconfirmed(), telegram.next_update()), (vec![], 103));
    let (status, _) = ask(&telegram, "getUpdates", json!({ "limit": 101 })).await;
    assert_eq!((status, telegram.take_violations().len()), (200, 1));
    refused(&telegram, "getUpdates", json!({ "offset": "x" }), "\"offset\" must be of type Integer").await;
}

#[tokio::test]
async fn numbers_can_jump() {
    let telegram = telegram().await;
    telegram.set_next_update(5_000);
    telegram.says(ANN, ANN, "up");
    assert_eq!(allowed(&telegram, "getUpdates", json!({ "offset": 12 })).await[0]["update_id"], 5_000);
    assert_eq!(texts(&telegram, json!({ "offset": 5_001 })).await, [""; 0]);
    telegram.set_next_update(40);
    telegram.says(ANN, ANN, "down");
    // An offset far ahead of every update there ever was means nothing: Telegram starts from what it has.
    assert_eq!(texts(&telegram, json!({ "offset": 5_001 })).await, ["down"]);
    assert_eq!(telegram.unconfirmed(), [40]);
    assert_eq!(texts(&telegram, json!({ "offset": 45 })).await, [""; 0], "a little ahead is taken at its word");
    assert_eq!(telegram.unconfirmed(), [0; 0]);
}

/// A poll that has begun.
async fn waiting_poll(telegram: &FakeTelegram) -> JoinHandle<(u16, Value)> {
    let before = telegram.requests("getUpdates");
    let asked = tokio::spawn({
        let telegram = telegram.clone();
        async move { ask(&telegram, "getUpdates", json!({ "timeout": 50 })).await }
    });
    telegram.until("a poll", |telegram| (telegram.requests("getUpdates") > before).then_some(())).await;
    asked
}

#[tokio::test]
async fn a_poll_waits_for_news_and_gives_way_to_a_second_one() {
    let telegram = telegram().await;
    let waiting = waiting_poll(&telegram).await;
    telegram.says(ANN, ANN, "news");
    let (status, answer) = waiting.await.expect("an answer");
    assert_eq!((status, &answer["result"][0]["message"]["text"]), (200, &json!("news")));

    let (_, answer) = ask(&telegram, "getUpdates", json!({ "offset": telegram.next_update() })).await;
    assert_eq!(answer["result"], json!([]));
    let first = waiting_poll(&telegram).await;
    let second = waiting_poll(&telegram).await;
    let (status, answer) = first.await.expect("an answer");
    let conflict = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running";
    assert_eq!((status, &answer["description"]), (409, &json!(conflict)));
    telegram.says(ANN, ANN, "more");
    assert_eq!(second.await.expect("an answer").0, 200);
    assert_eq!(telegram.violations(), [""; 0]);
}

#[tokio::test]
async fn only_wanted_kinds_come() {
    let telegram = telegram().await;
    let kinds = |updates: &Value| {
        let kind = |update: &Value| update.as_object().and_then(|o| o.keys().find(|k| *k != "update_id").cloned());
        updates.as_array().expect("a list").iter().filter_map(kind).collect::<Vec<String>>()
    };
    let said = telegram.says(ANN, ANN, "a");
    telegram.edits(ANN, ANN, said, "b");
    let wanted = json!({ "allowed_updates": ["message"] });
    let updates = allowed(&telegram, "getUpdates", wanted).await;
    assert_eq!(kinds(&updates), ["message", "edited_message"], "what was there before stays");
    telegram.edits(ANN, ANN, said, "c");
    telegram.says(ANN, ANN, "d");
    let updates = allowed(&telegram, "getUpdates", json!({ "offset": -1 })).await;
    assert_eq!(kinds(&updates), ["message"], "and it is remembered");
    allowed(&telegram, "getUpdates", json!({ "allowed_updates": [] })).await;
    telegram.edits(ANN, ANN, said, "e");
    assert_eq!(kinds(&allowed(&telegram, "getUpdates", json!({ "offset": -1 })).await), ["edited_message"]);
    let (status, _) = ask(&telegram, "getUpdates", json!({ "allowed_updates": ["messages"] })).await;
    assert_eq!((status, telegram.take_violations().len()), (200, 1));
    refused(&telegram, "getUpdates", json!({ "allowed_updates": "message" }), "\"allowed_updates\"").await;
}

#[tokio::test]
async fn old_updates_are_dropped() {
    let telegram = telegram().await;
    let markup = json!({ "inline_keyboard": [[{ "text": "Yes", "callback_data": "y" }]] });
    let sent = allowed(&telegram, "sendMessage", json!({ "chat_id": ANN, "text": "?", "reply_markup": markup })).await;
    let id = sent["message_id"].as_i64().expect("a number");
    telegram.says(ANN, ANN, "words");
    telegram.taps(ANN, ANN, id, "y");
    telegram.passes(100);
    assert_eq!(texts(&telegram, json!({})).await, ["words", "?"]);
    telegram.passes(50);
    assert_eq!(texts(&telegram, json!({})).await, ["words"]);
    telegram.passes(24 * 3600);
    assert_eq!(texts(&telegram, json!({})).await, [""; 0]);
    telegram.set_ages(1_000, 1_000, 1_000);
    telegram.taps(ANN, ANN, id, "y");
    telegram.passes(900);
    assert_eq!(texts(&telegram, json!({})).await, ["?"]);
}

#[tokio::test]
async fn updates_come_twice_again_backwards_and_late() {
    let telegram = telegram().await;
    for text in ["a", "b"] {
        telegram.says(ANN, ANN, text);
    }
    let all = json!({ "offset": telegram.next_update() });
    telegram.disturbs(Batch::Twice);
    assert_eq!(texts(&telegram, json!({})).await, ["a", "a", "b", "b"]);
    telegram.disturbs(Batch::Reversed);
    assert_eq!(texts(&telegram, json!({})).await, ["b", "a"]);
    telegram.disturbs(Batch::Again);
    assert_eq!(texts(&telegram, json!({})).await, ["a", "b"]);
    assert_eq!(texts(&telegram, all.clone()).await, ["a", "b"], "confirmed, and yet again");
    assert_eq!(texts(&telegram, all).await, [""; 0]);
    telegram.says(BEN, BEN, "late");
    telegram.disturbs(Batch::Delayed(Duration::from_millis(300)));
    assert_eq!(texts(&telegram, json!({})).await, [""; 0]);
    assert_eq!(texts(&telegram, json!({ "timeout": 50 })).await, ["late"]);
}

#[tokio::test]
async fn teloxide_reads_every_kind_of_update() {
    let telegram = telegram().await;
    let bot = bot(&telegram);
    let said = telegram.says(ANN, ANN, "/queue add tests");
    telegram.edits(ANN, ANN, said, "/queue");
    telegram.replies(ANN, ANN, said, "this one");
    telegram.forwards(ANN, ANN, BEN, "he said");
    telegram.blocks(ANN, ANN);
    telegram.unblocks(ANN, ANN);
    let forum = telegram.forum("Team", &[ANN, BEN]);
    let topic = telegram.topic(forum, "Nights");
    telegram.says_in(BEN, forum, topic, "hello");
    let channel = telegram.channel("News", &[ANN]);
    let posted = telegram.says(ANN, channel, "post");
    telegram.edits(ANN, channel, posted, "corrected");
    telegram.blocks(ANN, channel);
    let group = telegram.group("Friends", &[ANN]);
    telegram.migrates(group);
    let markup = json!({ "inline_keyboard": [[{ "text": "Yes", "callback_data": "y" }]] });
    let sent = allowed(&telegram, "sendMessage", json!({ "chat_id": ANN, "text": "?", "reply_markup": markup })).await;
    let id = sent["message_id"].as_i64().expect("a number");
    telegram.taps(ANN, ANN, id, "y");
    telegram.removes(ANN, id);
    telegram.taps_stale(ANN, ANN, id, "y");

    let updates = bot.get_updates().await.expect("updates");
    let unread: Vec<_> = updates.iter().filter(|u| matches!(u.kind, teloxide::types::UpdateKind::Error(_))).collect();
    assert!(unread.is_empty(), "{unread:?}");
    assert_eq!(updates.len(), 15);
    assert_eq!(telegram.violations(), [""; 0]);
}
