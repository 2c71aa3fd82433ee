//! The command line: one file a subcommand. Those that read or change the queue use the same commands as the chat, on
//! the same database, and are safe while the bot runs.
//!
//! Exit status: 0 done · 1 the answer is no, or it could not be done · 2 wrong arguments or configuration; nothing was
//! started.

mod agents;
mod ask;
mod completions;
mod demo;
mod doctor;
mod examples;
mod init;
mod is_overnight;
mod memory;
mod nights;
mod queue;
mod run;
mod service;
mod snapshots;
mod start;

use crate::config::{Config, Overrides};
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// Builds your queued tasks while you sleep and tells the truth about them in the morning.
#[derive(Debug, Parser)]
#[command(name = "overnight", version, after_help = examples::OVERNIGHT)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What every subcommand takes.
#[derive(Debug, Args)]
struct Global {
    /// Data folder: database, logs, reports, vaults [default: $OVERNIGHT_HOME or ~/.overnight]
    #[arg(long, global = true, value_name = "FOLDER")]
    home: Option<PathBuf>,
    /// Configuration file [default: $OVERNIGHT_CONFIG, ./overnight.toml or the data folder's]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print JSON instead of text, wherever something is read
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Set up: Telegram, projects, agents, service; asks, shows, then writes. Can be run again
    #[command(after_help = examples::INIT)]
    Init(Box<init::InitArgs>),
    /// Whether tonight will work, and what to do where it will not; also why last night was as it was
    #[command(after_help = examples::DOCTOR)]
    Doctor(doctor::DoctorArgs),
    /// The bot: chat, nightly scheduler, morning brief. Ctrl-C ends it; builds go on and are found again. With a task's
    /// number: the bot that runs already builds it now
    #[command(after_help = examples::RUN)]
    Run(run::RunArgs),
    /// Live one night in half a minute, in a temporary folder, with real builds
    #[command(after_help = examples::DEMO)]
    Demo(demo::DemoArgs),
    /// Coding agents: what is installed, and what their output means
    #[command(subcommand, after_help = examples::AGENT)]
    Agent(agents::AgentCommand),
    /// One session in the foreground, for cron: ends when its last build has ended
    #[command(after_help = examples::START)]
    Start,
    /// The queue
    #[command(subcommand, after_help = examples::QUEUE)]
    Queue(Box<queue::QueueCommand>),
    /// Let locked tasks run
    #[command(after_help = examples::APPROVE)]
    Approve {
        /// Task numbers
        #[arg(required = true)]
        tasks: Vec<i64>,
    },
    /// Refuse a task
    #[command(after_help = examples::REJECT)]
    Reject {
        /// Task number
        task: i64,
        /// Why
        reason: Vec<String>,
    },
    /// Take back the last decision about a task: an approval until its build starts, a rejection or a drop
    #[command(after_help = examples::UNDO)]
    Undo {
        /// Task number
        task: i64,
    },
    /// Answer what an agent asked; it goes on with it
    #[command(after_help = examples::ANSWER)]
    Answer {
        /// Task number
        task: i64,
        /// Your answer
        text: String,
    },
    /// Leave a locked task out of the next brief
    #[command(after_help = examples::SNOOZE)]
    Snooze {
        /// Task number
        task: i64,
    },
    /// End a running build, or all of them; what was done is kept
    #[command(after_help = examples::STOP)]
    Stop {
        /// Task number, or all
        #[arg(value_name = "TASK|all", value_parser = task_or_all)]
        what: String,
    },
    /// Queue a task again
    #[command(after_help = examples::RETRY)]
    Retry {
        /// Task number
        task: i64,
    },
    /// Go on building after the morning brief
    #[command(after_help = examples::KEEP)]
    Keep {
        /// Until this local time, such as 11:30 [default: as configured]
        until: Option<String>,
    },
    /// What is ready to ship
    #[command(after_help = examples::REVIEW)]
    Review,
    /// Land a result on its project's branch, once its tests pass there
    #[command(after_help = examples::SHIP)]
    Ship {
        /// Task numbers, or all
        #[arg(value_name = "TASK|all", value_parser = task_or_all, required = true)]
        what: Vec<String>,
        /// Also what asks to be looked at twice
        #[arg(long)]
        anyway: bool,
    },
    /// Take a shipped result off its branch again
    #[command(after_help = examples::REVERT)]
    Revert {
        /// Task number
        task: i64,
    },
    /// Write what a result changes into files: a page and a patch
    #[command(after_help = examples::DIFF)]
    Diff {
        /// Task number
        task: i64,
    },
    /// Say that a result is not wanted; it stays in the vault
    #[command(after_help = examples::DISCARD)]
    Discard {
        /// Task number
        task: i64,
    },
    /// What was done to your repositories and folders
    #[command(after_help = examples::OPLOG)]
    Oplog {
        /// How many
        #[arg(default_value_t = 20)]
        lines: usize,
    },
    /// What is going on now
    #[command(after_help = examples::STATUS)]
    Status,
    /// Whether it is night now: exit status 0 yes, 1 no
    #[command(after_help = examples::IS_OVERNIGHT)]
    IsOvernight,
    /// Write the report if it is due, and print it
    #[command(after_help = examples::REPORT)]
    Report,
    /// Send the brief if it is due, and print it
    #[command(after_help = examples::BRIEF)]
    Brief,
    /// Look at this machine; with --fix do what is safe
    #[command(after_help = examples::HEALTH)]
    Health {
        /// Do what is safe now
        #[arg(long)]
        fix: bool,
    },
    /// Days that are kept: your files, the vaults and the database; and one of them back into a new folder
    #[command(after_help = examples::SNAPSHOTS)]
    Snapshots(snapshots::SnapshotsArgs),
    /// The last seven days against the goals, and the machine
    #[command(after_help = examples::METRICS)]
    Metrics,
    /// The end of a task's log
    #[command(after_help = examples::LOG)]
    Log {
        /// Task number
        task: i64,
        /// How many lines
        #[arg(default_value_t = 40)]
        lines: usize,
    },
    /// Tonight's likely timeline, and what won't fit and why. Changes nothing
    #[command(after_help = examples::PLAN)]
    Plan {
        /// Answer a benchmark's views of made-up nights instead: one JSON line in, one out
        #[arg(long)]
        drive: bool,
    },
    /// Live made-up nights in virtual time, with the planner of real ones
    #[command(after_help = examples::SIMULATE)]
    Simulate {
        /// Nights, one JSON object a line; may be compressed (.gz)
        #[arg(long, value_name = "FILE")]
        nights: PathBuf,
        /// Where the schedules are written
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// How well durations are forecast
    #[command(subcommand, after_help = examples::FORECAST)]
    Forecast(ForecastCommand),
    /// Why a task did or did not run
    #[command(after_help = examples::WHY)]
    Why {
        /// Task number
        task: i64,
    },
    /// The last decisions
    #[command(after_help = examples::AUDIT)]
    Audit {
        /// How many
        #[arg(default_value_t = 20)]
        lines: usize,
    },
    /// Completions for your shell, on standard output
    #[command(after_help = examples::COMPLETIONS)]
    Completions {
        /// Which shell
        shell: completions::Shell,
    },
    /// Draws the picture of a night; started by the bot itself
    #[command(hide = true)]
    Draw,
    /// Supervises one run; started by the bot itself
    #[command(hide = true)]
    Supervise {
        /// The run's folder
        folder: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
enum ForecastCommand {
    /// Forecast each row of a history from the rows before it: one JSON line a row, with p50 and p80 in minutes
    Replay {
        /// owner,category,estimate_minutes,actual_minutes,outcome rows in time order; outcomes: done, failed, cut
        #[arg(value_name = "HISTORY.csv")]
        history: PathBuf,
    },
}

/// Runs the program.
pub fn main() -> ExitCode {
    // Not a subcommand for people: whatever follows belongs to the command that is entered, dashes and all.
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == "enter") {
        let plan = arguments.next().unwrap_or_default();
        return crate::runner::enter_main(&plan.to_string_lossy(), &arguments.collect::<Vec<_>>());
    }
    let cli = Cli::parse();
    if let Command::Supervise { folder } = &cli.command {
        return crate::runner::supervise_main(folder);
    }
    if let Command::Draw = cli.command {
        return crate::engine::draw_main();
    }
    if let Command::Demo(args) = cli.command {
        return finish(blocking(demo::demo(args)));
    }
    if let Command::Completions { shell } = &cli.command {
        return finish(completions::print(*shell));
    }
    match &cli.command {
        Command::Plan { drive: true } => return finish(nights::drive()),
        Command::Simulate { nights, out } => return finish(nights::simulate(nights, out)),
        Command::Forecast(ForecastCommand::Replay { history }) => return finish(nights::replay(history)),
        _ => {}
    }
    let overrides = Overrides { home: cli.global.home, config_file: cli.global.config };
    if let Command::Doctor(args) = cli.command {
        return finish(blocking(doctor::doctor(&overrides, args, cli.global.json)));
    }
    if let Command::Agent(command) = cli.command {
        return finish(blocking(agents::agent(&overrides, command, cli.global.json)));
    }
    let config = match Config::load(&overrides) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("overnight: {error}");
            return ExitCode::from(2);
        }
    };
    let json = cli.global.json;
    let text = |text: String| ask::ask(&config, text, json);
    finish(match cli.command {
        Command::Init(args) => blocking(init::init(&config, &overrides, *args)),
        Command::Run(run::RunArgs { task: Some(task), .. }) => blocking(text(format!("/run {task}"))),
        Command::Run(args) => {
            memory::give_back();
            blocking(run::run(&config, args))
        }
        Command::Start => {
            memory::give_back();
            blocking(start::start(&config))
        }
        Command::Queue(command) => blocking(queue::queue(&config, *command, json)),
        Command::Approve { tasks } => blocking(text(format!("/approve {}", numbers(&tasks)))),
        Command::Reject { task, reason } => blocking(text(format!("/reject {task} {}", reason.join(" ")))),
        Command::Undo { task } => blocking(text(format!("/undo {task}"))),
        Command::Answer { task, text: answer } => blocking(text(format!("/answer {task} {answer}"))),
        Command::Snooze { task } => blocking(text(format!("/snooze {task}"))),
        Command::Stop { what } => blocking(text(format!("/stop {what}"))),
        Command::Retry { task } => blocking(text(format!("/retry {task}"))),
        Command::Keep { until } => blocking(text(format!("/keep {}", until.unwrap_or_default()))),
        Command::Review => blocking(text("/review".into())),
        Command::Ship { what, anyway } => {
            blocking(text(format!("/ship {}{}", what.join(" "), if anyway { " anyway" } else { "" })))
        }
        Command::Revert { task } => blocking(text(format!("/revert {task}"))),
        Command::Diff { task } => blocking(text(format!("/diff {task}"))),
        Command::Discard { task } => blocking(text(format!("/discard {task}"))),
        Command::Oplog { lines } => blocking(text(format!("/oplog {lines}"))),
        Command::Status => blocking(text("/status".into())),
        Command::IsOvernight => Ok(is_overnight::is_overnight(&config, json)),
        Command::Report => blocking(ask::report(&config, json)),
        Command::Brief => blocking(ask::brief(&config, json)),
        Command::Health { fix } => blocking(text(format!("/health{}", if fix { " fix" } else { "" }))),
        Command::Snapshots(args) => blocking(snapshots::snapshots(&config, args, json)),
        Command::Metrics => blocking(text("/metrics".into())),
        Command::Log { task, lines } => blocking(text(format!("/log {task} {lines}"))),
        Command::Plan { .. } => blocking(text("/plan".into())),
        Command::Why { task } => blocking(text(format!("/why {task}"))),
        Command::Audit { lines } => blocking(text(format!("/audit {lines}"))),
        Command::Agent(_)
        | Command::Demo(_)
        | Command::Doctor(_)
        | Command::Completions { .. }
        | Command::Draw
        | Command::Simulate { .. }
        | Command::Forecast(_)
        | Command::Supervise { .. } => Ok(ExitCode::SUCCESS),
    })
}

fn task_or_all(text: &str) -> Result<String, String> {
    let known = text == "all" || text.parse::<i64>().is_ok();
    if known { Ok(text.to_owned()) } else { Err("a task's number, or all".into()) }
}

fn numbers(tasks: &[i64]) -> String {
    tasks.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

fn blocking(work: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(work);
    // A thread that waits for a line on standard input can't be interrupted.
    runtime.shutdown_background();
    outcome
}

fn finish(outcome: anyhow::Result<ExitCode>) -> ExitCode {
    outcome.unwrap_or_else(|error| {
        eprintln!("overnight: {error:#}");
        ExitCode::FAILURE
    })
}
