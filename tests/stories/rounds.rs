//! Agents that have to wait: for a limit, for their owner's account, for an answer; and those that have used enough.
//! The agent is a script that prints what Claude Code prints.

use crate::harness::{OWNER, On, Overnight, Stage, both};
use chrono::{DateTime, Utc};
use overnight::domain::build::{BuildStep, Outcome};

both!(
    a_limit_parks_the_build_and_the_same_session_goes_on_at_the_reset,
    a_limit_that_outlasts_the_night_goes_on_in_the_next,
    a_question_becomes_a_card_and_the_reply_goes_on_with_the_session,
    an_unanswered_question_is_in_the_brief_and_waits,
    what_was_denied_is_never_counted_as_done,
);

/// A stage whose first agent is the scripted Claude Code.
fn claude(stage: Stage) -> Stage {
    stage.cli("claude", "claude")
}

fn resets(o: &Overnight, moment: &str) -> DateTime<Utc> {
    let at = o.moment(moment);
    o.notes_say("reset", &at.timestamp().to_string());
    at
}

/// The rounds of a task, as the script noted them: session and whether it went on.
fn rounds(o: &Overnight, task: i64) -> Vec<(String, String)> {
    let mine = |line: &String| {
        let mut words = line.strip_prefix(&format!("round {task} "))?.split(' ');
        Some((words.next()?.to_owned(), words.next()?.to_owned()))
    };
    o.journal().iter().filter_map(mine).collect()
}

async fn a_limit_parks_the_build_and_the_same_session_goes_on_at_the_reset(stage: Stage) {
    let mut o = claude(stage).project("web").start("2026-03-14 21:58").await;
    resets(&o, "2026-03-15 01:30");
    o.says("/queue add Speed up the cache | 2h | perf | app | claude | details: claude_limited").await;
    o.says("/queue add Speed up the login | 1h | perf | low | app | claude").await;
    o.says("/queue add Fix the names | 1h | bug | low | web | script").await;
    o.advance_to("23:40").await;
    let build = o.build_of(1).await;
    assert_eq!(build.step, BuildStep::Parked);
    // Started before anybody knew, or not at all: never against the limit.
    assert_eq!(o.outcomes(3).await, [Some(Outcome::Verified)], "the slot is free for another agent");
    o.reads_all();
    let status = o.asks("/status", "🅿️").await;
    assert!(status.text.contains("#1 Speed up the cache: parked"), "{}", status.text);
    assert!(status.text.contains("5-hour limit"), "{}", status.text);
    o.reads_all();
    let why = o.asks("/why 1", "#1").await;
    assert!(why.text.contains("Parked until Sun 01:30"), "{}", why.text);

    o.advance_to("01:29").await;
    assert_eq!(rounds(&o, 1).len(), 1, "nothing begins before the reset");
    o.advance_to("01:40").await;
    let seen = rounds(&o, 1);
    assert_eq!(seen.len(), 2);
    assert_eq!((seen[0].1.as_str(), seen[1].1.as_str()), ("new", "yes"));
    assert_eq!(seen[0].0, seen[1].0, "the same session goes on");
    let build = o.build_of(1).await;
    assert_eq!((build.outcome, build.attempt, build.round), (Some(Outcome::Verified), 1, 1));
    assert_eq!(o.task(1).await.attempts, 1, "a limit is no attempt");
    let files = o.files("app", &build);
    assert!(files.contains(&"half-1.txt".to_owned()) && files.contains(&"work-1.txt".to_owned()), "{files:?}");
    assert!(build.waited.num_minutes() > 120, "{:?}", build.waited);

    o.advance_to("07:00").await;
    let brief = o.expect("🌅").await;
    assert!(brief.text.contains("⏳ Usage limits") && brief.text.contains("5-hour limit"), "{}", brief.text);
    let report = o.report("2026-03-14");
    assert_eq!(report["usage_limits"].as_array().map(Vec::len), Some(1), "{report}");
    assert!(report["tasks"][0]["runtime_hours"].as_f64().unwrap() < 1.0, "waiting is not building: {report}");
    assert_eq!(o.outcomes(2).await, [Some(Outcome::Verified)]);
    o.reads_all();
    o.finish().await;
}

