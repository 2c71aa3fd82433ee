//! `overnight completions`: what the shell needs to complete our subcommands and flags.

use super::Cli;
use clap::{CommandFactory, ValueEnum};
use std::io::Write;
use std::process::ExitCode;

/// Shells we print completions for.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Shell {
    /// ~/.local/share/bash-completion/completions/overnight
    Bash,
    /// _overnight in a folder of $fpath
    Zsh,
    /// ~/.config/fish/completions/overnight.fish
    Fish,
}

/// Prints them.
pub(super) fn print(shell: Shell) -> anyhow::Result<ExitCode> {
    let kind = match shell {
        Shell::Bash => clap_complete::Shell::Bash,
        Shell::Zsh => clap_complete::Shell::Zsh,
        Shell::Fish => clap_complete::Shell::Fish,
    };
    // By way of memory: a closed pipe (`| head`) is no reason to panic.
    let mut text = Vec::new();
    clap_complete::generate(kind, &mut Cli::command(), "overnight", &mut text);
    match std::io::stdout().write_all(&text) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(ExitCode::SUCCESS),
    }
}
