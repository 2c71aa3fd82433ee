//! Rotating a large log where it lies: `app.log` → `app.log.1.gz`, older numbers move up, the tenth goes to the trash.
//!
//! A closed log is renamed, an empty one made in its place, and the renamed one compressed. A log a process appends to
//! keeps its place: its head is copied and then cut off. Linux on ext4 and XFS can cut a file's head off in one step
//! while others append (`FALLOC_FL_COLLAPSE_RANGE`), so not a byte is lost; the cut falls on a block boundary, which may be in
//! the middle of a line. Elsewhere it is copied until the copy has caught up, then emptied, as `logrotate`'s `copytruncate`
//! does: what is written between the last look and the emptying, microseconds, is lost; no system call closes that gap.
//! Left out on purpose: signalling the process that writes.

use super::compress::append_member;
use super::folder::{
    FileId, Found, Left, RootId, around, create_like, discard, open_file, remove, rename, reopen, sync,
};
use super::names::LogName;
use super::open_files::Use;
use super::trash::Trash;
use cap_std::fs::Dir;
use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;

/// Rotated files kept beside the log.
const KEPT: u32 = 9;
/// How often a copy tries to catch up with a log that is being written.
const CATCH_UP: u32 = 50;

/// Sizes around a rotation, in bytes.
#[derive(Debug)]
pub(super) struct Rotated {
    pub(super) before: u64,
    /// The log and its compressed part together.
    pub(super) after: u64,
    /// Disk blocks given back.
    pub(super) freed: u64,
}

/// Rotates a scanned file that is still the same one; it may have grown.
pub(super) fn rotate(root: &RootId, file: &Found, in_use: Use, trash: &mut Trash) -> Result<Rotated, Left> {
    let dir = reopen(root, &file.folder)?;
    let shared = match in_use {
        Use::Closed => false,
        Use::Appended => true,
        Use::Overwritten => return Err(Left::skip("a process writes to it at its own offset")),
        Use::Unknown => {
            return Err(Left::skip("it can't be told whether a process holds it open"));
        }
    };
    let source =
        open_file(&dir, &file.name, shared).map_err(|error| Left::skip(format!("can't be opened: {error}")))?;
    let before = source.metadata()?;
    if !file.is(&before) || before.len() < file.len {
        return Err(Left::skip("it changed since it was looked at"));
    }
    let space = rustix::fs::fstatvfs(&dir)?;
    if space.f_bavail.saturating_mul(space.f_frsize) < before.len() {
        return Err(Left::skip("no space for a compressed copy beside it"));
    }
    let (live, copy) = match (shared, file.name_kind) {
        (true, _) => {
            let copy = cut_head(&dir, file, &source, trash, collapse)?;
            (source.metadata()?, copy)
        }
        (false, LogName::Rotated) => {
            let copy = replace(&dir, &file.name, &around("", &file.name, ".gz"), &source)?;
            return Ok(sizes(&before, None, &copy));
        }
        (false, LogName::Live | LogName::Compressed) => set_aside(&dir, file, &source, trash)?,
    };
    Ok(sizes(&before, Some(&live), &copy))
}

fn sizes(before: &Metadata, live: Option<&Metadata>, copy: &Metadata) -> Rotated {
    let blocks = |found: &Metadata| found.blocks() * 512;
    Rotated {
        before: before.len(),
        after: live.map_or(0, Metadata::len) + copy.len(),
        freed: blocks(before).saturating_sub(live.map_or(0, blocks) + blocks(copy)),
    }
}

/// A log nobody holds: out of the way by one rename, then compressed. Returns the new empty log and the copy.
fn set_aside(dir: &Dir, file: &Found, source: &File, trash: &mut Trash) -> Result<(Metadata, Metadata), Left> {
    make_room(dir, file, trash)?;
    let first = numbered(&file.name, 1, "");
    rename(dir, &file.name, &first)?;
    // Whoever opened it in the last moment goes on writing to the renamed one, and is found out by its growth.
    let live = match create_like(dir, &file.name, &source.metadata()?) {
        Ok(live) => live,
        // Its own logger was faster.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => open_file(dir, &file.name, false)?,
        Err(error) => {
            rename(dir, &first, &file.name)?;
            return Err(error.into());
        }
    };
    sync(dir)?;
    let copy = replace(dir, &first, &numbered(&file.name, 1, ".gz"), source)?;
    Ok((live.metadata()?, copy))
}

/// Compresses `name`, open as `source`, to `target`, checks the copy and removes `name`.
fn replace(dir: &Dir, name: &OsStr, target: &OsStr, source: &File) -> Result<Metadata, Left> {
    let before = source.metadata()?;
    let temporary = around(".", target, ".overnight-new");
    let copied = (|| {
        let copy = new_copy(dir, &temporary, &before)?;
        append_member(&copy, source, 0, before.len())?;
        let after = source.metadata()?;
        if after.len() != before.len() || after.mtime() != before.mtime() || after.mtime_nsec() != before.mtime_nsec() {
            return Err(Left::skip("a process began to write to it; it is left uncompressed for tonight"));
        }
        rename(dir, &temporary, target)
            .map_err(|error| Left::Failed(format!("the compressed copy has no place: {error}")))?;
        sync(dir)?;
        Ok(copy)
    })();
    let copy = copied.inspect_err(|_| drop(discard(dir, &temporary)))?;
    remove(dir, name, FileId::of(&before)).inspect_err(|_| drop(discard(dir, target)))?;
    Ok(copy.metadata()?)
}

fn new_copy(dir: &Dir, name: &OsStr, like: &Metadata) -> io::Result<File> {
    // A leftover of a crash; the name is ours.
    discard(dir, name)?;
    create_like(dir, name, like)
}

