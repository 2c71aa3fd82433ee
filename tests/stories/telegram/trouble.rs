//! What stands between the owner and the bot: told once, on record while it lasts, taken back when it is over.

use super::{NOON, at_noon};
use crate::fake_telegram::faults::Fault;
use crate::harness::{OWNER, On, OnTelegram, Overnight, Stage};
use chrono::TimeDelta;
use overnight::app::LOCAL_OWNER;
use overnight::chat::telegram::TelegramOptions;
use overnight::chat::terminal::render::plain_text;
use overnight::domain::role::Role;
use overnight::engine::inbound;
use overnight::engine::reply::Asker;
use std::sync::Arc;
use std::time::Duration;

const CONFLICT: &str =
    "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running";

/// `overnight status`, which needs no Telegram.
async fn status(o: &Overnight) -> String {
    let mut tx = o.engine().store().begin().await.unwrap();
    let asker = Asker { who: LOCAL_OWNER, role: Role::Owner, tapped: false };
    let reply = inbound::typed(o.engine(), &mut tx, asker, "/status", o.now()).await.unwrap();
    let known = reply.data["chat_trouble"].as_array().unwrap().len();
    let text = plain_text(&reply.message);
    assert_eq!(known > 0, text.contains("📵 Out of reach"), "{text}");
    text
}

#[tokio::test]
async fn a_poll_that_is_never_answered_is_given_up_and_made_again() {
    let quick = |options: &mut TelegramOptions| {
        (options.poll, options.slack) = (Duration::from_secs(1), Duration::from_millis(200));
    };
    let (mut o, telegram) = Stage::new(On::Phone).start_on_telegram(NOON, quick).await;
    let fake = telegram.fake.clone();
    fake.fails(Some("getUpdates"), 4, Fault::Hangs);
    fake.says(OWNER, OWNER, "/queue add Fix the labels | 1h | bug");
    fake.says(OWNER, OWNER, "/queue");
    // The third one in a row is worth a record.
    o.hears().await;
    o.settle().await;
    assert_eq!(fake.requests("getUpdates"), 3);
    let shown = status(&o).await;
    assert!(shown.contains("telegram since Sat 12:00") && shown.contains("Telegram can't be reached"), "{shown}");
    assert!(telegram.read().is_empty(), "nobody is told by a message: {}", fake.transcript());
    for _ in 0..3 {
        o.hears().await;
    }
    o.settle().await;
    o.expect("📝 #1").await;
    o.expect("🗒️ 1 in the queue").await;
    assert_eq!(fake.bot_messages(OWNER).len(), 2, "{}", fake.transcript());
    assert!(!status(&o).await.contains("📵"));
    assert_eq!((o.audited("trouble").await.len(), o.audited("well").await.len()), (1, 1));
    o.finish().await;
}

#[tokio::test]
async fn ten_minutes_of_another_program_are_one_alarm_no_fight_and_an_end() {
    let mut o = Stage::new(On::Phone).start(NOON).await;
    let clock = o.clock();
    // Waits as long as in earnest, on the story's clock.
    let in_earnest = |options: &mut TelegramOptions| {
        (options.unit, options.rests) = (Duration::from_secs(1), Arc::clone(&clock));
        options.poll = Duration::from_secs(1);
    };
    let telegram = Arc::new(OnTelegram::with(o.clock(), in_earnest).await);
    let fake = telegram.fake.clone();
    o.changes_front(Arc::clone(&telegram) as Arc<dyn crate::harness::Front>).await;
    fake.fails(Some("getUpdates"), 1_000, Fault::status(409, CONFLICT));
    let began = o.now();
    while o.now() < began + TimeDelta::minutes(10) {
        o.hears_all().await;
        o.clock_is_at(o.now() + TimeDelta::seconds(15));
    }
    let polls = fake.requests("getUpdates");
    assert!((10..=21).contains(&polls), "{polls} polls in ten minutes: one in 30 s is no fight");
    let alarm = o.expect("🚨 I may not hear you Another program reads this bot's messages").await;
    assert!(!alarm.silent);
    assert_eq!(fake.bot_messages(OWNER).len(), 1, "{}", fake.transcript());
    assert!(status(&o).await.contains("another program reads this bot's messages"));
    // A bot that is started again meanwhile says it no second time.
    let again = telegram.followed(o.clock(), |options| {
        in_earnest(options);
        options.in_trouble = true;
    });
    o.changes_front(Arc::new(again)).await;
    for _ in 0..3 {
        o.hears_all().await;
        o.clock_is_at(o.now() + TimeDelta::seconds(30));
    }
    assert_eq!(fake.bot_messages(OWNER).len(), 1, "{}", fake.transcript());
    assert_eq!(o.audited("alarm").await.len(), 1);

    fake.heals();
    fake.says(OWNER, OWNER, "/queue");
    o.clock_is_at(o.now() + TimeDelta::seconds(30));
    o.hears_all().await;
    o.expect("📭 The queue is empty").await;
    assert!(status(&o).await.contains("📵"), "the other one may only be between two polls");
    o.clock_is_at(o.now() + TimeDelta::minutes(3));
    fake.says(OWNER, OWNER, "/queue");
    o.hears_all().await;
    o.hears_all().await;
    let well = o.expect("✅ I hear you again").await;
    assert!(well.silent && well.text.contains("from Sat 12:00 to Sat 12:15"), "{well:#?}");
    assert!(!status(&o).await.contains("📵"));
    o.reads_all();
    o.finish().await;
}

#[tokio::test]
async fn a_webhook_that_somebody_sets_is_told_as_that() {
    let (mut o, _, fake) = at_noon().await;
    fake.hooks("https://hooks.example.org/x");
    o.hears().await;
    o.settle().await;
    let alarm = o.expect("🚨 I may not hear you").await;
    assert!(alarm.text.contains("A webhook is set for this bot") && !alarm.silent, "{alarm:#?}");
    assert!(status(&o).await.contains("a webhook is set"));
    assert_eq!(fake.requests("deleteWebhook"), 0, "no fight");
    fake.hooks("");
    fake.says(OWNER, OWNER, "/queue");
    o.hears_all().await;
    o.expect("📭 The queue is empty").await;
    o.finish().await;
}

#[tokio::test]
async fn a_refused_token_and_a_blocked_chat_are_on_record_until_they_are_mended() {
    let (mut o, telegram, fake) = at_noon().await;
    fake.fails(Some("getUpdates"), 1, Fault::status(401, "Unauthorized"));
    fake.says(OWNER, OWNER, "/queue");
    o.hears().await;
    o.settle().await;
    assert!(status(&o).await.contains("Telegram refuses the token"), "{}", status(&o).await);
    o.hears().await;
    o.hears().await;
    o.settle().await;
    o.expect("📭 The queue is empty").await;
    assert!(!status(&o).await.contains("📵"));

    fake.says(OWNER, OWNER, "/queue");
    fake.blocks(OWNER, OWNER);
    o.hears_all().await;
    let shown = status(&o).await;
    assert!(shown.contains("telegram:1001 since Sat 12:00") && shown.contains("blocked"), "{shown}");
    fake.unblocks(OWNER, OWNER);
    o.hears_all().await;
    assert!(!status(&o).await.contains("📵"), "{}", status(&o).await);
    assert_eq!(telegram.read().len(), 1, "{}", fake.transcript());
    o.said_on_the_terminal().await;
    o.finish().await;
}
