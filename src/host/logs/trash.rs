//! The trash: where a compressed copy of everything removed is kept for a while.
//!
//! One folder a session, with the copies and `manifest.jsonl`, one line a copy: where it came from, its length, SHA-256 and
//! time, written before the original is removed. To restore by hand: `gunzip -c COPY > FILE`. Left out on purpose: restoring
//! by itself, and moving without compressing, which would free nothing on the same disk.

use super::compress::append_member;
use super::folder::{Found, Left, RootId, open_file, open_root, remove, reopen, shown, sync};
use crate::domain::format::human_bytes;
use cap_std::fs::Dir;
use chrono::{DateTime, TimeDelta, Utc};
use rustix::fs::{AtFlags, Mode, OFlags};
use std::fmt::Write as _;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

const MANIFEST: &str = "manifest.jsonl";
/// Space that must be left on the trash's disk after a copy, in bytes.
const RESERVE: u64 = 64_000_000;

/// One session's folder of the trash, open.
pub(super) struct Trash {
    dir: Dir,
    path: PathBuf,
    manifest: File,
    next: u32,
}

impl Trash {
    /// Opens the folder, making it (readable by its owner only) if missing; a second run of one session goes on in it.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        let dir = open_root(path)?;
        let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let manifest = File::from(rustix::fs::openat(&dir, MANIFEST, flags, Mode::RUSR | Mode::WUSR)?);
        let taken = dir.entries()?.filter_map(Result::ok).filter_map(|entry| {
            let name = entry.file_name();
            name.to_str()?.split('-').next()?.parse::<u32>().ok()
        });
        let next = taken.max().unwrap_or(0) + 1;
        Ok(Self { dir, path: path.to_owned(), manifest, next })
    }

    /// Takes a scanned, closed file: copy, check, note, remove. Returns what the copy takes on the disk in bytes.
    pub(super) fn take(&mut self, root: &RootId, file: &Found) -> Result<u64, Left> {
        let dir = reopen(root, &file.folder)?;
        let source =
            open_file(&dir, &file.name, false).map_err(|error| Left::skip(format!("can't be read: {error}")))?;
        if !file.is_untouched(&source.metadata()?) {
            return Err(Left::skip("it changed since it was looked at"));
        }
        self.take_open(&dir, &file.name, &file.path, &source)
    }

    /// The same for a file already open and known to be the right one.
    pub(super) fn take_open(
        &mut self,
        dir: &Dir,
        name: &std::ffi::OsStr,
        path: &Path,
        source: &File,
    ) -> Result<u64, Left> {
        let before = source.metadata()?;
        let available = crate::host::space::available_space(&self.path)?;
        if available < before.len().saturating_add(RESERVE) {
            let (size, left) = (human_bytes(before.len()), human_bytes(available));
            return Err(Left::skip(format!("no space for a safe copy of {size} ({left} left)")));
        }
        let number = self.next;
        self.next += 1;
        let plain: String = name.to_string_lossy().chars().take(60).map(safe).collect();
        let kept = format!("{number:05}-{plain}.gz");
        let copied = self.copy(&kept, source, &before, path).and_then(|taken| {
            let after = source.metadata()?;
            if after.len() != before.len()
                || after.mtime() != before.mtime()
                || after.mtime_nsec() != before.mtime_nsec()
            {
                return Err(Left::skip("it was written to while it was copied"));
            }
            remove(dir, name, super::FileId::of(&before))?;
            Ok(taken)
        });
        if copied.is_err() {
            // The original is still there, so the copy is of no use; a line says that the note above is void.
            let _ = rustix::fs::unlinkat(&self.dir, kept.as_str(), AtFlags::empty());
            let _ = self.note(&serde_json::json!({ "withdrawn": kept }));
        }
        copied
    }

    fn copy(&mut self, kept: &str, source: &File, before: &fs::Metadata, path: &Path) -> Result<u64, Left> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let copy = File::from(rustix::fs::openat(&self.dir, kept, flags, Mode::RUSR | Mode::WUSR)?);
        let sum = append_member(&copy, source, 0, before.len())?;
        sync(&self.dir)?;
        self.note(&serde_json::json!({
            "copy": kept,
            "path": shown(path),
            "path_hex": path.to_str().is_none_or(|text| text != shown(path)).then(|| hex(path.as_os_str().as_bytes())),
            "bytes": sum.len,
            "sha256": hex(&sum.sha256),
            "modified": super::folder::modified(before).to_rfc3339(),
            "mode": format!("{:o}", before.mode() & 0o7777),
        }))?;
        Ok(copy.metadata()?.blocks() * 512)
    }

    fn note(&mut self, line: &serde_json::Value) -> io::Result<()> {
        self.manifest.write_all(format!("{line}\n").as_bytes())?;
        self.manifest.sync_all()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn safe(c: char) -> char {
    if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '_' }
}

