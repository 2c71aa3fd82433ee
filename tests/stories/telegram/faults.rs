//! Telegram's server down, slow or lying: everything that was said arrives, nothing is done twice.

use super::{NOON, at_noon};
use crate::fake_telegram::faults::{Batch, Fault};
use crate::harness::{OWNER, On, Stage};
use overnight::chat::telegram::TelegramOptions;
use overnight::chat::{Chat, What};
use std::time::Duration;

#[tokio::test]
async fn a_busy_server_is_left_alone_as_long_as_it_asks_for_sends_and_edits() {
    let (mut o, telegram, fake) = at_noon().await;
    fake.fails(Some("sendMessage"), 1, Fault::too_many(90));
    o.says("/queue").await;
    assert!(telegram.read().is_empty());
    o.advance_to("12:01").await;
    assert_eq!(fake.requests("sendMessage"), 1, "tried again before the server allowed it");
    o.advance_to("12:02").await;
    o.expect("📭 The queue is empty").await;
    let card = o.asks("/queue add Build workout dashboard | 5h | feature", "🔒 #1").await;
    fake.fails(Some("editMessageText"), 1, Fault::too_many(90));
    o.taps(&card, "Approve").await;
    assert!(o.again(&card).offers("Approve"), "the edit was put off");
    o.advance_to("12:05").await;
    assert!(o.again(&card).offers("Undo"));
    o.reads_all();
    o.finish().await;
}

#[tokio::test]
async fn lost_and_cut_off_answers_are_told_as_what_they_are() {
    for fault in [Fault::LosesAnswer, Fault::Truncates] {
        let (mut o, telegram, fake) = at_noon().await;
        fake.fails(Some("sendMessage"), 1, fault);
        o.says("/queue").await;
        o.advance_to("12:05").await;
        let shown = telegram.read();
        assert_eq!(shown.len(), 2, "{shown:#?}");
        assert!(shown[1].contains("Sent again: whether it arrived before is not known"), "{}", shown[1]);
        o.reads_all();
        o.finish().await;
    }
}

#[tokio::test]
async fn a_hung_connection_holds_up_nothing_for_ever() {
    let quick = |options: &mut TelegramOptions| options.request = Duration::from_millis(300);
    let (mut o, telegram) = Stage::new(On::Phone).start_on_telegram(NOON, quick).await;
    let fake = telegram.fake.clone();
    fake.fails(Some("sendMessage"), 1, Fault::Hangs);
    o.says("/queue").await;
    o.says("/queue add Fix the labels | 1h | bug").await;
    o.advance_to("12:05").await;
    let shown = telegram.read();
    assert_eq!(shown.len(), 2, "{shown:#?}");
    assert!(shown[1].contains("📝 #1"), "{shown:#?}");
    o.reads_all();
    o.finish().await;
}

#[tokio::test]
async fn an_edit_whose_answer_is_lost_or_that_changes_nothing_is_one_edit() {
    let (mut o, _, fake) = at_noon().await;
    let card = o.asks("/queue add Build workout dashboard | 5h | feature", "🔒 #1").await;
    fake.fails(Some("editMessageText"), 1, Fault::LosesAnswer);
    o.taps(&card, "Approve").await;
    o.advance_to("12:05").await;
    let messages = fake.bot_messages(OWNER);
    assert_eq!(messages.len(), 1, "{}", fake.transcript());
    assert!(messages[0].button("↩ Undo").is_some());
    o.reads_all();
    o.finish().await;
}

#[tokio::test]
async fn updates_that_come_twice_reversed_and_with_jumping_ids_count_once() {
    let (mut o, _, fake) = at_noon().await;
    fake.disturbs(Batch::Twice);
    fake.says(OWNER, OWNER, "/queue add Fix the labels | 1h | bug");
    o.hears_all().await;
    fake.disturbs(Batch::Again);
    fake.says(OWNER, OWNER, "/queue add Fix the names | 1h | bug");
    o.hears_all().await;
    fake.set_next_update(5_000_000);
    fake.says(OWNER, OWNER, "/queue add Fix the sums | 1h | bug");
    o.hears_all().await;
    // And back again, as after a week of silence.
    fake.set_next_update(70);
    fake.disturbs(Batch::Reversed);
    fake.says(OWNER, OWNER, "/queue add Fix the cache | 1h | bug");
    fake.says(OWNER, OWNER, "/queue add Fix the login | 1h | bug");
    o.hears_all().await;
    fake.says(OWNER, OWNER, "/queue");
    o.hears_all().await;
    o.expect("🗒️ 5 in the queue").await;
    // What the server does not let itself be told as seen is left with it, and never done again.
    assert!(fake.unconfirmed().iter().all(|id| *id == 5_000_000), "{:?}", fake.unconfirmed());
    o.reads_all();
    o.finish().await;
}

