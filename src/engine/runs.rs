//! Runs: launching a supervised command, watching it, and writing down how it ended.
//!
//! A run's row is written before it is launched and names its folder; the supervisor's lock there, not a process
//! number, says whether it lives. So after a crash every open row is simply looked at again.

use super::{Engine, failpoint, lock};
use crate::agent::{self, AgentEvent};
use crate::domain::build::{Build, Run, RunEnding, RunOwner, RunStep, StopReason};
use crate::domain::id::{BuildId, RunId};
use crate::domain::settings::{Agent, Argv, Project};
use crate::domain::task::{Task, TaskKind};
use crate::domain::test_output::{last_number, read_counts};
use crate::runner::{self, End, RunEnd, RunSpec, RunnerError, Seen};
use crate::store::{Conn, StoreError, audit, builds, checks, runs, tasks};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Most output read back for test counts: what a log can hold at its default limits.
const READ_BACK: usize = 32 * 1024 * 1024;

/// Writes a run's row, then launches it.
pub(super) async fn launch(engine: &Engine, owner: RunOwner, step: RunStep) -> Result<(), StoreError> {
    let now = engine.now();
    let mut tx = engine.parts.store.begin().await?;
    let log = log_path(engine, owner, step);
    let run = runs::insert(&mut tx, owner, step, &log.to_string_lossy(), now).await?;
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

/// Launches a run whose row exists. Launching twice executes once: the supervisor sees to that.
async fn start(engine: &Engine, run: RunId) -> Result<(), StoreError> {
    let spec = {
        let mut conn = engine.parts.store.read().await?;
        spec(engine, &mut conn, run).await?
    };
    let launched = match spec {
        Err(error) => Err(error),
        Ok(spec) => {
            let (runner, folder) = (engine.parts.runner.clone(), engine.parts.home.run(run));
            blocking(move || runner.launch(&folder, &spec)).await.map_err(|error| error.to_string())
        }
    };
    failpoint::pass("after launch");
    match launched {
        Ok(()) => {
            watch(engine, run);
            Ok(())
        }
        Err(error) => record_end(engine, run, RunEnding::NotStarted { error }, 0, 0).await,
    }
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
        (RunOwner::Build(build), RunStep::Agent) => read_progress(engine, build).await,
        _ => Ok(()),
    }
}

/// Reads what the agent said since the last look.
async fn read_progress(engine: &Engine, build: BuildId) -> Result<(), StoreError> {
    let log = engine.parts.home.build_log(build);
    let (offset, agent) = {
        let mut conn = engine.parts.store.read().await?;
        let task = builds::get(&mut conn, build).await?.task;
        let task = tasks::get(&mut conn, task).await?;
        (builds::log_offset(&mut conn, build).await?, agent_of(engine, &task).cloned())
    };
    let Some(agent) = agent else { return Ok(()) };
    let read = tokio::task::spawn_blocking(move || runner::read_new(&log, offset)).await;
    let Ok(Ok((bytes, end))) = read else { return Ok(()) };
    // Only whole lines count; a half one is read again next time, unless it is all there is.
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let (whole, end) = if whole == 0 && bytes.len() < 64 * 1024 {
        (0, offset)
    } else {
        (whole.max(1), end - (bytes.len() - whole.max(1)) as u64)
    };
    if whole == 0 {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&bytes[..whole]);
    let last = text.lines().rev().find_map(|line| agent::read_line(&agent, line));
    let (percent, words) = match last {
        Some(AgentEvent::Progress { percent, text }) => (percent, (!text.is_empty()).then_some(text)),
        None => (None, None),
    };
    let mut tx = engine.parts.store.begin().await?;
    builds::set_progress(&mut tx, build, end, percent, words.as_deref()).await?;
    tx.commit().await?;
    Ok(())
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
    if let (RunOwner::Build(build), RunStep::Agent) = (run.owner, run.step) {
        read_progress(engine, build).await?;
    }
    let ending = match (end.end, end.code, end.signal) {
        (End::Exited, code, _) => RunEnding::Exited { code: code.unwrap_or(-1) },
        (End::Signaled, _, signal) => RunEnding::Signaled { signal: signal.unwrap_or(0) },
        (End::TimedOut, ..) => RunEnding::TimedOut,
        (End::Stopped, ..) => RunEnding::Stopped { reason: end.stop_reason.unwrap_or_default() },
        (End::Lost, ..) => RunEnding::Lost,
        (End::NotStarted, ..) => RunEnding::NotStarted { error: end.error.unwrap_or_default() },
    };
    record_end(engine, run.id, ending, end.started_elapsed_ms, u32::try_from(end.leftovers).unwrap_or(u32::MAX)).await
}

