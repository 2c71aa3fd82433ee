//! Reads what stands after `/queue add` and `/queue edit`: pieces separated by `|`, in any order.
//!
//! Nothing that was typed is lost: a piece is a field, else the title, else a line of the details, else an error that
//! queues nothing. Lines after the first are details and never read as fields, so a pasted log can't set a command.

use super::pieces::Pieces;
use super::words::quoted;
use super::{Draft, MAX_TASKS_AT_ONCE, ParseContext, ParseError};
use crate::domain::task::limits;

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
