//! What is mistyped, too late, too long, from others, or lost on its way.

use super::Album;
use crate::fake_telegram::faults::Fault;
use crate::harness::{OWNER, OnTelegram};
use chrono::TimeDelta;
use insta::assert_snapshot;
use overnight::chat::telegram::TelegramOptions;
use std::sync::Arc;

#[tokio::test]
async fn mistakes() {
    let mut album = Album::begin(Album::stage(), "2026-03-14 12:00").await;
    for text in [
        "/aprove 3",
        "/frobnicate",
        "/approve",
        "/approve seven",
        "/approve 99",
        "/stop",
        "/queue add",
        "/queue frob",
        "/queue add Write a novel | 12h | bug",
        "/queue add Fix it | 1h | bug | after #99",
        "/queue add Post it | action | external | ! ./post.sh \"spring",
        "/queue add Fix it | 1h | bug | nosuchproject",
        "/night dance",
        "/night stop",
        "/keep until later",
        "/health please",
        "/status now",
        "/log 1 many",
        "/help nothing",
        "/",
        "/undo 99",
    ] {
        album.says(text).await;
    }
    album.says(&format!("/queue add Import this | 1h | bug {}", "x".repeat(5_000))).await;
    album.fake.sends_photo(
        OWNER,
        OWNER,
        ("cat.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\0\0\0\0"),
        "",
    );
    album.hears("(a picture)").await;
    album.fake.sends_document(OWNER, OWNER, ("a.bin", &[0xff, 0xfe, 0, 1]), "look at this dump");
    album.hears("(a file that is no text, with: look at this dump)").await;
    album.fake.sends_document(OWNER, OWNER, ("notes.txt", b"/stop all\nthe cache is too small"), "tune the cache");
    album.hears("(a text file, with: tune the cache)").await;
    let message = album.fake.says(OWNER, OWNER, "/queue add Build a dashboard | 5h | feature");
    album.hears("/queue add Build a dashboard | 5h | feature").await;
    album.taps("Build a dashboard", "✅ Approve").await;
    album.fake.edits(OWNER, OWNER, message, "/queue add Build a big dashboard | 5h | feature");
    album.hears("(the message is edited: Build a big dashboard)").await;
    let lines = album.fake.says(OWNER, OWNER, "one thing\nanother thing");
    album.hears("one thing\nanother thing").await;
    album.fake.edits(OWNER, OWNER, lines, "one thing");
    album.hears("(the message is edited: one thing)").await;
    // Buttons that are too late.
    let (id, approve) = album.button("Build a big", "Approve");
    album.says("/queue edit 5 title: Build another dashboard").await;
    album.fake.taps_stale(OWNER, OWNER, id, &approve);
    album.hears("[✅ Approve] of the card before the change").await;
    album.taps("Build another", "✅ Approve").await;
    let (id, undo) = album.button("Build another", "Undo");
    album.fake.taps(OWNER, OWNER, id, &undo);
    album.fake.taps(OWNER, OWNER, id, &undo);
    album.o.hears().await;
    album.hears("[↩ Undo] twice").await;
    album.fake.taps_stale(OWNER, OWNER, id, "00000000000000000000000000000000");
    album.hears("(a button nobody made)").await;
    let (id, late) = album.button("Build another", "Approve");
    album.says("/night skip").await;
    album.until("2026-03-15 13:00").await;
    album.fake.taps(OWNER, OWNER, id, &late);
    album.hears("[✅ Approve] a day later").await;
    fill_the_queue(&album).await;
    album.says("/queue add One more | 1h | bug").await;
    assert_snapshot!(album.end().await);
}

/// As many copies of a dropped task as the queue has room for.
async fn fill_the_queue(album: &Album) {
    let mut tx = album.o.engine().store().begin().await.expect("a transaction");
    let names: Vec<String> = sqlx::query_scalar("SELECT name FROM pragma_table_info('task') WHERE name <> 'id'")
        .fetch_all(&mut *tx)
        .await
        .expect("columns");
    let columns = names.join(", ");
    let copies = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {}) \
         INSERT INTO task ({columns}) SELECT {columns} FROM task, n WHERE id = 5",
        overnight::domain::task::limits::OPEN_TASKS
    );
    sqlx::query(sqlx::AssertSqlSafe(copies)).execute(&mut *tx).await.expect("copies");
    tx.commit().await.expect("room");
}

