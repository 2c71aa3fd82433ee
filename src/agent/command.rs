//! `command`: any program. It gets the prompt on standard input and in the file named by `OVERNIGHT_PROMPT`; `{prompt}`
//! in its arguments is replaced by that file's path. It ends with 0 when it is done and 75 when it should be tried
//! again later; it may print progress lines, and end with a line `QUESTION: …`.

use super::heard::{Close, Heard};
use super::launch::{Launch, Order};
use super::stream::{AgentEnd, Reader};
use crate::domain::agent::AgentOutcome;
use crate::domain::progress::read_progress;
use crate::domain::settings::Agent;

/// The exit status for "try again later", as `sendmail` has it (EX_TEMPFAIL).
const TRY_AGAIN: i32 = 75;

pub(super) fn launch(agent: &Agent, order: &Order<'_>) -> Launch {
    let path = order.prompt_file.to_string_lossy();
    let mut launch = Launch::of(agent.argv.as_slice().iter().map(|word| word.replace("{prompt}", &path)).collect());
    launch.separate_stderr = false;
    launch
}

/// Reads what it prints.
#[derive(Debug, Default)]
pub(super) struct Command {}

impl Reader for Command {
    fn line(&mut self, line: &str, heard: &mut Heard) {
        match read_progress(line) {
            Some((percent, text)) => heard.at(percent, &text),
            None if line.trim().is_empty() => {}
            None => {
                heard.add(line);
                heard.add("\n");
            }
        }
    }

    fn end(&mut self, end: &AgentEnd, _trouble: &str, heard: &mut Heard) {
        // The last line is what it ends with; what came before is its log.
        let whole = std::mem::take(&mut heard.text);
        let question = super::question::asked(&whole);
        whole.lines().last().unwrap_or_default().clone_into(&mut heard.text);
        match end.status {
            Some(0) | None if end.signal.is_none() => {
                heard.question = question;
                heard.close = Close::Done;
            }
            Some(TRY_AGAIN) => heard.error(AgentOutcome::Transient, "it asks to be tried again later (exit status 75)"),
            _ => {}
        }
    }

    /// A plain command's words are its own: only its exit status counts.
    fn trouble(&self, _message: &str) -> Option<AgentOutcome> {
        None
    }
}
