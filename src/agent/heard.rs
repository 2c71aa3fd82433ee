//! What was understood so far of one run, whichever CLI said it; every part of it is bounded.

use crate::domain::agent::{AgentEvent, AgentOutcome, Progress, Spent, Window};
use crate::domain::progress::{self, read_progress};
use crate::domain::words::plain;
use chrono::{DateTime, TimeDelta, Utc};

/// Bytes kept at least of the agent's last words, from their end; at most twice that.
const TEXT_BYTES: usize = 16 * 1024;
/// The same for lines that are no events.
const STRAY_BYTES: usize = 8 * 1024;
/// Most refusals, windows and background jobs that are named.
const MOST: usize = 50;
/// Longest name of one of them, in characters.
const NAME_CHARS: usize = 200;
/// Longest session id, in bytes.
const ID_BYTES: usize = 200;

/// What was understood so far.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// What came of it since [`super::Stream::push`] was called.
    pub(super) events: Vec<AgentEvent>,
    pub(super) session: Option<String>,
    pub(super) session_gone: bool,
    pub(super) close: Close,
    /// The agent's last message.
    pub(super) text: String,
    /// An ask tool's question that nothing was done after.
    pub(super) question: Option<String>,
    pub(super) denials: Vec<String>,
    pub(super) windows: Vec<Window>,
    /// Stated end of a limit.
    pub(super) reset_at: Option<DateTime<Utc>>,
    /// The same, from when it was said.
    pub(super) reset_in: Option<TimeDelta>,
    pub(super) progress: Option<Progress>,
    pub(super) spent: Spent,
    /// `spent` is the session's, not this run's.
    pub(super) running_total: bool,
    pub(super) turns: u32,
    /// Background jobs by id.
    pub(super) jobs: Vec<(String, String)>,
    /// The end of what was no event.
    pub(super) stray: String,
}

/// What a CLI said of its end.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) enum Close {
    /// Nothing yet.
    #[default]
    Open,
    /// Ended as it should.
    Done,
    /// Ended with an error of that kind.
    Error(AgentOutcome, String),
}

impl Heard {
    /// The conversation's id.
    pub(super) fn session(&mut self, id: &str) {
        let sane = id.len() <= ID_BYTES && id.bytes().all(|b| b.is_ascii_graphic()) && !id.starts_with('-');
        if sane && !id.is_empty() && self.session.as_deref() != Some(id) {
            self.session = Some(id.to_owned());
            self.events.push(AgentEvent::Session(id.to_owned()));
        }
    }

    /// The agent said this as its last message so far.
    pub(super) fn say(&mut self, text: &str) {
        self.text.clear();
        self.add(text);
    }

    /// More of the same message.
    pub(super) fn add(&mut self, text: &str) {
        keep_end(&mut self.text, text, TEXT_BYTES);
        // Prose has lines like "40% faster": only the form the prompt asks for counts here.
        let claims = text.lines().filter(|line| line.trim_start().starts_with("PROGRESS "));
        if let Some((percent, text)) = claims.filter_map(read_progress).next_back() {
            self.at(percent, &text);
        }
    }

    /// The agent is here; without a percentage the last one stays.
    pub(super) fn at(&mut self, percent: Option<u8>, text: &str) {
        let before = self.progress.as_ref().and_then(|progress| progress.percent);
        let text = plain(text, progress::TEXT_CHARS);
        let progress = Progress { percent: percent.or(before), text, estimated: false };
        if self.progress.as_ref() != Some(&progress) {
            self.progress = Some(progress.clone());
            self.events.push(AgentEvent::Progress(progress));
        }
    }

    /// A to-do list as it stands: how many are done of how many, and what is being done.
    pub(super) fn todo(&mut self, done: usize, all: usize, current: Option<&str>) {
        if all == 0 {
            return;
        }
        let percent = u8::try_from(done.min(all) * 100 / all).unwrap_or(100);
        self.at(Some(percent), current.unwrap_or(""));
    }

    /// Something was refused.
    pub(super) fn denied(&mut self, what: &str) {
        let what = plain(what, NAME_CHARS);
        if !what.is_empty() && self.denials.len() < MOST && !self.denials.contains(&what) {
            self.denials.push(what.clone());
            self.events.push(AgentEvent::Denied(what));
        }
    }

    /// The provider's window as it stands.
    pub(super) fn window(&mut self, name: &str, utilization: f64, resets_at: Option<DateTime<Utc>>) {
        let window = Window { name: plain(name, 40), utilization: utilization.clamp(0.0, 1.0), resets_at };
        match self.windows.iter().position(|known| known.name == window.name) {
            Some(at) if self.windows[at] == window => return,
            Some(at) => self.windows[at] = window.clone(),
            None if self.windows.len() < MOST && !window.name.is_empty() => self.windows.push(window.clone()),
            None => return,
        }
        self.events.push(AgentEvent::Window(window));
    }

    /// Spent so far, and answers so far.
    pub(super) fn usage(&mut self, spent: Spent, turns: u32) {
        if (self.spent, self.turns) != (spent, turns) {
            (self.spent, self.turns) = (spent, turns);
            self.events.push(AgentEvent::Usage { spent, turns });
        }
    }

    /// The CLI tries again by itself.
    pub(super) fn retrying(&mut self, attempt: u64, reason: &str) {
        let attempt = u32::try_from(attempt).unwrap_or(u32::MAX);
        self.events.push(AgentEvent::Retrying { attempt, reason: plain(reason, NAME_CHARS) });
    }

    /// A background job begins.
    pub(super) fn job(&mut self, id: &str, what: &str) {
        if self.jobs.len() < MOST && id.len() <= ID_BYTES && !self.jobs.iter().any(|(known, _)| known == id) {
            self.jobs.push((id.to_owned(), plain(what, NAME_CHARS)));
        }
    }

    /// It ended with an error.
    pub(super) fn error(&mut self, outcome: AgentOutcome, message: &str) {
        let mut text = String::new();
        keep_end(&mut text, message, STRAY_BYTES);
        self.close = Close::Error(outcome, text);
    }

    /// A line that is no event.
    pub(super) fn stray(&mut self, line: &str) {
        if !line.trim().is_empty() {
            keep_end(&mut self.stray, line, STRAY_BYTES);
            self.stray.push('\n');
        }
    }
}

/// Appends, and cuts from the start to the last `most` bytes; only once twice that is there, as cutting moves the rest.
fn keep_end(text: &mut String, more: &str, most: usize) {
    text.push_str(more);
    if text.len() > 2 * most {
        let cut = text.ceil_char_boundary(text.len() - most);
        drop(text.drain(..cut));
        // One long line must not keep its memory for the rest of the night.
        text.shrink_to(2 * most);
    }
}

/// A call of a tool in words: `Bash: cargo test`, `Edit: src/lib.rs`.
pub(super) fn call(tool: &str, input: &serde_json::Value) -> String {
    const TELLING: [&str; 8] =
        ["command", "file_path", "filePath", "path", "notebook_path", "pattern", "url", "description"];
    let detail = TELLING.iter().find_map(|key| input.get(*key)?.as_str()).unwrap_or("");
    let text = if detail.is_empty() { tool.to_owned() } else { format!("{tool}: {detail}") };
    plain(&text, NAME_CHARS)
}
