//! Takes the output of a run from a pipe and keeps a bounded part of it.
//!
//! The command never waits for a full disk: what can't be written is counted and dropped, and the pipe is read on.
//! Memory is one buffer, at any rate of output.
//!
//! Left out on purpose: the layout on disk (`log`), and lines: bytes are bytes here.

use std::io::{self, PipeReader, Read as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;

use super::log::Held;
use super::redact::Redaction;
use super::writer::{Captured, LogWriter};

/// One read at most; as large as an unprivileged pipe may be on Linux, so a flood costs few system calls.
const BUFFER: usize = 1024 * 1024;
/// How long output is still taken after the whole tree is gone, if something outside keeps the pipe open.
const DRAIN: Duration = Duration::from_secs(1);

/// A thread that reads the pipe.
#[derive(Debug)]
pub(super) struct Capture {
    thread: JoinHandle<Captured>,
    closing: Arc<AtomicBool>,
    bytes: Arc<AtomicU64>,
}

impl Capture {
    /// Reads `pipe` into `log` until its end, without the secrets.
    pub(super) fn start(pipe: PipeReader, log: LogWriter, redaction: Redaction) -> io::Result<Self> {
        rustix::fs::fcntl_setfl(&pipe, OFlags::NONBLOCK)?;
        #[cfg(target_os = "linux")]
        // A larger pipe is faster; where the user's quota forbids it the usual one serves.
        let _ = rustix::pipe::fcntl_setpipe_size(&pipe, BUFFER);
        let closing = Arc::new(AtomicBool::new(false));
        let bytes = Arc::new(AtomicU64::new(0));
        let (seen, came) = (Arc::clone(&closing), Arc::clone(&bytes));
        let thread = std::thread::Builder::new()
            .name("capture".into())
            .spawn(move || copy(pipe, log, redaction, &seen, &came))?;
        Ok(Self { thread, closing, bytes })
    }

    /// Bytes that came so far.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Takes what is still in the pipe. Does not wait for an end of file that a process outside the tree holds back.
    pub(super) fn finish(self) -> Captured {
        self.closing.store(true, Ordering::Release);
        self.thread.join().unwrap_or_else(|_| Captured {
            held: Held { total: 0, dropped: 0 },
            error: Some("the log reader panicked; see supervisor.log".into()),
        })
    }
}

fn copy(
    mut pipe: PipeReader,
    mut log: LogWriter,
    mut redaction: Redaction,
    closing: &AtomicBool,
    came: &AtomicU64,
) -> Captured {
    let mut buffer = vec![0; BUFFER];
    let mut closed_at = None;
    loop {
        if closing.load(Ordering::Acquire) {
            let since = *closed_at.get_or_insert_with(Instant::now);
            if since.elapsed() >= DRAIN {
                break;
            }
        }
        match pipe.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => {
                came.fetch_add(n as u64, Ordering::Relaxed);
                if redaction.is_idle() {
                    log.write(&buffer[..n]);
                } else {
                    log.write(&redaction.pass(&buffer[..n]));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if closed_at.is_some() {
                    break;
                }
                wait_readable(&pipe);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                log.fail(&error);
                break;
            }
        }
    }
    log.write(&redaction.rest());
    log.close()
}

/// Waits for output, or a moment: then the caller looks whether to close.
fn wait_readable(pipe: &PipeReader) {
    let moment = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
    // An error here shows again in the read that follows.
    let _ = poll(&mut [PollFd::new(pipe, PollFlags::IN)], Some(&moment));
}
