//! The bot's side of a run: start it, look at it, ask it to stop, settle it when it is lost.
//!
//! Nothing is kept in memory, so it makes no difference which process of ours calls, or whether the bot was restarted
//! between two calls.
//!
//! Left out on purpose: waiting for the supervisor as a child. It is reaped where we happen to be its parent, but how
//! the run ended is only ever read from `exit.json`.

use std::fs::{self, DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::log::last_lines;
use super::record::{RunDir, StopRequest, StoredSpec, failed};
use super::{RunEnd, RunSpec, RunnerError, Seen, supervisor};

/// How long a supervisor may take to come up. One that is slower is ended, so that after an error nothing runs.
const LAUNCH_LIMIT: Duration = Duration::from_secs(20);
/// How often [`LocalRunner::ended`] looks.
const LOOK: Duration = Duration::from_millis(40);
/// How many failed looks in a row [`LocalRunner::ended`] bears: 4 s.
const FAILED_LOOKS: u32 = 100;
/// How long a held lock is taken for an observer's.
const SWEEP_PATIENCE: Duration = Duration::from_millis(200);
const RUN_ID_LIMIT: usize = 128;

/// Runs commands on this machine.
#[derive(Debug, Clone)]
pub struct LocalRunner {
    exe: PathBuf,
}

impl LocalRunner {
    /// A runner whose supervisors are `<exe> supervise <run dir>`; `exe` is an absolute path to our own binary.
    pub fn new(exe: PathBuf) -> Self {
        Self { exe }
    }

    /// Our own binary, which supervises.
    pub fn exe(&self) -> &Path {
        &self.exe
    }

    /// Starts the run of `run_dir`, which is created if need be.
    ///
    /// May be called again at any time, also at once from several places: a command is begun at most once, and for a run
    /// that lives or has ended this does nothing. After `Ok` the run is never [`Seen::Absent`]. After an error nothing
    /// was executed, unless [`observe`](Self::observe) says otherwise. Blocks for some milliseconds, at most 20 s; call
    /// it where blocking is allowed.
    pub fn launch(&self, run_dir: &Path, spec: &RunSpec) -> Result<(), RunnerError> {
        check(spec)?;
        let run_dir = std::path::absolute(run_dir).map_err(failed("resolve", run_dir))?;
        make_dir(&run_dir)?;
        let dir = RunDir::new(&run_dir);
        if is_settled(&dir)? {
            return Ok(());
        }
        if !dir.has_started() {
            dir.write_spec(&StoredSpec { spec: spec.clone(), env_blanked: false })?;
        }
        let mut supervisor = self.spawn(&dir)?;
        let launched = await_settled(&dir, &mut supervisor);
        // Where we are not its parent any more init reaps; a thread because nobody here may wait.
        let reaper = std::thread::Builder::new().name("reap".into()).stack_size(64 * 1024);
        if let Err(error) = reaper.spawn(move || supervisor.wait()) {
            tracing::warn!(%error, "a finished supervisor will stay a zombie until the bot ends");
        }
        launched?;
        // The supervisor did so, but a launch at the same moment may have written the file anew.
        dir.blank_env()
    }

    /// What is to be seen of the run now.
    pub fn observe(&self, run_dir: &Path) -> Result<Seen, RunnerError> {
        let dir = RunDir::new(run_dir);
        if let Some(end) = dir.exit()? {
            return Ok(Seen::Ended(end));
        }
        if dir.is_locked()? {
            return Ok(Seen::Running);
        }
        // Again, for it may have ended between the two looks.
        Ok(match dir.exit()? {
            Some(end) => Seen::Ended(end),
            None if dir.has_started() => Seen::Lost,
            None => Seen::Absent,
        })
    }

    /// Asks the run to stop; returns at once. The first reason stays. A run not launched yet will end as
    /// [`Stopped`](super::End::Stopped) without executing; one that has ended is not touched.
    pub fn stop(&self, run_dir: &Path, reason: &str) -> Result<(), RunnerError> {
        let run_dir = std::path::absolute(run_dir).map_err(failed("resolve", run_dir))?;
        make_dir(&run_dir)?;
        let dir = RunDir::new(&run_dir);
        if dir.exit()?.is_some() || dir.stop().is_some() {
            return Ok(());
        }
        dir.write_stop(&StopRequest { reason: reason.to_owned() })
    }

    /// Settles a run that is [`Seen::Lost`]: kills the processes that carry its marker (on Linux; elsewhere they can't
    /// be found) and records the end. For a run that ended, its end. A process that removed the marker from its
    /// environment and whose parent is gone stays. Blocks for some 50 ms, at most 11 s.
    pub fn sweep_lost(&self, run_dir: &Path) -> Result<RunEnd, RunnerError> {
        let dir = RunDir::new(run_dir);
        if let Some(end) = dir.exit()? {
            return Ok(end);
        }
        if !dir.has_started() {
            return Err(RunnerError::NeverStarted(run_dir.to_owned()));
        }
        let Some(_lock) = dir.lock(SWEEP_PATIENCE)? else {
            return Err(RunnerError::Alive(run_dir.to_owned()));
        };
        if let Some(end) = dir.exit()? {
            return Ok(end);
        }
        let end = supervisor::sweep_lost(&dir)?;
        dir.write_exit(&end)?;
        Ok(end)
    }

    /// Resolves when the run is not alive any more: it ended, is lost, or was never there. Also when it can't be
    /// observed for 4 s; [`observe`](Self::observe) then tells why. May be dropped at any time.
    pub async fn ended(&self, run_dir: &Path) {
        let mut failures = 0;
        while failures < FAILED_LOOKS {
            match self.observe(run_dir) {
                Ok(Seen::Running) => failures = 0,
                Ok(_) => return,
                Err(_) => failures += 1,
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn spawn(&self, dir: &RunDir) -> Result<Child, RunnerError> {
        let log_path = dir.file("supervisor.log");
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&log_path)
            .map_err(failed("open", &log_path))?;
        let log_too = log.try_clone().map_err(failed("open", &log_path))?;
        // Without our environment: a command may read its supervisor's, and ours holds the chat's token.
        Command::new(&self.exe)
            .arg("supervise")
            .arg(dir.path())
            .current_dir("/")
            .env_clear()
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(log_too)
            .spawn()
            .map_err(failed("run", &self.exe))
    }
}

/// Whether the run got so far that it can't become [`Seen::Absent`] again.
fn is_settled(dir: &RunDir) -> Result<bool, RunnerError> {
    Ok(dir.exit()?.is_some() || (dir.is_locked()? && dir.has_started()) || dir.exit()?.is_some())
}

fn await_settled(dir: &RunDir, supervisor: &mut Child) -> Result<(), RunnerError> {
    let since = Instant::now();
    loop {
        // In this order: what it did before its end is then seen.
        let gone = supervisor.try_wait().map_err(failed("wait for the supervisor of", dir.path()))?.is_some();
        if is_settled(dir)? {
            return Ok(());
        }
        // Another one may hold the lock and be on its way.
        let alone = !dir.is_locked()?;
        if gone && alone {
            return if is_settled(dir)? || dir.has_started() { Ok(()) } else { Err(not_launched(dir, "it ended")) };
        }
        if since.elapsed() >= LAUNCH_LIMIT {
            // Ours, by its handle: not waited for yet, so the pid is still its own.
            drop(supervisor.kill());
            drop(supervisor.wait());
            let started = is_settled(dir)? || dir.has_started();
            return if started { Ok(()) } else { Err(not_launched(dir, "no sign of life for 20 s")) };
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn not_launched(dir: &RunDir, what: &str) -> RunnerError {
    let said = last_lines(&dir.file("supervisor.log"), 3).unwrap_or_default().join(" / ");
    let detail = if said.is_empty() { what.to_owned() } else { format!("{what}: {said}") };
    RunnerError::NotLaunched { run_dir: dir.path().to_owned(), detail }
}

fn make_dir(path: &Path) -> Result<(), RunnerError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed("create", path))?;
    // So that a power cut does not take the directory with what is durable in it.
    path.parent()
        .map_or(Ok(()), |parent| fs::File::open(parent)?.sync_all())
        .map_err(failed("sync the parent of", path))
}

fn check(spec: &RunSpec) -> Result<(), RunnerError> {
    let invalid = |why: String| Err(RunnerError::InvalidSpec(why));
    if spec.run_id.is_empty() || spec.run_id.len() > RUN_ID_LIMIT || !spec.run_id.bytes().all(|b| b.is_ascii_graphic())
    {
        return invalid(format!("the run id {:?} is not 1 to {RUN_ID_LIMIT} visible ASCII characters", spec.run_id));
    }
    if spec.argv.is_empty() {
        return invalid("no program was given".into());
    }
    for path in [&spec.cwd, &spec.log_path].into_iter().chain(&spec.stdin) {
        if !path.is_absolute() {
            return invalid(format!("{} is not an absolute path", path.display()));
        }
    }
    for (what, seconds) in [("timeout", spec.timeout_secs), ("grace", spec.grace_secs)] {
        if !seconds.is_finite() || seconds < 0.0 {
            return invalid(format!("a {what} of {seconds} s makes no sense"));
        }
    }
    Ok(())
}
