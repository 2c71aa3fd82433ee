//! Builds: one attempt at a task by a sub-agent, and checks: one verification of a commit.
//!
//! A build walks `Preparing → SettingUp → Working → Collecting → Checking → Ended`, and from `Working` to `Parked` and back
//! as often as its agent has to wait; a check walks
//! `Waiting → Preparing → SettingUp → Verifying → Verifying again (only after a failure) → Measuring → Ended`.
//! Each step's work is either a host step (git, done by the bot) or a run (a supervised command).

mod check;

pub use check::{Check, CheckPurpose, CheckStep, TestCounts, TestsVerdict, Verdict};

use super::agent::AgentReport;
use super::id::{BuildId, CheckId, RunId, SessionId, TaskId};
use super::task::UnknownWord;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Where an open build stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BuildStep {
    /// The host refreshes the vault and makes the clone.
    Preparing,
    /// The project's setup command runs in the clone.
    SettingUp,
    /// The agent runs. For an action: the approved command runs.
    Working,
    /// The agent waits, without a permit: for its provider or for an answer. [`Build::wait`] says for which.
    Parked,
    /// The host commits what the agent left and takes it into the vault.
    Collecting,
    /// The result waits for its check, or is being checked.
    Checking,
    /// Over; [`Build::outcome`] says how.
    Ended,
}

macro_rules! stored_words {
    ($type:ident, $what:literal, { $($variant:ident => $word:literal),+ $(,)? }) => {
        impl $type {
            /// The stored word.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl FromStr for $type {
            type Err = UnknownWord;

            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(UnknownWord { what: $what, given: text.into(), allowed: concat!($($word, " "),+) }),
                }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(crate) use stored_words;

stored_words!(BuildStep, "build step", {
    Preparing => "preparing", SettingUp => "setting_up", Working => "working", Parked => "parked",
    Collecting => "collecting", Checking => "checking", Ended => "ended",
});

/// How a build ended. One meaning each; only [`Outcome::Verified`] counts as completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The agent ended cleanly, something changed, and our own run of the verify command passed on the commit.
    Verified,
    /// As far as can be seen it worked, but there is no verify command (or no base to judge by): not counted.
    Unverified,
    /// The agent ended cleanly, but something it asked for was denied: whether the task is whole can't be known.
    Denied,
    /// It was stopped at a cap on money, tokens or turns; what it left is kept.
    OverBudget,
    /// Our verify command failed twice on the commit.
    TestsFailed,
    /// Our verify command failed once and passed once on the same commit.
    Flaky,
    /// The agent ended cleanly and left nothing changed.
    NoChange,
    /// The agent, or the setup command, ended with a failure that is not worth a retry.
    Failed,
    /// A failure worth a retry: the network, an overloaded service, a run that was lost.
    Transient,
    /// It ran into its time limit.
    TimedOut,
    /// The owner stopped it.
    Stopped,
    /// The bot stopped it because the disk was filling.
    Cancelled,
    /// An action of which the bot can't know whether it happened.
    Unknown,
}

stored_words!(Outcome, "outcome", {
    Verified => "verified", Unverified => "unverified", Denied => "denied", OverBudget => "over_budget", TestsFailed => "tests_failed", Flaky => "flaky",
    NoChange => "no_change", Failed => "failed", Transient => "transient", TimedOut => "timed_out",
    Stopped => "stopped", Cancelled => "cancelled", Unknown => "unknown",
});

/// What a run executes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStep {
    /// The project's setup command.
    Setup,
    /// The agent, or an action's command.
    Agent,
    /// The verify command, first time.
    Verify,
    /// The verify command, second time.
    VerifyAgain,
    /// The measure command.
    Measure,
}

stored_words!(RunStep, "run step", {
    Setup => "setup", Agent => "agent", Verify => "verify", VerifyAgain => "verify_again", Measure => "measure",
});

/// Whose run it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunOwner {
    /// A build's setup or agent.
    Build(BuildId),
    /// A check's setup, verify or measure.
    Check(CheckId),
}

/// How a run ended, as the supervisor wrote it down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "end", rename_all = "snake_case")]
pub enum RunEnding {
    /// It exited by itself.
    Exited {
        /// Exit status.
        code: i32,
    },
    /// A signal the bot did not send ended it.
    Signaled {
        /// Signal number.
        signal: i32,
    },
    /// It ran into its time limit.
    TimedOut,
    /// It printed nothing for so long that it was ended.
    Silent,
    /// The bot asked it to stop.
    Stopped {
        /// Why.
        reason: String,
    },
    /// Its supervisor died with it; what it did is not known.
    Lost,
    /// It could not be started.
    NotStarted {
        /// What was wrong.
        error: String,
    },
}

/// One command run for a build or a check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Row number.
    pub id: RunId,
    /// Whose.
    pub owner: RunOwner,
    /// What.
    pub step: RunStep,
    /// When it was launched.
    pub started_at: DateTime<Utc>,
    /// When its end was seen, and how it ended; none while it runs.
    pub ended: Option<(DateTime<Utc>, RunEnding)>,
    /// Set when the bot has asked it to stop, with the reason.
    pub stop_requested: Option<StopReason>,
    /// What its output says of tests, read when a verify run ended.
    pub counts: Option<TestCounts>,
    /// The number it printed, read when a measure run ended.
    pub measured: Option<f64>,
    /// Which round of its build an agent's run is; 0 for all others.
    pub round: u32,
    /// What was understood of an agent's output, once its run has ended.
    pub report: Option<AgentReport>,
}

