//! The log of a run on disk: its layout, and reading it while it grows.
//!
//! A position in the output is the number of bytes the command wrote before it, and stays valid for ever. The file at
//! the log's path holds the first bytes. What does not fit goes to at most two segments, each named by the position of
//! its first byte: `<log>.tail.<position>`; when a third begins the oldest is removed. At the end the last bytes are
//! appended to the log behind one line that says how many were left out. `<log>.cut`, written before that, says where,
//! so a position still finds its byte, and a join that was interrupted can be done again.
//!
//! Left out on purpose: what a line means.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::record::write_durably;

/// Most bytes one [`read_new`] returns. Small: what a thread frees its allocator keeps.
const PIECE: u64 = 64 * 1024;
/// Most bytes [`last_lines`] looks at.
const WINDOW: u64 = 256 * 1024;

/// Where the joined log has its gap.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Cut {
    /// Bytes before the gap.
    head: u64,
    /// Bytes left out.
    dropped: u64,
    /// Length of the line that says so.
    notice: u64,
    /// Bytes from the beginning of the output to the end of what was kept.
    end: u64,
}

impl Cut {
    /// Length of the log when the join is complete.
    fn joined_len(&self) -> u64 {
        self.end - self.dropped + self.notice
    }
}

/// A stretch of the output in a file.
#[derive(Debug, Clone)]
struct Piece {
    path: PathBuf,
    /// Position in the output of its first byte.
    start: u64,
    /// Where in the file that is.
    file_offset: u64,
    len: u64,
}

impl Piece {
    fn end(&self) -> u64 {
        self.start + self.len
    }

    fn read(&self, position: u64, limit: u64) -> io::Result<Vec<u8>> {
        let mut file = File::open(&self.path)?;
        let skip = position - self.start;
        file.seek(SeekFrom::Start(self.file_offset + skip))?;
        let length = limit.min(self.len - skip);
        // One more than there is, so that reading to the end needs no larger buffer.
        let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0) + 1);
        file.take(length).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// How much a log holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Held {
    /// Bytes the command wrote.
    pub(super) total: u64,
    /// Bytes of it that are not on disk.
    pub(super) dropped: u64,
}

/// The name of the segment whose first byte has `position`.
pub(super) fn segment_path(log: &Path, position: u64) -> PathBuf {
    with_suffix(log, &format!(".tail.{position}"))
}

fn cut_path(log: &Path) -> PathBuf {
    with_suffix(log, ".cut")
}

fn with_suffix(log: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(log.as_os_str());
    name.push(suffix);
    name.into()
}

