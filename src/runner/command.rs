//! Starting the command, and the threads that tell what happens to it and to us.
//!
//! Left out on purpose: what follows from an event (`supervisor`).

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, PipeWriter};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::Sender;

use rustix::process::{WaitOptions, WaitStatus, wait};
use tokio::signal::unix::{SignalKind, signal};

use super::capture::Capture;
use super::leash::{Fastened, Listener};
use super::log::Held;
use super::redact::Redaction;
use super::writer::{Captured, LogWriter};
use super::{MARKER, RunSpec};

/// What the waiting threads tell.
pub(super) enum Event {
    /// A child was reaped; orphans of the command are children too.
    Reaped(u32, WaitStatus),
    /// There is no child left.
    Empty,
    /// Somebody sent this process SIGTERM, SIGINT or SIGHUP.
    Terminated,
}

/// A command that was started, and what reads its output.
pub(super) struct Begun {
    pub(super) child: u32,
    pub(super) output: Output,
    /// Where its guard tells of it, if it has a leash.
    pub(super) guard: Option<Listener>,
}

/// What reads standard output and error.
pub(super) struct Output {
    log: Capture,
    errors: Option<Capture>,
}

impl Output {
    /// Bytes that came so far.
    pub(super) fn bytes(&self) -> u64 {
        self.log.bytes() + self.errors.as_ref().map_or(0, Capture::bytes)
    }

    /// Takes what is still in the pipes. What is told is of both together.
    pub(super) fn finish(self) -> Captured {
        let log = self.log.finish();
        let Some(errors) = self.errors.map(Capture::finish) else { return log };
        let held = Held { total: log.held.total + errors.held.total, dropped: log.held.dropped + errors.held.dropped };
        Captured { held, error: log.error.or(errors.error) }
    }
}

/// Starts the command, on its leash if it has one; the error says what to look at.
pub(super) fn start(spec: &RunSpec, leash: Option<&Fastened>) -> Result<Begun, String> {
    let stdin = match &spec.stdin {
        None => Stdio::null(),
        Some(path) => {
            File::open(path).map_err(|e| format!("could not open {} for standard input: {e}", path.display()))?.into()
        }
    };
    let (log, writer) = capture(spec, &spec.log_path)?;
    let errors = spec.stderr_path.as_deref().map(|path| capture(spec, path)).transpose()?;
    let (errors, error_writer) = errors.map_or((None, None), |(capture, writer)| (Some(capture), Some(writer)));
    let output = Output { log, errors };
    let begun = spawn(spec, leash, stdin, writer, error_writer).and_then(|child| {
        // Not waited for yet, so its pid is its own. Where it fails whatever it has started is below us, and is swept.
        Ok((child, leash.map(|leash| leash.begun(child)).transpose()?))
    });
    match begun {
        Ok((child, guard)) => Ok(Begun { child, output, guard }),
        Err(error) => {
            output.finish();
            Err(error)
        }
    }
}

fn capture(spec: &RunSpec, path: &Path) -> Result<(Capture, PipeWriter), String> {
    let log = LogWriter::create(path, spec.log_head_bytes, spec.log_tail_bytes)
        .map_err(|e| format!("could not create the log {}: {e}", path.display()))?;
    let (reader, writer) = io::pipe().map_err(|e| format!("could not make a pipe: {e}"))?;
    let capture = Capture::start(reader, log, Redaction::of(&spec.env))
        .map_err(|e| format!("could not read the command's output: {e}"))?;
    Ok((capture, writer))
}

fn spawn(
    spec: &RunSpec,
    leash: Option<&Fastened>,
    stdin: Stdio,
    output: PipeWriter,
    errors: Option<PipeWriter>,
) -> Result<u32, String> {
    let argv = leash.map_or_else(|| spec.argv.iter().map(OsString::from).collect(), |leash| leash.argv.clone());
    let (program, arguments) = argv.split_first().ok_or("no program was given")?;
    // The system reports a missing directory and a missing program alike.
    if !spec.cwd.is_dir() {
        let program = spec.argv.first().map_or("", String::as_str);
        return Err(format!("{program} was not started: its directory {} does not exist", spec.cwd.display()));
    }
    let errors =
        errors.map_or_else(|| output.try_clone(), Ok).map_err(|e| format!("could not share the output pipe: {e}"))?;
    Command::new(program)
        .args(arguments)
        .current_dir(&spec.cwd)
        .env_clear()
        .envs(leash.map_or(&spec.env, |leash| &leash.env))
        .env(MARKER, &spec.run_id)
        .stdin(stdin)
        .stdout(output)
        .stderr(errors)
        .process_group(0)
        .spawn()
        .map(|child| child.id())
        .map_err(|e| format!("could not start {} in {}: {e}", program.to_string_lossy(), spec.cwd.display()))
}

/// Reaps whatever ends below us, until nothing is left.
pub(super) fn reap(events: &Sender<Event>) {
    loop {
        let event = match wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) => Event::Reaped(pid.as_raw_nonzero().get().unsigned_abs(), status),
            Ok(None) | Err(rustix::io::Errno::INTR) => continue,
            Err(_) => Event::Empty,
        };
        let last = matches!(event, Event::Empty);
        if events.send(event).is_err() || last {
            return;
        }
    }
}

/// Turns the polite signals into an event. The runtime serves this alone: a signal handler needs unsafe code, and
/// tokio's is tried.
pub(super) fn listen_for_signals(events: Sender<Event>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let guard = runtime.enter();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    drop(guard);
    let listen = move || {
        runtime.block_on(async {
            loop {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                    _ = hangup.recv() => {}
                }
                if events.send(Event::Terminated).is_err() {
                    return;
                }
            }
        });
    };
    std::thread::Builder::new().name("signals".into()).spawn(listen).map(drop)
}