async fn a_limit_that_outlasts_the_night_goes_on_in_the_next(stage: Stage) {
    let mut o = claude(stage).start("2026-03-14 21:58").await;
    resets(&o, "2026-03-15 14:00");
    o.says("/queue add Speed up the cache | 2h | perf | app | claude | details: claude_limited").await;
    o.advance_to("07:00").await;
    let brief = o.expect("🌅").await;
    assert!(brief.text.contains("🅿️ Parked") && brief.text.contains("Speed up the cache"), "{}", brief.text);
    assert!(brief.text.contains("no attempt is counted"), "{}", brief.text);
    assert_eq!(o.report("2026-03-14")["tasks_waiting"], 1);
    o.restarts().await;
    o.advance_to("22:00").await;
    assert_eq!(rounds(&o, 1).len(), 1, "nothing is built by day");
    o.advance_to("23:40").await;
    assert_eq!(o.outcomes(1).await, [Some(Outcome::Verified)]);
    assert_eq!(rounds(&o, 1).len(), 2);
    o.advance_to("07:00").await;
    let brief = o.expect("🌅 1 ready").await;
    assert!(brief.text.contains("✅ Speed up the cache"), "{}", brief.text);
    o.reads_all();
    o.finish().await;
}

async fn a_question_becomes_a_card_and_the_reply_goes_on_with_the_session(stage: Stage) {
    let mut o = claude(stage).start("2026-03-14 21:58").await;
    resets(&o, "2026-03-15 14:00");
    o.says("/queue add Tidy the API | 2h | perf | app | claude | details: claude_asks").await;
    o.advance_to("23:20").await;
    let card = o.expect("💬 #1 Tidy the API asks you").await;
    assert!(card.text.contains("Keep version 1 of the API?"), "{}", card.text);
    assert!(!o.sounding().iter().any(|key| key.starts_with("question")), "a question wakes nobody");
    o.says("/answer 1 no, `drop` it").await;
    o.expect("understood, it goes on as soon as there is room").await;
    o.advance_to("23:40").await;
    assert_eq!(o.outcomes(1).await, [Some(Outcome::Verified)]);
    let seen = rounds(&o, 1);
    assert_eq!((seen.len(), &seen[0].0), (2, &seen[1].0));
    let told = o.note("told-1-2").unwrap();
    assert!(told.contains("no, `drop` it"), "{told}");
    assert_eq!(o.task(1).await.attempts, 1);
    let refused = o.asks("/answer 1 again", "#1 asks nothing now").await;
    assert!(!refused.text.contains("understood"));
    o.reads_all();
    o.finish().await;
}

async fn an_unanswered_question_is_in_the_brief_and_waits(stage: Stage) {
    let mut o = claude(stage).start("2026-03-14 21:58").await;
    resets(&o, "2026-03-15 14:00");
    o.says("/queue add Tidy the API | 2h | perf | app | claude | details: claude_asks").await;
    o.advance_to("07:00").await;
    let brief = o.expect("🌅").await;
    assert!(brief.text.contains("🔒 Needs you") && brief.text.contains("asks you"), "{}", brief.text);
    assert!(brief.text.contains("Keep version 1 of the API?"), "{}", brief.text);
    o.advance_to("12:00").await;
    o.says("/answer 1 keep it").await;
    o.expect("understood, it goes on tonight").await;
    o.advance_to("23:40").await;
    assert_eq!(o.outcomes(1).await, [Some(Outcome::Verified)]);
    o.reads_all();
    o.finish().await;
}

async fn what_was_denied_is_never_counted_as_done(stage: Stage) {
    let mut o = claude(stage).start("2026-03-14 21:58").await;
    o.says("/queue add Speed up the cache | 2h | perf | app | claude | details: claude_denied").await;
    o.advance_to("07:00").await;
    assert_eq!(o.outcomes(1).await, [Some(Outcome::Denied)]);
    let brief = o.expect("🌅").await;
    assert!(brief.text.contains("🚫 Something was denied") && brief.text.contains("git push"), "{}", brief.text);
    assert!(!brief.text.contains("🚀 What shipped"), "{}", brief.text);
    let build = o.build_of(1).await;
    assert!(o.files("app", &build).contains(&"work-1.txt".to_owned()), "what it left is kept");
    o.reads_all();
    o.finish().await;
}

