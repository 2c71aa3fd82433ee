//! `overnight run`: the bot in real time.

use crate::app::{self, Outside};
use crate::chat::Chat;
use crate::chat::terminal::{Terminal, TerminalOptions};
use crate::clock::{Clock, FastClock};
use crate::config::Config;
use crate::engine::{Engine, failpoint};
use anyhow::Context;
use chrono::{DateTime, Utc};
use clap::Args;
use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::Arc;
use tracing_appender::rolling::{RollingFileAppender, Rotation};

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// Not the bot: have the one that runs build this task now instead of tonight
    #[arg(conflicts_with_all = ["rehearse_from", "speed"])]
    pub(super) task: Option<i64>,
    /// Rehearse: begin at this moment instead of now (RFC 3339)
    #[arg(long, value_name = "TIME", requires = "speed")]
    rehearse_from: Option<DateTime<Utc>>,
    /// Rehearse: so many times as fast as real time; builds take the time they take
    #[arg(long, value_name = "FACTOR", requires = "rehearse_from", value_parser = speed)]
    speed: Option<f64>,
    /// Die at the n-th failpoint (debug builds only)
    #[arg(long, hide = true)]
    failpoint: Option<u64>,
}

fn speed(text: &str) -> Result<f64, String> {
    let speed: f64 = text.parse().map_err(|_| format!("{text:?} is no number"))?;
    if (1.0..=100_000.0).contains(&speed) { Ok(speed) } else { Err(format!("{speed} is not between 1 and 100000")) }
}

pub(super) async fn run(config: &Config, args: RunArgs) -> anyhow::Result<ExitCode> {
    let mut outside = Outside::real(config)?;
    if let (Some(from), Some(speed)) = (args.rehearse_from, args.speed) {
        outside.clock = Arc::new(FastClock::new(from, speed));
    }
    let clock = Arc::clone(&outside.clock);
    let rehearses = args.speed.is_some();
    let engine = app::engine(config, outside).await?;
    let _log = log_to_file(&engine, &config.log_level)?;
    failpoint::arm(args.failpoint.unwrap_or(0));
    let only_one = app::OnlyOne::take(engine.home())?;
    // Before anything is said: who reads that it runs may end it politely.
    let stop = app::stop_on_signals()?;
    say_what_is_missing(config, &engine);
    app::run(&engine, only_one, chats(config, &engine, clock, rehearses).await?, stop, false).await?;
    Ok(ExitCode::SUCCESS)
}

/// Every front-end that is configured; the terminal always is.
pub(super) async fn chats(
    config: &Config,
    engine: &Engine,
    clock: Arc<dyn Clock>,
    rehearses: bool,
) -> anyhow::Result<Vec<Arc<dyn Chat>>> {
    let telegram = app::telegram(config, engine, Arc::clone(&clock), rehearses).await?;
    let terminal: Arc<dyn Chat> = Arc::new(terminal(clock));
    Ok(telegram.into_iter().chain([terminal]).collect())
}

/// The terminal chat on standard input and output.
pub(super) fn terminal(clock: Arc<dyn Clock>) -> Terminal {
    let started = format!("{:032x}", rand::random::<u128>());
    Terminal::stdio(TerminalOptions {
        width: TerminalOptions::PHONE,
        color: std::io::stdout().is_terminal(),
        clock,
        key_prefix: started,
    })
}

/// What works and what does not yet, in plain words before anything else.
fn say_what_is_missing(config: &Config, engine: &Engine) {
    let schedule = &engine.settings().schedule;
    let next = schedule.current_or_next(engine.now()).start;
    let file = config.config_file.as_ref().map_or("none".into(), |file| file.display().to_string());
    println!("overnight is running. Data: {} · configuration: {file}", engine.home().root().display());
    println!(
        "Next night: {} ({}). Type /help, or Ctrl-C to end.",
        schedule.local(next).format("%a %H:%M"),
        schedule.zone
    );
    for missing in &config.missing {
        println!("  missing for {}: {}", missing.feature, missing.what);
    }
}

/// `logs/overnight_execution.log`, a file a day, thirty kept.
pub(super) fn log_to_file(engine: &Engine, level: &str) -> anyhow::Result<tracing_appender::non_blocking::WorkerGuard> {
    let appender = RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix("overnight_execution")
        .filename_suffix("log")
        .latest_symlink("overnight_execution.log")
        .max_log_files(30)
        .build(engine.home().logs())
        .with_context(|| {
            let logs = engine.home().logs();
            format!(
                "{} can't be written: make it and its folder writable for this user, or set OVERNIGHT_HOME",
                logs.display()
            )
        })?;
    let (writer, guard) = tracing_appender::non_blocking(appender);
    let filter = tracing_subscriber::EnvFilter::try_new(level).unwrap_or_default();
    let _ = tracing_subscriber::fmt().with_writer(writer).with_ansi(false).with_env_filter(filter).try_init();
    Ok(guard)
}
