//! One line of pieces separated by `|`: which is a field, and which is text.
//!
//! Left out on purpose: what becomes of the text; a new task takes it as its title, an edit refuses it.

use super::words::{argv, checked_minutes, estimate, moment, number_list, quoted, time_of_day};
use super::{Draft, NotBefore, ParseContext, ParseError};
use crate::domain::category::Category;
use crate::domain::id::TaskId;
use crate::domain::task::{Priority, TaskKind, limits};
use chrono::{NaiveDate, NaiveDateTime, NaiveTime};

/// The pieces of one line, sorted into what they are.
#[derive(Default)]
pub(super) struct Pieces {
    /// Fields that were recognised; title and details stay apart.
    pub(super) draft: Draft,
    /// `title: …`.
    pub(super) title: Option<String>,
    /// `details: …`, in order.
    pub(super) details: Vec<String>,
    /// What is no field, in order.
    pub(super) texts: Vec<String>,
}

impl Pieces {
    pub(super) fn read(line: &str, ctx: &ParseContext<'_>) -> Result<Self, ParseError> {
        let mut read = Self::default();
        let mut rest = line;
        while let Some((piece, after)) = next_piece(rest) {
            rest = after;
            let piece = piece.trim();
            if !piece.is_empty() && !read.keyed(piece, ctx)? && !read.bare(piece, ctx)? {
                read.texts.push(piece.to_owned());
            }
        }
        Ok(read)
    }

    /// `key: value`. An unknown key is text; a known one with a bad value is an error, except for the two keys that are
    /// ordinary words.
    fn keyed(&mut self, piece: &str, ctx: &ParseContext<'_>) -> Result<bool, ParseError> {
        let Some((key, value)) = piece.split_once(':') else { return Ok(false) };
        let key = key.trim().to_lowercase().replace(['-', '_'], " ");
        let value = value.trim();
        let draft = &mut self.draft;
        match key.as_str() {
            "title" => once(&mut self.title, value.to_owned(), "title", piece)?,
            "details" | "detail" | "description" => self.details.push(value.to_owned()),
            "project" => once(&mut draft.project, named(value, ctx.projects, "project")?, "project", piece)?,
            "agent" => once(&mut draft.agent, named(value, ctx.agents, "agent")?, "agent", piece)?,
            "kind" => once(&mut draft.kind, value.parse::<TaskKind>().map_err(bad_word)?, "kind", piece)?,
            "category" => {
                let category = value.parse::<Category>().map_err(|e| bad_word(&e))?;
                once(&mut draft.category, category, "category", piece)?;
            }
            "priority" => {
                once(&mut draft.priority, value.parse::<Priority>().map_err(bad_word)?, "priority", piece)?;
            }
            "estimate" => {
                let minutes = estimate(value).ok_or_else(|| {
                    ParseError::new(format!("{} is no estimate; write it like 4h or 90m.", quoted(value)))
                })?;
                once(&mut draft.estimate_minutes, checked_minutes(minutes, value)?, "estimate", piece)?;
            }
            "not before" => {
                let start = start_time(value)?.ok_or_else(|| bad_time(value))?;
                once(&mut draft.not_before, start, "start time", piece)?;
            }
            "depends on" => {
                let tasks = dependencies(value)?.ok_or_else(|| {
                    ParseError::new(format!("{} are no task numbers; write them like #3,#5.", quoted(value)))
                })?;
                once(&mut draft.depends_on, tasks, "list of tasks to wait for", piece)?;
            }
            "command" if value.eq_ignore_ascii_case("none") => once(&mut draft.command, Vec::new(), "command", piece)?,
            "command" => once(&mut draft.command, argv(value)?, "command", piece)?,
            "from" | "after" => return self.waits(&key, value, piece),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// A piece that says what it is by itself.
    fn bare(&mut self, piece: &str, ctx: &ParseContext<'_>) -> Result<bool, ParseError> {
        if is_command(piece) {
            once(&mut self.draft.command, argv(&piece[1..])?, "command", piece)?;
            return Ok(true);
        }
        if let Some(minutes) = estimate(piece) {
            once(&mut self.draft.estimate_minutes, checked_minutes(minutes, piece)?, "estimate", piece)?;
            return Ok(true);
        }
        for lead in ["not before", "from", "after"] {
            if let Some(value) = strip_word(piece, lead) {
                return self.waits(lead, value, piece);
            }
        }
        self.word(piece, ctx)
    }

    fn word(&mut self, piece: &str, ctx: &ParseContext<'_>) -> Result<bool, ParseError> {
        let lower = piece.to_lowercase();
        let kind = match lower.as_str() {
            "code" => Some(TaskKind::Code),
            "artifact" | "artefact" => Some(TaskKind::Artifact),
            "action" => Some(TaskKind::Action),
            _ => None,
        };
        let priority = lower.parse::<Priority>().ok();
        // `action` alone is the kind; the category is written `external`.
        let category = lower.parse::<Category>().ok().filter(|_| kind.is_none());
        let project = ctx.projects.iter().find(|name| name.to_lowercase() == lower);
        let agent = ctx.agents.iter().find(|name| name.to_lowercase() == lower);
        let readings: Vec<&str> = [
            (kind.is_some(), "kind"),
            (priority.is_some(), "priority"),
            (category.is_some(), "category"),
            (project.is_some(), "project"),
            (agent.is_some(), "agent"),
        ]
        .into_iter()
        .filter_map(|(matches, what)| matches.then_some(what))
        .collect();
        if readings.len() > 1 {
            return Err(ParseError::new(format!(
                "{} can be a {} here; say which, like {}: {lower}",
                quoted(piece),
                readings.join(" or a "),
                readings[0],
            )));
        }
        if let Some(kind) = kind {
            once(&mut self.draft.kind, kind, "kind", piece)?;
        }
        if let Some(priority) = priority {
            once(&mut self.draft.priority, priority, "priority", piece)?;
        }
        if let Some(category) = category {
            once(&mut self.draft.category, category, "category", piece)?;
        }
        if let Some(project) = project {
            once(&mut self.draft.project, project.clone(), "project", piece)?;
        }
        if let Some(agent) = agent {
            once(&mut self.draft.agent, agent.clone(), "agent", piece)?;
        }
        Ok(!readings.is_empty())
    }

    /// `after #3,#5`, `after 02:00`, `from …`, `not before …`; anything else is an ordinary sentence.
    fn waits(&mut self, lead: &str, value: &str, piece: &str) -> Result<bool, ParseError> {
        if lead == "after"
            && let Some(tasks) = dependencies(value)?
        {
            once(&mut self.draft.depends_on, tasks, "list of tasks to wait for", piece)?;
            return Ok(true);
        }
        match start_time(value)? {
            Some(start) => once(&mut self.draft.not_before, start, "start time", piece)?,
            None => return Ok(false),
        }
        Ok(true)
    }
}

/// The next piece up to an unescaped `|`; inside a command, quotes hide a `|` as they do in a shell.
fn next_piece(rest: &str) -> Option<(String, &str)> {
    let start = rest.trim_start();
    if start.is_empty() {
        return None;
    }
    let command = is_command(start) || strip_key(start, "command").is_some();
    let mut piece = String::new();
    let mut quote = None;
    let mut chars = start.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let next = chars.peek().map(|(_, next)| *next);
        match c {
            '\\' if !command && next == Some('|') => {
                piece.push('|');
                chars.next();
            }
            '\\' if command && quote != Some('\'') => {
                piece.push(c);
                piece.extend(chars.next().map(|(_, escaped)| escaped));
            }
            '\'' | '"' if command => {
                match quote {
                    None => quote = Some(c),
                    Some(open) if open == c => quote = None,
                    Some(_) => {}
                }
                piece.push(c);
            }
            '|' if quote.is_none() => return Some((piece, &start[at + 1..])),
            _ => piece.push(c),
        }
    }
    Some((piece, ""))
}

fn is_command(piece: &str) -> bool {
    piece.strip_prefix('!').is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace))
}

