//! Codex: `codex exec --json`. Seen with 0.169.
//!
//! Its `item`s of type `error` are warnings; `turn.failed` is the end. When a limit ends it says in prose only; the file
//! it keeps of its session (`sessions/YYYY/MM/DD/rollout-*-<thread>.jsonl`) has it as a number: see [`side`].

use super::heard::{Close, Heard};
use super::json::Look;
use super::launch::{Launch, Order, SessionChoice, base};
use super::lines::Lines;
use super::stream::{AgentEnd, Reader, Side, events};
use super::trouble;
use crate::domain::agent::{AgentOutcome, Spent, Window};
use crate::domain::settings::Agent;
use serde_json::Value;

pub(super) fn launch(agent: &Agent, order: &Order<'_>) -> Launch {
    let mut launch = base(agent, order);
    launch.add(&["exec"]);
    if let SessionChoice::Resume(id) = order.session {
        launch.add(&["resume", id]);
    }
    launch.add(&["--json", "--skip-git-repo-check"]);
    // As settings, since `exec resume` takes no `--sandbox`. Its sandbox can't be made within every other one; where
    // ours holds it is not needed.
    let sandbox = if order.sandboxed { "danger-full-access" } else { "workspace-write" };
    launch.add(&["-c", &format!("sandbox_mode=\"{sandbox}\""), "-c", "approval_policy=\"never\""]);
    launch.add(&["-c", "sandbox_workspace_write.network_access=false", "-c", "web_search=\"disabled\""]);
    launch.add(&["-c", "check_for_update_on_startup=false"]);
    if let Some(model) = &agent.model {
        launch.add(&["-m", model]);
    }
    launch.finish(agent);
    launch.add(&["-"]);
    launch
}

/// Reads its events.
#[derive(Debug, Default)]
pub(super) struct Codex {
    /// What `error` said last; it is fatal only where nothing comes after.
    last_error: String,
}

impl Reader for Codex {
    fn line(&mut self, line: &str, heard: &mut Heard) {
        events(line, heard, |event, heard| self.event(event, heard));
    }

    fn end(&mut self, _end: &AgentEnd, trouble: &str, heard: &mut Heard) {
        heard.session_gone |= ["no rollout found", "no saved session found"].iter().any(|gone| trouble.contains(gone));
        if heard.close == Close::Open && !self.last_error.is_empty() {
            let outcome = trouble::of(&self.last_error).unwrap_or(AgentOutcome::Failed);
            heard.error(outcome, &self.last_error);
        }
    }
}

impl Codex {
    fn event(&mut self, event: &Value, heard: &mut Heard) {
        match event.text("type").unwrap_or_default() {
            "thread.started" => {
                if let Some(id) = event.text("thread_id") {
                    heard.session(id);
                }
            }
            "turn.started" => heard.close = Close::Open,
            kind @ ("item.started" | "item.updated" | "item.completed") => {
                self.last_error.clear();
                item(event.at(&["item"]), kind == "item.completed", heard);
            }
            "error" => self.error(event.text("message").unwrap_or_default(), heard),
            "turn.failed" => {
                let message = event.at(&["error"]).text("message").unwrap_or(&self.last_error);
                heard.error(trouble::of(message).unwrap_or(AgentOutcome::Failed), message);
            }
            "turn.completed" => {
                let usage = event.at(&["usage"]);
                // What was read from its cache is a part of the input, reasoning a part of the output.
                let tokens = sum(usage.whole("input_tokens"), usage.whole("output_tokens"));
                heard.running_total = true;
                heard.usage(Spent { tokens, cost_usd: None }, heard.turns);
                heard.close = Close::Done;
            }
            _ => {}
        }
    }

    fn error(&mut self, message: &str, heard: &mut Heard) {
        message.chars().take(2000).collect::<String>().clone_into(&mut self.last_error);
        if let Some(rest) = message.strip_prefix("Reconnecting") {
            let digits = rest.trim_start_matches(|c: char| !c.is_ascii_digit());
            let attempt = digits.split(|c: char| !c.is_ascii_digit()).next().and_then(|n| n.parse().ok()).unwrap_or(1);
            heard.retrying(attempt, message);
        }
    }
}

