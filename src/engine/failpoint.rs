//! Failpoints: places where a test build can be made to die, to prove that a crash between any two steps is survived.
//!
//! Only in debug builds: a release build holds no trace of them. `overnight run --failpoint <n>` ends the process by
//! SIGKILL at the n-th place passed, so nothing is flushed or cleaned up.

use std::sync::atomic::{AtomicU64, Ordering};

static DIE_AT: AtomicU64 = AtomicU64::new(0);
static PASSED: AtomicU64 = AtomicU64::new(0);

/// Dies at the `place`-th call of [`pass`] from now; 0 never.
pub fn arm(place: u64) {
    DIE_AT.store(place, Ordering::SeqCst);
}

/// A place where a crash is survived.
pub fn pass(name: &str) {
    if !cfg!(debug_assertions) {
        return;
    }
    let passed = PASSED.fetch_add(1, Ordering::SeqCst) + 1;
    if passed == DIE_AT.load(Ordering::SeqCst) {
        tracing::warn!(passed, name, "failpoint: dying here");
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}
