//! The guard of a command: our own program, re-executed in the command's place. It joins the control groups, sets
//! limits, lets landlock hold it, says so, and becomes the command: `unsafe` code between fork and exec is not needed.
//!
//! Inside of bubblewrap it stays, as the command's parent: it carries connections to the proxy's socket, and says how
//! the command ended and what it left behind, which bubblewrap does not tell.

use std::ffi::OsString;
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use rustix::process::{DumpableBehavior, Resource, Rlimit, WaitStatus, set_dumpable_behavior, setrlimit};
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};
use serde::{Deserialize, Serialize};

use super::control::{Teller, Word};
use super::groups::Groups;
use super::landlock::{self, Rules};
use super::relay::{self, Relay};
use crate::runner::command::{Event, listen_for_signals, reap};

/// What to do before the command.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Plan {
    /// Control groups to join.
    #[serde(with = "crate::runner::path_json::list")]
    pub(super) groups: Vec<PathBuf>,
    /// Bytes of data each process may have.
    pub(super) data: Option<u64>,
    /// Processes its user may have.
    pub(super) processes: Option<u64>,
    /// Where the supervisor listens; `None`: another guard, further inside, tells.
    #[serde(with = "crate::runner::path_json::optional")]
    pub(super) control: Option<PathBuf>,
    pub(super) rules: Option<Rules>,
    pub(super) relay: Option<Relay>,
    /// Remain the command's parent.
    pub(super) stay: bool,
}

/// The exit status when the command could not be begun; the reason is told, or on standard error.
const NOT_BEGUN: u8 = 125;
/// How long background processes may take to end by themselves after the command did.
const SETTLE: Duration = Duration::from_millis(200);

/// The body of `overnight enter <plan> <program> <arguments…>`.
pub fn enter_main(plan: &str, argv: &[OsString]) -> ExitCode {
    let plan: Plan = match serde_json::from_str(plan) {
        Ok(plan) => plan,
        Err(error) => {
            eprintln!("overnight enter: that is no plan ({error}); supervisors write them");
            return ExitCode::from(2);
        }
    };
    let mut teller = match plan.control.as_deref().map(Teller::connect).transpose() {
        Ok(teller) => teller,
        Err(error) => {
            eprintln!("overnight: the supervisor can't be reached: {error}");
            return ExitCode::from(NOT_BEGUN);
        }
    };
    match enter(&plan, argv, &mut teller) {
        Ok(code) => code,
        Err(why) => {
            match &mut teller {
                Some(teller) => teller.tell(&Word::Failed(why)),
                None => eprintln!("overnight: {why}"),
            }
            ExitCode::from(NOT_BEGUN)
        }
    }
}

fn enter(plan: &Plan, argv: &[OsString], teller: &mut Option<Teller>) -> Result<ExitCode, String> {
    let (program, arguments) = argv.split_first().ok_or("no program was given")?;
    Groups::join(&plan.groups)?;
    for (resource, limit) in [(Resource::Data, plan.data), (Resource::Nproc, plan.processes)] {
        if limit.is_some() {
            let limit = Rlimit { current: limit, maximum: limit };
            setrlimit(resource, limit).map_err(|error| format!("could not limit {resource:?}: {error}"))?;
        }
    }
    if let Some(relay) = &plan.relay {
        relay::start(relay)?;
    }
    if plan.stay {
        return stay(plan, program, arguments, teller);
    }
    if let Some(rules) = &plan.rules {
        landlock::restrict(rules)?;
        // Root's privileges would reach around the rules: CAP_PERFMON alone reads the environment of others. They don't
        // come back by executing something, as landlock forbids new privileges.
        let nothing = CapabilitySet::empty();
        let sets = CapabilitySets { effective: nothing, permitted: nothing, inheritable: nothing };
        set_capabilities(None, sets).map_err(|error| format!("could not give up privileges: {error}"))?;
    }
    if let Some(teller) = teller {
        teller.tell(&Word::Entered);
    }
    let error = Command::new(program).args(arguments).exec();
    Err(format!("could not start {}: {error}", program.to_string_lossy()))
}

/// Begins the command and stays until it has ended. The command must not get hold of this process, for it speaks to
/// the supervisor: it is neither traced nor looked into by others of its user.
fn stay(
    plan: &Plan,
    program: &OsString,
    arguments: &[OsString],
    teller: &mut Option<Teller>,
) -> Result<ExitCode, String> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(|error| format!("could not hide the guard: {error}"))?;
    let (events, inbox) = channel();
    listen_for_signals(events.clone()).map_err(|error| format!("could not listen for signals: {error}"))?;
    if let Some(rules) = &plan.rules {
        // After the threads were started: they serve the relay, and rules hold only this thread and what it starts.
        landlock::restrict(rules)?;
    }
    let mut tell = |word: &Word| {
        if let Some(teller) = teller {
            teller.tell(word);
        }
    };
    tell(&Word::Entered);
    let child = Command::new(program)
        .args(arguments)
        .spawn()
        .map_err(|error| format!("could not start {}: {error}", program.to_string_lossy()))?
        .id();
    tell(&Word::Begun);
    let waiting = std::thread::Builder::new().name("wait".into()).spawn(move || reap(&events));
    waiting.map_err(|error| format!("no thread to wait for the command: {error}"))?;
    let (status, asked) = ended(&inbox, child);
    let (code, signal) = (status.and_then(WaitStatus::exit_status), status.and_then(WaitStatus::terminating_signal));
    tell(&Word::Ended { code, signal });
    tell(&Word::Left(settle(&inbox, asked)));
    Ok(ExitCode::from(u8::try_from(code.unwrap_or(128 + signal.unwrap_or(0))).unwrap_or(NOT_BEGUN)))
}

/// Waits for the command's end; whether we were asked to end meanwhile.
fn ended(inbox: &Receiver<Event>, child: u32) -> (Option<WaitStatus>, bool) {
    let mut asked = false;
    loop {
        match inbox.recv() {
            Ok(Event::Reaped(pid, status)) if pid == child => return (Some(status), asked),
            Ok(Event::Reaped(..)) => {}
            Ok(Event::Terminated) => asked = true,
            Ok(Event::Empty) | Err(_) => return (None, asked),
        }
    }
}

/// Waits until nothing else is in the sandbox, and counts what is. When we were asked to end the supervisor has its
/// own grace, and ends us with the rest.
fn settle(inbox: &Receiver<Event>, mut asked: bool) -> u64 {
    let since = Instant::now();
    loop {
        let left = others();
        if left == 0 || (!asked && since.elapsed() >= SETTLE) {
            return left;
        }
        match inbox.recv_timeout(Duration::from_millis(5)) {
            Ok(Event::Terminated) => asked = true,
            Err(RecvTimeoutError::Disconnected) => std::thread::sleep(Duration::from_millis(5)),
            _ => {}
        }
    }
}

/// Processes in this process namespace besides its first one and ourselves; a dead one that nobody waited for yet
/// does not count.
fn others() -> u64 {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let alive = pids.filter(|pid| *pid != 1 && *pid != std::process::id()).filter(|pid| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X', 'x']))
    });
    alive.count() as u64
}
