//! What people really type: too much, too little, the wrong number. Nothing typed is lost, and every answer says what to do.

use crate::harness::{Stage, both};
use overnight::domain::build::Outcome;
use overnight::domain::task::TaskState;

both!(
    a_megabyte_is_refused_and_kept,
    every_command_says_that_there_is_no_such_task,
    what_is_missing_is_asked_for,
    plain_text_becomes_a_question,
    odd_words_are_answered,
);

async fn a_megabyte_is_refused_and_kept(stage: Stage) {
    let mut o = stage.start("2026-03-14 12:00").await;
    let text = format!("/queue add Import this | 1h | bug {}", "x".repeat(1_000_000));
    o.asks(&text, "nothing was queued").await;
    o.asks("/queue", "📭 The queue is empty").await;
    let mut conn = o.engine().store().read().await.unwrap();
    let longest: i64 = sqlx::query_scalar("SELECT MAX(LENGTH(body)) FROM inbox").fetch_one(&mut *conn).await.unwrap();
    assert!(longest > 1_000_000, "what was typed is lost: {longest} bytes kept");
    drop(conn);
    o.finish().await;
}

async fn every_command_says_that_there_is_no_such_task(stage: Stage) {
    let mut o = stage.start("2026-03-14 12:00").await;
    for command in ["show", "edit", "drop"].map(|word| format!("/queue {word} 99")) {
        let command = if command.contains("edit") { format!("{command} | 2h") } else { command };
        o.asks(&command, "There is no task #99").await;
    }
    for command in ["approve", "reject", "log", "stop", "retry", "run", "why"] {
        o.asks(&format!("/{command} 99"), "There is no task #99").await;
    }
    o.asks("/queue add Fix it | 1h | bug | after #99", "There is no task #99 to wait for. Nothing was added").await;
    assert!(o.audit().await.iter().all(|entry| entry.kind != "queued"));
    o.finish().await;
}

async fn what_is_missing_is_asked_for(stage: Stage) {
    let mut o = stage.project("web").start("2026-03-14 22:50").await;
    let card = o.asks("/queue add Fix the crash of the list", "❔ #1").await;
    assert!(card.text.contains("Still to say: how long it takes, which project"), "{}", card.text);
    assert!(card.offers("4h") && card.offers("web") && card.offers("Forget it"), "{card:#?}");
    o.taps(&card, "4h").await;
    let card = o.again(&card);
    assert!(card.text.contains("Still to say: which project"), "the card changes where it was tapped: {}", card.text);
    o.taps(&card, "web").await;
    let card = o.again(&card);
    assert!(card.text.contains("📝 #1"), "{}", card.text);
    assert!(card.text.contains("4h · web"), "{}", card.text);
    assert_eq!(o.task(1).await.state, TaskState::Open);
    o.reads_all();
    o.advance_to("07:00").await;
    o.expect("🌅 1 ready").await;
    assert_eq!(o.outcomes(1).await, [Some(Outcome::Verified)]);
    o.finish().await;
}

async fn plain_text_becomes_a_question(stage: Stage) {
    let mut o = stage.start("2026-03-14 22:50").await;
    let card = o.asks("the login is slow\n\nabout ten seconds since Monday", "❔ #1 the login is slow").await;
    assert!(card.text.contains("about ten seconds since Monday"), "{}", card.text);
    o.advance_to("23:30").await;
    assert!(o.builds().await.is_empty(), "a remark was built");
    o.taps(&card, "⏱ 2h").await;
    let card = o.again(&card);
    assert!(card.text.contains("How long may it take?"), "{}", card.text);
    o.taps(&card, "4h").await;
    let card = o.again(&card);
    assert!(card.text.contains("Add this?") && card.text.contains("4h"), "{}", card.text);
    o.taps(&card, "Add").await;
    o.reads_all();
    assert_eq!(o.task(1).await.spec.estimate_minutes, 240);
    assert_ne!(o.task(1).await.state, TaskState::Draft);
    let forgotten = o.asks("something else", "❔ #2").await;
    o.taps(&forgotten, "Forget it").await;
    o.expect("out of the queue").await;
    assert_eq!(o.task(2).await.state, TaskState::Dropped);
    o.advance_to("07:00").await;
    o.expect("🌅").await;
    o.finish().await;
}

async fn odd_words_are_answered(stage: Stage) {
    let mut o = stage.start("2026-03-14 12:00").await;
    o.asks("/aprove 3", "Did you mean /approve?").await;
    o.asks("/stop", "/stop 12, or /stop all").await;
    o.asks("/queue add", "What shall I queue?").await;
    o.asks("/queue edit 1 | whatever", "names nothing to change").await;
    o.asks("/night dance", "use one of: start, stop, pause, resume, skip").await;
    o.asks("/brief", "There has been no night yet").await;
    o.asks("/report", "No report was written yet").await;
    o.asks("/review", "Nothing is ready to review").await;
    o.asks("/keep", "There is no session of the last day to go on with").await;
    o.asks("/night stop", "No session is open").await;
    // Titles are data, whatever they look like.
    let title = "<b>\u{202e}evil\u{1b}[2J</b> & 'quotes' \"double\"; DROP TABLE task";
    o.asks(&format!("/queue add {title} | 1h | bug"), "#1").await;
    assert_eq!(o.task(1).await.spec.title, title);
    o.asks("/queue drop 1", "out of the queue").await;
    o.finish().await;
}
