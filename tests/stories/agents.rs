//! `overnight agent list` and `overnight agent inspect`, run as a person runs them.

use crate::desk::{Desk, shown};
use serde_json::{Value, json};

/// Where the real CLIs' recorded output is.
const STREAMS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/agent-streams");

fn stream(name: &str) -> String {
    format!("{STREAMS}/{name}.jsonl")
}

async fn inspected(desk: &Desk, args: &[&str]) -> Value {
    let ran = desk.overnight(&[&["agent", "inspect"], args].concat()).await.ended(0);
    serde_json::from_str(&ran.out).expect("JSON")
}

#[tokio::test]
async fn a_recorded_stream_is_explained_without_any_configuration() {
    let desk = Desk::new();
    let file = stream("claude-limit");
    for name in ["claude", "claude-code"] {
        let value = inspected(&desk, &["--agent", name, "--exit-status", "1", &file]).await;
        let keys: Vec<&String> = value.as_object().expect("an object").keys().collect();
        let expected =
            ["cost_usd", "denials", "outcome", "progress", "question", "reset_at", "session_id", "summary", "tokens"];
        assert_eq!(keys, expected);
        assert_eq!((&value["outcome"], &value["reset_at"]), (&json!("limit"), &json!("2026-11-22T21:18:15Z")));
        assert_eq!(
            (&value["progress"], &value["question"], &value["denials"]),
            (&json!(null), &json!(null), &json!([]))
        );
    }
    assert!(!desk.has("user/.overnight"), "nothing is made");

    // A time in prose is in the owner's zone, after the time that is named.
    let args = ["--agent", "codex", "--exit-status", "1", "--at", "2026-11-22T19:26:00Z", &stream("codex-limit")];
    assert_eq!(inspected(&desk, &args).await["reset_at"], json!("2026-11-22T21:05:59Z"), "TZ is Europe/Berlin");
    // What a CLI wrote for people counts where its stream says nothing.
    desk.writes("user/err", "Error: thread/resume failed: no rollout found for thread id 1\n");
    let err = desk.path("user/err");
    let args = ["--agent", "codex", "--exit-status", "1", "--stderr", shown(&err), "/dev/null"];
    let value = inspected(&desk, &args).await;
    assert_eq!(value["outcome"], json!("failed"));
    assert!(value["summary"].as_str().is_some_and(|text| text.contains("no rollout found")), "{value}");
}

#[tokio::test]
async fn an_agent_may_be_named_as_it_is_configured() {
    let desk = Desk::new();
    desk.writes("user/.overnight/overnight.toml", "[[agents]]\nname = \"night-owl\"\nkind = \"gemini\"\n");
    let file = stream("gemini-quota");
    let value = inspected(&desk, &["--agent", "night-owl", "--exit-status", "173", &file]).await;
    assert_eq!((&value["outcome"], &value["reset_at"]), (&json!("limit"), &json!(null)));
    // A broken configuration is said, and a stream still read.
    desk.writes("user/.overnight/overnight.toml", "[[agents]]\nname = 7\n");
    let args = ["agent", "inspect", "--agent", "gemini", "--exit-status", "0", &stream("gemini-ok")];
    let ran = desk.overnight(&args).await.ended(0);
    ran.says("agents[0].name");
    ran.says("\"success\"");
    desk.overnight(&["agent", "list"]).await.ended(2).says("agents[0].name");
}

#[tokio::test]
async fn what_can_not_be_inspected_is_said() {
    let desk = Desk::new();
    let file = stream("codex-ok");
    desk.overnight(&["agent", "inspect", "--agent", "nobody", &file])
        .await
        .ended(2)
        .says("takes claude, codex, opencode");
    desk.overnight(&["agent", "inspect", "--agent", "codex", "gone.jsonl"]).await.ended(1).says("gone.jsonl");
    desk.overnight(&["agent", "inspect", "--agent", "codex", STREAMS]).await.ended(1).says("is a folder");
    let args = ["agent", "inspect", "--agent", "codex", "--stderr", "gone.txt", &file];
    desk.overnight(&args).await.ended(1).says("gone.txt");
    desk.overnight(&["agent", "inspect", "--agent", "codex", "--at", "noon", &file]).await.ended(2).says("--at");
    desk.overnight(&["agent", "inspect", "--agent", "codex", "--exit-status", "x", &file]).await.ended(2).says("x");
}

#[tokio::test]
async fn what_is_installed_and_how_it_is_logged_in() {
    let mut desk = Desk::new();
    desk.program(
        "claude",
        "case $1 in --version) echo '2.1.330 (Claude Code)';; auth) echo '{\"loggedIn\": true}';; esac",
    );
    desk.program("codex", "case $1 in --version) echo codex-cli 0.169.0;; login) echo Not logged in; exit 1;; esac");
    desk.program("gemini", "echo 0.61.0; env >\"$HOME/given\"");
    desk.program("opencode", "exit 3");
    desk.writes("user/.local/share/opencode/auth.json", "{\"canary\": 1}");
    desk.sets("GEMINI_API_KEY", "canary").sets("TELEGRAM_BOT_TOKEN", "1:canary");
    let ran = desk.overnight(&["agent", "list", "--json"]).await.ended(0);
    let rows: Vec<Value> = serde_json::from_str(&ran.out).expect("JSON");
    let row = |name: &str| rows.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("no {name}: {rows:?}"));
    let told = |name: &str| (row(name)["version"].clone(), row(name)["logged_in"].clone());
    assert_eq!(told("claude"), (json!("2.1.330"), json!(true)));
    assert_eq!(told("codex"), (json!("0.169.0"), json!(false)));
    assert_eq!(told("gemini"), (json!("0.61.0"), json!(true)));
    assert_eq!(told("opencode"), (json!(null), json!(true)), "by its file, as it has no status command");
    assert_eq!((&row("aider")["installed"], &row("aider")["path"]), (&json!(false), &json!(null)));
    assert!(row("claude")["path"].as_str().is_some_and(|path| path.ends_with("/bin/claude")));
    ran.never_says("canary");
    assert!(!desk.text("user/given").contains("TELEGRAM"), "what is asked of a CLI is asked without our secrets");

    let ran = desk.overnight(&["agent", "list"]).await.ended(0);
    ran.says("logged in (`claude auth status` says so)");
    ran.says("not logged in: run `codex login`");
    ran.says("GEMINI_API_KEY is set");
    ran.says("overnight init adds");
    ran.never_says("canary");
}