async fn record_end(
    engine: &Engine,
    run: RunId,
    ending: RunEnding,
    elapsed_ms: u64,
    leftovers: u32,
) -> Result<(), StoreError> {
    let mut seen = runs::Ended { ending, elapsed_ms, leftovers, counts: None, measured: None };
    let (log, row) = {
        let mut conn = engine.parts.store.read().await?;
        let row = runs::open(&mut conn).await?.into_iter().find(|row| row.id == run);
        (runs::log_path(&mut conn, run).await?, row)
    };
    let Some(row) = row else { return Ok(()) };
    match row.step {
        RunStep::Verify | RunStep::VerifyAgain => seen.counts = Some(read_counts(&read_back(log).await)),
        RunStep::Measure => seen.measured = last_number(&read_back(log).await),
        RunStep::Setup | RunStep::Agent => {}
    }
    failpoint::pass("before run end");
    let mut tx = engine.parts.store.begin().await?;
    runs::end(&mut tx, run, &seen, engine.now()).await?;
    if leftovers > 0 {
        let text = format!("run {run} left {leftovers} processes behind; they were ended");
        audit::append(&mut tx, engine.now(), "host", "leftovers", None, &text).await?;
    }
    tx.commit().await?;
    failpoint::pass("after run end");
    Ok(())
}

async fn read_back(log: String) -> String {
    let read = tokio::task::spawn_blocking(move || {
        let (path, mut position, mut text) = (PathBuf::from(log), 0, Vec::new());
        while let Ok((bytes, next)) = runner::read_new(&path, position) {
            if bytes.is_empty() || text.len() > READ_BACK {
                break;
            }
            text.extend_from_slice(&bytes);
            position = next;
        }
        String::from_utf8_lossy(&text).into_owned()
    });
    read.await.unwrap_or_default()
}

fn log_path(engine: &Engine, owner: RunOwner, step: RunStep) -> PathBuf {
    let home = &engine.parts.home;
    match (owner, step) {
        (RunOwner::Build(build), RunStep::Agent) => home.build_log(build),
        (RunOwner::Build(build), step) => home.step_log(&format!("build_{build}"), step.as_str()),
        (RunOwner::Check(check), step) => home.step_log(&format!("check_{check}"), step.as_str()),
    }
}

pub(super) fn agent_of<'a>(engine: &'a Engine, task: &Task) -> Option<&'a Agent> {
    engine.parts.settings.agent_for(task.spec.project.as_deref(), task.spec.agent.as_deref())
}

/// What to run, from the rows and the configuration alone: the same after a restart. `Err` says why it can't be.
async fn spec(engine: &Engine, conn: &mut Conn, id: RunId) -> Result<Result<RunSpec, String>, StoreError> {
    let run = runs::open(conn).await?.into_iter().find(|run| run.id == id);
    let Some(run) = run else { return Ok(Err("the run has ended".into())) };
    Ok(match run.owner {
        RunOwner::Build(build) => {
            let build = builds::get(conn, build).await?;
            let task = tasks::get(conn, build.task).await?;
            build_spec(engine, &run, &build, &task)
        }
        RunOwner::Check(check) => {
            let check = checks::get(conn, check).await?;
            let project = engine.parts.settings.project(&check.project);
            project.ok_or_else(|| format!("project {:?} is not configured", check.project)).and_then(|project| {
                let folder = engine.parts.home.check(check.id);
                let argv = project_command(project, run.step)?;
                let env = environment(engine, &folder, Some(project), None);
                Ok(finish(engine, &run, argv, folder.join("clone"), env, None))
            })
        }
    })
}

