//! Writes a log as `log` lays it out: the first bytes, and the last ones in two segments.
//!
//! Left out on purpose: where the bytes come from (`capture`).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::log::{self, Held};

/// How long after a failed write the next is tried.
const WRITE_AGAIN: Duration = Duration::from_millis(500);

/// What was captured.
#[derive(Debug)]
pub(super) struct Captured {
    pub(super) held: Held,
    /// What went wrong with the log, if anything.
    pub(super) error: Option<String>,
}

/// A log being written.
#[derive(Debug)]
pub(super) struct LogWriter {
    path: PathBuf,
    head: Option<File>,
    head_room: u64,
    tail_bytes: u64,
    /// The newest segment: its file and the bytes it still takes.
    segment: Option<(File, u64)>,
    /// First bytes of the segments on disk, oldest first.
    segments: Vec<u64>,
    /// Bytes the command wrote so far.
    position: u64,
    /// Position behind the last byte written to disk.
    stored: u64,
    failed_at: Option<Instant>,
    error: Option<String>,
}

impl LogWriter {
    /// Begins a new log at `path`.
    pub(super) fn create(path: &Path, head_bytes: u64, tail_bytes: u64) -> io::Result<Self> {
        log::remove_segments(path)?;
        Ok(Self {
            path: path.to_owned(),
            head: Some(create(path)?),
            head_room: head_bytes,
            tail_bytes,
            segment: None,
            segments: Vec::new(),
            position: 0,
            stored: 0,
            failed_at: None,
            error: None,
        })
    }

    /// Takes the next bytes of output. Never fails: what can't be written is counted.
    pub(super) fn write(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            match self.put(bytes) {
                Ok(n) if n > 0 => {
                    self.position += n as u64;
                    self.stored = self.position;
                    bytes = &bytes[n..];
                }
                put => {
                    if let Err(error) = put {
                        self.fail(&error);
                    }
                    // What comes after a gap begins a segment of its own, so positions stay true.
                    self.head = None;
                    self.leave_segment();
                    self.position += bytes.len() as u64;
                    return;
                }
            }
        }
    }

    /// Writes the first part of `bytes` where it belongs and says how long it was; 0 if nothing is to be kept now.
    fn put(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(head) = self.head.as_mut().filter(|_| self.head_room > 0) {
            let n = head.write(up_to(bytes, self.head_room))?;
            self.head_room -= n as u64;
            return Ok(n);
        }
        self.head = None;
        if self.tail_bytes == 0 || self.failed_at.is_some_and(|at| at.elapsed() < WRITE_AGAIN) {
            return Ok(0);
        }
        if self.segment.as_ref().is_none_or(|(_, room)| *room == 0) {
            self.rotate()?;
        }
        let Some((file, room)) = &mut self.segment else {
            return Ok(0);
        };
        let n = file.write(up_to(bytes, *room))?;
        *room -= n as u64;
        Ok(n)
    }

    fn rotate(&mut self) -> io::Result<()> {
        self.segment = None;
        if self.segments.len() >= 2 {
            fs::remove_file(log::segment_path(&self.path, self.segments.remove(0)))?;
        }
        let file = create(&log::segment_path(&self.path, self.position))?;
        self.segments.push(self.position);
        self.segment = Some((file, self.tail_bytes));
        Ok(())
    }

    /// Closes the newest segment, and removes it if it is empty: it would push a full one out.
    fn leave_segment(&mut self) {
        self.segment = None;
        if self.segments.last() == Some(&self.position) {
            self.segments.pop();
            // Left behind it is an empty file, which the join removes.
            drop(fs::remove_file(log::segment_path(&self.path, self.position)));
        }
    }

    /// Remembers the first failure, for the owner.
    pub(super) fn fail(&mut self, error: &io::Error) {
        self.failed_at = Some(Instant::now());
        self.error.get_or_insert_with(|| {
            format!("output was lost: the log {} could not be written: {error}", self.path.display())
        });
    }

    /// Joins head and tail.
    pub(super) fn close(mut self) -> Captured {
        (self.head, self.segment) = (None, None);
        let held = log::join(&self.path, self.tail_bytes, self.position - self.stored);
        let held = held.unwrap_or_else(|error| {
            self.fail(&error);
            let kept = log::kept(&self.path).unwrap_or(0);
            Held { total: self.position, dropped: self.position.saturating_sub(kept) }
        });
        Captured { held, error: self.error }
    }
}

fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

fn up_to(bytes: &[u8], room: u64) -> &[u8] {
    &bytes[..bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX))]
}

