//! Who may speak, where, and what they see.

use super::{NOON, at_noon};
use crate::harness::{OWNER, On, Stage};
use overnight::chat::telegram::TelegramOptions;

#[tokio::test]
async fn a_stranger_gets_no_answer_and_no_menu() {
    let (mut o, _, fake) = at_noon().await;
    let stranger = fake.person(666, "Janice");
    fake.says(stranger, stranger, "/queue");
    o.hears().await;
    o.settle().await;
    assert!(fake.bot_messages(stranger).is_empty());
    assert_eq!(o.audited("stranger").await.len(), 1);
    o.says("/queue").await;
    assert!(fake.commands(stranger, stranger).is_empty());
    assert!(fake.commands(OWNER, OWNER).iter().any(|(name, _)| name == "queue"));
    o.reads_all();
    o.finish().await;
}

#[tokio::test]
async fn an_approver_decides_and_reads_and_nothing_else() {
    let kim = 2002;
    let stage = Stage::new(On::Phone).set("telegram", "approvers = [2002]");
    let (mut o, telegram) = stage
        .variable("TELEGRAM_BOT_TOKEN", "1:test")
        .start_on_telegram(NOON, |options: &mut TelegramOptions| options.people.push((kim, false)))
        .await;
    let fake = telegram.fake.clone();
    fake.person(kim, "Kim");
    o.says("/queue add Build workout dashboard | 5h | feature").await;
    o.reads_all();
    for (text, answer) in [
        ("/queue drop 1", "Only the owner can do that"),
        ("fix the cache", "Only the owner can do that"),
        ("/queue", "🗒️ 1 in the queue"),
        ("/approve 1", "✅ #1"),
    ] {
        fake.says(kim, kim, text);
        o.hears().await;
        o.settle().await;
        let said = fake.bot_messages(kim).pop().unwrap();
        assert!(said.text.contains(answer), "{text}: {}", said.text);
    }
    assert_eq!(o.audited("approved").await[0].actor, "telegram:2002");
    let menu: Vec<String> = fake.commands(kim, kim).into_iter().map(|(name, _)| name).collect();
    assert!(menu.contains(&"undo".into()) && !menu.contains(&"run".into()), "{menu:?}");
    o.reads_all();
    o.finish().await;
}

#[tokio::test]
async fn an_approver_takes_back_what_they_decided_and_nothing_else() {
    let (kim, lee) = (2002, 3003);
    let (mut o, telegram) = Stage::new(On::Phone)
        .set("telegram", "approvers = [2002, 3003]")
        .variable("TELEGRAM_BOT_TOKEN", "1:test")
        .start_on_telegram(NOON, |options: &mut TelegramOptions| options.people.extend([(kim, false), (lee, false)]))
        .await;
    let fake = telegram.fake.clone();
    fake.person(kim, "Kim");
    fake.person(lee, "Lee");
    o.says("/queue add Build workout dashboard | 5h | feature").await;
    let refused = "Somebody else decided that about #1; only they or the owner can take it back";
    for (who, text, answer) in [
        (kim, "/undo 1", "There is no decision about #1 to take back"),
        (kim, "/approve 1", "is approved"),
        (lee, "/undo 1", refused),
        (kim, "/undo 1", "its approval is taken back"),
        (kim, "/reject 1 too early", "is rejected: too early"),
        (lee, "/undo 1", refused),
        (kim, "/undo 1", "it is in the queue again"),
        (OWNER, "/approve 1", "is approved"),
        (kim, "/undo 1", refused),
        (OWNER, "/undo 1", "its approval is taken back"),
        (OWNER, "/queue drop 1", "out of the queue"),
        (kim, "/undo 1", refused),
        (OWNER, "/undo 1", "it is in the queue again"),
        (kim, "/reject 1", "is rejected"),
        (OWNER, "/undo 1", "it is in the queue again"),
        (kim, "/snooze 1", "Only the owner can do that"),
    ] {
        fake.says(who, who, text);
        o.hears().await;
        o.settle().await;
        let said = fake.bot_messages(who).pop().unwrap();
        assert!(said.text.contains(answer), "{who}: {text}: {}", said.text);
    }
    // The same by the button on a card that shows the other one's decision.
    fake.says(kim, kim, "/approve 1");
    o.hears().await;
    fake.says(lee, lee, "/queue show 1");
    o.hears().await;
    o.settle().await;
    let card = fake.bot_messages(lee).pop().unwrap();
    fake.taps(lee, lee, card.id, &card.data("↩ Undo"));
    o.hears().await;
    o.settle().await;
    assert!(fake.toasts().pop().unwrap().text.contains("Somebody else decided that"), "{}", fake.transcript());
    let undone: Vec<String> = o.audited("undone").await.into_iter().map(|entry| entry.actor).collect();
    assert_eq!(undone, ["telegram:2002", "telegram:2002", "telegram:1001", "telegram:1001", "telegram:1001"]);
    o.reads_all();
    o.finish().await;
}

