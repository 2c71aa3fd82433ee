//! Runs: launching a supervised command, watching it, and writing down how it ended.
//!
//! A run's row is written before it is launched and names its folder; the supervisor's lock there, not a process
//! number, says whether it lives. So after a crash every open row is simply looked at again.

use super::{Engine, failpoint, fence, lock, rounds, spec};
use crate::domain::build::{Run, RunEnding, RunOwner, RunStep, StopReason, TestCounts};
use crate::domain::id::RunId;
use crate::domain::incident::Incident;
use crate::domain::task::TaskState;
use crate::domain::test_output::{OutputReader, last_number};
use crate::runner::{self, End, RunEnd, RunnerError, Seen};
use crate::store::{StoreError, audit, builds, runs, tasks};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Launches tried for one run before it counts as not started, and the real time between them.
const MOST_LAUNCHES: u32 = 5;
const LAUNCH_PAUSE: Duration = Duration::from_secs(2);

/// Most output read back for test counts: twice what a log can hold at its default limits.
const READ_BACK: u64 = 32 * 1024 * 1024;
/// Last lines of a measure command's output among which its number is.
const MEASURE_LINES: usize = 1000;

/// Writes a run's row, then launches it.
pub(super) async fn launch(engine: &Engine, owner: RunOwner, step: RunStep) -> Result<(), StoreError> {
    let now = engine.now();
    let mut tx = engine.parts.store.begin().await?;
    // A reject or a stop that came after the plan was made wins: nothing begins, an action least of all.
    let mut round = 0;
    if let RunOwner::Build(build) = owner {
        let build = builds::get(&mut tx, build).await?;
        if step == RunStep::Agent {
            round = build.round;
        }
        let task = tasks::get(&mut tx, build.task).await?;
        if build.stop_requested.is_some() || task.state == TaskState::Dropped {
            return Err(StoreError::Conflict("the build"));
        }
    }
    let log = spec::log_path(engine, owner, step, round);
    let run = runs::insert(&mut tx, owner, step, round, &log.to_string_lossy(), now).await?;
    failpoint::pass("before run commit");
    tx.commit().await?;
    failpoint::pass("after run commit");
    start(engine, run).await
}

/// Asks a run to stop: the row first, so that a crash in between asks again.
pub(super) async fn stop(engine: &Engine, run: RunId, reason: StopReason) -> Result<(), StoreError> {
    let mut tx = engine.parts.store.begin().await?;
    runs::request_stop(&mut tx, run, reason).await?;
    audit::append(&mut tx, engine.now(), "planner", "stop", None, &format!("run {run} is asked to stop: {reason}"))
        .await?;
    tx.commit().await?;
    failpoint::pass("after stop commit");
    ask_to_stop(engine, run, reason);
    Ok(())
}

fn ask_to_stop(engine: &Engine, run: RunId, reason: StopReason) {
    if let Err(error) = engine.parts.runner.stop(&engine.parts.home.run(run), reason.as_str()) {
        tracing::error!(%error, %run, "can't ask the run to stop");
    }
}

/// Looks at every open run: launches what never began, records what has ended, reads what agents say.
pub(super) async fn observe(engine: &Engine) -> Result<(), StoreError> {
    let open = {
        let mut conn = engine.parts.store.read().await?;
        runs::open(&mut conn).await?
    };
    for run in open {
        let seen = look(engine, run.id).await;
        match seen {
            Ok(Seen::Absent) => start(engine, run.id).await?,
            Ok(Seen::Running) => running(engine, &run).await?,
            Ok(Seen::Ended(end)) => ended(engine, &run, end).await?,
            Ok(Seen::Lost) => lost(engine, &run).await?,
            Err(error) => tracing::error!(%error, run = %run.id, "can't look at a run; again at the next step"),
        }
    }
    Ok(())
}

async fn look(engine: &Engine, run: RunId) -> Result<Seen, RunnerError> {
    let (runner, folder) = (engine.parts.runner.clone(), engine.parts.home.run(run));
    blocking(move || runner.observe(&folder)).await
}

/// Runner calls wait for other processes: they stay off the event loop.
async fn blocking<T: Send + 'static>(
    call: impl FnOnce() -> Result<T, RunnerError> + Send + 'static,
) -> Result<T, RunnerError> {
    tokio::task::spawn_blocking(call).await.unwrap_or_else(|error| Err(RunnerError::InvalidSpec(error.to_string())))
}

