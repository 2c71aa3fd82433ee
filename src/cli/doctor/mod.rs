//! `overnight doctor`: everything that could go wrong tonight, a line each, with what to do; then what became of last
//! night. What matters is the service's environment, not the shell's: a program found here may not be found there.
//!
//! Nothing is changed, but for lock files with `--fix`; what a data folder lacks of its own is made, as every subcommand
//! does. Left out on purpose:
//! whether another program polls the bot: asking for that takes messages away from it. What the running bot has met is told.

mod isolation;
mod last_night;
mod machine;
mod packages;
mod projects;
mod service;
mod store;
mod telegram;

use crate::app::{self, OnlyOne, Outside};
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, Overrides};
use crate::engine::Engine;
use clap::Args;
use serde_json::json;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    /// Remove lock files that a crash left in vaults, if no bot runs
    #[arg(long)]
    fix: bool,
}

/// How bad a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Fine,
    Warning,
    Bad,
}

impl Level {
    fn icon(self) -> &'static str {
        match self {
            Self::Fine => "✅",
            Self::Warning => "⚠️ ",
            Self::Bad => "❌",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Warning => "warning",
            Self::Bad => "bad",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug)]
struct Line {
    section: &'static str,
    level: Level,
    what: String,
    fix: String,
}

/// All lines, in the order of looking.
#[derive(Debug, Default)]
pub(super) struct Findings {
    section: &'static str,
    lines: Vec<Line>,
}

impl Findings {
    fn section(&mut self, name: &'static str) {
        self.section = name;
    }

    fn add(&mut self, level: Level, what: impl Into<String>, fix: impl Into<String>) {
        self.lines.push(Line { section: self.section, level, what: what.into(), fix: fix.into() });
    }

    /// As it should be.
    fn fine(&mut self, what: impl Into<String>) {
        self.add(Level::Fine, what, "");
    }

    /// Works, but not as well as it could; and what to do.
    fn warn(&mut self, what: impl Into<String>, fix: impl Into<String>) {
        self.add(Level::Warning, what, fix);
    }

    /// Will not work; and what to do.
    fn bad(&mut self, what: impl Into<String>, fix: impl Into<String>) {
        self.add(Level::Bad, what, fix);
    }

    fn count(&self, level: Level) -> usize {
        self.lines.iter().filter(|line| line.level == level).count()
    }

    fn text(&self) -> String {
        let (mut text, mut section) = (String::new(), "");
        for line in &self.lines {
            if line.section != section {
                section = line.section;
                let _ = writeln!(text, "{}{section}", if text.is_empty() { "" } else { "\n" });
            }
            let _ = writeln!(text, "  {} {}", line.level.icon(), line.what);
            if !line.fix.is_empty() {
                let _ = writeln!(text, "     → {}", line.fix);
            }
        }
        let verdict = match (self.count(Level::Bad), self.count(Level::Warning)) {
            (0, 0) => "Tonight will work.".to_owned(),
            (0, warnings) => format!("Tonight will work; {warnings} things could be better."),
            (bad, warnings) => format!("{bad} things will not work tonight; {warnings} more could be better."),
        };
        let _ = writeln!(text, "\n{verdict}");
        text
    }

    fn json(&self) -> serde_json::Value {
        let lines = self.lines.iter().map(
            |line| json!({"section": line.section, "level": line.level.word(), "what": line.what, "fix": line.fix}),
        );
        json!({
            "ok": self.count(Level::Bad) == 0, "bad": self.count(Level::Bad), "warnings": self.count(Level::Warning),
            "lines": lines.collect::<Vec<_>>(),
        })
    }
}

/// Looks at everything and prints it.
pub(super) async fn doctor(overrides: &Overrides, args: DoctorArgs, json: bool) -> anyhow::Result<ExitCode> {
    let mut findings = Findings::default();
    look(overrides, args, &mut findings).await;
    let text = if json { format!("{:#}\n", findings.json()) } else { findings.text() };
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => return Err(error.into()),
        _ => {}
    }
    Ok(if findings.count(Level::Bad) == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn look(overrides: &Overrides, args: DoctorArgs, findings: &mut Findings) {
    findings.section("Configuration");
    let config = match Config::load(overrides) {
        Ok(config) => config,
        Err(error) => {
            findings.bad(error.to_string(), "correct that line; what depends on it is looked at once it is right");
            return;
        }
    };
    let now = SystemClock.now();
    machine::configuration(&config, findings);
    let folder = machine::folder(&config, findings);
    findings.section("Service");
    let service = service::look(&config, overrides, findings);
    let engine = if folder { bot(&config, findings, now).await } else { None };
    findings.section("Machine");
    machine::look(&config, &service.path, findings).await;
    if folder {
        isolation::look(&config, findings).await;
    }
    findings.section("Projects and agents");
    projects::look(&config, &service, findings).await;
    if let Some(engine) = &engine {
        projects::locks(engine.home(), args.fix, now, findings);
    }
    findings.section("Telegram");
    telegram::look(&config, now, findings).await;
    if let Some(engine) = &engine {
        for outcome in [
            store::reach(engine, findings).await,
            store::queue(engine, now, findings).await,
            last_night::look(engine, now, findings).await,
        ] {
            if let Err(error) = outcome {
                findings
                    .bad(format!("the database can't be read: {error}"), "restore it from a backup, or move it away");
            }
        }
        engine.store().close().await;
    }
}

/// The database, and whether a bot runs.
async fn bot(config: &Config, findings: &mut Findings, now: chrono::DateTime<chrono::Utc>) -> Option<Engine> {
    findings.section("Bot");
    let opened = match Outside::real(config) {
        Ok(outside) => app::engine(config, outside).await,
        Err(error) => Err(error),
    };
    let engine = match opened {
        Ok(engine) => engine,
        Err(error) => {
            let fix =
                "make the folder writable, free space, or move a damaged overnight.sqlite away and restore a backup";
            findings.bad(format!("the database can't be opened: {error:#}"), fix);
            return None;
        }
    };
    if let Err(error) = store::whole(&engine, findings).await {
        findings.bad(format!("the database can't be read: {error}"), "restore it from a backup, or move it away");
        return None;
    }
    let running = OnlyOne::is_taken(engine.home());
    if let Err(error) = store::alive(&engine, running, now, findings).await {
        findings.bad(format!("the database can't be read: {error}"), "restore it from a backup, or move it away");
    }
    Some(engine)
}
