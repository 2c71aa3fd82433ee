//! `overnight demo`: one night in half a minute. Everything is real (projects, commits, processes, tests, log files,
//! database, chat commands, taps), except that the clock runs fast and the machine's figures come from a script, so that
//! a shortage can be shown.

mod stage;

use crate::app::{self, Outside};
use crate::chat::terminal::{Terminal, TerminalOptions};
use crate::clock::{Clock, FastClock};
use crate::config::{Config, Overrides};
use crate::domain::resource::Sample;
use crate::engine::Engine;
use crate::host::probe::{Probe, ScriptedProbe};
use crate::store::{builds, sessions, tasks};
use anyhow::{Context, bail};
use chrono::{DateTime, TimeDelta, Utc};
use clap::Args;
use stage::Stage;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio_util::sync::CancellationToken;

/// One second is about twenty minutes.
///
/// On a machine that is slow now, it is less.
const SPEED: f64 = 1200.0;
/// The demo's old logs are made now, and the file system keeps the moment: to a night this far ahead they are old.
const DAYS_AHEAD: i64 = 45;
/// More real time than this, and the demo gives up.
const LONGEST: Duration = Duration::from_mins(5);

#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// Use this new folder instead of a temporary one
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// So many times slower, to read along; a busy machine is noticed anyway
    #[arg(long, value_name = "FACTOR", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u8).range(1..=10))]
    slower: u8,
}

/// What the owner types in the evening. `⏎` in the demo's output marks them.
const EVENING: [&str; 6] = [
    "/queue add Make the duplicate search faster | 4h | perf | high | reports",
    "/queue add Document the fitness API | 3h | docs | fitness",
    "/queue add Round weekly averages up | 1h | bug | fitness",
    "/queue add Handle a week without workouts | 2h | bug | low | fitness",
    "/queue add Build the workout dashboard | 5h | new features | low | fitness",
    "/queue add Email the weekly report to all customers | 1h | external | reports",
];
/// The card with this text is approved by a tap.
const APPROVED: &str = "Build the workout dashboard";

pub(super) async fn demo(args: DemoArgs) -> anyhow::Result<ExitCode> {
    let folder = match args.folder {
        Some(folder) => folder,
        None => std::env::temp_dir().join(format!("overnight-demo-{:08x}", rand::random::<u32>())),
    };
    println!("One night in half a minute. Real: the projects, builds, commits, tests, fixes and this chat.");
    println!("Staged: the clock runs about {SPEED} times as fast, and the machine's figures are scripted.");
    println!("The agent is a shell script in place of a coding model. Folder: {}\n", folder.display());
    let ahead = crate::clock::SystemClock.now() + TimeDelta::days(DAYS_AHEAD);
    let stage = Stage::set(&folder, ahead.into(), f64::from(args.slower)).await?;
    let home = stage.folder.join("home");
    let config = Config::load(&Overrides { home: Some(home), config_file: Some(stage.config.clone()) })?;
    let schedule = &config.settings.schedule;
    let night = schedule.night(schedule.local(ahead).date_naive());
    let clock: Arc<dyn Clock> = Arc::new(FastClock::new(night.start - TimeDelta::minutes(12), SPEED / stage.pace));
    let outside = Outside {
        clock: Arc::clone(&clock),
        probe: Some(Arc::new(machine(night.start)) as Arc<dyn Probe>),
        home_chat: "terminal".into(),
        ..Outside::real(&config)?
    };
    let engine = app::engine(&config, outside).await?;
    let _log = super::run::log_to_file(&engine, &config.log_level)?;
    let stop = app::stop_on_signals()?;
    let only_one = app::OnlyOne::take(engine.home())?;
    let (terminal, owner) = wire(Arc::clone(&clock));
    let watching = tokio::spawn(watch(engine.clone(), stop.clone()));
    let typing = tokio::spawn(live(owner, clock, night.start));
    let ran =
        tokio::time::timeout(LONGEST, app::run(&engine, only_one, vec![Arc::new(terminal)], stop.clone(), false)).await;
    stop.cancel();
    let finished = watching.await.unwrap_or(false);
    // Whatever ended the demo, nothing of it keeps running.
    engine.end_all_runs("the demo has ended").await;
    typing.abort();
    match ran {
        Err(_) => bail!("the demo did not end in {} s; look at {}", LONGEST.as_secs(), stage.folder.display()),
        Ok(ended) => ended?,
    }
    if !finished {
        println!("\nStopped. Nothing is left running; the folder is {}", stage.folder.display());
        return Ok(ExitCode::FAILURE);
    }
    ending(&config, &stage).await?;
    Ok(ExitCode::SUCCESS)
}

