//! Reads what stands after `/queue add` and `/queue edit`: pieces separated by `|`, in any order.
//!
//! Nothing that was typed is lost: a piece is a field, else the title, else a line of the details, else an error that
//! queues nothing. Lines after the first are details and never read as fields, so a pasted log can't set a command.

use super::words::{argv, checked_minutes, estimate, moment, number_list, quoted, time_of_day};
use super::{Draft, MAX_TASKS_AT_ONCE, NotBefore, ParseContext, ParseError};
use crate::domain::category::Category;
use crate::domain::id::TaskId;
use crate::domain::task::{Priority, TaskKind, limits};
use chrono::{NaiveDate, NaiveDateTime, NaiveTime};

const EXAMPLE: &str = "/queue add Optimize the report query | 4h | perf | high";

/// The tasks of a `/queue add`: one, or one for each line that starts with `-` or `•`.
pub(super) fn drafts(rest: &str, ctx: &ParseContext<'_>) -> Result<Vec<Draft>, ParseError> {
    let mut lines: Vec<&str> = rest.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).collect();
    let Some(first) = lines.iter().position(|line| !line.trim().is_empty()) else {
        return Err(ParseError::new(format!("What shall I queue? The title is missing. Try: {EXAMPLE}")));
    };
    lines.drain(..first);
    if bullet(lines[0]).is_none() {
        return Ok(vec![one(lines[0], &lines[1..], ctx)?]);
    }
    let starts: Vec<usize> =
        lines.iter().enumerate().filter(|(_, line)| bullet(line).is_some()).map(|(at, _)| at).collect();
    if starts.len() > MAX_TASKS_AT_ONCE {
        return Err(ParseError::new(format!(
            "That list has {} tasks and one message takes at most {MAX_TASKS_AT_ONCE}: nothing was queued. Send it in parts.",
            starts.len()
        )));
    }
    let ends = starts.iter().skip(1).copied().chain([lines.len()]);
    starts
        .iter()
        .zip(ends)
        .enumerate()
        .map(|(n, (&start, end))| {
            one(bullet(lines[start]).unwrap_or_default(), &lines[start + 1..end], ctx)
                .map_err(|e| ParseError::new(format!("Task {} of the list: {} Nothing was queued.", n + 1, e.message)))
        })
        .collect()
}

/// The changes of a `/queue edit 3 …`. Text that is no field is refused: a mistyped word must not become the title.
pub(super) fn changes(rest: &str, ctx: &ParseContext<'_>) -> Result<Draft, ParseError> {
    let (first, more) = rest.split_once('\n').unwrap_or((rest, ""));
    let read = Pieces::read(first, ctx)?;
    if let Some(text) = read.texts.first() {
        return Err(ParseError::new(format!(
            "{} names nothing to change. Write title: … or details: … for text. Try: /queue edit 3 | high | 2h",
            quoted(text)
        )));
    }
    let Pieces { mut draft, mut details, title, .. } = read;
    if !more.trim().is_empty() {
        details.push(more.trim_end().to_owned());
    }
    if !details.is_empty() {
        draft.details = Some(details.join("\n"));
    }
    if let Some(title) = title {
        let chars = title.chars().count();
        if title.is_empty() || chars > limits::TITLE_CHARS {
            return Err(ParseError::new(format!(
                "A title has 1 to {} characters and this one has {chars}. Try: /queue edit 3 title: New title",
                limits::TITLE_CHARS
            )));
        }
        draft.title = Some(title);
    }
    if draft == Draft::default() {
        return Err(ParseError::new(
            "What shall change? Try: /queue edit 3 | high | 2h, or /queue edit 3 title: New title",
        ));
    }
    Ok(draft)
}

fn bullet(line: &str) -> Option<&str> {
    let line = line.trim_start();
    if let Some(text) = line.strip_prefix('•') {
        return Some(text);
    }
    line.strip_prefix('-').filter(|text| text.is_empty() || text.starts_with(char::is_whitespace))
}

fn one(first: &str, more: &[&str], ctx: &ParseContext<'_>) -> Result<Draft, ParseError> {
    let Pieces { mut draft, mut details, title, texts } = Pieces::read(first, ctx)?;
    let mut texts = texts.into_iter();
    let title = title.filter(|title| !title.is_empty()).or_else(|| texts.next()).ok_or_else(|| {
        ParseError::new(format!(
            "{} has no title: all of it was read as settings. Write title: … before it. Try: {EXAMPLE}",
            quoted(first)
        ))
    })?;
    let (title, overlong) = fit_title(title);
    let more = more.join("\n");
    let lines: Vec<String> = overlong
        .into_iter()
        .chain(texts)
        .chain(details.drain(..))
        .chain((!more.trim().is_empty()).then(|| more.trim_matches('\n').trim_end().to_owned()))
        .filter(|line| !line.is_empty())
        .collect();
    draft.title = Some(title);
    draft.details = (!lines.is_empty()).then(|| lines.join("\n"));
    Ok(draft)
}

/// A title over the limit is shortened at a word and kept whole as the first line of the details.
fn fit_title(title: String) -> (String, Option<String>) {
    let Some((limit, _)) = title.char_indices().nth(limits::TITLE_CHARS) else {
        return (title, None);
    };
    // Room for the dots: one character.
    let most = title[..limit].char_indices().last().map_or(0, |(at, _)| at);
    let cut = title[..most].rfind(char::is_whitespace).filter(|at| *at > most / 2).unwrap_or(most);
    (format!("{}…", title[..cut].trim_end()), Some(title))
}

/// The pieces of one line, sorted into what they are.
#[derive(Default)]
struct Pieces {
    draft: Draft,
    title: Option<String>,
    details: Vec<String>,
    texts: Vec<String>,
}

impl Pieces {
    fn read(line: &str, ctx: &ParseContext<'_>) -> Result<Self, ParseError> {
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