/// A log that is appended to: copies its head to `.1.gz` and takes it off the log. `cut` takes that many bytes off the front
/// in one step, or says that this file system can't.
fn cut_head(
    dir: &Dir,
    file: &Found,
    source: &File,
    trash: &mut Trash,
    cut: impl FnOnce(&File, u64) -> io::Result<bool>,
) -> Result<Metadata, Left> {
    let before = source.metadata()?;
    let block = before.blksize().max(512);
    // A cut may not reach the end of the file, so at least one byte stays.
    let head = before.len().saturating_sub(1) / block * block;
    let target = numbered(&file.name, 1, ".gz");
    let temporary = around(".", &target, ".overnight-new");
    let copied = (|| {
        let copy = new_copy(dir, &temporary, &before)?;
        append_member(&copy, source, 0, head)?;
        make_room(dir, file, trash)?;
        rename(dir, &temporary, &target)?;
        sync(dir)?;
        Ok(copy)
    })();
    let copy = copied.inspect_err(|_: &Left| drop(discard(dir, &temporary)))?;
    // From here on the copy has its name and is safe; a crash leaves bytes twice, never not at all.
    let taken = if cut(source, head)? { Ok(()) } else { empty_when_caught_up(&copy, source, head) };
    taken.inspect_err(|_| drop(discard(dir, &target)))?;
    Ok(copy.metadata()?)
}

/// Copies what came after `copied` until nothing more comes, then empties the log.
fn empty_when_caught_up(copy: &File, source: &File, mut copied: u64) -> Result<(), Left> {
    for _ in 0..CATCH_UP {
        let len = source.metadata()?.len();
        if len < copied {
            return Err(Left::skip("it became shorter while it was copied; its owner rotates it"));
        }
        if len == copied {
            return Ok(source.set_len(0)?);
        }
        append_member(copy, source, copied, len)?;
        copied = len;
    }
    Err(Left::skip("it is written to faster than it can be copied"))
}

/// Takes `head` bytes off the front of the file, others appending all the while. `false` where that is not supported.
#[cfg(target_os = "linux")]
fn collapse(file: &File, head: u64) -> io::Result<bool> {
    use rustix::io::Errno;
    if head == 0 {
        return Ok(false);
    }
    match rustix::fs::fallocate(file, rustix::fs::FallocateFlags::COLLAPSE_RANGE, 0, head) {
        Ok(()) => Ok(file.sync_all().map(|()| true)?),
        Err(Errno::OPNOTSUPP | Errno::INVAL | Errno::NOSYS | Errno::TXTBSY) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Only Linux can.
#[cfg(not(target_os = "linux"))]
fn collapse(_: &File, _: u64) -> io::Result<bool> {
    Ok(false)
}

/// Moves `.1`, `.2.gz`, … up by one as far as they follow each other without a gap; the last one kept goes to the trash.
fn make_room(dir: &Dir, file: &Found, trash: &mut Trash) -> Result<(), Left> {
    let taken = |number: u32| -> Vec<OsString> {
        let names = ["", ".gz"].map(|ending| numbered(&file.name, number, ending));
        names.into_iter().filter(|name| dir.symlink_metadata(name).is_ok()).collect()
    };
    let last = (1..=KEPT).take_while(|&number| !taken(number).is_empty()).last().unwrap_or(0);
    for number in (1..=last).rev() {
        for name in taken(number) {
            if number == KEPT {
                let oldest = open_file(dir, &name, false)?;
                let found = oldest.metadata()?;
                if !found.is_file() || found.nlink() != 1 {
                    return Err(Left::skip("its oldest rotated file is not a plain file"));
                }
                trash.take_open(dir, &name, &file.path.with_file_name(&name), &oldest)?;
            } else {
                let ending = if name.as_encoded_bytes().ends_with(b".gz") { ".gz" } else { "" };
                rename(dir, &name, &numbered(&file.name, number + 1, ending))?;
            }
        }
    }
    Ok(())
}

fn numbered(name: &OsStr, number: u32, ending: &str) -> OsString {
    around("", name, &format!(".{number}{ending}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::read::MultiGzDecoder;
    use std::fs::{self, OpenOptions};
    use std::io::{Read, Write};

    #[test]
    fn where_a_head_cannot_be_cut_the_copy_catches_up_before_the_log_is_emptied() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.log");
        fs::write(&path, vec![b'a'; 10_000]).unwrap();
        let dir = super::super::folder::open_root(folder.path()).unwrap();
        let source = open_file(&dir, "app.log".as_ref(), true).unwrap();
        let copy = new_copy(&dir, "app.log.1.gz".as_ref(), &source.metadata().unwrap()).unwrap();
        append_member(&copy, &source, 0, 8192).unwrap();
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"written while it was copied").unwrap();

        empty_when_caught_up(&copy, &source, 8192).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), 0);
        let mut all = Vec::new();
        let packed = fs::File::open(folder.path().join("app.log.1.gz")).unwrap();
        MultiGzDecoder::new(packed).read_to_end(&mut all).unwrap();
        let mut expected = vec![b'a'; 10_000];
        expected.extend(b"written while it was copied");
        assert!(all == expected, "{} bytes", all.len());
    }

    #[test]
    fn a_log_that_shrank_while_it_was_copied_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.log");
        fs::write(&path, b"short").unwrap();
        let dir = super::super::folder::open_root(folder.path()).unwrap();
        let source = open_file(&dir, "app.log".as_ref(), true).unwrap();
        let copy = new_copy(&dir, "copy".as_ref(), &source.metadata().unwrap()).unwrap();
        assert!(append_member(&copy, &source, 0, 100).is_err());
        assert!(matches!(empty_when_caught_up(&copy, &source, 100), Err(Left::Skipped(_))));
        assert_eq!(fs::read(&path).unwrap(), b"short");
    }
}
