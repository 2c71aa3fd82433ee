//! `overnight agent inspect`: reads a recorded stream as the night would, and prints what it came to.

use crate::agent::{AgentEnd, AgentReport, Progress, Reference, Spent, Stream};
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, ConfigError};
use crate::domain::settings::AgentKind;
use anyhow::Context;
use chrono::{DateTime, Utc};
use clap::Args;
use serde::Serialize;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Bytes read at once.
const PIECE: usize = 64 * 1024;
/// Most of standard error that is read, from its start; its end is looked at.
const STDERR_MOST: u64 = 64 * 1024 * 1024;

#[derive(Debug, Args)]
pub(in crate::cli) struct InspectArgs {
    /// Whose output it is: claude, codex, opencode, gemini, aider, command, or the name of a configured agent
    #[arg(long, value_name = "NAME")]
    agent: String,
    /// What it exited with; 124: it had to be ended as it was silent or late, 128 and more: by that signal
    #[arg(long, value_name = "N")]
    exit_status: Option<i32>,
    /// Its standard error
    #[arg(long, value_name = "FILE")]
    stderr: Option<PathBuf>,
    /// When it was recorded, for times such as "try again at 10:05 PM" [default: when FILE was last changed]
    #[arg(long, value_name = "RFC3339")]
    at: Option<DateTime<Utc>>,
    /// Its standard output; - reads standard input
    file: PathBuf,
}

/// What is printed: exactly this.
#[derive(Debug, Serialize)]
struct Shown {
    outcome: &'static str,
    reset_at: Option<DateTime<Utc>>,
    summary: Option<String>,
    session_id: Option<String>,
    tokens: Option<u64>,
    cost_usd: Option<f64>,
    denials: Vec<String>,
    progress: Option<Progress>,
    question: Option<String>,
}

impl From<AgentReport> for Shown {
    fn from(report: AgentReport) -> Self {
        Self {
            outcome: report.outcome.as_str(),
            reset_at: report.reset_at,
            summary: report.summary,
            session_id: report.session_id,
            tokens: report.tokens,
            cost_usd: report.cost_usd,
            denials: report.denials,
            progress: report.progress,
            question: report.question,
        }
    }
}

pub(super) fn inspect(args: &InspectArgs, config: Result<Config, ConfigError>) -> anyhow::Result<ExitCode> {
    let kind = match kind(&args.agent, config.as_ref().ok()) {
        Ok(kind) => kind,
        Err(problem) => {
            let reason = config.err().map(|error| format!("; the configuration can't be read: {error}"));
            return Ok(super::wrong(&format!("{problem}{}", reason.unwrap_or_default())));
        }
    };
    let zone = match &config {
        Ok(config) => config.settings.schedule.zone,
        Err(error) => {
            eprintln!("overnight: {error}; times in prose are read as UTC");
            chrono_tz::UTC
        }
    };
    let stderr = args.stderr.as_deref().map(text).transpose()?.unwrap_or_default();
    let (mut input, recorded): (Box<dyn Read>, _) = if args.file == Path::new("-") {
        (Box::new(std::io::stdin().lock()), None)
    } else {
        let (file, changed) = open(&args.file)?;
        (Box::new(file), changed)
    };
    let at = args.at.or(recorded).unwrap_or_else(|| SystemClock.now());
    let mut stream = Stream::new(kind, Reference { at, zone }, Spent::default());
    let mut piece = vec![0; PIECE];
    loop {
        match input.read(&mut piece) {
            Ok(0) => break,
            Ok(length) => drop(stream.push(&piece[..length])),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error).context(args.file.display().to_string()),
        }
    }
    let end = AgentEnd { status: args.exit_status, ..AgentEnd::default() };
    let shown = Shown::from(stream.finish(&end, &stderr, None));
    super::print(&format!("{}\n", serde_json::to_string_pretty(&shown)?))
}

fn kind(name: &str, config: Option<&Config>) -> Result<AgentKind, String> {
    let configured = |name| config.and_then(|config| config.settings.agent(name)).map(|agent| agent.kind);
    AgentKind::meant(name).or_else(|| configured(name)).ok_or_else(|| {
        let agents = config.map(|config| config.settings.agents.as_slice()).unwrap_or_default();
        let own = agents.iter().map(|agent| agent.name.as_str());
        let known: Vec<&str> = AgentKind::ALL.iter().map(|kind| kind.as_str()).chain(own).collect();
        format!("{name:?} is no agent known here; --agent takes {}", known.join(", "))
    })
}

/// A regular file, or what can be read like one, and when it was last changed.
fn open(path: &Path) -> anyhow::Result<(File, Option<DateTime<Utc>>)> {
    let file = File::open(path).with_context(|| path.display().to_string())?;
    let about = file.metadata().with_context(|| path.display().to_string())?;
    anyhow::ensure!(!about.is_dir(), "{} is a folder, not an agent's output", path.display());
    let changed = about.is_file().then(|| about.modified().ok()).flatten();
    Ok((file, changed.map(DateTime::from)))
}

fn text(path: &Path) -> anyhow::Result<String> {
    let (file, _) = open(path)?;
    let mut bytes = Vec::new();
    file.take(STDERR_MOST).read_to_end(&mut bytes).with_context(|| path.display().to_string())?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
