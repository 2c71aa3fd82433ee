//! Claude Code: `claude -p --output-format stream-json`. Seen with 2.1.
//!
//! Of its end the `result` event is to be believed, and of that not `subtype` alone: it says `success` where a limit was
//! hit. A limit is `usage_limit_reached` with a `rate_limit_event` that was `rejected`; a plain 429 is not one.

use super::heard::{Close, Heard, call};
use super::json::Look;
use super::launch::{Launch, Order, SessionChoice, base};
use super::stream::{AgentEnd, Reader, events};
use super::trouble;
use crate::domain::agent::{AgentOutcome, Spent};
use crate::domain::settings::Agent;
use serde_json::Value;
use std::collections::VecDeque;

/// Messages and calls remembered by id; those of one answer follow each other, but subagents' come in between.
const REMEMBERED: usize = 64;

pub(super) fn launch(agent: &Agent, order: &Order<'_>) -> Launch {
    let mut launch = base(agent, order);
    let words = ["-p", "--output-format", "stream-json", "--verbose", "--permission-mode", "acceptEdits"];
    launch.add(&words);
    launch.add(&["--allowedTools", "Bash,Read,Edit,Write,MultiEdit,NotebookEdit,Glob,Grep,LS,TodoWrite,TaskCreate,TaskUpdate,TaskList,TaskGet,Task"]);
    launch.add(&["--disallowedTools", &refused().join(",")]);
    // Servers of the owner's or of the repository's choosing are programs nobody approved for tonight.
    launch.add(&["--strict-mcp-config"]);
    match order.session {
        SessionChoice::New(id) => launch.add(&["--session-id", id]),
        SessionChoice::Resume(id) => launch.add(&["--resume", id]),
    }
    if let Some(turns) = order.budget.turns {
        launch.add(&["--max-turns", &turns.to_string()]);
    }
    if let Some(usd) = order.budget.usd {
        launch.add(&["--max-budget-usd", &format!("{usd:.4}")]);
    }
    if let Some(model) = &agent.model {
        launch.add(&["--model", model]);
    }
    launch.finish(agent);
    // A job in the background outlives the answer that says it is done.
    for name in
        ["CLAUDE_CODE_DISABLE_BACKGROUND_TASKS", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "DISABLE_AUTOUPDATER"]
    {
        launch.set(name, "1");
    }
    launch
}

/// Tools that reach the network or outlive the run, and commands that publish.
fn refused() -> Vec<String> {
    const TOOLS: [&str; 13] = [
        "WebFetch",
        "WebSearch",
        "CronCreate",
        "CronDelete",
        "ScheduleWakeup",
        "RemoteTrigger",
        "SendMessage",
        "Monitor",
        "Workflow",
        "EnterWorktree",
        "ExitWorktree",
        "ExitPlanMode",
        "AskUserQuestion",
    ];
    let tools = TOOLS.iter().map(ToString::to_string);
    tools.chain(super::launch::PUBLISHING.iter().map(|command| format!("Bash({command}:*)"))).collect()
}

/// Reads its events.
#[derive(Debug, Default)]
pub(super) struct Claude {
    /// Tokens by message.
    messages: VecDeque<(String, u64)>,
    /// Tokens of messages forgotten by now.
    tokens: u64,
    turns: u32,
    /// Its to-do list: what, and how far.
    tasks: Vec<(String, String)>,
    /// What calls were, by id.
    calls: VecDeque<(String, String)>,
    /// Ids of refused calls.
    refused: VecDeque<String>,
    /// Spent in results before this one, where a result states its own share.
    shares: Option<Spent>,
    /// The last `rate_limit_event` said no.
    rejected: bool,
}

impl Reader for Claude {
    fn line(&mut self, line: &str, heard: &mut Heard) {
        events(line, heard, |event, heard| self.event(event, heard));
    }

    fn end(&mut self, _end: &AgentEnd, trouble: &str, heard: &mut Heard) {
        if trouble.contains("No conversation found") {
            heard.session_gone = true;
        }
        if heard.close == Close::Open && self.rejected {
            heard.error(AgentOutcome::Limit, "the provider's usage limit is reached");
        }
    }
}

impl Claude {
    fn event(&mut self, event: &Value, heard: &mut Heard) {
        if let Some(id) = event.text("session_id") {
            heard.session(id);
        }
        match event.text("type").unwrap_or_default() {
            "system" => self.system(event, heard),
            "assistant" => self.assistant(event, heard),
            "rate_limit_event" => self.rate_limit(event.at(&["rate_limit_info"]), heard),
            "result" => self.result(event, heard),
            _ => {}
        }
    }