fn strip_key<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let head = text.get(..key.len())?;
    if !head.eq_ignore_ascii_case(key) {
        return None;
    }
    text[key.len()..].trim_start().strip_prefix(':')
}

fn strip_word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let head = text.get(..word.len())?;
    let rest = &text[word.len()..];
    (head.eq_ignore_ascii_case(word) && rest.starts_with(char::is_whitespace)).then(|| rest.trim())
}

fn once<T: PartialEq>(slot: &mut Option<T>, value: T, what: &str, piece: &str) -> Result<(), ParseError> {
    if slot.as_ref().is_some_and(|old| *old != value) {
        return Err(ParseError::new(format!(
            "{} is a second {what}: leave one of them out, or write details: … if it was meant as text.",
            quoted(piece)
        )));
    }
    *slot = Some(value);
    Ok(())
}

fn named(value: &str, names: &[String], what: &str) -> Result<String, ParseError> {
    let lower = value.to_lowercase();
    names.iter().find(|name| name.to_lowercase() == lower).cloned().ok_or_else(|| {
        let known =
            if names.is_empty() { "none is configured".to_owned() } else { format!("use {}", names.join(", ")) };
        ParseError::new(format!(
            "I know no {what} {}; {known}. If it is text, write title: … before it.",
            quoted(value)
        ))
    })
}

fn bad_word(error: impl std::fmt::Display) -> ParseError {
    ParseError::new(format!("{error}. If it is text, write title: … before it."))
}

fn bad_time(value: &str) -> ParseError {
    ParseError::new(format!("{} is no time; write it like 02:00 or 2026-03-15 01:00.", quoted(value)))
}

/// `None`: it is no time at all. An error: it is written like a time and is none.
fn start_time(value: &str) -> Result<Option<NotBefore>, ParseError> {
    if ["none", "now"].iter().any(|word| value.eq_ignore_ascii_case(word)) {
        return Ok(Some(NotBefore::At(LONG_AGO)));
    }
    if let Some(time) = time_of_day(value) {
        return Ok(Some(NotBefore::Time(time)));
    }
    if let Some(at) = moment(value) {
        return Ok(Some(NotBefore::At(at)));
    }
    let digits = value.starts_with(|c: char| c.is_ascii_digit());
    if digits && value.chars().all(|c| c.is_ascii_digit() || matches!(c, ':' | '-' | '.' | '/' | ' ' | 'T')) {
        return Err(bad_time(value));
    }
    Ok(None)
}

/// A moment that has passed, so that `not before: none` can lift the wait.
const LONG_AGO: NaiveDateTime =
    NaiveDate::from_ymd_opt(2000, 1, 1).expect("the first day of 2000 exists").and_time(NaiveTime::MIN);

fn dependencies(value: &str) -> Result<Option<Vec<TaskId>>, ParseError> {
    if value.eq_ignore_ascii_case("none") {
        return Ok(Some(Vec::new()));
    }
    let Some(tasks) = number_list(value) else { return Ok(None) };
    if tasks.len() > limits::DEPENDENCIES {
        return Err(ParseError::new(format!(
            "A task can wait for at most {} others, and this names {}.",
            limits::DEPENDENCIES,
            tasks.len()
        )));
    }
    Ok(Some(tasks))
}
