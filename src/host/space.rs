//! Files as they lie on a disk: how much room they take, what they hold, and one put in its place for good.

use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Bytes an unprivileged user can still write on the file system that holds `path` (which must exist).
pub fn available_space(path: &Path) -> io::Result<u64> {
    let space = rustix::fs::statvfs(path)?;
    Ok(space.f_bavail.saturating_mul(space.f_frsize))
}

/// Bytes on the disk below a folder; a file with several names counts once. Links are not followed. What can't be looked
/// at counts as nothing: builds come and go meanwhile.
pub fn folder_bytes(folder: &Path) -> u64 {
    let (mut bytes, mut seen, mut pending) = (0_u64, BTreeSet::new(), vec![folder.to_owned()]);
    while let Some(folder) = pending.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            let Ok(found) = entry.metadata() else { continue };
            if found.is_dir() {
                pending.push(entry.path());
            } else if found.nlink() > 1 && !seen.insert((found.dev(), found.ino())) {
                continue;
            }
            bytes = bytes.saturating_add(found.blocks().saturating_mul(512));
        }
    }
    bytes
}

/// SHA-256 of a file, as hex, and its size. Never for a database that is in use.
pub fn file_hash(path: &Path) -> io::Result<(String, u64)> {
    let mut digest = Sha256::new();
    let bytes = io::copy(&mut File::open(path)?, &mut digest)?;
    Ok((crate::domain::format::hex(&digest.finalize()), bytes))
}

/// Gives a finished file its name, replacing what has it; after a power loss it has one or the other whole.
pub fn place(new: &Path, name: &Path) -> io::Result<()> {
    File::open(new)?.sync_all()?;
    fs::rename(new, name)?;
    name.parent().map_or(Ok(()), super::sync_folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_with_two_names_takes_room_once() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("in")).unwrap();
        let file = dir.path().join("in/a");
        fs::write(&file, vec![7; 1 << 20]).unwrap();
        let alone = folder_bytes(dir.path());
        assert!(alone >= 1 << 20, "{alone}");
        fs::hard_link(&file, dir.path().join("b")).unwrap();
        std::os::unix::fs::symlink("/", dir.path().join("away")).unwrap();
        assert!(folder_bytes(dir.path()) < alone + (1 << 19));
        let (hash, bytes) = file_hash(&file).unwrap();
        place(&file, &dir.path().join("c")).unwrap();
        assert_eq!(file_hash(&dir.path().join("c")).unwrap(), (hash, bytes));
        assert!(!file.exists());
    }
}