#[tokio::test]
async fn nothing_is_confirmed_before_it_is_stored() {
    let (mut o, telegram, fake) = at_noon().await;
    fake.says(OWNER, OWNER, "/queue add Fix the labels | 1h | bug");
    // Received, and then the process dies before it is kept.
    let lost = telegram.receive().await.unwrap();
    assert!(matches!(lost.what, What::Text(_)));
    assert_eq!(fake.unconfirmed().len(), 1);
    let again = std::sync::Arc::new(crate::harness::OnTelegram::on(fake.clone(), o.clock(), |_| {}));
    o.changes_front(again).await;
    o.hears().await;
    o.settle().await;
    o.expect("📝 #1").await;
    o.finish().await;
}

#[tokio::test]
async fn a_second_poller_a_bad_token_and_a_broken_gateway_are_waited_out() {
    let (mut o, _, fake) = at_noon().await;
    let conflict = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running";
    fake.fails(Some("getUpdates"), 3, Fault::status(409, conflict));
    fake.fails(Some("getUpdates"), 2, Fault::status(401, "Unauthorized"));
    fake.fails(Some("getUpdates"), 2, Fault::Drops);
    fake.fails(Some("getUpdates"), 1, Fault::Truncates);
    fake.fails(Some("getUpdates"), 1, Fault::too_many(2));
    fake.says(OWNER, OWNER, "/queue");
    // The other program, the token, the network; then that it is over, and the message.
    for _ in 0..5 {
        o.hears().await;
    }
    o.settle().await;
    let alarm = o.expect("🚨 I may not hear you").await;
    assert!(alarm.text.contains("Another program reads this bot's messages") && !alarm.silent, "{alarm:#?}");
    o.expect("📭 The queue is empty").await;
    o.expect("✅ I hear you again").await;
    fake.fails(Some("sendMessage"), 1, Fault::status(502, "Bad Gateway"));
    o.says("/queue").await;
    o.advance_to("12:05").await;
    let shown = o.expect("📭 The queue is empty").await;
    assert!(!shown.text.contains("Sent again"), "a gateway that refuses passed nothing on: {}", shown.text);
    o.finish().await;
}

#[tokio::test]
async fn a_blocked_bot_keeps_its_brief_and_tells_the_terminal() {
    let (mut o, telegram, fake) = at_noon().await;
    o.says("/queue add Fix the labels | 1h | bug").await;
    o.reads_all();
    fake.blocks(OWNER, OWNER);
    o.hears().await;
    o.advance_to("2026-03-15 09:20").await;
    assert!(telegram.read().iter().all(|text| !text.contains("🌅")), "{:#?}", telegram.read());
    assert!(!o.audited("unreachable").await.is_empty());
    assert!(o.said_on_the_terminal().await.iter().any(|text| text.contains("📵") && text.contains("blocked")));
    fake.unblocks(OWNER, OWNER);
    o.hears().await;
    o.advance_to("2026-03-15 09:21").await;
    let brief = o.expect("🌅 1 ready").await;
    assert!(brief.text.contains("Late: written at 07:00"), "{}", brief.text);
    assert_eq!(o.sounding(), ["brief:2026-03-14"]);
    o.reads_all();
    o.finish().await;
}

#[tokio::test]
async fn a_network_cut_over_the_morning_costs_nothing() {
    let (mut o, telegram, fake) = at_noon().await;
    o.says("/queue add Fix the labels | 1h | bug").await;
    o.reads_all();
    o.advance_to("2026-03-15 06:55").await;
    fake.cut();
    o.advance_to("2026-03-15 09:10").await;
    assert!(o.sounding().is_empty());
    fake.restore();
    fake.says(OWNER, OWNER, "/queue");
    fake.says(OWNER, OWNER, "/status");
    o.hears().await;
    o.hears().await;
    o.advance_to("2026-03-15 09:20").await;
    let shown = telegram.read();
    assert_eq!(shown.iter().filter(|text| text.starts_with("🌅 1 ready")).count(), 1, "{shown:#?}");
    let brief = o.expect("🌅 1 ready").await;
    assert!(brief.text.contains("Late: written at 07:00"), "{}", brief.text);
    o.expect("The queue is empty").await;
    o.expect("next night").await;
    o.reads_all();
    o.finish().await;
}

#[tokio::test]
async fn a_message_longer_than_telegram_takes_is_split_and_sent_whole_as_a_file() {
    let (mut o, telegram, fake) = at_noon().await;
    o.says(&format!("/queue add Fix the labels | 1h | bug | details: {}", "word ".repeat(2_000))).await;
    let shown = telegram.read();
    assert!(shown.iter().any(|text| text.contains("#1 Fix the labels")), "{shown:#?}");
    let files: Vec<String> =
        fake.bot_messages(OWNER).iter().flat_map(|m| m.files.iter().map(|file| file.name.clone())).collect();
    assert_eq!(files, ["whole-message.txt"]);
    o.reads_all();
    o.finish().await;
}
