//! What is understood of an agent CLI's run: events while it goes on, and one report when it has ended.
//!
//! Plain data, stored as JSON. What an agent says of itself (summary, progress, question) is a claim and shown as such;
//! [`AgentOutcome`] is read from what its CLI states in structured form, from its exit status, and from error texts.
//!
//! Left out on purpose: how each CLI says these things (`crate::agent`), and what follows from them (the planner).

use super::build::stored_words;
use super::task::UnknownWord;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// How an agent's run ended. One meaning each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentOutcome {
    /// Ended cleanly, and nothing it tried was refused.
    Success,
    /// Ended cleanly, but something it tried was refused: by a permission rule or by its sandbox. Whether it needed that
    /// can't be told from its words, only by checking what it left.
    Denied,
    /// Ended asking the owner something.
    Question,
    /// The provider's usage limit; [`AgentReport::reset_at`] is known or not.
    Limit,
    /// 429 without a limit, 5xx, overload, network: worth a retry.
    Transient,
    /// Needs the owner: not logged in, key refused, no credit.
    Account,
    /// Our own cap on money, tokens or turns.
    Budget,
    /// Ended by a request to end.
    Interrupted,
    /// Silent for too long, or not ended in time.
    Hung,
    /// Any other end.
    #[default]
    Failed,
}

stored_words!(AgentOutcome, "agent outcome", {
    Success => "success", Denied => "denied", Question => "question", Limit => "limit", Transient => "transient",
    Account => "account", Budget => "budget", Interrupted => "interrupted", Hung => "hung", Failed => "failed",
});

/// Everything understood of a run that has ended. Texts are one line each, without control characters, bounded.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AgentReport {
    /// How it ended.
    pub outcome: AgentOutcome,
    /// Why it is that outcome: one line for the owner.
    pub why: String,
    /// When the provider's limit ends, as it says; the caller clamps. Only with [`AgentOutcome::Limit`].
    pub reset_at: Option<DateTime<Utc>>,
    /// The last words of the agent, or of its CLI where that ended with an error.
    pub summary: Option<String>,
    /// What resumes this conversation.
    pub session_id: Option<String>,
    /// The session that was to be resumed does not exist (any more): only a new one can go on.
    pub session_gone: bool,
    /// Tokens of this run, in and out, those read from a cache included (every CLI but Claude Code counts them as input).
    pub tokens: Option<u64>,
    /// US dollars for this run, as the CLI states or estimates; none where it does not.
    pub cost_usd: Option<f64>,
    /// Answers of the model in this run.
    pub turns: Option<u32>,
    /// What was refused, each once.
    pub denials: Vec<String>,
    /// Where it last said it is.
    pub progress: Option<Progress>,
    /// What it asks; only with [`AgentOutcome::Question`].
    pub question: Option<String>,
    /// The provider's windows as last seen.
    pub windows: Vec<Window>,
    /// What it began in the background and did not wait for.
    pub leftovers: Vec<String>,
}

/// Where an agent is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// 0 to 100, if there is a number.
    pub percent: Option<u8>,
    /// What it does, or says it does; may be empty.
    pub text: String,
    /// Reckoned from elapsed time, not stated by the agent.
    pub estimated: bool,
}

/// One of the provider's windows: how much of what it allows in that time is used up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// `five_hour`, `seven_day`, or the provider's word for it.
    pub name: String,
    /// 0 to 1.
    pub utilization: f64,
    /// When it begins anew, as the provider says.
    pub resets_at: Option<DateTime<Utc>>,
}

/// Tokens and money spent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Spent {
    /// As [`AgentReport::tokens`].
    pub tokens: Option<u64>,
    /// As [`AgentReport::cost_usd`].
    pub cost_usd: Option<f64>,
}

/// What an agent's output says while it runs.
#[derive(Debug, Clone, PartialEq)]
pub enum AgentEvent {
    /// What resumes this conversation; said once.
    Session(String),
    /// Where it is.
    Progress(Progress),
    /// What this run has spent so far. Codex and Gemini say it only at the end, Claude Code tells the money only then.
    Usage {
        /// So far.
        spent: Spent,
        /// Answers of the model so far.
        turns: u32,
    },
    /// A window, as just seen.
    Window(Window),
    /// Something was refused.
    Denied(String),
    /// The provider did not answer well, and the CLI tries again by itself.
    Retrying {
        /// Which try, from 1.
        attempt: u32,
        /// HTTP status or the CLI's word.
        reason: String,
    },
}
