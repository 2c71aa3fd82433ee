//! The edges of a night: what still builds at seven, building by day, and the owner's hand on the brake.

use crate::harness::{Stage, both};
use overnight::domain::build::Outcome;
use overnight::domain::session::{Phase, SessionKind};

both!(
    a_build_that_runs_past_the_brief_is_told_twice,
    keep_building_goes_on_until_noon,
    a_task_is_run_by_day,
    a_paused_night_starts_nothing,
    a_stopped_night_says_so,
    a_session_is_started_by_hand,
    one_build_is_stopped_and_tried_again,
    eight_hours_are_the_most,
);

const HELD: &str = "/queue add Fix the labels | 1h | bug | details: agent_waits";

async fn a_build_that_runs_past_the_brief_is_told_twice(stage: Stage) {
    let mut o = stage.start("2026-03-14 21:58").await;
    o.asks("/queue add Optimize the cache | 8h | perf | details: agent_waits", "📝 #1").await;
    o.advance_to("06:29").await;
    o.asks("/queue add Fix the names | 1h | bug | details: agent_waits", "🔨 #2").await;
    o.advance_to("06:31").await;
    o.asks("/queue add Fix the rest | 1h | bug", "📝 #3").await;
    o.advance_to("07:00").await;
    let brief = o.expect("🌅 Nothing ready · 2 still building").await;
    assert!(brief.text.contains("🔨 Optimize the cache (40% complete)"), "{}", brief.text);
    assert!(brief.text.contains("The percentage is the agent's own"), "{}", brief.text);
    assert!(brief.text.contains("agent says: “half of it works”"), "{}", brief.text);
    assert_eq!(o.building().await, [1, 2], "a build began after 06:30");
    let report = o.report("2026-03-14");
    assert_eq!((&report["tasks_in_progress"], &report["tasks_completed"]), (&2.into(), &0.into()));
    // What the owner reads at night is not read again: the brief stays as it was sent.
    o.advance_to("07:05").await;
    o.releases(1).await;
    let end = o.expect("✅ #1 Optimize the cache: verified").await;
    assert!(end.silent && end.text.contains("3 tests pass"), "{end:#?}");
    o.advance_to("09:00").await;
    o.releases(2).await;
    o.expect("✅ #2 Fix the names: verified").await;
    o.advance_to("20:00").await;
    assert_eq!(o.sounding(), ["brief:2026-03-14"]);
    assert_eq!(o.builds().await.len(), 2);
    o.finish().await;
}

async fn keep_building_goes_on_until_noon(stage: Stage) {
    let mut o = stage.set("limits", "max_builds = 1").start("2026-03-14 21:58").await;
    for task in 1..=3 {
        o.asks(&format!("/queue add Fix label {task} | 1h | bug | details: agent_waits"), "📝").await;
    }
    o.advance_to("07:00").await;
    let brief = o.expect("🌅 Nothing ready · 1 still building").await;
    assert!(brief.text.contains("Should I keep building?"), "{}", brief.text);
    o.advance_to("07:05").await;
    o.releases(1).await;
    o.expect("✅ #1 Fix label 1: verified").await;
    assert!(o.building().await.is_empty(), "a build began after 06:30 though nobody asked");
    o.taps(&brief, "Keep building").await;
    o.expect("🔨 Building goes on until 12:00, under the same limits").await;
    assert_eq!(o.building().await, [2], "one permit is one permit by day too");
    o.advance_to("11:00").await;
    o.releases(2).await;
    o.expect("✅ #2 Fix label 2: verified").await;
    assert_eq!(o.building().await, [3]);
    o.asks("/queue add Fix label 4 | 1h | bug", "📝 #4").await;
    o.advance_to("12:00").await;
    o.releases(3).await;
    o.expect("✅ #3 Fix label 3: verified").await;
    o.advance_to("22:00").await;
    assert_eq!(o.outcomes(4).await, [], "a build began after noon");
    assert_eq!(o.sounding(), ["brief:2026-03-14"]);
    o.finish().await;
}

