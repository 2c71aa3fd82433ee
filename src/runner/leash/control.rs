//! What a command's guard (`enter`) tells its supervisor: one unix socket, one connection, a line of JSON each.
//!
//! The connection is made before the command exists and closes when the guard executes it, so silence and an end are
//! told apart. A socket in a folder, because a file handle can't be handed over without unsafe code.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde::{Deserialize, Serialize};

/// How long a guard may take to have the command ready.
const READY: Duration = Duration::from_secs(30);
/// How long its last words may take after everything below it is gone.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// The socket's name in its folder.
pub(super) const NAME: &str = "control";

/// What a guard tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Word {
    /// The leash holds; the command may have begun from now on. Said before, for a command can end its guard.
    Entered,
    /// It has begun. Only a guard that stays tells this.
    Begun,
    /// The command was not begun.
    Failed(String),
    /// The command itself ended. Only a guard that stays tells this.
    Ended { code: Option<i32>, signal: Option<i32> },
    /// So many other processes were still there.
    Left(u64),
}

/// A socket in the folder `dir`, however long that folder's path is: an address holds some 100 bytes only.
pub(super) fn bind(dir: &Path, name: &str) -> io::Result<UnixListener> {
    match fs::remove_file(dir.join(name)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let folder = File::open(dir)?;
    UnixListener::bind(short(&folder, name))
}

/// Connects to such a socket.
pub(super) fn connect(path: &Path) -> io::Result<UnixStream> {
    let (Some(dir), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let folder = File::open(dir)?;
    UnixStream::connect(short(&folder, name))
}

fn short(folder: &File, name: &str) -> PathBuf {
    format!("/proc/self/fd/{}/{name}", folder.as_raw_fd()).into()
}

/// The guard's side.
pub(super) struct Teller(UnixStream);

impl Teller {
    pub(super) fn connect(path: &Path) -> io::Result<Self> {
        connect(path).map(Self)
    }

    /// Tells it; nobody may listen any more.
    pub(super) fn tell(&mut self, word: &Word) {
        let line = serde_json::to_string(word).unwrap_or_default();
        let _ = self.0.write_all(format!("{line}\n").as_bytes());
    }
}

/// The supervisor's side.
#[derive(Debug)]
pub(crate) struct Listener {
    words: Receiver<Word>,
}

/// What was told of the end.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LastWords {
    /// Code and signal of the command itself.
    pub(crate) ended: Option<(Option<i32>, Option<i32>)>,
    /// Processes it left behind.
    pub(crate) left: Option<u64>,
}

impl Listener {
    /// Waits until the command begins. With `stays` the guard remains its parent, else it becomes the command. The
    /// error says why the command was not begun.
    pub(super) fn accept(socket: &UnixListener, child: u32, stays: bool) -> Result<Self, String> {
        let until = Instant::now() + READY;
        let stream = connection(socket, child, until).map_err(|e| format!("the command's guard is not heard: {e}"))?;
        let stream = stream.ok_or("its sandbox could not be entered; the log says why")?;
        stream.set_read_timeout(Some(READY)).map_err(|e| format!("the command's guard is not heard: {e}"))?;
        let mut lines = BufReader::new(stream);
        match next(&mut lines) {
            Some(Word::Entered) => match next(&mut lines) {
                // One that stays may have been ended by its command already.
                None => {}
                Some(Word::Begun) if stays => {}
                Some(Word::Failed(why)) => return Err(why),
                Some(_) => return Err("its guard is out of order".into()),
            },
            Some(Word::Failed(why)) => return Err(why),
            _ => return Err("its guard ended before the command began; the log says why".into()),
        }
        let (sender, words) = channel();
        if stays {
            let _ = lines.get_ref().set_read_timeout(None);
            let listen = move || while next(&mut lines).is_some_and(|word| sender.send(word).is_ok()) {};
            super::pipe::thread("guard", listen).map_err(|e| format!("no thread for the command's guard: {e}"))?;
        }
        Ok(Self { words })
    }

    /// The rest, when everything below the supervisor is gone.
    pub(crate) fn rest(&self, heard: &mut LastWords) {
        let until = Instant::now() + LAST_WORDS;
        while let Ok(word) = self.words.recv_timeout(until.saturating_duration_since(Instant::now())) {
            heard.take(&word);
        }
    }
}

impl LastWords {
    fn take(&mut self, word: &Word) {
        match *word {
            Word::Ended { code, signal } => self.ended = Some((code, signal)),
            Word::Left(left) => self.left = Some(left),
            Word::Entered | Word::Begun | Word::Failed(_) => {}
        }
    }
}

fn next(lines: &mut BufReader<UnixStream>) -> Option<Word> {
    let mut line = String::new();
    lines.read_line(&mut line).ok().filter(|n| *n > 0)?;
    serde_json::from_str(&line).ok()
}

/// The guard's connection; `None` if it ended without one.
fn connection(socket: &UnixListener, child: u32, until: Instant) -> io::Result<Option<UnixStream>> {
    socket.set_nonblocking(true)?;
    let pid = i32::try_from(child).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidInput)?;
    let guard = pidfd_open(pid, PidfdFlags::empty())?;
    let mut gone = false;
    loop {
        match socket.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false)?;
                return Ok(Some(stream));
            }
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
            Err(_) if gone => return Ok(None),
            Err(_) => {}
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let left =
            Timespec { tv_sec: i64::try_from(left.as_secs()).unwrap_or(0), tv_nsec: i64::from(left.subsec_nanos()) };
        let mut waiting = [PollFd::new(socket, PollFlags::IN), PollFd::new(&guard, PollFlags::IN)];
        poll(&mut waiting, Some(&left))?;
        gone = !waiting[1].revents().is_empty();
    }
}
