//! Reads an agent CLI's standard output as it grows, in bounded memory, and says at the end what it came to.
//!
//! Each CLI's reader turns lines into [`Heard`]; what an outcome is, is decided here, once for all of them.

use super::heard::{Close, Heard};
use super::json::{Look, objects};
use super::lines::Lines;
use super::{aider, claude, codex, command, gemini, opencode, question, trouble, when};
use crate::domain::agent::{AgentEvent, AgentOutcome, AgentReport, Spent, Window};
use crate::domain::progress::read_progress;
use crate::domain::settings::AgentKind;
use crate::domain::words::plain;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use std::fmt::Debug;

/// Longest summary and longest reason, in characters.
const SUMMARY_CHARS: usize = 400;
/// How much of standard error is looked at, in bytes from its end.
const STDERR_BYTES: usize = 16 * 1024;

/// What times in prose ("try again at 10:05 PM") are relative to.
#[derive(Debug, Clone, Copy)]
pub struct Reference {
    /// About when they were said.
    pub at: DateTime<Utc>,
    /// The machine's zone: CLIs print local times.
    pub zone: Tz,
}

/// How the process ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AgentEnd {
    /// Exit status, if it ended by itself; those of a shell (124, 128 + signal) are understood.
    pub status: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// We ended it, for this.
    pub stopped: Option<Stopped>,
    /// When it ended or a little later, if that is known: what was said of "in 20 minutes" counts from there.
    pub at: Option<DateTime<Utc>>,
}

/// Why we ended a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// Someone asked, or the night is over.
    Asked,
    /// Money, tokens or turns of this run are used up.
    Budget,
    /// Silent, or not ended in time.
    Hung,
}

impl AgentEnd {
    /// What `timeout(1)` exits with where it ended a command.
    const TIMED_OUT: i32 = 124;

    fn hung(&self) -> bool {
        self.stopped == Some(Stopped::Hung) || (self.stopped.is_none() && self.status == Some(Self::TIMED_OUT))
    }

    /// The signal, also where a shell or the CLI itself gives it as an exit status.
    fn by_signal(&self) -> Option<i32> {
        self.signal.or_else(|| self.status.filter(|status| (129..160).contains(status)).map(|status| status - 128))
    }

    fn clean(&self) -> bool {
        self.signal.is_none() && self.status.unwrap_or(0) == 0
    }
}

/// What a CLI wrote elsewhere: for Codex the end of its `rollout-*.jsonl`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Side {
    /// The provider's windows.
    pub windows: Vec<Window>,
    /// Running total of the session.
    pub tokens: Option<u64>,
}

impl Side {
    /// From the end of such a file; its first line may be half. Nothing for CLIs that need no such file.
    pub fn read(kind: AgentKind, tail: &[u8]) -> Self {
        match kind {
            AgentKind::Codex => codex::side(tail),
            _ => Self::default(),
        }
    }
}

/// What each CLI's reader does.
pub(super) trait Reader: Debug + Send + Sync {
    /// Takes a line.
    fn line(&mut self, line: &str, heard: &mut Heard);
    /// The process has ended; decides what is open still. `trouble` is what standard error ends with.
    fn end(&mut self, _end: &AgentEnd, _trouble: &str, _heard: &mut Heard) {}
    /// What an error message means where this CLI means something else by it than others do.
    fn trouble(&self, message: &str) -> Option<AgentOutcome> {
        trouble::of(message)
    }
}

/// Reads one run's output.
#[derive(Debug)]
pub struct Stream {
    reader: Box<dyn Reader>,
    lines: Lines,
    heard: Heard,
    reference: Reference,
    before: Spent,
}

impl Stream {
    /// For a run of that kind. `before`: what the session had spent when this run began (the sum of its reports), as
    /// some CLIs state running totals; default for a new session.
    pub fn new(kind: AgentKind, reference: Reference, before: Spent) -> Self {
        let reader: Box<dyn Reader> = match kind {
            AgentKind::Claude => Box::<claude::Claude>::default(),
            AgentKind::Codex => Box::<codex::Codex>::default(),
            AgentKind::OpenCode => Box::<opencode::OpenCode>::default(),
            AgentKind::Gemini => Box::<gemini::Gemini>::default(),
            AgentKind::Aider => Box::<aider::Aider>::default(),
            AgentKind::Command => Box::<command::Command>::default(),
        };
        Self { reader, lines: Lines::default(), heard: Heard::default(), reference, before }
    }

