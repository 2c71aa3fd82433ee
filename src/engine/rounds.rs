//! An agent's run, read as it goes: where it says it is and what it has used, and at its end the report the planner
//! decides by. A build has a run of its agent for each *round*: the first, and one each time it goes on after waiting.
//!
//! Streams are read in memory, from their beginning after a restart: reading twice comes to the same.

use super::{Engine, lock, room, spec};
use crate::agent::{AgentEnd, AgentEvent, AgentReport, Reference, Side, Spent, Stopped, Stream, Window};
use crate::domain::build::{Run, RunEnding, RunOwner, StopReason, Used};
use crate::domain::id::BuildId;
use crate::domain::provider::BlockKind;
use crate::domain::settings::AgentKind;
use crate::runner;
use crate::store::{Conn, StoreError, audit, builds, providers, runs, tasks};
use chrono::{DateTime, TimeDelta, Utc};
use std::path::{Path, PathBuf};

/// What an agent printed about as long ago as its account was blocked may be older than the block, and proves nothing.
const SETTLED: TimeDelta = TimeDelta::minutes(2);

/// Lines of standard error that are looked at for why an agent ended.
const STDERR_LINES: usize = 60;
/// Most of a side file that is read, from its end.
const SIDE_BYTES: u64 = 256 * 1024;

/// How far a run's output was read and understood.
pub(super) struct Reading {
    kind: AgentKind,
    stream: Stream,
    position: u64,
    log: PathBuf,
    /// What the rounds before this one used.
    before: Used,
}

/// Reads what the agent said since the last look.
pub(super) async fn follow(engine: &Engine, run: &Run) -> Result<(), StoreError> {
    let RunOwner::Build(build) = run.owner else { return Ok(()) };
    let Some((reading, events)) = hear(engine, run, build).await? else { return Ok(()) };
    let before = reading.before;
    lock(&engine.live.readings).insert(run.id.0, reading);
    if events.is_empty() {
        return Ok(());
    }
    let mut tx = engine.store().begin().await?;
    note(&mut tx, build, &events, before, engine.now()).await?;
    tx.commit().await?;
    Ok(())
}

/// The report of a run that has ended; none for what is no agent's.
pub(super) async fn conclude(
    engine: &Engine,
    run: &Run,
    ending: &RunEnding,
) -> Result<Option<AgentReport>, StoreError> {
    let RunOwner::Build(build) = run.owner else { return Ok(None) };
    let Some((reading, _)) = hear(engine, run, build).await? else { return Ok(None) };
    lock(&engine.live.readings).remove(&run.id.0);
    let end = AgentEnd { at: Some(engine.now()), ..agent_end(ending) };
    let (stderr, side) = (spec::stderr_path(&reading.log), room::path(&engine.home().build(build)).join(".codex"));
    let report = tokio::task::spawn_blocking(move || {
        let said = runner::last_lines(&stderr, STDERR_LINES).unwrap_or_default().join("\n");
        let side = side_file(reading.kind, &side).map(|tail| Side::read(reading.kind, &tail));
        let mut report = reading.stream.finish(&end, &said, side.as_ref());
        // Whatever a plain command printed last is no summary where it said how far it is.
        if reading.kind == AgentKind::Command && report.progress.is_some() {
            report.summary = None;
        }
        report
    });
    report.await.map(Some).map_err(|error| StoreError::BadRow(format!("an agent's output could not be read: {error}")))
}

