//! Where one command of a build runs: a real process tree under a supervisor that outlives the bot.
//!
//! A *run* is one command (agent, setup, verify, measure, or an approved action) in its own *run directory*. All its
//! state is plain files there, so a restarted bot finds the run again with nothing but the directory's path:
//!
//! | file | written by | means |
//! | --- | --- | --- |
//! | `spec.json` | bot | what to run; values of `env` are blanked before the command starts |
//! | `lock` | supervisor | held = the run is alive; liveness never depends on a pid |
//! | `started.json` | supervisor | the command may have begun; it is never begun again |
//! | `stop.json` | bot | please end, and why |
//! | `exit.json` | supervisor or sweep | how it ended; final |
//! | `supervisor.log` | supervisor | what it could not say in `exit.json` |
//!
//! [`LocalRunner`] is the bot's side; [`supervise_main`] is the other, a re-execution of our own binary. In between,
//! `command` starts, `tree` finds and ends processes, `capture` and `writer` keep the output bounded, `redact` keeps
//! secrets out of it, `log` reads it.
//!
//! Left out on purpose: what the output means (that is `agent`), whether to retry (that is `domain`), and isolation:
//! a sandbox is a longer argv.

mod capture;
mod command;
pub mod leash;
mod local;
mod log;
mod path_json;
mod record;
mod redact;
mod supervisor;
mod tree;
mod writer;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use leash::enter_main;
pub use local::LocalRunner;
pub use log::{last_lines, read_new};
pub use supervisor::supervise_main;

/// Name of the environment variable every process of a run carries; its value is [`RunSpec::run_id`]. After a
/// supervisor's own death it is the only thing by which its processes are found.
pub const MARKER: &str = "OVERNIGHT_RUN";

/// What to run. On disk a path that is not UTF-8 becomes `{"hex": "…"}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunSpec {
    /// Unique over all runs ever; visible ASCII without spaces, at most 128 bytes.
    pub run_id: String,
    /// Program and arguments; no shell. A program without `/` is looked up in the `PATH` of `env`.
    pub argv: Vec<String>,
    /// Working directory, absolute.
    #[serde(with = "path_json")]
    pub cwd: PathBuf,
    /// The whole environment of the command, besides [`MARKER`]. Nothing is inherited.
    pub env: BTreeMap<String, String>,
    /// File given as standard input; `None` is the null device.
    #[serde(with = "path_json::optional")]
    pub stdin: Option<PathBuf>,
    /// Where standard output and error go, merged; absolute. Siblings `<log_path>.tail.<n>` and `<log_path>.cut`
    /// belong to it.
    #[serde(with = "path_json")]
    pub log_path: PathBuf,
    /// Where standard error goes instead, so that a stream of JSON on standard output stays whole; absolute. Bounded
    /// like the log.
    #[serde(with = "path_json::optional", default)]
    pub stderr_path: Option<PathBuf>,
    /// Bytes kept from the beginning of the output.
    pub log_head_bytes: u64,
    /// Bytes kept from its end; up to three times as much is on disk for a while.
    pub log_tail_bytes: u64,
    /// Wall-clock limit in seconds, counted on the monotonic clock (a suspended machine does not count).
    pub timeout_secs: f64,
    /// Seconds without a byte of output after which it is ended; `None`: it may be silent for as long as it runs.
    #[serde(default)]
    pub silence_secs: Option<f64>,
    /// Seconds between SIGTERM and SIGKILL.
    pub grace_secs: f64,
    /// What it may reach; `None`: everything its user may.
    #[serde(default)]
    pub leash: Option<leash::Leash>,
}

