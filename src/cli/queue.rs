//! `overnight queue …`: positional as in the mission (`TITLE DETAILS HOURS CATEGORY PRIORITY`), or by flags.

use super::ask;
use crate::app::{self, LOCAL_OWNER, Outside};
use crate::chat::command::{Command, Draft, NotBefore};
use crate::config::Config;
use crate::domain::id::TaskId;
use crate::domain::role::Role;
use crate::domain::task::limits;
use crate::engine::Engine;
use crate::engine::commands;
use crate::engine::reply::Asker;
use anyhow::{Context, bail};
use chrono::{NaiveDateTime, NaiveTime};
use clap::{Args, Subcommand};
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub(super) enum QueueCommand {
    /// Queue a task: overnight queue add "Optimize the report query" "It takes 9 s" 4.0 "Performance optimization" HIGH
    Add(AddArgs),
    /// What waits
    List {
        /// Only these: locked, ready, a category, a priority, a project
        filter: Option<String>,
        /// Which page, as people count them
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
        page: u16,
    },
    /// One task in full
    Show {
        /// Task number
        task: i64,
    },
    /// Change a task; an approval of what it said before becomes void
    Edit {
        /// Task number
        task: i64,
        #[command(flatten)]
        fields: Fields,
        /// New title
        #[arg(long)]
        title: Option<String>,
        /// New details
        #[arg(long)]
        details: Option<String>,
    },
    /// Take tasks out of the queue
    Drop {
        /// Task numbers
        #[arg(required = true)]
        tasks: Vec<i64>,
    },
}

#[derive(Debug, Args)]
pub(super) struct AddArgs {
    /// One line
    title: String,
    /// More for the agent
    details: Option<String>,
    /// Estimate in hours, 0.1 to 8
    hours: Option<String>,
    /// Such as "Bug fixes"
    category: Option<String>,
    /// CRITICAL, HIGH, MEDIUM or LOW
    priority: Option<String>,
    #[command(flatten)]
    fields: Fields,
}

#[derive(Debug, Args)]
pub(super) struct Fields {
    /// Estimate in hours
    #[arg(long = "estimate", value_name = "HOURS")]
    estimate: Option<String>,
    /// Category
    #[arg(long = "in", value_name = "CATEGORY")]
    in_category: Option<String>,
    /// Priority
    #[arg(long = "prio", value_name = "PRIORITY")]
    prio: Option<String>,
    /// Configured project
    #[arg(long)]
    project: Option<String>,
    /// code, artifact or action
    #[arg(long)]
    kind: Option<String>,
    /// Configured agent
    #[arg(long)]
    agent: Option<String>,
    /// Numbers of tasks that must complete first
    #[arg(long, value_delimiter = ',')]
    after: Option<Vec<i64>>,
    /// Not before this local time: 02:00 or "2026-03-15 02:00"
    #[arg(long)]
    not_before: Option<String>,
    /// An action's command or an artifact's check, to the end of the line
    #[arg(last = true)]
    command: Option<Vec<String>>,
}

/// Does one queue command.
pub(super) async fn queue(config: &Config, command: QueueCommand, json: bool) -> anyhow::Result<ExitCode> {
    let command = match command {
        QueueCommand::List { filter, page } => Command::QueueList { filter, page: usize::from(page) - 1 },
        QueueCommand::Show { task } => Command::QueueShow(TaskId(task)),
        QueueCommand::Drop { tasks } => Command::QueueDrop(tasks.into_iter().map(TaskId).collect()),
        QueueCommand::Edit { task, fields, title, details } => {
            let draft = draft(fields, None, None, None)?;
            Command::QueueEdit { task: TaskId(task), draft: Draft { title: checked(title)?, details, ..draft } }
        }
        QueueCommand::Add(args) => {
            let AddArgs { title, details, hours, category, priority, fields } = args;
            let draft = draft(fields, hours, category, priority)?;
            Command::QueueAdd(vec![Draft { title: checked(Some(title))?, details, ..draft }])
        }
    };
    let engine = app::engine(config, Outside::real(config)?).await?;
    check_names(&engine, &command)?;
    let mut tx = engine.store().begin().await?;
    let reply = commands::execute(
        &engine,
        &mut tx,
        Asker { who: LOCAL_OWNER, role: Role::Owner, tapped: false },
        command,
        engine.now(),
    )
    .await?;
    tx.commit().await?;
    ask::print(&reply, json)
}