/// Launches a run whose row exists. Launching twice executes once: the supervisor sees to that. A launch that failed
/// without executing anything (an overloaded machine, a full disk) is tried again a few times.
async fn start(engine: &Engine, run: RunId) -> Result<(), StoreError> {
    let spec = {
        let mut conn = engine.parts.store.read().await?;
        spec::spec(engine, &mut conn, run).await?
    };
    let launched = match spec {
        Err(error) => Err(RunnerError::InvalidSpec(error)),
        Ok(spec) => {
            let (runner, folder) = (engine.parts.runner.clone(), engine.parts.home.run(run));
            blocking(move || runner.launch(&folder, &spec)).await
        }
    };
    failpoint::pass("after launch");
    let error = match launched {
        Ok(()) => {
            watch(engine, run);
            return Ok(());
        }
        Err(error) => error,
    };
    let tries = {
        let mut failures = lock(&engine.live.launch_failures);
        let tries = failures.entry(run.0).or_insert(0);
        *tries += 1;
        *tries
    };
    if matches!(error, RunnerError::InvalidSpec(_)) || tries >= MOST_LAUNCHES {
        return record_end(engine, run, RunEnding::NotStarted { error: error.to_string() }, Around::default()).await;
    }
    tracing::warn!(%error, %run, tries, "a run was not launched; trying again");
    let engine = engine.clone();
    engine.live.tasks.clone().spawn(async move {
        tokio::time::sleep(LAUNCH_PAUSE).await;
        engine.wake();
    });
    Ok(())
}

/// Wakes the engine when the run ends; at most one watcher a run.
fn watch(engine: &Engine, run: RunId) {
    if !lock(&engine.live.watched).insert(run.0) {
        return;
    }
    let engine = engine.clone();
    let tracker = engine.live.tasks.clone();
    tracker.spawn(async move {
        engine.parts.runner.ended(&engine.parts.home.run(run)).await;
        lock(&engine.live.watched).remove(&run.0);
        engine.wake();
    });
}

async fn running(engine: &Engine, run: &Run) -> Result<(), StoreError> {
    watch(engine, run.id);
    if let Some(reason) = run.stop_requested {
        ask_to_stop(engine, run.id, reason);
    }
    match (run.owner, run.step) {
        (RunOwner::Build(_), RunStep::Agent) => rounds::follow(engine, run).await,
        _ => Ok(()),
    }
}

async fn lost(engine: &Engine, run: &Run) -> Result<(), StoreError> {
    let (runner, folder) = (engine.parts.runner.clone(), engine.parts.home.run(run.id));
    match blocking(move || runner.sweep_lost(&folder)).await {
        Ok(end) => {
            failpoint::pass("lost run swept");
            ended(engine, run, end).await
        }
        Err(error) => {
            tracing::error!(%error, run = %run.id, "can't clean up after a lost run; again at the next step");
            Ok(())
        }
    }
}

async fn ended(engine: &Engine, run: &Run, end: RunEnd) -> Result<(), StoreError> {
    let incidents = incidents(run, &end);
    let ending = match (end.end, end.code, end.signal) {
        (End::Exited, code, _) => RunEnding::Exited { code: code.unwrap_or(-1) },
        (End::Signaled, _, signal) => RunEnding::Signaled { signal: signal.unwrap_or(0) },
        (End::TimedOut, ..) => RunEnding::TimedOut,
        (End::Silent, ..) => RunEnding::Silent,
        (End::Stopped, ..) => RunEnding::Stopped { reason: end.stop_reason.unwrap_or_default() },
        (End::Lost, ..) => RunEnding::Lost,
        (End::NotStarted, ..) => RunEnding::NotStarted { error: end.error.unwrap_or_default() },
    };
    let around = Around {
        elapsed_ms: end.started_elapsed_ms,
        leftovers: u32::try_from(end.leftovers).unwrap_or(u32::MAX),
        loose: fence::loose(end.held.as_ref()),
        refused: Some(end.refused_hosts.join(", ")).filter(|hosts| !hosts.is_empty()),
        incidents,
    };
    record_end(engine, run.id, ending, around).await
}