/// What [`LocalRunner::observe`] sees.
#[derive(Debug, Clone, PartialEq)]
pub enum Seen {
    /// Nothing has begun to execute, and no supervisor is there.
    Absent,
    /// A supervisor holds the lock.
    Running,
    /// It ended; final.
    Ended(RunEnd),
    /// The supervisor died before it could say how the command ended; [`LocalRunner::sweep_lost`] settles it.
    Lost,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The command ended by itself; see `code`.
    Exited,
    /// A signal that was not ours ended the command; see `signal`.
    Signaled,
    /// We ended it after `timeout_secs`.
    TimedOut,
    /// We ended it after `silence_secs` without output.
    Silent,
    /// We ended it (or never began it) because we were asked to; see `stop_reason`.
    Stopped,
    /// The supervisor died; how far the command came is unknown.
    Lost,
    /// The command could not be started; see `error`. It had no effect.
    NotStarted,
}

/// The content of `exit.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunEnd {
    /// How it ended.
    pub end: End,
    /// Exit code of the command itself, where it had one (also after a stop or timeout).
    pub code: Option<i32>,
    /// Signal that ended the command itself, where one did.
    pub signal: Option<i32>,
    /// The reason given with the stop request; `terminated` when the supervisor was asked by SIGTERM.
    pub stop_reason: Option<String>,
    /// What went wrong around the command: why it could not start, log that could not be written, processes that
    /// could not be killed.
    pub error: Option<String>,
    /// Milliseconds from start to end on the monotonic clock; 0 if unknown.
    pub started_elapsed_ms: u64,
    /// Processes other than the command itself that had to be killed.
    pub leftovers: u64,
    /// Whether we asked it to end, and something of it was still there when its time for that was over.
    #[serde(default)]
    pub forced: bool,
    /// Bytes of output the run produced, as far as they were read.
    pub log_bytes_total: u64,
    /// Bytes of it that were not kept.
    pub log_bytes_dropped: u64,
    /// What truly held it; `None` without a leash, or where that is not known.
    #[serde(default)]
    pub held: Option<leash::Held>,
    /// Hosts it asked its proxy for and was refused: each once, the first 20.
    #[serde(default)]
    pub refused_hosts: Vec<String>,
    /// How often that was.
    #[serde(default)]
    pub refused: u64,
    /// Processes the kernel killed because the leash's memory was used up, where a control group told.
    #[serde(default)]
    pub out_of_memory: u64,
    /// How often it was refused one more process or thread, where a control group told.
    #[serde(default)]
    pub refused_processes: u64,
}

impl RunEnd {
    /// An end with nothing else known.
    pub(crate) fn bare(end: End) -> Self {
        Self {
            end,
            code: None,
            signal: None,
            stop_reason: None,
            error: None,
            started_elapsed_ms: 0,
            leftovers: 0,
            forced: false,
            log_bytes_total: 0,
            log_bytes_dropped: 0,
            held: None,
            refused_hosts: Vec::new(),
            refused: 0,
            out_of_memory: 0,
            refused_processes: 0,
        }
    }

    /// Whether the command ended by itself with code 0 and nothing was wrong around it.
    pub fn success(&self) -> bool {
        self.end == End::Exited && self.code == Some(0)
    }
}

/// Why the runner could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum RunnerError {
    /// The spec can't be run; launching it again will not help.
    #[error("the run can't be started: {0}")]
    InvalidSpec(String),
    /// A file operation failed.
    #[error("could not {what} {}: {source}", path.display())]
    Io {
        /// The verb: `read`, `write`, `lock` …
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file of the run directory holds something else than we write.
    #[error("{} is damaged ({source}); move it away to have the run treated as lost", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the parser said.
        source: serde_json::Error,
    },
    /// No supervisor came up, nothing was executed; launching again is safe.
    #[error("the supervisor for {} did not start: {detail}", run_dir.display())]
    NotLaunched {
        /// The run directory.
        run_dir: PathBuf,
        /// What its log says.
        detail: String,
    },
    /// The run is alive, so it is not lost.
    #[error("the run in {} is still alive", .0.display())]
    Alive(PathBuf),
    /// There is nothing to sweep: nothing was ever executed.
    #[error("nothing was ever started in {}", .0.display())]
    NeverStarted(PathBuf),
}
