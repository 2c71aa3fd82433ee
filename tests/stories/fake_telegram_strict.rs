//! The fake Telegram keeps its word: what Telegram takes it takes, what Telegram refuses it refuses.

use crate::fake_telegram::FakeTelegram;
use teloxide::prelude::*;

fn bot(telegram: &FakeTelegram) -> Bot {
    Bot::new(telegram.token()).set_api_url(telegram.url().parse().expect("an address"))
}

#[tokio::test]
async fn a_message_arrives() {
    let telegram = FakeTelegram::start().await;
    telegram.person(7, "Ann");
    let bot = bot(&telegram);
    assert_eq!(bot.get_me().await.expect("me").user.username.as_deref(), Some("fake_bot"));
    let sent = bot.send_message(ChatId(7), "hello").await.expect("sent");
    assert_eq!(sent.text(), Some("hello"));
    assert_eq!(telegram.from_bot(7)[0].text, "hello");
    assert_eq!(telegram.violations(), [""; 0]);
}
