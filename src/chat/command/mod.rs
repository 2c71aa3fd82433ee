//! What a typed line asks for: text → [`Command`], pure. Every front-end and the command line share it.
//!
//! Left out on purpose: whether a task exists, who may do what, and any default. A parser that knows the database can't
//! be tested on a table, and a draft without a category must stay one until someone decides it. Data is never changed:
//! control characters and odd spaces inside a title are kept, and each front-end shows them safely.

mod draft;
mod help;
mod words;

pub use help::{help, help_text};

use crate::domain::category::Category;
use crate::domain::id::TaskId;
use crate::domain::task::{Priority, TaskKind, limits};
use chrono::{NaiveDateTime, NaiveTime};
use words::{first_word, nearest, quoted, task_number, task_numbers};

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
    /// Show what waits for a decision.
    Review,
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
const LOG_LINES: usize = 40;
const AUDIT_LINES: usize = 20;

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
    dispatch(&name, rest, ctx)
}

fn dispatch(name: &str, rest: &str, ctx: &ParseContext<'_>) -> Result<Command, ParseError> {
    Ok(match name {
        "start" => Command::Start,
        "help" | "h" | "?" => Command::Help { topic: help_topic(rest) },
        "queue" | "q" => return queue(rest, ctx),
        "add" => Command::QueueAdd(draft::drafts(rest, ctx)?),
        "show" | "task" => Command::QueueShow(task_number(rest, "/queue show 3")?),
        "edit" => return edit(rest, ctx),
        "drop" => Command::QueueDrop(task_numbers(rest, "/queue drop 3 5")?),
        "approve" => Command::Approve(task_numbers(rest, "/approve 3 5")?),
        "reject" => {
            let (number, reason) = first_word(rest);
            Command::Reject { task: task_number(number, "/reject 3 too early")?, reason: reason.trim().to_owned() }
        }
        "status" => alone(Command::Status, rest, "/status")?,
        "brief" => alone(Command::Brief, rest, "/brief")?,
        "report" => alone(Command::Report, rest, "/report")?,
        "log" | "logs" => {
            let (number, count) = first_word(rest);
            let task = task_number(number, "/log 12 50")?;
            Command::Log { task, lines: line_count(count, LOG_LINES, MAX_LOG_LINES, "/log 12 50")? }
        }
        "stop" if rest.trim().eq_ignore_ascii_case("all") => Command::Stop(StopTarget::All),
        "stop" => Command::Stop(StopTarget::Task(task_number(rest, "/stop 12, or /stop all")?)),
        "retry" => Command::Retry(task_number(rest, "/retry 12")?),
        "run" => Command::Run(task_number(rest, "/run 12")?),
        "why" => Command::Why(task_number(rest, "/why 12")?),
        "night" => Command::Night(night(rest)?),
        "health" => Command::Health { fix: health_fix(rest)? },
        "metrics" => alone(Command::Metrics, rest, "/metrics")?,
        "audit" => Command::Audit { lines: line_count(rest, AUDIT_LINES, MAX_AUDIT_LINES, "/audit 50")? },
        "keep" => Command::KeepBuilding { until: keep_until(rest)? },
        "review" => alone(Command::Review, rest, "/review")?,
        _ => return Err(unknown(name)),
    })
}

fn unknown(name: &str) -> ParseError {
    let known = help::names();
    ParseError::new(match nearest(name, known) {
        Some(near) => format!("I know no /{}. Did you mean /{near}? /help lists all commands.", quoted_bare(name)),
        None => format!("I know no /{}. /help lists all commands.", quoted_bare(name)),
    })
}

fn quoted_bare(name: &str) -> String {
    quoted(name).trim_matches('"').to_owned()
}

fn help_topic(rest: &str) -> Option<String> {
    let topic = rest.trim().trim_start_matches('/').to_lowercase();
    (!topic.is_empty()).then_some(topic)
}

/// A command that takes nothing: more words may mean something we would silently not do.
fn alone(command: Command, rest: &str, usage: &str) -> Result<Command, ParseError> {
    if rest.trim().is_empty() {
        return Ok(command);
    }
    Err(ParseError::new(format!("{usage} takes nothing after it, and I read {}. Try: {usage}", quoted(rest))))
}

