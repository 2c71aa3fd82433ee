//! aider: plain text. By its documentation and source, 0.86; nothing of it was recorded.
//!
//! It keeps no session id, only a history file, which here lies in the clone's `.git`: with the clone, and no part of
//! its result. It may exit with 0 after an error, so the last error that nothing came after counts.

use super::heard::{Close, Heard};
use super::launch::{Input, Launch, Order, SessionChoice, base};
use super::stream::{AgentEnd, Reader};
use super::trouble;
use crate::domain::agent::{AgentOutcome, Spent};
use crate::domain::settings::Agent;

pub(super) fn launch(agent: &Agent, order: &Order<'_>) -> Launch {
    let mut launch = base(agent, order);
    launch.add(&["--message-file", &order.prompt_file.to_string_lossy(), "--yes-always"]);
    launch.add(&["--no-stream", "--no-pretty", "--no-check-update", "--no-show-release-notes", "--analytics-disable"]);
    // The host commits.
    launch.add(&["--no-auto-commits", "--no-dirty-commits", "--no-gitignore", "--no-suggest-shell-commands"]);
    launch.add(&["--no-detect-urls", "--chat-history-file", ".git/aider.chat.history.md"]);
    launch.add(&["--input-history-file", ".git/aider.input.history"]);
    if matches!(order.session, SessionChoice::Resume(_)) {
        launch.add(&["--restore-chat-history"]);
    }
    if let Some(model) = &agent.model {
        launch.add(&["--model", model]);
    }
    launch.finish(agent);
    launch.stdin = Input::Null;
    launch.separate_stderr = false;
    launch
}

/// Reads what it prints.
#[derive(Debug, Default)]
pub(super) struct Aider {
    last_error: String,
    answering: bool,
}

impl Reader for Aider {
    fn line(&mut self, line: &str, heard: &mut Heard) {
        if let Some(usage) = line.strip_prefix("Tokens: ") {
            self.last_error.clear();
            self.answering = false;
            spend(usage, heard);
        } else if let Some(file) = line.strip_prefix("Applied edit to ") {
            heard.at(None, &format!("edits {file}"));
        } else if let Some(wait) = line.strip_prefix("Retrying in ") {
            heard.retrying(1, &format!("{} (again in {wait})", self.last_error));
        } else if is_error(line) {
            self.last_error = line.chars().take(2000).collect();
        } else if !line.trim().is_empty() {
            if std::mem::replace(&mut self.answering, true) {
                heard.add("\n");
                heard.add(line);
            } else {
                heard.say(line);
            }
        }
    }

    fn end(&mut self, end: &AgentEnd, _trouble: &str, heard: &mut Heard) {
        if !self.last_error.is_empty() {
            let outcome = trouble::of(&self.last_error).unwrap_or(AgentOutcome::Failed);
            heard.error(outcome, &self.last_error);
        } else if end.status.unwrap_or(0) == 0 && end.signal.is_none() {
            heard.close = Close::Done;
        }
    }
}

/// An error of the provider as litellm names it, or aider's own words for one.
fn is_error(line: &str) -> bool {
    line.starts_with("litellm.") || line.starts_with("The API provider") || line.contains("has hit a token limit")
}

/// `2.3k sent, 1.1k cache write, 45 received. Cost: $0.0012 message, $0.0034 session.`
fn spend(usage: &str, heard: &mut Heard) {
    let (tokens, cost) = usage.split_once("Cost:").unwrap_or((usage, ""));
    // What was written to or read from a cache is a part of what was sent.
    let counted = |part: &&str| part.contains("sent") || part.contains("received");
    let sum = tokens.split(',').filter(counted).filter_map(amount).fold(0, u64::saturating_add);
    let message = cost.split(',').find(|part| part.contains("message"));
    let cost =
        message.and_then(|part| part.trim().trim_start_matches('$').split_whitespace().next()?.parse::<f64>().ok());
    let cost = cost.filter(|cost| cost.is_finite() && *cost >= 0.0);
    let spent = Spent {
        tokens: Some(heard.spent.tokens.unwrap_or(0).saturating_add(sum)),
        cost_usd: cost.map(|cost| heard.spent.cost_usd.unwrap_or(0.0) + cost).or(heard.spent.cost_usd),
    };
    heard.usage(spent, heard.turns.saturating_add(1));
}

/// `2.3k`, `1.5M`, `45`.
fn amount(part: &str) -> Option<u64> {
    let word = part.split_whitespace().next()?;
    let (number, unit) = match word.char_indices().last()? {
        (at, 'k') => (&word[..at], 1_000.0),
        (at, 'M') => (&word[..at], 1_000_000.0),
        _ => (word, 1.0),
    };
    let number = number.parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0)?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is finite and not below zero")]
    Some((number * unit).round() as u64)
}
