//! `overnight agent list`: what is installed, which version, and whether it is logged in.
//!
//! A login shows by a variable that is set, by what the CLI's own status command says (it asks no server), or by a file
//! that exists; what is in them is not looked at.

use super::known::{Found, KNOWN, Known, Login, keys, look_for, of_kind};
use crate::cli::service::find_program;
use crate::config::Config;
use crate::domain::settings::{Agent, AgentKind};
use crate::domain::words::plain;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

/// Longest a CLI may take to name its version or its login.
const PATIENCE: Duration = Duration::from_secs(20);
/// Most of what it says that is read.
const SAID: usize = 4096;

/// One agent.
#[derive(Debug, Serialize)]
struct Row {
    name: String,
    kind: &'static str,
    configured: bool,
    installed: bool,
    path: Option<PathBuf>,
    version: Option<String>,
    /// None: it can't be told.
    logged_in: Option<bool>,
    /// How that is known, or how to log in.
    login: String,
}

/// As text, or as JSON.
pub(super) async fn list(config: &Config, json: bool) -> anyhow::Result<String> {
    let variables = config.child_env(&keys());
    let agents = &config.settings.agents;
    let mut rows = Vec::new();
    for agent in agents {
        let mut variables = variables.clone();
        variables.extend(config.child_env(&agent.env_pass));
        variables.extend(agent.env.clone());
        rows.push(of_agent(agent, &variables).await);
    }
    for known in &KNOWN {
        let taken = agents.iter().any(|agent| known.kind == Some(agent.kind));
        if let Some(kind) = known.kind.filter(|_| !taken) {
            let found = look_for(known, known.name, &variables);
            rows.push(of_known(known.name, kind, false, known, found, &variables).await);
        }
    }
    Ok(if json { format!("{}\n", serde_json::to_string_pretty(&rows)?) } else { text(&rows) })
}

async fn of_agent(agent: &Agent, variables: &BTreeMap<String, String>) -> Row {
    let program = agent.argv.program();
    if let Some(known) = of_kind(agent.kind) {
        let found = look_for(known, program, variables);
        return of_known(&agent.name, agent.kind, true, known, found, variables).await;
    }
    let path = variables.get("PATH").and_then(|path| find_program(program, path));
    Row {
        name: agent.name.clone(),
        kind: agent.kind.as_str(),
        configured: true,
        installed: path.is_some(),
        path,
        version: None,
        logged_in: None,
        login: "a command's login is its own".into(),
    }
}

async fn of_known(
    name: &str,
    kind: AgentKind,
    configured: bool,
    known: &Known,
    found: Option<Found>,
    variables: &BTreeMap<String, String>,
) -> Row {
    let mut row = Row {
        name: name.to_owned(),
        kind: kind.as_str(),
        configured,
        installed: found.is_some(),
        path: None,
        version: None,
        logged_in: None,
        login: String::new(),
    };
    let Some(found) = found else { return row };
    let (version, login) =
        tokio::join!(version(&found.program, variables), login(kind, &found, known.login_hint(), variables));
    row.version = version;
    (row.logged_in, row.login) = login;
    row.path = Some(found.program);
    row
}

/// Asks for it; none where it does not say.
async fn version(program: &Path, variables: &BTreeMap<String, String>) -> Option<String> {
    let (_, said) = ask(program, &["--version"], variables).await?;
    let number = |word: &&str| word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.');
    let number = said.split_whitespace().map(|word| word.trim_start_matches('v')).find(number);
    number.map(|number| plain(number, 40))
}

async fn login(
    kind: AgentKind,
    found: &Found,
    hint: &str,
    variables: &BTreeMap<String, String>,
) -> (Option<bool>, String) {
    if let (Login::By(what), false) = (&found.login, found.keys.is_empty()) {
        return (Some(true), format!("{what} is set"));
    }
    let status: &[&str] = match kind {
        AgentKind::Claude => &["auth", "status"],
        AgentKind::Codex => &["login", "status"],
        _ => &[],
    };
    if let Some((ended_well, said)) =
        if status.is_empty() { None } else { ask(&found.program, status, variables).await }
    {
        // An older one that does not know the question says nothing of a login.
        let answers = said.to_lowercase().replace(' ', "").contains("logged");
        match (ended_well, answers || kind == AgentKind::Codex) {
            (true, _) => return (Some(true), format!("`{} {}` says so", found.known.name, status.join(" "))),
            (false, true) => return (Some(false), hint.to_owned()),
            (false, false) => {}
        }
    }
    match &found.login {
        Login::By(file) => (Some(true), format!("{file} exists")),
        Login::CantTell => (None, "can't be told without using it".into()),
        Login::No => (Some(false), hint.to_owned()),
    }
}

/// Whether it ended with 0, and what it said; none: it could not be run, or not in time.
async fn ask(program: &Path, words: &[&str], variables: &BTreeMap<String, String>) -> Option<(bool, String)> {
    let mut command = Command::new(program);
    command.args(words).env_clear().envs(variables).stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output()).await.ok()?.ok()?;
    let said = String::from_utf8_lossy(&output.stdout[..output.stdout.len().min(SAID)]).into_owned();
    Some((output.status.success(), said))
}

fn text(rows: &[Row]) -> String {
    let width = rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for row in rows {
        let _ = write!(text, "{:<width$}  ", row.name);
        if row.configured {
            let _ = write!(text, "[{}] ", row.kind);
        }
        let _ = match (&row.path, row.installed) {
            (Some(path), _) => {
                let version = row.version.as_deref().unwrap_or("version unknown");
                let login = match row.logged_in {
                    Some(true) => format!("logged in ({})", row.login),
                    Some(false) => format!("not logged in: {}", row.login),
                    None => format!("login: {}", row.login),
                };
                writeln!(text, "{version}, {login}; {}", path.display())
            }
            (None, _) => writeln!(text, "not installed"),
        };
    }
    if rows.iter().all(|row| !row.configured) {
        text.push_str("\nNone of them is configured: overnight init adds those that are installed.\n");
    }
    text
}
