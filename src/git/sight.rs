//! Puts together what the walk, the base and git's idea of untracked files say, and decides what goes into a result.
//!
//! Left out on purpose: judging the changes (secrets, CI files); that is the planner's, from the list of files.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use cap_fs_ext::DirExt;
use cap_std::ambient_authority;
use cap_std::fs::Dir;

use super::collect::{Desk, Limits};
use super::paths::is_within;
use super::survey::Survey;
use super::{Fault, Result, Sha, escape};

/// Nested repositories in one tree; beyond it the tree is not worth understanding.
const MAX_NESTED: u64 = 1000;
/// Entries shown of one list.
const MAX_SHOWN: usize = 1000;

/// Paths in the base commit.
#[derive(Debug, Default)]
pub(super) struct Tracked {
    /// Files and symbolic links.
    pub(super) files: BTreeSet<Vec<u8>>,
    /// Submodules.
    pub(super) submodules: BTreeSet<Vec<u8>>,
}

/// The tree as it will be collected.
#[derive(Debug)]
pub(super) struct Sight {
    found: Survey,
    tracked: Tracked,
    /// New files that belong to the result.
    new: BTreeSet<Vec<u8>>,
    /// Everything untracked and not ignored; a repository within is one path that ends in a slash.
    loose: BTreeSet<Vec<u8>>,
    /// Submodules with anything in their folder.
    filled: Vec<Vec<u8>>,
    /// Paths git must not look at.
    left_out: BTreeSet<Vec<u8>>,
}

impl Sight {
    pub(super) async fn new(desk: &Desk<'_>, found: Survey, base: &Sha, exclude: &[PathBuf]) -> Result<Self> {
        let tracked = desk.tracked(base).await?;
        let loose = desk.loose().await?;
        let exclude = exclude.iter().map(|path| relative(desk, path)).collect::<Result<Vec<_>>>()?;
        let (folders, filled) = submodule_folders(desk.worktree, &tracked.submodules);
        let mut sight = Self { found, tracked, new: loose.clone(), loose, filled, left_out: folders };
        let nested: Vec<Vec<u8>> = sight.nested_untracked().map(<[u8]>::to_vec).collect();
        if nested.len() as u64 > MAX_NESTED {
            return Err(desk.fail(Fault::OverLimit("nested repositories", MAX_NESTED)));
        }
        for path in nested.into_iter().chain(exclude) {
            sight.leave_out(path);
        }
        Ok(sight)
    }

    /// Leaves out what is untracked at or below `path`. Tracked files there still count: naming a folder to copy must
    /// not hide what the build did to the project's own files in it.
    fn leave_out(&mut self, path: Vec<u8>) {
        let below: Vec<Vec<u8>> = self.new.iter().filter(|new| is_within(new, &path)).cloned().collect();
        for new in &below {
            self.new.remove(new);
        }
        if self.tracked.files.contains(&path) || has_below(&self.tracked.files, &path) {
            self.left_out.extend(below.into_iter().map(|new| new.strip_suffix(b"/").unwrap_or(&new).to_vec()));
        } else {
            self.left_out.insert(path);
        }
    }

    /// Refuses what cannot be collected whole: a result that silently lacks a file is worse than none.
    pub(super) async fn check(&self, desk: &Desk<'_>, limits: &Limits) -> Result<()> {
        for (path, size) in &self.found.large {
            let grown = self.tracked.files.contains(path) && desk.base_size(path).await? < *size;
            if grown || self.new.contains(path) {
                return Err(desk.fail(Fault::FileTooLarge(escape(path), *size, limits.file_bytes)));
            }
        }
        for folder in &self.found.unreadable {
            if has_below(&self.tracked.files, folder) {
                return Err(desk.fail(Fault::Unreadable(escape(folder))));
            }
        }
        if self.new.len() as u64 > limits.new_files {
            return Err(desk.fail(Fault::OverLimit("new files", limits.new_files)));
        }
        let size = |path: &Vec<u8>| {
            let metadata = desk.worktree.join(OsStr::from_bytes(path)).symlink_metadata();
            metadata.map_or(0, |metadata| metadata.len())
        };
        if self.new.iter().map(size).sum::<u64>() > limits.new_bytes {
            return Err(desk.fail(Fault::OverLimit("bytes of new files", limits.new_bytes)));
        }
        Ok(())
    }

    /// Tracked files replaced by a pipe or the like, NUL-terminated: git would refuse the whole tree, so they are
    /// taken as deleted.
    pub(super) fn replaced_by_special(&self) -> Vec<u8> {
        let replaced = self.found.special.iter().filter(|path| self.tracked.files.contains(*path));
        replaced.flat_map(|path| path.iter().copied().chain([0])).collect()
    }