#[tokio::test]
async fn others() {
    let kim = 2002;
    let stage = Album::stage().set("telegram", "approvers = [2002]").variable("TELEGRAM_BOT_TOKEN", "1:test");
    let mut album = Album::begin_with(stage, "2026-03-14 12:00", |options| options.people.push((kim, false))).await;
    album.fake.person(kim, "Kim");
    let forum = album.fake.forum("Work", &[OWNER, kim]);
    let topic = album.fake.topic(forum, "Nights");
    album.chats.extend([(kim, "Kim's chat, "), (forum, "in the group, ")]);
    let listed = OnTelegram::on(album.fake.clone(), album.o.clock(), |options| {
        options.chats = vec![forum];
        options.people.push((kim, false));
    });
    album.o.changes_front(Arc::new(listed)).await;
    album.says("/queue add Build workout dashboard | 5h | feature").await;
    for text in ["/start", "/queue drop 1", "fix the cache", "/queue", "/approve 1"] {
        album.fake.says(kim, kim, text);
        album.hears(&format!("(Kim) {text}")).await;
    }
    for text in ["lunch?", "/queue@SomebodyElsesBot"] {
        album.fake.says_in(OWNER, forum, topic, text);
        album.o.hears_all().await;
        album.note(&format!("(in a topic of a group) {text}"));
    }
    for text in ["/queue", "/queue add Post the news | 1h | external | app"] {
        album.fake.says_in(OWNER, forum, topic, text);
        album.hears(&format!("(in a topic of a group) {text}")).await;
    }
    let card = album.fake.bot_messages(forum).pop().expect("a card");
    album.fake.taps(kim, forum, card.id, &card.data("✅ Approve"));
    album.hears("(Kim, in the group) [✅ Approve]").await;
    assert_snapshot!(album.end().await);
}

#[tokio::test]
async fn the_way_to_the_phone() {
    let mut album = Album::begin(Album::stage(), "2026-03-14 12:00").await;
    album.fake.fails(Some("sendMessage"), 1, Fault::LosesAnswer);
    album.o.says("/queue add Build workout dashboard | 5h | feature").await;
    album.until("12:05").await;
    let conflict = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running";
    album.fake.fails(Some("getUpdates"), 3, Fault::status(409, conflict));
    album.fake.says(OWNER, OWNER, "/queue");
    album.o.hears().await;
    album.hears("/queue (while another program reads the bot's messages)").await;
    album.o.advance_to("2026-03-15 06:55").await;
    album.note("(a night of which nothing can be built)");
    album.fake.cut();
    album.o.advance_to("2026-03-15 09:10").await;
    album.fake.restore();
    album.until("2026-03-15 09:20").await;
    album.hears("(the other program was not met again)").await;
    album.fake.blocks(OWNER, OWNER);
    album.hears("(the owner blocks the bot)").await;
    album.o.advance_to("2026-03-16 07:10").await;
    for text in album.o.said_on_the_terminal().await {
        album.note(&format!("(on the terminal) {text}"));
    }
    album.fake.unblocks(OWNER, OWNER);
    album.hears("(and unblocks it)").await;
    album.until("2026-03-16 08:15").await;
    assert_snapshot!(album.end().await);
}

#[tokio::test]
async fn an_outage() {
    let forgets_taps = |options: &mut TelegramOptions| options.taps_live = TimeDelta::seconds(150);
    let mut album = Album::begin_with(Album::stage(), "2026-03-14 12:00", forgets_taps).await;
    album.says("/queue add Build workout dashboard | 5h | feature").await;
    album.fake.cut();
    album.o.advance_to("2026-03-14 14:00").await;
    album.fake.restore();
    album.fake.says(OWNER, OWNER, "/why 1");
    album.hears("(two hours later, the network is back)").await;
    album.hears("/why 1").await;
    assert_snapshot!(album.end().await);
}
