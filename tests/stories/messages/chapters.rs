//! A day, a night and a morning in which all goes its way.

use super::Album;
use crate::harness::OWNER;
use insta::assert_snapshot;
use overnight::domain::resource::Sample;

#[tokio::test]
async fn a_day() {
    let mut album = Album::begin(Album::stage(), "2026-03-14 12:00").await;
    for text in ["/start", "/help", "/help queue", "/help night", "/queue", "/status", "/review", "/brief", "/report"] {
        album.says(text).await;
    }
    // A message becomes a task.
    album.says("the login is slow\n\nabout ten seconds since Monday").await;
    for label in ["🏷", "Performance", "📁", "app", "❗", "high", "⏱", "30m", "➕ Add"] {
        album.taps("#1 the login", label).await;
    }
    album.says("speed up the report\nfix the crash on save").await;
    album.taps("#3 fix the crash", "Forget it").await;
    album.taps("#2 speed up", "📁").await;
    album.taps("#2 speed up", "↩ Back").await;
    album.says("/queue add Fix the crash of the list").await;
    album.taps("#4 Fix the crash", "4h").await;
    // What is locked.
    album.says("/queue add Build workout dashboard | 5h | feature | app | details: With charts.\nAnd a table.").await;
    for label in ["✅ Approve", "↩ Undo", "💤 Later", "✖️ Reject"] {
        album.taps("#5 Build workout", label).await;
    }
    let (card, _) = album.button("#5 Build workout", "Undo");
    album.fake.replies(OWNER, OWNER, card, "not before the launch");
    album.hears("(a reply to the card) not before the launch").await;
    album.taps("#5 Build workout", "↩ Undo").await;
    album.says("/queue add Post the news | 1h | action | external | ! ./post.sh \"spring news\" | after #5").await;
    album.says("/queue add Load the data | 2h | bug | not before 02:00").await;
    album.says("/queue edit 7 | high | 3h").await;
    // Looking.
    for text in ["/queue", "/queue show 5", "/queue show 6", "/why 1", "/why 5", "/status", "/review"] {
        album.says(text).await;
    }
    album.taps("in the queue ·", "🔒 Locked").await;
    album.taps("in the queue ·", "🗒️ All").await;
    for n in 8..=14 {
        album.o.says(&format!("/queue add Fix number {n} | 1h | bug | app")).await;
    }
    album.note("(seven more are queued)");
    album.says("/queue").await;
    album.taps("Page 1 of 2", "▶").await;
    for text in ["/queue drop 8 9", "/approve 5 7", "/reject 6 too early", "/retry 6", "/snooze 6", "/undo 5"] {
        album.says(text).await;
    }
    for text in ["/health", "/metrics", "/audit 4", "/log 1", "/night pause", "/night pause", "/status"] {
        album.says(text).await;
    }
    for text in ["/night resume", "/night resume", "/night skip", "/night skip", "/stop all", "/keep"] {
        album.says(text).await;
    }
    assert_snapshot!(album.end().await);
}

#[tokio::test]
async fn a_night() {
    let stage = Album::stage().project("web").project("api").set("limits", "disk_stop_after_minutes = 720");
    let stage = stage.machine("2026-03-15 02:05", |sample| fuller(sample, 85));
    let stage = stage.machine("2026-03-15 03:05", |sample| fuller(sample, 40));
    let mut album = Album::begin(stage, "2026-03-14 22:50").await;
    for text in [
        "/queue add Optimize the cache | 4h | perf | app | details: agent_waits",
        "/queue add Document the fitness API | 3h | docs | web | details: agent_waits agent_documents",
        "/queue add Fix the rounding | 1h | bug | api | details: agent_waits",
        "/queue add Fix the labels | 1h | bug | low | app | details: agent_transient_once",
        "/queue add Fix the names | 1h | bug | low | web | details: agent_breaks",
        "/queue add Speed up the list | 1h | perf | low | api | details: agent_no_change",
        "/queue add Speed up the login | 1h | perf | low | api | details: agent_fails",
        "/queue add Build a dashboard | 5h | new features | low | app",
    ] {
        album.o.says(text).await;
    }
    album.note("(eight are queued)");
    album.says("/queue add Fix the crash of the list").await;
    album.taps("#9 Fix the crash", "4h").await;
    album.until("23:00").await;
    album.says("/status").await;
    album.until("23:12").await;
    album.until("2026-03-15 00:40").await;
    for text in ["/status", "/why 4", "/queue", "/queue show 1", "/stop 8"] {
        album.says(text).await;
    }
    album.o.releases(3).await;
    album.note("(the agent of #3 is done)");
    album.until("2026-03-15 01:10").await;
    album.until("2026-03-15 02:40").await;
    for text in ["/status", "/run 4"] {
        album.says(text).await;
    }
    album.until("2026-03-15 03:40").await;
    album.taps("#2 Document", "Stop").await;
    album.until("2026-03-15 03:41").await;
    album.until("06:35").await;
    album.says("/status").await;
    album.until("07:00").await;
    album.taps("🌅", "Review").await;
    album.taps("🌅", "Keep building").await;
    album.taps("🌅", "Approve").await;
    for text in ["/status", "/brief", "/report", "/log 5 5", "/queue show 5", "/why 5", "/retry 5", "/metrics"] {
        album.says(text).await;
    }
    album.o.releases(1).await;
    album.note("(the agent of #1 is done)");
    album.says("/night stop").await;
    album.until("13:00").await;
    assert_snapshot!(album.end().await);
}

