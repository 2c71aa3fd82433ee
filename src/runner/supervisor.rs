//! The process that runs one command and stays with it: the body of `overnight supervise <run dir>`.
//!
//! It is small on purpose: no database, no network, no async runtime around the command. A crash of the bot does not
//! reach it; a crash of its own is seen as a free lock beside `started.json` without `exit.json`.
//!
//! Architecture invariant: `started.json` is durable before the command exists, and nobody starts a command where it
//! is found. So a command is begun at most once, whatever dies when.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use rustix::process::{WaitStatus, setsid};

use super::command::{Begun, Event, Output, listen_for_signals, reap, start};
use super::leash::{Fastened, Groups, LastWords, Listener, fasten};
use super::record::{RunDir, Started, StoredSpec};
use super::tree::{self, Scope, Swept};
use super::{End, RunEnd, RunSpec, RunnerError, log};

/// How long a refused lock is tried: observers hold it for microseconds, a live supervisor for as long as it lives.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);
/// How often the stop file is looked for.
const STOP_POLL: Duration = Duration::from_millis(100);
/// How long background processes may take to end by themselves after the command did, before they count as leftovers.
const SETTLE: Duration = Duration::from_millis(200);
/// How long killing is tried. Only a process stuck in the kernel, or one of another user, survives it.
const KILL_LIMIT: Duration = Duration::from_secs(10);
/// How long, and how often, a full disk is retried for `exit.json`, while the bot frees its ballast.
const EXIT_PATIENCE: Duration = Duration::from_mins(10);
const EXIT_RETRY: Duration = Duration::from_secs(1);