fn item(item: &Value, completed: bool, heard: &mut Heard) {
    let kind = item.text("type").unwrap_or_default();
    let status = item.text("status").unwrap_or_default();
    match kind {
        "agent_message" if completed => heard.say(item.text("text").unwrap_or_default()),
        "command_execution" => {
            let command = bare(item.text("command").unwrap_or("a command"));
            heard.at(None, command);
            if status == "declined" {
                heard.denied(command);
            } else if completed {
                refusals(item, heard);
            }
        }
        "file_change" => {
            let files: Vec<&str> = item.list("changes").iter().filter_map(|change| change.text("path")).collect();
            heard.at(None, &format!("edits {}", files.join(", ")));
            if status == "declined" {
                heard.denied(&format!("edit {}", files.join(", ")));
            }
        }
        "todo_list" => {
            let items = item.list("items");
            let done = items.iter().filter(|item| item.is("completed")).count();
            let current = items.iter().find(|item| !item.is("completed")).and_then(|item| item.text("text"));
            heard.todo(done, items.len(), current);
        }
        "mcp_tool_call" | "web_search" => {
            heard.at(None, item.text("query").or(item.text("tool")).unwrap_or(kind));
        }
        _ => {}
    }
    if completed
        && matches!(kind, "agent_message" | "command_execution" | "file_change" | "mcp_tool_call" | "web_search")
    {
        heard.turns = heard.turns.saturating_add(1);
    }
}

/// A command without the shell it is run in.
fn bare(command: &str) -> &str {
    let inner = ["/bin/bash -lc ", "bash -lc "].iter().find_map(|shell| command.strip_prefix(shell));
    inner.map_or(command, |inner| inner.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')).unwrap_or(inner))
}

/// What the sandbox refused of a command. Codex tells only what the command printed, and a later part of it may have
/// ended well. A read-only file system is its sandbox's answer on Linux, a permission refused on macOS; `bwrap:` says
/// that there was no sandbox to run it in.
fn refusals(item: &Value, heard: &mut Heard) {
    let failed = item.get("exit_code").and_then(Value::as_i64).is_some_and(|code| code != 0);
    for line in item.text("aggregated_output").unwrap_or_default().lines() {
        let line = line.trim_end();
        let refused = line.ends_with(": Read-only file system")
            || (failed && (line.ends_with(": Operation not permitted") || line.starts_with("bwrap: ")));
        if refused {
            heard.denied(line);
        }
    }
}

/// From the end of a session's file: the windows and the session's tokens, as told last.
pub(super) fn side(tail: &[u8]) -> Side {
    let (mut lines, mut side) = (Lines::default(), Side::default());
    lines.push(tail, |line| look(line, &mut side));
    if let Some(line) = lines.rest() {
        look(&line, &mut side);
    }
    side
}

fn look(line: &str, side: &mut Side) {
    for event in super::json::objects(line) {
        let told = event.at(&["payload"]);
        if told.text("type") != Some("token_count") {
            continue;
        }
        let total = told.at(&["info", "total_token_usage"]);
        side.tokens = sum(total.whole("input_tokens"), total.whole("output_tokens")).or(side.tokens);
        let windows: Vec<Window> =
            ["primary", "secondary"].iter().filter_map(|name| window(name, told.at(&["rate_limits", name]))).collect();
        if !windows.is_empty() {
            side.windows = windows;
        }
    }
}

/// Named by its length, as Claude Code names its own.
fn window(name: &str, window: &Value) -> Option<Window> {
    let name = match window.whole("window_minutes") {
        Some(290..=310) => "five_hour",
        Some(10_000..=10_200) => "seven_day",
        _ => name,
    };
    let utilization = (window.number("used_percent")? / 100.0).clamp(0.0, 1.0);
    Some(Window { name: name.into(), utilization, resets_at: window.epoch("resets_at") })
}

fn sum(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    if one.is_none() && other.is_none() { None } else { Some(one.unwrap_or(0).saturating_add(other.unwrap_or(0))) }
}
