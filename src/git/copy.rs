//! Copies files git does not track (a `.env`, test data) from the owner's checkout into a build's clone, by name.
//!
//! Reads and writes through folder handles that cannot be led out by a link on either side. Left out on purpose:
//! patterns, times and owners of files, and anything called `.git`.

use std::io;
use std::path::{Component, Path, PathBuf};

use cap_fs_ext::{DirExt, FollowSymlinks, OpenOptionsFollowExt};
use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions};

use super::paths::leads_out;
use super::{Fault, GitError, Result, escape};

const ACTION: &str = "copy untracked files into the build";

/// What may be copied at most for one build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CopyLimits {
    /// Bytes of all files.
    pub bytes: u64,
    /// Number of files and links.
    pub files: u64,
}

impl Default for CopyLimits {
    /// 512 MiB and 20,000 files.
    fn default() -> Self {
        Self { bytes: 512 << 20, files: 20_000 }
    }
}

/// What was copied.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Copied {
    /// Files and links made.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Left as they were, escaped: already in the clone (tracked), or called `.git`.
    pub skipped: Vec<String>,
}

/// Copies each of `names` (relative paths of files or folders) from `owner_repo` to the same place in `dest`. Errs at
/// the first that is missing, climbs, is or holds a link out of the checkout, is no regular file, or passes a limit;
/// what was copied before stays, to be removed with the clone.
pub async fn copy_untracked(owner_repo: &Path, names: &[PathBuf], dest: &Path, limits: CopyLimits) -> Result<Copied> {
    let (owner, names, to) = (owner_repo.to_owned(), names.to_vec(), dest.to_owned());
    let work = tokio::task::spawn_blocking(move || copy_all(&owner, &names, &to, limits)).await;
    work.map_err(|error| GitError::new(ACTION, dest, Fault::Io(error.to_string())))?
}

fn copy_all(owner: &Path, names: &[PathBuf], dest: &Path, limits: CopyLimits) -> Result<Copied> {
    let open = |path: &Path| {
        let opened = Dir::open_ambient_dir(path, ambient_authority());
        opened.map_err(|error| GitError::from_io(ACTION, path, path.as_os_str().as_encoded_bytes(), &error))
    };
    let mut copy = Copy { owner, from: open(owner)?, to: open(dest)?, limits, done: Copied::default() };
    for name in names {
        let plain = name.components().all(|part| matches!(part, Component::Normal(_)));
        let git = name.components().any(|part| part.as_os_str().eq_ignore_ascii_case(".git"));
        if !plain || git || name.as_os_str().is_empty() {
            return Err(copy.refuse(name, "is not a plain path inside the checkout"));
        }
        copy.one(name)?;
    }
    Ok(copy.done)
}

struct Copy<'a> {
    owner: &'a Path,
    from: Dir,
    to: Dir,
    limits: CopyLimits,
    done: Copied,
}

impl Copy<'_> {
    /// One name the owner gave, with everything below it.
    fn one(&mut self, name: &Path) -> Result<()> {
        if let Some(parent) = name.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            self.to.create_dir_all(parent).map_err(|error| self.io(parent, &error))?;
        }
        let mut pending = vec![name.to_owned()];
        while let Some(path) = pending.pop() {
            let kind = self.from.symlink_metadata(&path).map_err(|error| self.io(&path, &error))?.file_type();
            let called_git = path.file_name().is_some_and(|name| name.eq_ignore_ascii_case(".git"));
            if called_git {
                self.done.skipped.push(shown(&path));
            } else if kind.is_dir() {
                self.folder(&path, &mut pending)?;
            } else if self.to.symlink_metadata(&path).is_ok() {
                self.done.skipped.push(shown(&path));
            } else if kind.is_symlink() {
                self.link(&path)?;
            } else if kind.is_file() {
                self.file(&path)?;
            } else {
                return Err(GitError::new(ACTION, self.owner, Fault::SpecialFile(shown(&path))));
            }
        }
        Ok(())
    }

    fn folder(&mut self, path: &Path, pending: &mut Vec<PathBuf>) -> Result<()> {
        self.to.create_dir_all(path).map_err(|error| self.io(path, &error))?;
        let opened = self.from.open_dir_nofollow(path).map_err(|error| self.io(path, &error))?;
        for entry in opened.entries().map_err(|error| self.io(path, &error))? {
            let entry = entry.map_err(|error| self.io(path, &error))?;
            pending.push(path.join(entry.file_name()));
            if pending.len() as u64 > self.limits.files {
                return Err(self.over("files to copy", self.limits.files));
            }
        }
        Ok(())
    }

    fn link(&mut self, path: &Path) -> Result<()> {
        let read = |at: &[u8]| {
            let at = std::str::from_utf8(at).ok()?;
            let target = self.from.read_link_contents(at).ok()?;
            Some(target.into_os_string().into_encoded_bytes())
        };
        if leads_out(path.as_os_str().as_encoded_bytes(), read) {
            return Err(self.refuse(path, "is a link that leads out of the checkout"));
        }
        let target = self.from.read_link_contents(path).map_err(|error| self.io(path, &error))?;
        self.to.symlink(target, path).map_err(|error| self.io(path, &error))?;
        self.count(0)
    }

    fn file(&mut self, path: &Path) -> Result<()> {
        let mut read = OpenOptions::new();
        read.read(true).follow(FollowSymlinks::No);
        let source = self.from.open_with(path, &read).map_err(|error| self.io(path, &error))?;
        let metadata = source.metadata().map_err(|error| self.io(path, &error))?;
        self.count(metadata.len())?;
        let mut write = OpenOptions::new();
        write.write(true).create_new(true);
        let mut target = self.to.open_with(path, &write).map_err(|error| self.io(path, &error))?;
        // No more than was counted, should the file grow meanwhile.
        let mut source = io::Read::take(source, metadata.len());
        io::copy(&mut source, &mut target).map_err(|error| self.io(path, &error))?;
        target.set_permissions(metadata.permissions()).map_err(|error| self.io(path, &error))
    }

    fn count(&mut self, bytes: u64) -> Result<()> {
        self.done.files += 1;
        self.done.bytes += bytes;
        if self.done.files > self.limits.files {
            return Err(self.over("files to copy", self.limits.files));
        }
        if self.done.bytes > self.limits.bytes {
            return Err(self.over("bytes to copy", self.limits.bytes));
        }
        Ok(())
    }

    fn over(&self, what: &'static str, limit: u64) -> GitError {
        GitError::new(ACTION, self.owner, Fault::OverLimit(what, limit))
    }

    fn refuse(&self, path: &Path, why: &str) -> GitError {
        GitError::new(ACTION, self.owner, Fault::Refused(format!("{} {why}", shown(path))))
    }

    fn io(&self, path: &Path, error: &io::Error) -> GitError {
        GitError::from_io(ACTION, self.owner, path.as_os_str().as_encoded_bytes(), error)
    }
}

fn shown(path: &Path) -> String {
    escape(path.as_os_str().as_encoded_bytes())
}