async fn a_task_is_run_by_day(stage: Stage) {
    let mut o = stage.start("2026-03-14 12:00").await;
    o.asks("/queue add Fix the labels | 1h | bug", "📝 #1").await;
    o.asks("/queue add Build a dashboard | 5h | new features", "🔒 #2").await;
    o.asks("/why 1", "builds start at 23:10, /run 1 builds it now").await;
    o.asks("/run 1", "🔨 #1 \"Fix the labels\" is built now").await;
    o.expect("✅ #1 Fix the labels: verified").await;
    o.asks("/run 2", "#2 can't be built now: locked").await;
    o.asks("/run 1", "#1 is done; /retry 1 queues it again").await;
    assert_eq!(o.sessions().await[0].kind, SessionKind::Single);
    assert_eq!(o.sessions().await[0].phase, Phase::Closed);
    assert!(o.sounding().is_empty());
    o.finish().await;
}

async fn a_paused_night_starts_nothing(stage: Stage) {
    let mut o = stage.start("2026-03-14 21:58").await;
    o.asks(HELD, "📝 #1").await;
    o.advance_to("23:10").await;
    o.asks("/night pause", "⏸ Paused: nothing new starts, running builds go on").await;
    o.asks("/queue add Fix the names | 1h | bug", "📝 #2").await;
    o.advance_to("02:00").await;
    assert_eq!(o.building().await, [1]);
    assert_eq!(o.outcomes(2).await, []);
    o.asks("/why 2", "but paused: /night resume").await;
    o.releases(1).await;
    o.asks("/night resume", "▶️ Resumed").await;
    assert_eq!(o.outcomes(2).await, [Some(Outcome::Verified)]);
    o.advance_to("07:00").await;
    o.expect("🌅 2 ready").await;
    o.finish().await;
}

async fn a_stopped_night_says_so(stage: Stage) {
    let mut o = stage.start("2026-03-14 21:58").await;
    o.asks(HELD, "📝 #1").await;
    o.advance_to("23:30").await;
    o.asks("/night stop", "⏹ The session ends: nothing new starts, one build is being stopped").await;
    assert_eq!(o.outcomes(1).await, [Some(Outcome::Stopped)]);
    o.asks("/queue add Fix the names | 1h | bug", "📝 #2").await;
    o.advance_to("07:00").await;
    let brief = o.expect("🌅 Stopped by you").await;
    assert!(brief.text.contains("The agent was stopped by you"), "{}", brief.text);
    assert_eq!(o.outcomes(2).await, []);
    assert_eq!(o.report("2026-03-14")["stopped"], true);
    o.finish().await;
}

async fn a_session_is_started_by_hand(stage: Stage) {
    let mut o = stage.start("2026-03-14 12:00").await;
    o.asks("/queue add Fix the labels | 1h | bug", "📝 #1").await;
    o.asks("/night start", "🌙 A session starts now").await;
    o.expect("🌅 1 ready").await;
    o.advance_to("2026-03-15 07:00").await;
    o.expect("🌅").await;
    let kinds: Vec<_> = o.sessions().await.into_iter().map(|session| session.kind).collect();
    assert_eq!(kinds, [SessionKind::Manual, SessionKind::Nightly], "a session by hand replaces no night");
    o.finish().await;
}

async fn one_build_is_stopped_and_tried_again(stage: Stage) {
    let mut o = stage.start("2026-03-14 21:58").await;
    o.asks(HELD, "📝 #1").await;
    o.asks("/stop 1", "#1 is not being built now").await;
    o.advance_to("23:30").await;
    o.asks("/retry 1", "#1 is being built now").await;
    o.asks("/stop 1", "⏹ Stopping #1").await;
    assert_eq!(o.outcomes(1).await, [Some(Outcome::Stopped)]);
    o.asks("/stop all", "Nothing is being built").await;
    o.asks("/retry 1", "🔁 #1 \"Fix the labels\" is queued again").await;
    o.advance_to("23:40").await;
    o.releases(1).await;
    assert_eq!(o.outcomes(1).await, [Some(Outcome::Stopped), Some(Outcome::Verified)]);
    o.advance_to("07:00").await;
    o.expect("🌅 1 ready").await;
    o.finish().await;
}

async fn eight_hours_are_the_most(stage: Stage) {
    let mut o = stage.start("2026-03-14 21:58").await;
    o.asks(HELD, "📝 #1").await;
    o.advance_to("07:09").await;
    o.expect("🌅 Nothing ready · 1 still building").await;
    assert_eq!(o.outcomes(1).await, [None]);
    o.advance_to("07:10").await;
    assert_eq!(o.outcomes(1).await, [Some(Outcome::TimedOut)]);
    let end = o.expect("❌ #1 Fix the labels: timed out").await;
    assert!(end.text.contains("ran into its time limit"), "{}", end.text);
    o.finish().await;
}