/// What is to be told of a run besides its end.
fn incidents(run: &Run, end: &RunEnd) -> Vec<Incident> {
    let mut seen = Vec::new();
    if end.forced {
        seen.push(Incident::Forced);
    }
    if end.leftovers > 0 {
        seen.push(Incident::Leftovers { processes: end.leftovers });
    }
    if end.log_bytes_dropped > 0 {
        seen.push(Incident::LogCut { printed: end.log_bytes_total, dropped: end.log_bytes_dropped });
    }
    if end.out_of_memory > 0 {
        seen.push(Incident::OutOfMemory { processes: end.out_of_memory });
    }
    if end.refused_processes > 0 {
        seen.push(Incident::TooManyProcesses { times: end.refused_processes });
    }
    // An agent's are the build's: its line also says how to allow them.
    if run.step != RunStep::Agent && !end.refused_hosts.is_empty() {
        seen.push(Incident::Refused { hosts: end.refused_hosts.clone() });
    }
    // How a run came to nothing is its ending.
    if let Some(text) = end.error.clone().filter(|_| !matches!(end.end, End::Lost | End::NotStarted)) {
        seen.push(Incident::Trouble { text });
    }
    seen
}

/// What was seen of a run besides its end.
#[derive(Default)]
struct Around {
    elapsed_ms: u64,
    leftovers: u32,
    loose: Option<String>,
    refused: Option<String>,
    incidents: Vec<Incident>,
}

async fn record_end(engine: &Engine, run: RunId, ending: RunEnding, around: Around) -> Result<(), StoreError> {
    let Around { elapsed_ms, leftovers, loose, refused, incidents } = around;
    let mut seen = runs::Ended { ending, elapsed_ms, leftovers, counts: None, measured: None, report: None, incidents };
    let (log, row) = {
        let mut conn = engine.parts.store.read().await?;
        let row = runs::open(&mut conn).await?.into_iter().find(|row| row.id == run);
        (runs::log_path(&mut conn, run).await?, row)
    };
    let Some(row) = row else { return Ok(()) };
    match row.step {
        RunStep::Verify | RunStep::VerifyAgain => seen.counts = Some(read_counts(log).await),
        RunStep::Measure => seen.measured = measured(log).await,
        RunStep::Agent => seen.report = rounds::conclude(engine, &row, &seen.ending).await?,
        RunStep::Setup => {}
    }
    failpoint::pass("before run end");
    let mut tx = engine.parts.store.begin().await?;
    runs::end(&mut tx, run, &seen, engine.now()).await?;
    if let (RunOwner::Build(build), Some(report)) = (row.owner, &seen.report) {
        rounds::settle(&mut tx, build, report, engine.now()).await?;
        builds::set_held(&mut tx, build, loose.as_deref(), refused.as_deref()).await?;
    }
    for incident in &seen.incidents {
        let text = format!("run {run} ({}) {}", row.step, incident.words());
        audit::append(&mut tx, engine.now(), "host", "incident", None, &text).await?;
    }
    tx.commit().await?;
    failpoint::pass("after run end");
    Ok(())
}

/// What a verify command's output says of tests, read a piece at a time: logs are large, and this process stays small.
async fn read_counts(log: String) -> TestCounts {
    let read = tokio::task::spawn_blocking(move || {
        let (path, mut position, mut bytes_read, mut reader) = (PathBuf::from(log), 0, 0, OutputReader::default());
        while let Ok((bytes, next)) = runner::read_new(&path, position) {
            if bytes.is_empty() {
                break;
            }
            bytes_read += bytes.len() as u64;
            if bytes_read > READ_BACK || next - position > bytes.len() as u64 {
                reader.gap();
            }
            if bytes_read > READ_BACK {
                break;
            }
            reader.push(&bytes);
            position = next;
        }
        reader.finish()
    });
    read.await.unwrap_or_default()
}

/// The number a measure command printed last.
async fn measured(log: String) -> Option<f64> {
    let read = tokio::task::spawn_blocking(move || runner::last_lines(Path::new(&log), MEASURE_LINES));
    last_number(&read.await.ok()?.ok()?.join("\n"))
}

impl Engine {
    /// Asks every supervised run to stop and waits until none lives, a little longer than the grace they have.
    pub async fn end_all_runs(&self, reason: &str) {
        let Ok(folders) = std::fs::read_dir(self.parts.home.runs()) else { return };
        let live: Vec<_> =
            folders.filter_map(|entry| Some(entry.ok()?.path())).filter(|folder| self.lives(folder)).collect();
        for folder in &live {
            if let Err(error) = self.parts.runner.stop(folder, reason) {
                tracing::error!(%error, "can't ask a run to stop");
            }
        }
        let patience = self.parts.settings.build.grace + Duration::from_secs(5);
        for folder in &live {
            if tokio::time::timeout(patience, self.parts.runner.ended(folder)).await.is_err() {
                tracing::error!(folder = %folder.display(), "a run did not end");
            }
        }
    }

    fn lives(&self, folder: &Path) -> bool {
        matches!(self.parts.runner.observe(folder), Ok(Seen::Running))
    }
}