/// Records what follows from a report besides the build itself: what was used, and what is known of the account.
pub(super) async fn settle(
    conn: &mut Conn,
    build: BuildId,
    report: &AgentReport,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let row = builds::get(conn, build).await?;
    let mut used = of_report(report);
    for earlier in runs::rounds(conn, build).await?.iter().filter(|run| run.round < row.round) {
        used = used.and(earlier.report.as_ref().map(of_report).unwrap_or_default());
    }
    let said = report.progress.as_ref();
    let percent = said.filter(|progress| !progress.estimated).and_then(|progress| progress.percent);
    let words = report.summary.as_deref().or(said.map(|progress| progress.text.as_str()));
    builds::set_progress(conn, build, percent, words.filter(|words| !words.is_empty()), used).await?;
    let Some(agent) = row.agent else { return Ok(()) };
    if !report.windows.is_empty() {
        providers::set_windows(conn, &agent, &report.windows, now).await?;
    }
    if works(report)
        && let Some(block) = providers::get(conn, &agent).await?.and_then(|provider| provider.block)
        && now - block.since > SETTLED
    {
        providers::set_block(conn, &agent, None, now).await?;
        let what = if block.kind == BlockKind::Limit { "its usage limit is over" } else { "its account works again" };
        audit::append(conn, now, "host", "provider", None, &format!("{agent}: {what}")).await?;
    }
    Ok(())
}

/// Whether the account behind the agent was seen to work.
fn works(report: &AgentReport) -> bool {
    use crate::agent::AgentOutcome::{Budget, Denied, Question, Success};
    matches!(report.outcome, Success | Denied | Question | Budget)
}

fn of_report(report: &AgentReport) -> Used {
    Used { tokens: report.tokens.unwrap_or(0), usd: report.cost_usd.unwrap_or(0.0), turns: report.turns.unwrap_or(0) }
}

/// Reads on from where the last look ended, to the end of what is there.
async fn hear(engine: &Engine, run: &Run, build: BuildId) -> Result<Option<(Reading, Vec<AgentEvent>)>, StoreError> {
    let known = lock(&engine.live.readings).remove(&run.id.0);
    let reading = match known {
        Some(reading) => reading,
        None => match begin(engine, run, build).await? {
            Some(reading) => reading,
            None => return Ok(None),
        },
    };
    let heard = tokio::task::spawn_blocking(move || {
        let (mut reading, mut events) = (reading, Vec::new());
        while let Ok((bytes, position)) = runner::read_new(&reading.log, reading.position) {
            if bytes.is_empty() {
                break;
            }
            reading.position = position;
            // Only the newest of each matters; a talkative agent must not fill the memory.
            events.extend(reading.stream.push(&bytes));
            newest(&mut events);
        }
        (reading, events)
    });
    heard.await.map(Some).map_err(|error| StoreError::BadRow(format!("an agent's output could not be read: {error}")))
}

async fn begin(engine: &Engine, run: &Run, build: BuildId) -> Result<Option<Reading>, StoreError> {
    let mut conn = engine.store().read().await?;
    let row = builds::get(&mut conn, build).await?;
    let task = tasks::get(&mut conn, row.task).await?;
    let Some(agent) = spec::agent_of(engine, &row, &task) else { return Ok(None) };
    let mut before = Used::default();
    for earlier in runs::rounds(&mut conn, build).await?.iter().filter(|earlier| earlier.round < run.round) {
        before = before.and(earlier.report.as_ref().map(of_report).unwrap_or_default());
    }
    let log = PathBuf::from(runs::log_path(&mut conn, run.id).await?);
    let reference = Reference { at: run.started_at, zone: engine.settings().schedule.zone };
    let spent = Spent { tokens: Some(before.tokens), cost_usd: Some(before.usd) };
    let spent = if run.round == 0 { Spent::default() } else { spent };
    let stream = Stream::new(agent.kind, reference, spent);
    Ok(Some(Reading { kind: agent.kind, stream, position: 0, log, before }))
}

/// Keeps the last progress, the last usage, and the last of each window.
fn newest(events: &mut Vec<AgentEvent>) {
    let mut kept: Vec<AgentEvent> = Vec::new();
    for event in events.drain(..).rev() {
        let replaced = kept.iter().any(|newer| match (newer, &event) {
            (AgentEvent::Progress(_), AgentEvent::Progress(_))
            | (AgentEvent::Usage { .. }, AgentEvent::Usage { .. }) => true,
            (AgentEvent::Window(newer), AgentEvent::Window(older)) => newer.name == older.name,
            _ => false,
        });
        let told = matches!(event, AgentEvent::Progress(_) | AgentEvent::Usage { .. } | AgentEvent::Window(_));
        if told && !replaced {
            kept.push(event);
        }
    }
    kept.reverse();
    *events = kept;
}

