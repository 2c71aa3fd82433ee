//! `command`: any program. It gets the prompt on standard input and in the file named by `OVERNIGHT_PROMPT`; `{prompt}`
//! in its arguments is replaced by that file's path. It ends with 0 when it is done and 75 when it should be tried
//! again later; it may print progress lines.

use super::{AgentEvent, Launch};
use crate::domain::progress::read_progress;
use crate::domain::settings::Agent;
use std::path::Path;

pub(super) fn launch(agent: &Agent, prompt_file: &Path) -> Launch {
    let path = prompt_file.to_string_lossy();
    Launch { argv: agent.argv.as_slice().iter().map(|word| word.replace("{prompt}", &path)).collect() }
}

pub(super) fn read_line(line: &str) -> Option<AgentEvent> {
    read_progress(line).map(|(percent, text)| AgentEvent::Progress { percent, text })
}
