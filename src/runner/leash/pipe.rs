//! Two connections made one: bytes copied both ways by two threads with small stacks and buffers.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A connection without a byte in either direction for this long is closed. A model may think for minutes.
const IDLE: Duration = Duration::from_mins(15);
/// How long a write may wait for a reader.
const STUCK: Duration = Duration::from_mins(2);
const BUFFER: usize = 16 * 1024;
const STACK: usize = 256 * 1024;

/// A connection, of either family.
pub(super) trait Stream: Read + Write + Send + Sized + 'static {
    fn twin(&self) -> io::Result<Self>;
    fn set_read_timeout(&self, limit: Option<Duration>) -> io::Result<()>;
    fn set_write_timeout(&self, limit: Option<Duration>) -> io::Result<()>;
    fn set_nonblocking(&self, on: bool) -> io::Result<()>;
    fn shutdown(&self, how: Shutdown) -> io::Result<()>;
}

/// A thread that nobody waits for.
pub(super) fn thread(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<()> {
    std::thread::Builder::new().name(name.into()).stack_size(STACK).spawn(body).map(drop)
}

/// Copies until both directions have ended, or nothing moves any more.
pub(super) fn join<A: Stream, B: Stream>(a: A, b: B) -> io::Result<()> {
    a.set_read_timeout(Some(IDLE))?;
    a.set_write_timeout(Some(STUCK))?;
    b.set_read_timeout(Some(IDLE))?;
    b.set_write_timeout(Some(STUCK))?;
    let (a_too, b_too) = (a.twin()?, b.twin()?);
    let moved = Arc::new(AtomicU64::new(0));
    let moved_too = Arc::clone(&moved);
    let back = move || copy(b_too, a_too, &moved_too);
    let back = std::thread::Builder::new().name("back".into()).stack_size(STACK).spawn(back)?;
    copy(a, b, &moved);
    let _ = back.join();
    Ok(())
}

/// Copies one direction; says the end to the reader. An error, or silence in both directions, ends both: a half-dead
/// connection would keep its seat.
fn copy<A: Stream, B: Stream>(mut from: A, mut to: B, moved: &AtomicU64) {
    let mut buffer = vec![0; BUFFER];
    let mut seen = moved.load(Ordering::Relaxed);
    loop {
        match from.read(&mut buffer) {
            Ok(0) => {
                let _ = to.shutdown(Shutdown::Write);
                return;
            }
            Ok(n) if to.write_all(&buffer[..n]).is_ok() => {
                moved.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // Silent here, but the other direction moved meanwhile.
            Err(error) if timed_out(&error) && moved.load(Ordering::Relaxed) != seen => {
                seen = moved.load(Ordering::Relaxed);
            }
            _ => {
                let _ = from.shutdown(Shutdown::Both);
                let _ = to.shutdown(Shutdown::Both);
                return;
            }
        }
    }
}

fn timed_out(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}