    /// Takes the next bytes, and says what happened. Half lines wait for their end; garbage and unknown events are
    /// left out.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<AgentEvent> {
        let (reader, heard) = (&mut self.reader, &mut self.heard);
        self.lines.push(bytes, |line| reader.line(line, heard));
        std::mem::take(&mut self.heard.events)
    }

    /// The run has ended. `stderr`: its end, if it was kept apart; `side`: see [`Side`].
    pub fn finish(mut self, end: &AgentEnd, stderr: &str, side: Option<&Side>) -> AgentReport {
        if let Some(line) = self.lines.rest() {
            self.reader.line(&line, &mut self.heard);
        }
        let stderr = &stderr[stderr.ceil_char_boundary(stderr.len().saturating_sub(STDERR_BYTES))..];
        let trouble = errors(&self.heard.stray, stderr);
        self.reader.end(end, &trouble, &mut self.heard);
        let heard = &mut self.heard;
        if let Some(side) = side {
            let known: Vec<&str> = heard.windows.iter().map(|window| window.name.as_str()).collect();
            let new: Vec<Window> =
                side.windows.iter().filter(|window| !known.contains(&window.name.as_str())).cloned().collect();
            heard.windows.extend(new);
            if heard.spent.tokens.is_none() && side.tokens.is_some() {
                (heard.spent.tokens, heard.running_total) = (side.tokens, true);
            }
        }
        if heard.close == Close::Open
            && let Some(outcome) = self.reader.trouble(&trouble)
        {
            heard.error(outcome, &trouble);
        }
        self.report(end, &trouble)
    }

    fn report(self, end: &AgentEnd, trouble: &str) -> AgentReport {
        let question = self.heard.question.clone().or_else(|| question::asked(&self.heard.text));
        let (outcome, why) = self.outcome(end, question.as_deref(), trouble);
        // What was said may hold nothing that can be shown.
        let why = if why.is_empty() { ended(end) } else { why };
        let reset_at = (outcome == AgentOutcome::Limit).then(|| self.reset(end.at)).flatten();
        let Self { heard, before, .. } = self;
        let spent = if heard.running_total { since(before, heard.spent) } else { heard.spent };
        let summary = match &heard.close {
            Close::Error(_, text) if !text.is_empty() => text.clone(),
            Close::Open if heard.text.is_empty() => trouble.to_owned(),
            _ => words(&heard.text),
        };
        AgentReport {
            outcome,
            why,
            reset_at,
            summary: Some(plain(&summary, SUMMARY_CHARS)).filter(|summary| !summary.is_empty()),
            session_id: heard.session,
            session_gone: heard.session_gone,
            tokens: spent.tokens,
            cost_usd: spent.cost_usd,
            turns: (heard.turns > 0).then_some(heard.turns),
            denials: heard.denials,
            progress: heard.progress,
            question: question.filter(|_| outcome == AgentOutcome::Question),
            windows: heard.windows,
            leftovers: heard.jobs.into_iter().map(|(_, what)| what).collect(),
        }
    }

    /// What it came to, and why.
    fn outcome(&self, end: &AgentEnd, question: Option<&str>, trouble: &str) -> (AgentOutcome, String) {
        let heard = &self.heard;
        let said = |text: &str| plain(text, SUMMARY_CHARS);
        if let Some(stated) = self.whoever_ended_it(end) {
            return stated;
        }
        match &heard.close {
            Close::Error(outcome, text) if text.is_empty() => (*outcome, ended(end)),
            Close::Error(outcome, text) => (*outcome, said(text)),
            _ if end.by_signal().is_some() => by_signal(end.by_signal().unwrap_or_default()),
            Close::Done if !end.clean() => {
                (AgentOutcome::Failed, format!("it said it was done, and then {}", ended(end)))
            }
            Close::Done => {
                if let Some(question) = question {
                    (AgentOutcome::Question, said(question))
                } else if let Some(first) = heard.denials.first() {
                    let more = heard.denials.len() - 1;
                    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
                    (AgentOutcome::Denied, said(&format!("it ended cleanly, but was refused: {first}{more}")))
                } else if let Some((_, job)) = heard.jobs.first() {
                    (AgentOutcome::Success, said(&format!("it ended cleanly, but left this running: {job}")))
                } else {
                    (AgentOutcome::Success, "it ended cleanly".into())
                }
            }
            Close::Open if !trouble.is_empty() => (AgentOutcome::Failed, said(trouble)),
            Close::Open if end.clean() => (AgentOutcome::Failed, "it ended without saying how its work ended".into()),
            Close::Open => (AgentOutcome::Failed, ended(end)),
        }
    }

    /// Where we ended it, that says what it was, unless the stream says what made us do it.
    fn whoever_ended_it(&self, end: &AgentEnd) -> Option<(AgentOutcome, String)> {
        let stated = match &self.heard.close {
            Close::Error(outcome @ (AgentOutcome::Limit | AgentOutcome::Account), text) => Some((*outcome, text)),
            _ => None,
        };
        let stated = stated.map(|(outcome, text)| (outcome, plain(text, SUMMARY_CHARS)));
        match end.stopped {
            Some(Stopped::Budget) => Some((AgentOutcome::Budget, "it was stopped: its budget is used up".into())),
            Some(Stopped::Asked) => Some(stated.unwrap_or((AgentOutcome::Interrupted, "it was stopped".into()))),
            _ if end.hung() => {
                Some(stated.unwrap_or((AgentOutcome::Hung, "it was silent, or had not ended in time".into())))
            }
            _ => None,
        }
    }

    /// The end of the limit: as stated, else of the windows that are used up the last one's, else in prose.
    fn reset(&self, ended: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
        let said = ended.unwrap_or(self.reference.at);
        let used_up = self.heard.windows.iter().filter(|window| window.utilization >= 1.0);
        let windows = || used_up.filter_map(|window| window.resets_at).max();
        let prose = || match &self.heard.close {
            Close::Error(_, text) => when::reset(text, self.reference, said),
            _ => None,
        };
        let span = || said.checked_add_signed(self.heard.reset_in?);
        self.heard.reset_at.or_else(span).or_else(windows).or_else(prose)
    }
}

