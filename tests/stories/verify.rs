//! Done means verified: what our own run of the project's check says, and what is told when it can't be run.

use crate::harness::{Overnight, Stage, both, git};
use overnight::domain::build::Outcome;
use std::fs;
use std::os::unix::ffi::OsStrExt;

both!(
    a_red_base_is_said_first_and_results_are_judged_by_names,
    a_check_that_wavers_is_called_flaky,
    without_a_check_nothing_is_proven,
    a_setup_that_fails_names_itself,
    one_broken_project_does_not_stop_the_others,
    a_name_that_is_no_text_is_kept,
    a_task_builds_on_the_one_it_waits_for,
);

async fn night(o: &mut Overnight, tasks: &[&str]) {
    for task in tasks {
        o.says(task).await;
    }
    o.reads_all();
    o.advance_to("07:00").await;
}

async fn a_red_base_is_said_first_and_results_are_judged_by_names(stage: Stage) {
    let mut o = stage.file("broken", "").start("2026-03-14 22:50").await;
    let tasks = [
        "/queue add Tidy the cache | 1h | perf",
        "/queue add Fix the sums | 1h | bug | details: agent_mends",
        "/queue add Fix the names | 1h | bug | details: agent_unreads",
    ];
    night(&mut o, &tasks).await;
    let brief = o.expect("🌅 2 ready · 1 failed · 1 needs you").await;
    let red = brief.text.find("🔴 Red before anything was built app").expect("it is said");
    assert!(brief.text[red..].contains("fails: adds up"), "{}", brief.text);
    assert!(red < brief.text.find("🚀 What shipped").unwrap(), "it is said first: {}", brief.text);
    assert_eq!(o.build_of(1).await.reason, "no new failures; 1 still red as before");
    assert!(o.build_of(2).await.reason.starts_with("mends 1 test that failed before"), "{:?}", o.build_of(2).await);
    assert_eq!(o.build_of(3).await.outcome, Some(Outcome::TestsFailed));
    assert_eq!(o.build_of(3).await.reason, "breaks 1 test: reads names");
    let tests = &o.report("2026-03-14")["tasks"][1]["tests"];
    assert_eq!(tests["mended"][0], "adds up");
    o.asks("/log 3", "not ok 2 - reads names").await;
    o.finish().await;
}

async fn a_check_that_wavers_is_called_flaky(stage: Stage) {
    let mut o = stage.start("2026-03-14 22:50").await;
    night(&mut o, &["/queue add Fix the names | 1h | bug | details: agent_flaky"]).await;
    let brief = o.expect("🌅 Nothing ready · 1 unverified").await;
    assert!(brief.text.contains("The tests failed once and passed once on the very same commit"), "{}", brief.text);
    assert!(brief.text.contains("Not counted as completed"), "{}", brief.text);
    assert_eq!(o.report("2026-03-14")["tasks_completed"], 0);
    o.finish().await;
}

async fn without_a_check_nothing_is_proven(stage: Stage) {
    let mut o = stage.unchecked().start("2026-03-14 22:50").await;
    night(&mut o, &["/queue add Fix the names | 1h | bug"]).await;
    let brief = o.expect("🌅 Nothing ready · 1 unverified").await;
    assert!(brief.text.contains("The project has no verify command"), "{}", brief.text);
    assert!(brief.text.contains("agent says: “everything works, all tests pass”"), "{}", brief.text);
    o.finish().await;
}

async fn a_setup_that_fails_names_itself(stage: Stage) {
    let mut o = stage.with("setup = [\"sh\", \"-c\", \"exit 9\"]").start("2026-03-14 22:50").await;
    night(&mut o, &["/queue add Fix the names | 1h | bug"]).await;
    let brief = o.expect("🌅 Nothing ready · 1 failed").await;
    assert!(brief.text.contains("the setup command ended with exit status 9"), "{}", brief.text);
    assert!(o.journal().is_empty(), "the agent ran all the same");
    o.finish().await;
}

async fn one_broken_project_does_not_stop_the_others(stage: Stage) {
    let stage = stage.project("web").project("api").with("agent = \"absent\"").agent("absent", "/nowhere/agent");
    let mut o = stage.start("2026-03-14 22:50").await;
    o.disowns("web");
    fs::remove_dir_all(o.checkout("web")).unwrap();
    let tasks = [
        "/queue add Fix the names | 1h | bug | web",
        "/queue add Fix the sums | 1h | bug | api",
        "/queue add Fix the labels | 1h | bug | app",
        "/queue add Fix the shop | 1h | bug | app | agent: nobody",
    ];
    night(&mut o, &tasks).await;
    let brief = o.expect("🌅 1 ready · 2 failed").await;
    let gone = o.build_of(1).await;
    assert!(gone.reason.contains("src/web") && gone.reason.contains("folder"), "{}", gone.reason);
    let absent = o.build_of(2).await;
    assert!(absent.reason.contains("/nowhere/agent"), "{}", absent.reason);
    assert!(brief.text.contains("✅ Fix the labels"), "{}", brief.text);
    o.finish().await;
}

async fn a_name_that_is_no_text_is_kept(stage: Stage) {
    // Other systems refuse such names.
    if !cfg!(target_os = "linux") {
        return drop(stage);
    }
    let odd = std::ffi::OsStr::from_bytes(b"caf\xe9.txt");
    let mut o = stage.file(odd, "old name\n").start("2026-03-14 22:50").await;
    night(&mut o, &["/queue add Fix the names | 1h | bug | details: agent_odd_name"]).await;
    o.expect("🌅 1 ready").await;
    let build = o.build_of(1).await;
    let commit = build.result.clone().unwrap();
    let listed = o.vault("app", &["-c", "core.quotePath=true", "ls-tree", "--name-only", &commit]);
    assert!(listed.contains(r#""caf\351.txt""#) && listed.contains(r#""odd\377name""#), "{listed}");
    o.finish().await;
}

async fn a_task_builds_on_the_one_it_waits_for(stage: Stage) {
    let mut o = stage.start("2026-03-14 22:50").await;
    let tasks = [
        "/queue add Fix the names | 1h | bug | low",
        "/queue add Fix the sums | 1h | bug | critical | after #1 | details: agent_builds_on",
        "/queue add Fix the shop | 1h | bug | details: agent_fails",
        "/queue add Fix the till | 1h | bug | after #3",
    ];
    night(&mut o, &tasks).await;
    o.expect("🌅 2 ready · 1 failed").await;
    let (first, second) = (o.build_of(1).await, o.build_of(2).await);
    assert_eq!(o.vault("app", &["rev-parse", &format!("{}^", second.result.clone().unwrap())]), first.result.unwrap());
    assert!(o.files("app", &second).contains(&"after-2.txt".to_owned()));
    assert_eq!(o.outcomes(4).await, []);
    o.asks("/why 4", "Can't be built: #3 did not complete; /retry or edit it").await;
    assert_eq!(git(&o.checkout("app"), &["status", "--porcelain"]), "");
    o.finish().await;
}
