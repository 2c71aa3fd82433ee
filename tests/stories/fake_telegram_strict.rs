//! The fake Telegram keeps its word: what Telegram takes it takes, what Telegram refuses it refuses and remembers.

mod controls;
mod faults;
mod files;
mod people;
mod polling;
mod requests;
mod texts;

use crate::fake_telegram::FakeTelegram;
use crate::fake_telegram::requests::BY_HAND;
use serde_json::{Value, json};
use teloxide::Bot;

const ANN: i64 = 7;
const BEN: i64 = 8;

/// A fake with two people who know the bot.
async fn telegram() -> FakeTelegram {
    let telegram = FakeTelegram::start().await;
    telegram.person(ANN, "Ann");
    telegram.person(BEN, "Ben");
    telegram
}

/// A client as the bot will use it.
fn bot(telegram: &FakeTelegram) -> Bot {
    Bot::new(telegram.token()).set_api_url(telegram.url().parse().expect("an address"))
}

/// Posts to an address of the fake, and gives the status and the answer.
async fn post(url: String, kind: &str, body: Vec<u8>) -> (u16, Value) {
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let request = client.post(url).header("content-type", kind).header(BY_HAND, "yes");
    let answer = request.body(body).send().await.expect("an answer");
    let status = answer.status().as_u16();
    (status, serde_json::from_str(&answer.text().await.expect("a text")).expect("JSON"))
}

fn method_url(telegram: &FakeTelegram, method: &str) -> String {
    format!("{}/bot{}/{method}", telegram.url(), telegram.token())
}

/// A raw request.
async fn ask(telegram: &FakeTelegram, method: &str, params: Value) -> (u16, Value) {
    post(method_url(telegram, method), "application/json", params.to_string().into_bytes()).await
}

/// A request that must pass, with nothing to complain about; gives its result.
async fn allowed(telegram: &FakeTelegram, method: &str, params: Value) -> Value {
    let (status, answer) = ask(telegram, method, params.clone()).await;
    assert_eq!((status, &answer["ok"]), (200, &json!(true)), "{method} {params}: {answer}");
    assert_eq!(telegram.take_violations(), [""; 0], "{method} {params}");
    answer["result"].clone()
}

/// A request that no bot should send: refused for this reason, and remembered.
async fn refused(telegram: &FakeTelegram, method: &str, params: Value, reason: &str) {
    let (status, answer) = ask(telegram, method, params.clone()).await;
    let description = answer["description"].as_str().unwrap_or_default().to_owned();
    let shown: String = params.to_string().chars().take(300).collect();
    assert_eq!((status, &answer["ok"]), (400, &json!(false)), "{method} {shown}: {answer}");
    assert!(description.contains(reason), "{method} {shown}: {description}");
    let violations = telegram.take_violations();
    assert!(matches!(&violations[..], [one] if one.contains(reason) && one.starts_with(method)), "{violations:?}");
}

/// A request that is well made, and that the world does not allow: nothing to remember.
async fn declined(telegram: &FakeTelegram, method: &str, params: Value, status: u16, description: &str) -> Value {
    let (found, answer) = ask(telegram, method, params.clone()).await;
    assert_eq!((found, answer["description"].as_str()), (status, Some(description)), "{method} {params}");
    assert_eq!(telegram.take_violations(), [""; 0], "{method} {params}");
    answer
}

/// A request that passes and says something that Telegram would not show as meant.
async fn remarked(telegram: &FakeTelegram, method: &str, params: Value, remark: &str) {
    let (status, answer) = ask(telegram, method, params.clone()).await;
    assert_eq!(status, 200, "{method} {params}: {answer}");
    let violations = telegram.take_violations();
    assert!(matches!(&violations[..], [one] if one.contains(remark)), "{params}: {violations:?}");
}