    fn system(&mut self, event: &Value, heard: &mut Heard) {
        let id = event.text("task_id").unwrap_or_default();
        match event.text("subtype").unwrap_or_default() {
            "api_retry" => {
                let status = event.whole("error_status").map(|status| format!("{status} ")).unwrap_or_default();
                let reason = format!("{status}{}", event.text("error").unwrap_or_default());
                heard.retrying(event.whole("attempt").unwrap_or(1), &reason);
            }
            "permission_denied" => {
                let call = event.text("tool_use_id").unwrap_or_default();
                let known = self.calls.iter().find(|(id, _)| id == call).map(|(_, what)| what.clone());
                let told = known.as_deref().or(event.text("message")).or(event.text("tool_name"));
                self.refuse(call, told.unwrap_or("a tool"), heard);
            }
            "task_started" if event.is("is_backgrounded") => {
                heard.job(id, event.text("description").unwrap_or("a background job"));
            }
            "task_notification" => heard.jobs.retain(|(job, _)| job != id),
            _ => {}
        }
    }

    fn refuse(&mut self, call: &str, what: &str, heard: &mut Heard) {
        if !call.is_empty() {
            if self.refused.iter().any(|known| known == call) {
                return;
            }
            remember(&mut self.refused, call.to_owned());
        }
        // A question is no refusal: in a run that nobody watches, nobody could answer.
        if !what.starts_with("AskUserQuestion") {
            heard.denied(what);
        }
    }

    fn assistant(&mut self, event: &Value, heard: &mut Heard) {
        // The CLI's own words about an error, not the model's.
        if event.is("is_api_error_message") {
            return;
        }
        let message = event.at(&["message"]);
        self.count(message, heard);
        let of_subagent = event.text("parent_tool_use_id").is_some();
        let mut first = true;
        for block in message.list("content") {
            match (block.text("type"), block.text("text")) {
                (Some("text"), Some(text)) if !of_subagent => {
                    if std::mem::take(&mut first) {
                        heard.say(text);
                    } else {
                        heard.add(text);
                    }
                }
                (Some("tool_use"), _) => self.tool(block, heard),
                _ => {}
            }
        }
    }

    fn tool(&mut self, block: &Value, heard: &mut Heard) {
        let (name, input) = (block.text("name").unwrap_or("a tool"), block.at(&["input"]));
        let what = call(name, input);
        if let Some(id) = block.text("id").filter(|id| id.len() <= 200) {
            remember(&mut self.calls, (id.to_owned(), what.clone()));
        }
        heard.question = None;
        match name {
            "AskUserQuestion" => {
                heard.question = input.list("questions").iter().find_map(|q| q.text("question")).map(str::to_owned);
            }
            "TodoWrite" => todo(input.list("todos"), heard),
            "TaskCreate" | "TaskUpdate" => self.task(name, input, heard),
            _ => heard.at(None, &what),
        }
    }

    /// Its newer to-do list, told piece by piece: the first created is task 1.
    fn task(&mut self, call: &str, input: &Value, heard: &mut Heard) {
        if call == "TaskCreate" {
            let text = input.text("activeForm").or(input.text("subject")).unwrap_or_default();
            if self.tasks.len() < REMEMBERED {
                self.tasks.push((text.chars().take(200).collect(), String::new()));
            }
        } else {
            let number = input.whole("taskId").or_else(|| input.text("taskId")?.parse().ok());
            let at = number.and_then(|number| usize::try_from(number).ok()?.checked_sub(1));
            if let (Some((_, known)), Some(status)) = (at.and_then(|at| self.tasks.get_mut(at)), input.text("status")) {
                status.chars().take(20).collect::<String>().clone_into(known);
            }
        }
        let count = |wanted: &str| self.tasks.iter().filter(|(_, status)| status == wanted).count();
        let current = self.tasks.iter().find(|(_, status)| status == "in_progress").map(|(text, _)| text.as_str());
        heard.todo(count("completed"), self.tasks.len() - count("deleted"), current);
    }

    /// What its messages say of tokens. Output is understated until the result tells: they are counted as it begins.
    fn count(&mut self, message: &Value, heard: &mut Heard) {
        let (Some(id), usage) = (message.text("id").filter(|id| id.len() <= 200), message.at(&["usage"])) else {
            return;
        };
        let tokens =
            tokens(usage, ["input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"]);
        if let Some((_, known)) = self.messages.iter_mut().find(|(known, _)| known == id) {
            *known = tokens.max(*known);
        } else {
            self.turns = self.turns.saturating_add(1);
            let forgotten = remember(&mut self.messages, (id.to_owned(), tokens));
            self.tokens = self.tokens.saturating_add(forgotten.map_or(0, |(_, tokens)| tokens));
        }
        let sum = self.messages.iter().fold(self.tokens, |sum, (_, tokens)| sum.saturating_add(*tokens));
        let cost_usd = self.shares.and_then(|shares| shares.cost_usd);
        heard.usage(Spent { tokens: Some(sum), cost_usd }, self.turns);
    }

    fn rate_limit(&mut self, info: &Value, heard: &mut Heard) {
        self.rejected = info.text("status") == Some("rejected") && !info.is("isUsingOverage");
        if self.rejected {
            heard.reset_at = info.epoch("resetsAt").or(heard.reset_at);
        }
        for (name, window) in info.at(&["unifiedWindows"]).as_object().into_iter().flatten() {
            if let Some(utilization) = window.number("utilization") {
                heard.window(name, utilization, window.epoch("resetsAt"));
            }
        }
    }

