//! Walking the roots: which files are logs and may be touched at all.
//!
//! Reads only. What looks like a log and must be left alone is reported with its reason; other files are passed over in
//! silence. Left out on purpose: age, size and open handles.

use super::folder::{FileId, Found, RootId, changed, dir_metadata, modified, open_file, open_folder, open_root, shown};
use super::names::classify;
use super::{LogRules, Skipped};
use crate::domain::problem::{Problem, ProblemKind, Severity};
use cap_std::fs::Dir;
use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Folders below a root are followed this deep.
const DEEPEST: usize = 16;
/// Entries looked at in all; a log folder with more is a mistake in the configuration.
const MOST_ENTRIES: usize = 200_000;

struct Walk<'a> {
    never: HashSet<FileId>,
    us: u32,
    entries: usize,
    found: HashMap<FileId, Found>,
    skipped: &'a mut Vec<Skipped>,
}

/// Finds the logs below `roots`. A root that is unsafe or unreadable becomes a problem; the others go on.
pub(super) fn walk(
    roots: &[PathBuf],
    rules: &LogRules,
    ids: &mut Vec<RootId>,
    problems: &mut Vec<Problem>,
    skipped: &mut Vec<Skipped>,
) -> HashMap<FileId, Found> {
    let never = rules.never_enter.iter().filter_map(|path| path.metadata().ok()).map(|found| FileId::of(&found));
    let mut walk = Walk {
        never: never.collect(),
        us: rustix::process::geteuid().as_raw(),
        entries: 0,
        found: HashMap::new(),
        skipped,
    };
    for path in roots {
        match open_root(path).and_then(|dir| Ok((dir_metadata(&dir)?, dir))) {
            Ok((metadata, dir)) => {
                if let Some(why) = unsafe_folder(&metadata) {
                    problems.push(bad_root(path, ProblemKind::UnsafeLogRoot, why.to_owned()));
                    continue;
                }
                ids.push(RootId { path: path.clone(), id: FileId::of(&metadata) });
                walk.folder(ids, &dir, &metadata, Path::new(""), 0);
            }
            Err(error) => {
                let (kind, why) = if path.symlink_metadata().is_ok_and(|found| found.is_symlink()) {
                    let why = "the log folder is a symlink; name the folder itself in the configuration";
                    (ProblemKind::UnsafeLogRoot, why.to_owned())
                } else {
                    (ProblemKind::Unreadable, format!("the log folder can't be read: {error}"))
                };
                problems.push(bad_root(path, kind, why));
            }
        }
    }
    if walk.entries > MOST_ENTRIES {
        let detail = format!("more than {MOST_ENTRIES} entries in the log folders; the rest was not looked at");
        problems.push(bad_root(Path::new("logs"), ProblemKind::Unreadable, detail));
    }
    walk.found
}

fn bad_root(path: &Path, kind: ProblemKind, detail: String) -> Problem {
    Problem { kind, severity: Severity::Warning, subject: shown(path), detail, bytes: 0, fix: None }
}

/// Others could swap files under us in a folder they can write to, unless its sticky bit keeps them to their own.
fn unsafe_folder(folder: &Metadata) -> Option<&'static str> {
    let open_to_all = folder.mode() & 0o002 != 0 && folder.mode() & 0o1000 == 0;
    open_to_all.then_some("every user can write to this folder; take that right away (chmod o-w) to have it cleaned")
}

impl Walk<'_> {
    fn skip(&mut self, path: PathBuf, why: impl Into<String>) {
        self.skipped.push(Skipped { path, why: why.into() });
    }

    fn folder(&mut self, roots: &[RootId], dir: &Dir, metadata: &Metadata, below: &Path, depth: usize) {
        let root = &roots[roots.len() - 1];
        let path = root.path.join(below);
        if self.never.contains(&FileId::of(metadata)) {
            return;
        }
        let entries = match dir.entries() {
            Ok(entries) => entries,
            Err(error) => return self.skip(path, format!("the folder can't be read: {error}")),
        };
        let shared = metadata.mode() & 0o002 != 0;
        for entry in entries {
            self.entries += 1;
            if self.entries > MOST_ENTRIES {
                return;
            }
            let (name, kind) = match entry.and_then(|entry| Ok((entry.file_name(), entry.file_type()?))) {
                Ok(known) => known,
                Err(error) => {
                    self.skip(path.clone(), format!("an entry can't be read: {error}"));
                    continue;
                }
            };
            if kind.is_dir() {
                self.enter(roots, dir, &name, below, depth);
            } else if classify(name.as_encoded_bytes()).is_some() {
                if kind.is_file() {
                    self.file(roots, dir, name, below, shared);
                } else {
                    let what = if kind.is_symlink() { "a symlink, never followed" } else { "not a regular file" };
                    self.skip(path.join(&name), what);
                }
            }
        }
    }

    fn enter(&mut self, roots: &[RootId], dir: &Dir, name: &OsStr, below: &Path, depth: usize) {
        let root = &roots[roots.len() - 1];
        let path = root.path.join(below).join(name);
        if depth >= DEEPEST {
            return self.skip(path, format!("more than {DEEPEST} folders deep"));
        }
        match open_folder(dir, name).and_then(|inner| Ok((dir_metadata(&inner)?, inner))) {
            Ok((metadata, _)) if metadata.dev() != root.id.device => {
                self.skip(path, "on another device");
            }
            Ok((metadata, inner)) => match unsafe_folder(&metadata) {
                Some(why) => self.skip(path, why),
                None => self.folder(roots, &inner, &metadata, &below.join(name), depth + 1),
            },
            Err(error) => self.skip(path, format!("the folder can't be opened: {error}")),
        }
    }

    fn file(&mut self, roots: &[RootId], dir: &Dir, name: OsString, below: &Path, shared: bool) {
        let root = &roots[roots.len() - 1];
        let path = root.path.join(below).join(&name);
        // Opening, and not only asking, is how an unreadable file is found before the fix.
        let metadata = match open_file(dir, &name, false).and_then(|file| file.metadata()) {
            Ok(metadata) => metadata,
            Err(error) => return self.skip(path, format!("can't be read: {error}")),
        };
        if !metadata.is_file() || metadata.dev() != root.id.device {
            return self.skip(path, "not a regular file of this device");
        }
        if metadata.nlink() != 1 {
            return self.skip(path, "has other hard links");
        }
        if shared && metadata.uid() != self.us {
            return self.skip(path, "belongs to another user, in a folder open to all");
        }
        let Some(name_kind) = classify(name.as_encoded_bytes()) else {
            return;
        };
        let id = FileId::of(&metadata);
        // Roots may overlap; a file counts for the first root that reaches it.
        self.found.entry(id).or_insert_with(|| Found {
            root: roots.len() - 1,
            folder: below.to_owned(),
            name,
            path,
            name_kind,
            id,
            len: metadata.len(),
            disk_bytes: metadata.blocks() * 512,
            modified: modified(&metadata),
            changed: changed(&metadata),
            owner: metadata.uid(),
        });
    }
}
