//! OpenCode: `opencode run --format json`. Seen with 1.18.
//!
//! It has no last event: done is a last step with reason `stop`, and an exit with 0. A permission to be asked for is
//! refused by itself.
//!
//! Where its provider answers with 429 or 5xx it tries five times more and then prints an `error`. If the answer says when
//! to come again (`retry-after`), it waits just that long before each try, without a word: minutes, or days. So it gets a
//! plugin that says so as an event of ours, `overnight.wait`, and ends it where the wait is a long one. Should that ever
//! not load, a silence timeout finds the wait, and what `--print-logs` put on standard error tells why.

use super::claude::todo;
use super::heard::{Close, Heard, call};
use super::json::{Look, epoch, objects};
use super::launch::{Launch, Order, PUBLISHING, SessionChoice, base};
use super::stream::{AgentEnd, Reader, events};
use super::trouble;
use crate::domain::agent::{AgentOutcome, Spent};
use crate::domain::settings::Agent;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value, json};
use std::path::Path;

/// The plugin, and its file beside the prompt.
const WAITS: &str = include_str!("opencode_waits.mjs");
const WAITS_FILE: &str = "opencode_waits.mjs";

pub(super) fn launch(agent: &Agent, order: &Order<'_>) -> Launch {
    let mut launch = base(agent, order);
    launch.add(&["run", "--format", "json", "--print-logs", "--log-level", "WARN"]);
    if let SessionChoice::Resume(id) = order.session {
        launch.add(&["--session", id]);
    }
    if let Some(model) = &agent.model {
        launch.add(&["--model", model]);
    }
    launch.finish(agent);
    let plugin = order.prompt_file.with_file_name(WAITS_FILE);
    launch.set("OPENCODE_CONFIG_CONTENT", &configuration(&plugin).to_string());
    launch.helper = Some((plugin, WAITS));
    launch.set("OPENCODE_DISABLE_AUTOUPDATE", "1");
    // It knows models without asking; asking waits for a network that may be closed.
    launch.set("OPENCODE_DISABLE_MODELS_FETCH", "1");
    launch
}

/// The last rule that fits a command decides, so all are allowed first.
fn configuration(plugin: &Path) -> Value {
    let mut bash = Map::from_iter([("*".to_owned(), json!("allow"))]);
    bash.extend(PUBLISHING.iter().map(|command| (format!("{command}*"), json!("deny"))));
    json!({
        "autoupdate": false,
        "share": "disabled",
        "plugin": [plugin],
        "permission": {
            "edit": "allow",
            "bash": bash,
            "webfetch": "deny",
            "websearch": "deny",
            "external_directory": "deny",
            "question": "deny",
        },
    })
}

/// Reads its events.
#[derive(Debug, Default)]
pub(super) struct OpenCode {
    /// Why the last step ended.
    reason: String,
    /// Texts of this step.
    said: bool,
}

impl Reader for OpenCode {
    fn line(&mut self, line: &str, heard: &mut Heard) {
        events(line, heard, |event, heard| self.event(event, heard));
    }

    fn trouble(&self, message: &str) -> Option<AgentOutcome> {
        trouble::of(&log(message))
    }

    fn end(&mut self, end: &AgentEnd, trouble: &str, heard: &mut Heard) {
        heard.session_gone |= trouble.contains("Session not found");
        let ended_itself = end.stopped.is_none() && end.signal.is_none() && end.status.unwrap_or(0) == 0;
        if heard.close != Close::Open || !ended_itself {
            return;
        }
        // After a refusal it ends in the middle of a step, as if that were an end. What its log says of other things
        // that failed, such as a list of models, is no trouble then.
        let refused = !heard.denials.is_empty() || heard.question.is_some();
        if self.reason == "stop" || (!self.reason.is_empty() && refused) {
            heard.close = Close::Done;
        } else if !self.reason.is_empty() && self.trouble(trouble).is_none() {
            heard.error(AgentOutcome::Failed, &format!("it ended in the middle of its work ({})", self.reason));
        }
    }
}

/// What its log says, but for the list of models, which it can do without.
fn log(trouble: &str) -> String {
    let lines = trouble.lines().filter(|line| !line.contains("models.dev"));
    lines.collect::<Vec<_>>().join("\n")
}

impl OpenCode {
    fn event(&mut self, event: &Value, heard: &mut Heard) {
        if let Some(id) = event.text("sessionID") {
            heard.session(id);
        }
        let part = event.at(&["part"]);
        match event.text("type").unwrap_or_default() {
            "step_start" => {
                (heard.close, self.said) = (Close::Open, false);
                (heard.reset_at, heard.reset_in) = (None, None);
                self.reason.clear();
            }
            "text" => {
                let text = part.text("text").unwrap_or_default();
                if std::mem::replace(&mut self.said, true) { heard.add(text) } else { heard.say(text) }
            }
            "tool_use" => tool(part, heard),
            "step_finish" => {
                part.text("reason")
                    .unwrap_or("no reason")
                    .chars()
                    .take(40)
                    .collect::<String>()
                    .clone_into(&mut self.reason);
                step(part, heard);
            }
            "error" => error(event.at(&["error"]), heard),
            "overnight.wait" => wait(event, heard),
            _ => {}
        }
    }
}

