//! What goes wrong on purpose goes wrong as it was asked to, and only that.

use super::{ANN, allowed, ask, bot, method_url, telegram};
use crate::fake_telegram::FakeTelegram;
use crate::fake_telegram::faults::Fault;
use serde_json::json;
use std::time::Duration;
use teloxide::RequestError;
use teloxide::prelude::*;

/// The error of a raw request that gets no answer, or no whole one.
async fn unanswered(telegram: &FakeTelegram) -> reqwest::Error {
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let body = json!({ "chat_id": ANN, "text": "x" }).to_string();
    let url = method_url(telegram, "sendMessage");
    client.post(url).header("content-type", "application/json").body(body).send().await.expect_err("no answer")
}

fn arrived(telegram: &FakeTelegram) -> usize {
    telegram.bot_messages(ANN).len()
}

#[tokio::test]
async fn a_status_comes_as_often_as_asked_and_nothing_is_done() {
    let telegram = telegram().await;
    let params = json!({ "chat_id": ANN, "text": "x" });
    telegram.fails(Some("sendMessage"), 2, Fault::status(502, "Bad Gateway"));
    telegram.fails(None, 1, Fault::status(403, "Forbidden: user is deactivated"));
    for (method, status) in
        [("sendMessage", 502), ("getMe", 403), ("sendMessage", 502), ("sendMessage", 200), ("getMe", 200)]
    {
        let params = if method == "getMe" { json!({}) } else { params.clone() };
        assert_eq!(ask(&telegram, method, params).await.0, status, "{method}");
    }
    assert_eq!((arrived(&telegram), telegram.requests("sendMessage")), (1, 3));
    telegram.fails(Some("getUpdates"), 1, Fault::status(409, "Conflict: terminated by other getUpdates request"));
    assert_eq!(ask(&telegram, "getUpdates", json!({})).await.0, 409);
    telegram.fails(Some("sendMessage"), 1, Fault::too_many(7));
    let error = bot(&telegram).send_message(ChatId(ANN), "x").await.expect_err("too many");
    assert!(matches!(error, RequestError::RetryAfter(seconds) if seconds.seconds() == 7), "{error}");
    telegram.fails(None, 9, Fault::status(500, "Internal Server Error"));
    telegram.heals();
    allowed(&telegram, "sendMessage", params).await;
    // A fault does not hide what is wrong with a request.
    telegram.fails(None, 1, Fault::status(500, "Internal Server Error"));
    assert_eq!(ask(&telegram, "sendMessage", json!({})).await.0, 400);
    assert_eq!(telegram.take_violations().len(), 1);
}

#[tokio::test]
async fn an_answer_is_cut_lost_or_late_and_the_work_is_done() {
    let telegram = telegram().await;
    let bot = bot(&telegram);
    telegram.fails(Some("sendMessage"), 1, Fault::Truncates);
    let error = bot.send_message(ChatId(ANN), "half").await.expect_err("half an answer");
    assert!(matches!(error, RequestError::InvalidJson { .. }), "{error}");
    assert_eq!(arrived(&telegram), 1);
    telegram.fails(Some("sendMessage"), 1, Fault::LosesAnswer);
    assert!(unanswered(&telegram).await.is_request());
    assert_eq!((arrived(&telegram), telegram.requests("sendMessage")), (2, 2));
    telegram.fails(Some("sendMessage"), 1, Fault::Slow(Duration::from_millis(20)));
    bot.send_message(ChatId(ANN), "late").await.expect("sent");
    assert_eq!(arrived(&telegram), 3);
    telegram.fails(Some("sendMessage"), 1, Fault::Drops);
    assert!(unanswered(&telegram).await.is_request());
    assert_eq!(arrived(&telegram), 3, "dropped before the work");
}

#[tokio::test]
async fn a_request_hangs_until_the_network_is_cut_and_restored() {
    let telegram = telegram().await;
    telegram.fails(Some("sendMessage"), 1, Fault::Hangs);
    let hanging = tokio::spawn({
        let telegram = telegram.clone();
        async move { unanswered(&telegram).await }
    });
    let polling = tokio::spawn({
        let bot = bot(&telegram);
        async move { bot.get_updates().timeout(50).await }
    });
    telegram
        .until("both requests", |t| (t.requests("sendMessage") + t.requests("getUpdates") == 2).then_some(()))
        .await;
    telegram.cut();
    assert!(hanging.await.expect("an end").is_request());
    let error = polling.await.expect("an end").expect_err("a cut poll");
    assert!(matches!(error, RequestError::Network(_)), "{error}");
    assert!(unanswered(&telegram).await.is_connect(), "nobody listens");
    telegram.says(ANN, ANN, "meanwhile");
    let address = telegram.url();
    telegram.restore();
    assert_eq!(telegram.url(), address);
    assert_eq!(allowed(&telegram, "getUpdates", json!({})).await[0]["message"]["text"], "meanwhile");
    assert_eq!(arrived(&telegram), 0);
}

#[tokio::test]
async fn it_ends_with_its_last_user() {
    let telegram = telegram().await;
    let (url, second) = (telegram.url(), telegram.clone());
    drop(telegram);
    allowed(&second, "getMe", json!({})).await;
    drop(second);
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    assert!(client.get(url).send().await.expect_err("nobody listens").is_connect());
}