/// Reads output from `position` on, at most 64 KiB.
///
/// Returns the bytes and the position to go on from; no bytes and the same position when there is nothing new yet, also
/// when there is no log yet. If bytes at `position` were dropped it goes on after the gap: the answer then begins with
/// a line feed and the first whole line behind the gap, so that a half line on either side never becomes one with the
/// other. Opens files by each call, so it costs nothing between calls.
pub fn read_new(log_path: &Path, position: u64) -> io::Result<(Vec<u8>, u64)> {
    let mut gap_seen = None;
    // The supervisor may rotate or join in the middle of a look; then the look is repeated.
    for _ in 0..5 {
        let joined = cut_path(log_path).exists();
        let pieces = pieces(log_path)?;
        let Some(piece) = pieces.iter().find(|p| p.end() > position) else {
            return Ok((Vec::new(), position));
        };
        // A piece may have grown, and got a successor, after its length was taken: a gap is one that stays.
        if piece.start > position && gap_seen.replace(piece.start) != Some(piece.start) {
            continue;
        }
        match piece.read(position.max(piece.start), PIECE) {
            Ok(bytes) if joined == cut_path(log_path).exists() => {
                return Ok(after_gap(bytes, position, piece.start));
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok((Vec::new(), position))
}

/// What [`read_new`] answers for `bytes` of a piece that begins at `start`.
fn after_gap(bytes: Vec<u8>, position: u64, start: u64) -> (Vec<u8>, u64) {
    let next = position.max(start) + bytes.len() as u64;
    if start <= position {
        return (bytes, next);
    }
    let rest = bytes.iter().position(|b| *b == b'\n').map_or(&[][..], |feed| &bytes[feed + 1..]);
    ([b"\n", rest].concat(), next)
}

/// The last `n` lines of a log, finished or not; invalid UTF-8 is replaced. Looks at the last 256 KiB only, so there
/// may be fewer, and a longer line is cut at its front. An absent log has no lines.
pub fn last_lines(log_path: &Path, n: usize) -> io::Result<Vec<String>> {
    let mut tail: Vec<u8> = Vec::new();
    let mut whole = true;
    let mut follows = None;
    for piece in pieces(log_path)?.iter().rev().filter(|piece| piece.len > 0) {
        let room = WINDOW.saturating_sub(tail.len() as u64);
        let from = piece.start.max(piece.end().saturating_sub(room));
        let bytes = match piece.read(from, room) {
            // Rotated away meanwhile: what was before it is older still.
            Err(error) if error.kind() == io::ErrorKind::NotFound => break,
            read => read?,
        };
        whole = from == 0;
        if follows.replace(piece.start).is_some_and(|start| start != piece.end()) {
            tail.insert(0, b'\n');
        }
        tail.splice(0..0, bytes);
        if tail.len() as u64 >= WINDOW {
            break;
        }
    }
    let text = String::from_utf8_lossy(&tail);
    let mut lines: Vec<&str> = text.lines().collect();
    if !whole && lines.len() > 1 {
        lines.remove(0);
    }
    let skip = lines.len().saturating_sub(n);
    Ok(lines[skip..].iter().map(|line| (*line).to_owned()).collect())
}

/// The stretches of output on disk, by position.
fn pieces(log: &Path) -> io::Result<Vec<Piece>> {
    // Before the head's length is taken: once there is a segment the head does not grow.
    let segments = segments(log)?;
    let len = match fs::metadata(log) {
        Ok(meta) if meta.is_file() => meta.len(),
        Ok(_) => 0,
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(error) => return Err(error),
    };
    let head = |len| Piece { path: log.to_owned(), start: 0, file_offset: 0, len };
    if let Some(cut) = read_cut(log)? {
        let tail_at = cut.head + cut.notice;
        let tail = Piece {
            path: log.to_owned(),
            start: cut.head + cut.dropped,
            file_offset: tail_at,
            len: len.saturating_sub(tail_at),
        };
        return Ok(vec![head(len.min(cut.head)), tail]);
    }
    let mut pieces = vec![head(len)];
    pieces.extend(segments);
    Ok(pieces)
}

fn read_cut(log: &Path) -> io::Result<Option<Cut>> {
    match fs::read(cut_path(log)) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The tail segments of `log`, by position.
fn segments(log: &Path) -> io::Result<Vec<Piece>> {
    let (Some(dir), Some(name)) = (log.parent(), log.file_name()) else {
        return Ok(Vec::new());
    };
    let prefix = [name.as_encoded_bytes(), b".tail."].concat();
    let mut found = Vec::new();
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let position = entry.file_name().as_encoded_bytes().strip_prefix(&prefix[..]).and_then(|digits| {
            let digits = std::str::from_utf8(digits).ok()?;
            digits.parse::<u64>().ok()
        });
        // One that is gone since the listing was rotated away.
        if let (Some(start), Ok(meta)) = (position, entry.metadata()) {
            found.push(Piece { path: entry.path(), start, file_offset: 0, len: meta.len() });
        }
    }
    found.sort_by_key(|piece| piece.start);
    Ok(found)
}

/// Bytes of output on disk.
pub(super) fn kept(log: &Path) -> io::Result<u64> {
    Ok(pieces(log)?.iter().map(|piece| piece.len).sum())
}

/// Removes what a log of this name left behind, so that a new one can begin.
pub(super) fn remove_segments(log: &Path) -> io::Result<()> {
    for piece in segments(log)? {
        fs::remove_file(piece.path)?;
    }
    match fs::remove_file(cut_path(log)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Appends the last `tail_bytes` of the output to the head and removes the segments. May be repeated after a crash at
/// any point. If it fails (disk full) the segments stay, and reading works as before. `lost` is the number of bytes
/// that came after everything on disk.
pub(super) fn join(log: &Path, tail_bytes: u64, lost: u64) -> io::Result<Held> {
    let segments = segments(log)?;
    let len = fs::metadata(log)?.len();
    let earlier = read_cut(log)?;
    let cut = match (earlier, segments.last()) {
        // Only the removing of segments was interrupted.
        (Some(cut), _) if len == cut.joined_len() => cut,
        (None, None) => {
            return Ok(Held { total: len + lost, dropped: lost });
        }
        (before, segment) => {
            let head = before.map_or(len, |cut| cut.head);
            let end = segment.map_or(head, Piece::end);
            let start = tail_start(&segments, end).max(end.saturating_sub(tail_bytes)).max(head);
            let notice = notice(start - head);
            let cut = Cut { head, dropped: start - head, notice: notice.len() as u64, end };
            if let Err(error) = append(log, cut, &notice, &segments, start) {
                // Best effort back to head and segments: a cut without its tail would hide them.
                drop(OpenOptions::new().write(true).open(log).and_then(|file| file.set_len(head)));
                drop(fs::remove_file(cut_path(log)));
                return Err(error);
            }
            cut
        }
    };
    for piece in &segments {
        fs::remove_file(&piece.path)?;
    }
    Ok(Held { total: cut.end + lost, dropped: cut.dropped + lost })
}

fn notice(dropped: u64) -> String {
    if dropped == 0 { String::new() } else { format!("\n… {dropped} bytes left out …\n") }
}

/// Where the last stretch without a gap begins: writing may have failed for a while between two segments.
fn tail_start(segments: &[Piece], end: u64) -> u64 {
    segments
        .iter()
        .rev()
        .fold((end, true), |(start, close), piece| {
            let close = close && piece.end() == start;
            (if close { piece.start } else { start }, close)
        })
        .0
}

fn append(log: &Path, cut: Cut, notice: &str, segments: &[Piece], start: u64) -> io::Result<()> {
    write_durably(&cut_path(log), &serde_json::to_vec(&cut)?)?;
    let mut file = OpenOptions::new().write(true).open(log)?;
    file.set_len(cut.head)?;
    file.seek(SeekFrom::Start(cut.head))?;
    file.write_all(notice.as_bytes())?;
    for piece in segments.iter().filter(|piece| piece.end() > start) {
        let mut from = File::open(&piece.path)?;
        from.seek(SeekFrom::Start(start.saturating_sub(piece.start)))?;
        io::copy(&mut from, &mut file)?;
    }
    file.sync_data()
}

/// The segment files of `log`, oldest first.
#[cfg(test)]
pub(super) fn segments_of(log: &Path) -> Vec<PathBuf> {
    segments(log).unwrap().into_iter().map(|piece| piece.path).collect()
}
