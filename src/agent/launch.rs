//! How an agent CLI is started: arguments, environment, and what it has to reach. Nothing of it is secret: a login is
//! named, never read.

use super::{aider, claude, codex, command, gemini, opencode};
use crate::domain::settings::{Agent, AgentKind};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// One task's order to an agent.
#[derive(Debug, Clone, Copy)]
pub struct Order<'a> {
    /// The prompt, also in this file.
    pub prompt_file: &'a Path,
    /// A new conversation or one that goes on.
    pub session: SessionChoice<'a>,
    /// Caps for this run; what the CLI can't hold by itself the caller watches.
    pub budget: Budget,
    /// An outer sandbox holds: then Codex' own, which can't be nested everywhere, is not asked for.
    pub sandboxed: bool,
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
    /// What stands on standard input.
    pub stdin: Input,
    /// Hosts the agent itself must reach; empty: not known.
    pub api_hosts: Vec<String>,
    /// Keep standard error apart, as standard output is read by a machine.
    pub separate_stderr: bool,
    /// A file the CLI reads besides the prompt: where it has to be before it begins, and what stands in it.
    pub helper: Option<(PathBuf, &'static str)>,
}

/// What stands on standard input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// The prompt file.
    Prompt,
    /// Nothing.
    Null,
}

/// Commands that publish, as a coding task never needs them: refused where a CLI can refuse a command by how it begins.
/// A second fence: the first one is that there is nothing to publish with.
pub(super) const PUBLISHING: [&str; 13] = [
    "git push",
    "git send-email",
    "gh",
    "glab",
    "npm publish",
    "yarn publish",
    "yarn npm publish",
    "pnpm publish",
    "cargo publish",
    "twine upload",
    "gem push",
    "docker push",
    "podman push",
];

/// Variables any of them may need to reach its provider from here.
const NETWORK: [&str; 8] = [
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "https_proxy",
    "http_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "NODE_EXTRA_CA_CERTS",
];

/// The hosts of providers, by the word before the slash in a model's name.
const PROVIDERS: [(&str, &str); 10] = [
    ("anthropic", "api.anthropic.com"),
    ("openai", "api.openai.com"),
    ("google", "generativelanguage.googleapis.com"),
    ("gemini", "generativelanguage.googleapis.com"),
    ("openrouter", "openrouter.ai"),
    ("opencode", "opencode.ai"),
    ("deepseek", "api.deepseek.com"),
    ("groq", "api.groq.com"),
    ("mistral", "api.mistral.ai"),
    ("xai", "api.x.ai"),
];

/// What is known of a CLI besides its arguments.
pub struct Login {
    /// Variables that stand for a login.
    pub keys: &'static [&'static str],
    /// Files below the home folder that a login leaves.
    pub files: &'static [&'static str],
    /// Its settings below the home folder: files, or folders of files.
    pub settings: &'static [&'static str],
    /// How to log in.
    pub hint: &'static str,
    /// Variables that point it to another host.
    urls: &'static [&'static str],
    /// Hosts it reaches by itself.
    hosts: &'static [&'static str],
}

