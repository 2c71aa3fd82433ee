//! From a command's name to how the rest of its text is read.
//!
//! Left out on purpose: guessing. Words that a command does not take may mean something it would silently not do.

use super::words::{first_word, looks_like_number, nearest, quoted, task_number, task_numbers, time_of_day};
use super::{Command, MAX_AUDIT_LINES, MAX_LOG_LINES, NightCommand, ParseContext, ParseError, StopTarget, draft};
use chrono::NaiveTime;

const LOG_LINES: usize = 40;
const AUDIT_LINES: usize = 20;

/// The command `name`, lower-case and without its slash; `rest` as typed after it.
pub(super) fn command(name: &str, rest: &str, ctx: &ParseContext<'_>) -> Result<Command, ParseError> {
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
        "answer" => answer(rest)?,
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
        "plan" => alone(Command::Plan, rest, "/plan")?,
        "why" => Command::Why(task_number(rest, "/why 12")?),
        "night" => Command::Night(night(rest)?),
        "health" => Command::Health { fix: health_fix(rest)? },
        "metrics" => alone(Command::Metrics, rest, "/metrics")?,
        "audit" => Command::Audit { lines: line_count(rest, AUDIT_LINES, MAX_AUDIT_LINES, "/audit 50")? },
        "keep" => Command::KeepBuilding { until: keep_until(rest)? },
        "undo" => Command::Undo(task_number(rest, "/undo 3")?),
        "snooze" => Command::Snooze(task_number(rest, "/snooze 3")?),
        "ship" => ship(rest)?,
        "revert" => Command::Revert(task_number(rest, "/revert 12")?),
        "discard" => Command::Discard(task_number(rest, "/discard 12")?),
        "diff" => Command::Diff(task_number(rest, "/diff 12")?),
        "oplog" => Command::Oplog { lines: line_count(rest, AUDIT_LINES, MAX_AUDIT_LINES, "/oplog 50")? },
        "snapshots" => alone(Command::Snapshots, rest, "/snapshots")?,
        "review" => alone(Command::Review, rest, "/review")?,
        _ => return Err(unknown(name)),
    })
}

fn answer(rest: &str) -> Result<Command, ParseError> {
    const USAGE: &str = "/answer 12 use the second one";
    let (number, text) = first_word(rest);
    let task = task_number(number, USAGE)?;
    let text = text.trim().to_owned();
    if text.is_empty() {
        return Err(ParseError::new(format!("/answer needs your answer after the number. Try: {USAGE}")));
    }
    Ok(Command::Answer { task, text })
}

/// `12 13`, `12 anyway` or `all`.
fn ship(rest: &str) -> Result<Command, ParseError> {
    const USAGE: &str = "/ship 12, /ship 12 anyway, or /ship all";
    let text = rest.trim();
    if text.eq_ignore_ascii_case("all") {
        return Ok(Command::Ship { tasks: vec![], anyway: false });
    }
    let (numbers, anyway) = match text.rsplit_once(char::is_whitespace) {
        Some((numbers, last)) if last.eq_ignore_ascii_case("anyway") => (numbers, true),
        _ => (text, false),
    };
    Ok(Command::Ship { tasks: task_numbers(numbers, USAGE)?, anyway })
}

fn unknown(name: &str) -> ParseError {
    let known = super::help::names();
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
        "" => Command::QueueList { filter: None, page: 0 },
        "list" | "ls" => list(after),
        "add" | "new" => Command::QueueAdd(draft::drafts(after, ctx)?),
        "show" => Command::QueueShow(task_number(after, "/queue show 3")?),
        "edit" | "change" => return edit(after, ctx),
        "drop" | "remove" | "rm" | "delete" | "del" => Command::QueueDrop(task_numbers(after, "/queue drop 3 5")?),
        _ if after.trim().is_empty() && looks_like_number(word) => {
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
            None if after.trim().is_empty() => Command::QueueList { filter: Some(word.to_owned()), page: 0 },
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

/// `locked 2`: a filter, and which page as people count them.
fn list(rest: &str) -> Command {
    let text = rest.trim();
    let (before, last) = text.rsplit_once(char::is_whitespace).unwrap_or(("", text));
    let page = last.parse::<usize>().ok().filter(|page| *page > 0);
    let filter = if page.is_some() { before.trim() } else { text };
    Command::QueueList {
        filter: (!filter.is_empty()).then(|| filter.to_owned()),
        page: page.map_or(0, |page| page - 1),
    }
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
    time_of_day(&text).map(Some).ok_or_else(|| {
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
