//! `overnight agent`: which coding agents are here, and what is understood of what one printed.

mod inspect;
pub(super) mod known;
mod list;

use crate::config::{Config, Overrides};
use clap::Subcommand;
use std::io::Write;
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub(super) enum AgentCommand {
    /// Which agents are installed, which version, and whether they are logged in
    #[command(after_help = super::examples::AGENT_LIST)]
    List,
    /// What is understood of an agent's recorded output, as JSON
    #[command(after_help = super::examples::AGENT_INSPECT)]
    Inspect(inspect::InspectArgs),
}

/// Runs it.
pub(super) async fn agent(overrides: &Overrides, command: AgentCommand, json: bool) -> anyhow::Result<ExitCode> {
    // Only its list of agents and its time zone are of use here, and a recorded stream can be read without.
    let config = Config::load(overrides);
    match command {
        AgentCommand::Inspect(args) => inspect::inspect(&args, config),
        AgentCommand::List => match config {
            Ok(config) => print(&list::list(&config, json).await?),
            Err(error) => Ok(wrong(&error)),
        },
    }
}

/// A closed pipe (`| head`) is no error.
fn print(text: &str) -> anyhow::Result<ExitCode> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// Wrong arguments or configuration.
fn wrong(error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("overnight: {error}");
    ExitCode::from(2)
}
