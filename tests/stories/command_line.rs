//! The command line: the same words with the same effects as in the chat.

use crate::desk::{Desk, shown};
use overnight::chat::command::{ParseContext, parse};
use overnight::domain::button::Meaning;
use overnight::domain::id::{BuildId, SessionId, TaskId};
use serde_json::Value;

/// A desk with a project and a locked task.
async fn desk() -> Desk {
    let desk = Desk::new();
    let app = desk.project("app", &[("check", "")]);
    let text = format!(
        "[schedule]\nzone = \"Europe/Berlin\"\n[[agents]]\nname = \"b\"\nkind = \"command\"\ncommand = \"builder\"\n\
         [[projects]]\nname = \"app\"\npath = {:?}\nverify = \"checker all\"\n",
        shown(&app)
    );
    desk.writes("user/.overnight/overnight.toml", &text);
    desk.overnight(&["queue", "add", "Build a dashboard", "--in", "new features", "--estimate", "1"]).await.ended(0);
    desk
}

async fn read(desk: &Desk, arguments: &[&str]) -> Value {
    let arguments: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
    let ran = desk.overnight(&arguments).await.ended(0);
    serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{}", ran.out))
}

/// How the task stands: `locked` or `ready`, and its state.
async fn standing(desk: &Desk) -> (bool, bool) {
    let list = read(desk, &["queue", "list"]).await;
    let task = list.as_array().expect("a list").iter().find(|task| task["id"] == 1);
    task.map_or((false, false), |task| (task["locked"] == true, task["ready"] == true))
}

#[tokio::test]
async fn what_was_decided_is_undone_and_put_off_in_the_words_of_the_chat() {
    let desk = desk().await;
    assert_eq!(standing(&desk).await, (true, false));
    desk.overnight(&["undo", "1"]).await.ended(1).says("There is no decision about #1 to take back");
    desk.overnight(&["approve", "1"]).await.ended(0);
    assert_eq!(standing(&desk).await, (false, true));
    desk.overnight(&["undo", "1"]).await.ended(0).says("↩ #1 \"Build a dashboard\": its approval is taken back");
    assert_eq!(standing(&desk).await, (true, false));
    desk.overnight(&["snooze", "1"]).await.ended(0).says("💤 #1 \"Build a dashboard\" stays locked");
    desk.overnight(&["reject", "1", "too", "early"]).await.ended(0);
    desk.overnight(&["snooze", "1"]).await.ended(1).says("asks for nothing now");
    desk.overnight(&["undo", "1"]).await.ended(0).says("it is in the queue again");
    assert_eq!(standing(&desk).await, (true, false));
    let kinds: Vec<Value> =
        read(&desk, &["audit", "9"]).await.as_array().expect("rows").iter().map(|row| row["kind"].clone()).collect();
    assert_eq!(kinds, ["queued", "approved", "undone", "snoozed", "rejected", "undone"]);
}

/// What to type for a button: in the chat, and behind `overnight`. Does not compile for a button that has neither.
fn typed(meaning: &Meaning) -> (&'static str, &'static [&'static str]) {
    match meaning {
        Meaning::Approve { .. } | Meaning::Accept { .. } => ("/approve 1", &["approve", "1"]),
        Meaning::Reject { .. } => ("/reject 1", &["reject", "1"]),
        Meaning::Stop { .. } => ("/stop 1", &["stop", "1"]),
        Meaning::Retry { .. } => ("/retry 1", &["retry", "1"]),
        Meaning::Run { .. } => ("/run 1", &["run", "1"]),
        Meaning::KeepBuilding { .. } => ("/keep", &["keep"]),
        Meaning::Review { .. } => ("/review", &["review"]),
        Meaning::Answer { .. } | Meaning::Choose { .. } => {
            ("/queue edit 1 | 2h", &["queue", "edit", "1", "--estimate", "2"])
        }
        Meaning::Undo { .. } => ("/undo 1", &["undo", "1"]),
        Meaning::Snooze { .. } => ("/snooze 1", &["snooze", "1"]),
        Meaning::Page { .. } => ("/queue list locked 2", &["queue", "list", "locked", "--page", "2"]),
        Meaning::Ship { .. } => ("/ship 1 anyway", &["ship", "1", "--anyway"]),
        Meaning::Revert { .. } => ("/revert 1", &["revert", "1"]),
        Meaning::Discard { .. } => ("/discard 1", &["discard", "1"]),
        Meaning::Diff { .. } => ("/diff 1", &["diff", "1"]),
        Meaning::Drop { .. } => ("/queue drop 1", &["queue", "drop", "1"]),
    }
}

#[tokio::test]
async fn every_button_has_its_typed_equivalent_in_the_chat_and_here() {
    let (task, session) = (TaskId(1), SessionId(1));
    let desk = desk().await;
    let help = desk.overnight(&["--help"]).await.ended(0);
    let shells = desk.overnight(&["completions", "fish"]).await.ended(0);
    for meaning in [
        Meaning::Approve { task, revision_hash: String::new() },
        Meaning::Reject { task },
        Meaning::Stop { task },
        Meaning::Retry { task },
        Meaning::Run { task },
        Meaning::KeepBuilding { session },
        Meaning::Review { session },
        Meaning::Answer { task, field: "2h".into() },
        Meaning::Accept { task },
        Meaning::Undo { task },
        Meaning::Snooze { task },
        Meaning::Choose { task, field: "estimate".into() },
        Meaning::Page { list: String::new(), filter: None, page: 1 },
        Meaning::Ship { task, build: BuildId(1), anyway: true },
        Meaning::Revert { task },
        Meaning::Discard { task },
        Meaning::Diff { task },
        Meaning::Drop { task },
    ] {
        let (chat, line) = typed(&meaning);
        assert!(parse(chat, &ParseContext::default()).is_ok(), "{chat}");
        let ran = desk.overnight(line).await;
        assert!(matches!(ran.status.code(), Some(0 | 1)), "overnight {line:?} is no command: {}", ran.err);
        let first = line[0];
        help.says(&format!("\n  {first} "));
        shells.says(&format!("-a \"{first}\""));
        let own = desk.overnight(&[first, "--help"]).await.ended(0);
        own.says(&format!("overnight {first}"));
        own.says("Example");
    }
}

#[tokio::test]
async fn what_only_a_running_bot_goes_on_with_says_that_none_runs() {
    let desk = desk().await;
    desk.overnight(&["approve", "1"]).await.ended(0);
    desk.overnight(&["run", "1"]).await.ended(0).says("The bot is not running; start it with: overnight run");
    desk.overnight(&["run", "1", "--speed", "2"]).await.ended(2);
    desk.overnight(&["stop", "everything"]).await.ended(2).says("a task's number, or all");
}