/// Runs the command of `run_dir` to its end and writes `exit.json`.
///
/// Does nothing, with success, when the run is alive under another supervisor or has ended. Where an earlier
/// supervisor died it sweeps and records `lost`. Fails, with the reason on standard error, only when nothing was started.
pub fn supervise_main(run_dir: &Path) -> ExitCode {
    match supervise(&RunDir::new(run_dir)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn supervise(dir: &RunDir) -> Result<(), RunnerError> {
    // Refused when we lead a group already (run by hand from a shell); then the shell's session is kept.
    let _ = setsid();
    let Some(_lock) = dir.lock(LOCK_PATIENCE)? else {
        return Ok(());
    };
    if dir.exit()?.is_some() {
        return Ok(());
    }
    if dir.has_started() {
        return write_exit(dir, &sweep_lost(dir)?);
    }
    let Some(StoredSpec { spec, env_blanked }) = dir.spec()? else {
        return Err(RunnerError::InvalidSpec(format!("{} is missing", dir.file("spec.json").display())));
    };
    if env_blanked {
        return Err(RunnerError::InvalidSpec(
            "its environment was blanked by an earlier supervisor; launch again".into(),
        ));
    }
    let (events, inbox) = channel();
    let io = |what| move |source| RunnerError::Io { what, path: dir.path().to_owned(), source };
    listen_for_signals(events.clone()).map_err(io("listen for signals in"))?;
    tree::adopt_orphans().map_err(io("adopt orphans in"))?;
    dir.blank_env()?;
    let leash = match spec.leash.as_ref().map(|leash| fasten(leash, &spec, dir.path())).transpose() {
        Ok(leash) => leash,
        Err(error) => return write_exit(dir, &RunEnd { error: Some(error), ..RunEnd::bare(End::NotStarted) }),
    };
    let (supervisor_start_ticks, boot_id) = tree::identity();
    dir.write_started(&Started {
        run_id: spec.run_id.clone(),
        supervisor_pid: std::process::id(),
        supervisor_start_ticks,
        boot_id,
        log_path: spec.log_path.clone(),
        log_tail_bytes: spec.log_tail_bytes,
        stderr_path: spec.stderr_path.clone(),
        held: leash.as_ref().map(|leash| leash.held.clone()),
        groups: leash.as_ref().map(|leash| leash.groups.folders().to_vec()).unwrap_or_default(),
    })?;
    let mut end = run(dir, &spec, leash.as_ref(), events, &inbox);
    if let Some(leash) = &leash {
        leash.tell(&mut end);
        leash.groups.remove(&mut end);
    }
    write_exit(dir, &end)
}

/// The command's whole life.
fn run(
    dir: &RunDir,
    spec: &RunSpec,
    leash: Option<&Fastened>,
    events: Sender<Event>,
    inbox: &Receiver<Event>,
) -> RunEnd {
    if let Some(request) = dir.stop() {
        return RunEnd { stop_reason: Some(request.reason), ..RunEnd::bare(End::Stopped) };
    }
    let since = Instant::now();
    let Begun { child, output, guard } = match start(spec, leash) {
        Ok(begun) => begun,
        Err(error) => {
            return RunEnd { error: Some(error), ..RunEnd::bare(End::NotStarted) };
        }
    };
    let heard = LastWords::default();
    let mut run = Run { dir, inbox, leash, guard, heard, output, child, status: None, empty: false };
    let waiting = std::thread::Builder::new().name("wait".into()).spawn(move || reap(&events));
    let cause = match waiting {
        Ok(_) => run.watch(since.checked_add(seconds(spec.timeout_secs)), spec.silence_secs.map(seconds)),
        Err(error) => Cause::Broken(format!("no thread to wait for the command: {error}")),
    };
    let mut forced = false;
    if matches!(cause, Cause::Exited) {
        run.wait_empty(SETTLE);
    } else {
        // A guard above a sandbox would end it at once, and with it the time for a clean end.
        tree::terminate(run.scope(), leash.is_some_and(|leash| leash.stays).then_some(child));
        run.wait_empty(seconds(spec.grace_secs));
        forced = !run.empty;
    }
    let swept = run.sweep();
    let mut end = run.end(cause, &swept);
    end.forced = forced;
    end.started_elapsed_ms = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
    end
}

/// A command that runs.
struct Run<'a> {
    dir: &'a RunDir,
    inbox: &'a Receiver<Event>,
    leash: Option<&'a Fastened>,
    guard: Option<Listener>,
    heard: LastWords,
    output: Output,
    child: u32,
    status: Option<WaitStatus>,
    empty: bool,
}

impl Run<'_> {
    fn scope(&self) -> Scope<'static> {
        Scope::Below { group: self.child }
    }

    /// Waits for the command's end or a reason to end it.
    fn watch(&mut self, deadline: Option<Instant>, silence: Option<Duration>) -> Cause {
        let mut heard = (self.output.bytes(), Instant::now());
        loop {
            let left = deadline.map_or(STOP_POLL, |at| at.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return Cause::TimedOut;
            }
            if self.take_event(left.min(STOP_POLL)) {
                return Cause::Stopped("terminated".into());
            }
            if self.status.is_some() || self.empty {
                return Cause::Exited;
            }
            if let Some(request) = self.dir.stop() {
                return Cause::Stopped(request.reason);
            }
            let bytes = self.output.bytes();
            if bytes != heard.0 {
                heard = (bytes, Instant::now());
            } else if silence.is_some_and(|limit| heard.1.elapsed() >= limit) {
                return Cause::Silent;
            }
        }
    }

    /// Takes one event, waiting for it at most `limit`; true if it asks us to terminate.
    fn take_event(&mut self, limit: Duration) -> bool {
        match self.inbox.recv_timeout(limit) {
            Ok(Event::Terminated) => return true,
            Ok(Event::Reaped(pid, status)) if pid == self.child => self.status = Some(status),
            Ok(Event::Empty) => self.empty = true,
            Ok(Event::Reaped(..)) | Err(RecvTimeoutError::Timeout) => {}
            // No thread waits any more; don't spin.
            Err(RecvTimeoutError::Disconnected) => std::thread::sleep(limit),
        }
        false
    }

    /// Waits until the tree is empty, at most `limit`.
    fn wait_empty(&mut self, limit: Duration) {
        let since = Instant::now();
        while !self.empty {
            let left = limit.saturating_sub(since.elapsed());
            if left.is_zero() {
                return;
            }
            self.take_event(left);
        }
    }

    /// Kills what is left of the tree. Where orphans are ours, only the absence of children proves it empty: a look at
    /// `/proc` can miss a process that is changing its parent.
    fn sweep(&mut self) -> Swept {
        let since = Instant::now();
        let mut swept = Swept::default();
        if let Some(leash) = self.leash.filter(|_| !self.empty) {
            swept.killed.extend(leash.groups.kill());
        }
        while !self.empty || !cfg!(target_os = "linux") {
            let left = KILL_LIMIT.saturating_sub(since.elapsed());
            let round = tree::kill_all(self.scope(), left, || {
                self.wait_empty(Duration::from_millis(10));
                self.empty && cfg!(target_os = "linux")
            });
            swept.killed.extend(round.killed);
            swept.remaining = round.remaining;
            if !cfg!(target_os = "linux") || left.is_zero() {
                break;
            }
        }
        self.wait_empty(Duration::from_millis(10));
        swept
    }

    /// How it ended, of what was seen, and of what its guard told.
    fn end(mut self, cause: Cause, swept: &Swept) -> RunEnd {
        if let Some(guard) = self.guard.take() {
            guard.rest(&mut self.heard);
        }
        let mut end = RunEnd::bare(End::Exited);
        (end.code, end.signal) = self.heard.ended.unwrap_or((
            self.status.and_then(WaitStatus::exit_status),
            self.status.and_then(WaitStatus::terminating_signal),
        ));
        let killed: BTreeSet<u32> = swept.killed.iter().map(|(pid, _)| *pid).collect();
        end.leftovers = if self.leash.is_some_and(|leash| leash.stays) {
            // Of a sandbox its program, its first process, the guard, and the command until that ended, are no leftovers.
            let around = if self.heard.ended.is_some() { 3 } else { 4 };
            self.heard.left.unwrap_or((killed.len() as u64).saturating_sub(around))
        } else {
            killed.iter().filter(|pid| **pid != self.child).count() as u64
        };
        let captured = self.output.finish();
        (end.log_bytes_total, end.log_bytes_dropped) = (captured.held.total, captured.held.dropped);
        let stuck = (swept.remaining > 0).then(|| format!("{} processes could not be killed", swept.remaining));
        cause.tell(&mut end);
        let errors: Vec<String> = end.error.take().into_iter().chain(stuck).chain(captured.error).collect();
        end.error = (!errors.is_empty()).then(|| errors.join("; "));
        end
    }
}

