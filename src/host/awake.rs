//! Keeping the machine awake while builds run.
//!
//! A small program of the system holds the lock for us: `systemd-inhibit` on Linux, `caffeinate` on macOS. Both let go when
//! the bot dies, however it dies: `caffeinate` watches our process id, and under `systemd-inhibit` runs a `cat` that ends
//! when the pipe from us closes. Left out on purpose: waking a machine that sleeps already, and closing a laptop's lid, which
//! neither program overrules.

use rustix::process::{Pid, Signal, kill_process_group};
use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Why the machine could not be kept awake; `Display` is for a person.
#[derive(Debug, thiserror::Error)]
pub enum NotKeptAwake {
    /// Neither program is there.
    #[error("neither systemd-inhibit nor caffeinate is on PATH, so the machine may go to sleep during builds")]
    NoProgram,
    /// It is there and did not start.
    #[error("{program} did not start ({error}), so the machine may go to sleep during builds")]
    NotStarted {
        /// The program tried.
        program: String,
        /// What the system said.
        error: std::io::Error,
    },
}

/// Holds the machine awake until dropped.
#[derive(Debug)]
pub struct KeepAwake {
    child: Child,
    program: PathBuf,
}

impl KeepAwake {
    /// Starts the first program of the two found in the folders of `search_path` (the value of `PATH`). `reason` is shown by
    /// the system next to the lock; control characters in it are dropped and 100 characters kept.
    pub fn start(reason: &str, search_path: &OsStr) -> Result<Self, NotKeptAwake> {
        let why: String = reason.chars().filter(|c| !c.is_control()).take(100).collect();
        let (program, mut command) = if let Some(program) = find("systemd-inhibit", search_path) {
            let mut command = Command::new(&program);
            command.args(["--what=sleep:idle", "--who=overnight", "--mode=block"]);
            command.arg(format!("--why={why}")).arg("cat").stdin(Stdio::piped());
            (program, command)
        } else if let Some(program) = find("caffeinate", search_path) {
            let mut command = Command::new(&program);
            command.args(["-ims", "-w", &std::process::id().to_string()]).stdin(Stdio::null());
            (program, command)
        } else {
            return Err(NotKeptAwake::NoProgram);
        };
        // A cleared environment keeps the bot's secrets out of the child; PATH is for systemd-inhibit to find `cat`.
        command.env_clear().env("PATH", search_path).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        match command.spawn() {
            Ok(child) => Ok(Self { child, program }),
            Err(error) => Err(NotKeptAwake::NotStarted { program: program.display().to_string(), error }),
        }
    }

    /// Whether the lock is still held. The program may start and then be refused (no login manager, no permission); ask a
    /// few seconds after the start, and later on.
    pub fn is_held(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// The program that holds the lock.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Lets the machine sleep again; the same as dropping it.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for KeepAwake {
    fn drop(&mut self) {
        // While the child is not waited for, its id, which is its group's, can't be anyone else's. Nothing here can be
        // reported or repaired: a program that is gone already is what we want.
        if matches!(self.child.try_wait(), Ok(None)) {
            if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
                let _ = kill_process_group(group, Signal::KILL);
            }
            let _ = self.child.wait();
        }
    }
}

fn find(program: &str, search_path: &OsStr) -> Option<PathBuf> {
    std::env::split_paths(search_path).filter(|folder| folder.is_absolute()).map(|folder| folder.join(program)).find(
        |path| {
            use std::os::unix::fs::PermissionsExt;
            path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
        },
    )
}
