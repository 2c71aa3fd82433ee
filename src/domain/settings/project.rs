//! Projects and agents: what is built on, and what builds.

use super::Argv;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// A repository builds work on. The owner's checkout itself is only read, except by an explicit ship.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// Unique; what tasks name it by.
    pub name: String,
    /// The owner's checkout, absolute.
    pub path: PathBuf,
    /// The branch builds start from; none: the one checked out.
    pub base: Option<String>,
    /// Run in a fresh clone before anything else.
    pub setup: Option<Argv>,
    /// Decides whether a result is right. Without it a build is never more than unverified.
    pub verify: Option<Argv>,
    /// Prints a number that tells better from worse.
    pub measure: Option<Measure>,
    /// Untracked files a clone needs, relative to `path`, without `..`.
    pub copy: Vec<PathBuf>,
    /// Folders builds share, absolute: package caches.
    pub caches: Vec<PathBuf>,
    /// Set for its commands.
    pub env: BTreeMap<String, String>,
    /// Names of variables of the bot's environment its commands also get.
    pub env_pass: Vec<String>,
    /// First port of the first build; see [`Self::ports`]. None: no ports are handed out.
    pub port_base: Option<u16>,
    /// Ports each build gets.
    pub ports_per_build: u16,
    /// Most builds of it at once; none: the global limit. Ask [`super::Settings::max_builds_of`].
    pub max_builds: Option<usize>,
    /// The agent that builds it; none: the first one configured.
    pub agent: Option<String>,
    /// Folders whose logs belong to it, absolute.
    pub log_roots: Vec<PathBuf>,
    /// SQLite databases that belong to it, absolute.
    pub databases: Vec<PathBuf>,
}

impl Project {
    /// Ports a build gets unless configured.
    pub const PORTS_PER_BUILD: u16 = 10;

    /// A project with nothing but a name and a folder.
    pub fn new(name: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        Self {
            name: name.into(),
            path: path.into(),
            base: None,
            setup: None,
            verify: None,
            measure: None,
            copy: Vec::new(),
            caches: Vec::new(),
            env: BTreeMap::new(),
            env_pass: Vec::new(),
            port_base: None,
            ports_per_build: Self::PORTS_PER_BUILD,
            max_builds: None,
            agent: None,
            log_roots: Vec::new(),
            databases: Vec::new(),
        }
    }

    /// First and last port of the build in `slot` (0, 1, …, unique among the project's running builds), exported as
    /// `OVERNIGHT_PORT_FIRST` and `OVERNIGHT_PORT_LAST`. None without a base, or past port 65535.
    pub fn ports(&self, slot: usize) -> Option<(u16, u16)> {
        let offset = u16::try_from(slot).ok()?.checked_mul(self.ports_per_build)?;
        let first = self.port_base?.checked_add(offset)?;
        let last = first.checked_add(self.ports_per_build.checked_sub(1)?)?;
        Some((first, last))
    }
}

/// A command whose last printed number is compared before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measure {
    /// What to run.
    pub argv: Argv,
    /// What the number counts, such as `ms`; only shown.
    pub unit: String,
    /// Which way is better.
    pub better: Better,
}

/// Which way a measured number should go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// Time, memory, size.
    Lower,
    /// Throughput, score.
    Higher,
}

impl Better {
    /// The configuration's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lower => "lower",
            Self::Higher => "higher",
        }
    }
}

impl FromStr for Better {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "lower" => Ok(Self::Lower),
            "higher" => Ok(Self::Higher),
            _ => Err(()),
        }
    }
}

/// What builds: a coding agent's CLI, or any command.
#[derive(Debug, Clone, PartialEq)]
pub struct Agent {
    /// Unique; what tasks and projects name it by.
    pub name: String,
    /// How it is launched and read.
    pub kind: AgentKind,
    /// For [`AgentKind::Command`] what to run; for the others their program, and what is added to the arguments it gets
    /// anyway.
    pub argv: Argv,
    /// The model to ask for, in the CLI's own words; none: its default.
    pub model: Option<String>,
    /// Hosts it must reach besides those its kind is known to.
    pub hosts: Vec<String>,
    /// Agents that step in, in this order, for a new build while its account can't be used.
    pub fallback: Vec<String>,
    /// Share (0–1) of each of its usage windows that is kept for the owner's own day.
    pub reserve: f64,
    /// Names of variables of the bot's environment it also gets.
    pub env_pass: Vec<String>,
    /// Set for it.
    pub env: BTreeMap<String, String>,
}

/// How an agent is launched and its output read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AgentKind {
    /// Claude Code.
    Claude,
    /// OpenAI's Codex CLI.
    Codex,
    /// OpenCode.
    OpenCode,
    /// Google's Gemini CLI.
    Gemini,
    /// aider.
    Aider,
    /// Any command: the task in a file and on standard input, the outcome from its exit status.
    Command,
}

impl AgentKind {
    /// All of them, for messages that list what is allowed.
    pub const ALL: [Self; 6] = [Self::Claude, Self::Codex, Self::OpenCode, Self::Gemini, Self::Aider, Self::Command];

    /// The configuration's word; for a known CLI its program too.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Claude => "claude",
            Self::Codex => "codex",
            Self::OpenCode => "opencode",
            Self::Gemini => "gemini",
            Self::Aider => "aider",
            Self::Command => "command",
        }
    }

    /// Its name for people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Claude => "Claude Code",
            Self::Codex => "Codex",
            Self::OpenCode => "OpenCode",
            Self::Gemini => "Gemini CLI",
            Self::Aider => "aider",
            Self::Command => "a command",
        }
    }

    /// The kind a person means: the configuration's word, or the product's name in lower case with dashes.
    pub fn meant(text: &str) -> Option<Self> {
        match text {
            "claude-code" => Some(Self::Claude),
            "codex-cli" => Some(Self::Codex),
            "gemini-cli" => Some(Self::Gemini),
            _ => text.parse().ok(),
        }
    }
}

impl fmt::Display for AgentKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for AgentKind {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builds_get_ports_side_by_side() {
        let project = Project { port_base: Some(4000), ..Project::new("app", "/srv/app") };
        assert_eq!(project.ports(0), Some((4000, 4009)));
        assert_eq!(project.ports(2), Some((4020, 4029)));
        assert_eq!(project.ports(70_000), None);
        assert_eq!(Project { port_base: Some(65_530), ..project.clone() }.ports(0), None);
        assert_eq!(Project { port_base: None, ..project }.ports(0), None);
    }
}