fn checked(title: Option<String>) -> anyhow::Result<Option<String>> {
    let Some(title) = title else { return Ok(None) };
    let length = title.chars().count();
    if title.trim().is_empty() {
        bail!("the title is empty; say what should be built");
    }
    if length > limits::TITLE_CHARS || title.contains('\n') {
        bail!(
            "the title has {length} characters; it takes one line of {}, the rest belongs into the details",
            limits::TITLE_CHARS
        );
    }
    Ok(Some(title))
}

/// Positional values and flags are one draft; a flag wins.
fn draft(
    fields: Fields,
    hours: Option<String>,
    category: Option<String>,
    priority: Option<String>,
) -> anyhow::Result<Draft> {
    Ok(Draft {
        title: None,
        details: None,
        project: fields.project,
        kind: fields.kind.as_deref().map(str::parse).transpose()?,
        category: fields.in_category.or(category).as_deref().map(str::parse).transpose()?,
        priority: fields.prio.or(priority).as_deref().map(str::parse).transpose()?,
        estimate_minutes: fields.estimate.or(hours).as_deref().map(minutes).transpose()?,
        not_before: fields.not_before.as_deref().map(not_before).transpose()?,
        depends_on: fields.after.map(|ids| ids.into_iter().map(TaskId).collect()),
        agent: fields.agent,
        command: fields.command,
    })
}

fn minutes(hours: &str) -> anyhow::Result<u32> {
    let number: f64 = hours
        .trim()
        .trim_end_matches('h')
        .parse()
        .with_context(|| format!("{hours:?} is no number of hours, such as 4.0"))?;
    let minutes = (number * 60.0).round();
    let allowed = f64::from(limits::ESTIMATE_MIN_MINUTES)..=f64::from(limits::ESTIMATE_MAX_MINUTES);
    if !allowed.contains(&minutes) {
        bail!("an estimate of {number} h is not between 0.1 and 8 h; split what is longer into several tasks");
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to lie between 6 and 480")]
    Ok(minutes as u32)
}

fn not_before(text: &str) -> anyhow::Result<NotBefore> {
    let text = text.trim();
    if let Ok(time) = NaiveTime::parse_from_str(text, "%H:%M") {
        return Ok(NotBefore::Time(time));
    }
    NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M")
        .map(NotBefore::At)
        .with_context(|| format!("{text:?} is no time; write 02:00 or \"2026-03-15 02:00\""))
}

/// The chat's parser takes only configured names for projects and agents; flags are checked here.
fn check_names(engine: &Engine, command: &Command) -> anyhow::Result<()> {
    let drafts = match command {
        Command::QueueAdd(drafts) => drafts.as_slice(),
        Command::QueueEdit { draft, .. } => std::slice::from_ref(draft),
        _ => &[],
    };
    let settings = engine.settings();
    for draft in drafts {
        if let Some(name) = draft.project.as_deref().filter(|name| settings.project(name).is_none()) {
            let known: Vec<_> = settings.projects.iter().map(|project| project.name.as_str()).collect();
            bail!("project {name:?} is not configured; configured are: {}", known.join(", "));
        }
        if let Some(name) = draft.agent.as_deref().filter(|name| settings.agent(name).is_none()) {
            let known: Vec<_> = settings.agents.iter().map(|agent| agent.name.as_str()).collect();
            bail!("agent {name:?} is not configured; configured are: {}", known.join(", "));
        }
    }
    Ok(())
}