#[tokio::test]
async fn what_a_cli_keeps_for_itself_is_no_part_of_its_work() {
    let stage = Stage::new(On::Phone).cli("aider", "aider").file(".aider.input.history", "the project's own\n");
    let mut o = stage.start("2026-03-14 21:58").await;
    o.says("/queue add Speed up the cache | 2h | perf | app | aider").await;
    o.advance_to("07:00").await;
    let build = o.build_of(1).await;
    assert_eq!(build.outcome, Some(Outcome::Verified), "{}", build.reason);
    let files: Vec<String> = o.files("app", &build).into_iter().filter(|file| file.contains("aider")).collect();
    assert_eq!(files, [".aider.conf.yml", ".aider.input.history"], "settings and what was there before are work");
    let change = build.change.as_ref().map(|change| change.paths.clone());
    assert_eq!(change, Some([".aider.conf.yml", ".aider.input.history", "work-1.txt"].map(str::to_owned).to_vec()));
    o.reads_all();
    o.finish().await;
}

#[tokio::test]
async fn status_shows_how_far_an_agents_own_list_is() {
    let mut o = claude(Stage::new(On::Phone)).start("2026-03-14 21:58").await;
    o.says("/queue add Speed up the cache | 2h | perf | app | claude | details: claude_lists").await;
    o.advance_to("23:40").await;
    o.reads_all();
    let status = o.asks("/status", "🔨").await;
    assert!(status.text.contains("50 %") && status.text.contains("Writing the cache"), "{}", status.text);
    assert!(status.text.contains("2 answers") && !status.text.contains("by the estimate"), "{}", status.text);
    o.releases(1).await;
    o.advance_to("07:00").await;
    assert_eq!(o.outcomes(1).await, [Some(Outcome::Verified)]);
    o.reads_all();
    o.finish().await;
}

#[tokio::test]
async fn a_reply_to_the_question_is_the_answer() {
    let stage = claude(Stage::new(On::Telegram));
    let (mut o, telegram) = stage.start_on_telegram("2026-03-14 21:58", |_| {}).await;
    resets(&o, "2026-03-15 14:00");
    o.says("/queue add Tidy the API | 2h | perf | app | claude | details: claude_asks").await;
    o.advance_to("23:20").await;
    let card = o.expect("💬 #1 Tidy the API asks you").await;
    telegram.fake.replies(OWNER, OWNER, card.reference.parse().unwrap(), "use version 2");
    o.hears().await;
    o.settle().await;
    o.advance_to("23:40").await;
    assert_eq!(o.outcomes(1).await, [Some(Outcome::Verified)]);
    assert!(o.note("told-1-2").unwrap().contains("use version 2"));
    o.reads_all();
    o.finish().await;
}

#[tokio::test]
async fn every_restart_on_the_way_comes_to_the_same() {
    let mut o = claude(Stage::new(On::Phone)).restless().start("2026-03-14 21:58").await;
    resets(&o, "2026-03-15 01:30");
    o.says("/queue add Speed up the cache | 2h | perf | app | claude | details: claude_limited").await;
    o.advance_to("07:00").await;
    let build = o.build_of(1).await;
    assert_eq!((build.outcome, build.attempt, rounds(&o, 1).len()), (Some(Outcome::Verified), 1, 2));
    // The session's total, not the sum of the rounds' totals.
    assert!((build.spent.usd - 0.2).abs() < 1e-9, "{:?}", build.spent);
    o.reads_all();
    o.finish().await;
}