async fn note(
    conn: &mut Conn,
    build: BuildId,
    events: &[AgentEvent],
    before: Used,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let row = builds::get(conn, build).await?;
    let (mut percent, mut words, mut used) = (None, None, row.spent);
    let mut windows: Vec<Window> = Vec::new();
    for event in events {
        match event {
            AgentEvent::Progress(said) => {
                percent = said.percent.filter(|_| !said.estimated);
                words = Some(said.text.as_str()).filter(|text| !text.is_empty());
            }
            AgentEvent::Usage { spent, turns } => {
                let so_far =
                    Used { tokens: spent.tokens.unwrap_or(0), usd: spent.cost_usd.unwrap_or(0.0), turns: *turns };
                used = before.and(so_far);
            }
            AgentEvent::Window(window) => windows.push(window.clone()),
            AgentEvent::Session(_) | AgentEvent::Denied(_) | AgentEvent::Retrying { .. } => {}
        }
    }
    builds::set_progress(conn, build, percent, words, used).await?;
    if let Some(agent) = row.agent.filter(|_| !windows.is_empty()) {
        providers::set_windows(conn, &agent, &windows, now).await?;
    }
    Ok(())
}

fn agent_end(ending: &RunEnding) -> AgentEnd {
    let stopped = |why| AgentEnd { stopped: Some(why), ..AgentEnd::default() };
    match ending {
        RunEnding::Exited { code } => AgentEnd { status: Some(*code), ..AgentEnd::default() },
        RunEnding::Signaled { signal } => AgentEnd { signal: Some(*signal), ..AgentEnd::default() },
        RunEnding::TimedOut | RunEnding::Silent => stopped(Stopped::Hung),
        RunEnding::Stopped { reason } => stopped(match reason.parse() {
            Ok(StopReason::Budget) => Stopped::Budget,
            Ok(StopReason::TimeLimit) => Stopped::Hung,
            _ => Stopped::Asked,
        }),
        RunEnding::Lost | RunEnding::NotStarted { .. } => AgentEnd::default(),
    }
}

/// The end of the newest file in which a CLI keeps what it does not print: Codex' rollouts. The folder is the agent's to
/// write, so links are not followed and nothing deep is looked at.
fn side_file(kind: AgentKind, state: &Path) -> Option<Vec<u8>> {
    use std::io::{Read as _, Seek as _, SeekFrom};
    if kind != AgentKind::Codex {
        return None;
    }
    let mut open = vec![(state.join("sessions"), 0)];
    let mut newest: Option<(std::time::SystemTime, PathBuf)> = None;
    let mut looked = 0;
    while let Some((folder, depth)) = open.pop() {
        for entry in std::fs::read_dir(folder).ok()?.flatten() {
            looked += 1;
            let (Ok(kind), Ok(meta)) = (entry.file_type(), entry.metadata()) else { continue };
            if looked > 2000 {
                break;
            }
            if kind.is_dir() && depth < 4 {
                open.push((entry.path(), depth + 1));
            } else if kind.is_file()
                && entry.file_name().as_encoded_bytes().starts_with(b"rollout-")
                && let Ok(changed) = meta.modified()
                && newest.as_ref().is_none_or(|(known, _)| changed > *known)
            {
                newest = Some((changed, entry.path()));
            }
        }
    }
    let mut file = std::fs::File::open(newest?.1).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(SIDE_BYTES))).ok()?;
    let mut tail = Vec::new();
    file.take(SIDE_BYTES).read_to_end(&mut tail).ok()?;
    Some(tail)
}