impl Run {
    /// How it ended, if it has.
    pub fn ending(&self) -> Option<&RunEnding> {
        self.ended.as_ref().map(|(_, ending)| ending)
    }
}

/// A host step (git, copying) that could not be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostFailure {
    /// Whether another try can help.
    pub retry: bool,
    /// What was wrong, where, and what to do.
    pub text: String,
}

/// Why the bot stops a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// The owner asked.
    Owner,
    /// It ran into the time limit by the bot's own clock.
    TimeLimit,
    /// The disk was filling.
    Disk,
    /// A cap on money, tokens or turns was reached.
    Budget,
}

stored_words!(StopReason, "stop reason", {
    Owner => "owner", TimeLimit => "time_limit", Disk => "disk", Budget => "budget",
});

/// What a parked build waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "for", rename_all = "snake_case")]
pub enum Wait {
    /// The account behind its agent can be used again: [`super::provider`] says when.
    Provider {
        /// What was said, in one line.
        why: String,
    },
    /// The owner's answer.
    Answer {
        /// What the agent asks.
        question: String,
        /// What the owner answered; it goes on with this.
        answer: Option<String>,
    },
}

/// What agents have used, as far as their CLIs report it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Used {
    /// Tokens in and out.
    pub tokens: u64,
    /// US dollars.
    pub usd: f64,
    /// Turns of the model.
    pub turns: u32,
}

impl Used {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            tokens: self.tokens.saturating_add(other.tokens),
            usd: self.usd + other.usd,
            turns: self.turns.saturating_add(other.turns),
        }
    }
}

/// One attempt at a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Build {
    /// Row number; names its log `logs/subagent_<id>.log`.
    pub id: BuildId,
    /// Which task.
    pub task: TaskId,
    /// In which session it was started.
    pub session: SessionId,
    /// 1 for the first attempt.
    pub attempt: u32,
    /// Where it stands.
    pub step: BuildStep,
    /// When it was started.
    pub started_at: DateTime<Utc>,
    /// When the step it is in began.
    pub step_at: DateTime<Utc>,
    /// Build on this commit instead of the project's base: the result of the task it depends on.
    pub on_top_of: Option<String>,
    /// The commit it builds on, once the clone is made.
    pub base: Option<String>,
    /// Set when its clone (or empty folder) is made.
    pub prepared: bool,
    /// Set when a host step failed.
    pub host_failure: Option<HostFailure>,
    /// The commit the host made of what the agent left.
    pub result: Option<String>,
    /// The check of the result, once asked for.
    pub check: Option<CheckId>,
    /// Progress the agent reported, 0–100.
    pub progress: Option<u8>,
    /// The agent's last words about where it is; a claim, shown as such.
    pub progress_text: Option<String>,
    /// The agent that works on it; none for an action.
    pub agent: Option<String>,
    /// How often the agent was started again after waiting.
    pub round: u32,
    /// What it waits for; `Some` exactly when `step` is `Parked`.
    pub wait: Option<Wait>,
    /// What its agent has used so far, over all rounds.
    pub spent: Used,
    /// How long it was parked, over all waits that have ended.
    #[serde(with = "super::format::milliseconds")]
    pub waited: TimeDelta,
    /// What isolation did not hold while its agent ran, for the owner; none: it was held as asked, or nothing ran yet.
    pub loose: Option<String>,
    /// Hosts its agent tried to reach and may not.
    pub refused: Option<String>,
    /// A stop asked for while no run was there to stop.
    pub stop_requested: Option<StopReason>,
    /// How it ended; `Some` exactly when `step` is `Ended`.
    pub outcome: Option<Outcome>,
    /// Why it ended so, in words for the owner.
    pub reason: String,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// What the host saw of the change; set when it has collected.
    pub change: Option<Change>,
}

impl Build {
    /// As it is in the moment it begins.
    pub fn begun(
        id: BuildId,
        task: TaskId,
        session: SessionId,
        attempt: u32,
        agent: Option<String>,
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            id,
            task,
            session,
            attempt,
            step: BuildStep::Preparing,
            started_at: now,
            step_at: now,
            on_top_of: None,
            base: None,
            prepared: false,
            host_failure: None,
            result: None,
            change: None,
            check: None,
            progress: None,
            progress_text: None,
            agent,
            round: 0,
            wait: None,
            spent: Used::default(),
            waited: TimeDelta::zero(),
            loose: None,
            refused: None,
            stop_requested: None,
            outcome: None,
            reason: String::new(),
            ended_at: None,
        }
    }

    /// How long it has been worked on: waits are not work.
    pub fn worked(&self, now: DateTime<Utc>) -> TimeDelta {
        let parked = (self.step == BuildStep::Parked).then_some(self.step_at);
        let until = self.ended_at.or(parked).unwrap_or(now);
        (until - self.started_at - self.waited).max(TimeDelta::zero())
    }
}

/// What a build changed, as the host counted it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Files touched.
    pub files: u32,
    /// Lines added.
    pub insertions: u32,
    /// Lines removed.
    pub deletions: u32,
    /// Whether documentation is among them.
    pub docs_touched: bool,
    /// The first files, at most 20, for the card.
    pub paths: Vec<String>,
    /// What deserves a second look (nested repositories, links out of the tree).
    pub flags: Vec<String>,
}
