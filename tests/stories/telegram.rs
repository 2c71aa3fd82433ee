//! What only happens on Telegram: its server down, slow or lying, taps, groups, files, people.

mod away;
mod faults;
mod people;
mod strangers;
mod taps;
mod trouble;

use crate::fake_telegram::FakeTelegram;
use crate::harness::{OWNER, On, OnTelegram, Overnight, Stage};
use std::sync::Arc;

const NOON: &str = "2026-03-14 12:00";

async fn at_noon() -> (Overnight, Arc<OnTelegram>, FakeTelegram) {
    let (o, telegram) = Stage::new(On::Phone).start_on_telegram(NOON, |_| {}).await;
    let fake = telegram.fake.clone();
    (o, telegram, fake)
}

#[tokio::test]
async fn a_message_becomes_a_card_and_the_card_a_task() {
    let (mut o, _, fake) = at_noon().await;
    fake.says(OWNER, OWNER, "make the list faster");
    o.hears().await;
    o.settle().await;
    let card = fake.bot_messages(OWNER).pop().unwrap();
    assert!(card.text.contains("Add this?") && card.silent, "{card:#?}");
    fake.taps(OWNER, OWNER, card.id, &card.data("⏱ 2h"));
    o.hears().await;
    o.settle().await;
    let asked = fake.bot_messages(OWNER).pop().unwrap();
    assert_eq!(asked.id, card.id, "the card changes in place");
    fake.taps(OWNER, OWNER, card.id, &asked.data("30m"));
    o.hears().await;
    o.settle().await;
    let card = fake.bot_messages(OWNER).pop().unwrap();
    fake.taps(OWNER, OWNER, card.id, &card.data("➕ Add"));
    o.hears().await;
    o.settle().await;
    assert_eq!(fake.bot_messages(OWNER).len(), 1, "{}", fake.transcript());
    assert_eq!(fake.toasts().pop().unwrap().text, "➕ #1 is in the queue");
    assert_eq!(o.task(1).await.spec.estimate_minutes, 30);
    o.reads_all();
    o.finish().await;
}

#[tokio::test]
async fn lines_files_and_forwards_become_tasks_and_never_commands() {
    let (mut o, _, fake) = at_noon().await;
    fake.says(OWNER, OWNER, "speed up the report\nfix the crash on save");
    o.hears().await;
    o.settle().await;
    assert_eq!(o.task(1).await.spec.title, "speed up the report");
    assert_eq!(o.task(2).await.spec.title, "fix the crash on save");
    fake.sends_document(OWNER, OWNER, ("notes.txt", b"/stop all\nthe cache is too small"), "tune the cache");
    o.hears().await;
    o.settle().await;
    let task = o.task(3).await;
    assert_eq!(task.spec.title, "tune the cache");
    assert!(task.spec.details.contains("From notes.txt:\n/stop all\nthe cache is too small"), "{}", task.spec.details);
    let stranger = fake.person(5, "Joey");
    fake.forwards(OWNER, OWNER, stranger, "/queue drop 1");
    o.hears().await;
    o.settle().await;
    assert_eq!(o.task(4).await.spec.title, "/queue drop 1");
    assert!(o.audited("dropped").await.is_empty());
    fake.sends_photo(OWNER, OWNER, ("cat.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\0\0\0\0"), "");
    o.hears().await;
    o.settle().await;
    o.expect("I can't read that: only text and text files are read").await;
    fake.sends_document(OWNER, OWNER, ("a.bin", &[0xff, 0xfe, 0, 1]), "look at this dump");
    o.hears().await;
    o.settle().await;
    o.expect("Without a.bin, which can't be read: it is not text").await;
    o.reads_all();
    o.finish().await;
}

