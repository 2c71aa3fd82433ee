//! Nights on the leash: what builds, checks and agents may do by default, and what is said where nothing holds.

use crate::harness::{On, Overnight, Stage};
use overnight::domain::build::Outcome;

/// A night with one task, on what this machine can hold.
async fn night(stage: Stage, task: &str) -> Overnight {
    let mut o = stage.start("2026-03-14 21:58").await;
    o.says(task).await;
    o.advance_to("07:00").await;
    o
}

#[tokio::test]
async fn a_night_works_on_the_leash_and_the_brief_has_nothing_to_say_about_it() {
    let stage = Stage::new(On::Phone).cli("claude", "claude").held();
    let mut o = stage.start("2026-03-14 21:58").await;
    o.notes_say("reset", "1773538200");
    o.says("/queue add Speed up the cache | 2h | perf | app").await;
    o.says("/queue add Document the API | 1h | docs | app | claude | details: claude_limited").await;
    o.advance_to("07:00").await;
    for task in [1, 2] {
        assert_eq!(o.outcomes(task).await, [Some(Outcome::Verified)], "#{task}: {}", o.tail().await);
        assert_eq!(o.build_of(task).await.loose, None);
    }
    let brief = o.expect("🌅 2 ready").await;
    assert!(!brief.text.contains("unsandboxed") && !brief.text.contains("🔓"), "{}", brief.text);
    o.reads_all();
    o.finish().await;
}

#[tokio::test]
async fn an_agent_reaches_neither_the_checkout_nor_the_bots_own_files() {
    let mut o = night(
        Stage::new(On::Phone).variable("TELEGRAM_BOT_TOKEN_CANARY", "canary-4711").held(),
        "/queue add Speed up the cache | 2h | perf | app | details: agent_pries",
    )
    .await;
    assert_eq!(o.outcomes(1).await, [Some(Outcome::Verified)]);
    let seen = o.note("pried").expect("the agent left its findings");
    for line in seen.lines() {
        let (what, came_of_it) = line.split_once(": ").unwrap();
        assert_eq!(came_of_it, "no", "{what}: {seen}");
    }
    assert_eq!(seen.lines().count(), 7, "{seen}");
    o.reads_all();
    // Among other things it compares every byte of the checkout with the evening's.
    o.finish().await;
}

#[tokio::test]
async fn where_nothing_holds_the_brief_says_so_plainly() {
    let mut o = night(Stage::new(On::Phone), "/queue add Speed up the cache | 2h | perf | app").await;
    let brief = o.expect("🌅 1 ready").await;
    assert!(brief.text.contains("🔓 #1 ran unsandboxed"), "{}", brief.text);
    o.reads_all();
    o.finish().await;
}

#[tokio::test]
async fn a_check_is_on_the_leash_too() {
    let stage = Stage::new(On::Phone);
    let secret = stage.folder.path().join("secret");
    std::fs::write(&secret, "do not read").unwrap();
    // Passes only where the secret can't be read.
    let spy = format!("cat '{}' > /dev/null 2>&1 && exit 1\nexit 0\n", secret.display());
    let stage = stage.file("spy.sh", &spy).checked_by(&["sh", "spy.sh"]);
    let mut o = night(stage.held(), "/queue add Speed up the cache | 2h | perf | app").await;
    assert_eq!(o.outcomes(1).await, [Some(Outcome::Verified)], "{}", o.tail().await);
    o.reads_all();
    o.finish().await;
}

/// The same connection for two tasks, of which one is of a category with that host.
#[tokio::test]
#[cfg(target_os = "linux")]
async fn a_category_may_reach_hosts_of_its_own_and_the_others_may_not() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let line = format!("category_hosts = {{ bug_fix = [\"127.0.0.1:{port}\"] }}");
    let mut o = Stage::new(On::Phone).held().set("isolation", &line).start("2026-03-14 21:58").await;
    o.notes_say("port", &port.to_string());
    o.says("/queue add Speed up the cache | 2h | perf | app | details: agent_connects").await;
    o.says("/queue add Fix the names | 1h | bug | app | details: agent_connects").await;
    o.advance_to("07:00").await;
    for task in [1, 2] {
        assert_eq!(o.outcomes(task).await, [Some(Outcome::Verified)], "#{task}: {}", o.tail().await);
        assert_eq!(o.build_of(task).await.loose, None);
    }
    assert_eq!((o.note("connected-1"), o.note("connected-2").is_some()), (None, true));
    o.reads_all();
    o.finish().await;
}