/// The difference to what was spent before; a total below that counts from the start.
fn since(before: Spent, total: Spent) -> Spent {
    let tokens = total.tokens.map(|total| total.checked_sub(before.tokens.unwrap_or(0)).unwrap_or(total));
    let cost_usd = total.cost_usd.map(|total| {
        let rest = total - before.cost_usd.unwrap_or(0.0);
        // Sums of decimal fractions are not exact.
        if rest < -1e-6 { total } else { rest.max(0.0) }
    });
    Spent { tokens, cost_usd }
}

/// An agent's last words without its progress lines.
fn words(text: &str) -> String {
    let claim = |line: &&str| line.trim_start().starts_with("PROGRESS ") && read_progress(line).is_some();
    text.lines().filter(|line| !claim(line)).collect::<Vec<_>>().join("\n")
}

fn ended(end: &AgentEnd) -> String {
    match (end.signal, end.status) {
        (Some(signal), _) => format!("it was ended by signal {signal}"),
        (_, Some(status)) => format!("it ended with exit status {status}"),
        _ => "it ended".into(),
    }
}

/// TERM, INT and HUP are requests to end; anything else is a crash, or the kernel's answer to a lack of memory.
fn by_signal(signal: i32) -> (AgentOutcome, String) {
    match signal {
        1 | 2 | 15 => (AgentOutcome::Interrupted, format!("it was asked to end by signal {signal}")),
        9 => (AgentOutcome::Failed, "it was killed (signal 9), as the kernel does when memory runs out".into()),
        signal => (AgentOutcome::Failed, format!("it crashed (signal {signal})")),
    }
}

/// What speaks of trouble at the end of what was printed for people: the last lines that name an error, else the last line.
fn errors(stray: &str, stderr: &str) -> String {
    const LINES: usize = 3;
    let names = |line: &&str| {
        let line = line.to_lowercase();
        ["error", "fail", "exception", "limit", "quota", "denied", "invalid", "not found", "unable", "log"]
            .iter()
            .any(|word| line.contains(word))
    };
    let lines = || stray.lines().chain(stderr.lines()).map(str::trim).filter(|line| !line.is_empty());
    let mut found: Vec<&str> = lines().filter(names).collect();
    if found.is_empty() {
        found.extend(lines().next_back());
    }
    let from = found.len().saturating_sub(LINES);
    found[from..].join("\n")
}

/// For the readers of JSON lines: hands each event to `take`; what is none is kept as stray text.
pub(super) fn events(line: &str, heard: &mut Heard, mut take: impl FnMut(&serde_json::Value, &mut Heard)) {
    let objects = objects(line);
    if objects.is_empty() {
        heard.stray(line);
    }
    for event in objects.iter().filter(|event| event.text("type").is_some()) {
        take(event, heard);
    }
}

#[cfg(test)]
mod tests;
