//! This machine: measuring it, cleaning its logs, optimizing the owner's databases, keeping it awake, drawing the night.
//!
//! Everything here either measures or does one bounded, reversible thing to a place the owner named; deciding is the
//! domain's. File work is plain blocking code (the engine calls it on a blocking thread); only [`databases`] is async.
//! Left out on purpose: anything that needs root, and anything on a path nobody configured.

pub mod awake;
pub mod chart;
pub mod databases;
pub mod logs;
pub mod probe;
pub mod space;

pub use awake::KeepAwake;
pub use probe::{Probe, ScriptedProbe, SystemProbe};

use rustix::fs::{CWD, Mode, OFlags};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Writes `bytes` to `path` so that after a crash or power loss the file holds either its old content or the new, never a
/// part: a temporary file in the same folder, fsync, rename, fsync of the folder. The file is readable by the owner only.
/// Two writers of the same path at once are not supported (one gets an error, none gets a mixture).
pub fn atomic_write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let name = path.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the path names no file"))?;
    let mut temporary = OsString::from(".");
    temporary.push(name);
    temporary.push(".overnight-new");
    let temporary = folder.join(temporary);

    // A leftover of a crash is removed, not written into: it could be a link someone put there.
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let written =
        fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary).and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        });
    if let Err(error) = written.and_then(|()| fs::rename(&temporary, path)) {
        // What is left of a failed write is of no use; the first error is the one to tell.
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    sync_folder(folder)
}

/// Makes a rename or unlink in `folder` survive a power loss.
fn sync_folder(folder: &Path) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    File::from(rustix::fs::openat(CWD, folder, flags, Mode::empty())?).sync_all()
}
