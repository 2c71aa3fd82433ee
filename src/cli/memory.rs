//! Memory of the bot's process: it lives for months beside its owner's work, and what it frees should go back.
//!
//! glibc keeps freed blocks up to the size of the largest one it was ever given back (mallopt(3), M_MMAP_THRESHOLD): one
//! endless line of an agent would cost a megabyte in each thread for ever. It takes a fixed size only from the environment
//! a process begins with, so the bot begins once more, as the same process. Children get an environment of their own.

use crate::config;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// glibc's variables; other C libraries ignore them.
const VARIABLES: [&str; 2] = ["MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"];
const BYTES: &str = "131072";

/// Begins this process once more with those sizes fixed, if they are not; returns where that is not needed or not
/// possible.
pub(super) fn give_back() {
    if !cfg!(target_os = "linux") || VARIABLES.iter().any(|name| config::is_set(name)) {
        return;
    }
    let mut arguments = std::env::args_os();
    let (Ok(program), Some(name)) = (std::env::current_exe(), arguments.next()) else { return };
    // It only returns if it could not: then this one goes on as it is.
    let _ = Command::new(program).arg0(name).args(arguments).envs(VARIABLES.map(|name| (name, BYTES))).exec();
}
