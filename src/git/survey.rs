//! Looks over a tree an agent wrote before git does: what git would trip over, wait on, or pass in silence.
//!
//! Walks by open folder handles and never follows a link, so nothing outside the tree is looked at. Opens no file.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use cap_fs_ext::DirExt;
use cap_std::ambient_authority;
use cap_std::fs::{Dir, DirEntry};

use super::{Fault, GitError, Result, escape};

const ACTION: &str = "look over the build's files";
/// Folders within folders; each level holds one open handle.
const MAX_DEPTH: usize = 200;
/// Entries looked at, ignored ones too.
const MAX_ENTRIES: u64 = 5_000_000;
/// Files git opens by name while it walks: a pipe in their place would make it wait for ever.
const GIT_READS: [&[u8]; 3] = [b".gitignore", b".gitattributes", b".gitmodules"];

/// What was found. Paths are raw, from the top of the tree.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// Folders below the top that hold an entry called `.git`.
    pub(super) nested: Vec<Vec<u8>>,
    /// Folders that look like a bare repository.
    pub(super) bare: Vec<Vec<u8>>,
    /// Pipes, sockets and devices.
    pub(super) special: Vec<Vec<u8>>,
    /// Regular files over the size given, with their bytes.
    pub(super) large: BTreeMap<Vec<u8>, u64>,
    /// Folders that could not be listed.
    pub(super) unreadable: Vec<Vec<u8>>,
}

/// A folder still to be listed.
struct Pending {
    parent: Arc<Dir>,
    name: OsString,
    path: Vec<u8>,
    depth: usize,
}

struct Walk<'a> {
    root: &'a Path,
    large: u64,
    entries: u64,
    pending: Vec<Pending>,
    found: Survey,
}

/// Walks the tree at `root`; regular files over `large` bytes are listed.
pub(super) fn survey(root: &Path, large: u64) -> Result<Survey> {
    let mut walk = Walk { root, large, entries: 0, pending: Vec::new(), found: Survey::default() };
    let top = Dir::open_ambient_dir(root, ambient_authority()).map_err(|error| walk.io(b".", &error))?;
    walk.list(top, b"", 0)?;
    while let Some(next) = walk.pending.pop() {
        match next.parent.open_dir_nofollow(&next.name) {
            Ok(dir) => walk.list(dir, &next.path, next.depth)?,
            Err(error) => walk.passed(next.path, &error)?,
        }
    }
    Ok(walk.found)
}

impl Walk<'_> {
    fn list(&mut self, dir: Dir, path: &[u8], depth: usize) -> Result<()> {
        if depth > MAX_DEPTH {
            return Err(GitError::new(ACTION, self.root, Fault::OverLimit("levels of folders", MAX_DEPTH as u64)));
        }
        let dir = Arc::new(dir);
        let listing = match dir.entries() {
            Ok(listing) => listing,
            Err(error) => return self.passed(path.to_vec(), &error),
        };
        let mut bare_marks = 0;
        for entry in listing {
            let entry = entry.map_err(|error| self.io(path, &error))?;
            self.entries += 1;
            if self.entries > MAX_ENTRIES {
                return Err(GitError::new(ACTION, self.root, Fault::OverLimit("files and folders", MAX_ENTRIES)));
            }
            let name = entry.file_name();
            if name.as_bytes().eq_ignore_ascii_case(b".git") {
                if !path.is_empty() {
                    self.found.nested.push(path.to_vec());
                }
                continue;
            }
            bare_marks += u8::from(["HEAD", "objects", "refs"].iter().any(|mark| name == OsStr::new(mark)));
            self.meet(&dir, &entry, name, path, depth)?;
        }
        if bare_marks == 3 {
            self.found.bare.push(path.to_vec());
        }
        Ok(())
    }

    fn meet(&mut self, dir: &Arc<Dir>, entry: &DirEntry, name: OsString, folder: &[u8], depth: usize) -> Result<()> {
        let mut path = folder.to_vec();
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(name.as_bytes());
        let kind = entry.file_type().map_err(|error| self.io(&path, &error))?;
        if kind.is_dir() {
            self.pending.push(Pending { parent: Arc::clone(dir), name, path, depth: depth + 1 });
        } else if kind.is_file() {
            // A file that goes away meanwhile is git's to notice.
            if let Ok(size) = entry.metadata().map(|metadata| metadata.len())
                && size > self.large
            {
                self.found.large.insert(path, size);
            }
        } else if !kind.is_symlink() {
            if GIT_READS.contains(&name.as_bytes()) {
                return Err(GitError::new(ACTION, self.root, Fault::SpecialFile(escape(&path))));
            }
            self.found.special.push(path);
        }
        Ok(())
    }

    /// A folder that cannot be entered is noted; whether it matters depends on whether git ignores it.
    fn passed(&mut self, path: Vec<u8>, error: &io::Error) -> Result<()> {
        match error.kind() {
            io::ErrorKind::PermissionDenied => self.found.unreadable.push(path),
            io::ErrorKind::NotFound => {}
            _ => return Err(self.io(&path, error)),
        }
        Ok(())
    }

    fn io(&self, name: &[u8], error: &io::Error) -> GitError {
        GitError::from_io(ACTION, self.root, name, error)
    }
}