fn build_spec(engine: &Engine, run: &Run, build: &Build, task: &Task) -> Result<RunSpec, String> {
    let home = &engine.parts.home;
    let folder = home.build(build.id);
    let project = task.spec.project.as_deref().and_then(|name| engine.parts.settings.project(name));
    let artifacts = home.artifacts(task.id);
    if task.spec.kind == TaskKind::Action {
        let env = environment(engine, &folder, project, None);
        let cwd = project.map_or_else(|| folder.clone(), |project| project.path.clone());
        std::fs::create_dir_all(folder.join("tmp")).map_err(|error| format!("{}: {error}", folder.display()))?;
        return Ok(finish(engine, run, task.spec.command.clone(), cwd, env, None));
    }
    let clone = folder.join("clone");
    match run.step {
        RunStep::Agent => {
            let agent = agent_of(engine, task).ok_or("no agent is configured for this task")?;
            let prompt = folder.join("prompt.md");
            let mut env = environment(engine, &folder, project, Some(agent));
            env.insert("OVERNIGHT_PROMPT".into(), prompt.to_string_lossy().into_owned());
            env.insert("OVERNIGHT_TASK".into(), task.id.to_string());
            if task.spec.kind == TaskKind::Artifact {
                env.insert("OVERNIGHT_ARTIFACTS".into(), artifacts.to_string_lossy().into_owned());
            }
            Ok(finish(engine, run, agent::launch(agent, &prompt).argv, clone, env, Some(prompt)))
        }
        RunStep::Verify if task.spec.kind == TaskKind::Artifact => {
            let env = environment(engine, &folder, project, None);
            Ok(finish(engine, run, task.spec.command.clone(), artifacts, env, None))
        }
        step => {
            let project = project.ok_or("the task's project is not configured")?;
            let env = environment(engine, &folder, Some(project), None);
            Ok(finish(engine, run, project_command(project, step)?, clone, env, None))
        }
    }
}

fn project_command(project: &Project, step: RunStep) -> Result<Vec<String>, String> {
    let argv: Option<&Argv> = match step {
        RunStep::Setup => project.setup.as_ref(),
        RunStep::Verify | RunStep::VerifyAgain => project.verify.as_ref(),
        RunStep::Measure => project.measure.as_ref().map(|measure| &measure.argv),
        RunStep::Agent => None,
    };
    argv.map(|argv| argv.as_slice().to_vec())
        .ok_or_else(|| format!("project {:?} has no {step} command any more", project.name))
}

/// The whole environment of a child: the allow-list, the project's, the agent's, a temporary folder and ports of its
/// own. Nothing else of the bot's environment gets through.
fn environment(
    engine: &Engine,
    folder: &Path,
    project: Option<&Project>,
    agent: Option<&Agent>,
) -> BTreeMap<String, String> {
    let parts = &engine.parts;
    let mut env = parts.child_env.clone();
    let named = project.map(|p| &p.env_pass).into_iter().chain(agent.map(|a| &a.env_pass)).flatten();
    env.extend(named.filter_map(|name| Some((name.clone(), parts.passable_env.get(name)?.clone()))));
    env.extend(project.map(|p| p.env.clone()).unwrap_or_default());
    env.extend(agent.map(|a| a.env.clone()).unwrap_or_default());
    env.insert("TMPDIR".into(), folder.join("tmp").to_string_lossy().into_owned());
    if let Some((first, last)) = project.and_then(|project| project.ports(port_slot(folder))) {
        env.insert("OVERNIGHT_PORT_FIRST".into(), first.to_string());
        env.insert("OVERNIGHT_PORT_LAST".into(), last.to_string());
    }
    env
}

/// Builds and checks that run at once have different numbers modulo 16, unless 16 others ran in between: more than
/// any number of permits that makes sense.
fn port_slot(folder: &Path) -> usize {
    let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let number: usize = name.get(1..).and_then(|digits| digits.parse().ok()).unwrap_or(0);
    (number % 16) * 2 + usize::from(name.starts_with('c'))
}

fn finish(
    engine: &Engine,
    run: &Run,
    argv: Vec<String>,
    cwd: PathBuf,
    env: BTreeMap<String, String>,
    stdin: Option<PathBuf>,
) -> RunSpec {
    let settings = &engine.parts.settings.build;
    let limit = match run.step {
        RunStep::Setup => settings.setup_timeout,
        RunStep::Agent => settings.timeout,
        RunStep::Verify | RunStep::VerifyAgain => settings.verify_timeout,
        RunStep::Measure => settings.measure_timeout,
    };
    // The planner stops a run in time by the bot's clock; the supervisor's limit is for when the bot is not there.
    let margin = Duration::from_mins(2);
    RunSpec {
        run_id: format!("{}-r{}", unique_home(engine), run.id),
        argv,
        cwd,
        env,
        stdin,
        log_path: log_path(engine, run.owner, run.step),
        log_head_bytes: settings.log_head_bytes,
        log_tail_bytes: settings.log_tail_bytes,
        timeout_secs: limit.max(engine.parts.clock.real(limit)).saturating_add(margin).as_secs_f64(),
        grace_secs: settings.grace.as_secs_f64(),
    }
}

/// Run ids have to differ between two bots on one machine: the data folder's path tells them apart.
fn unique_home(engine: &Engine) -> String {
    use sha2::{Digest, Sha256};
    use std::os::unix::ffi::OsStrExt;
    let digest = Sha256::digest(engine.parts.home.root().as_os_str().as_bytes());
    crate::domain::format::hex(&digest[..8])
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
