//! Reaching a folder or file safely, and acting on exactly the file that was seen.
//!
//! Paths are for people; every act goes through an open handle of the folder and one name in it. Left out on purpose:
//! deciding which files to act on.

use crate::domain::problem::FixOutcome;
use cap_std::fs::Dir;
use chrono::{DateTime, Utc};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, RenameFlags};
use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

use super::names::LogName;

/// Device and inode: which file it is, whatever its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct FileId {
    pub(super) device: u64,
    pub(super) inode: u64,
}

impl FileId {
    pub(super) fn of(found: &Metadata) -> Self {
        Self { device: found.dev(), inode: found.ino() }
    }
}

/// A root as it was when scanned.
#[derive(Debug, Clone)]
pub(super) struct RootId {
    pub(super) path: PathBuf,
    pub(super) id: FileId,
}

/// A log file as it was when scanned.
#[derive(Debug, Clone)]
pub(super) struct Found {
    /// Index of its root.
    pub(super) root: usize,
    /// Its folder, below the root.
    pub(super) folder: PathBuf,
    pub(super) name: OsString,
    /// For people only.
    pub(super) path: PathBuf,
    pub(super) name_kind: LogName,
    pub(super) id: FileId,
    pub(super) len: u64,
    /// What it takes on the disk.
    pub(super) disk_bytes: u64,
    pub(super) modified: DateTime<Utc>,
    pub(super) changed: DateTime<Utc>,
    pub(super) owner: u32,
}

impl Found {
    /// The newest of its times: content written or attributes changed.
    pub(super) fn touched(&self) -> DateTime<Utc> {
        self.modified.max(self.changed)
    }

    /// Whether an open file is this one, with one link still.
    pub(super) fn is(&self, now: &Metadata) -> bool {
        FileId::of(now) == self.id && now.is_file() && now.nlink() == 1
    }

    /// Whether it is this one and nobody wrote to it since the scan.
    pub(super) fn is_untouched(&self, now: &Metadata) -> bool {
        self.is(now) && now.len() == self.len && modified(now) == self.modified
    }
}

/// When a file's content last changed; the epoch for a time outside the calendar.
pub(super) fn modified(found: &Metadata) -> DateTime<Utc> {
    time(found.mtime(), found.mtime_nsec())
}

/// When a file's attributes last changed.
pub(super) fn changed(found: &Metadata) -> DateTime<Utc> {
    time(found.ctime(), found.ctime_nsec())
}

fn time(seconds: i64, nanoseconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, u32::try_from(nanoseconds).unwrap_or(0)).unwrap_or(DateTime::UNIX_EPOCH)
}

/// Why a file was not handled.
#[derive(Debug)]
pub(super) enum Left {
    /// A rule said no; nothing was changed.
    Skipped(String),
    /// Something went wrong.
    Failed(String),
}

impl Left {
    pub(super) fn skip(why: impl Into<String>) -> Self {
        Self::Skipped(why.into())
    }
}

impl From<io::Error> for Left {
    fn from(error: io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<rustix::io::Errno> for Left {
    fn from(error: rustix::io::Errno) -> Self {
        io::Error::from(error).into()
    }
}

impl From<Left> for FixOutcome {
    fn from(left: Left) -> Self {
        match left {
            Left::Skipped(why) => Self::Skipped { why },
            Left::Failed(why) => Self::Failed { why },
        }
    }
}

/// Opens a root folder, refusing a symlink in its last part. Parts before it may be links (as `/var` is on macOS): the
/// owner named the path, and the fix compares device and inode with the scan's.
pub(super) fn open_root(path: &Path) -> io::Result<Dir> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(Dir::from_std_file(File::from(rustix::fs::openat(CWD, path, flags, Mode::empty())?)))
}

/// Opens a folder in `dir`, refusing a symlink. A real read handle: those of cap-std are `O_PATH`, which can't be synced.
pub(super) fn open_folder(dir: &Dir, name: &OsStr) -> io::Result<Dir> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(Dir::from_std_file(File::from(rustix::fs::openat(dir, name, flags, Mode::empty())?)))
}