/// The scripted machine: calm, but for forty minutes after 00:45 with little memory.
fn machine(start: DateTime<Utc>) -> ScriptedProbe {
    let calm = ScriptedProbe::calm(start - TimeDelta::days(1));
    let short_from = start + TimeDelta::minutes(105);
    let short = Sample { at: short_from, memory_available: calm.memory_total / 10, ..calm.clone() };
    let again = Sample { at: short_from + TimeDelta::minutes(40), ..calm.clone() };
    ScriptedProbe::new(vec![calm, short, again])
}

/// The owner's side of the terminal chat: what they type goes in, what they would read comes out.
struct Owner {
    keyboard: tokio::io::DuplexStream,
    screen: BufReader<tokio::io::DuplexStream>,
}

fn wire(clock: Arc<dyn Clock>) -> (Terminal, Owner) {
    let (keyboard, input) = tokio::io::duplex(64 * 1024);
    let (output, screen) = tokio::io::duplex(1024 * 1024);
    let options = TerminalOptions {
        width: TerminalOptions::PHONE,
        color: std::io::stdout().is_terminal(),
        clock,
        key_prefix: format!("{:032x}", rand::random::<u128>()),
    };
    (Terminal::new(BufReader::new(input), output, options), Owner { keyboard, screen: BufReader::new(screen) })
}

/// Types the evening's commands, shows what comes back, and taps Approve on one card.
async fn live(mut owner: Owner, clock: Arc<dyn Clock>, start: DateTime<Utc>) -> anyhow::Result<()> {
    let mut tapped = false;
    let mut on_card = false;
    for line in EVENING {
        println!("⏎ {line}");
        owner.keyboard.write_all(format!("{line}\n").as_bytes()).await?;
    }
    let mut asked_at_night = false;
    let mut line = String::new();
    loop {
        line.clear();
        if owner.screen.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        print!("{line}");
        on_card |= line.contains(APPROVED);
        if let Some(code) = approve_code(&line).filter(|_| on_card && !tapped) {
            println!("⏎ {code}   (a tap on Approve)");
            owner.keyboard.write_all(format!("{code}\n").as_bytes()).await?;
            tapped = true;
        }
        // Not in the middle of a message.
        if owner.screen.buffer().is_empty() && !asked_at_night && clock.now() > start + TimeDelta::minutes(270) {
            asked_at_night = true;
            println!("⏎ /status   (in the middle of the night)");
            owner.keyboard.write_all(b"/status\n").await?;
        }
    }
}

/// `a3` of a line like `[a3] ✅ Approve   [a4] ✖️ Reject`.
fn approve_code(line: &str) -> Option<String> {
    let (before, _) = line.split_once("Approve")?;
    let (_, code) = before.rsplit_once('[')?;
    Some(code.split_once(']')?.0.to_owned())
}

/// Ends the demo once the brief is out and every build has ended. False if a signal ended it first.
async fn watch(engine: Engine, stop: CancellationToken) -> bool {
    loop {
        tokio::select! {
            () = stop.cancelled() => return false,
            () = tokio::time::sleep(Duration::from_millis(100)) => {}
        }
        if briefed(&engine).await.unwrap_or(false) {
            // Time for the last words to be printed.
            tokio::time::sleep(Duration::from_millis(300)).await;
            stop.cancel();
            return true;
        }
    }
}

async fn briefed(engine: &Engine) -> anyhow::Result<bool> {
    let mut conn = engine.store().read().await?;
    let Some(session) = sessions::latest(&mut conn).await? else { return Ok(false) };
    let (briefed, ..) = sessions::outputs(&mut conn, session.id).await?;
    drop(conn);
    Ok(briefed.is_some() && app::is_idle(engine).await?)
}

/// Where to look, and what to try next.
async fn ending(config: &Config, stage: &Stage) -> anyhow::Result<()> {
    let engine = app::engine(config, Outside::real(config)?).await?;
    let mut conn = engine.store().read().await?;
    let session = sessions::latest(&mut conn).await?.context("the demo's session is gone")?;
    let (_, report, _) = sessions::outputs(&mut conn, session.id).await?;
    println!("\nThe report: {}", report.unwrap_or_default());
    println!("The logs:   {}", engine.home().logs().display());
    println!("The commits, in vaults of their own; your projects are untouched:");
    for build in builds::of_session(&mut conn, session.id).await? {
        let Some(commit) = &build.result else { continue };
        let task = tasks::get(&mut conn, build.task).await?;
        let vault = engine.home().vaults().join(format!("{}.git", task.spec.project.unwrap_or_default()));
        let outcome = build.outcome.map_or("running", crate::domain::build::Outcome::as_str);
        println!("  git -C {} show {commit:.12}   # {} ({outcome})", vault.display(), task.spec.title);
    }
    let (home, file) = (engine.home().root().display(), stage.config.display());
    println!("Why each decision: overnight --home {home} --config {file} audit 60");
    println!("Next: overnight init asks for your project, your agent and your phone; then: overnight run");
    Ok(())
}
