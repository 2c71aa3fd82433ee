//! Which of the owner's files belong to a snapshot: what git tracks or would, as it is on the disk now.
//!
//! The owner's index is only read, by `git ls-files`; what is on the disk is asked of the disk. No file is opened.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::Access;

use super::owner::OwnerRepo;
use super::records::{entry, records};
use super::{Fault, Git, Result, SkippedFile, SnapshotLimits, escape};

const ACTION: &str = "look over the owner's files";
/// Mode of a submodule in an index.
const SUBMODULE: &str = "160000";

/// What a snapshot will hold. Paths are raw, from the top of the checkout.
#[derive(Debug, Default)]
pub(super) struct Files {
    /// Files and links to be read.
    pub(super) paths: Vec<Vec<u8>>,
    /// Entries taken from the owner's index as they are, as `git update-index --index-info` reads them: submodules, and
    /// files a sparse checkout leaves out.
    pub(super) entries: Vec<Entry>,
    /// What is left out, and why.
    pub(super) skipped: Vec<SkippedFile>,
}

/// One entry of the owner's index.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) mode: String,
    pub(super) object: String,
    pub(super) path: Vec<u8>,
}

/// Looks at index and disk. What goes away meanwhile is taken as deleted.
pub(super) async fn look(git: &Git, owner: &OwnerRepo, limits: &SnapshotLimits) -> Result<Files> {
    let tracked = tracked(git, owner).await?;
    let (loose, closed) = loose(git, owner).await?;
    let (root, limits) = (owner.root.clone(), *limits);
    let looked = tokio::task::spawn_blocking(move || {
        let mut look = Look { root: &root, limits, real: BTreeMap::new(), found: Files::default(), bytes: 0 };
        for folder in closed {
            look.skip(folder.as_bytes(), "the folder can't be opened");
        }
        for (path, (tag, mode, object)) in tracked {
            look.tracked(path, &tag, mode, object);
        }
        for path in loose {
            look.loose(path);
        }
        look.found
    });
    looked.await.map_err(|error| super::GitError::new(ACTION, &owner.root, Fault::Io(error.to_string())))
}

/// The owner's index: path to tag, mode and object.
async fn tracked(git: &Git, owner: &OwnerRepo) -> Result<BTreeMap<Vec<u8>, (String, String, String)>> {
    let listed = list(git, owner, &["-s", "-t"]).await?.0;
    let mut tracked = BTreeMap::new();
    for record in records(&listed) {
        let Some((head, path)) = entry(record) else {
            return Err(super::GitError::new(ACTION, &owner.root, Fault::Other));
        };
        let head = String::from_utf8_lossy(head);
        let mut words = head.split(' ').map(str::to_owned);
        let mut next = || words.next().unwrap_or_default();
        // A conflict has up to three entries of one path; what counts is what is on the disk.
        tracked.insert(path.to_vec(), (next(), next(), next()));
    }
    Ok(tracked)
}

/// Paths git neither tracks nor ignores, a repository within as one path that ends in a slash; and folders that could
/// not be opened.
async fn loose(git: &Git, owner: &OwnerRepo) -> Result<(BTreeSet<Vec<u8>>, Vec<String>)> {
    let (listed, words) = list(git, owner, &["--others", "--exclude-standard"]).await?;
    let paths = records(&listed).map(<[u8]>::to_vec).collect();
    let closed = words.lines().filter_map(|line| {
        let name = line.strip_prefix("warning: could not open directory '")?;
        Some(name.rsplit_once('\'')?.0.to_owned())
    });
    Ok((paths, closed.collect()))
}

async fn list(git: &Git, owner: &OwnerRepo, which: &[&str]) -> Result<(Vec<u8>, String)> {
    let command = owner.read(git, ACTION).env("GIT_WORK_TREE", &owner.root);
    let output = command.args(["ls-files", "-z"]).args(which).complete().await?;
    Ok((output.stdout, output.words))
}

struct Look<'a> {
    root: &'a Path,
    limits: SnapshotLimits,
    /// Whether a folder is one, and no link on the way to it.
    real: BTreeMap<Vec<u8>, bool>,
    found: Files,
    bytes: u64,
}

impl Look<'_> {
    fn tracked(&mut self, path: Vec<u8>, tag: &str, mode: String, object: String) {
        if mode == SUBMODULE {
            self.skip(&path, "a submodule: its own repository is not followed");
            self.found.entries.push(Entry { mode, object, path });
        } else if tag == "S" && self.root.join(OsStr::from_bytes(&path)).symlink_metadata().is_err() {
            self.found.entries.push(Entry { mode, object, path });
        } else {
            self.take(path);
        }
    }

    fn loose(&mut self, path: Vec<u8>) {
        match path.strip_suffix(b"/") {
            Some(nested) => self.skip(nested, "a repository of its own, not followed"),
            None => self.take(path),
        }
    }

    /// Notes a file or link; anything else in its place is no file of the project any more.
    fn take(&mut self, path: Vec<u8>) {
        let full = self.root.join(OsStr::from_bytes(&path));
        if !self.real_folder(parent(&path)) {
            return;
        }
        let found = match full.symlink_metadata() {
            Ok(found) => found,
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                return self.skip(&path, "it can't be read");
            }
            Err(_) => return,
        };
        if path.split(|byte| *byte == b'/').any(is_git) {
            self.skip(&path, "git takes no such name");
        } else if found.is_symlink() {
            self.found.paths.push(path);
        } else if !found.is_file() {
            if !found.is_dir() {
                self.skip(&path, "not a regular file");
            }
        } else if found.len() > self.limits.file_bytes {
            self.skip(&path, &format!("too large: {} bytes", found.len()));
        } else if self.bytes.saturating_add(found.len()) > self.limits.all_bytes {
            self.skip(&path, "all files together are too large");
        } else if rustix::fs::access(&full, Access::READ_OK).is_err() {
            self.skip(&path, "it can't be read");
        } else {
            self.bytes += found.len();
            self.found.paths.push(path);
        }
    }

    /// A tracked folder may have become a link; what lies behind that is not the project's.
    fn real_folder(&mut self, folder: &[u8]) -> bool {
        if folder.is_empty() {
            return true;
        }
        if let Some(known) = self.real.get(folder) {
            return *known;
        }
        let real = self.real_folder(parent(folder)) && {
            let found = self.root.join(OsStr::from_bytes(folder)).symlink_metadata();
            // One that can't be looked at is met again at each of its files.
            found.map_or_else(|e| e.kind() == std::io::ErrorKind::PermissionDenied, |found| found.is_dir())
        };
        self.real.insert(folder.to_vec(), real);
        real
    }

    fn skip(&mut self, path: &[u8], why: &str) {
        self.found.skipped.push(SkippedFile { path: escape(path), why: why.to_owned() });
    }
}

fn parent(path: &[u8]) -> &[u8] {
    path.iter().rposition(|byte| *byte == b'/').map_or(b"", |slash| &path[..slash])
}

/// Names git refuses in a tree on any system, as on some they lead into `.git`.
fn is_git(part: &[u8]) -> bool {
    part.eq_ignore_ascii_case(b".git") || part.eq_ignore_ascii_case(b"git~1")
}