const QUEUE_WORDS: [&str; 6] = ["add", "list", "show", "edit", "drop", "remove"];

fn queue(rest: &str, ctx: &ParseContext<'_>) -> Result<Command, ParseError> {
    let (word, after) = first_word(rest);
    let bare = word.to_lowercase();
    Ok(match bare.as_str() {
        "" => Command::QueueList { filter: None },
        "list" | "ls" => Command::QueueList { filter: some_text(after) },
        "add" | "new" => Command::QueueAdd(draft::drafts(after, ctx)?),
        "show" => Command::QueueShow(task_number(after, "/queue show 3")?),
        "edit" | "change" => return edit(after, ctx),
        "drop" | "remove" | "rm" | "delete" | "del" => Command::QueueDrop(task_numbers(after, "/queue drop 3 5")?),
        _ if after.trim().is_empty() && words::looks_like_number(word) => {
            Command::QueueShow(task_number(word, "/queue show 3")?)
        }
        _ => match nearest(&bare, QUEUE_WORDS) {
            Some(near) => {
                return Err(ParseError::new(format!(
                    "I know no /queue {}. Did you mean /queue {near}? Nothing was changed; /help queue shows examples.",
                    quoted_bare(word)
                )));
            }
            // One word narrows the list; a sentence was meant as a task, and guessing would lose or misplace it.
            None if after.trim().is_empty() => Command::QueueList { filter: Some(word.to_owned()) },
            None => {
                return Err(ParseError::new(format!(
                    "Nothing was queued: to add a task, write /queue add {}",
                    quoted_bare(rest)
                )));
            }
        },
    })
}

fn edit(rest: &str, ctx: &ParseContext<'_>) -> Result<Command, ParseError> {
    const USAGE: &str = "/queue edit 3 | high | 2h";
    let start = rest.trim_start();
    let end = start.find(|c: char| c.is_whitespace() || c == '|').unwrap_or(start.len());
    let task = task_number(&start[..end], USAGE)?;
    Ok(Command::QueueEdit { task, draft: draft::changes(&start[end..], ctx)? })
}

fn some_text(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn night(rest: &str) -> Result<NightCommand, ParseError> {
    Ok(match rest.trim().to_lowercase().as_str() {
        "start" => NightCommand::Start,
        "stop" | "end" => NightCommand::Stop,
        "pause" => NightCommand::Pause,
        "resume" | "continue" => NightCommand::Resume,
        "skip" => NightCommand::Skip,
        "" => return Err(ParseError::new("/night needs one of: start, stop, pause, resume, skip. Try: /night pause")),
        _ => {
            return Err(ParseError::new(format!(
                "/night can't {}; use one of: start, stop, pause, resume, skip. Try: /night skip",
                quoted(rest)
            )));
        }
    })
}

fn health_fix(rest: &str) -> Result<bool, ParseError> {
    match rest.trim().trim_start_matches('-').to_lowercase().as_str() {
        "" => Ok(false),
        "fix" => Ok(true),
        _ => Err(ParseError::new(format!(
            "/health takes only the word fix, and I read {}. Try: /health fix",
            quoted(rest)
        ))),
    }
}

fn keep_until(rest: &str) -> Result<Option<NaiveTime>, ParseError> {
    let mut text = rest.trim().to_lowercase();
    for lead in ["building", "until", "till"] {
        if let Some(after) = text.strip_prefix(lead) {
            text = after.trim().to_owned();
        }
    }
    if text.is_empty() {
        return if rest.to_lowercase().contains("until") {
            Err(ParseError::new("/keep until needs a time. Try: /keep until 11:30"))
        } else {
            Ok(None)
        };
    }
    words::time_of_day(&text).map(Some).ok_or_else(|| {
        ParseError::new(format!("{} is no time of day. Try: /keep until 11:30, or just /keep", quoted(rest)))
    })
}

fn line_count(text: &str, default: usize, most: usize, usage: &str) -> Result<usize, ParseError> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(default);
    }
    match text.parse::<usize>() {
        Ok(lines) if (1..=most).contains(&lines) => Ok(lines),
        _ => Err(ParseError::new(format!(
            "{} is no number of lines; it must be 1 to {most}. Try: {usage}",
            quoted(text)
        ))),
    }
}

#[cfg(test)]
mod tests;
