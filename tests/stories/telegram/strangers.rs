//! People who are not known: no answer, and no way to fill the disk or to keep the owner waiting.

use super::at_noon;
use crate::harness::{OWNER, Overnight};
use sqlx::Row;

/// Accounts, and what each of them sends.
const ACCOUNTS: i64 = 1_250;
const EACH: i64 = 4;

async fn number(o: &Overnight, query: &'static str) -> i64 {
    let mut conn = o.engine().store().read().await.unwrap();
    sqlx::query(query).fetch_one(&mut *conn).await.unwrap().get(0)
}

#[tokio::test]
async fn five_thousand_messages_of_strangers_cost_a_hundred_rows_and_the_owner_nothing() {
    let (mut o, _, fake) = at_noon().await;
    let text = "hello? ".repeat(500);
    for account in 0..ACCOUNTS {
        let stranger = fake.person(10_000 + account, "Janice");
        for _ in 0..EACH {
            fake.says(stranger, stranger, &text);
        }
        if account == ACCOUNTS / 2 {
            fake.says(OWNER, OWNER, "/queue add Fix the labels | 1h | bug");
        }
    }
    o.hears_all().await;
    o.expect("📝 #1").await;
    assert!(fake.unconfirmed().is_empty(), "all is taken off the server");
    assert_eq!(fake.requests("sendMessage"), 1, "nobody else is answered");
    let kept = number(&o, "SELECT COUNT(*) FROM inbox WHERE trouble = 'not known'").await;
    assert_eq!(kept, 100);
    assert_eq!(number(&o, "SELECT COUNT(*) FROM inbox").await, kept + 1);
    assert_eq!(o.audited("stranger").await.len(), 100);
    assert!(number(&o, "SELECT COUNT(*) FROM stranger").await <= 101);
    let longest = number(&o, "SELECT MAX(LENGTH(body)) FROM inbox WHERE trouble = 'not known'").await;
    assert!(longest < 1_000, "{longest} bytes of a stranger's message are kept");
    assert!(o.audited("strangers").await.is_empty(), "told once the hour is over");
    o.advance_to("13:10").await;
    let told: Vec<String> = o.audited("strangers").await.into_iter().map(|entry| entry.text).collect();
    assert_eq!(told, ["4900 more messages of people who are not known, between 12:00 and 13:00, only counted"]);
    // The day's room is used up; the next day has its own.
    fake.says(10_000, 10_000, "still nobody?");
    o.hears_all().await;
    assert_eq!(o.audited("stranger").await.len(), 100);
    o.advance_to("2026-03-15 13:10").await;
    fake.says(10_000, 10_000, "still nobody?");
    o.hears_all().await;
    assert_eq!(o.audited("stranger").await.len(), 101);
    assert_eq!(o.audited("strangers").await.len(), 2);
    assert!(number(&o, "SELECT COUNT(*) FROM stranger").await <= 2, "old counts are forgotten");
    o.reads_all();
    o.finish().await;
}

#[tokio::test]
async fn one_who_writes_all_the_time_leaves_room_for_others_and_no_file_is_fetched() {
    let (mut o, _, fake) = at_noon().await;
    let (loud, quiet) = (fake.person(5, "Loud"), fake.person(6, "Quiet"));
    for _ in 0..20 {
        fake.sends_document(loud, loud, ("notes.txt", b"read this"), "please");
    }
    fake.says(quiet, quiet, "hello?");
    o.hears_all().await;
    let who: Vec<String> = o.audited("stranger").await.into_iter().map(|entry| entry.actor).collect();
    assert_eq!(who, ["telegram:5", "telegram:5", "telegram:5", "telegram:6"]);
    assert_eq!(fake.requests("getFile"), 0, "a stranger's file is fetched");
    // Talk in a group is not even counted.
    let group = fake.group("Central Perk", &[OWNER, loud]);
    fake.says(loud, group, "lunch?");
    o.hears_all().await;
    assert_eq!(number(&o, "SELECT SUM(seen) FROM stranger").await, 21);
    assert_eq!(number(&o, "SELECT COUNT(*) FROM inbox").await, 4);
    o.finish().await;
}