    fn result(&mut self, event: &Value, heard: &mut Heard) {
        self.spend(event, heard);
        for denial in event.list("permission_denials") {
            let what = call(denial.text("tool_name").unwrap_or("a tool"), denial.at(&["tool_input"]));
            self.refuse(denial.text("tool_use_id").unwrap_or_default(), &what, heard);
        }
        let errors: Vec<&str> = event.list("errors").iter().filter_map(Value::as_str).collect();
        let text = event.text("result").map_or_else(|| errors.join("\n"), str::to_owned);
        let subtype = event.text("subtype").unwrap_or_default();
        if !event.is("is_error") && !subtype.starts_with("error") {
            if !text.is_empty() {
                heard.say(&text);
            }
            heard.close = Close::Done;
            return;
        }
        heard.session_gone |= text.contains("No conversation found");
        let limit = event.at(&["api_error_params", "rate_limit_info"]).epoch("resetsAt");
        heard.reset_at = heard.reset_at.or(limit);
        // Our signal: what it adds is for its makers.
        let outcome = self.error(event, subtype, &text);
        heard.error(outcome, if outcome == AgentOutcome::Interrupted { "" } else { &text });
    }

    fn error(&self, event: &Value, subtype: &str, text: &str) -> AgentOutcome {
        let reason = event.text("terminal_reason").unwrap_or_default();
        let status = event.whole("api_error_status");
        if subtype.starts_with("error_max_turns") || subtype.starts_with("error_max_budget") {
            return AgentOutcome::Budget;
        }
        if reason.starts_with("aborted") {
            return AgentOutcome::Interrupted;
        }
        if event.text("api_error") == Some("usage_limit_reached") || (status == Some(429) && self.rejected) {
            return AgentOutcome::Limit;
        }
        if event.text("api_error") == Some("connection_failed") {
            return AgentOutcome::Transient;
        }
        // Before the status: a 400 may be an empty account.
        let told = trouble::of(text).filter(|told| *told == AgentOutcome::Account);
        let stated = told.or_else(|| status.and_then(trouble::of_http)).or_else(|| trouble::of(text));
        stated.unwrap_or(AgentOutcome::Failed)
    }

    /// What a result says was spent. After a resumption its totals are the session's; its share since the last result is
    /// this run's. Several results in one run add up.
    fn spend(&mut self, event: &Value, heard: &mut Heard) {
        let models = |key: &str| {
            let models = event.get(key)?.as_object()?;
            let sum = models.values().fold((0_u64, 0.0), |(tokens_sum, cost), model| {
                let names = ["inputTokens", "outputTokens", "cacheReadInputTokens", "cacheCreationInputTokens"];
                (tokens_sum.saturating_add(tokens(model, names)), cost + model.number("costUSD").unwrap_or(0.0))
            });
            Some(Spent { tokens: Some(sum.0), cost_usd: Some(sum.1) })
        };
        let spent = if let Some(share) = models("model_usage_since_last_result") {
            let before = self.shares.unwrap_or_default();
            let tokens = share.tokens.map(|tokens| tokens.saturating_add(before.tokens.unwrap_or(0)));
            let sum = Spent { tokens, cost_usd: share.cost_usd.map(|cost| cost + before.cost_usd.unwrap_or(0.0)) };
            self.shares = Some(sum);
            heard.running_total = false;
            sum
        } else {
            let total = models("modelUsage").filter(|total| total.tokens > Some(0));
            let tokens = total.and_then(|total| total.tokens).or(heard.spent.tokens).or(Some(0));
            let cost_usd = event.number("total_cost_usd").or(total.and_then(|total| total.cost_usd));
            heard.running_total = true;
            Spent { tokens, cost_usd }
        };
        let turns = event.whole("num_turns").and_then(|turns| u32::try_from(turns).ok()).unwrap_or(self.turns);
        heard.usage(spent, turns.max(self.turns));
    }
}

fn tokens(usage: &Value, names: [&str; 4]) -> u64 {
    names.iter().fold(0, |sum: u64, name| sum.saturating_add(usage.whole(name).unwrap_or(0)))
}

/// Keeps the newest; what is forgotten for it comes back.
fn remember<T>(known: &mut VecDeque<T>, new: T) -> Option<T> {
    known.push_back(new);
    if known.len() > REMEMBERED { known.pop_front() } else { None }
}

/// A to-do list of `{content, status, activeForm}`, as Claude Code, OpenCode and Gemini CLI keep them.
pub(super) fn todo(items: &[Value], heard: &mut Heard) {
    let is = |item: &&Value, status: &str| item.text("status") == Some(status);
    let current = items.iter().find(|item| is(item, "in_progress"));
    let current =
        current.and_then(|item| ["activeForm", "content", "description"].iter().find_map(|key| item.text(key)));
    // A cancelled item is no work that is left.
    let done = items.iter().filter(|item| is(item, "completed") || is(item, "cancelled")).count();
    heard.todo(done, items.len(), current);
}
