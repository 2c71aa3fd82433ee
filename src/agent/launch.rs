//! How an agent CLI is started: arguments, environment, and what it has to reach. Nothing of it is secret: a login is
//! named, never read.

use crate::domain::settings::Agent;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// One task's order to an agent.
#[derive(Debug, Clone, Copy)]
pub struct Order<'a> {
    /// The prompt, also in this file.
    pub prompt_file: &'a Path,
    /// The folder it works in; its current folder.
    pub clone: &'a Path,
    /// A new conversation or one that goes on.
    pub session: SessionChoice<'a>,
    /// Caps for this run; what the CLI can't hold by itself the caller watches.
    pub budget: Budget,
    /// An outer sandbox holds: then Codex' own, which can't be nested everywhere, is not asked for.
    pub sandboxed: bool,
    /// A folder to keep the CLI's state and login in, instead of the home folder's; none: the home folder's.
    pub state_dir: Option<&'a Path>,
    /// The variables it will get from outside, for hosts they point to.
    pub passed: &'a BTreeMap<String, String>,
}

/// A new conversation or one that goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionChoice<'a> {
    /// New; with this id (a UUID) where the CLI lets us choose it.
    New(&'a str),
    /// The one with this id, from [`crate::domain::agent::AgentReport::session_id`].
    Resume(&'a str),
}

/// Caps for one run.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Budget {
    /// US dollars.
    pub usd: Option<f64>,
    /// Tokens in and out.
    pub tokens: Option<u64>,
    /// Answers of the model.
    pub turns: Option<u32>,
}

/// How to start an agent on one task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// Program and arguments; no shell.
    pub argv: Vec<String>,
    /// Variables to set.
    pub env: BTreeMap<String, String>,
    /// Variables its login or its network may need, to be passed from outside where they are set.
    pub env_names: Vec<&'static str>,
    /// What stands on standard input.
    pub stdin: Input,
    /// Hosts the agent itself must reach; empty: not known.
    pub api_hosts: Vec<String>,
    /// Files below the home folder that a login leaves.
    pub login_files: Vec<PathBuf>,
    /// Files and folders below the home folder it writes to: its sessions and its login.
    pub state: Vec<PathBuf>,
    /// Keep standard error apart, as standard output is read by a machine.
    pub separate_stderr: bool,
    /// Names (with `*`) of what the CLI itself leaves in the clone, which is no part of the result.
    pub litter: Vec<&'static str>,
}

/// What stands on standard input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// The prompt file.
    Prompt,
    /// Nothing.
    Null,
}

/// How to start this agent.
pub fn launch(agent: &Agent, order: &Order<'_>) -> Launch {
    let _ = (agent, order);
    todo!()
}

/// A random UUID (version 4), for [`SessionChoice::New`].
pub fn new_session_id() -> String {
    todo!()
}