#[tokio::test]
async fn an_unknown_reset_is_probed_by_one_build_at_growing_distances() {
    let mut o = claude(Stage::new(On::Phone)).project("web").start("2026-03-14 21:58").await;
    resets(&o, "2026-03-15 14:00");
    for project in ["app", "web"] {
        o.says(&format!("/queue add Speed up {project} | 2h | perf | {project} | claude | details: claude_unclear"))
            .await;
    }
    o.advance_to("02:00").await;
    let tries = rounds(&o, 1).len() + rounds(&o, 2).len();
    // Both began unknowing at 23:10; then one at a time: 23:25, 23:55, 00:55.
    assert_eq!(tries, 5, "{:?}", o.journal());
    assert!(o.task(1).await.attempts == 1 && o.task(2).await.attempts == 1);
    o.notes_say("free", "");
    o.advance_to("03:30").await;
    for task in [1, 2] {
        assert_eq!(o.outcomes(task).await, [Some(Outcome::Verified)]);
    }
    o.reads_all();
    o.finish().await;
}

#[tokio::test]
async fn an_account_that_needs_its_owner_burns_no_attempts_and_is_said() {
    let mut o = claude(Stage::new(On::Phone)).start("2026-03-14 21:58").await;
    o.says("/queue add Speed up the cache | 2h | perf | app | claude | details: claude_signed_out").await;
    o.advance_to("07:00").await;
    let brief = o.expect("🌅").await;
    assert!(brief.text.contains("Not logged in"), "{}", brief.text);
    assert_eq!(o.task(1).await.attempts, 1);
    o.notes_say("signed-in", "");
    o.advance_to("07:00").await;
    assert_eq!(o.outcomes(1).await, [Some(Outcome::Verified)]);
    o.reads_all();
    o.finish().await;
}

#[tokio::test]
async fn another_agent_steps_in_where_one_is_named() {
    let stage = Stage::new(On::Phone).cli_with("claude", "claude", "fallback = [\"script\"]");
    let mut o = stage.set("limits", "max_builds = 1").start("2026-03-14 21:58").await;
    resets(&o, "2026-03-15 05:00");
    o.says("/queue add Speed up the cache | 2h | perf | app | claude | details: claude_limited").await;
    o.says("/queue add Speed up the login | 1h | perf | low | app | claude").await;
    o.advance_to("04:00").await;
    assert_eq!(o.outcomes(2).await, [Some(Outcome::Verified)]);
    assert_eq!(o.build_of(2).await.agent.as_deref(), Some("script"));
    o.advance_to("07:00").await;
    assert_eq!(o.outcomes(1).await, [Some(Outcome::Verified)]);
    o.reads_all();
    o.finish().await;
}

#[tokio::test]
async fn a_build_that_reaches_its_cap_is_stopped_and_what_it_left_is_kept() {
    let stage = claude(Stage::new(On::Phone)).set("budget", "build_tokens = 100_000");
    let mut o = stage.start("2026-03-14 21:58").await;
    o.says("/queue add Speed up the cache | 2h | perf | app | claude | details: claude_spends").await;
    o.advance_to("00:00").await;
    assert_eq!(o.outcomes(1).await, [Some(Outcome::OverBudget)]);
    let build = o.build_of(1).await;
    assert!(build.reason.contains("403 k of 100 k tokens used"), "{}", build.reason);
    assert_eq!(build.spent.tokens, 403_030);
    o.advance_to("07:00").await;
    let brief = o.expect("🌅").await;
    assert!(brief.text.contains("budget") && brief.text.contains("🪙 Agents used"), "{}", brief.text);
    o.reads_all();
    o.finish().await;
}

#[tokio::test]
async fn the_nights_cap_lets_nothing_more_begin() {
    let stage = claude(Stage::new(On::Phone)).set("budget", "night_tokens = 1500");
    let mut o = stage.set("limits", "max_builds = 1").start("2026-03-14 21:58").await;
    for title in ["the cache", "the login", "the list"] {
        o.says(&format!("/queue add Speed up {title} | 1h | perf | app | claude")).await;
    }
    o.advance_to("07:00").await;
    assert_eq!(o.builds().await.len(), 2, "the second one reached it");
    let brief = o.expect("🌅").await;
    assert!(brief.text.contains("the night's budget"), "{}", brief.text);
    o.reads_all();
    o.finish().await;
}

