//! Taps: at once, doubled, late, stale, taken back.

use super::at_noon;
use crate::fake_telegram::faults::Fault;
use crate::harness::{OWNER, On, Stage};
use chrono::TimeDelta;

#[tokio::test]
async fn a_tap_is_answered_at_the_button_and_the_card_says_who_when() {
    let (mut o, _, fake) = at_noon().await;
    let card = o.asks("/queue add Build workout dashboard | 5h | feature", "🔒 #1").await;
    o.taps(&card, "Approve").await;
    assert_eq!(fake.toasts().pop().unwrap().text, "✅ #1 \"Build workout dashboard\" is approved");
    let now = o.again(&card);
    assert!(now.text.contains("✅ Approved 12:00 by you") && now.offers("Undo") && !now.offers("Approve"), "{now:#?}");
    assert_eq!(fake.bot_messages(OWNER).len(), 1, "no message for a tap: {}", fake.transcript());
    o.taps(&now, "Undo").await;
    let now = o.again(&card);
    assert!(now.offers("Approve") && now.text.contains("🔒"), "{now:#?}");
    o.taps(&now, "Reject").await;
    let now = o.again(&card);
    assert!(now.text.contains("✖️ Rejected 12:00 by you") && now.offers("Undo"), "{now:#?}");
    fake.replies(OWNER, OWNER, now.reference.parse().unwrap(), "not before the launch");
    o.hears().await;
    o.settle().await;
    o.expect("Noted for #1: not before the launch").await;
    assert!(o.again(&card).text.contains("by you: not before the launch"), "{:#?}", o.again(&card));
    o.taps(&o.again(&card), "Undo").await;
    assert!(o.again(&card).offers("Approve"));
    o.reads_all();
    o.finish().await;
}

#[tokio::test]
async fn two_quick_taps_decide_once_and_both_are_answered() {
    let (mut o, _, fake) = at_noon().await;
    let card = o.asks("/queue add Build workout dashboard | 5h | feature", "🔒 #1").await;
    let (id, nonce) = (card.reference.parse().unwrap(), card.button("Approve").to_owned());
    fake.taps(OWNER, OWNER, id, &nonce);
    fake.taps(OWNER, OWNER, id, &nonce);
    o.hears().await;
    o.hears().await;
    o.settle().await;
    let toasts: Vec<String> = fake.toasts().into_iter().map(|toast| toast.text).collect();
    assert_eq!(toasts.len(), 2, "{toasts:?}");
    assert!(toasts[1].starts_with("Already done: ✅ #1"), "{toasts:?}");
    assert_eq!(o.audited("approved").await.len(), 1);
    o.reads_all();
    o.finish().await;
}

#[tokio::test]
async fn what_comes_too_late_for_a_note_at_the_button_comes_as_a_message() {
    let (mut o, _, fake) = at_noon().await;
    let card = o.asks("/queue add Build workout dashboard | 5h | feature", "🔒 #1").await;
    let late = "Bad Request: query is too old and response timeout expired or query ID is invalid";
    fake.fails(Some("answerCallbackQuery"), 1, Fault::status(400, late));
    o.taps(&card, "Approve").await;
    let said = fake.bot_messages(OWNER).pop().unwrap();
    assert_eq!(said.text, "✅ #1 \"Build workout dashboard\" is approved");
    o.reads_all();
    o.finish().await;
}

#[tokio::test]
async fn a_button_that_was_edited_away_or_made_up_decides_nothing() {
    let (mut o, _, fake) = at_noon().await;
    let card = o.asks("/queue add Build workout dashboard | 5h | feature", "🔒 #1").await;
    let (id, approve) = (card.reference.parse().unwrap(), card.button("Approve").to_owned());
    o.says("/queue edit 1 title: Build another dashboard").await;
    o.reads_all();
    fake.taps_stale(OWNER, OWNER, id, &approve);
    o.hears().await;
    o.settle().await;
    o.expect("was changed since that card was shown, so it is not approved").await;
    fake.taps_stale(OWNER, OWNER, id, "00000000000000000000000000000000");
    o.hears().await;
    o.settle().await;
    assert!(fake.toasts().pop().unwrap().text.starts_with("That button is not known here"));
    assert!(o.audited("approved").await.is_empty());
    o.reads_all();
    o.finish().await;
}

#[tokio::test]
async fn later_leaves_a_task_out_of_one_brief() {
    let (mut o, _, _) = at_noon().await;
    let card = o.asks("/queue add Build workout dashboard | 5h | feature", "🔒 #1").await;
    o.taps(&card, "Later").await;
    o.reads_all();
    o.advance_to("2026-03-15 07:05").await;
    let brief = o.expect("🌅").await;
    assert!(!brief.text.contains("Build workout dashboard (New"), "{}", brief.text);
    o.reads_all();
    o.advance_to("2026-03-16 07:05").await;
    let brief = o.expect("🌅").await;
    assert!(brief.text.contains("🔒 Needs you") && brief.offers("Approve"), "{}", brief.text);
    o.reads_all();
    o.finish().await;
}

#[tokio::test]
async fn after_an_outage_longer_than_taps_live_the_cards_come_again() {
    let change = |options: &mut overnight::chat::telegram::TelegramOptions| options.taps_live = TimeDelta::seconds(150);
    let (mut o, telegram) = Stage::new(On::Phone).start_on_telegram("2026-03-14 12:00", change).await;
    let fake = telegram.fake.clone();
    let card = o.asks("/queue add Build workout dashboard | 5h | feature", "🔒 #1").await;
    fake.cut();
    o.advance_to("2026-03-14 14:00").await;
    fake.restore();
    fake.says(OWNER, OWNER, "/status");
    // The outage is told before anything that came in since.
    o.hears().await;
    o.settle().await;
    let said = o.expect("📵 I could not be reached from 12:00 to 14:00").await;
    assert!(said.silent);
    let again = o.expect("🔒 #1 Build workout dashboard").await;
    assert_ne!(again.reference, card.reference);
    o.hears().await;
    o.settle().await;
    o.expect("next night").await;
    o.taps(&again, "Approve").await;
    assert!(o.again(&again).text.contains("Approved 14:00 by you"));
    o.reads_all();
    o.finish().await;
}
