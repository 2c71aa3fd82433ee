//! Sub-agents: how each CLI is launched and what its output means. Adding one is a small file here plus a word in
//! [`crate::domain::settings::AgentKind`].
//!
//! Left out on purpose: running it (that is [`crate::runner`]) and believing it: what an agent says is a claim, shown
//! as such; outcomes come from what the host sees.

mod command;
mod prompt;

pub use prompt::{PromptFacts, prompt};

use crate::domain::settings::{Agent, AgentKind};
use std::path::Path;

/// How to start an agent on one task. Standard input is always the prompt file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// Program and arguments; no shell.
    pub argv: Vec<String>,
}

/// What one line of an agent's output says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgentEvent {
    /// Where it says it is.
    Progress {
        /// 0–100, if it gave a number.
        percent: Option<u8>,
        /// Its words.
        text: String,
    },
}

/// How to start this agent with the prompt in `prompt_file`.
pub fn launch(agent: &Agent, prompt_file: &Path) -> Launch {
    match agent.kind {
        AgentKind::Command => command::launch(agent, prompt_file),
    }
}

/// What a line says, if anything. Unknown and garbled lines are ignored.
pub fn read_line(agent: &Agent, line: &str) -> Option<AgentEvent> {
    match agent.kind {
        AgentKind::Command => command::read_line(line),
    }
}