#[tokio::test]
async fn the_morning_after() {
    let mut album = Album::begin(Album::stage(), "2026-03-14 21:58").await;
    for text in [
        "/queue add Optimize the cache | 1h | perf | app",
        "/queue add Fix the names | 1h | bug | app",
        "/queue add Document the API | 1h | docs | app | details: agent_documents",
    ] {
        album.o.says(text).await;
    }
    album.o.advance_to("07:00").await;
    album.note("(three are built, and the brief is read)");
    album.o.disowns("app");
    album.taps("🌅", "Review").await;
    album.taps("#1 Optimize", "📄 Diff").await;
    album.taps("#1 Optimize", "🚢 Ship").await;
    album.taps("#1 Optimize", "↩ Revert").await;
    album.taps("#2 Fix the names", "🗑 Discard").await;
    album.taps("#2 Fix the names", "↩ Undo").await;
    let readme = album.o.checkout("app").join("README.md");
    std::fs::write(&readme, "half a sentence").unwrap();
    album.note("(the owner is writing the README)");
    for text in ["/ship 2 3", "/why 2", "/undo 2", "/ship 9", "/revert 2", "/discard 3", "/ship 4 5 x"] {
        album.says(text).await;
    }
    crate::harness::git(&album.o.checkout("app"), &["commit", "-q", "-am", "README"]);
    album.note("(and commits it)");
    album.until("07:05").await;
    for text in ["/ship all", "/review", "/oplog 5", "/audit 5"] {
        album.says(text).await;
    }
    assert_snapshot!(album.end().await);
}

#[tokio::test]
async fn what_agents_wait_for() {
    let mut stage = Album::stage().set("budget", "build_tokens = 100_000").cli("claude", "claude");
    for project in ["web", "api", "shop"] {
        stage = stage.project(project);
    }
    let mut album = Album::begin(stage, "2026-03-14 21:58").await;
    let reset = album.o.moment("2026-03-15 02:00").timestamp();
    album.o.notes_say("reset", &reset.to_string());
    for (title, project, words) in [
        ("Tidy the API", "api", "claude_asks"),
        ("Fix the site", "web", "claude_denied"),
        ("Speed up the shop", "shop", "claude_spends"),
        ("Speed up the cache", "app", "claude_limited"),
    ] {
        album.o.says(&format!("/queue add {title} | 1h | perf | {project} | claude | details: {words}")).await;
    }
    album.note("(four are queued)");
    album.until("23:30").await;
    for text in ["/status", "/why 1", "/why 4", "/queue"] {
        album.says(text).await;
    }
    album.until("01:00").await;
    for text in ["/answer 2 yes", "/answer 1", "/answer 1 Yes, keep it.", "/status"] {
        album.says(text).await;
    }
    album.until("07:00").await;
    for text in ["/review", "/why 2", "/why 3"] {
        album.says(text).await;
    }
    assert_snapshot!(album.end().await);
}

fn fuller(sample: &mut Sample, percent: u64) {
    let mount = &mut sample.mounts[0];
    mount.used_bytes = mount.total_bytes / 100 * percent;
    mount.available_bytes = mount.total_bytes - mount.used_bytes;
}