#[tokio::test]
async fn an_approver_gives_no_reason_in_the_place_of_who_rejected() {
    let kim = 2002;
    let stage = Stage::new(On::Phone).set("telegram", "approvers = [2002]").variable("TELEGRAM_BOT_TOKEN", "1:test");
    let (mut o, telegram) = stage.start_on_telegram(NOON, |_| {}).await;
    let fake = telegram.fake.clone();
    fake.person(kim, "Kim");
    let group = fake.group("Central Perk", &[OWNER, kim]);
    let listed = telegram.followed(o.clock(), |options| {
        options.chats = vec![group];
        options.people.push((kim, false));
    });
    o.changes_front(std::sync::Arc::new(listed)).await;
    fake.says(OWNER, group, "/queue add Build workout dashboard | 5h | feature");
    o.hears_all().await;
    let card = fake.bot_messages(group).pop().unwrap();
    fake.taps(OWNER, group, card.id, &card.data("✖️ Reject"));
    o.hears_all().await;
    fake.replies(kim, group, card.id, "because I say so");
    o.hears_all().await;
    let said = fake.bot_messages(group).pop().unwrap();
    assert!(said.text.contains("Somebody else decided that about #1"), "{}", fake.transcript());
    fake.says(kim, group, "/undo 1");
    o.hears_all().await;
    assert!(o.audited("undone").await.is_empty(), "{}", fake.transcript());
    assert_eq!(o.audited("rejected").await.len(), 1);
    o.reads_all();
    o.finish().await;
}

#[tokio::test]
async fn groups_count_only_when_listed_and_commands_have_to_be_meant_for_the_bot() {
    let (mut o, telegram) =
        Stage::new(On::Phone).start_on_telegram(NOON, |options: &mut TelegramOptions| options.chats = vec![]).await;
    let fake = telegram.fake.clone();
    let closed = fake.group("Central Perk", &[OWNER]);
    fake.says(OWNER, closed, "/queue");
    o.hears().await;
    o.settle().await;
    assert!(fake.bot_messages(closed).is_empty());
    o.reads_all();
    o.finish().await;

    let (mut o, telegram) = Stage::new(On::Phone).start_on_telegram(NOON, |_| {}).await;
    let fake = telegram.fake.clone();
    let stranger = fake.person(666, "Janice");
    let (group, forum) = (fake.group("Central Perk", &[OWNER, stranger]), fake.forum("Work", &[OWNER]));
    let topic = fake.topic(forum, "Nights");
    // The same server, as a bot that lists the groups.
    let change = |options: &mut TelegramOptions| options.chats = vec![group, forum];
    let listed = std::sync::Arc::new(crate::harness::OnTelegram::on(fake.clone(), o.clock(), change));
    o.changes_front(listed).await;
    fake.says(OWNER, group, "lunch?");
    fake.says(OWNER, group, "/queue@SomebodyElsesBot");
    o.hears().await;
    o.hears().await;
    o.settle().await;
    assert!(fake.bot_messages(group).is_empty(), "{}", fake.transcript());
    fake.says(OWNER, group, "/queue");
    o.hears_all().await;
    assert!(fake.bot_messages(group)[0].text.contains("The queue is empty"), "{}", fake.transcript());
    // Who is not known may see a card there, but decides nothing.
    fake.says(OWNER, group, "/queue add Build workout dashboard | 5h | feature | app");
    o.hears_all().await;
    let card = fake.bot_messages(group).pop().unwrap();
    fake.taps(stranger, group, card.id, &card.data("✅ Approve"));
    o.hears_all().await;
    assert!(o.audited("approved").await.is_empty() && fake.toasts().is_empty(), "{:?}", fake.toasts());
    assert_eq!(o.audited("stranger").await.len(), 1);
    fake.says_in(OWNER, forum, topic, "/queue");
    o.hears_all().await;
    let said = fake.bot_messages(forum).pop().unwrap();
    assert_eq!(said.topic, Some(topic), "the answer stays in its topic");
    // The group becomes a supergroup: what is said goes on.
    let migrated = fake.migrates(group);
    let moved = |options: &mut TelegramOptions| options.chats = vec![group, migrated];
    let listed = std::sync::Arc::new(crate::harness::OnTelegram::on(fake.clone(), o.clock(), moved));
    o.changes_front(listed).await;
    fake.says(OWNER, migrated, "/queue");
    o.hears_all().await;
    assert!(fake.bot_messages(migrated)[0].text.contains("1 in the queue"), "{}", fake.transcript());
    o.reads_all();
    o.finish().await;
}