#[tokio::test]
async fn an_edited_message_edits_its_task_and_voids_the_approval() {
    let (mut o, _, fake) = at_noon().await;
    let message = fake.says(OWNER, OWNER, "/queue add Build workout dashboard | 5h | feature");
    o.hears().await;
    o.settle().await;
    let card = o.expect("🔒 #1").await;
    o.taps(&card, "Approve").await;
    o.expect("is approved").await;
    fake.edits(OWNER, OWNER, message, "/queue add Build workout dashboard and charts | 5h | feature");
    o.hears().await;
    o.settle().await;
    assert_eq!(o.task(1).await.spec.title, "Build workout dashboard and charts");
    o.expect("Changed after you approved it").await;
    assert!(o.audited("edited").await[0].text.contains("its approval is void"));
    // A command is not given again, and what does not fit any more changes nothing.
    let command = fake.says(OWNER, OWNER, "/queue");
    o.hears().await;
    o.settle().await;
    o.reads_all();
    fake.edits(OWNER, OWNER, command, "/queue drop 1");
    o.hears().await;
    o.settle().await;
    assert!(o.audited("dropped").await.is_empty());
    let lines = fake.says(OWNER, OWNER, "one thing\nanother thing");
    o.hears().await;
    o.settle().await;
    fake.edits(OWNER, OWNER, lines, "one thing");
    o.hears().await;
    o.settle().await;
    o.expect("its edit does not fit them any more").await;
    o.reads_all();
    o.finish().await;
}

#[tokio::test]
async fn long_lists_turn_their_pages_in_place() {
    let (mut o, _, fake) = at_noon().await;
    for n in 1..=14 {
        o.says(&format!("/queue add Fix number {n} | 1h | bug | app")).await;
    }
    o.says("/queue add Build a thing | 1h | feature | app").await;
    o.reads_all();
    let list = o.asks("/queue", "🗒️ 15 in the queue").await;
    assert!(
        list.text.contains("Page 1 of 2") && list.text.contains("#12 ") && !list.text.contains("#13 "),
        "{}",
        list.text
    );
    let before = fake.bot_messages(OWNER).len();
    o.taps(&list, "▶").await;
    let list = o.again(&list);
    assert!(list.text.contains("Page 2 of 2") && list.text.contains("#15 "), "{}", list.text);
    o.taps(&list, "🔒 Locked").await;
    let list = o.again(&list);
    assert!(list.text.contains("#15 ") && !list.text.contains("#13 "), "{}", list.text);
    o.taps(&list, "All").await;
    assert!(o.again(&list).text.contains("Page 1 of 2"));
    assert_eq!(fake.bot_messages(OWNER).len(), before, "pages turn in place");
    o.reads_all();
    o.finish().await;
}

#[tokio::test]
async fn a_night_sounds_once_has_one_live_status_and_its_picture() {
    let (mut o, _, fake) = at_noon().await;
    o.says("/queue add Fix the labels | 1h | bug").await;
    o.advance_to("2026-03-15 07:30").await;
    let messages = fake.bot_messages(OWNER);
    let sounding: Vec<&str> = messages.iter().filter(|m| !m.silent).map(|m| m.text.lines().next().unwrap()).collect();
    assert_eq!(sounding, ["🌅 1 ready"]);
    let live: Vec<_> = messages.iter().filter(|m| m.text.contains("Build 1: Fix the labels")).collect();
    assert!(live.len() <= 1, "{}", fake.transcript());
    let picture = messages.iter().flat_map(|m| &m.files).find(|file| file.name.contains(".png")).expect("a picture");
    assert!(picture.name.starts_with("night-2026-03-14"), "{}", picture.name);
    assert!(messages.iter().all(|m| m.preview.as_ref().is_none_or(|p| p["is_disabled"] == true)), "previews are off");
    let log = o.asks("/log 1", "📜 #1").await;
    assert!(log.text.contains("📎 subagent_1.log"), "{}", log.text);
    let report = o.asks("/report", "📄").await;
    assert!(report.text.contains("📎 2026-03-14.json"), "{}", report.text);
    o.reads_all();
    o.finish().await;
}