#[tokio::test]
async fn a_window_that_is_nearly_used_up_is_left_alone_before_its_wall() {
    let mut o = claude(Stage::new(On::Phone)).set("limits", "max_builds = 1").start("2026-03-14 21:58").await;
    resets(&o, "2026-03-15 03:00");
    o.says("/queue add Speed up the cache | 1h | perf | app | claude | details: claude_nearly").await;
    o.says("/queue add Speed up the login | 1h | perf | low | app | claude").await;
    o.advance_to("02:59").await;
    assert_eq!((o.outcomes(1).await, o.outcomes(2).await), (vec![Some(Outcome::Verified)], vec![]));
    o.reads_all();
    let why = o.asks("/why 2", "#2").await;
    assert!(why.text.contains("99 % of its five_hour limit is used"), "{}", why.text);
    o.advance_to("03:10").await;
    assert_eq!(o.outcomes(2).await, [Some(Outcome::Verified)]);
    o.reads_all();
    o.finish().await;
}

#[tokio::test]
async fn a_parked_build_can_be_stopped_and_keeps_what_it_has() {
    let mut o = claude(Stage::new(On::Phone)).start("2026-03-14 21:58").await;
    resets(&o, "2026-03-15 05:00");
    o.says("/queue add Speed up the cache | 2h | perf | app | claude | details: claude_limited").await;
    o.advance_to("23:40").await;
    o.says("/stop 1").await;
    o.advance_to("23:45").await;
    assert_eq!(o.outcomes(1).await, [Some(Outcome::Stopped)]);
    let build = o.build_of(1).await;
    assert!(o.files("app", &build).contains(&"half-1.txt".to_owned()));
    assert_eq!(rounds(&o, 1).len(), 1);
    o.reads_all();
    o.finish().await;
}

#[tokio::test]
async fn a_builds_time_is_what_it_works_over_all_rounds_and_waiting_is_none() {
    let mut o = claude(Stage::new(On::Phone)).set("build", "timeout = \"1h\"").start("2026-03-14 21:58").await;
    resets(&o, "2026-03-15 03:30");
    o.says("/queue add Speed up the cache | 2h | perf | app | claude | details: claude_limited claude_slow").await;
    o.advance_to("23:50").await;
    o.releases(1).await;
    assert_eq!(o.build_of(1).await.step, BuildStep::Parked, "after forty minutes");
    // More than its hour later it goes on, with the twenty minutes that are left.
    o.advance_to("2026-03-15 03:49").await;
    assert_eq!((o.building().await, rounds(&o, 1).len()), (vec![1], 2), "{}", o.tail().await);
    o.advance_to("2026-03-15 03:51").await;
    assert_eq!(o.outcomes(1).await, [Some(Outcome::TimedOut)], "{}", o.tail().await);
    let build = o.build_of(1).await;
    assert!(o.files("app", &build).contains(&"half-1.txt".to_owned()), "what it has done is kept");
    assert_eq!((build.attempt, build.waited.num_minutes()), (1, 220));
    o.advance_to("07:00").await;
    o.reads_all();
    o.finish().await;
}

#[tokio::test]
async fn a_machine_that_slept_takes_nothing_of_a_builds_time() {
    let mut o = claude(Stage::new(On::Phone)).set("build", "timeout = \"1h\"").start("2026-03-14 21:58").await;
    o.says("/queue add Speed up the cache | 2h | perf | app | claude | details: claude_slow").await;
    o.advance_to("23:40").await;
    // The lid is closed for two hours.
    o.clock_is_set_to("2026-03-15 01:40").await;
    assert_eq!(o.building().await, [1], "{}", o.tail().await);
    o.advance_to("02:08").await;
    assert_eq!(o.building().await, [1], "{}", o.tail().await);
    o.advance_to("02:12").await;
    assert_eq!(o.outcomes(1).await, [Some(Outcome::TimedOut)], "{}", o.tail().await);
    o.advance_to("07:00").await;
    o.reads_all();
    o.finish().await;
}
