//! Sub-agents: how each CLI is launched and what its output means. Adding one is a small file here plus a word in
//! [`crate::domain::settings::AgentKind`].
//!
//! [`launch`] makes the command line; a [`Stream`] reads what comes out of it, byte by byte, and ends as one
//! [`AgentReport`]. Both are pure.
//!
//! Left out on purpose: running it (that is [`crate::runner`]) and believing it: what an agent says is a claim, shown
//! as such; what a task's outcome is, the host decides by what it sees.

mod aider;
mod claude;
mod codex;
mod command;
mod gemini;
mod heard;
mod json;
mod launch;
mod lines;
mod opencode;
mod prompt;
mod question;
mod stream;
mod trouble;
mod when;

pub use launch::{Budget, Input, Launch, Login, Order, SessionChoice, env_names, launch, litter, login};
pub use prompt::{CONVENTIONS, PromptFacts, answered, go_on, prompt};
pub use stream::{AgentEnd, Reference, Side, Stopped, Stream};

pub use crate::domain::agent::{AgentEvent, AgentOutcome, AgentReport, Progress, Spent, Window};