/// Compresses a file of ours in the trash to `.gz` beside it, checks that and removes the plain one. Returns what is left on
/// the disk in bytes.
pub(in crate::host) fn compress_copy(plain: &Path) -> io::Result<u64> {
    let packed = plain.with_added_extension("gz");
    let source = File::open(plain)?;
    let options = fs::OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&packed);
    let done = options.and_then(|copy| {
        append_member(&copy, &source, 0, source.metadata()?.len())?;
        Ok(copy.metadata()?.blocks() * 512)
    });
    match done {
        Ok(_) => fs::remove_file(plain)?,
        Err(_) => drop(fs::remove_file(&packed)),
    }
    done
}

/// What [`purge_trash`] did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Purge {
    /// Session folders removed.
    pub sessions: u32,
    /// Bytes they took on the disk.
    pub freed_bytes: u64,
    /// Bytes of those kept.
    pub kept_bytes: u64,
    /// What could not be removed, each "folder: why".
    pub failed: Vec<String>,
}

/// Removes session folders of `trash_root` last written more than `keep_days` before `now`, then the oldest of the rest until at
/// most `max_bytes` are kept. Only folders with a manifest of ours are touched; no trash at all is fine.
pub fn purge_trash(trash_root: &Path, now: DateTime<Utc>, keep_days: u32, max_bytes: u64) -> io::Result<Purge> {
    let mut purge = Purge::default();
    let root = match open_root(trash_root) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(purge),
        opened => opened?,
    };
    let mut sessions = Vec::new();
    for entry in root.entries()?.filter_map(Result::ok) {
        if let Some((written, bytes)) = session(&entry) {
            purge.kept_bytes += bytes;
            sessions.push((written, bytes, entry.file_name()));
        }
    }
    sessions.sort();
    for (written, bytes, name) in sessions {
        let expired = now.signed_duration_since(written) > TimeDelta::days(keep_days.into());
        if !expired && purge.kept_bytes <= max_bytes {
            continue;
        }
        match root.remove_dir_all(&name) {
            Ok(()) => {
                purge.sessions += 1;
                purge.freed_bytes += bytes;
                purge.kept_bytes -= bytes;
            }
            Err(error) => purge.failed.push(format!("{}: {error}", shown(Path::new(&name)))),
        }
    }
    Ok(purge)
}

/// When a session's manifest was last written and what the folder takes; `None` if it is not one of ours.
fn session(entry: &cap_std::fs::DirEntry) -> Option<(DateTime<Utc>, u64)> {
    let dir = entry.file_type().ok()?.is_dir().then(|| entry.open_dir().ok())??;
    let manifest = open_file(&dir, MANIFEST.as_ref(), false).ok()?.metadata().ok()?;
    let bytes = dir.entries().ok()?.filter_map(Result::ok).filter_map(|file| {
        use cap_std::fs::MetadataExt as _;
        Some(file.metadata().ok()?.blocks() * 512)
    });
    Some((super::folder::modified(&manifest), bytes.sum()))
}