/// Opens the folder of a scanned file again, by the same way, if the root is still the same.
pub(super) fn reopen(root: &RootId, folder: &Path) -> Result<Dir, Left> {
    let mut dir = open_root(&root.path)
        .map_err(|error| Left::skip(format!("its log folder can't be opened any more: {error}")))?;
    if FileId::of(&dir_metadata(&dir)?) != root.id {
        return Err(Left::skip("its log folder is not the one that was scanned"));
    }
    for part in folder.components() {
        let Component::Normal(name) = part else {
            return Err(Left::skip("its path is not a plain one"));
        };
        dir = open_folder(&dir, name)
            .map_err(|error| Left::skip(format!("its folder can't be opened any more: {error}")))?;
        if dir_metadata(&dir)?.dev() != root.id.device {
            return Err(Left::skip("its folder is on another device now"));
        }
    }
    Ok(dir)
}

/// The folder's own metadata, from its handle.
pub(super) fn dir_metadata(dir: &Dir) -> io::Result<Metadata> {
    dir.try_clone()?.into_std_file().metadata()
}

/// Opens one file of `dir`: never through a symlink, never waiting on a pipe or device.
pub(super) fn open_file(dir: &Dir, name: &OsStr, write: bool) -> io::Result<File> {
    let access = if write { OFlags::RDWR } else { OFlags::RDONLY };
    let flags = access | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    Ok(File::from(rustix::fs::openat(dir, name, flags, Mode::empty())?))
}

/// Creates a new file in `dir`, with the permissions (and, when running as root, the owner) of `like`.
pub(super) fn create_like(dir: &Dir, name: &OsStr, like: &Metadata) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::openat(dir, name, flags, Mode::RUSR | Mode::WUSR)?);
    if file.metadata()?.uid() != like.uid() {
        std::os::unix::fs::fchown(&file, Some(like.uid()), Some(like.gid()))?;
    }
    file.set_permissions(Permissions::from_mode(like.mode() & 0o666))?;
    Ok(file)
}

/// Renames within `dir`, never onto something that exists.
pub(super) fn rename(dir: &Dir, from: &OsStr, to: &OsStr) -> io::Result<()> {
    match rustix::fs::renameat_with(dir, from, dir, to, RenameFlags::NOREPLACE) {
        // A file system without that flag (some network ones): a link fails where the name is taken, as it should.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS | rustix::io::Errno::NOTSUP) => {
            rustix::fs::linkat(dir, from, dir, to, AtFlags::empty())?;
            Ok(rustix::fs::unlinkat(dir, from, AtFlags::empty())?)
        }
        done => Ok(done?),
    }
}

/// Removes the file `name` if it is still the one with `id`; after an error it is still there. It is renamed first and
/// looked at under the new name, so that a file somebody put there meanwhile is put back and not removed. Not synced: a
/// power loss could only bring the file back.
pub(super) fn remove(dir: &Dir, name: &OsStr, id: FileId) -> Result<(), Left> {
    let aside = around(".", name, ".overnight-gone");
    rename(dir, name, &aside)?;
    let found = open_file(dir, &aside, false).and_then(|file| file.metadata());
    let removed = match found {
        Ok(found) if FileId::of(&found) == id => {
            rustix::fs::unlinkat(dir, &aside, AtFlags::empty()).map_err(|error| Left::Failed(error.to_string()))
        }
        _ => Err(Left::skip("it was replaced by another file meanwhile")),
    };
    if removed.is_err() {
        rename(dir, &aside, name)?;
    }
    removed
}

/// Removes a file of our own making, if there.
pub(super) fn discard(dir: &Dir, name: &OsStr) -> io::Result<()> {
    match rustix::fs::unlinkat(dir, name, AtFlags::empty()) {
        Ok(()) | Err(rustix::io::Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Makes renames and removals in `dir` survive a power loss.
pub(super) fn sync(dir: &Dir) -> io::Result<()> {
    dir.try_clone()?.into_std_file().sync_all()
}

/// `name` with something before and after.
pub(super) fn around(before: &str, name: &OsStr, after: &str) -> OsString {
    let mut whole = OsString::from(before);
    whole.push(name);
    whole.push(after);
    whole
}

/// A path as text for people: what could break a line or turn its direction shows as �.
pub(super) fn shown(path: &Path) -> String {
    path.to_string_lossy()
        .chars()
        .map(|c| match c {
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' => '\u{fffd}',
            c if c.is_control() => '\u{fffd}',
            c => c,
        })
        .collect()
}
