//! A bot that was off for a night: what Telegram kept meanwhile is done in its order, once, and answered as late.

use super::{FakeTelegram, OWNER};
use crate::fake_telegram::faults::Batch;
use crate::harness::{On, OnTelegram, Overnight, Shown, Stage};
use chrono::TimeDelta;
use overnight::domain::task::TaskState;
use std::sync::Arc;

const EVENING: &str = "2026-03-14 21:50";

/// The bot's process is gone from now until this moment, when another one begins.
async fn comes_back(o: &mut Overnight, telegram: &OnTelegram, moment: &str) {
    let (gone, back) = (o.now(), o.moment(moment));
    telegram.fake.set_time(back.timestamp());
    o.clock_is_at(back);
    let front = telegram.followed(o.clock(), |options| {
        options.last_alive = Some(gone);
        options.taps_live = TimeDelta::seconds(150);
    });
    o.changes_front(Arc::new(front)).await;
}

/// Taps what a card shows, at this local time.
fn taps_at(o: &Overnight, fake: &FakeTelegram, time: &str, card: &Shown, label: &str) {
    fake.set_time(o.moment(time).timestamp());
    fake.taps(OWNER, OWNER, card.reference.parse().unwrap(), card.button(label));
}

fn says_at(o: &Overnight, fake: &FakeTelegram, time: &str, text: &str) -> i64 {
    fake.set_time(o.moment(time).timestamp());
    fake.says(OWNER, OWNER, text)
}

#[tokio::test]
async fn what_came_in_while_the_bot_was_off_for_a_night_is_done_once_in_order_and_answered_as_late() {
    let (mut o, telegram) = Stage::new(On::Phone).start_on_telegram(EVENING, |_| {}).await;
    let fake = telegram.fake.clone();
    fake.set_time(o.now().timestamp());
    let dashboard = o.asks("/queue add Build workout dashboard | 5h | feature", "🔒 #1").await;
    let export = o.asks("/queue add Build an export | 2h | feature", "🔒 #2").await;
    let before = fake.bot_messages(OWNER).len();

    // Kept for a day by this server, taps too; only their answers at the button come too late.
    fake.set_ages(86_400, 86_400, 150);
    says_at(&o, &fake, "22:05", "/queue add Fix the labels | 1h | bug");
    taps_at(&o, &fake, "22:10", &dashboard, "Approve");
    let plain = says_at(&o, &fake, "22:15", "make the list faster");
    taps_at(&o, &fake, "22:20", &export, "Reject");
    says_at(&o, &fake, "22:40", "/night skip");
    says_at(&o, &fake, "23:30", "/run 3");
    says_at(&o, &fake, "23:55", "/queue edit 3 | 2h");
    fake.disturbs(Batch::Again);
    comes_back(&mut o, &telegram, "2026-03-15 10:00").await;
    o.hears_all().await;
    o.hears_all().await;

    assert!(fake.unconfirmed().is_empty(), "{:?}", fake.unconfirmed());
    let all = fake.bot_messages(OWNER);
    let said: Vec<&str> = all[before..].iter().map(|message| message.text.as_str()).collect();
    let late = |at: &str| format!("(Late: you wrote this Sat {at}, and I read it only now.)");
    let place = |words: &str, lateness: &str| {
        let found = said.iter().position(|text| text.contains(words) && text.contains(lateness));
        found.unwrap_or_else(|| panic!("no {words:?} with {lateness:?} in {said:#?}"))
    };
    // The cards come again before anything else is answered, as a shorter outage would have lost taps.
    let order = [
        place("📵 I could not be reached from 21:50 to 10:00", ""),
        // The card of the first message; the edit has its own below.
        place("#3 was changed; see the newer card", ""),
        place("make the list faster", &late("22:15")),
        place("it is not done. Write it again", &late("22:40")),
        place("it is not done. Write it again", &late("23:30")),
        place("#3 Fix the labels", &late("23:55")),
    ];
    assert!(order.is_sorted(), "{order:?} in {said:#?}");
    // Too late for a note at the button: the answers to the taps are messages.
    assert!(fake.toasts().is_empty(), "{:?}", fake.toasts());
    place("✅ #1 \"Build workout dashboard\" is approved", "");
    place("✖️ #2 \"Build an export\" is rejected", "");

    for (kind, times) in [("approved", 1), ("rejected", 1), ("edited", 1), ("skip", 0), ("run", 0), ("queued", 4)] {
        assert_eq!(o.audited(kind).await.len(), times, "{kind}: {said:#?}");
    }
    assert_eq!(o.task(3).await.spec.estimate_minutes, 120, "the edit came after what it edits");
    assert_eq!(o.task(2).await.state, TaskState::Dropped);
    // An edit of a late message finds its task, as any other does.
    fake.edits(OWNER, OWNER, plain, "make the long list faster");
    o.hears_all().await;
    assert_eq!(o.task(4).await.spec.title, "make the long list faster");
    o.reads_all();
    o.finish().await;
}

#[tokio::test]
async fn what_is_read_a_moment_later_is_not_called_late_and_what_telegram_forgot_is_not_missed() {
    let (mut o, telegram) = Stage::new(On::Phone).start_on_telegram("2026-03-14 12:00", |_| {}).await;
    let fake = telegram.fake.clone();
    fake.set_time(o.now().timestamp());
    says_at(&o, &fake, "12:05", "/queue");
    comes_back(&mut o, &telegram, "2026-03-14 12:15").await;
    o.hears_all().await;
    let answer = o.expect("📭 The queue is empty").await;
    assert!(!answer.text.contains("Late"), "{}", answer.text);
    // Older than Telegram keeps anything: gone, and nothing is made up for it.
    says_at(&o, &fake, "12:20", "/queue add Fix the labels | 1h | bug");
    comes_back(&mut o, &telegram, "2026-03-15 12:30").await;
    o.hears_all().await;
    assert!(o.audited("queued").await.is_empty());
    o.reads_all();
    o.finish().await;
}