fn tool(part: &Value, heard: &mut Heard) {
    let (tool, state) = (part.text("tool").unwrap_or("a tool"), part.at(&["state"]));
    let input = state.at(&["input"]);
    let what = call(tool, input);
    heard.question = None;
    if tool == "todowrite" {
        todo(input.list("todos"), heard);
    } else {
        heard.at(None, &what);
    }
    let error = state.text("error").unwrap_or_default();
    let refused = ["rejected permission", "prevents you from using", "dismissed this question"];
    if state.text("status") == Some("error") && refused.iter().any(|words| error.contains(words)) {
        if tool == "question" {
            heard.question = input.list("questions").iter().find_map(|q| q.text("question")).map(str::to_owned);
        } else {
            heard.denied(&what);
        }
    }
}

fn step(part: &Value, heard: &mut Heard) {
    let told = part.at(&["tokens"]);
    let parts = ["input", "output", "reasoning"].iter().map(|key| told.whole(key).unwrap_or(0));
    let cache = ["read", "write"].iter().map(|key| told.at(&["cache"]).whole(key).unwrap_or(0));
    let tokens = told.whole("total").unwrap_or_else(|| parts.chain(cache).fold(0, u64::saturating_add));
    let spent = Spent {
        tokens: Some(heard.spent.tokens.unwrap_or(0).saturating_add(tokens)),
        cost_usd: part.number("cost").map(|cost| heard.spent.cost_usd.unwrap_or(0.0) + cost).or(heard.spent.cost_usd),
    };
    heard.usage(spent, heard.turns.saturating_add(1));
}

fn error(error: &Value, heard: &mut Heard) {
    let (name, data) = (error.text("name").unwrap_or_default(), error.at(&["data"]));
    let message = data.text("message").or(error.text("message")).unwrap_or(name);
    let headers = data.at(&["responseHeaders"]);
    let rejected = headers.text("anthropic-ratelimit-unified-status") == Some("rejected");
    let outcome = match name {
        "MessageAbortedError" => AgentOutcome::Interrupted,
        "ProviderAuthError" => AgentOutcome::Account,
        _ if rejected => AgentOutcome::Limit,
        _ => {
            let told = trouble::of(message);
            let told_for_sure = told.filter(|told| *told != AgentOutcome::Transient);
            let status = data.whole("statusCode").and_then(trouble::of_http);
            let again = data.is("isRetryable").then_some(AgentOutcome::Transient);
            told_for_sure.or(status).or(told).or(again).unwrap_or(AgentOutcome::Failed)
        }
    };
    if outcome == AgentOutcome::Limit {
        let body = data.text("responseBody").map(objects).unwrap_or_default();
        (heard.reset_at, heard.reset_in) = reset(headers, body.first().unwrap_or(&Value::Null));
    }
    heard.error(outcome, message);
}

/// When a limit ends, of a provider's answer: as a time, or as how long from now.
fn reset(headers: &Value, body: &Value) -> (Option<DateTime<Utc>>, Option<TimeDelta>) {
    let header = |name: &str| headers.text(name).and_then(|value| value.trim().parse::<u64>().ok());
    let told = [body.at(&["error"]).epoch("resets_at"), body.at(&["metadata"]).epoch("resetAt")];
    let at = header("anthropic-ratelimit-unified-reset").and_then(epoch);
    let seconds = header("retry-after").or(body.at(&["error"]).whole("resets_in_seconds"));
    (at.or(told.into_iter().flatten().next()), seconds.and_then(span))
}

fn span(seconds: u64) -> Option<TimeDelta> {
    TimeDelta::try_seconds(i64::try_from(seconds).ok()?)
}

/// What our plugin says: its provider wants it to wait. A provider that names a time so far away means a limit, whatever
/// it calls it.
fn wait(event: &Value, heard: &mut Heard) {
    let message = event.text("message").unwrap_or("its provider asks it to wait");
    heard.retrying(event.whole("attempt").unwrap_or(1), message);
    if event.is("long") {
        let account = trouble::of(message).filter(|told| *told == AgentOutcome::Account);
        (heard.reset_at, heard.reset_in) = (None, event.whole("seconds").and_then(span));
        heard.error(account.unwrap_or(AgentOutcome::Limit), message);
    }
}
