//! `overnight init`: from nothing to a bot that talks on the phone, in one sitting.
//!
//! Everything is asked first and shown in a summary; files are written after a yes, at the very end, so that Ctrl-C at
//! any question leaves them as they were. It can be run again: what is there is the default and stays, comments and
//! all. Without a terminal, or with `--yes`, flags answer; what they leave open is named before anything is done.

mod claim;
mod edit;
mod files;
mod find;
mod guess;
mod install;
mod machine;
mod phone;
mod prompt;
pub(super) mod telegram;
mod trial;

pub(super) use install::lingers;

use crate::app::{self, OnlyOne};
use crate::cli::agents::known;
use crate::clock::SystemClock;
use crate::config::{Config, Overrides};
use crate::engine::home::Home;
use anyhow::Context;
use chrono_tz::Tz;
use clap::Args;
use files::{Changes, Wanted};
use install::Unit;
use machine::Projects;
use phone::{Asking, Phone};
use prompt::Prompt;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use trial::Trial;

#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// Ask nothing: take what is detected wherever no flag says otherwise
    #[arg(long, short)]
    yes: bool,
    /// Time zone, such as Europe/Berlin [default: this machine's]
    #[arg(long, value_name = "ZONE", value_parser = machine::parse_zone)]
    zone: Option<Tz>,
    /// Token of the bot, from @BotFather; others see it in the list of processes, so rather set TELEGRAM_BOT_TOKEN
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
    /// Your numeric Telegram user id, instead of a claim by a code
    #[arg(long, value_name = "ID", value_parser = clap::value_parser!(i64).range(1..1 << 52))]
    owner: Option<i64>,
    /// Show a code and wait until somebody sends it to the bot, also without a terminal
    #[arg(long, conflicts_with = "owner")]
    claim: bool,
    /// How long a code is good, such as 90s or 10m; at most ten minutes
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = within)]
    claim_within: Duration,
    /// Take away a webhook that is set for the bot, instead of asking: whatever is there gets nothing any more
    #[arg(long)]
    remove_webhook: bool,
    /// Leave Telegram as it is
    #[arg(long, conflicts_with_all = ["token", "owner", "claim", "remove_webhook"])]
    no_telegram: bool,
    /// Look for git repositories in this folder; can be given several times
    #[arg(long, value_name = "FOLDER")]
    projects: Vec<PathBuf>,
    /// Add no project
    #[arg(long, conflicts_with = "projects")]
    no_projects: bool,
    /// Don't run the commands guessed for projects in a throw-away clone
    #[arg(long)]
    no_try: bool,
    /// Add no agent
    #[arg(long)]
    no_agents: bool,
    /// Look after the logs in this folder; can be given several times
    #[arg(long, value_name = "FOLDER")]
    logs: Vec<PathBuf>,
    /// Look after this SQLite file; can be given several times
    #[arg(long, value_name = "FILE")]
    database: Vec<PathBuf>,
    /// Don't install the service
    #[arg(long)]
    no_service: bool,
    /// Send no test message
    #[arg(long)]
    no_test_message: bool,
}

/// Longest one command of a project may run while it is tried.
const TRIAL: Duration = Duration::from_mins(15);

fn within(text: &str) -> Result<Duration, String> {
    let number = |text: &str, unit: u64| text.parse::<u64>().ok().map(|n| Duration::from_secs(n.saturating_mul(unit)));
    let time = text.strip_suffix('s').and_then(|n| number(n, 1)).or_else(|| number(text.strip_suffix('m')?, 60));
    time.filter(|time| (1..=600).contains(&time.as_secs())).ok_or_else(|| "from 1s to 10m".into())
}