#[cfg(test)]
mod tests {
    use super::super::log::{last_lines, read_new};
    use super::*;

    /// 7-byte lines, so that a byte's place can be told from its line.
    fn lines(range: std::ops::Range<u32>) -> Vec<u8> {
        range.flat_map(|i| format!("{i:06}\n").into_bytes()).collect()
    }

    fn files(dir: &Path) -> usize {
        fs::read_dir(dir).unwrap().count()
    }

    #[test]
    fn a_short_log_is_kept_whole_over_head_and_tail() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut log = LogWriter::create(&path, 10, 100).unwrap();
        log.write(&lines(0..15));
        let held = log.close().held;
        assert_eq!(held, Held { total: 105, dropped: 0 });
        assert_eq!(fs::read(&path).unwrap(), lines(0..15));
        assert_eq!(read_new(&path, 14).unwrap().0, lines(2..15));
    }

    #[test]
    fn a_flood_keeps_head_and_tail_and_says_what_is_missing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut log = LogWriter::create(&path, 70, 700).unwrap();
        for i in 0..1000 {
            log.write(&lines(i..i + 1));
            assert!(files(dir.path()) <= 3);
        }
        let held = log.close().held;
        assert_eq!(held, Held { total: 7000, dropped: 7000 - 770 });
        let notice = "\n… 6230 bytes left out …\n".as_bytes();
        assert_eq!(fs::read(&path).unwrap(), [&lines(0..10)[..], notice, &lines(900..1000)].concat());
        assert_eq!(files(dir.path()), 2);
        assert_eq!(last_lines(&path, 2).unwrap(), ["000998", "000999"]);
    }

    #[test]
    fn reading_follows_the_output_through_rotation_and_join() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut log = LogWriter::create(&path, 70, 70).unwrap();
        let (mut got, mut at) = (Vec::new(), 0);
        let mut follow = |got: &mut Vec<u8>| {
            loop {
                let (bytes, next) = read_new(&path, at).unwrap();
                got.extend(bytes);
                if next == at {
                    break;
                }
                at = next;
            }
        };
        for i in 0..100 {
            log.write(&lines(i..i + 1));
            follow(&mut got);
        }
        log.write(b"end");
        log.close();
        follow(&mut got);
        assert_eq!(String::from_utf8(got), String::from_utf8([lines(0..100), b"end".into()].concat()));
    }

    #[test]
    fn behind_a_gap_reading_begins_with_a_whole_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut log = LogWriter::create(&path, 10, 24).unwrap();
        log.write(&lines(0..100));
        // Segments hold 24 bytes from 10 on: those on disk begin at 658 and 682. That 658 begins a line can't be known.
        let gap = read_new(&path, 10).unwrap();
        assert_eq!(gap, ([b"\n", &lines(95..97)[..], b"000"].concat(), 682));
        log.close();
        assert_eq!(read_new(&path, 10).unwrap(), ([b"\n", &lines(97..100)[..]].concat(), 700));
    }

    #[test]
    fn a_join_cut_off_anywhere_can_be_done_again() {
        for stop_at in ["before", "after"] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("log");
            let mut log = LogWriter::create(&path, 7, 70).unwrap();
            log.write(&lines(0..50));
            drop(log);
            let segments: Vec<_> = log::segments_of(&path);
            let saved: Vec<_> = segments.iter().map(|p| fs::read(p).unwrap()).collect();
            let first = log::join(&path, 70, 0).unwrap();
            let wanted = fs::read(&path).unwrap();
            if stop_at == "before" {
                // The tail was half written.
                OpenOptions::new().write(true).open(&path).unwrap().set_len(20).unwrap();
                segments.iter().zip(&saved).for_each(|(p, bytes)| fs::write(p, bytes).unwrap());
            } else {
                // One segment was still to be removed.
                fs::write(&segments[1], &saved[1]).unwrap();
            }
            assert_eq!(log::join(&path, 70, 0).unwrap(), first);
            assert_eq!(fs::read(&path).unwrap(), wanted);
            assert_eq!(files(dir.path()), 2);
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_full_disk_loses_output_but_never_blocks() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        std::os::unix::fs::symlink("/dev/full", &path).unwrap();
        let mut log = LogWriter::create(&path, 100, 100).unwrap();
        log.write(&lines(0..50));
        let captured = log.close();
        assert_eq!(captured.held, Held { total: 350, dropped: 350 });
        assert!(captured.error.unwrap().contains("No space left"), "names the cause");
    }
}
