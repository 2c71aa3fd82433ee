//! Starting the command, and the threads that tell what happens to it and to us.
//!
//! Left out on purpose: what follows from an event (`supervisor`).

use std::fs::File;
use std::io::{self, PipeWriter};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::sync::mpsc::Sender;

use rustix::process::{WaitOptions, WaitStatus, wait};
use tokio::signal::unix::{SignalKind, signal};

use super::capture::Capture;
use super::writer::LogWriter;
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

/// Starts the command; the error says what to look at.
pub(super) fn start(spec: &RunSpec) -> Result<(u32, Capture), String> {
    let log = LogWriter::create(&spec.log_path, spec.log_head_bytes, spec.log_tail_bytes)
        .map_err(|e| format!("could not create the log {}: {e}", spec.log_path.display()))?;
    let stdin = match &spec.stdin {
        None => Stdio::null(),
        Some(path) => {
            File::open(path).map_err(|e| format!("could not open {} for standard input: {e}", path.display()))?.into()
        }
    };
    let (reader, writer) = io::pipe().map_err(|e| format!("could not make a pipe: {e}"))?;
    let capture = Capture::start(reader, log).map_err(|e| format!("could not read the command's output: {e}"))?;
    match spawn(spec, stdin, writer) {
        Ok(child) => Ok((child, capture)),
        Err(error) => {
            capture.finish();
            Err(error)
        }
    }
}

fn spawn(spec: &RunSpec, stdin: Stdio, output: PipeWriter) -> Result<u32, String> {
    let (program, arguments) = spec.argv.split_first().ok_or("no program was given")?;
    // The system reports a missing directory and a missing program alike.
    if !spec.cwd.is_dir() {
        return Err(format!("{program} was not started: its directory {} does not exist", spec.cwd.display()));
    }
    let errors = output.try_clone().map_err(|e| format!("could not share the output pipe: {e}"))?;
    Command::new(program)
        .args(arguments)
        .current_dir(&spec.cwd)
        .env_clear()
        .envs(&spec.env)
        .env(MARKER, &spec.run_id)
        .stdin(stdin)
        .stdout(output)
        .stderr(errors)
        .process_group(0)
        .spawn()
        .map(|child| child.id())
        .map_err(|e| format!("could not start {program} in {}: {e}", spec.cwd.display()))
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