/// Leads through it.
pub(super) async fn init(config: &Config, overrides: &Overrides, args: InitArgs) -> anyhow::Result<ExitCode> {
    let terminal = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    let prompt = Prompt { live: terminal && !args.yes };
    let open = if prompt.live { Vec::new() } else { unanswered(config, &args) };
    if !open.is_empty() {
        eprintln!("overnight: without a terminal to ask at, these flags are needed too:");
        for flag in open {
            eprintln!("  {flag}");
        }
        return Ok(ExitCode::from(2));
    }
    // A question that is answered by Ctrl-C is an error then, instead of the end of the process.
    let stop = app::stop_on_signals()?;
    let written = Cell::new(false);
    // Writing has no point at which it could be left halfway by this.
    let outcome = tokio::select! {
        outcome = ask_and_write(config, overrides, &args, prompt, &stop, &written) => outcome,
        () = stop.cancelled() => Err(std::io::Error::from(std::io::ErrorKind::Interrupted).into()),
    };
    match outcome {
        Err(error) if prompt::interrupted(&error) => {
            // A list of choices hides the cursor.
            let _ = dialoguer::console::Term::stderr().show_cursor();
            let state =
                if written.get() { "the files are written, the rest is not done" } else { "nothing was written" };
            eprintln!("\novernight: stopped; {state}");
            Ok(ExitCode::FAILURE)
        }
        done => done,
    }
}

/// Flags that are missing where nobody can be asked.
fn unanswered(config: &Config, args: &InitArgs) -> Vec<&'static str> {
    let telegram = config.telegram.as_ref();
    let token = args.token.is_some() || telegram.is_some();
    let same = args.token.as_deref().is_none_or(|token| telegram.is_some_and(|known| known.token.expose() == token));
    let owner = args.owner.is_some() || args.claim || (same && telegram.is_some_and(|known| known.owner.is_some()));
    let zone = args.zone.is_some() || !config.missing.iter().any(|missing| missing.feature == "your local time");
    let projects = args.no_projects || !args.projects.is_empty() || !config.settings.projects.is_empty();
    let needed = [
        (args.yes, "--yes: take what is detected for everything that no flag answers"),
        (zone, "--zone ZONE, such as Europe/Berlin: this machine's can't be told"),
        (token || args.no_telegram, "--token TOKEN (or TELEGRAM_BOT_TOKEN in the environment), or --no-telegram"),
        (owner || !token || args.no_telegram, "--owner ID, or --claim to wait for the code it shows"),
        (projects, "--projects FOLDER, or --no-projects"),
    ];
    needed.into_iter().filter(|(answered, _)| !answered).map(|(_, flag)| flag).collect()
}

async fn ask_and_write(
    config: &Config,
    overrides: &Overrides,
    args: &InitArgs,
    prompt: Prompt,
    stop: &CancellationToken,
    written: &Cell<bool>,
) -> anyhow::Result<ExitCode> {
    println!("overnight sets itself up in {}", config.home.display());
    println!("Nothing is written before you have seen it all.");
    if let Some(file) = &config.config_file {
        println!("What is in {} stays and is the default.", file.display());
    }
    config.ensure_home()?;
    writable(config)?;
    let keys: Vec<String> = known::keys().into_iter().chain(install::BUS.map(str::to_owned)).collect();
    let variables = config.child_env(&keys);
    let builds = config.child_env(&[]);
    let users_home = variables.get("HOME").map(PathBuf::from).unwrap_or_default();

    let zone = machine::zone(config, args.zone, prompt)?;
    let phone = Asking { config, args, prompt, clock: &SystemClock, stop }.phone().await?;
    let agents = machine::agents(config, &variables, args.no_agents, prompt)?;
    let trial = (!args.no_try).then_some(Trial { variables: &builds, limit: TRIAL, stop });
    let finder = Projects { config, prompt, trial, users_home };
    let projects = if args.no_projects { Vec::new() } else { finder.find(&args.projects).await? };
    let checkouts = config.settings.projects.iter().map(|project| project.path.clone());
    let checkouts: Vec<PathBuf> = checkouts.chain(projects.iter().map(|project| project.path.clone())).collect();
    let (log_roots, databases) = machine::looked_after(config, &checkouts, (&args.logs, &args.database), prompt)?;
    let wanted =
        Wanted { zone, variables: to_remember(config, phone.as_ref()), agents, projects, log_roots, databases };
    let changes = Changes::prepare(config, &wanted)?;

    println!("\nService");
    let unit = if args.no_service {
        println!("  left as it is (--no-service); by hand: overnight run");
        None
    } else {
        let unit = Unit::prepare(config, &changes.toml.file, &variables)?;
        install::wanted(prompt, &unit)?.then_some(unit)
    };

    println!("\nThis will be done");
    for change in [&changes.env, &changes.toml] {
        println!("  {}", change.words());
    }
    if let Some(unit) = &unit {
        println!("  {}: {}", unit.file.display(), if unit.is_there() { "stays as it is" } else { "is written" });
    }
    let anything = changes.any() || unit.is_some();
    if anything && !prompt.confirm("Do it?", true)? {
        eprintln!("overnight: nothing was written");
        return Ok(ExitCode::FAILURE);
    }
    if stop.is_cancelled() {
        anyhow::bail!(std::io::Error::from(std::io::ErrorKind::Interrupted));
    }
    written.set(true);
    let mut said = Vec::new();
    let outcome = changes.write(&mut said).and_then(|()| unit.as_ref().map_or(Ok(()), |unit| unit.write(&mut said)));
    println!();
    for line in said {
        println!("  {line}");
    }
    outcome?;
    overruled(overrides, &wanted);
    finish(config, args, prompt, phone.as_ref(), unit.as_ref(), &variables).await
}