/// What a login to this CLI looks like from outside.
pub fn login(kind: AgentKind) -> Login {
    match kind {
        AgentKind::Claude => Login {
            keys: &["CLAUDE_CODE_OAUTH_TOKEN", "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"],
            files: &[".claude/.credentials.json"],
            settings: &[".claude/settings.json"],
            hint: "run `claude` once and log in, or `claude setup-token`",
            urls: &["ANTHROPIC_BASE_URL"],
            hosts: &["api.anthropic.com", "platform.claude.com"],
        },
        AgentKind::Codex => Login {
            keys: &["CODEX_API_KEY", "OPENAI_API_KEY"],
            files: &[".codex/auth.json"],
            settings: &[".codex/config.toml"],
            hint: "run `codex login`",
            urls: &["OPENAI_BASE_URL"],
            hosts: &["api.openai.com", "chatgpt.com", "auth.openai.com"],
        },
        AgentKind::OpenCode => Login {
            keys: &["ANTHROPIC_API_KEY", "OPENAI_API_KEY", "OPENROUTER_API_KEY", "OPENCODE_API_KEY"],
            files: &[".local/share/opencode/auth.json"],
            settings: &[".config/opencode"],
            hint: "run `opencode auth login`",
            urls: &[],
            hosts: &[],
        },
        AgentKind::Gemini => Login {
            keys: &["GEMINI_API_KEY", "GOOGLE_API_KEY"],
            files: &[".gemini/oauth_creds.json"],
            settings: &[".gemini/settings.json", ".gemini/google_accounts.json", ".gemini/installation_id"],
            hint: "run `gemini` once and log in, or put GEMINI_API_KEY into .env",
            urls: &["GOOGLE_GEMINI_BASE_URL"],
            hosts: &["generativelanguage.googleapis.com", "cloudcode-pa.googleapis.com", "oauth2.googleapis.com"],
        },
        AgentKind::Aider => Login {
            keys: &["OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "DEEPSEEK_API_KEY", "OPENROUTER_API_KEY"],
            files: &[".aider.conf.yml"],
            settings: &[".aider.model.settings.yml", ".aider.model.metadata.json"],
            hint: "put your provider's key into .env",
            urls: &["OPENAI_API_BASE", "ANTHROPIC_API_BASE"],
            hosts: &[],
        },
        AgentKind::Command => Login { keys: &[], files: &[], settings: &[], hint: "", urls: &[], hosts: &[] },
    }
}

/// Variables this CLI gets from outside where they are set, without anybody naming them: its login, another host for its
/// provider, and the way out of this network. A plain command gets only what is named.
pub fn env_names(kind: AgentKind) -> Vec<&'static str> {
    let login = login(kind);
    let network: &[&str] = if kind == AgentKind::Command { &[] } else { &NETWORK };
    login.keys.iter().chain(login.urls).chain(network).copied().collect()
}

/// How names begin of what this CLI leaves at the top of the clone for itself: no part of its work.
pub fn litter(kind: AgentKind) -> &'static [&'static str] {
    match kind {
        AgentKind::Aider => {
            &[".aider.tags.cache.", ".aider.chat.history.", ".aider.input.history", ".aider.llm.history"]
        }
        AgentKind::Claude | AgentKind::Codex | AgentKind::OpenCode | AgentKind::Gemini | AgentKind::Command => &[],
    }
}

/// How to start this agent.
pub fn launch(agent: &Agent, order: &Order<'_>) -> Launch {
    let mut launch = match agent.kind {
        AgentKind::Claude => claude::launch(agent, order),
        AgentKind::Codex => codex::launch(agent, order),
        AgentKind::OpenCode => opencode::launch(agent, order),
        AgentKind::Gemini => gemini::launch(agent, order),
        AgentKind::Aider => aider::launch(agent, order),
        AgentKind::Command => command::launch(agent, order),
    };
    // What the owner sets for it is what counts.
    launch.env.retain(|name, _| !agent.env.contains_key(name));
    launch
}

/// What all known CLIs have in common: begins with the program.
pub(super) fn base(agent: &Agent, order: &Order<'_>) -> Launch {
    let login = login(agent.kind);
    let mut launch = Launch::of(vec![agent.argv.program().to_owned()]);
    let value = |name: &&str| agent.env.get(*name).or_else(|| order.passed.get(*name));
    let pointed = login.urls.iter().filter_map(value).filter_map(|url| host(url));
    let model = agent.model.as_deref().and_then(|model| model.split_once('/'));
    let provider = model.and_then(|(word, _)| PROVIDERS.iter().find(|(known, _)| *known == word));
    launch.api_hosts = login.hosts.iter().map(ToString::to_string).collect();
    launch.api_hosts.extend(provider.map(|(_, host)| (*host).to_owned()));
    launch.api_hosts.extend(pointed);
    launch
}

impl Launch {
    /// Just this command, with the prompt on standard input.
    pub(super) fn of(argv: Vec<String>) -> Self {
        Self {
            argv,
            env: BTreeMap::new(),
            stdin: Input::Prompt,
            api_hosts: Vec::new(),
            separate_stderr: true,
            helper: None,
        }
    }

    pub(super) fn add(&mut self, words: &[&str]) {
        self.argv.extend(words.iter().map(ToString::to_string));
    }

    /// The owner's own arguments, after ours: where both say something, theirs is what counts.
    pub(super) fn finish(&mut self, agent: &Agent) {
        self.argv.extend(agent.argv.args().iter().cloned());
    }

    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.env.insert(name.to_owned(), value.to_owned());
    }
}

/// Host, and port if there is one, of an address.
fn host(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    (!host.is_empty()).then(|| host.to_ascii_lowercase())
}

#[cfg(test)]
mod tests;