    /// For `git add`: everything but what is left out, NUL-terminated, no pattern in it.
    pub(super) fn pathspec(&self) -> Vec<u8> {
        let mut spec = b".\0".to_vec();
        for path in &self.left_out {
            spec.extend_from_slice(b":(top,exclude,literal)");
            spec.extend_from_slice(path);
            spec.push(0);
        }
        spec
    }

    /// Repositories within, outside ignored folders, and submodules that have files.
    pub(super) fn nested(&self) -> impl Iterator<Item = &[u8]> {
        let filled = self.filled.iter().map(Vec::as_slice);
        let tracked = self.nested_below().filter(|path| has_below(&self.tracked.files, path));
        self.nested_untracked().chain(tracked).chain(filled)
    }

    fn nested_untracked(&self) -> impl Iterator<Item = &[u8]> {
        let untracked = |path: &&[u8]| has_below(&self.loose, path) && !has_below(&self.tracked.files, path);
        self.nested_below().filter(untracked)
    }

    fn nested_below(&self) -> impl Iterator<Item = &[u8]> {
        let outside = |path: &&[u8]| !self.tracked.submodules.iter().any(|submodule| is_within(path, submodule));
        self.found.nested.iter().map(Vec::as_slice).filter(outside)
    }

    /// Folders outside ignored ones that look like bare repositories.
    pub(super) fn bare(&self) -> impl Iterator<Item = &[u8]> {
        let seen = |path: &&[u8]| has_below(&self.loose, path) || has_below(&self.tracked.files, path);
        self.found.bare.iter().map(Vec::as_slice).filter(seen)
    }

    /// Pipes, sockets and devices.
    pub(super) fn special(&self) -> impl Iterator<Item = &[u8]> {
        self.found.special.iter().map(Vec::as_slice)
    }
}

/// A path given by the owner, as git writes it. Refused if it is empty, absolute or climbs.
fn relative(desk: &Desk<'_>, path: &Path) -> Result<Vec<u8>> {
    let mut parts = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(part) => parts.push(part.as_bytes()),
            Component::CurDir => {}
            _ => parts.clear(),
        }
    }
    let plain = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if !plain || parts.is_empty() {
        let shown = escape(path.as_os_str().as_bytes());
        return Err(desk.fail(Fault::Refused(format!("{shown} is not a path inside the tree"))));
    }
    Ok(parts.join(&b'/'))
}

/// Submodules that are folders now, and those of them with anything inside. Git never looks into either: it would run
/// itself there, under that folder's own configuration.
fn submodule_folders(root: &Path, submodules: &BTreeSet<Vec<u8>>) -> (BTreeSet<Vec<u8>>, Vec<Vec<u8>>) {
    let (mut folders, mut filled) = (BTreeSet::new(), Vec::new());
    let Ok(top) = Dir::open_ambient_dir(root, ambient_authority()) else {
        return (folders, filled);
    };
    for path in submodules {
        let Ok(dir) = top.open_dir_nofollow(OsStr::from_bytes(path)) else {
            continue;
        };
        if dir.entries().is_ok_and(|mut entries| entries.next().is_some()) {
            filled.push(path.clone());
        }
        folders.insert(path.clone());
    }
    (folders, filled)
}

/// Whether any path in `set` lies below `folder`.
fn has_below(set: &BTreeSet<Vec<u8>>, folder: &[u8]) -> bool {
    let mut prefix = folder.to_vec();
    prefix.push(b'/');
    set.range(prefix.clone()..).next().is_some_and(|path| path.starts_with(&prefix))
}

/// Escaped, sorted, and cut with a last line that says so.
pub(super) fn shown<'a>(paths: impl Iterator<Item = &'a [u8]>) -> Vec<String> {
    let mut list: Vec<String> = paths.map(escape).collect();
    list.sort_unstable();
    if list.len() > MAX_SHOWN {
        let more = list.len() - MAX_SHOWN;
        list.truncate(MAX_SHOWN);
        list.push(format!("… and {more} more"));
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn below_is_not_fooled_by_names_that_sort_between() {
        let set: BTreeSet<Vec<u8>> = ["a", "a-b/c", "a.d", "x/"].iter().map(|path| path.as_bytes().to_vec()).collect();
        assert!(!has_below(&set, b"a"));
        assert!(has_below(&set, b"a-b") && has_below(&set, b"x"));
    }

    #[test]
    fn long_lists_say_what_they_leave_out() {
        let paths: Vec<Vec<u8>> = (0..1003).map(|n: u32| n.to_string().into_bytes()).collect();
        let list = shown(paths.iter().map(Vec::as_slice));
        assert_eq!((list.len(), list[1000].as_str()), (1001, "… and 3 more"));
    }
}
