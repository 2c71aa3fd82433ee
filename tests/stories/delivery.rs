//! When the chat's server is down, slow or lies: what was said arrives, in order, and a repeat is called one.

use crate::harness::{FakePhone, Fault, On, Overnight, Stage};
use overnight::chat::{Incoming, SendError, What};
use std::sync::Arc;

async fn with_phone() -> (Overnight, Arc<FakePhone>) {
    let phone = Arc::new(FakePhone::new());
    let o = Stage::new(On::Phone).start_with("2026-03-14 12:00", Arc::clone(&phone)).await;
    (o, phone)
}

fn busy(after_secs: Option<u64>) -> Fault {
    Fault::Fails(SendError::Retry { what: "too many requests".into(), after_secs })
}

#[tokio::test]
async fn a_busy_server_is_left_alone_as_long_as_it_asks() {
    let (mut o, phone) = with_phone().await;
    phone.meets([busy(Some(300))]);
    o.says("/queue").await;
    o.says("/help").await;
    assert!(o.messages().is_empty(), "order is kept: nothing overtakes what waits");
    o.advance_to("12:04").await;
    assert_eq!(phone.tried().len(), 1, "tried again before the server allowed it: {:?}", phone.tried());
    o.advance_to("12:05").await;
    let keys: Vec<_> = o.messages().into_iter().map(|message| message.key).collect();
    assert!(keys[0].starts_with("list:") && keys[1] == "reply:2", "{keys:?}");
    o.reads_all();
    o.finish().await;
}

#[tokio::test]
async fn a_server_that_is_down_is_tried_ever_less_often() {
    let (mut o, phone) = with_phone().await;
    phone.meets((0..12).map(|_| busy(None)));
    o.says("/queue").await;
    o.advance_to("12:10").await;
    let early = phone.tried().len();
    assert!((6..=10).contains(&early), "{early} tries in ten minutes");
    o.advance_to("12:40").await;
    o.expect("📭 The queue is empty").await;
    assert_eq!(phone.tried().len(), 13);
    o.finish().await;
}

#[tokio::test]
async fn a_lost_answer_is_repeated_and_says_so() {
    let (mut o, phone) = with_phone().await;
    phone.meets([Fault::AnswerLost, busy(Some(60))]);
    o.says("/queue").await;
    o.advance_to("12:05").await;
    let shown = o.reads_all();
    assert_eq!(shown.len(), 2, "{shown:#?}");
    assert!(!shown[0].text.contains("Sent again"), "{}", shown[0].text);
    assert!(shown[1].text.contains("Sent again: whether it arrived before is not known"), "{}", shown[1].text);
    o.finish().await;
}

#[tokio::test]
async fn answers_that_are_always_lost_do_not_flood_the_phone() {
    let (mut o, phone) = with_phone().await;
    phone.meets((0..9).map(|_| Fault::AnswerLost));
    o.says("/queue").await;
    o.advance_to("12:10").await;
    assert!(phone.tried().len() < 11, "{} messages in ten minutes", phone.tried().len());
    o.advance_to("13:00").await;
    o.reads_all();
    o.finish().await;
}

#[tokio::test]
async fn a_server_that_never_answers_holds_up_nothing_for_ever() {
    let (mut o, phone) = with_phone().await;
    phone.meets([Fault::Hangs]);
    o.says("/queue").await;
    o.says("/queue add Fix the labels | 1h | bug").await;
    o.advance_to("12:05").await;
    let shown = o.reads_all();
    assert_eq!(shown.len(), 3, "{shown:#?}");
    assert!(shown[1].text.contains("Sent again"));
    assert!(shown[2].text.contains("📝 #1"));
    o.finish().await;
}

#[tokio::test]
async fn what_is_refused_for_good_is_given_up_and_the_rest_goes_on() {
    let (mut o, phone) = with_phone().await;
    phone.meets([Fault::Fails(SendError::Permanent("the owner blocked the bot".into()))]);
    o.says("/queue").await;
    o.says("/queue add Fix the labels | 1h | bug").await;
    o.expect("📝 #1").await;
    assert_eq!(o.messages().len(), 1);
    let gone = o.audited("gone").await;
    assert!(gone[0].text.contains("the owner blocked the bot"), "{gone:?}");
    o.asks("/queue drop 1", "out of the queue").await;
    o.finish().await;
}

#[tokio::test]
async fn a_brief_survives_a_night_without_network() {
    let (mut o, phone) = with_phone().await;
    o.asks("/queue add Fix the labels | 1h | bug", "📝 #1").await;
    o.advance_to("23:30").await;
    // The start and the live status are refused all night; the brief comes once the server is back.
    phone.meets((0..200).map(|_| busy(None)));
    o.advance_to("2026-03-15 07:00").await;
    assert!(o.sounding().is_empty());
    phone.heals();
    o.advance_to("07:10").await;
    o.expect("🌅 1 ready").await;
    assert_eq!(o.sounding(), ["brief:2026-03-14"]);
    o.finish().await;
}

/// A folder stands where the picture should be written.
#[tokio::test]
async fn a_brief_comes_without_the_picture_that_could_not_be_made() {
    let (mut o, _) = with_phone().await;
    o.asks("/queue add Fix the labels | 1h | bug", "📝 #1").await;
    let place = o.engine().home().root().join("reports/2026-03-14.png");
    std::fs::create_dir_all(place.join("in the way")).unwrap();
    o.advance_to("2026-03-15 07:00").await;
    let brief = o.expect("🌅 1 ready").await;
    assert!(!brief.text.contains("📎"), "{}", brief.text);
    std::fs::remove_dir_all(&place).unwrap();
    o.advance_to("2026-03-16 07:00").await;
    let next = o.expect("🌅 Nothing was built").await;
    assert!(next.text.contains("📎 night-2026-03-15.png"), "{}", next.text);
    let reports: Vec<_> =
        std::fs::read_dir(place.parent().unwrap()).unwrap().flatten().map(|e| e.file_name()).collect();
    assert_eq!(reports.len(), 3, "two reports, one picture, nothing half written: {reports:?}");
    o.finish().await;
}

#[tokio::test]
async fn an_update_that_comes_twice_counts_once() {
    let (mut o, phone) = with_phone().await;
    let at = "2026-03-14T11:00:00Z".parse().unwrap();
    let update = |key: &str, text: &str| Incoming::new(key, FakePhone::SENDER, What::Text(text.into()), at);
    let first = update("77", "/queue add Fix the labels | 1h | bug");
    // Out of order, and the first one again after the bot has come back.
    o.keeps(&update("78", "/queue add Fix the names | 1h | bug")).await;
    o.keeps(&first).await;
    o.keeps(&first).await;
    o.settle().await;
    o.restarts().await;
    o.keeps(&first).await;
    o.settle().await;
    o.expect("📝 #1 Fix the names").await;
    o.expect("📝 #2 Fix the labels").await;
    o.asks("/queue", "🗒️ 2 in the queue").await;
    assert!(phone.unconfirmed().is_empty(), "{:?}", phone.unconfirmed());
    o.finish().await;
}