/// The data folder is made by now; whether it takes files is better known before all the questions.
fn writable(config: &Config) -> anyhow::Result<()> {
    let probe = config.home.join(".init-probe");
    let _ = std::fs::remove_file(&probe);
    let tried = std::fs::File::options().write(true).create_new(true).open(&probe);
    tried.with_context(|| {
        format!(
            "{} can't be written: make it writable for this user, or choose another by --home",
            config.home.display()
        )
    })?;
    let _ = std::fs::remove_file(&probe);
    Ok(())
}

fn to_remember(config: &Config, phone: Option<&Phone>) -> Vec<(&'static str, String)> {
    let Some(phone) = phone else { return Vec::new() };
    let mut variables = vec![("TELEGRAM_BOT_TOKEN", phone.token.clone())];
    variables.extend(phone.owner.map(|owner| ("TELEGRAM_OWNER_ID", owner.to_string())));
    variables.extend(config.telegram_api_url().map(|url| ("TELEGRAM_API_URL", url.to_owned())));
    variables
}

/// The environment and ./.env win over what was written; that is worth a word where they differ.
fn overruled(overrides: &Overrides, wanted: &Wanted) {
    let Ok(read) = Config::load(overrides) else { return };
    let Some(known) = &read.telegram else { return };
    for (name, value) in &wanted.variables {
        let other = match *name {
            "TELEGRAM_BOT_TOKEN" => known.token.expose() != value,
            "TELEGRAM_OWNER_ID" => known.owner.is_none_or(|owner| owner.to_string() != *value),
            _ => false,
        };
        if other {
            println!("  ⚠️  {name} is also set in your environment or ./.env, with another value: here, that one wins");
        }
    }
}

async fn finish(
    config: &Config,
    args: &InitArgs,
    prompt: Prompt,
    phone: Option<&Phone>,
    unit: Option<&Unit>,
    variables: &BTreeMap<String, String>,
) -> anyhow::Result<ExitCode> {
    let mut fine = true;
    if let Some((phone, owner)) = phone.and_then(|phone| Some((phone, phone.owner?))).filter(|_| !args.no_test_message)
        && prompt.confirm("Send a test message to your phone?", true)?
    {
        let api = telegram::Api::new(&phone.token, config.telegram_api_url())?;
        match api
            .say(owner, "🌙 overnight is set up. This is the test message; the first brief comes after a night.")
            .await
        {
            Ok(()) => println!("  ✅ the test message is on your phone"),
            Err(trouble) => {
                fine = false;
                println!("  ❌ the test message did not go out: {trouble}");
            }
        }
    }
    // Where there is no lock file no bot has run yet, and no folders are made just to ask.
    let running = config.home.join("bot.lock").exists() && OnlyOne::is_taken(&Home::open(&config.home)?);
    match unit {
        Some(unit) => unit.start(variables, running),
        None if running => println!("  ⚠️  the bot runs already; it reads its files at its start, so restart it"),
        None => {}
    }
    let home = format!("--home {} ", config.home.display());
    println!("\nNext: overnight {home}doctor says whether tonight will work;");
    if unit.is_none() && !running {
        println!("      overnight {home}run starts the bot;");
    }
    println!("      overnight {home}queue add \"Fix the slow report\" queues the first task.");
    Ok(if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