/// Why a run came to its end.
enum Cause {
    Exited,
    TimedOut,
    Silent,
    Stopped(String),
    Broken(String),
}

impl Cause {
    fn tell(self, end: &mut RunEnd) {
        match self {
            Self::Exited if end.signal.is_some() => end.end = End::Signaled,
            Self::Exited => {}
            Self::TimedOut => end.end = End::TimedOut,
            Self::Silent => end.end = End::Silent,
            Self::Stopped(reason) => {
                end.end = End::Stopped;
                end.stop_reason = Some(reason);
            }
            Self::Broken(error) => {
                end.end = End::Lost;
                end.error = Some(error);
            }
        }
    }
}

/// Ends what a dead supervisor left behind and says so. The caller holds the lock.
pub(super) fn sweep_lost(dir: &RunDir) -> Result<RunEnd, RunnerError> {
    let Some(started) = dir.started()? else {
        return Err(RunnerError::NeverStarted(dir.path().to_owned()));
    };
    let groups = Groups::recorded(started.groups);
    let mut killed = groups.kill();
    let swept = tree::kill_all(Scope::Marked { run_id: &started.run_id }, KILL_LIMIT, || {
        std::thread::sleep(Duration::from_millis(10));
        false
    });
    killed.extend(&swept.killed);
    let killed: BTreeSet<u32> = killed.into_iter().map(|(pid, _)| pid).collect();
    let mut errors = vec!["the supervisor died; how far the command came is unknown".to_owned()];
    if swept.remaining > 0 {
        errors.push(format!("{} processes could not be killed", swept.remaining));
    }
    let leftovers = killed.len() as u64;
    let mut end = RunEnd { leftovers, held: started.held, ..RunEnd::bare(End::Lost) };
    end.out_of_memory = groups.out_of_memory();
    end.refused_processes = groups.refused_processes();
    for path in [Some(&started.log_path), started.stderr_path.as_ref()].into_iter().flatten() {
        match log::join(path, started.log_tail_bytes, 0) {
            Ok(held) => {
                end.log_bytes_total += held.total;
                end.log_bytes_dropped += held.dropped;
            }
            Err(source) if source.kind() == io::ErrorKind::NotFound => {}
            Err(source) => errors.push(format!("the log {} could not be joined: {source}", path.display())),
        }
    }
    end.error = Some(errors.join("; "));
    groups.remove(&mut end);
    Ok(end)
}

/// Writes `exit.json`, with patience: without it a run that ended would be taken for lost.
fn write_exit(dir: &RunDir, end: &RunEnd) -> Result<(), RunnerError> {
    let since = Instant::now();
    loop {
        match dir.write_exit(end) {
            Err(error) if since.elapsed() < EXIT_PATIENCE => {
                eprintln!("{error}; trying again");
                std::thread::sleep(EXIT_RETRY);
            }
            done => return done,
        }
    }
}

/// Seconds of a spec as a duration; what is out of range is as long as can be told.
fn seconds(value: f64) -> Duration {
    Duration::try_from_secs_f64(value).unwrap_or(if value < 0.0 { Duration::ZERO } else { Duration::MAX })
}
