//! What a typed line asks for: text → [`Command`], pure. Every front-end and the command line share it.
//!
//! Left out on purpose: whether a task exists, who may do what, and any default. A parser that knows the database can't
//! be tested on a table, and a draft without a category must stay one until someone decides it. Data is never changed:
//! control characters and odd spaces inside a title are kept, and each front-end shows them safely.

mod dispatch;
mod draft;
mod help;
mod pieces;
mod words;

pub use help::{help, help_text, menu};

use crate::domain::category::Category;
use crate::domain::id::TaskId;
use crate::domain::task::{Priority, TaskKind, limits};
use chrono::{NaiveDateTime, NaiveTime};
use words::first_word;

/// Names the parser recognises besides its own words.
#[derive(Debug, Clone, Copy, Default)]
pub struct ParseContext<'a> {
    /// Names of configured projects.
    pub projects: &'a [String],
    /// Names of configured agents.
    pub agents: &'a [String],
}

/// What a person asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// First contact.
    Start,
    /// The list of commands, or one of them explained.
    Help {
        /// What to explain, without its slash.
        topic: Option<String>,
    },
    /// Show the queue.
    QueueList {
        /// One word to narrow it by: a project, a category, a state.
        filter: Option<String>,
        /// Which page, from 0.
        page: usize,
    },
    /// Queue these; never empty, and each has a title.
    QueueAdd(Vec<Draft>),
    /// Show one task in full.
    QueueShow(TaskId),
    /// Change what `draft` names and leave the rest.
    QueueEdit {
        /// Which task.
        task: TaskId,
        /// Only what changes is `Some`. Empty details, dependencies or command clear them.
        draft: Draft,
    },
    /// Take these out of the queue; never empty, no repeats.
    QueueDrop(Vec<TaskId>),
    /// Let these locked tasks run; never empty, no repeats.
    Approve(Vec<TaskId>),
    /// Refuse a locked task.
    Reject {
        /// Which task.
        task: TaskId,
        /// Why, as typed; may be empty.
        reason: String,
    },
    /// What is going on now.
    Status,
    /// The latest morning brief again.
    Brief,
    /// The latest report.
    Report,
    /// The end of a build's log.
    Log {
        /// Which task.
        task: TaskId,
        /// How many lines, 1 to [`MAX_LOG_LINES`].
        lines: usize,
    },
    /// Stop running builds.
    Stop(StopTarget),
    /// Queue a failed task again.
    Retry(TaskId),
    /// Start a task now instead of tonight.
    Run(TaskId),
    /// Tonight's likely timeline.
    Plan,
    /// Why a task is not running.
    Why(TaskId),
    /// Steer the session.
    Night(NightCommand),
    /// The machine's health.
    Health {
        /// Whether to fix what is safe to fix.
        fix: bool,
    },
    /// Numbers against the goals.
    Metrics,
    /// The latest audit rows.
    Audit {
        /// How many, 1 to [`MAX_AUDIT_LINES`].
        lines: usize,
    },
    /// Go on building after the morning brief.
    KeepBuilding {
        /// Until when, in the owner's time zone; `None` leaves it to the schedule.
        until: Option<NaiveTime>,
    },
    /// Take back the last decision about a task.
    Undo(TaskId),
    /// Do not ask about a locked task for a day.
    Snooze(TaskId),
    /// What an agent asked is answered.
    Answer {
        /// Which task.
        task: TaskId,
        /// As typed; never empty.
        text: String,
    },
    /// Show what waits for a decision.
    Review,
    /// Days that are kept.
    Snapshots,
    /// Land results on their projects' branches.
    Ship {
        /// Which tasks; empty: all that are ready.
        tasks: Vec<TaskId>,
        /// Also what asks to be looked at twice.
        anyway: bool,
    },
    /// Take a landed result off its branch.
    Revert(TaskId),
    /// A result is not wanted.
    Discard(TaskId),
    /// Send the difference a result makes.
    Diff(TaskId),
    /// What was done to repositories and folders.
    Oplog {
        /// How many, 1 to [`MAX_AUDIT_LINES`].
        lines: usize,
    },
    /// Text without a slash, as typed: ask "add this?".
    Plain(String),
}

/// What to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopTarget {
    /// The build of this task.
    Task(TaskId),
    /// Every build.
    All,
}

/// What to do with the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NightCommand {
    /// Begin now.
    Start,
    /// End it: nothing new is started and running builds are stopped.
    Stop,
    /// Start nothing new for now.
    Pause,
    /// Go on after a pause.
    Resume,
    /// Leave out the coming night.
    Skip,
}

/// When a task may start at the earliest, in the owner's time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotBefore {
    /// The next time the clock shows this.
    Time(NaiveTime),
    /// This moment; one in the past lifts the wait.
    At(NaiveDateTime),
}

/// What was typed about a task; `None` where nothing was.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Draft {
    /// One line of at most [`limits::TITLE_CHARS`] characters.
    pub title: Option<String>,
    /// Everything else that was typed; lines.
    pub details: Option<String>,
    /// A configured project, spelt as configured.
    pub project: Option<String>,
    /// What it ends in.
    pub kind: Option<TaskKind>,
    /// What kind of change it is.
    pub category: Option<Category>,
    /// How much it is wanted.
    pub priority: Option<Priority>,
    /// Minutes, within [`limits::ESTIMATE_MIN_MINUTES`] and [`limits::ESTIMATE_MAX_MINUTES`].
    pub estimate_minutes: Option<u32>,
    /// Not to be started before.
    pub not_before: Option<NotBefore>,
    /// Tasks that must have completed first; at most [`limits::DEPENDENCIES`].
    pub depends_on: Option<Vec<TaskId>>,
    /// A configured agent, spelt as configured.
    pub agent: Option<String>,
    /// The argv to run, split but never expanded.
    pub command: Option<Vec<String>>,
}

/// Why a text is no command: one line that says what, where, and what to type instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ParseError {
    /// The line to show.
    pub message: String,
}

impl ParseError {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }
}

/// Most bytes of text taken as one command.
pub const MAX_TEXT_BYTES: usize = limits::DETAILS_BYTES;
/// Most log lines shown at once.
pub const MAX_LOG_LINES: usize = 500;
/// Most audit rows shown at once.
pub const MAX_AUDIT_LINES: usize = 200;
/// Most tasks named in one command.
pub const MAX_TASKS_AT_ONCE: usize = 100;

/// Reads one message. Pure; never panics; the text itself is kept by the inbox whatever comes out.
///
/// # Errors
/// [`ParseError`] with the line to answer. Nothing has been done then.
pub fn parse(text: &str, ctx: &ParseContext<'_>) -> Result<Command, ParseError> {
    if text.len() > MAX_TEXT_BYTES {
        return Err(ParseError::new(format!(
            "That message has {} KiB and the limit is {} KiB: nothing was queued. The text is kept in the inbox; send it \
             in parts, or put it in a file of the project and name the file.",
            text.len().div_ceil(1024),
            MAX_TEXT_BYTES / 1024
        )));
    }
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Err(ParseError::new("The message is empty. Try: /queue add Optimize the report query | 4h | perf"));
    }
    let Some(after_slash) = trimmed.strip_prefix('/') else {
        return Ok(Command::Plain(text.to_owned()));
    };
    let (word, rest) = first_word(after_slash);
    let name = word.split('@').next().unwrap_or_default().to_lowercase();
    dispatch::command(&name, rest, ctx)
}

#[cfg(test)]
mod tests;
