//! Tasks that are no code: files that are kept, and commands that run once after a tap.

use crate::harness::{Stage, both};
use overnight::domain::build::Outcome;
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::time::Duration;

both!(
    an_artifact_is_kept_and_checked,
    an_action_runs_exactly_what_was_approved_and_only_once,
    an_action_gets_the_variables_its_project_names_and_no_others,
    a_failed_action_is_never_repeated,
    a_lost_action_may_have_happened,
);

async fn an_artifact_is_kept_and_checked(stage: Stage) {
    let mut o = stage.start("2026-03-14 22:50").await;
    o.asks("/queue add Analyze the workouts | 1h | docs | artifact | ! grep -q figures figures.txt", "#1").await;
    o.asks("/queue add Analyze the sleep | 1h | docs | artifact | ! grep -q nothing figures.txt", "#2").await;
    o.asks("/queue add Analyze the food | 1h | docs | artifact", "#3").await;
    for task in 1..=3 {
        assert!(o.task(task).await.spec.project.is_none());
    }
    o.advance_to("07:00").await;
    o.expect("🌅 1 ready · 1 failed · 1 unverified").await;
    assert_eq!(o.outcomes(1).await, [Some(Outcome::Verified)]);
    assert_eq!(o.outcomes(2).await, [Some(Outcome::TestsFailed)]);
    assert_eq!(o.outcomes(3).await, [Some(Outcome::Unverified)]);
    let kept = o.engine().home().artifacts(overnight::domain::id::TaskId(1)).join("figures.txt");
    assert_eq!(fs::read_to_string(kept).unwrap(), "the figures\n");
    o.finish().await;
}

async fn an_action_runs_exactly_what_was_approved_and_only_once(stage: Stage) {
    let mut o = stage.start("2026-03-14 22:50").await;
    let script = o.writes("post.sh", "for word in \"$@\"; do echo \"<$word>\"; done >> \"$(dirname \"$0\")/posted\"");
    let command = format!("/queue add Post the news | action | perf | ! sh {script} \"spring $HOME; news\" '*'");
    let card = o.asks(&command, "🔒 #1 Post the news").await;
    assert!(card.text.contains("\"spring $HOME; news\""), "the exact command is on the card: {}", card.text);
    o.advance_to("23:30").await;
    assert_eq!(o.beside("posted"), None, "an action ran without a tap, whatever its category");
    o.taps(&card, "Approve").await;
    o.expect("is approved").await;
    assert_eq!(o.beside("posted").as_deref(), Some("<spring $HOME; news>\n<*>\n"), "no shell and no expansion");
    o.advance_to("07:00").await;
    o.expect("🌅 1 ready").await;
    o.asks("/retry 1", "queued again").await;
    o.advance_to("2026-03-16 07:00").await;
    o.expect("🌅").await;
    assert_eq!(o.beside("posted").unwrap().lines().count(), 2, "one tap is one run");
    o.finish().await;
}

async fn an_action_gets_the_variables_its_project_names_and_no_others(stage: Stage) {
    let stage = stage.with("env_pass = [\"DEPLOY_TOKEN\"]\nenv = { DEPLOY_TO = \"staging\" }");
    let stage = stage.cli_with("claude", "claude", "env_pass = [\"AGENT_TOKEN\"]");
    let stage = stage.variable("DEPLOY_TOKEN", "canary-deploy").variable("AGENT_TOKEN", "canary-agent");
    let stage = stage.variable("ANTHROPIC_API_KEY", "canary-model").variable("OTHER", "canary-other");
    let mut o = stage.start("2026-03-14 22:50").await;
    let script = o.writes("deploy.sh", "env > \"$(dirname \"$0\")/$1\"");
    for (task, words) in [(1, "| app | ! sh @ with"), (2, "| ! sh @ without")] {
        let words = words.replace('@', &script);
        let card = o.asks(&format!("/queue add Deploy part {task} | action {words}"), &format!("🔒 #{task}")).await;
        o.taps(&card, "Approve").await;
        o.expect("is approved").await;
    }
    o.advance_to("07:00").await;
    o.expect("🌅 2 ready").await;
    let names = |file: &str| {
        let text = o.beside(file).unwrap();
        assert_eq!(text.contains("canary-deploy"), file == "with", "{text}");
        let names = text.lines().filter_map(|line| Some(line.split_once('=')?.0.to_owned()));
        // What the shell adds by itself.
        let mut names: Vec<_> =
            names.filter(|name| !["PWD", "OLDPWD", "SHLVL", "_"].contains(&name.as_str())).collect();
        names.sort();
        names.join(" ")
    };
    assert_eq!(names("with"), "DEPLOY_TO DEPLOY_TOKEN HOME OVERNIGHT_PROJECT OVERNIGHT_RUN PATH TERM TMPDIR");
    assert_eq!(names("without"), "HOME OVERNIGHT_RUN PATH TERM TMPDIR");
    o.finish().await;
}

async fn a_failed_action_is_never_repeated(stage: Stage) {
    let mut o = stage.start("2026-03-14 22:50").await;
    let script = o.writes("post.sh", "echo run >> \"$(dirname \"$0\")/posted\"; exit 75");
    let card = o.asks(&format!("/queue add Post the news | action | ! sh {script}"), "🔒 #1").await;
    o.taps(&card, "Approve").await;
    o.expect("is approved").await;
    o.advance_to("07:00").await;
    o.expect("🌅 Nothing ready · 1 failed").await;
    assert_eq!(o.outcomes(1).await, [Some(Outcome::Failed)]);
    assert!(o.build_of(1).await.reason.contains("it is never repeated"));
    assert_eq!(o.beside("posted").as_deref(), Some("run\n"));
    o.finish().await;
}

async fn a_lost_action_may_have_happened(stage: Stage) {
    let mut o = stage.start("2026-03-14 22:50").await;
    let script = o.writes("post.sh", "echo run >> \"$(dirname \"$0\")/posted\"; sleep 600");
    let card = o.asks(&format!("/queue add Post the news | action | ! sh {script}"), "🔒 #1").await;
    o.taps(&card, "Approve").await;
    o.expect("is approved").await;
    let home = o.engine().home().root().to_path_buf();
    let folder = o.stage_folder();
    // The machine takes the supervisor away while the command runs.
    let killer = std::thread::spawn(move || {
        for _ in 0..600 {
            std::thread::sleep(Duration::from_millis(50));
            let Ok(started) = fs::read(home.join("runs/r1/started.json")) else { continue };
            let Ok(started) = serde_json::from_slice::<serde_json::Value>(&started) else { continue };
            if folder.join("posted").exists() {
                let pid = i32::try_from(started["supervisor_pid"].as_i64().unwrap()).unwrap();
                return kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
            }
        }
        panic!("the action never began");
    });
    o.advance_to("23:10").await;
    killer.join().unwrap();
    assert_eq!(o.outcomes(1).await, [Some(Outcome::Unknown)]);
    o.advance_to("07:00").await;
    let brief = o.expect("1 needs you").await;
    assert!(brief.text.contains("look whether it happened; it is never repeated"), "{}", brief.text);
    assert_eq!(o.beside("posted").as_deref(), Some("run\n"));
    o.finish().await;
}
