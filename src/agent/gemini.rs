//! Gemini CLI: `gemini -o stream-json`. Seen with 0.61.
//!
//! It states tokens, no money, and of a quota when it ends only sometimes. Its exit statuses mean something: 41 no login,
//! 53 turns, 130 cancelled, 173 is 429 cut to a byte.

use super::claude::todo;
use super::heard::{Close, Heard, call};
use super::json::Look;
use super::launch::{Launch, Order, SessionChoice, base};
use super::stream::{AgentEnd, Reader, events};
use super::trouble;
use crate::domain::agent::{AgentOutcome, Spent};
use crate::domain::settings::Agent;
use serde_json::Value;

pub(super) fn launch(agent: &Agent, order: &Order<'_>) -> Launch {
    let mut launch = base(agent, order);
    // Its other modes have no shell without a person. What it reads on standard input stands before what `-p` says.
    launch.add(&["--output-format", "stream-json", "--approval-mode", "yolo", "--skip-trust"]);
    match order.session {
        SessionChoice::New(id) => launch.add(&["--session-id", id]),
        SessionChoice::Resume(id) => launch.add(&["--resume", id]),
    }
    if let Some(model) = &agent.model {
        launch.add(&["--model", model]);
    }
    launch.finish(agent);
    launch.add(&["--prompt", "Do what is written above."]);
    launch
}

/// Reads its events.
#[derive(Debug, Default)]
pub(super) struct Gemini {
    /// More of the same message may follow.
    going_on: bool,
    /// What an `error` event said last.
    last_error: String,
    /// The last call, for its result.
    last_call: (String, String),
}

impl Reader for Gemini {
    fn line(&mut self, line: &str, heard: &mut Heard) {
        events(line, heard, |event, heard| self.event(event, heard));
    }

    fn end(&mut self, end: &AgentEnd, trouble: &str, heard: &mut Heard) {
        heard.session_gone |=
            trouble.contains("Invalid session identifier") || trouble.contains("No previous sessions");
        let by_status = match end.status {
            Some(41) => Some(AgentOutcome::Account),
            Some(53) => Some(AgentOutcome::Budget),
            Some(130) => Some(AgentOutcome::Interrupted),
            Some(173) => Some(self.trouble(trouble).unwrap_or(AgentOutcome::Transient)),
            _ => None,
        };
        let text = if self.last_error.is_empty() { trouble } else { &self.last_error };
        match (&heard.close, by_status) {
            (Close::Open, Some(outcome)) => heard.error(outcome, text),
            (Close::Error(AgentOutcome::Failed, said), Some(outcome)) => {
                let said = said.clone();
                heard.error(outcome, &said);
            }
            (Close::Open, None) if !self.last_error.is_empty() => {
                let outcome = self.trouble(&self.last_error).unwrap_or(AgentOutcome::Failed);
                heard.error(outcome, &self.last_error);
            }
            _ => {}
        }
    }

    fn trouble(&self, message: &str) -> Option<AgentOutcome> {
        let lower = message.to_lowercase();
        // Its quotas end by themselves, also those that others would call an empty account; one of a minute is no wall.
        if lower.contains("quota") && !lower.contains("minute") {
            return Some(AgentOutcome::Limit);
        }
        trouble::of(message)
    }
}

impl Gemini {
    fn event(&mut self, event: &Value, heard: &mut Heard) {
        match event.text("type").unwrap_or_default() {
            "init" => {
                if let Some(id) = event.text("session_id") {
                    heard.session(id);
                }
            }
            "message" if event.text("role") == Some("assistant") => {
                let text = event.get("content").and_then(Value::as_str).unwrap_or_default();
                let more = self.going_on && event.is("delta");
                if more {
                    heard.add(text);
                } else {
                    heard.say(text);
                }
                if !more {
                    heard.turns = heard.turns.saturating_add(1);
                }
                self.going_on = true;
            }
            "tool_use" => {
                self.going_on = false;
                let (name, input) = (event.text("tool_name").unwrap_or("a tool"), event.at(&["parameters"]));
                let what = call(name, input);
                if name == "write_todos" {
                    todo(input.list("todos"), heard);
                } else {
                    heard.at(None, &what);
                }
                let id: String = event.text("tool_id").unwrap_or_default().chars().take(200).collect();
                self.last_call = (id, what);
            }
            "tool_result" => self.tool_result(event, heard),
            "error" => {
                let message = event.text("message").unwrap_or_default();
                if event.text("severity") != Some("warning") {
                    self.last_error = message.chars().take(2000).collect();
                }
            }
            "result" => self.result(event, heard),
            _ => {}
        }
    }

    fn tool_result(&mut self, event: &Value, heard: &mut Heard) {
        let error = event.at(&["error"]);
        let said = error.text("message").or(event.text("output")).unwrap_or_default();
        let refused = error.text("type") == Some("policy_violation") || said.contains("denied by policy");
        if event.text("status") == Some("error") && refused {
            let (id, what) = &self.last_call;
            heard.denied(if event.text("tool_id") == Some(id) { what } else { said });
        }
    }

    fn result(&mut self, event: &Value, heard: &mut Heard) {
        let stats = event.at(&["stats"]);
        let parts = stats.whole("input_tokens").unwrap_or(0).saturating_add(stats.whole("output_tokens").unwrap_or(0));
        let tokens = stats.is_object().then(|| stats.whole("total_tokens").unwrap_or(parts));
        heard.usage(Spent { tokens, cost_usd: None }, heard.turns);
        if event.text("status") == Some("success") {
            heard.close = Close::Done;
            return;
        }
        let message = event.at(&["error"]).text("message").unwrap_or(&self.last_error);
        heard.error(self.trouble(message).unwrap_or(AgentOutcome::Failed), message);
    }
}
